//! Events: everything that ever changed anything, in the words of the past.
//!
//! An event holds all that its projection needs; nothing is looked up elsewhere. Kinds and fields
//! may be added, never renamed: old journals are read for ever.

mod about;
mod approval;
mod recorded;
mod runtime;
mod schedule;
mod tool;

pub use approval::{
    ApprovalDropped, ApprovalEdited, ApprovalEndorsed, ApprovalReminded, ApprovalUsed,
};
pub use recorded::Recorded;
pub use runtime::{AdapterEnrolled, RuntimeAttached, RuntimeDetached};
pub use schedule::{ScheduleStatusChanged, ScheduleUpdated};
pub use tool::{ToolChanged, ToolConfirmed, ToolUnconfirmed};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    actor::Role,
    agent::{Agent, AgentName, AgentPatch, AgentStatus},
    alert::{Alert, AlertStatus, Notification},
    approval::{Approval, ApprovalStatus, StandingRule},
    budget::{Amount, Breach, BudgetDay, Caps, Charge, Correction, Reservation, Scope, ScopeKey},
    delivery::{Delivery, Schedule, Sink, Try},
    evidence::Evidence,
    id::{
        AlertId, ApprovalId, CallId, DeliveryId, NotificationId, ReservationId, RuleId, RunId,
        ScheduleId, TaskId,
    },
    message::{Artifact, Message},
    money::{CostState, MicroUsd, Tokens},
    operators::Operators,
    run::{Run, RunStatus, ToolCall},
    schedule::{TaskSchedule, Turn},
    squad::{Back, SquadStatus, StopReport, StoppedTask},
    task::{MoveDetails, Task, TaskPatch, TaskState},
    time::Timestamp,
};

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
    /// An agent lost its hold of a task: it was gone for too long.
    TaskReleased {
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
    /// How an agent stood when it was quarantined was kept.
    AgentEvidenceKept {
        /// The agent.
        agent: AgentName,
        /// How it stood.
        evidence: Box<Evidence>,
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
    AdapterEnrolled(AdapterEnrolled),
    /// An adapter connected and said what it can do.
    RuntimeAttached(RuntimeAttached),
    /// An adapter's connection ended.
    RuntimeDetached(RuntimeDetached),
    /// A run began.
    RunStarted {
        /// The run as it began.
        run: Box<Run>,
    },
    /// A run used a model, or a tool that costs something.
    RunUsed {
        /// The run; `None` for a tool call outside of one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
        /// Who used it.
        agent: AgentName,
        /// The task that pays.
        task: Option<TaskId>,
        /// The model, or `tool:` with the tool; empty where a person says what was spent.
        model: String,
        /// What was used.
        tokens: Tokens,
        /// What it cost; zero when the price is unknown.
        cost_uusd: MicroUsd,
        /// How the cost is known.
        cost_state: CostState,
        /// The day that it counts for, `YYYY-MM-DD` in the configured zone.
        day: String,
        /// How it is paid.
        #[serde(default)]
        charge: Box<Charge>,
    },
    /// An amount was promised before it is spent.
    BudgetReserved {
        /// The promise as it began.
        reservation: Box<Reservation>,
    },
    /// A promise was given back without a usage.
    BudgetReleased {
        /// The promise.
        reservation: ReservationId,
        /// Whose it was.
        agent: AgentName,
        /// The task that was to pay.
        task: Option<TaskId>,
    },
    /// Caps were set that no other row holds: of the squad, and all that are in tokens.
    BudgetSet {
        /// What is capped.
        scope: Scope,
        /// The agent, the task, or `squad`.
        of: String,
        /// The task, when it is one.
        task: Option<TaskId>,
        /// The caps from now on.
        caps: Caps,
    },
    /// A person set a cap: what overrides had raised it by no longer counts.
    BudgetRaiseVoided {
        /// Whose cap.
        key: ScopeKey,
        /// The task, when it is one.
        task: Option<TaskId>,
    },
    /// An approved override raised a cap.
    BudgetRaised {
        /// Whose cap.
        key: ScopeKey,
        /// The task whose budget it is, when it is one.
        task: Option<TaskId>,
        /// By how much.
        by: Amount,
        /// The approval.
        approval: ApprovalId,
    },
    /// A scope has spent so much of its cap that somebody should know.
    BudgetWarned {
        /// Which.
        key: ScopeKey,
        /// The share, in percent, that is warned of.
        percent: i64,
        /// Who spent last.
        agent: AgentName,
        /// On what.
        task: Option<TaskId>,
    },
    /// A run spent too much, or too fast, and is over.
    BudgetBreached {
        /// All about it.
        breach: Box<Breach>,
    },
    /// A cost was computed anew.
    CostCorrected {
        /// What it was and is.
        correction: Box<Correction>,
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
    /// A run wanted to end without a word on its task, and was sent back, which happens once.
    RunSentBack {
        /// The run.
        run: RunId,
        /// Whose run it is.
        agent: AgentName,
        /// The task that it works on.
        task: Option<TaskId>,
        /// What it is to do first.
        missing: Vec<String>,
    },
    /// A tool call was checked.
    ToolChecked {
        /// The call with its decision.
        call: Box<ToolCall>,
    },
    /// A waiting or allowed call changed: it got its lease, ran, failed or was dropped.
    ToolChanged(ToolChanged),
    /// The runtime's own question about an allowed command was answered yes, which uses its lease.
    ToolConfirmed(ToolConfirmed),
    /// The runtime was about to run a command behind which no allowed call stands; it was refused.
    ToolUnconfirmed(ToolUnconfirmed),
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
    ApprovalUsed(ApprovalUsed),
    /// An operator changed what an approval is about; it waits for a decision on that.
    ApprovalEdited(ApprovalEdited),
    /// An approval still waits, and the operators were reminded.
    ApprovalReminded(ApprovalReminded),
    /// An operator said yes where the policy wants more than one.
    ApprovalEndorsed(ApprovalEndorsed),
    /// An approval was remembered as a standing rule.
    RuleRemembered {
        /// The rule as it began.
        rule: Box<StandingRule>,
    },
    /// A standing rule let a call pass.
    RuleUsed {
        /// The rule.
        rule: RuleId,
        /// Whose call it was.
        agent: AgentName,
        /// The task that it serves.
        task: Option<TaskId>,
        /// The call.
        call: CallId,
    },
    /// A standing rule was revoked.
    RuleRevoked {
        /// The rule.
        rule: RuleId,
        /// Why.
        reason: Option<String>,
    },
    /// The runtime no longer holds the call that waits for an approval.
    ApprovalDropped(ApprovalDropped),
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
    /// What an alert that is not resolved tells of happened again.
    AlertRepeated {
        /// The alert.
        alert: AlertId,
        /// The task that it concerns.
        task: Option<TaskId>,
        /// What it says now.
        text: String,
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
    /// The helper said which sinks it serves; deliveries of all others were dropped.
    SinksDeclared {
        /// The sinks.
        sinks: Vec<Sink>,
        /// When notices are sent and sent again.
        schedule: Schedule,
    },
    /// Notices were put together for a sink.
    DeliveryFormed {
        /// The delivery as it began.
        delivery: Box<Delivery>,
    },
    /// A sink was tried.
    DeliveryTried {
        /// The delivery.
        delivery: DeliveryId,
        /// The sink.
        sink: String,
        /// How the try ended.
        outcome: Try,
    },
    /// A delivery was not taken in time.
    DeliveryExpired {
        /// The delivery.
        delivery: DeliveryId,
        /// The sink.
        sink: String,
    },
    /// Notices were not sent to a sink in time.
    NoticesExpired {
        /// The sink.
        sink: String,
        /// The notices.
        notices: Vec<NotificationId>,
    },
    /// Somebody wants what waits to be tried now.
    DeliveriesRetried {
        /// Only of this sink.
        sink: Option<String>,
    },
    /// A schedule was set up.
    ScheduleCreated {
        /// The schedule as it began.
        schedule: Box<TaskSchedule>,
    },
    /// Fields of a schedule were changed.
    ScheduleUpdated(ScheduleUpdated),
    /// A schedule was paused, resumed or deleted.
    ScheduleStatusChanged(ScheduleStatusChanged),
    /// A schedule was due: once for all of its occurrences since it was last looked at.
    ScheduleCame {
        /// The schedule.
        schedule: ScheduleId,
        /// What was made of them.
        turn: Box<Turn>,
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
        /// What a stop holds no longer; an older event of a stop lists what it moved to Blocked.
        tasks: Vec<StoppedTask>,
        /// What is to be moved back; `None` where nobody asked for that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        back: Option<Back>,
    },
    /// An emergency stop got further with an agent, or not.
    SquadStopReported {
        /// All that is known by now.
        report: Box<StopReport>,
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
        /// Whether it was right.
        success: bool,
        /// Whether it was a second factor and no passphrase.
        #[serde(default)]
        second_factor: bool,
    },
    /// Others govern, or otherwise: their files were changed.
    OperatorsChanged {
        /// The uid that `identity.toml` belongs to: who may write it.
        by_uid: u32,
        /// Who governs from now on.
        now: Box<Operators>,
        /// What is different, in words.
        changes: Vec<String>,
    },
    /// Budgets count another day from now on.
    BudgetDayTurned {
        /// Which, and all that a restart goes on from.
        now: BudgetDay,
    },
    /// The wall clock jumped by more than five seconds.
    ClockJumped {
        /// By how much; negative is backwards.
        by_ms: i64,
    },
}
