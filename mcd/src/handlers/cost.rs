//! What work has cost: budgets, rollups, the forecast, and costs computed anew.

use std::collections::BTreeMap;

use mc_core::{
    agent::Agent,
    budget::{self, Correction, Cost, Payer, Scope, ScopeKey, Standing},
    event::Event,
    id::TaskId,
    money::MicroUsd,
    price::Ask,
    refusal::Refusal,
};
use mc_proto::method::{
    cost::{
        By, DaySpend, Forecast, Forecasted, PriceList, Prices, Recompute, Recomputed, RolledUp,
        Rollup, RollupRow,
    },
    squad::{Budget, BudgetGet, Budgets},
};

use super::{
    budget::{Caplist, Own, SQUAD, payer_on},
    input, lists,
};
use crate::{
    live::Live,
    store::{
        Desk,
        queries::{self, Fail, Reader, Span},
    },
};

/// How many promises one answer shows.
const PROMISES: i64 = 200;
/// How many rows by task are put together with those below them.
const TREE_ROWS: i64 = 5000;
/// The longest spans, in days.
const LONGEST: i64 = 400;
const LONGEST_BY_RUN: i64 = 31;
/// How many model calls are computed anew in one transaction.
const RECOMPUTED: i64 = 500;

/// `budget.get`
///
/// # Errors
///
/// `not_found` for an unknown agent, task or run.
pub(super) fn get(db: Reader<'_>, live: &Live, params: &BudgetGet) -> Result<Budgets, Fail> {
    let policy = live.policy();
    let set = queries::all_caps(db)?;
    budgets(&Caplist { db, policy: &policy, set: &set }, live, params)
}

/// Returns the caps that are asked for, with what is spent of them.
pub(super) fn budgets(
    list: &Caplist<'_>,
    live: &Live,
    params: &BudgetGet,
) -> Result<Budgets, Fail> {
    let db = list.db;
    let day = live.day();
    let mut rows = Vec::new();
    let all = params.agent.is_none() && params.task.is_none() && params.run.is_none();
    if let Some(run) = params.run {
        let run = queries::run(db, run)?;
        let agent = queries::agent(db, &run.agent)?;
        let payer = payer_on(db, day.clone(), &agent, (Some(run.id), run.task))?;
        for standing in list.standings(&agent, &payer, Own::All)? {
            rows.push(shown(db, &standing)?);
        }
    }
    if let Some(task) = params.task {
        queries::task(db, task)?;
        let key = ScopeKey { scope: Scope::Task, of: task.to_string() };
        let agent = queries::agents(db, true)?.into_iter().next();
        rows.push(row(list, agent.as_ref(), key)?);
    }
    if let Some(name) = &params.agent {
        queries::agent(db, name)?;
    }
    let agents =
        if all || params.agent.is_some() { queries::agents(db, false)? } else { Vec::new() };
    for agent in agents.iter().filter(|one| all || params.agent.as_ref() == Some(&one.name)) {
        let key = ScopeKey { scope: Scope::AgentDay, of: budget::agent_day(&agent.name, &day) };
        let mut row = row(list, Some(agent), key)?;
        row.of = agent.name.to_string();
        rows.push(row);
    }
    if all {
        let name = queries::squad_row(db)?.name;
        let month = budget::month_of(&day).to_owned();
        for (scope, of) in [(Scope::SquadDay, day.clone()), (Scope::SquadMonth, month)] {
            let mut row = row(list, agents.first(), ScopeKey { scope, of })?;
            row.of.clone_from(&name);
            rows.push(row);
        }
    }
    let only = (params.agent.as_deref(), params.task);
    let reservations = queries::open_reservations(db, only, params.run, PROMISES)?;
    Ok(Budgets { day, budgets: rows, reservations })
}

/// Returns how one scope stands, also without a cap.
fn row(list: &Caplist<'_>, agent: Option<&Agent>, key: ScopeKey) -> Result<Budget, Fail> {
    let standing = if let Some(agent) = agent {
        list.standing(agent, None, key)?
    } else {
        let caps = budget::Caps { uusd: list.policy.squad_cap(key.scope), tokens: None };
        let ledger = queries::ledger(list.db, &key)?;
        Standing { key, caps, ledger, own: budget::Amount::default() }
    };
    shown(list.db, &standing)
}

fn shown(db: Reader<'_>, standing: &Standing) -> Result<Budget, Fail> {
    let Standing { key, caps, ledger, .. } = standing;
    // A day holds what sub-agents spend, too; sums by agent do not.
    let own = match key.of.split_once(' ').filter(|_| key.scope == Scope::AgentDay) {
        Some((agent, day)) => {
            let span = Span { since: day.to_owned(), until: day.to_owned() };
            queries::total_costs(db, &span, (Some(agent), None))?.0.counted_uusd
        }
        None => ledger.spent.uusd,
    };
    Ok(Budget {
        scope: key.scope,
        of: key.of.clone(),
        cap_uusd: caps.uusd,
        granted_uusd: ledger.granted.uusd,
        spent_uusd: ledger.spent.uusd,
        unpriced_uusd: ledger.unpriced_uusd,
        sub_agents_uusd: ledger.spent.uusd.minus(own),
        reserved_uusd: ledger.reserved.uusd,
        unpriced: ledger.unpriced_uusd > MicroUsd::ZERO,
        state: ledger.state,
        cap_tokens: caps.tokens,
        spent_tokens: ledger.spent.tokens,
        reserved_tokens: ledger.reserved.tokens,
        percent: standing.percent(),
    })
}

/// Returns what the squad has spent today, and its day's cap.
pub(super) fn today(
    db: Reader<'_>,
    live: &Live,
) -> Result<(budget::Ledger, Option<MicroUsd>), Fail> {
    let policy = live.policy();
    let set = queries::all_caps(db)?;
    let list = Caplist { db, policy: &policy, set: &set };
    let key = ScopeKey { scope: Scope::SquadDay, of: live.day() };
    let own = list.set.get(&(Scope::SquadDay, SQUAD.to_owned())).copied().unwrap_or_default();
    let ledger = queries::ledger(db, &key)?;
    let cap = own.uusd.or(policy.squad_cap(Scope::SquadDay));
    let cap = cap.map(|cap| cap + ledger.granted.uusd);
    Ok((ledger, cap))
}

/// Reads a span of days, both ends included.
fn span(
    live: &Live,
    (since, until): (Option<&str>, Option<&str>),
    (usual, longest): (i64, i64),
) -> Result<Span, Refusal> {
    let date = |field: &str, text: &str| {
        let wrong = || Refusal::invalid(field, "expected a day like 2026-11-25");
        let is_day = text.len() == 10;
        text.parse::<jiff::civil::Date>().ok().filter(|_| is_day).ok_or_else(wrong)
    };
    let today = live.day();
    let last = date("until", until.unwrap_or(&today))?;
    let first = match since {
        Some(text) => date("since", text)?,
        None => last.saturating_sub(jiff::Span::new().days(usual - 1)),
    };
    let days = i64::from(last.since(first).map_or(-1, |span| span.get_days())) + 1;
    if !(1..=longest).contains(&days) {
        let text = format!("the span is {days} days long, expected 1 to {longest}");
        return Err(Refusal::invalid("since", text));
    }
    Ok(Span { since: first.to_string(), until: last.to_string() })
}

/// `cost.rollup`
///
/// # Errors
///
/// `invalid_params` for no or too many words in `by`, and for spans that are too long.
pub(super) fn rollup(db: Reader<'_>, live: &Live, params: &Rollup) -> Result<RolledUp, Fail> {
    let mut by = params.by.clone();
    by.sort_unstable();
    by.dedup();
    if by.is_empty() || by.len() > 3 || by.len() != params.by.len() {
        let text = "expected one to three of agent, task, run, model, project, day, each once";
        return Err(Refusal::invalid("by", text).into());
    }
    lists::known(db, params.agent.as_ref(), params.task)?;
    let lengths = if by.contains(&By::Run) { (7, LONGEST_BY_RUN) } else { (30, LONGEST) };
    let span = span(live, (params.since.as_deref(), params.until.as_deref()), lengths)?;
    let limit = input::page(params.limit)?;
    let offset = input::cursor(params.cursor.as_deref())?.unwrap_or(0).max(0);
    let only = (params.agent.as_deref(), params.task);
    let mut rows = if params.by == [By::Task] {
        with_children(db, queries::costs(db, &by, (&span, only), (TREE_ROWS, 0))?)?
    } else {
        queries::costs(db, &by, (&span, only), (limit + 1, offset))?
    };
    let from = if params.by == [By::Task] { usize::try_from(offset).unwrap_or(0) } else { 0 };
    let page = usize::try_from(limit).unwrap_or(0);
    let has_more = rows.len() > from + page;
    rows = rows.into_iter().skip(from).take(page).collect();
    let (total, attributed) = queries::total_costs(db, &span, only)?;
    Ok(RolledUp {
        since: span.since,
        until: span.until,
        rows,
        attributed: share(attributed, total.counted_uusd),
        total,
        next_cursor: has_more.then(|| (offset + limit).to_string()),
        head: queries::head(db)?.seq,
    })
}

/// Returns a part in hundredths of a percent.
fn share(part: MicroUsd, whole: MicroUsd) -> Option<i64> {
    (whole.0 > 0).then(|| {
        let share = i128::from(part.0) * 10_000 / i128::from(whole.0);
        i64::try_from(share).unwrap_or(10_000)
    })
}

/// Adds to each task what the tasks below it cost; a parent that spent nothing itself gets a row.
fn with_children(db: Reader<'_>, rows: Vec<RollupRow>) -> Result<Vec<RollupRow>, Fail> {
    let mut all: BTreeMap<Option<TaskId>, RollupRow> = BTreeMap::new();
    for row in rows {
        let own = row.sums.counted_uusd;
        let unpriced = row.sums.states.get("unpriced").map(|sum| sum.uusd).unwrap_or_default();
        let above = row.task.map_or(Ok(Vec::new()), |task| queries::tasks_above(db, task))?;
        let of = row.task;
        all.entry(of).or_default().sums = row.sums;
        for task in above.into_iter().map(Some).chain([of]) {
            let one = all.entry(task).or_default();
            one.task = task;
            one.with_children_uusd = task.map(|_| one.with_children_uusd.unwrap_or_default() + own);
            one.unpriced_with_children_uusd = one.unpriced_with_children_uusd + unpriced;
        }
    }
    let mut rows: Vec<RollupRow> = all.into_values().collect();
    rows.sort_by_key(|row| {
        std::cmp::Reverse(row.with_children_uusd.unwrap_or(row.sums.counted_uusd))
    });
    Ok(rows)
}

/// `cost.forecast`
///
/// # Errors
///
/// `not_found` for an unknown agent.
pub(super) fn forecast(db: Reader<'_>, live: &Live, params: &Forecast) -> Result<Forecasted, Fail> {
    let day = live.day();
    let policy = live.policy();
    let set = queries::all_caps(db)?;
    let list = Caplist { db, policy: &policy, set: &set };
    let agent = params.agent.as_ref().map(|name| queries::agent(db, name)).transpose()?;
    let key = match &agent {
        Some(agent) => {
            ScopeKey { scope: Scope::AgentDay, of: budget::agent_day(&agent.name, &day) }
        }
        None => ScopeKey { scope: Scope::SquadDay, of: day.clone() },
    };
    let any = agent.clone().or(queries::agents(db, false)?.into_iter().next());
    let now = row(&list, any.as_ref(), key)?;
    let today: jiff::civil::Date = day.parse().unwrap_or_default();
    let back = |days: i64| today.saturating_sub(jiff::Span::new().days(days)).to_string();
    let span = Span { since: back(14), until: back(1) };
    let known = queries::day_costs(db, &span)?;
    let mut days = Vec::new();
    for day in (1..=14).rev().map(back) {
        let uusd = match &agent {
            // As it counts for the cap: with what its sub-agents spent.
            Some(agent) => {
                let of = budget::agent_day(&agent.name, &day);
                queries::ledger(db, &ScopeKey { scope: Scope::AgentDay, of })?.spent.uusd
            }
            None => known.get(&day).copied().unwrap_or_default(),
        };
        days.push(DaySpend { day, uusd });
    }
    let week = |days: &[DaySpend]| days.iter().map(|day| day.uusd).sum::<MicroUsd>();
    let (before, last) = days.split_at(7);
    let (before, last) = (week(before), week(last));
    let mean = MicroUsd(last.0 / 7);
    let elapsed = live.elapsed_of_day();
    Ok(Forecasted {
        day,
        spent_uusd: now.spent_uusd,
        unpriced_uusd: now.unpriced_uusd,
        elapsed,
        forecast_uusd: at_end_of_day(now.spent_uusd, elapsed, (last.0 > 0).then_some(mean)),
        cap_uusd: now.cap_uusd,
        days,
        mean_uusd: mean,
        trend_percent: (before.0 > 0).then(|| (last.0 - before.0) * 100 / before.0),
    })
}

/// Returns what a day will have cost: see `Forecasted::forecast_uusd`. `elapsed` is in hundredths
/// of a percent.
fn at_end_of_day(spent: MicroUsd, elapsed: i64, mean: Option<MicroUsd>) -> Option<MicroUsd> {
    let whole = 10_000_i128;
    let over = i128::from(elapsed.clamp(0, 10_000));
    let rate = (over > 0).then(|| i128::from(spent.0) * whole / over);
    let mean = mean.map(|mean| i128::from(mean.0));
    let day = match (rate, mean) {
        (Some(rate), Some(mean)) => (rate * over + mean * (whole - over)) / whole,
        (Some(rate), None) if spent.0 > 0 => rate,
        (_, mean) => mean?,
    };
    let rest = day * (whole - over) / whole;
    Some(MicroUsd(i64::try_from(i128::from(spent.0) + rest).unwrap_or(i64::MAX)))
}

/// `cost.prices`
pub(super) fn prices(live: &Live, params: &Prices) -> PriceList {
    let table = live.prices();
    let own = i64::try_from(table.own_rows()).unwrap_or(i64::MAX);
    let rows = match &params.model {
        None => table.rows().cloned().collect(),
        Some(model) => table.find_for_anybody(model, &live.day()).cloned().into_iter().collect(),
    };
    PriceList { prices: rows, own, dearest: table.dearest() }
}

/// `cost.recompute`
///
/// # Errors
///
/// `invalid_params` for a span that is none.
pub fn recompute(desk: &mut Desk<'_>, params: &Recompute) -> Result<Recomputed, Fail> {
    let reason = input::reason(&params.reason)?;
    let ends = (Some(params.since.as_str()), params.until.as_deref());
    let span = span(desk.live, ends, (1, LONGEST))?;
    let after = input::cursor(params.cursor.as_deref())?.unwrap_or(0);
    let found = queries::uncertain_usages(desk.db, &span, after, RECOMPUTED)?;
    let is_full = i64::try_from(found.len()).is_ok_and(|rows| rows >= RECOMPUTED);
    let mut done = Recomputed {
        looked_at: i64::try_from(found.len()).unwrap_or(i64::MAX),
        changed: 0,
        from_uusd: MicroUsd::ZERO,
        to_uusd: MicroUsd::ZERO,
        states: BTreeMap::new(),
        next_cursor: found.last().filter(|_| is_full).map(|one| one.usage.to_string()),
    };
    for mut correction in found {
        correction.to = anew(desk, &correction)?;
        if correction.to == correction.from {
            continue;
        }
        done.changed += 1;
        done.from_uusd = done.from_uusd + correction.from.cost_uusd;
        done.to_uusd = done.to_uusd + correction.to.cost_uusd;
        *done.states.entry(correction.to.state.as_str().to_owned()).or_insert(0) += 1;
        if !params.dry_run {
            let event = Event::CostCorrected { correction: Box::new(correction) };
            desk.emit_because(&reason, event)?;
        }
    }
    Ok(done)
}

/// Returns what a usage costs by the prices in force, of its own day.
fn anew(desk: &Desk<'_>, known: &Correction) -> Result<Cost, Fail> {
    let Payer { agent, day, .. } = &known.payer;
    let agent = queries::agent(desk.db, agent)?;
    let ask = Ask { model: &known.model, agent: &agent.name, runtime: agent.runtime, day };
    Ok(desk.live.prices().cost(&ask, known.tokens, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forecast_goes_from_what_is_usual_to_what_is_spent() {
        let at = |spent, elapsed, mean: Option<i64>| {
            at_end_of_day(MicroUsd(spent), elapsed, mean.map(MicroUsd)).map(|sum| sum.0)
        };
        assert_eq!(at(0, 0, Some(800)), Some(800), "in the morning what is usual");
        assert_eq!(at(500, 10_000, Some(800)), Some(500), "at the end what was spent");
        assert_eq!(at(400, 5_000, Some(800)), Some(800), "as usual so far");
        assert_eq!(at(800, 5_000, Some(800)), Some(800 + 600), "half of the day at twice the rate");
        assert_eq!(at(400, 5_000, None), Some(800), "without a past, as today");
        assert_eq!(at(0, 5_000, None), None, "nothing is known");
    }
}
