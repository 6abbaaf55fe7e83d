//! How events are told: their word, their colour, their line.

use mc_core::{
    describe,
    event::{Event, Recorded, ToolChanged},
    policy::Outcome,
    run::CallStatus,
};

use crate::{
    text::{self, Clean},
    theme::Token,
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
        "rule" => "rule",
        "alert" => "alert",
        "notification" => "note",
        "squad" | "policy" | "operator" | "operators" => "squad",
        _ => "clock",
    }
}

/// Returns the token of an event: what failed or was refused stands out.
pub fn token(event: &Event) -> Token {
    match event {
        Event::ToolChecked { call } if call.decision == Outcome::Deny => Token::Crit,
        Event::ToolChecked { call } if call.decision == Outcome::Ask => Token::risk(call.risk),
        Event::ToolChanged(ToolChanged { status: CallStatus::Failed, .. })
        | Event::OperatorUnlocked { success: false, .. }
        | Event::RunFinished { error: Some(_), .. } => Token::Crit,
        Event::ApprovalRequested { approval } => Token::risk(approval.risk),
        Event::AlertRaised { alert } => Token::severity(alert.severity),
        Event::SquadStatusChanged { .. } => Token::Strong,
        _ if matches!(kind(event), "note" | "clock") => Token::Dim,
        _ => Token::Fg,
    }
}

/// Returns what happened, in one line.
pub fn line(recorded: &Recorded) -> Clean {
    text::line(&describe::line(recorded))
}

/// Returns the word of one of our enums, as on the wire.
pub fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word.replace('_', " "),
        Ok(_) | Err(_) => "?".to_owned(),
    }
}
