//! Answers that hold until the next commit.
//!
//! What one thing looks like to one caller depends on the rows and the policy alone, so that the
//! same question before the next commit has the same answer. The newest event is published before
//! a command is answered: who writes and then reads sees what it wrote.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use mc_core::{
    id::{ApprovalId, RunId, Seq, TaskId},
    policy::Policy,
};
use mc_proto::method::Request;

use crate::{
    caller::Caller,
    store::{Answer, Store},
};

/// How much is kept at most.
const KEPT_BYTES: usize = 1024 * 1024;

/// A question that neither the clock nor a heartbeat changes the answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    Task(TaskId),
    Approval(ApprovalId),
    Run(RunId),
}

impl Question {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are asked each time")]
    const fn of(request: &Request) -> Option<Self> {
        match request {
            Request::TaskGet(get) => Some(Self::Task(get.task)),
            Request::ApprovalGet(get) => Some(Self::Approval(get.approval)),
            Request::RunGet(get) => Some(Self::Run(get.run)),
            _ => None,
        }
    }
}

/// The answers since the last commit.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    head: Seq,
    policy: Option<Arc<Policy>>,
    bytes: usize,
    answers: HashMap<Question, Vec<(Caller, Box<str>)>>,
}

impl Kept {
    /// Forgets everything unless nothing has changed.
    fn bring_to(&mut self, head: Seq, policy: &Arc<Policy>) {
        let same = self.policy.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, policy));
        if self.head != head || !same || self.bytes > KEPT_BYTES {
            *self = Self { head, policy: Some(Arc::clone(policy)), ..Self::default() };
        }
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
        let (head, policy) = (store.live().head(), store.live().policy());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bring_to(head, &policy);
        let known = kept.answers.get(&question).into_iter().flatten();
        if let Some((_, answer)) = known.into_iter().find(|(who, _)| sees_the_same(who, caller)) {
            return Ok(answer.clone());
        }
        drop(kept);
        let answer = store.query(caller, request)?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.head == head && answer.len() < KEPT_BYTES / 8 {
            kept.bytes += answer.len() + size_of::<Caller>();
            kept.answers.entry(question).or_default().push((caller.clone(), answer.clone()));
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_or_another_policy_ends_what_is_kept() {
        let policy = Arc::new(Policy::default());
        let mut kept = Kept::default();
        kept.bring_to(7, &policy);
        kept.bytes = 1;
        kept.bring_to(7, &policy);
        assert_eq!(kept.bytes, 1);
        kept.bring_to(7, &Arc::new(Policy::default()));
        assert_eq!(kept.bytes, 0);
        kept.bytes = 1;
        kept.bring_to(8, &policy);
        assert_eq!((kept.bytes, kept.head), (0, 8));
    }
}
