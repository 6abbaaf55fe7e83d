//! A person changes what an agent asked for: the changed call is judged, decided on and run, and
//! nothing else.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use mc_tests::{
    Client, Setup, Squad,
    asking::{approve, ask, change, shell, squad_at, squad_without_limits, verdict},
    code,
};
use serde_json::{Value, json};

fn edit(human: &mut Client, id: &str, arguments: &Value) -> Value {
    let change = change(human, id, arguments);
    human.ok("approval.edit", change)["approval"].clone()
}

fn command(text: &str) -> Value {
    json!({"command": text})
}

#[test]
fn a_changed_call_is_shown_beside_the_original_and_runs_in_its_place() {
    let squad = squad_without_limits();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let id = ask(&mut wren, shell("rm -rf build"));
    let before = human.ok("approval.get", json!({"approval": id}));
    let stale = verdict(&mut human, &id);
    let after = edit(&mut human, &id, &command("rm -rf build/cache"));
    assert_eq!(after["rev"].as_i64(), before["rev"].as_i64().map(|rev| rev + 1));
    assert_ne!(after["digest"], before["digest"]);
    assert_eq!(after["statement"]["arguments"], command("rm -rf build/cache"));
    assert_eq!(after["edited"]["original"], command("rm -rf build"));
    assert_eq!((&after["edited"]["by"], &after["edited"]["note"]), (&json!("ana"), &json!("seen")));
    assert_eq!(after["status"], "pending");
    assert_eq!(human.refused("approval.approve", stale).kind, "conflict", "the old digest");
    approve(&mut human, &id);
    let told = wren.ok("tool.await", json!({"approval": id}));
    assert_eq!(
        (&told["decision"], &told["arguments"]),
        (&json!("allow"), &command("rm -rf build/cache"))
    );
    let calls = human.ok("tool.list", json!({"agent": "wren"}))["items"].clone();
    let ran = calls.as_array().unwrap().iter().find(|call| call["id"] == told["call"]).unwrap();
    assert!(ran["preview"].as_str().unwrap().contains("build/cache"), "{ran}");
    assert_eq!(ran["arguments_sha256"], after["statement"]["arguments_sha256"]);
    assert_eq!(ran["original_sha256"], before["statement"]["arguments_sha256"]);
    assert_eq!(wren.ok("tool.await", json!({"approval": id}))["decision"], "deny", "used once");
}

#[test]
fn after_the_hold_the_original_call_is_repeated_and_the_changed_one_runs() {
    let squad = squad_without_limits();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let mail = json!({"tool": "send_email", "arguments": {"to": "all@x.org"}, "can_rewrite": true});
    let calls = [shell("rm -rf build"), mail];
    let changed = [command("rm -rf build/cache"), json!({"to": "me@x.org"})];
    for (call, changed) in calls.into_iter().zip(changed) {
        let id = ask(&mut wren, call.clone());
        edit(&mut human, &id, &changed);
        approve(&mut human, &id);
        let mut other = call.clone();
        other["arguments"] = changed.clone();
        assert_ne!(wren.ok("tool.check", other)["approval"], id, "the changed one is another call");
        let mut cannot = call.clone();
        cannot["can_rewrite"] = false.into();
        let refused = wren.ok("tool.check", cannot);
        assert_eq!(
            (&refused["decision"], &refused["rule"]),
            (&json!("deny"), &json!("approval.edited"))
        );
        let used = wren.ok("tool.check", call.clone());
        assert_eq!((&used["decision"], &used["arguments"]), (&json!("allow"), &changed), "{used}");
        assert_eq!(used["approval"], id);
        assert_eq!(wren.ok("tool.check", call)["decision"], "ask", "used once");
    }
}

#[test]
fn a_change_is_judged_and_what_can_not_be_checked_is_refused() {
    let squad = squad_without_limits();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let id = ask(&mut wren, shell("touch notes.md"));
    let key = format!("ghp_{}", "a1B2".repeat(9));
    let refused = [
        (command("cat /etc/shadow"), "forbidden"),
        (command("mkfs /dev/sda"), "forbidden"),
        (command("touch notes.md"), "invalid_params"),
        (command(&format!("TOKEN={key} touch x")), "invalid_params"),
        (command("echo ‹secret:assignment›"), "invalid_params"),
        (json!("touch x"), "invalid_params"),
        (json!({"command": "touch x", "workdir": "/"}), "invalid_params"),
        (command(&"x".repeat(140 * 1024)), "too_large"),
    ];
    for (arguments, kind) in refused {
        let change = change(&mut human, &id, &arguments);
        let trouble = human.refused("approval.edit", change);
        assert_eq!(
            trouble.kind,
            kind,
            "{}: {trouble:?}",
            &arguments.to_string()[..60.min(arguments.to_string().len())]
        );
    }
    let seen = human.ok("approval.get", json!({"approval": id}));
    assert!(seen["edited"].is_null() && seen["rev"] == 1, "nothing was changed: {seen}");
    assert_eq!(edit(&mut human, &id, &command("rm -rf x"))["risk"], "red", "raised");
    assert_eq!(edit(&mut human, &id, &command("ls"))["risk"], "red", "and never lowered again");
    let last = human.ok("approval.get", json!({"approval": id}));
    assert_eq!(last["edited"]["original"], command("touch notes.md"), "the first one is kept");
}

#[test]
fn only_a_person_changes_and_only_where_the_runtime_can_rewrite() {
    let squad = squad_without_limits();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let mut plain = shell("rm -rf a");
    plain["can_rewrite"] = false.into();
    let id = ask(&mut wren, plain);
    let arguments = command("rm -rf a/b");
    let wanted = change(&mut human, &id, &arguments);
    assert_eq!(human.refused("approval.edit", wanted).kind, "forbidden");
    let question = json!({"kind": "escalation", "summary": "which?", "justification": "two"});
    let question = wren.ok("approval.request", question)["id"].as_str().unwrap().to_owned();
    let wanted = change(&mut human, &question, &arguments);
    assert_eq!(human.refused("approval.edit", wanted).kind, "forbidden");
    let open = ask(&mut wren, shell("rm -rf b"));
    let wanted = change(&mut human, &open, &arguments);
    assert_eq!(wren.refused("approval.edit", wanted.clone()).kind, "unknown_method");
    assert_eq!(squad.operator().refused("approval.edit", wanted.clone()).kind, "forbidden");
    let mut other = wanted.clone();
    other["digest"] = "0".repeat(64).into();
    assert_eq!(human.refused("approval.edit", other).kind, "conflict");
    let no = verdict(&mut human, &open);
    human.ok("approval.deny", no);
    assert_eq!(human.refused("approval.edit", wanted).kind, "conflict", "decided already");
}

#[test]
fn a_script_of_the_changed_call_is_bound_and_that_of_the_original_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old.sh"), dir.path().join("new.sh"));
    std::fs::write(&old, "echo old\n").unwrap();
    std::fs::write(&new, "echo new\n").unwrap();
    let squad = squad_at(dir.path());
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let call = json!({"tool": "exec", "arguments": {"command": "sh ./old.sh > notes"},
        "cwd": dir.path(), "can_rewrite": true});
    for (touched, decision) in [(&old, "allow"), (&new, "deny")] {
        let id = ask(&mut wren, call.clone());
        let after = edit(&mut human, &id, &command("sh ./new.sh > notes"));
        let script = after["statement"]["scripts"][0][0].as_str().unwrap();
        assert!(script.ends_with("new.sh"), "{after}");
        approve(&mut human, &id);
        std::fs::write(touched, "rm -rf ~\n").unwrap();
        let told = wren.ok("tool.await", json!({"approval": id}));
        assert_eq!(told["decision"], decision, "{told}");
    }
}

#[test]
fn what_was_agreed_to_before_a_change_counts_no_more() {
    let policy = "[approvals]\nred_needs = 2\n".to_owned();
    let mut squad = Squad::new(&Setup { policy, ..Setup::default() });
    squad.specialist("wren");
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let id = ask(&mut wren, shell("rm -rf x"));
    approve(&mut human, &id);
    let after = edit(&mut human, &id, &command("rm -rf x/y"));
    assert!(after["endorsements"].is_null() || after["endorsements"] == json!([]), "{after}");
    approve(&mut human, &id);
    assert_eq!(human.ok("approval.get", json!({"approval": id}))["status"], "pending");
}

#[test]
fn a_second_factor_is_bound_to_the_changed_call() {
    let setup = Setup {
        policy: "[levels]\napprove_red = \"L3\"\ntokens = \"L1\"\n".to_owned(),
        has_factors: true,
        ..Setup::default()
    };
    let mut squad = Squad::new(&setup);
    let (mut wren, mut human) = {
        squad.specialist("wren");
        (squad.agent("wren"), squad.human())
    };
    let id = ask(&mut wren, shell("rm -rf x"));
    let mut yes = verdict(&mut human, &id);
    let opened =
        human.ok("session.challenge", json!({"method": "approval.approve", "params": yes}));
    edit(&mut human, &id, &command("rm -rf x/y"));
    yes["second_factor"] = json!({"challenge": opened["challenge"], "totp": code(0)});
    assert_eq!(human.refused("approval.approve", yes.clone()).kind, "conflict", "the old digest");
    let mut new = verdict(&mut human, &id);
    new["second_factor"] = json!({"challenge": opened["challenge"], "totp": code(1)});
    assert_eq!(human.refused("approval.approve", new.clone()).kind, "forbidden", "another request");
    new.as_object_mut().unwrap().remove("second_factor");
    let opened =
        human.ok("session.challenge", json!({"method": "approval.approve", "params": new}));
    assert!(opened["text"].as_str().unwrap().contains("rm -rf x/y"), "{opened}");
    new["second_factor"] = json!({"challenge": opened["challenge"], "totp": code(1)});
    human.ok("approval.approve", new);
    assert_eq!(wren.ok("tool.check", shell("rm -rf x"))["arguments"], command("rm -rf x/y"));
}
