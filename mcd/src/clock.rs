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

/// How far wall clock and elapsed time may drift apart, in milliseconds.
pub const JUMP_MS: i64 = 5000;

/// The wall clock against the one that never jumps: tells when the first was set.
#[derive(Debug, Clone, Copy)]
pub struct Drift(i64);

impl Drift {
    /// Returns how the clocks stand to each other now.
    pub fn of(clock: &dyn Clock) -> Self {
        Self(clock.now().0 - clock.elapsed_ms())
    }

    /// Returns by how many milliseconds the wall clock was set since the last jump. Small steps add
    /// up: what is within the limit leaves the mark where it is.
    pub fn jump(&mut self, clock: &dyn Clock) -> Option<i64> {
        let by_ms = || Self::of(clock).0 - self.0;
        // A pause between the two readings looks like a jump once, and not again.
        let by_ms = Some(by_ms()).filter(|by| by.abs() > JUMP_MS).map(|_| by_ms())?;
        (by_ms.abs() > JUMP_MS).then(|| {
            self.0 += by_ms;
            by_ms
        })
    }
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

/// Clocks that stand still until they are moved; for tests and the demo.
#[derive(Debug)]
pub struct FixedClock {
    elapsed_ms: AtomicI64,
    set_ms: AtomicI64,
}

impl FixedClock {
    /// Returns clocks that show `at`.
    pub fn new(at: Timestamp) -> Self {
        Self { elapsed_ms: AtomicI64::new(at.0), set_ms: AtomicI64::new(0) }
    }

    /// Lets time pass.
    pub fn advance(&self, by: std::time::Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.elapsed_ms.fetch_add(by, Ordering::SeqCst);
    }

    /// Sets the wall clock forward or back; no time passes.
    pub fn set(&self, by_ms: i64) {
        self.set_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.elapsed_ms() + self.set_ms.load(Ordering::SeqCst))
    }

    fn elapsed_ms(&self) -> i64 {
        self.elapsed_ms.load(Ordering::SeqCst)
    }

    fn boot(&self) -> String {
        "fixed".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_a_clock_add_up_to_a_jump_and_each_jump_is_told_once() {
        let clock = FixedClock::new(Timestamp(1000));
        let mut drift = Drift::of(&clock);
        clock.advance(std::time::Duration::from_hours(1));
        clock.set(JUMP_MS);
        assert_eq!(drift.jump(&clock), None, "at the limit");
        clock.set(1);
        assert_eq!(drift.jump(&clock), Some(JUMP_MS + 1));
        assert_eq!(drift.jump(&clock), None);
        clock.set(-2 * JUMP_MS);
        assert_eq!(drift.jump(&clock), Some(-2 * JUMP_MS));
    }
}
