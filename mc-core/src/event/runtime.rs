//! How runtimes and their adapters come and go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::{AgentName, Runtime};

/// An adapter may speak for agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AdapterEnrolled {
    /// Its name.
    pub name: String,
    /// What it adapts.
    pub runtime: Runtime,
    /// The agents that it may name.
    pub agents: Vec<AgentName>,
    /// Hash of its token, in hex.
    pub token_sha256: String,
}

/// An adapter connected and said what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeAttached {
    /// The adapter's or agent's name.
    pub name: String,
    /// What it adapts.
    pub runtime: Runtime,
    /// The runtime's version.
    pub version: String,
    /// The agents that it serves.
    pub agents: Vec<AgentName>,
}

/// An adapter's connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeDetached {
    /// The adapter's or agent's name.
    pub name: String,
    /// What it adapted.
    pub runtime: Runtime,
}
