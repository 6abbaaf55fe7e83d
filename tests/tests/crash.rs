//! kill -9 is the normal way to stop: what was answered is there, what was not is whole or absent.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use mc_tests::{Client, PATIENCE, Setup, SmallDisk, Squad, is_nightly, is_root, until};
use serde_json::{Value, json};

/// What a writer knows when its connection ends: acknowledged ids by key, and the key that was
/// under way.
struct Written {
    done: BTreeMap<String, String>,
    open: Option<String>,
}

/// Starts a writer on each client, and returns when every one has had its first answer.
fn writing(clients: Vec<Client>, name: &str) -> Vec<JoinHandle<Written>> {
    let (first, firsts) = mpsc::channel();
    let writers: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(at, client)| {
            let (name, first) = (format!("{name}-{at}"), first.clone());
            thread::spawn(move || write(client, &name, &first))
        })
        .collect();
    for _ in &writers {
        firsts.recv_timeout(PATIENCE).unwrap();
    }
    writers
}

/// Creates tasks until the daemon is gone; tells of the first.
fn write(mut client: Client, name: &str, first: &Sender<()>) -> Written {
    let mut written = Written { done: BTreeMap::new(), open: None };
    for at in 0.. {
        let key = format!("{name}-{at}");
        let params = json!({"title": key, "type": "docs", "idempotency_key": key});
        let Ok(task) = client.call("task.create", params) else {
            written.open = Some(key);
            break;
        };
        written.done.insert(key, task["id"].as_str().unwrap().to_owned());
        if at == 0 {
            first.send(()).unwrap();
        }
    }
    written
}

/// Returns all tasks, by title.
fn tasks(squad: &Squad) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut client = squad.operator();
    let mut cursor = Value::Null;
    loop {
        let mut params = json!({"limit": 200});
        if !cursor.is_null() {
            params["cursor"] = cursor;
        }
        let page = client.ok("task.list", params);
        for task in page["items"].as_array().unwrap() {
            let text = |field: &str| task[field].as_str().unwrap().to_owned();
            found.entry(text("title")).or_default().push(text("id"));
        }
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            return found;
        }
    }
}

#[test]
fn what_was_acknowledged_survives_every_kill_exactly_once() {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let rounds = if is_nightly() { 200 } else { 20 };
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for round in 0..rounds {
        let clients: Vec<Client> = (0..8).map(|_| squad.agent("wren")).collect();
        let writers = writing(clients, &round.to_string());
        // The moment of the kill differs from round to round.
        thread::sleep(Duration::from_millis((round * 37) % 110));
        squad.kill();
        let written: Vec<Written> = writers.into_iter().map(|one| one.join().unwrap()).collect();
        let ready = squad.start();
        assert!(ready <= Duration::from_secs(2), "round {round}: ready after {ready:?}");
        let mut wren = squad.agent("wren");
        for one in written {
            all.extend(one.done);
            let key = one.open.unwrap();
            let params = json!({"title": key, "type": "docs", "idempotency_key": key});
            let again = wren.ok("task.create", params);
            all.insert(key, again["id"].as_str().unwrap().to_owned());
        }
        let verified = squad.human().ok("audit.verify", json!({}));
        assert_eq!(verified["clean"], true, "round {round}: {verified}");
    }
    let found = tasks(&squad);
    assert_eq!(found.len(), all.len());
    for (title, id) in all {
        assert_eq!(found[&title], [id], "{title}");
    }
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused_at_once() {
    let squad = Squad::default();
    let began = Instant::now();
    let mut second = squad.daemon_command().spawn().unwrap();
    let status = until("the second daemon ends", PATIENCE, || second.try_wait().unwrap());
    assert!(began.elapsed() <= Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(!status.success());
    squad.operator().ok("ping", json!({}));
    let mut human = squad.human();
    human.ok("task.create", json!({"title": "still here", "type": "docs"}));
}

/// Stops the daemon, changes its database, and returns how the next start ends.
fn start_on(change: impl FnOnce(&Path)) -> (Option<i32>, String, bool) {
    let mut squad = Squad::default();
    squad.stop();
    let path = squad.home().database();
    change(&path);
    let before = fs::read(&path).unwrap();
    let mut child = squad.daemon_command().spawn().unwrap();
    let status = until("the daemon ends", PATIENCE, || child.try_wait().unwrap());
    (status.code(), squad.log(), fs::read(&path).unwrap() == before)
}

#[test]
fn newer_foreign_and_broken_files_are_refused_and_left_as_they_are() {
    let (code, log, unchanged) = start_on(|path| {
        let db = rusqlite::Connection::open(path).unwrap();
        db.execute(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             VALUES (99, 'later', '2030-01-01T00:00:00Z', '1')",
            [],
        )
        .unwrap();
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    });
    assert_eq!((code, unchanged), (Some(78), true), "{log}");
    assert!(log.contains("99"), "{log}");

    let (code, log, unchanged) = start_on(|path| {
        fs::remove_file(path).unwrap();
        let db = rusqlite::Connection::open(path).unwrap();
        db.execute_batch("CREATE TABLE somebody_elses (x)").unwrap();
    });
    assert_eq!((code, unchanged), (Some(78), true), "{log}");

    let (code, log, unchanged) =
        start_on(|path| fs::write(path, "this is no database at all, but text").unwrap());
    assert_eq!((code, unchanged), (Some(78), true), "{log}");
}

#[test]
fn a_broken_policy_keeps_the_old_one_and_says_what_is_wrong() {
    let policy = "[limits]\npending_per_agent = 7\n".to_owned();
    let squad = Squad::new(&Setup { policy, ..Setup::default() });
    let path = squad.home().config.join("policy.toml");
    let mut human = squad.human();
    let before = human.ok("policy.get", json!({}));
    assert!(before["text"].as_str().unwrap().contains("= 7"), "{before}");
    fs::write(&path, "[limits]\npending_per_agnet = 9\n").unwrap();
    let refused = until("the new policy is refused", PATIENCE, || {
        let seen = human.ok("policy.get", json!({}));
        seen["refused"].as_array().filter(|refused| !refused.is_empty()).cloned()
    });
    assert_eq!(refused[0]["line"], 2, "{refused:?}");
    assert!(refused[0]["column"].as_u64().unwrap() >= 1, "{refused:?}");
    let text = refused[0]["message"].as_str().unwrap();
    assert!(text.contains("pending_per_agent"), "the nearest key: {text}");
    assert_eq!(human.ok("policy.get", json!({}))["version"], before["version"]);
    let mended = "[limits]\npending_per_agent = 9\n";
    fs::write(&path, mended).unwrap();
    let alerts = |human: &mut Client, status: &str| {
        let all = human.ok("alert.list", json!({"status": status}));
        let ours = all["items"].as_array().unwrap().iter();
        ours.filter(|one| one["text"].as_str().unwrap().starts_with("policy.toml differs")).count()
    };
    until("the mended file is seen", PATIENCE, || (alerts(&mut human, "open") == 1).then_some(()));
    let get = human.ok("policy.get", json!({}));
    assert_eq!(get["version"], before["version"], "an agent's user could have written it: {get}");
    human.ok("policy.activate", json!({"toml": mended, "note": "nine"}));
    let get = human.ok("policy.get", json!({}));
    assert!(get["text"].as_str().unwrap().contains("= 9"), "{get}");
    assert_eq!((&get["note"], alerts(&mut human, "open")), (&json!("nine"), 0), "{get}");
    let again = human.refused("policy.activate", json!({"toml": mended, "note": "nine"}));
    assert_eq!(again.kind, "conflict");
    let first = human.ok("policy.get", json!({"version": before["version"]}));
    assert_eq!(first["text"], before["text"]);
    let said = human.ok("policy.validate", json!({"toml": "levels = 7\n"}));
    assert_eq!(said["valid"], false);
}

#[test]
fn an_orderly_end_answers_what_it_took_and_leaves_nothing_behind() {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let writers = writing((0..4).map(|_| squad.agent("wren")).collect(), "end");
    let status = squad.stop();
    assert!(status.success(), "{status}");
    let home = squad.home();
    assert!(!home.agent_socket().exists() && !home.operator_socket().exists());
    let log = home.database().with_extension("db-wal");
    assert!(fs::metadata(log).map_or(0, |log| log.len()) == 0, "the log was folded in");
    squad.start();
    let found = tasks(&squad);
    for one in writers {
        for (title, id) in one.join().unwrap().done {
            assert_eq!(found[&title], [id], "{title}");
        }
    }
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else_and_heals() {
    if !is_root("a_full_disk_refuses_writes_and_nothing_else_and_heals") {
        return;
    }
    let Some(disk) = SmallDisk::new(16) else { return };
    let mut squad = Squad::in_dir(disk.path(), &Setup::default());
    squad.specialist("wren");
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    squad.started_task(&mut wren);
    let text = "x".repeat(60_000);
    let create = || json!({"title": "fill", "type": "docs", "description": text});
    disk.fill();
    let refused =
        until("writes are refused", PATIENCE, || wren.call("task.create", create()).err());
    assert_eq!((refused.kind.as_str(), refused.code), ("unavailable", -32053), "{refused:?}");
    let read = json!({"tool": "read", "arguments": {"path": "/w/a"}});
    let checks =
        until("checks are not allowed", PATIENCE, || match wren.call("tool.check", read.clone()) {
            Ok(checked) if checked["decision"] == "allow" => None,
            other => Some(other),
        });
    assert!(checks.is_err() || checks.is_ok_and(|checked| checked["decision"] == "deny"));
    let total = human.ok("task.list", json!({}))["total"].as_i64().unwrap();
    assert!(total >= 1);
    assert!(human.ok("squad.status", json!({}))["read_only"].is_string());
    human.ok("squad.emergency_stop", json!({"reason": "full"}));
    assert_eq!(wren.ok("tool.check", read.clone())["decision"], "deny");
    assert_eq!(squad.operator().ok("squad.status", json!({}))["halted"], true);
    squad.kill();
    disk.free();
    squad.start();
    assert_eq!(squad.operator().ok("squad.status", json!({}))["halted"], true, "survives");
    let mut human = squad.human();
    human.ok("squad.emergency_resume", json!({"reason": "space"}));
    disk.fill();
    let mut wren = squad.agent("wren");
    until("writes are refused again", PATIENCE, || wren.call("task.create", create()).err());
    disk.free();
    let freed = Instant::now();
    until("writes work again", Duration::from_secs(5), || wren.call("task.create", create()).ok());
    assert!(freed.elapsed() <= Duration::from_secs(5));
    assert_eq!(wren.ok("tool.check", read)["decision"], "allow");
    assert_eq!(human.ok("audit.verify", json!({}))["clean"], true);
}

#[test]
fn reads_go_on_while_many_write() {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut client = squad.agent("wren");
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    client.ok("task.create", json!({"title": "w", "type": "docs"}));
                }
            });
        }
        let mut human = squad.operator();
        let mut head = 0;
        for _ in 0..50 {
            let page = human.ok("task.list", json!({"limit": 5}));
            let seen = page["head"].as_i64().unwrap();
            assert!(seen >= head, "a later page shows an earlier state");
            head = seen;
        }
        over.store(true, Ordering::SeqCst);
    });
}
