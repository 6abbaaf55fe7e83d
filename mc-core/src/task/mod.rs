//! Tasks: what they are made of. The law of their life is in [`law`].

pub mod checklist;
mod guard;
pub mod law;
pub mod waits;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    actor::{Actor, ActorKind},
    agent::AgentName,
    approval::{Approval, ApprovalStatus},
    id::TaskId,
    money::{CostState, MicroUsd, Tokens},
    schedule::Occurrence,
    time::Timestamp,
};

/// The eight states of a task.
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
pub enum TaskState {
    /// Waits for someone who takes it.
    #[default]
    Inbox,
    /// Has an assignee who has not begun.
    Assigned,
    /// Is worked on.
    InProgress,
    /// Waits for a verdict on its deliverable.
    Review,
    /// Waits for an approval.
    NeedsApproval,
    /// Can't go on; a human has to unblock it.
    Blocked,
    /// Finished and accepted.
    Done,
    /// Given up.
    Canceled,
}

impl TaskState {
    /// All states, in the order of the board.
    pub const ALL: [Self; 8] = [
        Self::Inbox,
        Self::Assigned,
        Self::InProgress,
        Self::Review,
        Self::NeedsApproval,
        Self::Blocked,
        Self::Done,
        Self::Canceled,
    ];

    /// Returns the word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Assigned => "assigned",
            Self::InProgress => "in_progress",
            Self::Review => "review",
            Self::NeedsApproval => "needs_approval",
            Self::Blocked => "blocked",
            Self::Done => "done",
            Self::Canceled => "canceled",
        }
    }

    /// Returns the title of its column.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Inbox => "Inbox",
            Self::Assigned => "Assigned",
            Self::InProgress => "In Progress",
            Self::Review => "Review",
            Self::NeedsApproval => "Needs Approval",
            Self::Blocked => "Blocked",
            Self::Done => "Done",
            Self::Canceled => "Canceled",
        }
    }

    /// Says whether work on the task is over.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Canceled)
    }
}

impl std::fmt::Display for TaskState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for TaskState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no task state"))
    }
}

/// The task types known without configuration.
pub const TASK_TYPES: &[&str] = &[
    "content",
    "social",
    "email_marketing",
    "customer_research",
    "seo_research",
    "engineering",
    "docs",
    "ops",
];

/// One line of a review checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckedItem {
    /// The words of the checklist template.
    pub item: String,
    /// Whether it holds.
    pub checked: bool,
    /// Why it does not have to hold, or how it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How a task came to be finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskDecision {
    /// The human who accepted it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The decision note.
    pub note: String,
}

/// How a task came to its assignee where no person and no agent gave it to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ByRule {
    /// The rule of assignment, such as `assign.code`.
    pub rule: String,
    /// Why this agent, in one sentence.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Its number.
    pub id: TaskId,
    /// Grows by one with every change.
    pub rev: i64,
    /// One line, at most 512 bytes.
    pub title: String,
    /// Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// One of the configured task types.
    #[serde(rename = "type")]
    pub task_type: String,
    /// 1 critical, 2 high, 3 normal, 4 low.
    pub priority: u8,
    /// Where it is in its life.
    pub state: TaskState,
    /// When it entered that state.
    pub state_since: Timestamp,
    /// The agents that are to do it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignees: Vec<AgentName>,
    /// The rule that gave it to them, and why; `None` where somebody else did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_rule: Option<ByRule>,
    /// Whether a person took it back from its assignees to Inbox: then no rule gives it out again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub put_back: bool,
    /// The agents that are to judge it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviewers: Vec<AgentName>,
    /// Agents and operators that hear of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribers: Vec<String>,
    /// The task that this one is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// Tasks that must be closed before this one starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<TaskId>,
    /// When the last task that it depended on closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted_at: Option<Timestamp>,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// When it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// What it may cost.
    pub budget_uusd: MicroUsd,
    /// What it has cost.
    #[serde(default)]
    pub spent_uusd: MicroUsd,
    /// How that is known, the least certain of all; `None` when nothing was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_state: Option<CostState>,
    /// What it has used.
    #[serde(default)]
    pub tokens: Tokens,
    /// How many runs have worked on it.
    #[serde(default)]
    pub runs: i64,
    /// The steps that its assignee wrote down, 3 to 6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub work_plan: Vec<String>,
    /// What was made: text, or names of artifacts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliverable: Option<String>,
    /// The review checklist as its assignee filled it in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub self_review: Vec<CheckedItem>,
    /// What proves the deliverable's claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// How often it was sent back from Review.
    #[serde(default)]
    pub review_cycles: i64,
    /// Since when repetition in it counts: its last unblocking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_since: Option<Timestamp>,
    /// Why it is blocked or waits for an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_reason: Option<String>,
    /// The state that it was blocked, or sent to approval, from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_state: Option<TaskState>,
    /// The agent that claimed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<AgentName>,
    /// Grows with every claim; work sent with an older number is refused.
    #[serde(default)]
    pub fence: i64,
    /// The acceptance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<TaskDecision>,
    /// Who created it.
    pub created_by: Actor,
    /// When it was created.
    pub created_at: Timestamp,
    /// The schedule that created it, and when it was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Occurrence>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When work began first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was last submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<Timestamp>,
    /// When it was done or canceled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// How long the reason on a card is at most, in bytes.
const CARD_REASON: usize = 500;

impl TaskCard {
    /// Returns it with a reason of one glance; the task has it whole.
    #[must_use]
    pub fn short(mut self) -> Self {
        if let Some(reason) = self.blocked_reason.as_mut().filter(|why| why.len() > CARD_REASON) {
            reason.truncate(reason.floor_char_boundary(CARD_REASON));
            reason.push('…');
        }
        self
    }
}

/// What a list or a board shows of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskCard {
    /// Its number.
    pub id: TaskId,
    /// Grows by one with every change.
    pub rev: i64,
    /// One line.
    pub title: String,
    /// One of the configured task types.
    #[serde(rename = "type")]
    pub task_type: String,
    /// 1 critical to 4 low.
    pub priority: u8,
    /// Where it is in its life.
    pub state: TaskState,
    /// When it entered that state.
    pub state_since: Timestamp,
    /// The agents that are to do it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignees: Vec<AgentName>,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// What it may cost.
    pub budget_uusd: MicroUsd,
    /// What it has cost.
    pub spent_uusd: MicroUsd,
    /// How that is known, the least certain of all; `None` when nothing was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_state: Option<CostState>,
    /// Why it is blocked or waits for an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_reason: Option<String>,
    /// Tasks that must be closed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<TaskId>,
    /// When it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Task {
    /// Returns what a list or a board shows of it.
    pub fn card(&self) -> TaskCard {
        TaskCard {
            id: self.id,
            rev: self.rev,
            title: self.title.clone(),
            task_type: self.task_type.clone(),
            priority: self.priority,
            state: self.state,
            state_since: self.state_since,
            assignees: self.assignees.clone(),
            project: self.project.clone(),
            labels: self.labels.clone(),
            budget_uusd: self.budget_uusd,
            spent_uusd: self.spent_uusd,
            cost_state: self.cost_state,
            blocked_reason: self.blocked_reason.clone(),
            depends_on: self.depends_on.clone(),
            due_at: self.due_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// Says whether `name` is one of its assignees.
    pub fn is_assigned_to(&self, name: &str) -> bool {
        self.assignees.iter().any(|agent| agent.as_str() == name)
    }

    /// Returns what it waits for: all of its pending approvals, whichever of them began the wait.
    pub fn waits_for(&self, approvals: &[Approval]) -> Option<String> {
        let is_open = |one: &&Approval| one.status == ApprovalStatus::Pending;
        let mut open: Vec<_> = approvals.iter().filter(is_open).map(|one| one.id).collect();
        open.sort_unstable();
        let open: Vec<String> = open.iter().map(ToString::to_string).collect();
        let waits = self.state == TaskState::NeedsApproval && !open.is_empty();
        waits.then(|| format!("waits for {}", open.join(", ")))
    }

    /// Says whether `actor` may speak of the task as its own: any human, or an agent that is its
    /// assignee or made it.
    pub fn belongs_to(&self, actor: &Actor) -> bool {
        match actor.kind {
            ActorKind::Human | ActorKind::System => true,
            ActorKind::Agent => self.is_assigned_to(&actor.name) || self.created_by == *actor,
        }
    }
}

/// What `task.update` changes; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskPatch {
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// 1 critical to 4 low.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The agents that are to do it; replaces all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignees: Option<Vec<AgentName>>,
    /// The agents that are to judge it; replaces all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewers: Option<Vec<AgentName>>,
    /// Tasks that must be closed before it starts; replaces all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Vec<TaskId>>,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Free labels; replaces all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// When it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// What it may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_uusd: Option<MicroUsd>,
    /// What others found who got it; only in the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reassigned: Option<Reassigned>,
}

/// How a task stood when it was given to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reassigned {
    /// Who had it before.
    pub from: Vec<AgentName>,
    /// Where it was, and stays.
    pub state: TaskState,
}

/// What a move carries besides its target; the guards read it, the task keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveDetails {
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
    /// What to change, for a task sent back from Review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
    /// The decision note, or how a blocked task was unblocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who is to do it from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignees: Option<Vec<AgentName>>,
    /// The rule of assignment that gives it to them; the system's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}
