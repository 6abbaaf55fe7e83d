//! Has the tasks that a stop holds blocked, and moved back after it, slice by slice: others get to the
//! writer in between. What is left to do stands in the rows, so a restart goes on.

use std::{sync::Arc, time::Duration};

use mc_core::event::Event;
use mc_proto::error::RpcError;
use tokio::{sync::broadcast::error::RecvError, time::sleep};

use super::Setting;
use crate::{
    caller::{SystemCommand, Work},
    server::Server,
};

/// How long to wait before a slice is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// Follows the store; ends with it.
pub(super) async fn run(setting: &Setting) {
    let server = &setting.server;
    let mut batches = server.store.follow();
    loop {
        while let Some(next) = next(server) {
            let is_done = match next {
                Ok(command) => carry_out(server, command).await,
                Err(_) => false,
            };
            if !is_done {
                sleep(AGAIN).await;
            }
        }
        loop {
            match batches.recv().await {
                Ok(batch) => {
                    let is_news = batch
                        .iter()
                        .any(|one| matches!(one.recorded.event, Event::SquadStatusChanged { .. }));
                    if is_news {
                        break;
                    }
                }
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// Returns what is to be done next, if anything is; an error where the rows can't be read now.
fn next(server: &Server) -> Option<Result<SystemCommand, RpcError>> {
    if server.is_stopping() {
        return None;
    }
    match server.store.held_tasks() {
        Ok((open, _)) if open > 0 => Some(Ok(SystemCommand::BlockStopped)),
        Ok((_, back)) if back > 0 => Some(Ok(SystemCommand::ReturnStopped)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    }
}

/// Has the writer do one slice; says whether it was done.
async fn carry_out(server: &Arc<Server>, command: SystemCommand) -> bool {
    match server.store.submit(Work::System(command)) {
        Ok(answer) => matches!(answer.await, Ok(Ok(_))),
        Err(_) => false,
    }
}
