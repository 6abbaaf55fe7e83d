//! What comes next, and who has to do it.
//!
//! What stands above everything comes first: an emergency stop or a pause of the squad, then how
//! the assignees stand; only then what the state of the task asks for.

use super::{Answer, Case, answer, minute, names, quote, span};
use crate::{
    agent::{Agent, AgentStatus},
    approval::ApprovalStatus,
    event::Event,
    squad::SquadStatus,
    task::TaskState,
};

impl Case<'_> {
    pub(super) fn next(&self) -> Answer {
        let Answer { text, events } = self.of_task();
        match self.of_squad().filter(|_| !self.task.state.is_final()) {
            Some(first) => Answer { text: format!("{first}; then {text}"), events },
            None => Answer { text, events },
        }
    }

    fn is_halted(&self) -> bool {
        self.facts.halted || self.facts.squad.status == SquadStatus::Halted
    }

    /// What has to be done about the squad first, where it stands still and the task with it.
    fn of_squad(&self) -> Option<String> {
        let squad = self.facts.squad;
        let by = squad.by.as_deref().unwrap_or("?");
        let why = squad.reason.as_deref().map_or_else(|| "?".into(), quote);
        // A verdict is a person's, and waits for no agent.
        if self.task.state == TaskState::Review {
            return None;
        }
        if self.is_halted() {
            return Some(format!(
                "admin: end the emergency stop with `mcctl squad emergency-resume` (stopped by \
                 {by} because {why})"
            ));
        }
        let is_paused = squad.status == SquadStatus::Paused && self.all_pending().is_empty();
        is_paused.then(|| {
            format!(
                "operator: resume the squad with `mcctl squad resume` (paused by {by} because {why})"
            )
        })
    }

    fn of_task(&self) -> Answer {
        let pending = self.all_pending();
        let Some((approval, others)) = pending.split_first() else { return self.of_state() };
        let (id, ends) = (approval.id, minute(approval.expires_at));
        let left = span(approval.expires_at.since(self.facts.now));
        let mut text = format!(
            "operator: decide {id} within {left} (until {ends}), else it expires and is not executed"
        );
        if !others.is_empty() {
            let ids: Vec<_> = others.iter().map(|one| one.id).collect();
            text = format!("{text}; {} too", names(&ids));
        }
        if self.task.state != TaskState::NeedsApproval {
            text = format!("{text} · {}", self.of_state().text);
        }
        answer(text, self.asked(approval))
    }

    fn of_state(&self) -> Answer {
        let id = self.task.id;
        let text = match self.task.state {
            TaskState::Inbox => {
                let rule = self.facts.by_rule.map(|text| format!("rec: {text} · "));
                let by_hand = "a specialist or lead: claim it · or operator: assign it";
                format!("{}{by_hand}", rule.unwrap_or_default())
            }
            TaskState::Assigned | TaskState::InProgress => self.of_assignees(),
            TaskState::Review => {
                let reviewers = names(&self.task.reviewers);
                let judges = if reviewers.is_empty() {
                    String::new()
                } else {
                    format!("{reviewers}: request changes · or ")
                };
                format!("{judges}operator: complete {id} with a note, or request changes")
            }
            TaskState::NeedsApproval => return self.after_approval(),
            TaskState::Blocked => self.of_blocked(),
            TaskState::Done | TaskState::Canceled => "nothing".into(),
        };
        answer(text, self.arrival())
    }

    /// What has to happen to a blocked task. What an emergency stop blocked is moved back by its
    /// end; who is to work on it must be able to.
    fn of_blocked(&self) -> String {
        let id = self.task.id;
        let back = self.task.resume_state.map_or("?", TaskState::title);
        let is_listed = self.facts.squad.stopped.iter().any(|row| row.task == id);
        if is_listed && self.is_halted() {
            return format!("{id} goes back to {back} by itself, unless it is left out");
        }
        if is_listed {
            return format!(
                "admin: move {id} back to {back} with `mcctl squad emergency-resume --task {id}`, \
                 or operator: unblock it with a note, or cancel it"
            );
        }
        let unblock = format!("unblock {id} with a note (it was in {back}), or cancel it");
        match self.standing_still() {
            Some(mend) => format!("operator: {mend}; then {unblock}"),
            None => format!("operator: {unblock}"),
        }
    }

    /// Returns what has to be done about the assignees, where none of them can work.
    fn standing_still(&self) -> Option<String> {
        let works_on = self.task.state == TaskState::InProgress
            || self.task.resume_state == Some(TaskState::InProgress);
        let is_still = |agent: &&Agent| match agent.status {
            AgentStatus::Active => false,
            AgentStatus::Drained => !works_on,
            AgentStatus::Paused | AgentStatus::Quarantined | AgentStatus::Stopped => true,
        };
        let mine = |agent: &&Agent| self.task.assignees.contains(&agent.name);
        let all: Vec<&Agent> = self.facts.agents.iter().filter(mine).collect();
        let agent = all.first().filter(|_| all.iter().all(is_still))?;
        let (name, id) = (&agent.name, self.task.id);
        let why = agent.status_reason.as_deref().map_or_else(|| "?".into(), quote);
        Some(match agent.status {
            AgentStatus::Stopped => format!("assign {id} to another, {name} is retired"),
            AgentStatus::Quarantined => format!(
                "read `mcctl agent evidence {name}`, then resume {name} (quarantined because \
                 {why}), or assign {id} to another"
            ),
            AgentStatus::Drained => {
                format!("resume {name} (drained because {why}), or assign {id} to another")
            }
            AgentStatus::Paused | AgentStatus::Active => {
                format!("resume {name} (paused because {why}), or assign {id} to another")
            }
        })
    }

    /// What has to happen where the assignees have the task.
    fn of_assignees(&self) -> String {
        if let Some(mend) = self.standing_still() {
            return format!("operator: {mend}");
        }
        let who = names(&self.task.assignees);
        if self.task.state == TaskState::InProgress {
            return format!("{who}: go on and submit");
        }
        if self.facts.open_dependencies.is_empty() {
            format!("{who}: start with a plan of 3 to 6 steps")
        } else {
            format!("{who}: start when {} is closed", names(self.facts.open_dependencies))
        }
    }

    /// What has to happen once the approval that the task waits for is decided.
    fn after_approval(&self) -> Answer {
        let closed = self.last(|r| matches!(r.event, Event::ApprovalClosed { .. }));
        let id = self.task.id;
        let text = match closed.map(|recorded| &recorded.event) {
            Some(Event::ApprovalClosed { approval, status: ApprovalStatus::Approved, .. }) => {
                let back = self.task.resume_state.map_or("?", TaskState::title);
                format!("operator: move {id} back to {back}, {approval} is approved")
            }
            Some(Event::ApprovalClosed { approval, status, .. }) => {
                format!("operator: block or cancel {id}, {approval} is {}", status.as_str())
            }
            _ => format!("operator: decide where {id} goes, no approval is pending"),
        };
        answer(text, closed.or_else(|| self.arrival()))
    }
}
