//! The tasks that an emergency stop holds, a few in each transaction: a stop of very many leaves the
//! writer to others in between, and the next daemon goes on where this one ended. What is not yet
//! blocked can't be worked on, for the stop itself denies.

use mc_core::{
    actor::{Actor, ActorKind},
    event::Event,
    id::{Seq, TaskId},
    refusal::{Refusal, RefusalKind},
    squad::StoppedTask,
    task::{MoveDetails, TaskState},
};

use super::{moves, stop};
use crate::store::{
    Desk, StoreError,
    queries::{
        self, Fail,
        stopped::{self, Held, Phase},
    },
};

/// How many tasks one transaction moves.
const SLICE: i64 = 200;
/// How the reason of every task that an emergency stop blocked begins.
const STOPPED_BY: &str = "emergency stop: ";

/// What became of one slice.
#[derive(Debug, Default)]
pub(super) struct Slice {
    /// The tasks that were moved.
    pub(super) moved: Vec<TaskId>,
    /// How many were kept where they are.
    pub(super) kept: usize,
    /// How many are left for later slices.
    pub(super) left: i64,
}

/// Who asked for something to be done with a task, and why.
struct Order {
    seq: Seq,
    actor: Actor,
    reason: String,
}

impl Order {
    /// Reads it from the record, unless it is the one of before.
    fn of(desk: &Desk<'_>, held: &Held, before: Option<Self>) -> Result<Self, Fail> {
        if let Some(before) = before.filter(|one| one.seq == held.ordered) {
            return Ok(before);
        }
        let recorded = queries::event(desk.db, held.ordered)?.ok_or_else(|| {
            StoreError::Damaged(format!("{} is held by no event", held.stopped.task))
        })?;
        let reason = recorded.reason.unwrap_or_default();
        Ok(Self { seq: recorded.seq, actor: recorded.actor, reason })
    }
}

/// Refuses what an agent wants to do with a task while everything is stopped: also where the stop
/// has not come to that task yet.
///
/// # Errors
///
/// `halted`.
pub(super) fn refuse_agents(desk: &Desk<'_>) -> Result<(), Fail> {
    if desk.caller.actor.kind != ActorKind::Agent || !desk.live.halt.is_set() {
        return Ok(());
    }
    let text = "the emergency stop is in force: no agent moves or creates a task until an admin \
                resumes";
    Err(Refusal::new(RefusalKind::Halted, text).into())
}

/// Blocks the next tasks that a stop holds.
pub(super) fn block(desk: &mut Desk<'_>) -> Result<Slice, Fail> {
    let mut slice = Slice::default();
    let mut order = None;
    for held in stopped::next(desk.db, Phase::Open, SLICE)? {
        let by = Order::of(desk, &held, order.take())?;
        let task = queries::task(desk.db, held.stopped.task)?;
        if stop::block_as(desk, &by.actor, &task, format!("{STOPPED_BY}{}", by.reason))? {
            slice.moved.push(task.id);
        }
        order = Some(by);
    }
    slice.left = stopped::left(desk.db, Phase::Open)?;
    Ok(slice)
}

/// Moves the next tasks back to where a stop found them; what a guard keeps back stays blocked, and
/// is held by the stop no longer.
pub(super) fn put_back(desk: &mut Desk<'_>) -> Result<Slice, Fail> {
    let mut slice = Slice::default();
    let mut order = None;
    let mut kept = Vec::new();
    for held in stopped::next(desk.db, Phase::Back, SLICE)? {
        let by = Order::of(desk, &held, order.take())?;
        if one_back(desk, &held.stopped, &by)? {
            slice.moved.push(held.stopped.task);
        } else {
            kept.push(held.stopped);
        }
        order = Some(by);
    }
    slice.kept = kept.len();
    if let Some(by) = order.filter(|_| !kept.is_empty()) {
        let status = desk.squad()?.status;
        let event = Event::SquadStatusChanged { from: status, to: status, tasks: kept, back: None };
        desk.emit_as(by.actor, Some(by.reason), event)?;
    }
    slice.left = stopped::left(desk.db, Phase::Back)?;
    Ok(slice)
}

/// Moves one task back; says whether it moved.
fn one_back(desk: &mut Desk<'_>, row: &StoppedTask, by: &Order) -> Result<bool, Fail> {
    let task = queries::task(desk.db, row.task)?;
    // Since then somebody moved it, or something else blocked it.
    let by_stop = |why: &String| why.starts_with(STOPPED_BY);
    if task.state != TaskState::Blocked || !task.blocked_reason.as_ref().is_some_and(by_stop) {
        return Ok(false);
    }
    // The approval that it waited for was canceled by the stop: it goes on where it came from.
    let to = match row.from {
        TaskState::NeedsApproval => task.resume_state.unwrap_or(TaskState::Assigned),
        TaskState::Inbox
        | TaskState::Assigned
        | TaskState::InProgress
        | TaskState::Review
        | TaskState::Blocked
        | TaskState::Done
        | TaskState::Canceled => row.from,
    };
    let note = Some(format!("resumed after the stop: {}", by.reason));
    let details = MoveDetails { note, ..MoveDetails::default() };
    match moves::go_as(desk, &task, to, (details, &by.actor)) {
        Ok(_) => Ok(true),
        Err(Fail::Refused(_)) => Ok(false),
        Err(fault) => Err(fault),
    }
}
