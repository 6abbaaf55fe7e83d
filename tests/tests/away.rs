//! A daemon that is gone or hangs: whoever asks is refused in time, and the service manager is told.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use mc_tests::{PATIENCE, Squad, program, say, until};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

/// How long a hook gives the daemon.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long after it the call is refused at the latest.
const SLACK: Duration = Duration::from_millis(300);

fn squad() -> (Squad, PathBuf) {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let token = squad.dir().join("wren.token");
    fs::write(&token, squad.token("wren")).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    (squad, token)
}

/// Asks for a call as a hook does, and returns how long the refusal took.
fn refused_after(squad: &Squad, token: &PathBuf) -> Duration {
    let call = json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/tmp",
        "tool_name": "Bash", "tool_input": {"command": "ls"}});
    let input = squad.dir().join("call.json");
    fs::write(&input, call.to_string()).unwrap();
    let mut command = Command::new(program("mcctl"));
    command.arg("--home").arg(squad.dir()).args(["hook", "claude-code"]);
    command.env("MC_AGENT", "wren").env("MC_TOKEN_FILE", token).env_remove("MC_SOCKET");
    command.stdin(fs::File::open(&input).unwrap()).stdout(Stdio::piped());
    let began = Instant::now();
    let done = command.output().unwrap();
    let took = began.elapsed();
    let said: Value =
        serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    assert_eq!(said["hookSpecificOutput"]["permissionDecision"], "deny", "{said}");
    took
}

/// The best of three: what else the machine does is not measured.
fn soonest(squad: &Squad, token: &PathBuf) -> Duration {
    (0..3).map(|_| refused_after(squad, token)).min().unwrap()
}

#[test]
fn without_an_answer_a_call_is_refused_at_its_deadline() {
    let (mut squad, token) = squad();
    kill_process(squad.pid(), Signal::STOP).unwrap();
    let hanging = soonest(&squad, &token);
    kill_process(squad.pid(), Signal::CONT).unwrap();
    squad.kill();
    let gone = soonest(&squad, &token);
    say(&format!("refused: daemon hangs {hanging:?}, daemon gone {gone:?}"));
    assert!(hanging >= DEADLINE && hanging <= DEADLINE + SLACK, "{hanging:?}");
    assert!(gone <= SLACK, "{gone:?}");
}

/// The service manager: hears what the daemon says of itself.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new(squad: &Squad) -> Self {
        let path = squad.dir().join("manager.sock");
        Self { socket: UnixDatagram::bind(&path).unwrap(), path }
    }

    /// Hears one word within `time`.
    fn hears(&self, time: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut word = [0; 256];
        let length = self.socket.recv(&mut word).ok()?;
        Some(String::from_utf8_lossy(&word[..length]).into_owned())
    }
}

/// As in the units that are delivered.
const WATCHDOG: Duration = Duration::from_secs(15);
/// How long the manager waits before it starts another one.
const RESTART: Duration = Duration::from_millis(500);

#[test]
fn a_hung_writer_is_restarted_by_the_watchdog_and_a_stop_works_meanwhile() {
    let units = format!("{}/../packaging/systemd", env!("CARGO_MANIFEST_DIR"));
    for unit in ["user", "system"] {
        let unit = fs::read_to_string(format!("{units}/{unit}/mission-control.service")).unwrap();
        for line in ["WatchdogSec=15", "Restart=always", "RestartSec=500ms"] {
            assert!(unit.lines().any(|one| one == line), "{line}: {unit}");
        }
    }
    let (mut squad, _) = squad();
    squad.kill();
    let manager = Manager::new(&squad);
    let mut command = squad.daemon_command();
    command.env("NOTIFY_SOCKET", &manager.path);
    command.env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
    let mut daemon = command.spawn().unwrap();
    until("the watchdog is fed", PATIENCE, || {
        manager.hears(PATIENCE).filter(|word| word.contains("WATCHDOG=1"))
    });
    // Whoever holds the database's lock keeps the writer from writing.
    let db = squad.database();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    let hung = Instant::now();
    let mut wren = squad.agent("wren");
    let stopping = Instant::now();
    squad.operator().ok("squad.emergency_stop", json!({"reason": "it hangs"}));
    let answered = stopping.elapsed();
    let check = json!({"tool": "read", "arguments": {"path": "/w/a"}, "session": "s"});
    assert_eq!(wren.ok("tool.check", check.clone())["decision"], "deny");
    // What was on its way may still arrive.
    let mut fed = hung;
    while fed.elapsed() < WATCHDOG {
        if manager.hears(WATCHDOG.saturating_sub(fed.elapsed())).is_some() {
            assert!(hung.elapsed() < WATCHDOG / 3, "fed {:?} after it hung", hung.elapsed());
            fed = Instant::now();
        }
    }
    // As the manager does: SIGABRT, and another one.
    kill_process(rustix::process::Pid::from_child(&daemon), Signal::ABORT).unwrap();
    daemon.wait().unwrap();
    db.execute_batch("ROLLBACK").unwrap();
    squad.start();
    let back = hung.elapsed() + RESTART;
    say(&format!("stop answered {answered:?}; the next daemon serves {back:?} after the hang"));
    assert!(back <= Duration::from_secs(20), "{back:?}");
    assert!(answered <= Duration::from_millis(250), "{answered:?}");
    assert_eq!(squad.agent("wren").ok("tool.check", check)["decision"], "deny", "still stopped");
    assert_eq!(squad.operator().ok("squad.status", json!({}))["halted"], true);
}
