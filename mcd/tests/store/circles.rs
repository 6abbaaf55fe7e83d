//! Work that goes in circles in some disguise, each case at its limit and one step further, live and
//! replayed; and work that only looks like it.

use mc_core::loops::{Containment, Sign};
use mc_proto::error::ErrorKind;

use super::{
    day::{Day, SQUAD, done, failed, played, trips_at},
    *,
};

/// Returns `at` in letters: numbers make no difference.
fn letters(at: usize) -> String {
    let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap());
    [letter(at / 26), '-', letter(at)].iter().collect()
}

#[test]
fn a_call_that_is_never_finished_is_a_circle() {
    // The newest one goes on: the twenty-first is left behind when the next is checked.
    trips_at(Sign::Circles, 21, |day, _, _| {
        day.check("wren", "cat a");
    });
}

#[test]
fn calls_without_an_end_count_over_a_restart_and_for_each_task_alone() {
    let day = Day::new();
    let task = day.begin("wren", "Go round");
    for _ in 0..15 {
        day.check("wren", "cat a");
    }
    let day = Day { bench: day.bench.again() };
    // The clock of a new bench begins anew; none of it may lie before the last event.
    day.pass(60);
    for at in 0..6 {
        day.check("wren", "cat a");
        assert_eq!(day.state(&task), "in_progress", "{at}");
    }
    day.check("wren", "cat a");
    assert_eq!((day.state(&task), day.replayed()[0].sign), (json!("blocked"), Sign::Circles));
}

#[test]
fn the_limits_of_circles_are_an_agents_own() {
    let day = Day::new();
    let tight = "[agents]\ncapacity = 50\n[agent.wren]\nloops = { circles = 4, lost_runs = 1 }\n";
    let policy = mcd::policy::parse(tight).unwrap();
    day.bench.store.live().set_policy(std::sync::Arc::new(policy));
    for (who, state) in [("wren", "blocked"), ("crane", "in_progress")] {
        let task = day.begin(who, "Go round");
        for at in 0..5 {
            assert_eq!(day.state(&task), "in_progress", "{who} {at}");
            day.call(who, ["cat a", "cat b"][at % 2], &done("same"));
        }
        assert_eq!(day.state(&task), state, "{who}");
    }
    let task = day.begin("wren", "Try again");
    run(&day, "wren", (&task, "aborted"));
    assert_eq!(day.state(&task), "in_progress");
    run(&day, "wren", (&task, "aborted"));
    assert_eq!(day.state(&task), "blocked");
}

#[test]
fn a_call_that_is_dropped_each_time_is_a_circle() {
    trips_at(Sign::Circles, 20, |day, _, _| {
        let call = day.check("wren", "cat a")["call"].clone();
        day.by("wren", "tool.drop", json!({"call": call}));
    });
}

#[test]
fn two_calls_in_turn_are_a_circle() {
    trips_at(Sign::Circles, 20, |day, _, at| {
        day.call("wren", ["cat a", "cat b"][at % 2], &done("same"));
    });
}

#[test]
fn three_calls_in_turn_are_a_circle() {
    trips_at(Sign::Circles, 20, |day, _, at| {
        day.call("wren", ["cat a", "cat b", "ls"][at % 3], &done(["x", "y", "z"][at % 3]));
    });
}

#[test]
fn a_failing_call_and_a_good_one_in_turn_are_a_circle() {
    trips_at(Sign::Circles, 20, |day, _, at| {
        if at % 2 == 0 {
            day.call("wren", "cat a", &failed("permission denied"));
        } else {
            day.call("wren", "ls", &done("a"));
        }
    });
}

#[test]
fn a_failing_call_with_another_good_one_between_is_a_storm_of_retries() {
    trips_at(Sign::Retries, 10, |day, _, at| {
        day.call("wren", &format!("cat {}", letters(at)), &done("text"));
        day.call("wren", "cat a", &failed("permission denied"));
    });
}

#[test]
fn a_hash_that_nobody_can_look_at_makes_no_new_result() {
    trips_at(Sign::Circles, 20, |day, _, at| {
        let mut end = done(&"same ".repeat(200));
        end["result_sha256"] = json!(format!("{at:064x}"));
        day.call("wren", "cat a", &end);
    });
    trips_at(Sign::Circles, 20, |day, _, at| {
        let end = json!({"status": "succeeded", "result_sha256": format!("{at:064x}")});
        day.call("wren", "cat a", &end);
    });
}

#[test]
fn a_short_result_has_its_own_hash_or_none() {
    let day = Day::new();
    day.begin("wren", "Go round");
    let call = day.check("wren", "cat a")["call"].clone();
    let end = |hash: &str| {
        json!({"call": call, "status": "succeeded", "result_preview": "same",
            "result_sha256": hash})
    };
    let refused = day.bench.ask(&agent("wren"), "tool.finish", end(&"0".repeat(64)));
    assert_eq!(refused, Err(ErrorKind::InvalidParams));
    let own = mc_core::canonical::sha256_hex(b"same");
    assert_eq!(day.by("wren", "tool.finish", end(&own))["status"], "succeeded");
}

#[test]
fn arguments_that_only_grow_warn_and_are_a_circle_at_last() {
    let counter = |day: &Day, at: usize| {
        day.call("wren", &format!("head -n {at} log"), &done("not yet"));
    };
    let filling = |day: &Day, at: usize| {
        day.call("wren", &format!("cat log {}", "x".repeat(at + 1)), &done("not yet"));
    };
    for step in [counter, filling] {
        let day = Day::new();
        let task = day.begin("wren", "Go round");
        for at in 0..40 {
            step(&day, at);
        }
        let signs: Vec<Sign> = day.replayed().iter().map(|found| found.sign).collect();
        assert_eq!((signs, day.alerts()), (vec![Sign::NearlySameCall], 1));
        assert_eq!(day.state(&task), "in_progress");
        step(&day, 40);
        let signs: Vec<Sign> = day.replayed().iter().map(|found| found.sign).collect();
        assert_eq!(signs, [Sign::NearlySameCall, Sign::Circles]);
        assert_eq!((day.state(&task), day.alerts()), (json!("blocked"), 2));
    }
}

#[test]
fn who_asks_and_takes_it_back_again_and_again_is_quarantined() {
    trips_at(Sign::Withdrawn, 5, |day, _, at| {
        day.pass(1);
        let ask =
            json!({"kind": "escalation", "summary": format!("may I, {at}?"), "justification": "x"});
        let asked = day.by("crane", "approval.request", ask);
        day.by("crane", "approval.cancel", json!({"approval": asked["id"]}));
    });
}

#[test]
fn a_question_that_a_person_answers_ends_the_row() {
    let (day, trips) = played(
        |day, _, at| {
            day.pass(1);
            let ask = json!({"kind": "escalation", "summary": format!("may I, {at}?"), "justification": "x"});
            let asked = day.by("crane", "approval.request", ask);
            if at % 5 == 4 {
                let deny = json!({"approval": asked["id"], "rev": asked["rev"],
                    "digest": asked["digest"], "note": "no"});
                day.bench.human("approval.deny", deny).unwrap();
            } else {
                day.by("crane", "approval.cancel", json!({"approval": asked["id"]}));
            }
        },
        30,
    );
    assert_eq!((trips.len(), day.status("crane")), (0, json!("active")));
}

/// Lets `who` begin a run on its task, and ends it.
fn run(day: &Day, who: &str, (task, status): (&Value, &str)) {
    day.pass(1);
    let run = day.by(who, "run.start", json!({"session": "s", "task": task}))["run"].clone();
    day.by(who, "run.finish", json!({"run": run, "status": status}));
}

#[test]
fn the_eleventh_run_in_a_row_that_comes_to_nothing_is_a_loop() {
    trips_at(Sign::LostRuns, 10, |day, task, _| run(day, "wren", (task, "aborted")));
    trips_at(Sign::LostRuns, 10, |day, task, at| {
        // A good call between them ends no row of runs.
        day.call("wren", &format!("cat {}", letters(at)), &done("text"));
        run(day, "wren", (task, ["failed", "aborted"][at % 2]));
    });
}

#[test]
fn every_kind_of_message_counts() {
    trips_at(Sign::Comments, 20, |day, task, at| {
        let kind = ["comment", "progress", "work_plan", "artifact", "review"][at % 5];
        day.write("wren", task, (kind, &format!("thought {at}")));
    });
    trips_at(Sign::Turns, 8, |day, task, at| day.write(SQUAD[at % 2], task, ("progress", "no")));
}

/// Plays `steps` steps on wren's task, by somebody else; the task goes on, and who goes round does not.
fn contains_the_stranger(sign: Sign, steps: usize, step: fn(&Day, &Value, usize)) -> Day {
    let (day, trips) = played(step, steps);
    assert_eq!((day.state(&json!("T-1")), trips.len()), (json!("in_progress"), 0));
    let (day, trips) = played(step, steps + 1);
    let seen: Vec<_> = trips.iter().map(|(found, _)| (found.sign, found.containment)).collect();
    assert_eq!(seen, [(sign, Containment::Quarantine)]);
    assert_eq!((day.state(&json!("T-1")), day.alerts()), (json!("in_progress"), 1));
    assert_eq!(day.status("wren"), "active");
    day
}

#[test]
fn a_stranger_who_storms_a_thread_is_quarantined_and_the_task_goes_on() {
    let day = contains_the_stranger(Sign::Comments, 20, |day, task, _| {
        day.say("robin", task, "spam");
    });
    assert_eq!(day.status("robin"), "quarantined");
    // One word of the assignee among them changes nothing, and its own count begins anew.
    let day = contains_the_stranger(Sign::Comments, 20, |day, task, at| {
        day.say(if at == 9 { "wren" } else { "robin" }, task, "spam");
    });
    assert_eq!(day.status("robin"), "quarantined");
    for at in 0..20 {
        day.say("wren", &json!("T-1"), &format!("thought {at}"));
    }
    assert_eq!(day.state(&json!("T-1")), "in_progress");
    day.say("wren", &json!("T-1"), "one more");
    assert_eq!(day.state(&json!("T-1")), "blocked");
}

#[test]
fn two_strangers_who_answer_each_other_are_both_quarantined() {
    let day = contains_the_stranger(Sign::Turns, 8, |day, task, at| {
        day.say(["robin", "heron"][at % 2], task, "no you");
    });
    for name in ["robin", "heron"] {
        assert_eq!(day.status(name), "quarantined", "{name}");
    }
}

#[test]
fn a_child_that_goes_round_ends_itself_and_not_its_parents_task() {
    let day = contains_the_stranger(Sign::SameCall, 5, |day, task, at| {
        if at == 0 {
            let child = json!({"name": "chick", "autonomy": "specialist", "runtime": "openclaw",
                "parent": "wren", "task": task, "purpose": "count"});
            day.bench.human("agent.register", child).unwrap();
            day.by("chick", "run.start", json!({"session": "c", "task": task}));
        }
        let mut check = exec("git status");
        check["task"] = task.clone();
        let call = day.by("chick", "tool.check", check)["call"].clone();
        let mut end = done("nothing to commit");
        end["call"] = call;
        day.by("chick", "tool.finish", end);
    });
    assert_eq!(day.status("chick"), "quarantined");
}

#[test]
fn work_that_only_looks_like_a_circle_trips_nothing() {
    let day = Day::new();
    let task = day.begin("wren", "Mend it");
    // A build that is watched gets on each time.
    for at in 0..50 {
        day.call("wren", "tail build.log", &done(&format!("step {} is done", letters(at))));
        day.call("wren", "sleep 30", &done(""));
    }
    // Something new each time, built and tested: red the same way at first, green the same way later.
    for at in 0..60 {
        day.call("wren", &format!("cat src/{}.rs", letters(at)), &done(""));
        day.call("wren", "cargo build", &done("Finished in 2 s"));
        let end = if at < 10 { failed("one test failed") } else { done("ok. 14 passed") };
        day.call("wren", "cargo test", &end);
    }
    // A long file, read on.
    for at in 0..40 {
        let end = done(&format!("fn {}() {{}}", letters(at)));
        day.call("wren", &format!("sed -n {at},{}p lib.rs", at + 40), &end);
    }
    assert!(day.trips().is_empty(), "{:?}", day.trips());
    assert_eq!((day.alerts(), day.state(&task)), (0, json!("in_progress")));
}
