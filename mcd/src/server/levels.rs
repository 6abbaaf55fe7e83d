//! What a human act takes: a role, and the assurance level that the policy asks for it.

use mc_core::{
    actor::{Level, Role},
    id::{ApprovalId, TaskId},
    policy::{Act, Risk},
    task::TaskState,
};
use mc_proto::{
    error::{ErrorKind, RpcError},
    method::{Request, approval, task},
};
use serde::Deserialize;

use super::factor;
use crate::{
    caller::{Caller, Factor},
    live::Live,
    store::Store,
};

/// What a request of an operator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Looks only.
    View,
    /// Acts.
    Act(Role, Act),
    /// Approves something whose risk must be looked up.
    Approve(ApprovalId),
    /// Approves and makes a rule of it; what is red can't be remembered.
    Remember(ApprovalId),
    /// Decides a marked set, in which nothing is red.
    Decide(approval::Verdict),
    /// Moves a task whose state must be looked up.
    Move(TaskId, TaskState),
}

/// Returns what a request takes when a human sends it.
#[expect(clippy::wildcard_enum_match_arm, reason = "what was forgotten needs the most there is")]
pub(super) fn need(request: &Request) -> Need {
    use Request as R;
    let operator = |act| Need::Act(Role::Operator, act);
    match request {
        R::TaskTransition(p) => Need::Move(p.task, p.to),
        R::TaskAssign(p) => Need::Move(p.task, TaskState::Assigned),
        R::TaskStart(p) => Need::Move(p.task, TaskState::InProgress),
        R::TaskCreate(_)
        | R::TaskUpdate(_)
        | R::TaskClaim(_)
        | R::TaskSubmit(_)
        | R::TaskRequestChanges(_)
        | R::TaskBlock(_)
        | R::TaskReopen(_)
        | R::TaskReportBlocker(_) => operator(Act::Assign),
        R::TaskComplete(_) => operator(Act::Complete),
        R::TaskUnblock(_) => operator(Act::Unblock),
        R::TaskCancel(_) | R::ApprovalCancel(_) | R::RuleRevoke(_) => operator(Act::Cancel),
        R::TaskSubscribe(_)
        | R::TaskUnsubscribe(_)
        | R::MessagePost(_)
        | R::ArtifactPut(_)
        | R::AlertAck(_)
        | R::AlertResolve(_)
        | R::NotificationAck(_) => operator(Act::Comment),
        R::AgentRegister(_)
        | R::AgentUpdate(_)
        | R::AgentRotateToken(_)
        | R::AgentRevokeToken(_)
        | R::AdapterEnrol(_) => Need::Act(Role::Admin, Act::Tokens),
        R::AgentPause(_) | R::SquadPause(_) => operator(Act::Pause),
        R::AgentResume(_) | R::SquadResume(_) => operator(Act::Resume),
        R::AgentDrain(_) | R::SquadDrain(_) => operator(Act::Drain),
        R::AgentQuarantine(_) | R::AgentStop(_) => operator(Act::Quarantine),
        R::ApprovalApprove(p) if p.remember.is_some() => Need::Remember(p.approval),
        R::ApprovalApprove(p) => Need::Approve(p.approval),
        R::ApprovalDeny(_) => operator(Act::Deny),
        R::ApprovalDecide(p) => Need::Decide(p.decision),
        R::SquadEmergencyStop(_) => operator(Act::EmergencyStop),
        R::SquadEmergencyResume(_) => Need::Act(Role::Admin, Act::EmergencyResume),
        other => view(other),
    }
}

/// What remains are queries, what concerns the connection, and what only agents do, which was
/// refused before. Anything that was forgotten above needs the most there is.
fn view(request: &Request) -> Need {
    use mc_proto::method::{Kind, Who};
    let info = request.info();
    if info.kind == Kind::Command && info.who != Who::Agent {
        return Need::Act(Role::Admin, Act::Operators);
    }
    Need::View
}

/// Lets an operator pass, or says what is missing.
///
/// # Errors
///
/// `forbidden` that names the role or level needed; what looking the thing up refuses.
pub(super) fn check(store: &Store, caller: &Caller, request: &Request) -> Result<(), RpcError> {
    let live = store.live();
    let (role, act) = match need(request) {
        Need::View => return Ok(()),
        Need::Act(role, act) => (role, act),
        Need::Approve(id) => (Role::Operator, Act::approve(risk(store, caller, id)?)),
        Need::Remember(_) => (Role::Operator, Act::Remember),
        // The desk refuses red ones by themselves.
        Need::Decide(approval::Verdict::Approve) => (Role::Operator, Act::ApproveYellow),
        Need::Decide(approval::Verdict::Deny) => (Role::Operator, Act::Deny),
        Need::Move(_, TaskState::Done) => (Role::Operator, Act::Complete),
        Need::Move(_, TaskState::Canceled) => (Role::Operator, Act::Cancel),
        Need::Move(id, _) if is_blocked(store, caller, id)? => (Role::Operator, Act::Unblock),
        Need::Move(..) => (Role::Operator, Act::Assign),
    };
    let has = caller.role.unwrap_or_default();
    if has < role {
        let text = format!("this needs the role {}, yours is {}", word(role), word(has));
        return Err(RpcError::new(ErrorKind::Forbidden, text));
    }
    let level = caller.actor.level.unwrap_or_default();
    let needed = level_for(live, act);
    if level < needed {
        let text = too_low((level, needed), caller, live);
        return Err(RpcError::new(ErrorKind::Forbidden, text));
    }
    // Where one user runs everything the level can't rise, but the factor can be asked for.
    if live.policy().min_level(act) == Level::L3 && caller.factor == Factor::Enrolled {
        return Err(RpcError::new(ErrorKind::Forbidden, FACTOR));
    }
    Ok(())
}

/// What to do where a second factor is missing.
const FACTOR: &str = "this needs your second factor: open a challenge for it with `session.challenge` and give the code";

/// Returns the level that an act takes; where one user runs everything, none takes more than L1.
pub(super) fn level_for(live: &Live, act: Act) -> Level {
    let level = live.policy().min_level(act);
    if live.single_user { level.min(Level::L1) } else { level }
}

fn too_low((level, needed): (Level, Level), caller: &Caller, live: &Live) -> String {
    let how = if level == Level::L0 {
        "unlock with your passphrase".to_owned()
    } else if live.is_shared_uid() && level < Level::L2 {
        "use an account that no agent uses, or lower `levels` in policy.toml knowingly".to_owned()
    } else if needed == Level::L3 && caller.factor == Factor::None {
        factor::none_enrolled(&caller.actor.name)
    } else {
        FACTOR.to_owned()
    };
    format!("this needs level {needed}, the connection is at {level}: {how}")
}

const fn word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

fn risk(store: &Store, caller: &Caller, approval: ApprovalId) -> Result<Risk, RpcError> {
    #[derive(Deserialize)]
    struct Seen {
        risk: Risk,
    }
    let seen: Seen = look(store, caller, &Request::ApprovalGet(approval::Get { approval }))?;
    Ok(seen.risk)
}

fn is_blocked(store: &Store, caller: &Caller, task: TaskId) -> Result<bool, RpcError> {
    #[derive(Deserialize)]
    struct Seen {
        state: TaskState,
    }
    let seen: Seen = look(store, caller, &Request::TaskGet(task::Get { task }))?;
    Ok(seen.state == TaskState::Blocked)
}

/// Asks the store and reads a few fields of its answer.
pub(super) fn look<T: serde::de::DeserializeOwned>(
    store: &Store,
    caller: &Caller,
    request: &Request,
) -> Result<T, RpcError> {
    let json = store.query(caller, request)?;
    serde_json::from_str(&json).map_err(|error| {
        tracing::error!(%error, method = request.info().name, "an own answer can't be read");
        RpcError::new(ErrorKind::Unavailable, "the daemon can't read its own answer; see its log")
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        clock::SystemClock,
        live::{Halt, Setup},
    };

    fn live(single_user: bool) -> (tempfile::TempDir, Live) {
        let dir = tempfile::tempdir().unwrap();
        let halt = Halt::open(&dir.path().join("halt"));
        let setup = Setup { shared_uid: single_user, single_user };
        (dir, Live::new(Arc::new(SystemClock), halt, setup))
    }

    #[test]
    fn a_single_user_squad_needs_l1_at_most_and_nothing_for_a_stop() {
        let (_dir, live) = live(true);
        for act in Act::ALL {
            assert!(level_for(&live, act) <= Level::L1, "{act:?}");
        }
        assert_eq!(level_for(&live, Act::EmergencyStop), Level::L0);
        assert_eq!(level_for(&live, Act::ApproveRed), Level::L1);
    }

    #[test]
    fn a_system_squad_needs_what_the_policy_says() {
        let (_dir, live) = live(false);
        assert_eq!(level_for(&live, Act::Pause), Level::L0);
        assert_eq!(level_for(&live, Act::Deny), Level::L1);
        assert_eq!(level_for(&live, Act::ApproveYellow), Level::L2);
        assert_eq!(level_for(&live, Act::ApproveRed), Level::L3);
        assert_eq!(level_for(&live, Act::EmergencyResume), Level::L3);
    }

    #[test]
    fn looking_needs_nothing_and_tokens_an_admin() {
        assert_eq!(need(&Request::TaskList(task::List::default())), Need::View);
        let revoke = mc_proto::method::agent::RevokeToken { agent: "wren".parse().unwrap() };
        assert_eq!(need(&Request::AgentRevokeToken(revoke)), Need::Act(Role::Admin, Act::Tokens));
    }
}
