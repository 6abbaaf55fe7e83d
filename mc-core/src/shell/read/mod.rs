//! From text to simple commands (K0, K3, K4, K5, K9): a reader of the part of the shell's language
//! that can be followed to the end.
//!
//! It goes through the text once, byte by byte, and knows what each one means; whatever it was not
//! taught is [`Finding`] `RED`, so that nothing is ever skipped. What it accepts, every shell reads
//! in the same way: a test runs thousands of accepted commands and compares the words.

mod compound;
mod cursor;
mod grammar;
mod redirect;
mod variables;
mod words;

use super::{
    simple::{Finding, Script},
    text,
};
use grammar::Reader;

/// How deep commands may be nested.
pub const DEPTH: usize = 8;
/// How many simple commands there may be.
pub const COMMANDS: usize = 50;

/// What is known before a command is read.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The home directory, absolute.
    pub home: Option<&'a str>,
    /// How many levels it is nested already: 0 for what a tool is given.
    pub depth: usize,
}

/// Reads a command.
///
/// # Errors
///
/// Why it can't be followed, which asks a human, or is refused outright when it calls itself for
/// ever.
pub fn read(command: &str, known: Known<'_>) -> Result<Script, Finding> {
    text::check(command)?;
    Reader::new(command, known).whole()
}

#[cfg(test)]
mod tests;
