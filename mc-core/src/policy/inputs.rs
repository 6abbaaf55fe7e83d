//! What a call was judged by, kept so that another policy can judge it again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Call, Decision, Facts, Policy, World, decide::decide_at, scope::Within};
use crate::{
    agent::{Agent, AgentName, AgentStatus, Autonomy, Runtime},
    money::MicroUsd,
    squad::Squad,
    task::Task,
    time::Timestamp,
};

/// What a call was judged by, beside its tool and its agent's name. Secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// The arguments, whole.
    pub arguments: Value,
    /// Whether a secret in the arguments was masked: then another policy can't judge them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_masked: bool,
    /// The directory that it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The home directory of the agent's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// What was found on disk.
    #[serde(default)]
    pub facts: Facts,
    /// How far the agent might go by itself.
    pub autonomy: Autonomy,
    /// Its workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The only tools it might use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools_allow: Vec<String>,
    /// Tools that it might never use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools_deny: Vec<String>,
    /// Whether it might start sub-agents.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub can_spawn: bool,
    /// The type of its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_type: Option<String>,
    /// The project of its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

impl Inputs {
    /// Returns what `call` of `agent` on `task` is judged by.
    /// `arguments` are its arguments as masked.
    pub fn of(call: &Call<'_>, arguments: Value, agent: &Agent, task: Option<&Task>) -> Self {
        Self {
            is_masked: arguments != *call.arguments,
            arguments,
            cwd: call.cwd.map(str::to_owned),
            home: call.home.map(str::to_owned),
            facts: call.facts.clone(),
            autonomy: agent.autonomy,
            workspace: agent.workspace.clone(),
            tools_allow: agent.tools_allow.clone(),
            tools_deny: agent.tools_deny.clone(),
            can_spawn: agent.can_spawn,
            task_type: task.map(|task| task.task_type.as_str().to_owned()),
            project: task.and_then(|task| task.project.clone()),
        }
    }

    /// Decides the call of `tool` anew by `policy`, in a squad that runs and has spent nothing.
    pub fn decide(&self, policy: &Policy, tool: &str, name: &AgentName) -> Decision {
        let call = Call {
            tool,
            arguments: &self.arguments,
            cwd: self.cwd.as_deref(),
            home: self.home.as_deref(),
            facts: &self.facts,
        };
        let (squad, agent) = (Squad::default(), self.agent(name));
        let world = World {
            squad: &squad,
            agent: &agent,
            task: None,
            run: None,
            budget: &[],
            estimate: MicroUsd::ZERO,
        };
        let within = Within {
            project: self.project.as_deref(),
            task_type: self.task_type.as_deref(),
            agent: Some(name.as_str()),
        };
        decide_at(policy, within, &call, &world)
    }

    /// The agent as it was where a policy looks, and at rest elsewhere.
    fn agent(&self, name: &AgentName) -> Agent {
        Agent {
            name: name.clone(),
            rev: 0,
            display_name: None,
            autonomy: self.autonomy,
            status: AgentStatus::Active,
            status_reason: None,
            status_since: None,
            evidence: None,
            runtime: Runtime::Other,
            workspace: self.workspace.clone(),
            task_types: Vec::new(),
            tools_allow: self.tools_allow.clone(),
            tools_deny: self.tools_deny.clone(),
            daily_cap_uusd: MicroUsd::ZERO,
            run_cap_uusd: MicroUsd::ZERO,
            can_spawn: self.can_spawn,
            parent: None,
            purpose: None,
            serves: None,
            current_task: None,
            current_run: None,
            error_streak: 0,
            spend_day: String::new(),
            spent_today_uusd: MicroUsd::ZERO,
            spent_uusd: MicroUsd::ZERO,
            spent_today_state: None,
            cost_state: None,
            labels: BTreeMap::new(),
            counted_since: None,
            created_at: Timestamp::default(),
            clock_moved_ms: 0,
            last_work_at: None,
        }
    }
}
