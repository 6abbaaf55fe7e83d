//! The life of a task: which move is open to whom, and what must hold first.
//!
//! [`MOVES`] is the whole law: the daemon obeys it, `task.transitions` prints it and
//! `docs/STATE_MACHINE.md` is made from it. Agents move work forward as far as Review; only humans
//! finish, cancel or unblock; the system may only block, ask for approval, or assign by rule.

use ActorKind::{Agent as A, Human as H, System as S};
use TaskState::{Assigned, Blocked, Canceled, Done, InProgress, Inbox, NeedsApproval, Review};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::guard::{Guard, MoveContext, claim};
use super::{MoveDetails, Task, TaskState, guard::Attempt};
use crate::{
    actor::{Actor, ActorKind},
    agent::Agent,
    event::Event,
    refusal::{Refusal, RefusalKind},
};

/// One row of the law.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Where the task is.
    pub from: TaskState,
    /// Where it may go.
    pub to: TaskState,
    /// To whom the move is open.
    pub by: &'static [ActorKind],
    /// What must hold.
    pub guards: &'static [Guard],
}

const fn row(
    from: TaskState,
    to: TaskState,
    by: &'static [ActorKind],
    guards: &'static [Guard],
) -> Move {
    Move { from, to, by, guards }
}

const CLAIM: &[Guard] =
    &[Guard::HasAssignee, Guard::MayAssign, Guard::TypeAllowed, Guard::AgentActive];
const START: &[Guard] = &[
    Guard::HasAssignee,
    Guard::IsAssignee,
    Guard::AgentActive,
    Guard::CapacityLeft,
    Guard::HasWorkPlan,
    Guard::DependenciesClosed,
    Guard::BudgetLeft,
];
const SUBMIT: &[Guard] = &[
    Guard::IsAssignee,
    Guard::HasDeliverable,
    Guard::SelfReviewComplete,
    Guard::EvidenceForClaims,
];
const UNBLOCK_TO_WORK: &[Guard] = &[
    Guard::HasNote,
    Guard::HasAssignee,
    Guard::HasWorkPlan,
    Guard::DependenciesClosed,
    Guard::BudgetLeft,
];
const REASON: &[Guard] = &[Guard::HasReason];
/// A task can come to Review without ever having had an assignee, through an approval.
const SEND_BACK: &[Guard] = &[Guard::HasFeedback, Guard::IsReviewer, Guard::HasAssignee];
const FINISH: &[Guard] = &[Guard::HasNote, Guard::HasDeliverable];
const GRANTED: &[Guard] = &[Guard::ApprovalGranted];
const GRANTED_WITH_ASSIGNEE: &[Guard] = &[Guard::ApprovalGranted, Guard::HasAssignee];
const BACK: &[Guard] = &[Guard::HasNote, Guard::CameFromThere];

/// Every move there is. What is absent is refused, for every actor.
pub const MOVES: &[Move] = &[
    row(Inbox, Assigned, &[H, A, S], CLAIM),
    row(Inbox, NeedsApproval, &[S], &[]),
    row(Inbox, Blocked, &[H, S], REASON),
    row(Inbox, Canceled, &[H], REASON),
    row(Assigned, InProgress, &[H, A], START),
    row(Assigned, Inbox, &[H], &[]),
    row(Assigned, NeedsApproval, &[S], &[]),
    row(Assigned, Blocked, &[H, S], REASON),
    row(Assigned, Canceled, &[H], REASON),
    row(InProgress, Review, &[H, A], SUBMIT),
    row(InProgress, NeedsApproval, &[S], &[]),
    row(InProgress, Blocked, &[H, S], REASON),
    row(InProgress, Assigned, &[H], &[Guard::HasAssignee]),
    row(InProgress, Canceled, &[H], REASON),
    row(Review, InProgress, &[H, A], SEND_BACK),
    row(Review, Done, &[H], FINISH),
    row(Review, NeedsApproval, &[H, S], &[]),
    row(Review, Blocked, &[H, S], REASON),
    row(Review, Assigned, &[H], &[Guard::HasAssignee]),
    row(Review, Canceled, &[H], REASON),
    row(NeedsApproval, Inbox, &[H], &[Guard::ApprovalGranted, Guard::CameFromThere]),
    row(NeedsApproval, Assigned, &[H], GRANTED_WITH_ASSIGNEE),
    row(NeedsApproval, InProgress, &[H], GRANTED_WITH_ASSIGNEE),
    row(NeedsApproval, Review, &[H], GRANTED),
    row(NeedsApproval, Done, &[H], FINISH),
    row(NeedsApproval, Blocked, &[H, S], REASON),
    row(NeedsApproval, Canceled, &[H], REASON),
    row(Blocked, Assigned, &[H], &[Guard::HasNote, Guard::HasAssignee]),
    row(Blocked, InProgress, &[H], UNBLOCK_TO_WORK),
    row(Blocked, Inbox, &[H], BACK),
    row(Blocked, Review, &[H], BACK),
    row(Blocked, NeedsApproval, &[H, S], &[]),
    row(Blocked, Canceled, &[H], REASON),
    row(Done, Review, &[H], REASON),
    row(Done, Canceled, &[H], REASON),
];

/// Returns the row of the law for a move; `None` when there is none, for any actor.
pub fn find(from: TaskState, to: TaskState) -> Option<&'static Move> {
    MOVES.iter().find(|row| row.from == from && row.to == to)
}

/// Returns the event that moves `task` to `to`.
///
/// The details in the event are complete: an agent that takes a task without naming assignees is
/// named as its assignee.
///
/// # Errors
///
/// [`Refusal`] of kind `transition_refused` with every guard that failed, field by field, and the
/// moves that are open to this actor.
pub fn transition(
    task: &Task,
    to: TaskState,
    details: &MoveDetails,
    cx: &MoveContext<'_>,
) -> Result<Event, Refusal> {
    let Some(row) = find(task.state, to).filter(|row| row.by.contains(&cx.actor.kind)) else {
        return Err(not_open(task, to, cx));
    };
    let details = with_claimer(task, to, details, cx);
    let attempt = Attempt { task, to, details: &details, cx };
    let mut fields = Vec::new();
    for guard in row.guards {
        guard.check(&attempt, &mut fields);
    }
    let Some(first) = fields.first() else {
        let details = Box::new(details);
        return Ok(Event::TaskMoved { task: task.id, from: task.state, to, details });
    };
    let more = match fields.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let message =
        format!("{} can't go to {to}: `{}`: {}{more}", task.id, first.field, first.message);
    let allowed = words(&allowed_moves(task, cx.actor, cx.agent));
    Err(Refusal { kind: RefusalKind::TransitionRefused, message, fields, allowed })
}

/// Returns `details` with the claiming agent as assignee where nobody else is named.
fn with_claimer(
    task: &Task,
    to: TaskState,
    details: &MoveDetails,
    cx: &MoveContext<'_>,
) -> MoveDetails {
    let mut details = details.clone();
    let takes = task.state == Inbox && to == Assigned && cx.actor.kind == A;
    let nobody = details.assignees.as_ref().unwrap_or(&task.assignees).is_empty();
    if let Some(agent) = cx.agent.filter(|agent| takes && nobody && cx.actor.is_agent(&agent.name))
    {
        details.assignees = Some(vec![agent.name.clone()]);
    }
    details
}

fn words(states: &[TaskState]) -> Vec<String> {
    states.iter().map(|state| state.as_str().to_owned()).collect()
}

fn not_open(task: &Task, to: TaskState, cx: &MoveContext<'_>) -> Refusal {
    let allowed = words(&allowed_moves(task, cx.actor, cx.agent));
    let why = match find(task.state, to) {
        Some(row) => {
            let by: Vec<_> = row.by.iter().map(|kind| actor_word(*kind)).collect();
            format!("only {} may do that", by.join(" or "))
        }
        None if task.state == to => "it is there already".to_owned(),
        None => "there is no such move".to_owned(),
    };
    let open = if allowed.is_empty() { "nothing is".to_owned() } else { allowed.join(", ") };
    let message =
        format!("{} can't go from {} to {to}: {why}; open to you: {open}", task.id, task.state);
    Refusal { kind: RefusalKind::TransitionRefused, message, fields: Vec::new(), allowed }
}

/// Returns the moves that are open to `actor`, in the order of the law: those in the table whose
/// guards about the caller hold. What else a move needs is told when it is tried.
pub fn allowed_moves(task: &Task, actor: &Actor, agent: Option<&Agent>) -> Vec<TaskState> {
    let cx = MoveContext {
        actor,
        agent,
        open_dependencies: &[],
        in_progress: &[],
        capacity: u64::MAX,
        approved: true,
        budget_left: true,
        checklist: &[],
    };
    let is_open = |row: &&Move| {
        let details = with_claimer(task, row.to, &MoveDetails::default(), &cx);
        let attempt = Attempt { task, to: row.to, details: &details, cx: &cx };
        let mut failed = Vec::new();
        for guard in row.guards.iter().filter(|guard| guard.is_about_the_caller()) {
            guard.check(&attempt, &mut failed);
        }
        failed.is_empty()
    };
    let of_actor = |row: &&Move| row.from == task.state && row.by.contains(&actor.kind);
    MOVES.iter().filter(of_actor).filter(is_open).map(|row| row.to).collect()
}

/// Says whether sending the task back once more blocks it instead: it may be `limit` times.
pub fn review_cycle_limit_reached(task: &Task, limit: u32) -> bool {
    task.review_cycles >= i64::from(limit)
}

/// Returns the system's move of a task that was sent back too often, with the last feedback kept.
pub fn block_for_review_cycles(task: &Task, limit: u32, feedback: Option<&str>) -> Event {
    let reason = format!(
        "sent back from review {} times, the limit is {limit}: a human has to decide",
        task.review_cycles.saturating_add(1)
    );
    let details = MoveDetails {
        reason: Some(reason),
        feedback: feedback.map(str::to_owned),
        ..MoveDetails::default()
    };
    Event::TaskMoved { task: task.id, from: task.state, to: Blocked, details: Box::new(details) }
}

/// One row of the law as data, for `task.transitions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransitionRow {
    /// Where the task is.
    pub from: TaskState,
    /// Where it may go.
    pub to: TaskState,
    /// To whom the move is open.
    pub by: Vec<ActorKind>,
    /// What must hold, in order.
    pub guards: Vec<GuardRow>,
}

/// One guard as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardRow {
    /// Its word.
    pub guard: Guard,
    /// What it demands, in one sentence.
    pub needs: String,
}

/// Returns the whole law as data, in the order of the table.
pub fn transitions() -> Vec<TransitionRow> {
    let guard = |guard: &Guard| GuardRow { guard: *guard, needs: guard.sentence().to_owned() };
    let row = |row: &Move| TransitionRow {
        from: row.from,
        to: row.to,
        by: row.by.to_vec(),
        guards: row.guards.iter().map(guard).collect(),
    };
    MOVES.iter().map(row).collect()
}

const fn actor_word(kind: ActorKind) -> &'static str {
    match kind {
        H => "a human",
        A => "an agent",
        S => "the system",
    }
}

/// Returns `docs/STATE_MACHINE.md`, whole.
pub fn markdown() -> String {
    let rows = MOVES.iter().map(|row| {
        let yes = |kind| if row.by.contains(&kind) { "yes" } else { "" };
        let guards: Vec<_> =
            row.guards.iter().map(|guard| format!("`{}`", guard.as_str())).collect();
        let (from, to, guards) = (row.from, row.to, guards.join(", "));
        format!("| {from} | {to} | {} | {} | {} | {guards} |", yes(H), yes(A), yes(S))
    });
    let guards =
        Guard::ALL.iter().map(|guard| format!("| `{}` | {} |", guard.as_str(), guard.sentence()));
    let mut lines = vec![INTRO.to_owned()];
    lines.extend(rows);
    lines.push(GUARDS.to_owned());
    lines.extend(guards);
    lines.push(OUTRO.to_owned());
    lines.join("\n")
}

const INTRO: &str = "# The life of a task

This page is made from the table that the daemon obeys (`mc-core/src/task/law.rs`); a test keeps it
current. `mcctl task transitions` prints the same rows.

Eight states: `inbox`, `assigned`, `in_progress`, `review`, `needs_approval`, `blocked`, `done`,
`canceled`. What is not in this table is refused, for every actor. Agents move work forward as far
as Review; only humans finish, cancel or unblock; the system may only block, ask for approval, or
assign by rule. A refusal names every guard that failed, field by field, and the moves that are open
to the caller.

| from | to | human | agent | system | guards |
|---|---|---|---|---|---|";

const GUARDS: &str = "
## Guards

| guard | what must hold |
|---|---|";

const OUTRO: &str = "
## What a move does

- Into `blocked` or `needs_approval`: the task remembers where it was. It keeps that memory when it
  goes from one of the two to the other.
- `review` to `in_progress` adds one review cycle. The 4th (limit 3) blocks the task instead; the
  system moves it.
- Out of `blocked` by a human, back to work: the review cycles begin at 0 again.
- Into `inbox`: assignees and holder are cleared.
- Into `done`: who accepted it, when and the note are kept with the task. Reopening clears them.
";
