//! `mcctl agent evidence`: one file that holds all that is needed to judge an agent.

use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use mc_core::{
    agent::AgentName,
    clean,
    evidence::{Evidence, Spent},
    run::{Run, ToolCall},
    time::Timestamp,
};
use mc_proto::method::{
    admin::JournalRow,
    agent::{Bundle, EvidenceGet},
};

use super::tone;
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output,
    table::{Cell, Sheet, Table, Tone, cell, maybe, rest},
    text,
    words::{money, word},
};

/// Whose evidence, and where it goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The agent's name.
    agent: AgentName,
    /// Also write all of it to this file, as JSON (mode 0600); it must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How many of its last events, at most 200.
    #[arg(long, value_name = "N", default_value_t = 50)]
    events: i64,
}

/// Shows the evidence, and writes it to a file where one is named.
///
/// # Errors
///
/// What the daemon refuses, or that the file can't be written.
pub(super) fn run(args: &Args, cx: &mut Context) -> Result<Exit, Failure> {
    let ask = EvidenceGet { agent: args.agent.clone(), limit: Some(args.events) };
    let bundle = cx.call(&ask)?;
    let now = cx.now()?;
    if let Some(file) = &args.out {
        let text = serde_json::to_string_pretty(&bundle)
            .map_err(|error| Failure::Failed(format!("can't write it as JSON: {error}")))?;
        // What agents said and did is not for every user of this machine.
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)
            .and_then(|mut out| {
                out.write_all(clean::json(&text).as_bytes())?;
                out.write_all(b"\n")?;
                out.sync_all()
            })
            .map_err(|error| Failure::file("write", file, &error))?;
        output::note(&format!("all of it is in {}", text::line(&file.display().to_string())));
    }
    cx.print(&bundle, |bundle| view(bundle, now))?;
    Ok(Exit::Done)
}

fn view(bundle: &Bundle, now: Timestamp) -> String {
    let evidence = &bundle.evidence;
    let mut out = head(bundle, now).to_string();
    let mut part = |title: &str, text: String| {
        if !text.is_empty() {
            put!(out, "\n{}\n{text}", Tone::Strong.paint(title));
        }
    };
    let summary = evidence.summary.as_ref();
    part("SUMMARY", summary.map(|one| format!("{}\n", text::block(&one.text))).unwrap_or_default());
    part("ALERTS", alerts(evidence));
    part("TASKS", tasks(evidence));
    part("BUDGETS", budgets(&evidence.budgets));
    part("LAST RUNS", runs(&evidence.runs));
    part("LAST CALLS", calls(&evidence.calls));
    part("LAST EVENTS", events(&bundle.events));
    out
}

fn head(bundle: &Bundle, now: Timestamp) -> Sheet {
    let Bundle { now: agent, evidence, .. } = bundle;
    let mut sheet = Sheet::default();
    sheet.line("agent", &agent.name);
    sheet.toned("now", word(agent.status), tone(agent.status));
    if let Some(kept) = &bundle.kept {
        let when = format!("{}, {} ago", text::when(kept.at), text::age(now, kept.at));
        sheet.line("quarantined", when).line("by", format!("{} ({})", kept.by, kept.cause));
        sheet.maybe("because", kept.reason.as_ref());
        sheet.line("kept as", format!("e{} {}", kept.seq, kept.hash));
        let check = format!("mcctl audit verify --remembered {}:{}", kept.seq, kept.hash);
        sheet.line("check with", check);
    } else {
        let text = "nothing was kept: it was never quarantined, or by an older version";
        sheet.toned("quarantined", text, Tone::Warn);
    }
    sheet.line("as of", format!("e{} {}", evidence.head, evidence.head_hash));
    sheet.maybe(
        "policy",
        evidence.policy.as_ref().map(|one| format!("version {} {}", one.version, one.sha256)),
    );
    sheet.line("errors in a row", evidence.agent.error_streak);
    sheet.list("open approvals", &evidence.approvals);
    let leases = evidence.leases.iter().map(|lease| match lease.expires_at {
        Some(at) => format!("{} (to start by {})", lease.call, text::when(at)),
        None => lease.call.to_string(),
    });
    sheet.list("calls at work", &leases.collect::<Vec<_>>());
    sheet
}

fn alerts(evidence: &Evidence) -> String {
    let mut table = Table::new(&["ALERT", "SEVERITY", "KIND", "TASK", "WHAT"]);
    for alert in &evidence.alerts {
        table.row([
            Cell::new(alert.id, Tone::Strong),
            cell(word(alert.severity)),
            cell(word(alert.kind)),
            maybe(alert.task),
            rest(&alert.text),
        ]);
    }
    filled(&table, &evidence.alerts)
}

fn tasks(evidence: &Evidence) -> String {
    let mut table = Table::new(&["TASK", "STATE", "HELD BY", "FENCE", "TITLE"]);
    for task in &evidence.tasks {
        table.row([
            Cell::new(task.task, Tone::Strong),
            cell(task.state),
            maybe(task.holder.as_ref()),
            cell(task.fence),
            rest(&task.title),
        ]);
    }
    filled(&table, &evidence.tasks)
}

fn budgets(budgets: &[Spent]) -> String {
    let mut table = Table::new(&["BUDGET", "SPENT", "PROMISED", "CAP"]);
    for one in budgets {
        table.row([
            cell(&one.key),
            cell(money(one.ledger.spent.uusd.minus(one.ledger.unpriced_uusd), one.ledger.state)),
            cell(one.ledger.reserved.uusd),
            maybe(one.caps.uusd),
        ]);
    }
    filled(&table, budgets)
}

fn runs(runs: &[Run]) -> String {
    let mut table = Table::new(&["RUN", "TASK", "STATUS", "BEGAN", "COST", "ERROR"]);
    for run in runs {
        table.row([
            Cell::new(run.id, Tone::Strong),
            maybe(run.task),
            cell(word(run.status)),
            cell(text::when(run.started_at)),
            cell(money(run.cost_uusd, Some(run.cost_state))),
            rest(run.error.as_deref().unwrap_or_default()),
        ]);
    }
    filled(&table, runs)
}

fn calls(calls: &[ToolCall]) -> String {
    let mut table =
        Table::new(&["CALL", "TASK", "TOOL", "DECISION", "RULE", "STATUS", "OUTCOME", "ARGUMENTS"]);
    for call in calls {
        let outcome = call.outcome_sha256.as_deref().or(call.result_sha256.as_deref());
        table.row([
            Cell::new(call.id, Tone::Strong),
            maybe(call.task),
            cell(&call.tool),
            cell(word(call.decision)),
            cell(&call.rule),
            cell(word(call.status)),
            maybe(outcome.and_then(|hash| hash.get(..12))),
            rest(&call.preview),
        ]);
    }
    filled(&table, calls)
}

fn events(rows: &[JournalRow]) -> String {
    let mut table = Table::new(&["EVENT", "HASH", "WHEN", "WHAT"]);
    for row in rows {
        table.row([
            Cell::new(format!("e{}", row.recorded.seq), Tone::Strong),
            maybe(row.hash.get(..12)),
            cell(text::when(row.recorded.at)),
            rest(mc_core::describe::line(&row.recorded)),
        ]);
    }
    filled(&table, rows)
}

/// Returns a table that has rows, and nothing for one that has none.
fn filled<T>(table: &Table, rows: &[T]) -> String {
    if rows.is_empty() { String::new() } else { table.to_string() }
}
