//! What an operator's walk through the screens has to find.

use mc_core::{
    actor::{Actor, Level, Role},
    agent::AgentStatus,
    approval::{ApprovalKind, ApprovalStatus},
    budget::{Caps, Scope},
    delivery::Try,
    event::Event,
    id::{DeliveryId, TaskId},
    money::MicroUsd,
    policy::Risk,
};
use mc_proto::method::feed::FeedItem;

use super::fixture::{Stage, approval, detail, hello, recorded};
use crate::app::{Message, Place};

fn happens(stage: &mut Stage, event: Event) {
    let seq = stage.app.scene.world.head + 1;
    let event = recorded(seq, Actor::human("ana", Level::L2), event);
    stage.give(Message::Item(Box::new(FeedItem { seq, event, changed: Vec::new() })));
    stage.pass(10);
}

fn first_row(stage: &Stage, width: u16, height: u16) -> String {
    stage.frame(width, height).lines().next().unwrap().to_owned()
}

#[test]
fn the_cap_in_row_one_is_the_one_in_force() {
    let mut stage = Stage::empty(120, 36);
    stage.picture.status.daily_cap_uusd = Some(MicroUsd::cents(10_000));
    stage.give(Message::Up(Box::new(hello())));
    assert!(first_row(&stage, 120, 36).contains("of $100.00 today"));
    let caps = Caps { uusd: Some(MicroUsd::cents(15_000)), tokens: None };
    let of = "squad".to_owned();
    happens(&mut stage, Event::BudgetSet { scope: Scope::SquadDay, of, task: None, caps });
    let row = first_row(&stage, 120, 36);
    assert!(row.contains("of $150.00 today"), "{row}");
}

#[test]
fn row_one_tells_what_today_costs_at_80_columns_too() {
    let mut stage = Stage::live(80, 24);
    let row = first_row(&stage, 80, 24);
    assert!(row.contains("NEEDS 5") && row.contains("$9.20 of $150.00"), "{row}");
    stage.app.scene.is_demo = true;
    stage.app.scene.world.shared_uid = true;
    let row = first_row(&stage, 80, 24);
    assert!(row.contains("$9.20 of $150.00") && row.contains("SHARED UID"), "{row}");
}

#[test]
fn why_a_key_did_nothing_is_gone_with_the_next_key() {
    let mut stage = Stage::live(120, 14);
    stage.keys("2a");
    assert!(stage.frame(120, 14).contains("read the evidence to its last line"));
    stage.keys("J");
    assert!(!stage.frame(120, 14).contains("read the evidence to its last line"));
}

/// A console on whose screen an agent asks for a higher cap.
fn wants_more(width: u16, height: u16) -> Stage {
    let mut stage = Stage::empty(width, height);
    let mut more = approval(8, Risk::Yellow, "kestrel", "raise the budget of T-1 to $1.35");
    more.kind = ApprovalKind::BudgetOverride;
    more.can_rewrite = false;
    more.statement.kind = ApprovalKind::BudgetOverride;
    more.statement.arguments = serde_json::json!({
        "cap_uusd": 1_000_000, "spent_uusd": 1_020_000, "raise": {"to": {"uusd": 1_350_000}},
    });
    more.digest = more.statement.digest();
    stage.details = vec![detail(more.clone())];
    stage.picture.approvals = vec![more];
    stage.give(Message::Up(Box::new(hello())));
    stage
}

#[test]
fn a_cap_that_is_to_be_raised_is_shown_before_and_after_and_offers_no_rule() {
    let mut stage = wants_more(120, 60);
    stage.keys("2");
    let frame = stage.frame(120, 60);
    assert!(frame.contains("$1.00 → $1.35  (counts as spent: $1.02)"), "{frame}");
    assert!(!frame.contains("standing rule") && !frame.contains("e edit"), "{frame}");
    stage.keys("e");
    assert!(stage.frame(120, 60).contains("A-8: this is no call"), "{}", stage.frame(120, 60));
    stage.keys("a");
    let frame = stage.frame(120, 60);
    assert!(frame.contains("the cap: $1.00 → $1.35") && frame.contains("lowered again"), "{frame}");
    assert!(!frame.contains("[r] and remember"), "{frame}");
    assert!(frame.contains("because: shell commands are asked until"), "{frame}");
    stage.keys("r");
    assert!(stage.frame(120, 60).contains("this is no call"), "{}", stage.frame(120, 60));
}

#[test]
fn a_form_says_what_enter_does_and_has_a_border() {
    let mut stage = Stage::live(120, 36);
    stage.keys("+");
    assert!(stage.frame(120, 36).contains("Enter or Tab: next field"));
    stage.keys("a title\t\t\t\t");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("Enter sends") && !frame.contains("next field"), "{frame}");
    stage.keys("\u{1b}4a");
    let frame = stage.frame(120, 36);
    let title = frame.lines().find(|row| row.contains(" Acknowledge W-9 ")).expect("the form");
    assert!(title.contains("┌ Acknowledge W-9 ─"), "{frame}");
    assert!(frame.lines().any(|row| row.contains("│Enter sends")), "{frame}");
}

#[test]
fn an_edit_shows_its_reason_before_it_is_sent() {
    let mut stage = Stage::live(120, 60);
    stage.keys("2je --force\ttoo wide\n");
    let frame = stage.frame(120, 60);
    assert!(frame.contains("[y] change it") && frame.contains("reason: too wide"), "{frame}");
}

#[test]
fn the_reason_of_a_resume_is_not_told_as_what_an_agent_does() {
    let mut stage = Stage::empty(120, 36);
    for view in &mut stage.picture.agents {
        view.agent.status_reason = Some("typo fixed".to_owned());
        if view.agent.name.as_str() == "wren" {
            view.agent.status = AgentStatus::Paused;
        }
    }
    stage.picture.approvals.retain(|one| one.status == ApprovalStatus::Pending);
    stage.give(Message::Up(Box::new(hello())));
    stage.keys("3t");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("wait for you 3") && frame.contains("waits, paused"), "{frame}");
    for _ in 0..5 {
        let frame = stage.frame(120, 36);
        let row = frame.lines().find(|row| row.starts_with("│>")).expect("a cursor").to_owned();
        let is_held = row.contains("paused");
        assert_eq!(frame.contains("typo fixed"), is_held, "{frame}");
        stage.keys("j");
    }
}

#[test]
fn an_unlock_and_a_sink_tried_again_are_no_rows_of_the_feed_but_of_a_filtered_one() {
    let mut stage = Stage::live(120, 36);
    let event = Event::OperatorUnlocked {
        operator: "ana".to_owned(),
        role: Role::Admin,
        success: true,
        second_factor: false,
    };
    happens(&mut stage, event);
    let next_at = stage.now().wall;
    let outcome = Try::Failed { error: "connection refused".to_owned(), next_at, not_before: None };
    happens(
        &mut stage,
        Event::DeliveryTried { delivery: DeliveryId(3), sink: "phone".to_owned(), outcome },
    );
    stage.keys("4");
    let frame = stage.frame(120, 36);
    assert!(!frame.contains("unlocked") && !frame.contains("did not take"), "{frame}");
    stage.keys("/unlocked\n");
    assert!(stage.frame(120, 36).contains("unlocked"), "{}", stage.frame(120, 36));
    stage.keys("\u{1b}/phone\n");
    assert!(stage.frame(120, 36).contains("did not take D-3"), "{}", stage.frame(120, 36));
}

#[test]
fn long_answers_are_whole_on_the_screen_of_the_task() {
    use crate::screens::answers::Known;
    let mut long = super::fixture::answers();
    long.why.text = "a reason that takes more than one line ".repeat(4);
    let mut known = Known::default();
    known.want(TaskId(1));
    known.take(TaskId(1), long);
    let shown = |lines: Vec<crate::widgets::Line>| -> String {
        let texts = lines.iter().flat_map(|line| line.pieces().map(|(_, text)| text.to_owned()));
        let text = texts.collect::<Vec<String>>().concat();
        text.split_whitespace().collect::<Vec<&str>>().join(" ")
    };
    let all = known.whole(80, 10);
    assert!(all.len() > 5 && all.iter().all(|line| line.width() <= 80));
    assert_eq!(shown(all).matches("more than one line").count(), 4);
    assert_eq!(known.whole(80, 5).len(), 5, "each is cut where there is no room");
    assert!(shown(known.whole(80, 6)).contains('…'));
    let mut stage = Stage::live(80, 24);
    stage.keys("\n");
    assert!(stage.frame(80, 24).contains("$0.42 of $5.00"), "{}", stage.frame(80, 24));
}

#[test]
fn enter_on_a_row_of_the_timeline_opens_that_row() {
    let mut stage = Stage::live(120, 36);
    stage.keys("\nk\n");
    let frame = stage.frame(120, 36);
    assert!(frame.contains(" e312 ") && frame.contains("because of test"), "{frame}");
    stage.keys("\u{1b}j\n");
    assert_eq!(stage.app.place(), Place::Approvals);
}
