//! What a connection does by the clock: ends what takes too long, denies late checks, sends the beat.

use std::{
    task::{Context, Poll, ready},
    time::Duration,
};

use mc_proto::{frame, method::feed::BeatNotice};
use tokio::time::Instant;

use super::{Connection, FIRST_FRAME, UNSENT_BYTES, gate};
use crate::server::pending::Pending;

/// Within what time a frame that has begun must be whole.
const PARTIAL_FRAME: Duration = Duration::from_secs(5);
/// How long a peer may not read while something waits for it.
const STALLED: Duration = Duration::from_secs(5);
/// How often followers hear that the daemon is there.
const BEAT: Duration = Duration::from_secs(5);

impl Connection {
    /// Ends what takes too long and sends the beat; else sleeps until the next deadline.
    pub(super) fn poll_deadlines(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(next) = self.next_deadline() else { return Poll::Pending };
            if next < self.sleep.deadline() || self.sleep.is_elapsed() {
                self.sleep.as_mut().reset(next);
            }
            ready!(self.sleep.as_mut().poll(cx));
            let now = Instant::now();
            let over = |since: Option<Instant>, limit| since.is_some_and(|at| now >= at + limit);
            let silent = self.session.is_none() && now >= self.began + FIRST_FRAME;
            if silent
                || over(self.partial_since, PARTIAL_FRAME)
                || over(self.stalled_since, STALLED)
            {
                self.server.log_refusal(self.peer.side, self.peer.uid, "too slow");
                return Poll::Ready(());
            }
            let before = self.out.len();
            self.deny_late(now);
            self.beat(now);
            if self.out.len() > before && self.flush(cx).is_err() {
                return Poll::Ready(());
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let feed = self.session.as_ref().and_then(|session| session.feed.as_ref());
        let first = self.session.is_none().then(|| self.began + FIRST_FRAME);
        let partial = self.partial_since.map(|at| at + PARTIAL_FRAME);
        let stalled = self.stalled_since.map(|at| at + STALLED);
        let late = self.pending.iter().filter_map(|pending| pending.late).min();
        let beat = feed.map(|feed| feed.beat);
        [first, partial, stalled, late, beat].into_iter().flatten().min()
    }

    /// Denies the checks that the writer has not decided in time.
    fn deny_late(&mut self, now: Instant) {
        let late = |pending: &mut Pending| pending.late.is_some_and(|at| now >= at);
        let out = &mut self.out;
        for pending in self.pending.extract_if(.., late) {
            match gate::late() {
                Ok(result) => frame::answer(out, &pending.id, &result),
                Err(error) => frame::error(out, Some(&pending.id), &error),
            }
        }
    }

    fn beat(&mut self, now: Instant) {
        let Some(feed) = self.session.as_mut().and_then(|session| session.feed.as_mut()) else {
            return;
        };
        if now < feed.beat {
            return;
        }
        feed.beat = now + BEAT;
        let live = self.server.live();
        let notice = BeatNotice { now: live.clock.now(), head: live.head() };
        if self.out.len() - self.sent < UNSENT_BYTES
            && let Ok(line) = frame::notification("beat", &notice)
        {
            self.out.extend_from_slice(line.as_bytes());
        }
    }
}
