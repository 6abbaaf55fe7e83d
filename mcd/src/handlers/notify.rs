//! Notices to agents and operators, and alerts: how they come into being.

use mc_core::{
    actor::Actor,
    agent::AgentName,
    alert::{Alert, AlertKind, AlertStatus, Notification, NotificationKind, Severity},
    approval::Approval,
    event::Event,
    id::{AlertId, NotificationId, TaskId},
    task::Task,
};

use crate::store::{Desk, StoreError, queries};

/// A notice before it has a number.
pub(super) struct Notice<'a> {
    pub(super) to: &'a str,
    pub(super) kind: NotificationKind,
    pub(super) text: String,
    pub(super) task: Option<TaskId>,
}

/// Queues a notice.
pub(super) fn send(desk: &mut Desk<'_>, notice: Notice<'_>) -> Result<(), StoreError> {
    let id = desk.next_notification();
    queue(desk, blank(id, notice, desk.now))
}

fn blank(id: NotificationId, notice: Notice<'_>, at: mc_core::time::Timestamp) -> Notification {
    Notification {
        id,
        to: notice.to.to_owned(),
        kind: notice.kind,
        text: notice.text,
        task: notice.task,
        approval: None,
        session: None,
        at,
        acked_at: None,
    }
}

fn queue(desk: &mut Desk<'_>, notification: Notification) -> Result<(), StoreError> {
    let event = Event::NotificationQueued { notification: Box::new(notification) };
    desk.emit_as(Actor::system("notices"), None, event).map(drop)
}

/// Tells an agent how its approval was decided, and wakes the session that waited.
pub(super) fn decided(
    desk: &mut Desk<'_>,
    approval: &Approval,
    text: String,
) -> Result<(), StoreError> {
    let id = desk.next_notification();
    let notice = Notice {
        to: &approval.agent,
        kind: NotificationKind::ApprovalDecided,
        text,
        task: approval.task,
    };
    let mut notification = blank(id, notice, desk.now);
    notification.approval = Some(approval.id);
    notification.session.clone_from(&approval.session);
    queue(desk, notification)
}

/// Tells the new assignees of a task that it is theirs.
pub(super) fn assigned(
    desk: &mut Desk<'_>,
    task: &Task,
    names: &[AgentName],
) -> Result<(), StoreError> {
    for name in names {
        if desk.caller.agent.as_ref() == Some(name) {
            continue;
        }
        let text = format!("{} is yours: {}. Plan it, then start it.", task.id, task.title);
        let kind = NotificationKind::Assignment;
        send(desk, Notice { to: name, kind, text, task: Some(task.id) })?;
    }
    Ok(())
}

/// An alert before it has a number.
pub(super) struct Warning {
    pub(super) severity: Severity,
    pub(super) kind: AlertKind,
    pub(super) text: String,
    pub(super) next: &'static str,
    pub(super) task: Option<TaskId>,
    pub(super) agent: Option<AgentName>,
}

/// Raises an alert, unless one of its kind about the same agent and task is open. Returns its
/// number when it is new.
pub(super) fn warn(desk: &mut Desk<'_>, warning: Warning) -> Result<Option<AlertId>, StoreError> {
    let Warning { kind, task, agent, .. } = &warning;
    if queries::open_alert(desk.db, *kind, agent.as_deref(), *task)?.is_some() {
        return Ok(None);
    }
    raise(desk, warning).map(Some)
}

/// Raises an alert, whatever is open.
pub(super) fn raise(desk: &mut Desk<'_>, warning: Warning) -> Result<AlertId, StoreError> {
    let Warning { severity, kind, text, next, task, agent } = warning;
    let id = desk.next_alert();
    let alert = Alert {
        id,
        severity,
        kind,
        text,
        next: Some(next.to_owned()),
        task,
        agent,
        approval: None,
        status: AlertStatus::Open,
        by: None,
        note: None,
        at: desk.now,
        updated_at: desk.now,
    };
    let event = Event::AlertRaised { alert: Box::new(alert) };
    desk.emit_as(Actor::system("alerts"), None, event)?;
    Ok(id)
}
