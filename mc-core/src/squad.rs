//! The squad as a whole: whether it runs, and the emergency stop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{id::TaskId, task::TaskState, time::Timestamp};

/// Whether the squad works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SquadStatus {
    /// Works.
    #[default]
    Running,
    /// No new run, no tool call.
    Paused,
    /// Emergency stop: everything is refused until an admin resumes.
    Halted,
}

/// A task that an emergency stop moved to Blocked, and where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoppedTask {
    /// The task.
    pub task: TaskId,
    /// The state that it was in.
    pub from: TaskState,
}

/// The one row about the squad.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Squad {
    /// Its name.
    pub name: String,
    /// Whether it works.
    pub status: SquadStatus,
    /// Why it has that status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who gave it that status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What the last emergency stop moved to Blocked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<StoppedTask>,
    /// The policy version in force.
    #[serde(default)]
    pub policy_version: i64,
}
