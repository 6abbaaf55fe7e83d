//! Notices to agents: pushed through the runtime where there is one, else taken with the heartbeat;
//! each once, and under the same number wherever nobody said that it arrived.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use mc_tests::{Client, PATIENCE, Squad, until};
use serde_json::{Value, json};

/// Gives wren a task, which wren is told of.
fn assign(squad: &Squad, title: &str) {
    squad.human().ok("task.create", json!({"title": title, "type": "docs", "assignees": ["wren"]}));
}

/// Returns the numbers of the notices that wren's heartbeat brings.
fn beat(squad: &Squad) -> Vec<String> {
    let beat = squad.agent("wren").ok("agent.heartbeat", json!({}));
    let notices = beat["notifications"].as_array().unwrap().iter();
    notices.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// A runtime of wren's, which can be delivered to.
fn runtime(squad: &Squad) -> Client {
    let mut adapter = squad.adapter("gateway");
    attach(&mut adapter);
    adapter
}

fn attach(adapter: &mut Client) {
    let attach = json!({"runtime": "openclaw", "version": "1", "agents": ["wren"],
        "capabilities": ["deliver"]});
    adapter.ok("runtime.attach", attach);
}

/// Waits for the next order to deliver.
fn order(adapter: &mut Client) -> Value {
    loop {
        let order = adapter.notice(PATIENCE).unwrap().unwrap();
        if order["method"] == "runtime.deliver" {
            return order;
        }
    }
}

fn squad() -> Squad {
    let mut squad = Squad::default();
    squad.specialist("wren");
    squad.enrol("gateway", &["wren"]);
    squad
}

#[test]
fn without_a_runtime_the_heartbeat_brings_a_notice_until_it_is_said_to_have_arrived() {
    let mut squad = squad();
    assign(&squad, "one");
    assert_eq!(beat(&squad), ["N-1"]);
    // The answer may have been lost: nobody said that it arrived.
    squad.kill();
    squad.start();
    assert_eq!(beat(&squad), ["N-1"]);
    squad.agent("wren").ok("notification.ack", json!({"notification": "N-1"}));
    assert_eq!(beat(&squad), [""; 0]);
    assign(&squad, "two");
    assert_eq!(beat(&squad), ["N-2"]);
}

#[test]
fn a_runtime_is_pushed_each_notice_once_and_the_heartbeat_brings_none_of_them() {
    let mut squad = squad();
    assign(&squad, "before it came");
    let mut adapter = runtime(&squad);
    let first = order(&mut adapter);
    assert_eq!(first["params"]["id"], "N-1");
    assert!(first["params"]["text"].as_str().unwrap().contains("before it came"), "{first}");
    adapter.reply(&first, &json!({}));
    until("it counts as delivered", PATIENCE, || beat(&squad).is_empty().then_some(()));
    assign(&squad, "while it is there");
    let second = order(&mut adapter);
    assert_eq!(second["params"]["id"], "N-2");
    adapter.reply(&second, &json!({}));
    until("it counts as delivered", PATIENCE, || beat(&squad).is_empty().then_some(()));
    // Neither a new daemon nor a new connection brings them again: what comes first is new.
    drop(adapter);
    squad.kill();
    squad.start();
    let mut adapter = runtime(&squad);
    assign(&squad, "after all that");
    assert_eq!(order(&mut adapter)["params"]["id"], "N-3");
}

#[test]
fn what_a_runtime_did_not_confirm_comes_again_under_its_number() {
    let squad = squad();
    let mut adapter = runtime(&squad);
    assign(&squad, "lost on the way");
    assert_eq!(order(&mut adapter)["params"]["id"], "N-1");
    // It dies with the order in hand; the agent's own heartbeat brings it meanwhile.
    drop(adapter);
    assert_eq!(beat(&squad), ["N-1"]);
    let mut adapter = runtime(&squad);
    let again = order(&mut adapter);
    assert_eq!(again["params"]["id"], "N-1");
    adapter.reply(&again, &json!({}));
    until("it counts as delivered", PATIENCE, || beat(&squad).is_empty().then_some(()));
}

#[test]
fn a_notice_under_way_is_not_pushed_again_when_its_runtime_attaches_again() {
    let squad = squad();
    let mut adapter = runtime(&squad);
    assign(&squad, "in its hands");
    let first = order(&mut adapter);
    assert_eq!(first["params"]["id"], "N-1");
    attach(&mut adapter);
    assign(&squad, "new");
    assert_eq!(order(&mut adapter)["params"]["id"], "N-2");
    adapter.reply(&first, &json!({}));
    until("the first counts as delivered", PATIENCE, || (beat(&squad) == ["N-2"]).then_some(()));
}
