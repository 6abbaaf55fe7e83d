//! The policy: what a tool call gets, and which rule says so.
//!
//! [`PolicyDoc`] is the file, [`Policy`] the same made ready, [`Scoped`] what of it counts in one
//! place, and [`decide`] the judgement. Paths
//! are compared as they are written, after `.`, `..` and `~`: links are not followed here, and no
//! judgement of words replaces the walls of the operating system.

mod acts;
mod arguments;
mod assign;
mod check;
mod closed;
mod commands;
mod compile;
mod decide;
mod doc;
mod examples;
mod facts;
mod globs;
mod inputs;
mod judge;
mod net;
pub(crate) mod path;
pub(crate) mod places;
mod rules;
mod scope;
mod scoped;
mod standing;
mod tools;

pub use acts::Act;
pub use assign::{AssignDoc, AssignMatch, Candidates, Choose};
pub use compile::Policy;
pub use decide::decide;
pub use doc::{
    ApprovalRules, BudgetRules, ByAutonomy, DenyRules, KindSpans, Limits, NetworkRules, PaceRules,
    PathRules, PolicyDoc, QuietRules, TargetRules, TaskRules, TokenCaps, ToolRules,
};
pub use facts::{Facts, Wanted};
pub use inputs::Inputs;
pub use judge::wanted;
pub use rules::{Example, Examples, RuleDoc, Then};
pub use scope::{
    ApprovalPatch, BudgetPatch, DenyPatch, NetworkPatch, PathPatch, ScopeDoc, TargetPatch,
    ToolPatch, Within,
};
pub use scoped::Scoped;
pub use standing::{Asker, coverable, covers};
pub use tools::DENIED;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    agent::Agent, approval::ApprovalKind, budget::Standing, money::MicroUsd, run::Run,
    squad::Squad, task::Task,
};

/// How dangerous a call is (SPEC.md, section 5.1).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Internal and reversible.
    #[default]
    Green,
    /// Potentially harmful.
    Yellow,
    /// Reaches outside or can't be undone.
    Red,
}

/// What a call gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It may run.
    Allow,
    /// A human is asked first.
    Ask,
    /// It may not run.
    #[default]
    Deny,
}

/// What an agent wants to do.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The tool.
    pub tool: &'a str,
    /// Its arguments as received.
    pub arguments: &'a Value,
    /// The directory that it runs in, absolute.
    pub cwd: Option<&'a str>,
    /// The home directory of the agent's user, absolute.
    pub home: Option<&'a str>,
    /// What was found on disk about it; [`Facts::NONE`] where nobody looked.
    pub facts: &'a Facts,
}

/// The rows that a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The squad.
    pub squad: &'a Squad,
    /// Who asks.
    pub agent: &'a Agent,
    /// The task that the call serves.
    pub task: Option<&'a Task>,
    /// The run that it belongs to.
    pub run: Option<&'a Run>,
    /// The caps that the call would spend from, smallest scope first.
    pub budget: &'a [Standing],
    /// What the call will cost, where the caller says so.
    pub estimate: MicroUsd,
}

/// What a call gets, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Allow, ask or deny.
    pub outcome: Outcome,
    /// The risk as judged.
    pub risk: Risk,
    /// The rule that decided, such as `risk.red` or `deny.path`.
    pub rule: String,
    /// Why, in one sentence.
    pub reason: String,
    /// What a human is asked for, when one is asked.
    pub ask_for: ApprovalKind,
    /// Whether it is what the deny list names: nobody may let it pass.
    pub is_violation: bool,
}
