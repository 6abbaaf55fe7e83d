//! Time: expiries, the day's turn, jumps of the clock, a halt file that was set by hand.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mc_core::{
    actor::Actor,
    budget::{BudgetDay, Clocks},
    time::Timestamp,
};
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::Setting;
use crate::{
    caller::{Caller, SystemCommand, Work},
    clock::Drift,
    server::{Server, emergency},
    store::{Answer, Store},
};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often while nobody is connected and nothing happens.
const IDLE_TICK: Duration = Duration::from_secs(5);
/// How many ticks pass without the writer when nothing happened.
const QUIET_TICKS: u32 = 5;

/// Looks at the time about once a second; never ends by itself.
pub(super) async fn run(setting: &Setting) {
    let server = &setting.server;
    let live = server.live();
    let zone = setting.config.zone();
    let mut state = Seen { drift: Drift::of(&*live.clock), head: -1, quiet: 0 };
    let mut turning = Turning { day: setting.day.clone(), kept: None, asked: None };
    loop {
        turning.look(server, &zone);
        state.watch_clock(server);
        watch_halt(server);
        state.tick(server);
        let idle = state.quiet > 0 && live.connections.load(Ordering::SeqCst) == 0;
        let pause = tokio::time::sleep(if idle { IDLE_TICK } else { TICK });
        tokio::select! {
            () = pause => {}
            () = live.halt.woken() => {}
        }
    }
}

/// Returns where the budget day stands when the daemon starts.
pub(crate) fn day(store: &Store, zone: &jiff::tz::TimeZone) -> BudgetDay {
    let live = store.live();
    let (today, old_ms) = today(live.clock.now(), zone);
    let (elapsed_ms, boot) = (live.clock.elapsed_ms(), live.clock.boot());
    let clocks = Clocks { today: &today, old_ms, elapsed_ms, boot: &boot };
    // The live day is the newest that money was spent on.
    BudgetDay::begin(store.kept_day().cloned(), &live.day(), clocks)
}

/// The budget day, and how far its last turn has come into the record.
struct Turning {
    day: BudgetDay,
    kept: Option<BudgetDay>,
    asked: Option<(BudgetDay, oneshot::Receiver<Answer>)>,
}

impl Turning {
    /// Turns the day when it is time, and has each turn recorded: a restart goes on from it.
    fn look(&mut self, server: &Server, zone: &jiff::tz::TimeZone) {
        let live = server.live();
        let (today, old_ms) = today(live.clock.now(), zone);
        self.day.look((&today, old_ms), live.clock.elapsed_ms());
        live.set_day(self.day.day().to_owned());
        if let Some((day, mut answer)) = self.asked.take() {
            match answer.try_recv() {
                Ok(Ok(_)) => self.kept = Some(day),
                Err(TryRecvError::Empty) => self.asked = Some((day, answer)),
                // What can't be written now is tried again.
                Ok(Err(_)) | Err(TryRecvError::Closed) => {}
            }
        }
        if self.asked.is_none() && self.kept.as_ref() != Some(&self.day) {
            let now = self.day.clone();
            let work = Work::System(SystemCommand::TurnDay { now: now.clone() });
            self.asked = server.store.submit(work).ok().map(|answer| (now, answer));
        }
    }
}

/// Records a stop that was set by hand, or that a crash kept from the record.
fn watch_halt(server: &Arc<Server>) {
    let live = server.live();
    if live.halt.refresh() && live.stops.report().is_none() && !emergency::is_recorded(server) {
        emergency::stop_by_file(server);
    }
}

/// Returns the day of `now` in a zone, `YYYY-MM-DD`, and how long ago it began, in milliseconds.
fn today(now: Timestamp, zone: &jiff::tz::TimeZone) -> (String, i64) {
    let at = now.to_jiff().unwrap_or_default().to_zoned(zone.clone());
    let began = at.start_of_day().map_or(now.0, |start| start.timestamp().as_millisecond());
    (at.date().to_string(), now.0.saturating_sub(began))
}

struct Seen {
    drift: Drift,
    head: i64,
    quiet: u32,
}

impl Seen {
    /// Has a jump of the clock recorded; one backwards ends every proof of a passphrase.
    fn watch_clock(&mut self, server: &Server) {
        let Some(by_ms) = self.drift.jump(&*server.live().clock) else { return };
        tracing::warn!(by_ms, "the wall clock jumped");
        if by_ms < 0 {
            server.end_proofs();
        }
        // The writer looks at the clocks before each command.
        submit(server, SystemCommand::Tick);
    }

    /// Lets the writer look at what is due: each second while things happen, else seldom.
    fn tick(&mut self, server: &Server) {
        let head = server.live().head();
        self.quiet = if head == self.head { self.quiet + 1 } else { 0 };
        self.head = head;
        if self.quiet.is_multiple_of(QUIET_TICKS) {
            submit(server, SystemCommand::Tick);
        }
    }
}

/// Returns the daemon itself as a caller, for queries.
pub(crate) fn system() -> Caller {
    Caller {
        actor: Actor::system("workers"),
        role: None,
        agent: None,
        adapter: None,
        connection: 0,
        factor: crate::caller::Factor::None,
        home: None,
    }
}

fn submit(server: &Server, command: SystemCommand) {
    // What can't be done now is done at a later tick.
    server.store.submit(Work::System(command)).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_that_of_the_zone() {
        let late = Timestamp(1_763_000_000_007); // 2025-11-13T02:13:20Z
        let zone = |name| jiff::tz::TimeZone::get(name).unwrap();
        assert_eq!(today(late, &zone("UTC")).0, "2025-11-13");
        let (day, old) = today(late, &zone("America/New_York"));
        assert_eq!((day.as_str(), old / 3_600_000), ("2025-11-12", 21));
    }
}
