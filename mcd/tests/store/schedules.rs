//! Schedules over the tick, with a clock that is moved by hand.

use std::time::Duration;

use mc_core::actor::Actor;
use mc_proto::error::ErrorKind;
use mcd::caller::SystemCommand;
use serde_json::{Value, json};

use super::Bench;

/// 2026-11-20T08:00:00Z
const START: i64 = 1_795_161_600_000;
const HOUR: Duration = Duration::from_hours(1);

fn bench() -> Bench {
    let bench = Bench::at(tempfile::tempdir().unwrap(), START);
    bench.system(SystemCommand::SetUp { name: "squad".into() });
    bench
}

fn daily(more: Value) -> Value {
    let mut params = json!({"cron": "0 9 * * *", "zone": "UTC",
        "task": {"title": "Read the mail", "type": "ops", "labels": ["mail"]}});
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    params
}

impl Bench {
    fn later(&self, hours: u32) {
        self.clock.advance(HOUR * hours);
        self.system(SystemCommand::Tick);
    }

    fn schedule(&self) -> Value {
        self.human("schedule.get", json!({"schedule": "J-1"})).unwrap()
    }

    fn tasks(&self) -> i64 {
        self.human("task.list", json!({})).unwrap()["total"].as_i64().unwrap()
    }
}

#[test]
fn a_schedule_creates_its_task_once_and_the_task_names_it() {
    let bench = bench();
    let made = bench.human("schedule.create", daily(json!({}))).unwrap();
    assert_eq!(
        (&made["id"], &made["next_at"]),
        (&json!("J-1"), &json!("2026-11-20T09:00:00.000Z"))
    );
    bench.system(SystemCommand::Tick);
    assert_eq!(bench.tasks(), 0);
    bench.later(1);
    for _ in 0..3 {
        bench.system(SystemCommand::Tick);
    }
    assert_eq!(bench.tasks(), 1);
    let task = bench.human("task.get", json!({"task": "T-1"})).unwrap();
    assert_eq!(task["schedule"], json!({"schedule": "J-1", "due": "2026-11-20T09:00:00.000Z"}));
    assert_eq!(task["created_by"]["name"], "schedule J-1");
    assert_eq!((&task["state"], &task["labels"]), (&json!("inbox"), &json!(["mail"])));
    let next = bench.schedule()["next"].clone();
    let days = ["2026-11-21T09:00:00.000Z", "2026-11-22T09:00:00.000Z", "2026-11-23T09:00:00.000Z"];
    assert_eq!(next, json!(days));
    let bench = restart(bench, 0);
    bench.system(SystemCommand::Tick);
    assert_eq!(bench.tasks(), 1, "a restart creates nothing again");
    rebuilds(bench);
}

/// Ends the daemon and starts it `hours` later; before zero the clock was set back.
fn restart(bench: Bench, hours: i64) -> Bench {
    let now = mcd::clock::Clock::now(&*bench.clock);
    bench.store.shutdown();
    Bench::at(bench.dir, now.0 + hours * 3_600_000)
}

fn rebuilds(bench: Bench) {
    bench.store.shutdown();
    let written = bench.dump();
    mcd::store::rebuild(&bench.path()).unwrap();
    assert_eq!(written, bench.dump());
}

#[test]
fn what_was_missed_while_the_daemon_was_off_is_made_up_for_by_the_rule() {
    for (rule, open, created, left_out) in
        [("skip", true, 0, 4), ("once", true, 1, 3), ("all", false, 4, 0)]
    {
        let bench = bench();
        let params = daily(json!({"catch_up": rule, "skip_if_open": open}));
        bench.human("schedule.create", params).unwrap();
        let bench = restart(bench, 4 * 24 - 1);
        bench.system(SystemCommand::Tick);
        bench.system(SystemCommand::Tick);
        let row = bench.schedule();
        assert_eq!((bench.tasks(), &row["created"]), (created, &json!(created)), "{rule}");
        assert_eq!(row["left_out"], left_out, "{rule}");
        rebuilds(bench);
    }
}

#[test]
fn of_too_many_the_newest_are_created_and_an_alert_counts_the_rest() {
    let bench = bench();
    let every = daily(json!({"cron": "* * * * *", "catch_up": "all", "skip_if_open": false}));
    bench.human("schedule.create", every).unwrap();
    bench.later(4);
    assert_eq!((bench.tasks(), &bench.schedule()["left_out"]), (100, &json!(140)));
    let alerts = bench.human("alert.list", json!({})).unwrap()["items"].clone();
    assert_eq!(
        (alerts[0]["kind"].as_str(), alerts.as_array().unwrap().len()),
        (Some("schedule"), 1)
    );
    assert!(alerts[0]["text"].as_str().unwrap().starts_with("J-1: 140 older ones left out"));
}

#[test]
fn a_clock_that_is_set_back_creates_nothing_twice() {
    let bench = bench();
    bench.human("schedule.create", daily(json!({"skip_if_open": false}))).unwrap();
    bench.later(1);
    assert_eq!(bench.tasks(), 1);
    let bench = restart(bench, -1);
    bench.system(SystemCommand::Tick);
    bench.later(1);
    assert_eq!(bench.tasks(), 1);
    let bench = restart(bench, -1);
    let of = json!({"schedule": "J-1"});
    bench.human("schedule.pause", of.clone()).unwrap();
    bench.human("schedule.resume", of).unwrap();
    bench.later(1);
    assert_eq!(bench.tasks(), 1, "also where a person has it begin anew");
    bench.later(24);
    assert_eq!(bench.tasks(), 2);
}

#[test]
fn nothing_is_created_while_the_last_task_is_open_and_the_event_says_so() {
    let bench = bench();
    bench.human("schedule.create", daily(json!({}))).unwrap();
    bench.later(1);
    bench.later(24);
    assert_eq!((bench.tasks(), &bench.schedule()["left_out"]), (1, &json!(1)));
    let events = bench.human("audit.export", json!({})).unwrap().to_string();
    assert!(events.contains("T-1 is still open"), "{events}");
    bench.human("task.cancel", json!({"task": "T-1", "reason": "no"})).unwrap();
    bench.later(24);
    assert_eq!(bench.tasks(), 2);
}

#[test]
fn a_stop_or_pause_holds_occurrences_back_and_they_are_made_up_for() {
    for is_stop in [false, true] {
        let bench = bench();
        bench.human("schedule.create", daily(json!({}))).unwrap();
        if is_stop {
            bench.store.live().halt.set("fire").unwrap();
            let by = Actor::human("ana", mc_core::actor::Level::L0);
            bench.system(SystemCommand::Halt { by, reason: "fire".into() });
        } else {
            bench.human("squad.pause", json!({"reason": "night"})).unwrap();
        }
        bench.later(50);
        assert_eq!(bench.tasks(), 0);
        if is_stop {
            bench.human("squad.emergency_resume", json!({"reason": "over"})).unwrap();
            bench.store.live().halt.clear().unwrap();
        } else {
            bench.human("squad.resume", json!({"reason": "day"})).unwrap();
        }
        bench.system(SystemCommand::Tick);
        assert_eq!((bench.tasks(), &bench.schedule()["left_out"]), (1, &json!(2)));
    }
}

#[test]
fn what_falls_into_the_pause_of_a_schedule_is_not_made_up_for() {
    let bench = bench();
    bench.human("schedule.create", daily(json!({}))).unwrap();
    let of = json!({"schedule": "J-1", "reason": "holidays"});
    bench.human("schedule.pause", of.clone()).unwrap();
    assert!(bench.schedule()["next"].as_array().unwrap().is_empty());
    assert_eq!(bench.human("schedule.pause", of.clone()), Err(ErrorKind::Conflict));
    bench.later(50);
    bench.human("schedule.resume", of.clone()).unwrap();
    bench.system(SystemCommand::Tick);
    assert_eq!(bench.tasks(), 0);
    bench.human("schedule.delete", of.clone()).unwrap();
    bench.later(50);
    assert_eq!(bench.tasks(), 0);
    assert_eq!(bench.human("schedule.resume", of), Err(ErrorKind::Conflict));
    assert_eq!(bench.human("schedule.list", json!({})).unwrap()["total"], 0);
    let bench = restart(bench, 0);
    let next = bench.human("schedule.create", daily(json!({}))).unwrap();
    assert_eq!(next["id"], "J-2", "a number is given once");
    rebuilds(bench);
}

#[test]
fn what_makes_no_sense_is_refused_and_agents_have_no_such_method() {
    let bench = Bench::with_agent();
    for wrong in [
        json!({"cron": "61 * * * *"}),
        json!({"cron": "0 0 30 2 *"}),
        json!({"zone": "Mars/Base"}),
        json!({"catch_up": "all"}),
        json!({"task": {"title": "", "type": "nothing", "assignees": ["nobody"]}}),
        json!({"task": {"title": "x", "type": "docs", "due_in_s": 0}}),
    ] {
        let refused = bench.human("schedule.create", daily(wrong.clone()));
        assert_eq!(refused, Err(ErrorKind::InvalidParams), "{wrong}");
    }
    let made = bench.human("schedule.create", daily(json!({}))).unwrap();
    let set = |rev: i64| json!({"schedule": "J-1", "rev": rev, "set": {"cron": "0 10 * * *"}});
    assert_eq!(bench.human("schedule.update", set(7)), Err(ErrorKind::Conflict));
    let changed = bench.human("schedule.update", set(made["rev"].as_i64().unwrap())).unwrap();
    assert!(changed["next_at"].as_str().unwrap().contains("T10:00"), "{changed}");
}

#[test]
fn a_task_that_can_no_longer_be_created_is_an_alert_and_the_tick_goes_on() {
    let bench = Bench::with_agent();
    let task = json!({"title": "x", "type": "docs", "assignees": ["wren"]});
    bench.human("schedule.create", daily(json!({"task": task}))).unwrap();
    bench.human("agent.stop", json!({"agent": "wren", "reason": "over"})).unwrap();
    bench.later(24);
    assert_eq!(bench.tasks(), 0);
    let alerts = bench.human("alert.list", json!({})).unwrap()["items"].to_string();
    assert!(alerts.contains("agent `wren` is retired"), "{alerts}");
    assert_ne!(bench.schedule()["next_at"], Value::Null, "it is tried again next time");
    let mended = json!({"title": "x", "type": "docs", "description": "by whoever claims it"});
    let set = json!({"schedule": "J-1", "rev": 1, "set": {"task": mended}});
    let changed = bench.human("schedule.update", set).unwrap();
    assert_eq!((&changed["rev"], &changed["task"]), (&json!(2), &mended));
    bench.later(24);
    assert_eq!(bench.tasks(), 1);
    let task = bench.human("task.get", json!({"task": "T-1"})).unwrap();
    assert_eq!((&task["state"], &task["description"]), (&json!("inbox"), &mended["description"]));
    let alerts = bench.human("alert.list", json!({})).unwrap()["items"].to_string();
    assert!(alerts.contains("resolved"), "{alerts}");
    rebuilds(bench);
}
