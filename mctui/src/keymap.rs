//! The keys: one table. The hint row and the help print it, so they never disagree with what a key
//! does.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

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

const fn bind(
    context: Context,
    keys: &'static [Key],
    action: Action,
    (hint, help): (&'static str, &'static str),
) -> Binding {
    Binding { context, keys, action, hint, help }
}

use Context::{Alerts, All, Approvals, Board, Cost, Fleet, Task};

/// Every key there is, in the order of hints and help.
pub const BINDINGS: &[Binding] = &[
    bind(
        Approvals,
        &[Key::char('a')],
        Action::Approve,
        ("approve…", "approve this one, or all that are marked: a dialog, never at once"),
    ),
    bind(
        Approvals,
        &[Key::char('d')],
        Action::Deny,
        ("deny…", "deny this one, or all that are marked: the agents get your reason"),
    ),
    bind(
        Approvals,
        &[Key::char(' ')],
        Action::Mark,
        ("mark", "mark it, to decide several together; red ones are decided by themselves"),
    ),
    bind(
        Task,
        &[Key::char('a')],
        Action::Approve,
        ("approve…", "open the approval that this task waits for"),
    ),
    bind(Alerts, &[Key::char('a')], Action::Approve, ("ack…", "acknowledge the alert")),
    bind(Alerts, &[Key::char('d')], Action::Deny, ("resolve…", "say that the alert is over")),
    bind(
        Approvals,
        &[Key::char('J')],
        Action::EvidenceDown,
        ("scroll", "scroll the evidence down"),
    ),
    bind(Approvals, &[Key::char('K')], Action::EvidenceUp, ("", "scroll the evidence up")),
    bind(
        Approvals,
        &[Key::char('V')],
        Action::MarkAll,
        ("", "mark all green and yellow ones that are shown"),
    ),
    bind(Approvals, &[Key::char('U')], Action::MarkNone, ("", "take all marks off")),
    bind(
        Approvals,
        &[Key::char('e')],
        Action::Edit,
        ("edit…", "run it with other arguments, where the runtime can; then approve those"),
    ),
    bind(Approvals, &[Key::char('B')], Action::Raw, ("", "the exact bytes that the digest is of")),
    bind(
        Approvals,
        &[Key::char('s')],
        Action::Rules,
        ("rules", "the standing rules, which answer in your place; revoke them there"),
    ),
    bind(All, &[Key::char('?')], Action::Help, ("help", "this help")),
    bind(All, &[Key::char('j'), Key::plain(KeyCode::Down)], Action::Down, ("move", "one row down")),
    bind(All, &[Key::char('k'), Key::plain(KeyCode::Up)], Action::Up, ("", "one row up")),
    bind(
        Board,
        &[Key::char('h'), Key::plain(KeyCode::Left)],
        Action::Left,
        ("", "one column to the left"),
    ),
    bind(
        Board,
        &[Key::char('l'), Key::plain(KeyCode::Right)],
        Action::Right,
        ("column", "one column to the right"),
    ),
    bind(
        Cost,
        &[Key::char('h'), Key::plain(KeyCode::Left)],
        Action::Left,
        ("day", "the day before"),
    ),
    bind(Cost, &[Key::char('l'), Key::plain(KeyCode::Right)], Action::Right, ("", "the day after")),
    bind(
        All,
        &[Key::plain(KeyCode::Enter)],
        Action::Open,
        ("open", "open what is under the cursor"),
    ),
    bind(Board, &[Key::char('m')], Action::Move, ("move…", "move the task: only legal states")),
    bind(Task, &[Key::char('m')], Action::Move, ("move…", "move the task: only legal states")),
    bind(Board, &[Key::char('r')], Action::Assign, ("assign…", "give the task to an agent")),
    bind(Task, &[Key::char('r')], Action::Assign, ("assign…", "give the task to an agent")),
    bind(Board, &[Key::char('c')], Action::Comment, ("comment", "write into the task's thread")),
    bind(Task, &[Key::char('c')], Action::Comment, ("comment", "write into the task's thread")),
    bind(
        Approvals,
        &[Key::char('c')],
        Action::Comment,
        ("ask agent", "write into the thread of the approval's task"),
    ),
    bind(Board, &[Key::char('+')], Action::New, ("new", "make a task")),
    bind(
        All,
        &[Key::char('.')],
        Action::NextMine,
        ("next for you", "the next thing that needs you, worst and soonest first"),
    ),
    bind(All, &[Key::char(',')], Action::PrevMine, ("", "the thing before that needs you")),
    bind(
        All,
        &[Key::char('o')],
        Action::Links,
        ("links", "where the row under the cursor leads: task, agent, approvals, alerts"),
    ),
    bind(
        All,
        &[Key::char('f')],
        Action::Find,
        ("find", "find tasks, agents, approvals, alerts and recent events, from anywhere"),
    ),
    bind(
        All,
        &[Key::char('b')],
        Action::Because,
        ("", "because: the newest events of the row, each with who, the cause and the reason"),
    ),
    bind(
        All,
        &[Key::char('w')],
        Action::Changed,
        ("", "what changed since you last looked here, by task"),
    ),
    bind(All, &[Key::char('v')], Action::Views, ("", "views: filters that are wanted often")),
    bind(
        All,
        &[Key::char('x')],
        Action::Export,
        ("", "write the view to a file: the screen as text, the rows as CSV or JSON lines"),
    ),
    bind(All, &[Key::char('y')], Action::Copy, ("", "copy id, text, command or JSON of the row")),
    bind(All, &[Key::char('/')], Action::Filter, ("filter", "filter this view while you type")),
    bind(All, &[Key::plain(KeyCode::Tab)], Action::NextPane, ("", "the next pane")),
    bind(All, &[Key::plain(KeyCode::BackTab)], Action::PrevPane, ("", "the pane before")),
    bind(All, &[Key::char('g'), Key::plain(KeyCode::Home)], Action::First, ("", "the first row")),
    bind(All, &[Key::char('G'), Key::plain(KeyCode::End)], Action::Last, ("", "the last row")),
    bind(
        All,
        &[Key::control('d'), Key::plain(KeyCode::PageDown)],
        Action::HalfDown,
        ("", "half a page down"),
    ),
    bind(
        All,
        &[Key::control('u'), Key::plain(KeyCode::PageUp)],
        Action::HalfUp,
        ("", "half a page up"),
    ),
    bind(All, &[Key::char('1')], Action::ToBoard, ("", "the board")),
    bind(All, &[Key::char('2')], Action::ToApprovals, ("", "the approvals")),
    bind(All, &[Key::char('3')], Action::ToFleet, ("", "the fleet")),
    bind(All, &[Key::char('4')], Action::ToAlerts, ("", "alerts and feed")),
    bind(All, &[Key::char('5')], Action::ToCost, ("", "what work costs")),
    bind(All, &[Key::char('-')], Action::Swap, ("", "the screen before this one")),
    bind(Alerts, &[Key::char('F')], Action::Follow, ("follow", "follow what comes")),
    bind(Task, &[Key::char('F')], Action::Follow, ("follow", "follow what comes")),
    bind(
        Fleet,
        &[Key::char('t')],
        Action::Tree,
        ("tree", "agents below their parents, or in one list with the most urgent first"),
    ),
    bind(Board, &[Key::char('z')], Action::Density, ("", "3, 2 or 1 lines for a card")),
    bind(All, &[Key::char('T')], Action::Times, ("", "times as ages or as the time of day (UTC)")),
    bind(All, &[Key::char('L')], Action::Unlock, ("", "unlock with your passphrase, or lock")),
    bind(All, &[Key::char('R')], Action::Reconnect, ("", "connect again and take a fresh picture")),
    bind(All, &[Key::control('l')], Action::Repaint, ("", "paint the screen again")),
    bind(All, &[Key::control('z')], Action::Suspend, ("", "leave to the shell; `fg` comes back")),
    bind(
        All,
        &[Key::plain(KeyCode::Esc)],
        Action::Back,
        ("", "one level back, or clear the filter"),
    ),
    bind(All, &[Key::char('q')], Action::Quit, ("", "back; at the root quit")),
    bind(
        All,
        &[Key::control('c')],
        Action::Cancel,
        ("", "cancel; twice within 2 s at the root: quit"),
    ),
    bind(
        All,
        &[Key::char('!'), Key::alt('!')],
        Action::Emergency,
        ("EMERGENCY", "stop, pause or drain the squad; works everywhere"),
    ),
];

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
