//! A span of time as people write it: `90s`, `15m`, `24h`, `7d`, or whole seconds.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A span of whole seconds, at most ten years; in files a number with one of `s`, `m`, `h`, `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u64);

/// The units, the longest first, with what people write instead.
const UNITS: &[(&str, u64, &[&str])] = &[
    ("d", 86_400, &["d", "day", "days"]),
    ("h", 3600, &["h", "hr", "hrs", "hour", "hours"]),
    ("m", 60, &["m", "min", "mins", "minute", "minutes"]),
    ("s", 1, &["s", "sec", "secs", "second", "seconds"]),
];

/// Units that there are not, with their length: only to say what to write instead.
const STRANGE: &[(&str, u64)] = &[
    ("w", 7 * 86_400),
    ("wk", 7 * 86_400),
    ("week", 7 * 86_400),
    ("weeks", 7 * 86_400),
    ("month", 30 * 86_400),
    ("months", 30 * 86_400),
    ("y", 365 * 86_400),
    ("year", 365 * 86_400),
    ("years", 365 * 86_400),
];

/// The longest span, in seconds.
const LONGEST: u64 = 10 * 366 * 86_400;

/// Why a text is no span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// It is no number with a unit.
    #[error("`{text}` is no span of time: write a number with s, m, h or d, such as `90s`{hint}")]
    Unreadable {
        /// What was written.
        text: String,
        /// What was probably meant, as the end of the sentence.
        hint: String,
    },
    /// It is longer than ten years.
    #[error("`{0}` is longer than ten years")]
    TooLong(String),
}

impl Span {
    /// Returns a span of seconds.
    pub const fn seconds(count: u64) -> Self {
        Self(count)
    }

    /// Returns a span of minutes.
    pub const fn minutes(count: u64) -> Self {
        Self(count * 60)
    }

    /// Returns a span of hours.
    pub const fn hours(count: u64) -> Self {
        Self(count * 3600)
    }

    /// Returns the span in whole seconds.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Returns the same span as a `Duration`.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }

    fn checked(seconds: Option<u64>, text: &str) -> Result<Self, SpanError> {
        match seconds {
            Some(seconds) if seconds <= LONGEST => Ok(Self(seconds)),
            _ => Err(SpanError::TooLong(text.to_owned())),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits =
            |(_, length, _): &&(&str, u64, &[&str])| self.0 != 0 && self.0.is_multiple_of(*length);
        let (unit, length, _) = UNITS.iter().find(fits).unwrap_or(&("s", 1, &[]));
        write!(f, "{}{unit}", self.0 / length)
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        let length = UNITS.iter().find(|(name, ..)| *name == unit).map(|(_, length, _)| *length);
        match length.or_else(|| unit.is_empty().then_some(1)) {
            Some(length) if !digits.is_empty() => {
                let count = digits.parse::<u64>().ok();
                Self::checked(count.and_then(|count| count.checked_mul(length)), text)
            }
            _ => Err(SpanError::Unreadable { text: text.to_owned(), hint: hint(text) }),
        }
    }
}

/// Returns `, or here: ...` with the span that was probably meant; empty when nobody can tell.
fn hint(text: &str) -> String {
    meant(text).map_or_else(String::new, |span| format!("; did you mean `{span}`?"))
}

/// Reads what is no span as kindly as can be: `1h30m`, `1.5h`, `5 min`, `2 weeks`.
fn meant(text: &str) -> Option<Span> {
    let plain = text.trim().to_ascii_lowercase().replace(' ', "");
    let mut rest = plain.as_str();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let stop = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(stop);
        total = total.checked_add(seconds(number, length_of(unit)?)?)?;
        rest = tail;
    }
    (total > 0 && total <= LONGEST).then_some(Span(total))
}

fn length_of(unit: &str) -> Option<u64> {
    let known = UNITS.iter().find(|(.., words)| words.contains(&unit));
    let strange = || STRANGE.iter().find(|(word, _)| *word == unit).map(|(_, length)| *length);
    known.map(|(_, length, _)| *length).or_else(strange)
}

/// Multiplies a number with at most three decimals; `None` where no whole seconds come out.
fn seconds(number: &str, length: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if part.len() > 3 {
        return None;
    }
    let thousandths = format!("{part:0<3}").parse::<u64>().ok()?.checked_mul(length)?;
    let whole = whole.parse::<u64>().ok()?.checked_mul(length)?;
    thousandths.is_multiple_of(1000).then_some(whole.checked_add(thousandths / 1000)?)
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a span of time such as `90s`, `15m`, `24h`, `7d`, or whole seconds")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Span, E> {
                Span::checked(Some(count), &count.to_string()).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Span, E> {
                let below = || E::custom(format!("{count} is below zero: a span of time is not"));
                self.visit_u64(u64::try_from(count).map_err(|_| below())?)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A span of time: `90s`, `15m`, `24h`, `7d`, or whole seconds.",
            "oneOf": [
                {"type": "string", "pattern": "^[0-9]+[smhd]?$"},
                {"type": "integer", "minimum": 0},
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_and_writes_with_one_unit() {
        for (text, seconds, written) in [
            ("90s", 90, "90s"),
            ("15m", 900, "15m"),
            ("24h", 86_400, "1d"),
            ("7d", 604_800, "7d"),
            ("60", 60, "1m"),
            ("0s", 0, "0s"),
            ("0", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.as_secs(), span.to_string().as_str()), (seconds, written), "{text}");
            assert_eq!(written.parse::<Span>(), Ok(span));
        }
    }

    #[test]
    fn a_wrong_unit_is_refused_with_what_was_meant() {
        for (text, meant) in [
            ("5min", Some("`5m`")),
            ("5 minutes", Some("`5m`")),
            ("10S", Some("`10s`")),
            ("1h30m", Some("`90m`")),
            ("1.5h", Some("`90m`")),
            ("2w", Some("`14d`")),
            ("1 month", Some("`30d`")),
            ("500ms", None),
            ("h", None),
            ("", None),
            ("-5m", None),
            ("5µs", None),
            ("1.2345s", None),
            ("five minutes", None),
        ] {
            let text = text.parse::<Span>().unwrap_err().to_string();
            match meant {
                Some(meant) => assert!(text.ends_with(&format!("did you mean {meant}?")), "{text}"),
                None => assert!(!text.contains("did you mean"), "{text}"),
            }
        }
    }

    #[test]
    fn what_is_too_long_is_refused_and_never_wraps() {
        for text in ["4000d", "18446744073709551615d", "99999999999999999999999s"] {
            assert_eq!(text.parse::<Span>(), Err(SpanError::TooLong(text.to_owned())));
        }
    }

    #[test]
    fn json_and_toml_take_texts_and_whole_seconds() {
        let read = |text: &str| serde_json::from_str::<Span>(text).map_err(|e| e.to_string());
        assert_eq!(read("\"24h\""), Ok(Span::hours(24)));
        assert_eq!(read("90"), Ok(Span::seconds(90)));
        assert!(read("-1").unwrap_err().contains("below zero"));
        assert!(read("1.5").unwrap_err().contains("a span of time such as"));
        assert_eq!(serde_json::to_string(&Span::minutes(4)).unwrap(), "\"4m\"");
    }
}
