//! What is shown, as a file: the screen as text, the rows as CSV or as JSON lines.

use serde_json::{Value, json};

use crate::{
    app::Place,
    scene::{Intent, Scene},
};

/// Returns the rows of `place` that pass the filter, each with the same names.
fn rows(place: Place, scene: &Scene) -> Vec<Value> {
    let world = &scene.world;
    let view = scene.view();
    match place {
        Place::Approvals => {
            let all = world.approvals.values();
            let all = all.filter(|one| scene.query.matches_approval(one, &view));
            all.map(|one| {
                json!({
                    "id": one.id, "status": one.status.as_str(), "risk": one.risk,
                    "agent": one.agent, "task": one.task, "summary": one.summary,
                    "rule": one.rule, "digest": one.digest, "decided_by": one.decided_by,
                })
            })
            .collect()
        }
        Place::Fleet => {
            let all = world.agents.values();
            let all = all.filter(|one| scene.query.matches_agent(&one.agent, &view));
            all.map(|one| {
                json!({
                    "agent": one.agent.name, "status": one.agent.status, "liveness": one.liveness,
                    "task": one.agent.current_task, "run": one.agent.current_run,
                    "today_uusd": one.today_uusd, "today_state": one.today_state,
                    "daily_cap_uusd": one.agent.daily_cap_uusd,
                })
            })
            .collect()
        }
        Place::Alerts => {
            let all = world.alerts.values();
            let all = all.filter(|one| scene.query.matches_alert(one, &view));
            all.map(|one| {
                json!({
                    "id": one.id, "severity": one.severity, "status": one.status,
                    "text": one.text, "next": one.next, "task": one.task, "agent": one.agent,
                    "at": one.at,
                })
            })
            .collect()
        }
        Place::Board | Place::Cost | Place::Task(_) => {
            let all = world.tasks.values().filter(|one| scene.shows(one));
            all.map(|one| {
                json!({
                    "id": one.id, "state": one.state, "title": one.title,
                    "priority": one.priority, "assignees": one.assignees,
                    "spent_uusd": one.spent_uusd, "cost_state": one.cost_state,
                    "budget_uusd": one.budget_uusd, "updated_at": one.updated_at,
                })
            })
            .collect()
        }
    }
}

/// Returns the rows as JSON, one a line.
pub fn ndjson(place: Place, scene: &Scene) -> Intent {
    let lines: Vec<String> = rows(place, scene).iter().map(ToString::to_string).collect();
    Intent::Save(lines.join("\n") + "\n")
}

/// Returns the rows as CSV with a first line of names.
pub fn csv(place: Place, scene: &Scene) -> Intent {
    let rows = rows(place, scene);
    let names: Vec<String> = rows
        .first()
        .and_then(Value::as_object)
        .map(|row| row.keys().cloned().collect())
        .unwrap_or_default();
    let mut text = names.join(",") + "\r\n";
    for row in &rows {
        let cells: Vec<String> = names.iter().map(|name| cell(row.get(name))).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    Intent::Save(text)
}

/// Returns one cell. A sheet must not take an agent's words for a formula, so what begins like one
/// gets an apostrophe.
fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let is_word = matches!(value, Some(Value::String(_)));
    let text = if is_word && text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text
    };
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_and_no_formula() {
        let shown = |text: &str| cell(Some(&Value::String(text.to_owned())));
        assert_eq!(shown("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(shown("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!((cell(Some(&json!(-5))).as_str(), cell(None).as_str()), ("-5", ""));
    }
}
