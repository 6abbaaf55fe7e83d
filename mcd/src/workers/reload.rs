//! Hot reload: `policy.toml`, `config.toml`, `prices.toml`, `identity.toml` and the allowed signers
//! are read again when they change and on SIGHUP.
//! A file that is wrong changes nothing; what is wrong with it is kept for everybody to see.

use std::{sync::Arc, time::Duration};

use mc_core::signers;
use notify::{RecursiveMode, Watcher as _};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::Setting;
use crate::{
    caller::{SystemCommand, Work},
    config::Config,
    findings,
    identity::Identity,
    policy::{self, PolicyFile},
    prices,
};

/// How long to wait for a writer of the file to finish.
const SETTLED: Duration = Duration::from_millis(100);

/// Reloads when something changes; never ends by itself.
pub(super) async fn run(setting: &Setting) {
    let (changed, mut wake) = mpsc::channel::<()>(1);
    let mut watcher = watch(setting, changed.clone());
    if let Err(error) = &watcher {
        tracing::warn!(%error, "files can't be watched; send SIGHUP after a change");
    }
    let hangup = signal(SignalKind::hangup()).ok().filter(|_| setting.is_process);
    let hear = async {
        let Some(mut hangup) = hangup else { return std::future::pending().await };
        while hangup.recv().await.is_some() {
            changed.try_send(()).ok();
        }
    };
    let reload = async {
        while wake.recv().await.is_some() {
            tokio::time::sleep(SETTLED).await;
            while wake.try_recv().is_ok() {}
            // Another file may lie there by now.
            if let Ok(watcher) = &mut watcher {
                watcher.watch(&setting.home.halt_file(), RecursiveMode::NonRecursive).ok();
            }
            reload_policy(setting);
            reload_config(setting);
            reload_identity(setting);
            reload_prices(setting);
        }
    };
    tokio::join!(hear, reload);
}

fn watch(
    setting: &Setting,
    changed: mpsc::Sender<()>,
) -> notify::Result<notify::RecommendedWatcher> {
    let (live, halt) = (Arc::clone(setting.server.live()), setting.home.halt_file());
    let halt_file = halt.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading a file is an event too: whoever answered it by reading would never end.
        let Some(event) = event.ok().filter(|event| !event.kind.is_access()) else { return };
        let is_halt = event.paths.contains(&halt_file);
        if is_halt {
            live.halt.refresh();
        }
        let is_ours = |event: &notify::Event| {
            let files =
                ["policy.toml", "config.toml", "prices.toml", "identity.toml", signers::FILE];
            let named = |path: &std::path::PathBuf| files.iter().any(|file| path.ends_with(file));
            event.paths.iter().any(named)
        };
        if is_ours(&event) || (is_halt && event.kind.is_remove()) {
            // When one is on its way already, that one will do.
            changed.try_send(()).ok();
        }
    })?;
    // The directory is watched, because editors replace files.
    watcher.watch(&setting.home.config, RecursiveMode::NonRecursive)?;
    // The halt file is overwritten in place, and a stop by hand must hold at once.
    watcher.watch(&halt, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Brings the policy file into force where no agent can have written it, or says what is wrong.
fn reload_policy(setting: &Setting) {
    let live = setting.server.live();
    let agents = setting.server.identity().agents.uids.clone();
    let file = match PolicyFile::read(&setting.home, &agents) {
        Ok(file) => file,
        Err(error) => return tracing::error!(%error, "policy.toml can't be read: nothing changed"),
    };
    match policy::parse(&file.text) {
        Ok(_) => {
            live.set_refused_policy(Vec::new());
            live.set_policy_file(file.text.clone());
            let counts = file.is_trusted;
            if let Err(error) = setting.server.store.submit(Work::System(file.command(counts))) {
                tracing::error!(%error, "the changed policy.toml could not be taken up");
            }
        }
        Err(wrong) => {
            for finding in &wrong {
                let text = findings::line("policy.toml", finding);
                tracing::error!(text, "the policy is refused; the one before stays in force");
            }
            live.set_refused_policy(wrong);
        }
    }
}

/// Brings the price file into force, or says what is wrong with it.
fn reload_prices(setting: &Setting) {
    match prices::load(&setting.home) {
        Ok(own) => setting.server.live().set_prices(own.unwrap_or_else(prices::built_in).into()),
        Err(error) => tracing::error!(%error, "prices.toml is refused; the prices before stay"),
    }
}

/// Moves the limits and what a stop may do; the other keys need a restart.
fn reload_config(setting: &Setting) {
    match Config::load(&setting.home) {
        Ok(config) => {
            setting.server.limits.set(&config.limits);
            setting.server.set_emergency(config.emergency.clone());
            let rest = |config: &Config| {
                (config.squad.clone(), config.time_zone.clone(), config.log.clone())
            };
            if rest(&config) != rest(&setting.config) {
                tracing::warn!("config.toml: squad, time_zone and log need a restart");
            }
        }
        Err(error) => tracing::error!(%error, "config.toml is refused; the one before stays"),
    }
}

/// Lets those govern who stand in the files, or says what is wrong with them.
fn reload_identity(setting: &Setting) {
    let server = &setting.server;
    let before = server.identity();
    let read = Identity::load(&setting.home).map_err(|error| error.to_string());
    let read = read.and_then(|now| {
        let is_same = now.mode == before.mode;
        is_same
            .then_some(now)
            .ok_or_else(|| "identity.toml: a new `mode` needs a restart".to_owned())
    });
    match read {
        Ok(now) => {
            server.live().set_refused_identity(None);
            if now != *before {
                tracing::info!("who governs has changed");
                let command =
                    SystemCommand::Govern { by_uid: now.owner, now: Box::new(now.record()) };
                server.set_identity(now);
                // What can't be recorded now is recorded at the next start or change.
                if let Err(error) = server.store.submit(Work::System(command)) {
                    tracing::error!(%error, "who governs has changed and is not recorded");
                }
            }
        }
        Err(why) => {
            tracing::error!(why, "who governs stays as it was");
            server.live().set_refused_identity(Some(why));
        }
    }
}
