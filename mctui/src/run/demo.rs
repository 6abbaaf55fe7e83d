//! The demo as the loop sees it: it starts beside the console and tells its address when it answers.

use tokio::sync::oneshot;

use crate::demo::{Address, Demo};

/// Where the demo answers, or why it does not.
pub(super) type Ready = Result<Address, String>;

/// A demo that runs, or starts, or neither.
#[derive(Debug, Default)]
pub(super) struct Playing {
    demo: Option<Demo>,
    address: Option<oneshot::Receiver<Ready>>,
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
        ready
    }
}
