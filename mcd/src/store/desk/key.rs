//! Idempotency keys: what was asked with one is answered once, and the same again.

use mc_core::canonical;
use mc_proto::{error::RpcError, method::Request};
use rusqlite::params;

use super::Desk;
use crate::{
    caller::Caller,
    store::{
        Answer, StoreError,
        queries::{self, Reader},
    },
};

/// An idempotency key, whose it is and what it stands for.
pub(super) struct Key {
    actor: String,
    name: String,
    body_sha256: String,
}

impl Key {
    pub(super) fn new(caller: &Caller, key: String, request: &Request) -> Self {
        let kind = if caller.is_human() { "human" } else { "agent" };
        let agent = caller.agent.as_deref().unwrap_or(&caller.actor.name);
        let through = caller.adapter.as_ref().map_or(String::new(), |name| format!("{name}/"));
        let whose = format!("{through}{agent}");
        let body_sha256 = canonical::sha256_hex(request.fingerprint().as_bytes());
        Self { actor: format!("{kind}:{whose}"), name: key, body_sha256 }
    }

    /// Returns the answer that was given to this key before.
    pub(super) fn first_answer(&self, db: Reader<'_>) -> Result<Option<Answer>, StoreError> {
        let Some((body, answer)) = queries::first_answer(db, &self.actor, &self.name)? else {
            return Ok(None);
        };
        if body == self.body_sha256 {
            return Ok(Some(Ok(answer.into_boxed_str())));
        }
        let text = "this idempotency key was used with another body; take a new key";
        Ok(Some(Err(RpcError::new(mc_proto::error::ErrorKind::Conflict, text))))
    }
}

impl Desk<'_> {
    /// Keeps what was answered to this key.
    pub(super) fn keep_answer(&mut self, key: &Key, answer: &str) -> Result<(), StoreError> {
        self.before_write()?;
        self.stored += answer.len();
        let sql = "INSERT INTO answers (actor, key, body_sha256, answer, at_ms)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        self.execute(sql, params![key.actor, key.name, key.body_sha256, answer, self.now.0])
            .map(drop)
    }
}
