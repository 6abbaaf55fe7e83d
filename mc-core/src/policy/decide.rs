//! The order of judgement of SPEC.md, section 5.2.

use super::{
    Call, Decision, Outcome, Policy, Risk, World,
    judge::{Judgement, judge, quote},
    tools::{self, Class},
};
use crate::{
    agent::{AgentStatus, Autonomy},
    approval::ApprovalKind,
    money::MicroUsd,
    run::RunStatus,
    squad::SquadStatus,
    task::TaskState,
};

/// What a check sees.
struct Case<'a> {
    call: &'a Call<'a>,
    world: &'a World<'a>,
    found: &'a Judgement,
}

/// What a check says: outcome, rule and reason.
type Verdict = (Outcome, &'static str, String);

/// The order of judgement; the first check that has an opinion decides.
const CHECKS: &[fn(&Case<'_>) -> Option<Verdict>] = &[
    squad_and_agent_are_active,
    task_is_not_blocked,
    deny_list_is_clear,
    tool_is_permitted,
    budget_is_left,
    red_is_asked,
    yellow_by_autonomy,
    green_is_allowed,
];

/// Decides one tool call. Where no check has an opinion, a human is asked.
pub fn decide(policy: &Policy, call: &Call<'_>, world: &World<'_>) -> Decision {
    let found = judge(policy, call, world.agent);
    let case = Case { call, world, found: &found };
    let unruled = || (Outcome::Ask, "unruled", "no rule has an opinion".to_owned());
    let (outcome, rule, reason) =
        CHECKS.iter().find_map(|check| check(&case)).unwrap_or_else(unruled);
    let ask_for = match (rule.starts_with("budget."), found.class) {
        (true, _) => ApprovalKind::BudgetOverride,
        (false, Class::Spawn) => ApprovalKind::Spawn,
        (false, _) => ApprovalKind::ToolCall,
    };
    Decision { outcome, risk: found.risk, rule: rule.to_owned(), reason, ask_for }
}

fn deny(rule: &'static str, reason: impl Into<String>) -> Verdict {
    (Outcome::Deny, rule, reason.into())
}

fn squad_and_agent_are_active(case: &Case<'_>) -> Option<Verdict> {
    let World { squad, agent, run, task, .. } = *case.world;
    match squad.status {
        SquadStatus::Halted => {
            let reason = "the emergency stop is in force until an admin resumes";
            return Some(deny("squad.halted", reason));
        }
        SquadStatus::Paused => return Some(deny("squad.paused", "the squad is paused")),
        SquadStatus::Running => {}
    }
    let name = &agent.name;
    match agent.status {
        AgentStatus::Active => {}
        AgentStatus::Paused => return Some(deny("agent.paused", format!("{name} is paused"))),
        AgentStatus::Quarantined => {
            return Some(deny("agent.quarantined", format!("{name} is quarantined")));
        }
        AgentStatus::Stopped => return Some(deny("agent.stopped", format!("{name} is retired"))),
        AgentStatus::Drained => {
            let finishes = match task {
                Some(task) => agent.current_task == Some(task.id),
                None => agent.current_task.is_some(),
            };
            if !finishes {
                let reason = format!("{name} is drained and only finishes the task that it holds");
                return Some(deny("agent.drained", reason));
            }
        }
    }
    let ended = run.filter(|run| run.status != RunStatus::Running)?;
    Some(deny("run.ended", format!("run {} is over; start a new one", ended.id)))
}

/// A blocked task waits for a person: what serves it stands still, but for speaking about it.
fn task_is_not_blocked(case: &Case<'_>) -> Option<Verdict> {
    let task = case.world.task.filter(|task| task.state == TaskState::Blocked)?;
    let speaks = case.found.class == Class::Own;
    let why = task.blocked_reason.as_deref().unwrap_or("a person has to look");
    let reason = format!("{} is blocked: {why}; report, or do other work", task.id);
    (!speaks).then(|| deny("task.blocked", reason))
}

fn deny_list_is_clear(case: &Case<'_>) -> Option<Verdict> {
    let (rule, reason) = case.found.denied.clone()?;
    Some(deny(rule, reason))
}

fn tool_is_permitted(case: &Case<'_>) -> Option<Verdict> {
    let (agent, tool) = (case.world.agent, case.call.tool);
    let is_in = |names: &[String]| names.iter().any(|name| tools::names(name, tool));
    let (name, quoted) = (&agent.name, quote(tool));
    if is_in(&agent.tools_deny) {
        return Some(deny("tool.denied", format!("{name} may not use {quoted}")));
    }
    let is_own = case.found.class == Class::Own;
    if !is_own && !agent.tools_allow.is_empty() && !is_in(&agent.tools_allow) {
        return Some(deny(
            "tool.not_allowed",
            format!("{quoted} is not among the tools of {name}"),
        ));
    }
    let spawns = case.found.class == Class::Spawn;
    if spawns && (!agent.can_spawn || agent.autonomy == Autonomy::Intern) {
        return Some(deny("tool.spawn", format!("{name} may not start sub-agents")));
    }
    None
}

fn budget_is_left(case: &Case<'_>) -> Option<Verdict> {
    let World { agent, task, run, day, estimate, .. } = *case.world;
    let breached = |spent: MicroUsd, cap: MicroUsd| spent >= cap || spent + estimate > cap;
    let ask = |rule, what: &str, spent: MicroUsd, cap: MicroUsd| {
        let more = if estimate > MicroUsd::ZERO {
            format!(" and the call may cost {estimate}")
        } else {
            String::new()
        };
        let reason = format!("{what} has spent {spent} of {cap}{more}; a human can grant more");
        Some((Outcome::Ask, rule, reason))
    };
    if let Some(run) = run.filter(|run| breached(run.cost_uusd, agent.run_cap_uusd)) {
        return ask("budget.run", "the run", run.cost_uusd, agent.run_cap_uusd);
    }
    if let Some(task) = task.filter(|task| breached(task.spent_uusd, task.budget_uusd)) {
        return ask("budget.task", "the task", task.spent_uusd, task.budget_uusd);
    }
    let today = agent.spent_on(day);
    if breached(today, agent.daily_cap_uusd) {
        return ask("budget.day", "the agent's day", today, agent.daily_cap_uusd);
    }
    None
}

fn red_is_asked(case: &Case<'_>) -> Option<Verdict> {
    let found = case.found;
    (found.risk == Risk::Red).then(|| (Outcome::Ask, found.rule, found.reason.clone()))
}

fn yellow_by_autonomy(case: &Case<'_>) -> Option<Verdict> {
    let found = case.found;
    if found.risk != Risk::Yellow {
        return None;
    }
    let (name, tool) = (&case.world.agent.name, quote(case.call.tool));
    if case.world.agent.autonomy == Autonomy::Intern {
        let reason = format!("{}, and {name} is an intern", found.reason);
        return Some((Outcome::Ask, "autonomy.intern", reason));
    }
    if found.is_listed {
        let reason = if found.class == Class::Shell {
            format!("{}, within what the policy allows", found.reason)
        } else {
            format!("{tool} stays inside what the policy allows")
        };
        return Some((Outcome::Allow, rule_of(found, "allow.yellow"), reason));
    }
    let reason = format!("{tool} or what it writes is on no allowlist: {}", found.reason);
    Some((Outcome::Ask, "yellow.unlisted", reason))
}

fn green_is_allowed(case: &Case<'_>) -> Option<Verdict> {
    let found = case.found;
    let rule = rule_of(found, "allow.green");
    (found.risk == Risk::Green).then(|| (Outcome::Allow, rule, found.reason.clone()))
}

/// A command that may run names the rule of the shell that let it.
fn rule_of(found: &Judgement, general: &'static str) -> &'static str {
    if found.class == Class::Shell { found.rule } else { general }
}
