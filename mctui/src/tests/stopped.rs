//! A stop that is in force: how far it got, and the end of a runtime that does not obey.

use mc_core::squad::{ProcessState, SquadStatus};

use super::fixture::Stage;
use crate::request::Act;

/// A stop that wren and jay were not seen to have obeyed; one process runs both.
fn stopped() -> Stage {
    let mut stage = Stage::live(120, 36);
    let report = serde_json::json!({
        "at": "2026-01-01T00:00:00Z", "by": "ana", "reason": "smoke in the rack",
        "agents": [
            {"agent": "crow", "state": "ended", "was_working": true, "after_ms": 120},
            {"agent": "jay", "state": "unreached", "was_working": true},
            {"agent": "rook", "state": "idle", "was_working": false},
            {"agent": "wren", "state": "not_stopped", "was_working": true, "after_ms": 2001,
                "detail": "a command goes on\u{1b}[2J"},
        ],
        "in_flight": [
            {"agent": "wren", "run": "R-3", "what": "agent:wren:main"},
            {"agent": "wren", "task": "T-7", "run": "R-3", "call": "C-9", "what": "exec make"},
        ],
        "processes": [
            {"pid": 4242, "runtime": "openclaw 1 (gateway)", "agents": ["jay", "wren"],
                "state": "offered"},
        ],
        "last_allow_ms": -40,
    });
    stage.app.scene.world.squad.status = SquadStatus::Halted;
    stage.app.scene.world.squad.stop = Some(serde_json::from_value(report).unwrap());
    stage
}

#[test]
fn emergency_shows_how_far_the_stop_got_who_goes_on_first() {
    let mut stage = stopped();
    stage.keys("!");
    insta::assert_snapshot!("emergency_progress_120x36", stage.frame(120, 36));
    assert!(stage.frame(40, 12).contains("STOP"), "the way to stop stays on a small screen");
}
#[test]
fn a_runtime_that_does_not_stop_is_ended_after_a_reason_and_its_number() {
    let mut stage = stopped();
    stage.keys("!");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("6 End runtime…") && frame.contains("6 ends it with all"), "{frame}");
    stage.keys("6");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("End process 4242") && frame.contains("agents that it runs"), "{frame}");
    stage.keys("it hangs\n4241\n");
    assert!(stage.acts().is_empty(), "the number is 4242");
    let mut stage = stopped();
    stage.keys("!6it hangs\n4242\n");
    let [Act::EndRuntime(call)] = stage.acts()[..] else { panic!("{}", stage.frame(120, 36)) };
    assert_eq!((call.pid, call.reason.as_str()), (4242, "it hangs"));
}

#[test]
fn of_several_runtimes_one_is_chosen_and_what_is_not_offered_is_not() {
    let mut stage = stopped();
    let report = stage.app.scene.world.squad.stop.as_mut().unwrap();
    let mut other = report.processes[0].clone();
    other.pid = 77;
    report.processes.push(other);
    stage.keys("!62");
    assert!(stage.frame(120, 36).contains("End process 77"), "{}", stage.frame(120, 36));
    let mut stage = stopped();
    stage.app.scene.world.squad.stop.as_mut().unwrap().processes[0].state = ProcessState::Ending;
    stage.keys("!6");
    let frame = stage.frame(120, 36);
    assert!(!frame.contains("End runtime") && frame.contains("EMERGENCY"), "{frame}");
}
