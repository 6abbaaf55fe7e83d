//! Policy, audit and health on the wire.

use mc_core::{
    agent::AgentName,
    id::{Seq, TaskId},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `policy.get`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyGet {
    /// A version from [`PolicyHistory`]; by default the one in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
}

/// `policy.activate`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyActivate {
    /// The file's text, at most 1 MiB.
    pub toml: String,
    /// Why it is changed.
    pub note: String,
}

/// `policy.history`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyHistory {
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One version of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyVersion {
    /// From 1.
    pub version: i64,
    /// Hash of its text, in hex.
    pub sha256: String,
    /// The file, word for word.
    pub text: String,
    /// Who brought it into force.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What is wrong with the file on disk, when it was refused and this version stayed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Finding>,
}

/// `policy.validate`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyValidate {
    /// The file's text.
    pub toml: String,
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// From 1; 0 where it is not known.
    pub line: usize,
    /// From 1; 0 where it is not known.
    pub column: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// What `policy.validate` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    /// Whether the file would be taken.
    pub valid: bool,
    /// What is wrong with it; where it would be taken, what to look at once more.
    pub findings: Vec<Finding>,
}

/// `policy.test`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyTest {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: Value,
    /// The directory that it would run in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The agent that would ask; by default the caller, or a specialist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// The task that it would serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// A candidate instead of the policy in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toml: Option<String>,
}

/// `policy.offer`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyOffer {
    /// The task.
    pub task: TaskId,
    /// A candidate instead of the policy in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toml: Option<String>,
}

/// What `policy.offer` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offered {
    /// The task.
    pub task: TaskId,
    /// The rule that decides about it, such as `assign.code`; `None` where none is about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Who would get it; `None` where nobody can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Why this agent, or why nobody.
    pub why: String,
    /// Why no rule gives it out at the moment, whoever is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_now: Option<String>,
}

/// `audit.verify`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditVerify {
    /// A head that the caller remembers: sequence and hash, to notice a cut tail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remembered: Option<Remembered>,
}

/// A head of the journal, kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// The sequence.
    pub seq: Seq,
    /// The hash, in hex.
    pub hash: String,
}

/// What `audit.verify` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// Whether nothing was found.
    pub clean: bool,
    /// How many events were checked.
    pub events: i64,
    /// The newest event.
    pub head: Seq,
    /// Its hash, in hex.
    pub head_hash: String,
    /// What was found, at most 100 lines, each with its sequence.
    pub findings: Vec<String>,
}

/// `audit.export`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditExport {
    /// Only what came after this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Seq>,
    /// Only of this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A row of the journal with its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalRow {
    /// The event.
    #[serde(flatten)]
    pub recorded: mc_core::event::Recorded,
    /// Its hash, in hex.
    pub hash: String,
}

/// `admin.health`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthGet {}

/// How one part of the daemon is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// The part: `writer`, `policy`, `timers`, `runtimes`...
    pub name: String,
    /// Whether it works.
    pub healthy: bool,
    /// In words.
    pub detail: String,
}

/// What `admin.health` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Whether every part works.
    pub healthy: bool,
    /// The parts.
    pub parts: Vec<Part>,
    /// Connections that are open, agents and operators.
    pub connections: i64,
    /// Size of the database in bytes.
    pub database_bytes: i64,
    /// The newest event.
    pub head: Seq,
}

/// `protocol.describe`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtocolDescribe {}
