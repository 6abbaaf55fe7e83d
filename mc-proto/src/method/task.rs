//! Tasks on the wire.

use mc_core::{
    agent::AgentName,
    alert::Alert,
    approval::Approval,
    event::Recorded,
    id::{EventId, Seq, TaskId},
    message::Artifact,
    money::MicroUsd,
    run::Run,
    schedule::TaskTemplate,
    task::{CheckedItem, MoveDetails, Task, TaskPatch, TaskState, law::TransitionRow},
    time::{Due, Timestamp},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `task.create`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// One line, at most 512 bytes.
    pub title: String,
    /// Markdown, at most 64 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// One of the configured task types.
    #[serde(rename = "type")]
    pub task_type: String,
    /// 1 critical, 2 high, 3 normal (default), 4 low.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The agents that are to do it; then it begins as `assigned`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignees: Vec<AgentName>,
    /// The agents that are to judge it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviewers: Vec<AgentName>,
    /// The task that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// Tasks that must be closed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<TaskId>,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// When it should be done: a moment to come, or a day, which ends in the squad's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Due>,
    /// What it may cost; default by its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_uusd: Option<MicroUsd>,
}

/// What a schedule creates is asked for like any other task; its time is counted from an occurrence,
/// and it waits for no other task.
impl From<TaskTemplate> for Create {
    fn from(task: TaskTemplate) -> Self {
        Self {
            title: task.title,
            description: task.description,
            task_type: task.task_type,
            priority: task.priority,
            assignees: task.assignees,
            reviewers: task.reviewers,
            parent: task.parent,
            depends_on: Vec::new(),
            project: task.project,
            labels: task.labels,
            due_at: None,
            budget_uusd: task.budget_uusd,
        }
    }
}

macro_rules! of_task {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The task.
            pub task: TaskId,
        }
    )*};
}

of_task! {
    /// `task.get`
    Get;
    /// `task.answers`
    AnswersGet;
    /// `task.subscribe`
    Subscribe;
    /// `task.unsubscribe`
    Unsubscribe;
}

/// What `task.get` answers: the task itself, and beside its fields what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TaskDetail")]
pub struct Detail {
    /// The task.
    #[serde(flatten)]
    pub task: Task,
    /// The moves that are open to the caller; their guards may still fail.
    pub moves: Vec<TaskState>,
    /// The review checklist of its type.
    pub checklist: Vec<String>,
    /// What was made for it.
    pub artifacts: Vec<Artifact>,
    /// Its approvals, newest first, at most 50.
    pub approvals: Vec<Approval>,
    /// Its runs, newest first, at most 50.
    pub run_list: Vec<Run>,
    /// Its open alerts.
    pub alerts: Vec<Alert>,
    /// Tasks that it still waits for.
    pub waits_for: Vec<TaskId>,
    /// Its parts.
    pub children: Vec<TaskId>,
    /// The journal sequence that the answer reflects.
    pub head: Seq,
}

/// `task.list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The query language of the console: `is:blocked -agent:heron cost>2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// `id` (default), `updated`, `prio`, `cost`, `due`; with a `-` in front descending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `task.update`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// The task.
    pub task: TaskId,
    /// The revision that the caller saw; another one is a conflict.
    pub rev: i64,
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// 1 critical to 4 low.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The agents that are to judge it; replaces all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewers: Option<Vec<AgentName>>,
    /// Tasks that must be closed first; replaces all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Vec<TaskId>>,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Free labels; replaces all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// When it should be done: a moment to come, or a day, which ends in the squad's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Due>,
    /// What it may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_uusd: Option<MicroUsd>,
}

impl Update {
    /// Returns what changes, without the task and its revision; `due_at` is its time as a moment.
    pub fn patch(self, due_at: Option<Timestamp>) -> TaskPatch {
        TaskPatch {
            title: self.title,
            description: self.description,
            priority: self.priority,
            assignees: None,
            reviewers: self.reviewers,
            depends_on: self.depends_on,
            project: self.project,
            labels: self.labels,
            due_at,
            budget_uusd: self.budget_uusd,
            reassigned: None,
        }
    }
}

/// `task.transition`: the general door.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// The task.
    pub task: TaskId,
    /// Where it is to go.
    pub to: TaskState,
    /// The fence of the caller's claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<i64>,
    /// Why: needed for block, cancel and reopen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The steps of the work, 3 to 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_plan: Option<Vec<String>>,
    /// What was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliverable: Option<String>,
    /// The review checklist, filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_review: Option<Vec<CheckedItem>>,
    /// What proves the deliverable's claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Vec<String>>,
    /// What to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
    /// The decision note, or how it was unblocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who is to do it from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignees: Option<Vec<AgentName>>,
}

impl Transition {
    /// Returns what the move carries.
    pub fn details(self) -> MoveDetails {
        MoveDetails {
            reason: self.reason,
            work_plan: self.work_plan,
            deliverable: self.deliverable,
            self_review: self.self_review,
            evidence: self.evidence,
            feedback: self.feedback,
            note: self.note,
            assignees: self.assignees,
            rule: None,
        }
    }
}

/// `task.assign`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// The task.
    pub task: TaskId,
    /// Who is to do it from now on; replaces all.
    pub assignees: Vec<AgentName>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `task.claim`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The task.
    pub task: TaskId,
}

/// `task.start`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The task.
    pub task: TaskId,
    /// The fence of the caller's claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<i64>,
    /// The steps of the work, 3 to 6.
    pub work_plan: Vec<String>,
}

/// `task.submit`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// The task.
    pub task: TaskId,
    /// The fence of the caller's claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<i64>,
    /// What was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliverable: Option<String>,
    /// The review checklist, every item checked or explained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_review: Option<Vec<CheckedItem>>,
    /// What proves the deliverable's claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Vec<String>>,
}

/// `task.request_changes`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestChanges {
    /// The task.
    pub task: TaskId,
    /// What to change.
    pub feedback: String,
}

macro_rules! with_note {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The task.
            pub task: TaskId,
            /// The decision note.
            pub note: String,
        }
    )*};
}

with_note! {
    /// `task.complete`
    Complete;
}

macro_rules! with_reason {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The task.
            pub task: TaskId,
            /// Why.
            pub reason: String,
        }
    )*};
}

with_reason! {
    /// `task.block`
    Block;
    /// `task.cancel`
    Cancel;
    /// `task.reopen`
    Reopen;
}

/// `task.unblock`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unblock {
    /// The task.
    pub task: TaskId,
    /// What changed, so that it can go on.
    pub note: String,
    /// Where it is to go; by default where it was blocked from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<TaskState>,
}

/// `task.report_blocker`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportBlocker {
    /// The task.
    pub task: TaskId,
    /// The fence of the caller's claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<i64>,
    /// What stands in the way.
    pub reason: String,
    /// What was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<String>,
    /// What is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
}

/// A move that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MoveMade {
    /// Where the task was.
    pub from: TaskState,
    /// Where it is.
    pub to: TaskState,
    /// The event that says so; `None` when only the assignees changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
}

/// What every move answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// The task as it is now.
    pub task: Task,
    /// The move.
    pub transition: MoveMade,
    /// The fence that the claiming agent's later moves carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<i64>,
}

/// `task.timeline`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// The task.
    pub task: TaskId,
    /// Only what came after this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Seq>,
    /// Only these kinds of events; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineItem {
    /// The event's id.
    pub id: EventId,
    /// What happened, in one line.
    pub text: String,
    /// The event whole.
    #[serde(flatten)]
    pub recorded: Recorded,
}

/// `task.transitions`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transitions {}

/// What `task.transitions` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransitionTable {
    /// Every move there is.
    pub transitions: Vec<TransitionRow>,
}
