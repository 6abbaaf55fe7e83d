//! What a tool call does after it was checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::AgentName,
    id::{CallId, TaskId},
    run::CallStatus,
    time::Timestamp,
};

/// A waiting or allowed call changed: it got its lease, ran, failed or was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolChanged {
    /// The call.
    pub call: CallId,
    /// Whose call it is.
    pub agent: AgentName,
    /// The task that it serves.
    pub task: Option<TaskId>,
    /// How it stands now.
    pub status: CallStatus,
    /// Until when it must have started.
    pub lease_expires_at: Option<Timestamp>,
    /// How long it ran.
    pub duration_ms: Option<i64>,
    /// Its result, redacted and cut.
    pub result_preview: Option<String>,
    /// Hash of its whole result, in hex.
    pub result_sha256: Option<String>,
    /// Hash of its result but for numbers and ids, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome_sha256: Option<String>,
    /// What went wrong, redacted.
    pub error: Option<String>,
    /// What its error is called but for numbers and ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// The runtime's own question about an allowed command was answered yes, which uses its lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolConfirmed {
    /// The call.
    pub call: CallId,
    /// Whose call it is.
    pub agent: AgentName,
    /// The task that it serves.
    pub task: Option<TaskId>,
    /// The runtime's id of its question.
    pub request: String,
}

/// The runtime was about to run a command behind which no allowed call stands; it was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolUnconfirmed {
    /// Whose command it is.
    pub agent: AgentName,
    /// The task of the call that it claims to be.
    pub task: Option<TaskId>,
    /// The call that it claims to be, where there is one.
    pub call: Option<CallId>,
    /// The runtime's id of its question.
    pub request: String,
    /// The command, redacted and cut.
    pub preview: String,
    /// What did not match, in one sentence.
    pub why: String,
}
