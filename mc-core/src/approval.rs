//! Approvals: a question to a human, bound to exactly what will be done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    agent::AgentName,
    canonical,
    id::{ApprovalId, CallId, RunId, TaskId},
    money::MicroUsd,
    policy::Risk,
    time::Timestamp,
};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalKind {
    /// To run one tool call.
    #[default]
    ToolCall,
    /// To spend beyond a cap.
    BudgetOverride,
    /// To move a task.
    Transition,
    /// To start a sub-agent.
    Spawn,
    /// A decision that the agent can't make itself.
    Escalation,
}

/// How an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// Waits for a human.
    #[default]
    Pending,
    /// A human said yes.
    Approved,
    /// A human said no.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// Was withdrawn, or voided by a stop.
    Canceled,
}

impl ApprovalStatus {
    /// Returns the word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Canceled => "canceled",
        }
    }
}

/// Exactly what is asked for. Its digest is what a decision is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Statement {
    /// Version of this form.
    pub version: i64,
    /// The approval's number.
    pub approval: ApprovalId,
    /// What is asked for.
    pub kind: ApprovalKind,
    /// Who asked.
    pub agent: AgentName,
    /// The run that asked.
    pub run: Option<RunId>,
    /// The task that it serves.
    pub task: Option<TaskId>,
    /// The tool; for other kinds than `tool_call` the kind's name.
    pub tool: String,
    /// The arguments whole, with secrets masked; a summary never stands in for them.
    pub arguments: Value,
    /// Hash of the arguments as received, in canonical form and before masking.
    pub arguments_sha256: String,
    /// The directory that it runs in.
    pub cwd: Option<String>,
    /// Names of passed environment variables with the hash of each value.
    pub env: Vec<(String, String)>,
    /// The policy version that asked.
    pub policy_version: i64,
    /// Random, so that no two statements are alike; in hex.
    pub nonce: String,
    /// Not valid before.
    pub not_before: Timestamp,
    /// Not valid from then on.
    pub expires_at: Timestamp,
}

impl Statement {
    /// Returns SHA-256 of the statement in canonical JSON, in hex.
    pub fn digest(&self) -> String {
        canonical::digest("mc-statement@v1", self)
    }
}

/// A question to a human.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// Its number.
    pub id: ApprovalId,
    /// Grows by one with every change.
    pub rev: i64,
    /// What is asked for.
    pub kind: ApprovalKind,
    /// How it stands.
    pub status: ApprovalStatus,
    /// Who asked.
    pub agent: AgentName,
    /// The task that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The run that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The tool call that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// The session to wake when it is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The risk as judged.
    pub risk: Risk,
    /// The rule that asked.
    pub rule: String,
    /// Why it is asked, in one sentence: recorded fact.
    pub reason: String,
    /// The act in one line, for lists.
    pub summary: String,
    /// The agent's own words on why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// The agent's own words on how it can be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<String>,
    /// What the agent thinks it will cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cost_uusd: Option<MicroUsd>,
    /// Exactly what is asked for.
    pub statement: Statement,
    /// SHA-256 of the statement: what a decision is bound to.
    pub digest: String,
    /// What an identical call must match: agent, task, tool, arguments, directory, environment.
    pub call_key: String,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// The decision's note; a denial's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it was used; an approval is used once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// Whether the runtime no longer holds the call, so that the agent has to be told.
    #[serde(default)]
    pub dropped: bool,
}

/// Returns what an identical call must match.
pub fn call_key(
    agent: &AgentName,
    task: Option<TaskId>,
    tool: &str,
    arguments_sha256: &str,
    surroundings: (Option<&str>, &[(String, String)]),
) -> String {
    canonical::digest("mc-call@v1", &(agent, task, tool, arguments_sha256, surroundings))
}
