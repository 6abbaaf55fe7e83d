//! Agents, adapters and tokens.

use mc_core::{
    agent::{Agent, AgentName, Runtime},
    time::Timestamp,
};

use super::{Fail, Reader, counts, found};
use crate::store::{StoreError, TokenOwner};

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

/// The deepest family that is walked through; the limits keep them far below.
const DEEPEST: usize = 16;

/// Returns the agents above an agent, nearest first.
///
/// # Errors
///
/// When the store can't be read.
pub fn agents_above(db: Reader<'_>, agent: &Agent) -> Result<Vec<AgentName>, Fail> {
    let mut above = Vec::new();
    let mut parent = agent.parent.clone();
    while let Some(name) = parent.filter(|_| above.len() < DEEPEST) {
        parent = self::agent(db, &name)?.parent;
        above.push(name);
    }
    Ok(above)
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
    let sql = "SELECT count(DISTINCT agent) FROM runs JOIN agents ON agents.name = runs.agent
               WHERE runs.status = 'running'
                 AND agents.body ->> '$.status' IN ('active', 'drained')";
    db.number(sql, [])
}

/// Returns when each agent was last heard of, as far as that was kept.
///
/// # Errors
///
/// When the store can't be read.
pub fn heard(db: Reader<'_>) -> Result<Vec<(AgentName, Timestamp)>, StoreError> {
    let mut statement = db.connection().prepare_cached("SELECT agent, at_ms FROM heard")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let mut heard = Vec::new();
    for row in rows {
        let (agent, at_ms) = row?;
        // A name that is none any more belongs to nobody.
        heard.extend(agent.parse().ok().map(|agent| (agent, Timestamp(at_ms))));
    }
    Ok(heard)
}

/// Returns the agents with a run that goes on.
///
/// # Errors
///
/// When the store can't be read.
pub fn at_work(db: Reader<'_>) -> Result<Vec<AgentName>, StoreError> {
    let sql = "SELECT DISTINCT agent FROM runs WHERE status = 'running'";
    let mut statement = db.connection().prepare_cached(sql)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}
