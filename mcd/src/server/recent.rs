//! Answers that hold until something happens.
//!
//! What one thing looks like to one caller depends on the rows, the policy, the stop and the signs
//! of life alone, so that the same question before any of them changes has the same answer. What
//! shows the clock is kept for a tenth of a second. The newest event is published before a command
//! is answered: who writes and then reads sees what it wrote.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use mc_core::{
    agent::AgentName,
    id::{ApprovalId, RunId, Seq, TaskId},
    policy::Policy,
};
use mc_proto::method::Request;

use crate::{
    caller::Caller,
    live::Live,
    store::{Answer, Store},
};

/// How much is kept at most.
const KEPT_BYTES: usize = 1024 * 1024;
/// How long an answer that shows the clock is kept, in milliseconds.
const FRESH_MS: i64 = 100;

/// A question whose answer is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Question {
    Task(TaskId),
    Approval(ApprovalId),
    Run(RunId),
    Agent(AgentName),
    Status,
}

impl Question {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are asked each time")]
    fn of(request: &Request) -> Option<Self> {
        match request {
            Request::TaskGet(get) => Some(Self::Task(get.task)),
            Request::ApprovalGet(get) => Some(Self::Approval(get.approval)),
            Request::RunGet(get) => Some(Self::Run(get.run)),
            Request::AgentGet(get) => Some(Self::Agent(get.agent.clone())),
            Request::SquadStatus(_) => Some(Self::Status),
            _ => None,
        }
    }

    /// Says whether an answer of that age still holds.
    const fn holds(&self, age_ms: i64) -> bool {
        match self {
            Self::Task(_) | Self::Approval(_) | Self::Run(_) => true,
            Self::Agent(_) | Self::Status => age_ms < FRESH_MS,
        }
    }
}

/// What all answers depend on.
#[derive(Debug, Clone)]
struct State {
    head: Seq,
    beats: u64,
    halted: bool,
    read_only: bool,
    policy: Arc<Policy>,
}

impl State {
    fn of(live: &Live) -> Self {
        Self {
            head: live.head(),
            beats: live.beat_count.load(Ordering::SeqCst),
            halted: live.halt.is_set(),
            read_only: live.read_only().is_some(),
            policy: live.policy(),
        }
    }

    fn is(&self, other: &Self) -> bool {
        (self.head, self.beats, self.halted, self.read_only)
            == (other.head, other.beats, other.halted, other.read_only)
            && Arc::ptr_eq(&self.policy, &other.policy)
    }
}

/// The answers since something happened last.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    state: State,
    bytes: usize,
    answers: HashMap<Question, Vec<Known>>,
}

#[derive(Debug)]
struct Known {
    caller: Caller,
    at_ms: i64,
    answer: Box<str>,
}

impl Kept {
    fn at(state: State) -> Self {
        Self { state, bytes: 0, answers: HashMap::new() }
    }

    fn find(&self, question: &Question, caller: &Caller, now_ms: i64) -> Option<&str> {
        let known = self.answers.get(question)?.iter().find(|known| {
            sees_the_same(&known.caller, caller) && question.holds(now_ms - known.at_ms)
        });
        known.map(|known| known.answer.as_ref())
    }

    fn keep(&mut self, question: Question, known: Known) {
        self.bytes += known.answer.len() + size_of::<Known>();
        let all = self.answers.entry(question).or_default();
        all.retain(|other| !sees_the_same(&other.caller, &known.caller));
        all.push(known);
    }
}

/// Says whether two callers see the same.
fn sees_the_same(one: &Caller, other: &Caller) -> bool {
    one.actor == other.actor
        && (one.role, &one.agent, &one.adapter) == (other.role, &other.agent, &other.adapter)
}

impl Recent {
    /// Answers a query, from memory where that is right.
    pub(super) fn query(&self, store: &Store, caller: &Caller, request: &Request) -> Answer {
        let Some(question) = Question::of(request) else { return store.query(caller, request) };
        let live = store.live();
        let (state, at_ms) = (State::of(live), live.clock.elapsed_ms());
        if let Some(answer) = self.known(&state, |kept| kept.find(&question, caller, at_ms)) {
            return Ok(answer);
        }
        let answer = store.query(caller, request)?;
        if answer.len() < KEPT_BYTES / 8 {
            let known = Known { caller: caller.clone(), at_ms, answer: answer.clone() };
            self.keep(state, question, known);
        }
        Ok(answer)
    }

    fn known(&self, state: &State, find: impl FnOnce(&Kept) -> Option<&str>) -> Option<Box<str>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|kept| kept.state.is(state)).and_then(find).map(Into::into)
    }

    fn keep(&self, state: State, question: Question, known: Known) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match &mut *kept {
            Some(kept) if kept.state.is(&state) && kept.bytes < KEPT_BYTES => kept,
            // Something happened since, or there is too much: begin anew.
            other => other.insert(Kept::at(state)),
        };
        kept.keep(question, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(head: Seq) -> State {
        let policy = Arc::new(Policy::default());
        State { head, beats: 0, halted: false, read_only: false, policy }
    }

    fn known(at_ms: i64) -> Known {
        let caller = crate::workers::system();
        Known { caller, at_ms, answer: "{}".into() }
    }

    #[test]
    fn whatever_happens_ends_what_is_kept() {
        let recent = Recent::default();
        let before = state(7);
        recent.keep(before.clone(), Question::Status, known(0));
        let find = |state: &State, at_ms| {
            let caller = crate::workers::system();
            recent.known(state, |kept| kept.find(&Question::Status, &caller, at_ms))
        };
        assert!(find(&before, 0).is_some());
        assert!(find(&before, FRESH_MS).is_none(), "it shows the clock");
        for other in [
            State { head: 8, ..before.clone() },
            State { beats: 1, ..before.clone() },
            State { halted: true, ..before.clone() },
            State { read_only: true, ..before.clone() },
            state(7),
        ] {
            assert!(find(&other, 0).is_none(), "{other:?}");
        }
    }

    #[test]
    fn another_caller_gets_an_answer_of_its_own() {
        let mut kept = Kept::at(state(1));
        kept.keep(Question::Task(TaskId(1)), known(0));
        let mut other = crate::workers::system();
        assert!(kept.find(&Question::Task(TaskId(1)), &other, 1_000_000).is_some());
        other.agent = Some("wren".parse().unwrap());
        assert!(kept.find(&Question::Task(TaskId(1)), &other, 0).is_none());
    }
}
