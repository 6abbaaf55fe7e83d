//! Answers from elsewhere: what the notification helper asks and decides for a person whom
//! `identity.toml` knows by an account of a messenger. Never RED, never money, L1 at best.

use mc_core::id::ApprovalId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::approval::Verdict;

/// `remote.show`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RemoteShow")]
pub struct Show {
    /// The approval.
    pub approval: ApprovalId,
}

/// What `remote.show` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RemoteShown")]
pub struct Shown {
    /// The approval.
    pub approval: ApprovalId,
    /// The revision that is shown.
    pub rev: i64,
    /// The digest of what is shown; a decision carries it.
    pub digest: String,
    /// All that is decided on, a thing a line: nothing is cut, and nothing hides in it.
    pub text: String,
    /// Whether an answer from elsewhere is enough for a yes; a no is always taken.
    pub can_approve: bool,
}

/// Who answers, as the messenger says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The user's number at Telegram.
    pub telegram: i64,
}

/// `remote.decide`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RemoteDecide")]
pub struct Decide {
    /// The approval.
    pub approval: ApprovalId,
    /// The revision that was shown; another one is a conflict.
    pub rev: i64,
    /// The digest that was shown; another one is a conflict.
    pub digest: String,
    /// Yes, for this once, or no.
    pub decision: Verdict,
    /// Who pressed.
    pub by: Account,
}
