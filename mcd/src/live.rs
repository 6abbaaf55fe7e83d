//! What lives outside of the database: heartbeats, attached runtimes, the policy in
//! force. Each is a plain value behind a lock that is held for a few lines.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
};

use mc_core::{
    agent::{Agent, AgentName, Runtime},
    id::Seq,
    life::Heard,
    policy::Policy,
    price::PriceTable,
    time::Timestamp,
};
use mc_proto::method::{admin::Finding, feed::Capability};

use crate::{
    ballast::Ballast,
    clock::Clock,
    halt::Halt,
    helper::Helper,
    prices,
    process::{Process, Processes},
    random::{Random, SystemRandom},
    stops::Stops,
};

/// A runtime that is attached by a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedRuntime {
    /// The connection.
    pub connection: u64,
    /// The adapter's or agent's name.
    pub name: String,
    /// What it adapts.
    pub runtime: Runtime,
    /// Its version.
    pub version: String,
    /// The agents that it serves.
    pub agents: Vec<AgentName>,
    /// What it can be ordered to do.
    pub capabilities: Vec<Capability>,
}

impl AttachedRuntime {
    /// Returns it in words, such as `openclaw 2026.9.6 (gateway)`.
    pub fn words(&self) -> String {
        let word = serde_json::to_value(self.runtime).unwrap_or_default();
        format!("{} {} ({})", word.as_str().unwrap_or_default(), self.version, self.name)
    }
}

/// A runtime, and the process that the sessions of its agents run in.
#[derive(Debug, Clone)]
pub struct Host {
    /// The runtime.
    pub runtime: AttachedRuntime,
    /// The process.
    pub process: Arc<Process>,
}

/// What lives outside of the database.
pub struct Live {
    /// The daemon's time.
    pub clock: Arc<dyn Clock>,
    /// Where tokens and nonces come from.
    pub random: Box<dyn Random>,
    /// The emergency stop.
    pub halt: Halt,
    /// The room on the disk that is kept for a stop.
    pub ballast: Ballast,
    /// The stop in force, and how far it got.
    pub stops: Stops,
    /// The newest durable event.
    pub head: AtomicI64,
    /// Grows with every sign of life of an agent.
    pub beat_count: AtomicU64,
    /// How many feeds are open; without any, nothing is prepared for them.
    pub feeds: AtomicUsize,
    /// How often tokens ended; connections look at theirs again when it has grown.
    pub tokens_ended: AtomicU64,
    /// How many connections are open.
    pub connections: AtomicUsize,
    /// The processes behind the connections of adapters.
    pub processes: Processes,
    /// The notification helper.
    pub helper: Helper,
    /// When the daemon began, by the clock that never jumps.
    started_ms: i64,
    /// Whether agents share the operators' uid.
    pub shared_uid: AtomicBool,
    /// Whether this is a single-user squad: no act needs more than L1.
    pub single_user: bool,
    policy: RwLock<Arc<Policy>>,
    own_places: OnceLock<Vec<String>>,
    policy_file: Mutex<Option<String>>,
    refused: Mutex<Vec<Finding>>,
    refused_identity: Mutex<Option<String>>,
    /// By agent: when it was last heard of and since when it is busy, by the clock that never jumps.
    beats: Mutex<HashMap<AgentName, (i64, Option<i64>)>>,
    attached: Mutex<Vec<AttachedRuntime>>,
    read_only: Mutex<Option<String>>,
    day: Mutex<String>,
    zone: OnceLock<jiff::tz::TimeZone>,
    prices: RwLock<Option<Arc<PriceTable>>>,
    barred: RwLock<HashSet<AgentName>>,
    /// When the last call was let through, by the clock that never jumps; 0 before the first.
    last_allow_ms: AtomicI64,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("halted", &self.halt.is_set()).finish_non_exhaustive()
    }
}

/// How the squad was set up, as far as [`Live`] needs it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Setup {
    /// Whether agents share the operators' uid.
    pub shared_uid: bool,
    /// Whether this is a single-user squad.
    pub single_user: bool,
}

impl Live {
    /// Returns the state at start, with the default policy.
    pub fn new(clock: Arc<dyn Clock>, halt: Halt, setup: Setup) -> Self {
        let started_ms = clock.elapsed_ms();
        Self {
            clock,
            random: Box::new(SystemRandom),
            halt,
            ballast: Ballast::default(),
            stops: Stops::default(),
            head: AtomicI64::new(0),
            beat_count: AtomicU64::new(0),
            feeds: AtomicUsize::new(0),
            tokens_ended: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            processes: Processes::default(),
            helper: Helper::default(),
            started_ms,
            shared_uid: AtomicBool::new(setup.shared_uid),
            single_user: setup.single_user,
            policy: RwLock::new(Arc::new(Policy::default())),
            own_places: OnceLock::new(),
            policy_file: Mutex::default(),
            refused: Mutex::default(),
            refused_identity: Mutex::default(),
            beats: Mutex::default(),
            attached: Mutex::default(),
            read_only: Mutex::default(),
            day: Mutex::default(),
            zone: OnceLock::new(),
            prices: RwLock::default(),
            barred: RwLock::default(),
            last_allow_ms: AtomicI64::new(0),
        }
    }

    /// Takes tokens and nonces from `random`.
    #[must_use]
    pub fn with_random(self, random: impl Random) -> Self {
        Self { random: Box::new(random), ..self }
    }

    /// Notes that a call was let through.
    pub fn note_allow(&self) {
        self.last_allow_ms.store(self.clock.elapsed_ms(), Ordering::SeqCst);
    }

    /// Returns when the last call was let through, by the clock that never jumps.
    pub fn last_allow_ms(&self) -> Option<i64> {
        Some(self.last_allow_ms.load(Ordering::SeqCst)).filter(|at| *at != 0)
    }

    /// Returns the newest durable event.
    pub fn head(&self) -> Seq {
        self.head.load(Ordering::SeqCst)
    }

    /// Returns the policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Brings a policy into force for every later decision.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    /// Closes the daemon's own places to all agents, whatever policy comes into force; once.
    pub fn protect(&self, places: Vec<String>) {
        self.own_places.get_or_init(|| places);
    }

    /// Returns the policy file as it was read last, when it was good.
    pub fn policy_file(&self) -> Option<String> {
        lock(&self.policy_file).clone()
    }

    /// Notes the policy file as it was read, when it was good.
    pub fn set_policy_file(&self, text: String) {
        *lock(&self.policy_file) = Some(text);
    }

    /// Brings the text of a policy into force as it was recorded; says whether it is one.
    pub fn activate(&self, text: &str) -> bool {
        let Ok(policy) = crate::policy::parse(text) else { return false };
        let places = self.own_places.get().into_iter().flatten().cloned();
        self.set_policy(Arc::new(policy.protecting(places)));
        true
    }

    /// Returns what is wrong with the policy file on disk; empty when it is in force.
    pub fn refused_policy(&self) -> Vec<Finding> {
        lock(&self.refused).clone()
    }

    /// Notes what is wrong with the policy file on disk.
    pub fn set_refused_policy(&self, findings: Vec<Finding>) {
        *lock(&self.refused) = findings;
    }

    /// Returns why the files of who governs were refused; `None` when they are in force.
    pub fn refused_identity(&self) -> Option<String> {
        lock(&self.refused_identity).clone()
    }

    /// Notes why the files of who governs were refused.
    pub fn set_refused_identity(&self, why: Option<String>) {
        *lock(&self.refused_identity) = why;
    }

    /// Says whether agents share the operators' uid.
    pub fn is_shared_uid(&self) -> bool {
        self.shared_uid.load(Ordering::SeqCst)
    }

    /// Says whether `agent` is quarantined or retired: its token is good for heartbeats alone.
    pub fn is_barred(&self, agent: &AgentName) -> bool {
        self.barred.read().unwrap_or_else(PoisonError::into_inner).contains(agent)
    }

    /// Bars an agent, or lets it in again.
    pub fn set_barred(&self, agent: &AgentName, barred: bool) {
        let mut all = self.barred.write().unwrap_or_else(PoisonError::into_inner);
        if barred {
            all.insert(agent.clone());
        } else {
            all.remove(agent);
        }
    }

    /// Returns when the clock that never jumps stood at `elapsed_ms`, by the wall clock as it is set
    /// now: however that was set meanwhile, the time between then and now is the one that passed.
    pub fn at(&self, elapsed_ms: i64) -> Timestamp {
        Timestamp(self.clock.now().0 - (self.clock.elapsed_ms() - elapsed_ms))
    }

    /// Returns when the daemon began.
    pub fn started_at(&self) -> Timestamp {
        self.at(self.started_ms)
    }

    /// Notes that `agent` is heard of, and whether it says that it is busy.
    pub fn beat(&self, agent: &AgentName, is_busy: bool) {
        self.beat_count.fetch_add(1, Ordering::SeqCst);
        let now = self.clock.elapsed_ms();
        let mut beats = lock(&self.beats);
        let since = beats.get(agent).and_then(|(_, busy_since)| *busy_since).unwrap_or(now);
        beats.insert(agent.clone(), (now, is_busy.then_some(since)));
    }

    /// Takes over when agents were heard of before the daemon began.
    pub fn set_heard(&self, heard: Vec<(AgentName, Timestamp)>) {
        let (now, elapsed_ms) = (self.clock.now(), self.clock.elapsed_ms());
        let quiet_ms = |at: Timestamp| (now.0 - at.0).max(0);
        let heard = heard.into_iter();
        let heard = heard.map(|(agent, at)| (agent, (elapsed_ms - quiet_ms(at), None)));
        lock(&self.beats).extend(heard);
    }

    /// Returns when each agent was last heard of.
    pub fn all_heard(&self) -> Vec<(AgentName, Timestamp)> {
        lock(&self.beats).iter().map(|(agent, (at, _))| (agent.clone(), self.at(*at))).collect()
    }

    /// Returns when `agent` was last heard of, by a heartbeat or by its work, and what it said.
    pub fn heard(&self, agent: &Agent) -> Option<Heard> {
        let beat = self.last_beat(&agent.name);
        let at = agent.last_work_at.max(beat.map(|beat| beat.at))?;
        Some(Heard { at, busy_since: beat.and_then(|beat| beat.busy_since) })
    }

    /// Returns the last heartbeat of `agent`, and what it said.
    pub fn last_beat(&self, agent: &AgentName) -> Option<Heard> {
        let (at, busy_since) = lock(&self.beats).get(agent).copied()?;
        Some(Heard { at: self.at(at), busy_since: busy_since.map(|since| self.at(since)) })
    }

    /// Notes a runtime; one connection has at most one, the newest counts.
    pub fn attach(&self, runtime: AttachedRuntime) {
        let mut attached = lock(&self.attached);
        attached.retain(|other| other.connection != runtime.connection);
        attached.push(runtime);
    }

    /// Forgets the runtime of a connection that ended.
    pub fn detach(&self, connection: u64) -> Option<AttachedRuntime> {
        let mut attached = lock(&self.attached);
        let at = attached.iter().position(|runtime| runtime.connection == connection)?;
        Some(attached.swap_remove(at))
    }

    /// Returns the runtimes that serve `agent`.
    pub fn runtimes_of(&self, agent: &AgentName) -> Vec<AttachedRuntime> {
        lock(&self.attached).iter().filter(|one| one.agents.contains(agent)).cloned().collect()
    }

    /// Returns the runtimes whose agents' sessions run in the process behind their connection.
    pub fn hosts(&self) -> Vec<Host> {
        let all = self.attached().into_iter();
        let hosts = all.filter(|runtime| runtime.capabilities.contains(&Capability::Host));
        let known = hosts.filter_map(|runtime| {
            let process = self.processes.of(runtime.connection)?;
            Some(Host { runtime, process })
        });
        known.collect()
    }

    /// Returns every attached runtime.
    pub fn attached(&self) -> Vec<AttachedRuntime> {
        lock(&self.attached).clone()
    }

    /// Returns why writes are refused at the moment.
    pub fn read_only(&self) -> Option<String> {
        lock(&self.read_only).clone()
    }

    /// Says that writes are refused, or possible again.
    pub fn set_read_only(&self, reason: Option<String>) {
        *lock(&self.read_only) = reason;
    }

    /// Returns the day that budgets count, `YYYY-MM-DD`. It never goes back.
    pub fn day(&self) -> String {
        lock(&self.day).clone()
    }

    /// Says whether it is quiet at `now`: then only what is critical is told outside.
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        let (policy, zone) = (self.policy(), self.zone());
        policy.quiet_hours().is_some_and(|hours| hours.is_quiet(now, &zone))
    }

    /// Sets the zone whose days budgets count; the first one stays.
    pub fn set_zone(&self, zone: jiff::tz::TimeZone) {
        // A daemon has one zone; a second try changes nothing.
        self.zone.set(zone).ok();
    }

    /// Returns the squad's zone.
    pub fn zone(&self) -> jiff::tz::TimeZone {
        self.zone.get().cloned().unwrap_or(jiff::tz::TimeZone::UTC)
    }

    /// Returns how much of the zone's day is over, in hundredths of a percent.
    pub fn elapsed_of_day(&self) -> i64 {
        let now = self.clock.now().to_jiff().unwrap_or_default().to_zoned(self.zone());
        let (Ok(start), Ok(end)) = (now.start_of_day(), now.end_of_day()) else { return 0 };
        let ms = |at: &jiff::Zoned| at.timestamp().as_millisecond();
        (ms(&now) - ms(&start)) * 10_000 / (ms(&end) - ms(&start)).max(1)
    }

    /// Returns the prices in force.
    pub fn prices(&self) -> Arc<PriceTable> {
        let known = self.prices.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.unwrap_or_else(|| {
            // Nobody needs them before something without a cost is reported.
            let table = Arc::new(prices::built_in());
            self.set_prices(Arc::clone(&table));
            table
        })
    }

    /// Brings prices into force for every later cost.
    pub fn set_prices(&self, table: Arc<PriceTable>) {
        *self.prices.write().unwrap_or_else(PoisonError::into_inner) = Some(table);
    }

    /// Turns the day; an earlier day is ignored.
    pub fn set_day(&self, day: String) {
        let mut current = lock(&self.day);
        if *current < day {
            *current = day;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The values behind these locks are replaced whole, so a panic elsewhere can't leave one torn.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
