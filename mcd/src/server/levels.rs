//! What a human act takes: a role, and the assurance level that the policy asks for it.

use mc_core::{
    actor::{Level, Role},
    approval::ApprovalKind,
    id::{ApprovalId, TaskId},
    policy::{Act, Risk},
    task::TaskState,
};
use mc_proto::{
    error::{ErrorKind, RpcError},
    method::{Need, Request, approval, task},
};
use serde::Deserialize;

use super::factor;
use crate::{
    caller::{Caller, Factor},
    live::Live,
    store::Store,
};

/// Lets an operator pass, or says what is missing.
///
/// # Errors
///
/// `forbidden` that names the role or level needed; what looking the thing up refuses.
pub(super) fn check(store: &Store, caller: &Caller, request: &Request) -> Result<(), RpcError> {
    let live = store.live();
    let Some(Need { role, acts }) = request.info().need else { return Ok(()) };
    let has = caller.role.unwrap_or_default();
    if has < role {
        let text = format!("this needs the role {}, yours is {}", word(role), word(has));
        return Err(RpcError::new(ErrorKind::Forbidden, text));
    }
    let act = match acts {
        [act] => *act,
        _ => found(store, caller, request)?.filter(|act| acts.contains(act)).unwrap_or(STRICTEST),
    };
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

/// What is taken for an act that is not in its method's row.
const STRICTEST: Act = Act::Operators;

/// Returns which of the acts in its row a request is.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others have one act, in their row")]
fn found(store: &Store, caller: &Caller, request: &Request) -> Result<Option<Act>, RpcError> {
    use Request as R;
    let act = match request {
        R::TaskTransition(p) => moving(store, caller, (p.task, p.to))?,
        R::TaskAssign(p) => moving(store, caller, (p.task, TaskState::Assigned))?,
        R::TaskStart(p) => moving(store, caller, (p.task, TaskState::InProgress))?,
        R::TaskUpdate(p) if p.budget_uusd.is_some() => Act::Budget,
        R::TaskUpdate(_) => Act::Assign,
        R::ApprovalApprove(p) if p.remember.is_some() => Act::Remember,
        R::ApprovalApprove(p) => yes_to(store, caller, p.approval)?,
        R::ApprovalDecide(p) => match p.decision {
            // The desk refuses red ones by themselves.
            approval::Verdict::Approve => Act::ApproveYellow,
            approval::Verdict::Deny => Act::Deny,
        },
        _ => return Ok(None),
    };
    Ok(Some(act))
}

/// Returns the act of moving a task, by where it goes and where it is.
fn moving(
    store: &Store,
    caller: &Caller,
    (task, to): (TaskId, TaskState),
) -> Result<Act, RpcError> {
    Ok(match to {
        TaskState::Done => Act::Complete,
        TaskState::Canceled => Act::Cancel,
        TaskState::Inbox
        | TaskState::Assigned
        | TaskState::InProgress
        | TaskState::Review
        | TaskState::NeedsApproval
        | TaskState::Blocked => {
            if is_blocked(store, caller, task)? {
                Act::Unblock
            } else {
                Act::Assign
            }
        }
    })
}

/// What to do where a second factor is missing.
const FACTOR: &str = "this needs your second factor: open a challenge for it with `session.challenge`, and give the code or the signature";

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

/// Returns the act that a yes is: more money is a budget's, all else goes by its risk.
fn yes_to(store: &Store, caller: &Caller, approval: ApprovalId) -> Result<Act, RpcError> {
    #[derive(Deserialize)]
    struct Seen {
        risk: Risk,
        kind: ApprovalKind,
    }
    let seen: Seen = look(store, caller, &Request::ApprovalGet(approval::Get { approval }))?;
    let is_money = seen.kind == ApprovalKind::BudgetOverride;
    Ok(if is_money { Act::Budget } else { Act::approve(seen.risk) })
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
    use crate::{clock::SystemClock, halt::Halt, live::Setup};

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
        let list = Request::TaskList(task::List::default());
        assert_eq!(list.info().need, None);
        let revoke = mc_proto::method::agent::RevokeToken { agent: "wren".parse().unwrap() };
        let need = Request::AgentRevokeToken(revoke).info().need.unwrap();
        assert_eq!((need.role, need.acts), (Role::Admin, &[Act::Tokens][..]));
    }
}
