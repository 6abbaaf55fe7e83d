//! The passphrase: it raises the level of this session, and never carries a decision with it.

use crossterm::event::KeyCode;
use mc_proto::method::session;
use ratatui::layout::Rect;

use super::Outcome;
use crate::{
    format::short,
    keymap::Key,
    request::Call,
    text::{self, Clean},
    theme::Token,
    widgets::{Canvas, Field, Line, Manner},
};

/// The dialog.
#[derive(Debug)]
pub struct Unlock {
    field: Field,
    why: Line,
    is_sent: bool,
    error: Option<Clean>,
}

impl Unlock {
    /// Opens the dialog; `why` says which act needs it.
    pub fn new(why: Line) -> Self {
        Self {
            field: Field::needed("phrase").with(Manner::Masked),
            why,
            is_sent: false,
            error: None,
        }
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Outcome {
        match key.code {
            KeyCode::Esc => Outcome::Close,
            KeyCode::Char('c') if key == Key::control('c') => Outcome::Close,
            _ if self.is_sent => {
                Outcome::Refuse("sent already: the daemon takes its time on purpose")
            }
            KeyCode::Enter if !self.field.is_complete() => Outcome::Refuse("type it first"),
            KeyCode::Enter => {
                self.is_sent = true;
                Outcome::Ask(Call::Unlock(session::Unlock { passphrase: self.field.take() }))
            }
            _ => {
                self.field.press(key);
                Outcome::Stay
            }
        }
    }

    /// Takes in a paste.
    pub fn paste(&mut self, pasted: &str) -> Outcome {
        self.field.paste(pasted.trim_end_matches(['\r', '\n']));
        Outcome::Stay
    }

    /// Notes that the passphrase was not taken.
    pub fn failed(&mut self, why: &str) {
        self.is_sent = false;
        self.error = Some(text::line(why));
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let width = usize::from(area.width.min(64)).saturating_sub(2);
        let mut lines = self.why.wrap(width, 0);
        lines.push(self.field.line(width, true));
        if let Some(error) = &self.error {
            lines.extend(Line::new().own(Token::Crit, "").says(Token::Crit, error).wrap(width, 2));
        }
        lines.push(Line::new().own(
            Token::Strong,
            if self.is_sent {
                "~ asking the daemon"
            } else {
                "Enter unlocks, Esc closes; nothing else is sent"
            },
        ));
        let title = Line::new().own(Token::Strong, " Unlock ");
        let inside = canvas.dialog(area, (64, short(lines.len()) + 2), &title);
        let cut = lines.len().saturating_sub(usize::from(inside.height));
        canvas.lines(inside, lines.iter().skip(cut));
        canvas.cursor = Some((inside.x, inside.bottom().saturating_sub(1)));
    }
}
