//! Runs and tool calls on the wire.

use std::collections::BTreeMap;

use mc_core::{
    agent::AgentName,
    approval::ApprovalStatus,
    id::{ApprovalId, CallId, ReservationId, RunId, TaskId},
    money::{CostState, MicroUsd},
    policy::{Outcome, Risk},
    run::{Run, RunStatus, ToolCall},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::agent::Order;

/// `run.start`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The runtime's session key.
    pub session: String,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// The task that it works on; by default the agent's task in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The run that spawned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_run: Option<RunId>,
    /// The runtime's own id of the run; while that run goes on, the same id returns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// How much to reserve for the whole run; by default what its caps let it spend. 0 where the
    /// runtime asks with `run.reserve` before each model call, or never knows a cost: it counts until
    /// the first cost that nothing was reserved for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_uusd: Option<MicroUsd>,
}

/// What `run.start` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    /// The run's id.
    pub run: RunId,
    /// The task that it was attributed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// What the run may still spend.
    pub remaining_uusd: MicroUsd,
    /// How many tokens it may still use, where tokens are capped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_tokens: Option<i64>,
    /// What is reserved for the whole run.
    pub reserved_uusd: MicroUsd,
}

/// `run.reserve`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// The run.
    pub run: RunId,
    /// What the next model call may cost at most; by default its tokens at the model's price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_uusd: Option<MicroUsd>,
    /// The model; by default the run's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How long the prompt is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<i64>,
    /// How much the model may write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<i64>,
}

/// What `run.reserve` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reserved {
    /// `allow`: it is reserved. `deny`: it does not fit at the moment. `ask`: a human can raise the
    /// cap and was asked; the call must not be made.
    pub decision: Outcome,
    /// The reservation, to be named in `run.usage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<ReservationId>,
    /// What was reserved.
    pub reserved_uusd: MicroUsd,
    /// What the run may still spend beside it.
    pub remaining_uusd: MicroUsd,
    /// The question to a human.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// Why, in one sentence.
    pub reason: String,
}

/// `run.usage`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// The run.
    pub run: RunId,
    /// The model.
    pub model: String,
    /// Prompt tokens that were not cached.
    pub input_tokens: i64,
    /// Tokens that the model wrote.
    pub output_tokens: i64,
    /// Prompt tokens read from the cache.
    #[serde(default)]
    pub cache_read_tokens: i64,
    /// Prompt tokens written to the cache.
    #[serde(default)]
    pub cache_write_tokens: i64,
    /// What it cost, where the runtime knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_uusd: Option<MicroUsd>,
    /// The reservation that it was made on; the same report again changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<ReservationId>,
}

/// Whether a run may go on spending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpendState {
    /// Below 80 % of every cap.
    #[default]
    Ok,
    /// 80 % of a cap or more.
    Warn,
    /// A cap is reached.
    Stop,
}

/// What `run.usage` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spent {
    /// What the run has cost, as far as prices are known.
    pub spent_uusd: MicroUsd,
    /// How that is known; the least certain of its model calls.
    pub cost_state: CostState,
    /// What it may still spend.
    pub remaining_uusd: MicroUsd,
    /// How many tokens it may still use, where tokens are capped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_tokens: Option<i64>,
    /// Whether it may go on.
    pub state: SpendState,
    /// What the agent has to do at once.
    pub orders: Vec<Order>,
}

/// `run.finalize`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finalize {
    /// The run that wants to end.
    pub run: RunId,
}

/// Whether a turn may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finality {
    /// It may end.
    #[default]
    Accept,
    /// One more pass: what is missing comes first.
    Revise,
}

/// What `run.finalize` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finalized {
    /// Whether the turn may end.
    pub decision: Finality,
    /// What is to be done first; empty when it may end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The same in one text for the model.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instruction: String,
}

/// `run.finish`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finish {
    /// The run.
    pub run: RunId,
    /// How it ended: not `running`.
    pub status: RunStatus,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `run.get`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The run.
    pub run: RunId,
}

/// What `run.get` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunDetail")]
pub struct Detail {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// Its tool calls, oldest first, at most 200.
    pub calls: Vec<ToolCall>,
}

/// `run.list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Only on this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Only with this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RunStatus>,
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `tool.check`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The run that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The runtime's session key, to be woken later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The tool.
    pub tool: String,
    /// Its arguments, whole; at most 128 KiB.
    pub arguments: Value,
    /// The directory that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Environment variables that it is given beside the runtime's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The runtime's own id of the call, where the runtime asks a second time (`tool.confirm`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The task that it serves; by default the run's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Why, in the agent's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// How it can be undone, in the agent's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<String>,
    /// What it will cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cost_uusd: Option<MicroUsd>,
    /// Whether the runtime can run the call with other arguments than its own, where an operator
    /// changed them; only then can they be changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub can_rewrite: bool,
    /// How long to wait for a human at once, at most 30 s; 0 answers `ask` at once.
    #[serde(default)]
    pub wait_ms: u64,
}

/// What `tool.check` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// The recorded call.
    pub call: CallId,
    /// Allow, ask or deny.
    pub decision: Outcome,
    /// The risk as judged.
    pub risk: Risk,
    /// The rule that decided.
    pub rule: String,
    /// Why, in one sentence.
    pub reason: String,
    /// The approval that is waited for, or was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// With `allow`: the arguments that may run in the place of the call's own, whole, where an
    /// operator changed them. The call's own may not run then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// Until when the runtime should hold the call; missing in an `ask` that `tool.await` answers
    /// at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_until: Option<Timestamp>,
    /// Until when an allowed call must have started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_expires_at: Option<Timestamp>,
}

/// `tool.await`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Await {
    /// The approval.
    pub approval: ApprovalId,
    /// The call that waits for it; by default the one that asked first. Equal calls can wait for
    /// one approval, and it is used by one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// How long to wait, at most 30 s.
    #[serde(default)]
    pub wait_ms: u64,
}

/// What `tool.await` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Awaited {
    /// The approval.
    pub approval: ApprovalId,
    /// How it stands.
    pub status: ApprovalStatus,
    /// `allow` once, when it was approved: the approval is used by this answer; `ask` while it
    /// is pending; else `deny`.
    pub decision: Outcome,
    /// The call that may run, when allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// Why, in one sentence, with the decider's note.
    pub reason: String,
    /// With `allow`: the arguments that may run in the place of the call's own, whole, where an
    /// operator changed them. The call's own may not run then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// Until when an allowed call must have started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_expires_at: Option<Timestamp>,
}

/// `tool.confirm`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The runtime's id of its question; the same question gets the same yes again.
    pub request: String,
    /// The runtime's own id of the run.
    pub external_run: String,
    /// The runtime's own id of the call.
    pub external_id: String,
    /// The runtime's session key.
    pub session: String,
    /// The command, word for word.
    pub command: String,
    /// The directory that it will run in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

/// What `tool.confirm` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    /// `allow` once, for exactly the command that was allowed a moment ago; else `deny`.
    pub decision: Outcome,
    /// The call that stands behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// Why, in one sentence.
    pub reason: String,
}

/// `tool.drop`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drop {
    /// The call.
    pub call: CallId,
}

/// `tool.finish`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolFinish {
    /// The call.
    pub call: CallId,
    /// How it ended.
    pub status: Ended,
    /// What it cost; without it a call with an estimate is taken to have cost that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_uusd: Option<MicroUsd>,
    /// How long it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// The beginning of its result; a text of fewer than 500 characters is taken for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_preview: Option<String>,
    /// Hash of its whole result, in hex: that of `result_preview` where that is all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_sha256: Option<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Well.
    #[default]
    Succeeded,
    /// With an error.
    Failed,
}

/// `tool.list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolList {
    /// Only of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Only on this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Only of this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
