//! The connection to the gateway: one WebSocket, made anew with growing pauses when it is lost.
//! Many requests at once; what waits when the connection ends fails.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};

use crate::{
    frame::{self, Auth, Challenge, Connect, Duty, GatewayRefusal, Incoming},
    identity::Identity,
};

/// How long connecting and the handshake may take; a gateway that has just begun is slow.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// The gateway ticks every 30 s; three missed ticks are a dead connection.
const SILENCE: Duration = Duration::from_secs(95);
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
const MAX_MESSAGE: usize = 32 * 1024 * 1024;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Reply = oneshot::Sender<Result<Value, GatewayError>>;

/// Why the gateway did not answer as it should.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GatewayError {
    /// There is no connection.
    #[error("the gateway is not reachable: {0}")]
    Down(String),
    /// No answer in time.
    #[error("the gateway did not answer within {0:?}")]
    TimedOut(Duration),
    /// The gateway said no.
    #[error("the gateway refused: {} ({})", .0.message, .0.code)]
    Refused(GatewayRefusal),
}

/// What can be asked of a gateway.
pub trait Calls: Send + Sync {
    /// Calls `method` and returns its result.
    fn call(
        &self,
        method: &str,
        params: Value,
    ) -> impl Future<Output = Result<Value, GatewayError>> + Send;
}

/// What the gateway tells.
#[derive(Debug, Clone, PartialEq)]
pub enum GatewayEvent {
    /// Connected and let in.
    Up {
        /// The gateway's version.
        version: String,
    },
    /// Its plugins or its configuration have changed.
    Changed,
    /// It asks before a command runs; the question as it came.
    Asked(Value),
    /// The connection ended or could not be made.
    Down(String),
}

/// Where the gateway is and how to be let in.
#[derive(Debug)]
pub struct GatewayConfig {
    /// `ws://127.0.0.1:PORT`.
    pub url: String,
    /// The file of the gateway's shared token, needed once, to pair.
    pub pairing_token: Option<PathBuf>,
    /// Our version.
    pub version: String,
    /// What the bridge does there.
    pub duty: Duty,
}

/// A connection that is kept; clones share it.
#[derive(Debug, Clone)]
pub struct Gateway {
    requests: mpsc::Sender<Asked>,
}

#[derive(Debug)]
struct Asked {
    method: String,
    params: Value,
    reply: Reply,
}

impl Gateway {
    /// Starts to keep a connection. The receiver must be read.
    pub fn start(
        config: GatewayConfig,
        identity: Identity,
    ) -> (Self, mpsc::Receiver<GatewayEvent>) {
        let (requests, asked) = mpsc::channel(64);
        let (events, receiver) = mpsc::channel(64);
        tokio::spawn(Keeper { config, identity, events, asked, next_id: 0 }.run());
        (Self { requests }, receiver)
    }
}

impl Calls for Gateway {
    async fn call(&self, method: &str, params: Value) -> Result<Value, GatewayError> {
        let gone = || GatewayError::Down("the bridge is shutting down".to_owned());
        let (reply, answer) = oneshot::channel();
        let asked = Asked { method: method.to_owned(), params, reply };
        self.requests.send(asked).await.map_err(|_| gone())?;
        match timeout(ANSWER, answer).await {
            Err(_) => Err(GatewayError::TimedOut(ANSWER)),
            Ok(Err(_)) => Err(gone()),
            Ok(Ok(result)) => result,
        }
    }
}

struct Keeper {
    config: GatewayConfig,
    identity: Identity,
    events: mpsc::Sender<GatewayEvent>,
    asked: mpsc::Receiver<Asked>,
    next_id: u64,
}

impl Keeper {
    async fn run(mut self) {
        let mut pause = BACKOFF.0;
        loop {
            let began = Instant::now();
            let why = match timeout(HANDSHAKE, self.connect()).await {
                Ok(Ok(socket)) => self.serve(socket).await,
                Ok(Err(why)) => why,
                Err(_) => format!("no handshake within {HANDSHAKE:?}"),
            };
            if self.events.send(GatewayEvent::Down(why.clone())).await.is_err() {
                return;
            }
            // A connection that lasted was a good one: begin with short pauses again.
            pause = if began.elapsed() > BACKOFF.1 { BACKOFF.0 } else { BACKOFF.1.min(pause * 2) };
            if !self.refuse_for(pause, &why).await {
                return;
            }
        }
    }

    /// Answers every request with why there is no connection; `false` when nobody can ask any more.
    async fn refuse_for(&mut self, pause: Duration, why: &str) -> bool {
        let ended = sleep(pause);
        tokio::pin!(ended);
        loop {
            tokio::select! {
                () = &mut ended => return true,
                asked = self.asked.recv() => match asked {
                    // Who gave up waiting does not need the answer.
                    Some(asked) => drop(asked.reply.send(Err(GatewayError::Down(why.to_owned())))),
                    None => return false,
                },
            }
        }
    }

    /// Connects and says who we are; `Err` says in words why not.
    async fn connect(&mut self) -> Result<Socket, String> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let (mut socket, _) = connect_async_with_config(&self.config.url, Some(config), true)
            .await
            .map_err(|error| error.to_string())?;
        let challenge = loop {
            if let Incoming::Event { event, payload } = next(&mut socket).await?
                && event == "connect.challenge"
            {
                break serde_json::from_value::<Challenge>(payload).map_err(|e| e.to_string())?;
            }
        };
        let known = self.identity.token().map_err(|error| error.to_string())?;
        let paired = known.is_some();
        let mut connect = Connect::new(&self.config.version, self.config.duty);
        connect.auth = Auth { token: if paired { known } else { Some(self.pairing_token()?) } };
        connect.device = Some(self.identity.sign(&challenge, &connect));
        let text = frame::request("connect", "connect", &connect).map_err(|e| e.to_string())?;
        socket.send(Message::text(text)).await.map_err(|error| error.to_string())?;
        let hello = loop {
            if let Incoming::Res { ok, payload, error, .. } = next(&mut socket).await? {
                break if ok { payload } else { return Err(self.not_let_in(error, paired)) };
            }
        };
        self.let_in(&hello).await.map(|()| socket)
    }

    fn pairing_token(&self) -> Result<String, String> {
        let file = self.config.pairing_token.as_ref().ok_or(
            "not paired with the gateway yet: give its shared token with --gateway-token-file",
        )?;
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(text.trim().to_owned())
    }

    /// A device token that is no longer taken is forgotten, so that the next attempt pairs anew.
    fn not_let_in(&self, error: Option<GatewayRefusal>, paired: bool) -> String {
        let error = error.unwrap_or_default();
        let code = error.details.get("code").and_then(Value::as_str).unwrap_or(&error.code);
        if paired && code.starts_with("AUTH_") && self.config.pairing_token.is_some() {
            self.identity.forget_token();
        }
        format!("the gateway does not let the bridge in: {} ({code})", error.message)
    }

    async fn let_in(&self, hello: &Value) -> Result<(), String> {
        let granted = hello.pointer("/auth/scopes").and_then(Value::as_array);
        let missing = |scope: &&str| {
            granted.is_some_and(|granted| !granted.iter().any(|given| given == *scope))
        };
        if let Some(scope) = self.config.duty.scopes().iter().find(|scope| missing(scope)) {
            return Err(format!("the gateway did not grant {scope}"));
        }
        if let Some(token) = hello.pointer("/auth/deviceToken").and_then(Value::as_str) {
            self.identity.keep_token(token).map_err(|error| error.to_string())?;
        }
        let version = hello.pointer("/server/version").and_then(Value::as_str);
        let version = version.unwrap_or("unknown").to_owned();
        self.events
            .send(GatewayEvent::Up { version })
            .await
            .map_err(|_| "the bridge is shutting down".to_owned())
    }

    /// Serves the connection to its end and returns why it ended.
    async fn serve(&mut self, mut socket: Socket) -> String {
        let mut waiting: HashMap<String, Reply> = HashMap::new();
        let why = loop {
            tokio::select! {
                frame = timeout(SILENCE, next(&mut socket)) => match frame {
                    Err(_) => break "the gateway went silent".to_owned(),
                    Ok(Err(why)) => break why,
                    Ok(Ok(frame)) => self.take(frame, &mut waiting),
                },
                asked = self.asked.recv() => {
                    let Some(asked) = asked else { break "the bridge is shutting down".to_owned() };
                    if let Err(why) = self.send(&mut socket, &mut waiting, asked).await {
                        break why;
                    }
                }
            }
        };
        for (_, reply) in waiting {
            reply.send(Err(GatewayError::Down(why.clone()))).ok();
        }
        why
    }

    async fn send(
        &mut self,
        socket: &mut Socket,
        waiting: &mut HashMap<String, Reply>,
        asked: Asked,
    ) -> Result<(), String> {
        // What nobody waits for any more is not asked.
        waiting.retain(|_, reply| !reply.is_closed());
        self.next_id += 1;
        let id = format!("mc-{}", self.next_id);
        let text =
            frame::request(&id, &asked.method, &asked.params).map_err(|error| error.to_string())?;
        waiting.insert(id, asked.reply);
        socket.send(Message::text(text)).await.map_err(|error| error.to_string())
    }

    fn take(&self, frame: Incoming, waiting: &mut HashMap<String, Reply>) {
        match frame {
            Incoming::Res { id, ok, payload, error } => {
                if let Some(reply) = waiting.remove(&id) {
                    let error = || GatewayError::Refused(error.unwrap_or_default());
                    // Who gave up waiting does not need the answer.
                    reply.send(if ok { Ok(payload) } else { Err(error()) }).ok();
                }
            }
            Incoming::Event { event, payload } => match event.as_str() {
                // A full channel holds the same news already.
                "plugins.changed" | "config.changed" => {
                    self.events.try_send(GatewayEvent::Changed).ok();
                }
                // What finds no room is found among the open questions at the next look.
                "exec.approval.requested" if self.config.duty == Duty::SecondLock => {
                    self.events.try_send(GatewayEvent::Asked(payload)).ok();
                }
                _ => {}
            },
            Incoming::Other => {}
        }
    }
}

/// Returns the next frame; answers to pings are sent by the library on the way.
async fn next(socket: &mut Socket) -> Result<Incoming, String> {
    loop {
        match socket.next().await {
            None => return Err("the gateway closed the connection".to_owned()),
            Some(Err(tungstenite::Error::ConnectionClosed)) => {
                return Err("the gateway closed the connection".to_owned());
            }
            Some(Err(error)) => return Err(error.to_string()),
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text)
                    .map_err(|error| format!("a frame that is not understood: {error}"));
            }
            Some(Ok(Message::Close(close))) => {
                let reason = close.map(|close| close.reason.to_string()).unwrap_or_default();
                return Err(format!("the gateway closed the connection {reason}"));
            }
            Some(Ok(
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
            )) => {}
        }
    }
}

/// Returns `url` if it leads to this machine: the bridge goes nowhere else.
///
/// # Errors
///
/// What is wrong with it.
pub fn local_url(url: &str) -> Result<String, String> {
    let host = url
        .strip_prefix("ws://")
        .ok_or_else(|| format!("{url}: expected ws://127.0.0.1:PORT"))?
        .split('/')
        .next()
        .unwrap_or_default();
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "80"));
    if port.parse::<u16>().is_err() {
        return Err(format!("{url}: {port:?} is no port"));
    }
    if ["127.0.0.1", "localhost", "[::1]"].contains(&name) {
        Ok(url.to_owned())
    } else {
        Err(format!("{url}: the bridge connects to this machine only, not to {name:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_connected_to() {
        assert!(local_url("ws://127.0.0.1:18789").is_ok());
        assert!(local_url("ws://localhost:1/x").is_ok());
        assert!(local_url("ws://[::1]:1").is_ok());
        for bad in ["ws://10.0.0.1:1", "wss://127.0.0.1:1", "ws://127.0.0.1.evil.net:1", "x"] {
            assert!(local_url(bad).is_err(), "{bad}");
        }
        assert!(local_url("ws://127.0.0.1@evil.net:80").is_err());
        assert!(local_url("ws://127.0.0.1:80@evil.net").is_err());
    }
}
