//! Runs, tool calls, alerts and notifications.

use mc_core::{
    alert::{Alert, AlertKind, Notification},
    budget::ScopeKey,
    canonical,
    id::{NotificationId, RunId, TaskId},
    policy::Inputs,
    run::{Run, ToolCall},
};

use rusqlite::OptionalExtension as _;

use super::Reader;
use crate::store::StoreError;

/// Returns how many bytes were stored of an agent on a day.
///
/// # Errors
///
/// When the store can't be read.
pub fn stored_bytes(db: Reader<'_>, agent: &str, day: &str) -> Result<u64, StoreError> {
    let sql = "SELECT bytes FROM stored_bytes WHERE agent = ?1 AND day = ?2";
    let mut statement = db.connection().prepare_cached(sql)?;
    let bytes = statement.query_row([agent, day], |row| row.get::<_, i64>(0)).optional()?;
    Ok(bytes.map_or(0, i64::unsigned_abs))
}

/// Returns the runs that go on, of one agent or of all.
///
/// # Errors
///
/// When the store can't be read.
pub fn running(db: Reader<'_>, agent: Option<&str>) -> Result<Vec<Run>, StoreError> {
    let sql = "SELECT body FROM runs WHERE status = 'running' AND (?1 IS NULL OR agent = ?1)
               ORDER BY id LIMIT 1000";
    db.bodies(sql, [agent])
}

/// Returns the run that the runtime calls `external_id`.
///
/// # Errors
///
/// When the store can't be read.
pub fn run_by_external_id(
    db: Reader<'_>,
    agent: &str,
    external_id: &str,
) -> Result<Option<Run>, StoreError> {
    let sql =
        "SELECT body FROM runs WHERE agent = ?1 AND external_id = ?2 ORDER BY id DESC LIMIT 1";
    db.body(sql, (agent, external_id))
}

/// Returns the calls of a run, oldest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn calls_of_run(db: Reader<'_>, run: RunId, limit: i64) -> Result<Vec<ToolCall>, StoreError> {
    db.bodies("SELECT body FROM tool_calls WHERE run = ?1 ORDER BY id LIMIT ?2", [run.0, limit])
}

/// Returns the newest call of a run.
///
/// # Errors
///
/// When the store can't be read.
pub fn last_call_of_run(db: Reader<'_>, run: RunId) -> Result<Option<ToolCall>, StoreError> {
    db.body("SELECT body FROM tool_calls WHERE run = ?1 ORDER BY id DESC LIMIT 1", [run.0])
}

/// Returns the last calls of an agent, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn last_calls(db: Reader<'_>, agent: &str, limit: i64) -> Result<Vec<ToolCall>, StoreError> {
    let sql = "SELECT body FROM tool_calls WHERE agent = ?1 ORDER BY id DESC LIMIT ?2";
    db.bodies(sql, (agent, limit))
}

/// Returns the newest call of a run that the runtime calls `external_id`.
///
/// # Errors
///
/// When the store can't be read.
pub fn call_by_external_id(
    db: Reader<'_>,
    run: RunId,
    external_id: &str,
) -> Result<Option<ToolCall>, StoreError> {
    let sql = "SELECT body FROM tool_calls WHERE run = ?1 AND external_id = ?2
               ORDER BY id DESC LIMIT 1";
    db.body(sql, (run.0, external_id))
}

/// Returns how often a run has asked for this tool with these arguments.
///
/// # Errors
///
/// When the store can't be read.
pub fn asked_before(
    db: Reader<'_>,
    run: RunId,
    (tool, arguments_sha256): (&str, &str),
) -> Result<i64, StoreError> {
    let sql = "SELECT body FROM tool_calls WHERE run = ?1 AND json_extract(body, '$.tool') = ?2
               AND json_extract(body, '$.arguments_sha256') = ?3 ORDER BY id DESC LIMIT 1";
    let newest: Option<ToolCall> = db.body(sql, (run.0, tool, arguments_sha256))?;
    Ok(newest.map_or(0, |call| call.retries.saturating_add(1)))
}

/// Returns calls before the number `before`, newest first, with what they were judged by where
/// that is still kept, as it was.
///
/// # Errors
///
/// When the store can't be read.
pub fn calls_to_replay(
    db: Reader<'_>,
    before: i64,
    limit: i64,
) -> Result<Vec<(ToolCall, Option<Inputs>)>, StoreError> {
    let sql = "SELECT c.body, i.body FROM tool_calls c
               LEFT JOIN inputs i ON i.call = c.id
               WHERE c.id < ?1 ORDER BY c.id DESC LIMIT ?2";
    let mut statement = db.connection().prepare_cached(sql)?;
    let mut rows = statement.query([before, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let call = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        let inputs = row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)?;
        let call: ToolCall = serde_json::from_str(call)?;
        let is_whole =
            |body: &&str| call.inputs_sha256 == Some(canonical::sha256_hex(body.as_bytes()));
        let inputs = inputs.filter(is_whole).map(serde_json::from_str).transpose()?;
        found.push((call, inputs));
    }
    Ok(found)
}

/// Returns an agent's last calls on a task that failed, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn failed_calls(
    db: Reader<'_>,
    agent: &str,
    task: TaskId,
    limit: i64,
) -> Result<Vec<ToolCall>, StoreError> {
    let sql = "SELECT body FROM tool_calls WHERE task = ?1 AND agent = ?2 AND status = 'failed'
               ORDER BY id DESC LIMIT ?3";
    db.bodies(sql, (task.0, agent, limit))
}

/// Returns the alerts that are not resolved, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn unresolved_alerts(db: Reader<'_>, limit: i64) -> Result<Vec<Alert>, StoreError> {
    let sql = "SELECT body FROM alerts WHERE status IN ('open', 'acknowledged')
               ORDER BY id DESC LIMIT ?1";
    db.bodies(sql, [limit])
}

/// Returns the alerts about an agent that are not resolved, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn alerts_about(db: Reader<'_>, agent: &str, limit: i64) -> Result<Vec<Alert>, StoreError> {
    let sql = "SELECT body FROM alerts WHERE status IN ('open', 'acknowledged') AND agent = ?1
               ORDER BY id DESC LIMIT ?2";
    db.bodies(sql, (agent, limit))
}

/// Returns the alerts that were resolved, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn resolved_alerts(db: Reader<'_>, limit: i64) -> Result<Vec<Alert>, StoreError> {
    let sql = "SELECT body FROM alerts WHERE status = 'resolved' ORDER BY id DESC LIMIT ?1";
    db.bodies(sql, [limit])
}

/// Returns the unresolved alert of this kind about this agent and task, if there is one.
///
/// # Errors
///
/// When the store can't be read.
pub fn open_alert(
    db: Reader<'_>,
    kind: AlertKind,
    agent: Option<&str>,
    task: Option<TaskId>,
) -> Result<Option<Alert>, StoreError> {
    let kind = serde_json::to_value(kind)?;
    let sql = "SELECT body FROM alerts WHERE status IN ('open', 'acknowledged') AND kind = ?1
               AND agent IS ?2 AND task IS ?3 ORDER BY id DESC LIMIT 1";
    db.body(sql, (kind.as_str(), agent, task.map(|task| task.0)))
}

/// Returns the unresolved alert that an agent has used a budget up, if there is one. Each run has a
/// budget of its own: those of a task, or of none, are one.
///
/// # Errors
///
/// When the store can't be read.
pub fn open_breach(
    db: Reader<'_>,
    agent: &str,
    task: Option<TaskId>,
    key: &ScopeKey,
) -> Result<Option<Alert>, StoreError> {
    let sql = "SELECT body FROM alerts WHERE status IN ('open', 'acknowledged') AND kind = 'budget'
               AND agent = ?1 AND body ->> '$.budget.key.scope' = ?2
               AND body ->> '$.budget.percent' >= 100
               AND CASE ?2 WHEN 'run' THEN task IS ?3 ELSE body ->> '$.budget.key.of' = ?4 END
               ORDER BY id DESC LIMIT 1";
    db.body(sql, (agent, key.scope.as_str(), task.map(|task| task.0), &key.of))
}

/// Returns the unresolved alerts of a kind, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn open_alerts(db: Reader<'_>, kind: AlertKind) -> Result<Vec<Alert>, StoreError> {
    let kind = serde_json::to_value(kind)?;
    let sql = "SELECT body FROM alerts WHERE status IN ('open', 'acknowledged') AND kind = ?1
               ORDER BY id DESC LIMIT 100";
    db.bodies(sql, [kind.as_str()])
}

/// Returns the newest notifications to somebody, acknowledged or not.
///
/// # Errors
///
/// When the store can't be read.
pub fn newest_notifications(
    db: Reader<'_>,
    to: &str,
    limit: i64,
) -> Result<Vec<Notification>, StoreError> {
    let sql = "SELECT body FROM notifications WHERE recipient = ?1 AND acked = ?2
               ORDER BY id DESC LIMIT ?3";
    let mut found: Vec<Notification> = db.bodies(sql, (to, 0, limit))?;
    found.extend(db.bodies::<Notification>(sql, (to, 1, limit))?);
    Ok(found)
}

/// Returns notifications that were not acknowledged, oldest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn unread(db: Reader<'_>, to: &str, limit: i64) -> Result<Vec<Notification>, StoreError> {
    let sql = "SELECT body FROM notifications WHERE recipient = ?1 AND acked = 0
               ORDER BY id LIMIT ?2";
    db.bodies(sql, (to, limit))
}

/// Says whether a notification was not acknowledged.
///
/// # Errors
///
/// When the store can't be read.
pub fn is_unread(db: Reader<'_>, id: NotificationId) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM notifications WHERE id = ?1 AND acked = 0)";
    Ok(db.number(sql, [id.0])? > 0)
}
