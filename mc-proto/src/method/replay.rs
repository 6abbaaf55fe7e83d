//! `policy.replay` on the wire.

use mc_core::{
    agent::AgentName,
    id::CallId,
    policy::{Outcome, Risk},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `policy.replay`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyReplay {
    /// The candidate's text.
    pub toml: String,
    /// Only calls from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only calls before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many of the newest calls are looked at; 100000 by default, at most 1000000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What `policy.replay` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replayed {
    /// How many calls were judged again.
    pub replayed: i64,
    /// How many of them get the same outcome at the same risk.
    pub unchanged: i64,
    /// How many of them get another.
    pub changed: i64,
    /// What was not judged again, and why.
    pub left_out: Vec<LeftOut>,
    /// What would change, the most frequent first; at most 200.
    pub groups: Vec<Group>,
    /// Whether there are more groups than are listed, or more calls than `limit`.
    pub has_more: bool,
}

/// Calls that were not judged again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Why, in words.
    pub why: String,
    /// How many.
    pub count: i64,
}

/// An answer to a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    /// Allow, ask or deny.
    pub outcome: Outcome,
    /// The risk.
    pub risk: Risk,
    /// The rule that decided.
    pub rule: String,
}

/// Calls of one tool that change in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// What they got; a person's answer counts as `ask`.
    pub from: Side,
    /// What they would get.
    pub to: Side,
    /// The tool.
    pub tool: String,
    /// How many.
    pub count: i64,
    /// The newest of them, at most three.
    pub examples: Vec<Replay>,
}

/// A call that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replay {
    /// Its number.
    pub call: CallId,
    /// Who made it.
    pub agent: AgentName,
    /// Its arguments, redacted and cut.
    pub preview: String,
}
