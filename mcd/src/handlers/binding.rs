//! What an approval is bound to on disk: the program and the scripts that the call runs, and where
//! the paths that it names lead.

use mc_core::{
    actor::Actor,
    approval::{Approval, ApprovalStatus, Statement},
    event::Event,
    policy::{self, Within},
};

use super::{approval, case::Case};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// What stands in the place of a hash where a file could not be read.
const UNREADABLE: &str = "unreadable";

/// What the disk says about a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bound {
    /// The program that it runs first, where it lies.
    pub(super) program: Option<String>,
    /// The hash of that program's file.
    pub(super) program_sha256: Option<String>,
    /// The scripts that it runs, with the hash of each.
    pub(super) scripts: Vec<(String, String)>,
    /// The paths that lead elsewhere than they are written, each with where it leads.
    pub(super) links: Vec<(String, String)>,
}

/// Returns what the disk says about a call at this moment.
pub(super) fn bound(desk: &Desk<'_>, case: &Case<'_>) -> Bound {
    let scoped = desk.policy.at(Within::of(case.agent, None));
    let wanted = policy::wanted(scoped, &case.call(desk), case.agent.workspace.as_deref());
    let facts = &desk.facts;
    let name = wanted.programs.first();
    let program = name.and_then(|name| facts.programs.get(name)).cloned();
    let hash = name.and_then(|name| facts.program_hashes.get(name));
    let scripts = wanted.scripts.into_iter().map(|path| {
        let hash = hash_now(desk, &path).to_owned();
        (path, hash)
    });
    let links = facts.links.iter().map(|(path, to)| (path.clone(), to.clone()));
    Bound {
        program_sha256: program
            .is_some()
            .then(|| hash.map_or_else(|| UNREADABLE.to_owned(), Clone::clone)),
        program,
        scripts: scripts.collect(),
        links: links.collect(),
    }
}

fn hash_now<'d>(desk: &'d Desk<'_>, path: &str) -> &'d str {
    desk.facts.scripts.get(path).map_or(UNREADABLE, String::as_str)
}

/// Says what of an approved call is not on disk what was approved.
pub(super) fn changed(desk: &Desk<'_>, asked: &Statement, case: &Case<'_>) -> Option<String> {
    let now = bound(desk, case);
    let script = asked.scripts.iter().find(|(path, hash)| hash_now(desk, path) != hash);
    if let Some((path, _)) = script {
        return Some(format!("`{path}` was changed after {} was asked", asked.approval));
    }
    if (&asked.program, &asked.program_sha256) != (&now.program, &now.program_sha256) {
        let name = asked.program.as_ref().or(now.program.as_ref()).map_or("", String::as_str);
        return Some(format!("the program `{name}` is not what {} was asked for", asked.approval));
    }
    let moved = asked.links.iter().find(|link| !now.links.contains(link));
    let (path, _) = moved.or_else(|| now.links.iter().find(|link| !asked.links.contains(link)))?;
    Some(format!("`{path}` leads elsewhere than when {} was asked", asked.approval))
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
