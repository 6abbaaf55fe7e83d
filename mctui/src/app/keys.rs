//! What keys and pastes do: Emergency first, then dialogs, then the filter, then the screen.

use crossterm::event::KeyCode;
use mc_core::{actor::Level, agent::AgentName, id::TaskId};

use super::{App, Origin, Place};
use crate::{
    export,
    keymap::{self, Action, Key},
    link::Phase,
    overlays::{
        Outcome, Overlay,
        copy::{self, Row},
        emergency::{Emergency, Wish},
        find::Find,
        help::Help,
        links,
        menu::{Choice, Menu},
        told,
        unlock::Unlock,
        views,
    },
    request::{Call, Request},
    scene::{DEMO_PASSPHRASE, Intent, Times},
    screens::{board::Board, task::TaskScreen},
    theme::Token,
    widgets::{Field, Line},
    world::Mine,
};

/// Within this time a second Ctrl-C quits, in milliseconds.
const TWICE_MS: u64 = 2_000;

impl App {
    pub(super) fn press(&mut self, key: Key) {
        if let Some(open) = &mut self.emergency {
            let wish = open.press(key, &self.scene);
            return self.grant(wish);
        }
        let is_typing =
            self.filter.is_some() || self.overlays.last().is_some_and(Overlay::is_typing);
        if key.is_alarm() || (!is_typing && key == Key::char('!')) {
            let agent = self.fleet.selected().cloned().filter(|_| self.place == Place::Fleet);
            self.emergency = Some(Emergency::new(agent, self.scene.now.steady));
            return;
        }
        match key {
            _ if key == Key::control('z') => return self.out.push(Request::Suspend),
            _ if key == Key::control('l') => return self.out.push(Request::Repaint),
            _ => {}
        }
        if let Some(overlay) = self.overlays.last_mut() {
            let outcome = overlay.press(key, &self.scene);
            return self.follow(outcome);
        }
        if self.filter.is_some() {
            return self.press_filter(key);
        }
        if !self.scene.world.is_loaded
            && key == Key::char('d')
            && matches!(self.scene.link.phase, Phase::Lost { .. })
        {
            return self.out.push(Request::Demo);
        }
        if let Some(action) = keymap::action(self.place.context(), key) {
            self.act(action);
        }
    }

    pub(super) fn paste(&mut self, pasted: &str) {
        if self.emergency.is_some() {
            return;
        }
        if let Some(overlay) = self.overlays.last_mut() {
            let outcome = overlay.paste(pasted);
            return self.follow(outcome);
        }
        let Some(field) = &mut self.filter else { return };
        field.paste(pasted);
        let typed = field.value().to_owned();
        self.set_query(&typed);
    }

    fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Stay => {}
            Wish::Close => self.emergency = None,
            Wish::Send(act) => self.send(*act, Origin::Emergency),
            Wish::Halt(words) => self.out.push(Request::WriteHaltFile(words)),
            Wish::Open(overlay) => {
                self.emergency = None;
                self.overlays.push(*overlay);
            }
        }
    }

    pub(super) fn follow(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Stay => {}
            Outcome::Close => self.close(),
            Outcome::Go(intent) => {
                self.overlays.pop();
                self.intend(Some(*intent));
            }
            Outcome::Over(overlay) => self.show(*overlay),
            Outcome::Send(act) => self.send(*act, Origin::Dialog),
            Outcome::Ask(call) => {
                self.ask(call, Origin::Dialog);
            }
            Outcome::Keep(act, factor) => {
                self.close();
                self.keep(*act, factor);
            }
            Outcome::Do(request) => self.out.push(request),
            Outcome::Refuse(why) => self.refuse(why),
        }
    }

    fn close(&mut self) {
        let Some(mut overlay) = self.overlays.pop() else { return };
        if let Overlay::Form(form) = &mut overlay
            && let Some((task, draft)) = form.draft()
        {
            self.drafts.insert(task, draft);
        }
        self.reopen_below();
    }

    fn show(&mut self, mut overlay: Overlay) {
        if let Overlay::Form(form) = &mut overlay
            && let Some((task, _)) = form.draft()
            && let Some(draft) = self.drafts.get(&task)
        {
            form.restore(draft);
        }
        let is_decision =
            matches!(overlay, Overlay::Decide(_) | Overlay::Bulk(_) | Overlay::Edit(_));
        self.overlays.push(overlay);
        let level = self.scene.me.as_ref().and_then(|me| me.level).unwrap_or_default();
        if is_decision && level == Level::L0 && self.can_rise() {
            let why = Line::new().own(
                Token::Fg,
                "A decision needs to know that it is you. It is not sent by unlocking: the same dialog comes back.",
            );
            self.open_unlock(why);
        }
    }

    fn press_filter(&mut self, key: Key) {
        let Some(field) = &mut self.filter else { return };
        match key.code {
            KeyCode::Enter => self.filter = None,
            KeyCode::Esc => {
                self.filter = None;
                self.set_query("");
            }
            _ if key == Key::control('c') => {
                self.filter = None;
                self.set_query("");
            }
            _ => {
                field.press(key);
                let typed = field.value().to_owned();
                self.set_query(&typed);
            }
        }
    }

    fn act(&mut self, action: Action) {
        if action != Action::Cancel {
            self.last_cancel = None;
        }
        match action {
            Action::ToBoard => self.go(Place::Board),
            Action::ToApprovals => self.go(Place::Approvals),
            Action::ToFleet => self.go(Place::Fleet),
            Action::ToAlerts => self.go(Place::Alerts),
            Action::ToCost => self.go(Place::Cost),
            Action::Swap => self.go(self.swap),
            Action::Back => self.back(),
            Action::Quit => self.quit(),
            Action::Cancel => self.cancel(),
            Action::Help => self.overlays.push(Overlay::Help(Help::new(self.place.context()))),
            Action::Emergency => {}
            Action::Filter => {
                let mut field = Field::optional("filter");
                field.paste(self.scene.query.text());
                self.filter = Some(field);
            }
            Action::Links => self.links(),
            Action::Copy => self.copy(),
            Action::Find => self.overlays.push(Overlay::Find(Find::new())),
            Action::Because => {
                let (task, agent) = self.under_cursor();
                let intent = told::because(task, agent.as_ref(), &self.scene);
                self.intend(Some(intent));
            }
            Action::Changed => {
                let since = self.looked_at.unwrap_or_default();
                self.looked_at = Some(self.scene.world.head);
                let intent = told::changed(since, &self.scene);
                self.intend(Some(intent));
            }
            Action::Views => {
                let intent = views::menu(self.place, &self.scene);
                self.intend(Some(intent));
            }
            Action::Export => self.export(),
            Action::NextMine => self.next_mine(1),
            Action::PrevMine => self.next_mine(-1),
            Action::Times => {
                self.scene.times = match self.scene.times {
                    Times::Ages => Times::Clock,
                    Times::Clock => Times::Ages,
                };
            }
            Action::Reconnect => self.reconnect(),
            Action::Repaint => self.out.push(Request::Repaint),
            Action::Suspend => self.out.push(Request::Suspend),
            Action::Unlock => self.unlock(),
            _ => self.act_on_screen(action),
        }
    }

    fn act_on_screen(&mut self, action: Action) {
        let (body, shape) = (self.body(), self.shape());
        let scene = &self.scene;
        let intent = match self.place {
            Place::Board => self.board.update(action, scene, Board::rows(body, shape).max(1)),
            Place::Approvals => self.approvals.update(action, scene, body, shape),
            Place::Fleet => self.fleet.update(action, scene, body.height),
            Place::Alerts => self.alerts.update(action, scene, body.height),
            Place::Cost => self.cost.update(action, scene, body.height),
            Place::Task(_) => self.task.update(action, scene, body.height),
        };
        self.intend(intent);
    }

    fn intend(&mut self, intent: Option<Intent>) {
        match intent {
            None => {}
            Some(Intent::OpenTask(task)) => self.go_deeper(Place::Task(task)),
            Some(Intent::OpenApproval(approval)) => {
                self.go_deeper(Place::Approvals);
                self.approvals.open(approval, &self.scene);
            }
            Some(Intent::OpenAgent(agent)) => {
                self.go_deeper(Place::Fleet);
                self.fleet.open(&agent, &self.scene);
            }
            Some(Intent::OpenAlert(alert)) => {
                self.go_deeper(Place::Alerts);
                self.alerts.open(alert, &self.scene);
            }
            Some(Intent::Save(text)) => self.out.push(Request::Export(text)),
            Some(Intent::Shot) => {
                let shot = self.shot();
                self.out.push(Request::Export(shot));
            }
            Some(Intent::Filter(filter)) => self.set_query(&filter),
            Some(Intent::Copy(text)) => self.out.push(Request::Copy(text)),
            Some(Intent::Say(words)) => self.refuse(words),
            Some(Intent::Look(overlay)) => self.show(*overlay),
            Some(Intent::Show(overlay)) => match self.scene.obstacle() {
                Some(obstacle) => self.refuse(obstacle),
                None => self.show(*overlay),
            },
        }
    }

    /// Goes to a screen of the tabs; the trail starts anew.
    fn go(&mut self, place: Place) {
        self.trail.clear();
        self.enter(place);
    }

    /// Opens something from where we are; Esc comes back.
    fn go_deeper(&mut self, place: Place) {
        if place != self.place {
            self.trail.push(self.place);
            self.trail.truncate(32);
        }
        self.enter(place);
    }

    fn enter(&mut self, place: Place) {
        if place != self.place {
            self.swap = self.place;
        }
        self.place = place;
        if let Place::Task(task) = place
            && self.task.task != task
        {
            self.task = TaskScreen::open(task);
        }
        self.settle();
    }

    fn back(&mut self) {
        let shape = self.shape();
        if self.place == Place::Approvals && (self.approvals.back(shape) || self.approvals.unmark())
        {
            return;
        }
        if let Some(before) = self.trail.pop() {
            let from = self.place;
            self.enter(before);
            if let (Place::Board, Place::Task(task)) = (before, from) {
                self.board.select(task, &self.scene);
            }
        } else if !self.scene.query.is_empty() || !self.scene.query.text().is_empty() {
            self.set_query("");
        }
    }

    fn quit(&mut self) {
        if self.trail.is_empty() {
            self.out.push(Request::Quit);
        } else {
            self.back();
        }
    }

    fn cancel(&mut self) {
        let now = self.scene.now.steady;
        if self.last_cancel.is_some_and(|before| now.saturating_sub(before) <= TWICE_MS) {
            return self.out.push(Request::Quit);
        }
        self.last_cancel = Some(now);
        self.back();
        self.say_own("Ctrl-C again within 2 s quits");
    }

    fn reconnect(&mut self) {
        match self.scene.link.phase {
            Phase::Up => self.resync(),
            Phase::Connecting | Phase::Resync | Phase::Lost { .. } | Phase::Refused { .. } => {
                self.sent.clear();
                self.out.push(Request::Reconnect);
            }
        }
    }

    fn unlock(&mut self) {
        if let Some(obstacle) = self.scene.obstacle() {
            return self.say_own(obstacle);
        }
        if self.can_rise() {
            let why = Line::new().own(
                Token::Fg,
                "Raises the level of this session; 15 idle minutes lower it again.",
            );
            self.open_unlock(why);
        } else {
            self.ask(Call::Lock, Origin::Screen);
        }
    }

    /// Opens the passphrase dialog over whatever is open.
    pub(super) fn open_unlock(&mut self, why: Line) {
        let why = if self.scene.is_demo {
            let words = format!("  The passphrase of this demo is: {DEMO_PASSPHRASE}");
            why.own(Token::Strong, words)
        } else {
            why
        };
        self.overlays.push(Overlay::Unlock(Unlock::new(why)));
    }

    /// Goes to the next thing that needs a person, worst and soonest first.
    fn next_mine(&mut self, step: isize) {
        let mine = self.scene.world.mine();
        if mine.is_empty() {
            return self.say_own("nothing waits for you");
        }
        let last = mine.len() - 1;
        let before = self.mine_at.and_then(|at| mine.iter().position(|one| *one == at));
        let at = match (before, step) {
            (None, _) => 0,
            (Some(at), 1) => {
                if at == last {
                    0
                } else {
                    at + 1
                }
            }
            (Some(at), _) => at.checked_sub(1).unwrap_or(last),
        };
        let Some(one) = mine.get(at).copied() else { return };
        self.mine_at = Some(one);
        self.say_own(format!("{} of {} for you", at + 1, mine.len()));
        match one {
            Mine::Approval(approval) => self.intend(Some(Intent::OpenApproval(approval))),
            Mine::Review(task) => self.intend(Some(Intent::OpenTask(task))),
            Mine::Alert(alert) => self.intend(Some(Intent::OpenAlert(alert))),
        }
    }

    /// Opens the menu of what can be copied of the row under the cursor.
    fn copy(&mut self) {
        let row = match self.place {
            Place::Board => self.board.selected().map(Row::Task),
            Place::Task(task) => Some(Row::Task(task)),
            Place::Approvals => self.approvals.selected().map(Row::Approval),
            Place::Fleet => self.fleet.selected().cloned().map(Row::Agent),
            Place::Alerts => self.alerts.selected().map(Row::Alert),
            Place::Cost => match self.cost.about() {
                (Some(task), _) => Some(Row::Task(task)),
                (None, agent) => agent.map(Row::Agent),
            },
        };
        let nothing = || Intent::Say("nothing is under the cursor".to_owned());
        let intent = row.map_or_else(nothing, |row| copy::of(&row, &self.scene));
        self.intend(Some(intent));
    }

    /// Returns the task and the agent of the row under the cursor.
    fn under_cursor(&self) -> (Option<TaskId>, Option<AgentName>) {
        let scene = &self.scene;
        match self.place {
            Place::Board => (self.board.selected(), None),
            Place::Task(task) => (Some(task), None),
            Place::Approvals => self.approvals.about(scene),
            Place::Fleet => (None, self.fleet.selected().cloned()),
            Place::Alerts => self.alerts.about(scene),
            Place::Cost => self.cost.about(),
        }
    }

    /// Opens the menu of how the view can be written to a file.
    fn export(&mut self) {
        let choice = |label: &'static str, intent| Choice {
            label: Line::new().own(Token::Fg, label),
            opens: Some(intent),
        };
        let choices = vec![
            choice("this screen as text", Intent::Shot),
            choice("the rows as CSV", export::csv(self.place, &self.scene)),
            choice("the rows as JSON, one a line", export::ndjson(self.place, &self.scene)),
        ];
        let menu = Menu::new("Write to a file that only you can read", choices);
        self.overlays.push(Overlay::Menu(menu));
    }

    /// Returns the screen as text.
    fn shot(&self) -> String {
        let mut buffer = ratatui::buffer::Buffer::empty(self.area());
        self.view(&mut buffer);
        crate::text::of_buffer(&buffer)
    }

    /// Opens the menu of what belongs to the row under the cursor.
    fn links(&mut self) {
        let scene = &self.scene;
        let (task, agent) = self.under_cursor();
        let card = task.and_then(|task| scene.world.tasks.get(&task));
        let mut agents: Vec<AgentName> = agent.into_iter().collect();
        agents.extend(card.iter().flat_map(|card| card.assignees.iter().cloned()));
        agents.sort();
        agents.dedup();
        let held = agents.iter().filter(|_| task.is_none());
        let held = held.filter_map(|name| scene.world.agents.get(name)?.agent.current_task);
        let tasks: Vec<TaskId> = task.into_iter().chain(held).collect();
        let intent = links::of(&tasks, &agents, scene);
        self.intend(Some(intent));
    }
}
