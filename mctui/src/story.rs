//! One line for each event, for the feed: who did what. Every foreign word goes through `Clean`.

use mc_core::{
    event::{Event, Recorded},
    policy::{Outcome, Risk},
    run::{CallStatus, ToolCall},
};

use crate::{
    format::money,
    text,
    theme::{Token, badge, severity_badge},
    widgets::Line,
};

/// Returns the word in the second column of feed and timeline.
pub fn kind(event: &Event) -> &'static str {
    match event.kind().split('_').next().unwrap_or_default() {
        "task" => "task",
        "message" => "talk",
        "artifact" => "made",
        "agent" | "token" | "adapter" | "runtime" => "agent",
        "run" => "run",
        "tool" => "tool",
        "approval" => "appr",
        "alert" => "alert",
        "notification" => "note",
        "squad" | "policy" | "operator" => "squad",
        _ => "clock",
    }
}

/// Returns the token of an event: what failed or was refused stands out.
pub fn token(event: &Event) -> Token {
    match event {
        Event::ToolChecked { call } if call.decision == Outcome::Deny => Token::Crit,
        Event::ToolChecked { call } if call.decision == Outcome::Ask => Token::risk(call.risk),
        Event::ToolChanged { status: CallStatus::Failed, .. }
        | Event::OperatorUnlocked { success: false, .. } => Token::Crit,
        Event::ApprovalRequested { approval } => Token::risk(approval.risk),
        Event::AlertRaised { alert } => Token::severity(alert.severity),
        Event::RunFinished { error: Some(_), .. } => Token::Crit,
        Event::SquadStatusChanged { .. } => Token::Strong,
        _ if matches!(kind(event), "note" | "clock") => Token::Dim,
        _ => Token::Fg,
    }
}

/// Returns what happened, in one line.
pub fn line(recorded: &Recorded) -> Line {
    let actor = text::line(&recorded.actor.to_string());
    let start = Line::new().says(Token::Strong, &actor).own(Token::Fg, " ");
    let told = tell(start, &recorded.event);
    match &recorded.reason {
        Some(reason) if !reason.is_empty() => {
            told.own(Token::Dim, ": ").says(Token::Fg, &text::line(reason))
        }
        Some(_) | None => told,
    }
}

fn tell(line: Line, event: &Event) -> Line {
    let of = token(event);
    match event {
        Event::TaskCreated { .. }
        | Event::TaskUpdated { .. }
        | Event::TaskMoved { .. }
        | Event::TaskClaimed { .. }
        | Event::TaskSubscribed { .. }
        | Event::TaskUnsubscribed { .. }
        | Event::MessagePosted { .. }
        | Event::ArtifactStored { .. } => of_task(line, event),
        Event::ToolChecked { call } => of_call(line, call),
        Event::ToolChanged { call, status, result_preview, error, .. } => {
            let line = line.own(of, format!("{call} {}", call_word(*status)));
            let said = error.as_ref().or(result_preview.as_ref());
            said.map_or(line.clone(), |said| line.own(Token::Dim, "  ").says(of, &text::line(said)))
        }
        Event::RunStarted { run } => line.own(of, format!("began {}", run.id)),
        Event::RunUsed { run, tokens, cost_uusd, model, .. } => line
            .own(of, format!("{run} used {} tokens ", tokens.total()))
            .own(Token::Money, money(*cost_uusd, cost_uusd.0 == 0))
            .own(Token::Dim, " on ")
            .says(Token::Dim, &text::line(model)),
        Event::RunFinished { run, error, status, .. } => {
            let line = line.own(of, format!("ended {run}: {}", word(status)));
            let said = error.as_ref().map(|error| text::line(error));
            said.map_or(line.clone(), |said| line.own(of, " ").says(of, &said))
        }
        Event::ApprovalRequested { approval } => line
            .own(of, format!("{} {} asked: ", approval.id, badge(approval.risk)))
            .says(Token::Fg, &text::line(&approval.summary)),
        Event::ApprovalClosed { approval, status, note, .. } => {
            let line = line.own(of, format!("{approval} {}", status.as_str()));
            let note = note.as_ref().map(|note| text::line(note));
            note.map_or(line.clone(), |note| line.own(Token::Dim, ": ").says(Token::Fg, &note))
        }
        Event::ApprovalUsed { approval, .. } => line.own(of, format!("used {approval}, once")),
        Event::ApprovalDropped { approval, .. } => {
            line.own(of, format!("no longer holds the call of {approval}"))
        }
        Event::AlertRaised { alert } => line
            .own(of, format!("{} {} ", severity_badge(alert.severity), alert.id))
            .says(Token::Fg, &text::line(&alert.text)),
        Event::AlertChanged { alert, status, .. } => {
            line.own(of, format!("{alert} {}", word(status)))
        }
        _ => of_others(line, event),
    }
}

fn of_task(line: Line, event: &Event) -> Line {
    match event {
        Event::TaskCreated { task } => {
            line.own(Token::Fg, "made it: ").says(Token::Fg, &text::line(&task.title))
        }
        Event::TaskMoved { from, to, .. } => {
            line.own(Token::Fg, format!("{} → ", from.title())).own(Token::Strong, to.title())
        }
        Event::TaskClaimed { fence, .. } => {
            line.own(Token::Fg, format!("claimed it, fence {fence}"))
        }
        Event::TaskSubscribed { .. } => line.own(Token::Dim, "follows it"),
        Event::TaskUnsubscribed { .. } => line.own(Token::Dim, "no longer follows it"),
        Event::MessagePosted { message } => {
            line.own(Token::Says, "\" ").says(Token::Fg, &text::line(&message.text))
        }
        Event::ArtifactStored { artifact } => {
            line.own(Token::Fg, "stored ").says(Token::Fg, &text::line(&artifact.name))
        }
        _ => line.own(Token::Fg, "changed it"),
    }
}

fn of_call(line: Line, call: &ToolCall) -> Line {
    let verdict = match call.decision {
        Outcome::Allow if call.risk == Risk::Green => String::new(),
        Outcome::Allow => format!(" {} allowed", badge(call.risk)),
        Outcome::Ask => format!(" {} asks", badge(call.risk)),
        Outcome::Deny => format!(" {} denied", badge(call.risk)),
    };
    let risk = if call.decision == Outcome::Deny { Token::Crit } else { Token::risk(call.risk) };
    line.says(Token::Strong, &text::line(&call.tool))
        .own(Token::Fg, " ")
        .says(Token::Fg, &text::line(&call.preview))
        .own(risk, verdict)
        .own(Token::Dim, format!("  {} ", call.id))
        .says(Token::Dim, &text::line(&call.rule))
}

fn of_others(line: Line, event: &Event) -> Line {
    let foreign = |start: &'static str, name: &str| {
        Line::new().own(Token::Fg, start).says(Token::Fg, &text::line(name))
    };
    match event {
        Event::AgentRegistered { agent, .. } => line.then(foreign("registered ", &agent.name)),
        Event::AgentUpdated { agent, .. } => line.then(foreign("changed ", agent)),
        Event::AgentStatusChanged { agent, from, to } => line
            .then(foreign("", agent))
            .own(Token::Warn, format!(": {} → {}", word(from), word(to))),
        Event::TokenRotated { name, .. } => line.then(foreign("gave a new token to ", name)),
        Event::TokenRevoked { name } => line.then(foreign("ended the tokens of ", name)),
        Event::AdapterEnrolled { name, .. } => line.then(foreign("enrolled ", name)),
        Event::RuntimeAttached { name, .. } => line.then(foreign("attached runtime ", name)),
        Event::RuntimeDetached { name, .. } => line.then(foreign("lost runtime ", name)),
        Event::NotificationQueued { notification } => line.then(foreign("told ", &notification.to)),
        Event::NotificationAcked { notification } => {
            line.own(Token::Dim, format!("{notification} was read"))
        }
        Event::SquadCreated { name } => line.then(foreign("set up squad ", name)),
        Event::SquadStatusChanged { from, to, .. } => {
            line.own(Token::Warn, format!("squad: {} → {}", word(from), word(to)))
        }
        Event::PolicyActivated { version, .. } => {
            line.own(Token::Strong, format!("policy v{version}"))
        }
        Event::OperatorUnlocked { success, .. } => {
            line.own(Token::Fg, if *success { "unlocked" } else { "FAILED to unlock" })
        }
        Event::ClockJumped { .. } => line.own(Token::Warn, "saw the clock jump"),
        _ => line.own(Token::Dim, event.kind()),
    }
}

fn call_word(status: CallStatus) -> &'static str {
    match status {
        CallStatus::Allowed => "may run",
        CallStatus::Waiting => "waits",
        CallStatus::Denied => "was denied",
        CallStatus::Succeeded => "succeeded",
        CallStatus::Failed => "FAILED",
        CallStatus::Dropped => "was dropped",
    }
}

/// Returns the word of one of our enums, as on the wire.
pub fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word.replace('_', " "),
        Ok(_) | Err(_) => "?".to_owned(),
    }
}
