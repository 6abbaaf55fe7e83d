//! What an OpenClaw gateway's configuration has to say so that the gateway asks before every
//! command: the ground of the second lock.

use serde_json::{Map, Value};

/// The setting that asks before every command. The gateway's `tools.exec.mode` has no word for it:
/// its `ask` lets shell built-ins, safe programs and what is on a list pass unasked.
pub const ASK: &str = "always";

/// Returns every way in which this configuration lets a command run unasked; empty means that the
/// gateway asks before each.
pub fn unasked(config: &Value) -> Vec<String> {
    let none = Map::new();
    let exec = config.pointer("/tools/exec").and_then(Value::as_object).unwrap_or(&none);
    let mut ways = of_exec("tools.exec", exec);
    if exec.get("ask").is_none() && exec.get("mode").is_none() {
        ways.push("tools.exec.ask is not set: commands run unasked".to_owned());
    }
    if is_boxed(config.pointer("/agents/defaults/sandbox")) {
        ways.push(boxed("agents.defaults"));
    }
    for (id, agent) in config.pointer("/agents/entries").and_then(Value::as_object).unwrap_or(&none)
    {
        let place = format!("agents.entries.{id}");
        if let Some(own) = agent.pointer("/tools/exec").and_then(Value::as_object) {
            ways.extend(of_exec(&format!("{place}.tools.exec"), own));
        }
        if is_boxed(agent.get("sandbox")) {
            ways.push(boxed(&place));
        }
    }
    ways
}

fn of_exec(place: &str, exec: &Map<String, Value>) -> Vec<String> {
    let text = |key: &str| exec.get(key).map(|value| value.as_str().unwrap_or("?"));
    let mut ways = Vec::new();
    if let Some(mode) = text("mode").filter(|mode| *mode != "deny") {
        ways.push(format!("{place}.mode is `{mode}`, which lets commands pass unasked"));
    }
    if let Some(ask) = text("ask").filter(|ask| *ask != ASK) {
        ways.push(format!("{place}.ask is `{ask}` instead of `{ASK}`"));
    }
    if let Some(host) = text("host").filter(|host| !matches!(*host, "gateway" | "auto")) {
        ways.push(format!(
            "{place}.host is `{host}`: commands run where this gateway does not ask"
        ));
    }
    ways
}

fn is_boxed(sandbox: Option<&Value>) -> bool {
    let mode = sandbox.and_then(|sandbox| sandbox.get("mode")).and_then(Value::as_str);
    mode.is_some_and(|mode| mode != "off")
}

fn boxed(place: &str) -> String {
    format!("{place}.sandbox is on: the gateway does not ask before commands in a sandbox")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_asking_always_asks_before_every_command() {
        let exec = |exec: Value| json!({"tools": {"exec": exec}});
        let strict = json!({"security": "allowlist", "ask": "always", "pathPrepend": ["/bin"]});
        assert_eq!(unasked(&exec(strict.clone())), Vec::<String>::new());
        assert!(unasked(&exec(json!({"mode": "deny"}))).is_empty());
        let loose = [
            json!({}),
            json!({"mode": "ask"}),
            json!({"mode": "auto"}),
            json!({"mode": "full"}),
            json!({"security": "allowlist"}),
            json!({"security": "allowlist", "ask": "on-miss"}),
            json!({"ask": 1}),
            json!({"ask": "always", "host": "node"}),
            json!({"ask": "always", "mode": "full"}),
        ];
        for case in loose {
            assert_eq!(unasked(&exec(case.clone())).len(), 1, "{case}");
        }
        assert_eq!(unasked(&json!({})).len(), 1);
        let more = [
            json!({"entries": {"main": {"tools": {"exec": {"mode": "full"}}}}}),
            json!({"entries": {"main": {"tools": {"exec": {"ask": "off"}}}}}),
            json!({"entries": {"main": {"sandbox": {"mode": "all"}}}}),
            json!({"defaults": {"sandbox": {"mode": "non-main"}}}),
        ];
        for agents in more {
            let config = json!({"tools": {"exec": strict}, "agents": agents});
            assert_eq!(unasked(&config).len(), 1, "{config}");
        }
    }
}
