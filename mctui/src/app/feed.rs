//! What the link tells: connected, lost, events; and what the screens make of it.

use mc_proto::method::{feed::FeedItem, session::HelloResult};

use super::{App, Origin, Place};
use crate::{
    link::Phase,
    overlays::Overlay,
    request::{Call, Failure},
    widgets::Line,
    world::Applied,
};

impl App {
    pub(super) fn up(&mut self, hello: HelloResult) {
        self.scene.link.phase = Phase::Resync;
        self.scene.link.hear(self.scene.now, Some(hello.now));
        self.scene.link.connection = hello.connection;
        self.scene.me = Some(hello.actor);
        self.away.link(true, self.scene.now.steady);
        self.give_up_waiting();
        self.resync();
    }

    pub(super) fn resync(&mut self) {
        if self.sent.values().any(|origin| *origin == Origin::Snapshot) {
            return;
        }
        self.scene.link.phase = Phase::Resync;
        self.ask(Call::Snapshot, Origin::Snapshot);
    }

    pub(super) fn lost(&mut self, error: &Failure, attempt: u32, retry_in_ms: u64) {
        use mc_proto::error::ErrorKind;
        let refused = matches!(
            error.kind,
            Some(ErrorKind::Forbidden | ErrorKind::Unauthorized | ErrorKind::InvalidRequest)
        );
        let retry_at = self.scene.now.steady + retry_in_ms;
        self.scene.link.phase = if refused {
            Phase::Refused { reason: error.text.clone() }
        } else {
            Phase::Lost { attempt, retry_at, reason: error.text.clone() }
        };
        self.away.link(false, self.scene.now.steady);
        self.waiting_items.clear();
        if let Some(open) = &mut self.emergency {
            open.lost();
        }
        self.give_up_waiting();
    }

    /// No answer will come to what was sent on the lost connection: its dialog says so.
    pub(super) fn give_up_waiting(&mut self) {
        let waited = self.sent.values().any(|origin| *origin == Origin::Dialog);
        self.sent.clear();
        self.scene.pending.clear();
        if let Some(overlay) = self.overlays.last_mut().filter(|_| waited) {
            let words =
                "the link was lost: not known whether it was done, look before you repeat it";
            overlay.answered(Some(words));
        }
        self.factor.forget();
        self.approvals.forget();
        self.touch_rules();
        self.touch_schedules();
        self.task.forget();
        self.cost.forget();
        self.fleet.answered();
        self.board.answers.is_asked = false;
    }

    /// The list of standing rules is asked again, where it is open.
    fn touch_rules(&mut self) {
        if let Some(rules) = self.overlays.iter_mut().find_map(Overlay::as_rules) {
            rules.list.touch();
        }
    }

    /// The list of schedules is asked again, where it is open.
    fn touch_schedules(&mut self) {
        if let Some(schedules) = self.overlays.iter_mut().find_map(Overlay::as_schedules) {
            schedules.list.touch();
        }
    }

    pub(super) fn item(&mut self, item: FeedItem) {
        self.scene.link.hear(self.scene.now, None);
        if self.scene.link.phase == Phase::Resync {
            self.waiting_items.push(item);
            return;
        }
        self.apply(item);
        self.is_unmerged = true;
    }

    /// Takes one event into the world and into what the screens know.
    pub(super) fn apply(&mut self, item: FeedItem) {
        let task = item.event.event.task();
        let arrived = arrival(&item);
        self.away.hear(&item.event, self.scene.me.as_ref().map(|me| me.name.as_str()));
        self.cost.hear(&item.event.event);
        self.fleet.hear(&item.event.event);
        let kind = item.event.event.kind();
        let (is_rule, is_schedule) = (kind.starts_with("rule_"), kind.starts_with("schedule_"));
        match self.scene.world.apply(item) {
            Applied::Old => return,
            Applied::Gap => self.resync(),
            Applied::Yes => {}
        }
        if is_rule {
            self.touch_rules();
        }
        if is_schedule {
            self.touch_schedules();
        }
        if task.is_some() && task == self.board.answers.task {
            self.board.answers.is_old = true;
        }
        if let (Place::Task(open), Some(task)) = (self.place, task)
            && open == task
        {
            self.task.touch();
        }
        if let Some(line) = arrived {
            self.say(line);
        }
    }
}

/// Returns what the notice line says about an event.
fn arrival(item: &FeedItem) -> Option<Line> {
    use mc_core::{alert::Severity, event::Event};
    let is_told = match &item.event.event {
        Event::ApprovalRequested { .. } | Event::SquadStatusChanged { .. } => true,
        Event::AlertRaised { alert } => alert.severity >= Severity::Warning,
        _ => false,
    };
    is_told.then(|| {
        let token = crate::story::token(&item.event.event);
        Line::new().says(token, &crate::story::line(&item.event))
    })
}
