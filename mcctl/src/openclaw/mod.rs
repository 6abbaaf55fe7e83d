//! `mcctl openclaw`: connects an OpenClaw gateway, and checks that it is governed.

mod check;
mod install;
mod settings;
mod strict;
mod ungoverned;

use std::{collections::BTreeMap, path::PathBuf, str::FromStr};

use clap::{Args, Subcommand};
use mc_core::agent::{AgentName, Autonomy};
use mc_proto::home::Home;

use crate::{
    agent::AUTONOMIES,
    context::Context,
    environment,
    failure::{Exit, Failure},
    identity::{IdentityFile, Mode},
    words::one_of,
};

/// The plugin's id in the gateway.
const PLUGIN: &str = "mission-control";
/// The adapter in the gateway's process.
const PLUGIN_ADAPTER: &str = "openclaw-plugin";
/// The adapter beside it.
const BRIDGE_ADAPTER: &str = "openclaw-bridge";

/// What can be done with a gateway.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Connect a gateway: enrol the adapters, register its agents, merge its configuration, and
    /// wait until the plugin says hello. Safe to run again.
    Install(InstallArgs),
    /// Check that a gateway is governed; exit code 1 when it is not.
    Check(Gateway),
}

/// Which gateway, and who works in it.
#[derive(Debug, Args)]
pub(crate) struct Gateway {
    /// The gateway's configuration [default: openclaw.json in `OPENCLAW_STATE_DIR` or
    /// ~/.openclaw].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The plugin's directory [default: the one that was installed beside this program].
    #[arg(long, value_name = "DIR")]
    plugin_dir: Option<PathBuf>,
    /// An agent of the gateway and its name here [default: every agent of the gateway, by the
    /// same name]; repeat for more.
    #[arg(long = "agent", value_name = "ID[=NAME]")]
    agents: Vec<Pair>,
}

/// How a gateway is connected.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    gateway: Gateway,
    /// How far agents that are new here may go by themselves.
    #[arg(long, default_value = "specialist", value_parser = one_of::<Autonomy>(AUTONOMIES))]
    autonomy: Autonomy,
    /// Have the gateway ask by itself before every command, and the bridge answer only for what was
    /// allowed a moment ago. Installing without it puts the gateway's own settings back.
    #[arg(long)]
    strict: bool,
    /// How long to wait for the plugin's hello, in seconds; 0 does not wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
}

/// An agent's id in the gateway and its name here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    id: String,
    name: AgentName,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, name) = text.split_once('=').unwrap_or((text, text));
        let name = name.parse().map_err(|error| format!("{error}"))?;
        if id.is_empty() || id.contains(',') {
            return Err(format!("`{text}` names no agent of the gateway: write ID=NAME"));
        }
        Ok(Self { id: id.to_owned(), name })
    }
}

/// Where everything lies.
#[derive(Debug, Clone)]
struct Places {
    /// The gateway's configuration.
    config: PathBuf,
    /// The plugin.
    plugin: PathBuf,
    /// The directory of this program, for agents' shells.
    programs: PathBuf,
    /// The daemon's socket for agents.
    socket: PathBuf,
    /// The halt file, where the gateway's user can read it.
    halt_file: Option<PathBuf>,
    /// Token files.
    tokens: PathBuf,
    /// Reports that the daemon could not take yet.
    queue: PathBuf,
    /// The bridge's own state.
    bridge: PathBuf,
}

impl Places {
    fn find(gateway: &Gateway, cx: &Context) -> Result<Self, Failure> {
        let state = environment::path("OPENCLAW_STATE_DIR")
            .or_else(|| environment::home().map(|home| home.join(".openclaw")));
        let config = gateway.config.clone().or_else(|| state.map(|dir| dir.join("openclaw.json")));
        let config = config.ok_or_else(|| {
            Failure::Usage("HOME is not set: name the gateway's file with --config".to_owned())
        })?;
        let exe = std::env::current_exe().and_then(std::fs::canonicalize).map_err(|error| {
            Failure::Failed(format!("can't tell where this program lies: {error}"))
        })?;
        let programs = exe.parent().map(PathBuf::from).unwrap_or_default();
        let installed = programs.join("../share/mission-control/openclaw");
        let plugin = real(gateway.plugin_dir.clone().unwrap_or(installed));
        let home = Home::find(cx.global().home.as_deref());
        let own = matches!(
            IdentityFile::load(&home.config),
            Ok(Some(IdentityFile { mode: Mode::SingleUser, .. }))
        );
        // Where the daemon has a user of its own, what the gateway needs lies with the gateway.
        let beside = config.parent().map(|dir| dir.join("mission-control")).unwrap_or_default();
        let config = real(config);
        Ok(Self {
            config,
            plugin,
            programs,
            socket: real(home.agent_socket()),
            halt_file: own.then(|| real(home.halt_file())),
            tokens: if own { real(home.config.join("tokens")) } else { beside.join("tokens") },
            queue: if own { home.state.join("openclaw/queue") } else { beside.join("queue") },
            bridge: if own { home.state.join("openclaw/bridge") } else { beside.join("bridge") },
        })
    }

    fn token_of(&self, name: &str) -> PathBuf {
        self.tokens.join(format!("{name}.token"))
    }
}

/// Returns the path without links and dots; as it is, when there is nothing yet.
fn real(path: PathBuf) -> PathBuf {
    std::fs::canonicalize(&path).or_else(|_| std::path::absolute(&path)).unwrap_or(path)
}

/// Says whether `adapter` is among the runtimes that are attached for an agent, which are shown as
/// `openclaw 2026.9.6 (openclaw-plugin)`.
fn is_attached(attached: &[String], adapter: &str) -> bool {
    attached.iter().any(|runtime| runtime.ends_with(&format!("({adapter})")))
}

/// Gateway id to name here.
type Names = BTreeMap<String, AgentName>;

/// Returns who is who: what was said, else every agent of the gateway by its own name.
fn names(said: &[Pair], ids: &[String]) -> Result<Names, Failure> {
    if !said.is_empty() {
        return Ok(said.iter().map(|pair| (pair.id.clone(), pair.name.clone())).collect());
    }
    let name = |id: &String| {
        let name = id.parse().map_err(|error| {
            Failure::Failed(format!(
                "the gateway's agent {id}: {error}; name it with --agent ID=NAME"
            ))
        });
        name.map(|name| (id.clone(), name))
    };
    ids.iter().map(name).collect()
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: &Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Install(args) => install::run(args, cx),
        Verb::Check(gateway) => check::run(gateway, cx),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_known_by_their_own_name_unless_told_otherwise() {
        let ids = ["main".to_owned(), "dev".to_owned()];
        assert_eq!(names(&[], &ids).unwrap()["dev"].as_str(), "dev");
        let said = ["main=wren".parse().unwrap()];
        let names = names(&said, &ids).unwrap();
        assert_eq!(names.len(), 1);
        assert_eq!(names["main"].as_str(), "wren");
    }

    #[test]
    fn an_id_that_is_no_name_has_to_be_named() {
        assert!(names(&[], &["Main Agent".to_owned()]).is_err());
        for text in ["=wren", "a,b=wren", "Main"] {
            assert!(text.parse::<Pair>().is_err(), "{text}");
        }
    }
}
