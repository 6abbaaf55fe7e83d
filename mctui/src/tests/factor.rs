//! The second factor: for exactly one act, which is confirmed again.

use mc_proto::method::session::SecondFactor;

use super::fixture::{Stage, challenged, hello};
use crate::{
    app::{Copied, Message},
    keymap::Key,
    request::{Act, Call, Failure, Request},
};

pub(super) const NEEDED: &str = "this needs level L3, the connection is at L2: this needs your second factor: open a challenge for it";
const ARMOUR: &str = "-----BEGIN SSH SIGNATURE-----\nU1NI\nR0ln\n-----END SSH SIGNATURE-----\n";

/// A denial that was refused for want of a factor: its dialog is open over that of the denial.
fn asked() -> Stage {
    let mut stage = Stage::live(120, 36);
    stage.keys("2dy");
    stage.refuse(NEEDED);
    let frame = stage.frame(120, 36);
    assert!(frame.contains("Second factor") && frame.contains("For: denial of A-1"), "{frame}");
    stage
}

fn sent(stage: &Stage) -> Vec<Option<SecondFactor>> {
    let calls = stage.asked.iter().filter_map(|request| match request {
        Request::Call(_, Call::Act(_, factor)) => Some(factor.clone()),
        _ => None,
    });
    calls.collect()
}

fn code() -> SecondFactor {
    SecondFactor::code(challenged().challenge, "123456".to_owned())
}

fn signed() -> SecondFactor {
    SecondFactor::signature(challenged().challenge, ARMOUR.to_owned())
}

#[test]
fn a_code_carries_no_decision_and_goes_with_the_act_that_is_confirmed_again() {
    let mut stage = asked();
    stage.keys("12345\n");
    assert!(stage.frame(120, 36).contains("six digits"));
    stage.keys("6\n");
    assert!(sent(&stage).is_empty(), "nothing is sent by the factor");
    assert!(stage.frame(120, 36).contains("Deny A-1"), "{}", stage.frame(120, 36));
    stage.keys("y");
    assert_eq!(sent(&stage), [Some(code())]);
}

#[test]
fn a_factor_is_never_sent_with_another_act() {
    let mut stage = asked();
    stage.keys("123456\n");
    stage.keys("rother words\ny");
    assert!(matches!(stage.acts()[..], [Act::Deny(call)] if call.note.is_some()));
    assert_eq!(sent(&stage), [None]);
}

#[test]
fn a_factor_is_forgotten_with_its_time_and_with_its_connection() {
    let mut stage = asked();
    stage.keys("123456\n");
    for _ in 0..13 {
        stage.steady += 5_000;
        stage.give(Message::Beat(mc_proto::method::feed::BeatNotice {
            now: stage.now().wall,
            head: 500,
        }));
    }
    stage.keys("y");
    assert_eq!(sent(&stage), [None]);
    let mut stage = asked();
    stage.keys("123456\n\u{1b}");
    let error = Failure { kind: None, text: "gone".to_owned() };
    stage.give(Message::Lost { error, attempt: 1, retry_in_ms: 200 });
    stage.give(Message::Up(Box::new(hello())));
    stage.keys("dy");
    assert_eq!(sent(&stage), [None]);
}

#[test]
fn a_wrong_code_is_told_and_asked_again() {
    let mut stage = asked();
    stage.keys("123456\ny");
    stage.refuse("the code is wrong: look at the clocks of both machines");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("Second factor"), "{frame}");
    stage.keys("\u{1b}");
    assert!(stage.frame(120, 36).contains("the code is wrong"), "{}", stage.frame(120, 36));
    assert!(sent(&stage).is_empty());
}

#[test]
fn the_text_to_sign_is_shown_copied_and_written() {
    let mut stage = asked();
    stage.keys("\t");
    let frame = stage.frame(120, 36);
    for line in challenged().text.lines() {
        assert!(frame.contains(line), "{line}: {frame}");
    }
    stage.key(Key::control('y'));
    assert_eq!(stage.asked.pop(), Some(Request::Copy(challenged().text)));
    stage.key(Key::control('x'));
    let Some(Request::Copy(command)) = stage.asked.pop() else { panic!("not copied") };
    assert!(command.starts_with("printf %s 'Mission Control") && command.contains("ssh-keygen -Y"));
    stage.key(Key::control('f'));
    assert_eq!(stage.asked.pop(), Some(Request::Save(challenged().text)));
    stage.give(Message::Copied(Ok(Copied::File("/tmp/mc-challenge-1".to_owned()))));
    let frame = stage.frame(120, 36);
    assert!(frame.contains("ssh-keygen -Y sign -n mc-approval@v1 -f KEY /tmp/mc-challenge-1"));
    stage.keys("\n");
    let read = Request::ReadSignature("/tmp/mc-challenge-1.sig".to_owned());
    assert_eq!(stage.asked.pop(), Some(read));
    stage.give(Message::Signature(Ok("no signature".to_owned())));
    assert!(stage.frame(120, 36).contains("no SSH signature"));
    stage.give(Message::Signature(Ok(ARMOUR.to_owned())));
    stage.keys("y");
    assert_eq!(sent(&stage), [Some(signed())]);
}

#[test]
fn a_signature_is_pasted_with_and_without_brackets() {
    let mut stage = asked();
    stage.keys("\t");
    stage.give(Message::Paste(ARMOUR.replace('\n', "\r")));
    stage.keys("\ny");
    assert_eq!(sent(&stage), [Some(signed())]);
    let mut stage = asked();
    stage.keys("\t");
    for c in ARMOUR.chars() {
        stage.steady += 1;
        stage.give(Message::Key(match c {
            '\n' => Key::plain(crossterm::event::KeyCode::Enter),
            c => Key::char(c),
        }));
    }
    assert!(sent(&stage).is_empty());
    stage.keys("y");
    assert_eq!(sent(&stage), [Some(signed())]);
}

#[test]
fn fifteen_minutes_without_a_key_lock_the_session() {
    let mut stage = Stage::live(120, 36);
    stage.keys("j");
    let beat = |stage: &mut Stage| {
        stage.steady += 5_000;
        stage.give(Message::Beat(mc_proto::method::feed::BeatNotice {
            now: stage.now().wall,
            head: 500,
        }));
    };
    let locks = |stage: &Stage| {
        let lock = |one: &&Request| matches!(one, Request::Call(_, Call::Lock));
        stage.asked.iter().filter(lock).count()
    };
    for _ in 0..170 {
        beat(&mut stage);
    }
    assert_eq!(locks(&stage), 0);
    while locks(&stage) == 0 && stage.steady < 1_000_000 {
        beat(&mut stage);
    }
    assert_eq!(locks(&stage), 1);
    assert!(stage.frame(120, 36).contains("locked after 15 minutes"));
}
