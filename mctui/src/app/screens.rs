//! What the screens take in, ask for, and show anew by themselves.

use mc_core::time::Timestamp;

use super::{App, Origin, Place};
use crate::{
    link::{Health, Now},
    overlays::{Overlay, rules::Rules, schedules::Schedules, spend::Spend},
    request::Call,
    widgets::Places,
};

impl App {
    /// Lets the lists take in what came; called before keys and before a frame, not for each of a
    /// hundred events.
    pub fn prepare(&mut self) {
        if std::mem::take(&mut self.is_unmerged) {
            self.merge();
            self.lay_out();
        }
    }

    /// Lets the lists take in what is new; no row under a cursor moves.
    pub(super) fn merge(&mut self) {
        self.board.merge(&self.scene);
        self.approvals.merge(&self.scene);
        self.fleet.merge(&self.scene);
        self.alerts.merge(&self.scene);
    }

    /// Tells the open list how many rows fit.
    pub(super) fn lay_out(&mut self) {
        let (body, shape, scene) = (self.body(), self.shape(), &self.scene);
        match self.place {
            Place::Board => self.board.fit(body, shape),
            Place::Approvals => self.approvals.fit(body, shape),
            Place::Fleet => self.fleet.fit(body, shape),
            Place::Alerts => self.alerts.fit(body, shape, scene),
            Place::Cost => self.cost.fit(body, shape, scene),
            Place::Task(_) => {}
        }
    }

    pub(super) fn settle(&mut self) {
        self.board.settle(&self.scene);
        self.approvals.settle(&self.scene);
        self.fleet.settle(&self.scene);
        self.alerts.settle(&self.scene);
        self.cost.settle(&self.scene);
    }

    /// Asks for what the open screen lacks.
    pub(super) fn want(&mut self) {
        if self.scene.link.health(self.scene.now) == Health::Off {
            return;
        }
        if let Some(call) = self.fleet.wants_caps(self.scene.now.steady) {
            self.ask(call, Origin::Fleet);
        }
        match self.place {
            Place::Board => {
                if let Some(task) = self.board.selected()
                    && self.board.answers.want(task)
                {
                    self.ask(Call::Answers(task), Origin::Screen);
                }
            }
            Place::Approvals => {
                if let Some(call) = self.approvals.wants(&self.scene) {
                    self.ask(call, Origin::Screen);
                }
            }
            Place::Task(_) => {
                for call in self.task.wants() {
                    let origin = if matches!(call, Call::Answers(_)) {
                        Origin::Screen
                    } else {
                        Origin::Task
                    };
                    self.ask(call, origin);
                }
            }
            Place::Cost => {
                if let Some(call) = self.cost.wants(self.scene.now.steady) {
                    self.ask(call, Origin::Cost);
                }
            }
            Place::Fleet => {
                if let Some(call) = self.fleet.wants(self.scene.now.steady) {
                    self.ask(call, Origin::Fleet);
                }
            }
            Place::Alerts => {}
        }
        let rules = self.overlays.iter_mut().find_map(Overlay::as_rules);
        if let Some(call) = rules.and_then(Rules::wants) {
            self.ask(call, Origin::Screen);
        }
        let schedules = self.overlays.iter_mut().find_map(Overlay::as_schedules);
        if let Some(call) = schedules.and_then(Schedules::wants) {
            self.ask(call, Origin::Screen);
        }
        let spend = self.overlays.iter_mut().find_map(Overlay::as_spend);
        if let Some(call) = spend.and_then(Spend::wants) {
            self.ask(call, Origin::Cost);
        }
    }

    /// Notes what was really on the screen: nothing that a dialog covered.
    pub(super) fn drawn(&mut self) {
        let is_covered = !self.overlays.is_empty() || self.emergency.is_some();
        if self.place == Place::Approvals && !is_covered && self.scene.world.is_loaded {
            let (body, shape) = (self.body(), self.shape());
            let was_seen = self.approvals.is_seen(&self.scene);
            self.approvals.drawn(body, shape, &self.scene);
            self.is_dirty |= was_seen != self.approvals.is_seen(&self.scene);
        }
        let middle = Places::of(self.area()).middle();
        if let Some(open) = &mut self.emergency {
            open.drawn(middle, &self.scene);
        } else {
            self.is_dirty |= self.overlays.last_mut().is_some_and(|top| top.drawn(middle));
        }
    }

    /// Returns in how many milliseconds something shown changes by itself.
    pub fn wakes_in(&self, now: Now) -> u64 {
        let time = self.scene.link.daemon_time(now);
        let to_minute = 60_000 - time.0.rem_euclid(60_000);
        let mut soonest = u64::try_from(to_minute).unwrap_or(60_000);
        soonest = soonest.min(self.scene.link.changes_in(now).unwrap_or(u64::MAX));
        if self.counts_seconds(time) {
            let to_second = 1_000 - time.0.rem_euclid(1_000);
            soonest = soonest.min(u64::try_from(to_second).unwrap_or(1_000));
        }
        let notice = [self.away.due_in(now.steady), self.away.expires_in(time, &self.scene.world)];
        soonest = notice.into_iter().flatten().fold(soonest, u64::min);
        soonest = soonest.min(self.idle_in(now.steady).unwrap_or(u64::MAX));
        if let Some((_, until)) = &self.notice {
            soonest = soonest.min(until.saturating_sub(now.steady));
        }
        let due = match self.place {
            Place::Cost => self.cost.due_in(now.steady),
            Place::Fleet => self.fleet.due_in(now.steady),
            Place::Board | Place::Approvals | Place::Alerts | Place::Task(_) => None,
        };
        if let Some(due) = due.filter(|_| self.scene.link.health(now) != Health::Off) {
            soonest = soonest.min(due);
        }
        if let Some(due) = self.emergency.as_ref().and_then(|open| open.due_in(now.steady)) {
            soonest = soonest.min(due);
        }
        soonest.max(5)
    }

    fn counts_seconds(&self, time: Timestamp) -> bool {
        let shows =
            matches!(self.place, Place::Board | Place::Approvals) || !self.overlays.is_empty();
        let mut waiting = self.scene.world.waiting().into_iter();
        shows && waiting.any(|approval| crate::format::counts_seconds(time, approval.expires_at))
    }
}
