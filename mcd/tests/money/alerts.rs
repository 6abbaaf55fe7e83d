//! Alerts about budgets: what happens again is counted, and what is over ends by itself.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::Bench;

/// The alerts about budgets, oldest first: how each stands, and what it says.
fn told(bench: &Bench) -> Vec<(String, String)> {
    bench.clock.advance(Duration::from_secs(1));
    bench.tick();
    let list = bench.human("alert.list", json!({"limit": 200}));
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = list["items"].as_array().unwrap().iter().rev();
    rows.filter(|row| row["kind"] == "budget")
        .map(|row| (text(row, "status"), text(row, "text")))
        .collect()
}

/// How the alerts stand, in short.
fn stand(bench: &Bench) -> Vec<String> {
    told(bench).into_iter().map(|(status, _)| status).collect()
}

fn cap(bench: &Bench, scope: &str, of: Option<&str>, uusd: i64) {
    let set = json!({"scope": scope, "of": of, "cap_uusd": uusd, "reason": "r"});
    bench.human("budget.set", set);
}

#[test]
fn breaches_of_one_budget_by_one_agent_are_one_alert_that_counts() {
    let bench = Bench::new();
    cap(&bench, "run", Some("wren"), 100_000);
    cap(&bench, "agent_day", Some("wren"), 90_000_000);
    for _ in 0..20 {
        let run = bench.run("wren", json!({"reserve_uusd": 0}));
        bench.spend("wren", &run, 100_000);
        bench.wren("run.finish", json!({"run": run, "status": "aborted"}));
    }
    let told = told(&bench);
    assert_eq!(told.len(), 1, "{told:?}");
    let (status, text) = &told[0];
    assert_eq!(status, "open");
    assert!(text.starts_with("wren: R-20 is ended: the run has spent $0.10 of $0.10"), "{text}");
    assert!(text.ends_with("(and 19 before it)"), "{text}");
    // Another agent's is another.
    bench.register("crow", json!({"run_cap_uusd": 100_000}));
    let run = bench.run("crow", json!({}));
    bench.spend("crow", &run, 100_000);
    assert_eq!(stand(&bench), ["open", "open"]);
    bench.rebuilds();
}

#[test]
fn an_alert_about_a_budget_ends_when_its_cap_is_raised_or_its_task_is_closed() {
    let bench = Bench::new();
    cap(&bench, "run", Some("wren"), 9_000_000);
    let task = bench.started("wren", json!({"budget_uusd": 1_000_000}));
    let run = bench.run("wren", json!({}));
    bench.spend("wren", &run, 850_000);
    bench.spend("wren", &run, 150_000);
    bench.wren("run.finish", json!({"run": run, "status": "aborted"}));
    assert_eq!(stand(&bench), ["open", "open"], "the share, and the end");
    let id = task.as_str().unwrap();
    cap(&bench, "task", Some(id), 1_100_000);
    assert_eq!(stand(&bench), ["open", "resolved"], "nine tenths are spent still");
    cap(&bench, "task", Some(id), 2_000_000);
    assert_eq!(stand(&bench), ["resolved", "resolved"]);
    cap(&bench, "task", Some(id), 900_000);
    assert_eq!(stand(&bench), ["resolved", "resolved", "open"], "it is told what that means");
    bench.human("task.cancel", json!({"task": task, "reason": "no more"}));
    assert_eq!(stand(&bench), ["resolved"; 3]);
    bench.rebuilds();
}

#[test]
fn a_share_that_is_told_is_told_anew_when_the_cap_has_grown() {
    let bench = Bench::new();
    cap(&bench, "run", Some("wren"), 9_000_000);
    let run = bench.run("wren", json!({"reserve_uusd": 0}));
    bench.spend("wren", &run, 2_900_000);
    assert_eq!(stand(&bench), ["open"]);
    cap(&bench, "agent_day", Some("wren"), 6_000_000);
    assert_eq!(stand(&bench), ["resolved"]);
    bench.spend("wren", &run, 100_000);
    bench.spend("wren", &run, 2_000_000);
    let told = told(&bench);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].1.contains("wren's day has spent $5.00 of $6.00"), "{told:?}");
}

#[test]
fn what_a_day_was_over_by_is_over_with_the_day() {
    let bench = Bench::new();
    cap(&bench, "run", Some("wren"), 9_000_000);
    cap(&bench, "squad_day", None, 2_000_000);
    let run = bench.run("wren", json!({}));
    bench.spend("wren", &run, 3_000_000);
    bench.wren("run.finish", json!({"run": run, "status": "aborted"}));
    assert_eq!(stand(&bench), ["open"]);
    bench.store.live().set_day("2026-09-22".into());
    assert_eq!(stand(&bench), ["resolved"]);
    let list = bench.human("alert.list", json!({"limit": 200}));
    let note = list["items"][0]["note"].as_str().unwrap();
    assert!(note.ends_with("is over: 2026-09-22 counts now"), "{note}");
    bench.rebuilds();
}

#[test]
fn a_cap_of_nothing_is_told() {
    let bench = Bench::new();
    cap(&bench, "agent_day", Some("wren"), 0);
    let told = told(&bench);
    let text = "wren's day has spent $0.00 of $0.00: nothing more may be spent".to_owned();
    assert_eq!(told, [("open".to_owned(), text)]);
    cap(&bench, "agent_day", Some("wren"), 1);
    assert_eq!(stand(&bench), ["resolved"]);
}

#[test]
fn a_cap_that_a_person_sets_takes_the_place_of_what_an_override_had_granted() {
    let bench = Bench::new();
    cap(&bench, "run", Some("wren"), 9_000_000);
    bench.started("wren", json!({"budget_uusd": 50_000_000}));
    let run = bench.run("wren", json!({}));
    bench.spend("wren", &run, 3_000_000);
    bench.approve(&bench.pending().remove(0));
    let day = || {
        let row = bench.budget("agent_day", json!({"agent": "wren"}));
        (row["cap_uusd"].as_i64().unwrap(), row["granted_uusd"].as_i64().unwrap())
    };
    let (raised, granted) = day();
    assert_eq!(raised, 3_000_000 + granted);
    assert!(granted > 0);
    cap(&bench, "agent_day", Some("wren"), 4_000_000);
    assert_eq!(day(), (4_000_000, 0));
    let rev = bench.human("agent.get", json!({"agent": "wren"}))["rev"].clone();
    let caps = json!({"daily_cap_uusd": 3_500_000, "run_cap_uusd": 1_000_000});
    let set = json!({"agent": "wren", "rev": rev, "set": caps});
    bench.human("agent.update", set);
    assert_eq!(day(), (3_500_000, 0));
    bench.rebuilds();
}

/// Passes the cap of a run on `task`, and approves the override.
fn raised_run(bench: &Bench, task: &Value) {
    let run = bench.run("wren", json!({"task": task}));
    bench.spend("wren", &run, 1_000_001);
    bench.approve(&bench.pending().remove(0));
}

#[test]
fn what_an_override_raised_for_runs_is_taken_back_with_the_runs_cap_or_by_its_task() {
    let bench = Bench::new();
    cap(&bench, "agent_day", Some("wren"), 90_000_000);
    let task = bench.started("wren", json!({"budget_uusd": 50_000_000}));
    let of_a_run = || {
        let run = bench.run("wren", json!({"task": task}));
        let row = bench.human("budget.get", json!({"run": run}));
        bench.wren("run.finish", json!({"run": run, "status": "succeeded"}));
        let rows = row["budgets"].as_array().unwrap().clone();
        let row = rows.iter().find(|row| row["scope"] == "run" && row["of"] == run).unwrap();
        row["cap_uusd"].as_i64().unwrap()
    };
    raised_run(&bench, &task);
    assert!(of_a_run() > 1_000_000);
    let one = json!({"scope": "run", "of": task, "cap_uusd": 2_000_000, "reason": "r"});
    bench.ask(&crate::bench::human(), "budget.set", one).unwrap_err();
    assert!(of_a_run() > 1_000_000, "nothing was set");
    bench.human("budget.set", json!({"scope": "run", "of": task, "clear": true, "reason": "r"}));
    assert_eq!(of_a_run(), 1_000_000);
    raised_run(&bench, &task);
    assert!(of_a_run() > 1_000_000);
    cap(&bench, "run", Some("wren"), 400_000);
    assert_eq!(of_a_run(), 400_000);
    bench.rebuilds();
}
