//! Every read: SQL spelled out beside the code that maps its rows.
//!
//! Entities are stored whole as JSON; a `Reader` is a connection on which nothing is written.

mod agents;
mod approvals;
mod deliveries;
mod loops;
mod money;
mod page;
mod record;
mod rules;
mod schedules;
pub mod stopped;
mod tasks;
mod work;

use mc_core::{
    alert::{Alert, Notification},
    approval::{Approval, StandingRule},
    budget::Reservation,
    delivery::Delivery,
    id::{
        AlertId, ApprovalId, CallId, DeliveryId, MessageId, NotificationId, ReservationId, RuleId,
        RunId, ScheduleId, TaskId,
    },
    message::Message,
    refusal::Refusal,
    run::{Run, ToolCall},
    schedule::TaskSchedule,
    task::Task,
};
use rusqlite::{Connection, OptionalExtension as _, Params};
use serde::de::DeserializeOwned;

pub use self::{
    agents::*, approvals::*, deliveries::*, loops::*, money::*, page::*, record::*, rules::*,
    schedules::*, tasks::*, work::*,
};
use super::StoreError;

/// Names every open state, so that the index serves it however many tasks are closed.
const OPEN_TASKS: &str = "SELECT body FROM tasks
    WHERE state IN ('inbox', 'assigned', 'in_progress', 'review', 'needs_approval', 'blocked')
    ORDER BY id DESC LIMIT ?1";

/// A view of the store on which nothing is written.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a Connection);

impl<'a> Reader<'a> {
    /// Reads through `connection`.
    pub fn new(connection: &'a Connection) -> Self {
        Self(connection)
    }

    pub(in crate::store) fn connection(self) -> &'a Connection {
        self.0
    }

    /// Runs `read` on one snapshot, so that all it sees is of one moment.
    ///
    /// # Errors
    ///
    /// When the snapshot can't be had, or what `read` says.
    pub fn snapshot<T, E: From<StoreError>>(
        self,
        read: impl FnOnce(Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let begun = self.0.unchecked_transaction().map_err(StoreError::from)?;
        let result = read(self)?;
        // Nothing was written: how a snapshot ends does not matter.
        drop(begun);
        Ok(result)
    }

    fn text(self, sql: &str, params: impl Params) -> Result<Option<String>, StoreError> {
        Ok(self.0.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?)
    }

    fn body<T: DeserializeOwned>(
        self,
        sql: &str,
        params: impl Params,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(serde_json::from_str(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?))
    }

    fn bodies<T: DeserializeOwned>(
        self,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            found.push(serde_json::from_str(text)?);
        }
        Ok(found)
    }

    /// As [`Self::bodies`], but ends before the row with which they would be longer than `bytes`
    /// together; says whether it did. The first row is always there.
    fn bodies_within<T: DeserializeOwned>(
        self,
        sql: &str,
        params: impl Params,
        bytes: usize,
    ) -> Result<(Vec<T>, bool), StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let (mut found, mut room) = (Vec::new(), bytes);
        while let Some(row) = rows.next()? {
            let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            let Some(left) = room.checked_sub(text.len()).or_else(|| found.is_empty().then_some(0))
            else {
                return Ok((found, true));
            };
            room = left;
            found.push(serde_json::from_str(text)?);
        }
        Ok((found, false))
    }

    fn number(self, sql: &str, params: impl Params) -> Result<i64, StoreError> {
        Ok(self.0.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
    }
}

/// Either a refusal of the rules or a fault of the store.
#[derive(Debug, thiserror::Error)]
pub enum Fail {
    /// The rules refuse.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store fails.
    #[error(transparent)]
    Fault(#[from] StoreError),
}

fn found<T>(row: Option<T>, what: impl std::fmt::Display) -> Result<T, Fail> {
    row.ok_or_else(|| Refusal::not_found(what).into())
}

macro_rules! by_id {
    ($($(#[$doc:meta])* $name:ident($id:ident: $type:ty) -> $entity:ty, $word:literal, $sql:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// When there is none, or the store can't be read.
        pub fn $name(db: Reader<'_>, $id: $type) -> Result<$entity, Fail> {
            found(db.body($sql, [$id.0])?, format_args!(concat!($word, " `{}`"), $id))
        }
    )*};
}

by_id! {
    /// Returns a task.
    task(id: TaskId) -> Task, "task", "SELECT body FROM tasks WHERE id = ?1";
    /// Returns a run.
    run(id: RunId) -> Run, "run", "SELECT body FROM runs WHERE id = ?1";
    /// Returns a tool call.
    call(id: CallId) -> ToolCall, "tool call", "SELECT body FROM tool_calls WHERE id = ?1";
    /// Returns an approval.
    approval(id: ApprovalId) -> Approval, "approval", "SELECT body FROM approvals WHERE id = ?1";
    /// Returns an alert.
    alert(id: AlertId) -> Alert, "alert", "SELECT body FROM alerts WHERE id = ?1";
    /// Returns a notification.
    notification(id: NotificationId) -> Notification, "notification",
        "SELECT body FROM notifications WHERE id = ?1";
    /// Returns a delivery.
    delivery(id: DeliveryId) -> Delivery, "delivery", "SELECT body FROM deliveries WHERE id = ?1";
    /// Returns a promise.
    reservation(id: ReservationId) -> Reservation, "reservation",
        "SELECT body FROM reservations WHERE id = ?1";
    /// Returns a standing rule.
    rule(id: RuleId) -> StandingRule, "standing rule",
        "SELECT body FROM standing_rules WHERE id = ?1";
    /// Returns a schedule.
    schedule_of(id: ScheduleId) -> TaskSchedule, "schedule",
        "SELECT body FROM task_schedules WHERE id = ?1";
    /// Returns a message.
    message(id: MessageId) -> Message, "message", "SELECT body FROM messages WHERE id = ?1";
}

/// Counts rows of a table by the word in `column`; both are names of ours.
fn counts(db: Reader<'_>, sql: &str) -> Result<Vec<(String, i64)>, StoreError> {
    let mut statement = db.0.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
