//! The store: one writer, many readers, one projection.

pub mod desk;
mod open;
mod projections;
pub mod queries;
mod readers;
mod rebuild;
mod writer;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    thread::JoinHandle,
};

pub use desk::{Desk, WriterState};
use mc_core::{
    agent::AgentName,
    alert::Notification,
    budget::BudgetDay,
    event::Recorded,
    id::{NotificationId, Seq},
    redact::Masker,
    squad::Squad,
};
use mc_proto::{
    error::{ErrorKind, RpcError},
    home::Home,
    method::{Request, feed::Changed},
};
pub use rebuild::rebuild;
use tokio::sync::{broadcast, oneshot};

use self::{readers::Readers, writer::Job};
use crate::{
    caller::{Caller, Work},
    handlers,
    journal::verify,
    live::Live,
    masking,
};

/// How much work may wait for the writer.
const QUEUE: usize = 4096;
/// How many batches a follower may fall behind.
const FOLLOW: usize = 1024;

/// An answer as JSON, or the error to send.
pub type Answer = Result<Box<str>, RpcError>;

/// One durable event.
#[derive(Debug)]
pub struct Committed {
    /// The event.
    pub recorded: Recorded,
    /// The entities that it changed; empty while no feed is open.
    pub changed: Vec<Changed>,
}

/// What goes wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refuses.
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A migration fails; the database is as it was.
    #[error("the schema can't be brought up to date: {0}")]
    Migration(#[from] refinery::Error),
    /// The schema was made by a newer version.
    #[error(
        "the database has schema {found}, this version knows up to {known}: install the version \
         that wrote it; nothing was changed"
    )]
    NewerSchema {
        /// The version found.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// The file is something else.
    #[error("{path} is no Mission Control database; move it away or name another home")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The journal and the tables do not fit together.
    #[error("the journal is damaged: {0}; restore a backup, or see `mcd verify`")]
    Damaged(String),
    /// A stored value can't be read.
    #[error("a stored value can't be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A file can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite is too old to be trusted with a write-ahead log.
    #[error("SQLite {0} is too old: 3.51.3 or newer is needed")]
    OldSqlite(String),
}

impl StoreError {
    /// Says whether the disk is full: then writes may work again later.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Sqlite(error)
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }
}

impl From<StoreError> for RpcError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        let text = "the store failed; nothing was changed. See the daemon's log";
        Self::new(ErrorKind::Unavailable, text).retry_after(1000)
    }
}

/// The store; clones share it. The writer ends with the last clone, or at [`Store::shutdown`].
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    live: Arc<Live>,
    masker: Masker,
    behind_ms: i64,
    kept_day: Option<BudgetDay>,
    readers: Readers,
    queue: Mutex<Option<std::sync::mpsc::SyncSender<Job>>>,
    committed: broadcast::Sender<Arc<Vec<Committed>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// A way to hand work to the writer; clones share the queue.
#[derive(Debug, Clone)]
pub struct Queue(std::sync::mpsc::SyncSender<Job>);

impl Queue {
    /// Hands work to the writer. The answer comes when it is durable.
    ///
    /// # Errors
    ///
    /// `unavailable` at once when the queue is full or the writer has ended.
    pub fn submit(&self, work: Work) -> Result<oneshot::Receiver<Answer>, RpcError> {
        use std::sync::mpsc::TrySendError;
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Job { work, reply }).map_err(|error| match error {
            TrySendError::Full(_) => {
                RpcError::new(ErrorKind::Unavailable, "too much work waits; try again")
                    .retry_after(200)
            }
            TrySendError::Disconnected(_) => ended(),
        })?;
        Ok(answer)
    }
}

/// What everybody is told whose work the daemon does no more.
pub(crate) fn ended() -> RpcError {
    RpcError::new(ErrorKind::Unavailable, "the daemon is shutting down")
}

impl Store {
    /// Opens the database of `home`, brings its schema up to date and starts the writer.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the database is then as it was.
    pub fn open(home: &Home, live: Arc<Live>) -> Result<Self, StoreError> {
        let path = home.database();
        let key = home.state.join("mask.key");
        let masker =
            masking::open(&key).map_err(|source| StoreError::Io { path: key.clone(), source })?;
        let connection = open::writer(&path)?;
        let state = WriterState::load(&connection)?;
        let last_ms = queries::last_event_ms(queries::Reader::new(&connection))?;
        let behind_ms = last_ms.map_or(0, |last| last.saturating_sub(live.clock.now().0));
        live.head.store(state.head.seq, Ordering::SeqCst);
        for agent in queries::agents(queries::Reader::new(&connection), true)? {
            live.set_barred(&agent.name, agent.status.is_barred());
        }
        live.set_heard(queries::heard(queries::Reader::new(&connection))?);
        // After a clock that was set back no day is opened a second time.
        live.set_day(queries::newest_day(queries::Reader::new(&connection))?);
        let kept_day = queries::budget_day(queries::Reader::new(&connection))?;
        let (committed, _) = broadcast::channel(FOLLOW);
        let (queue, jobs) = std::sync::mpsc::sync_channel(QUEUE);
        let readers = Readers::new(&path);
        let writer =
            writer::start(connection, state, (&live, masker.clone()), (jobs, committed.clone()))
                .map_err(|source| StoreError::Io { path: path.clone(), source })?;
        Ok(Self {
            inner: Arc::new(Inner {
                live,
                masker,
                behind_ms,
                kept_day,
                readers,
                queue: Mutex::new(Some(queue)),
                committed,
                writer: Mutex::new(Some(writer)),
            }),
        })
    }

    /// Returns where the budget day stood when the store was opened.
    pub fn kept_day(&self) -> Option<&BudgetDay> {
        self.inner.kept_day.as_ref()
    }

    /// Returns by how much the wall clock stood before the newest event when the store was opened;
    /// negative is after it.
    pub fn behind_ms(&self) -> i64 {
        self.inner.behind_ms
    }

    /// Returns what lives outside of the database.
    pub fn live(&self) -> &Arc<Live> {
        &self.inner.live
    }

    /// Returns a way to the writer for a thread that sends much.
    ///
    /// # Errors
    ///
    /// `unavailable` when the store was shut down.
    pub fn queue(&self) -> Result<Queue, RpcError> {
        let queue = self.inner.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.clone().map(Queue).ok_or_else(ended)
    }

    /// Hands work to the writer. The answer comes when it is durable.
    ///
    /// # Errors
    ///
    /// `unavailable` at once when the queue is full or the writer has ended.
    pub fn submit(&self, work: Work) -> Result<oneshot::Receiver<Answer>, RpcError> {
        self.queue()?.submit(work)
    }

    /// Masks every text of a long request, on the calling thread, for the writer to find them done.
    ///
    /// What is no JSON was refused before.
    pub fn mask(&self, params: &str) -> Masker {
        self.inner.masker.knowing(&serde_json::from_str(params).unwrap_or_default())
    }

    /// Answers a query from a snapshot, on the calling thread. Lists and histories can take
    /// milliseconds: call it through a pool of threads when [`Store::is_heavy`] says so.
    ///
    /// # Errors
    ///
    /// What the query refuses, or `unavailable`.
    pub fn query(&self, caller: &Caller, request: &Request) -> Answer {
        self.inner.readers.with(|db| handlers::query(db, &self.inner.live, caller, request))
    }

    /// Returns the squad as the rows have it, without the tasks that a stop holds.
    ///
    /// # Errors
    ///
    /// `unavailable` when the store can't be read.
    pub fn squad(&self) -> Result<Squad, RpcError> {
        self.inner.readers.with(|db| Ok(queries::squad_row(db)?))
    }

    /// Returns the agents with a run that goes on.
    ///
    /// # Errors
    ///
    /// `unavailable` when the store can't be read.
    pub fn at_work(&self) -> Result<Vec<AgentName>, RpcError> {
        self.inner.readers.with(|db| Ok(queries::at_work(db)?))
    }

    /// Returns how many tasks a stop is to block, and how many are to go back after one.
    ///
    /// # Errors
    ///
    /// `unavailable` when the store can't be read.
    pub fn held_tasks(&self) -> Result<(i64, i64), RpcError> {
        use queries::stopped::{Phase, left};
        self.inner.readers.with(|db| Ok((left(db, Phase::Open)?, left(db, Phase::Back)?)))
    }

    /// Says whether a query may take milliseconds.
    pub fn is_heavy(request: &Request) -> bool {
        !matches!(
            request,
            Request::TaskGet(_)
                | Request::AgentGet(_)
                | Request::ApprovalGet(_)
                | Request::RunGet(_)
                | Request::SquadStatus(_)
        )
    }

    /// Returns a receiver of everything that becomes durable from now on, batch by batch.
    pub fn follow(&self) -> broadcast::Receiver<Arc<Vec<Committed>>> {
        self.inner.committed.subscribe()
    }

    /// Returns up to `limit` events after `since`, oldest first.
    ///
    /// # Errors
    ///
    /// `unavailable` when the store can't be read.
    pub fn events_after(&self, since: Seq, limit: i64) -> Result<Vec<Recorded>, RpcError> {
        self.inner.readers.with(|db| Ok(queries::events_after(db, since, limit)?))
    }

    /// Finds whose token has this SHA-256, if it is still good.
    ///
    /// # Errors
    ///
    /// `unavailable` when the store can't be read.
    pub fn token_owner(&self, sha256_hex: &str) -> Result<Option<TokenOwner>, RpcError> {
        let now = self.inner.live.clock.now();
        self.inner.readers.with(|db| Ok(queries::token_owner(db, sha256_hex, now)?))
    }

    /// Returns the notices that an agent has not had, oldest first, at most 200.
    ///
    /// # Errors
    ///
    /// `unavailable` when the store can't be read.
    pub fn unread(&self, agent: &AgentName) -> Result<Vec<Notification>, RpcError> {
        self.inner.readers.with(|db| Ok(queries::unread(db, agent.as_str(), 200)?))
    }

    /// Says whether nobody has said yet that a notice arrived.
    ///
    /// # Errors
    ///
    /// `unavailable` when the store can't be read.
    pub fn is_unread(&self, id: NotificationId) -> Result<bool, RpcError> {
        self.inner.readers.with(|db| Ok(queries::is_unread(db, id)?))
    }

    /// Takes no more work, finishes what waits and folds the log into the database.
    pub fn shutdown(&self) {
        let queue = self.inner.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(queue);
        let writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has already aborted the process.
            writer.join().ok();
        }
    }
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenOwner {
    /// An agent.
    Agent(AgentName),
    /// An adapter and the agents that it may name.
    Adapter(AgentName, Vec<AgentName>),
}

/// Brings the schema of the database at `path` up to date, after a copy.
///
/// # Errors
///
/// Any [`StoreError`]; the database is then as it was.
pub fn migrate(path: &Path) -> Result<(), StoreError> {
    open::writer(path).map(drop)
}

/// Checks the journal of the database at `path`, without a daemon.
///
/// # Errors
///
/// When the database can't be read.
pub fn verify(path: &Path) -> Result<mc_proto::method::admin::Verified, StoreError> {
    verify::verify(&open::reader(path)?, None)
}

#[cfg(test)]
mod tests {
    use mc_proto::method::{admin::PolicyTest, run::List, squad::StatusGet};

    use super::*;

    #[test]
    fn what_judges_or_lists_is_answered_by_a_thread_of_the_pool() {
        for request in
            [Request::PolicyTest(PolicyTest::default()), Request::RunList(List::default())]
        {
            assert!(Store::is_heavy(&request), "{request:?}");
        }
        assert!(!Store::is_heavy(&Request::SquadStatus(StatusGet::default())));
    }
}
