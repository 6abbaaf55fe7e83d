//! The desk at which one command is carried out: it reads rows, records events and projects them,
//! all inside a savepoint that is given up when the command is refused.

mod key;
mod numbers;
mod open;

use std::sync::Arc;

use mc_core::{
    actor::Actor,
    budget::{Caps, Scope},
    event::{Event, Recorded},
    id::{CallId, EventId, Seq},
    policy::{Facts, Policy},
    squad::{STOP_CAUSE, Squad},
    time::Timestamp,
};
use mc_proto::method::feed::Changed;
use rusqlite::{Connection, params};
use serde::Serialize;

use self::open::OpenCallsOf;
use key::Key;
use numbers::Numbers;

use super::{
    Answer, Committed, StoreError,
    projections::{self, Touched},
    queries::{self, Fail, Reader},
};
use crate::{
    caller::{Caller, Factor, SystemCommand, Work},
    handlers::{self, views},
    journal::{self, Head},
    live::Live,
    masking,
};

/// The caps that were set beside those in other rows.
pub type SetCaps = std::collections::BTreeMap<(Scope, String), Caps>;

/// Where everything stood before a command.
type Mark = (Head, Numbers, Seq);

/// What the writer keeps in memory between commands.
#[derive(Debug)]
pub struct WriterState {
    /// The newest event and its hash.
    pub head: Head,
    numbers: Numbers,
    /// Leases that were given up to this event are void: a restart came, or the clock was set back.
    cut: Seq,
    squad: Option<Arc<Squad>>,
    set_caps: Option<Arc<SetCaps>>,
    open_calls: OpenCallsOf,
}

impl WriterState {
    /// Reads where the numbers stand.
    ///
    /// # Errors
    ///
    /// When the store can't be read.
    pub fn load(db: &Connection) -> Result<Self, StoreError> {
        let numbers = Numbers::load(Reader::new(db))?;
        let head = journal::head(db)?;
        let open_calls = OpenCallsOf::new();
        Ok(Self { head, numbers, cut: head.seq, squad: None, set_caps: None, open_calls })
    }

    /// Notes where everything stands, for [`WriterState::restore`].
    pub(super) fn mark(&self) -> Mark {
        (self.head, self.numbers, self.cut)
    }

    /// Takes back what was done since `mark`.
    pub(super) fn restore(&mut self, (head, numbers, cut): Mark) {
        self.head = head;
        self.numbers = numbers;
        self.cut = cut;
        self.squad = None;
        self.set_caps = None;
    }
}

/// What became of one command.
pub(super) struct Done {
    pub(super) answer: Answer,
    pub(super) events: Vec<Committed>,
    pub(super) wrote: bool,
}

/// A command is carried out here.
pub struct Desk<'a> {
    /// The rows, with what this command already changed.
    pub db: Reader<'a>,
    /// What lives outside of the database.
    pub live: &'a Live,
    /// Who asks.
    pub caller: &'a Caller,
    /// When the command is carried out.
    pub now: Timestamp,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// What the disk says about the call that is asked for.
    pub facts: Facts,
    state: &'a mut WriterState,
    cause: &'a str,
    events: Vec<Committed>,
    wants_changed: bool,
    wrote: bool,
    /// How many bytes this command has stored.
    stored: usize,
}

/// Carries out one command inside the open transaction.
///
/// # Errors
///
/// Only a fault of the store: a refusal is an answer.
pub(super) fn carry_out(
    db: &Connection,
    state: &mut WriterState,
    live: &Live,
    work: Work,
) -> Result<Done, StoreError> {
    match work {
        Work::Request { caller, request, idempotency_key, facts } => {
            let key = idempotency_key.map(|key| Key::new(&caller, key, &request));
            if let Some(key) = &key
                && let Some(answer) = key.first_answer(Reader::new(db))?
            {
                return Ok(Done { answer, events: Vec::new(), wrote: false });
            }
            let cause = request.info().name;
            let mut desk = Desk::new(db, state, live, (&caller, cause));
            desk.facts = *facts;
            let keeps = key.filter(|_| !handlers::is_never_repeated(&request));
            let is_report = handlers::is_report(&request);
            desk.run(|desk| {
                let answer = handlers::decide(desk, *request)?;
                if let Some(key) = keeps {
                    desk.keep_answer(&key, &answer)?;
                }
                handlers::storage::count(desk, is_report)?;
                Ok(answer)
            })
        }
        Work::Masked(masker, work) => masking::with(masker, || carry_out(db, state, live, *work)),
        Work::System(command) => {
            let (caller, cause) = system_caller(&command);
            let mut desk = Desk::new(db, state, live, (&caller, cause));
            desk.run(|desk| handlers::system::carry_out(desk, command))
        }
    }
}

fn system_caller(command: &SystemCommand) -> (Caller, &'static str) {
    let (actor, cause) = match command {
        SystemCommand::Halt { by, .. } => (by.clone(), STOP_CAUSE),
        SystemCommand::BlockStopped => (Actor::system("emergency stop"), STOP_CAUSE),
        SystemCommand::ReturnStopped => (Actor::system("emergency stop"), "squad.emergency_resume"),
        SystemCommand::ReportStop { .. } => (Actor::system("runtimes"), "runtime.abort"),
        SystemCommand::OperatorUnlocked { operator, level, .. } => {
            (Actor::human(operator.clone(), *level), "session.unlock")
        }
        SystemCommand::SetUp { .. } => (Actor::system("setup"), "start"),
        SystemCommand::ActivatePolicy { .. } | SystemCommand::ComparePolicy { .. } => {
            (Actor::system("policy"), "policy.toml")
        }
        SystemCommand::Govern { .. } => (Actor::system("identity"), "identity.toml"),
        SystemCommand::Tick => (Actor::system("timer"), "timer"),
        SystemCommand::RuntimeDetached { .. } => (Actor::system("runtimes"), "connection"),
        SystemCommand::TurnDay { .. } | SystemCommand::ClockJumped { .. } => {
            (Actor::system("clock"), "clock")
        }
        SystemCommand::WritesAreBack => (Actor::system("store"), "disk"),
        SystemCommand::Delivered { .. } => (Actor::system("runtimes"), "runtime.deliver"),
    };
    (
        Caller {
            actor,
            role: None,
            agent: None,
            adapter: None,
            connection: 0,
            factor: Factor::None,
            home: None,
        },
        cause,
    )
}

impl<'a> Desk<'a> {
    fn new(
        db: &'a Connection,
        state: &'a mut WriterState,
        live: &'a Live,
        (caller, cause): (&'a Caller, &'a str),
    ) -> Self {
        Self {
            db: Reader::new(db),
            live,
            caller,
            now: live.clock.now(),
            policy: live.policy(),
            facts: Facts::default(),
            state,
            cause,
            events: Vec::new(),
            wants_changed: live.feeds.load(std::sync::atomic::Ordering::Relaxed) > 0,
            wrote: false,
            stored: 0,
        }
    }

    fn run(
        &mut self,
        decide: impl FnOnce(&mut Self) -> Result<Box<str>, Fail>,
    ) -> Result<Done, StoreError> {
        let before = self.state.mark();
        let decided = decide(self).and_then(|answer| {
            handlers::notify::tell_people(self)?;
            Ok(answer)
        });
        match decided {
            Ok(answer) => {
                if self.wrote {
                    self.execute("RELEASE command", [])?;
                }
                let events = std::mem::take(&mut self.events);
                Ok(Done { answer: Ok(answer), events, wrote: self.wrote })
            }
            Err(Fail::Refused(refusal)) => {
                if self.wrote {
                    self.execute("ROLLBACK TO command", [])?;
                    self.execute("RELEASE command", [])?;
                    self.state.restore(before);
                }
                Ok(Done { answer: Err(refusal.into()), events: Vec::new(), wrote: false })
            }
            Err(Fail::Fault(error)) => Err(error),
        }
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
        Ok(self.db.connection().prepare_cached(sql)?.execute(params)?)
    }

    fn before_write(&mut self) -> Result<(), StoreError> {
        if !self.wrote {
            self.execute("SAVEPOINT command", [])?;
            self.wrote = true;
        }
        Ok(())
    }

    /// Records an event of the caller.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn emit(&mut self, event: Event) -> Result<EventId, StoreError> {
        self.emit_as(self.caller.actor.clone(), None, event)
    }

    /// Records an event of the caller, with the caller's reason.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn emit_because(&mut self, reason: &str, event: Event) -> Result<EventId, StoreError> {
        self.emit_as(self.caller.actor.clone(), Some(reason.to_owned()), event)
    }

    /// Records an event of `actor`: appends it to the journal and projects it.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn emit_as(
        &mut self,
        actor: Actor,
        reason: Option<String>,
        event: Event,
    ) -> Result<EventId, StoreError> {
        self.before_write()?;
        let seq = self.state.head.seq + 1;
        let recorded =
            Recorded { seq, at: self.now, actor, cause: self.cause.to_owned(), reason, event };
        let (head, bytes) = journal::append(self.db.connection(), self.state.head, &recorded)?;
        self.state.head = head;
        self.stored += bytes;
        let mut touched = Vec::new();
        let sink = self.wants_changed.then_some(&mut touched);
        projections::apply(self.db, &recorded, sink)?;
        let kind = recorded.event.kind();
        let jump = if let Event::ClockJumped { by_ms } = recorded.event { by_ms } else { 0 };
        if kind.starts_with("squad") || kind.starts_with("policy") || jump != 0 {
            self.state.squad = None;
        }
        if jump < 0 {
            self.state.cut = seq;
        }
        if matches!(recorded.event, Event::BudgetSet { .. }) {
            self.state.set_caps = None;
        }
        let live = self.live;
        let changed = touched.into_iter().map(|one| changed(one, live)).collect();
        self.events.push(Committed { recorded, changed });
        Ok(EventId(seq))
    }

    /// Returns the squad, without the tasks that a stop holds.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn squad(&mut self) -> Result<Arc<Squad>, StoreError> {
        if let Some(squad) = &self.state.squad {
            return Ok(Arc::clone(squad));
        }
        let squad = Arc::new(queries::squad_row(self.db)?);
        self.state.squad = Some(Arc::clone(&squad));
        Ok(squad)
    }

    /// Returns the event up to which every lease is void: with a restart leases end, and by a clock
    /// that was set back nobody can tell how old one is.
    pub fn cut(&self) -> Seq {
        self.state.cut
    }

    /// Returns the caps that were set beside those in other rows.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn set_caps(&mut self) -> Result<Arc<SetCaps>, StoreError> {
        if let Some(caps) = &self.state.set_caps {
            return Ok(Arc::clone(caps));
        }
        let caps = Arc::new(queries::all_caps(self.db)?);
        self.state.set_caps = Some(Arc::clone(&caps));
        Ok(caps)
    }

    /// Adds what this command has stored to what was stored of `agent` on `day`, and returns both:
    /// how much it was before, and how much it is.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn count_stored(&mut self, agent: &str, day: &str) -> Result<(u64, u64), StoreError> {
        let bytes = u64::try_from(self.stored).unwrap_or(u64::MAX);
        let before = queries::stored_bytes(self.db, agent, day)?;
        let now = before.saturating_add(bytes);
        if bytes > 0 {
            self.before_write()?;
            let sql = "INSERT INTO stored_bytes (agent, day, bytes) VALUES (?1, ?2, ?3)
                       ON CONFLICT (agent) DO UPDATE SET day = ?2, bytes = ?3";
            self.execute(sql, params![agent, day, i64::try_from(now).unwrap_or(i64::MAX)])?;
        }
        Ok((before, now))
    }

    /// Stores the content of an artifact under its hash.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn keep_blob(&mut self, sha256: &str, text: &str) -> Result<(), StoreError> {
        self.before_write()?;
        self.stored += text.len();
        let sql = "INSERT OR IGNORE INTO blobs (sha256, text) VALUES (?1, ?2)";
        self.execute(sql, [sha256, text]).map(drop)
    }

    /// Stores what a call was judged by.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn keep_inputs(&mut self, call: CallId, body: &str) -> Result<(), StoreError> {
        self.before_write()?;
        self.stored += body.len();
        let sql = "INSERT INTO inputs (call, upto, body)
                   SELECT ?1, octet_length(?2) + coalesce(
                       (SELECT upto FROM inputs ORDER BY call DESC LIMIT 1), 0), ?2";
        self.execute(sql, params![call.0, body]).map(drop)
    }

    /// Forgets what calls were judged by, the oldest first, down to `bytes` in all.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn forget_inputs(&mut self, bytes: i64) -> Result<(), StoreError> {
        self.before_write()?;
        let sql = "DELETE FROM inputs WHERE call < (
                       SELECT call FROM inputs
                       WHERE upto > (SELECT upto FROM inputs ORDER BY call DESC LIMIT 1) - ?1
                       ORDER BY call LIMIT 1)";
        self.execute(sql, [bytes]).map(drop)
    }

    /// Stores when each agent was last heard of.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn keep_heard(&mut self) -> Result<(), StoreError> {
        self.before_write()?;
        for (agent, at) in self.live.all_heard() {
            let sql = "INSERT INTO heard (agent, at_ms) VALUES (?1, ?2)
                       ON CONFLICT (agent) DO UPDATE SET at_ms = excluded.at_ms";
            self.execute(sql, params![agent.as_str(), at.0])?;
        }
        Ok(())
    }

    /// Forgets answers to idempotency keys that were given before `before`.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn forget_answers(&mut self, before: Timestamp) -> Result<(), StoreError> {
        self.before_write()?;
        self.execute("DELETE FROM answers WHERE at_ms < ?1", [before.0]).map(drop)
    }

    /// Returns what this command recorded so far.
    pub fn recorded(&self) -> impl Iterator<Item = &Recorded> {
        self.events.iter().map(|one| &one.recorded)
    }

    /// Returns the newest event of this command.
    pub fn last_event(&self) -> Option<&Recorded> {
        self.events.last().map(|one| &one.recorded)
    }
}

fn changed(touched: Touched, live: &Live) -> Changed {
    match touched {
        Touched::Task(task) => Changed::Task { task: task.card().short() },
        Touched::Agent(agent) => Changed::Agent { agent: Box::new(views::agent(*agent, live)) },
        Touched::Run(run) => Changed::Run { run },
        Touched::Call(call) => Changed::Call { call },
        Touched::Approval(approval) => Changed::Approval { approval: Box::new(approval.card()) },
        Touched::Alert(alert) => Changed::Alert { alert },
        Touched::Notification(notification) => Changed::Notification { notification },
        Touched::Squad(squad) => Changed::Squad { squad },
    }
}

/// Returns `value` as the JSON of an answer.
///
/// # Errors
///
/// When it is not JSON.
pub fn answer<T: Serialize>(value: &T) -> Result<Box<str>, Fail> {
    Ok(serde_json::to_string(value).map_err(StoreError::from)?.into_boxed_str())
}
