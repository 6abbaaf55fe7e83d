//! Registering agents and adapters, and their tokens. A token is random, shown once, kept as hash.

use std::time::Duration;

use mc_core::{
    agent::{Agent, AgentName, AgentStatus},
    canonical,
    event::{AdapterEnrolled, Event},
    money::MicroUsd,
    policy::Within,
    refusal::Refusal,
};
use mc_proto::{
    limits::{SHORT_BYTES, TITLE_BYTES},
    method::agent::{
        AdapterEnrol, AdapterToken, Done, Register, Registered, RevokeToken, RotateToken, Token,
    },
};

use super::{input, moves::acting_agent, spawn};
use crate::store::{
    Desk, StoreError,
    queries::{self, Fail},
};

/// How long an old token is good after a rotation.
const OVERLAP: Duration = Duration::from_mins(10);
/// The largest cap that can be given to an agent: a million dollars.
const CAP_LIMIT: i64 = 1_000_000_000_000;

/// `agent.register`
///
/// # Errors
///
/// `conflict` when the name is taken, `forbidden` when an agent may not spawn.
pub fn register(desk: &mut Desk<'_>, params: Register) -> Result<Registered, Fail> {
    check(desk, &params)?;
    let parent = spawn::parent(desk, &params)?;
    let mut agent = begin(desk, params, parent)?;
    if !desk.caller.is_human() {
        spawn::inherit(&mut agent, &acting_agent(desk)?);
    }
    let token = new_token(desk)?;
    let token_sha256 = canonical::sha256_hex(token.as_bytes());
    let name = agent.name.clone();
    desk.emit(Event::AgentRegistered { agent: Box::new(agent), token_sha256 })?;
    Ok(Registered { agent: queries::agent(desk.db, &name)?, token })
}

fn check(desk: &Desk<'_>, params: &Register) -> Result<(), Fail> {
    let name = &params.name;
    if queries::find_agent(desk.db, name)?.is_some() || queries::has_adapter(desk.db, name)? {
        return Err(Refusal::conflict(format!("the name `{name}` is taken")).into());
    }
    let limit = i64::try_from(desk.policy.doc().limits.active_agents).unwrap_or(i64::MAX);
    let active = queries::agents(desk.db, false)?.len();
    if i64::try_from(active).unwrap_or(i64::MAX) >= limit {
        let text = format!("the squad has {active} agents, the limit is {limit}: stop one first");
        return Err(Refusal::forbidden(text).into());
    }
    if let Some(workspace) = &params.workspace {
        check_workspace("workspace", workspace)?;
    }
    if let Some(display) = &params.display_name {
        input::needed("display_name", display, TITLE_BYTES)?;
    }
    let given = (params.daily_cap_uusd, params.run_cap_uusd);
    check_caps("", given, caps(desk, params))?;
    check_lists(
        desk,
        &[
            ("task_types", Some(&params.task_types)),
            ("tools_allow", Some(&params.tools_allow)),
            ("tools_deny", Some(&params.tools_deny)),
        ],
    )
}

/// Refuses a workspace that is no absolute path.
pub(super) fn check_workspace(field: &str, path: &str) -> Result<(), Fail> {
    input::needed(field, path, SHORT_BYTES)?;
    let is_plain = path.starts_with('/') && !path.split('/').any(|part| part == "..");
    if is_plain && path != "/" {
        return Ok(());
    }
    Err(Refusal::invalid(field, "must be an absolute path without `..`, and not `/`").into())
}

/// Refuses lists that are too long, and unknown task types.
pub(super) fn check_lists(
    desk: &Desk<'_>,
    lists: &[(&str, Option<&[String]>)],
) -> Result<(), Fail> {
    for (field, list) in lists {
        let list = list.unwrap_or_default();
        input::few(field, list.len())?;
        for (at, item) in list.iter().enumerate() {
            let field = format!("{field}[{at}]");
            input::needed(&field, item, TITLE_BYTES)?;
            if field.contains("task_types") && !desk.policy.has_task_type(item) {
                return Err(Refusal::invalid(field, format!("`{item}` is no task type")).into());
            }
        }
    }
    Ok(())
}

/// Refuses caps that leave nothing or are absurd, and those with which one run could cost more than
/// its agent's day: `to` are the caps of day and run as they would be. The fields stand `within`.
pub(super) fn check_caps(
    within: &str,
    (daily, run): (Option<MicroUsd>, Option<MicroUsd>),
    to: (MicroUsd, MicroUsd),
) -> Result<(), Fail> {
    let fields = [("daily_cap_uusd", daily), ("run_cap_uusd", run)];
    let given = || {
        fields.iter().filter_map(|(name, cap)| Some((format!("{within}{name}"), *cap.as_ref()?)))
    };
    if let Some((field, _)) = given().find(|(_, cap)| !(1..=CAP_LIMIT).contains(&cap.0)) {
        let text = format!(
            "must be more than $0.00 and at most {}: to let an agent spend nothing, pause it",
            MicroUsd(CAP_LIMIT)
        );
        return Err(Refusal::invalid(field, text).into());
    }
    let (daily, run) = to;
    match given().next_back() {
        Some((field, _)) if run > daily => {
            let text = format!(
                "a run could cost {run}, and the agent's day {daily}: lower the run cap or raise the daily cap"
            );
            Err(Refusal::invalid(field, text).into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Returns the caps of day and run that an agent begins with: what is not given is the policy's, and no
/// run gets more than the day.
fn caps(desk: &Desk<'_>, params: &Register) -> (MicroUsd, MicroUsd) {
    let within = Within { agent: Some(params.name.as_str()), ..Within::default() };
    let scoped = desk.policy.at(within);
    let daily = params.daily_cap_uusd.unwrap_or_else(|| scoped.daily_cap(params.autonomy));
    let run = params.run_cap_uusd.unwrap_or_else(|| scoped.run_cap(params.autonomy).min(daily));
    (daily, run)
}

fn begin(desk: &Desk<'_>, params: Register, parent: Option<AgentName>) -> Result<Agent, Fail> {
    let (daily_cap_uusd, run_cap_uusd) = caps(desk, &params);
    Ok(Agent {
        daily_cap_uusd,
        run_cap_uusd,
        name: params.name,
        rev: 1,
        display_name: params.display_name,
        autonomy: params.autonomy,
        status: AgentStatus::Active,
        status_reason: None,
        status_since: None,
        evidence: None,
        runtime: params.runtime,
        workspace: params.workspace,
        task_types: params.task_types,
        tools_allow: params.tools_allow,
        tools_deny: params.tools_deny,
        can_spawn: params.can_spawn,
        parent,
        purpose: input::maybe("purpose", params.purpose)?,
        serves: params
            .task
            .map(|task| queries::task(desk.db, task).map(|task| task.id))
            .transpose()?,
        current_task: None,
        current_run: None,
        error_streak: 0,
        counted_since: None,
        spend_day: String::new(),
        spent_today_uusd: MicroUsd::ZERO,
        spent_uusd: MicroUsd::ZERO,
        spent_today_state: None,
        cost_state: None,
        labels: params.labels,
        created_at: desk.now,
        clock_moved_ms: 0,
        last_work_at: None,
    })
}

/// `adapter.enrol`
///
/// # Errors
///
/// `conflict` when an agent has the name, `not_found` for an unknown agent.
pub fn adapter(desk: &mut Desk<'_>, params: AdapterEnrol) -> Result<AdapterToken, Fail> {
    if queries::find_agent(desk.db, &params.name)?.is_some() {
        let text = format!("`{}` is an agent; give the adapter another name", params.name);
        return Err(Refusal::conflict(text).into());
    }
    input::few("agents", params.agents.len())?;
    for agent in &params.agents {
        queries::agent(desk.db, agent)?;
    }
    let token = new_token(desk)?;
    desk.emit(Event::AdapterEnrolled(AdapterEnrolled {
        name: params.name.to_string(),
        runtime: params.runtime,
        agents: params.agents,
        token_sha256: canonical::sha256_hex(token.as_bytes()),
    }))?;
    Ok(AdapterToken { name: params.name, token })
}

/// `agent.rotate_token`
///
/// # Errors
///
/// `not_found`.
pub fn rotate_token(desk: &mut Desk<'_>, params: RotateToken) -> Result<Token, Fail> {
    known(desk, &params.agent)?;
    let token = new_token(desk)?;
    let old_until = desk.now.plus(OVERLAP);
    desk.emit(Event::TokenRotated {
        name: params.agent.clone(),
        token_sha256: canonical::sha256_hex(token.as_bytes()),
        old_until,
    })?;
    Ok(Token { name: params.agent, token, old_until })
}

/// `agent.revoke_token`
///
/// # Errors
///
/// `not_found`.
pub fn revoke_token(desk: &mut Desk<'_>, params: RevokeToken) -> Result<Done, Fail> {
    known(desk, &params.agent)?;
    let text = format!("every token of {} has ended", params.agent);
    desk.emit(Event::TokenRevoked { name: params.agent })?;
    Ok(Done { text })
}

fn known(desk: &Desk<'_>, name: &str) -> Result<(), Fail> {
    if queries::find_agent(desk.db, name)?.is_some() || queries::has_adapter(desk.db, name)? {
        return Ok(());
    }
    Err(Refusal::not_found(format_args!("agent or adapter `{name}`")).into())
}

/// Returns `mct_` and 32 random bytes in hex.
fn new_token(desk: &Desk<'_>) -> Result<String, StoreError> {
    Ok(format!("mct_{}", random_hex::<32>(desk)?))
}

/// Returns `N` random bytes in hex.
pub(super) fn random_hex<const N: usize>(desk: &Desk<'_>) -> Result<String, StoreError> {
    let mut bytes = [0; N];
    let filled = desk.live.random.fill(&mut bytes);
    filled
        .map_err(|source| StoreError::Io { path: "the system's random source".into(), source })?;
    Ok(canonical::hex(&bytes))
}
