//! A squad in a folder of its own, with a real daemon.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, DirBuilder, File, Permissions},
    os::unix::{
        fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use mc_proto::home::Home;
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::{Client, PATIENCE, program, until};

/// The operators' passphrase.
pub const PASSPHRASE: &str = "correct horse battery";

/// Its hash, with parameters that cost nothing.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$gLHIkr1qgP4r3sH1P/NIg3+PMckaLQ3RkuIiytJhVlY";

/// The secret of the operators' authenticators.
const TOTP: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// Returns the code that the operators' authenticators show so many steps of 30 s from now; each
/// is taken once, and those one step away are taken too.
#[expect(clippy::disallowed_methods, reason = "codes are of the machine's clock")]
pub fn code(steps: i64) -> String {
    let secret = totp_rs::Secret::try_from_base32(TOTP).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).with_digits(6).build().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    totp.generate(now.saturating_add_signed(steps * 30)).to_string()
}

/// An operator as `identity.toml` has one.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Their name.
    pub name: String,
    /// Their uid.
    pub uid: u32,
    /// `viewer`, `operator` or `admin`.
    pub role: &'static str,
}

/// What a squad is like.
#[derive(Debug, Clone)]
pub struct Setup {
    /// `single_user` or `system`.
    pub mode: &'static str,
    /// The operators.
    pub operators: Vec<Operator>,
    /// The agents' uids.
    pub agent_uids: Vec<u32>,
    /// Lines of `[limits]`.
    pub limits: String,
    /// Lines of `[emergency]`.
    pub emergency: String,
    /// The text of `policy.toml`.
    pub policy: String,
    /// Further lines of `identity.toml`.
    pub identity: String,
    /// Whether the operators have authenticators; see [`code`].
    pub has_factors: bool,
}

impl Default for Setup {
    fn default() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        Self {
            mode: "single_user",
            operators: vec![Operator { name: "ana".into(), uid, role: "admin" }],
            agent_uids: vec![uid],
            limits: "requests_per_second = 1000000\nburst = 1000000\n".into(),
            emergency: String::new(),
            // An agent of a test takes on, and makes, as much as the test wants.
            policy: "[agents]\ncapacity = 100\n[limits]\nopen_tasks_per_agent = 100000\n".into(),
            identity: String::new(),
            has_factors: false,
        }
    }
}

impl Setup {
    /// Leaves the limits of `config.toml` as the daemon has them.
    #[must_use]
    pub fn with_default_limits(mut self) -> Self {
        self.limits.clear();
        self
    }

    /// Writes the three files under `home`.
    pub fn write(&self, home: &Home) {
        for dir in [&home.config, &home.state, &home.run] {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).unwrap();
        }
        let limits = &self.limits;
        let emergency = &self.emergency;
        let config = format!(
            "squad = \"test\"\ntime_zone = \"UTC\"\n[limits]\n{limits}[emergency]\n{emergency}"
        );
        secret(&home.config.join("config.toml"), &config);
        secret(&home.config.join("policy.toml"), &self.policy);
        let mut identity = format!("mode = \"{}\"\n", self.mode);
        for Operator { name, uid, role } in &self.operators {
            write!(
                identity,
                "[[operator]]\nname = \"{name}\"\nuid = {uid}\nrole = \"{role}\"\n\
                 passphrase = \"{HASH}\"\n"
            )
            .unwrap();
            if self.has_factors {
                writeln!(identity, "totp = \"{TOTP}\"").unwrap();
            }
        }
        writeln!(identity, "[agents]\nuids = {:?}", self.agent_uids).unwrap();
        identity.push_str(&self.identity);
        secret(&home.config.join("identity.toml"), &identity);
    }
}

fn secret(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut options = File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A running squad; its daemon ends with it.
#[derive(Debug)]
pub struct Squad {
    dir: PathBuf,
    own: Option<tempfile::TempDir>,
    daemon: Option<Child>,
    tokens: BTreeMap<String, String>,
}

impl Default for Squad {
    fn default() -> Self {
        Self::new(&Setup::default())
    }
}

impl Squad {
    /// Sets a squad up in a new folder and starts its daemon.
    pub fn new(setup: &Setup) -> Self {
        Self::owning(tempfile::tempdir().unwrap(), setup)
    }

    /// Sets a squad up in a folder that goes with it and starts its daemon.
    pub fn owning(dir: tempfile::TempDir, setup: &Setup) -> Self {
        let mut squad = Self::in_dir(dir.path(), setup);
        squad.own = Some(dir);
        squad
    }

    /// Sets a squad up in `dir` and starts its daemon.
    pub fn in_dir(dir: &Path, setup: &Setup) -> Self {
        setup.write(&Home::under(dir));
        let mut squad =
            Self { dir: dir.to_path_buf(), own: None, daemon: None, tokens: BTreeMap::new() };
        squad.start();
        squad
    }

    /// Returns `mcctl` as an operator of the squad calls it, whatever the caller's own setting is.
    pub fn mcctl(&self) -> Command {
        let mut command = Command::new(program("mcctl"));
        command.arg("--home").arg(&self.dir);
        for name in ["MC_HOME", "MC_SOCKET", "MC_AGENT", "MC_TOKEN_FILE"] {
            command.env_remove(name);
        }
        command
    }

    /// Returns where everything of the squad lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns its directories.
    pub fn home(&self) -> Home {
        Home::under(&self.dir)
    }

    /// Returns the command that runs the daemon, its log appended to `mcd.log`.
    pub fn daemon_command(&self) -> Command {
        let log = File::options().append(true).create(true).open(self.dir.join("mcd.log"));
        let mut command = Command::new(program("mcd"));
        command.arg("run").arg("--home").arg(&self.dir);
        command.env_remove("NOTIFY_SOCKET").env_remove("JOURNAL_STREAM").env_remove("MC_HOME");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.unwrap());
        command
    }

    /// Starts the daemon and returns how long it took to its first answer.
    pub fn start(&mut self) -> Duration {
        self.start_as(self.daemon_command())
    }

    /// Starts the daemon by `command` and returns how long it took to its first answer.
    pub fn start_as(&mut self, mut command: Command) -> Duration {
        let began = Instant::now();
        self.daemon = Some(command.spawn().unwrap());
        let socket = self.home().operator_socket();
        until("the daemon answers", PATIENCE, || {
            let ended = self.daemon.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "the daemon ended: {ended:?}\n{}", self.log());
            Client::hello(&socket, None, None).ok()
        });
        began.elapsed()
    }

    /// Returns what the daemon logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("mcd.log")).unwrap_or_default()
    }

    /// Returns the daemon's process.
    pub fn pid(&self) -> Pid {
        let id = self.daemon.as_ref().expect("the daemon runs").id();
        i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id is positive")
    }

    /// Kills the daemon without a word.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    /// Asks the daemon to end and returns how it did.
    pub fn stop(&mut self) -> ExitStatus {
        rustix::process::kill_process(self.pid(), Signal::TERM).unwrap();
        self.ended(PATIENCE)
    }

    /// Waits for the daemon's end.
    pub fn ended(&mut self, within: Duration) -> ExitStatus {
        let mut daemon = self.daemon.take().expect("the daemon runs");
        until("the daemon ends", within, || daemon.try_wait().unwrap())
    }

    /// Connects as the operator, without a proof.
    pub fn operator(&self) -> Client {
        Client::hello(&self.home().operator_socket(), None, None).unwrap()
    }

    /// Connects as the notification helper.
    pub fn helper(&self) -> Client {
        Client::hello(&self.home().notify_socket(), None, None).unwrap()
    }

    /// Connects as the operator and proves the passphrase.
    pub fn human(&self) -> Client {
        let mut client = self.operator();
        client.unlock(PASSPHRASE);
        client
    }

    /// Registers an agent that works in `/w`; `more` are further parameters.
    pub fn register(&mut self, name: &str, autonomy: &str, more: &Value) {
        let mut params = json!({
            "name": name, "autonomy": autonomy, "runtime": "openclaw", "workspace": "/w",
            "daily_cap_uusd": 1_000_000_000, "run_cap_uusd": 1_000_000_000,
        });
        if let (Some(params), Some(more)) = (params.as_object_mut(), more.as_object()) {
            params.extend(more.clone());
        }
        let done = self.human().ok("agent.register", params);
        self.tokens.insert(name.to_owned(), done["token"].as_str().unwrap().to_owned());
    }

    /// Registers a specialist.
    pub fn specialist(&mut self, name: &str) {
        self.register(name, "specialist", &Value::Null);
    }

    /// Enrols an adapter that speaks for `agents`.
    pub fn enrol(&mut self, name: &str, agents: &[&str]) {
        let params = json!({"name": name, "runtime": "openclaw", "agents": agents});
        let done = self.human().ok("adapter.enrol", params);
        self.tokens.insert(name.to_owned(), done["token"].as_str().unwrap().to_owned());
    }

    /// Returns the token of an agent or adapter.
    pub fn token(&self, name: &str) -> &str {
        self.tokens.get(name).expect("the agent was registered here")
    }

    /// Connects as an agent.
    pub fn agent(&self, name: &str) -> Client {
        let socket = self.home().agent_socket();
        Client::hello(&socket, Some(name), Some(self.token(name))).unwrap()
    }

    /// Connects as an adapter.
    pub fn adapter(&self, name: &str) -> Client {
        Client::hello(&self.home().agent_socket(), None, Some(self.token(name))).unwrap()
    }

    /// Creates a task and brings it to `state`, in the hands of `agent`; returns its id and fence.
    pub fn task_in(&self, state: &str, agent: &mut Client, human: &mut Client) -> (String, Value) {
        let task = agent.ok("task.create", json!({"title": state, "type": "docs"}));
        let id = task["id"].as_str().unwrap().to_owned();
        let reason = json!({"task": id, "reason": "so"});
        match state {
            "inbox" => return (id, Value::Null),
            "canceled" => {
                human.ok("task.cancel", reason);
                return (id, Value::Null);
            }
            _ => {}
        }
        let fence = agent.ok("task.claim", json!({"task": id}))["fence"].clone();
        if state == "assigned" {
            return (id, fence);
        }
        let plan = json!({"task": id, "fence": fence, "work_plan": ["a", "b", "c"]});
        agent.ok("task.start", plan);
        match state {
            "in_progress" => {}
            "blocked" => drop(human.ok("task.block", reason)),
            "needs_approval" => {
                let ask = json!({"kind": "escalation", "summary": "which way?", "task": id,
                    "justification": "two ways"});
                agent.ok("approval.request", ask);
            }
            _ => {
                let review = Self::self_review(human, &id);
                let submit = json!({"task": id, "fence": fence, "deliverable": "the page",
                    "self_review": review});
                agent.ok("task.submit", submit);
                if state == "done" {
                    human.ok("task.complete", json!({"task": id, "note": "good"}));
                }
            }
        }
        (id, fence)
    }

    /// Returns the whole checklist of a task, checked.
    pub fn self_review(client: &mut Client, task: &str) -> Value {
        let detail = client.ok("task.get", json!({"task": task}));
        let items = detail["checklist"].as_array().unwrap();
        items.iter().map(|item| json!({"item": item, "checked": true})).collect()
    }

    /// Creates a task and brings it to In Progress in the hands of `agent`; returns its id.
    pub fn started_task(&self, agent: &mut Client) -> String {
        let task = agent.ok("task.create", json!({"title": "work", "type": "docs"}));
        let id = task["id"].as_str().unwrap().to_owned();
        let fence = agent.ok("task.claim", json!({"task": id}))["fence"].clone();
        let plan = json!({"task": id, "fence": fence, "work_plan": ["a", "b", "c"]});
        agent.ok("task.start", plan);
        id
    }

    /// Takes every lock off the doors, so that only the daemon itself keeps anybody out.
    pub fn open_doors(&self) {
        let home = self.home();
        let all = [home.agent_socket(), home.operator_socket(), home.notify_socket()];
        let sockets = all.each_ref().map(PathBuf::as_path);
        let dirs = sockets.iter().filter_map(|path| path.parent());
        for dir in dirs.chain([self.dir.as_path(), home.run.as_path()]) {
            fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
        }
        for socket in sockets {
            fs::set_permissions(socket, Permissions::from_mode(0o666)).unwrap();
        }
    }

    /// Sends frames to `socket` as the user `uid` and returns what comes back; the word of the
    /// trouble where there is no connection. The tests must run as root.
    pub fn as_user(&self, uid: u32, socket: &Path, frames: &[Value]) -> Vec<Value> {
        use std::io::Write as _;
        let own = tempfile::tempdir().unwrap();
        fs::set_permissions(own.path(), Permissions::from_mode(0o755)).unwrap();
        let knock = own.path().join("knock");
        fs::copy(program("knock"), &knock).unwrap();
        let mut command = Command::new(&knock);
        command.arg(socket).uid(uid).gid(uid).stdin(Stdio::piped()).stdout(Stdio::piped());
        // A copy that another thread's new process still holds can't be run for a moment.
        let mut child = until("it can be run", PATIENCE, || command.spawn().ok());
        let lines: Vec<String> = frames.iter().map(Value::to_string).collect();
        // Who is not let in does not read its input.
        child.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes()).ok();
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Opens the database beside the daemon.
    pub fn database(&self) -> rusqlite::Connection {
        let db = rusqlite::Connection::open(self.home().database()).unwrap();
        db.busy_timeout(PATIENCE).unwrap();
        db
    }
}

impl Drop for Squad {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // A daemon that ended by itself needs no signal.
            daemon.kill().ok();
            daemon.wait().ok();
        }
    }
}
