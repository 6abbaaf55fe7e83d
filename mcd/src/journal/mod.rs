//! The journal: append-only, hash-chained; the only room that knows where it lives.
//!
//! A row's hash covers a domain tag, its sequence, the hash before it and its body, byte for byte
//! as stored. The columns beside the body are for queries; `verify` compares them with it.

pub mod verify;

use mc_core::{event::Recorded, id::Seq};
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use crate::store::StoreError;

/// A hash of the chain.
pub type Hash = [u8; 32];

/// The hash before the first event.
pub const GENESIS: Hash = [0; 32];

const DOMAIN: &[u8] = b"mc-journal@v1\0";
const APPEND: &str =
    "INSERT INTO journal (seq, at_ms, kind, task, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const HEAD: &str = "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1";

/// The newest event and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The sequence; 0 before the first event.
    pub seq: Seq,
    /// The hash.
    pub hash: Hash,
}

/// Returns the head of the journal.
///
/// # Errors
///
/// When the store can't be read.
pub fn head(db: &Connection) -> Result<Head, StoreError> {
    let row = db
        .query_row(HEAD, [], |row| Ok(Head { seq: row.get(0)?, hash: row.get(1)? }))
        .optional()?;
    Ok(row.unwrap_or(Head { seq: 0, hash: GENESIS }))
}

/// Appends one event behind `head` and returns the new head, and how many bytes the event takes.
///
/// # Errors
///
/// When the store can't be written.
pub fn append(
    db: &Connection,
    head: Head,
    recorded: &Recorded,
) -> Result<(Head, usize), StoreError> {
    let body = serde_json::to_string(recorded)?;
    let hash = chain(head.hash, recorded.seq, body.as_bytes());
    db.prepare_cached(APPEND)?.execute(params![
        recorded.seq,
        recorded.at.0,
        recorded.event.kind(),
        recorded.event.task().map(|task| task.0),
        body,
        hash,
    ])?;
    Ok((Head { seq: recorded.seq, hash }, body.len()))
}

/// Returns the hash of a row.
pub fn chain(before: Hash, seq: Seq, body: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(seq.to_be_bytes());
    hash.update(before);
    hash.update(body);
    hash.finalize().into()
}
