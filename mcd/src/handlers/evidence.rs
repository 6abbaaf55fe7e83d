//! Evidence: what an operator needs to judge a quarantined agent, as it stood in that moment.
//!
//! The command that quarantines keeps it in the record; asking for it adds the agent's last events
//! up to then, each with its hash.

use mc_core::{
    actor::Actor,
    agent::{Agent, AgentName},
    canonical::hex,
    event::{Event, Recorded},
    evidence::{Evidence, Held, InForce, Lease, Spent},
    policy::Policy,
};
use mc_proto::method::agent::{Bundle, EvidenceGet, Kept};

use super::{
    budget::{Caplist, Own, payer_on},
    input,
};
use crate::{
    live::Live,
    store::{
        Desk, StoreError,
        queries::{self, Fail, Reader},
    },
};

/// How many runs, calls and alerts are kept.
const RUNS: i64 = 10;
const CALLS: i64 = 20;
const ALERTS: i64 = 20;

/// Keeps how an agent stands that was just quarantined, before its work is ended.
pub(super) fn keep(
    desk: &mut Desk<'_>,
    actor: &Actor,
    name: &AgentName,
    reason: &str,
) -> Result<(), Fail> {
    let agent = queries::agent(desk.db, name)?;
    let evidence = Box::new(gather(desk.db, (&desk.policy, &desk.live.day()), agent)?);
    let event = Event::AgentEvidenceKept { agent: name.clone(), evidence };
    desk.emit_as(actor.clone(), Some(reason.to_owned()), event)?;
    Ok(())
}

/// `agent.evidence`
///
/// # Errors
///
/// `not_found`, `invalid_params`.
pub(super) fn bundle(db: Reader<'_>, live: &Live, params: &EvidenceGet) -> Result<Bundle, Fail> {
    let limit = input::page(params.limit)?;
    let now = queries::agent(db, &params.agent)?;
    let head = queries::head(db)?;
    let (kept, evidence, until) = if let Some(seq) = now.evidence {
        let (kept, evidence) = kept(db, seq)?;
        (Some(kept), evidence, seq - 1)
    } else {
        (None, gather(db, (&live.policy(), &live.day()), now.clone())?, head.seq)
    };
    let (events, looked_from) = queries::rows_about(db, &params.agent, until, limit)?;
    Ok(Bundle {
        now,
        kept,
        evidence,
        events,
        looked_from,
        head: head.seq,
        head_hash: hex(&head.hash),
    })
}

/// Returns what the event `seq` kept.
fn kept(db: Reader<'_>, seq: i64) -> Result<(Kept, Evidence), Fail> {
    let row = queries::journal_row(db, seq)?;
    let Some((Recorded { at, actor, cause, reason, event, .. }, hash)) =
        row.map(|row| (row.recorded, row.hash))
    else {
        return Err(StoreError::Damaged(format!("event e{seq} is missing")).into());
    };
    let Event::AgentEvidenceKept { evidence, .. } = event else {
        return Err(StoreError::Damaged(format!("event e{seq} keeps no evidence")).into());
    };
    Ok((Kept { seq, hash, at, by: actor, cause, reason }, *evidence))
}

fn gather(db: Reader<'_>, (policy, day): (&Policy, &str), agent: Agent) -> Result<Evidence, Fail> {
    let head = queries::head(db)?;
    let tasks = queries::open_tasks_of(db, &agent.name)?;
    let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    let calls = queries::last_calls(db, &agent.name, CALLS)?;
    let approvals = queries::open_approvals(db, Some(&agent.name))?;
    let in_force = queries::policy(db)?;
    Ok(Evidence {
        head: head.seq,
        head_hash: hex(&head.hash),
        summary: queries::last_summary(db, &ids)?,
        runs: queries::last_runs(db, None, &agent.name, RUNS)?,
        leases: Lease::among(&calls),
        calls,
        tasks: tasks.iter().map(Held::from).collect(),
        approvals: approvals.into_iter().map(|approval| approval.id).collect(),
        budgets: budgets(db, (policy, day), &agent)?,
        alerts: queries::alerts_about(db, &agent.name, ALERTS)?,
        policy: in_force.map(|one| InForce { version: one.version, sha256: one.sha256 }),
        agent,
    })
}

fn budgets(
    db: Reader<'_>,
    (policy, day): (&Policy, &str),
    agent: &Agent,
) -> Result<Vec<Spent>, Fail> {
    let of = (agent.current_run, agent.current_task);
    let payer = payer_on(db, day.to_owned(), agent, of)?;
    let set = queries::all_caps(db)?;
    let standings = Caplist { db, policy, set: &set }.standings(agent, &payer, Own::All)?;
    Ok(standings
        .into_iter()
        .map(|one| Spent { key: one.key, caps: one.caps, ledger: one.ledger })
        .collect())
}
