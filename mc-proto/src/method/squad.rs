//! The squad, budgets, alerts and notifications on the wire.

use std::collections::BTreeMap;

use mc_core::{
    agent::AgentName,
    alert::AlertStatus,
    budget::{Reservation, Scope},
    id::{AlertId, EventId, NotificationId, ReservationId, RunId, Seq, TaskId},
    money::{CostState, MicroUsd},
    squad::Squad,
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `squad.status`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusGet {}

/// What `squad.status` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SquadState")]
pub struct Status {
    /// The squad.
    pub squad: Squad,
    /// Whether the emergency stop is in force.
    pub halted: bool,
    /// Tasks by state.
    pub tasks: BTreeMap<String, i64>,
    /// Agents by status.
    pub agents: BTreeMap<String, i64>,
    /// Agents with a run that goes on.
    pub working: i64,
    /// Approvals that wait.
    pub approvals_waiting: i64,
    /// Open alerts by severity.
    pub alerts: BTreeMap<String, i64>,
    /// What all agents spent today.
    pub spent_today_uusd: MicroUsd,
    /// How that is known, the least certain of all; `None` when nothing was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_state: Option<CostState>,
    /// The squad's daily cap, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cap_uusd: Option<MicroUsd>,
    /// Whether some spend has no known price.
    pub unpriced: bool,
    /// What budgets count for today's spend without a price, at the dearest rate; not part of
    /// `spent_today_uusd`.
    #[serde(default)]
    pub unpriced_today_uusd: MicroUsd,
    /// Whether agents share the operator's uid.
    pub shared_uid: bool,
    /// The sinks that did not take what they were sent last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks_failing: Vec<String>,
    /// The daemon's version.
    pub version: String,
    /// Since when the daemon runs.
    pub started_at: Timestamp,
    /// Whether writes are refused at the moment, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<String>,
    /// The newest event.
    pub head: Seq,
    /// The daemon's clock.
    pub now: Timestamp,
}

macro_rules! with_reason {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Why; goes into the record.
            pub reason: String,
        }
    )*};
}

with_reason! {
    /// `squad.pause`
    Pause;
    /// `squad.resume`
    Resume;
    /// `squad.drain`
    Drain;
    /// `squad.emergency_stop`
    EmergencyStop;
}

/// `squad.emergency_resume`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmergencyResume {
    /// Why; goes into the record.
    pub reason: String,
    /// The tasks to move back to where they were; all by default. What is left out can be moved back
    /// by a later call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<TaskId>>,
    /// Moves only tasks of these agents back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<AgentName>>,
}

/// `squad.end_runtime`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndRuntime {
    /// The process, as the report of the stop offers it.
    pub pid: i32,
    /// Why; goes into the record.
    pub reason: String,
}

/// What became of one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentReceipt {
    /// The agent.
    pub agent: AgentName,
    /// Whether it had a run that goes on.
    pub was_working: bool,
    /// Whether a runtime is attached that was told to end its sessions.
    pub told: bool,
    /// In words.
    pub text: String,
}

/// What became of the squad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SquadReceipt")]
pub struct Receipt {
    /// What was done, in one sentence.
    pub text: String,
    /// The squad as it is now.
    pub squad: Squad,
    /// What became of each agent.
    pub agents: Vec<AgentReceipt>,
    /// Tasks that were moved, at most 200.
    pub tasks: Vec<TaskId>,
    /// How many tasks are moved right after that, a few at a time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: i64,
    /// Approvals that were canceled.
    pub approvals: i64,
    /// The event; `None` while it is still being written (the stop itself holds already).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
}

/// `budget.get`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetGet {
    /// Only of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Only of this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Only of this run, with all that it spends from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// A cap and what is spent of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Budget {
    /// What is capped.
    pub scope: Scope,
    /// The run, the task, the agent or the squad.
    pub of: String,
    /// The cap; `None` means no cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_uusd: Option<MicroUsd>,
    /// How much of the cap was granted by overrides.
    #[serde(default)]
    pub granted_uusd: MicroUsd,
    /// What is spent, as it counts: what has no price at the dearest known rate.
    pub spent_uusd: MicroUsd,
    /// The part of it that has no known price.
    #[serde(default)]
    pub unpriced_uusd: MicroUsd,
    /// Of an agent's day, the part that its sub-agents spent: reports charge it to them alone.
    #[serde(default)]
    pub sub_agents_uusd: MicroUsd,
    /// What is reserved and not settled.
    #[serde(default)]
    pub reserved_uusd: MicroUsd,
    /// Whether some of it has no known price.
    pub unpriced: bool,
    /// How the spend is known, the least certain of all; `None` when nothing was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CostState>,
    /// The cap in tokens; `None` means no cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_tokens: Option<i64>,
    /// The tokens that were used.
    #[serde(default)]
    pub spent_tokens: i64,
    /// The tokens that are reserved and not settled.
    #[serde(default)]
    pub reserved_tokens: i64,
    /// The share that is spent, in percent, of the cap that is nearest.
    #[serde(default)]
    pub percent: i64,
}

/// What `budget.get` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Budgets {
    /// The day that daily caps count, `YYYY-MM-DD`.
    pub day: String,
    /// The caps.
    pub budgets: Vec<Budget>,
    /// What is reserved and not settled, oldest first, at most 200.
    #[serde(default)]
    pub reservations: Vec<Reservation>,
}

/// `budget.set`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetSet {
    /// What is capped: each run of an agent, a task, an agent's days, the squad's days or months.
    pub scope: Scope,
    /// The agent or the task; nothing for the squad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The cap in micro-dollars. Below what is spent nothing more may be spent, at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_uusd: Option<MicroUsd>,
    /// The cap in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_tokens: Option<i64>,
    /// Whether the policy's caps are to count again.
    #[serde(default)]
    pub clear: bool,
    /// Why; goes into the record.
    pub reason: String,
}

/// `budget.release`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetRelease {
    /// The reservation that was never settled.
    pub reservation: ReservationId,
    /// What was really spent of it; nothing by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_uusd: Option<MicroUsd>,
    /// Why; goes into the record.
    pub reason: String,
}

/// `alert.list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertList {
    /// Only with this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AlertStatus>,
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

macro_rules! of_alert {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The alert.
            pub alert: AlertId,
            /// A note.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub note: Option<String>,
        }
    )*};
}

of_alert! {
    /// `alert.ack`
    AlertAck;
    /// `alert.resolve`
    AlertResolve;
}

/// `notification.list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotificationList {
    /// Only those that were not acknowledged.
    #[serde(default)]
    pub unread: bool,
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `notification.ack`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotificationAck {
    /// The notification.
    pub notification: NotificationId,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(count: &i64) -> bool {
    *count == 0
}
