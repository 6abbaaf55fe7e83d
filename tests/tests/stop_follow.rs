//! What an emergency stop leads to: who is followed to the end, what is blocked and comes back, and
//! the halt file that somebody set by hand.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use mc_tests::{Client, PATIENCE, Setup, Squad, until};
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
fn a_stop_set_by_hand_holds() {
    let squad = squad();
    std::fs::write(squad.home().halt_file(), b"1").unwrap();
    let mut wren = squad.agent("wren");
    until("the halt file is seen", PATIENCE, || {
        (wren.ok("tool.check", read())["decision"] == "deny").then_some(())
    });
}

/// Attaches a bridge that can end the sessions of `agents`.
fn bridge(squad: &mut Squad, name: &str, agents: &[&str]) -> Client {
    squad.enrol(name, agents);
    let mut bridge = squad.adapter(name);
    bridge.ok(
        "runtime.attach",
        json!({"runtime": "openclaw", "version": "1", "agents": agents,
            "capabilities": ["abort"]}),
    );
    bridge
}

/// Waits for the next order to end sessions.
fn order(bridge: &mut Client) -> Value {
    until("an order comes", PATIENCE, || {
        let notice = bridge.notice(Duration::from_secs(5)).unwrap();
        notice.filter(|notice| notice["method"] == "runtime.abort")
    })
}

/// How the stop stands with an agent, once it stands as wanted.
fn stands(human: &mut Client, agent: &str, state: &str) -> Value {
    until(&format!("{agent} is {state}"), PATIENCE, || {
        let report = human.ok("squad.status", json!({}))["squad"]["stop"].clone();
        let row = report["agents"].as_array()?.iter().find(|row| row["agent"] == agent)?;
        (row["state"] == state).then(|| row.clone())
    })
}

/// Waits until no alert is open.
fn nothing_is_wrong(human: &mut Client) {
    until("nothing is wrong any more", PATIENCE, || {
        let open = human.ok("alert.list", json!({"status": "open"}));
        open["items"].as_array()?.is_empty().then_some(())
    });
}

/// The record knows how the stop went, and another daemon tells it.
fn is_remembered(mut squad: Squad, last: &Value) {
    until("it is written down", PATIENCE, || {
        let db = squad.database();
        let kept: String = db.query_row("SELECT body FROM squad", [], |row| row.get(0)).unwrap();
        let kept: Value = serde_json::from_str(&kept).unwrap();
        (kept["stop"]["last_end_ms"] == *last).then_some(())
    });
    squad.kill();
    squad.start();
    let mut human = squad.human();
    let kept = human.ok("squad.status", json!({}))["squad"]["stop"].clone();
    assert_eq!((&kept["last_end_ms"], &kept["by"]), (last, &json!("ana")), "{kept}");
    assert_eq!(human.ok("audit.verify", json!({}))["clean"], true);
}

#[test]
fn a_stop_says_of_each_agent_how_far_it_got_and_what_was_in_flight() {
    let mut squad = squad();
    let mut good = bridge(&mut squad, "good", &["wren"]);
    let mut deaf = bridge(&mut squad, "deaf", &["crow"]);
    let (mut wren, mut jay) = (squad.agent("wren"), squad.agent("jay"));
    let task = squad.started_task(&mut wren);
    let run = wren.ok("run.start", json!({"session": "agent:wren:main"}))["run"].clone();
    let mut call = read();
    call["run"] = run.clone();
    let call = wren.ok("tool.check", call)["call"].clone();
    squad.agent("crow").ok("run.start", json!({"session": "agent:crow:main"}));
    let alone = jay.ok("run.start", json!({"session": "agent:jay:main"}))["run"].clone();

    let mut human = squad.human();
    human.ok("squad.emergency_stop", json!({"reason": "smoke in the rack"}));
    let told = order(&mut good);
    good.reply(&told, &json!({"ended": true, "detail": "1 session, 1 command"}));
    let row = stands(&mut human, "wren", "ended");
    assert!(row["after_ms"].as_i64().unwrap() < 2000, "{row}");
    assert_eq!(row["detail"], "1 session, 1 command");
    assert_eq!(stands(&mut human, "rook", "idle")["was_working"], false);
    stands(&mut human, "jay", "unreached");
    let row = stands(&mut human, "crow", "not_stopped");
    assert!(row["after_ms"].as_i64().unwrap() >= 2000, "{row}");

    let report = human.ok("squad.status", json!({}))["squad"]["stop"].clone();
    assert_eq!((&report["by"], &report["reason"]), (&json!("ana"), &json!("smoke in the rack")));
    assert!(report["last_allow_ms"].as_i64().unwrap() <= 0, "{report}");
    assert!(report["last_end_ms"].is_null(), "two go on: {report}");
    let flying = report["in_flight"].as_array().unwrap();
    let flew = |name: &str, call: &Value| {
        flying.iter().any(|one| one["agent"] == name && one["call"] == *call)
    };
    assert!(flew("wren", &call) && flew("wren", &Value::Null), "{report}");
    assert!(flew("crow", &Value::Null) && flew("jay", &Value::Null), "{report}");
    assert!(flying.iter().any(|one| one["task"] == task && one["run"] == run), "{report}");

    let alerts = until("both are alerts", PATIENCE, || {
        let open = human.ok("alert.list", json!({"status": "open"}));
        (open["items"].as_array()?.len() == 2).then_some(open)
    });
    let of = |name: &str| {
        let items = alerts["items"].as_array().unwrap();
        items.iter().find(|one| one["agent"] == name).cloned().unwrap_or_default()
    };
    for (name, words) in [("crow", "NOT STOPPED: crow"), ("jay", "NOT REACHED: jay")] {
        assert_eq!(of(name)["severity"], "critical", "{alerts}");
        assert!(of(name)["text"].as_str().unwrap().starts_with(words), "as reported: {alerts}");
        assert!(of(name)["next"].is_string(), "what to do: {alerts}");
    }
    assert!(of("wren").is_null());

    // Late is late, but it counts: the runtime was ordered again, and the run was reported ended.
    let first = order(&mut deaf);
    deaf.reply(&first, &json!({"ended": false, "detail": "a command goes on"}));
    let again = order(&mut deaf);
    deaf.reply(&again, &json!({"ended": true}));
    let row = stands(&mut human, "crow", "ended");
    assert!(row["after_ms"].as_i64().unwrap() >= 2000, "{row}");
    jay.ok("run.finish", json!({"run": alone, "status": "aborted"}));
    stands(&mut human, "jay", "ended");
    nothing_is_wrong(&mut human);
    let last = human.ok("squad.status", json!({}))["squad"]["stop"]["last_end_ms"].clone();
    assert!(last.as_i64().unwrap() >= 2000, "{last}");

    is_remembered(squad, &last);
}

#[test]
fn a_second_stop_in_the_same_moment_takes_the_place_of_the_first() {
    let mut squad = squad();
    let mut deaf = bridge(&mut squad, "deaf", &["crow"]);
    squad.agent("crow").ok("run.start", json!({"session": "agent:crow:main"}));
    let mut human = squad.human();
    // In one piece, so that nothing happens between them.
    let stop = |id: i64, reason: &str| {
        json!({"jsonrpc": "2.0", "id": id, "method": "squad.emergency_stop",
            "params": {"reason": reason}})
        .to_string()
    };
    human.send_line(format!("{}\n{}", stop(901, "one"), stop(902, "two")).as_bytes()).unwrap();
    for id in [901, 902] {
        assert_eq!(human.answer(id).unwrap()["squad"]["status"], "halted");
    }
    let (first, second) = (order(&mut deaf), order(&mut deaf));
    deaf.reply(&first, &json!({"ended": false, "detail": "a command goes on"}));
    deaf.reply(&second, &json!({"ended": false, "detail": "a command goes on"}));
    stands(&mut human, "crow", "not_stopped");
    let again = order(&mut deaf);
    deaf.reply(&again, &json!({"ended": true}));
    stands(&mut human, "crow", "ended");
    let db = squad.database();
    let mut read =
        db.prepare("SELECT body FROM journal WHERE kind = 'squad_stop_reported'").unwrap();
    let rows = read.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let told: Vec<Value> = rows.map(|row| serde_json::from_str(&row.unwrap()).unwrap()).collect();
    assert!(told.len() >= 2, "{told:?}");
    assert!(
        told.iter().all(|one| one["event"]["report"]["reason"] == "two"),
        "one is followed: {told:?}"
    );
    assert!(deaf.notice(Duration::from_millis(2500)).unwrap().is_none(), "nobody asks any more");
    assert_eq!(human.ok("squad.status", json!({}))["squad"]["stop"]["reason"], "two");
}

#[test]
fn a_halt_file_set_by_hand_ends_sessions_and_is_in_the_record() {
    let mut squad = squad();
    let mut good = bridge(&mut squad, "good", &["wren"]);
    squad.agent("wren").ok("run.start", json!({"session": "agent:wren:main"}));
    let set = Instant::now();
    let done = std::process::Command::new(mc_tests::program("mcd"))
        .args(["halt", "--home"])
        .arg(squad.dir())
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let told = order(&mut good);
    assert!(set.elapsed() < Duration::from_secs(2), "{:?}", set.elapsed());
    good.reply(&told, &json!({"ended": true}));
    let mut human = squad.human();
    stands(&mut human, "wren", "ended");
    let status = human.ok("squad.status", json!({}));
    assert_eq!(
        (&status["halted"], &status["squad"]["stop"]["by"]),
        (&json!(true), &json!("halt file"))
    );
    let reason = status["squad"]["stop"]["reason"].as_str().unwrap();
    assert!(reason.contains("uid"), "{reason}");
    human.ok("squad.emergency_resume", json!({"reason": "false alarm"}));
    assert_eq!(squad.agent("jay").ok("tool.check", read())["decision"], "allow");
    assert_eq!(squad.operator().ok("squad.status", json!({}))["halted"], false);
}

#[test]
fn a_runtime_that_does_not_obey_is_ended_where_that_is_preset() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("ended");
    let touch = format!("end_runtime = [\"touch\", \"{}\"]\n", mark.display());
    for preset in [false, true] {
        let end = if preset { "command" } else { "offer" };
        let emergency = format!("{touch}end = \"{end}\"\n");
        let mut squad = Squad::new(&Setup { emergency, ..Setup::default() });
        squad.specialist("crow");
        let mut deaf = bridge(&mut squad, "deaf", &["crow"]);
        squad.agent("crow").ok("run.start", json!({"session": "agent:crow:main"}));
        let mut human = squad.human();
        human.ok("squad.emergency_stop", json!({"reason": "fire"}));
        order(&mut deaf);
        stands(&mut human, "crow", "not_stopped");
        let report = until("what became of the command is told", PATIENCE, || {
            let report = human.ok("squad.status", json!({}))["squad"]["stop"].clone();
            (!preset || report["runtime_end"].is_string()).then_some(report)
        });
        assert!(report["offer"].as_str().unwrap().starts_with("touch /"), "{report}");
        assert_eq!(mark.exists(), preset, "only offered, or run by itself: {report}");
    }
}

/// Starts a task of each agent, and stops everything.
fn two_stopped_tasks(squad: &Squad) -> (Client, [Value; 2]) {
    let task = |name: &str| squad.started_task(&mut squad.agent(name));
    let tasks = [task("wren"), task("crow")];
    let mut human = squad.human();
    human.ok("squad.emergency_stop", json!({"reason": "fire"}));
    until("both are blocked", PATIENCE, || {
        let stopped = human.ok("squad.status", json!({}))["squad"]["stopped"].clone();
        (stopped.as_array()?.len() == 2).then_some(())
    });
    (human, tasks.map(|task| json!(task)))
}

#[test]
fn what_a_resume_leaves_out_is_moved_back_by_a_later_one() {
    let squad = squad();
    let (mut human, [first, second]) = two_stopped_tasks(&squad);
    let state = |human: &mut Client, task: &Value| {
        human.ok("task.get", json!({"task": task}))["state"].as_str().unwrap().to_owned()
    };
    let resume = |what: &Value| json!({"reason": "out", "tasks": [what]});
    let refused = human.refused("squad.emergency_resume", resume(&json!("T-99")));
    assert_eq!(refused.kind, "invalid_params", "{refused:?}");
    let done = human.ok("squad.emergency_resume", resume(&first));
    assert!(done["text"].as_str().unwrap().contains("1 more wait"), "{done}");
    assert_eq!(human.ok("squad.status", json!({}))["halted"], false);
    assert_eq!(
        (state(&mut human, &first), state(&mut human, &second)),
        two("in_progress", "blocked")
    );
    let theirs = |name: &str| json!({"reason": "out", "agents": [name]});
    let done = human.ok("squad.emergency_resume", theirs("wren"));
    assert_eq!(done["tasks"], json!([]), "hers is back already: {done}");
    let done = human.ok("squad.emergency_resume", theirs("crow"));
    assert_eq!(done["tasks"], json!([second]), "{done}");
    assert_eq!(state(&mut human, &second), "in_progress");
    let refused = human.refused("squad.emergency_resume", json!({"reason": "out"}));
    assert_eq!(refused.kind, "transition_refused", "{refused:?}");
    assert_eq!(human.ok("audit.verify", json!({}))["clean"], true);
}

fn two(first: &str, second: &str) -> (String, String) {
    (first.to_owned(), second.to_owned())
}

#[test]
fn a_second_stop_forgets_nothing_and_a_resume_moves_nothing_that_something_else_blocked() {
    let squad = squad();
    let (mut human, [first, second]) = two_stopped_tasks(&squad);
    human.ok("squad.emergency_resume", json!({"reason": "out", "tasks": [first]}));
    human.ok("squad.emergency_stop", json!({"reason": "again"}));
    until("all is blocked again", PATIENCE, || {
        let task = human.ok("task.get", json!({"task": first}));
        (task["state"] == "blocked").then_some(())
    });
    human.ok("squad.emergency_resume", json!({"reason": "out", "tasks": []}));
    let unblock = json!({"task": second, "to": "in_progress", "note": "go on"});
    human.ok("task.transition", unblock);
    let block = json!({"task": second, "to": "blocked", "reason": "the price is wrong"});
    human.ok("task.transition", block);
    let done = human.ok("squad.emergency_resume", json!({"reason": "the rest"}));
    assert_eq!(done["tasks"], json!([first]), "{done}");
    assert_eq!(human.ok("task.get", json!({"task": second}))["state"], "blocked");
}

/// Sets the halt by hand; the order to end sessions comes within a second, and it is in the record.
fn stops_by_hand(squad: &Squad, good: &mut Client, act: &dyn Fn(&std::path::Path)) {
    let set = Instant::now();
    act(&squad.home().halt_file());
    let told = order(good);
    assert!(set.elapsed() < Duration::from_secs(2), "{:?}", set.elapsed());
    good.reply(&told, &json!({"ended": true}));
    let mut human = squad.human();
    until("it is in the record", PATIENCE, || {
        (human.ok("squad.status", json!({}))["squad"]["status"] == "halted").then_some(())
    });
    assert_eq!(squad.agent("jay").ok("tool.check", read())["decision"], "deny");
    human.ok("squad.emergency_resume", json!({"reason": "false alarm"}));
    assert_eq!(squad.agent("jay").ok("tool.check", read())["decision"], "allow");
}

#[test]
fn touching_replacing_or_removing_the_halt_file_stops_each_time_anew() {
    let mut squad = squad();
    let mut good = bridge(&mut squad, "good", &["wren"]);
    squad.agent("wren").ok("run.start", json!({"session": "agent:wren:main"}));
    let touch = |path: &std::path::Path| {
        assert!(std::process::Command::new("touch").arg(path).status().unwrap().success());
    };
    // Right after each resume, without a pause between.
    stops_by_hand(&squad, &mut good, &touch);
    stops_by_hand(&squad, &mut good, &touch);
    stops_by_hand(&squad, &mut good, &|path| {
        let other = path.with_extension("new");
        std::fs::write(&other, "0").unwrap();
        std::fs::rename(other, path).unwrap();
    });
    stops_by_hand(&squad, &mut good, &|path| std::fs::remove_file(path).unwrap());
    stops_by_hand(&squad, &mut good, &touch);
}

#[test]
fn a_stop_is_followed_on_by_the_next_daemon() {
    let mut squad = squad();
    let mut deaf = bridge(&mut squad, "deaf", &["crow"]);
    squad.agent("crow").ok("run.start", json!({"session": "agent:crow:main"}));
    let task = squad.started_task(&mut squad.agent("wren"));
    assert_eq!(squad.agent("jay").ok("tool.check", read())["decision"], "allow");
    let mut human = squad.human();
    human.ok("squad.emergency_stop", json!({"reason": "fire"}));
    order(&mut deaf);
    stands(&mut human, "crow", "not_stopped");
    until("an alert tells it", PATIENCE, || {
        let open = human.ok("alert.list", json!({"status": "open"}));
        (open["items"].as_array()?.len() == 1).then_some(())
    });
    squad.kill();
    squad.start();
    let mut human = squad.human();
    let mut deaf = squad.adapter("deaf");
    deaf.ok(
        "runtime.attach",
        json!({"runtime": "openclaw", "version": "1", "agents": ["crow"],
            "capabilities": ["abort"]}),
    );
    // Whoever attaches is told at once, and followed after that.
    let ended = until("it is seen to have ended", PATIENCE, || {
        let told = deaf.notice(Duration::from_millis(50)).unwrap();
        if let Some(told) = told.filter(|told| told["method"] == "runtime.abort") {
            deaf.reply(&told, &json!({"ended": true, "detail": "by the bridge"}));
        }
        let report = human.ok("squad.status", json!({}))["squad"]["stop"].clone();
        (report["agents"]
            .as_array()?
            .iter()
            .all(|one| one["state"] != "not_stopped" && one["state"] != "unreached"))
        .then_some(report)
    });
    let crow = ended["agents"].as_array().unwrap().iter().find(|one| one["agent"] == "crow");
    assert_eq!(crow.unwrap()["detail"], "by the bridge", "{ended}");
    assert!(ended["last_allow_ms"].as_i64().unwrap() <= 0, "known over the restart: {ended}");
    assert!(ended["last_end_ms"].as_i64().unwrap() > 2000, "counted from the stop: {ended}");
    assert_eq!((&ended["by"], &ended["tasks"]), (&json!("ana"), &json!(1)), "{ended}");
    nothing_is_wrong(&mut human);
    human.ok("squad.emergency_resume", json!({"reason": "out"}));
    assert_eq!(human.ok("task.get", json!({"task": task}))["state"], "in_progress");
}
