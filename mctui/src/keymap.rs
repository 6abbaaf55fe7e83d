//! The keys: one table. The hint row and the help print it, so they never disagree with what a key
//! does.

mod table;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

pub use table::BINDINGS;

/// A key as the console sees it: shift is part of the character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The key.
    pub code: KeyCode,
    /// Control or Alt.
    pub modifiers: KeyModifiers,
}

impl Key {
    /// Returns a character without modifiers.
    pub const fn char(c: char) -> Self {
        Self { code: KeyCode::Char(c), modifiers: KeyModifiers::NONE }
    }

    /// Returns a named key without modifiers.
    pub const fn plain(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::NONE }
    }

    /// Returns a character with Control.
    pub const fn control(c: char) -> Self {
        Self { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL }
    }

    /// Returns a character with Alt.
    pub const fn alt(c: char) -> Self {
        Self { code: KeyCode::Char(c), modifiers: KeyModifiers::ALT }
    }

    /// Says whether it opens Emergency from anywhere, text fields too.
    pub fn is_alarm(self) -> bool {
        self == Self::alt('!')
    }

    /// Returns the text for hints and help.
    pub fn name(self) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "space".to_owned(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::PageUp => "pgup".to_owned(),
            KeyCode::PageDown => "pgdn".to_owned(),
            KeyCode::BackTab => "shift-tab".to_owned(),
            code => format!("{code:?}").to_lowercase(),
        };
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            format!("^{}", name.to_uppercase())
        } else if self.modifiers.contains(KeyModifiers::ALT) {
            format!("alt-{name}")
        } else {
            name
        }
    }
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        let mut modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
        // A multiplexer turns a quick `Esc x` into Alt-x: what is not bound counts as Esc alone.
        let is_alarm = event.code == KeyCode::Char('!') && modifiers == KeyModifiers::ALT;
        if modifiers.contains(KeyModifiers::ALT) && !is_alarm {
            return Self::plain(KeyCode::Esc);
        }
        if event.code == KeyCode::BackTab {
            modifiers = KeyModifiers::NONE;
        }
        Self { code: event.code, modifiers }
    }
}

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// Everywhere.
    All,
    /// On the board.
    Board,
    /// In a task.
    Task,
    /// In the approvals.
    Approvals,
    /// In the fleet.
    Fleet,
    /// In alerts and feed.
    Alerts,
    /// In the costs.
    Cost,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a key does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $name,)* }

        impl Action {
            /// Every action there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

actions! {
    /// One row down.
    Down,
    /// One row up.
    Up,
    /// One column or pane to the left.
    Left,
    /// One column or pane to the right.
    Right,
    /// The first row.
    First,
    /// The last row.
    Last,
    /// Half a page down.
    HalfDown,
    /// Half a page up.
    HalfUp,
    /// The next pane.
    NextPane,
    /// The pane before.
    PrevPane,
    /// Opens what is under the cursor.
    Open,
    /// One level back.
    Back,
    /// Back; at the root quits.
    Quit,
    /// The board.
    ToBoard,
    /// The approvals.
    ToApprovals,
    /// The fleet.
    ToFleet,
    /// Alerts and feed.
    ToAlerts,
    /// What work costs.
    ToCost,
    /// The screen before.
    Swap,
    /// Filters the view.
    Filter,
    /// The next thing that needs the operator.
    NextMine,
    /// The thing before that needs the operator.
    PrevMine,
    /// Help.
    Help,
    /// Emergency.
    Emergency,
    /// Connects again and takes a fresh snapshot.
    Reconnect,
    /// Paints everything again.
    Repaint,
    /// Leaves the terminal to the shell for a while.
    Suspend,
    /// Cancels; twice at the root quits.
    Cancel,
    /// How many lines a card has.
    Density,
    /// Times as ages or as the time of day.
    Times,
    /// Agents below their parents, or in one list.
    Tree,
    /// Follows what comes.
    Follow,
    /// Unlocks or locks the session.
    Unlock,
    /// Moves the task.
    Move,
    /// Gives the task to an agent.
    Assign,
    /// Makes a task.
    New,
    /// Writes into the task's thread.
    Comment,
    /// Says yes, or that an alert was seen.
    Approve,
    /// Says no, or that an alert is over.
    Deny,
    /// Marks what is under the cursor, or takes its mark off.
    Mark,
    /// Marks all that are shown.
    MarkAll,
    /// Takes all marks off.
    MarkNone,
    /// Changes the arguments of a request.
    Edit,
    /// The exact bytes of a request.
    Raw,
    /// Where the row under the cursor leads.
    Links,
    /// Copies of the row under the cursor.
    Copy,
    /// The standing rules.
    Rules,
    /// What creates tasks again and again.
    Schedules,
    /// Finds everywhere.
    Find,
    /// Why the row is as it is.
    Because,
    /// What changed since the last look.
    Changed,
    /// Filters that are wanted often.
    Views,
    /// Writes the view to a file.
    Export,
    /// Scrolls the evidence down.
    EvidenceDown,
    /// Scrolls the evidence up.
    EvidenceUp,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Where it holds.
    pub context: Context,
    /// The keys, the first one is shown.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// In one or two words, for the hint row; empty means help only.
    pub hint: &'static str,
    /// In a sentence, for the help.
    pub help: &'static str,
}

/// Returns what `key` does in `context`; a key of the context comes before one for everywhere.
pub fn action(context: Context, key: Key) -> Option<Action> {
    let bound = |wanted: Context| {
        BINDINGS.iter().find(|row| row.context == wanted && row.keys.contains(&key))
    };
    bound(context).or_else(|| bound(Context::All)).map(|row| row.action)
}

/// Returns the rows that hold in `context`, in the order of the table.
pub fn rows(context: Context) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |row| row.context == context || row.context == Context::All)
}

#[cfg(test)]
mod tests {
    use Context::{Alerts, All, Approvals, Board, Cost, Fleet, Task};

    use super::*;

    const CONTEXTS: [Context; 7] = [All, Board, Task, Approvals, Fleet, Alerts, Cost];

    #[test]
    fn every_action_has_a_key_and_a_sentence() {
        for action in Action::ALL {
            assert!(BINDINGS.iter().any(|row| row.action == *action), "{action:?} has no key");
        }
        assert!(BINDINGS.iter().all(|row| !row.help.is_empty() && !row.keys.is_empty()));
    }

    #[test]
    fn no_key_means_two_things_in_one_context() {
        for context in CONTEXTS {
            let keys: Vec<Key> = rows(context).flat_map(|row| row.keys.iter().copied()).collect();
            for (at, key) in keys.iter().enumerate() {
                assert!(!keys[..at].contains(key), "{} twice in {context:?}", key.name());
            }
        }
    }

    #[test]
    fn no_key_needs_altgr_or_belongs_to_the_terminal() {
        for key in BINDINGS.iter().flat_map(|row| row.keys) {
            if let KeyCode::Char(c) = key.code {
                assert!(!"[]{}@\\|~".contains(c), "{}", key.name());
                let control = key.modifiers.contains(KeyModifiers::CONTROL);
                assert!(!(control && "abghijmqs\\".contains(c)), "{}", key.name());
            }
            assert!(!matches!(key.code, KeyCode::F(_)));
            assert!(!key.modifiers.contains(KeyModifiers::ALT) || key.is_alarm());
        }
    }

    #[test]
    fn an_unbound_alt_key_is_escape_alone() {
        let event = KeyEvent::new(KeyCode::Char('x'), KeyModifiers::ALT);
        assert_eq!(Key::from(event), Key::plain(KeyCode::Esc));
        let alarm = KeyEvent::new(KeyCode::Char('!'), KeyModifiers::ALT);
        assert_eq!(action(Board, Key::from(alarm)), Some(Action::Emergency));
    }
}
