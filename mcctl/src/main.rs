//! The command line of Mission Control: one command, one answer, an exit code.
//!
//! Nouns and verbs mirror the methods of the wire; each noun has its file. There is no async
//! runtime here: a command connects, asks, prints and leaves.

/// Appends formatted text to a `String`, which can't fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{
        use std::fmt::Write as _;
        write!($out, $($arg)*).ok();
    }};
}

mod adapter;
mod agent;
mod alert;
mod approval;
mod artifact;
mod audit;
mod budget;
mod changes;
mod cli;
mod context;
mod cost;
mod decide;
mod doctor;
#[cfg(test)]
mod documents;
mod edit;
mod environment;
mod failure;
mod feed;
mod hook;
mod identity;
mod init;
mod keys;
mod mcp;
mod message;
mod notify;
mod openclaw;
mod operator;
mod output;
mod paging;
mod policy;
mod replay;
mod rule;
mod run;
mod schedule;
mod secret;
mod session;
mod sign;
mod squad;
mod stopped;
mod table;
mod task;
mod text;
mod trace;
mod words;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    table::fit_terminal();
    let mut cx = context::Context::new(cli.global);
    let ended = cli::run(cli.command, &mut cx);
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.report(cx.is_json());
            failure.exit_code()
        }
    }
}
