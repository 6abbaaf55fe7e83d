//! The evidence of an approval: everything that the digest stands for, word for word, with recorded
//! fact and the agent's own words kept apart.

use mc_core::{
    approval::{Approval, ApprovalStatus, Statement},
    policy::Risk,
    run::ToolCall,
    time::Timestamp,
};
use mc_proto::method::approval::Detail;
use serde_json::Value;

use crate::{
    format::{clock, left, moment, short_digest},
    story, text,
    theme::{Token, badge},
    widgets::Line,
};

/// Returns the code that a person types to approve a red request: the head of its digest.
pub fn code(digest: &str) -> String {
    digest.chars().take(6).collect()
}

/// Says whether the statement really has the digest that a decision would be bound to.
pub fn is_bound(approval: &Approval) -> bool {
    let statement = &approval.statement;
    statement.digest() == approval.digest
        && statement.approval == approval.id
        && statement.agent == approval.agent
        && statement.task == approval.task
        && statement.expires_at == approval.expires_at
}

/// Returns the evidence in lines of at most `width` columns.
pub fn lines(detail: &Detail, now: Timestamp, width: usize) -> Vec<Line> {
    let mut lines = head(detail, now);
    lines.push(rule("exact request (hidden characters are shown)"));
    let (request, hidden) = request(detail);
    lines.extend(request);
    if hidden > 0 {
        let words = format!(
            "{hidden} parts above hold what can't be seen; it is spelled out as <U+…>  (!)"
        );
        lines.push(row("hidden").own(Token::Crit, words));
    }
    lines.push(rule("why: recorded | what the agent says"));
    lines.extend(why(detail));
    lines.push(rule("what a decision is bound to"));
    lines.extend(binding(detail, now));
    let indent = if width < 50 { 2 } else { 10 };
    lines.iter().flat_map(|line| line.wrap(width, indent)).collect()
}

fn head(detail: &Detail, now: Timestamp) -> Vec<Line> {
    let approval = &detail.approval;
    let statement = &approval.statement;
    let risk = Token::risk(approval.risk);
    let title = Line::new()
        .own(Token::Strong, format!(" {} ", approval.id))
        .own(risk, format!("{} {:?}", badge(approval.risk), approval.risk).to_uppercase())
        .own(Token::Dim, "  rule ")
        .says(Token::Fg, &text::exact(&approval.rule))
        .own(Token::Dim, format!(" (policy v{})", statement.policy_version))
        .own(
            Token::Dim,
            format!("  bound to {}, r{}", short_digest(&approval.digest), approval.rev),
        );
    let mut asks = row("asks")
        .says(Token::Strong, &text::exact(&statement.tool))
        .own(Token::Dim, format!(" ({}) by ", story::word(&approval.kind)))
        .says(Token::Strong, &text::exact(&approval.agent));
    if let Some(task) = approval.task {
        asks = asks.own(Token::Dim, format!(" for {task} "));
        let title = detail.task_title.as_deref().unwrap_or("?");
        asks = asks.says(Token::Fg, &text::line(title));
    }
    if let Some(run) = approval.run {
        asks = asks.own(Token::Dim, format!(" in {run}"));
    }
    let ends = match approval.status {
        ApprovalStatus::Pending => format!(
            "this one time · expires {} ({}), then not executed",
            moment(now, approval.expires_at),
            left(now, approval.expires_at)
        ),
        status => {
            let by = approval.decided_by.as_deref().unwrap_or("nobody");
            format!("{} by {}", status.as_str(), text::line(by).as_str())
        }
    };
    let mut lines = vec![title, asks, row("scope").own(Token::Fg, ends)];
    lines.extend(agreed(approval));
    if let Some(note) = &approval.note {
        lines.push(row("note").says(Token::Fg, &text::exact(note)));
    }
    lines.push(match &approval.rollback {
        Some(plan) => {
            row("undo").own(Token::Says, "says \" ").says(Token::Says, &text::exact(plan))
        }
        None => row("undo").own(Token::Warn, "? nothing was said about how to undo it"),
    });
    let cost = approval.estimated_cost_uusd;
    lines.push(match cost {
        Some(cost) => row("cost").own(Token::Says, format!("says \" {cost}")),
        None => row("cost").own(Token::Dim, "?"),
    });
    lines
}

/// Who said yes already, where more than one person must.
fn agreed(approval: &Approval) -> Option<Line> {
    let names: Vec<&str> = approval.endorsements.iter().map(|one| one.by.as_str()).collect();
    (approval.needs > 1).then(|| {
        let count = format!("{} of {} agreed ", names.len(), approval.needs);
        row("yes").own(Token::Warn, count).says(Token::Fg, &text::line(&names.join(", ")))
    })
}

/// The programs and scripts of a call; what is in them is bound by their hashes.
fn runs(statement: &Statement) -> Vec<Line> {
    let program = statement.program.iter();
    let mut lines: Vec<Line> =
        program.map(|path| row("runs").says(Token::Fg, &text::exact(path))).collect();
    for (path, hash) in &statement.scripts {
        let hash = format!("  sha256 {}", text::line(hash).as_str());
        lines.push(row("script").says(Token::Fg, &text::exact(path)).own(Token::Dim, hash));
    }
    lines
}

/// Returns act and target of a request in as few lines as hold them whole.
pub fn act(statement: &Statement) -> Vec<Line> {
    let mut leaves = Vec::new();
    flatten("", &statement.arguments, &mut leaves);
    let tool = Line::new().says(Token::Strong, &text::exact(&statement.tool));
    let leaf = |(path, value): &(String, String)| {
        let line = Line::new().own(Token::Fg, "  ").says(Token::Dim, &text::exact(path));
        line.own(Token::Dim, " = ").says(Token::Fg, &text::exact(value))
    };
    let cwd = statement.cwd.as_deref().map(text::exact);
    let tool = match cwd {
        Some(cwd) => tool.own(Token::Dim, " in ").says(Token::Dim, &cwd),
        None => tool,
    };
    let warned = leaves.iter().filter_map(|(_, value)| text::mixed(value));
    let warned = warned.map(|note| Line::new().own(Token::Crit, "  (!) ").says(Token::Crit, &note));
    std::iter::once(tool).chain(leaves.iter().map(leaf)).chain(warned).collect()
}

/// The statement's request, and how many parts of it hold what can't be seen.
fn request(detail: &Detail) -> (Vec<Line>, usize) {
    let statement = &detail.approval.statement;
    let mut lines = vec![row("tool").says(Token::Strong, &text::exact(&statement.tool))];
    let mut hidden = usize::from(text::exact(&statement.tool).flagged());
    let mut arguments = Vec::new();
    flatten("", &statement.arguments, &mut arguments);
    if arguments.is_empty() {
        lines.push(row("args").own(Token::Dim, "none"));
    }
    for (path, value) in arguments {
        let (path, parts) = (text::exact(&path), value.split('\n').collect::<Vec<_>>());
        let count = parts.len();
        let mixed = text::mixed(&value);
        for (at, part) in parts.into_iter().enumerate() {
            let part = text::exact(part);
            hidden += usize::from(part.flagged());
            let line = if at == 0 {
                row("arg").says(Token::Key, &path).own(Token::Dim, " = ")
            } else {
                row("")
            };
            let line = line.says(Token::Fg, &part);
            lines.push(if at + 1 < count { line.own(Token::Dim, "\\n") } else { line });
        }
        hidden += usize::from(path.flagged());
        lines.extend(mixed.map(|note| row("(!)").says(Token::Crit, &note)));
    }
    let cwd = statement.cwd.as_deref();
    lines.push(match cwd {
        Some(cwd) => {
            hidden += usize::from(text::exact(cwd).flagged());
            row("cwd").says(Token::Fg, &text::exact(cwd))
        }
        None => row("cwd").own(Token::Dim, "? not told"),
    });
    lines.extend(runs(statement));
    if statement.env.is_empty() {
        lines.push(row("env").own(Token::Dim, "nothing is passed beside the runtime's own"));
    }
    for (name, hash) in &statement.env {
        hidden += usize::from(text::exact(name).flagged());
        lines.push(
            row("env")
                .says(Token::Fg, &text::exact(name))
                .own(Token::Dim, " = value with sha256 ")
                .says(Token::Dim, &text::exact(hash)),
        );
    }
    (lines, hidden)
}

/// Lists every leaf of a value with its path; nothing is left out.
fn flatten(path: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, into);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, value) in items.iter().enumerate() {
                flatten(&format!("{path}[{at}]"), value, into);
            }
        }
        Value::String(text) => into.push((path.to_owned(), format!("\"{text}\""))),
        Value::Null if path.is_empty() => {}
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) | Value::Array(_) => {
            into.push((path.to_owned(), value.to_string()));
        }
    }
}

fn why(detail: &Detail) -> Vec<Line> {
    let approval = &detail.approval;
    let mut lines = vec![row("rec").says(Token::Rec, &text::exact(&approval.reason))];
    lines.extend(detail.failed_calls.iter().map(failed));
    if detail.failed_calls.is_empty() {
        lines.push(row("rec").own(Token::Dim, "no failed call of this agent on this task"));
    }
    lines.push(match &approval.justification {
        Some(words) => row("says").own(Token::Says, "\" ").says(Token::Says, &text::exact(words)),
        None => row("says").own(Token::Dim, "? the agent gave no reason"),
    });
    let past = detail.past;
    lines.push(row("past").own(
        Token::Fg,
        format!(
            "same rule before: {} asked, {} approved, {} denied",
            past.asked, past.approved, past.denied
        ),
    ));
    lines
}

fn failed(call: &ToolCall) -> Line {
    let error = call.error.as_deref().unwrap_or("?");
    row("rec")
        .own(Token::Crit, format!("failed {} {} ", call.id, clock(call.at)))
        .says(Token::Fg, &text::exact(&call.tool))
        .own(Token::Fg, " ")
        .says(Token::Fg, &text::exact(&call.preview))
        .own(Token::Dim, ": ")
        .says(Token::Fg, &text::exact(error))
}

fn binding(detail: &Detail, now: Timestamp) -> Vec<Line> {
    let approval = &detail.approval;
    let statement = &approval.statement;
    let mut lines = vec![
        row("digest").says(Token::Fg, &text::exact(&approval.digest)),
        row("args")
            .own(Token::Dim, "sha256 ")
            .says(Token::Dim, &text::exact(&statement.arguments_sha256)),
        row("valid")
            .own(
                Token::Dim,
                format!(
                    "{} to {} UTC, nonce ",
                    moment(now, statement.not_before),
                    moment(now, statement.expires_at)
                ),
            )
            .says(Token::Dim, &text::exact(&statement.nonce)),
    ];
    if !is_bound(approval) {
        lines.push(row("BROKEN").own(
            Token::Crit,
            "the digest does not fit this statement: it can't be approved here. Deny it and tell an admin.",
        ));
    } else if approval.status == ApprovalStatus::Pending {
        let words = match approval.risk {
            Risk::Red => "  type it to approve this red request",
            Risk::Yellow | Risk::Green => "  type it to make a standing rule of this request",
        };
        let code = Line::new().own(Token::Crit, code(&approval.digest)).own(Token::Dim, words);
        lines.push(row("code").then(code));
    }
    lines.push(row("end").own(Token::Dim, "this was all"));
    lines
}

fn row(label: &'static str) -> Line {
    Line::new().own(Token::Dim, format!(" {label:<8} "))
}

fn rule(words: &'static str) -> Line {
    Line::new().own(Token::Border, format!(" ---- {words} ----"))
}
