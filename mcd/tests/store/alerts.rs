//! Alerts about what was refused outright, and about a disk that was full.

use super::*;

#[test]
fn what_nobody_may_do_is_told_once_until_it_is_resolved() {
    let bench = Bench::with_agent();
    let ask = |command: &str| bench.agent("tool.check", exec(command)).unwrap();
    assert_eq!(ask("ship it")["decision"], "ask");
    assert_eq!(bench.open_alerts(), [], "a question is none");
    for command in ["rm -rf /", "cat ~/.ssh/id_rsa", "openclaw config set a b"] {
        assert_eq!(ask(command)["decision"], "deny", "{command}");
    }
    let all = bench.human("alert.list", json!({})).unwrap()["items"].clone();
    let [alert] = all.as_array().unwrap().as_slice() else { panic!("{all}") };
    assert_eq!((&alert["kind"], &alert["agent"]), (&json!("policy_violation"), &json!("wren")));
    assert!(alert["text"].as_str().unwrap().contains("C-2"), "{alert}");
    assert!(alert["next"].as_str().unwrap().contains("--agent wren"), "{alert}");
    bench.human("alert.ack", json!({"alert": alert["id"]})).unwrap();
    ask("rm -rf /usr");
    assert_eq!(bench.open_alerts().len(), 1, "somebody looks at it");
    bench.human("alert.resolve", json!({"alert": alert["id"], "note": "a slip"})).unwrap();
    ask("rm -rf /etc");
    assert_eq!(bench.open_alerts().len(), 2);
    let long =
        json!({"tool": "write", "arguments": {"path": "a.md", "content": "x".repeat(140_000)}});
    bench.agent("tool.check", long).unwrap();
    bench.human("agent.pause", json!({"agent": "wren", "reason": "x"})).unwrap();
    assert_eq!(ask("ls")["decision"], "deny");
    assert_eq!(bench.open_alerts().len(), 2, "neither is what the deny list names");
}

#[test]
fn a_disk_that_was_full_is_told_with_the_first_write() {
    let bench = Bench::with_agent();
    bench.store.live().set_read_only(Some("the disk is full".into()));
    for _ in 0..2 {
        bench.system(SystemCommand::Tick);
        assert_eq!(bench.open_alerts(), [("error".to_owned(), "storage".to_owned())]);
        assert_eq!(bench.store.live().read_only(), None);
    }
}

#[test]
fn a_call_says_how_often_its_run_asked_for_the_same() {
    let (bench, run) = Bench::with_run();
    let retries = |tool: &str, command: &str, run: &Value| {
        let call = json!({"run": run, "tool": tool, "arguments": {"command": command}});
        let call = bench.agent("tool.check", call).unwrap()["call"].clone();
        let calls = bench.human("tool.list", json!({})).unwrap()["items"].clone();
        let row = calls.as_array().unwrap().iter().find(|one| one["id"] == call).unwrap();
        row["retries"].as_i64().unwrap()
    };
    for count in 0..3 {
        assert_eq!(retries(EXEC, "ls", &run), count);
    }
    assert_eq!(retries(EXEC, "pwd", &run), 0, "other arguments");
    assert_eq!(retries("process", "ls", &run), 0, "another tool");
    assert_eq!(retries(EXEC, "ls", &Value::Null), 0, "no run");
    assert_eq!(retries(EXEC, "ls", &run), 3);
}
