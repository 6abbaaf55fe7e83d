//! Alerts and notifications: what a person or an agent has to know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::AgentName,
    budget::ScopeKey,
    id::{AlertId, ApprovalId, NotificationId, ReservationId, TaskId},
    time::Timestamp,
};

/// How bad it is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Look soon.
    Warning,
    /// Something failed.
    Error,
    /// Look now.
    Critical,
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A cap is near or reached.
    Budget,
    /// Work that goes in circles.
    Loop,
    /// Failure after failure.
    ErrorStreak,
    /// An approval waits long.
    ApprovalWaiting,
    /// An approval ended without an answer.
    ApprovalExpired,
    /// An agent that holds a task is not heard of.
    HeartbeatLost,
    /// An agent works without getting on.
    NoProgress,
    /// An agent asked for what the deny list names; one alert until it is resolved.
    PolicyViolation,
    /// Someone does what they must not, or a guard is missing.
    Security,
    /// The store could not write for a while.
    Storage,
    /// A notice could not be delivered.
    Delivery,
    /// A schedule could not create its tasks, or not all of them.
    Schedule,
}

/// How an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// Nobody has looked.
    #[default]
    Open,
    /// Somebody has seen it.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// Something that a person has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Its number.
    pub id: AlertId,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub kind: AlertKind,
    /// What happened, in one sentence.
    pub text: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The task concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The agent concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// The approval concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// The reservation concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<ReservationId>,
    /// The budget concerned: when that is no longer spent so far, the alert ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<OfBudget>,
    /// How often the same happened again while it was not resolved.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeated: i64,
    /// How it stands.
    pub status: AlertStatus,
    /// Who acknowledged or resolved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Their note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it was raised.
    pub at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &i64) -> bool {
    *count == 0
}

/// What an alert about a budget tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OfBudget {
    /// Which.
    pub key: ScopeKey,
    /// The share that is spent, in percent, that it tells of; 100 where nothing more may be spent.
    pub percent: i64,
}

/// What a notification tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// Somebody named you.
    Mention,
    /// A task is yours now, or came back to you.
    Assignment,
    /// Your approval was decided.
    ApprovalDecided,
    /// Somebody asks for an approval.
    ApprovalRequested,
    /// An alert was raised.
    Alert,
    /// A summary.
    Digest,
}

/// One notice to one agent or operator; delivered at least once, under this id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notification {
    /// Its number, and the idempotency id of its delivery.
    pub id: NotificationId,
    /// The agent's or operator's name; `operator` means all operators.
    pub to: String,
    /// What it tells.
    pub kind: NotificationKind,
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// In one sentence.
    pub text: String,
    /// The line that may leave the machine; only notices to people have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
    /// The task concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The approval concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// The session to deliver it to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// When it was queued.
    pub at: Timestamp,
    /// When its receiver had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked_at: Option<Timestamp>,
}
