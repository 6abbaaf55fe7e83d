//! Sinks, what waits for them, and what was sent.

use mc_core::{
    delivery::{Delivery, Item, Schedule, SinkState},
    id::NotificationId,
    time::Timestamp,
};

use super::Reader;
use crate::store::StoreError;

/// Returns the declared sinks by name.
///
/// # Errors
///
/// When the store can't be read.
pub fn sinks(db: Reader<'_>) -> Result<Vec<SinkState>, StoreError> {
    db.bodies("SELECT body FROM sinks ORDER BY name", [])
}

/// Returns a declared sink.
///
/// # Errors
///
/// When the store can't be read.
pub fn sink(db: Reader<'_>, name: &str) -> Result<Option<SinkState>, StoreError> {
    db.body("SELECT body FROM sinks WHERE name = ?1", [name])
}

/// Returns when notices are sent and sent again.
///
/// # Errors
///
/// When the store can't be read.
pub fn schedule(db: Reader<'_>) -> Result<Schedule, StoreError> {
    Ok(db.body("SELECT body FROM schedule WHERE id = 1", [])?.unwrap_or_default())
}

/// Returns what waits to be put together for a sink, oldest first; `urgent` leaves the rest out.
/// What has expired is left out.
///
/// # Errors
///
/// When the store can't be read.
pub fn outbox(
    db: Reader<'_>,
    sink: &str,
    urgent: bool,
    (now, limit): (Timestamp, usize),
) -> Result<Vec<Item>, StoreError> {
    let sql = "SELECT body FROM outbox WHERE sink = ?1 AND urgent >= ?2 AND expires_ms > ?3
               ORDER BY notification LIMIT ?4";
    db.bodies(sql, (sink, urgent, now.0, i64::try_from(limit).unwrap_or(i64::MAX)))
}

/// Returns when the first notice of a sink is due; `urgent` leaves the rest out.
///
/// # Errors
///
/// When the store can't be read.
pub fn outbox_due(
    db: Reader<'_>,
    sink: &str,
    urgent: bool,
) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT coalesce(min(due_ms), -1) FROM outbox WHERE sink = ?1 AND urgent >= ?2";
    let due = db.number(sql, (sink, urgent))?;
    Ok((due >= 0).then_some(Timestamp(due)))
}

/// Returns the notices that were given up by now: sink and numbers.
///
/// # Errors
///
/// When the store can't be read.
pub fn overdue_notices(
    db: Reader<'_>,
    now: Timestamp,
) -> Result<Vec<(String, NotificationId)>, StoreError> {
    let sql = "SELECT sink, notification FROM outbox WHERE expires_ms <= ?1
               ORDER BY sink, notification LIMIT 1000";
    let mut statement = db.connection().prepare_cached(sql)?;
    let rows =
        statement.query_map([now.0], |row| Ok((row.get(0)?, NotificationId(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns the delivery of a sink that is tried next, if one waits.
///
/// # Errors
///
/// When the store can't be read.
pub fn next_delivery(db: Reader<'_>, sink: &str) -> Result<Option<Delivery>, StoreError> {
    let sql = "SELECT body FROM deliveries WHERE sink = ?1 AND status = 'waiting'
               ORDER BY next_ms, id LIMIT 1";
    db.body(sql, [sink])
}

/// Says whether a delivery of the sink was tried in vain and waits to be tried again.
///
/// # Errors
///
/// When the store can't be read.
pub fn is_down(db: Reader<'_>, sink: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM deliveries
                              WHERE sink = ?1 AND status = 'waiting' AND failures > 0)";
    Ok(db.number(sql, [sink])? > 0)
}

/// Returns the deliveries that wait, of one sink or of all.
///
/// # Errors
///
/// When the store can't be read.
pub fn waiting_deliveries(db: Reader<'_>, sink: Option<&str>) -> Result<Vec<Delivery>, StoreError> {
    let sql = "SELECT body FROM deliveries WHERE status = 'waiting' AND (?1 IS NULL OR sink = ?1)
               ORDER BY id LIMIT 1000";
    db.bodies(sql, [sink])
}

/// Counts what waits for a sink: notices and deliveries.
///
/// # Errors
///
/// When the store can't be read.
pub fn waiting_for(db: Reader<'_>, sink: &str) -> Result<i64, StoreError> {
    let sql = "SELECT (SELECT count(*) FROM outbox WHERE sink = ?1)
                    + (SELECT count(*) FROM deliveries WHERE sink = ?1 AND status = 'waiting')";
    db.number(sql, [sink])
}
