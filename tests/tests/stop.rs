//! The emergency stop: answered at once, under load, with a full disk, before a kill; nothing is
//! allowed until somebody resumes.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use mc_tests::{
    Client, PATIENCE, Setup, SmallDisk, Squad, Trouble, is_nightly, is_root, percentile, say, until,
};
use serde_json::{Value, json};

/// Every fourth asks for money, the others for calls.
const AGENTS: [&str; 8] = ["wren", "crow", "jay", "rook", "ibis", "teal", "kite", "dove"];
/// How often each asks: together more than 200 times a second, and less than any is let.
const PACE: Duration = Duration::from_millis(25);
/// Within what time a stop is answered.
const AT_ONCE: Duration = Duration::from_millis(250);

fn read() -> Value {
    json!({"tool": "read", "arguments": {"path": "/w/a"}, "session": "agent:main"})
}

fn squad() -> Squad {
    let mut squad = Squad::default();
    agents(&mut squad);
    squad
}

fn agents(squad: &mut Squad) {
    for name in AGENTS {
        // Runs that a stop ended hold what was promised to them: there is room for very many.
        squad.register(name, "specialist", &json!({"run_cap_uusd": 10_000}));
    }
    squad.enrol("bridge", &AGENTS);
}

/// Sets its flag when it goes, also when a test fails: no load goes on for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What a load asks for.
#[derive(Clone, Copy, PartialEq)]
enum Asks {
    /// Whether calls may run.
    Checks,
    /// Money for runs, which it begins anew when they have ended.
    Promises,
}

/// What came of a load.
#[derive(Default)]
struct Load {
    /// How many requests were answered, by whatever decision or refusal but for one too many.
    answered: usize,
    /// When each that was allowed was sent, and when that was answered.
    allowed: Vec<(Instant, Instant)>,
}

/// Asks forty times a second until it is over or the daemon is gone.
fn load_on(mut client: Client, asks: Asks, over: &AtomicBool) -> Load {
    let mut load = Load::default();
    let mut run = Value::Null;
    let mut next = Instant::now();
    while !over.load(Ordering::SeqCst) {
        next += PACE;
        thread::sleep(next.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        let answer = match asks {
            Asks::Checks => client.call("tool.check", read()),
            Asks::Promises => promise(&mut client, &mut run),
        };
        match answer {
            Err(trouble) if trouble.kind == "lost" => break,
            Err(trouble) if trouble.kind == "rate_limited" => continue,
            Ok(answer) if answer["decision"] == "allow" => {
                load.allowed.push((sent, Instant::now()));
            }
            // With a full disk a check may be refused by an error too.
            Ok(_) | Err(_) => {}
        }
        load.answered += 1;
    }
    load
}

/// Asks for money for `run`, or begins it: that is allowed, too.
fn promise(client: &mut Client, run: &mut Value) -> Result<Value, Trouble> {
    if run.is_null() {
        *run = client.call("run.start", json!({"session": "agent:main"}))?["run"].take();
        return Ok(json!({"decision": "allow"}));
    }
    let answer = client.call("run.reserve", json!({"run": run, "amount_uusd": 1}));
    if answer.as_ref().map_or(true, |answer| answer["decision"] != "allow") {
        *run = Value::Null;
    }
    answer
}

/// Tells of each order to end an agent's sessions, and when it came, and says that they ended.
fn obey(mut bridge: Client, told: &Sender<(String, Instant)>, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        let Ok(order) = bridge.notice(Duration::from_millis(20)) else { return };
        if let Some(order) = order.filter(|order| order["method"] == "runtime.abort") {
            let agent = order["params"]["agent"].as_str().unwrap().to_owned();
            bridge.reply(&order, &json!({"ended": true}));
            // At the end nobody asks any more.
            told.send((agent, Instant::now())).ok();
        }
    }
}

fn attach(bridge: &mut Client, agents: &[&str]) {
    let attach = json!({"runtime": "openclaw", "version": "1", "agents": agents,
        "capabilities": ["abort"]});
    bridge.ok("runtime.attach", attach);
}

/// Waits until every agent's runtime was told to end its sessions; returns how long after `asked` the
/// last one was.
fn effect(told: &Receiver<(String, Instant)>, asked: Instant) -> Duration {
    let mut left: BTreeSet<String> = AGENTS.into_iter().map(str::to_owned).collect();
    let mut last = asked;
    while !left.is_empty() {
        let wait = (asked + PATIENCE).saturating_duration_since(Instant::now());
        let order = told.recv_timeout(wait);
        assert!(order.is_ok(), "not told: {left:?}");
        let (agent, at) = order.unwrap();
        left.remove(&agent);
        last = last.max(at);
    }
    last - asked
}

/// What came of a drill.
#[derive(Default)]
struct Drill {
    /// How long each stop took to be answered.
    times: Vec<Duration>,
    /// How long each took until every runtime was told to end its sessions.
    effects: Vec<Duration>,
    /// How many requests of agents were answered in a second.
    rate: f64,
    /// How many checks were allowed in all, and how many promises.
    allowed: [usize; 2],
    /// How many were allowed though they were asked for after a stop's answer and before the resume,
    /// or were answered too long after it.
    late: usize,
}

/// Stops everything so many times while agents ask all the time and a runtime of all of them is
/// attached; `disk` is full from before each stop until after its answer.
fn drill(squad: &Squad, rounds: usize, disk: Option<&SmallDisk>) -> Drill {
    let over = AtomicBool::new(false);
    let mut drill = Drill::default();
    let mut halts = Vec::new();
    let mut bridge = squad.adapter("bridge");
    attach(&mut bridge, &AGENTS);
    let (tell, told) = channel();
    let began = Instant::now();
    let loads: Vec<(Asks, Load)> = thread::scope(|scope| {
        let done = Over(&over);
        scope.spawn(|| obey(bridge, &tell, &over));
        let load = |(at, name): (usize, &&str)| {
            let asks = if at % 4 == 0 { Asks::Promises } else { Asks::Checks };
            let (client, over) = (squad.agent(name), &over);
            scope.spawn(move || (asks, load_on(client, asks, over)))
        };
        let loads: Vec<_> = AGENTS.iter().enumerate().map(load).collect();
        let mut human = squad.human();
        for _ in 0..rounds {
            thread::sleep(Duration::from_millis(60));
            if let Some(disk) = disk {
                fill(squad, disk, &mut human);
            }
            while told.try_recv().is_ok() {}
            let asked = Instant::now();
            let done = human.ok("squad.emergency_stop", json!({"reason": "drill"}));
            let answered = Instant::now();
            assert!(!done["text"].as_str().unwrap().contains("file"), "its file is kept: {done}");
            drill.times.push(answered - asked);
            drill.effects.push(effect(&told, asked));
            thread::sleep(Duration::from_millis(60));
            if let Some(disk) = disk {
                disk.free();
            }
            let mut resumes = Instant::now();
            until("the stop is recorded", PATIENCE, || {
                resumes = Instant::now();
                human.call("squad.emergency_resume", json!({"reason": "drill over"})).ok()
            });
            halts.push((answered, resumes));
        }
        drop(done);
        loads.into_iter().map(|load| load.join().unwrap()).collect()
    });
    let answered: usize = loads.iter().map(|(_, load)| load.answered).sum();
    drill.rate = f64::from(u32::try_from(answered).unwrap()) / began.elapsed().as_secs_f64();
    for (asks, load) in loads {
        drill.allowed[usize::from(asks == Asks::Promises)] += load.allowed.len();
        let is_late = |(sent, told): &&(Instant, Instant)| {
            let after = |(from, to): &(Instant, Instant)| {
                told < to && (sent >= from || *told >= *from + AT_ONCE)
            };
            halts.iter().any(after)
        };
        drill.late += load.allowed.iter().filter(is_late).count();
    }
    drill
}

impl Drill {
    /// Every stop was answered at once, reached the runtimes within a second, and held.
    fn held(&mut self, what: &str) {
        let rounds = self.times.len();
        let (p50, p99) = (percentile(&mut self.times, 0.5), percentile(&mut self.times, 0.99));
        let worst = percentile(&mut self.effects, 1.0);
        let [checks, promises] = self.allowed;
        say(&format!(
            "{rounds} stops {what}: answered p50 {p50:?}, p99 {p99:?}; runtimes told within {worst:?}; \
             {:.0} requests/s, {checks} checks and {promises} promises allowed",
            self.rate
        ));
        assert!(checks > rounds && promises > rounds, "the load was no load");
        assert_eq!(self.late, 0, "allowed while stopped");
        assert!(p99 <= AT_ONCE, "answered after {p99:?}");
        assert!(worst <= Duration::from_secs(1), "runtimes were told after {worst:?}");
    }
}

/// Fills the disk until nothing can be written.
fn fill(squad: &Squad, disk: &SmallDisk, human: &mut Client) {
    // What the log of the database holds already would be written over without new space.
    let fold = "PRAGMA wal_checkpoint(TRUNCATE)";
    squad.database().query_row(fold, [], |_| Ok(())).unwrap();
    disk.fill();
    let create = json!({"title": "fill", "type": "docs", "description": "x".repeat(60_000)});
    let refused =
        until("writes are refused", PATIENCE, || human.call("task.create", create.clone()).err());
    assert_eq!(refused.kind, "unavailable", "{refused:?}");
}

#[test]
fn stops_under_load_are_answered_at_once_and_hold() {
    let mut drill = drill(&squad(), 100, None);
    drill.held("under load");
    assert!(drill.rate >= 200.0, "{} requests a second are no load", drill.rate);
}

#[test]
fn stops_on_a_full_disk_are_answered_at_once_and_hold() {
    if !is_root("stops_on_a_full_disk_are_answered_at_once_and_hold") {
        return;
    }
    let Some(disk) = SmallDisk::new(96) else { return };
    let mut squad = Squad::in_dir(disk.path(), &Setup::default());
    agents(&mut squad);
    let rounds = if is_nightly() { 100 } else { 20 };
    drill(&squad, rounds, Some(&disk)).held("on a full disk");
    assert_eq!(squad.human().ok("audit.verify", json!({}))["clean"], true);
}

/// Kills the daemon right after it has answered a stop, under load, and starts it again: nothing
/// was allowed after the answer, and nothing is.
fn killed_after_the_answer(squad: &mut Squad) {
    let over = AtomicBool::new(false);
    let mut allowed = Vec::new();
    let mut answered = Instant::now();
    thread::scope(|scope| {
        let _over = Over(&over);
        let (clients, over) = (["crow", "jay"].map(|name| squad.agent(name)), &over);
        let load = clients.map(|client| scope.spawn(move || load_on(client, Asks::Checks, over)));
        let mut operator = squad.operator();
        operator.ok("squad.emergency_stop", json!({"reason": "fire"}));
        answered = Instant::now();
        squad.kill();
        allowed = load.into_iter().flat_map(|one| one.join().unwrap().allowed).collect();
    });
    assert!(allowed.iter().all(|(sent, _)| *sent < answered), "allowed after the answer");
    squad.start();
    let mut wren = squad.agent("wren");
    assert_eq!(squad.operator().ok("squad.status", json!({}))["halted"], true);
    assert_eq!(wren.ok("tool.check", read())["decision"], "deny");
    assert_eq!(wren.refused("run.start", json!({"session": "s"})).kind, "halted");
}

#[test]
fn a_kill_right_after_the_answer_changes_nothing() {
    let mut squad = squad();
    for _ in 0..20 {
        killed_after_the_answer(&mut squad);
        let mut human = squad.human();
        until("the stop is recorded", PATIENCE, || {
            human.call("squad.emergency_resume", json!({"reason": "out"})).ok()
        });
        assert_eq!(squad.agent("wren").ok("tool.check", read())["decision"], "allow");
    }
}

#[test]
fn a_kill_right_after_the_answer_on_a_full_disk_changes_nothing() {
    if !is_root("a_kill_right_after_the_answer_on_a_full_disk_changes_nothing") {
        return;
    }
    let Some(disk) = SmallDisk::new(96) else { return };
    let mut squad = Squad::in_dir(disk.path(), &Setup::default());
    agents(&mut squad);
    for _ in 0..5 {
        let mut human = squad.human();
        fill(&squad, &disk, &mut human);
        // The next one starts on the disk that is still full.
        killed_after_the_answer(&mut squad);
        disk.free();
        let mut human = squad.human();
        until("the stop is recorded", PATIENCE, || {
            human.call("squad.emergency_resume", json!({"reason": "space"})).ok()
        });
        assert_eq!(squad.agent("wren").ok("tool.check", read())["decision"], "allow");
    }
    assert_eq!(squad.human().ok("audit.verify", json!({}))["clean"], true);
}

#[test]
fn a_stop_comes_into_the_record_on_a_full_disk_and_agents_fill_no_room_kept_for_it() {
    if !is_root("a_stop_comes_into_the_record_on_a_full_disk") {
        return;
    }
    let Some(disk) = SmallDisk::new(224) else { return };
    let mut squad = Squad::in_dir(disk.path(), &Setup::default());
    agents(&mut squad);
    let ballast = squad.home().state.join("ballast");
    let bytes = || std::fs::metadata(&ballast).unwrap().len();
    assert_eq!(bytes(), 64 * 1024 * 1024);
    let mut human = squad.human();
    let mut wren = squad.agent("wren");
    let task = squad.started_task(&mut wren);
    fill(&squad, &disk, &mut human);
    human.ok("squad.emergency_stop", json!({"reason": "fire"}));
    until("the stop is in the record", PATIENCE, || {
        let squad = human.ok("squad.status", json!({}))["squad"].clone();
        (squad["status"] == "halted" && squad["reason"] == "fire").then_some(())
    });
    assert_eq!(human.ok("task.get", json!({"task": task}))["state"], "blocked");
    assert_eq!(bytes(), 0);
    let post = json!({"task": task, "kind": "progress", "text": "lorem ipsum ".repeat(4000)});
    for _ in 0..20 {
        assert_eq!(wren.refused("message.post", post.clone()).kind, "unavailable");
    }
    human.ok("task.create", json!({"title": "a person may", "type": "docs"}));
    // The next daemon knows that the room is not there.
    squad.kill();
    squad.start();
    let (mut human, mut wren) = (squad.human(), squad.agent("wren"));
    assert_eq!(wren.refused("message.post", post.clone()).kind, "unavailable");
    disk.free();
    wren.ok("message.post", post);
    assert_eq!(bytes(), 64 * 1024 * 1024);
    human.ok("squad.emergency_resume", json!({"reason": "space"}));
    assert_eq!(wren.ok("tool.check", read())["decision"], "allow");
    assert_eq!(human.ok("audit.verify", json!({}))["clean"], true);
}

#[test]
fn attached_runtimes_abort_within_a_second() {
    let squad = squad();
    let mut bridge = squad.adapter("bridge");
    attach(&mut bridge, &["wren", "crow"]);
    squad.agent("wren").ok("run.start", json!({"session": "agent:wren:main"}));
    let began = Instant::now();
    squad.operator().ok("squad.emergency_stop", json!({"reason": "fire"}));
    let mut told = Vec::new();
    while told.len() < 2 {
        let order = bridge.notice(Duration::from_secs(1)).unwrap().expect("an order comes");
        if order["method"] == "runtime.abort" {
            told.push(order["params"]["agent"].as_str().unwrap().to_owned());
            bridge.reply(&order, &json!({"ended": true}));
        }
    }
    assert!(began.elapsed() <= Duration::from_secs(1), "{:?}", began.elapsed());
    told.sort();
    assert_eq!(told, ["crow", "wren"]);
}

/// Sends fifty checks at a time.
fn flood(mut client: Client, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        let sent: Vec<i64> = (0..50).map(|_| client.send("tool.check", read())).collect();
        for id in sent {
            client.answer(id).unwrap();
        }
    }
}

#[test]
fn a_flood_on_the_agents_socket_keeps_no_operator_waiting() {
    let squad = squad();
    let over = AtomicBool::new(false);
    let mut times = Vec::new();
    thread::scope(|scope| {
        let done = Over(&over);
        for _ in 0..4 {
            let (client, over) = (squad.agent("wren"), &over);
            scope.spawn(move || flood(client, over));
        }
        for _ in 0..20 {
            let asked = Instant::now();
            squad.operator().ok("squad.status", json!({}));
            times.push(asked.elapsed());
        }
        let asked = Instant::now();
        squad.operator().ok("squad.emergency_stop", json!({"reason": "flood"}));
        let stop = asked.elapsed();
        drop(done);
        assert!(stop <= Duration::from_millis(250), "the stop took {stop:?}");
    });
    let p90 = percentile(&mut times, 0.9);
    assert!(p90 <= Duration::from_millis(250), "the operator waited {p90:?}");
}
