//! What can be copied of the row under the cursor. What can't be seen is cut: a paste into a shell
//! must hold nothing but what was read.

use mc_core::{
    agent::AgentName,
    id::{AlertId, ApprovalId, TaskId},
};

use super::{
    Overlay,
    menu::{Choice, Menu},
};
use crate::{
    scene::{Intent, Scene},
    text,
    theme::Token,
    widgets::Line,
};

/// The row under the cursor.
#[derive(Debug, Clone)]
pub enum Row {
    /// A task.
    Task(TaskId),
    /// An approval.
    Approval(ApprovalId),
    /// An agent.
    Agent(AgentName),
    /// An alert.
    Alert(AlertId),
}

/// Returns the menu of what can be copied.
pub fn of(row: &Row, scene: &Scene) -> Intent {
    let world = &scene.world;
    let mut choices = Vec::new();
    let mut add = |label: &'static str, text: String| choices.push(choice(label, &text));
    match row {
        Row::Task(id) => {
            add("id", id.to_string());
            if let Some(card) = world.tasks.get(id) {
                add("title", card.title.clone());
                add("JSON", json(card));
            }
            add("command", format!("mcctl task show {id}"));
        }
        Row::Approval(id) => {
            add("id", id.to_string());
            if let Some(approval) = world.approvals.get(id) {
                let arguments = &approval.statement.arguments;
                let act = arguments.get("command").and_then(serde_json::Value::as_str);
                add("act", act.map_or_else(|| arguments.to_string(), str::to_owned));
                add("digest", approval.digest.clone());
                add("JSON", json(approval));
            }
            add("command", format!("mcctl approval show {id}"));
        }
        Row::Agent(name) => {
            add("name", name.to_string());
            if let Some(view) = world.agents.get(name) {
                add("JSON", json(view));
            }
            add("command", format!("mcctl agent show {name}"));
        }
        Row::Alert(id) => {
            add("id", id.to_string());
            if let Some(alert) = world.alerts.get(id) {
                add("text", alert.text.clone());
                add("JSON", json(alert));
            }
        }
    }
    Intent::Look(Box::new(Overlay::Menu(Menu::new("Copy", choices))))
}

fn choice(label: &'static str, text: &str) -> Choice {
    let text = seen(text);
    let label =
        Line::new().own(Token::Dim, format!("{label:<8} ")).says(Token::Fg, &text::line(&text));
    Choice { label, opens: Some(Intent::Copy(text)) }
}

/// Cuts what can't be seen, and the ends of lines at the end.
fn seen(text: &str) -> String {
    let is_shown = |c: &char| (!c.is_control() || *c == '\n') && !text::is_unseen(*c);
    text.trim_end_matches(['\r', '\n']).chars().filter(is_shown).collect()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_holds_only_what_can_be_seen() {
        assert_eq!(seen("rm \u{202e}x\u{1b}[31m\u{200b}\r\n"), "rm x[31m");
        assert_eq!(seen("one\ntwo\n"), "one\ntwo");
    }
}
