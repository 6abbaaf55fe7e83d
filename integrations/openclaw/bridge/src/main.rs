//! `mc-openclaw`: reads the command line and runs the bridge.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Parser, Subcommand};
use mc_openclaw::{
    bridge::{self, BridgeConfig, DaemonConfig},
    frame::Duty,
    gateway::{GatewayConfig, local_url},
    identity::Identity,
    orders::Agents,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The bridge between an OpenClaw gateway and Mission Control.
#[derive(Debug, Parser)]
#[command(name = "mc-openclaw", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs until it is told to end.
    Run(Run),
}

#[derive(Debug, Args)]
struct Run {
    /// The gateway's WebSocket on this machine.
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:18789", value_parser = local_url)]
    gateway: String,
    /// File of the gateway's shared token; needed once, to pair.
    #[arg(long, value_name = "FILE")]
    gateway_token_file: Option<PathBuf>,
    /// The daemon's socket for agents.
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// File of mode 0600 with the adapter's token.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Directory for the bridge's key and device token.
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// Who is who: OpenClaw id = Mission Control name, separated by commas.
    #[arg(long, value_name = "ID=NAME,...", value_parser = Agents::parse)]
    agents: Agents,
    /// The daemon's halt file: watched, so that a stop needs no daemon [default: told by the daemon].
    #[arg(long, value_name = "FILE")]
    halt_file: Option<PathBuf>,
    /// Answers the gateway's own questions before commands, by what the daemon has just allowed;
    /// `mcctl openclaw install --strict` sets the gateway up for it.
    #[arg(long)]
    strict: bool,
}

fn main() -> anyhow::Result<()> {
    let Command::Run(args) = Cli::parse().command;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let config = configure(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            ended = bridge::run(config) => {
                ended?;
                bail!("the bridge has lost its links")
            }
            _ = terminate.recv() => Ok(()),
            interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        }
    })
}

fn configure(args: Run) -> anyhow::Result<BridgeConfig> {
    // The second lock is a device of its own: what ends orders needs no admin.
    let state = if args.strict { args.state_dir.join("strict") } else { args.state_dir };
    Ok(BridgeConfig {
        gateway: GatewayConfig {
            duty: if args.strict { Duty::SecondLock } else { Duty::Orders },
            url: args.gateway,
            pairing_token: args.gateway_token_file,
            version: VERSION.to_owned(),
        },
        identity: Identity::load_or_create(&state)?,
        daemon: DaemonConfig {
            socket: args.socket,
            token_file: args.token_file,
            version: VERSION.to_owned(),
        },
        halt_file: args.halt_file,
        agents: args.agents,
    })
}
