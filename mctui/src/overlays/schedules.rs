//! The schedules: what creates tasks again and again, when next, and how it is held back.

use crossterm::event::KeyCode;
use mc_core::{
    id::ScheduleId,
    schedule::{ScheduleStatus, TaskSchedule},
    time::Timestamp,
};
use mc_proto::method::schedule::View;
use ratatui::layout::Rect;

use super::{Outcome, Overlay, forms};
use crate::{
    format::{age, minute, moment, short},
    keymap::Key,
    request::{Call, ScheduleVerb},
    scene::{Intent, Scene},
    story, text,
    theme::Token,
    widgets::{Canvas, Line, Listing, rows},
};

/// How wide it is at most.
const WIDTH: u16 = 110;
/// From this width on a row has room for the last task and the rule of what was missed.
const WIDE: u16 = 76;

/// The list.
#[derive(Debug, Default)]
pub struct Schedules {
    known: Option<Vec<View>>,
    list: Listing<ScheduleId>,
    is_asked: bool,
    now: Timestamp,
    obstacle: Option<String>,
}

impl Schedules {
    /// Returns what has to be asked so that the list is current.
    pub fn wants(&mut self) -> Option<Call> {
        (!std::mem::replace(&mut self.is_asked, true)).then_some(Call::Schedules)
    }

    /// The list is asked again: a schedule was due or changed, or the link was lost.
    pub const fn touch(&mut self) {
        self.is_asked = false;
    }

    /// Takes in the schedules.
    pub fn take(&mut self, schedules: Vec<View>) {
        self.list.settle(schedules.iter().map(|view| view.schedule.id).collect());
        self.known = Some(schedules);
    }

    /// Takes in the time and whether anything can be sent.
    pub fn watch(&mut self, scene: &Scene) {
        self.now = scene.time();
        self.obstacle = scene.obstacle();
    }

    fn find(&self, id: ScheduleId) -> Option<&View> {
        self.known.iter().flatten().find(|view| view.schedule.id == id)
    }

    fn selected(&self) -> Option<&View> {
        self.find(*self.list.selected()?)
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Outcome {
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Outcome::Close,
            _ if key == Key::control('c') => return Outcome::Close,
            KeyCode::Enter => return self.open(),
            KeyCode::Char('p') => return self.change(ScheduleVerb::Pause),
            KeyCode::Char('r') => return self.change(ScheduleVerb::Resume),
            _ => self.list.turn(key.code),
        }
        Outcome::Stay
    }

    fn open(&self) -> Outcome {
        let last = self.selected().and_then(|view| view.schedule.last_task);
        last.map_or(Outcome::Refuse("it has created no task yet"), |task| {
            Outcome::Go(Box::new(Intent::OpenTask(task)))
        })
    }

    fn change(&self, verb: ScheduleVerb) -> Outcome {
        let Some(View { schedule, .. }) = self.selected() else {
            return Outcome::Refuse("there is no schedule here");
        };
        if self.obstacle.is_some() {
            return Outcome::Refuse("nothing can be sent now: see row 1, or your role");
        }
        match (verb, schedule.status) {
            (ScheduleVerb::Pause, ScheduleStatus::Active)
            | (ScheduleVerb::Resume, ScheduleStatus::Paused) => {
                let title = text::line(&schedule.task.title);
                let form = forms::schedule(verb, schedule.id, &title);
                Outcome::Over(Box::new(Overlay::Form(form)))
            }
            (ScheduleVerb::Pause, _) => Outcome::Refuse("it creates nothing already"),
            (ScheduleVerb::Resume, _) => Outcome::Refuse("it is not paused"),
        }
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let width = usize::from(area.width.min(WIDTH)).saturating_sub(2);
        let facts = if area.height < 14 { Vec::new() } else { self.facts(width) };
        let count = self.list.ids().len().max(1);
        let height = short(count + facts.len()).saturating_add(3).max(6);
        let title = Line::new()
            .own(Token::Strong, " Schedules ")
            .own(Token::Dim, "they create tasks again and again ");
        let inside = canvas.dialog(area, (WIDTH, height), &title);
        let foot = short(facts.len()) + 1;
        let list = Rect { height: inside.height.saturating_sub(foot), ..inside };
        self.view_list(canvas, list);
        let below = Rect { y: list.bottom(), height: inside.height - list.height, ..inside };
        let keys = Line::new().own(
            Token::Strong,
            if area.width < 60 {
                "p pause… r resume… Esc"
            } else {
                "p pause…   r resume…   Enter its last task   j/k move   Esc closes"
            },
        );
        canvas.lines(below, facts.iter().chain([&keys]));
    }

    fn view_list(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let words = match &self.known {
            None => Some(" loading…"),
            Some(all) if all.is_empty() => Some(" none: `mcctl schedule add` sets one up"),
            Some(_) => None,
        };
        if let Some(words) = words {
            return canvas.line(area, &Line::new().own(Token::Dim, words));
        }
        let (ids, ..) = self.list.window(usize::from(area.height.max(1)));
        for (place, id) in rows(area).zip(ids) {
            let is_selected = self.list.selected() == Some(id);
            if let Some(view) = self.find(*id) {
                canvas.line(place, &row(&view.schedule, self.now, (is_selected, area.width)));
            }
            if is_selected {
                canvas.select(place);
            }
        }
    }

    /// Everything about the schedule under the cursor.
    fn facts(&self, width: usize) -> Vec<Line> {
        let Some(View { schedule, next, tasks }) = self.selected() else { return Vec::new() };
        let fact = |label: &str| Line::new().own(Token::Dim, format!(" {label:<8} "));
        let when = fact("when")
            .says(Token::Strong, &text::exact(&schedule.cron))
            .own(Token::Fg, " in ")
            .says(Token::Fg, &text::exact(&schedule.zone));
        let times: Vec<String> = next.iter().map(|at| moment(self.now, *at)).collect();
        let next = match schedule.status {
            ScheduleStatus::Active if times.is_empty() => {
                fact("next").own(Token::Warn, "no time is known: look at its alert")
            }
            ScheduleStatus::Active => fact("next").own(Token::Fg, times.join(", ") + " UTC"),
            ScheduleStatus::Paused | ScheduleStatus::Deleted => {
                let words = "paused: what comes meanwhile is not made up for";
                fact("next").own(Token::Warn, words)
            }
        };
        let last = tasks.first().map_or_else(
            || "none yet".to_owned(),
            |made| format!("{} of {} UTC", made.task, moment(self.now, made.due)),
        );
        let counts = format!("{last}; {} made, {} left out", schedule.created, schedule.left_out);
        let open = if schedule.skip_if_open {
            "nothing is created while its last task is open"
        } else {
            "the next is created also while its last task is open"
        };
        let task = &schedule.task;
        let mut whom = fact("task").says(Token::Fg, &text::line(&task.task_type));
        for agent in &task.assignees {
            whom = whom.own(Token::Fg, ", for ").says(Token::Fg, &text::line(agent));
        }
        if let Some(budget) = task.budget_uusd {
            whom = whom.own(Token::Fg, format!(", up to {budget}"));
        }
        let missed = format!("{}; {open}", missed(schedule));
        let by = format!(", {} UTC", moment(self.now, schedule.created_at));
        let facts = [
            when,
            next,
            fact("last").own(Token::Fg, counts),
            fact("missed").own(Token::Fg, missed),
            whom,
            fact("set up")
                .own(Token::Fg, "by ")
                .says(Token::Fg, &text::line(&schedule.created_by.name))
                .own(Token::Fg, by),
        ];
        facts.iter().flat_map(|line| line.wrap(width, 10)).collect()
    }
}

/// What becomes of missed occurrences, in the word of the wire.
fn missed(schedule: &TaskSchedule) -> String {
    story::word(&schedule.catch_up)
}

fn row(schedule: &TaskSchedule, now: Timestamp, (is_selected, width): (bool, u16)) -> Line {
    let is_active = schedule.status == ScheduleStatus::Active;
    let token = if is_active { Token::Fg } else { Token::Dim };
    let next = match schedule.next_at {
        Some(at) if at <= now => "due".to_owned(),
        Some(at) => format!("{} in {}", minute(at), age(at.since(now))),
        None if is_active => "never".to_owned(),
        None => story::word(&schedule.status),
    };
    let next_token = if is_active { Token::Fg } else { Token::Warn };
    let cursor = if is_selected { ">" } else { " " };
    let mut line = Line::new()
        .own(Token::Strong, cursor)
        .own(token, format!("{:<4} ", schedule.id.to_string()))
        .own(next_token, format!("{next:<15} "));
    if width >= WIDE {
        let last = schedule.last_task.map_or_else(|| "-".to_owned(), |task| task.to_string());
        line = line.own(token, format!("{last:<7} {:<5} ", missed(schedule)));
        for (words, columns) in [(&schedule.cron, 17), (&schedule.zone, 14)] {
            let words = Line::new().says(token, &text::line(words)).fit(columns);
            let end = line.width() + columns + 1;
            line = line.then(words).to_column(end);
        }
    }
    line.says(token, &text::line(&schedule.task.title))
}
