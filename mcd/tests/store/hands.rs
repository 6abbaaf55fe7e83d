//! In whose hands a task is: given on, stopped, unblocked by hand; and what the answers say of it.

use mc_core::actor::{Actor, Level};
use mc_proto::error::ErrorKind;
use serde_json::{Value, json};

use super::Bench;

impl Bench {
    fn with_robin() -> Self {
        let bench = Self::with_agent();
        let robin = json!({"name": "robin", "autonomy": "specialist", "runtime": "openclaw"});
        bench.human("agent.register", robin).unwrap();
        bench
    }

    fn current(&self, agent: &str) -> Value {
        self.human("agent.get", json!({"agent": agent})).unwrap()["current_task"].clone()
    }

    fn says(&self, answer: &str) -> String {
        let answers = self.human("task.answers", json!({"task": "T-1"})).unwrap();
        answers[answer]["text"].as_str().unwrap().to_owned()
    }

    fn left_out(&self) -> usize {
        let squad = &self.human("squad.status", json!({})).unwrap()["squad"];
        squad["stopped"].as_array().map_or(0, Vec::len)
    }
}

#[test]
fn a_task_given_on_is_in_one_hand_and_the_record_says_from_whom() {
    let bench = Bench::with_robin();
    bench.started();
    bench.agent("run.start", json!({"task": "T-1", "session": "s"})).unwrap();
    assert_eq!(bench.current("wren"), "T-1");
    bench.human("task.assign", json!({"task": "T-1", "assignees": ["robin"]})).unwrap();
    assert_eq!(bench.current("wren"), Value::Null);
    assert_eq!(bench.current("robin"), "T-1");
    let who = bench.says("who");
    assert!(who.starts_with("did it: wren (1 run, $0.00) · has it now: robin"), "{who}");
    let timeline = bench.human("task.timeline", json!({"task": "T-1"})).unwrap();
    let told = timeline["items"].as_array().unwrap().iter();
    let mut told = told.map(|item| item["text"].as_str().unwrap());
    assert!(told.any(|text| text.contains("gave T-1 from wren to robin")), "{timeline}");
}

#[test]
fn who_is_quarantined_or_retired_is_given_no_work() {
    let bench = Bench::with_robin();
    bench.started();
    let robin = |method: &str| {
        bench.human(method, json!({"agent": "robin", "reason": "loops"})).unwrap();
    };
    let refused = || {
        let to = json!({"task": "T-1", "assignees": ["robin"]});
        assert_eq!(bench.human("task.assign", to), Err(ErrorKind::InvalidParams));
        let new = json!({"title": "x", "type": "docs", "assignees": ["robin"]});
        assert_eq!(bench.human("task.create", new), Err(ErrorKind::InvalidParams));
    };
    robin("agent.quarantine");
    refused();
    robin("agent.stop");
    refused();
    assert_eq!(bench.current("wren"), "T-1", "nothing changed");
}

#[test]
fn what_is_unblocked_by_hand_is_not_left_out_by_the_stop() {
    let bench = Bench::with_robin();
    bench.started();
    bench.human("task.create", json!({"title": "y", "type": "docs"})).unwrap();
    bench.system(mcd::caller::SystemCommand::Halt {
        reason: "fire".into(),
        by: Actor::human("ana", Level::L0),
    });
    assert_eq!(bench.left_out(), 2);
    let next = bench.says("next");
    assert!(next.starts_with("admin: end the emergency stop with"), "{next}");
    bench.human("task.unblock", json!({"task": "T-1", "note": "by hand"})).unwrap();
    assert_eq!(bench.left_out(), 1);
    bench.human("squad.emergency_resume", json!({"reason": "over", "tasks": ["T-2"]})).unwrap();
    assert_eq!(bench.left_out(), 0);
    assert_eq!(bench.human("task.get", json!({"task": "T-1"})).unwrap()["state"], "in_progress");
}

#[test]
fn quarantine_is_lifted_before_its_task_is_unblocked() {
    let bench = Bench::with_agent();
    bench.started();
    bench.human("agent.quarantine", json!({"agent": "wren", "reason": "loops"})).unwrap();
    let next = bench.says("next");
    assert!(next.starts_with("operator: read `mcctl agent evidence wren`, then resume"), "{next}");
    assert!(next.contains("; then unblock T-1"), "{next}");
}

#[test]
fn what_makes_no_sense_is_refused_by_its_field() {
    let bench = Bench::with_robin();
    let own = json!({"title": "x", "type": "docs", "assignees": ["wren"], "reviewers": ["wren"]});
    assert_eq!(bench.human("task.create", own), Err(ErrorKind::InvalidParams));
    let two = json!({"title": "a\nb", "type": "docs"});
    assert_eq!(bench.human("task.create", two), Err(ErrorKind::InvalidParams));
    let good = json!({"title": "x", "type": "docs", "assignees": ["wren"], "reviewers": ["robin"]});
    bench.human("task.create", good).unwrap();
}

#[test]
fn what_nobody_knows_is_not_found() {
    let bench = Bench::with_agent();
    for (method, params) in [
        ("cost.rollup", json!({"by": ["agent"], "agent": "nobody"})),
        ("cost.rollup", json!({"by": ["agent"], "task": "T-99"})),
        ("run.list", json!({"agent": "nobody"})),
        ("tool.list", json!({"task": "T-99"})),
        ("approval.list", json!({"agent": "nobody"})),
        ("audit.export", json!({"task": "T-99"})),
    ] {
        assert_eq!(bench.human(method, params), Err(ErrorKind::NotFound), "{method}");
    }
    bench.human("run.list", json!({"agent": "wren"})).unwrap();
}
