//! Load that costs little: one thread drives all connections, each with one request at a time.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use mc_tests::percentile;
use rustix::event::epoll;
use serde_json::{Value, json};

use crate::report;

/// Connections that are ready to send.
pub(crate) struct Load {
    connections: Vec<Connection>,
    epoll: rustix::fd::OwnedFd,
    sent: u64,
}

struct Connection {
    stream: UnixStream,
    answer: Vec<u8>,
    since: Instant,
}

/// What a load did.
pub(crate) struct Measured {
    pub(crate) count: u64,
    pub(crate) refused: u64,
    pub(crate) elapsed: Duration,
    pub(crate) times: Vec<Duration>,
}

impl Measured {
    /// Returns how many a second.
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a few million at most")]
        let rate = self.count as f64 / self.elapsed.as_secs_f64();
        rate.round()
    }

    /// Returns the value below which `share` of the times lie, in milliseconds.
    pub(crate) fn ms(&mut self, share: f64) -> f64 {
        report::ms(percentile(&mut self.times, share))
    }

    /// Returns everything as JSON.
    pub(crate) fn document(&mut self) -> Value {
        let mut document = report::spread(&mut self.times);
        document["per_second"] = json!(self.rate());
        document["refused"] = json!(self.refused);
        document
    }
}

/// When a load ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After this time.
    Time(Duration),
    /// After this many answers.
    Count(u64),
}

impl Load {
    /// Opens a connection for each of `who`: socket, agent and token.
    pub(crate) fn open(socket: &Path, who: &[(String, String)]) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let mut connections = Vec::new();
        for (at, (agent, token)) in who.iter().enumerate() {
            let stream = hello(socket, agent, token);
            stream.set_nonblocking(true).unwrap();
            let data = epoll::EventData::new_u64(at as u64);
            epoll::add(&epoll, &stream, data, epoll::EventFlags::IN).unwrap();
            connections.push(Connection { stream, answer: Vec::new(), since: Instant::now() });
        }
        Self { connections, epoll, sent: 0 }
    }

    /// Sends what `frame` writes (connection, request id) until it is over; each connection has
    /// one request at a time.
    pub(crate) fn run(
        &mut self,
        until: Until,
        mut frame: impl FnMut(&mut Vec<u8>, usize, u64),
    ) -> Measured {
        let began = Instant::now();
        let mut measured =
            Measured { count: 0, refused: 0, elapsed: Duration::ZERO, times: Vec::new() };
        let mut out = Vec::with_capacity(4096);
        for at in 0..self.connections.len() {
            self.send(&mut out, at, &mut frame);
        }
        let mut open = self.connections.len();
        let mut events = Vec::with_capacity(256);
        while open > 0 {
            events.clear();
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None).unwrap();
            for event in &events {
                let at = usize::try_from(event.data.u64()).unwrap();
                let Some(refused) = self.connections[at].read() else { continue };
                measured.times.push(self.connections[at].since.elapsed());
                measured.count += 1;
                measured.refused += u64::from(refused);
                let over = match until {
                    Until::Time(time) => began.elapsed() >= time,
                    Until::Count(count) => measured.count + open as u64 > count,
                };
                if over {
                    open -= 1;
                } else {
                    self.send(&mut out, at, &mut frame);
                }
            }
        }
        measured.elapsed = began.elapsed();
        measured
    }

    fn send(
        &mut self,
        out: &mut Vec<u8>,
        at: usize,
        frame: &mut impl FnMut(&mut Vec<u8>, usize, u64),
    ) {
        self.sent += 1;
        out.clear();
        frame(out, at, self.sent);
        out.push(b'\n');
        let connection = &mut self.connections[at];
        connection.since = Instant::now();
        // One small frame always fits into an empty socket.
        connection.stream.write_all(out).unwrap();
    }
}

impl Connection {
    /// Reads what is there; says whether the answer, when it is whole, is an error.
    fn read(&mut self) -> Option<bool> {
        let mut buffer = [0_u8; 16384];
        let read = match self.stream.read(&mut buffer) {
            Ok(0) => unreachable!("the daemon closed a connection"),
            Ok(read) => read,
            Err(_) => return None,
        };
        let some = &buffer[..read];
        if self.answer.is_empty() && some.last() == Some(&b'\n') {
            return Some(is_error(some));
        }
        self.answer.extend_from_slice(some);
        if self.answer.last() != Some(&b'\n') {
            return None;
        }
        let refused = is_error(&self.answer);
        self.answer.clear();
        Some(refused)
    }
}

fn is_error(answer: &[u8]) -> bool {
    let head = &answer[..answer.len().min(64)];
    head.windows(9).any(|part| part == br#","error":"#.as_slice())
}

/// Connects as an agent, or as an operator when there is no token.
fn hello(socket: &Path, agent: &str, token: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    let mut params = json!({"protocol": 1, "client": {"name": "bench", "version": "1"}});
    if !token.is_empty() {
        params["agent"] = agent.into();
        params["token"] = token.into();
    }
    let frame =
        json!({"jsonrpc": "2.0", "id": 0, "method": "session.hello", "params": params}).to_string();
    stream.write_all(frame.as_bytes()).unwrap();
    stream.write_all(b"\n").unwrap();
    let mut answer = Vec::new();
    while answer.last() != Some(&b'\n') {
        let mut byte = [0_u8; 4096];
        let read = stream.read(&mut byte).unwrap();
        assert!(read > 0, "the daemon closed after hello");
        answer.extend_from_slice(&byte[..read]);
    }
    assert!(!is_error(&answer), "{}", String::from_utf8_lossy(&answer));
    stream
}
