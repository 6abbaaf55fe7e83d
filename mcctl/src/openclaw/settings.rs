//! The gateway's configuration: what Mission Control needs in it, merged into what is there.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use super::{Names, PLUGIN, PLUGIN_ADAPTER, Places};
use crate::{failure::Failure, secret};

/// Reads the gateway's configuration.
///
/// # Errors
///
/// When there is none, or it is not plain JSON.
pub(super) fn read(path: &Path) -> Result<Value, Failure> {
    let shown = path.display();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Failure::Failed(format!(
                "there is no {shown}: set the gateway up first (`openclaw onboard`), or name its \
                 file with --config"
            )));
        }
        Err(error) => return Err(Failure::file("read", path, &error)),
    };
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        Failure::Failed(format!(
            "{shown} is not plain JSON ({error}). Comments and trailing commas (JSON5) can't be \
             kept by a merge: take them out and run this again"
        ))
    })?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Failure::Failed(format!("{shown} holds no object")))
    }
}

/// Returns the ids of the gateway's agents; one called `main` where none is configured.
pub(super) fn agent_ids(config: &Value) -> Vec<String> {
    let entries = config.pointer("/agents/entries").and_then(Value::as_object);
    let ids: Vec<String> = entries.into_iter().flatten().map(|(id, _)| id.clone()).collect();
    if ids.is_empty() { vec!["main".to_owned()] } else { ids }
}

/// Returns an agent's workspace, where it is given as an absolute path.
pub(super) fn workspace(config: &Value, id: &str) -> Option<String> {
    let own = config.pointer("/agents/entries").and_then(|all| all.get(id)?.get("workspace"));
    let shared = config.pointer("/agents/defaults/workspace");
    let path = own.or(shared).and_then(Value::as_str)?;
    path.starts_with('/').then(|| path.to_owned())
}

/// Returns the gateway's WebSocket on this machine.
pub(super) fn gateway_url(config: &Value) -> String {
    let port = config.pointer("/gateway/port").and_then(Value::as_u64).unwrap_or(18_789);
    format!("ws://127.0.0.1:{port}")
}

/// Returns the gateway's shared token, if it stands in the file itself.
pub(super) fn gateway_token(config: &Value) -> Option<&str> {
    config.pointer("/gateway/auth/token").and_then(Value::as_str).filter(|token| !token.is_empty())
}

/// Returns what the plugin is told.
pub(super) fn plugin_config(places: &Places, names: &Names) -> Value {
    let mut config = json!({
        "socketPath": places.socket,
        "tokenFile": places.token_of(PLUGIN_ADAPTER),
        "agents": names,
        "queueDir": places.queue,
        "agentTokenDir": places.tokens,
    });
    if let (Some(file), Some(map)) = (&places.halt_file, config.as_object_mut()) {
        map.insert("haltFile".to_owned(), json!(file));
    }
    config
}

/// Merges what Mission Control needs into `config`; everything else stays as it is.
///
/// # Errors
///
/// When something in the file has another shape than the gateway's.
pub(super) fn merge(config: &mut Value, places: &Places, names: &Names) -> Result<(), Failure> {
    let plugins = object(config, "plugins")?;
    if plugins.get("enabled") == Some(&Value::Bool(false)) {
        return Err(Failure::Failed(
            "the gateway's plugins are off (plugins.enabled is false): turn them on first"
                .to_owned(),
        ));
    }
    if let Some(allowed) = plugins.get_mut("allow").and_then(Value::as_array_mut) {
        push(allowed, PLUGIN.into());
    }
    let load = object_in(plugins, "load")?;
    let paths = list(load, "paths")?;
    paths.retain(|path| !is_ours(path));
    push(paths, json!(places.plugin));
    let entry = object_in(object_in(plugins, "entries")?, PLUGIN)?;
    entry.insert("enabled".to_owned(), true.into());
    object_in(entry, "hooks")?.insert("allowConversationAccess".to_owned(), true.into());
    let told = object_in(entry, "config")?;
    if let Value::Object(ours) = plugin_config(places, names) {
        told.extend(ours);
    }
    push(list(exec(config)?, "pathPrepend")?, json!(places.programs));
    Ok(())
}

/// Returns the settings of the tool that runs commands.
///
/// # Errors
///
/// When something in the file has another shape than the gateway's.
pub(super) fn exec(config: &mut Value) -> Result<&mut Map<String, Value>, Failure> {
    object_in(object(config, "tools")?, "exec")
}

/// Says whether `path` is a directory that holds some copy of our plugin.
fn is_ours(path: &Value) -> bool {
    let manifest = path.as_str().map(|path| Path::new(path).join("openclaw.plugin.json"));
    let text = manifest.and_then(|path| fs::read_to_string(path).ok());
    let manifest: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
    manifest.is_some_and(|manifest| manifest.get("id").and_then(Value::as_str) == Some(PLUGIN))
}

fn push(list: &mut Vec<Value>, value: Value) {
    if !list.contains(&value) {
        list.push(value);
    }
}

fn object<'a>(value: &'a mut Value, key: &str) -> Result<&'a mut Map<String, Value>, Failure> {
    match value.as_object_mut() {
        Some(map) => object_in(map, key),
        None => Err(misshapen(key)),
    }
}

fn object_in<'a>(
    map: &'a mut Map<String, Value>,
    key: &str,
) -> Result<&'a mut Map<String, Value>, Failure> {
    let value = map.entry(key).or_insert_with(|| json!({}));
    value.as_object_mut().ok_or_else(|| misshapen(key))
}

fn list<'a>(map: &'a mut Map<String, Value>, key: &str) -> Result<&'a mut Vec<Value>, Failure> {
    let value = map.entry(key).or_insert_with(|| json!([]));
    value.as_array_mut().ok_or_else(|| misshapen(key))
}

fn misshapen(key: &str) -> Failure {
    Failure::Failed(format!(
        "`{key}` in the gateway's configuration has another shape than expected"
    ))
}

/// Writes the configuration, keeping what was there in a file beside it, which it returns.
///
/// # Errors
///
/// When the file system does not take it, or the file belongs to somebody else.
pub(super) fn write(path: &Path, config: &Value) -> Result<PathBuf, Failure> {
    let metadata = fs::metadata(path).map_err(|error| Failure::file("read", path, &error))?;
    if metadata.uid() != rustix::process::getuid().as_raw() {
        return Err(Failure::Failed(format!(
            "{} belongs to another user: run this as the user of the gateway",
            path.display()
        )));
    }
    let mut backup = path.as_os_str().to_owned();
    backup.push(".bak");
    let backup = PathBuf::from(backup);
    fs::copy(path, &backup).map_err(|error| Failure::file("write", &backup, &error))?;
    let text = serde_json::to_string_pretty(config)
        .map_err(|error| Failure::Failed(format!("can't write the configuration: {error}")))?;
    secret::write(path, &format!("{text}\n"))?;
    Ok(backup)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places {
            config: "/g/openclaw.json".into(),
            plugin: "/opt/mc/share/openclaw".into(),
            programs: "/opt/mc/bin".into(),
            socket: "/mc/run/agent/mcd.sock".into(),
            halt_file: Some("/mc/state/halt".into()),
            tokens: "/mc/config/tokens".into(),
            queue: "/mc/state/openclaw/queue".into(),
            bridge: "/mc/state/openclaw/bridge".into(),
        }
    }

    fn names() -> Names {
        Names::from([("main".to_owned(), "wren".parse().unwrap())])
    }

    #[test]
    fn a_merge_adds_what_is_needed_and_keeps_the_rest() {
        let mut config = json!({
            "gateway": {"port": 7},
            "plugins": {
                "allow": ["other"], "load": {"paths": ["/other"]},
                "entries": {"mission-control": {"config": {"holdMs": 5}, "hooks": {"timeoutMs": 9}}},
            },
        });
        merge(&mut config, &places(), &names()).unwrap();
        let entry = &config["plugins"]["entries"]["mission-control"];
        assert_eq!(config["gateway"]["port"], 7);
        assert_eq!(config["plugins"]["allow"], json!(["other", "mission-control"]));
        assert_eq!(config["plugins"]["load"]["paths"], json!(["/other", "/opt/mc/share/openclaw"]));
        assert_eq!(entry["enabled"], true);
        assert_eq!(entry["hooks"], json!({"timeoutMs": 9, "allowConversationAccess": true}));
        assert_eq!(entry["config"]["holdMs"], 5);
        assert_eq!(entry["config"]["socketPath"], "/mc/run/agent/mcd.sock");
        assert_eq!(entry["config"]["tokenFile"], "/mc/config/tokens/openclaw-plugin.token");
        assert_eq!(entry["config"]["agents"], json!({"main": "wren"}));
        assert_eq!(entry["config"]["haltFile"], "/mc/state/halt");
        assert_eq!(config["tools"]["exec"]["pathPrepend"], json!(["/opt/mc/bin"]));
    }

    #[test]
    fn merging_twice_is_the_same_as_once() {
        let mut once = json!({});
        merge(&mut once, &places(), &names()).unwrap();
        let mut twice = once.clone();
        merge(&mut twice, &places(), &names()).unwrap();
        assert_eq!(once, twice);
    }

    #[test]
    fn a_shape_that_is_not_the_gateways_is_refused() {
        for mut config in [json!({"plugins": []}), json!({"plugins": {"load": {"paths": "x"}}})] {
            assert!(merge(&mut config, &places(), &names()).is_err(), "{config}");
        }
        assert!(merge(&mut json!({"plugins": {"enabled": false}}), &places(), &names()).is_err());
    }

    #[test]
    fn comments_are_refused_and_the_old_file_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("openclaw.json");
        fs::write(&path, "{ // hello\n}").unwrap();
        let refused = read(&path).unwrap_err().to_string();
        assert!(refused.contains("JSON5"), "{refused}");
        let backup = write(&path, &json!({"a": 1})).unwrap();
        assert_eq!(fs::read_to_string(backup).unwrap(), "{ // hello\n}");
        assert_eq!(read(&path).unwrap(), json!({"a": 1}));
    }

    #[test]
    fn the_gateway_says_who_works_in_it_and_where() {
        let config = json!({
            "agents": {"entries": {"a": {"workspace": "/w"}, "b": {}}, "defaults": {"workspace": "~/x"}},
        });
        assert_eq!(agent_ids(&config), ["a", "b"]);
        assert_eq!(agent_ids(&json!({})), ["main"]);
        assert_eq!(workspace(&config, "a").as_deref(), Some("/w"));
        assert_eq!(workspace(&config, "b"), None);
        assert_eq!(gateway_url(&json!({})), "ws://127.0.0.1:18789");
    }
}
