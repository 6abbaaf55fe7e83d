//! Agents' life: silence, holds taken back, sub-agents that end.

use std::time::Duration;

use mc_proto::error::ErrorKind;
use mcd::caller::{SystemCommand, Work};
use serde_json::{Value, json};

use super::{Bench, agent};

const MINUTE: Duration = Duration::from_mins(1);

impl Bench {
    fn pass(&self, minutes: u32) {
        self.clock.advance(MINUTE * minutes);
        self.system(SystemCommand::Tick);
    }

    fn beat(&self, status: &str) {
        self.agent("agent.heartbeat", json!({"status": status})).unwrap();
    }

    fn register(&self, name: &str, more: Value) {
        let mut params = json!({"name": name, "autonomy": "specialist", "runtime": "openclaw"});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.human("agent.register", params).unwrap();
    }

    fn one_agent(&self, name: &str) -> Value {
        self.human("agent.get", json!({"agent": name})).unwrap()
    }

    fn task(&self, id: &str) -> Value {
        self.human("task.get", json!({"task": id})).unwrap()
    }

    /// Returns kind, status and note of every alert, newest first.
    fn alerts(&self) -> Vec<(String, String)> {
        let list = self.human("alert.list", json!({})).unwrap();
        let text = |one: &Value, field: &str| one[field].as_str().unwrap().to_owned();
        let rows = list["items"].as_array().unwrap();
        let mut rows: Vec<_> =
            rows.iter().map(|one| (text(one, "kind"), text(one, "status"))).collect();
        rows.sort();
        rows
    }

    fn spawn(&self, name: &str, task: &str) -> Result<Value, ErrorKind> {
        let child = json!({"name": name, "autonomy": "specialist", "runtime": "openclaw",
            "purpose": "reads", "task": task});
        self.agent("agent.register", child)
    }
}

fn row(kind: &str, status: &str) -> (String, String) {
    (kind.to_owned(), status.to_owned())
}

#[test]
fn a_busy_agent_without_progress_is_silent_until_it_gets_on() {
    let bench = Bench::with_agent();
    bench.started();
    for _ in 0..6 {
        bench.beat("busy");
        bench.pass(4);
    }
    assert!(bench.alerts().is_empty(), "24 min: {:?}", bench.alerts());
    bench.beat("busy");
    bench.pass(4);
    bench.beat("busy");
    bench.pass(2);
    assert_eq!(bench.alerts(), [row("no_progress", "open")]);
    assert!(
        bench.one_agent("wren")["silent_since"].is_i64()
            || bench.one_agent("wren")["silent_since"].is_string()
    );
    bench.pass(1);
    assert_eq!(bench.alerts().len(), 1, "said once");

    let say = json!({"task": "T-1", "kind": "progress", "text": "half of it is done"});
    bench.agent("message.post", say).unwrap();
    bench.pass(0);
    assert_eq!(bench.alerts(), [row("no_progress", "resolved")]);
    assert!(bench.one_agent("wren")["silent_since"].is_null());
}

#[test]
fn an_idle_agent_is_never_silent() {
    let bench = Bench::with_agent();
    for _ in 0..20 {
        bench.beat("idle");
        bench.pass(4);
    }
    assert!(bench.alerts().is_empty(), "{:?}", bench.alerts());
}

#[test]
fn a_late_agent_is_an_alert_that_ends_when_it_is_heard_of() {
    let bench = Bench::with_agent();
    bench.started();
    bench.pass(4);
    assert!(bench.alerts().is_empty());
    bench.pass(1);
    assert_eq!(bench.alerts(), [row("heartbeat_lost", "open")]);
    bench.beat("healthy");
    bench.pass(0);
    assert_eq!(bench.alerts(), [row("heartbeat_lost", "resolved")]);
}

#[test]
fn who_is_gone_loses_its_task_and_its_late_work_is_refused() {
    let bench = Bench::with_agent();
    bench.register("robin", json!({}));
    let id = format!("T-{}", bench.started());
    let fence = bench.task(&id)["fence"].as_i64().unwrap();
    let run = bench.agent("run.start", json!({"session": "s", "task": id})).unwrap()["run"].clone();
    bench.pass(29);
    assert_eq!(bench.task(&id)["state"], "in_progress");
    bench.pass(1);

    let task = bench.task(&id);
    assert_eq!(task["state"], "blocked");
    assert_eq!(task["resume_state"], "in_progress");
    assert!(task["holder"].is_null());
    assert_eq!(task["fence"], fence + 1);
    assert!(task["blocked_reason"].as_str().unwrap().contains("30 min"), "{task}");
    assert_eq!(bench.human("run.get", json!({"run": run})).unwrap()["status"], "timed_out");
    let told = [row("heartbeat_lost", "open"), row("heartbeat_lost", "resolved")];
    assert_eq!(bench.alerts(), told, "that it was late is over, that it is gone is not");
    bench.pass(1);
    assert_eq!(bench.alerts(), told, "taken back once, and it is still gone");

    // It comes back late, while a person has given the task to robin.
    let to_robin = json!({"task": id, "assignees": ["wren", "robin"], "reason": "wren is gone"});
    bench.human("task.assign", to_robin).unwrap();
    bench
        .human("task.unblock", json!({"task": id, "note": "robin goes on", "to": "assigned"}))
        .unwrap();
    bench.ask(&agent("robin"), "task.claim", json!({"task": id})).unwrap();
    let plan = json!(["a", "b", "c"]);
    let start = json!({"task": id, "fence": fence, "work_plan": plan});
    assert_eq!(bench.agent("task.start", start), Err(ErrorKind::Conflict), "an old fence");
    let start = json!({"task": id, "work_plan": plan});
    assert_eq!(bench.agent("task.start", start), Err(ErrorKind::Conflict), "robin holds it");
    let start = json!({"task": id, "fence": fence + 2, "work_plan": plan});
    bench.ask(&agent("robin"), "task.start", start).unwrap();
    bench.beat("healthy");
    bench.pass(0);
    assert!(bench.alerts().iter().all(|one| one.1 == "resolved"), "{:?}", bench.alerts());
    rebuilds(bench);
}

#[test]
fn a_claim_that_was_never_begun_is_taken_back_too() {
    let bench = Bench::with_agent();
    bench.agent("task.create", json!({"title": "x", "type": "docs"})).unwrap();
    bench.agent("task.claim", json!({"task": "T-1"})).unwrap();
    bench
        .human("task.create", json!({"title": "y", "type": "docs", "assignees": ["wren"]}))
        .unwrap();
    bench.pass(30);
    assert_eq!(bench.task("T-1")["state"], "blocked");
    assert_eq!(bench.task("T-1")["resume_state"], "assigned");
    assert_ne!(bench.task("T-2")["state"], "blocked", "it was never taken up");
}

#[test]
fn nobody_is_missed_while_the_squad_is_paused() {
    let bench = Bench::with_agent();
    bench.started();
    bench.human("squad.pause", json!({"reason": "night"})).unwrap();
    bench.pass(600);
    assert_eq!(bench.task("T-1")["state"], "in_progress");
    assert!(bench.alerts().is_empty());
}

#[test]
fn of_fifty_that_claim_a_task_one_holds_it() {
    let bench = Bench::with_agent();
    let policy = mcd::policy::parse("[limits]\nactive_agents = 60\n").unwrap();
    bench.store.live().set_policy(std::sync::Arc::new(policy));
    let names: Vec<String> = (0..50).map(|at| format!("a{at}")).collect();
    for name in &names {
        bench.register(name, json!({}));
    }
    let rounds = if crate::nightly::is_wanted() { 1000 } else { 100 };
    for round in 1..=rounds {
        let task = bench.human("task.create", json!({"title": "x", "type": "docs"})).unwrap();
        let claim = |name: &String| {
            let raw = serde_json::value::to_raw_value(&json!({"task": task["id"]})).unwrap();
            let (request, _) = mc_proto::method::Request::parse("task.claim", Some(&raw)).unwrap();
            let work = Work::Request {
                caller: Box::new(agent(name)),
                request: Box::new(request),
                idempotency_key: None,
                facts: Box::default(),
            };
            bench.store.submit(work).unwrap()
        };
        let answers: Vec<_> = names.iter().map(claim).collect();
        let won = answers.into_iter().filter_map(|one| one.blocking_recv().unwrap().ok());
        assert_eq!(won.count(), 1, "round {round}");
        let task = bench.task(task["id"].as_str().unwrap());
        assert_eq!(
            (task["fence"].as_i64(), task["assignees"].as_array().unwrap().len()),
            (Some(1), 1)
        );
    }
}

fn with_parent() -> Bench {
    let bench = Bench::with_agent();
    let rev = bench.one_agent("wren")["rev"].clone();
    let set = json!({"agent": "wren", "rev": rev, "set": {"can_spawn": true}});
    bench.human("agent.update", set).unwrap();
    bench.started();
    bench
}

#[test]
fn a_task_has_three_sub_agents_and_they_go_two_deep() {
    let bench = with_parent();
    for name in ["one", "two", "three"] {
        bench.spawn(name, "T-1").unwrap();
    }
    assert_eq!(bench.spawn("four", "T-1"), Err(ErrorKind::Forbidden));
    let other = bench.human("task.create", json!({"title": "x", "type": "docs"})).unwrap();
    let child = |name: &str, parent: &str| {
        let params = json!({"name": name, "autonomy": "specialist", "runtime": "openclaw",
            "parent": parent, "purpose": "reads", "task": other["id"]});
        bench.human("agent.register", params)
    };
    child("second", "one").unwrap();
    assert_eq!(child("third", "second"), Err(ErrorKind::Forbidden), "too deep");
    bench.human("task.cancel", json!({"task": other["id"], "reason": "no"})).unwrap();
    assert_eq!(bench.one_agent("second")["status"], "stopped");
    assert_eq!(child("late", "one"), Err(ErrorKind::InvalidParams), "the task is closed");
}

#[test]
fn a_child_serves_a_task_of_its_parent_and_a_leads_any() {
    let bench = with_parent();
    let robin = json!({"name": "robin", "autonomy": "specialist", "runtime": "openclaw"});
    bench.human("agent.register", robin).unwrap();
    let other = json!({"title": "x", "type": "docs", "assignees": ["robin"]});
    let other = bench.human("task.create", other).unwrap()["id"].clone();
    assert_eq!(bench.spawn("one", other.as_str().unwrap()), Err(ErrorKind::Forbidden));
    bench.spawn("one", "T-1").unwrap();
    let rev = bench.one_agent("one")["rev"].clone();
    let set = json!({"agent": "one", "rev": rev, "set": {"can_spawn": true}});
    bench.human("agent.update", set).unwrap();
    let child = |name: &str, task: &Value| {
        let params = json!({"name": name, "autonomy": "specialist", "runtime": "openclaw",
            "purpose": "reads", "task": task});
        bench.ask(&agent("one"), "agent.register", params)
    };
    assert_eq!(child("two", &other), Err(ErrorKind::Forbidden));
    child("two", &json!("T-1")).unwrap();
    let rev = bench.one_agent("wren")["rev"].clone();
    let set = json!({"agent": "wren", "rev": rev, "set": {"autonomy": "lead"}});
    bench.human("agent.update", set).unwrap();
    bench.spawn("three", other.as_str().unwrap()).unwrap();
}

#[test]
fn an_intern_spawns_nobody_and_a_child_needs_a_purpose() {
    let bench = with_parent();
    let bare = json!({"name": "bare", "autonomy": "intern", "runtime": "other", "task": "T-1"});
    assert_eq!(bench.agent("agent.register", bare), Err(ErrorKind::InvalidParams));
    let rev = bench.one_agent("wren")["rev"].clone();
    let set = json!({"agent": "wren", "rev": rev, "set": {"autonomy": "intern"}});
    bench.human("agent.update", set).unwrap();
    assert_eq!(bench.spawn("one", "T-1"), Err(ErrorKind::Forbidden));
}

#[test]
fn sub_agents_end_with_their_time_their_task_and_their_parent() {
    let bench = with_parent();
    bench.spawn("one", "T-1").unwrap();
    bench.beat("healthy");
    bench.clock.advance(MINUTE * 359);
    bench.beat("healthy");
    bench.pass(0);
    assert_eq!(bench.one_agent("one")["status"], "active");
    bench.pass(1);
    let one = bench.one_agent("one");
    assert_eq!(one["status"], "stopped");
    assert!(one["status_reason"].as_str().unwrap().contains("6h"), "{one}");
    assert_eq!(
        bench.ask(&agent("one"), "agent.heartbeat", json!({})).map(|beat| beat["orders"].clone()),
        Ok(json!(["stop"]))
    );

    bench.spawn("two", "T-1").unwrap();
    bench.human("agent.quarantine", json!({"agent": "wren", "reason": "odd"})).unwrap();
    assert_eq!(bench.one_agent("two")["status"], "quarantined");
    bench.human("agent.resume", json!({"agent": "wren", "reason": "fine"})).unwrap();
    bench.human("agent.resume", json!({"agent": "two", "reason": "fine"})).unwrap();
    bench.human("agent.stop", json!({"agent": "wren", "reason": "over"})).unwrap();
    assert_eq!(bench.one_agent("two")["status"], "stopped");
    rebuilds(bench);
}

/// Tables made anew from the journal equal the written ones.
fn rebuilds(bench: Bench) {
    bench.store.shutdown();
    let written = bench.dump();
    mcd::store::rebuild(&bench.path()).unwrap();
    assert_eq!(written, bench.dump());
}

#[test]
fn a_turn_without_a_word_is_sent_back_once() {
    let bench = Bench::with_agent();
    let id = format!("T-{}", bench.started());
    bench.clock.advance(MINUTE);
    let start = |session: &str| {
        bench.agent("run.start", json!({"session": session})).unwrap()["run"].clone()
    };
    let finalize = |run: &Value| bench.agent("run.finalize", json!({"run": run})).unwrap();
    let run = start("s");
    let asked = finalize(&run);
    assert_eq!(asked["decision"], "revise");
    assert_eq!(asked["missing"].as_array().unwrap().len(), 3);
    assert!(asked["instruction"].as_str().unwrap().contains(&id), "{asked}");
    assert_eq!(finalize(&run)["decision"], "accept", "once");
    bench.agent("run.finish", json!({"run": run, "status": "succeeded"})).unwrap();

    let run = start("s");
    let say = json!({"task": id, "kind": "progress", "text": "half of it"});
    bench.agent("message.post", say).unwrap();
    assert_eq!(finalize(&run)["decision"], "accept", "it said how it stands");
    bench.agent("run.finish", json!({"run": run, "status": "succeeded"})).unwrap();

    bench.clock.advance(MINUTE);
    let run = start("s");
    bench.agent("task.report_blocker", json!({"task": id, "reason": "no key"})).unwrap();
    assert_eq!(finalize(&run)["decision"], "accept", "nothing is in progress");
    bench.register("robin", json!({}));
    let foreign = bench.ask(&agent("robin"), "run.finalize", json!({"run": run}));
    assert_eq!(foreign, Err(ErrorKind::Forbidden));
    rebuilds(bench);
}

#[test]
fn an_agent_starts_as_many_tasks_as_it_has_room_for_and_claims_more() {
    let bench = Bench::with_agent();
    bench.started();
    bench.agent("task.create", json!({"title": "y", "type": "docs"})).unwrap();
    bench.agent("task.claim", json!({"task": "T-2"})).unwrap();
    let start = json!({"task": "T-2", "work_plan": ["a", "b", "c"]});
    assert_eq!(bench.agent("task.start", start.clone()), Err(ErrorKind::TransitionRefused));
    let policy = mcd::policy::parse("[agents]\ncapacity_of = { wren = 2 }\n").unwrap();
    bench.store.live().set_policy(std::sync::Arc::new(policy));
    assert_eq!(bench.agent("task.start", start).unwrap()["task"]["state"], "in_progress");
}

#[test]
fn when_the_last_dependency_closes_the_assignees_are_told() {
    let bench = Bench::with_agent();
    for title in ["one", "two"] {
        bench.human("task.create", json!({"title": title, "type": "docs"})).unwrap();
    }
    let third = json!({"title": "three", "type": "docs", "depends_on": ["T-1", "T-2"]});
    bench.human("task.create", third).unwrap();
    bench.agent("task.claim", json!({"task": "T-3"})).unwrap();
    let told = || {
        let beat = bench.agent("agent.heartbeat", json!({})).unwrap();
        let notices = beat["notifications"].as_array().unwrap().clone();
        notices.iter().filter(|one| one["text"].as_str().unwrap().contains("T-3 can start")).count()
    };
    bench.human("task.cancel", json!({"task": "T-1", "reason": "no"})).unwrap();
    assert_eq!(told(), 0, "T-2 is open");
    bench.human("task.cancel", json!({"task": "T-2", "reason": "no"})).unwrap();
    assert_eq!(told(), 1);
    let thread = bench.human("message.list", json!({"task": "T-3"})).unwrap();
    assert!(thread["items"][0]["text"].as_str().unwrap().contains("T-2 was the last"), "{thread}");
    let start = json!({"task": "T-3", "work_plan": ["a", "b", "c"]});
    bench.agent("task.start", start).unwrap();
}

#[test]
fn a_loop_of_the_parent_ends_the_work_of_its_sub_agents_too() {
    let bench = with_parent();
    bench.spawn("one", "T-1").unwrap();
    for _ in 0..4 {
        let call = bench.agent("tool.check", super::exec("cargo test")).unwrap()["call"].clone();
        let failed = json!({"call": call, "status": "failed", "error": "exit 1"});
        bench.agent("tool.finish", failed).unwrap();
    }
    let status = |name: &str| bench.one_agent(name)["status"].clone();
    assert_eq!((status("wren"), status("one")), (json!("quarantined"), json!("quarantined")));
}

#[test]
fn a_sub_agent_begins_nothing_while_its_parent_is_paused() {
    let bench = with_parent();
    bench.spawn("one", "T-1").unwrap();
    let start = || bench.ask(&agent("one"), "run.start", json!({"session": "s"}));
    bench.human("agent.pause", json!({"agent": "wren", "reason": "spends too much"})).unwrap();
    assert_eq!(start(), Err(ErrorKind::Forbidden));
    bench.human("agent.resume", json!({"agent": "wren", "reason": "go on"})).unwrap();
    start().unwrap();
}
