//! Answers from elsewhere: the notification helper puts approvals to persons whom `identity.toml`
//! knows by an account of a messenger, and brings back what they pressed.
//!
//! The daemon can't see who pressed: it takes the helper's word. So it listens only to a helper
//! that runs as a user of its own, which no agent and no operator shares; such an answer is worth
//! L1, decides what was shown whole and by its digest, and never what is RED or raises a budget.

use std::sync::Arc;

use mc_core::{
    actor::{Actor, Level},
    approval::{ApprovalKind, ApprovalStatus},
    id::ApprovalId,
    policy::{Act, Risk},
    question::question,
};
use mc_proto::{
    error::{ErrorKind, RpcError},
    method::{
        Request,
        approval::{self, Approve, Deny, Detail, Verdict},
        remote::{Account, Decide, Show, Shown},
    },
};

use super::{
    Server,
    dispatch::{self, Outcome},
    levels,
    session::Session,
};
use crate::{
    caller::{Caller, Factor},
    identity::Identity,
    store::Answer,
};

/// What such an answer is worth.
const LEVEL: Level = Level::L1;
/// The longest text that is put to somebody elsewhere, in UTF-16 units, as Telegram counts.
const LONGEST: usize = 3500;

/// `remote.show`
pub(super) fn show(server: &Server, session: &Session, params: &Show) -> Answer {
    listen(&server.identity(), session)?;
    let (detail, text) = asked(server, session, params.approval)?;
    let approval = detail.approval;
    let needed = levels::level_for(server.live(), Act::approve(approval.risk));
    dispatch::json(&Shown {
        approval: approval.id,
        rev: approval.rev,
        digest: approval.digest,
        text,
        can_approve: needed <= LEVEL,
    })
}

/// `remote.decide`: becomes the decision of the operator whose account it is.
pub(super) fn decide(server: &Arc<Server>, session: &Session, params: Decide) -> Outcome {
    match decision(server, session, params) {
        Ok((caller, request)) => dispatch::submit(&server.store, caller, request, None),
        Err(error) => Outcome::Now(Err(error)),
    }
}

fn decision(
    server: &Server,
    session: &Session,
    params: Decide,
) -> Result<(Caller, Request), RpcError> {
    let identity = server.identity();
    listen(&identity, session)?;
    let caller = person(&identity, session, params.by)?;
    let (detail, _) = asked(server, session, params.approval)?;
    let Decide { approval, rev, digest, decision, .. } = params;
    let (act, request) = match decision {
        Verdict::Approve => (
            Act::approve(detail.approval.risk),
            Request::ApprovalApprove(Approve { approval, rev, digest, ..Approve::default() }),
        ),
        Verdict::Deny => {
            (Act::Deny, Request::ApprovalDeny(Deny { approval, rev, digest, note: None }))
        }
    };
    let needed = levels::level_for(server.live(), act);
    if needed > LEVEL {
        let text = format!(
            "this needs level {needed}, an answer from elsewhere is {LEVEL}: decide {approval} in \
             the console, or lower `levels` in policy.toml knowingly"
        );
        return Err(refuse(text));
    }
    levels::check(&server.store, &caller, &request)?;
    Ok((caller, request))
}

/// Listens to a helper that nobody but itself can be, and where somebody may answer.
fn listen(identity: &Identity, session: &Session) -> Result<(), RpcError> {
    if identity.remotes.is_empty() {
        return Err(refuse("nobody may answer from elsewhere: identity.toml has no [[remote]]"));
    }
    if !identity.notify.uids.contains(&session.uid()) {
        let text = "`mcd notify` does not run as a user of its own, so that anybody could answer \
                    in its name: give it one in `[notify]` of identity.toml";
        return Err(refuse(text));
    }
    Ok(())
}

/// Returns the operator whose account it is, as one request has them.
fn person(identity: &Identity, session: &Session, by: Account) -> Result<Caller, RpcError> {
    let remote = identity.remotes.iter().find(|one| one.telegram == by.telegram);
    let operator = remote.and_then(|remote| {
        identity.operators.iter().find(|operator| operator.name == remote.operator)
    });
    let Some(operator) = operator else {
        return Err(refuse("identity.toml does not let this account answer"));
    };
    let name = format!("{} (telegram {})", operator.name, by.telegram);
    let actor = Actor::human(name, LEVEL);
    // A second factor can't be given from there, so that what wants one is refused.
    let (role, factor) = (Some(operator.role), Factor::Enrolled);
    Ok(Caller { actor, role, factor, ..reader(session) })
}

/// Looks approvals up, and can do nothing else.
fn reader(session: &Session) -> Caller {
    Caller {
        actor: Actor::human("notify", Level::L0),
        role: None,
        agent: None,
        adapter: None,
        connection: session.connection(),
        factor: Factor::None,
        home: None,
    }
}

/// Returns an approval that can be answered from elsewhere, and what is shown of it.
fn asked(server: &Server, session: &Session, id: ApprovalId) -> Result<(Detail, String), RpcError> {
    let get = Request::ApprovalGet(approval::Get { approval: id });
    let detail: Detail = levels::look(&server.store, &reader(session), &get)?;
    let approval = &detail.approval;
    if approval.status != ApprovalStatus::Pending {
        let by = approval.decided_by.as_deref().unwrap_or("nobody");
        let text = format!("{id} is {} already, by {by}", approval.status.as_str());
        return Err(RpcError::new(ErrorKind::Conflict, text));
    }
    if approval.risk == Risk::Red {
        return Err(refuse(format!("{id} is RED: go to the console")));
    }
    if approval.kind == ApprovalKind::BudgetOverride {
        return Err(refuse(format!("{id} raises a budget: go to the console")));
    }
    if approval.needs > 1 {
        return Err(refuse(format!("{id} needs two persons: go to the console")));
    }
    let text = question(approval, detail.task_title.as_deref());
    if text.encode_utf16().count() > LONGEST {
        return Err(refuse(format!("{id} is too long to be shown here: go to the console")));
    }
    Ok((detail, text))
}

fn refuse(text: impl Into<String>) -> RpcError {
    RpcError::new(ErrorKind::Forbidden, text.into())
}
