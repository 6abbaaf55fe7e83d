//! Tasks and what belongs to them.

use std::collections::BTreeMap;

use mc_core::{
    alert::Alert,
    approval::Approval,
    assign::Waiting,
    id::TaskId,
    message::Artifact,
    run::Run,
    task::{Task, TaskCard, TaskState},
};

use super::{Fail, OPEN_TASKS, Reader, counts, found};
use crate::store::StoreError;

/// Returns the tasks of an agent that are not closed, oldest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn open_tasks_of(db: Reader<'_>, agent: &str) -> Result<Vec<Task>, StoreError> {
    let sql = "SELECT t.body FROM task_assignees a JOIN tasks t ON t.id = a.task
               WHERE a.agent = ?1 AND t.state NOT IN ('done', 'canceled') ORDER BY t.id LIMIT 200";
    db.bodies(sql, [agent])
}

/// Returns the tasks that are not closed and depend on `task`, oldest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn dependents(db: Reader<'_>, task: TaskId) -> Result<Vec<Task>, StoreError> {
    let sql = "SELECT body FROM tasks WHERE state NOT IN ('done', 'canceled')
               AND EXISTS (SELECT 1 FROM json_each(body, '$.depends_on') WHERE value = ?1)
               ORDER BY id LIMIT 1000";
    db.bodies(sql, [task.to_string()])
}

/// Says whether a task is neither closed nor blocked.
///
/// # Errors
///
/// When the store can't be read.
pub fn has_open_tasks(db: Reader<'_>) -> Result<bool, StoreError> {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM tasks WHERE state NOT IN ('blocked', 'done', 'canceled'))";
    Ok(db.number(sql, [])? > 0)
}

/// Returns how many open tasks there are that `name` created.
///
/// # Errors
///
/// When the store can't be read.
pub fn open_tasks_by(db: Reader<'_>, name: &str) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM tasks WHERE body ->> '$.created_by.name' = ?1
               AND state NOT IN ('done', 'canceled')";
    db.number(sql, [name])
}

/// Returns the cards of every task that is not closed, newest first, and of the last closed ones.
///
/// # Errors
///
/// When the store can't be read.
pub fn board(db: Reader<'_>, open: i64, closed: i64) -> Result<Vec<TaskCard>, StoreError> {
    let mut cards: Vec<TaskCard> = db.bodies(OPEN_TASKS, [open])?;
    let mut ended: Vec<TaskCard> = Vec::new();
    for state in [TaskState::Done, TaskState::Canceled] {
        let sql = "SELECT body FROM tasks WHERE state = ?1 ORDER BY id DESC LIMIT ?2";
        ended.extend(db.bodies::<TaskCard>(sql, (state.as_str(), closed))?);
    }
    ended.sort_by_key(|card| std::cmp::Reverse(card.id));
    cards.extend(ended.into_iter().take(usize::try_from(closed).unwrap_or(0)));
    Ok(cards)
}

/// Names its index, which walks in this order: else the whole Inbox is sorted for a few of it.
const URGENT_FIRST: &str = "SELECT body FROM tasks INDEXED BY tasks_in_inbox
    WHERE state = 'inbox' ORDER BY priority, id LIMIT ?1";

/// Returns Inbox tasks, most urgent first.
///
/// # Errors
///
/// When the store can't be read.
pub fn inbox(db: Reader<'_>, limit: i64) -> Result<Vec<Task>, StoreError> {
    db.bodies(URGENT_FIRST, [limit])
}

/// Says whether any task is in Inbox.
///
/// # Errors
///
/// When the store can't be read.
pub fn has_inbox(db: Reader<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM tasks WHERE state = 'inbox' LIMIT 1)";
    Ok(db.number(sql, [])? > 0)
}

/// Returns what rules of assignment look at in Inbox tasks, most urgent first.
///
/// # Errors
///
/// When the store can't be read.
pub fn waiting(db: Reader<'_>, limit: i64) -> Result<Vec<Waiting>, StoreError> {
    db.bodies(URGENT_FIRST, [limit])
}

/// Goes from the open tasks to their assignees, so that it does not grow with those that are closed.
const LOADS: &str = "
    SELECT a.agent, count(*), sum(t.state IN ('assigned', 'in_progress'))
    FROM tasks t CROSS JOIN task_assignees a ON a.task = t.id
    WHERE t.state IN ('assigned', 'in_progress', 'review', 'needs_approval', 'blocked')
    GROUP BY a.agent";

/// Returns for each agent with open tasks how many it has, and how many of them it has before it or
/// in progress.
///
/// # Errors
///
/// When the store can't be read.
pub fn loads(db: Reader<'_>) -> Result<BTreeMap<String, (u64, u64)>, StoreError> {
    let mut statement = db.connection().prepare_cached(LOADS)?;
    let mut rows = statement.query([])?;
    let mut loads = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (open, in_hand): (i64, i64) = (row.get(1)?, row.get(2)?);
        let counts = (u64::try_from(open).unwrap_or(0), u64::try_from(in_hand).unwrap_or(0));
        loads.insert(row.get(0)?, counts);
    }
    Ok(loads)
}

/// Returns the state of a task, if it exists.
///
/// # Errors
///
/// When the store can't be read.
pub fn task_state(db: Reader<'_>, id: TaskId) -> Result<Option<TaskState>, StoreError> {
    let state = db.text("SELECT state FROM tasks WHERE id = ?1", [id.0])?;
    Ok(state.and_then(|state| state.parse().ok()))
}

/// Returns those of `tasks` that are not closed.
///
/// # Errors
///
/// When the store can't be read.
pub fn open_among(db: Reader<'_>, tasks: &[TaskId]) -> Result<Vec<TaskId>, StoreError> {
    let mut open = Vec::new();
    for task in tasks {
        if task_state(db, *task)?.is_some_and(|state| !state.is_final()) {
            open.push(*task);
        }
    }
    Ok(open)
}

/// Returns the cards behind task `after`, by number.
///
/// # Errors
///
/// When the store can't be read.
pub fn cards_from(db: Reader<'_>, after: i64, limit: i64) -> Result<Vec<TaskCard>, StoreError> {
    db.bodies("SELECT body FROM tasks WHERE id > ?1 ORDER BY id LIMIT ?2", [after, limit])
}

/// Returns the cards of the newest tasks, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn newest_cards(db: Reader<'_>, limit: i64) -> Result<Vec<TaskCard>, StoreError> {
    db.bodies("SELECT body FROM tasks ORDER BY id DESC LIMIT ?1", [limit])
}

/// Counts all tasks.
///
/// # Errors
///
/// When the store can't be read.
pub fn count_tasks(db: Reader<'_>) -> Result<i64, StoreError> {
    db.number("SELECT count(*) FROM tasks", [])
}

/// Counts tasks by state.
///
/// # Errors
///
/// When the store can't be read.
pub fn task_counts(db: Reader<'_>) -> Result<Vec<(String, i64)>, StoreError> {
    counts(db, "SELECT state, count(*) FROM tasks GROUP BY state")
}

/// Returns one artifact and its content.
///
/// # Errors
///
/// When there is none, or the store can't be read.
pub fn artifact(db: Reader<'_>, task: TaskId, name: &str) -> Result<(Artifact, String), Fail> {
    let sql = "SELECT body FROM artifacts WHERE task = ?1 AND name = ?2";
    let artifact: Artifact =
        found(db.body(sql, (task.0, name))?, format_args!("artifact `{name}` of `{task}`"))?;
    let text = db.text("SELECT text FROM blobs WHERE sha256 = ?1", [&artifact.sha256])?;
    let text = found(text, format_args!("the content of artifact `{name}`"))?;
    Ok((artifact, text))
}

/// What belongs to a task.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Belongings {
    /// What was made for it, by name.
    pub artifacts: Vec<Artifact>,
    /// Its approvals, newest first.
    pub approvals: Vec<Approval>,
    /// Its runs, newest first.
    pub runs: Vec<Run>,
    /// Its alerts that are not resolved, newest first.
    pub alerts: Vec<Alert>,
    /// Its parts.
    pub children: Vec<TaskId>,
}

/// One statement, so that it is of one moment and costs one walk.
const WITH_BELONGINGS: &str = "
    SELECT 0, body FROM tasks WHERE id = ?1
    UNION ALL SELECT 1, body FROM
        (SELECT body FROM artifacts WHERE task = ?1 ORDER BY name LIMIT 200)
    UNION ALL SELECT 2, body FROM
        (SELECT body FROM approvals WHERE task = ?1 ORDER BY id DESC LIMIT 50)
    UNION ALL SELECT 3, body FROM
        (SELECT body FROM runs WHERE task = ?1 ORDER BY id DESC LIMIT 50)
    UNION ALL SELECT 4, body FROM
        (SELECT body FROM alerts WHERE task = ?1 AND status <> 'resolved' ORDER BY id DESC LIMIT 50)
    UNION ALL SELECT 5, id FROM
        (SELECT id FROM tasks WHERE parent = ?1 ORDER BY id LIMIT 200)";

/// Returns a task and what belongs to it.
///
/// # Errors
///
/// When there is none, or the store can't be read.
pub fn task_with_belongings(db: Reader<'_>, id: TaskId) -> Result<(Task, Belongings), Fail> {
    let mut statement =
        db.connection().prepare_cached(WITH_BELONGINGS).map_err(StoreError::from)?;
    let mut rows = statement.query([id.0]).map_err(StoreError::from)?;
    let mut task = None;
    let mut all = Belongings::default();
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        let kind: i64 = row.get(0).map_err(StoreError::from)?;
        match kind {
            0 => task = Some(body(row)?),
            1 => all.artifacts.push(body(row)?),
            2 => all.approvals.push(body(row)?),
            3 => all.runs.push(body(row)?),
            4 => all.alerts.push(body(row)?),
            _ => all.children.push(TaskId(row.get(1).map_err(StoreError::from)?)),
        }
    }
    Ok((found(task, format_args!("task `{id}`"))?, all))
}

fn body<T: serde::de::DeserializeOwned>(row: &rusqlite::Row<'_>) -> Result<T, StoreError> {
    let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
    Ok(serde_json::from_str(text)?)
}
