//! A task: the five answers, everything that happened to it, and its thread.

use mc_core::{
    actor::ActorKind, event::Event, id::TaskId, message::Message as ThreadMessage,
    task::waits::PROMOTER,
};
use mc_proto::method::task::{Detail, TimelineItem};
use ratatui::layout::Rect;

use super::{alerts::silence, answers::Known};
use crate::{
    format::{clock, money, short},
    keymap::Action,
    overlays::{Overlay, forms, report::Report},
    request::Call,
    scene::{Intent, Scene},
    story, text,
    theme::Token,
    widgets::{Canvas, Line, Shape, Tall, Wide},
};

/// Which part has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Pane {
    #[default]
    Timeline,
    Thread,
}

/// The task that is open.
#[derive(Debug, Clone, Default)]
pub struct TaskScreen {
    /// Which one.
    pub task: TaskId,
    /// The task with what belongs to it.
    pub detail: Option<Box<Detail>>,
    /// The five answers.
    pub answers: Known,
    timeline: Vec<TimelineItem>,
    thread: Vec<ThreadMessage>,
    pane: Pane,
    /// How many rows of the timeline are below the window; 0 follows.
    back: usize,
    thread_back: usize,
    /// Why there is no task to show, in the daemon's words.
    trouble: Option<String>,
    /// Questions that have no answer yet.
    asked: usize,
    is_old: bool,
}

impl TaskScreen {
    /// Opens `task`.
    pub fn open(task: TaskId) -> Self {
        Self { task, is_old: true, ..Self::default() }
    }

    /// Notes that something happened to the task.
    pub fn touch(&mut self) {
        self.is_old = true;
        self.answers.is_old = true;
    }

    /// Forgets what was asked: the link was lost.
    pub fn forget(&mut self) {
        self.asked = 0;
        self.answers.is_asked = false;
        self.touch();
    }

    /// Returns what has to be asked so that the screen is current.
    pub fn wants(&mut self) -> Vec<Call> {
        if !self.is_old || self.asked > 0 {
            return Vec::new();
        }
        self.is_old = false;
        let mut calls =
            vec![Call::Task(self.task), Call::Timeline(self.task), Call::Thread(self.task)];
        self.asked = calls.len();
        if self.answers.want(self.task) {
            calls.push(Call::Answers(self.task));
        }
        calls
    }

    /// Notes that one question was answered, well or not.
    pub fn answered(&mut self) {
        self.asked = self.asked.saturating_sub(1);
    }

    /// Takes in the task.
    pub fn take_detail(&mut self, detail: Box<Detail>) {
        if detail.task.id == self.task {
            self.trouble = None;
            self.detail = Some(detail);
        }
    }

    /// Notes why the daemon does not tell of the task.
    pub fn failed(&mut self, why: &str) {
        self.trouble = Some(why.to_owned());
    }

    /// Returns why there is no task to show, if there is none and none will come by itself.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref().filter(|_| self.detail.is_none())
    }

    /// Takes in what happened. A window that is scrolled back stays where it is.
    pub fn take_timeline(&mut self, task: TaskId, items: Vec<TimelineItem>) {
        if task == self.task {
            if self.back > 0 {
                self.back += items.len().saturating_sub(self.timeline.len());
            }
            self.timeline = items;
        }
    }

    /// Takes in what was said.
    pub fn take_thread(&mut self, task: TaskId, messages: Vec<ThreadMessage>) {
        if task == self.task {
            self.thread = messages;
        }
    }

    /// Takes in an action.
    pub fn update(&mut self, action: Action, scene: &Scene, height: u16) -> Option<Intent> {
        let half = usize::from(height / 2).max(1);
        let back = match self.pane {
            Pane::Timeline => &mut self.back,
            Pane::Thread => &mut self.thread_back,
        };
        match action {
            Action::Up => *back += 1,
            Action::Down => *back = back.saturating_sub(1),
            Action::HalfUp => *back += half,
            Action::HalfDown => *back = back.saturating_sub(half),
            Action::First => *back = 100_000,
            Action::Last | Action::Follow => *back = 0,
            Action::NextPane | Action::PrevPane => {
                self.pane = if self.pane == Pane::Timeline { Pane::Thread } else { Pane::Timeline };
            }
            _ => return self.act(action, scene),
        }
        self.back = self.back.min(self.timeline.len().saturating_sub(1));
        self.thread_back = self.thread_back.min(4_096);
        None
    }

    fn act(&self, action: Action, scene: &Scene) -> Option<Intent> {
        match action {
            Action::Move => Some(forms::move_task_known(self.task, self.detail.as_deref(), scene)),
            Action::Assign => Some(forms::assign(self.task, scene)),
            Action::Comment => Some(forms::comment(self.task)),
            Action::Open if self.under_cursor().is_some() => self.under_cursor().map(row_whole),
            Action::Approve | Action::Open => Some(match scene.world.approval_of(self.task) {
                Some(approval) => Intent::OpenApproval(approval.id),
                None => Intent::Say("no approval waits on this task".to_owned()),
            }),
            _ => None,
        }
    }

    /// Returns the row of the timeline under the cursor; one that asks is no row but an approval.
    fn under_cursor(&self) -> Option<&TimelineItem> {
        let at = self.timeline.len().checked_sub(self.back + 1)?;
        self.timeline.get(at).filter(|_| self.pane == Pane::Timeline)
    }

    /// Draws the task.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
        let shape = Shape::of(canvas.area());
        let width = usize::from(area.width.min(160));
        let mut lines = match shape.tall {
            Tall::Tiny | Tall::Low => vec![self.headline(scene)],
            Tall::Middle | Tall::High => self.headline(scene).wrap(width, 1),
        };
        if shape.tall == Tall::Tiny {
            lines = vec![self.answers.next(width)];
        } else {
            lines.extend(self.by_rule());
            lines.extend(self.dependencies(scene));
            // The timeline keeps at least six rows and its box.
            let most = usize::from(area.height).saturating_sub(lines.len() + 8).max(5);
            lines.extend(self.answers.whole(width, most));
        }
        let answers = short(lines.len()).min(area.height);
        canvas.lines(Rect { height: answers, ..area }, &lines);
        let rest = Rect { y: area.y + answers, height: area.height - answers, ..area };
        if shape.wide >= Wide::Window {
            let left = rest.width * 5 / 8;
            self.view_timeline(canvas, Rect { width: left, ..rest });
            self.view_thread(canvas, Rect { x: rest.x + left, width: rest.width - left, ..rest });
        } else if self.pane == Pane::Timeline {
            self.view_timeline(canvas, rest);
        } else {
            self.view_thread(canvas, rest);
        }
    }

    /// Returns the line above the answers.
    fn headline(&self, scene: &Scene) -> Line {
        let line = Line::new().own(Token::Strong, format!(" {} ", self.task));
        let Some(card) = scene.world.tasks.get(&self.task) else {
            return match (&self.detail, self.trouble()) {
                (Some(detail), _) => line.says(Token::Strong, &text::line(&detail.task.title)),
                (None, Some(why)) => line.says(Token::Warn, &text::line(why)),
                (None, None) => line.own(Token::Dim, "loading…"),
            };
        };
        let pending = if scene.is_pending(self.task) { "~ " } else { "" };
        line.says(Token::Strong, &text::line(&card.title))
            .own(Token::Pending, format!("  {pending}"))
            .own(Token::Strong, card.state.title().to_uppercase())
            .own(
                Token::Dim,
                format!(
                    " {} · p{} · rev {} · ",
                    scene.when(card.state_since),
                    card.priority,
                    card.rev
                ),
            )
            .own(Token::Money, money(card.spent_uusd, card.cost_state))
            .own(Token::Dim, format!(" of {}", card.budget_uusd))
    }

    /// Returns the line about why this agent has the task, where a rule gave it to them.
    fn by_rule(&self) -> Option<Line> {
        let by = self.detail.as_ref()?.task.by_rule.as_ref()?;
        let line = Line::new().own(Token::Dim, format!(" given {} by ", clock(by.at)));
        let line = line.says(Token::Key, &text::line(&by.rule)).own(Token::Dim, ": ");
        Some(line.says(Token::Fg, &text::line(&by.why)))
    }

    /// Returns the line about what the task depends on, and since when it waits for nothing.
    fn dependencies(&self, scene: &Scene) -> Option<Line> {
        let waits = scene.world.waits_of(scene.world.tasks.get(&self.task)?)?;
        let token = if waits.is_over() { Token::Dim } else { Token::Warn };
        let line = Line::new().own(token, format!(" {waits}"));
        let by_daemon = |one: &&ThreadMessage| {
            one.author.kind == ActorKind::System && one.author.name == PROMOTER
        };
        match self.thread.iter().rev().find(by_daemon).filter(|_| waits.is_over()) {
            Some(told) => Some(
                line.own(Token::Dim, format!(" · {} ", clock(told.at)))
                    .says(Token::Ok, &text::line(&told.text)),
            ),
            None => Some(line),
        }
    }

    fn pane(&self, canvas: &mut Canvas<'_>, area: Rect, (pane, title): (Pane, Line)) -> Rect {
        let shape = Shape::of(canvas.area());
        if shape.tall > Tall::Low && shape.wide > Wide::List {
            let token = if self.pane == pane { Token::Focus } else { Token::Border };
            return canvas.framed(area, &title, token);
        }
        canvas.line(area, &title);
        Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
    }

    fn view_timeline(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let follow = if self.back == 0 {
            "newest last, following".to_owned()
        } else {
            format!("{} newer below", self.back)
        };
        let title = Line::new()
            .own(Token::Strong, format!("Timeline {}", self.timeline.len()))
            .own(Token::Dim, format!(" · {follow}"));
        let inside = self.pane(canvas, area, (Pane::Timeline, title));
        let end = self.timeline.len().saturating_sub(self.back);
        let start = end.saturating_sub(usize::from(inside.height));
        let window = self.timeline.get(start..end).unwrap_or_default();
        let mut lines: Vec<Line> = Vec::new();
        for (at, item) in window.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|at| window.get(at));
            lines.extend(before.and_then(|before| silence(&before.recorded, &item.recorded)));
            lines.push(timeline_row(item, usize::from(inside.width)));
        }
        let cut = lines.len().saturating_sub(usize::from(inside.height));
        canvas.lines(inside, lines.iter().skip(cut));
        if self.pane == Pane::Timeline && !lines.is_empty() && inside.height > 0 {
            let row = short(lines.len() - cut - 1);
            canvas.select(Rect { y: inside.y + row, height: 1, ..inside });
        }
    }

    fn view_thread(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let title = Line::new()
            .own(Token::Strong, format!("Thread {}", self.thread.len()))
            .own(Token::Dim, " · c comment");
        let inside = self.pane(canvas, area, (Pane::Thread, title));
        let width = usize::from(inside.width);
        let lines: Vec<Line> =
            self.thread.iter().flat_map(|message| said(message, width)).collect();
        let end = lines.len().saturating_sub(self.thread_back.min(lines.len().saturating_sub(1)));
        let start = end.saturating_sub(usize::from(inside.height));
        canvas.lines(inside, lines.get(start..end).unwrap_or_default());
        if self.thread.is_empty() {
            canvas.line(
                inside,
                &Line::new().own(Token::Dim, " nobody has said anything: c comments"),
            );
        }
    }
}

/// Opens a row of the timeline whole; a question opens its approval.
fn row_whole(item: &TimelineItem) -> Intent {
    let recorded = &item.recorded;
    if let Event::ApprovalRequested { approval } = &recorded.event {
        return Intent::OpenApproval(approval.id);
    }
    let row = |label: &'static str| Line::new().own(Token::Dim, label);
    let mut lines = vec![
        Line::new().says(story::token(&recorded.event), &text::line(&item.text)),
        row("at         ").own(Token::Fg, format!("{} UTC", clock(recorded.at))),
        row("by         ").says(Token::Fg, &text::line(&recorded.actor.to_string())),
        row("because of ").says(Token::Fg, &text::line(&recorded.cause)),
    ];
    if let Some(reason) = &recorded.reason {
        lines.push(row("says       ").says(Token::Says, &text::line(reason)));
    }
    Intent::Look(Box::new(Overlay::Report(Report::new(item.id.to_string(), lines))))
}

fn timeline_row(item: &TimelineItem, width: usize) -> Line {
    let recorded = &item.recorded;
    let right = format!(" {} ", item.id);
    let line = Line::new()
        .own(Token::Dim, format!(" {} ", clock(recorded.at)))
        .own(story::token(&recorded.event), format!("{:<5} ", story::kind(&recorded.event)))
        .says(Token::Fg, &text::line(&item.text));
    line.to_column(width.saturating_sub(right.len())).own(Token::Dim, right)
}

fn said(message: &ThreadMessage, width: usize) -> Vec<Line> {
    let is_agent = message.author.kind == ActorKind::Agent;
    let mut lines = vec![
        Line::new()
            .says(Token::Strong, &text::line(&message.author.to_string()))
            .own(Token::Dim, format!(" {} {}", clock(message.at), story::word(&message.kind)))
            .own(Token::Dim, if is_agent { " (agent)" } else { "" }),
    ];
    let (mark, token) = if is_agent { ("\" ", Token::Says) } else { ("  ", Token::Fg) };
    for part in text::block(&message.text) {
        lines.extend(Line::new().own(Token::Says, mark).says(token, &part).wrap(width, 2));
    }
    lines
}
