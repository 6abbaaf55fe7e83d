//! Other arguments in the place of the agent's own: shown before and after, bound to what was read,
//! and decided only once the changed request was read.

use mc_core::{
    actor::Level,
    approval::{Approval, Edited},
    policy::Risk,
};
use serde_json::json;

use super::fixture::{NOON, Stage, approval};
use crate::{
    app::{Message, Place},
    keymap::Key,
    request::{Act, Request},
};

fn yellow() -> Approval {
    approval(3, Risk::Yellow, "osprey", "s3 rm -r s3://stale")
}

/// The request as the daemon tells it after it was changed.
fn changed() -> Approval {
    let mut one = yellow();
    let original = one.statement.arguments.clone();
    one.statement.arguments = json!({"command": "s3 rm s3://stale/one"});
    one.digest = one.statement.digest();
    one.rev = 2;
    one.edited = Some(Edited {
        by: "ben".to_owned(),
        level: Level::L2,
        at: NOON,
        note: Some("one at first".to_owned()),
        original,
        original_sha256: "00".repeat(32),
    });
    one
}

#[test]
fn a_changed_command_is_shown_before_and_after_and_sent_by_digest() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2je");
    assert!(stage.frame(120, 60).contains("Edit A-3"), "{}", stage.frame(120, 60));
    stage.keys("\n");
    assert!(stage.frame(120, 60).contains("nothing is changed"));
    stage.keys("/old\tnot all\n");
    let frame = stage.frame(120, 60);
    assert!(frame.contains("- command = \"s3 rm -r s3://stale\""), "{frame}");
    assert!(frame.contains("+ command = \"s3 rm -r s3://stale/old\""), "{frame}");
    stage.keys("\n");
    assert!(stage.acts().is_empty(), "Enter alone sends nothing");
    stage.keys("y");
    let [Act::Edit(call)] = stage.acts()[..] else { panic!("not sent") };
    let mut wanted = yellow().statement.arguments;
    wanted["command"] = json!("s3 rm -r s3://stale/old");
    assert_eq!((&call.arguments, call.rev, &call.digest), (&wanted, 1, &yellow().digest));
    assert_eq!(call.note.as_deref(), Some("not all"));
}

#[test]
fn all_arguments_are_edited_as_json_and_bad_json_loses_nothing() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2je");
    stage.key(Key::plain(crossterm::event::KeyCode::BackTab));
    stage.keys(" \tx\n");
    let frame = stage.frame(120, 60);
    assert!(frame.contains("this is no JSON") && frame.contains("}x(!)_"), "{frame}");
    stage.key(Key::control('u'));
    stage.keys("[1]\n");
    assert!(stage.frame(120, 60).contains("arguments are an object"));
    stage.key(Key::control('u'));
    stage.keys("{\"command\":\"true\"}\ny");
    assert!(
        matches!(stage.acts()[..], [Act::Edit(call)] if call.arguments == json!({"command": "true"}))
    );
}

#[test]
fn it_is_offered_only_where_the_runtime_can() {
    let mut stage = Stage::live(120, 60);
    let mut fixed = yellow();
    fixed.can_rewrite = false;
    fixed.rev = 2;
    stage.approval_changes(fixed);
    stage.keys("2je");
    assert!(stage.frame(120, 60).contains("can't run other arguments"));
}

#[test]
fn a_quick_key_sends_no_change_and_a_changed_request_freezes_the_dialog() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2jex\n");
    stage.steady += 20;
    stage.give(Message::Key(Key::char('y')));
    stage.give(Message::Paste("y".to_owned()));
    assert!(stage.acts().is_empty());
    stage.approval_changes(changed());
    stage.keys("y");
    assert!(stage.acts().is_empty());
    assert!(stage.frame(120, 60).contains("FROZEN: the request has changed"));
}

#[test]
fn a_changed_request_says_so_and_must_be_read_again() {
    let mut stage = Stage::live(120, 14);
    stage.keys("2jJJJJJJJJJJ");
    stage.keys("a\u{1b}");
    for detail in &mut stage.details {
        if detail.approval.id == changed().id {
            detail.approval = changed();
        }
    }
    stage.approval_changes(changed());
    stage.keys("a");
    assert!(stage.frame(120, 14).contains("locked"), "{}", stage.frame(120, 14));
    let mut seen = String::new();
    for _ in 0..12 {
        seen.push_str(&stage.frame(120, 14));
        stage.keys("J");
    }
    assert!(seen.contains("by ben at L2") && seen.contains("not what was asked"), "{seen}");
    assert!(seen.contains("- command = \"s3 rm -r"), "{seen}");
    assert!(seen.contains("+ command = \"s3 rm s3://stale/one\""), "{seen}");
    stage.keys("ay");
    let digest = changed().digest;
    assert!(matches!(stage.acts()[..], [Act::Approve(call)] if call.digest == digest));
}

#[test]
fn the_exact_bytes_are_shown_and_do_not_count_as_read() {
    let mut stage = Stage::live(120, 40);
    stage.keys("2");
    let mut short = Stage::live(120, 14);
    short.keys("2jB");
    for _ in 0..120 {
        short.keys("J");
    }
    short.keys("a");
    assert!(short.frame(120, 14).contains("locked"), "{}", short.frame(120, 14));
    stage.keys("B");
    let frame = stage.frame(120, 40);
    assert!(frame.contains("bytes of canonical JSON") && frame.contains("7b 22 61"), "{frame}");
}

#[test]
fn links_lead_to_the_task_the_agent_and_what_waits() {
    let mut stage = Stage::live(120, 36);
    stage.keys("2o");
    let frame = stage.frame(120, 36);
    for part in ["1 T-1042", "2 kestrel", "A-1", "Links"] {
        assert!(frame.contains(part), "{part}: {frame}");
    }
    stage.keys("2");
    assert_eq!(stage.app.place(), Place::Fleet);
    stage.keys("\u{1b}o1");
    assert_eq!(stage.app.place(), Place::Task(mc_core::id::TaskId(1042)));
}

#[test]
fn a_row_is_copied_without_what_cannot_be_seen() {
    let mut stage = Stage::live(120, 36);
    stage.keys("2jy");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("Copy") && frame.contains("mcctl approval show A-3"), "{frame}");
    stage.keys("2");
    assert_eq!(stage.asked.pop(), Some(Request::Copy("s3 rm -r s3://stale".to_owned())));
    stage.give(Message::Copied(Ok(crate::app::Copied::Clipboard("somewhere"))));
    assert!(stage.frame(120, 36).contains("copied somewhere"));
}

#[test]
fn the_words_of_a_command_stand_one_by_one() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2j");
    let frame = stage.frame(120, 60);
    assert!(frame.contains("argv     0 s3  1 rm  2 -r  3 s3://stale"), "{frame}");
}

#[test]
fn the_editor_gets_all_as_json_and_what_it_leaves_is_read_strictly() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2je");
    stage.key(Key::control('o'));
    let Some(Request::Editor(text)) = stage.asked.pop() else { panic!("no editor") };
    let mut arguments: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(arguments, yellow().statement.arguments);
    stage.give(Message::Edited(Ok("{\"command\": \"a\", \"command\": \"b\"}".to_owned())));
    assert!(stage.frame(120, 60).contains("refused: this is no JSON"), "{}", stage.frame(120, 60));
    stage.key(Key::control('o'));
    let Some(Request::Editor(again)) = stage.asked.pop() else { panic!("no editor") };
    assert!(again.contains("\"b\""), "what was written is not lost");
    stage.give(Message::Edited(Err("`vi` ended with 1".to_owned())));
    assert!(stage.frame(120, 60).contains("`vi` ended with 1"));
    arguments["command"] = json!("s3 ls");
    stage.give(Message::Edited(Ok(arguments.to_string())));
    let frame = stage.frame(120, 60);
    assert!(frame.contains("+ command = \"s3 ls\"") && frame.contains("bound to "), "{frame}");
    assert!(stage.acts().is_empty());
    stage.keys("y");
    let [Act::Edit(call)] = stage.acts()[..] else { panic!("not sent") };
    assert_eq!((&call.arguments, &call.digest), (&arguments, &yellow().digest));
}

#[test]
fn what_an_editor_leaves_after_the_request_changed_is_not_sent() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2je");
    stage.key(Key::control('o'));
    stage.approval_changes(changed());
    stage.give(Message::Edited(Ok("{\"command\": \"rm\"}".to_owned())));
    assert!(stage.frame(120, 60).contains("FROZEN"));
    stage.keys("y\n");
    assert!(stage.acts().is_empty());
}
