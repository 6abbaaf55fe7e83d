//! The tasks that an emergency stop holds: what is to be blocked, what it blocked, what goes back.

use mc_core::{
    id::{Seq, TaskId},
    squad::StoppedTask,
    task::TaskState,
};
use rusqlite::Row;

use super::Reader;
use crate::store::StoreError;

/// How many of them the squad shows.
const SHOWN: i64 = 200;

/// What is to be done with a task that a stop holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is to be blocked.
    Open,
    /// It is to be moved back.
    Back,
}

impl Phase {
    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Back => "back",
        }
    }
}

/// A task with which something is to be done, and the event that asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The task, and where the stop found it.
    pub stopped: StoppedTask,
    /// The event.
    pub ordered: Seq,
}

fn held(row: &Row<'_>) -> rusqlite::Result<Held> {
    let from: String = row.get(1)?;
    let from: TaskState = from.parse().map_err(|why: String| {
        rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, why.into())
    })?;
    let stopped = StoppedTask { task: TaskId(row.get(0)?), from };
    Ok(Held { stopped, ordered: row.get(2)? })
}

fn rows(db: Reader<'_>, sql: &str, params: impl rusqlite::Params) -> Result<Vec<Held>, StoreError> {
    let mut statement = db.connection().prepare_cached(sql)?;
    let rows = statement.query_map(params, held)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns the first tasks with which that is to be done, in the order of their numbers.
///
/// # Errors
///
/// When the store can't be read.
pub fn next(db: Reader<'_>, phase: Phase, limit: i64) -> Result<Vec<Held>, StoreError> {
    let sql = "SELECT task, origin, ordered FROM stopped_tasks WHERE phase = ?1
               ORDER BY task LIMIT ?2";
    rows(db, sql, (phase.word(), limit))
}

/// Returns with how many tasks that is to be done.
///
/// # Errors
///
/// When the store can't be read.
pub fn left(db: Reader<'_>, phase: Phase) -> Result<i64, StoreError> {
    db.number("SELECT count(*) FROM stopped_tasks WHERE phase = ?1", [phase.word()])
}

/// Returns how many tasks a stop holds.
///
/// # Errors
///
/// When the store can't be read.
pub fn count(db: Reader<'_>) -> Result<i64, StoreError> {
    db.number("SELECT count(*) FROM stopped_tasks", [])
}

/// Returns the first tasks that a stop holds.
///
/// # Errors
///
/// When the store can't be read.
pub fn first(db: Reader<'_>) -> Result<Vec<StoppedTask>, StoreError> {
    let sql = "SELECT task, origin, ordered FROM stopped_tasks ORDER BY task LIMIT ?1";
    Ok(rows(db, sql, [SHOWN])?.into_iter().map(|row| row.stopped).collect())
}

/// Returns where a stop found a task that it holds.
///
/// # Errors
///
/// When the store can't be read.
pub fn one(db: Reader<'_>, task: TaskId) -> Result<Option<StoppedTask>, StoreError> {
    let sql = "SELECT task, origin, ordered FROM stopped_tasks WHERE task = ?1";
    Ok(rows(db, sql, [task.0])?.pop().map(|row| row.stopped))
}
