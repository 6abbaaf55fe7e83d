//! Loops: each is contained by the very event that passes its limit, and by none before.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use mc_tests::{Client, Squad};
use serde_json::{Value, json};

/// A squad of two with a task that wren works on, and both may speak of it.
fn pair() -> (Squad, Client, Client, Client, String) {
    let mut squad = Squad::default();
    squad.specialist("wren");
    squad.specialist("crane");
    let (mut wren, crane, human) = (squad.agent("wren"), squad.agent("crane"), squad.human());
    let task = squad.started_task(&mut wren);
    (squad, wren, crane, human, task)
}

fn state(human: &mut Client, task: &str) -> String {
    human.ok("task.get", json!({"task": task}))["state"].as_str().unwrap().to_owned()
}

fn comment(who: &mut Client, task: &str, text: &str) {
    who.ok("message.post", json!({"task": task, "kind": "comment", "text": text}));
}

/// Lets a harmless call run and end; returns what the check said.
fn call(who: &mut Client, command: &str, end: &Value) -> Value {
    let params = json!({"tool": "exec", "arguments": {"command": command}});
    let checked = who.ok("tool.check", params);
    if checked["decision"] == "allow" {
        let mut finish = end.clone();
        finish["call"] = checked["call"].clone();
        who.ok("tool.finish", finish);
    }
    checked
}

/// Looks at what a containment leaves behind: a summary in the thread and one open alert.
fn is_told(human: &mut Client, task: &str, kind: &str, words: &[&str]) {
    let thread = human.ok("message.list", json!({"task": task, "limit": 200}));
    let summaries: Vec<_> = thread["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["kind"] == "system")
        .map(|one| one["text"].as_str().unwrap())
        .filter(|text| text.starts_with("**Loop Summary**"))
        .collect();
    assert_eq!(summaries.len(), 1, "{thread}");
    for word in words {
        assert!(summaries[0].contains(word), "no `{word}` in {}", summaries[0]);
    }
    let alerts = human.ok("alert.list", json!({"status": "open"}));
    let of_kind = alerts["items"].as_array().unwrap().iter().filter(|one| one["kind"] == kind);
    assert_eq!(of_kind.count(), 1, "{alerts}");
}

fn unblock(human: &mut Client, task: &str) {
    human.ok("task.unblock", json!({"task": task, "to": "in_progress", "note": "do it so"}));
}

#[test]
fn a_storm_of_comments_ends_with_the_twenty_first() {
    let (_squad, mut wren, _, mut human, task) = pair();
    for n in 0..20 {
        comment(&mut wren, &task, &format!("thought {n}"));
    }
    assert_eq!(state(&mut human, &task), "in_progress");
    comment(&mut wren, &task, "one more");
    assert_eq!(state(&mut human, &task), "blocked");
    is_told(&mut human, &task, "loop", &["21 messages", "wren says: \"one more\""]);
    let refused = wren
        .refused("message.post", json!({"task": task, "kind": "comment", "text": "and another"}));
    assert_eq!(refused.kind, "rate_limited");
    // Humans may speak, and what they decide begins the count anew.
    human.ok("message.post", json!({"task": task, "kind": "comment", "text": "enough"}));
    unblock(&mut human, &task);
    comment(&mut wren, &task, "thanks");
    assert_eq!(state(&mut human, &task), "in_progress");
}

#[test]
fn two_agents_answer_each_other_eight_times_and_not_nine() {
    let (_squad, mut wren, mut crane, mut human, task) = pair();
    for n in 0..4 {
        comment(&mut wren, &task, &format!("no, {n}"));
        comment(&mut crane, &task, &format!("yes, {n}"));
    }
    assert_eq!(state(&mut human, &task), "in_progress");
    comment(&mut wren, &task, "no!");
    assert_eq!(state(&mut human, &task), "blocked");
    is_told(&mut human, &task, "loop", &["answered each other 9 times", "crane says: \"yes, 3\""]);
}

#[test]
fn the_fourth_equal_error_quarantines_the_agent() {
    let (_squad, mut wren, _, mut human, task) = pair();
    for n in 0..4 {
        let status = human.ok("agent.get", json!({"agent": "wren"}))["status"].clone();
        assert_eq!(status, "active");
        let end = json!({"status": "failed", "error": format!("401 key expired (request {n})")});
        call(&mut wren, &format!("cat {n}.txt"), &end);
    }
    assert_eq!(human.ok("agent.get", json!({"agent": "wren"}))["status"], "quarantined");
    assert_eq!(state(&mut human, &task), "blocked");
    is_told(&mut human, &task, "error_streak", &["failed 4 times", "key expired", "cat 3.txt"]);
}

#[test]
fn the_fifth_failure_in_a_row_quarantines_the_agent_whatever_it_was() {
    let (_squad, mut wren, _, mut human, task) = pair();
    for what in ["a", "b", "c", "d", "e"] {
        assert_eq!(state(&mut human, &task), "in_progress", "{what}");
        call(&mut wren, "cat x", &json!({"status": "failed", "error": format!("{what} broke")}));
    }
    assert_eq!(human.ok("agent.get", json!({"agent": "wren"}))["status"], "quarantined");
    assert_eq!(state(&mut human, &task), "blocked");
}

#[test]
fn the_sixth_equal_call_with_an_equal_result_blocks_the_task() {
    let (_squad, mut wren, _, mut human, task) = pair();
    // Clocks and counters in the result make no difference; a result that differs does.
    for n in 0..5 {
        let text = format!("nothing to commit, took {n} ms at 10:00:0{n}");
        call(&mut wren, "git status", &json!({"status": "succeeded", "result_preview": text}));
    }
    call(&mut wren, "git status", &json!({"status": "succeeded", "result_preview": "1 change"}));
    assert_eq!(state(&mut human, &task), "in_progress");
    for n in 0..6 {
        assert_eq!(state(&mut human, &task), "in_progress", "{n}");
        let text = format!("nothing to commit, took {n} ms");
        call(&mut wren, "git status", &json!({"status": "succeeded", "result_preview": text}));
    }
    assert_eq!(state(&mut human, &task), "blocked");
    is_told(&mut human, &task, "loop", &["6 times in a row", "git status"]);
    // The run of a blocked task stands still.
    let checked = wren
        .ok("tool.check", json!({"tool": "exec", "arguments": {"command": "ls"}, "task": task}));
    assert_eq!((&checked["decision"], &checked["rule"]), (&json!("deny"), &json!("task.blocked")));
}

#[test]
fn a_call_that_is_denied_again_and_again_is_a_loop() {
    let (_squad, mut wren, _, mut human, task) = pair();
    for n in 0..6 {
        assert_eq!(state(&mut human, &task), "in_progress", "{n}");
        let checked = call(&mut wren, "cat ~/.ssh/id_rsa", &json!({}));
        assert_eq!(checked["decision"], "deny");
    }
    assert_eq!(state(&mut human, &task), "blocked");
}

#[test]
fn who_asks_again_during_a_pause_is_in_no_loop() {
    let (_squad, mut wren, _, mut human, task) = pair();
    human.ok("agent.pause", json!({"agent": "wren", "reason": "lunch"}));
    for _ in 0..8 {
        assert_eq!(call(&mut wren, "ls", &json!({}))["rule"], "agent.paused");
    }
    assert_eq!(state(&mut human, &task), "in_progress");
}

#[test]
fn calls_that_differ_only_in_numbers_warn_and_block_nothing() {
    let (_squad, mut wren, _, mut human, task) = pair();
    for n in 0..8 {
        let end = json!({"status": "succeeded", "result_preview": "not yet"});
        call(&mut wren, &format!("head -n {n} log"), &end);
    }
    assert_eq!(state(&mut human, &task), "in_progress");
    is_told(&mut human, &task, "loop", &["differ only in numbers"]);
}

#[test]
fn the_fourth_time_that_a_task_is_sent_back_blocks_it() {
    let (squad, mut wren, _, mut human, task) = pair();
    for n in 0..4 {
        assert_eq!(state(&mut human, &task), "in_progress", "{n}");
        let review = Squad::self_review(&mut wren, &task);
        wren.ok("task.submit", json!({"task": task, "deliverable": "done", "self_review": review}));
        human.ok("task.request_changes", json!({"task": task, "feedback": format!("again {n}")}));
    }
    assert_eq!(state(&mut human, &task), "blocked");
    is_told(&mut human, &task, "loop", &["sent back from review 4 times"]);
    drop(squad);
}

#[test]
fn work_as_it_is_trips_nothing() {
    let (_squad, mut wren, mut crane, mut human, task) = pair();
    let failed =
        |text: &str| json!({"status": "failed", "error": "exit code 1", "result_preview": text});
    let done = |text: &str| json!({"status": "succeeded", "result_preview": text});
    // Searches that find nothing, builds that break until they are mended, questions and answers.
    for word in ["alpha", "beta", "gamma", "delta"] {
        call(
            &mut wren,
            &format!("grep -rn {word} src"),
            &json!({"status": "failed", "error": "exit code 1"}),
        );
    }
    call(&mut wren, "ls", &done("src"));
    for n in 0..6 {
        call(&mut wren, "cargo test", &failed("error: 3 tests failed"));
        call(&mut wren, "cat src/lib.rs", &done(&format!("fn version_{n}")));
    }
    for n in 0..12 {
        call(
            &mut wren,
            &format!("sed -n '{n},{}p' src/lib.rs", n + 40),
            &done(&format!("part {}", "x".repeat(n))),
        );
    }
    for _ in 0..3 {
        comment(&mut wren, &task, "how shall the name be?");
        comment(&mut crane, &task, "as in the spec");
    }
    assert_eq!(state(&mut human, &task), "in_progress");
    let alerts = human.ok("alert.list", json!({"status": "open"}));
    assert_eq!(alerts["items"], json!([]), "{alerts}");
}

/// A recorded day of four agents on which nothing goes in circles.
fn clean_day() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/clean_day.jsonl")
}

/// Looks a trace through; returns the exit code and all that was said.
fn looked_through(squad: &Squad, trace: &Path, more: &[&str]) -> (Option<i32>, String) {
    let test = ["policy", "test", "--loop"];
    let done = squad.mcctl().args(test).arg(trace).args(more).output().unwrap();
    (done.status.code(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

#[test]
fn a_recorded_clean_day_trips_nothing_and_would_where_less_is_let_pass() {
    let squad = Squad::default();
    let (code, said) = looked_through(&squad, &clean_day(), &[]);
    let events = std::fs::read_to_string(clean_day()).unwrap().lines().count();
    assert!(events > 500);
    assert_eq!((code, said), (Some(0), format!("{events} events, and no limit would be passed\n")));
    let strict = squad.dir().join("strict.toml");
    std::fs::write(&strict, "[loops]\nsame_call = 4\n").unwrap();
    let words = ["--policy", strict.to_str().unwrap(), "--json"];
    let (code, said) = looked_through(&squad, &clean_day(), &words);
    let seen: Value = serde_json::from_str(&said).unwrap();
    let trips = seen["trips"].as_array().unwrap();
    assert_eq!((code, trips.len()), (Some(1), 16), "one watch on each of the sixteen tasks");
    assert!(trips.iter().all(|trip| trip["sign"] == "same_call" && trip["count"] == 5), "{said}");
}

#[test]
fn a_trace_with_lines_out_of_order_or_doubled_is_refused_with_the_line() {
    let squad = Squad::default();
    let day = std::fs::read_to_string(clean_day()).unwrap();
    let lines: Vec<&str> = day.lines().collect();
    let file = squad.dir().join("trace.jsonl");
    for (at, wanted) in [
        ([0, 2, 1], "line 3: event e2 stands behind e3"),
        ([0, 1, 1], "line 3: event e2 stands twice in a row"),
        ([0, 1, 0], "line 3: event e1 stands behind e2"),
    ] {
        let text: Vec<&str> = at.iter().map(|at| lines[*at]).collect();
        std::fs::write(&file, text.join("\n")).unwrap();
        let (code, said) = looked_through(&squad, &file, &[]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(wanted), "no `{wanted}` in {said}");
    }
}
