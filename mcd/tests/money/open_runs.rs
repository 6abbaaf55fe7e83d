//! Runs that go on: how many an agent has, and what those hold that spend without asking.

use std::time::Duration;

use mc_proto::error::ErrorKind;
use serde_json::{Value, json};

use crate::bench::{Bench, agent, usage};

fn start(bench: &Bench, session: &str) -> Result<Value, ErrorKind> {
    let start = json!({"session": session, "reserve_uusd": 0});
    bench.ask(&agent("wren"), "run.start", start)
}

#[test]
fn an_agent_has_so_many_runs_open_and_one_that_ends_makes_room() {
    let bench = Bench::new();
    let more = |at: i64| start(&bench, &format!("s{at}"));
    assert_eq!((0..16).filter(|at| more(*at).is_ok()).count(), 16);
    assert_eq!(more(16), Err(ErrorKind::RateLimited));
    bench.register("crow", json!({}));
    bench.run("crow", json!({}));
    bench.wren("run.finish", json!({"run": "R-3", "status": "succeeded"}));
    assert!(more(17).is_ok());
    assert_eq!(more(18), Err(ErrorKind::RateLimited));
    bench.policy("[limits]\nopen_runs_per_agent = 17\n");
    assert!(more(19).is_ok(), "the policy says how many");
    assert_eq!(more(20), Err(ErrorKind::RateLimited));
}

#[test]
fn runs_that_nothing_is_heard_of_give_up_their_places_and_keep_what_they_hold() {
    let bench = Bench::new();
    bench.policy("[limits]\nopen_runs_per_agent = 3\n");
    let runs = ["a", "b", "c"].map(|session| start(&bench, session).unwrap()["run"].clone());
    let reserve = json!({"run": runs[1], "amount_uusd": 100_000});
    bench.wren("run.reserve", reserve);
    bench.clock.advance(Duration::from_mins(29));
    let read = json!({"tool": "read", "arguments": {"path": "/w/a"}, "run": runs[2]});
    bench.wren("tool.check", read);
    assert_eq!(start(&bench, "d"), Err(ErrorKind::RateLimited), "not yet");
    bench.clock.advance(Duration::from_mins(1));
    assert!(start(&bench, "d").is_ok());
    let status = |run: &Value| bench.human("run.get", json!({"run": run}))["status"].clone();
    assert_eq!(runs.each_ref().map(status), ["timed_out", "timed_out", "running"]);
    let day = bench.budget("agent_day", json!({}));
    assert_eq!(day["reserved_uusd"], 100_000, "a promise counts until it is settled");
    bench.rebuilds();
}

#[test]
fn a_run_that_spends_without_asking_holds_from_then_on_what_it_may_spend() {
    let bench = Bench::new();
    let day = || {
        let row = bench.budget("agent_day", json!({}));
        (row["spent_uusd"].as_i64().unwrap(), row["reserved_uusd"].as_i64().unwrap())
    };
    let run = bench.run("wren", json!({"reserve_uusd": 0}));
    assert_eq!(day(), (0, 0));
    bench.spend("wren", &run, 200_000);
    assert_eq!(day(), (200_000, 800_000), "the rest of what a run may cost");
    bench.spend("wren", &run, 300_000);
    assert_eq!(day(), (500_000, 500_000), "of which it pays");
    let reserve = json!({"run": run, "amount_uusd": 100_000});
    let reserved = bench.wren("run.reserve", reserve)["reservation"].clone();
    assert_eq!(day(), (500_000, 100_000), "who asks after all gives it back");
    let mut settled = usage(&run, 90_000);
    settled["reservation"] = reserved;
    bench.wren("run.usage", settled);
    assert_eq!(day(), (590_000, 0));
    bench.wren("run.finish", json!({"run": run, "status": "succeeded"}));
    // Too little is no better than nothing.
    let run = bench.run("wren", json!({"reserve_uusd": 1}));
    bench.spend("wren", &run, 200_000);
    assert_eq!(day(), (790_000, 800_000));
    bench.wren("run.finish", json!({"run": run, "status": "succeeded"}));
    assert_eq!(day(), (790_000, 0));
    bench.rebuilds();
}

#[test]
fn runs_that_begin_with_nothing_pass_a_cap_by_their_first_cost_and_no_more() {
    let bench = Bench::new();
    let cap = json!({"scope": "squad_day", "cap_uusd": 1_000_000, "reason": "r"});
    bench.human("budget.set", cap);
    let mut runs = Vec::new();
    for at in 0..200 {
        runs.extend(start(&bench, &format!("s{at}")).ok());
    }
    assert_eq!(runs.len(), 16);
    for _ in 0..3 {
        for run in &runs {
            let is_open = bench.human("run.get", json!({"run": run["run"]}))["status"] == "running";
            if is_open {
                bench.spend("wren", &run["run"], 100_000);
            }
        }
    }
    let squad = bench.budget("squad_day", json!({}));
    let spent = squad["spent_uusd"].as_i64().unwrap();
    assert!((1_000_000..=1_600_000).contains(&spent), "{squad}");
    assert_eq!(start(&bench, "more"), Err(ErrorKind::Forbidden));
}
