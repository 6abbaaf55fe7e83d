//! What keys and arrivals do.

use crossterm::event::KeyCode;
use mc_core::{id::TaskId, squad::SquadStatus, task::TaskState};

use super::fixture::{Stage, card};
use crate::{
    app::{Message, Place},
    keymap::Key,
    request::{Act, AgentVerb, Call, Failure, Request, SquadVerb},
};

fn lost() -> Message {
    let error = Failure { kind: None, text: "gone".to_owned() };
    Message::Lost { error, attempt: 1, retry_in_ms: 200 }
}

/// The words that the halt file was to be written with.
fn halt_words(stage: &Stage) -> Option<&str> {
    stage.asked.iter().find_map(|request| match request {
        Request::WriteHaltFile(words) => Some(words.as_str()),
        _ => None,
    })
}

#[test]
fn an_arrival_does_not_move_the_row_under_the_cursor() {
    let mut stage = Stage::live(120, 36);
    stage.keys("hhhhjj");
    let row = |stage: &Stage| {
        let frame = stage.frame(120, 36);
        frame
            .lines()
            .position(|line| line.contains(">T-"))
            .map(|at| (at, frame.lines().nth(at).unwrap()[..20].to_owned()))
    };
    let before = row(&stage);
    assert!(before.is_some());
    for id in [2000, 2001, 2004] {
        stage.task_changes(card(id, TaskState::Inbox, "urgent news", None));
    }
    assert_eq!(row(&stage), before);
}

#[test]
fn a_card_that_left_its_column_stays_until_the_cursor_moves() {
    let mut stage = Stage::live(120, 36);
    stage.task_changes(card(1042, TaskState::Done, "Rotate Stripe keys in billing-svc", None));
    assert!(stage.frame(120, 36).contains("T-1042 → Done"));
    stage.keys("j");
    assert!(!stage.frame(120, 36).contains("T-1042 → Done"));
}

#[test]
fn the_next_thing_for_me_is_the_red_approval_and_the_trail_leads_back() {
    let mut stage = Stage::live(120, 36);
    stage.keys(".");
    assert_eq!(stage.app.place(), Place::Approvals);
    assert!(stage.frame(120, 36).contains(">[R!] A-1"));
    stage.keys(".");
    assert_eq!(stage.app.place(), Place::Alerts);
    stage.keys("\u{1b}\u{1b}");
    assert_eq!(stage.app.place(), Place::Board);
}

#[test]
fn a_filter_works_while_it_is_typed_and_escape_clears_it() {
    let mut stage = Stage::live(120, 36);
    stage.keys("/stripe");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("filter: stripe · 1 of 25"), "{frame}");
    stage.keys("\n\u{1b}");
    assert!(stage.frame(120, 36).contains("25 tasks"));
    stage.keys("/nokey:x");
    assert!(stage.frame(120, 36).contains("nokey"));
}

#[test]
fn a_move_offers_the_legal_states_and_sends_a_note() {
    let mut stage = Stage::live(120, 36);
    stage.keys("h");
    assert_eq!(stage.app.column(), TaskState::Review);
    stage.keys("m");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("Done") && frame.contains("Move T-1066 from Review to"), "{frame}");
    let digit = (1..9).find(|n| stage.frame(120, 36).contains(&format!("{n} Done"))).unwrap();
    stage.keys(&format!("{digit}well done\n"));
    assert!(
        matches!(stage.acts()[..], [Act::Complete(call)] if call.note == "well done" && call.task == TaskId(1066))
    );
}

#[test]
fn a_draft_survives_escape() {
    let mut stage = Stage::live(120, 36);
    stage.keys("chalf a thought\u{1b}");
    assert!(stage.acts().is_empty());
    stage.keys("c!\n");
    assert!(matches!(stage.acts()[..], [Act::Post(call)] if call.text == "half a thought!"));
}

#[test]
fn a_quarantine_needs_the_name_of_the_agent() {
    let mut stage = Stage::live(120, 36);
    stage.keys("3");
    let name = stage.frame(120, 36).lines().find(|line| line.contains('>')).unwrap().to_owned();
    let name = if name.contains("heron") { "heron" } else { "osprey" };
    stage.keys("\n4odd calls\nwrong\n");
    assert!(stage.acts().is_empty());
    stage.key(Key::control('u'));
    stage.keys(&format!("{name}\n"));
    assert!(
        matches!(stage.acts()[..], [Act::Agent(AgentVerb::Quarantine, who, _)] if who.as_str() == name)
    );
}

#[test]
fn nothing_is_sent_while_the_link_is_down() {
    let mut stage = Stage::live(120, 36);
    stage.give(lost());
    stage.keys("m");
    assert!(stage.frame(120, 36).contains("nothing was sent"));
    assert!(stage.acts().is_empty());
}

#[test]
fn emergency_opens_over_everything_and_stops_with_the_word() {
    for keys in ["", "c", "3\n", "?", "/", "2", "+abc"] {
        let mut stage = Stage::live(20, 5);
        stage.keys(keys);
        stage.key(Key::alt('!'));
        assert!(stage.frame(20, 5).contains("STOP"), "{keys:?}: {}", stage.frame(20, 5));
        stage.keys("stop\n");
        assert!(
            stage.acts().iter().any(|act| matches!(act, Act::Squad(SquadVerb::Stop, _))),
            "{keys:?}: {:?}",
            stage.asked
        );
    }
}

#[test]
fn without_an_answer_the_halt_file_is_written() {
    let mut stage = Stage::live(80, 24);
    stage.keys("!STOP\n");
    assert_eq!(halt_words(&stage), None);
    stage.pass(2_100);
    let words = "ana typed STOP in the console; the daemon did not answer";
    assert_eq!(halt_words(&stage), Some(words));
    stage.give(Message::Halted(Ok(())));
    let frame = stage.frame(80, 24);
    assert!(frame.contains("does not answer") && frame.contains("/var/lib/mc/halt"), "{frame}");
}

#[test]
fn without_a_link_the_stop_takes_the_second_path_at_once() {
    let mut stage = Stage::empty(80, 24);
    stage.give(lost());
    stage.keys("!STOP\n");
    assert!(halt_words(&stage).is_some());
}

#[test]
fn once_the_daemon_is_back_the_box_says_what_became_of_the_stop() {
    let mut stage = Stage::live(80, 24);
    stage.give(lost());
    stage.keys("!STOP\n");
    let words = "ana typed STOP in the console; the daemon could not be reached";
    assert_eq!(halt_words(&stage), Some(words));
    stage.give(Message::Halted(Ok(())));
    let frame = stage.frame(80, 24);
    assert!(frame.contains("NOT CONFIRMED") && frame.contains("Esc closes"), "{frame}");
    stage.picture.status.halted = true;
    stage.give(Message::Up(Box::new(super::fixture::hello())));
    let frame = stage.frame(80, 24);
    assert!(frame.contains("holds the stop") && !frame.contains("NOT CONFIRMED"), "{frame}");
    stage.app.scene.world.squad.status = SquadStatus::Running;
    stage.pass(10);
    let frame = stage.frame(80, 24);
    assert!(frame.contains("That stop is over: the squad is running"), "{frame}");
    stage.keys("\u{1b}2");
    assert_eq!(stage.app.place(), Place::Approvals);
}

#[test]
fn a_daemon_that_is_back_and_does_not_hold_the_stop_is_told_from_one_that_does() {
    let mut stage = Stage::live(80, 24);
    stage.keys("!STOP\n");
    stage.pass(2_100);
    stage.give(Message::Halted(Ok(())));
    stage.give(lost());
    stage.give(Message::Up(Box::new(super::fixture::hello())));
    let frame = stage.frame(80, 24);
    assert!(frame.contains("does NOT say that it is stopped"), "{frame}");
    stage.asked.clear();
    stage.keys("STOP\n");
    assert!(matches!(stage.acts()[..], [Act::Squad(SquadVerb::Stop, _)]));
    stage.pass(2_100);
    assert!(halt_words(&stage).is_some(), "the second path is taken again");
}

#[test]
fn what_has_no_room_in_the_emergency_box_is_counted_and_scrolls() {
    let mut stage = Stage::live(80, 24);
    let agents: Vec<_> = (0..9)
        .map(|n| serde_json::json!({"agent": format!("crow-{n}"), "state": "ended", "was_working": true, "after_ms": 120}))
        .collect();
    let flying: Vec<_> = (0..5)
        .map(|n| serde_json::json!({"agent": format!("crow-{n}"), "task": "T-7", "run": "R-3", "call": "C-9", "what": "exec make"}))
        .collect();
    let report = serde_json::json!({
        "at": "2026-01-01T00:00:00Z", "by": "ana", "reason": "smoke in the rack",
        "agents": agents, "in_flight": flying, "last_allow_ms": -140_076,
    });
    stage.app.scene.world.squad.status = SquadStatus::Halted;
    stage.app.scene.world.squad.stop = Some(serde_json::from_value(report).unwrap());
    stage.keys("!");
    let frame = stage.frame(80, 24);
    for part in ["last call 2m20s before", "below: arrows", "Esc closes. From a shell: mcctl stop"]
    {
        assert!(frame.contains(part), "{part}: {frame}");
    }
    for _ in 0..40 {
        stage.key(Key::plain(KeyCode::Down));
    }
    let frame = stage.frame(80, 24);
    assert!(frame.contains("0 below: arrows") && frame.contains("type STOP"), "{frame}");
    assert_eq!(frame.matches("exec make").count(), 5, "all that was in flight: {frame}");
    stage.key(Key::plain(KeyCode::Up));
    assert!(stage.frame(80, 24).contains("1 below: arrows"), "{}", stage.frame(80, 24));
}

#[test]
fn escape_then_the_alarm_works_from_a_text_field_at_any_speed() {
    let mut stage = Stage::live(80, 24);
    stage.keys("c\u{1b}!");
    assert!(stage.frame(80, 24).contains("EMERGENCY"));
}

#[test]
fn a_stopped_squad_is_told_in_row_one() {
    let mut stage = Stage::live(80, 24);
    stage.app.scene.world.squad.status = SquadStatus::Halted;
    assert!(stage.frame(80, 24).lines().next().unwrap().contains("STOPPED"));
}

#[test]
fn after_a_loss_the_picture_is_renewed_and_the_cursor_stays() {
    let mut stage = Stage::live(120, 36);
    stage.keys("hh");
    let before = stage.app.column();
    stage.give(lost());
    assert!(stage.frame(120, 36).contains("RECONNECT"));
    stage.give(Message::Up(Box::new(super::fixture::hello())));
    let frame = stage.frame(120, 36);
    assert!(frame.contains("LIVE") && frame.contains("resynced"), "{frame}");
    assert_eq!(stage.app.column(), before);
}

#[test]
fn a_gap_in_the_feed_asks_for_a_fresh_picture() {
    let mut stage = Stage::live(120, 36);
    let item = super::fixture::item(stage.app.scene.world.head + 2);
    let requests = stage.app.update(stage.now(), Message::Item(Box::new(item)));
    assert!(requests.iter().any(|one| matches!(one, Request::Call(_, Call::Snapshot))));
}

#[test]
fn ctrl_c_twice_quits_and_q_walks_back_first() {
    let mut stage = Stage::live(120, 36);
    stage.keys("\nq");
    assert_eq!(stage.app.place(), Place::Board);
    assert!(!stage.asked.contains(&Request::Quit));
    stage.key(Key::control('c'));
    stage.key(Key::control('c'));
    assert!(stage.asked.contains(&Request::Quit));
}

#[test]
fn an_idle_console_wakes_only_for_the_minute_and_the_link() {
    let mut stage = Stage::live(120, 36);
    stage.app.scene.world.approvals.clear();
    stage.pass(11_000);
    stage.give(Message::Beat(mc_proto::method::feed::BeatNotice {
        now: stage.now().wall,
        head: 500,
    }));
    let wakes = stage.app.wakes_in(stage.now());
    assert_eq!(wakes, 7_500);
    stage.app.take_dirty();
    stage.steady += 5_000;
    stage.give(Message::Beat(mc_proto::method::feed::BeatNotice {
        now: stage.now().wall,
        head: 500,
    }));
    assert!(!stage.app.is_dirty(), "a beat alone draws nothing");
}

#[test]
fn hostile_text_never_reaches_a_cell() {
    let mut stage = Stage::live(160, 50);
    stage.keys("l");
    for keys in ["", "1\n", "2", "3", "4"] {
        stage.keys(keys);
        let buffer = stage.buffer(160, 50);
        for cell in buffer.content() {
            let bad = cell.symbol().chars().any(|c| c.is_control() || crate::text::is_unseen(c));
            assert!(!bad, "{:?}", cell.symbol());
        }
    }
    stage.key(Key::plain(KeyCode::Esc));
}

#[test]
fn a_watched_board_shows_each_task_once() {
    let mut stage = Stage::live(120, 36);
    for state in [TaskState::Assigned, TaskState::InProgress, TaskState::Review] {
        stage.task_changes(card(1101, state, "Docs: rate limits", Some("wren")));
        let frame = stage.frame(120, 36);
        assert_eq!(frame.matches("T-1101").count(), 1, "{frame}");
    }
}

#[test]
fn emergency_quarantines_the_agent_under_the_cursor_and_resumes_after_a_stop() {
    let mut stage = Stage::live(120, 36);
    stage.keys("3!3");
    assert!(stage.frame(120, 36).contains("quarantine osprey"));
    stage.keys("\u{1b}");
    stage.app.scene.world.squad.status = SquadStatus::Halted;
    stage.keys("!4checked\nRESUME\n");
    assert!(
        matches!(stage.acts()[..], [Act::Resume(call)] if call.reason == "checked" && call.tasks.is_none())
    );
}

#[test]
fn a_storm_of_events_is_one_merge() {
    let mut stage = Stage::live(120, 36);
    for seq in 501..1_501 {
        let item = super::fixture::item(seq);
        stage.app.update(stage.now(), Message::Item(Box::new(item)));
    }
    stage.app.prepare();
    stage.keys("4");
    assert!(stage.frame(120, 36).contains("e1500"));
}

#[test]
fn a_refused_stop_is_told_and_writes_no_halt_file() {
    let mut stage = Stage::live(80, 24);
    stage.keys("!STOP\n");
    let Some(Request::Call(ticket, _)) = stage.asked.pop() else { panic!("nothing sent") };
    let kind = Some(mc_proto::error::ErrorKind::Forbidden);
    let failure = Failure { kind, text: "yours is viewer".to_owned() };
    stage.give(Message::Answer(ticket, Box::new(Err(failure))));
    stage.pass(3_000);
    assert_eq!(halt_words(&stage), None);
    assert!(stage.frame(80, 24).contains("refused: yours is viewer"));
}

#[test]
fn what_was_sent_on_a_lost_link_is_called_unknown() {
    let mut stage = Stage::live(120, 36);
    stage.keys("chello\n");
    assert_eq!(stage.acts().len(), 1);
    stage.give(lost());
    let frame = stage.frame(120, 36);
    assert!(frame.contains("not known whether it was done"), "{frame}");
}

/// Puts what attacks a terminal into every free text of `value`.
fn poison(value: &mut serde_json::Value, key: &str) {
    const FREE: [&str; 26] = [
        "title",
        "summary",
        "reason",
        "justification",
        "rollback",
        "text",
        "next",
        "by",
        "note",
        "status_reason",
        "rule",
        "cwd",
        "tool",
        "command",
        "labels",
        "project",
        "decided_by",
        "attached",
        "blocked_reason",
        "model",
        "session",
        "preview",
        "error",
        "digest",
        "nonce",
        "read_only",
    ];
    match value {
        serde_json::Value::String(text) if FREE.contains(&key) => {
            text.push_str("\u{1b}]0;pwned\u{7}\u{9b}2J\u{202e}\u{200b}\u{e0041}\r\n\t\u{ad}");
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| poison(item, key)),
        serde_json::Value::Object(map) => map.iter_mut().for_each(|(key, item)| poison(item, key)),
        _ => {}
    }
}

#[test]
fn no_field_of_the_wire_reaches_a_cell_uncleaned() {
    let mut stage = Stage::empty(160, 50);
    let mut picture = serde_json::to_value(&stage.picture).unwrap();
    poison(&mut picture, "");
    stage.picture = serde_json::from_value(picture).unwrap();
    for detail in &mut stage.details {
        let mut value = serde_json::to_value(&*detail).unwrap();
        poison(&mut value, "");
        *detail = serde_json::from_value(value).unwrap();
    }
    let mut hello = super::fixture::hello();
    hello.actor.name.push_str("\u{1b}[31m\u{202e}");
    stage.give(Message::Up(Box::new(hello)));
    for keys in [
        "", "m", "\u{1b}r", "\u{1b}\n", "2", "JJJ", "d", "\u{1b}3", "\n", "1", "\u{1b}4", "!",
        "\u{1b}/x",
    ] {
        stage.keys(keys);
        for cell in stage.buffer(160, 50).content() {
            let bad = cell.symbol().chars().any(|c| c.is_control() || crate::text::is_unseen(c));
            assert!(!bad, "{keys:?}: {:?}", cell.symbol());
        }
        assert!(!stage.frame(160, 50).contains("[31m"), "{keys:?}");
    }
}

#[test]
fn who_is_away_is_told_what_waits_and_who_looks_is_not() {
    let red = |stage: &mut Stage, id: i64| {
        let seq = stage.app.scene.world.head + 1;
        let approval =
            super::fixture::approval(id, mc_core::policy::Risk::Red, "wren", "evil\u{1b}]0;x");
        let event = mc_core::event::Event::ApprovalRequested { approval: Box::new(approval) };
        let event = super::fixture::recorded(seq, mc_core::actor::Actor::agent("wren"), event);
        let item = mc_proto::method::feed::FeedItem { seq, event, changed: Vec::new() };
        stage.give(Message::Item(Box::new(item)));
    };
    let mut stage = Stage::live(120, 36);
    stage.keys("j");
    red(&mut stage, 41);
    stage.pass(60_000);
    assert!(!stage.asked.iter().any(|one| matches!(one, Request::Notify(_))), "somebody looked");
    red(&mut stage, 42);
    let Some(Request::Notify(notice)) = stage.asked.last() else { panic!("{:?}", stage.asked) };
    assert_eq!((notice.text.as_str(), notice.rings), ("MC: A-42 RED waits", true));
}
