//! The whole product under test: real programs, real sockets, a folder of its own for each squad.
//!
//! Everything here fails by panicking, like the tests that it serves.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking"
)]

pub mod asking;
mod disk;
pub mod helper;
pub mod mail;
mod nightly;
pub mod receiver;
mod squad;
mod terminal;
mod wire;

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

pub use disk::SmallDisk;
pub use helper::Helper;
pub use receiver::{Got, Receiver, Reply};
pub use squad::{Operator, PASSPHRASE, Setup, Squad, code};
pub use terminal::Terminal;
pub use wire::{Client, HELLO, Trouble};

/// How long anything may take that has no limit of its own.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Looks until there is something to see, and returns it.
pub fn until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        thread::sleep(Duration::from_micros(300));
    }
}

/// Returns where the program `name` was built: beside the running one, or one folder up.
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    let places = own.ancestors().skip(1).take(2).map(|dir| dir.join(name));
    let found = places.into_iter().find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} was not built: run `cargo build --workspace` first"))
}

/// Says whether the tests run as root, which some of them need; says which one does not run.
pub fn is_root(for_test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        say(&format!("{for_test}: skipped, it needs root"));
    }
    root
}

/// Says whether the long sizes of a nightly run are wanted.
pub fn is_nightly() -> bool {
    nightly::is_wanted()
}

/// Prints a line beside a test's result.
#[expect(clippy::print_stderr, reason = "a test reports what it skips and measures")]
pub fn say(line: &str) {
    eprintln!("{line}");
}

/// Returns the value below which `share` of `values` lie; the values are sorted by it.
pub fn percentile(values: &mut [Duration], share: f64) -> Duration {
    assert!(!values.is_empty(), "nothing was measured");
    values.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank among a few million"
    )]
    let rank = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len());
    values[rank - 1]
}
