//! Pausing, draining, quarantining and retiring agents.

use mc_core::{
    actor::Actor,
    agent::{Agent, AgentName, AgentStatus},
    approval::ApprovalStatus,
    event::Event,
    id::{ApprovalId, TaskId},
    refusal::{Refusal, RefusalKind},
    task::{MoveDetails, Task, TaskState},
};
use mc_proto::method::agent::Touched;

use super::{evidence, input, moves, spawn};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// `agent.pause`
///
/// # Errors
///
/// `not_found`, `transition_refused` when the agent is not active or drained.
pub fn pause(desk: &mut Desk<'_>, name: &AgentName, reason: &str) -> Result<Touched, Fail> {
    let from = [AgentStatus::Active, AgentStatus::Drained];
    let agent = change(desk, name, (&from, AgentStatus::Paused), reason)?;
    let approvals = void_granted(desk, name)?;
    touched(desk, agent, Vec::new(), approvals)
}

/// `agent.resume`
///
/// # Errors
///
/// `not_found`, `transition_refused` when the agent is retired or active already.
pub fn resume(desk: &mut Desk<'_>, name: &AgentName, reason: &str) -> Result<Touched, Fail> {
    let from = [AgentStatus::Paused, AgentStatus::Drained, AgentStatus::Quarantined];
    let agent = change(desk, name, (&from, AgentStatus::Active), reason)?;
    touched(desk, agent, Vec::new(), Vec::new())
}

/// `agent.drain`
///
/// # Errors
///
/// `not_found`, `transition_refused` when the agent is not active.
pub fn drain(desk: &mut Desk<'_>, name: &AgentName, reason: &str) -> Result<Touched, Fail> {
    let agent = change(desk, name, (&[AgentStatus::Active], AgentStatus::Drained), reason)?;
    touched(desk, agent, Vec::new(), Vec::new())
}

/// `agent.quarantine`
///
/// # Errors
///
/// `not_found`, `transition_refused` when the agent is retired or quarantined already.
pub fn quarantine(desk: &mut Desk<'_>, name: &AgentName, reason: &str) -> Result<Touched, Fail> {
    let from = [AgentStatus::Active, AgentStatus::Paused, AgentStatus::Drained];
    let agent = change(desk, name, (&from, AgentStatus::Quarantined), reason)?;
    let actor = desk.caller.actor.clone();
    evidence::keep(desk, &actor, name, &input::reason(reason)?)?;
    spawn::follow_parent(desk, name, agent.status)?;
    end_work(desk, &agent, reason)
}

/// `agent.stop`
///
/// # Errors
///
/// `not_found`, `transition_refused` when the agent is retired already.
pub fn retire(desk: &mut Desk<'_>, name: &AgentName, reason: &str) -> Result<Touched, Fail> {
    let from =
        [AgentStatus::Active, AgentStatus::Paused, AgentStatus::Drained, AgentStatus::Quarantined];
    let agent = change(desk, name, (&from, AgentStatus::Stopped), reason)?;
    desk.emit(Event::TokenRevoked { name: name.to_string() })?;
    spawn::follow_parent(desk, name, agent.status)?;
    end_work(desk, &agent, reason)
}

/// Quarantines an agent because of what it does, unless it stands still already.
pub(super) fn contain(
    desk: &mut Desk<'_>,
    system: &Actor,
    name: &AgentName,
    reason: &str,
) -> Result<(), Fail> {
    let agent = queries::agent(desk.db, name)?;
    if !matches!(agent.status, AgentStatus::Active | AgentStatus::Drained) {
        return Ok(());
    }
    let to = AgentStatus::Quarantined;
    let event = Event::AgentStatusChanged { agent: name.clone(), from: agent.status, to };
    desk.emit_as(system.clone(), Some(reason.to_owned()), event)?;
    evidence::keep(desk, system, name, reason)?;
    for child in spawn::children(desk, name)? {
        contain(desk, system, &child.name, &format!("its parent {name} is quarantined"))?;
    }
    let agent = queries::agent(desk.db, name)?;
    end_work_as(desk, system, &agent, reason).map(drop)
}

/// Cancels the agent's approvals and blocks its tasks.
fn end_work(desk: &mut Desk<'_>, agent: &Agent, reason: &str) -> Result<Touched, Fail> {
    let actor = desk.caller.actor.clone();
    end_work_as(desk, &actor, agent, reason)
}

fn end_work_as(
    desk: &mut Desk<'_>,
    actor: &Actor,
    agent: &Agent,
    reason: &str,
) -> Result<Touched, Fail> {
    let approvals = close_open(desk, actor, Some(&agent.name), |_| true)?;
    let mut tasks = Vec::new();
    for task in queries::open_tasks_of(desk.db, &agent.name)? {
        let text = format!("{} is {}: {reason}", agent.name, word(agent.status));
        if block_as(desk, actor, &task, text)? {
            tasks.push(task.id);
        }
    }
    let agent = queries::agent(desk.db, &agent.name)?;
    touched(desk, agent, tasks, approvals)
}

/// Moves a task to Blocked as `actor`, if it is not there already; says whether it moved.
pub(super) fn block_as(
    desk: &mut Desk<'_>,
    actor: &Actor,
    task: &Task,
    reason: String,
) -> Result<bool, Fail> {
    if task.state == TaskState::Blocked || task.state.is_final() {
        return Ok(false);
    }
    let details = MoveDetails { reason: Some(reason), ..MoveDetails::default() };
    moves::go_as(desk, task, TaskState::Blocked, (details, actor))?;
    Ok(true)
}

/// Changes an agent's status, if it has one of `from`.
pub(super) fn change(
    desk: &mut Desk<'_>,
    name: &AgentName,
    (from, to): (&[AgentStatus], AgentStatus),
    reason: &str,
) -> Result<Agent, Fail> {
    let agent = queries::agent(desk.db, name)?;
    let reason = input::reason(reason)?;
    if !from.contains(&agent.status) {
        let text = format!("{name} is {}: it can't become {}", word(agent.status), word(to));
        return Err(Refusal::new(RefusalKind::TransitionRefused, text).into());
    }
    let event = Event::AgentStatusChanged { agent: name.clone(), from: agent.status, to };
    desk.emit_because(&reason, event)?;
    queries::agent(desk.db, name)
}

/// What was granted and not used is void once its agent stands still.
fn void_granted(desk: &mut Desk<'_>, name: &AgentName) -> Result<Vec<ApprovalId>, Fail> {
    let actor = desk.caller.actor.clone();
    close_open(desk, &actor, Some(name), |status| status == ApprovalStatus::Approved)
}

/// Cancels approvals that wait or were not used, of one agent or of all.
pub(super) fn close_open(
    desk: &mut Desk<'_>,
    actor: &Actor,
    agent: Option<&AgentName>,
    wanted: impl Fn(ApprovalStatus) -> bool,
) -> Result<Vec<ApprovalId>, Fail> {
    let mut closed = Vec::new();
    for approval in queries::open_approvals(desk.db, agent.map(AgentName::as_str))? {
        if !wanted(approval.status) {
            continue;
        }
        let event = Event::ApprovalClosed {
            approval: approval.id,
            agent: approval.agent,
            task: approval.task,
            status: ApprovalStatus::Canceled,
            note: Some("voided by a stop".to_owned()),
        };
        desk.emit_as(actor.clone(), None, event)?;
        closed.push(approval.id);
    }
    Ok(closed)
}

fn touched(
    desk: &Desk<'_>,
    agent: Agent,
    tasks: Vec<TaskId>,
    approvals: Vec<ApprovalId>,
) -> Result<Touched, Fail> {
    let stands = agent.status != AgentStatus::Active && agent.status != AgentStatus::Drained;
    let runs = if stands { queries::running(desk.db, Some(&agent.name))? } else { Vec::new() };
    Ok(Touched { agent, tasks, approvals, runs: runs.into_iter().map(|run| run.id).collect() })
}

const fn word(status: AgentStatus) -> &'static str {
    match status {
        AgentStatus::Active => "active",
        AgentStatus::Paused => "paused",
        AgentStatus::Drained => "drained",
        AgentStatus::Quarantined => "quarantined",
        AgentStatus::Stopped => "stopped",
    }
}
