//! Masks secrets before anything is stored or shown, as `‹secret:KIND›`, or as
//! `‹secret:KIND#1a2b3c4d›` by a [`Masker`] with a key: the same secret then has the same tag, so
//! that two of its uses can be told to be of one secret without telling the secret.
//!
//! Digests are taken before this, so what was judged stays provable. Masking twice is the same as
//! masking once. A text is walked over once by each rule, and again as long as that changes
//! something, a few times at most: the time grows with the text's length and with nothing else.
//! A text without secrets is not copied.

mod rules;

use std::{borrow::Cow, collections::HashMap, iter, ops::Range, sync::Arc};

use rules::RULES;
use serde_json::{Map, Value};

use crate::canonical;

/// Returns where the secrets of one rule stand in `text`, first to last; none overlaps another.
fn secrets(rule: usize, text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    let next = move || {
        let step = RULES.get(rule)?.next(rule, text, from)?;
        from = step.end;
        Some(step)
    };
    iter::from_fn(next).filter_map(|step| {
        let secret = step.secret.filter(|_| !is_in_placeholder(text, step.begin))?;
        let is_new = !is_placeholder(text.get(secret.clone()).unwrap_or_default());
        is_new.then_some(secret)
    })
}

/// Says whether `text` is exactly one placeholder of ours.
fn is_placeholder(text: &str) -> bool {
    let inner = text.strip_prefix("‹secret:").and_then(|rest| rest.strip_suffix('›'));
    inner.is_some_and(|inner| {
        let (kind, tag) = inner.split_once('#').unwrap_or((inner, NO_TAG));
        let is_tag = tag.len() == NO_TAG.len() && tag.bytes().all(|b| b.is_ascii_hexdigit());
        is_tag && RULES.iter().any(|rule| rule.kind == kind)
    })
}

/// How long a placeholder is at most, in bytes.
const LONGEST: usize = 64;

/// As long as a tag is: enough to tell some thousand secrets apart, too little to find one.
const NO_TAG: &str = "00000000";

/// Says whether a mask of ours stands anywhere in `text`: something was taken out here.
pub fn is_masked(text: &str) -> bool {
    text.match_indices('‹').any(|(at, _)| is_in_placeholder(text, at + '‹'.len_utf8()))
}

/// Masks secrets, each with a tag that only this key gives.
#[derive(Clone, Default)]
pub struct Masker {
    key: Option<[u8; 32]>,
    /// What texts were masked to already.
    known: Option<Arc<HashMap<String, String>>>,
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masker").field("is_keyed", &self.key.is_some()).finish_non_exhaustive()
    }
}

/// Says whether the word at `at` is the first of a placeholder of ours.
fn is_in_placeholder(text: &str, at: usize) -> bool {
    let start = at.saturating_sub('‹'.len_utf8());
    let rest = text.get(start..text.floor_char_boundary(start + LONGEST)).unwrap_or_default();
    rest.find('›')
        .is_some_and(|end| is_placeholder(rest.get(..end + '›'.len_utf8()).unwrap_or_default()))
}

/// Says whether a secret of a known kind stands in `text`.
pub fn has_secret(text: &str) -> bool {
    (0..RULES.len()).any(|rule| secrets(rule, text).next().is_some())
}

/// Says whether masking `text` took out more than parts of words: a blank, the end of a line, or a
/// sign that a shell acts on. A person who is shown the rest does not see what would run.
pub fn hides_commands(text: &str, masked: &str) -> bool {
    let acts = |c: &char| c.is_whitespace() || ";|&`$(){}<>".contains(*c);
    let count = |text: &str| text.chars().filter(acts).count();
    text != masked && count(masked) != count(text)
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

impl Masker {
    /// Returns one whose tags only `key` gives.
    pub const fn keyed(key: [u8; 32]) -> Self {
        Self { key: Some(key), known: None }
    }

    /// Returns one that masks alike, and has masked every text in `json` already: it gives them back
    /// without looking at them again.
    #[must_use]
    pub fn knowing(&self, json: &Value) -> Self {
        let mut known = HashMap::new();
        self.learn(json, &mut known);
        Self { key: self.key, known: Some(Arc::new(known)) }
    }

    fn learn(&self, json: &Value, known: &mut HashMap<String, String>) {
        match json {
            Value::String(text) => {
                known.insert(text.clone(), self.text(text).into_owned());
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item, known)),
            Value::Object(map) => map.values().for_each(|item| self.learn(item, known)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Returns `text` with every secret masked; borrowed when there is none.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if let Some(masked) = self.known.as_ref().and_then(|known| known.get(text)) {
            return if masked == text { text.into() } else { masked.clone().into() };
        }
        let mut masked = Cow::Borrowed(text);
        for _ in 0..ROUNDS {
            let Some(changed) = self.round(&masked) else { return masked };
            masked = Cow::Owned(changed);
        }
        if !has_secret(&masked) {
            return masked;
        }
        // What has no end is no text that anybody needs to read.
        let mut whole = String::new();
        self.placeholder(&mut whole, "high_entropy", text);
        Cow::Owned(whole)
    }

    /// Goes through all rules once; `None` when nothing changed.
    fn round(&self, text: &str) -> Option<String> {
        let mut masked = None;
        for rule in 0..RULES.len() {
            let changed = self.mask(rule, masked.as_deref().unwrap_or(text));
            masked = changed.or(masked);
        }
        masked
    }

    /// Returns `text` without the secrets of one rule; `None` when it has none.
    fn mask(&self, rule: usize, text: &str) -> Option<String> {
        let kind = RULES.get(rule)?.kind;
        let mut out = String::new();
        let mut end = 0;
        for range in secrets(rule, text) {
            out.push_str(text.get(end..range.start).unwrap_or_default());
            self.placeholder(&mut out, kind, text.get(range.clone()).unwrap_or_default());
            end = range.end;
        }
        if end == 0 {
            return None;
        }
        out.push_str(text.get(end..).unwrap_or_default());
        Some(out)
    }

    /// Writes what stands in the place of `secret`.
    fn placeholder(&self, out: &mut String, kind: &str, secret: &str) {
        out.push_str("‹secret:");
        out.push_str(kind);
        if let Some(key) = &self.key {
            let hash = canonical::digest("mc-secret@v1", &(key, secret));
            out.push('#');
            out.push_str(hash.get(..NO_TAG.len()).unwrap_or(NO_TAG));
        }
        out.push('›');
    }

    /// Returns `value` with every secret masked, in keys and in texts; the shape stays.
    pub fn value(&self, json: &Value) -> Value {
        match json {
            Value::String(string) => Value::String(self.text(string).into_owned()),
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.value(item)).collect())
            }
            Value::Object(map) => {
                Value::Object(map.iter().map(|field| self.field(field)).collect::<Map<_, _>>())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => json.clone(),
        }
    }

    fn field(&self, (key, json): (&String, &Value)) -> (String, Value) {
        let masked = match json.as_str().filter(|_| is_named_secret(key, json)) {
            Some(secret) => {
                let mut mask = String::new();
                self.placeholder(&mut mask, "assignment", secret);
                Value::String(mask)
            }
            None => self.value(json),
        };
        (self.text(key).into_owned(), masked)
    }

    /// Returns the beginning of `text` with secrets masked: at most `max_chars` characters, the
    /// last of them `…` when something was cut.
    ///
    /// Masking comes first, so that a cut never leaves the half of a secret that no rule knows. No
    /// more of a long text is masked than is shown, and enough behind it that no secret is cut there.
    pub fn preview(&self, text: &str, max_chars: usize) -> String {
        let mut room = max_chars.saturating_add(2 * BEHIND);
        loop {
            let head = text.char_indices().nth(room).map_or(text.len(), |(end, _)| end);
            let masked = self.text(text.get(..head).unwrap_or(text));
            if head == text.len() || masked.chars().nth(max_chars + BEHIND).is_some() {
                return clip(&masked, max_chars);
            }
            // Masks are shorter than what they stand for.
            room = room.saturating_mul(8);
        }
    }
}

/// How many characters are masked behind what is shown of a text: more than any rule needs to see.
const BEHIND: usize = 1024;

/// Returns the beginning of a masked text: at most `max_chars` characters, the last of them `…` when
/// something was cut.
pub fn clip(masked: &str, max_chars: usize) -> String {
    if masked.chars().nth(max_chars).is_none() {
        return masked.to_owned();
    }
    let mut cut: String = masked.chars().take(max_chars.saturating_sub(1)).collect();
    if max_chars > 0 {
        cut.push('…');
    }
    cut
}

/// Masks without tags, for texts that are shown and not kept.
const PLAIN: Masker = Masker { key: None, known: None };

/// Returns `text` with every secret masked, without tags; borrowed when there is none.
pub fn text(text: &str) -> Cow<'_, str> {
    PLAIN.text(text)
}

/// Returns `json` with every secret masked, without tags.
pub fn value(json: &Value) -> Value {
    PLAIN.value(json)
}

/// Returns the beginning of `text` as [`Masker::preview`], without tags.
pub fn preview(text: &str, max_chars: usize) -> String {
    PLAIN.preview(text, max_chars)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of nothing but what rules look at: each piece, again and again.
    const DENSE: &[&str] = &[
        "token=abc1 ",
        "token=token=",
        "password: x ",
        "password=\"abc\" ",
        "token=\"a\\",
        "token='$",
        "ghp_0123456789abcdefghijABCDEFGHIJ ",
        "authorization: basic ",
        "bearer ",
        "eyJaaaaaaaa.",
        "ab://u:pw@ab://u:pw",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----          aaaaaaa ",
        "token=‹secret:",
        "token=‹secret:jwt›x",
        "--token --token ",
        "key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b ",
        "aA1bB2cC3dD4eE5fF6gG7hH8iI9jJ0kK",
        "key=‹",
    ];

    /// Goes through a text as masking does: no step goes back, so each rule looks at it once.
    fn walk(text: &str) {
        for (at, rule) in RULES.iter().enumerate() {
            let mut from = 0;
            while let Some(step) = rule.next(at, text, from) {
                assert!(from <= step.begin && step.begin < step.end, "{at} of {text:.60}");
                from = step.end;
            }
        }
    }

    #[test]
    fn a_text_is_walked_over_once_a_rule_and_few_times_however_dense_it_is() {
        for piece in DENSE {
            let mut text = piece.repeat(16 * 1024 / piece.len());
            let mut rounds = 0;
            loop {
                walk(&text);
                let Some(changed) = PLAIN.round(&text) else { break };
                text = changed;
                rounds += 1;
            }
            assert!(rounds <= 3, "{piece:?} takes {rounds} rounds");
        }
    }

    #[test]
    fn what_was_masked_before_is_not_looked_at_again() {
        let told = serde_json::json!({"a": ["token=abc1", {"b": "ls"}], "c": 5});
        let knowing = Masker::keyed([1; 32]).knowing(&told);
        assert_eq!(knowing.known.as_ref().unwrap().len(), 2);
        for text in ["token=abc1", "ls", "password=hunter2"] {
            assert_eq!(knowing.text(text), Masker::keyed([1; 32]).text(text));
        }
        let marked = Masker {
            known: Some(Arc::new([("a".to_owned(), "b".to_owned())].into())),
            ..Masker::default()
        };
        assert_eq!(marked.value(&serde_json::json!({"x": ["a"]})), serde_json::json!({"x": ["b"]}));
    }
}
