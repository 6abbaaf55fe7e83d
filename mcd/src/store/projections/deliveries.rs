//! What events mean for sinks, for what waits for them, and for what was sent.

use mc_core::{
    alert::Notification,
    delivery::{self, Delivery, Item, Schedule, Sink, SinkState, is_urgent},
    event::{Event, Recorded},
};
use rusqlite::{Params, params};

use super::{json, word};
use crate::store::{
    StoreError,
    queries::{self, Fail, Reader},
};

/// Applies an event about deliveries. What is left then (attachments, unlocks and jumps of the
/// clock) is history and nothing else.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds mean nothing here")]
pub(super) fn apply(db: Reader<'_>, recorded: &Recorded) -> Result<(), Fail> {
    match &recorded.event {
        Event::SinksDeclared { sinks, schedule } => declare(db, recorded, (sinks, schedule)),
        Event::DeliveryFormed { delivery } => {
            for notice in &delivery.notices {
                leave(db, &delivery.sink, notice.id.0)?;
            }
            Ok(put(db, delivery)?)
        }
        Event::DeliveryTried { delivery, sink, .. } | Event::DeliveryExpired { delivery, sink } => {
            let mut row = queries::delivery(db, *delivery)?;
            delivery::fold(&mut row, recorded);
            put(db, &row)?;
            let Some(mut state) = queries::sink(db, sink)? else { return Ok(()) };
            delivery::fold_sink(&mut state, recorded);
            Ok(put_sink(db, &state)?)
        }
        Event::NoticesExpired { sink, notices } => {
            Ok(notices.iter().try_for_each(|notice| leave(db, sink, notice.0))?)
        }
        Event::DeliveriesRetried { sink } => {
            for mut row in queries::waiting_deliveries(db, sink.as_deref())? {
                delivery::fold(&mut row, recorded);
                put(db, &row)?;
            }
            for mut state in queries::sinks(db)? {
                if sink.as_ref().is_none_or(|name| *name == state.sink.name) {
                    delivery::fold_sink(&mut state, recorded);
                    put_sink(db, &state)?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Puts a notice in the outbox of every sink that takes it.
pub(super) fn queue(db: Reader<'_>, notice: &Notification) -> Result<(), StoreError> {
    let Some(item) = Item::of(notice) else { return Ok(()) };
    let schedule = queries::schedule(db)?;
    let (due, expires) = schedule.times(item.severity, item.at);
    let body = json(&item)?;
    for state in queries::sinks(db)? {
        if state.sink.takes(item.kind, item.severity) {
            let sql = "INSERT INTO outbox (sink, notification, urgent, due_ms, expires_ms, body)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let urgent = is_urgent(item.severity);
            execute(db, sql, params![state.sink.name, item.id.0, urgent, due.0, expires.0, body])?;
        }
    }
    Ok(())
}

/// Sinks that are declared again keep their past; those that are not lose what waits for them.
fn declare(
    db: Reader<'_>,
    recorded: &Recorded,
    (sinks, schedule): (&[Sink], &Schedule),
) -> Result<(), Fail> {
    let before = queries::sinks(db)?;
    for gone in before.iter().filter(|old| sinks.iter().all(|new| new.name != old.sink.name)) {
        let name = &gone.sink.name;
        execute(db, "DELETE FROM outbox WHERE sink = ?1", [name])?;
        for mut row in queries::waiting_deliveries(db, Some(name))? {
            delivery::fold(&mut row, recorded);
            put(db, &row)?;
        }
        execute(db, "DELETE FROM sinks WHERE name = ?1", [name])?;
    }
    for sink in sinks {
        let old = before.iter().find(|old| old.sink.name == sink.name);
        let mut state = old.cloned().unwrap_or_else(|| SinkState::new(sink.clone()));
        state.sink = sink.clone();
        put_sink(db, &state)?;
    }
    let sql = "INSERT INTO schedule (id, body) VALUES (1, ?1)
               ON CONFLICT (id) DO UPDATE SET body = ?1";
    execute(db, sql, [json(schedule)?])?;
    Ok(())
}

fn leave(db: Reader<'_>, sink: &str, notification: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM outbox WHERE sink = ?1 AND notification = ?2";
    execute(db, sql, params![sink, notification])
}

fn put(db: Reader<'_>, row: &Delivery) -> Result<(), StoreError> {
    let sql = "INSERT INTO deliveries (id, sink, status, failures, next_ms, expires_ms, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (id) DO UPDATE SET status = ?3, failures = ?4, next_ms = ?5, body = ?7";
    let values = params![
        row.id.0,
        row.sink,
        word(&row.status)?,
        row.failures,
        row.next_at.0,
        row.expires_at.0,
        json(row)?
    ];
    execute(db, sql, values)
}

fn put_sink(db: Reader<'_>, state: &SinkState) -> Result<(), StoreError> {
    let sql = "INSERT INTO sinks (name, body) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET body = ?2";
    execute(db, sql, params![state.sink.name, json(state)?])
}

fn execute(db: Reader<'_>, sql: &str, params: impl Params) -> Result<(), StoreError> {
    db.connection().prepare_cached(sql)?.execute(params)?;
    Ok(())
}
