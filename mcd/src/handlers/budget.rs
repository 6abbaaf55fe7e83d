//! Budgets: how a run stands with the caps above it, promises, and changes of caps by humans.

use mc_core::{
    agent::{Agent, AgentName, AgentPatch, AgentStatus},
    approval::Approval,
    budget::{
        self, Amount, Caps, Charge, Payer, Reservation, ReservationStatus, Scope, ScopeKey,
        Standing,
    },
    event::Event,
    id::{ReservationId, RunId, TaskId},
    money::MicroUsd,
    policy::Policy,
    refusal::Refusal,
    task::{Task, TaskPatch},
};
use mc_proto::method::squad::{BudgetSet, Budgets};
use serde::{Deserialize, Serialize};

use super::{asking::OVERRUN, breach, budget_alerts, input, unsettled};
use crate::store::{
    Desk,
    desk::SetCaps,
    queries::{self, Fail, Reader},
};

/// What the squad is called where caps are set.
pub(super) const SQUAD: &str = "squad";
/// The most that a cap can be: a million dollars.
pub(super) const CAP_LIMIT: i64 = 1_000_000_000_000;
/// The most tokens that a cap can be.
const TOKEN_CAP_LIMIT: i64 = 1_000_000_000_000;

/// Whose promises do not stand in a run's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// What was promised for the run as a whole: each call is paid from that.
    WholeRun,
    /// All that was promised to the run.
    All,
}

/// Where caps are looked up.
pub(super) struct Caplist<'a> {
    pub(super) db: Reader<'a>,
    pub(super) policy: &'a Policy,
    pub(super) set: &'a SetCaps,
}

impl Caplist<'_> {
    /// Returns the scopes with a cap that `payer` spends from, smallest first.
    pub(super) fn standings(
        &self,
        agent: &Agent,
        payer: &Payer,
        own: Own,
    ) -> Result<Vec<Standing>, Fail> {
        let promised = match payer.run {
            Some(run) => queries::open_reservations_of(self.db, run)?,
            None => Vec::new(),
        };
        let promised: Vec<_> = promised
            .into_iter()
            .filter(|one| own == Own::All || one.whole_run)
            .map(|one| (one.payer.scopes(), one.open))
            .collect();
        let mut standings = Vec::new();
        for key in payer.scopes() {
            let mut one = self.standing(agent, payer.task, key)?;
            if one.caps == Caps::default() {
                continue;
            }
            let mine = promised.iter().filter(|(keys, _)| keys.contains(&one.key));
            one.own = mine.fold(Amount::default(), |sum, (_, open)| sum + *open);
            standings.push(one);
        }
        Ok(standings)
    }

    /// Returns how one scope stands, also without a cap; none of what is promised is anybody's own.
    pub(super) fn standing(
        &self,
        agent: &Agent,
        task: Option<TaskId>,
        key: ScopeKey,
    ) -> Result<Standing, Fail> {
        let caps = self.caps(agent, task, &key)?;
        let ledger = queries::ledger(self.db, &key)?;
        let caps = Caps {
            uusd: caps.uusd.map(|cap| cap + ledger.granted.uusd),
            tokens: caps.tokens.map(|cap| cap.saturating_add(ledger.granted.tokens)),
        };
        Ok(Standing { key, caps, ledger, own: Amount::default() })
    }

    /// Returns the caps of a scope, before what was granted on top.
    fn caps(&self, agent: &Agent, task: Option<TaskId>, key: &ScopeKey) -> Result<Caps, Fail> {
        let set =
            |scope, of: &str| self.set.get(&(scope, of.to_owned())).copied().unwrap_or_default();
        let tokens = |own: Caps| own.tokens.or(self.policy.doc().budgets.tokens.of(key.scope));
        Ok(match key.scope {
            Scope::Run => {
                let of_task =
                    task.map(|task| set(Scope::Run, &task.to_string())).unwrap_or_default();
                let uusd =
                    of_task.uusd.map_or(agent.run_cap_uusd, |cap| cap.max(agent.run_cap_uusd));
                let tokens = of_task.tokens.or_else(|| tokens(set(Scope::Run, &agent.name)));
                Caps { uusd: Some(uusd), tokens }
            }
            Scope::Task => {
                let task = queries::task(self.db, key.of.parse().unwrap_or_default())?;
                Caps { uusd: Some(task.budget_uusd), tokens: tokens(set(Scope::Task, &key.of)) }
            }
            Scope::AgentDay => {
                // A sub-agent pays from the days of those above it as well: each has its own cap.
                let above = key.agent().filter(|whose| *whose != agent.name);
                let above = above.map(|whose| queries::agent(self.db, &whose)).transpose()?;
                let whose = above.as_ref().unwrap_or(agent);
                let uusd = Some(whose.daily_cap_uusd);
                Caps { uusd, tokens: tokens(set(Scope::AgentDay, &whose.name)) }
            }
            Scope::SquadDay | Scope::SquadMonth => {
                let own = set(key.scope, SQUAD);
                Caps { uusd: own.uusd.or(self.policy.squad_cap(key.scope)), tokens: tokens(own) }
            }
        })
    }
}

/// Returns how `payer` stands at the moment.
pub(super) fn standings(
    desk: &mut Desk<'_>,
    agent: &Agent,
    payer: &Payer,
    own: Own,
) -> Result<Vec<Standing>, Fail> {
    let set = desk.set_caps()?;
    let policy = std::sync::Arc::clone(&desk.policy);
    Caplist { db: desk.db, policy: &policy, set: &set }.standings(agent, payer, own)
}

/// Returns who pays for what `agent` does now.
pub(super) fn payer(
    desk: &Desk<'_>,
    agent: &Agent,
    run: Option<RunId>,
    task: Option<&Task>,
) -> Result<Payer, Fail> {
    payer_on(desk.db, desk.live.day(), agent, (run, task.map(|task| task.id)))
}

/// Returns who pays for what `agent` does on `day`.
pub(super) fn payer_on(
    db: Reader<'_>,
    day: String,
    agent: &Agent,
    (run, task): (Option<RunId>, Option<TaskId>),
) -> Result<Payer, Fail> {
    Ok(Payer {
        run,
        agent: agent.name.clone(),
        task,
        above: task.map_or(Ok(Vec::new()), |task| queries::tasks_above(db, task))?,
        ancestors: queries::agents_above(db, agent)?,
        day,
    })
}

/// Says whether a task, with those above it, has money left.
pub(super) fn task_has_left(desk: &mut Desk<'_>, task: &Task) -> Result<bool, Fail> {
    let mut of = vec![task.id];
    if task.parent.is_some() {
        of.extend(queries::tasks_above(desk.db, task.id)?);
    }
    for id in of {
        let key = ScopeKey { scope: Scope::Task, of: id.to_string() };
        let ledger = queries::ledger(desk.db, &key)?;
        if ledger.spent.uusd >= queries::task(desk.db, id)?.budget_uusd {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Promises an amount that was found to fit.
pub(super) fn promise(
    desk: &mut Desk<'_>,
    payer: Payer,
    amount: Amount,
    what_for: For,
) -> Result<ReservationId, Fail> {
    let id = desk.next_reservation();
    let reservation = Reservation {
        id,
        payer,
        call: if let For::Call(call) = what_for { Some(call) } else { None },
        whole_run: what_for == For::WholeRun,
        amount,
        open: amount,
        status: ReservationStatus::Open,
        used: None,
        usage: None,
        alert: None,
        at: desk.now,
        settled_at: None,
    };
    desk.emit(Event::BudgetReserved { reservation: Box::new(reservation) })?;
    Ok(id)
}

/// What a promise is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Whatever the run does.
    WholeRun,
    /// One model call.
    ModelCall,
    /// One tool call.
    Call(mc_core::id::CallId),
}

/// Gives a promise back.
pub(super) fn give_back(desk: &mut Desk<'_>, row: &Reservation) -> Result<(), Fail> {
    let Reservation { id, payer, .. } = row;
    let (agent, task) = (payer.agent.clone(), payer.task);
    desk.emit(Event::BudgetReleased { reservation: *id, agent, task })?;
    unsettled::is_over(desk, row, "it was given back")
}

/// Returns what was promised for a run as a whole.
pub(super) fn for_whole_run(desk: &Desk<'_>, run: RunId) -> Result<Option<Reservation>, Fail> {
    let open = queries::open_reservations_of(desk.db, run)?;
    Ok(open.into_iter().find(|one| one.whole_run))
}

/// Promises what a tool call that may run says it costs.
pub(super) fn promise_call(
    desk: &mut Desk<'_>,
    (agent, run, task): (&Agent, Option<RunId>, Option<&Task>),
    (call, estimate): (mc_core::id::CallId, MicroUsd),
) -> Result<(), Fail> {
    if estimate <= MicroUsd::ZERO {
        return Ok(());
    }
    let payer = payer(desk, agent, run, task)?;
    promise(desk, payer, Amount { uusd: estimate, tokens: 0 }, For::Call(call)).map(drop)
}

/// `budget.set`
///
/// # Errors
///
/// `not_found`, `invalid_params` for a scope that has no such cap or an amount out of bounds.
pub fn set(desk: &mut Desk<'_>, params: &BudgetSet) -> Result<Budgets, Fail> {
    let reason = input::reason(&params.reason)?;
    let caps = checked_caps(params)?;
    match params.scope {
        Scope::Run if is_of_a_task(params)? => {}
        Scope::Run | Scope::AgentDay => set_of_agent(desk, params, caps, &reason)?,
        Scope::Task => set_of_task(desk, params, caps, &reason)?,
        Scope::SquadDay | Scope::SquadMonth => {
            if params.of.as_deref().is_some_and(|of| of != SQUAD) {
                return Err(Refusal::invalid("of", "the squad needs no name here").into());
            }
            keep(desk, (params.scope, SQUAD.to_owned(), None), caps, &reason)?;
        }
    }
    let of = params.of.clone().unwrap_or_else(|| SQUAD.to_owned());
    void_raises(desk, params.scope, &of)?;
    budget_alerts::tell_if_over(desk, params.scope, &of)?;
    let set = desk.set_caps()?;
    let policy = std::sync::Arc::clone(&desk.policy);
    let list = Caplist { db: desk.db, policy: &policy, set: &set };
    let all = mc_proto::method::squad::BudgetGet::default();
    super::cost::budgets(&list, desk.live, &all)
}

/// A cap that a person sets is what counts: what overrides had raised the one before by is void.
pub(super) fn void_raises(desk: &mut Desk<'_>, scope: Scope, of: &str) -> Result<(), Fail> {
    if scope == Scope::Run {
        return void_raises_of_runs(desk, of);
    }
    let Some(key) = ScopeKey::of_cap(scope, of, &desk.live.day()) else { return Ok(()) };
    if !queries::ledger(desk.db, &key)?.granted.is_zero() {
        let task = if scope == Scope::Task { of.parse().ok() } else { None };
        desk.emit(Event::BudgetRaiseVoided { key, task })?;
    }
    Ok(())
}

/// Each run has a cap of its own, and an override raises that of the runs on a task: on all tasks of
/// the agent whose runs a person has given a cap, or on the one task that is named.
fn void_raises_of_runs(desk: &mut Desk<'_>, of: &str) -> Result<(), Fail> {
    let set = desk.set_caps()?;
    let raised =
        set.iter().filter(|((scope, _), caps)| *scope == Scope::Run && **caps != Caps::default());
    let raised: Vec<TaskId> = raised.filter_map(|((_, of), _)| of.parse().ok()).collect();
    for id in raised {
        let task = queries::task(desk.db, id)?;
        if id.to_string() == of || task.is_assigned_to(of) {
            let note = format!("a person has set what a run of {of} may cost");
            keep(desk, (Scope::Run, id.to_string(), Some(id)), Caps::default(), &note)?;
        }
    }
    Ok(())
}

/// Refuses what can't be a cap, and says what is wrong.
fn checked_caps(params: &BudgetSet) -> Result<Caps, Refusal> {
    if params.cap_uusd.is_some_and(|cap| !(0..=CAP_LIMIT).contains(&cap.0)) {
        let text = format!("must be 0 to {CAP_LIMIT} micro-dollars");
        return Err(Refusal::invalid("cap_uusd", text));
    }
    if params.cap_tokens.is_some_and(|cap| !(0..=TOKEN_CAP_LIMIT).contains(&cap)) {
        return Err(Refusal::invalid("cap_tokens", format!("must be 0 to {TOKEN_CAP_LIMIT}")));
    }
    if params.cap_uusd.is_none() && params.cap_tokens.is_none() && !params.clear {
        let text = "give `cap_uusd`, `cap_tokens` or both, or `clear`";
        return Err(Refusal::invalid("cap_uusd", text));
    }
    Ok(Caps { uusd: params.cap_uusd, tokens: params.cap_tokens })
}

/// Says whether what an override raised for the runs on a task is to be taken back.
fn is_of_a_task(params: &BudgetSet) -> Result<bool, Refusal> {
    let is_task = params.of.as_deref().is_some_and(|of| of.parse::<TaskId>().is_ok());
    if is_task && !params.clear {
        let text = "a run's cap is its agent's: name the agent; with `clear`, what an override raised \
                    for the runs on this task is taken back";
        return Err(Refusal::invalid("of", text));
    }
    Ok(is_task)
}

/// Keeps caps that no other row holds; with `clear` the policy's count again.
fn keep(
    desk: &mut Desk<'_>,
    (scope, of, task): (Scope, String, Option<TaskId>),
    caps: Caps,
    reason: &str,
) -> Result<(), Fail> {
    let known = queries::caps(desk.db, scope, &of)?;
    let caps = if caps == Caps::default() {
        caps
    } else {
        Caps { uusd: caps.uusd.or(known.uusd), tokens: caps.tokens.or(known.tokens) }
    };
    desk.emit_because(reason, Event::BudgetSet { scope, of, task, caps })?;
    Ok(())
}

fn set_of_agent(
    desk: &mut Desk<'_>,
    params: &BudgetSet,
    caps: Caps,
    reason: &str,
) -> Result<(), Fail> {
    let wrong = || Refusal::invalid("of", "name the agent");
    let of = params.of.as_deref().ok_or_else(wrong)?;
    let name: AgentName = of.parse().map_err(|_| wrong())?;
    let agent = queries::agent(desk.db, &name)?;
    let money = if params.clear {
        Some(if params.scope == Scope::Run {
            desk.policy.run_cap(agent.autonomy)
        } else {
            desk.policy.daily_cap(agent.autonomy)
        })
    } else {
        caps.uusd
    };
    if let Some(cap) = money {
        let mut patch = AgentPatch::default();
        if params.scope == Scope::Run {
            patch.run_cap_uusd = Some(cap);
        } else {
            patch.daily_cap_uusd = Some(cap);
        }
        let event = Event::AgentUpdated { agent: name.clone(), patch: Box::new(patch) };
        desk.emit_because(reason, event)?;
    }
    if caps.tokens.is_some() || params.clear {
        let caps = Caps { uusd: None, tokens: caps.tokens };
        keep(desk, (params.scope, name.to_string(), None), caps, reason)?;
    }
    Ok(())
}

fn set_of_task(
    desk: &mut Desk<'_>,
    params: &BudgetSet,
    caps: Caps,
    reason: &str,
) -> Result<(), Fail> {
    let wrong = || Refusal::invalid("of", "name the task, such as T-7");
    let id: TaskId = params.of.as_deref().and_then(|of| of.parse().ok()).ok_or_else(wrong)?;
    let task = queries::task(desk.db, id)?;
    let money = if params.clear { Some(desk.policy.task_cap(&task.task_type)) } else { caps.uusd };
    if let Some(cap) = money {
        let patch = TaskPatch { budget_uusd: Some(cap), ..TaskPatch::default() };
        desk.emit_because(reason, Event::TaskUpdated { task: id, patch })?;
    }
    if caps.tokens.is_some() || params.clear {
        let caps = Caps { uusd: None, tokens: caps.tokens };
        keep(desk, (Scope::Task, id.to_string(), Some(id)), caps, reason)?;
    }
    Ok(())
}

/// What an override raises, as its statement says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Raise {
    pub(super) scope: Scope,
    pub(super) of: String,
    pub(super) to: Caps,
}

/// Carries out what an approved override says, and nothing else.
pub(super) fn raise(desk: &mut Desk<'_>, approval: &Approval) -> Result<(), Fail> {
    // The arguments of a tool call are the agent's words, and raise nothing.
    let is_ours = approval.call.is_none() && approval.statement.tool == OVERRUN;
    let wanted = approval.statement.arguments.get("raise").filter(|_| is_ours).cloned();
    let Some(raise) = wanted.and_then(|raise| serde_json::from_value::<Raise>(raise).ok()) else {
        return Ok(());
    };
    let Raise { scope, of, to } = raise;
    let agent = queries::agent(desk.db, &approval.agent)?;
    let task = of.parse::<TaskId>().ok();
    if scope == Scope::Run {
        let note = format!("{} was approved", approval.id);
        return keep(desk, (Scope::Run, of, task), to, &note);
    }
    let key = ScopeKey { scope, of };
    let now = caps_with_grants(desk, &agent, &key)?;
    let more = |to: Option<i64>, now: Option<i64>| match (to, now) {
        (Some(to), Some(now)) => to.saturating_sub(now).max(0),
        _ => 0,
    };
    let by = Amount {
        uusd: MicroUsd(more(to.uusd.map(|cap| cap.0), now.uusd.map(|cap| cap.0))),
        tokens: more(to.tokens, now.tokens),
    };
    let whose = key.agent();
    if !by.is_zero() {
        desk.emit(Event::BudgetRaised { key, task, by, approval: approval.id })?;
    }
    whose.map_or(Ok(()), |whose| resume(desk, &whose))
}

fn caps_with_grants(desk: &mut Desk<'_>, agent: &Agent, key: &ScopeKey) -> Result<Caps, Fail> {
    let set = desk.set_caps()?;
    let policy = std::sync::Arc::clone(&desk.policy);
    let list = Caplist { db: desk.db, policy: &policy, set: &set };
    Ok(list.standing(agent, None, key.clone())?.caps)
}

/// An agent that only its day's cap had paused works again when that was raised.
fn resume(desk: &mut Desk<'_>, whose: &AgentName) -> Result<(), Fail> {
    let agent = queries::agent(desk.db, whose)?;
    let by_budget = agent.status_reason.as_ref().is_some_and(|why| why.starts_with(breach::PAUSED));
    if agent.status != AgentStatus::Paused || !by_budget {
        return Ok(());
    }
    let (from, to) = (AgentStatus::Paused, AgentStatus::Active);
    let event = Event::AgentStatusChanged { agent: agent.name, from, to };
    desk.emit_because("its day's cap was raised", event)?;
    Ok(())
}

/// Returns how a usage is paid.
pub(super) fn charge_of(
    payer: &Payer,
    project: Option<&String>,
    cost: budget::Cost,
    taken: Option<budget::Taken>,
) -> Charge {
    Charge {
        counted_uusd: (cost.counted_uusd != cost.cost_uusd).then_some(cost.counted_uusd),
        above: payer.above.clone(),
        ancestors: payer.ancestors.clone(),
        project: project.cloned(),
        taken,
    }
}
