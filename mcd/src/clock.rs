//! The only reader of time.

use std::sync::atomic::{AtomicI64, Ordering};

use mc_core::time::Timestamp;

/// Where the daemon's time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Returns the wall time.
    fn now(&self) -> Timestamp;

    /// Returns milliseconds of a clock that never jumps and counts sleep; its zero means nothing.
    fn elapsed_ms(&self) -> i64;

    /// Returns since which boot of the machine [`Clock::elapsed_ms`] counts; empty where nobody can
    /// tell.
    fn boot(&self) -> String;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the wall clock")]
    fn now(&self) -> Timestamp {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let milliseconds = since_1970.map_or(0, |span| span.as_millis());
        Timestamp(i64::try_from(milliseconds).unwrap_or(i64::MAX))
    }

    fn elapsed_ms(&self) -> i64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    }

    fn boot(&self) -> String {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        id.map(|id| id.trim().to_owned()).unwrap_or_default()
    }
}

/// A clock that stands still until it is moved; for tests and the demo.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// Returns a clock that shows `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: std::time::Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn elapsed_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn boot(&self) -> String {
        "fixed".to_owned()
    }
}
