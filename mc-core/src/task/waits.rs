//! What a task waits for: which of those that it depends on are still open, in words.

use std::fmt;

use crate::id::TaskId;

/// In whose name the daemon says that a task waits for nothing any more.
pub const PROMOTER: &str = "dependencies";

/// How a task stands with the tasks that it depends on; there is one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    open: Vec<TaskId>,
    closed: Vec<TaskId>,
}

impl Waits {
    /// Sorts what a task depends on; `None` where that is nothing.
    pub fn of(depends_on: &[TaskId], is_open: impl Fn(&TaskId) -> bool) -> Option<Self> {
        let (open, closed): (Vec<_>, Vec<_>) = depends_on.iter().copied().partition(is_open);
        (!depends_on.is_empty()).then_some(Self { open, closed })
    }

    /// Says whether nothing is waited for any more.
    pub const fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns it in as few words as a card has room for: `waits 2/3`.
    pub fn short(&self) -> String {
        format!("waits {}/{}", self.open.len(), self.open.len() + self.closed.len())
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.open.len() + self.closed.len();
        match self.open.len() {
            0 => write!(f, "waited for {all}")?,
            open => write!(f, "waits for {open} of {all}")?,
        }
        for (word, tasks) in [("open", &self.open), ("closed", &self.closed)] {
            if !tasks.is_empty() {
                let names: Vec<String> = tasks.iter().map(ToString::to_string).collect();
                write!(f, " · {word}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_many_are_open_and_which() {
        let all = [TaskId(4), TaskId(5), TaskId(7)];
        let said = |open: &[i64]| {
            let waits = Waits::of(&all, |task| open.contains(&task.0)).unwrap();
            (waits.is_over(), waits.to_string())
        };
        assert_eq!(
            said(&[5, 7]),
            (false, "waits for 2 of 3 · open: T-5, T-7 · closed: T-4".into())
        );
        assert_eq!(said(&[4, 5, 7]), (false, "waits for 3 of 3 · open: T-4, T-5, T-7".into()));
        assert_eq!(said(&[]), (true, "waited for 3 · closed: T-4, T-5, T-7".into()));
        assert_eq!(Waits::of(&[], |_| true), None);
        assert_eq!(Waits::of(&all, |task| task.0 == 7).unwrap().short(), "waits 1/3");
    }
}
