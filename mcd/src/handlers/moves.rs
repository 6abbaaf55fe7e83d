//! Moving tasks: every named move is the same door with another target.

use mc_core::{
    actor::{Actor, ActorKind},
    agent::{Agent, AgentName},
    alert::{NotificationKind, Severity},
    approval::ApprovalStatus,
    delivery,
    event::Event,
    id::{EventId, TaskId},
    message::{Message, MessageKind},
    refusal::{FieldError, Refusal, RefusalKind},
    task::{
        MoveDetails, Reassigned, Task, TaskPatch, TaskState,
        law::{self, MoveContext},
    },
};
use mc_proto::{
    limits::TEXT_BYTES,
    method::task::{
        Assign, Block, Cancel, Claim, Complete, MoveMade, Moved, Reopen, ReportBlocker,
        RequestChanges, Start, Submit, Transition, Unblock,
    },
};

use super::{
    budget, contain, input,
    notify::{self, Notice, ToPeople},
    promote, spawn, stopped,
    task::{check_barred, check_names},
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// `task.transition`
pub(super) fn transition(desk: &mut Desk<'_>, params: Transition) -> Result<Moved, Fail> {
    let (id, to, fence) = (params.task, params.to, params.fence);
    let task = queries::task(desk.db, id)?;
    check_fence(desk, &task, fence)?;
    let mut details = clean(params.details())?;
    // An agent that moves a task to Assigned without naming anybody claims it.
    if let (TaskState::Inbox, TaskState::Assigned, None, Some(agent)) =
        (task.state, to, &details.assignees, &desk.caller.agent)
    {
        details.assignees = Some(vec![agent.clone()]);
    }
    if let Some(names) = &details.assignees {
        known_agents(desk, names)?;
    }
    let claims = task.state == TaskState::Inbox && to == TaskState::Assigned;
    let made = go(desk, &task, to, details)?;
    let claimed = claims.then(|| hold(desk, id)).transpose()?.flatten();
    answer(desk, id, made, claimed)
}

/// `task.assign`
pub(super) fn assign(desk: &mut Desk<'_>, params: Assign) -> Result<Moved, Fail> {
    let task = queries::task(desk.db, params.task)?;
    if params.assignees.is_empty() {
        return Err(Refusal::invalid("assignees", "name at least one agent").into());
    }
    known_agents(desk, &params.assignees)?;
    let reason = input::maybe("reason", params.reason)?;
    if task.state == TaskState::Inbox {
        let assignees = Some(params.assignees.clone());
        let details = MoveDetails { reason, assignees, ..MoveDetails::default() };
        let made = go(desk, &task, TaskState::Assigned, details)?;
        return answer(desk, task.id, made, None);
    }
    reassign(desk, &task, params.assignees, reason)
}

/// Gives a task that is not in Inbox to other agents; its state stays.
fn reassign(
    desk: &mut Desk<'_>,
    task: &Task,
    assignees: Vec<AgentName>,
    reason: Option<String>,
) -> Result<Moved, Fail> {
    if !desk.caller.is_human() || task.state.is_final() {
        let text =
            format!("{} is {}: only a human can give an open task to others", task.id, task.state);
        return Err(Refusal::new(RefusalKind::TransitionRefused, text).into());
    }
    let new: Vec<AgentName> =
        assignees.iter().filter(|name| !task.assignees.contains(name)).cloned().collect();
    let reassigned = Some(Reassigned { from: task.assignees.clone(), state: task.state });
    let patch = TaskPatch { assignees: Some(assignees), reassigned, ..TaskPatch::default() };
    let event = Event::TaskUpdated { task: task.id, patch };
    desk.emit_as(desk.caller.actor.clone(), reason, event)?;
    notify::assigned(desk, task, &new)?;
    let made = MoveMade { from: task.state, to: task.state, event: None };
    answer(desk, task.id, made, None)
}

/// `task.claim`
pub(super) fn claim(desk: &mut Desk<'_>, params: &Claim) -> Result<Moved, Fail> {
    stopped::refuse_agents(desk)?;
    let agent = acting_agent(desk)?.name;
    let task = queries::task(desk.db, params.task)?;
    if task.state == TaskState::Assigned && task.is_assigned_to(&agent) {
        if let Some(holder) = task.holder.as_ref().filter(|holder| **holder != agent) {
            let text = format!("{} is held by {holder}", task.id);
            return Err(Refusal::conflict(text).into());
        }
        let made = MoveMade { from: task.state, to: task.state, event: None };
        let fence = hold(desk, task.id)?;
        return answer(desk, task.id, made, fence);
    }
    let details = MoveDetails { assignees: Some(vec![agent]), ..MoveDetails::default() };
    let made = go(desk, &task, TaskState::Assigned, details)?;
    let fence = hold(desk, task.id)?;
    answer(desk, task.id, made, fence)
}

/// Makes the calling agent the holder of a task, with a new fence; `None` for a human.
fn hold(desk: &mut Desk<'_>, id: TaskId) -> Result<Option<i64>, Fail> {
    let Some(agent) = desk.caller.agent.clone() else { return Ok(None) };
    let task = queries::task(desk.db, id)?;
    if !task.is_assigned_to(&agent) {
        return Ok(None);
    }
    let fence = task.fence + 1;
    desk.emit(Event::TaskClaimed { task: id, agent, fence })?;
    Ok(Some(fence))
}

/// `task.start`
pub(super) fn start(desk: &mut Desk<'_>, params: Start) -> Result<Moved, Fail> {
    let details = MoveDetails { work_plan: Some(params.work_plan), ..MoveDetails::default() };
    fenced(desk, params.task, params.fence, (TaskState::InProgress, details))
}

/// `task.submit`
pub(super) fn submit(desk: &mut Desk<'_>, params: Submit) -> Result<Moved, Fail> {
    let details = MoveDetails {
        deliverable: params.deliverable,
        self_review: params.self_review,
        evidence: params.evidence,
        ..MoveDetails::default()
    };
    fenced(desk, params.task, params.fence, (TaskState::Review, details))
}

/// `task.request_changes`
pub(super) fn request_changes(desk: &mut Desk<'_>, params: RequestChanges) -> Result<Moved, Fail> {
    let details = MoveDetails { feedback: Some(params.feedback), ..MoveDetails::default() };
    fenced(desk, params.task, None, (TaskState::InProgress, details))
}

/// `task.complete`
pub(super) fn complete(desk: &mut Desk<'_>, params: Complete) -> Result<Moved, Fail> {
    let details = MoveDetails { note: Some(params.note), ..MoveDetails::default() };
    fenced(desk, params.task, None, (TaskState::Done, details))
}

/// `task.block`
pub(super) fn block(desk: &mut Desk<'_>, params: Block) -> Result<Moved, Fail> {
    let details = MoveDetails { reason: Some(params.reason), ..MoveDetails::default() };
    fenced(desk, params.task, None, (TaskState::Blocked, details))
}

/// `task.cancel`
pub(super) fn cancel(desk: &mut Desk<'_>, params: Cancel) -> Result<Moved, Fail> {
    let details = MoveDetails { reason: Some(params.reason), ..MoveDetails::default() };
    fenced(desk, params.task, None, (TaskState::Canceled, details))
}

/// `task.reopen`
pub(super) fn reopen(desk: &mut Desk<'_>, params: Reopen) -> Result<Moved, Fail> {
    let details = MoveDetails { reason: Some(params.reason), ..MoveDetails::default() };
    fenced(desk, params.task, None, (TaskState::Review, details))
}

/// `task.unblock`
pub(super) fn unblock(desk: &mut Desk<'_>, params: Unblock) -> Result<Moved, Fail> {
    let task = queries::task(desk.db, params.task)?;
    if task.state != TaskState::Blocked {
        let text = format!("{} is {}, not blocked", task.id, task.state);
        return Err(Refusal::new(RefusalKind::TransitionRefused, text).into());
    }
    let to = params.to.or(task.resume_state).unwrap_or(TaskState::Inbox);
    let details = MoveDetails { note: Some(params.note), ..MoveDetails::default() };
    fenced(desk, params.task, None, (to, details))
}

/// `task.report_blocker`: the system blocks, with the agent as the cause.
pub(super) fn report_blocker(desk: &mut Desk<'_>, params: &ReportBlocker) -> Result<Moved, Fail> {
    stopped::refuse_agents(desk)?;
    let agent = acting_agent(desk)?;
    let task = queries::task(desk.db, params.task)?;
    check_fence(desk, &task, params.fence)?;
    if !task.is_assigned_to(&agent.name) {
        let text = format!("{} is not assigned to {}", task.id, agent.name);
        return Err(Refusal::forbidden(text).into());
    }
    let mut reason = input::reason(&params.reason)?;
    for (word, text) in [("tried", &params.tried), ("needs", &params.needs)] {
        if let Some(text) = text {
            let text = input::optional(word, text, TEXT_BYTES)?;
            reason = format!("{reason}; {word}: {text}");
        }
    }
    let details = MoveDetails { reason: Some(reason.clone()), ..MoveDetails::default() };
    let system = Actor::system(format!("blocker of {}", agent.name));
    let made = go_as(desk, &task, TaskState::Blocked, (details, &system))?;
    let text = format!("{} is stuck on {}: {reason}", agent.name, task.id);
    let told = ToPeople {
        kind: NotificationKind::Alert,
        severity: Severity::Warning,
        text,
        headline: delivery::of_blocker(&agent.name, task.id, &task.title),
        task: Some(task.id),
        approval: None,
    };
    notify::people(desk, told)?;
    answer(desk, task.id, made, None)
}

fn fenced(
    desk: &mut Desk<'_>,
    id: TaskId,
    fence: Option<i64>,
    (to, details): (TaskState, MoveDetails),
) -> Result<Moved, Fail> {
    let task = queries::task(desk.db, id)?;
    check_fence(desk, &task, fence)?;
    let made = go(desk, &task, to, clean(details)?)?;
    answer(desk, id, made, None)
}

/// Refuses work that was begun under an older claim, or that somebody else holds.
fn check_fence(desk: &Desk<'_>, task: &Task, fence: Option<i64>) -> Result<(), Fail> {
    let caller = desk.caller.agent.as_ref().filter(|name| task.is_assigned_to(name));
    match fence {
        Some(fence) if fence != task.fence => {
            let text = format!(
                "{} was claimed again since (fence {}, yours is {fence}): claim it anew",
                task.id, task.fence
            );
            Err(Refusal::conflict(text).into())
        }
        Some(_) => Ok(()),
        None => match (&task.holder, caller) {
            (Some(holder), Some(caller)) if holder != caller => {
                Err(Refusal::conflict(format!("{} is held by {holder}", task.id)).into())
            }
            _ => Ok(()),
        },
    }
}

/// Moves a task as the caller.
pub(super) fn go(
    desk: &mut Desk<'_>,
    task: &Task,
    to: TaskState,
    details: MoveDetails,
) -> Result<MoveMade, Fail> {
    let actor = desk.caller.actor.clone();
    go_as(desk, task, to, (details, &actor))
}

/// Moves a task as `actor`, if the law allows it, with all that follows from the move.
pub(super) fn go_as(
    desk: &mut Desk<'_>,
    task: &Task,
    to: TaskState,
    (details, actor): (MoveDetails, &Actor),
) -> Result<MoveMade, Fail> {
    let agent = match actor.kind {
        ActorKind::Agent => {
            stopped::refuse_agents(desk)?;
            Some(acting_agent(desk)?)
        }
        ActorKind::Human | ActorKind::System => None,
    };
    let open = queries::open_among(desk.db, &task.depends_on)?;
    let approvals = queries::approvals_of_task(desk.db, task.id, 20)?;
    let waiting = approvals.iter().any(|one| one.status == ApprovalStatus::Pending);
    let approved = !waiting
        && approvals.iter().any(|one| {
            one.status == ApprovalStatus::Approved
                && one.decided_at.is_some_and(|at| at >= task.state_since)
        });
    let (in_progress, capacity) = load(desk, agent.as_ref())?;
    let cx = MoveContext {
        actor,
        agent: agent.as_ref(),
        open_dependencies: &open,
        in_progress: &in_progress,
        capacity,
        approved,
        budget_left: budget::task_has_left(desk, task)?,
        checklist: desk.policy.checklist(&task.task_type),
    };
    let event = law::transition(task, to, &details, &cx)?;
    let sent_back = task.state == TaskState::Review && to == TaskState::InProgress;
    let limit = contain::review_cycles(desk, task);
    if sent_back && law::review_cycle_limit_reached(task, limit) {
        return end_of_cycles(desk, task, (limit, &details));
    }
    let reason = details.reason.clone().or_else(|| details.note.clone());
    let id = desk.emit_as(actor.clone(), reason, event)?;
    follow_up(desk, task, to, &details)?;
    Ok(MoveMade { from: task.state, to, event: Some(id) })
}

/// Returns what the acting agent has in progress, and how much it may have.
fn load(desk: &Desk<'_>, agent: Option<&Agent>) -> Result<(Vec<TaskId>, u64), Fail> {
    let Some(agent) = agent else { return Ok((Vec::new(), u64::MAX)) };
    let capacity = desk.policy.doc().agents.capacity_of(&agent.name);
    Ok((queries::in_progress_of(desk.db, &agent.name)?, capacity))
}

/// Sent back once too often: the system blocks the task, so that a human looks.
fn end_of_cycles(
    desk: &mut Desk<'_>,
    task: &Task,
    (limit, details): (u32, &MoveDetails),
) -> Result<MoveMade, Fail> {
    let event = law::block_for_review_cycles(task, limit, details.feedback.as_deref());
    let reason = format!("sent back more than {limit} times");
    let id = desk.emit_as(Actor::system("review cycles"), Some(reason), event)?;
    if let Some(feedback) = &details.feedback {
        say(desk, task.id, MessageKind::Review, feedback)?;
    }
    contain::after_cycles(desk, task, limit)?;
    Ok(MoveMade { from: task.state, to: TaskState::Blocked, event: Some(id) })
}

/// What a move brings with it: notices, and feedback in the thread.
fn follow_up(
    desk: &mut Desk<'_>,
    before: &Task,
    to: TaskState,
    details: &MoveDetails,
) -> Result<(), Fail> {
    let new: Vec<AgentName> = details
        .assignees
        .iter()
        .flatten()
        .filter(|name| !before.assignees.contains(name))
        .cloned()
        .collect();
    notify::assigned(desk, before, &new)?;
    if before.state == TaskState::Review && to == TaskState::InProgress {
        if let Some(feedback) = &details.feedback {
            say(desk, before.id, MessageKind::Review, feedback)?;
        }
        tell(desk, before, &format!("{} came back with changes to make", before.id))?;
    }
    if before.state == TaskState::Blocked && !to.is_final() {
        tell(
            desk,
            before,
            &format!("{} is unblocked: {}", before.id, details.note.as_deref().unwrap_or("")),
        )?;
    }
    if to.is_final() {
        spawn::end_serving(desk, before.id)?;
        promote::after(desk, before.id)?;
    }
    // A done task needs nobody's turn, and a turn costs money; a canceled one must be let go.
    if to == TaskState::Canceled {
        tell(desk, before, &format!("{} is canceled: stop working on it", before.id))?;
    }
    Ok(())
}

fn tell(desk: &mut Desk<'_>, task: &Task, text: &str) -> Result<(), Fail> {
    for name in &task.assignees {
        if desk.caller.agent.as_ref() == Some(name) {
            continue;
        }
        let kind = NotificationKind::Assignment;
        notify::send(desk, Notice { to: name, kind, text: text.to_owned(), task: Some(task.id) })?;
    }
    Ok(())
}

/// Puts a message of the caller into the thread.
pub(super) fn say(
    desk: &mut Desk<'_>,
    task: TaskId,
    kind: MessageKind,
    text: &str,
) -> Result<EventId, Fail> {
    let message = Message {
        id: desk.next_message(),
        task,
        author: desk.caller.actor.clone(),
        kind,
        text: text.to_owned(),
        mentions: Vec::new(),
        reply_to: None,
        artifacts: Vec::new(),
        at: desk.now,
    };
    let event = desk.emit(Event::MessagePosted { message: Box::new(message.clone()) })?;
    contain::after_message(desk, &message)?;
    Ok(event)
}

/// Returns the row of the agent that acts.
pub(super) fn acting_agent(desk: &Desk<'_>) -> Result<Agent, Fail> {
    match &desk.caller.agent {
        Some(name) => queries::agent(desk.db, name),
        None if desk.caller.adapter.is_some() => {
            Err(Refusal::invalid("agent", "an adapter names the agent that it speaks for").into())
        }
        None => Err(Refusal::forbidden("only an agent can do this").into()),
    }
}

fn known_agents(desk: &Desk<'_>, names: &[AgentName]) -> Result<(), Fail> {
    let mut wrong: Vec<FieldError> = Vec::new();
    check_names(desk, "assignees", names, &mut wrong)?;
    check_barred(desk, names, &mut wrong)?;
    let Some(first) = wrong.first() else { return Ok(()) };
    let mut refusal = Refusal::invalid(first.field.clone(), first.message.clone());
    refusal.fields = wrong;
    Err(refusal.into())
}

/// Masks secrets and refuses what is too long.
fn clean(details: MoveDetails) -> Result<MoveDetails, Fail> {
    let list = |field: &str, list: Option<Vec<String>>| {
        list.map(|list| input::texts(field, list)).transpose()
    };
    let mut self_review = details.self_review;
    for (at, item) in self_review.iter_mut().flatten().enumerate() {
        item.item = input::optional(&format!("self_review[{at}].item"), &item.item, TEXT_BYTES)?;
        item.note = input::maybe(&format!("self_review[{at}].note"), item.note.take())?;
    }
    if let Some(items) = &self_review {
        input::few("self_review", items.len())?;
    }
    Ok(MoveDetails {
        reason: input::maybe("reason", details.reason)?,
        work_plan: list("work_plan", details.work_plan)?,
        deliverable: input::maybe("deliverable", details.deliverable)?,
        self_review,
        evidence: list("evidence", details.evidence)?,
        feedback: input::maybe("feedback", details.feedback)?,
        note: input::maybe("note", details.note)?,
        assignees: details.assignees,
        rule: None,
    })
}

fn answer(
    desk: &Desk<'_>,
    id: TaskId,
    transition: MoveMade,
    fence: Option<i64>,
) -> Result<Moved, Fail> {
    Ok(Moved { task: queries::task(desk.db, id)?, transition, fence })
}
