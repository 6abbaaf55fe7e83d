//! Agents and adapters on the wire.

use std::collections::BTreeMap;

use mc_core::{
    actor::Actor,
    agent::{Agent, AgentName, AgentPatch, Autonomy, Liveness, Runtime},
    alert::Notification,
    approval::Approval,
    evidence::Evidence,
    id::{ApprovalId, RunId, Seq, TaskId},
    money::{CostState, MicroUsd},
    task::TaskCard,
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::admin::JournalRow;

/// `agent.register`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// A unique slug.
    pub name: AgentName,
    /// How far it may go by itself.
    pub autonomy: Autonomy,
    /// What runs it.
    pub runtime: Runtime,
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The absolute path of its workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The task types that it may claim; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_types: Vec<String>,
    /// The only tools it may use; empty means that the policy decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools_allow: Vec<String>,
    /// Tools that it may never use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools_deny: Vec<String>,
    /// What it may spend in a day; default by autonomy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cap_uusd: Option<MicroUsd>,
    /// What one run may spend; default by autonomy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_cap_uusd: Option<MicroUsd>,
    /// Whether it may register children.
    #[serde(default)]
    pub can_spawn: bool,
    /// The agent that spawns it; an agent can only name itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<AgentName>,
    /// What it is spawned for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The task that it is spawned for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What `agent.register` answers. The token is shown here and never again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// The agent.
    pub agent: Agent,
    /// Its token; keep it in a file of mode 0600.
    pub token: String,
}

/// An agent with what is derived about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentView {
    /// The agent.
    #[serde(flatten)]
    pub agent: Agent,
    /// Whether it has been heard of.
    pub liveness: Liveness,
    /// When it was last heard of, since the daemon began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heartbeat: Option<Timestamp>,
    /// Since when it works without getting on, once that is too long; see `[agents]` in the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<Timestamp>,
    /// The runtimes that are attached for it, such as `openclaw 2026.9.6`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<String>,
    /// Whether its runtime asks a second time before a command runs.
    #[serde(default)]
    pub has_second_lock: bool,
    /// What it spent today.
    pub today_uusd: MicroUsd,
    /// How that is known, the least certain of all; `None` when nothing was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub today_state: Option<CostState>,
}

/// `agent.get`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The agent.
    pub agent: AgentName,
}

/// `agent.list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `agent.tree`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tree {}

/// An agent and its children.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeNode {
    /// The agent.
    pub agent: AgentView,
    /// The agents that it spawned.
    pub children: Vec<TreeNode>,
}

/// What `agent.tree` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeResult {
    /// The agents without a parent.
    pub roots: Vec<TreeNode>,
}

/// `agent.evidence`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceGet {
    /// The agent.
    pub agent: AgentName,
    /// How many events, at most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// By which event evidence was kept: who quarantined the agent, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// The event.
    pub seq: Seq,
    /// Its hash, in hex: together a head for `audit.verify`.
    pub hash: String,
    /// When.
    pub at: Timestamp,
    /// Who quarantined the agent.
    pub by: Actor,
    /// By what: a method, a timer.
    pub cause: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What `agent.evidence` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bundle {
    /// The agent as it is now.
    pub now: Agent,
    /// By which event the evidence was kept; `None` when it was never quarantined, or before
    /// evidence was kept: then all of it is as of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
    /// How the agent stood.
    pub evidence: Evidence,
    /// The last events by it or about it up to then, oldest first, each with its hash; at most as
    /// many as asked for, and 1 MiB.
    pub events: Vec<JournalRow>,
    /// The first event that was looked at for them.
    pub looked_from: Seq,
    /// The newest event of the journal now.
    pub head: Seq,
    /// Its hash, in hex.
    pub head_hash: String,
}

/// `agent.update`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// The agent.
    pub agent: AgentName,
    /// The revision that the caller saw; another one is a conflict.
    pub rev: i64,
    /// What changes.
    pub set: AgentPatch,
}

/// `agent.rotate_token`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateToken {
    /// The agent, or an adapter's name.
    pub agent: String,
}

/// `agent.revoke_token`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeToken {
    /// The agent, or an adapter's name.
    pub agent: String,
}

/// A new token, shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Whose it is.
    pub name: String,
    /// The token; keep it in a file of mode 0600.
    pub token: String,
    /// Until when the older ones are good.
    pub old_until: Timestamp,
}

/// That it was done, with nothing to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// What was done, in one sentence.
    pub text: String,
}

/// How an agent feels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Can work.
    #[default]
    Healthy,
    /// Works.
    Busy,
    /// Has nothing to do.
    Idle,
}

/// `agent.heartbeat`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// How it feels.
    #[serde(default)]
    pub status: Health,
    /// The session that is alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The task that it believes to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_task: Option<TaskId>,
}

/// What an agent has to do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// End the turn; start nothing.
    Pause,
    /// End the turn; everything is stopped.
    Stop,
    /// Finish the task, take nothing new.
    Drain,
}

/// What is left to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Remaining {
    /// Of the agent's day.
    pub day_uusd: MicroUsd,
    /// Of one run.
    pub run_uusd: MicroUsd,
    /// Of the current task, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_uusd: Option<MicroUsd>,
}

/// What `agent.heartbeat` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Beat {
    /// Unread, oldest first, at most 50; acknowledge each.
    pub notifications: Vec<Notification>,
    /// The agent's open tasks.
    pub assigned: Vec<TaskCard>,
    /// Inbox tasks of its types, most urgent first, at most 20.
    pub claimable: Vec<TaskCard>,
    /// Its approvals that were decided and not used yet.
    pub decisions: Vec<Approval>,
    /// What is left to spend.
    pub budget: Remaining,
    /// What it has to do at once.
    pub orders: Vec<Order>,
}

macro_rules! with_reason {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The agent.
            pub agent: AgentName,
            /// Why; goes into the record.
            pub reason: String,
        }
    )*};
}

with_reason! {
    /// `agent.pause`
    Pause;
    /// `agent.resume`
    Resume;
    /// `agent.drain`
    Drain;
    /// `agent.quarantine`
    Quarantine;
    /// `agent.stop`
    Stop;
}

/// What a change of an agent's status touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Touched {
    /// The agent as it is now.
    pub agent: Agent,
    /// Tasks that were moved.
    pub tasks: Vec<TaskId>,
    /// Approvals that were canceled.
    pub approvals: Vec<ApprovalId>,
    /// Runs that were told to end.
    pub runs: Vec<RunId>,
}

/// `adapter.enrol`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdapterEnrol {
    /// A unique slug, such as `openclaw-plugin`. Enrolling a name again replaces agents and token.
    pub name: AgentName,
    /// What it adapts.
    pub runtime: Runtime,
    /// The agents that it may name.
    pub agents: Vec<AgentName>,
}

/// What `adapter.enrol` answers. The token is shown here and never again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AdapterToken {
    /// The adapter's name.
    pub name: AgentName,
    /// Its token; keep it in a file of mode 0600.
    pub token: String,
}
