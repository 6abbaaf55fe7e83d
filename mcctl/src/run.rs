//! `mcctl run` and `mcctl tool`: what models did and what it cost.

use clap::{Args, Subcommand};
use mc_core::{
    agent::AgentName,
    id::{RunId, TaskId},
    policy::Outcome,
    run::{CallStatus, Run, RunStatus, ToolCall},
    time::Timestamp,
};
use mc_proto::method::run::{Detail, Get, List, ToolList};

use crate::{
    approval,
    context::Context,
    failure::{Exit, Failure},
    paging::{self, Paging},
    table::{Cell, Sheet, Table, Tone, cell, maybe, rest},
    text,
    words::{money, word},
};

/// What can be asked about runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List runs, newest first.
    List(Which),
    /// Show a run with its tool calls.
    Show {
        /// The run, such as R-40.
        #[arg(value_name = "R-n")]
        run: RunId,
    },
}

/// What can be asked about tool calls.
#[derive(Debug, Subcommand)]
pub(crate) enum ToolVerb {
    /// List tool calls, newest first.
    List {
        #[command(flatten)]
        which: Which,
        /// Only of this run.
        #[arg(long, value_name = "R-n")]
        run: Option<RunId>,
    },
}

/// Whose, on what.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Only of this agent.
    #[arg(long, value_name = "AGENT")]
    agent: Option<AgentName>,
    /// Only on this task.
    #[arg(long, value_name = "T-n")]
    task: Option<TaskId>,
    #[command(flatten)]
    paging: Paging,
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::List(which) => {
            let ask = |limit, cursor| List {
                agent: which.agent.clone(),
                task: which.task,
                limit,
                cursor,
                ..List::default()
            };
            paging::list(cx, &which.paging, ask, runs)
        }
        Verb::Show { run } => cx.show(&Get { run }, detail),
    }
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn tools(verb: ToolVerb, cx: &mut Context) -> Result<Exit, Failure> {
    let ToolVerb::List { which, run } = verb;
    let ask = |limit, cursor| ToolList {
        agent: which.agent.clone(),
        task: which.task,
        run,
        limit,
        cursor,
    };
    paging::list(cx, &which.paging, ask, calls)
}

const fn tone(status: RunStatus) -> Tone {
    match status {
        RunStatus::Running => Tone::Strong,
        RunStatus::Succeeded => Tone::Good,
        RunStatus::Failed | RunStatus::TimedOut => Tone::Bad,
        RunStatus::Aborted => Tone::Warn,
    }
}

fn cost(run: &Run) -> String {
    money(run.cost_uusd, Some(run.cost_state))
}

fn lasted(run: &Run, now: Timestamp) -> String {
    text::span(run.ended_at.unwrap_or(now).since(run.started_at).as_secs())
}

fn runs(runs: &[Run], now: Timestamp) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new(&["RUN", "AGENT", "TASK", "STATUS", "BEGAN", "TOOK", "TOKENS", "COST", "MODEL"]);
    for run in runs {
        table.row([
            Cell::new(run.id, Tone::Strong),
            cell(&run.agent),
            maybe(run.task),
            Cell::new(word(run.status), tone(run.status)),
            cell(text::age(now, run.started_at)),
            cell(lasted(run, now)),
            cell(run.tokens.total()),
            cell(cost(run)),
            maybe(run.model.as_ref()),
        ]);
    }
    table.to_string()
}

fn detail(detail: &Detail, now: Timestamp) -> String {
    let run = &detail.run;
    let mut sheet = Sheet::default();
    sheet.line("run", format!("{} of {}", run.id, run.agent)).maybe("task", run.task);
    sheet.toned("status", word(run.status), tone(run.status)).maybe("error", run.error.as_ref());
    sheet.line("session", &run.session).maybe("model", run.model.as_ref());
    sheet.maybe("begun by", run.trigger.as_ref()).maybe("parent", run.parent_run);
    sheet.line("began", format!("{}, took {}", text::when(run.started_at), lasted(run, now)));
    let tokens = run.tokens;
    sheet.line(
        "tokens",
        format!(
            "{} in, {} out, {} cache read, {} cache written",
            tokens.input, tokens.output, tokens.cache_read, tokens.cache_write
        ),
    );
    sheet.line("cost", format!("{} ({})", cost(run), word(run.cost_state)));
    if detail.calls.is_empty() {
        return sheet.to_string();
    }
    format!("{sheet}\n{}", calls(&detail.calls, now))
}

/// What a call runs; what an operator put in the place of what was asked is said as such.
fn what(call: &ToolCall) -> String {
    match &call.original_preview {
        Some(asked) => {
            format!("{} (changed by an operator; {} asked {asked})", call.preview, call.agent)
        }
        None => call.preview.clone(),
    }
}

/// How a call stands, and the how many-th try of the same it is.
fn stands(call: &ToolCall) -> String {
    let status = word(call.status);
    if call.retries > 0 { format!("{status}, retry {}", call.retries) } else { status }
}

fn calls(calls: &[ToolCall], now: Timestamp) -> String {
    if calls.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        "CALL", "AGENT", "TASK", "AT", "TOOL", "RISK", "DECISION", "STATUS", "RULE", "WHAT",
    ]);
    for call in calls {
        let (decision, toned) = match call.decision {
            Outcome::Allow => ("allow", Tone::Good),
            Outcome::Ask => ("ask", Tone::Warn),
            Outcome::Deny => ("deny", Tone::Bad),
        };
        let failed = [CallStatus::Failed, CallStatus::Denied].contains(&call.status);
        table.row([
            Cell::new(call.id, Tone::Strong),
            cell(&call.agent),
            maybe(call.task),
            cell(text::age(now, call.at)),
            cell(&call.tool),
            Cell::new(word(call.risk), approval::tone(call.risk)),
            Cell::new(decision, toned),
            Cell::new(stands(call), if failed { Tone::Bad } else { Tone::Plain }),
            cell(&call.rule),
            rest(what(call)),
        ]);
    }
    table.to_string()
}
