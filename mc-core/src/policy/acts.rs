//! The acts of humans, and the assurance level that each needs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Risk;
use crate::actor::Level;

/// What a human does.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Stops everything.
    EmergencyStop,
    /// Ends an emergency stop.
    EmergencyResume,
    /// Pauses an agent or the squad.
    Pause,
    /// Resumes an agent or the squad after a pause.
    Resume,
    /// Denies an approval.
    Deny,
    /// Cancels a task or an approval.
    Cancel,
    /// Drains an agent.
    Drain,
    /// Quarantines or stops an agent.
    Quarantine,
    /// Creates, assigns, moves or changes a task.
    Assign,
    /// Writes in a thread.
    Comment,
    /// Approves a green call.
    ApproveGreen,
    /// Approves a yellow call.
    ApproveYellow,
    /// Approves a red call.
    ApproveRed,
    /// Writes a rule that approves by itself.
    Remember,
    /// Accepts a task.
    Complete,
    /// Unblocks a task.
    Unblock,
    /// Changes a budget.
    Budget,
    /// Activates a policy.
    Policy,
    /// Registers agents and adapters, and changes their tokens.
    Tokens,
    /// Changes the operators.
    Operators,
}

impl Act {
    /// All acts.
    pub const ALL: [Self; 20] = [
        Self::EmergencyStop,
        Self::EmergencyResume,
        Self::Pause,
        Self::Resume,
        Self::Deny,
        Self::Cancel,
        Self::Drain,
        Self::Quarantine,
        Self::Assign,
        Self::Comment,
        Self::ApproveGreen,
        Self::ApproveYellow,
        Self::ApproveRed,
        Self::Remember,
        Self::Complete,
        Self::Unblock,
        Self::Budget,
        Self::Policy,
        Self::Tokens,
        Self::Operators,
    ];

    /// Returns the act of approving something of this risk.
    pub const fn approve(risk: Risk) -> Self {
        match risk {
            Risk::Green => Self::ApproveGreen,
            Risk::Yellow => Self::ApproveYellow,
            Risk::Red => Self::ApproveRed,
        }
    }

    /// Returns the level that it needs where the policy says nothing.
    pub const fn default_level(self) -> Level {
        match self {
            Self::EmergencyStop | Self::Pause => Level::L0,
            Self::Resume
            | Self::Deny
            | Self::Cancel
            | Self::Drain
            | Self::Quarantine
            | Self::Assign
            | Self::Comment
            | Self::ApproveGreen => Level::L1,
            Self::ApproveYellow | Self::Complete | Self::Unblock => Level::L2,
            Self::ApproveRed
            | Self::Remember
            | Self::Budget
            | Self::EmergencyResume
            | Self::Policy
            | Self::Tokens
            | Self::Operators => Level::L3,
        }
    }
}
