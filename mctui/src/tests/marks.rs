//! Marked sets: what can be marked, what the dialog is bound to, and that nothing but `y` decides.

use mc_core::{approval::ApprovalStatus, id::ApprovalId, policy::Risk};
use mc_proto::method::approval::{Decided, DecidedSet, Verdict};

use super::fixture::{Stage, approval};
use crate::{
    app::Message,
    keymap::Key,
    request::{Act, Reply, Request},
};

fn decided(stage: &Stage) -> Vec<ApprovalId> {
    match stage.acts()[..] {
        [Act::Decide(call)] => call.items.iter().map(|item| item.approval).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn red_is_never_marked_and_the_reason_is_said() {
    let mut stage = Stage::live(120, 36);
    stage.keys("2 ");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("A-1 is RED") && !frame.contains("marked"), "{frame}");
    stage.keys("V");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("Waiting 3 · 2 marked") && frame.contains("1 RED not"), "{frame}");
}

#[test]
fn a_mark_goes_on_and_off_and_escape_takes_all_off() {
    let mut stage = Stage::live(120, 36);
    stage.keys("2j ");
    assert!(stage.frame(120, 36).contains("<Y> *A-3"), "{}", stage.frame(120, 36));
    stage.keys("k ");
    assert!(!stage.frame(120, 36).contains("· 1 marked"));
    stage.keys("V\u{1b}");
    assert!(!stage.frame(120, 36).contains("· 2 marked"));
    stage.keys("VU");
    assert!(!stage.frame(120, 36).contains("· 2 marked"));
}

#[test]
fn a_marked_set_is_approved_by_digest_with_one_receipt_each() {
    let mut stage = Stage::live(120, 36);
    stage.keys("2Va");
    let frame = stage.frame(120, 36);
    for part in ["Approve 2 marked", "s3 rm -r s3://stale", "git push", "osprey", "wren", "A-30"] {
        assert!(frame.contains(part), "{part}: {frame}");
    }
    stage.keys("\na ");
    assert!(stage.acts().is_empty(), "only `y` decides");
    stage.keys("y");
    assert_eq!(decided(&stage), [ApprovalId(3), ApprovalId(30)]);
    let Some(Request::Call(ticket, _)) = stage.asked.last().cloned() else { panic!("not sent") };
    let Some(Act::Decide(call)) = stage.acts().pop() else { panic!("not sent") };
    assert_eq!(call.decision, Verdict::Approve);
    let wanted = approval(3, Risk::Yellow, "osprey", "s3 rm -r s3://stale").digest;
    assert_eq!(call.items[0].digest, wanted);
    let one =
        |id, event, text: &str| Decided { approval: ApprovalId(id), event, text: text.to_owned() };
    let receipts = vec![
        one(3, Some(mc_core::id::EventId(501)), "A-3 approved by ana"),
        one(30, None, "A-30 is denied already"),
    ];
    let set = Reply::Decided(DecidedSet { receipts });
    stage.give(Message::Answer(ticket, Box::new(Ok(set))));
    let frame = stage.frame(120, 36);
    assert!(frame.contains("1 of 2 decided") && frame.contains("A-3 approved by ana"), "{frame}");
    assert!(frame.contains("not decided: A-30 is denied already"), "{frame}");
    stage.keys("\u{1b}");
    assert!(!stage.frame(120, 36).contains("· 2 marked"));
}

#[test]
fn approving_a_set_needs_its_table_read_to_the_end_and_denying_does_not() {
    let mut stage = Stage::live(80, 12);
    stage.keys("2Vay");
    assert!(stage.acts().is_empty());
    assert!(stage.frame(80, 12).contains("locked"), "{}", stage.frame(80, 12));
    stage.keys("JJJJy");
    assert_eq!(decided(&stage).len(), 2);
    let mut stage = Stage::live(80, 12);
    stage.keys("2Vdy");
    assert_eq!(decided(&stage).len(), 2);
}

#[test]
fn a_quick_key_and_a_paste_do_not_decide_a_set() {
    let mut stage = Stage::live(120, 36);
    stage.keys("2Vd");
    for _ in 0..10 {
        stage.steady += 100;
        stage.give(Message::Key(Key::char('y')));
    }
    stage.give(Message::Paste("y".to_owned()));
    assert!(stage.acts().is_empty());
    stage.keys("ry\n");
    stage.steady += 20;
    stage.give(Message::Key(Key::char('y')));
    assert!(stage.acts().is_empty(), "a paste without brackets into the reason");
    stage.keys("y");
    assert!(matches!(stage.acts()[..], [Act::Decide(call)] if call.note.as_deref() == Some("y")));
}

#[test]
fn one_changed_item_freezes_the_whole_dialog() {
    for change in [
        (|one: &mut mc_core::approval::Approval| one.rev = 2) as fn(&mut _),
        |one| one.digest = "0".repeat(64),
        |one| one.status = ApprovalStatus::Denied,
    ] {
        let mut stage = Stage::live(120, 36);
        stage.keys("2Va");
        let mut changed = approval(3, Risk::Yellow, "osprey", "s3 rm -r s3://stale");
        change(&mut changed);
        stage.approval_changes(changed);
        stage.keys("yy\n");
        assert!(stage.acts().is_empty());
        let frame = stage.frame(120, 36);
        assert!(frame.contains("FROZEN: A-3: "), "{frame}");
        stage.keys("\u{1b}");
        assert!(stage.frame(120, 36).contains("· 1 marked"), "its mark is gone");
    }
}

#[test]
fn a_set_with_a_statement_that_does_not_fit_can_only_be_denied() {
    let mut stage = Stage::live(120, 36);
    let mut broken = approval(3, Risk::Yellow, "osprey", "s3 rm -r s3://stale");
    broken.statement.arguments = serde_json::json!({"command": "true"});
    broken.rev = 2;
    stage.approval_changes(broken);
    stage.keys("2Va");
    assert!(stage.frame(120, 36).contains("can't be approved"), "{}", stage.frame(120, 36));
    stage.keys("dy");
    assert_eq!(decided(&stage).len(), 2);
}

#[test]
fn a_viewer_can_mark_and_reads_why_nothing_is_decided() {
    let mut stage = Stage::live(120, 36);
    stage.app.scene.me.as_mut().unwrap().role = Some(mc_core::actor::Role::Viewer);
    stage.keys("2Va");
    assert!(stage.frame(120, 36).contains("you are a viewer"));
}
