//! The two sockets: listeners, who calls, connections, dispatch.

mod connection;
mod disk;
mod dispatch;
pub(crate) mod emergency;
mod envelope;
mod factor;
pub(crate) mod feed;
mod framing;
mod gate;
mod guests;
pub(crate) mod in_flight;
mod levels;
pub mod limits;
pub mod listeners;
mod masks;
pub(crate) mod orders;
mod outbox;
mod pending;
mod recent;
mod remote;
mod session;
mod unlock;
pub(crate) mod waits;

use std::{
    path::Path,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, mpsc};

pub(crate) use factor::codes;

use self::{
    emergency::Ask,
    feed::Feeds,
    guests::Guests,
    limits::{Limits, Throttle},
    masks::Masks,
    orders::Orders,
    recent::Recent,
    unlock::Unlocks,
    waits::Waits,
};
use crate::{
    caller::{SystemCommand, Work},
    config::{Config, EmergencyConfig},
    identity::{Identity, Operator},
    live::Live,
    store::Store,
};

/// What all connections share.
#[derive(Debug)]
pub struct Server {
    pub(crate) store: Store,
    identity: RwLock<Arc<Identity>>,
    pub(crate) squad: String,
    pub(crate) limits: Limits,
    guests: Guests,
    emergency: RwLock<EmergencyConfig>,
    pub(crate) orders: Orders,
    pub(crate) feeds: Feeds,
    pub(crate) waits: Waits,
    unlocks: Unlocks,
    steps: factor::Steps,
    recent: Recent,
    disk: disk::Disk,
    masks: Masks,
    refusals: Throttle,
    connections: AtomicU64,
    epoch: AtomicU64,
    /// Where it goes what is asked of who follows the stops.
    asked: mpsc::UnboundedSender<Ask>,
    stopping: AtomicBool,
    stopped: Arc<Notify>,
    /// Says that somebody else governs, or otherwise.
    governed: Arc<Notify>,
}

impl Server {
    /// Returns what a stop may do to a runtime that goes on.
    pub(crate) fn emergency(&self) -> EmergencyConfig {
        self.emergency.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets what a stop may do to a runtime that goes on.
    pub(crate) fn set_emergency(&self, emergency: EmergencyConfig) {
        *self.emergency.write().unwrap_or_else(PoisonError::into_inner) = emergency;
    }

    /// Records that an operator's second factor was wrong.
    fn note_wrong_factor(&self, operator: &Operator) {
        let command = SystemCommand::OperatorUnlocked {
            operator: operator.name.clone(),
            role: operator.role,
            level: self.identity().level_of(operator.uid),
            success: false,
            second_factor: true,
        };
        // It is refused also when the disk is full.
        self.store.submit(Work::System(command)).ok();
    }

    /// Returns the shared state, and the emergency stops as they are asked for; what must survive a
    /// restart is kept under `state`.
    pub(crate) fn new(
        store: Store,
        identity: Identity,
        config: &Config,
        state: &Path,
    ) -> (Self, mpsc::UnboundedReceiver<Ask>) {
        let now = store.live().clock.elapsed_ms();
        let (asked, stops) = mpsc::unbounded_channel();
        let server = Self {
            identity: RwLock::new(Arc::new(identity)),
            squad: config.squad.clone(),
            limits: Limits::new(&config.limits),
            guests: Guests::default(),
            emergency: RwLock::new(config.emergency.clone()),
            orders: Orders::default(),
            feeds: Feeds::default(),
            waits: Waits::default(),
            unlocks: Unlocks::open(&state.join("unlock.json"), now),
            steps: factor::Steps::open(&state.join("steps.json")),
            recent: Recent::default(),
            disk: disk::Disk::default(),
            masks: Masks::default(),
            refusals: Throttle::default(),
            connections: AtomicU64::new(1),
            epoch: AtomicU64::new(0),
            asked,
            stopping: AtomicBool::new(false),
            stopped: Arc::new(Notify::new()),
            governed: Arc::new(Notify::new()),
            store,
        };
        (server, stops)
    }

    /// Returns who governs at the moment.
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says from now on who governs; every connection looks at once whether it may go on.
    pub(crate) fn set_identity(&self, identity: Identity) {
        self.live().shared_uid.store(identity.has_shared_uid(), Ordering::SeqCst);
        let identity = Arc::new(identity);
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = identity;
        self.governed.notify_waiters();
    }

    /// Returns what lives outside of the database.
    pub(crate) fn live(&self) -> &Arc<Live> {
        self.store.live()
    }

    /// Ends every proof of a passphrase.
    pub(crate) fn end_proofs(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Takes no more connections and requests; what is under way is answered.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.stopped.notify_waiters();
    }

    /// Says whether the daemon ends.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Logs a refusal, at most once a second.
    fn log_refusal(&self, side: limits::Side, uid: u32, reason: &str) {
        if self.refusals.is_open(self.live().clock.elapsed_ms()) {
            tracing::warn!(?side, uid, reason, "a connection was refused");
        }
    }
}
