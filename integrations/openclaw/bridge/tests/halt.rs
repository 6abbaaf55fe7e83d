//! The bridge between a daemon and a gateway of a few lines: the halt file that the daemon named
//! ends sessions after that daemon is dead.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use futures_util::{SinkExt as _, StreamExt as _};
use mc_openclaw::{
    bridge::{self, BridgeConfig, DaemonConfig},
    frame::Duty,
    gateway::GatewayConfig,
    identity::Identity,
    orders::Agents,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(10);

/// Takes one connection and tells when the bridge has taken in what its attach was answered: only then
/// it reports how the gateway is.
async fn daemon(listener: UnixListener, halt: PathBuf, reported: mpsc::Sender<()>) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream: BufReader<UnixStream> = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.unwrap() > 0 {
        let asked: Value = serde_json::from_str(&line).unwrap();
        let result = match asked["method"].as_str().unwrap() {
            "session.hello" => json!({
                "protocol": 1, "server": {"name": "mcd", "version": "0"}, "squad": "test", "head": 0,
                "actor": {"kind": "agent", "name": "openclaw-bridge"}, "halted": false, "limits": {},
                "now": "2026-01-01T00:00:00.000Z",
            }),
            _ => json!({"halted": false, "halt_file": halt, "hold_ms": 1000}),
        };
        let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": result});
        stream.get_mut().write_all(format!("{answer}\n").as_bytes()).await.unwrap();
        if asked["method"] == "runtime.report" {
            reported.send(()).await.unwrap();
        }
        line.clear();
    }
}

/// A gateway with these sessions; aborting one ends it, which is told.
async fn gateway(
    listener: TcpListener,
    sessions: Arc<Mutex<Vec<String>>>,
    ended: mpsc::Sender<String>,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream, &sessions, &ended).await;
    }
}

async fn serve(stream: TcpStream, sessions: &Mutex<Vec<String>>, ended: &mpsc::Sender<String>) {
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    let challenge = json!({"type": "event", "event": "connect.challenge",
        "payload": {"nonce": "n", "ts": 0}});
    socket.send(Message::text(challenge.to_string())).await.unwrap();
    while let Some(Ok(Message::Text(text))) = socket.next().await {
        let asked: Value = serde_json::from_str(&text).unwrap();
        let payload = match asked["method"].as_str().unwrap() {
            "connect" => json!({"server": {"version": "test"}}),
            "sessions.list" => {
                let row = |key: &String| json!({"key": key, "hasActiveRun": true});
                json!({"sessions": sessions.lock().unwrap().iter().map(row).collect::<Vec<_>>()})
            }
            "sessions.abort" => {
                let key = asked["params"]["key"].as_str().unwrap().to_owned();
                sessions.lock().unwrap().retain(|session| *session != key);
                ended.send(key).await.unwrap();
                json!({"status": "aborted"})
            }
            _ => json!({}),
        };
        let answer = json!({"type": "res", "id": asked["id"], "ok": true, "payload": payload});
        socket.send(Message::text(answer.to_string())).await.unwrap();
    }
}

fn config(dir: &Path, gateway: &str) -> BridgeConfig {
    let token = dir.join("token");
    fs::write(&token, "mct_test\n").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(dir.join("gateway.token"), "shared").unwrap();
    BridgeConfig {
        gateway: GatewayConfig {
            url: gateway.to_owned(),
            pairing_token: Some(dir.join("gateway.token")),
            version: "0".to_owned(),
            duty: Duty::Orders,
        },
        identity: Identity::load_or_create(&dir.join("bridge")).unwrap(),
        daemon: DaemonConfig {
            socket: dir.join("mcd.sock"),
            token_file: token,
            version: "0".to_owned(),
        },
        halt_file: None,
        agents: Agents::parse("main=wren").unwrap(),
    }
}

#[tokio::test]
async fn after_the_daemon_is_dead_the_file_that_it_named_ends_the_session() {
    let dir = tempfile::tempdir().unwrap();
    let halt = dir.path().join("halt");
    fs::write(&halt, "0 nothing is stopped").unwrap();
    let touch = |changed| File::options().append(true).open(&halt).unwrap().set_modified(changed);
    touch(SystemTime::UNIX_EPOCH).unwrap();

    let socket = UnixListener::bind(dir.path().join("mcd.sock")).unwrap();
    let (reported, mut reports) = mpsc::channel(8);
    let alive = tokio::spawn(daemon(socket, halt.clone(), reported));
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", port.local_addr().unwrap());
    let sessions = Arc::new(Mutex::new(vec!["agent:main:main".to_owned()]));
    let (ended, mut ends) = mpsc::channel(8);
    tokio::spawn(gateway(port, Arc::clone(&sessions), ended));
    tokio::spawn(bridge::run(config(dir.path(), &url)));

    timeout(PATIENCE, reports.recv()).await.unwrap().unwrap();
    assert_eq!(sessions.lock().unwrap().len(), 1, "nothing was stopped yet");
    alive.abort();
    touch(SystemTime::UNIX_EPOCH + PATIENCE).unwrap();
    assert_eq!(timeout(PATIENCE, ends.recv()).await.unwrap().unwrap(), "agent:main:main");
}
