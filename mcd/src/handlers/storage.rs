//! How much one agent may have stored on one day: no agent fills the disk.

use mc_core::{
    alert::{AlertKind, Severity},
    refusal::{Refusal, RefusalKind},
};

use super::notify::{self, Warning};
use crate::store::{Desk, queries::Fail};

/// From what share of the limit on people are told, in percent.
const WARN_PERCENT: u64 = 90;
const MIB: u64 = 1024 * 1024;

/// Counts what this command has stored against its agent. What the agent says or asks beyond the
/// limit is refused, and is not stored then; what it reports is fact and is taken.
///
/// # Errors
///
/// `rate_limited` beyond the limit.
pub(crate) fn count(desk: &mut Desk<'_>, is_report: bool) -> Result<(), Fail> {
    let Some(agent) = desk.caller.agent.clone() else { return Ok(()) };
    let limit = desk.policy.doc().limits.agent_day_bytes;
    let (before, now) = desk.count_stored(&agent, &desk.live.day())?;
    if now > limit && !is_report {
        let text = format!(
            "{now} bytes would be stored of {agent} today, the limit is {limit}: store less, or go \
             on tomorrow; a person can raise `limits.agent_day_bytes` in the policy"
        );
        return Err(Refusal::new(RefusalKind::RateLimited, text).into());
    }
    let warns_at = limit / 100 * WARN_PERCENT;
    if before <= warns_at && warns_at < now {
        let text = format!(
            "{agent} has had {} of {} MiB stored today; beyond that it is refused all but reports",
            now / MIB,
            limit / MIB
        );
        let warning = Warning {
            severity: Severity::Warning,
            kind: AlertKind::Storage,
            text,
            next: "look at what it stores with `mcctl agent evidence NAME`; pause it, or raise \
                   `limits.agent_day_bytes` in the policy",
            task: None,
            agent: Some(agent),
        };
        notify::warn(desk, warning)?;
    }
    Ok(())
}
