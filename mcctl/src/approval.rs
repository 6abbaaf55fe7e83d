//! `mcctl approval`: questions to a human, and the evidence that they are decided on.

use clap::{Args, Subcommand};
use mc_core::{
    agent::AgentName,
    approval::{Approval, ApprovalKind, ApprovalStatus, Statement},
    clean::{Glyphs, mixed_scripts},
    id::TaskId,
    money::MicroUsd,
    policy::Risk,
    time::Timestamp,
};
use mc_proto::method::approval::{Ask, Cancel, Detail, Get, List, Receipt};

use crate::{
    cli::OfApproval,
    context::Context,
    decide, edit,
    failure::{Exit, Failure},
    paging::{self, Paging},
    table::{Cell, Sheet, Table, Tone, cell, maybe, rest},
    text,
    words::{dollars, one_of, word},
};

const STATUSES: &[&str] = &["pending", "approved", "denied", "expired", "canceled"];

/// What can be done with approvals.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List approvals, newest first; an agent sees its own.
    List(ListArgs),
    /// Show an approval with its evidence.
    Show(OfApproval),
    /// Say yes, after reading the evidence.
    Approve(decide::Approve),
    /// Say no, with a reason that the agent gets.
    Deny(decide::Deny),
    /// Change the arguments of a call that waits; the changed call is then decided on.
    Edit(edit::EditArgs),
    /// As an agent: ask a human. Ends with exit code 5: the answer is waited for.
    Request(Box<RequestArgs>),
    /// Withdraw a question.
    Cancel(CancelArgs),
}

/// Which approvals.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only with this status.
    #[arg(long, value_parser = one_of::<ApprovalStatus>(STATUSES))]
    status: Option<ApprovalStatus>,
    /// Only of this agent.
    #[arg(long, value_name = "AGENT")]
    agent: Option<AgentName>,
    /// Only on this task.
    #[arg(long, value_name = "T-n")]
    task: Option<TaskId>,
    #[command(flatten)]
    paging: Paging,
}

/// A question.
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// What is asked for; tool calls are asked for by the tool gate.
    #[arg(long, default_value = "escalation",
          value_parser = one_of::<ApprovalKind>(&["budget_override", "transition", "spawn", "escalation"]))]
    kind: ApprovalKind,
    /// The act in one line.
    #[arg(long)]
    summary: String,
    /// Why.
    #[arg(long)]
    justification: String,
    /// How it can be undone.
    #[arg(long)]
    rollback: Option<String>,
    /// The task that waits.
    #[arg(long, value_name = "T-n")]
    task: Option<TaskId>,
    /// The risk as you see it; it can only raise ours.
    #[arg(long, value_parser = one_of::<Risk>(&["green", "yellow", "red"]))]
    risk: Option<Risk>,
    /// Exactly what is asked for, as JSON.
    #[arg(long, value_name = "JSON", value_parser = json)]
    payload: Option<serde_json::Value>,
    /// What it will cost, in dollars.
    #[arg(long, value_name = "USD", value_parser = dollars, allow_negative_numbers = true)]
    cost: Option<MicroUsd>,
    /// When the question ends by itself, in seconds from now.
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<i64>,
    /// The session to wake when it is decided.
    #[arg(long)]
    session: Option<String>,
}

/// A question withdrawn.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    of: OfApproval,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
}

fn json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::List(args) => list(&args, cx),
        Verb::Show(OfApproval { approval }) => cx.show(&Get { approval }, evidence),
        Verb::Approve(args) => decide::approve(&args, cx),
        Verb::Deny(args) => decide::deny(args, cx),
        Verb::Edit(args) => edit::run(args, cx),
        Verb::Request(args) => request(*args, cx),
        Verb::Cancel(args) => cx
            .show(&Cancel { approval: args.of.approval, reason: args.reason }, |done, _| {
                receipt(done)
            }),
    }
}

fn list(args: &ListArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let ask = |limit, cursor| List {
        status: args.status,
        agent: args.agent.clone(),
        task: args.task,
        limit,
        cursor,
    };
    paging::list(cx, &args.paging, ask, rows)
}

fn request(args: RequestArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let ask = Ask {
        kind: args.kind,
        summary: args.summary,
        risk: args.risk,
        task: args.task,
        payload: args.payload.unwrap_or_default(),
        justification: args.justification,
        rollback: args.rollback,
        estimated_cost_uusd: args.cost,
        expires_in_s: args.expires_in,
        session: args.session,
    };
    let approval = cx.call(&ask)?;
    cx.print(&approval, |approval| {
        format!("{}  waits for a human until {}\n", approval.id, text::when(approval.expires_at))
    })?;
    Ok(if approval.status == ApprovalStatus::Pending { Exit::Waiting } else { Exit::Done })
}

/// Returns how much a risk should stand out.
pub(crate) const fn tone(risk: Risk) -> Tone {
    match risk {
        Risk::Green => Tone::Good,
        Risk::Yellow => Tone::Warn,
        Risk::Red => Tone::Bad,
    }
}

fn rows(approvals: &[Approval], now: Timestamp) -> String {
    if approvals.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["ID", "STATUS", "RISK", "AGENT", "TASK", "ASKED", "LEFT", "WHAT"]);
    for approval in approvals {
        let pending = approval.status == ApprovalStatus::Pending;
        let left = text::span(approval.expires_at.since(now).as_secs());
        table.row([
            Cell::new(approval.id, Tone::Strong),
            Cell::new(approval.status.as_str(), if pending { Tone::Warn } else { Tone::Plain }),
            Cell::new(word(approval.risk), tone(approval.risk)),
            cell(&approval.agent),
            maybe(approval.task),
            cell(text::age(now, approval.asked_at)),
            maybe(pending.then_some(left)),
            rest(&approval.summary),
        ]);
    }
    table.to_string()
}

/// Returns everything that a decision is made on. Nothing is cut; what would not be seen is made
/// visible; the agent's own words stand apart.
pub(crate) fn evidence(detail: &Detail, now: Timestamp) -> String {
    let approval = &detail.approval;
    let risk = word(approval.risk).to_uppercase();
    let mut out = format!(
        "{}  {}  {}\n",
        Tone::Strong.paint(&approval.id.to_string()),
        tone(approval.risk).paint(&risk),
        text::line(&approval.summary)
    );
    out.push_str(&facts(detail, now).to_string());
    out.push_str(&act(&approval.statement).to_string());
    let mut words = Sheet::default();
    words.line("justification", quoted(approval.justification.as_deref()));
    words.line("undo", quoted(approval.rollback.as_deref()));
    put!(out, "{}\n{words}", Tone::Strong.paint("In the agent's words, not checked"));
    let mut bound = Sheet::default();
    bound.line("digest", &approval.digest).line("revision", approval.rev);
    if approval.status == ApprovalStatus::Pending {
        bound.line(
            "effect",
            match approval.kind {
                ApprovalKind::BudgetOverride => {
                    "the cap is raised, and work goes on up to it; it can be lowered again"
                }
                ApprovalKind::ToolCall
                | ApprovalKind::Transition
                | ApprovalKind::Spawn
                | ApprovalKind::Escalation => {
                    "exactly this, once; anything that differs is asked anew"
                }
            },
        );
    }
    put!(out, "{}\n{bound}", Tone::Strong.paint("What a decision is bound to"));
    out
}

fn facts(detail: &Detail, now: Timestamp) -> Sheet {
    let approval = &detail.approval;
    let mut sheet = Sheet::default();
    let status = approval.status.as_str();
    match approval.status {
        ApprovalStatus::Pending => {
            let left = text::span(approval.expires_at.since(now).as_secs());
            sheet.line("status", format!("{status}, {left} left, then it is refused"));
        }
        ApprovalStatus::Approved
        | ApprovalStatus::Denied
        | ApprovalStatus::Expired
        | ApprovalStatus::Canceled => {
            let by = approval.decided_by.as_deref().unwrap_or("-");
            let at = approval.decided_at.map(text::when).unwrap_or_default();
            sheet.line("status", format!("{status} by {by} {at}"));
        }
    }
    if let Some(edited) = &approval.edited {
        let when = text::when(edited.at);
        let how =
            format!("changed by {} at {} {when}: not what was asked", edited.by, edited.level);
        sheet.toned("EDITED", how, Tone::Warn);
        sheet.maybe("why", edited.note.as_ref());
        sheet.line("asked was", exact(&edited.original));
    } else if approval.can_rewrite && approval.status == ApprovalStatus::Pending {
        sheet.line("editable", "`mcctl approval edit` runs other arguments in its place");
    }
    for one in &approval.endorsements {
        let when = text::when(one.at);
        sheet.line(
            "agreed",
            format!("{} at {} {when}; {} must agree", one.by, one.level, approval.needs),
        );
    }
    sheet.maybe("note", approval.note.as_ref());
    sheet.maybe("used", approval.used_at.map(text::when));
    sheet
        .line("asked by", format!("{}, {} ago", approval.agent, text::age(now, approval.asked_at)));
    let title = detail.task_title.as_deref().unwrap_or_default();
    sheet.maybe("task", approval.task.map(|task| format!("{task}  {title}")));
    sheet.maybe("run", approval.run);
    let version = approval.statement.policy_version;
    sheet.line("rule", format!("{} (policy version {version})", approval.rule));
    sheet.line("because", &approval.reason);
    sheet.maybe("raises", approval.raised());
    sheet.maybe("cost", approval.estimated_cost_uusd.map(|cost| format!("{cost}, estimated")));
    let past = detail.past;
    sheet.line(
        "same rule",
        format!("asked {} times, {} yes, {} no", past.asked, past.approved, past.denied),
    );
    for call in &detail.failed_calls {
        let error = call.error.as_deref().unwrap_or("no reason given");
        sheet.line("failed before", format!("{}  {}: {error}", call.id, call.tool));
    }
    sheet
}

fn act(statement: &Statement) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.toned("ACT", format!("{}: {}", word(statement.kind), statement.tool), Tone::Strong);
    match &statement.arguments {
        serde_json::Value::Object(map) => {
            for (name, value) in map {
                let dollars = dollars_of(name, value);
                sheet.line("argument", format!("{name} = {}{dollars}", exact(value)));
            }
        }
        other @ (serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_)
        | serde_json::Value::Array(_)) => {
            sheet.line("argument", exact(other));
        }
        serde_json::Value::Null => {}
    }
    sheet.maybe("directory", statement.cwd.as_ref());
    let exact = exact(&statement.arguments);
    if let Some(mixed) = mixed_scripts(&exact, Glyphs::Unicode) {
        sheet.toned("LOOK", mixed.as_str(), Tone::Bad);
    }
    let program_hash = statement.program_sha256.as_deref().unwrap_or("unknown");
    let program = statement.program.as_ref();
    sheet.maybe("program", program.map(|path| format!("{path} (sha256 {program_hash})")));
    for (path, to) in &statement.links {
        sheet.line("leads to", format!("{path} -> {to}"));
    }
    for (path, hash) in &statement.scripts {
        sheet.line("script", format!("{path} (sha256 {hash})"));
    }
    for (name, hash) in &statement.env {
        sheet.line("environment", format!("{name} (sha256 {hash})"));
    }
    sheet.line("sha256", &statement.arguments_sha256);
    sheet
}

/// Returns an amount in dollars beside the exact micro-dollars.
fn dollars_of(name: &str, value: &serde_json::Value) -> String {
    let micros = value.as_i64().filter(|_| name.ends_with("_uusd"));
    micros.map_or_else(String::new, |micros| format!(" ({})", MicroUsd(micros)))
}

/// Shows a value exactly: texts as they are, line by line, everything else as JSON.
fn exact(value: &serde_json::Value) -> String {
    if let serde_json::Value::String(text) = value {
        return text.clone();
    }
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

fn quoted(text: Option<&str>) -> String {
    match text {
        Some(text) => format!("\" {}", text.trim_end().replace('\n', "\n\" ")),
        None => "none given".to_owned(),
    }
}

/// Returns what was decided.
pub(crate) fn receipt(receipt: &Receipt) -> String {
    let event = Tone::Dim.paint(&receipt.event.to_string());
    format!("{}  {}  {event}\n", receipt.approval.id, text::line(&receipt.text))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn pending(risk: &str, command: &str) -> Detail {
        let statement = serde_json::json!({
            "version": 1, "approval": "A-3", "kind": "tool_call", "agent": "wren", "tool": "exec",
            "arguments": {"command": command}, "arguments_sha256": "aa", "env": [], "policy_version": 4,
            "nonce": "n", "not_before": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-02T00:00:00Z",
        });
        serde_json::from_value(serde_json::json!({
            "id": "A-3", "rev": 2, "kind": "tool_call", "status": "pending", "agent": "wren",
            "task": "T-1", "risk": risk, "rule": "shell.asked",
            "reason": "shell commands are asked for", "summary": "exec",
            "justification": "I\nneed it", "statement": statement, "digest": "00ff00ff",
            "call_key": "k", "asked_at": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-02T00:00:00Z", "dropped": false,
            "past": {"asked": 3, "approved": 2, "denied": 1}, "failed_calls": [],
            "task_title": "Build",
        }))
        .unwrap()
    }

    fn shown(detail: &Detail) -> String {
        let now = "2026-01-01T01:00:00Z".parse().unwrap();
        anstream::adapter::strip_str(&evidence(detail, now)).to_string()
    }

    #[test]
    fn evidence_is_whole_and_the_agents_words_stand_apart() {
        let text = shown(&pending("red", "rm -rf build\necho done"));
        for part in [
            "A-3  RED  exec",
            "pending, 23h00 left",
            "T-1  Build",
            "shell.asked (policy version 4)",
            "command = rm -rf build",
            "asked 3 times, 2 yes, 1 no",
            "00ff00ff",
            "\" I\n",
            "\" need it",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        let words = text.find("In the agent's words").unwrap();
        assert!(text.find("rm -rf build").unwrap() < words);
    }

    #[test]
    fn an_amount_is_shown_in_dollars_too() {
        assert_eq!(dollars_of("cap_uusd", &serde_json::json!(1_000_000)), " ($1.00)");
        assert_eq!(dollars_of("spent_tokens", &serde_json::json!(1_000_000)), "");
    }

    #[test]
    fn a_long_command_is_never_cut() {
        let command = "x".repeat(20_000);
        assert!(shown(&pending("yellow", &command)).contains(&command));
    }

    #[test]
    fn letters_that_look_like_others_are_pointed_out() {
        let text = shown(&pending("red", "curl https://\u{430}pple.com"));
        assert!(text.contains("mixed: Cyrillic"), "{text}");
    }

    #[test]
    fn what_hides_in_a_command_is_seen() {
        let text = shown(&pending("red", "ls \u{202e}# harmless\u{1b}[2K"));
        assert!(text.contains("ls <U+202E># harmless<U+001B>[2K"), "{text}");
    }
}
