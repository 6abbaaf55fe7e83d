//! Brings agents' notices to their runtimes, each once: a second try begins only when no other is
//! under way and the record still says that the agent has not had it.

use std::{sync::Arc, time::Duration};

use mc_core::{agent::AgentName, alert::Notification, id::NotificationId};
use mc_proto::method::feed::Deliver;
use tokio::time::{sleep, timeout};

use super::runtimes::ORDER_TIME;
use crate::{
    caller::{SystemCommand, Work},
    server::{Server, emergency},
};

/// The pauses before a notice is delivered again; then the next attach delivers it.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(15), Duration::from_mins(1)];

/// Delivers what an agent has not had, oldest first.
pub(super) fn deliver_all(server: &Arc<Server>, agent: &AgentName) {
    // What can't be read now is still there at the next attach and for the heartbeat.
    for notification in server.store.unread(agent).unwrap_or_default() {
        deliver(server, &notification);
    }
}

/// Delivers a notice, again after a failure; the runtime knows it by its number.
pub(super) fn deliver(server: &Arc<Server>, notification: &Notification) {
    let Ok(agent) = notification.to.parse::<AgentName>() else { return };
    // A turn that can't begin would swallow it: it waits until the squad works again.
    if server.live().runtimes_of(&agent).is_empty() || !emergency::works(server) {
        return;
    }
    let order = Deliver {
        agent,
        session: notification.session.clone(),
        text: notification.text.clone(),
        id: notification.id.to_string(),
    };
    let (server, id) = (Arc::clone(server), notification.id);
    tokio::spawn(async move {
        for pause in PAUSES {
            if attempt(&server, id, &order).await != Ended::Failed {
                return;
            }
            sleep(pause).await;
        }
    });
}

/// How one try ended.
#[derive(PartialEq, Eq)]
enum Ended {
    /// The agent has it, somebody else is at it, or nobody can bring it now.
    Over,
    /// The runtime did not take it.
    Failed,
}

async fn attempt(server: &Server, id: NotificationId, order: &Deliver) -> Ended {
    let Some(_claim) = server.orders.claim(id) else { return Ended::Over };
    // Only after the claim: a try that ended before it is in the record by now.
    let Ok(is_unread) = server.store.is_unread(id) else { return Ended::Failed };
    if !is_unread || !emergency::works(server) {
        return Ended::Over;
    }
    let Some(sent) = server.orders.deliver(server.live(), order) else { return Ended::Over };
    if !matches!(timeout(ORDER_TIME, sent.answer).await, Ok(Ok(Ok(_)))) {
        tracing::warn!(%id, agent = %order.agent, runtime = sent.runtime, "not delivered");
        return Ended::Failed;
    }
    // Without the record it is delivered again, under the same number.
    if let Ok(recorded) =
        server.store.submit(Work::System(SystemCommand::Delivered { notification: id }))
    {
        recorded.await.ok();
    }
    Ended::Over
}
