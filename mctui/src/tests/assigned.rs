//! A task says on its screen which rule gave it to its assignee, and why to this one.

use mc_core::task::ByRule;

use super::fixture::{Stage, ago, hello};
use crate::app::Message;

#[test]
fn a_task_that_a_rule_gave_says_why_this_agent() {
    let mut stage = Stage::empty(160, 50);
    stage.by_rule = Some(ByRule {
        rule: "assign.code".to_owned(),
        why: "type engineering; least loaded of 2: kestrel 0, wren 1; left out: crow is paused"
            .to_owned(),
        at: ago(60),
    });
    stage.give(Message::Up(Box::new(hello())));
    stage.give(Message::Drawn);
    stage.keys("hhh\n");
    let frame = stage.frame(160, 50);
    let line = "by assign.code: type engineering; least loaded of 2: kestrel 0, wren 1; left out: \
                crow is paused";
    assert!(frame.contains(line), "{frame}");
    assert!(stage.ascii().frame(120, 36).is_ascii());

    let mut plain = Stage::live(160, 50);
    plain.keys("hhh\n");
    assert!(!plain.frame(160, 50).contains("assign."));
}
