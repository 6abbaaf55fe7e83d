//! Runs: the gate before them, what they use, and their end.

use mc_core::{
    agent::{Agent, AgentStatus},
    alert::{AlertKind, Severity},
    event::Event,
    id::{RunId, TaskId},
    money::{CostState, MicroUsd, Tokens},
    refusal::{Refusal, RefusalKind},
    run::{Run, RunStatus},
    squad::SquadStatus,
};
use mc_proto::{
    limits::{SHORT_BYTES, TEXT_BYTES},
    method::run::{Finish, SpendState, Spent, Start, Started, Usage},
};

use super::{
    agent::orders,
    contain, input,
    moves::acting_agent,
    notify::{self, Warning},
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// The most tokens that one model call can report.
const TOKEN_LIMIT: i64 = 1_000_000_000;
/// The dearest model call that can be reported: ten thousand dollars.
const COST_LIMIT: i64 = 10_000_000_000;

/// `run.start`
///
/// # Errors
///
/// `halted`, or `forbidden` when squad or agent does not work or a cap is reached.
pub fn start(desk: &mut Desk<'_>, params: Start) -> Result<Started, Fail> {
    let agent = acting_agent(desk)?;
    let session = input::needed("session", &params.session, SHORT_BYTES)?;
    gate(desk, &agent)?;
    if let Some(external) = &params.external_id {
        input::at_most("external_id", external, SHORT_BYTES)?;
        if let Some(run) = queries::run_by_external_id(desk.db, &agent.name, external)? {
            return Ok(started(&agent, &run));
        }
    }
    let task = attribute(desk, &agent, &params)?;
    if let Some(task) = task {
        has_budget(desk, task)?;
    }
    let parent_run = params.parent_run.map(|id| queries::run(desk.db, id)).transpose()?;
    let run = Run {
        id: desk.next_run(),
        agent: agent.name.clone(),
        task,
        session,
        model: input::maybe("model", params.model)?,
        trigger: input::maybe("trigger", params.trigger)?,
        parent_run: parent_run.map(|run| run.id),
        external_id: params.external_id,
        status: RunStatus::Running,
        tokens: Tokens::default(),
        cost_uusd: MicroUsd::ZERO,
        cost_state: CostState::Reported,
        error: None,
        started_at: desk.now,
        ended_at: None,
    };
    let answer = started(&agent, &run);
    desk.emit(Event::RunStarted { run: Box::new(run) })?;
    Ok(answer)
}

fn started(agent: &Agent, run: &Run) -> Started {
    Started { run: run.id, task: run.task, remaining_uusd: agent.run_cap_uusd.minus(run.cost_uusd) }
}

/// Refuses a run while squad or agent stands still, or the day's cap is reached.
fn gate(desk: &mut Desk<'_>, agent: &Agent) -> Result<(), Fail> {
    let squad = desk.squad()?;
    if desk.live.halt.is_set() || squad.status == SquadStatus::Halted {
        let text = "the emergency stop is in force: nothing runs until an admin resumes";
        return Err(Refusal::new(RefusalKind::Halted, text).into());
    }
    let why =
        |reason: &Option<String>| reason.as_ref().map_or(String::new(), |why| format!(": {why}"));
    if squad.status == SquadStatus::Paused {
        return Err(Refusal::forbidden(format!("the squad is paused{}", why(&squad.reason))).into());
    }
    let state = match agent.status {
        AgentStatus::Active => None,
        AgentStatus::Drained if agent.current_task.is_some() => None,
        AgentStatus::Drained => Some("drained"),
        AgentStatus::Paused => Some("paused"),
        AgentStatus::Quarantined => Some("quarantined"),
        AgentStatus::Stopped => Some("retired"),
    };
    if let Some(state) = state {
        let text = format!("{} is {state}{}", agent.name, why(&agent.status_reason));
        return Err(Refusal::forbidden(text).into());
    }
    let spent = agent.spent_on(&desk.live.day());
    if spent >= agent.daily_cap_uusd {
        let text = format!(
            "{} has spent {spent} of {} today: raise the cap, or wait for the next day",
            agent.name, agent.daily_cap_uusd
        );
        return Err(Refusal::forbidden(text).into());
    }
    Ok(())
}

fn has_budget(desk: &Desk<'_>, task: TaskId) -> Result<(), Fail> {
    let task = queries::task(desk.db, task)?;
    if task.spent_uusd < task.budget_uusd {
        return Ok(());
    }
    let text = format!(
        "{} has spent {} of its budget {}: a human can raise it",
        task.id, task.spent_uusd, task.budget_uusd
    );
    Err(Refusal::forbidden(text).into())
}

/// Finds the task that a run works on: the one named, the parent run's, or the agent's own.
fn attribute(desk: &Desk<'_>, agent: &Agent, params: &Start) -> Result<Option<TaskId>, Fail> {
    if let Some(task) = params.task {
        let task = queries::task(desk.db, task)?;
        if task.is_assigned_to(&agent.name) || agent.serves == Some(task.id) {
            return Ok(Some(task.id));
        }
        let text = format!("{} is not assigned to {}", task.id, agent.name);
        return Err(Refusal::forbidden(text).into());
    }
    if let Some(parent) = params.parent_run {
        return Ok(queries::run(desk.db, parent)?.task);
    }
    Ok(agent.current_task.or(agent.serves))
}

/// `run.usage`
///
/// # Errors
///
/// `not_found`, `forbidden` for another agent's run, `invalid_params`.
pub fn usage(desk: &mut Desk<'_>, params: &Usage) -> Result<Spent, Fail> {
    let agent = acting_agent(desk)?;
    let run = own_run(desk, &agent, params.run)?;
    let tokens = checked_tokens(params)?;
    let (cost_uusd, cost_state) = match params.cost_uusd {
        Some(cost) if (0..=COST_LIMIT).contains(&cost.0) => (cost, CostState::Reported),
        Some(_) => {
            let text = format!("must be 0 to {COST_LIMIT} micro-dollars");
            return Err(Refusal::invalid("cost_uusd", text).into());
        }
        None => (MicroUsd::ZERO, CostState::Unpriced),
    };
    let task = run.task.or(agent.current_task);
    desk.emit(Event::RunUsed {
        run: run.id,
        agent: agent.name.clone(),
        task,
        model: input::needed("model", &params.model, SHORT_BYTES)?,
        tokens,
        cost_uusd,
        cost_state,
        day: desk.live.day(),
    })?;
    let agent = queries::agent(desk.db, &agent.name)?;
    let run = queries::run(desk.db, run.id)?;
    let (state, share) = spend_state(desk, &agent, &run, task)?;
    if state != SpendState::Ok {
        warn(desk, &agent, task, (state, &share))?;
    }
    let mut orders = orders(desk, &agent)?;
    if state == SpendState::Stop && orders.is_empty() {
        orders.push(mc_proto::method::agent::Order::Stop);
    }
    Ok(Spent {
        spent_uusd: run.cost_uusd,
        remaining_uusd: agent.run_cap_uusd.minus(run.cost_uusd),
        state,
        orders,
    })
}

fn checked_tokens(params: &Usage) -> Result<Tokens, Refusal> {
    let fields = [
        ("input_tokens", params.input_tokens),
        ("output_tokens", params.output_tokens),
        ("cache_read_tokens", params.cache_read_tokens),
        ("cache_write_tokens", params.cache_write_tokens),
    ];
    for (field, count) in fields {
        if !(0..=TOKEN_LIMIT).contains(&count) {
            return Err(Refusal::invalid(field, format!("must be 0 to {TOKEN_LIMIT}")));
        }
    }
    Ok(Tokens {
        input: params.input_tokens,
        output: params.output_tokens,
        cache_read: params.cache_read_tokens,
        cache_write: params.cache_write_tokens,
    })
}

/// Returns how near the nearest cap is, and names it.
fn spend_state(
    desk: &Desk<'_>,
    agent: &Agent,
    run: &Run,
    task: Option<TaskId>,
) -> Result<(SpendState, String), Fail> {
    let mut caps = vec![
        ("the run", run.cost_uusd, agent.run_cap_uusd),
        ("the agent's day", agent.spent_on(&desk.live.day()), agent.daily_cap_uusd),
    ];
    if let Some(task) = task {
        let task = queries::task(desk.db, task)?;
        caps.push(("the task", task.spent_uusd, task.budget_uusd));
    }
    let mut worst = (SpendState::Ok, String::new());
    for (what, spent, cap) in caps {
        let share = spent.0.saturating_mul(100) / cap.0.max(1);
        let text = || format!("{what} has spent {spent} of {cap} ({share} %)");
        if share >= 100 {
            return Ok((SpendState::Stop, text()));
        }
        if share >= 80 && worst.0 == SpendState::Ok {
            worst = (SpendState::Warn, text());
        }
    }
    Ok(worst)
}

fn warn(
    desk: &mut Desk<'_>,
    agent: &Agent,
    task: Option<TaskId>,
    (state, share): (SpendState, &str),
) -> Result<(), Fail> {
    let severity = if state == SpendState::Stop { Severity::Critical } else { Severity::Warning };
    let warning = Warning {
        severity,
        kind: AlertKind::Budget,
        text: format!("{}: {share}", agent.name),
        next: "raise the cap, or cancel the task",
        task,
        agent: Some(agent.name.clone()),
    };
    notify::warn(desk, warning)?;
    Ok(())
}

/// `run.finish`
///
/// # Errors
///
/// `not_found`, `forbidden` for another agent's run, `conflict` when it ended otherwise already.
pub fn finish(desk: &mut Desk<'_>, params: Finish) -> Result<Run, Fail> {
    let agent = acting_agent(desk)?;
    let run = own_run(desk, &agent, params.run)?;
    if params.status == RunStatus::Running {
        return Err(Refusal::invalid("status", "a run does not end as `running`").into());
    }
    if run.status == params.status {
        return Ok(run);
    }
    if run.status != RunStatus::Running {
        let text = format!("{} has ended already, otherwise", run.id);
        return Err(Refusal::conflict(text).into());
    }
    let error = params.error.map(|text| input::optional("error", &text, TEXT_BYTES)).transpose()?;
    desk.emit(Event::RunFinished {
        run: run.id,
        agent: agent.name.clone(),
        task: run.task,
        status: params.status,
        error,
    })?;
    contain::after_run(desk, &agent.name, run.task)?;
    queries::run(desk.db, run.id)
}

/// Returns a run of the calling agent.
pub(super) fn own_run(desk: &Desk<'_>, agent: &Agent, id: RunId) -> Result<Run, Fail> {
    let run = queries::run(desk.db, id)?;
    if run.agent == agent.name {
        return Ok(run);
    }
    Err(Refusal::forbidden(format!("{id} is a run of {}", run.agent)).into())
}
