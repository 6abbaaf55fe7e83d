//! The command line and the console as whole programs.

use std::{
    fs::File,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use mc_tests::{Setup, Squad, Terminal, percentile, program};
use serde_json::{Value, json};

use crate::{
    Options,
    report::{at_most, ms, plain, spread},
};

/// Measures everything that a person starts.
pub(crate) fn measure(options: &Options) -> Value {
    let dir = tempfile::tempdir_in(&options.dir).unwrap();
    let mut squad = Squad::owning(dir, &Setup::default());
    squad.specialist("wren");
    let mut wren = squad.agent("wren");
    for _ in 0..20 {
        squad.started_task(&mut wren);
    }
    let mut document = json!({"mcctl_status": mcctl(&squad), "hook": hook(&squad)});
    console(&squad, &mut document);
    document
}

fn mcctl(squad: &Squad) -> Value {
    let mut times = Vec::new();
    for _ in 0..100 {
        let mut command = Command::new(program("mcctl"));
        command.arg("--home").arg(squad.dir()).args(["status", "--json"]);
        let began = Instant::now();
        let status = command.stdout(Stdio::null()).status().unwrap();
        times.push(began.elapsed());
        assert!(status.success(), "mcctl status answers");
    }
    let mut document = spread(&mut times);
    document["figures"] = json!([at_most(ms(percentile(&mut times, 0.5)), "ms p50", 4.0)]);
    document
}

/// Measures a hook from its start to its answer, for a GREEN call, beside a program that does
/// nothing and one that only connects.
fn hook(squad: &Squad) -> Value {
    let token = squad.dir().join("wren.token");
    let mut options = File::options();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&token).unwrap();
    file.write_all(squad.token("wren").as_bytes()).unwrap();
    let event = include_bytes!("../../../data/hooks/claude-code-read.json");
    let timed = |words: &[&str], input: &[u8]| {
        let mut times = Vec::new();
        for _ in 0..100 {
            let mut command = Command::new(program("mcctl"));
            command.arg("--home").arg(squad.dir()).args(words);
            command.env("MC_AGENT", "wren").env("MC_TOKEN_FILE", &token);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let began = Instant::now();
            let mut child = command.spawn().unwrap();
            // A program that reads no input may have ended before.
            child.stdin.take().unwrap().write_all(input).ok();
            let done = child.wait_with_output().unwrap();
            times.push(began.elapsed());
            assert!(done.status.success() && !done.stdout.is_empty(), "{words:?}: {done:?}");
        }
        times
    };
    let mut empty = timed(&["--version"], b"");
    let mut asks = timed(&["whoami", "--json"], b"");
    let mut hook = timed(&["hook", "claude-code"], event);
    let median = |times: &mut [Duration]| ms(percentile(times, 0.5));
    let (floor, ask, whole) = (median(&mut empty), median(&mut asks), median(&mut hook));
    let mut document = spread(&mut hook);
    document["figures"] = json!([
        at_most(whole, "ms p50, start to answer, GREEN call", 30.0),
        at_most(ms(percentile(&mut hook, 0.99)), "ms p99, start to answer, GREEN call", 30.0),
        plain(floor, "ms p50, mcctl that does nothing"),
        plain(ask, "ms p50, mcctl whoami"),
        plain(whole / floor, "times mcctl that does nothing"),
    ]);
    document
}

fn console(squad: &Squad, document: &mut Value) {
    let mut command = Command::new(program("mctui"));
    command.arg("--home").arg(squad.dir());
    let mut starts = Vec::new();
    for _ in 0..10 {
        let began = Instant::now();
        let terminal = Terminal::new(&command, 40, 120);
        // A frame is there when the terminal shows text, not when it was only cleared.
        mc_tests::until("the first frame", mc_tests::PATIENCE, || {
            (terminal.text().trim().len() > 20).then_some(())
        });
        starts.push(began.elapsed());
    }
    document["first_frame"] = at_most(ms(percentile(&mut starts, 0.5)), "ms p50", 25.0);

    let mut terminal = Terminal::new(&command, 40, 120);
    terminal.sees("LIVE");
    quiet(&terminal);
    let mut times = Vec::new();
    for at in 0..200 {
        let before = terminal.bytes();
        let pressed = Instant::now();
        terminal.keys(if at % 2 == 0 { "?" } else { "\u{1b}" });
        while terminal.bytes() == before && pressed.elapsed() < Duration::from_secs(2) {
            std::hint::spin_loop();
        }
        times.push(pressed.elapsed());
        std::thread::sleep(Duration::from_millis(60));
    }
    // An escape alone waits for what may follow it, so only the other key counts.
    let mut keys: Vec<Duration> = times.iter().copied().step_by(2).collect();
    document["key_to_paint"] = spread(&mut keys);
    document["key_to_paint"]["figures"] = json!([
        at_most(ms(percentile(&mut keys, 0.5)), "ms p50", 1.0),
        at_most(ms(percentile(&mut keys, 0.99)), "ms p99", 8.0),
    ]);
    let before = terminal.bytes();
    std::thread::sleep(Duration::from_secs(10));
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let idle = (terminal.bytes() - before) as f64 / 10.0;
    document["bytes_idle"] = plain(idle, "per second");
}

fn quiet(terminal: &Terminal) {
    let mut before = 0;
    while terminal.bytes() != before {
        before = terminal.bytes();
        std::thread::sleep(Duration::from_millis(300));
    }
}
