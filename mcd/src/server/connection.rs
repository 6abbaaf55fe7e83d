//! The gate: one task a connection, which reads what is there, serves every whole frame, gathers
//! the answers and writes them at once. Nobody is waited for, and what a connection holds is
//! bounded.

mod deadlines;

use std::{
    cell::RefCell,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use mc_proto::{
    error::{ErrorKind, RpcError},
    frame::{self, RequestId},
    limits::{FIRST_FRAME_BYTES, FRAME_BYTES},
    method::Request,
};
use tokio::{
    io::{AsyncRead as _, AsyncWrite as _, ReadBuf},
    net::UnixStream,
    sync::futures::OwnedNotified,
    time::{Instant, Sleep},
};

use super::{
    Server,
    dispatch::{self, CHECK_TIME, Outcome},
    envelope,
    framing::Lines,
    gate,
    guests::{self, Guest},
    limits::Seat,
    pending::{Pending, Wait},
    session::{Peer, Session, unauthorized},
};
use crate::{
    caller::{SystemCommand, Work},
    process::Process,
};

/// Within what time the first frame must come.
const FIRST_FRAME: Duration = Duration::from_secs(2);
/// How much may wait for a peer before nothing more is read from it.
const UNSENT_BYTES: usize = 1024 * 1024;
/// How many queries of one connection take threads at once.
const HEAVY: usize = 4;
/// How much room for answers an idle connection keeps.
const KEPT_BYTES: usize = 16 * 1024;
const SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    /// Where all connections of a thread read into.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// What a connection sits on, from its acceptance to its end.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Itself among those on the operators' socket.
    guest: Option<Arc<Guest>>,
    _seats: Vec<Seat>,
}

impl Place {
    /// Returns a place of these seats; on the operators' socket with the guest who has it.
    pub(super) fn new(seats: Vec<Seat>, guest: Option<Arc<Guest>>) -> Self {
        Self { guest, _seats: seats }
    }
}

/// One connection.
pub(super) struct Connection {
    server: Arc<Server>,
    stream: UnixStream,
    peer: Peer,
    session: Option<Session>,
    lines: Lines,
    out: Vec<u8>,
    sent: usize,
    pending: Vec<Pending>,
    heavy: usize,
    began: Instant,
    partial_since: Option<Instant>,
    stalled_since: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
    stopped: Pin<Box<OwnedNotified>>,
    governed: Pin<Box<OwnedNotified>>,
    /// Says that it has to make room.
    cut: Option<Pin<Box<OwnedNotified>>>,
    /// Nothing more is read.
    closing: bool,
    place: Place,
}

impl Connection {
    /// Returns a connection that was accepted; serve it with [`Connection::run`].
    pub(super) fn new(server: &Arc<Server>, stream: UnixStream, peer: Peer, place: Place) -> Self {
        let began = Instant::now();
        server.live().connections.fetch_add(1, Ordering::SeqCst);
        Self {
            stopped: Box::pin(Arc::clone(&server.stopped).notified_owned()),
            governed: Box::pin(Arc::clone(&server.governed).notified_owned()),
            server: Arc::clone(server),
            stream,
            peer,
            session: None,
            lines: Lines::default(),
            out: Vec::new(),
            sent: 0,
            pending: Vec::new(),
            heavy: 0,
            began,
            partial_since: None,
            stalled_since: None,
            sleep: Box::pin(tokio::time::sleep_until(began + FIRST_FRAME)),
            closing: false,
            cut: place.guest.as_ref().map(|guest| Box::pin(guest.cut().notified_owned())),
            place,
        }
    }

    /// Serves the connection to its end.
    pub(super) async fn run(mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.closing && (self.stopped.as_mut().poll(cx).is_ready() || self.server.is_stopping())
        {
            self.closing = true;
            // What waits for a human goes on with the next daemon.
            self.pending.retain(|pending| !matches!(pending.wait, Wait::Later(_)));
        }
        self.poll_governed(cx);
        self.poll_cut(cx);
        let mut has_moved = false;
        for _ in 0..32 {
            let mut moved = self.poll_pending(cx);
            moved |= self.poll_inbox(cx);
            moved |= self.poll_feed(cx);
            moved |= self.poll_input(cx);
            has_moved |= moved;
            if moved && self.out.len() - self.sent < UNSENT_BYTES {
                continue;
            }
            let was_full = self.is_full();
            if self.flush(cx).is_err() {
                return Poll::Ready(());
            }
            if self.closing && self.out.is_empty() && self.pending.is_empty() {
                return Poll::Ready(());
            }
            if !moved && was_full == self.is_full() {
                if has_moved {
                    self.note_presence();
                }
                return self.poll_deadlines(cx);
            }
        }
        // Others are served before this connection goes on.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Ends the connection of somebody who may be here no longer, as soon as that is known.
    fn poll_governed(&mut self, cx: &mut Context<'_>) {
        while self.governed.as_mut().poll(cx).is_ready() {
            self.governed.set(Arc::clone(&self.server.governed).notified_owned());
            let Some(session) = &mut self.session else { continue };
            if let Err(error) = session.look_again(&self.server) {
                self.server.feeds.leave(self.peer.connection);
                self.server.orders.close(self.peer.connection);
                (session.feed, session.inbox) = (None, None);
                self.hang_up();
                self.part(None, &error);
            }
        }
    }

    /// Ends the connection that has to make room for somebody else.
    fn poll_cut(&mut self, cx: &mut Context<'_>) {
        if self.cut.as_mut().is_some_and(|cut| cut.as_mut().poll(cx).is_ready()) {
            self.cut = None;
            self.hang_up();
            self.part(None, &guests::sent_away());
        }
    }

    /// Says whether it makes room when there is none: not who watches, waits or has unlocked.
    fn note_presence(&self) {
        let Some(guest) = &self.place.guest else { return };
        let session = self.session.as_ref();
        let stays = !self.pending.is_empty() || session.is_some_and(|one| one.feed.is_some());
        let until = if stays { i64::MAX } else { session.map_or(0, Session::unlocked_until_ms) };
        guest.heard(self.server.live().clock.elapsed_ms(), until);
    }

    /// Says whether nothing more is taken from the peer for now.
    fn is_full(&self) -> bool {
        // What follows a long request comes after it.
        let is_long = |pending: &Pending| matches!(pending.wait, Wait::Long(_));
        self.pending.iter().any(is_long)
            || self.pending.len() >= self.server.limits.in_flight()
            || self.heavy >= HEAVY
            || self.out.len() - self.sent >= UNSENT_BYTES
    }

    /// Collects the answers that are there.
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        let mut at = 0;
        while let Some(pending) = self.pending.get_mut(at) {
            let Poll::Ready(done) = pending.poll(cx, self.server.live()) else {
                at += 1;
                continue;
            };
            let pending = self.pending.swap_remove(at);
            if matches!(pending.wait, Wait::Heavy(_)) {
                self.heavy -= 1;
            }
            if let (Some(proof), Some(session)) = (done.proof, &mut self.session) {
                session.proof = Some(proof);
            }
            self.answer(&pending.id, &done.answer);
            moved = true;
        }
        moved
    }

    /// Sends the orders that wait.
    fn poll_inbox(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(inbox) = self.session.as_mut().and_then(|session| session.inbox.as_mut()) else {
            return false;
        };
        let mut moved = false;
        while let Poll::Ready(Some(order)) = inbox.orders.poll_recv(cx) {
            if let Some(line) = inbox.frame(order) {
                self.out.extend_from_slice(line.as_bytes());
            }
            moved = true;
        }
        moved
    }

    /// Sends what was committed, as long as the peer keeps up.
    fn poll_feed(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(feed) = self.session.as_mut().and_then(|session| session.feed.as_mut()) else {
            return false;
        };
        if self.out.len() - self.sent >= UNSENT_BYTES / 2 {
            return false;
        }
        let before = self.out.len();
        feed.catch_up(&mut self.out);
        if let Some(replay) = &mut feed.replay {
            let Poll::Ready(page) = Pin::new(replay).poll(cx) else {
                return self.out.len() > before;
            };
            let page = page.unwrap_or_default();
            feed.take_page(&self.server.store, &page, &mut self.out);
            return true;
        }
        match feed.items.poll_recv(cx) {
            Poll::Ready(Some(item)) => feed.take(&item, &mut self.out),
            // The feed was cut because the token has ended.
            Poll::Ready(None) => self.closing = true,
            Poll::Pending => return self.out.len() > before,
        }
        !self.closing
    }

    /// Serves whole frames, after reading more when none is whole.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> bool {
        if self.closing || self.is_full() {
            return false;
        }
        if self.serve_lines() {
            return true;
        }
        if self.closing {
            return true;
        }
        let read = SCRATCH.with_borrow_mut(|scratch| {
            let mut into = ReadBuf::new(scratch);
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut into);
            self.lines.push(into.filled());
            read.map_ok(|()| into.filled().len())
        });
        match read {
            Poll::Pending => false,
            Poll::Ready(Ok(0) | Err(_)) => {
                self.hang_up();
                true
            }
            Poll::Ready(Ok(_)) => true,
        }
    }

    /// The peer sends nothing more: what is durable soon is still answered, waits end.
    fn hang_up(&mut self) {
        self.closing = true;
        let is_kept = |wait: &Wait| matches!(wait, Wait::Writer(_) | Wait::Long(_));
        self.pending.retain(|pending| is_kept(&pending.wait));
        self.heavy = 0;
    }

    /// Serves the whole frames that were read; says whether there was one.
    fn serve_lines(&mut self) -> bool {
        let mut lines = std::mem::take(&mut self.lines);
        let mut served = false;
        while !self.closing && !self.is_full() {
            match lines.next(self.frame_limit()) {
                Ok(Some(at)) => {
                    self.serve(lines.line(at));
                    served = true;
                }
                Ok(None) => break,
                Err(_) => {
                    let text = format!("the frame is longer than {} bytes", self.frame_limit());
                    self.part(None, &RpcError::new(ErrorKind::TooLarge, text));
                    break;
                }
            }
        }
        lines.compact();
        // Whole frames that wait for their turn are no fault of the peer.
        self.partial_since = if lines.is_empty() || self.is_full() {
            None
        } else if served {
            Some(Instant::now())
        } else {
            self.partial_since.or_else(|| Some(Instant::now()))
        };
        self.lines = lines;
        served
    }

    const fn frame_limit(&self) -> usize {
        if self.session.is_none() { FIRST_FRAME_BYTES } else { FRAME_BYTES }
    }

    /// Serves one frame.
    fn serve(&mut self, line: &[u8]) {
        match envelope::read(line) {
            Ok(envelope::Read::Request(id, method, params)) => self.request(id, &method, params),
            Ok(envelope::Read::Reply(id, reply)) => {
                let inbox = self.session.as_mut().and_then(|session| session.inbox.as_mut());
                if !inbox.is_some_and(|inbox| inbox.answer(id, reply)) {
                    let text = "no request of the daemon waits for this answer";
                    self.refuse(None, RpcError::new(ErrorKind::InvalidRequest, text));
                }
            }
            Err((id, error)) => self.refuse(id.as_ref(), error),
        }
    }

    /// Answers a frame that is no request; each counts like one.
    fn refuse(&mut self, id: Option<&RequestId>, error: RpcError) {
        let Some(session) = &mut self.session else { return self.part(id, &error) };
        let error = session.count(&self.server, None).err().unwrap_or(error);
        frame::error(&mut self.out, id, &error);
    }

    /// Answers with an error, and ends the connection.
    fn part(&mut self, id: Option<&RequestId>, error: &RpcError) {
        frame::error(&mut self.out, id, error);
        self.closing = true;
    }

    fn request(
        &mut self,
        id: RequestId,
        method: &str,
        params: Option<&serde_json::value::RawValue>,
    ) {
        let Some(session) = &mut self.session else { return self.hello(&id, method, params) };
        if let Some(Err(error)) = self.place.guest.as_ref().map(|guest| guest.may_ask(method)) {
            return self.answer(&id, &Err(error));
        }
        let outcome = dispatch::dispatch(&self.server, session, (method, params));
        let mut late = None;
        let mut no: Option<gate::No> = None;
        let wait = match outcome {
            Outcome::Now(answer) => return self.answer(&id, &answer),
            Outcome::Farewell(error) => return self.part(Some(&id), &error),
            Outcome::Writer(answer) => Wait::Writer(answer),
            Outcome::Check(answer) => {
                late = Some(Instant::now() + CHECK_TIME);
                no = Some(gate::stopped);
                Wait::Writer(answer)
            }
            Outcome::Grant(answer) => {
                no = Some(|| Err(gate::halted()));
                Wait::Writer(answer)
            }
            Outcome::Long(handle) => Wait::Long(handle),
            Outcome::Later(later) => Wait::Later(later),
            Outcome::Heavy(handle) => {
                self.heavy += 1;
                Wait::Heavy(handle)
            }
        };
        self.pending.push(Pending { id, wait, late, no });
    }

    /// The first request says who calls, and no other can be the first.
    fn hello(
        &mut self,
        id: &RequestId,
        method: &str,
        params: Option<&serde_json::value::RawValue>,
    ) {
        if method != "session.hello" {
            let text = "the first request must be session.hello";
            return self.part(Some(id), &unauthorized(text));
        }
        let begun = Request::parse(method, params).and_then(|(request, _)| {
            let Request::SessionHello(hello) = request else { return Err(unauthorized(method)) };
            let session = Session::begin(&self.server, self.peer, hello)?;
            Ok((session.welcome(&self.server)?, session))
        });
        match begun {
            Ok((welcome, session)) => {
                let answer = dispatch::json(&welcome);
                if session.is_adapter()
                    && let Some(process) = Process::behind(&self.stream)
                {
                    self.server.live().processes.note(self.peer.connection, process);
                }
                self.session = Some(session);
                self.answer(id, &answer);
            }
            Err(error) => {
                self.server.log_refusal(self.peer.side, self.peer.uid, &error.message);
                self.part(Some(id), &error);
            }
        }
    }

    fn answer(&mut self, id: &RequestId, answer: &crate::store::Answer) {
        match answer {
            Ok(result) => frame::answer(&mut self.out, id, result),
            Err(error) => frame::error(&mut self.out, Some(id), error),
        }
    }

    /// Writes what the peer takes.
    fn flush(&mut self, cx: &mut Context<'_>) -> std::io::Result<()> {
        while let Some(unsent) = self.out.get(self.sent..).filter(|unsent| !unsent.is_empty()) {
            match Pin::new(&mut self.stream).poll_write(cx, unsent) {
                Poll::Ready(Ok(0)) => return Err(std::io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    self.sent += written;
                    self.stalled_since = None;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.stalled_since.get_or_insert_with(Instant::now);
                    if self.sent > UNSENT_BYTES / 4 {
                        self.out.drain(..self.sent);
                        self.sent = 0;
                    }
                    return Ok(());
                }
            }
        }
        self.out.clear();
        self.sent = 0;
        if self.out.capacity() > KEPT_BYTES {
            self.out = Vec::new();
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let connection = self.peer.connection;
        let live = self.server.live();
        live.connections.fetch_sub(1, Ordering::SeqCst);
        live.helper.left(connection);
        live.processes.forget(connection);
        let Some(session) = &self.session else { return };
        if session.feed.is_some() {
            self.server.feeds.leave(connection);
        }
        if session.inbox.is_some() {
            self.server.orders.close(connection);
        }
        if let Some(runtime) = live.detach(connection) {
            let command =
                SystemCommand::RuntimeDetached { name: runtime.name, runtime: runtime.runtime };
            // Without a writer there is no record to keep up to date.
            self.server.store.submit(Work::System(command)).ok();
        }
    }
}
