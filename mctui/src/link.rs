//! How the console stands to the daemon, in the words of the first row. Pure: time comes in.

use mc_core::{id::Seq, time::Timestamp};

/// Silence after which a link is late, in milliseconds: a beat comes every five seconds.
const LATE_MS: u64 = 7_500;
/// Silence after which nothing shown is trusted, in milliseconds.
const STALE_MS: u64 = 15_000;
/// A difference of the clocks that is told, in milliseconds.
const SKEW_MS: i64 = 2_000;

/// A moment: on the steady clock of this process and on the clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Milliseconds since the console started.
    pub steady: u64,
    /// The wall clock of this machine.
    pub wall: Timestamp,
}

/// What the connection is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Has not been there yet.
    Connecting,
    /// Connected; the snapshot is on its way.
    Resync,
    /// Connected and up to date.
    Up,
    /// Lost; the next attempt comes by itself.
    Lost {
        /// The attempt that comes next.
        attempt: u32,
        /// When it comes, on the steady clock.
        retry_at: u64,
        /// Why it was lost.
        reason: String,
    },
    /// The daemon does not want this console.
    Refused {
        /// The reason and the fix.
        reason: String,
    },
}

/// What is shown, and what it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Everything shown is true.
    Live,
    /// True some seconds ago.
    Late,
    /// Nothing may be done with what is shown.
    Off,
}

/// The link as the console knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkState {
    /// What the connection is doing.
    pub phase: Phase,
    /// When the daemon was last heard, on the steady clock.
    pub heard: u64,
    /// The daemon's clock when it was last heard.
    pub as_of: Option<Timestamp>,
    /// The daemon's clock minus ours, in milliseconds.
    pub offset_ms: i64,
    /// The newest event that the daemon spoke of.
    pub head: Seq,
    /// The daemon's name of the connection; empty before the first.
    pub connection: String,
}

impl Default for LinkState {
    fn default() -> Self {
        Self {
            phase: Phase::Connecting,
            heard: 0,
            as_of: None,
            offset_ms: 0,
            head: 0,
            connection: String::new(),
        }
    }
}

impl LinkState {
    /// Notes that the daemon spoke, and what its clock said.
    pub fn hear(&mut self, now: Now, daemon: Option<Timestamp>) {
        self.heard = now.steady;
        if let Some(daemon) = daemon {
            self.offset_ms = daemon.0.saturating_sub(now.wall.0);
        }
        self.as_of = Some(self.daemon_time(now));
    }

    /// Returns the daemon's time.
    pub fn daemon_time(&self, now: Now) -> Timestamp {
        Timestamp(now.wall.0.saturating_add(self.offset_ms))
    }

    /// Says how far what is shown can be trusted.
    pub fn health(&self, now: Now) -> Health {
        let silent = now.steady.saturating_sub(self.heard);
        match self.phase {
            Phase::Up if silent < LATE_MS => Health::Live,
            Phase::Up if silent < STALE_MS => Health::Late,
            Phase::Up
            | Phase::Connecting
            | Phase::Resync
            | Phase::Lost { .. }
            | Phase::Refused { .. } => Health::Off,
        }
    }

    /// Returns the words of the first row.
    pub fn label(&self, now: Now) -> String {
        let silent = now.steady.saturating_sub(self.heard);
        match &self.phase {
            Phase::Connecting => "CONNECTING".to_owned(),
            Phase::Resync => "RESYNC".to_owned(),
            Phase::Refused { .. } => "REFUSED".to_owned(),
            Phase::Lost { attempt, retry_at, .. } => {
                let wait = retry_at.saturating_sub(now.steady).div_ceil(1000);
                format!("RECONNECT try {attempt}, next {wait}s")
            }
            Phase::Up if silent < LATE_MS => match self.offset_ms {
                skew if skew.abs() > SKEW_MS => format!("LIVE clock {:+}s", skew / 1000),
                _ => "LIVE".to_owned(),
            },
            Phase::Up if silent < STALE_MS => format!("LATE {}s", silent / 1000),
            Phase::Up => {
                let as_of = self.as_of.map(crate::format::clock).unwrap_or_default();
                format!("STALE {}:{:02} as of {as_of}", silent / 60_000, silent / 1000 % 60)
            }
        }
    }

    /// Returns why nothing can be done, and what to do about it; `None` while acts are possible.
    pub fn obstacle(&self, now: Now) -> Option<String> {
        if self.health(now) != Health::Off {
            return None;
        }
        Some(match &self.phase {
            Phase::Connecting => "not connected yet: nothing was sent".to_owned(),
            Phase::Resync => "the picture is being renewed: nothing was sent, try again".to_owned(),
            Phase::Lost { .. } => "the link is down: nothing was sent (R connects now)".to_owned(),
            Phase::Refused { reason } => format!("nothing was sent: {reason}"),
            Phase::Up => {
                "no word from the daemon for 15 s: nothing was sent (R reconnects)".to_owned()
            }
        })
    }

    /// Returns when the words of the first row change by themselves, in milliseconds from `now`.
    pub fn changes_in(&self, now: Now) -> Option<u64> {
        let silent = now.steady.saturating_sub(self.heard);
        match self.phase {
            Phase::Up if silent < LATE_MS => Some(LATE_MS - silent),
            Phase::Up | Phase::Lost { .. } => Some(1000 - silent % 1000),
            Phase::Connecting | Phase::Resync | Phase::Refused { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(steady: u64) -> Now {
        Now { steady, wall: Timestamp(1_000_000 + i64::try_from(steady).unwrap_or(0)) }
    }

    #[test]
    fn silence_makes_the_link_late_then_stale() {
        let mut link = LinkState { phase: Phase::Up, ..LinkState::default() };
        link.hear(at(0), Some(Timestamp(1_000_000)));
        assert_eq!((link.label(at(6_000)), link.health(at(6_000))), ("LIVE".into(), Health::Live));
        assert_eq!(link.label(at(9_000)), "LATE 9s");
        assert_eq!(link.health(at(9_000)), Health::Late);
        assert_eq!(link.label(at(42_000)), "STALE 0:42 as of 00:16:40");
        assert!(link.obstacle(at(42_000)).is_some());
    }

    #[test]
    fn ages_use_the_clock_of_the_daemon() {
        let mut link = LinkState { phase: Phase::Up, ..LinkState::default() };
        link.hear(at(0), Some(Timestamp(1_037_000)));
        assert_eq!(link.daemon_time(at(10)), Timestamp(1_037_010));
        assert_eq!(link.label(at(10)), "LIVE clock +37s");
    }
}
