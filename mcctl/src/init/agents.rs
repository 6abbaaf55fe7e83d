//! The first agents: registered through a running daemon, or one that is started for the moment.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};

use mc_core::agent::{AgentName, Autonomy, Runtime};
use mc_proto::{
    client::ClientError,
    error::ErrorKind,
    home::Home,
    method::agent::{Get, Register},
};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    cli::Global,
    failure::Failure,
    secret,
    session::{Identity, Session},
};

/// How long a daemon may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked after meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// An agent as the command line names it: `NAME[:AUTONOMY[:RUNTIME]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewAgent {
    name: AgentName,
    autonomy: Autonomy,
    runtime: Runtime,
}

impl FromStr for NewAgent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let agent = Self {
            name: name.parse().map_err(|error| format!("{error}"))?,
            autonomy: read(parts.next(), "autonomy")?,
            runtime: read(parts.next(), "runtime")?,
        };
        match parts.next() {
            None => Ok(agent),
            Some(more) => Err(format!("`{more}` is too much: write NAME[:AUTONOMY[:RUNTIME]]")),
        }
    }
}

fn read<T: DeserializeOwned + Default>(word: Option<&str>, what: &str) -> Result<T, String> {
    match word {
        None | Some("") => Ok(T::default()),
        Some(word) => serde_json::from_value(serde_json::Value::String(word.to_owned()))
            .map_err(|error| format!("no {what}: {error}")),
    }
}

/// What became of one agent.
#[derive(Debug, Serialize)]
pub(super) struct Registered {
    pub(super) name: AgentName,
    /// Where its token is; `None` when it was registered before.
    token_file: Option<PathBuf>,
    #[serde(skip)]
    pub(super) text: String,
}

/// Registers `agents` and writes their tokens to `config/tokens/NAME.token`.
pub(super) fn register(
    agents: &[NewAgent],
    home: &Home,
    passphrase: &str,
    global: &Global,
) -> Result<Vec<Registered>, Failure> {
    let (mut session, daemon) = running_daemon(home, global)?;
    let registered = session
        .unlock(passphrase)
        .and_then(|_| agents.iter().map(|agent| one(agent, home, &mut session)).collect());
    drop(session);
    if let Some(daemon) = daemon {
        daemon.stop()?;
    }
    registered
}

fn one(agent: &NewAgent, home: &Home, session: &mut Session) -> Result<Registered, Failure> {
    let name = agent.name.clone();
    match session.call(&Get { agent: name.clone() }) {
        Ok(_) => {
            let text =
                format!("registered before; `mcctl agent rotate-token {name}` gives a new token");
            return Ok(Registered { name, token_file: None, text });
        }
        Err(Failure::Client(ClientError::Refused(error)))
            if error.kind() == ErrorKind::NotFound => {}
        Err(failure) => return Err(failure),
    }
    let register = Register {
        name: name.clone(),
        autonomy: agent.autonomy,
        runtime: agent.runtime,
        display_name: None,
        workspace: None,
        task_types: Vec::new(),
        tools_allow: Vec::new(),
        tools_deny: Vec::new(),
        daily_cap_uusd: None,
        run_cap_uusd: None,
        can_spawn: false,
        parent: None,
        purpose: None,
        task: None,
        labels: std::collections::BTreeMap::new(),
    };
    let token = session.call(&register)?.token;
    let path = home.config.join("tokens").join(format!("{name}.token"));
    secret::write(&path, &format!("{token}\n"))?;
    let text = format!("registered, its token is in {}", path.display());
    Ok(Registered { name, token_file: Some(path), text })
}

/// A daemon that was started for the moment.
#[derive(Debug)]
struct Daemon(Child);

/// Connects as the operator; starts a daemon when none runs.
///
/// # Errors
///
/// When none can be reached or started.
fn running_daemon(home: &Home, global: &Global) -> Result<(Session, Option<Daemon>), Failure> {
    let socket = global.socket.clone().unwrap_or_else(|| home.operator_socket());
    match Session::connect(&socket, &Identity::Operator, global) {
        Ok(session) => return Ok((session, None)),
        Err(failure) if failure.is_unreachable() => {}
        Err(failure) => return Err(failure),
    }
    let mut daemon = Daemon::start(global)?;
    let session = daemon.wait_until_up(&socket, global)?;
    Ok((session, Some(daemon)))
}

impl Daemon {
    fn start(global: &Global) -> Result<Self, Failure> {
        let program = program();
        let mut command = Command::new(&program);
        command.arg("run");
        if let Some(home) = &global.home {
            command.arg("--home").arg(home);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self).map_err(|error| {
            Failure::Failed(format!(
                "no daemon runs and {} can't be started: {error}; start `mcd run` yourself and run \
                 this again",
                program.display()
            ))
        })
    }

    fn wait_until_up(&mut self, socket: &Path, global: &Global) -> Result<Session, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(Some(status)) = self.0.try_wait() {
                return Err(Failure::Failed(format!(
                    "the daemon ended at once ({status}): `mcd run` shows why"
                )));
            }
            match Session::connect(socket, &Identity::Operator, global) {
                Err(failure) if failure.is_unreachable() && Instant::now() < deadline => {
                    std::thread::sleep(LOOK);
                }
                Ok(session) => return Ok(session),
                Err(failure) => {
                    self.end();
                    return Err(failure);
                }
            }
        }
    }

    fn end(&mut self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // A daemon that is gone already needs no signal.
            kill_process(pid, Signal::TERM).ok();
        }
    }

    /// Stops it orderly.
    ///
    /// # Errors
    ///
    /// When it does not end in time; it is then left to itself.
    fn stop(mut self) -> Result<(), Failure> {
        self.end();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
        Err(Failure::Failed(format!(
            "the daemon that was started for the moment (process {}) does not end",
            self.0.id()
        )))
    }
}

/// Returns the daemon beside this program, else the one on the search path.
fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|exe| exe.with_file_name("mcd"));
    beside.filter(|path| path.exists()).unwrap_or_else(|| "mcd".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_named_with_what_it_may_do_and_what_runs_it() {
        let agent: NewAgent = "wren:lead:claude-code".parse().unwrap();
        assert_eq!(agent.name.as_str(), "wren");
        assert_eq!((agent.autonomy, agent.runtime), (Autonomy::Lead, Runtime::ClaudeCode));
        let plain: NewAgent = "wren".parse().unwrap();
        assert_eq!((plain.autonomy, plain.runtime), (Autonomy::Specialist, Runtime::Other));
    }

    #[test]
    fn a_wrong_agent_says_what_is_wrong() {
        for text in ["", "Wren", "wren:boss", "wren:lead:perl", "wren:lead:mcp:x", "all"] {
            assert!(text.parse::<NewAgent>().is_err(), "{text}");
        }
    }
}
