//! What variables are known to hold, from the same command line (K5).

use std::collections::HashMap;

use crate::shell::simple::Word;

/// What is known of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Exactly this.
    Is(Word),
    /// It was assigned somewhere that may or may not have run.
    Unsure,
}

/// The variables of a command line.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    known: HashMap<String, Value>,
}

impl Variables {
    /// Returns the value of `name`; `None` when it is not known for sure.
    pub(super) fn get(&self, name: &str) -> Option<&Word> {
        match self.known.get(name)? {
            Value::Is(word) => Some(word),
            Value::Unsure => None,
        }
    }

    /// Says whether the line assigned `name` in any way.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    pub(super) fn set(&mut self, name: &str, word: Word) {
        self.known.insert(name.to_owned(), Value::Is(word));
    }

    pub(super) fn doubt(&mut self, name: &str) {
        self.known.insert(name.to_owned(), Value::Unsure);
    }

    /// Goes back to `before`, but doubts everything that was assigned since: it happened in a part
    /// that may not run, or in a shell of its own.
    pub(super) fn leave(&mut self, before: Self) {
        let after = std::mem::replace(&mut self.known, before.known);
        for (name, value) in after {
            if self.known.get(&name) != Some(&value) {
                self.known.insert(name, Value::Unsure);
            }
        }
    }
}
