//! The gate: asks the daemon, holds a call while a person decides, and reports what became of it.
//!
//! Each event is a process of its own and keeps nothing: the run and the call that an event
//! belongs to are found again among the agent's own on the daemon's side, by session, tool and
//! the hash of the arguments.

use std::{
    thread,
    time::{Duration, Instant},
};

use mc_core::{
    approval::ApprovalStatus,
    canonical,
    id::{ApprovalId, CallId, RunId},
    money::MicroUsd,
    policy::Outcome,
    run::{CallStatus, RunStatus, ToolCall},
};
use mc_proto::{
    client::ClientError,
    error::ErrorKind,
    method::run::{
        Await, Awaited, Check, Checked, Drop, Finality, Finalize, Finish, List, Start, ToolFinish,
        ToolList,
    },
};

use super::{
    dialect::prefix,
    event::{Event, Place, Report},
    link::Link,
    verdict::{Allowed, Verdict},
};
use crate::text;

/// How long one `tool.await` lasts.
const AWAIT: Duration = Duration::from_secs(25);
/// The pause before a lost daemon is looked for again.
const RETRY: Duration = Duration::from_millis(250);
/// How far back runs and calls are looked for.
const BACK: i64 = 100;

/// The daemon, asked on behalf of one event.
#[derive(Debug)]
pub(super) struct Gate {
    link: Link,
    place: Place,
    until: Instant,
}

impl Gate {
    /// Returns the gate for an event at `place`, which holds a call for `wait`.
    pub(super) fn new(link: Link, place: Place, wait: Duration) -> Self {
        Self { link, place, until: Instant::now() + wait }
    }

    /// Answers an event.
    pub(super) fn serve(mut self, event: &Event) -> Verdict {
        let done = match event {
            Event::Call(check) => self.check(check, Again::Yes),
            Event::Ended(report) => self.ended(report).map(|()| Verdict::Neutral),
            Event::Finished(finish) => self.link.call(finish.as_ref()).map(|_| Verdict::Neutral),
            Event::TurnBegins => self.turn_begins().map(|()| Verdict::Neutral),
            Event::TurnStops => self.turn_stops(),
            Event::TurnEnds(status) => self.turn_ends(*status).map(|()| Verdict::Neutral),
            Event::Other => Ok(Verdict::Neutral),
        };
        done.unwrap_or_else(|error| refused(event, &error))
    }

    fn check(&mut self, check: &Check, again: Again) -> Result<Verdict, ClientError> {
        let run = match check.run {
            Some(run) => Some(run),
            None => self.run()?,
        };
        let checked = self.link.call(&Check { run, ..check.clone() })?;
        match checked.decision {
            Outcome::Allow => Ok(Verdict::Allow(Allowed {
                call: checked.call,
                approval: checked.approval,
                reason: checked.reason,
                arguments: checked.arguments,
            })),
            Outcome::Deny => Ok(denied(checked.call, &checked.rule, &checked.reason)),
            Outcome::Ask => Ok(self.hold(check, &checked, again)),
        }
    }

    /// Waits for a person; a daemon that restarts meanwhile is waited for.
    fn hold(&mut self, check: &Check, asked: &Checked, again: Again) -> Verdict {
        let Some(approval) = asked.approval else {
            return denied(asked.call, &asked.rule, "a person is asked, but no approval was named");
        };
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match self.wait(approval, asked.call, left.min(AWAIT)) {
                Ok(awaited) if awaited.decision == Outcome::Ask => {}
                // Approved, but for an equal call that is no longer held: asking again uses it.
                Ok(awaited) if is_for_another(&awaited) && again == Again::Yes => {
                    self.link.renew();
                    return self
                        .check(check, Again::No)
                        .unwrap_or_else(|error| denied(asked.call, "error", &error.to_string()));
                }
                Ok(awaited) => return decided(asked, approval, awaited),
                Err(error) if is_passing(&error) => {
                    thread::sleep(RETRY.min(left));
                    // Not there yet: the next round tries again.
                    self.link.reconnect().ok();
                }
                Err(error) => return denied(asked.call, "error", &error.to_string()),
            }
        }
        self.link.renew();
        // Undropped, the approval is still answered once the daemon's own hold is over.
        self.link.call(&Drop { call: asked.call }).ok();
        waiting(asked, approval)
    }

    fn wait(
        &mut self,
        approval: ApprovalId,
        call: CallId,
        wait: Duration,
    ) -> Result<Awaited, ClientError> {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(0).max(1);
        self.link.wait(&Await { approval, call: Some(call), wait_ms }, wait)
    }

    /// Returns the run that goes on at this place; begins one, if there is none.
    fn run(&mut self) -> Result<Option<RunId>, ClientError> {
        match self.running()?.first() {
            Some(run) => Ok(Some(*run)),
            None => self.start("hook"),
        }
    }

    fn start(&mut self, trigger: &str) -> Result<Option<RunId>, ClientError> {
        let Some(session) = self.place.session.clone() else { return Ok(None) };
        let parent = self.place.parent.clone();
        let parent_run = parent.map(|parent| self.running_in(&parent)).transpose()?;
        let start = Start {
            session,
            model: self.place.model.clone(),
            trigger: Some(trigger.to_owned()),
            parent_run: parent_run.and_then(|runs| runs.first().copied()),
            // Hooks never hear of a cost: a reservation would only stand in the way of others.
            reserve_uusd: Some(MicroUsd::ZERO),
            ..Start::default()
        };
        Ok(Some(self.link.call(&start)?.run))
    }

    fn running(&mut self) -> Result<Vec<RunId>, ClientError> {
        let session = self.place.session.clone();
        session.map_or(Ok(Vec::new()), |session| self.running_in(&session))
    }

    /// Returns the runs that go on in `session`, newest first.
    fn running_in(&mut self, session: &str) -> Result<Vec<RunId>, ClientError> {
        let agent = self.link.agent();
        let page = self.link.call(&List { agent, limit: Some(BACK), ..List::default() })?;
        let ours = page
            .items
            .into_iter()
            .filter(|run| run.status == RunStatus::Running && run.session == session);
        Ok(ours.map(|run| run.id).collect())
    }

    /// The run gate; what an interrupted turn left behind is closed.
    fn turn_begins(&mut self) -> Result<(), ClientError> {
        let left = self.running()?;
        self.start("user")?;
        self.finish(&left, RunStatus::Aborted)
    }

    /// Ends the turn, unless the daemon sends it back, which it does once.
    fn turn_stops(&mut self) -> Result<Verdict, ClientError> {
        let runs = self.running()?;
        for run in &runs {
            let asked = self.link.call(&Finalize { run: *run })?;
            if asked.decision == Finality::Revise {
                return Ok(Verdict::denied(asked.instruction));
            }
        }
        self.finish(&runs, RunStatus::Succeeded).map(|()| Verdict::Neutral)
    }

    fn turn_ends(&mut self, status: RunStatus) -> Result<(), ClientError> {
        let runs = self.running()?;
        self.finish(&runs, status)
    }

    fn finish(&mut self, runs: &[RunId], status: RunStatus) -> Result<(), ClientError> {
        for run in runs {
            self.link.call(&Finish { run: *run, status, error: None })?;
        }
        Ok(())
    }

    fn ended(&mut self, report: &Report) -> Result<(), ClientError> {
        let agent = self.link.agent();
        let page = self.link.call(&ToolList { agent, limit: Some(BACK), ..ToolList::default() })?;
        let Some(call) = the_one_that_ran(&page.items, &self.place, report) else {
            return Ok(());
        };
        let whole = report.result.as_deref();
        let finish = ToolFinish {
            call,
            status: report.status,
            cost_uusd: None,
            duration_ms: report.duration_ms,
            result_preview: whole.map(|text| prefix(text).to_owned()),
            result_sha256: whole.map(|text| canonical::sha256_hex(text.as_bytes())),
            error: report.error.clone(),
        };
        self.link.call(&finish).map(drop)
    }
}

/// Whether an approval that went to an equal call is asked for once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Yes,
    No,
}

/// Finds the call of a report: the oldest that was allowed and has not ended, with these
/// arguments.
fn the_one_that_ran(calls: &[ToolCall], place: &Place, report: &Report) -> Option<CallId> {
    let hash = canonical::sha256_hex(canonical::json(&report.arguments).as_bytes());
    let open: Vec<&ToolCall> = calls
        .iter()
        .rev()
        .filter(|call| call.status == CallStatus::Allowed)
        .filter(|call| call.session == place.session && call.tool == report.tool)
        .collect();
    open.iter().find(|call| call.arguments_sha256 == hash).map(|call| call.id)
}

fn is_for_another(awaited: &Awaited) -> bool {
    awaited.decision == Outcome::Deny && awaited.status == ApprovalStatus::Approved
}

/// Says whether the same question may get another answer in a moment.
fn is_passing(error: &ClientError) -> bool {
    match error.refused() {
        Some(error) => {
            error.data.retry_after_ms.is_some() || error.kind() == ErrorKind::Unavailable
        }
        None => !matches!(error, ClientError::Answer { .. }),
    }
}

fn decided(asked: &Checked, approval: ApprovalId, awaited: Awaited) -> Verdict {
    match awaited.decision {
        Outcome::Allow if awaited.call == Some(asked.call) => Verdict::Allow(Allowed {
            call: asked.call,
            approval: Some(approval),
            reason: awaited.reason,
            arguments: awaited.arguments,
        }),
        // The yes is one call's: an equal one that waits beside it asks again.
        Outcome::Allow | Outcome::Ask => waiting(asked, approval),
        Outcome::Deny => denied(asked.call, &approval.to_string(), &awaited.reason),
    }
}

fn waiting(asked: &Checked, approval: ApprovalId) -> Verdict {
    let reason = format!(
        "Not now: waiting for {approval}. A person has to decide: {}. The call did not run and \
         this is no error. Do other work or end your turn. If it is approved, repeat exactly the \
         same call.",
        text::line(&asked.reason)
    );
    Verdict::Waiting { approval, call: asked.call, reason }
}

fn denied(call: CallId, by: &str, reason: &str) -> Verdict {
    let reason = format!(
        "Denied by Mission Control ({call}, {}): {}. The call did not run. Don't try another way \
         to the same effect.",
        text::line(by),
        text::line(reason)
    );
    Verdict::Deny { reason, call: Some(call) }
}

/// Returns the answer when the daemon refused to judge, or was lost.
fn refused(event: &Event, error: &ClientError) -> Verdict {
    match (event, error.refused()) {
        (Event::Call(_) | Event::TurnBegins, Some(refusal)) => Verdict::denied(format!(
            "Mission Control: {}. Nothing ran.",
            text::line(&refusal.message)
        )),
        _ => event.without_daemon(&error.to_string()),
    }
}
