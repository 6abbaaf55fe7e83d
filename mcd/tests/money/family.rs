//! Sub-agents: what they spend counts in the days of all who are above them, and is charged once.

use mc_proto::error::ErrorKind;
use serde_json::{Value, json};

use crate::bench::{Bench, agent};

/// wren, who may spend $3.00 a day, with jay below it and tit below jay.
fn family() -> (Bench, Value) {
    let bench = Bench::new();
    let task = bench.started("wren", json!({"budget_uusd": 90_000_000}));
    for (name, parent) in [("jay", "wren"), ("tit", "jay")] {
        let below = json!({"parent": parent, "purpose": "reads", "task": task,
            "run_cap_uusd": 1_000_000, "daily_cap_uusd": 9_000_000});
        bench.register(name, below);
    }
    (bench, task)
}

fn day(bench: &Bench, name: &str) -> (i64, i64) {
    let row = bench.budget("agent_day", json!({"agent": name}));
    (row["spent_uusd"].as_i64().unwrap(), row["reserved_uusd"].as_i64().unwrap())
}

fn status(bench: &Bench, name: &str) -> Value {
    bench.human("agent.get", json!({"agent": name}))["status"].clone()
}

#[test]
fn what_a_sub_agent_spends_and_holds_counts_in_every_day_above_it() {
    let (bench, _) = family();
    let run = bench.run("tit", json!({}));
    assert_eq!(["wren", "jay", "tit"].map(|name| day(&bench, name)), [(0, 1_000_000); 3]);
    bench.spend("tit", &run, 600_000);
    assert_eq!(["wren", "jay", "tit"].map(|name| day(&bench, name)), [(600_000, 400_000); 3]);
    // What the family holds together is what each of its members is refused beyond.
    bench.run("jay", json!({}));
    let rest = bench.wren("run.start", json!({"session": "s"}))["reserved_uusd"].clone();
    assert_eq!(rest, 1_000_000);
    assert_eq!(day(&bench, "wren"), (600_000, 2_400_000));
    let more = bench.ask(&agent("jay"), "run.start", json!({"session": "t"}));
    assert_eq!(more, Err(ErrorKind::Forbidden), "wren's day is promised");
    bench.by("tit", "run.finish", json!({"run": run, "status": "succeeded"}));
    assert_eq!(day(&bench, "wren"), (600_000, 2_000_000));
    bench.rebuilds();
}

#[test]
fn sums_by_agent_charge_a_cost_once_and_the_day_says_what_sub_agents_spent() {
    let (bench, _) = family();
    for name in ["wren", "jay", "tit"] {
        let run = bench.run(name, json!({}));
        bench.spend(name, &run, 100_000);
    }
    let rows = bench.human("cost.rollup", json!({"by": ["agent"]}));
    let costs: Vec<&Value> =
        rows["rows"].as_array().unwrap().iter().map(|row| &row["cost_uusd"]).collect();
    assert_eq!(costs, [&json!(100_000); 3]);
    assert_eq!(rows["total"]["cost_uusd"], 300_000);
    for (name, own, below) in [("wren", 300_000, 200_000), ("jay", 200_000, 100_000)] {
        let row = bench.budget("agent_day", json!({"agent": name}));
        let seen = (&row["spent_uusd"], &row["sub_agents_uusd"]);
        assert_eq!(seen, (&json!(own), &json!(below)), "{name}");
        let agent = bench.human("agent.get", json!({"agent": name}));
        assert_eq!(agent["spent_today_uusd"], 100_000, "its own: {agent}");
    }
    let squad = bench.budget("squad_day", json!({}));
    assert_eq!((&squad["spent_uusd"], &squad["sub_agents_uusd"]), (&json!(300_000), &json!(0)));
    let forecast = bench.human("cost.forecast", json!({"agent": "wren"}));
    assert_eq!(forecast["spent_uusd"], 300_000, "as it counts for its cap");
    bench.store.live().set_day("2026-09-22".into());
    let forecast = bench.human("cost.forecast", json!({"agent": "wren"}));
    let yesterday = json!({"day": "2026-09-21", "uusd": 300_000});
    assert_eq!(forecast["days"][13], yesterday, "likewise");
    bench.rebuilds();
}

#[test]
fn the_day_of_a_parent_that_its_sub_agents_spend_stops_the_parent_and_all_below_it() {
    let (bench, task) = family();
    let own = bench.run("wren", json!({}));
    let child = bench.run("jay", json!({}));
    let grandchild = bench.run("tit", json!({}));
    bench.spend("jay", &child, 950_000);
    bench.by("jay", "run.finish", json!({"run": child, "status": "succeeded"}));
    assert_eq!(bench.spend("tit", &grandchild, 2_050_001)["state"], "stop");
    let runs = [&own, &grandchild];
    let ends = runs.map(|run| bench.human("run.get", json!({"run": run}))["status"].clone());
    assert_eq!(ends, ["aborted", "aborted"], "the parent's run pays from the same day");
    assert_eq!(status(&bench, "wren"), "paused");
    let wren = bench.human("agent.get", json!({"agent": "wren"}));
    let why = wren["status_reason"].as_str().unwrap();
    assert!(why.starts_with("budget: wren's day has spent $3.00 of $3.00"), "{why}");
    assert_eq!(status(&bench, "tit"), "active");
    for name in ["wren", "jay", "tit"] {
        let start = bench.ask(&agent(name), "run.start", json!({"session": "s"}));
        assert_eq!(start, Err(ErrorKind::Forbidden), "{name}");
    }
    assert_eq!(bench.task(&task)["state"], "needs_approval");
    // A yes to the override of one of them lets the parent go on, and with it the others.
    let is_of_wren = |one: &&Value| {
        let raise = &one["statement"]["arguments"]["raise"];
        raise["of"].as_str().is_some_and(|of| of.starts_with("wren "))
    };
    let pending = bench.pending();
    let of_wren: Vec<&Value> = pending.iter().filter(is_of_wren).collect();
    assert!(of_wren.iter().any(|one| one["agent"] == "tit"), "{pending:?}");
    bench.approve(of_wren.iter().find(|one| one["agent"] == "tit").unwrap());
    assert_eq!(status(&bench, "wren"), "active");
    bench.by("jay", "run.start", json!({"session": "s"}));
    bench.rebuilds();
}

#[test]
fn a_cost_that_is_corrected_is_corrected_in_every_day_above() {
    let (bench, _) = family();
    let run = bench.run("tit", json!({"reserve_uusd": 0}));
    let reserve = json!({"run": run, "amount_uusd": 400_000});
    let promised = bench.by("tit", "run.reserve", reserve)["reservation"].clone();
    let release = json!({"reservation": promised, "spent_uusd": 300_000, "reason": "the bill"});
    bench.human("budget.release", release);
    assert_eq!(["wren", "jay", "tit"].map(|name| day(&bench, name)), [(300_000, 0); 3]);
    let mut late = crate::bench::usage(&run, 350_000);
    late["reservation"] = promised;
    bench.by("tit", "run.usage", late);
    assert_eq!(["wren", "jay", "tit"].map(|name| day(&bench, name)), [(350_000, 0); 3]);
    bench.rebuilds();
}

#[test]
fn one_parent_has_so_many_sub_agents_however_many_tasks_they_serve() {
    let bench = Bench::new();
    let rev = bench.human("agent.get", json!({"agent": "wren"}))["rev"].clone();
    let may = json!({"can_spawn": true, "run_cap_uusd": 100_000});
    bench.human("agent.update", json!({"agent": "wren", "rev": rev, "set": may}));
    let spawn = |at: usize| {
        let part = json!({"title": "x", "type": "docs", "assignees": ["wren"]});
        let task = bench.wren("task.create", part)["id"].clone();
        let child = json!({"name": format!("w{at}"), "autonomy": "specialist", "runtime": "openclaw",
            "workspace": "/w", "purpose": "reads", "task": task});
        bench.ask(&agent("wren"), "agent.register", child)
    };
    let made: Vec<bool> = (0..7).map(|at| spawn(at).is_ok()).collect();
    assert_eq!(made, [true, true, true, true, true, true, false]);
    let caps = bench.human("agent.get", json!({"agent": "w0"}))["run_cap_uusd"].clone();
    assert_eq!(caps, 100_000, "no more than its parent's, also where none was named");
    bench.human("agent.stop", json!({"agent": "w0", "reason": "done"}));
    assert!(spawn(8).is_ok(), "one that has ended makes room");
}
