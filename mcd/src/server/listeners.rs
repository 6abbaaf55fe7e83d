//! A socket for agents and one for operators in two directories, each with a thread of its own: a
//! flood of agents leaves the operators' side untouched. The notification helper's socket stands
//! in a third directory and is served beside the operators'.

use std::{
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io::{self, Write as _},
    os::unix::{
        fs::{DirBuilderExt as _, PermissionsExt as _},
        net::UnixListener as StdListener,
    },
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

use mc_proto::{error::RpcError, frame, home::Home};
use tokio::{
    net::{UnixListener, UnixStream, unix::UCred},
    task::JoinSet,
};

use super::{
    Server,
    connection::{Connection, Place},
    limits::Side,
    session::{Peer, unauthorized},
};
use crate::{config, identity::Mode};

/// How long connections may take to end when the daemon stops.
const ENDING: Duration = Duration::from_secs(2);
/// How long to wait when no connection can be accepted.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Threads for queries and passphrases, on each side.
const POOL: usize = 4;
const STACK_BYTES: usize = 1024 * 1024;
/// How long an idle thread of the pool is kept.
const POOL_KEPT: Duration = Duration::from_secs(5);
/// Paths of sockets end here.
const SOCKET_PATH_BYTES: usize = 107;

/// Why the daemon can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another daemon has this state.
    #[error("another daemon runs on {0}: stop it first, or name another home with --home")]
    Locked(PathBuf),
    /// The path of a socket is too long.
    #[error("the socket path {0} is longer than {SOCKET_PATH_BYTES} bytes: choose a shorter home")]
    TooLong(PathBuf),
    /// A directory or socket can't be made.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ListenError {
    let path = path.to_path_buf();
    move |source| ListenError::Io { path, source }
}

/// Makes the directory of the state and locks it; the lock ends with the returned file.
///
/// # Errors
///
/// [`ListenError::Locked`] at once when another daemon runs on it.
pub fn lock(home: &Home) -> Result<File, ListenError> {
    directory(&home.state, 0o700)?;
    let path = home.state.join("lock");
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ListenError::Locked(home.state.clone())),
        Err(TryLockError::Error(source)) => Err(ListenError::Io { path, source }),
    }
}

/// Makes a directory that has exactly this mode, if there is none.
fn directory(path: &Path, mode: u32) -> Result<(), ListenError> {
    if !path.is_dir() {
        DirBuilder::new().recursive(true).mode(mode).create(path).map_err(io_error(path))?;
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io_error(path))?;
    }
    Ok(())
}

/// Lets adapters of other users look at the halt file, and at nothing else, whoever made the sockets:
/// what they can't look at counts as a stop.
///
/// # Errors
///
/// When the modes can't be set.
pub fn show_halt_file(home: &Home, mode: Mode) -> Result<(), ListenError> {
    if mode == Mode::SingleUser {
        return Ok(());
    }
    for (path, mode) in [(home.halt_file(), 0o644), (home.state.clone(), 0o711)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(io_error(&path))?;
    }
    Ok(())
}

/// The listeners.
#[derive(Debug)]
pub struct Sockets {
    agent: StdListener,
    operator: StdListener,
    /// Absent when the service manager hands none over.
    helper: Option<StdListener>,
    /// What to remove at the end; empty for sockets of the service manager.
    own: Vec<PathBuf>,
}

impl Sockets {
    /// Binds the sockets; what an earlier daemon left behind is removed, which is safe because
    /// the lock is held.
    ///
    /// # Errors
    ///
    /// When a directory or socket can't be made.
    pub fn bind(home: &Home, mode: Mode, _lock: &File) -> Result<Self, ListenError> {
        let (outer, inner, socket) = match mode {
            Mode::SingleUser => (0o700, 0o700, 0o600),
            Mode::System => (0o755, 0o750, 0o660),
        };
        directory(&home.run, outer)?;
        let bind = |path: PathBuf, group: &str| {
            let dir = path.parent().unwrap_or(&home.run);
            directory(dir, inner)?;
            let listener = bind(&path, socket)?;
            if mode == Mode::System {
                for place in [dir, &path] {
                    give_to(place, group);
                }
            }
            Ok((listener, path))
        };
        let (agent, agent_path) = bind(home.agent_socket(), "mc-agents")?;
        let (operator, operator_path) = bind(home.operator_socket(), "mc-operators")?;
        let (helper, helper_path) = bind(home.notify_socket(), "mc-notify")?;
        let own = vec![agent_path, operator_path, helper_path];
        Ok(Self { agent, operator, helper: Some(helper), own })
    }

    /// Takes the sockets that the service manager hands over as `agent`, `operator` and `notify`;
    /// `None` when it does not. The last one may be missing: then no notice leaves the squad.
    ///
    /// # Errors
    ///
    /// When what is handed over is no listening Unix socket.
    pub fn adopt() -> io::Result<Option<Self>> {
        let names = config::socket_names();
        let mut handed = listenfd::ListenFd::from_env();
        let mut take = |name: &str| match names.iter().position(|one| one == name) {
            Some(at) => handed.take_unix_listener(at),
            None => Ok(None),
        };
        let (agent, operator, helper) = (take("agent")?, take("operator")?, take("notify")?);
        let (Some(agent), Some(operator)) = (agent, operator) else { return Ok(None) };
        Ok(Some(Self { agent, operator, helper, own: Vec::new() }))
    }

    /// Starts the sides; `workers` and the notification helper's socket are served beside the
    /// operators' side.
    ///
    /// # Errors
    ///
    /// When a thread or runtime can't be started.
    pub fn serve<F>(self, server: &Arc<Server>, workers: F) -> io::Result<Sides>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let helper = self.helper;
        if let Some(listener) = &helper {
            listener.set_nonblocking(true)?;
        }
        let served = Arc::clone(server);
        let beside = async move {
            let notices = async {
                if let Some(listener) = helper {
                    accept(&served, listener, Side::Helper).await;
                }
            };
            tokio::join!(workers, notices);
        };
        let operator = start(server, self.operator, Side::Operator, beside)?;
        let agent = start(server, self.agent, Side::Agent, std::future::ready(()))?;
        Ok(Sides { threads: vec![operator, agent], own: self.own })
    }
}

fn bind(path: &Path, mode: u32) -> Result<StdListener, ListenError> {
    if path.as_os_str().len() > SOCKET_PATH_BYTES {
        return Err(ListenError::TooLong(path.to_path_buf()));
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(path)(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = StdListener::bind(path).map_err(io_error(path))?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io_error(path))?;
    Ok(listener)
}

/// Gives a directory or socket to a group; without that group only the daemon's user gets in.
fn give_to(path: &Path, group: &str) {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let of_name = |line: &str| {
        let mut fields = line.split(':');
        (fields.next() == Some(group)).then(|| fields.nth(1)?.parse().ok()).flatten()
    };
    let Some(gid) = groups.lines().find_map(of_name) else {
        tracing::warn!(group, "there is no such group: nobody but the daemon's user gets in");
        return;
    };
    if let Err(error) = std::os::unix::fs::chown(path, None, Some(gid)) {
        tracing::warn!(%error, group, path = %path.display(), "the group can't be set");
    }
}

/// The threads that serve.
#[derive(Debug)]
pub struct Sides {
    threads: Vec<JoinHandle<()>>,
    own: Vec<PathBuf>,
}

impl Sides {
    /// Waits until both sides have ended, and removes the sockets.
    pub fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a side of the server panicked");
            }
        }
        for path in self.own {
            // What is gone already needs no removal.
            fs::remove_file(path).ok();
        }
    }
}

fn start<F>(
    server: &Arc<Server>,
    listener: StdListener,
    side: Side,
    workers: F,
) -> io::Result<JoinHandle<()>>
where
    F: Future<Output = ()> + Send + 'static,
{
    listener.set_nonblocking(true)?;
    let name = match side {
        Side::Agent => "agents",
        Side::Operator => "operators",
        Side::Helper => "helper",
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(POOL)
        .thread_stack_size(STACK_BYTES)
        .thread_keep_alive(POOL_KEPT)
        .thread_name(format!("{name}-pool"))
        .build()?;
    let server = Arc::clone(server);
    let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
    thread.spawn(move || {
        runtime.block_on(async {
            let workers = tokio::spawn(workers);
            accept(&server, listener, side).await;
            workers.abort();
        });
        runtime.shutdown_timeout(ENDING);
    })
}

/// Accepts connections until the daemon stops, then waits a little for them to end.
async fn accept(server: &Arc<Server>, listener: StdListener, side: Side) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, ?side, "this socket can't be served"),
    };
    let mut connections = JoinSet::new();
    let mut stopped = std::pin::pin!(Arc::clone(&server.stopped).notified_owned());
    loop {
        if server.is_stopping() {
            break;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if let Some(connection) = admit(server, stream, side) {
                        connections.spawn(connection.run());
                    }
                }
                Err(error) => {
                    server.log_refusal(side, 0, &error.to_string());
                    tokio::time::sleep(EXHAUSTED).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if ended.is_err_and(|error| error.is_panic()) {
                    tracing::error!(?side, "a connection panicked and was ended");
                }
            }
            () = &mut stopped => break,
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(ENDING, all).await.is_err() {
        tracing::warn!(?side, "connections did not end in time and are cut");
    }
}

/// Lets a connection in if its user may use this socket.
fn admit(server: &Arc<Server>, stream: UnixStream, side: Side) -> Option<Connection> {
    let peer = match stream.peer_cred() {
        Ok(peer) => peer,
        Err(error) => {
            server.log_refusal(side, 0, &error.to_string());
            return None;
        }
    };
    match place(server, side, &peer) {
        Ok(place) => {
            let connection = server.connections.fetch_add(1, Ordering::Relaxed);
            let peer = Peer { side, uid: peer.uid(), connection };
            Some(Connection::new(server, stream, peer, place))
        }
        Err(error) => {
            server.log_refusal(side, peer.uid(), &error.message);
            farewell(stream, &error);
            None
        }
    }
}

/// Returns the place that a connection takes.
fn place(server: &Server, side: Side, peer: &UCred) -> Result<Place, RpcError> {
    if is_ourselves(peer) {
        return Ok(Place::default());
    }
    let uid = peer.uid();
    let identity = server.identity();
    let known = match side {
        Side::Agent => identity.is_agent(uid),
        Side::Operator => identity.operator(uid).is_some(),
        Side::Helper => identity.is_helper(uid),
    };
    if !known {
        return Err(unauthorized("your user is not known to this squad"));
    }
    if side != Side::Operator {
        return Ok(Place::new(server.limits.admit(side, uid)?, None));
    }
    let now_ms = server.live().clock.elapsed_ms();
    let (seat, guest) = server.guests.admit(server.limits.operators(), now_ms)?;
    Ok(Place::new(vec![seat], Some(guest)))
}

/// Says whether the watchdog looks whether anybody answers here: it takes no place, so that nobody
/// can have the daemon killed by taking them all. No other process has our number while we live,
/// and it opens nothing: whoever wants something still has to say hello.
fn is_ourselves(peer: &UCred) -> bool {
    let own = i32::try_from(std::process::id()).ok();
    peer.pid().is_some() && peer.pid() == own && peer.uid() == rustix::process::geteuid().as_raw()
}

/// Says why, if the peer takes it at once.
fn farewell(stream: UnixStream, error: &RpcError) {
    let mut out = Vec::new();
    frame::error(&mut out, None, error);
    // Not by the runtime, which does not know yet whether it can be written to.
    if let Ok(mut stream) = stream.into_std() {
        // Nobody is waited for.
        stream.write_all(&out).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_at_once_and_a_dropped_one_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::under(dir.path());
        let first = lock(&home).unwrap();
        assert!(matches!(lock(&home), Err(ListenError::Locked(_))));
        drop(first);
        assert!(lock(&home).is_ok());
    }

    #[test]
    fn sockets_and_directories_have_the_modes_of_the_design() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::under(dir.path());
        let held = lock(&home).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let first = Sockets::bind(&home, Mode::SingleUser, &held).unwrap();
        assert_eq!(mode(&home.agent_socket()), 0o600);
        assert_eq!(mode(home.operator_socket().parent().unwrap()), 0o700);
        assert_eq!(mode(&home.state), 0o700);
        drop(first);
        fs::write(home.halt_file(), b"0").unwrap();
        let second = Sockets::bind(&home, Mode::System, &held);
        assert!(second.is_ok(), "what a dead daemon left is replaced");
        assert_eq!(mode(&home.agent_socket()), 0o660);
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::under(&dir.path().join("x".repeat(100)));
        let held = lock(&home).unwrap();
        let refused = Sockets::bind(&home, Mode::SingleUser, &held);
        assert!(matches!(refused, Err(ListenError::TooLong(_))));
    }
}
