//! One of several: a short list with digits.

use crossterm::event::KeyCode;
use ratatui::layout::Rect;

use super::Outcome;
use crate::{
    format::short,
    keymap::Key,
    scene::Intent,
    theme::Token,
    widgets::{Canvas, Line, rows},
};

/// One choice.
#[derive(Debug)]
pub struct Choice {
    /// In words.
    pub label: Line,
    /// What it opens; `None` when it is not open, and then the label says why.
    pub opens: Option<Intent>,
}

/// The menu.
#[derive(Debug)]
pub struct Menu {
    title: String,
    choices: Vec<Choice>,
    at: usize,
}

impl Menu {
    /// Returns a menu. `title` holds our own words only.
    pub fn new(title: impl Into<String>, choices: Vec<Choice>) -> Self {
        Self { title: title.into(), choices, at: 0 }
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Outcome {
        let last = self.choices.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Outcome::Close,
            KeyCode::Char('c') if key == Key::control('c') => return Outcome::Close,
            KeyCode::Char('j') | KeyCode::Down => self.at = (self.at + 1).min(last),
            KeyCode::Char('k') | KeyCode::Up => self.at = self.at.saturating_sub(1),
            KeyCode::Char(digit @ '1'..='9') => {
                let at = usize::from(digit as u8 - b'1');
                if at > last {
                    return Outcome::Stay;
                }
                self.at = at;
                return self.choose();
            }
            KeyCode::Enter => return self.choose(),
            _ => {}
        }
        Outcome::Stay
    }

    fn choose(&mut self) -> Outcome {
        let opens = self.choices.get_mut(self.at).and_then(|choice| choice.opens.take());
        opens.map_or(
            Outcome::Refuse("this one is not open: the reason stands beside it"),
            |intent| Outcome::Go(Box::new(intent)),
        )
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let title = Line::new().own(Token::Strong, format!(" {} ", self.title));
        let inside = canvas.dialog(area, (60, (short(self.choices.len()) + 3).max(6)), &title);
        let fits = usize::from(inside.height.saturating_sub(1)).max(1);
        let top = (self.at + 1).saturating_sub(fits);
        for (place, (at, choice)) in
            rows(inside).zip(self.choices.iter().enumerate().skip(top).take(fits))
        {
            let cursor = if at == self.at { ">" } else { " " };
            let number = Line::new().own(Token::Key, format!("{cursor}{} ", at + 1));
            let label = choice.label.clone();
            let label = if choice.opens.is_some() { label } else { label.all(Token::Dim) };
            canvas.line(place, &number.then(label));
            if at == self.at {
                canvas.select(place);
            }
        }
        if inside.height > 1 {
            let keys = Line::new().own(Token::Dim, "digit or Enter chooses, Esc closes");
            canvas.line(Rect { y: inside.bottom() - 1, height: 1, ..inside }, &keys);
        }
    }
}
