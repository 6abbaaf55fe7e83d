//! Runs: one turn of an agent's model, and the tool calls that it makes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::AgentName,
    id::{ApprovalId, CallId, RunId, Seq, TaskId},
    money::{CostState, MicroUsd, Tokens},
    policy::{Outcome, Risk},
    time::Timestamp,
};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Goes on.
    #[default]
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Was cut off.
    Aborted,
    /// Took too long.
    TimedOut,
}

/// One turn of an agent's model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// Whose run it is.
    pub agent: AgentName,
    /// The task that it works on; `None` when it could not be attributed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The runtime's session key.
    pub session: String,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What started it: `user`, `cron`, `heartbeat`...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// The run that spawned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_run: Option<RunId>,
    /// The runtime's own id of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The adapter that began it, which alone ends it; `None` where its agent did so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_by: Option<AgentName>,
    /// How it stands.
    pub status: RunStatus,
    /// What it used.
    #[serde(default)]
    pub tokens: Tokens,
    /// What it cost.
    #[serde(default)]
    pub cost_uusd: MicroUsd,
    /// How its cost is known; the least certain of its model calls.
    #[serde(default)]
    pub cost_state: CostState,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether its end was sent back once, because it left no word on its task.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sent_back: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// How a tool call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// Was allowed and has not been reported as ended.
    #[default]
    Allowed,
    /// Waits for an approval.
    Waiting,
    /// Was refused.
    Denied,
    /// Ran and succeeded.
    Succeeded,
    /// Ran and failed.
    Failed,
    /// The runtime gave up before it ran.
    Dropped,
}

/// What ties an allowed command to the one that its runtime is about to run: the second lock asks
/// for exactly this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecondLock {
    /// The runtime's own id of the call.
    pub external_id: String,
    /// SHA-256 of the command's text as received, in hex.
    pub command_sha256: String,
    /// The directory that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The runtime's question that the lease was used for; a lease is used once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_for: Option<String>,
}

/// One check of a tool call and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCall {
    /// Its number.
    pub id: CallId,
    /// Who asked.
    pub agent: AgentName,
    /// The run that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The task that it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The runtime's session key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The tool.
    pub tool: String,
    /// The arguments, redacted and cut to 500 characters.
    pub preview: String,
    /// Hash of the whole arguments in canonical form, in hex. Where an operator changed them, both
    /// are of what was let run.
    pub arguments_sha256: String,
    /// How often its run has asked for exactly this before: the same tool, the same arguments.
    #[serde(default)]
    pub retries: i64,
    /// Hash of what it was judged by, in hex: kept for a while, for `policy.replay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs_sha256: Option<String>,
    /// The same but for numbers and ids; what nearly repeats is known by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape_sha256: Option<String>,
    /// Hash of the arguments that the agent asked for, where an operator changed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_sha256: Option<String>,
    /// The arguments that the agent asked for, redacted and cut, where an operator changed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_preview: Option<String>,
    /// Whether the runtime can put other arguments in the place of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub can_rewrite: bool,
    /// The risk as judged.
    pub risk: Risk,
    /// What was answered.
    pub decision: Outcome,
    /// The rule that decided.
    pub rule: String,
    /// Why, in one sentence.
    pub reason: String,
    /// The approval that it waits for or used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// How it stands.
    pub status: CallStatus,
    /// Until when an allowed call must have started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_expires_at: Option<Timestamp>,
    /// When its lease began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_at: Option<Timestamp>,
    /// The event that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_by: Option<Seq>,
    /// What a runtime's own question about it must match; for commands of runtimes that ask twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_lock: Option<SecondLock>,
    /// How long it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// Its result, redacted and cut to 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_preview: Option<String>,
    /// Hash of the whole result, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_sha256: Option<String>,
    /// Hash of its result but for numbers, clocks and ids, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome_sha256: Option<String>,
    /// What went wrong, redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What its error is called but for numbers and ids; the same error is known by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// When it was checked.
    pub at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}
