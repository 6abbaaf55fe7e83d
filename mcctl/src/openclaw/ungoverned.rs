//! Ways around the gate: what in a gateway's configuration, or on this machine beside it, runs
//! agents that are never asked about.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Names, PLUGIN, check::Check, settings};

/// Runtimes that a gateway starts as programs: they call the tools of `mcp.servers` themselves.
const PROGRAMS: &[&str] = &["claude-cli", "codex-cli", "google-gemini-cli", "gemini-cli", "acpx"];

/// Looks through the gateway's configuration.
pub(super) fn in_config(config: &Value, names: &Names) -> Vec<Check> {
    let nameless = settings::agent_ids(config).into_iter().filter(|id| !names.contains_key(id));
    let nameless: Vec<String> = nameless.collect();
    let named = format!(
        "{} would be refused everything: run `mcctl openclaw install` again, or name it with \
         --agent ID=NAME",
        nameless.join(", ")
    );
    let programs = programs(config);
    let servers = config.pointer("/mcp/servers").and_then(Value::as_object);
    let servers: Vec<&str> = servers.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let unseen = format!(
        "{} calls the tools of mcp.servers ({}) itself, past the gate: take these servers out, or \
         give its agents a model that the gateway calls",
        words(&programs),
        servers.join(", ")
    );
    let elevated = elevated(config);
    let lifted = format!(
        "tools.elevated.allowFrom lets {} switch the gateway's own asking off: take it out, or set \
         tools.elevated.enabled to false",
        elevated.join(", ")
    );
    vec![
        Check::new("every agent of the gateway has a name here", nameless.is_empty(), named),
        Check::new("every tool passes the gate", programs.is_empty() || servers.is_empty(), unseen),
        Check::new("nobody can lift the gateway's asking", elevated.is_empty(), lifted),
    ]
}

fn words(programs: &BTreeSet<String>) -> String {
    programs.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Returns the programs that the agents' models or runtimes name.
fn programs(config: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    named_in(config.pointer("/agents").unwrap_or(&Value::Null), &mut found);
    found
}

fn named_in(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let head = text.split('/').next().unwrap_or_default();
            found.extend(PROGRAMS.iter().find(|name| **name == head).map(ToString::to_string));
        }
        Value::Array(items) => items.iter().for_each(|item| named_in(item, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                // A backend that is set up may be chosen in a session.
                found.extend(PROGRAMS.iter().find(|one| *one == name).map(ToString::to_string));
                named_in(value, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Returns the channels whose senders may lift the asking.
fn elevated(config: &Value) -> Vec<String> {
    let agents = config.pointer("/agents/entries").and_then(Value::as_object);
    let own =
        agents.into_iter().flatten().filter_map(|(_, agent)| agent.pointer("/tools/elevated"));
    let all = config.pointer("/tools/elevated").into_iter().chain(own);
    let on = all.filter(|elevated| elevated.get("enabled") != Some(&Value::Bool(false)));
    let from = on.filter_map(|elevated| elevated.get("allowFrom")?.as_object());
    from.flatten()
        .filter(|(_, who)| who.as_array().is_none_or(|who| !who.is_empty()))
        .map(|(channel, _)| channel.clone())
        .collect()
}

/// Looks over this machine, beside the gateway whose configuration lies at `config`.
pub(super) fn on_host(config: &Path, homes: &[PathBuf], proc: &Path) -> Vec<Check> {
    let mut checks = vec![writers(config)];
    checks.extend(other_configs(config, homes));
    checks.extend(other_processes(config, proc));
    checks
}

/// Returns the home directories of this machine's users.
pub(super) fn homes() -> Vec<PathBuf> {
    let mut homes: BTreeSet<PathBuf> = crate::environment::home().into_iter().collect();
    homes.insert("/root".into());
    homes.extend(entries(Path::new("/home")));
    homes.into_iter().collect()
}

/// What lies in a directory; nothing where it can't be read.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = found.collect();
    found.sort();
    found
}

fn writers(config: &Path) -> Check {
    let mode = fs::metadata(config).map_or(0, |file| file.permissions().mode());
    let todo = format!("others may write {}: `chmod go-w` it", config.display());
    Check::new("only its owner writes the gateway's configuration", mode & 0o022 == 0, todo)
}

/// Other configurations: a profile or another user's gateway, which our plugin may not be in.
fn other_configs(config: &Path, homes: &[PathBuf]) -> Vec<Check> {
    let is_state = |dir: &PathBuf| {
        let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name == ".openclaw" || name.starts_with(".openclaw-")
    };
    let states = homes.iter().flat_map(|home| entries(home)).filter(is_state);
    let files = states.map(|dir| dir.join("openclaw.json")).filter(|file| file.exists());
    let others = files.filter(|file| super::real(file.clone()) != config);
    others
        .map(|file| {
            let shown = file.display();
            let todo = format!(
                "it is a gateway of its own, which this check did not look at: `mcctl openclaw \
                 install --config {shown}`, or remove it"
            );
            Check::new(format!("{shown} is governed too"), has_plugin(&file), todo)
        })
        .collect()
}

fn has_plugin(config: &Path) -> bool {
    let text = fs::read_to_string(config).unwrap_or_default();
    let config: Value = serde_json::from_str(&text).unwrap_or_default();
    let enabled = format!("/plugins/entries/{PLUGIN}/enabled");
    config.pointer(&enabled) == Some(&Value::Bool(true))
        && config.pointer("/plugins/enabled") != Some(&Value::Bool(false))
}

/// Runtimes that run now, by another configuration or by none.
fn other_processes(config: &Path, proc: &Path) -> Vec<Check> {
    let is_pid = |dir: &PathBuf| {
        dir.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.parse::<u32>().is_ok())
    };
    entries(proc).into_iter().filter(is_pid).filter_map(|dir| process(config, &dir)).collect()
}

/// Returns what is wrong with the process of `dir`; `None` for one that is no runtime, or ours.
fn process(config: &Path, dir: &Path) -> Option<Check> {
    let words = nul_separated(&dir.join("cmdline"))?;
    let is_openclaw = |word: &&String| {
        let name = Path::new(word.as_str()).file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| {
            name == "openclaw" || name == "openclaw.mjs" || name == "openclaw-gateway"
        })
    };
    // Behind an interpreter, but not somewhere in the arguments of an editor or a shell.
    let at = words.iter().take(3).position(|word| is_openclaw(&word))?;
    let pid = dir.file_name()?.to_string_lossy().into_owned();
    let said = words.get(at..).unwrap_or_default().join(" ");
    let what = format!("process {pid} ({}) is governed", crate::text::line(&said));
    let wrong = |todo: String| Some(Check::new(what.clone(), false, todo));
    if words.iter().any(|word| word == "--isolated") {
        return wrong("it reads no configuration, so no plugin is in it: end it".to_owned());
    }
    let Some(environment) = nul_separated(&dir.join("environ")) else {
        return wrong(
            "it is another user's, and which configuration it reads can't be seen: run this check \
             as that user"
                .to_owned(),
        );
    };
    let value = |name: &str| {
        let found = environment.iter().find_map(|one| one.strip_prefix(name)?.strip_prefix('='));
        found.filter(|value| !value.is_empty())
    };
    let profile =
        words.iter().position(|word| word == "--profile").and_then(|at| words.get(at + 1));
    let profile = profile.map(String::as_str).or_else(|| value("OPENCLAW_PROFILE"));
    let state = value("OPENCLAW_STATE_DIR").map(PathBuf::from).or_else(|| {
        let suffix = profile.map_or(String::new(), |profile| format!("-{profile}"));
        Some(Path::new(value("HOME")?).join(format!(".openclaw{suffix}")))
    });
    let file = value("OPENCLAW_CONFIG_PATH").map(PathBuf::from);
    let file = file.or_else(|| state.map(|dir| dir.join("openclaw.json")))?;
    if super::real(file.clone()) == config || has_plugin(&file) {
        return None;
    }
    wrong(format!(
        "it reads {}, which our plugin is not in: end it, or install there",
        file.display()
    ))
}

fn nul_separated(file: &Path) -> Option<Vec<String>> {
    let bytes = fs::read(file).ok()?;
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    Some(words.map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failing(checks: Vec<Check>) -> Vec<String> {
        checks.into_iter().filter(|check| !check.holds).map(|check| check.detail).collect()
    }

    #[test]
    fn what_goes_past_the_gate_in_a_configuration_is_named() {
        let names = Names::from([("main".to_owned(), "wren".parse().unwrap())]);
        let servers = json!({"servers": {"shop": {"command": "x"}}});
        let good = [
            json!({}),
            json!({"mcp": servers}),
            json!({"agents": {"defaults": {"model": {"primary": "claude-cli/opus"}}}}),
            json!({"tools": {"elevated": {"enabled": false, "allowFrom": {"slack": ["U1"]}}}}),
            json!({"tools": {"elevated": {"enabled": true, "allowFrom": {"slack": []}}}}),
        ];
        for config in good {
            assert_eq!(failing(in_config(&config, &names)), Vec::<String>::new(), "{config}");
        }
        let bad = [
            (json!({"agents": {"entries": {"main": {}, "dev": {}}}}), "dev would be refused"),
            (
                json!({"mcp": servers, "agents": {"defaults": {"model": {"primary": "claude-cli/opus"}}}}),
                "claude-cli calls the tools of mcp.servers (shop)",
            ),
            (
                json!({"mcp": servers, "agents": {"entries": {"main": {"model": {"fallbacks": ["a/b", "codex-cli/x"]}}}}}),
                "codex-cli calls",
            ),
            (
                json!({"mcp": servers, "agents": {"defaults": {"cliBackends": {"claude-cli": {}}}}}),
                "claude-cli calls",
            ),
            (
                json!({"mcp": servers, "agents": {"entries": {"main": {"agentRuntime": {"id": "acpx"}}}}}),
                "acpx calls",
            ),
            (json!({"tools": {"elevated": {"allowFrom": {"slack": ["U1"]}}}}), "lets slack switch"),
            (
                json!({"agents": {"entries": {"main": {"tools": {"elevated": {"enabled": true, "allowFrom": {"irc": "*"}}}}}}}),
                "lets irc switch",
            ),
        ];
        for (config, wanted) in bad {
            let found = failing(in_config(&config, &names));
            assert!(found.len() == 1 && found[0].contains(wanted), "{config}: {found:?}");
        }
    }

    /// A command line, an environment that can be read or not, and what is said.
    type Case<'c> = (&'c [&'c str], Option<&'c [&'c str]>, &'c str);

    struct Host {
        dir: tempfile::TempDir,
    }

    impl Host {
        fn new() -> Self {
            let host = Self { dir: tempfile::tempdir().unwrap() };
            host.config(".openclaw", &json!({}));
            fs::create_dir(host.dir.path().join("proc")).unwrap();
            host
        }

        fn config(&self, state: &str, config: &Value) {
            let dir = self.dir.path().join("ana").join(state);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("openclaw.json"), config.to_string()).unwrap();
        }

        fn process(&self, pid: &str, words: &[&str], environment: Option<&[&str]>) {
            let dir = self.dir.path().join("proc").join(pid);
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("cmdline"), words.join("\0")).unwrap();
            if let Some(environment) = environment {
                let home = format!("HOME={}", self.dir.path().join("ana").display());
                let all = [&[home.as_str()], environment].concat();
                fs::write(dir.join("environ"), all.join("\0")).unwrap();
            }
        }

        fn failing(&self) -> Vec<String> {
            let home = self.dir.path().join("ana");
            let config = super::super::real(home.join(".openclaw/openclaw.json"));
            failing(on_host(&config, &[home], &self.dir.path().join("proc")))
        }
    }

    #[test]
    fn a_gateway_beside_this_one_is_named() {
        let host = Host::new();
        host.process("7", &["node", "/opt/openclaw.mjs", "gateway", "run"], Some(&[]));
        host.process("8", &["openclaw-gateway"], Some(&[]));
        host.process("9", &["vim", "a", "b", "openclaw.mjs"], Some(&[]));
        host.process("self", &["openclaw"], None);
        let governed = json!({"plugins": {"entries": {PLUGIN: {"enabled": true}}}});
        host.config(".openclaw-dev", &governed);
        host.process("10", &["openclaw", "--profile", "dev", "gateway"], Some(&[]));
        host.config(".openclawish", &json!({}));
        assert_eq!(host.failing(), Vec::<String>::new());

        host.config(".openclaw-work", &json!({}));
        assert_eq!(host.failing().len(), 1, "another profile");
        let cases: &[Case<'_>] = &[
            (&["openclaw", "--profile", "work", "gateway"], Some(&[]), ".openclaw-work"),
            (&["openclaw-gateway"], Some(&["OPENCLAW_STATE_DIR=/srv/other"]), "/srv/other"),
            (&["openclaw"], Some(&["OPENCLAW_CONFIG_PATH=/srv/o.json"]), "/srv/o.json"),
            (
                &["node", "/x/openclaw", "agent", "exec", "--isolated"],
                Some(&[]),
                "no configuration",
            ),
            (&["openclaw-gateway"], None, "another user's"),
        ];
        for (at, (words, environment, wanted)) in cases.iter().enumerate() {
            host.process(&format!("{}", 100 + at), words, *environment);
            let found = host.failing();
            assert_eq!(found.len(), at + 2, "{words:?}: {found:?}");
            assert!(found.iter().any(|text| text.contains(wanted)), "{words:?}: {found:?}");
        }
    }

    #[test]
    fn a_configuration_that_others_may_write_is_named() {
        let host = Host::new();
        let file = host.dir.path().join("ana/.openclaw/openclaw.json");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
        let found = host.failing();
        assert!(found.len() == 1 && found[0].contains("chmod"), "{found:?}");
    }
}
