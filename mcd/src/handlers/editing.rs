//! An operator changes what an agent asked for: judged anew, shown beside the original, and decided
//! like any other question.

use mc_core::{
    approval::{Approval, ApprovalEdit, Statement},
    canonical,
    event::{ApprovalEdited, Event},
    policy::{Decision, Outcome},
    redact,
    refusal::{Refusal, RefusalKind},
};
use mc_proto::{
    limits::ARGUMENT_BYTES,
    method::approval::{Edit, Receipt},
};
use serde_json::Value;

use super::{
    approval, asking,
    binding::{self, Bound},
    case::{self, Rows},
    enrol::random_hex,
    input,
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// Arguments that runtimes take the directory of a call from: it is part of the statement by
/// itself, and a change would be judged in one place and run in another.
const PLACES: &[&str] = &["cwd", "workdir", "working_dir", "working_directory"];

/// `approval.edit`
///
/// # Errors
///
/// `conflict` when it is not what was on screen, `forbidden` where the runtime can't rewrite or the
/// policy denies the changed call, `invalid_params` for arguments that nobody could check.
pub(super) fn edit(desk: &mut Desk<'_>, params: Edit) -> Result<Receipt, Fail> {
    let asked = approval::bound(desk, params.approval, (params.rev, &params.digest))?;
    if !asked.can_rewrite {
        let text = format!(
            "{}: the runtime that asks can only run what it asked for; deny it with a note that \
             says what to do instead",
            asked.id
        );
        return Err(Refusal::forbidden(text).into());
    }
    checked(&asked, &params.arguments)?;
    let note = approval::note(params.note.as_deref())?;
    let rows = Rows::of(desk, &asked, None)?;
    let case = rows.case(desk, &asked, &params.arguments);
    let (decision, bound) = (judged(desk, &case)?, binding::bound(desk, &case));
    let statement = statement(desk, &asked, (params.arguments, bound))?;
    let edit = edited(desk, &asked, (statement, decision), note)?;
    let event = desk.emit(Event::ApprovalEdited(ApprovalEdited {
        approval: asked.id,
        agent: asked.agent,
        task: asked.task,
        edit: Box::new(edit),
    }))?;
    let approval = queries::approval(desk.db, asked.id)?;
    let text = format!("{} was changed and waits for a decision: {}", asked.id, approval.summary);
    Ok(Receipt { approval, event, text, rule: None })
}

/// Refuses arguments that could not be kept, shown and given back exactly as they are.
fn checked(asked: &Approval, arguments: &Value) -> Result<(), Refusal> {
    let refuse = |text: &str| Err(Refusal::invalid("arguments", text));
    input::at_most("arguments", &canonical::json(arguments), ARGUMENT_BYTES)?;
    if arguments.is_object() != asked.statement.arguments.is_object() {
        return refuse("must have the shape of those that were asked for: an object");
    }
    let moved = PLACES.iter().find(|name| {
        let (asked, wanted) = (asked.statement.arguments.get(name), arguments.get(name));
        asked != wanted
    });
    if let Some(name) = moved {
        return refuse(&format!("change `{name}`: the call is judged where it was asked to run"));
    }
    if is_masked(arguments) {
        return refuse(
            "hold the mask of a secret: the secret itself is not kept, so it can't be put back; \
             write the arguments without it, or deny the call",
        );
    }
    if redact::value_has_secret(arguments) {
        return refuse(
            "hold what looks like a secret: it would have to be kept readable; name a file or a \
             variable that holds it instead",
        );
    }
    if canonical::sha256_hex(canonical::json(arguments).as_bytes())
        == asked.statement.arguments_sha256
    {
        return refuse("are what was asked for: there is nothing to change");
    }
    Ok(())
}

fn is_masked(value: &Value) -> bool {
    match value {
        Value::String(text) => redact::is_masked(text),
        Value::Array(items) => items.iter().any(is_masked),
        Value::Object(map) => {
            map.iter().any(|(key, value)| redact::is_masked(key) || is_masked(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Judges the changed call; what is denied can't be asked for.
fn judged(desk: &mut Desk<'_>, case: &case::Case<'_>) -> Result<Decision, Fail> {
    if desk.facts.is_late {
        let text =
            "the disk did not answer in time, so the changed call can't be judged: try again";
        return Err(Refusal::conflict(text).into());
    }
    let decision = case::judge(desk, case)?;
    if decision.outcome == Outcome::Deny {
        let text =
            format!("the policy denies the changed call ({}): {}", decision.rule, decision.reason);
        return Err(Refusal::new(RefusalKind::Forbidden, text).into());
    }
    Ok(decision)
}

/// Returns the statement of the changed call: new in everything that was judged, with a nonce of
/// its own; who asked, for what task, where and until when stay.
fn statement(
    desk: &mut Desk<'_>,
    asked: &Approval,
    (arguments, bound): (Value, Bound),
) -> Result<Statement, Fail> {
    Ok(Statement {
        version: 3,
        arguments_sha256: canonical::sha256_hex(canonical::json(&arguments).as_bytes()),
        arguments,
        program: bound.program,
        program_sha256: bound.program_sha256,
        links: bound.links,
        scripts: bound.scripts,
        policy_version: desk.squad()?.policy_version,
        nonce: random_hex::<16>(desk)?,
        not_before: desk.now,
        ..asked.statement.clone()
    })
}

/// A change may make a call more dangerous, never less: who asked may have been misled, and the
/// level of the question that was asked is what its deciders know.
fn edited(
    desk: &Desk<'_>,
    asked: &Approval,
    (statement, decision): (Statement, Decision),
    note: Option<String>,
) -> Result<ApprovalEdit, Fail> {
    let risk = decision.risk.max(asked.risk);
    let is_new = decision.risk >= asked.risk && decision.outcome == Outcome::Ask;
    let (rule, reason) = if is_new {
        (decision.rule, decision.reason)
    } else {
        (asked.rule.clone(), asked.reason.clone())
    };
    Ok(ApprovalEdit {
        digest: statement.digest(),
        summary: asking::summary(&statement.tool, &statement.arguments),
        statement,
        risk,
        rule,
        reason,
        needs: asking::persons(desk, (&asked.agent, asked.task), risk)?,
        note,
    })
}
