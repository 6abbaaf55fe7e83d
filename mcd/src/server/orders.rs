//! Orders to runtimes: requests of the daemon over the connections of adapters.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use mc_core::{agent::AgentName, id::NotificationId};
use mc_proto::{
    error::RpcError,
    method::feed::{Abort, Capability, Deliver},
};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::live::Live;

/// How many orders may wait for one connection.
const WAITING: usize = 64;

/// What a runtime answered: JSON, or its error.
pub(crate) type Reply = Result<Box<str>, RpcError>;

/// One order on its way to a connection.
#[derive(Debug)]
pub(crate) struct Order {
    pub(super) method: &'static str,
    pub(super) params: Box<serde_json::value::RawValue>,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// The connections that take orders, and the notices that are under way on them.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    desks: Mutex<HashMap<u64, mpsc::Sender<Order>>>,
    under_way: Mutex<HashSet<NotificationId>>,
}

impl Orders {
    /// Opens the way to a connection.
    pub(super) fn open(&self, connection: u64) -> Inbox {
        let (sender, orders) = mpsc::channel(WAITING);
        self.desks.lock().unwrap_or_else(PoisonError::into_inner).insert(connection, sender);
        Inbox { orders, next_id: 0, open: Vec::new() }
    }

    /// Closes the way to a connection that ended.
    pub(super) fn close(&self, connection: u64) {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection);
    }

    /// Sends an order; `None` when the connection is gone or does not keep up.
    pub(crate) fn send<P: Serialize>(
        &self,
        connection: u64,
        method: &'static str,
        params: &P,
    ) -> Option<oneshot::Receiver<Reply>> {
        let params = serde_json::value::to_raw_value(params).ok()?;
        let (reply, answer) = oneshot::channel();
        let desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        desks.get(&connection)?.try_send(Order { method, params, reply }).ok()?;
        Some(answer)
    }

    /// Orders every runtime of `agent` that can to end one session of it, or all.
    pub(crate) fn abort(
        &self,
        live: &Live,
        (agent, session): (&AgentName, Option<&str>),
        reason: &str,
    ) -> Vec<Sent> {
        let session = session.map(str::to_owned);
        let order = Abort { agent: agent.clone(), session, reason: reason.to_owned() };
        let able = live.runtimes_of(agent).into_iter();
        let able = able.filter(|runtime| runtime.capabilities.contains(&Capability::Abort));
        able.filter_map(|runtime| {
            let answer = self.send(runtime.connection, "runtime.abort", &order)?;
            Some(Sent { agent: agent.clone(), runtime: runtime.name, answer })
        })
        .collect()
    }

    /// Takes a notice to bring it; `None` while it is under way.
    pub(crate) fn claim(&self, id: NotificationId) -> Option<Claim<'_>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.insert(id).then(|| Claim { orders: self, id })
    }

    /// Orders a runtime of the agent to bring it a text; `None` when no runtime can.
    pub(crate) fn deliver(&self, live: &Live, order: &Deliver) -> Option<Sent> {
        let able = live.runtimes_of(&order.agent).into_iter();
        let mut able = able.filter(|runtime| runtime.capabilities.contains(&Capability::Deliver));
        able.find_map(|runtime| {
            let answer = self.send(runtime.connection, "runtime.deliver", order)?;
            Some(Sent { agent: order.agent.clone(), runtime: runtime.name, answer })
        })
    }
}

/// One notice under way: nobody else brings it while this lives.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    orders: &'a Orders,
    id: NotificationId,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.orders.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// An order that was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The agent that it concerns.
    pub(crate) agent: AgentName,
    /// The runtime that was told.
    pub(crate) runtime: String,
    /// Its answer, once it comes.
    pub(crate) answer: oneshot::Receiver<Reply>,
}

/// The orders to one connection.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) orders: mpsc::Receiver<Order>,
    next_id: i64,
    open: Vec<(i64, oneshot::Sender<Reply>)>,
}

impl Inbox {
    /// Returns the order as a frame and remembers who waits for its answer.
    pub(super) fn frame(&mut self, order: Order) -> Option<String> {
        self.next_id += 1;
        let line = mc_proto::frame::request(self.next_id, order.method, &order.params).ok()?;
        self.open.retain(|(_, reply)| !reply.is_closed());
        self.open.push((self.next_id, order.reply));
        Some(line)
    }

    /// Hands a runtime's answer to who waits for it; says whether anybody did.
    pub(super) fn answer(&mut self, id: i64, reply: Reply) -> bool {
        let Some(at) = self.open.iter().position(|(open, _)| *open == id) else { return false };
        // Who no longer waits does not need the answer.
        self.open.swap_remove(at).1.send(reply).ok();
        true
    }
}
