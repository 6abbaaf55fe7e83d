//! Follows what was committed: feeds hear of it, waits end, runtimes get their orders, and every
//! notice to an agent with a runtime is delivered.

use std::{sync::Arc, time::Duration};

use mc_core::{
    actor::Actor,
    agent::{AgentName, AgentStatus},
    event::{AdapterEnrolled, Event, RuntimeAttached},
    squad::SquadStatus,
};
use mc_proto::method::{
    Request,
    agent::{self, AgentView},
    feed::Aborted,
};
use tokio::{sync::broadcast::error::RecvError, time::timeout};

use super::{Setting, notices};
use crate::{
    caller::Caller,
    server::{Server, orders::Sent},
    store::Committed,
};

/// How long a runtime may take to carry an order out.
pub(super) const ORDER_TIME: Duration = Duration::from_secs(30);

/// Follows the store; ends with it.
pub(super) async fn run(setting: &Setting) {
    let server = &setting.server;
    let mut batches = server.store.follow();
    loop {
        match batches.recv().await {
            Ok(batch) => {
                for committed in batch.iter() {
                    act(server, committed);
                }
                server.feeds.publish(&batch);
            }
            Err(RecvError::Lagged(_)) => catch_up(server),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Does what is right whatever was missed.
fn catch_up(server: &Arc<Server>) {
    tracing::warn!("too much happened at once: feeds go on from the newest event");
    server.feeds.lag();
    server.waits.end_all();
    catch_up_all(server);
}

/// Brings every agent with a runtime to where it should be, such as when the squad works again.
pub(crate) fn catch_up_all(server: &Arc<Server>) {
    for runtime in server.live().attached() {
        attached(server, &runtime.agents);
    }
}

/// Carries out what one event asks for.
#[expect(clippy::wildcard_enum_match_arm, reason = "nobody outside waits for the rest")]
fn act(server: &Arc<Server>, committed: &Committed) {
    let reason = || committed.recorded.reason.clone().unwrap_or_default();
    match &committed.recorded.event {
        Event::ApprovalClosed { approval, .. } => server.waits.end(*approval),
        Event::TokenRevoked { name } | Event::AdapterEnrolled(AdapterEnrolled { name, .. }) => {
            server.feeds.cut(name);
        }
        Event::AgentStatusChanged { agent, to, .. } if stands(*to) => {
            abort(server, (agent, None), &reason());
        }
        Event::BudgetBreached { breach } => {
            abort(server, (&breach.agent, Some(breach.session.as_str())), &breach.text);
        }
        // Whom an emergency stop told is followed by the stop itself.
        Event::SquadStatusChanged { to: SquadStatus::Paused, .. } => {
            for runtime in server.live().attached() {
                for agent in &runtime.agents {
                    abort(server, (agent, None), &reason());
                }
            }
        }
        Event::SquadStatusChanged {
            from: SquadStatus::Paused, to: SquadStatus::Running, ..
        } => {
            catch_up_all(server);
        }
        Event::NotificationQueued { notification } => notices::deliver(server, notification),
        Event::RuntimeAttached(RuntimeAttached { agents, .. }) => attached(server, agents),
        _ => {}
    }
}

const fn stands(status: AgentStatus) -> bool {
    match status {
        AgentStatus::Paused | AgentStatus::Quarantined | AgentStatus::Stopped => true,
        AgentStatus::Active | AgentStatus::Drained => false,
    }
}

/// Orders one session of an agent ended, or all, and logs what did not work.
fn abort(server: &Arc<Server>, whose: (&AgentName, Option<&str>), reason: &str) {
    for sent in server.orders.abort(server.live(), whose, reason) {
        tokio::spawn(log_abort(sent));
    }
}

async fn log_abort(sent: Sent) {
    let Sent { agent, runtime, answer } = sent;
    let ended = match timeout(ORDER_TIME, answer).await {
        Ok(Ok(Ok(json))) => serde_json::from_str::<Aborted>(&json).is_ok_and(|done| done.ended),
        Ok(Ok(Err(_)) | Err(_)) | Err(_) => false,
    };
    if ended {
        tracing::info!(%agent, runtime, "its sessions were ended");
    } else {
        tracing::error!(%agent, runtime, "the runtime did not end its sessions");
    }
}

/// Brings agents whose runtime has just come to where they should be.
fn attached(server: &Arc<Server>, agents: &[AgentName]) {
    for name in agents {
        let get = Request::AgentGet(agent::Get { agent: name.clone() });
        let view = server.store.query(&speaking_as(name), &get).ok();
        let view = view.and_then(|json| serde_json::from_str::<AgentView>(&json).ok());
        let stands = view.is_none_or(|view| stands(view.agent.status));
        if stands || server.live().halt.is_set() {
            abort(server, (name, None), "the agent does not work at the moment");
        }
        notices::deliver_all(server, name);
    }
}

fn speaking_as(agent: &AgentName) -> Caller {
    Caller {
        actor: Actor::agent(agent.to_string()),
        role: None,
        agent: Some(agent.clone()),
        adapter: None,
        connection: 0,
        factor: crate::caller::Factor::None,
        home: None,
    }
}
