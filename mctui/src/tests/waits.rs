//! What a task waits for stands on its card and on its screen, until it waits for nothing.

use mc_core::{
    actor::Actor,
    event::Event,
    id::TaskId,
    message::MessageKind,
    task::{TaskState, waits::PROMOTER},
};

use mc_proto::method::feed::FeedItem;

use super::fixture::{Stage, ago, card, hello, recorded, thread};
use crate::app::Message;

/// A console in which T-1092 depends on an open, a closed and a blocked task.
fn stage(width: u16, height: u16) -> Stage {
    let mut stage = Stage::empty(width, height);
    let waiting = stage.picture.tasks.iter_mut().find(|card| card.id == TaskId(1092)).unwrap();
    waiting.depends_on = vec![TaskId(1079), TaskId(990), TaskId(1033)];
    stage.give(Message::Up(Box::new(hello())));
    stage.give(Message::Drawn);
    stage
}

fn close(stage: &mut Stage, id: i64, state: TaskState) {
    stage.task_changes(card(id, state, "Closed", None));
}

#[test]
fn a_card_and_a_task_say_what_is_waited_for() {
    for (width, height) in [(80, 24), (120, 36), (160, 50)] {
        let mut stage = stage(width, height);
        stage.keys("hhh");
        insta::assert_snapshot!(
            format!("waits_board_{width}x{height}"),
            stage.frame(width, height)
        );
        stage.keys("\n");
        insta::assert_snapshot!(format!("waits_task_{width}x{height}"), stage.frame(width, height));
    }
    let mut stage = stage(120, 36);
    stage.keys("hhh\n");
    assert!(stage.ascii().frame(120, 36).is_ascii());
}

#[test]
fn what_closes_elsewhere_counts_at_once_and_the_promotion_is_told() {
    let mut stage = stage(160, 50);
    assert!(stage.frame(160, 50).contains("waits 2/3"));
    stage.keys("hhh\n");
    let line = "waits for 2 of 3 · open: T-1079, T-1033 · closed: T-990";
    assert!(stage.frame(160, 50).contains(line), "{}", stage.frame(160, 50));
    close(&mut stage, 1079, TaskState::Done);
    let line = "waits for 1 of 3 · open: T-1033 · closed: T-1079, T-990";
    assert!(stage.frame(160, 50).contains(line), "{}", stage.frame(160, 50));

    let mut told = thread().remove(0);
    told.author = Actor::system(PROMOTER);
    told.kind = MessageKind::System;
    told.text = "T-1092 can start: T-1033 was the last that it waited for".to_owned();
    told.at = ago(0);
    told.task = TaskId(1092);
    stage.thread.push(told.clone());
    close(&mut stage, 1033, TaskState::Canceled);
    let seq = stage.app.scene.world.head + 1;
    let posted = Event::MessagePosted { message: Box::new(told) };
    let event = recorded(seq, Actor::system(PROMOTER), posted);
    stage.give(Message::Item(Box::new(FeedItem { seq, event, changed: Vec::new() })));
    stage.pass(1_000);
    let frame = stage.frame(160, 50);
    let line = "waited for 3 · closed: T-1079, T-990, T-1033 · ";
    let told = "T-1092 can start: T-1033 was the last that it waited for";
    let row = frame.lines().find(|row| row.contains(line)).unwrap_or_else(|| panic!("{frame}"));
    assert!(row.contains(told), "{row}");
}
