//! The console of Mission Control.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> anyhow::Result<ExitCode> {
    mctui::run::run(&mctui::options::Options::parse())
}
