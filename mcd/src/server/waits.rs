//! Who waits for the decision on an approval.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use mc_core::id::ApprovalId;
use tokio::sync::oneshot;

/// Waits by approval.
#[derive(Debug, Default)]
pub(crate) struct Waits(Mutex<HashMap<ApprovalId, Vec<oneshot::Sender<()>>>>);

impl Waits {
    /// Begins a wait. Look at the approval only after this, so that no decision falls between.
    pub(super) fn begin(&self, approval: ApprovalId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = waits.entry(approval).or_default();
        waiting.retain(|sender| !sender.is_closed());
        waiting.push(sender);
        receiver
    }

    /// Ends the waits for an approval that was decided.
    pub(crate) fn end(&self, approval: ApprovalId) {
        // Dropping the senders ends the waits.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&approval);
    }

    /// Ends all waits, when it is not known which approvals were decided.
    pub(crate) fn end_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
