//! Approvals that wait long: a second notice, then an alert, once each; the record keeps both.

use mc_core::{
    actor::Actor,
    alert::{Alert, AlertKind, AlertStatus, NotificationKind, Severity},
    approval::{Approval, ApprovalStatus, Reminder},
    delivery,
    event::{ApprovalReminded, Event},
    policy::Risk,
};

use super::notify::{self, ToPeople};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// Reminds of what waits too long, and ends the alerts about what waits no more.
pub(super) fn remind(desk: &mut Desk<'_>) -> Result<(), Fail> {
    for approval in queries::due_reminders(desk.db, desk.now)? {
        remind_of(desk, &approval)?;
    }
    for alert in queries::open_alerts(desk.db, AlertKind::ApprovalWaiting)? {
        let Some(id) = alert.approval else { continue };
        let approval = queries::approval(desk.db, id)?;
        if approval.status == ApprovalStatus::Pending {
            continue;
        }
        let event = Event::AlertChanged {
            alert: alert.id,
            task: alert.task,
            status: AlertStatus::Resolved,
            note: Some(format!("{id} is {}", approval.status.as_str())),
        };
        desk.emit_as(Actor::system("approvals"), None, event)?;
    }
    Ok(())
}

/// Where both are due, after a time without the daemon, the last call alone is made.
fn remind_of(desk: &mut Desk<'_>, approval: &Approval) -> Result<(), Fail> {
    let last = approval.after_percent(desk.policy.doc().approvals.last_call_percent);
    let is_last = approval.reminded.is_some() || desk.now >= last;
    let (reminder, next_at) =
        if is_last { (Reminder::LastCall, None) } else { (Reminder::HalfTime, Some(last)) };
    let event = Event::ApprovalReminded(ApprovalReminded {
        approval: approval.id,
        agent: approval.agent.clone(),
        task: approval.task,
        reminder,
        next_at,
    });
    desk.emit_as(Actor::system("approvals"), None, event)?;
    let left = span(approval.expires_at.since(desk.now).as_secs());
    match reminder {
        Reminder::HalfTime => notice(desk, approval, &left),
        Reminder::LastCall => {
            let event = alert(desk, approval, &left);
            desk.emit_as(Actor::system("approvals"), None, event)?;
            Ok(())
        }
    }
}

fn notice(desk: &mut Desk<'_>, approval: &Approval, left: &str) -> Result<(), Fail> {
    let told = ToPeople {
        kind: NotificationKind::ApprovalRequested,
        severity: delivery::severity_of(approval.risk),
        text: format!("{} still waits, {left} left: {}", approval.id, approval.summary),
        headline: format!("{} still waits, {left} left", approval.id),
        task: approval.task,
        approval: Some(approval.id),
    };
    notify::people(desk, told)?;
    Ok(())
}

fn alert(desk: &mut Desk<'_>, approval: &Approval, left: &str) -> Event {
    let alert = Alert {
        id: desk.next_alert(),
        severity: match approval.risk {
            Risk::Red => Severity::Critical,
            Risk::Yellow => Severity::Warning,
            Risk::Green => Severity::Info,
        },
        kind: AlertKind::ApprovalWaiting,
        text: format!("{} expires unanswered in {left}: {}", approval.id, approval.summary),
        next: Some(format!("decide it: `mcctl approval show {}`", approval.id)),
        task: approval.task,
        agent: Some(approval.agent.clone()),
        approval: Some(approval.id),
        reservation: None,
        budget: None,
        repeated: 0,
        status: AlertStatus::Open,
        by: None,
        note: None,
        at: desk.now,
        updated_at: desk.now,
    };
    Event::AlertRaised { alert: Box::new(alert) }
}

/// Returns a rest of time in words: `11 h`, `4 min`, `20 s`.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
