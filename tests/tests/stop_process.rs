//! A runtime that does not obey a stop is ended by signals to its process: offered or preset, with
//! what it had started, and never anything else.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs::Permissions,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
};

use mc_tests::{Client, PATIENCE, Setup, Squad, is_root, program, until};
use serde_json::{Value, json};

/// A runtime that obeys nothing, in a process of its own; it ends with the test.
struct Deaf {
    child: Child,
    pid: i64,
    /// What it started.
    below: i64,
}

impl Deaf {
    /// Starts one as the host of `agents`, by the words of a shell that say how.
    fn start(squad: &mut Squad, name: &str, agents: &[&str], how: &str) -> Self {
        squad.enrol(name, agents);
        Self::again(squad, name, agents, how)
    }

    fn again(squad: &Squad, name: &str, agents: &[&str], how: &str) -> Self {
        let mut command = Command::new("sh");
        let line = how.replace("DEAF", "exec \"$@\"");
        command.args(["-c", &line, "sh"]).arg(program("deaf")).arg(squad.home().agent_socket());
        command.arg(squad.token(name)).args(agents).args(["--", "cat"]);
        // What it starts reads this to its end, which comes with the test's.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let numbers: Vec<i64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
        Self { child, pid: numbers[0], below: numbers[1] }
    }

    /// Says how it has ended, once it has.
    fn ended(&mut self) -> String {
        until("it ends", PATIENCE, || self.child.try_wait().unwrap()).to_string()
    }

    fn goes_on(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        // What has ended needs no signal.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Says whether a process is there and has not ended.
fn is_there(pid: i64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

fn squad(end: &str) -> Squad {
    let emergency = format!("end = \"{end}\"\n");
    let mut squad = Squad::new(&Setup { emergency, ..Setup::default() });
    for name in ["wren", "crow", "jay"] {
        squad.specialist(name);
    }
    squad
}

/// Stops everything while the agent works.
fn stop_at_work(squad: &Squad, agent: &str) -> Client {
    squad.agent(agent).ok("run.start", json!({"session": "main"}));
    let mut human = squad.human();
    human.ok("squad.emergency_stop", json!({"reason": "fire"}));
    human
}

fn report(human: &mut Client) -> Value {
    human.ok("squad.status", json!({}))["squad"]["stop"].clone()
}

/// The process of the report, once it is as wanted.
fn process(human: &mut Client, state: &str) -> Value {
    until(&format!("a process is {state}"), PATIENCE, || {
        let row = report(human)["processes"][0].clone();
        (row["state"] == state).then_some(row)
    })
}

fn state_of(human: &mut Client, agent: &str) -> Value {
    let report = report(human);
    let row = report["agents"].as_array().unwrap().iter().find(|row| row["agent"] == agent);
    row.unwrap()["state"].clone()
}

#[test]
fn a_deaf_runtime_is_ended_by_signals_where_that_is_preset_with_what_it_started() {
    let mut squad = squad("signal");
    let mut deaf = Deaf::start(&mut squad, "gateway", &["wren", "crow"], "DEAF");
    let mut human = stop_at_work(&squad, "crow");
    let row = process(&mut human, "gone");
    assert!(deaf.ended().contains("15"), "by SIGTERM");
    assert!(!is_there(deaf.below), "what it started is gone too: {row}");
    assert_eq!((&row["pid"], &row["by"]), (&json!(deaf.pid), &json!("config.toml")), "{row}");
    assert_eq!(row["agents"], json!(["crow", "wren"]), "it says whom else it ends: {row}");
    assert_eq!(row["detail"], "gone after SIGTERM, with 1 that it had started", "{row}");
    assert!(row["gone_ms"].as_i64().unwrap() >= 2000, "it had its time: {row}");
    for name in ["wren", "crow"] {
        assert_eq!(state_of(&mut human, name), "ended", "{name}");
    }
    let open = human.ok("alert.list", json!({"status": "open"}));
    until("nothing is wrong any more", PATIENCE, || {
        let open = human.ok("alert.list", json!({"status": "open"}));
        open["items"].as_array()?.is_empty().then_some(())
    });
    assert_eq!(human.ok("audit.verify", json!({}))["clean"], true, "{open}");
}

#[test]
fn one_that_ignores_sigterm_gets_sigkill_after_the_stated_time() {
    let mut squad = squad("signal");
    let mut deaf = Deaf::start(&mut squad, "gateway", &["crow"], "trap '' TERM; DEAF");
    let mut human = stop_at_work(&squad, "crow");
    let row = process(&mut human, "ending");
    assert!(
        row["detail"].as_str().unwrap().contains("SIGKILL where it is not gone in 5 s"),
        "{row}"
    );
    let row = process(&mut human, "gone");
    assert!(deaf.ended().contains('9'), "by SIGKILL");
    assert!(!is_there(deaf.below), "{row}");
    assert!(row["gone_ms"].as_i64().unwrap() >= 7000, "{row}");
    assert!(row["detail"].as_str().unwrap().contains("SIGKILL"), "{row}");
    assert_eq!(state_of(&mut human, "crow"), "ended");
}

#[test]
fn without_a_preset_it_is_offered_and_ended_when_a_person_says_so() {
    let mut squad = squad("offer");
    let mut deaf = Deaf::start(&mut squad, "gateway", &["wren", "crow"], "DEAF");
    // A runtime that has nothing to do with it.
    let mut other = Deaf::start(&mut squad, "other", &["jay"], "DEAF");
    let end = |pid: i64| json!({"pid": pid, "reason": "it hangs"});
    let mut human = squad.human();
    let early = human.refused("squad.end_runtime", end(deaf.pid));
    assert_eq!(early.kind, "transition_refused", "nothing is stopped: {early:?}");
    let mut human = stop_at_work(&squad, "crow");
    let row = process(&mut human, "offered");
    assert!(row["runtime"].as_str().unwrap().contains("openclaw 1 (gateway)"), "{row}");
    assert!(deaf.goes_on() && row["by"].is_null(), "{row}");
    let refused = human.refused("squad.end_runtime", json!({"pid": deaf.pid, "reason": " "}));
    assert_eq!(refused.kind, "invalid_params");
    for never in [1, i64::from(std::process::id())] {
        let refused = human.refused("squad.end_runtime", end(never));
        assert_eq!(refused.kind, "not_found", "{never}: {refused:?}");
    }
    let row = human.ok("squad.end_runtime", end(deaf.pid));
    assert_eq!((&row["state"], &row["by"]), (&json!("ending"), &json!("ana")), "{row}");
    let again = human.refused("squad.end_runtime", end(deaf.pid));
    assert_eq!(again.kind, "conflict", "{again:?}");
    process(&mut human, "gone");
    assert!(deaf.ended().contains("15"));
    assert_eq!(state_of(&mut human, "crow"), "ended");
    human.ok("squad.emergency_resume", json!({"reason": "out"}));
    assert!(other.goes_on() && is_there(other.below), "it was not touched");
}

#[test]
fn a_process_of_another_user_is_left_and_that_is_said() {
    const OTHER: u32 = 4711;
    if !is_root("a_process_of_another_user_is_left_and_that_is_said") {
        return;
    }
    let setup = Setup {
        mode: "system",
        emergency: "end = \"signal\"\n".into(),
        policy: "[levels]\ntokens = \"L2\"\n".into(),
        has_factors: true,
        agent_uids: vec![OTHER],
        ..Setup::default()
    };
    let mut squad = Squad::new(&setup);
    squad.specialist("crow");
    squad.enrol("gateway", &["crow"]);
    squad.stop();
    // Without this capability root is a user like any other.
    let usual = squad.daemon_command();
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-kill", "--"]).arg(usual.get_program()).args(usual.get_args());
    squad.start_as(command);
    squad.open_doors();
    let own = tempfile::tempdir().unwrap();
    std::fs::set_permissions(own.path(), Permissions::from_mode(0o755)).unwrap();
    let copy = own.path().join("deaf");
    std::fs::copy(program("deaf"), &copy).unwrap();
    let how =
        format!("shift; exec setpriv --reuid {OTHER} --clear-groups {} \"$@\"", copy.display());
    let mut deaf = Deaf::again(&squad, "gateway", &["crow"], &how);
    let mut human = squad.human();
    human.ok("squad.emergency_stop", json!({"reason": "fire"}));
    let row = process(&mut human, "not_ended");
    assert!(row["detail"].as_str().unwrap().contains("another user"), "{row}");
    assert!(deaf.goes_on(), "{row}");
    assert_eq!(state_of(&mut human, "crow"), "not_stopped");
}
