//! What the disk says about a call, looked up before the writer sees it: where links lead, where
//! programs lie, what scripts hold. A file system that hangs holds up nobody but its own call.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, BufRead as _, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mc_core::{
    agent::AgentName,
    approval::Approval,
    canonical,
    policy::{self, Call, Facts, Wanted, Within},
};
use mc_proto::method::{Request, agent, run::Check};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::{sync::Semaphore, time::timeout};

use super::{Server, levels::look};
use crate::caller::Caller;

/// How long the disk may take; what is not known by then is asked for.
const DEADLINE: Duration = Duration::from_millis(500);
/// How many look-ups run at once: those that hang take a thread each until they end.
const AT_ONCE: usize = 16;
/// The largest script that is hashed anew each time; a larger one is a program.
const SCRIPT_BYTES: u64 = 4 * 1024 * 1024;
/// The largest program that is hashed.
const PROGRAM_BYTES: u64 = 256 * 1024 * 1024;
/// How much of a file is read at once.
const BLOCK_BYTES: usize = 64 * 1024;
/// How many programs' hashes are kept.
const PROGRAMS_KEPT: usize = 256;
/// How long an agent's workspace is taken as known, in milliseconds.
const WORKSPACE_MS: i64 = 1000;
/// Where programs are looked for, in this order.
const PROGRAM_DIRS: &[&str] = &["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// The way to the disk.
#[derive(Debug)]
pub(super) struct Disk {
    turns: Arc<Semaphore>,
    workspaces: Mutex<HashMap<AgentName, (i64, Option<String>)>>,
    programs: Arc<Hashes>,
}

/// Hashes of programs, each as long as its file is the same: a program is hashed once, not at
/// every call. The change time can't be set by who may not change the system.
#[derive(Debug, Default)]
struct Hashes(Mutex<HashMap<Same, String>>);

/// What tells one file, unchanged, from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Same {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Same {
    fn of(about: &fs::Metadata) -> Self {
        Self {
            device: about.dev(),
            inode: about.ino(),
            size: about.size(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        }
    }
}

impl Hashes {
    /// Returns SHA-256 of the program at `path`.
    fn of(&self, path: &Path) -> Option<String> {
        let same = Same::of(&fs::metadata(path).ok()?);
        let known = |hashes: &Self| {
            let kept = hashes.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(&same).cloned()
        };
        if let Some(hash) = known(self) {
            return Some(hash);
        }
        let hash = hash(path, PROGRAM_BYTES)?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= PROGRAMS_KEPT {
            kept.clear();
        }
        kept.insert(same, hash.clone());
        Some(hash)
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            workspaces: Mutex::default(),
            programs: Arc::default(),
        }
    }
}

/// Returns what the disk must tell about a call that is asked for; nothing for most.
pub(super) fn wanted(server: &Server, caller: &Caller, params: &Check) -> Wanted {
    let Some(agent) = &caller.agent else { return Wanted::default() };
    let place = (params.cwd.as_deref(), caller.home.as_deref());
    wanted_by(server, (caller, agent), (&params.tool, &params.arguments), place)
}

/// Returns what the disk must tell about the call of an approval, with `arguments` or its own:
/// what was looked up when it was asked is looked up again.
pub(super) fn wanted_again(
    server: &Server,
    caller: &Caller,
    (asked, arguments): (&Approval, Option<&Value>),
) -> Wanted {
    if asked.call.is_none() {
        return Wanted::default();
    }
    let statement = &asked.statement;
    let place = (statement.cwd.as_deref(), statement.home.as_deref().or(caller.home.as_deref()));
    let act = (statement.tool.as_str(), arguments.unwrap_or(&statement.arguments));
    let mut wanted = wanted_by(server, (caller, &asked.agent), act, place);
    if arguments.is_none() {
        wanted.paths.extend(statement.links.iter().map(|(path, _)| path.clone()));
        wanted.scripts.extend(statement.scripts.iter().map(|(path, _)| path.clone()));
    }
    wanted
}

fn wanted_by(
    server: &Server,
    (caller, agent): (&Caller, &AgentName),
    (tool, arguments): (&str, &Value),
    (cwd, home): (Option<&str>, Option<&str>),
) -> Wanted {
    let workspace = workspace(server, caller, agent);
    let cwd = cwd.or(workspace.as_deref());
    let call = Call { tool, arguments, cwd, home, facts: Facts::NONE };
    let policy = server.live().policy();
    let scoped = policy.at(Within { agent: Some(agent.as_str()), ..Within::default() });
    policy::wanted(scoped, &call, workspace.as_deref())
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
    let turns = Arc::clone(&server.disk.turns);
    let programs = Arc::clone(&server.disk.programs);
    // Many calls at once wait for their turn: a busy moment is no reason to ask a person.
    let looked = async move {
        let turn = turns.acquire_owned().await.ok()?;
        let look = move || {
            let facts = find(&wanted, &programs);
            drop(turn);
            facts
        };
        tokio::task::spawn_blocking(look).await.ok()
    };
    let late = || Facts { is_late: true, ..Facts::default() };
    timeout(DEADLINE, looked).await.ok().flatten().unwrap_or_else(late)
}

fn find(wanted: &Wanted, hashes: &Hashes) -> Facts {
    let links = wanted.paths.iter().filter_map(|path| {
        let real = real(Path::new(path))?.into_os_string().into_string().ok()?;
        (real != *path).then(|| (path.clone(), real))
    });
    let links: BTreeMap<String, String> = links.collect();
    let programs = wanted.programs.iter().filter_map(|name| Some((name.clone(), program(name)?)));
    let programs: BTreeMap<String, String> = programs.collect();
    let program_hashes = programs
        .iter()
        .filter_map(|(name, path)| Some((name.clone(), hashes.of(Path::new(path))?)))
        .collect();
    let scripts = wanted.scripts.iter().filter_map(|path| {
        let place = links.get(path).unwrap_or(path);
        let place = Path::new(place);
        Some((path.clone(), hash(place, SCRIPT_BYTES).or_else(|| hashes.of(place))?))
    });
    let scripts = scripts.collect();
    Facts { links, programs, program_hashes, scripts, is_late: false }
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

/// Returns SHA-256 of a plain file of at most `limit` bytes; a pipe or a device is never opened for
/// good.
fn hash(path: &Path, limit: u64) -> Option<String> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).ok()?;
    let file = File::options().read(true).custom_flags(flags).open(path).ok()?;
    let about = file.metadata().ok()?;
    if !about.is_file() || about.len() > limit {
        return None;
    }
    let mut file = io::BufReader::with_capacity(BLOCK_BYTES, file.take(limit + 1));
    let (mut hash, mut read) = (Sha256::new(), 0);
    loop {
        let block = file.fill_buf().ok()?;
        if block.is_empty() {
            break;
        }
        hash.update(block);
        let length = block.len();
        read += u64::try_from(length).ok()?;
        file.consume(length);
    }
    (read <= limit).then(|| canonical::hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn facts(paths: &[&Path], scripts: &[&Path]) -> Facts {
        let texts = |paths: &[&Path]| paths.iter().map(|path| path.display().to_string()).collect();
        let wanted = Wanted { paths: texts(paths), scripts: texts(scripts), ..Wanted::default() };
        find(&wanted, &Hashes::default())
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
    fn a_program_is_hashed_again_only_when_its_file_was_changed() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("tool");
        fs::write(&place, "one").unwrap();
        let hashes = Hashes::default();
        assert_eq!(hashes.of(&place), Some(canonical::sha256_hex(b"one")));
        assert_eq!(hashes.of(&place), Some(canonical::sha256_hex(b"one")));
        assert_eq!(hashes.0.lock().unwrap().len(), 1);
        fs::write(&place, "two").unwrap();
        assert_eq!(hashes.of(&place), Some(canonical::sha256_hex(b"two")));
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
