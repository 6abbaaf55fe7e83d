//! The daemon in this process, asked over its real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and its calls read well"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::Path,
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version, password_hash::SaltString};
use mc_proto::{
    home::Home,
    method::{Kind, METHODS, Who},
};
use mcd::daemon::{Daemon, DaemonConfig};
use serde_json::{Value, json};

const PASSPHRASE: &str = "open sesame";

struct Squad {
    daemon: Option<Daemon>,
    dir: tempfile::TempDir,
}

fn identity() -> String {
    let params = Params::new(8, 1, 1, None).unwrap();
    let salt = SaltString::encode_b64(b"0123456789abcdef").unwrap();
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon.hash_password(PASSPHRASE.as_bytes(), &salt).unwrap();
    let uid = rustix::process::getuid().as_raw();
    format!(
        "mode = \"single_user\"\n[[operator]]\nname = \"ada\"\nuid = {uid}\nrole = \"admin\"\n\
         passphrase = \"{hash}\"\n[agents]\nuids = [{uid}]\n"
    )
}

impl Squad {
    fn with_config(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::under(dir.path());
        fs::create_dir_all(&home.config).unwrap();
        let path = home.config.join("identity.toml");
        fs::write(&path, identity()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(home.config.join("config.toml"), config).unwrap();
        let daemon = Daemon::start(DaemonConfig::guest(home)).unwrap();
        Self { daemon: Some(daemon), dir }
    }

    fn new() -> Self {
        Self::with_config("")
    }

    fn home(&self) -> Home {
        Home::under(self.dir.path())
    }

    fn restart(&mut self) {
        self.daemon.take().unwrap().stop();
        self.daemon = Some(Daemon::start(DaemonConfig::guest(self.home())).unwrap());
    }

    fn operator(&self) -> Wire {
        let mut wire = Wire::connect(&self.home().operator_socket());
        wire.call("session.hello", hello()).unwrap();
        wire
    }

    fn admin(&self) -> Wire {
        let mut wire = self.operator();
        wire.call("session.unlock", json!({"passphrase": PASSPHRASE})).unwrap();
        wire
    }

    /// Registers an agent and connects as it.
    fn agent(&self, name: &str) -> Wire {
        let agent = json!({"name": name, "autonomy": "specialist", "runtime": "openclaw",
            "workspace": "/w"});
        let token = self.admin().call("agent.register", agent).unwrap()["token"].clone();
        let mut wire = Wire::connect(&self.home().agent_socket());
        let mut hello = hello();
        hello["token"] = token;
        wire.call("session.hello", hello).unwrap();
        wire
    }
}

fn hello() -> Value {
    json!({"protocol": 1, "client": {"name": "test", "version": "1"}})
}

struct Wire {
    stream: BufReader<UnixStream>,
    next_id: i64,
    others: Vec<Value>,
}

impl Wire {
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self { stream: BufReader::new(stream), next_id: 0, others: Vec::new() }
    }

    fn send(&mut self, line: &str) {
        self.stream.get_mut().write_all(line.as_bytes()).unwrap();
        self.stream.get_mut().write_all(b"\n").unwrap();
    }

    fn ask(&mut self, method: &str, params: &Value) -> i64 {
        self.next_id += 1;
        let request =
            json!({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params});
        self.send(&request.to_string());
        self.next_id
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: `{line}`"))
    }

    /// Reads until the answer comes; what else came is kept.
    fn answer(&mut self, id: i64) -> Result<Value, Value> {
        loop {
            let frame = self.line();
            if frame["id"] == id && frame.get("method").is_none() {
                return match frame.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(frame["result"].clone()),
                };
            }
            self.others.push(frame);
        }
    }

    fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.ask(method, &params);
        self.answer(id)
    }

    fn refused(&mut self, method: &str, params: Value) -> String {
        let error = self.call(method, params).unwrap_err();
        error["data"]["kind"].as_str().unwrap().to_owned()
    }

    /// Reads until the daemon itself sends `method`.
    fn until(&mut self, method: &str) -> Value {
        if let Some(at) = self.others.iter().position(|frame| frame["method"] == method) {
            return self.others.remove(at);
        }
        loop {
            let frame = self.line();
            if frame["method"] == method {
                return frame;
            }
            self.others.push(frame);
        }
    }

    /// Returns what comes until the daemon closes the connection.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.stream.read_to_string(&mut rest).unwrap();
        rest
    }
}

#[test]
fn no_human_method_is_known_on_the_agents_socket_with_any_parameters() {
    let squad = Squad::with_config("[limits]\nburst = 1000\n");
    let mut agent = squad.agent("wren");
    for row in METHODS.iter().filter(|row| row.who == Who::Human) {
        for params in [json!({}), json!({"reason": "x", "agent": "wren", "role": "admin"})] {
            assert_eq!(agent.refused(row.name, params), "unknown_method", "{}", row.name);
        }
    }
    let status = agent.call("squad.status", json!({})).unwrap();
    assert_eq!((&status["halted"], &status["squad"]["status"]), (&json!(false), &json!("running")));
}

#[test]
fn an_operator_without_a_passphrase_acts_only_where_no_level_is_needed() {
    let squad = Squad::new();
    drop(squad.agent("wren"));
    let mut operator = squad.operator();
    for row in METHODS.iter().filter(|row| row.who == Who::Agent) {
        let answer = operator.call(row.name, json!({})).unwrap_err();
        let kind = answer["data"]["kind"].as_str().unwrap().to_owned();
        assert_eq!(kind, "forbidden", "{}", row.name);
    }
    let create = json!({"title": "x", "type": "docs"});
    assert_eq!(operator.refused("task.create", create.clone()), "forbidden");
    let pause = json!({"agent": "wren", "reason": "slow"});
    operator.call("agent.pause", pause).unwrap();
    assert_eq!(
        operator.refused("agent.resume", json!({"agent": "wren", "reason": "x"})),
        "forbidden"
    );
    let wrong = operator.call("session.unlock", json!({"passphrase": "no"})).unwrap_err();
    assert_eq!(wrong["data"]["kind"], "forbidden");
    let again = operator.call("session.unlock", json!({"passphrase": PASSPHRASE})).unwrap_err();
    assert_eq!(again["data"]["kind"], "rate_limited");
    assert!(again["data"]["retry_after_ms"].as_u64().unwrap() <= 1000);
}

#[test]
fn the_first_frame_says_who_calls_or_ends_the_connection() {
    let squad = Squad::new();
    let path = squad.home().agent_socket();
    let frame = |params: Value| {
        json!({"jsonrpc": "2.0", "id": 1, "method": "session.hello", "params": params}).to_string()
    };
    let mut foreign = hello();
    foreign["token"] = json!("mct_unknown");
    let cases = [
        (json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string(), "unauthorized"),
        (frame(hello()), "unauthorized"),
        (frame(foreign), "unauthorized"),
        (frame(json!({"protocol": 2, "client": {"name": "x", "version": "1"}})), "invalid_params"),
        ("[]".to_owned(), "invalid_request"),
        ("x".repeat(4097), "too_large"),
    ];
    for (line, expected) in cases {
        let mut wire = Wire::connect(&path);
        wire.send(&line);
        let answer = wire.rest();
        assert!(answer.contains(&format!("\"kind\":\"{expected}\"")), "{line:.60}: {answer}");
    }
}

#[test]
fn bad_frames_are_answered_and_too_long_ones_end_the_connection() {
    let squad = Squad::new();
    let mut agent = squad.agent("wren");
    for (line, kind) in [
        ("nonsense", "parse"),
        ("", "parse"),
        (r#"{"jsonrpc":"2.0","method":"task.create","params":{}}"#, "invalid_request"),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, "invalid_request"),
        (r#"{"jsonrpc":"2.0","id":9,"result":{}}"#, "invalid_request"),
    ] {
        agent.send(line);
        assert_eq!(agent.line()["error"]["data"]["kind"], kind, "{line}");
    }
    agent.call("ping", json!({})).unwrap();
    let create =
        |text: usize| json!({"title": "x", "type": "docs", "description": "d".repeat(text)});
    assert_eq!(agent.refused("task.create", create(200_000)), "too_large");
    // The daemon may hang up before the last byte is taken.
    agent.stream.get_mut().write_all("x".repeat(256 * 1024 + 1).as_bytes()).ok();
    assert!(agent.rest().contains("\"too_large\""));
}

#[test]
fn pipelined_requests_are_all_answered() {
    let squad = Squad::with_config("[limits]\nburst = 100000\n");
    let mut agent = squad.agent("wren");
    let ids: Vec<i64> = (0..600)
        .map(|n| match n % 3 {
            0 => agent.ask("ping", &json!({})),
            1 => agent.ask("task.create", &json!({"title": "x", "type": "docs"})),
            _ => agent.ask("task.list", &json!({"limit": 1})),
        })
        .collect();
    let mut seen: Vec<i64> = (0..600).map(|_| agent.line()["id"].as_i64().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, ids);
}

#[test]
fn an_agent_that_asks_too_often_is_told_when_to_come_back() {
    let squad = Squad::with_config("[limits]\nburst = 3\nrequests_per_second = 1\n");
    let mut agent = squad.agent("wren");
    for _ in 0..3 {
        agent.call("ping", json!({})).unwrap();
    }
    let refused = agent.call("ping", json!({})).unwrap_err();
    assert_eq!(refused["data"]["kind"], "rate_limited");
    assert!((1..=1000).contains(&refused["data"]["retry_after_ms"].as_u64().unwrap()));
    squad.operator().call("ping", json!({})).unwrap();
}

#[test]
fn an_emergency_stop_holds_over_a_restart_until_an_admin_resumes() {
    let mut squad = Squad::new();
    let mut agent = squad.agent("wren");
    let receipt = squad.operator().call("squad.emergency_stop", json!({"reason": "fire"})).unwrap();
    assert_eq!(receipt["squad"]["status"], "halted");
    let check = json!({"tool": "read", "arguments": {"path": "a"}});
    let denied = agent.call("tool.check", check.clone()).unwrap();
    assert_eq!((&denied["decision"], &denied["rule"]), (&json!("deny"), &json!("squad.halted")));
    assert_eq!(agent.refused("run.start", json!({"session": "s"})), "halted");
    drop(agent);
    squad.restart();
    let mut operator = squad.operator();
    assert_eq!(operator.call("squad.status", json!({})).unwrap()["halted"], true);
    let resume = json!({"reason": "over"});
    assert_eq!(operator.refused("squad.emergency_resume", resume.clone()), "forbidden");
    squad.admin().call("squad.emergency_resume", resume).unwrap();
    assert_eq!(operator.call("squad.status", json!({})).unwrap()["halted"], false);
}

#[test]
fn money_for_a_model_call_is_let_through_before_a_stop_and_refused_after_it_without_the_writer() {
    let squad = Squad::with_config("[limits]\nburst = 10000\n");
    let mut agent = squad.agent("wren");
    let mut operator = squad.operator();
    let database = rusqlite::Connection::open(squad.home().database()).unwrap();
    let run = agent.call("run.start", json!({"session": "s"})).unwrap()["run"].clone();
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(50) {
        agent.call("ping", json!({})).unwrap();
    }
    let asked = Instant::now();
    let reserve = json!({"run": run, "amount_uusd": 1});
    assert_eq!(agent.call("run.reserve", reserve.clone()).unwrap()["decision"], "allow");
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    operator.call("squad.emergency_stop", json!({"reason": "fire"})).unwrap();
    let took = i64::try_from(asked.elapsed().as_millis()).unwrap();
    let report = operator.call("squad.status", json!({})).unwrap()["squad"]["stop"].clone();
    let last = report["last_allow_ms"].as_i64().unwrap();
    assert!((-took - 1..=0).contains(&last), "not the start of the run: {report}");
    assert_eq!(agent.refused("run.reserve", reserve), "halted");
    assert_eq!(agent.refused("run.start", json!({"session": "s"})), "halted");
    database.execute_batch("ROLLBACK").unwrap();
}

#[test]
fn a_stuck_writer_denies_checks_and_delays_no_stop() {
    let squad = Squad::new();
    let mut agent = squad.agent("wren");
    let mut operator = squad.operator();
    let database = rusqlite::Connection::open(squad.home().database()).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let check = json!({"tool": "read", "arguments": {"path": "/w/a"}});
    let id = agent.ask("tool.check", &check);
    agent.call("task.get", json!({"task": "T-1"})).unwrap_err();
    let late = agent.answer(id).unwrap();
    assert_eq!((&late["decision"], &late["rule"]), (&json!("deny"), &json!("daemon.late")));
    assert!((1900..4500).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    let asked = Instant::now();
    operator.call("squad.emergency_stop", json!({"reason": "stuck"})).unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert_eq!(agent.call("tool.check", check).unwrap()["rule"], "squad.halted");
    database.execute_batch("ROLLBACK").unwrap();
    operator.call("feed.subscribe", json!({"since": 0, "topics": ["squad_status"]})).unwrap();
    let item = operator.until("feed.item");
    assert_eq!(item["params"]["event"]["event"]["to"], "halted", "{item}");
    assert_eq!(item["params"]["event"]["actor"]["name"], "ada");
}

#[test]
fn who_says_nothing_or_speaks_slowly_is_cut() {
    let squad = Squad::new();
    let path = squad.home().operator_socket();
    let began = Instant::now();
    let mut silent = Wire::connect(&path);
    let mut slow = Wire::connect(&path);
    slow.stream.get_mut().write_all(b"{\"jsonrpc\":").unwrap();
    assert_eq!((silent.rest(), slow.rest()), (String::new(), String::new()));
    assert!((1900..4500).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    squad.operator().call("ping", json!({})).unwrap();
}

#[test]
fn a_held_call_goes_on_when_a_human_approves() {
    let squad = Squad::new();
    let mut agent = squad.agent("wren");
    let mut admin = squad.admin();
    admin.call("feed.subscribe", json!({"topics": ["approval"]})).unwrap();
    let check = json!({"tool": "exec", "arguments": {"command": "ship it"}, "wait_ms": 9000});
    let id = agent.ask("tool.check", &check);
    let item = admin.until("feed.item");
    let approval = item["params"]["event"]["event"]["approval"].clone();
    assert_eq!(item["params"]["event"]["event"]["kind"], "approval_requested", "{item}");
    let decision = json!({"approval": approval["id"], "rev": approval["rev"],
        "digest": approval["digest"]});
    admin.call("approval.approve", decision).unwrap();
    let checked = agent.answer(id).unwrap();
    assert_eq!(checked["decision"], "allow", "{checked}");
    assert!(checked["lease_expires_at"].is_string());
    let awaited = json!({"approval": approval["id"], "wait_ms": 9000});
    let began = Instant::now();
    agent.call("tool.await", awaited).unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "what is decided is not waited for");
}

#[test]
fn a_feed_replays_then_follows_without_a_gap_or_a_repetition() {
    let squad = Squad::with_config("[limits]\nburst = 100000\n");
    let mut agent = squad.agent("wren");
    let mut create = |count: usize| {
        for _ in 0..count {
            agent.call("task.create", json!({"title": "x", "type": "docs"})).unwrap();
        }
    };
    create(300);
    let mut operator = squad.operator();
    operator.call("feed.subscribe", json!({"since": 0})).unwrap();
    create(20);
    let head = squad.operator().call("ping", json!({})).unwrap()["head"].as_i64().unwrap();
    let mut next = 1;
    while next <= head {
        assert_eq!(operator.until("feed.item")["params"]["seq"], next);
        next += 1;
    }
    assert!(operator.until("beat")["params"]["head"].as_i64().unwrap() > 0);
}

#[test]
fn a_runtime_gets_its_orders_and_notices() {
    let squad = Squad::new();
    drop(squad.agent("wren"));
    let mut admin = squad.admin();
    let enrol = json!({"name": "gateway", "runtime": "openclaw", "agents": ["wren"]});
    let token = admin.call("adapter.enrol", enrol).unwrap()["token"].clone();
    let mut adapter = Wire::connect(&squad.home().agent_socket());
    let mut hello = hello();
    hello["token"] = token;
    let known = adapter.call("session.hello", hello).unwrap();
    assert_eq!(known["actor"]["agents"], json!(["wren"]));
    let attach = |agent: &str| {
        json!({"runtime": "openclaw", "version": "1", "agents": [agent],
            "capabilities": ["abort", "deliver"]})
    };
    assert_eq!(adapter.refused("runtime.attach", attach("kestrel")), "forbidden");
    adapter.call("runtime.attach", attach("wren")).unwrap();
    let beat = json!({"agent": "kestrel"});
    assert_eq!(adapter.refused("agent.heartbeat", beat), "forbidden");

    let task = json!({"title": "x", "type": "docs", "assignees": ["wren"]});
    admin.call("task.create", task).unwrap();
    let order = adapter.until("runtime.deliver");
    assert_eq!(order["params"]["agent"], "wren");
    adapter.send(&json!({"jsonrpc": "2.0", "id": order["id"], "result": {}}).to_string());

    admin.call("agent.pause", json!({"agent": "wren", "reason": "lunch"})).unwrap();
    let order = adapter.until("runtime.abort");
    assert_eq!(
        (&order["params"]["agent"], &order["params"]["reason"]),
        (&json!("wren"), &json!("lunch"))
    );
    let id = order["id"].clone();
    adapter.send(&json!({"jsonrpc": "2.0", "id": id, "result": {"ended": true}}).to_string());

    let began = Instant::now();
    let receipt = admin.call("squad.emergency_stop", json!({"reason": "fire"})).unwrap();
    assert_eq!(receipt["agents"][0]["told"], true, "{receipt}");
    adapter.until("runtime.abort");
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_revoked_token_ends_its_connections() {
    let squad = Squad::new();
    let mut agent = squad.agent("wren");
    agent.call("feed.subscribe", json!({})).unwrap();
    let mut admin = squad.admin();
    admin.call("agent.revoke_token", json!({"agent": "wren"})).unwrap();
    agent.rest();
}

#[test]
fn a_stop_by_hand_holds_and_is_recorded() {
    let squad = Squad::new();
    let mut agent = squad.agent("wren");
    let mut operator = squad.operator();
    operator.call("feed.subscribe", json!({"topics": ["squad_status"]})).unwrap();
    fs::write(squad.home().halt_file(), b"1").unwrap();
    let item = operator.until("feed.item");
    assert_eq!(item["params"]["event"]["event"]["to"], "halted", "{item}");
    let check = json!({"tool": "read", "arguments": {"path": "/w/a"}});
    assert_eq!(agent.call("tool.check", check).unwrap()["rule"], "squad.halted");
}

#[test]
fn a_stop_set_while_the_daemon_is_away_is_not_cleared_by_hand() {
    let acts: [fn(&Path); 2] =
        [|file| fs::write(file, "0").unwrap(), |file| fs::remove_file(file).unwrap()];
    for act in acts {
        let mut squad = Squad::new();
        squad.daemon.take().unwrap().stop();
        let file = squad.home().halt_file();
        fs::write(&file, "1 `mcd halt` by uid 0").unwrap();
        act(&file);
        squad.daemon = Some(Daemon::start(DaemonConfig::guest(squad.home())).unwrap());
        let mut agent = squad.agent("wren");
        let check = json!({"tool": "read", "arguments": {"path": "/w/a"}});
        assert_eq!(agent.call("tool.check", check).unwrap()["rule"], "squad.halted");
    }
}

#[test]
fn long_texts_are_masked_before_the_writer_and_what_follows_comes_after_them() {
    let squad = Squad::new();
    let mut agent = squad.agent("wren");
    let secrets = "token=hunter2abc ".repeat(4000 - 200);
    let create = |text: &str| json!({"title": "x", "type": "docs", "description": text});
    let long = agent.ask("task.create", &create(&secrets[..60_000]));
    let short = agent.ask("task.create", &create("short"));
    let mut answers = [agent.line(), agent.line()];
    answers.sort_by_key(|answer| answer["id"].as_i64());
    assert_eq!([long, short], [1, 2].map(|at| answers[at - 1]["id"].as_i64().unwrap()));
    let tasks = answers.map(|answer| answer["result"].clone());
    assert_eq!(tasks.clone().map(|task| task["id"].clone()), ["T-1", "T-2"].map(|id| json!(id)));
    assert!(tasks[0]["description"].as_str().unwrap().starts_with("token=‹secret:assignment#"));
    let write = json!({"tool": "write", "arguments": {"path": "/w/output/a", "content": secrets}});
    let asked = agent.call("tool.check", write.clone()).unwrap();
    assert_eq!((&asked["decision"], &asked["rule"]), (&json!("ask"), &json!("secret.argument")));
    let again = agent.call("tool.check", write).unwrap();
    assert_eq!(again["approval"], asked["approval"], "the same question");
    let mut admin = squad.admin();
    for (method, params) in [
        ("approval.get", json!({"approval": asked["approval"]})),
        ("tool.list", json!({})),
        ("audit.export", json!({})),
        ("task.get", json!({"task": "T-1"})),
    ] {
        let shown = admin.call(method, params).unwrap().to_string();
        assert!(shown.contains("‹secret:assignment#") && !shown.contains("hunter2"), "{method}");
    }
}

#[test]
fn a_second_daemon_is_refused_at_once() {
    let squad = Squad::new();
    let began = Instant::now();
    let refused = Daemon::start(DaemonConfig::guest(squad.home())).unwrap_err();
    assert_eq!(refused.exit_code(), 1, "{refused}");
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_broken_policy_changes_nothing_and_is_shown() {
    let squad = Squad::new();
    let mut admin = squad.admin();
    admin.call("feed.subscribe", json!({"topics": ["policy"]})).unwrap();
    let path = squad.home().config.join("policy.toml");
    let get = |wire: &mut Wire| wire.call("policy.get", json!({})).unwrap();
    let before = get(&mut admin)["version"].clone();
    fs::write(&path, "[tools]\nalow = []\n").unwrap();
    let began = Instant::now();
    let shown = loop {
        let policy = get(&mut admin);
        if policy["refused"].is_array() {
            break policy;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "the file is not looked at");
        std::thread::yield_now();
    };
    assert_eq!((&shown["version"], &shown["refused"][0]["line"]), (&before, &json!(2)));
    // A good file that an agent's user could have written counts only once a person says so.
    let good = "[tools]\nallow = [\"read\"]\n";
    fs::write(&path, good).unwrap();
    let params = json!({"toml": good, "note": "reading is enough"});
    admin.call("policy.activate", params).unwrap();
    let item = admin.until("feed.item");
    assert_eq!(item["params"]["event"]["event"]["kind"], "policy_activated");
    let began = Instant::now();
    while get(&mut admin).get("refused").is_some() {
        assert!(began.elapsed() < Duration::from_secs(5), "the good file is not looked at");
        std::thread::yield_now();
    }
}

#[test]
fn queries_and_commands_are_all_routed() {
    let squad = Squad::new();
    let mut admin = squad.admin();
    // What the helper may ask has a socket of its own.
    let ours = |who: Who| matches!(who, Who::All | Who::Human);
    for row in METHODS.iter().filter(|row| ours(row.who) && row.kind == Kind::Query) {
        if let Err(error) = admin.call(row.name, json!({})) {
            assert_eq!(error["data"]["kind"], "invalid_params", "{}: {error}", row.name);
        }
    }
}
