//! What events mean for the rows, and random walks of a task through its law.

#[cfg(test)]
mod common;
#[path = "../../tests/src/nightly.rs"]
mod nightly;

use common::{agent, task};
use mc_core::{
    actor::{Actor, ActorKind, Level},
    agent::{AgentStatus, Autonomy},
    event::{Event, Recorded},
    fold,
    id::{RunId, TaskId},
    money::{CostState, MicroUsd, Tokens},
    run::RunStatus,
    squad::{Squad, SquadStatus},
    task::{
        CheckedItem, MoveDetails, Task, TaskState,
        law::{self, MoveContext},
    },
    time::Timestamp,
};
use proptest::prelude::*;

/// How often a task may be sent back.
const CYCLES: u32 = 3;

fn at(seq: i64, actor: Actor, event: Event) -> Recorded {
    Recorded { seq, at: Timestamp(seq * 1000), actor, cause: "test".into(), reason: None, event }
}

fn moved(from: TaskState, to: TaskState, details: MoveDetails) -> Event {
    Event::TaskMoved { task: TaskId(1), from, to, details: Box::new(details) }
}

fn ana() -> Actor {
    Actor::human("ana", Level::L2)
}

fn used(day: &str, cost: i64, cost_state: CostState) -> Event {
    Event::RunUsed {
        run: Some(RunId(4)),
        agent: agent("wren", Autonomy::Specialist).name,
        task: Some(TaskId(1)),
        model: "m".into(),
        tokens: Tokens { input: 10, ..Tokens::default() },
        cost_uusd: MicroUsd(cost),
        cost_state,
        day: day.into(),
        charge: Box::default(),
    }
}

#[test]
fn a_blocked_task_remembers_where_it_was_through_an_approval() {
    let mut row = task(TaskState::InProgress);
    let reason = Some("stuck".to_owned());
    let details = MoveDetails { reason, ..MoveDetails::default() };
    let system = Actor::system("policy");
    let event = moved(TaskState::InProgress, TaskState::NeedsApproval, details);
    fold::task(&mut row, &at(2, system.clone(), event));
    let event = moved(TaskState::NeedsApproval, TaskState::Blocked, MoveDetails::default());
    fold::task(&mut row, &at(3, system, event));
    assert_eq!(row.resume_state, Some(TaskState::InProgress));
    assert_eq!((row.rev, row.updated_at, row.state_since), (3, Timestamp(3000), Timestamp(3000)));
    row.review_cycles = 3;
    let event = moved(TaskState::Blocked, TaskState::InProgress, MoveDetails::default());
    fold::task(&mut row, &at(4, ana(), event));
    assert_eq!((row.resume_state, row.blocked_reason.as_ref(), row.review_cycles), (None, None, 0));
    assert_eq!(row.started_at, Some(Timestamp(4000)));
}

#[test]
fn why_this_agent_is_kept_until_somebody_else_decides_who_does_it() {
    let wren = || agent("wren", Autonomy::Specialist).name;
    let kite = || agent("kite", Autonomy::Specialist).name;
    let by_rule = || MoveDetails {
        reason: Some("least loaded of 2: wren 0, kite 1".into()),
        assignees: Some(vec![wren()]),
        rule: Some("assign.docs".into()),
        ..MoveDetails::default()
    };
    let given = || {
        let mut row = Task { assignees: vec![], ..task(TaskState::Inbox) };
        let event = moved(TaskState::Inbox, TaskState::Assigned, by_rule());
        fold::task(&mut row, &at(2, Actor::system("assign.docs"), event));
        row
    };
    let row = given();
    let by = row.by_rule.clone().unwrap();
    assert_eq!((by.rule.as_str(), by.at), ("assign.docs", Timestamp(2000)));
    assert_eq!(by.why, "least loaded of 2: wren 0, kite 1");
    assert_eq!((&row.assignees, &row.subscribers), (&vec![wren()], &vec!["wren".to_owned()]));

    // The work goes on: it stays. Another assignee, by whichever way: it is over.
    let mut row = given();
    let start = moved(TaskState::Assigned, TaskState::InProgress, MoveDetails::default());
    fold::task(&mut row, &at(3, Actor::agent("wren"), start));
    assert!(row.by_rule.is_some() && !row.put_back);
    let patch =
        |name| mc_core::task::TaskPatch { assignees: Some(vec![name]), ..Default::default() };
    fold::task(
        &mut row,
        &at(4, ana(), Event::TaskUpdated { task: TaskId(1), patch: patch(wren()) }),
    );
    assert!(row.by_rule.is_some(), "nobody else");
    fold::task(
        &mut row,
        &at(5, ana(), Event::TaskUpdated { task: TaskId(1), patch: patch(kite()) }),
    );
    assert_eq!(row.by_rule, None);
    let mut row = given();
    let details = MoveDetails { assignees: Some(vec![kite()]), ..MoveDetails::default() };
    fold::task(&mut row, &at(3, ana(), moved(TaskState::Assigned, TaskState::Blocked, details)));
    assert_eq!(row.by_rule, None);

    let mut row = given();
    let back = moved(TaskState::Assigned, TaskState::Inbox, MoveDetails::default());
    fold::task(&mut row, &at(3, ana(), back));
    assert_eq!((row.by_rule.as_ref(), row.put_back), (None, true));
    let by_hand = MoveDetails { assignees: Some(vec![kite()]), ..MoveDetails::default() };
    fold::task(&mut row, &at(4, ana(), moved(TaskState::Inbox, TaskState::Assigned, by_hand)));
    assert!(row.put_back, "for good");

    // What comes back from Blocked to where it was is not taken from anybody.
    let mut row = Task { assignees: vec![], ..task(TaskState::Blocked) };
    let back = moved(TaskState::Blocked, TaskState::Inbox, MoveDetails::default());
    fold::task(&mut row, &at(2, ana(), back));
    assert!(!row.put_back);
}

#[test]
fn acceptance_is_kept_and_reopening_clears_it() {
    let mut row = task(TaskState::Review);
    let note = Some("fine".to_owned());
    let details = MoveDetails { note, ..MoveDetails::default() };
    fold::task(&mut row, &at(2, ana(), moved(TaskState::Review, TaskState::Done, details)));
    let decision = row.decision.clone().unwrap();
    assert_eq!((decision.by.as_str(), decision.note.as_str()), ("ana", "fine"));
    assert_eq!(row.ended_at, Some(Timestamp(2000)));
    let event = moved(TaskState::Done, TaskState::Review, MoveDetails::default());
    fold::task(&mut row, &at(3, ana(), event));
    assert_eq!((row.decision, row.ended_at), (None, None));
}

#[test]
fn a_claim_makes_a_holder_who_follows_and_the_inbox_clears_both() {
    let mut row = task(TaskState::Inbox);
    row.assignees.clear();
    let heron = "heron".parse().unwrap();
    let event = Event::TaskClaimed { task: TaskId(1), agent: heron, fence: 7 };
    fold::task(&mut row, &at(2, Actor::agent("heron"), event));
    assert!(row.is_assigned_to("heron"));
    assert_eq!((row.fence, row.subscribers.as_slice()), (7, ["heron".to_owned()].as_slice()));
    let event = moved(TaskState::Assigned, TaskState::Inbox, MoveDetails::default());
    fold::task(&mut row, &at(3, ana(), event));
    assert!(row.assignees.is_empty() && row.holder.is_none());
    assert_eq!(row.fence, 7);
}

#[test]
fn the_events_of_another_task_change_nothing() {
    let mut row = task(TaskState::Review);
    row.id = TaskId(2);
    let before = row.clone();
    let event = moved(TaskState::Review, TaskState::Done, MoveDetails::default());
    fold::task(&mut row, &at(2, ana(), event));
    assert_eq!(row, before);
}

#[test]
fn spend_is_added_and_the_budget_day_never_goes_back() {
    let mut row = agent("wren", Autonomy::Specialist);
    let mut work = task(TaskState::InProgress);
    for (seq, event) in [
        (1, used("2026-03-01", 5, CostState::Reported)),
        (2, used("2026-03-02", 7, CostState::Unpriced)),
        (3, used("2026-03-01", 1, CostState::Reported)),
    ] {
        let recorded = at(seq, Actor::agent("wren"), event);
        fold::agent(&mut row, &recorded);
        fold::task(&mut work, &recorded);
    }
    assert_eq!((row.spent_uusd, row.spent_today_uusd), (MicroUsd(13), MicroUsd(8)));
    let unpriced = Some(CostState::Unpriced);
    assert_eq!((row.spend_day.as_str(), row.cost_state), ("2026-03-02", unpriced));
    assert_eq!((work.spent_uusd, work.tokens.input, work.cost_state), (MicroUsd(13), 30, unpriced));
}

#[test]
fn failures_in_a_row_are_counted_until_a_success_or_a_resume() {
    let mut row = agent("wren", Autonomy::Specialist);
    let finished = |status| Event::RunFinished {
        run: RunId(4),
        agent: "wren".parse().unwrap(),
        task: None,
        status,
        error: None,
    };
    row.current_run = Some(RunId(4));
    for (status, streak) in [
        (RunStatus::Failed, 1),
        (RunStatus::TimedOut, 2),
        (RunStatus::Aborted, 2),
        (RunStatus::Succeeded, 0),
        (RunStatus::Failed, 1),
    ] {
        fold::agent(&mut row, &at(1, Actor::agent("wren"), finished(status)));
        assert_eq!((row.error_streak, row.current_run), (streak, None));
    }
    let (from, to) = (AgentStatus::Paused, AgentStatus::Active);
    let event = Event::AgentStatusChanged { agent: row.name.clone(), from, to };
    fold::agent(&mut row, &at(2, ana(), event));
    assert_eq!(row.error_streak, 0);
}

#[test]
fn a_task_is_current_only_while_it_is_worked_on() {
    let mut row = agent("wren", Autonomy::Specialist);
    let start = moved(TaskState::Assigned, TaskState::InProgress, MoveDetails::default());
    fold::agent(&mut row, &at(1, Actor::agent("wren"), start));
    assert_eq!((row.current_task, row.last_work_at), (Some(TaskId(1)), Some(Timestamp(1000))));
    let submit = moved(TaskState::InProgress, TaskState::Review, MoveDetails::default());
    fold::agent(&mut row, &at(2, ana(), submit));
    assert_eq!((row.current_task, row.last_work_at), (None, Some(Timestamp(1000))));
    let mut reviewer = agent("heron", Autonomy::Lead);
    let back = moved(TaskState::Review, TaskState::InProgress, MoveDetails::default());
    fold::agent(&mut reviewer, &at(3, Actor::agent("heron"), back));
    assert_eq!(reviewer.current_task, None);
}

#[test]
fn a_stop_and_its_end_are_a_status_and_what_is_moved_back_later_is_none() {
    let mut row = Squad::default();
    let change = |from, to| Event::SquadStatusChanged { from, to, tasks: vec![], back: None };
    let (running, halted) = (SquadStatus::Running, SquadStatus::Halted);
    fold::squad(&mut row, &at(1, ana(), change(running, halted)));
    assert_eq!((row.status, row.since), (halted, Some(Timestamp(1000))));
    fold::squad(&mut row, &at(2, ana(), change(halted, halted)));
    assert_eq!(row.since, Some(Timestamp(2000)), "another stop");
    fold::squad(&mut row, &at(3, ana(), change(halted, running)));
    fold::squad(&mut row, &at(4, ana(), change(running, running)));
    assert_eq!((row.status, row.since), (running, Some(Timestamp(3000))));
}

/// One random attempt: where to, by whom, and which of its papers are missing.
fn step() -> impl Strategy<Value = (usize, usize, u16)> {
    (0..8_usize, 0..4_usize, any::<u16>())
}

fn papers(bits: u16) -> MoveDetails {
    let has = |bit: u16| bits & (1 << bit) != 0;
    let item = CheckedItem { item: "links work".into(), checked: has(6), note: None };
    MoveDetails {
        reason: has(0).then(|| "because".into()),
        work_plan: has(1).then(|| vec!["step".into(); usize::from(bits >> 13)]),
        deliverable: has(2).then(|| "text".into()),
        self_review: has(3).then(|| vec![item]),
        evidence: None,
        feedback: has(4).then(|| "shorter".into()),
        note: has(5).then(|| "fine".into()),
        assignees: has(7).then(|| vec![agent("wren", Autonomy::Specialist).name]),
        rule: None,
    }
}

/// What must hold after every accepted move.
fn check(before: &Task, row: &Task, actor: &Actor) {
    use TaskState::{Assigned, Blocked, Canceled, Done, InProgress, NeedsApproval, Review};
    let human = actor.kind == ActorKind::Human;
    assert!(human || !row.state.is_final(), "{actor} finished it");
    assert!(human || before.state != Blocked || row.state == NeedsApproval, "{actor} unblocked it");
    assert!(human || !matches!(before.state, Done | Canceled), "{actor} reopened it");
    assert_ne!(before.state, Canceled, "left canceled");
    if actor.kind == ActorKind::System {
        assert!(matches!(row.state, Assigned | Blocked | NeedsApproval));
    }
    if actor.kind == ActorKind::Agent {
        assert!(matches!(row.state, Assigned | InProgress | Review));
    }
    if matches!(row.state, Assigned | InProgress) {
        assert!(!row.assignees.is_empty(), "nobody does it");
    }
    let waits = matches!(row.state, Blocked | NeedsApproval);
    assert_eq!(row.resume_state.is_some(), waits);
    assert!(!matches!(row.resume_state, Some(Blocked | NeedsApproval | Done | Canceled)));
    assert_eq!(row.decision.is_some(), row.state == Done);
    assert_eq!(row.ended_at.is_some(), row.state.is_final());
    assert!(row.state != Done || row.deliverable.is_some());
    assert_eq!(row.rev, before.rev + 1);
    assert!(row.review_cycles <= i64::from(CYCLES));
}

/// How many walks are tried; the long size is for the nightly run.
fn walks() -> u32 {
    if nightly::is_wanted() { 10_000 } else { 1_000 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(walks()))]

    #[test]
    fn a_random_walk_of_200_steps_keeps_the_invariants(
        steps in prop::collection::vec(step(), 200)
    ) {
        let mut row = task(TaskState::Inbox);
        (row.assignees, row.deliverable, row.work_plan) = (vec![], None, vec![]);
        let agents = [agent("wren", Autonomy::Specialist), agent("heron", Autonomy::Lead)];
        let checklist = ["links work".to_owned()];
        for (seq, (to, who, bits)) in steps.into_iter().enumerate() {
            let acting = agents.get(who);
            let actor = match (acting, who) {
                (Some(acting), _) => Actor::agent(acting.name.as_str()),
                (None, 2) => ana(),
                (None, _) => Actor::system("policy"),
            };
            let cx = MoveContext {
                actor: &actor,
                agent: acting,
                open_dependencies: &[],
                in_progress: &[],
                capacity: 1,
                approved: bits & 256 != 0,
                budget_left: bits & 512 != 0,
                checklist: &checklist,
            };
            let to = TaskState::ALL[to];
            let Ok(mut event) = law::transition(&row, to, &papers(bits), &cx) else { continue };
            let again = row.state == TaskState::Review && to == TaskState::InProgress;
            let mut actor = actor.clone();
            if again && law::review_cycle_limit_reached(&row, CYCLES) {
                event = law::block_for_review_cycles(&row, CYCLES, None);
                actor = Actor::system("loops");
            }
            let before = row.clone();
            fold::task(&mut row, &at(i64::try_from(seq).unwrap() + 2, actor.clone(), event));
            check(&before, &row, &actor);
        }
    }
}
