//! What events mean for approvals and for the standing rules that come from them.

use crate::{
    approval::{Approval, ApprovalEdit, Edited, Endorsement, StandingRule},
    event::{
        ApprovalDropped, ApprovalEdited, ApprovalEndorsed, ApprovalReminded, ApprovalUsed, Event,
        Recorded,
    },
};

/// Applies what `recorded` means for `approval`.
pub fn approval(approval: &mut Approval, recorded: &Recorded) {
    match &recorded.event {
        Event::ApprovalClosed { approval: id, status, note, .. } if *id == approval.id => {
            approval.status = *status;
            approval.decided_by = Some(recorded.actor.name.clone());
            approval.decided_level = recorded.actor.level;
            approval.decided_at = Some(recorded.at);
            approval.remind_at = None;
            approval.note.clone_from(note);
        }
        Event::ApprovalUsed(ApprovalUsed { approval: id, .. }) if *id == approval.id => {
            approval.used_at = Some(recorded.at);
        }
        Event::ApprovalDropped(ApprovalDropped { approval: id, .. }) if *id == approval.id => {
            approval.dropped = true;
        }
        Event::ApprovalEndorsed(ApprovalEndorsed { approval: id, .. }) if *id == approval.id => {
            approval.endorsements.push(Endorsement {
                by: recorded.actor.name.clone(),
                level: recorded.actor.level.unwrap_or_default(),
                at: recorded.at,
            });
        }
        Event::ApprovalEdited(ApprovalEdited { approval: id, edit, .. }) if *id == approval.id => {
            edited(approval, edit, recorded);
        }
        Event::ApprovalReminded(ApprovalReminded { approval: id, reminder, next_at, .. })
            if *id == approval.id =>
        {
            approval.reminded = Some(*reminder);
            approval.remind_at = *next_at;
            // A reminder changes nothing that is decided on: who reads it meanwhile may decide.
            return;
        }
        _ => return,
    }
    approval.rev = approval.rev.saturating_add(1);
}

/// What was agreed to before was agreed to another statement, and counts no more.
fn edited(approval: &mut Approval, edit: &ApprovalEdit, recorded: &Recorded) {
    let before = &approval.statement;
    let original = approval.edited.take().map_or_else(
        || (before.arguments.clone(), before.arguments_sha256.clone()),
        |first| (first.original, first.original_sha256),
    );
    approval.edited = Some(Edited {
        by: recorded.actor.name.clone(),
        level: recorded.actor.level.unwrap_or_default(),
        at: recorded.at,
        note: edit.note.clone(),
        original: original.0,
        original_sha256: original.1,
    });
    approval.statement = edit.statement.clone();
    approval.digest.clone_from(&edit.digest);
    approval.risk = edit.risk;
    approval.rule.clone_from(&edit.rule);
    approval.reason.clone_from(&edit.reason);
    approval.summary.clone_from(&edit.summary);
    approval.needs = edit.needs;
    approval.endorsements.clear();
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
