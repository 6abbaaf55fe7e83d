//! What events mean for schedules.

use mc_core::{
    event::{Event, Recorded, ScheduleStatusChanged, ScheduleUpdated},
    id::ScheduleId,
    schedule::{self, TaskSchedule, Turn},
};
use rusqlite::{Params, params};

use super::{deliveries, json, word};
use crate::store::{
    StoreError,
    queries::{self, Fail, Reader},
};

/// Applies an event about schedules, or hands it on.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds are handed on")]
pub(super) fn apply(db: Reader<'_>, recorded: &Recorded) -> Result<(), Fail> {
    match &recorded.event {
        Event::ScheduleCreated { schedule } => Ok(put(db, schedule)?),
        Event::ScheduleUpdated(ScheduleUpdated { schedule, .. })
        | Event::ScheduleStatusChanged(ScheduleStatusChanged { schedule, .. }) => {
            folded(db, *schedule, recorded)
        }
        Event::ScheduleCame { schedule, turn } => {
            occurred(db, *schedule, turn)?;
            folded(db, *schedule, recorded)
        }
        _ => deliveries::apply(db, recorded),
    }
}

fn folded(db: Reader<'_>, id: ScheduleId, recorded: &Recorded) -> Result<(), Fail> {
    let mut row = queries::schedule_of(db, id)?;
    schedule::fold(&mut row, recorded);
    Ok(put(db, &row)?)
}

/// An occurrence that has its task already would be a second one: then nothing is kept at all.
fn occurred(db: Reader<'_>, id: ScheduleId, turn: &Turn) -> Result<(), StoreError> {
    let sql = "INSERT INTO occurrences (schedule, due_ms, task) VALUES (?1, ?2, ?3)";
    turn.made.iter().try_for_each(|made| execute(db, sql, (id.0, made.due.0, made.task.0)))
}

fn put(db: Reader<'_>, row: &TaskSchedule) -> Result<(), StoreError> {
    let sql = "INSERT INTO task_schedules (id, status, next_ms, body) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (id) DO UPDATE SET status = ?2, next_ms = ?3, body = ?4";
    let next_ms = row.next_at.map(|at| at.0);
    execute(db, sql, params![row.id.0, word(&row.status)?, next_ms, json(row)?])
}

fn execute(db: Reader<'_>, sql: &str, params: impl Params) -> Result<(), StoreError> {
    db.connection().prepare_cached(sql)?.execute(params)?;
    Ok(())
}
