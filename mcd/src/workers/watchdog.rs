//! The service manager: ready, and alive only after a round trip through sockets, writer and
//! readers.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::{io::AsyncReadExt as _, net::UnixStream, time::timeout};

use super::Setting;
use crate::caller::{SystemCommand, Work};

/// Feeds the watchdog, where there is one.
pub(super) async fn run(setting: &Setting) {
    say(&[NotifyState::Ready]);
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let mut every = tokio::time::interval(limit / 3);
    loop {
        every.tick().await;
        if timeout(limit / 3, round_trip(setting)).await.is_ok_and(|well| well) {
            say(&[NotifyState::Watchdog]);
        } else {
            tracing::error!("the daemon does not answer itself; the watchdog is not fed");
        }
    }
}

/// Tells the service manager; without one nobody hears it.
pub(super) fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager can't be told");
    }
}

/// Says whether both sockets accept and answer, the writer writes and the readers read.
async fn round_trip(setting: &Setting) -> bool {
    let store = &setting.server.store;
    let written = match store.submit(Work::System(SystemCommand::Tick)) {
        Ok(answer) => matches!(answer.await, Ok(Ok(_))),
        Err(_) => false,
    };
    let read = store.squad().is_ok();
    let home = &setting.home;
    written && read && answers(&home.agent_socket()).await && answers(&home.operator_socket()).await
}

/// Says whether a socket answers a frame that is no hello with a refusal.
async fn answers(path: &std::path::Path) -> bool {
    let ask = async {
        let mut stream = UnixStream::connect(path).await?;
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"{}\n").await?;
        let mut answer = [0; 1];
        stream.read_exact(&mut answer).await?;
        tokio::time::sleep(Duration::ZERO).await;
        std::io::Result::Ok(answer == *b"{")
    };
    ask.await.unwrap_or(false)
}
