//! The blocking client, for commands that ask one thing and leave: no runtime, no threads.

use std::{
    io::{BufRead, BufReader, ErrorKind as ErrorCode, Write},
    path::Path,
    time::Duration,
};

use interprocess::{
    ConnectWaitMode,
    local_socket::{ConnectOptions, GenericFilePath, Stream, ToFsName, traits::Stream as _},
};

use super::{CONNECT_TIMEOUT, CallOptions, ClientError, too_long, with_options};
use crate::{
    frame::{self, Frame, RequestId},
    limits::ANSWER_BYTES,
    method::{
        Method,
        session::{Hello, HelloResult},
    },
};

/// A connection that waits for each answer.
#[derive(Debug)]
pub struct BlockingClient {
    stream: BufReader<Stream>,
    next_id: i64,
    timeout: Duration,
    hello: HelloResult,
}

impl BlockingClient {
    /// Connects to `path` and says hello. No answer may take longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unreachable`] when nobody listens, [`ClientError::Refused`] when the daemon
    /// does not want the caller.
    pub fn connect(path: &Path, hello: &Hello, timeout: Duration) -> Result<Self, ClientError> {
        Self::connect_within(path, hello, CONNECT_TIMEOUT, timeout)
    }

    /// As [`BlockingClient::connect`], for callers that wait no longer than `connect` for the
    /// connection itself.
    ///
    /// # Errors
    ///
    /// As [`BlockingClient::connect`].
    pub fn connect_within(
        path: &Path,
        hello: &Hello,
        connect: Duration,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let unreachable = |source| ClientError::Unreachable { path: path.to_path_buf(), source };
        let name = path.to_fs_name::<GenericFilePath>().map_err(unreachable)?;
        let stream = ConnectOptions::new()
            .name(name)
            .wait_mode(ConnectWaitMode::Timeout(connect))
            .connect_sync()
            .map_err(unreachable)?;
        stream.set_recv_timeout(Some(timeout))?;
        stream.set_send_timeout(Some(timeout))?;
        let mut client = Connecting { stream: BufReader::new(stream), timeout };
        let hello = client.call(0, hello, &CallOptions::default())?;
        Ok(Self { stream: client.stream, next_id: 1, timeout, hello })
    }

    /// Returns what the daemon said to the hello.
    pub fn greeting(&self) -> &HelloResult {
        &self.hello
    }

    /// Sends `call` and waits for its result.
    ///
    /// # Errors
    ///
    /// Every [`ClientError`] but `Unreachable`.
    pub fn call<M: Method>(&mut self, call: &M) -> Result<M::Result, ClientError> {
        self.call_with(call, &CallOptions::default())
    }

    /// Sends `call` with options and waits for its result.
    ///
    /// # Errors
    ///
    /// Every [`ClientError`] but `Unreachable`.
    pub fn call_with<M: Method>(
        &mut self,
        call: &M,
        options: &CallOptions,
    ) -> Result<M::Result, ClientError> {
        let id = self.next_id;
        self.next_id += 1;
        exchange(&mut self.stream, self.timeout, id, (call, options))
    }

    /// Waits for the next notification and returns its method and its parameters as JSON.
    ///
    /// # Errors
    ///
    /// [`ClientError::TimedOut`] when none came in time, [`ClientError::Lost`] at the end.
    pub fn next_notice(&mut self) -> Result<(String, String), ClientError> {
        loop {
            let line = read_line(&mut self.stream, self.timeout)?;
            let frame: Frame<'_> = parse("feed", &line)?;
            if let (Some(method), None) = (frame.method, frame.id) {
                let params = frame.params.map_or("{}", serde_json::value::RawValue::get);
                return Ok((method.into_owned(), params.to_owned()));
            }
        }
    }

    /// Changes how long an answer may take.
    ///
    /// # Errors
    ///
    /// When the socket does not take it.
    pub fn set_timeout(&mut self, timeout: Duration) -> Result<(), ClientError> {
        self.timeout = timeout;
        Ok(self.stream.get_ref().set_recv_timeout(Some(timeout))?)
    }
}

struct Connecting {
    stream: BufReader<Stream>,
    timeout: Duration,
}

impl Connecting {
    fn call<M: Method>(
        &mut self,
        id: i64,
        call: &M,
        options: &CallOptions,
    ) -> Result<M::Result, ClientError> {
        exchange(&mut self.stream, self.timeout, id, (call, options))
    }
}

fn exchange<M: Method>(
    stream: &mut BufReader<Stream>,
    timeout: Duration,
    id: i64,
    (call, options): (&M, &CallOptions),
) -> Result<M::Result, ClientError> {
    let answer = |source| ClientError::Answer { method: M::NAME, source };
    let params = with_options(call, options).map_err(answer)?;
    let line = frame::request(id, M::NAME, &params).map_err(answer)?;
    match stream.get_mut().write_all(line.as_bytes()) {
        // A daemon that does not want the caller says why and hangs up: its reason can be read.
        Err(error) if error.kind() != ErrorCode::BrokenPipe => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    loop {
        let line = read_line(stream, timeout)?;
        let frame: Frame<'_> = parse(M::NAME, &line)?;
        if frame.method.is_some() {
            continue;
        }
        if let Some(error) = frame.error {
            return Err(error.into());
        }
        if frame.id != Some(RequestId::Number(id)) {
            continue;
        }
        let result = frame.result.map_or("null", serde_json::value::RawValue::get);
        return serde_json::from_str(result).map_err(answer);
    }
}

fn parse<'a>(method: &'static str, line: &'a [u8]) -> Result<Frame<'a>, ClientError> {
    serde_json::from_slice(line).map_err(|source| ClientError::Answer { method, source })
}

fn read_line(stream: &mut BufReader<Stream>, timeout: Duration) -> Result<Vec<u8>, ClientError> {
    let mut line = Vec::new();
    let mut bounded = std::io::Read::take(stream, ANSWER_BYTES as u64 + 1);
    let read = bounded.read_until(b'\n', &mut line).map_err(|error| {
        let timed_out = [ErrorCode::WouldBlock, ErrorCode::TimedOut].contains(&error.kind());
        if timed_out { ClientError::TimedOut(timeout) } else { error.into() }
    })?;
    if read == 0 {
        return Err(ClientError::Lost);
    }
    if line.last() != Some(&b'\n') {
        return Err(too_long());
    }
    Ok(line)
}
