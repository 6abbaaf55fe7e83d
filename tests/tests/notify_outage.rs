//! A receiver that takes nothing for a while: the real `mcd notify` sends to it, the daemon runs
//! in this process on a clock that is moved by hand, so that ten minutes and a day take seconds.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use mc_core::time::Timestamp;
use mc_tests::{
    Client, Got, Helper, PATIENCE, Receiver, Setup,
    helper::{HOOK_SECRET, beside, webhook},
    receiver::{broken, good, hangs, redirects, silent},
    until,
};
use mcd::{
    caller::{SystemCommand, Work},
    clock::FixedClock,
    daemon::{Daemon, DaemonConfig, Host},
};
use serde_json::{Value, json};

/// How many tasks wren has.
const TASKS: usize = 8;

/// A squad in this process, with wren, who has tasks, and one sink that takes mentions.
struct Bench {
    dir: tempfile::TempDir,
    clock: Arc<FixedClock>,
    daemon: Option<Daemon>,
    wren: Option<Client>,
    token: String,
    said: usize,
}

impl Bench {
    fn new(hook: &Receiver) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Setup::default().write(&mc_proto::home::Home::under(dir.path()));
        let clock = Arc::new(FixedClock::new(Timestamp(1_790_000_000_000)));
        let mut bench =
            Self { dir, clock, daemon: None, wren: None, token: String::new(), said: 0 };
        bench.start();
        let mut ana = bench.operator();
        ana.unlock(mc_tests::PASSPHRASE);
        let agent = json!({"name": "wren", "autonomy": "specialist", "runtime": "openclaw"});
        let done = ana.ok("agent.register", agent);
        done["token"].as_str().unwrap().clone_into(&mut bench.token);
        // More than one, because a single one takes only so many comments.
        for _ in 0..TASKS {
            ana.ok("task.create", json!({"title": "work", "type": "docs", "assignees": ["wren"]}));
        }
        beside(bench.dir.path(), "hook.secret", HOOK_SECRET);
        let sink = format!("{}kinds = [\"mention\"]\n", webhook("hook", hook));
        // The pauses are those of a real squad; nothing gathers, so that each step is whole.
        let text = format!("answer_ms = 300\n[schedule]\ngather_ms = 0\n{sink}");
        beside(bench.dir.path(), "notify.toml", &text);
        bench
    }

    fn start(&mut self) {
        let home = mc_proto::home::Home::under(self.dir.path());
        let setup = DaemonConfig { home, clock: self.clock.clone(), host: Host::Guest };
        self.daemon = Some(Daemon::start(setup).unwrap());
    }

    /// The daemon ends and starts again; the helper finds it by itself.
    fn again(&mut self) {
        self.wren = None;
        self.daemon.take().unwrap().stop();
        self.start();
    }

    fn helper(&self) -> Helper {
        let helper = Helper::start(self.dir.path());
        let declared = || (!self.status()["sinks"].as_array()?.is_empty()).then_some(());
        until("the sink is declared", PATIENCE, declared);
        helper
    }

    fn operator(&self) -> Client {
        let home = mc_proto::home::Home::under(self.dir.path());
        Client::hello(&home.operator_socket(), None, None).unwrap()
    }

    fn status(&self) -> Value {
        self.operator().ok("delivery.status", json!({}))
    }

    /// wren calls the operators.
    fn calls(&mut self) {
        let socket = mc_proto::home::Home::under(self.dir.path()).agent_socket();
        let token = &self.token;
        let wren = self
            .wren
            .get_or_insert_with(|| Client::hello(&socket, Some("wren"), Some(token)).unwrap());
        let (text, task) = (format!("@operator number {}", self.said), self.said % TASKS + 1);
        let task = format!("T-{task}");
        wren.ok("message.post", json!({"task": task, "kind": "comment", "text": text}));
        self.said += 1;
    }

    /// Time passes, wren calls, and all that is due is tried.
    fn step(&mut self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        let tick = Work::System(SystemCommand::Tick);
        let tick = self.daemon.as_ref().unwrap().store().submit(tick).unwrap();
        tick.blocking_recv().unwrap().unwrap();
        self.calls();
        until("what is due was tried", PATIENCE, || {
            let health = self.status();
            let sink = &health["sinks"][0];
            let again = sink["next_at"].as_str().map(|at| at.parse::<Timestamp>().unwrap());
            let rests = again.is_some_and(|at| at > mcd::clock::Clock::now(&*self.clock));
            let is_down = sink["failures_in_row"].as_i64()? > 0;
            (sink["waiting"] == 0 || (is_down && rests)).then_some(())
        });
    }

    /// Returns the open alerts about sinks.
    fn alerts(&self) -> Vec<Value> {
        let page = self.operator().ok("alert.list", json!({"status": "open"}));
        let all = page["items"].as_array().unwrap().iter();
        all.filter(|one| one["kind"] == "delivery").cloned().collect()
    }

    /// Returns the numbers of all notices that were queued for the operators.
    fn queued(&self) -> BTreeSet<String> {
        let page = self.operator().ok("notification.list", json!({"limit": 200}));
        let all = page["items"].as_array().unwrap().iter();
        all.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }
}

fn notices(got: &Got) -> Vec<String> {
    let body = got.json();
    let notices = body["notices"].as_array().unwrap().iter();
    notices.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Each id stands for one content, each notice stands in one delivery, and what was taken is what
/// was queued: none is lost, none counts twice.
fn none_lost_none_twice(all: &[Got], queued: &BTreeSet<String>) {
    let mut bodies: BTreeMap<String, &str> = BTreeMap::new();
    let mut taken: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for got in all {
        let id = got.headers["idempotency-key"].clone();
        assert_eq!(got.headers["x-mc-delivery"], got.json()["id"].as_str().unwrap());
        assert_eq!(*bodies.entry(id.clone()).or_insert(&got.body), got.body, "{id} changed");
        assert_eq!(got.path, "/hook", "a redirect was followed");
        if got.is_taken() {
            taken.insert(id, notices(got));
        }
    }
    let arrived: Vec<&String> = taken.values().flatten().collect();
    let once: BTreeSet<&String> = arrived.iter().copied().collect();
    assert_eq!(once.len(), arrived.len(), "a notice stands in two deliveries: {taken:?}");
    assert_eq!(once, queued.iter().collect(), "what arrived is not what was queued");
}

#[test]
fn a_receiver_that_fails_for_ten_minutes_gets_every_notice_and_none_twice() {
    let mut hook = Receiver::new(good);
    let mut bench = Bench::new(&hook);
    let mut helper = bench.helper();
    bench.step(20);
    assert!(hook.got()[0].is_taken());
    // Steps of 20 s: ten minutes and a little in which it is broken in every way.
    for at in 0..32 {
        match at {
            0 => hook.set(broken),
            6 => hook.close(),
            12 => {
                hook.open();
                hook.set(hangs);
            }
            18 => hook.set(redirects),
            24 => hook.set(silent),
            _ => {}
        }
        if at % 7 == 3 {
            bench.again();
        }
        if at % 11 == 5 {
            drop(helper);
            helper = bench.helper();
        }
        bench.step(20);
    }
    let failing = bench.status()["sinks"][0].clone();
    assert!(failing["failures_in_row"].as_i64().unwrap() >= 4, "{failing}");
    let told = until("an alert tells of it", PATIENCE, || bench.alerts().first().cloned());
    assert!(told["text"].as_str().unwrap().starts_with("sink hook takes no notices"), "{told}");
    let failed = hook.got();
    assert!(failed.iter().any(|got| got.status == 500), "{failed:?}");
    hook.set(good);
    for _ in 0..30 {
        bench.step(20);
    }
    none_lost_none_twice(&hook.got(), &bench.queued());
    assert_eq!(bench.queued().len(), bench.said);
    let health = bench.status()["sinks"][0].clone();
    assert_eq!((&health["failures_in_row"], &health["given_up"]), (&json!(0), &json!(0)));
    assert!(bench.alerts().is_empty(), "it ended by itself");
}

#[test]
fn a_receiver_that_answers_500_for_a_day_is_tried_seen_and_what_is_too_old_is_given_up() {
    let hook = Receiver::new(broken);
    let mut bench = Bench::new(&hook);
    let _helper = bench.helper();
    let began = bench.said;
    for _ in 0..380 {
        bench.step(240);
    }
    let health = bench.status()["sinks"][0].clone();
    assert_eq!(health["last_error"], "answered 500");
    assert!(health["failing_since"].is_string(), "{health}");
    assert!(health["given_up"].as_i64().unwrap() >= 1, "what is older than a day: {health}");
    let tries = hook.got().len();
    assert!((150..=200).contains(&tries), "{tries} tries: about one in 8 min for a day");
    let told = until("an alert tells of it", PATIENCE, || bench.alerts().first().cloned());
    assert!(told["text"].as_str().unwrap().contains("answered 500"), "{told}");
    assert_eq!(bench.alerts().len(), 1, "one alert for one outage");
    hook.set(good);
    for _ in 0..6 {
        bench.step(240);
    }
    let health = bench.status()["sinks"][0].clone();
    assert_eq!((&health["failures_in_row"], &health["waiting"]), (&json!(0), &json!(0)));
    let taken = hook.got().iter().filter(|got| got.is_taken()).map(notices).collect::<Vec<_>>();
    let taken: BTreeSet<String> = taken.into_iter().flatten().collect();
    // A day holds 360 steps: only the oldest ones were given up.
    assert!(taken.len() >= 355 && taken.len() <= bench.said - began, "{}", taken.len());
    let dead = bench.operator().ok("delivery.list", json!({"status": "expired"}));
    assert!(dead["total"].as_i64().unwrap() >= 1, "{dead}");
}
