//! How a run ends, by whom, and what ends with it.

use mc_proto::error::ErrorKind;
use mcd::caller::Caller;
use serde_json::{Value, json};

use crate::{Bench, agent, question};

fn adapter(name: &str) -> Caller {
    Caller { adapter: Some(name.parse().unwrap()), ..agent("wren") }
}

fn end(run: &Value) -> Value {
    json!({"run": run, "status": "succeeded"})
}

#[test]
fn a_run_that_an_adapter_began_is_not_ended_by_its_agent() {
    let bench = Bench::with_agent();
    let start = json!({"session": "s", "external_id": "run-1"});
    let run = bench.ask(&adapter("plugin"), "run.start", start.clone()).unwrap()["run"].clone();
    let get = || bench.human("run.get", json!({"run": run})).unwrap();
    assert_eq!(get()["begun_by"], "plugin");
    let again = bench.agent("run.start", start).unwrap();
    assert_eq!(again["run"], run, "the same run, and still the adapter's");
    assert_eq!(bench.agent("run.finish", end(&run)), Err(ErrorKind::Forbidden));
    assert_eq!(get()["status"], "running");
    // An adapter that was enrolled anew takes over what the one before it began.
    bench.ask(&adapter("other"), "run.finish", end(&run)).unwrap();
    assert_eq!(get()["status"], "succeeded");
    assert_eq!(bench.agent("run.finish", end(&run)), Err(ErrorKind::Forbidden));
}

#[test]
fn an_agent_ends_what_it_began_itself_and_so_does_its_adapter() {
    let bench = Bench::with_agent();
    for caller in [agent("wren"), adapter("plugin")] {
        let run = bench.agent("run.start", json!({"session": "s"})).unwrap()["run"].clone();
        let ended = bench.ask(&caller, "run.finish", end(&run)).unwrap();
        assert_eq!((&ended["status"], &ended["begun_by"]), (&json!("succeeded"), &Value::Null));
    }
}

#[test]
fn the_second_lock_is_void_once_its_run_has_ended() {
    let (bench, run) = Bench::with_run();
    bench.allow(&run, "call-1", "pwd");
    bench.agent("run.finish", end(&run)).unwrap();
    let after = bench.confirm(question("q-1", "call-1", "pwd"));
    assert_eq!(after["decision"], "deny", "{after}");
    assert!(after["reason"].as_str().unwrap().contains("has ended"), "{after}");
}

#[test]
fn the_second_lock_is_void_once_a_budget_ended_its_run() {
    let (bench, run) = Bench::with_run();
    let cap = json!({"scope": "agent_day", "of": "wren", "cap_uusd": 1_000_000, "reason": "less"});
    bench.human("budget.set", cap).unwrap();
    bench.allow(&run, "call-1", "pwd");
    assert!(bench.confirms(question("q-1", "call-1", "pwd")), "as long as it goes on");
    bench.allow(&run, "call-2", "ls");
    let usage = json!({"run": run, "model": "m", "input_tokens": 10, "output_tokens": 10,
        "cost_uusd": 1_000_001});
    assert_eq!(bench.agent("run.usage", usage).unwrap()["state"], "stop");
    let ended = bench.human("run.get", json!({"run": run})).unwrap()["status"].clone();
    assert_eq!(ended, "aborted");
    for (request, call, command) in [("q-1", "call-1", "pwd"), ("q-2", "call-2", "ls")] {
        assert!(!bench.confirms(question(request, call, command)), "{call}");
    }
}
