//! Whether the gateway is governed: the plugin is loaded, and the hooks that gate turns are allowed.

use mc_proto::method::feed::Governed;
use serde_json::{Value, json};

use crate::gateway::{Calls, GatewayError};

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
pub async fn inspect(gateway: &impl Calls) -> Result<Finding, GatewayError> {
    let plugins = gateway.call("plugins.list", json!({})).await?;
    let config = gateway.call("config.get", json!({})).await?;
    Ok(judge(&plugins, &config))
}

fn judge(plugins: &Value, config: &Value) -> Finding {
    let ungoverned = |detail: String| Finding { state: Governed::Ungoverned, detail };
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
    let allowed = format!("/config/plugins/entries/{PLUGIN}/hooks/allowConversationAccess");
    if config.pointer(&allowed).and_then(Value::as_bool) != Some(true) {
        return ungoverned(
            "the run gate is off: hooks.allowConversationAccess is not true".to_owned(),
        );
    }
    let version = row.get("version").and_then(Value::as_str).unwrap_or("of no version");
    Finding { state: Governed::Governed, detail: format!("plugin {PLUGIN} {version} is active") }
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

    #[test]
    fn an_active_plugin_with_its_hooks_governs() {
        assert_eq!(judge(&plugins(true, "active"), &config(true)).state, Governed::Governed);
    }

    #[test]
    fn a_missing_disabled_failed_or_hookless_plugin_does_not() {
        let cases = [
            (json!({ "plugins": [] }), config(true), "not installed"),
            (json!({}), config(true), "not installed"),
            (plugins(false, "active"), config(true), "not active"),
            (plugins(true, "error"), config(true), "not active"),
            (plugins(true, "active"), config(false), "run gate is off"),
            (plugins(true, "active"), json!({}), "run gate is off"),
        ];
        for (plugins, config, word) in cases {
            let finding = judge(&plugins, &config);
            assert_eq!(finding.state, Governed::Ungoverned);
            assert!(finding.detail.contains(word), "{finding:?}");
        }
    }
}
