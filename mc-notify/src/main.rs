//! `mcd notify`: takes notices from the daemon and sends them out of the squad.
//!
//! The one process of Mission Control that has the network, and it has nothing else: no database,
//! no operator's socket, no rights but to fetch deliveries and to say how they ended. `mcd notify`
//! becomes this program, so that nothing of it is linked into the daemon.

mod answers;
mod clock;
mod config;
mod offset;
mod secret;
mod sinks;
mod text;
mod worker;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use mc_proto::home::Home;

use crate::config::{Config, ConfigError};

/// Exit code for a configuration that can't be used.
const EXIT_CONFIG: u8 = 78;
/// Exit code of `--check` when there is nothing to serve.
const EXIT_NOTHING: u8 = 3;

/// Sends notices to the sinks of notify.toml.
#[derive(Debug, Parser)]
#[command(name = "mcd notify", version)]
struct Arguments {
    /// Find configuration and sockets under this directory
    #[arg(long)]
    home: Option<PathBuf>,
    /// The configuration [default: notify.toml beside the daemon's]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where it is kept which answers were taken; only needed where a sink takes some
    #[arg(long, env = "STATE_DIRECTORY", value_name = "DIR")]
    state: Option<PathBuf>,
    /// Only check the configuration and its secrets: 0 in order, 3 no sink in it, 78 wrong
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let home = Home::find(arguments.home.as_deref());
    let path = arguments.config.unwrap_or_else(|| home.config.join("notify.toml"));
    match Config::load(&path) {
        Ok(config) if arguments.check => checked(&path, &config),
        Ok(config) => run(&home, arguments.state.as_deref(), config),
        Err(error) => {
            say(&format!("mcd notify: {error}"));
            ExitCode::from(if matches!(error, ConfigError::Missing(_)) && arguments.check {
                EXIT_NOTHING
            } else {
                EXIT_CONFIG
            })
        }
    }
}

fn checked(path: &std::path::Path, config: &Config) -> ExitCode {
    if config.sinks.is_empty() {
        say(&format!("{} names no sink", path.display()));
        return ExitCode::from(EXIT_NOTHING);
    }
    let names: Vec<&str> = config.sinks.iter().map(|sink| sink.declared.name.as_str()).collect();
    say(&format!("{} is in order: {}", path.display(), names.join(", ")));
    ExitCode::SUCCESS
}

fn run(home: &Home, state: Option<&std::path::Path>, config: Config) -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .init();
    // Whoever else links a second provider must not make rustls ask which one is meant.
    rustls::crypto::ring::default_provider().install_default().ok();
    match worker::answers(&home.notify_socket(), state, &config) {
        Ok(answers) => worker::serve(&home.notify_socket(), config, answers),
        Err(error) => {
            say(&format!("mcd notify: {error}"));
            return ExitCode::from(EXIT_CONFIG);
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "this program's one way to speak")]
fn say(text: &str) {
    eprintln!("{text}");
}
