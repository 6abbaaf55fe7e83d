//! The budget day: turns at midnight of the configured zone, and is never opened twice or early by
//! somebody who moves the clock, also not with a restart in between.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The least time between two turns of the day. A day is 23 hours long when clocks are set
/// forward; what is much shorter is a clock that was moved.
const SHORTEST_MS: i64 = 20 * 3600 * 1000;

/// Where the budget day stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetDay {
    /// The day that budgets count, `YYYY-MM-DD`.
    day: String,
    /// The day of the wall clock when it turned.
    seen: String,
    /// When it turned, in milliseconds of the clock that never jumps.
    began_ms: i64,
    /// Which boot of the machine that clock belongs to; empty where nobody can tell.
    boot: String,
}

/// What the clocks say when the daemon starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks<'a> {
    /// The wall clock's day in the configured zone.
    pub today: &'a str,
    /// How long ago that day began, in milliseconds.
    pub old_ms: i64,
    /// The clock that never jumps, in milliseconds.
    pub elapsed_ms: i64,
    /// Which boot of the machine it belongs to; empty where nobody can tell.
    pub boot: &'a str,
}

impl BudgetDay {
    /// Returns the day at start: never one before `newest`, the newest that money was spent on.
    ///
    /// A restart goes on from the day that was `kept`: the clock that never jumps says how old it
    /// is. After a boot of the machine that clock began anew, and the wall clock alone says what
    /// day it is; it is believed unless it is behind.
    pub fn begin(kept: Option<Self>, newest: &str, clocks: Clocks<'_>) -> Self {
        let Clocks { today, old_ms, elapsed_ms, boot } = clocks;
        if let Some(mut kept) = kept.clone()
            && !boot.is_empty()
            && kept.boot == boot
            && kept.began_ms <= elapsed_ms
        {
            kept.look((today, old_ms), elapsed_ms);
            if kept.day.as_str() < newest {
                // Its last turn has not come into the record: it was a moment ago.
                let (day, seen) = (newest.to_owned(), today.to_owned());
                return Self { day, seen, began_ms: elapsed_ms, boot: kept.boot };
            }
            return kept;
        }
        let kept = kept.map(|kept| kept.day).unwrap_or_default();
        let day = kept.as_str().max(newest).max(today).to_owned();
        let began_ms = elapsed_ms.saturating_sub(old_ms);
        Self { day, seen: today.to_owned(), began_ms, boot: boot.to_owned() }
    }

    /// Returns the day that budgets count, `YYYY-MM-DD`.
    pub fn day(&self) -> &str {
        &self.day
    }

    /// Looks at the wall clock's day, which began `old_ms` ago: turns at most once a day, and never
    /// back.
    ///
    /// Where the budget day is ahead because the clock once was, it goes on from where it is.
    pub fn look(&mut self, (today, old_ms): (&str, i64), elapsed_ms: i64) {
        let earliest = self.began_ms.saturating_add(SHORTEST_MS);
        if today == self.seen || elapsed_ms < earliest {
            return;
        }
        today.clone_into(&mut self.seen);
        // Who slept over midnight does not begin the day later by that.
        self.began_ms = elapsed_ms.saturating_sub(old_ms.max(0)).max(earliest);
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
    const MINUTE: i64 = 60_000;

    /// A machine with two clocks, and a daemon on it that may be started anew at any time.
    struct Machine {
        zone: jiff::tz::TimeZone,
        wall_ms: i64,
        elapsed_ms: i64,
        boot: String,
        day: BudgetDay,
    }

    impl Machine {
        fn at(wall: &str, zone: &str) -> Self {
            let wall: jiff::Timestamp = wall.parse().unwrap();
            let zone = jiff::tz::TimeZone::get(zone).unwrap();
            let clocks = Clocks { today: "", old_ms: 0, elapsed_ms: 0, boot: "" };
            let day = BudgetDay::begin(None, "", clocks);
            let (wall_ms, elapsed_ms) = (wall.as_millisecond(), 100 * HOUR);
            let mut machine = Self { zone, wall_ms, elapsed_ms, boot: "one".into(), day };
            machine.day = machine.begun(None);
            machine
        }

        fn local(&self) -> jiff::Zoned {
            let at = jiff::Timestamp::from_millisecond(self.wall_ms).unwrap();
            at.to_zoned(self.zone.clone())
        }

        fn today(&self) -> (String, i64) {
            let began = self.local().start_of_day().unwrap().timestamp().as_millisecond();
            (self.local().date().to_string(), self.wall_ms - began)
        }

        fn begun(&self, kept: Option<BudgetDay>) -> BudgetDay {
            let (today, old_ms) = self.today();
            let (elapsed_ms, boot) = (self.elapsed_ms, &self.boot);
            BudgetDay::begin(kept, "", Clocks { today: &today, old_ms, elapsed_ms, boot })
        }

        fn look(&mut self) -> &str {
            let (today, old_ms) = self.today();
            self.day.look((&today, old_ms), self.elapsed_ms);
            self.day.day()
        }

        /// Lets time pass, looked at each minute.
        fn pass(&mut self, minutes: i64) -> &str {
            for _ in 0..minutes {
                self.wall_ms += MINUTE;
                self.elapsed_ms += MINUTE;
                self.look();
            }
            self.day.day()
        }

        fn set_clock(&mut self, by_ms: i64) -> &str {
            self.wall_ms += by_ms;
            self.look()
        }

        /// Starts the daemon anew; what was kept went through the journal.
        fn restart(&mut self) -> &str {
            let kept = serde_json::to_string(&self.day).unwrap();
            self.day = self.begun(serde_json::from_str(&kept).unwrap());
            self.day.day()
        }

        /// Boots the machine anew after some time; its elapsed time begins at zero again.
        fn reboot(&mut self, after_ms: i64) -> &str {
            self.wall_ms += after_ms;
            self.elapsed_ms = MINUTE;
            self.boot.push('+');
            self.restart()
        }
    }

    #[test]
    fn it_turns_at_local_midnight_however_long_the_day_is_and_whatever_restarts() {
        for (zone, start, minutes, days) in [
            ("Europe/Berlin", "2026-03-28T23:00:00Z", 23 * 60, ["2026-03-29", "2026-03-30"]),
            ("Europe/Berlin", "2026-10-24T22:00:00Z", 25 * 60, ["2026-10-25", "2026-10-26"]),
            ("Europe/Berlin", "2026-07-01T22:00:00Z", 24 * 60, ["2026-07-02", "2026-07-03"]),
            // These change at midnight itself: the day begins at one, or its last hour comes twice.
            ("America/Havana", "2026-03-08T05:00:00Z", 23 * 60, ["2026-03-08", "2026-03-09"]),
            ("America/Havana", "2026-11-01T04:00:00Z", 25 * 60, ["2026-11-01", "2026-11-02"]),
            ("Africa/Cairo", "2026-04-23T22:00:00Z", 23 * 60, ["2026-04-24", "2026-04-25"]),
            ("Africa/Cairo", "2026-10-28T21:00:00Z", 25 * 60, ["2026-10-29", "2026-10-30"]),
            // This one by half an hour.
            (
                "Australia/Lord_Howe",
                "2026-10-03T13:30:00Z",
                23 * 60 + 30,
                ["2026-10-04", "2026-10-05"],
            ),
            (
                "Australia/Lord_Howe",
                "2026-04-04T13:00:00Z",
                24 * 60 + 30,
                ["2026-04-05", "2026-04-06"],
            ),
        ] {
            for restarts_every in [i64::MAX, 7, 60] {
                turns(Machine::at(start, zone), restarts_every, minutes, days);
            }
        }
    }

    fn turns(mut machine: Machine, restarts_every: i64, minutes: i64, days: [&str; 2]) {
        let midnight = machine.local();
        assert_eq!(midnight.start_of_day().unwrap(), midnight, "it begins at its midnight");
        for minute in 0..minutes {
            assert_eq!(machine.day.day(), days[0], "{midnight} + {minute} min");
            if minute % restarts_every == 3 {
                assert_eq!(machine.restart(), days[0], "{midnight} + {minute} min");
            }
            machine.pass(1);
        }
        assert_eq!(machine.day.day(), days[1], "{midnight}");
        assert_eq!(machine.restart(), days[1], "{midnight}");
    }

    #[test]
    fn a_clock_that_is_moved_opens_no_day_twice_and_none_early() {
        for restarts in [false, true] {
            let mut machine = Machine::at("2026-11-25T12:00:00Z", "UTC");
            let mut moved = |hours: i64, minutes: i64| {
                machine.set_clock(hours * HOUR);
                if restarts {
                    machine.restart();
                }
                machine.pass(minutes).to_owned()
            };
            assert_eq!(moved(-24, 60), "2026-11-25", "back by a day");
            assert_eq!(moved(72, 60), "2026-11-25", "forward, 14 hours into the day");
            assert_eq!(moved(-48, 599), "2026-11-25", "right again, a minute before midnight");
            assert_eq!(moved(0, 1), "2026-11-26", "its own midnight");
            assert_eq!(moved(-1, 60), "2026-11-26", "back over midnight and there again");
            assert_eq!(moved(30, 60), "2026-11-26", "forward over the next");
        }
    }

    #[test]
    fn a_day_that_is_old_enough_turns_by_the_clock_that_was_set_and_only_once() {
        let mut machine = Machine::at("2026-11-25T00:00:00Z", "UTC");
        machine.pass(5);
        machine.set_clock(24 * HOUR);
        machine.restart();
        assert_eq!(machine.pass(20 * 60 - 6), "2026-11-25");
        assert_eq!(machine.pass(1), "2026-11-26", "20 hours are a day, however the clock stands");
        machine.set_clock(24 * HOUR);
        machine.restart();
        assert_eq!(machine.pass(20 * 60 - 1), "2026-11-26");
    }

    #[test]
    fn a_daemon_that_was_away_opens_the_day_that_it_is() {
        let mut machine = Machine::at("2026-11-25T12:00:00Z", "UTC");
        machine.wall_ms += 71 * HOUR;
        machine.elapsed_ms += 71 * HOUR;
        assert_eq!(machine.restart(), "2026-11-28");
        assert_eq!(machine.pass(13 * 60 - 1), "2026-11-28");
        assert_eq!(machine.pass(1), "2026-11-29", "its own midnight");
    }

    #[test]
    fn after_a_boot_the_wall_clock_is_believed_unless_it_is_behind() {
        let mut machine = Machine::at("2026-11-25T12:00:00Z", "UTC");
        assert_eq!(machine.reboot(48 * HOUR), "2026-11-27", "it was off over the weekend");
        assert_eq!(machine.reboot(-48 * HOUR), "2026-11-27", "a clock that is behind opens none");
        assert_eq!(machine.pass(12 * 60), "2026-11-28", "the cap is a cap of a day still");
        assert_eq!(machine.restart(), "2026-11-28");
        assert_eq!(machine.pass(24 * 60), "2026-11-29", "and goes on from where it is");
    }

    #[test]
    fn without_a_day_that_was_kept_the_newest_that_was_spent_on_counts() {
        let clocks = |today| Clocks { today, old_ms: 0, elapsed_ms: 0, boot: "one" };
        let mut day = BudgetDay::begin(None, "2027-01-01", clocks("2026-11-25"));
        assert_eq!(day.day(), "2027-01-01", "a restart with an older clock");
        day.look(("2026-11-26", 0), 24 * HOUR);
        assert_eq!(day.day(), "2027-01-02");
        let day = BudgetDay::begin(Some(day), "2027-02-01", clocks("2026-11-26"));
        assert_eq!(day.day(), "2027-02-01", "no day before one that was spent on");
    }

    #[test]
    fn where_nobody_can_tell_the_boot_the_wall_clock_counts() {
        let clocks = |today| Clocks { today, old_ms: 0, elapsed_ms: 0, boot: "" };
        let day = BudgetDay::begin(None, "", clocks("2026-11-25"));
        assert_eq!(
            BudgetDay::begin(Some(day.clone()), "", clocks("2026-11-26")).day(),
            "2026-11-26"
        );
        assert_eq!(BudgetDay::begin(Some(day), "", clocks("2026-11-24")).day(), "2026-11-25");
    }
}
