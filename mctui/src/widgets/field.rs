//! A text field of a dialog.

use crossterm::event::{KeyCode, KeyModifiers};
use tui_input::{Input, InputRequest};

use super::Line;
use crate::{keymap::Key, text, theme::Token};

/// What a field does with what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manner {
    /// Shows it and takes pastes.
    #[default]
    Open,
    /// Shows dots; takes pastes.
    Masked,
    /// Shows it and refuses pastes: what is typed here confirms something.
    Typed,
    /// One of several, chosen with the arrows; refuses pastes.
    OneOf(&'static [&'static str]),
}

/// A label and what was typed.
#[derive(Debug, Clone, Default)]
pub struct Field {
    /// What stands before it.
    pub label: &'static str,
    /// Whether it may stay empty.
    pub optional: bool,
    /// What it does with what is typed.
    pub manner: Manner,
    input: Input,
}

impl Field {
    /// Returns an empty field that must be filled.
    pub fn needed(label: &'static str) -> Self {
        Self { label, ..Self::default() }
    }

    /// Returns an empty field.
    pub fn optional(label: &'static str) -> Self {
        Self { label, optional: true, ..Self::default() }
    }

    /// Returns a field that holds one of `choices`, the first one to begin with.
    pub fn one_of(label: &'static str, choices: &'static [&'static str]) -> Self {
        let input = Input::new(choices.first().copied().unwrap_or_default().to_owned());
        Self { label, manner: Manner::OneOf(choices), input, ..Self::default() }
    }

    /// Returns a field that treats what is typed as `manner` says.
    #[must_use]
    pub fn with(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    /// Returns what was typed, without blanks around it.
    pub fn value(&self) -> &str {
        self.input.value().trim()
    }

    /// Puts `text` in the place of what was typed.
    pub fn set(&mut self, text: &str) {
        self.input = Input::new(text.to_owned());
    }

    /// Takes what was typed out.
    pub fn take(&mut self) -> String {
        self.input.value_and_reset()
    }

    /// Says whether it holds enough.
    pub fn is_complete(&self) -> bool {
        self.optional || !self.value().is_empty()
    }

    /// Takes in a key; says whether it was one for a text field.
    pub fn press(&mut self, key: Key) -> bool {
        if let Manner::OneOf(choices) = self.manner {
            return self.choose(key, choices);
        }
        let control = key.modifiers == KeyModifiers::CONTROL;
        let request = match key.code {
            KeyCode::Char('u') if control => InputRequest::DeleteFromStart,
            KeyCode::Char('w') if control => InputRequest::DeletePrevWord,
            KeyCode::Char('k') if control => InputRequest::DeleteTillEnd,
            KeyCode::Char('e') if control => InputRequest::GoToEnd,
            KeyCode::Char(c) if key.modifiers.is_empty() => InputRequest::InsertChar(c),
            code => match editing(code) {
                Some(request) => request,
                None => return false,
            },
        };
        self.input.handle(request);
        true
    }

    /// Goes to the choice beside, or to the first that begins with the letter.
    fn choose(&mut self, key: Key, choices: &[&'static str]) -> bool {
        let at = choices.iter().position(|one| *one == self.value()).unwrap_or(0);
        let last = choices.len().saturating_sub(1);
        let to = match key.code {
            KeyCode::Right | KeyCode::Char(' ') => (at < last).then_some(at + 1).or(Some(0)),
            KeyCode::Left => at.checked_sub(1).or(Some(last)),
            KeyCode::Char(c) => choices.iter().position(|one| one.starts_with(c)),
            _ => return false,
        };
        if let Some(choice) = to.and_then(|to| choices.get(to)) {
            self.input = Input::new((*choice).to_owned());
        }
        true
    }

    /// Takes in a paste, unless it refuses them; line ends become blanks.
    pub fn paste(&mut self, pasted: &str) -> bool {
        if !matches!(self.manner, Manner::Open | Manner::Masked) {
            return false;
        }
        for c in pasted.chars().take(64 * 1024) {
            let c = if c.is_control() { ' ' } else { c };
            self.input.handle(InputRequest::InsertChar(c));
        }
        true
    }

    /// Returns it as a line of `width` columns; the end of a long text is shown.
    pub fn line(&self, width: usize, focused: bool) -> Line {
        let label = format!("{:<9}", self.label);
        let token = if focused { Token::Strong } else { Token::Dim };
        if let Manner::OneOf(choices) = self.manner {
            let line = Line::new().own(token, label);
            let line = choices.iter().fold(line, |line, choice| {
                let (token, shown) = if *choice == self.value() {
                    (Token::Strong, format!("[{choice}]"))
                } else {
                    (Token::Dim, format!(" {choice} "))
                };
                line.own(token, shown)
            });
            return if focused { line.own(Token::Focus, "_") } else { line };
        }
        let typed = match self.manner {
            Manner::Masked => "*".repeat(self.input.value().chars().count().min(40)),
            Manner::Open | Manner::Typed | Manner::OneOf(_) => self.tail(width.saturating_sub(12)),
        };
        let line = Line::new().own(token, label).says(Token::Fg, &text::line(&typed));
        if focused { line.own(Token::Focus, "_") } else { line }
    }

    fn tail(&self, width: usize) -> String {
        let count = self.input.value().chars().count();
        self.input.value().chars().skip(count.saturating_sub(width)).collect()
    }
}

fn editing(code: KeyCode) -> Option<InputRequest> {
    const EDITS: &[(KeyCode, InputRequest)] = &[
        (KeyCode::Backspace, InputRequest::DeletePrevChar),
        (KeyCode::Delete, InputRequest::DeleteNextChar),
        (KeyCode::Left, InputRequest::GoToPrevChar),
        (KeyCode::Right, InputRequest::GoToNextChar),
        (KeyCode::Home, InputRequest::GoToStart),
        (KeyCode::End, InputRequest::GoToEnd),
    ];
    EDITS.iter().find(|(known, _)| *known == code).map(|(_, request)| *request)
}
