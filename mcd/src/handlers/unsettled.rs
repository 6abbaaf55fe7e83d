//! What is reserved and will not be settled by itself: an alert for each, once, that ends when it is
//! settled, given back or corrected.

use mc_core::{
    alert::{AlertKind, AlertStatus, Severity},
    budget::Reservation,
    event::Event,
    run::{Run, RunStatus},
    time::Timestamp,
};

use super::{
    life,
    notify::{self, Warning},
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// How many old promises are looked at in one go.
const LOOKED_AT: i64 = 500;

/// Raises an alert about every promise whose run is over, or whose agent is not heard of, for longer
/// than the policy waits.
pub(super) fn watch(desk: &mut Desk<'_>) -> Result<(), Fail> {
    let after = desk.policy.doc().budgets.unsettled.duration();
    let ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp(desk.now.0.saturating_sub(ms));
    for (promise, run) in queries::old_reservations(desk.db, before, LOOKED_AT)? {
        let (since, why) = abandoned(desk, &promise, run.as_ref())?;
        if since <= before && !promise.open.is_zero() {
            raise(desk, &promise, &why)?;
        }
    }
    Ok(())
}

/// Returns since when nobody is there to settle a promise, and why.
fn abandoned(
    desk: &Desk<'_>,
    promise: &Reservation,
    run: Option<&Run>,
) -> Result<(Timestamp, String), Fail> {
    let whose = &promise.payer.agent;
    let Some(run) = run else {
        return Ok((promise.at, format!("{whose} has reported no end of it")));
    };
    if let Some(ended) = run.ended_at.filter(|_| run.status != RunStatus::Running) {
        let why = format!("{} of {whose} is over and has not reported it", run.id);
        return Ok((ended.max(promise.at), why));
    }
    let heard = life::quiet_since(desk, &queries::agent(desk.db, whose)?);
    let why = format!("{} goes on, but {whose} is not heard of", run.id);
    Ok((heard.max(promise.at), why))
}

fn raise(desk: &mut Desk<'_>, promise: &Reservation, why: &str) -> Result<(), Fail> {
    let open = promise.open;
    let held = match (open.uusd.0, open.tokens) {
        (0, tokens) => format!("{tokens} tokens"),
        _ => open.uusd.to_string(),
    };
    let warning = Warning {
        severity: Severity::Warning,
        kind: AlertKind::Budget,
        text: format!("{}: {held} stay reserved: {why}", promise.id),
        next: "",
        task: promise.payer.task,
        agent: Some(promise.payer.agent.clone()),
    };
    let mut alert = notify::alert(desk, warning);
    alert.reservation = Some(promise.id);
    alert.next = Some(format!(
        "look up what was spent, then correct it: \
         `mcctl budget release {} --spent DOLLARS --reason ...`",
        promise.id
    ));
    let event = Event::AlertRaised { alert: Box::new(alert) };
    desk.emit_as(mc_core::actor::Actor::system("budgets"), None, event)?;
    Ok(())
}

/// Ends the alert about a promise that no longer counts.
pub(super) fn is_over(desk: &mut Desk<'_>, promise: &Reservation, why: &str) -> Result<(), Fail> {
    let Some(alert) = promise.alert else { return Ok(()) };
    let alert = queries::alert(desk.db, alert)?;
    if alert.status == AlertStatus::Resolved {
        return Ok(());
    }
    life::resolve(desk, &alert, why)
}
