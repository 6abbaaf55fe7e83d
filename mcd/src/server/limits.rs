//! How many connections and requests there may be, and from whom.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering},
    },
};

use mc_proto::error::{ErrorKind, RpcError};

use crate::config::LimitConfig;

/// One for each sink, and as many while an old helper ends.
const HELPERS: usize = 36;
/// Tokens are counted in thousandths.
const WHOLE: u64 = 1000;

/// The limits in force; they can be moved while the daemon runs.
#[derive(Debug, Default)]
pub struct Limits {
    rate: AtomicU32,
    burst: AtomicU32,
    agents: AtomicUsize,
    operators: AtomicUsize,
    per_uid: AtomicUsize,
    per_agent: AtomicUsize,
    in_flight: AtomicUsize,
    buckets: Mutex<HashMap<String, Arc<Bucket>>>,
    seats: Seats,
}

#[derive(Debug, Default)]
struct Seats {
    agents: Arc<Counter<()>>,
    helpers: Arc<Counter<()>>,
    uids: Arc<Counter<u32>>,
    names: Arc<Counter<String>>,
}

/// Which socket a connection came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The agents' socket.
    Agent,
    /// The operators' socket.
    Operator,
    /// The notification helper's socket.
    Helper,
}

impl Limits {
    /// Returns the limits as configured.
    pub fn new(config: &LimitConfig) -> Self {
        let limits = Self::default();
        limits.set(config);
        limits
    }

    /// Moves the limits; what is connected stays.
    pub fn set(&self, config: &LimitConfig) {
        self.rate.store(config.requests_per_second, Ordering::Relaxed);
        self.burst.store(config.burst, Ordering::Relaxed);
        self.agents.store(config.agent_connections, Ordering::Relaxed);
        self.operators.store(config.operator_connections, Ordering::Relaxed);
        self.per_uid.store(config.connections_per_uid, Ordering::Relaxed);
        self.per_agent.store(config.connections_per_agent, Ordering::Relaxed);
        self.in_flight.store(config.in_flight, Ordering::Relaxed);
    }

    /// Returns how many requests of one connection may wait for their answers.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Returns the limits by name, for the hello.
    pub fn by_name(&self) -> [(&'static str, i64); 4] {
        let count = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        [
            ("requests_per_second", i64::from(self.rate.load(Ordering::Relaxed))),
            ("burst", i64::from(self.burst.load(Ordering::Relaxed))),
            ("connections_per_agent", count(self.per_agent.load(Ordering::Relaxed))),
            ("in_flight", count(self.in_flight())),
        ]
    }

    /// Returns how many may sit on the operators' socket.
    pub(super) fn operators(&self) -> usize {
        self.operators.load(Ordering::Relaxed)
    }

    /// Takes a place for a connection of `uid`.
    ///
    /// # Errors
    ///
    /// `rate_limited` with what is full.
    pub fn admit(&self, side: Side, uid: u32) -> Result<Vec<Seat>, RpcError> {
        match side {
            // Who sits there is told apart, so that a stop always gets in.
            Side::Operator => Ok(Vec::new()),
            Side::Helper => {
                let seat = Counter::take(&self.seats.helpers, (), HELPERS);
                Ok(vec![seat.ok_or_else(|| full("the notification helper's socket", HELPERS))?])
            }
            Side::Agent => {
                let limit = self.agents.load(Ordering::Relaxed);
                let seat = Counter::take(&self.seats.agents, (), limit);
                let seat = seat.ok_or_else(|| full("the agents' socket", limit))?;
                let limit = self.per_uid.load(Ordering::Relaxed);
                let user = Counter::take(&self.seats.uids, uid, limit);
                Ok(vec![seat, user.ok_or_else(|| full("this user", limit))?])
            }
        }
    }

    /// Takes a place for a connection of the agent or adapter `name`.
    ///
    /// # Errors
    ///
    /// `rate_limited` when it has too many.
    pub fn admit_agent(&self, name: &str) -> Result<Seat, RpcError> {
        let limit = self.per_agent.load(Ordering::Relaxed);
        Counter::take(&self.seats.names, name.to_owned(), limit)
            .ok_or_else(|| full("this agent", limit))
    }

    /// Returns the bucket of the agent or adapter `name`.
    pub fn bucket(&self, name: &str) -> Arc<Bucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(name) {
            return Arc::clone(bucket);
        }
        let bucket = Arc::new(Bucket::default());
        buckets.insert(name.to_owned(), Arc::clone(&bucket));
        bucket
    }

    /// Takes one request from a bucket at `now_ms` of a clock that never jumps.
    ///
    /// # Errors
    ///
    /// `rate_limited` with when to come back.
    pub fn pass(&self, bucket: &Bucket, now_ms: i64) -> Result<(), RpcError> {
        let rate = u64::from(self.rate.load(Ordering::Relaxed));
        let burst = u64::from(self.burst.load(Ordering::Relaxed));
        bucket.take(now_ms, rate, burst).map_err(|wait_ms| {
            let text = format!("more than {rate} requests a second: wait {wait_ms} ms");
            RpcError::new(ErrorKind::RateLimited, text).retry_after(wait_ms)
        })
    }
}

pub(super) fn full(what: &str, limit: usize) -> RpcError {
    let text = format!("{what} has {limit} connections already: close some, or try again later");
    RpcError::new(ErrorKind::RateLimited, text).retry_after(1000)
}

/// The requests that one agent may send now.
#[derive(Debug, Default)]
pub struct Bucket(Mutex<Option<Level>>);

#[derive(Debug, Clone, Copy)]
struct Level {
    tokens: u64,
    at_ms: i64,
}

impl Bucket {
    /// Takes one; else returns how many milliseconds to wait.
    fn take(&self, now_ms: i64, rate: u64, burst: u64) -> Result<(), u64> {
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let top = burst * WHOLE;
        let was = level.unwrap_or(Level { tokens: top, at_ms: now_ms });
        let passed = u64::try_from(now_ms.saturating_sub(was.at_ms)).unwrap_or(0);
        // `rate` a second is `rate` thousandths a millisecond.
        let tokens = was.tokens.saturating_add(passed.saturating_mul(rate)).min(top);
        let left = tokens.checked_sub(WHOLE);
        *level = Some(Level { tokens: left.unwrap_or(tokens), at_ms: now_ms });
        left.map(drop).ok_or_else(|| (WHOLE - tokens).div_ceil(rate.max(1)))
    }
}

/// Counts connections by key.
#[derive(Debug)]
struct Counter<K>(Mutex<HashMap<K, usize>>);

impl<K> Default for Counter<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone + Send + std::fmt::Debug + 'static> Counter<K> {
    fn take(counter: &Arc<Self>, key: K, limit: usize) -> Option<Seat> {
        let mut counts = counter.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        drop(counts);
        let counter = Arc::clone(counter);
        Some(Seat::new(move || counter.give_back(&key)))
    }

    fn give_back(&self, key: &K) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(key);
            }
        }
    }
}

/// A place that a connection takes; given back when it is dropped.
pub struct Seat(Option<Box<dyn FnOnce() + Send>>);

impl Seat {
    /// Returns a place that `give_back` gives back.
    pub(super) fn new(give_back: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(give_back)))
    }
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seat")
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(give_back) = self.0.take() {
            give_back();
        }
    }
}

/// Lets one line a second through; for logs that a client could flood.
#[derive(Debug)]
pub struct Throttle(AtomicI64);

impl Default for Throttle {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Throttle {
    /// Says whether something may be logged at `now_ms`.
    pub fn is_open(&self, now_ms: i64) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        now_ms.saturating_sub(last) >= 1000
            && self.0.compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_then_its_rate() {
        let limits = Limits::new(&LimitConfig::default());
        let bucket = limits.bucket("kestrel");
        for _ in 0..100 {
            limits.pass(&bucket, 0).unwrap();
        }
        let refused = limits.pass(&bucket, 0).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::RateLimited);
        assert_eq!(refused.data.retry_after_ms, Some(20));
        assert!(limits.pass(&bucket, 19).is_err());
        assert!(limits.pass(&bucket, 20).is_ok());
        assert!(limits.pass(&bucket, 20).is_err());
        for _ in 0..50 {
            limits.pass(&bucket, 1_020).unwrap();
        }
        assert!(limits.pass(&bucket, 1_020).is_err(), "fifty a second, no more");
        limits.pass(&limits.bucket("wren"), 1_020).unwrap();
    }

    #[test]
    fn connections_end_at_their_limits_and_come_back() {
        let config = LimitConfig {
            agent_connections: 3,
            connections_per_uid: 2,
            connections_per_agent: 2,
            ..LimitConfig::default()
        };
        let limits = Limits::new(&config);
        let first = limits.admit(Side::Agent, 1).unwrap();
        let _second = limits.admit(Side::Agent, 1).unwrap();
        assert!(limits.admit(Side::Agent, 1).is_err(), "two of one uid");
        let _third = limits.admit(Side::Agent, 2).unwrap();
        assert!(limits.admit(Side::Agent, 3).is_err(), "three in all");
        drop(first);
        assert!(limits.admit(Side::Agent, 1).is_ok());
        let _one = limits.admit_agent("wren").unwrap();
        let _two = limits.admit_agent("wren").unwrap();
        assert!(limits.admit_agent("wren").is_err());
        assert!(limits.admit_agent("kestrel").is_ok());
    }

    #[test]
    fn a_flood_is_one_line_a_second() {
        let throttle = Throttle::default();
        assert!(throttle.is_open(5));
        assert!(!throttle.is_open(1004));
        assert!(throttle.is_open(1005));
    }
}
