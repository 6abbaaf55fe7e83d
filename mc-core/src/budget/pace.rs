//! The breaker: who spends much faster than usual is stopped before a cap is reached.

use serde::{Deserialize, Serialize};

use crate::{money::MicroUsd, time::Timestamp};

/// How many windows with spend must be known before their mean says anything.
const KNOWN: i64 = 3;
/// How long a window is, in milliseconds: five minutes.
const WINDOW_MS: i64 = 300_000;
/// After how many windows the older half counts for less: what is usual may change.
const REMEMBERED: i64 = 200;

/// When the breaker trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// How many times its own mean; 0 is off.
    pub times: i64,
    /// What must be spent in a window at least.
    pub floor: MicroUsd,
}

/// How fast a run or an agent spends: in this window, and usually.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pace {
    /// Which window is filled, counted since 1970.
    pub window: i64,
    /// What was spent in it.
    pub now: MicroUsd,
    /// What was spent in the windows before.
    pub before: MicroUsd,
    /// How many of those had spend.
    pub windows: i64,
}

impl Pace {
    /// Takes in what was spent at `at`.
    pub fn spend(&mut self, amount: MicroUsd, at: Timestamp) {
        let window = at.0.div_euclid(WINDOW_MS);
        // What comes late counts in the newest window.
        if window > self.window {
            self.close();
            self.window = window;
        }
        self.now = self.now + amount;
    }

    /// Returns when it last spent something, at the latest; the beginning of time when it never did.
    pub const fn last(&self) -> Timestamp {
        if self.window == 0 { Timestamp(0) } else { Timestamp((self.window + 1) * WINDOW_MS - 1) }
    }

    /// Counts the filled window among the usual ones.
    fn close(&mut self) {
        if self.now > MicroUsd::ZERO {
            self.before = self.before + self.now;
            self.windows += 1;
        }
        self.now = MicroUsd::ZERO;
        if self.windows >= REMEMBERED {
            self.before = MicroUsd(self.before.0 / 2);
            self.windows /= 2;
        }
    }

    /// Forgets the filled window: it was no usual one, and must not trip twice.
    pub const fn reset(&mut self) {
        self.now = MicroUsd::ZERO;
    }

    /// Returns the mean of a window, when it is known.
    pub fn mean(&self) -> Option<MicroUsd> {
        (self.windows >= KNOWN).then(|| MicroUsd(self.before.0 / self.windows))
    }

    /// Says whether it spends so fast that it has to be stopped.
    pub fn trips(&self, breaker: Breaker) -> bool {
        let Some(mean) = self.mean().filter(|_| breaker.times > 0) else { return false };
        self.now >= breaker.floor && self.now.0 > mean.0.saturating_mul(breaker.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKER: Breaker = Breaker { times: 10, floor: MicroUsd(500) };

    fn after(spends: &[(i64, i64)]) -> Pace {
        let mut pace = Pace::default();
        for (at, amount) in spends {
            pace.spend(MicroUsd(*amount), Timestamp(*at * WINDOW_MS / 1000));
        }
        pace
    }

    #[test]
    fn it_trips_above_the_mean_and_the_floor_and_only_with_a_mean() {
        let usual = [(1000, 100), (2000, 100), (9000, 100)];
        let with = |now| {
            let mut all = usual.to_vec();
            all.push((20_000, now));
            after(&all)
        };
        assert!(!with(1000).trips(BREAKER), "ten times is not more than ten times");
        assert!(with(1001).trips(BREAKER));
        assert!(!after(&[(1000, 9), (2000, 9), (3000, 9), (4000, 499)]).trips(BREAKER), "floor");
        assert!(after(&[(1000, 9), (2000, 9), (3000, 9), (4000, 500)]).trips(BREAKER));
        assert!(!after(&[(1000, 9), (2000, 5_000_000)]).trips(BREAKER), "nothing is usual yet");
        assert!(!with(1001).trips(Breaker { times: 0, ..BREAKER }), "off");
    }

    #[test]
    fn a_tripped_window_is_forgotten_and_late_spend_stays_in_the_newest() {
        let mut pace = after(&[(1000, 100), (2000, 100), (3000, 100), (4000, 2000)]);
        assert!(pace.trips(BREAKER));
        pace.reset();
        pace.spend(MicroUsd(50), Timestamp(WINDOW_MS));
        assert_eq!((pace.window, pace.now, pace.windows), (4, MicroUsd(50), 3));
    }
}
