//! What events mean for tasks.

#![expect(clippy::wildcard_enum_match_arm, reason = "see `fold`")]

use super::{corrected, set, set_some};
use crate::{
    actor::ActorKind,
    agent::RESERVED_NAMES,
    event::{Event, Recorded},
    task::{ByRule, MoveDetails, Task, TaskDecision, TaskPatch, TaskState, waits::PROMOTER},
};

/// Applies what `recorded` means for `task`: a change adds one to `rev` and sets `updated_at`.
pub fn task(task: &mut Task, recorded: &Recorded) {
    if recorded.event.task() != Some(task.id) {
        return;
    }
    match &recorded.event {
        Event::TaskCreated { .. } => {
            subscribe_assignees(task);
            return;
        }
        Event::TaskUpdated { patch, .. } => patch_task(task, patch),
        Event::TaskMoved { from, to, details, .. } => {
            move_task(task, recorded, (*from, *to), details);
        }
        Event::TaskClaimed { agent, fence, .. } => {
            if !task.is_assigned_to(agent) {
                task.assignees.push(agent.clone());
            }
            task.holder = Some(agent.clone());
            task.fence = *fence;
            subscribe_assignees(task);
        }
        Event::TaskReleased { fence, .. } => {
            task.holder = None;
            task.fence = *fence;
        }
        Event::TaskSubscribed { name, .. } => subscribe(task, name),
        Event::TaskUnsubscribed { name, .. } => task.subscribers.retain(|known| known != name),
        Event::MessagePosted { message } => {
            if message.author.kind != ActorKind::System {
                subscribe(task, &message.author.name);
            } else if message.author.name == PROMOTER {
                task.promoted_at = Some(recorded.at);
            }
            for name in &message.mentions {
                subscribe(task, name);
            }
        }
        Event::RunStarted { .. } => task.runs = task.runs.saturating_add(1),
        Event::RunUsed { tokens, cost_uusd, cost_state, .. } => {
            task.spent_uusd = task.spent_uusd + *cost_uusd;
            task.tokens = task.tokens + *tokens;
            task.cost_state = Some(cost_state.or_worse(task.cost_state));
        }
        Event::BudgetRaised { by, .. } => task.budget_uusd = task.budget_uusd + by.uusd,
        Event::CostCorrected { correction } => {
            task.spent_uusd = corrected(task.spent_uusd, correction);
        }
        Event::ArtifactStored { .. } => {}
        _ => return,
    }
    task.rev = task.rev.saturating_add(1);
    task.updated_at = recorded.at;
}

/// Adds a follower; the words that stand for groups are none.
fn subscribe(task: &mut Task, name: &str) {
    let is_group = RESERVED_NAMES.contains(&name);
    if !is_group && !task.subscribers.iter().any(|known| known == name) {
        task.subscribers.push(name.to_owned());
    }
}

fn subscribe_assignees(task: &mut Task) {
    for name in task.assignees.clone() {
        subscribe(task, &name);
    }
}

fn patch_task(task: &mut Task, patch: &TaskPatch) {
    set(&mut task.title, patch.title.as_ref());
    set(&mut task.description, patch.description.as_ref());
    set(&mut task.priority, patch.priority.as_ref());
    if patch.assignees.as_ref().is_some_and(|names| *names != task.assignees) {
        task.by_rule = None;
    }
    set(&mut task.assignees, patch.assignees.as_ref());
    set(&mut task.reviewers, patch.reviewers.as_ref());
    set(&mut task.depends_on, patch.depends_on.as_ref());
    set(&mut task.labels, patch.labels.as_ref());
    set(&mut task.budget_uusd, patch.budget_uusd.as_ref());
    set_some(&mut task.project, patch.project.as_ref());
    set_some(&mut task.due_at, patch.due_at.as_ref());
    settle_assignees(task);
}

/// Lets new assignees follow, and a holder who is no longer one go.
fn settle_assignees(task: &mut Task) {
    subscribe_assignees(task);
    if task.holder.as_ref().is_some_and(|holder| !task.is_assigned_to(holder)) {
        task.holder = None;
    }
}

/// Sets who does it from now on, and by which rule.
fn give(
    task: &mut Task,
    recorded: &Recorded,
    (from, to): (TaskState, TaskState),
    details: &MoveDetails,
) {
    let others = details.assignees.as_ref().is_some_and(|names| *names != task.assignees);
    if others || to == TaskState::Inbox {
        task.by_rule = None;
    }
    set(&mut task.assignees, details.assignees.as_ref());
    if let Some(rule) = &details.rule {
        let why = details.reason.clone().unwrap_or_default();
        task.by_rule = Some(ByRule { rule: rule.clone(), why, at: recorded.at });
    }
    let is_taken_back = from == TaskState::Assigned && to == TaskState::Inbox;
    task.put_back |= is_taken_back && recorded.actor.kind == ActorKind::Human;
}

const fn waits(state: TaskState) -> bool {
    matches!(state, TaskState::Blocked | TaskState::NeedsApproval)
}

fn move_task(
    task: &mut Task,
    recorded: &Recorded,
    (from, to): (TaskState, TaskState),
    details: &MoveDetails,
) {
    set(&mut task.work_plan, details.work_plan.as_ref());
    set(&mut task.self_review, details.self_review.as_ref());
    set(&mut task.evidence, details.evidence.as_ref());
    give(task, recorded, (from, to), details);
    set_some(&mut task.deliverable, details.deliverable.as_ref());
    task.state = to;
    task.state_since = recorded.at;
    if waits(to) {
        if !waits(from) {
            task.resume_state = Some(from);
        }
        task.blocked_reason = details.reason.clone().or_else(|| recorded.reason.clone());
    } else {
        task.resume_state = None;
        task.blocked_reason = None;
        if from == TaskState::Blocked && !to.is_final() {
            task.review_cycles = 0;
            task.counted_since = Some(recorded.at);
        }
    }
    if from == TaskState::Review && to == TaskState::InProgress {
        task.review_cycles = task.review_cycles.saturating_add(1);
    }
    task.ended_at = to.is_final().then_some(recorded.at);
    task.decision = None;
    match to {
        TaskState::Inbox => {
            task.assignees.clear();
            task.holder = None;
        }
        TaskState::InProgress => {
            task.started_at.get_or_insert(recorded.at);
        }
        TaskState::Review if from == TaskState::InProgress => {
            task.submitted_at = Some(recorded.at);
        }
        TaskState::Done => {
            let note = details.note.clone().unwrap_or_default();
            task.decision =
                Some(TaskDecision { by: recorded.actor.name.clone(), at: recorded.at, note });
        }
        TaskState::Assigned
        | TaskState::Review
        | TaskState::NeedsApproval
        | TaskState::Blocked
        | TaskState::Canceled => {}
    }
    settle_assignees(task);
}
