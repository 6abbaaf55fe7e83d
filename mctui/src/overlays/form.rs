//! A dialog with fields, and with as much confirmation as its act needs.

use crossterm::event::KeyCode;
use mc_core::{
    agent::AgentName,
    id::{AlertId, RuleId, ScheduleId, TaskId},
    task::TaskState,
};
use mc_proto::method::{
    approval::RuleRevoke,
    squad::{AlertAck, AlertResolve, EmergencyResume, EndRuntime},
    task::{Assign, Complete, Create, Transition},
    thread::Post,
};
use ratatui::layout::Rect;

use super::{Outcome, bound::GUARD_MS};
use crate::{
    format::short,
    keymap::Key,
    request::{Act, AgentVerb, ScheduleVerb},
    scene::Scene,
    text::{self, Clean},
    theme::Token,
    widgets::{Canvas, Field, Line},
};

/// What the fields are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Moves a task: the fields are named after the parameters.
    Move(TaskId, TaskState),
    /// Accepts a task.
    Complete(TaskId),
    /// Gives a task to an agent.
    Assign(TaskId, AgentName),
    /// Writes into a thread.
    Comment(TaskId),
    /// Makes a task.
    Create,
    /// Has seen an alert.
    Ack(AlertId),
    /// Ends an alert.
    Resolve(AlertId),
    /// Ends a standing rule.
    Revoke(RuleId),
    /// Holds a schedule back, or has it create tasks again.
    Schedule(ScheduleVerb, ScheduleId),
    /// Changes an agent's status.
    Agent(AgentVerb, AgentName),
    /// Ends an emergency stop, for these tasks or for all.
    Resume(Option<Vec<TaskId>>),
    /// Ends a runtime's process.
    EndRuntime(i32),
}

/// What it takes to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirm {
    /// Enter.
    Enter,
    /// `y`, after the fields.
    Yes,
    /// The last field must hold this word.
    Word(String),
}

/// The dialog.
#[derive(Debug)]
pub struct Form {
    /// What it is for.
    pub purpose: Purpose,
    title: String,
    says: Vec<Line>,
    fields: Vec<Field>,
    focus: usize,
    confirm: Confirm,
    /// Whether the fields are done and `y` is waited for, since when.
    asking_since: Option<u64>,
    is_sent: bool,
    error: Option<Clean>,
}

impl Form {
    /// Returns a form. `title` holds our own words only.
    pub fn new(
        purpose: Purpose,
        title: impl Into<String>,
        fields: Vec<Field>,
        confirm: Confirm,
    ) -> Self {
        Self {
            purpose,
            title: title.into(),
            says: Vec::new(),
            fields,
            focus: 0,
            confirm,
            asking_since: None,
            is_sent: false,
            error: None,
        }
    }

    /// Adds a line that says what will happen.
    #[must_use]
    pub fn says(mut self, line: Line) -> Self {
        self.says.push(line);
        self
    }

    /// Says whether every printable key goes into a field.
    pub fn is_typing(&self) -> bool {
        self.asking_since.is_none() && !self.fields.is_empty()
    }

    /// Returns what was written, for a draft.
    pub fn draft(&mut self) -> Option<(TaskId, String)> {
        let Purpose::Comment(task) = self.purpose else { return None };
        Some((task, self.fields.first_mut()?.take()))
    }

    /// Puts a draft back.
    pub fn restore(&mut self, draft: &str) {
        if let Some(field) = self.fields.first_mut() {
            field.paste(draft);
        }
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key, scene: &Scene) -> Outcome {
        if key.code == KeyCode::Esc || key == Key::control('c') {
            return Outcome::Close;
        }
        if self.is_sent {
            return Outcome::Refuse("sent already: waiting for the daemon");
        }
        if self.asking_since.is_none() && self.fields.is_empty() {
            self.asking_since = Some(scene.now.steady);
        }
        if let Some(since) = self.asking_since {
            let is_guarded = scene.now.steady.saturating_sub(since) < GUARD_MS;
            return match key.code {
                KeyCode::Char('y') if is_guarded => {
                    Outcome::Refuse("too soon: the key was ignored")
                }
                KeyCode::Char('y') => self.send(scene),
                KeyCode::Char('n' | 'q') => Outcome::Close,
                _ => Outcome::Stay,
            };
        }
        match key.code {
            KeyCode::Enter => self.enter(scene),
            KeyCode::Tab | KeyCode::Down => self.step(1),
            KeyCode::BackTab | KeyCode::Up => self.step(self.fields.len().saturating_sub(1)),
            _ => {
                if let Some(field) = self.fields.get_mut(self.focus) {
                    field.press(key);
                }
                Outcome::Stay
            }
        }
    }

    fn step(&mut self, by: usize) -> Outcome {
        self.focus = (self.focus + by) % self.fields.len().max(1);
        Outcome::Stay
    }

    fn enter(&mut self, scene: &Scene) -> Outcome {
        let missing = self.fields.iter().position(|field| !field.is_complete());
        match missing {
            Some(at) if at == self.focus => return Outcome::Refuse("this field is needed"),
            Some(at) => {
                self.focus = at;
                return Outcome::Stay;
            }
            None if self.focus + 1 < self.fields.len() => return self.step(1),
            None => {}
        }
        match &self.confirm {
            Confirm::Enter => self.send(scene),
            Confirm::Yes => {
                self.asking_since = Some(scene.now.steady);
                Outcome::Stay
            }
            Confirm::Word(word) => {
                if self.fields.last().is_some_and(|field| field.value() == word) {
                    self.send(scene)
                } else {
                    Outcome::Refuse("the word to confirm with is not right")
                }
            }
        }
    }

    fn send(&mut self, scene: &Scene) -> Outcome {
        if scene.obstacle().is_some() {
            return Outcome::Refuse("nothing can be sent now: see row 1");
        }
        match self.act() {
            Ok(act) => {
                self.is_sent = true;
                self.error = None;
                Outcome::Send(Box::new(act))
            }
            Err(why) => {
                self.error = Some(text::line(&why));
                Outcome::Stay
            }
        }
    }

    fn value(&self, label: &str) -> Option<String> {
        let field = self.fields.iter().find(|field| field.label == label)?;
        Some(field.value().to_owned()).filter(|value| !value.is_empty())
    }

    fn names(&self, label: &str) -> Result<Vec<AgentName>, String> {
        let names = self.value(label).unwrap_or_default();
        let parts = names.split([',', ' ']).filter(|name| !name.is_empty());
        parts
            .map(|name| name.parse().map_err(|error: mc_core::agent::NameError| error.to_string()))
            .collect()
    }

    fn act(&self) -> Result<Act, String> {
        let reason = || self.value("reason").unwrap_or_default();
        Ok(match self.purpose.clone() {
            Purpose::Move(task, to) => Act::Move(Transition {
                task,
                to,
                reason: self.value("reason"),
                note: self.value("note"),
                feedback: self.value("feedback"),
                deliverable: self.value("result"),
                work_plan: self.value("plan").map(|plan| steps(&plan)),
                assignees: Some(self.names("agent")?).filter(|names| !names.is_empty()),
                ..Transition::default()
            }),
            Purpose::Complete(task) => {
                Act::Complete(Complete { task, note: self.value("note").unwrap_or_default() })
            }
            Purpose::Assign(task, agent) => {
                Act::Assign(Assign { task, assignees: vec![agent], reason: self.value("reason") })
            }
            Purpose::Comment(task) => Act::Post(Post {
                task,
                text: self.value("text").unwrap_or_default(),
                ..Post::default()
            }),
            Purpose::Create => self.create()?,
            Purpose::Ack(alert) => Act::Ack(AlertAck { alert, note: self.value("note") }),
            Purpose::Resolve(alert) => {
                Act::Resolve(AlertResolve { alert, note: self.value("note") })
            }
            Purpose::Revoke(rule) => Act::Revoke(RuleRevoke { rule, reason: self.value("reason") }),
            Purpose::Schedule(verb, id) => Act::Schedule(verb, id, self.value("reason")),
            Purpose::Agent(verb, agent) => Act::Agent(verb, agent, reason()),
            Purpose::Resume(tasks) => {
                Act::Resume(EmergencyResume { reason: reason(), tasks, agents: None })
            }
            Purpose::EndRuntime(pid) => Act::EndRuntime(EndRuntime { pid, reason: reason() }),
        })
    }

    fn create(&self) -> Result<Act, String> {
        let priority = match self.value("priority").as_deref() {
            None => None,
            Some(text) => match text.parse() {
                Ok(priority @ 1..=4) => Some(priority),
                Ok(_) | Err(_) => {
                    return Err("priority: 1 critical, 2 high, 3 normal or 4 low".to_owned());
                }
            },
        };
        Ok(Act::Create(Create {
            title: self.value("title").unwrap_or_default(),
            task_type: self.value("type").unwrap_or_else(|| "engineering".to_owned()),
            description: self.value("about").unwrap_or_default(),
            priority,
            assignees: self.names("agent")?,
            ..Create::default()
        }))
    }

    /// Takes in a paste.
    pub fn paste(&mut self, pasted: &str) -> Outcome {
        let taken = self.is_typing()
            && self.fields.get_mut(self.focus).is_some_and(|field| field.paste(pasted));
        if taken { Outcome::Stay } else { Outcome::Refuse("pastes are refused here") }
    }

    /// Notes that the daemon refused.
    pub fn failed(&mut self, why: &str) {
        self.is_sent = false;
        self.asking_since = None;
        self.error = Some(text::line(why));
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let width = usize::from(area.width.min(72)).saturating_sub(2);
        let is_small = area.height < 8;
        let says = if is_small { &[] } else { self.says.as_slice() };
        let mut lines: Vec<Line> = says.iter().flat_map(|line| line.wrap(width, 0)).collect();
        for (at, field) in self.fields.iter().enumerate() {
            if is_small && at != self.focus {
                continue;
            }
            lines.push(field.line(width, self.is_typing() && at == self.focus));
        }
        if let Some(error) = &self.error {
            lines.extend(
                Line::new().own(Token::Crit, "refused: ").says(Token::Crit, error).wrap(width, 2),
            );
        }
        let keys = match (self.is_sent, self.is_typing(), &self.confirm) {
            (true, ..) => "~ sent: waiting for the daemon's receipt".to_owned(),
            (_, false, _) => "[y] yes   >[n] no   [Esc] no".to_owned(),
            (_, true, _) if self.focus + 1 < self.fields.len() => {
                "Enter or Tab: next field   Esc closes".to_owned()
            }
            (_, true, Confirm::Enter) => "Enter sends   Esc closes".to_owned(),
            (_, true, Confirm::Yes) => "Enter, then [y]   Esc closes".to_owned(),
            (_, true, Confirm::Word(word)) => format!("type {word} to confirm, Enter   Esc closes"),
        };
        lines.push(Line::new().own(Token::Strong, keys));
        let title = Line::new().own(Token::Strong, format!(" {} ", self.title));
        let inside = canvas.dialog(area, (72, short(lines.len()) + 2), &title);
        let cut = lines.len().saturating_sub(usize::from(inside.height));
        canvas.lines(inside, lines.iter().skip(cut));
        canvas.cursor = Some((inside.x, inside.bottom().saturating_sub(1)));
    }
}

fn steps(plan: &str) -> Vec<String> {
    plan.split(';').map(str::trim).filter(|step| !step.is_empty()).map(str::to_owned).collect()
}
