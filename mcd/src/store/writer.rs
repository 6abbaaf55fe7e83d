//! The one writer: a thread that owns the connection, takes all that waits, and commits it at once.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender},
    },
    thread::JoinHandle,
};

use mc_core::{actor::ActorKind, event::Event, redact::Masker};
use mc_proto::error::{ErrorKind, RpcError};
use rusqlite::Connection;
use tokio::sync::{broadcast, oneshot};

use super::{
    Answer, Committed, StoreError, WriterState,
    desk::{self, Done},
    open,
};
use crate::{
    caller::{SystemCommand, Work},
    clock::Drift,
    live::Live,
    masking,
};

/// How many commands one commit takes at most.
const BATCH: usize = 512;
/// How long the log may grow before it is folded into the database beside the writer.
const LOG_BYTES: u64 = 4 * 1024 * 1024;
/// After how many commits it is folded again: its file stays as long as it ever was.
const LOG_COMMITS: u32 = 256;
/// How long it may grow before the writer folds it in itself, and cuts it.
const LOG_LIMIT_BYTES: u64 = 64 * 1024 * 1024;
/// What the process ends with when the disk fails.
const EXIT_IO_ERROR: i32 = 74;
const STACK_BYTES: usize = 1024 * 1024;
/// What is said while nothing can be written.
const FULL: &str =
    "the disk is full: nothing was changed; free some space, the daemon goes on then";

/// One thing to do, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Answer>,
}

type Channels = (Receiver<Job>, broadcast::Sender<Arc<Vec<Committed>>>);

struct Writer {
    db: Connection,
    log: PathBuf,
    state: WriterState,
    drift: Drift,
    live: Arc<Live>,
    committed: broadcast::Sender<Arc<Vec<Committed>>>,
    checkpoints: SyncSender<()>,
    /// Commits since the log was folded last.
    commits: u32,
}

/// Starts the writer's thread; it ends when every sender of jobs is gone.
pub(super) fn start(
    db: Connection,
    state: WriterState,
    (live, masker): (&Arc<Live>, Masker),
    (jobs, committed): Channels,
) -> io::Result<JoinHandle<()>> {
    let path = PathBuf::from(db.path().unwrap_or_default());
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    let checkpoints = start_checkpoints(path)?;
    let live = Arc::clone(live);
    let drift = Drift::of(&*live.clock);
    let log = log.into();
    let writer = Writer { db, log, state, drift, live, committed, checkpoints, commits: 0 };
    std::thread::Builder::new().name("writer".into()).stack_size(STACK_BYTES).spawn(move || {
        masking::install(masker);
        let run = std::panic::AssertUnwindSafe(|| writer.run(&jobs));
        if std::panic::catch_unwind(run).is_err() {
            // No half-alive daemon: what was not acknowledged is not there.
            std::process::abort();
        }
    })
}

/// Starts the thread that folds the log into the database while the writer goes on.
fn start_checkpoints(path: PathBuf) -> io::Result<SyncSender<()>> {
    let (sender, wanted) = std::sync::mpsc::sync_channel(1);
    std::thread::Builder::new().name("checkpoint".into()).stack_size(STACK_BYTES / 4).spawn(
        move || {
            let mut db = None;
            while let Ok(()) = wanted.recv() {
                if db.is_none() {
                    db = open::checkpointer(&path).ok();
                }
                let folded = db.as_ref().map(|db| checkpoint(db, "PASSIVE"));
                if let Some(Err(error)) = folded {
                    tracing::warn!(%error, "the log could not be folded into the database");
                }
            }
        },
    )?;
    Ok(sender)
}

fn checkpoint(db: &Connection, mode: &str) -> Result<(), StoreError> {
    Ok(db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))?)
}

fn ends_tokens(event: &Event) -> bool {
    matches!(
        event,
        Event::TokenRevoked { .. } | Event::TokenRotated { .. } | Event::AdapterEnrolled(_)
    )
}

fn full() -> RpcError {
    RpcError::new(ErrorKind::Unavailable, FULL).retry_after(2000)
}

/// Says whether this is the record of a stop, for which there is room on a full disk.
fn records_a_stop(work: &Work) -> bool {
    matches!(work, Work::System(SystemCommand::Halt { .. } | SystemCommand::ReportStop { .. }))
}

fn is_of_an_agent(work: &Work) -> bool {
    match work {
        Work::Request { caller, .. } => caller.actor.kind == ActorKind::Agent,
        Work::Masked(_, work) => is_of_an_agent(work),
        Work::System(_) => false,
    }
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut batch = Vec::new();
        while let Ok(first) = jobs.recv() {
            batch.push(first);
            batch.extend(jobs.try_iter().take(BATCH - 1));
            self.commit(&mut batch);
            self.fold_log();
        }
        if let Err(error) = checkpoint(&self.db, "TRUNCATE") {
            tracing::warn!(%error, "the log stays beside the database; the next start reads it");
        }
    }

    /// Carries out a batch in one transaction, and answers when it is durable.
    fn commit(&mut self, batch: &mut Vec<Job>) {
        let (before, drift) = (self.state.mark(), self.drift);
        let (jobs, replies): (Vec<Work>, Vec<_>) =
            batch.drain(..).map(|job| (job.work, job.reply)).unzip();
        let stops = jobs.iter().any(records_a_stop);
        let done = self.transact(jobs);
        let (answers, events) = match done {
            Ok(done) => done,
            Err(error) => {
                self.state.restore(before);
                self.drift = drift;
                if stops && error.is_disk_full() && self.live.ballast.release() {
                    // Who follows the stop tries again until it is in the record.
                    tracing::warn!("the disk is full: the ballast is given up for the stop");
                }
                self.fail(&error, replies);
                return;
            }
        };
        self.live.head.store(self.state.head.seq, Ordering::SeqCst);
        for committed in &events {
            let event = &committed.recorded.event;
            if let Event::AgentStatusChanged { agent, to, .. } = event {
                self.live.set_barred(agent, to.is_barred());
            }
            if let Event::PolicyActivated { version, text, .. } = event
                && !self.live.activate(text)
            {
                tracing::error!(version, "a recorded policy can't be read: the one before stays");
            }
        }
        if events.iter().any(|one| ends_tokens(&one.recorded.event)) {
            // Before the answer, so that no token works after its end was acknowledged.
            self.live.tokens_ended.fetch_add(1, Ordering::SeqCst);
        }
        if !events.is_empty() && !self.live.ballast.is_out() {
            self.live.set_read_only(None);
        }
        for (reply, answer) in replies.into_iter().zip(answers) {
            // Who hung up does not need the answer.
            reply.send(answer).ok();
        }
        if !events.is_empty() {
            // Without followers there is nobody to tell.
            self.committed.send(Arc::new(events)).ok();
        }
    }

    fn transact(&mut self, jobs: Vec<Work>) -> Result<(Vec<Answer>, Vec<Committed>), StoreError> {
        let is_full = !self.live.ballast.restore();
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut answers = Vec::with_capacity(jobs.len());
        let mut events = Vec::new();
        let mut wrote = false;
        for work in jobs {
            if is_full && is_of_an_agent(&work) {
                answers.push(Err(full()));
                continue;
            }
            match self.carry_out(work) {
                Ok(done) => {
                    wrote |= done.wrote;
                    events.extend(done.events);
                    answers.push(done.answer);
                }
                Err(error) => {
                    self.roll_back();
                    return Err(error);
                }
            }
        }
        if !wrote {
            self.roll_back();
            return Ok((answers, events));
        }
        let committed = self.db.prepare_cached("COMMIT")?.execute([]);
        if let Err(error) = committed {
            self.roll_back();
            return Err(error.into());
        }
        Ok((answers, events))
    }

    /// Carries out one command, and before it what the rows have to know first: by a clock that was
    /// set nothing is decided.
    fn carry_out(&mut self, work: Work) -> Result<Done, StoreError> {
        let mut events = Vec::new();
        let jump = self.drift.jump(&*self.live.clock);
        let jump = jump.map(|by_ms| SystemCommand::ClockJumped { by_ms });
        // If it can be written that nothing could be, it can be again.
        let back = self.live.read_only().filter(|_| !self.live.ballast.is_out());
        let back = back.map(|_| SystemCommand::WritesAreBack);
        for own in jump.into_iter().chain(back) {
            let work = Work::System(own);
            let done = desk::carry_out(&self.db, &mut self.state, &self.live, work)?;
            events.extend(done.events);
        }
        let mut done = desk::carry_out(&self.db, &mut self.state, &self.live, work)?;
        done.wrote |= !events.is_empty();
        events.append(&mut done.events);
        Ok(Done { events, ..done })
    }

    fn roll_back(&self) {
        if !self.db.is_autocommit()
            && let Err(error) = self.db.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be taken back");
        }
    }

    /// Nothing of the batch was applied: says so, and ends the process when the disk is not just
    /// full. After a failed sync nothing is known of what the disk holds; the next start finds out.
    fn fail(&self, error: &StoreError, replies: Vec<oneshot::Sender<Answer>>) {
        tracing::error!(%error, "a commit failed");
        if !error.is_disk_full() {
            drop(replies);
            std::process::exit(EXIT_IO_ERROR);
        }
        self.live.set_read_only(Some(FULL.to_owned()));
        for reply in replies {
            // Who hung up does not need the answer.
            reply.send(Err(full())).ok();
        }
    }

    fn fold_log(&mut self) {
        self.commits += 1;
        if self.commits < LOG_COMMITS {
            return;
        }
        self.commits = 0;
        let bytes = std::fs::metadata(&self.log).map_or(0, |file| file.len());
        if bytes > LOG_LIMIT_BYTES {
            if let Err(error) = checkpoint(&self.db, "TRUNCATE") {
                tracing::warn!(%error, "the log could not be folded into the database");
            }
        } else if bytes > LOG_BYTES {
            // When one is asked for already, that one will do.
            self.checkpoints.try_send(()).ok();
        }
    }
}
