//! The emergency stop: answered at once, under load, with a full disk, before a kill; nothing is
//! allowed until somebody resumes.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mc_tests::{
    Client, PATIENCE, Setup, SmallDisk, Squad, is_nightly, is_root, percentile, say, until,
};
use serde_json::{Value, json};

fn read() -> Value {
    json!({"tool": "read", "arguments": {"path": "/w/a"}, "session": "agent:main"})
}

fn squad() -> Squad {
    let mut squad = Squad::default();
    agents(&mut squad);
    squad
}

fn agents(squad: &mut Squad) {
    for name in ["wren", "crow", "jay", "rook"] {
        squad.specialist(name);
    }
}

/// Sets its flag when it goes, also when a test fails: no load goes on for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Checks all the time until it is over or the daemon is gone; returns when each allowed check was
/// sent, and when that was answered.
fn check_on(mut client: Client, over: &AtomicBool) -> Vec<(Instant, Instant)> {
    let mut allowed = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let sent = Instant::now();
        match client.call("tool.check", read()) {
            Ok(checked) if checked["decision"] == "allow" => allowed.push((sent, Instant::now())),
            Err(trouble) if trouble.kind == "lost" => break,
            // With a full disk a check may be refused by an error too.
            Ok(_) | Err(_) => {}
        }
        // A little less than all there is: 200 calls a second of each.
        thread::sleep(Duration::from_millis(2));
    }
    allowed
}

/// What came of a drill.
struct Drill {
    /// How long each stop took to be answered.
    times: Vec<Duration>,
    /// How many checks were allowed in all.
    allowed: usize,
    /// How many of them were asked for and answered between a stop's answer and the resume.
    late: usize,
}

/// Stops everything so many times while four agents check all the time; `disk` is full from before
/// each stop until after its answer.
fn drill(squad: &Squad, rounds: usize, disk: Option<&SmallDisk>) -> Drill {
    let over = AtomicBool::new(false);
    let allowed = Mutex::new(Vec::new());
    let (mut times, mut halts) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let _over = Over(&over);
        for name in ["wren", "crow", "jay", "rook"] {
            let (client, over, allowed) = (squad.agent(name), &over, &allowed);
            scope.spawn(move || allowed.lock().unwrap().extend(check_on(client, over)));
        }
        let mut human = squad.human();
        for _ in 0..rounds {
            thread::sleep(Duration::from_millis(60));
            if let Some(disk) = disk {
                fill(squad, disk, &mut human);
            }
            let asked = Instant::now();
            let done = human.ok("squad.emergency_stop", json!({"reason": "drill"}));
            let answered = Instant::now();
            assert!(!done["text"].as_str().unwrap().contains("file"), "its file is kept: {done}");
            times.push(answered - asked);
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
    });
    let allowed = allowed.into_inner().unwrap();
    let is_late = |(sent, answered): &&(Instant, Instant)| {
        halts.iter().any(|(from, to)| sent >= from && answered < to)
    };
    Drill { times, allowed: allowed.len(), late: allowed.iter().filter(is_late).count() }
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
    let rounds = 100;
    let Drill { mut times, allowed, late } = drill(&squad(), rounds, None);
    assert!(allowed > rounds, "the load was no load: {allowed}");
    assert_eq!(late, 0, "allowed while stopped");
    let p99 = percentile(&mut times, 0.99);
    say(&format!("stop answered: p50 {:?}, p99 {p99:?}", percentile(&mut times, 0.5)));
    assert!(p99 <= Duration::from_millis(250), "{p99:?}");
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
    let Drill { mut times, allowed, late } = drill(&squad, rounds, Some(&disk));
    assert!(allowed > rounds, "the load was no load: {allowed}");
    assert_eq!(late, 0, "allowed while stopped");
    let (p99, worst) = (percentile(&mut times, 0.99), percentile(&mut times, 1.0));
    say(&format!(
        "stop on a full disk answered: p50 {:?}, p99 {p99:?} of {rounds}",
        percentile(&mut times, 0.5)
    ));
    assert!(worst <= Duration::from_secs(2), "{worst:?}");
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
        let load = clients.map(|client| scope.spawn(move || check_on(client, over)));
        let mut operator = squad.operator();
        operator.ok("squad.emergency_stop", json!({"reason": "fire"}));
        answered = Instant::now();
        squad.kill();
        allowed = load.into_iter().flat_map(|one| one.join().unwrap()).collect();
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
    let mut squad = squad();
    squad.enrol("bridge", &["wren", "crow"]);
    let mut bridge = squad.adapter("bridge");
    bridge.ok(
        "runtime.attach",
        json!({"runtime": "openclaw", "version": "1", "agents": ["wren", "crow"],
            "capabilities": ["abort", "deliver"]}),
    );
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
