//! The five answers, from recorded facts alone.

#[cfg(test)]
mod common;

use common::{agent, task};
use mc_core::{
    actor::{Actor, Level},
    agent::{AgentStatus, Autonomy},
    answers::{AnswerFacts, Answers, answers},
    approval::Approval,
    event::{Event, Recorded},
    id::{EventId, RunId, TaskId},
    money::{MicroUsd, Tokens},
    run::RunStatus,
    task::{MoveDetails, Task, TaskState},
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
    let facts =
        AnswerFacts { now, approvals, agents: &agents, open_dependencies: &[], by_rule: None };
    answers(task, timeline, &facts)
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
    assert_eq!(ask(&row, &[], &[]).cost.text, "? of $3.00, nothing is recorded · 0 runs");
    row.spent_uusd = MicroUsd::cents(150);
    row.tokens = Tokens { input: 231_400, ..Tokens::default() };
    (row.runs, row.unpriced) = (6, true);
    let event = Event::RunFinished {
        run: RunId(1),
        agent: "wren".parse().unwrap(),
        task: Some(TaskId(1)),
        status: RunStatus::Failed,
        error: Some("401 key expired".into()),
    };
    let found = ask(&row, &[at(3, Actor::agent("wren"), event)], &[]);
    assert_eq!(
        found.cost.text,
        "at least $1.50 of $3.00 (50%) · 231k tokens · ? for models without a price · 6 runs, 1 failed"
    );
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
    let now = Timestamp(0);
    let facts =
        AnswerFacts { now, approvals: &[], agents: &agents, open_dependencies: &[], by_rule: None };
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
