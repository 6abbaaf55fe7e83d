//! `mcctl budget`: caps, what is spent and reserved of them, and changes.

use clap::{Args, Subcommand};
use mc_core::{
    agent::AgentName,
    budget::{Reservation, Scope},
    id::{ReservationId, RunId, TaskId},
    money::{MicroUsd, counted},
    time::Timestamp,
};
use mc_proto::method::squad::{Budget, BudgetGet, BudgetRelease, BudgetSet, Budgets};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output,
    table::{Cell, Table, Tone, cell, maybe},
    text,
    words::{dollars, money, one_of, word},
};

/// Caps: looked at, set, and reservations corrected.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Command {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Only of this agent.
    #[arg(long, value_name = "AGENT")]
    agent: Option<AgentName>,
    /// Only of this task.
    #[arg(long, value_name = "T-n")]
    task: Option<TaskId>,
    /// All that this run spends from.
    #[arg(long, value_name = "R-n")]
    run: Option<RunId>,
}

/// What can be done with budgets beside looking.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Set a cap: of each run or the days of an agent, of a task, of the squad's days or months.
    Set(Set),
    /// Correct a reservation that was never settled.
    Release {
        /// Which.
        #[arg(value_name = "B-n")]
        reservation: ReservationId,
        /// What was really spent of it [default: nothing].
        #[arg(long, value_name = "DOLLARS", value_parser = dollars)]
        spent: Option<MicroUsd>,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Args)]
struct Set {
    /// What is capped.
    #[arg(value_parser = one_of::<Scope>(&["run", "task", "agent_day", "squad_day", "squad_month"]))]
    scope: Scope,
    /// The agent or the task; nothing for the squad.
    #[arg(value_name = "AGENT|T-n")]
    of: Option<String>,
    /// The cap in dollars; what overrides had raised it by is void.
    #[arg(long, value_name = "DOLLARS", value_parser = dollars)]
    cap: Option<MicroUsd>,
    /// The cap in tokens.
    #[arg(long, value_name = "N")]
    tokens: Option<i64>,
    /// Let the policy's caps count again; of `run T-n`, take back what an override raised.
    #[arg(long, conflicts_with_all = ["cap", "tokens"])]
    clear: bool,
    /// Why.
    #[arg(long)]
    reason: String,
}

/// Carries a command out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(command: Command, cx: &mut Context) -> Result<Exit, Failure> {
    let Command { verb, agent, task, run } = command;
    match verb {
        None => cx.show(&BudgetGet { agent, task, run }, caps),
        Some(Verb::Set(set)) => {
            let Set { scope, of, cap, tokens, clear, reason } = set;
            let set = BudgetSet { scope, of, cap_uusd: cap, cap_tokens: tokens, clear, reason };
            let set_caps = cx.call(&set)?;
            let now = cx.now()?;
            if cx.is_json() {
                return cx.print(&set_caps, |all| caps(all, now)).map(|()| Exit::Done);
            }
            // What was set is shown, also where it is not among the squad's.
            let all = if set.scope == Scope::Task {
                let task = set.of.as_deref().and_then(|of| of.parse().ok());
                cx.call(&BudgetGet { task, ..BudgetGet::default() })?
            } else {
                set_caps
            };
            cx.print(&all, |all| caps(all, now))?;
            if let Some(text) = over(&all, &set) {
                output::note(&text);
            }
            Ok(Exit::Done)
        }
        Some(Verb::Release { reservation, spent, reason }) => {
            let release = BudgetRelease { reservation, spent_uusd: spent, reason };
            cx.show(&release, |row, _| format!("{} no longer counts\n", row.id))
        }
    }
}

/// Says that what was set is spent already.
fn over(budgets: &Budgets, set: &BudgetSet) -> Option<String> {
    if set.cap_uusd == Some(MicroUsd::ZERO) || set.cap_tokens == Some(0) {
        return Some("a cap of 0 lets nothing be spent: `--clear` takes it away again".to_owned());
    }
    let of = set.of.as_deref();
    let is_set = |row: &&Budget| row.scope == set.scope && of.is_none_or(|of| row.of == of);
    let row = budgets.budgets.iter().find(is_set).filter(|row| row.percent >= 100)?;
    let spent = counted(row.spent_uusd, row.unpriced_uusd);
    Some(format!(
        "{} of {} has spent {spent} already: nothing more may be spent, and runs under way end with \
         their next cost",
        word(row.scope),
        text::line(&row.of)
    ))
}

fn caps(budgets: &Budgets, now: Timestamp) -> String {
    let mut table =
        Table::new(&["SCOPE", "OF", "SPENT", "BY SUB-AGENTS", "RESERVED", "CAP", "USED", "TOKENS"]);
    for budget in &budgets.budgets {
        let Budget { percent, spent_tokens, cap_tokens, .. } = budget;
        let has_cap = budget.cap_uusd.is_some() || cap_tokens.is_some();
        let tone = match percent {
            95.. => Tone::Bad,
            80.. => Tone::Warn,
            _ => Tone::Plain,
        };
        let priced = budget.spent_uusd.minus(budget.unpriced_uusd);
        let tokens = cap_tokens.map(|cap| format!("{spent_tokens} of {cap}"));
        table.row([
            cell(word(budget.scope)),
            Cell::new(&budget.of, Tone::Strong),
            Cell::new(money(priced, budget.state), tone),
            maybe(Some(budget.sub_agents_uusd).filter(|amount| amount.0 > 0)),
            maybe(Some(budget.reserved_uusd).filter(|amount| amount.0 > 0)),
            maybe(budget.cap_uusd),
            maybe(has_cap.then(|| format!("{percent}%"))),
            cell(tokens.unwrap_or_else(|| spent_tokens.to_string())),
        ]);
    }
    let is_shared = |one: &&Budget| one.sub_agents_uusd > MicroUsd::ZERO;
    let below = budgets.budgets.iter().filter(is_shared).map(|one| {
        let (whose, part) = (text::line(&one.of), one.sub_agents_uusd);
        format!("of {whose}'s day its sub-agents spent {part}; it pays for them too\n")
    });
    let below: String = below.collect();
    let foot = format!(
        "{below}daily caps count {}; what has no price (?) counts at the dearest known rate\n",
        text::line(&budgets.day)
    );
    format!("{table}{}{}", promises(&budgets.reservations, now), Tone::Dim.paint(&foot))
}

fn promises(open: &[Reservation], now: Timestamp) -> String {
    if open.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new(&["RESERVED", "FOR", "RUN", "TASK", "AMOUNT", "OPEN", "SINCE", "ALERT"]);
    for one in open {
        table.row([
            Cell::new(one.id, Tone::Strong),
            cell(&one.payer.agent),
            maybe(one.payer.run),
            maybe(one.payer.task),
            cell(one.amount.uusd),
            cell(one.open.uusd),
            cell(text::age(now, one.at)),
            maybe(one.alert),
        ]);
    }
    format!("\n{table}")
}
