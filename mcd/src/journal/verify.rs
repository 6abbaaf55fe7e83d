//! Checks the chain: nothing was changed, cut out, put in or reordered.

use mc_core::{canonical::hex, event::Recorded, id::Seq};
use mc_proto::method::admin::{Remembered, Verified};
use rusqlite::Connection;

use super::{GENESIS, Hash, chain};
use crate::store::StoreError;

const ALL: &str = "SELECT seq, at_ms, kind, task, body, hash FROM journal ORDER BY seq";

/// How many findings are listed.
const FINDINGS: usize = 100;

struct Row {
    seq: Seq,
    at_ms: i64,
    kind: String,
    task: Option<i64>,
    body: String,
    hash: Hash,
}

/// Walks the whole journal and lists what is wrong. `remembered` is a head kept elsewhere: it
/// shows a tail that was cut, or a chain that was made anew.
///
/// # Errors
///
/// When the store can't be read.
pub fn verify(db: &Connection, remembered: Option<&Remembered>) -> Result<Verified, StoreError> {
    let mut walk =
        Walk { expected: 1, hash: GENESIS, findings: Vec::new(), remembered, seen: false };
    let mut statement = db.prepare(ALL)?;
    let mut rows = statement.query([])?;
    let mut events = 0;
    while let Some(row) = rows.next()? {
        events += 1;
        walk.step(&Row {
            seq: row.get(0)?,
            at_ms: row.get(1)?,
            kind: row.get(2)?,
            task: row.get(3)?,
            body: row.get(4)?,
            hash: row.get(5)?,
        });
    }
    if let Some(remembered) = remembered.filter(|_| !walk.seen) {
        walk.find(format!("e{}: the tail was cut: this event was seen before", remembered.seq));
    }
    Ok(Verified {
        clean: walk.findings.is_empty(),
        events,
        head: walk.expected - 1,
        head_hash: hex(&walk.hash),
        findings: walk.findings,
    })
}

struct Walk<'a> {
    expected: Seq,
    hash: Hash,
    findings: Vec<String>,
    remembered: Option<&'a Remembered>,
    seen: bool,
}

impl Walk<'_> {
    fn find(&mut self, finding: String) {
        if self.findings.len() < FINDINGS {
            self.findings.push(finding);
        }
    }

    fn step(&mut self, row: &Row) {
        if row.seq != self.expected {
            self.find(format!(
                "e{}: events {} to {} are missing",
                row.seq,
                self.expected,
                row.seq - 1
            ));
        }
        if chain(self.hash, row.seq, row.body.as_bytes()) != row.hash {
            self.find(format!("e{}: the hash does not fit the body and the event before", row.seq));
        }
        match serde_json::from_str::<Recorded>(&row.body) {
            Err(error) => self.find(format!("e{}: the body can't be read: {error}", row.seq)),
            Ok(recorded) => {
                let task = recorded.event.task().map(|task| task.0);
                let told = (recorded.seq, recorded.at.0, recorded.event.kind(), task);
                if told != (row.seq, row.at_ms, row.kind.as_str(), row.task) {
                    self.find(format!("e{}: the columns differ from the body", row.seq));
                }
            }
        }
        if let Some(remembered) = self.remembered.filter(|head| head.seq == row.seq) {
            self.seen = true;
            if remembered.hash != hex(&row.hash) {
                self.find(format!("e{}: another event stood here when it was last seen", row.seq));
            }
        }
        self.expected = row.seq + 1;
        self.hash = row.hash;
    }
}
