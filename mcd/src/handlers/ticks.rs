//! What time brings: expiries, the end of drains, silence. Compares what is with what should be,
//! so that twice is the same as once.

use std::time::Duration;

use mc_core::{
    agent::AgentStatus,
    alert::{AlertKind, Severity},
    approval::{Approval, ApprovalStatus},
};

use super::{
    approval, assigning, delivery, life,
    notify::{self, Warning},
    reminding, schedule, spawn, stop, unsettled,
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// How long answers to idempotency keys are kept.
const ANSWERS_KEPT: Duration = Duration::from_hours(48);
/// How often they are looked through: about once in this many milliseconds.
const ANSWERS_EVERY_MS: i64 = 3_600_000;

/// How much is kept of what calls were judged by, in bytes.
const INPUTS_BYTES: i64 = 256 * 1024 * 1024;
/// How often what is over that is forgotten, and when agents were heard of is kept.
const EVERY_MINUTE_MS: i64 = 60_000;

/// Brings everything up to the present.
pub(super) fn tick(desk: &mut Desk<'_>) -> Result<(), Fail> {
    for approval in queries::overdue_approvals(desk.db, desk.now)? {
        expire(desk, &approval, "nobody answered in time")?;
    }
    reminding::remind(desk)?;
    let agents = queries::agents(desk.db, false)?;
    for agent in &agents {
        if agent.status == AgentStatus::Drained && agent.current_task.is_none() {
            let change = (&[AgentStatus::Drained][..], AgentStatus::Paused);
            let why: String =
                agent.status_reason.as_deref().unwrap_or("drained").chars().take(200).collect();
            stop::change(desk, &agent.name, change, &format!("{why}: its task is finished"))?;
        }
    }
    spawn::end_overdue(desk, &agents)?;
    life::watch(desk, &agents)?;
    unsettled::watch(desk)?;
    schedule::tick(desk)?;
    assigning::tick(desk)?;
    delivery::tick(desk)?;
    if desk.now.0 % ANSWERS_EVERY_MS < 1000 {
        let kept = i64::try_from(ANSWERS_KEPT.as_millis()).unwrap_or(i64::MAX);
        desk.forget_answers(mc_core::time::Timestamp(desk.now.0 - kept))?;
    }
    if desk.now.0 % EVERY_MINUTE_MS < 1000 {
        desk.forget_inputs(INPUTS_BYTES)?;
        desk.keep_heard()?;
    }
    Ok(())
}

/// Ends every approval that is open.
pub(super) fn expire_all(desk: &mut Desk<'_>, why: &str) -> Result<(), Fail> {
    for approval in queries::open_approvals(desk.db, None)? {
        expire(desk, &approval, why)?;
    }
    Ok(())
}

fn expire(desk: &mut Desk<'_>, open: &Approval, why: &str) -> Result<(), Fail> {
    approval::close(desk, open, ApprovalStatus::Expired, Some(why.to_owned()))?;
    let closed = queries::approval(desk.db, open.id)?;
    approval::ended(desk, &closed)?;
    let warning = Warning {
        severity: Severity::Warning,
        kind: AlertKind::ApprovalExpired,
        text: format!("{} expired unanswered: {}", open.id, open.summary),
        next: "unblock its task when the agent should ask again",
        task: open.task,
        agent: Some(open.agent.clone()),
    };
    notify::warn(desk, warning)?;
    Ok(())
}
