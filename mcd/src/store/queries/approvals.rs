//! Approvals.

use mc_core::{
    approval::Approval,
    id::{ApprovalId, TaskId},
    time::Timestamp,
};

use super::Reader;
use crate::store::StoreError;

/// Counts all approvals that wait, and those of one agent.
///
/// # Errors
///
/// When the store can't be read.
pub fn waiting_approvals(db: Reader<'_>, agent: &str) -> Result<(i64, i64), StoreError> {
    let sql =
        "SELECT count(*), coalesce(sum(agent = ?1), 0) FROM approvals WHERE status = 'pending'";
    let mut statement = db.connection().prepare_cached(sql)?;
    Ok(statement.query_row([agent], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Returns the approvals that wait, soonest to end first.
///
/// # Errors
///
/// When the store can't be read.
pub fn pending_approvals(db: Reader<'_>) -> Result<Vec<Approval>, StoreError> {
    let sql = "SELECT body FROM approvals WHERE status = 'pending' ORDER BY expires_ms LIMIT 1000";
    db.bodies(sql, [])
}

/// Returns the approvals that ended last, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn decided_approvals(db: Reader<'_>, limit: i64) -> Result<Vec<Approval>, StoreError> {
    let sql = "SELECT body FROM approvals WHERE status <> 'pending' ORDER BY id DESC LIMIT ?1";
    db.bodies(sql, [limit])
}

/// Returns the approvals that wait but should have ended at `now`.
///
/// # Errors
///
/// When the store can't be read.
pub fn overdue_approvals(db: Reader<'_>, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
    let sql = "SELECT body FROM approvals WHERE status IN ('pending', 'approved') AND used = 0
               AND expires_ms <= ?1 LIMIT 200";
    db.bodies(sql, [now.0])
}

/// Returns the approvals that wait and of which somebody is to be reminded at `now`.
///
/// # Errors
///
/// When the store can't be read.
pub fn due_reminders(db: Reader<'_>, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
    let sql = "SELECT body FROM approvals WHERE remind_ms <= ?1 AND status = 'pending' LIMIT 200";
    db.bodies(sql, [now.0])
}

/// Returns the approvals of one agent, or of all, that wait or were granted and not used.
///
/// # Errors
///
/// When the store can't be read.
pub fn open_approvals(db: Reader<'_>, agent: Option<&str>) -> Result<Vec<Approval>, StoreError> {
    let sql = "SELECT body FROM approvals WHERE used = 0 AND status IN ('pending', 'approved')
               AND (?1 IS NULL OR agent = ?1) ORDER BY id LIMIT 10000";
    db.bodies(sql, [agent])
}

/// Returns what an agent was granted and has not used, oldest first: its calls, and all else that
/// was said to it until its time is over.
///
/// # Errors
///
/// When the store can't be read.
pub fn granted(db: Reader<'_>, agent: &str, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
    let sql = "SELECT body FROM approvals WHERE status = 'approved' AND expires_ms > ?1
               AND agent = ?2 ORDER BY id LIMIT 10000";
    let mut all: Vec<Approval> = db.bodies(sql, (now.0, agent))?;
    all.retain(|one| one.used_at.is_none());
    Ok(all)
}

/// Returns the approval that waits or was granted for exactly this call and is not used.
///
/// # Errors
///
/// When the store can't be read.
pub fn approval_for(
    db: Reader<'_>,
    agent: &str,
    call_key: &str,
) -> Result<Option<Approval>, StoreError> {
    let sql = "SELECT body FROM approvals WHERE used = 0 AND agent = ?1 AND call_key = ?2
               AND status IN ('pending', 'approved') ORDER BY id DESC LIMIT 1";
    db.body(sql, (agent, call_key))
}

/// Returns the approvals on a task, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn approvals_of_task(
    db: Reader<'_>,
    task: TaskId,
    limit: i64,
) -> Result<Vec<Approval>, StoreError> {
    let sql = "SELECT body FROM approvals WHERE task = ?1 ORDER BY id DESC LIMIT ?2";
    db.bodies(sql, [task.0, limit])
}

/// Counts earlier decisions on `rule`: asked, approved, denied.
///
/// # Errors
///
/// When the store can't be read.
pub fn past_decisions(
    db: Reader<'_>,
    rule: &str,
    this: ApprovalId,
) -> Result<(i64, i64, i64), StoreError> {
    let sql = "SELECT count(*), coalesce(sum(status = 'approved'), 0),
               coalesce(sum(status = 'denied'), 0)
               FROM approvals WHERE rule = ?1 AND id < ?2";
    let mut statement = db.connection().prepare_cached(sql)?;
    Ok(statement.query_row((rule, this.0), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
}
