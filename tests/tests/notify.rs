//! Notices leave the squad: the real daemon, the real `mcd notify`, and receivers on this machine
//! that fail, hang, redirect and come back, while both programs are killed in between.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    time::Duration,
};

use mc_tests::{
    Helper, PATIENCE, Receiver, Squad,
    helper::{HOOK_SECRET, beside, calls, is_declared, is_delivered, squad_with, webhook},
    program,
    receiver::{broken, good, hangs, redirects, silent},
    until,
};
use serde_json::{Value, json};

#[test]
fn through_failures_and_kills_every_notice_arrives_and_an_id_stands_for_one_content() {
    let hook = Receiver::new(broken);
    let mut squad = squad_with(&webhook("hook", &hook));
    let mut helper = Helper::start(squad.dir());
    until("the sink is declared", PATIENCE, || is_declared(&squad, "hook"));
    for at in 0..12 {
        calls(&squad, &format!("number {at}"));
        match at {
            2 => helper = restarted(helper, &squad),
            4 => {
                let before = hook.got().len();
                until("one more try", PATIENCE, || (hook.got().len() > before).then_some(()));
                squad.kill();
                squad.start();
            }
            6 => hook.set(redirects),
            8 => hook.set(silent),
            9 => {
                let silent = || hook.got().iter().any(|got| got.status == 0).then_some(());
                until("one was taken without a word", PATIENCE, silent);
                helper = restarted(helper, &squad);
                squad.kill();
                squad.start();
            }
            10 => hook.set(good),
            _ => {}
        }
    }
    until("all arrived", PATIENCE, || is_delivered(&squad, "hook", 12));
    drop(helper);
    let mut by_id: BTreeMap<String, String> = BTreeMap::new();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for got in hook.got() {
        let id = got.json()["id"].as_str().unwrap().to_owned();
        let before = by_id.entry(id.clone()).or_insert_with(|| got.body.clone());
        assert_eq!(*before, got.body, "{id} is always the same");
        assert_eq!(got.headers["idempotency-key"], format!("test/{id}"));
        assert_eq!(got.path, "/hook", "no redirect was followed");
        if got.is_taken() {
            *taken.entry(id).or_default() += 1;
        }
    }
    let arrived: Vec<String> = taken
        .keys()
        .flat_map(|id| {
            let body: Value = serde_json::from_str(&by_id[id]).unwrap();
            let notices = body["notices"].as_array().unwrap().clone();
            notices.into_iter().map(|one| one["id"].as_str().unwrap().to_owned())
        })
        .collect();
    let mut once = arrived.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), arrived.len(), "no notice stands in two deliveries: {arrived:?}");
    assert_eq!(once.len(), 12, "{arrived:?}");
}

fn restarted(helper: Helper, squad: &Squad) -> Helper {
    drop(helper);
    Helper::start(squad.dir())
}

#[test]
fn the_signature_can_be_checked_with_the_secret_alone() {
    let hook = Receiver::new(good);
    let squad = squad_with(&webhook("hook", &hook));
    let _helper = Helper::start(squad.dir());
    until("the sink is declared", PATIENCE, || is_declared(&squad, "hook"));
    calls(&squad, "look");
    let got = until("it arrives", PATIENCE, || hook.got().first().cloned());
    let signed = format!("{}.{}", got.headers["x-mc-timestamp"], got.body);
    let mut openssl = Command::new("openssl");
    openssl
        .args(["dgst", "-sha256", "-hmac", HOOK_SECRET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = openssl.spawn().unwrap();
    child.stdin.take().unwrap().write_all(signed.as_bytes()).unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let expected = said.trim().rsplit(' ').next().unwrap();
    assert_eq!(got.headers["x-mc-signature"], format!("v1={expected}"));
    let notice = &got.json()["notices"][0];
    assert_eq!(notice["text"], "wren mentions you on T-1 \"work\"");
    assert!(!got.body.contains("look"), "an agent's words stay here: {}", got.body);
}

#[test]
fn a_sink_that_hangs_holds_up_nobody_and_both_kinds_of_trouble_are_seen() {
    let (good, bad) = (Receiver::new(good), Receiver::new(hangs));
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dead = format!(
        "[[sink]]\nname = \"dead\"\nvia = \"ntfy\"\nurl = \"http://127.0.0.1:{gone}\"\n\
         topic = \"t\"\n"
    );
    let sinks = format!("{}{}{dead}", webhook("bad", &bad), webhook("good", &good));
    let squad = squad_with(&sinks);
    let _helper = Helper::start(squad.dir());
    for sink in ["bad", "dead", "good"] {
        until("the sink is declared", PATIENCE, || is_declared(&squad, sink));
    }
    for at in 0..3 {
        calls(&squad, &format!("{at}"));
        until("the good one has it", PATIENCE, || is_delivered(&squad, "good", at + 1));
    }
    let status = || {
        let status = squad.operator().ok("squad.status", json!({}));
        let failing = status["sinks_failing"].as_array().cloned().unwrap_or_default();
        (failing.contains(&json!("dead")) && failing.contains(&json!("bad"))).then_some(())
    };
    until("both are seen to fail", Duration::from_secs(40), status);
    let health = squad.operator().ok("admin.health", json!({}));
    let parts = health["parts"].as_array().unwrap();
    let part = |name: &str| parts.iter().find(|part| part["name"] == name).unwrap().clone();
    assert!(part("sink bad")["detail"].as_str().unwrap().contains("no answer in time"));
    assert!(part("sink dead")["detail"].as_str().unwrap().contains("no connection"));
    assert_eq!(part("sink good")["healthy"], true);
}

#[test]
fn mcctl_says_how_the_sinks_are_and_tests_one() {
    let hook = Receiver::new(good);
    let squad = squad_with(&webhook("hook", &hook));
    let _helper = Helper::start(squad.dir());
    until("the sink is declared", PATIENCE, || is_declared(&squad, "hook"));
    beside(squad.dir(), "pass", mc_tests::PASSPHRASE);
    let pass = squad.home().config.join("pass");
    let mcctl = |verb: &[&str]| {
        let mut command = Command::new(program("mcctl"));
        command.args(["notify"]).args(verb).arg("--home").arg(squad.dir());
        command.arg("--passphrase-file").arg(&pass).env_remove("MC_AGENT");
        let done = command.output().unwrap();
        let text =
            String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap();
        (done.status.code().unwrap(), text)
    };
    let (code, text) = mcctl(&["test", "hook"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("delivered"), "{text}");
    assert!(hook.got()[0].json()["title"].as_str().unwrap().starts_with("test D-1 by ana"));
    hook.set(broken);
    let (code, text) = mcctl(&["test", "hook"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("answered 500"), "{text}");
    let (code, text) = mcctl(&["status"]);
    assert!(code == 0 && text.contains("failing") && text.contains("answered 500"), "{text}");
    hook.set(good);
    assert_eq!(mcctl(&["retry", "hook"]).0, 0);
    until("the second test arrives", PATIENCE, || {
        let (_, text) = mcctl(&["list", "--status", "delivered"]);
        (text.contains("D-1") && text.contains("D-2")).then_some(())
    });
    assert_eq!(mcctl(&["test", "nowhere"]).0, 1);
}

#[test]
fn a_wrong_configuration_is_refused_with_every_finding_in_its_place() {
    let squad = squad_with("");
    let check = |text: &str| {
        beside(squad.dir(), "notify.toml", text);
        let mut command = Command::new(program("mcd"));
        let done = command.arg("--home").arg(squad.dir()).args(["notify", "--check"]).output();
        let done = done.unwrap();
        (done.status.code().unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    assert_eq!(check("").0, 3, "nothing to serve");
    let (code, text) = check("[[sink]]\nname = \"a\"\nvia = \"slack\"\nurll = \"x\"\n");
    assert_eq!(code, 78);
    assert!(text.contains("notify.toml:4:1") && text.contains("did you mean `url`?"), "{text}");
    let (code, text) = check(
        "[[sink]]\nname = \"a\"\nvia = \"slack\"\nurl = \"https://hooks.slack.com/x\"\n\
         [[sink]]\nname = \"b\"\nvia = \"webhook\"\nurl = \"http://example.org/\"\n\
         secret = { file = \"no-such\" }\nchat = 3\n",
    );
    assert_eq!(code, 78);
    for finding in [
        "notify.toml:4:1: sink[0].url: is a secret",
        "notify.toml:8:1: sink[1].url: is not encrypted",
        "notify.toml:9:1: sink[1].secret:",
        "notify.toml:10:1: sink[1].chat: does nothing on a webhook sink",
    ] {
        assert!(text.contains(finding), "{finding} is missing in {text}");
    }
    let open = squad.home().config.join("hook.secret");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let sink = "[[sink]]\nname = \"a\"\nvia = \"webhook\"\nurl = \"https://example.org/\"\n\
                secret = { file = \"hook.secret\" }\n";
    let (code, text) = check(sink);
    assert!(code == 78 && text.contains("has mode 644"), "{text}");
    assert!(!text.contains(HOOK_SECRET), "{text}");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(check(sink).0, 0);
}
