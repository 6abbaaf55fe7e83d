//! Schedules on the wire: what creates tasks again and again.

use mc_core::{
    id::ScheduleId,
    schedule::{CatchUp, MadeTask, SchedulePatch, TaskSchedule, TaskTemplate},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `schedule.create`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ScheduleCreate")]
pub struct Create {
    /// When, in five fields: minute, hour, day, month and weekday.
    pub cron: String,
    /// The IANA zone of those, such as `Europe/Berlin`; the squad's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What becomes of occurrences that were missed; `once` by default.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// Whether nothing is created while its last task is open; true by default.
    #[serde(default = "yes")]
    pub skip_if_open: bool,
    /// The task.
    pub task: TaskTemplate,
}

const fn yes() -> bool {
    true
}

/// `schedule.update`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ScheduleUpdate")]
pub struct Update {
    /// The schedule.
    pub schedule: ScheduleId,
    /// The revision that the caller saw; another one is a conflict.
    pub rev: i64,
    /// What changes.
    pub set: SchedulePatch,
}

/// `schedule.list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ScheduleList")]
pub struct List {
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `schedule.get`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ScheduleGet")]
pub struct Get {
    /// The schedule.
    pub schedule: ScheduleId,
}

/// What `schedule.get` and `schedule.list` answer of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ScheduleView")]
pub struct View {
    /// The schedule.
    #[serde(flatten)]
    pub schedule: TaskSchedule,
    /// The next three occurrences; none while it is not active.
    pub next: Vec<Timestamp>,
    /// Its newest tasks, newest first, at most 20.
    pub tasks: Vec<MadeTask>,
}

macro_rules! of_schedule {
    ($($(#[$doc:meta])* $name:ident $schema:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(rename = $schema)]
        pub struct $name {
            /// The schedule.
            pub schedule: ScheduleId,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<String>,
        }
    )*};
}

of_schedule! {
    /// `schedule.pause`
    Pause "SchedulePause";
    /// `schedule.resume`
    Resume "ScheduleResume";
    /// `schedule.delete`
    Delete "ScheduleDelete";
}
