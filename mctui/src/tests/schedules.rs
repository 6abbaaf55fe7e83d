//! The schedules: listed with their times, held back and resumed, and current after each event.

use mc_core::{
    actor::{Actor, Level},
    event::{Event, ScheduleStatusChanged},
    id::{ScheduleId, TaskId},
    money::MicroUsd,
    schedule::{CatchUp, MadeTask, ScheduleStatus, TaskSchedule, TaskTemplate},
    time::Timestamp,
};
use mc_proto::method::{feed::FeedItem, schedule::View};

use super::fixture::{NOON, Stage, ago, name, recorded};
use crate::{
    app::Message,
    keymap::Key,
    request::{Act, Call, Reply, Request, ScheduleVerb},
};

const HOUR: i64 = 3_600_000;

fn schedule(id: i64, (cron, zone): (&str, &str), title: &str) -> TaskSchedule {
    TaskSchedule {
        id: ScheduleId(id),
        rev: 1,
        cron: cron.to_owned(),
        zone: zone.to_owned(),
        catch_up: CatchUp::Once,
        skip_if_open: true,
        task: TaskTemplate {
            title: title.to_owned(),
            task_type: "ops".to_owned(),
            ..TaskTemplate::default()
        },
        status: ScheduleStatus::Active,
        next_at: Some(Timestamp(NOON.0 + 20 * HOUR + HOUR / 2)),
        seen_until: NOON,
        last_task: None,
        created: 0,
        left_out: 0,
        created_by: Actor::human("ana".to_owned(), Level::L2),
        created_at: ago(86_400),
        updated_at: ago(86_400),
    }
}

/// What the daemon tells of them, newest first.
pub(super) fn schedules() -> Vec<View> {
    let new = schedule(3, ("*/15 * * * *", "UTC"), "Look at\u{202e} the queue");
    let mut paused = schedule(2, ("0 3 1 * *", "Asia/Tokyo"), "Close the month");
    (paused.status, paused.next_at) = (ScheduleStatus::Paused, None);
    (paused.catch_up, paused.skip_if_open) = (CatchUp::All, false);
    let mut mail = schedule(1, ("30 8 * * MON-FRI", "Europe/Berlin"), "Read the mail");
    (mail.created, mail.left_out, mail.last_task) = (41, 2, Some(TaskId(1092)));
    mail.task.assignees = vec![name("wren")];
    mail.task.budget_uusd = Some(MicroUsd::cents(50));
    let times: Vec<_> = (0..3).map(|day| Timestamp(NOON.0 + (20 + 24 * day) * HOUR)).collect();
    let made = MadeTask { task: TaskId(1092), due: ago(4 * 3600) };
    vec![
        View { schedule: new, next: times.clone(), tasks: Vec::new() },
        View { schedule: paused, next: Vec::new(), tasks: Vec::new() },
        View { schedule: mail, next: times, tasks: vec![made] },
    ]
}

#[test]
fn schedules_are_listed_with_their_times_and_what_became_of_them() {
    let mut stage = Stage::live(120, 36);
    stage.keys("sG");
    let frame = stage.frame(120, 36);
    for part in ["J-3", "Look at the queue", "J-2", "paused", "J-1", "Europe/Berlin", "in 20h"] {
        assert!(frame.contains(part), "{part}: {frame}");
    }
    for part in ["T-1092 of", "41 made, 2 left out", "once; nothing is created", "for wren"] {
        assert!(frame.contains(part), "{part}: {frame}");
    }
    assert!(!frame.contains('\u{202e}'));
}

#[test]
fn a_schedule_is_paused_and_another_resumed_with_a_reason() {
    let mut stage = Stage::live(120, 36);
    stage.keys("sr");
    assert!(stage.acts().is_empty() && !stage.frame(120, 36).contains("Resume J-3"));
    stage.keys("pholidays\n");
    let Some(Request::Call(ticket, Call::Act(act, _))) = stage.asked.pop() else {
        panic!("nothing was sent")
    };
    let holidays = Some("holidays".to_owned());
    assert_eq!(*act, Act::Schedule(ScheduleVerb::Pause, ScheduleId(3), holidays));
    let done = Reply::Done("J-3 is paused".to_owned());
    stage.give(Message::Answer(ticket, Box::new(Ok(done))));
    let frame = stage.frame(120, 36);
    assert!(frame.contains("Schedules") && frame.contains("J-3 is paused"), "{frame}");
    stage.keys("jp");
    assert!(!stage.frame(120, 36).contains("Pause J-2"), "it is paused already");
    stage.keys("r\n");
    assert!(matches!(stage.acts()[..], [Act::Schedule(ScheduleVerb::Resume, ScheduleId(2), None)]));
}

#[test]
fn enter_opens_the_last_task_and_refuses_where_there_is_none() {
    let mut stage = Stage::live(120, 36);
    stage.keys("s\n");
    assert!(stage.frame(120, 36).contains("Schedules"), "no task was created yet");
    stage.keys("G");
    stage.key(Key::plain(crossterm::event::KeyCode::Enter));
    let frame = stage.frame(120, 36);
    assert!(!frame.contains("Schedules") && frame.contains("T-1092"), "{frame}");
}

#[test]
fn the_list_is_asked_again_when_a_schedule_changes() {
    let mut stage = Stage::live(120, 36);
    stage.keys("s");
    let change = ScheduleStatusChanged {
        schedule: ScheduleId(3),
        from: ScheduleStatus::Active,
        to: ScheduleStatus::Paused,
        next_at: None,
    };
    let seq = stage.app.scene.world.head + 1;
    let actor = Actor::human("ben".to_owned(), Level::L2);
    let event = recorded(seq, actor, Event::ScheduleStatusChanged(change));
    let item = FeedItem { seq, event, changed: Vec::new() };
    let asked = stage.app.update(stage.now(), Message::Item(Box::new(item)));
    let again = |one: &Request| matches!(one, Request::Call(_, Call::Schedules));
    assert!(asked.iter().any(again), "{asked:?}");
}
