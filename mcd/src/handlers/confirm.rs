//! The second lock: a runtime that asks by itself before a command runs gets a yes only for
//! exactly the command that was allowed a moment ago, and once.

use mc_core::{
    agent::{Agent, AgentStatus},
    alert::{AlertKind, Severity},
    canonical,
    event::{Event, ToolConfirmed, ToolUnconfirmed},
    policy::Outcome,
    redact,
    refusal::Refusal,
    run::{CallStatus, RunStatus, SecondLock, ToolCall},
    squad::SquadStatus,
    task::TaskState,
};
use mc_proto::{
    limits::{ARGUMENT_BYTES, SHORT_BYTES},
    method::run::{Confirm, Confirmed},
};

use serde_json::Value;

use super::{
    contain, input,
    moves::acting_agent,
    notify::{self, Warning},
    redeem,
    tool::{Asked, PREVIEW_CHARS},
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// Why a command may not run.
struct Objection {
    why: String,
    weight: Weight,
}

/// How bad it is that a command came at all.
#[derive(PartialEq, Eq)]
enum Weight {
    /// What it was allowed by does not hold any more.
    Void,
    /// It is not what was allowed.
    Foreign,
    /// It went past the gate: no call was let through that it could be.
    Unasked,
}

fn unasked(why: impl Into<String>) -> Objection {
    Objection { why: why.into(), weight: Weight::Unasked }
}

fn foreign(why: impl Into<String>) -> Objection {
    Objection { why: why.into(), weight: Weight::Foreign }
}

fn void(why: impl Into<String>) -> Objection {
    Objection { why: why.into(), weight: Weight::Void }
}

/// Returns what the second question about a call has to match; `None` where the runtime does not
/// name its calls, or the call runs no command.
pub(super) fn second_lock(asked: &Asked) -> Option<SecondLock> {
    let external_id = asked.params.external_id.clone()?;
    let command_sha256 = command_sha256(&asked.params.arguments)?;
    let cwd = asked.params.cwd.clone().or_else(|| asked.agent.workspace.clone());
    Some(SecondLock { external_id, command_sha256, cwd, used_for: None })
}

/// Returns the hash of the command that these arguments run.
pub(super) fn command_sha256(arguments: &Value) -> Option<String> {
    let command = arguments.get("command").or_else(|| arguments.get("cmd"))?;
    command.as_str().map(hash)
}

fn hash(command: &str) -> String {
    canonical::sha256_hex(command.as_bytes())
}

/// `tool.confirm`
///
/// # Errors
///
/// `forbidden` for agents themselves, `invalid_params`. A command that may not run is no error but
/// the decision `deny`.
pub(super) fn confirm(desk: &mut Desk<'_>, params: &Confirm) -> Result<Confirmed, Fail> {
    if desk.caller.adapter.is_none() {
        return Err(Refusal::forbidden("only an adapter asks for the second lock").into());
    }
    let agent = acting_agent(desk)?;
    input::needed("request", &params.request, SHORT_BYTES)?;
    input::needed("command", &params.command, ARGUMENT_BYTES)?;
    for (field, text) in [
        ("external_run", params.external_run.as_str()),
        ("external_id", &params.external_id),
        ("session", &params.session),
        ("cwd", params.cwd.as_deref().unwrap_or_default()),
    ] {
        input::at_most(field, text, SHORT_BYTES)?;
    }
    let call = claimed(desk, &agent, params)?;
    match (objection(desk, &agent, (params, call.as_ref()))?, call) {
        (None, Some(call)) => pass(desk, params, &call),
        (objection, call) => {
            let objection = objection.unwrap_or_else(|| unasked("nobody allowed it"));
            refuse(desk, &agent, (params, call.as_ref()), objection)
        }
    }
}

/// Returns the call that the command claims to be.
fn claimed(desk: &Desk<'_>, agent: &Agent, params: &Confirm) -> Result<Option<ToolCall>, Fail> {
    let run = queries::run_by_external_id(desk.db, &agent.name, &params.external_run)?;
    let Some(run) = run else { return Ok(None) };
    let call = queries::call_by_external_id(desk.db, run.id, &params.external_id)?;
    Ok(call.filter(|call| call.agent == agent.name))
}

fn objection(
    desk: &mut Desk<'_>,
    agent: &Agent,
    (params, call): (&Confirm, Option<&ToolCall>),
) -> Result<Option<Objection>, Fail> {
    let squad = desk.squad()?;
    let works = squad.status == SquadStatus::Running
        && matches!(agent.status, AgentStatus::Active | AgentStatus::Drained);
    if desk.live.halt.is_set() || !works {
        return Ok(Some(void("squad or agent does not work at the moment")));
    }
    let Some(call) = call else {
        return Ok(Some(unasked("no call of this run was allowed to do it")));
    };
    if let Some(objection) = mismatch(params, call) {
        return Ok(Some(objection));
    }
    let is_repeated = call.second_lock.as_ref().and_then(|lock| lock.used_for.as_deref());
    if is_repeated.is_some_and(|request| request != params.request) {
        return Ok(Some(foreign(format!("{} was run already", call.id))));
    }
    let is_fresh = call.lease_expires_at.is_some_and(|end| desk.now < end);
    if !is_fresh || call.granted_at.is_none_or(|at| at > desk.now) {
        return Ok(Some(void(format!("it comes too late after {} was allowed", call.id))));
    }
    if let Some(run) = call.run.map(|id| queries::run(desk.db, id)).transpose()?
        && run.status != RunStatus::Running
    {
        return Ok(Some(void(format!("{} of it has ended", run.id))));
    }
    if let Some(task) = call.task.map(|id| queries::task(desk.db, id)).transpose()?
        && task.state == TaskState::Blocked
    {
        return Ok(Some(void(format!("{} is blocked", task.id))));
    }
    // What was granted before a stop, a pause or a restart does not come back with the resume.
    let is_void = redeem::was_cut(desk, agent, call)?;
    Ok(is_void.then(|| {
        void(format!("{} was allowed before a stop, a restart or a clock set back", call.id))
    }))
}

/// Says what differs between a command and the call that it claims to be.
fn mismatch(params: &Confirm, call: &ToolCall) -> Option<Objection> {
    let id = call.id;
    match call.status {
        CallStatus::Allowed => {}
        CallStatus::Succeeded | CallStatus::Failed => {
            return Some(foreign(format!("{id} has ended")));
        }
        CallStatus::Waiting | CallStatus::Denied | CallStatus::Dropped => {
            return Some(unasked(format!("{id} was not allowed")));
        }
    }
    let Some(lock) = &call.second_lock else {
        return Some(foreign(format!("{id} runs no command")));
    };
    if call.session.as_deref() != Some(params.session.as_str()) {
        return Some(foreign(format!("{id} belongs to another session")));
    }
    if lock.command_sha256 != hash(&params.command) {
        return Some(foreign(format!("the command is not the one of {id}")));
    }
    let plain = |path: &str| path.trim_end_matches('/').to_owned();
    let same = lock.cwd.as_deref().map(plain) == params.cwd.as_deref().map(plain);
    (!same).then(|| foreign(format!("the directory is not the one of {id}")))
}

fn pass(desk: &mut Desk<'_>, params: &Confirm, call: &ToolCall) -> Result<Confirmed, Fail> {
    let is_first = call.second_lock.as_ref().is_none_or(|lock| lock.used_for.is_none());
    if is_first {
        desk.emit(Event::ToolConfirmed(ToolConfirmed {
            call: call.id,
            agent: call.agent.clone(),
            task: call.task,
            request: params.request.clone(),
        }))?;
    }
    let reason = format!("{} was allowed: {}", call.id, call.reason);
    Ok(Confirmed { decision: Outcome::Allow, call: Some(call.id), reason })
}

fn refuse(
    desk: &mut Desk<'_>,
    agent: &Agent,
    (params, call): (&Confirm, Option<&ToolCall>),
    Objection { why, weight }: Objection,
) -> Result<Confirmed, Fail> {
    let preview = redact::preview(&params.command, PREVIEW_CHARS);
    let text = format!("{}: the second lock stopped `{preview}`: {why}", agent.name);
    desk.emit(Event::ToolUnconfirmed(ToolUnconfirmed {
        agent: agent.name.clone(),
        task: call.and_then(|call| call.task),
        call: call.map(|call| call.id),
        request: params.request.clone(),
        preview,
        why: why.clone(),
    }))?;
    let next = "run `mcctl openclaw check`: a command came to the runtime's own lock that the first did not allow";
    if weight == Weight::Unasked {
        contain::unasked(desk, &agent.name, (text, next))?;
    } else {
        let is_void = weight == Weight::Void;
        let warning = Warning {
            severity: if is_void { Severity::Warning } else { Severity::Critical },
            kind: AlertKind::Security,
            text,
            next,
            task: None,
            agent: Some(agent.name.clone()),
        };
        notify::worsen(desk, warning)?;
    }
    Ok(Confirmed { decision: Outcome::Deny, call: call.map(|call| call.id), reason: why })
}
