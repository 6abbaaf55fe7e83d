//! What the daemon answered, and who had asked.

use mc_proto::error::ErrorKind;

use super::{App, Origin};
use crate::{
    link::Phase,
    overlays::{Overlay, report::Report},
    request::{Call, Failure, Reply, Ticket},
    text,
    theme::Token,
    widgets::Line,
};

impl App {
    pub(super) fn answer(&mut self, ticket: Ticket, result: Result<Reply, Failure>) {
        let pending = self.scene.pending.iter().position(|pending| pending.ticket == ticket);
        let pending = pending.map(|at| self.scene.pending.remove(at));
        let Some(origin) = self.sent.remove(&ticket) else {
            // Asked on a connection that is gone.
            return;
        };
        self.scene.link.hear(self.scene.now, None);
        if origin == Origin::Task {
            self.task.answered();
        }
        match result {
            Ok(reply) => self.reply(reply, origin),
            Err(failure) => {
                let label = pending.map_or_else(|| "not loaded".to_owned(), |one| one.label);
                self.failed(&failure, origin, &label);
            }
        }
    }

    fn reply(&mut self, reply: Reply, origin: Origin) {
        if origin == Origin::Dialog {
            self.close_answered();
        }
        match reply {
            Reply::Snapshot(snapshot) => self.load(*snapshot),
            Reply::Answers(task, answers) => {
                self.task.answers.take(task, (*answers).clone());
                self.board.answers.take(task, *answers);
            }
            Reply::Task(detail) => self.task.take_detail(detail),
            Reply::Timeline(task, items) => self.task.take_timeline(task, items),
            Reply::Thread(task, messages) => self.task.take_thread(task, messages),
            Reply::Approval(detail) => self.approvals.take(detail),
            Reply::Rules(rules) => {
                if let Some(open) = self.overlays.iter_mut().find_map(Overlay::as_rules) {
                    open.list.take(rules);
                }
            }
            Reply::Schedules(schedules) => {
                if let Some(open) = self.overlays.iter_mut().find_map(Overlay::as_schedules) {
                    open.list.take(schedules);
                }
            }
            reply @ (Reply::Agents(..) | Reply::Costs(_) | Reply::Spend(_)) => self.numbers(reply),
            Reply::Decided(set) => {
                self.approvals.unmark();
                self.overlays.push(Overlay::Report(Report::receipts(&set)));
            }
            Reply::Unlocked(unlocked) => {
                if let Some(me) = &mut self.scene.me {
                    me.level = Some(unlocked.level);
                    me.level_expires_at = Some(unlocked.expires_at);
                }
                let until = crate::format::minute(unlocked.expires_at);
                self.say_own(format!(
                    "unlocked: {} until {until} UTC at the latest",
                    unlocked.level
                ));
                self.reopen_below();
            }
            Reply::Challenged(act, open) => self.challenged(*act, *open),
            Reply::Whoami(me) => {
                let before = self.scene.me.as_ref().and_then(|me| me.level);
                if before != me.level {
                    self.say_own(format!("your level is {} now", me.level.unwrap_or_default()));
                }
                self.scene.me = Some(me);
            }
            Reply::Squad(receipt) => {
                self.scene.world.squad = receipt.squad.clone();
                self.say(Line::new().says(Token::Strong, &text::line(&receipt.text)));
                if let Some(open) = &mut self.emergency {
                    open.answered(receipt);
                }
            }
            Reply::Done(words) => self.say(Line::new().says(Token::Ok, &text::line(&words))),
        }
    }

    /// Takes in what agents do and what it costs.
    fn numbers(&mut self, reply: Reply) {
        match reply {
            Reply::Agents(agents, budgets) => {
                self.fleet.answered();
                self.scene.world.look(agents, *budgets);
                self.fleet.merge(&self.scene);
            }
            Reply::Costs(costs) => self.cost.take(costs, &self.scene),
            Reply::Spend(rows) => {
                if let Some(open) = self.overlays.iter_mut().find_map(Overlay::as_spend) {
                    open.take(rows.rows);
                }
            }
            _ => {}
        }
    }

    fn load(&mut self, snapshot: mc_proto::method::feed::Snapshot) {
        self.scene.link.phase = Phase::Up;
        self.scene.link.hear(self.scene.now, Some(snapshot.now));
        let before = self.scene.world.head;
        let cut = snapshot.cut.join(", ");
        self.scene.world.load(snapshot);
        for item in std::mem::take(&mut self.waiting_items) {
            self.apply(item);
        }
        if std::mem::take(&mut self.is_first_load) {
            self.looked_at.get_or_insert(self.scene.world.head);
            self.board.begin(&self.scene);
            self.settle();
        } else {
            let mine = self.scene.world.mine().len();
            let missed = self.scene.world.head.saturating_sub(before).max(0);
            self.say_own(format!("resynced: {missed} events, {mine} need you"));
        }
        if !cut.is_empty() {
            self.say_own(format!("too much at once: not all {cut} are here; mcctl lists the rest"));
        }
        self.board.answers.is_old = true;
        self.task.touch();
        if let Some(open) = &mut self.emergency {
            open.reloaded();
        }
        self.merge();
    }

    /// Closes the dialog whose act was done.
    fn close_answered(&mut self) {
        let done = self.overlays.iter().rposition(|overlay| !matches!(overlay, Overlay::Help(_)));
        if let Some(at) = done {
            let mut overlay = self.overlays.remove(at);
            if let Overlay::Form(form) = &mut overlay
                && let Some((task, _)) = form.draft()
            {
                self.drafts.remove(&task);
            }
        }
    }

    pub(super) fn reopen_below(&mut self) {
        let steady = self.scene.now.steady;
        if let Some(overlay) = self.overlays.last_mut() {
            overlay.reopen(steady);
        }
    }

    fn failed(&mut self, failure: &Failure, origin: Origin, label: &str) {
        if origin == Origin::Dialog
            && let Some(act) = self.factor.wanted(failure)
        {
            return self.ask_factor(act, failure);
        }
        match origin {
            Origin::Dialog => {
                if let Some(overlay) = self.overlays.last_mut() {
                    overlay.answered(Some(&failure.text));
                }
                let is_locked = failure.kind == Some(ErrorKind::Forbidden);
                if is_locked {
                    self.ask(Call::Whoami, Origin::Screen);
                }
                let is_unlocking = matches!(self.overlays.last(), Some(Overlay::Unlock(_)));
                let may_rise = self.can_rise() || names_level(&failure.text);
                if is_locked && !is_unlocking && may_rise {
                    let why = Line::new()
                        .own(Token::Fg, "The daemon wants a higher level for this act: ")
                        .says(Token::Dim, &text::line(&failure.text));
                    self.open_unlock(why);
                }
            }
            Origin::Emergency => {
                if let Some(open) = &mut self.emergency {
                    open.failed(&failure.text, failure.kind.is_some());
                }
            }
            Origin::Snapshot => {
                let words = Line::new()
                    .own(Token::Crit, "no picture: ")
                    .says(Token::Fg, &text::line(&failure.text))
                    .own(Token::Dim, "  (R tries again)");
                self.say(words);
            }
            Origin::Fleet => self.fleet.answered(),
            Origin::Screen | Origin::Task | Origin::Cost => {
                if origin == Origin::Task {
                    self.task.failed(&failure.text);
                }
                if origin == Origin::Cost {
                    self.cost.failed(self.scene.now.steady);
                    if let Some(open) = self.overlays.iter_mut().find_map(Overlay::as_spend) {
                        open.failed();
                    }
                }
                let words = Line::new()
                    .own(Token::Warn, format!("{label}: "))
                    .says(Token::Fg, &text::line(&failure.text));
                self.say(words);
                self.board.answers.is_asked = false;
            }
        }
    }

    /// Says whether a passphrase could raise the level.
    pub(super) fn can_rise(&self) -> bool {
        use mc_core::actor::{Level, Role};
        let Some(me) = &self.scene.me else { return false };
        let top = if me.shared_uid { Level::L1 } else { Level::L2 };
        me.role != Some(Role::Viewer) && me.level.unwrap_or_default() < top
    }
}

/// Says whether a refusal is about the level: the one that we believe to have may have fallen.
fn names_level(text: &str) -> bool {
    text.contains("passphrase")
}
