//! What must hold for the values of a policy, field by field.

use super::{doc::PolicyDoc, net};
use crate::{agent::AgentName, life::LifeRules, money::MicroUsd, refusal::FieldError, time::Span};

/// Says what is wrong with the lists of a policy.
pub(super) fn lists(doc: &PolicyDoc, errors: &mut Vec<FieldError>) {
    let mut fail = |field: String, text: String| errors.push(FieldError::new(field, text));
    for (at, host) in doc.network.allow.iter().enumerate() {
        if let Some(text) = net::no_host(host) {
            fail(format!("network.allow[{at}]"), text);
        }
    }
    for (at, path) in doc.deny.paths.iter().enumerate() {
        if path.trim().len() < 2 {
            fail(format!("deny.paths[{at}]"), format!("`{path}` would deny everything"));
        }
    }
    let is_slug = |name: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        (1..=32).contains(&name.len()) && name.bytes().all(plain)
    };
    for (at, name) in doc.tasks.types.iter().enumerate() {
        if !is_slug(name) {
            let text = format!("`{name}` is no task type: use 1 to 32 of a-z, 0-9 and `_`");
            fail(format!("tasks.types[{at}]"), text);
        }
    }
    if doc.tasks.types.is_empty() {
        fail("tasks.types".into(), "name at least one type".into());
    }
    for (name, items) in &doc.tasks.checklists {
        let is_blank = |item: &String| item.trim().is_empty();
        if items.is_empty() || items.iter().any(is_blank) {
            fail(format!("tasks.checklists.{name}"), "give at least one item, none empty".into());
        }
    }
    for name in doc.tools.risk.keys().chain(&doc.tools.allow).chain(&doc.tools.deny) {
        if name.is_empty() || name == "*" {
            fail("tools".into(), format!("`{name}` would mean every tool"));
        }
    }
}

/// Says what is wrong with the limits of agents' lives.
fn agents(rules: &LifeRules, errors: &mut Vec<FieldError>) {
    let week = Span::hours(7 * 24);
    for (field, span, least, most) in [
        ("agents.late", rules.late, Span::seconds(10), rules.offline),
        ("agents.offline", rules.offline, Span::minutes(1), week),
        ("agents.silent", rules.silent, Span::minutes(1), week),
    ] {
        if !(least..=most).contains(&span) {
            let text = format!("is {span}, expected {least} to {most}");
            errors.push(FieldError::new(field, text));
        }
    }
    let named = |(agent, most): (&AgentName, &u64)| (format!("agents.capacity_of.{agent}"), *most);
    let single = rules.capacity_of.iter().map(named);
    for (field, capacity) in single.chain([("agents.capacity".to_owned(), rules.capacity)]) {
        if !(1..=100).contains(&capacity) {
            errors.push(FieldError::new(field, format!("is {capacity}, expected 1 to 100")));
        }
    }
}

/// Says what is wrong with the numbers and spans of a policy.
pub(super) fn numbers(doc: &PolicyDoc, errors: &mut Vec<FieldError>) {
    agents(&doc.agents, errors);
    let (approvals, limits) = (&doc.approvals, &doc.limits);
    let week = Span::hours(7 * 24);
    for (field, span, least, most) in [
        ("approvals.green_expires", approvals.green_expires, Span::seconds(10), week),
        ("approvals.yellow_expires", approvals.yellow_expires, Span::seconds(10), week),
        ("approvals.red_expires", approvals.red_expires, Span::seconds(10), week),
        ("approvals.hold", approvals.hold, Span::seconds(0), Span::seconds(330)),
        ("limits.child_ttl", limits.child_ttl, Span::minutes(1), week),
        ("budgets.unsettled", doc.budgets.unsettled, Span::minutes(1), week),
        ("limits.lease", limits.lease, Span::seconds(1), Span::minutes(1)),
    ] {
        if !(least..=most).contains(&span) {
            let text = format!("is {span}, expected {least} to {most}");
            errors.push(FieldError::new(field, text));
        }
    }
    let kinds = approvals.kind_expires;
    for (name, span) in [
        ("tool_call", kinds.tool_call),
        ("budget_override", kinds.budget_override),
        ("transition", kinds.transition),
        ("spawn", kinds.spawn),
        ("escalation", kinds.escalation),
    ] {
        if let Some(span) = span.filter(|span| !(Span::seconds(10)..=week).contains(span)) {
            let text = format!("is {span}, expected {} to {week}", Span::seconds(10));
            errors.push(FieldError::new(format!("approvals.kind_expires.{name}"), text));
        }
    }
    let (remind, last) = (approvals.remind_percent, approvals.last_call_percent);
    if !(1..100).contains(&remind) || !(1..100).contains(&last) || remind >= last {
        let text = format!(
            "is {remind}, expected 1 to 98 and less than `last_call_percent` ({last}, at most 99)"
        );
        errors.push(FieldError::new("approvals.remind_percent", text));
    }
    counts(doc, errors);
    for (field, amount) in amounts(doc) {
        if amount < MicroUsd::ZERO {
            errors.push(FieldError::new(field, format!("{amount} is below zero")));
        }
    }
}

/// Says which counts are out of range.
fn counts(doc: &PolicyDoc, errors: &mut Vec<FieldError>) {
    let (approvals, limits) = (&doc.approvals, &doc.limits);
    let mut within = |field: String, number: u64, least: u64, most: u64| {
        if !(least..=most).contains(&number) {
            let text = format!("is {number}, expected {least} to {most}");
            errors.push(FieldError::new(field, text));
        }
    };
    within("approvals.red_needs".into(), u64::from(approvals.red_needs), 1, 2);
    within("limits.argument_bytes".into(), limits.argument_bytes, 1024, 256 * 1024);
    within("limits.pending_per_agent".into(), limits.pending_per_agent, 1, 1000);
    within("limits.pending_per_squad".into(), limits.pending_per_squad, 1, 10_000);
    within("limits.open_runs_per_agent".into(), limits.open_runs_per_agent, 1, 1000);
    within("limits.open_tasks_per_agent".into(), limits.open_tasks_per_agent, 1, 100_000);
    within("limits.active_agents".into(), limits.active_agents, 1, 10_000);
    within("limits.children_per_task".into(), limits.children_per_task, 0, 100);
    within("limits.children_per_parent".into(), limits.children_per_parent, 0, 100);
    within("limits.spawn_depth".into(), limits.spawn_depth, 0, 10);
    within("limits.agent_day_bytes".into(), limits.agent_day_bytes, 64 * 1024, 1 << 40);
    for (at, share) in doc.budgets.warn_percent.iter().enumerate() {
        within(format!("budgets.warn_percent[{at}]"), u64::from(*share), 1, 100);
    }
    let pace = doc.budgets.pace;
    within("budgets.pace.times".into(), pace.times, 0, 10_000);
}

fn amounts(doc: &PolicyDoc) -> Vec<(String, MicroUsd)> {
    let budgets = &doc.budgets;
    let mut all = vec![("budgets.task_default_uusd".to_owned(), budgets.task_default_uusd)];
    for (name, caps) in
        [("daily_cap_uusd", budgets.daily_cap_uusd), ("run_cap_uusd", budgets.run_cap_uusd)]
    {
        all.push((format!("budgets.{name}.intern"), caps.intern));
        all.push((format!("budgets.{name}.specialist"), caps.specialist));
        all.push((format!("budgets.{name}.lead"), caps.lead));
    }
    let of_type = |(name, cap): (&String, &MicroUsd)| (format!("budgets.task_uusd.{name}"), *cap);
    all.extend(budgets.task_uusd.iter().map(of_type));
    all.push(("budgets.pace.floor_uusd".to_owned(), budgets.pace.floor_uusd));
    let tokens = budgets.tokens;
    let tokens = [
        ("run", tokens.run),
        ("task", tokens.task),
        ("agent_day", tokens.agent_day),
        ("squad_day", tokens.squad_day),
        ("squad_month", tokens.squad_month),
    ];
    let of_tokens =
        |(name, cap): (&str, Option<i64>)| Some((format!("budgets.tokens.{name}"), MicroUsd(cap?)));
    all.extend(tokens.into_iter().filter_map(of_tokens));
    let squad = [
        ("budgets.squad_day_uusd", budgets.squad_day_uusd),
        ("budgets.squad_month_uusd", budgets.squad_month_uusd),
    ];
    all.extend(squad.into_iter().filter_map(|(name, cap)| Some((name.to_owned(), cap?))));
    all
}
