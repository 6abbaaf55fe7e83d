//! What events mean for approvals and for the standing rules that come from them.

use crate::{
    approval::{Approval, Endorsement, StandingRule},
    event::{Event, Recorded},
};

/// Applies what `recorded` means for `approval`.
pub fn approval(approval: &mut Approval, recorded: &Recorded) {
    match &recorded.event {
        Event::ApprovalClosed { approval: id, status, note, .. } if *id == approval.id => {
            approval.status = *status;
            approval.decided_by = Some(recorded.actor.name.clone());
            approval.decided_at = Some(recorded.at);
            approval.note.clone_from(note);
        }
        Event::ApprovalUsed { approval: id, .. } if *id == approval.id => {
            approval.used_at = Some(recorded.at);
        }
        Event::ApprovalDropped { approval: id, .. } if *id == approval.id => {
            approval.dropped = true;
        }
        Event::ApprovalEndorsed { approval: id, .. } if *id == approval.id => {
            approval.endorsements.push(Endorsement {
                by: recorded.actor.name.clone(),
                level: recorded.actor.level.unwrap_or_default(),
                at: recorded.at,
            });
        }
        _ => return,
    }
    approval.rev = approval.rev.saturating_add(1);
}

/// Applies what `recorded` means for the standing rule `rule`.
pub fn rule(rule: &mut StandingRule, recorded: &Recorded) {
    match &recorded.event {
        Event::RuleUsed { rule: id, .. } if *id == rule.id => {
            rule.used = rule.used.saturating_add(1);
            rule.uses_left = rule.uses_left.map(|left| left.saturating_sub(1));
        }
        Event::RuleRevoked { rule: id, .. } if *id == rule.id => {
            rule.revoked_at = Some(recorded.at);
            rule.revoked_by = Some(recorded.actor.name.clone());
        }
        _ => {}
    }
}
