//! Alerts about budgets: a share that is spent, a cap that is used up. What happens again while one is
//! open is counted there, and one whose budget has room again ends by itself.

use mc_core::{
    actor::Actor,
    alert::{Alert, AlertKind, OfBudget, Severity},
    budget::{self, Amount, Payer, Scope, ScopeKey, Standing},
    event::Event,
};

use super::{
    budget::{Caplist, SQUAD},
    notify::{self, Warning},
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// What an alert says.
pub(super) struct Says {
    pub(super) severity: Severity,
    pub(super) text: String,
    pub(super) next: &'static str,
    /// The budget that has to have room again before it ends; `None` where a person ends it.
    pub(super) budget: Option<OfBudget>,
}

/// Raises an alert, or counts it in the one that says already that this agent has used this up.
pub(super) fn raise(desk: &mut Desk<'_>, payer: &Payer, says: Says) -> Result<(), Fail> {
    let system = Actor::system("budgets");
    let Says { severity, text, next, budget } = says;
    if let Some(OfBudget { key, .. }) = budget.as_ref().filter(|of| of.percent >= 100)
        && let Some(open) = queries::open_breach(desk.db, &payer.agent, payer.task, key)?
    {
        let text = format!("{text} (and {} before it)", open.repeated + 1);
        let event = Event::AlertRepeated { alert: open.id, task: open.task, text };
        return Ok(desk.emit_as(system, None, event).map(drop)?);
    }
    let (task, agent) = (payer.task, Some(payer.agent.clone()));
    let warning = Warning { severity, kind: AlertKind::Budget, text, next, task, agent };
    let alert = Alert { budget, ..notify::alert(desk, warning) };
    Ok(desk.emit_as(system, None, Event::AlertRaised { alert: Box::new(alert) }).map(drop)?)
}

/// Warns of a share once; a higher one anew, and each anew once less is spent of a cap that grew.
pub(super) fn warn(desk: &mut Desk<'_>, payer: &Payer, one: &Standing) -> Result<(), Fail> {
    let percent = one.percent();
    let shares = desk.policy.doc().budgets.warn_percent.iter().copied().map(i64::from);
    let reached = shares.filter(|share| *share <= percent).max().unwrap_or(0);
    let known = one.ledger.warned;
    if reached == known {
        return Ok(());
    }
    let event = Event::BudgetWarned {
        key: one.key.clone(),
        percent: reached,
        agent: payer.agent.clone(),
        task: payer.task,
    };
    desk.emit_as(Actor::system("budgets"), None, event)?;
    if percent >= 100 || reached < known {
        // The breach says more.
        return Ok(());
    }
    let says = Says {
        severity: if reached >= 95 { Severity::Error } else { Severity::Warning },
        text: format!("{}: {} ({percent} %)", payer.agent, one.sentence(Amount::default())),
        next: "raise the cap with `mcctl budget set`, or cancel the task",
        budget: Some(OfBudget { key: one.key.clone(), percent: reached }),
    };
    raise(desk, payer, says)
}

/// Returns how a scope stands, whoever spends there; `None` where there is no agent yet.
fn standing(desk: &mut Desk<'_>, key: &ScopeKey) -> Result<Option<Standing>, Fail> {
    let run = match key.scope {
        Scope::Run => Some(queries::run(desk.db, key.of.parse().unwrap_or_default())?),
        Scope::Task | Scope::AgentDay | Scope::SquadDay | Scope::SquadMonth => None,
    };
    let agent = match key.agent().or_else(|| run.as_ref().map(|run| run.agent.clone())) {
        Some(name) => queries::agent(desk.db, &name)?,
        // Its caps are the same for all.
        None => match queries::agents(desk.db, true)?.into_iter().next() {
            Some(agent) => agent,
            None => return Ok(None),
        },
    };
    let set = desk.set_caps()?;
    let policy = std::sync::Arc::clone(&desk.policy);
    let list = Caplist { db: desk.db, policy: &policy, set: &set };
    list.standing(&agent, run.and_then(|run| run.task), key.clone()).map(Some)
}

/// Returns why what an alert about a budget tells of is over, if it is.
pub(super) fn is_past(desk: &mut Desk<'_>, alert: &Alert) -> Result<Option<String>, Fail> {
    let Some(OfBudget { key, percent }) = &alert.budget else { return Ok(None) };
    let day = desk.live.day();
    let is_now = match key.scope {
        Scope::Run | Scope::Task => true,
        Scope::AgentDay => key.of.ends_with(&format!(" {day}")),
        Scope::SquadDay => key.of == day,
        Scope::SquadMonth => key.of == budget::month_of(&day),
    };
    if !is_now {
        return Ok(Some(format!("{} is over: {day} counts now", key.words())));
    }
    if let Some(task) = alert.task.filter(|_| matches!(key.scope, Scope::Run | Scope::Task))
        && queries::task(desk.db, task)?.state.is_final()
    {
        return Ok(Some(format!("{task} is closed")));
    }
    let Some(one) = standing(desk, key)? else { return Ok(None) };
    let is_spent = match *percent {
        100.. => budget::fit(std::slice::from_ref(&one), Amount::default()).is_err(),
        share => one.percent() >= share,
    };
    Ok((!is_spent).then(|| one.sentence(Amount::default())))
}

/// Says aloud when a cap was set below what is spent: nothing more may be spent at once.
pub(super) fn tell_if_over(desk: &mut Desk<'_>, scope: Scope, of: &str) -> Result<(), Fail> {
    let Some(key) = ScopeKey::of_cap(scope, of, &desk.live.day()) else { return Ok(()) };
    let Some(one) = standing(desk, &key)? else { return Ok(()) };
    let short = budget::fit(std::slice::from_ref(&one), Amount::default()).err();
    if short.is_none_or(|short| short.waits) {
        return Ok(());
    }
    let warning = Warning {
        severity: Severity::Warning,
        kind: AlertKind::Budget,
        text: format!("{}: nothing more may be spent", one.sentence(Amount::default())),
        next: "raise the cap again, or leave it: runs under way end with their next cost",
        task: if scope == Scope::Task { of.parse().ok() } else { None },
        agent: key.agent().filter(|_| of != SQUAD),
    };
    let budget = Some(OfBudget { key, percent: 100 });
    let alert = Alert { budget, ..notify::alert(desk, warning) };
    desk.emit_as(Actor::system("alerts"), None, Event::AlertRaised { alert: Box::new(alert) })?;
    Ok(())
}
