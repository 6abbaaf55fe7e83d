//! What a loop is known by: the newest comments of a task, the newest ended calls of an agent.

use mc_core::{id::TaskId, message::Message, run::ToolCall};

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
