//! Quiet hours: a part of each day in a zone, that may span midnight.

use std::{borrow::Cow, fmt, str::FromStr};

use jiff::{
    ToSpan as _,
    civil::{Date, Time},
    tz::TimeZone,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Timestamp;

/// A time of day to the minute, `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(Time);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = |part: &str| match part.len() {
            2 if part.bytes().all(|b| b.is_ascii_digit()) => part.parse().ok(),
            _ => None,
        };
        let read = || {
            let (hour, minute) = text.split_once(':')?;
            Time::new(digits(hour)?, digits(minute)?, 0, 0).ok()
        };
        let wrong = || format!("`{text}` is no time of day: write 00:00 to 23:59");
        read().map(Self).ok_or_else(wrong)
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for TimeOfDay {
    fn schema_name() -> Cow<'static, str> {
        "TimeOfDay".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A time of day, `00:00` to `23:59`.",
            "type": "string",
            "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$",
        })
    }
}

/// The part of each day in which nobody is disturbed without need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuietHours {
    /// When they begin.
    pub from: TimeOfDay,
    /// When they end; earlier than `from` is the next day.
    pub to: TimeOfDay,
    /// Their own zone; without one the squad's counts.
    pub zone: Option<TimeZone>,
}

impl QuietHours {
    /// Says whether `now` lies in the quiet hours.
    pub fn is_quiet(&self, now: Timestamp, squad_zone: &TimeZone) -> bool {
        self.until(now, squad_zone).is_some()
    }

    /// Returns when the quiet hours end in which `now` lies; `None` when it lies in none.
    ///
    /// Each day has one stretch, from one instant to another: an hour that the clocks repeat is
    /// quiet once, and a beginning that they leave out is the moment after the gap.
    pub fn until(&self, now: Timestamp, squad_zone: &TimeZone) -> Option<Timestamp> {
        let zone = self.zone.as_ref().unwrap_or(squad_zone);
        let today = now.to_jiff()?.to_zoned(zone.clone()).date();
        [today.yesterday().ok(), Some(today)].into_iter().flatten().find_map(|date| {
            let (from, to) = self.stretch(date, zone)?;
            (from <= now && now < to).then_some(to)
        })
    }

    /// Returns the stretch that begins on `date`.
    fn stretch(&self, date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let days = i64::from(self.to <= self.from);
        let end = date.checked_add(days.days()).ok()?;
        let at = |date: Date, time: TimeOfDay| {
            let at = zone.to_timestamp(date.to_datetime(time.0)).ok()?;
            Some(Timestamp(at.as_millisecond()))
        };
        Some((at(date, self.from)?, at(end, self.to)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: &str, to: &str, zone: Option<&str>) -> QuietHours {
        QuietHours {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            zone: zone.map(|name| TimeZone::get(name).unwrap()),
        }
    }

    fn until(hours: &QuietHours, now: &str) -> Option<String> {
        let end = hours.until(now.parse().unwrap(), &TimeZone::UTC);
        end.map(|end| end.to_string())
    }

    #[test]
    fn they_may_span_midnight_and_begin_inclusive_and_end_exclusive() {
        let night = hours("22:00", "07:00", None);
        for (now, end) in [
            ("2026-01-10T21:59:59Z", None),
            ("2026-01-10T22:00:00Z", Some("2026-01-11T07:00:00.000Z")),
            ("2026-01-11T00:00:00Z", Some("2026-01-11T07:00:00.000Z")),
            ("2026-01-11T06:59:59Z", Some("2026-01-11T07:00:00.000Z")),
            ("2026-01-11T07:00:00Z", None),
        ] {
            assert_eq!(until(&night, now).as_deref(), end, "{now}");
        }
        let noon = hours("12:00", "13:00", None);
        assert!(noon.is_quiet("2026-01-10T12:30:00Z".parse().unwrap(), &TimeZone::UTC));
        assert!(!noon.is_quiet("2026-01-10T13:00:00Z".parse().unwrap(), &TimeZone::UTC));
    }

    #[test]
    fn their_own_zone_goes_before_the_squads() {
        let berlin = hours("22:00", "07:00", Some("Europe/Berlin"));
        assert_eq!(until(&berlin, "2026-01-10T21:00:00Z").unwrap(), "2026-01-11T06:00:00.000Z");
        assert_eq!(until(&berlin, "2026-07-10T20:00:00Z").unwrap(), "2026-07-11T05:00:00.000Z");
        assert_eq!(until(&berlin, "2026-01-10T20:59:00Z"), None);
    }

    #[test]
    fn a_repeated_hour_is_quiet_once_and_a_missing_one_ends_after_the_gap() {
        // 2026-10-25: 03:00 becomes 02:00 at 01:00 UTC. 2026-03-29: 02:00 becomes 03:00.
        let night = hours("22:00", "02:30", Some("Europe/Berlin"));
        assert_eq!(until(&night, "2026-10-25T00:15:00Z").unwrap(), "2026-10-25T00:30:00.000Z");
        assert_eq!(until(&night, "2026-10-25T01:15:00Z"), None, "02:15 for the second time");
        assert_eq!(until(&night, "2026-03-29T00:59:00Z").unwrap(), "2026-03-29T01:30:00.000Z");
        assert_eq!(until(&night, "2026-03-29T01:30:00Z"), None);
    }

    #[test]
    fn a_time_of_day_has_four_digits() {
        for text in ["7:00", "24:00", "12:60", "12", "12:00:00", "noon", "+1:00", ""] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
        assert_eq!("07:05".parse::<TimeOfDay>().unwrap().to_string(), "07:05");
    }
}
