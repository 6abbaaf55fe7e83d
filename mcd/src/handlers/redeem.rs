//! How a yes is used: once, by the call that it was given for, if all that it was given for still
//! holds at that moment.

use mc_core::refusal::Refusal;
use mc_core::{
    actor::Level,
    agent::{Agent, AgentStatus},
    approval::{Approval, ApprovalKind, ApprovalStatus, Rewritten},
    event::{ApprovalUsed, Event},
    id::CallId,
    policy::{Act, Decision, Outcome},
    run::{CallStatus, ToolCall},
    squad::SquadStatus,
    time::Timestamp,
};
use mc_proto::method::run::{Await, Awaited, Checked};

use super::{
    asking, binding, budget,
    case::{self, Case, Rows, denied},
    confirm,
    moves::acting_agent,
    tool::{self, Asked, PREVIEW_CHARS},
};
use crate::{
    masking,
    store::{
        Desk,
        queries::{self, Fail},
    },
};

/// Why a call is refused about which the disk could not be asked.
const LATE: &str = "the disk did not answer in time: repeat the call";

/// Whether a yes that was given still holds.
enum Fit {
    /// It does.
    Good,
    /// Not at the moment; it may again.
    Later(String),
    /// Never again.
    Void(String),
}

/// Judges the approved call whole again, by the policy in force and by what the disk says now.
///
/// Another version of the policy by itself voids nothing: what counts is what it says. A call that
/// it denies, rates higher, asks for a reason that nobody was asked about, or wants more persons or
/// a higher level for, is not what was agreed to.
fn fit(
    desk: &Desk<'_>,
    approval: &Approval,
    (case, decision): (&Case<'_>, &Decision),
) -> Result<Fit, Fail> {
    let now = || format!("by the policy in force now ({})", decision.rule);
    if decision.outcome == Outcome::Deny && case::is_passing(decision) {
        return Ok(Fit::Later(decision.reason.clone()));
    }
    if desk.facts.is_late {
        return Ok(Fit::Later(LATE.to_owned()));
    }
    if let Some(reason) = binding::changed(desk, &approval.statement, case) {
        return Ok(Fit::Void(reason));
    }
    if decision.outcome == Outcome::Deny {
        return Ok(Fit::Void(format!("it is denied {}: {}", now(), decision.reason)));
    }
    if decision.risk > approval.risk {
        return Ok(Fit::Void(format!("it is more dangerous {}: {}", now(), decision.reason)));
    }
    let overspends = decision.outcome == Outcome::Ask
        && decision.ask_for == ApprovalKind::BudgetOverride
        && approval.kind != ApprovalKind::BudgetOverride;
    if overspends {
        return Ok(Fit::Void(format!("a budget is used up meanwhile: {}", decision.reason)));
    }
    agreed(desk, approval)
}

/// Compares who agreed with who has to agree by now.
fn agreed(desk: &Desk<'_>, approval: &Approval) -> Result<Fit, Fail> {
    let persons = asking::persons(desk, (&approval.agent, approval.task), approval.risk)?;
    let given = i64::try_from(approval.endorsements.len()).unwrap_or(i64::MAX).saturating_add(1);
    if persons > given {
        let text = format!("the policy wants {persons} persons to agree by now");
        return Ok(Fit::Void(text));
    }
    let wanted = desk.policy.min_level(Act::approve(approval.risk));
    let wanted = if desk.live.single_user { wanted.min(Level::L1) } else { wanted };
    if approval.decided_level.is_some_and(|level| level < wanted) {
        return Ok(Fit::Void(format!("the policy wants level {wanted} for it by now")));
    }
    Ok(Fit::Good)
}

/// Answers a repeated call whose approval was granted.
pub(super) fn by_check(
    desk: &mut Desk<'_>,
    asked: &Asked,
    decision: &Decision,
    open: &Approval,
) -> Result<Checked, Fail> {
    if open.edited.is_some() {
        return changed_call(desk, asked, decision, open);
    }
    if decision.outcome == Outcome::Allow {
        return tool::record(desk, asked, decision, None);
    }
    match fit(desk, open, (&asked.case(desk), decision))? {
        Fit::Later(_) if decision.outcome == Outcome::Deny => {
            tool::record(desk, asked, decision, Some(open.id))
        }
        Fit::Later(reason) => {
            tool::record(desk, asked, &denied("path.unseen", &reason), Some(open.id))
        }
        Fit::Void(reason) => {
            binding::void(desk, open, &format!("{reason}: asked anew"))?;
            tool::unapproved(desk, asked, decision, None)
        }
        Fit::Good if desk.now >= open.expires_at => {
            let text = format!("{} has expired; ask again", open.id);
            tool::record(desk, asked, &denied("approval.expired", &text), Some(open.id))
        }
        Fit::Good => by_this_call(desk, asked, decision, open),
    }
}

fn by_this_call(
    desk: &mut Desk<'_>,
    asked: &Asked,
    decision: &Decision,
    open: &Approval,
) -> Result<Checked, Fail> {
    let granted = Decision {
        outcome: Outcome::Allow,
        rule: "approval.granted".to_owned(),
        reason: granted_by(open),
        ..decision.clone()
    };
    let checked = tool::record(desk, asked, &granted, Some(open.id))?;
    desk.emit(Event::ApprovalUsed(ApprovalUsed {
        approval: open.id,
        agent: open.agent.clone(),
        task: open.task,
        call: Some(checked.call),
        rewritten: None,
    }))?;
    Ok(checked)
}

fn granted_by(approval: &Approval) -> String {
    let by = approval.decided_by.as_deref().unwrap_or("a human");
    let how = if approval.edited.is_some() { ", with other arguments" } else { "" };
    format!("{} was approved by {by}, for this once{how}", approval.id)
}

/// A person changed the call before saying yes: what runs is the changed one. The disk was asked
/// about the call as it came, so the answer is not here yet; `tool.await` gives it at once.
fn changed_call(
    desk: &mut Desk<'_>,
    asked: &Asked,
    decision: &Decision,
    open: &Approval,
) -> Result<Checked, Fail> {
    if decision.outcome == Outcome::Deny && case::is_passing(decision) {
        return tool::record(desk, asked, decision, Some(open.id));
    }
    if !asked.params.can_rewrite {
        return tool::record(desk, asked, &denied("approval.edited", CANT_REWRITE), Some(open.id));
    }
    let waits = Decision {
        outcome: Outcome::Ask,
        rule: "approval.granted".to_owned(),
        reason: granted_by(open),
        ..decision.clone()
    };
    let checked = tool::record(desk, asked, &waits, Some(open.id))?;
    Ok(Checked { hold_until: None, ..checked })
}

/// Why a changed call can't run here.
const CANT_REWRITE: &str =
    "it was approved with other arguments, and this runtime can't put them in place";

/// `tool.await`, at the end of the wait: uses the approval when it was granted.
///
/// # Errors
///
/// `not_found`, `forbidden` for another agent's approval.
pub fn wait(desk: &mut Desk<'_>, params: &Await) -> Result<Awaited, Fail> {
    let agent = acting_agent(desk)?;
    let approval = queries::approval(desk.db, params.approval)?;
    if approval.agent != agent.name {
        let text = format!("{} was asked by another agent", approval.id);
        return Err(Refusal::forbidden(text).into());
    }
    let answer = |decision, reason: String| Awaited {
        approval: approval.id,
        status: approval.status,
        decision,
        call: None,
        reason,
        arguments: None,
        lease_expires_at: None,
    };
    let note = approval.note.as_ref().map_or(String::new(), |note| format!(": {note}"));
    let by = approval.decided_by.as_deref().unwrap_or("nobody");
    Ok(match approval.status {
        ApprovalStatus::Pending => {
            answer(Outcome::Ask, format!("{} waits for a human", approval.id))
        }
        ApprovalStatus::Denied => answer(Outcome::Deny, format!("denied by {by}{note}")),
        ApprovalStatus::Expired => answer(Outcome::Deny, "nobody answered in time".to_owned()),
        ApprovalStatus::Canceled => answer(Outcome::Deny, format!("canceled{note}")),
        ApprovalStatus::Approved => return redeem(desk, &agent, &approval, params.call),
    })
}

/// A call that waits for the yes that was given, and what is answered to it.
struct Turn<'a> {
    approval: &'a Approval,
    agent: &'a Agent,
    /// The call that the runtime holds; `None` where it names none.
    waits: Option<CallId>,
}

impl Turn<'_> {
    fn refuse(&self, reason: &str) -> Awaited {
        Awaited {
            approval: self.approval.id,
            status: self.approval.status,
            decision: Outcome::Deny,
            call: self.waits.or(self.approval.call),
            reason: reason.to_owned(),
            arguments: None,
            lease_expires_at: None,
        }
    }

    fn grant(&self, lease: Timestamp) -> Awaited {
        let approval = self.approval;
        let arguments = || approval.statement.arguments.clone();
        Awaited {
            decision: Outcome::Allow,
            arguments: approval.edited.is_some().then(arguments),
            lease_expires_at: Some(lease),
            ..self.refuse(&granted_by(approval))
        }
    }

    /// Returns the call that waits, or the one that was asked for, if the approval is for it.
    fn call(&self, desk: &Desk<'_>) -> Result<Option<ToolCall>, Fail> {
        let id = self.waits.or(self.approval.call);
        let call = id.map(|id| queries::call(desk.db, id)).transpose()?;
        let is_for = |call: &ToolCall| {
            call.agent == self.agent.name && call.approval == Some(self.approval.id)
        };
        Ok(call.filter(is_for))
    }

    /// Answers about an approval that was used. The same lease to the same call is no second use: the
    /// first answer may have been lost.
    fn again(&self, desk: &mut Desk<'_>, call: Option<ToolCall>) -> Result<Awaited, Fail> {
        let call = call.filter(|call| self.waits.is_some() && call.status == CallStatus::Allowed);
        let lease = match call {
            Some(call) if !was_cut(desk, self.agent, &call)? => call.lease_expires_at,
            Some(_) | None => None,
        };
        let lease = lease.filter(|end| *end > desk.now);
        let refused = || self.refuse("this approval was used already");
        Ok(lease.map_or_else(refused, |lease| self.grant(lease)))
    }
}

/// Turns a granted approval into the lease of the call that waited for it.
fn redeem(
    desk: &mut Desk<'_>,
    agent: &Agent,
    approval: &Approval,
    waits: Option<CallId>,
) -> Result<Awaited, Fail> {
    let turn = Turn { approval, agent, waits };
    let call = turn.call(desk)?;
    if let Some(reason) = stands_still(desk, agent, approval)? {
        return Ok(turn.refuse(reason));
    }
    if approval.used_at.is_some() {
        return turn.again(desk, call);
    }
    let Some(call) = call.filter(|call| call.status == CallStatus::Waiting) else {
        return Ok(turn.refuse("no call waits for this approval; repeat the call to use it"));
    };
    if approval.edited.is_some() && !call.can_rewrite {
        return Ok(turn.refuse(CANT_REWRITE));
    }
    match fit_to_wait(desk, approval, &call)? {
        Fit::Later(reason) => return Ok(turn.refuse(&reason)),
        Fit::Void(reason) => {
            let reason = format!("{reason}: ask again");
            binding::void(desk, approval, &reason)?;
            return Ok(Awaited { status: ApprovalStatus::Canceled, ..turn.refuse(&reason) });
        }
        Fit::Good => {}
    }
    let lease = lease_to(desk, (agent, approval), &call)?;
    Ok(turn.grant(lease))
}

/// Uses the approval: the call that waited for it may start until the time that is returned.
fn lease_to(
    desk: &mut Desk<'_>,
    (agent, approval): (&Agent, &Approval),
    call: &ToolCall,
) -> Result<Timestamp, Fail> {
    let lease = desk.now.plus(tool::lease(desk));
    desk.emit(Event::ApprovalUsed(ApprovalUsed {
        approval: approval.id,
        agent: approval.agent.clone(),
        task: approval.task,
        call: Some(call.id),
        rewritten: rewritten(approval),
    }))?;
    desk.emit(tool::changed(call, CallStatus::Allowed, Some(lease)))?;
    if let Some(estimate) = approval.estimated_cost_uusd {
        let task = approval.task.map(|id| queries::task(desk.db, id)).transpose()?;
        let payer = (agent, call.run, task.as_ref());
        budget::promise_call(desk, payer, (call.id, estimate))?;
    }
    Ok(lease)
}

fn fit_to_wait(desk: &mut Desk<'_>, approval: &Approval, call: &ToolCall) -> Result<Fit, Fail> {
    let rows = Rows::of(desk, approval, Some(call))?;
    let case = rows.case(desk, approval, &approval.statement.arguments);
    let decision = case::judge(desk, &case)?;
    fit(desk, approval, (&case, &decision))
}

/// Returns what runs in the place of what was asked for.
fn rewritten(approval: &Approval) -> Option<Rewritten> {
    let statement = &approval.statement;
    approval.edited.is_some().then(|| Rewritten {
        preview: masking::preview(&mc_core::canonical::json(&statement.arguments), PREVIEW_CHARS),
        arguments_sha256: statement.arguments_sha256.clone(),
        command_sha256: confirm::command_sha256(&statement.arguments),
    })
}

/// Says why a granted approval gives nothing at the moment.
fn stands_still(
    desk: &mut Desk<'_>,
    agent: &Agent,
    approval: &Approval,
) -> Result<Option<&'static str>, Fail> {
    let squad = desk.squad()?;
    let works = squad.status == SquadStatus::Running
        && matches!(agent.status, AgentStatus::Active | AgentStatus::Drained);
    if desk.live.halt.is_set() || !works {
        return Ok(Some("squad or agent does not work at the moment"));
    }
    if desk.now >= approval.expires_at {
        return Ok(Some("the approval has expired; ask again"));
    }
    Ok(None)
}

/// Says whether a stop, a pause, a quarantine or a restart came after the call was allowed, or the
/// clock was set back since: leases end with it.
pub(super) fn was_cut(desk: &mut Desk<'_>, agent: &Agent, call: &ToolCall) -> Result<bool, Fail> {
    let stops = [desk.squad()?.since, agent.status_since];
    let is_old = call.granted_by.is_none_or(|event| event <= desk.cut());
    let stopped = |granted| stops.into_iter().flatten().any(|since| granted <= since);
    Ok(is_old || call.granted_at.is_none_or(stopped))
}
