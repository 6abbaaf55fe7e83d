//! Assignment by rule at the desk: when a task is offered, who stays out, and whose word goes first.

use std::{sync::Arc, time::Duration};

use mc_proto::error::ErrorKind;
use mcd::caller::SystemCommand;
use serde_json::{Value, json};

use super::{Bench, agent};

const DOCS: &str = "[[assign]]\nname = \"docs\"\nmatch = { types = [\"docs\"] }\n";

/// A squad of kite, owl and wren.
fn bench(policy: &str) -> Bench {
    let bench = Bench::with_agent();
    for name in ["kite", "owl"] {
        bench
            .human(
                "agent.register",
                json!({"name": name, "autonomy": "specialist", "runtime": "openclaw"}),
            )
            .unwrap();
    }
    bench.rules(policy);
    bench
}

impl Bench {
    fn rules(&self, policy: &str) {
        let policy = mcd::policy::parse(policy).unwrap();
        self.store.live().set_policy(Arc::new(policy));
    }

    fn tick(&self) {
        self.system(SystemCommand::Tick);
    }

    fn new_task(&self, more: Value) -> Value {
        let mut params = json!({"title": "x", "type": "docs"});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.human("task.create", params).unwrap()
    }

    /// Returns state and assignees of a task.
    fn stands(&self, id: &str) -> (String, Vec<String>) {
        let task = self.human("task.get", json!({"task": id})).unwrap();
        let names = task["assignees"].as_array().into_iter().flatten();
        let names = names.map(|name| name.as_str().unwrap().to_owned()).collect();
        (task["state"].as_str().unwrap().to_owned(), names)
    }

    fn is_with(&self, id: &str, name: &str) {
        assert_eq!(self.stands(id), ("assigned".to_owned(), vec![name.to_owned()]), "{id}");
    }

    fn is_in_inbox(&self, id: &str) {
        assert_eq!(self.stands(id), ("inbox".to_owned(), vec![]), "{id}");
    }

    fn says_next(&self, id: &str) -> String {
        let answers = self.human("task.answers", json!({"task": id})).unwrap();
        answers["next"]["text"].as_str().unwrap().to_owned()
    }

    fn starts(&self, name: &str, id: &str) {
        let start = json!({"task": id, "work_plan": ["a", "b", "c"]});
        self.ask(&agent(name), "task.start", start).unwrap();
    }

    fn rebuilds_the_same(self) {
        self.store.shutdown();
        let written = self.dump();
        mcd::store::rebuild(&self.path()).unwrap();
        assert_eq!(written, self.dump());
    }
}

#[test]
fn a_new_task_goes_to_the_least_loaded_and_says_why_to_whom_it_concerns() {
    let bench = bench(DOCS);
    let made = bench.new_task(json!({}));
    assert_eq!((&made["state"], &made["assignees"]), (&json!("assigned"), &json!(["kite"])));
    let why = "type docs; least loaded of 3: kite 0, owl 0, wren 0";
    assert_eq!(made["by_rule"]["rule"], "assign.docs");
    assert_eq!(made["by_rule"]["why"], why);
    assert_eq!(made["subscribers"], json!(["kite"]));

    let timeline = bench.human("task.timeline", json!({"task": "T-1"})).unwrap();
    let items = timeline["items"].as_array().unwrap();
    let moved = items.iter().find(|item| item["event"]["kind"] == "task_moved");
    let moved = moved.unwrap();
    assert_eq!(moved["actor"], json!({"kind": "system", "name": "assign.docs"}));
    assert_eq!((&moved["cause"], &moved["reason"]), (&json!("task.create"), &json!(why)));
    let told = bench.ask(&agent("kite"), "notification.list", json!({})).unwrap();
    let told = told["items"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["kind"], &told[0]["task"]), (&json!("assignment"), &json!("T-1")));
    let answers = bench.human("task.answers", json!({"task": "T-1"})).unwrap();
    let who = answers["who"]["text"].as_str().unwrap();
    assert!(who.starts_with(&format!("kite · rec: given by assign.docs: {why}")), "{who}");

    // The next one goes to the next, and the one after the capacity of all waits.
    for (id, name) in [("T-2", "owl"), ("T-3", "wren")] {
        bench.new_task(json!({}));
        bench.is_with(id, name);
    }
    bench.new_task(json!({}));
    bench.is_in_inbox("T-4");
    let next = bench.says_next("T-4");
    let nobody = "rec: assign.docs: type docs; nobody is free: kite has 1 in hand and takes 1, ";
    assert!(next.starts_with(nobody), "{next}");
    assert!(next.ends_with("a specialist or lead: claim it · or operator: assign it"), "{next}");
    // What no rule is about says nothing of rules.
    bench.new_task(json!({"type": "ops"}));
    bench.is_in_inbox("T-5");
    assert!(!bench.says_next("T-5").contains("assign."), "{}", bench.says_next("T-5"));
    bench.rebuilds_the_same();
}

#[test]
fn without_rules_nothing_is_assigned() {
    let bench = bench("");
    bench.new_task(json!({}));
    bench.tick();
    bench.is_in_inbox("T-1");
}

#[test]
fn what_found_nobody_is_tried_again_the_most_urgent_first() {
    let bench = bench("[[assign]]\nname = \"a\"\ncandidates = { agents = [\"wren\"] }\n");
    bench.new_task(json!({}));
    bench.is_with("T-1", "wren");
    bench.new_task(json!({}));
    bench.new_task(json!({"priority": 1}));
    let head = bench.store.live().head();
    for _ in 0..3 {
        bench.tick();
    }
    assert_eq!(bench.store.live().head(), head, "a tick that changes nothing records nothing");
    bench.starts("wren", "T-1");
    bench.tick();
    bench.is_in_inbox("T-3");
    let report = json!({"task": "T-1", "reason": "no key"});
    bench.agent("task.report_blocker", report).unwrap();
    bench.tick();
    bench.is_with("T-3", "wren");
    bench.is_in_inbox("T-2");
    let task = bench.human("task.get", json!({"task": "T-3"})).unwrap();
    let why = "any task; wren is the only one free";
    assert_eq!(task["by_rule"]["why"], why);
    bench.human("task.cancel", json!({"task": "T-3", "reason": "no more"})).unwrap();
    bench.tick();
    bench.is_with("T-2", "wren");
    bench.rebuilds_the_same();
}

#[test]
fn a_person_who_takes_a_task_back_keeps_it_and_a_persons_choice_stands() {
    let bench = bench(DOCS);
    bench.new_task(json!({}));
    bench.is_with("T-1", "kite");
    bench.human("task.transition", json!({"task": "T-1", "to": "inbox"})).unwrap();
    bench.tick();
    bench.is_in_inbox("T-1");
    let next = bench.says_next("T-1");
    assert!(next.contains("no rule gives it out: a person took it back to Inbox"), "{next}");
    bench.human("task.assign", json!({"task": "T-1", "assignees": ["wren"]})).unwrap();
    bench.tick();
    bench.is_with("T-1", "wren");
    let task = bench.human("task.get", json!({"task": "T-1"})).unwrap();
    assert!(task["by_rule"].is_null(), "{task}");
    // And what was created for somebody stays with them, however loaded they are.
    bench.new_task(json!({"assignees": ["wren"]}));
    bench.tick();
    bench.is_with("T-2", "wren");
    // A person gives on what a rule gave: the rule no longer answers for it.
    bench.new_task(json!({}));
    bench.is_with("T-3", "kite");
    bench.human("task.assign", json!({"task": "T-3", "assignees": ["owl"]})).unwrap();
    let task = bench.human("task.get", json!({"task": "T-3"})).unwrap();
    assert!(task["by_rule"].is_null() && task["put_back"].is_null(), "{task}");
    bench.rebuilds_the_same();
}

#[test]
fn who_stands_still_is_gone_or_has_no_money_stays_out() {
    let bench = bench(DOCS);
    bench.human("agent.quarantine", json!({"agent": "kite", "reason": "odd"})).unwrap();
    let set = json!({"scope": "agent_day", "of": "owl", "cap_uusd": 0, "reason": "none left"});
    bench.human("budget.set", set).unwrap();
    bench.ask(&agent("wren"), "agent.heartbeat", json!({"status": "idle"})).unwrap();
    bench.clock.advance(Duration::from_mins(6));
    bench.new_task(json!({}));
    bench.is_in_inbox("T-1");
    let next = bench.says_next("T-1");
    for says in ["kite is quarantined", "owl may not spend: ", "wren is late"] {
        assert!(next.contains(says), "{says}: {next}");
    }
    bench.ask(&agent("wren"), "agent.heartbeat", json!({"status": "idle"})).unwrap();
    bench.tick();
    bench.is_with("T-1", "wren");
    let task = bench.human("task.get", json!({"task": "T-1"})).unwrap();
    let why = task["by_rule"]["why"].as_str().unwrap();
    assert!(why.starts_with("type docs; wren is the only one free; left out: kite is"), "{why}");
    bench.rebuilds_the_same();
}

#[test]
fn while_the_squad_stands_still_nothing_is_assigned() {
    let bench = bench(DOCS);
    bench.human("squad.pause", json!({"reason": "lunch"})).unwrap();
    bench.new_task(json!({}));
    bench.tick();
    bench.is_in_inbox("T-1");
    assert!(bench.says_next("T-1").contains("the squad stands still"));
    bench.human("squad.resume", json!({"reason": "back"})).unwrap();
    bench.tick();
    bench.is_with("T-1", "kite");
}

#[test]
fn a_task_that_waits_for_others_is_given_out_when_the_last_of_them_closes() {
    let bench = bench(DOCS);
    bench.new_task(json!({"type": "ops"}));
    bench.new_task(json!({"depends_on": ["T-1"]}));
    bench.tick();
    bench.is_in_inbox("T-2");
    assert!(bench.says_next("T-2").contains("no rule gives it out: it waits for T-1"));
    bench.clock.advance(Duration::from_secs(5));
    bench.human("task.cancel", json!({"task": "T-1", "reason": "no more"})).unwrap();
    bench.is_with("T-2", "kite");
    let task = bench.human("task.get", json!({"task": "T-2"})).unwrap();
    assert!(task["promoted_at"].is_string(), "{task}");
    bench.rebuilds_the_same();
}

#[test]
fn a_schedules_task_is_given_out_as_it_is_created() {
    let bench = bench(DOCS);
    let schedule = json!({"cron": "* * * * *", "zone": "UTC",
        "task": {"title": "Write it up", "type": "docs"}});
    bench.human("schedule.create", schedule).unwrap();
    bench.clock.advance(Duration::from_secs(61));
    bench.tick();
    bench.is_with("T-1", "kite");
    bench.rebuilds_the_same();
}

#[test]
fn an_agents_proposal_is_given_out_too_and_an_agent_may_still_claim() {
    let bench = bench("[[assign]]\nname = \"a\"\ncandidates = { agents = [\"owl\"] }\n");
    let made = bench.agent("task.create", json!({"title": "y", "type": "docs"})).unwrap();
    assert_eq!(made["assignees"], json!(["owl"]));
    bench.agent("task.create", json!({"title": "z", "type": "docs"})).unwrap();
    bench.agent("task.claim", json!({"task": "T-2"})).unwrap();
    bench.is_with("T-2", "wren");
    let own = json!({"title": "y", "type": "docs", "assignees": ["owl"]});
    assert_eq!(bench.agent("task.create", own), Err(ErrorKind::Forbidden), "rules give no rights");
}

#[test]
fn a_tick_that_gives_out_many_looks_at_the_urgent_ones_and_ends() {
    let bench = bench("");
    for at in 0..130 {
        bench.new_task(json!({"priority": if at < 5 { 4 } else { 2 }}));
    }
    bench.rules(&format!("{DOCS}[agents]\ncapacity = 40\n"));
    bench.tick();
    let count = |state: &str| {
        let filter = json!({"filter": format!("state:{state}")});
        bench.human("task.list", filter).unwrap()["total"].as_i64().unwrap()
    };
    assert_eq!((count("assigned"), count("inbox")), (100, 30), "a hundred at once");
    bench.tick();
    assert_eq!((count("assigned"), count("inbox")), (120, 10), "40 each is all they take");
    for id in ["T-1", "T-5"] {
        bench.is_in_inbox(id);
    }
    bench.rebuilds_the_same();
}

#[test]
fn a_file_that_would_be_taken_says_which_rules_find_nobody() {
    let bench = bench("");
    bench
        .human(
            "agent.register",
            json!({"name": "crow", "autonomy": "intern", "runtime": "other", "task_types": ["ops"]}),
        )
        .unwrap();
    let said = |toml: &str| bench.human("policy.validate", json!({"toml": toml})).unwrap();
    assert_eq!(said(DOCS), json!({"valid": true, "findings": []}));
    let found = said(
        "[[assign]]\nname = \"a\"\nmatch = { types = [\"docs\"] }\n\
         candidates = { agents = [\"wrne\", \"crow\"] }\n\
         [[assign]]\nname = \"b\"\ncandidates = { labels = { team = \"core\" } }\n",
    );
    assert_eq!(found["valid"], true);
    let lines: Vec<(i64, &str)> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["line"].as_i64().unwrap(), one["message"].as_str().unwrap()))
        .collect();
    assert_eq!(
        lines,
        [
            (
                4,
                "assign[0].candidates.agents[0]: there is no registered agent `wrne`; did you mean `wren`?"
            ),
            (1, "assign[0]: none of its candidates takes tasks of these types"),
            (5, "assign[1]: no agent that is registered is a candidate"),
        ]
    );
    let broken = said("[[assign]]\nname = \"a\"\nchose = \"first\"\n");
    assert_eq!((&broken["valid"], &broken["findings"][0]["line"]), (&json!(false), &json!(3)));
}

#[test]
fn an_offer_says_who_would_get_it_by_the_rules_in_force_or_by_a_candidate() {
    let bench = bench("");
    bench.new_task(json!({}));
    let offer = |more: Value| {
        let mut params = json!({"task": "T-1"});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        bench.human("policy.offer", params)
    };
    let none = json!({"task": "T-1", "why": "no rule of assignment is about it"});
    assert_eq!(offer(json!({})).unwrap(), none);
    let head = bench.store.live().head();
    let candidate = json!({"toml": DOCS});
    let would = offer(candidate.clone()).unwrap();
    assert_eq!((&would["agent"], &would["rule"]), (&json!("kite"), &json!("assign.docs")));
    assert_eq!(would["why"], "type docs; least loaded of 3: kite 0, owl 0, wren 0");
    assert_eq!(bench.store.live().head(), head, "nothing is recorded");
    bench.is_in_inbox("T-1");
    bench.human("squad.pause", json!({"reason": "lunch"})).unwrap();
    assert_eq!(offer(candidate).unwrap()["not_now"], "the squad stands still");
    assert_eq!(offer(json!({"toml": "assign = 1"})), Err(ErrorKind::InvalidParams));
    assert_eq!(bench.human("policy.offer", json!({"task": "T-9"})), Err(ErrorKind::NotFound));
}

#[test]
fn a_database_of_before_gets_what_its_journal_knew() {
    let bench = bench(DOCS);
    bench.new_task(json!({}));
    bench.human("task.transition", json!({"task": "T-1", "to": "inbox"})).unwrap();
    bench.new_task(json!({"type": "ops"}));
    bench.new_task(json!({"type": "ops", "depends_on": ["T-2"]}));
    bench.human("task.cancel", json!({"task": "T-2", "reason": "no more"})).unwrap();
    let fields = |bench: &Bench, id: &str| {
        let task = bench.human("task.get", json!({"task": id})).unwrap();
        (task["put_back"].clone(), task["promoted_at"].clone())
    };
    let before = ["T-1", "T-2", "T-3"].map(|id| fields(&bench, id));
    assert!(before[0].0 == json!(true) && before[2].1.is_string(), "{before:?}");
    bench.store.shutdown();
    let db = rusqlite::Connection::open(bench.path()).unwrap();
    db.execute_batch(
        "UPDATE tasks SET body = json_remove(body, '$.put_back', '$.promoted_at');
         DROP INDEX tasks_in_inbox;",
    )
    .unwrap();
    db.execute_batch(include_str!("../../../migrations/V30__assignment.sql")).unwrap();
    drop(db);
    let bench = Bench::in_dir(bench.dir);
    assert_eq!(["T-1", "T-2", "T-3"].map(|id| fields(&bench, id)), before);
}
