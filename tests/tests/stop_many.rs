//! A stop of very many tasks, with the real daemon: it denies at once, the watchdog is fed all the
//! time, `kill -9` in the middle loses nothing, and the state of the squad stays small.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

use mc_tests::{Client, PASSPHRASE, Setup, Squad, is_nightly, say, until};
use serde_json::{Value, json};

/// How long all of it may take; on a busy machine with a debug build it takes its time.
const LONG: Duration = Duration::from_mins(5);
/// As in the units that are delivered.
const WATCHDOG: Duration = Duration::from_secs(15);

/// Creates many tasks, many at a time on the way.
fn fill(human: &mut Client, many: usize) {
    let task = || json!({"title": "x", "type": "docs"});
    let mut left = many;
    while left > 0 {
        let some = left.min(16);
        let ids: Vec<i64> = (0..some).map(|_| human.send("task.create", task())).collect();
        for id in ids {
            human.answer(id).unwrap();
        }
        left -= some;
    }
}

fn unlocked(squad: &Squad) -> Client {
    let mut human = squad.operator();
    human.unlock(PASSPHRASE);
    human
}

fn status(human: &mut Client) -> Value {
    human.ok("squad.status", json!({}))
}

/// Hears the watchdog being fed until `done` says so; returns the longest pause.
fn fed(manager: &UnixDatagram, mut done: impl FnMut() -> bool) -> Duration {
    let (began, mut last, mut longest) = (Instant::now(), Instant::now(), Duration::ZERO);
    manager.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut word = [0; 256];
    while !done() {
        assert!(began.elapsed() < LONG, "it does not end");
        if let Ok(length) = manager.recv(&mut word)
            && String::from_utf8_lossy(&word[..length]).contains("WATCHDOG=1")
        {
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
    }
    longest.max(last.elapsed())
}

fn start(squad: &mut Squad, manager: &std::path::Path) {
    let mut command = squad.daemon_command();
    command.env("NOTIFY_SOCKET", manager);
    command.env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
    squad.start_as(command);
}

#[test]
fn a_stop_of_very_many_tasks_starves_nobody_and_survives_kill_9() {
    let many = if is_nightly() { 20_000 } else { 2_000 };
    let mut squad = Squad::new(&Setup::default());
    squad.specialist("wren");
    squad.kill();
    let path = squad.dir().join("manager.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    start(&mut squad, &path);
    let mut human = unlocked(&squad);
    fill(&mut human, many);

    let asked = Instant::now();
    human.ok("squad.emergency_stop", json!({"reason": "drill"}));
    let answered = asked.elapsed();
    let mut wren = squad.agent("wren");
    let read = json!({"tool": "read", "arguments": {"path": "/w/a"}, "session": "s"});
    assert_eq!(wren.ok("tool.check", read)["decision"], "deny");
    until("some are blocked", LONG, || {
        let blocked = status(&mut human)["tasks"]["blocked"].as_i64().unwrap_or(0);
        (blocked > 0).then_some(())
    });
    squad.kill();
    start(&mut squad, &path);
    let mut human = unlocked(&squad);
    let all = json!(many);
    let blocking = fed(&manager, || status(&mut human)["tasks"]["blocked"] == all);
    let bytes = status(&mut human).to_string().len();
    human.ok("squad.emergency_resume", json!({"reason": "over"}));
    squad.kill();
    start(&mut squad, &path);
    let mut human = unlocked(&squad);
    let back = fed(&manager, || status(&mut human)["tasks"]["inbox"] == all);
    say(&format!(
        "{many} tasks: stop answered in {answered:?}; longest pause of the watchdog {blocking:?} while \
         blocking, {back:?} while moving back; squad.status {bytes} bytes"
    ));
    // It is fed every 5 s, and a slice is no more than a moment.
    assert!(blocking < WATCHDOG / 2 && back < WATCHDOG / 2, "{blocking:?}, {back:?}");
    assert!(bytes < 64 * 1024, "{bytes} bytes");
    assert_eq!(status(&mut human)["squad"]["stopped_count"], Value::Null);
}
