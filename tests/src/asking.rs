//! Asking for what needs a person, and answering it.

use serde_json::{Value, json};

use crate::{Client, Setup, Squad};

/// Returns the call of a shell command, by a runtime that can run other arguments instead.
pub fn shell(command: &str) -> Value {
    json!({"tool": "exec", "arguments": {"command": command}, "session": "agent:main",
        "cwd": "/w", "can_rewrite": true})
}

/// Asks for what needs a human and returns the approval's id.
pub fn ask(agent: &mut Client, params: Value) -> String {
    let checked = agent.ok("tool.check", params);
    assert_eq!(checked["decision"], "ask", "{checked}");
    checked["approval"].as_str().unwrap().to_owned()
}

/// Returns what says yes or no to an approval as it stands.
pub fn verdict(human: &mut Client, id: &str) -> Value {
    let seen = human.ok("approval.get", json!({"approval": id}));
    json!({"approval": id, "rev": seen["rev"], "digest": seen["digest"], "note": "seen"})
}

/// Says yes to an approval as it stands.
pub fn approve(human: &mut Client, id: &str) {
    let yes = verdict(human, id);
    human.ok("approval.approve", yes);
}

/// Returns what changes the arguments of an approval as it stands.
pub fn change(human: &mut Client, id: &str, arguments: &Value) -> Value {
    let mut change = verdict(human, id);
    change["arguments"] = arguments.clone();
    change
}

/// A squad whose limit of waiting approvals is out of the way, with the specialist `wren`.
pub fn squad_without_limits() -> Squad {
    let policy = "[limits]\npending_per_agent = 1000\npending_per_squad = 1000\n".to_owned();
    let mut squad = Squad::new(&Setup { policy, ..Setup::default() });
    squad.specialist("wren");
    squad
}

/// A squad whose specialist `wren` works in a folder that is really there.
pub fn squad_at(dir: &std::path::Path) -> Squad {
    let mut squad = Squad::default();
    let place = dir.display().to_string();
    squad.register("wren", "specialist", &json!({"workspace": place}));
    squad
}
