//! Money over sockets: caps that hold whoever asks at once, promises through kill -9, amounts that are
//! none, and breaches that the very next question sees.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod breach;
mod crash;
mod refused;
mod storm;

use mc_tests::{Client, Setup, Squad};
use serde_json::{Value, json};

/// A squad whose agents may connect as often as a test likes.
fn squad(names: &[&str]) -> Squad {
    let defaults = Setup::default();
    let limits = format!("{}connections_per_agent = 100\n", defaults.limits);
    let mut squad = Squad::new(&Setup { limits, ..defaults });
    for name in names {
        squad.specialist(name);
    }
    squad
}

/// Sets a cap; `of` is nothing for the squad.
fn cap(human: &mut Client, scope: &str, of: &str, uusd: i64) {
    let mut set = json!({"scope": scope, "cap_uusd": uusd, "reason": "so"});
    if !of.is_empty() {
        set["of"] = of.into();
    }
    human.ok("budget.set", set);
}

/// Starts a run that reserves before each call.
fn run(agent: &mut Client, task: &str) -> String {
    let mut start = json!({"session": "agent:main", "reserve_uusd": 0});
    if !task.is_empty() {
        start["task"] = task.into();
    }
    agent.ok("run.start", start)["run"].as_str().unwrap().to_owned()
}

/// Reserves what must fit; returns the reservation.
fn reserve(agent: &mut Client, run: &str, uusd: i64) -> String {
    let answer = agent.ok("run.reserve", json!({"run": run, "amount_uusd": uusd}));
    assert_eq!((&answer["decision"], &answer["reserved_uusd"]), (&json!("allow"), &json!(uusd)));
    answer["reservation"].as_str().unwrap().to_owned()
}

/// Returns the report of a call.
fn usage(run: &str, uusd: i64) -> Value {
    json!({"run": run, "model": "mock/m", "input_tokens": 10, "output_tokens": 5,
        "cost_uusd": uusd})
}

/// Returns the report of a call that was reserved.
fn settled(run: &str, reservation: &str, uusd: i64) -> Value {
    let mut report = usage(run, uusd);
    report["reservation"] = reservation.into();
    report
}

/// Returns all that a run spends from: scope, spent, reserved.
fn standing(human: &mut Client, run: &str) -> Vec<(String, i64, i64)> {
    let budgets = human.ok("budget.get", json!({"run": run}));
    let number = |row: &Value, key: &str| row[key].as_i64().unwrap();
    let rows = budgets["budgets"].as_array().unwrap().iter();
    rows.map(|row| {
        let scope = row["scope"].as_str().unwrap().to_owned();
        (scope, number(row, "spent_uusd"), number(row, "reserved_uusd"))
    })
    .collect()
}

/// Says that every scope of a run has spent and promised the same.
fn counts(human: &mut Client, run: &str, spent: i64, reserved: i64) {
    let all = standing(human, run);
    assert!(all.len() >= 2, "{all:?}");
    for (scope, is, promised) in &all {
        assert_eq!((*is, *promised), (spent, reserved), "{scope} of {all:?}");
    }
}

/// Returns the alerts about budgets, oldest first.
fn alerts(human: &mut Client) -> Vec<Value> {
    let list = human.ok("alert.list", json!({"limit": 200}));
    let rows = list["items"].as_array().unwrap().iter().rev();
    rows.filter(|row| row["kind"] == "budget").cloned().collect()
}
