//! Agents: changes by humans, and heartbeats.

use mc_core::{
    agent::{Agent, AgentStatus},
    budget::Scope,
    event::Event,
    refusal::Refusal,
    squad::SquadStatus,
    task::Task,
};
use mc_proto::{
    limits::LABEL_BYTES,
    method::agent::{Beat, Health, Heartbeat, Order, Remaining, Update},
};

use super::{budget, enrol, input, moves::acting_agent};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// How many unread notifications one heartbeat brings.
const NOTICES: i64 = 50;
/// How many Inbox tasks one heartbeat offers.
const OFFERS: usize = 20;
/// How many Inbox tasks are looked at for them.
const OFFERS_SEEN: i64 = 200;

/// `agent.update`
///
/// # Errors
///
/// `conflict` on another revision, `invalid_params`.
pub fn update(desk: &mut Desk<'_>, params: Update) -> Result<Agent, Fail> {
    let agent = queries::agent(desk.db, &params.agent)?;
    if agent.rev != params.rev {
        let text = format!(
            "{} is at revision {}, you saw {}: read it again",
            agent.name, agent.rev, params.rev
        );
        return Err(Refusal::conflict(text).into());
    }
    let set = &params.set;
    enrol::check_lists(
        desk,
        &[
            ("set.task_types", set.task_types.as_deref()),
            ("set.tools_allow", set.tools_allow.as_deref()),
            ("set.tools_deny", set.tools_deny.as_deref()),
        ],
    )?;
    let given = (set.daily_cap_uusd, set.run_cap_uusd);
    let daily = given.0.unwrap_or(agent.daily_cap_uusd);
    enrol::check_caps("set.", given, (daily, given.1.unwrap_or(agent.run_cap_uusd)))?;
    if let Some(workspace) = &set.workspace {
        enrol::check_workspace("set.workspace", workspace)?;
    }
    let sets = [(Scope::AgentDay, given.0.is_some()), (Scope::Run, given.1.is_some())];
    let event = Event::AgentUpdated { agent: agent.name.clone(), patch: Box::new(params.set) };
    desk.emit(event)?;
    for (scope, _) in sets.into_iter().filter(|(_, is_set)| *is_set) {
        budget::void_raises(desk, scope, &agent.name)?;
    }
    queries::agent(desk.db, &agent.name)
}

/// `agent.heartbeat`
///
/// # Errors
///
/// `not_found` when the agent was never registered.
pub fn heartbeat(desk: &mut Desk<'_>, params: &Heartbeat) -> Result<Beat, Fail> {
    let agent = acting_agent(desk)?;
    if let Some(session) = &params.session {
        input::at_most("session", session, LABEL_BYTES)?;
    }
    desk.live.beat(&agent.name, params.status == Health::Busy);
    let tasks = queries::open_tasks_of(desk.db, &agent.name)?;
    let current = agent.current_task.and_then(|id| tasks.iter().find(|task| task.id == id));
    Ok(Beat {
        notifications: queries::unread(desk.db, &agent.name, NOTICES)?,
        claimable: claimable(desk, &agent)?,
        decisions: queries::granted(desk.db, &agent.name, desk.now)?,
        budget: remaining(desk, &agent, current)?,
        assigned: tasks.iter().map(mc_core::task::Task::card).collect(),
        orders: orders(desk, &agent)?,
    })
}

/// Returns what the agent may still spend; what is promised to its runs counts as spent.
fn remaining(desk: &mut Desk<'_>, agent: &Agent, task: Option<&Task>) -> Result<Remaining, Fail> {
    let payer = budget::payer(desk, agent, None, task)?;
    let all = budget::standings(desk, agent, &payer, budget::Own::WholeRun)?;
    let left = |scope| {
        let of = all.iter().filter(|one| one.key.scope == scope);
        of.filter_map(|one| one.left().uusd).min()
    };
    Ok(Remaining {
        day_uusd: left(Scope::AgentDay).unwrap_or_default(),
        run_uusd: agent.run_cap_uusd,
        task_uusd: left(Scope::Task),
    })
}

fn claimable(desk: &Desk<'_>, agent: &Agent) -> Result<Vec<mc_core::task::TaskCard>, Fail> {
    let is_open =
        agent.status == AgentStatus::Active && agent.autonomy != mc_core::agent::Autonomy::Intern;
    if !is_open {
        return Ok(Vec::new());
    }
    let suits = |task: &mc_core::task::Task| {
        agent.task_types.is_empty() || agent.task_types.contains(&task.task_type)
    };
    let inbox = queries::inbox(desk.db, OFFERS_SEEN)?;
    Ok(inbox
        .iter()
        .filter(|task| suits(task))
        .take(OFFERS)
        .map(mc_core::task::Task::card)
        .collect())
}

/// Returns what the agent has to do at once.
pub(super) fn orders(desk: &mut Desk<'_>, agent: &Agent) -> Result<Vec<Order>, Fail> {
    if desk.live.halt.is_set() || desk.squad()?.status == SquadStatus::Halted {
        return Ok(vec![Order::Stop]);
    }
    if desk.squad()?.status == SquadStatus::Paused {
        return Ok(vec![Order::Pause]);
    }
    Ok(match agent.status {
        AgentStatus::Active => Vec::new(),
        AgentStatus::Paused => vec![Order::Pause],
        AgentStatus::Drained => vec![Order::Drain],
        AgentStatus::Quarantined | AgentStatus::Stopped => vec![Order::Stop],
    })
}
