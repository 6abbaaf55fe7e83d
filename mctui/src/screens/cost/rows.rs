//! The rows of the costs.

use mc_core::{
    budget::Scope,
    money::{CostState, MicroUsd},
};
use mc_proto::method::{
    cost::{RollupRow, Sums},
    squad::Budget,
};

use super::{Group, Of};
use crate::{
    format::{meter, money, percent, tokens},
    request::Costs,
    scene::Scene,
    text,
    theme::Token,
    widgets::Line,
};

/// Returns what the rows of a group are, the dearest first, days newest first.
pub(super) fn ids(known: &Costs, group: Group, (is_today, scene): (bool, &Scene)) -> Vec<Of> {
    let view = scene.view();
    match group {
        Group::Task => {
            let is_shown = |row: &&RollupRow| {
                let card = row.task.and_then(|task| scene.world.tasks.get(&task));
                card.map_or(scene.query.is_empty(), |card| scene.shows(card))
            };
            known.tasks.rows.iter().filter(is_shown).map(|row| Of::Task(row.task)).collect()
        }
        Group::Agent => {
            let spent = known.agents.rows.iter().map(|row| row.agent.clone());
            let mut names: Vec<_> = spent.collect();
            if is_today {
                let caps = known.budgets.budgets.iter().filter(|one| one.scope == Scope::AgentDay);
                let rest = caps.filter_map(|one| one.of.parse().ok()).map(Some);
                let rest: Vec<_> = rest.filter(|name| !names.contains(name)).collect();
                names.extend(rest);
            }
            names.retain(|name| {
                let known = name.as_ref().and_then(|name| scene.world.agents.get(name));
                known.map_or(scene.query.is_empty(), |one| {
                    scene.query.matches_agent(&one.agent, &view)
                })
            });
            names.into_iter().map(Of::Agent).collect()
        }
        Group::Model => known.models.rows.iter().map(|row| Of::Model(row.model.clone())).collect(),
        Group::Day => {
            let days = known.days.rows.iter().filter_map(|row| row.day.clone());
            let mut days: Vec<String> = days.collect();
            days.sort_unstable();
            days.into_iter().rev().map(Of::Day).collect()
        }
    }
}

/// Returns the names of the columns.
pub(super) fn header(group: Group, width: u16) -> Line {
    let words = match group {
        Group::Task => "all parts",
        Group::Agent => "of budget",
        Group::Model => "share",
        Group::Day => "",
    };
    let name = name_width(group, width);
    let tokens = if has_tokens(width) { " tokens" } else { "" };
    Line::new().own(Token::Dim, format!(" {:name$}{tokens} {:>9} {words}", "", "$"))
}

/// Says whether there is room for the tokens.
const fn has_tokens(width: u16) -> bool {
    width >= 56
}

/// Returns the width that is left for a name.
fn name_width(group: Group, width: u16) -> usize {
    let behind = match group {
        Group::Task => 10,
        Group::Agent if width >= 56 => 44,
        Group::Agent => 21,
        Group::Model => 5,
        Group::Day => 0,
    };
    let tokens = if has_tokens(width) { 7 } else { 0 };
    let ways = if has_ways(width) && group != Group::Agent { 16 } else { 0 };
    usize::from(width).saturating_sub(11 + tokens + behind + ways).clamp(6, 40)
}

/// Says whether there is room for how an amount is known.
const fn has_ways(width: u16) -> bool {
    width >= 70
}

/// Returns one row.
pub(super) fn row(
    known: &Costs,
    of: &Of,
    (width, is_selected): (u16, bool),
    scene: &Scene,
) -> Line {
    let none = RollupRow::default();
    let row = match of {
        Of::Task(_) => known.tasks.rows.iter().find(|row| of.holds(row)),
        Of::Agent(_) => known.agents.rows.iter().find(|row| of.holds(row)),
        Of::Model(_) => known.models.rows.iter().find(|row| of.holds(row)),
        Of::Day(day) => known.days.rows.iter().find(|row| row.day.as_ref() == Some(day)),
    };
    let row = row.unwrap_or(&none);
    let cursor = if is_selected { ">" } else { " " };
    let name = Line::new().own(Token::Strong, cursor).then(name(of, scene));
    let (token, amount) = amount(&row.sums);
    let group = match of {
        Of::Task(_) => Group::Task,
        Of::Agent(_) => Group::Agent,
        Of::Model(_) => Group::Model,
        Of::Day(_) => Group::Day,
    };
    let line = name.to_column(name_width(group, width) + 1);
    let used = if has_tokens(width) { tokens(row.sums.tokens) } else { String::new() };
    let line = if used.is_empty() { line } else { line.own(Token::Dim, format!(" {used:>6}")) };
    let line = line.own(token, format!(" {amount:>9}")).then(more(known, of, (row, width)));
    if has_ways(width) && group != Group::Agent {
        return line.own(Token::Dim, format!("  {}", ways(&row.sums)));
    }
    line
}

fn name(of: &Of, scene: &Scene) -> Line {
    let dim = |words: &'static str| Line::new().own(Token::Dim, words);
    match of {
        Of::Task(Some(task)) => {
            let line = Line::new().own(Token::Strong, format!("{task} "));
            match scene.world.tasks.get(task) {
                Some(card) => line.says(Token::Fg, &text::line(&card.title)),
                None => line,
            }
        }
        Of::Task(None) => dim("(no task)"),
        Of::Agent(Some(agent)) => Line::new().says(Token::Strong, &text::line(agent)),
        Of::Agent(None) => dim("(no agent)"),
        Of::Model(Some(model)) => Line::new().says(Token::Strong, &text::line(model)),
        Of::Model(None) => dim("(said by a person)"),
        Of::Day(day) => Line::new().own(Token::Strong, day.clone()),
    }
}

/// Returns an amount as it stands on the screen: what is free or covered says so, what has no price
/// is `?`.
pub fn amount(sums: &Sums) -> (Token, String) {
    let is_covered = sums.cost_uusd == MicroUsd::ZERO
        && matches!(sums.state(), Some(CostState::Free | CostState::Subscription));
    let token = if is_covered { Token::Dim } else { Token::Money };
    (token, money(sums.cost_uusd, sums.state()))
}

/// Returns how an amount is known.
pub fn ways(sums: &Sums) -> String {
    let words: Vec<&str> = sums.states.keys().map(String::as_str).collect();
    words.join("+")
}

fn more(known: &Costs, of: &Of, (row, width): (&RollupRow, u16)) -> Line {
    let line = Line::new();
    match of {
        Of::Task(_) => match row.with_children_uusd.filter(|all| *all != row.sums.counted_uusd) {
            Some(all) => line.own(Token::Dim, format!(" {:>9}", all.to_string())),
            None => line.own(Token::Fg, " ".repeat(10)),
        },
        Of::Agent(Some(agent)) if known.tasks.until == known.forecast.day => {
            let budgets = known.budgets.budgets.iter();
            let mut own = budgets.filter(|one| one.scope == Scope::AgentDay);
            let own = own.find(|one| one.of == agent.as_str());
            match own {
                Some(own) if has_tokens(width) => of_budget(own),
                Some(own) => line.then(bar(own)),
                None => line,
            }
        }
        Of::Model(_) => match percent(row.sums.counted_uusd, known.models.total.counted_uusd) {
            Some(share) => line.own(Token::Dim, format!(" {share:>3}%")),
            None => line,
        },
        Of::Agent(_) | Of::Day(_) => line,
    }
}

/// Returns a cap as a bar, with what is promised and not spent.
pub fn of_budget(budget: &Budget) -> Line {
    let line = of_cap(budget);
    if budget.reserved_uusd > MicroUsd::ZERO {
        return line.own(Token::Pending, format!(" +{} reserved", budget.reserved_uusd));
    }
    line
}

/// Returns a cap as a bar.
pub fn of_cap(budget: &Budget) -> Line {
    let cap = match (budget.cap_uusd, budget.cap_tokens) {
        (Some(cap), _) => format!(" of {cap}"),
        (None, Some(cap)) => format!(" of {} tokens", tokens(cap)),
        (None, None) => String::new(),
    };
    Line::new().own(Token::Dim, cap).then(bar(budget))
}

/// Returns how much of a cap is spent.
fn bar(budget: &Budget) -> Line {
    if budget.cap_uusd.is_none() && budget.cap_tokens.is_none() {
        return Line::new().own(Token::Dim, " no cap");
    }
    let token = match budget.percent {
        100.. => Token::Crit,
        80.. => Token::Warn,
        _ => Token::Dim,
    };
    let over = if budget.percent > 100 { " OVER" } else { "" };
    let words = format!(" {} {}%{over}", meter(Some(budget.percent)), budget.percent);
    Line::new().own(token, words)
}
