//! Notices to agents and operators, and alerts: how they come into being.

use std::time::Duration;

use mc_core::{
    actor::Actor,
    agent::AgentName,
    alert::{Alert, AlertKind, AlertStatus, Notification, NotificationKind, Severity},
    approval::Approval,
    delivery,
    event::Event,
    id::{AlertId, ApprovalId, NotificationId, TaskId},
    task::Task,
};

use crate::store::{
    Desk, StoreError,
    queries::{self, Fail},
};

/// Within what time the same notice is sent once.
const SAME: Duration = Duration::from_mins(5);
/// How many notices are looked through for the same one.
const SAME_AMONG: i64 = 100;

/// A notice before it has a number.
pub(super) struct Notice<'a> {
    pub(super) to: &'a str,
    pub(super) kind: NotificationKind,
    pub(super) text: String,
    pub(super) task: Option<TaskId>,
}

/// A notice to the people, before it has a number. `headline` is all of it that leaves the machine.
pub(super) struct ToPeople {
    pub(super) kind: NotificationKind,
    pub(super) severity: Severity,
    pub(super) text: String,
    pub(super) headline: String,
    pub(super) task: Option<TaskId>,
    pub(super) approval: Option<ApprovalId>,
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
        severity: Severity::Info,
        text: notice.text,
        headline: None,
        task: notice.task,
        approval: None,
        session: None,
        at,
        acked_at: None,
    }
}

/// Queues a notice to the people; those who are sent it elsewhere get its headline.
pub(super) fn people(desk: &mut Desk<'_>, told: ToPeople) -> Result<(), StoreError> {
    let id = desk.next_notification();
    let notice = Notice { to: "operator", kind: told.kind, text: told.text, task: told.task };
    let mut notification = blank(id, notice, desk.now);
    notification.severity = told.severity;
    notification.headline = Some(told.headline);
    notification.approval = told.approval;
    queue(desk, notification)
}

/// Tells the people of every approval and alert that this command brought, where a sink wants to
/// know: the console has its own lists of them.
pub(crate) fn tell_people(desk: &mut Desk<'_>) -> Result<(), Fail> {
    let mut asked: Vec<Approval> = Vec::new();
    let mut raised: Vec<Alert> = Vec::new();
    for recorded in desk.recorded() {
        if let Event::ApprovalRequested { approval } = &recorded.event {
            asked.push(approval.as_ref().clone());
        } else if let Event::AlertRaised { alert } = &recorded.event {
            raised.push(alert.as_ref().clone());
        }
    }
    if asked.is_empty() && raised.is_empty() {
        return Ok(());
    }
    let sinks = queries::sinks(desk.db)?;
    let wanted = |kind, severity| sinks.iter().any(|one| one.sink.takes(kind, severity));
    for approval in asked {
        let (kind, severity) =
            (NotificationKind::ApprovalRequested, delivery::severity_of(approval.risk));
        if wanted(kind, severity) {
            let title = title(desk, approval.task)?;
            let headline = delivery::of_approval(&approval, title.as_deref());
            let (task, approval) = (approval.task, Some(approval.id));
            let text = headline.clone();
            people(desk, ToPeople { kind, severity, text, headline, task, approval })?;
        }
    }
    for alert in raised {
        let (kind, severity) = (NotificationKind::Alert, alert.severity);
        if wanted(kind, severity) {
            let title = title(desk, alert.task)?;
            let headline = delivery::of_alert(&alert, title.as_deref());
            let (text, task, approval) = (alert.text, alert.task, alert.approval);
            people(desk, ToPeople { kind, severity, text, headline, task, approval })?;
        }
    }
    Ok(())
}

fn title(desk: &Desk<'_>, task: Option<TaskId>) -> Result<Option<String>, Fail> {
    task.map(|id| Ok(queries::task(desk.db, id)?.title)).transpose()
}

/// Queues a notice, unless its receiver was told the same a moment ago.
fn queue(desk: &mut Desk<'_>, notification: Notification) -> Result<(), StoreError> {
    let is_same = |other: &Notification| {
        other.text == notification.text
            && (other.kind, other.task, other.approval)
                == (notification.kind, notification.task, notification.approval)
            && desk.now.since(other.at) < SAME
    };
    let before = queries::newest_notifications(desk.db, &notification.to, SAME_AMONG)?;
    if before.iter().any(is_same) {
        return Ok(());
    }
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

/// Raises an alert, unless one of its kind about the same agent and task is open that is no less
/// severe. Returns its number when it is new.
pub(super) fn warn(desk: &mut Desk<'_>, warning: Warning) -> Result<Option<AlertId>, StoreError> {
    let Warning { severity, kind, task, agent, .. } = &warning;
    let open = queries::open_alert(desk.db, *kind, agent.as_deref(), *task)?;
    if open.is_some_and(|open| open.severity >= *severity) {
        return Ok(None);
    }
    raise(desk, warning).map(Some)
}

/// Raises an alert, unless one of its kind about the same agent and task is open that is as bad.
pub(super) fn worsen(desk: &mut Desk<'_>, warning: Warning) -> Result<(), StoreError> {
    let Warning { kind, task, agent, severity, .. } = &warning;
    let open = queries::open_alert(desk.db, *kind, agent.as_deref(), *task)?;
    if open.is_none_or(|open| open.severity < *severity) {
        raise(desk, warning)?;
    }
    Ok(())
}

/// Raises an alert, whatever is open.
pub(super) fn raise(desk: &mut Desk<'_>, warning: Warning) -> Result<AlertId, StoreError> {
    let alert = alert(desk, warning);
    let id = alert.id;
    let event = Event::AlertRaised { alert: Box::new(alert) };
    desk.emit_as(Actor::system("alerts"), None, event)?;
    Ok(id)
}

/// Returns the alert that a warning becomes.
pub(super) fn alert(desk: &mut Desk<'_>, warning: Warning) -> Alert {
    let Warning { severity, kind, text, next, task, agent } = warning;
    let id = desk.next_alert();
    // Advice can be followed as it is written: a general one says `NAME` for the agent.
    let next = match &agent {
        Some(agent) => next.replace("NAME", agent),
        None => next.to_owned(),
    };
    Alert {
        id,
        severity,
        kind,
        text,
        next: Some(next),
        task,
        agent,
        approval: None,
        reservation: None,
        budget: None,
        repeated: 0,
        status: AlertStatus::Open,
        by: None,
        note: None,
        at: desk.now,
        updated_at: desk.now,
    }
}
