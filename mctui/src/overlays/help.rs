//! Help: the keymap as it is, searched while typing, and the legend.

use crossterm::event::KeyCode;
use ratatui::layout::Rect;

use super::Outcome;
use crate::{
    format::short,
    keymap::{self, Context, Key},
    theme::Token,
    widgets::{Canvas, Field, Line},
};

/// The help.
#[derive(Debug)]
pub struct Help {
    context: Context,
    search: Field,
    scroll: usize,
}

const LEGEND: &[&str] = &[
    "(G) green  <Y> yellow  [R!] red  [C] critical  [W] warning",
    "~ sent, not confirmed   \" an agent's own words   rec recorded fact",
    "? not known, never zero   (!) hidden characters were in this text",
];

impl Help {
    /// Opens the help of a screen.
    pub fn new(context: Context) -> Self {
        Self { context, search: Field::optional("search"), scroll: 0 }
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Outcome {
        match key.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('?') => return Outcome::Close,
            _ if key == Key::control('c') => return Outcome::Close,
            KeyCode::Down => {
                self.scroll = (self.scroll + 1).min(self.lines().len().saturating_sub(1));
            }
            KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown => {
                self.scroll = (self.scroll + 10).min(self.lines().len().saturating_sub(1));
            }
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            _ => {
                self.search.press(key);
                self.scroll = 0;
            }
        }
        Outcome::Stay
    }

    fn lines(&self) -> Vec<Line> {
        let wanted = self.search.value().to_lowercase();
        let rows =
            keymap::rows(self.context).filter(|row| row.help.to_lowercase().contains(&wanted));
        let mut lines: Vec<Line> = rows
            .map(|row| {
                let keys: Vec<String> = row.keys.iter().map(|key| key.name()).collect();
                Line::new()
                    .own(Token::Key, format!(" {:<12} ", keys.join(" ")))
                    .own(Token::Fg, row.help)
            })
            .collect();
        if wanted.is_empty() {
            lines.push(Line::new());
            lines.extend(LEGEND.iter().map(|line| Line::new().own(Token::Dim, format!(" {line}"))));
        }
        lines
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let lines = self.lines();
        let title = Line::new()
            .own(Token::Strong, " Help ")
            .own(Token::Dim, "type to search, arrows scroll, Esc closes ");
        let inside =
            canvas.dialog(area, (78, short(lines.len()).saturating_add(3).min(22)), &title);
        canvas.line(inside, &self.search.line(usize::from(inside.width), true));
        let rest = Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside };
        canvas.lines(rest, lines.iter().skip(self.scroll));
    }
}
