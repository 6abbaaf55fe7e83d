//! The benchmark: one JSON document, its figures beside what the same machine does without us.
//!
//! `bench [--dir DIR] [--seconds N] [--long]`. It runs the programs that were built beside it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that fails ends"
)]

mod baseline;
mod daemon;
mod load;
mod programs;
mod replay;
mod report;

use std::{path::PathBuf, time::Duration};

use serde_json::json;

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Where the squads' folders are made.
    pub(crate) dir: PathBuf,
    /// How long each load lasts.
    pub(crate) each: Duration,
    /// Whether to go to a million events.
    pub(crate) long: bool,
}

fn options() -> Options {
    let mut options =
        Options { dir: std::env::temp_dir(), each: Duration::from_secs(3), long: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value follows");
        match word.as_str() {
            "--dir" => options.dir = value().into(),
            "--seconds" => options.each = Duration::from_secs(value().parse().expect("a number")),
            "--long" => options.long = true,
            other => {
                mc_tests::say(&format!(
                    "`{other}` is unknown: bench [--dir DIR] [--seconds N] [--long]"
                ));
                std::process::exit(2);
            }
        }
    }
    options
}

fn main() {
    let options = options();
    let raw = baseline::measure(&options);
    let document = json!({
        "machine": report::machine(),
        "seconds_each": options.each.as_secs(),
        "baseline": raw.document,
        "daemon": daemon::measure(&options, &raw),
        "policy_replay": replay::measure(&options),
        "programs": programs::measure(&options),
    });
    println!("{}", serde_json::to_string_pretty(&document).expect("a document is JSON"));
}
