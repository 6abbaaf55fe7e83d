//! One agent that asks and runs as much as it may blinds neither console nor command line.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use mc_tests::{Setup, Squad, program};
use serde_json::json;

/// How many requests of 120 kB are made: with their events longer than any answer may be.
const ASKED: usize = 80;
/// How many runs are open, each with the longest names that it may have.
const RUNS: usize = 700;

fn run(squad: &Squad, name: &str, words: &[&str]) -> (Output, String) {
    let mut command = Command::new(program(name));
    command.arg("--home").arg(squad.dir()).args(words);
    for name in ["MC_HOME", "MC_SOCKET", "MC_AGENT", "MC_TOKEN_FILE"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output, said)
}

#[test]
fn what_one_agent_piles_up_hides_nothing_from_the_operator() {
    let limits = "open_runs_per_agent = 1000\npending_per_agent = 1000\npending_per_squad = 1000\n";
    let policy = format!("[limits]\n{limits}");
    let mut squad = Squad::new(&Setup { policy, ..Setup::default() });
    squad.specialist("wren");
    let mut wren = squad.agent("wren");
    let mut human = squad.operator();
    human.unlock(mc_tests::PASSPHRASE);
    for number in 0..ASKED {
        let text = "lorem ipsum ".repeat(20_000);
        let ask = json!({"kind": "escalation", "summary": number.to_string(),
            "justification": "j", "payload": {"text": text.get(..100_000), "more": text.get(..20_000)}});
        let asked = wren.ok("approval.request", ask);
        // Half of them wait on.
        if number % 2 == 0 {
            human.ok("approval.cancel", json!({"approval": asked["id"]}));
        }
    }
    for number in 0..RUNS {
        let name = format!("{number:0>200}");
        wren.ok(
            "run.start",
            json!({"session": name, "model": "m".repeat(200),
            "trigger": "t".repeat(200),
            "reserve_uusd": 0}),
        );
    }
    human.ok("task.create", json!({"title": "the task that must be seen", "type": "docs"}));
    let (output, said) = run(&squad, "mctui", &["--once", "board"]);
    assert!(output.status.success() && said.contains("the task that must be seen"), "{said}");
    let (output, said) = run(&squad, "mctui", &["--once", "approvals"]);
    assert!(output.status.success(), "{said}");
    let (output, said) = run(&squad, "mcctl", &["approval", "list", "--all"]);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("A-1") && said.contains(&format!("A-{ASKED}")), "{said}");
    let (output, said) = run(&squad, "mcctl", &["run", "list", "--all"]);
    assert!(output.status.success() && said.contains(&format!("R-{RUNS}")), "{said}");
    let (output, said) = run(&squad, "mcctl", &["audit", "export"]);
    assert!(output.status.success() && said.lines().count() > RUNS, "{}", said.lines().count());
}

#[test]
fn the_console_says_what_is_wrong_and_not_that_no_daemon_is_there() {
    let mut squad = Squad::default();
    squad.kill();
    let (output, said) = run(&squad, "mctui", &["--once", "board"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said.contains("no daemon answers at"), "{said}");
    let mut squad = Squad::default();
    rustix::process::kill_process(squad.pid(), rustix::process::Signal::STOP).unwrap();
    let (output, said) = run(&squad, "mctui", &["--once", "board"]);
    rustix::process::kill_process(squad.pid(), rustix::process::Signal::CONT).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(said.contains("did not answer within"), "{said}");
    squad.stop();
}
