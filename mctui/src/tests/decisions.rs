//! The decide dialog: what it is bound to, and every race around it.

use mc_core::{
    approval::{ApprovalStatus, confirmation_code},
    id::ApprovalId,
    policy::Risk,
};
use mc_proto::error::ErrorKind;

use super::fixture::{CONNECTION, Stage, approval, hello};
use crate::{
    app::Message,
    keymap::Key,
    request::{Act, Call, Failure, Reply, Request},
};

const READ: &str = "JJJJJJJJJJJJJJJJ";

fn red() -> mc_core::approval::Approval {
    approval(1, Risk::Red, "kestrel", "vault kv put kv/stripe key=‹secret›")
}

fn code() -> String {
    confirmation_code(&red().digest, CONNECTION)
}

#[test]
fn a_red_request_is_approved_with_everything_seen_a_reason_and_the_code() {
    let mut stage = Stage::live(100, 16);
    stage.keys("2a");
    assert!(stage.frame(100, 16).contains("locked"), "{}", stage.frame(100, 16));
    stage.keys(READ);
    stage.keys("a");
    assert!(stage.frame(100, 16).contains("Approve A-1"));
    stage.keys("\n");
    assert!(stage.acts().is_empty(), "Enter alone does nothing");
    stage.keys("looked at it\nffffff\n");
    assert!(stage.acts().is_empty(), "a wrong code does nothing");
    stage.key(Key::control('u'));
    stage.keys(&code());
    stage.keys("\n");
    let digest = red().digest;
    assert!(
        matches!(stage.acts()[..], [Act::Approve(call)] if call.digest == digest && call.rev == 1 && call.note.as_deref() == Some("looked at it"))
    );
}

#[test]
fn a_yellow_request_needs_the_evidence_and_y_but_not_the_key_that_opened_it() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2");
    stage.keys("j");
    stage.keys("aa\n");
    assert!(stage.acts().is_empty());
    stage.keys("y");
    assert!(matches!(stage.acts()[..], [Act::Approve(call)] if call.approval == ApprovalId(3)));
}

#[test]
fn to_deny_takes_no_more_keys_than_to_approve() {
    let mut stage = Stage::live(100, 16);
    stage.keys("2dy");
    assert!(
        matches!(stage.acts()[..], [Act::Deny(call)] if call.approval == ApprovalId(1) && call.note.is_none())
    );
    let mut stage = Stage::live(100, 16);
    stage.keys("2drnot today\ny");
    assert!(
        matches!(stage.acts()[..], [Act::Deny(call)] if call.note.as_deref() == Some("not today"))
    );
}

#[test]
fn keys_right_after_opening_are_ignored_and_restart_the_wait() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2d");
    for _ in 0..10 {
        stage.steady += 100;
        stage.give(Message::Key(Key::char('y')));
    }
    assert!(stage.acts().is_empty());
    stage.steady += 400;
    stage.give(Message::Key(Key::char('y')));
    assert_eq!(stage.acts().len(), 1);
}

#[test]
fn a_paste_cannot_decide() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2a");
    assert!(stage.frame(120, 60).contains("Approve A-1"));
    stage.keys("why\n");
    stage.give(Message::Paste(code()));
    stage.keys("\n");
    assert!(stage.acts().is_empty(), "a paste with brackets");
    for c in code().chars() {
        stage.steady += 1;
        stage.give(Message::Key(Key::char(c)));
    }
    stage.steady += 1;
    stage.give(Message::Key(Key::plain(crossterm::event::KeyCode::Enter)));
    assert!(stage.acts().is_empty(), "a paste without brackets");
}

#[test]
fn the_dialog_freezes_when_another_decides_or_the_request_changes() {
    let change = |change: fn(&mut mc_core::approval::Approval)| {
        let mut stage = Stage::live(120, 60);
        stage.keys("2d");
        let mut changed = red();
        change(&mut changed);
        stage.approval_changes(changed);
        stage.keys("yyy\n");
        assert!(stage.acts().is_empty());
        stage.frame(120, 60)
    };
    let frame = change(|one| {
        one.status = ApprovalStatus::Approved;
        one.decided_by = Some("ben".to_owned());
        one.rev = 2;
    });
    assert!(frame.contains("FROZEN: approved by ben"), "{frame}");
    let frame = change(|one| one.rev = 2);
    assert!(frame.contains("FROZEN: the request has changed"), "{frame}");
    let frame = change(|one| one.digest = "0".repeat(64));
    assert!(frame.contains("FROZEN: the request has changed"), "{frame}");
}

#[test]
fn the_dialog_freezes_at_expiry_and_when_the_link_drops() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2d");
    stage.steady += 400_000;
    stage.give(Message::Beat(mc_proto::method::feed::BeatNotice {
        now: stage.now().wall,
        head: 500,
    }));
    stage.keys("y");
    assert!(stage.frame(120, 60).contains("FROZEN: the request has expired"));
    let mut stage = Stage::live(120, 60);
    stage.keys("2d");
    let error = Failure { kind: None, text: "gone".to_owned() };
    stage.give(Message::Lost { error, attempt: 1, retry_in_ms: 200 });
    stage.keys("y");
    assert!(stage.frame(120, 60).contains("FROZEN: the link"));
    stage.give(Message::Up(Box::new(hello())));
    stage.keys("y");
    assert!(stage.acts().is_empty(), "a frozen dialog never comes back to life");
}

#[test]
fn a_statement_that_does_not_fit_its_digest_can_only_be_denied() {
    let mut stage = Stage::live(120, 60);
    for detail in &mut stage.details {
        detail.approval.statement.arguments = serde_json::json!({"command": "true"});
    }
    stage.keys("2a");
    assert!(stage.frame(120, 60).contains("can't be approved"));
    stage.keys("dy");
    assert!(matches!(stage.acts()[..], [Act::Deny(_)]));
}

#[test]
fn what_a_dialog_covered_was_not_seen() {
    let mut stage = Stage::live(120, 36);
    stage.keys("2");
    stage.app.update(stage.now(), Message::Key(Key::char('?')));
    stage.give(Message::Drawn);
    let mut short = Stage::live(120, 14);
    short.keys("2?");
    short.give(Message::Drawn);
    short.keys("\u{1b}a");
    assert!(short.frame(120, 14).contains("locked"), "{}", short.frame(120, 14));
}

#[test]
fn a_refusal_for_the_level_opens_the_unlock_dialog_and_carries_no_decision() {
    let mut stage = Stage::live(120, 60);
    stage.app.scene.me.as_mut().unwrap().level = Some(mc_core::actor::Level::L0);
    stage.keys("2d");
    assert!(stage.frame(120, 60).contains("Unlock"), "{}", stage.frame(120, 60));
    stage.keys("hunter2\n");
    let Some(Request::Call(ticket, Call::Unlock(unlock))) = stage.asked.pop() else {
        panic!("no unlock")
    };
    assert_eq!(unlock.passphrase, "hunter2");
    assert!(!stage.frame(120, 60).contains("hunter2"));
    let unlocked = mc_proto::method::session::UnlockResult {
        level: mc_core::actor::Level::L2,
        expires_at: stage.now().wall,
    };
    stage.give(Message::Answer(ticket, Box::new(Ok(Reply::Unlocked(unlocked)))));
    assert!(stage.acts().is_empty());
    assert!(stage.frame(120, 60).contains("Deny A-1"));
    stage.keys("y");
    assert_eq!(stage.acts().len(), 1);
}

#[test]
fn a_decision_is_shown_as_done_only_by_the_receipt() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2dy");
    assert!(stage.frame(120, 60).contains("~ sent"));
    let Some(Request::Call(ticket, _)) = stage.asked.pop() else { panic!("nothing sent") };
    let failure =
        Failure { kind: Some(ErrorKind::Conflict), text: "revision 2 is current".to_owned() };
    stage.give(Message::Answer(ticket, Box::new(Err(failure))));
    assert!(stage.frame(120, 60).contains("refused: revision 2 is current"));
    stage.keys("y");
    let Some(Request::Call(ticket, _)) = stage.asked.pop() else { panic!("nothing sent") };
    let done = Reply::Done("A-1 denied by ana (e501)".to_owned());
    stage.give(Message::Answer(ticket, Box::new(Ok(done))));
    let frame = stage.frame(120, 60);
    assert!(frame.contains("A-1 denied by ana (e501)") && !frame.contains("Deny A-1"), "{frame}");
}

#[test]
fn a_red_request_can_be_approved_at_twenty_by_five() {
    let mut stage = Stage::live(20, 5);
    stage.keys("2\n");
    for _ in 0..200 {
        stage.keys("J");
        if stage.frame(20, 5).contains("this was all") {
            break;
        }
    }
    stage.keys("a");
    assert!(stage.frame(20, 5).contains("reason"), "{}", stage.frame(20, 5));
    stage.keys("fine\n");
    assert!(stage.frame(20, 5).contains("code"), "{}", stage.frame(20, 5));
    stage.keys(&code());
    stage.keys("\n");
    assert!(matches!(stage.acts()[..], [Act::Approve(_)]), "{}", stage.frame(20, 5));
}
