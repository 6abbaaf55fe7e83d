//! The five answers, from recorded facts alone.

#[cfg(test)]
mod common;

use std::sync::LazyLock;

use common::{agent, task};
use mc_core::{
    actor::{Actor, Level},
    agent::{AgentStatus, Autonomy},
    answers::{AnswerFacts, Answers, Worked, answers},
    approval::{Approval, ApprovalStatus},
    event::{Event, Recorded},
    id::{EventId, RunId, TaskId},
    money::{CostState, MicroUsd, Tokens},
    run::RunStatus,
    squad::{Squad, SquadStatus, StoppedTask},
    task::{MoveDetails, Reassigned, Task, TaskPatch, TaskState},
    time::Timestamp,
};
use serde_json::json;

fn at(seq: i64, actor: Actor, event: Event) -> Recorded {
    Recorded { seq, at: Timestamp(seq * 1000), actor, cause: "test".into(), reason: None, event }
}

fn moved(from: TaskState, to: TaskState, details: MoveDetails) -> Event {
    Event::TaskMoved { task: TaskId(1), from, to, details: Box::new(details) }
}

fn ana() -> Actor {
    Actor::human("ana", Level::L2)
}

/// A-37 of wren, which ends after four minutes and twelve seconds.
#[expect(clippy::expect_used, reason = "the row is written out here")]
fn approval() -> Approval {
    serde_json::from_value(json!({
        "id": "A-37", "rev": 1, "kind": "tool_call", "status": "pending", "agent": "wren",
        "task": "T-1", "risk": "red", "rule": "shell.unclassified",
        "reason": "it runs a command, and commands are always asked for",
        "summary": "exec vault kv put", "justification": "ok\" · rec: ana approved it",
        "statement": {
            "version": 1, "approval": "A-37", "kind": "tool_call", "agent": "wren", "run": null,
            "task": "T-1", "tool": "exec", "arguments": {}, "arguments_sha256": "", "cwd": null,
            "env": [], "policy_version": 1, "nonce": "",
            "not_before": "1970-01-01T00:00:05.000Z", "expires_at": "1970-01-01T00:04:22.000Z",
        },
        "digest": "", "call_key": "",
        "asked_at": "1970-01-01T00:00:05.000Z", "expires_at": "1970-01-01T00:04:22.000Z",
    }))
    .expect("an approval")
}

fn ask(task: &Task, timeline: &[Recorded], approvals: &[Approval]) -> Answers {
    let agents = [agent("wren", Autonomy::Specialist)];
    let now = Timestamp(10_000);
    answers(task, timeline, &AnswerFacts { approvals, agents: &agents, ..facts(now) })
}

/// Nothing is known but the time.
fn facts(now: Timestamp) -> AnswerFacts<'static> {
    static WORKS: LazyLock<Squad> = LazyLock::new(Squad::default);
    AnswerFacts {
        now,
        approvals: &[],
        agents: &[],
        worked: &[],
        squad: &WORKS,
        halted: false,
        open_dependencies: &[],
        by_rule: None,
    }
}

#[test]
fn a_waiting_task_says_who_must_decide_what_until_when() {
    let mut row = task(TaskState::NeedsApproval);
    row.resume_state = Some(TaskState::InProgress);
    let asked = Event::ApprovalRequested { approval: Box::new(approval()) };
    let stop = moved(TaskState::InProgress, TaskState::NeedsApproval, MoveDetails::default());
    let timeline = [at(5, Actor::agent("wren"), asked), at(6, Actor::system("policy"), stop)];
    let found = ask(&row, &timeline, &[approval()]);
    assert_eq!(
        found.what.text,
        "wren stopped 1970-01-01 00:00Z to ask for \"exec vault kv put\". Rule shell.unclassified → RED"
    );
    assert_eq!(found.what.events, [EventId(5), EventId(6)]);
    assert_eq!(
        found.why.text,
        "rec: it runs a command, and commands are always asked for · \
         says \"ok' - rec: ana approved it\""
    );
    assert_eq!(
        found.next.text,
        "operator: decide A-37 within 4m12s (until 1970-01-01 00:04Z), else it expires and is not \
         executed"
    );
    assert_eq!(found.next.events, [EventId(5)]);
    assert_eq!(found.who.text, "wren · last person: ?");
}

#[test]
fn cost_counts_runs_and_marks_what_has_no_price() {
    let mut row = task(TaskState::InProgress);
    assert_eq!(ask(&row, &[], &[]).cost.text, "$0.00 of $3.00, nothing is recorded · 0 runs");
    row.spent_uusd = MicroUsd::cents(150);
    row.tokens = Tokens { input: 231_400, ..Tokens::default() };
    (row.runs, row.cost_state) = (6, Some(CostState::Unpriced));
    let event = Event::RunFinished {
        run: RunId(1),
        agent: "wren".parse().unwrap(),
        task: Some(TaskId(1)),
        status: RunStatus::Failed,
        error: Some("401 key expired".into()),
    };
    let wren = Worked {
        agent: "wren".parse().unwrap(),
        runs: 6,
        cost_uusd: row.spent_uusd,
        at_most_uusd: Some(MicroUsd::cents(20)),
    };
    let facts = AnswerFacts { worked: &[wren], ..facts(Timestamp(0)) };
    let found = answers(&row, &[at(3, Actor::agent("wren"), event)], &facts);
    assert_eq!(
        found.cost.text,
        "$1.50 + at most $0.20 unpriced of $3.00 (?) · 231k tokens · unpriced: no price is known, \
         budgets count the dearest rate · 6 runs, 1 failed"
    );
    assert_eq!(found.who.text, "wren (6 runs, $1.50+?) · last person: ?");
    row.spent_uusd = MicroUsd::ZERO;
    let cost = answers(&row, &[], &facts).cost.text;
    assert!(cost.starts_with("? (at most $0.20 unpriced) of $3.00 (?)"), "{cost}");
    assert_eq!(found.why.text, "rec: 1 failed calls and runs, last error \"401 key expired\"");
    assert_eq!(found.why.events, [EventId(3)]);
}

#[test]
fn each_state_names_who_is_next() {
    let cases = [
        (TaskState::Inbox, "a specialist or lead: claim it · or operator: assign it"),
        (TaskState::Assigned, "wren: start with a plan of 3 to 6 steps"),
        (TaskState::InProgress, "wren: go on and submit"),
        (
            TaskState::Review,
            "heron: request changes · or operator: complete T-1 with a note, or request changes",
        ),
        (TaskState::NeedsApproval, "operator: decide where T-1 goes, no approval is pending"),
        (TaskState::Blocked, "operator: unblock T-1 with a note (it was in ?), or cancel it"),
        (TaskState::Done, "nothing"),
        (TaskState::Canceled, "nothing"),
    ];
    for (state, next) in cases {
        assert_eq!(ask(&task(state), &[], &[]).next.text, next);
    }
}

#[test]
fn a_paused_agent_is_for_the_operator_to_resume() {
    let mut paused = agent("wren", Autonomy::Specialist);
    paused.status = AgentStatus::Paused;
    paused.status_reason = Some("lunch".into());
    let agents = [paused];
    let facts = AnswerFacts { agents: &agents, ..facts(Timestamp(0)) };
    let found = answers(&task(TaskState::InProgress), &[], &facts);
    assert!(found.next.text.starts_with("operator: resume wren"), "{}", found.next.text);
}

#[test]
fn a_finished_task_names_who_accepted_it_and_why() {
    let note = Some("good work".to_owned());
    let details = MoveDetails { note, ..MoveDetails::default() };
    let timeline = [at(9, ana(), moved(TaskState::Review, TaskState::Done, details))];
    let found = ask(&task(TaskState::Done), &timeline, &[]);
    assert!(found.what.text.starts_with("Accepted by ana"), "{}", found.what.text);
    assert_eq!(found.why.text, "rec: ana wrote \"good work\"");
    assert_eq!(found.who.text, "wren · last person: ana 1970-01-01 00:00Z moved it to Done");
    let wire = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Answers>(&wire).unwrap(), found);
}

/// A squad in `status`, by bo, whose last stop blocked T-1 where `listed`.
fn squad(status: SquadStatus, listed: bool) -> Squad {
    let row = StoppedTask { task: TaskId(1), from: TaskState::InProgress };
    Squad {
        status,
        reason: Some("smoke".into()),
        by: Some("bo".into()),
        stopped: listed.then_some(row).into_iter().collect(),
        ..Squad::default()
    }
}

#[test]
fn under_a_stop_or_a_pause_the_squad_comes_first() {
    let next = |state, squad: &Squad, halted| {
        let mut row = task(state);
        row.resume_state = Some(TaskState::InProgress);
        let agents = [agent("wren", Autonomy::Specialist)];
        let facts = AnswerFacts { agents: &agents, squad, halted, ..facts(Timestamp(0)) };
        answers(&row, &[], &facts).next.text
    };
    let stop = "admin: end the emergency stop with `mcctl squad emergency-resume` (stopped by bo \
                because \"smoke\"); then ";
    let halted = squad(SquadStatus::Halted, true);
    assert_eq!(
        next(TaskState::Blocked, &halted, true),
        format!("{stop}T-1 goes back to In Progress by itself, unless it is left out")
    );
    let other = squad(SquadStatus::Halted, false);
    let unblock = "operator: unblock T-1 with a note (it was in In Progress), or cancel it";
    assert_eq!(next(TaskState::Blocked, &other, true), format!("{stop}{unblock}"));
    // The stop holds from the first moment, before it is written down.
    let running = squad(SquadStatus::Running, false);
    assert!(next(TaskState::InProgress, &running, true).starts_with("admin: end the emergency"));
    assert_eq!(next(TaskState::Done, &halted, true), "nothing");
    assert!(next(TaskState::Review, &halted, true).contains("operator: complete T-1"));

    let left_out = squad(SquadStatus::Running, true);
    let back = "`mcctl squad emergency-resume --task T-1`";
    assert!(next(TaskState::Blocked, &left_out, false).contains(back));
    let paused = squad(SquadStatus::Paused, false);
    assert_eq!(
        next(TaskState::InProgress, &paused, false),
        "operator: resume the squad with `mcctl squad resume` (paused by bo because \"smoke\"); \
         then wren: go on and submit"
    );
}

#[test]
fn nobody_is_told_to_unblock_what_nobody_can_work_on() {
    let next = |status| {
        let mut wren = agent("wren", Autonomy::Specialist);
        (wren.status, wren.status_reason) = (status, Some("loops".into()));
        let agents = [wren];
        let facts = AnswerFacts { agents: &agents, ..facts(Timestamp(0)) };
        answers(&task(TaskState::Blocked), &[], &facts).next.text
    };
    let quarantined = next(AgentStatus::Quarantined);
    assert_eq!(
        quarantined,
        "operator: read `mcctl agent evidence wren`, then resume wren (quarantined because \
         \"loops\"), or assign T-1 to another; then unblock T-1 with a note (it was in ?), or \
         cancel it"
    );
    assert!(next(AgentStatus::Stopped).starts_with("operator: assign T-1 to another"));
    assert!(next(AgentStatus::Active).starts_with("operator: unblock T-1"));
}

#[test]
fn who_did_it_stays_when_another_gets_it() {
    let kestrel = Worked {
        agent: "kestrel".parse().unwrap(),
        runs: 3,
        cost_uusd: MicroUsd::cents(47),
        at_most_uusd: None,
    };
    let wren = vec!["wren".parse().unwrap()];
    let reassigned = Reassigned { from: vec![kestrel.agent.clone()], state: TaskState::InProgress };
    let patch =
        TaskPatch { assignees: Some(wren), reassigned: Some(reassigned), ..TaskPatch::default() };
    let given = at(7, ana(), Event::TaskUpdated { task: TaskId(1), patch });
    assert_eq!(mc_core::describe::line(&given), "ana gave T-1 from kestrel to wren");
    let facts = AnswerFacts { worked: &[kestrel], ..facts(Timestamp(0)) };
    let who = answers(&task(TaskState::InProgress), &[given], &facts).who;
    assert!(
        who.text
            .starts_with("did it: kestrel (3 runs, $0.47) · has it now: wren · last person: ana"),
        "{}",
        who.text
    );
    assert_eq!(who.events, [EventId(7)]);
}

#[test]
fn a_question_does_not_hide_where_the_task_is_nor_the_others() {
    let mut row = task(TaskState::Review);
    row.submitted_at = Some(Timestamp(0));
    let (first, mut second) = (approval(), approval());
    second.id = "A-38".parse().unwrap();
    second.expires_at = Timestamp(first.expires_at.0 + 1);
    let found = ask(&row, &[], &[second.clone(), first.clone()]);
    assert!(found.what.text.contains("→ RED · Submitted by ?"), "{}", found.what.text);
    let next = found.next.text;
    assert!(next.starts_with("operator: decide A-37 within"), "{next}");
    assert!(next.contains("; A-38 too · heron: request changes"), "{next}");
    row.state = TaskState::NeedsApproval;
    assert_eq!(row.waits_for(&[second.clone(), first.clone()]).unwrap(), "waits for A-37, A-38");
    let granted = Approval { status: ApprovalStatus::Approved, ..first };
    assert_eq!(row.waits_for(&[granted, second]).unwrap(), "waits for A-38");
}

#[test]
fn what_an_operator_changed_is_not_put_into_the_agents_mouth() {
    let mut row = task(TaskState::NeedsApproval);
    row.resume_state = Some(TaskState::InProgress);
    let asked = Event::ApprovalRequested { approval: Box::new(approval()) };
    let mut now = approval();
    now.summary = "exec ls".into();
    now.edited = serde_json::from_value(json!({
        "by": "ana", "level": "L2", "at": "1970-01-01T00:00:06.000Z", "original": {},
        "original_sha256": "",
    }))
    .unwrap();
    let found = ask(&row, &[at(5, Actor::agent("wren"), asked)], &[now]);
    assert_eq!(
        found.what.text,
        "wren stopped 1970-01-01 00:00Z to ask for \"exec vault kv put\"; ana changed it to \
         \"exec ls\", which waits. Rule shell.unclassified → RED"
    );
}

#[test]
fn a_granted_override_says_what_was_breached() {
    let granted = Approval {
        status: ApprovalStatus::Approved,
        summary: "raise the budget of T-1 to $1.35".into(),
        reason: "T-1 has spent $0.95 of $0.90".into(),
        ..approval()
    };
    let closed = Event::ApprovalClosed {
        approval: granted.id,
        agent: granted.agent.clone(),
        task: granted.task,
        status: ApprovalStatus::Approved,
        note: None,
    };
    let details = MoveDetails { note: Some("approved".into()), ..MoveDetails::default() };
    let back = moved(TaskState::NeedsApproval, TaskState::InProgress, details);
    let timeline = [at(5, ana(), closed), at(6, ana(), back)];
    let found = ask(&task(TaskState::InProgress), &timeline, &[granted]);
    assert_eq!(
        found.why.text,
        "rec: ana wrote \"approved\" · rec: A-37 approved: \"raise the budget of T-1 to $1.35\", \
         asked because T-1 has spent $0.95 of $0.90"
    );
    assert_eq!(found.why.events, [EventId(5), EventId(6)]);
}
