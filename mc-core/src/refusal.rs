//! A refusal: an answer that says which guard failed and what would be allowed instead.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldError {
    /// The field, as on the wire (`work_plan`, `self_review[2].checked`).
    pub field: String,
    /// What is wrong with it and what was expected.
    pub message: String,
}

impl FieldError {
    /// Returns an error on `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// The words of PROTOCOL.md for what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// A parameter is missing, unknown or out of range.
    InvalidParams,
    /// Not you, or not at this level.
    Forbidden,
    /// No such thing.
    NotFound,
    /// A guard failed or the move is not in the table.
    TransitionRefused,
    /// Another revision, digest, fence, or the same idempotency key with another body.
    Conflict,
    /// Too much at once.
    RateLimited,
    /// Longer than its limit.
    TooLarge,
    /// The emergency stop is in force.
    Halted,
}

/// Why a command was not carried out. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What went wrong.
    pub kind: RefusalKind,
    /// One sentence that a person can act on.
    pub message: String,
    /// Every failed guard, field by field.
    pub fields: Vec<FieldError>,
    /// The moves that are open to this caller.
    pub allowed: Vec<String>,
}

impl Refusal {
    /// Returns a refusal without fields.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), fields: Vec::new(), allowed: Vec::new() }
    }

    /// Returns that a parameter is wrong.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let field = FieldError::new(field, message);
        let text = format!("`{}`: {}", field.field, field.message);
        Self { fields: vec![field], ..Self::new(RefusalKind::InvalidParams, text) }
    }

    /// Returns that `what` does not exist.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(RefusalKind::NotFound, format!("{what} not found"))
    }

    /// Returns that the caller may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Forbidden, message)
    }

    /// Returns that the caller's picture is out of date.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Conflict, message)
    }
}
