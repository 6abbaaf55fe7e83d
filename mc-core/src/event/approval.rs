//! What becomes of an approval before and beside its decision.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::AgentName,
    approval::{ApprovalEdit, Reminder, Rewritten},
    id::{ApprovalId, CallId, TaskId},
    time::Timestamp,
};

/// An approval was used, which happens once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalUsed {
    /// The approval.
    pub approval: ApprovalId,
    /// Who used it.
    pub agent: AgentName,
    /// The task that it serves.
    pub task: Option<TaskId>,
    /// The call that used it.
    pub call: Option<CallId>,
    /// What the call runs in the place of what it asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewritten: Option<Rewritten>,
}

/// An operator changed what an approval is about; it waits for a decision on that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalEdited {
    /// The approval.
    pub approval: ApprovalId,
    /// Who had asked.
    pub agent: AgentName,
    /// The task that waits.
    pub task: Option<TaskId>,
    /// What it is about from now on.
    pub edit: Box<ApprovalEdit>,
}

/// An approval still waits, and the operators were reminded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalReminded {
    /// The approval.
    pub approval: ApprovalId,
    /// Who had asked.
    pub agent: AgentName,
    /// The task that waits.
    pub task: Option<TaskId>,
    /// Which reminder it was.
    pub reminder: Reminder,
    /// When the next one is due; `None` when it was the last.
    pub next_at: Option<Timestamp>,
}

/// An operator said yes where the policy wants more than one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalEndorsed {
    /// The approval.
    pub approval: ApprovalId,
    /// Who had asked.
    pub agent: AgentName,
    /// The task that waits.
    pub task: Option<TaskId>,
    /// What they said yes to.
    pub digest: String,
}

/// The runtime no longer holds the call that waits for an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalDropped {
    /// The approval.
    pub approval: ApprovalId,
    /// Who had asked.
    pub agent: AgentName,
    /// The task that waits.
    pub task: Option<TaskId>,
}
