//! However full the operators' socket is, the stop gets in and the watchdog is fed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    os::unix::net::UnixDatagram,
    process::{Command, Output},
    time::{Duration, Instant},
};

use mc_tests::{Client, PATIENCE, Setup, Squad, program, until};
use serde_json::{Value, json};

/// How many may sit on the operators' socket here.
const SEATS: usize = 4;
/// How many places are kept for stopping.
const RESERVED: usize = 8;

fn setup() -> Setup {
    let mut setup = Setup::default();
    setup.limits.push_str("operator_connections = 4\n");
    setup
}

fn hello(squad: &Squad) -> Client {
    Client::hello(&squad.home().operator_socket(), None, None).unwrap()
}

/// Takes every seat with somebody who watches, and so has not to go.
fn watchers(squad: &Squad) -> Vec<Client> {
    let watch = || {
        let mut client = hello(squad);
        client.ok("feed.subscribe", json!({}));
        client
    };
    (0..SEATS).map(|_| watch()).collect()
}

fn mcctl(squad: &Squad, words: &[&str]) -> Output {
    squad.mcctl().args(words).output().unwrap()
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn status(watcher: &mut Client) -> Value {
    watcher.ok("squad.status", json!({}))
}

#[test]
fn a_stop_gets_in_where_every_seat_is_taken() {
    let squad = Squad::new(&setup());
    let mut seated = watchers(&squad);
    let mut late = hello(&squad);
    let refused = late.refused("task.list", json!({}));
    assert_eq!(refused.kind, "rate_limited");
    assert!(refused.message.contains("kept for stopping"), "{}", refused.message);
    let done = mcctl(&squad, &["stop", "--reason", "full house"]);
    let (out, err) = texts(&done);
    assert!(done.status.success(), "{out}{err}");
    let status = status(&mut seated[0]);
    assert_eq!(
        (&status["halted"], &status["squad"]["stop"]["reason"]),
        (&json!(true), &json!("full house"))
    );
}

#[test]
fn where_not_even_a_kept_place_is_free_mcctl_sets_the_halt_file_and_says_so() {
    let squad = Squad::new(&setup());
    let mut seated = watchers(&squad);
    // Who connected a moment ago has not to go either.
    let began = Instant::now();
    let crowd: Vec<Client> = (0..RESERVED).map(|_| hello(&squad)).collect();
    let refused = Client::connect(&squad.home().operator_socket()).unwrap().closed(PATIENCE);
    assert_eq!(refused.unwrap()["error"]["data"]["kind"], "rate_limited", "and is told so");
    let done = mcctl(&squad, &["stop", "--reason", "crowded"]);
    assert!(began.elapsed() < Duration::from_secs(2), "the crowd was no longer fresh");
    drop(crowd);
    let (out, err) = texts(&done);
    assert_eq!(done.status.code(), Some(1), "{out}{err}");
    assert!(out.contains("STOPPED BY THE HALT FILE.") && out.contains("NOT CONFIRMED"), "{out}");
    assert!(err.contains("the daemon did not stop it: the operators' socket has 4"), "{err}");
    let reason = until("the daemon sees the file", PATIENCE, || {
        let status = status(&mut seated[0]);
        status["squad"]["stop"]["reason"].as_str().map(str::to_owned)
    });
    assert!(reason.contains("`mcctl stop`") && reason.contains("crowded"), "{reason}");
}

#[test]
fn a_stop_without_a_daemon_sets_the_halt_file_and_one_that_can_not_says_what_to_do() {
    let mut squad = Squad::new(&setup());
    squad.kill();
    let done = mcctl(&squad, &["stop", "--reason", "nobody home", "--json"]);
    let said: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(said["confirmed"], false);
    let file = std::fs::read_to_string(squad.home().halt_file()).unwrap();
    assert!(file.starts_with("1 `mcctl stop`") && file.contains("nobody home"), "{file}");
    let nowhere = squad.dir().join("elsewhere");
    let mut command = Command::new(program("mcctl"));
    command.arg("--home").arg(nowhere).args(["stop", "--reason", "x"]);
    let done = command.env_remove("MC_SOCKET").output().unwrap();
    let (_, err) = texts(&done);
    assert_eq!(done.status.code(), Some(3), "{err}");
    assert!(err.contains("NOT STOPPED.") && err.contains("mcd halt"), "{err}");
}

#[test]
fn who_is_idle_longest_makes_room_and_is_told_why() {
    let squad = Squad::new(&setup());
    let mut idle: Vec<Client> = (0..SEATS).map(|_| hello(&squad)).collect();
    idle[0].unlock(mc_tests::PASSPHRASE);
    // Its grace is over once somebody else sits on a seat of the full house.
    until("an idle one makes room", PATIENCE, || hello(&squad).call("task.list", json!({})).ok());
    let told = idle[1].closed(PATIENCE).unwrap();
    assert_eq!(told["error"]["data"]["kind"], "rate_limited");
    assert!(told["error"]["message"].as_str().unwrap().contains("idle for the longest time"));
    idle[0].ok("task.list", json!({}));
}

#[test]
fn a_full_socket_does_not_starve_the_watchdog() {
    let mut squad = Squad::new(&setup());
    squad.kill();
    let path = squad.dir().join("manager.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = squad.daemon_command();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1500000");
    squad.start_as(command);
    let _seated = watchers(&squad);
    let _crowd: Vec<Client> = (0..RESERVED).map(|_| hello(&squad)).collect();
    assert!(Client::hello(&squad.home().operator_socket(), None, None).is_err(), "it is full");
    let mut word = [0; 256];
    let mut fed = 0;
    while fed < 4 {
        let length = manager.recv(&mut word).expect("the watchdog is fed");
        fed += usize::from(String::from_utf8_lossy(&word[..length]).contains("WATCHDOG=1"));
    }
    assert!(!squad.log().contains("the watchdog is not fed"), "{}", squad.log());
}
