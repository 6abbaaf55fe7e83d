//! What a command line comes down to: simple commands whose words are known.
//!
//! The reader makes these from text; the tables judge them one by one. Whatever could not be
//! brought into this form is a [`Finding`] of the reader and never gets here.

use crate::policy::Risk;

/// What a rule says about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How dangerous it is.
    pub risk: Risk,
    /// The rule, `K0` to `K14`.
    pub rule: &'static str,
    /// Why, in one sentence.
    pub reason: String,
    /// Whether it is refused outright, approval or not.
    pub denied: bool,
}

/// Returns the finding that asks a human.
pub(super) fn red(rule: &'static str, reason: impl Into<String>) -> Finding {
    Finding { risk: Risk::Red, rule, reason: reason.into(), denied: false }
}

/// Returns the finding that is potentially harmful.
pub(super) fn yellow(rule: &'static str, reason: impl Into<String>) -> Finding {
    Finding { risk: Risk::Yellow, rule, reason: reason.into(), denied: false }
}

/// Returns the finding that refuses outright.
pub(super) fn deny(rule: &'static str, reason: impl Into<String>) -> Finding {
    Finding { risk: Risk::Red, rule, reason: reason.into(), denied: true }
}

/// A whole command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// Its simple commands in the order of the text, those of substitutions included.
    pub commands: Vec<Simple>,
    /// What its structure says: background, compound words, known values and the like, each with
    /// the text of the part that it was found in.
    pub findings: Vec<(Finding, String)>,
}

/// A simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simple {
    /// The text that it stands for, for people.
    pub text: String,
    /// Assignments that hold for this command alone.
    pub env: Vec<(String, Word)>,
    /// The command word and its arguments; empty for an assignment or a redirection alone.
    pub words: Vec<Word>,
    /// Where it reads and writes, in order.
    pub redirects: Vec<Redirect>,
    /// What its standard input is.
    pub input: Input,
    /// Whether it stands in a command substitution.
    pub is_substituted: bool,
}

/// What a command reads from its standard input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Input {
    /// What the whole line has: unknown, usually nothing.
    #[default]
    Inherited,
    /// The commands before it in the pipe, as their command words.
    Pipe(Vec<String>),
    /// A here-document or here-string: data.
    Text(String),
}

/// A word after quotes, escapes and known values were worked out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// What the program gets; with a glob the pattern as written.
    pub text: String,
    /// How much of it was decided by quotes.
    pub quotes: Quotes,
    /// Whether it holds an unquoted glob, and where the first one stands.
    pub glob: Option<Glob>,
    /// What is not known before it runs; such a word is never a path, an option or a program.
    pub unknown: Option<Unknown>,
}

/// How a word was quoted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quotes {
    /// Not at all.
    #[default]
    Bare,
    /// Whole, in single quotes.
    Single,
    /// In any other way: double quotes, a part only, a backslash, a value put in.
    Other,
}

/// Where a glob stands in its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glob {
    /// At the start: what it means may look like an option.
    Leading,
    /// After a literal prefix of a relative path.
    Relative,
    /// After anything else.
    Other,
}

/// A part of a word that only the run will tell, and that K5 lets pass in some places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// `$?`, `$PWD` or `$HOME`.
    Harmless,
    /// The output of a command that stands in [`Script::commands`] too; it is for the tables to
    /// say whether that command is green and this place takes it (`echo`, `printf`, `git commit`).
    Output,
}

/// A redirection to or from a file; those between descriptors are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The file.
    pub file: Word,
    /// Whether it is written; else it is read.
    pub writes: bool,
}
