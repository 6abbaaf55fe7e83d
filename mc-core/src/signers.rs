//! The allowed signers file: whose SSH keys count as second factors, in OpenSSH's own format.
//!
//! One key a line: the operators' names, options, the key, a comment. What OpenSSH would read
//! wider than it looks (patterns, certificate authorities, times without a zone) is refused.

use std::fmt;

use crate::time::Timestamp;

/// The file's name in the configuration directory.
pub const FILE: &str = "allowed_signers";
/// The most bytes that the file may have.
pub const LONGEST: usize = 64 * 1024;
/// The shortest RSA key that counts, in bits.
pub const RSA_BITS: u32 = 2048;

/// The kinds of keys that sign; the last two are hardware keys.
pub const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// A key that may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The operators whose key it is.
    pub operators: Vec<String>,
    /// What it may sign for; empty means everything.
    pub namespaces: Vec<String>,
    /// From when on.
    pub valid_after: Option<Timestamp>,
    /// Until when.
    pub valid_before: Option<Timestamp>,
    /// The key: its kind and its Base64.
    pub key: String,
    /// What stands behind the key.
    pub comment: String,
    /// The line of the file, from 1.
    pub line: usize,
}

/// What is wrong with a line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

impl Signer {
    /// Returns a key of one operator for one namespace.
    pub fn new(operator: &str, namespace: &str, (key, comment): (String, String)) -> Self {
        Self {
            operators: vec![operator.to_owned()],
            namespaces: vec![namespace.to_owned()],
            valid_after: None,
            valid_before: None,
            key,
            comment,
            line: 0,
        }
    }

    /// Says whether it is this operator's, for this namespace, and good at `now`.
    pub fn signs(&self, operator: &str, namespace: &str, now: Timestamp) -> bool {
        self.operators.iter().any(|own| own == operator)
            && (self.namespaces.is_empty() || self.namespaces.iter().any(|own| own == namespace))
            && self.valid_after.is_none_or(|from| now >= from)
            && self.valid_before.is_none_or(|until| now < until)
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.operators.join(","))?;
        let time = |at: Timestamp| at.to_jiff().map(|at| at.strftime("%Y%m%d%H%M%SZ").to_string());
        let namespaces = (!self.namespaces.is_empty()).then(|| self.namespaces.join(","));
        let options = [
            ("namespaces", namespaces),
            ("valid-after", self.valid_after.and_then(time)),
            ("valid-before", self.valid_before.and_then(time)),
        ];
        let options = options
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| format!("{name}=\"{value}\"")));
        let options: Vec<String> = options.collect();
        if !options.is_empty() {
            write!(f, " {}", options.join(","))?;
        }
        write!(f, " {}", self.key)?;
        if self.comment.is_empty() { Ok(()) } else { write!(f, " {}", self.comment) }
    }
}

/// Reads the file.
///
/// # Errors
///
/// Everything that is wrong, a line each.
pub fn parse(text: &str) -> Result<Vec<Signer>, Vec<Wrong>> {
    if text.len() > LONGEST {
        let message = format!("the file is longer than {LONGEST} bytes");
        return Err(vec![Wrong { line: 0, message }]);
    }
    let (mut signers, mut wrong) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        match signer(content) {
            Ok(signer) => signers.push(Signer { line: at + 1, ..signer }),
            Err(message) => wrong.push(Wrong { line: at + 1, message }),
        }
    }
    if wrong.is_empty() { Ok(signers) } else { Err(wrong) }
}

fn signer(line: &str) -> Result<Signer, String> {
    let (names, rest) = word(line)?;
    let operators = list(names, "an operator's name")?;
    let (first, behind) = word(rest)?;
    let has_options = first.contains('=') || first.to_ascii_lowercase().contains("cert-authority");
    let (options, (kind, behind)) =
        if has_options { (first, word(behind)?) } else { ("", (first, behind)) };
    let mut signer = Signer::new("", "", (String::new(), String::new()));
    signer.operators = operators;
    signer.namespaces.clear();
    for option in split(options, ',')? {
        take_option(&mut signer, option)?;
    }
    if !KINDS.contains(&kind) {
        let known = KINDS.join(", ");
        return Err(format!("`{}` is no kind of key that signs here: {known}", shown(kind)));
    }
    let (base64, comment) = word(behind)?;
    if base64.is_empty() {
        return Err("the key itself is missing".to_owned());
    }
    signer.key = format!("{kind} {base64}");
    comment.trim().clone_into(&mut signer.comment);
    Ok(signer)
}

fn take_option(signer: &mut Signer, option: &str) -> Result<(), String> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    match name.to_ascii_lowercase().as_str() {
        "namespaces" => signer.namespaces = list(value, "a namespace")?,
        "valid-after" => signer.valid_after = Some(time(value)?),
        "valid-before" => signer.valid_before = Some(time(value)?),
        "cert-authority" => {
            let text = "`cert-authority` is not taken: name each operator's own key";
            return Err(text.to_owned());
        }
        _ => {
            return Err(format!(
                "unknown option `{}`: expected `namespaces`, `valid-after` or `valid-before`",
                shown(name)
            ));
        }
    }
    Ok(())
}

/// Splits the first word off; white space within double quotes belongs to it.
fn word(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim_start();
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return Ok(text.split_at(at)),
            _ => {}
        }
    }
    if quoted { Err("a quote is not closed".to_owned()) } else { Ok((text, "")) }
}

/// Splits at `separator` outside of double quotes.
fn split(text: &str, separator: char) -> Result<Vec<&str>, String> {
    let mut quoted = false;
    let parts = text.split(|c| {
        quoted ^= c == '"';
        c == separator && !quoted
    });
    let parts: Vec<&str> = parts.collect();
    match parts.as_slice() {
        [""] => Ok(Vec::new()),
        parts if parts.contains(&"") => Err("an option is empty".to_owned()),
        _ => Ok(parts),
    }
}

/// Reads names with commas between them; patterns would name more than they show.
fn list(text: &str, what: &str) -> Result<Vec<String>, String> {
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let one = |name: &str| {
        if name.is_empty() || name.contains(['*', '?', '!', '"']) {
            let name = shown(name);
            return Err(format!("`{name}`: expected {what}, written out: patterns are not taken"));
        }
        Ok(name.to_owned())
    };
    text.split(',').map(|name| one(name.trim())).collect()
}

/// Reads `YYYYMMDDZ`, `YYYYMMDDHHMMZ` or `YYYYMMDDHHMMSSZ`.
fn time(text: &str) -> Result<Timestamp, String> {
    let wrong = || {
        let text = shown(text);
        format!("`{text}`: expected a time in UTC, such as 20270131Z or 202701311800Z")
    };
    let digits = text.strip_suffix(['Z', 'z']).ok_or_else(wrong)?;
    let padded = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        14 => digits.to_owned(),
        _ => return Err(wrong()),
    };
    let at = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", &padded).map_err(|_| wrong())?;
    let at = at.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?;
    Ok(Timestamp(at.timestamp().as_millisecond()))
}

/// Returns a word of the file as a message shows it.
fn shown(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdlKqNzbn";

    fn read(line: &str) -> Signer {
        parse(line).unwrap_or_else(|wrong| panic!("{line}: {wrong:?}")).remove(0)
    }

    fn wrong(line: &str) -> String {
        parse(line).expect_err(line).remove(0).message
    }

    #[test]
    fn a_line_names_operators_namespaces_times_and_the_key() {
        let options = "namespaces=\"mc-approval@v1,git\",valid-after=\"20260101Z\",\
                       valid-before=202612312359Z";
        let signer = read(&format!("ana,ben {options} {KEY} ana's laptop"));
        assert_eq!(signer.operators, ["ana", "ben"]);
        assert_eq!(signer.namespaces, ["mc-approval@v1", "git"]);
        assert_eq!(signer.key, KEY);
        assert_eq!(signer.comment, "ana's laptop");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(signer.signs("ben", "git", at("2026-06-01T00:00:00Z")));
        assert!(!signer.signs("ben", "git", at("2025-12-31T23:59:59Z")));
        assert!(!signer.signs("ben", "git", at("2026-12-31T23:59:00Z")));
        assert!(!signer.signs("ben", "file", at("2026-06-01T00:00:00Z")));
        assert!(!signer.signs("carl", "git", at("2026-06-01T00:00:00Z")));
        assert_eq!(read(&signer.to_string()), signer, "what is written reads back");
    }

    #[test]
    fn without_options_a_key_signs_for_everything() {
        let signer = read(&format!("# ours\n\nana\t{KEY}"));
        assert_eq!((signer.namespaces.len(), signer.comment.as_str(), signer.line), (0, "", 3));
        assert!(signer.signs("ana", "anything", Timestamp(0)));
        assert_eq!(signer.to_string(), format!("ana {KEY}"));
    }

    #[test]
    fn what_would_read_wider_than_it_looks_is_refused() {
        let cases = [
            (format!("* {KEY}"), "patterns"),
            (format!("a?a {KEY}"), "patterns"),
            (format!("!ana,ben {KEY}"), "patterns"),
            (format!("ana namespaces=\"*\" {KEY}"), "patterns"),
            (format!("ana cert-authority {KEY}"), "`cert-authority` is not taken"),
            (format!("ana valid-after=20260101 {KEY}"), "UTC"),
            (format!("ana valid-before=\"20261301Z\" {KEY}"), "UTC"),
            (format!("ana colour=red {KEY}"), "unknown option"),
            (format!("ana no-touch {KEY}"), "no kind of key"),
            (format!("ana namespaces=\"x\",, {KEY}"), "empty"),
            (format!("ana namespaces=\"x {KEY}"), "quote"),
            ("ana ssh-dss AAAA".to_owned(), "no kind of key"),
            ("ana ssh-ed25519-cert-v01@openssh.com AAAA".to_owned(), "no kind of key"),
            ("ana ssh-ed25519".to_owned(), "missing"),
            ("ana".to_owned(), "no kind of key"),
        ];
        for (line, expected) in cases {
            let message = wrong(&line);
            assert!(message.contains(expected), "{line}: {message}");
        }
    }

    #[test]
    fn every_wrong_line_is_named() {
        let text = format!("ana {KEY}\nben\n{KEY}\n");
        let wrong = parse(&text).unwrap_err();
        assert_eq!(wrong.iter().map(|one| one.line).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(parse(&"#".repeat(LONGEST + 1)).unwrap_err()[0].line, 0);
        assert_eq!(parse(&"#".repeat(LONGEST)), Ok(Vec::new()));
    }
}
