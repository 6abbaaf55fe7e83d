//! A stop of very many tasks: it holds at once, works through them bit by bit, and a restart goes on.

use mc_core::squad::STOP_CAUSE;

use super::*;

const MANY: usize = 450;

/// A halted squad of many tasks, one of them in work, as the first transaction of the stop leaves it.
fn halted() -> Bench {
    let bench = Bench::with_agent();
    bench.started();
    for _ in 1..MANY {
        bench.human("task.create", json!({"title": "x", "type": "docs"})).unwrap();
    }
    halt(&bench, "fire");
    bench
}

fn halt(bench: &Bench, reason: &str) {
    bench.store.live().halt.set(reason).unwrap();
    let by = Actor::human("ana", Level::L0);
    bench.system(SystemCommand::Halt { by, reason: reason.into() });
}

fn resume(bench: &Bench) -> Result<Value, ErrorKind> {
    let done = bench.human("squad.emergency_resume", json!({"reason": "over"}))?;
    bench.store.live().halt.clear().unwrap();
    Ok(done)
}

fn slice(bench: &Bench, command: SystemCommand) -> i64 {
    bench.work(Work::System(command)).unwrap().parse().unwrap()
}

fn count(bench: &Bench, state: &str) -> Value {
    bench.human("squad.status", json!({})).unwrap()["tasks"][state].clone()
}

fn held(bench: &Bench) -> Value {
    bench.human("squad.status", json!({})).unwrap()["squad"]["stopped_count"].clone()
}

#[test]
fn a_stop_of_many_tasks_holds_at_once_blocks_them_in_slices_and_survives_a_restart() {
    let bench = halted();
    assert_eq!((count(&bench, "blocked"), held(&bench)), (json!(200), json!(MANY)));
    // What is not yet blocked can't be worked on.
    let last = format!("T-{MANY}");
    assert_eq!(bench.agent("task.claim", json!({"task": last})), Err(ErrorKind::Halted));
    let stuck = json!({"task": last, "reason": "r"});
    assert_eq!(bench.agent("task.report_blocker", stuck), Err(ErrorKind::Halted));
    let new = json!({"title": "y", "type": "docs"});
    assert_eq!(bench.agent("task.create", new), Err(ErrorKind::Halted));
    assert_eq!(resume(&bench), Err(ErrorKind::TransitionRefused), "it is still being blocked");
    let bench = bench.again();
    assert_eq!(slice(&bench, SystemCommand::BlockStopped), 50);
    assert_eq!(slice(&bench, SystemCommand::BlockStopped), 0);
    assert_eq!(count(&bench, "blocked"), json!(MANY));
    let card = bench.human("task.get", json!({"task": last})).unwrap();
    assert_eq!(card["blocked_reason"], "emergency stop: fire");
    let status = bench.human("squad.status", json!({})).unwrap();
    assert_eq!(status["squad"]["stopped"].as_array().unwrap().len(), 200, "not every one");

    let done = resume(&bench).unwrap();
    assert_eq!((done["tasks"].as_array().unwrap().len(), &done["more"]), (200, &json!(250)));
    let text = done["text"].as_str().unwrap();
    assert!(text.contains("200 tasks are where they were") && text.contains("250 tasks follow"));
    let bench = bench.again();
    assert_eq!(slice(&bench, SystemCommand::ReturnStopped), 50);
    assert_eq!(slice(&bench, SystemCommand::ReturnStopped), 0);
    assert_eq!(count(&bench, "blocked"), Value::Null);
    assert_eq!((count(&bench, "in_progress"), held(&bench)), (json!(1), Value::Null));
    let moved = bench.human("task.timeline", json!({"task": last})).unwrap();
    let moved = moved["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(moved["actor"]["name"], "ana", "who resumed, not the daemon: {moved}");
    assert!(moved.to_string().contains("resumed after the stop: over"), "{moved}");
    is_the_journals_shadow(bench);
}

/// Says that the tables, made again from the journal, are what they are.
fn is_the_journals_shadow(bench: Bench) {
    bench.store.shutdown();
    let before = bench.dump();
    mcd::store::rebuild(&bench.path()).unwrap();
    assert_eq!(bench.dump(), before);
}

#[test]
fn what_people_do_before_its_slice_comes_counts() {
    let bench = halted();
    let of = |number: usize| format!("T-{}", MANY - number);
    bench.human("task.cancel", json!({"task": of(0), "reason": "r"})).unwrap();
    bench.human("task.block", json!({"task": of(1), "reason": "mine"})).unwrap();
    bench.human("task.assign", json!({"task": of(2), "assignees": ["wren"]})).unwrap();
    assert_eq!(slice(&bench, SystemCommand::BlockStopped), 48);
    assert_eq!(slice(&bench, SystemCommand::BlockStopped), 0);
    assert_eq!(held(&bench), json!(MANY - 2));
    bench.human("task.unblock", json!({"task": "T-2", "note": "n"})).unwrap();
    assert_eq!(held(&bench), json!(MANY - 3), "what leaves Blocked by hand is held no longer");
    resume(&bench).unwrap();
    while slice(&bench, SystemCommand::ReturnStopped) > 0 {}
    let state = |id: String| bench.human("task.get", json!({"task": id})).unwrap()["state"].clone();
    assert_eq!(
        [state(of(0)), state(of(1)), state(of(2))],
        ["canceled", "blocked", "assigned"].map(Value::from)
    );
    is_the_journals_shadow(bench);
}

#[test]
fn a_stop_in_the_middle_of_a_resume_holds_all_of_it_again() {
    let bench = halted();
    while slice(&bench, SystemCommand::BlockStopped) > 0 {}
    resume(&bench).unwrap();
    halt(&bench, "again");
    assert_eq!(slice(&bench, SystemCommand::ReturnStopped), 0, "nothing is on its way back");
    while slice(&bench, SystemCommand::BlockStopped) > 0 {}
    assert_eq!((count(&bench, "blocked"), held(&bench)), (json!(MANY), json!(MANY)));
    resume(&bench).unwrap();
    while slice(&bench, SystemCommand::ReturnStopped) > 0 {}
    assert_eq!((count(&bench, "blocked"), held(&bench)), (Value::Null, Value::Null));
    is_the_journals_shadow(bench);
}

#[test]
fn what_the_squad_row_listed_before_is_taken_over() {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    let body = json!({"name": "a", "status": "running",
        "stopped": [{"task": "T-3", "from": "review"}, {"task": "T-12", "from": "inbox"}]});
    db.execute_batch("CREATE TABLE squad (id INTEGER PRIMARY KEY, body TEXT NOT NULL)").unwrap();
    db.execute("INSERT INTO squad VALUES (1, ?1)", [body.to_string()]).unwrap();
    db.execute_batch(include_str!("../../../migrations/V42__stopped_tasks.sql")).unwrap();
    let sql = "SELECT group_concat(task || ' ' || origin || ' ' || phase, ', '), s.body
               FROM stopped_tasks, squad s";
    let rows: (String, String) =
        db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(rows.0, "3 review blocked, 12 inbox blocked");
    assert!(!rows.1.contains("stopped"), "{}", rows.1);
    assert_eq!(STOP_CAUSE, "squad.emergency_stop", "as it stands in every record");
}

#[test]
fn an_agent_creates_no_more_open_tasks_than_the_policy_says_and_people_as_many_as_they_like() {
    let bench = Bench::with_agent();
    let policy = mcd::policy::parse("[limits]\nopen_tasks_per_agent = 2\n").unwrap();
    bench.store.live().set_policy(Arc::new(policy));
    let new = || json!({"title": "y", "type": "docs"});
    bench.agent("task.create", new()).unwrap();
    let last = bench.agent("task.create", new()).unwrap()["id"].clone();
    assert_eq!(bench.agent("task.create", new()), Err(ErrorKind::RateLimited));
    bench.human("task.create", new()).unwrap();
    bench.human("task.cancel", json!({"task": last, "reason": "r"})).unwrap();
    bench.agent("task.create", new()).unwrap();
}
