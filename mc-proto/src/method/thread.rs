//! Threads on the wire: messages and artifacts.

use mc_core::{
    id::{MessageId, TaskId},
    message::{Artifact, MessageKind},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `message.post`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Post {
    /// The task whose thread it goes to.
    pub task: TaskId,
    /// What it is; `decision` and `system` are not for agents.
    #[serde(default)]
    pub kind: MessageKind,
    /// Markdown, at most 64 KiB; `@name` mentions.
    pub text: String,
    /// Names to mention beside those in the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Names of artifacts of the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
}

/// `message.list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageList {
    /// The task.
    pub task: TaskId,
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `artifact.put`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArtifactPut {
    /// The task that it belongs to.
    pub task: TaskId,
    /// Unique within the task: no `/`, at most 128 bytes.
    pub name: String,
    /// Media type; `text/plain` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The content as text, at most 128 KiB.
    pub text: String,
}

/// `artifact.get`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArtifactGet {
    /// The task that it belongs to.
    pub task: TaskId,
    /// Its name.
    pub name: String,
}

/// What `artifact.get` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactContent {
    /// What is known of it.
    #[serde(flatten)]
    pub artifact: Artifact,
    /// The content, with secrets masked.
    pub text: String,
}
