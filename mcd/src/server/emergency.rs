//! The emergency stop as it is asked for: it holds before anything else happens, every runtime is
//! told, and the receipt says whom. What comes after that is `workers::follow`'s.

use std::{collections::HashMap, os::unix::fs::MetadataExt as _, sync::Arc, time::Duration};

use mc_core::{
    actor::Actor,
    agent::AgentName,
    redact,
    squad::{AgentStop, RuntimeProcess, Squad, SquadStatus, StopReport, StopState},
};
use mc_proto::{
    error::{ErrorKind, RpcError},
    method::{
        Request,
        squad::{AgentReceipt, EndRuntime, Receipt},
    },
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use super::{
    Server,
    dispatch::{Outcome, json},
    in_flight,
    orders::Sent,
};
use crate::{
    caller::{Caller, SystemCommand, Work},
    live::Host,
    store::{Answer, ended},
    workers,
};

/// A stop that holds, and is to be followed to its end.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Its number.
    pub(crate) number: u64,
    /// What is known of it.
    pub(crate) report: StopReport,
    /// When it was asked for, by the clock that never jumps.
    pub(crate) since_ms: i64,
    /// Why, for the runtimes.
    pub(crate) reason: String,
    /// Its record; `None` where it has one already.
    pub(crate) halt: Option<SystemCommand>,
    /// The agents that are not known to have stopped.
    pub(crate) told: Vec<Told>,
    /// The runtimes whose process was known at that moment.
    pub(crate) hosts: Vec<Host>,
}

/// What is asked of who follows the stops.
#[derive(Debug)]
pub(crate) enum Ask {
    /// To follow one.
    Follow(Box<Asked>),
    /// To end a runtime's process.
    End(End),
}

/// The end of a runtime's process, as a person asked for it.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) pid: i32,
    pub(crate) by: String,
    pub(crate) reason: String,
    /// Where to say what became of it.
    pub(crate) reply: oneshot::Sender<Result<RuntimeProcess, RpcError>>,
}

/// An agent, and the orders that its runtimes were sent.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) stop: AgentStop,
    pub(crate) sent: Vec<Sent>,
}

/// `squad.emergency_stop`: needs neither writer nor disk.
pub(super) fn stop(server: &Arc<Server>, by: &Actor, reason: &str) -> Answer {
    let live = server.live();
    let (at, since_ms) = (live.clock.now(), live.clock.elapsed_ms());
    let reason: String = reason.chars().take(1000).collect();
    let mut report = StopReport {
        offer: server.emergency().offer(),
        last_allow_ms: live.last_allow_ms().map(|last| last - since_ms),
        ..StopReport::new(at, &by.name, &redact::text(&reason))
    };
    let words = format!("{at} {}: {}", by.name, report.reason);
    let (number, text) = live.stops.begin(&report, || hold(server, &words));
    tracing::warn!(by = by.name, "emergency stop");
    let told = tell_all(server, &reason);
    // A runtime that lets go of its connection after this may well go on.
    let hosts = live.hosts();
    report.agents = told.iter().map(|one| one.stop.clone()).collect();
    live.stops.tell(number, &report);
    let agents = told.iter().map(receipt_of).collect();
    let halt = Some(SystemCommand::Halt { by: by.clone(), reason: reason.clone() });
    let asked = Asked { number, report, since_ms, reason: reason.clone(), halt, told, hosts };
    // Without who follows the daemon is about to end: the next one does, for the halt stays.
    server.asked.send(Ask::Follow(Box::new(asked))).ok();
    server.waits.end_all();
    json(&Receipt {
        text,
        squad: Squad {
            name: server.squad.clone(),
            status: SquadStatus::Halted,
            reason: Some(reason),
            by: Some(by.name.clone()),
            since: Some(at),
            ..Squad::default()
        },
        agents,
        tasks: Vec::new(),
        more: 0,
        approvals: 0,
        event: None,
    })
}

/// The stop that somebody set by the halt file, past the daemon; says so once.
pub(crate) fn stop_by_file(server: &Arc<Server>) {
    if server.live().stops.report().is_some() {
        return;
    }
    let halt = &server.live().halt;
    let reason = match (halt.words(), std::fs::metadata(halt.path())) {
        (Some(words), _) => format!("the halt file says: {words}"),
        (None, Ok(file)) => format!("the halt file was changed, a file of uid {}", file.uid()),
        (None, Err(error)) => format!("the halt file can't be looked at: {error}"),
    };
    // Nobody waits for the receipt: what follows is in the record.
    stop(server, &Actor::system("halt file"), &reason).ok();
}

/// Returns the stop that an earlier daemon was asked for and that is not over.
pub(crate) fn begun_before(server: &Server) -> Option<Asked> {
    let live = server.live();
    let squad = server.store.squad().ok()?;
    let report = *squad.stop.filter(|_| squad.status == SquadStatus::Halted)?;
    let number = live.stops.adopt(&report)?;
    let passed_ms = live.clock.now().0.saturating_sub(report.at.0).max(0);
    let open = report.open().map(|stop| Told { stop: stop.clone(), sent: Vec::new() });
    Some(Asked {
        number,
        told: open.collect(),
        since_ms: live.clock.elapsed_ms() - passed_ms,
        reason: report.reason.clone(),
        halt: None,
        hosts: Vec::new(),
        report,
    })
}

/// `squad.end_runtime`: only what the report of the stop in force offers can be ended.
pub(super) fn end_runtime(server: &Arc<Server>, by: &Actor, params: EndRuntime) -> Outcome {
    let EndRuntime { pid, reason } = params;
    if reason.trim().is_empty() {
        let error = RpcError::invalid("reason", "expected a reason: it goes into the record");
        return Outcome::Now(Err(error));
    }
    let reason = reason.chars().take(500).collect();
    let (reply, answer) = oneshot::channel();
    // Nobody follows when the daemon is about to end; then the answer says so.
    server.asked.send(Ask::End(End { pid, by: by.name.clone(), reason, reply })).ok();
    Outcome::Later(Box::pin(async move {
        let done = answer.await.unwrap_or_else(|_| Err(ended()));
        done.and_then(|process| json(&process)).into()
    }))
}

/// Sets the halt; returns what to say.
fn hold(server: &Server, words: &str) -> String {
    let mut text =
        "stopped: no run starts and no tool call is allowed until an admin resumes".to_owned();
    if let Err(error) = server.live().halt.set(words) {
        tracing::error!(%error, "the halt file could not be written; the stop holds until a restart");
        text.push_str(". Its file could not be written: a restart of the daemon would end it");
    }
    text
}

/// Tells every runtime to end every session. The runtimes are told also when the database can't be
/// read.
fn tell_all(server: &Server, reason: &str) -> Vec<Told> {
    let live = server.live();
    let mut names: Vec<AgentName> =
        live.attached().into_iter().flat_map(|runtime| runtime.agents).collect();
    names.sort();
    names.dedup();
    // Orders go out before anything is read: the disk may be what hangs.
    let order = |agent: &AgentName| server.orders.abort(live, (agent, None), reason);
    let mut orders: HashMap<AgentName, Vec<Sent>> =
        names.iter().map(|agent| (agent.clone(), order(agent))).collect();
    // Who works, and not every run: the answer waits for this.
    let at_work = server.store.at_work().unwrap_or_default();
    names.extend(in_flight::agents(server).into_iter().map(|view| view.agent.name));
    names.sort();
    names.dedup();
    let told = |agent: AgentName| {
        let sent = orders.remove(&agent).unwrap_or_default();
        // Of several runs the newest may be over while an older one goes on.
        let was_working = at_work.contains(&agent);
        let state = match (was_working, sent.is_empty()) {
            (_, false) => StopState::Asked,
            (true, true) => StopState::Unreached,
            (false, true) => StopState::Idle,
        };
        let stop = AgentStop { agent, state, was_working, after_ms: None, detail: String::new() };
        Told { stop, sent }
    };
    names.into_iter().map(told).collect()
}

fn receipt_of(told: &Told) -> AgentReceipt {
    let stop = &told.stop;
    let text = match stop.state {
        StopState::Idle => "did not work",
        StopState::Unreached => "no runtime could be told; its next call is refused",
        StopState::Asked | StopState::Ended | StopState::NotStopped => {
            "its runtime was told to end its sessions"
        }
    };
    AgentReceipt {
        agent: stop.agent.clone(),
        was_working: stop.was_working,
        told: !told.sent.is_empty(),
        text: text.to_owned(),
    }
}

/// How long a resume waits until the stop is in the record.
const RECORDED_IN: Duration = Duration::from_secs(3);
/// How often that is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// `squad.emergency_resume`: durable first, then the stop ends, unless somebody stopped again
/// meanwhile. It takes no idempotency key: an old answer must not end a new stop.
pub(super) fn resume(server: &Arc<Server>, caller: Caller, request: Request) -> Outcome {
    let before = server.live().stops.number();
    // Without a stop in force tasks are moved back, and nothing is cleared.
    let holds = server.live().halt.is_set();
    let server = Arc::clone(server);
    Outcome::Later(Box::pin(async move {
        // A stop that is written down after its end would never end.
        let until = Instant::now() + RECORDED_IN;
        while holds && !is_written(&server) && Instant::now() < until {
            sleep(LOOK_AGAIN).await;
        }
        let work = Work::Request {
            caller: Box::new(caller),
            request: Box::new(request),
            idempotency_key: None,
            facts: Box::default(),
        };
        let answer = match server.store.submit(work) {
            Ok(answer) => answer.await.unwrap_or_else(|_| Err(ended())),
            Err(error) => Err(error),
        };
        answer
            .and_then(|done| if holds { clear(&server, before).map(|()| done) } else { Ok(done) })
            .into()
    }))
}

/// Says whether the rows know of a stop in force.
pub(crate) fn is_recorded(server: &Server) -> bool {
    server.store.squad().is_ok_and(|squad| squad.status == SquadStatus::Halted)
}

/// Says whether the stop in force has done all that it does to the rows.
fn is_written(server: &Server) -> bool {
    is_recorded(server) && server.store.held_tasks().is_ok_and(|(open, _)| open == 0)
}

/// Says whether the squad works: neither paused nor stopped.
pub(crate) fn works(server: &Server) -> bool {
    let runs = |squad: Squad| squad.status == SquadStatus::Running;
    !server.live().halt.is_set() && server.store.squad().is_ok_and(runs)
}

fn clear(server: &Arc<Server>, before: u64) -> Result<(), RpcError> {
    let live = server.live();
    let is_over = live.stops.end(before, || live.halt.clear()).map_err(|error| {
        tracing::error!(%error, "the halt file was not cleared");
        let text = format!("the stop goes on, for its file was not cleared: {error}; resume again");
        RpcError::new(ErrorKind::Unavailable, text)
    })?;
    if !is_over {
        let text = "somebody stopped everything again meanwhile: that stop holds";
        return Err(RpcError::new(ErrorKind::Conflict, text));
    }
    workers::catch_up_all(server);
    Ok(())
}
