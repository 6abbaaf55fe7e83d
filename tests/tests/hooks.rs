//! The hooks of other runtimes, with recorded events, a real daemon and a real `mcctl`.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use mc_tests::{Client, PATIENCE, Setup, Squad, program, until};
use serde_json::{Value, json};

const RUNTIMES: &[&str] = &["claude-code", "codex", "gemini"];

/// Recorded calls that each of them has.
const CALLS: &[&str] = &["read", "denied", "bash", "mcp"];

fn event(name: &str) -> Vec<u8> {
    let file = format!("{}/data/hooks/{name}.json", env!("CARGO_MANIFEST_DIR"));
    fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A squad with the agent wren, whose token lies in a file.
fn squad() -> (Squad, PathBuf) {
    squad_as(&Setup::default())
}

fn squad_as(setup: &Setup) -> (Squad, PathBuf) {
    let mut squad = Squad::new(setup);
    squad.specialist("wren");
    let token = squad.dir().join("wren.token");
    fs::write(&token, squad.token("wren")).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    (squad, token)
}

fn begin(home: &Path, token: &Path, words: &[&str], input: &[u8]) -> Child {
    let mut command = Command::new(program("mcctl"));
    command.arg("--home").arg(home).arg("hook").args(words);
    command.env("MC_AGENT", "wren").env("MC_TOKEN_FILE", token).env_remove("MC_SOCKET");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // Who refuses what is too long does not read it to its end.
    thread::spawn(move || stdin.write_all(&input).ok());
    child
}

fn hook(squad: &Squad, token: &Path, words: &[&str], input: &[u8]) -> Output {
    begin(squad.dir(), token, words, input).wait_with_output().unwrap()
}

fn answer(done: &Output) -> Value {
    serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

/// Returns `allow`, `deny` or `none` and the reason, in whichever way the runtime is told.
fn verdict(done: &Output) -> (String, String) {
    if done.stdout.is_empty() {
        return ("none".into(), String::new());
    }
    let said = answer(done);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let inner = &said["hookSpecificOutput"];
    if let Some(word) = inner["permissionDecision"].as_str() {
        return (word.into(), text(&inner["permissionDecisionReason"]));
    }
    if let Some(word) = inner["decision"]["behavior"].as_str() {
        return (word.into(), text(&inner["decision"]["message"]));
    }
    (text(&said["decision"]), text(&said["reason"]))
}

#[test]
fn each_runtime_is_told_yes_and_no_and_nothing_in_its_own_words() {
    let (squad, token) = squad();
    let rows = [
        ("claude-code", "read", "allow"),
        ("claude-code", "write", "allow"),
        ("claude-code", "edit", "allow"),
        ("claude-code", "spawn", "deny"),
        ("claude-code", "subagent", "allow"),
        ("claude-code", "denied", "deny"),
        ("claude-code", "prompt", "none"),
        ("claude-code", "stop", "none"),
        ("claude-code", "subagent-stop", "none"),
        ("claude-code", "session-start", "none"),
        ("claude-code", "session-end", "none"),
        ("codex", "read", "none"),
        ("codex", "denied", "deny"),
        ("codex", "permission", "deny"),
        ("codex", "prompt", "none"),
        ("codex", "stop", "none"),
        ("codex", "session-start", "none"),
        ("codex", "session-end", "none"),
        ("gemini", "read", "allow"),
        ("gemini", "write", "allow"),
        ("gemini", "denied", "deny"),
        ("gemini", "prompt", "none"),
        ("gemini", "after-agent", "none"),
        ("gemini", "notification", "none"),
        ("gemini", "compress", "none"),
        ("gemini", "session-start", "none"),
        ("gemini", "session-end", "none"),
    ];
    for (runtime, name, wanted) in rows {
        let name = format!("{runtime}-{name}");
        let done = hook(&squad, &token, &[runtime], &event(&name));
        assert_eq!(done.status.code(), Some(0), "{name}: {done:?}");
        let (word, reason) = verdict(&done);
        assert_eq!(word, wanted, "{name}: {done:?}");
        assert!(wanted != "deny" || reason.contains("Denied by Mission Control"), "{reason}");
    }
    for (name, wanted, code) in [("generic-read", "allow", 0), ("generic-denied", "deny", 4)] {
        let done = hook(&squad, &token, &["generic"], &event(name));
        assert_eq!((verdict(&done).0.as_str(), done.status.code()), (wanted, Some(code)));
    }
    let deferred = ["claude-code", "--defer-allow"];
    let done = hook(&squad, &token, &deferred, &event("claude-code-read"));
    assert_eq!(verdict(&done).0, "none", "the runtime's own rules decide");
}

#[test]
fn a_call_belongs_to_the_turns_run_and_its_end_is_recorded() {
    for (runtime, end) in [("claude-code", "stop"), ("codex", "stop"), ("gemini", "after-agent")] {
        let (squad, token) = squad();
        for name in ["prompt", "read", "read-done", end] {
            let done = hook(&squad, &token, &[runtime], &event(&format!("{runtime}-{name}")));
            assert!(done.status.success(), "{runtime} {name}: {done:?}");
        }
        let mut human = squad.operator();
        let runs = human.ok("run.list", json!({}));
        assert_eq!(runs["total"], 1, "{runs}");
        assert_eq!(runs["items"][0]["status"], "succeeded", "{runs}");
        let calls = human.ok("tool.list", json!({}));
        assert_eq!(calls["total"], 1, "{calls}");
        let call = &calls["items"][0];
        let told = serde_json::from_slice::<Value>(&event(&format!("{runtime}-read-done")));
        let took = &told.unwrap()["duration_ms"];
        assert_eq!((&call["status"], &call["duration_ms"]), (&json!("succeeded"), took));
        assert_eq!(call["run"], runs["items"][0]["id"]);
    }
}

#[test]
fn the_tools_of_mcctl_mcp_run_unasked_where_the_policy_says_so() {
    let names = ["mcp__mission-control__*", "mcp__mission_control__*", "mcp_mission-control_*"];
    let risks: Vec<String> = names.iter().map(|name| format!("\"{name}\" = \"green\"")).collect();
    let policy = format!("[tools]\nrisk = {{ {} }}\n", risks.join(", "));
    let (plain, own) = (Setup::default(), Setup { policy, ..Setup::default() });
    for (setup, wanted) in [(plain, "deny"), (own, "allow")] {
        let (squad, token) = squad_as(&setup);
        for runtime in RUNTIMES {
            let event = event(&format!("{runtime}-mcp"));
            let done = hook(&squad, &token, &[runtime, "--wait", "0"], &event);
            // Codex takes silence for a yes.
            let wanted = if (runtime, wanted) == (&"codex", "allow") { "none" } else { wanted };
            assert_eq!(verdict(&done).0, wanted, "{runtime}: {done:?}");
        }
    }
}

#[test]
fn a_held_call_runs_once_a_person_says_yes_and_its_failure_is_recorded() {
    let (squad, token) = squad();
    let child =
        begin(squad.dir(), &token, &["claude-code", "--wait", "20"], &event("claude-code-bash"));
    let mut human = squad.human();
    let id = until("the approval is asked for", PATIENCE, || {
        let waiting = human.ok("approval.list", json!({"status": "pending"}));
        waiting["items"][0]["id"].as_str().map(ToOwned::to_owned)
    });
    let seen = human.ok("approval.get", json!({"approval": id}));
    let yes = json!({"approval": id, "rev": seen["rev"], "digest": seen["digest"], "note": "ok"});
    human.ok("approval.approve", yes);
    let done = child.wait_with_output().unwrap();
    assert_eq!(verdict(&done).0, "allow", "{done:?}");
    hook(&squad, &token, &["claude-code"], &event("claude-code-bash-failed"));
    let calls = human.ok("tool.list", json!({}));
    assert_eq!(calls["items"][0]["status"], "failed", "{calls}");
    let told: Value = serde_json::from_slice(&event("claude-code-bash-failed")).unwrap();
    assert_eq!(calls["items"][0]["error"], told["error"]);
}

/// Begins a hook for `event`, changes what it asks for to `changed`, approves that, and returns what
/// the runtime is told.
fn edited(words: &[&str], event: &[u8], changed: &Value) -> Value {
    let (squad, token) = squad();
    let child = begin(squad.dir(), &token, words, event);
    let mut human = squad.human();
    let id = until("the approval is asked for", PATIENCE, || {
        let waiting = human.ok("approval.list", json!({"status": "pending"}));
        waiting["items"][0]["id"].as_str().map(ToOwned::to_owned)
    });
    let verdict = |human: &mut Client| {
        let seen = human.ok("approval.get", json!({"approval": id}));
        json!({"approval": id, "rev": seen["rev"], "digest": seen["digest"], "note": "less"})
    };
    let mut edit = verdict(&mut human);
    edit["arguments"] = changed.clone();
    human.ok("approval.edit", edit);
    let yes = verdict(&mut human);
    human.ok("approval.approve", yes);
    let done = child.wait_with_output().unwrap();
    answer(&done)
}

#[test]
fn what_a_person_changed_is_given_to_the_runtime_in_its_own_words() {
    let changed = json!({"command": "npm publish --dry-run", "description": "Try it"});
    for (runtime, name, place) in [
        ("claude-code", "bash", "/hookSpecificOutput/updatedInput"),
        ("claude-code", "permission", "/hookSpecificOutput/decision/updatedInput"),
        ("codex", "bash", "/hookSpecificOutput/updatedInput"),
        ("gemini", "bash", "/hookSpecificOutput/tool_input"),
    ] {
        let words = [runtime, "--wait", "20", "--rewrite"];
        let said = edited(&words, &event(&format!("{runtime}-{name}")), &changed);
        assert_eq!(said.pointer(place), Some(&changed), "{runtime} {name}: {said}");
        assert!(said.to_string().contains(r#""allow""#), "{runtime} {name}: {said}");
    }
    // Gemini CLI would keep what was taken out.
    let less = json!({"command": "npm publish --dry-run"});
    let said = edited(&["gemini", "--wait", "20", "--rewrite"], &event("gemini-bash"), &less);
    assert_eq!(said["decision"], "deny", "{said}");
    let call = json!({"tool": "exec", "arguments": {"command": "npm publish"}, "cwd": "/w",
        "can_rewrite": true});
    let said = edited(&["generic", "--wait", "20"], call.to_string().as_bytes(), &less);
    assert_eq!((&said["decision"], &said["arguments"]), (&json!("allow"), &less), "{said}");
}

#[test]
fn no_hook_says_that_its_runtime_can_rewrite_unless_it_is_told_so() {
    let (squad, token) = squad();
    hook(&squad, &token, &["claude-code", "--wait", "0"], &event("claude-code-bash"));
    let asked = squad.operator().ok("approval.list", json!({}));
    assert_eq!(asked["total"], 1, "{asked}");
    assert!(asked["items"][0]["can_rewrite"] != true, "{asked}");
}

#[test]
fn a_call_that_nobody_decides_on_is_refused_and_its_approval_stays() {
    let (squad, token) = squad();
    let permission = [("claude-code", "permission")];
    for (runtime, name) in RUNTIMES.iter().map(|runtime| (*runtime, "bash")).chain(permission) {
        let name = format!("{runtime}-{name}");
        let done = hook(&squad, &token, &[runtime, "--wait", "1"], &event(&name));
        let (word, reason) = verdict(&done);
        assert_eq!(word, "deny", "{done:?}");
        assert!(reason.starts_with("Not now: waiting for A-"), "{reason}");
    }
    let done = hook(&squad, &token, &["generic"], &event("generic-exec"));
    assert_eq!(done.status.code(), Some(5), "{done:?}");
    assert_eq!(verdict(&done).0, "ask");
    let mut human = squad.operator();
    let waiting = human.ok("approval.list", json!({"status": "pending"}));
    assert_ne!(waiting["total"], 0);
    let calls = human.ok("tool.list", json!({}));
    for call in calls["items"].as_array().unwrap() {
        assert_eq!(call["status"], "dropped", "{call}");
    }
}

#[test]
fn nothing_begins_while_the_squad_is_halted() {
    let (squad, token) = squad();
    squad.human().ok("squad.emergency_stop", json!({"reason": "test"}));
    for runtime in RUNTIMES {
        for what in ["read", "prompt"] {
            let done = hook(&squad, &token, &[runtime], &event(&format!("{runtime}-{what}")));
            let (word, reason) = verdict(&done);
            assert!(["deny", "block"].contains(&word.as_str()), "{runtime} {what}: {done:?}");
            assert!(reason.contains("emergency stop"), "{reason}");
        }
    }
}

#[test]
fn without_a_daemon_calls_and_turns_are_refused_at_once_and_ends_are_let_go() {
    let (mut squad, token) = squad();
    squad.kill();
    for runtime in RUNTIMES {
        for what in ["read", "prompt"] {
            let began = Instant::now();
            let done = hook(&squad, &token, &[runtime], &event(&format!("{runtime}-{what}")));
            let took = began.elapsed();
            let (word, reason) = verdict(&done);
            assert!(["deny", "block"].contains(&word.as_str()), "{runtime} {what}: {done:?}");
            assert!(reason.contains("Mission Control is away"), "{reason}");
            assert!(took < Duration::from_millis(1500), "{runtime} {what}: {took:?}");
        }
        let done = hook(&squad, &token, &[runtime], &event(&format!("{runtime}-read-done")));
        assert_eq!((done.status.code(), verdict(&done).0.as_str()), (Some(0), "none"));
    }
    let done = hook(&squad, &token, &["generic"], &event("generic-read"));
    assert_eq!(done.status.code(), Some(4));
}

#[test]
fn what_is_not_the_runtimes_event_blocks() {
    let (squad, token) = squad();
    let whole = event("claude-code-read");
    let big = |bytes: usize| {
        let mut call: Value = serde_json::from_slice(&whole).unwrap();
        call["tool_input"]["file_path"] = "x".repeat(bytes).into();
        call.to_string().into_bytes()
    };
    let text = String::from_utf8(whole.clone()).unwrap();
    let twice = text.replace("\"file_path\"", "\"file_path\": \"/w/a\", \"file_path\"");
    let bad: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"garbage".to_vec(),
        b"\0".to_vec(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        whole[..whole.len() / 2].to_vec(),
        [whole.as_slice(), whole.as_slice()].concat(),
        twice.into_bytes(),
        text.replace("\"Read\"", "7").into_bytes(),
        vec![0; 1024 * 1024],
        big(1024 * 1024),
        big(9 * 1024 * 1024),
    ];
    for input in &bad {
        for runtime in RUNTIMES {
            let done = hook(&squad, &token, &[runtime], input);
            assert_eq!(done.status.code(), Some(2), "{runtime}: {done:?}");
            assert!(done.stdout.is_empty(), "{done:?}");
            assert!(String::from_utf8_lossy(&done.stderr).contains("can't read this hook's"));
        }
        let done = hook(&squad, &token, &["generic"], input);
        assert_eq!((done.status.code(), verdict(&done).0.as_str()), (Some(4), "deny"));
    }
    for told in RUNTIMES.iter().chain(&["generic"]) {
        for runtime in RUNTIMES.iter().filter(|runtime| *runtime != told) {
            // A call is refused whichever of them it is written by; the generic one has one form.
            let names = if *told == "generic" { vec!["exec", "read"] } else { CALLS.to_vec() };
            for name in names {
                let done = hook(&squad, &token, &[runtime], &event(&format!("{told}-{name}")));
                assert_eq!(done.status.code(), Some(2), "{told} {name} to {runtime}: {done:?}");
            }
        }
    }
    assert_eq!(squad.operator().ok("tool.list", json!({}))["total"], 0, "nothing was recorded");
}

#[test]
fn input_that_never_comes_or_comes_slowly_is_read_as_it_is() {
    let (squad, token) = squad();
    let whole = event("claude-code-read");
    let mut command = Command::new(program("mcctl"));
    command.arg("--home").arg(squad.dir()).args(["hook", "claude-code"]);
    command.env("MC_AGENT", "wren").env("MC_TOKEN_FILE", &token).env_remove("MC_SOCKET");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(done.status.code(), Some(2), "nothing comes: {done:?}");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for piece in whole.chunks(whole.len() / 4) {
        stdin.write_all(piece).unwrap();
        stdin.flush().unwrap();
        assert!(child.try_wait().unwrap().is_none(), "it waits for the whole");
    }
    drop(stdin);
    let done = child.wait_with_output().unwrap();
    assert_eq!(verdict(&done).0, "allow", "{done:?}");
}

#[test]
fn a_hook_that_does_not_know_whose_it_is_refuses() {
    let (squad, _) = squad();
    let mut command = Command::new(program("mcctl"));
    command.arg("--home").arg(squad.dir()).args(["hook", "claude-code"]);
    command.env_remove("MC_AGENT").env_remove("MC_TOKEN_FILE").env_remove("MC_SOCKET");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&event("claude-code-read")).unwrap();
    let done = child.wait_with_output().unwrap();
    let (word, reason) = verdict(&done);
    assert_eq!(word, "deny", "{done:?}");
    assert!(reason.contains("MC_AGENT and MC_TOKEN_FILE"), "{reason}");
}
