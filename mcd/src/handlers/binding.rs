//! What an approval is bound to on disk: the program and the scripts that the call runs.

use mc_core::{
    actor::Actor,
    approval::{Approval, ApprovalStatus},
    event::Event,
    policy,
};

use super::{approval, tool::Asked};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// What stands in the place of a hash where a script could not be read.
const UNREADABLE: &str = "unreadable";

/// Returns the program that a call runs first, and its scripts with their hashes.
pub(super) fn runs(desk: &Desk<'_>, asked: &Asked) -> (Option<String>, Vec<(String, String)>) {
    let wanted = policy::wanted(&desk.policy, &asked.call(desk), asked.agent.workspace.as_deref());
    let program = wanted.programs.first().and_then(|name| desk.facts.programs.get(name)).cloned();
    let scripts = wanted.scripts.into_iter().map(|path| {
        let hash = hash_now(desk, &path).to_owned();
        (path, hash)
    });
    (program, scripts.collect())
}

fn hash_now<'d>(desk: &'d Desk<'_>, path: &str) -> &'d str {
    desk.facts.scripts.get(path).map_or(UNREADABLE, String::as_str)
}

/// Says which script of an approved call is not what was approved.
pub(super) fn changed_script(desk: &Desk<'_>, approval: &Approval) -> Option<String> {
    let scripts = &approval.statement.scripts;
    let (path, _) = scripts.iter().find(|(path, hash)| hash_now(desk, path) != hash)?;
    Some(format!("`{path}` was changed after {} was asked: ask again", approval.id))
}

/// Ends an approval that no longer fits what would run.
pub(super) fn void(desk: &mut Desk<'_>, asked: &Approval, reason: &str) -> Result<(), Fail> {
    let event = Event::ApprovalClosed {
        approval: asked.id,
        agent: asked.agent.clone(),
        task: asked.task,
        status: ApprovalStatus::Canceled,
        note: Some(reason.to_owned()),
    };
    desk.emit_as(Actor::system("approvals"), Some(reason.to_owned()), event)?;
    approval::ended(desk, &queries::approval(desk.db, asked.id)?)
}
