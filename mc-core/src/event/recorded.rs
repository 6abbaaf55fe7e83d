//! An event in its place: when, by whom, because of what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Event;
use crate::{actor::Actor, id::Seq, time::Timestamp};

/// One row of the journal, without its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recorded {
    /// Its place in the one total order.
    pub seq: Seq,
    /// When it was decided.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// What caused it: a method, a request, an approval, a timer.
    pub cause: String,
    /// Why, in the actor's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened.
    pub event: Event,
}
