//! From the text of a query to its terms.

use super::{Filter, FilterError, Is, Key, Op, Sort, Subject, Term, Test, When};
use crate::time::Timestamp;

/// The longest query, in bytes.
const QUERY_BYTES: usize = 2048;

/// The words that a query about one kind of thing may use.
pub(super) struct Vocabulary {
    keys: &'static [Key],
    states: &'static [&'static str],
    flags: &'static [Is],
}

impl Vocabulary {
    pub(super) const fn of<S: Subject>() -> Self {
        Self { keys: S::KEYS, states: S::STATES, flags: S::FLAGS }
    }

    fn key_words(&self) -> Vec<&'static str> {
        Key::ALL.iter().filter(|(_, key)| self.has(*key)).map(|(word, _)| *word).collect()
    }

    fn has(&self, key: Key) -> bool {
        key == Key::Sort || self.keys.contains(&key)
    }
}

/// A piece of the query and where it stands.
#[derive(Debug, Clone)]
struct Piece {
    text: String,
    at: usize,
    len: usize,
}

impl Piece {
    fn wrong(&self, message: String, nearest: Option<&str>) -> FilterError {
        let message = match nearest {
            Some(word) => format!("{message}; did you mean `{word}`?"),
            None => message,
        };
        FilterError { at: self.at, len: self.len, message, nearest: nearest.map(str::to_owned) }
    }
}

/// A term as it is written.
struct Raw {
    negated: bool,
    key: Option<(Piece, Op)>,
    values: Vec<Piece>,
}

struct Reader<'q> {
    query: &'q str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.query.get(self.at..)?.chars().next()
    }

    fn skip(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// Reads a phrase in quotes; the opening one is next.
    fn quoted(&mut self) -> Result<Piece, FilterError> {
        let start = self.at;
        self.skip('"');
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(Piece { text, at: start, len: self.at - start }),
                '\\' => {
                    let next = self.peek().unwrap_or('\\');
                    self.skip(next);
                    text.push(next);
                }
                c => text.push(c),
            }
        }
        let piece = Piece { text, at: start, len: self.at - start };
        Err(piece.wrong("the quote is not closed: add a `\"`".into(), None))
    }

    fn word(&mut self, stops: &[char]) -> Piece {
        let start = self.at;
        while let Some(c) = self.peek().filter(|c| !c.is_whitespace() && !stops.contains(c)) {
            self.at += c.len_utf8();
        }
        let text = self.query.get(start..self.at).unwrap_or_default().to_owned();
        Piece { text, at: start, len: self.at - start }
    }

    fn op(&mut self) -> Option<Op> {
        let (plain, or_equal) = match self.peek()? {
            ':' | '=' => (Op::Is, None),
            '>' => (Op::More, Some(Op::AtLeast)),
            '<' => (Op::Less, Some(Op::AtMost)),
            _ => return None,
        };
        self.at += 1;
        Some(or_equal.filter(|_| self.skip('=')).unwrap_or(plain))
    }

    fn value(&mut self) -> Result<Piece, FilterError> {
        if self.peek() == Some('"') { self.quoted() } else { Ok(self.word(&[',', '"'])) }
    }

    fn term(&mut self) -> Result<Raw, FilterError> {
        let negated = self.peek() == Some('-') && {
            self.at += 1;
            true
        };
        if self.peek() == Some('"') {
            return Ok(Raw { negated, key: None, values: vec![self.quoted()?] });
        }
        let word = self.word(&[':', '=', '<', '>', '"']);
        let Some(op) = self.op().filter(|_| !word.text.is_empty()) else {
            if word.text.is_empty() && !negated {
                let sign = Piece { len: 1, ..word };
                return Err(sign.wrong("a key is missing before it, as in `cost>2`".into(), None));
            }
            // A dash by itself is a word like any other.
            let alone = word.text.is_empty();
            let text = if alone { "-".into() } else { word.text };
            let values = vec![Piece { text, ..word }];
            return Ok(Raw { negated: negated && !alone, key: None, values });
        };
        let mut values = vec![self.value()?];
        while self.skip(',') {
            values.push(self.value()?);
        }
        Ok(Raw { negated, key: Some((word, op)), values })
    }
}

/// Reads a query.
pub(super) fn filter(query: &str, vocabulary: &Vocabulary) -> Result<Filter, FilterError> {
    if query.len() > QUERY_BYTES {
        let message = format!("the query is {} bytes, the limit is {QUERY_BYTES}", query.len());
        return Err(FilterError { at: QUERY_BYTES, len: 0, message, nearest: None });
    }
    let mut filter = Filter::default();
    let mut reader = Reader { query, at: 0 };
    while let Some(c) = reader.peek() {
        if c.is_whitespace() {
            reader.at += c.len_utf8();
            continue;
        }
        let raw = reader.term()?;
        match raw.key {
            None => {
                let texts = raw.values.iter().map(|piece| piece.text.to_lowercase()).collect();
                filter.terms.push(Term { negated: raw.negated, test: Test::Text(texts) });
            }
            Some((word, op)) => {
                let key = key(&word, vocabulary)?;
                if key == Key::Sort {
                    filter.sort = sort(&raw.values, vocabulary)?;
                } else {
                    let test = test((key, &word), op, &raw.values, vocabulary)?;
                    filter.terms.push(Term { negated: raw.negated, test });
                }
            }
        }
    }
    Ok(filter)
}

fn key(word: &Piece, vocabulary: &Vocabulary) -> Result<Key, FilterError> {
    let known = Key::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(&word.text));
    match known {
        Some((_, key)) if vocabulary.has(*key) => Ok(*key),
        Some((name, _)) => {
            let words = vocabulary.key_words().join(" ");
            Err(word.wrong(format!("`{name}` says nothing here; the keys are {words}"), None))
        }
        None => {
            let words = vocabulary.key_words();
            let near = nearest(&word.text, &words);
            let message =
                format!("there is no key `{}`; the keys are {}", word.text, words.join(" "));
            Err(word.wrong(message, near))
        }
    }
}

fn sort(values: &[Piece], vocabulary: &Vocabulary) -> Result<Vec<Sort>, FilterError> {
    let one = |piece: &Piece| {
        let (descending, name) = match piece.text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, piece.text.as_str()),
        };
        let key = key(&Piece { text: name.to_owned(), ..piece.clone() }, vocabulary)?;
        if matches!(key, Key::Is | Key::Text | Key::Has | Key::Needs | Key::Sort) {
            return Err(piece.wrong(format!("nothing can be sorted by `{name}`"), None));
        }
        Ok(Sort { key, descending })
    };
    values.iter().map(one).collect()
}

/// Reads each value with `read`; `what` says what was expected.
fn each<T>(
    values: &[Piece],
    what: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, FilterError> {
    let one = |piece: &Piece| {
        let expected = || piece.wrong(format!("`{}` is not {what}", piece.text), None);
        read(&piece.text).ok_or_else(expected)
    };
    values.iter().map(one).collect()
}

/// Reads each value as one of some words.
fn one_of<T: Copy>(values: &[Piece], words: &[(&str, T)]) -> Result<Vec<T>, FilterError> {
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let one = |piece: &Piece| {
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&piece.text));
        let expected = || {
            let message = format!("`{}` is none of {}", piece.text, names.join(" "));
            piece.wrong(message, nearest(&piece.text, &names))
        };
        found.map(|(_, value)| *value).ok_or_else(expected)
    };
    values.iter().map(one).collect()
}

fn test(
    (key, word): (Key, &Piece),
    op: Op,
    values: &[Piece],
    vocabulary: &Vocabulary,
) -> Result<Test, FilterError> {
    let compares = matches!(key, Key::Prio | Key::Cost | Key::Budget | Key::Age | Key::Due);
    if op != Op::Is && !compares {
        let message = format!("`{}` can't be compared: use `:`", word.text);
        return Err(word.wrong(message, None));
    }
    let words = |names: &[&'static str]| -> Result<Test, FilterError> {
        let table: Vec<_> = names.iter().map(|name| (*name, *name)).collect();
        let found = one_of(values, &table)?.into_iter().map(str::to_owned).collect();
        Ok(Test::Word(key, found))
    };
    match key {
        Key::Is => {
            let has = |(_, is): &&(&str, Is)| vocabulary.flags.contains(is);
            let table: Vec<_> = Is::ALL.iter().filter(has).copied().collect();
            Ok(Test::Is(one_of(values, &table)?))
        }
        Key::Needs => Ok(Test::Is(one_of(values, &[("me", Is::Waiting)])?)),
        Key::State => words(vocabulary.states),
        Key::Risk => words(&["green", "yellow", "red"]),
        Key::Has => {
            let is_value =
                |key| !matches!(key, Key::Is | Key::Text | Key::Has | Key::Needs | Key::Sort);
            let has = |(_, key): &&(&str, Key)| vocabulary.has(*key) && is_value(*key);
            let table: Vec<_> = Key::ALL.iter().filter(has).copied().collect();
            Ok(Test::Has(one_of(values, &table)?))
        }
        Key::Prio => {
            let what = "a priority: 1 to 4, critical, high, normal or low";
            Ok(Test::Number(key, op, each(values, what, priority)?))
        }
        Key::Cost | Key::Budget => {
            Ok(Test::Number(key, op, each(values, "an amount like `2` or `0.50`", dollars)?))
        }
        Key::Age => {
            let ago = |text: &str| Some(When::FromNow(-span(text)?));
            // The greater the age, the earlier the point.
            Ok(Test::Time(key, flip(op), each(values, "a time like `30m`, `2h` or `3d`", ago)?))
        }
        Key::Due => Ok(Test::Time(key, op, each(values, POINT, |text| point(text, 1))?)),
        Key::Since => {
            Ok(Test::Time(key, Op::AtLeast, each(values, POINT, |text| point(text, -1))?))
        }
        Key::Until => Ok(Test::Time(key, Op::AtMost, each(values, POINT, |text| point(text, -1))?)),
        Key::Text => Ok(Test::Text(each(values, "a word", lower)?)),
        Key::Agent
        | Key::By
        | Key::Rule
        | Key::Type
        | Key::Project
        | Key::Tag
        | Key::Id
        | Key::Kind
        | Key::Tool
        | Key::Sort => Ok(Test::Word(key, each(values, "a word", lower)?)),
    }
}

const POINT: &str = "a time like `2h` or a date like `2026-03-01`";

const fn flip(op: Op) -> Op {
    match op {
        Op::Is => Op::Is,
        Op::More => Op::Less,
        Op::AtLeast => Op::AtMost,
        Op::Less => Op::More,
        Op::AtMost => Op::AtLeast,
    }
}

fn lower(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_lowercase())
}

fn priority(text: &str) -> Option<i64> {
    const NAMES: &[&str] = &["critical", "high", "normal", "low"];
    let number = text.strip_prefix(['p', 'P']).unwrap_or(text).parse().ok();
    let named = || NAMES.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|at| at + 1);
    number.filter(|n| (1..=4).contains(n)).or_else(|| i64::try_from(named()?).ok())
}

/// Reads dollars, to micro-dollars.
fn dollars(text: &str) -> Option<i64> {
    let text = text.strip_prefix('$').unwrap_or(text);
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if text.is_empty() || !is_digits(whole) || !is_digits(part) || part.len() > 6 || text == "." {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let micros: i64 = format!("{part:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(micros)
}

/// Reads a span of time, to milliseconds.
fn span(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let number: i64 = text.get(..text.len() - unit.len_utf8())?.parse().ok()?;
    let millis = match unit.to_ascii_lowercase() {
        's' => 1000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        'w' => 7 * 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).filter(|_| number >= 0)
}

/// Reads a span, in the direction of `sign`, or a date or point in UTC.
fn point(text: &str, sign: i64) -> Option<When> {
    if let Some(millis) = span(text) {
        return Some(When::FromNow(sign * millis));
    }
    let date = || format!("{text}T00:00:00Z").parse::<Timestamp>().ok();
    text.parse::<Timestamp>().ok().or_else(date).map(When::At)
}

/// Returns the word most like `text`, if any is like it at all.
fn nearest<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    let text: Vec<char> = text.to_lowercase().chars().take(24).collect();
    if text.is_empty() {
        return None;
    }
    let near = |word: &&&str| distance(&text, &word.chars().collect::<Vec<_>>());
    let best = words.iter().min_by_key(near)?;
    let head: String = text.iter().collect();
    let begun = words.iter().find(|word| word.starts_with(&head)).copied();
    (near(&best) <= 2.min(text.len() - 1)).then_some(*best).or(begun)
}

/// Returns how many letters must change to come from one word to the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for ((y, above), diagonal) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or(i);
            next.push((left + 1).min(above + 1).min(diagonal + usize::from(x != y)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
