//! The squad as a whole: pause, drain, the emergency stop's record, and resuming.

use mc_core::{
    actor::Actor,
    agent::{Agent, AgentStatus},
    alert::{Alert, AlertKind, AlertStatus, Severity},
    event::Event,
    id::TaskId,
    refusal::{Refusal, RefusalKind},
    run::RunStatus,
    squad::{AgentStop, Back, SquadStatus, StopReport, StopState},
};
use mc_proto::method::squad::{AgentReceipt, EmergencyResume, Receipt};

use super::{
    input,
    notify::{self, Warning},
    stop, stopped,
};
use crate::masking;
use crate::store::{
    Desk,
    queries::{
        self, Fail,
        stopped::{self as held, Phase},
    },
};

/// How the reason of every agent begins that was drained with the squad.
const DRAINED_WITH_ALL: &str = "the squad drains: ";
/// How many tasks can be named at a resume.
const NAMED: usize = 1_000;

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
    desk.emit_because(
        reason,
        Event::SquadStatusChanged { from, to, tasks: Vec::new(), back: None },
    )?;
    Ok(())
}

/// Records an emergency stop that holds already: cancels approvals, and blocks the first of the open
/// tasks; the others follow.
pub(super) fn halt(desk: &mut Desk<'_>, reason: &str) -> Result<Receipt, Fail> {
    let reason: &str = &masking::text(reason);
    let was = desk.squad()?.status;
    if was != SquadStatus::Halted || queries::has_open_tasks(desk.db)? {
        let to = SquadStatus::Halted;
        let event = Event::SquadStatusChanged { from: was, to, tasks: Vec::new(), back: None };
        desk.emit_because(reason, event)?;
    }
    let actor = desk.caller.actor.clone();
    let approvals = stop::close_open(desk, &actor, None, |_| true)?;
    let blocked = stopped::block(desk)?;
    let text = format!(
        "everything is stopped: {} tasks blocked, {} approvals canceled{}",
        blocked.moved.len(),
        approvals.len(),
        follow(blocked.left)
    );
    let receipt = receipt(desk, text, blocked.moved, approvals.len())?;
    Ok(Receipt { more: blocked.left, ..receipt })
}

/// Says how many tasks later transactions move.
fn follow(left: i64) -> String {
    if left > 0 { format!("; {left} tasks follow") } else { String::new() }
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

/// Says whether an alert is about an agent that goes on after a stop.
fn is_about_a_stop(alert: &Alert) -> bool {
    [StopState::NotStopped, StopState::Unreached]
        .into_iter()
        .any(|state| alert.text.starts_with(state.title()))
}

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
        text: format!(
            "{}: {} goes on {after} s after the stop: {why}",
            one.state.title(),
            one.agent
        ),
        next: GOES_ON,
        task: None,
        agent: Some(one.agent.clone()),
    }
}

/// Ends the alert about an agent that has stopped after all.
fn no_longer(desk: &mut Desk<'_>, one: &AgentStop, after_ms: i64) -> Result<(), Fail> {
    let open = queries::open_alert(desk.db, AlertKind::Security, Some(one.agent.as_str()), None)?;
    let Some(alert) = open.filter(is_about_a_stop) else {
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
        _ if held::count(desk.db)? == 0 => {
            return refused("no emergency stop is in force, and no task is left of the last one");
        }
        other @ (SquadStatus::Running | SquadStatus::Paused) => other,
    };
    let back = chosen(desk, params)?;
    let event = Event::SquadStatusChanged {
        from: squad.status,
        to,
        tasks: Vec::new(),
        back: Some(back.clone()),
    };
    desk.emit_because(&reason, event)?;
    let some = back.agents.as_ref().is_some_and(|agents| !agents.is_empty());
    if some && desk.live.halt.is_set() && held::left(desk.db, Phase::Back)? == 0 {
        let text = "the stop blocked no task of whom you chose, so it holds still: see `mcctl status`, \
                    or resume without a choice";
        return Err(Refusal::new(RefusalKind::InvalidParams, text).into());
    }
    if squad.status == SquadStatus::Halted {
        end_what_stood(desk)?;
    }
    let done = stopped::put_back(desk)?;
    let works = if to == SquadStatus::Running { "the squad works" } else { "the squad is paused" };
    let waiting = held::count(desk.db)? - done.left;
    let more =
        if waiting > 0 { format!("; {waiting} more wait to be moved back") } else { String::new() };
    let text = format!(
        "{works}: {} tasks are where they were, {} stay blocked{}{more}",
        done.moved.len(),
        done.kept,
        follow(done.left)
    );
    let receipt = receipt(desk, text, done.moved, 0)?;
    Ok(Receipt { more: done.left, ..receipt })
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
        if is_about_a_stop(&alert) {
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

/// Returns which tasks are to be moved back.
fn chosen(desk: &Desk<'_>, params: &EmergencyResume) -> Result<Back, Fail> {
    let open = held::left(desk.db, Phase::Open)?;
    if open > 0 {
        let text =
            format!("the stop still blocks tasks, {open} are left: resume again in a second");
        return Err(Refusal::new(RefusalKind::TransitionRefused, text).into());
    }
    for agent in params.agents.iter().flatten() {
        queries::agent(desk.db, agent)?;
    }
    let named = params.tasks.as_deref().unwrap_or_default();
    if named.len() > NAMED || params.agents.as_ref().is_some_and(|agents| agents.len() > NAMED) {
        let text =
            format!("at most {NAMED} can be named at once: resume without names, or in parts");
        return Err(Refusal::new(RefusalKind::InvalidParams, text).into());
    }
    for id in named {
        if held::one(desk.db, *id)?.is_none() {
            let text =
                format!("{id} is not among the tasks that the stop blocked (`mcctl status`)");
            return Err(Refusal::new(RefusalKind::InvalidParams, text).into());
        }
    }
    Ok(Back { tasks: params.tasks.clone(), agents: params.agents.clone() })
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
    let squad = queries::squad(desk.db)?;
    let approvals = i64::try_from(approvals).unwrap_or(i64::MAX);
    Ok(Receipt { text, squad, agents, tasks, more: 0, approvals, event })
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
