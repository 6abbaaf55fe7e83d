//! Evidence: what stands about a quarantined agent is whole, frozen, and proven by the record.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{os::unix::fs::PermissionsExt as _, process::Output};

use mc_tests::{Client, PATIENCE, Squad};
use serde_json::{Value, json};

const SECRET: &str = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";

/// A squad in which wren works on a task, within a run.
fn at_work() -> (Squad, Client, Client, String) {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let (mut wren, human) = (squad.agent("wren"), squad.human());
    let task = squad.started_task(&mut wren);
    let started = wren.ok("run.start", json!({"session": "s1", "task": task, "external_id": "x1"}));
    assert_eq!(started["run"], "R-1");
    (squad, wren, human, task)
}

fn check(command: &str) -> Value {
    json!({"tool": "exec", "arguments": {"command": command}, "run": "R-1"})
}

fn call(who: &mut Client, command: &str, end: &Value) {
    let checked = who.ok("tool.check", check(command));
    assert_eq!(checked["decision"], "allow", "{checked}");
    let mut finish = end.clone();
    finish["call"] = checked["call"].clone();
    who.ok("tool.finish", finish);
}

/// Lets wren fail until it is quarantined; its errors hold a secret.
fn fail(wren: &mut Client) {
    for n in 0..4 {
        let end = json!({"status": "failed", "error": format!("401 for {SECRET} (request {n})")});
        call(wren, &format!("cat {n}.txt"), &end);
    }
}

fn evidence(human: &mut Client) -> Value {
    human.ok("agent.evidence", json!({"agent": "wren"}))
}

/// Looks whether each event of a bundle is the record's, word for word, under the same hash.
fn is_of_the_record(human: &mut Client, bundle: &Value) {
    let rows = bundle["events"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let since = row["seq"].as_i64().unwrap() - 1;
        let page = human.ok("audit.export", json!({"since": since, "limit": 1}));
        assert_eq!(*row, page["items"][0]);
    }
    let kept = &bundle["kept"];
    for (seq, hash) in [
        (&kept["seq"], &kept["hash"]),
        (&bundle["evidence"]["head"], &bundle["evidence"]["head_hash"]),
        (&bundle["head"], &bundle["head_hash"]),
    ] {
        let remembered = json!({"remembered": {"seq": seq, "hash": hash}});
        assert_eq!(human.ok("audit.verify", remembered)["clean"], true, "{seq}");
    }
}

#[test]
fn a_loop_leaves_all_that_is_needed_to_judge_it() {
    let (_squad, mut wren, mut human, task) = at_work();
    fail(&mut wren);
    let bundle = evidence(&mut human);
    let (kept, held) = (&bundle["kept"], &bundle["evidence"]);
    assert_eq!(bundle["now"]["status"], "quarantined");
    assert_eq!(kept["by"]["name"], "loops");
    assert!(kept["reason"].as_str().unwrap().contains("failed 4 times"), "{kept}");
    assert!(held["summary"]["text"].as_str().unwrap().starts_with("**Loop Summary**"));
    assert_eq!(held["alerts"][0]["kind"], "error_streak");
    assert!(held["alerts"][0]["next"].as_str().unwrap().contains("mcctl agent evidence"));
    // As it stood before its work was ended.
    assert_eq!(held["tasks"][0]["task"], json!(task));
    assert_eq!(held["tasks"][0]["state"], "in_progress");
    assert_eq!(held["agent"]["error_streak"], 4);
    assert_eq!(held["runs"][0]["external_id"], "x1");
    let calls = held["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 4);
    for one in calls {
        assert_eq!((&one["decision"], &one["status"]), (&json!("allow"), &json!("failed")));
        assert!(one["rule"].is_string() && one["signature"].is_string(), "{one}");
    }
    let scopes = held["budgets"].as_array().unwrap().iter().map(|one| one["scope"].clone());
    assert_eq!(
        scopes.take(3).collect::<Vec<_>>(),
        [json!("run"), json!("task"), json!("agent_day")]
    );
    assert_eq!(held["policy"]["version"], 1);
    let kinds: Vec<_> = bundle["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["event"]["kind"].clone())
        .collect();
    assert_eq!(*kinds.last().unwrap(), "agent_status_changed");
    assert!(kinds.contains(&json!("tool_checked")) && kinds.contains(&json!("alert_raised")));
    is_of_the_record(&mut human, &bundle);
    assert!(!bundle.to_string().contains(SECRET), "a secret is shown");
}

#[test]
fn what_comes_later_changes_nothing_of_it() {
    let (mut squad, mut wren, mut human, task) = at_work();
    call(&mut wren, "ls", &json!({"status": "succeeded", "result_preview": "src"}));
    let pending = wren.ok("tool.check", check("cat a"));
    human.ok("agent.quarantine", json!({"agent": "wren", "reason": "reads too much"}));
    let first = evidence(&mut human);
    assert_eq!(first["kept"]["by"]["name"], "ana");
    assert_eq!(first["kept"]["reason"], "reads too much");
    assert_eq!(first["evidence"]["leases"][0]["call"], pending["call"]);
    assert_eq!(first["evidence"]["tasks"][0]["state"], "in_progress");
    // It is resumed, works on, and the daemon is killed: the evidence is the same.
    human.ok("agent.resume", json!({"agent": "wren", "reason": "explained"}));
    human.ok("task.unblock", json!({"task": task, "to": "in_progress", "note": "go on"}));
    call(&mut wren, "pwd", &json!({"status": "succeeded", "result_preview": "/"}));
    squad.kill();
    squad.start();
    let mut human = squad.human();
    let later = evidence(&mut human);
    for part in ["kept", "evidence", "events", "looked_from"] {
        assert_eq!(first[part], later[part], "{part}");
    }
    assert_eq!(later["now"]["status"], "active");
    is_of_the_record(&mut human, &later);
    // The next quarantine has its own.
    human.ok("agent.quarantine", json!({"agent": "wren", "reason": "again"}));
    let next = evidence(&mut human);
    assert_eq!(next["kept"]["reason"], "again");
    assert!(next["kept"]["seq"].as_i64() > first["kept"]["seq"].as_i64());
}

#[test]
fn an_agent_that_was_never_quarantined_is_shown_as_it_is() {
    let (_squad, mut wren, mut human, _) = at_work();
    call(&mut wren, "ls", &json!({"status": "succeeded", "result_preview": "src"}));
    let bundle = evidence(&mut human);
    assert!(bundle.get("kept").is_none());
    assert_eq!(bundle["evidence"]["head"], bundle["head"]);
    let few = human.ok("agent.evidence", json!({"agent": "wren", "limit": 2}));
    assert_eq!(few["events"].as_array().unwrap().len(), 2);
    assert_eq!(few["events"][1], bundle["events"].as_array().unwrap().last().unwrap().clone());
    assert_eq!(human.refused("agent.evidence", json!({"agent": "nobody"})).kind, "not_found");
    let many = human.refused("agent.evidence", json!({"agent": "wren", "limit": 201}));
    assert_eq!(many.kind, "invalid_params");
}

#[test]
fn agents_have_no_such_method_and_hear_nothing_of_it() {
    let (mut squad, mut wren, mut human, _) = at_work();
    squad.specialist("crane");
    let mut crane = squad.agent("crane");
    let refused = crane.refused("agent.evidence", json!({"agent": "wren"}));
    assert_eq!(refused.kind, "unknown_method");
    crane.ok("feed.subscribe", json!({}));
    fail(&mut wren);
    human.ok("agent.pause", json!({"agent": "crane", "reason": "the last event"}));
    let mut kinds = Vec::new();
    while !kinds.iter().any(|kind| kind == "the last event") {
        let item = crane.notice(PATIENCE).unwrap().expect("the feed goes on");
        let event = &item["params"]["event"];
        kinds.extend(event["event"]["kind"].as_str().map(str::to_owned));
        kinds.extend(event["reason"].as_str().map(str::to_owned));
    }
    assert!(kinds.iter().any(|kind| kind == "agent_status_changed"), "{kinds:?}");
    assert!(!kinds.iter().any(|kind| kind == "agent_evidence_kept"), "{kinds:?}");
}

fn mcctl(squad: &Squad, words: &[&str]) -> Output {
    squad.mcctl().args(words).output().unwrap()
}

#[test]
fn mcctl_shows_it_and_writes_one_file_for_its_owner() {
    let (squad, mut wren, _, task) = at_work();
    fail(&mut wren);
    let file = squad.dir().join("wren.json");
    let words = ["agent", "evidence", "wren", "--out", file.to_str().unwrap()];
    let done = mcctl(&squad, &words);
    let shown = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for word in
        ["loops", "failed 4 times", "audit verify --remembered", "Loop Summary", "cat 3.txt", &task]
    {
        assert!(shown.contains(word), "no `{word}` in {shown}");
    }
    assert!(!shown.contains(SECRET));
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(written["evidence"]["agent"]["name"], "wren");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // What is there already is not written over.
    let again = mcctl(&squad, &words);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("can't write"));
}
