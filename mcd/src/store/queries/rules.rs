//! Standing rules.

use mc_core::approval::StandingRule;

use super::Reader;
use crate::store::StoreError;

/// Returns the rules for a tool that nobody revoked; they may have ended by themselves.
///
/// # Errors
///
/// When the store can't be read.
pub fn rules_for(db: Reader<'_>, tool: &str) -> Result<Vec<StandingRule>, StoreError> {
    let sql = "SELECT body FROM standing_rules WHERE tool = ?1 AND open = 1 ORDER BY id LIMIT 200";
    db.bodies(sql, [tool])
}
