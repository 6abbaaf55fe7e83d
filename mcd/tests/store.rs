//! The store: real migrations, real files; a refusal leaves no trace; rebuilt tables are equal.
#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::{path::Path, sync::Arc, time::Duration};

use mc_core::{
    actor::{Actor, Level, Role},
    time::Timestamp,
};
use mc_proto::{error::ErrorKind, home::Home, method::Request};
use mcd::{
    caller::{Caller, SystemCommand, Work},
    clock::FixedClock,
    halt::Halt,
    live::{Live, Setup},
    store::{Answer, Store, StoreError},
};
use serde_json::{Value, json};

#[path = "store/alerts.rs"]
mod alerts;
#[path = "store/assigning.rs"]
mod assigning;
#[path = "store/bounds.rs"]
mod bounds;
#[path = "store/circles.rs"]
mod circles;
#[path = "store/clock.rs"]
mod clock;
#[path = "store/day.rs"]
mod day;
#[path = "store/ends.rs"]
mod ends;
#[path = "store/hands.rs"]
mod hands;
#[path = "store/inputs.rs"]
mod inputs;
#[path = "store/life.rs"]
mod life;
#[path = "../../tests/src/nightly.rs"]
mod nightly;
#[path = "store/schedules.rs"]
mod schedules;
#[path = "store/stop.rs"]
mod stop;
#[path = "store/stopped.rs"]
mod stopped;
#[path = "store/storage.rs"]
mod storage;

struct Bench {
    dir: tempfile::TempDir,
    clock: Arc<FixedClock>,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        Self::in_dir(tempfile::tempdir().unwrap())
    }

    fn in_dir(dir: tempfile::TempDir) -> Self {
        Self::at(dir, 1_790_000_000_000)
    }

    fn at(dir: tempfile::TempDir, now_ms: i64) -> Self {
        Self::in_zone(dir, now_ms, "UTC")
    }

    fn in_zone(dir: tempfile::TempDir, now_ms: i64, zone: &str) -> Self {
        let home = Home::under(dir.path());
        std::fs::create_dir_all(&home.state).unwrap();
        let clock = Arc::new(FixedClock::new(Timestamp(now_ms)));
        let live = Live::new(clock.clone(), Halt::open(&home.halt_file()), Setup::default());
        live.set_day("2026-09-21".to_owned());
        live.set_zone(jiff::tz::TimeZone::get(zone).unwrap());
        let store = Store::open(&home, Arc::new(live)).unwrap();
        Self { dir, clock, store }
    }

    fn again(self) -> Self {
        self.store.shutdown();
        Self::in_dir(self.dir)
    }

    fn path(&self) -> std::path::PathBuf {
        Home::under(self.dir.path()).database()
    }

    fn work(&self, work: Work) -> Answer {
        self.store.submit(work).unwrap().blocking_recv().unwrap()
    }

    fn system(&self, command: SystemCommand) {
        self.work(Work::System(command)).unwrap();
    }

    fn ask(&self, caller: &Caller, method: &str, params: Value) -> Result<Value, ErrorKind> {
        let raw = serde_json::value::to_raw_value(&params).unwrap();
        let (request, common) = Request::parse(method, Some(&raw)).map_err(|e| e.kind())?;
        let answer = if request.info().kind == mc_proto::method::Kind::Query {
            self.store.query(caller, &request)
        } else {
            self.work(Work::Request {
                caller: Box::new(caller.clone()),
                request: Box::new(request),
                idempotency_key: common.idempotency_key,
                facts: Box::default(),
            })
        };
        answer.map(|json| serde_json::from_str(&json).unwrap()).map_err(|error| {
            println!("{method}: {error}: {:?}", error.data.fields);
            error.kind()
        })
    }

    fn human(&self, method: &str, params: Value) -> Result<Value, ErrorKind> {
        self.ask(&human(), method, params)
    }

    fn agent(&self, method: &str, params: Value) -> Result<Value, ErrorKind> {
        self.ask(&agent("wren"), method, params)
    }

    fn with_agent() -> Self {
        let bench = Self::new();
        bench.system(SystemCommand::SetUp { name: "squad".into() });
        bench
            .human(
                "agent.register",
                json!({"name": "wren", "autonomy": "specialist", "runtime": "openclaw", "workspace": "/w"}),
            )
            .unwrap();
        bench
    }

    /// Brings a task of wren to In Progress.
    fn started(&self) -> i64 {
        let task = self.agent("task.create", json!({"title": "x", "type": "docs"})).unwrap();
        let id = task["id"].clone();
        let fence = self.agent("task.claim", json!({"task": id})).unwrap()["fence"].clone();
        let plan = json!({"task": id, "fence": fence, "work_plan": ["a", "b", "c"]});
        self.agent("task.start", plan).unwrap();
        id.as_str().unwrap()[2..].parse().unwrap()
    }

    fn dump(&self) -> Vec<String> {
        let db = rusqlite::Connection::open(self.path()).unwrap();
        let tables = [
            "tasks",
            "task_assignees",
            "agents",
            "adapters",
            "tokens",
            "runs",
            "tool_calls",
            "approvals",
            "messages",
            "artifacts",
            "alerts",
            "notifications",
            "squad",
            "stopped_tasks",
            "policies",
            "operators",
            "task_schedules",
            "occurrences",
        ];
        let mut rows = Vec::new();
        for table in tables {
            let mut statement =
                db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
            let columns = statement.column_count();
            let found = statement.query_map([], |row| {
                let values: Vec<_> =
                    (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
                Ok(format!("{table}: {}", values.join(" | ")))
            });
            rows.extend(found.unwrap().map(Result::unwrap));
        }
        rows
    }
}

fn human() -> Caller {
    Caller {
        actor: Actor::human("ana", Level::L3),
        role: Some(Role::Admin),
        agent: None,
        adapter: None,
        connection: 1,
        factor: mcd::caller::Factor::None,
        home: None,
    }
}

fn agent(name: &str) -> Caller {
    Caller {
        actor: Actor::agent(name),
        role: None,
        agent: Some(name.parse().unwrap()),
        adapter: None,
        connection: 2,
        factor: mcd::caller::Factor::None,
        home: None,
    }
}

const EXEC: &str = "exec";

fn exec(command: &str) -> Value {
    json!({"tool": EXEC, "arguments": {"command": command}, "session": "agent:wren:main"})
}

#[test]
fn a_task_walks_from_inbox_to_done() {
    let bench = Bench::with_agent();
    let id = format!("T-{}", bench.started());
    let detail = bench.human("task.get", json!({"task": id})).unwrap();
    let review: Vec<Value> = detail["checklist"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| json!({"item": item, "checked": true}))
        .collect();
    let submit = json!({"task": id, "deliverable": "the page", "self_review": review});
    let moved = bench.agent("task.submit", submit).unwrap();
    assert_eq!(moved["task"]["state"], "review");
    let complete = json!({"task": id, "note": "good"});
    assert_eq!(bench.agent("task.complete", complete.clone()), Err(ErrorKind::TransitionRefused));
    let moved = bench.human("task.complete", complete).unwrap();
    assert_eq!(moved["task"]["state"], "done");
    assert_eq!(moved["task"]["decision"]["by"], "ana");
    let answers = bench.human("task.answers", json!({"task": id})).unwrap();
    for answer in ["what", "who", "why", "cost", "next"] {
        assert!(!answers[answer]["text"].as_str().unwrap().is_empty(), "{answers}");
    }
    let timeline = bench.human("task.timeline", json!({"task": id})).unwrap();
    assert!(timeline["total"].as_i64().unwrap() >= 5);
}

#[test]
fn a_shell_call_waits_and_its_approval_is_used_once() {
    let bench = Bench::with_agent();
    bench.started();
    let checked = bench.agent("tool.check", exec("ship")).unwrap();
    assert_eq!(
        (checked["decision"].as_str(), checked["risk"].as_str()),
        (Some("ask"), Some("red"))
    );
    let id = checked["approval"].clone();
    let again = bench.agent("tool.check", exec("ship")).unwrap();
    assert_eq!(again["approval"], id, "an identical call joins");
    let detail = bench.human("approval.get", json!({"approval": id})).unwrap();
    let mut yes = json!({"approval": id, "rev": detail["rev"], "digest": "0".repeat(64)});
    assert_eq!(bench.human("approval.approve", yes.clone()), Err(ErrorKind::Conflict));
    yes["digest"] = detail["digest"].clone();
    bench.human("approval.approve", yes.clone()).unwrap();
    assert_eq!(bench.human("approval.approve", yes), Err(ErrorKind::Conflict), "decided once");
    let awaited = bench.agent("tool.await", json!({"approval": id})).unwrap();
    assert_eq!(awaited["decision"], "allow");
    let same = json!({"approval": id, "call": awaited["call"]});
    let lost = bench.agent("tool.await", same).unwrap();
    assert_eq!(lost["decision"], "allow", "the same lease again, to the same call");
    let joined = json!({"approval": id, "call": again["call"]});
    assert_eq!(bench.agent("tool.await", joined).unwrap()["decision"], "deny", "one call, not two");
    assert_eq!(bench.agent("tool.await", json!({"approval": id})).unwrap()["decision"], "deny");
    bench.clock.advance(Duration::from_secs(11));
    let late = bench.agent("tool.await", json!({"approval": id})).unwrap();
    assert_eq!(late["decision"], "deny");
    let next = bench.agent("tool.check", exec("ship")).unwrap();
    assert_ne!(next["approval"], id, "a second run is asked anew");
}

#[test]
fn a_dropped_call_is_told_and_repeats_once() {
    let bench = Bench::with_agent();
    let task = bench.started();
    let checked = bench.agent("tool.check", exec("ship")).unwrap();
    bench.agent("tool.drop", json!({"call": checked["call"]})).unwrap();
    let task_now = bench.human("task.get", json!({"task": format!("T-{task}")})).unwrap();
    assert_eq!(task_now["state"], "needs_approval");
    let id = checked["approval"].clone();
    let detail = bench.human("approval.get", json!({"approval": id})).unwrap();
    let yes = json!({"approval": id, "rev": detail["rev"], "digest": detail["digest"]});
    bench.human("approval.approve", yes).unwrap();
    let task_now = bench.human("task.get", json!({"task": format!("T-{task}")})).unwrap();
    assert_eq!(task_now["state"], "in_progress");
    let beat = bench.agent("agent.heartbeat", json!({})).unwrap();
    let kinds: Vec<_> =
        beat["notifications"].as_array().unwrap().iter().map(|n| &n["kind"]).collect();
    assert!(kinds.contains(&&json!("approval_decided")), "{kinds:?}");
    assert_eq!(beat["decisions"][0]["id"], id);
    assert_eq!(
        bench.agent("tool.check", exec("ship ")).unwrap()["decision"],
        "ask",
        "one byte more"
    );
    assert_eq!(bench.agent("tool.check", exec("ship")).unwrap()["decision"], "allow");
    assert_eq!(bench.agent("tool.check", exec("ship")).unwrap()["decision"], "ask", "used once");
}

#[test]
fn a_stop_refuses_everything_until_it_is_resumed() {
    let bench = Bench::with_agent();
    let task = format!("T-{}", bench.started());
    let checked = bench.agent("tool.check", exec("ship")).unwrap();
    bench.store.live().halt.set("fire").unwrap();
    let by = Actor::human("ana", Level::L0);
    bench.system(SystemCommand::Halt { by, reason: "fire".into() });
    let read = json!({"tool": "read", "arguments": {"path": "/w/a"}});
    assert_eq!(bench.agent("tool.check", read.clone()).unwrap()["decision"], "deny");
    assert_eq!(bench.agent("run.start", json!({"session": "s"})), Err(ErrorKind::Halted));
    let awaited = bench.agent("tool.await", json!({"approval": checked["approval"]})).unwrap();
    assert_eq!(awaited["decision"], "deny");
    assert_eq!(bench.human("task.get", json!({"task": task})).unwrap()["state"], "blocked");

    let bench = bench.again();
    assert!(bench.store.live().halt.is_set(), "the stop survives a restart");
    bench.human("squad.emergency_resume", json!({"reason": "over"})).unwrap();
    bench.store.live().halt.clear().unwrap();
    assert_eq!(bench.human("task.get", json!({"task": task})).unwrap()["state"], "in_progress");
    assert_eq!(bench.agent("tool.check", read).unwrap()["decision"], "allow");
}

#[test]
fn an_idempotency_key_answers_once_even_after_a_restart() {
    let bench = Bench::with_agent();
    let create = |title: &str| json!({"title": title, "type": "docs", "idempotency_key": "k"});
    let first = bench.agent("task.create", create("x")).unwrap();
    assert_eq!(bench.agent("task.create", create("x")).unwrap(), first);
    assert_eq!(bench.agent("task.create", create("y")), Err(ErrorKind::Conflict));
    let bench = bench.again();
    assert_eq!(bench.agent("task.create", create("x")).unwrap(), first);
    assert_eq!(bench.human("task.list", json!({})).unwrap()["total"], 1);
}

#[test]
fn a_refusal_leaves_no_trace_and_gives_its_numbers_back() {
    let bench = Bench::with_agent();
    let head = bench.store.live().head();
    let bad = json!({"title": "", "type": "nothing", "priority": 9});
    assert_eq!(bench.human("task.create", bad), Err(ErrorKind::InvalidParams));
    assert_eq!(bench.store.live().head(), head);
    let task = bench.human("task.create", json!({"title": "x", "type": "docs"})).unwrap();
    assert_eq!(task["id"], "T-1");
}

#[test]
fn an_adapter_that_names_no_agent_is_nobody() {
    let bench = Bench::with_agent();
    let adapter = Caller {
        actor: Actor::agent("plugin"),
        agent: None,
        adapter: Some("plugin".parse().unwrap()),
        ..agent("wren")
    };
    let lead = json!({"name": "crow", "autonomy": "lead", "runtime": "other", "can_spawn": true});
    assert_eq!(bench.ask(&adapter, "agent.register", lead), Err(ErrorKind::InvalidParams));
    let task = json!({"title": "x", "type": "docs", "assignees": ["wren"]});
    assert_eq!(bench.ask(&adapter, "task.create", task), Err(ErrorKind::InvalidParams));
}

#[test]
fn a_call_serves_only_a_task_of_its_agent() {
    let bench = Bench::with_agent();
    bench.human("task.create", json!({"title": "x", "type": "docs"})).unwrap();
    let call = json!({"tool": "exec", "arguments": {"command": "x"}, "task": "T-1"});
    assert_eq!(bench.agent("tool.check", call), Err(ErrorKind::Forbidden));
}

#[test]
fn a_repeated_key_never_repeats_an_allow() {
    let bench = Bench::with_agent();
    let read = json!({"tool": "read", "arguments": {"path": "/w/a"}, "idempotency_key": "k"});
    assert_eq!(bench.agent("tool.check", read.clone()).unwrap()["decision"], "allow");
    bench.human("agent.pause", json!({"agent": "wren", "reason": "wait"})).unwrap();
    assert_eq!(bench.agent("tool.check", read).unwrap()["decision"], "deny");
}

#[test]
fn an_older_fence_is_refused() {
    let bench = Bench::with_agent();
    let task = bench.agent("task.create", json!({"title": "x", "type": "docs"})).unwrap();
    let id = task["id"].clone();
    let first = bench.agent("task.claim", json!({"task": id})).unwrap()["fence"].clone();
    bench.agent("task.claim", json!({"task": id})).unwrap();
    let start = json!({"task": id, "fence": first, "work_plan": ["a", "b", "c"]});
    assert_eq!(bench.agent("task.start", start), Err(ErrorKind::Conflict));
}

#[test]
fn rebuilt_tables_equal_the_written_ones_and_the_chain_is_clean() {
    let bench = Bench::with_agent();
    let task = format!("T-{}", bench.started());
    let checked = bench.agent("tool.check", exec("ship")).unwrap();
    bench.agent("tool.drop", json!({"call": checked["call"]})).unwrap();
    let run = bench.agent("run.start", json!({"session": "s", "external_id": "r1"}));
    let run = run.unwrap()["run"].clone();
    let usage = json!({"run": run, "model": "m", "input_tokens": 10, "output_tokens": 5, "cost_uusd": 700_000});
    assert_eq!(bench.agent("run.usage", usage).unwrap()["state"], "warn");
    bench.agent("run.finish", json!({"run": run, "status": "succeeded"})).unwrap();
    bench.human("message.post", json!({"task": task, "text": "@wren hello"})).unwrap();
    let put = json!({"task": task, "name": "a.md", "text": "password=hunter2secret99"});
    bench.agent("artifact.put", put).unwrap();
    bench.human("agent.quarantine", json!({"agent": "wren", "reason": "why not"})).unwrap();
    let verified = bench.human("audit.verify", json!({})).unwrap();
    assert_eq!(verified["clean"], true, "{verified}");
    bench.store.shutdown();
    let written = bench.dump();
    mcd::store::rebuild(&bench.path()).unwrap();
    let rebuilt = bench.dump();
    assert_eq!(written, rebuilt);
    assert!(written.len() > 10);
}

#[test]
fn a_changed_row_of_the_journal_is_found() {
    let bench = Bench::with_agent();
    bench.started();
    bench.store.shutdown();
    let db = rusqlite::Connection::open(bench.path()).unwrap();
    db.execute("UPDATE journal SET body = replace(body, 'wren', 'crow') WHERE seq = 3", [])
        .unwrap();
    drop(db);
    let verified = mcd::store::verify(&bench.path()).unwrap();
    assert!(!verified.clean);
    assert!(verified.findings[0].starts_with("e3:"), "{:?}", verified.findings);
}

#[test]
fn foreign_newer_and_broken_files_are_refused_unchanged() {
    let refused = |prepare: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::under(dir.path());
        std::fs::create_dir_all(&home.state).unwrap();
        prepare(&home.database());
        let before = std::fs::read(home.database()).unwrap();
        let clock = Arc::new(FixedClock::new(Timestamp(0)));
        let live = Live::new(clock, Halt::open(&home.halt_file()), Setup::default());
        let error = Store::open(&home, Arc::new(live)).expect_err("must be refused");
        assert_eq!(std::fs::read(home.database()).unwrap(), before, "{error}");
        error
    };
    let foreign = refused(&|path| {
        rusqlite::Connection::open(path).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    });
    assert!(matches!(foreign, StoreError::Foreign { .. }), "{foreign}");
    let text = refused(&|path| std::fs::write(path, "hello, this is no database at all").unwrap());
    assert!(matches!(text, StoreError::Foreign { .. }), "{text}");
    let newer = refused(&|path| {
        mcd::store::migrate(path).unwrap();
        let db = rusqlite::Connection::open(path).unwrap();
        db.execute(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             VALUES (99, 'later', '2030-01-01T00:00:00Z', '1')",
            [],
        )
        .unwrap();
        let pragma = |_: &rusqlite::Row<'_>| Ok(());
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], pragma).unwrap();
    });
    assert!(matches!(newer, StoreError::NewerSchema { found: 99, .. }), "{newer}");
}

#[test]
fn approvals_expire_and_what_waited_is_blocked() {
    let bench = Bench::with_agent();
    let task = format!("T-{}", bench.started());
    let ask = json!({"kind": "escalation", "summary": "which way?", "task": task,
        "justification": "two ways", "expires_in_s": 60});
    let approval = bench.agent("approval.request", ask).unwrap();
    assert_eq!(bench.human("task.get", json!({"task": task})).unwrap()["state"], "needs_approval");
    bench.clock.advance(Duration::from_secs(61));
    bench.system(SystemCommand::Tick);
    let detail = bench.human("approval.get", json!({"approval": approval["id"]})).unwrap();
    assert_eq!(detail["status"], "expired");
    assert_eq!(bench.human("task.get", json!({"task": task})).unwrap()["state"], "blocked");
}

#[test]
fn who_waits_long_is_reminded_of_once_and_then_raises_one_alert() {
    let bench = Bench::with_agent();
    let id = bench.agent("tool.check", exec("ship")).unwrap()["approval"].clone();
    let get = |bench: &Bench| bench.human("approval.get", json!({"approval": id})).unwrap();
    let alerts = |bench: &Bench| {
        let all = bench.human("alert.list", json!({})).unwrap()["items"].clone();
        let ours = all.as_array().unwrap().iter().filter(|one| one["kind"] == "approval_waiting");
        ours.cloned().collect::<Vec<Value>>()
    };
    bench.system(SystemCommand::Tick);
    assert!(get(&bench)["reminded"].is_null(), "not yet");
    for (hours, reminded, count) in [(12, "half_time", 0), (10, "last_call", 1)] {
        bench.clock.advance(Duration::from_hours(hours));
        for _ in 0..3 {
            bench.system(SystemCommand::Tick);
        }
        assert_eq!(get(&bench)["reminded"], reminded);
        assert_eq!(alerts(&bench).len(), count, "{reminded}");
    }
    assert_eq!(get(&bench)["rev"], 1, "who reads it meanwhile may decide");
    assert_eq!(alerts(&bench)[0]["severity"], "critical");
    assert_eq!(alerts(&bench)[0]["approval"], id);
    let seen = get(&bench);
    let no = json!({"approval": id, "rev": seen["rev"], "digest": seen["digest"]});
    bench.human("approval.deny", no).unwrap();
    bench.system(SystemCommand::Tick);
    assert_eq!(alerts(&bench)[0]["status"], "resolved");
}

/// A call that the plugin of a runtime asks for, allowed at once.
fn locked(run: &Value, id: &str, command: &str) -> Value {
    json!({"run": run, "tool": EXEC, "arguments": {"command": command}, "session": "agent:wren:main",
        "external_id": id, "cwd": "/w"})
}

fn question(request: &str, id: &str, command: &str) -> Value {
    json!({"request": request, "external_run": "run-1", "external_id": id,
        "session": "agent:wren:main", "command": command, "cwd": "/w"})
}

impl Bench {
    /// Asks the second lock as the bridge does.
    fn confirm(&self, question: Value) -> Value {
        let bridge = Caller { adapter: Some("bridge".parse().unwrap()), ..agent("wren") };
        let answer = self.ask(&bridge, "tool.confirm", question).unwrap();
        assert!(!answer["reason"].as_str().unwrap().is_empty());
        answer
    }

    fn confirms(&self, question: Value) -> bool {
        self.confirm(question)["decision"] == "allow"
    }

    /// Returns a squad in which a run of wren goes on, a second after it began.
    fn with_run() -> (Self, Value) {
        let bench = Self::with_agent();
        bench.clock.advance(Duration::from_secs(1));
        let start = json!({"session": "agent:wren:main", "external_id": "run-1"});
        let run = bench.agent("run.start", start).unwrap()["run"].clone();
        (bench, run)
    }

    fn allow(&self, run: &Value, id: &str, command: &str) {
        let checked = self.agent("tool.check", locked(run, id, command)).unwrap();
        assert_eq!(checked["decision"], "allow", "{checked}");
    }

    fn status_of_wren(&self) -> Value {
        self.human("agent.get", json!({"agent": "wren"})).unwrap()["status"].clone()
    }

    fn open_alerts(&self) -> Vec<(String, String)> {
        let alerts = self.human("alert.list", json!({})).unwrap();
        let text = |alert: &Value, field: &str| alert[field].as_str().unwrap().to_owned();
        let items = alerts["items"].as_array().unwrap().iter();
        items.map(|one| (text(one, "severity"), text(one, "kind"))).collect()
    }
}

#[test]
fn the_second_lock_opens_once_for_exactly_what_was_allowed() {
    let (bench, run) = Bench::with_run();
    bench.allow(&run, "call-1", "ls -l");
    for (field, other) in
        [("session", "agent:wren:other"), ("command", "ls -l "), ("cwd", "/w/sub")]
    {
        let mut question = question("q-0", "call-1", "ls -l");
        question[field] = json!(other);
        assert!(!bench.confirms(question), "{field}");
    }
    let mut nowhere = question("q-0", "call-1", "ls -l");
    nowhere.as_object_mut().unwrap().remove("cwd");
    assert!(!bench.confirms(nowhere));
    assert_eq!(bench.open_alerts(), [("critical".to_owned(), "security".to_owned())]);

    assert!(bench.confirms(question("q-1", "call-1", "ls -l")));
    assert!(
        bench.confirms(question("q-1", "call-1", "ls -l")),
        "the same question, answered again"
    );
    assert!(!bench.confirms(question("q-2", "call-1", "ls -l")), "a second run of it");
    let events = bench.human("audit.export", json!({})).unwrap().to_string();
    assert_eq!(events.matches(r#""kind":"tool_confirmed""#).count(), 1, "one use, one event");
    assert_eq!(events.matches(r#""kind":"tool_unconfirmed""#).count(), 5);
    assert_eq!(bench.status_of_wren(), "active", "another command is not one past the gate");
}

#[test]
fn a_command_that_went_past_the_gate_quarantines_its_agent() {
    type Act = fn(&Bench, &Value);
    let ask = |bench: &Bench, run: &Value| {
        let asked = bench.agent("tool.check", locked(run, "call-1", "ship it")).unwrap();
        assert_eq!(asked["decision"], "ask");
        asked["approval"].clone()
    };
    let yes = |bench: &Bench, id: &Value| {
        let seen = bench.human("approval.get", json!({"approval": id})).unwrap();
        let yes = json!({"approval": id, "rev": seen["rev"], "digest": seen["digest"]});
        bench.human("approval.approve", yes).unwrap();
    };
    let past: [(&str, Act); 4] = [
        ("nobody asked", |_, _| {}),
        ("another call of it was allowed", |bench, run| bench.allow(run, "call-2", "pwd")),
        ("it was denied", |bench, run| {
            let check = locked(run, "call-1", "openclaw config set a b");
            assert_eq!(bench.agent("tool.check", check).unwrap()["decision"], "deny");
        }),
        ("it is of no run", |bench, _| {
            let end = json!({"run": "R-1", "status": "succeeded"});
            bench.agent("run.finish", end).unwrap();
        }),
    ];
    for (what, act) in past {
        let (bench, run) = Bench::with_run();
        act(&bench, &run);
        assert!(!bench.confirms(question("q-1", "call-1", "ship it")), "{what}");
        assert_eq!(bench.status_of_wren(), "quarantined", "{what}");
        assert_eq!(
            bench.open_alerts().first(),
            Some(&("critical".to_owned(), "security".to_owned())),
            "{what}"
        );
        assert!(!bench.confirms(question("q-1", "call-1", "ship it")), "{what}, again");
    }
    let (bench, run) = Bench::with_run();
    ask(&bench, &run);
    assert!(!bench.confirms(question("q-1", "call-1", "ship it")));
    assert_eq!(bench.status_of_wren(), "quarantined", "a person is still to be asked");

    let (bench, run) = Bench::with_run();
    let id = ask(&bench, &run);
    yes(&bench, &id);
    bench.agent("tool.await", json!({"approval": id})).unwrap();
    assert!(bench.confirms(question("q-2", "call-1", "ship it")));
    let itself = bench.agent("tool.confirm", question("q-3", "call-1", "ship it"));
    assert_eq!(itself, Err(ErrorKind::Forbidden), "an agent opens no lock");

    let (bench, run) = Bench::with_run();
    let id = ask(&bench, &run);
    yes(&bench, &id);
    assert!(!bench.confirms(question("q-4", "call-1", "ship it")), "approved, not yet redeemed");
    assert_eq!(bench.status_of_wren(), "quarantined");
}

#[test]
fn calls_that_ended_past_the_gate_quarantine_their_agent_and_raise_one_alert() {
    let (bench, _) = Bench::with_run();
    let plugin = Caller { adapter: Some("openclaw-plugin".parse().unwrap()), ..agent("wren") };
    let report = |state: &str, unchecked: Value| json!({"runtime": "openclaw", "state": state, "detail": "exec ended", "unchecked": unchecked});
    let nobody = Caller { agent: None, ..plugin.clone() };
    for (caller, params) in [
        (&nobody, report("ungoverned", json!(1))),
        (&plugin, report("ungoverned", json!(0))),
        (&plugin, report("ungoverned", json!(-1))),
        (&plugin, report("governed", json!(1))),
    ] {
        let refused = bench.ask(caller, "runtime.report", params.clone());
        assert_eq!(refused, Err(ErrorKind::InvalidParams), "{params}");
    }
    let own = bench.agent("runtime.report", report("ungoverned", json!(1)));
    assert_eq!(own, Err(ErrorKind::Forbidden), "an agent reports nothing of its runtime");
    assert_eq!(bench.status_of_wren(), "active");
    for _ in 0..2 {
        bench.ask(&plugin, "runtime.report", report("ungoverned", json!(2))).unwrap();
        assert_eq!(bench.status_of_wren(), "quarantined");
        assert_eq!(bench.open_alerts(), [("critical".to_owned(), "security".to_owned())]);
    }
    let alerts = bench.human("alert.list", json!({})).unwrap().to_string();
    assert!(alerts.contains("wren: 2 tool call(s) ended past the gate"), "{alerts}");
    assert!(alerts.contains("mcctl agent resume wren"), "{alerts}");
}

#[test]
fn the_second_lock_stays_shut_for_what_has_ended_or_is_no_command() {
    let (bench, run) = Bench::with_run();
    bench.allow(&run, "ended", "pwd");
    let calls = bench.human("tool.list", json!({})).unwrap();
    let finish = json!({"call": calls["items"][0]["id"], "status": "succeeded"});
    bench.agent("tool.finish", finish).unwrap();
    assert!(!bench.confirms(question("q-3", "ended", "pwd")));
    assert_eq!(bench.status_of_wren(), "active", "it was let through once");
    let read = json!({"run": run, "tool": "read", "arguments": {"path": "a.md"},
        "session": "agent:wren:main", "external_id": "read", "cwd": "/w"});
    bench.agent("tool.check", read).unwrap();
    assert!(!bench.confirms(question("q-4", "read", "a.md")), "a read runs no command");
    assert_eq!(bench.status_of_wren(), "quarantined", "no command was let through by that name");
}

#[test]
fn a_lease_of_the_second_lock_ends_and_does_not_come_back() {
    let (bench, run) = Bench::with_run();
    let late = |bench: &Bench| bench.clock.advance(Duration::from_secs(1));
    bench.allow(&run, "late", "pwd");
    bench.clock.advance(Duration::from_secs(10));
    assert!(!bench.confirms(question("q-1", "late", "pwd")), "after ten seconds");
    assert_eq!(bench.open_alerts(), [("warning".to_owned(), "security".to_owned())]);

    let acts = [
        ("agent.pause", "agent.resume", json!({"agent": "wren", "reason": "x"})),
        ("squad.pause", "squad.resume", json!({"reason": "x"})),
    ];
    for (stop, resume, params) in acts {
        bench.allow(&run, stop, "pwd");
        late(&bench);
        bench.human(stop, params.clone()).unwrap();
        assert!(!bench.confirms(question("q-2", stop, "pwd")), "{stop}");
        late(&bench);
        bench.human(resume, params).unwrap();
        assert!(!bench.confirms(question("q-2", stop, "pwd")), "after {resume}");
        late(&bench);
    }
    bench.allow(&run, "restart", "pwd");
    late(&bench);
    let now = mcd::clock::Clock::now(&*bench.clock);
    bench.store.shutdown();
    let bench = Bench::at(bench.dir, now.0);
    let after = bench.confirm(question("q-3", "restart", "pwd"));
    assert_eq!(after["decision"], "deny");
    assert!(after["reason"].as_str().unwrap().contains("restart"), "{after}");
}

#[test]
fn a_file_that_was_in_force_once_takes_back_no_persons_act() {
    let bench = Bench::with_agent();
    let file = |text: &str| {
        bench.system(SystemCommand::ActivatePolicy { text: text.to_owned(), by_uid: 0 });
    };
    let get = |field: &str| bench.human("policy.get", json!({})).unwrap()[field].clone();
    file("[limits]\npending_per_agent = 1\n");
    let by_person = json!({"toml": "[limits]\npending_per_agent = 2\n", "note": "two"});
    bench.human("policy.activate", by_person.clone()).unwrap();
    let held = get("version");
    file("[limits]\npending_per_agent = 1\n");
    assert_eq!((get("version"), get("text")), (held, by_person["toml"].clone()), "as at a restart");
    file("[limits]\npending_per_agent = 3\n");
    assert_eq!(get("text"), "[limits]\npending_per_agent = 3\n", "a new edit counts");
    let bad = bench.human("policy.activate", json!({"toml": "[limit]\n", "note": "x"}));
    assert_eq!(bad, Err(ErrorKind::InvalidParams));
}
