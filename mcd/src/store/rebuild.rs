//! Rebuilds every projected table from the journal: the proof that the journal is the truth.

use std::path::Path;

use mc_core::event::Recorded;
use rusqlite::Connection;

use super::{StoreError, open, projections, queries::Reader};

/// The tables that are the journal's shadow.
pub(super) const PROJECTED: &[&str] = &[
    "tasks",
    "task_assignees",
    "agents",
    "adapters",
    "tokens",
    "runs",
    "tool_calls",
    "approvals",
    "standing_rules",
    "messages",
    "artifacts",
    "alerts",
    "notifications",
    "sinks",
    "schedule",
    "outbox",
    "deliveries",
    "squad",
    "stopped_tasks",
    "policies",
    "operators",
    "ledgers",
    "caps",
    "reservations",
    "paces",
    "usages",
    "spend_days",
    "session_tasks",
    "budget_day",
    "task_schedules",
    "occurrences",
];

/// Empties every projected table of the database at `path` and fills it from the journal again.
/// Returns how many events were applied. No daemon may run on it.
///
/// # Errors
///
/// When the store can't be read or written; nothing is changed then.
pub fn rebuild(path: &Path) -> Result<i64, StoreError> {
    let mut db = open::writer(path)?;
    let batch = db.transaction()?;
    for table in PROJECTED {
        batch.execute(&format!("DELETE FROM {table}"), [])?;
    }
    let events = replay(&batch)?;
    batch.commit()?;
    Ok(events)
}

fn replay(db: &Connection) -> Result<i64, StoreError> {
    let mut statement = db.prepare("SELECT body FROM journal ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let mut events = 0;
    while let Some(row) = rows.next()? {
        let body: String = row.get(0)?;
        let recorded: Recorded = serde_json::from_str(&body)?;
        projections::apply(Reader::new(db), &recorded, None)?;
        events += 1;
    }
    Ok(events)
}
