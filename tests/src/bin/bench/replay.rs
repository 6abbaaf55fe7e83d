//! A candidate policy over many recorded calls.

use std::{io::Write as _, time::Instant};

use mc_tests::Squad;
use serde_json::{Value, json};

use crate::{
    Options,
    daemon::{load, squad},
    load::Until,
    report::at_most,
};

const CALLS: u64 = 100_000;

/// The candidate: its own rules, a scope and a place more than what is in force.
const CANDIDATE: &str = r#"
[[rule]]
name = "no-push"
then = "deny"
command = ["git", "push"]

[agent.agent-3]
extends = "careful"

[profile.careful]
tools = { deny = ["canvas"] }
"#;

/// Measures how long a candidate takes to judge [`CALLS`] recorded calls again.
pub(crate) fn measure(options: &Options) -> Value {
    let squad = squad(options);
    record(&squad);
    let mut human = squad.operator();
    let asked = Instant::now();
    let seen = human.ok("policy.replay", json!({"toml": CANDIDATE, "limit": CALLS}));
    let took = asked.elapsed();
    assert_eq!(seen["replayed"], CALLS, "every call is judged again: {seen}");
    assert_eq!(seen["changed"], CALLS / 4, "every push is denied now: {seen}");
    json!({"calls": CALLS, "figures": [at_most(took.as_secs_f64(), "s", 10.0)]})
}

/// Records calls of four kinds, no two of a kind alike.
fn record(squad: &Squad) {
    let done = load(squad, 64).run(Until::Count(CALLS), |out, _, id| {
        let (tool, name, value) = match id % 4 {
            0 => ("read", "path", format!("/w/src/file-{id}.md")),
            1 => ("exec", "command", format!("git push origin fix/{id}")),
            2 => ("exec", "command", format!("cargo test -p crate-{id} | tail -n 20 && git status")),
            _ => ("grep", "pattern", format!("fn encode_{id}")),
        };
        write!(
            out,
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tool.check","params":{{"tool":"{tool}","arguments":{{"{name}":"{value}"}},"session":"agent:main"}}}}"#
        )
        .unwrap();
    });
    assert_eq!(done.refused, 0, "every call is answered");
}
