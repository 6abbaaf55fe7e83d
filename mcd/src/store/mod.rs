//! The store: one writer, many readers, one projection.

use std::sync::Arc;

use mc_core::event::Recorded;
use mc_proto::{error::RpcError, method::feed::Changed};
use tokio::sync::{broadcast, oneshot};

use crate::{
    caller::{Caller, Work},
    live::Live,
};
use mc_proto::method::Request;

/// An answer as JSON, or the error to send.
pub type Answer = Result<Box<str>, RpcError>;

/// What one batch made durable.
#[derive(Debug)]
pub struct Committed {
    /// The event.
    pub recorded: Recorded,
    /// The entities that it changed; empty while no feed is open.
    pub changed: Vec<Changed>,
}

/// The store; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    live: Arc<Live>,
    committed: broadcast::Sender<Arc<Vec<Committed>>>,
}

impl Store {
    /// Returns what lives outside of the database.
    pub fn live(&self) -> &Arc<Live> {
        &self.inner.live
    }

    /// Hands work to the writer. The answer comes when it is durable.
    ///
    /// # Errors
    ///
    /// `unavailable` at once when the queue is full or the writer has ended.
    pub fn submit(&self, work: Work) -> Result<oneshot::Receiver<Answer>, RpcError> {
        drop(work);
        Err(RpcError::new(mc_proto::error::ErrorKind::Unavailable, "no writer"))
    }

    /// Answers a query from a snapshot, on the calling thread. Lists and histories can take
    /// milliseconds: call it through a pool of threads when `is_heavy` says so.
    ///
    /// # Errors
    ///
    /// What the query refuses.
    pub fn query(&self, caller: &Caller, request: &Request) -> Answer {
        drop((caller.clone(), request.clone()));
        Err(RpcError::new(mc_proto::error::ErrorKind::Unavailable, "no reader"))
    }

    /// Says whether a query may take milliseconds.
    pub fn is_heavy(request: &Request) -> bool {
        !matches!(request, Request::TaskGet(_) | Request::AgentGet(_) | Request::ApprovalGet(_))
    }

    /// Returns a receiver of everything that becomes durable from now on, batch by batch.
    pub fn follow(&self) -> broadcast::Receiver<Arc<Vec<Committed>>> {
        self.inner.committed.subscribe()
    }

    /// Returns up to `limit` events after `since`, oldest first.
    ///
    /// # Errors
    ///
    /// `unavailable` when the store can't be read.
    pub fn events_after(
        &self,
        since: mc_core::id::Seq,
        limit: i64,
    ) -> Result<Vec<Recorded>, RpcError> {
        drop((since, limit));
        Ok(Vec::new())
    }
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenOwner {
    /// An agent.
    Agent(mc_core::agent::AgentName),
    /// An adapter and the agents that it may name.
    Adapter(mc_core::agent::AgentName, Vec<mc_core::agent::AgentName>),
}

impl Store {
    /// Finds whose token has this SHA-256, if it is still good.
    ///
    /// # Errors
    ///
    /// `unavailable` when the store can't be read.
    pub fn token_owner(&self, sha256_hex: &str) -> Result<Option<TokenOwner>, RpcError> {
        let _ = sha256_hex;
        Ok(None)
    }
}
