//! Whether the gateway is governed: the plugin is loaded, the hooks that gate turns are allowed, and
//! where there is a second lock, the gateway asks before every command.

use mc_core::openclaw;
use mc_proto::method::feed::Governed;
use serde_json::{Value, json};

use crate::{
    frame::Duty,
    gateway::{Calls, GatewayError},
};

/// The plugin's id at the gateway.
const PLUGIN: &str = "mission-control";

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether the gate is in force.
    pub state: Governed,
    /// In words.
    pub detail: String,
}

/// Looks at the gateway's plugins and configuration.
///
/// # Errors
///
/// When the gateway does not answer: then nothing is known, and nothing runs without it either.
pub async fn inspect(gateway: &impl Calls, duty: Duty) -> Result<Finding, GatewayError> {
    // The configuration can take seconds after a change; what is known is said at once.
    let plugins = gateway.call("plugins.list", json!({})).await?;
    let seen = loaded(&plugins);
    if seen.state == Governed::Ungoverned {
        return Ok(seen);
    }
    let config = gateway.call("config.get", json!({})).await?;
    let mut gaps: Vec<String> = configured(&config).into_iter().collect();
    if duty == Duty::SecondLock {
        gaps.extend(config.get("config").map(openclaw::unasked).unwrap_or_default());
        gaps.extend(unanswered(&gateway.call("exec.approvals.get", json!({})).await?));
    }
    Ok(if gaps.is_empty() { seen } else { ungoverned(gaps.join("; ")) })
}

fn ungoverned(detail: String) -> Finding {
    Finding { state: Governed::Ungoverned, detail }
}

/// Says what is wrong with the plugin as it is loaded.
fn loaded(plugins: &Value) -> Finding {
    let rows = plugins.get("plugins").and_then(Value::as_array);
    let row = rows.and_then(|rows| {
        rows.iter().find(|row| row.get("id").and_then(Value::as_str) == Some(PLUGIN))
    });
    let Some(row) = row else {
        return ungoverned(format!("the plugin {PLUGIN} is not installed in the gateway"));
    };
    let runtime = row.pointer("/runtime/state").and_then(Value::as_str).unwrap_or("unknown");
    if row.get("enabled").and_then(Value::as_bool) != Some(true) || runtime != "active" {
        let error = row.get("error").and_then(Value::as_str).unwrap_or_default();
        return ungoverned(format!("the plugin {PLUGIN} is not active ({runtime}) {error}"));
    }
    let version = row.get("version").and_then(Value::as_str).unwrap_or("of no version");
    Finding { state: Governed::Governed, detail: format!("plugin {PLUGIN} {version} is active") }
}

/// Says what is wrong with the plugin as it is configured: the gateway takes a change a moment later.
fn configured(config: &Value) -> Option<String> {
    let entry = config.pointer("/config/plugins/entries").and_then(|all| all.get(PLUGIN));
    let at = |path: &str| entry.and_then(|entry| entry.pointer(path)).and_then(Value::as_bool);
    if config.pointer("/config/plugins/enabled") == Some(&Value::Bool(false))
        || at("/enabled") == Some(false)
    {
        return Some(format!("the plugin {PLUGIN} is disabled in the configuration"));
    }
    (at("/hooks/allowConversationAccess") != Some(true))
        .then(|| "the run gate is off: hooks.allowConversationAccess is not true".to_owned())
}

/// Returns what the gateway would run although nobody answers its question.
fn unanswered(approvals: &Value) -> Vec<String> {
    let file = approvals.get("file");
    let defaults =
        file.and_then(|file| file.get("defaults")).map(|defaults| ("defaults", defaults));
    let agents = file.and_then(|file| file.get("agents")).and_then(Value::as_object);
    let agents = agents.into_iter().flatten().map(|(id, agent)| (id.as_str(), agent));
    let loose = |(place, rules): (&str, &Value)| {
        let fallback = rules.get("askFallback").and_then(Value::as_str)?;
        (fallback != "deny").then(|| {
            format!("exec approvals of {place}: askFallback is `{fallback}`, so silence is no no")
        })
    };
    defaults.into_iter().chain(agents).filter_map(loose).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugins(enabled: bool, state: &str) -> Value {
        json!({ "plugins": [
            { "id": "github", "enabled": true },
            { "id": PLUGIN, "enabled": enabled, "version": "0.1.0", "runtime": { "state": state } },
        ] })
    }

    fn config(allow: bool) -> Value {
        json!({ "config": { "plugins": { "entries": { PLUGIN: {
            "hooks": { "allowConversationAccess": allow },
        } } } } })
    }

    fn strict() -> Value {
        let mut config = config(true);
        config["config"]["tools"] = json!({"exec": {"security": "allowlist", "ask": "always"}});
        config
    }

    struct Gateway(Value, Value, Value);

    impl Calls for Gateway {
        async fn call(&self, method: &str, _: Value) -> Result<Value, GatewayError> {
            Ok(match method {
                "plugins.list" => self.0.clone(),
                "config.get" => self.1.clone(),
                _ => self.2.clone(),
            })
        }
    }

    async fn seen(plugins: Value, config: Value, duty: Duty) -> Finding {
        let approvals = json!({"file": {"defaults": {}, "agents": {}}});
        inspect(&Gateway(plugins, config, approvals), duty).await.unwrap()
    }

    #[tokio::test]
    async fn an_active_plugin_with_its_hooks_governs() {
        let active = || plugins(true, "active");
        let found = seen(active(), config(true), Duty::Orders).await;
        assert_eq!(found.state, Governed::Governed);
        let found = seen(active(), strict(), Duty::SecondLock).await;
        assert_eq!(found.state, Governed::Governed);
    }

    #[tokio::test]
    async fn a_missing_disabled_failed_or_hookless_plugin_does_not() {
        let mut off = config(true);
        off["config"]["plugins"]["entries"][PLUGIN]["enabled"] = json!(false);
        let mut all_off = config(true);
        all_off["config"]["plugins"]["enabled"] = json!(false);
        let cases = [
            (json!({ "plugins": [] }), config(true), "not installed"),
            (json!({}), config(true), "not installed"),
            (plugins(false, "active"), config(true), "not active"),
            (plugins(true, "error"), config(true), "not active"),
            (plugins(true, "active"), config(false), "run gate is off"),
            (plugins(true, "active"), json!({}), "run gate is off"),
            (plugins(true, "active"), off, "disabled in the configuration"),
            (plugins(true, "active"), all_off, "disabled in the configuration"),
        ];
        for (plugins, config, word) in cases {
            let finding = seen(plugins, config, Duty::Orders).await;
            assert_eq!(finding.state, Governed::Ungoverned);
            assert!(finding.detail.contains(word), "{finding:?}");
        }
    }

    #[tokio::test]
    async fn the_second_lock_needs_a_gateway_that_always_asks_and_takes_silence_for_a_no() {
        let found = seen(plugins(true, "active"), config(true), Duty::SecondLock).await;
        assert_eq!(found.state, Governed::Ungoverned);
        assert!(found.detail.contains("tools.exec.ask"), "{found:?}");
        for file in [
            json!({"defaults": {"askFallback": "full"}}),
            json!({"agents": {"main": {"askFallback": "allowlist"}}}),
        ] {
            let gateway = Gateway(plugins(true, "active"), strict(), json!({ "file": file }));
            let found = inspect(&gateway, Duty::SecondLock).await.unwrap();
            assert_eq!(found.state, Governed::Ungoverned);
            assert!(found.detail.contains("askFallback"), "{found:?}");
        }
    }
}
