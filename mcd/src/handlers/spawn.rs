//! Sub-agents: who may spawn one, what it inherits, and when it ends.
//!
//! A sub-agent serves one task of its parent. It ends with that task, with its parent, and when
//! its time is over.

use mc_core::{
    agent::{Agent, AgentName, AgentStatus, Autonomy},
    id::TaskId,
    money::MicroUsd,
    refusal::Refusal,
};
use mc_proto::method::agent::Register;

use super::{moves::acting_agent, stop};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// Returns the parent of a new agent, after checking that it may have the child.
pub(super) fn parent(desk: &Desk<'_>, params: &Register) -> Result<Option<AgentName>, Fail> {
    let parent = if desk.caller.is_human() {
        let Some(parent) = &params.parent else { return Ok(None) };
        queries::agent(desk.db, parent)?
    } else {
        let agent = acting_agent(desk)?;
        may_spawn(&agent, params)?;
        serves_its_own(desk, &agent, params.task)?;
        agent
    };
    within_limits(desk, &parent, params)?;
    Ok(Some(parent.name))
}

/// Refuses a child that the acting agent may not have.
fn may_spawn(agent: &Agent, params: &Register) -> Result<(), Refusal> {
    let refuse = |text: String| Err(Refusal::forbidden(text));
    if agent.autonomy == Autonomy::Intern {
        return refuse(format!("{} is an intern: interns can't spawn", agent.name));
    }
    if !agent.can_spawn || agent.status != AgentStatus::Active {
        return refuse(format!("{} may not spawn sub-agents", agent.name));
    }
    if params.can_spawn || rank(params.autonomy) > rank(agent.autonomy) {
        return refuse("a child may not spawn, and may not go further than its parent".to_owned());
    }
    if params.task.is_none() || params.purpose.is_none() {
        return Err(Refusal::invalid("purpose", "a child needs `purpose` and `task`"));
    }
    narrower(agent, params)?;
    let over = |child: Option<MicroUsd>, own: MicroUsd| child.is_some_and(|cap| cap > own);
    if over(params.daily_cap_uusd, agent.daily_cap_uusd)
        || over(params.run_cap_uusd, agent.run_cap_uusd)
    {
        return refuse("a child's caps may not exceed its parent's".to_owned());
    }
    Ok(())
}

/// Refuses a child that would serve another's task: what it spends there is that task's, and what it
/// does there is done to that task. A lead gives work to others anyway.
fn serves_its_own(desk: &Desk<'_>, agent: &Agent, task: Option<TaskId>) -> Result<(), Fail> {
    let Some(id) = task.filter(|_| agent.autonomy != Autonomy::Lead) else { return Ok(()) };
    let task = queries::task(desk.db, id)?;
    if task.is_assigned_to(&agent.name) || agent.serves == Some(id) {
        return Ok(());
    }
    let text =
        format!("{id} is not assigned to {}: a child serves a task of its parent", agent.name);
    Err(Refusal::forbidden(text).into())
}

/// Refuses one child too many, a family that is too deep, and a task that is closed.
fn within_limits(desk: &Desk<'_>, parent: &Agent, params: &Register) -> Result<(), Fail> {
    let limits = desk.policy.doc().limits;
    let above = queries::agents_above(desk.db, parent)?;
    if above.len() as u64 >= limits.spawn_depth {
        let text = format!("sub-agents go at most {} deep", limits.spawn_depth);
        return Err(Refusal::forbidden(text).into());
    }
    let Some(task) = params.task else { return Ok(()) };
    if queries::task(desk.db, task)?.state.is_final() {
        let text = format!("{task} is closed: a sub-agent ends with the task that it serves");
        return Err(Refusal::invalid("task", text).into());
    }
    let agents = queries::agents(desk.db, false)?;
    let children = agents.iter().filter(|one| one.is_sub_agent() && one.serves == Some(task));
    if children.count() as u64 >= limits.children_per_task {
        let text = format!("a task has at most {} sub-agents", limits.children_per_task);
        return Err(Refusal::forbidden(text).into());
    }
    if children_of(agents, &parent.name).len() as u64 >= limits.children_per_parent {
        let text = format!(
            "{} has as many sub-agents as one agent may have ({}): wait for one to end; a person can \
             retire one (`mcctl agent stop`) or raise `limits.children_per_parent`",
            parent.name, limits.children_per_parent
        );
        return Err(Refusal::forbidden(text).into());
    }
    Ok(())
}

/// Refuses a child that could see or use more than its parent.
fn narrower(agent: &Agent, params: &Register) -> Result<(), Refusal> {
    let below = |top: &str, path: &str| {
        path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let within = match (&agent.workspace, &params.workspace) {
        (Some(top), Some(path)) => below(top, path),
        (None, Some(_)) => false,
        (_, None) => true,
    };
    if !within {
        return Err(Refusal::forbidden("a child's workspace lies in its parent's"));
    }
    let more = params.tools_allow.iter().find(|tool| !agent.tools_allow.contains(tool));
    if let Some(tool) = more.filter(|_| !agent.tools_allow.is_empty()) {
        return Err(Refusal::forbidden(format!("`{tool}` is no tool of the parent's")));
    }
    Ok(())
}

/// What the parent may not do its child may not do either.
pub(super) fn inherit(child: &mut Agent, parent: &Agent) {
    for tool in &parent.tools_deny {
        if !child.tools_deny.contains(tool) {
            child.tools_deny.push(tool.clone());
        }
    }
    if child.tools_allow.is_empty() {
        child.tools_allow.clone_from(&parent.tools_allow);
    }
    if child.task_types.is_empty() {
        child.task_types.clone_from(&parent.task_types);
    }
    if child.workspace.is_none() {
        child.workspace.clone_from(&parent.workspace);
    }
    // Caps that were named are no higher (`may_spawn`); those of its autonomy may be.
    child.daily_cap_uusd = child.daily_cap_uusd.min(parent.daily_cap_uusd);
    child.run_cap_uusd = child.run_cap_uusd.min(parent.run_cap_uusd);
}

const fn rank(autonomy: Autonomy) -> u8 {
    match autonomy {
        Autonomy::Intern => 0,
        Autonomy::Specialist => 1,
        Autonomy::Lead => 2,
    }
}

/// Says whether an agent is `other`, or one of those below it.
pub(super) fn is_of(desk: &Desk<'_>, agent: &Agent, other: &AgentName) -> Result<bool, Fail> {
    Ok(agent.name == *other || queries::agents_above(desk.db, agent)?.contains(other))
}

/// Returns the sub-agents of an agent.
pub(super) fn children(desk: &Desk<'_>, parent: &AgentName) -> Result<Vec<Agent>, Fail> {
    Ok(children_of(queries::agents(desk.db, false)?, parent))
}

fn children_of(mut agents: Vec<Agent>, parent: &AgentName) -> Vec<Agent> {
    agents.retain(|one| one.is_sub_agent() && one.parent.as_ref() == Some(parent));
    agents
}

/// Ends the sub-agents whose time is over.
pub(super) fn end_overdue(desk: &mut Desk<'_>, agents: &[Agent]) -> Result<(), Fail> {
    let ttl = desk.policy.doc().limits.child_ttl;
    for child in agents.iter().filter(|one| one.is_sub_agent()) {
        if desk.now.since(child.lives_since()) >= ttl.duration() {
            end(desk, &child.name, &format!("a sub-agent lives at most {ttl}"))?;
        }
    }
    Ok(())
}

/// Ends the sub-agents of a task that is closed.
pub(super) fn end_serving(desk: &mut Desk<'_>, task: TaskId) -> Result<(), Fail> {
    let agents = queries::agents(desk.db, false)?;
    for child in agents.iter().filter(|one| one.is_sub_agent() && one.serves == Some(task)) {
        end(desk, &child.name, &format!("{task}, which it served, is closed"))?;
    }
    Ok(())
}

/// Brings to the sub-agents of `parent` what became of it: retired or quarantined.
pub(super) fn follow_parent(
    desk: &mut Desk<'_>,
    parent: &AgentName,
    to: AgentStatus,
) -> Result<(), Fail> {
    for child in children(desk, parent)? {
        if to == AgentStatus::Stopped {
            end(desk, &child.name, &format!("its parent {parent} is retired"))?;
        } else if child.status != AgentStatus::Quarantined {
            stop::quarantine(desk, &child.name, &format!("its parent {parent} is quarantined"))?;
        }
    }
    Ok(())
}

/// Retires a sub-agent, unless its end came with that of another.
fn end(desk: &mut Desk<'_>, child: &AgentName, reason: &str) -> Result<(), Fail> {
    if queries::agent(desk.db, child)?.status != AgentStatus::Stopped {
        stop::retire(desk, child, reason)?;
    }
    Ok(())
}
