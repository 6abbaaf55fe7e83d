//! The strict profile: the gateway asks by itself before every command, and what it was set to
//! before is kept apart, so that it can be put back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mc_core::openclaw::{ASK, unasked};
use serde_json::{Map, Value};

use super::Places;
use crate::{failure::Failure, secret};

/// The settings of `tools.exec` that say whether the gateway asks.
const KEYS: [&str; 3] = ["mode", "security", "ask"];

/// Returns the file that holds what was set before; it is there as long as the profile is on.
fn before(places: &Places) -> PathBuf {
    places.bridge.join("before-strict.json")
}

/// Says whether the strict profile was installed.
pub(super) fn is_on(places: &Places) -> bool {
    before(places).exists()
}

/// Sets the gateway to ask before every command, and keeps what it was set to.
///
/// # Errors
///
/// When commands would run unasked all the same, or the old values can't be kept.
pub(super) fn set(config: &mut Value, places: &Places) -> Result<(), Failure> {
    let old = taken(config);
    let exec = super::settings::exec(config)?;
    exec.insert("security".to_owned(), "allowlist".into());
    exec.insert("ask".to_owned(), ASK.into());
    let ways = unasked(config);
    if !ways.is_empty() {
        return Err(Failure::Failed(format!(
            "the gateway would still run commands unasked: {}. Change that first, or install \
             without --strict",
            ways.join("; ")
        )));
    }
    let file = before(places);
    if file.exists() {
        return Ok(());
    }
    let text = serde_json::to_string_pretty(&old)
        .map_err(|error| Failure::Failed(format!("can't write the old settings: {error}")))?;
    secret::write(&file, &format!("{text}\n"))
}

/// Takes the settings out of `config`, global and of each agent, and returns them by their place.
fn taken(config: &mut Value) -> Map<String, Value> {
    let mut places = vec!["/tools/exec".to_owned()];
    if let Some(agents) = config.pointer("/agents/entries").and_then(Value::as_object) {
        places.extend(agents.keys().map(|id| format!("/agents/entries/{}/tools/exec", escape(id))));
    }
    let mut old = Map::new();
    for place in places {
        let exec = config.pointer_mut(&place).and_then(Value::as_object_mut);
        let Some(exec) = exec else { continue };
        let of_place: Map<String, Value> =
            KEYS.iter().filter_map(|key| Some(((*key).to_owned(), exec.remove(*key)?))).collect();
        old.insert(place, Value::Object(of_place));
    }
    old
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Puts back what was set before; `false` when the profile was not on.
///
/// # Errors
///
/// When the kept values can't be read.
pub(super) fn restore(config: &mut Value, places: &Places) -> Result<bool, Failure> {
    let file = before(places);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Failure::file("read", &file, &error)),
    };
    let old: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
        let shown = file.display();
        Failure::Failed(format!("{shown} does not hold the old settings: {error}"))
    })?;
    let _ = taken(config);
    for (place, values) in old {
        let exec = config.pointer_mut(&place).and_then(Value::as_object_mut);
        if let (Some(exec), Value::Object(values)) = (exec, values) {
            exec.extend(values);
        }
    }
    Ok(true)
}

/// Forgets what was set before, once it is back in its place.
///
/// # Errors
///
/// When the file can't be removed.
pub(super) fn forget(places: &Places) -> Result<(), Failure> {
    let file: &Path = &before(places);
    fs::remove_file(file).map_err(|error| Failure::file("remove", file, &error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(dir: &Path) -> Places {
        Places {
            config: dir.join("openclaw.json"),
            plugin: dir.to_path_buf(),
            programs: dir.to_path_buf(),
            socket: dir.join("mcd.sock"),
            halt_file: None,
            tokens: dir.to_path_buf(),
            queue: dir.to_path_buf(),
            bridge: dir.to_path_buf(),
        }
    }

    #[test]
    fn strict_asks_always_and_restoring_brings_back_exactly_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let places = places(dir.path());
        let exec = json!({"mode": "full", "pathPrepend": ["/bin"]});
        let was = json!({
            "tools": {"exec": exec, "elevated": {"enabled": true}},
            "agents": {"entries": {"a/b": {"tools": {"exec": {"security": "full", "ask": "off"}}}, "c": {}}},
        });
        let mut config = was.clone();
        set(&mut config, &places).unwrap();
        assert!(is_on(&places));
        assert_eq!(unasked(&config), Vec::<String>::new());
        assert_eq!(config["tools"]["exec"]["ask"], "always");
        assert_eq!(config["tools"]["exec"]["pathPrepend"], json!(["/bin"]));
        assert!(config["tools"]["exec"].get("mode").is_none());
        let once = config.clone();
        set(&mut config, &places).unwrap();
        assert_eq!(config, once, "twice is once");
        assert!(restore(&mut config, &places).unwrap());
        forget(&places).unwrap();
        assert_eq!(config, was);
        assert!(!restore(&mut config, &places).unwrap(), "nothing more to put back");
    }

    #[test]
    fn a_sandbox_where_nobody_asks_is_refused_and_leaves_no_trace() {
        let dir = tempfile::tempdir().unwrap();
        let places = places(dir.path());
        let mut config = json!({"agents": {"defaults": {"sandbox": {"mode": "all"}}}});
        let refused = set(&mut config, &places).unwrap_err().to_string();
        assert!(refused.contains("sandbox"), "{refused}");
        assert!(!is_on(&places));
    }
}
