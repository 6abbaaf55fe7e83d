//! Who asks, as the connection knows it; never what a frame says of itself.

use std::sync::Arc;

use mc_core::{
    actor::{Actor, ActorKind, Level, Role},
    agent::{AgentName, Runtime},
    budget::BudgetDay,
    id::NotificationId,
    operators::Operators,
    policy::Facts,
    redact::Masker,
    squad::StopReport,
};
use mc_proto::{
    error::{ErrorKind, RpcError},
    method::Request,
};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The operator with the level reached, or the agent; for an adapter that names no agent,
    /// the adapter itself.
    pub actor: Actor,
    /// An operator's role.
    pub role: Option<Role>,
    /// The agent that acts: the caller, or the one that an adapter names.
    pub agent: Option<AgentName>,
    /// The adapter that the connection belongs to.
    pub adapter: Option<AgentName>,
    /// The connection, for logs and for what lives as long as it.
    pub connection: u64,
    /// Whether the operator has a second factor, and gave it for this request.
    pub factor: Factor,
    /// The home directory of the user behind it.
    pub home: Option<Arc<str>>,
}

impl Caller {
    /// Returns the agent that acts.
    ///
    /// # Errors
    ///
    /// `forbidden` for operators, `invalid_params` for an adapter that names no agent.
    pub fn agent(&self) -> Result<&AgentName, RpcError> {
        match (&self.agent, &self.adapter) {
            (Some(agent), _) => Ok(agent),
            (None, Some(_)) => {
                Err(RpcError::invalid("agent", "an adapter names the agent that it speaks for"))
            }
            (None, None) => Err(RpcError::new(ErrorKind::Forbidden, "only an agent can do this")),
        }
    }

    /// Says whether an operator asks.
    pub fn is_human(&self) -> bool {
        self.actor.kind == ActorKind::Human
    }
}

/// How an operator stands with a second factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Factor {
    /// None was enrolled.
    #[default]
    None,
    /// One was enrolled, and not given for this request.
    Enrolled,
    /// It was given for this request.
    Given,
}

/// One thing for the writer to do.
#[derive(Debug)]
pub enum Work {
    /// A request of a caller.
    Request {
        /// Who asks.
        caller: Box<Caller>,
        /// What is asked; of kind `Command`.
        request: Box<Request>,
        /// The same key and body give the first answer again.
        idempotency_key: Option<String>,
        /// What the disk says about the call that is asked for.
        facts: Box<Facts>,
    },
    /// A request with long texts, and what has masked them already.
    Masked(Masker, Box<Work>),
    /// Something that the daemon itself does.
    System(SystemCommand),
}

/// What the daemon does by itself; reconciling, so that twice is the same as once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemCommand {
    /// Names the squad, once.
    SetUp {
        /// The squad's name.
        name: String,
    },
    /// Brings a policy into force, unless it is in force already.
    ActivatePolicy {
        /// The file, word for word; it was validated.
        text: String,
        /// The uid that owns the file.
        by_uid: u32,
    },
    /// Compares the policy file with the policy in force, and says so where they differ and the
    /// file is not to be trusted.
    ComparePolicy {
        /// The file, word for word; it was validated.
        text: String,
    },
    /// Expires approvals, pauses drained agents that are done, raises alerts on silence.
    Tick,
    /// An adapter's connection ended.
    RuntimeDetached {
        /// The adapter's or agent's name.
        name: String,
        /// What it adapted.
        runtime: Runtime,
    },
    /// An operator gave a passphrase.
    OperatorUnlocked {
        /// The operator.
        operator: String,
        /// Their role.
        role: Role,
        /// The level reached.
        level: Level,
        /// Whether it was right.
        success: bool,
        /// Whether it was a second factor and no passphrase.
        second_factor: bool,
    },
    /// Records who governs, when that is not what was recorded last.
    Govern {
        /// The uid that the file belongs to.
        by_uid: u32,
        /// Who governs from now on.
        now: Box<Operators>,
    },
    /// Records the emergency stop, which holds already: cancels approvals, blocks tasks.
    Halt {
        /// Who stopped.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// Blocks the next tasks that the emergency stop in force holds; answers how many are left.
    BlockStopped,
    /// Moves the next tasks back that are to go back after a stop; answers how many are left.
    ReturnStopped,
    /// Records how far the emergency stop got, and raises an alert for each agent that goes on.
    ReportStop {
        /// All that is known by now.
        report: Box<StopReport>,
    },
    /// Budgets count another day.
    TurnDay {
        /// Which, and all that a restart goes on from.
        now: BudgetDay,
    },
    /// The wall clock jumped.
    ClockJumped {
        /// By how much; negative is backwards.
        by_ms: i64,
    },
    /// After a full disk something can be written again.
    WritesAreBack,
    /// A notification was delivered by a runtime.
    Delivered {
        /// Which.
        notification: NotificationId,
    },
}
