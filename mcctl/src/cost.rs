//! `mcctl cost`: what work has cost, what the day will cost, and at which prices.

use clap::{Args, Subcommand};
use mc_core::{
    agent::AgentName,
    budget::Reservation,
    id::TaskId,
    money::{CostState, MicroUsd, at_most, counted},
    price::{Price, Rate},
};
use mc_proto::method::{
    cost::{
        By, Forecast, Forecasted, PriceList, Prices, Recompute, Recomputed, RolledUp, Rollup,
        RollupRow, Sums,
    },
    squad::BudgetGet,
};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output,
    table::{Cell, Sheet, Table, Tone, cell, maybe},
    text,
    words::{money, one_of, word},
};

/// What work has cost.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Command {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, Args)]
struct Of {
    /// What to sum up by, one to three of them [default: agent].
    #[arg(long, value_delimiter = ',', value_name = "WORDS",
          value_parser = one_of::<By>(&["agent", "task", "run", "model", "project", "day"]))]
    by: Vec<By>,
    /// The first day, such as 2026-11-01 [default: 30 days before the last].
    #[arg(long, value_name = "DAY")]
    since: Option<String>,
    /// The last day [default: today].
    #[arg(long, value_name = "DAY")]
    until: Option<String>,
    /// Only of this agent.
    #[arg(long, value_name = "AGENT")]
    agent: Option<AgentName>,
    /// Only of this task.
    #[arg(long, value_name = "T-n")]
    task: Option<TaskId>,
    /// How many rows, at most 200.
    #[arg(long, value_name = "N")]
    limit: Option<i64>,
    /// Where the page begins.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

/// What can be asked beside sums.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Say what the day will have cost at its end, and how spending goes.
    Forecast {
        /// Only of this agent.
        #[arg(long, value_name = "AGENT")]
        agent: Option<AgentName>,
    },
    /// Show the price table, each row with source and date.
    Prices {
        /// Only the row that prices this model.
        #[arg(value_name = "MODEL")]
        model: Option<String>,
    },
    /// Compute derived and unpriced costs anew with the prices in force.
    Recompute {
        /// The first day, such as 2026-11-01.
        #[arg(long, value_name = "DAY")]
        since: String,
        /// The last day [default: today].
        #[arg(long, value_name = "DAY")]
        until: Option<String>,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// Carries a command out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(command: Command, cx: &mut Context) -> Result<Exit, Failure> {
    match command.verb {
        None => rollup(command.of, cx),
        Some(Verb::Forecast { agent }) => cx.show(&Forecast { agent }, |found, _| forecast(found)),
        Some(Verb::Prices { model }) => cx.show(&Prices { model }, |list, _| prices(list)),
        Some(Verb::Recompute { since, until, dry_run, reason }) => {
            recompute(Recompute { since, until, dry_run, reason, cursor: None }, cx)
        }
    }
}

fn rollup(of: Of, cx: &mut Context) -> Result<Exit, Failure> {
    let Of { mut by, since, until, agent, task, limit, cursor } = of;
    if by.is_empty() {
        by.push(By::Agent);
    }
    let call = Rollup { by: by.clone(), since, until, agent, task, limit, cursor };
    let found = cx.call(&call)?;
    let open = if cx.is_json() { None } else { Some(cx.call(&BudgetGet::default())?) };
    cx.print(&found, |found| {
        let open = open.map_or(String::new(), |all| promised(&all.reservations));
        format!("{}{open}", table(found, &by))
    })?;
    if let (false, Some(cursor)) = (cx.is_json(), &found.next_cursor) {
        output::note(&format!("go on with --cursor {}", text::line(cursor)));
    }
    Ok(Exit::Done)
}

fn amount(sums: &Sums) -> String {
    money(sums.cost_uusd, sums.state())
}

fn states(sums: &Sums) -> String {
    let all = sums.states.iter().map(|(state, sum)| match state.as_str() {
        "unpriced" => format!("{} calls unpriced, count as {}", sum.calls, sum.uusd),
        "free" | "subscription" => format!("{} tokens {state}", sum.tokens),
        _ => format!("{} {state}", sum.uusd),
    });
    all.collect::<Vec<_>>().join(", ")
}

fn table(found: &RolledUp, by: &[By]) -> String {
    let has = |one| by.contains(&one);
    let shows_tree = by == [By::Task];
    let mut table = Table::new(if shows_tree {
        &["OF", "COST", "WITH PARTS", "TOKENS", "CALLS", "HOW"]
    } else {
        &["OF", "COST", "TOKENS", "CALLS", "HOW"]
    });
    for row in &found.rows {
        let mut cells = vec![
            Cell::new(name(row, has), Tone::Strong),
            cell(amount(&row.sums)),
            cell(row.sums.tokens),
            cell(row.sums.calls),
            cell(states(&row.sums)),
        ];
        if shows_tree {
            let unpriced = row.unpriced_with_children_uusd;
            let all = row.with_children_uusd;
            let has_unpriced = (unpriced.0 > 0).then_some(CostState::Unpriced);
            let known = has_unpriced.or(row.sums.state());
            cells.insert(2, maybe(all.map(|all| money(all.minus(unpriced), known))));
        }
        table.row(cells);
    }
    let share = found.attributed.map_or_else(
        || "nothing was spent".to_owned(),
        |share| format!("{}.{:02} % attributed to a task", share / 100, share % 100),
    );
    let total = match found.total.states.get("unpriced") {
        Some(sum) => at_most(found.total.cost_uusd, sum.uusd),
        None => amount(&found.total),
    };
    let span = format!("{} to {}", text::line(&found.since), text::line(&found.until));
    format!("{table}{}\n", Tone::Dim.paint(&format!("{span}: {total} in all, {share}")))
}

/// Says what of the squad's money is promised and not settled now, whatever was asked for.
fn promised(open: &[Reservation]) -> String {
    if open.is_empty() {
        return String::new();
    }
    let sum: MicroUsd = open.iter().map(|one| one.open.uusd).sum();
    let left = open.iter().filter(|one| one.alert.is_some()).count();
    let left = match left {
        0 => String::new(),
        count => format!(", {count} of them left behind"),
    };
    let line =
        format!("now reserved and not settled: {sum} in {}{left}; see mcctl budget", open.len());
    format!("{}\n", Tone::Dim.paint(&line))
}

fn name(row: &RollupRow, has: impl Fn(By) -> bool) -> String {
    let none = |what: &str| format!("no {what}");
    let mut parts = Vec::new();
    if has(By::Day) {
        parts.extend(row.day.clone());
    }
    if has(By::Agent) {
        parts.extend(row.agent.as_ref().map(ToString::to_string));
    }
    if has(By::Task) {
        parts.push(row.task.map_or_else(|| none("task"), |task| task.to_string()));
    }
    if has(By::Run) {
        parts.push(row.run.map_or_else(|| none("run"), |run| run.to_string()));
    }
    if has(By::Project) {
        parts.push(row.project.clone().unwrap_or_else(|| none("project")));
    }
    if has(By::Model) {
        let said = || "(said by a person)".to_owned();
        parts.push(row.model.clone().unwrap_or_else(said));
    }
    parts.join("  ")
}

fn forecast(found: &Forecasted) -> String {
    let mut sheet = Sheet::default();
    let cap = found.cap_uusd.map(|cap| format!(" of {cap}")).unwrap_or_default();
    sheet.line(
        "today",
        format!(
            "{}{cap}, {} % of the day is over",
            counted(found.spent_uusd, found.unpriced_uusd),
            found.elapsed / 100
        ),
    );
    let end = found.forecast_uusd;
    let is_over = end.zip(found.cap_uusd).is_some_and(|(end, cap)| end > cap);
    let end =
        end.map_or_else(|| "unknown: nothing was spent yet".to_owned(), |end| end.to_string());
    sheet.toned("at the end", end, if is_over { Tone::Warn } else { Tone::Plain });
    sheet.line("a day", format!("{} in the mean of 7 days", found.mean_uusd));
    sheet
        .maybe("trend", found.trend_percent.map(|trend| format!("{trend:+} % to the week before")));
    let spent = found.days.iter().filter(|day| day.uusd > MicroUsd::ZERO);
    let days: Vec<String> = spent.map(|day| format!("{} {}", day.day, day.uusd)).collect();
    sheet.list("days", &days);
    sheet.to_string()
}

fn prices(list: &PriceList) -> String {
    let mut table = Table::new(&[
        "PROVIDER", "MODELS", "SINCE", "IN", "OUT", "READ", "WRITE", "CHECKED", "SOURCE",
    ]);
    for price in &list.prices {
        table.row(price_row(price));
    }
    let dearest = list.dearest;
    let foot = format!(
        "dollars per million tokens; the first {} rows are your own; unknown models count at {} in, {} out",
        list.own,
        MicroUsd(dearest.input),
        MicroUsd(dearest.output)
    );
    format!("{table}{}\n", Tone::Dim.paint(&foot))
}

fn price_row(price: &Price) -> Vec<Cell> {
    let rate = |of: fn(Rate) -> Option<i64>| match price.rate {
        Some(rate) => maybe(of(rate).map(MicroUsd)),
        None => cell(word(price.billing)),
    };
    let tiers = price.tiers.iter();
    let tiers = tiers.map(|tier| format!("(above {}: {})", tier.above, MicroUsd(tier.rate.input)));
    let models: Vec<String> = price.models.iter().cloned().chain(tiers).collect();
    vec![
        cell(&price.provider),
        Cell::new(models.join(" "), Tone::Strong),
        maybe(price.since.as_ref()),
        rate(|rate| Some(rate.input)),
        rate(|rate| Some(rate.output)),
        rate(|rate| rate.cache_read),
        rate(|rate| rate.cache_write),
        cell(&price.checked),
        cell(&price.source),
    ]
}

/// Goes through the whole span, page by page.
fn recompute(mut call: Recompute, cx: &mut Context) -> Result<Exit, Failure> {
    let mut all = cx.call(&call)?;
    while let Some(cursor) = all.next_cursor.take() {
        call.cursor = Some(cursor);
        let next = cx.call(&call)?;
        all.looked_at += next.looked_at;
        all.changed += next.changed;
        all.from_uusd = all.from_uusd + next.from_uusd;
        all.to_uusd = all.to_uusd + next.to_uusd;
        for (state, calls) in next.states {
            *all.states.entry(state).or_insert(0) += calls;
        }
        all.next_cursor = next.next_cursor;
    }
    cx.print(&all, |all| recomputed(all, call.dry_run))?;
    Ok(Exit::Done)
}

fn recomputed(all: &Recomputed, dry_run: bool) -> String {
    let would = if dry_run { "would change" } else { "changed" };
    let states: Vec<String> =
        all.states.iter().map(|(state, calls)| format!("{calls} {}", text::line(state))).collect();
    let mut sheet = Sheet::default();
    sheet.line("looked at", all.looked_at);
    sheet.line(would, all.changed);
    sheet.line("cost", format!("{} is {}", all.from_uusd, all.to_uusd));
    sheet.list("now", &states);
    sheet.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_is_said_with_what_is_left_behind() {
        let one = |id: i64, uusd: i64, alert: Option<&str>| -> Reservation {
            let mut row = serde_json::json!({
                "id": format!("B-{id}"), "agent": "wren", "day": "2026-11-25", "status": "open",
                "amount": {"uusd": uusd}, "open": {"uusd": uusd}, "at": "2026-11-25T10:00:00.000Z",
            });
            row["alert"] = alert.into();
            serde_json::from_value(row).unwrap()
        };
        assert_eq!(promised(&[]), "");
        let both = [one(1, 400_000, None), one(2, 500_000, Some("W-4"))];
        let text = promised(&both);
        let words =
            "now reserved and not settled: $0.90 in 2, 1 of them left behind; see mcctl budget";
        assert!(text.contains(words), "{text}");
    }
}
