//! Approvals: asked, decided once, used once.

use std::time::Duration;

use mc_core::{
    actor::Actor,
    agent::AgentName,
    approval::{Approval, ApprovalKind, ApprovalStatus, Statement, call_key},
    canonical,
    event::Event,
    id::{ApprovalId, CallId, EventId, RunId, TaskId},
    money::MicroUsd,
    policy::{Decision, Risk},
    redact,
    refusal::Refusal,
    task::{MoveDetails, Task, TaskState},
    time::Timestamp,
};
use mc_proto::{
    limits::{ARGUMENT_BYTES, SHORT_BYTES, TEXT_BYTES},
    method::approval::{Approve, Ask, Cancel, Deny, Receipt},
};
use serde_json::Value;

use super::{binding, budget, enrol::random_hex, input, moves, notify, rule, tool::Asked};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// The longest that an approval may wait.
const LONGEST: Duration = Duration::from_hours(24);
/// How much of a call stands in a list.
const SUMMARY_CHARS: usize = 120;

/// An approval before it has number, digest and times.
struct Draft {
    kind: ApprovalKind,
    agent: AgentName,
    task: Option<TaskId>,
    run: Option<RunId>,
    call: Option<CallId>,
    session: Option<String>,
    risk: Risk,
    rule: String,
    reason: String,
    summary: String,
    justification: Option<String>,
    rollback: Option<String>,
    estimated_cost_uusd: Option<MicroUsd>,
    tool: String,
    arguments: Value,
    arguments_sha256: String,
    cwd: Option<String>,
    program: Option<String>,
    scripts: Vec<(String, String)>,
    env: Vec<(String, String)>,
    call_key: String,
    expires_at: Timestamp,
}

/// Creates the approval that a tool call waits for, and returns its number.
pub(super) fn of_call(
    desk: &mut Desk<'_>,
    asked: &Asked,
    decision: &Decision,
    call: CallId,
) -> Result<ApprovalId, Fail> {
    let (program, scripts) = binding::runs(desk, asked);
    let words = |text: &Option<String>| text.as_ref().map(|text| redact::text(text).into_owned());
    let draft = Draft {
        kind: decision.ask_for,
        agent: asked.agent.name.clone(),
        task: asked.task.as_ref().map(|task| task.id),
        run: asked.run.as_ref().map(|run| run.id),
        call: Some(call),
        session: asked.params.session.clone(),
        risk: decision.risk,
        rule: decision.rule.clone(),
        reason: decision.reason.clone(),
        summary: summary(&asked.params.tool, &asked.params.arguments),
        justification: words(&asked.params.justification),
        rollback: words(&asked.params.rollback),
        estimated_cost_uusd: asked.params.estimated_cost_uusd,
        tool: asked.params.tool.clone(),
        arguments: redact::value(&asked.params.arguments),
        arguments_sha256: asked.arguments_sha256.clone(),
        cwd: asked.params.cwd.clone(),
        program,
        scripts,
        env: asked.env.clone(),
        call_key: asked.call_key.clone(),
        expires_at: desk.now.plus(desk.policy.approval_expiry(decision.risk)),
    };
    ask(desk, draft)
}

/// A budget that is used up, as a question to a human.
pub(super) struct Overrun {
    pub(super) agent: AgentName,
    pub(super) task: Option<TaskId>,
    pub(super) run: RunId,
    pub(super) session: String,
    pub(super) rule: &'static str,
    pub(super) reason: String,
    pub(super) summary: String,
    /// What is raised to what, and what the last runs cost.
    pub(super) arguments: Value,
    /// What makes two of them the same question.
    pub(super) same: String,
}

/// Asks for more than a budget holds; the task waits. The same question is asked once.
pub(super) fn of_overrun(desk: &mut Desk<'_>, overrun: Overrun) -> Result<ApprovalId, Fail> {
    let Overrun { agent, task, run, session, rule, reason, summary, arguments, same } = overrun;
    let tool = "request:budget_override".to_owned();
    let same = canonical::sha256_hex(same.as_bytes());
    let call_key = call_key(&agent, task, &tool, &same, (None, &[]));
    let open = queries::approval_for(desk.db, &agent, &call_key)?;
    let open = open.filter(|open| open.status == ApprovalStatus::Pending);
    let id = if let Some(open) = open {
        open.id
    } else {
        let arguments_sha256 = canonical::sha256_hex(canonical::json(&arguments).as_bytes());
        let draft = Draft {
            kind: ApprovalKind::BudgetOverride,
            agent,
            task,
            run: Some(run),
            call: None,
            session: Some(session),
            risk: Risk::Yellow,
            rule: rule.to_owned(),
            reason,
            summary,
            justification: None,
            rollback: None,
            estimated_cost_uusd: None,
            tool,
            arguments,
            arguments_sha256,
            cwd: None,
            program: None,
            scripts: Vec::new(),
            env: Vec::new(),
            call_key,
            expires_at: desk.now.plus(desk.policy.approval_expiry(Risk::Yellow)),
        };
        ask_as(desk, draft, Actor::system("budgets"))?
    };
    if let Some(task) = task {
        let task = queries::task(desk.db, task)?;
        wait_for(desk, &task, id)?;
    }
    Ok(id)
}

/// Gives a draft its number and its digest, and records it as asked.
fn ask(desk: &mut Desk<'_>, draft: Draft) -> Result<ApprovalId, Fail> {
    let actor = desk.caller.actor.clone();
    ask_as(desk, draft, actor)
}

fn ask_as(desk: &mut Desk<'_>, draft: Draft, actor: Actor) -> Result<ApprovalId, Fail> {
    let id = desk.next_approval();
    let statement = Statement {
        version: 2,
        approval: id,
        kind: draft.kind,
        agent: draft.agent.clone(),
        run: draft.run,
        task: draft.task,
        tool: draft.tool,
        arguments: draft.arguments,
        arguments_sha256: draft.arguments_sha256,
        cwd: draft.cwd,
        program: draft.program,
        scripts: draft.scripts,
        env: draft.env,
        policy_version: desk.squad()?.policy_version,
        nonce: random_hex::<16>()?,
        not_before: desk.now,
        expires_at: draft.expires_at,
    };
    let approval = Approval {
        id,
        rev: 1,
        kind: draft.kind,
        status: ApprovalStatus::Pending,
        agent: draft.agent,
        task: draft.task,
        run: draft.run,
        call: draft.call,
        session: draft.session,
        risk: draft.risk,
        rule: draft.rule,
        reason: draft.reason,
        summary: draft.summary,
        justification: draft.justification,
        rollback: draft.rollback,
        estimated_cost_uusd: draft.estimated_cost_uusd,
        digest: statement.digest(),
        call_key: draft.call_key,
        asked_at: desk.now,
        expires_at: draft.expires_at,
        statement,
        decided_by: None,
        decided_at: None,
        note: None,
        used_at: None,
        // A question without a call is held by nobody.
        dropped: draft.call.is_none(),
        endorsements: Vec::new(),
        needs: if draft.risk == Risk::Red {
            i64::from(desk.policy.doc().approvals.red_needs)
        } else {
            1
        },
    };
    desk.emit_as(actor, None, Event::ApprovalRequested { approval: Box::new(approval) })?;
    Ok(id)
}

/// Returns a call in one line: the command of a shell, else the arguments.
fn summary(tool: &str, arguments: &Value) -> String {
    let command = arguments.get("command").or_else(|| arguments.get("cmd")).and_then(Value::as_str);
    let text = command.map_or_else(|| arguments.to_string(), str::to_owned);
    redact::preview(&format!("{tool} {text}"), SUMMARY_CHARS)
}

/// `approval.request`
///
/// # Errors
///
/// `invalid_params`, `forbidden` on somebody else's task, `rate_limited` when too many wait.
pub fn request(desk: &mut Desk<'_>, params: Ask) -> Result<Approval, Fail> {
    let agent = moves::acting_agent(desk)?;
    if params.kind == ApprovalKind::ToolCall {
        let text = "a tool call is asked for with `tool.check`";
        return Err(Refusal::invalid("kind", text).into());
    }
    let task = params.task.map(|id| queries::task(desk.db, id)).transpose()?;
    if let Some(task) = task.as_ref().filter(|task| !task.is_assigned_to(&agent.name)) {
        let text = format!("{} is not assigned to {}", task.id, agent.name);
        return Err(Refusal::forbidden(text).into());
    }
    not_too_many(desk, &agent.name)?;
    let draft = asked_for(desk, &agent.name, params)?;
    let id = ask(desk, draft)?;
    if let Some(task) = task {
        wait_for(desk, &task, id)?;
    }
    queries::approval(desk.db, id)
}

fn not_too_many(desk: &Desk<'_>, agent: &str) -> Result<(), Fail> {
    let (squad, own) = queries::waiting_approvals(desk.db, agent)?;
    let limits = desk.policy.doc().limits;
    let over = |count: i64, limit: u64| u64::try_from(count).unwrap_or(0) >= limit;
    if !over(own, limits.pending_per_agent) && !over(squad, limits.pending_per_squad) {
        return Ok(());
    }
    let text = format!("{own} approvals of this agent wait already, {squad} of the squad");
    Err(Refusal::new(mc_core::refusal::RefusalKind::RateLimited, text).into())
}

fn asked_for(desk: &Desk<'_>, agent: &AgentName, params: Ask) -> Result<Draft, Fail> {
    let payload = canonical::json(&params.payload);
    input::at_most("payload", &payload, ARGUMENT_BYTES)?;
    let summary = input::needed("summary", &params.summary, SHORT_BYTES)?;
    let kind = serde_json::to_value(params.kind).unwrap_or_default();
    let kind = kind.as_str().unwrap_or_default().to_owned();
    let arguments_sha256 = canonical::sha256_hex(payload.as_bytes());
    // What is asked for in words must never pass for a tool call of the same name.
    let tool = format!("request:{kind}");
    Ok(Draft {
        kind: params.kind,
        agent: agent.clone(),
        task: params.task,
        run: None,
        call: None,
        session: params.session,
        // What an agent calls harmless is not: its word can only raise the risk.
        risk: params.risk.unwrap_or(Risk::Yellow).max(Risk::Yellow),
        rule: format!("asked.{kind}"),
        reason: "the agent asks for a decision".to_owned(),
        justification: Some(input::needed("justification", &params.justification, TEXT_BYTES)?),
        rollback: input::maybe("rollback", params.rollback)?,
        estimated_cost_uusd: params.estimated_cost_uusd,
        arguments: redact::value(&serde_json::json!({
            "payload": params.payload, "summary": summary,
        })),
        summary,
        call_key: call_key(agent, params.task, &tool, &arguments_sha256, (None, &[])),
        tool,
        arguments_sha256,
        cwd: None,
        program: None,
        scripts: Vec::new(),
        env: Vec::new(),
        expires_at: desk.now.plus(expiry(params.expires_in_s)?),
    })
}

fn expiry(seconds: Option<i64>) -> Result<Duration, Refusal> {
    let Some(seconds) = seconds else { return Ok(LONGEST) };
    let wrong = || Refusal::invalid("expires_in_s", "must be 1 second to 24 hours (86400)");
    let expiry = u64::try_from(seconds).map(Duration::from_secs).map_err(|_| wrong())?;
    if expiry.is_zero() || expiry > LONGEST { Err(wrong()) } else { Ok(expiry) }
}

/// The system moves a task that can't go on to Needs Approval.
fn wait_for(desk: &mut Desk<'_>, task: &Task, id: ApprovalId) -> Result<(), Fail> {
    let open = [TaskState::Inbox, TaskState::Assigned, TaskState::InProgress, TaskState::Review];
    if !open.contains(&task.state) {
        return Ok(());
    }
    let details = MoveDetails { reason: Some(format!("waits for {id}")), ..MoveDetails::default() };
    moves::go_as(desk, task, TaskState::NeedsApproval, (details, &Actor::system("approvals")))?;
    Ok(())
}

/// The runtime no longer holds the call: the task waits, and the agent will be told.
pub(super) fn dropped(desk: &mut Desk<'_>, id: ApprovalId) -> Result<(), Fail> {
    let approval = queries::approval(desk.db, id)?;
    if approval.dropped || approval.used_at.is_some() {
        return Ok(());
    }
    desk.emit(Event::ApprovalDropped {
        approval: id,
        agent: approval.agent.clone(),
        task: approval.task,
    })?;
    if approval.status == ApprovalStatus::Approved {
        return tell(desk, &queries::approval(desk.db, id)?);
    }
    match approval.task {
        Some(task) if approval.status == ApprovalStatus::Pending => {
            let task = queries::task(desk.db, task)?;
            wait_for(desk, &task, id)
        }
        _ => Ok(()),
    }
}

/// `approval.approve`
///
/// # Errors
///
/// `conflict` when revision, digest or status are not what was on screen.
pub fn approve(desk: &mut Desk<'_>, params: &Approve) -> Result<Receipt, Fail> {
    let approval = bound(desk, params.approval, (params.rev, &params.digest))?;
    let note = note(params.note.as_deref())?;
    if let Some(receipt) = endorse(desk, &approval)? {
        return Ok(receipt);
    }
    let rule = params.remember.as_ref();
    let rule = rule.map(|wanted| rule::remember(desk, &approval, wanted)).transpose()?;
    let event = close(desk, &approval, ApprovalStatus::Approved, note)?;
    let approval = queries::approval(desk.db, approval.id)?;
    if approval.kind == ApprovalKind::BudgetOverride {
        budget::raise(desk, &approval)?;
    }
    if let Some(task) = approval.task {
        let task = queries::task(desk.db, task)?;
        go_on(desk, &task)?;
    }
    if approval.dropped || desk.now >= approval.asked_at.plus(desk.policy.hold()) {
        tell(desk, &approval)?;
    }
    let for_whom = rule.as_ref().map_or_else(
        || "for this once".to_owned(),
        |rule| format!("and remembered as {} until {}", rule.id, rule.expires_at),
    );
    let text = format!("{} approved, {for_whom}: {}", approval.id, approval.summary);
    Ok(Receipt { approval, event, text, rule })
}

/// Records a yes that is not enough by itself; `None` when it is enough.
fn endorse(desk: &mut Desk<'_>, approval: &Approval) -> Result<Option<Receipt>, Fail> {
    let by = &desk.caller.actor.name;
    if approval.endorsements.iter().any(|one| one.by == *by) {
        let text = format!("{by} said yes to {} already: another person is needed", approval.id);
        return Err(Refusal::conflict(text).into());
    }
    let given = i64::try_from(approval.endorsements.len()).unwrap_or(i64::MAX);
    let missing = approval.needs.saturating_sub(given.saturating_add(1));
    if missing <= 0 {
        return Ok(None);
    }
    let event = desk.emit(Event::ApprovalEndorsed {
        approval: approval.id,
        agent: approval.agent.clone(),
        task: approval.task,
        digest: approval.digest.clone(),
    })?;
    let text = format!("{} has your yes; {missing} more person must agree", approval.id);
    let approval = queries::approval(desk.db, approval.id)?;
    Ok(Some(Receipt { approval, event, text, rule: None }))
}

/// The human who approved lets the task go on where it was, unless it waits for more.
fn go_on(desk: &mut Desk<'_>, task: &Task) -> Result<(), Fail> {
    let Some(to) = task.resume_state.filter(|_| task.state == TaskState::NeedsApproval) else {
        return Ok(());
    };
    let waiting = queries::approvals_of_task(desk.db, task.id, 50)?;
    if waiting.iter().any(|one| one.status == ApprovalStatus::Pending) {
        return Ok(());
    }
    let details = MoveDetails { note: Some("approved".to_owned()), ..MoveDetails::default() };
    match moves::go(desk, task, to, details) {
        // A guard that no longer holds leaves the task where it is; the approval stands.
        Ok(_) | Err(Fail::Refused(_)) => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// `approval.deny`
///
/// # Errors
///
/// `conflict` when revision, digest or status are not what was on screen.
pub fn deny(desk: &mut Desk<'_>, params: &Deny) -> Result<Receipt, Fail> {
    let approval = bound(desk, params.approval, (params.rev, &params.digest))?;
    let note = note(params.note.as_deref())?;
    let event = close(desk, &approval, ApprovalStatus::Denied, note)?;
    let approval = queries::approval(desk.db, approval.id)?;
    ended(desk, &approval)?;
    let text = format!("{} denied: {}", approval.id, approval.summary);
    Ok(Receipt { approval, event, text, rule: None })
}

/// `approval.cancel`
///
/// # Errors
///
/// `conflict` when it is decided already, `forbidden` for another agent's question.
pub fn cancel(desk: &mut Desk<'_>, params: &Cancel) -> Result<Receipt, Fail> {
    let approval = queries::approval(desk.db, params.approval)?;
    if !desk.caller.is_human() && desk.caller.agent.as_ref() != Some(&approval.agent) {
        let text = format!("{} was asked by another agent", approval.id);
        return Err(Refusal::forbidden(text).into());
    }
    pending(desk, &approval)?;
    let note = note(params.reason.as_deref())?;
    let event = close(desk, &approval, ApprovalStatus::Canceled, note)?;
    let approval = queries::approval(desk.db, approval.id)?;
    ended(desk, &approval)?;
    let text = format!("{} canceled", approval.id);
    Ok(Receipt { approval, event, text, rule: None })
}

fn note(text: Option<&str>) -> Result<Option<String>, Refusal> {
    text.map(|text| input::optional("note", text, SHORT_BYTES)).transpose()
}

/// Returns the approval if it is exactly the one that was on screen, and can be decided.
fn bound(desk: &Desk<'_>, id: ApprovalId, (rev, digest): (i64, &str)) -> Result<Approval, Fail> {
    let approval = queries::approval(desk.db, id)?;
    pending(desk, &approval)?;
    if approval.digest != digest {
        let text = format!("{id} is not what you saw (another digest): read it again");
        return Err(Refusal::conflict(text).into());
    }
    if approval.rev != rev {
        let text = format!("{id} is at revision {}, you saw {rev}: read it again", approval.rev);
        return Err(Refusal::conflict(text).into());
    }
    if approval.statement.digest() != approval.digest {
        let text = format!("{id} no longer fits its digest; it can't be decided");
        return Err(Refusal::conflict(text).into());
    }
    Ok(approval)
}

fn pending(desk: &Desk<'_>, approval: &Approval) -> Result<(), Fail> {
    if approval.status != ApprovalStatus::Pending {
        let by = approval.decided_by.as_deref().unwrap_or("nobody");
        let status = approval.status.as_str();
        return Err(
            Refusal::conflict(format!("{} is {status} already, by {by}", approval.id)).into()
        );
    }
    if desk.now >= approval.expires_at {
        let text = format!("{} has expired: not executed", approval.id);
        return Err(Refusal::conflict(text).into());
    }
    Ok(())
}

/// Records the end of a question.
pub(super) fn close(
    desk: &mut Desk<'_>,
    approval: &Approval,
    status: ApprovalStatus,
    note: Option<String>,
) -> Result<EventId, Fail> {
    let event = Event::ApprovalClosed {
        approval: approval.id,
        agent: approval.agent.clone(),
        task: approval.task,
        status,
        note: note.clone(),
    };
    Ok(desk.emit_as(desk.caller.actor.clone(), note, event)?)
}

/// A question that ended without a yes: a task that waited for it is blocked, the agent told.
pub(super) fn ended(desk: &mut Desk<'_>, approval: &Approval) -> Result<(), Fail> {
    if let Some(id) = approval.task {
        let task = queries::task(desk.db, id)?;
        if task.state == TaskState::NeedsApproval {
            let why = approval.note.as_ref().map_or(String::new(), |note| format!(": {note}"));
            let reason = format!("{} was {}{why}", approval.id, approval.status.as_str());
            let details = MoveDetails { reason: Some(reason), ..MoveDetails::default() };
            moves::go_as(desk, &task, TaskState::Blocked, (details, &Actor::system("approvals")))?;
        }
    }
    if approval.dropped || desk.now >= approval.asked_at.plus(desk.policy.hold()) {
        tell(desk, approval)?;
    }
    Ok(())
}

/// Tells the agent how its question ended.
pub(super) fn tell(desk: &mut Desk<'_>, approval: &Approval) -> Result<(), Fail> {
    let note = approval.note.as_ref().map_or(String::new(), |note| format!(" Note: {note}"));
    let by = approval.decided_by.as_deref().unwrap_or("nobody");
    let text = match approval.status {
        ApprovalStatus::Approved if approval.call.is_some() => format!(
            "{} was approved by {by}: {}. Repeat the identical call now; it may run once.{note}",
            approval.id, approval.summary
        ),
        ApprovalStatus::Approved => {
            format!("{} was approved by {by}: {}. Go on.{note}", approval.id, approval.summary)
        }
        ApprovalStatus::Denied => format!(
            "{} was denied by {by}: {}. Do not try it another way.{note}",
            approval.id, approval.summary
        ),
        ApprovalStatus::Expired => {
            format!("{} expired without an answer: {}.{note}", approval.id, approval.summary)
        }
        ApprovalStatus::Canceled | ApprovalStatus::Pending => {
            format!("{} was canceled: {}.{note}", approval.id, approval.summary)
        }
    };
    Ok(notify::decided(desk, approval, text)?)
}
