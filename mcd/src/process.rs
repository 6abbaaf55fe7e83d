//! Processes behind connections, by handles that never name another process, and what ends them.

use std::{
    collections::HashMap,
    fs,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nix::sys::socket::{getsockopt, sockopt::PeerPidfd};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, Signal, getpid, getuid, pidfd_open, pidfd_send_signal},
    time::Timespec,
};
use tokio::{
    net::UnixStream,
    time::{Instant, sleep},
};

/// How long processes have after SIGTERM before they get SIGKILL.
pub const KILL_AFTER: Duration = Duration::from_secs(5);
/// How long they are looked at after SIGKILL.
const GONE_AFTER: Duration = Duration::from_secs(5);
/// How often they are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The first process of the machine, which nothing here ever ends.
const INIT: Pid = Pid::INIT;

/// A process.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    handle: OwnedFd,
}

impl Process {
    /// Returns the process that made a connection. The kernel noted it then, so that its number may
    /// have been given away since. `None` where it can't tell (before Linux 6.5, or the process is
    /// not in sight of the daemon).
    pub fn behind(stream: &UnixStream) -> Option<Self> {
        let pid = Pid::from_raw(stream.peer_cred().ok()?.pid()?)?;
        let handle = getsockopt(stream, PeerPidfd).ok()?;
        Some(Self { pid, handle })
    }

    /// Opens a process by its number.
    fn open(pid: Pid) -> Option<Self> {
        Some(Self { pid, handle: pidfd_open(pid, PidfdFlags::empty()).ok()? })
    }

    /// Returns its number.
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Says whether it has ended.
    pub fn is_gone(&self) -> bool {
        let mut polled = [PollFd::new(&self.handle, PollFlags::IN)];
        poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Says why it must not be ended, if so.
    fn must_stay(&self) -> Option<&'static str> {
        if self.pid == getpid() {
            return Some("it is the daemon itself");
        }
        (self.pid == INIT).then_some("it is the first process of the machine")
    }

    /// Sends a signal; one that has ended needs none.
    fn signal(&self, signal: Signal) -> Result<(), String> {
        match pidfd_send_signal(self.handle.as_fd(), signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(rustix::io::Errno::PERM) => Err(format!(
                "the daemon, as uid {}, may not end process {} of another user: end it by its \
                 service, or as that user",
                getuid().as_raw(),
                self.id()
            )),
            Err(error) => Err(format!("process {} can't be signalled: {error}", self.id())),
        }
    }

    /// Returns the processes that it started and that are still below it.
    fn below(&self) -> Vec<Self> {
        let parents = parents();
        let mut family: Vec<Self> = Vec::new();
        let mut next = vec![self.pid];
        while let Some(parent) = next.pop() {
            for (child, _) in parents.iter().filter(|(_, of)| **of == parent) {
                // What the daemon started it may not end either, so it is not looked below.
                let Some(one) = Self::open(*child).filter(|one| one.must_stay().is_none()) else {
                    continue;
                };
                // Whoever has its number by now has the same parent, or is somebody else.
                if parent_of(*child) == Some(parent) && !one.is_gone() {
                    next.push(*child);
                    family.push(one);
                }
            }
        }
        // A number of the family may have been given away while it was looked at.
        if self.is_gone() { Vec::new() } else { family }
    }
}

/// Returns the parent of every process in sight.
fn parents() -> HashMap<Pid, Pid> {
    let Ok(dirs) = fs::read_dir("/proc") else { return HashMap::new() };
    let numbers = dirs.filter_map(|dir| dir.ok()?.file_name().to_str()?.parse().ok());
    let pids = numbers.filter_map(Pid::from_raw);
    pids.filter_map(|pid| Some((pid, parent_of(pid)?))).collect()
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name in brackets may hold anything; state and parent come after it.
    let (_, rest) = stat.rsplit_once(')')?;
    Pid::from_raw(rest.split_whitespace().nth(1)?.parse().ok()?)
}

/// Ends a process and those below it: SIGTERM, and after [`KILL_AFTER`] SIGKILL. Returns how many
/// it was, and the strongest signal that it took.
///
/// # Errors
///
/// Why not all of them are gone.
pub(crate) async fn end(process: &Process) -> Result<(usize, Signal), String> {
    if let Some(why) = process.must_stay() {
        return Err(format!("process {} is never ended: {why}", process.id()));
    }
    let mut below = process.below();
    process.signal(Signal::TERM)?;
    let denied: Vec<String> =
        below.iter().filter_map(|one| one.signal(Signal::TERM).err()).collect();
    if all_gone(process, &below, KILL_AFTER).await {
        return Ok((1 + below.len(), Signal::TERM));
    }
    // What was started since then.
    below.extend(process.below());
    process.signal(Signal::KILL)?;
    for one in &below {
        // Who may not be signalled was told of above.
        one.signal(Signal::KILL).ok();
    }
    if all_gone(process, &below, GONE_AFTER).await {
        return Ok((1 + below.len(), Signal::KILL));
    }
    Err(denied.into_iter().next().unwrap_or_else(|| {
        format!("process {} goes on {} s after SIGKILL", process.id(), GONE_AFTER.as_secs())
    }))
}

async fn all_gone(process: &Process, below: &[Process], within: Duration) -> bool {
    let until = Instant::now() + within;
    loop {
        if process.is_gone() && below.iter().all(Process::is_gone) {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// The processes behind the connections of adapters.
#[derive(Debug, Default)]
pub struct Processes(Mutex<HashMap<u64, Arc<Process>>>);

impl Processes {
    /// Notes the process behind a connection.
    pub fn note(&self, connection: u64, process: Process) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(connection, Arc::new(process));
    }

    /// Forgets a connection that ended.
    pub fn forget(&self, connection: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection);
    }

    /// Returns the process behind a connection.
    pub fn of(&self, connection: u64) -> Option<Arc<Process>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&connection).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn open(id: u32) -> Process {
        Process::open(Pid::from_raw(i32::try_from(id).unwrap()).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn the_daemon_itself_and_the_first_process_are_never_ended() {
        let own = end(&open(std::process::id())).await.unwrap_err();
        assert!(own.contains("the daemon itself"), "{own}");
        let first = end(&open(1)).await.unwrap_err();
        assert!(first.contains("first process"), "{first}");
    }

    #[tokio::test]
    async fn a_process_is_ended_with_what_it_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo $!; wait"]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut said).unwrap();
        let below = open(said.trim().parse().unwrap());
        assert_eq!(end(&open(child.id())).await, Ok((2, Signal::TERM)));
        assert!(below.is_gone());
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn the_process_behind_a_connection_is_who_made_it() {
        let dir = tempfile::tempdir().unwrap();
        let listener = tokio::net::UnixListener::bind(dir.path().join("sock")).unwrap();
        let (client, server) =
            tokio::join!(UnixStream::connect(dir.path().join("sock")), listener.accept());
        let process = Process::behind(&server.unwrap().0).unwrap();
        assert_eq!(process.id(), getpid().as_raw_nonzero().get());
        assert!(!process.is_gone() && end(&process).await.is_err());
        drop(client);
    }
}
