//! What follows from a cost, in the same transaction: warnings, the end of a run that is over,
//! the question to a human, and the breaker.

use mc_core::{
    actor::Actor,
    agent::{Agent, AgentName, AgentStatus},
    alert::{AlertKind, Severity},
    approval::ApprovalStatus,
    budget::{
        self, Amount, Breach, BreachCause, Caps, Payer, Reservation, Scope, ScopeKey, Shortage,
        Standing,
    },
    event::Event,
    id::{ApprovalId, RunId, TaskId},
    money::MicroUsd,
    run::{Run, RunStatus},
};
use serde_json::{Value, json};

use super::{
    asking,
    budget::{Own, Raise, SQUAD, for_whole_run, payer, standings},
    notify::{self, Warning},
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
pub(super) fn after_cost(
    desk: &mut Desk<'_>,
    agent: &Agent,
    run: &Run,
    payer: &Payer,
) -> Result<(), Fail> {
    let all = standings(desk, agent, payer, Own::All)?;
    for one in &all {
        warn(desk, payer, one)?;
    }
    let over = short(&all);
    if over.is_empty() {
        return trips(desk, agent, run, payer);
    }
    if run.status == RunStatus::Running {
        stop(desk, agent, (run, payer), &over)?;
    } else {
        stop_late(desk, agent, (run, payer), &over)?;
    }
    let used_up: Vec<&Standing> =
        over.iter().filter(|(_, shortage)| !shortage.waits).map(|(one, _)| one).collect();
    stop_others(desk, run, &used_up)?;
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
fn stop(
    desk: &mut Desk<'_>,
    agent: &Agent,
    (run, payer): (&Run, &Payer),
    over: &[(Standing, Shortage)],
) -> Result<(), Fail> {
    let Some((first, _)) = over.first() else { return Ok(()) };
    // All that is used up: a person who raises one cap alone would see the next run end by another.
    let texts: Vec<&str> = over.iter().map(|(_, shortage)| shortage.text.as_str()).collect();
    end(desk, run, payer, (BreachCause::Cap, &first.key, &texts.join("; ")))?;
    for (standing, shortage) in over {
        ask(desk, agent, run, payer, (standing, shortage))?;
    }
    Ok(())
}

/// What is reported after a run's end counts all the same. Where it passes a cap, something of that
/// session goes on, whoever said that it had ended.
fn stop_late(
    desk: &mut Desk<'_>,
    agent: &Agent,
    (run, payer): (&Run, &Payer),
    over: &[(Standing, Shortage)],
) -> Result<(), Fail> {
    let by_budget = run.error.as_ref().is_some_and(|why| why.starts_with(ENDED));
    let open = queries::open_approvals(desk.db, Some(&agent.name))?;
    let is_asked = |one: &Standing| {
        open.iter().any(|asked| {
            asked.status == ApprovalStatus::Pending
                && (asked.task, asked.rule.as_str()) == (payer.task, one.key.scope.rule())
        })
    };
    let Some((first, shortage)) = over.iter().find(|(one, _)| !by_budget && !is_asked(one)) else {
        return Ok(());
    };
    let (key, text) = (first.key.clone(), shortage.text.clone());
    breached(desk, run, payer, (BreachCause::Cap, &key, &text))?;
    for (standing, shortage) in over {
        ask(desk, agent, run, payer, (standing, shortage))?;
    }
    let text = format!("{}: {} has ended, and more of it was reported: {text}", run.agent, run.id);
    alert(desk, payer, Severity::Critical, text, "decide on the override, or cancel the task")
}

/// Stops the runs beside this one that pay from a scope which is used up. What was promised to a run
/// as a whole is all that its runtime ever asks for: it would begin its next call unasked.
fn stop_others(desk: &mut Desk<'_>, run: &Run, used_up: &[&Standing]) -> Result<(), Fail> {
    if used_up.iter().all(|one| one.key.scope == Scope::Run) {
        return Ok(());
    }
    for other in queries::running(desk.db, None)? {
        let whole = for_whole_run(desk, other.id)?.filter(|_| other.id != run.id);
        let Some(Reservation { payer, .. }) = whole else { continue };
        let agent = queries::agent(desk.db, &other.agent)?;
        let all = standings(desk, &agent, &payer, Own::All)?;
        let is_used_up = |one: &Standing| used_up.iter().any(|known| known.key == one.key);
        let over: Vec<_> = short(&all).into_iter().filter(|(one, _)| is_used_up(one)).collect();
        stop(desk, &agent, (&other, &payer), &over)?;
    }
    Ok(())
}

/// Warns of a share once; a higher one anew.
fn warn(desk: &mut Desk<'_>, payer: &Payer, one: &Standing) -> Result<(), Fail> {
    let percent = one.percent();
    let shares = desk.policy.doc().budgets.warn_percent.iter().copied().map(i64::from);
    let reached = shares.filter(|share| *share <= percent).max().unwrap_or(0);
    if reached <= one.ledger.warned {
        return Ok(());
    }
    let event = Event::BudgetWarned {
        key: one.key.clone(),
        percent: reached,
        agent: payer.agent.clone(),
        task: payer.task,
    };
    desk.emit_as(Actor::system("budgets"), None, event)?;
    if percent >= 100 {
        // The breach says more.
        return Ok(());
    }
    let text = format!("{}: {} ({percent} %)", payer.agent, one.sentence(Amount::default()));
    let severity = if reached >= 95 { Severity::Error } else { Severity::Warning };
    alert(desk, payer, severity, text, "raise the cap with `mcctl budget set`, or cancel the task")
}

fn alert(
    desk: &mut Desk<'_>,
    payer: &Payer,
    severity: Severity,
    text: String,
    next: &'static str,
) -> Result<(), Fail> {
    let warning = Warning {
        severity,
        kind: AlertKind::Budget,
        text,
        next,
        task: payer.task,
        agent: Some(payer.agent.clone()),
    };
    notify::raise(desk, warning)?;
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

/// Ends a run: nothing further of it is allowed, and its session is ordered ended.
fn end(
    desk: &mut Desk<'_>,
    run: &Run,
    payer: &Payer,
    (cause, key, text): (BreachCause, &ScopeKey, &str),
) -> Result<(), Fail> {
    breached(desk, run, payer, (cause, key, text))?;
    let ended = Event::RunFinished {
        run: run.id,
        agent: run.agent.clone(),
        task: payer.task,
        status: RunStatus::Aborted,
        error: Some(format!("{ENDED}{text}")),
    };
    desk.emit_as(Actor::system("budgets"), None, ended)?;
    let text = format!("{}: {} is ended: {text}", run.agent, run.id);
    alert(desk, payer, Severity::Critical, text, "decide on the override, or cancel the task")
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
        end(desk, run, payer, (BreachCause::Pace, &key, &text))?;
        pause(desk, &agent.name, &text)?;
        return Ok(());
    }
    Ok(())
}

/// Asks a human for more, unless that is asked already. The task waits for it.
pub(super) fn ask(
    desk: &mut Desk<'_>,
    agent: &Agent,
    run: &Run,
    payer: &Payer,
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
        run: run.id,
        session: run.session.clone(),
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

/// Says aloud when a cap was set below what is spent: nothing more may be spent at once.
pub(super) fn tell_if_over(desk: &mut Desk<'_>, scope: Scope, of: &str) -> Result<(), Fail> {
    let day = desk.live.day();
    let of_key = match scope {
        Scope::Run => return Ok(()),
        Scope::Task => of.to_owned(),
        Scope::AgentDay => budget::agent_day(of, &day),
        Scope::SquadDay => day,
        Scope::SquadMonth => budget::month_of(&day).to_owned(),
    };
    let ledger = queries::ledger(desk.db, &ScopeKey { scope, of: of_key })?;
    let agents = queries::agents(desk.db, false)?;
    let agent = agents.iter().find(|agent| agent.name.as_str() == of).or(agents.first());
    let Some(agent) = agent else { return Ok(()) };
    let task: Option<TaskId> = if scope == Scope::Task { of.parse().ok() } else { None };
    let row = task.map(|id| queries::task(desk.db, id)).transpose()?;
    let who = payer(desk, agent, None::<RunId>, row.as_ref())?;
    let all = standings(desk, agent, &who, Own::All)?;
    let over = all.iter().find(|one| one.key.scope == scope && one.ledger == ledger);
    let Some(over) = over.filter(|one| one.percent() >= 100) else { return Ok(()) };
    let text = format!("{}: nothing more may be spent", over.sentence(Amount::default()));
    let warning = Warning {
        severity: Severity::Warning,
        kind: AlertKind::Budget,
        text,
        next: "raise the cap again, or leave it: runs under way end with their next cost",
        task,
        agent: (scope == Scope::AgentDay && of != SQUAD).then(|| agent.name.clone()),
    };
    notify::raise(desk, warning)?;
    Ok(())
}
