//! The acts that must not wait for the writer, and those that wait for a human.

use std::{sync::Arc, time::Duration};

use mc_core::{
    approval::{Approval, ApprovalStatus},
    id::{ApprovalId, CallId},
    policy::{Facts, Outcome as Decision, Risk, Wanted},
};
use mc_proto::{
    error::{ErrorKind, RpcError},
    method::{
        Request, approval,
        run::{Await, Awaited, Check, Checked, Confirm, Confirmed},
    },
};
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};

use super::{
    Server, disk,
    dispatch::{CHECK_TIME, Done, Outcome, json},
    levels::look,
};
use crate::{
    caller::{Caller, Work},
    live::Live,
    store::{Answer, ended},
};

/// How long one request waits for a human at most.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How often the disk is asked about a call that was approved.
const LOOKS: usize = 4;

/// Returns the refusal while the emergency stop is in force.
pub(super) fn halted() -> RpcError {
    RpcError::new(
        ErrorKind::Halted,
        "the emergency stop is in force: nothing starts until an admin resumes",
    )
}

/// Returns the denial of a check that was not recorded.
fn denial(rule: &str, reason: &str) -> Checked {
    Checked {
        call: CallId(0),
        decision: Decision::Deny,
        risk: Risk::Red,
        rule: rule.to_owned(),
        reason: reason.to_owned(),
        approval: None,
        arguments: None,
        hold_until: None,
        lease_expires_at: None,
    }
}

/// Returns what a check gets when the writer does not answer in time.
pub(super) fn late() -> Answer {
    json(&denial("daemon.late", "the daemon did not decide in time: ask again"))
}

/// What is answered in the place of a yes that came too late.
pub(super) type No = fn() -> Answer;

/// Takes a yes back that was decided before a stop and is answered after it; one that goes out is
/// the last so far.
pub(super) fn told(live: &Live, answer: Answer, no: No) -> Answer {
    match (answer.as_deref().is_ok_and(is_yes), live.halt.is_set()) {
        (false, _) => answer,
        (true, true) => no(),
        (true, false) => {
            live.note_allow();
            answer
        }
    }
}

/// Says whether an answer lets something through; what carries no decision is a grant.
fn is_yes(json: &str) -> bool {
    !json.contains(r#""decision":"#) || json.contains(r#""decision":"allow""#)
}

pub(super) fn stopped() -> Answer {
    json(&denial("squad.halted", "the emergency stop is in force"))
}

/// `run.start` and `run.reserve`: what was granted before a stop is not told after it. A promise of
/// money that nobody heard of is given back with the end of its run.
pub(super) fn grant(
    server: &Server,
    caller: Caller,
    request: Request,
    key: Option<String>,
) -> Outcome {
    if server.live().halt.is_set() {
        return Outcome::Now(Err(halted()));
    }
    match server.store.submit(work(caller, (request, key), Facts::default())) {
        Ok(answer) => Outcome::Grant(answer),
        Err(error) => Outcome::Now(Err(error)),
    }
}

/// `tool.check`
pub(super) fn check(
    server: &Arc<Server>,
    caller: Caller,
    (mut params, key): (Check, Option<String>),
    long: Option<Box<str>>,
) -> Outcome {
    if server.live().halt.is_set() {
        return Outcome::Now(stopped());
    }
    if let Some(raw) = long {
        return check_long(server, caller, (params, key), raw);
    }
    let wait = Duration::from_millis(std::mem::take(&mut params.wait_ms)).min(LONGEST_WAIT);
    let wanted = disk::wanted(server, &caller, &params);
    let waiting = caller.clone();
    // What a runtime can rewrite may take a second step.
    let is_quick = wanted.is_empty() && wait.is_zero() && !params.can_rewrite;
    let make = |facts| work(caller, (Request::ToolCheck(params), key), facts);
    if is_quick {
        return match server.store.submit(make(Facts::default())) {
            Ok(answer) => Outcome::Check(answer),
            Err(error) => Outcome::Now(Err(error)),
        };
    }
    let server = Arc::clone(server);
    Outcome::Later(Box::pin(async move {
        let facts = look_up(&server, wanted).await;
        match server.store.submit(make(facts)) {
            Ok(answer) => check_and_wait(&server, waiting, answer, wait).await.into(),
            Err(error) => Done::from(Err(error)),
        }
    }))
}

/// `tool.check` with long arguments: they are read and masked on a thread of the pool, so that only
/// who sends them waits for that.
fn check_long(
    server: &Arc<Server>,
    caller: Caller,
    (mut params, key): (Check, Option<String>),
    raw: Box<str>,
) -> Outcome {
    let server = Arc::clone(server);
    let wait = Duration::from_millis(std::mem::take(&mut params.wait_ms)).min(LONGEST_WAIT);
    Outcome::Later(Box::pin(async move {
        let reader = Arc::clone(&server);
        let read = server.masks.run(move || {
            let wanted = disk::wanted(&reader, &caller, &params);
            (wanted, reader.store.mask(&raw), caller, params)
        });
        let prepared = async {
            let (wanted, masker, caller, params) = read.await?;
            Ok((look_up(&server, wanted).await, masker, caller, params))
        };
        let (facts, masker, caller, params) = match timeout(CHECK_TIME, prepared).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(error)) => return Done::from(Err(error)),
            Err(_) => return late().into(),
        };
        let work = work(caller.clone(), (Request::ToolCheck(params), key), facts);
        match server.store.submit(Work::Masked(masker, Box::new(work))) {
            Ok(answer) => check_and_wait(&server, caller, answer, wait).await.into(),
            Err(error) => Done::from(Err(error)),
        }
    }))
}

fn work(caller: Caller, (request, key): (Request, Option<String>), facts: Facts) -> Work {
    Work::Request {
        caller: Box::new(caller),
        request: Box::new(request),
        idempotency_key: key,
        facts: Box::new(facts),
    }
}

async fn look_up(server: &Server, wanted: Wanted) -> Facts {
    if wanted.is_empty() { Facts::default() } else { disk::look_up(server, wanted).await }
}

async fn check_and_wait(
    server: &Arc<Server>,
    caller: Caller,
    answer: oneshot::Receiver<Answer>,
    wait: Duration,
) -> Answer {
    let until = Instant::now() + wait;
    let Ok(first) = timeout(CHECK_TIME, answer).await else { return late() };
    let first = first.unwrap_or_else(|_| Err(ended()))?;
    let Ok(checked) = serde_json::from_str::<Checked>(&first) else { return Ok(first) };
    let (Decision::Ask, Some(approval)) = (checked.decision, checked.approval) else {
        return told(server.live(), Ok(first), stopped);
    };
    // Nothing to hold for: a changed call was approved, and the disk is asked about that one.
    let is_decided = checked.hold_until.is_none();
    let ends = !wait.is_zero() && !is_decided && decided(server, &caller, approval, until).await?;
    if !is_decided && !ends {
        return Ok(first);
    }
    let redeemed = redeem(server, caller, (approval, Some(checked.call))).await?;
    let Ok(awaited) = serde_json::from_str::<Awaited>(&redeemed) else { return Ok(first) };
    let answer = json(&Checked {
        call: awaited.call.unwrap_or(checked.call),
        decision: awaited.decision,
        reason: awaited.reason,
        arguments: awaited.arguments,
        lease_expires_at: awaited.lease_expires_at,
        ..checked
    });
    told(server.live(), answer, stopped)
}

/// `tool.await`
pub(super) fn wait(server: &Arc<Server>, caller: Caller, params: &Await) -> Outcome {
    let Await { approval, call, wait_ms } = *params;
    let wait = Duration::from_millis(wait_ms).min(LONGEST_WAIT);
    let server = Arc::clone(server);
    Outcome::Later(Box::pin(async move {
        let until = Instant::now() + wait;
        match decided(&server, &caller, approval, until).await {
            Ok(_) => {
                let answer = redeem(&server, caller, (approval, call)).await;
                told(server.live(), answer, stopped).into()
            }
            Err(error) => Done::from(Err(error)),
        }
    }))
}

/// `tool.confirm`: whatever is late or fails is no yes.
pub(super) fn confirm(server: &Arc<Server>, caller: Caller, params: Confirm) -> Outcome {
    let server = Arc::clone(server);
    Outcome::Later(Box::pin(async move {
        let work = work(caller, (Request::ToolConfirm(params), None), Facts::default());
        let answer = match server.store.submit(work) {
            Ok(answer) => timeout(CHECK_TIME, answer).await,
            Err(error) => return Done::from(Err(error)),
        };
        let Ok(answer) = answer else {
            return unconfirmed("the daemon did not decide in time").into();
        };
        let answer = answer.unwrap_or_else(|_| Err(ended()));
        told(server.live(), answer, || unconfirmed("the emergency stop is in force")).into()
    }))
}

fn unconfirmed(reason: &str) -> Answer {
    json(&Confirmed { decision: Decision::Deny, call: None, reason: reason.to_owned() })
}

/// Waits until an approval no longer waits for a human; says whether that came in time.
async fn decided(
    server: &Server,
    caller: &Caller,
    approval: ApprovalId,
    until: Instant,
) -> Result<bool, RpcError> {
    #[derive(Deserialize)]
    struct Seen {
        status: ApprovalStatus,
    }
    loop {
        let decision = server.waits.begin(approval);
        let seen: Seen = look(&server.store, caller, &get(approval))?;
        if seen.status != ApprovalStatus::Pending {
            return Ok(true);
        }
        if timeout_at(until, decision).await.is_err() {
            return Ok(false);
        }
    }
}

/// Asks the writer, once, for what the approval gives, with what the disk says by now.
async fn redeem(
    server: &Arc<Server>,
    caller: Caller,
    (approval, call): (ApprovalId, Option<CallId>),
) -> Answer {
    let wanted = wanted_again(server, &caller, (approval, None)).await?;
    let mut facts = look_up(server, wanted.clone()).await;
    // A person has said yes: a busy disk gets more time than a question that was not looked at yet.
    for _ in 1..LOOKS {
        if !facts.is_late {
            break;
        }
        facts = look_up(server, wanted.clone()).await;
    }
    let request = Request::ToolAwait(Await { approval, call, wait_ms: 0 });
    let work = work(caller, (request, None), facts);
    server.store.submit(work)?.await.unwrap_or_else(|_| Err(ended()))
}

/// Returns what the disk must tell about the call of an approval; a long one is read on a thread of
/// the pool, as when it was asked.
async fn wanted_again(
    server: &Arc<Server>,
    caller: &Caller,
    (approval, changed): (ApprovalId, Option<Value>),
) -> Result<Wanted, RpcError> {
    let (server, caller) = (Arc::clone(server), caller.clone());
    let read = move || {
        let asked: Approval = look(&server.store, &caller, &get(approval))?;
        Ok(disk::wanted_again(&server, &caller, (&asked, changed.as_ref())))
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| Err(ended()))
}

/// `approval.edit`: the changed call is judged by what the disk says about it.
pub(super) fn edit(
    server: &Arc<Server>,
    caller: Caller,
    params: approval::Edit,
    key: Option<String>,
) -> Outcome {
    let server = Arc::clone(server);
    Outcome::Later(Box::pin(async move {
        let edited = async {
            let changed = Some(params.arguments.clone());
            let wanted = wanted_again(&server, &caller, (params.approval, changed)).await?;
            let facts = look_up(&server, wanted).await;
            let work = work(caller, (Request::ApprovalEdit(params), key), facts);
            server.store.submit(work)?.await.unwrap_or_else(|_| Err(ended()))
        };
        edited.await.into()
    }))
}

const fn get(approval: ApprovalId) -> Request {
    Request::ApprovalGet(approval::Get { approval })
}

#[cfg(test)]
mod tests {
    use mc_core::money::MicroUsd;
    use mc_proto::method::run::{Reserved, Started};

    use super::*;
    use crate::{clock::SystemClock, halt::Halt, live::Setup};

    fn reserved(decision: Decision) -> Answer {
        json(&Reserved {
            decision,
            reservation: None,
            reserved_uusd: MicroUsd::ZERO,
            remaining_uusd: MicroUsd::ZERO,
            approval: None,
            reason: "it says \"decision\":\"allow\"".to_owned(),
        })
    }

    #[test]
    fn no_yes_of_any_kind_is_told_after_a_stop_and_each_one_before_is_noted() {
        let dir = tempfile::tempdir().unwrap();
        let halt = Halt::open(&dir.path().join("halt"));
        let live = Live::new(Arc::new(SystemClock), halt, Setup::default());
        let refused: No = || Err(halted());
        let started = || {
            json(&Started {
                run: mc_core::id::RunId(1),
                task: None,
                remaining_uusd: MicroUsd::ZERO,
                remaining_tokens: None,
                reserved_uusd: MicroUsd::ZERO,
            })
        };
        let checked = |decision| json(&Checked { decision, ..denial("x", "y") });
        let confirmed = |decision| json(&Confirmed { decision, call: None, reason: String::new() });

        for no in [Decision::Deny, Decision::Ask] {
            for answer in [reserved(no), checked(no), confirmed(no)] {
                assert_eq!(told(&live, answer.clone(), refused), answer);
            }
        }
        assert_eq!(told(&live, Err(ended()), refused), Err(ended()));
        assert_eq!(live.last_allow_ms(), None, "nothing was let through");
        let yes = || {
            let allow = Decision::Allow;
            [started(), reserved(allow), checked(allow), confirmed(allow)]
        };
        for answer in yes() {
            assert_eq!(told(&live, answer.clone(), refused), answer);
        }
        assert!(live.last_allow_ms().is_some());

        live.halt.set("ana: fire").unwrap();
        for answer in yes() {
            assert_eq!(told(&live, answer, refused), Err(halted()));
        }
        assert_eq!(told(&live, reserved(Decision::Deny), refused), reserved(Decision::Deny));
    }
}
