//! What events mean for the rows: one pure function an entity.
//!
//! The daemon's tables, their rebuilding from the journal and the demo all go through here, so they
//! can't differ. Each function changes its entity when the event is about it, and else leaves it as
//! it is. An entity begins as the event that creates it says; folding that event again is harmless.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an entity is blind to the events of the others, and to those to come"
)]

mod approvals;
mod tasks;

use std::time::Duration;

use crate::{
    actor::ActorKind,
    agent::{Agent, AgentPatch, AgentStatus},
    alert::{Alert, Notification},
    approval::{ApprovalStatus, Rewritten},
    budget::Correction,
    event::{ApprovalUsed, Event, Recorded, ToolChanged, ToolConfirmed},
    id::TaskId,
    message::Message,
    money::{MicroUsd, Tokens},
    run::{CallStatus, Run, RunStatus, ToolCall},
    squad::{Squad, SquadStatus},
    task::{MoveDetails, Reassigned, TaskPatch, TaskState},
    time::Timestamp,
};

pub use approvals::{approval, rule};
pub use tasks::task;

/// How exact `last_work_at` is.
const WORK_STEP: Duration = Duration::from_secs(5);

fn set<T: Clone>(field: &mut T, new: Option<&T>) {
    if let Some(new) = new {
        *field = new.clone();
    }
}

fn set_some<T: Clone>(field: &mut Option<T>, new: Option<&T>) {
    if let Some(new) = new {
        *field = Some(new.clone());
    }
}

/// Applies what `recorded` means for `agent`.
///
/// A move of a task, or its giving to others, is to be folded into its assignees of before and
/// after: the task becomes their current one when it goes to In Progress, and stops being it when it
/// leaves.
pub fn agent(agent: &mut Agent, recorded: &Recorded) {
    match &recorded.event {
        Event::TaskMoved { task, from, to, details } => {
            move_agent(agent, recorded, (*task, *from, *to), details);
        }
        Event::TaskUpdated { task, patch } => given(agent, *task, patch),
        Event::MessagePosted { message } => wrote(agent, message, recorded.at),
        Event::ClockJumped { by_ms } => clock_jumped(agent, *by_ms),
        event if event.agent() == Some(&agent.name) && !is_noise(agent, recorded) => {
            own(agent, recorded);
        }
        _ => {}
    }
}

/// Moves what is counted from with the wall clock: the time since then is the time that passed.
const fn clock_jumped(agent: &mut Agent, by_ms: i64) {
    moved(&mut agent.last_work_at, by_ms);
    moved(&mut agent.status_since, by_ms);
    moved(&mut agent.counted_since, by_ms);
    if agent.is_sub_agent() {
        agent.clock_moved_ms = agent.clock_moved_ms.saturating_add(by_ms);
    }
    agent.rev = agent.rev.saturating_add(1);
}

const fn moved(at: &mut Option<Timestamp>, by_ms: i64) {
    if let Some(at) = at {
        at.0 = at.0.saturating_add(by_ms);
    }
}

/// Applies an event about the agent itself.
fn own(agent: &mut Agent, recorded: &Recorded) {
    match &recorded.event {
        Event::AgentUpdated { patch, .. } => patch_agent(agent, patch),
        Event::AgentStatusChanged { to, .. } => {
            agent.status = *to;
            agent.status_reason.clone_from(&recorded.reason);
            agent.status_since = Some(recorded.at);
            if *to == AgentStatus::Active {
                agent.error_streak = 0;
                agent.counted_since = Some(recorded.at);
            }
        }
        Event::AgentEvidenceKept { .. } => agent.evidence = Some(recorded.seq),
        Event::RunStarted { run } => agent.current_run = Some(run.id),
        Event::RunUsed { cost_uusd, cost_state, day, .. } => {
            // A budget day never goes back: what comes late counts for the newest day.
            if agent.spend_day < *day {
                agent.spend_day.clone_from(day);
                agent.spent_today_uusd = MicroUsd::ZERO;
                agent.spent_today_state = None;
            }
            agent.spent_today_uusd = agent.spent_today_uusd + *cost_uusd;
            agent.spent_uusd = agent.spent_uusd + *cost_uusd;
            agent.spent_today_state = Some(cost_state.or_worse(agent.spent_today_state));
            agent.cost_state = Some(cost_state.or_worse(agent.cost_state));
        }
        Event::CostCorrected { correction } => correct_agent(agent, correction),
        Event::RunFinished { run, status, .. } => {
            if agent.current_run == Some(*run) {
                agent.current_run = None;
            }
            match status {
                RunStatus::Succeeded => agent.error_streak = 0,
                RunStatus::Failed | RunStatus::TimedOut => count_error(agent),
                RunStatus::Running | RunStatus::Aborted => {}
            }
        }
        Event::ToolChanged(ToolChanged { status, .. }) => match status {
            CallStatus::Succeeded => agent.error_streak = 0,
            CallStatus::Failed => count_error(agent),
            CallStatus::Allowed
            | CallStatus::Waiting
            | CallStatus::Denied
            | CallStatus::Dropped => {}
        },
        Event::ToolChecked { .. } | Event::TaskClaimed { .. } => {}
        _ => return,
    }
    // What the daemon ends in the agent's place is no sign of life.
    if is_work(&recorded.event) && recorded.actor.kind != ActorKind::System {
        agent.last_work_at = Some(recorded.at);
    }
    agent.rev = agent.rev.saturating_add(1);
}

/// A task in progress is the current one of who gets it, and no longer of who loses it.
fn given(agent: &mut Agent, task: TaskId, patch: &TaskPatch) {
    let Some(names) = &patch.assignees else { return };
    let is_new =
        |one: &&Reassigned| one.state == TaskState::InProgress && !one.from.contains(&agent.name);
    if names.contains(&agent.name) {
        if !patch.reassigned.as_ref().is_some_and(|one| is_new(&one)) {
            return;
        }
        agent.current_task = Some(task);
    } else if agent.current_task == Some(task) {
        agent.current_task = None;
    } else {
        return;
    }
    agent.rev = agent.rev.saturating_add(1);
}

/// A message is work of the agent that wrote it.
fn wrote(agent: &mut Agent, message: &Message, at: Timestamp) {
    let is_fresh = agent.last_work_at.is_some_and(|last| at.since(last) < WORK_STEP);
    if message.author.is_agent(&agent.name) && !is_fresh {
        agent.last_work_at = Some(at);
        agent.rev = agent.rev.saturating_add(1);
    }
}

fn move_agent(
    agent: &mut Agent,
    recorded: &Recorded,
    (task, from, to): (TaskId, TaskState, TaskState),
    details: &MoveDetails,
) {
    let acts = recorded.actor.is_agent(&agent.name);
    let is_reviewer = acts && from == TaskState::Review;
    let is_off = details.assignees.as_ref().is_some_and(|names| !names.contains(&agent.name));
    if to == TaskState::InProgress && !is_reviewer && !is_off {
        agent.current_task = Some(task);
    } else if agent.current_task == Some(task) {
        agent.current_task = None;
    } else if !acts {
        return;
    }
    if acts {
        agent.last_work_at = Some(recorded.at);
    }
    agent.rev = agent.rev.saturating_add(1);
}

/// Says whether the event tells nothing but that the agent works, a moment after it was known to:
/// a busy agent's row is not written with every call.
fn is_noise(agent: &Agent, recorded: &Recorded) -> bool {
    let tells_nothing = match &recorded.event {
        Event::ToolChecked { .. } => true,
        Event::ToolChanged(ToolChanged { status: CallStatus::Succeeded, .. }) => {
            agent.error_streak == 0
        }
        Event::ToolChanged(ToolChanged { status, .. }) => *status != CallStatus::Failed,
        _ => false,
    };
    tells_nothing && agent.last_work_at.is_some_and(|at| recorded.at.since(at) < WORK_STEP)
}

/// Says whether the event is work of the agent rather than something done to it.
const fn is_work(event: &Event) -> bool {
    !matches!(
        event,
        Event::AgentUpdated { .. }
            | Event::AgentStatusChanged { .. }
            | Event::AgentEvidenceKept { .. }
            | Event::CostCorrected { .. }
    )
}

const fn count_error(agent: &mut Agent) {
    agent.error_streak = agent.error_streak.saturating_add(1);
}

fn patch_agent(agent: &mut Agent, patch: &AgentPatch) {
    set_some(&mut agent.display_name, patch.display_name.as_ref());
    set(&mut agent.autonomy, patch.autonomy.as_ref());
    set_some(&mut agent.workspace, patch.workspace.as_ref());
    set(&mut agent.task_types, patch.task_types.as_ref());
    set(&mut agent.tools_allow, patch.tools_allow.as_ref());
    set(&mut agent.tools_deny, patch.tools_deny.as_ref());
    set(&mut agent.daily_cap_uusd, patch.daily_cap_uusd.as_ref());
    set(&mut agent.run_cap_uusd, patch.run_cap_uusd.as_ref());
    set(&mut agent.can_spawn, patch.can_spawn.as_ref());
    set(&mut agent.labels, patch.labels.as_ref());
}

/// Applies what `recorded` means for `run`.
pub fn run(run: &mut Run, recorded: &Recorded) {
    match &recorded.event {
        Event::RunUsed { run: id, task, model, tokens, cost_uusd, cost_state, .. }
            if *id == Some(run.id) =>
        {
            // A run that claims its task on the way works on it from then on.
            run.task = run.task.or(*task);
            let is_first = run.tokens == Tokens::default() && run.cost_uusd.0 == 0;
            if is_first || cost_state.doubt() > run.cost_state.doubt() {
                run.cost_state = *cost_state;
            }
            // What a tool costs, and what a person corrects, is of no model.
            if !model.is_empty() && !model.starts_with("tool:") {
                run.model = Some(model.clone());
            }
            run.tokens = run.tokens + *tokens;
            run.cost_uusd = run.cost_uusd + *cost_uusd;
        }
        Event::RunSentBack { run: id, .. } if *id == run.id => run.sent_back = true,
        Event::CostCorrected { correction } if correction.payer.run == Some(run.id) => {
            run.cost_uusd = corrected(run.cost_uusd, correction);
        }
        Event::RunFinished { run: id, status, error, .. } if *id == run.id => {
            run.status = *status;
            run.error.clone_from(error);
            run.ended_at = Some(recorded.at);
        }
        _ => {}
    }
}

fn correct_agent(agent: &mut Agent, correction: &Correction) {
    agent.spent_uusd = corrected(agent.spent_uusd, correction);
    if agent.spend_day == correction.payer.day {
        agent.spent_today_uusd = corrected(agent.spent_today_uusd, correction);
    }
}

/// Returns a sum in which one cost is another one.
fn corrected(sum: MicroUsd, correction: &Correction) -> MicroUsd {
    (sum + correction.to.cost_uusd).minus(correction.from.cost_uusd)
}

/// Applies what `recorded` means for the tool call `call`.
pub fn call(call: &mut ToolCall, recorded: &Recorded) {
    match &recorded.event {
        Event::ToolChecked { call: checked } if checked.id == call.id => {
            call.granted_by = call.granted_at.map(|_| recorded.seq);
        }
        Event::ToolChanged(ToolChanged {
            call: id,
            status,
            lease_expires_at,
            duration_ms,
            result_preview,
            result_sha256,
            outcome_sha256,
            error,
            signature,
            ..
        }) if *id == call.id => {
            set_some(&mut call.lease_expires_at, lease_expires_at.as_ref());
            set_some(&mut call.duration_ms, duration_ms.as_ref());
            set_some(&mut call.result_preview, result_preview.as_ref());
            set_some(&mut call.result_sha256, result_sha256.as_ref());
            set_some(&mut call.outcome_sha256, outcome_sha256.as_ref());
            set_some(&mut call.error, error.as_ref());
            set_some(&mut call.signature, signature.as_ref());
            if *status == CallStatus::Allowed {
                call.granted_at = Some(recorded.at);
                call.granted_by = Some(recorded.seq);
            }
            set_call_status(call, *status, recorded);
        }
        Event::ToolConfirmed(ToolConfirmed { call: id, request, .. }) if *id == call.id => {
            if let Some(lock) = &mut call.second_lock {
                lock.used_for = Some(request.clone());
            }
        }
        Event::ApprovalRequested { approval } if approval.call == Some(call.id) => {
            call.approval = Some(approval.id);
        }
        Event::ApprovalUsed(ApprovalUsed { approval, call: Some(id), rewritten, .. })
            if *id == call.id =>
        {
            call.approval = Some(*approval);
            if let Some(rewritten) = rewritten {
                rewrite(call, rewritten);
            }
        }
        Event::ApprovalClosed { approval, status, .. }
            if call.approval == Some(*approval)
                && call.status == CallStatus::Waiting
                && !matches!(status, ApprovalStatus::Approved | ApprovalStatus::Pending) =>
        {
            set_call_status(call, CallStatus::Denied, recorded);
        }
        _ => {}
    }
}

/// Puts what a person changed in the place of what was asked for.
fn rewrite(call: &mut ToolCall, rewritten: &Rewritten) {
    let asked = std::mem::take(&mut call.arguments_sha256);
    call.original_sha256 = Some(asked);
    call.original_preview = Some(std::mem::take(&mut call.preview));
    call.arguments_sha256.clone_from(&rewritten.arguments_sha256);
    call.preview.clone_from(&rewritten.preview);
    if let (Some(lock), Some(sha256)) = (&mut call.second_lock, &rewritten.command_sha256) {
        lock.command_sha256.clone_from(sha256);
    }
}

fn set_call_status(call: &mut ToolCall, status: CallStatus, recorded: &Recorded) {
    call.status = status;
    call.ended_at = match status {
        CallStatus::Allowed | CallStatus::Waiting => None,
        CallStatus::Denied | CallStatus::Succeeded | CallStatus::Failed | CallStatus::Dropped => {
            Some(recorded.at)
        }
    };
}

/// Applies what `recorded` means for `alert`.
pub fn alert(alert: &mut Alert, recorded: &Recorded) {
    if let Event::AlertChanged { alert: id, status, note, .. } = &recorded.event
        && *id == alert.id
    {
        alert.status = *status;
        alert.by = Some(recorded.actor.name.clone());
        alert.note.clone_from(note);
        alert.updated_at = recorded.at;
    }
    if let Event::AlertRepeated { alert: id, text, .. } = &recorded.event
        && *id == alert.id
    {
        alert.text.clone_from(text);
        alert.repeated += 1;
        alert.updated_at = recorded.at;
    }
}

/// Applies what `recorded` means for `notification`.
pub fn notification(notification: &mut Notification, recorded: &Recorded) {
    if let Event::NotificationAcked { notification: id } = &recorded.event
        && *id == notification.id
    {
        notification.acked_at = Some(recorded.at);
    }
}

/// Applies what `recorded` means for `squad`.
///
/// Which tasks a stop holds is told apart: there can be very many.
pub fn squad(squad: &mut Squad, recorded: &Recorded) {
    match &recorded.event {
        Event::SquadCreated { name } => squad.name.clone_from(name),
        // Tasks that are moved back after the stop are no new status.
        Event::SquadStatusChanged { from, to, .. } if from != to || *to == SquadStatus::Halted => {
            squad.status = *to;
            squad.reason.clone_from(&recorded.reason);
            squad.by = Some(recorded.actor.name.clone());
            squad.since = Some(recorded.at);
            if *to == SquadStatus::Halted {
                squad.stop = None;
            }
        }
        Event::ClockJumped { by_ms } => moved(&mut squad.since, *by_ms),
        Event::SquadStopReported { report } => squad.stop = Some(report.clone()),
        Event::PolicyActivated { version, .. } => squad.policy_version = *version,
        _ => {}
    }
}
