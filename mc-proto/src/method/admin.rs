//! Policy, audit and health on the wire.

use mc_core::{
    agent::AgentName,
    id::{CallId, Seq, TaskId},
    policy::Outcome,
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `policy.get`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyGet {}

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
    /// What is wrong with it.
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

/// `policy.activate`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyActivate {
    /// The file's text; it takes the place of `policy.toml`.
    pub toml: String,
    /// Why it is changed.
    pub note: String,
    /// The version that it was made from; another one in force is a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
}

/// `policy.diff`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyDiff {
    /// The older version; the one before `to` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// The newer version; the one in force when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// A candidate instead of `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toml: Option<String>,
}

/// One setting that differs between two policies, defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// The setting, such as `paths.write`.
    pub field: String,
    /// What it was; missing when it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What it is; missing when it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// What `policy.diff` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Differences {
    /// The older version.
    pub from: i64,
    /// The newer version; 0 for a candidate.
    pub to: i64,
    /// What differs, by field.
    pub differences: Vec<Difference>,
    /// The two texts line by line, in the form of `diff -u`.
    pub text: String,
}

/// `policy.replay`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyReplay {
    /// The candidate.
    pub toml: String,
    /// Only calls from then on; the last 24 hours when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only calls before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// At most so many calls, newest first; 100,000 by default and at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// Calls whose decision would change in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedGroup {
    /// The tool.
    pub tool: String,
    /// The decision under the policy in force.
    pub from: Outcome,
    /// The rule that decided.
    pub from_rule: String,
    /// The decision under the candidate.
    pub to: Outcome,
    /// The rule that would decide.
    pub to_rule: String,
    /// How many calls.
    pub calls: i64,
    /// Some of them, newest first, at most 5.
    pub examples: Vec<ReplayedCall>,
}

/// A recorded call whose decision would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayedCall {
    /// The call.
    pub call: CallId,
    /// Whose it was.
    pub agent: AgentName,
    /// When.
    pub at: Timestamp,
    /// Its arguments in short, masked.
    pub preview: String,
    /// Why it would be decided so.
    pub reason: String,
}

/// What `policy.replay` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replay {
    /// How many calls were judged by both policies.
    pub calls: i64,
    /// How many were left out because their arguments were too long to be kept.
    pub skipped: i64,
    /// How many would be decided differently.
    pub changed: i64,
    /// How many more calls than the limit there are in the span.
    pub more: i64,
    /// The changes, largest group first.
    pub groups: Vec<ChangedGroup>,
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
