//! A recorded day looked through once more: where would which limits have been passed?
//!
//! It takes the journal's events in their order, keeps the rows that loops are found by, and asks
//! the same questions at the same events as the daemon.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    AUTHOR, CALLS_BACK, Containment, Found, LoopRules, Said, Sign, in_calls, in_circles,
    in_failures, in_questions, in_runs, in_thread, is_of_the_moment, left_behind,
};
use crate::{
    actor::ActorKind,
    agent::{Agent, AgentName},
    approval::{Approval, ApprovalStatus},
    event::{ApprovalUsed, Event, Recorded, ToolChanged},
    fold,
    id::{ApprovalId, CallId, RunId, Seq, TaskId},
    message::Message,
    policy::{Outcome, Policy, Within},
    run::{CallStatus, Run, RunStatus, ToolCall},
    task::{Task, TaskState, law},
    time::Timestamp,
};

/// What is kept of the events so far.
#[derive(Debug)]
pub struct Trace {
    policy: Policy,
    agents: BTreeMap<AgentName, Agent>,
    tasks: BTreeMap<TaskId, Task>,
    calls: BTreeMap<CallId, ToolCall>,
    asked: BTreeMap<ApprovalId, Approval>,
    runs: BTreeMap<RunId, Run>,
    messages: Vec<Message>,
    /// Of whom a person was warned, on what task: once is enough.
    warned: BTreeSet<(Vec<String>, Option<TaskId>)>,
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
            asked: BTreeMap::new(),
            runs: BTreeMap::new(),
            messages: Vec::new(),
            warned: BTreeSet::new(),
            last: None,
        }
    }

    /// Takes the next event; returns the limit that it passed. What was counted up to there is then
    /// counted no more, as after a person's unblocking; a warning alone ends no count.
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
        let task = recorded.event.task();
        let found = self.look(recorded);
        let found = found.map(|found| found.on(task.and_then(|id| self.tasks.get(&id))));
        Ok(found.filter(|found| self.is_news(found, recorded)))
    }

    fn is_news(&mut self, found: &Found, recorded: &Recorded) -> bool {
        if found.containment == Containment::Warn {
            return self.warned.insert((found.who.clone(), recorded.event.task()));
        }
        self.count_anew(recorded);
        true
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
            Event::ApprovalRequested { approval } => {
                self.asked.insert(approval.id, approval.as_ref().clone());
            }
            Event::RunStarted { run } => {
                self.runs.insert(run.id, run.as_ref().clone());
            }
            Event::MessagePosted { message } => self.messages.push(message.as_ref().clone()),
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
        if let Event::ApprovalClosed { approval, .. } = &recorded.event
            && let Some(approval) = self.asked.get_mut(approval)
        {
            fold::approval(approval, recorded);
        }
        if let Event::RunFinished { run, .. } = &recorded.event
            && let Some(run) = self.runs.get_mut(run)
        {
            fold::run(run, recorded);
        }
    }

    fn look(&self, recorded: &Recorded) -> Option<Found> {
        match &recorded.event {
            Event::MessagePosted { message } => self.after_message(message),
            Event::ToolChecked { call } => self.after_check(call),
            Event::ToolChanged(ToolChanged { call, status, .. }) => match status {
                CallStatus::Succeeded | CallStatus::Failed => self.after_end(*call),
                CallStatus::Dropped => self.after_drop(*call),
                CallStatus::Allowed | CallStatus::Waiting | CallStatus::Denied => None,
            },
            Event::ApprovalClosed { agent, status: ApprovalStatus::Canceled, .. }
                if recorded.actor.is_agent(agent) =>
            {
                self.after_withdrawal(agent)
            }
            // What the daemon cut off it has contained by that.
            Event::RunFinished { agent, task, status, .. }
                if recorded.actor.kind == ActorKind::Agent =>
            {
                self.after_run((agent, *task), *status)
            }
            // The law blocks a task that would be sent back once more.
            Event::TaskMoved { task, from: TaskState::Review, to: TaskState::Blocked, .. } => {
                let task = self.tasks.get(task)?;
                let limit = self.rules(None, Some(task)).review_cycles;
                let is_over = law::review_cycle_limit_reached(task, limit);
                is_over.then(|| sent_back(task, task.review_cycles.saturating_add(1), limit))
            }
            // It went back where these rules would not have let it.
            Event::TaskMoved {
                task, from: TaskState::Review, to: TaskState::InProgress, ..
            } => {
                let task = self.tasks.get(task)?;
                let limit = self.rules(None, Some(task)).review_cycles;
                let is_over = task.review_cycles > i64::from(limit);
                is_over.then(|| sent_back(task, task.review_cycles, limit))
            }
            _ => None,
        }
    }

    fn after_message(&self, message: &Message) -> Option<Found> {
        let is_said = |one: &Message| one.author.kind == ActorKind::Agent;
        if !is_said(message) {
            return None;
        }
        let task = self.tasks.get(&message.task);
        let since = task.and_then(|task| task.counted_since);
        let of_task = self.messages.iter().rev().filter(|one| one.task == message.task);
        let is_summary =
            |one: &Message| one.author.kind == ActorKind::System && one.author.name == AUTHOR;
        let said: Vec<Said> = of_task
            .take_while(|one| !is_summary(one))
            .filter(|one| is_said(one) && counts(one.at, since))
            .map(|one| Said { who: one.author.name.clone(), at: one.at })
            .collect();
        in_thread(&self.rules(None, task), &said)
    }

    fn after_check(&self, call: &ToolCall) -> Option<Found> {
        if call.decision != Outcome::Deny {
            let (rules, _, since) = self.about(call)?;
            return left_behind(&rules, &self.on_task(&rules, call, since));
        }
        if is_of_the_moment(&call.rule) { None } else { self.after_end(call.id) }
    }

    fn after_drop(&self, id: CallId) -> Option<Found> {
        let call = self.calls.get(&id)?;
        let (rules, _, since) = self.about(call)?;
        in_circles(&rules, &self.on_task(&rules, call, since))
    }

    fn after_end(&self, id: CallId) -> Option<Found> {
        let call = self.calls.get(&id)?;
        let (rules, agent, since) = self.about(call)?;
        let has_ended = |one: &&ToolCall| {
            matches!(one.status, CallStatus::Succeeded | CallStatus::Failed | CallStatus::Denied)
        };
        let ended = self.calls.values().rev().filter(|one| one.agent == call.agent);
        let ended = newest(ended.filter(has_ended), rules.calls_needed(), since);
        in_calls(&rules, &ended, &self.on_task(&rules, call, since))
            .or_else(|| in_failures(&rules, &agent.name, agent.error_streak))
    }

    /// Returns the limits for a call, its agent, and since when its repetition counts.
    fn about(&self, call: &ToolCall) -> Option<(LoopRules, &Agent, Option<Timestamp>)> {
        let agent = self.agents.get(&call.agent)?;
        let task = call.task.and_then(|id| self.tasks.get(&id));
        let since = agent.counted_since.max(task.and_then(|task| task.counted_since));
        Some((self.rules(Some(agent), task), agent, since))
    }

    /// Returns the calls of one agent on one task, newest first.
    fn on_task(
        &self,
        rules: &LoopRules,
        call: &ToolCall,
        since: Option<Timestamp>,
    ) -> Vec<ToolCall> {
        let of_agent = self.calls.values().rev().filter(|one| one.agent == call.agent);
        let on_task = of_agent.take(CALLS_BACK as usize).filter(|one| one.task == call.task);
        newest(on_task, rules.circle_needed(), since)
    }

    fn after_withdrawal(&self, name: &AgentName) -> Option<Found> {
        let agent = self.agents.get(name)?;
        let asked = self.asked.values().rev().filter(|one| one.agent == *name);
        let asked =
            asked.filter(|one| one.decided_at.is_none_or(|at| counts(at, agent.counted_since)));
        in_questions(&self.rules(Some(agent), None), &asked.cloned().collect::<Vec<_>>())
    }

    fn after_run(
        &self,
        (name, task): (&AgentName, Option<TaskId>),
        status: RunStatus,
    ) -> Option<Found> {
        let agent = self.agents.get(name)?;
        let row = task.and_then(|id| self.tasks.get(&id));
        let rules = self.rules(Some(agent), row);
        let failed = matches!(status, RunStatus::Failed | RunStatus::TimedOut);
        let streak = in_failures(&rules, &agent.name, agent.error_streak).filter(|_| failed);
        if streak.is_some() {
            return streak;
        }
        let since = agent.counted_since.max(row.and_then(|task| task.counted_since));
        let ended = self.runs.values().rev().filter(|run| run.agent == *name && run.task == task);
        let ended = ended.filter(|run| run.ended_at.is_some_and(|at| counts(at, since)));
        in_runs(&rules, &ended.cloned().collect::<Vec<_>>())
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
        self.messages.retain(|one| Some(one.task) != recorded.event.task());
        if let Some(task) = recorded.event.task().and_then(|id| self.tasks.get_mut(&id)) {
            task.counted_since = Some(recorded.at);
            task.review_cycles = 0;
        }
        self.warned.retain(|(_, task)| *task != recorded.event.task());
    }
}

fn newest<'a>(
    calls: impl Iterator<Item = &'a ToolCall>,
    count: u32,
    since: Option<Timestamp>,
) -> Vec<ToolCall> {
    let calls = calls.take(usize::try_from(count).unwrap_or(usize::MAX));
    calls.filter(|one| counts(one.ended_at.unwrap_or(one.at), since)).cloned().collect()
}

fn sent_back(task: &Task, count: i64, limit: u32) -> Found {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let who = task.assignees.iter().chain(&task.reviewers).map(ToString::to_string).collect();
    let what = format!("{} was sent back from review {count} times", task.id);
    Found::new(Sign::ReviewCycles, (count, limit), who, what)
}

fn counts(at: Timestamp, since: Option<Timestamp>) -> bool {
    since.is_none_or(|since| at > since)
}
