//! Containment: work that goes in circles is ended by the very event that passed a limit.

use mc_core::{
    actor::{Actor, ActorKind},
    agent::{Agent, AgentName},
    alert::{AlertKind, Severity},
    event::Event,
    id::{CallId, TaskId},
    loops::{self, Containment, Found, LoopRules, Said, Sign},
    message::{Message, MessageKind},
    policy::{Decision, Outcome, Within},
    refusal::{Refusal, RefusalKind},
    run::ToolCall,
    task::Task,
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

/// How many calls and words stand in a Loop Summary, and how long each may be.
const SHOWN: usize = 5;
const SHOWN_CHARS: usize = 160;

/// Refuses a comment of an agent where the thread is closed by a storm of them.
///
/// # Errors
///
/// `rate_limited` while the limit is reached and the task is blocked or closed.
pub(super) fn may_comment(desk: &Desk<'_>, task: &Task) -> Result<(), Fail> {
    let is_closed = task.state == mc_core::task::TaskState::Blocked || task.state.is_final();
    if !is_closed || desk.caller.actor.kind != ActorKind::Agent {
        return Ok(());
    }
    let rules = rules(desk, None, Some(task));
    let span = rules.comments_within.duration();
    let said = queries::comments_of_agents(desk.db, task.id, rules.messages_needed())?;
    let recent = said.iter().filter(|one| desk.now.since(one.at) <= span).count();
    if recent < usize::try_from(rules.comments).unwrap_or(usize::MAX) {
        return Ok(());
    }
    let text = format!(
        "{recent} comments of agents on {} within {}: it is {}; wait for a person",
        task.id, rules.comments_within, task.state
    );
    Err(Refusal::new(RefusalKind::RateLimited, text).into())
}

/// Looks whether a comment passed a limit.
pub(super) fn after_comment(desk: &mut Desk<'_>, message: &Message) -> Result<(), Fail> {
    if message.kind != MessageKind::Comment || message.author.kind != ActorKind::Agent {
        return Ok(());
    }
    let task = queries::task(desk.db, message.task)?;
    let rules = rules(desk, None, Some(&task));
    let newest = queries::comments_of_agents(desk.db, task.id, rules.messages_needed())?;
    let said: Vec<Said> = newest
        .iter()
        .filter(|one| counts(one.at, task.counted_since))
        .map(|one| Said { who: one.author.name.clone(), at: one.at })
        .collect();
    match loops::in_thread(&rules, &said) {
        Some(found) => contain(desk, &found, (None, Some(task.id))),
        None => Ok(()),
    }
}

/// Looks whether a call that was denied is denied again and again.
pub(super) fn after_denial(
    desk: &mut Desk<'_>,
    id: CallId,
    decision: &Decision,
) -> Result<(), Fail> {
    if decision.outcome != Outcome::Deny || loops::is_of_the_moment(&decision.rule) {
        return Ok(());
    }
    after_call(desk, id)
}

/// Looks whether an ended or denied call passed a limit.
pub(super) fn after_call(desk: &mut Desk<'_>, id: CallId) -> Result<(), Fail> {
    let call = queries::call(desk.db, id)?;
    let agent = queries::agent(desk.db, &call.agent)?;
    let task = call.task.map(|task| queries::task(desk.db, task)).transpose()?;
    let rules = rules(desk, Some(&agent), task.as_ref());
    let since = agent.counted_since.max(task.and_then(|task| task.counted_since));
    let mut ended = queries::ended_calls(desk.db, &call.agent, rules.calls_needed())?;
    ended.retain(|one| counts(one.ended_at.unwrap_or(one.at), since));
    let found = loops::in_calls(&rules, &ended)
        .or_else(|| loops::in_failures(&rules, &agent.name, agent.error_streak));
    match found {
        Some(found) => contain(desk, &found, (Some(&call.agent), call.task)),
        None => Ok(()),
    }
}

/// Looks whether a failed run was one failure too many.
pub(super) fn after_run(
    desk: &mut Desk<'_>,
    name: &AgentName,
    task: Option<TaskId>,
) -> Result<(), Fail> {
    let agent = queries::agent(desk.db, name)?;
    let row = task.map(|task| queries::task(desk.db, task)).transpose()?;
    let rules = rules(desk, Some(&agent), row.as_ref());
    match loops::in_failures(&rules, name, agent.error_streak) {
        Some(found) => contain(desk, &found, (Some(name), task)),
        None => Ok(()),
    }
}

/// A task was sent back once too often and is blocked already: tells the thread and the humans.
pub(super) fn after_cycles(desk: &mut Desk<'_>, task: &Task, limit: i64) -> Result<(), Fail> {
    let count = u32::try_from(task.review_cycles.saturating_add(1)).unwrap_or(u32::MAX);
    let who = task.assignees.iter().chain(&task.reviewers).map(ToString::to_string).collect();
    let found = Found {
        sign: Sign::ReviewCycles,
        count,
        limit: u32::try_from(limit).unwrap_or(0),
        who,
        what: format!("{} was sent back from review {count} times", task.id),
    };
    contain(desk, &found, (None, Some(task.id)))
}

/// Returns how much repetition is let pass there.
fn rules(desk: &Desk<'_>, agent: Option<&Agent>, task: Option<&Task>) -> LoopRules {
    let within = Within {
        project: task.and_then(|task| task.project.as_deref()),
        task_type: task.map(|task| task.task_type.as_str()),
        agent: agent.map(|agent| agent.name.as_str()),
    };
    desk.policy.at(within).doc().loops
}

fn counts(at: Timestamp, since: Option<Timestamp>) -> bool {
    since.is_none_or(|since| at > since)
}

/// Does what the sign demands: summary, containment, one alert.
fn contain(
    desk: &mut Desk<'_>,
    found: &Found,
    (agent, task): (Option<&AgentName>, Option<TaskId>),
) -> Result<(), Fail> {
    let system = Actor::system(loops::AUTHOR);
    let is_known = queries::open_alert(desk.db, kind(found.sign), agent.map(|a| &**a), task)?;
    if found.sign.containment() == Containment::Warn && is_known.is_some() {
        return Ok(());
    }
    if let Some(task) = task {
        let text = summary(desk, found, (agent, task))?;
        post(desk, &system, task, text)?;
    }
    let reason = format!("{} (limit {})", found.what, found.limit);
    // Before the agent is quarantined, so that the alert is part of its evidence.
    let is_warning = found.sign.containment() == Containment::Warn;
    let warning = Warning {
        severity: if is_warning { Severity::Warning } else { Severity::Error },
        kind: kind(found.sign),
        text: reason.clone(),
        next: found.sign.advice(),
        task,
        agent: agent.cloned(),
    };
    notify::warn(desk, warning)?;
    match found.sign.containment() {
        Containment::Warn => {}
        Containment::Block => {
            if let Some(task) = task {
                block(desk, &system, task, &reason)?;
            }
        }
        Containment::Quarantine => {
            if let Some(name) = agent {
                stop::contain(desk, &system, name, &reason)?;
            }
            if let Some(task) = task {
                block(desk, &system, task, &reason)?;
            }
        }
    }
    Ok(())
}

const fn kind(sign: Sign) -> AlertKind {
    match sign {
        Sign::ErrorStreak | Sign::SameError => AlertKind::ErrorStreak,
        Sign::Comments
        | Sign::Turns
        | Sign::ReviewCycles
        | Sign::SameCall
        | Sign::NearlySameCall => AlertKind::Loop,
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
    for message in queries::comments_of_agents(desk.db, task, 20)? {
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
