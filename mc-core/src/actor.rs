//! Who acts, and how sure we are of it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The three kinds of actors of SPEC.md, section 2.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// An operator.
    Human,
    /// A registered agent.
    Agent,
    /// The daemon itself.
    System,
}

/// How sure we are that a human did it; see docs/SECURITY.md.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum Level {
    /// The uid stands in the operator list.
    #[default]
    L0,
    /// L0 and the passphrase, on a uid that an agent uses too.
    L1,
    /// The passphrase, on a uid that no agent uses.
    L2,
    /// L2 and a second factor for this one decision.
    L3,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::L0 => "L0",
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L3 => "L3",
        })
    }
}

/// What an operator may do.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    #[default]
    Viewer,
    /// Everything daily: approvals, pause, drain, quarantine.
    Operator,
    /// Policy, tokens, budgets, resume after an emergency, backup.
    Admin,
}

/// Who did it: a kind, a name and, for a human, the assurance level of the act.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Actor {
    /// Human, agent or system.
    pub kind: ActorKind,
    /// The operator's or agent's name; for the system the part of it that acted (`timer`, `policy`).
    pub name: String,
    /// The assurance level of a human act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
}

impl Actor {
    /// Returns an operator who acts at `level`.
    pub fn human(name: impl Into<String>, level: Level) -> Self {
        Self { kind: ActorKind::Human, name: name.into(), level: Some(level) }
    }

    /// Returns an agent.
    pub fn agent(name: impl Into<String>) -> Self {
        Self { kind: ActorKind::Agent, name: name.into(), level: None }
    }

    /// Returns the daemon; `part` says which part of it acts.
    pub fn system(part: impl Into<String>) -> Self {
        Self { kind: ActorKind::System, name: part.into(), level: None }
    }

    /// Says whether this is the agent called `name`.
    pub fn is_agent(&self, name: &str) -> bool {
        self.kind == ActorKind::Agent && self.name == name
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ActorKind::System => write!(f, "system ({})", self.name),
            ActorKind::Human | ActorKind::Agent => f.write_str(&self.name),
        }
    }
}
