//! What a loop is known by: the newest messages of a task, the newest calls, questions and runs of an
//! agent.

use mc_core::{
    actor::ActorKind,
    approval::Approval,
    evidence::Summary,
    id::TaskId,
    loops,
    message::Message,
    run::{Run, ToolCall},
};

use super::{Reader, StoreError};

/// Returns the newest messages of agents on a task, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn messages_of_agents(
    db: Reader<'_>,
    task: TaskId,
    limit: u32,
) -> Result<Vec<Message>, StoreError> {
    let sql = "SELECT body FROM messages WHERE task = ?1
               AND body ->> '$.author.kind' = 'agent' ORDER BY id DESC LIMIT ?2";
    db.bodies(sql, (task.0, limit))
}

/// Returns the same, but none from before the last Loop Summary.
///
/// # Errors
///
/// When the store can't be read.
pub fn messages_since_summary(
    db: Reader<'_>,
    task: TaskId,
    limit: u32,
) -> Result<Vec<Message>, StoreError> {
    let sql = "SELECT body FROM messages WHERE task = ?1
               AND (body ->> '$.author.kind' = 'agent' OR
                    (body ->> '$.author.kind' = 'system' AND body ->> '$.author.name' = ?3))
               ORDER BY id DESC LIMIT ?2";
    let mut newest: Vec<Message> = db.bodies(sql, (task.0, limit, loops::AUTHOR))?;
    let since = newest.iter().position(|one| one.author.kind != ActorKind::Agent);
    newest.truncate(since.unwrap_or(newest.len()));
    Ok(newest)
}

/// Returns the newest calls of an agent on a task, or on none, whatever became of them, newest first;
/// looks no further than through its last [`loops::CALLS_BACK`].
///
/// # Errors
///
/// When the store can't be read.
pub fn calls_on(
    db: Reader<'_>,
    agent: &str,
    task: Option<TaskId>,
    limit: u32,
) -> Result<Vec<ToolCall>, StoreError> {
    let sql = "SELECT body FROM (SELECT task, body FROM tool_calls WHERE agent = ?1
                                 ORDER BY id DESC LIMIT ?4)
               WHERE task IS ?2 LIMIT ?3";
    db.bodies(sql, (agent, task.map(|task| task.0), limit, loops::CALLS_BACK))
}

/// Returns the newest questions of an agent that have ended, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn ended_questions(
    db: Reader<'_>,
    agent: &str,
    limit: u32,
) -> Result<Vec<Approval>, StoreError> {
    let sql = "SELECT body FROM approvals WHERE agent = ?1 AND status <> 'pending'
               ORDER BY id DESC LIMIT ?2";
    db.bodies(sql, (agent, limit))
}

/// Returns the newest runs of an agent on a task, or on none, that have ended, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn ended_runs(
    db: Reader<'_>,
    agent: &str,
    task: Option<TaskId>,
    limit: u32,
) -> Result<Vec<Run>, StoreError> {
    let sql = "SELECT body FROM runs WHERE agent = ?1 AND task IS ?2 AND status <> 'running'
               ORDER BY id DESC LIMIT ?3";
    db.bodies(sql, (agent, task.map(|task| task.0), limit))
}

/// Returns the newest calls of an agent that ended or were denied, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn ended_calls(db: Reader<'_>, agent: &str, limit: u32) -> Result<Vec<ToolCall>, StoreError> {
    let sql = "SELECT body FROM tool_calls WHERE agent = ?1
               AND status IN ('succeeded', 'failed', 'denied') ORDER BY id DESC LIMIT ?2";
    db.bodies(sql, (agent, limit))
}

/// Returns the newest Loop Summary in the threads of `tasks`.
///
/// # Errors
///
/// When the store can't be read.
pub fn last_summary(db: Reader<'_>, tasks: &[TaskId]) -> Result<Option<Summary>, StoreError> {
    let sql = "SELECT body FROM messages WHERE task = ?1 AND body ->> '$.kind' = 'system'
               AND body ->> '$.author.name' = ?2 ORDER BY id DESC LIMIT 1";
    let mut newest: Option<Message> = None;
    for task in tasks {
        let found: Option<Message> = db.body(sql, (task.0, loops::AUTHOR))?;
        newest = newest.into_iter().chain(found).max_by_key(|message| message.id.0);
    }
    Ok(newest.map(|one| Summary { message: one.id, task: one.task, at: one.at, text: one.text }))
}
