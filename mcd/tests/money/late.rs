//! Promises that are settled late, doubled, or after a human's word: in every order each cost
//! counts once.

use mc_proto::error::ErrorKind;
use serde_json::{Value, json};

use crate::bench::{Bench, human, usage};

/// A run of wren with one promise, for a model call.
struct Promised {
    bench: Bench,
    run: Value,
    id: Value,
}

impl Promised {
    fn new(amount: i64) -> Self {
        let bench = Bench::new();
        let run = bench.run("wren", json!({"reserve_uusd": 0}));
        let reserve = json!({"run": run, "amount_uusd": amount});
        let id = bench.wren("run.reserve", reserve)["reservation"].clone();
        Self { bench, run, id }
    }

    fn report(&self, cost: i64) -> Value {
        let mut report = usage(&self.run, cost);
        report["reservation"] = self.id.clone();
        report
    }

    fn settle(&self, cost: i64) {
        self.bench.wren("run.usage", self.report(cost));
    }

    /// The same report again: it changes nothing.
    fn again(&self, cost: i64) {
        let head = self.bench.store.live().head();
        self.settle(cost);
        assert_eq!(self.bench.store.live().head(), head, "the same report again changes nothing");
    }

    fn conflicts(&self, cost: i64) {
        let refused = self.bench.refused("run.usage", self.report(cost));
        assert_eq!(refused, ErrorKind::Conflict, "{cost}");
    }

    fn release(&self, spent: i64) {
        let release = json!({"reservation": self.id, "spent_uusd": spent, "reason": "the bill"});
        self.bench.human("budget.release", release);
    }

    /// What is spent and promised, everywhere the same.
    fn counts(&self, spent: i64, reserved: i64) {
        let budgets = self.bench.human("budget.get", json!({"run": self.run}));
        for row in budgets["budgets"].as_array().unwrap() {
            let seen = (&row["spent_uusd"], &row["reserved_uusd"]);
            assert_eq!(seen, (&json!(spent), &json!(reserved)), "{row}");
        }
        let run = self.bench.human("run.get", json!({"run": self.run}));
        let wren = self.bench.human("agent.get", json!({"agent": "wren"}));
        let by_day = self.bench.human("cost.rollup", json!({"by": ["day"]}));
        let by_run = self.bench.human("cost.rollup", json!({"by": ["run"]}));
        let sums = [
            &run["cost_uusd"],
            &wren["spent_uusd"],
            &wren["spent_today_uusd"],
            &by_day["total"]["cost_uusd"],
            &by_run["total"]["cost_uusd"],
        ];
        assert!(sums.iter().all(|sum| **sum == json!(spent)), "{sums:?}, not {spent}");
    }
}

#[test]
fn settled_then_doubled_then_released() {
    let one = Promised::new(400_000);
    one.settle(250_000);
    one.again(250_000);
    one.conflicts(260_000);
    let release = json!({"reservation": one.id, "reason": "r"});
    assert_eq!(one.bench.ask(&human(), "budget.release", release), Err(ErrorKind::Conflict));
    one.again(250_000);
    one.counts(250_000, 0);
    one.bench.rebuilds();
}

#[test]
fn released_as_unspent_then_reported_late_counts_once() {
    let one = Promised::new(400_000);
    one.release(0);
    one.counts(0, 0);
    one.settle(250_000);
    one.counts(250_000, 0);
    one.again(250_000);
    one.conflicts(1);
    one.conflicts(300_000);
    let release = json!({"reservation": one.id, "spent_uusd": 5, "reason": "r"});
    assert_eq!(one.bench.ask(&human(), "budget.release", release), Err(ErrorKind::Conflict));
    one.counts(250_000, 0);
    one.bench.rebuilds();
}

#[test]
fn what_a_human_said_was_spent_and_the_late_report_are_not_added_up() {
    for (said, late) in [(120_000, 130_000), (120_000, 120_000), (120_000, 1), (120_000, 90_000)] {
        let one = Promised::new(400_000);
        one.release(said);
        one.counts(said, 0);
        one.settle(late);
        // A report does not lower what a human has said.
        one.counts(said.max(late), 0);
        one.again(late);
        one.conflicts(late + 1);
        one.counts(said.max(late), 0);
        one.bench.rebuilds();
    }
}

#[test]
fn a_report_that_comes_on_the_next_day_counts_there_and_moves_what_a_human_said() {
    let one = Promised::new(400_000);
    one.release(120_000);
    one.bench.store.live().set_day("2026-09-22".into());
    one.settle(300_000);
    one.again(300_000);
    let day = |day: &str| {
        let span = json!({"by": ["day"], "since": day, "until": day});
        one.bench.human("cost.rollup", span)["total"]["cost_uusd"].clone()
    };
    assert_eq!((day("2026-09-21"), day("2026-09-22")), (json!(0), json!(300_000)));
    one.bench.rebuilds();
}

#[test]
fn the_same_tokens_are_the_same_report_also_when_prices_have_changed() {
    let one = Promised::new(400_000);
    let report = json!({"run": one.run, "model": "anthropic/claude-opus-4-5",
        "input_tokens": 1000, "output_tokens": 100, "reservation": one.id});
    one.bench.wren("run.usage", report.clone());
    one.counts(7500, 0);
    let own = r#"
        [[price]]
        provider = "anthropic"
        models = ["claude-opus-*"]
        rate = { input = 2_000_000, output = 3_000_000 }
        source = "their letter"
        checked = "2026-09-01"
    "#;
    one.bench.store.live().set_prices(mcd::prices::parse(own).unwrap().into());
    let head = one.bench.store.live().head();
    one.bench.wren("run.usage", report.clone());
    assert_eq!(one.bench.store.live().head(), head);
    for (key, value) in [
        ("input_tokens", json!(1001)),
        ("cache_read_tokens", json!(1)),
        ("model", json!("anthropic/claude-opus-4-1")),
        ("cost_uusd", json!(7501)),
    ] {
        let mut other = report.clone();
        other[key] = value;
        assert_eq!(one.bench.refused("run.usage", other), ErrorKind::Conflict, "{key}");
    }
    one.bench.rebuilds();
}

#[test]
fn a_tool_call_is_settled_by_its_own_end_alone_also_after_a_humans_word() {
    let bench = Bench::new();
    let run = bench.run("wren", json!({"reserve_uusd": 0}));
    let check = json!({"tool": "read", "arguments": {"path": "/w/a"}, "run": run,
        "estimated_cost_uusd": 100_000});
    let spent = || bench.budget("agent_day", json!({}));
    let calls: Vec<Value> =
        (0..4).map(|_| bench.wren("tool.check", check.clone())["call"].clone()).collect();
    let mut by_usage = usage(&run, 5);
    by_usage["reservation"] = json!("B-1");
    assert_eq!(bench.refused("run.usage", by_usage), ErrorKind::Forbidden);
    for (id, said) in [("B-1", 70_000), ("B-2", 70_000), ("B-3", 0)] {
        let release = json!({"reservation": id, "spent_uusd": said, "reason": "the bill"});
        bench.human("budget.release", release);
    }
    let finish = |call: &Value, cost: Value| {
        bench.wren("tool.finish", json!({"call": call, "status": "succeeded", "cost_uusd": cost}));
    };
    finish(&calls[0], json!(90_000));
    finish(&calls[0], json!(90_000));
    finish(&calls[1], Value::Null);
    finish(&calls[2], json!(1));
    finish(&calls[3], json!(40_000));
    let seen = spent();
    assert_eq!(seen["spent_uusd"], 90_000 + 70_000 + 1 + 40_000, "{seen}");
    assert_eq!(seen["reserved_uusd"], 0);
    bench.rebuilds();
}

#[test]
fn what_a_tool_costs_outside_of_a_run_is_paid_by_the_agents_day_and_the_squads() {
    let bench = Bench::new();
    bench.human("budget.set", json!({"scope": "squad_day", "cap_uusd": 900_000, "reason": "r"}));
    let check = json!({"tool": "read", "arguments": {"path": "/w/a"},
        "estimated_cost_uusd": 100_000});
    let stand = || {
        ["agent_day", "squad_day"].map(|scope| {
            let row = bench.budget(scope, json!({}));
            (row["spent_uusd"].as_i64().unwrap(), row["reserved_uusd"].as_i64().unwrap())
        })
    };
    let ask = || bench.wren("tool.check", check.clone())["call"].clone();
    let calls = [ask(), ask(), ask(), ask()];
    assert_eq!(stand(), [(0, 400_000); 2]);
    let finish = |call: &Value, status: &str, cost: Value| {
        bench.wren("tool.finish", json!({"call": call, "status": status, "cost_uusd": cost}));
    };
    finish(&calls[0], "succeeded", Value::Null);
    assert_eq!(stand(), [(100_000, 300_000); 2], "as it was estimated");
    finish(&calls[1], "failed", json!(130_000));
    assert_eq!(stand(), [(230_000, 200_000); 2]);
    bench.wren("tool.drop", json!({"call": calls[2]}));
    assert_eq!(stand(), [(230_000, 100_000); 2]);
    let release = json!({"reservation": "B-4", "spent_uusd": 70_000, "reason": "the bill"});
    bench.human("budget.release", release);
    assert_eq!(stand(), [(300_000, 0); 2], "a person's word is charged too");
    finish(&calls[3], "succeeded", json!(80_000));
    assert_eq!(stand(), [(310_000, 0); 2], "together they count as much as the higher of both");
    let mut free = check.clone();
    free["estimated_cost_uusd"] = Value::Null;
    let call = bench.wren("tool.check", free)["call"].clone();
    finish(&call, "succeeded", json!(590_000));
    assert_eq!(stand(), [(900_000, 0); 2], "also what nobody announced");
    let told: Vec<String> = bench.alerts().into_iter().map(|(_, text)| text).collect();
    let text = "wren: tools outside of a run: the squad's day has spent $0.90 of $0.90";
    assert!(told.iter().any(|one| one == text), "{told:?}");
    assert_eq!(bench.pending()[0]["rule"], "budget.squad_day");
    assert_eq!(bench.wren("tool.check", check.clone())["rule"], "budget.squad_day");
    let by_run = bench.human("cost.rollup", json!({"by": ["run"]}));
    assert_eq!(
        (by_run["rows"].as_array().unwrap().len(), &by_run["rows"][0]["run"]),
        (1, &Value::Null)
    );
    bench.rebuilds();
}

#[test]
fn what_a_person_says_was_spent_is_of_no_model() {
    let one = Promised::new(400_000);
    one.release(120_000);
    let rows = one.bench.human("cost.rollup", json!({"by": ["model"]}));
    let row = &rows["rows"][0];
    assert_eq!((row.get("model"), &row["cost_uusd"]), (None, &json!(120_000)), "{rows}");
    let run = one.bench.human("run.get", json!({"run": one.run}));
    assert_eq!(run.get("model"), None, "{run}");
    one.bench.rebuilds();
}

/// Lets time pass and the daemon look at it.
fn after(bench: &Bench, minutes: u64) {
    bench.clock.advance(std::time::Duration::from_mins(minutes));
    bench.tick();
}

/// The alerts that nobody settles something, with how they stand.
fn alerts(bench: &Bench) -> Vec<(String, String, String)> {
    let list = bench.human("alert.list", json!({"limit": 200}));
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = list["items"].as_array().unwrap().iter().rev();
    rows.filter(|row| row["kind"] == "budget" && row["reservation"].is_string())
        .map(|row| (text(row, "status"), text(row, "text"), text(row, "next")))
        .collect()
}

#[test]
fn what_an_ended_run_leaves_reserved_is_told_once_with_what_corrects_it() {
    let one = Promised::new(400_000);
    let bench = &one.bench;
    bench.wren("run.finish", json!({"run": one.run, "status": "succeeded"}));
    after(bench, 59);
    assert_eq!(alerts(bench), [], "not yet");
    after(bench, 1);
    let told = alerts(bench);
    let (status, text, next) = told.first().unwrap();
    assert_eq!(status, "open");
    assert_eq!(text, "B-1: $0.40 stay reserved: R-1 of wren is over and has not reported it");
    assert!(next.contains("`mcctl budget release B-1 --spent DOLLARS --reason ...`"), "{next}");
    after(bench, 600);
    assert_eq!(alerts(bench).len(), 1, "once");
    one.release(120_000);
    assert_eq!(alerts(bench)[0].0, "resolved");
    after(bench, 600);
    assert_eq!(alerts(bench).len(), 1);
    one.bench.rebuilds();
}

#[test]
fn the_policy_says_how_long_and_a_late_report_ends_the_alert() {
    let one = Promised::new(400_000);
    let bench = &one.bench;
    bench.policy("[budgets]\nunsettled = \"5m\"\n");
    bench.wren("run.finish", json!({"run": one.run, "status": "failed"}));
    after(bench, 5);
    assert_eq!(alerts(bench).len(), 1);
    let alert = bench.human("alert.list", json!({"status": "open"}))["items"][0].clone();
    let seen = json!({"alert": alert["id"], "note": "I look it up"});
    bench.human("alert.ack", seen);
    after(bench, 5);
    assert_eq!(alerts(bench)[0].0, "acknowledged");
    one.settle(10);
    assert_eq!(alerts(bench)[0].0, "resolved");
    one.bench.rebuilds();
}

#[test]
fn a_run_that_goes_on_keeps_what_it_reserved_while_its_agent_is_heard_of() {
    let one = Promised::new(400_000);
    let bench = &one.bench;
    for _ in 0..25 {
        after(bench, 4);
        bench.wren("tool.check", json!({"tool": "read", "arguments": {"path": "/w/a"}}));
    }
    assert_eq!(alerts(bench), []);
    // Who stands still is not taken for dead: its run goes on, and nobody reports for it.
    bench.human("agent.pause", json!({"agent": "wren", "reason": "lunch"}));
    after(bench, 59);
    assert_eq!(alerts(bench), []);
    after(bench, 1);
    let told = alerts(bench);
    assert_eq!(told[0].1, "B-1: $0.40 stay reserved: R-1 goes on, but wren is not heard of");
    one.settle(400_000);
    assert_eq!(alerts(bench)[0].0, "resolved");
    one.bench.rebuilds();
}

#[test]
fn what_was_reserved_for_a_whole_run_that_was_ended_is_told_until_its_runtime_says_so() {
    let bench = Bench::new();
    let spent = bench.run("wren", json!({}));
    bench.spend("wren", &spent, 1_000_000);
    let run = bench.run("wren", json!({}));
    bench.spend("wren", &run, 100_000);
    let cap = json!({"scope": "run", "of": "wren", "cap_uusd": 50_000, "reason": "r"});
    bench.human("budget.set", cap);
    bench.spend("wren", &run, 0);
    assert_eq!(bench.human("run.get", json!({"run": run}))["status"], "aborted");
    after(&bench, 60);
    let told = alerts(&bench);
    assert_eq!(told.len(), 1, "what holds nothing is not told: {told:?}");
    assert!(told[0].1.starts_with("B-2: $0.90 stay reserved: R-2 of wren is over"), "{told:?}");
    bench.wren("run.finish", json!({"run": run, "status": "aborted"}));
    assert_eq!(alerts(&bench)[0].0, "resolved");
    bench.rebuilds();
}
