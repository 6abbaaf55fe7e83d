//! The runs behind a number of the costs.

use crossterm::event::KeyCode;
use mc_core::id::TaskId;
use mc_proto::method::cost::{Rollup, RollupRow};
use ratatui::layout::Rect;

use super::Outcome;
use crate::{
    format::{short, tokens},
    keymap::Key,
    request::Call,
    scene::Intent,
    screens::cost::{Of, amount, ways},
    text,
    theme::Token,
    widgets::{Canvas, Line, rows},
};

/// How wide it is at most.
const WIDTH: u16 = 96;

/// The list.
#[derive(Debug)]
pub struct Spend {
    of: Of,
    day: String,
    known: Option<Vec<RollupRow>>,
    at: usize,
    is_asked: bool,
}

impl Spend {
    /// Opens the runs of `of` on `day`.
    pub const fn new(of: Of, day: String) -> Self {
        Self { of, day, known: None, at: 0, is_asked: false }
    }

    /// Returns what has to be asked.
    pub fn wants(&mut self) -> Option<Call> {
        if std::mem::replace(&mut self.is_asked, true) {
            return None;
        }
        let mut rollup = Rollup {
            by: self.of.words().to_vec(),
            since: Some(self.day.clone()),
            until: Some(self.day.clone()),
            limit: Some(200),
            ..Rollup::default()
        };
        match &self.of {
            Of::Task(task) => rollup.task = *task,
            Of::Agent(agent) => rollup.agent.clone_from(agent),
            Of::Model(_) | Of::Day(_) => {}
        }
        Some(Call::Spend(Box::new(rollup)))
    }

    /// Takes in the rows, the dearest first.
    pub fn take(&mut self, rows: Vec<RollupRow>) {
        self.known = Some(rows.into_iter().filter(|row| self.of.holds(row)).collect());
        self.at = 0;
    }

    /// The rows could not be had.
    pub fn failed(&mut self) {
        self.known.get_or_insert_default();
    }

    fn task(&self) -> Option<TaskId> {
        self.known.as_ref()?.get(self.at)?.task
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Outcome {
        let last = self.known.as_ref().map_or(0, |rows| rows.len().saturating_sub(1));
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Outcome::Close,
            _ if key == Key::control('c') => return Outcome::Close,
            KeyCode::Char('j') | KeyCode::Down => self.at = (self.at + 1).min(last),
            KeyCode::Char('k') | KeyCode::Up => self.at = self.at.saturating_sub(1),
            KeyCode::Char('g') | KeyCode::Home => self.at = 0,
            KeyCode::Char('G') | KeyCode::End => self.at = last,
            KeyCode::Enter => {
                return self
                    .task()
                    .map_or(Outcome::Refuse("this run belongs to no task"), |task| {
                        Outcome::Go(Box::new(Intent::OpenTask(task)))
                    });
            }
            _ => {}
        }
        Outcome::Stay
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let name = match &self.of {
            Of::Task(Some(task)) => text::line(&task.to_string()),
            Of::Agent(Some(agent)) => text::line(agent),
            Of::Model(Some(model)) => text::line(model),
            Of::Day(day) => text::line(day),
            Of::Task(None) | Of::Agent(None) | Of::Model(None) => text::line("nobody's account"),
        };
        let title = Line::new()
            .own(Token::Strong, " Runs of ")
            .says(Token::Strong, &name)
            .own(Token::Strong, format!(" on {} ", self.day));
        let count = self.known.as_ref().map_or(1, Vec::len).max(1);
        let inside = canvas.dialog(area, (WIDTH, short(count).saturating_add(4).max(6)), &title);
        let head = format!(
            " {:<7} {:<8} {:<14} {:>6} {:>5} {:>9}",
            "run", "task", "agent, model", "tokens", "calls", "$"
        );
        canvas.line(inside, &Line::new().own(Token::Dim, head));
        let list = Rect {
            y: inside.y.saturating_add(1),
            height: inside.height.saturating_sub(2),
            ..inside
        };
        match &self.known {
            None => canvas.line(list, &Line::new().own(Token::Dim, " loading…")),
            Some(rows) if rows.is_empty() => {
                canvas.line(list, &Line::new().own(Token::Dim, " no run is behind it"));
            }
            Some(known) => {
                let fits = usize::from(list.height).max(1);
                let top = (self.at + 1).saturating_sub(fits);
                for (place, (at, one)) in rows(list).zip(known.iter().enumerate().skip(top)) {
                    canvas.line(place, &row(one, at == self.at));
                    if at == self.at {
                        canvas.select(place);
                    }
                }
            }
        }
        if inside.height > 1 {
            let keys = Line::new().own(Token::Dim, " j/k move   Enter opens its task   Esc closes");
            canvas.line(Rect { y: inside.bottom() - 1, height: 1, ..inside }, &keys);
        }
    }
}

fn row(row: &RollupRow, is_selected: bool) -> Line {
    let named = |id: Option<String>| id.unwrap_or_else(|| "-".to_owned());
    let run = named(row.run.map(|run| run.to_string()));
    let task = named(row.task.map(|task| task.to_string()));
    let who = row.agent.as_ref().map(ToString::to_string).or_else(|| row.model.clone());
    let (token, amount) = amount(&row.sums);
    Line::new()
        .own(Token::Strong, if is_selected { ">" } else { " " })
        .own(Token::Fg, format!("{run:<7} {task:<8} "))
        .says(Token::Fg, &text::line(&named(who)))
        .to_column(32)
        .own(Token::Dim, format!(" {:>6} {:>5}", tokens(row.sums.tokens), row.sums.calls))
        .own(token, format!(" {amount:>9}"))
        .own(Token::Dim, format!("  {}", ways(&row.sums)))
}
