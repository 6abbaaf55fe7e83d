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

use mc_tests::{Client, PATIENCE, Squad, is_nightly, percentile, say, until};
use serde_json::{Value, json};

fn read() -> Value {
    json!({"tool": "read", "arguments": {"path": "/w/a"}, "session": "agent:main"})
}

fn squad() -> Squad {
    let mut squad = Squad::default();
    for name in ["wren", "crow", "jay", "rook"] {
        squad.specialist(name);
    }
    squad
}

/// Checks all the time; returns when each allowed check was sent.
fn check_on(mut client: Client, over: &AtomicBool) -> Vec<Instant> {
    let mut allowed = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let sent = Instant::now();
        if client.ok("tool.check", read())["decision"] == "allow" {
            allowed.push(sent);
        }
        // A little less than all there is: 200 calls a second of each.
        thread::sleep(Duration::from_millis(2));
    }
    allowed
}

#[test]
fn stops_under_load_are_answered_at_once_and_hold() {
    let squad = squad();
    let rounds = if is_nightly() { 100 } else { 20 };
    let over = AtomicBool::new(false);
    let allowed = Mutex::new(Vec::new());
    let (mut times, mut halts) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        for name in ["wren", "crow", "jay", "rook"] {
            let (client, over, allowed) = (squad.agent(name), &over, &allowed);
            scope.spawn(move || allowed.lock().unwrap().extend(check_on(client, over)));
        }
        let mut human = squad.human();
        for _ in 0..rounds {
            thread::sleep(Duration::from_millis(60));
            let asked = Instant::now();
            human.ok("squad.emergency_stop", json!({"reason": "drill"}));
            let answered = Instant::now();
            times.push(answered - asked);
            thread::sleep(Duration::from_millis(60));
            let resumes = Instant::now();
            until("the stop is recorded", PATIENCE, || {
                human.call("squad.emergency_resume", json!({"reason": "drill over"})).ok()
            });
            halts.push((answered, resumes));
        }
        over.store(true, Ordering::SeqCst);
    });
    let allowed = allowed.into_inner().unwrap();
    assert!(allowed.len() > rounds, "the load was no load: {}", allowed.len());
    for (from, to) in halts {
        let late = allowed.iter().filter(|sent| **sent >= from && **sent < to).count();
        assert_eq!(late, 0, "allowed while stopped");
    }
    let p99 = percentile(&mut times, 0.99);
    say(&format!("stop answered: p50 {:?}, p99 {p99:?}", percentile(&mut times, 0.5)));
    assert!(p99 <= Duration::from_millis(250), "{p99:?}");
}

#[test]
fn a_kill_right_after_the_answer_changes_nothing() {
    let mut squad = squad();
    for _ in 0..5 {
        squad.operator().ok("squad.emergency_stop", json!({"reason": "fire"}));
        squad.kill();
        squad.start();
        let mut wren = squad.agent("wren");
        assert_eq!(squad.operator().ok("squad.status", json!({}))["halted"], true);
        assert_eq!(wren.ok("tool.check", read())["decision"], "deny");
        assert_eq!(wren.refused("run.start", json!({"session": "s"})).kind, "halted");
        squad.human().ok("squad.emergency_resume", json!({"reason": "out"}));
        assert_eq!(wren.ok("tool.check", read())["decision"], "allow");
    }
}

#[test]
fn a_stop_blocks_tasks_voids_approvals_and_a_resume_brings_tasks_back() {
    let squad = squad();
    let mut wren = squad.agent("wren");
    let task = squad.started_task(&mut wren);
    let exec = json!({"tool": "exec", "arguments": {"command": "ship"}});
    let asked = wren.ok("tool.check", exec);
    let waits = wren.send("tool.await", json!({"approval": asked["approval"], "wait_ms": 20_000}));
    let mut human = squad.human();
    let began = Instant::now();
    human.ok("squad.emergency_stop", json!({"reason": "fire"}));
    assert_eq!(wren.answer(waits).unwrap()["decision"], "deny");
    assert!(began.elapsed() < Duration::from_secs(1), "who waits is told at once");
    let state = |human: &mut Client| human.ok("task.get", json!({"task": task}))["state"].clone();
    until("the task is blocked", PATIENCE, || (state(&mut human) == "blocked").then_some(()));
    let approval = human.ok("approval.get", json!({"approval": asked["approval"]}));
    assert_eq!(approval["status"], "canceled");
    human.ok("squad.emergency_resume", json!({"reason": "out"}));
    until("the task is back", PATIENCE, || (state(&mut human) == "in_progress").then_some(()));
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
        over.store(true, Ordering::SeqCst);
        assert!(stop <= Duration::from_millis(250), "the stop took {stop:?}");
    });
    let p90 = percentile(&mut times, 0.9);
    assert!(p90 <= Duration::from_millis(250), "the operator waited {p90:?}");
}

#[test]
fn a_stop_set_by_hand_holds() {
    let squad = squad();
    std::fs::write(squad.home().halt_file(), b"1").unwrap();
    let mut wren = squad.agent("wren");
    until("the halt file is seen", PATIENCE, || {
        (wren.ok("tool.check", read())["decision"] == "deny").then_some(())
    });
}
