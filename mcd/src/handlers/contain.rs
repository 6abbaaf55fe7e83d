//! Containment: work that goes in circles is ended by the very event that passed a limit, and what
//! goes past the gate by the first sign of it.

use mc_core::{
    actor::{Actor, ActorKind},
    agent::{Agent, AgentName},
    alert::{AlertKind, Severity},
    approval::Approval,
    event::Event,
    id::TaskId,
    loops::{self, Containment, Found, LoopRules, Said, Sign},
    message::{Message, MessageKind},
    policy::{Outcome, Within},
    refusal::{Refusal, RefusalKind},
    run::{Run, ToolCall},
    task::{Task, TaskState},
    time::Timestamp,
};

use super::{
    notify::{self, Warning},
    stop,
};
use crate::{
    masking,
    store::{
        Desk,
        queries::{self, Fail},
    },
};

/// How many calls are looked at first for a circle.
const FEW: u32 = 8;
/// How many calls and words stand in a Loop Summary, and how long each may be.
const SHOWN: usize = 5;
const SHOWN_CHARS: usize = 160;

/// Refuses a message of an agent where the thread is closed by a storm of them.
///
/// # Errors
///
/// `rate_limited` while the limit is reached and the task is blocked or closed.
pub(super) fn may_write(desk: &Desk<'_>, task: &Task) -> Result<(), Fail> {
    let is_closed = task.state == TaskState::Blocked || task.state.is_final();
    if !is_closed || desk.caller.actor.kind != ActorKind::Agent {
        return Ok(());
    }
    let rules = rules(desk, None, Some(task));
    let span = rules.comments_within.duration();
    let said = queries::messages_of_agents(desk.db, task.id, rules.messages_needed())?;
    let recent =
        said.iter().filter(|one| one.at <= desk.now && desk.now.since(one.at) <= span).count();
    if recent < usize::try_from(rules.comments).unwrap_or(usize::MAX) {
        return Ok(());
    }
    let text = format!(
        "{recent} messages of agents on {} within {}: it is {}; wait for a person",
        task.id, rules.comments_within, task.state
    );
    Err(Refusal::new(RefusalKind::RateLimited, text).into())
}

/// Something ran, or was about to run, that nobody was asked about: the agent is quarantined.
pub(super) fn unasked(
    desk: &mut Desk<'_>,
    agent: &AgentName,
    (text, next): (String, &'static str),
) -> Result<(), Fail> {
    let warning = Warning {
        severity: Severity::Critical,
        kind: AlertKind::Security,
        text: text.clone(),
        next,
        task: None,
        agent: Some(agent.clone()),
    };
    // Before the agent is quarantined, so that the alert is part of its evidence.
    notify::worsen(desk, warning)?;
    stop::contain(desk, &Actor::system("gate"), agent, &text)
}

/// Looks whether a message passed a limit.
pub(super) fn after_message(desk: &mut Desk<'_>, message: &Message) -> Result<(), Fail> {
    if message.author.kind != ActorKind::Agent {
        return Ok(());
    }
    let task = queries::task(desk.db, message.task)?;
    let rules = rules(desk, None, Some(&task));
    let newest = queries::messages_since_summary(desk.db, task.id, rules.messages_needed())?;
    let said: Vec<Said> = newest
        .iter()
        .filter(|one| counts(one.at, task.counted_since))
        .map(|one| Said { who: one.author.name.clone(), at: one.at })
        .collect();
    contain(desk, loops::in_thread(&rules, &said), (None, Some(&task)))
}

/// Looks whether a call that was just checked is one of a circle.
pub(super) fn after_check(
    desk: &mut Desk<'_>,
    call: &ToolCall,
    task: Option<&Task>,
) -> Result<(), Fail> {
    if call.decision == Outcome::Deny {
        let is_passing = loops::is_of_the_moment(&call.rule);
        desk.note_end(call);
        return if is_passing { Ok(()) } else { after_call(desk, call) };
    }
    let rules = rules(desk, Some(&call.agent), task);
    if !desk.note_open(&rules, call)? {
        return Ok(());
    }
    let about = About::of(desk, call)?;
    let found = loops::left_behind(&rules, &about.on_task(desk, call, rules.circle_needed())?);
    // What was found is looked for again only when as much is left behind once more.
    if found.is_some() {
        desk.note_end(call);
    }
    contain(desk, found, (Some(&call.agent), about.task.as_ref()))
}

/// Tells the people that an agent wants what nobody may do: once, until they have resolved it.
pub(super) fn tell_violation(desk: &mut Desk<'_>, call: &ToolCall) -> Result<(), Fail> {
    let warning = Warning {
        severity: Severity::Warning,
        kind: AlertKind::PolicyViolation,
        text: format!(
            "{} asked for what nobody may do, {} by {}: {}",
            call.agent, call.id, call.rule, call.reason
        ),
        next: "see what else it asked for: `mcctl tool list --agent NAME`; quarantine it when it \
               was no slip; more of it is told once this is resolved",
        task: None,
        agent: Some(call.agent.clone()),
    };
    notify::warn(desk, warning)?;
    Ok(())
}

/// Looks whether an ended or denied call passed a limit.
pub(super) fn after_call(desk: &mut Desk<'_>, call: &ToolCall) -> Result<(), Fail> {
    desk.note_end(call);
    let about = About::of(desk, call)?;
    let rules = &about.rules;
    let mut ended = queries::ended_calls(desk.db, &call.agent, rules.calls_needed())?;
    about.keep_counting(&mut ended);
    let agent = &about.agent;
    let found = loops::in_calls(rules, &ended, &about.circle(desk, call)?)
        .or_else(|| loops::in_failures(rules, &agent.name, agent.error_streak));
    contain(desk, found, (Some(&call.agent), about.task.as_ref()))
}

/// Looks whether a call that was given up is one of a circle.
pub(super) fn after_drop(desk: &mut Desk<'_>, call: &ToolCall) -> Result<(), Fail> {
    desk.note_end(call);
    let about = About::of(desk, call)?;
    let found = loops::in_circles(&about.rules, &about.circle(desk, call)?);
    contain(desk, found, (Some(&call.agent), about.task.as_ref()))
}

/// What bears on the repetition of a call.
struct About {
    agent: Agent,
    task: Option<Task>,
    rules: LoopRules,
    since: Option<Timestamp>,
}

impl About {
    fn of(desk: &Desk<'_>, call: &ToolCall) -> Result<Self, Fail> {
        let agent = queries::agent(desk.db, &call.agent)?;
        let task = call.task.map(|task| queries::task(desk.db, task)).transpose()?;
        let rules = rules(desk, Some(&agent.name), task.as_ref());
        let since = counted_since(&agent, task.as_ref());
        Ok(Self { agent, task, rules, since })
    }

    /// Returns the calls that a circle could be made of; most work shows with the newest few that it
    /// goes on.
    fn circle(&self, desk: &Desk<'_>, call: &ToolCall) -> Result<Vec<ToolCall>, Fail> {
        let few = self.on_task(desk, call, FEW)?;
        let needed = self.rules.circle_needed();
        if loops::may_go_on(&few) { self.on_task(desk, call, needed) } else { Ok(few) }
    }

    fn on_task(&self, desk: &Desk<'_>, call: &ToolCall, limit: u32) -> Result<Vec<ToolCall>, Fail> {
        let mut calls = queries::calls_on(desk.db, &call.agent, call.task, limit)?;
        self.keep_counting(&mut calls);
        Ok(calls)
    }

    fn keep_counting(&self, calls: &mut Vec<ToolCall>) {
        calls.retain(|one| counts(one.ended_at.unwrap_or(one.at), self.since));
    }
}

/// Looks whether a run that came to nothing was one too many.
pub(super) fn after_run(desk: &mut Desk<'_>, run: &Run) -> Result<(), Fail> {
    let agent = queries::agent(desk.db, &run.agent)?;
    let task = run.task.map(|task| queries::task(desk.db, task)).transpose()?;
    let rules = rules(desk, Some(&agent.name), task.as_ref());
    let since = counted_since(&agent, task.as_ref());
    let needed = rules.lost_runs.saturating_add(1);
    let mut ended = queries::ended_runs(desk.db, &agent.name, run.task, needed)?;
    ended.retain(|run| run.ended_at.is_some_and(|at| counts(at, since)));
    let found = loops::in_failures(&rules, &agent.name, agent.error_streak)
        .or_else(|| loops::in_runs(&rules, &ended));
    contain(desk, found, (Some(&agent.name), task.as_ref()))
}

/// Looks whether an agent took back one question too many.
pub(super) fn after_withdrawal(desk: &mut Desk<'_>, taken_back: &Approval) -> Result<(), Fail> {
    let agent = queries::agent(desk.db, &taken_back.agent)?;
    let task = taken_back.task.map(|task| queries::task(desk.db, task)).transpose()?;
    let rules = rules(desk, Some(&agent.name), None);
    let mut asked =
        queries::ended_questions(desk.db, &agent.name, rules.withdrawn.saturating_add(1))?;
    asked.retain(|one| one.decided_at.is_none_or(|at| counts(at, agent.counted_since)));
    contain(desk, loops::in_questions(&rules, &asked), (Some(&agent.name), task.as_ref()))
}

/// A task was sent back once too often and is blocked already: tells the thread and the humans.
pub(super) fn after_cycles(desk: &mut Desk<'_>, task: &Task, limit: u32) -> Result<(), Fail> {
    let count = u32::try_from(task.review_cycles.saturating_add(1)).unwrap_or(u32::MAX);
    let who = task.assignees.iter().chain(&task.reviewers).map(ToString::to_string).collect();
    let what = format!("{} was sent back from review {count} times", task.id);
    let found = Found::new(Sign::ReviewCycles, (count, limit), who, what);
    contain(desk, Some(found), (None, Some(task)))
}

/// Returns how often a task may be sent back from review.
pub(super) fn review_cycles(desk: &Desk<'_>, task: &Task) -> u32 {
    rules(desk, None, Some(task)).review_cycles
}

/// Returns how much repetition is let pass there.
fn rules(desk: &Desk<'_>, agent: Option<&AgentName>, task: Option<&Task>) -> LoopRules {
    let within = Within {
        project: task.and_then(|task| task.project.as_deref()),
        task_type: task.map(|task| task.task_type.as_str()),
        agent: agent.map(AgentName::as_str),
    };
    desk.policy.at(within).doc().loops
}

fn counted_since(agent: &Agent, task: Option<&Task>) -> Option<Timestamp> {
    agent.counted_since.max(task.and_then(|task| task.counted_since))
}

fn counts(at: Timestamp, since: Option<Timestamp>) -> bool {
    since.is_none_or(|since| at > since)
}

/// Does what the sign demands, where one was found: summary, containment, one alert.
fn contain(
    desk: &mut Desk<'_>,
    found: Option<Found>,
    (agent, task): (Option<&AgentName>, Option<&Task>),
) -> Result<(), Fail> {
    let Some(found) = found.map(|found| found.on(task)) else { return Ok(()) };
    if is_contained(desk, &found, (agent, task))? {
        return Ok(());
    }
    let system = Actor::system(loops::AUTHOR);
    let mut blamed: Vec<AgentName> = Vec::new();
    for name in found.blamed() {
        blamed.extend(queries::find_agent(desk.db, name)?.map(|agent| agent.name));
    }
    if let Some(task) = task {
        let text = summary(desk, &found, (agent, task.id))?;
        post(desk, &system, task.id, text)?;
    }
    let reason = format!("{} (limit {})", found.what, found.limit);
    let is_warning = found.containment == Containment::Warn;
    let is_quarantine = found.containment == Containment::Quarantine;
    // Before the agent is quarantined, so that the alert is part of its evidence.
    let warning = Warning {
        severity: if is_warning { Severity::Warning } else { Severity::Error },
        kind: kind(found.sign),
        text: reason.clone(),
        next: found.advice(),
        task: task.map(|task| task.id),
        agent: agent.or_else(|| blamed.first().filter(|_| is_quarantine)).cloned(),
    };
    notify::warn(desk, warning)?;
    for name in blamed.iter().filter(|_| is_quarantine) {
        stop::contain(desk, &system, name, &reason)?;
    }
    let is_its_own = |task: &&Task| blamed.iter().any(|name| task.is_assigned_to(name));
    let task = task.filter(|task| found.containment == Containment::Block || is_its_own(task));
    match task {
        Some(task) if !is_warning => block(desk, &system, task.id, &reason),
        Some(_) | None => Ok(()),
    }
}

/// Says whether people know already, and nothing is left to do.
fn is_contained(
    desk: &Desk<'_>,
    found: &Found,
    (agent, task): (Option<&AgentName>, Option<&Task>),
) -> Result<bool, Fail> {
    let is_over = |task: &Task| {
        found.sign != Sign::ReviewCycles
            && (task.state == TaskState::Blocked || task.state.is_final())
    };
    match (found.containment, task) {
        (Containment::Quarantine, _) => Ok(false),
        (Containment::Block, Some(task)) => Ok(is_over(task)),
        // Without a task there is nothing to block.
        (Containment::Warn, _) | (Containment::Block, None) => {
            let (agent, task) = (agent.map(|name| &**name), task.map(|task| task.id));
            Ok(queries::open_alert(desk.db, kind(found.sign), agent, task)?.is_some())
        }
    }
}

const fn kind(sign: Sign) -> AlertKind {
    match sign {
        Sign::ErrorStreak | Sign::SameError => AlertKind::ErrorStreak,
        Sign::Comments
        | Sign::Turns
        | Sign::ReviewCycles
        | Sign::SameCall
        | Sign::NearlySameCall
        | Sign::Circles
        | Sign::Retries
        | Sign::Withdrawn
        | Sign::LostRuns => AlertKind::Loop,
    }
}

fn block(desk: &mut Desk<'_>, system: &Actor, id: TaskId, reason: &str) -> Result<(), Fail> {
    let task = queries::task(desk.db, id)?;
    stop::block_as(desk, system, &task, reason.to_owned()).map(drop)
}

fn summary(
    desk: &Desk<'_>,
    found: &Found,
    (agent, task): (Option<&AgentName>, TaskId),
) -> Result<String, Fail> {
    let mut tried: Vec<String> = Vec::new();
    if let Some(agent) = agent {
        for call in queries::ended_calls(desk.db, agent, 20)? {
            let line = tried_line(&call);
            if call.task == Some(task) && !tried.contains(&line) && tried.len() < SHOWN {
                tried.push(line);
            }
        }
    }
    let mut words: Vec<(String, String)> = Vec::new();
    for message in queries::messages_of_agents(desk.db, task, 20)? {
        let is_new = !words.iter().any(|(who, _)| *who == message.author.name);
        if is_new && words.len() < SHOWN {
            let text = masking::preview(&message.text, SHOWN_CHARS);
            words.push((message.author.name, text));
        }
    }
    Ok(loops::summary(found, &tried, &words))
}

fn tried_line(call: &ToolCall) -> String {
    let preview: String = call.preview.chars().take(SHOWN_CHARS).collect();
    match &call.signature {
        Some(error) => format!("{} {preview}: {error}", call.tool),
        None => format!("{} {preview}", call.tool),
    }
}

fn post(desk: &mut Desk<'_>, system: &Actor, task: TaskId, text: String) -> Result<(), Fail> {
    let message = Message {
        id: desk.next_message(),
        task,
        author: system.clone(),
        kind: MessageKind::System,
        text,
        mentions: Vec::new(),
        reply_to: None,
        artifacts: Vec::new(),
        at: desk.now,
    };
    desk.emit_as(system.clone(), None, Event::MessagePosted { message: Box::new(message) })?;
    Ok(())
}
