//! Loops: work that goes in circles (SPEC.md, section 9).
//!
//! Pure: given the newest messages of a task or the newest ended calls of an agent, it says
//! whether a limit was passed by the newest of them. The daemon asks with every event that could
//! pass one.

mod shape;
pub mod trace;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use shape::{shape, signature};

use crate::{
    run::{CallStatus, ToolCall},
    time::{Span, Timestamp},
};

/// In whose name the daemon contains a loop, and writes its summary.
pub const AUTHOR: &str = "loops";

/// How much repetition is let pass. A count is the last one that is still no loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LoopRules {
    /// Comments of agents on one task, within `comments_within`.
    pub comments: u32,
    /// How long a comment counts.
    pub comments_within: Span,
    /// Comments of the same two agents in turn, within `turns_within`.
    pub turns: u32,
    /// How long a turn counts.
    pub turns_within: Span,
    /// Calls of one tool in a row that end with the same error.
    pub same_error: u32,
    /// Calls of one tool in a row with the same arguments and the same result.
    pub same_call: u32,
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
            same_error: 3,
            same_call: 5,
            error_streak: 5,
        }
    }
}

impl LoopRules {
    /// Returns how many ended calls have to be looked at.
    pub fn calls_needed(&self) -> u32 {
        self.same_error.max(self.same_call).saturating_add(1)
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

/// What shows that work goes in circles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Too many comments on one task.
    Comments,
    /// Two agents answer each other again and again.
    Turns,
    /// A task was sent back too often.
    ReviewCycles,
    /// A tool fails the same way again and again.
    SameError,
    /// The same call with the same result again and again.
    SameCall,
    /// The same call but for numbers, with the same result.
    NearlySameCall,
    /// One failure after the other.
    ErrorStreak,
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Containment {
    /// A person is told.
    Warn,
    /// The task is blocked.
    Block,
    /// The agent is quarantined and its tasks are blocked.
    Quarantine,
}

impl Sign {
    /// Returns what is done about it.
    pub const fn containment(self) -> Containment {
        match self {
            Self::NearlySameCall => Containment::Warn,
            Self::Comments | Self::Turns | Self::ReviewCycles | Self::SameCall => {
                Containment::Block
            }
            Self::SameError | Self::ErrorStreak => Containment::Quarantine,
        }
    }

    /// Returns what a person could do next; `NAME` stands for the agent.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Comments | Self::Turns => {
                "decide what they can't agree on, say it in the thread, then unblock the task"
            }
            Self::ReviewCycles => "read the last feedback and decide: accept, rewrite, or cancel",
            Self::SameError => {
                "read `mcctl agent evidence NAME`, mend what the error names, then resume the agent \
                 and unblock"
            }
            Self::SameCall => "say in the thread what to do instead, then unblock the task",
            Self::NearlySameCall => "look whether the agent gets anywhere",
            Self::ErrorStreak => {
                "read `mcctl agent evidence NAME`; resume the agent when its errors are mended"
            }
        }
    }
}

/// A limit that was passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// By what.
    pub sign: Sign,
    /// How often.
    pub count: u32,
    /// What was still allowed.
    pub limit: u32,
    /// Who took part, in order of appearance.
    pub who: Vec<String>,
    /// What repeated, in a few words of the daemon; agents' words stand in quotes.
    pub what: String,
}

/// A comment of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The agent.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

/// Looks at the comments of agents on one task, newest first, none older than the last unblocking.
pub fn in_thread(rules: &LoopRules, said: &[Said]) -> Option<Found> {
    let now = said.first()?.at;
    let within = |span: Span| {
        let span = span.duration();
        said.iter().take_while(move |one| now.since(one.at) <= span)
    };
    let in_turn = alternating(within(rules.turns_within).map(|one| one.who.as_str()));
    if in_turn.count > rules.turns {
        return Some(Found {
            sign: Sign::Turns,
            count: in_turn.count,
            limit: rules.turns,
            what: format!("{} answered each other {} times", in_turn.names(), in_turn.count),
            who: in_turn.who,
        });
    }
    let count = counted(within(rules.comments_within).count());
    (count > rules.comments).then(|| {
        let mut who: Vec<String> = Vec::new();
        for one in within(rules.comments_within) {
            if !who.contains(&one.who) {
                who.push(one.who.clone());
            }
        }
        let what = format!("{count} comments of agents within {}", rules.comments_within);
        Found { sign: Sign::Comments, count, limit: rules.comments, who, what }
    })
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

/// Counts how many of the newest comments come from the same two agents in turn.
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

/// Looks at the ended calls of one agent, newest first, none older than its last resumption or
/// the last unblocking of the newest one's task.
pub fn in_calls(rules: &LoopRules, ended: &[ToolCall]) -> Option<Found> {
    let newest = ended.first()?;
    let run = |is_same: &dyn Fn(&ToolCall) -> bool| {
        counted(ended.iter().take_while(|call| call.tool == newest.tool && is_same(call)).count())
    };
    let found = |sign, count, limit, what: String| {
        Some(Found { sign, count, limit, who: vec![newest.agent.to_string()], what })
    };
    let tool = &newest.tool;
    if let Some(error) = newest.signature.as_ref().filter(|_| newest.status == CallStatus::Failed) {
        let count = run(&|call| call.signature.as_ref() == Some(error));
        if count > rules.same_error {
            let what = format!("{tool} failed {count} times in a row the same way: \"{error}\"");
            return found(Sign::SameError, count, rules.same_error, what);
        }
    }
    let outcome = outcome(newest)?;
    let is_same = |call: &ToolCall| self::outcome(call).as_ref() == Some(&outcome);
    let count = run(&|call| call.arguments_sha256 == newest.arguments_sha256 && is_same(call));
    if count > rules.same_call {
        let what = format!(
            "{tool} was called {count} times in a row with the same arguments and the same result: \
             \"{}\"",
            newest.preview
        );
        return found(Sign::SameCall, count, rules.same_call, what);
    }
    let shape = newest.shape_sha256.as_ref()?;
    let count = run(&|call| call.shape_sha256.as_ref() == Some(shape) && is_same(call));
    if count > rules.same_call {
        let what = format!(
            "{tool} was called {count} times in a row with arguments that differ only in numbers, \
             with the same result: \"{}\"",
            newest.preview
        );
        return found(Sign::NearlySameCall, count, rules.same_call, what);
    }
    None
}

/// Says whether an agent has failed too often in a row.
pub fn in_failures(rules: &LoopRules, agent: &str, streak: i64) -> Option<Found> {
    let count = u32::try_from(streak).unwrap_or(0);
    (count >= rules.error_streak).then(|| Found {
        sign: Sign::ErrorStreak,
        count,
        limit: rules.error_streak.saturating_sub(1),
        who: vec![agent.to_owned()],
        what: format!("{agent} has failed {count} times in a row"),
    })
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

/// Writes the Loop Summary for the thread: who, what repeated, what was tried, where they stand,
/// what could be done next. `tried` and `last_words` are agents' own words.
pub fn summary(found: &Found, tried: &[String], last_words: &[(String, String)]) -> String {
    let mut lines = vec![
        "**Loop Summary**".to_owned(),
        format!("- Who: {}", found.who.join(", ")),
        format!("- Repeated: {} (limit {})", found.what, found.limit),
    ];
    if !tried.is_empty() {
        lines.push("- Tried:".to_owned());
        lines.extend(tried.iter().map(|one| format!("  - \"{one}\"")));
    }
    if !last_words.is_empty() {
        lines.push("- Where they stand:".to_owned());
        lines.extend(last_words.iter().map(|(who, text)| format!("  - {who} says: \"{text}\"")));
    }
    let agent = found.who.first().map_or("NAME", String::as_str);
    lines.push(format!("- Next: {}", found.sign.advice().replace("NAME", agent)));
    lines.join("\n")
}

fn counted(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
