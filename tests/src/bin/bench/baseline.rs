//! What the machine does without us: SQLite that syncs each commit, and a socket's ping-pong.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use mc_tests::percentile;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::{Options, report};

/// The figures that others are set against.
pub(crate) struct Raw {
    /// Rows of tasks a second when each is committed alone.
    pub(crate) rows_1: f64,
    /// Rows of tasks a second when 64 are committed at once.
    pub(crate) rows_64: f64,
    /// Everything as JSON.
    pub(crate) document: Value,
}

/// Measures the baselines.
pub(crate) fn measure(options: &Options) -> Raw {
    let (rows_1, one) = sqlite(options, 1);
    let (rows_64, many) = sqlite(options, 64);
    let document = json!({
        "sqlite_full_batch_1": one,
        "sqlite_full_batch_64": many,
        "socket_ping_pong": ping_pong(options.each),
    });
    Raw { rows_1, rows_64, document }
}

const TABLES: &str = "
CREATE TABLE journal (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
    task INTEGER, body TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE INDEX journal_by_task ON journal (task, seq) WHERE task IS NOT NULL;
CREATE TABLE tasks (id INTEGER PRIMARY KEY, state TEXT NOT NULL, priority INTEGER NOT NULL,
    parent INTEGER, body TEXT NOT NULL) STRICT;
CREATE INDEX tasks_by_state ON tasks (state, id);
";

/// Inserts an event and a task a row, `batch` rows a commit; checkpoints as the daemon does, on
/// another thread.
fn sqlite(options: &Options, batch: i64) -> (f64, Value) {
    let dir = tempfile::tempdir_in(&options.dir).unwrap();
    let path = dir.path().join("raw.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;",
    )
    .ok();
    db.execute_batch(TABLES).unwrap();
    let log = path.with_extension("db-wal");
    let (fold, wanted) = std::sync::mpsc::sync_channel::<()>(1);
    let folder = std::thread::spawn(move || {
        let db = Connection::open(path).unwrap();
        while wanted.recv().is_ok() {
            db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
        }
    });
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(600));
    let (mut times, mut rows) = (Vec::new(), 0);
    let began = Instant::now();
    while began.elapsed() < options.each {
        let start = Instant::now();
        db.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
        for _ in 0..batch {
            rows += 1;
            let mut event = db
                .prepare_cached("INSERT INTO journal VALUES (?1, ?2, 'task_created', ?1, ?3, ?4)")
                .unwrap();
            event.execute(params![rows, 1_790_000_000_000_i64, body, [7_u8; 32]]).unwrap();
            let mut task =
                db.prepare_cached("INSERT INTO tasks VALUES (?1, 'inbox', 3, NULL, ?2)").unwrap();
            task.execute(params![rows, body]).unwrap();
        }
        db.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
        times.push(start.elapsed());
        if std::fs::metadata(&log).is_ok_and(|log| log.len() > 4 * 1024 * 1024) {
            fold.try_send(()).ok();
        }
    }
    let rate = (f64::from(rows) / began.elapsed().as_secs_f64()).round();
    drop(fold);
    folder.join().unwrap();
    let mut document = report::spread(&mut times);
    document["rows_per_second"] = json!(rate);
    (rate, document)
}

/// One byte there and one back, between two threads.
fn ping_pong(each: Duration) -> Value {
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let echo = std::thread::spawn(move || {
        let mut byte = [0_u8; 64];
        while let Ok(read @ 1..) = there.read(&mut byte) {
            there.write_all(&byte[..read]).unwrap();
        }
    });
    let mut times = Vec::new();
    let began = Instant::now();
    while began.elapsed() < each.min(Duration::from_secs(2)) {
        let start = Instant::now();
        here.write_all(b"x").unwrap();
        here.read_exact(&mut [0_u8; 1]).unwrap();
        times.push(start.elapsed());
    }
    #[expect(clippy::cast_precision_loss, reason = "a few million at most")]
    let rate = (times.len() as f64 / began.elapsed().as_secs_f64()).round();
    drop(here);
    echo.join().unwrap();
    json!({
        "per_second": rate,
        "p50_us": percentile(&mut times, 0.5).as_nanos() / 1000,
        "p99_us": percentile(&mut times, 0.99).as_nanos() / 1000,
    })
}
