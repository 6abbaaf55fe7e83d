//! The five answers about a task: what happened, who, why, what it cost, what comes next.
//!
//! They are made from recorded events and rows alone, each with the events that show it. What an
//! agent said stands apart, as `says "..."`; its quotation marks are made single, so that it can't
//! end the quote and go on as if it were recorded. A missing value is `?`.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an answer is made from a few kinds of events and blind to the rest"
)]

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    actor::ActorKind,
    agent::{Agent, AgentStatus},
    approval::{Approval, ApprovalStatus},
    event::{Event, Recorded, ToolChanged},
    id::{EventId, TaskId},
    policy::Risk,
    redact,
    run::{CallStatus, RunStatus},
    task::{Task, TaskState},
    time::Timestamp,
};

/// One answer and the events that it stands on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// In one line.
    pub text: String,
    /// The events that prove it, oldest first.
    pub events: Vec<EventId>,
}

/// The five answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Answers {
    /// What happened last.
    pub what: Answer,
    /// Who did it.
    pub who: Answer,
    /// Why.
    pub why: Answer,
    /// What it cost.
    pub cost: Answer,
    /// What comes next, and who has to do it.
    pub next: Answer,
}

/// What the answers need beside the task and its timeline.
#[derive(Debug, Clone, Copy)]
pub struct AnswerFacts<'a> {
    /// Now.
    pub now: Timestamp,
    /// The approvals of the task.
    pub approvals: &'a [Approval],
    /// Its assignees and reviewers.
    pub agents: &'a [Agent],
    /// The tasks among `depends_on` that are not closed.
    pub open_dependencies: &'a [TaskId],
    /// What the rules of assignment make of it while it is in Inbox; `None` where there is none
    /// about it.
    pub by_rule: Option<&'a str>,
}

struct Case<'a> {
    task: &'a Task,
    timeline: &'a [Recorded],
    facts: &'a AnswerFacts<'a>,
}

/// Returns the five answers about `task`; `timeline` holds its events, oldest first.
pub fn answers(task: &Task, timeline: &[Recorded], extra: &AnswerFacts<'_>) -> Answers {
    let case = Case { task, timeline, facts: extra };
    Answers {
        what: case.what(),
        who: case.who(),
        why: case.why(),
        cost: case.cost(),
        next: case.next(),
    }
}

fn answer<'r>(text: String, events: impl IntoIterator<Item = &'r Recorded>) -> Answer {
    let mut events: Vec<_> = events.into_iter().map(|found| EventId(found.seq)).collect();
    events.sort_unstable();
    events.dedup();
    Answer { text, events }
}

/// Returns a text on one line, masked and short, that can't end a quote.
fn quote(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.replace(['"', '“', '”', '„', '«', '»'], "'").replace('·', "-");
    format!("\"{}\"", redact::preview(&line, 160))
}

/// Returns words with who is behind them: recorded, or an agent's own.
fn told(recorded: &Recorded, text: &str) -> String {
    match recorded.actor.kind {
        ActorKind::Agent => format!("says {}", quote(text)),
        ActorKind::Human => format!("rec: {} wrote {}", recorded.actor.name, quote(text)),
        ActorKind::System => format!("rec: {}", redact::preview(text, 200)),
    }
}

/// Returns a point in time to the minute: `2026-03-01 13:48Z`.
fn minute(at: Timestamp) -> String {
    at.to_jiff().map_or_else(|| "?".into(), |at| at.strftime("%Y-%m-%d %H:%MZ").to_string())
}

/// Returns a span in its two greatest units: `4m12s`.
fn span(span: Duration) -> String {
    let s = span.as_secs();
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d{:02}h", s / 86_400, s % 86_400 / 3600),
    }
}

const fn risk_word(risk: Risk) -> &'static str {
    match risk {
        Risk::Green => "GREEN",
        Risk::Yellow => "YELLOW",
        Risk::Red => "RED",
    }
}

fn names<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

impl<'a> Case<'a> {
    /// Returns the newest event that `test` accepts.
    fn last(&self, test: impl Fn(&Recorded) -> bool) -> Option<&'a Recorded> {
        self.timeline.iter().rev().find(|recorded| test(recorded))
    }

    /// Returns the event that brought the task to where it is.
    fn arrival(&self) -> Option<&'a Recorded> {
        let state = self.task.state;
        self.last(|recorded| match &recorded.event {
            Event::TaskMoved { to, .. } => *to == state,
            Event::TaskCreated { task } => task.state == state,
            _ => false,
        })
    }

    /// Returns the pending approval that ends first.
    fn pending(&self) -> Option<&'a Approval> {
        let pending = |a: &&Approval| a.status == ApprovalStatus::Pending;
        self.facts.approvals.iter().filter(pending).min_by_key(|a| a.expires_at)
    }

    /// Returns the event in which an approval was asked for.
    fn asked(&self, wanted: &Approval) -> Option<&'a Recorded> {
        self.last(|recorded| match &recorded.event {
            Event::ApprovalRequested { approval } => approval.id == wanted.id,
            _ => false,
        })
    }

    fn what(&self) -> Answer {
        let arrival = self.arrival();
        let by = arrival.map_or_else(|| "?".into(), |found| found.actor.to_string());
        let since = minute(self.task.state_since);
        if let Some(approval) = self.pending() {
            let asked = self.asked(approval);
            let (agent, at) = (&approval.agent, minute(approval.asked_at));
            let (rule, risk) = (&approval.rule, risk_word(approval.risk));
            let act = quote(&approval.summary);
            let text = format!("{agent} stopped {at} to ask for {act}. Rule {rule} → {risk}");
            return answer(text, asked.into_iter().chain(arrival));
        }
        let text = match self.task.state {
            TaskState::Inbox => format!("Waits in Inbox since {since}"),
            TaskState::Assigned => format!("Assigned by {by} {since}, not begun"),
            TaskState::InProgress => format!("In progress since {since}"),
            TaskState::Review => {
                let made = self.task.deliverable.as_deref().map_or_else(|| "?".into(), quote);
                format!("Submitted by {by} {since}; the deliverable says {made}")
            }
            TaskState::NeedsApproval => format!("Stopped by {by} {since} to wait for an approval"),
            TaskState::Blocked => {
                let from = self.task.resume_state.map_or("?", TaskState::title);
                format!("Blocked by {by} {since}, was in {from}")
            }
            TaskState::Done => format!("Accepted by {by} {since}"),
            TaskState::Canceled => format!("Canceled by {by} {since}"),
        };
        match self.latest_act().filter(|_| self.task.state == TaskState::InProgress) {
            Some((act, words)) => {
                answer(format!("{text}; last: {words}"), arrival.into_iter().chain([act]))
            }
            None => answer(text, arrival),
        }
    }

    /// Returns the newest call or message of an agent in words.
    fn latest_act(&self) -> Option<(&'a Recorded, String)> {
        self.timeline.iter().rev().find_map(|recorded| match &recorded.event {
            Event::ToolChecked { call } => {
                let (tool, rule) = (quote(&call.tool), &call.rule);
                Some((recorded, format!("{tool} checked, rule {rule}")))
            }
            Event::MessagePosted { message } if message.author.kind == ActorKind::Agent => {
                Some((recorded, format!("{} says {}", message.author, quote(&message.text))))
            }
            _ => None,
        })
    }

    fn who(&self) -> Answer {
        let mut parts = Vec::new();
        let mut events = Vec::new();
        for name in &self.task.assignees {
            let row = self.facts.agents.iter().find(|agent| agent.name == *name);
            let parent = row.and_then(|agent| agent.parent.as_ref());
            let child = parent.map(|parent| format!(", sub-agent of {parent}")).unwrap_or_default();
            parts.push(format!("{name}{child}"));
        }
        if parts.is_empty() {
            parts.push(format!("nobody does it · created by {}", self.task.created_by));
            let created = |r: &Recorded| matches!(r.event, Event::TaskCreated { .. });
            events.extend(self.last(created));
        } else {
            parts = vec![parts.join(", ")];
            parts.extend(
                self.task.by_rule.as_ref().map(|by| {
                    format!("rec: given by {}: {}", by.rule, redact::preview(&by.why, 200))
                }),
            );
            let gives = |r: &Recorded| match &r.event {
                Event::TaskClaimed { .. } => true,
                Event::TaskMoved { details, .. } => details.assignees.is_some(),
                Event::TaskCreated { task } => !task.assignees.is_empty(),
                _ => false,
            };
            events.extend(self.last(gives));
        }
        if let Some(human) = self.last(|recorded| recorded.actor.kind == ActorKind::Human) {
            let words = match &human.event {
                Event::MessagePosted { message } => quote(&message.text),
                Event::TaskMoved { to, .. } => format!("moved it to {}", to.title()),
                Event::ApprovalClosed { approval, status, .. } => {
                    format!("{approval} {}", status.as_str())
                }
                event => event.kind().replace('_', " "),
            };
            parts.push(format!("last person: {} {} {words}", human.actor.name, minute(human.at)));
            events.push(human);
        } else {
            parts.push("last person: ?".into());
        }
        answer(parts.join(" · "), events)
    }

    fn why(&self) -> Answer {
        let mut parts = Vec::new();
        let mut events = Vec::new();
        if let Some(approval) = self.pending() {
            parts.push(format!("rec: {}", redact::preview(&approval.reason, 200)));
            if let Some(words) = &approval.justification {
                parts.push(format!("says {}", quote(words)));
            }
            events.extend(self.asked(approval));
        } else if let Some((arrival, words)) = self.arrival().and_then(|r| Some((r, reason(r)?))) {
            parts.push(told(arrival, words));
            events.push(arrival);
        }
        let failed: Vec<_> =
            self.timeline.iter().filter(|recorded| error(recorded).is_some()).collect();
        if let Some(last) = failed.last().filter(|_| !self.task.state.is_final()) {
            let words = error(last).unwrap_or_default();
            parts.push(format!(
                "rec: {} failed calls and runs, last error {}",
                failed.len(),
                quote(words)
            ));
            events.extend(failed.first());
            events.push(last);
        }
        if parts.is_empty() {
            parts.push("?".into());
        }
        answer(parts.join(" · "), events)
    }

    fn cost(&self) -> Answer {
        let task = self.task;
        let used = |r: &&Recorded| matches!(r.event, Event::RunUsed { .. });
        let last = self.timeline.iter().rev().find(used);
        let mut parts = Vec::new();
        if last.is_none() && task.spent_uusd.0 == 0 && task.tokens.total() == 0 {
            parts.push(format!("? of {}, nothing is recorded", task.budget_uusd));
        } else {
            let share = task.spent_uusd.0.saturating_mul(100).checked_div(task.budget_uusd.0);
            let share = share.map_or_else(|| "?".into(), |share| format!("{share}%"));
            let at_least = if task.unpriced { "at least " } else { "" };
            parts.push(format!("{at_least}{} of {} ({share})", task.spent_uusd, task.budget_uusd));
            parts.push(format!("{} tokens", count(task.tokens.total())));
        }
        if task.unpriced {
            parts.push("? for models without a price".into());
        }
        let failed = |r: &&Recorded| match &r.event {
            Event::RunFinished { status, .. } => {
                matches!(status, RunStatus::Failed | RunStatus::TimedOut | RunStatus::Aborted)
            }
            _ => false,
        };
        let failed = self.timeline.iter().filter(failed).count();
        let runs = task.runs;
        parts.push(if failed == 0 {
            format!("{runs} runs")
        } else {
            format!("{runs} runs, {failed} failed")
        });
        answer(parts.join(" · "), last)
    }

    fn next(&self) -> Answer {
        let arrival = self.arrival();
        if let Some(approval) = self.pending() {
            let (id, ends) = (approval.id, minute(approval.expires_at));
            let left = span(approval.expires_at.since(self.facts.now));
            let text = format!(
                "operator: decide {id} within {left} (until {ends}), else it expires and is not \
                 executed"
            );
            return answer(text, self.asked(approval));
        }
        let id = self.task.id;
        let text = match self.task.state {
            TaskState::Inbox => {
                let rule = self.facts.by_rule.map(|text| format!("rec: {text} · "));
                let by_hand = "a specialist or lead: claim it · or operator: assign it";
                format!("{}{by_hand}", rule.unwrap_or_default())
            }
            TaskState::Assigned | TaskState::InProgress => self.next_of_assignee(),
            TaskState::Review => {
                let reviewers = names(&self.task.reviewers);
                let judges = if reviewers.is_empty() {
                    String::new()
                } else {
                    format!("{reviewers}: request changes · or ")
                };
                format!("{judges}operator: complete {id} with a note, or request changes")
            }
            TaskState::NeedsApproval => {
                return self.after_approval();
            }
            TaskState::Blocked => {
                let back = self.task.resume_state.map_or("?", TaskState::title);
                format!("operator: unblock {id} with a note (it was in {back}), or cancel it")
            }
            TaskState::Done | TaskState::Canceled => "nothing".into(),
        };
        answer(text, arrival)
    }

    /// What has to happen where the assignees have the task.
    fn next_of_assignee(&self) -> String {
        let who = names(&self.task.assignees);
        let stopped = self.facts.agents.iter().find(|agent| {
            self.task.assignees.contains(&agent.name) && agent.status != AgentStatus::Active
        });
        if let Some(agent) = stopped.filter(|agent| agent.status != AgentStatus::Drained) {
            let why = agent.status_reason.as_deref().map_or_else(|| "?".into(), quote);
            let name = &agent.name;
            return format!(
                "operator: resume {name} (stopped or paused because {why}), or assign another"
            );
        }
        if self.task.state == TaskState::InProgress {
            return format!("{who}: go on and submit");
        }
        if self.facts.open_dependencies.is_empty() {
            format!("{who}: start with a plan of 3 to 6 steps")
        } else {
            format!("{who}: start when {} is closed", names(self.facts.open_dependencies))
        }
    }

    /// What has to happen once the approval that the task waits for is decided.
    fn after_approval(&self) -> Answer {
        let closed = self.last(|r| matches!(r.event, Event::ApprovalClosed { .. }));
        let id = self.task.id;
        let text = match closed.map(|recorded| &recorded.event) {
            Some(Event::ApprovalClosed { approval, status: ApprovalStatus::Approved, .. }) => {
                let back = self.task.resume_state.map_or("?", TaskState::title);
                format!("operator: move {id} back to {back}, {approval} is approved")
            }
            Some(Event::ApprovalClosed { approval, status, .. }) => {
                format!("operator: block or cancel {id}, {approval} is {}", status.as_str())
            }
            _ => format!("operator: decide where {id} goes, no approval is pending"),
        };
        answer(text, closed.or_else(|| self.arrival()))
    }
}

/// Returns the words that came with a move.
fn reason(recorded: &Recorded) -> Option<&str> {
    let words = match &recorded.event {
        Event::TaskMoved { details, .. } => {
            details.reason.as_deref().or(details.feedback.as_deref()).or(details.note.as_deref())
        }
        _ => None,
    };
    words.or(recorded.reason.as_deref())
}

/// Returns what went wrong in a failed call or run.
fn error(recorded: &Recorded) -> Option<&str> {
    match &recorded.event {
        Event::ToolChanged(ToolChanged { status: CallStatus::Failed, error, .. })
        | Event::RunFinished { status: RunStatus::Failed | RunStatus::TimedOut, error, .. } => {
            Some(error.as_deref().unwrap_or("?"))
        }
        _ => None,
    }
}

/// Returns a number that is short enough for a line: `231k`.
fn count(number: i64) -> String {
    match number {
        ..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{}k", number / 1_000),
        _ => format!("{}.{}M", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}
