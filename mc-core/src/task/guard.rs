//! The guards of the moves: what must hold before a task may change its state.
//!
//! Each guard has a word for the wire, a sentence for people and one check that lists what fails,
//! field by field. A guard that speaks of the acting agent holds for humans and the system.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CheckedItem, MoveDetails, Task, TaskState};
use crate::{
    actor::{Actor, ActorKind},
    agent::{Agent, AgentName, AgentStatus, Autonomy},
    id::TaskId,
    refusal::FieldError,
};

/// What must hold before a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// Somebody is to do it.
    HasAssignee,
    /// An agent takes it for itself, or is a lead.
    MayAssign,
    /// The agent may take tasks of this type.
    TypeAllowed,
    /// The acting agent is active.
    AgentActive,
    /// The acting agent is an assignee.
    IsAssignee,
    /// The acting agent has room for one more task.
    CapacityLeft,
    /// A work plan of 3 to 6 steps.
    HasWorkPlan,
    /// No open dependency.
    DependenciesClosed,
    /// Budget is left.
    BudgetLeft,
    /// There is something to judge.
    HasDeliverable,
    /// Every item of the checklist is checked or explained.
    SelfReviewComplete,
    /// Claims are backed.
    EvidenceForClaims,
    /// It says what to change.
    HasFeedback,
    /// The acting agent judges the work of others.
    IsReviewer,
    /// It says why.
    HasReason,
    /// The human leaves a note.
    HasNote,
    /// The approval was granted.
    ApprovalGranted,
    /// Only back to where it came from.
    CameFromThere,
}

/// What the guards need to know beside the task and the details of the move.
#[derive(Debug, Clone, Copy)]
pub struct MoveContext<'a> {
    /// Who moves the task.
    pub actor: &'a Actor,
    /// The row of the acting agent; `None` for humans and the system.
    pub agent: Option<&'a Agent>,
    /// The tasks among `depends_on` that are not closed.
    pub open_dependencies: &'a [TaskId],
    /// The tasks that the acting agent has in progress.
    pub in_progress: &'a [TaskId],
    /// How many it may have.
    pub capacity: u64,
    /// Whether the approval that the task waited for was granted.
    pub approved: bool,
    /// Whether the task's budget is not used up.
    pub budget_left: bool,
    /// The checklist of the task's type.
    pub checklist: &'a [String],
}

/// The move as a guard sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    /// The task as it stands.
    pub(super) task: &'a Task,
    /// Where it is to go.
    pub(super) to: TaskState,
    /// What comes with the move.
    pub(super) details: &'a MoveDetails,
    /// What else is known.
    pub(super) cx: &'a MoveContext<'a>,
}

impl Guard {
    /// All guards, in the order of the documents.
    pub const ALL: [Self; 18] = [
        Self::HasAssignee,
        Self::MayAssign,
        Self::TypeAllowed,
        Self::AgentActive,
        Self::IsAssignee,
        Self::CapacityLeft,
        Self::HasWorkPlan,
        Self::DependenciesClosed,
        Self::BudgetLeft,
        Self::HasDeliverable,
        Self::SelfReviewComplete,
        Self::EvidenceForClaims,
        Self::HasFeedback,
        Self::IsReviewer,
        Self::HasReason,
        Self::HasNote,
        Self::ApprovalGranted,
        Self::CameFromThere,
    ];

    /// Returns the word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HasAssignee => "has_assignee",
            Self::MayAssign => "may_assign",
            Self::TypeAllowed => "type_allowed",
            Self::AgentActive => "agent_active",
            Self::IsAssignee => "is_assignee",
            Self::CapacityLeft => "capacity_left",
            Self::HasWorkPlan => "has_work_plan",
            Self::DependenciesClosed => "dependencies_closed",
            Self::BudgetLeft => "budget_left",
            Self::HasDeliverable => "has_deliverable",
            Self::SelfReviewComplete => "self_review_complete",
            Self::EvidenceForClaims => "evidence_for_claims",
            Self::HasFeedback => "has_feedback",
            Self::IsReviewer => "is_reviewer",
            Self::HasReason => "has_reason",
            Self::HasNote => "has_note",
            Self::ApprovalGranted => "approval_granted",
            Self::CameFromThere => "came_from_there",
        }
    }

    /// Returns what it demands, in one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::HasAssignee => "The task has at least one assignee.",
            Self::MayAssign => {
                "A specialist or lead may take the task for itself; only a lead may give it to \
                 others."
            }
            Self::TypeAllowed => "The agent's task types include the type of the task.",
            Self::AgentActive => "The acting agent is active.",
            Self::IsAssignee => "The acting agent is an assignee of the task.",
            Self::CapacityLeft => {
                "The acting agent has fewer tasks in progress than its capacity (1, or as \
                 `[agents]` in the policy says)."
            }
            Self::HasWorkPlan => "The work plan has 3 to 6 steps, none of them empty.",
            Self::DependenciesClosed => "Every task that it depends on is done or canceled.",
            Self::BudgetLeft => "The task has budget left.",
            Self::HasDeliverable => "The deliverable is there.",
            Self::SelfReviewComplete => {
                "Every item of the type's checklist is checked, or explained by a note."
            }
            Self::EvidenceForClaims => {
                "There is evidence if the task is research or its deliverable makes claims \
                 (a percentage, or words such as `according to`, `studies show`, `proven`)."
            }
            Self::HasFeedback => "The feedback says what to change.",
            Self::IsReviewer => "The acting agent is a reviewer of the task and not an assignee.",
            Self::HasReason => "The reason is given.",
            Self::HasNote => {
                "The human leaves a note; for Done the note, with who and when, is the approval \
                 record."
            }
            Self::ApprovalGranted => "The approval that the task waited for was granted.",
            Self::CameFromThere => "Only back to the state that the task came from.",
        }
    }

    /// Says whether it depends only on who asks and where the task is, so that a move that fails
    /// it is not open to the caller at all.
    pub(super) const fn is_about_the_caller(self) -> bool {
        matches!(
            self,
            Self::TypeAllowed
                | Self::AgentActive
                | Self::IsAssignee
                | Self::IsReviewer
                | Self::MayAssign
                | Self::CameFromThere
        )
    }

    /// Adds to `failed` every field that fails.
    pub(super) fn check(self, attempt: &Attempt<'_>, failed: &mut Vec<FieldError>) {
        let Attempt { task, to, details, cx } = *attempt;
        let by_agent = cx.actor.kind == ActorKind::Agent;
        let mut fail = |field: &str, text: String| failed.push(FieldError::new(field, text));
        match self {
            Self::HasAssignee if assignees(attempt).is_empty() => {
                fail("assignees", "name at least one agent".into());
            }
            Self::MayAssign if by_agent => may_assign(attempt, &mut fail),
            Self::TypeAllowed if by_agent => type_allowed(attempt, &mut fail),
            Self::AgentActive if by_agent => agent_active(attempt, &mut fail),
            Self::IsAssignee if by_agent && !task.is_assigned_to(&cx.actor.name) => {
                fail("assignees", format!("you are not an assignee of {}", task.id));
            }
            Self::CapacityLeft if by_agent => capacity_left(attempt, &mut fail),
            Self::HasWorkPlan => has_work_plan(attempt, &mut fail),
            Self::DependenciesClosed if !cx.open_dependencies.is_empty() => {
                fail("depends_on", format!("still open: {}", list(cx.open_dependencies)));
            }
            Self::BudgetLeft if !cx.budget_left => {
                let text = format!("{} of {} is spent", task.spent_uusd, task.budget_uusd);
                fail("budget_uusd", format!("no budget left: {text}; a human can raise it"));
            }
            Self::HasDeliverable if deliverable(attempt).is_none() => {
                fail("deliverable", "say what was made: text, or names of artifacts".into());
            }
            Self::SelfReviewComplete => self_review_complete(attempt, &mut fail),
            Self::EvidenceForClaims => evidence_for_claims(attempt, &mut fail),
            Self::HasFeedback if is_blank(details.feedback.as_deref()) => {
                fail("feedback", "say what to change".into());
            }
            Self::IsReviewer if by_agent => is_reviewer(attempt, &mut fail),
            Self::HasReason if is_blank(details.reason.as_deref()) => {
                fail("reason", "say why".into());
            }
            Self::HasNote if is_blank(details.note.as_deref()) => {
                fail("note", "leave a note: what was decided, or how it goes on".into());
            }
            Self::ApprovalGranted if !cx.approved => {
                fail("approval", "the approval that it waits for was not granted".into());
            }
            Self::CameFromThere if task.resume_state != Some(to) => {
                let came = task.resume_state.map_or("elsewhere", TaskState::as_str);
                fail("to", format!("it came from {came}, so it can't go to {to}"));
            }
            Self::HasAssignee
            | Self::MayAssign
            | Self::TypeAllowed
            | Self::AgentActive
            | Self::IsAssignee
            | Self::CapacityLeft
            | Self::DependenciesClosed
            | Self::BudgetLeft
            | Self::HasDeliverable
            | Self::HasFeedback
            | Self::IsReviewer
            | Self::HasReason
            | Self::HasNote
            | Self::ApprovalGranted
            | Self::CameFromThere => {}
        }
    }
}

/// Takes a failed field and its message.
type Fail<'f> = dyn FnMut(&str, String) + 'f;

fn is_blank(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}

fn list(tasks: &[TaskId]) -> String {
    tasks.iter().map(TaskId::to_string).collect::<Vec<_>>().join(", ")
}

/// Returns who would do the task after the move.
fn assignees<'a>(attempt: &Attempt<'a>) -> &'a [AgentName] {
    attempt.details.assignees.as_ref().unwrap_or(&attempt.task.assignees)
}

fn may_assign(attempt: &Attempt<'_>, fail: &mut Fail<'_>) {
    let cx = attempt.cx;
    let Some(agent) = cx.agent else {
        return fail("agent", "is not registered".into());
    };
    let to_others = assignees(attempt).iter().any(|name| name.as_str() != cx.actor.name);
    match agent.autonomy {
        Autonomy::Lead => {}
        Autonomy::Specialist if !to_others => {}
        Autonomy::Specialist => {
            fail(
                "assignees",
                "you may take the task only for yourself; only a lead assigns others".into(),
            );
        }
        Autonomy::Intern => {
            fail("autonomy", "an intern takes no task by itself; ask a lead or a human".into());
        }
    }
}

fn type_allowed(attempt: &Attempt<'_>, fail: &mut Fail<'_>) {
    let Attempt { task, cx, .. } = *attempt;
    let Some(agent) = cx.agent else { return };
    let takes_it = assignees(attempt).iter().any(|name| name.as_str() == cx.actor.name);
    if takes_it && !agent.task_types.is_empty() && !agent.task_types.contains(&task.task_type) {
        let types = agent.task_types.join(", ");
        fail("type", format!("you may take {types}, not {}", task.task_type));
    }
}

fn agent_active(attempt: &Attempt<'_>, fail: &mut Fail<'_>) {
    match attempt.cx.agent.map(|agent| agent.status) {
        Some(AgentStatus::Active) => {}
        Some(AgentStatus::Paused) => fail("agent", "you are paused".into()),
        Some(AgentStatus::Drained) => {
            fail("agent", "you are drained: finish what you hold, take nothing new".into());
        }
        Some(AgentStatus::Quarantined) => fail("agent", "you are quarantined".into()),
        Some(AgentStatus::Stopped) => fail("agent", "you are stopped".into()),
        None => fail("agent", "is not registered".into()),
    }
}

fn capacity_left(attempt: &Attempt<'_>, fail: &mut Fail<'_>) {
    let MoveContext { in_progress, capacity, .. } = *attempt.cx;
    if in_progress.len() as u64 >= capacity {
        let text = format!(
            "you have {} in progress and may have {capacity}: submit it, or report a blocker, first",
            list(in_progress)
        );
        fail("capacity", text);
    }
}

fn has_work_plan(attempt: &Attempt<'_>, fail: &mut Fail<'_>) {
    let plan = attempt.details.work_plan.as_ref().unwrap_or(&attempt.task.work_plan);
    if !(3..=6).contains(&plan.len()) {
        fail("work_plan", format!("give 3 to 6 steps, not {}", plan.len()));
    }
    for (at, step) in plan.iter().enumerate() {
        if is_blank(Some(step)) {
            fail(&format!("work_plan[{at}]"), "is empty: say what the step does".into());
        }
    }
}

/// Returns the deliverable that the task would have after the move.
fn deliverable<'a>(attempt: &Attempt<'a>) -> Option<&'a str> {
    let text = attempt.details.deliverable.as_ref().or(attempt.task.deliverable.as_ref());
    text.map(String::as_str).filter(|text| !is_blank(Some(text)))
}

fn self_review_complete(attempt: &Attempt<'_>, fail: &mut Fail<'_>) {
    let review = attempt.details.self_review.as_ref().unwrap_or(&attempt.task.self_review);
    let is_open = |item: &CheckedItem| !item.checked && is_blank(item.note.as_deref());
    for (at, item) in review.iter().enumerate() {
        if is_open(item) {
            let text = "is not checked: check it, or explain it in its note";
            fail(&format!("self_review[{at}]"), text.into());
        }
    }
    let same = |a: &str, b: &str| a.trim().to_lowercase() == b.trim().to_lowercase();
    for wanted in attempt.cx.checklist {
        if !review.iter().any(|item| same(&item.item, wanted)) {
            fail("self_review", format!("`{wanted}` is missing"));
        }
    }
}

fn evidence_for_claims(attempt: &Attempt<'_>, fail: &mut Fail<'_>) {
    let evidence = attempt.details.evidence.as_ref().unwrap_or(&attempt.task.evidence);
    if evidence.iter().any(|line| !is_blank(Some(line))) {
        return;
    }
    if let Some(why) = claim(&attempt.task.task_type, deliverable(attempt).unwrap_or_default()) {
        fail("evidence", format!("give sources or proof: {why}"));
    }
}

/// Words that mark a claim about the world.
const CLAIM_WORDS: &[&str] = &[
    "according to",
    "study shows",
    "studies show",
    "research shows",
    "data shows",
    "proven",
    "statistically",
];

/// Returns why a deliverable needs evidence; `None` when it makes no claims.
///
/// The rule is kept simple: research always does; other types when the text holds a percentage or
/// one of a few words.
pub fn claim(task_type: &str, deliverable: &str) -> Option<String> {
    if task_type.ends_with("_research") {
        return Some("research is worth its sources".into());
    }
    let mut before = ' ';
    for c in deliverable.chars() {
        if c == '%' && before.is_ascii_digit() {
            return Some("the deliverable names a percentage".into());
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    let lower = deliverable.to_lowercase();
    let word = CLAIM_WORDS.iter().find(|word| lower.contains(**word))?;
    Some(format!("the deliverable says `{word}`"))
}

fn is_reviewer(attempt: &Attempt<'_>, fail: &mut Fail<'_>) {
    let Attempt { task, cx, .. } = *attempt;
    if !task.reviewers.iter().any(|name| name.as_str() == cx.actor.name) {
        fail("reviewers", format!("you are not a reviewer of {}", task.id));
    }
    if task.is_assigned_to(&cx.actor.name) {
        fail("assignees", "you can't judge your own work".into());
    }
}
