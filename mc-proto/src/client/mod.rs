//! The clients: an async one, a link that reconnects and resumes, and a blocking one.

mod asynchronous;
mod blocking;
mod link;

use std::{io, path::PathBuf, time::Duration};

pub use asynchronous::{Client, Incoming, ServerRequest};
pub use blocking::BlockingClient;
pub use link::{Follow, Link, LinkConfig, LinkEvent};
use mc_core::agent::AgentName;
use serde_json::Value;

use crate::{
    error::{ErrorKind, RpcError},
    limits::ANSWER_BYTES,
    method::{
        Method,
        session::{Challenge, Hello, PROTOCOL, Program, SecondFactor},
    },
};

/// How long a client waits for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The daemon is not there.
    #[error("no daemon answers at {path}: start it with `mcd run`, or see `mcctl doctor`")]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection ended before the answer.
    #[error("the daemon closed the connection before it answered")]
    Lost,
    /// No answer in time.
    #[error("the daemon did not answer within {0:?}")]
    TimedOut(Duration),
    /// The daemon said no.
    #[error(transparent)]
    Refused(#[from] RpcError),
    /// The daemon's answer is not what this client expects.
    #[error("the daemon's answer to `{method}` can't be read: {source}; are both of one version?")]
    Answer {
        /// The method.
        method: &'static str,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

/// What is said of an answer that no client reads to its end.
fn too_long() -> ClientError {
    let text = format!(
        "the daemon's answer is longer than {ANSWER_BYTES} bytes and was not read: ask for less, or \
         tell an admin (`mcctl status`, the daemon's log)"
    );
    RpcError::new(ErrorKind::TooLarge, text).into()
}

impl ClientError {
    /// Returns the daemon's error, if it was the daemon who refused.
    pub fn refused(&self) -> Option<&RpcError> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Unreachable { .. }
            | Self::Lost
            | Self::TimedOut(_)
            | Self::Answer { .. }
            | Self::Io(_) => None,
        }
    }
}

/// What a call carries beside its parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallOptions {
    /// The same key and body give the first answer again.
    pub idempotency_key: Option<String>,
    /// The agent that an adapter speaks for.
    pub agent: Option<AgentName>,
    /// What lifts this one act of a human to L3; see [`challenge_for`].
    pub second_factor: Option<SecondFactor>,
}

impl CallOptions {
    /// Speaks for `agent`.
    pub fn for_agent(agent: AgentName) -> Self {
        Self { agent: Some(agent), ..Self::default() }
    }
}

/// Returns the challenge that a second factor for `call` has to answer.
///
/// # Errors
///
/// When the parameters can't be written as JSON.
pub fn challenge_for<M: Method>(call: &M) -> Result<Challenge, ClientError> {
    let params = serde_json::to_value(call)
        .map_err(|source| ClientError::Answer { method: M::NAME, source })?;
    Ok(Challenge { method: M::NAME.to_owned(), params })
}

/// Returns the hello of the program `name`.
pub fn hello(name: &str, version: &str) -> Hello {
    Hello {
        protocol: PROTOCOL,
        client: Program { name: name.to_owned(), version: version.to_owned() },
        agent: None,
        token: None,
    }
}

/// Returns the parameters of `call` together with its options.
fn with_options<M: Method>(call: &M, options: &CallOptions) -> Result<Value, serde_json::Error> {
    let mut params = serde_json::to_value(call)?;
    if let Value::Object(map) = &mut params {
        if let Some(key) = &options.idempotency_key {
            map.insert("idempotency_key".to_owned(), Value::String(key.clone()));
        }
        if let Some(agent) = &options.agent {
            map.insert("agent".to_owned(), Value::String(agent.to_string()));
        }
        if let Some(factor) = &options.second_factor {
            map.insert("second_factor".to_owned(), serde_json::to_value(factor)?);
        }
    }
    Ok(params)
}
