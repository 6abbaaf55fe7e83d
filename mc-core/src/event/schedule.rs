//! What is changed of a schedule.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::ScheduleId,
    schedule::{SchedulePatch, ScheduleStatus},
    time::Timestamp,
};

/// Fields of a schedule were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduleUpdated {
    /// The schedule.
    pub schedule: ScheduleId,
    /// What changed.
    pub patch: Box<SchedulePatch>,
    /// Whether its times changed, which count from now on.
    pub restart: bool,
    /// When it is due next.
    pub next_at: Option<Timestamp>,
}

/// A schedule was paused, resumed or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduleStatusChanged {
    /// The schedule.
    pub schedule: ScheduleId,
    /// What it was.
    pub from: ScheduleStatus,
    /// What it is.
    pub to: ScheduleStatus,
    /// When it is due next.
    pub next_at: Option<Timestamp>,
}
