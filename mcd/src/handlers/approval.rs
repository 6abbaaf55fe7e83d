//! Approvals: decided once, and told to who asked.

use mc_core::{
    actor::Actor,
    approval::{Approval, ApprovalKind, ApprovalStatus},
    event::{ApprovalDropped, ApprovalEndorsed, Event},
    id::{ApprovalId, EventId},
    refusal::Refusal,
    task::{MoveDetails, Task, TaskState},
};
use mc_proto::{
    limits::SHORT_BYTES,
    method::approval::{Approve, Cancel, Deny, Receipt},
};

use super::{
    asking::{self, wait_for},
    budget, contain, input, moves, notify, rule,
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// The runtime no longer holds the call: the task waits, and the agent will be told.
pub(super) fn dropped(desk: &mut Desk<'_>, id: ApprovalId) -> Result<(), Fail> {
    let approval = queries::approval(desk.db, id)?;
    if approval.dropped || approval.used_at.is_some() {
        return Ok(());
    }
    desk.emit(Event::ApprovalDropped(ApprovalDropped {
        approval: id,
        agent: approval.agent.clone(),
        task: approval.task,
    }))?;
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
    if asking::hold_is_over(desk, &approval)? {
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
    let event = desk.emit(Event::ApprovalEndorsed(ApprovalEndorsed {
        approval: approval.id,
        agent: approval.agent.clone(),
        task: approval.task,
        digest: approval.digest.clone(),
    }))?;
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
    if !desk.caller.is_human() {
        contain::after_withdrawal(desk, &approval)?;
    }
    let text = format!("{} canceled", approval.id);
    Ok(Receipt { approval, event, text, rule: None })
}

pub(super) fn note(text: Option<&str>) -> Result<Option<String>, Refusal> {
    text.map(|text| input::optional("note", text, SHORT_BYTES)).transpose()
}

/// Returns the approval if it is exactly the one that was on screen, and can be decided.
pub(super) fn bound(
    desk: &Desk<'_>,
    id: ApprovalId,
    (rev, digest): (i64, &str),
) -> Result<Approval, Fail> {
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
    if asking::hold_is_over(desk, approval)? {
        tell(desk, approval)?;
    }
    Ok(())
}

/// Tells the agent how its question ended.
pub(super) fn tell(desk: &mut Desk<'_>, approval: &Approval) -> Result<(), Fail> {
    let note = approval.note.as_ref().map_or(String::new(), |note| format!(" Note: {note}"));
    let by = approval.decided_by.as_deref().unwrap_or("nobody");
    let text = match approval.status {
        ApprovalStatus::Approved if approval.edited.is_some() => format!(
            "{} was approved by {by} with other arguments: {}. Repeat the call as you made it; the \
             changed one runs in its place, once.{note}",
            approval.id, approval.summary
        ),
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
