//! Find everywhere: tasks, agents, approvals, alerts and recent events that are loaded, while typing.

use crossterm::event::KeyCode;
use ratatui::layout::Rect;

use super::Outcome;
use crate::{
    format::short,
    keymap::Key,
    scene::{Intent, Scene},
    story,
    text::{self, Clean},
    theme::Token,
    widgets::{Canvas, Field, Line, rows},
};

/// How many rows are found at most.
const MOST: usize = 50;
/// How wide it is at most.
const WIDTH: u16 = 100;

/// Where a found row leads.
#[derive(Debug, Clone)]
enum Target {
    Task(mc_core::id::TaskId),
    Agent(mc_core::agent::AgentName),
    Approval(mc_core::id::ApprovalId),
    Alert(mc_core::id::AlertId),
}

#[derive(Debug, Clone)]
struct Found {
    /// How well it fits: the smaller the better.
    rank: u8,
    kind: &'static str,
    id: String,
    words: Clean,
    target: Target,
}

/// The dialog.
#[derive(Debug, Default)]
pub struct Find {
    field: Field,
    found: Vec<Found>,
    at: usize,
    is_old: bool,
}

impl Find {
    /// Opens it.
    pub fn new() -> Self {
        Self { field: Field::optional("find"), found: Vec::new(), at: 0, is_old: false }
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key, scene: &Scene) -> Outcome {
        let last = self.found.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc => return Outcome::Close,
            _ if key == Key::control('c') => return Outcome::Close,
            KeyCode::Down => self.at = (self.at + 1).min(last),
            KeyCode::Up => self.at = self.at.saturating_sub(1),
            KeyCode::Enter => return self.open(),
            _ => {
                self.field.press(key);
                self.search(scene);
            }
        }
        Outcome::Stay
    }

    /// Takes in a paste.
    pub fn paste(&mut self, pasted: &str) -> Outcome {
        self.field.paste(pasted);
        self.is_old = true;
        Outcome::Stay
    }

    /// Searches anew for what was pasted.
    pub fn watch(&mut self, scene: &Scene) {
        if std::mem::take(&mut self.is_old) {
            self.search(scene);
        }
    }

    fn open(&self) -> Outcome {
        let Some(found) = self.found.get(self.at) else {
            return Outcome::Refuse("nothing is found");
        };
        Outcome::Go(Box::new(match found.target.clone() {
            Target::Task(task) => Intent::OpenTask(task),
            Target::Agent(agent) => Intent::OpenAgent(agent),
            Target::Approval(approval) => Intent::OpenApproval(approval),
            Target::Alert(alert) => Intent::OpenAlert(alert),
        }))
    }

    fn search(&mut self, scene: &Scene) {
        let wanted = self.field.value().to_lowercase();
        self.at = 0;
        self.found.clear();
        if wanted.is_empty() {
            return;
        }
        let mut found: Vec<Found> =
            candidates(scene).filter_map(|one| ranked(one, &wanted)).collect();
        found.sort_by_key(|one| one.rank);
        found.truncate(MOST);
        self.found = found;
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let title = Line::new()
            .own(Token::Strong, " Find everywhere ")
            .own(Token::Dim, "in what is loaded ");
        let height = short(self.found.len().max(1)).saturating_add(4).clamp(6, 24);
        let inside = canvas.dialog(area, (WIDTH, height), &title);
        canvas.line(inside, &self.field.line(usize::from(inside.width), true));
        let list = Rect {
            y: inside.y.saturating_add(1),
            height: inside.height.saturating_sub(2),
            ..inside
        };
        if self.found.is_empty() {
            let words = if self.field.value().is_empty() {
                " a number, a name, words of a title or a command"
            } else {
                " nothing matches; older events and threads are not searched here"
            };
            canvas.line(list, &Line::new().own(Token::Dim, words));
        }
        let fits = usize::from(list.height).max(1);
        let top = (self.at + 1).saturating_sub(fits);
        for (place, (at, one)) in rows(list).zip(self.found.iter().enumerate().skip(top)) {
            let cursor = if at == self.at { ">" } else { " " };
            let line = Line::new()
                .own(Token::Strong, cursor)
                .own(Token::Dim, format!("{:<6} ", one.kind))
                .says(Token::Strong, &text::line(&one.id))
                .to_column(20)
                .own(Token::Fg, " ")
                .says(Token::Fg, &one.words);
            canvas.line(place, &line);
            if at == self.at {
                canvas.select(place);
            }
        }
        if inside.height > 1 {
            let count = self.found.len();
            let keys = format!(" {count} found   arrows move   Enter opens   Esc closes");
            let foot = Rect { y: inside.bottom() - 1, height: 1, ..inside };
            canvas.line(foot, &Line::new().own(Token::Dim, keys));
        }
    }
}

/// Ranks: the number itself, then a beginning, then anywhere.
fn ranked(mut one: Found, wanted: &str) -> Option<Found> {
    let id = one.id.to_lowercase();
    let words = one.words.as_str().to_lowercase();
    one.rank = if id == wanted {
        0
    } else if id.starts_with(wanted) {
        1
    } else if words.starts_with(wanted) {
        2
    } else if words.contains(wanted) || id.contains(wanted) {
        3
    } else {
        return None;
    };
    Some(one)
}

fn candidates(scene: &Scene) -> impl Iterator<Item = Found> + '_ {
    let world = &scene.world;
    let found = |kind, id: String, words: Clean, target| Found { rank: 9, kind, id, words, target };
    let tasks = world.tasks.values().rev().map(move |task| {
        found("task", task.id.to_string(), text::line(&task.title), Target::Task(task.id))
    });
    let agents = world.agents.values().map(move |view| {
        let agent = &view.agent;
        let words = format!("{}, {}", story::word(&agent.autonomy), story::word(&agent.status));
        let target = Target::Agent(agent.name.clone());
        found("agent", agent.name.to_string(), text::line(&words), target)
    });
    let approvals = world.approvals.values().rev().map(move |one| {
        let target = Target::Approval(one.id);
        let words = format!("{}: {}", one.agent, one.summary);
        found("asked", one.id.to_string(), text::line(&words), target)
    });
    let alerts = world.alerts.values().rev().map(move |one| {
        found("alert", one.id.to_string(), text::line(&one.text), Target::Alert(one.id))
    });
    let events = world.feed.iter().rev().take(1_000).filter_map(move |event| {
        let task = event.event.task()?;
        Some(found("event", format!("e{}", event.seq), story::line(event), Target::Task(task)))
    });
    tasks.chain(agents).chain(approvals).chain(alerts).chain(events)
}
