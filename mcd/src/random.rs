//! The only source of what nobody can guess: tokens and the nonces of statements.

use std::io;

/// Where numbers that nobody can guess come from.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes`.
    ///
    /// # Errors
    ///
    /// When the source has none to give; nothing is made with fewer.
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()>;
}

/// The system's source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(io::Error::other)
    }
}
