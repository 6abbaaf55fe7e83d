//! Approvals: used once, only for what was asked, and decided once, whoever races.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use mc_tests::{
    Client, PASSPHRASE, Setup, Squad,
    asking::{approve, ask, shell, squad_at, squad_without_limits, verdict},
    is_nightly, say,
};
use serde_json::{Value, json};

/// Sends the same request a hundred times over ten connections at once.
fn at_once(squad: &Squad, method: &str, params: &Value) -> Vec<Value> {
    let mut clients: Vec<Client> = (0..10).map(|_| squad.agent("wren")).collect();
    let start = Barrier::new(clients.len());
    let ten = |client: &mut Client| -> Vec<Value> {
        start.wait();
        let sent: Vec<i64> = (0..10).map(|_| client.send(method, params.clone())).collect();
        sent.into_iter().map(|id| client.answer(id).unwrap()).collect()
    };
    thread::scope(|scope| {
        let uses: Vec<_> = clients.iter_mut().map(|client| scope.spawn(|| ten(client))).collect();
        uses.into_iter().flat_map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn a_hundred_parallel_uses_of_an_approval_allow_one_run() {
    let squad = squad_without_limits();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    for by_check in [true, false] {
        let id = ask(&mut wren, shell("ship once"));
        approve(&mut human, &id);
        let (method, params) = if by_check {
            ("tool.check", shell("ship once"))
        } else {
            ("tool.await", json!({"approval": id}))
        };
        let answers = at_once(&squad, method, &params);
        assert_eq!(answers.len(), 100);
        // The same lease may be told again to who waits, but no second call is allowed.
        let mut calls: Vec<_> = answers
            .iter()
            .filter(|one| one["decision"] == "allow")
            .map(|one| &one["call"])
            .collect();
        if by_check {
            assert_eq!(calls.len(), 1, "{calls:?}");
        }
        calls.dedup();
        assert_eq!(calls.len(), 1, "{calls:?}");
        let waiting = human.ok("approval.list", json!({"status": "pending"}));
        for left in waiting["items"].as_array().unwrap() {
            wren.ok("approval.cancel", json!({"approval": left["id"], "reason": "test over"}));
        }
    }
}

#[test]
fn an_approval_is_for_its_exact_call_and_anything_else_asks_anew() {
    let squad = squad_without_limits();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let base = || {
        json!({"tool": "exec", "arguments": {"command": "ship", "shell": "sh"}, "cwd": "/w",
            "env": {"A": "1"}, "session": "s"})
    };
    let id = ask(&mut wren, base());
    approve(&mut human, &id);
    let task = wren.ok("task.create", json!({"title": "other", "type": "docs"}))["id"].clone();
    wren.ok("task.claim", json!({"task": task}));
    let changes = [
        ("arguments", json!({"command": "ship ", "shell": "sh"})),
        ("arguments", json!({"command": "ship", "shell": "bash"})),
        ("arguments", json!({"command": "ship"})),
        ("arguments", json!({"command": "ship", "shell": "sh", "x": 1})),
        ("tool", json!("bash")),
        ("cwd", json!("/w/sub")),
        ("env", json!({"A": "2"})),
        ("env", json!({})),
        ("env", json!({"A": "1", "B": "1"})),
        ("task", task),
    ];
    for (field, value) in changes {
        let mut other = base();
        other[field] = value;
        let checked = wren.ok("tool.check", other.clone());
        assert_ne!(checked["decision"], "allow", "{other}");
        assert_ne!(checked["approval"], id.as_str(), "{other}");
    }
    let mut reordered = base();
    reordered["arguments"] = serde_json::from_str(r#"{"shell":"sh","command":"ship"}"#).unwrap();
    assert_eq!(wren.ok("tool.check", reordered)["decision"], "allow", "the same call");
    assert_eq!(wren.ok("tool.check", base())["decision"], "ask", "used once");
}

#[test]
fn an_approval_is_not_lent_to_another_agent() {
    let mut squad = squad_without_limits();
    squad.specialist("crow");
    let (mut wren, mut crow, mut human) = (squad.agent("wren"), squad.agent("crow"), squad.human());
    let id = ask(&mut wren, shell("ship"));
    approve(&mut human, &id);
    let other = ask(&mut crow, shell("ship"));
    assert_ne!(id, other);
    let peek = crow.refused("tool.await", json!({"approval": id}));
    assert!(["forbidden", "not_found"].contains(&peek.kind.as_str()), "{peek:?}");
    let seen = crow.call("approval.get", json!({"approval": id}));
    assert!(seen.is_err(), "{seen:?}");
    assert_eq!(wren.ok("tool.check", shell("ship"))["decision"], "allow");
}

#[test]
fn the_sixth_waiting_approval_of_an_agent_is_refused() {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let mut wren = squad.agent("wren");
    for at in 0..5 {
        ask(&mut wren, shell(&format!("ship {at}")));
    }
    let sixth = wren.ok("tool.check", shell("ship six"));
    assert_eq!(sixth["decision"], "deny", "{sixth}");
    assert!(sixth["approval"].is_null());
    assert_eq!(wren.ok("tool.check", shell("ship 0"))["decision"], "ask", "an old one joins");
}

#[test]
fn a_verdict_on_what_was_not_on_screen_is_a_conflict() {
    let squad = squad_without_limits();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let id = ask(&mut wren, shell("ship"));
    let good = verdict(&mut human, &id);
    let rev = good["rev"].as_i64().unwrap();
    for (field, value) in [
        ("digest", json!("0".repeat(64))),
        ("digest", json!("")),
        ("rev", json!(rev + 1)),
        ("rev", json!(rev - 1)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        for method in ["approval.approve", "approval.deny"] {
            let refused = human.refused(method, bad.clone());
            let kinds = ["conflict", "invalid_params"];
            assert!(kinds.contains(&refused.kind.as_str()), "{method} {bad}: {refused:?}");
        }
    }
    assert_eq!(human.ok("approval.get", json!({"approval": id}))["status"], "pending");
    human.ok("approval.deny", good.clone());
    assert_eq!(human.refused("approval.approve", good).kind, "conflict", "decided once");
    let told = wren.ok("tool.await", json!({"approval": id}));
    assert_eq!(told["decision"], "deny");
    assert!(told["reason"].as_str().unwrap().contains("seen"), "{told}");
}

#[test]
fn quarantine_voids_what_waits_and_what_was_granted() {
    let squad = squad_without_limits();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    squad.started_task(&mut wren);
    let granted = ask(&mut wren, shell("ship granted"));
    approve(&mut human, &granted);
    let waiting = ask(&mut wren, shell("ship waiting"));
    human.ok("agent.quarantine", json!({"agent": "wren", "reason": "odd"}));
    let seen = human.ok("approval.get", json!({"approval": waiting}));
    assert_eq!(seen["status"], "canceled");
    for command in ["ship granted", "ship waiting", "ship other"] {
        let answer = squad.agent("wren").call("tool.check", shell(command));
        let allowed = answer.is_ok_and(|checked| checked["decision"] != "deny");
        assert!(!allowed, "{command} was not denied in quarantine");
    }
    human.ok("agent.resume", json!({"agent": "wren", "reason": "fine"}));
    let after = squad.agent("wren").ok("tool.check", shell("ship granted"));
    assert_eq!(after["decision"], "ask", "what was granted before does not come back: {after}");
}

#[test]
fn who_waits_is_told_the_moment_it_is_decided() {
    let squad = squad_without_limits();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let id = ask(&mut wren, shell("ship"));
    let waits = wren.send("tool.await", json!({"approval": id, "wait_ms": 20_000}));
    let mut checking = squad.agent("wren");
    let mut check = shell("ship");
    check["wait_ms"] = 20_000.into();
    let checks = checking.send("tool.check", check);
    assert!(matches!(wren.frame(Duration::from_millis(300)), Ok(None)), "it waits");
    let yes = verdict(&mut human, &id);
    let decided = Instant::now();
    human.ok("approval.deny", yes);
    assert_eq!(wren.answer(waits).unwrap()["decision"], "deny");
    assert_eq!(checking.answer(checks).unwrap()["decision"], "deny");
    assert!(decided.elapsed() < Duration::from_secs(1), "{:?}", decided.elapsed());
}

#[test]
fn fifty_held_calls_survive_a_kill_and_each_is_answered_when_it_is_decided() {
    let mut squad = Squad::new(&Setup {
        policy: "[limits]\npending_per_agent = 1000\npending_per_squad = 1000\n".into(),
        limits: "requests_per_second = 1000000\nburst = 1000000\nconnections_per_agent = 100\n"
            .into(),
        ..Setup::default()
    });
    squad.specialist("wren");
    let mut wren = squad.agent("wren");
    let ids: Vec<String> = (0..50).map(|at| ask(&mut wren, shell(&format!("ship {at}")))).collect();
    let hold = |squad: &Squad, id: &String| {
        let mut held = squad.agent("wren");
        let request = held.send("tool.await", json!({"approval": id, "wait_ms": 25_000}));
        (held, request)
    };
    let mut lost: Vec<_> = ids.iter().map(|id| hold(&squad, id)).collect();
    squad.kill();
    assert!(lost.iter_mut().all(|(held, request)| held.answer(*request).is_err()));
    squad.start();
    let held: Vec<_> = ids.iter().map(|id| hold(&squad, id)).collect();
    let mut human = squad.human();
    let mut longest = Duration::ZERO;
    for (at, (id, (mut held, request))) in ids.iter().zip(held).enumerate() {
        let (method, expected) =
            [("approval.approve", "allow"), ("approval.deny", "deny")][usize::from(at % 2 == 1)];
        let say = verdict(&mut human, id);
        let decided = Instant::now();
        human.ok(method, say);
        let told = held.answer(request).unwrap();
        longest = longest.max(decided.elapsed());
        assert_eq!(told["decision"], expected, "{id}: {told}");
    }
    say(&format!("the slowest of fifty was answered after {longest:?}"));
    assert!(longest < Duration::from_secs(1), "{longest:?}");
}

#[test]
fn an_approval_that_ran_out_during_a_kill_is_not_granted() {
    let mut squad = squad_without_limits();
    let mut wren = squad.agent("wren");
    let ask = json!({"kind": "escalation", "summary": "which way?", "justification": "two",
        "expires_in_s": 1});
    let id = wren.ok("approval.request", ask)["id"].clone();
    let mut human = squad.human();
    let yes = verdict(&mut human, id.as_str().unwrap());
    squad.kill();
    thread::sleep(Duration::from_millis(1100));
    squad.start();
    let refused = squad.human().refused("approval.approve", yes);
    assert_eq!(refused.kind, "conflict", "{refused:?}");
}

#[test]
fn of_two_deciders_one_decides() {
    let squad = squad_without_limits();
    let rounds = if is_nightly() { 1000 } else { 100 };
    let mut wren = squad.agent("wren");
    let (mut one, mut two) = (squad.human(), squad.human());
    let start = Barrier::new(2);
    let mut firsts = 0;
    for round in 0..rounds {
        let id = ask(&mut wren, shell(&format!("ship {round}")));
        let say = verdict(&mut one, &id);
        let decide = |client: &mut Client, method: &str| {
            start.wait();
            client.call(method, say.clone())
        };
        let (yes, no) = thread::scope(|scope| {
            let yes = scope.spawn(|| decide(&mut one, "approval.approve"));
            let no = scope.spawn(|| decide(&mut two, "approval.deny"));
            (yes.join().unwrap(), no.join().unwrap())
        });
        assert_ne!(yes.is_ok(), no.is_ok(), "{yes:?} {no:?}");
        let loser = yes.as_ref().err().or(no.as_ref().err()).unwrap();
        assert_eq!(loser.kind, "conflict");
        let told = wren.ok("tool.await", json!({"approval": id}));
        assert_eq!(told["decision"] == "allow", yes.is_ok(), "{told}");
        firsts += usize::from(yes.is_ok());
    }
    say(&format!("of {rounds} races {firsts} were won by the yes"));
}

#[test]
fn a_decision_in_the_moment_of_expiry_is_one_or_the_other() {
    let squad = squad_without_limits();
    let rounds = if is_nightly() { 50 } else { 2 };
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let (mut granted, mut late) = (0, 0);
    for round in 0..rounds {
        let mut asked = Vec::new();
        for at in 0..20 {
            let ask = json!({"kind": "escalation", "summary": format!("way {round}.{at}?"),
                "justification": "two", "expires_in_s": 1});
            let id = wren.ok("approval.request", ask)["id"].as_str().unwrap().to_owned();
            asked.push((Instant::now(), verdict(&mut human, &id), id));
        }
        for (at, (since, yes, id)) in asked.into_iter().enumerate() {
            let end = Duration::from_millis(960 + 4 * at as u64);
            thread::sleep(end.saturating_sub(since.elapsed()));
            let done = human.call("approval.approve", yes);
            let now = human.ok("approval.get", json!({"approval": id}))["status"].clone();
            match done {
                Ok(_) => {
                    assert_eq!(now, "approved");
                    granted += 1;
                }
                Err(trouble) => {
                    assert_eq!(trouble.kind, "conflict", "{trouble:?}");
                    assert_ne!(now, "approved");
                    late += 1;
                }
            }
        }
    }
    say(&format!("{granted} were granted, {late} came too late"));
}

#[test]
fn a_proof_belongs_to_its_connection() {
    let squad = squad_without_limits();
    let id = ask(&mut squad.agent("wren"), shell("ship"));
    let mut human = squad.operator();
    human.unlock(PASSPHRASE);
    let yes = verdict(&mut human, &id);
    assert_eq!(squad.operator().refused("approval.approve", yes.clone()).kind, "forbidden");
    drop(human);
    assert_eq!(squad.operator().refused("approval.approve", yes).kind, "forbidden");
}

#[test]
fn a_script_that_was_changed_after_its_approval_does_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("deploy.sh");
    std::fs::write(&script, "echo harmless\n").unwrap();
    let squad = squad_at(dir.path());
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let call = json!({"tool": "exec", "arguments": {"command": "sh ./deploy.sh > notes"},
        "cwd": dir.path()});
    let id = ask(&mut wren, call.clone());
    let seen = human.ok("approval.get", json!({"approval": id}));
    let scripts = seen["statement"]["scripts"].as_array().unwrap();
    assert_eq!(scripts.len(), 1, "{seen}");
    assert!(seen["statement"]["program"].as_str().unwrap().ends_with("sh"), "{seen}");
    approve(&mut human, &id);
    std::fs::write(&script, "rm -rf ~\n").unwrap();
    let refused = wren.ok("tool.await", json!({"approval": id, "wait_ms": 0}));
    assert_eq!(refused["decision"], "deny", "{refused}");
    assert!(refused["reason"].as_str().unwrap().contains("was changed"), "{refused}");
    let gone = human.ok("approval.get", json!({"approval": id}));
    assert_eq!(gone["status"], "canceled", "{gone}");
    let again = ask(&mut wren, call.clone());
    assert_ne!(again, id, "the call asks anew");
    approve(&mut human, &again);
    assert_eq!(wren.ok("tool.check", call)["decision"], "allow", "unchanged, it runs");
}

#[test]
fn a_link_out_of_the_workspace_is_judged_where_it_leads() {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("notes.txt")).unwrap();
    std::os::unix::fs::symlink("/etc/shadow", dir.path().join("more.txt")).unwrap();
    std::fs::write(dir.path().join("plain.txt"), "x").unwrap();
    let squad = squad_at(dir.path());
    let mut wren = squad.agent("wren");
    let mut decided = |tool: &str, arguments: Value| {
        let call = json!({"tool": tool, "arguments": arguments, "cwd": dir.path()});
        wren.ok("tool.check", call)["decision"].as_str().unwrap().to_owned()
    };
    assert_eq!(decided("read", json!({"path": "plain.txt"})), "allow");
    assert_eq!(decided("exec", json!({"command": "cat plain.txt"})), "allow");
    assert_eq!(decided("read", json!({"path": "notes.txt"})), "ask");
    assert_eq!(decided("exec", json!({"command": "cat notes.txt"})), "ask");
    assert_eq!(decided("read", json!({"path": "more.txt"})), "deny");
    assert_eq!(decided("exec", json!({"command": "cat more.txt"})), "deny");
}

#[test]
fn a_remembered_approval_is_a_rule_that_is_seen_lent_to_nobody_and_revoked() {
    let squad = {
        let mut squad = squad_without_limits();
        squad.specialist("crow");
        squad
    };
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let mut crow = squad.agent("crow");
    // Yellow, and on no allowlist: it writes where nobody allowed it.
    let id = ask(&mut wren, shell("touch notes.md"));
    let scope = json!({"scope": "agent", "for_s": 3600, "uses": 2, "prefix_words": 1});
    let mut yes = verdict(&mut human, &id);
    yes["remember"] = scope.clone();
    let rule = human.ok("approval.approve", yes)["rule"].clone();
    assert_eq!(rule["covers"]["command"]["prefix"], json!(["touch"]), "{rule}");
    assert_eq!(wren.ok("tool.check", shell("touch notes.md"))["decision"], "allow", "the approval");
    let passed = wren.ok("tool.check", shell("touch other.md"));
    assert_eq!((&passed["decision"], &passed["rule"]), (&json!("allow"), &json!("standing.S-1")));
    for other in ["touch x.md; rm -rf y", "touch .git/x", "touch /etc/x", "mkdir new"] {
        assert_ne!(wren.ok("tool.check", shell(other))["decision"], "allow", "{other}");
    }
    assert_eq!(crow.ok("tool.check", shell("touch x.md"))["decision"], "ask", "not lent");
    assert_eq!(wren.ok("tool.check", shell("touch b.md"))["decision"], "allow", "its last use");
    assert_eq!(wren.ok("tool.check", shell("touch c.md"))["decision"], "ask", "used up");
    let listed = human.ok("rule.list", json!({}));
    assert_eq!(listed["items"][0]["used"], 2, "{listed}");
    human.ok("rule.revoke", json!({"rule": "S-1", "reason": "enough"}));
    assert_eq!(human.refused("rule.revoke", json!({"rule": "S-1"})).kind, "conflict");
    assert_eq!(human.ok("rule.list", json!({}))["items"], json!([]));
    for command in ["rm -rf build", "sh -c 'touch x'", "timeout 5 touch x.md", "ls | tee x.md"] {
        let id = ask(&mut wren, shell(command));
        let mut yes = verdict(&mut human, &id);
        yes["remember"] = scope.clone();
        assert_eq!(human.refused("approval.approve", yes).kind, "invalid_params", "{command}");
    }
}

#[test]
fn a_marked_set_is_decided_each_for_itself_and_red_never() {
    let squad = squad_without_limits();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let calls = ["touch a.md", "touch b.md", "rm -rf x"];
    let ids: Vec<String> = calls.iter().map(|call| ask(&mut wren, shell(call))).collect();
    let mut items: Vec<Value> = ids.iter().map(|id| verdict(&mut human, id)).collect();
    for item in &mut items {
        item.as_object_mut().unwrap().remove("note");
    }
    items[1]["digest"] = "0".repeat(64).into();
    let set = json!({"decision": "approve", "items": items});
    let done = human.ok("approval.decide", set)["receipts"].clone();
    let happened: Vec<bool> =
        done.as_array().unwrap().iter().map(|one| one["event"].is_string()).collect();
    assert_eq!(happened, [true, false, false], "{done}");
    let set = json!({"decision": "deny", "note": "no", "items": [items[2]]});
    assert!(human.ok("approval.decide", set)["receipts"][0]["event"].is_string());
    assert_eq!(
        human.refused("approval.decide", json!({"decision": "deny", "items": []})).kind,
        "invalid_params"
    );
}

#[test]
fn where_two_persons_are_wanted_one_alone_does_not_approve() {
    let policy = "[approvals]\nred_needs = 2\n".to_owned();
    let mut squad = Squad::new(&Setup { policy, ..Setup::default() });
    squad.specialist("wren");
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let id = ask(&mut wren, shell("rm -rf x"));
    let yes = verdict(&mut human, &id);
    let first = human.ok("approval.approve", yes);
    assert_eq!(first["approval"]["status"], "pending", "{first}");
    assert_eq!(first["approval"]["endorsements"][0]["by"], "ana", "{first}");
    let yes = verdict(&mut human, &id);
    let again = human.refused("approval.approve", yes);
    assert!(again.message.contains("another person"), "{again:?}");
    assert_eq!(wren.ok("tool.check", shell("rm -rf x"))["decision"], "ask", "it still waits");
}
