//! When a schedule comes due. An expression names times of the wall clock, each of which comes once:
//! what clocks that are set forward skip comes at the first moment after the gap, and of an hour that
//! clocks which are set back bring twice, the first one counts.

use std::time::Duration;

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

use super::CatchUp;
use crate::{refusal::FieldError, time::Timestamp};

/// How late an occurrence may be and still be on time: longer than the daemon takes to look again.
pub const ON_TIME: Duration = Duration::from_mins(2);
/// How many occurrences are made up for at once, at most.
pub const AT_ONCE: usize = 100;
/// How many missed occurrences are counted; of more it is only said that there are more.
pub const COUNTED: usize = 10_000;

/// No zone's clock is set back by more than this.
const LONGEST_FOLD: Duration = Duration::from_hours(24);

/// A cron expression in a time zone, ready to be asked.
#[derive(Debug, Clone)]
pub struct Timetable {
    cron: Cron,
    zone: TimeZone,
}

/// What a rule makes of the occurrences since it was last looked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Those that are to be made, oldest first.
    pub make: Vec<Timestamp>,
    /// How many are not, by the rule.
    pub missed: usize,
    /// Whether there are more of those than were counted.
    pub is_more: bool,
}

impl Timetable {
    /// Reads an expression of five fields (or a name such as `@daily`) and an IANA zone.
    ///
    /// # Errors
    ///
    /// What is wrong with `cron` or `zone`, with what was expected.
    pub fn new(cron: &str, zone: &str) -> Result<Self, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let read = parse(cron).ok_or_else(|| {
            let text = format!("`{cron}` is no cron expression: {}", wrong_part(cron));
            wrong.push(FieldError::new("cron", text));
        });
        let found = TimeZone::get(zone).map_err(|_| {
            let text =
                format!("`{zone}` is no time zone; take an IANA name such as `Europe/Berlin`");
            wrong.push(FieldError::new("zone", text));
        });
        match (read, found) {
            (Ok(cron), Ok(zone)) => Ok(Self { cron, zone }),
            _ => Err(wrong),
        }
    }

    /// Returns the first occurrence after `after`; `None` when there is none for centuries.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let mut civil = self.civil(after)?;
        loop {
            civil = self.cron.find_next_occurrence(&civil, false).ok()?;
            let at = self.instant(civil)?;
            // Within an hour that comes again, the times of before it are over.
            if at > after {
                return Some(at);
            }
        }
    }

    /// Returns the next `count` occurrences after `after`, the first one first.
    pub fn next_few(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        let first = self.next(after);
        std::iter::successors(first, |at| self.next(*at)).take(count).collect()
    }

    /// Returns the newest occurrences after `after` up to `until`, newest first, at most `most`.
    pub fn between(&self, after: Timestamp, until: Timestamp, most: usize) -> Vec<Timestamp> {
        let mut found: Vec<Timestamp> = Vec::new();
        // The wall clock may have shown later times before `until`.
        let mut civil = self.civil(until.plus(LONGEST_FOLD));
        while let Some(from) = civil.filter(|_| found.len() < most) {
            civil = self.cron.find_previous_occurrence(&from, false).ok();
            match civil.and_then(|civil| self.instant(civil)) {
                Some(at) if at > until || found.last() == Some(&at) => {}
                Some(at) if at > after => found.push(at),
                Some(_) | None => break,
            }
        }
        found
    }

    /// Decides what is made of the occurrences after `after` up to `now`.
    pub fn due(&self, rule: CatchUp, (after, now): (Timestamp, Timestamp)) -> Due {
        let all = self.between(after, now, COUNTED + 1);
        let is_more = all.len() > COUNTED;
        let make: Vec<Timestamp> = match rule {
            CatchUp::Skip => {
                all.iter().take(1).copied().filter(|at| now.since(*at) <= ON_TIME).collect()
            }
            CatchUp::Once => all.iter().take(1).copied().collect(),
            CatchUp::All => all.iter().take(AT_ONCE).rev().copied().collect(),
        };
        let missed = all.len().min(COUNTED) - make.len();
        Due { make, missed, is_more }
    }

    fn civil(&self, at: Timestamp) -> Option<DateTime> {
        Some(self.zone.to_datetime(at.to_jiff()?))
    }

    /// Returns when the wall clock shows this time.
    fn instant(&self, civil: DateTime) -> Option<Timestamp> {
        let shown = self.zone.to_ambiguous_timestamp(civil);
        let earlier = shown.earlier().ok()?;
        let at = match shown.offset() {
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => earlier,
            AmbiguousOffset::Gap { .. } => self.zone.following(earlier).next()?.timestamp(),
        };
        Some(Timestamp(at.as_millisecond()))
    }
}

fn parse(cron: &str) -> Option<Cron> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed);
    parser.build().parse(cron).ok()
}

/// The fields of an expression, in order, each with what it may say.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day", "1 to 31, `L` for the last"),
    ("month", "1 to 12, or JAN to DEC"),
    ("weekday", "0 to 7, or SUN to SAT"),
];

/// Returns what is wrong with an expression that can't be read.
fn wrong_part(cron: &str) -> String {
    if cron.starts_with('@') {
        return "the names are @hourly, @daily, @weekly, @monthly and @yearly".to_owned();
    }
    let parts: Vec<&str> = cron.split_whitespace().collect();
    let alone = |at: usize, part: &str| {
        let field = |other| if other == at { part } else { "*" };
        parse(&[0, 1, 2, 3, 4].map(field).join(" ")).is_some()
    };
    let broken = parts.iter().zip(FIELDS).enumerate().find(|(at, (part, _))| !alone(*at, part));
    if let Some((_, (part, (name, range)))) = broken.filter(|_| parts.len() == FIELDS.len()) {
        return format!("`{part}` is no {name} ({range}; `*`, `1-5`, `1,2` and `*/2` work too)");
    }
    let (count, names) = (parts.len(), FIELDS.map(|(name, _)| name).join(" "));
    format!("it has {count} of five fields, {names}, such as `30 8 * * MON-FRI`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn table(cron: &str, zone: &str) -> Timetable {
        Timetable::new(cron, zone).unwrap()
    }

    fn texts(times: &[Timestamp]) -> Vec<String> {
        times.iter().map(|at| at.to_string().replace(":00.000Z", "Z")).collect()
    }

    #[test]
    fn an_expression_is_read_in_its_zone() {
        for (cron, zone, after, expected) in [
            ("30 8 * * MON-FRI", "Europe/Berlin", "2026-11-27T07:30:00Z", "2026-11-30T07:30Z"),
            ("30 8 * * *", "Europe/Berlin", "2026-11-27T07:29:59.999Z", "2026-11-27T07:30Z"),
            ("0 0 1 * *", "UTC", "2026-12-15T00:00:00Z", "2027-01-01T00:00Z"),
            ("@daily", "America/New_York", "2026-11-27T06:00:00Z", "2026-11-28T05:00Z"),
            ("0 12 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T12:00Z"),
            ("0 9 1 * MON", "UTC", "2026-12-01T09:00:00Z", "2026-12-07T09:00Z"),
            ("0 12 * * FRI#2", "UTC", "2026-11-25T00:00:00Z", "2026-12-11T12:00Z"),
        ] {
            let next = table(cron, zone).next(at(after)).unwrap();
            assert_eq!(texts(&[next]), [expected], "{cron} {zone}");
        }
    }

    #[test]
    fn a_time_that_does_not_exist_comes_once_after_the_gap() {
        // 2026-03-29 in Berlin: 02:00 is followed by 03:00, which is 01:00 UTC.
        for (cron, expected) in [
            ("30 2 * * *", &["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"][..]),
            ("0,30 2 * * *", &["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:00Z"]),
            ("30 2,3 29 3 *", &["2026-03-29T01:00Z", "2026-03-29T01:30Z", "2027-03-29T00:30Z"]),
            ("0 2-3 29 3 *", &["2026-03-29T01:00Z", "2027-03-29T00:00Z", "2027-03-29T01:00Z"]),
        ] {
            let times = table(cron, "Europe/Berlin").next_few(at("2026-03-28T01:00:00Z"), 3);
            assert_eq!(texts(&times), expected, "{cron}");
        }
    }

    #[test]
    fn a_time_that_comes_twice_counts_the_first_time() {
        // 2026-10-25 in Berlin: 03:00 (01:00 UTC) is followed by 02:00 again.
        let daily = table("30 2 * * *", "Europe/Berlin");
        let times = daily.next_few(at("2026-10-24T12:00:00Z"), 2);
        assert_eq!(texts(&times), ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]);
        let again = daily.next(at("2026-10-25T01:10:00Z")).unwrap();
        assert_eq!(texts(&[again]), ["2026-10-26T01:30Z"], "within the hour that comes again");
        let quarters = table("*/15 * * * *", "Europe/Berlin");
        let times = quarters.next_few(at("2026-10-25T00:30:00Z"), 2);
        assert_eq!(texts(&times), ["2026-10-25T00:45Z", "2026-10-25T02:00Z"]);
    }

    #[test]
    fn a_year_there_and_back_finds_the_same_times() {
        for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"] {
            for cron in ["*/20 * * * *", "30 2 * * *", "0 0 * * SUN", "15 1,2,3 * 3,4,10,11 *"] {
                let table = table(cron, zone);
                let (start, end) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
                let forth: Vec<Timestamp> =
                    std::iter::successors(table.next(start), |at| table.next(*at))
                        .take_while(|at| *at <= end)
                        .collect();
                let mut back = table.between(start, end, 100_000);
                back.reverse();
                assert_eq!(forth, back, "{cron} {zone}");
                assert!(forth.windows(2).all(|pair| pair[0] < pair[1]), "each once: {cron} {zone}");
            }
        }
    }

    #[test]
    fn what_was_missed_is_made_up_for_by_the_rule() {
        let daily = table("0 9 * * *", "UTC");
        let (off, on) = (at("2026-11-20T12:00:00Z"), at("2026-11-24T12:00:00Z"));
        for (rule, expected, missed) in [
            (CatchUp::Skip, &[][..], 4),
            (CatchUp::Once, &["2026-11-24T09:00Z"][..], 3),
            (
                CatchUp::All,
                &[
                    "2026-11-21T09:00Z",
                    "2026-11-22T09:00Z",
                    "2026-11-23T09:00Z",
                    "2026-11-24T09:00Z",
                ],
                0,
            ),
        ] {
            let due = daily.due(rule, (off, on));
            assert_eq!((texts(&due.make), due.missed), (owned(expected), missed), "{rule:?}");
            assert!(!due.is_more);
        }
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_comes_in_time_is_made_by_every_rule() {
        let daily = table("0 9 * * *", "UTC");
        let after = at("2026-11-20T08:59:58Z");
        for rule in [CatchUp::Skip, CatchUp::Once, CatchUp::All] {
            for now in ["2026-11-20T09:00:00Z", "2026-11-20T09:02:00Z"] {
                let due = daily.due(rule, (after, at(now)));
                assert_eq!((texts(&due.make), due.missed), (owned(&["2026-11-20T09:00Z"]), 0));
            }
            let early = daily.due(rule, (after, at("2026-11-20T08:59:59.999Z")));
            assert_eq!(early, Due::default());
        }
        let late = daily.due(CatchUp::Skip, (after, at("2026-11-20T09:02:01Z")));
        assert_eq!((late.make.len(), late.missed), (0, 1));
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_due() {
        let daily = table("0 9 * * *", "UTC");
        let (seen, now) = (at("2026-11-20T09:00:01Z"), at("2026-11-18T09:00:00Z"));
        assert_eq!(daily.due(CatchUp::All, (seen, now)), Due::default());
    }

    #[test]
    fn the_newest_hundred_are_made_up_for_and_the_rest_is_counted() {
        let minutely = table("* * * * *", "UTC");
        let now = at("2026-11-24T12:00:00Z");
        let due = minutely.due(CatchUp::All, (at("2026-11-24T08:00:00Z"), now));
        assert_eq!((due.make.len(), due.missed, due.is_more), (AT_ONCE, 140, false));
        assert_eq!(due.make.last(), Some(&now));
        let due = minutely.due(CatchUp::All, (at("2020-01-01T00:00:00Z"), now));
        assert_eq!((due.make.len(), due.missed, due.is_more), (AT_ONCE, COUNTED - AT_ONCE, true));
    }

    #[test]
    fn what_is_no_expression_or_zone_is_said_field_by_field() {
        let fields = |cron: &str, zone: &str| -> Vec<String> {
            let wrong = Timetable::new(cron, zone).map(drop).unwrap_err();
            wrong.into_iter().map(|one| one.field).collect()
        };
        for cron in
            ["", "* * * *", "61 * * * *", "0 0 9 * * *", "0 9 * * * 2027", "a b c d e", "@noon"]
        {
            assert_eq!(fields(cron, "UTC"), ["cron"], "{cron}");
        }
        assert_eq!(fields("0 9 * * *", "Europe/Atlantis"), ["zone"]);
        assert_eq!(fields("x", "y"), ["cron", "zone"]);
        assert_eq!(table("0 0 30 2 *", "UTC").next(at("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn an_expression_that_cannot_be_read_is_told_by_the_field_that_is_wrong() {
        for (cron, expected) in [
            ("99 8 * * *", "`99` is no minute (0 to 59; "),
            ("0 24 * * *", "`24` is no hour (0 to 23; "),
            ("0 8 32 * *", "`32` is no day (1 to 31, "),
            ("0 8 * 13 *", "`13` is no month (1 to 12, "),
            ("0 8 * * FUNDAY", "`FUNDAY` is no weekday (0 to 7, "),
            ("99 8 * *", "it has 4 of five fields, minute hour day month weekday, such as "),
            ("", "it has 0 of five fields, "),
            ("0 0 8 * * *", "it has 6 of five fields, "),
            ("@often", "the names are @hourly, "),
        ] {
            let wrong = Timetable::new(cron, "UTC").unwrap_err();
            let said = format!("`{cron}` is no cron expression: {expected}");
            assert!(wrong[0].message.starts_with(&said), "{:?}", wrong[0]);
        }
        for name in ["@hourly", "@daily", "@weekly", "@monthly", "@yearly"] {
            assert!(Timetable::new(name, "UTC").is_ok(), "{name}");
        }
    }
}
