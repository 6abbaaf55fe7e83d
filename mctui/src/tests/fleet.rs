//! Who is sick, for how long, and what that agent may spend.

use mc_core::{
    agent::{AgentStatus, Liveness},
    id::{RunId, TaskId},
    money::MicroUsd,
};

use super::fixture::{Stage, agent, ago, hello, name, run};
use crate::{
    app::Message,
    request::{Call, Request},
};

/// A squad in which everything that can be wrong is wrong.
fn sick(width: u16, height: u16) -> Stage {
    let mut stage = Stage::empty(width, height);
    let mut silent = agent("magpie", AgentStatus::Active, Liveness::Online);
    silent.silent_since = Some(ago(32 * 60));
    silent.last_heartbeat = Some(ago(1));
    silent.agent.current_task = Some(TaskId(1071));
    silent.agent.current_run = Some(RunId(3));
    let mut lost = agent("crow", AgentStatus::Active, Liveness::Offline);
    lost.last_heartbeat = Some(ago(40 * 60));
    let mut child = agent("merlin", AgentStatus::Active, Liveness::Online);
    child.agent.parent = Some(name("kestrel"));
    child.agent.error_streak = 2;
    let mut poor = agent("ibis", AgentStatus::Quarantined, Liveness::Online);
    poor.agent.status_reason = Some("reads what it must not\u{1b}[2J".to_owned());
    poor.today_uusd = MicroUsd::cents(450);
    let late = agent("finch", AgentStatus::Active, Liveness::Late);
    let gone = agent("swift", AgentStatus::Active, Liveness::Offline);
    stage.picture.agents.extend([silent, lost, child, poor, late, gone]);
    stage.picture.runs.push(run(9, "crow", 1012));
    stage.give(Message::Up(Box::new(hello())));
    stage.give(Message::Drawn);
    stage
}

#[test]
fn the_sick_stand_before_the_well_and_say_for_how_long() {
    for (width, height) in [(60, 16), (80, 24), (120, 36), (160, 50)] {
        let mut stage = sick(width, height);
        stage.keys("3");
        insta::assert_snapshot!(format!("fleet_sick_{width}x{height}"), stage.frame(width, height));
    }
    let mut stage = sick(120, 36);
    stage.keys("3t");
    let frame = stage.frame(120, 36);
    let at = |word: &str| frame.lines().position(|line| line.contains(word)).expect(word);
    let order = ["osprey", "crow", "magpie", "finch", "ibis", "robin", "merlin", "swift"];
    let places = order.map(at);
    assert!(places[1..].is_sorted() && places[0] < places[1], "{frame}");
    assert!(stage.ascii().frame(120, 36).is_ascii());
}

#[test]
fn beats_are_asked_for_while_the_fleet_is_open_and_only_then() {
    let mut stage = Stage::live(120, 36);
    let asks = |stage: &mut Stage, ms: u64| {
        stage.steady += ms;
        let beat = mc_proto::method::feed::BeatNotice { now: stage.now().wall, head: 500 };
        let requests = stage.app.update(stage.now(), Message::Beat(beat));
        requests.iter().any(|one| matches!(one, Request::Call(_, Call::Agents)))
    };
    assert!(!asks(&mut stage, 60_000));
    stage.keys("3");
    assert!(!asks(&mut stage, 5_000), "asked when it was opened");
    stage.picture.agents[1].last_heartbeat = Some(ago(1));
    assert!(asks(&mut stage, 6_000));
    assert!(!asks(&mut stage, 20_000), "the answer is still on its way");
}

#[test]
fn a_quarantined_agent_says_where_the_evidence_is() {
    let mut stage = Stage::empty(160, 50);
    let mut held = agent("ibis", AgentStatus::Quarantined, Liveness::Online);
    held.agent.status_reason = Some("exec failed 4 times (limit 3)".to_owned());
    held.agent.evidence = Some(412);
    stage.picture.agents = vec![held];
    stage.give(Message::Up(Box::new(hello())));
    stage.give(Message::Drawn);
    stage.keys("3");
    let frame = stage.frame(160, 50);
    assert!(frame.contains("Next: read `mcctl agent evidence ibis`; Enter resumes it"), "{frame}");
}
