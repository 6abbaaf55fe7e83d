//! Rows that the tests of the rules begin with.

use mc_core::{
    agent::{Agent, Autonomy},
    task::{Task, TaskState},
};
use serde_json::json;

/// Returns T-1 in `state`: assigned to wren, reviewed by heron, with plan and deliverable.
pub(crate) fn task(state: TaskState) -> Task {
    serde_json::from_value(json!({
        "id": "T-1", "rev": 1, "title": "t", "type": "docs", "priority": 3, "state": state,
        "state_since": "2026-01-01T00:00:00.000Z", "budget_uusd": 3_000_000,
        "assignees": ["wren"], "reviewers": ["heron"], "deliverable": "the text",
        "work_plan": ["a", "b", "c"],
        "created_by": {"kind": "human", "name": "ana", "level": "L2"},
        "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z",
    }))
    .unwrap()
}

/// Returns an active agent.
pub(crate) fn agent(name: &str, autonomy: Autonomy) -> Agent {
    serde_json::from_value(json!({
        "name": name, "rev": 1, "autonomy": autonomy, "status": "active", "runtime": "other",
        "daily_cap_uusd": 5_000_000, "run_cap_uusd": 750_000,
        "created_at": "2026-01-01T00:00:00.000Z",
    }))
    .unwrap()
}
