//! Lists that change while somebody is elsewhere: nothing is hidden while there is room, and what
//! is hidden is counted.

use mc_core::{
    agent::{AgentStatus, Liveness},
    alert::Severity,
    approval::ApprovalStatus,
    id::TaskId,
    policy::Risk,
};

use super::fixture::{Stage, agent, alert, approval, hello};
use crate::app::{Message, Place};

#[test]
fn what_is_new_above_the_cursor_is_on_the_screen_when_there_is_room() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut stage = Stage::empty(width, height);
        stage.picture.approvals.retain(|one| one.id.0 == 3);
        stage.give(Message::Up(Box::new(hello())));
        stage.keys("2");
        let mut done = approval(3, Risk::Yellow, "osprey", "s3 rm -r s3://stale");
        done.status = ApprovalStatus::Approved;
        stage.approval_changes(done);
        for id in 40..44 {
            stage.approval_changes(approval(id, Risk::Red, "kestrel", "vault kv put"));
        }
        stage.keys("1");
        stage.keys("2");
        let frame = stage.frame(width, height);
        for id in ["A-40", "A-41", "A-42", "A-43"] {
            assert!(frame.contains(id), "{id}: {frame}");
        }
        assert!(!frame.contains("A-3 "), "what is decided has left: {frame}");
        assert!(!frame.contains(" above, "), "{frame}");
    }
}

#[test]
fn every_list_says_how_many_rows_it_hides() {
    let mut stage = Stage::empty(80, 24);
    for id in 100..140 {
        stage.picture.approvals.push(approval(id, Risk::Red, "kestrel", "vault kv put"));
        stage.picture.alerts.push(alert(id, Severity::Warning, "something is odd"));
        let name = format!("agent-{id}");
        stage.picture.agents.push(agent(&name, AgentStatus::Active, Liveness::Online));
    }
    stage.give(Message::Up(Box::new(hello())));
    for screen in ["2", "3", "4", "5"] {
        stage.keys(screen);
        if screen == "5" {
            stage.keys("\t");
        }
        let frame = stage.frame(80, 24);
        assert!(frame.contains(" 0 above, ") && frame.contains(" below "), "{screen}: {frame}");
        stage.keys("G");
        let frame = stage.frame(80, 24);
        assert!(frame.contains(" above, 0 below "), "{screen}: {frame}");
    }
}

#[test]
fn on_a_larger_screen_the_rows_above_come_back() {
    let mut stage = Stage::empty(80, 24);
    for id in 100..114 {
        let name = format!("agent-{id}");
        stage.picture.agents.push(agent(&name, AgentStatus::Active, Liveness::Online));
    }
    stage.give(Message::Up(Box::new(hello())));
    stage.keys("3G");
    assert!(stage.frame(80, 24).contains(" above, 0 below "), "{}", stage.frame(80, 24));
    stage.give(Message::Resize(ratatui::layout::Size { width: 120, height: 40 }));
    let frame = stage.frame(120, 40);
    assert!(!frame.contains(" above, ") && frame.contains("heron"), "{frame}");
}

#[test]
fn a_task_that_there_is_not_is_said_to_be_missing_and_never_loads_for_ever() {
    let mut stage = Stage::empty(80, 24);
    stage.app.start_at(Place::Task(TaskId(99)));
    stage.give(Message::Up(Box::new(hello())));
    assert!(stage.app.is_settled());
    assert_eq!(stage.app.trouble(), Some("task `T-99` not found"));
    let frame = stage.frame(80, 24);
    assert!(frame.contains("T-99 task `T-99` not found") && !frame.contains("loading"), "{frame}");
    stage.keys("1");
    assert_eq!(stage.app.trouble(), None, "the board has what it shows");
}

#[test]
fn what_is_decided_leaves_the_inbox_with_the_next_move_and_a_filter_finds_it() {
    let mut stage = Stage::live(120, 36);
    stage.keys("2");
    let mut done = approval(1, Risk::Red, "kestrel", "vault kv put");
    done.status = ApprovalStatus::Denied;
    done.decided_by = Some("ben".to_owned());
    done.decided_at = Some(stage.now().wall);
    stage.approval_changes(done);
    let frame = stage.frame(120, 36);
    assert!(frame.contains("A-1   denied by ben"), "under the cursor it stays: {frame}");
    stage.keys("j");
    let frame = stage.frame(120, 36);
    assert!(!frame.contains("A-1 "), "{frame}");
    stage.keys("/state:denied\n");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("A-1   denied by ben") && !frame.contains("A-30"), "{frame}");
    stage.keys("\u{1b}");
    assert!(!stage.frame(120, 36).contains("A-1 "), "{}", stage.frame(120, 36));
}

#[test]
fn an_empty_inbox_says_who_decided_last() {
    let mut stage = Stage::empty(120, 36);
    stage.picture.approvals.retain(|one| one.status != ApprovalStatus::Pending);
    stage.give(Message::Up(Box::new(hello())));
    stage.keys("2");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("last decision 13:47 by ana"), "{frame}");
}

#[test]
fn the_board_shows_the_screens_and_all_counts_at_80_columns() {
    let stage = Stage::live(80, 24);
    let frame = stage.frame(80, 24);
    assert!(frame.contains("[1 Board]  2 Approvals 3   3 Fleet   4 Alerts 2   5 Cost"), "{frame}");
    assert!(frame.contains("Inb16 Asg1 Prog2 Rev1 [Appr 1] Blk2 Done1 Can1"), "{frame}");
}
