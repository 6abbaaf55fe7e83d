//! Many ask at once, over many connections: every cap is met to the micro-dollar, and what was
//! refused did not fit.

use std::{
    collections::BTreeMap,
    sync::{Arc, Barrier},
    thread,
};

use mc_tests::{Client, Squad};
use serde_json::{Value, json};

use crate::{cap, run, squad, standing};

/// What the four runs, tasks or agents may spend each, where that is capped.
const INNER: i64 = 250_001;
/// What they may spend together, where that is capped.
const OUTER: i64 = 800_000;
/// How many connections each run has, and how much each asks for before it reads an answer.
const CONNECTIONS: usize = 10;
const ASKS: i64 = 5;

/// A run, with all that pays for it.
#[derive(Debug, Clone)]
struct Payer {
    agent: String,
    task: String,
    run: String,
}

impl Payer {
    fn key(&self, scope: &str) -> String {
        match scope {
            "run" => self.run.clone(),
            "task" => self.task.clone(),
            "agent_day" => self.agent.clone(),
            _ => String::new(),
        }
    }
}

/// Whose money it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Four agents with a run each on one task.
    FourOnOneTask,
    /// One agent with four runs, each on a task of its own.
    OneOnFourTasks,
}

/// A squad, its runs, and what is known to be promised in each scope that is capped.
struct Storm {
    squad: Squad,
    human: Client,
    payers: Vec<Payer>,
    caps: Vec<(&'static str, i64)>,
    promised: BTreeMap<(&'static str, String), i64>,
}

impl Storm {
    fn new(who: Who, caps: &[(&'static str, i64)]) -> Self {
        let names = match who {
            Who::FourOnOneTask => &["ant", "bee", "cat", "dog"][..],
            Who::OneOnFourTasks => &["ant"],
        };
        let squad = squad(names);
        let mut human = squad.human();
        let mut payers = Vec::new();
        let mut task = String::new();
        for at in 0..4 {
            let agent = names[at % names.len()].to_owned();
            if at == 0 || who == Who::OneOnFourTasks {
                let params = json!({"title": "work", "type": "docs", "assignees": names,
                    "budget_uusd": 900_000_000});
                let made = human.ok("task.create", params);
                task = made["id"].as_str().unwrap().into();
            }
            let run = run(&mut squad.agent(&agent), &task);
            payers.push(Payer { agent, task: task.clone(), run });
        }
        for (scope, uusd) in caps {
            for payer in &payers {
                let of = if *scope == "run" { payer.agent.clone() } else { payer.key(scope) };
                cap(&mut human, scope, &of, *uusd);
            }
        }
        Self { squad, human, payers, caps: caps.to_vec(), promised: BTreeMap::new() }
    }

    fn left(&self, payer: &Payer) -> i64 {
        let left = self.caps.iter().map(|(scope, cap)| {
            cap - self.promised.get(&(*scope, payer.key(scope))).copied().unwrap_or(0)
        });
        left.min().unwrap()
    }

    fn note(&mut self, payer: &Payer, uusd: i64) {
        for (scope, _) in &self.caps {
            *self.promised.entry((*scope, payer.key(scope))).or_default() += uusd;
        }
    }

    /// Has all ask at once, and looks at who got what.
    fn blow(&mut self) {
        let barrier = Arc::new(Barrier::new(self.payers.len() * CONNECTIONS));
        let mut threads = Vec::new();
        for payer in &self.payers {
            for at in 0..CONNECTIONS {
                let (client, barrier) = (self.squad.agent(&payer.agent), Arc::clone(&barrier));
                let (payer, first) = (payer.clone(), 10_007 + i64::try_from(at).unwrap() * 13);
                threads.push(thread::spawn(move || {
                    barrier.wait();
                    let asked = ask(client, &payer.run, first);
                    (payer, asked)
                }));
            }
        }
        let mut denied = Vec::new();
        for thread in threads {
            let (payer, asked) = thread.join().unwrap();
            for (uusd, is_granted) in asked {
                if is_granted {
                    self.note(&payer, uusd);
                } else {
                    denied.push((payer.clone(), uusd));
                }
            }
        }
        assert!(!denied.is_empty(), "more is asked for than there is");
        for (payer, uusd) in denied {
            // Nothing is given back meanwhile: what was too much then is too much now.
            assert!(uusd > self.left(&payer), "{uusd} would have fitted for {payer:?}");
        }
    }

    /// Asks for all that is left, and for one micro-dollar more.
    fn fill(&mut self) {
        for payer in self.payers.clone() {
            let mut client = self.squad.agent(&payer.agent);
            let left = self.left(&payer);
            assert!(left >= 0, "{payer:?} got {} too much", -left);
            if left > 0 {
                assert_eq!(ask_one(&mut client, &payer.run, left)["decision"], "allow");
                self.note(&payer, left);
            }
            let over = ask_one(&mut client, &payer.run, 1);
            assert_eq!((&over["decision"], &over["reserved_uusd"]), (&json!("deny"), &json!(0)));
            assert_eq!(over["reservation"], Value::Null);
            assert!(over["reason"].as_str().unwrap().contains("more is reserved"), "{over}");
        }
    }

    /// The daemon counts as we do.
    fn compare(&mut self) {
        for payer in self.payers.clone() {
            for (scope, spent, reserved) in standing(&mut self.human, &payer.run) {
                let known = self
                    .promised
                    .iter()
                    .find(|((name, of), _)| *name == scope && *of == payer.key(name));
                let expected = known.map_or(reserved, |(_, uusd)| *uusd);
                assert_eq!((spent, reserved), (0, expected), "{scope} of {payer:?}");
            }
        }
    }
}

/// Asks for several amounts in a row; says which were granted.
fn ask(mut client: Client, run: &str, first: i64) -> Vec<(i64, bool)> {
    let amounts: Vec<i64> = (0..ASKS).map(|at| first + at).collect();
    let ids: Vec<i64> = amounts
        .iter()
        .map(|uusd| client.send("run.reserve", json!({"run": run, "amount_uusd": uusd})))
        .collect();
    let answers = ids.into_iter().map(|id| client.answer(id).unwrap());
    let granted = answers.map(|answer| {
        let is_granted = answer["decision"] == "allow";
        assert_eq!(answer["reservation"].is_string(), is_granted, "{answer}");
        is_granted
    });
    amounts.iter().copied().zip(granted).collect()
}

fn ask_one(client: &mut Client, run: &str, uusd: i64) -> Value {
    client.ok("run.reserve", json!({"run": run, "amount_uusd": uusd}))
}

/// Two hundred ask at once; then the scopes that must be full are.
fn two_hundred(who: Who, caps: &[(&'static str, i64)], full: &str) {
    let mut storm = Storm::new(who, caps);
    storm.blow();
    storm.fill();
    storm.compare();
    for ((scope, of), promised) in &storm.promised {
        let cap = caps.iter().find(|(name, _)| name == scope).map(|(_, cap)| *cap).unwrap();
        assert!(*promised <= cap, "{scope} {of}: {promised} of {cap}");
        assert!(scope != &full || *promised == cap, "{scope} {of}: {promised}, not {cap}");
    }
}

#[test]
fn each_run_gets_its_cap_to_the_micro_dollar() {
    two_hundred(Who::FourOnOneTask, &[("run", INNER)], "run");
}

#[test]
fn runs_of_several_agents_share_the_cap_of_their_task() {
    two_hundred(Who::FourOnOneTask, &[("run", INNER), ("task", OUTER)], "task");
}

#[test]
fn runs_on_several_tasks_share_their_agents_day() {
    two_hundred(Who::OneOnFourTasks, &[("task", INNER), ("agent_day", OUTER)], "agent_day");
}

#[test]
fn several_agents_share_the_squads_day() {
    two_hundred(Who::FourOnOneTask, &[("agent_day", INNER), ("squad_day", OUTER)], "squad_day");
}

#[test]
fn the_squads_day_and_month_hold_together() {
    let caps = [("squad_day", OUTER), ("squad_month", OUTER)];
    two_hundred(Who::FourOnOneTask, &caps, "squad_month");
    two_hundred(Who::OneOnFourTasks, &caps, "squad_day");
}

#[test]
fn runs_that_begin_at_once_share_what_is_left_and_no_more_begin() {
    let squad = squad(&["ant", "bee"]);
    let mut human = squad.human();
    cap(&mut human, "squad_day", "", 1_000_003);
    for name in ["ant", "bee"] {
        cap(&mut human, "run", name, 100_003);
    }
    let barrier = Arc::new(Barrier::new(40));
    let start = |at: usize| {
        let mut client = squad.agent(["ant", "bee"][at % 2]);
        let barrier = Arc::clone(&barrier);
        thread::spawn(move || {
            barrier.wait();
            client.call("run.start", json!({"session": format!("agent:{at}")}))
        })
    };
    let threads: Vec<_> = (0..40).map(start).collect();
    let answers: Vec<_> = threads.into_iter().map(|one| one.join().unwrap()).collect();
    let reserved =
        answers.iter().flatten().map(|started| started["reserved_uusd"].as_i64().unwrap());
    assert_eq!(reserved.sum::<i64>(), 1_000_003);
    assert_eq!(answers.iter().flatten().count(), 10, "nine whole caps, and the rest");
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(refused.kind, "forbidden");
        assert!(refused.message.ends_with("wait for other runs to end"), "{refused:?}");
    }
}
