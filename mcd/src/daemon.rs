//! Assembles the daemon: lock, halt, store, policy, server, workers. Also used inside of another
//! process, with a clock of its own.

use std::{fs::File, io, path::PathBuf, sync::Arc};

use mc_core::{budget::BudgetDay, squad::SquadStatus};
use mc_proto::{
    home::Home,
    method::{
        Request,
        admin::{PolicyGet, PolicyVersion},
    },
};

use crate::{
    caller::{SystemCommand, Work},
    clock::{Clock, JUMP_MS, SystemClock},
    config::{Config, ConfigError},
    findings,
    halt::Halt,
    identity::{Identity, Mode},
    live::{Live, Setup},
    policy::{self, PolicyFile},
    prices,
    server::{
        Server,
        listeners::{self, ListenError, Sides, Sockets},
    },
    store::{Store, StoreError},
    workers::{self, Setting},
};

/// Exit code for a disk that fails.
pub const EXIT_IO: u8 = 74;
/// Exit code for a configuration or database that can't be used.
pub const EXIT_CONFIG: u8 = 78;

/// Whose process the daemon runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// Its own: signals and the service manager are heard.
    Own,
    /// Another program's.
    Guest,
}

/// How a daemon is started.
pub struct DaemonConfig {
    /// Where everything lies.
    pub home: Home,
    /// The daemon's time.
    pub clock: Arc<dyn Clock>,
    /// Whose process it is.
    pub host: Host,
}

impl std::fmt::Debug for DaemonConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DaemonConfig").field("home", &self.home).finish_non_exhaustive()
    }
}

impl DaemonConfig {
    /// Returns how a daemon runs inside of another program, on the machine's clock.
    pub fn guest(home: Home) -> Self {
        Self { home, clock: Arc::new(SystemClock), host: Host::Guest }
    }
}

/// Why the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A socket can't be made, or another daemon runs.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread or socket can't be had.
    #[error("the daemon can't start: {0}")]
    Io(#[from] io::Error),
}

impl StartError {
    /// Returns what the process exits with.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Listen(ListenError::Locked(_)) => 1,
            Self::Config(_)
            | Self::Listen(ListenError::TooLong(_))
            | Self::Store(
                StoreError::NewerSchema { .. }
                | StoreError::Foreign { .. }
                | StoreError::Damaged(_)
                | StoreError::Json(_)
                | StoreError::OldSqlite(_),
            ) => EXIT_CONFIG,
            Self::Store(_) | Self::Io(_) | Self::Listen(ListenError::Io { .. }) => EXIT_IO,
        }
    }
}

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    server: Arc<Server>,
    sides: Option<Sides>,
    _lock: File,
}

impl Daemon {
    /// Starts a daemon; when this returns, it answers.
    ///
    /// # Errors
    ///
    /// Any [`StartError`]; nothing is left running.
    pub fn start(setup: DaemonConfig) -> Result<Self, StartError> {
        let DaemonConfig { home, clock, host } = setup;
        let mut config = Config::load(&home)?;
        let identity = Identity::load(&home)?;
        config.limits.agent_connections =
            config.limits.agent_connections.min(descriptors_for_agents(&config));
        let lock = listeners::lock(&home)?;
        let sockets = match host {
            Host::Own => Sockets::adopt()?,
            Host::Guest => None,
        };
        let (store, day) = open_store(&home, clock, &identity, &config)?;
        if host == Host::Own {
            store.live().ballast.lay(&home.state.join("ballast"), config.limits.ballast_bytes);
        }
        let sockets = match sockets {
            Some(sockets) => sockets,
            None => Sockets::bind(&home, identity.mode, &lock)?,
        };
        let (server, stops) = Server::new(store, identity, &config, &home.state);
        let server = Arc::new(server);
        let is_process = host == Host::Own;
        let setting = Setting { server: Arc::clone(&server), home, config, day, is_process };
        let sides = sockets.serve(&server, workers::run(setting, stops))?;
        tracing::info!(head = server.live().head(), "ready");
        Ok(Self { server, sides: Some(sides), _lock: lock })
    }

    /// Returns what lives outside of the database.
    pub fn live(&self) -> &Arc<Live> {
        self.server.live()
    }

    /// Returns the store, for programs that seed or look at it from the inside.
    pub fn store(&self) -> &Store {
        &self.server.store
    }

    /// Waits until somebody stops the daemon.
    pub fn wait(mut self) {
        self.finish();
    }

    /// Stops the daemon: what was taken is answered, the log is folded into the database.
    pub fn stop(mut self) {
        self.server.stop();
        self.finish();
    }

    fn finish(&mut self) {
        if let Some(sides) = self.sides.take() {
            sides.join();
            self.server.store.shutdown();
            tracing::info!("stopped");
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.server.stop();
        self.finish();
    }
}

/// Opens the store and brings the state outside of it up to date.
fn open_store(
    home: &Home,
    clock: Arc<dyn Clock>,
    identity: &Identity,
    config: &Config,
) -> Result<(Store, BudgetDay), StartError> {
    // The file is made before the database: where there is one, there was a file.
    let is_new = home.database().try_exists().is_ok_and(|exists| !exists);
    let open = if is_new { Halt::open } else { Halt::reopen };
    let halt = open(&home.halt_file());
    // Before the store, which may take its time: adapters look all the while.
    listeners::show_halt_file(home, identity.mode)?;
    let setup = Setup {
        shared_uid: identity.has_shared_uid(),
        single_user: identity.mode == Mode::SingleUser,
    };
    let live = Arc::new(Live::new(clock, halt, setup));
    live.set_zone(config.zone());
    if let Some(prices) = prices::load(home)? {
        live.set_prices(prices.into());
    }
    live.protect(policy::own_places(home));
    let store = Store::open(home, Arc::clone(&live))?;
    let day = workers::day(&store, &config.zone());
    live.set_day(day.day().to_owned());
    if live.head() == 0 || config.squad != "squad" {
        run(&store, SystemCommand::SetUp { name: config.squad.clone() })?;
    }
    let now = Box::new(identity.record());
    // Also with a full disk the daemon answers; then it is recorded at the next start.
    if let Err(error) = run(&store, SystemCommand::Govern { by_uid: identity.owner, now }) {
        tracing::error!(%error, "who governs has changed and is not recorded");
    }
    // What can't be proven fresh is expired: the clock was set back while nobody watched it.
    if store.behind_ms() > JUMP_MS {
        run(&store, SystemCommand::ClockJumped { by_ms: -store.behind_ms() })?;
    }
    start_policy(home, &store, &identity.agents.uids)?;
    hold_what_is_recorded(&store);
    Ok((store, day))
}

/// Holds a stop that the record knows of, though somebody cleared its file.
fn hold_what_is_recorded(store: &Store) {
    let is_halted = store.squad().map_or(true, |squad| squad.status == SquadStatus::Halted);
    if is_halted && !store.live().halt.is_set() {
        tracing::error!("the halt file was cleared by hand: the stop in the record goes on");
        if let Err(error) = store.live().halt.set("the record says that everything is stopped") {
            tracing::error!(%error, "the halt file could not be written");
        }
    }
}

/// Brings the policy into force that was recorded last; at the first start that of the file. What
/// the file says by now counts only where no agent can have written it.
fn start_policy(home: &Home, store: &Store, agents: &[u32]) -> Result<(), StartError> {
    let path = PolicyFile::path(home);
    let last = last_policy(store);
    let is_in_force = last.as_ref().is_some_and(|last| store.live().activate(&last.text));
    let file = match PolicyFile::read(home, agents) {
        Ok(file) => file,
        Err(source) => return Err(ConfigError::Unreadable { path, source }.into()),
    };
    match policy::parse(&file.text) {
        Ok(_) => {
            store.live().set_policy_file(file.text.clone());
            let counts = !is_in_force || file.is_trusted;
            run(store, file.command(counts))
        }
        Err(wrong) => {
            let error = ConfigError::wrong(&path, &wrong);
            if !is_in_force {
                return Err(error.into());
            }
            tracing::error!(%error, "the policy file is refused; the recorded one is in force");
            store.live().set_refused_policy(wrong);
            Ok(())
        }
    }
}

/// Returns the policy that was recorded last.
fn last_policy(store: &Store) -> Option<PolicyVersion> {
    let get = Request::PolicyGet(PolicyGet { version: None });
    let json = store.query(&workers::system(), &get).ok()?;
    let version: PolicyVersion = serde_json::from_str(&json).ok()?;
    (version.version > 0).then_some(version)
}

/// Has the writer carry a command out before the daemon answers anybody.
fn run(store: &Store, command: SystemCommand) -> Result<(), StartError> {
    let refused = |error: mc_proto::error::RpcError| io::Error::other(error.message);
    let answer = store.submit(Work::System(command)).map_err(refused)?;
    let answer = answer.blocking_recv().map_err(io::Error::other)?;
    answer.map(drop).map_err(|error| refused(error).into())
}

/// Returns how many connections of agents leave enough descriptors for operators and files.
fn descriptors_for_agents(config: &Config) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    limit.saturating_sub(config.limits.operator_connections + 64).max(8)
}

/// Checks configuration, identity, policy, database and modes without starting; returns what is
/// wrong, one line each.
pub fn check(home: &Home) -> Vec<String> {
    let mut found = Vec::new();
    if let Err(error) = Config::load(home) {
        found.push(error.to_string());
    }
    if let Err(error) = Identity::load(home) {
        found.push(error.to_string());
    }
    if let Err(error) = prices::load(home) {
        found.push(error.to_string());
    }
    let path = home.config.join("policy.toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let name = path.display().to_string();
            let wrong = policy::validate(&text).findings;
            found.extend(wrong.iter().map(|finding| findings::line(&name, finding)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => found.push(format!("{}: {error}", path.display())),
    }
    found.extend([&home.config, &home.state, &home.run].into_iter().filter_map(too_open));
    let database = home.database();
    if database.exists()
        && let Err(error) = crate::store::verify(&database)
    {
        found.push(error.to_string());
    }
    found
}

/// Says that others can write into a directory.
fn too_open(dir: &PathBuf) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(dir).ok()?.permissions().mode() & 0o777;
    let dir = dir.display();
    (mode & 0o022 != 0)
        .then(|| format!("{dir} has mode {mode:o}: others can write; `chmod go-w {dir}`"))
}
