//! The end of an emergency stop for some tasks: marked, confirmed, and never what is gone by then.

use mc_core::{
    id::TaskId,
    squad::{SquadStatus, StoppedTask},
    task::TaskState,
};

use super::fixture::Stage;
use crate::request::Act;

const SIZES: [(u16, u16); 3] = [(40, 12), (80, 24), (120, 36)];

/// A squad that is stopped, with the first tasks of the board blocked by it.
fn stopped(width: u16, height: u16) -> (Stage, Vec<TaskId>) {
    let mut stage = Stage::live(width, height);
    let squad = &mut stage.app.scene.world.squad;
    squad.status = SquadStatus::Halted;
    let tasks: Vec<TaskId> = stage.app.scene.world.tasks.keys().take(4).copied().collect();
    let squad = &mut stage.app.scene.world.squad;
    squad.stopped =
        tasks.iter().map(|task| StoppedTask { task: *task, from: TaskState::InProgress }).collect();
    (stage, tasks)
}

#[test]
fn what_is_marked_is_resumed_after_a_reason_and_the_word() {
    let (mut stage, tasks) = stopped(120, 36);
    stage.keys("!5\n");
    assert!(stage.acts().is_empty(), "nothing is marked");
    stage.keys(" j \n");
    let frame = stage.frame(120, 36);
    let said = format!("go {} {};", tasks[0], tasks[2]);
    assert!(frame.contains("Resume 2 tasks") && frame.contains(&said), "{frame}");
    stage.keys("checked these\nresume\n");
    assert!(stage.acts().is_empty(), "the word is RESUME");
    let (mut stage, tasks) = stopped(120, 36);
    stage.keys("!5 j \nchecked these\nRESUME\n");
    let [Act::Resume(call)] = stage.acts()[..] else { panic!("{}", stage.frame(120, 36)) };
    assert_eq!(call.reason, "checked these");
    assert_eq!(call.tasks, Some(vec![tasks[0], tasks[2]]));
}

#[test]
fn all_of_an_agent_and_all_are_marked_by_one_key_and_unmarked_by_the_same() {
    let (mut stage, _) = stopped(120, 36);
    stage.keys("!5V");
    assert!(stage.frame(120, 36).contains("4 of 4 marked"));
    stage.keys("V");
    assert!(stage.frame(120, 36).contains("0 of 4 marked"));
    stage.keys("A");
    let frame = stage.frame(120, 36);
    assert!(!frame.contains("0 of 4 marked"), "{frame}");
    stage.keys("A");
    assert!(stage.frame(120, 36).contains("0 of 4 marked"));
}

#[test]
fn what_somebody_moved_back_meanwhile_is_marked_no_more() {
    let (mut stage, tasks) = stopped(120, 36);
    stage.keys("!5V");
    stage.app.scene.world.squad.stopped.retain(|one| one.task != tasks[1]);
    // Whatever comes in makes the list look at the squad again.
    stage.keys("j\nwhy\nRESUME\n");
    let [Act::Resume(call)] = stage.acts()[..] else { panic!("{}", stage.frame(120, 36)) };
    assert_eq!(call.tasks, Some(vec![tasks[0], tasks[2], tasks[3]]));
}

#[test]
fn the_list_fits_every_size() {
    for (width, height) in SIZES {
        let (mut stage, _) = stopped(width, height);
        stage.keys("!");
        if width == 120 {
            insta::assert_snapshot!("resume_offered_120x36", stage.frame(width, height));
        }
        stage.keys("5 ");
        insta::assert_snapshot!(
            format!("resume_some_{width}x{height}"),
            stage.frame(width, height)
        );
    }
}
