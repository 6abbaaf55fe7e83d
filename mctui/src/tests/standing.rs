//! Standing rules: made with the evidence read, a reason and the code; listed, and revoked.

use mc_core::{
    approval::{RuleScope, confirmation_code},
    id::RuleId,
    policy::Risk,
};

use super::fixture::{CONNECTION, Stage, approval};
use crate::{
    app::Message,
    keymap::Key,
    request::{Act, Call, Reply, Request},
};

fn code() -> String {
    confirmation_code(
        &approval(3, Risk::Yellow, "osprey", "s3 rm -r s3://stale").digest,
        CONNECTION,
    )
}

/// The dialog that remembers the yellow request, with its evidence read.
fn remembering() -> Stage {
    let mut stage = Stage::live(120, 60);
    stage.keys("2jar");
    assert!(stage.frame(120, 60).contains("Approve and remember A-3"), "{}", stage.frame(120, 60));
    stage
}

#[test]
fn a_rule_takes_scope_time_uses_words_a_reason_and_the_code() {
    let mut stage = remembering();
    stage.key(Key::plain(crossterm::event::KeyCode::Right));
    stage.keys("\t1\t5\t2\tseen often\t");
    let frame = stage.frame(120, 60);
    assert!(frame.contains("begin with `s3 rm` of osprey on"), "{frame}");
    stage.keys("ffffff\n");
    assert!(stage.acts().is_empty(), "a wrong code makes no rule");
    stage.key(Key::control('u'));
    stage.keys(&code());
    stage.keys("\n");
    let [Act::Approve(call)] = stage.acts()[..] else { panic!("not sent") };
    let remember = call.remember.as_ref().unwrap();
    assert_eq!(remember.scope, RuleScope::Agent);
    assert_eq!((remember.for_s, remember.uses, remember.prefix_words), (3600, Some(5), Some(2)));
    assert_eq!(call.note.as_deref(), Some("seen often"));
}

#[test]
fn left_alone_a_rule_is_as_narrow_as_can_be() {
    let mut stage = remembering();
    stage.keys(&format!("\t\t\t\twhy\t{}\n", code()));
    let [Act::Approve(call)] = stage.acts()[..] else { panic!("{}", stage.frame(120, 60)) };
    let remember = call.remember.as_ref().unwrap();
    assert_eq!(remember.scope, RuleScope::Task);
    assert_eq!((remember.for_s, remember.uses, remember.prefix_words), (28_800, None, None));
}

#[test]
fn a_number_that_is_none_is_refused_before_it_is_sent() {
    let mut stage = remembering();
    stage.keys(&format!("\t\t0\t9\twhy\t{}\n", code()));
    assert!(stage.acts().is_empty());
    assert!(stage.frame(120, 60).contains("uses: a number from 1"), "{}", stage.frame(120, 60));
}

#[test]
fn red_is_not_remembered_and_what_was_not_read_neither() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2ar");
    assert!(!stage.frame(120, 60).contains("and remember"), "`r` is a letter of the reason there");
    let mut stage = Stage::live(120, 14);
    stage.keys("2jjar");
    assert!(stage.frame(120, 14).contains("Approve A-30"), "{}", stage.frame(120, 14));
    assert!(!stage.frame(120, 14).contains("Approve and remember"));
}

#[test]
fn a_paste_makes_no_rule() {
    let mut stage = remembering();
    stage.keys("\t\t\t\twhy\t");
    stage.give(Message::Paste(code()));
    stage.keys("\n");
    for c in code().chars() {
        stage.steady += 1;
        stage.give(Message::Key(Key::char(c)));
    }
    stage.steady += 1;
    stage.give(Message::Key(Key::plain(crossterm::event::KeyCode::Enter)));
    assert!(stage.acts().is_empty());
}

#[test]
fn rules_are_listed_and_revoked_with_a_reason() {
    let mut stage = Stage::live(120, 36);
    stage.keys("2s");
    let frame = stage.frame(120, 36);
    for part in ["S-2", "git push origin …", "used 2 of 5", "wren on T-1092", "by ana of A-22"] {
        assert!(frame.contains(part), "{part}: {frame}");
    }
    assert!(!frame.contains("S-1"));
    stage.keys("d");
    assert!(stage.frame(120, 36).contains("Revoke S-2"));
    stage.keys("no longer\ny");
    assert!(
        matches!(stage.acts()[..], [Act::Revoke(call)] if call.rule == RuleId(2) && call.reason.as_deref() == Some("no longer"))
    );
    let Some(Request::Call(ticket, Call::Act(..))) = stage.asked.pop() else { panic!("not sent") };
    let done = Reply::Done("S-2 is revoked".to_owned());
    stage.give(Message::Answer(ticket, Box::new(Ok(done))));
    let frame = stage.frame(120, 36);
    assert!(frame.contains("Standing rules") && frame.contains("S-2 is revoked"), "{frame}");
}

#[test]
fn ended_rules_are_shown_when_wanted_and_cannot_be_revoked() {
    let mut stage = Stage::live(120, 36);
    stage.keys("2s\tj");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("revoked by ben") && frame.contains("every agent"), "{frame}");
    assert!(frame.contains("npm <U+202E>test"), "{frame}");
    stage.keys("d");
    assert!(!stage.frame(120, 36).contains("Revoke S-1"));
}
