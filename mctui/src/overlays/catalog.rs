//! A dialog with a list that the daemon is asked for: rows above, everything about the one under the
//! cursor below, the keys in the last line. What is listed says how a row and its facts look.

use std::hash::Hash;

use crossterm::event::KeyCode;
use mc_core::time::Timestamp;
use ratatui::layout::Rect;

use super::Outcome;
use crate::{
    format::short,
    keymap::Key,
    scene::Scene,
    theme::Token,
    widgets::{Canvas, Line, Listing, rows},
};

/// How wide it is at most.
const WIDTH: u16 = 110;
/// From this height on there is room for facts.
const TALL: u16 = 14;

/// Something that is listed.
pub trait Entry {
    /// What it is known by.
    type Id: Copy + Eq + Hash;

    /// Returns what it is known by.
    fn id(&self) -> Self::Id;

    /// Returns its row, without the cursor, for so many columns.
    fn row(&self, now: Timestamp, width: u16) -> Line;

    /// Returns all about it; further lines of a fact stand in by `INDENT`.
    fn facts(&self, now: Timestamp) -> Vec<Line>;

    /// How far facts stand in behind their labels.
    const INDENT: usize;
}

/// The words of a dialog.
#[derive(Debug)]
pub struct Words {
    /// What is listed.
    pub title: &'static str,
    /// What it is good for.
    pub about: &'static str,
    /// What an empty list says.
    pub none: &'static str,
    /// The keys, where they fit.
    pub keys: &'static str,
    /// The keys on a narrow screen.
    pub few_keys: &'static str,
}

/// The list, and what is known.
#[derive(Debug)]
pub struct Catalog<T: Entry> {
    known: Option<Vec<T>>,
    list: Listing<T::Id>,
    is_asked: bool,
    /// The daemon's time.
    pub now: Timestamp,
    obstacle: Option<String>,
}

impl<T: Entry> Default for Catalog<T> {
    fn default() -> Self {
        Self {
            known: None,
            list: Listing::default(),
            is_asked: false,
            now: Timestamp::default(),
            obstacle: None,
        }
    }
}

impl<T: Entry> Catalog<T> {
    /// Says whether the list has to be asked for, and notes that it is.
    pub const fn wants(&mut self) -> bool {
        !std::mem::replace(&mut self.is_asked, true)
    }

    /// The list is asked again: something in it changed, or the link was lost.
    pub const fn touch(&mut self) {
        self.is_asked = false;
    }

    /// Takes in the list.
    pub fn take(&mut self, known: Vec<T>) {
        self.list.settle(known.iter().map(Entry::id).collect());
        self.known = Some(known);
    }

    /// Takes in the time and whether anything can be sent.
    pub fn watch(&mut self, scene: &Scene) {
        self.now = scene.time();
        self.obstacle = scene.obstacle();
    }

    /// Returns what is under the cursor.
    pub fn selected(&self) -> Option<&T> {
        self.find(*self.list.selected()?)
    }

    fn find(&self, id: T::Id) -> Option<&T> {
        self.known.iter().flatten().find(|one| one.id() == id)
    }

    /// Returns what is under the cursor for an act on it, or why there can be none.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn to_act_on(&self, nothing: &'static str) -> Result<&T, Outcome> {
        let one = self.selected().ok_or(Outcome::Refuse(nothing))?;
        let refusal = "nothing can be sent now: see row 1, or your role";
        if self.obstacle.is_some() { Err(Outcome::Refuse(refusal)) } else { Ok(one) }
    }

    /// Takes in the keys that every such dialog has.
    pub fn press(&mut self, key: Key) -> Outcome {
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => Outcome::Close,
            _ if key == Key::control('c') => Outcome::Close,
            code => {
                self.list.turn(code);
                Outcome::Stay
            }
        }
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect, words: &Words) {
        let width = usize::from(area.width.min(WIDTH)).saturating_sub(2);
        let facts = self.selected().filter(|_| area.height >= TALL);
        let facts = facts.map(|one| one.facts(self.now)).unwrap_or_default();
        let facts: Vec<Line> = facts.iter().flat_map(|line| line.wrap(width, T::INDENT)).collect();
        let count = self.list.ids().len().max(1);
        let height = short(count + facts.len()).saturating_add(3).max(6);
        let title = Line::new()
            .own(Token::Strong, format!(" {} ", words.title))
            .own(Token::Dim, format!("{} ", words.about));
        let inside = canvas.dialog(area, (WIDTH, height), &title);
        let foot = short(facts.len()) + 1;
        let list = Rect { height: inside.height.saturating_sub(foot), ..inside };
        self.view_list(canvas, list, words.none);
        let below = Rect { y: list.bottom(), height: inside.height - list.height, ..inside };
        let keys = Line::new().own(Token::Strong, words.keys);
        let is_wide = keys.width() <= usize::from(inside.width);
        let keys = if is_wide { keys } else { Line::new().own(Token::Strong, words.few_keys) };
        canvas.lines(below, facts.iter().chain([&keys]));
    }

    fn view_list(&self, canvas: &mut Canvas<'_>, area: Rect, none: &'static str) {
        let words = match &self.known {
            None => Some(" loading…"),
            Some(known) if known.is_empty() => Some(none),
            Some(_) => None,
        };
        if let Some(words) = words {
            return canvas.line(area, &Line::new().own(Token::Dim, words));
        }
        let (ids, ..) = self.list.window(usize::from(area.height.max(1)));
        for (place, id) in rows(area).zip(ids) {
            let is_selected = self.list.selected() == Some(id);
            if let Some(one) = self.find(*id) {
                let cursor = if is_selected { ">" } else { " " };
                let line = Line::new().own(Token::Strong, cursor);
                canvas.line(place, &line.then(one.row(self.now, area.width)));
            }
            if is_selected {
                canvas.select(place);
            }
        }
    }
}
