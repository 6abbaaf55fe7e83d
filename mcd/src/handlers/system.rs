//! What the daemon does by itself, and what runtimes say of themselves.

use mc_core::{
    alert::{Alert, AlertKind, AlertStatus, Severity},
    event::{Event, RuntimeAttached, RuntimeDetached},
    operators::{self, Operators},
    refusal::Refusal,
};
use mc_proto::{
    limits::SHORT_BYTES,
    method::feed::{Attach, Attached, Governed, Report},
};

use super::{
    contain, input,
    notify::{self, Warning},
    policy, squad, stopped, ticks,
};
use crate::{
    caller::SystemCommand,
    live::AttachedRuntime,
    store::{
        Desk,
        desk::answer,
        queries::{self, Fail},
    },
};

/// Carries a command of the daemon itself out.
///
/// # Errors
///
/// A refusal, or a fault of the store.
pub fn carry_out(desk: &mut Desk<'_>, command: SystemCommand) -> Result<Box<str>, Fail> {
    match command {
        SystemCommand::SetUp { name } => set_up(desk, name)?,
        SystemCommand::ActivatePolicy { text, by_uid } => {
            policy::activate_file(desk, &text, by_uid)?;
        }
        SystemCommand::ComparePolicy { text } => policy::compare_file(desk, &text)?,
        SystemCommand::Tick => ticks::tick(desk)?,
        SystemCommand::RuntimeDetached { name, runtime } => {
            desk.emit(Event::RuntimeDetached(RuntimeDetached { name, runtime }))?;
        }
        SystemCommand::OperatorUnlocked { operator, role, success, second_factor, .. } => {
            desk.emit(Event::OperatorUnlocked { operator, role, success, second_factor })?;
        }
        SystemCommand::Govern { by_uid, now } => govern(desk, by_uid, now)?,
        SystemCommand::Halt { reason, .. } => return answer(&squad::halt(desk, &reason)?),
        SystemCommand::BlockStopped => return answer(&stopped::block(desk)?.left),
        SystemCommand::ReturnStopped => return answer(&stopped::put_back(desk)?.left),
        SystemCommand::ReportStop { report } => squad::report_stop(desk, report)?,
        SystemCommand::TurnDay { now } => {
            if queries::budget_day(desk.db)?.as_ref() != Some(&now) {
                desk.emit(Event::BudgetDayTurned { now })?;
            }
        }
        SystemCommand::ClockJumped { by_ms } => {
            desk.emit(Event::ClockJumped { by_ms })?;
            if by_ms < 0 {
                ticks::expire_all(desk, "the clock was set back")?;
            }
        }
        SystemCommand::WritesAreBack => tell_writes_are_back(desk)?,
        SystemCommand::Delivered { notification } => {
            if queries::notification(desk.db, notification)?.acked_at.is_none() {
                desk.emit(Event::NotificationAcked { notification })?;
            }
        }
    }
    Ok("null".into())
}

fn tell_writes_are_back(desk: &mut Desk<'_>) -> Result<(), Fail> {
    let warning = Warning {
        severity: Severity::Error,
        kind: AlertKind::Storage,
        text: "the disk was full: until now every write was refused and every call denied".into(),
        next: "keep more space free where the state is; who was refused as `unavailable` repeats it",
        task: None,
        agent: None,
    };
    notify::warn(desk, warning)?;
    Ok(())
}

fn set_up(desk: &mut Desk<'_>, name: String) -> Result<(), Fail> {
    if desk.squad()?.name != name {
        desk.emit(Event::SquadCreated { name })?;
    }
    Ok(())
}

fn govern(desk: &mut Desk<'_>, by_uid: u32, now: Box<Operators>) -> Result<(), Fail> {
    let before = queries::operators(desk.db)?.unwrap_or_default();
    let changes = operators::changes(&before, &now);
    if !changes.is_empty() {
        desk.emit(Event::OperatorsChanged { by_uid, now, changes })?;
    }
    Ok(())
}

/// `runtime.attach`
///
/// # Errors
///
/// `forbidden` for agents that the caller does not speak for.
pub(super) fn attach(desk: &mut Desk<'_>, params: Attach) -> Result<Attached, Fail> {
    let name = speaker(desk)?;
    input::few("agents", params.agents.len())?;
    input::at_most("version", &params.version, SHORT_BYTES)?;
    for agent in &params.agents {
        queries::agent(desk.db, agent)?;
    }
    desk.live.attach(AttachedRuntime {
        connection: desk.caller.connection,
        name: name.clone(),
        runtime: params.runtime,
        version: params.version.clone(),
        agents: params.agents.clone(),
        // Orders go to adapters: an agent that took its own would stop nothing.
        capabilities: if desk.caller.adapter.is_some() { params.capabilities } else { Vec::new() },
    });
    desk.emit(Event::RuntimeAttached(RuntimeAttached {
        name,
        runtime: params.runtime,
        version: params.version,
        agents: params.agents,
    }))?;
    Ok(attached(desk))
}

fn speaker(desk: &Desk<'_>) -> Result<String, Refusal> {
    let name = desk.caller.adapter.as_ref().or(desk.caller.agent.as_ref());
    name.map(ToString::to_string)
        .ok_or_else(|| Refusal::forbidden("only an agent or an adapter can do this"))
}

fn attached(desk: &Desk<'_>) -> Attached {
    let file = desk.live.halt.path();
    // Adapters run elsewhere: where a path of ours begins means nothing to them.
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    Attached {
        halted: desk.live.halt.is_set(),
        halt_file: file.display().to_string(),
        hold_ms: u64::try_from(desk.policy.hold().as_millis()).unwrap_or(u64::MAX),
    }
}

/// `runtime.report`
///
/// # Errors
///
/// `forbidden` for humans.
pub(super) fn report(desk: &mut Desk<'_>, params: &Report) -> Result<Attached, Fail> {
    if desk.caller.adapter.is_none() {
        return Err(Refusal::forbidden("only an adapter can tell how its runtime is").into());
    }
    let name = speaker(desk)?;
    let detail = input::optional("detail", &params.detail, SHORT_BYTES)?;
    if let Some(calls) = params.unchecked {
        return unchecked(desk, (&name, params.state), (calls, &detail));
    }
    match params.state {
        Governed::Ungoverned => {
            let text = format!("{name}: the runtime does not ask before it acts: {detail}");
            if own_alerts(desk, &name)?.iter().any(|alert| alert.text == text) {
                return Ok(attached(desk));
            }
            let warning = Warning {
                severity: Severity::Critical,
                kind: AlertKind::Security,
                text,
                next: "run `mcctl openclaw check`; stop the runtime until it asks again",
                task: None,
                agent: None,
            };
            notify::raise(desk, warning)?;
        }
        Governed::Governed => {
            for alert in own_alerts(desk, &name)? {
                desk.emit(Event::AlertChanged {
                    alert: alert.id,
                    task: None,
                    status: AlertStatus::Resolved,
                    note: Some(detail.clone()),
                })?;
            }
        }
    }
    Ok(attached(desk))
}

/// Tool calls ended that were never let through: what its runtime does not ask about, nobody governs.
fn unchecked(
    desk: &mut Desk<'_>,
    (name, state): (&str, Governed),
    (calls, detail): (i64, &str),
) -> Result<Attached, Fail> {
    let agent = desk.caller.agent.clone();
    let agent =
        agent.ok_or_else(|| Refusal::invalid("agent", "must name whose calls they were"))?;
    if !(1..=1_000_000).contains(&calls) {
        return Err(Refusal::invalid("unchecked", "must be 1 to 1000000, or left out").into());
    }
    if state == Governed::Governed {
        let text = "must be `ungoverned` where calls ended that were not asked about";
        return Err(Refusal::invalid("state", text).into());
    }
    let text = format!("{agent}: {calls} tool call(s) ended past the gate, says {name}: {detail}");
    let next =
        "look at what ran, run `mcctl openclaw check`, then `mcctl agent resume NAME --reason WHY`";
    contain::unasked(desk, &agent, (text, next))?;
    Ok(attached(desk))
}

/// Returns the unresolved alerts that the reports of `name` raised.
fn own_alerts(desk: &Desk<'_>, name: &str) -> Result<Vec<Alert>, Fail> {
    const LOOKED_AT: i64 = 500;
    let mut alerts = queries::unresolved_alerts(desk.db, LOOKED_AT)?;
    let head = format!("{name}: the runtime");
    alerts.retain(|alert| {
        alert.kind == AlertKind::Security && alert.agent.is_none() && alert.text.starts_with(&head)
    });
    Ok(alerts)
}
