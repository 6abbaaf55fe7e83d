//! Schedules: what creates a task again each time it is due.

mod times;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    actor::Actor,
    agent::AgentName,
    event::{Event, Recorded, ScheduleStatusChanged, ScheduleUpdated},
    id::{ScheduleId, TaskId},
    money::MicroUsd,
    time::Timestamp,
};

pub use times::{AT_ONCE, COUNTED, Due, ON_TIME, Timetable};

/// What becomes of occurrences that nobody could make in time: the daemon was off, or the squad
/// stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are left out.
    Skip,
    /// One task is created for all of them, as of the newest.
    #[default]
    Once,
    /// A task is created for each, the newest 100 at most.
    All,
}

/// How a schedule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleStatus {
    /// Creates tasks.
    #[default]
    Active,
    /// Creates none, and makes up for none of them later.
    Paused,
    /// Is over; kept because its tasks name it.
    Deleted,
}

/// An occurrence of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Occurrence {
    /// The schedule.
    pub schedule: ScheduleId,
    /// When it was due.
    pub due: Timestamp,
}

/// The task that a schedule creates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskTemplate {
    /// One line, at most 512 bytes.
    pub title: String,
    /// Markdown, at most 64 KiB: what is to be done, and what is accepted as done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// One of the configured task types.
    #[serde(rename = "type")]
    pub task_type: String,
    /// 1 critical, 2 high, 3 normal (default), 4 low.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The agents that are to do it; without any it begins in Inbox, for the rules of assignment or
    /// whoever claims it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignees: Vec<AgentName>,
    /// The agents that are to judge it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviewers: Vec<AgentName>,
    /// The task that each is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// How long after its occurrence it should be done, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_in_s: Option<i64>,
    /// What it may cost; default by its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_uusd: Option<MicroUsd>,
}

/// Creates a task each time it is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskSchedule {
    /// Its number.
    pub id: ScheduleId,
    /// Grows by one with every change; what it creates is none.
    pub rev: i64,
    /// When: minute, hour, day, month and weekday.
    pub cron: String,
    /// The IANA zone of those.
    pub zone: String,
    /// What becomes of occurrences that were missed.
    pub catch_up: CatchUp,
    /// Whether nothing is created while its last task is open.
    pub skip_if_open: bool,
    /// The task.
    pub task: TaskTemplate,
    /// How it stands.
    pub status: ScheduleStatus,
    /// When it is due next; `None` while it is not active, or when there is no such time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Up to when its occurrences were looked at: none of before comes again.
    pub seen_until: Timestamp,
    /// The newest task that it created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_task: Option<TaskId>,
    /// How many tasks it has created.
    #[serde(default)]
    pub created: i64,
    /// How many occurrences came without one.
    #[serde(default)]
    pub left_out: i64,
    /// Who set it up.
    pub created_by: Actor,
    /// When it was set up.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What `schedule.update` changes; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SchedulePatch {
    /// When: minute, hour, day, month and weekday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// The IANA zone of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What becomes of occurrences that were missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,
    /// Whether nothing is created while its last task is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_if_open: Option<bool>,
    /// The task; replaces the whole of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskTemplate>,
}

/// A task and the occurrence that it was created for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MadeTask {
    /// The task.
    pub task: TaskId,
    /// When it was due.
    pub due: Timestamp,
}

/// What was made of the occurrences since a schedule was last looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// Up to when it was looked.
    pub seen_until: Timestamp,
    /// When it is due next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// The tasks that were created, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<MadeTask>,
    /// How many occurrences came without a task.
    #[serde(default)]
    pub left_out: i64,
    /// Whether there were more of those than were counted.
    #[serde(default)]
    pub is_more: bool,
    /// Why they were left out, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl TaskSchedule {
    /// Returns itself ready to be asked; what is stored was checked before.
    ///
    /// # Errors
    ///
    /// What is wrong with its expression or zone: the table of zones may have changed since.
    pub fn timetable(&self) -> Result<Timetable, Vec<crate::refusal::FieldError>> {
        Timetable::new(&self.cron, &self.zone)
    }

    /// Returns itself with `patch` applied.
    #[must_use]
    pub fn patched(mut self, patch: &SchedulePatch) -> Self {
        let SchedulePatch { cron, zone, catch_up, skip_if_open, task } = patch.clone();
        self.cron = cron.unwrap_or(self.cron);
        self.zone = zone.unwrap_or(self.zone);
        self.catch_up = catch_up.unwrap_or(self.catch_up);
        self.skip_if_open = skip_if_open.unwrap_or(self.skip_if_open);
        self.task = task.unwrap_or(self.task);
        self
    }
}

/// Applies what `recorded` means for `schedule`. It begins as the event that creates it says.
#[expect(clippy::wildcard_enum_match_arm, reason = "a schedule is blind to the other events")]
pub fn fold(schedule: &mut TaskSchedule, recorded: &Recorded) {
    match &recorded.event {
        Event::ScheduleUpdated(ScheduleUpdated { schedule: id, patch, restart, next_at })
            if *id == schedule.id =>
        {
            *schedule = schedule.clone().patched(patch);
            schedule.next_at = *next_at;
            if *restart {
                schedule.seen_until = recorded.at;
            }
        }
        Event::ScheduleStatusChanged(ScheduleStatusChanged {
            schedule: id, to, next_at, ..
        }) if *id == schedule.id => {
            schedule.status = *to;
            schedule.next_at = *next_at;
            schedule.seen_until = recorded.at;
        }
        Event::ScheduleCame { schedule: id, turn } if *id == schedule.id => {
            schedule.seen_until = turn.seen_until;
            schedule.next_at = turn.next_at;
            schedule.last_task = turn.made.last().map(|made| made.task).or(schedule.last_task);
            let made = i64::try_from(turn.made.len()).unwrap_or(i64::MAX);
            schedule.created = schedule.created.saturating_add(made);
            schedule.left_out = schedule.left_out.saturating_add(turn.left_out);
            return;
        }
        _ => return,
    }
    schedule.rev = schedule.rev.saturating_add(1);
    schedule.updated_at = recorded.at;
}
