//! Finding, the causes, what changed, views and exports.

use mc_core::{id::TaskId, task::TaskState};

use super::fixture::{Stage, card};
use crate::{
    app::{Message, Place},
    request::Request,
};

fn exported(stage: &mut Stage) -> String {
    let Some(Request::Export(text)) = stage.asked.pop() else { panic!("{:?}", stage.asked) };
    text
}

#[test]
fn find_ranks_numbers_first_and_opens_what_was_found() {
    let mut stage = Stage::live(120, 36);
    stage.keys("4ft-1042");
    let frame = stage.frame(120, 36);
    assert!(frame.contains(">task   T-1042"), "{frame}");
    stage.keys("\n");
    assert_eq!(stage.app.place(), Place::Task(TaskId(1042)));
    stage.keys("\u{1b}f");
    stage.give(Message::Paste("vault kv".to_owned()));
    let frame = stage.frame(120, 36);
    assert!(frame.contains("asked  A-1 ") && frame.contains("event  e499"), "{frame}");
    stage.keys("zzz");
    assert!(stage.frame(120, 36).contains("nothing matches"));
}

#[test]
fn because_tells_who_the_cause_and_the_reason() {
    let mut stage = Stage::live(120, 36);
    stage.keys("2b");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("Because: T-1042") && frame.contains("because of"), "{frame}");
    assert!(frame.contains("by system (policy)"), "{frame}");
}

#[test]
fn what_changed_is_told_once_by_task() {
    let mut stage = Stage::live(120, 36);
    stage.keys("w");
    assert!(stage.frame(120, 36).contains("nothing has changed since you last looked"));
    stage.task_changes(card(1100, TaskState::Assigned, "Bump parser 2.4", None));
    stage.task_changes(card(1100, TaskState::InProgress, "Bump parser 2.4", None));
    stage.keys("w");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("2 events since") && frame.contains("T-1100 Bump parser"), "{frame}");
    stage.keys("\u{1b}w");
    assert!(stage.frame(120, 36).contains("nothing has changed since you last looked"));
}

#[test]
fn a_view_is_a_filter_that_is_shown() {
    let mut stage = Stage::live(120, 36);
    stage.keys("v2");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("filter: is:blocked"), "{frame}");
    stage.keys("v1");
    assert!(!stage.frame(120, 36).contains("filter: is"));
    for place in ["1", "2", "3", "4", "5"] {
        stage.keys(place);
        stage.keys("v");
        assert!(stage.frame(120, 36).contains("everything"));
        stage.keys("\u{1b}");
    }
}

#[test]
fn an_export_holds_what_passes_the_filter_and_the_screen_without_its_menu() {
    let mut stage = Stage::live(120, 36);
    stage.keys("/agent:heron\nx2");
    let csv = exported(&mut stage);
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.contains("Upgrade TLS stack"), "{csv}");
    stage.keys("\u{1b}2x3");
    let json = exported(&mut stage);
    let rows: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 4);
    stage.keys("1x1");
    let shot = exported(&mut stage);
    assert!(shot.contains("T-1042") && !shot.contains("Write to a file"), "{shot}");
}
