//! What a secret looks like, as a table. The order matters: the surest first.

use std::{
    ops::Range,
    sync::{LazyLock, OnceLock},
};

use regex::Regex;

/// One kind of secret.
///
/// No pattern has groups: what stands before the secret and the secret itself are two patterns, so
/// that every search is a walk of an automaton over the text, once, whatever the text is.
pub(super) struct Rule {
    /// The word in the placeholder.
    pub(super) kind: &'static str,
    /// What stands right before it; empty where the secret is known by itself.
    lead: &'static str,
    /// The secret, with a quote before it.
    value: &'static str,
    /// How many bytes of what `value` matches stand behind the secret.
    tail: usize,
    /// Whether a match is a secret indeed.
    is_secret: fn(&Hit<'_>) -> bool,
}

/// A match of a rule.
struct Hit<'a> {
    /// The whole text.
    text: &'a str,
    /// What stands right before the value.
    lead: &'a str,
    /// Where the value begins.
    at: usize,
    /// The presumed secret.
    value: &'a str,
    /// Whether it stands in quotes.
    is_quoted: bool,
}

/// The patterns of a rule.
struct Compiled {
    /// Finds a match, its lead and all.
    whole: Regex,
    /// Tells how much of a match is its lead.
    lead: Option<Regex>,
}

/// Where a rule goes on looking, and the secret that it came past.
pub(super) struct Step {
    /// Where what was looked at ends.
    pub(super) end: usize,
    /// Where the match begins.
    pub(super) begin: usize,
    /// The secret, unless it is none.
    pub(super) secret: Option<Range<usize>>,
}

impl Rule {
    /// Looks for the next match at or after `from`.
    pub(super) fn next(&self, at: usize, text: &str, from: usize) -> Option<Step> {
        let compiled = self.compiled(at)?;
        let whole = compiled.whole.find_at(text, from)?;
        let lead = compiled.lead.as_ref().and_then(|lead| lead.find(whole.as_str()));
        let (begin, end) = (whole.start(), whole.end());
        let behind = begin + lead.map_or(0, |lead| lead.end());
        let matched = text.get(behind..end - self.tail).unwrap_or_default();
        let bare = lead.map_or(matched, |_| unquoted(matched));
        let at = behind + (matched.len() - bare.len());
        let hit = Hit {
            text,
            lead: text.get(begin..behind).unwrap_or_default(),
            at,
            value: bare.trim_end_matches([')', ']', '}']),
            is_quoted: at > behind,
        };
        let secret = (self.is_secret)(&hit).then(|| at..at + hit.value.len());
        Some(Step { end, begin, secret })
    }

    /// Returns the patterns, compiled when they are used first.
    fn compiled(&self, at: usize) -> Option<&'static Compiled> {
        static COMPILED: [OnceLock<Compiled>; RULES.len()] =
            [const { OnceLock::new() }; RULES.len()];
        #[expect(clippy::expect_used, reason = "the patterns are constants, and a test uses them")]
        let compile = |pattern: &str| Regex::new(pattern).expect("a good pattern");
        let lead = (!self.lead.is_empty()).then_some(self.lead);
        Some(COMPILED.get(at)?.get_or_init(|| Compiled {
            whole: compile(&format!("{}(?:{})", self.lead, self.value)),
            lead: lead.map(|lead| compile(&format!(r"\A{lead}"))),
        }))
    }
}

/// Returns a value without the quote before it, which may be escaped.
fn unquoted(value: &str) -> &str {
    let bare = value.trim_start_matches('\\');
    bare.strip_prefix(['"', '\'']).unwrap_or(value)
}

const fn sure(kind: &'static str, value: &'static str) -> Rule {
    after(kind, "", value)
}

const fn after(kind: &'static str, lead: &'static str, value: &'static str) -> Rule {
    perhaps(kind, (lead, value), |_| true)
}

const fn perhaps(
    kind: &'static str,
    (lead, value): (&'static str, &'static str),
    is_secret: fn(&Hit<'_>) -> bool,
) -> Rule {
    Rule { kind, lead, value, tail: 0, is_secret }
}

/// Every rule, in the order in which they mask.
pub(super) const RULES: &[Rule] = &[
    sure(
        "private_key",
        concat!(
            // What is no part of a key is never masked: a person must see what a shell would run.
            // So a body is long words of base64, and a short one before its end alone.
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----",
            r"(?:(?:\s|\\+[nr])*(?:(?:Proc-Type|DEK-Info|Version|Comment): [A-Za-z0-9 .,+-]{1,80}",
            r"|[A-Za-z0-9+/]{40,}={0,2}))*",
            r"(?:(?:(?:\s|\\+[nr])*[A-Za-z0-9+/]{1,76}={0,2})?(?:(?:\s|\\+[nr])*=[A-Za-z0-9+/]{4})?",
            r"(?:\s|\\+[nr])*-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)?",
        ),
    ),
    sure("private_key", r"AGE-SECRET-KEY-1[A-Z0-9]{30,}"),
    Rule {
        kind: "url_password",
        lead: r#"[A-Za-z][A-Za-z0-9+.-]{1,30}://[^ \t\r\n/?\#@:"'<>]*:"#,
        value: r#"[^ \t\r\n/"'<>]+@"#,
        tail: 1,
        is_secret: |hit| !hit.value.contains("${") && !is_run(hit.value),
    },
    sure("jwt", r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"),
    sure("agent_token", r"mct_[A-Za-z0-9_-]{16,}"),
    sure("api_key", r"(?-u:\b)sk-[A-Za-z0-9_-]{16,}"),
    sure("api_key", r"(?:[srp]k_(?:live|test)|whsec)_[A-Za-z0-9]{10,}"),
    sure("github_token", r"(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    sure("gitlab_token", r"glpat-[A-Za-z0-9_-]{16,}"),
    sure("slack_token", r"(?:xox[a-z]|xapp)-[A-Za-z0-9-]{8,}"),
    after("webhook", r"https://hooks\.slack\.com/services/", "[A-Za-z0-9/]{10,}"),
    after("webhook", r"https://discord(?:app)?\.com/api/webhooks/", "[A-Za-z0-9/_-]{10,}"),
    sure("aws_key", r"(?-u:\b)(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?-u:\b)"),
    sure("google_key", r"AIza[A-Za-z0-9_-]{30,}"),
    sure("google_token", r"(?-u:\b)ya29\.[A-Za-z0-9_-]{20,}"),
    sure("api_key", r"(?-u:\b)SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    sure(
        "api_key",
        r"(?-u:\b)(?:npm_|hf_|gsk_|dop_v1_|shpat_|pypi-|lin_api_|ntn_|xai-|r8_)[A-Za-z0-9_-]{24,}",
    ),
    sure("bot_token", r"(?-u:\b)[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}"),
    perhaps("authorization", AUTHORIZATION, |hit| !hit.value.contains('$') && !is_run(hit.value)),
    after("bearer", r"(?i-u:\bbearer\s+)", "[A-Za-z0-9._~+/=-]{12,}"),
    perhaps("assignment", ASSIGNMENT, is_assignment),
    perhaps("assignment", FLAG, is_assignment),
    perhaps("high_entropy", ("", "[A-Za-z0-9+/_=-]{32,}"), is_random),
];

/// A header, its scheme and what proves.
const AUTHORIZATION: (&str, &str) = (
    concat!(
        r#"(?i-u:authorization)\\*["']?[ \t]*[:=][ \t]*\\*["']?"#,
        r"(?i-u:(?:bearer|basic|token|digest|apikey)[ \t]+)?",
    ),
    r#"[^ \t\r\n"'\\,;]{6,}"#,
);

/// Name and separator, then a value: escaped, quoted or bare.
const ASSIGNMENT: (&str, &str) = (
    concat!(
        r"(?i-u:[a-z0-9_.-]*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key",
        r"|access[_-]?key|private[_-]?key|auth[_-]?key|credential)[a-z0-9_-]*)",
        r#"(?:\\*["'])?[ \t\r\n]*(?::=|=>|=|:)[ \t\r\n]*"#,
    ),
    concat!(
        r#"\\+["'][^"'\\]{3,}|"(?:[^"\\]|\\.){3,}|'[^']{3,}"#,
        r#"|(?:‹secret:[a-z_]+(?:#[0-9a-f]{8})?›|[^ \t\r\n"'\\&,;›])+"#,
    ),
);

/// A flag of a command line, then the word behind it.
const FLAG: (&str, &str) = (
    concat!(
        r"(?i-u:--[a-z0-9-]*(?:password|passwd|passphrase|secret|token|api-?key|credential)",
        r"[a-z0-9-]*)[ \t]+",
    ),
    concat!(
        r#""[^"]{3,}|'[^']{3,}"#,
        r#"|(?:‹secret:[a-z_]+(?:#[0-9a-f]{8})?›|[^ \t\r\n"'\\&,;›-])"#,
        r#"(?:‹secret:[a-z_]+(?:#[0-9a-f]{8})?›|[^ \t\r\n"'\\&,;›])*"#,
    ),
);

/// Whether a value stood in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    /// In quotes, or a text of JSON.
    Quoted,
    /// Behind an equals sign or a flag, bare.
    Bare,
    /// Behind a colon, bare: as likely prose or the type of a variable.
    Prose,
}

fn is_assignment(hit: &Hit<'_>) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let name = hit.lead.split(|c| !is_name(c)).next().unwrap_or_default();
    let between = hit.lead.trim_end();
    let quoting = match hit.is_quoted {
        true => Quoting::Quoted,
        false if between.ends_with(':') => Quoting::Prose,
        false => Quoting::Bare,
    };
    is_secret_value(name, hit.value, quoting)
}

/// Words that stand where a secret could but are none.
const HARMLESS: &[&str] = &[
    "true",
    "false",
    "null",
    "none",
    "nil",
    "yes",
    "undefined",
    "string",
    "str",
    "&str",
    "text",
    "bool",
    "boolean",
    "number",
    "int",
    "any",
    "bytes",
    "unknown",
    "required",
    "optional",
    "must",
    "the",
    "and",
    "not",
    "self",
    "this",
    "value",
    "example",
    "changeme",
    "redacted",
    "***",
    "await",
    "async",
    "new",
    "function",
    "typeof",
    "some",
    "default",
    "input",
    "field",
];

/// Objects of code whose fields hold a secret by name only: `process.env.TOKEN`.
const OBJECTS: &[&str] = &[
    "process", "os", "env", "config", "settings", "self", "this", "args", "opts", "options", "req",
    "request", "ctx", "state", "props", "params", "user", "data", "std",
];

/// Says whether a field of this name holds a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "a constant pattern, which a test compiles")]
        Regex::new(concat!(
            r"(?i-u:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key",
            r"|private[_-]?key|auth[_-]?key|credential|authorization)",
        ))
        .expect("a good pattern")
    });
    NAME.is_match(name)
}

/// Says whether `value` under `name` is a secret rather than a number of tokens, a type, a
/// variable or a piece of code. What a shell would run is never masked: a person must see it.
pub(super) fn is_secret_value(name: &str, value: &str, quoting: Quoting) -> bool {
    let value = value.trim();
    let name = name.to_ascii_lowercase();
    let is_number = value.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'_');
    if value.chars().count() < 3
        || HARMLESS.contains(&value.to_ascii_lowercase().as_str())
        || (is_number && !name.contains("pass") && !name.contains("pwd"))
        || value.contains(['`', '$', ';', '|', '&', '\n'])
        || is_command(value)
    {
        return false;
    }
    let is_path = |c: char| c.is_ascii_lowercase() || matches!(c, '_' | '.');
    let head = value.split('.').next().unwrap_or_default();
    let is_code = value.contains(['(', '{', '[', '<', '*'])
        || value.contains("::")
        || name.ends_with(&value.to_ascii_lowercase())
        || (head != value && OBJECTS.contains(&head))
        || (value.contains('.') && value.chars().all(is_path));
    match quoting {
        Quoting::Quoted => !name.ends_with("tokens"),
        Quoting::Bare => !is_code,
        Quoting::Prose if name.contains("pass") || name.contains("pwd") => !is_code,
        Quoting::Prose => {
            !is_code
                && (value.chars().count() >= 16
                    || (value.len() >= 6 && value.bytes().any(|b| b.is_ascii_digit())))
        }
    }
}

/// Says whether several words could be a command rather than a passphrase: they hold more than
/// letters and digits.
fn is_command(value: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == ' ';
    value.contains(char::is_whitespace) && !value.chars().all(is_word)
}

/// Says whether a shell would run a part of `value`: a person must see that.
fn is_run(value: &str) -> bool {
    value.contains(['`', ';', '|', '&', '(', '\n'])
}

/// Words that make a random text near them a secret.
const CONTEXT: &[&str] =
    &["key", "secret", "token", "password", "passwd", "auth", "credential", "cookie", "signature"];

/// Says whether a long word is random and stands near a word that speaks of secrets.
fn is_random(hit: &Hit<'_>) -> bool {
    let slashes = hit.value.bytes().filter(|b| *b == b'/').count();
    if slashes > 3 || !looks_random(hit.value) {
        return false;
    }
    let before = hit.text.get(..hit.at).unwrap_or_default();
    let mut near: Vec<char> = before.chars().rev().take(60).collect();
    near.reverse();
    // Our own placeholders speak of secrets too; they are no context, or masking would spread.
    let near: String = near.into_iter().collect::<String>().replace("secret:", "");
    let near = near.to_ascii_lowercase();
    CONTEXT.iter().any(|word| near.contains(word))
}

fn looks_random(word: &str) -> bool {
    let has = |test: fn(&u8) -> bool| word.as_bytes().iter().any(test);
    let is_uuid = word.len() == 36 && word.bytes().filter(|b| *b == b'-').count() == 4;
    let mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    let cased = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    !is_uuid && (mixed || cased) && entropy(word) > 3.2
}

/// Returns the entropy of the bytes of `word`, in bits a byte.
fn entropy(word: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in word.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(word.len()).unwrap_or(u32::MAX));
    let share = |count: u32| f64::from(count) / total;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| -share(*count) * share(*count).log2())
        .sum()
}
