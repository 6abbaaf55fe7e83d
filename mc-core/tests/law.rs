//! The law of the task's life, tried from outside: all 192 combinations against a copy of SPEC.md,
//! section 4.1, and every guard.

#[cfg(test)]
mod common;

use common::{agent, task};
use mc_core::{
    actor::{Actor, ActorKind, Level},
    agent::{Agent, AgentStatus, Autonomy},
    event::Event,
    id::TaskId,
    refusal::{Refusal, RefusalKind},
    task::{
        CheckedItem, MoveDetails, Task, TaskState,
        law::{self, MoveContext},
    },
};

/// SPEC.md, section 4.1, as it stands there: from, to, human, agent, system.
const SPEC: &[(&str, &str, &str)] = &[
    ("inbox", "assigned", "has"),
    ("inbox", "needs_approval", "s"),
    ("inbox", "blocked", "hs"),
    ("inbox", "canceled", "h"),
    ("assigned", "in_progress", "ha"),
    ("assigned", "inbox", "h"),
    ("assigned", "needs_approval", "s"),
    ("assigned", "blocked", "hs"),
    ("assigned", "canceled", "h"),
    ("in_progress", "review", "ha"),
    ("in_progress", "needs_approval", "s"),
    ("in_progress", "blocked", "hs"),
    ("in_progress", "assigned", "h"),
    ("in_progress", "canceled", "h"),
    ("review", "in_progress", "ha"),
    ("review", "done", "h"),
    ("review", "needs_approval", "hs"),
    ("review", "blocked", "hs"),
    ("review", "assigned", "h"),
    ("review", "canceled", "h"),
    ("needs_approval", "inbox", "h"),
    ("needs_approval", "assigned", "h"),
    ("needs_approval", "in_progress", "h"),
    ("needs_approval", "review", "h"),
    ("needs_approval", "done", "h"),
    ("needs_approval", "blocked", "hs"),
    ("needs_approval", "canceled", "h"),
    ("blocked", "assigned", "h"),
    ("blocked", "in_progress", "h"),
    ("blocked", "inbox", "h"),
    ("blocked", "review", "h"),
    ("blocked", "needs_approval", "hs"),
    ("blocked", "canceled", "h"),
    ("done", "review", "h"),
    ("done", "canceled", "h"),
];

fn checked(item: &str) -> CheckedItem {
    CheckedItem { item: item.into(), checked: true, note: None }
}

/// Details that no guard can find fault with.
fn complete() -> MoveDetails {
    MoveDetails {
        reason: Some("because".into()),
        self_review: Some(vec![checked("links work")]),
        evidence: Some(vec!["seen".into()]),
        feedback: Some("shorter".into()),
        note: Some("good".into()),
        ..MoveDetails::default()
    }
}

/// A situation that can be bent: who acts, and what else is known.
struct Case {
    task: Task,
    actor: Actor,
    agent: Option<Agent>,
    open: Vec<TaskId>,
    approved: bool,
    budget_left: bool,
    details: MoveDetails,
}

impl Case {
    fn of(state: TaskState, actor: Actor) -> Self {
        let agent = (actor.kind == ActorKind::Agent).then(|| agent(&actor.name, Autonomy::Lead));
        let (open, details) = (vec![], complete());
        Self { task: task(state), actor, agent, open, approved: true, budget_left: true, details }
    }

    fn by_agent(state: TaskState, name: &str) -> Self {
        Self::of(state, Actor::agent(name))
    }

    fn by_human(state: TaskState) -> Self {
        Self::of(state, Actor::human("ana", Level::L2))
    }

    fn to(&self, to: TaskState) -> Result<Event, Refusal> {
        let checklist = ["links work".to_owned()];
        let cx = MoveContext {
            actor: &self.actor,
            agent: self.agent.as_ref(),
            open_dependencies: &self.open,
            in_progress: &[],
            capacity: 1,
            approved: self.approved,
            budget_left: self.budget_left,
            checklist: &checklist,
        };
        law::transition(&self.task, to, &self.details, &cx)
    }

    /// The fields that fail.
    fn failed(&self, to: TaskState) -> Vec<String> {
        match self.to(to) {
            Ok(_) => vec![],
            Err(refusal) => {
                assert_eq!(refusal.kind, RefusalKind::TransitionRefused);
                assert!(!refusal.fields.is_empty(), "{refusal}");
                refusal.fields.into_iter().map(|field| field.field).collect()
            }
        }
    }
}

fn actors(from: TaskState) -> [(char, Actor); 3] {
    // Who judges must not be who works.
    let agent = if from == TaskState::Review { "heron" } else { "wren" };
    [
        ('h', Actor::human("ana", Level::L2)),
        ('a', Actor::agent(agent)),
        ('s', Actor::system("policy")),
    ]
}

#[test]
fn all_192_combinations_are_as_the_specification_says() {
    let mut tried = 0;
    for from in TaskState::ALL {
        for to in TaskState::ALL {
            for (letter, actor) in actors(from) {
                let mut case = Case::of(from, actor);
                case.task.resume_state = Some(to);
                let by = SPEC
                    .iter()
                    .find(|(f, t, _)| (*f, *t) == (from.as_str(), to.as_str()))
                    .map_or("", |row| row.2);
                let result = case.to(to);
                assert_eq!(result.is_ok(), by.contains(letter), "{from}->{to} {letter} {result:?}");
                if let Ok(Event::TaskMoved { task, from: was, to: is, .. }) = result {
                    assert_eq!((task, was, is), (TaskId(1), from, to));
                }
                let open = law::allowed_moves(&case.task, &case.actor, case.agent.as_ref());
                assert_eq!(open.contains(&to), by.contains(letter), "{from}->{to} {letter}");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 192);
    assert_eq!(law::MOVES.len(), SPEC.len());
}

#[test]
fn the_law_is_read_back_from_the_wire() {
    let rows = law::transitions();
    let wire = serde_json::to_string(&rows).unwrap();
    assert_eq!(serde_json::from_str::<Vec<law::TransitionRow>>(&wire).unwrap(), rows);
    for guard in law::Guard::ALL {
        assert_eq!(serde_json::to_value(guard).unwrap(), guard.as_str());
    }
}

#[test]
fn a_refusal_says_what_is_open_instead() {
    let refusal = Case::by_agent(TaskState::InProgress, "wren").to(TaskState::Done).unwrap_err();
    assert_eq!(refusal.allowed, ["review"]);
    assert!(refusal.message.contains("no such move"), "{refusal}");
    let refusal = Case::by_agent(TaskState::Blocked, "wren").to(TaskState::Inbox).unwrap_err();
    assert!(refusal.message.contains("only a human"), "{refusal}");
    assert!(refusal.allowed.is_empty());
}

#[test]
fn an_agent_that_claims_becomes_the_assignee() {
    let mut case = Case::by_agent(TaskState::Inbox, "wren");
    case.task.assignees.clear();
    case.agent = Some(agent("wren", Autonomy::Specialist));
    let Ok(Event::TaskMoved { details, .. }) = case.to(TaskState::Assigned) else {
        panic!("refused")
    };
    assert_eq!(details.assignees.unwrap(), ["wren".parse().unwrap()]);
}

#[test]
fn only_a_lead_assigns_others_and_an_intern_takes_nothing() {
    let mut case = Case::by_agent(TaskState::Inbox, "heron");
    assert_eq!(case.failed(TaskState::Assigned), [""; 0]);
    case.agent = Some(agent("heron", Autonomy::Specialist));
    assert_eq!(case.failed(TaskState::Assigned), ["assignees"]);
    case.agent = Some(agent("heron", Autonomy::Intern));
    assert_eq!(case.failed(TaskState::Assigned), ["autonomy"]);
    case.agent = None;
    assert_eq!(case.failed(TaskState::Assigned), ["agent", "agent"]);
}

#[test]
fn an_agent_takes_only_its_types_and_only_while_active() {
    let mut case = Case::by_agent(TaskState::Inbox, "wren");
    let row = case.agent.as_mut().unwrap();
    row.task_types = vec!["ops".into()];
    row.status = AgentStatus::Drained;
    assert_eq!(case.failed(TaskState::Assigned), ["type", "agent"]);
    let open = law::allowed_moves(&case.task, &case.actor, case.agent.as_ref());
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_start_lists_everything_that_is_missing() {
    let mut case = Case::by_agent(TaskState::Assigned, "heron");
    case.details.work_plan = Some(vec!["one".into(), " ".into()]);
    case.open = vec![TaskId(7)];
    case.budget_left = false;
    assert_eq!(
        case.failed(TaskState::InProgress),
        ["assignees", "work_plan", "work_plan[1]", "depends_on", "budget_uusd"]
    );
    let steps = |n: usize| Some(vec!["step".to_owned(); n]);
    let mut case = Case::by_agent(TaskState::Assigned, "wren");
    for (count, good) in [(2, false), (3, true), (6, true), (7, false)] {
        case.details.work_plan = steps(count);
        assert_eq!(case.to(TaskState::InProgress).is_ok(), good, "{count}");
    }
}

#[test]
fn a_submission_needs_deliverable_and_whole_checklist() {
    let mut case = Case::by_agent(TaskState::InProgress, "wren");
    case.task.deliverable = None;
    case.details.self_review = Some(vec![]);
    assert_eq!(case.failed(TaskState::Review), ["deliverable", "self_review"]);
    case.details.deliverable = Some("text".into());
    let open = CheckedItem { item: " Links work".into(), checked: false, note: None };
    case.details.self_review = Some(vec![open.clone()]);
    assert_eq!(case.failed(TaskState::Review), ["self_review[0]"]);
    let explained = CheckedItem { note: Some("has no links".into()), ..open };
    case.details.self_review = Some(vec![explained]);
    assert!(case.to(TaskState::Review).is_ok());
}

#[test]
fn claims_need_evidence() {
    let mut case = Case::by_agent(TaskState::InProgress, "wren");
    case.details.evidence = None;
    for (text, good) in [
        ("A guide to sums", true),
        ("40 % faster", false),
        ("Studies show it", false),
        ("a % sign", true),
    ] {
        case.details.deliverable = Some(text.into());
        assert_eq!(case.to(TaskState::Review).is_ok(), good, "{text}");
    }
    case.details.deliverable = Some("plain".into());
    case.task.task_type = "seo_research".into();
    assert_eq!(case.failed(TaskState::Review), ["evidence"]);
}

#[test]
fn nobody_judges_their_own_work() {
    let mut case = Case::by_agent(TaskState::Review, "wren");
    assert_eq!(case.failed(TaskState::InProgress), ["reviewers", "assignees"]);
    case.task.reviewers.push("wren".parse().unwrap());
    assert_eq!(case.failed(TaskState::InProgress), ["assignees"]);
    let mut case = Case::by_agent(TaskState::Review, "heron");
    case.details.feedback = Some(" ".into());
    assert_eq!(case.failed(TaskState::InProgress), ["feedback"]);
}

#[test]
fn a_human_says_why() {
    for (from, to, field) in [
        (TaskState::Review, TaskState::Done, "note"),
        (TaskState::Blocked, TaskState::Assigned, "note"),
        (TaskState::Inbox, TaskState::Canceled, "reason"),
        (TaskState::Assigned, TaskState::Blocked, "reason"),
        (TaskState::Done, TaskState::Review, "reason"),
    ] {
        let mut case = Case::by_human(from);
        case.details = MoveDetails::default();
        assert_eq!(case.failed(to), [field], "{from}->{to}");
    }
    let mut case = Case::by_human(TaskState::Review);
    case.task.deliverable = None;
    assert_eq!(case.failed(TaskState::Done), ["deliverable"]);
}

#[test]
fn a_task_returns_only_to_where_it_was_and_with_its_approval() {
    let mut case = Case::by_human(TaskState::NeedsApproval);
    case.task.resume_state = Some(TaskState::InProgress);
    assert_eq!(case.failed(TaskState::Inbox), ["to"]);
    assert!(case.to(TaskState::InProgress).is_ok());
    case.approved = false;
    assert_eq!(case.failed(TaskState::InProgress), ["approval"]);
    let mut case = Case::by_human(TaskState::Blocked);
    case.task.resume_state = Some(TaskState::Inbox);
    assert_eq!(case.failed(TaskState::Review), ["to"]);
    assert!(case.to(TaskState::Inbox).is_ok());
}

#[test]
fn the_fourth_review_cycle_blocks() {
    let mut task = task(TaskState::Review);
    task.review_cycles = 2;
    assert!(!law::review_cycle_limit_reached(&task, 3));
    task.review_cycles = 3;
    assert!(law::review_cycle_limit_reached(&task, 3));
    let event = law::block_for_review_cycles(&task, 3, Some("again"));
    let Event::TaskMoved { to, details, .. } = event else { panic!("no move") };
    assert_eq!(to, TaskState::Blocked);
    assert!(details.reason.unwrap().contains("4 times"));
}

#[test]
fn a_task_that_nobody_does_is_not_sent_back_to_work() {
    let mut row = task(TaskState::Review);
    row.assignees.clear();
    let ana = Actor::human("ana", Level::L2);
    let cx = MoveContext {
        actor: &ana,
        agent: None,
        open_dependencies: &[],
        in_progress: &[],
        capacity: 1,
        approved: false,
        budget_left: true,
        checklist: &[],
    };
    let details = MoveDetails { feedback: Some("shorter".into()), ..MoveDetails::default() };
    let refusal = law::transition(&row, TaskState::InProgress, &details, &cx).unwrap_err();
    assert_eq!(refusal.fields.len(), 1, "{refusal:?}");
    row.assignees = vec![agent("wren", Autonomy::Specialist).name];
    assert!(law::transition(&row, TaskState::InProgress, &details, &cx).is_ok());
}
