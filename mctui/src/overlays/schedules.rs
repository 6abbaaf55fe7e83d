//! The schedules: what creates tasks again and again, when next, and how it is held back.

use crossterm::event::KeyCode;
use mc_core::{
    id::ScheduleId,
    schedule::{ScheduleStatus, TaskSchedule},
    time::Timestamp,
};
use mc_proto::method::schedule::View;
use ratatui::layout::Rect;

use super::{
    Outcome, Overlay,
    catalog::{Catalog, Entry, Words},
    forms,
};
use crate::{
    format::{age, minute, moment},
    keymap::Key,
    request::{Call, ScheduleVerb},
    scene::Intent,
    story, text,
    theme::Token,
    widgets::{Canvas, Line},
};

/// From this width on a row has room for the last task and the rule of what was missed.
const WIDE: u16 = 76;

/// The words around the list.
const WORDS: Words = Words {
    title: "Schedules",
    about: "they create tasks again and again",
    none: " none: `mcctl schedule add` sets one up",
    keys: "p pause…   r resume…   Enter its last task   j/k move   Esc closes",
    few_keys: "p pause… r resume… Esc",
};

/// The list.
#[derive(Debug, Default)]
pub struct Schedules {
    /// What is listed.
    pub list: Catalog<View>,
}

impl Schedules {
    /// Returns what has to be asked so that the list is current.
    pub fn wants(&mut self) -> Option<Call> {
        self.list.wants().then_some(Call::Schedules)
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Outcome {
        match key.code {
            KeyCode::Enter => self.open(),
            KeyCode::Char('p') => self.change(ScheduleVerb::Pause),
            KeyCode::Char('r') => self.change(ScheduleVerb::Resume),
            _ => self.list.press(key),
        }
    }

    fn open(&self) -> Outcome {
        let last = self.list.selected().and_then(|view| view.schedule.last_task);
        last.map_or(Outcome::Refuse("it has created no task yet"), |task| {
            Outcome::Go(Box::new(Intent::OpenTask(task)))
        })
    }

    fn change(&self, verb: ScheduleVerb) -> Outcome {
        let schedule = match self.list.to_act_on("there is no schedule here") {
            Ok(view) => &view.schedule,
            Err(refused) => return refused,
        };
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
        self.list.view(canvas, area, &WORDS);
    }
}

impl Entry for View {
    type Id = ScheduleId;

    const INDENT: usize = 10;

    fn id(&self) -> ScheduleId {
        self.schedule.id
    }

    fn row(&self, now: Timestamp, width: u16) -> Line {
        let schedule = &self.schedule;
        let is_active = schedule.status == ScheduleStatus::Active;
        let token = if is_active { Token::Fg } else { Token::Dim };
        let next = match schedule.next_at {
            Some(at) if at <= now => "due".to_owned(),
            Some(at) => format!("{} in {}", minute(at), age(at.since(now))),
            None if is_active => "never".to_owned(),
            None => story::word(&schedule.status),
        };
        let next_token = if is_active { Token::Fg } else { Token::Warn };
        let mut line = Line::new()
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

    fn facts(&self, now: Timestamp) -> Vec<Line> {
        let Self { schedule, next, tasks } = self;
        let fact = |label: &str| Line::new().own(Token::Dim, format!(" {label:<8} "));
        let when = fact("when")
            .says(Token::Strong, &text::exact(&schedule.cron))
            .own(Token::Fg, " in ")
            .says(Token::Fg, &text::exact(&schedule.zone));
        let times: Vec<String> = next.iter().map(|at| moment(now, *at)).collect();
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
            |made| format!("{} of {} UTC", made.task, moment(now, made.due)),
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
        let by = format!(", {} UTC", moment(now, schedule.created_at));
        vec![
            when,
            next,
            fact("last").own(Token::Fg, counts),
            fact("missed").own(Token::Fg, missed),
            whom,
            fact("set up")
                .own(Token::Fg, "by ")
                .says(Token::Fg, &text::line(&schedule.created_by.name))
                .own(Token::Fg, by),
        ]
    }
}

/// What becomes of missed occurrences, in the word of the wire.
fn missed(schedule: &TaskSchedule) -> String {
    story::word(&schedule.catch_up)
}
