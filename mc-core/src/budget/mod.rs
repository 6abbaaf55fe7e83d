//! Budgets: what may be spent, what is promised and what is left, in money and in tokens.
//!
//! A run spends from several scopes at once: its own cap, its task and the tasks above it, its
//! agent's day and the days of the agents above that, the squad's day and month. A [`Ledger`] keeps what one scope has spent and promised.
//! What is asked for is granted when it fits into every scope together; what was promised and never
//! settled counts in full. Cost that no price is known for counts at the dearest known rate.

mod day;
mod pace;
mod standing;

use std::{fmt, ops::Add};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use day::{BudgetDay, Clocks, month_of};
pub use pace::{Breaker, Pace};
pub use standing::{Caps, Shortage, Standing, fit, left, over};

use crate::{
    agent::AgentName,
    id::{AlertId, CallId, ReservationId, RunId, Seq, TaskId},
    money::{CostState, MicroUsd, Tokens},
    time::Timestamp,
};

/// What a cap is on.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One run.
    Run,
    /// A task with the tasks below it.
    Task,
    /// An agent's day.
    AgentDay,
    /// The squad's day.
    SquadDay,
    /// The squad's month.
    SquadMonth,
}

impl Scope {
    /// Returns the word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Task => "task",
            Self::AgentDay => "agent_day",
            Self::SquadDay => "squad_day",
            Self::SquadMonth => "squad_month",
        }
    }

    /// Returns the rule that a decision about it names.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Run => "budget.run",
            Self::Task => "budget.task",
            Self::AgentDay => "budget.day",
            Self::SquadDay => "budget.squad_day",
            Self::SquadMonth => "budget.squad_month",
        }
    }

    /// Returns what it is called in a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Run => "the run",
            Self::Task => "the task",
            Self::AgentDay => "the agent's day",
            Self::SquadDay => "the squad's day",
            Self::SquadMonth => "the squad's month",
        }
    }
}

/// One ledger: the scope, and of what.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct ScopeKey {
    /// What the cap is on.
    pub scope: Scope,
    /// `R-4`, `T-7`, `wren 2026-11-25`, `2026-11-25` or `2026-11`.
    pub of: String,
}

impl fmt::Display for ScopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.scope.words(), self.of)
    }
}

impl ScopeKey {
    /// Returns the ledger that a cap of `of` is on at `day`; `None` for the cap of each run.
    pub fn of_cap(scope: Scope, of: &str, day: &str) -> Option<Self> {
        let of = match scope {
            Scope::Run => return None,
            Scope::Task => of.to_owned(),
            Scope::AgentDay => agent_day(of, day),
            Scope::SquadDay => day.to_owned(),
            Scope::SquadMonth => month_of(day).to_owned(),
        };
        Some(Self { scope, of })
    }

    /// Returns the agent whose day it is; `None` for every other scope.
    pub fn agent(&self) -> Option<AgentName> {
        let (agent, _day) = self.of.split_once(' ').filter(|_| self.scope == Scope::AgentDay)?;
        agent.parse().ok()
    }

    /// Returns what it is called in a sentence, with the name where a run pays for several agents.
    pub fn words(&self) -> String {
        let whose = self.agent().map(|agent| format!("{agent}'s day"));
        whose.unwrap_or_else(|| self.scope.words().to_owned())
    }
}

/// Who spends, and when: all that says which scopes pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Payer {
    /// The run; `None` for a call outside of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Who spends.
    pub agent: AgentName,
    /// The task that it works on; `None` when it could not be attributed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The tasks that this one is a part of, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub above: Vec<TaskId>,
    /// The agents that it is a sub-agent of, nearest first: their days pay as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<AgentName>,
    /// The budget day, `YYYY-MM-DD`.
    pub day: String,
}

impl Payer {
    /// Returns the scopes that pay, smallest first.
    pub fn scopes(&self) -> Vec<ScopeKey> {
        let key = |scope, of: String| ScopeKey { scope, of };
        let mut keys = Vec::new();
        keys.extend(self.run.map(|run| key(Scope::Run, run.to_string())));
        let tasks = self.task.iter().chain(&self.above);
        keys.extend(tasks.map(|task| key(Scope::Task, task.to_string())));
        let agents = std::iter::once(&self.agent).chain(&self.ancestors);
        keys.extend(agents.map(|agent| key(Scope::AgentDay, agent_day(agent, &self.day))));
        keys.push(key(Scope::SquadDay, self.day.clone()));
        keys.push(key(Scope::SquadMonth, month_of(&self.day).to_owned()));
        keys
    }
}

/// Returns the name of an agent's day.
pub fn agent_day(agent: &str, day: &str) -> String {
    format!("{agent} {day}")
}

/// Money and tokens together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub struct Amount {
    /// The money.
    #[serde(default)]
    pub uusd: MicroUsd,
    /// The tokens.
    #[serde(default)]
    pub tokens: i64,
}

impl Amount {
    /// Returns what is left of this after `part`; never below zero.
    #[must_use]
    pub fn minus(self, part: Self) -> Self {
        Self {
            uusd: self.uusd.minus(part.uusd),
            tokens: self.tokens.saturating_sub(part.tokens).max(0),
        }
    }

    /// Returns the smaller of both, each measure for itself.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self { uusd: self.uusd.min(other.uusd), tokens: self.tokens.min(other.tokens) }
    }

    /// Says whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.uusd.0 == 0 && self.tokens == 0
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { uusd: self.uusd + other.uusd, tokens: self.tokens.saturating_add(other.tokens) }
    }
}

/// What one scope has spent and promised.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Ledger {
    /// What was spent, as it counts: what has no price at the dearest rate.
    #[serde(default)]
    pub spent: Amount,
    /// The part of the money that has no known price.
    #[serde(default)]
    pub unpriced_uusd: MicroUsd,
    /// What is promised and not settled.
    #[serde(default)]
    pub reserved: Amount,
    /// By how much approved overrides raised the cap.
    #[serde(default)]
    pub granted: Amount,
    /// The highest share, in percent, that was warned of; a raised cap warns anew.
    #[serde(default)]
    pub warned: i64,
    /// How the money is known: the least certain of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CostState>,
}

impl Ledger {
    /// Takes in what was used.
    pub fn charge(&mut self, what: Amount, state: CostState) {
        self.spent = self.spent + what;
        if state == CostState::Unpriced {
            self.unpriced_uusd = self.unpriced_uusd + what.uusd;
        }
        self.state = Some(state.or_worse(self.state));
    }

    /// Puts another amount in the place of one that was charged.
    pub fn correct(&mut self, (from, was): (MicroUsd, CostState), (to, is): (MicroUsd, CostState)) {
        let of = |state, amount| if state == CostState::Unpriced { amount } else { MicroUsd::ZERO };
        self.spent.uusd = (self.spent.uusd + to).minus(from);
        self.unpriced_uusd = (self.unpriced_uusd + of(is, to)).minus(of(was, from));
        let has_price = was == CostState::Unpriced && self.unpriced_uusd == MicroUsd::ZERO;
        if has_price && self.state == Some(CostState::Unpriced) {
            // Of the rest nothing is known but that it is no less certain.
            self.state = Some(CostState::Derived);
        }
    }

    /// Promises an amount.
    pub fn reserve(&mut self, what: Amount) {
        self.reserved = self.reserved + what;
    }

    /// Takes a promise back, or a part of it.
    pub fn release(&mut self, what: Amount) {
        self.reserved = self.reserved.minus(what);
    }
}

/// How a promise stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReservationStatus {
    /// Counts in full, until it is settled.
    #[default]
    Open,
    /// What it was for was reported.
    Settled,
    /// It was given back, by the end of its run or call, or by a human. A late report of what it
    /// was for settles it still.
    Released,
}

/// A promise that an amount may be spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reservation {
    /// Its number.
    pub id: ReservationId,
    /// Who may spend it.
    #[serde(flatten)]
    pub payer: Payer,
    /// The tool call that it is for; without one it is for a model call, or for the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// Whether it is for the whole run: then each usage takes its part of it.
    #[serde(default)]
    pub whole_run: bool,
    /// What was promised at first.
    pub amount: Amount,
    /// What of it still counts.
    pub open: Amount,
    /// How it stands.
    pub status: ReservationStatus,
    /// What was really used, where it was settled or a human said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Amount>,
    /// The event of the usage that says so; none for the whole of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Seq>,
    /// The alert that says that nobody settles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertId>,
    /// When it was promised.
    pub at: Timestamp,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
}

/// What a usage takes out of a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Taken {
    /// The promise.
    pub reservation: ReservationId,
    /// How much of it no longer counts.
    pub amount: Amount,
    /// Whether it is settled by this.
    pub settles: bool,
}

/// How a usage is paid, beside its cost.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Charge {
    /// What counts for budgets, where it is not the cost: what has no price at the dearest rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_uusd: Option<MicroUsd>,
    /// The tasks that the task is a part of, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub above: Vec<TaskId>,
    /// The agents that the agent is a sub-agent of, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<AgentName>,
    /// The task's project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The promise that it was made on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
}

/// Why a run was ended for its spending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreachCause {
    /// A cap is reached.
    Cap,
    /// It spent much faster than usual.
    Pace,
}

/// A run that spent too much, or too fast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Breach {
    /// Why.
    pub cause: BreachCause,
    /// The scope whose cap is reached; what spent too fast.
    pub key: ScopeKey,
    /// The run that is over by it.
    pub run: RunId,
    /// Its agent.
    pub agent: AgentName,
    /// Its task.
    pub task: Option<TaskId>,
    /// The runtime's session, to be ended.
    pub session: String,
    /// What happened, in one sentence.
    pub text: String,
}

/// What something cost and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// What it cost; zero when no price is known.
    pub cost_uusd: MicroUsd,
    /// What counts for budgets.
    pub counted_uusd: MicroUsd,
    /// How it is known.
    pub state: CostState,
}

/// A cost that was found to be another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Correction {
    /// The event of the usage.
    pub usage: Seq,
    /// Who paid.
    #[serde(flatten)]
    pub payer: Payer,
    /// The task's project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The model.
    pub model: String,
    /// What was used.
    pub tokens: Tokens,
    /// What it counted as until now.
    pub from: Cost,
    /// What it counts as from now on.
    pub to: Cost,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_pays_from_every_scope_above_it() {
        let payer = Payer {
            run: Some(RunId(4)),
            agent: "wren".parse().unwrap(),
            task: Some(TaskId(7)),
            above: vec![TaskId(2)],
            ancestors: vec!["crow".parse().unwrap()],
            day: "2026-11-25".into(),
        };
        let keys = payer.scopes();
        let all: Vec<&str> = keys.iter().map(|key| key.of.as_str()).collect();
        let days = ["wren 2026-11-25", "crow 2026-11-25", "2026-11-25", "2026-11"];
        assert_eq!(all, [&["R-4", "T-7", "T-2"][..], &days].concat());
        let whose: Vec<_> = keys.iter().filter_map(ScopeKey::agent).collect();
        assert_eq!(whose, ["wren".parse().unwrap(), "crow".parse().unwrap()]);
    }

    #[test]
    fn a_correction_keeps_the_sum_and_what_has_no_price() {
        let mut ledger = Ledger::default();
        let money = |uusd| Amount { uusd: MicroUsd(uusd), tokens: 1 };
        ledger.charge(money(50), CostState::Unpriced);
        ledger.charge(money(7), CostState::Reported);
        assert_eq!((ledger.spent.uusd.0, ledger.unpriced_uusd.0), (57, 50));
        ledger.correct((MicroUsd(50), CostState::Unpriced), (MicroUsd(20), CostState::Derived));
        assert_eq!((ledger.spent.uusd.0, ledger.unpriced_uusd.0), (27, 0));
        assert_eq!(ledger.state, Some(CostState::Derived), "all of it has a price by now");
    }
}
