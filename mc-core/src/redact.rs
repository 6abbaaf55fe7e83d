//! Masks secrets before anything is stored or shown, as `‹secret:KIND›`.
//!
//! Digests are taken before this, so what was judged stays provable. Masking twice is the same as
//! masking once. One pass of a regex set finds out whether there is anything to mask at all; a text
//! without secrets is not copied.

mod rules;

use std::{
    borrow::Cow,
    sync::{LazyLock, OnceLock},
};

use regex::{Captures, Regex, RegexSet};
use rules::{Hit, RULES, Rule};
use serde_json::{Map, Value};

/// Tells which rules match at all.
static SET: LazyLock<RegexSet> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the patterns are constants, and a test compiles them")]
    RegexSet::new(RULES.iter().map(|rule| rule.pattern)).expect("good patterns")
});

/// Each rule by itself, compiled when it first matches.
static ALONE: [OnceLock<Regex>; RULES.len()] = [const { OnceLock::new() }; RULES.len()];

/// Returns the rules that may have something to say about `text`, in order.
fn concerned(text: &str) -> impl Iterator<Item = (&'static Regex, &'static Rule)> {
    SET.matches(text).into_iter().filter_map(|at| {
        let rule = RULES.get(at)?;
        #[expect(clippy::expect_used, reason = "the set has compiled the same pattern")]
        let compile = || Regex::new(rule.pattern).expect("a good pattern");
        Some((ALONE.get(at)?.get_or_init(compile), rule))
    })
}

/// Returns where the secret of a match stands; `None` when it is none after all.
fn secret<'t>(
    rule: &Rule,
    text: &'t str,
    captures: &Captures<'t>,
) -> Option<std::ops::Range<usize>> {
    if captures.get(0).is_some_and(|whole| is_in_placeholder(text, whole.start())) {
        return None;
    }
    let found = captures.iter().skip(1).flatten().last().or_else(|| captures.get(0))?;
    let value = found.as_str().trim_end_matches([')', ']', '}']);
    let hit = Hit { text, at: found.start(), value, captures };
    let is_new = !is_placeholder(value) && (rule.is_secret)(&hit);
    is_new.then(|| found.start()..found.start() + value.len())
}

/// Says whether `text` is exactly one placeholder of ours.
fn is_placeholder(text: &str) -> bool {
    text.strip_prefix("‹secret:")
        .and_then(|rest| rest.strip_suffix('›'))
        .is_some_and(|kind| RULES.iter().any(|rule| rule.kind == kind))
}

/// Says whether the word at `at` is the first of a placeholder of ours.
fn is_in_placeholder(text: &str, at: usize) -> bool {
    let start = at.saturating_sub('‹'.len_utf8());
    let rest = text.get(start..).unwrap_or_default();
    rest.find('›')
        .is_some_and(|end| is_placeholder(rest.get(..end + '›'.len_utf8()).unwrap_or_default()))
}

/// Says whether a secret of a known kind stands in `text`.
pub fn has_secret(text: &str) -> bool {
    concerned(text).any(|(regex, rule)| {
        regex.captures_iter(text).any(|captures| secret(rule, text, &captures).is_some())
    })
}

/// Says whether a secret of a known kind stands anywhere in `value`.
pub fn value_has_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => has_secret(text),
        Value::Array(items) => items.iter().any(value_has_secret),
        Value::Object(map) => map.iter().any(|(key, value)| {
            has_secret(key) || is_named_secret(key, value) || value_has_secret(value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Says whether the name of a field makes its text a secret.
fn is_named_secret(key: &str, value: &Value) -> bool {
    let Value::String(text) = value else { return false };
    rules::is_secret_name(key)
        && !is_placeholder(text)
        && rules::is_secret_value(key, text, rules::Quoting::Quoted)
}

/// How often a text is gone through: what a mask lays bare is masked too.
const ROUNDS: usize = 8;

/// Returns `text` with every secret masked; borrowed when there is none.
pub fn text(text: &str) -> Cow<'_, str> {
    let mut masked = Cow::Borrowed(text);
    for _ in 0..ROUNDS {
        let Some(changed) = round(&masked) else { break };
        masked = Cow::Owned(changed);
    }
    masked
}

/// Goes through all rules once; `None` when nothing changed.
fn round(text: &str) -> Option<String> {
    let mut masked = None;
    for (regex, rule) in concerned(text) {
        let changed = mask(regex, rule, masked.as_deref().unwrap_or(text));
        masked = changed.or(masked);
    }
    masked
}

/// Returns `text` without the secrets of one rule; `None` when it has none.
fn mask(regex: &Regex, rule: &Rule, text: &str) -> Option<String> {
    let mut out = String::new();
    let mut end = 0;
    for captures in regex.captures_iter(text) {
        let Some(range) = secret(rule, text, &captures) else { continue };
        out.push_str(text.get(end..range.start).unwrap_or_default());
        out.push_str("‹secret:");
        out.push_str(rule.kind);
        out.push('›');
        end = range.end;
    }
    if end == 0 {
        return None;
    }
    out.push_str(text.get(end..).unwrap_or_default());
    Some(out)
}

/// Returns `value` with every secret masked, in keys and in texts; the shape stays.
pub fn value(json: &Value) -> Value {
    match json {
        Value::String(string) => Value::String(text(string).into_owned()),
        Value::Array(items) => Value::Array(items.iter().map(value).collect()),
        Value::Object(map) => Value::Object(map.iter().map(field).collect::<Map<_, _>>()),
        Value::Null | Value::Bool(_) | Value::Number(_) => json.clone(),
    }
}

fn field((key, json): (&String, &Value)) -> (String, Value) {
    let masked = if is_named_secret(key, json) {
        Value::String("‹secret:assignment›".to_owned())
    } else {
        value(json)
    };
    (text(key).into_owned(), masked)
}

/// Returns the beginning of `text` with secrets masked: at most `max_chars` characters, the last
/// of them `…` when something was cut.
///
/// Masking comes first, so that a cut never leaves the half of a secret that no rule knows.
pub fn preview(text: &str, max_chars: usize) -> String {
    let masked = self::text(text);
    if masked.chars().nth(max_chars).is_none() {
        return masked.into_owned();
    }
    let mut cut: String = masked.chars().take(max_chars.saturating_sub(1)).collect();
    if max_chars > 0 {
        cut.push('…');
    }
    cut
}
