//! How an approval comes into being: from a tool call, or from an agent's own question.

use std::time::Duration;

use mc_core::{
    actor::Actor,
    agent::AgentName,
    approval::{Approval, ApprovalKind, ApprovalStatus, Statement, call_key},
    canonical,
    event::Event,
    id::{ApprovalId, CallId, RunId, TaskId},
    money::MicroUsd,
    policy::{Decision, Risk, Scoped, Within},
    refusal::Refusal,
    task::{MoveDetails, Task, TaskState},
    time::Timestamp,
};
use mc_proto::{
    limits::{ARGUMENT_BYTES, SHORT_BYTES, TEXT_BYTES},
    method::approval::Ask,
};
use serde_json::Value;

use super::{
    binding::{self, Bound},
    enrol::random_hex,
    input, moves,
    tool::Asked,
};
use crate::{
    masking,
    store::{
        Desk,
        queries::{self, Fail},
    },
};

/// The longest that an agent may want its question to wait.
const LONGEST: Duration = Duration::from_hours(24);
/// What the daemon itself asks for when a budget is used up.
pub(super) const OVERRUN: &str = "daemon:budget_override";
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
    home: Option<String>,
    bound: Bound,
    env: Vec<(String, String)>,
    call_key: String,
    can_rewrite: bool,
    expires_at: Timestamp,
}

impl Draft {
    fn persons(&self, desk: &Desk<'_>) -> Result<i64, Fail> {
        persons(desk, (&self.agent, self.task), self.risk)
    }
}

/// Creates the approval that a tool call waits for, and returns its number.
pub(super) fn of_call(
    desk: &mut Desk<'_>,
    asked: &Asked,
    decision: &Decision,
    call: CallId,
) -> Result<ApprovalId, Fail> {
    let bound = binding::bound(desk, &asked.case(desk));
    let words = |text: &Option<String>| text.as_ref().map(|text| masking::text(text));
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
        arguments: masking::value(&asked.params.arguments),
        arguments_sha256: asked.arguments_sha256.clone(),
        cwd: asked.params.cwd.clone(),
        home: desk.caller.home.as_deref().map(str::to_owned),
        bound,
        env: asked.env.clone(),
        call_key: asked.call_key.clone(),
        can_rewrite: asked.params.can_rewrite,
        expires_at: desk.now.plus(
            desk.policy
                .at(Within::of(&asked.agent, asked.task.as_ref()))
                .approval_expiry(decision.ask_for, decision.risk),
        ),
    };
    ask(desk, draft)
}

/// A budget that is used up, as a question to a human.
pub(super) struct Overrun {
    pub(super) agent: AgentName,
    pub(super) task: Option<TaskId>,
    pub(super) run: Option<RunId>,
    pub(super) session: Option<String>,
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
    let task = overrun.task;
    let same = canonical::sha256_hex(overrun.same.as_bytes());
    let key = call_key(&overrun.agent, task, OVERRUN, &same, (None, &[]));
    let open = queries::approval_for(desk.db, &overrun.agent, &key)?;
    let open = open.filter(|open| open.status == ApprovalStatus::Pending);
    let id = if let Some(open) = open {
        open.id
    } else {
        let draft = overspent(desk, overrun, key);
        ask_as(desk, draft, Actor::system("budgets"))?
    };
    if let Some(task) = task {
        let task = queries::task(desk.db, task)?;
        wait_for(desk, &task, id)?;
    }
    Ok(id)
}

fn overspent(desk: &Desk<'_>, overrun: Overrun, call_key: String) -> Draft {
    let Overrun { agent, task, run, session, rule, reason, summary, arguments, .. } = overrun;
    Draft {
        kind: ApprovalKind::BudgetOverride,
        agent,
        task,
        run,
        call: None,
        session,
        risk: Risk::Yellow,
        rule: rule.to_owned(),
        reason,
        summary,
        justification: None,
        rollback: None,
        estimated_cost_uusd: None,
        tool: OVERRUN.to_owned(),
        arguments_sha256: canonical::sha256_hex(canonical::json(&arguments).as_bytes()),
        arguments,
        cwd: None,
        home: None,
        bound: Bound::default(),
        env: Vec::new(),
        call_key,
        can_rewrite: false,
        expires_at: desk
            .now
            .plus(desk.policy.approval_expiry(ApprovalKind::BudgetOverride, Risk::Yellow)),
    }
}

/// Gives a draft its number and its digest, and records it as asked.
fn ask(desk: &mut Desk<'_>, draft: Draft) -> Result<ApprovalId, Fail> {
    let actor = desk.caller.actor.clone();
    ask_as(desk, draft, actor)
}

fn ask_as(desk: &mut Desk<'_>, draft: Draft, actor: Actor) -> Result<ApprovalId, Fail> {
    let (id, needs) = (desk.next_approval(), draft.persons(desk)?);
    let statement = statement(desk, id, &draft)?;
    let mut approval = Approval {
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
        can_rewrite: draft.can_rewrite,
        edited: None,
        reminded: None,
        remind_at: None,
        asked_at: desk.now,
        expires_at: draft.expires_at,
        statement,
        decided_by: None,
        decided_level: None,
        decided_at: None,
        note: None,
        used_at: None,
        // A question without a call is held by nobody.
        dropped: draft.call.is_none(),
        endorsements: Vec::new(),
        is_cut: false,
        needs,
    };
    approval.remind_at = Some(approval.after_percent(desk.policy.doc().approvals.remind_percent));
    desk.emit_as(actor, None, Event::ApprovalRequested { approval: Box::new(approval) })?;
    Ok(id)
}

/// Writes down exactly what a draft asks for.
fn statement(desk: &mut Desk<'_>, id: ApprovalId, draft: &Draft) -> Result<Statement, Fail> {
    Ok(Statement {
        version: 3,
        approval: id,
        kind: draft.kind,
        agent: draft.agent.clone(),
        run: draft.run,
        task: draft.task,
        tool: draft.tool.clone(),
        arguments: draft.arguments.clone(),
        arguments_sha256: draft.arguments_sha256.clone(),
        cwd: draft.cwd.clone(),
        home: draft.home.clone(),
        program: draft.bound.program.clone(),
        program_sha256: draft.bound.program_sha256.clone(),
        links: draft.bound.links.clone(),
        scripts: draft.bound.scripts.clone(),
        env: draft.env.clone(),
        policy_version: desk.squad()?.policy_version,
        nonce: random_hex::<16>(desk)?,
        not_before: desk.now,
        expires_at: draft.expires_at,
    })
}

/// Returns how many persons must say yes to something of this risk.
pub(super) fn persons(
    desk: &Desk<'_>,
    (agent, task): (&AgentName, Option<TaskId>),
    risk: Risk,
) -> Result<i64, Fail> {
    if risk != Risk::Red {
        return Ok(1);
    }
    Ok(i64::from(scoped(desk, agent, task)?.doc().approvals.red_needs))
}

/// Says whether the runtime no longer holds the call of an approval: the agent has to be told.
pub(super) fn hold_is_over(desk: &Desk<'_>, approval: &Approval) -> Result<bool, Fail> {
    let hold = scoped(desk, &approval.agent, approval.task)?.hold();
    Ok(approval.dropped || desk.now >= approval.asked_at.plus(hold))
}

/// Returns what counts where `agent` works on `task`.
fn scoped<'d>(
    desk: &'d Desk<'_>,
    agent: &AgentName,
    task: Option<TaskId>,
) -> Result<&'d Scoped, Fail> {
    let task = task.map(|task| queries::task(desk.db, task)).transpose()?;
    Ok(desk.policy.at(Within {
        project: task.as_ref().and_then(|task| task.project.as_deref()),
        task_type: task.as_ref().map(|task| task.task_type.as_str()),
        agent: Some(agent.as_str()),
    }))
}

/// Returns a call in one line: the command of a shell, else the arguments.
pub(super) fn summary(tool: &str, arguments: &Value) -> String {
    let command = arguments.get("command").or_else(|| arguments.get("cmd")).and_then(Value::as_str);
    let text = command.map_or_else(|| arguments.to_string(), str::to_owned);
    masking::preview(&format!("{tool} {text}"), SUMMARY_CHARS)
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
    // What an agent calls harmless is not: its word can only raise the risk.
    let risk = params.risk.unwrap_or(Risk::Yellow).max(Risk::Yellow);
    let longest = desk.policy.approval_expiry(params.kind, risk);
    let expires_in = expiry(params.expires_in_s, longest)?;
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
        session: input::label("session", params.session)?,
        risk,
        rule: format!("asked.{kind}"),
        reason: "the agent asks for a decision".to_owned(),
        justification: Some(input::needed("justification", &params.justification, TEXT_BYTES)?),
        rollback: input::maybe("rollback", params.rollback)?,
        estimated_cost_uusd: params.estimated_cost_uusd,
        arguments: masking::value(&serde_json::json!({
            "payload": params.payload, "summary": summary,
        })),
        summary,
        call_key: call_key(agent, params.task, &tool, &arguments_sha256, (None, &[])),
        tool,
        arguments_sha256,
        cwd: None,
        home: None,
        bound: Bound::default(),
        env: Vec::new(),
        can_rewrite: false,
        expires_at: desk.now.plus(expires_in),
    })
}

/// Returns how long a question waits: as long as its agent says, and no longer than the policy does.
fn expiry(seconds: Option<i64>, longest: Duration) -> Result<Duration, Refusal> {
    let Some(seconds) = seconds else { return Ok(longest) };
    let wrong = || Refusal::invalid("expires_in_s", "must be 1 second to 24 hours (86400)");
    let expiry = u64::try_from(seconds).map(Duration::from_secs).map_err(|_| wrong())?;
    if expiry.is_zero() || expiry > LONGEST { Err(wrong()) } else { Ok(expiry.min(longest)) }
}

/// The system moves a task that can't go on to Needs Approval.
pub(super) fn wait_for(desk: &mut Desk<'_>, task: &Task, id: ApprovalId) -> Result<(), Fail> {
    let open = [TaskState::Inbox, TaskState::Assigned, TaskState::InProgress, TaskState::Review];
    if !open.contains(&task.state) {
        return Ok(());
    }
    let details = MoveDetails { reason: Some(format!("waits for {id}")), ..MoveDetails::default() };
    moves::go_as(desk, task, TaskState::NeedsApproval, (details, &Actor::system("approvals")))?;
    Ok(())
}
