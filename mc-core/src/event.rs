//! Events: everything that ever changed anything, in the words of the past.
//!
//! An event holds all that its projection needs; nothing is looked up elsewhere. Kinds and fields
//! may be added, never renamed: old journals are read for ever.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    actor::{Actor, Role},
    agent::{Agent, AgentName, AgentPatch, AgentStatus, Runtime},
    alert::{Alert, AlertStatus, Notification},
    approval::{Approval, ApprovalStatus},
    id::{AlertId, ApprovalId, CallId, NotificationId, RunId, Seq, TaskId},
    message::{Artifact, Message},
    money::{CostState, MicroUsd, Tokens},
    run::{CallStatus, Run, RunStatus, ToolCall},
    squad::{SquadStatus, StoppedTask},
    task::{MoveDetails, Task, TaskPatch, TaskState},
    time::Timestamp,
};

/// One row of the journal, without its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recorded {
    /// Its place in the one total order.
    pub seq: Seq,
    /// When it was decided.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// What caused it: a method, a request, an approval, a timer.
    pub cause: String,
    /// Why, in the actor's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A task was created.
    TaskCreated {
        /// The task as it began.
        task: Box<Task>,
    },
    /// Fields of a task were changed.
    TaskUpdated {
        /// The task.
        task: TaskId,
        /// What changed.
        patch: TaskPatch,
    },
    /// A task moved to another state.
    TaskMoved {
        /// The task.
        task: TaskId,
        /// Where it was.
        from: TaskState,
        /// Where it is now.
        to: TaskState,
        /// What came with the move.
        details: Box<MoveDetails>,
    },
    /// An agent claimed a task and holds it.
    TaskClaimed {
        /// The task.
        task: TaskId,
        /// The agent.
        agent: AgentName,
        /// The task's fence from now on.
        fence: i64,
    },
    /// Somebody follows a task.
    TaskSubscribed {
        /// The task.
        task: TaskId,
        /// The agent or operator.
        name: String,
    },
    /// Somebody no longer follows a task.
    TaskUnsubscribed {
        /// The task.
        task: TaskId,
        /// The agent or operator.
        name: String,
    },
    /// A message was posted.
    MessagePosted {
        /// The message.
        message: Box<Message>,
    },
    /// An artifact was stored.
    ArtifactStored {
        /// What is known of it; the content lies beside the journal, under its hash.
        artifact: Box<Artifact>,
    },
    /// An agent was registered.
    AgentRegistered {
        /// The agent as it began.
        agent: Box<Agent>,
        /// Hash of its token, in hex.
        token_sha256: String,
    },
    /// Fields of an agent were changed.
    AgentUpdated {
        /// The agent.
        agent: AgentName,
        /// What changed.
        patch: Box<AgentPatch>,
    },
    /// An agent was paused, resumed, drained, quarantined or stopped.
    AgentStatusChanged {
        /// The agent.
        agent: AgentName,
        /// What it was.
        from: AgentStatus,
        /// What it is.
        to: AgentStatus,
    },
    /// An agent or adapter got a new token; the old one ends at `old_until`.
    TokenRotated {
        /// The agent's or adapter's name.
        name: String,
        /// Hash of the new token, in hex.
        token_sha256: String,
        /// Until when the older ones are good.
        old_until: Timestamp,
    },
    /// All tokens of an agent or adapter ended.
    TokenRevoked {
        /// The agent's or adapter's name.
        name: String,
    },
    /// An adapter may speak for agents.
    AdapterEnrolled {
        /// Its name.
        name: String,
        /// What it adapts.
        runtime: Runtime,
        /// The agents that it may name.
        agents: Vec<AgentName>,
        /// Hash of its token, in hex.
        token_sha256: String,
    },
    /// An adapter connected and said what it can do.
    RuntimeAttached {
        /// The adapter's or agent's name.
        name: String,
        /// What it adapts.
        runtime: Runtime,
        /// The runtime's version.
        version: String,
        /// The agents that it serves.
        agents: Vec<AgentName>,
    },
    /// An adapter's connection ended.
    RuntimeDetached {
        /// The adapter's or agent's name.
        name: String,
        /// What it adapted.
        runtime: Runtime,
    },
    /// A run began.
    RunStarted {
        /// The run as it began.
        run: Box<Run>,
    },
    /// A run used a model.
    RunUsed {
        /// The run.
        run: RunId,
        /// Whose run it is.
        agent: AgentName,
        /// The task that pays.
        task: Option<TaskId>,
        /// The model.
        model: String,
        /// What was used.
        tokens: Tokens,
        /// What it cost; zero when the price is unknown.
        cost_uusd: MicroUsd,
        /// How the cost is known.
        cost_state: CostState,
        /// The day that it counts for, `YYYY-MM-DD` in the configured zone.
        day: String,
    },
    /// A run ended.
    RunFinished {
        /// The run.
        run: RunId,
        /// Whose run it was.
        agent: AgentName,
        /// The task that it worked on.
        task: Option<TaskId>,
        /// How it ended.
        status: RunStatus,
        /// What went wrong.
        error: Option<String>,
    },
    /// A tool call was checked.
    ToolChecked {
        /// The call with its decision.
        call: Box<ToolCall>,
    },
    /// A waiting or allowed call changed: it got its lease, ran, failed or was dropped.
    ToolChanged {
        /// The call.
        call: CallId,
        /// Whose call it is.
        agent: AgentName,
        /// The task that it serves.
        task: Option<TaskId>,
        /// How it stands now.
        status: CallStatus,
        /// Until when it must have started.
        lease_expires_at: Option<Timestamp>,
        /// How long it ran.
        duration_ms: Option<i64>,
        /// Its result, redacted and cut.
        result_preview: Option<String>,
        /// Hash of its whole result, in hex.
        result_sha256: Option<String>,
        /// What went wrong, redacted.
        error: Option<String>,
    },
    /// An approval was asked for.
    ApprovalRequested {
        /// The approval.
        approval: Box<Approval>,
    },
    /// An approval was decided, expired or was canceled.
    ApprovalClosed {
        /// The approval.
        approval: ApprovalId,
        /// Who had asked.
        agent: AgentName,
        /// The task that waited.
        task: Option<TaskId>,
        /// How it ended.
        status: ApprovalStatus,
        /// The note; a denial's reason.
        note: Option<String>,
    },
    /// An approval was used, which happens once.
    ApprovalUsed {
        /// The approval.
        approval: ApprovalId,
        /// Who used it.
        agent: AgentName,
        /// The task that it serves.
        task: Option<TaskId>,
        /// The call that used it.
        call: Option<CallId>,
    },
    /// The runtime no longer holds the call that waits for an approval.
    ApprovalDropped {
        /// The approval.
        approval: ApprovalId,
        /// Who had asked.
        agent: AgentName,
        /// The task that waits.
        task: Option<TaskId>,
    },
    /// An alert was raised.
    AlertRaised {
        /// The alert.
        alert: Box<Alert>,
    },
    /// An alert was acknowledged or resolved.
    AlertChanged {
        /// The alert.
        alert: AlertId,
        /// The task that it concerns.
        task: Option<TaskId>,
        /// How it stands now.
        status: AlertStatus,
        /// Their note.
        note: Option<String>,
    },
    /// A notification was queued.
    NotificationQueued {
        /// The notification.
        notification: Box<Notification>,
    },
    /// A notification reached its receiver.
    NotificationAcked {
        /// The notification.
        notification: NotificationId,
    },
    /// The squad was set up.
    SquadCreated {
        /// Its name.
        name: String,
    },
    /// The squad was paused, resumed, stopped.
    SquadStatusChanged {
        /// What it was.
        from: SquadStatus,
        /// What it is.
        to: SquadStatus,
        /// What the stop moved to Blocked; on resume what was moved back.
        tasks: Vec<StoppedTask>,
    },
    /// A policy came into force.
    PolicyActivated {
        /// Its version.
        version: i64,
        /// Hash of its text, in hex.
        sha256: String,
        /// The file, word for word.
        text: String,
        /// Why it was changed.
        note: Option<String>,
    },
    /// An operator unlocked a connection, or failed to.
    OperatorUnlocked {
        /// The operator.
        operator: String,
        /// Their role.
        role: Role,
        /// Whether the passphrase was right.
        success: bool,
    },
    /// The wall clock jumped by more than five seconds.
    ClockJumped {
        /// By how much; negative is backwards.
        by_ms: i64,
    },
}

impl Event {
    /// Returns the task that the event belongs to, for its timeline.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Self::TaskCreated { task } => Some(task.id),
            Self::TaskUpdated { task, .. }
            | Self::TaskMoved { task, .. }
            | Self::TaskClaimed { task, .. }
            | Self::TaskSubscribed { task, .. }
            | Self::TaskUnsubscribed { task, .. } => Some(*task),
            Self::MessagePosted { message } => Some(message.task),
            Self::ArtifactStored { artifact } => Some(artifact.task),
            Self::RunStarted { run } => run.task,
            Self::ToolChecked { call } => call.task,
            Self::ApprovalRequested { approval } => approval.task,
            Self::RunUsed { task, .. }
            | Self::RunFinished { task, .. }
            | Self::ToolChanged { task, .. }
            | Self::ApprovalClosed { task, .. }
            | Self::ApprovalUsed { task, .. }
            | Self::ApprovalDropped { task, .. }
            | Self::AlertChanged { task, .. } => *task,
            Self::AlertRaised { alert } => alert.task,
            Self::NotificationQueued { notification } => notification.task,
            Self::AgentRegistered { agent, .. } => agent.serves,
            Self::AgentUpdated { .. }
            | Self::AgentStatusChanged { .. }
            | Self::TokenRotated { .. }
            | Self::TokenRevoked { .. }
            | Self::AdapterEnrolled { .. }
            | Self::RuntimeAttached { .. }
            | Self::RuntimeDetached { .. }
            | Self::NotificationAcked { .. }
            | Self::SquadCreated { .. }
            | Self::SquadStatusChanged { .. }
            | Self::PolicyActivated { .. }
            | Self::OperatorUnlocked { .. }
            | Self::ClockJumped { .. } => None,
        }
    }

    /// Returns the agent that the event is about, whoever acted.
    pub fn agent(&self) -> Option<&AgentName> {
        match self {
            Self::TaskClaimed { agent, .. }
            | Self::AgentUpdated { agent, .. }
            | Self::AgentStatusChanged { agent, .. }
            | Self::RunUsed { agent, .. }
            | Self::RunFinished { agent, .. }
            | Self::ToolChanged { agent, .. }
            | Self::ApprovalClosed { agent, .. }
            | Self::ApprovalUsed { agent, .. }
            | Self::ApprovalDropped { agent, .. } => Some(agent),
            Self::AgentRegistered { agent, .. } => Some(&agent.name),
            Self::RunStarted { run } => Some(&run.agent),
            Self::ToolChecked { call } => Some(&call.agent),
            Self::ApprovalRequested { approval } => Some(&approval.agent),
            Self::AlertRaised { alert } => alert.agent.as_ref(),
            Self::TaskCreated { .. }
            | Self::TaskUpdated { .. }
            | Self::TaskMoved { .. }
            | Self::TaskSubscribed { .. }
            | Self::TaskUnsubscribed { .. }
            | Self::MessagePosted { .. }
            | Self::ArtifactStored { .. }
            | Self::TokenRotated { .. }
            | Self::TokenRevoked { .. }
            | Self::AdapterEnrolled { .. }
            | Self::RuntimeAttached { .. }
            | Self::RuntimeDetached { .. }
            | Self::AlertChanged { .. }
            | Self::NotificationQueued { .. }
            | Self::NotificationAcked { .. }
            | Self::SquadCreated { .. }
            | Self::SquadStatusChanged { .. }
            | Self::PolicyActivated { .. }
            | Self::OperatorUnlocked { .. }
            | Self::ClockJumped { .. } => None,
        }
    }

    /// Returns the word that names its kind on the wire and in the journal.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TaskCreated { .. } => "task_created",
            Self::TaskUpdated { .. } => "task_updated",
            Self::TaskMoved { .. } => "task_moved",
            Self::TaskClaimed { .. } => "task_claimed",
            Self::TaskSubscribed { .. } => "task_subscribed",
            Self::TaskUnsubscribed { .. } => "task_unsubscribed",
            Self::MessagePosted { .. } => "message_posted",
            Self::ArtifactStored { .. } => "artifact_stored",
            Self::AgentRegistered { .. } => "agent_registered",
            Self::AgentUpdated { .. } => "agent_updated",
            Self::AgentStatusChanged { .. } => "agent_status_changed",
            Self::TokenRotated { .. } => "token_rotated",
            Self::TokenRevoked { .. } => "token_revoked",
            Self::AdapterEnrolled { .. } => "adapter_enrolled",
            Self::RuntimeAttached { .. } => "runtime_attached",
            Self::RuntimeDetached { .. } => "runtime_detached",
            Self::RunStarted { .. } => "run_started",
            Self::RunUsed { .. } => "run_used",
            Self::RunFinished { .. } => "run_finished",
            Self::ToolChecked { .. } => "tool_checked",
            Self::ToolChanged { .. } => "tool_changed",
            Self::ApprovalRequested { .. } => "approval_requested",
            Self::ApprovalClosed { .. } => "approval_closed",
            Self::ApprovalUsed { .. } => "approval_used",
            Self::ApprovalDropped { .. } => "approval_dropped",
            Self::AlertRaised { .. } => "alert_raised",
            Self::AlertChanged { .. } => "alert_changed",
            Self::NotificationQueued { .. } => "notification_queued",
            Self::NotificationAcked { .. } => "notification_acked",
            Self::SquadCreated { .. } => "squad_created",
            Self::SquadStatusChanged { .. } => "squad_status_changed",
            Self::PolicyActivated { .. } => "policy_activated",
            Self::OperatorUnlocked { .. } => "operator_unlocked",
            Self::ClockJumped { .. } => "clock_jumped",
        }
    }
}
