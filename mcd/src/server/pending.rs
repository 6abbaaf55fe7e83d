//! Answers that are not there yet.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use mc_proto::{error::RpcError, frame::RequestId};
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

use super::{
    dispatch::{Done, Later},
    gate::{No, told},
};
use crate::{
    live::Live,
    store::{Answer, ended},
};

/// An answer that is not there yet.
pub(super) struct Pending {
    /// The request.
    pub(super) id: RequestId,
    /// Where the answer comes from.
    pub(super) wait: Wait,
    /// When a check is denied.
    pub(super) late: Option<Instant>,
    /// What is answered in the place of a yes when everything is stopped meanwhile; `None` for what
    /// is no yes: a list may well speak of what was allowed before.
    pub(super) no: Option<No>,
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
    /// Returns the answer once it is there, as it may be told by then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, live: &Live) -> Poll<Done> {
        self.wait.poll(cx).map(|done| match self.no {
            Some(no) => Done { answer: told(live, done.answer, no), ..done },
            None => done,
        })
    }
}

impl Wait {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        let lost = || Err(ended());
        if let Self::Long(handle) = self {
            match ready!(Pin::new(handle).poll(cx)) {
                Ok(Ok(answer)) => *self = Self::Writer(answer),
                Ok(Err(error)) => return Poll::Ready(Err(error).into()),
                Err(_) => return Poll::Ready(lost().into()),
            }
        }
        match self {
            Self::Long(_) => Poll::Pending,
            Self::Writer(answer) => {
                Pin::new(answer).poll(cx).map(|answer| answer.unwrap_or_else(|_| lost()).into())
            }
            Self::Heavy(handle) => {
                Pin::new(handle).poll(cx).map(|answer| answer.unwrap_or_else(|_| lost()).into())
            }
            Self::Later(later) => later.as_mut().poll(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, task::Waker};

    use super::*;
    use crate::{clock::SystemClock, halt::Halt, live::Setup, server::gate};

    /// What the writer has granted, and nobody was told yet.
    fn granted(no: Option<No>) -> Pending {
        let (reply, answer) = oneshot::channel();
        reply.send(Ok(r#"{"decision":"allow"}"#.into())).unwrap();
        Pending { id: RequestId::Number(1), wait: Wait::Writer(answer), late: None, no }
    }

    #[test]
    fn what_the_writer_granted_before_a_stop_is_not_told_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let halt = Halt::open(&dir.path().join("halt"));
        let live = Live::new(Arc::new(SystemClock), halt, Setup::default());
        let poll = |mut pending: Pending| {
            let Poll::Ready(done) = pending.poll(&mut Context::from_waker(Waker::noop()), &live)
            else {
                return None;
            };
            Some(done.answer)
        };
        let no: No = || Err(gate::halted());
        let yes = poll(granted(None));
        assert_eq!(poll(granted(Some(no))), yes, "nothing is stopped");
        let waiting = granted(Some(no));
        live.halt.set("ana: fire").unwrap();
        assert_eq!(poll(waiting), Some(Err(gate::halted())));
        assert_eq!(poll(granted(None)), yes, "what is no grant is told as it is");
    }
}
