//! The connection of a hook: an agent's, made quickly or not at all.

use std::time::{Duration, Instant};

use mc_core::agent::AgentName;
use mc_proto::{
    client::{BlockingClient, CallOptions, ClientError},
    method::{Kind, Method, session::Hello},
};

use crate::{
    cli::Global,
    session::{Door, random_key},
};

/// How long the connection may take.
const CONNECT: Duration = Duration::from_millis(200);
/// How long everything that needs no person may take together.
const ANSWER: Duration = Duration::from_secs(2);
/// What the daemon's answer may need on its way, beyond a wait that was asked for.
const SLACK: Duration = Duration::from_secs(2);

/// A connection as an agent.
#[derive(Debug)]
pub(super) struct Link {
    socket: std::path::PathBuf,
    hello: Hello,
    client: BlockingClient,
    deadline: Instant,
}

impl Link {
    /// Connects as `MC_AGENT` with the token of `MC_TOKEN_FILE`.
    ///
    /// # Errors
    ///
    /// Why not, in one sentence. A hook never speaks as the operator.
    pub(super) fn open(global: &Global) -> Result<Self, String> {
        let door = Door::of_agent(global).map_err(|error| error.to_string())?;
        let hello = door.hello().map_err(|error| error.to_string())?;
        let socket = door.socket;
        let deadline = Instant::now() + ANSWER;
        let client = BlockingClient::connect_within(&socket, &hello, CONNECT, ANSWER)
            .map_err(|error| error.to_string())?;
        Ok(Self { socket, hello, client, deadline })
    }

    /// Returns as whom the hook speaks.
    pub(super) fn agent(&self) -> Option<AgentName> {
        self.hello.agent.clone()
    }

    /// Sends `call`; it and everything before it together must be answered within two seconds.
    ///
    /// # Errors
    ///
    /// What the daemon refuses, or that it is gone.
    pub(super) fn call<M: Method>(&mut self, call: &M) -> Result<M::Result, ClientError> {
        // A time-out of zero would be none.
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.within(call, left.max(Duration::from_millis(1)))
    }

    /// Sends `call`, which makes the daemon wait for `wait`.
    ///
    /// # Errors
    ///
    /// What the daemon refuses, or that it is gone.
    pub(super) fn wait<M: Method>(
        &mut self,
        call: &M,
        wait: Duration,
    ) -> Result<M::Result, ClientError> {
        self.within(call, wait + SLACK)
    }

    /// Connects again, after the daemon was lost.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub(super) fn reconnect(&mut self) -> Result<(), ClientError> {
        self.client = BlockingClient::connect_within(&self.socket, &self.hello, CONNECT, ANSWER)?;
        Ok(())
    }

    /// Gives what comes next two seconds of its own.
    pub(super) fn renew(&mut self) {
        self.deadline = Instant::now() + ANSWER;
    }

    fn within<M: Method>(&mut self, call: &M, within: Duration) -> Result<M::Result, ClientError> {
        self.client.set_timeout(within)?;
        let idempotency_key = match M::INFO.kind {
            // Without randomness a command goes out without a key: it is sent once only.
            Kind::Command => random_key().ok(),
            Kind::Query | Kind::Connection => None,
        };
        self.client.call_with(call, &CallOptions { idempotency_key, ..CallOptions::default() })
    }
}
