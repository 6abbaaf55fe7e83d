//! What an emergency stop holds. The stop lists every open task in one statement; that each is then
//! blocked, and moved back later, is seen by its moves.

use mc_core::{
    event::{Event, Recorded},
    id::TaskId,
    squad::{Back, STOP_CAUSE, SquadStatus},
    task::TaskState,
};
use rusqlite::params;

use super::json;
use crate::store::{
    StoreError,
    queries::{Reader, stopped},
};

/// Every so many tasks that went back the squad is shown again.
const SHOWN_EVERY: i64 = 100;

fn execute(db: Reader<'_>, sql: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
    Ok(db.connection().prepare_cached(sql)?.execute(params)?)
}

/// Applies a change of the squad's status.
pub(super) fn status(db: Reader<'_>, recorded: &Recorded) -> Result<(), StoreError> {
    let Event::SquadStatusChanged { to, tasks, back, .. } = &recorded.event else { return Ok(()) };
    if *to == SquadStatus::Halted {
        return stop(db, recorded.seq);
    }
    if let Some(back) = back {
        order_back(db, back, recorded.seq)?;
    }
    for row in tasks {
        execute(db, "DELETE FROM stopped_tasks WHERE task = ?1", [row.task.0])?;
    }
    Ok(())
}

/// A stop holds every open task; what was on its way back stays where it is.
fn stop(db: Reader<'_>, seq: i64) -> Result<(), StoreError> {
    let sql = "UPDATE stopped_tasks SET phase = 'blocked', ordered = 0 WHERE phase = 'back'";
    execute(db, sql, [])?;
    let sql = "INSERT INTO stopped_tasks (task, origin, phase, ordered)
               SELECT id, state, 'open', ?1 FROM tasks
               WHERE state NOT IN ('blocked', 'done', 'canceled')
               ON CONFLICT (task) DO UPDATE
               SET origin = excluded.origin, phase = 'open', ordered = excluded.ordered";
    execute(db, sql, [seq]).map(drop)
}

fn order_back(db: Reader<'_>, back: &Back, seq: i64) -> Result<(), StoreError> {
    let numbers = back.tasks.as_ref().map(|all| all.iter().map(|id| id.0).collect::<Vec<_>>());
    let tasks = numbers.map(|numbers| json(&numbers)).transpose()?;
    let agents = back.agents.as_ref().map(json).transpose()?;
    let sql = "UPDATE stopped_tasks SET phase = 'back', ordered = ?1
               WHERE phase = 'blocked'
               AND (?2 IS NULL OR task IN (SELECT value FROM json_each(?2)))
               AND (?3 IS NULL OR EXISTS (
                   SELECT 1 FROM task_assignees a
                   WHERE a.task = stopped_tasks.task
                   AND a.agent IN (SELECT value FROM json_each(?3))))";
    execute(db, sql, params![seq, tasks, agents]).map(drop)
}

/// Applies a move of a task; says whether the squad is to be shown again.
pub(super) fn moved(
    db: Reader<'_>,
    recorded: &Recorded,
    (task, from, to): (TaskId, TaskState, TaskState),
) -> Result<bool, StoreError> {
    if from == TaskState::Blocked {
        // What leaves Blocked is no longer left over from a stop, whoever moved it.
        let sql = "DELETE FROM stopped_tasks WHERE task = ?1 AND phase = 'blocked'";
        if execute(db, sql, [task.0])? > 0 {
            return Ok(true);
        }
        let sql = "DELETE FROM stopped_tasks WHERE task = ?1";
        let gone = execute(db, sql, [task.0])? > 0;
        return Ok(gone && stopped::left(db, stopped::Phase::Back)? % SHOWN_EVERY == 0);
    }
    let sql = if to == TaskState::Blocked && recorded.cause == STOP_CAUSE {
        "UPDATE stopped_tasks SET phase = 'blocked', ordered = 0 WHERE task = ?1 AND phase = 'open'"
    } else if to == TaskState::Blocked || to.is_final() {
        "DELETE FROM stopped_tasks WHERE task = ?1 AND phase = 'open'"
    } else {
        let sql = "UPDATE stopped_tasks SET origin = ?2 WHERE task = ?1 AND phase = 'open'";
        execute(db, sql, params![task.0, to.as_str()])?;
        return Ok(false);
    };
    execute(db, sql, [task.0])?;
    Ok(false)
}
