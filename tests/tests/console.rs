//! The console as a person meets it: a real `mctui` in a terminal, on a live squad.

use std::{process::Command, thread, time::Duration};

use mc_tests::{Client, PASSPHRASE, PATIENCE, Squad, Terminal, program, until};
use rustix::process::Signal;
use serde_json::{Value, json};

/// How long a person takes for a key; dialogs ignore what comes faster than anybody types.
const BEAT: Duration = Duration::from_millis(400);

fn squad() -> Squad {
    let mut squad = Squad::default();
    squad.specialist("wren");
    squad
}

fn console(squad: &Squad, rows: u16, columns: u16) -> Terminal {
    let mut command = Command::new(program("mctui"));
    command.arg("--home").arg(squad.dir());
    command.env("LANG", "C.UTF-8").env_remove("MC_HOME").env_remove("MC_SOCKET");
    Terminal::new(&command, rows, columns)
}

/// Presses keys at a person's pace.
fn press(terminal: &mut Terminal, keys: &[&str]) {
    for key in keys {
        thread::sleep(BEAT);
        terminal.keys(key);
    }
}

fn ask(wren: &mut Client, command: &str) -> Value {
    let arguments = json!({"command": command});
    let exec = json!({"tool": "exec", "arguments": arguments, "session": "agent:wren:main",
        "justification": "the build needs it"});
    wren.ok("tool.check", exec)
}

#[test]
fn a_person_sees_what_waits_unlocks_and_approves_it() {
    let squad = squad();
    let mut wren = squad.agent("wren");
    squad.started_task(&mut wren);
    let mut terminal = console(&squad, 40, 120);
    terminal.sees("T-1");
    let asked = ask(&mut wren, "ship release");
    let id = asked["approval"].as_str().unwrap();
    press(&mut terminal, &["2"]);
    terminal.sees("ship release");
    terminal.sees("the build needs it");
    press(&mut terminal, &["L"]);
    terminal.sees("Unlock");
    press(&mut terminal, &[PASSPHRASE, "\r"]);
    until("the session is unlocked", PATIENCE, || {
        (!terminal.text().contains("Unlock ")).then_some(())
    });

    // The code stands at the end of the evidence, which must have been seen. It is of this
    // connection: nobody else can know it.
    let end = "type it to approve this red request";
    for _ in 0..20 {
        if terminal.text().contains(end) {
            break;
        }
        press(&mut terminal, &["J"]);
    }
    terminal.sees(end);
    let text = terminal.text();
    let line = text.lines().find(|line| line.contains(end)).unwrap();
    let (head, _) = line.split_once(end).unwrap();
    let code = head.split_whitespace().last().unwrap().to_owned();
    let digest = squad.operator().ok("approval.get", json!({"approval": id}))["digest"].clone();
    assert!(code.len() == 6 && !digest.as_str().unwrap().contains(&code), "{code}");
    press(&mut terminal, &["a"]);
    terminal.sees("Approve");
    press(&mut terminal, &["looked at it", "\r", &code, "\r"]);
    let told = until("it is approved", PATIENCE, || {
        let told = wren.ok("tool.await", json!({"approval": id}));
        (told["decision"] != "ask").then_some(told)
    });
    assert_eq!(told["decision"], "allow", "{told}");
    let seen = squad.operator().ok("approval.get", json!({"approval": id}));
    assert_eq!(
        (seen["decided_by"].as_str(), seen["note"].as_str()),
        (Some("ana"), Some("looked at it"))
    );
}

#[test]
fn emergency_stop_is_six_keys_away_from_anywhere() {
    let squad = squad();
    let mut terminal = console(&squad, 30, 100);
    terminal.sees("LIVE");
    press(&mut terminal, &["/", "some filter", "\u{1b}!"]);
    terminal.sees("EMERGENCY");
    press(&mut terminal, &["STOP", "\r"]);
    let mut operator = squad.operator();
    until("it holds", PATIENCE, || {
        (operator.ok("squad.status", json!({}))["halted"] == true).then_some(())
    });
    terminal.sees("receipt");
}

#[test]
fn the_terminal_is_as_it_was_after_every_end() {
    let squad = squad();
    let mut quit = console(&squad, 24, 80);
    quit.sees("LIVE");
    assert!(!quit.is_restored(), "the console does take the terminal over");
    press(&mut quit, &["q"]);
    assert!(quit.ended().success());
    until("restored after q", PATIENCE, || quit.is_restored().then_some(()));

    let mut cancel = console(&squad, 24, 80);
    cancel.sees("LIVE");
    press(&mut cancel, &["\u{3}", "\u{3}"]);
    cancel.ended();
    until("restored after ^C ^C", PATIENCE, || cancel.is_restored().then_some(()));

    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut ended = console(&squad, 24, 80);
        ended.sees("LIVE");
        ended.signal(signal);
        ended.ended();
        until(&format!("restored after {signal:?}"), PATIENCE, || {
            ended.is_restored().then_some(())
        });
    }

    let mut slept = console(&squad, 24, 80);
    slept.sees("LIVE");
    press(&mut slept, &["\u{1a}"]);
    until("suspended", PATIENCE, || slept.has_stopped().then_some(()));
    until("restored while suspended", PATIENCE, || slept.is_restored().then_some(()));
    slept.signal(Signal::CONT);
    until("taken over again", PATIENCE, || (!slept.is_restored()).then_some(()));
    slept.sees("LIVE");
    press(&mut slept, &["q"]);
    slept.ended();
    until("restored at the end", PATIENCE, || slept.is_restored().then_some(()));
}

#[test]
fn every_size_is_drawn_and_a_storm_of_sizes_survived() {
    let squad = squad();
    let mut wren = squad.agent("wren");
    for _ in 0..5 {
        squad.started_task(&mut wren);
    }
    let mut terminal = console(&squad, 5, 20);
    until("something is drawn at 20x5", PATIENCE, || {
        (terminal.text().trim().len() > 10).then_some(())
    });
    for round in 0..100_u16 {
        terminal.resize(1 + round * 7 % 60, 1 + round * 13 % 200);
        if round % 10 == 0 {
            terminal.keys(["1", "2", "3", "4", "j", "?", "\u{1b}"][usize::from(round / 10) % 7]);
        }
    }
    thread::sleep(BEAT);
    terminal.keys("\u{1b}");
    terminal.resize(40, 120);
    press(&mut terminal, &["1"]);
    terminal.sees("T-5");
    assert!(!terminal.has_ended());
}

#[test]
fn what_agents_write_reaches_the_terminal_as_text_only() {
    let squad = squad();
    let mut wren = squad.agent("wren");
    let bad = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}evil\u{200b}\u{1b}]52;c;AAAA\u{7}";
    wren.ok("task.create", json!({"title": format!("before{bad}after"), "type": "docs"}));
    ask(&mut wren, &format!("echo {bad}"));
    let mut terminal = console(&squad, 40, 120);
    terminal.sees("before");
    for key in ["\r", "\u{1b}", "2", "J", "4", "1"] {
        press(&mut terminal, &[key]);
    }
    let raw = terminal.raw();
    let text = String::from_utf8_lossy(&raw);
    for part in ["]0;owned", "]52;", "\u{9b}", "\u{202e}", "\u{200b}"] {
        let escape = if part.starts_with(']') { format!("\u{1b}{part}") } else { part.to_owned() };
        assert!(!text.contains(&escape), "{part:?} reached the terminal");
    }
}

#[test]
fn a_lost_daemon_is_said_and_found_again() {
    let mut squad = squad();
    let mut terminal = console(&squad, 30, 100);
    terminal.sees("LIVE");
    squad.kill();
    until("the loss is shown", PATIENCE, || (!terminal.text().contains("LIVE")).then_some(()));
    squad.start();
    terminal.sees("LIVE");
    press(&mut terminal, &["q"]);
    terminal.ended();
}

#[test]
fn an_idle_console_writes_almost_nothing() {
    let squad = squad();
    let terminal = console(&squad, 40, 120);
    terminal.sees("LIVE");
    thread::sleep(Duration::from_secs(2));
    let before = terminal.bytes();
    thread::sleep(Duration::from_secs(5));
    let written = terminal.bytes() - before;
    assert!(written < 2_000, "{written} bytes in 5 idle seconds");
}

#[test]
fn one_frame_of_a_task_that_there_is_not_is_a_failure_and_no_frame() {
    let squad = squad();
    let mut wren = squad.agent("wren");
    squad.started_task(&mut wren);
    let once = |screen: &str| {
        let mut mctui = Command::new(program("mctui"));
        mctui.args(["--once", screen, "--home"]).arg(squad.dir());
        mctui.env_remove("MC_HOME").env_remove("MC_SOCKET").output().unwrap()
    };
    let frame = once("T-1");
    assert_eq!(frame.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&frame.stdout).contains(" T-1 "));
    let missing = once("T-99");
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stdout.is_empty());
    let told = String::from_utf8_lossy(&missing.stderr);
    assert!(told.contains("T-99") && told.contains("not found"), "{told}");
}
