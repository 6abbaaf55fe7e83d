//! The journal, the squad, the policy, the operators and the answers to idempotency keys.

use mc_core::{
    agent::AgentName,
    event::Recorded,
    id::{Seq, TaskId},
    operators::Operators,
    squad::Squad,
};
use mc_proto::{
    limits::PAGE_BYTES,
    method::admin::{JournalRow, PolicyVersion},
};
use rusqlite::OptionalExtension as _;

use super::{Reader, stopped};
use crate::{
    journal::{self, Head},
    store::StoreError,
};

/// How many events are looked at for those about an agent, and how many bytes of them are returned.
const ABOUT_ROWS: i64 = 50_000;
const ABOUT_BYTES: usize = 1024 * 1024;

/// Returns the squad, with the first of the tasks that a stop holds.
///
/// # Errors
///
/// When the store can't be read.
pub fn squad(db: Reader<'_>) -> Result<Squad, StoreError> {
    let squad = squad_row(db)?;
    let (stopped, stopped_count) = (stopped::first(db)?, stopped::count(db)?);
    Ok(Squad { stopped, stopped_count, ..squad })
}

/// Returns the squad without the tasks that a stop holds.
///
/// # Errors
///
/// When the store can't be read.
pub fn squad_row(db: Reader<'_>) -> Result<Squad, StoreError> {
    Ok(db.body("SELECT body FROM squad WHERE id = 1", [])?.unwrap_or_default())
}

/// Returns an event.
///
/// # Errors
///
/// When the store can't be read.
pub fn event(db: Reader<'_>, seq: Seq) -> Result<Option<Recorded>, StoreError> {
    db.body("SELECT body FROM journal WHERE seq = ?1", [seq])
}

/// Returns the newest policy, if one was ever activated.
///
/// # Errors
///
/// When the store can't be read.
pub fn policy(db: Reader<'_>) -> Result<Option<PolicyVersion>, StoreError> {
    db.body("SELECT body FROM policies ORDER BY version DESC LIMIT 1", [])
}

/// Returns a version of the policy, if there is one of that number.
///
/// # Errors
///
/// When the store can't be read.
pub fn policy_version(db: Reader<'_>, version: i64) -> Result<Option<PolicyVersion>, StoreError> {
    db.body("SELECT body FROM policies WHERE version = ?1", [version])
}

/// Says whether a policy of this text, by its hash in hex, was in force once.
///
/// # Errors
///
/// When the store can't be read.
pub fn was_policy(db: Reader<'_>, sha256: &str) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM policies WHERE body ->> '$.sha256' = ?1";
    Ok(db.number(sql, [sha256])? > 0)
}

/// Returns who governs, as it was recorded last.
///
/// # Errors
///
/// When the store can't be read.
pub fn operators(db: Reader<'_>) -> Result<Option<Operators>, StoreError> {
    db.body("SELECT body FROM operators WHERE id = 1", [])
}

/// Returns when the newest event was recorded, in milliseconds; `None` before the first one.
///
/// # Errors
///
/// When the store can't be read.
pub fn last_event_ms(db: Reader<'_>) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT at_ms FROM journal ORDER BY seq DESC LIMIT 1";
    Ok(db.connection().query_row(sql, [], |row| row.get(0)).optional()?)
}

/// Returns up to `limit` events after `since`, oldest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn events_after(db: Reader<'_>, since: Seq, limit: i64) -> Result<Vec<Recorded>, StoreError> {
    db.bodies("SELECT body FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2", [since, limit])
}

/// Returns up to `limit` events of a task after `since`, oldest first; fewer where they are long, and
/// whether that is so.
///
/// # Errors
///
/// When the store can't be read.
pub fn events_of_task(
    db: Reader<'_>,
    task: TaskId,
    since: Seq,
    limit: i64,
) -> Result<(Vec<Recorded>, bool), StoreError> {
    let sql = "SELECT body FROM journal WHERE task = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    db.bodies_within(sql, [task.0, since, limit], PAGE_BYTES)
}

/// Returns up to `limit` of the newest events, oldest first, as far as they have room in `bytes`; says
/// whether some had none.
///
/// # Errors
///
/// When the store can't be read.
pub fn newest_events(
    db: Reader<'_>,
    limit: i64,
    bytes: usize,
) -> Result<(Vec<Recorded>, bool), StoreError> {
    let sql = "SELECT body FROM journal ORDER BY seq DESC LIMIT ?1";
    let (mut events, is_cut) = db.bodies_within::<Recorded>(sql, [limit], bytes)?;
    events.reverse();
    Ok((events, is_cut))
}

/// Returns the newest events of a task, oldest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn last_events_of_task(
    db: Reader<'_>,
    task: TaskId,
    limit: i64,
) -> Result<Vec<Recorded>, StoreError> {
    let sql = "SELECT body FROM journal WHERE task = ?1 ORDER BY seq DESC LIMIT ?2";
    let mut events: Vec<Recorded> = db.bodies(sql, [task.0, limit])?;
    events.reverse();
    Ok(events)
}

/// Counts the events of a task.
///
/// # Errors
///
/// When the store can't be read.
pub fn count_events_of_task(db: Reader<'_>, task: TaskId) -> Result<i64, StoreError> {
    db.number("SELECT count(*) FROM journal WHERE task = ?1", [task.0])
}

/// Returns up to `limit` rows of the journal after `since` with their hashes, oldest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn journal_rows(
    db: Reader<'_>,
    since: Seq,
    task: Option<TaskId>,
    limit: i64,
) -> Result<(Vec<JournalRow>, bool), StoreError> {
    let sql = if task.is_some() {
        "SELECT body, lower(hex(hash)) FROM journal WHERE task = ?2 AND seq > ?1 ORDER BY seq LIMIT ?3"
    } else {
        "SELECT body, lower(hex(hash)) FROM journal WHERE seq > ?1 AND ?2 IS NULL ORDER BY seq LIMIT ?3"
    };
    let mut statement = db.connection().prepare_cached(sql)?;
    let mut rows = statement.query((since, task.map(|task| task.0), limit))?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let body: String = row.get(0)?;
        bytes += body.len();
        if bytes > PAGE_BYTES && !found.is_empty() {
            return Ok((found, true));
        }
        found.push(JournalRow { recorded: serde_json::from_str(&body)?, hash: row.get(1)? });
    }
    Ok((found, false))
}

/// Returns one row of the journal with its hash.
///
/// # Errors
///
/// When the store can't be read.
pub fn journal_row(db: Reader<'_>, seq: Seq) -> Result<Option<JournalRow>, StoreError> {
    Ok(journal_rows(db, seq - 1, None, 1)?.0.pop().filter(|row| row.recorded.seq == seq))
}

/// Returns the last rows of the journal up to `until` that are by an agent or about it, oldest
/// first, and the first event that was looked at for them. What was kept as evidence is left out.
///
/// # Errors
///
/// When the store can't be read.
pub fn rows_about(
    db: Reader<'_>,
    agent: &AgentName,
    until: Seq,
    limit: i64,
) -> Result<(Vec<JournalRow>, Seq), StoreError> {
    // The columns do not name the agent: a body that does not name it either is not read.
    let sql = "SELECT body, lower(hex(hash)) FROM journal
               WHERE seq BETWEEN ?1 AND ?2 AND kind <> 'agent_evidence_kept' AND instr(body, ?3) > 0
               ORDER BY seq DESC";
    let from = (until - ABOUT_ROWS + 1).max(1);
    let mut statement = db.connection().prepare_cached(sql)?;
    let mut rows = statement.query((from, until, format!("\"{agent}\"")))?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    let limit = usize::try_from(limit).unwrap_or(0);
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let body: String = row.get(0)?;
        let recorded: Recorded = serde_json::from_str(&body)?;
        if !recorded.actor.is_agent(agent) && recorded.event.agent() != Some(agent) {
            continue;
        }
        bytes += body.len();
        if bytes > ABOUT_BYTES {
            break;
        }
        found.push(JournalRow { recorded, hash: row.get(1)? });
    }
    found.reverse();
    Ok((found, from))
}

/// Returns the head of the journal.
///
/// # Errors
///
/// When the store can't be read.
pub fn head(db: Reader<'_>) -> Result<Head, StoreError> {
    journal::head(db.connection())
}

/// Walks the whole journal; see [`journal::verify`].
///
/// # Errors
///
/// When the store can't be read.
pub fn verify(
    db: Reader<'_>,
    remembered: Option<&mc_proto::method::admin::Remembered>,
) -> Result<mc_proto::method::admin::Verified, StoreError> {
    journal::verify::verify(db.connection(), remembered)
}

/// Returns the size of the database in bytes.
///
/// # Errors
///
/// When the store can't be read.
pub fn database_bytes(db: Reader<'_>) -> Result<i64, StoreError> {
    db.number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", [])
}

/// Returns the first answer to an idempotency key, and the hash of the body that it answered.
///
/// # Errors
///
/// When the store can't be read.
pub fn first_answer(
    db: Reader<'_>,
    actor: &str,
    key: &str,
) -> Result<Option<(String, String)>, StoreError> {
    let sql = "SELECT body_sha256, answer FROM answers WHERE actor = ?1 AND key = ?2";
    let mut statement = db.connection().prepare_cached(sql)?;
    Ok(statement.query_row([actor, key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Returns the highest number given in `table`, one of ours.
pub(in crate::store) fn last_number(
    db: Reader<'_>,
    table: &str,
    id: &str,
) -> Result<i64, StoreError> {
    db.number(&format!("SELECT coalesce(max({id}), 0) FROM {table}"), [])
}
