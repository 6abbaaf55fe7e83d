//! Emergency: opens in every mode, over everything, at every size, with or without a daemon.

use crossterm::event::KeyCode;
use mc_core::{agent::AgentName, squad::SquadStatus};
use mc_proto::method::squad::Receipt;
use ratatui::layout::Rect;

use super::{Overlay, forms, resume, stopped};
use crate::{
    format::short,
    keymap::Key,
    link::Health,
    request::{Act, AgentVerb, SquadVerb},
    scene::Scene,
    text::{self, Clean},
    theme::Token,
    widgets::{Canvas, Line},
};

/// How long the daemon has to answer before the second path is taken, in milliseconds.
pub const ANSWER_MS: u64 = 2_000;
/// How long keys are ignored after it opened, in milliseconds. They don't restart the wait.
const GUARD_MS: u64 = 350;
/// How wide it is at most.
const WIDTH: u16 = 72;
/// How many lines a page scrolls.
const PAGE: usize = 8;

/// What the overlay wants after a key.
#[derive(Debug)]
pub enum Wish {
    /// Stays.
    Stay,
    /// Closes.
    Close,
    /// Sends this to the daemon.
    Send(Box<Act>),
    /// Writes these words into the halt file: there is no daemon to ask.
    Halt(String),
    /// Closes and opens this dialog.
    Open(Box<Overlay>),
}

/// How far the stop has got.
#[derive(Debug, Clone, PartialEq)]
enum Stage {
    Choosing,
    Confirming(SquadVerb),
    Sent(SquadVerb, u64),
    /// The link is down: only the halt file can stop anything.
    Offline,
    Answered(Box<Receipt>),
}

/// The overlay.
#[derive(Debug, Clone)]
pub struct Emergency {
    typed: String,
    stage: Stage,
    opened: u64,
    agent: Option<AgentName>,
    halt: Option<Result<(), Clean>>,
    /// Whether the daemon was seen to hold the stop after the halt file was written.
    was_held: bool,
    error: Option<Clean>,
    /// How many lines of the middle part are above the window.
    scroll: usize,
}

impl Emergency {
    /// Opens it; `agent` is the one under the cursor.
    pub fn new(agent: Option<AgentName>, steady: u64) -> Self {
        Self {
            typed: String::new(),
            stage: Stage::Choosing,
            opened: steady,
            agent,
            halt: None,
            was_held: false,
            error: None,
            scroll: 0,
        }
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key, scene: &Scene) -> Wish {
        if scene.now.steady.saturating_sub(self.opened) < GUARD_MS {
            return Wish::Stay;
        }
        if key.code == KeyCode::Esc || key == Key::control('c') {
            return Wish::Close;
        }
        match key.code {
            KeyCode::Down => self.scroll += 1,
            KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown => self.scroll += PAGE,
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(PAGE),
            _ => return self.press_stage(key, scene),
        }
        Wish::Stay
    }

    fn press_stage(&mut self, key: Key, scene: &Scene) -> Wish {
        match (&self.stage, key.code) {
            (Stage::Confirming(verb), KeyCode::Char('y')) => {
                let verb = *verb;
                self.send(verb, scene)
            }
            (Stage::Confirming(_), _) => {
                self.stage = Stage::Choosing;
                Wish::Stay
            }
            (Stage::Choosing, code) => self.choose(code, scene),
            (Stage::Answered(_), KeyCode::Char('6')) => end_runtime(scene),
            (Stage::Sent(..) | Stage::Offline | Stage::Answered(_), _) => Wish::Stay,
        }
    }

    fn choose(&mut self, code: KeyCode, scene: &Scene) -> Wish {
        match code {
            KeyCode::Enter if self.typed == "STOP" => return self.send(SquadVerb::Stop, scene),
            KeyCode::Backspace => {
                self.typed.pop();
            }
            KeyCode::Char('1') if self.typed.is_empty() => {
                self.stage = Stage::Confirming(SquadVerb::Pause);
            }
            KeyCode::Char('2') if self.typed.is_empty() => {
                self.stage = Stage::Confirming(SquadVerb::Drain);
            }
            KeyCode::Char('3') if self.typed.is_empty() => {
                if let Some(agent) = &self.agent {
                    let form = forms::agent_form(AgentVerb::Quarantine, agent);
                    return Wish::Open(Box::new(Overlay::Form(form)));
                }
            }
            KeyCode::Char('4') if self.typed.is_empty() => match scene.world.squad.status {
                SquadStatus::Halted => {
                    return Wish::Open(Box::new(Overlay::Form(forms::emergency_resume())));
                }
                SquadStatus::Paused => self.stage = Stage::Confirming(SquadVerb::Resume),
                SquadStatus::Running => {}
            },
            KeyCode::Char('5') if self.typed.is_empty() && has_stopped(scene) => {
                let resume = resume::Resume::new(scene);
                return Wish::Open(Box::new(Overlay::Resume(resume)));
            }
            KeyCode::Char('6') if self.typed.is_empty() => return end_runtime(scene),
            KeyCode::Char(c) if c.is_ascii_alphabetic() => {
                self.typed.push(c.to_ascii_uppercase());
                while !"STOP".starts_with(self.typed.as_str()) && !self.typed.is_empty() {
                    self.typed.remove(0);
                }
            }
            _ => {}
        }
        Wish::Stay
    }

    fn send(&mut self, verb: SquadVerb, scene: &Scene) -> Wish {
        self.error = None;
        self.halt = None;
        self.scroll = 0;
        let connected = scene.link.health(scene.now) != Health::Off;
        let reason = "by hand, from the console".to_owned();
        if connected {
            self.stage = Stage::Sent(verb, scene.now.steady);
            return Wish::Send(Box::new(Act::Squad(verb, reason)));
        }
        if verb == SquadVerb::Stop {
            self.stage = Stage::Offline;
            return Wish::Halt(stopped::halt_words(scene));
        }
        self.stage = Stage::Choosing;
        self.error = Some(text::line("no daemon answers: only STOP works without it"));
        Wish::Stay
    }

    /// Returns the words for the halt file when the second path has to be taken now: the daemon did
    /// not answer a stop in time.
    pub fn overdue(&self, scene: &Scene) -> Option<String> {
        let waited = |since| scene.now.steady.saturating_sub(since);
        let is_late =
            matches!(self.stage, Stage::Sent(SquadVerb::Stop, since) if waited(since) >= ANSWER_MS);
        (is_late && self.halt.is_none()).then(|| stopped::halt_words(scene))
    }

    /// Returns when [`Self::overdue`] has to be looked at, in milliseconds.
    pub fn due_in(&self, steady: u64) -> Option<u64> {
        match self.stage {
            Stage::Sent(_, since) => {
                let waited = steady.saturating_sub(since);
                Some(if waited < ANSWER_MS { ANSWER_MS - waited } else { 1000 - waited % 1000 })
            }
            Stage::Choosing | Stage::Confirming(_) | Stage::Offline | Stage::Answered(_) => None,
        }
    }

    /// Takes in what became of the halt file.
    pub fn halted(&mut self, result: Result<(), String>) {
        self.halt = Some(result.map_err(|error| text::line(&error)));
        self.was_held = false;
    }

    /// Takes in how things stand: once the daemon is heard again, it is the one to tell.
    pub fn watch(&mut self, scene: &Scene) {
        let is_up = scene.link.health(scene.now) != Health::Off && scene.world.is_loaded;
        if self.stage == Stage::Offline && is_up {
            self.choose_again();
        }
        self.was_held |= is_up && self.halt.is_some() && scene.world.is_halted();
    }

    /// The daemon has sent a picture: what it never answered, it never will.
    pub fn reloaded(&mut self) {
        if matches!(self.stage, Stage::Sent(SquadVerb::Stop, _)) && self.halt.is_some() {
            self.choose_again();
        }
    }

    /// The link was lost. A stop waits for its second path; of the rest nothing will be heard.
    pub fn lost(&mut self) {
        if matches!(self.stage, Stage::Sent(verb, _) if verb != SquadVerb::Stop) {
            self.choose_again();
            let words =
                "the link was lost: not known whether it was done, look before you repeat it";
            self.error = Some(text::line(words));
        }
    }

    fn choose_again(&mut self) {
        self.stage = Stage::Choosing;
        self.typed.clear();
        self.scroll = 0;
    }

    /// Notes where it is drawn, so that nobody scrolls past the end.
    pub fn drawn(&mut self, area: Rect, scene: &Scene) {
        let (_, middle, foot) = self.parts(usize::from(area.width), scene);
        // The border and the line to type in; where there is none, the last step scrolls nothing.
        let room = usize::from(area.height).saturating_sub(3 + foot.len());
        self.scroll = self.scroll.min(middle.len().saturating_sub(room));
    }

    /// Takes in the receipt.
    pub fn answered(&mut self, receipt: Box<Receipt>) {
        self.stage = Stage::Answered(receipt);
    }

    /// Takes in that the daemon said no. A stop that was not answered at all goes on to the second
    /// path; one that was refused does not: an operator without the right gets no way around it.
    pub fn failed(&mut self, why: &str, was_refused: bool) {
        self.error = Some(text::line(why));
        if was_refused || !matches!(self.stage, Stage::Sent(SquadVerb::Stop, _)) {
            self.stage = Stage::Choosing;
            self.typed.clear();
        }
    }

    /// Draws it. What the keys do is never cut off; what has no room is counted, and scrolls.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
        let title = Line::new()
            .own(Token::Crit, " EMERGENCY ")
            .own(Token::Dim, format!("{} ", scene.link.label(scene.now)));
        let (head, middle, foot) = self.parts(usize::from(area.width), scene);
        let height = short(head.len() + middle.len() + foot.len()).saturating_add(2);
        let inside = canvas.dialog(area, (WIDTH, height), &title);
        canvas.lines(inside, &head);
        canvas.cursor = Some((inside.x, inside.y));
        let below = short(head.len()).min(inside.height);
        let rest = Rect { y: inside.y + below, height: inside.height - below, ..inside };
        let foot_rows = short(foot.len()).min(rest.height.saturating_sub(1));
        let room = usize::from(rest.height - foot_rows);
        let scroll = self.scroll.min(middle.len().saturating_sub(room));
        canvas.lines(Rect { height: short(room), ..rest }, middle.iter().skip(scroll));
        let hidden = (scroll, middle.len().saturating_sub(scroll + room));
        let bottom = Rect { y: rest.bottom() - foot_rows, height: foot_rows, ..rest };
        canvas.lines(bottom, &foot);
        if foot_rows > 0 && hidden != (0, 0) {
            let words = format!(" {} above, {} below: arrows", hidden.0, hidden.1);
            canvas.line_right(
                Rect { y: bottom.bottom() - 1, height: 1, ..bottom },
                &Line::new().own(Token::Warn, words),
            );
        }
    }

    /// Returns what stays at the top, what scrolls, and what stays at the bottom, for `width`.
    fn parts(&self, width: usize, scene: &Scene) -> (Vec<Line>, Vec<Line>, Vec<Line>) {
        let width = width.min(usize::from(WIDTH)).saturating_sub(2);
        let wrap = |lines: Vec<Line>| -> Vec<Line> {
            lines.iter().flat_map(|line| line.wrap(width, 2)).collect()
        };
        let (head, mut middle) = match &self.stage {
            Stage::Choosing => (vec![self.stop_field()], self.choices(scene)),
            Stage::Confirming(verb) => (
                vec![
                    Line::new().own(Token::Strong, effect(*verb)),
                    Line::new().own(Token::Strong, "[y] yes   any other key: no"),
                ],
                Vec::new(),
            ),
            Stage::Sent(verb, since) => (Vec::new(), self.progress(*verb, *since, scene)),
            Stage::Offline => {
                let words = "The link to the daemon is down: it could not be told.";
                let mut lines = vec![Line::new().own(Token::Crit, words)];
                lines.extend(self.second_path(scene));
                (Vec::new(), lines)
            }
            Stage::Answered(receipt) => (Vec::new(), stopped::receipt(receipt, scene)),
        };
        if let Some(error) = &self.error {
            middle.push(Line::new().own(Token::Crit, "refused: ").says(Token::Crit, error));
        }
        let foot = match &self.stage {
            Stage::Choosing => "Esc closes. From a shell: mcctl stop",
            Stage::Confirming(_) | Stage::Sent(..) | Stage::Offline | Stage::Answered(_) => {
                "Esc closes"
            }
        };
        (wrap(head), wrap(middle), wrap(vec![Line::new().own(Token::Dim, foot)]))
    }

    fn stop_field(&self) -> Line {
        Line::new()
            .own(Token::Strong, "type STOP, Enter: [")
            .own(Token::Crit, self.typed.clone())
            .own(Token::Focus, "_")
            .own(Token::Strong, "]")
    }

    /// What became of a stop by the halt file, now that the daemon is heard again.
    fn after_halt(&self, scene: &Scene) -> Option<Line> {
        let line = Line::new();
        Some(match (self.halt.as_ref()?, scene.world.is_halted(), self.was_held) {
            (_, true, _) => {
                line.own(Token::Crit, "The daemon answers again, and holds the stop.")
            }
            (_, false, true) => {
                let status = crate::story::word(&scene.world.squad.status);
                line.own(Token::Ok, format!("That stop is over: the squad is {status}."))
            }
            (Ok(()), false, false) => line.own(
                Token::Crit,
                "The daemon answers again and does NOT say that it is stopped: it reads the halt file within a second, else type STOP again.",
            ),
            (Err(error), false, false) => line
                .own(Token::Crit, "The halt file could NOT be written, type STOP again: ")
                .says(Token::Crit, error),
        })
    }

    fn choices(&self, scene: &Scene) -> Vec<Line> {
        let world = &scene.world;
        let open =
            world.tasks.values().filter(|task| stopped::is_blocked_by_a_stop(task.state)).count();
        let mut lines: Vec<Line> = self.after_halt(scene).into_iter().collect();
        lines.extend([
            Line::new().own(
                Token::Fg,
                format!(
                    "ends {} runs, cancels {} approvals, blocks {open} tasks; no run and no call until an admin resumes. No undo.",
                    world.runs.len(),
                    world.waiting().len()
                ),
            ),
            choice("1", "Pause squad", "cuts running turns off, tasks stay"),
            choice("2", "Drain squad", "runs finish, then pause"),
        ]);
        lines.push(match &self.agent {
            Some(agent) => Line::new()
                .own(Token::Key, " 3 ")
                .own(Token::Fg, "Quarantine… ")
                .says(Token::Strong, &text::line(agent)),
            None => Line::new()
                .own(Token::Dim, " 3 Quarantine: put the cursor on an agent in the fleet first"),
        });
        match world.squad.status {
            SquadStatus::Halted => lines.push(choice("4", "Resume…", "ends the emergency stop")),
            SquadStatus::Paused => lines.push(choice("4", "Resume", "ends the pause")),
            SquadStatus::Running => {}
        }
        if has_stopped(scene) {
            let known = i64::try_from(world.squad.stopped.len()).unwrap_or(0);
            let count = world.squad.stopped_count.max(known);
            lines.push(
                Line::new()
                    .own(Token::Key, " 5 ")
                    .own(Token::Fg, "Resume some… ")
                    .own(Token::Dim, format!("of {count} tasks that the stop blocked: mark which")),
            );
        }
        if !stopped::endable(scene).is_empty() {
            lines.push(choice("6", "End runtime…", "that does not stop, with all that it runs"));
        }
        if let (SquadStatus::Halted, Some(report)) = (world.squad.status, &world.squad.stop) {
            lines.extend(stopped::lines(report));
        }
        lines
    }

    fn progress(&self, verb: SquadVerb, since: u64, scene: &Scene) -> Vec<Line> {
        let waited = scene.now.steady.saturating_sub(since);
        let mut lines = vec![Line::new().own(
            Token::Pending,
            format!("~ {}: sent, no receipt yet ({} s)", verb_word(verb), waited / 1000),
        )];
        if self.halt.is_some() {
            lines.push(Line::new().own(Token::Crit, "The daemon does not answer."));
        }
        lines.extend(self.second_path(scene));
        lines
    }

    /// The stop that needs no daemon, and what became of it.
    fn second_path(&self, scene: &Scene) -> Vec<Line> {
        let Some(halt) = &self.halt else { return Vec::new() };
        let file = text::line(&scene.halt_file);
        let done = match halt {
            Ok(()) => Line::new()
                .own(Token::Strong, "Second path: wrote ")
                .says(Token::Fg, &file)
                .own(Token::Fg, " (daemon and runtimes watch it). NOT CONFIRMED by any agent."),
            Err(error) => Line::new()
                .own(Token::Crit, "Second path: the halt file could NOT be written: ")
                .says(Token::Crit, error),
        };
        let shell = Line::new()
            .own(Token::Fg, "in a shell: mcd halt, or printf 1 > '")
            .says(Token::Strong, &file)
            .own(Token::Fg, "'");
        vec![done, shell]
    }
}

fn end_runtime(scene: &Scene) -> Wish {
    forms::end_runtime(scene).map_or(Wish::Stay, |overlay| Wish::Open(Box::new(overlay)))
}

/// Says whether tasks are left that a stop blocked: those of the last one can follow later.
fn has_stopped(scene: &Scene) -> bool {
    !scene.world.squad.stopped.is_empty()
}

fn choice(key: &'static str, name: &'static str, effect: &'static str) -> Line {
    Line::new()
        .own(Token::Key, format!(" {key} "))
        .own(Token::Fg, format!("{name:<12} "))
        .own(Token::Dim, effect)
}

fn verb_word(verb: SquadVerb) -> &'static str {
    match verb {
        SquadVerb::Pause => "pause the squad",
        SquadVerb::Resume => "resume the squad",
        SquadVerb::Drain => "drain the squad",
        SquadVerb::Stop => "STOP everything",
    }
}

fn effect(verb: SquadVerb) -> &'static str {
    match verb {
        SquadVerb::Pause => {
            "Pause the squad: running turns are cut off, tasks stay where they are?"
        }
        SquadVerb::Drain => "Drain the squad: every agent finishes its task, then pauses?",
        SquadVerb::Resume => "Resume the squad: agents may work again?",
        SquadVerb::Stop => "Really?",
    }
}
