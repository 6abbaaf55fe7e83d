//! Runs that go on: how many an agent has at a time, and what is promised to one that does not ask
//! before it spends.

use mc_core::{
    agent::Agent,
    budget::{self, Amount, Payer, Standing},
    event::Event,
    price::Ask,
    refusal::{Refusal, RefusalKind},
    run::{Run, RunStatus},
    time::Timestamp,
};

use super::budget::{For, Own, for_whole_run, give_back, promise, standings};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// Refuses one run too many. Runs whose runtime has left them, as a crash does, give up their places:
/// else their agent could begin nothing until a person has looked.
pub(super) fn room(desk: &mut Desk<'_>, agent: &Agent) -> Result<(), Fail> {
    let most = desk.policy.doc().limits.open_runs_per_agent;
    let open = queries::running(desk.db, Some(&agent.name))?;
    if (open.len() as u64) < most {
        return Ok(());
    }
    let long = desk.policy.doc().agents.offline;
    let mut left = open.len() as u64;
    for run in &open {
        if desk.now.since(last_act(desk, agent, run)?) >= long.duration() {
            left_behind(desk, run, &format!("nothing was heard of it for {long}"))?;
            left -= 1;
        }
    }
    if left < most {
        return Ok(());
    }
    let text = format!(
        "{0} has {left} runs open, and {most} is the most: end those that are over with `run.finish` \
         (`mcctl run list --agent {0}` shows them); a person can raise `limits.open_runs_per_agent`",
        agent.name
    );
    Err(Refusal::new(RefusalKind::RateLimited, text).into())
}

/// Returns when a run last began or ended a call, or spent something. A call that goes on acts as long
/// as its agent is heard of: a build may take its time.
fn last_act(desk: &Desk<'_>, agent: &Agent, run: &Run) -> Result<Timestamp, Fail> {
    let call = queries::last_call_of_run(desk.db, run.id)?;
    let heard = || desk.live.last_beat(&agent.name).map(|beat| beat.at);
    let call = call.map(|call| match call.ended_at {
        Some(ended) => ended,
        None => call.at.max(heard().unwrap_or_default()),
    });
    let spent = queries::pace(desk.db, &run.id.to_string())?.last();
    Ok(run.started_at.max(call.unwrap_or_default()).max(spent))
}

/// Ends a run that nobody will end.
pub(super) fn left_behind(desk: &mut Desk<'_>, run: &Run, why: &str) -> Result<(), Fail> {
    let event = Event::RunFinished {
        run: run.id,
        agent: run.agent.clone(),
        task: run.task,
        status: RunStatus::TimedOut,
        error: Some(why.to_owned()),
    };
    desk.emit_as(mc_core::actor::Actor::system("leases"), None, event)?;
    Ok(())
}

/// Returns what its caps let a run spend: in money, unless its model is paid for otherwise, and in
/// tokens where runs have a cap of their own: without one, one run would take the whole day's.
pub(super) fn allowance(desk: &Desk<'_>, agent: &Agent, run: &Run, all: &[Standing]) -> Amount {
    let left = budget::left(all);
    let model = run.model.as_deref().unwrap_or_default();
    let day = desk.live.day();
    let ask = Ask { model, agent: &agent.name, runtime: agent.runtime, day: &day };
    let is_paid_for = desk.live.prices().find(&ask).is_some_and(|row| row.rate.is_none());
    let is_capped = all.first().is_some_and(|run| run.caps.tokens.is_some());
    Amount {
        uusd: left.uusd.filter(|_| !is_paid_for).unwrap_or_default(),
        tokens: left.tokens.filter(|_| is_capped).unwrap_or_default(),
    }
}

/// Promises to a run what its caps let it spend, once it has spent what nothing was promised for.
///
/// A runtime may begin with little or nothing because it asks before each call. One that then spends
/// without asking does not: what it spends next is promised, so that the runs beside it can't count
/// on the same money. Who asks after all gives it back.
pub(super) fn cover(
    desk: &mut Desk<'_>,
    agent: &Agent,
    payer: &Payer,
    unasked: Amount,
) -> Result<(), Fail> {
    let Some(run) = payer.run.filter(|_| !unasked.is_zero()) else { return Ok(()) };
    let run = queries::run(desk.db, run)?;
    if run.status != RunStatus::Running {
        return Ok(());
    }
    let all = standings(desk, agent, payer, Own::WholeRun)?;
    let most = allowance(desk, agent, &run, &all);
    if unasked.min(most).is_zero() {
        return Ok(());
    }
    if let Some(used_up) = for_whole_run(desk, run.id)? {
        give_back(desk, &used_up)?;
    }
    promise(desk, payer.clone(), most, For::WholeRun).map(drop)
}
