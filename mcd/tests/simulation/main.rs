//! The writer, its timers and what goes wrong around them, simulated: a squad does what a seed says,
//! the daemon is killed, loses power in the middle of a write and wakes with another time. No event
//! that was answered is lost, half a command is never there, the record is clean, the tables are the
//! journal's, and the same seed gives the same journal.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod dice;
mod history;
mod ledger;
#[path = "../../../tests/src/nightly.rs"]
mod nightly;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use history::History;

const STEPS: usize = 60;

fn live(seed: u64) -> (String, Vec<String>) {
    let mut history = History::begin(seed);
    for _ in 0..STEPS {
        history.step();
    }
    history.finish()
}

#[test]
fn the_same_seed_gives_the_same_journal_whatever_goes_wrong() {
    let count = if crate::nightly::is_wanted() { 10_000 } else { 200 };
    let next = AtomicU64::new(0);
    let lives = || {
        while let Some(seed) = Some(next.fetch_add(1, Ordering::SeqCst)).filter(|at| *at < count) {
            let (first, said) = live(seed);
            let (second, again) = live(seed);
            for (one, other) in said.iter().zip(&again) {
                assert_eq!(one, other, "seed {seed}");
            }
            assert_eq!((first, said.len()), (second, again.len()), "seed {seed}");
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(lives);
        }
    });
}
