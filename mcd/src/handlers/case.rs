//! A call with the rows that bear on it, and its judgement by the policy in force.

use mc_core::{
    agent::Agent,
    approval::{Approval, ApprovalKind},
    canonical,
    money::MicroUsd,
    policy::{self, Call, Decision, Outcome, Risk, World},
    run::{Run, ToolCall},
    task::Task,
};
use mc_proto::limits::ARGUMENT_BYTES;
use serde_json::Value;

use super::budget::{self, Own};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// A call and what bears on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) agent: &'a Agent,
    pub(super) run: Option<&'a Run>,
    pub(super) task: Option<&'a Task>,
    pub(super) tool: &'a str,
    pub(super) arguments: &'a Value,
    pub(super) cwd: Option<&'a str>,
    pub(super) home: Option<&'a str>,
    pub(super) estimate: Option<MicroUsd>,
}

impl Case<'_> {
    /// Returns the call as the policy sees it.
    pub(super) fn call<'c>(&'c self, desk: &'c Desk<'_>) -> Call<'c> {
        Call {
            tool: self.tool,
            arguments: self.arguments,
            cwd: self.cwd.or(self.agent.workspace.as_deref()),
            home: self.home,
            facts: &desk.facts,
        }
    }
}

/// The rows that bear on the call of an approval.
#[derive(Debug)]
pub(super) struct Rows {
    agent: Agent,
    run: Option<Run>,
    task: Option<Task>,
}

impl Rows {
    /// Loads what bears on an approval; the run is that of the call that waits now.
    pub(super) fn of(
        desk: &Desk<'_>,
        asked: &Approval,
        call: Option<&ToolCall>,
    ) -> Result<Self, Fail> {
        let run = call.map_or(asked.run, |call| call.run);
        Ok(Self {
            agent: queries::agent(desk.db, &asked.agent)?,
            run: run.map(|id| queries::run(desk.db, id)).transpose()?,
            task: asked.task.map(|id| queries::task(desk.db, id)).transpose()?,
        })
    }

    /// Returns the call that the statement of `asked` is about, with `arguments`.
    pub(super) fn case<'a>(
        &'a self,
        desk: &Desk<'a>,
        asked: &'a Approval,
        arguments: &'a Value,
    ) -> Case<'a> {
        let statement = &asked.statement;
        Case {
            agent: &self.agent,
            run: self.run.as_ref(),
            task: self.task.as_ref(),
            tool: &statement.tool,
            arguments,
            cwd: statement.cwd.as_deref(),
            home: statement.home.as_deref().or(desk.caller.home.as_deref()),
            estimate: asked.estimated_cost_uusd,
        }
    }
}

/// Asks the policy, after the things that no policy may lift.
pub(super) fn judge(desk: &mut Desk<'_>, case: &Case<'_>) -> Result<Decision, Fail> {
    if desk.live.halt.is_set() {
        return Ok(denied("squad.halted", "the emergency stop is in force"));
    }
    if canonical::json(case.arguments).len() > ARGUMENT_BYTES {
        return Ok(denied("limits.arguments", "the arguments are longer than 128 KiB"));
    }
    let squad = desk.squad()?;
    let run = case.run.map(|run| run.id);
    let payer = budget::payer(desk, case.agent, run, case.task)?;
    let budget = budget::standings(desk, case.agent, &payer, Own::WholeRun)?;
    let world = World {
        squad: &squad,
        agent: case.agent,
        task: case.task,
        run: case.run,
        budget: &budget,
        estimate: case.estimate.unwrap_or_default().max(MicroUsd::ZERO),
    };
    Ok(policy::decide(&desk.policy, &case.call(desk), &world))
}

/// Returns the denial of something that is red as long as nobody could look at it.
pub(super) fn denied(rule: &str, reason: &str) -> Decision {
    Decision {
        outcome: Outcome::Deny,
        risk: Risk::Red,
        rule: rule.to_owned(),
        reason: reason.to_owned(),
        ask_for: ApprovalKind::ToolCall,
        is_violation: false,
    }
}

/// Says whether a denial is about how squad, agent or run stand at the moment, and not about the
/// call: it passes, and the call may be good again.
pub(super) fn is_passing(denial: &Decision) -> bool {
    ["squad.", "agent.", "run."].iter().any(|state| denial.rule.starts_with(state))
}
