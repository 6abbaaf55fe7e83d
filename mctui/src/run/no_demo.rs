//! A console that was built without the demo: it never starts.

use std::path::PathBuf;

/// The demo's socket and its halt file, or why there is no demo.
pub(super) type Ready = Result<(PathBuf, PathBuf), String>;

/// No demo.
#[derive(Debug, Default)]
pub(super) struct Playing(bool);

impl Playing {
    /// Notes that one was wanted.
    pub(super) fn begin(&mut self) {
        self.0 = true;
    }

    /// Says that there is none, once it was wanted.
    pub(super) async fn ready(&mut self) -> Ready {
        if std::mem::take(&mut self.0) {
            return Err("this console was built without it".to_owned());
        }
        std::future::pending().await
    }
}
