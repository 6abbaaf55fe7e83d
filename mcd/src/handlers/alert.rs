//! Alerts and notifications, answered by people and agents.

use mc_core::{
    alert::{Alert, AlertStatus, Notification},
    event::Event,
    id::AlertId,
    refusal::Refusal,
};
use mc_proto::{
    limits::SHORT_BYTES,
    method::squad::{AlertAck, AlertResolve, NotificationAck},
};

use super::input;
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// `alert.ack`
///
/// # Errors
///
/// `not_found`, `conflict` when it is resolved.
pub fn acknowledge(desk: &mut Desk<'_>, params: AlertAck) -> Result<Alert, Fail> {
    change(desk, params.alert, AlertStatus::Acknowledged, params.note)
}

/// `alert.resolve`
///
/// # Errors
///
/// `not_found`, `conflict` when it is resolved.
pub fn resolve(desk: &mut Desk<'_>, params: AlertResolve) -> Result<Alert, Fail> {
    change(desk, params.alert, AlertStatus::Resolved, params.note)
}

fn change(
    desk: &mut Desk<'_>,
    id: AlertId,
    status: AlertStatus,
    note: Option<String>,
) -> Result<Alert, Fail> {
    let alert = queries::alert(desk.db, id)?;
    if alert.status == AlertStatus::Resolved || alert.status == status {
        let by = alert.by.as_deref().unwrap_or("somebody");
        return Err(Refusal::conflict(format!("{id} was answered already, by {by}")).into());
    }
    let note = note.map(|text| input::optional("note", &text, SHORT_BYTES)).transpose()?;
    desk.emit(Event::AlertChanged { alert: id, task: alert.task, status, note })?;
    queries::alert(desk.db, id)
}

/// `notification.ack`
///
/// # Errors
///
/// `not_found`, `forbidden` for somebody else's.
pub fn notification_ack(
    desk: &mut Desk<'_>,
    params: &NotificationAck,
) -> Result<Notification, Fail> {
    let notification = queries::notification(desk.db, params.notification)?;
    let own = desk.caller.agent.as_ref().is_some_and(|agent| agent.as_str() == notification.to);
    let humans = desk.caller.is_human()
        && (notification.to == "operator" || notification.to == desk.caller.actor.name);
    if !own && !humans {
        let text = format!("{} is addressed to {}", notification.id, notification.to);
        return Err(Refusal::forbidden(text).into());
    }
    if notification.acked_at.is_none() {
        desk.emit(Event::NotificationAcked { notification: notification.id })?;
    }
    queries::notification(desk.db, notification.id)
}
