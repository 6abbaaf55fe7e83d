//! A daemon's store in a folder in memory, with time, tokens and nonces from a seed, and the faults
//! that it must outlive.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use mc_core::{
    actor::{Actor, Level, Role},
    time::Timestamp,
};
use mc_proto::{error::ErrorKind, home::Home, method::Request};
use mcd::{
    caller::{Caller, Factor, SystemCommand, Work},
    clock::{Clock as _, FixedClock},
    halt::Halt,
    live::{Live, Setup},
    random::Random,
    store::{Answer, Store},
};
use serde_json::Value;

use crate::dice::Dice;

/// When every history begins.
const BEGIN_MS: i64 = 1_790_000_000_000;
/// Any key; it only has to be the same for the same seed.
const MASK_KEY: [u8; 32] = [7; 32];

/// Tokens and nonces of a seed.
struct Seeded(Mutex<Dice>);

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        let mut dice = self.0.lock().unwrap();
        bytes.fill_with(|| u8::try_from(dice.roll(256)).unwrap());
        Ok(())
    }
}

/// A store, the folder that it lives in, and its clock.
pub(crate) struct World {
    dir: tempfile::TempDir,
    seed: u64,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) store: Store,
}

/// How a daemon ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// It is told to, and folds its log.
    Clean,
    /// It is killed between two commands.
    Killed,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let dir = folder();
        let home = Home::under(dir.path());
        fs::create_dir_all(&home.state).unwrap();
        let key = home.state.join("mask.key");
        fs::write(&key, MASK_KEY).unwrap();
        allow_owner_only(&key);
        let world = Self::open(dir, seed, BEGIN_MS);
        world.system(SystemCommand::SetUp { name: "squad".into() }).unwrap();
        world
    }

    fn open(dir: tempfile::TempDir, seed: u64, now_ms: i64) -> Self {
        let home = Home::under(dir.path());
        let clock = Arc::new(FixedClock::new(Timestamp(now_ms)));
        let live = Live::new(clock.clone(), Halt::open(&home.halt_file()), Setup::default())
            .with_random(Seeded(Mutex::new(Dice::new(seed))));
        live.set_day(day(&clock));
        let store = Store::open(&home, Arc::new(live)).unwrap();
        let by_ms = -store.behind_ms();
        let world = Self { dir, seed, clock, store };
        if by_ms < -5000 {
            world.system(SystemCommand::ClockJumped { by_ms }).unwrap();
        }
        world
    }

    /// Ends the daemon and starts the next, which sees the clock `by_ms` later or earlier. What was
    /// answered is there.
    pub(crate) fn again(self, end: End, by_ms: i64) -> Self {
        let head = self.store.live().head();
        let now_ms = self.clock.now().0 + by_ms;
        // Each daemon has numbers of its own, as a real one would.
        let seed = self.seed.wrapping_mul(31).wrapping_add(7);
        let dir = match end {
            End::Clean => {
                self.store.shutdown();
                self.dir
            }
            End::Killed => copy(self.dir.path()),
        };
        let next = Self::open(dir, seed, now_ms);
        assert!(next.store.live().head() >= head, "an acknowledged event is lost");
        next
    }

    /// Carries out `work` and loses power while its last page was being written: it is gone, and
    /// all before it is there.
    pub(crate) fn torn(self, work: impl FnOnce(&Self), dice: &mut Dice) -> Self {
        let before = self.store.live().head();
        let log = |world: &Self| fs::read(wal(world.dir.path())).unwrap_or_default();
        let was = log(&self);
        work(&self);
        let after = self.store.live().head();
        let now_ms = self.clock.now().0;
        let is = log(&self);
        let differs = |at: &usize| was.get(*at) != is.get(*at);
        let range = (0..is.len()).find(differs).zip((0..is.len()).rev().find(differs));
        let dir = copy(self.dir.path());
        let Some((first, last)) = range else {
            assert_eq!(before, after, "something is durable that no log holds");
            return Self::open(dir, self.seed + 1, now_ms);
        };
        let cut = first + dice.roll(last - first + 1);
        let mut torn = is[..cut].to_vec();
        torn.extend(was.get(cut..).unwrap_or_default());
        fs::write(wal(dir.path()), torn).unwrap();
        let next = Self::open(dir, self.seed + 1, now_ms);
        // The start itself may have recorded that the clock stands elsewhere.
        assert!(next.store.live().head() <= before + 1, "half a command is there");
        assert!(next.store.live().head() >= before, "an acknowledged event is lost");
        next
    }

    pub(crate) fn system(&self, command: SystemCommand) -> Answer {
        self.work(Work::System(command))
    }

    fn work(&self, work: Work) -> Answer {
        self.store.submit(work).unwrap().blocking_recv().unwrap()
    }

    /// Turns the clock and lets the daemon look at it, as it does each second.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.store.live().set_day(day(&self.clock));
        self.system(SystemCommand::Tick).unwrap();
    }

    /// Asks as `who` (`None` is an admin); a refused command leaves no trace.
    pub(crate) fn ask(
        &self,
        who: Option<&str>,
        method: &str,
        params: &Value,
    ) -> Result<Value, ErrorKind> {
        let raw = serde_json::value::to_raw_value(params).unwrap();
        let (request, common) = Request::parse(method, Some(&raw)).unwrap();
        let caller = who.map_or_else(human, agent);
        let before = self.store.live().head();
        let answer = if request.info().kind == mc_proto::method::Kind::Query {
            self.store.query(&caller, &request)
        } else {
            self.work(Work::Request {
                caller: Box::new(caller),
                request: Box::new(request),
                idempotency_key: common.idempotency_key,
                facts: Box::default(),
            })
        };
        let answer = answer.map(|json| serde_json::from_str(&json).unwrap());
        answer.map_err(|error| {
            assert_eq!(self.store.live().head(), before, "{method} was refused and left a trace");
            assert_ne!(error.kind(), ErrorKind::Unavailable, "{method}: {error}");
            error.kind()
        })
    }

    /// Says what a query answers.
    pub(crate) fn see(&self, method: &str, params: &Value) -> Value {
        self.ask(None, method, params).unwrap()
    }

    /// The last event's hash: two histories with the same one are the same, event by event.
    pub(crate) fn head_hash(&self) -> String {
        let verified = self.see("audit.verify", &serde_json::json!({}));
        assert_eq!(verified["clean"], true, "{verified}");
        verified["head_hash"].as_str().unwrap().to_owned()
    }

    /// Asserts that the journal alone gives the same tables.
    pub(crate) fn rebuilds(self) {
        self.store.shutdown();
        let path = Home::under(self.dir.path()).database();
        let written = dump(&path);
        mcd::store::rebuild(&path).unwrap();
        let rebuilt = dump(&path);
        for (written, rebuilt) in written.iter().zip(&rebuilt) {
            assert_eq!(written, rebuilt, "seed {}", self.seed);
        }
        assert_eq!(written.len(), rebuilt.len());
    }
}

/// Everything that is projected: all tables but the journal and what only a daemon keeps.
fn dump(path: &Path) -> Vec<String> {
    let db = rusqlite::Connection::open(path).unwrap();
    let mut names = db
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
             AND name NOT IN ('journal', 'refinery_schema_history', 'answers', 'inputs', 'blobs', 'stored_bytes')
             AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name",
        )
        .unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut rows = Vec::new();
    for table in names.map(Result::unwrap) {
        let mut statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let found = statement.query_map([], |row| {
            let values: Vec<_> =
                (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
            Ok(format!("{table}: {}", values.join(" | ")))
        });
        let mut found: Vec<_> = found.unwrap().map(Result::unwrap).collect();
        found.sort();
        rows.extend(found);
    }
    rows
}

fn wal(dir: &Path) -> PathBuf {
    let mut path = Home::under(dir).database().into_os_string();
    path.push("-wal");
    path.into()
}

/// Copies what a kill leaves behind. The log comes before the database: what is folded meanwhile is
/// in both.
fn copy(from: &Path) -> tempfile::TempDir {
    let to = folder();
    let (old, new) = (Home::under(from), Home::under(to.path()));
    fs::create_dir_all(&new.state).unwrap();
    let mut files: Vec<_> = fs::read_dir(&old.state).unwrap().map(|file| file.unwrap()).collect();
    files.sort_by_key(|file| !file.file_name().to_string_lossy().ends_with("-wal"));
    for file in files.iter().filter(|file| file.file_type().unwrap().is_file()) {
        if file.file_name().to_string_lossy().ends_with("-shm") {
            continue;
        }
        let target = new.state.join(file.file_name());
        fs::copy(file.path(), &target).unwrap();
        let changed = file.metadata().unwrap().modified().unwrap();
        // The halt file's time of change is part of what it says.
        fs::File::options().append(true).open(&target).unwrap().set_modified(changed).unwrap();
    }
    to
}

fn allow_owner_only(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn day(clock: &FixedClock) -> String {
    clock.now().to_jiff().unwrap().to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

fn human() -> Caller {
    caller(Actor::human("ana", Level::L3), Some(Role::Admin))
}

fn agent(name: &str) -> Caller {
    Caller { agent: Some(name.parse().unwrap()), ..caller(Actor::agent(name), None) }
}

fn caller(actor: Actor, role: Option<Role>) -> Caller {
    Caller {
        actor,
        role,
        agent: None,
        adapter: None,
        connection: 1,
        factor: Factor::None,
        home: None,
    }
}
