//! The evidence of an approval: everything that the digest stands for, word for word, with recorded
//! fact and the agent's own words kept apart.

mod request;

use mc_core::{
    approval::{Approval, ApprovalKind, ApprovalStatus, confirmation_code},
    policy::Risk,
    run::ToolCall,
    time::Timestamp,
};
use mc_proto::method::approval::Detail;

pub use request::{act, changes, raw};

use crate::{
    format::{clock, left, moment, short_digest},
    scene::Scene,
    story, text,
    theme::{Token, badge},
    widgets::Line,
};

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
pub fn lines(detail: &Detail, scene: &Scene, width: usize) -> Vec<Line> {
    let now = scene.time();
    let mut lines = head(detail, now);
    lines.push(rule("exact request (hidden characters are shown)"));
    let (request, hidden) = request::lines(&detail.approval.statement);
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
    lines.extend(binding(detail, scene));
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
            let level = approval.decided_level.map(|level| format!(" at {level}"));
            let level = level.unwrap_or_default();
            format!("{} by {}{level}", status.as_str(), text::line(by).as_str())
        }
    };
    let mut lines = vec![title, asks, row("scope").own(Token::Fg, ends)];
    lines.extend(raised(approval).map(|raise| row("raises").then(raise)));
    lines.extend(edited(approval, now));
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

/// Returns a cap before and after, and what is spent of it, of a request that wants more.
pub fn raised(approval: &Approval) -> Option<Line> {
    let raised = approval.raised()?;
    let line = Line::new().own(Token::Money, raised.caps);
    let spent = raised.spent.map(|spent| format!("  (counts as spent: {spent})"));
    Some(line.own(Token::Dim, spent.unwrap_or_default()))
}

/// Who changed the request, and what it was; or that it can be changed.
fn edited(approval: &Approval, now: Timestamp) -> Vec<Line> {
    let Some(edited) = &approval.edited else {
        let is_open = approval.can_rewrite && approval.status == ApprovalStatus::Pending;
        let words = "e changes the arguments: this runtime can run others than its own";
        return is_open.then(|| row("edit").own(Token::Dim, words)).into_iter().collect();
    };
    let head =
        row("EDITED").own(Token::Crit, "by ").says(Token::Crit, &text::exact(&edited.by)).own(
            Token::Crit,
            format!(" at {}, {} UTC: not what was asked", edited.level, moment(now, edited.at)),
        );
    let note = edited.note.as_ref().map(|note| row("why").says(Token::Fg, &text::exact(note)));
    let changes = changes(&edited.original, &approval.statement.arguments);
    let changes = changes.into_iter().map(|line| row("").then(line));
    std::iter::once(head).chain(note).chain(changes).collect()
}

/// Says whether anything is done with the code: a red request, or a call that a rule can be made of.
fn takes_code(approval: &Approval) -> bool {
    approval.risk == Risk::Red || approval.kind == ApprovalKind::ToolCall
}

/// Who said yes already, where more than one person must.
fn agreed(approval: &Approval) -> Option<Line> {
    let names: Vec<&str> = approval.endorsements.iter().map(|one| one.by.as_str()).collect();
    (approval.needs > 1).then(|| {
        let count = format!("{} of {} agreed ", names.len(), approval.needs);
        row("yes").own(Token::Warn, count).says(Token::Fg, &text::line(&names.join(", ")))
    })
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
    let retry = if call.retries > 0 { format!("retry {} ", call.retries) } else { String::new() };
    row("rec")
        .own(Token::Crit, format!("failed {} {} {retry}", call.id, clock(call.at)))
        .says(Token::Fg, &text::exact(&call.tool))
        .own(Token::Fg, " ")
        .says(Token::Fg, &text::exact(&call.preview))
        .own(Token::Dim, ": ")
        .says(Token::Fg, &text::exact(error))
}

fn binding(detail: &Detail, scene: &Scene) -> Vec<Line> {
    let now = scene.time();
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
    } else if approval.status == ApprovalStatus::Pending && takes_code(approval) {
        let words = match approval.risk {
            Risk::Red => "  type it to approve this red request",
            Risk::Yellow | Risk::Green => "  type it to make a standing rule of this request",
        };
        let code = confirmation_code(&approval.digest, &scene.link.connection);
        let code = Line::new().own(Token::Crit, code).own(Token::Dim, words);
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
