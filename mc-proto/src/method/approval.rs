//! Approvals on the wire.

use mc_core::{
    agent::AgentName,
    approval::{Approval, ApprovalKind, ApprovalStatus, RuleScope, StandingRule},
    id::{ApprovalId, EventId, RuleId, TaskId},
    money::MicroUsd,
    policy::Risk,
    run::ToolCall,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `approval.request`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What is asked for; `tool_call` only comes from `tool.check`.
    pub kind: ApprovalKind,
    /// The act in one line.
    pub summary: String,
    /// The risk as the agent sees it; it can only raise ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// The task that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Exactly what is asked for.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub payload: Value,
    /// Why.
    pub justification: String,
    /// How it can be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<String>,
    /// What it will cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cost_uusd: Option<MicroUsd>,
    /// When it ends by itself; at most 24 h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<i64>,
    /// The session to wake when it is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// `approval.list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only with this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ApprovalStatus>,
    /// Only of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Only on this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `approval.get`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The approval.
    pub approval: ApprovalId,
}

/// Earlier decisions on the same rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Past {
    /// How often it was asked before.
    pub asked: i64,
    /// How often a human said yes.
    pub approved: i64,
    /// How often a human said no.
    pub denied: i64,
}

/// What `approval.get` answers: the approval itself, and beside its fields what bears on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ApprovalDetail")]
pub struct Detail {
    /// The approval with its statement and digest.
    #[serde(flatten)]
    pub approval: Approval,
    /// Earlier decisions on the same rule.
    pub past: Past,
    /// The agent's last calls on the same task that failed, newest first, at most 5.
    pub failed_calls: Vec<ToolCall>,
    /// The title of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_title: Option<String>,
}

/// `approval.approve`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// The approval.
    pub approval: ApprovalId,
    /// The revision that was on screen; another one is a conflict.
    pub rev: i64,
    /// The digest that was on screen; another one is a conflict.
    pub digest: String,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Makes a standing rule of it; never for red calls, shells, interpreters and wrappers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remember: Option<Remember>,
}

/// How an approval is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remember {
    /// For whom the rule counts.
    pub scope: RuleScope,
    /// How long, in seconds; at most 30 days.
    pub for_s: i64,
    /// How often it may be used; without limit when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<i64>,
    /// For a single simple command: how many of its first words a later call must repeat; all of
    /// them, and no more, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_words: Option<i64>,
}

/// `approval.edit`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ApprovalEditParams")]
pub struct Edit {
    /// The approval.
    pub approval: ApprovalId,
    /// The revision that was on screen; another one is a conflict.
    pub rev: i64,
    /// The digest that was on screen; another one is a conflict.
    pub digest: String,
    /// The arguments that shall run instead, whole; none of them a secret, masked or not.
    pub arguments: Value,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What is decided about a marked set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No.
    #[default]
    Deny,
    /// Yes, once each.
    Approve,
}

/// One approval of a marked set, as it was on screen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Marked {
    /// The approval.
    pub approval: ApprovalId,
    /// The revision that was on screen.
    pub rev: i64,
    /// The digest that was on screen.
    pub digest: String,
}

/// `approval.decide`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// Yes or no, for all; yes only to green and yellow ones.
    pub decision: Verdict,
    /// The marked ones, at most 50.
    pub items: Vec<Marked>,
    /// A note; the reason that the agents get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What became of one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decided {
    /// The approval.
    pub approval: ApprovalId,
    /// The event; missing where it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    /// What was done, or why nothing was.
    pub text: String,
}

/// What `approval.decide` answers: one receipt each, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecidedSet {
    /// The receipts.
    pub receipts: Vec<Decided>,
}

/// `rule.list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RuleList")]
pub struct RuleList {
    /// Also those that ended or were revoked.
    #[serde(default)]
    pub all: bool,
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `rule.revoke`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RuleRevoke")]
pub struct RuleRevoke {
    /// The standing rule.
    pub rule: RuleId,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `approval.deny`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// The approval.
    pub approval: ApprovalId,
    /// The revision that was on screen; another one is a conflict.
    pub rev: i64,
    /// The digest that was on screen; another one is a conflict.
    pub digest: String,
    /// The reason that the agent gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// `approval.cancel`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// The approval.
    pub approval: ApprovalId,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was decided, and the event that records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ApprovalReceipt")]
pub struct Receipt {
    /// The approval as it is now.
    pub approval: Approval,
    /// The event.
    pub event: EventId,
    /// What was done, in one sentence.
    pub text: String,
    /// The standing rule that was made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<StandingRule>,
}
