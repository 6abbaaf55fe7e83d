//! The end of an emergency stop for some of the tasks: which of those that it blocked go back to
//! where they were. A mark holds what was on the screen.

use std::collections::BTreeSet;

use crossterm::event::KeyCode;
use mc_core::{agent::AgentName, id::TaskId, squad::StoppedTask};
use ratatui::layout::Rect;

use super::{Outcome, Overlay, forms};
use crate::{
    format::short,
    keymap::Key,
    scene::Scene,
    text,
    theme::Token,
    widgets::{Canvas, Line, Listing, rows},
};

/// How wide it is at most.
const WIDTH: u16 = 100;

/// A task that the stop blocked, as it is shown.
#[derive(Debug, Clone)]
struct Row {
    stopped: StoppedTask,
    agents: Vec<AgentName>,
    line: Line,
}

/// The list.
#[derive(Debug, Default)]
pub struct Resume {
    rows: Vec<Row>,
    /// How many there are; the first of them are the rows.
    count: usize,
    list: Listing<TaskId>,
    marks: BTreeSet<TaskId>,
    obstacle: Option<String>,
}

impl Resume {
    /// Opens it; nothing is marked.
    pub fn new(scene: &Scene) -> Self {
        let mut resume = Self::default();
        resume.watch(scene);
        resume
    }

    /// Takes in what waits to be moved back now: a mark of what went, or of what was in another
    /// state, is no mark any more.
    pub fn watch(&mut self, scene: &Scene) {
        self.obstacle = scene.obstacle();
        let stopped = &scene.world.squad.stopped;
        let stands = |task: &TaskId| {
            let before = self.rows.iter().find(|row| row.stopped.task == *task);
            before.is_some_and(|row| stopped.contains(&row.stopped))
        };
        let marks = self.marks.iter().filter(|task| stands(task)).copied().collect();
        self.marks = marks;
        self.rows = stopped.iter().map(|one| row(*one, scene)).collect();
        let count = usize::try_from(scene.world.squad.stopped_count).unwrap_or(0);
        self.count = count.max(self.rows.len());
        self.list.settle(stopped.iter().map(|one| one.task).collect());
    }

    fn selected(&self) -> Option<&Row> {
        let id = self.list.selected()?;
        self.rows.iter().find(|row| row.stopped.task == *id)
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Outcome {
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Outcome::Close,
            _ if key == Key::control('c') => return Outcome::Close,
            KeyCode::Char(' ') => {
                let one = self.list.selected().copied();
                self.toggle(one.into_iter().collect());
                self.list.step(1);
            }
            KeyCode::Char('A') => {
                let theirs = self.of_the_same();
                self.toggle(theirs);
            }
            KeyCode::Char('V') => self.toggle(self.list.ids().to_vec()),
            KeyCode::Enter => return self.confirm(),
            _ => self.list.turn(key.code),
        }
        Outcome::Stay
    }

    /// Returns the tasks of the agents who have the one under the cursor.
    fn of_the_same(&self) -> Vec<TaskId> {
        let Some(selected) = self.selected() else { return Vec::new() };
        let shares = |row: &&Row| {
            row.stopped.task == selected.stopped.task
                || row.agents.iter().any(|agent| selected.agents.contains(agent))
        };
        self.rows.iter().filter(shares).map(|row| row.stopped.task).collect()
    }

    /// Marks all of these, or none where all were marked.
    fn toggle(&mut self, tasks: Vec<TaskId>) {
        if tasks.iter().all(|task| self.marks.contains(task)) {
            self.marks.retain(|task| !tasks.contains(task));
        } else {
            self.marks.extend(tasks);
        }
    }

    fn confirm(&self) -> Outcome {
        if self.obstacle.is_some() {
            return Outcome::Refuse("nothing can be sent now: see row 1, or your role");
        }
        if self.marks.is_empty() {
            return Outcome::Refuse("nothing is marked: space marks, V marks all");
        }
        let left = self.count - self.marks.len();
        let form = forms::resume_some(self.marks.iter().copied().collect(), left);
        Outcome::Over(Box::new(Overlay::Form(form)))
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let height = short(self.rows.len().max(1)).saturating_add(3).max(6);
        let first = if self.count > self.rows.len() {
            format!(", the first {} are here", self.rows.len())
        } else {
            String::new()
        };
        let title = Line::new()
            .own(Token::Strong, " Resume some ")
            .own(Token::Dim, format!("{} of {} marked{first} ", self.marks.len(), self.count));
        let inside = canvas.dialog(area, (WIDTH, height), &title);
        let list = Rect { height: inside.height.saturating_sub(1), ..inside };
        if self.rows.is_empty() {
            let none = " no task is left that a stop has blocked";
            canvas.line(list, &Line::new().own(Token::Dim, none));
        }
        let (ids, ..) = self.list.window(usize::from(list.height.max(1)));
        for (place, id) in rows(list).zip(ids) {
            let Some(row) = self.rows.iter().find(|row| row.stopped.task == *id) else { continue };
            let is_selected = self.list.selected() == Some(id);
            let cursor = if is_selected { ">" } else { " " };
            let (token, mark) =
                if self.marks.contains(id) { (Token::Key, "x ") } else { (Token::Dim, ". ") };
            let start = Line::new().own(Token::Strong, cursor).own(token, mark);
            canvas.line(place, &start.then(row.line.clone()));
            if is_selected {
                canvas.select(place);
            }
        }
        let keys = if area.width < 90 {
            "space marks  A agent  V all  Enter"
        } else {
            "space marks   A all of its agent   V all   Enter resumes the marked…   Esc closes"
        };
        let below = Rect { y: list.bottom(), height: inside.height - list.height, ..inside };
        canvas.line(below, &Line::new().own(Token::Strong, keys));
    }
}

fn row(stopped: StoppedTask, scene: &Scene) -> Row {
    let card = scene.world.tasks.get(&stopped.task);
    let agents = card.map(|card| card.assignees.clone()).unwrap_or_default();
    let names: Vec<&str> = agents.iter().map(AgentName::as_str).collect();
    let line = Line::new()
        .own(Token::Fg, format!("{:<7} {:<14} ", stopped.task.to_string(), stopped.from.title()))
        .says(Token::Strong, &text::line(&format!("{:<10} ", names.join(","))));
    let line = match card {
        Some(card) => line.says(Token::Fg, &text::line(&card.title)),
        None => line.own(Token::Dim, "?"),
    };
    Row { stopped, agents, line }
}
