//! A recorded day looked through once more: where would which limits have been passed?
//!
//! It takes the journal's events in their order, keeps the rows that loops are found by, and asks
//! the same questions at the same events as the daemon.

use std::collections::BTreeMap;

use super::{Found, LoopRules, Said, Sign, in_calls, in_failures, in_thread, is_of_the_moment};
use crate::{
    actor::ActorKind,
    agent::{Agent, AgentName},
    event::{ApprovalUsed, Event, Recorded, ToolChanged},
    fold,
    id::{CallId, Seq, TaskId},
    message::{Message, MessageKind},
    policy::{Outcome, Policy, Within},
    run::{CallStatus, RunStatus, ToolCall},
    task::{Task, TaskState, law::MAX_REVIEW_CYCLES},
    time::Timestamp,
};

/// What is kept of the events so far.
#[derive(Debug)]
pub struct Trace {
    policy: Policy,
    agents: BTreeMap<AgentName, Agent>,
    tasks: BTreeMap<TaskId, Task>,
    calls: BTreeMap<CallId, ToolCall>,
    comments: Vec<Message>,
    last: Option<Seq>,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "loops are found by few kinds of events")]
impl Trace {
    /// Begins before the first event, with the limits of `policy`.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            agents: BTreeMap::new(),
            tasks: BTreeMap::new(),
            calls: BTreeMap::new(),
            comments: Vec::new(),
            last: None,
        }
    }

    /// Takes the next event; returns the limit that it passed. What was counted up to there is then
    /// counted no more, as after a person's unblocking.
    ///
    /// # Errors
    ///
    /// That the event is the one before it again, or stood before that in the record. A wall clock
    /// that was set back is no error: the order of a record is that of its numbers.
    pub fn take(&mut self, recorded: &Recorded) -> Result<Option<Found>, String> {
        let seq = recorded.seq;
        match self.last {
            Some(last) if seq == last => {
                return Err(format!("event e{seq} stands twice in a row: take one of them out"));
            }
            Some(last) if seq < last => {
                return Err(format!(
                    "event e{seq} stands behind e{last}: a trace is in the order of its events, \
                     each once"
                ));
            }
            Some(_) | None => self.last = Some(seq),
        }
        self.fold(recorded);
        let found = self.look(recorded);
        if found.is_some() {
            self.count_anew(recorded);
        }
        Ok(found)
    }

    fn fold(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::AgentRegistered { agent, .. } => {
                self.agents.insert(agent.name.clone(), agent.as_ref().clone());
            }
            Event::TaskCreated { task } => {
                self.tasks.insert(task.id, task.as_ref().clone());
            }
            Event::ToolChecked { call } => {
                self.calls.insert(call.id, call.as_ref().clone());
            }
            Event::MessagePosted { message } => self.comments.push(message.as_ref().clone()),
            _ => {}
        }
        self.agents.values_mut().for_each(|agent| fold::agent(agent, recorded));
        if let Some(task) = recorded.event.task().and_then(|id| self.tasks.get_mut(&id)) {
            fold::task(task, recorded);
        }
        if let Event::ToolChanged(ToolChanged { call, .. })
        | Event::ApprovalUsed(ApprovalUsed { call: Some(call), .. }) = &recorded.event
            && let Some(call) = self.calls.get_mut(call)
        {
            fold::call(call, recorded);
        }
    }

    fn look(&self, recorded: &Recorded) -> Option<Found> {
        match &recorded.event {
            Event::MessagePosted { message } => self.after_comment(message),
            Event::ToolChecked { call }
                if call.decision == Outcome::Deny && !is_of_the_moment(&call.rule) =>
            {
                self.after_call(call.id)
            }
            Event::ToolChanged(ToolChanged {
                call,
                status: CallStatus::Succeeded | CallStatus::Failed,
                ..
            }) => self.after_call(*call),
            Event::RunFinished {
                agent,
                task,
                status: RunStatus::Failed | RunStatus::TimedOut,
                ..
            } => {
                let agent = self.agents.get(agent)?;
                let rules = self.rules(Some(agent), task.and_then(|id| self.tasks.get(&id)));
                in_failures(&rules, &agent.name, agent.error_streak)
            }
            // The law blocks a task that would be sent back once more.
            Event::TaskMoved { task, from: TaskState::Review, to: TaskState::Blocked, .. } => {
                let task = self.tasks.get(task)?;
                (task.review_cycles >= MAX_REVIEW_CYCLES).then(|| sent_back(task))
            }
            _ => None,
        }
    }

    fn after_comment(&self, message: &Message) -> Option<Found> {
        let is_comment =
            |one: &Message| one.kind == MessageKind::Comment && one.author.kind == ActorKind::Agent;
        if !is_comment(message) {
            return None;
        }
        let task = self.tasks.get(&message.task);
        let since = task.and_then(|task| task.counted_since);
        let of_task = self.comments.iter().rev().filter(|one| one.task == message.task);
        let said: Vec<Said> = of_task
            .filter(|one| is_comment(one) && counts(one.at, since))
            .map(|one| Said { who: one.author.name.clone(), at: one.at })
            .collect();
        in_thread(&self.rules(None, task), &said)
    }

    fn after_call(&self, id: CallId) -> Option<Found> {
        let call = self.calls.get(&id)?;
        let agent = self.agents.get(&call.agent)?;
        let task = call.task.and_then(|id| self.tasks.get(&id));
        let rules = self.rules(Some(agent), task);
        let since = agent.counted_since.max(task.and_then(|task| task.counted_since));
        let has_ended = |one: &&ToolCall| {
            matches!(one.status, CallStatus::Succeeded | CallStatus::Failed | CallStatus::Denied)
        };
        let needed = usize::try_from(rules.calls_needed()).unwrap_or(usize::MAX);
        let ended = self.calls.values().rev().filter(|one| one.agent == call.agent);
        let mut ended: Vec<ToolCall> = ended.filter(has_ended).take(needed).cloned().collect();
        ended.retain(|one| counts(one.ended_at.unwrap_or(one.at), since));
        in_calls(&rules, &ended).or_else(|| in_failures(&rules, &agent.name, agent.error_streak))
    }

    fn rules(&self, agent: Option<&Agent>, task: Option<&Task>) -> LoopRules {
        let within = Within {
            project: task.and_then(|task| task.project.as_deref()),
            task_type: task.map(|task| task.task_type.as_str()),
            agent: agent.map(|agent| agent.name.as_str()),
        };
        self.policy.at(within).doc().loops
    }

    fn count_anew(&mut self, recorded: &Recorded) {
        if let Some(agent) = recorded.event.agent().and_then(|name| self.agents.get_mut(name)) {
            agent.counted_since = Some(recorded.at);
            agent.error_streak = 0;
        }
        // A trace may begin after the task did.
        self.comments.retain(|one| Some(one.task) != recorded.event.task());
        if let Some(task) = recorded.event.task().and_then(|id| self.tasks.get_mut(&id)) {
            task.counted_since = Some(recorded.at);
            task.review_cycles = 0;
        }
    }
}

fn sent_back(task: &Task) -> Found {
    let count = task.review_cycles.saturating_add(1);
    Found {
        sign: Sign::ReviewCycles,
        count: u32::try_from(count).unwrap_or(u32::MAX),
        limit: u32::try_from(MAX_REVIEW_CYCLES).unwrap_or(0),
        who: task.assignees.iter().chain(&task.reviewers).map(ToString::to_string).collect(),
        what: format!("{} was sent back from review {count} times", task.id),
    }
}

fn counts(at: Timestamp, since: Option<Timestamp>) -> bool {
    since.is_none_or(|since| at > since)
}
