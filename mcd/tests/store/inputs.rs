//! What an operator can get wrong: refused by its field, and nothing is written.

use mc_proto::error::ErrorKind;
use mcd::caller::SystemCommand;
use serde_json::{Value, json};

use super::Bench;

/// 2026-11-20T08:00:00Z
const START: i64 = 1_795_161_600_000;

fn berlin() -> Bench {
    let bench = Bench::in_zone(tempfile::tempdir().unwrap(), START, "Europe/Berlin");
    bench.system(SystemCommand::SetUp { name: "squad".into() });
    bench
}

impl Bench {
    fn typed_task(&self, more: Value) -> Result<Value, ErrorKind> {
        let mut params = json!({"title": "x", "type": "ops"});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.human("task.create", params)
    }

    fn new_agent(&self, name: &str, caps: Value) -> Result<Value, ErrorKind> {
        let mut params = json!({"name": name, "autonomy": "specialist", "runtime": "other"});
        params.as_object_mut().unwrap().extend(caps.as_object().unwrap().clone());
        self.human("agent.register", params)
    }
}

const REFUSED: Result<Value, ErrorKind> = Err(ErrorKind::InvalidParams);

#[test]
fn a_day_is_due_at_its_end_where_the_squad_is_and_the_past_is_refused() {
    let bench = berlin();
    let task = bench.typed_task(json!({"due_at": "2026-12-24"})).unwrap();
    assert_eq!(task["due_at"], "2026-12-24T22:59:59.000Z");
    let today = bench.typed_task(json!({"due_at": "2026-11-20"})).unwrap();
    assert_eq!(today["due_at"], "2026-11-20T22:59:59.000Z");
    for over in ["2020-01-01", "2026-11-19", "2026-11-20T08:00:00Z", "9999-12-31", "soon"] {
        assert_eq!(bench.typed_task(json!({"due_at": over})), REFUSED, "{over}");
        let update = json!({"task": "T-1", "rev": 1, "due_at": over});
        assert_eq!(bench.human("task.update", update), REFUSED, "{over}");
    }
    let update = json!({"task": "T-1", "rev": 1, "due_at": "2027-01-31"});
    let task = bench.human("task.update", update).unwrap();
    assert_eq!(task["due_at"], "2027-01-31T22:59:59.000Z");
    let title = json!({"task": "T-1", "rev": 2, "title": "y"});
    assert_eq!(bench.human("task.update", title).unwrap()["due_at"], task["due_at"]);
}

#[test]
fn a_budget_or_a_cap_of_nothing_is_refused() {
    let bench = berlin();
    assert_eq!(bench.typed_task(json!({"budget_uusd": 0})), REFUSED);
    bench.typed_task(json!({"budget_uusd": 1})).unwrap();
    let update = json!({"task": "T-1", "rev": 1, "budget_uusd": 0});
    assert_eq!(bench.human("task.update", update), REFUSED);
    for caps in [json!({"daily_cap_uusd": 0}), json!({"run_cap_uusd": 0})] {
        assert_eq!(bench.new_agent("wren", caps), REFUSED);
    }
}

#[test]
fn no_run_can_cost_more_than_its_agents_day() {
    let bench = berlin();
    let dear = json!({"daily_cap_uusd": 1_000_000, "run_cap_uusd": 50_000_000});
    assert_eq!(bench.new_agent("wren", dear.clone()), REFUSED);
    // The policy's cap of a run gives way to a day that is smaller.
    let made = bench.new_agent("wren", json!({"daily_cap_uusd": 10_000})).unwrap();
    assert_eq!(made["agent"]["run_cap_uusd"], 10_000);
    let set =
        |set: Value| bench.human("agent.update", json!({"agent": "wren", "rev": 1, "set": set}));
    assert_eq!(set(dear), REFUSED);
    assert_eq!(set(json!({"run_cap_uusd": 10_001})), REFUSED);
    assert_eq!(set(json!({"daily_cap_uusd": 9_999})), REFUSED);
    let both = set(json!({"daily_cap_uusd": 9_999, "run_cap_uusd": 9_999})).unwrap();
    assert_eq!((&both["daily_cap_uusd"], &both["run_cap_uusd"]), (&json!(9_999), &json!(9_999)));
}

#[test]
fn a_schedule_without_a_zone_runs_where_the_squad_is() {
    let bench = berlin();
    let daily = json!({"cron": "30 8 * * *", "task": {"title": "Read the mail", "type": "ops"}});
    let made = bench.human("schedule.create", daily).unwrap();
    assert_eq!(made["zone"], "Europe/Berlin");
    assert_eq!(made["next_at"], "2026-11-21T07:30:00.000Z");
}

#[test]
fn nobody_judges_its_own_work_on_what_a_schedule_creates() {
    let bench = berlin();
    bench.new_agent("wren", json!({})).unwrap();
    bench.new_agent("heron", json!({})).unwrap();
    let schedule = |reviewer: &str| {
        let task =
            json!({"title": "x", "type": "ops", "assignees": ["wren"], "reviewers": [reviewer]});
        bench.human("schedule.create", json!({"cron": "@daily", "task": task}))
    };
    assert_eq!(schedule("wren"), REFUSED);
    schedule("heron").unwrap();
}
