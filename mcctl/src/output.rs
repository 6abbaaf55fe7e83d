//! Where answers go: JSON documents for programs, tables for people.

use std::io::Write as _;

use mc_core::clean;
use serde::Serialize;

use crate::failure::Failure;

/// For whom a command writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// One JSON document, or JSON Lines for streams.
    Program,
    /// Text; colours are taken out by `anstream` where standard output is no terminal.
    Person,
}

/// Writes `value` as one line of JSON.
///
/// # Errors
///
/// [`Failure::Output`] when standard output does not take it.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::Failed(format!("can't write the answer as JSON: {error}")))?;
    json_line(&text)
}

/// Writes one line of JSON that somebody else wrote; what a terminal would act on is spelled.
///
/// # Errors
///
/// [`Failure::Output`] when standard output does not take it.
pub(crate) fn json_line(json: &str) -> Result<(), Failure> {
    raw(format!("{}\n", clean::json(json)).as_bytes())
}

/// Writes clean, coloured text for a person.
///
/// # Errors
///
/// [`Failure::Output`] when standard output does not take it.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Writes bytes as they are.
///
/// # Errors
///
/// [`Failure::Output`] when standard output does not take them.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Writes a line to standard error, beside the answer. It is lost when nobody can read it.
pub(crate) fn note(text: &str) {
    anstream::stderr().write_all(format!("{text}\n").as_bytes()).ok();
}
