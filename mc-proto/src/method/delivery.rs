//! Deliveries on the wire: what the notification helper takes, and what operators see of it.

use mc_core::{
    delivery::{Delivery, DeliveryStatus, Schedule, Sink, SinkState},
    id::DeliveryId,
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `delivery.attach`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeliveryAttach")]
pub struct Attach {
    /// The sinks that the helper serves; what waits for any other is dropped.
    pub sinks: Vec<Sink>,
    /// When notices are sent and sent again.
    pub schedule: Schedule,
}

/// What `delivery.attach` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeliveryAttached")]
pub struct Attached {
    /// The squad's name, for the texts.
    pub squad: String,
}

/// `delivery.next`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeliveryNext")]
pub struct Next {
    /// The sink.
    pub sink: String,
    /// How long to wait when nothing is due; at most 30,000.
    #[serde(default)]
    pub wait_ms: u64,
}

/// What `delivery.next` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Due {
    /// What to send now, lent to this connection; `None` when nothing is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// When something is due next, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

/// How a try ended, as the helper saw it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The sink took it.
    #[default]
    Delivered,
    /// It did not, this time.
    Failed,
    /// It says that it never will take this content.
    Refused,
}

/// `delivery.done`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeliveryDone")]
pub struct Done {
    /// The delivery.
    pub delivery: DeliveryId,
    /// How the try ended.
    pub outcome: Outcome,
    /// What went wrong; neither addresses nor secrets belong here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// For how long the sink asked to be left alone, as `Retry-After` says it; at most an hour counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// `delivery.answers`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeliveryAnswers")]
pub struct Answers {
    /// The sink from which answers are taken.
    pub sink: String,
    /// Why none can be taken now; `None` when they can. Neither addresses nor secrets belong here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `delivery.list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeliveryList")]
pub struct List {
    /// Only of this sink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// Only with this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<DeliveryStatus>,
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `delivery.status`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeliveryStatusGet")]
pub struct StatusGet {}

/// How one sink is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SinkHealth {
    /// The sink and what became of its deliveries.
    #[serde(flatten)]
    pub state: SinkState,
    /// Notices that wait to be put together, and deliveries that wait to be tried again.
    pub waiting: i64,
    /// When it is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Since when no answers can be taken from it, and why; `None` where they can, or where none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_failing: Option<AnswersFailing>,
}

/// Why no answers can be taken from a sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnswersFailing {
    /// Since when, as far as the daemon has been told since it began.
    pub since: Timestamp,
    /// What went wrong last.
    pub error: String,
}

/// What `delivery.status` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// When the helper last asked for work; `None` since the daemon began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helper_seen_at: Option<Timestamp>,
    /// Whether quiet hours hold back what is not critical.
    pub quiet: bool,
    /// The sinks.
    pub sinks: Vec<SinkHealth>,
}

/// `delivery.test`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeliveryTest")]
pub struct Test {
    /// The sink.
    pub sink: String,
}

/// `delivery.get`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeliveryGet")]
pub struct Get {
    /// The delivery.
    pub delivery: DeliveryId,
}

/// `delivery.retry`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeliveryRetry")]
pub struct Retry {
    /// Only this sink; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
}
