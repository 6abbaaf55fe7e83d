//! What follows from a cost, in the same transaction: the end of a run that is over, the question
//! to a human, and the breaker.

use mc_core::{
    actor::Actor,
    agent::{Agent, AgentName, AgentStatus},
    alert::{OfBudget, Severity},
    approval::ApprovalStatus,
    budget::{
        self, Amount, Breach, BreachCause, Caps, Payer, Reservation, Scope, ScopeKey, Shortage,
        Standing,
    },
    event::Event,
    id::{ApprovalId, RunId},
    money::MicroUsd,
    run::{Run, RunStatus},
};
use serde_json::{Value, json};

use super::{
    asking,
    budget::{Own, Raise, for_whole_run, standings},
    budget_alerts::{self, Says},
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// How the reason of an agent begins that its spending has paused.
pub(super) const PAUSED: &str = "budget: ";
/// How many runs an override shows.
const SHOWN_RUNS: i64 = 3;

/// Looks at every scope after a cost, and does what has to be done.
pub(super) fn after_cost(desk: &mut Desk<'_>, agent: &Agent, payer: &Payer) -> Result<(), Fail> {
    let run = payer.run.map(|id| queries::run(desk.db, id)).transpose()?;
    let all = standings(desk, agent, payer, Own::All)?;
    for one in &all {
        budget_alerts::warn(desk, payer, one)?;
    }
    let over = short(&all);
    if over.is_empty() {
        return run.map_or(Ok(()), |run| trips(desk, agent, &run, payer));
    }
    stop(desk, agent, (run.as_ref(), payer), &over)?;
    let used_up: Vec<&Standing> =
        over.iter().filter(|(_, shortage)| !shortage.waits).map(|(one, _)| one).collect();
    stop_others(desk, payer.run, &used_up)?;
    for (one, shortage) in over.iter().filter(|(_, shortage)| !shortage.waits) {
        // A day that is spent stops whose it is, also when a sub-agent has spent the last of it: what
        // is below an agent that stands still begins nothing.
        if let Some(whose) = one.key.agent() {
            pause(desk, &whose, &shortage.text)?;
        }
    }
    Ok(())
}

/// Returns the scopes in which nothing more may be spent, and why.
fn short(all: &[Standing]) -> Vec<(Standing, Shortage)> {
    let one = |one: &Standing| {
        let shortage = budget::fit(std::slice::from_ref(one), Amount::default()).err()?;
        Some((one.clone(), shortage))
    };
    all.iter().filter_map(one).collect()
}

/// Ends a run that may spend nothing more, and asks for what would let its work go on.
///
/// What is reported after a run's end counts all the same. Where it passes a cap, something of that
/// session goes on, whoever said that it had ended.
fn stop(
    desk: &mut Desk<'_>,
    agent: &Agent,
    (run, payer): (Option<&Run>, &Payer),
    over: &[(Standing, Shortage)],
) -> Result<(), Fail> {
    let Some((first, _)) = over.first() else { return Ok(()) };
    let goes_on = run.is_some_and(|run| run.status == RunStatus::Running);
    if !goes_on && is_told(desk, (run, payer), over)? {
        return Ok(());
    }
    // All that is used up: a person who raises one cap alone would see the next run end by another.
    let texts: Vec<&str> = over.iter().map(|(_, shortage)| shortage.text.as_str()).collect();
    end(desk, (run, payer), (BreachCause::Cap, &first.key, &texts.join("; ")))?;
    for (standing, shortage) in over {
        ask(desk, agent, (run, payer), (standing, shortage))?;
    }
    Ok(())
}

/// Says whether a person knows already of all that was used up outside of a run that goes on.
fn is_told(
    desk: &Desk<'_>,
    (run, payer): (Option<&Run>, &Payer),
    over: &[(Standing, Shortage)],
) -> Result<bool, Fail> {
    let error = run.and_then(|run| run.error.as_ref());
    if error.is_some_and(|why| why.starts_with(ENDED)) {
        return Ok(true);
    }
    let open = queries::open_approvals(desk.db, Some(&payer.agent))?;
    let is_asked = |key: &ScopeKey| {
        open.iter().any(|asked| {
            let is_same = asked.task == payer.task && asked.rule == key.scope.rule();
            // Each run has a cap of its own; those of a task are raised together.
            let of = asked.statement.arguments.get("of").and_then(Value::as_str);
            let is_of = key.scope == Scope::Run || of == Some(key.of.as_str());
            asked.status == ApprovalStatus::Pending && is_same && is_of
        })
    };
    Ok(over.iter().all(|(one, _)| is_asked(&one.key)))
}

/// Stops the runs beside this one that pay from a scope which is used up. What was promised to a run
/// as a whole is all that its runtime ever asks for: it would begin its next call unasked.
fn stop_others(desk: &mut Desk<'_>, run: Option<RunId>, used_up: &[&Standing]) -> Result<(), Fail> {
    if used_up.iter().all(|one| one.key.scope == Scope::Run) {
        return Ok(());
    }
    for other in queries::running(desk.db, None)? {
        let whole = for_whole_run(desk, other.id)?.filter(|_| Some(other.id) != run);
        let Some(Reservation { payer, .. }) = whole else { continue };
        let agent = queries::agent(desk.db, &other.agent)?;
        let all = standings(desk, &agent, &payer, Own::All)?;
        let is_used_up = |one: &Standing| used_up.iter().any(|known| known.key == one.key);
        let over: Vec<_> = short(&all).into_iter().filter(|(one, _)| is_used_up(one)).collect();
        stop(desk, &agent, (Some(&other), &payer), &over)?;
    }
    Ok(())
}

/// Records that a run spent too much: its session is ordered ended.
fn breached(
    desk: &mut Desk<'_>,
    run: &Run,
    payer: &Payer,
    (cause, key, text): (BreachCause, &ScopeKey, &str),
) -> Result<(), Fail> {
    let breach = Breach {
        cause,
        key: key.clone(),
        run: run.id,
        agent: run.agent.clone(),
        task: payer.task,
        session: run.session.clone(),
        text: text.to_owned(),
    };
    let event = Event::BudgetBreached { breach: Box::new(breach) };
    desk.emit_as(Actor::system("budgets"), None, event)?;
    Ok(())
}

/// How the error of a run begins that was ended for its spending.
const ENDED: &str = "ended by the budget: ";

/// Ends a run, unless it has ended: nothing further of it is allowed, and its session is ordered ended.
/// Outside of a run there is nothing to end: what is used up refuses the next call.
fn end(
    desk: &mut Desk<'_>,
    (run, payer): (Option<&Run>, &Payer),
    (cause, key, text): (BreachCause, &ScopeKey, &str),
) -> Result<(), Fail> {
    if let Some(run) = run {
        breached(desk, run, payer, (cause, key, text))?;
    }
    let goes_on = run.filter(|run| run.status == RunStatus::Running);
    if let Some(run) = goes_on {
        let ended = Event::RunFinished {
            run: run.id,
            agent: run.agent.clone(),
            task: payer.task,
            status: RunStatus::Aborted,
            error: Some(format!("{ENDED}{text}")),
        };
        desk.emit_as(Actor::system("budgets"), None, ended)?;
    }
    let what = match (run, goes_on) {
        (Some(run), Some(_)) => format!("{} is ended", run.id),
        (Some(run), None) => format!("{} has ended, and more of it was reported", run.id),
        (None, _) => "tools outside of a run".to_owned(),
    };
    let says = Says {
        severity: Severity::Critical,
        text: format!("{}: {what}: {text}", payer.agent),
        next: "decide on the override, or cancel the task",
        budget: (cause == BreachCause::Cap).then(|| OfBudget { key: key.clone(), percent: 100 }),
    };
    budget_alerts::raise(desk, payer, says)
}

/// Pauses an agent for its spending; what it was granted and has not used is void.
fn pause(desk: &mut Desk<'_>, agent: &AgentName, text: &str) -> Result<(), Fail> {
    let agent = queries::agent(desk.db, agent)?;
    if !matches!(agent.status, AgentStatus::Active | AgentStatus::Drained) {
        return Ok(());
    }
    let system = || Actor::system("budgets");
    let (from, to) = (agent.status, AgentStatus::Paused);
    let event = Event::AgentStatusChanged { agent: agent.name.clone(), from, to };
    desk.emit_as(system(), Some(format!("{PAUSED}{text}")), event)?;
    for granted in queries::open_approvals(desk.db, Some(&agent.name))? {
        if granted.status != ApprovalStatus::Approved {
            continue;
        }
        let event = Event::ApprovalClosed {
            approval: granted.id,
            agent: granted.agent,
            task: granted.task,
            status: ApprovalStatus::Canceled,
            note: Some("voided: the agent was paused".to_owned()),
        };
        desk.emit_as(system(), None, event)?;
    }
    Ok(())
}

/// Stops who spends much faster than usual.
fn trips(desk: &mut Desk<'_>, agent: &Agent, run: &Run, payer: &Payer) -> Result<(), Fail> {
    if run.status != RunStatus::Running {
        return Ok(());
    }
    let breaker = desk.policy.breaker();
    let of_run = ScopeKey { scope: Scope::Run, of: run.id.to_string() };
    let of_agent = ScopeKey { scope: Scope::AgentDay, of: agent.name.to_string() };
    for (key, whose) in [(of_run, "the run"), (of_agent, "the agent")] {
        let pace = queries::pace(desk.db, &key.of)?;
        if !pace.trips(breaker) {
            continue;
        }
        let mean = pace.mean().unwrap_or_default();
        let text = format!(
            "{whose} has spent {} within five minutes, usual is {mean}: more than {} times as much",
            pace.now, breaker.times
        );
        end(desk, (Some(run), payer), (BreachCause::Pace, &key, &text))?;
        pause(desk, &agent.name, &text)?;
        return Ok(());
    }
    Ok(())
}

/// Asks a human for more, unless that is asked already. The task waits for it.
pub(super) fn ask(
    desk: &mut Desk<'_>,
    agent: &Agent,
    (run, payer): (Option<&Run>, &Payer),
    (standing, shortage): (&Standing, &Shortage),
) -> Result<Option<ApprovalId>, Fail> {
    let (key, caps) = (&standing.key, standing.caps);
    let of = match (key.scope, payer.task) {
        // Each run has its own cap: what can be raised is that of the runs on this task.
        (Scope::Run, Some(task)) => task.to_string(),
        (Scope::Run, None) => return Ok(None),
        _ => key.of.clone(),
    };
    let runs = queries::last_runs(desk.db, payer.task, &agent.name, SHOWN_RUNS)?;
    let to = proposed(standing, &runs);
    let raise = Raise { scope: key.scope, of, to };
    let arguments = json!({
        "scope": key.scope, "of": key.of,
        "spent_uusd": standing.ledger.spent.uusd, "spent_tokens": standing.ledger.spent.tokens,
        "cap_uusd": caps.uusd, "cap_tokens": caps.tokens,
        "raise": raise, "proposal": proposal(&raise),
        "last_runs": runs.iter().map(shown).collect::<Vec<Value>>(),
    });
    let overrun = asking::Overrun {
        agent: agent.name.clone(),
        task: payer.task,
        run: run.map(|run| run.id),
        session: run.map(|run| run.session.clone()),
        rule: key.scope.rule(),
        reason: shortage.text.clone(),
        summary: proposal(&raise),
        arguments,
        same: format!("{}:{}", raise.scope.as_str(), raise.of),
    };
    asking::of_overrun(desk, overrun).map(Some)
}

/// Returns what is suggested: half as much again, or room for two runs like the last ones.
fn proposed(standing: &Standing, runs: &[Run]) -> Caps {
    let count = i64::try_from(runs.len()).unwrap_or(1).max(1);
    let spent = standing.ledger.spent + standing.ledger.reserved.minus(standing.own);
    let cent = 10_000;
    let uusd = standing.caps.uusd.map(|cap| {
        let runs_cost: MicroUsd = runs.iter().map(|run| run.cost_uusd).sum();
        let more = (cap.0 / 2).max(runs_cost.0 / count * 2).max(cent);
        let to = cap.max(spent.uusd).0.saturating_add(more);
        MicroUsd(to.saturating_add(cent - 1) / cent * cent)
    });
    let tokens = standing.caps.tokens.map(|cap| cap.max(spent.tokens).saturating_add(cap / 2 + 1));
    Caps { uusd, tokens }
}

fn proposal(raise: &Raise) -> String {
    let to = raise.to.uusd.map(|cap| cap.to_string()).into_iter();
    let to: Vec<String> = to.chain(raise.to.tokens.map(|cap| format!("{cap} tokens"))).collect();
    let what = match raise.scope {
        Scope::Run => format!("what each run on {} may cost", raise.of),
        Scope::Task => format!("the budget of {}", raise.of),
        Scope::AgentDay => format!("the day's cap ({})", raise.of),
        Scope::SquadDay | Scope::SquadMonth => {
            format!("{} ({})", raise.scope.words(), raise.of)
        }
    };
    format!("raise {what} to {}", to.join(" and "))
}

fn shown(run: &Run) -> Value {
    json!({
        "run": run.id, "agent": run.agent, "model": run.model, "status": run.status,
        "cost_uusd": run.cost_uusd, "cost_state": run.cost_state, "tokens": run.tokens.total(),
        "started_at": run.started_at,
    })
}
