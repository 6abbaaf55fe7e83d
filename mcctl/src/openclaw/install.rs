//! `mcctl openclaw install`.

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mc_core::agent::{AgentName, Autonomy, Runtime};
use mc_proto::{
    client::ClientError,
    error::ErrorKind,
    method::agent::{AdapterEnrol, Get, Register, RotateToken},
};
use serde_json::{Value, json};

use super::{
    BRIDGE_ADAPTER, InstallArgs, Names, PLUGIN_ADAPTER, Places, is_attached, names, settings,
    strict,
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output, secret,
    table::Tone,
};

/// How often it is looked whether the plugin said hello.
const LOOK: Duration = Duration::from_millis(500);

/// Connects a gateway.
///
/// # Errors
///
/// When the daemon is not there or refuses, the gateway's configuration can't be merged, or the
/// plugin does not say hello in time.
pub(super) fn run(args: &InstallArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let places = Places::find(&args.gateway, cx)?;
    let manifest = places.plugin.join("openclaw.plugin.json");
    if !manifest.is_file() {
        return Err(Failure::Failed(format!(
            "there is no plugin at {}: run install.sh, or name it with --plugin-dir",
            places.plugin.display()
        )));
    }
    let mut config = settings::read(&places.config)?;
    let names = names(&args.gateway.agents, &settings::agent_ids(&config))?;
    for dir in [&places.tokens, &places.queue, &places.bridge] {
        private_dir(dir)?;
    }
    for (id, name) in &names {
        let said = register(cx, name, (args.autonomy, settings::workspace(&config, id)), &places)?;
        tell(cx, &said);
    }
    for adapter in [PLUGIN_ADAPTER, BRIDGE_ADAPTER] {
        enrol(cx, adapter, &names, &places)?;
        tell(cx, &format!("adapter {adapter}: enrolled"));
    }
    let gateway_token = keep_gateway_token(&config, &places.bridge)?;
    let before = config.clone();
    settings::merge(&mut config, &places, &names)?;
    let was_strict = if args.strict {
        strict::set(&mut config, &places)?;
        false
    } else {
        strict::restore(&mut config, &places)?
    };
    // Written only when it changes, so that the file beside it stays the one before the first merge.
    let backup = if before == config {
        tell(cx, &format!("{} needs no change", places.config.display()));
        None
    } else {
        let backup = settings::write(&places.config, &config)?;
        tell(cx, &format!("merged {} (before: {})", places.config.display(), backup.display()));
        Some(backup)
    };
    if was_strict {
        strict::forget(&places)?;
        tell(cx, "the gateway's own settings for commands are back: restart the bridge as below");
    }
    let silent = wait_for_hello(cx, &names, Duration::from_secs(args.wait))?;
    let mut bridge = bridge_command(&config, &names, &places, gateway_token.as_deref());
    if args.strict {
        bridge.push("--strict".to_owned());
    }
    finish(cx, &Outcome { names: &names, places: &places, backup, bridge, silent }, args.wait)
}

struct Outcome<'a> {
    names: &'a Names,
    places: &'a Places,
    backup: Option<PathBuf>,
    bridge: Vec<String>,
    /// Agents whose plugin has not said hello.
    silent: Vec<AgentName>,
}

fn finish(cx: &Context, outcome: &Outcome<'_>, waited: u64) -> Result<Exit, Failure> {
    let answer = json!({
        "agents": outcome.names, "config": outcome.places.config, "backup": outcome.backup,
        "plugin": outcome.places.plugin, "tokens": outcome.places.tokens,
        "bridge": outcome.bridge, "silent": outcome.silent,
    });
    cx.print(&answer, |_| {
        let mut out = String::new();
        if waited == 0 {
            out.push_str("next   start or reload the gateway, then `mcctl openclaw check`\n");
        } else if outcome.silent.is_empty() {
            put!(out, "{}\n", Tone::Good.paint("the plugin said hello: the gateway is governed"));
        }
        put!(out, "bridge keep this running beside the gateway (it ends sessions on a stop):\n");
        put!(out, "       {}\n", outcome.bridge.join(" "));
        out
    })?;
    if waited == 0 || outcome.silent.is_empty() {
        return Ok(Exit::Done);
    }
    let silent: Vec<&str> = outcome.silent.iter().map(AgentName::as_str).collect();
    Err(Failure::Failed(format!(
        "the plugin has not said hello for {} within {waited} s: the gateway is NOT governed. Is it \
         running (`openclaw gateway run`)? Its log says why a plugin is not loaded; then run \
         `mcctl openclaw check`",
        silent.join(", ")
    )))
}

fn tell(cx: &Context, text: &str) {
    if !cx.is_json() {
        output::note(text);
    }
}

fn private_dir(dir: &Path) -> Result<(), Failure> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| Failure::file("make the directory", dir, &error))
}

/// Registers an agent that is not known yet, and sees that its token is in its file.
fn register(
    cx: &mut Context,
    name: &AgentName,
    (autonomy, workspace): (Autonomy, Option<String>),
    places: &Places,
) -> Result<String, Failure> {
    let file = places.token_of(name);
    match cx.call(&Get { agent: name.clone() }) {
        Ok(_) if file.exists() => return Ok(format!("agent {name}: registered before")),
        Ok(_) => {
            let token = cx.call(&RotateToken { agent: name.to_string() })?.token;
            secret::write(&file, &format!("{token}\n"))?;
            return Ok(format!("agent {name}: registered before, has a new token"));
        }
        Err(Failure::Client(ClientError::Refused(error)))
            if error.kind() == ErrorKind::NotFound => {}
        Err(failure) => return Err(failure),
    }
    let new = json!({
        "name": name, "autonomy": autonomy, "runtime": Runtime::Openclaw, "workspace": workspace,
    });
    let new: Register = serde_json::from_value(new)
        .map_err(|error| Failure::Failed(format!("can't register {name}: {error}")))?;
    let token = cx.call(&new)?.token;
    secret::write(&file, &format!("{token}\n"))?;
    Ok(format!("agent {name}: registered"))
}

fn enrol(cx: &mut Context, adapter: &str, names: &Names, places: &Places) -> Result<(), Failure> {
    let name = adapter.parse().map_err(|error| Failure::Failed(format!("{error}")))?;
    let mut agents: Vec<AgentName> = names.values().cloned().collect();
    agents.sort();
    agents.dedup();
    let enrolled = cx.call(&AdapterEnrol { name, runtime: Runtime::Openclaw, agents })?;
    secret::write(&places.token_of(adapter), &format!("{}\n", enrolled.token))
}

/// Puts the gateway's own token, where the configuration holds one, into a file for the bridge,
/// which needs it once, to pair.
fn keep_gateway_token(config: &Value, bridge: &Path) -> Result<Option<PathBuf>, Failure> {
    let Some(token) = settings::gateway_token(config) else { return Ok(None) };
    let file = bridge.join("gateway.token");
    secret::write(&file, &format!("{token}\n"))?;
    Ok(Some(file))
}

/// Waits until the plugin is attached for every agent, and returns those without it.
fn wait_for_hello(
    cx: &mut Context,
    names: &Names,
    patience: Duration,
) -> Result<Vec<AgentName>, Failure> {
    let deadline = Instant::now() + patience;
    if !patience.is_zero() {
        tell(cx, "waiting for the plugin's hello");
    }
    loop {
        let mut silent = Vec::new();
        for name in names.values() {
            let attached = cx.call(&Get { agent: name.clone() })?.attached;
            if !is_attached(&attached, PLUGIN_ADAPTER) {
                silent.push(name.clone());
            }
        }
        if silent.is_empty() || Instant::now() >= deadline {
            return Ok(silent);
        }
        std::thread::sleep(LOOK);
    }
}

fn bridge_command(
    config: &Value,
    names: &Names,
    places: &Places,
    gateway_token: Option<&Path>,
) -> Vec<String> {
    let text = |path: &Path| path.display().to_string();
    let pairs: Vec<String> = names.iter().map(|(id, name)| format!("{id}={name}")).collect();
    let mut command = vec![text(&places.programs.join("mc-openclaw")), "run".to_owned()];
    let mut option = |name: &str, value: String| command.extend([name.to_owned(), value]);
    option("--gateway", settings::gateway_url(config));
    if let Some(file) = gateway_token {
        option("--gateway-token-file", text(file));
    }
    option("--socket", text(&places.socket));
    option("--token-file", text(&places.token_of(BRIDGE_ADAPTER)));
    if let Some(file) = &places.halt_file {
        option("--halt-file", text(file));
    }
    option("--state-dir", text(&places.bridge));
    option("--agents", pairs.join(","));
    command
}
