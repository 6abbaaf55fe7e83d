//! Agents: who they are, what they may do and what they have spent.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    id::{RunId, Seq, TaskId},
    money::{CostState, MicroUsd},
    time::Timestamp,
};

/// Names that @mentions and listings need for themselves.
pub const RESERVED_NAMES: &[&str] = &["operator", "all", "system", "human", "agent", "me"];

/// The unique name of an agent: a slug of 1 to 32 characters from `a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct AgentName(String);

/// A text that can't name an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a slug.
    #[error(
        "`{0}` is no agent name: use 1 to 32 of a-z, 0-9, `_` and `-`, first a letter or digit"
    )]
    Shape(String),
    /// A word that means something else.
    #[error("`{0}` is a reserved word and names no agent")]
    Reserved(String),
}

impl AgentName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AgentName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let shaped = text.len() <= 32
            && text.bytes().next().is_some_and(plain)
            && text.bytes().all(|b| plain(b) || b == b'_' || b == b'-');
        if !shaped {
            return Err(NameError::Shape(text.chars().take(40).collect()));
        }
        if RESERVED_NAMES.contains(&text) {
            return Err(NameError::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::ops::Deref for AgentName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for AgentName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// How far an agent may go by itself (SPEC.md, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Autonomy {
    /// Reads, comments, researches; everything else is asked.
    Intern,
    /// YELLOW inside allowlists and budgets; RED is asked.
    #[default]
    Specialist,
    /// YELLOW is allowed; RED is asked; assigns Inbox tasks and reviews.
    Lead,
}

impl Autonomy {
    /// Returns the default daily cap.
    pub const fn daily_cap(self) -> MicroUsd {
        match self {
            Self::Intern => MicroUsd::cents(200),
            Self::Specialist => MicroUsd::cents(500),
            Self::Lead => MicroUsd::cents(1_200),
        }
    }

    /// Returns the default cap of one run.
    pub const fn run_cap(self) -> MicroUsd {
        match self {
            Self::Intern => MicroUsd::cents(25),
            Self::Specialist => MicroUsd::cents(75),
            Self::Lead => MicroUsd::cents(150),
        }
    }
}

/// What an operator has decided about an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentStatus {
    /// Works.
    #[default]
    Active,
    /// No new run, no tool call; a running turn is aborted.
    Paused,
    /// Finishes its task, takes nothing new, then becomes paused.
    Drained,
    /// Stopped at once; its token is refused for everything but heartbeat.
    Quarantined,
    /// Retired.
    Stopped,
}

impl AgentStatus {
    /// Says whether the agent's token is good for heartbeats alone.
    pub const fn is_barred(self) -> bool {
        matches!(self, Self::Quarantined | Self::Stopped)
    }
}

/// Whether an agent has been heard of; derived, never stored. The policy sets the limits
/// (`[agents]`, see [`crate::life`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// A heartbeat lately.
    Online,
    /// None for 5 minutes, as the policy has it by default.
    Late,
    /// None for 30 minutes, or never.
    #[default]
    Offline,
}

/// What runs the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// An OpenClaw gateway.
    Openclaw,
    /// Claude Code.
    ClaudeCode,
    /// Codex CLI.
    Codex,
    /// An MCP client.
    Mcp,
    /// Anything else.
    #[default]
    Other,
}

/// A registered agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// Its unique name.
    pub name: AgentName,
    /// Grows by one with every change.
    pub rev: i64,
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// How far it may go by itself.
    pub autonomy: Autonomy,
    /// What an operator has decided about it.
    pub status: AgentStatus,
    /// Why it has that status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// Since when it has this status; `None` for as long as it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_since: Option<Timestamp>,
    /// The event that keeps how it stood when it was last quarantined; see `agent.evidence`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Seq>,
    /// What runs it.
    pub runtime: Runtime,
    /// Where it works: the absolute path of its workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The task types that it may claim; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_types: Vec<String>,
    /// The only tools it may use; empty means that the policy decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools_allow: Vec<String>,
    /// Tools that it may never use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools_deny: Vec<String>,
    /// What it may spend in a day.
    pub daily_cap_uusd: MicroUsd,
    /// What one of its runs may spend.
    pub run_cap_uusd: MicroUsd,
    /// Whether it may register children.
    #[serde(default)]
    pub can_spawn: bool,
    /// The agent that spawned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<AgentName>,
    /// What it was spawned for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The task that it was spawned for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<TaskId>,
    /// The task that it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_task: Option<TaskId>,
    /// Its newest run that has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_run: Option<RunId>,
    /// Failed runs and calls in a row.
    #[serde(default)]
    pub error_streak: i64,
    /// Since when repetition in its calls counts: its last resumption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_since: Option<Timestamp>,
    /// The day that `spent_today_uusd` counts, `YYYY-MM-DD` in the configured zone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub spend_day: String,
    /// What it spent on `spend_day`.
    #[serde(default)]
    pub spent_today_uusd: MicroUsd,
    /// How that is known, the least certain of all; `None` when nothing was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_today_state: Option<CostState>,
    /// What it spent in all.
    #[serde(default)]
    pub spent_uusd: MicroUsd,
    /// How that is known, the least certain of all; `None` when nothing was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_state: Option<CostState>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// By how much the wall clock was set since then, in milliseconds: no part of the age of a
    /// sub-agent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_moved_ms: i64,
    /// When its last recorded work happened: a run, a call or a move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_work_at: Option<Timestamp>,
}

impl Agent {
    /// Says whether it was spawned for a task, and so ends with it and with its parent.
    pub const fn is_sub_agent(&self) -> bool {
        self.parent.is_some() && self.serves.is_some()
    }

    /// Returns when it was registered, by the wall clock as it is set now.
    pub const fn lives_since(&self) -> Timestamp {
        Timestamp(self.created_at.0.saturating_add(self.clock_moved_ms))
    }

    /// Returns what it spent on `day`.
    pub fn spent_on(&self, day: &str) -> MicroUsd {
        if self.spend_day == day { self.spent_today_uusd } else { MicroUsd::ZERO }
    }

    /// Returns how what it spent on `day` is known.
    pub fn state_on(&self, day: &str) -> Option<CostState> {
        self.spent_today_state.filter(|_| self.spend_day == day)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// What `agent.update` changes; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentPatch {
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// How far it may go by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autonomy: Option<Autonomy>,
    /// The absolute path of its workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The task types that it may claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_types: Option<Vec<String>>,
    /// The only tools it may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools_allow: Option<Vec<String>>,
    /// Tools that it may never use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools_deny: Option<Vec<String>>,
    /// What it may spend in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cap_uusd: Option<MicroUsd>,
    /// What one of its runs may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_cap_uusd: Option<MicroUsd>,
    /// Whether it may register children.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub can_spawn: Option<bool>,
    /// Free labels; replaces all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_short_slug_and_no_reserved_word() {
        for good in ["kestrel", "a", "7of9", "dev-2_b"] {
            assert!(good.parse::<AgentName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "Kestrel", "a b", "é", "operator", "all", &"a".repeat(33)] {
            assert!(bad.parse::<AgentName>().is_err(), "{bad}");
        }
    }
}
