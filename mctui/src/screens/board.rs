//! The board: eight columns, and the five answers of the card under the cursor.

use mc_core::{
    id::TaskId,
    task::{TaskCard, TaskState},
};
use ratatui::layout::Rect;

use super::answers::Known;
use crate::{
    format::{left, money, short},
    keymap::Action,
    overlays::{Overlay, forms, schedules::Schedules},
    scene::{Intent, Scene},
    text,
    theme::{Token, badge},
    widgets::{Canvas, Line, Listing, Shape, Tall, Wide},
};

/// The board.
#[derive(Debug, Clone)]
pub struct Board {
    columns: [Listing<TaskId>; 8],
    column: usize,
    /// How many lines a card has: 1 to 3.
    pub density: u16,
    /// The answers of the card under the cursor.
    pub answers: Known,
}

impl Default for Board {
    fn default() -> Self {
        Self { columns: Default::default(), column: 0, density: 3, answers: Known::default() }
    }
}

impl Board {
    /// Returns the task under the cursor.
    pub fn selected(&self) -> Option<TaskId> {
        self.columns.get(self.column)?.selected().copied()
    }

    /// Returns the state whose column has the cursor.
    pub fn state(&self) -> TaskState {
        TaskState::ALL.get(self.column).copied().unwrap_or_default()
    }

    /// Takes in what the world holds now. Rows keep their places until the operator moves.
    pub fn merge(&mut self, scene: &Scene) {
        let with_cursor = self.column;
        for (at, state) in TaskState::ALL.into_iter().enumerate() {
            let Some(column) = self.columns.get_mut(at) else { continue };
            let now = current(scene, state);
            if at == with_cursor {
                column.merge(&now);
            } else {
                column.settle(now);
                column.loosen();
            }
        }
    }

    /// Puts the cursor into the first column that has something for a person.
    pub fn begin(&mut self, scene: &Scene) {
        use TaskState::{Blocked, InProgress, Inbox, NeedsApproval, Review};
        let order = [NeedsApproval, Review, Blocked, InProgress, Inbox];
        let first = order.into_iter().find(|state| scene.world.count(*state) > 0);
        self.column = TaskState::ALL.iter().position(|one| Some(*one) == first).unwrap_or(0);
        self.settle(scene);
    }

    /// Sorts every column anew.
    pub fn settle(&mut self, scene: &Scene) {
        for (state, column) in TaskState::ALL.into_iter().zip(&mut self.columns) {
            column.settle(current(scene, state));
        }
    }

    /// Puts the cursor on `task`, wherever it is.
    pub fn select(&mut self, task: TaskId, scene: &Scene) {
        self.settle(scene);
        let found = self.columns.iter_mut().position(|column| column.select(&task));
        self.column = found.unwrap_or(self.column);
    }

    /// Notes how many cards fit.
    pub fn fit(&mut self, area: Rect, shape: Shape) {
        let fits = usize::from(Self::rows(area, shape) / self.density);
        for column in &mut self.columns {
            column.fit(fits);
        }
    }

    /// Takes in an action.
    pub fn update(&mut self, action: Action, scene: &Scene, rows: u16) -> Option<Intent> {
        let half = isize::try_from(rows / self.density / 2).unwrap_or(1).max(1);
        let step = match action {
            Action::Down => 1,
            Action::Up => -1,
            Action::HalfDown => half,
            Action::HalfUp => -half,
            Action::First => isize::MIN / 2,
            Action::Last => isize::MAX / 2,
            _ => return self.act(action, scene),
        };
        self.settle(scene);
        if let Some(column) = self.columns.get_mut(self.column) {
            column.step(step);
        }
        None
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Option<Intent> {
        let task = self.selected();
        match action {
            Action::Left | Action::PrevPane => {
                self.settle(scene);
                self.column = self.column.saturating_sub(1);
                None
            }
            Action::Right | Action::NextPane => {
                self.settle(scene);
                self.column = (self.column + 1).min(7);
                None
            }
            Action::Density => {
                self.density = if self.density == 1 { 3 } else { self.density - 1 };
                None
            }
            Action::Open => task.map(Intent::OpenTask),
            Action::New => Some(forms::new_task()),
            Action::Schedules => {
                Some(Intent::Look(Box::new(Overlay::Schedules(Schedules::default()))))
            }
            Action::Move => task.map(|task| forms::move_task(task, scene)),
            Action::Assign => task.map(|task| forms::assign(task, scene)),
            Action::Comment => task.map(forms::comment),
            _ => None,
        }
    }

    /// Returns how many rows the cards have in `area`.
    pub fn rows(area: Rect, shape: Shape) -> u16 {
        let borders = if shape.is_boxed() { 2 } else { 1 };
        let (above, below) = (above(shape), below(shape));
        area.height.saturating_sub(above + below + borders)
    }

    /// Draws the board.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
        let shape = Shape::of(canvas.area());
        let (above, below) = (above(shape), below(shape));
        if above > 0 {
            canvas.line(Rect { height: above, ..area }, &strip(scene, self.state()));
        }
        let height = area.height.saturating_sub(above + below);
        let top = Rect { y: area.y + above, height, ..area };
        let shown = self.shown(shape.wide);
        let count = short(shown.len()).max(1);
        let boxed = shape.is_boxed();
        let shared = u16::from(boxed);
        let across = top.width.saturating_sub(shared);
        let edge =
            |at: u16| top.x + short(usize::from(across) * usize::from(at) / usize::from(count));
        for (at, column) in (0..).zip(shown) {
            let x = edge(at);
            let width = edge(at + 1) + shared - x;
            self.column(canvas, Rect { x, width, ..top }, (column, shape), scene);
            if boxed && at > 0 {
                canvas.join(top, x);
            }
        }
        if below > 0 {
            self.below(canvas, Rect { y: top.bottom(), height: below, ..area }, scene);
        }
    }

    /// Returns the columns that fit, those around the cursor.
    fn shown(&self, wide: Wide) -> std::ops::Range<usize> {
        match wide {
            Wide::List | Wide::One => self.column..self.column + 1,
            Wide::Window => {
                let start = self.column.saturating_sub(1).min(5);
                start..start + 3
            }
            Wide::Six if self.column < 6 => 0..6,
            Wide::Six => 2..8,
            Wide::Eight => 0..8,
        }
    }

    fn column(
        &self,
        canvas: &mut Canvas<'_>,
        area: Rect,
        (at, shape): (usize, Shape),
        scene: &Scene,
    ) {
        let state = TaskState::ALL.get(at).copied().unwrap_or_default();
        let has_cursor = at == self.column;
        let (token, words) =
            if has_cursor { (Token::Focus, Token::Strong) } else { (Token::Border, Token::Fg) };
        let count = scene.world.count(state);
        let title = Line::new().own(words, format!("{} {count}", state.title()));
        let inside = if shape.is_boxed() {
            canvas.framed(area, &title, token)
        } else {
            canvas.line(
                area,
                &title.own(
                    Token::Dim,
                    if has_cursor { format!("  {}/8", at + 1) } else { String::new() },
                ),
            );
            Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
        };
        let Some(listing) = self.columns.get(at) else { return };
        if listing.ids().is_empty() {
            let why = match (count, scene.query.is_empty()) {
                (0, _) if state == TaskState::Inbox => "empty: + makes a task",
                (0, _) | (_, true) => "",
                (_, false) => "none matches: Esc",
            };
            canvas.line(inside, &Line::new().own(Token::Dim, format!(" {why}")));
            return;
        }
        let fits = usize::from((inside.height / self.density).max(1));
        let (ids, above, below) = listing.window(fits);
        for (row, id) in (0..).zip(ids) {
            let place = Rect {
                y: inside.y + row * self.density,
                height: self.density.min(inside.height.saturating_sub(row * self.density)),
                ..inside
            };
            let lines = self.card(*id, state, (scene, usize::from(inside.width)));
            canvas.lines(place, &lines);
            if has_cursor && listing.selected() == Some(id) {
                canvas.select(Rect { height: 1.min(place.height), ..place });
            }
        }
        canvas.hidden(area, inside, (above, below));
    }

    /// Returns the lines of a card, as many as the density says.
    fn card(&self, id: TaskId, state: TaskState, (scene, width): (&Scene, usize)) -> Vec<Line> {
        let Some(task) = scene.world.tasks.get(&id) else {
            return vec![Line::new().own(Token::Dim, format!(" {id} gone"))];
        };
        let cursor = if self.selected() == Some(id) { ">" } else { " " };
        let title = text::line(&task.title);
        let badge = risk_badge(task, scene);
        if task.state != state {
            let went = format!("{cursor}{id} → {}", task.state.title());
            return vec![
                Line::new().own(Token::Dim, went),
                Line::new().own(Token::Dim, " ").says(Token::Dim, &title),
            ];
        }
        let pending = if scene.is_pending(id) { "~" } else { "" };
        let since = format!(" {pending}{}", scene.when(task.state_since));
        let urgent = if task.priority <= 1 { Token::Warn } else { Token::Dim };
        let head = Line::new().own(Token::Strong, format!("{cursor}{id} "));
        let priority = Line::new().own(urgent, format!("p{} ", task.priority));
        // Where not both fit, the badge is more urgent than the priority.
        let both = head.width() + badge.width() + priority.width() + since.len() <= width;
        let head = if both || badge.width() == 0 { head.then(priority) } else { head };
        let room = width.saturating_sub(since.len());
        let last = Line::new().own(Token::Dim, since);
        match self.density {
            1 => vec![head.then(badge).says(Token::Fg, &title).to_column(room).then(last)],
            2 => vec![
                head.then(badge).to_column(room).then(last),
                Line::new().own(Token::Fg, " ").says(Token::Fg, &title),
            ],
            _ => vec![
                head.then(badge).to_column(room).then(last),
                Line::new().own(Token::Fg, " ").says(Token::Fg, &title),
                foot(task, scene, width),
            ],
        }
    }

    fn below(&self, canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
        let width = usize::from(area.width.min(160));
        let Some(task) = self.selected().and_then(|id| scene.world.tasks.get(&id)) else {
            canvas.line(area, &Line::new().own(Token::Dim, " nothing under the cursor"));
            return;
        };
        if area.height == 1 {
            canvas.line(area, &self.answers.next(width));
            return;
        }
        let world = &scene.world;
        let closed = Line::new().own(
            Token::Dim,
            format!(
                " Done {} · Canceled {}",
                world.count(TaskState::Done),
                world.count(TaskState::Canceled)
            ),
        );
        canvas.line(area, &closed);
        let mut head = Line::new()
            .own(Token::Strong, format!(" {} ", task.id))
            .says(Token::Strong, &text::line(&task.title));
        for label in task.labels.iter().take(3) {
            head = head.own(Token::Dim, " #").says(Token::Dim, &text::line(label));
        }
        let facts = format!("updated {} · rev {} ", scene.when(task.updated_at), task.rev);
        let head =
            head.to_column(width.saturating_sub(facts.chars().count())).own(Token::Dim, facts);
        let mut lines = vec![head];
        lines.extend(self.answers.lines(width));
        canvas.lines(Rect { y: area.y + 1, height: area.height - 1, ..area }, &lines);
    }
}

fn current(scene: &Scene, state: TaskState) -> Vec<TaskId> {
    let cards = scene.world.column(state);
    cards.into_iter().filter(|task| scene.shows(task)).map(|task| task.id).collect()
}

fn risk_badge(task: &TaskCard, scene: &Scene) -> Line {
    match scene.world.approval_of(task.id) {
        Some(approval) => {
            Line::new().own(Token::risk(approval.risk), format!("{} ", badge(approval.risk)))
        }
        None => Line::new(),
    }
}

/// The last line of a card: who works on it, what holds it up, what it costs.
fn foot(task: &TaskCard, scene: &Scene, width: usize) -> Line {
    let cost =
        Line::new().own(Token::Money, format!(" {}", money(task.spent_uusd, task.cost_state)));
    let mut line = Line::new().own(Token::Dim, " ");
    // Before the agent: on a narrow card it is the agent that gives way.
    if let Some(waits) = scene.world.waits_of(task).filter(|waits| !waits.is_over()) {
        line = line.own(Token::Warn, format!("{} ", waits.short()));
    }
    line = match task.assignees.first() {
        Some(agent) => line.says(Token::Fg, &text::line(agent)),
        None => line.own(Token::Dim, "-"),
    };
    if let Some(approval) = scene.world.approval_of(task.id) {
        let left = left(scene.time(), approval.expires_at);
        line = line.own(Token::Warn, format!(" {left}"));
    } else if let Some(reason) = &task.blocked_reason {
        line = line.own(Token::Dim, " ").says(Token::Warn, &text::line(reason));
    }
    line.to_column(width.saturating_sub(cost.width())).then(cost)
}

/// How many rows stand above the columns: the strip, where not all of them have room.
fn above(shape: Shape) -> u16 {
    let is_cut = matches!(shape.wide, Wide::One | Wide::Window);
    u16::from(is_cut && shape.tall > Tall::Tiny)
}

/// How many rows stand below the columns: the answers, or the next step alone.
fn below(shape: Shape) -> u16 {
    match shape.tall {
        Tall::High => 7,
        Tall::Middle => 1,
        Tall::Low | Tall::Tiny => 0,
    }
}

/// Returns the strip with the counts of all states.
fn strip(scene: &Scene, open: TaskState) -> Line {
    const SHORT: [&str; 8] = ["Inb", "Asg", "Prog", "Rev", "Appr", "Blk", "Done", "Can"];
    let mut line = Line::new().own(Token::Fg, " ");
    for (state, name) in TaskState::ALL.into_iter().zip(SHORT) {
        let count = scene.world.count(state);
        line = if state == open {
            line.own(Token::Strong, format!("[{name} {count}] "))
        } else {
            line.own(Token::Dim, format!("{name}{count} "))
        };
    }
    line
}
