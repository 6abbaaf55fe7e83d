//! What runs by itself, beside the operators' side of the server.

mod end_runtime;
mod follow;
mod notices;
mod reload;
mod runtimes;
mod stop_record;
mod stopped;
mod tick;
mod watchdog;

use std::sync::Arc;

use mc_core::budget::BudgetDay;
use mc_proto::home::Home;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

pub(crate) use self::{
    runtimes::catch_up_all,
    tick::{day, system},
};
use crate::{
    config::Config,
    server::{Server, emergency::Ask},
};

/// What workers need to know.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) server: Arc<Server>,
    pub(crate) home: Home,
    pub(crate) config: Config,
    /// Where the budget day stands at the start.
    pub(crate) day: BudgetDay,
    /// Whether signals and the service manager are ours to hear.
    pub(crate) is_process: bool,
}

/// Runs all workers; never ends by itself. `asked` is what follows the emergency stops.
pub(crate) async fn run(setting: Setting, asked: mpsc::UnboundedReceiver<Ask>) {
    let (follow, reload) = (follow::run(&setting, asked), reload::run(&setting));
    let stopped = stopped::run(&setting);
    let all = async {
        tokio::join!(runtimes::run(&setting), tick::run(&setting), follow, stopped, reload)
    };
    if setting.is_process {
        tokio::join!(all, watchdog::run(&setting), stop_on_signals(&setting));
    } else {
        all.await;
    }
}

/// Ends the daemon in order on SIGTERM and SIGINT.
async fn stop_on_signals(setting: &Setting) {
    let signals =
        signal(SignalKind::terminate()).and_then(|t| Ok((t, signal(SignalKind::interrupt())?)));
    let (mut terminate, mut interrupt) = match signals {
        Ok(signals) => signals,
        Err(error) => return tracing::error!(%error, "signals can't be heard"),
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    watchdog::say(&[sd_notify::NotifyState::Stopping]);
    setting.server.stop();
}
