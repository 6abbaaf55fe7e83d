//! What a loop is known by: the newest comments of a task, the newest ended calls of an agent.

use mc_core::{evidence::Summary, id::TaskId, loops, message::Message, run::ToolCall};

use super::{Reader, StoreError};

/// Returns the newest comments of agents on a task, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn comments_of_agents(
    db: Reader<'_>,
    task: TaskId,
    limit: u32,
) -> Result<Vec<Message>, StoreError> {
    let sql = "SELECT body FROM messages WHERE task = ?1 AND body ->> '$.kind' = 'comment'
               AND body ->> '$.author.kind' = 'agent' ORDER BY id DESC LIMIT ?2";
    db.bodies(sql, (task.0, limit))
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
