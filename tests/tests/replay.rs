//! A candidate policy over recorded calls: exactly what it changes is shown.

use mc_tests::{Client, Setup, Squad};
use serde_json::{Value, json};

/// A day of the demo squad, in short.
const DAY: &[(&str, &str, &str)] = &[
    ("read", "path", "src/export/csv.rs"),
    ("grep", "pattern", "fn encode"),
    ("read", "path", "docs/limits.md"),
    ("edit", "path", "src/export/csv.rs"),
    ("ls", "path", "tests"),
    ("exec", "command", "cargo test -p billing"),
    ("exec", "command", "git push origin fix/export"),
    ("exec", "command", "kubectl rollout restart deploy/billing"),
    ("read", "path", "tests/export.rs"),
];

const RULE: &str = "[[rule]]\nname = \"no-push\"\nthen = \"deny\"\ncommand = [\"git\", \"push\"]\n";

fn call(wren: &mut Client, (tool, name, text): (&str, &str, &str)) -> Value {
    wren.ok("tool.check", json!({"tool": tool, "arguments": {name: text}}))
}

fn squad() -> Squad {
    let mut squad = Squad::new(&Setup::default());
    squad.specialist("wren");
    squad
}

#[test]
fn a_changed_rule_shows_exactly_the_calls_that_it_changes() {
    let squad = squad();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    for one in DAY.iter().chain(DAY) {
        call(&mut wren, *one);
    }
    let same = human.ok("policy.replay", json!({"toml": ""}));
    assert_eq!((&same["replayed"], &same["changed"]), (&json!(18), &json!(0)), "{same}");
    let seen = human.ok("policy.replay", json!({"toml": RULE}));
    assert_eq!((&seen["unchanged"], &seen["changed"]), (&json!(16), &json!(2)), "{seen}");
    let groups = seen["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{seen}");
    let group = &groups[0];
    assert_eq!((&group["count"], &group["tool"]), (&json!(2), &json!("exec")), "{seen}");
    assert_eq!(
        (&group["from"]["outcome"], &group["to"]["outcome"]),
        (&json!("allow"), &json!("deny"))
    );
    let examples = group["examples"].as_array().unwrap();
    assert!(examples.iter().all(|one| one["preview"].as_str().unwrap().contains("git push")));
    let none = human.ok("policy.replay", json!({"toml": RULE, "until": "2000-01-01T00:00:00Z"}));
    assert_eq!(none["replayed"], 0, "{none}");
    let few = human.ok("policy.replay", json!({"toml": RULE, "limit": 5}));
    assert_eq!((&few["replayed"], &few["has_more"]), (&json!(5), &json!(true)), "{few}");
}

#[test]
fn what_was_masked_or_refused_for_the_moment_is_counted_and_not_judged() {
    let squad = squad();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let key = format!("AKIA{}", "IOSFODNN7EXAMPLE");
    call(&mut wren, ("exec", "command", &format!("aws configure set key {key}")));
    call(&mut wren, ("read", "path", "a.md"));
    human.ok("agent.pause", json!({"agent": "wren", "reason": "r"}));
    call(&mut wren, ("read", "path", "a.md"));
    let seen = human.ok("policy.replay", json!({"toml": ""}));
    assert_eq!(seen["replayed"], 1, "{seen}");
    let left = seen["left_out"].as_array().unwrap();
    let mut why: Vec<&str> = left.iter().map(|one| one["why"].as_str().unwrap()).collect();
    why.sort_unstable();
    assert_eq!(
        why,
        ["a secret in its arguments is masked", "refused because of how the agent stood"]
    );
    let kept: String = squad
        .database()
        .query_row("SELECT group_concat(body) FROM inputs", [], |row| row.get(0))
        .unwrap();
    assert!(!kept.contains(&key), "no secret is kept");
}

#[test]
fn what_was_changed_on_disk_is_not_judged() {
    let squad = squad();
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    call(&mut wren, ("exec", "command", "git push origin main"));
    call(&mut wren, ("read", "path", "a.md"));
    let changed = "UPDATE inputs SET body = replace(body, 'push', 'status')";
    assert_eq!(squad.database().execute(changed, []).unwrap(), 2);
    let seen = human.ok("policy.replay", json!({"toml": ""}));
    assert_eq!(seen["replayed"], 1, "{seen}");
    let why = &seen["left_out"][0]["why"];
    assert_eq!(why, "what it was judged by is not kept any more", "{seen}");
}

#[test]
fn a_bad_candidate_is_refused_with_its_place() {
    let squad = squad();
    let mut human = squad.human();
    let bad = human.refused("policy.replay", json!({"toml": "[tools]\nalow = [\"read\"]\n"}));
    assert_eq!(bad.kind, "invalid_params");
    assert!(format!("{bad:?}").contains("line 2, column 1"), "{bad:?}");
    assert_eq!(
        human.refused("policy.replay", json!({"toml": "", "limit": 0})).kind,
        "invalid_params"
    );
}
