//! The demo as the loop sees it: it starts beside the console and tells its address when it answers.

use std::path::PathBuf;

use tokio::sync::oneshot;

use crate::demo::{Address, Demo};

/// The demo's socket and its halt file, or why there is no demo.
pub(super) type Ready = Result<(PathBuf, PathBuf), String>;

/// A demo that runs, or starts, or neither.
#[derive(Debug, Default)]
pub(super) struct Playing {
    demo: Option<Demo>,
    address: Option<oneshot::Receiver<Result<Address, String>>>,
}

impl Playing {
    /// Starts the demo, unless it runs.
    pub(super) fn begin(&mut self) {
        if self.demo.is_none() {
            let (demo, address) = Demo::start();
            self.demo = Some(demo);
            self.address = Some(address);
        }
    }

    /// Waits until the demo answers; for ever when there is none.
    pub(super) async fn ready(&mut self) -> Ready {
        let Some(address) = &mut self.address else { return std::future::pending().await };
        let ready = address.await.unwrap_or_else(|_| Err("it ended at once".to_owned()));
        self.address = None;
        if ready.is_err() {
            self.demo = None;
        }
        ready.map(|address| (address.socket, address.halt_file))
    }
}
