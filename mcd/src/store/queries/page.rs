//! Pages of the tables that are listed by number.

use mc_proto::limits::PAGE_BYTES;
use rusqlite::types::Value;
use serde::de::DeserializeOwned;

use super::Reader;
use crate::store::StoreError;

/// A table that is listed newest first, or oldest first, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Runs, newest first; filters: agent, task.
    Runs,
    /// Tool calls, newest first; filters: agent, task, run.
    Calls,
    /// Approvals, newest first; filters: agent, task, status.
    Approvals,
    /// Alerts, newest first; filter: status.
    Alerts,
    /// Notifications, newest first; filters: recipient, acked.
    Notifications,
    /// Standing rules, newest first; filter: open.
    Rules,
    /// Deliveries, newest first; filters: sink, status.
    Deliveries,
    /// Schedules, newest first.
    Schedules,
    /// Policies, newest first.
    Policies,
    /// Messages, oldest first; filter: task.
    Messages,
}

impl Listed {
    const fn table(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Calls => "tool_calls",
            Self::Approvals => "approvals",
            Self::Alerts => "alerts",
            Self::Notifications => "notifications",
            Self::Rules => "standing_rules",
            Self::Deliveries => "deliveries",
            Self::Schedules => "task_schedules",
            Self::Policies => "policies",
            Self::Messages => "messages",
        }
    }
}

/// One page.
#[derive(Debug)]
pub struct Rows<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Whether it ended early, for its rows are long.
    pub is_cut: bool,
    /// How many rows match in all.
    pub total: i64,
}

/// Returns one page of a table. `filters` are columns of ours
/// with the value that each must have; `after` is the number that the page before ended with.
///
/// # Errors
///
/// When the store can't be read.
pub fn page<T: DeserializeOwned>(
    db: Reader<'_>,
    listed: Listed,
    filters: &[(&'static str, Value)],
    (after, limit): (Option<i64>, i64),
) -> Result<Rows<T>, StoreError> {
    let table = listed.table();
    let id = if listed == Listed::Policies { "version" } else { "id" };
    let (beyond, order) = if listed == Listed::Messages { (">", "") } else { ("<", " DESC") };
    let hidden = listed == Listed::Schedules;
    let mut clauses = String::from(if hidden { " AND status <> 'deleted'" } else { "" });
    for (at, (column, _)) in filters.iter().enumerate() {
        clauses = format!("{clauses} AND {column} = ?{}", at + 1);
    }
    let mut values: Vec<Value> = filters.iter().map(|(_, value)| value.clone()).collect();
    let total = db.number(
        &format!("SELECT count(*) FROM {table} WHERE 1{clauses}"),
        rusqlite::params_from_iter(values.iter()),
    )?;
    let start = if listed == Listed::Messages { 0 } else { i64::MAX };
    let at = values.len();
    values.push(Value::Integer(after.unwrap_or(start)));
    values.push(Value::Integer(limit));
    let sql = format!(
        "SELECT body FROM {table} WHERE 1{clauses} AND {id} {beyond} ?{} ORDER BY {id}{order} LIMIT ?{}",
        at + 1,
        at + 2,
    );
    let values = rusqlite::params_from_iter(values.iter());
    let (items, is_cut) = db.bodies_within(&sql, values, PAGE_BYTES)?;
    Ok(Rows { items, is_cut, total })
}
