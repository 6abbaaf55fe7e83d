//! What was found, what is done about it, and how it is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{run::ToolCall, task::Task};

/// What shows that work goes in circles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Too many messages on one task.
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
    /// Nothing but the same few calls, whatever their end, or none.
    Circles,
    /// One call fails the same way again and again, with others in between.
    Retries,
    /// An agent asks and takes its question back, again and again.
    Withdrawn,
    /// One run on a task after the other comes to nothing.
    LostRuns,
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
    /// Returns what is done about it where the task is the agent's own.
    pub const fn containment(self) -> Containment {
        match self {
            Self::NearlySameCall => Containment::Warn,
            Self::Comments
            | Self::Turns
            | Self::ReviewCycles
            | Self::SameCall
            | Self::Circles
            | Self::Retries
            | Self::LostRuns => Containment::Block,
            Self::SameError | Self::Withdrawn | Self::ErrorStreak => Containment::Quarantine,
        }
    }

    /// Returns what a person could do next; `NAME` stands for the agent.
    const fn advice(self) -> &'static str {
        match self {
            Self::Comments | Self::Turns => {
                "decide what they can't agree on, say it in the thread, then unblock the task"
            }
            Self::ReviewCycles => "read the last feedback and decide: accept, rewrite, or cancel",
            Self::SameError => {
                "read `mcctl agent evidence NAME`, mend what the error names, then resume the agent \
                 and unblock"
            }
            Self::SameCall | Self::Circles => {
                "say in the thread what to do instead, then unblock the task"
            }
            Self::Retries => "mend what the error names, or say what to do instead, then unblock",
            Self::LostRuns => "look why its runs come to nothing, then unblock the task",
            Self::NearlySameCall => "look whether the agent gets anywhere",
            Self::Withdrawn => {
                "read `mcctl agent evidence NAME`, say what it may do, then resume the agent"
            }
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
    /// What is done about it.
    pub containment: Containment,
    /// Who took part; in a storm of messages, first the one that wrote most.
    pub who: Vec<String>,
    /// What repeated, in a few words of the daemon; agents' words stand in quotes.
    pub what: String,
}

impl Found {
    /// Returns that `count` passed `limit`.
    pub const fn new(
        sign: Sign,
        (count, limit): (u32, u32),
        who: Vec<String>,
        what: String,
    ) -> Self {
        Self { sign, count, limit, containment: sign.containment(), who, what }
    }

    /// Returns that the calls that `newest` is the last of passed a limit.
    pub(super) fn of(newest: &ToolCall, sign: Sign, passed: (u32, u32), what: String) -> Self {
        Self::new(sign, passed, vec![newest.agent.to_string()], what)
    }

    /// Returns it for where it happened: a task is blocked only where one of those who are to blame
    /// is its assignee. Others can't have it blocked, and are quarantined themselves.
    #[must_use]
    pub fn on(mut self, task: Option<&Task>) -> Self {
        let is_strange = |task: &Task| !self.blamed().iter().any(|name| task.is_assigned_to(name));
        if self.containment == Containment::Block
            && self.sign != Sign::ReviewCycles
            && task.is_some_and(is_strange)
        {
            self.containment = Containment::Quarantine;
        }
        self
    }

    /// Returns who is to blame: in a storm of messages the one that wrote most, else all.
    pub fn blamed(&self) -> &[String] {
        match self.sign {
            Sign::Comments => self.who.get(..1).unwrap_or_default(),
            Sign::Turns
            | Sign::ReviewCycles
            | Sign::SameError
            | Sign::SameCall
            | Sign::NearlySameCall
            | Sign::Circles
            | Sign::Retries
            | Sign::Withdrawn
            | Sign::LostRuns
            | Sign::ErrorStreak => &self.who,
        }
    }

    /// Returns what a person could do next; `NAME` stands for the agent.
    pub fn advice(&self) -> &'static str {
        if self.containment == self.sign.containment() {
            return self.sign.advice();
        }
        "read `mcctl agent evidence NAME`: the task is another's and goes on; resume the agent when \
         it is clear what it is to do"
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
    lines.push(format!("- Next: {}", found.advice().replace("NAME", agent)));
    lines.join("\n")
}
