//! Approvals on the wire.

use mc_core::{
    agent::AgentName,
    approval::{Approval, ApprovalKind, ApprovalStatus},
    id::{ApprovalId, EventId, TaskId},
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
}
