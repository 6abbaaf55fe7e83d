//! A client that adds nothing: what a test says is what goes over the socket.
#![expect(clippy::needless_pass_by_value, reason = "parameters are written where they are sent")]

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, ErrorKind, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::PATIENCE;

/// A good hello of an operator, as one line.
pub const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"session.hello","params":{"protocol":1,"client":{"name":"test","version":"1"}}}"#;

/// Why a call was not done: the daemon's error, or `lost` when the connection ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// The word of `error.data.kind`, or `lost`.
    pub kind: String,
    /// The JSON-RPC code; 0 when lost.
    pub code: i64,
    /// The sentence.
    pub message: String,
    /// All of `error.data`.
    pub data: Value,
}

impl Trouble {
    fn lost(why: &str) -> Self {
        Self { kind: "lost".into(), code: 0, message: why.into(), data: Value::Null }
    }

    fn of(error: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            kind: text(&error["data"]["kind"]),
            code: error["code"].as_i64().unwrap_or_default(),
            message: text(&error["message"]),
            data: error["data"].clone(),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    partial: Vec<u8>,
    next_id: i64,
    waiting: VecDeque<Value>,
}

impl Client {
    /// Connects and says nothing.
    ///
    /// # Errors
    ///
    /// When nobody listens or the socket may not be used.
    pub fn connect(path: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let stream = BufReader::new(stream);
        Ok(Self { stream, partial: Vec::new(), next_id: 1, waiting: VecDeque::new() })
    }

    /// Connects and says hello as `agent` with `token`; both may be left out.
    ///
    /// # Errors
    ///
    /// What the daemon refuses, `lost` when it can't be reached.
    pub fn hello(path: &Path, agent: Option<&str>, token: Option<&str>) -> Result<Self, Trouble> {
        let mut client = Self::connect(path).map_err(|error| Trouble::lost(&error.to_string()))?;
        let mut params = json!({"protocol": 1, "client": {"name": "test", "version": "1"}});
        for (key, value) in [("agent", agent), ("token", token)] {
            if let Some(value) = value {
                params[key] = value.into();
            }
        }
        client.call("session.hello", params)?;
        Ok(client)
    }

    /// Calls a method and waits for its answer.
    ///
    /// # Errors
    ///
    /// What the daemon refuses, `lost` when the connection ends or nothing comes.
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value, Trouble> {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// Calls a method that must be done.
    pub fn ok(&mut self, method: &str, params: Value) -> Value {
        let shown = params.clone();
        self.call(method, params).unwrap_or_else(|trouble| panic!("{method} {shown}: {trouble:?}"))
    }

    /// Calls a method that must be refused.
    pub fn refused(&mut self, method: &str, params: Value) -> Trouble {
        let shown = params.clone();
        match self.call(method, params) {
            Ok(done) => panic!("{method} {shown} was done: {done}"),
            Err(trouble) => trouble,
        }
    }

    /// Sends a request and returns its id; a connection that ended is noticed by the answer.
    pub fn send(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        let frame = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send_line(frame.to_string().as_bytes()).ok();
        id
    }

    /// Sends bytes and a newline.
    ///
    /// # Errors
    ///
    /// When the daemon has closed the connection or takes nothing for long.
    pub fn send_line(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.send_bytes(bytes)?;
        self.send_bytes(b"\n")
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// When the daemon has closed the connection or takes nothing for long.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Waits for the answer to request `id`.
    ///
    /// # Errors
    ///
    /// What the daemon refuses, `lost` when the connection ends or nothing comes.
    pub fn answer(&mut self, id: i64) -> Result<Value, Trouble> {
        if let Some(at) = self.waiting.iter().position(|frame| is_answer(frame, id)) {
            return outcome(self.waiting.remove(at).unwrap_or_default());
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(frame) = self.frame(left)? else {
                return Err(Trouble::lost("no answer came in time"));
            };
            if is_answer(&frame, id) {
                return outcome(frame);
            }
            self.waiting.push_back(frame);
        }
    }

    /// Returns the next thing that the daemon says by itself, if one comes in time.
    ///
    /// # Errors
    ///
    /// `lost` when the connection ends.
    pub fn notice(&mut self, within: Duration) -> Result<Option<Value>, Trouble> {
        if let Some(at) = self.waiting.iter().position(|frame| !frame["method"].is_null()) {
            return Ok(self.waiting.remove(at));
        }
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.frame(left)? {
                Some(frame) if !frame["method"].is_null() => return Ok(Some(frame)),
                Some(frame) => self.waiting.push_back(frame),
                None => return Ok(None),
            }
        }
    }

    /// Answers a request of the daemon's.
    pub fn reply(&mut self, request: &Value, result: &Value) {
        let frame = json!({"jsonrpc": "2.0", "id": request["id"], "result": result});
        self.send_line(frame.to_string().as_bytes()).ok();
    }

    /// Returns the next frame, whatever it is; `None` when none came in time.
    ///
    /// # Errors
    ///
    /// `lost` when the connection ends.
    pub fn frame(&mut self, within: Duration) -> Result<Option<Value>, Trouble> {
        let within = within.max(Duration::from_millis(1));
        self.stream.get_ref().set_read_timeout(Some(within)).unwrap();
        match self.stream.read_until(b'\n', &mut self.partial) {
            Ok(_) if self.partial.last() == Some(&b'\n') => {
                let line = std::mem::take(&mut self.partial);
                let frame = serde_json::from_slice(&line);
                Ok(Some(frame.unwrap_or_else(|error| {
                    panic!("the daemon's frame is no JSON: {error}: {line:?}")
                })))
            }
            Ok(_) => Err(Trouble::lost("the daemon closed the connection")),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                Ok(None)
            }
            Err(error) => Err(Trouble::lost(&error.to_string())),
        }
    }

    /// Proves the operator's passphrase.
    pub fn unlock(&mut self, passphrase: &str) -> Value {
        self.ok("session.unlock", json!({"passphrase": passphrase}))
    }

    /// Reads on until the daemon closes, and returns the last frame before that.
    pub fn closed(&mut self, within: Duration) -> Option<Value> {
        let deadline = Instant::now() + within;
        let mut last = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.frame(left) {
                Ok(Some(frame)) => last = Some(frame),
                Ok(None) => panic!("the connection is still open after {within:?}: {last:?}"),
                Err(_) => return last,
            }
        }
    }
}

fn is_answer(frame: &Value, id: i64) -> bool {
    frame["method"].is_null() && frame["id"] == id
}

fn outcome(frame: Value) -> Result<Value, Trouble> {
    match frame.get("error") {
        Some(error) => Err(Trouble::of(error)),
        None => Ok(frame["result"].clone()),
    }
}
