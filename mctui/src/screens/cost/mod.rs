//! What work costs: by task, agent, model and day; budgets, and where the day will end.

mod rows;
mod summary;

pub use rows::{amount, of_budget, of_cap, ways};

use mc_core::{agent::AgentName, event::Event, id::TaskId, time::Timestamp};
use mc_proto::method::cost::{By, RollupRow};
use ratatui::layout::Rect;

use crate::{
    format::short,
    keymap::Action,
    overlays::{Overlay, spend::Spend},
    request::{Call, Costs},
    scene::{Intent, Scene},
    theme::Token,
    widgets::{Canvas, Line, Listing, Shape, Wide, rows as places},
};

/// Between two questions while costs come in, in milliseconds.
const PAUSE_MS: u64 = 3_000;

/// What costs are summed up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Task,
    Agent,
    Model,
    Day,
}

impl Group {
    const ALL: [Self; 4] = [Self::Task, Self::Agent, Self::Model, Self::Day];

    const fn word(self) -> &'static str {
        match self {
            Self::Task => "by task",
            Self::Agent => "by agent",
            Self::Model => "by model",
            Self::Day => "by day",
        }
    }
}

/// What a row sums up; without a name it is what could not be attributed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Of {
    /// A task.
    Task(Option<TaskId>),
    /// An agent.
    Agent(Option<AgentName>),
    /// A model.
    Model(Option<String>),
    /// A day, `YYYY-MM-DD`.
    Day(String),
}

impl Of {
    /// Says whether `row` is a part of it.
    pub fn holds(&self, row: &RollupRow) -> bool {
        match self {
            Self::Task(task) => *task == row.task,
            Self::Agent(agent) => *agent == row.agent,
            Self::Model(model) => *model == row.model,
            Self::Day(_) => true,
        }
    }

    /// Returns what its runs are summed up by, so that [`Self::holds`] can tell them.
    pub fn words(&self) -> [By; 3] {
        match self {
            Self::Task(_) | Self::Agent(_) => [By::Run, By::Agent, By::Task],
            Self::Model(_) | Self::Day(_) => [By::Run, By::Task, By::Model],
        }
    }
}

/// The costs.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    known: Option<Costs>,
    as_of: Timestamp,
    lists: [Listing<Of>; 4],
    group: usize,
    /// The day that is shown; `None` is today.
    day: Option<String>,
    is_asked: bool,
    is_old: bool,
    /// The first moment for the next question, on the steady clock.
    next_at: u64,
}

impl Cost {
    fn group(&self) -> Group {
        Group::ALL.get(self.group).copied().unwrap_or(Group::Task)
    }

    fn selected(&self) -> Option<&Of> {
        self.lists.get(self.group)?.selected()
    }

    /// Returns the task and the agent of the row under the cursor.
    pub fn about(&self) -> (Option<TaskId>, Option<AgentName>) {
        match self.selected() {
            Some(Of::Task(task)) => (*task, None),
            Some(Of::Agent(agent)) => (None, agent.clone()),
            Some(Of::Model(_) | Of::Day(_)) | None => (None, None),
        }
    }

    /// Returns what has to be asked so that the screen is current.
    pub fn wants(&mut self, steady: u64) -> Option<Call> {
        let is_wanted = self.known.is_none() || self.is_old;
        if self.is_asked || !is_wanted || steady < self.next_at {
            return None;
        }
        self.is_asked = true;
        self.is_old = false;
        self.next_at = steady + PAUSE_MS;
        Some(Call::Costs(self.day.clone()))
    }

    /// Returns when [`Self::wants`] has to be looked at, in milliseconds.
    pub fn due_in(&self, steady: u64) -> Option<u64> {
        let waits = !self.is_asked && (self.known.is_none() || self.is_old);
        waits.then(|| self.next_at.saturating_sub(steady))
    }

    /// Takes in what happened: costs and promises make the numbers old.
    pub fn hear(&mut self, event: &Event) {
        self.is_old |= matches!(
            event,
            Event::RunUsed { .. }
                | Event::BudgetReserved { .. }
                | Event::BudgetReleased { .. }
                | Event::BudgetSet { .. }
                | Event::BudgetRaised { .. }
                | Event::BudgetRaiseVoided { .. }
                | Event::CostCorrected { .. }
        );
    }

    /// Takes in the numbers.
    pub fn take(&mut self, costs: Box<Costs>, scene: &Scene) {
        self.is_asked = false;
        self.known = Some(*costs);
        self.as_of = scene.time();
        self.settle(scene);
    }

    /// The question was refused or failed: it is asked again after a while.
    pub const fn failed(&mut self, steady: u64) {
        self.is_asked = false;
        self.is_old = true;
        self.next_at = steady + PAUSE_MS;
    }

    /// No answer will come: the link was lost.
    pub const fn forget(&mut self) {
        self.is_asked = false;
        self.is_old = true;
        self.next_at = 0;
    }

    /// Sorts the lists anew.
    pub fn settle(&mut self, scene: &Scene) {
        let Some(known) = &self.known else { return };
        for (group, list) in Group::ALL.into_iter().zip(&mut self.lists) {
            list.settle(rows::ids(known, group, (self.day.is_none(), scene)));
        }
    }

    /// Takes in an action.
    pub fn update(&mut self, action: Action, scene: &Scene, height: u16) -> Option<Intent> {
        let half = isize::try_from(height / 2).unwrap_or(1).max(1);
        let step = match action {
            Action::Down => 1,
            Action::Up => -1,
            Action::HalfDown => half,
            Action::HalfUp => -half,
            Action::First => isize::MIN / 2,
            Action::Last => isize::MAX / 2,
            _ => return self.act(action),
        };
        self.settle(scene);
        if let Some(list) = self.lists.get_mut(self.group) {
            list.step(step);
        }
        None
    }

    /// Notes how many rows fit.
    pub fn fit(&mut self, area: Rect, shape: Shape, scene: &Scene) {
        for (group, place) in self.columns(area, shape, scene) {
            if let Some(list) = self.lists.get_mut(group) {
                list.fit(usize::from(below_header(shape.inside(place)).height));
            }
        }
    }

    /// Returns the lines above the rows.
    fn head(&self, shape: Shape, scene: &Scene) -> Vec<Line> {
        let Some(known) = &self.known else { return Vec::new() };
        summary::lines(known, (known.tasks.until.as_str(), self.as_of), scene, shape)
    }

    /// Returns which groups are shown, and where.
    fn columns(&self, area: Rect, shape: Shape, scene: &Scene) -> Vec<(usize, Rect)> {
        let height = short(self.head(shape, scene).len()).min(area.height);
        let body = Rect { y: area.y + height, height: area.height - height, ..area };
        if shape.wide < Wide::Six {
            return vec![(self.group, body)];
        }
        let third = if self.group == 3 { 3 } else { 2 };
        let (agents, models) = if shape.wide >= Wide::Eight { (60, 36) } else { (46, 28) };
        let tasks = area.width.saturating_sub(agents + models);
        let columns = [(0, 0, tasks), (1, tasks, agents), (third, tasks + agents, models)];
        let place = |(group, x, width)| (group, Rect { x: body.x + x, width, ..body });
        columns.map(place).into()
    }

    fn act(&mut self, action: Action) -> Option<Intent> {
        let count = Group::ALL.len();
        match action {
            Action::NextPane => self.group = (self.group + 1) % count,
            Action::PrevPane => self.group = (self.group + count - 1) % count,
            Action::Left => self.turn(-1),
            Action::Right => self.turn(1),
            Action::Open => return self.open(),
            _ => {}
        }
        None
    }

    /// Goes to another day; what is shown meanwhile says which day it is of.
    fn turn(&mut self, step: isize) {
        let Some(known) = &self.known else { return };
        let days = &known.forecast.days;
        let at = self.day.as_ref().and_then(|day| days.iter().position(|one| one.day == *day));
        let to = at.unwrap_or(days.len()).saturating_add_signed(step).min(days.len());
        let day = days.get(to).map(|one| one.day.clone());
        self.show(day);
    }

    fn show(&mut self, day: Option<String>) {
        if self.day != day {
            self.day = day;
            self.is_old = true;
            self.is_asked = false;
            self.next_at = 0;
        }
    }

    fn open(&mut self) -> Option<Intent> {
        let known = self.known.as_ref()?;
        let of = self.selected()?.clone();
        let today = &known.forecast.day;
        if let Of::Day(day) = of {
            let day = (day != *today).then_some(day);
            self.show(day);
            return None;
        }
        let day = self.day.clone().unwrap_or_else(|| today.clone());
        Some(Intent::Look(Box::new(Overlay::Spend(Spend::new(of, day)))))
    }

    /// Draws the costs.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
        let Some(known) = &self.known else {
            return canvas.line(area, &Line::new().own(Token::Dim, " loading what work costs…"));
        };
        let shape = Shape::of(canvas.area());
        canvas.lines(area, &self.head(shape, scene));
        for (group, place) in self.columns(area, shape, scene) {
            self.view_group(canvas, place, (known, group, scene));
        }
    }

    fn view_group(
        &self,
        canvas: &mut Canvas<'_>,
        area: Rect,
        (known, at, scene): (&Costs, usize, &Scene),
    ) {
        let (Some(list), Some(group)) = (self.lists.get(at), Group::ALL.get(at).copied()) else {
            return;
        };
        let shape = Shape::of(canvas.area());
        let has_keys = at == self.group;
        let mut title = Line::new();
        for one in Group::ALL.into_iter().filter(|one| shape.wide < Wide::Six || *one == group) {
            let is_this = one == self.group();
            let token = if is_this { Token::Strong } else { Token::Dim };
            let word = one.word();
            title =
                title.own(token, if is_this { format!("[{word}] ") } else { format!("{word} ") });
        }
        if shape.is_boxed() {
            canvas.framed(area, &title, if has_keys { Token::Focus } else { Token::Border });
        } else {
            canvas.line(area, &title);
        }
        let whole = shape.inside(area);
        let inside = below_header(whole);
        if inside.y > whole.y {
            canvas.line(whole, &rows::header(group, whole.width));
        }
        if list.ids().is_empty() {
            let why = if scene.query.is_empty() {
                " nothing was spent: models cost when runs report them"
            } else {
                " none matches: Esc clears the filter"
            };
            return canvas.line(inside, &Line::new().own(Token::Dim, why));
        }
        let (ids, above, below) = list.window(usize::from(inside.height.max(1)));
        canvas.hidden(area, inside, (above, below));
        for (place, id) in places(inside).zip(ids) {
            let is_selected = has_keys && list.selected() == Some(id);
            canvas.line(place, &rows::row(known, id, (place.width, is_selected), scene));
            if is_selected {
                canvas.select(place);
            }
        }
    }
}

/// Returns the room for rows: under the names of the columns, where those fit.
fn below_header(inside: Rect) -> Rect {
    if inside.height > 2 && inside.width >= 30 {
        return Rect { y: inside.y + 1, height: inside.height - 1, ..inside };
    }
    inside
}
