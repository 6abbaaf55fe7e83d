//! The emergency stops of this daemon: each has a number, and what is told is told of the newest
//! alone.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mc_core::squad::StopReport;

/// The stop in force, if there is one.
#[derive(Debug, Default)]
pub struct Stops {
    /// The newest number; the end of a stop takes one too. Held while the halt is set or cleared,
    /// which can take as long as the disk does.
    number: Mutex<u64>,
    /// How far the stop in force got.
    report: Mutex<Option<StopReport>>,
}

impl Stops {
    /// Begins a stop by `hold`, which sets the halt; returns the stop's number.
    pub fn begin<T>(&self, report: &StopReport, hold: impl FnOnce() -> T) -> (u64, T) {
        let mut number = lock(&self.number);
        *number += 1;
        let held = hold();
        *lock(&self.report) = Some(report.clone());
        (*number, held)
    }

    /// Takes over a stop that an earlier daemon began; returns its number, unless one was begun
    /// since then.
    pub fn adopt(&self, report: &StopReport) -> Option<u64> {
        let number = lock(&self.number);
        let mut told = lock(&self.report);
        if told.is_some() {
            return None;
        }
        *told = Some(report.clone());
        Some(*number)
    }

    /// Tells how far stop `number` got; says whether that stop is still the one in force.
    pub fn tell(&self, number: u64, report: &StopReport) -> bool {
        let newest = lock(&self.number);
        let is_in_force = *newest == number && lock(&self.report).is_some();
        if is_in_force {
            *lock(&self.report) = Some(report.clone());
        }
        is_in_force
    }

    /// Ends by `clear` what was in force at `number`; says whether nothing was begun since then.
    ///
    /// # Errors
    ///
    /// That of `clear`; the stop then goes on.
    pub fn end<E>(&self, number: u64, clear: impl FnOnce() -> Result<(), E>) -> Result<bool, E> {
        let mut newest = lock(&self.number);
        if *newest != number {
            return Ok(false);
        }
        clear()?;
        *newest += 1;
        *lock(&self.report) = None;
        Ok(true)
    }

    /// Returns the newest number.
    pub fn number(&self) -> u64 {
        *lock(&self.number)
    }

    /// Returns how far the stop in force got, also while it can't be written down.
    pub fn report(&self) -> Option<StopReport> {
        lock(&self.report).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The values are replaced whole, so a panic elsewhere can't leave one torn.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use mc_core::time::Timestamp;

    use super::*;

    fn report(reason: &str) -> StopReport {
        StopReport::new(Timestamp(0), "ana", reason)
    }

    fn said(stops: &Stops) -> Option<String> {
        stops.report().map(|report| report.reason)
    }

    #[test]
    fn only_the_newest_stop_is_told_of() {
        let stops = Stops::default();
        let (first, ()) = stops.begin(&report("one"), || ());
        let (second, ()) = stops.begin(&report("two"), || ());
        assert!(!stops.tell(first, &report("one, further")));
        assert!(stops.tell(second, &report("two, further")));
        assert_eq!(said(&stops).as_deref(), Some("two, further"));
        assert_eq!(stops.adopt(&report("of an earlier daemon")), None);
    }

    #[test]
    fn a_stop_that_is_over_is_told_of_no_more_and_a_newer_one_is_not_ended() {
        let stops = Stops::default();
        let clear = || Ok::<(), ()>(());
        let adopted = stops.adopt(&report("of an earlier daemon")).unwrap();
        assert_eq!(stops.end(adopted, || Err(())), Err(()), "its file can't be written");
        assert!(stops.tell(adopted, &report("goes on")));
        assert_eq!(stops.end(adopted, clear), Ok(true));
        assert!(!stops.tell(adopted, &report("late")), "nothing is left of it");
        assert_eq!(said(&stops), None);
        let (first, ()) = stops.begin(&report("one"), || ());
        stops.begin(&report("two"), || ());
        assert_eq!(stops.end(first, clear), Ok(false));
        assert_eq!(said(&stops).as_deref(), Some("two"));
    }

    #[test]
    fn an_end_takes_a_number_so_that_the_next_stop_is_known_to_come_after_it() {
        let stops = Stops::default();
        let (first, ()) = stops.begin(&report("one"), || ());
        assert_eq!(stops.end(first, || Ok::<(), ()>(())), Ok(true));
        assert_eq!(stops.begin(&report("two"), || ()).0, first + 2);
    }
}
