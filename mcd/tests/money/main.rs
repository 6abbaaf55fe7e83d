//! Money at the desk: promises and caps, breaches, prices, attribution; histories against a model.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod alerts;
mod bench;
#[path = "../simulation/dice.rs"]
mod dice;
mod family;
mod late;
mod model;
#[path = "../../../tests/src/nightly.rs"]
mod nightly;
mod open_runs;

use std::time::Duration;

use bench::{Bench, agent, human, usage};
use mc_proto::{error::ErrorKind, method::Request};
use mcd::caller::Work;
use serde_json::{Value, json};

#[test]
fn a_run_reserves_its_cap_at_start_spends_from_it_and_gives_the_rest_back() {
    let bench = Bench::new();
    let started = bench.wren("run.start", json!({"session": "s"}));
    assert_eq!(started["reserved_uusd"], 1_000_000);
    let run = started["run"].clone();
    let day = bench.budget("agent_day", json!({}));
    assert_eq!((&day["spent_uusd"], &day["reserved_uusd"]), (&json!(0), &json!(1_000_000)));
    let spent = bench.spend("wren", &run, 300_000);
    assert_eq!((&spent["remaining_uusd"], &spent["state"]), (&json!(700_000), &json!("ok")));
    let day = bench.budget("agent_day", json!({}));
    assert_eq!((&day["spent_uusd"], &day["reserved_uusd"]), (&json!(300_000), &json!(700_000)));
    bench.wren("run.finish", json!({"run": run, "status": "succeeded"}));
    let day = bench.budget("agent_day", json!({}));
    assert_eq!((&day["spent_uusd"], &day["reserved_uusd"]), (&json!(300_000), &json!(0)));
    bench.rebuilds();
}

#[test]
fn a_run_that_its_runtime_tries_again_after_its_end_is_asked_for_anew() {
    let bench = Bench::new();
    let start = || json!({"session": "s", "external_id": "x"});
    assert_eq!(bench.run("wren", start()), "R-1");
    assert_eq!(bench.run("wren", start()), "R-1", "it goes on");
    bench.spend("wren", &json!("R-1"), 1_000_000);
    let again = bench.wren("run.start", start());
    assert_eq!((&again["run"], &again["reserved_uusd"]), (&json!("R-2"), &json!(1_000_000)));
    bench.wren("run.finish", json!({"run": "R-2", "status": "failed"}));
    let cap = json!({"scope": "squad_day", "cap_uusd": 1_000_000, "reason": "r"});
    bench.human("budget.set", cap);
    assert_eq!(bench.refused("run.start", start()), ErrorKind::Forbidden, "nothing is left");
}

#[test]
fn runs_beside_each_other_get_what_is_left_and_then_nothing() {
    let bench = Bench::new();
    for reserved in [1_000_000, 1_000_000, 1_000_000] {
        assert_eq!(bench.wren("run.start", json!({"session": "s"}))["reserved_uusd"], reserved);
    }
    assert_eq!(bench.refused("run.start", json!({"session": "s"})), ErrorKind::Forbidden);
    bench.wren("run.finish", json!({"run": "R-2", "status": "failed"}));
    assert_eq!(bench.wren("run.start", json!({"session": "s"}))["reserved_uusd"], 1_000_000);
}

#[test]
fn two_hundred_promises_meet_the_cap_to_the_micro_dollar() {
    let bench = Bench::new();
    let cap = json!({"scope": "squad_day", "cap_uusd": 1_000_003, "reason": "r"});
    bench.human("budget.set", cap);
    let names: Vec<String> = (0..8).map(|at| format!("a{at}")).collect();
    let mut waiting = Vec::new();
    for name in &names {
        bench.register(name, json!({"run_cap_uusd": 9_000_000, "daily_cap_uusd": 9_000_000}));
        let run = bench.run(name, json!({"reserve_uusd": 0}));
        let reserve = json!({"run": run, "amount_uusd": 10_000});
        for _ in 0..25 {
            let raw = serde_json::value::to_raw_value(&reserve).unwrap();
            let (request, _) = Request::parse("run.reserve", Some(&raw)).unwrap();
            let work = Work::Request {
                caller: Box::new(agent(name)),
                request: Box::new(request),
                idempotency_key: None,
                facts: Box::default(),
            };
            waiting.push(bench.store.submit(work).unwrap());
        }
    }
    let granted = waiting
        .into_iter()
        .map(|answer| answer.blocking_recv().unwrap().unwrap())
        .filter(|json| json.contains(r#""decision":"allow""#));
    assert_eq!(granted.count(), 100);
    let squad = bench.budget("squad_day", json!({}));
    assert_eq!((&squad["reserved_uusd"], &squad["spent_uusd"]), (&json!(1_000_000), &json!(0)));
    let last = bench.by("a0", "run.reserve", json!({"run": "R-1", "amount_uusd": 3}));
    assert_eq!(last["decision"], "allow", "to the micro-dollar");
    let over = bench.by("a0", "run.reserve", json!({"run": "R-1", "amount_uusd": 1}));
    assert_eq!((&over["decision"], &over["reservation"]), (&json!("deny"), &Value::Null));
}

#[test]
fn a_promise_is_settled_once_late_or_doubled_and_never_by_others() {
    let bench = Bench::new();
    bench.register("crow", json!({}));
    let run = bench.run("wren", json!({"reserve_uusd": 0}));
    let reserved = bench.wren("run.reserve", json!({"run": run, "amount_uusd": 400_000}));
    let id = reserved["reservation"].clone();
    let with = |cost: i64| {
        let mut report = usage(&run, cost);
        report["reservation"] = id.clone();
        report
    };
    let foreign = bench.run("crow", json!({}));
    let mut lent = usage(&foreign, 1);
    lent["reservation"] = id.clone();
    assert_eq!(bench.ask(&agent("crow"), "run.usage", lent), Err(ErrorKind::Forbidden));
    assert_eq!(bench.refused("run.usage", usage(&foreign, 1)), ErrorKind::Forbidden);
    bench.wren("run.finish", json!({"run": run, "status": "succeeded"}));
    let day = bench.budget("agent_day", json!({"agent": "wren"}));
    assert_eq!(day["reserved_uusd"], 400_000, "not settled: it counts in full");
    bench.wren("run.usage", with(250_000));
    let day = bench.budget("agent_day", json!({"agent": "wren"}));
    assert_eq!((&day["spent_uusd"], &day["reserved_uusd"]), (&json!(250_000), &json!(0)), "late");
    let head = bench.store.live().head();
    bench.wren("run.usage", with(250_000));
    assert_eq!(bench.store.live().head(), head, "the same report again changes nothing");
    assert_eq!(bench.refused("run.usage", with(1)), ErrorKind::Conflict);
    bench.rebuilds();
}

#[test]
fn what_is_never_settled_counts_through_a_crash_until_a_human_corrects_it() {
    let bench = Bench::new();
    let run = bench.run("wren", json!({"reserve_uusd": 0}));
    bench.wren("run.reserve", json!({"run": run, "amount_uusd": 900_000}));
    let bench = bench.again("2026-09-21");
    let budgets = bench.human("budget.get", json!({"run": run}));
    assert_eq!(budgets["reservations"][0]["open"]["uusd"], 900_000);
    let over = bench.wren("run.reserve", json!({"run": run, "amount_uusd": 100_001}));
    assert_eq!(over["decision"], "deny");
    let release =
        json!({"reservation": "B-1", "spent_uusd": 120_000, "reason": "the bill says so"});
    bench.human("budget.release", release.clone());
    assert_eq!(bench.ask(&human(), "budget.release", release), Err(ErrorKind::Conflict));
    let day = bench.budget("agent_day", json!({}));
    assert_eq!((&day["spent_uusd"], &day["reserved_uusd"]), (&json!(120_000), &json!(0)));
    let mut late = usage(&run, 130_000);
    late["reservation"] = json!("B-1");
    bench.wren("run.usage", late);
    let day = bench.budget("agent_day", json!({}));
    assert_eq!(day["spent_uusd"], 130_000, "the report takes the place of what a human said");
    bench.rebuilds();
}

#[test]
fn a_breach_ends_the_run_with_the_cost_that_makes_it_and_asks_for_more() {
    let bench = Bench::new();
    let day = json!({"scope": "agent_day", "of": "wren", "cap_uusd": 9_000_000, "reason": "r"});
    bench.human("budget.set", day);
    let task = bench.started("wren", json!({"budget_uusd": 9_000_000}));
    let first = bench.run("wren", json!({}));
    bench.spend("wren", &first, 200_000);
    bench.wren("run.finish", json!({"run": first, "status": "succeeded"}));
    let run = bench.run("wren", json!({}));
    let spent = bench.spend("wren", &run, 1_000_001);
    assert_eq!((&spent["state"], &spent["orders"]), (&json!("stop"), &json!(["stop"])));
    let detail = bench.human("run.get", json!({"run": run}));
    assert_eq!(detail["status"], "aborted");
    let read = json!({"tool": "read", "arguments": {"path": "/w/a"}, "run": run});
    assert_eq!(bench.wren("tool.check", read)["decision"], "deny", "nothing further of that run");
    let row = bench.task(&task);
    assert_eq!(row["state"], "needs_approval");
    let approval = bench.pending().remove(0);
    assert_eq!((&approval["kind"], &approval["task"]), (&json!("budget_override"), &task));
    let arguments = &approval["statement"]["arguments"];
    assert_eq!(arguments["last_runs"].as_array().unwrap().len(), 2);
    assert_eq!(arguments["last_runs"][0]["cost_uusd"], 1_000_001);
    let to = arguments["raise"]["to"]["uusd"].as_i64().unwrap();
    assert!(to > 1_000_001, "{arguments}");
    assert!(bench.alerts().iter().any(|(severity, _)| severity == "critical"));
    // The runtime's own end of the run is no error, and late usage still counts.
    bench.spend("wren", &run, 5);
    bench.wren("run.finish", json!({"run": run, "status": "failed"}));
    bench.approve(&approval);
    assert_eq!(bench.task(&task)["state"], "in_progress");
    let next = bench.wren("run.start", json!({"session": "s"}));
    assert_eq!(next["reserved_uusd"], to, "exactly what the override said");
    bench.rebuilds();
}

#[test]
fn a_day_that_is_spent_pauses_the_agent_and_an_override_lets_it_go_on() {
    let bench = Bench::new();
    bench.human(
        "budget.set",
        json!({"scope": "run", "of": "wren", "cap_uusd": 9_000_000, "reason": "r"}),
    );
    let task = bench.started("wren", json!({"budget_uusd": 50_000_000}));
    let run = bench.run("wren", json!({}));
    bench.spend("wren", &run, 3_000_000);
    let wren = bench.human("agent.get", json!({"agent": "wren"}));
    assert_eq!(wren["status"], "paused", "{wren}");
    assert!(wren["status_reason"].as_str().unwrap().starts_with("budget: "));
    assert_eq!(bench.refused("run.start", json!({"session": "s"})), ErrorKind::Forbidden);
    let approval = bench.pending().remove(0);
    let to = approval["statement"]["arguments"]["raise"]["to"]["uusd"].as_i64().unwrap();
    bench.approve(&approval);
    assert_eq!(bench.human("agent.get", json!({"agent": "wren"}))["status"], "active");
    let day = bench.budget("agent_day", json!({"agent": "wren"}));
    assert_eq!((&day["cap_uusd"], &day["spent_uusd"]), (&json!(to), &json!(3_000_000)));
    assert_eq!(bench.task(&task)["state"], "in_progress");
    let wren = bench.human("agent.get", json!({"agent": "wren"}));
    assert_eq!(wren["daily_cap_uusd"], 3_000_000, "tomorrow the cap is as before");
    bench.rebuilds();
}

#[test]
fn a_cap_of_all_that_is_passed_ends_every_run_that_does_not_ask_again() {
    let bench = Bench::new();
    let cap = json!({"scope": "squad_day", "cap_uusd": 1_000_000, "reason": "r"});
    bench.human("budget.set", cap);
    let names = ["a0", "a1", "a2", "a3"];
    for name in names {
        bench.register(name, json!({"run_cap_uusd": 330_000}));
    }
    let tasks = names.map(|name| bench.started(name, json!({})));
    let runs = names.map(|name| {
        // The last one asks before each of its calls.
        let more = if name == "a3" { json!({"reserve_uusd": 0}) } else { json!({}) };
        bench.run(name, more)
    });
    let squad = || bench.budget("squad_day", json!({}));
    assert_eq!(squad()["reserved_uusd"], 990_000);
    bench.spend("a0", &runs[0], 320_000);
    bench.spend("a1", &runs[1], 320_000);
    bench.spend("a2", &runs[2], 329_999);
    let status = |run: &Value| bench.human("run.get", json!({"run": run}))["status"].clone();
    assert_eq!(runs.each_ref().map(status), ["running"; 4], "nobody is over yet");
    assert_eq!(bench.spend("a2", &runs[2], 70_000)["state"], "stop", "one call too dear");
    assert_eq!(runs.each_ref().map(status), ["aborted", "aborted", "aborted", "running"]);
    let states = tasks.each_ref().map(|task| bench.task(task)["state"].clone());
    assert_eq!(states, ["needs_approval", "needs_approval", "needs_approval", "in_progress"]);
    let rules: Vec<Value> = bench.pending().iter().map(|one| one["rule"].clone()).collect();
    assert_eq!(rules.iter().filter(|rule| **rule == "budget.squad_day").count(), 3, "{rules:?}");
    let critical = bench.alerts().into_iter().filter(|(severity, _)| severity == "critical");
    let texts: Vec<String> = critical.map(|(_, text)| text).collect();
    assert_eq!(texts.len(), 3);
    assert!(texts.iter().all(|text| text.contains("the squad's day has spent $1.04 of $1.00")));
    assert!(
        texts[0].contains("the run has spent $0.40 of $0.33; "),
        "all that is used up: {texts:?}"
    );
    let asked = bench.by("a3", "run.reserve", json!({"run": runs[3], "amount_uusd": 1}));
    assert_eq!(asked["decision"], "ask");
    // Calls that were in flight still count, and what was promised goes back as the runs end.
    bench.spend("a0", &runs[0], 10_000);
    for (name, run) in names.iter().zip(&runs) {
        bench.by(name, "run.finish", json!({"run": run, "status": "aborted"}));
    }
    let end = squad();
    assert_eq!((&end["spent_uusd"], &end["reserved_uusd"]), (&json!(1_049_999), &json!(0)));
    bench.rebuilds();
}

#[test]
fn what_is_reported_after_the_end_of_a_run_passes_no_cap_unseen() {
    let bench = Bench::new();
    let task = bench.started("wren", json!({"budget_uusd": 500_000}));
    let run = bench.run("wren", json!({}));
    bench.wren("run.finish", json!({"run": run, "status": "succeeded"}));
    bench.spend("wren", &run, 400_000);
    assert!(bench.pending().is_empty());
    for _ in 0..3 {
        assert_eq!(bench.spend("wren", &run, 200_000)["state"], "stop");
    }
    assert_eq!(bench.task(&task)["state"], "needs_approval");
    let rules: Vec<Value> = bench.pending().iter().map(|one| one["rule"].clone()).collect();
    assert!(rules.contains(&json!("budget.task")), "{rules:?}");
    let critical = bench.alerts().into_iter().filter(|(severity, _)| severity == "critical");
    assert_eq!(critical.count(), rules.len().min(2), "one for each cap: {rules:?}");
    bench.rebuilds();
}

#[test]
fn a_model_that_nobody_knows_is_never_free_because_its_runtime_says_so() {
    let bench = Bench::new();
    bench.started("wren", json!({}));
    let run = bench.run("wren", json!({}));
    let free = json!({"run": run, "model": "acme/dear-9000", "input_tokens": 1000,
        "output_tokens": 1000, "cost_uusd": 0});
    assert_eq!(bench.wren("run.usage", free)["cost_state"], "unpriced");
    let nothing = json!({"run": run, "model": "acme/dear-9000", "input_tokens": 0,
        "output_tokens": 0, "cost_uusd": 0});
    bench.wren("run.usage", nothing);
    let day = bench.budget("squad_day", json!({}));
    assert!(day["unpriced_uusd"].as_i64() > Some(0), "{day}");
}

#[test]
fn a_task_is_no_part_of_another_agents_and_no_deeper_than_its_cost_is_counted() {
    let bench = Bench::new();
    bench.register("crow", json!({}));
    let mut parent = bench.started("wren", json!({}));
    let part = |parent: &Value| json!({"title": "x", "type": "docs", "parent": parent});
    let foreign = bench.ask(&agent("crow"), "task.create", part(&parent));
    assert_eq!(foreign, Err(ErrorKind::InvalidParams));
    for _ in 0..8 {
        parent = bench.wren("task.create", part(&parent))["id"].clone();
    }
    let deeper = bench.ask(&agent("wren"), "task.create", part(&parent));
    assert_eq!(deeper, Err(ErrorKind::InvalidParams));
}

#[test]
fn a_name_that_a_person_has_too_gives_an_agent_no_part_in_that_persons_task() {
    let bench = Bench::new();
    let name = human().actor.name;
    bench.register(&name, json!({}));
    let task = bench.human("task.create", json!({"title": "x", "type": "docs"}))["id"].clone();
    let part = |parent: &Value| json!({"title": "y", "type": "docs", "parent": parent});
    let foreign = bench.ask(&agent(&name), "task.create", part(&task));
    assert_eq!(foreign, Err(ErrorKind::InvalidParams));
    let own =
        bench.ask(&agent(&name), "task.create", json!({"title": "x", "type": "docs"})).unwrap();
    bench.ask(&agent(&name), "task.create", part(&own["id"])).unwrap();
}

#[test]
fn a_denied_override_blocks_the_task_and_raises_nothing() {
    let bench = Bench::new();
    let task = bench.started("wren", json!({"budget_uusd": 100_000}));
    let run = bench.run("wren", json!({}));
    bench.spend("wren", &run, 100_000);
    let approval = bench.pending().remove(0);
    let no = json!({"approval": approval["id"], "rev": approval["rev"],
        "digest": approval["digest"], "note": "too dear"});
    bench.human("approval.deny", no);
    let row = bench.task(&task);
    assert_eq!((&row["state"], &row["budget_uusd"]), (&json!("blocked"), &json!(100_000)));
    assert_eq!(
        bench.refused("run.start", json!({"session": "s", "task": task})),
        ErrorKind::Forbidden
    );
}

#[test]
fn caps_warn_at_80_and_95_percent_once_each() {
    let bench = Bench::new();
    let run = bench.run("wren", json!({}));
    let states = [790_000, 10_000, 10_000, 140_000, 10_000, 30_000]
        .map(|cost| bench.spend("wren", &run, cost)["state"].as_str().unwrap().to_owned());
    assert_eq!(states, ["ok", "warn", "warn", "warn", "warn", "warn"]);
    let alerts: Vec<String> = bench.alerts().into_iter().map(|(severity, _)| severity).collect();
    assert_eq!(alerts, ["warning", "error"]);
}

#[test]
fn a_child_task_spends_from_the_tasks_above_it() {
    let bench = Bench::new();
    let parent = bench.started("wren", json!({"budget_uusd": 500_000}));
    let child = bench.human(
        "task.create",
        json!({"title": "part", "type": "docs",
        "parent": parent, "assignees": ["wren"], "project": "site"}),
    )["id"]
        .clone();
    let run = bench.run("wren", json!({"task": child}));
    let spent = bench.spend("wren", &run, 450_000);
    assert_eq!(spent["remaining_uusd"], 50_000, "the parent's budget is the tighter one");
    assert_eq!(bench.spend("wren", &run, 60_000)["state"], "stop");
    let rows = bench.human("cost.rollup", json!({"by": ["task"]}));
    assert_eq!(rows["rows"][0]["task"], parent);
    assert_eq!(rows["rows"][0]["with_children_uusd"], 510_000);
    assert_eq!(rows["rows"][0]["cost_uusd"], 0);
    assert_eq!(
        (&rows["rows"][1]["task"], &rows["rows"][1]["cost_uusd"]),
        (&child, &json!(510_000))
    );
    let by_project = bench.human("cost.rollup", json!({"by": ["project"]}));
    assert_eq!(by_project["rows"][0]["project"], "site");
}

#[test]
fn a_cap_below_what_is_spent_stops_all_spending_at_once_and_says_so() {
    let bench = Bench::new();
    let run = bench.run("wren", json!({}));
    bench.spend("wren", &run, 500_000);
    let set =
        json!({"scope": "agent_day", "of": "wren", "cap_uusd": 400_000, "reason": "too dear"});
    let budgets = bench.human("budget.set", set);
    assert_eq!(budgets["budgets"][0]["cap_uusd"], 400_000);
    assert!(bench.alerts().iter().any(|(_, text)| text.contains("nothing more may be spent")));
    assert_eq!(bench.refused("run.start", json!({"session": "s"})), ErrorKind::Forbidden);
    let read = json!({"tool": "read", "arguments": {"path": "/w/a"}, "run": run});
    assert_eq!(bench.wren("tool.check", read)["rule"], "budget.day");
    assert_eq!(bench.spend("wren", &run, 1)["state"], "stop");
    for bad in [
        json!({"scope": "agent_day", "of": "wren", "cap_uusd": -1, "reason": "r"}),
        json!({"scope": "agent_day", "cap_uusd": 1, "reason": "r"}),
        json!({"scope": "squad_day", "of": "wren", "cap_uusd": 1, "reason": "r"}),
        json!({"scope": "squad_day", "reason": "r"}),
        json!({"scope": "task", "of": "wren", "cap_uusd": 1, "reason": "r"}),
        json!({"scope": "squad_day", "cap_uusd": 1, "reason": ""}),
    ] {
        assert_eq!(
            bench.ask(&human(), "budget.set", bad.clone()),
            Err(ErrorKind::InvalidParams),
            "{bad}"
        );
    }
}

#[test]
fn bad_usage_is_refused_and_changes_nothing() {
    let bench = Bench::new();
    let run = bench.run("wren", json!({}));
    let with = |key: &str, value: Value| {
        let mut report = usage(&run, 5);
        report[key] = value;
        report
    };
    for (key, value) in [
        ("cost_uusd", json!(-1)),
        ("cost_uusd", json!(10_000_000_001_i64)),
        ("cost_uusd", json!(0.5)),
        ("cost_uusd", json!("5")),
        ("input_tokens", json!(-1)),
        ("output_tokens", json!(1_000_000_001)),
        ("cache_read_tokens", json!(1.5)),
        ("input_tokens", json!(1e300)),
        ("model", json!("")),
        ("reservation", json!("R-1")),
    ] {
        assert_eq!(
            bench.refused("run.usage", with(key, value.clone())),
            ErrorKind::InvalidParams,
            "{key} {value}"
        );
    }
    assert_eq!(bench.refused("run.usage", with("run", json!("R-9"))), ErrorKind::NotFound);
    assert_eq!(bench.refused("run.usage", with("reservation", json!("B-9"))), ErrorKind::NotFound);
    for bad in [
        json!({}),
        json!({"amount_uusd": -5}),
        json!({"amount_uusd": 0}),
        json!({"input_tokens": -1}),
    ] {
        let mut reserve = bad.clone();
        reserve["run"] = run.clone();
        assert_eq!(bench.refused("run.reserve", reserve), ErrorKind::InvalidParams, "{bad}");
    }
}

#[test]
fn an_unknown_model_has_no_price_counts_dear_and_is_computed_anew() {
    let bench = Bench::new();
    bench.human(
        "budget.set",
        json!({"scope": "run", "of": "wren", "cap_uusd": 90_000_000, "reason": "r"}),
    );
    bench.human(
        "budget.set",
        json!({"scope": "agent_day", "of": "wren", "cap_uusd": 90_000_000, "reason": "r"}),
    );
    let run = bench.run("wren", json!({}));
    let report =
        json!({"run": run, "model": "mystery-1", "input_tokens": 1000, "output_tokens": 100});
    let spent = bench.wren("run.usage", report);
    assert_eq!((&spent["spent_uusd"], &spent["cost_state"]), (&json!(0), &json!("unpriced")));
    let day = bench.budget("agent_day", json!({}));
    let counted = day["spent_uusd"].as_i64().unwrap();
    assert!(counted >= 1000 * 10 + 100 * 50, "at the dearest rate: {counted}");
    assert_eq!((&day["unpriced"], &day["unpriced_uusd"]), (&json!(true), &json!(counted)));
    let known = json!({"run": run, "model": "anthropic/claude-opus-4-5", "input_tokens": 1000,
        "output_tokens": 100, "cost_uusd": 0});
    assert_eq!(bench.wren("run.usage", known)["spent_uusd"], 1000 * 5 + 100 * 25);
    let own = r#"
        [[price]]
        provider = "mystery"
        models = ["mystery-*"]
        rate = { input = 2_000_000, output = 3_000_000 }
        source = "their letter"
        checked = "2026-09-01"
    "#;
    bench.store.live().set_prices(mcd::prices::parse(own).unwrap().into());
    let ask = json!({"since": "2026-09-01", "reason": "the price is known now", "dry_run": true});
    let dry = bench.human("cost.recompute", ask);
    assert_eq!((&dry["looked_at"], &dry["changed"]), (&json!(2), &json!(1)));
    assert_eq!(bench.human("agent.get", json!({"agent": "wren"}))["cost_state"], "unpriced", "dry");
    let done = bench.human("cost.recompute", json!({"since": "2026-09-01", "reason": "r"}));
    assert_eq!((&done["from_uusd"], &done["to_uusd"]), (&json!(0), &json!(2300)));
    let wren = bench.human("agent.get", json!({"agent": "wren"}));
    assert_eq!(
        (&wren["cost_state"], &wren["spent_uusd"]),
        (&json!("derived"), &json!(7500 + 2300))
    );
    let run = bench.human("run.get", json!({"run": run}));
    assert_eq!((&run["cost_state"], &run["cost_uusd"]), (&json!("derived"), &json!(9800)));
    assert_eq!(bench.budget("agent_day", json!({}))["spent_uusd"], 9800);
    let again = bench.human("cost.recompute", json!({"since": "2026-09-01", "reason": "r"}));
    assert_eq!(again["changed"], 0, "twice is the same as once");
    let rows = bench.human("cost.rollup", json!({"by": ["model"]}));
    let states: Vec<&Value> =
        rows["rows"].as_array().unwrap().iter().map(|row| &row["states"]).collect();
    assert!(states.iter().all(|states| states.get("unpriced").is_none()), "{states:?}");
    bench.rebuilds();
}

#[test]
fn subscriptions_spend_tokens_and_token_caps_hold() {
    let bench = Bench::new();
    let own = r#"
        [[price]]
        provider = "anthropic"
        models = ["*"]
        agents = ["wren"]
        billing = "subscription"
        source = "the yearly plan"
        checked = "2026-09-01"
    "#;
    bench.store.live().set_prices(mcd::prices::parse(own).unwrap().into());
    bench.human(
        "budget.set",
        json!({"scope": "agent_day", "of": "wren", "cap_tokens": 1000, "reason": "r"}),
    );
    let task = bench.started("wren", json!({}));
    let started = bench.wren("run.start", json!({"session": "s", "model": "claude-opus-5"}));
    assert_eq!(
        (&started["reserved_uusd"], &started["remaining_tokens"]),
        (&json!(0), &json!(1000))
    );
    let report = |tokens: i64| {
        json!({"run": started["run"], "model": "claude-opus-5",
        "input_tokens": tokens, "output_tokens": 0, "cost_uusd": 77})
    };
    let spent = bench.wren("run.usage", report(900));
    assert_eq!((&spent["cost_state"], &spent["spent_uusd"]), (&json!("subscription"), &json!(0)));
    assert_eq!(spent["state"], "warn");
    let wren = bench.human("agent.get", json!({"agent": "wren"}));
    let card = bench.human("task.list", json!({}))["items"][0]["cost_state"].clone();
    let squad = bench.human("squad.status", json!({}))["cost_state"].clone();
    let row = bench.task(&task)["cost_state"].clone();
    for known in [&wren["cost_state"], &wren["today_state"], &card, &squad, &row] {
        assert_eq!(known, "subscription", "{wren}");
    }
    assert_eq!(bench.wren("run.usage", report(100))["state"], "stop");
    assert_eq!(bench.task(&task)["state"], "needs_approval");
    let approval = bench.pending().remove(0);
    let to = approval["statement"]["arguments"]["raise"]["to"]["tokens"].as_i64().unwrap();
    bench.approve(&approval);
    let day = bench.budget("agent_day", json!({"agent": "wren"}));
    assert_eq!((&day["cap_tokens"], &day["spent_tokens"]), (&json!(to), &json!(1000)));
    bench.rebuilds();
}

#[test]
fn who_spends_much_faster_than_usual_is_stopped_before_any_cap() {
    let bench = Bench::new();
    bench.policy("[budgets.pace]\ntimes = 5\nfloor_uusd = 100_000\n");
    for (scope, cap) in [("run", 90_000_000), ("agent_day", 90_000_000)] {
        let set = json!({"scope": scope, "of": "wren", "cap_uusd": cap, "reason": "r"});
        bench.human("budget.set", set);
    }
    let run = bench.run("wren", json!({}));
    for _ in 0..4 {
        bench.clock.advance(Duration::from_mins(6));
        assert_eq!(bench.spend("wren", &run, 20_000)["state"], "ok");
    }
    bench.clock.advance(Duration::from_mins(6));
    assert_eq!(bench.spend("wren", &run, 99_999)["state"], "ok", "below the floor");
    assert_eq!(bench.spend("wren", &run, 20_000)["state"], "stop");
    let wren = bench.human("agent.get", json!({"agent": "wren"}));
    assert_eq!(wren["status"], "paused");
    assert_eq!(bench.human("run.get", json!({"run": run}))["status"], "aborted");
    let (severity, text) = bench.alerts().pop().unwrap();
    assert_eq!(severity, "critical");
    assert!(text.contains("within five minutes, usual is $0.02"), "{text}");
    bench.wren("run.finish", json!({"run": run, "status": "aborted"}));
    bench.human("agent.resume", json!({"agent": "wren", "reason": "it was the big one"}));
    let run = bench.run("wren", json!({}));
    assert_eq!(bench.spend("wren", &run, 20_000)["state"], "ok", "it does not trip twice");
    bench.rebuilds();
}

#[test]
fn a_run_is_attributed_to_the_task_that_it_serves() {
    let bench = Bench::new();
    bench.policy("[agents]\ncapacity = 2\n");
    bench.register("crow", json!({}));
    let task = |params: Value| bench.wren("run.start", params)["task"].clone();
    assert_eq!(task(json!({"session": "a"})), Value::Null, "nothing to go by");
    let first = bench.started("wren", json!({}));
    assert_eq!(task(json!({"session": "b"})), first, "its single one in progress");
    let second = bench.started("wren", json!({}));
    bench.wren("run.finish", json!({"run": "R-1", "status": "succeeded"}));
    assert_eq!(task(json!({"session": "b"})), first, "the session's");
    bench.wren("run.finish", json!({"run": "R-2", "status": "succeeded"}));
    assert_eq!(task(json!({"session": "c"})), Value::Null, "two in progress: nobody can tell");
    bench.wren("run.finish", json!({"run": "R-3", "status": "succeeded"}));
    assert_eq!(task(json!({"session": "c", "task": second})), second, "the one named");
    let below = json!({"session": "x", "parent_run": "R-5"});
    let foreign = bench.ask(&agent("crow"), "run.start", below.clone());
    assert_eq!(foreign, Err(ErrorKind::Forbidden), "another's task would pay for it");
    let rev = bench.human("agent.get", json!({"agent": "wren"}))["rev"].clone();
    let set = json!({"agent": "wren", "rev": rev, "set": {"can_spawn": true}});
    bench.human("agent.update", set);
    bench.register("jay", json!({"parent": "wren", "purpose": "reads", "task": first}));
    let child = bench.by("jay", "run.start", below);
    assert_eq!(child["task"], second, "its parent run's");
    bench.spend("wren", &json!("R-5"), 300);
    bench.spend("wren", &json!("R-4"), 100);
    let rows = bench.human("cost.rollup", json!({"by": ["agent", "task"]}));
    assert_eq!(rows["attributed"], 7500, "three quarters");
    assert_eq!(rows["rows"].as_array().unwrap().len(), 2);
    assert_eq!(rows["rows"][1].get("task"), None, "what has no task has a row of its own");
    let by_run = bench.human("cost.rollup", json!({"by": ["run"], "limit": 1}));
    assert_eq!(by_run["rows"][0]["run"], "R-5");
    let next = json!({"by": ["run"], "limit": 1, "cursor": by_run["next_cursor"]});
    assert_eq!(bench.human("cost.rollup", next)["rows"][0]["run"], "R-4");
    for bad in [
        json!({"by": []}),
        json!({"by": ["day", "day"]}),
        json!({"by": ["agent"], "since": "2024-01-01"}),
        json!({"by": ["run"], "since": "2026-08-01"}),
        json!({"by": ["agent"], "since": "yesterday"}),
        json!({"by": ["agent"], "since": "2026-09-22"}),
    ] {
        assert_eq!(
            bench.ask(&human(), "cost.rollup", bad.clone()),
            Err(ErrorKind::InvalidParams),
            "{bad}"
        );
    }
}

#[test]
fn a_day_turns_once_and_is_not_opened_again_by_an_older_clock() {
    let bench = Bench::new();
    bench.human(
        "budget.set",
        json!({"scope": "run", "of": "wren", "cap_uusd": 9_000_000, "reason": "r"}),
    );
    let run = bench.run("wren", json!({}));
    bench.spend("wren", &run, 2_500_000);
    bench.wren("run.finish", json!({"run": run, "status": "succeeded"}));
    bench.store.live().set_day("2026-09-22".into());
    let run = bench.run("wren", json!({}));
    assert_eq!(bench.budget("agent_day", json!({}))["spent_uusd"], 0, "a new day");
    bench.spend("wren", &run, 10);
    bench.store.live().set_day("2026-09-21".into());
    assert_eq!(bench.human("budget.get", json!({}))["day"], "2026-09-22", "never back");
    let bench = bench.again("2026-09-20");
    assert_eq!(bench.human("budget.get", json!({}))["day"], "2026-09-22", "nor by a restart");
    let month = bench.budget("squad_month", json!({}));
    assert_eq!(month["spent_uusd"], 2_500_010, "the month counts both");
    let found = bench.human("cost.forecast", json!({}));
    assert_eq!(found["days"][13], json!({"day": "2026-09-21", "uusd": 2_500_000}));
    assert_eq!(found["mean_uusd"], 2_500_000 / 7);
}

#[test]
fn an_expensive_tool_is_reserved_when_it_may_run_and_settled_when_it_ends() {
    let bench = Bench::new();
    let run = bench.run("wren", json!({"reserve_uusd": 0}));
    let check = json!({"tool": "read", "arguments": {"path": "/w/a"}, "run": run,
        "estimated_cost_uusd": 300_000});
    let calls: Vec<Value> =
        (0..3).map(|_| bench.wren("tool.check", check.clone())["call"].clone()).collect();
    let day = || bench.budget("agent_day", json!({}));
    assert_eq!(day()["reserved_uusd"], 900_000);
    let fourth = bench.wren("tool.check", check);
    assert_eq!((&fourth["decision"], &fourth["rule"]), (&json!("ask"), &json!("budget.run")));
    bench.wren(
        "tool.finish",
        json!({"call": calls[0], "status": "succeeded", "cost_uusd": 100_000}),
    );
    bench.wren("tool.finish", json!({"call": calls[1], "status": "failed"}));
    bench.wren("tool.drop", json!({"call": calls[2]}));
    assert_eq!((&day()["spent_uusd"], &day()["reserved_uusd"]), (&json!(400_000), &json!(0)));
    let rows = bench.human("cost.rollup", json!({"by": ["model"]}));
    assert_eq!(rows["rows"][0]["model"], "tool:read");
    bench.rebuilds();
}
