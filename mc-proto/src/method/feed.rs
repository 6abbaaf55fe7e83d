//! Live views, and the runtimes that take orders.

use mc_core::{
    agent::{AgentName, Runtime},
    alert::{Alert, Notification},
    approval::Approval,
    event::Recorded,
    id::Seq,
    run::{Run, ToolCall},
    squad::Squad,
    task::TaskCard,
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{agent::AgentView, squad::Status};

/// `snapshot.get`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotGet {}

/// Everything that a board shows, at one point of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// Counters and versions.
    pub status: Status,
    /// Every task that is not closed (at most 10,000, newest first), and the 200 last closed.
    pub tasks: Vec<TaskCard>,
    /// Every agent that is not retired.
    pub agents: Vec<AgentView>,
    /// Every approval that waits, and the 50 last decided.
    pub approvals: Vec<Approval>,
    /// Every alert that is not resolved (at most 500), and the 50 last resolved.
    pub alerts: Vec<Alert>,
    /// Every run that goes on.
    pub runs: Vec<Run>,
    /// The last 200 events, oldest first.
    pub events: Vec<Recorded>,
    /// The parts of this (`tasks`, `approvals`, …) that do not hold all of theirs, for it would be too
    /// long; the lists have the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<String>,
    /// The journal sequence that all of this reflects.
    pub head: Seq,
    /// The daemon's clock.
    pub now: Timestamp,
}

/// `feed.subscribe`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// Replay what came after this event first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Seq>,
    /// Only events whose kind begins with one of these (`task`, `approval`); empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
}

/// `feed.unsubscribe`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unsubscribe {}

/// The newest event; also what `feed.lagged` carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Head {
    /// The journal sequence.
    pub head: Seq,
}

/// What `beat` carries, every 5 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BeatNotice {
    /// The daemon's clock.
    pub now: Timestamp,
    /// The newest event.
    pub head: Seq,
}

/// An entity as it is after an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Changed {
    /// A task.
    Task {
        /// Its card.
        task: TaskCard,
    },
    /// An agent.
    Agent {
        /// The agent, with what is derived about it.
        agent: Box<AgentView>,
    },
    /// A run.
    Run {
        /// The run.
        run: Box<Run>,
    },
    /// A tool call.
    Call {
        /// The call.
        call: Box<ToolCall>,
    },
    /// An approval.
    Approval {
        /// The approval.
        approval: Box<Approval>,
    },
    /// An alert.
    Alert {
        /// The alert.
        alert: Alert,
    },
    /// A notification.
    Notification {
        /// The notification.
        notification: Notification,
    },
    /// The squad.
    Squad {
        /// The squad.
        squad: Squad,
    },
}

/// What `feed.item` carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeedItem {
    /// The event's place in the journal.
    pub seq: Seq,
    /// What happened.
    pub event: Recorded,
    /// What it changed, whole; replace, don't compute. Empty while replaying old events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
}

/// What a runtime can be ordered to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Asks before each tool call and run.
    Gate,
    /// Ends sessions (`runtime.abort`).
    Abort,
    /// Brings a text to an agent (`runtime.deliver`).
    Deliver,
    /// Answers the runtime's own questions before commands, by `tool.confirm`: the second lock.
    Confirm,
    /// Runs its agents' sessions in the very process behind the connection: its end is theirs.
    Host,
}

/// `runtime.attach`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    /// What stands behind the connection.
    pub runtime: Runtime,
    /// Its version.
    pub version: String,
    /// The agents that it serves; only those enrolled for the adapter.
    pub agents: Vec<AgentName>,
    /// What it can be ordered to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Capability>,
}

/// What `runtime.attach` and `runtime.report` answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attached {
    /// Whether the emergency stop is in force.
    pub halted: bool,
    /// The file that says whether it is: nothing is stopped if its first byte is `0` and nobody touched it.
    pub halt_file: String,
    /// How long a call should be held for a human.
    pub hold_ms: u64,
}

/// Whether a runtime asks before it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Governed {
    /// The gate is in force.
    Governed,
    /// The gate is missing or disabled.
    Ungoverned,
}

/// `runtime.report`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The runtime.
    pub runtime: Runtime,
    /// Whether it asks before it acts.
    pub state: Governed,
    /// What was seen.
    pub detail: String,
    /// How many tool calls of the agent that the request names ended since the last report although
    /// its gate had let none of them through; with `ungoverned`. The agent is quarantined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchecked: Option<i64>,
}

/// An order to a runtime: end a session with its sub-agents and background commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Abort {
    /// The agent whose session it is.
    pub agent: AgentName,
    /// The session key; `None` means every session of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Why.
    pub reason: String,
}

/// What a runtime answers to [`Abort`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Aborted {
    /// Whether the session was seen to end.
    pub ended: bool,
    /// In words.
    #[serde(default)]
    pub detail: String,
}

/// An order to a runtime: bring a text to an agent, and wake it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deliver {
    /// The agent.
    pub agent: AgentName,
    /// The session; `None` means its main session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The text.
    pub text: String,
    /// The same id is delivered once.
    pub id: String,
}
