//! The async client: many calls at once over one connection, notifications and the daemon's own
//! requests as a stream.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use interprocess::local_socket::{
    GenericFilePath, ToFsName,
    tokio::{Stream, prelude::*},
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{CONNECT_TIMEOUT, CallOptions, ClientError, too_long, with_options};
use crate::{
    error::RpcError,
    frame::{self, Frame, RequestId},
    limits::ANSWER_BYTES,
    method::{
        Method,
        session::{Hello, HelloResult},
    },
};

/// How long an answer may take, unless the call says otherwise.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(45);

type Waiting = HashMap<i64, oneshot::Sender<Result<Box<RawValue>, RpcError>>>;

/// A connection; clones share it. It ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    outgoing: mpsc::UnboundedSender<String>,
    waiting: Mutex<Waiting>,
    next_id: AtomicI64,
    hello: HelloResult,
    /// Why the connection ended, where the daemon did not just hang up.
    ended: OnceLock<RpcError>,
}

/// What the daemon sends by itself.
#[derive(Debug)]
pub enum Incoming {
    /// A notification: its method and parameters.
    Notice {
        /// The method, such as `feed.item`.
        method: String,
        /// The parameters.
        params: Box<RawValue>,
    },
    /// A request that waits for an answer.
    Request(ServerRequest),
    /// The connection ended; nothing follows.
    Closed,
}

impl Incoming {
    /// Reads the parameters of a notification.
    ///
    /// # Errors
    ///
    /// When they are not a `T`.
    pub fn read<T: DeserializeOwned>(params: &RawValue) -> Result<T, serde_json::Error> {
        serde_json::from_str(params.get())
    }
}

/// A request of the daemon; answer it with [`ServerRequest::answer`] or [`ServerRequest::refuse`].
#[derive(Debug)]
pub struct ServerRequest {
    /// The method, such as `runtime.abort`.
    pub method: String,
    /// The parameters.
    pub params: Box<RawValue>,
    id: RequestId,
    outgoing: mpsc::UnboundedSender<String>,
}

impl ServerRequest {
    /// Sends the result.
    pub fn answer<T: serde::Serialize>(self, result: &T) {
        let mut line = Vec::new();
        let json = serde_json::to_string(result).unwrap_or_else(|_| "null".to_owned());
        frame::answer(&mut line, &self.id, &json);
        self.send(line);
    }

    /// Sends an error.
    pub fn refuse(self, error: &RpcError) {
        let mut line = Vec::new();
        frame::error(&mut line, Some(&self.id), error);
        self.send(line);
    }

    fn send(self, line: Vec<u8>) {
        // A connection that ended needs no answer.
        if let Ok(line) = String::from_utf8(line) {
            self.outgoing.send(line).ok();
        }
    }
}

impl Client {
    /// Connects to `path`, says hello and starts to listen. What the daemon sends by itself comes
    /// through the receiver, which must be read.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unreachable`] when nobody listens, [`ClientError::Refused`] when the daemon
    /// does not want the caller.
    pub async fn connect(
        path: &Path,
        hello: &Hello,
    ) -> Result<(Self, mpsc::Receiver<Incoming>), ClientError> {
        let unreachable = |source| ClientError::Unreachable { path: path.to_path_buf(), source };
        let name = path.to_fs_name::<GenericFilePath>().map_err(unreachable)?;
        let stream = timeout(CONNECT_TIMEOUT, Stream::connect(name))
            .await
            .map_err(|_| ClientError::TimedOut(CONNECT_TIMEOUT))?
            .map_err(unreachable)?;
        let stream = Arc::new(stream);
        // Nothing follows the answer to the hello unasked, so this reader can be given up after it.
        let mut receive = BufReader::new(&*stream);
        let read = |source| ClientError::Answer { method: Hello::NAME, source };
        let line = frame::request(0, Hello::NAME, hello).map_err(read)?;
        (&*stream).write_all(line.as_bytes()).await?;
        let line = timeout(CONNECT_TIMEOUT, read_line(&mut receive))
            .await
            .map_err(|_| ClientError::TimedOut(CONNECT_TIMEOUT))??;
        let frame: Frame<'_> = serde_json::from_slice(&line).map_err(read)?;
        if let Some(error) = frame.error {
            return Err(error.into());
        }
        let hello =
            serde_json::from_str(frame.result.map_or("null", RawValue::get)).map_err(read)?;

        let (outgoing, to_send) = mpsc::unbounded_channel();
        let (incoming, from_daemon) = mpsc::channel(1024);
        let shared = Arc::new(Shared {
            outgoing,
            waiting: Mutex::default(),
            next_id: AtomicI64::new(1),
            hello,
            ended: OnceLock::new(),
        });
        tokio::spawn(write_lines(Arc::clone(&stream), to_send));
        tokio::spawn(read_lines(stream, Arc::downgrade(&shared), incoming));
        Ok((Self { shared }, from_daemon))
    }

    /// Returns what the daemon said to the hello.
    pub fn greeting(&self) -> &HelloResult {
        &self.shared.hello
    }

    /// Returns why a connection ended that has ended.
    pub fn ended(&self) -> ClientError {
        self.shared.ended.get().cloned().map_or(ClientError::Lost, ClientError::Refused)
    }

    /// Sends `call` and waits for its result.
    ///
    /// # Errors
    ///
    /// Every [`ClientError`] but `Unreachable`.
    pub async fn call<M: Method>(&self, call: &M) -> Result<M::Result, ClientError> {
        self.call_with(call, &CallOptions::default()).await
    }

    /// Sends `call` with options and waits for its result.
    ///
    /// # Errors
    ///
    /// Every [`ClientError`] but `Unreachable`.
    pub async fn call_with<M: Method>(
        &self,
        call: &M,
        options: &CallOptions,
    ) -> Result<M::Result, ClientError> {
        let read = |source| ClientError::Answer { method: M::NAME, source };
        let params = with_options(call, options).map_err(read)?;
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let line = frame::request(id, M::NAME, &params).map_err(read)?;
        let (sender, answer) = oneshot::channel();
        self.shared.waiting().insert(id, sender);
        self.shared.outgoing.send(line).map_err(|_| self.ended())?;
        let Ok(answer) = timeout(ANSWER_TIMEOUT, answer).await else {
            self.shared.waiting().remove(&id);
            return Err(ClientError::TimedOut(ANSWER_TIMEOUT));
        };
        let result = answer.map_err(|_| self.ended())??;
        serde_json::from_str(result.get()).map_err(read)
    }
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write_lines(stream: Arc<Stream>, mut lines: mpsc::UnboundedReceiver<String>) {
    while let Some(mut line) = lines.recv().await {
        while let Ok(more) = lines.try_recv() {
            line.push_str(&more);
        }
        if (&*stream).write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads until the end of the connection or of the last [`Client`], then fails what still waits.
async fn read_lines(
    stream: Arc<Stream>,
    shared: std::sync::Weak<Shared>,
    incoming: mpsc::Sender<Incoming>,
) {
    let mut receive = BufReader::new(&*stream);
    loop {
        let line = tokio::select! {
            line = read_line(&mut receive) => line,
            () = incoming.closed() => break,
        };
        let Some(shared) = shared.upgrade() else { break };
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                if let ClientError::Refused(why) = error {
                    // What follows can't be read: the first reason is the one.
                    shared.ended.set(why).ok();
                }
                break;
            }
        };
        let Ok(frame) = serde_json::from_slice::<Frame<'_>>(&line) else { break };
        if let Some(unasked) = route(frame, &shared)
            && incoming.send(unasked).await.is_err()
        {
            break;
        }
    }
    if let Some(shared) = shared.upgrade() {
        shared.waiting().clear();
    }
    // A receiver that was dropped does not need to know.
    incoming.send(Incoming::Closed).await.ok();
}

/// Hands an answer to who waits for it; returns what nobody asked for.
fn route(frame: Frame<'_>, shared: &Shared) -> Option<Incoming> {
    let owned = |params: Option<&RawValue>| {
        params.map_or_else(|| RawValue::NULL.to_owned(), RawValue::to_owned)
    };
    match (frame.method, frame.id) {
        (Some(method), None) => {
            Some(Incoming::Notice { method: method.into_owned(), params: owned(frame.params) })
        }
        (Some(method), Some(id)) => Some(Incoming::Request(ServerRequest {
            method: method.into_owned(),
            params: owned(frame.params),
            id,
            outgoing: shared.outgoing.clone(),
        })),
        (None, Some(RequestId::Number(id))) => {
            if let Some(waiting) = shared.waiting().remove(&id) {
                // Who gave up waiting does not need the answer.
                waiting.send(frame.error.map_or_else(|| Ok(owned(frame.result)), Err)).ok();
            }
            None
        }
        (None, Some(RequestId::Text(_)) | None) => None,
    }
}

async fn read_line(receive: &mut BufReader<&Stream>) -> Result<Vec<u8>, ClientError> {
    let mut line = Vec::new();
    let read = receive.take(ANSWER_BYTES as u64 + 1).read_until(b'\n', &mut line).await?;
    if read > ANSWER_BYTES {
        return Err(too_long());
    }
    if line.last() != Some(&b'\n') {
        return Err(ClientError::Lost);
    }
    Ok(line)
}
