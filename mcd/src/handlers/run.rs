//! Runs: the gate before them, what they may spend and have spent, and their end.

use mc_core::{
    agent::{Agent, AgentStatus},
    budget::{self, Amount, Cost, ReservationStatus},
    event::Event,
    id::{RunId, TaskId},
    money::{CostState, MicroUsd, Tokens},
    policy::Outcome,
    price::Ask,
    refusal::{Refusal, RefusalKind},
    run::{Run, RunStatus},
    squad::SquadStatus,
    task::Task,
};
use mc_proto::{
    limits::{LABEL_BYTES, TEXT_BYTES},
    method::run::{Finish, Reserve, Reserved, SpendState, Spent, Start, Started, Usage},
};

use super::{
    agent::orders,
    breach,
    budget::{For, Own, for_whole_run, give_back, payer, promise, standings},
    contain, input,
    moves::acting_agent,
    open_runs,
    settle::{Paid, Used, charge, is_for_a_model_call, is_the_same},
    spawn,
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
    let session = input::needed("session", &params.session, LABEL_BYTES)?;
    check_cost("reserve_uusd", params.reserve_uusd)?;
    gate(desk, &agent)?;
    if let Some(external) = &params.external_id {
        input::at_most("external_id", external, LABEL_BYTES)?;
        let known = queries::run_by_external_id(desk.db, &agent.name, external)?;
        // One that is over was tried again by its runtime: that costs anew, so it is a new run.
        if let Some(run) = known.filter(|run| run.status == RunStatus::Running) {
            return started(desk, &agent, &run);
        }
    }
    open_runs::room(desk, &agent)?;
    let parent_run = params.parent_run.map(|id| queries::run(desk.db, id)).transpose()?;
    if let Some(parent) = &parent_run {
        may_come_from(desk, &agent, parent)?;
    }
    let task = attribute(desk, &agent, (&params, parent_run.as_ref()))?;
    let run = Run {
        id: desk.next_run(),
        agent: agent.name.clone(),
        task,
        session,
        model: input::label("model", params.model)?,
        trigger: input::label("trigger", params.trigger)?,
        parent_run: parent_run.map(|run| run.id),
        external_id: params.external_id,
        begun_by: desk.caller.adapter.clone(),
        status: RunStatus::Running,
        tokens: Tokens::default(),
        cost_uusd: MicroUsd::ZERO,
        cost_state: CostState::Reported,
        error: None,
        sent_back: false,
        started_at: desk.now,
        ended_at: None,
    };
    begin(desk, &agent, &run, params.reserve_uusd)?;
    started(desk, &agent, &run)
}

/// Records a run, with a promise of what its cap lets it spend.
fn begin(
    desk: &mut Desk<'_>,
    agent: &Agent,
    run: &Run,
    asked: Option<MicroUsd>,
) -> Result<(), Fail> {
    let task = run.task.map(|id| queries::task(desk.db, id)).transpose()?;
    let payer = payer(desk, agent, Some(run.id), task.as_ref())?;
    let all = standings(desk, agent, &payer, Own::WholeRun)?;
    budget::fit(&all, Amount::default()).map_err(|short| {
        let how =
            if short.waits { "wait for other runs to end" } else { "a human can raise the cap" };
        Refusal::forbidden(format!("{}: {}: {how}", agent.name, short.text))
    })?;
    let most = open_runs::allowance(desk, agent, run, &all);
    let amount = match asked {
        None => most,
        Some(MicroUsd::ZERO) => Amount::default(),
        Some(asked) => Amount { uusd: asked.min(most.uusd), ..most },
    };
    desk.emit(Event::RunStarted { run: Box::new(run.clone()) })?;
    if !amount.is_zero() {
        promise(desk, payer, amount, For::WholeRun)?;
    }
    Ok(())
}

fn started(desk: &mut Desk<'_>, agent: &Agent, run: &Run) -> Result<Started, Fail> {
    let task = run.task.map(|id| queries::task(desk.db, id)).transpose()?;
    let payer = payer(desk, agent, Some(run.id), task.as_ref())?;
    let left = budget::left(&standings(desk, agent, &payer, Own::All)?);
    let reserved = for_whole_run(desk, run.id)?.map(|row| row.open.uusd);
    Ok(Started {
        run: run.id,
        task: run.task,
        remaining_uusd: left.uusd.unwrap_or_default(),
        remaining_tokens: left.tokens,
        reserved_uusd: reserved.unwrap_or_default(),
    })
}

/// Refuses a run while squad or agent stands still.
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
    // What a person paused does not go on through those whom it spawned.
    let above =
        if agent.is_sub_agent() { queries::agents_above(desk.db, agent)? } else { Vec::new() };
    for name in above {
        let parent = queries::agent(desk.db, &name)?;
        if !matches!(parent.status, AgentStatus::Active | AgentStatus::Drained) {
            let text = format!(
                "{name}, of which {} is a sub-agent, does not work{}",
                agent.name,
                why(&parent.status_reason)
            );
            return Err(Refusal::forbidden(text).into());
        }
    }
    Ok(())
}

/// Finds the task that a run works on: the one named, the session's, the agent's single one in
/// progress, the parent run's, or the one that the agent was spawned for.
fn attribute(
    desk: &Desk<'_>,
    agent: &Agent,
    (params, parent): (&Start, Option<&Run>),
) -> Result<Option<TaskId>, Fail> {
    if let Some(task) = params.task {
        let task = queries::task(desk.db, task)?;
        if is_its_own(agent, &task) {
            return Ok(Some(task.id));
        }
        let text = format!("{} is not assigned to {}", task.id, agent.name);
        return Err(Refusal::forbidden(text).into());
    }
    if let Some(id) = queries::task_of_session(desk.db, &agent.name, &params.session)? {
        let task = queries::task(desk.db, id)?;
        if is_its_own(agent, &task) && !task.state.is_final() {
            return Ok(Some(id));
        }
    }
    if let Some(task) = single_task(desk, agent)? {
        return Ok(Some(task));
    }
    if let Some(parent) = parent {
        return Ok(parent.task);
    }
    Ok(agent.serves)
}

/// Refuses a run below one of an agent that has nothing to do with it: its cost would be another's.
/// An adapter knows better which of its sessions began which.
fn may_come_from(desk: &Desk<'_>, agent: &Agent, parent: &Run) -> Result<(), Fail> {
    if desk.caller.adapter.is_some() || spawn::is_of(desk, agent, &parent.agent)? {
        return Ok(());
    }
    let text = format!(
        "{} is a run of {}, which is no parent of {}: leave `parent_run` out",
        parent.id, parent.agent, agent.name
    );
    Err(Refusal::forbidden(text).into())
}

fn is_its_own(agent: &Agent, task: &Task) -> bool {
    task.is_assigned_to(&agent.name) || agent.serves == Some(task.id)
}

/// Returns the agent's task in progress, where it is the only one.
fn single_task(desk: &Desk<'_>, agent: &Agent) -> Result<Option<TaskId>, Fail> {
    let tasks = queries::in_progress_of(desk.db, &agent.name)?;
    Ok(if let [task] = tasks[..] { Some(task) } else { None })
}

/// `run.reserve`
///
/// # Errors
///
/// `not_found`, `forbidden` for another agent's run, `invalid_params`. What does not fit is no
/// error but the decision `deny`, or `ask` where a human could grant more.
pub fn reserve(desk: &mut Desk<'_>, params: &Reserve) -> Result<Reserved, Fail> {
    let agent = acting_agent(desk)?;
    let run = own_run(desk, &agent, params.run)?;
    gate(desk, &agent)?;
    if run.status != RunStatus::Running {
        return Err(Refusal::forbidden(format!("{} is over: start a new run", run.id)).into());
    }
    let want = wanted(desk, &agent, &run, params)?;
    let task = run.task.map(|id| queries::task(desk.db, id)).transpose()?;
    let payer = payer(desk, &agent, Some(run.id), task.as_ref())?;
    let all = standings(desk, &agent, &payer, Own::WholeRun)?;
    let short = budget::fit(&all, want).err();
    let mut answer = Reserved {
        decision: Outcome::Allow,
        reservation: None,
        reserved_uusd: want.uusd,
        remaining_uusd: budget::left(&all).uusd.unwrap_or_default(),
        approval: None,
        reason: "it fits into every budget".to_owned(),
    };
    let Some(short) = short else {
        // Who asks before each call needs no promise for the whole run.
        if let Some(whole) = for_whole_run(desk, run.id)? {
            give_back(desk, &whole)?;
        }
        answer.reservation = Some(promise(desk, payer, want, For::ModelCall)?);
        answer.remaining_uusd = answer.remaining_uusd.minus(want.uusd);
        return Ok(answer);
    };
    answer.reserved_uusd = MicroUsd::ZERO;
    answer.decision = Outcome::Deny;
    let standing = all.iter().find(|one| one.key == short.key);
    if let Some(standing) = standing.filter(|_| !short.waits) {
        answer.approval = breach::ask(desk, &agent, (Some(&run), &payer), (standing, &short))?;
        answer.decision = if answer.approval.is_some() { Outcome::Ask } else { Outcome::Deny };
    }
    answer.reason = short.text;
    Ok(answer)
}

/// Returns what a call may cost: what the runtime says, or its tokens at the model's price.
fn wanted(desk: &Desk<'_>, agent: &Agent, run: &Run, params: &Reserve) -> Result<Amount, Fail> {
    let count = |field: &str, tokens: Option<i64>| match tokens.unwrap_or(0) {
        tokens if (0..=TOKEN_LIMIT).contains(&tokens) => Ok(tokens),
        _ => Err(Refusal::invalid(field, format!("must be 0 to {TOKEN_LIMIT}"))),
    };
    let input = count("input_tokens", params.input_tokens)?;
    let output = count("output_tokens", params.output_tokens)?;
    check_cost("amount_uusd", params.amount_uusd)?;
    let model = params.model.as_deref().or(run.model.as_deref()).unwrap_or_default();
    let model = input::optional("model", model, LABEL_BYTES)?;
    let tokens = Tokens { input, output, ..Tokens::default() };
    let priced = || price(desk, agent, &model, (tokens, None)).counted_uusd;
    let uusd = params.amount_uusd.unwrap_or_else(priced);
    let want = Amount { uusd, tokens: tokens.total() };
    if want.is_zero() {
        let text = "say what it may cost: `amount_uusd`, or `input_tokens` and `output_tokens`";
        return Err(Refusal::invalid("amount_uusd", text).into());
    }
    Ok(want)
}

pub(super) fn check_cost(field: &str, cost: Option<MicroUsd>) -> Result<(), Refusal> {
    if cost.is_none_or(|cost| (0..=COST_LIMIT).contains(&cost.0)) {
        return Ok(());
    }
    Err(Refusal::invalid(field, format!("must be 0 to {COST_LIMIT} micro-dollars")))
}

fn price(
    desk: &Desk<'_>,
    agent: &Agent,
    model: &str,
    (tokens, reported): (Tokens, Option<MicroUsd>),
) -> Cost {
    let day = desk.live.day();
    let ask = Ask { model, agent: &agent.name, runtime: agent.runtime, day: &day };
    desk.live.prices().cost(&ask, tokens, reported)
}

/// `run.usage`
///
/// # Errors
///
/// `not_found`, `forbidden` for another agent's run or promise, `conflict` for a promise that was
/// settled otherwise, `invalid_params`.
pub fn usage(desk: &mut Desk<'_>, params: &Usage) -> Result<Spent, Fail> {
    let agent = acting_agent(desk)?;
    let run = own_run(desk, &agent, params.run)?;
    let tokens = checked_tokens(params)?;
    check_cost("cost_uusd", params.cost_uusd)?;
    let model = input::needed("model", &params.model, LABEL_BYTES)?;
    let cost = price(desk, &agent, &model, (tokens, params.cost_uusd));
    let mut used = Used { model, tokens, cost, paid: Paid::FromWhole };
    if let Some(id) = params.reservation {
        let row = queries::reservation(desk.db, id)?;
        is_for_a_model_call(&row, &run)?;
        if row.status == ReservationStatus::Settled {
            is_the_same(desk, &row, &used)?;
            return spent(desk, &agent, &run, None);
        }
        used.paid = Paid::Settles(Box::new(row));
    }
    let task = match run.task {
        Some(task) => Some(task),
        None => single_task(desk, &agent)?,
    };
    let task = task.map(|id| queries::task(desk.db, id)).transpose()?;
    charge(desk, (&agent.name, Some(&run)), task.as_ref(), used)?;
    spent(desk, &agent, &run, task.as_ref())
}

/// Says how a run stands after what it used.
fn spent(
    desk: &mut Desk<'_>,
    agent: &Agent,
    run: &Run,
    task: Option<&Task>,
) -> Result<Spent, Fail> {
    let run = queries::run(desk.db, run.id)?;
    let agent = queries::agent(desk.db, &agent.name)?;
    let own;
    let task = match (task, run.task) {
        (None, Some(id)) => {
            own = queries::task(desk.db, id)?;
            Some(&own)
        }
        (task, _) => task,
    };
    let payer = payer(desk, &agent, Some(run.id), task)?;
    let all = standings(desk, &agent, &payer, Own::All)?;
    let left = budget::left(&all);
    let is_over = budget::over(&all).is_some() || run.status == RunStatus::Aborted;
    let least = desk.policy.doc().budgets.warn_percent.iter().min().copied().map_or(80, i64::from);
    let state = match (is_over, all.iter().any(|one| one.percent() >= least)) {
        (true, _) => SpendState::Stop,
        (false, true) => SpendState::Warn,
        (false, false) => SpendState::Ok,
    };
    let mut orders = orders(desk, &agent)?;
    if state == SpendState::Stop && orders.is_empty() {
        orders.push(mc_proto::method::agent::Order::Stop);
    }
    Ok(Spent {
        spent_uusd: run.cost_uusd,
        cost_state: run.cost_state,
        remaining_uusd: left.uusd.unwrap_or_default(),
        remaining_tokens: left.tokens,
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

/// `run.finish`
///
/// # Errors
///
/// `not_found`, `forbidden` for another agent's run or one that an adapter began, `conflict` when it
/// ended otherwise already.
pub fn finish(desk: &mut Desk<'_>, params: Finish) -> Result<Run, Fail> {
    let agent = acting_agent(desk)?;
    let run = own_run(desk, &agent, params.run)?;
    is_its_to_end(desk, &run)?;
    if params.status == RunStatus::Running {
        return Err(Refusal::invalid("status", "a run does not end as `running`").into());
    }
    // What the daemon itself ended is over, however the runtime calls it.
    let by_daemon = matches!(run.status, RunStatus::Aborted | RunStatus::TimedOut);
    let is_over = run.status == params.status || by_daemon;
    if run.status != RunStatus::Running && !is_over {
        let text = format!("{} has ended already, otherwise", run.id);
        return Err(Refusal::conflict(text).into());
    }
    if let Some(whole) = for_whole_run(desk, run.id)? {
        give_back(desk, &whole)?;
    }
    if is_over {
        return queries::run(desk.db, run.id);
    }
    let error = params.error.map(|text| input::optional("error", &text, TEXT_BYTES)).transpose()?;
    desk.emit(Event::RunFinished {
        run: run.id,
        agent: agent.name.clone(),
        task: run.task,
        status: params.status,
        error,
    })?;
    if params.status != RunStatus::Succeeded {
        contain::after_run(desk, &run)?;
    }
    queries::run(desk.db, run.id)
}

/// Refuses to end a run that an adapter began: what it still does and costs is the adapter's to tell,
/// and an agent could go on behind a run that counts as over.
fn is_its_to_end(desk: &Desk<'_>, run: &Run) -> Result<(), Refusal> {
    let Some(adapter) = run.begun_by.as_ref().filter(|_| desk.caller.adapter.is_none()) else {
        return Ok(());
    };
    let text = format!(
        "{} was begun by the adapter {adapter}, which ends it: end your turn in your runtime",
        run.id
    );
    Err(Refusal::forbidden(text))
}

/// Returns a run of the calling agent.
pub(super) fn own_run(desk: &Desk<'_>, agent: &Agent, id: RunId) -> Result<Run, Fail> {
    let run = queries::run(desk.db, id)?;
    if run.agent == agent.name {
        return Ok(run);
    }
    let text = format!("{id} is a run of {}: name one of your own", run.agent);
    Err(Refusal::forbidden(text).into())
}
