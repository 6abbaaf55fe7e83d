//! `policy.toml` as a type: every section may be left out and then is as written here.
//!
//! A list or a number in the file takes the place of the default; the tables `tools.risk`,
//! `budgets.task_uusd`, `levels` and `tasks.checklists` add to theirs, entry by entry. What is
//! denied by [`super::tools::DENIED`] stays denied whatever the file says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Risk,
    acts::Act,
    assign::AssignDoc,
    rules::{Examples, RuleDoc},
    scope::ScopeDoc,
};
use crate::{
    actor::Level,
    agent::Autonomy,
    approval::ApprovalKind,
    budget::Scope,
    life::LifeRules,
    loops::LoopRules,
    money::MicroUsd,
    task::{TASK_TYPES, checklist},
    time::{Span, TimeOfDay},
};

/// The whole policy as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyDoc {
    /// Which tools there are and how dangerous they are.
    pub tools: ToolRules,
    /// What is refused outright, beside what always is.
    pub deny: DenyRules,
    /// Where agents may read and write.
    pub paths: PathRules,
    /// Which hosts agents may reach.
    pub network: NetworkRules,
    /// What means the real thing: branches and words.
    pub targets: TargetRules,
    /// What work may cost.
    pub budgets: BudgetRules,
    /// How long approvals wait.
    pub approvals: ApprovalRules,
    /// The assurance level that each human act needs.
    pub levels: BTreeMap<Act, Level>,
    /// Task types and their checklists.
    pub tasks: TaskRules,
    /// How much repetition is let pass.
    pub loops: LoopRules,
    /// How much there may be of anything.
    pub limits: Limits,
    /// How long agents may be unheard of, and how much one takes on.
    pub agents: LifeRules,
    /// When people are not disturbed without need.
    pub quiet_hours: QuietRules,
    /// Which tasks of the Inbox the system gives to whom, the first that fits; none by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assign: Vec<AssignDoc>,
    /// Own rules that count everywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<RuleDoc>,
    /// What calls must get, or the file is refused.
    #[serde(skip_serializing_if = "Examples::is_empty")]
    pub examples: Examples,
    /// What scopes have in common: counts only where one builds on it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub profile: BTreeMap<String, ScopeDoc>,
    /// What counts for the tasks of a project.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub project: BTreeMap<String, ScopeDoc>,
    /// What counts for the tasks of a type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub task_type: BTreeMap<String, ScopeDoc>,
    /// What counts for an agent.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub agent: BTreeMap<String, ScopeDoc>,
}

impl PolicyDoc {
    /// Returns what counts everywhere, without rules and examples.
    pub(super) fn without_scopes(&self) -> Self {
        Self {
            tools: self.tools.clone(),
            deny: self.deny.clone(),
            paths: self.paths.clone(),
            network: self.network.clone(),
            targets: self.targets.clone(),
            budgets: self.budgets.clone(),
            approvals: self.approvals,
            levels: self.levels.clone(),
            tasks: self.tasks.clone(),
            limits: self.limits,
            loops: self.loops,
            agents: self.agents.clone(),
            quiet_hours: self.quiet_hours.clone(),
            ..Self::default()
        }
    }
}

/// Which tools there are and how dangerous they are. A name may end in `*`; case doesn't matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ToolRules {
    /// The risk of each tool; unknown ones are yellow.
    pub risk: BTreeMap<String, Risk>,
    /// Yellow tools that specialists and leads may use without asking.
    pub allow: Vec<String>,
    /// Tools that nobody may use.
    pub deny: Vec<String>,
}

impl Default for ToolRules {
    fn default() -> Self {
        Self { risk: BTreeMap::new(), allow: strings(super::tools::ALLOWED), deny: Vec::new() }
    }
}

/// What is refused outright.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DenyRules {
    /// Paths, or parts of paths, that no call may name (`/srv/vault`, `.kube`).
    pub paths: Vec<String>,
}

/// Where agents may read and write, as globs: absolute, below `~/`, or within the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PathRules {
    /// May be read.
    pub read: Vec<String>,
    /// May be written, which is yellow.
    pub write: Vec<String>,
    /// May never be written.
    pub write_deny: Vec<String>,
    /// Hold secrets: even reading them is red.
    pub secret: Vec<String>,
    /// Steer agents, builds or history: writing them is red.
    pub control: Vec<String>,
}

impl Default for PathRules {
    fn default() -> Self {
        Self {
            read: strings(&["**", "/tmp/mc-*", "/tmp/mc-*/**"]),
            write: strings(&[
                "output/**",
                "docs/**",
                "memory/**",
                "artifacts/**",
                "src/**",
                "/tmp/mc-*",
                "/tmp/mc-*/**",
            ]),
            write_deny: strings(&[
                "**/.env*",
                "config/**",
                "**/*.pem",
                "**/*.key",
                "**/id_rsa*",
                "**/id_ed25519*",
                "**/id_ecdsa*",
                "/etc/**",
                "/var/**",
                "/usr/**",
                "/boot/**",
                "/proc/**",
                "/sys/**",
                "/dev/**",
                "~/.ssh/**",
                "~/.aws/**",
                "~/.openclaw/*",
                "**/openclaw.json",
            ]),
            secret: strings(&[
                "**/.env*",
                "**/*.pem",
                "**/*.key",
                "**/*.p12",
                "**/id_rsa*",
                "**/id_ed25519*",
                "**/id_ecdsa*",
                "**/secrets*",
                "**/secrets*/**",
                "**/credentials*",
                "**/.netrc",
                "**/.npmrc",
                "**/.pypirc",
            ]),
            control: strings(&[
                "**/.git/**",
                "**/.github",
                "**/.github/workflows/**",
                "**/.gitlab-ci.yml",
                "**/AGENTS.md",
                "**/CLAUDE.md",
                "**/SOUL.md",
                "**/.claude/**",
                "**/.codex/**",
                "**/.gemini/**",
                "**/.cursor/**",
                "**/.mcp.json",
            ]),
        }
    }
}

/// Which hosts agents may reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkRules {
    /// Hosts by exact name, or all below a domain as `*.example.org`.
    pub allow: Vec<String>,
    /// Ports of this machine that steer something, such as the gateway's: reaching them is red.
    pub control_ports: Vec<u16>,
}

impl Default for NetworkRules {
    fn default() -> Self {
        let allow = strings(&[
            "github.com",
            "*.githubusercontent.com",
            "api.anthropic.com",
            "api.openai.com",
            "generativelanguage.googleapis.com",
            "openrouter.ai",
            "api.mistral.ai",
            "api.deepseek.com",
            "api.groq.com",
            "api.x.ai",
            "localhost",
        ]);
        Self { allow, control_ports: (18_789..=18_799).collect() }
    }
}

/// What means the real thing, so that touching it is red.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TargetRules {
    /// Branches that are not pushed to unasked; `*` at the end means any ending.
    pub protected_branches: Vec<String>,
    /// Words that name a live target wherever they stand in what a tool is given.
    pub live_words: Vec<String>,
}

impl Default for TargetRules {
    fn default() -> Self {
        Self {
            protected_branches: strings(&["main", "master", "release/*", "prod*"]),
            live_words: strings(&["production", "prod", "main", "master", "live"]),
        }
    }
}

/// An amount for each autonomy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByAutonomy {
    /// For interns.
    pub intern: MicroUsd,
    /// For specialists.
    pub specialist: MicroUsd,
    /// For leads.
    pub lead: MicroUsd,
}

impl ByAutonomy {
    fn new(amount: impl Fn(Autonomy) -> MicroUsd) -> Self {
        Self {
            intern: amount(Autonomy::Intern),
            specialist: amount(Autonomy::Specialist),
            lead: amount(Autonomy::Lead),
        }
    }

    /// Returns the amount of `autonomy`.
    pub const fn of(&self, autonomy: Autonomy) -> MicroUsd {
        match autonomy {
            Autonomy::Intern => self.intern,
            Autonomy::Specialist => self.specialist,
            Autonomy::Lead => self.lead,
        }
    }
}

/// What work may cost, in micro-dollars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetRules {
    /// An agent's day.
    pub daily_cap_uusd: ByAutonomy,
    /// One run.
    pub run_cap_uusd: ByAutonomy,
    /// One task, by its type.
    pub task_uusd: BTreeMap<String, MicroUsd>,
    /// One task of any other type.
    pub task_default_uusd: MicroUsd,
    /// The squad's day; `None` is off.
    pub squad_day_uusd: Option<MicroUsd>,
    /// The squad's month; `None` is off.
    pub squad_month_uusd: Option<MicroUsd>,
    /// The shares, in percent, at which a cap warns.
    pub warn_percent: Vec<u8>,
    /// Caps in tokens, for work that no price is paid for; what is `None` is off.
    pub tokens: TokenCaps,
    /// When spending much faster than usual stops an agent.
    pub pace: PaceRules,
    /// After how long an alert says that something reserved by a run that is over, or gone, is not
    /// settled.
    pub unsettled: Span,
}

/// Caps in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenCaps {
    /// One run.
    pub run: Option<i64>,
    /// One task.
    pub task: Option<i64>,
    /// An agent's day.
    pub agent_day: Option<i64>,
    /// The squad's day.
    pub squad_day: Option<i64>,
    /// The squad's month.
    pub squad_month: Option<i64>,
}

impl TokenCaps {
    /// Returns the cap of a scope.
    pub const fn of(self, scope: Scope) -> Option<i64> {
        match scope {
            Scope::Run => self.run,
            Scope::Task => self.task,
            Scope::AgentDay => self.agent_day,
            Scope::SquadDay => self.squad_day,
            Scope::SquadMonth => self.squad_month,
        }
    }
}

/// When spending much faster than usual stops an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PaceRules {
    /// More than so many times its own mean; 0 is off.
    pub times: u64,
    /// And at least so much, in micro-dollars, within five minutes.
    pub floor_uusd: MicroUsd,
}

impl Default for PaceRules {
    fn default() -> Self {
        Self { times: 10, floor_uusd: MicroUsd::cents(50) }
    }
}

impl Default for BudgetRules {
    fn default() -> Self {
        Self {
            daily_cap_uusd: ByAutonomy::new(Autonomy::daily_cap),
            run_cap_uusd: ByAutonomy::new(Autonomy::run_cap),
            task_uusd: BTreeMap::new(),
            task_default_uusd: MicroUsd::cents(300),
            squad_day_uusd: None,
            squad_month_uusd: None,
            warn_percent: vec![80, 95],
            tokens: TokenCaps::default(),
            pace: PaceRules::default(),
            unsettled: Span::hours(1),
        }
    }
}

/// What a task of each known type may cost, in dollars.
pub(super) const TASK_DOLLARS: &[(&str, i64)] = &[
    ("content", 6),
    ("social", 2),
    ("email_marketing", 4),
    ("customer_research", 5),
    ("seo_research", 4),
    ("engineering", 8),
    ("docs", 3),
    ("ops", 3),
];

/// How long approvals wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApprovalRules {
    /// Until a green one expires.
    pub green_expires: Span,
    /// Until a yellow one expires.
    pub yellow_expires: Span,
    /// Until a red one expires.
    pub red_expires: Span,
    /// Until one of a kind expires, where that is sooner.
    pub kind_expires: KindSpans,
    /// The share of its time, in percent, after which the operators are reminded of one that waits.
    pub remind_percent: u8,
    /// The share, in percent, after which an alert is raised about it.
    pub last_call_percent: u8,
    /// How long a runtime holds a call that waits.
    pub hold: Span,
    /// How many persons must say yes to a red one: 1 or 2.
    pub red_needs: u8,
}

impl Default for ApprovalRules {
    fn default() -> Self {
        let day = Span::hours(24);
        Self {
            green_expires: day,
            yellow_expires: day,
            red_expires: day,
            kind_expires: KindSpans::default(),
            remind_percent: 50,
            last_call_percent: 90,
            hold: Span::minutes(4),
            red_needs: 1,
        }
    }
}

/// A span for each kind of approval; none where the risk alone says how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KindSpans {
    /// To run one tool call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call: Option<Span>,
    /// To spend beyond a cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_override: Option<Span>,
    /// To move a task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transition: Option<Span>,
    /// To start a sub-agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spawn: Option<Span>,
    /// A decision that the agent can't make itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Span>,
}

impl KindSpans {
    /// Returns the span of a kind.
    pub const fn of(&self, kind: ApprovalKind) -> Option<Span> {
        match kind {
            ApprovalKind::ToolCall => self.tool_call,
            ApprovalKind::BudgetOverride => self.budget_override,
            ApprovalKind::Transition => self.transition,
            ApprovalKind::Spawn => self.spawn,
            ApprovalKind::Escalation => self.escalation,
        }
    }
}

/// Task types and their checklists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TaskRules {
    /// The types that a task may have.
    pub types: Vec<String>,
    /// Review checklists that take the place of the built-in ones, by type.
    pub checklists: BTreeMap<String, Vec<String>>,
}

impl Default for TaskRules {
    fn default() -> Self {
        Self { types: strings(TASK_TYPES), checklists: BTreeMap::new() }
    }
}

impl TaskRules {
    /// Returns the checklist of a type.
    pub(super) fn checklist(&self, task_type: &str) -> Vec<String> {
        let own = self.checklists.get(task_type).cloned();
        own.unwrap_or_else(|| strings(checklist::template(task_type)))
    }
}

/// How much there may be of anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Arguments of one call, as JSON; more is denied.
    pub argument_bytes: u64,
    /// Waiting approvals of one agent.
    pub pending_per_agent: u64,
    /// Waiting approvals of the squad.
    pub pending_per_squad: u64,
    /// Runs of one agent that go on at a time.
    pub open_runs_per_agent: u64,
    /// Open tasks that one agent has created.
    pub open_tasks_per_agent: u64,
    /// Agents that are neither stopped nor retired.
    pub active_agents: u64,
    /// Sub-agents of one task.
    pub children_per_task: u64,
    /// Sub-agents of one agent, whatever tasks they serve.
    pub children_per_parent: u64,
    /// How deep sub-agents may spawn.
    pub spawn_depth: u64,
    /// How long a sub-agent lives.
    pub child_ttl: Span,
    /// What is stored of one agent on one day, in bytes of events, arguments and artifacts; more is
    /// refused, but for reports of what was done and used.
    pub agent_day_bytes: u64,
    /// Until when an allowed call must have started.
    pub lease: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            argument_bytes: 128 * 1024,
            pending_per_agent: 5,
            pending_per_squad: 100,
            open_runs_per_agent: 16,
            open_tasks_per_agent: 500,
            active_agents: 30,
            children_per_task: 3,
            children_per_parent: 6,
            spawn_depth: 2,
            child_ttl: Span::hours(6),
            agent_day_bytes: 256 * 1024 * 1024,
            lease: Span::seconds(10),
        }
    }
}

/// When people are not disturbed without need; without `from` and `to` at no time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QuietRules {
    /// When the quiet hours begin, such as `22:00`.
    pub from: Option<TimeOfDay>,
    /// When they end; earlier than `from` is the next day.
    pub to: Option<TimeOfDay>,
    /// Their IANA zone, such as `Europe/Berlin`; without one the squad's.
    pub zone: Option<String>,
}

pub(super) fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}
