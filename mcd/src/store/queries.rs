//! Every read: SQL spelled out beside the code that maps its rows.
//!
//! Entities are stored whole as JSON; a `Reader` is a connection on which nothing is written.

use mc_core::{
    agent::{Agent, AgentName, Runtime},
    alert::{Alert, AlertKind, Notification},
    approval::Approval,
    event::Recorded,
    id::{AlertId, ApprovalId, CallId, MessageId, NotificationId, RunId, Seq, TaskId},
    message::{Artifact, Message},
    refusal::Refusal,
    run::{Run, ToolCall},
    squad::Squad,
    task::{Task, TaskCard, TaskState},
    time::Timestamp,
};
use mc_proto::method::admin::{JournalRow, PolicyVersion};
use rusqlite::{Connection, OptionalExtension as _, Params, types::Value};
use serde::de::DeserializeOwned;

use super::{StoreError, TokenOwner};
use crate::journal::{self, Head};

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

    pub(super) fn connection(self) -> &'a Connection {
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

    fn number(self, sql: &str, params: impl Params) -> Result<i64, StoreError> {
        Ok(self.0.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
    }

    fn numbers(self, sql: &str, params: impl Params) -> Result<Vec<i64>, StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let rows = statement.query_map(params, |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
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
    /// Returns a message.
    message(id: MessageId) -> Message, "message", "SELECT body FROM messages WHERE id = ?1";
}

/// Returns an agent.
///
/// # Errors
///
/// When there is none, or the store can't be read.
pub fn agent(db: Reader<'_>, name: &AgentName) -> Result<Agent, Fail> {
    found(find_agent(db, name)?, format_args!("agent `{name}`"))
}

/// Returns an agent, if there is one of that name.
///
/// # Errors
///
/// When the store can't be read.
pub fn find_agent(db: Reader<'_>, name: &str) -> Result<Option<Agent>, StoreError> {
    db.body("SELECT body FROM agents WHERE name = ?1", [name])
}

/// Returns every agent that is not retired, by name; with `all` the retired ones too.
///
/// # Errors
///
/// When the store can't be read.
pub fn agents(db: Reader<'_>, all: bool) -> Result<Vec<Agent>, StoreError> {
    let sql = "SELECT body FROM agents WHERE ?1 OR status <> 'stopped' ORDER BY name";
    db.bodies(sql, [all])
}

/// Returns whether an adapter of that name is enrolled.
///
/// # Errors
///
/// When the store can't be read.
pub fn has_adapter(db: Reader<'_>, name: &str) -> Result<bool, StoreError> {
    Ok(db.number("SELECT count(*) FROM adapters WHERE name = ?1", [name])? > 0)
}

/// Returns the squad.
///
/// # Errors
///
/// When the store can't be read.
pub fn squad(db: Reader<'_>) -> Result<Squad, StoreError> {
    Ok(db.body("SELECT body FROM squad WHERE id = 1", [])?.unwrap_or_default())
}

/// Returns the newest policy, if one was ever activated.
///
/// # Errors
///
/// When the store can't be read.
pub fn policy(db: Reader<'_>) -> Result<Option<PolicyVersion>, StoreError> {
    db.body("SELECT body FROM policies ORDER BY version DESC LIMIT 1", [])
}

/// Finds whose token has this SHA-256, if it is good at `now`.
///
/// # Errors
///
/// When the store can't be read.
pub fn token_owner(
    db: Reader<'_>,
    sha256_hex: &str,
    now: Timestamp,
) -> Result<Option<TokenOwner>, StoreError> {
    let sql = "SELECT name FROM tokens WHERE sha256 = ?1
               AND (good_until_ms IS NULL OR good_until_ms > ?2)";
    let Some(name) = db.text(sql, (sha256_hex, now.0))? else { return Ok(None) };
    let Ok(name) = name.parse::<AgentName>() else { return Ok(None) };
    let agents: Option<Vec<AgentName>> =
        db.body("SELECT agents FROM adapters WHERE name = ?1", [name.as_str()])?;
    Ok(Some(match agents {
        Some(agents) => TokenOwner::Adapter(name, agents),
        None => TokenOwner::Agent(name),
    }))
}

/// Returns what an adapter adapts.
///
/// # Errors
///
/// When the store can't be read.
pub fn adapter_runtime(db: Reader<'_>, name: &str) -> Result<Option<Runtime>, StoreError> {
    db.body("SELECT runtime FROM adapters WHERE name = ?1", [name])
}

/// Returns the tasks of an agent that are not closed, oldest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn open_tasks_of(db: Reader<'_>, agent: &str) -> Result<Vec<Task>, StoreError> {
    let sql = "SELECT t.body FROM task_assignees a JOIN tasks t ON t.id = a.task
               WHERE a.agent = ?1 AND t.state NOT IN ('done', 'canceled') ORDER BY t.id LIMIT 200";
    db.bodies(sql, [agent])
}

/// Returns every task that is not closed, newest first, at most `limit`.
///
/// # Errors
///
/// When the store can't be read.
pub fn open_tasks(db: Reader<'_>, limit: i64) -> Result<Vec<Task>, StoreError> {
    db.bodies(OPEN_TASKS, [limit])
}

/// Returns the cards of every task that is not closed, newest first, and of the last closed ones.
///
/// # Errors
///
/// When the store can't be read.
pub fn board(db: Reader<'_>, open: i64, closed: i64) -> Result<Vec<TaskCard>, StoreError> {
    let mut cards: Vec<TaskCard> = db.bodies(OPEN_TASKS, [open])?;
    let mut ended: Vec<TaskCard> = Vec::new();
    for state in [TaskState::Done, TaskState::Canceled] {
        let sql = "SELECT body FROM tasks WHERE state = ?1 ORDER BY id DESC LIMIT ?2";
        ended.extend(db.bodies::<TaskCard>(sql, (state.as_str(), closed))?);
    }
    ended.sort_by_key(|card| std::cmp::Reverse(card.id));
    cards.extend(ended.into_iter().take(usize::try_from(closed).unwrap_or(0)));
    Ok(cards)
}

/// Returns Inbox tasks, most urgent first.
///
/// # Errors
///
/// When the store can't be read.
pub fn inbox(db: Reader<'_>, limit: i64) -> Result<Vec<Task>, StoreError> {
    let sql = "SELECT body FROM tasks WHERE state = 'inbox' ORDER BY priority, id LIMIT ?1";
    db.bodies(sql, [limit])
}

/// Returns the parts of a task.
///
/// # Errors
///
/// When the store can't be read.
pub fn children(db: Reader<'_>, parent: TaskId) -> Result<Vec<TaskId>, StoreError> {
    let sql = "SELECT id FROM tasks WHERE parent = ?1 ORDER BY id LIMIT 200";
    Ok(db.numbers(sql, [parent.0])?.into_iter().map(TaskId).collect())
}

/// Returns the state of a task, if it exists.
///
/// # Errors
///
/// When the store can't be read.
pub fn task_state(db: Reader<'_>, id: TaskId) -> Result<Option<TaskState>, StoreError> {
    let state = db.text("SELECT state FROM tasks WHERE id = ?1", [id.0])?;
    Ok(state.and_then(|state| state.parse().ok()))
}

/// Returns those of `tasks` that are not closed.
///
/// # Errors
///
/// When the store can't be read.
pub fn open_among(db: Reader<'_>, tasks: &[TaskId]) -> Result<Vec<TaskId>, StoreError> {
    let mut open = Vec::new();
    for task in tasks {
        if task_state(db, *task)?.is_some_and(|state| !state.is_final()) {
            open.push(*task);
        }
    }
    Ok(open)
}

/// Returns the cards behind task `after`, by number.
///
/// # Errors
///
/// When the store can't be read.
pub fn cards_from(db: Reader<'_>, after: i64, limit: i64) -> Result<Vec<TaskCard>, StoreError> {
    db.bodies("SELECT body FROM tasks WHERE id > ?1 ORDER BY id LIMIT ?2", [after, limit])
}

/// Returns the cards of the newest tasks, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn newest_cards(db: Reader<'_>, limit: i64) -> Result<Vec<TaskCard>, StoreError> {
    db.bodies("SELECT body FROM tasks ORDER BY id DESC LIMIT ?1", [limit])
}

/// Counts all tasks.
///
/// # Errors
///
/// When the store can't be read.
pub fn count_tasks(db: Reader<'_>) -> Result<i64, StoreError> {
    db.number("SELECT count(*) FROM tasks", [])
}

/// Counts rows of a table by the word in `column`; both are names of ours.
fn counts(db: Reader<'_>, sql: &str) -> Result<Vec<(String, i64)>, StoreError> {
    let mut statement = db.0.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts tasks by state.
///
/// # Errors
///
/// When the store can't be read.
pub fn task_counts(db: Reader<'_>) -> Result<Vec<(String, i64)>, StoreError> {
    counts(db, "SELECT state, count(*) FROM tasks GROUP BY state")
}

/// Counts agents by status.
///
/// # Errors
///
/// When the store can't be read.
pub fn agent_counts(db: Reader<'_>) -> Result<Vec<(String, i64)>, StoreError> {
    counts(db, "SELECT status, count(*) FROM agents GROUP BY status")
}

/// Counts the agents that have a run that goes on.
///
/// # Errors
///
/// When the store can't be read.
pub fn working(db: Reader<'_>) -> Result<i64, StoreError> {
    db.number("SELECT count(DISTINCT agent) FROM runs WHERE status = 'running'", [])
}

/// Counts all approvals that wait, and those of one agent.
///
/// # Errors
///
/// When the store can't be read.
pub fn waiting_approvals(db: Reader<'_>, agent: &str) -> Result<(i64, i64), StoreError> {
    let sql =
        "SELECT count(*), coalesce(sum(agent = ?1), 0) FROM approvals WHERE status = 'pending'";
    let mut statement = db.0.prepare_cached(sql)?;
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
pub fn past_decisions(db: Reader<'_>, rule: &str) -> Result<(i64, i64, i64), StoreError> {
    let sql = "SELECT count(*), coalesce(sum(status = 'approved'), 0),
               coalesce(sum(status = 'denied'), 0) FROM approvals WHERE rule = ?1";
    let mut statement = db.0.prepare_cached(sql)?;
    Ok(statement.query_row([rule], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
}

/// Returns the runs on a task, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn runs_of_task(db: Reader<'_>, task: TaskId, limit: i64) -> Result<Vec<Run>, StoreError> {
    db.bodies("SELECT body FROM runs WHERE task = ?1 ORDER BY id DESC LIMIT ?2", [task.0, limit])
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

/// Returns what was made for a task, by name.
///
/// # Errors
///
/// When the store can't be read.
pub fn artifacts(db: Reader<'_>, task: TaskId) -> Result<Vec<Artifact>, StoreError> {
    db.bodies("SELECT body FROM artifacts WHERE task = ?1 ORDER BY name LIMIT 200", [task.0])
}

/// Returns one artifact and its content.
///
/// # Errors
///
/// When there is none, or the store can't be read.
pub fn artifact(db: Reader<'_>, task: TaskId, name: &str) -> Result<(Artifact, String), Fail> {
    let sql = "SELECT body FROM artifacts WHERE task = ?1 AND name = ?2";
    let artifact: Artifact =
        found(db.body(sql, (task.0, name))?, format_args!("artifact `{name}` of `{task}`"))?;
    let text = db.text("SELECT text FROM blobs WHERE sha256 = ?1", [&artifact.sha256])?;
    let text = found(text, format_args!("the content of artifact `{name}`"))?;
    Ok((artifact, text))
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

/// Returns the alerts that were resolved, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn resolved_alerts(db: Reader<'_>, limit: i64) -> Result<Vec<Alert>, StoreError> {
    let sql = "SELECT body FROM alerts WHERE status = 'resolved' ORDER BY id DESC LIMIT ?1";
    db.bodies(sql, [limit])
}

/// Returns the unresolved alerts of a task.
///
/// # Errors
///
/// When the store can't be read.
pub fn alerts_of_task(db: Reader<'_>, task: TaskId) -> Result<Vec<Alert>, StoreError> {
    let sql = "SELECT body FROM alerts WHERE status IN ('open', 'acknowledged') AND task = ?1
               ORDER BY id DESC LIMIT 50";
    db.bodies(sql, [task.0])
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

/// Returns up to `limit` events after `since`, oldest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn events_after(db: Reader<'_>, since: Seq, limit: i64) -> Result<Vec<Recorded>, StoreError> {
    db.bodies("SELECT body FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2", [since, limit])
}

/// Returns up to `limit` events of a task after `since`, oldest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn events_of_task(
    db: Reader<'_>,
    task: TaskId,
    since: Seq,
    limit: i64,
) -> Result<Vec<Recorded>, StoreError> {
    let sql = "SELECT body FROM journal WHERE task = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    db.bodies(sql, [task.0, since, limit])
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
) -> Result<Vec<JournalRow>, StoreError> {
    let sql = if task.is_some() {
        "SELECT body, lower(hex(hash)) FROM journal WHERE task = ?2 AND seq > ?1 ORDER BY seq LIMIT ?3"
    } else {
        "SELECT body, lower(hex(hash)) FROM journal WHERE seq > ?1 AND ?2 IS NULL ORDER BY seq LIMIT ?3"
    };
    let mut statement = db.0.prepare_cached(sql)?;
    let mut rows = statement.query((since, task.map(|task| task.0), limit))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let body: String = row.get(0)?;
        found.push(JournalRow { recorded: serde_json::from_str(&body)?, hash: row.get(1)? });
    }
    Ok(found)
}

/// Returns the head of the journal.
///
/// # Errors
///
/// When the store can't be read.
pub fn head(db: Reader<'_>) -> Result<Head, StoreError> {
    journal::head(db.0)
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
    journal::verify::verify(db.0, remembered)
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
    let mut statement = db.0.prepare_cached(sql)?;
    Ok(statement.query_row([actor, key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

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
            Self::Policies => "policies",
            Self::Messages => "messages",
        }
    }
}

/// Returns one page of a table, and how many rows match in all. `filters` are columns of ours
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
) -> Result<(Vec<T>, i64), StoreError> {
    let table = listed.table();
    let id = if listed == Listed::Policies { "version" } else { "id" };
    let (beyond, order) = if listed == Listed::Messages { (">", "") } else { ("<", " DESC") };
    let mut clauses = String::new();
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
    Ok((db.bodies(&sql, rusqlite::params_from_iter(values.iter()))?, total))
}

/// Returns the highest number given in `table`, one of ours.
pub(super) fn last_number(db: Reader<'_>, table: &str, id: &str) -> Result<i64, StoreError> {
    db.number(&format!("SELECT coalesce(max({id}), 0) FROM {table}"), [])
}
