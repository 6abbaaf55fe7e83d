//! `mcctl adapter`: programs that speak for agents of a runtime.

use std::path::PathBuf;

use clap::Subcommand;
use mc_core::agent::{AgentName, Runtime};
use mc_proto::method::agent::AdapterEnrol;

use crate::{
    agent::{RUNTIMES, keep_token},
    context::Context,
    failure::{Exit, Failure},
    words::one_of,
};

/// What can be done with adapters.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Let an adapter speak for agents; its token is shown once. Again: replaces agents and token.
    Enrol {
        /// A unique slug, such as openclaw-plugin.
        name: AgentName,
        /// What it adapts.
        #[arg(long, value_parser = one_of::<Runtime>(RUNTIMES))]
        runtime: Runtime,
        /// An agent that it may name; repeat for more.
        #[arg(long = "agent", value_name = "AGENT", required = true)]
        agents: Vec<AgentName>,
        /// Write the token to this file (mode 0600) instead of showing it.
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
    },
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Enrol { name, runtime, agents, token_file } => {
            let enrolled = cx.call(&AdapterEnrol { name, runtime, agents })?;
            let text = format!("adapter {} is enrolled\n", enrolled.name);
            keep_token(cx, &enrolled, &enrolled.token, (token_file.as_deref(), text))
        }
    }
}
