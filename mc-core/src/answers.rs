//! The five answers about a task: what happened, who did it, why, what it cost, what comes next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::EventId;

/// One answer and the events that it stands on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// In one line.
    pub text: String,
    /// The events that prove it, oldest first.
    pub events: Vec<EventId>,
}

/// The five answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Answers {
    /// What happened last.
    pub what: Answer,
    /// Who did it.
    pub who: Answer,
    /// Why.
    pub why: Answer,
    /// What it cost.
    pub cost: Answer,
    /// What comes next, and who has to do it.
    pub next: Answer,
}
