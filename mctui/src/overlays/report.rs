//! Something to read: one receipt for each of a decided set, and the like. It decides nothing.

use crossterm::event::KeyCode;
use mc_proto::method::approval::DecidedSet;
use ratatui::layout::Rect;

use super::Outcome;
use crate::{
    format::short,
    keymap::Key,
    text,
    theme::Token,
    widgets::{Canvas, Line},
};

/// How wide it is at most.
const WIDTH: u16 = 90;

/// What is read.
#[derive(Debug)]
pub struct Report {
    title: String,
    lines: Vec<Line>,
    scroll: usize,
}

impl Report {
    /// Returns a report. `title` holds our own words only.
    pub fn new(title: impl Into<String>, lines: Vec<Line>) -> Self {
        Self { title: title.into(), lines, scroll: 0 }
    }

    /// Returns one receipt for each of a decided set, in the daemon's words.
    pub fn receipts(set: &DecidedSet) -> Self {
        let done = set.receipts.iter().filter(|receipt| receipt.event.is_some()).count();
        let lines = set.receipts.iter().map(|receipt| {
            let words = text::line(&receipt.text);
            let id = receipt.approval.to_string();
            // The daemon's words usually begin with the number.
            let is_named = words.as_str().contains(&id);
            let id = if is_named { String::new() } else { format!("{id} ") };
            match receipt.event {
                Some(event) => Line::new()
                    .own(Token::Strong, id)
                    .says(Token::Ok, &words)
                    .own(Token::Dim, format!(" ({event})")),
                None => Line::new()
                    .own(Token::Strong, id)
                    .own(Token::Crit, "not decided: ")
                    .says(Token::Crit, &words),
            }
        });
        let title = format!("{done} of {} decided", set.receipts.len());
        Self::new(title, lines.collect())
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Outcome {
        match key.code {
            KeyCode::Char('j') | KeyCode::Down => self.scroll += 1,
            KeyCode::Char('k') | KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char('J' | ' ') => self.scroll += 10,
            KeyCode::PageUp | KeyCode::Char('K') => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => return Outcome::Close,
            _ if key == Key::control('c') => return Outcome::Close,
            _ => {}
        }
        Outcome::Stay
    }

    fn wrapped(&self, area: Rect) -> Vec<Line> {
        let width = usize::from(area.width.min(WIDTH)).saturating_sub(2);
        self.lines.iter().flat_map(|line| line.wrap(width, 4)).collect()
    }

    /// Keeps the scrolling within what there is.
    pub fn drawn(&mut self, area: Rect) -> bool {
        let before = self.scroll;
        let fits = usize::from(area.height.saturating_sub(3)).max(1);
        self.scroll = before.min(self.wrapped(area).len().saturating_sub(fits));
        before != self.scroll
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let lines = self.wrapped(area);
        let title = Line::new()
            .own(Token::Strong, format!(" {} ", self.title))
            .own(Token::Dim, "j scrolls, Esc closes ");
        let height = short(lines.len()).saturating_add(2).max(6);
        let inside = canvas.dialog(area, (WIDTH, height), &title);
        let fits = usize::from(inside.height);
        let scroll = self.scroll.min(lines.len().saturating_sub(fits));
        canvas.lines(inside, lines.iter().skip(scroll));
        canvas.cursor = Some((inside.x, inside.y));
    }
}
