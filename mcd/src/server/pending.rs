//! Answers that are not there yet.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use mc_proto::{
    error::{ErrorKind, RpcError},
    frame::RequestId,
};
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

use super::dispatch::{Done, Later};
use crate::store::Answer;

/// An answer that is not there yet.
pub(super) struct Pending {
    /// The request.
    pub(super) id: RequestId,
    /// Where the answer comes from.
    pub(super) wait: Wait,
    /// When a check is denied.
    pub(super) late: Option<Instant>,
}

/// Where an answer comes from.
pub(super) enum Wait {
    /// The writer.
    Writer(oneshot::Receiver<Answer>),
    /// A thread of the pool, then the writer.
    Long(JoinHandle<Result<oneshot::Receiver<Answer>, RpcError>>),
    /// A thread of the pool.
    Heavy(JoinHandle<Answer>),
    /// Several steps.
    Later(Later),
}

impl Pending {
    /// Returns the answer once it is there.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        let lost = || Err(RpcError::new(ErrorKind::Unavailable, "the daemon is shutting down"));
        if let Wait::Long(handle) = &mut self.wait {
            match ready!(Pin::new(handle).poll(cx)) {
                Ok(Ok(answer)) => self.wait = Wait::Writer(answer),
                Ok(Err(error)) => return Poll::Ready(Err(error).into()),
                Err(_) => return Poll::Ready(lost().into()),
            }
        }
        match &mut self.wait {
            Wait::Long(_) => Poll::Pending,
            Wait::Writer(answer) => {
                Pin::new(answer).poll(cx).map(|answer| answer.unwrap_or_else(|_| lost()).into())
            }
            Wait::Heavy(handle) => {
                Pin::new(handle).poll(cx).map(|answer| answer.unwrap_or_else(|_| lost()).into())
            }
            Wait::Later(later) => later.as_mut().poll(cx),
        }
    }
}
