//! The budget day: turns at midnight of the configured zone, and is never opened twice or early by
//! somebody who moves the clock.

/// The least time between two turns of the day. A day is 23 hours long when clocks are set
/// forward; what is much shorter is a clock that was moved.
const SHORTEST_MS: i64 = 20 * 3600 * 1000;

/// Where the budget day stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetDay {
    day: String,
    /// The day of the wall clock when it was last looked at.
    seen: String,
    /// When the day began, on the clock that never jumps.
    began_ms: i64,
}

impl BudgetDay {
    /// Returns the day at start: never one before `newest`, the newest that money was spent on.
    ///
    /// `today` is the wall clock's day, which began `old_ms` ago; `elapsed_ms` is of a clock that
    /// never jumps.
    pub fn begin(newest: &str, (today, old_ms): (String, i64), elapsed_ms: i64) -> Self {
        let day = if newest > today.as_str() { newest.to_owned() } else { today.clone() };
        Self { day, seen: today, began_ms: elapsed_ms.saturating_sub(old_ms) }
    }

    /// Returns the day that budgets count, `YYYY-MM-DD`.
    pub fn day(&self) -> &str {
        &self.day
    }

    /// Looks at the wall clock's day: turns at most once a day, and never back.
    ///
    /// Where the budget day is ahead because the clock once was, it goes on from where it is.
    pub fn look(&mut self, today: &str, elapsed_ms: i64) {
        if today == self.seen || elapsed_ms.saturating_sub(self.began_ms) < SHORTEST_MS {
            return;
        }
        today.clone_into(&mut self.seen);
        self.began_ms = elapsed_ms;
        self.day = if today > self.day.as_str() { today.to_owned() } else { next(&self.day) };
    }
}

fn next(day: &str) -> String {
    let date = day.parse::<jiff::civil::Date>().and_then(jiff::civil::Date::tomorrow);
    date.map_or_else(|_| day.to_owned(), |date| date.to_string())
}

/// Returns the month of a day, `YYYY-MM`.
pub fn month_of(day: &str) -> &str {
    day.get(..7).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(text: &str, zone: &str) -> (String, i64, i64) {
        let at: jiff::Timestamp = text.parse().unwrap();
        let local = at.to_zoned(jiff::tz::TimeZone::get(zone).unwrap());
        let began = local.start_of_day().unwrap().timestamp();
        let old = at.as_millisecond() - began.as_millisecond();
        (local.date().to_string(), old, at.as_millisecond())
    }

    #[test]
    fn it_turns_at_local_midnight_also_when_the_day_is_23_or_25_hours_long() {
        for (start, minutes_after, before, after) in [
            ("2026-03-28T23:00:00Z", 23 * 60, "2026-03-29", "2026-03-30"),
            ("2026-10-24T22:00:00Z", 25 * 60, "2026-10-25", "2026-10-26"),
            ("2026-07-01T22:00:00Z", 24 * 60, "2026-07-02", "2026-07-03"),
        ] {
            let (today, old, elapsed) = at(start, "Europe/Berlin");
            let mut day = BudgetDay::begin("", (today, old), elapsed);
            assert_eq!(day.day(), before);
            for minute in 0..minutes_after {
                let now = elapsed + minute * 60_000;
                let wall = jiff::Timestamp::from_millisecond(now).unwrap().to_string();
                day.look(&at(&wall, "Europe/Berlin").0, now);
                assert_eq!(day.day(), before, "{start} + {minute} min");
            }
            let now = elapsed + minutes_after * 60_000;
            let wall = jiff::Timestamp::from_millisecond(now).unwrap().to_string();
            day.look(&at(&wall, "Europe/Berlin").0, now);
            assert_eq!(day.day(), after, "{start}");
        }
    }

    #[test]
    fn a_clock_that_is_moved_opens_no_day_twice_and_none_early() {
        let mut day = BudgetDay::begin("", ("2026-11-25".into(), 12 * HOUR), 0);
        day.look("2026-11-24", HOUR);
        assert_eq!(day.day(), "2026-11-25", "back");
        day.look("2026-11-27", HOUR);
        assert_eq!(day.day(), "2026-11-25", "forward, 13 hours into the day");
        day.look("2026-11-26", 12 * HOUR);
        assert_eq!(day.day(), "2026-11-26", "its own midnight");
        day.look("2026-11-25", 13 * HOUR);
        day.look("2026-11-26", 14 * HOUR);
        assert_eq!(day.day(), "2026-11-26", "back and forth over midnight");
    }

    #[test]
    fn a_day_that_ran_ahead_goes_on_from_where_it_is() {
        let mut day = BudgetDay::begin("2027-01-01", ("2026-11-25".into(), 0), 0);
        assert_eq!(day.day(), "2027-01-01", "a restart with an older clock");
        day.look("2026-11-26", 24 * HOUR);
        assert_eq!(day.day(), "2027-01-02", "the cap is a cap of a day still");
    }
}
