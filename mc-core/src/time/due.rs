//! When something should be done: at a moment, or on a day, which ends where the squad is.

use std::{borrow::Cow, fmt, str::FromStr};

use jiff::{ToSpan as _, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Timestamp;

/// A moment, or a whole day; on the wire RFC 3339, or `2026-12-24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// At this moment.
    At(Timestamp),
    /// By the end of this day.
    On(Date),
}

/// A text that is neither a moment nor a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no day such as 2026-12-24, and no moment such as 2026-12-24T18:00:00Z")]
pub struct DueError(String);

impl Due {
    /// Returns the moment; that of a day is its last second in `zone`. `None` for a day that no clock
    /// reaches.
    pub fn at(self, zone: &TimeZone) -> Option<Timestamp> {
        let day = match self {
            Self::At(at) => return Some(at),
            Self::On(day) => day,
        };
        let next = day.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
        let last = next.checked_sub(1.second()).ok()?;
        Some(Timestamp(last.timestamp().as_millisecond()))
    }
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::On(day) => day.fmt(f),
        }
    }
}

impl FromStr for Due {
    type Err = DueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || DueError(text.to_owned());
        // A day and nothing else: what has a time of day but no zone is no moment.
        if text.len() == "2026-12-24".len() {
            return text.parse().map(Self::On).map_err(|_| wrong());
        }
        text.parse().map(Self::At).map_err(|_| wrong())
    }
}

impl Serialize for Due {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Due {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Due {
    fn schema_name() -> Cow<'static, str> {
        "Due".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A moment, or a day, which ends in the squad's zone.",
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "string", "format": "date"},
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_in_its_zone_and_a_moment_is_what_it_is() {
        for (text, zone, expected) in [
            ("2026-12-24", "Europe/Berlin", "2026-12-24T22:59:59.000Z"),
            ("2026-12-24", "America/New_York", "2026-12-25T04:59:59.000Z"),
            // Clocks are set back in the night after it, and forward within it.
            ("2026-10-24", "Europe/Berlin", "2026-10-24T21:59:59.000Z"),
            ("2026-03-29", "Europe/Berlin", "2026-03-29T21:59:59.000Z"),
            ("2026-12-24T18:00:00+01:00", "UTC", "2026-12-24T17:00:00.000Z"),
        ] {
            let zone = TimeZone::get(zone).unwrap();
            let at = text.parse::<Due>().unwrap().at(&zone).unwrap();
            assert_eq!(at.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_in_our_words_and_the_rest_comes_back_as_it_was() {
        for wrong in ["", "never", "2026-02-30", "2026-12-24T18:00", "24.12.2026", "2026-1-1"] {
            let error = wrong.parse::<Due>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{wrong}` is no day such as")), "{error}");
        }
        for text in ["2026-12-24", "2026-12-24T17:00:00.000Z"] {
            assert_eq!(text.parse::<Due>().unwrap().to_string(), text);
        }
        assert_eq!("9999-12-31".parse::<Due>().unwrap().at(&TimeZone::UTC), None);
    }
}
