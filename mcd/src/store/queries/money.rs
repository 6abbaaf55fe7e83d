//! Ledgers, promises, and what model calls cost.

use std::collections::BTreeMap;

use mc_core::{
    agent::AgentName,
    answers::Worked,
    budget::{
        BudgetDay, Caps, Correction, Cost, Ledger, Pace, Payer, Reservation, Scope, ScopeKey,
    },
    id::{CallId, RunId, Seq, TaskId},
    money::{CostState, MicroUsd, Tokens},
    run::Run,
    time::Timestamp,
};
use mc_proto::method::cost::{By, RollupRow, StateSum, Sums};

use super::{Fail, Reader};
use crate::store::StoreError;

/// How far up the tasks above a task are followed.
pub const TASK_DEPTH: usize = 8;

/// Returns the ledger of a scope; an empty one where nothing was spent.
///
/// # Errors
///
/// When the store can't be read.
pub fn ledger(db: Reader<'_>, key: &ScopeKey) -> Result<Ledger, StoreError> {
    let sql = "SELECT body FROM ledgers WHERE scope = ?1 AND of = ?2";
    Ok(db.body(sql, (key.scope.as_str(), &key.of))?.unwrap_or_default())
}

/// Returns the caps that were set for a scope beside those in other rows.
///
/// # Errors
///
/// When the store can't be read.
pub fn caps(db: Reader<'_>, scope: Scope, of: &str) -> Result<Caps, StoreError> {
    let sql = "SELECT body FROM caps WHERE scope = ?1 AND of = ?2";
    Ok(db.body(sql, (scope.as_str(), of))?.unwrap_or_default())
}

/// Returns the promises of a run that count, oldest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn open_reservations_of(db: Reader<'_>, run: RunId) -> Result<Vec<Reservation>, StoreError> {
    let sql = "SELECT body FROM reservations WHERE run = ?1 AND open = 1 ORDER BY id LIMIT 1000";
    db.bodies(sql, [run.0])
}

/// Returns the promise for a tool call, however it stands.
///
/// # Errors
///
/// When the store can't be read.
pub fn reservation_for(db: Reader<'_>, call: CallId) -> Result<Option<Reservation>, StoreError> {
    db.body("SELECT body FROM reservations WHERE call = ?1 ORDER BY id DESC LIMIT 1", [call.0])
}

/// Returns the promises that count, of one agent, task or run where one is named, oldest first, at
/// most `limit`.
///
/// # Errors
///
/// When the store can't be read.
pub fn open_reservations(
    db: Reader<'_>,
    (agent, task): Only<'_>,
    run: Option<RunId>,
    limit: i64,
) -> Result<Vec<Reservation>, StoreError> {
    let sql = "SELECT body FROM reservations WHERE open = 1 AND (?1 IS NULL OR run = ?1)
               AND (?2 IS NULL OR body ->> '$.agent' = ?2)
               AND (?3 IS NULL OR body ->> '$.task' = ?3) ORDER BY id LIMIT ?4";
    let task = task.map(|task| task.to_string());
    db.bodies(sql, (run.map(|run| run.0), agent, task, limit))
}

/// Returns the promises that count, were made before `before` and are the subject of no alert yet,
/// oldest first, at most `limit`, each with its run.
///
/// # Errors
///
/// When the store can't be read.
pub fn old_reservations(
    db: Reader<'_>,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<(Reservation, Option<Run>)>, StoreError> {
    // The texts of times are in order like the times.
    let sql = "SELECT b.body, r.body FROM reservations b LEFT JOIN runs r ON r.id = b.run
               WHERE b.open = 1 AND b.body ->> '$.at' <= ?1 AND b.body ->> '$.alert' IS NULL
               ORDER BY b.id LIMIT ?2";
    let mut statement = db.connection().prepare_cached(sql)?;
    let mut rows = statement.query((before.to_string(), limit))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (promise, run): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let run = run.map(|body| serde_json::from_str(&body)).transpose()?;
        found.push((serde_json::from_str(&promise)?, run));
    }
    Ok(found)
}

/// Returns how fast a run or an agent spends.
///
/// # Errors
///
/// When the store can't be read.
pub fn pace(db: Reader<'_>, of: &str) -> Result<Pace, StoreError> {
    Ok(db.body("SELECT body FROM paces WHERE of = ?1", [of])?.unwrap_or_default())
}

/// Returns the task that a session worked on last.
///
/// # Errors
///
/// When the store can't be read.
pub fn task_of_session(
    db: Reader<'_>,
    agent: &str,
    session: &str,
) -> Result<Option<TaskId>, StoreError> {
    let sql = "SELECT coalesce(max(task), 0) FROM session_tasks WHERE agent = ?1 AND session = ?2";
    let task = db.number(sql, [agent, session])?;
    Ok((task > 0).then_some(TaskId(task)))
}

/// Returns the tasks that an agent has in progress, oldest first, at most 101: no capacity is more.
///
/// # Errors
///
/// When the store can't be read.
pub fn in_progress_of(db: Reader<'_>, agent: &str) -> Result<Vec<TaskId>, StoreError> {
    let sql = "SELECT t.id FROM task_assignees a JOIN tasks t ON t.id = a.task
               WHERE a.agent = ?1 AND t.state = 'in_progress' ORDER BY t.id LIMIT 101";
    let mut statement = db.connection().prepare_cached(sql)?;
    let rows = statement.query_map([agent], |row| row.get(0).map(TaskId))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns the tasks that a task is a part of, nearest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn tasks_above(db: Reader<'_>, task: TaskId) -> Result<Vec<TaskId>, StoreError> {
    let mut above: Vec<TaskId> = Vec::new();
    let mut of = task;
    while above.len() < TASK_DEPTH {
        let sql = "SELECT coalesce(max(parent), 0) FROM tasks WHERE id = ?1";
        let parent = TaskId(db.number(sql, [of.0])?);
        if parent.0 == 0 || parent == task || above.contains(&parent) {
            break;
        }
        above.push(parent);
        of = parent;
    }
    Ok(above)
}

/// Returns the last runs on a task, or of an agent where there is none, newest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn last_runs(
    db: Reader<'_>,
    task: Option<TaskId>,
    agent: &str,
    limit: i64,
) -> Result<Vec<Run>, StoreError> {
    if let Some(task) = task {
        let sql = "SELECT body FROM runs WHERE task = ?1 ORDER BY id DESC LIMIT ?2";
        return db.bodies(sql, [task.0, limit]);
    }
    let sql = "SELECT body FROM runs WHERE agent = ?1 ORDER BY id DESC LIMIT ?2";
    db.bodies(sql, (agent, limit))
}

/// Returns who did what on a task, the dearest first, at most twenty.
///
/// # Errors
///
/// When the store can't be read.
pub fn worked(db: Reader<'_>, task: TaskId) -> Result<Vec<Worked>, Fail> {
    let sql = "SELECT agent, sum(runs), sum(cost), sum(counted), sum(unpriced) FROM (
                   SELECT agent, count(*) AS runs, sum(json_extract(body, '$.cost_uusd')) AS cost,
                       0 AS counted, 0 AS unpriced
                   FROM runs WHERE task = ?1 GROUP BY agent
                   UNION ALL
                   SELECT agent, 0, 0, sum(counted_uusd), count(*)
                   FROM usages WHERE task = ?1 AND state = 'unpriced' GROUP BY agent
               ) GROUP BY agent ORDER BY 3 DESC, 2 DESC, agent LIMIT 20";
    let mut statement = db.connection().prepare_cached(sql).map_err(StoreError::from)?;
    let row = |row: &rusqlite::Row<'_>| {
        let unpriced: i64 = row.get(4)?;
        let counted = MicroUsd(row.get(3)?);
        Ok((
            row.get::<_, String>(0)?,
            (row.get::<_, i64>(1)?, MicroUsd(row.get(2)?)),
            (unpriced > 0).then_some(counted),
        ))
    };
    let rows = statement.query_map([task.0], row).map_err(StoreError::from)?;
    let mut all = Vec::new();
    for row in rows {
        let (agent, (runs, cost_uusd), at_most_uusd) = row.map_err(StoreError::from)?;
        let agent = agent.parse::<AgentName>().map_err(|error| {
            StoreError::Damaged(format!("a run on {task} is of no agent: {error}"))
        })?;
        all.push(Worked { agent, runs, cost_uusd, at_most_uusd });
    }
    Ok(all)
}

/// Whose costs.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// A run's.
    Run(RunId),
    /// A task's.
    Task(TaskId),
    /// An agent's.
    Agent(&'a str),
    /// An agent's, of one day.
    AgentDay(&'a str, &'a str),
}

/// Returns how the costs of a run, a task, an agent or its day are known, the least certain of all; `None`
/// when nothing was used.
///
/// # Errors
///
/// When the store can't be read.
pub fn cost_state(db: Reader<'_>, of: Of<'_>) -> Result<Option<CostState>, StoreError> {
    for state in CostState::ALL.into_iter().rev() {
        let word = state.as_str();
        let found = match of {
            Of::Run(run) => db.number(
                "SELECT EXISTS (SELECT 1 FROM usages WHERE run = ?1 AND state = ?2)",
                (run.0, word),
            ),
            Of::Task(task) => db.number(
                "SELECT EXISTS (SELECT 1 FROM usages WHERE task = ?1 AND state = ?2)",
                (task.0, word),
            ),
            Of::Agent(agent) => db.number(
                "SELECT EXISTS (SELECT 1 FROM usages WHERE agent = ?1 AND state = ?2)",
                (agent, word),
            ),
            Of::AgentDay(agent, day) => db.number(
                "SELECT EXISTS (SELECT 1 FROM spend_days
                     WHERE day = ?2 AND agent = ?1 AND state = ?3 AND calls > 0)",
                (agent, day, word),
            ),
        };
        if found? > 0 {
            return Ok(Some(state));
        }
    }
    Ok(None)
}

/// Returns the newest day that money was spent on; empty when none was.
///
/// # Errors
///
/// When the store can't be read.
pub fn newest_day(db: Reader<'_>) -> Result<String, StoreError> {
    Ok(db.text("SELECT coalesce(max(day), '') FROM spend_days", [])?.unwrap_or_default())
}

/// Returns where the budget day stood last; `None` before the first.
///
/// # Errors
///
/// When the store can't be read.
pub fn budget_day(db: Reader<'_>) -> Result<Option<BudgetDay>, StoreError> {
    db.body("SELECT body FROM budget_day WHERE id = 1", [])
}

/// Days, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub since: String,
    /// The last.
    pub until: String,
}

/// Whose costs: of one agent, of one task.
pub type Only<'a> = (Option<&'a str>, Option<TaskId>);

/// Where costs of a span stand, and what is summed up. Rows that were corrected away have no calls.
const SUMS: &str = "sum(CASE state WHEN 'unpriced' THEN 0 ELSE cost_uusd END), sum(counted_uusd),
    sum(input + output + cache_read + cache_write), sum(calls),
    json_group_array(json_array(state, counted_uusd, input + output + cache_read + cache_write, calls))";

/// Returns all caps that were set beside those in other rows.
///
/// # Errors
///
/// When the store can't be read.
pub fn all_caps(db: Reader<'_>) -> Result<BTreeMap<(Scope, String), Caps>, StoreError> {
    let mut statement = db.connection().prepare_cached("SELECT scope, of, body FROM caps")?;
    let mut rows = statement.query([])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (scope, of, body): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let scope = serde_json::from_value(serde_json::Value::String(scope))?;
        all.insert((scope, of), serde_json::from_str(&body)?);
    }
    Ok(all)
}

const fn column(by: By) -> &'static str {
    match by {
        By::Agent => "agent",
        By::Task => "task",
        By::Run => "run",
        By::Model => "model",
        By::Project => "project",
        By::Day => "day",
    }
}

/// Returns costs summed up by `by`, dearest first; those by day in order of days.
///
/// # Errors
///
/// When the store can't be read.
pub fn costs(
    db: Reader<'_>,
    by: &[By],
    (span, only): (&Span, Only<'_>),
    (limit, offset): (i64, i64),
) -> Result<Vec<RollupRow>, StoreError> {
    // Names of columns are ours; every value is bound.
    let columns = by.iter().copied().map(column).collect::<Vec<_>>().join(", ");
    let table = if by.contains(&By::Run) { "usages" } else { "spend_days" };
    let order = if by.contains(&By::Day) { "day, " } else { "" };
    let sql = format!(
        "SELECT {columns}, {SUMS} FROM {table}
         WHERE day BETWEEN ?1 AND ?2 AND calls > 0 AND (?3 IS NULL OR agent = ?3)
         AND (?4 IS NULL OR task = ?4) GROUP BY {columns}
         ORDER BY {order}sum(counted_uusd) DESC, {columns} LIMIT ?5 OFFSET ?6"
    );
    let mut statement = db.connection().prepare_cached(&sql)?;
    let (agent, task) = (only.0, only.1.map(|task| task.0));
    let mut rows = statement.query((&span.since, &span.until, agent, task, limit, offset))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(rollup_row(row, by)?);
    }
    Ok(found)
}

fn rollup_row(row: &rusqlite::Row<'_>, by: &[By]) -> Result<RollupRow, StoreError> {
    let mut found = RollupRow { sums: sums(row, by.len())?, ..RollupRow::default() };
    for (at, by) in by.iter().enumerate() {
        let text = || row.get::<_, Option<String>>(at).map(Option::unwrap_or_default);
        let number = || row.get::<_, Option<i64>>(at).map(Option::unwrap_or_default);
        match by {
            By::Agent => found.agent = text()?.parse().ok(),
            By::Task => found.task = Some(number()?).filter(|id| *id > 0).map(TaskId),
            By::Run => found.run = Some(RunId(number()?)).filter(|run| run.0 > 0),
            By::Model => found.model = Some(text()?).filter(|name| !name.is_empty()),
            By::Project => found.project = Some(text()?).filter(|name| !name.is_empty()),
            By::Day => found.day = Some(text()?),
        }
    }
    Ok(found)
}

/// Reads the columns of [`SUMS`] that begin at `at`.
fn sums(row: &rusqlite::Row<'_>, at: usize) -> Result<Sums, StoreError> {
    let number = |at: usize| row.get::<_, Option<i64>>(at).map(Option::unwrap_or_default);
    let states: String = row.get(at + 4)?;
    let mut sums = Sums {
        cost_uusd: MicroUsd(number(at)?),
        counted_uusd: MicroUsd(number(at + 1)?),
        tokens: number(at + 2)?,
        calls: number(at + 3)?,
        states: BTreeMap::new(),
    };
    for (state, uusd, tokens, calls) in
        serde_json::from_str::<Vec<(String, i64, i64, i64)>>(&states)?
    {
        let of: &mut StateSum = sums.states.entry(state).or_default();
        of.uusd = of.uusd + MicroUsd(uusd);
        of.tokens += tokens;
        of.calls += calls;
    }
    Ok(sums)
}

/// Returns all costs of a span, and how much of what counts has a task.
///
/// # Errors
///
/// When the store can't be read.
pub fn total_costs(
    db: Reader<'_>,
    span: &Span,
    only: Only<'_>,
) -> Result<(Sums, MicroUsd), StoreError> {
    let sql = "SELECT sum(cost), sum(counted), sum(tokens), sum(calls),
        coalesce(json_group_array(json_array(state, counted, tokens, calls)), '[]'), sum(attributed)
        FROM (SELECT state, sum(CASE state WHEN 'unpriced' THEN 0 ELSE cost_uusd END) AS cost,
            sum(counted_uusd) AS counted, sum(input + output + cache_read + cache_write) AS tokens,
            sum(calls) AS calls, sum(CASE WHEN task > 0 THEN counted_uusd ELSE 0 END) AS attributed
            FROM spend_days WHERE day BETWEEN ?1 AND ?2 AND calls > 0
            AND (?3 IS NULL OR agent = ?3) AND (?4 IS NULL OR task = ?4) GROUP BY state)";
    let mut statement = db.connection().prepare_cached(sql)?;
    let mut rows =
        statement.query((&span.since, &span.until, only.0, only.1.map(|task| task.0)))?;
    let Some(row) = rows.next()? else { return Ok((Sums::default(), MicroUsd::ZERO)) };
    let attributed: Option<i64> = row.get(5)?;
    Ok((sums(row, 0)?, MicroUsd(attributed.unwrap_or(0))))
}

/// Returns what counts of each day of a span; days without spend are missing.
///
/// # Errors
///
/// When the store can't be read.
pub fn day_costs(db: Reader<'_>, span: &Span) -> Result<BTreeMap<String, MicroUsd>, StoreError> {
    let sql = "SELECT day, sum(counted_uusd) FROM spend_days WHERE day BETWEEN ?1 AND ?2
               GROUP BY day";
    let mut statement = db.connection().prepare_cached(sql)?;
    let rows = statement
        .query_map((&span.since, &span.until), |row| Ok((row.get(0)?, MicroUsd(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What [`usage`] reads.
const USAGE: &str = "seq, day, run, agent, task, above, project, model, state, cost_uusd,
    counted_uusd, input, output, cache_read, cache_write, ancestors";

/// Returns the usages of a span after event `after` whose cost was derived or has no price, in
/// order, as corrections that change nothing yet.
///
/// # Errors
///
/// When the store can't be read.
pub fn uncertain_usages(
    db: Reader<'_>,
    span: &Span,
    after: i64,
    limit: i64,
) -> Result<Vec<Correction>, StoreError> {
    let sql = format!(
        "SELECT {USAGE} FROM usages WHERE seq > ?3 AND day BETWEEN ?1 AND ?2
         AND state IN ('derived', 'unpriced', 'free', 'subscription')
         AND model NOT LIKE 'tool:%' ORDER BY seq LIMIT ?4"
    );
    let mut statement = db.connection().prepare_cached(&sql)?;
    let mut rows = statement.query((&span.since, &span.until, after, limit))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(usage(row)?);
    }
    Ok(found)
}

/// Returns the usage that the event `seq` recorded, as a correction that changes nothing yet.
///
/// # Errors
///
/// When the store can't be read.
pub fn usage_at(db: Reader<'_>, seq: Seq) -> Result<Option<Correction>, StoreError> {
    let sql = format!("SELECT {USAGE} FROM usages WHERE seq = ?1");
    let mut statement = db.connection().prepare_cached(&sql)?;
    let mut rows = statement.query([seq])?;
    rows.next()?.map(usage).transpose()
}

fn usage(row: &rusqlite::Row<'_>) -> Result<Correction, StoreError> {
    let text = |at: usize| row.get::<_, String>(at);
    let agent = text(3)?;
    let wrong = |_| StoreError::Damaged(format!("`{agent}` is no agent"));
    let from = Cost {
        cost_uusd: MicroUsd(row.get(9)?),
        counted_uusd: MicroUsd(row.get(10)?),
        state: serde_json::from_value(serde_json::Value::String(text(8)?))?,
    };
    Ok(Correction {
        usage: row.get(0)?,
        payer: Payer {
            run: Some(RunId(row.get(2)?)).filter(|run| run.0 > 0),
            agent: agent.parse().map_err(wrong)?,
            task: row.get::<_, Option<i64>>(4)?.map(TaskId),
            above: serde_json::from_str(&text(5)?)?,
            ancestors: serde_json::from_str(&text(15)?)?,
            day: text(1)?,
        },
        project: row.get(6)?,
        model: text(7)?,
        tokens: Tokens {
            input: row.get(11)?,
            output: row.get(12)?,
            cache_read: row.get(13)?,
            cache_write: row.get(14)?,
        },
        from,
        to: from,
    })
}
