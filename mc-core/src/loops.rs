//! Loops: work that goes in circles (SPEC.md, section 9).
//!
//! Pure: given the newest messages of a task, or the newest calls, questions or runs of an agent, it
//! says whether a limit was passed by the newest of them. The daemon asks with every event that could
//! pass one.

mod agent;
mod circles;
mod found;
mod shape;
pub mod trace;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use agent::{in_failures, in_questions, in_runs};
pub use circles::{OpenCalls, in_circles, left_behind, may_go_on};
pub use found::{Containment, Found, Sign, summary};
pub use shape::{alike, shape, signature};

use crate::{
    run::{CallStatus, ToolCall},
    time::{Span, Timestamp},
};

/// In whose name the daemon contains a loop, and writes its summary.
pub const AUTHOR: &str = "loops";

/// How many calls of an agent are looked through for those on one task.
pub const CALLS_BACK: u32 = 200;

/// How much repetition is let pass. A count is the last one that is still no loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LoopRules {
    /// Messages of agents on one task, of whatever kind, within `comments_within`.
    pub comments: u32,
    /// How long a message counts.
    pub comments_within: Span,
    /// Messages of the same two agents in turn, within `turns_within`.
    pub turns: u32,
    /// How long a turn counts.
    pub turns_within: Span,
    /// How often a task may be sent back from review; the next time blocks it.
    pub review_cycles: u32,
    /// Calls of one tool in a row that end with the same error.
    pub same_error: u32,
    /// Calls of one tool in a row with the same arguments and the same result.
    pub same_call: u32,
    /// Calls of an agent on a task in a row that are no more than three different ones, whatever
    /// their end, or none.
    pub circles: u32,
    /// The same where numbers and ids in the arguments make no difference.
    pub circles_alike: u32,
    /// Failures of one call the same way, among as many calls as are looked at for circles, whatever
    /// else was called in between.
    pub retries: u32,
    /// Questions in a row that their agent took back itself; more quarantine it.
    pub withdrawn: u32,
    /// Runs of an agent on a task in a row that did not succeed.
    pub lost_runs: u32,
    /// Failures of an agent in a row; this many quarantine it.
    pub error_streak: u32,
}

impl Default for LoopRules {
    fn default() -> Self {
        Self {
            comments: 20,
            comments_within: Span::minutes(30),
            turns: 8,
            turns_within: Span::minutes(10),
            review_cycles: 3,
            same_error: 3,
            same_call: 5,
            circles: 20,
            circles_alike: 40,
            retries: 10,
            withdrawn: 5,
            lost_runs: 10,
            error_streak: 5,
        }
    }
}

impl LoopRules {
    /// Returns how many ended calls have to be looked at.
    pub fn calls_needed(&self) -> u32 {
        self.same_error.max(self.same_call).saturating_add(1)
    }

    /// Returns how many calls on a task have to be looked at, with the one that goes on.
    pub fn circle_needed(&self) -> u32 {
        self.circles.max(self.circles_alike).saturating_add(2)
    }

    /// Returns how many messages of a thread have to be looked at.
    pub fn messages_needed(&self) -> u32 {
        self.comments.max(self.turns).saturating_add(1)
    }
}

/// Begins of rules whose denials are about the moment and not about the call: a pause, too many
/// questions or a slow disk is no loop of the agent's.
const OF_THE_MOMENT: &[&str] =
    &["squad.", "agent.", "run.", "limits.", "path.unseen", "task.blocked"];

/// Says whether a denial by `rule` is about the moment, so that its repetition is no loop.
pub fn is_of_the_moment(rule: &str) -> bool {
    OF_THE_MOMENT.iter().any(|begin| rule.starts_with(begin))
}

/// A message of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The agent.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

/// Looks at the messages of agents on one task, newest first, none older than the last unblocking and
/// the last Loop Summary.
pub fn in_thread(rules: &LoopRules, said: &[Said]) -> Option<Found> {
    let now = said.first()?.at;
    let within = |span: Span| {
        let span = span.duration();
        // What a clock that was set back since then puts into the future counts no more.
        said.iter().take_while(move |one| one.at <= now && now.since(one.at) <= span)
    };
    let in_turn = alternating(within(rules.turns_within).map(|one| one.who.as_str()));
    if in_turn.count > rules.turns {
        let what = format!("{} answered each other {} times", in_turn.names(), in_turn.count);
        return Some(Found::new(Sign::Turns, (in_turn.count, rules.turns), in_turn.who, what));
    }
    let count = counted(within(rules.comments_within).count());
    (count > rules.comments).then(|| {
        let who = most_first(within(rules.comments_within).map(|one| one.who.as_str()));
        let what = format!("{count} messages of agents within {}", rules.comments_within);
        Found::new(Sign::Comments, (count, rules.comments), who, what)
    })
}

/// Returns each name once, first the one that comes most often.
fn most_first<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut counts: Vec<(usize, &str)> = Vec::new();
    for name in names {
        match counts.iter_mut().find(|(_, known)| *known == name) {
            Some((count, _)) => *count += 1,
            None => counts.push((1, name)),
        }
    }
    counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    counts.into_iter().map(|(_, name)| name.to_owned()).collect()
}

struct Alternation {
    who: Vec<String>,
    count: u32,
}

impl Alternation {
    fn names(&self) -> String {
        self.who.join(" and ")
    }
}

/// Counts how many of the newest messages come from the same two agents in turn.
fn alternating<'a>(newest_first: impl Iterator<Item = &'a str>) -> Alternation {
    let mut pair: Vec<&str> = Vec::new();
    let mut last = "";
    let mut count = 0;
    for who in newest_first {
        if who == last || (pair.len() == 2 && !pair.contains(&who)) {
            break;
        }
        if !pair.contains(&who) {
            pair.push(who);
        }
        last = who;
        count += 1;
    }
    let count = if pair.len() == 2 { count } else { 0 };
    Alternation { who: pair.iter().rev().map(|who| (*who).to_owned()).collect(), count }
}

/// Looks at the calls of one agent after one has ended or was denied: at the ended ones, newest first,
/// and at all on the task of that one, newest first. None is older than the agent's last resumption or
/// the last unblocking of the task.
pub fn in_calls(rules: &LoopRules, ended: &[ToolCall], on_task: &[ToolCall]) -> Option<Found> {
    // What only warns comes last: it must not hide what is contained.
    in_a_row(rules, ended)
        .or_else(|| in_circles(rules, on_task))
        .or_else(|| nearly_in_a_row(rules, ended))
}

/// Looks for equal errors and equal calls in a row.
fn in_a_row(rules: &LoopRules, ended: &[ToolCall]) -> Option<Found> {
    let newest = ended.first()?;
    let tool = &newest.tool;
    if let Some(error) = newest.signature.as_ref().filter(|_| newest.status == CallStatus::Failed) {
        let count = row(ended, |call| call.signature.as_ref() == Some(error));
        if count > rules.same_error {
            let what = format!("{tool} failed {count} times in a row the same way: \"{error}\"");
            return Some(Found::of(newest, Sign::SameError, (count, rules.same_error), what));
        }
    }
    let outcome = outcome(newest)?;
    let count = row(ended, |call| {
        call.arguments_sha256 == newest.arguments_sha256
            && self::outcome(call).as_ref() == Some(&outcome)
    });
    (count > rules.same_call).then(|| {
        let what = format!(
            "{tool} was called {count} times in a row with the same arguments and the same result: \
             \"{}\"",
            newest.preview
        );
        Found::of(newest, Sign::SameCall, (count, rules.same_call), what)
    })
}

/// Looks for calls in a row that are equal but for numbers and ids.
fn nearly_in_a_row(rules: &LoopRules, ended: &[ToolCall]) -> Option<Found> {
    let newest = ended.first()?;
    let (outcome, shape) = (outcome(newest)?, newest.shape_sha256.as_ref()?);
    let count = row(ended, |call| {
        call.shape_sha256.as_ref() == Some(shape) && self::outcome(call).as_ref() == Some(&outcome)
    });
    (count > rules.same_call).then(|| {
        let what = format!(
            "{} was called {count} times in a row with arguments that differ only in numbers, with \
             the same result: \"{}\"",
            newest.tool, newest.preview
        );
        Found::of(newest, Sign::NearlySameCall, (count, rules.same_call), what)
    })
}

/// Counts how many of the newest calls are of the newest one's tool and the same.
fn row(ended: &[ToolCall], is_same: impl Fn(&ToolCall) -> bool) -> u32 {
    let tool = ended.first().map(|call| &call.tool);
    counted(ended.iter().take_while(|call| Some(&call.tool) == tool && is_same(call)).count())
}

/// Returns what became of a call, so that the same result is known again; `None` while it is open.
fn outcome(call: &ToolCall) -> Option<(CallStatus, &str)> {
    match call.status {
        CallStatus::Succeeded => {
            let result = call.outcome_sha256.as_deref().or(call.result_sha256.as_deref());
            Some((call.status, result.unwrap_or_default()))
        }
        CallStatus::Failed => Some((call.status, call.signature.as_deref().unwrap_or_default())),
        CallStatus::Denied => Some((call.status, &call.rule)),
        CallStatus::Allowed | CallStatus::Waiting | CallStatus::Dropped => None,
    }
}

fn counted(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
