//! What is answered to a runtime, before it is put into the runtime's words.

use mc_core::id::{ApprovalId, CallId};
use serde_json::Value;

/// The answer to an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// Nothing to say: go on as if nobody had been asked.
    Neutral,
    /// The call may run.
    Allow(Allowed),
    /// It may not.
    Deny {
        /// Why, and what to do instead.
        reason: String,
        /// The recorded call, when it got that far.
        call: Option<CallId>,
    },
    /// It may not now: a person has to decide.
    Waiting {
        /// What is waited for.
        approval: ApprovalId,
        /// The recorded call.
        call: CallId,
        /// What to do meanwhile.
        reason: String,
    },
}

/// A call that may run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Allowed {
    /// The recorded call.
    pub(super) call: CallId,
    /// The approval of the person who allowed it; `None` when the policy did.
    pub(super) approval: Option<ApprovalId>,
    /// Why.
    pub(super) reason: String,
    /// What to run instead of what was asked, where a person changed it.
    pub(super) arguments: Option<Value>,
}

/// Which yes is said aloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opinion {
    /// Every one.
    Whole,
    /// Only a person's; the policy's leaves the runtime's own rules in force.
    OfPersons,
}

impl Verdict {
    /// Returns the no to something that was not even asked.
    pub(super) fn denied(reason: impl Into<String>) -> Self {
        Self::Deny { reason: reason.into(), call: None }
    }

    /// Leaves out a yes that is not to be said.
    pub(super) fn within(self, opinion: Opinion) -> Self {
        match (self, opinion) {
            (Self::Allow(Allowed { approval: None, .. }), Opinion::OfPersons) => Self::Neutral,
            (verdict, Opinion::Whole | Opinion::OfPersons) => verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deferred_yes_is_left_out_unless_a_person_said_it_and_a_no_never() {
        let yes = |approval| {
            let call = CallId(1);
            Verdict::Allow(Allowed { call, approval, reason: String::new(), arguments: None })
        };
        let by_person = yes(Some(ApprovalId(1)));
        assert_eq!(yes(None).within(Opinion::OfPersons), Verdict::Neutral);
        assert_eq!(yes(None).within(Opinion::Whole), yes(None));
        assert_eq!(by_person.clone().within(Opinion::OfPersons), by_person);
        let no = Verdict::denied("no");
        assert_eq!(no.clone().within(Opinion::OfPersons), no);
    }
}
