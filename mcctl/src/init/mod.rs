//! `mcctl init`: sets a squad up without a daemon. Safe to run again: what exists is kept.

mod agents;
mod files;

use std::path::PathBuf;

use clap::Args;
use mc_proto::home::Home;
use zeroize::Zeroizing;

use self::{
    agents::NewAgent,
    files::{Made, Setup},
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    identity::{self, IdentityFile, Mode},
    output, secret,
    session::ask_secret,
};

/// How a squad is set up.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// One user runs the daemon, the console and the agents (the default). Proofs of human acts
    /// reach L1, because an agent of the same user could read over your shoulder.
    #[arg(long)]
    single_user: bool,
    /// The daemon, operators and agents have users of their own.
    #[arg(long, conflicts_with = "single_user")]
    system: bool,
    /// The squad's name.
    #[arg(long, default_value = "squad")]
    squad: String,
    /// The first operator's name [default: the user's name].
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// The first operator's user id [default: the caller's].
    #[arg(long, value_name = "UID")]
    operator_uid: Option<u32>,
    /// A user id that agents run under; repeat for more [default: the caller's, with
    /// --single-user].
    #[arg(long = "agent-uid", value_name = "UID")]
    agent_uids: Vec<u32>,
    /// The user id that `mcd notify` runs under, no agent's and no operator's.
    #[arg(long = "notify-uid", value_name = "UID")]
    notify_uids: Vec<u32>,
    /// The zone in which the day of daily caps turns [default: the machine's].
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// An agent to register; its token goes to a file. Repeat for more.
    #[arg(long = "agent", value_name = "NAME[:AUTONOMY[:RUNTIME]]")]
    agents: Vec<NewAgent>,
}

/// Sets a squad up.
///
/// # Errors
///
/// When a file or directory can't be made, there is no passphrase, or an agent can't be
/// registered.
pub(crate) fn run(args: &InitArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let home = place(args, cx);
    let passphrase = passphrase(args, &home, cx)?;
    let setup = setup(args)?;
    let mut report = Made::default();
    files::directories(&home, setup.mode, &mut report)?;
    files::configuration(&home, &setup, &mut report)?;
    if let Some(passphrase) = &passphrase {
        files::identity(&home, &setup, passphrase, &mut report)?;
    } else {
        report.keep(home.config.join(identity::FILE));
    }
    let registered = match &passphrase {
        Some(passphrase) if !args.agents.is_empty() => {
            agents::register(&args.agents, &home, passphrase, cx.global())?
        }
        Some(_) | None => Vec::new(),
    };
    let mode = IdentityFile::load(&home.config)?.map_or(setup.mode, |file| file.mode);
    let answer = serde_json::json!({
        "mode": mode, "config": home.config, "state": home.state, "run": home.run,
        "made": report.made, "kept": report.kept, "agents": registered,
    });
    cx.print(&answer, |_| summary(&home, mode, &report, &registered))?;
    Ok(Exit::Done)
}

fn place(args: &InitArgs, cx: &Context) -> Home {
    let explicit = cx.global().home.as_deref();
    if args.system && explicit.is_none() && crate::environment::path("MC_HOME").is_none() {
        return Home::system();
    }
    Home::find(explicit)
}

/// Returns the passphrase where one is needed: for a new identity file, or to register agents.
fn passphrase(
    args: &InitArgs,
    home: &Home,
    cx: &Context,
) -> Result<Option<Zeroizing<String>>, Failure> {
    let exists = home.config.join(identity::FILE).exists();
    if exists && args.agents.is_empty() {
        return Ok(None);
    }
    if let Some(file) = &cx.global().passphrase_file {
        let given = secret::read(file)?;
        if !exists {
            identity::check(&given)?;
        }
        return Ok(Some(given));
    }
    if exists {
        return ask_secret("Passphrase: ").map(Some);
    }
    output::note("The passphrase proves that it is you who approves. Four words are good.");
    let first = ask_secret("New passphrase: ")?;
    identity::check(&first)?;
    if *first != *ask_secret("Once more: ")? {
        return Err(Failure::Failed("the two passphrases differ; nothing was set up".to_owned()));
    }
    Ok(Some(first))
}

fn setup(args: &InitArgs) -> Result<Setup, Failure> {
    let mode = if args.system { Mode::System } else { Mode::SingleUser };
    let uid = args.operator_uid.unwrap_or_else(|| rustix::process::getuid().as_raw());
    let mut agent_uids = args.agent_uids.clone();
    if agent_uids.is_empty() && mode == Mode::SingleUser {
        agent_uids.push(uid);
    }
    let operator = args.operator.clone().or_else(|| files::user_name(uid));
    let operator = operator.unwrap_or_else(|| "operator".to_owned());
    for (what, name) in [("operator", &operator), ("squad", &args.squad)] {
        if name.trim().is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            let text = format!("the {what}'s name must be one line of 1 to 64 bytes");
            return Err(Failure::Usage(text));
        }
    }
    let time_zone = args.time_zone.clone().unwrap_or_else(files::time_zone);
    Ok(Setup {
        mode,
        squad: args.squad.clone(),
        operator,
        uid,
        agent_uids,
        notify_uids: args.notify_uids.clone(),
        time_zone,
    })
}

fn summary(home: &Home, mode: Mode, report: &Made, agents: &[agents::Registered]) -> String {
    let mut out = String::new();
    for path in &report.made {
        put!(out, "made  {}\n", path.display());
    }
    for path in &report.kept {
        put!(out, "kept  {}\n", path.display());
    }
    for agent in agents {
        put!(out, "agent {}: {}\n", agent.name, agent.text);
    }
    if mode == Mode::SingleUser {
        out.push_str(SHARED);
    }
    let run =
        if under_one(home) { format!(" --home {}", parent(home).display()) } else { String::new() };
    put!(out, "next  start the daemon with `mcd run{run}`, then look with `mcctl status{run}`\n");
    out
}

const SHARED: &str = "\
SHARED UID: this is a single-user squad. Agents run under your user, so every proof of a human act \
is at L1: it stops slips and simple self-approval, not a hostile process of the same user. See \
docs/SECURITY.md for the set-up with users of their own.
";

fn under_one(home: &Home) -> bool {
    *home == Home::under(&parent(home))
}

fn parent(home: &Home) -> PathBuf {
    home.config.parent().map(PathBuf::from).unwrap_or_default()
}
