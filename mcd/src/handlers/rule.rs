//! Standing rules: approvals that were remembered.

use std::time::Duration;

use mc_core::{
    approval::{Approval, ApprovalKind, StandingRule},
    event::Event,
    id::RuleId,
    policy::{self, Asker, Call, Facts, Risk, Within},
    refusal::Refusal,
};
use mc_proto::{
    limits::SHORT_BYTES,
    method::approval::{Remember, RuleRevoke},
};

use super::{input, tool::Asked};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// The longest time that a rule may last.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// Makes a standing rule of an approval that is being granted.
///
/// # Errors
///
/// `invalid_params` for what no rule may cover: red calls, shells, interpreters, wrappers, commands
/// of several parts, and everything that is no tool call.
pub(super) fn remember(
    desk: &mut Desk<'_>,
    approval: &Approval,
    wanted: &Remember,
) -> Result<StandingRule, Fail> {
    if approval.risk == Risk::Red || approval.kind != ApprovalKind::ToolCall {
        let text = "only yellow and green tool calls can be remembered";
        return Err(Refusal::invalid("remember", text).into());
    }
    let seconds = u64::try_from(wanted.for_s).map(Duration::from_secs).unwrap_or_default();
    if seconds.is_zero() || seconds > LONGEST {
        let text = "must be 1 second to 30 days (2592000)";
        return Err(Refusal::invalid("remember.for_s", text).into());
    }
    if wanted.uses.is_some_and(|uses| uses < 1) {
        return Err(Refusal::invalid("remember.uses", "must be 1 or more").into());
    }
    let agent = queries::agent(desk.db, &approval.agent)?;
    let statement = &approval.statement;
    let call = Call {
        tool: &statement.tool,
        arguments: &statement.arguments,
        cwd: statement.cwd.as_deref().or(agent.workspace.as_deref()),
        home: statement.home.as_deref(),
        facts: Facts::NONE,
    };
    let words = wanted.prefix_words.map(|count| usize::try_from(count).unwrap_or(0));
    let task = approval.task.map(|task| queries::task(desk.db, task)).transpose()?;
    let scoped = desk.policy.at(Within::of(&agent, task.as_ref()));
    let covers = policy::coverable(scoped, (&call, &agent), &statement.arguments_sha256, words);
    let Some(covers) = covers else {
        let text = "no standing rule may cover this call: it is a shell, an interpreter, a wrapper, \
                    of several parts, or shorter than the words asked for";
        return Err(Refusal::invalid("remember", text).into());
    };
    let rule = StandingRule {
        id: desk.next_rule(),
        approval: approval.id,
        scope: wanted.scope,
        agent: approval.agent.clone(),
        task: approval.task,
        tool: statement.tool.clone(),
        covers,
        cwd: call.cwd.map(str::to_owned),
        summary: approval.summary.clone(),
        by: desk.caller.actor.name.clone(),
        at: desk.now,
        expires_at: desk.now.plus(seconds),
        uses_left: wanted.uses,
        used: 0,
        revoked_at: None,
        revoked_by: None,
    };
    desk.emit(Event::RuleRemembered { rule: Box::new(rule.clone()) })?;
    Ok(rule)
}

/// Returns the standing rule that lets a yellow call pass, if there is one.
///
/// # Errors
///
/// When the store fails.
pub(super) fn for_call(desk: &Desk<'_>, asked: &Asked) -> Result<Option<RuleId>, Fail> {
    let rules = queries::rules_for(desk.db, &asked.params.tool)?;
    let asker = Asker {
        agent: &asked.agent,
        task: asked.task.as_ref().map(|task| task.id),
        arguments_sha256: &asked.arguments_sha256,
        now: desk.now,
    };
    let case = asked.case(desk);
    let call = case.call(desk);
    let scoped = desk.policy.at(Within::of(&asked.agent, asked.task.as_ref()));
    let found = rules.iter().find(|rule| policy::covers(scoped, rule, &call, &asker));
    Ok(found.map(|rule| rule.id))
}

/// `rule.revoke`
///
/// # Errors
///
/// `not_found`, or `conflict` when it was revoked already.
pub fn revoke(desk: &mut Desk<'_>, params: &RuleRevoke) -> Result<StandingRule, Fail> {
    let rule = queries::rule(desk.db, params.rule)?;
    if let Some(by) = &rule.revoked_by {
        return Err(Refusal::conflict(format!("{} was revoked already, by {by}", rule.id)).into());
    }
    let reason = params.reason.as_deref();
    let reason = reason.map(|text| input::optional("reason", text, SHORT_BYTES)).transpose()?;
    desk.emit(Event::RuleRevoked { rule: rule.id, reason })?;
    queries::rule(desk.db, rule.id)
}
