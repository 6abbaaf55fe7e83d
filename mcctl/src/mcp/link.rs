//! The server's connection: made when it is first needed, and made again when the daemon was away.

use mc_proto::{
    client::{CallOptions, Client, ClientError},
    error::RpcError,
    method::{Kind, Method},
};
use tokio::sync::{Mutex, watch};

use crate::{
    failure::Failure,
    session::{Door, random_key},
};

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The daemon refused, or the arguments are none.
    #[error("{0}")]
    Refused(#[from] RpcError),
    /// The daemon was not there: nothing was done.
    #[error("{0}")]
    Away(String),
    /// The daemon went away, or did not answer, after it was asked.
    #[error("{0}")]
    Unknown(String),
    /// This program's own trouble.
    #[error("{0}")]
    Own(String),
}

impl Trouble {
    /// Returns that the answer to a call of `M` can't be put as JSON.
    pub(super) fn answer<M: Method>(source: serde_json::Error) -> Self {
        Self::Own(ClientError::Answer { method: M::NAME, source }.to_string())
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Client(error) => error.into(),
            Failure::Usage(_) | Failure::Failed(_) | Failure::Output(_) => {
                Self::Own(failure.to_string())
            }
        }
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(error) => Self::Refused(error),
            ClientError::Unreachable { .. } => Self::Away(error.to_string()),
            ClientError::Answer { .. } => Self::Own(error.to_string()),
            ClientError::Lost | ClientError::TimedOut(_) | ClientError::Io(_) => {
                Self::Unknown(error.to_string())
            }
        }
    }
}

/// A connection that is made again.
#[derive(Debug)]
pub(super) struct Link {
    door: Door,
    open: Mutex<Option<Open>>,
}

/// A connection, and who tells that it ended.
#[derive(Debug, Clone)]
struct Open {
    client: Client,
    ended: watch::Receiver<()>,
}

impl Link {
    /// Returns a connection through `door` that is not made yet.
    pub(super) fn new(door: Door) -> Self {
        Self { door, open: Mutex::default() }
    }

    /// Sends `call`; once more, with the same key, when the connection was lost meanwhile.
    ///
    /// # Errors
    ///
    /// What the daemon refuses, or that it is away.
    pub(super) async fn call<M: Method + Sync>(
        &self,
        call: &M,
        key: Option<String>,
    ) -> Result<M::Result, Trouble> {
        let idempotency_key = match (M::INFO.kind, key) {
            (Kind::Command, None) => Some(random_key()?),
            (_, key) => key,
        };
        let options = CallOptions { idempotency_key, ..CallOptions::default() };
        match self.open().await?.call(call, &options).await {
            Err(ClientError::Lost | ClientError::Io(_)) => {}
            done => return Ok(done?),
        }
        match self.open().await {
            Ok(open) => Ok(open.call(call, &options).await?),
            Err(Trouble::Away(why)) => Err(Trouble::Unknown(why)),
            Err(other) => Err(other),
        }
    }

    /// Returns the connection; makes it where there is none.
    async fn open(&self) -> Result<Open, Trouble> {
        let mut open = self.open.lock().await;
        if let Some(open) = open.as_ref().filter(|open| open.ended.has_changed().is_ok()) {
            return Ok(open.clone());
        }
        // The token is read anew: it may have been rotated since.
        let (client, mut unasked) = Client::connect(&self.door.socket, &self.door.hello()?).await?;
        let (tell, ended) = watch::channel(());
        tokio::spawn(async move {
            while unasked.recv().await.is_some() {}
            drop(tell);
        });
        Ok(open.insert(Open { client, ended }).clone())
    }
}

impl Open {
    async fn call<M: Method + Sync>(
        mut self,
        call: &M,
        options: &CallOptions,
    ) -> Result<M::Result, ClientError> {
        tokio::select! {
            done = self.client.call_with(call, options) => done,
            // Nothing is ever sent: this is the end of the sender.
            _ = self.ended.changed() => Err(ClientError::Lost),
        }
    }
}
