//! `mcctl mcp`: the verbs of an agent as tools of the Model Context Protocol, over standard input
//! and output, for runtimes whose model can't run `mcctl` itself.
//!
//! It speaks as the agent of its environment and never as an operator: it has no human verb, and
//! the daemon would refuse one on the agents' socket.

mod link;
mod server;
mod table;

use rmcp::{ServiceExt as _, transport::stdio};

use self::{link::Link, server::Server};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    session::Door,
};

/// Serves until standard input ends.
///
/// # Errors
///
/// When it is not said whose tools these are, or the client does not speak the protocol.
pub(crate) fn run(cx: &Context) -> Result<Exit, Failure> {
    let door = Door::of_agent(cx.global())?;
    // The only verb with an async runtime: a call that waits for a person must not hold others up.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("can't start: {error}")))?;
    let ended = runtime.block_on(serve(door));
    // A read of standard input that nobody waits for any more must not keep the program.
    runtime.shutdown_background();
    ended
}

async fn serve(door: Door) -> Result<Exit, Failure> {
    let trouble = |error: &dyn std::fmt::Display| Failure::Failed(format!("MCP: {error}"));
    let server = Server::new(Link::new(door));
    let running = server.serve(stdio()).await.map_err(|error| trouble(&error))?;
    running.waiting().await.map_err(|error| trouble(&error))?;
    Ok(Exit::Done)
}
