//! Evidence: how an agent stood in the moment in which it was quarantined, for whoever judges it.
//!
//! It is kept in the record by the same command that quarantines: what comes later changes nothing
//! of it, and the chain of hashes proves it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::{Agent, AgentName},
    alert::Alert,
    budget::{Caps, Ledger, ScopeKey},
    id::{ApprovalId, CallId, MessageId, Seq, TaskId},
    run::{CallStatus, Run, ToolCall},
    task::{Task, TaskState},
    time::Timestamp,
};

/// How an agent stood in one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The newest event of the journal in that moment, which all of this follows from.
    pub head: Seq,
    /// Its hash, in hex.
    pub head_hash: String,
    /// The agent.
    pub agent: Agent,
    /// The newest Loop Summary in the thread of one of its open tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// Its last runs with what they cost, newest first, at most 10.
    pub runs: Vec<Run>,
    /// Its last tool calls with what was decided, by which rule, and what came of them; newest
    /// first, at most 20. Arguments and results are masked and cut, their hashes are of the whole.
    pub calls: Vec<ToolCall>,
    /// Its open tasks, oldest first, with who holds them.
    pub tasks: Vec<Held>,
    /// The allowed calls among [`Self::calls`] that may still have been at work.
    pub leases: Vec<Lease>,
    /// Its approvals that waited or were not used.
    pub approvals: Vec<ApprovalId>,
    /// What it may spend and has spent, smallest scope first; only what has a cap.
    pub budgets: Vec<Spent>,
    /// The unresolved alerts about it, newest first, at most 20.
    pub alerts: Vec<Alert>,
    /// The policy in force; `None` for the built-in defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<InForce>,
}

/// A Loop Summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The message.
    pub message: MessageId,
    /// The task in whose thread it stands.
    pub task: TaskId,
    /// When it was written.
    pub at: Timestamp,
    /// The text.
    pub text: String,
}

/// An open task of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// The task.
    pub task: TaskId,
    /// Its title.
    pub title: String,
    /// Where it was.
    pub state: TaskState,
    /// The agent that had claimed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<AgentName>,
    /// Its fence.
    pub fence: i64,
}

impl From<&Task> for Held {
    fn from(task: &Task) -> Self {
        Self {
            task: task.id,
            title: task.title.clone(),
            state: task.state,
            holder: task.holder.clone(),
            fence: task.fence,
        }
    }
}

/// An allowed call that was not reported as ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// The call.
    pub call: CallId,
    /// Until when it must have started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Lease {
    /// Returns the leases among `calls`.
    pub fn among(calls: &[ToolCall]) -> Vec<Self> {
        let open = calls.iter().filter(|call| call.status == CallStatus::Allowed);
        open.map(|call| Self { call: call.id, expires_at: call.lease_expires_at }).collect()
    }
}

/// What one scope has spent of its caps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spent {
    /// The scope.
    #[serde(flatten)]
    pub key: ScopeKey,
    /// Its caps, with what was granted on top.
    pub caps: Caps,
    /// What it has spent and promised.
    pub ledger: Ledger,
}

/// A policy that was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InForce {
    /// Its version.
    pub version: i64,
    /// Hash of its text, in hex.
    pub sha256: String,
}
