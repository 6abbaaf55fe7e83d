//! Assignment by rule with the real daemon: spread over agents, room for so many, a person's word first.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, process::Command, time::Duration};

use mc_tests::{Client, Squad, program, until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

const RULES: &str = r#"
[agents]
capacity = 2

[[assign]]
name = "urgent"
match = { types = ["docs"], priority = 1 }
candidates = { agents = ["crow", "wren"] }
choose = "first"

[[assign]]
name = "docs"
match = { types = ["docs"], labels = ["web"] }
"#;

/// A squad of kite, owl and wren, and of crow, which is quarantined.
fn squad() -> (Squad, Client) {
    let mut squad = Squad::default();
    for name in ["crow", "kite", "owl", "wren"] {
        squad.specialist(name);
    }
    let mut human = squad.human();
    human.ok("agent.quarantine", json!({"agent": "crow", "reason": "odd"}));
    human.ok("policy.activate", json!({"toml": RULES, "note": "rules of assignment"}));
    (squad, human)
}

fn create(human: &mut Client, more: &Value) -> Value {
    let mut params = json!({"title": "write it up", "type": "docs", "labels": ["web"]});
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    human.ok("task.create", params)
}

fn task(human: &mut Client, id: &str) -> Value {
    human.ok("task.get", json!({"task": id}))
}

/// Waits until a task is with an agent by a rule; returns why.
fn given(human: &mut Client, id: &str, name: &str) -> String {
    until(&format!("{id} goes to {name}"), SOON, || {
        let task = task(human, id);
        let is_there = task["state"] == "assigned" && task["assignees"] == json!([name]);
        is_there.then(|| task["by_rule"]["why"].as_str().map(str::to_owned)).flatten()
    })
}

fn mcctl(squad: &Squad, words: &[&str]) -> (String, i32) {
    let done = squad.mcctl().args(words).output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    (text, done.status.code().unwrap())
}

#[test]
fn six_tasks_are_spread_over_three_agents_and_the_seventh_waits_for_room() {
    let (mut squad, mut human) = squad();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..6 {
        let made = create(&mut human, &json!({}));
        assert_eq!(made["state"], "assigned", "{made}");
        let name = made["assignees"][0].as_str().unwrap();
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    let two_each = ["kite", "owl", "wren"].map(|name| (name.to_owned(), 2));
    assert_eq!(counts, BTreeMap::from(two_each), "crow is quarantined");
    let why = task(&mut human, "T-1")["by_rule"]["why"].as_str().unwrap().to_owned();
    let says = "type docs, label web; least loaded of 3: kite 0, owl 0, wren 0; left out: crow is \
                quarantined";
    assert_eq!(why, says);

    let waits = create(&mut human, &json!({}));
    assert_eq!((&waits["id"], &waits["state"]), (&json!("T-7"), &json!("inbox")));
    let next = human.ok("task.answers", json!({"task": "T-7"}))["next"]["text"].clone();
    assert!(next.as_str().unwrap().contains("kite has 2 in hand and takes 2"), "{next}");

    // The agents hear of it, and their work goes on as by any assignment.
    let mut kite = squad.agent("kite");
    let beat = kite.ok("agent.heartbeat", json!({"status": "idle"}));
    assert_eq!(beat["assigned"].as_array().unwrap().len(), 2, "{beat}");
    let notices = beat["notifications"].as_array().unwrap();
    assert!(notices.iter().all(|one| one["kind"] == "assignment") && notices.len() == 2, "{beat}");
    kite.ok("task.start", json!({"task": "T-1", "work_plan": ["a", "b", "c"]}));
    let stuck = json!({"task": "T-1", "reason": "the site is down"});
    kite.ok("task.report_blocker", stuck);
    let why = given(&mut human, "T-7", "kite");
    assert!(why.starts_with("type docs, label web; kite is the only one free"), "{why}");

    // After a crash everything stands as it did, and made anew from the journal too.
    let rows = |squad: &Squad| -> Vec<String> {
        let db = squad.database();
        let mut statement = db.prepare("SELECT body FROM tasks ORDER BY id").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let before = rows(&squad);
    squad.kill();
    let mut rebuild = Command::new(program("mcd"));
    let done = rebuild.arg("rebuild").arg("--home").arg(squad.dir()).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert_eq!(rows(&squad), before);
    squad.start();
    let mut human = squad.human();
    assert_eq!(task(&mut human, "T-7")["by_rule"]["why"], json!(why));
}

#[test]
fn a_persons_word_goes_first_and_the_programs_say_why() {
    let (squad, mut human) = squad();
    create(&mut human, &json!({"priority": 1}));
    let (text, _) = mcctl(&squad, &["task", "show", "T-1"]);
    let why = "assign.urgent: type docs, priority 1; wren is the only one free; left out: crow is \
               quarantined";
    assert!(text.contains(why), "{text}");

    human.ok("task.transition", json!({"task": "T-1", "to": "inbox", "reason": "not yet"}));
    let (text, code) = mcctl(&squad, &["policy", "test", "--assign", "T-1"]);
    assert_eq!(code, 1, "{text}");
    for says in ["wren", "assign.urgent", "a person took it back to Inbox"] {
        assert!(text.contains(says), "no `{says}` in {text}");
    }
    // Other work comes and goes with the ticks, and it stays where the person put it.
    let last = create(&mut human, &json!({}));
    assert_eq!(last["state"], "assigned");
    human.ok("squad.pause", json!({"reason": "lunch"}));
    create(&mut human, &json!({}));
    assert_eq!(task(&mut human, "T-3")["state"], "inbox", "the squad stands still");
    human.ok("squad.resume", json!({"reason": "back"}));
    given(&mut human, "T-3", "owl");
    assert_eq!(task(&mut human, "T-1")["state"], "inbox");

    human.ok("task.assign", json!({"task": "T-1", "assignees": ["kite"]}));
    let (text, _) = mcctl(&squad, &["task", "show", "T-1"]);
    assert!(text.contains("kite") && !text.contains("given by"), "{text}");
    assert!(text.contains("put back"), "{text}");

    let file = squad.dir().join("candidate.toml");
    std::fs::write(&file, "[[assign]]\nname = \"ops\"\ncandidates = { agents = [\"hawk\"] }\n")
        .unwrap();
    let file = file.to_str().unwrap();
    let (text, code) = mcctl(&squad, &["policy", "validate", file]);
    assert_eq!(code, 0, "{text}");
    let place =
        format!("{file}:3:26: assign[0].candidates.agents[0]: there is no registered agent");
    assert!(text.contains(&place), "{text}");
    let (text, code) = mcctl(&squad, &["policy", "test", "--assign", "T-3", "--policy", file]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("hawk is not registered"), "{text}");
}
