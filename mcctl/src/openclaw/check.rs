//! `mcctl openclaw check`: is the gateway governed?

use std::path::Path;

use mc_core::openclaw;
use mc_proto::method::agent::Get;
use serde::Serialize;
use serde_json::Value;

use super::{
    BRIDGE_ADAPTER, Gateway, Names, PLUGIN, PLUGIN_ADAPTER, Places, is_attached, names, settings,
    strict, ungoverned,
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    secret,
    table::{Cell, Table, Tone, cell, rest},
};

/// One thing that must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// What.
    pub(super) what: String,
    /// Whether it holds.
    pub(super) holds: bool,
    /// What was seen, or what to do.
    pub(super) detail: String,
}

impl Check {
    /// What must hold, whether it does, and what to do where it doesn't.
    pub(super) fn new(what: impl Into<String>, holds: bool, todo: impl Into<String>) -> Self {
        let detail = if holds { String::new() } else { todo.into() };
        Self { what: what.into(), holds, detail }
    }
}

/// Checks, and shows what holds.
///
/// # Errors
///
/// When the gateway's configuration can't be read or the output can't be written.
pub(super) fn run(gateway: &Gateway, cx: &mut Context) -> Result<Exit, Failure> {
    let places = Places::find(gateway, cx)?;
    let config = settings::read(&places.config)?;
    let names = names(&gateway.agents, &settings::agent_ids(&config))?;
    let mut checks = configured(&config, &places);
    checks.extend([PLUGIN_ADAPTER, BRIDGE_ADAPTER].map(|name| token(&places.token_of(name))));
    checks.extend(attached(cx, &names));
    checks.extend(ungoverned::in_config(&config, &names));
    checks.extend(ungoverned::on_host(&places.config, &ungoverned::homes(), Path::new("/proc")));
    if strict::is_on(&places) {
        checks.extend(locked(cx, &config, &names));
    }
    cx.print(&checks, |checks| view(checks))?;
    Ok(if checks.iter().all(|check| check.holds) { Exit::Done } else { Exit::Unwell })
}

/// Checks what stands in the gateway's configuration.
fn configured(config: &Value, places: &Places) -> Vec<Check> {
    const AGAIN: &str = "run `mcctl openclaw install`";
    let entry = config.pointer("/plugins/entries").and_then(|entries| entries.get(PLUGIN));
    let at = |path: &str| entry.and_then(|entry| entry.pointer(path));
    let is_true = |path: &str| at(path) == Some(&Value::Bool(true));
    let plugins_off = config.pointer("/plugins/enabled") == Some(&Value::Bool(false));
    let allowed = config.pointer("/plugins/allow").and_then(Value::as_array);
    let shut_out = allowed.is_some_and(|list| !list.iter().any(|id| id == PLUGIN));
    let paths = config.pointer("/plugins/load/paths").and_then(Value::as_array);
    let mut plugin_dirs = paths.into_iter().flatten().filter_map(Value::as_str).map(Path::new);
    let loaded_from = plugin_dirs.find(|dir| **dir == *places.plugin);
    let manifest = places.plugin.join("openclaw.plugin.json");
    let socket = at("/config/socketPath").and_then(Value::as_str).map(Path::new);
    vec![
        Check::new(
            "the gateway loads plugins",
            !plugins_off && !shut_out,
            "plugins.enabled and plugins.allow must let mission-control in",
        ),
        Check::new(
            "the plugin is there",
            manifest.is_file(),
            "run install.sh, or name it with --plugin-dir",
        ),
        Check::new("the plugin is on the gateway's list", loaded_from.is_some(), AGAIN),
        Check::new("the plugin is enabled", is_true("/enabled"), AGAIN),
        Check::new("the run gate is let in", is_true("/hooks/allowConversationAccess"), AGAIN),
        Check::new("the plugin knows this daemon", socket == Some(&places.socket), AGAIN),
    ]
}

fn token(file: &Path) -> Check {
    let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let what = format!("the token of {}", name.unwrap_or_default());
    match secret::read(file) {
        Ok(_) => Check::new(what, true, ""),
        Err(failure) => Check::new(what, false, failure.to_string()),
    }
}

/// Checks that every agent is registered, and that plugin and bridge are attached for it.
fn attached(cx: &mut Context, names: &Names) -> Vec<Check> {
    let mut checks = Vec::new();
    for name in names.values() {
        let seen = cx.call(&Get { agent: name.clone() });
        let mut check = |adapter: &str, todo: &str| {
            let what = format!("{adapter} is attached for {name}");
            checks.push(match &seen {
                Ok(view) => Check::new(what, is_attached(&view.attached, adapter), todo),
                Err(failure) => Check::new(what, false, failure.to_string()),
            });
        };
        check(PLUGIN_ADAPTER, "is the gateway running? Its log says why a plugin is not loaded");
        check(BRIDGE_ADAPTER, "start `mc-openclaw run`; `mcctl openclaw install` prints how");
    }
    checks
}

/// Checks the second lock: the gateway asks before every command, and the bridge answers.
fn locked(cx: &mut Context, config: &Value, names: &Names) -> Vec<Check> {
    let ways = openclaw::unasked(config);
    let again = format!("{}: run `mcctl openclaw install --strict`", ways.join("; "));
    let mut checks =
        vec![Check::new("the gateway asks before every command", ways.is_empty(), again)];
    for name in names.values() {
        let what = format!("the second lock answers for {name}");
        let todo = "start the bridge with --strict; `mcctl openclaw install --strict` prints how";
        checks.push(match cx.call(&Get { agent: name.clone() }) {
            Ok(view) => Check::new(what, view.has_second_lock, todo),
            Err(failure) => Check::new(what, false, failure.to_string()),
        });
    }
    checks
}

fn view(checks: &[Check]) -> String {
    let mut table = Table::new(&["", "WHAT", "DETAIL"]);
    for check in checks {
        let (word, tone) = if check.holds { ("ok", Tone::Good) } else { ("NO", Tone::Bad) };
        table.row([Cell::new(word, tone), cell(&check.what), rest(&check.detail)]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(plugin: &Path) -> Places {
        Places {
            config: "/g/openclaw.json".into(),
            plugin: plugin.into(),
            programs: "/bin".into(),
            socket: "/mc/agent.sock".into(),
            halt_file: None,
            tokens: "/mc/tokens".into(),
            queue: "/mc/queue".into(),
            bridge: "/mc/bridge".into(),
        }
    }

    #[test]
    fn what_install_writes_passes_and_every_change_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("openclaw.plugin.json"), "{}").unwrap();
        let places = places(dir.path());
        let mut config = json!({});
        let names = Names::from([("main".to_owned(), "wren".parse().unwrap())]);
        settings::merge(&mut config, &places, &names).unwrap();
        let failing = |config: &Value| {
            configured(config, &places).into_iter().filter(|check| !check.holds).count()
        };
        assert_eq!(failing(&config), 0);
        for (path, value) in [
            ("/plugins/entries/mission-control/enabled", json!(false)),
            ("/plugins/entries/mission-control/hooks/allowConversationAccess", json!(false)),
            ("/plugins/entries/mission-control/config/socketPath", json!("/elsewhere")),
            ("/plugins/load/paths", json!([])),
        ] {
            let mut broken = config.clone();
            *broken.pointer_mut(path).unwrap() = value;
            assert_eq!(failing(&broken), 1, "{path}");
        }
        config["plugins"]["allow"] = json!(["other"]);
        assert_eq!(failing(&config), 1);
    }
}
