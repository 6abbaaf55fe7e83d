//! Dependencies: when the last one closes, the thread says so, and the assignees are told; a task
//! without any is offered to the rules of assignment.

use mc_core::{
    actor::Actor,
    alert::NotificationKind,
    event::Event,
    id::TaskId,
    message::{Message, MessageKind},
    task::{Task, TaskState, waits::PROMOTER},
};

use super::{
    assigning,
    notify::{self, Notice},
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// Promotes every task that waited for `closed` and now waits for nothing.
pub(super) fn after(desk: &mut Desk<'_>, closed: TaskId) -> Result<(), Fail> {
    for task in queries::dependents(desk.db, closed)? {
        let can_start = matches!(task.state, TaskState::Inbox | TaskState::Assigned);
        if can_start && queries::open_among(desk.db, &task.depends_on)?.is_empty() {
            promote(desk, &task, closed)?;
        }
    }
    Ok(())
}

fn promote(desk: &mut Desk<'_>, task: &Task, closed: TaskId) -> Result<(), Fail> {
    let text = format!("{} can start: {closed} was the last that it waited for", task.id);
    let author = Actor::system(PROMOTER);
    let message = Message {
        id: desk.next_message(),
        task: task.id,
        author: author.clone(),
        kind: MessageKind::System,
        text: text.clone(),
        mentions: Vec::new(),
        reply_to: None,
        artifacts: Vec::new(),
        at: desk.now,
    };
    desk.emit_as(author, None, Event::MessagePosted { message: Box::new(message) })?;
    for name in &task.assignees {
        let kind = NotificationKind::Assignment;
        let text = text.clone();
        notify::send(desk, Notice { to: name, kind, text, task: Some(task.id) })?;
    }
    assigning::offer(desk, task.id)
}
