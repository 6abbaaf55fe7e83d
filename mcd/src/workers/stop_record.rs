//! Writes an emergency stop down, however long the writer takes: first that it was asked for, then
//! how far it got.

use std::{sync::Arc, time::Duration};

use mc_core::squad::StopReport;
use mc_proto::method::squad::Receipt;
use tokio::{sync::watch, time::sleep};

use crate::{
    caller::{SystemCommand, Work},
    server::Server,
};

/// How long to wait before it is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// What a stop did to tasks and approvals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Blocked {
    /// How many tasks it moved to Blocked.
    pub(super) tasks: i64,
    /// How many approvals it canceled.
    pub(super) approvals: i64,
}

/// Writes the stops down, oldest first; `None` when they were over before that.
pub(super) async fn halts(server: &Arc<Server>, halts: &[SystemCommand]) -> Option<Blocked> {
    let mut blocked = Blocked::default();
    for halt in halts {
        let receipt: Receipt = serde_json::from_str(&write(server, halt).await?).ok()?;
        blocked.tasks += i64::try_from(receipt.tasks.len()).unwrap_or(i64::MAX) + receipt.more;
        blocked.approvals += receipt.approvals;
    }
    Some(blocked)
}

/// Writes down how far the stop got, each time that is news and the last time whole; ends with who
/// tells it.
pub(super) async fn reports(server: &Arc<Server>, mut newest: watch::Receiver<StopReport>) {
    while newest.changed().await.is_ok() {
        let report = Box::new(newest.borrow_and_update().clone());
        // What is over needs no further record.
        write(server, &SystemCommand::ReportStop { report }).await;
    }
}

/// Has the writer carry a command out, as long as the stop holds; returns its answer.
async fn write(server: &Arc<Server>, command: &SystemCommand) -> Option<String> {
    while !server.is_stopping() && server.live().halt.is_set() {
        let submitted = server.store.submit(Work::System(command.clone()));
        if let Ok(answer) = submitted
            && let Ok(Ok(done)) = answer.await
        {
            return Some(done.to_string());
        }
        sleep(AGAIN).await;
    }
    None
}
