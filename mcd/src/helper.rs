//! The notification helper as the daemon sees it: when it was last heard of, and what it has in
//! hand. Both end with the process; what was in hand is then tried again under the same id.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use mc_core::time::Timestamp;
use mc_proto::method::delivery::AnswersFailing;

/// How long a delivery may be in hand, in milliseconds; longer than any sink may take.
const LOAN_MS: i64 = 120_000;

/// The helper.
#[derive(Debug, Default)]
pub struct Helper(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seen_ms: Option<i64>,
    connections: HashSet<u64>,
    /// By sink: the connection that sends to it, and until when.
    loans: HashMap<String, (u64, i64)>,
    /// By sink: why no answers can be taken from it.
    deaf: HashMap<String, AnswersFailing>,
}

impl Helper {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a connection of the helper.
    pub fn joined(&self, connection: u64) {
        self.state().connections.insert(connection);
    }

    /// Notes that the helper asked for work at `now_ms` of a clock that never jumps.
    pub fn heard(&self, now_ms: i64) {
        self.state().seen_ms = Some(now_ms);
    }

    /// Returns when the helper last asked for work, by that clock; `None` since the daemon began.
    pub fn seen_ms(&self) -> Option<i64> {
        self.state().seen_ms
    }

    /// Notes why no answers can be taken from `sink`, or that they can.
    pub fn answers(&self, sink: &str, error: Option<String>, now: Timestamp) {
        let mut state = self.state();
        if let Some(error) = error {
            let since = state.deaf.get(sink).map_or(now, |known| known.since);
            state.deaf.insert(sink.to_owned(), AnswersFailing { since, error });
        } else {
            state.deaf.remove(sink);
        }
    }

    /// Returns why no answers can be taken from `sink`, if so.
    pub fn answers_failing(&self, sink: &str) -> Option<AnswersFailing> {
        self.state().deaf.get(sink).cloned()
    }

    /// Says whether another connection sends to `sink` at `now_ms` of a clock that never jumps.
    pub fn is_lent(&self, sink: &str, connection: u64, now_ms: i64) -> bool {
        let state = self.state();
        state.loans.get(sink).is_some_and(|(who, until)| *who != connection && now_ms < *until)
    }

    /// Lets a connection send to `sink`, unless another one does or it has ended meanwhile.
    pub fn lend(&self, sink: &str, connection: u64, now_ms: i64) -> bool {
        if self.is_lent(sink, connection, now_ms) {
            return false;
        }
        let mut state = self.state();
        let is_there = state.connections.contains(&connection);
        if is_there {
            state.loans.insert(sink.to_owned(), (connection, now_ms + LOAN_MS));
        }
        is_there
    }

    /// Says that nobody sends to `sink`.
    pub fn give_back(&self, sink: &str) {
        self.state().loans.remove(sink);
    }

    /// Takes back what a connection had in hand when it ended.
    pub fn left(&self, connection: u64) {
        let mut state = self.state();
        state.connections.remove(&connection);
        state.loans.retain(|_, (who, _)| *who != connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_lent_to_one_connection_until_it_ends_or_takes_too_long() {
        let helper = Helper::default();
        (1..=3).for_each(|connection| helper.joined(connection));
        assert!(helper.lend("ops", 1, 0));
        assert!(helper.lend("ops", 1, 0), "the same one may ask again");
        assert!(!helper.lend("ops", 2, LOAN_MS - 1));
        assert!(helper.lend("mail", 2, 0), "other sinks are free");
        assert!(helper.lend("ops", 2, LOAN_MS), "it took too long");
        helper.left(2);
        assert!(helper.lend("ops", 3, LOAN_MS));
        helper.give_back("ops");
        assert!(!helper.is_lent("ops", 4, LOAN_MS));
        assert!(!helper.lend("ops", 2, LOAN_MS), "it has ended");
    }
}
