//! What the reader says a command runs is what shells run: ten thousand made-up commands are given
//! to real shells whose programs only write down their arguments (SECURITY-DESIGN, T49).

#![expect(clippy::unwrap_used, reason = "a test's own files and processes")]

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use mc_core::shell::{
    read::{Known, read},
    simple::{Script, Simple},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// How many accepted commands are compared.
const COMMANDS: usize = 10_000;
/// The programs that the stub stands for; none is a word of a shell.
const PROGRAMS: &[&str] = &["cat", "grep", "git", "cargo", "wc", "prog", "p.x"];
const HOME: &str = "/nowhere/home";

/// One argument: all that shells do to words, and what looks like it.
fn piece() -> impl Strategy<Value = String> {
    let literal = prop::sample::select(vec![
        "a",
        "b.rs",
        "-n",
        "--x=y",
        "HEAD~1",
        "x:y",
        "a=b",
        "%",
        "@",
        "+",
        ",",
        "]",
        "}",
        "^",
        "{}",
        "a{b",
        "stash@{0}",
        "=",
        "==",
        "!=",
        "-",
        "--",
        "#a",
        "a#b",
        "~",
        "~/x",
        "a~",
        "é",
    ]);
    let quoted = prop::sample::select(vec![
        "'a b'", "'$x'", "'*'", "\"a b\"", "\"\\$x\"", "\"\\\\\"", "\"a\\b\"", "''", "\"\"",
        "'\"'", "\"'\"", "\"`\"", "'`'", "\"$\"", "\"$ \"", "\\ ", "\\*", "\\$x", "\\\\", "\\'",
        "'é'", "\"#\"", "'a\nb'", "\"~\"", "'~/x'", "\"!\"", "'!x'", "\"a;b\"", "'a|b'", "\\n",
    ]);
    let expanded = prop::sample::select(vec![
        "$V",
        "${V}",
        "\"$V\"",
        "\"${V}w\"",
        "$W",
        "\"$W\"",
        "$HOME",
        "\"$HOME/x\"",
        "$X",
        "$$",
        "${V:-a}",
        "$(cat a)",
        "\"$(cat a)\"",
        "`a`",
        "$((1))",
        "$'a'",
        "$\"a\"",
        "{a,b}",
        "{1..2}",
        "*.rs",
        "a*",
        "?",
        "[ab]*",
        "src/*.x",
        "~root",
        "!!",
        "$1",
        "$?",
    ]);
    prop_oneof![4 => literal, 3 => quoted, 2 => expanded].prop_map(str::to_owned)
}

fn word() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 1..4).prop_map(|pieces| pieces.concat())
}

fn simple() -> impl Strategy<Value = String> {
    let name = prop::sample::select(PROGRAMS);
    let odd = prop::sample::select(vec![
        "c\\at", "'cat'", "$V", "{cat,a}", "V=cat", "\"cat\"", "time cat", "! cat",
    ]);
    let name = prop_oneof![9 => name, 1 => odd];
    let before =
        prop_oneof![6 => Just(""), 1 => Just("V=1 "), 1 => Just("W='2 3' "), 1 => Just("E= ")];
    let behind = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "",
        " >out",
        " 2>&1",
        " </dev/null",
        " >>out 2>/dev/null",
        " # it's $x",
        " <<<'x y'",
        " &",
        "  ",
        " 3>x",
        " >|out",
    ]);
    (before, name, prop::collection::vec(word(), 0..4), behind).prop_map(
        |(before, name, words, behind)| format!("{before}{name} {}{behind}", words.join(" ")),
    )
}

fn command() -> impl Strategy<Value = String> {
    let joint = prop::sample::select(vec![
        "; ", " ;", "\n", "\n\n", " && ", " || ", " | ", "\n# x\n", " &&\n", " |\n",
    ]);
    let plain = prop::collection::vec((simple(), joint), 1..4).prop_map(|parts| {
        let mut text = String::new();
        for (at, (simple, joint)) in parts.iter().enumerate() {
            text.push_str(simple);
            if at + 1 < parts.len() {
                text.push_str(joint);
            }
        }
        text
    });
    let known =
        prop::sample::select(vec!["", "V=known; ", "V=k\nW='two words'; ", "W=a; V=\"$W\"b; "]);
    let plain = (known, plain).prop_map(|(known, text)| format!("{known}{text}"));
    let around = prop::sample::select(vec![
        ("", ""),
        ("", ""),
        ("", ""),
        ("(", ")"),
        ("{ ", "; }"),
        ("if cat q; then ", "; fi"),
        ("for V in k 'l m'; do ", "; done"),
        ("for V in *.rs; do ", "\ndone"),
        ("case x in (x|y) ", ";; *) cat z;; esac"),
        ("while prog stop; do ", "; done"),
        ("cat <<'E' ; ", "\n$x `y`\nE\n"),
        ("cat <<E\ntext\nE\n", ""),
        ("[[ -f a ]] && ", ""),
    ]);
    (around, plain).prop_map(|((before, after), text)| format!("{before}{text}{after}"))
}

/// Says whether all its words are known and all of it runs, so that shells must agree to the letter.
fn is_straight(command: &str) -> bool {
    !["||", "&&", "if ", "while ", "case ", "for ", " &", "|", "[["]
        .iter()
        .any(|x| command.contains(x))
}

fn is_known(simple: &Simple) -> bool {
    simple.words.iter().all(|word| word.glob.is_none() && word.unknown.is_none())
}

fn argvs(script: &Script) -> Vec<Vec<String>> {
    // Only what has a stub can be seen to run.
    let is_laid = |one: &&Simple| {
        one.words.first().is_some_and(|name| PROGRAMS.contains(&name.text.as_str()))
    };
    let known = script.commands.iter().filter(is_laid).filter(|one| is_known(one));
    known.map(|one| one.words.iter().map(|word| word.text.clone()).collect()).collect()
}

/// Runs all commands in one shell, each in a shell of its own; returns what each ran.
fn run(
    shell: &str,
    dir: &Path,
    commands: &[(String, Script)],
) -> BTreeMap<usize, Vec<Vec<String>>> {
    let log = dir.join("log");
    fs::create_dir_all(&log).unwrap();
    let mut driver = Vec::new();
    for (at, (command, _)) in commands.iter().enumerate() {
        fs::write(log.join(format!("{at}.sh")), format!("{command}\nwait\n")).unwrap();
        let log = log.display();
        writeln!(driver, "LOG={log}/{at} {shell} {log}/{at}.sh </dev/null >/dev/null 2>&1")
            .unwrap();
    }
    let mut child = Command::new("/bin/sh")
        .env_clear()
        .env("PATH", dir.join("bin"))
        .env("HOME", HOME)
        .current_dir(dir.join("work"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&driver).unwrap();
    assert!(child.wait().unwrap().success() || !commands.is_empty());
    let ran = |at: usize| {
        let text = fs::read_to_string(log.join(at.to_string())).unwrap_or_default();
        let calls = text.split("<end of call>\0").filter(|call| !call.is_empty());
        let argv = |call: &str| call.split_terminator('\0').map(str::to_owned).collect();
        calls.map(argv).collect::<Vec<Vec<String>>>()
    };
    (0..commands.len()).map(|at| (at, ran(at))).collect()
}

/// Lays programs that write down their arguments, and a few files.
fn lay(dir: &Path) {
    let (bin, work) = (dir.join("bin"), dir.join("work"));
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(work.join("src")).unwrap();
    for file in ["a", "b.rs", "c.rs", "src/y.x"] {
        fs::write(work.join(file), "").unwrap();
    }
    for program in PROGRAMS {
        let stub = "#!/bin/sh\nname=${0##*/}\nprintf '%s\\0' \"$name\" \"$@\" '<end of call>' >>\"$LOG\"\n\
                    case $*/$name in stop/prog) exit 1;; esac\n";
        fs::write(bin.join(program), stub).unwrap();
        fs::set_permissions(bin.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn shells_run_exactly_what_was_judged() {
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path());
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = command();
    let mut accepted = Vec::new();
    let mut made = 0;
    while accepted.len() < COMMANDS {
        made += 1;
        assert!(made < 40 * COMMANDS, "only {} of {made} commands are accepted", accepted.len());
        let command = strategy.new_tree(&mut runner).unwrap().current();
        if let Ok(script) = read(&command, Known { home: Some(HOME), depth: 0 }) {
            accepted.push((command, script));
        }
    }
    // Words and signs that bash knows and others don't.
    let is_own = |command: &str| ["time ", "<<<", "[["].iter().any(|own| command.contains(own));
    let (bashisms, plain): (Vec<_>, Vec<_>) =
        accepted.into_iter().partition(|(command, _)| is_own(command));
    let (for_bash, for_sh) = plain.split_at(COMMANDS / 2);
    let for_bash = [for_bash, &bashisms].concat();
    for (at, (shell, commands)) in
        [("/bin/bash", for_bash.as_slice()), ("/bin/sh", for_sh)].into_iter().enumerate()
    {
        let place = dir.path().join(at.to_string());
        fs::create_dir_all(&place).unwrap();
        lay(&place);
        compare(commands, &run(shell, &place, commands), shell);
    }
}

fn compare(commands: &[(String, Script)], ran: &BTreeMap<usize, Vec<Vec<String>>>, shell: &str) {
    let mut compared = 0;
    for (at, (command, script)) in commands.iter().enumerate() {
        let judged = argvs(script);
        let real = &ran[&at];
        let all_known = script.commands.iter().all(is_known);
        if all_known && is_straight(command) {
            assert_eq!(real, &judged, "{shell} runs {command:?} otherwise");
        } else if all_known {
            for argv in real {
                assert!(judged.contains(argv), "{shell} runs {argv:?} for {command:?}: {judged:?}");
            }
        } else {
            let names: Vec<&String> =
                script.commands.iter().filter_map(|one| Some(&one.words.first()?.text)).collect();
            for argv in real {
                assert!(
                    argv.first().is_some_and(|name| names.contains(&name)),
                    "{shell} runs {argv:?} for {command:?}"
                );
            }
        }
        compared += real.len();
    }
    assert!(compared > commands.len() / 2, "{shell} ran {compared} programs only");
}
