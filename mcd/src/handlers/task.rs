//! Creating and changing tasks.

use mc_core::{
    actor::{Actor, ActorKind},
    agent::{Agent, AgentName, AgentStatus, Autonomy},
    event::Event,
    id::TaskId,
    money::{MicroUsd, Tokens},
    policy::Within,
    refusal::{FieldError, Refusal, RefusalKind},
    schedule::Occurrence,
    task::{Task, TaskPatch, TaskState},
    time::{Due, Timestamp},
};
use mc_proto::{
    limits::{SHORT_BYTES, TEXT_BYTES, TITLE_BYTES},
    method::task::{Create, Update},
};

use super::{assigning, input, moves::acting_agent, notify, stopped};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// How far a chain of dependencies is followed when looking for a cycle.
const CHAIN: usize = 1000;
/// The largest budget that can be given to a task: a million dollars.
const BUDGET_LIMIT: MicroUsd = MicroUsd::cents(100_000_000);

/// `task.create`
///
/// # Errors
///
/// `invalid_params` field by field, `forbidden` when an agent assigns others.
pub fn create(desk: &mut Desk<'_>, params: Create) -> Result<Task, Fail> {
    stopped::refuse_agents(desk)?;
    not_too_many(desk)?;
    let mut wrong = check_fields(desk, &params)?;
    check_due(desk, params.due_at, &mut wrong);
    check_barred(desk, &params.assignees, &mut wrong)?;
    refuse_if(wrong)?;
    may_assign(desk, &params.assignees)?;
    let task = begin(desk, params)?;
    let (id, assignees) = (task.id, task.assignees.clone());
    desk.emit(Event::TaskCreated { task: Box::new(task) })?;
    let task = queries::task(desk.db, id)?;
    notify::assigned(desk, &task, &assignees)?;
    assigning::offer(desk, id)?;
    queries::task(desk.db, id)
}

/// Refuses one more task of an agent that has created too many which nobody has closed.
fn not_too_many(desk: &Desk<'_>) -> Result<(), Fail> {
    let creator = &desk.caller.actor;
    if creator.kind != ActorKind::Agent {
        return Ok(());
    }
    let most = desk.policy.doc().limits.open_tasks_per_agent;
    let open = queries::open_tasks_by(desk.db, &creator.name)?;
    if u64::try_from(open).unwrap_or(0) < most {
        return Ok(());
    }
    let text = format!(
        "{} has created {open} tasks that are open, at most {most} may be (`open_tasks_per_agent` in \
         `[limits]` of the policy): finish some, or have a person cancel some",
        creator.name
    );
    Err(Refusal::new(RefusalKind::RateLimited, text).into())
}

/// Creates the task of an occurrence, as the schedule.
pub(super) fn create_due(
    desk: &mut Desk<'_>,
    params: Create,
    occurrence: Occurrence,
) -> Result<TaskId, Fail> {
    let actor = Actor::system(format!("schedule {}", occurrence.schedule));
    let reason = format!("{} was due {}", occurrence.schedule, occurrence.due);
    let mut task = begin(desk, params)?;
    task.created_by = actor.clone();
    task.schedule = Some(occurrence);
    let (id, assignees) = (task.id, task.assignees.clone());
    desk.emit_as(actor, Some(reason), Event::TaskCreated { task: Box::new(task) })?;
    let task = queries::task(desk.db, id)?;
    notify::assigned(desk, &task, &assignees)?;
    assigning::offer(desk, id)?;
    Ok(id)
}

/// Returns the task as it begins.
fn begin(desk: &mut Desk<'_>, params: Create) -> Result<Task, Fail> {
    let state = if params.assignees.is_empty() { TaskState::Inbox } else { TaskState::Assigned };
    let within = Within {
        project: params.project.as_deref(),
        task_type: Some(params.task_type.as_str()),
        agent: None,
    };
    let cap = desk.policy.at(within).task_cap(&params.task_type);
    let budget_uusd = params.budget_uusd.unwrap_or(cap);
    if desk.caller.actor.kind == ActorKind::Agent && budget_uusd > cap {
        let text = format!("is {budget_uusd}, an agent may ask for {cap} at most on such a task");
        return Err(Refusal::invalid("budget_uusd", text).into());
    }
    Ok(Task {
        id: desk.next_task(),
        rev: 1,
        title: input::needed("title", &params.title, TITLE_BYTES)?,
        description: input::optional("description", &params.description, TEXT_BYTES)?,
        priority: params.priority.unwrap_or(3),
        state,
        state_since: desk.now,
        assignees: params.assignees,
        by_rule: None,
        put_back: false,
        reviewers: params.reviewers,
        subscribers: Vec::new(),
        parent: params.parent,
        depends_on: params.depends_on,
        promoted_at: None,
        project: params.project,
        labels: params.labels,
        due_at: moment(desk, params.due_at),
        budget_uusd,
        task_type: params.task_type,
        spent_uusd: MicroUsd::ZERO,
        cost_state: None,
        tokens: Tokens::default(),
        runs: 0,
        work_plan: Vec::new(),
        deliverable: None,
        self_review: Vec::new(),
        evidence: Vec::new(),
        review_cycles: 0,
        counted_since: None,
        blocked_reason: None,
        resume_state: None,
        holder: None,
        fence: 0,
        decision: None,
        created_by: desk.caller.actor.clone(),
        created_at: desk.now,
        updated_at: desk.now,
        started_at: None,
        submitted_at: None,
        ended_at: None,
        schedule: None,
    })
}

/// Collects everything that is wrong, so that one answer tells it all.
pub(super) fn check_fields(desk: &Desk<'_>, params: &Create) -> Result<Vec<FieldError>, Fail> {
    let mut wrong = Vec::new();
    if !desk.policy.has_task_type(&params.task_type) {
        let known = desk.policy.doc().tasks.types.join(", ");
        let text = format!("`{}` is no task type; known are {known}", params.task_type);
        wrong.push(FieldError::new("type", text));
    }
    check_names(desk, "assignees", &params.assignees, &mut wrong)?;
    check_names(desk, "reviewers", &params.reviewers, &mut wrong)?;
    check_judges(&params.reviewers, &params.assignees, &mut wrong);
    check_patch(desk, &as_patch(params), None, &mut wrong)?;
    if let Some(parent) = params.parent {
        check_parent(desk, parent, &mut wrong)?;
    }
    Ok(wrong)
}

/// What a task costs is paid by the tasks above it too: by all of them, and only by those that an
/// agent has a part in.
fn check_parent(desk: &Desk<'_>, parent: TaskId, wrong: &mut Vec<FieldError>) -> Result<(), Fail> {
    if queries::task_state(desk.db, parent)?.is_none() {
        wrong.push(FieldError::new("parent", format!("task `{parent}` not found")));
        return Ok(());
    }
    let above = queries::task(desk.db, parent)?;
    if queries::tasks_above(desk.db, parent)?.len() >= queries::TASK_DEPTH {
        let text = format!("tasks go at most {} deep", queries::TASK_DEPTH);
        wrong.push(FieldError::new("parent", text));
    }
    let Some(agent) = desk.caller.agent.as_ref().filter(|_| !desk.caller.is_human()) else {
        return Ok(());
    };
    let agent = queries::agent(desk.db, agent)?;
    let is_part = above.is_assigned_to(&agent.name)
        || agent.serves == Some(parent)
        || above.created_by.is_agent(&agent.name);
    if !is_part && agent.autonomy != Autonomy::Lead {
        let text = format!("{parent} is not yours: a part of it would spend its budget");
        wrong.push(FieldError::new("parent", text));
    }
    Ok(())
}

fn as_patch(params: &Create) -> TaskPatch {
    TaskPatch {
        title: Some(params.title.clone()),
        description: None,
        priority: params.priority,
        assignees: None,
        reviewers: None,
        depends_on: Some(params.depends_on.clone()),
        project: params.project.clone(),
        labels: Some(params.labels.clone()),
        due_at: None,
        budget_uusd: params.budget_uusd,
        reassigned: None,
    }
}

/// Refuses with everything that is wrong, if anything is.
pub(super) fn refuse_if(wrong: Vec<FieldError>) -> Result<(), Fail> {
    let Some(first) = wrong.first() else { return Ok(()) };
    let mut refusal = Refusal::invalid(first.field.clone(), first.message.clone());
    refusal.fields = wrong;
    Err(refusal.into())
}

/// Refuses assignees that the calling agent may not give work to.
fn may_assign(desk: &Desk<'_>, assignees: &[AgentName]) -> Result<(), Fail> {
    if desk.caller.is_human() || assignees.is_empty() {
        return Ok(());
    }
    let agent = &acting_agent(desk)?.name;
    if assignees.iter().all(|name| name == agent) && assignees.len() <= 1 {
        let claims = assignees.first().map(|_| queries::agent(desk.db, agent)).transpose()?;
        if claims.is_none_or(|agent| agent.autonomy != Autonomy::Intern) {
            return Ok(());
        }
        let text = "an intern can't take tasks by itself; leave `assignees` out";
        return Err(Refusal::forbidden(text).into());
    }
    if queries::agent(desk.db, agent)?.autonomy == Autonomy::Lead {
        return Ok(());
    }
    Err(Refusal::forbidden("only a lead may assign tasks to others; leave `assignees` out").into())
}

/// Says for each name that is no agent, or a retired one, what is wrong.
pub(super) fn check_names(
    desk: &Desk<'_>,
    field: &str,
    names: &[AgentName],
    wrong: &mut Vec<FieldError>,
) -> Result<(), Fail> {
    if let Err(refusal) = input::few(field, names.len()) {
        wrong.extend(refusal.fields);
        return Ok(());
    }
    for (at, name) in names.iter().enumerate() {
        let field = || format!("{field}[{at}]");
        match queries::find_agent(desk.db, name)? {
            None => wrong.push(FieldError::new(field(), format!("agent `{name}` not found"))),
            Some(Agent { status: AgentStatus::Stopped, .. }) => {
                let text = format!("agent `{name}` is retired; name another");
                wrong.push(FieldError::new(field(), text));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Says for each reviewer that it is an assignee: nobody may send its own work back.
fn check_judges(reviewers: &[AgentName], assignees: &[AgentName], wrong: &mut Vec<FieldError>) {
    for (at, name) in reviewers.iter().enumerate().filter(|(_, name)| assignees.contains(name)) {
        let text =
            format!("agent `{name}` is an assignee and can't judge its own work; name another");
        wrong.push(FieldError::new(format!("reviewers[{at}]"), text));
    }
}

/// Returns when something is due; a day ends in the squad's zone.
fn moment(desk: &Desk<'_>, due: Option<Due>) -> Option<Timestamp> {
    due?.at(&desk.live.zone())
}

/// Says that what should be done was to be done in the past: nobody means that.
fn check_due(desk: &Desk<'_>, due: Option<Due>, wrong: &mut Vec<FieldError>) {
    let Some(due) = due else { return };
    if moment(desk, Some(due)).is_none_or(|at| at <= desk.now) {
        let text = format!("{due} is over, or never comes: name a time after {}", desk.now);
        wrong.push(FieldError::new("due_at", text));
    }
}

/// Says for each agent in quarantine that it can't be given work. A schedule is not held back by
/// one: its task waits in Assigned until a person has looked.
pub(super) fn check_barred(
    desk: &Desk<'_>,
    names: &[AgentName],
    wrong: &mut Vec<FieldError>,
) -> Result<(), Fail> {
    for (at, name) in names.iter().enumerate() {
        let agent = queries::find_agent(desk.db, name)?;
        if agent.is_some_and(|agent| agent.status == AgentStatus::Quarantined) {
            let text = format!(
                "agent `{name}` is quarantined and can't work: resume it with `mcctl agent resume \
                 {name}`, or name another"
            );
            wrong.push(FieldError::new(format!("assignees[{at}]"), text));
        }
    }
    Ok(())
}

fn check_exists(
    desk: &Desk<'_>,
    field: &str,
    task: TaskId,
    wrong: &mut Vec<FieldError>,
) -> Result<(), Fail> {
    if queries::task_state(desk.db, task)?.is_none() {
        wrong.push(FieldError::new(field, format!("task `{task}` not found")));
    }
    Ok(())
}

fn check_patch(
    desk: &Desk<'_>,
    patch: &TaskPatch,
    task: Option<TaskId>,
    wrong: &mut Vec<FieldError>,
) -> Result<(), Fail> {
    let mut note = |result: Result<(), Refusal>| {
        if let Err(refusal) = result {
            wrong.extend(refusal.fields);
        }
    };
    if let Some(title) = &patch.title {
        note(input::needed("title", title, TITLE_BYTES).map(drop));
        if title.contains(['\n', '\r']) {
            let text = "is more than one line; the rest belongs into `description`";
            note(Err(Refusal::invalid("title", text)));
        }
    }
    if let Some(text) = &patch.description {
        note(input::at_most("description", text, TEXT_BYTES));
    }
    if let Some(project) = &patch.project {
        note(input::needed("project", project, TITLE_BYTES).map(drop));
    }
    let labels = patch.labels.as_deref().unwrap_or_default();
    note(input::few("labels", labels.len()));
    for (at, label) in labels.iter().enumerate() {
        note(input::needed(&format!("labels[{at}]"), label, SHORT_BYTES).map(drop));
    }
    if patch.priority.is_some_and(|priority| !(1..=4).contains(&priority)) {
        wrong.push(FieldError::new("priority", "must be 1 (critical) to 4 (low)"));
    }
    if patch.budget_uusd.is_some_and(|budget| budget.0 <= 0 || budget > BUDGET_LIMIT) {
        let text =
            format!("must be more than $0.00 and at most {BUDGET_LIMIT}: without one nothing runs");
        wrong.push(FieldError::new("budget_uusd", text));
    }
    check_dependencies(desk, task, patch.depends_on.as_deref().unwrap_or_default(), wrong)
}

/// Refuses unknown dependencies, and those that lead back to the task.
fn check_dependencies(
    desk: &Desk<'_>,
    task: Option<TaskId>,
    depends_on: &[TaskId],
    wrong: &mut Vec<FieldError>,
) -> Result<(), Fail> {
    if let Err(refusal) = input::few("depends_on", depends_on.len()) {
        wrong.extend(refusal.fields);
        return Ok(());
    }
    for (at, dependency) in depends_on.iter().enumerate() {
        check_exists(desk, &format!("depends_on[{at}]"), *dependency, wrong)?;
    }
    let Some(task) = task.filter(|_| wrong.is_empty()) else { return Ok(()) };
    let mut ahead = depends_on.to_vec();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(next) = ahead.pop() {
        if next == task || seen.len() > CHAIN {
            let text = format!("`{task}` would wait for itself");
            wrong.push(FieldError::new("depends_on", text));
            return Ok(());
        }
        if seen.insert(next) {
            ahead.extend(queries::task(desk.db, next)?.depends_on);
        }
    }
    Ok(())
}

/// `task.update`
///
/// # Errors
///
/// `conflict` on another revision, `forbidden` for fields that an agent may not change.
pub fn update(desk: &mut Desk<'_>, params: Update) -> Result<Task, Fail> {
    let (id, rev) = (params.task, params.rev);
    let task = queries::task(desk.db, id)?;
    if task.rev != rev {
        let text = format!("{id} is at revision {}, you saw {rev}: read it again", task.rev);
        return Err(Refusal::conflict(text).into());
    }
    let due = params.due_at;
    let mut patch = params.patch(moment(desk, due));
    if desk.caller.actor.kind == ActorKind::Agent {
        agent_may_change(desk, &task, &patch)?;
    }
    let mut wrong = Vec::new();
    let reviewers = patch.reviewers.as_deref().unwrap_or_default();
    check_names(desk, "reviewers", reviewers, &mut wrong)?;
    check_judges(reviewers, &task.assignees, &mut wrong);
    check_patch(desk, &patch, Some(id), &mut wrong)?;
    check_due(desk, due, &mut wrong);
    refuse_if(wrong)?;
    if patch == TaskPatch::default() {
        return Err(Refusal::invalid("params", "nothing to change: name at least one field").into());
    }
    patch.title = input::maybe("title", patch.title)?;
    patch.description = input::maybe("description", patch.description)?;
    desk.emit(Event::TaskUpdated { task: id, patch })?;
    queries::task(desk.db, id)
}

fn agent_may_change(desk: &Desk<'_>, task: &Task, patch: &TaskPatch) -> Result<(), Fail> {
    let who = desk.caller.agent.as_ref().map_or("", |agent| agent.as_str());
    let is_own = task.is_assigned_to(who) || task.created_by.is_agent(who);
    let allowed = TaskPatch {
        description: patch.description.clone(),
        labels: patch.labels.clone(),
        ..TaskPatch::default()
    };
    if is_own && *patch == allowed {
        return Ok(());
    }
    let text = "an agent may change description and labels of its own tasks, and nothing else";
    Err(Refusal::forbidden(text).into())
}
