//! What the disk says about a call, looked up before the writer sees it: where links lead, where
//! programs lie, what scripts hold. A file system that hangs holds up nobody but its own call.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::Read as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use mc_core::{
    agent::AgentName,
    canonical,
    policy::{self, Call, Facts, Wanted},
};
use mc_proto::method::{Request, agent, run::Check};
use serde::Deserialize;
use tokio::{sync::Semaphore, time::timeout};

use super::{Server, levels::look};
use crate::caller::Caller;

/// How long the disk may take; what is not known by then is asked for.
const DEADLINE: Duration = Duration::from_millis(500);
/// How many look-ups run at once: those that hang take a thread each until they end.
const AT_ONCE: usize = 16;
/// The largest script that is hashed.
const SCRIPT_BYTES: u64 = 4 * 1024 * 1024;
/// How long an agent's workspace is taken as known, in milliseconds.
const WORKSPACE_MS: i64 = 1000;
/// Where programs are looked for, in this order.
const PROGRAM_DIRS: &[&str] = &["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// The way to the disk.
#[derive(Debug)]
pub(super) struct Disk {
    turns: std::sync::Arc<Semaphore>,
    workspaces: Mutex<HashMap<AgentName, (i64, Option<String>)>>,
}

impl Default for Disk {
    fn default() -> Self {
        Self { turns: std::sync::Arc::new(Semaphore::new(AT_ONCE)), workspaces: Mutex::default() }
    }
}

/// Returns what the disk must tell about a call; nothing for most.
pub(super) fn wanted(server: &Server, caller: &Caller, params: &Check) -> Wanted {
    let Some(agent) = &caller.agent else { return Wanted::default() };
    let workspace = workspace(server, caller, agent);
    let call = Call {
        tool: &params.tool,
        arguments: &params.arguments,
        cwd: params.cwd.as_deref().or(workspace.as_deref()),
        home: caller.home.as_deref(),
        facts: Facts::NONE,
    };
    policy::wanted(&server.live().policy(), &call, workspace.as_deref())
}

fn workspace(server: &Server, caller: &Caller, agent: &AgentName) -> Option<String> {
    #[derive(Deserialize)]
    struct Seen {
        #[serde(default)]
        workspace: Option<String>,
    }
    let now = server.live().clock.elapsed_ms();
    let mut known = server.disk.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, workspace)) = known.get(agent).filter(|(at, _)| now - at < WORKSPACE_MS) {
        return workspace.clone();
    }
    let get = Request::AgentGet(agent::Get { agent: agent.clone() });
    let seen: Option<Seen> = look(&server.store, caller, &get).ok();
    let workspace = seen.and_then(|seen| seen.workspace);
    known.insert(agent.clone(), (now, workspace.clone()));
    workspace
}

/// Looks things up; what could not be looked up in time makes the call one to be asked for.
pub(super) async fn look_up(server: &Server, wanted: Wanted) -> Facts {
    let turns = std::sync::Arc::clone(&server.disk.turns);
    // Many calls at once wait for their turn: a busy moment is no reason to ask a person.
    let looked = async move {
        let turn = turns.acquire_owned().await.ok()?;
        let look = move || {
            let facts = find(&wanted);
            drop(turn);
            facts
        };
        tokio::task::spawn_blocking(look).await.ok()
    };
    let late = || Facts { is_late: true, ..Facts::default() };
    timeout(DEADLINE, looked).await.ok().flatten().unwrap_or_else(late)
}

fn find(wanted: &Wanted) -> Facts {
    let links = wanted.paths.iter().filter_map(|path| {
        let real = real(Path::new(path))?.into_os_string().into_string().ok()?;
        (real != *path).then(|| (path.clone(), real))
    });
    let links: BTreeMap<String, String> = links.collect();
    let programs = wanted.programs.iter().filter_map(|name| Some((name.clone(), program(name)?)));
    let scripts = wanted.scripts.iter().filter_map(|path| {
        let place = links.get(path).unwrap_or(path);
        Some((path.clone(), hash(Path::new(place))?))
    });
    let (programs, scripts) = (programs.collect(), scripts.collect());
    Facts { links, programs, scripts, is_late: false }
}

/// Follows the links of the part of a path that is there.
fn real(path: &Path) -> Option<PathBuf> {
    for place in path.ancestors() {
        match place.canonicalize() {
            Ok(found) => {
                return Some(below(found, path.strip_prefix(place).ok()?));
            }
            // A link to something that is not there leads out all the same.
            Err(_) => {
                if let Ok(target) = fs::read_link(place) {
                    let from = place.parent()?;
                    return Some(below(
                        real(&normal(&from.join(target)))?,
                        path.strip_prefix(place).ok()?,
                    ));
                }
            }
        }
    }
    None
}

/// Returns `rest` below `top`, which may be nothing.
fn below(top: PathBuf, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { top } else { top.join(rest) }
}

/// Takes `.` and `..` out of a path.
fn normal(path: &Path) -> PathBuf {
    use std::path::Component;
    path.components().fold(PathBuf::new(), |mut whole, part| {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => whole.push(part),
        }
        whole
    })
}

fn program(name: &str) -> Option<String> {
    let places = PROGRAM_DIRS.iter().map(|dir| Path::new(dir).join(name));
    let found = places.into_iter().find(|place| place.is_file())?;
    found.canonicalize().ok()?.into_os_string().into_string().ok()
}

/// Returns SHA-256 of a plain file; a pipe or a device is never opened for good.
fn hash(path: &Path) -> Option<String> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).ok()?;
    let file = File::options().read(true).custom_flags(flags).open(path).ok()?;
    let about = file.metadata().ok()?;
    if !about.is_file() || about.len() > SCRIPT_BYTES {
        return None;
    }
    let mut content = Vec::new();
    file.take(SCRIPT_BYTES + 1).read_to_end(&mut content).ok()?;
    let fits = u64::try_from(content.len()).is_ok_and(|size| size <= SCRIPT_BYTES);
    fits.then(|| canonical::sha256_hex(&content))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn facts(paths: &[&Path], scripts: &[&Path]) -> Facts {
        let texts = |paths: &[&Path]| paths.iter().map(|path| path.display().to_string()).collect();
        find(&Wanted { paths: texts(paths), scripts: texts(scripts), ..Wanted::default() })
    }

    #[test]
    fn links_are_followed_also_those_that_lead_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        fs::create_dir(top.join("in")).unwrap();
        symlink("/etc/passwd", top.join("in/a")).unwrap();
        symlink("../out", top.join("in/b")).unwrap();
        symlink("/", top.join("in/c")).unwrap();
        let led = |name: &str| {
            let path = top.join("in").join(name);
            facts(&[&path], &[]).links.get(&path.display().to_string()).cloned()
        };
        assert_eq!(led("a").as_deref(), Some("/etc/passwd"));
        assert_eq!(led("b"), Some(top.join("out").display().to_string()));
        assert_eq!(led("c/etc/new").as_deref(), Some("/etc/new"));
        assert_eq!(led("new/file"), None, "as it is written");
    }

    #[test]
    fn scripts_are_hashed_and_nothing_else_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("x.sh");
        fs::write(&script, "ls\n").unwrap();
        let before = facts(&[], &[&script]).scripts;
        assert_eq!(before.values().next(), Some(&canonical::sha256_hex(b"ls\n")));
        fs::write(&script, "rm -rf x\n").unwrap();
        assert_ne!(facts(&[], &[&script]).scripts, before);
        assert!(facts(&[], &[Path::new("/dev/zero"), Path::new("/nowhere")]).scripts.is_empty());
    }

    #[test]
    fn programs_lie_in_standard_directories() {
        assert!(
            program("sh")
                .is_some_and(|place| place.starts_with("/usr/bin/") || place.starts_with("/bin/"))
        );
        assert_eq!(program("no-such-program-here"), None);
    }
}
