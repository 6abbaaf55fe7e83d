//! The policy: what a call would get, and which version is in force.

use mc_core::{
    budget::Payer,
    money::MicroUsd,
    policy::{self, Call, Decision, World},
    refusal::Refusal,
};
use mc_proto::method::admin::PolicyTest;

use super::budget::{Caplist, Own};
use crate::{
    caller::Caller,
    live::Live,
    store::queries::{self, Fail, Reader},
};

/// `policy.test`: what a call would get; records nothing.
///
/// # Errors
///
/// `not_found` for an unknown agent or task, `invalid_params` for a candidate that is no policy.
pub fn test(
    db: Reader<'_>,
    live: &Live,
    caller: &Caller,
    params: &PolicyTest,
) -> Result<Decision, Fail> {
    let policy = match &params.toml {
        None => live.policy(),
        Some(toml) => crate::policy::parse(toml).map(std::sync::Arc::new).map_err(|findings| {
            let first = findings.first().map_or_else(String::new, |one| one.message.clone());
            Refusal::invalid("toml", first)
        })?,
    };
    let name = params.agent.as_ref().or(caller.agent.as_ref());
    let agent = match name {
        Some(name) => queries::agent(db, name)?,
        None => queries::agents(db, false)?.into_iter().next().ok_or_else(|| {
            Refusal::invalid("agent", "there is no agent yet: register one, or name one")
        })?,
    };
    let task = params.task.or(agent.current_task).map(|id| queries::task(db, id)).transpose()?;
    let squad = queries::squad(db)?;
    let above = task.as_ref().map_or(Ok(Vec::new()), |task| queries::tasks_above(db, task.id))?;
    let of = task.as_ref().map(|task| task.id);
    let payer = Payer { run: None, agent: agent.name.clone(), task: of, above, day: live.day() };
    let set = queries::all_caps(db)?;
    let caps = Caplist { db, policy: &policy, set: &set };
    let budget = caps.standings(&agent, &payer, Own::WholeRun)?;
    let call = Call {
        tool: &params.tool,
        arguments: &params.arguments,
        cwd: params.cwd.as_deref().or(agent.workspace.as_deref()),
        home: caller.home.as_deref(),
        facts: policy::Facts::NONE,
    };
    let world = World {
        squad: &squad,
        agent: &agent,
        task: task.as_ref(),
        run: None,
        budget: &budget,
        estimate: MicroUsd::ZERO,
    };
    Ok(policy::decide(&policy, &call, &world))
}
