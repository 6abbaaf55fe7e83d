//! The errors of the wire: a kind, a code, one sentence, and the fields that are wrong.

use mc_core::refusal::{FieldError, Refusal, RefusalKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $code:literal $word:literal,)*) => {
        /// The words of `error.data.kind`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorKind {
            $($(#[$doc])* $name,)*
        }

        impl ErrorKind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the JSON-RPC code.
            pub const fn code(self) -> i32 {
                match self { $(Self::$name => $code,)* }
            }

            /// Returns the word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

kinds! {
    /// Not JSON.
    Parse -32700 "parse",
    /// JSON, but no request.
    InvalidRequest -32600 "invalid_request",
    /// No such method on this socket.
    UnknownMethod -32601 "unknown_method",
    /// A parameter is missing, unknown or out of range.
    InvalidParams -32602 "invalid_params",
    /// Who are you?
    Unauthorized -32001 "unauthorized",
    /// Not you, or not at this level.
    Forbidden -32003 "forbidden",
    /// No such thing.
    NotFound -32004 "not_found",
    /// A guard failed, or the move is not in the table.
    TransitionRefused -32010 "transition_refused",
    /// Another revision or digest, or an idempotency key with another body.
    Conflict -32009 "conflict",
    /// Too much at once.
    RateLimited -32029 "rate_limited",
    /// Longer than its limit.
    TooLarge -32013 "too_large",
    /// The emergency stop is in force.
    Halted -32023 "halted",
    /// Storage fails, the queue is full, or the daemon shuts down.
    Unavailable -32053 "unavailable",
}

/// What stands behind an error's code and message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorData {
    /// The word for what went wrong.
    pub kind: ErrorKind,
    /// Every field that is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldError>,
    /// The moves that are open to this caller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// When a retry makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// An error as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// The JSON-RPC code of the kind.
    pub code: i32,
    /// One sentence that a person can act on.
    pub message: String,
    /// Kind, fields and what is allowed.
    pub data: ErrorData,
}

impl RpcError {
    /// Returns an error of `kind` without fields.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            code: kind.code(),
            message: message.into(),
            data: ErrorData { kind, fields: Vec::new(), allowed: Vec::new(), retry_after_ms: None },
        }
    }

    /// Returns that one parameter is wrong.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Refusal::invalid(field, message).into()
    }

    /// Returns the same error with the time after which a retry makes sense.
    #[must_use]
    pub fn retry_after(mut self, milliseconds: u64) -> Self {
        self.data.retry_after_ms = Some(milliseconds);
        self
    }

    /// Returns its kind.
    pub fn kind(&self) -> ErrorKind {
        self.data.kind
    }
}

impl From<Refusal> for RpcError {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.kind {
            RefusalKind::InvalidParams => ErrorKind::InvalidParams,
            RefusalKind::Forbidden => ErrorKind::Forbidden,
            RefusalKind::NotFound => ErrorKind::NotFound,
            RefusalKind::TransitionRefused => ErrorKind::TransitionRefused,
            RefusalKind::Conflict => ErrorKind::Conflict,
            RefusalKind::RateLimited => ErrorKind::RateLimited,
            RefusalKind::TooLarge => ErrorKind::TooLarge,
            RefusalKind::Halted => ErrorKind::Halted,
        };
        Self {
            code: kind.code(),
            message: refusal.message,
            data: ErrorData {
                kind,
                fields: refusal.fields,
                allowed: refusal.allowed,
                retry_after_ms: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_code_and_its_wire_word() {
        for (at, kind) in ErrorKind::ALL.iter().enumerate() {
            let word = serde_json::to_value(kind).unwrap();
            assert_eq!(word, kind.as_str());
            assert!(ErrorKind::ALL[..at].iter().all(|other| other.code() != kind.code()));
        }
    }
}
