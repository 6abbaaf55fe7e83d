//! The record: no secret gets in, no change stays unseen, and the tables are its shadow.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use mc_tests::{Squad, is_nightly, program};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

/// A secret of each common kind, put together here so that no scanner stumbles over this file.
fn secrets() -> Vec<String> {
    vec![
        ["AKIA", "Z7Q2M5X8W4R6T9KJ"].concat(),
        ["ghp_", "wK3nR8tY2uP5sD7fG9hJ4kL6zX1cV0bN2mQe"].concat(),
        ["sk-ant-", "api03-Qm7Zx2Lw9Ks4Vt8Hn3Bj6Ry1Pd5Fg0Tc-Uw8Ea2"].concat(),
        ["xoxb-", "739204817263-950284716354-kZ8wQ2mN5rT7yU3pL6sX9vBd"].concat(),
        ["hunter2", "-Vq8z-Lm3-kT"].concat(),
    ]
}

/// Returns a text that carries every secret the way people and tools write them.
fn planted() -> String {
    let s = secrets();
    format!(
        "aws {} token={} key: {} slack {} password=\"{}\" url postgres://app:{}@db.example/x",
        s[0], s[1], s[2], s[3], s[4], s[4]
    )
}

/// Puts the text into every field that takes text.
fn plant(squad: &Squad) {
    let text = planted();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let task = human.ok(
        "task.create",
        json!({"title": text, "type": "docs", "description": text, "project": "p",
            "labels": ["l"], "idempotency_key": "planted"}),
    )["id"]
        .clone();
    let fence = wren.ok("task.claim", json!({"task": task}))["fence"].clone();
    let plan = json!({"task": task, "fence": fence, "work_plan": [text, text, text]});
    wren.ok("task.start", plan);
    let run = wren.ok("run.start", json!({"session": "s", "trigger": secrets()[1]}))["run"].clone();
    wren.ok("message.post", json!({"task": task, "text": text}));
    wren.ok("artifact.put", json!({"task": task, "name": "a.md", "text": text}));
    let arguments = json!({"command": text, "env": {"TOKEN": secrets()[1]}});
    let call = wren.ok(
        "tool.check",
        json!({"run": run, "tool": "exec", "arguments": arguments, "cwd": "/w",
            "env": {"API_KEY": secrets()[2]}, "justification": text, "rollback": text}),
    );
    let verdict = human.ok("approval.get", json!({"approval": call["approval"]}));
    human.ok(
        "approval.approve",
        json!({"approval": call["approval"], "rev": verdict["rev"], "digest": verdict["digest"],
            "note": text}),
    );
    wren.ok("tool.await", json!({"approval": call["approval"]}));
    wren.ok(
        "tool.finish",
        json!({"call": call["call"], "status": "failed", "result_preview": text, "error": text}),
    );
    wren.ok("run.finish", json!({"run": run, "status": "failed", "error": text}));
    wren.ok(
        "approval.request",
        json!({"kind": "escalation", "summary": text, "justification": text, "rollback": text,
            "payload": {"body": text}}),
    );
    let review = Squad::self_review(&mut human, task.as_str().unwrap());
    let submit =
        json!({"task": task, "deliverable": text, "evidence": [text], "self_review": review});
    wren.ok("task.submit", submit);
    human.ok("task.request_changes", json!({"task": task, "feedback": text}));
    wren.ok(
        "task.report_blocker",
        json!({"task": task, "reason": text, "tried": text, "needs": text}),
    );
    human.ok("agent.pause", json!({"agent": "wren", "reason": text}));
    human.ok("squad.emergency_stop", json!({"reason": text}));
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files(&entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

#[test]
fn planted_secrets_are_in_no_file_and_no_answer() {
    let mut squad = Squad::default();
    squad.specialist("wren");
    plant(&squad);
    let mut human = squad.human();
    let mut said = vec![human.ok("snapshot.get", json!({})).to_string()];
    for method in
        ["audit.export", "task.list", "tool.list", "run.list", "approval.list", "alert.list"]
    {
        said.push(human.ok(method, json!({"limit": 200})).to_string());
    }
    for method in ["task.get", "task.timeline", "task.answers", "message.list"] {
        said.push(human.ok(method, json!({"task": "T-1"})).to_string());
    }
    for secret in secrets() {
        for answer in &said {
            let at = answer.find(&secret).map(|at| &answer[at.saturating_sub(80)..at]);
            assert!(at.is_none(), "`{secret}` is in an answer after {at:?}");
        }
    }
    squad.stop();
    let mut all = Vec::new();
    files(squad.dir(), &mut all);
    assert!(all.len() >= 4, "{all:?}");
    for path in all {
        let bytes = fs::read(&path).unwrap();
        for secret in secrets() {
            assert!(!contains(&bytes, &secret), "`{secret}` is in {}", path.display());
        }
    }
}

fn mcd(squad: &Squad, command: &str) -> Output {
    let mut mcd = Command::new(program("mcd"));
    mcd.arg(command).arg("--home").arg(squad.dir()).output().unwrap()
}

/// A stopped squad with a history.
fn history() -> Squad {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    for state in ["review", "done", "blocked", "canceled", "assigned"] {
        squad.task_in(state, &mut wren, &mut human);
    }
    for at in 0..5 {
        let exec = json!({"tool": "exec", "arguments": {"command": format!("ship {at}")}});
        wren.ok("tool.check", exec);
    }
    drop((wren, human));
    assert!(squad.stop().success());
    squad
}

/// Changes one thing in one row of the journal and returns its number.
fn change(db: &Connection, at: i64, way: usize) -> i64 {
    let text: String =
        db.query_row("SELECT body FROM journal WHERE seq = ?1", [at], |row| row.get(0)).unwrap();
    match way {
        0 => {
            // One letter or digit becomes another one.
            let mut bytes = text.into_bytes();
            let digits: Vec<usize> =
                (0..bytes.len()).filter(|at| bytes[*at].is_ascii_alphanumeric()).collect();
            let place = digits[usize::try_from(at).unwrap() * 31 % digits.len()];
            bytes[place] = if bytes[place] == b'7' { b'8' } else { b'7' };
            let text = String::from_utf8(bytes).unwrap();
            db.execute("UPDATE journal SET body = ?2 WHERE seq = ?1", params![at, text]).unwrap();
        }
        1 => {
            let hash = "UPDATE journal SET hash = zeroblob(31) || x'01' WHERE seq = ?1";
            db.execute("UPDATE journal SET hash = zeroblob(32) WHERE seq = ?1", [at])
                .or_else(|_| db.execute(hash, [at]))
                .unwrap();
        }
        2 => {
            db.execute("DELETE FROM journal WHERE seq = ?1", [at]).unwrap();
        }
        _ => {
            let swap = "UPDATE journal SET body = (SELECT body FROM journal WHERE seq = ?1 + 1)
                        WHERE seq = ?1";
            db.execute(swap, [at]).unwrap();
        }
    }
    at
}

#[test]
fn every_change_of_a_journal_row_is_found_with_its_number() {
    let squad = history();
    let path = squad.home().database();
    let clean = mcd(&squad, "verify");
    assert!(clean.status.success(), "{clean:?}");
    let kept = fs::read(&path).unwrap();
    let rounds: i64 = if is_nightly() { 1000 } else { 40 };
    let head: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT max(seq) FROM journal", [], |row| row.get(0))
        .unwrap();
    for round in 0..rounds {
        let db = Connection::open(&path).unwrap();
        let at = 1 + (round * 7) % (head - 2);
        let changed = change(&db, at, usize::try_from(round).unwrap() % 4);
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(db);
        let found = mcd(&squad, "verify");
        let said = String::from_utf8_lossy(&found.stdout) + String::from_utf8_lossy(&found.stderr);
        assert!(!found.status.success(), "round {round}: a change of e{changed} was not found");
        let names = [format!("e{changed}"), format!("e{}", changed + 1)];
        assert!(names.iter().any(|name| said.contains(name)), "round {round}: {changed}: {said}");
        fs::write(&path, &kept).unwrap();
    }
}

#[test]
fn a_cut_tail_is_found_by_whom_remembers_the_head() {
    let mut squad = history();
    squad.start();
    let mut human = squad.human();
    let seen = human.ok("audit.verify", json!({}));
    assert_eq!(seen["clean"], true);
    let remembered = json!({"seq": seen["head"], "hash": seen["head_hash"]});
    let with = json!({"remembered": remembered});
    assert_eq!(human.ok("audit.verify", with.clone())["clean"], true);
    squad.stop();
    let db = squad.database();
    db.execute("DELETE FROM journal WHERE seq > ?1 - 3", [seen["head"].as_i64().unwrap()]).unwrap();
    drop(db);
    let mut child = squad.daemon_command().spawn().unwrap();
    let socket = squad.home().operator_socket();
    // The tables know more than the journal: either the start says so, or the audit does.
    let found = mc_tests::until("the daemon answers or ends", mc_tests::PATIENCE, || {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(!status.success());
        }
        let mut human = mc_tests::Client::hello(&socket, None, None).ok()?;
        let verified = human.ok("audit.verify", with.clone());
        Some(verified["clean"] == false)
    });
    // It may have ended by itself.
    child.kill().ok();
    child.wait().unwrap();
    assert!(found, "a cut tail was not found");
}

/// Returns every row of every table that is a shadow of the journal.
fn shadows(path: &Path) -> Vec<String> {
    let db = Connection::open(path).unwrap();
    let mut rows = Vec::new();
    for table in [
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
        "policies",
        "operators",
    ] {
        let mut all = db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let columns = all.column_count();
        let found = all.query_map([], |row| {
            let cells: Vec<String> =
                (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
            Ok(format!("{table}: {}", cells.join(" | ")))
        });
        rows.extend(found.unwrap().map(Result::unwrap));
    }
    rows
}

#[test]
fn tables_that_were_rebuilt_are_the_tables_that_were_written() {
    let squad = history();
    let path = squad.home().database();
    let written = shadows(&path);
    assert!(written.len() > 20);
    let db = Connection::open(&path).unwrap();
    db.execute("DELETE FROM tasks", []).unwrap();
    db.execute("UPDATE agents SET body = '{}'", []).unwrap();
    drop(db);
    let done = mcd(&squad, "rebuild");
    assert!(done.status.success(), "{done:?}");
    assert_eq!(shadows(&path), written);
}

#[test]
fn a_page_of_the_journal_hides_no_row() {
    let mut squad = history();
    squad.start();
    let mut human = squad.human();
    let (mut next, mut cursor) = (1, Value::Null);
    loop {
        let mut params = json!({"limit": 7});
        if !cursor.is_null() {
            params["cursor"] = cursor;
        }
        let page = human.ok("audit.export", params);
        for row in page["items"].as_array().unwrap() {
            assert_eq!(row["seq"], next, "{row}");
            assert_eq!(row["hash"].as_str().unwrap().len(), 64);
            next += 1;
        }
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert!(next > 20);
}
