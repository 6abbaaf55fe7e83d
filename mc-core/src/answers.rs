//! The five answers about a task: what happened, who, why, what it cost, what comes next.
//!
//! They are made from recorded events and rows alone, each with the events that show it. What an
//! agent said stands apart, as `says "..."`; its quotation marks are made single, so that it can't
//! end the quote and go on as if it were recorded. A missing value is `?`.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an answer is made from a few kinds of events and blind to the rest"
)]

mod next;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    actor::ActorKind,
    agent::{Agent, AgentName},
    approval::{Approval, ApprovalStatus},
    event::{ApprovalEdited, Event, Recorded, ToolChanged},
    id::{EventId, TaskId},
    money::{self, CostState, MicroUsd},
    policy::Risk,
    redact,
    run::{CallStatus, RunStatus},
    squad::Squad,
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

/// What one agent did on a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worked {
    /// Who.
    pub agent: AgentName,
    /// Its runs.
    pub runs: i64,
    /// What they cost, without what has no price.
    pub cost_uusd: MicroUsd,
    /// What budgets count for what has no price, at the dearest rate; `None` where all has one.
    pub at_most_uusd: Option<MicroUsd>,
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
    /// Who did what on it, the dearest first.
    pub worked: &'a [Worked],
    /// The squad.
    pub squad: &'a Squad,
    /// Whether an emergency stop is in force, written down or not.
    pub halted: bool,
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

/// Returns a number with its noun: `1 run`, `2 runs`.
fn plural(count: i64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
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

    /// Returns the event in which an approval was asked for.
    fn asked(&self, wanted: &Approval) -> Option<&'a Recorded> {
        self.last(|recorded| match &recorded.event {
            Event::ApprovalRequested { approval } => approval.id == wanted.id,
            _ => false,
        })
    }

    /// Returns all pending approvals, the one that ends first in front.
    fn all_pending(&self) -> Vec<&'a Approval> {
        let pending = |a: &&Approval| a.status == ApprovalStatus::Pending;
        let mut all: Vec<_> = self.facts.approvals.iter().filter(pending).collect();
        all.sort_by_key(|a| (a.expires_at, a.id));
        all
    }

    fn what(&self) -> Answer {
        let arrival = self.arrival();
        let stands = self.stands(arrival);
        if let Some(approval) = self.all_pending().first() {
            let (asks, events) = self.asks(approval);
            // Where it waits for that approval, its state says nothing more.
            let waits = self.task.state == TaskState::NeedsApproval;
            let text = if waits { asks } else { format!("{asks} · {stands}") };
            return answer(text, events.into_iter().chain(arrival));
        }
        match self.latest_act().filter(|_| self.task.state == TaskState::InProgress) {
            Some((act, words)) => {
                answer(format!("{stands}; last: {words}"), arrival.into_iter().chain([act]))
            }
            None => answer(stands, arrival),
        }
    }

    /// Returns who asked for what, as it was asked; an operator's change of it stands apart.
    fn asks(&self, approval: &Approval) -> (String, Vec<&'a Recorded>) {
        let asked = self.asked(approval);
        let own = asked.and_then(|found| match &found.event {
            Event::ApprovalRequested { approval } => Some(approval.summary.as_str()),
            _ => None,
        });
        let (agent, at) = (&approval.agent, minute(approval.asked_at));
        let (rule, risk) = (&approval.rule, risk_word(approval.risk));
        let now = quote(&approval.summary);
        let Some(edited) = &approval.edited else {
            let text = format!("{agent} stopped {at} to ask for {now}. Rule {rule} → {risk}");
            return (text, asked.into_iter().collect());
        };
        let first = own.map_or_else(|| "?".into(), quote);
        let by = &edited.by;
        let text = format!(
            "{agent} stopped {at} to ask for {first}; {by} changed it to {now}, which waits. \
             Rule {rule} → {risk}"
        );
        let change = self.last(|recorded| match &recorded.event {
            Event::ApprovalEdited(ApprovalEdited { approval: id, .. }) => *id == approval.id,
            _ => false,
        });
        (text, asked.into_iter().chain(change).collect())
    }

    /// Returns where the task stands.
    fn stands(&self, arrival: Option<&Recorded>) -> String {
        let by = arrival.map_or_else(|| "?".into(), |found| found.actor.to_string());
        let since = minute(self.task.state_since);
        match self.task.state {
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
        let (mut parts, mut events) = self.hands();
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

    /// Returns who did it, by runs and spend, and who has it now.
    fn hands(&self) -> (Vec<String>, Vec<&'a Recorded>) {
        let did = |name: &AgentName| {
            let one = self.facts.worked.iter().find(|one| one.agent == *name);
            one.map(|one| {
                let runs = plural(one.runs, "run");
                let unpriced = one.at_most_uusd.map(|_| CostState::Unpriced);
                let rest = self.task.cost_state.filter(|known| *known != CostState::Unpriced);
                let known = unpriced.or(rest);
                format!(" ({runs}, {})", money::shown(one.cost_uusd, known))
            })
        };
        let has = |name: &AgentName| {
            let row = self.facts.agents.iter().find(|agent| agent.name == *name);
            let parent = row.and_then(|agent| agent.parent.as_ref());
            let child = parent.map(|parent| format!(", sub-agent of {parent}")).unwrap_or_default();
            format!("{name}{}{child}", did(name).unwrap_or_default())
        };
        let now: Vec<String> = self.task.assignees.iter().map(has).collect();
        let others = self.facts.worked.iter().map(|one| &one.agent);
        let others = others.filter(|name| !self.task.assignees.contains(name));
        let before: Vec<String> =
            others.map(|name| format!("{name}{}", did(name).unwrap_or_default())).collect();
        if now.is_empty() {
            let did =
                if before.is_empty() { "nobody did anything".into() } else { before.join(", ") };
            let by = &self.task.created_by;
            let created = |r: &Recorded| matches!(r.event, Event::TaskCreated { .. });
            let parts = vec![did, "nobody has it".into(), format!("created by {by}")];
            return (parts, self.last(created).into_iter().collect());
        }
        let gives = |r: &Recorded| match &r.event {
            Event::TaskClaimed { .. } => true,
            Event::TaskMoved { details, .. } => details.assignees.is_some(),
            Event::TaskUpdated { patch, .. } => patch.assignees.is_some(),
            Event::TaskCreated { task } => !task.assignees.is_empty(),
            _ => false,
        };
        let mut parts = if before.is_empty() {
            vec![now.join(", ")]
        } else {
            vec![
                format!("did it: {}", before.join(", ")),
                format!("has it now: {}", now.join(", ")),
            ]
        };
        parts.extend(
            self.task
                .by_rule
                .as_ref()
                .map(|by| format!("rec: given by {}: {}", by.rule, redact::preview(&by.why, 200))),
        );
        (parts, self.last(gives).into_iter().collect())
    }

    fn why(&self) -> Answer {
        let mut parts = Vec::new();
        let mut events = Vec::new();
        if let Some(approval) = self.all_pending().first() {
            parts.push(format!("rec: {}", redact::preview(&approval.reason, 200)));
            if let Some(words) = &approval.justification {
                parts.push(format!("says {}", quote(words)));
            }
            events.extend(self.asked(approval));
        } else if let Some((arrival, words)) = self.arrival().and_then(|r| Some((r, reason(r)?))) {
            parts.push(told(arrival, words));
            if let Some((granted, why)) = self.granted(arrival) {
                parts.push(why);
                events.push(granted);
            }
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

    /// Returns what was granted when the task went on after an approval: what it was about, and why
    /// it had been asked.
    fn granted(&self, arrival: &Recorded) -> Option<(&'a Recorded, String)> {
        let Event::TaskMoved { from: TaskState::NeedsApproval, .. } = &arrival.event else {
            return None;
        };
        let closed =
            self.last(|r| r.seq <= arrival.seq && matches!(r.event, Event::ApprovalClosed { .. }))?;
        let Event::ApprovalClosed { approval: id, status, .. } = &closed.event else { return None };
        let row = self.facts.approvals.iter().find(|one| one.id == *id)?;
        let (act, reason) = (quote(&row.summary), redact::preview(&row.reason, 200));
        Some((closed, format!("rec: {id} {}: {act}, asked because {reason}", status.as_str())))
    }

    fn cost(&self) -> Answer {
        let task = self.task;
        let is_unpriced = task.cost_state == Some(CostState::Unpriced);
        let used = |r: &&Recorded| matches!(r.event, Event::RunUsed { .. });
        let last = self.timeline.iter().rev().find(used);
        let mut parts = Vec::new();
        if last.is_none() && task.spent_uusd.0 == 0 && task.tokens.total() == 0 {
            parts.push(format!("{} of {}, nothing is recorded", task.spent_uusd, task.budget_uusd));
        } else {
            let share = task.spent_uusd.0.saturating_mul(100).checked_div(task.budget_uusd.0);
            let share = share.map_or_else(|| "?".into(), |share| format!("{share}%"));
            let counted: Vec<_> =
                self.facts.worked.iter().filter_map(|one| one.at_most_uusd).collect();
            let counted = (!counted.is_empty()).then(|| counted.into_iter().sum());
            let (spent, share) = match counted.filter(|_| is_unpriced) {
                Some(counted) => (money::at_most(task.spent_uusd, counted), "?".into()),
                None => (money::shown(task.spent_uusd, task.cost_state), share),
            };
            parts.push(format!("{spent} of {} ({share})", task.budget_uusd));
            parts.push(format!("{} tokens", count(task.tokens.total())));
        }
        if is_unpriced {
            parts.push("unpriced: no price is known, budgets count the dearest rate".into());
        }
        let failed = |r: &&Recorded| match &r.event {
            Event::RunFinished { status, .. } => {
                matches!(status, RunStatus::Failed | RunStatus::TimedOut)
            }
            _ => false,
        };
        let failed = self.timeline.iter().filter(failed).count();
        let runs = plural(task.runs, "run");
        parts.push(if failed == 0 { runs } else { format!("{runs}, {failed} failed") });
        answer(parts.join(" · "), last)
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

/// Returns a number that is short enough for a line: `1500`, `231k`.
fn count(number: i64) -> String {
    match number {
        ..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{}k", number / 1_000),
        _ => format!("{}.{}M", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}
