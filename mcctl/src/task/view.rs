//! Tasks as text.

use mc_core::{
    answers::Answers,
    task::{Task, TaskCard, TaskState, waits::Waits},
    time::Timestamp,
};
use mc_proto::method::task::{Detail, Moved, TimelineItem, TransitionTable};

use crate::{
    table::{Cell, Sheet, Table, Tone, cell, list, maybe, rest},
    text,
    words::{money, word},
};

fn tone(state: TaskState) -> Tone {
    match state {
        TaskState::Blocked => Tone::Bad,
        TaskState::NeedsApproval | TaskState::Review => Tone::Warn,
        TaskState::InProgress => Tone::Strong,
        TaskState::Done => Tone::Good,
        TaskState::Canceled => Tone::Dim,
        TaskState::Inbox | TaskState::Assigned => Tone::Plain,
    }
}

/// Returns a table of cards.
pub(crate) fn cards(cards: &[TaskCard], now: Timestamp) -> String {
    if cards.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new(&["TASK", "STATE", "SINCE", "P", "TYPE", "ASSIGNEES", "COST", "OF", "TITLE"]);
    for card in cards {
        table.row([
            Cell::new(card.id, Tone::Strong),
            Cell::new(card.state, tone(card.state)),
            cell(text::age(now, card.state_since)),
            cell(card.priority),
            cell(&card.task_type),
            list(&card.assignees),
            cell(money(card.spent_uusd, card.cost_state)),
            cell(card.budget_uusd),
            rest(&card.title),
        ]);
    }
    table.to_string()
}

fn heading(task: &Task) -> String {
    let title = Tone::Strong.paint(&text::line(&task.title));
    format!("{}  {title}\n", task.id)
}

/// Returns a task by itself.
pub(crate) fn task(task: &Task, now: Timestamp) -> String {
    format!("{}{}", heading(task), sheet(task, now))
}

fn sheet(task: &Task, now: Timestamp) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.toned(
        "state",
        format!("{} for {}", task.state, text::age(now, task.state_since)),
        tone(task.state),
    );
    sheet.maybe("because", task.blocked_reason.as_ref());
    sheet.maybe("came from", task.resume_state);
    sheet.line("type", format!("{}, priority {}", task.task_type, task.priority));
    sheet.list("assignees", &task.assignees);
    sheet.maybe("given by", task.by_rule.as_ref().map(|by| format!("{}: {}", by.rule, by.why)));
    let by_hand = "by a person: no rule of assignment gives it out";
    sheet.maybe("put back", task.put_back.then_some(by_hand));
    sheet.list("reviewers", &task.reviewers);
    sheet.maybe("holder", task.holder.as_ref().map(|name| format!("{name}, fence {}", task.fence)));
    sheet.maybe("parent", task.parent).list("depends on", &task.depends_on);
    sheet.maybe("project", task.project.as_ref()).list("labels", &task.labels);
    sheet.maybe("due", task.due_at.map(text::when));
    sheet.line(
        "cost",
        format!(
            "{} of {}, {} tokens, {} runs",
            money(task.spent_uusd, task.cost_state),
            task.budget_uusd,
            task.tokens.total(),
            task.runs
        ),
    );
    sheet.line("created", format!("{} by {}", text::when(task.created_at), task.created_by));
    let of = task.schedule.map(|one| format!("{} of {}", one.schedule, text::when(one.due)));
    sheet.maybe("schedule", of);
    sheet.line("revision", task.rev);
    sheet
}

fn section(out: &mut String, name: &str, lines: impl IntoIterator<Item = String>) {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_none() {
        return;
    }
    put!(out, "\n{}\n", Tone::Strong.paint(name));
    for line in lines {
        let line = text::block(&line);
        put!(out, "  {}\n", line.trim_end().replace('\n', "\n  "));
    }
}

/// Returns a task with what belongs to it.
pub(crate) fn detail(detail: &Detail, now: Timestamp) -> String {
    let task = &detail.task;
    let mut sheet = sheet(task, now);
    sheet.list("open moves", &detail.moves);
    let waits = Waits::of(&task.depends_on, |id| detail.waits_for.contains(id));
    let since = task.promoted_at.filter(|_| waits.as_ref().is_some_and(Waits::is_over));
    sheet.maybe("dependencies", waits);
    let since = since.map(|at| format!("{} ({} ago)", text::when(at), text::age(now, at)));
    sheet.maybe("promoted since", since).list("parts", &detail.children);
    let mut out = format!("{}{sheet}", heading(task));
    section(&mut out, "Description", some(&task.description));
    let steps = task.work_plan.iter().enumerate();
    section(&mut out, "Work plan", steps.map(|(at, step)| format!("{}. {step}", at + 1)));
    section(&mut out, "Deliverable", task.deliverable.clone());
    section(&mut out, "Evidence", task.evidence.iter().map(|item| format!("- {item}")));
    section(&mut out, "Review checklist", checklist(detail));
    if let Some(decision) = &task.decision {
        let line = format!("{} at {}: {}", decision.by, text::when(decision.at), decision.note);
        section(&mut out, "Accepted", [line]);
    }
    section(
        &mut out,
        "Artifacts",
        detail.artifacts.iter().map(|artifact| {
            format!("{}  {}  {} bytes", artifact.name, artifact.media_type, artifact.size_bytes)
        }),
    );
    section(
        &mut out,
        "Approvals",
        detail.approvals.iter().map(|approval| {
            format!("{}  {}  {}", approval.id, approval.status.as_str(), approval.summary)
        }),
    );
    section(
        &mut out,
        "Runs",
        detail.run_list.iter().map(|run| {
            format!(
                "{}  {}  {}  {}",
                run.id,
                run.agent,
                word(run.status),
                money(run.cost_uusd, Some(run.cost_state))
            )
        }),
    );
    section(
        &mut out,
        "Open alerts",
        detail
            .alerts
            .iter()
            .map(|alert| format!("{}  {}  {}", alert.id, word(alert.severity), alert.text)),
    );
    out
}

fn some(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.to_owned())
}

fn checklist(detail: &Detail) -> Vec<String> {
    if detail.task.self_review.is_empty() {
        return detail.checklist.iter().map(|item| format!("[ ] {item}")).collect();
    }
    let mark = |checked| if checked { "x" } else { "-" };
    let lines = detail.task.self_review.iter().map(|item| match &item.note {
        Some(note) => format!("[{}] {}: {note}", mark(item.checked), item.item),
        None => format!("[{}] {}", mark(item.checked), item.item),
    });
    lines.collect()
}

/// Returns what a move did.
pub(crate) fn moved(moved: &Moved) -> String {
    let made = &moved.transition;
    let event = made.event.map(|event| format!("  {event}")).unwrap_or_default();
    let mut out = format!(
        "{}  {} → {}{}\n",
        moved.task.id,
        made.from,
        tone(made.to).paint(made.to.as_str()),
        Tone::Dim.paint(&event)
    );
    if !moved.task.assignees.is_empty() {
        put!(out, "assignees  {}\n", names(&moved.task));
    }
    if let Some(fence) = moved.fence {
        put!(out, "fence      {fence}  (give it to start, submit and report-blocker)\n");
    }
    out
}

fn names(task: &Task) -> String {
    task.assignees.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Returns the five answers with the events that they stand on.
pub(crate) fn answers(answers: &Answers) -> String {
    let mut sheet = Sheet::default();
    let rows = [
        ("WHAT", &answers.what),
        ("WHO", &answers.who),
        ("WHY", &answers.why),
        ("COST", &answers.cost),
        ("NEXT", &answers.next),
    ];
    for (name, answer) in rows {
        let events: Vec<String> = answer.events.iter().map(ToString::to_string).collect();
        let on =
            if events.is_empty() { String::new() } else { format!("  [{}]", events.join(" ")) };
        sheet.line(name, format!("{}{on}", answer.text));
    }
    sheet.to_string()
}

/// Returns what happened, a line each.
pub(crate) fn timeline(items: &[TimelineItem]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["EVENT", "AT", "WHAT"]);
    for item in items {
        table.row([
            Cell::new(item.id, Tone::Dim),
            cell(text::when(item.recorded.at)),
            rest(&item.text),
        ]);
    }
    table.to_string()
}

/// Returns the table of moves.
pub(crate) fn transitions(table: &TransitionTable) -> String {
    let mut rows = Table::new(&["FROM", "TO", "BY", "GUARDS"]);
    for row in &table.transitions {
        let by: Vec<String> = row.by.iter().map(word).collect();
        let guards: Vec<String> = row.guards.iter().map(|guard| word(guard.guard)).collect();
        rows.row([
            Cell::new(row.from, tone(row.from)),
            Cell::new(row.to, tone(row.to)),
            cell(by.join(" ")),
            maybe((!guards.is_empty()).then(|| guards.join(" "))),
        ]);
    }
    rows.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_task_says_which_of_those_it_depends_on_are_open() {
        let shown = |waits_for: &[&str]| {
            let fields = json!({
                "id": "T-9", "rev": 1, "title": "x", "type": "docs", "priority": 2,
                "state": "assigned", "state_since": "2026-01-01T00:00:00Z", "budget_uusd": 0,
                "depends_on": ["T-4", "T-5", "T-7"], "waits_for": waits_for,
                "promoted_at": "2025-12-31T23:00:00Z",
                "created_by": {"kind": "human", "name": "ana", "level": "L1"},
                "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
                "moves": [], "checklist": [], "artifacts": [], "approvals": [], "run_list": [],
                "alerts": [], "children": [], "head": 9,
            });
            let shown: Detail = serde_json::from_value(fields).unwrap();
            detail(&shown, Timestamp(1_767_225_600_000))
        };
        let waiting = shown(&["T-5", "T-7"]);
        let line = "waits for 2 of 3 · open: T-5, T-7 · closed: T-4";
        assert!(waiting.contains(line), "{waiting}");
        assert!(!waiting.contains("promoted since"), "it depends on others again: {waiting}");
        let free = shown(&[]);
        assert!(free.contains("waited for 3 · closed: T-4, T-5, T-7"), "{free}");
        let line = free.lines().find(|line| line.contains("promoted since")).unwrap();
        assert!(line.contains("2025-12-31 23:00:00 UTC (1h"), "{line}");
    }

    #[test]
    fn a_task_says_which_rule_gave_it_and_why_to_this_agent() {
        let shown = |more: serde_json::Value| {
            let mut fields = json!({
                "id": "T-9", "rev": 1, "title": "x", "type": "docs", "priority": 2,
                "state": "assigned", "state_since": "2026-01-01T00:00:00Z", "budget_uusd": 0,
                "assignees": ["wren"],
                "created_by": {"kind": "human", "name": "ana", "level": "L1"},
                "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            });
            fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let row: Task = serde_json::from_value(fields).unwrap();
            task(&row, Timestamp(1_767_225_600_000))
        };
        let why = "type docs; least loaded of 2: wren 0, kite 1; left out: crow is paused";
        let by_rule = json!({"rule": "assign.docs", "why": why, "at": "2026-01-01T00:00:00Z"});
        let given = shown(json!({"by_rule": by_rule}));
        assert!(given.contains(&format!("assign.docs: {why}")), "{given}");
        assert!(!shown(json!({})).contains("given by"));
        assert!(shown(json!({"put_back": true})).contains("put back"));
    }
}
