//! Schedules, and the occurrences that they created tasks for.

use mc_core::{
    id::{ScheduleId, TaskId},
    schedule::{MadeTask, TaskSchedule},
    time::Timestamp,
};

use super::Reader;
use crate::store::StoreError;

/// Returns the active schedules that are due at `now`, by number.
///
/// # Errors
///
/// When the store can't be read.
pub fn due_schedules(db: Reader<'_>, now: Timestamp) -> Result<Vec<TaskSchedule>, StoreError> {
    let sql = "SELECT body FROM task_schedules WHERE next_ms <= ?1 AND status = 'active'
               ORDER BY id LIMIT 200";
    db.bodies(sql, [now.0])
}

/// Says whether an occurrence has its task already.
///
/// # Errors
///
/// When the store can't be read.
pub fn has_occurred(
    db: Reader<'_>,
    schedule: ScheduleId,
    due: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM occurrences WHERE schedule = ?1 AND due_ms = ?2";
    Ok(db.number(sql, (schedule.0, due.0))? > 0)
}

/// Returns the newest tasks of a schedule with their occurrences, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn occurrences(
    db: Reader<'_>,
    schedule: ScheduleId,
    limit: i64,
) -> Result<Vec<MadeTask>, StoreError> {
    let sql = "SELECT task, due_ms FROM occurrences WHERE schedule = ?1
               ORDER BY due_ms DESC LIMIT ?2";
    let mut statement = db.connection().prepare_cached(sql)?;
    let rows = statement.query_map((schedule.0, limit), |row| {
        Ok(MadeTask { task: TaskId(row.get(0)?), due: Timestamp(row.get(1)?) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
