//! The thread of a task: messages, mentions and artifacts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    actor::Actor,
    id::{MessageId, TaskId},
    time::Timestamp,
};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Talk.
    #[default]
    Comment,
    /// The steps of the work.
    WorkPlan,
    /// How far the work is.
    Progress,
    /// Something that was made.
    Artifact,
    /// A verdict on a deliverable.
    Review,
    /// A decision of a human.
    Decision,
    /// A note of the daemon.
    System,
}

/// One message of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Its number.
    pub id: MessageId,
    /// The task whose thread it stands in.
    pub task: TaskId,
    /// Who wrote it.
    pub author: Actor,
    /// What it is.
    pub kind: MessageKind,
    /// Markdown, at most 64 KiB.
    pub text: String,
    /// Agents and operators that it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Names of artifacts of the same task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// When it was posted.
    pub at: Timestamp,
}

/// A thing that was made for a task; its content is kept by hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    /// The task that it belongs to.
    pub task: TaskId,
    /// Unique within the task.
    pub name: String,
    /// Media type, such as `text/markdown`.
    pub media_type: String,
    /// Length of the content in bytes.
    pub size_bytes: i64,
    /// Hash of the content, in hex.
    pub sha256: String,
    /// Who stored it.
    pub author: Actor,
    /// When it was stored.
    pub at: Timestamp,
}

/// Returns the names that `text` mentions with `@`, in order, without repetition.
///
/// A mention starts at the beginning or behind a character that can't be part of a name, so that
/// `a@b.org` mentions nobody.
pub fn mentions(text: &str) -> Vec<String> {
    let part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut found: Vec<String> = Vec::new();
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if c == '@' && !part_of_name(before) {
            let name: String =
                text[at + 1..].chars().take_while(|c| part_of_name(*c)).take(32).collect();
            let name = name.trim_end_matches('-').to_ascii_lowercase();
            if !name.is_empty() && !found.contains(&name) {
                found.push(name);
            }
        }
        before = c;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_found_once_and_in_order() {
        assert_eq!(mentions("@wren see @Heron, and @wren again"), ["wren", "heron"]);
        assert_eq!(mentions("mail a@b.org, @ nobody, (@all)"), ["all"]);
        assert!(mentions("").is_empty());
    }
}
