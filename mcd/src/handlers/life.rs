//! Agents that are gone or do not get on: alerts that end by themselves, and holds taken back.
//!
//! An agent's task is taken back once it is offline: the hold ends and the fence grows, so that
//! what it still sends is refused; the system may only block, so a person gives the task on.

use mc_core::{
    actor::Actor,
    agent::{Agent, AgentStatus, Liveness},
    alert::{Alert, AlertKind, AlertStatus, Severity},
    event::Event,
    squad::SquadStatus,
    task::{MoveDetails, Task, TaskState},
    time::Timestamp,
};

use super::{
    budget_alerts, moves,
    notify::{self, Warning},
    open_runs,
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// How many alerts are looked through for those that are over.
const ALERTS: i64 = 1000;

/// Looks at every agent; `agents` are those that are not retired.
pub(super) fn watch(desk: &mut Desk<'_>, agents: &[Agent]) -> Result<(), Fail> {
    settle(desk, agents)?;
    // Who was told to stand still is not missed.
    if desk.squad()?.status != SquadStatus::Running {
        return Ok(());
    }
    for agent in agents {
        if !matches!(agent.status, AgentStatus::Active | AgentStatus::Drained) {
            continue;
        }
        match liveness(desk, agent) {
            Liveness::Online => watch_progress(desk, agent)?,
            Liveness::Late => late(desk, agent)?,
            Liveness::Offline => take_back(desk, agent)?,
        }
    }
    Ok(())
}

/// Returns the agent's last sign of life: a heartbeat or work.
fn sign(desk: &Desk<'_>, agent: &Agent) -> Option<Timestamp> {
    desk.live.heard(agent).map(|heard| heard.at)
}

/// Returns since when it is quiet around the agent; at the earliest since the start of the
/// daemon, which did not hear what was before.
pub(super) fn quiet_since(desk: &Desk<'_>, agent: &Agent) -> Timestamp {
    let began = desk.live.started_at();
    sign(desk, agent).map_or(began, |at| at.max(began))
}

fn liveness(desk: &Desk<'_>, agent: &Agent) -> Liveness {
    desk.policy.doc().agents.liveness(desk.now, Some(quiet_since(desk, agent)))
}

fn minutes(now: Timestamp, since: Timestamp) -> u64 {
    now.since(since).as_secs() / 60
}

/// Says whether the task is in the agent's hands and in nobody else's.
fn holds(desk: &Desk<'_>, agent: &Agent, task: &Task) -> Result<bool, Fail> {
    let own = task.holder.as_ref() == Some(&agent.name);
    match task.state {
        TaskState::Assigned => Ok(own),
        TaskState::InProgress if task.holder.is_some() => Ok(own),
        TaskState::InProgress if agent.current_task == Some(task.id) => {
            for name in task.assignees.iter().filter(|name| **name != agent.name) {
                let other = queries::agent(desk.db, name)?;
                let works = other.current_task == Some(task.id);
                if works && liveness(desk, &other) != Liveness::Offline {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        TaskState::Inbox
        | TaskState::InProgress
        | TaskState::Review
        | TaskState::NeedsApproval
        | TaskState::Blocked
        | TaskState::Done
        | TaskState::Canceled => Ok(false),
    }
}

/// Raises an alert about an agent that holds a task in progress and is late.
fn late(desk: &mut Desk<'_>, agent: &Agent) -> Result<(), Fail> {
    let Some(task) = agent.current_task else { return Ok(()) };
    if queries::task_state(desk.db, task)? != Some(TaskState::InProgress) {
        return Ok(());
    }
    let quiet = minutes(desk.now, quiet_since(desk, agent));
    let lost = desk.policy.doc().agents.offline;
    let warning = Warning {
        severity: Severity::Warning,
        kind: AlertKind::HeartbeatLost,
        text: format!(
            "{} holds {task} in progress and was not heard of for {quiet} min; \
             after {lost} it loses it",
            agent.name
        ),
        next: "look at its runtime; reassign the task, or wait",
        task: Some(task),
        agent: Some(agent.name.clone()),
    };
    notify::warn(desk, warning)?;
    Ok(())
}

/// Raises an alert about an agent that is heard of and works without getting on. One whose
/// question waits for a person is not silent.
fn watch_progress(desk: &mut Desk<'_>, agent: &Agent) -> Result<(), Fail> {
    let Some(since) = silent(desk, agent) else { return Ok(()) };
    if queries::waiting_approvals(desk.db, &agent.name)?.1 > 0 {
        return Ok(());
    }
    let text = format!(
        "{} is SILENT: it says that it works, and did nothing for {} min",
        agent.name,
        minutes(desk.now, since)
    );
    let warning = Warning {
        severity: Severity::Warning,
        kind: AlertKind::NoProgress,
        text,
        next: "look at its session; pause it, or send it a message",
        task: agent.current_task,
        agent: Some(agent.name.clone()),
    };
    notify::warn(desk, warning)?;
    Ok(())
}

fn silent(desk: &Desk<'_>, agent: &Agent) -> Option<Timestamp> {
    let heard = desk.live.last_beat(&agent.name)?;
    desk.policy.doc().agents.silent_since(agent, heard, desk.now)
}

/// Takes everything back that an agent which is gone holds, and ends its runs.
fn take_back(desk: &mut Desk<'_>, agent: &Agent) -> Result<(), Fail> {
    for task in queries::open_tasks_of(desk.db, &agent.name)? {
        if holds(desk, agent, &task)? {
            release(desk, agent, &task)?;
        }
    }
    for run in queries::running(desk.db, Some(&agent.name))? {
        open_runs::left_behind(desk, &run, "its agent is gone")?;
    }
    Ok(())
}

fn release(desk: &mut Desk<'_>, agent: &Agent, task: &Task) -> Result<(), Fail> {
    let system = Actor::system("leases");
    let quiet = minutes(desk.now, quiet_since(desk, agent));
    let why = format!("{} was not heard of for {quiet} min", agent.name);
    let fence = task.fence + 1;
    let event = Event::TaskReleased { task: task.id, agent: agent.name.clone(), fence };
    desk.emit_as(system.clone(), Some(why.clone()), event)?;
    let task = queries::task(desk.db, task.id)?;
    let reason = format!("{why} and lost the task: give it to another, or back to it");
    let details = MoveDetails { reason: Some(reason), ..MoveDetails::default() };
    moves::go_as(desk, &task, TaskState::Blocked, (details, &system))?;
    if let Some(open) =
        queries::open_alert(desk.db, AlertKind::HeartbeatLost, Some(&agent.name), Some(task.id))?
    {
        resolve(desk, &open, "it lost the task")?;
    }
    let warning = Warning {
        severity: Severity::Error,
        kind: AlertKind::HeartbeatLost,
        text: format!("{why} and lost {}, which is blocked", task.id),
        next: "unblock the task with another assignee, or start its runtime again",
        task: Some(task.id),
        agent: Some(agent.name.clone()),
    };
    notify::warn(desk, warning)?;
    Ok(())
}

/// Resolves the alerts whose trouble is over.
fn settle(desk: &mut Desk<'_>, agents: &[Agent]) -> Result<(), Fail> {
    for alert in queries::unresolved_alerts(desk.db, ALERTS)? {
        let about = alert.agent.as_ref();
        let agent = agents.iter().find(|agent| Some(&agent.name) == about);
        let why = if alert.kind == AlertKind::Budget {
            budget_alerts::is_past(desk, &alert)?
        } else {
            over(desk, &alert, agent)
        };
        if let Some(why) = why {
            resolve(desk, &alert, &why)?;
        }
    }
    Ok(())
}

/// Returns why the trouble that an alert of this room speaks of is over.
fn over(desk: &Desk<'_>, alert: &Alert, agent: Option<&Agent>) -> Option<String> {
    if !matches!(alert.kind, AlertKind::HeartbeatLost | AlertKind::NoProgress) {
        return None;
    }
    let Some(agent) = agent else { return Some("the agent is retired".to_owned()) };
    // What was before a restart is no news: only a sign of life since then is.
    let seen = sign(desk, agent).filter(|at| *at >= desk.live.started_at());
    if alert.kind == AlertKind::HeartbeatLost {
        let is_back = desk.policy.doc().agents.liveness(desk.now, seen) == Liveness::Online;
        return is_back.then(|| format!("{} is heard of again", agent.name));
    }
    let is_over = seen.is_some() && silent(desk, agent).is_none();
    is_over.then(|| format!("{} is not silent any more", agent.name))
}

pub(super) fn resolve(desk: &mut Desk<'_>, alert: &Alert, why: &str) -> Result<(), Fail> {
    let event = Event::AlertChanged {
        alert: alert.id,
        task: alert.task,
        status: AlertStatus::Resolved,
        note: Some(why.to_owned()),
    };
    desk.emit_as(Actor::system("alerts"), None, event)?;
    Ok(())
}
