//! A receiver of notices on this machine: a small HTTP server that a test tells how to answer.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use rustix::net::Shutdown as Ways;
use serde_json::Value;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Got {
    /// The path.
    pub path: String,
    /// The headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// The status that it was answered with; 0 for none.
    pub status: u16,
}

impl Got {
    /// Returns the body, read.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Says whether it was taken.
    pub const fn is_taken(&self) -> bool {
        self.status == 200
    }
}

/// How a request is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// With a status, headers (each line ends with CRLF) and a body.
    Say(u16, &'static str, String),
    /// Not at all: the connection ends.
    Silent,
    /// Not at all, and the connection stays.
    Hangs,
    /// With 200 and a body that never ends.
    Endless,
    /// With 200 and headers that never end.
    EndlessHead,
}

impl Reply {
    /// Answers with a status and nothing else.
    pub const fn status(status: u16) -> Self {
        Self::Say(status, "", String::new())
    }

    const fn code(&self) -> u16 {
        match self {
            Self::Say(code, ..) => *code,
            Self::Endless | Self::EndlessHead => 200,
            Self::Silent | Self::Hangs => 0,
        }
    }
}

/// Takes everything.
pub const fn good(_: &Got) -> Reply {
    Reply::status(200)
}

/// Takes nothing.
pub const fn broken(_: &Got) -> Reply {
    Reply::status(500)
}

/// Sends everybody elsewhere.
pub const fn redirects(_: &Got) -> Reply {
    Reply::Say(302, "location: /elsewhere\r\n", String::new())
}

/// Takes everything and says nothing.
pub const fn silent(_: &Got) -> Reply {
    Reply::Silent
}

/// Reads and never answers.
pub const fn hangs(_: &Got) -> Reply {
    Reply::Hangs
}

type Script = Box<dyn Fn(&Got) -> Reply + Send + Sync>;

/// The receiver; it ends with this.
pub struct Receiver {
    port: u16,
    listener: Option<TcpListener>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<Option<Arc<Script>>>,
    got: Mutex<Vec<Got>>,
    over: Mutex<bool>,
    ended: Condvar,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("port", &self.port).finish_non_exhaustive()
    }
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    /// Starts a receiver that answers by `script`.
    pub fn new(script: impl Fn(&Got) -> Reply + Send + Sync + 'static) -> Self {
        let mut one = Self { port: 0, listener: None, shared: Arc::default() };
        one.set(script);
        one.open();
        one
    }

    /// Answers by another script from now on.
    pub fn set(&self, script: impl Fn(&Got) -> Reply + Send + Sync + 'static) {
        *hold(&self.shared.script) = Some(Arc::new(Box::new(script)));
    }

    /// Refuses connections until it is opened again.
    pub fn close(&mut self) {
        if let Some(listener) = self.listener.take() {
            // Wakes the thread that accepts, which holds the socket, too.
            rustix::net::shutdown(&listener, Ways::Both).unwrap();
        }
    }

    /// Takes connections, on the port that it had before.
    pub fn open(&mut self) {
        let place = (Ipv4Addr::LOCALHOST, self.port);
        let listener = crate::until("the port is free again", crate::PATIENCE, || {
            TcpListener::bind(place).ok()
        });
        self.port = listener.local_addr().unwrap().port();
        self.listener = Some(listener.try_clone().unwrap());
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
    }

    /// Returns what came so far, in the order in which it came.
    pub fn got(&self) -> Vec<Got> {
        hold(&self.shared.got).clone()
    }

    /// Returns the address of its root, without a slash at the end.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the address of its hook.
    pub fn url(&self) -> String {
        format!("{}/hook", self.base())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        *hold(&self.shared.over) = true;
        self.shared.ended.notify_all();
        self.close();
    }
}

/// Reads one request and answers it; a peer that is gone ends it.
fn serve(stream: TcpStream, shared: &Shared) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut got = read(&mut stream)?;
    let script = Arc::clone(hold(&shared.script).as_ref()?);
    let reply = script(&got);
    got.status = reply.code();
    hold(&shared.got).push(got);
    let stream = stream.get_mut();
    match reply {
        Reply::Say(code, headers, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {code} X\r\n{headers}content-length: {length}\r\n");
            write!(stream, "{head}connection: close\r\n\r\n{body}").ok()
        }
        Reply::Silent => None,
        Reply::Hangs => {
            let over = hold(&shared.over);
            let waited = shared.ended.wait_while(over, |over| !*over);
            drop(waited);
            stream.shutdown(Shutdown::Both).ok()
        }
        Reply::Endless => {
            write!(stream, "HTTP/1.1 200 X\r\ncontent-length: 1000000000000\r\n\r\n").ok()?;
            pour(stream, &vec![b'x'; 65536])
        }
        Reply::EndlessHead => {
            write!(stream, "HTTP/1.1 200 X\r\n").ok()?;
            pour(stream, &b"x-more: and more of it\r\n".repeat(1000))
        }
    }
}

/// Writes the same until nobody reads.
fn pour(stream: &mut TcpStream, some: &[u8]) -> Option<()> {
    loop {
        stream.write_all(some).ok()?;
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Got> {
    let mut first = String::new();
    stream.read_line(&mut first).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    Some(Got { path, headers, body: String::from_utf8(body).ok()?, status: 0 })
}
