//! The demo: a real daemon inside this process, on a directory of its own, with a squad that works.
//!
//! It never touches a real squad: its sockets lie in a fresh directory that is removed at the end.

mod agent;
mod squad;

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread::JoinHandle,
};

use mc_proto::home::Home;
use mcd::daemon::{Daemon, DaemonConfig};
use tokio::sync::oneshot;

/// The hash of the demo's passphrase: a public one needs no slow hash.
const HASH: &str = "$argon2id$v=19$m=8192,t=1,p=1$bWlzc2lvbi1jb250cm9sIQ$lZwosd9U+nTuiSQgNnA9rIJgt+0o9QnnIg5GJHRP24c";

/// Where a demo answers.
#[derive(Debug, Clone)]
pub struct Address {
    /// The operators' socket.
    pub socket: PathBuf,
    /// Its halt file.
    pub halt_file: PathBuf,
}

/// A running demo; it ends when this is dropped.
#[derive(Debug)]
pub struct Demo {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Demo {
    /// Starts a demo; its address comes through the receiver, or why there is none.
    pub fn start() -> (Self, oneshot::Receiver<Result<Address, String>>) {
        let (tell, address) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || live(tell, stopped));
        (Self { stop: Some(stop), thread: Some(thread) }, address)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // A demo that has ended by itself need not be told.
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            // A demo that panicked has ended too.
            thread.join().ok();
        }
    }
}

/// Lives through a whole demo, on a thread of its own.
fn live(tell: oneshot::Sender<Result<Address, String>>, stopped: oneshot::Receiver<()>) {
    let started = Folder::new().map_err(|error| error.to_string()).and_then(|folder| {
        let home = Home::under(&folder.0);
        let daemon = Daemon::start(DaemonConfig::guest(home.clone()));
        daemon.map(|daemon| (folder, home, daemon)).map_err(|error| error.to_string())
    });
    let (folder, home, daemon) = match started {
        Ok(started) => started,
        Err(error) => {
            // Nobody listens when the console has ended meanwhile.
            tell.send(Err(error)).ok();
            return;
        }
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async {
        let address = Address { socket: home.operator_socket(), halt_file: home.halt_file() };
        let played = async {
            let squad = squad::seed(&home).await;
            tell.send(Ok(address)).ok();
            match squad {
                Ok(squad) => squad.play().await,
                // The daemon is there all the same, with what was seeded so far.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = played => {}
            _ = stopped => {}
        }
    });
    runtime.shutdown_background();
    daemon.stop();
    drop(folder);
}

/// A directory of our own that goes away with us.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let base = std::env::temp_dir();
        let mut number = 0;
        let path = loop {
            let path = base.join(format!("mc-demo-{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 100 => {
                    number += 1;
                }
                Err(error) => return Err(error),
            }
        };
        let folder = Self(path);
        folder.fill()?;
        Ok(folder)
    }

    /// Writes what a squad needs: who the operator is, and the name.
    fn fill(&self) -> io::Result<()> {
        let config = Home::under(&self.0).config;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&config)?;
        let uid = rustix::process::geteuid().as_raw();
        let identity = format!(
            "mode = \"single_user\"\n\n[[operator]]\nname = \"you\"\nuid = {uid}\nrole = \"admin\"\n\
             passphrase = \"{HASH}\"\n\n[agents]\nuids = [{uid}]\n"
        );
        write(&config.join("identity.toml"), &identity)?;
        write(&config.join("config.toml"), "squad = \"demo\"\nlog = \"off\"\n")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed lies in the system's folder for temporary files.
        fs::remove_dir_all(&self.0).ok();
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    use io::Write as _;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
