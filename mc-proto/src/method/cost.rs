//! What work has cost, on the wire: rollups, the forecast, prices.

use std::collections::BTreeMap;

use mc_core::{
    agent::AgentName,
    id::{RunId, Seq, TaskId},
    money::{CostState, MicroUsd},
    price::{Price, Rate},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What costs are summed up by.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Agents.
    Agent,
    /// Tasks; alone, each with the tasks below it.
    Task,
    /// Runs.
    Run,
    /// Models.
    Model,
    /// Projects.
    Project,
    /// Days.
    Day,
}

/// `cost.rollup`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollup {
    /// One to three of them; the rows are ordered by cost, those with days by day.
    pub by: Vec<By>,
    /// The first day, `YYYY-MM-DD`; by default 30 days before the last, by run 7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The last day; by default today. At most 400 days, by run 31.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Only of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Only of this task, without those below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// At most 200; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The costs of one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StateSum {
    /// What it cost; what has no price as it counts for budgets.
    pub uusd: MicroUsd,
    /// The tokens.
    pub tokens: i64,
    /// The model calls.
    pub calls: i64,
}

/// Costs, summed up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Sums {
    /// What it cost, as far as prices are known.
    pub cost_uusd: MicroUsd,
    /// What counts for budgets: what has no price at the dearest known rate.
    pub counted_uusd: MicroUsd,
    /// The tokens.
    pub tokens: i64,
    /// The model calls.
    pub calls: i64,
    /// How the costs are known.
    pub states: BTreeMap<String, StateSum>,
}

impl Sums {
    /// Returns how the costs are known, the least certain of all; `None` when nothing was used.
    pub fn state(&self) -> Option<CostState> {
        let all = self.states.keys().filter_map(|word| CostState::of(word));
        all.max_by_key(|state| state.doubt())
    }
}

/// One row of a rollup. What it is not summed up by is missing; what could not be attributed has
/// no task, or no project, though it is summed up by it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RollupRow {
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// The task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The run; none for tool calls outside of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The model, or `tool:` with the tool; none for what a person said was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// Its costs.
    #[serde(flatten)]
    pub sums: Sums,
    /// Its costs with those of the tasks below it; only by task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_children_uusd: Option<MicroUsd>,
    /// What of that has no price, and counts at the dearest rate.
    #[serde(default)]
    pub unpriced_with_children_uusd: MicroUsd,
}

/// What `cost.rollup` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolledUp {
    /// The first day.
    pub since: String,
    /// The last day.
    pub until: String,
    /// The rows.
    pub rows: Vec<RollupRow>,
    /// All of the span, whatever the page.
    pub total: Sums,
    /// How much of the counted money is attributed to an agent and a task, in hundredths of a
    /// percent; `None` when nothing was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributed: Option<i64>,
    /// Where the next page begins; `None` on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// The journal sequence that the answer reflects.
    pub head: Seq,
}

/// `cost.forecast`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// Only of this agent; by default of the squad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
}

/// The spend of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DaySpend {
    /// The day.
    pub day: String,
    /// What counts for budgets.
    pub uusd: MicroUsd,
}

/// What `cost.forecast` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forecasted {
    /// Today.
    pub day: String,
    /// What counts as spent today.
    pub spent_uusd: MicroUsd,
    /// What of it has no price, and counts at the dearest rate.
    #[serde(default)]
    pub unpriced_uusd: MicroUsd,
    /// How much of the day is over, in hundredths of a percent.
    pub elapsed: i64,
    /// What will have been spent at the end of the day: what is spent, and for the rest of the day
    /// a mean of today's rate and that of the 7 days before, today's weighing as much as of the day
    /// is over. `None` when neither is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast_uusd: Option<MicroUsd>,
    /// The day's cap, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_uusd: Option<MicroUsd>,
    /// The 14 days before today, oldest first.
    pub days: Vec<DaySpend>,
    /// The mean of the 7 days before today.
    pub mean_uusd: MicroUsd,
    /// Those 7 days against the 7 before, in percent; `None` when nothing was spent in those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trend_percent: Option<i64>,
}

/// `cost.prices`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Only the row that prices this model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What `cost.prices` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PriceList {
    /// The rows, the operator's own first.
    pub prices: Vec<Price>,
    /// How many of all rows are the operator's own.
    pub own: i64,
    /// What unknown models count at.
    pub dearest: Rate,
}

/// `cost.recompute`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recompute {
    /// The first day, `YYYY-MM-DD`.
    pub since: String,
    /// The last day; by default today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Whether only to say what would change.
    #[serde(default)]
    pub dry_run: bool,
    /// Why; goes into the record.
    pub reason: String,
    /// The `next_cursor` of the answer before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// What `cost.recompute` answers, for up to 500 model calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recomputed {
    /// How many derived and unpriced costs were looked at.
    pub looked_at: i64,
    /// How many changed.
    pub changed: i64,
    /// What the changed ones cost until now.
    pub from_uusd: MicroUsd,
    /// What they cost from now on.
    pub to_uusd: MicroUsd,
    /// How the changed ones are known from now on.
    pub states: BTreeMap<String, i64>,
    /// Where to go on; `None` when all were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
