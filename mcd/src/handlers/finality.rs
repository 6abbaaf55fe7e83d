//! The end of a turn: one that leaves no word on its task is sent back once, before anyone is
//! bothered.

use mc_core::{
    agent::{Agent, AgentStatus},
    approval::ApprovalStatus,
    event::{Event, Recorded},
    run::{Run, RunStatus},
    squad::SquadStatus,
    task::{Task, TaskState},
};
use mc_proto::method::run::{Finality, Finalize, Finalized};

use super::{moves::acting_agent, run::own_run};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// How many events of a task are looked through for a word of this turn.
const LOOKED_AT: i64 = 500;

/// `run.finalize`
///
/// # Errors
///
/// `not_found`, `forbidden` for another agent's run.
pub(super) fn finalize(desk: &mut Desk<'_>, params: &Finalize) -> Result<Finalized, Fail> {
    let agent = acting_agent(desk)?;
    let run = own_run(desk, &agent, params.run)?;
    let Some(task) = unfinished(desk, &agent, &run)? else { return Ok(Finalized::default()) };
    let missing = missing(&task);
    let instruction = format!(
        "{} is still in progress and this turn left no word on it. Before you end it, do one of \
         these: {}.",
        task.id,
        missing.join("; or ")
    );
    let event = Event::RunSentBack {
        run: run.id,
        agent: agent.name,
        task: Some(task.id),
        missing: missing.clone(),
    };
    desk.emit(event)?;
    Ok(Finalized { decision: Finality::Revise, missing, instruction })
}

/// Returns the task in progress that a turn is about to leave without a word.
fn unfinished(desk: &mut Desk<'_>, agent: &Agent, run: &Run) -> Result<Option<Task>, Fail> {
    let works = matches!(agent.status, AgentStatus::Active | AgentStatus::Drained);
    let stands = desk.live.halt.is_set() || desk.squad()?.status != SquadStatus::Running;
    if run.sent_back || run.status != RunStatus::Running || !works || stands {
        return Ok(None);
    }
    // A sub-agent that serves its parent's task answers to the parent.
    let Some(id) = run.task.or(agent.current_task) else { return Ok(None) };
    let task = queries::task(desk.db, id)?;
    if task.state != TaskState::InProgress || !task.is_assigned_to(&agent.name) {
        return Ok(None);
    }
    let asked = queries::open_approvals(desk.db, Some(&agent.name))?;
    if asked.iter().any(|one| one.status == ApprovalStatus::Pending && one.task == Some(id)) {
        return Ok(None);
    }
    let events = queries::last_events_of_task(desk.db, id, LOOKED_AT)?;
    let said = events.iter().any(|one| one.at >= run.started_at && is_word_of(agent, one));
    Ok((!said).then_some(task))
}

/// Says whether the event tells others how the task stands: a message, an artifact, a move, a
/// question.
fn is_word_of(agent: &Agent, recorded: &Recorded) -> bool {
    let says = matches!(
        recorded.event,
        Event::MessagePosted { .. }
            | Event::ArtifactStored { .. }
            | Event::TaskMoved { .. }
            | Event::TaskUpdated { .. }
            | Event::ApprovalRequested { .. }
    );
    says && recorded.actor.is_agent(&agent.name)
}

fn missing(task: &Task) -> Vec<String> {
    let id = task.id;
    vec![
        format!("submit {id} for review with deliverable, self-review and evidence, if it is done"),
        format!("report how far {id} is and what comes next, if it goes on later"),
        format!("report a blocker on {id} with what you tried, if you can't go on"),
    ]
}
