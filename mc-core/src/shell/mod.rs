//! Shell commands: read by a real parser, and judged command by command (SECURITY-DESIGN, section
//! 5). A classifier is a guard rail, not a sandbox.

mod judge;
mod options;
mod programs;
pub mod read;
pub mod simple;
mod tables;
mod text;

pub(crate) use judge::{Verdict, judge};

use simple::{Finding, Word};

/// Says why a variable may not be set to `text` for a command; `None` when it may.
pub(crate) fn environment(name: &str, text: &str) -> Option<Finding> {
    let word = Word { text: text.to_owned(), ..Word::default() };
    programs::environment(name, &word, true)
}
