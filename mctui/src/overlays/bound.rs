//! What every dialog that decides has: it is bound to the request as it was on the screen, and it
//! ignores keys that can't have been meant for it.

use mc_core::{
    approval::{Approval, ApprovalStatus},
    id::ApprovalId,
};
use mc_proto::method::approval::Marked;

use crate::{link::Health, scene::Scene, text};

/// How long a dialog ignores keys after it opened, in milliseconds.
pub const GUARD_MS: u64 = 350;
/// How long after the last key Enter counts, so that a paste without brackets can't decide.
const SETTLE_MS: u64 = 150;

/// A request as it was on the screen: number, revision and digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The approval.
    pub id: ApprovalId,
    /// Its revision.
    pub rev: i64,
    /// Its digest.
    pub digest: String,
}

impl Bound {
    /// Binds to `approval` as it is on the screen now.
    pub fn to(approval: &Approval) -> Self {
        Self { id: approval.id, rev: approval.rev, digest: approval.digest.clone() }
    }

    /// Returns it as the wire wants it.
    pub fn marked(&self) -> Marked {
        Marked { approval: self.id, rev: self.rev, digest: self.digest.clone() }
    }

    /// Says why the request can no longer be decided as it was shown; `None` while it can.
    pub fn why_not(&self, scene: &Scene) -> Option<String> {
        let Some(now) = scene.world.approvals.get(&self.id) else {
            return Some("the request is gone".to_owned());
        };
        if now.status != ApprovalStatus::Pending {
            let by = now.decided_by.as_deref().map(text::line).unwrap_or_default();
            let by =
                if by.as_str().is_empty() { String::new() } else { format!(" by {}", by.as_str()) };
            return Some(format!("{}{by}", now.status.as_str()));
        }
        if now.rev != self.rev || now.digest != self.digest {
            return Some("the request has changed: read it again".to_owned());
        }
        if now.expires_at <= scene.time() {
            return Some("the request has expired".to_owned());
        }
        let is_off = scene.link.health(scene.now) == Health::Off;
        is_off.then(|| "the link to the daemon is down".to_owned())
    }
}

/// When keys count.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    quiet_since: u64,
    last_key: u64,
}

impl Guard {
    /// Starts with a dialog that opens at `steady`.
    pub const fn new(steady: u64) -> Self {
        Self { quiet_since: steady, last_key: 0 }
    }

    /// Starts the time anew in which keys are ignored.
    pub const fn restart(&mut self, steady: u64) {
        self.quiet_since = steady;
    }

    /// Says whether a key comes too soon after the dialog opened; that makes it wait longer.
    pub const fn ignores(&mut self, steady: u64) -> bool {
        if steady.saturating_sub(self.quiet_since) < GUARD_MS {
            self.quiet_since = steady;
            return true;
        }
        false
    }

    /// Notes a key and says whether it came too fast after the one before to confirm anything.
    pub const fn is_fast(&mut self, steady: u64) -> bool {
        let since = steady.saturating_sub(self.last_key);
        self.last_key = steady;
        since < SETTLE_MS
    }
}
