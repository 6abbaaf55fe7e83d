//! No agent makes an answer so long that nobody can read it.

use mc_proto::limits::ANSWER_BYTES;

use super::*;

/// Has wren ask for something long, so many times, and a person take each back.
fn ask_and_cancel(bench: &Bench, times: usize) {
    let limits = "[limits]\npending_per_agent = 1000\npending_per_squad = 1000\n";
    bench.store.live().set_policy(Arc::new(mcd::policy::parse(limits).unwrap()));
    for number in 0..times {
        let ask = json!({"kind": "escalation", "summary": number.to_string(), "justification": "j".repeat(3_000),
            "payload": {"text": "x".repeat(120_000)}});
        let asked = bench.agent("approval.request", ask).unwrap();
        bench.human("approval.cancel", json!({"approval": asked["id"]})).unwrap();
    }
}

#[test]
fn long_approvals_are_cut_in_lists_and_in_the_snapshot_and_whole_by_themselves() {
    let bench = Bench::with_agent();
    ask_and_cancel(&bench, 60);
    let snapshot = bench.human("snapshot.get", json!({})).unwrap();
    assert!(snapshot.to_string().len() < ANSWER_BYTES / 2, "{}", snapshot.to_string().len());
    assert_eq!(snapshot["approvals"].as_array().unwrap().len(), 50);
    assert_eq!(snapshot["cut"], json!(["events"]), "the record of them is long, too");
    let (mut seen, mut cursor) = (0, Value::Null);
    loop {
        let mut params = json!({"limit": 200});
        if cursor.is_string() {
            params["cursor"] = cursor;
        }
        let page = bench.human("approval.list", params).unwrap();
        assert!(page.to_string().len() < ANSWER_BYTES / 2);
        assert_eq!(page["total"], 60);
        let items = page["items"].as_array().unwrap();
        assert!(items.iter().all(|one| one["is_cut"] == true));
        seen += items.len();
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen, 60, "every page ends with a cursor until the last");
    let whole = bench.human("approval.get", json!({"approval": "A-1"})).unwrap();
    assert_eq!(whole["is_cut"], Value::Null);
    assert!(whole["statement"]["arguments"].to_string().contains(&"x".repeat(120_000)));
    let journal = bench.human("audit.export", json!({"limit": 200})).unwrap();
    assert!(journal.to_string().len() < ANSWER_BYTES / 2 && journal["next_cursor"].is_string());
}

#[test]
fn a_session_a_model_and_a_trigger_are_names() {
    let bench = Bench::with_agent();
    let long = "s".repeat(201);
    for field in ["session", "model", "trigger"] {
        let mut params = json!({"session": "s"});
        params[field] = json!(long);
        assert_eq!(bench.agent("run.start", params), Err(ErrorKind::TooLarge), "{field}");
    }
    let params = json!({"session": "s".repeat(200), "model": "m".repeat(200)});
    bench.agent("run.start", params).unwrap();
    let check = json!({"tool": "read", "arguments": {}, "session": long});
    assert_eq!(bench.agent("tool.check", check), Err(ErrorKind::TooLarge));
}

#[test]
fn a_task_that_is_stuck_for_a_long_reason_has_a_short_one_on_its_card() {
    let bench = Bench::with_agent();
    let task = format!("T-{}", bench.started());
    let stuck = json!({"task": task, "reason": "r", "tried": "t".repeat(60_000)});
    bench.agent("task.report_blocker", stuck).unwrap();
    let reason = |value: &Value| value["blocked_reason"].as_str().unwrap().len();
    let snapshot = bench.human("snapshot.get", json!({})).unwrap();
    assert!(reason(&snapshot["tasks"][0]) < 600);
    let list = bench.human("task.list", json!({})).unwrap();
    assert!(reason(&list["items"][0]) < 600);
    let whole = bench.human("task.get", json!({"task": task})).unwrap();
    assert!(reason(&whole) > 60_000);
}

#[test]
fn when_an_agent_was_heard_of_survives_a_restart() {
    let bench = Bench::with_agent();
    let crow = json!({"name": "crow", "autonomy": "lead", "runtime": "openclaw"});
    bench.human("agent.register", crow).unwrap();
    let see = |bench: &Bench, name: &str| {
        let one = bench.human("agent.get", json!({"agent": name})).unwrap();
        (one["liveness"].clone(), one["last_heartbeat"].clone())
    };
    // A heartbeat is no event; work is one.
    bench.agent("agent.heartbeat", json!({})).unwrap();
    let minute = 60_000 - bench.store.live().clock.now().0 % 60_000;
    bench.clock.advance(Duration::from_millis(minute.unsigned_abs()));
    bench.system(SystemCommand::Tick);
    let task = bench.human("task.create", json!({"title": "x", "type": "docs"})).unwrap();
    let words = json!({"task": task["id"], "kind": "comment", "text": "on it"});
    bench.ask(&agent("crow"), "message.post", words).unwrap();
    let (wren, crow) = (see(&bench, "wren"), see(&bench, "crow"));
    assert_eq!((&wren.0, &crow.0), (&json!("online"), &json!("online")), "work counts as well");
    let now = bench.store.live().clock.now().0;
    bench.store.shutdown();
    let bench = Bench::at(bench.dir, now + 60_000);
    assert_eq!((see(&bench, "wren"), see(&bench, "crow")), (wren, crow));
}
