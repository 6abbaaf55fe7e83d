//! A marked set of approvals, decided together: each for itself, with a receipt.

use mc_core::{
    approval::{Approval, ApprovalKind},
    policy::Risk,
    refusal::{Refusal, RefusalKind},
};
use mc_proto::method::approval::{
    Approve, Decide, Decided, DecidedSet, Deny, Marked, Receipt, Verdict,
};

use super::approval;
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// How many are decided at once.
const LARGEST: usize = 50;

/// `approval.decide`
///
/// # Errors
///
/// `invalid_params` for none or too many. What is wrong with one of them stands in its receipt.
pub(super) fn decide(desk: &mut Desk<'_>, params: &Decide) -> Result<DecidedSet, Fail> {
    if params.items.is_empty() || params.items.len() > LARGEST {
        let text = format!("expected 1 to {LARGEST} approvals");
        return Err(Refusal::invalid("items", text).into());
    }
    let mut receipts = Vec::new();
    for item in &params.items {
        receipts.push(match one(desk, params, item) {
            Ok(done) => {
                Decided { approval: item.approval, event: Some(done.event), text: done.text }
            }
            Err(Fail::Refused(refusal)) => {
                Decided { approval: item.approval, event: None, text: refusal.message }
            }
            Err(fault @ Fail::Fault(_)) => return Err(fault),
        });
    }
    Ok(DecidedSet { receipts })
}

fn one(desk: &mut Desk<'_>, params: &Decide, item: &Marked) -> Result<Receipt, Fail> {
    let Marked { approval, rev, digest } = item.clone();
    let note = params.note.clone();
    match params.decision {
        Verdict::Deny => approval::deny(desk, &Deny { approval, rev, digest, note }),
        Verdict::Approve => {
            let seen: Approval = queries::approval(desk.db, approval)?;
            if seen.risk == Risk::Red {
                let text = format!("{approval} is red: it is approved by itself, or not at all");
                return Err(Refusal::new(RefusalKind::Forbidden, text).into());
            }
            if seen.kind == ApprovalKind::BudgetOverride {
                let text = format!("{approval} raises a budget: it is approved by itself");
                return Err(Refusal::new(RefusalKind::Forbidden, text).into());
            }
            approval::approve(desk, &Approve { approval, rev, digest, note, remember: None })
        }
    }
}
