//! The feed and the command line: everything in order, nothing twice, nobody waited for.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::Output,
    time::{Duration, Instant},
};

use mc_tests::{Client, PASSPHRASE, PATIENCE, Squad, until};
use serde_json::{Value, json};

fn squad() -> Squad {
    let mut squad = Squad::default();
    squad.specialist("wren");
    squad
}

/// Returns the sequence of the next feed item; other notices are left out.
fn next_item(client: &mut Client, within: Duration) -> Option<i64> {
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.checked_duration_since(Instant::now())?;
        let notice = client.notice(left).unwrap()?;
        if notice["method"] == "feed.item" {
            let seq = notice["params"]["seq"].as_i64().unwrap();
            assert_eq!(notice["params"]["event"]["seq"], seq, "{notice}");
            return Some(seq);
        }
    }
}

#[test]
fn a_replay_goes_over_into_the_live_feed_without_a_gap_or_a_repeat() {
    let squad = squad();
    let mut wren = squad.agent("wren");
    for at in 0..500 {
        wren.ok("task.create", json!({"title": format!("old {at}"), "type": "docs"}));
    }
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut writer = squad.agent("wren");
            while !over.load(std::sync::atomic::Ordering::SeqCst) {
                writer.ok("task.create", json!({"title": "new", "type": "docs"}));
            }
        });
        for since in [0, 3, 250] {
            let mut follower = squad.operator();
            let head =
                follower.ok("feed.subscribe", json!({"since": since}))["head"].as_i64().unwrap();
            for expected in since + 1..head + 300 {
                assert_eq!(next_item(&mut follower, PATIENCE), Some(expected), "since {since}");
            }
        }
        over.store(true, std::sync::atomic::Ordering::SeqCst);
        writing.join().unwrap();
    });
}

#[test]
fn an_item_carries_what_changed_and_comes_after_its_answer_is_durable() {
    let squad = squad();
    let (mut follower, mut wren) = (squad.operator(), squad.agent("wren"));
    follower.ok("feed.subscribe", json!({"topics": ["task"]}));
    let task = wren.ok("task.create", json!({"title": "seen", "type": "docs"}));
    let notice = until("the item comes", PATIENCE, || {
        follower.notice(PATIENCE).unwrap().filter(|notice| notice["method"] == "feed.item")
    });
    let changed = &notice["params"]["changed"];
    assert!(changed.to_string().contains(task["id"].as_str().unwrap()), "{notice}");
    follower.ok("feed.unsubscribe", json!({}));
    wren.ok("task.create", json!({"title": "unseen", "type": "docs"}));
    follower.ok("ping", json!({}));
    assert_eq!(next_item(&mut follower, Duration::from_millis(200)), None);
}

#[test]
fn an_agent_hears_nothing_of_other_agents_approvals() {
    let mut squad = squad();
    squad.specialist("crow");
    let (mut wren, mut crow) = (squad.agent("wren"), squad.agent("crow"));
    crow.ok("feed.subscribe", json!({"topics": ["approval"]}));
    let exec = json!({"tool": "exec", "arguments": {"command": "ship secret-of-wren"}});
    wren.ok("tool.check", exec);
    assert_eq!(next_item(&mut crow, Duration::from_millis(300)), None);
    crow.ok("tool.check", json!({"tool": "exec", "arguments": {"command": "ship"}}));
    assert!(next_item(&mut crow, PATIENCE).is_some(), "its own comes");
}

#[test]
fn the_beat_comes_every_five_seconds_and_no_oftener() {
    let squad = squad();
    let mut follower = squad.operator();
    let began = Instant::now();
    follower.ok("feed.subscribe", json!({}));
    let mut beats = 0;
    while began.elapsed() < Duration::from_millis(11_500) {
        let notice = follower.notice(Duration::from_millis(500)).unwrap();
        beats += u32::from(notice.is_some_and(|notice| notice["method"] == "beat"));
    }
    assert!((2..=3).contains(&beats), "{beats} beats in 11.5 s");
}

#[test]
fn a_follower_that_stopped_reading_is_cut() {
    let squad = squad();
    let (mut deaf, mut wren) = (squad.operator(), squad.agent("wren"));
    deaf.ok("feed.subscribe", json!({}));
    let text = "x".repeat(60_000);
    for at in 0..60 {
        let params = json!({"title": format!("{at}"), "type": "docs", "description": text});
        wren.ok("task.create", params);
    }
    let stalled = Instant::now();
    until("the deaf follower is cut", Duration::from_secs(10), || deaf.send_line(b"").err());
    assert!(stalled.elapsed() < Duration::from_secs(8), "{:?}", stalled.elapsed());
    squad.operator().ok("ping", json!({}));
}

#[test]
fn a_follower_that_fell_behind_is_told_and_goes_on_from_the_newest() {
    let squad = squad();
    let (mut slow, mut wren) = (squad.operator(), squad.agent("wren"));
    slow.ok("feed.subscribe", json!({}));
    let text = "x".repeat(500);
    for _ in 0..15 {
        let params = json!({"title": "much", "type": "docs", "description": text});
        let sent: Vec<i64> = (0..200).map(|_| wren.send("task.create", params.clone())).collect();
        for id in sent {
            wren.answer(id).unwrap();
        }
    }
    let head = wren.ok("ping", json!({}))["head"].as_i64().unwrap();
    let (mut lagged, mut last) = (false, None);
    while last != Some(head) {
        // A machine so slow that the follower was cut meanwhile says nothing more.
        let Ok(notice) = slow.notice(PATIENCE) else { return };
        let notice = notice.expect("the feed goes on to its head");
        if notice["method"] == "feed.lagged" {
            lagged = true;
            last = notice["params"]["head"].as_i64();
        } else if notice["method"] == "feed.item" {
            let seq = notice["params"]["seq"].as_i64();
            assert!(last.is_none_or(|last| Some(last + 1) == seq), "a gap: {last:?} {seq:?}");
            last = seq;
        }
    }
    assert!(lagged, "3000 events were kept for a follower that did not read");
    wren.ok("task.create", json!({"title": "after", "type": "docs"}));
    assert_eq!(next_item(&mut slow, PATIENCE), Some(head + 1));
}

fn mcctl(squad: &Squad, words: &[&str]) -> Output {
    squad.mcctl().args(words).output().unwrap()
}

fn as_wren(squad: &Squad, words: &[&str]) -> Output {
    let file = squad.dir().join("wren.token");
    fs::write(&file, squad.token("wren")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = squad.mcctl();
    command.args(words).env("MC_AGENT", "wren").env("MC_TOKEN_FILE", file);
    command.output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| unreachable!("no JSON: {error}: {output:?}"))
}

#[test]
fn the_command_line_says_by_its_exit_code_how_it_went() {
    let mut squad = squad();
    let status = mcctl(&squad, &["status", "--json"]);
    assert_eq!(code(&status), 0, "{status:?}");
    assert_eq!(document(&status)["halted"], false);

    let missing = mcctl(&squad, &["task", "show", "T-404", "--json"]);
    assert_eq!(code(&missing), 1, "{missing:?}");
    assert!(!missing.stderr.is_empty(), "the reason is on standard error");
    assert_eq!(code(&mcctl(&squad, &["task", "shwo"])), 2);
    assert_eq!(code(&mcctl(&squad, &["task", "show", "seven"])), 2);

    let made = as_wren(&squad, &["task", "create", "from the shell", "--type", "docs", "--json"]);
    assert_eq!(code(&made), 0, "{made:?}");
    assert_eq!(document(&made)["id"], "T-1");
    let shown = as_wren(&squad, &["task", "show", "T-1", "--json"]);
    assert_eq!(document(&shown)["title"], "from the shell");

    squad.kill();
    let away = mcctl(&squad, &["status", "--json"]);
    assert_eq!(code(&away), 3, "{away:?}");
}

#[test]
fn a_policy_check_says_what_a_call_would_get() {
    let squad = squad();
    let check = |words: &[&str]| {
        let output = as_wren(&squad, &[&["policy", "check", "--json"], words].concat());
        (code(&output), document(&output)["outcome"].as_str().map(str::to_owned))
    };
    assert_eq!(check(&["read", "--arg", "path=/w/a"]), (0, Some("allow".into())));
    assert_eq!(check(&["read", "--arg", "path=/etc/shadow"]), (4, Some("deny".into())));
    assert_eq!(check(&["exec", "--arg", "command=ship"]), (5, Some("ask".into())));
}

#[test]
fn a_person_decides_from_the_shell() {
    let squad = squad();
    let mut wren = squad.agent("wren");
    let asked = wren.ok("tool.check", json!({"tool": "exec", "arguments": {"command": "ship"}}));
    let file = squad.dir().join("phrase");
    fs::write(&file, format!("{PASSPHRASE}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let file = file.to_str().unwrap();
    let locked = mcctl(&squad, &["deny", "A-1", "--json"]);
    assert_ne!(code(&locked), 0, "{locked:?}");
    let denied =
        mcctl(&squad, &["deny", "A-1", "--note", "not today", "--passphrase-file", file, "--json"]);
    assert_eq!(code(&denied), 0, "{denied:?}");
    let told = wren.ok("tool.await", json!({"approval": asked["approval"]}));
    assert_eq!(told["decision"], "deny");
    assert!(told["reason"].as_str().unwrap().contains("not today"), "{told}");
    let stop = mcctl(&squad, &["stop", "--reason", "drill"]);
    assert_eq!(code(&stop), 0, "{stop:?}");
    assert_eq!(squad.operator().ok("squad.status", json!({}))["halted"], true);
}
