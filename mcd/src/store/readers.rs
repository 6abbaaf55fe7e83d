//! Read-only connections, lent to whoever asks and kept for the next.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use mc_proto::error::RpcError;
use rusqlite::Connection;

use super::{open, queries::Reader};

/// How many idle connections are kept.
const KEPT: usize = 4;

/// The pool.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// Returns an empty pool for the database at `path`.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), idle: Mutex::default() }
    }

    /// Lends a connection to `read`.
    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(Reader<'_>) -> Result<T, RpcError>,
    ) -> Result<T, RpcError> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open::reader(&self.path)?,
        };
        let result = read(Reader::new(&connection));
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push(connection);
        }
        result
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
