//! The squad as a whole: pause, drain, the emergency stop's record, and resuming.

use mc_core::{
    actor::Actor,
    agent::{Agent, AgentStatus},
    alert::{Alert, AlertKind, AlertStatus, Severity},
    event::Event,
    id::TaskId,
    refusal::{Refusal, RefusalKind},
    run::RunStatus,
    squad::{AgentStop, SquadStatus, StopReport, StopState, StoppedTask},
    task::{MoveDetails, TaskState},
};
use mc_proto::method::squad::{AgentReceipt, EmergencyResume, Receipt};

use super::{
    input, moves,
    notify::{self, Warning},
    stop,
};
use crate::masking;
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// How the reason of every task that an emergency stop blocked begins.
const STOPPED_BY: &str = "emergency stop: ";
/// How the reason of every agent begins that was drained with the squad.
const DRAINED_WITH_ALL: &str = "the squad drains: ";
/// How many open tasks one emergency stop can block; more stay where they are, and can't run.
const STOPPED: i64 = 100_000;

/// `squad.pause`
///
/// # Errors
///
/// `transition_refused` unless the squad runs.
pub fn pause(desk: &mut Desk<'_>, reason: &str) -> Result<Receipt, Fail> {
    let reason = input::reason(reason)?;
    change(desk, (SquadStatus::Running, SquadStatus::Paused), &reason)?;
    let granted = |status| status == mc_core::approval::ApprovalStatus::Approved;
    let actor = desk.caller.actor.clone();
    let approvals = stop::close_open(desk, &actor, None, granted)?;
    let text = "the squad is paused: no run starts, no tool call is allowed".to_owned();
    receipt(desk, text, Vec::new(), approvals.len())
}

/// `squad.resume`: ends a pause, and a drain of the squad for all whom it drained.
///
/// # Errors
///
/// `transition_refused` unless the squad is paused or was drained.
pub fn resume(desk: &mut Desk<'_>, reason: &str) -> Result<Receipt, Fail> {
    let reason = input::reason(reason)?;
    let agents = queries::agents(desk.db, false)?;
    let drained: Vec<_> = agents.iter().filter(|agent| is_drained_with_all(agent)).collect();
    if desk.squad()?.status != SquadStatus::Running || drained.is_empty() {
        change(desk, (SquadStatus::Paused, SquadStatus::Running), &reason)?;
    }
    for agent in &drained {
        stop::resume(desk, &agent.name, &reason)?;
    }
    let text = match drained.len() {
        0 => "the squad works again".to_owned(),
        1 => "the squad works again: 1 agent that was drained takes tasks again".to_owned(),
        count => {
            format!("the squad works again: {count} agents that were drained take tasks again")
        }
    };
    receipt(desk, text, Vec::new(), 0)
}

/// Says whether a drain of the squad has the agent stand still, or will once its task is finished.
fn is_drained_with_all(agent: &Agent) -> bool {
    matches!(agent.status, AgentStatus::Drained | AgentStatus::Paused)
        && agent.status_reason.as_ref().is_some_and(|why| why.starts_with(DRAINED_WITH_ALL))
}

/// `squad.drain`
///
/// # Errors
///
/// `invalid_params` without a reason.
pub fn drain(desk: &mut Desk<'_>, reason: &str) -> Result<Receipt, Fail> {
    let reason = input::reason(reason)?;
    let agents = queries::agents(desk.db, false)?;
    let mut drained = 0;
    for agent in agents.iter().filter(|agent| agent.status == AgentStatus::Active) {
        stop::drain(desk, &agent.name, &format!("{DRAINED_WITH_ALL}{reason}"))?;
        drained += 1;
    }
    receipt(desk, format!("{drained} agents finish their task, then pause"), Vec::new(), 0)
}

fn change(
    desk: &mut Desk<'_>,
    (from, to): (SquadStatus, SquadStatus),
    reason: &str,
) -> Result<(), Fail> {
    let squad = desk.squad()?;
    if squad.status != from {
        let text = match squad.status {
            SquadStatus::Running => "the squad works already",
            SquadStatus::Paused => "the squad is paused already",
            SquadStatus::Halted => {
                "the emergency stop is in force: an admin ends it with `squad emergency-resume`"
            }
        };
        return Err(Refusal::new(RefusalKind::TransitionRefused, text).into());
    }
    desk.emit_because(reason, Event::SquadStatusChanged { from, to, tasks: Vec::new() })?;
    Ok(())
}

/// Records an emergency stop that holds already: cancels approvals and blocks every open task.
pub(super) fn halt(desk: &mut Desk<'_>, reason: &str) -> Result<Receipt, Fail> {
    let reason: &str = &masking::text(reason);
    let squad = desk.squad()?;
    let was = squad.status;
    let open = queries::open_tasks(desk.db, STOPPED)?;
    let open: Vec<_> = open.into_iter().filter(|task| task.state != TaskState::Blocked).collect();
    // What an earlier stop blocked and nobody has moved back is not forgotten.
    let mut tasks = squad.stopped.clone();
    tasks.retain(|row| !open.iter().any(|task| task.id == row.task));
    tasks.extend(open.iter().map(|task| StoppedTask { task: task.id, from: task.state }));
    if was != SquadStatus::Halted || !open.is_empty() {
        let event = Event::SquadStatusChanged { from: was, to: SquadStatus::Halted, tasks };
        desk.emit_because(reason, event)?;
    }
    let actor = desk.caller.actor.clone();
    let approvals = stop::close_open(desk, &actor, None, |_| true)?;
    for task in &open {
        stop::block(desk, task, format!("{STOPPED_BY}{reason}"))?;
    }
    let blocked: Vec<TaskId> = open.iter().map(|task| task.id).collect();
    let text = format!(
        "everything is stopped: {} tasks blocked, {} approvals canceled",
        blocked.len(),
        approvals.len()
    );
    receipt(desk, text, blocked, approvals.len())
}

/// What to do about an agent that goes on.
const GOES_ON: &str = "its calls are refused already; end its runtime: `systemctl --user stop` its \
                       service, or kill its process (docs/RUNBOOK.md, \"Something does not stop\")";

/// Records how far an emergency stop got, unless it is over; an agent that goes on is an alert, once.
pub(super) fn report_stop(desk: &mut Desk<'_>, report: Box<StopReport>) -> Result<(), Fail> {
    if desk.squad()?.status != SquadStatus::Halted {
        return Ok(());
    }
    let agents = report.agents.clone();
    desk.emit(Event::SquadStopReported { report })?;
    for one in &agents {
        // Without a time nothing is known of it yet.
        let Some(after_ms) = one.after_ms else { continue };
        match one.state {
            StopState::Ended => no_longer(desk, one, after_ms)?,
            StopState::NotStopped | StopState::Unreached => {
                notify::warn(desk, goes_on(one, after_ms))?;
            }
            StopState::Idle | StopState::Asked => {}
        }
    }
    Ok(())
}

/// The words that every alert about an agent which goes on begins with.
const NOT_STOPPED: &str = "NOT STOPPED";

fn goes_on(one: &AgentStop, after_ms: i64) -> Warning {
    let why = match (one.state, one.detail.as_str()) {
        (StopState::Unreached, _) => "no runtime of it can be told to end its session",
        (_, "") => "its runtime does not answer",
        (_, detail) => detail,
    };
    let after = after_ms / 1000;
    Warning {
        severity: Severity::Critical,
        kind: AlertKind::Security,
        text: format!("{NOT_STOPPED}: {} goes on {after} s after the stop: {why}", one.agent),
        next: GOES_ON,
        task: None,
        agent: Some(one.agent.clone()),
    }
}

/// Ends the alert about an agent that has stopped after all.
fn no_longer(desk: &mut Desk<'_>, one: &AgentStop, after_ms: i64) -> Result<(), Fail> {
    let open = queries::open_alert(desk.db, AlertKind::Security, Some(one.agent.as_str()), None)?;
    let Some(alert) = open.filter(|alert| alert.text.starts_with(NOT_STOPPED)) else {
        return Ok(());
    };
    resolve(desk, &alert, format!("it ended {after_ms} ms after the stop"))
}

/// `squad.emergency_resume`: its record. Whoever asked clears the halt once this is durable. Once
/// the squad works, it moves back what was left out before.
///
/// # Errors
///
/// `transition_refused` when no stop is in force or it is not in the record yet; `invalid_params`
/// when a chosen task was not stopped.
pub fn emergency_resume(desk: &mut Desk<'_>, params: &EmergencyResume) -> Result<Receipt, Fail> {
    let reason = input::reason(&params.reason)?;
    let squad = desk.squad()?;
    let refused = |text: &str| Err(Refusal::new(RefusalKind::TransitionRefused, text).into());
    let to = match squad.status {
        SquadStatus::Halted => SquadStatus::Running,
        // Else its record would come after this one, and block everything again.
        _ if desk.live.halt.is_set() => {
            return refused("the stop is being written down: resume again in a second");
        }
        _ if squad.stopped.is_empty() => {
            return refused("no emergency stop is in force, and no task is left of the last one");
        }
        other @ (SquadStatus::Running | SquadStatus::Paused) => other,
    };
    let back = chosen(desk, &squad.stopped, params)?;
    let waiting = squad.stopped.len() - back.len();
    let event = Event::SquadStatusChanged { from: squad.status, to, tasks: back.clone() };
    desk.emit_because(&reason, event)?;
    if squad.status == SquadStatus::Halted {
        end_what_stood(desk)?;
    }
    let (moved, left) = put_back(desk, &back, &reason)?;
    let works = if to == SquadStatus::Running { "the squad works" } else { "the squad is paused" };
    let more =
        if waiting > 0 { format!("; {waiting} more wait to be moved back") } else { String::new() };
    let text =
        format!("{works}: {} tasks are where they were, {left} stay blocked{more}", moved.len());
    receipt(desk, text, moved, 0)
}

/// Ends what the stop leaves behind: runs of before it, which would go on without a gate, and alerts
/// about agents that had not stopped.
fn end_what_stood(desk: &mut Desk<'_>) -> Result<(), Fail> {
    let system = || Actor::system("emergency stop");
    for run in queries::running(desk.db, None)? {
        let ended = Event::RunFinished {
            run: run.id,
            agent: run.agent,
            task: run.task,
            status: RunStatus::Aborted,
            error: Some("ended by the emergency stop: begin a new one".to_owned()),
        };
        desk.emit_as(system(), None, ended)?;
    }
    for alert in queries::open_alerts(desk.db, AlertKind::Security)? {
        if alert.text.starts_with(NOT_STOPPED) {
            resolve(desk, &alert, "the stop is over".to_owned())?;
        }
    }
    Ok(())
}

fn resolve(desk: &mut Desk<'_>, alert: &Alert, note: String) -> Result<(), Fail> {
    desk.emit(Event::AlertChanged {
        alert: alert.id,
        task: alert.task,
        status: AlertStatus::Resolved,
        note: Some(note),
    })?;
    Ok(())
}

/// Returns the tasks that are to be moved back.
fn chosen(
    desk: &Desk<'_>,
    stopped: &[StoppedTask],
    params: &EmergencyResume,
) -> Result<Vec<StoppedTask>, Fail> {
    for agent in params.agents.iter().flatten() {
        queries::agent(desk.db, agent)?;
    }
    let named = params.tasks.as_deref().unwrap_or_default();
    if let Some(other) = named.iter().find(|id| !stopped.iter().any(|row| row.task == **id)) {
        let text = format!("{other} is not among the tasks that the stop blocked (`mcctl status`)");
        return Err(Refusal::new(RefusalKind::InvalidParams, text).into());
    }
    let mut back = Vec::new();
    for row in stopped {
        let is_named = params.tasks.is_none() || named.contains(&row.task);
        let is_theirs = match &params.agents {
            None => true,
            Some(agents) => {
                let task = queries::task(desk.db, row.task)?;
                task.assignees.iter().any(|agent| agents.contains(agent))
            }
        };
        if is_named && is_theirs {
            back.push(*row);
        }
    }
    let is_choice = params.agents.as_ref().is_some_and(|agents| !agents.is_empty());
    if is_choice && back.is_empty() && desk.live.halt.is_set() {
        let text = "the stop blocked no task of whom you chose, so it holds still: see `mcctl status`, \
                    or resume without a choice";
        return Err(Refusal::new(RefusalKind::InvalidParams, text).into());
    }
    Ok(back)
}

/// Moves tasks back to where the stop found them; what a guard keeps back stays blocked.
fn put_back(
    desk: &mut Desk<'_>,
    rows: &[StoppedTask],
    reason: &str,
) -> Result<(Vec<TaskId>, usize), Fail> {
    let mut moved = Vec::new();
    for row in rows {
        let task = queries::task(desk.db, row.task)?;
        // Since then somebody moved it, or something else blocked it.
        let by_stop = |why: &String| why.starts_with(STOPPED_BY);
        if task.state != TaskState::Blocked || !task.blocked_reason.as_ref().is_some_and(by_stop) {
            continue;
        }
        // The approval that it waited for was canceled by the stop: it goes on where it came from.
        let to = match row.from {
            TaskState::NeedsApproval => task.resume_state.unwrap_or(TaskState::Assigned),
            TaskState::Inbox
            | TaskState::Assigned
            | TaskState::InProgress
            | TaskState::Review
            | TaskState::Blocked
            | TaskState::Done
            | TaskState::Canceled => row.from,
        };
        let note = Some(format!("resumed after the stop: {reason}"));
        let details = MoveDetails { note, ..MoveDetails::default() };
        match moves::go(desk, &task, to, details) {
            Ok(_) => moved.push(task.id),
            Err(Fail::Refused(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    let left = rows.len() - moved.len();
    Ok((moved, left))
}

fn receipt(
    desk: &mut Desk<'_>,
    text: String,
    tasks: Vec<TaskId>,
    approvals: usize,
) -> Result<Receipt, Fail> {
    let agents = queries::agents(desk.db, false)?;
    let agents = agents.iter().map(|agent| of_agent(desk, agent)).collect();
    let event = desk.last_event().map(|recorded| mc_core::id::EventId(recorded.seq));
    let squad = desk.squad()?.as_ref().clone();
    let approvals = i64::try_from(approvals).unwrap_or(i64::MAX);
    Ok(Receipt { text, squad, agents, tasks, approvals, event })
}

fn of_agent(desk: &Desk<'_>, agent: &Agent) -> AgentReceipt {
    use mc_proto::method::feed::Capability;
    let told = desk
        .live
        .runtimes_of(&agent.name)
        .iter()
        .any(|runtime| runtime.capabilities.contains(&Capability::Abort));
    let was_working = agent.current_run.is_some();
    let text = match (was_working, told) {
        (true, true) => "was at work; its runtime was told",
        (true, false) => "was at work; no runtime is attached that could end its session",
        (false, _) => "was not at work",
    };
    AgentReceipt { agent: agent.name.clone(), was_working, told, text: text.to_owned() }
}
