//! Threads: messages, subscriptions and artifacts.

use mc_core::{
    actor::ActorKind,
    agent::AgentName,
    alert::{NotificationKind, Severity},
    canonical, delivery,
    event::Event,
    id::TaskId,
    message::{Artifact, Message, MessageKind, mentions},
    redact,
    refusal::Refusal,
    task::Task,
};
use mc_proto::{
    limits::{ARGUMENT_BYTES, LIST_ITEMS, TEXT_BYTES},
    method::thread::{ArtifactPut, Post},
};

use super::{
    contain, input,
    notify::{self, Notice, ToPeople},
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// The longest name of an artifact, in bytes.
const NAME_BYTES: usize = 128;

/// `message.post`
///
/// # Errors
///
/// `forbidden` for kinds that an agent may not write, `invalid_params`.
pub fn post(desk: &mut Desk<'_>, params: Post) -> Result<Message, Fail> {
    let task = queries::task(desk.db, params.task)?;
    let is_agent = desk.caller.actor.kind == ActorKind::Agent;
    let not_for_agents = matches!(params.kind, MessageKind::Decision | MessageKind::System);
    if params.kind == MessageKind::System || (is_agent && not_for_agents) {
        return Err(Refusal::invalid(
            "kind",
            "this kind of message is written by the daemon or a human",
        )
        .into());
    }
    contain::may_write(desk, &task)?;
    let text = input::needed("text", &params.text, TEXT_BYTES)?;
    input::few("mentions", params.mentions.len())?;
    if let Some(reply_to) = params.reply_to
        && queries::message(desk.db, reply_to)?.task != task.id
    {
        return Err(
            Refusal::invalid("reply_to", format!("{reply_to} stands in another thread")).into()
        );
    }
    for (at, name) in params.artifacts.iter().enumerate() {
        if queries::artifact(desk.db, task.id, name).is_err() {
            let field = format!("artifacts[{at}]");
            return Err(Refusal::invalid(field, "no artifact of that name: put it first").into());
        }
    }
    let named = known_names(desk, &text, params.mentions)?;
    let message = Message {
        id: desk.next_message(),
        task: task.id,
        author: desk.caller.actor.clone(),
        kind: params.kind,
        text,
        mentions: named,
        reply_to: params.reply_to,
        artifacts: params.artifacts,
        at: desk.now,
    };
    desk.emit(Event::MessagePosted { message: Box::new(message.clone()) })?;
    tell(desk, &task, &message)?;
    contain::after_message(desk, &message)?;
    Ok(message)
}

/// Returns the mentioned names that are agents or groups; a slip of the pen mentions nobody.
fn known_names(desk: &Desk<'_>, text: &str, given: Vec<String>) -> Result<Vec<String>, Fail> {
    let mut names: Vec<String> = Vec::new();
    for name in mentions(text).into_iter().chain(given).take(LIST_ITEMS) {
        let is_group = name == "operator" || name == "all";
        let is_known = is_group || queries::find_agent(desk.db, &name)?.is_some();
        if is_known && !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn tell(desk: &mut Desk<'_>, task: &Task, message: &Message) -> Result<(), Fail> {
    let mut to: Vec<&str> = message.mentions.iter().map(String::as_str).collect();
    if to.contains(&"all") {
        to.retain(|name| *name != "all");
        to.extend(task.subscribers.iter().map(String::as_str));
    }
    // Humans' words reach the assignees even when nobody is named.
    if message.author.kind == ActorKind::Human {
        to.extend(task.assignees.iter().map(AgentName::as_str));
    }
    to.sort_unstable();
    to.dedup();
    for name in to.into_iter().filter(|name| *name != message.author.name) {
        let text =
            format!("{} on {}: {}", message.author, task.id, redact::preview(&message.text, 500));
        let kind = NotificationKind::Mention;
        if name == "operator" {
            let headline = delivery::of_mention(&message.author.name, task.id, &task.title);
            let (severity, task) = (Severity::Info, Some(task.id));
            let told = ToPeople { kind, severity, text, headline, task, approval: None };
            notify::people(desk, told)?;
            continue;
        }
        notify::send(desk, Notice { to: name, kind, text, task: Some(task.id) })?;
    }
    Ok(())
}

/// `task.subscribe`
///
/// # Errors
///
/// `not_found`.
pub fn subscribe(desk: &mut Desk<'_>, id: TaskId) -> Result<Task, Fail> {
    let task = queries::task(desk.db, id)?;
    let name = own_name(desk);
    if task.subscribers.contains(&name) {
        return Ok(task);
    }
    desk.emit(Event::TaskSubscribed { task: id, name })?;
    queries::task(desk.db, id)
}

/// `task.unsubscribe`
///
/// # Errors
///
/// `not_found`.
pub fn unsubscribe(desk: &mut Desk<'_>, id: TaskId) -> Result<Task, Fail> {
    let task = queries::task(desk.db, id)?;
    let name = own_name(desk);
    if !task.subscribers.contains(&name) {
        return Ok(task);
    }
    desk.emit(Event::TaskUnsubscribed { task: id, name })?;
    queries::task(desk.db, id)
}

fn own_name(desk: &Desk<'_>) -> String {
    desk.caller
        .agent
        .as_ref()
        .map_or(&desk.caller.actor.name[..], |agent| agent.as_str())
        .to_owned()
}

/// `artifact.put`
///
/// # Errors
///
/// `invalid_params`, `too_large`; `forbidden` on somebody else's task.
pub fn put_artifact(desk: &mut Desk<'_>, params: ArtifactPut) -> Result<Artifact, Fail> {
    let task = queries::task(desk.db, params.task)?;
    let who = own_name(desk);
    if desk.caller.actor.kind == ActorKind::Agent && !task.is_assigned_to(&who) {
        let text = format!("{} is not assigned to {who}", task.id);
        return Err(Refusal::forbidden(text).into());
    }
    let name = input::needed("name", &params.name, NAME_BYTES)?;
    if name.contains('/') || name.chars().any(char::is_control) {
        return Err(Refusal::invalid("name", "must be a plain name without `/`").into());
    }
    let text = input::optional("text", &params.text, ARGUMENT_BYTES)?;
    let media_type = params.media_type.unwrap_or_else(|| "text/plain".to_owned());
    let artifact = Artifact {
        task: task.id,
        name,
        media_type: input::needed("media_type", &media_type, NAME_BYTES)?,
        size_bytes: i64::try_from(text.len()).unwrap_or(i64::MAX),
        sha256: canonical::sha256_hex(text.as_bytes()),
        author: desk.caller.actor.clone(),
        at: desk.now,
    };
    desk.keep_blob(&artifact.sha256, &text)?;
    desk.emit(Event::ArtifactStored { artifact: Box::new(artifact.clone()) })?;
    Ok(artifact)
}
