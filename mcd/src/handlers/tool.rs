//! The tool gate: check, drop, finish. Waiting for a person is in `redeem`.

use std::time::Duration;

use mc_core::{
    agent::Agent,
    approval::{Approval, ApprovalStatus, call_key},
    canonical,
    event::{Event, ToolChanged},
    id::{ApprovalId, CallId, RuleId},
    loops,
    policy::{Decision, Inputs, Outcome, Risk, Within},
    redact,
    refusal::{Refusal, RefusalKind},
    run::{CallStatus, Run, ToolCall},
    task::Task,
    time::Timestamp,
};
use mc_proto::{
    limits::{LABEL_BYTES, SHORT_BYTES, TEXT_BYTES},
    method::run::{Check, Checked, Drop, Ended, ToolFinish},
};

use super::{
    approval, asking, budget,
    case::{self, Case, denied},
    confirm, contain, input,
    moves::acting_agent,
    redeem, rule,
    run::own_run,
    settle,
};
use crate::{
    masking,
    store::{
        Desk,
        queries::{self, Fail},
    },
};

/// How much of arguments and results is kept as text.
pub(super) const PREVIEW_CHARS: usize = 500;

/// A call with the rows that bear on it.
pub(super) struct Asked {
    pub(super) agent: Agent,
    pub(super) run: Option<Run>,
    pub(super) task: Option<Task>,
    pub(super) params: Check,
    /// The arguments in canonical JSON: measured, hashed and shown from one writing.
    arguments: String,
    pub(super) arguments_sha256: String,
    pub(super) env: Vec<(String, String)>,
    pub(super) call_key: String,
}

impl Asked {
    /// Returns the call with the rows that bear on it.
    pub(super) fn case<'a>(&'a self, desk: &Desk<'a>) -> Case<'a> {
        Case {
            agent: &self.agent,
            run: self.run.as_ref(),
            task: self.task.as_ref(),
            tool: &self.params.tool,
            arguments: &self.params.arguments,
            cwd: self.params.cwd.as_deref(),
            home: desk.caller.home.as_deref(),
            estimate: self.params.estimated_cost_uusd,
        }
    }
}

/// `tool.check`
///
/// # Errors
///
/// `forbidden` for another agent's run, `too_large`, `invalid_params`. A call that may not run is
/// no error but the decision `deny`.
pub fn check(desk: &mut Desk<'_>, params: Check) -> Result<Checked, Fail> {
    let asked = load(desk, params)?;
    let open = queries::approval_for(desk.db, &asked.agent.name, &asked.call_key)?;
    let decision = case::judge(desk, &asked.case(desk))?;
    match open {
        Some(open) if open.status == ApprovalStatus::Approved => {
            redeem::by_check(desk, &asked, &decision, &open)
        }
        open => unapproved(desk, &asked, &decision, open.as_ref()),
    }
}

/// Answers a call that no person has said yes to; `open` is the question that waits already.
pub(super) fn unapproved(
    desk: &mut Desk<'_>,
    asked: &Asked,
    decision: &Decision,
    open: Option<&Approval>,
) -> Result<Checked, Fail> {
    if let Some(rule) = standing(desk, asked, decision)? {
        return pass_by(desk, asked, decision, rule);
    }
    match (decision.outcome, open) {
        // What was asked at a lower risk than it has now is asked anew.
        (Outcome::Ask, Some(open)) if open.risk >= decision.risk => {
            record(desk, asked, decision, Some(open.id))
        }
        (Outcome::Ask, _) => ask(desk, asked, decision),
        (Outcome::Allow | Outcome::Deny, _) => record(desk, asked, decision, None),
    }
}

/// Returns the standing rule that answers in a human's place: only where a yellow call is asked
/// because nobody allowed it yet.
fn standing(desk: &Desk<'_>, asked: &Asked, found: &Decision) -> Result<Option<RuleId>, Fail> {
    let is_open = found.outcome == Outcome::Ask
        && found.risk == Risk::Yellow
        && matches!(found.rule.as_str(), "autonomy.intern" | "yellow.unlisted");
    if is_open { rule::for_call(desk, asked) } else { Ok(None) }
}

fn pass_by(
    desk: &mut Desk<'_>,
    asked: &Asked,
    found: &Decision,
    rule: RuleId,
) -> Result<Checked, Fail> {
    let granted = Decision {
        outcome: Outcome::Allow,
        rule: format!("standing.{rule}"),
        reason: format!("the standing rule {rule} lets it pass: {}", found.reason),
        ..found.clone()
    };
    let checked = record(desk, asked, &granted, None)?;
    desk.emit(Event::RuleUsed {
        rule,
        agent: asked.agent.name.clone(),
        task: asked.task.as_ref().map(|task| task.id),
        call: checked.call,
    })?;
    Ok(checked)
}

fn load(desk: &Desk<'_>, params: Check) -> Result<Asked, Fail> {
    let agent = acting_agent(desk)?;
    input::needed("tool", &params.tool, SHORT_BYTES)?;
    for (field, text, limit) in [
        ("session", &params.session, LABEL_BYTES),
        ("cwd", &params.cwd, SHORT_BYTES),
        ("external_id", &params.external_id, SHORT_BYTES),
    ] {
        input::at_most(field, text.as_deref().unwrap_or_default(), limit)?;
    }
    for (field, text) in [("justification", &params.justification), ("rollback", &params.rollback)]
    {
        input::at_most(field, text.as_deref().unwrap_or_default(), TEXT_BYTES)?;
    }
    super::run::check_cost("estimated_cost_uusd", params.estimated_cost_uusd)?;
    let run = params.run.map(|id| own_run(desk, &agent, id)).transpose()?;
    if let Some(named) = params.task {
        let named = queries::task(desk.db, named)?;
        if !named.is_assigned_to(&agent.name) && agent.serves != Some(named.id) {
            let text = format!("{} is not assigned to {}", named.id, agent.name);
            return Err(Refusal::forbidden(text).into());
        }
    }
    let task = params.task.or(run.as_ref().and_then(|run| run.task)).or(agent.current_task);
    let task = task.map(|id| queries::task(desk.db, id)).transpose()?;
    let arguments = canonical::json(&params.arguments);
    let arguments_sha256 = canonical::sha256_hex(arguments.as_bytes());
    let hashed =
        |(name, value): (&String, &String)| (name.clone(), canonical::sha256_hex(value.as_bytes()));
    let env: Vec<(String, String)> = params.env.iter().map(hashed).collect();
    let task_id = task.as_ref().map(|task| task.id);
    let around = (params.cwd.as_deref(), env.as_slice());
    let call_key = call_key(&agent.name, task_id, &params.tool, &arguments_sha256, around);
    Ok(Asked { agent, run, task, params, arguments, arguments_sha256, env, call_key })
}

/// Creates the approval that the call waits for, unless too many wait already.
fn ask(desk: &mut Desk<'_>, asked: &Asked, decision: &Decision) -> Result<Checked, Fail> {
    let (squad, own) = queries::waiting_approvals(desk.db, &asked.agent.name)?;
    let limits = desk.policy.doc().limits;
    let over = |count: i64, limit: u64| u64::try_from(count).unwrap_or(0) >= limit;
    if over(own, limits.pending_per_agent) || over(squad, limits.pending_per_squad) {
        let text = format!("{own} approvals of this agent wait already, {squad} of the squad");
        return record(desk, asked, &denied("limits.pending", &text), None);
    }
    let checked = record(desk, asked, decision, None)?;
    let id = asking::of_call(desk, asked, decision, checked.call)?;
    Ok(Checked { approval: Some(id), ..checked })
}

/// Records the call with what it was answered.
pub(super) fn record(
    desk: &mut Desk<'_>,
    asked: &Asked,
    decision: &Decision,
    approval: Option<ApprovalId>,
) -> Result<Checked, Fail> {
    let id = desk.next_call();
    let inputs = keep_inputs(desk, asked, id)?;
    let same = (asked.params.tool.as_str(), asked.arguments_sha256.as_str());
    let retries = asked.run.as_ref().map(|run| queries::asked_before(desk.db, run.id, same));
    let retries = retries.transpose()?.unwrap_or(0);
    let call = ToolCall { approval, retries, ..new_call(desk, asked, decision, (id, inputs)) };
    let lease_expires_at = call.lease_expires_at;
    desk.emit(Event::ToolChecked { call: Box::new(call.clone()) })?;
    if decision.is_violation {
        contain::tell_violation(desk, &call)?;
    }
    contain::after_check(desk, &call, asked.task.as_ref())?;
    let allowed = decision.outcome == Outcome::Allow;
    if let Some(estimate) = asked.params.estimated_cost_uusd.filter(|_| allowed) {
        let payer = (&asked.agent, asked.run.as_ref().map(|run| run.id), asked.task.as_ref());
        budget::promise_call(desk, payer, (id, estimate))?;
    }
    let waits = decision.outcome == Outcome::Ask;
    let hold = desk.policy.at(Within::of(&asked.agent, asked.task.as_ref())).hold();
    Ok(Checked {
        call: id,
        decision: decision.outcome,
        risk: decision.risk,
        rule: decision.rule.clone(),
        reason: decision.reason.clone(),
        approval,
        arguments: None,
        hold_until: waits.then(|| desk.now.plus(hold)),
        lease_expires_at,
    })
}

/// Returns the call as it begins, with no approval yet.
fn new_call(
    desk: &Desk<'_>,
    asked: &Asked,
    decision: &Decision,
    (id, inputs): (CallId, String),
) -> ToolCall {
    let allowed = decision.outcome == Outcome::Allow;
    ToolCall {
        id,
        agent: asked.agent.name.clone(),
        run: asked.run.as_ref().map(|run| run.id),
        task: asked.task.as_ref().map(|task| task.id),
        session: asked.params.session.clone(),
        tool: asked.params.tool.clone(),
        preview: masking::preview(&asked.arguments, PREVIEW_CHARS),
        arguments_sha256: asked.arguments_sha256.clone(),
        retries: 0,
        inputs_sha256: Some(inputs),
        shape_sha256: Some(canonical::sha256_hex(loops::alike(&asked.arguments).as_bytes())),
        original_sha256: None,
        original_preview: None,
        can_rewrite: asked.params.can_rewrite,
        risk: decision.risk,
        decision: decision.outcome,
        rule: decision.rule.clone(),
        reason: decision.reason.clone(),
        approval: None,
        status: match decision.outcome {
            Outcome::Allow => CallStatus::Allowed,
            Outcome::Ask => CallStatus::Waiting,
            Outcome::Deny => CallStatus::Denied,
        },
        lease_expires_at: allowed.then(|| desk.now.plus(lease(desk))),
        granted_at: allowed.then_some(desk.now),
        granted_by: None,
        second_lock: confirm::second_lock(asked),
        duration_ms: None,
        result_preview: None,
        result_sha256: None,
        outcome_sha256: None,
        error: None,
        signature: None,
        at: desk.now,
        ended_at: None,
    }
}

/// Keeps what the call was judged by, and returns its hash.
fn keep_inputs(desk: &mut Desk<'_>, asked: &Asked, id: CallId) -> Result<String, Fail> {
    let case = asked.case(desk);
    let masked = masking::value(case.arguments);
    let inputs = Inputs::of(&case.call(desk), masked, case.agent, case.task);
    let body = canonical::json(&inputs);
    desk.keep_inputs(id, &body)?;
    Ok(canonical::sha256_hex(body.as_bytes()))
}

pub(super) fn lease(desk: &Desk<'_>) -> Duration {
    desk.policy.doc().limits.lease.duration()
}

pub(super) fn changed(call: &ToolCall, status: CallStatus, lease: Option<Timestamp>) -> Event {
    Event::ToolChanged(ToolChanged {
        call: call.id,
        agent: call.agent.clone(),
        task: call.task,
        status,
        lease_expires_at: lease,
        duration_ms: None,
        result_preview: None,
        result_sha256: None,
        outcome_sha256: None,
        error: None,
        signature: None,
    })
}

/// Returns what a result is but for its numbers and ids: of all of it where all of it was sent, else
/// what the runtime hashed.
fn outcome_hash(result: Option<&str>, sha256: Option<&String>) -> Option<String> {
    match (result, sha256) {
        (Some(text), Some(whole)) if !is_hash_of(whole, text) => Some(whole.clone()),
        (Some(text), _) => Some(canonical::sha256_hex(loops::shape(text).as_bytes())),
        (None, whole) => whole.cloned(),
    }
}

/// `tool.drop`
///
/// # Errors
///
/// `not_found`, `forbidden` for another agent's call.
pub fn drop_call(desk: &mut Desk<'_>, params: &Drop) -> Result<ToolCall, Fail> {
    let call = own_call(desk, params.call)?;
    if !matches!(call.status, CallStatus::Waiting | CallStatus::Allowed) {
        return Ok(call);
    }
    desk.emit(changed(&call, CallStatus::Dropped, None))?;
    settle::settle_call(desk, &call, settle::CallEnd::Dropped)?;
    if let Some(id) = call.approval {
        approval::dropped(desk, id)?;
    }
    contain::after_drop(desk, &call)?;
    queries::call(desk.db, call.id)
}

/// `tool.finish`
///
/// # Errors
///
/// `not_found`, `forbidden` for another agent's call, `conflict` when the call may not have run.
pub fn finish(desk: &mut Desk<'_>, params: ToolFinish) -> Result<ToolCall, Fail> {
    let call = own_call(desk, params.call)?;
    let status = match params.status {
        Ended::Succeeded => CallStatus::Succeeded,
        Ended::Failed => CallStatus::Failed,
    };
    if call.status == status {
        return Ok(call);
    }
    if call.status != CallStatus::Allowed {
        let text = format!("{} was not allowed to run, or has ended already", call.id);
        return Err(Refusal::new(RefusalKind::Conflict, text).into());
    }
    check_end(&params)?;
    let result = params.result_preview.as_deref();
    let error = params.error.as_deref();
    let error = error.map(|text| masking::preview(text, PREVIEW_CHARS));
    let printed = result.map(masking::text);
    let asked = call.shape_sha256.as_ref().unwrap_or(&call.arguments_sha256);
    let signature = (status == CallStatus::Failed)
        .then(|| loops::signature(error.as_deref().unwrap_or_default(), printed.as_deref(), asked));
    desk.emit(Event::ToolChanged(ToolChanged {
        call: call.id,
        agent: call.agent.clone(),
        task: call.task,
        status,
        lease_expires_at: None,
        duration_ms: params.duration_ms.map(|ms| ms.max(0)),
        result_preview: printed.as_deref().map(|text| redact::clip(text, PREVIEW_CHARS)),
        outcome_sha256: outcome_hash(result, params.result_sha256.as_ref()),
        result_sha256: params.result_sha256,
        error,
        signature,
    }))?;
    settle::settle_call(desk, &call, settle::CallEnd::Ran(params.cost_uusd))?;
    contain::after_call(desk, &call)?;
    queries::call(desk.db, call.id)
}

fn check_end(params: &ToolFinish) -> Result<(), Fail> {
    super::run::check_cost("cost_uusd", params.cost_uusd)?;
    let result = params.result_preview.as_deref().unwrap_or_default();
    input::at_most("result_preview", result, TEXT_BYTES)?;
    input::at_most("error", params.error.as_deref().unwrap_or_default(), TEXT_BYTES)?;
    let Some(hash) = &params.result_sha256 else { return Ok(()) };
    if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Refusal::invalid("result_sha256", "must be 64 hex digits").into());
    }
    // Else a made-up hash would make a new result of one that is the same each time.
    let is_whole = !result.is_empty() && result.chars().count() < PREVIEW_CHARS;
    if is_whole && !is_hash_of(hash, result) {
        let text = format!(
            "is not the hash of `result_preview`, which is shorter than {PREVIEW_CHARS} characters \
             and so the whole result: send the hash of that, or none"
        );
        return Err(Refusal::invalid("result_sha256", text).into());
    }
    Ok(())
}

fn is_hash_of(hash: &str, text: &str) -> bool {
    canonical::sha256_hex(text.as_bytes()).eq_ignore_ascii_case(hash)
}

fn own_call(desk: &Desk<'_>, id: CallId) -> Result<ToolCall, Fail> {
    let agent = acting_agent(desk)?;
    let call = queries::call(desk.db, id)?;
    if call.agent == agent.name {
        return Ok(call);
    }
    Err(Refusal::forbidden(format!("{id} is a call of another agent")).into())
}
