//! The order of judgement of SPEC.md, section 5.2.

use std::borrow::Cow;

use super::{
    Call, Decision, Outcome, Policy, Risk, Scoped, World,
    judge::{Judgement, judge, quote},
    rules::Then,
    scope::Within,
    tools::{self, Class},
};
use crate::{
    agent::{AgentStatus, Autonomy},
    approval::ApprovalKind,
    budget::{self, Amount},
    run::RunStatus,
    squad::SquadStatus,
    task::TaskState,
};

/// What a check sees.
struct Case<'a> {
    call: &'a Call<'a>,
    world: &'a World<'a>,
    found: &'a Judgement<'a>,
}

/// What a check says: outcome, rule and reason.
type Verdict = (Outcome, Cow<'static, str>, String);

/// The order of judgement; the first check that has an opinion decides.
const CHECKS: &[fn(&Case<'_>) -> Option<Verdict>] = &[
    squad_and_agent_are_active,
    task_is_not_blocked,
    deny_list_is_clear,
    tool_is_permitted,
    budget_is_left,
    red_is_asked,
    own_rule_asks,
    yellow_by_autonomy,
    green_is_allowed,
];

/// Decides one tool call. Where no check has an opinion, a human is asked.
pub fn decide(policy: &Policy, call: &Call<'_>, world: &World<'_>) -> Decision {
    decide_in(policy.at(Within::of(world.agent, world.task)), call, world)
}

/// Decides one tool call as if it were made `within` that place.
pub(super) fn decide_at(
    policy: &Policy,
    within: Within<'_>,
    call: &Call<'_>,
    world: &World<'_>,
) -> Decision {
    decide_in(policy.at(within), call, world)
}

/// Decides one tool call by what counts in its place.
pub(super) fn decide_in(scoped: &Scoped, call: &Call<'_>, world: &World<'_>) -> Decision {
    let found = judge(scoped, call, world.agent);
    let case = Case { call, world, found: &found };
    let unruled = || (Outcome::Ask, "unruled".into(), "no rule has an opinion".to_owned());
    let (outcome, rule, reason) =
        CHECKS.iter().find_map(|check| check(&case)).unwrap_or_else(unruled);
    let ask_for = match (rule.starts_with("budget."), found.class) {
        (true, _) => ApprovalKind::BudgetOverride,
        (false, Class::Spawn) => ApprovalKind::Spawn,
        (false, _) => ApprovalKind::ToolCall,
    };
    // What is only too long to be judged breaks no rule.
    let is_violation = outcome == Outcome::Deny
        && found.denied.as_ref().is_some_and(|(denied, _)| *denied == rule)
        && !rule.starts_with("limit.");
    let risk = found.risk;
    Decision { outcome, risk, rule: rule.into_owned(), reason, ask_for, is_violation }
}

fn deny(rule: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Verdict {
    (Outcome::Deny, rule.into(), reason.into())
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
    let want = Amount { uusd: case.world.estimate, tokens: 0 };
    let short = budget::fit(case.world.budget, want).err()?;
    // Who grants the money grants the call: what makes it RED is said, too.
    let found = case.found;
    let red = (found.risk == Risk::Red)
        .then(|| format!("; the call itself is RED by {}: {}", found.rule, found.reason));
    Some((
        Outcome::Ask,
        short.key.scope.rule().into(),
        format!("{}; a human can grant more{}", short.text, red.unwrap_or_default()),
    ))
}

fn red_is_asked(case: &Case<'_>) -> Option<Verdict> {
    let found = case.found;
    (found.risk == Risk::Red).then(|| (Outcome::Ask, found.rule.clone(), found.reason.clone()))
}

fn own_rule_asks(case: &Case<'_>) -> Option<Verdict> {
    let rule = case.found.answer.filter(|rule| rule.then == Then::Ask)?;
    Some((Outcome::Ask, rule.id.clone().into(), rule.reason()))
}

fn yellow_by_autonomy(case: &Case<'_>) -> Option<Verdict> {
    let found = case.found;
    if found.risk != Risk::Yellow {
        return None;
    }
    if let Some(rule) = found.answer.filter(|rule| rule.then == Then::Allow) {
        return Some((Outcome::Allow, rule.id.clone().into(), rule.reason()));
    }
    let (name, tool) = (&case.world.agent.name, quote(case.call.tool));
    if case.world.agent.autonomy == Autonomy::Intern {
        let reason = format!("{}, and {name} is an intern", found.reason);
        return Some((Outcome::Ask, "autonomy.intern".into(), reason));
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
    Some((Outcome::Ask, "yellow.unlisted".into(), reason))
}

fn green_is_allowed(case: &Case<'_>) -> Option<Verdict> {
    let found = case.found;
    let rule = rule_of(found, "allow.green");
    (found.risk == Risk::Green).then(|| (Outcome::Allow, rule, found.reason.clone()))
}

/// A command that may run names the rule of the shell that let it.
fn rule_of(found: &Judgement<'_>, general: &'static str) -> Cow<'static, str> {
    if found.class == Class::Shell { found.rule.clone() } else { general.into() }
}
