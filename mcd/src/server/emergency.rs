//! The emergency stop: it holds before anything else happens, tells every runtime, follows each
//! until its sessions are seen to have ended, and is written down however long that takes.

use std::{
    collections::HashMap,
    os::unix::fs::MetadataExt as _,
    process::Stdio,
    sync::{Arc, PoisonError},
    time::Duration,
};

use mc_core::{
    actor::Actor,
    agent::AgentName,
    redact,
    run::{CallStatus, Run, RunStatus, ToolCall},
    squad::{AgentStop, InFlight, Squad, SquadStatus, StopReport, StopState},
};
use mc_proto::{
    error::{ErrorKind, RpcError},
    method::{
        Page, Request,
        agent::{self, AgentView},
        feed::Aborted,
        run,
        squad::{AgentReceipt, Receipt, Status, StatusGet},
    },
};
use serde::de::DeserializeOwned;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    Server,
    dispatch::{Outcome, json},
    gate::ended,
    levels::look,
    orders::Sent,
};
use crate::{
    caller::{Caller, SystemCommand, Work},
    store::Answer,
    workers,
};

/// How long to wait before the record of a stop is tried again.
const RECORD_AGAIN: Duration = Duration::from_millis(500);
/// How long a runtime has before its agent counts as not stopped.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// How long one order is waited for all the same.
const ORDER_TIME: Duration = Duration::from_secs(30);
/// The pause before an agent that goes on is ordered to end again.
const ORDER_AGAIN: Duration = Duration::from_secs(2);
/// How long an agent that goes on is followed, in milliseconds.
const FOLLOWED_MS: i64 = 600_000;
/// How much of what went on is kept.
const IN_FLIGHT: usize = 50;
/// How many rows a page has.
const ROWS: i64 = 200;
/// How many pages are looked through.
const PAGES: usize = 50;

/// `squad.emergency_stop`: needs neither writer nor disk.
pub(super) fn stop(server: &Arc<Server>, by: &Actor, reason: &str) -> Answer {
    let live = server.live();
    let (at, asked_ms) = (live.clock.now(), live.clock.elapsed_ms());
    let reason: String = reason.chars().take(1000).collect();
    let text = hold(server, &format!("{at} {}: {}", by.name, redact::text(&reason)));
    tracing::warn!(by = by.name, "emergency stop");
    let told = tell_all(server, &reason);
    let report = StopReport {
        at,
        by: by.name.clone(),
        reason: redact::text(&reason).into_owned(),
        agents: told.iter().map(|one| one.stop.clone()).collect(),
        tasks: None,
        approvals: None,
        in_flight: Vec::new(),
        offer: server.emergency().offer(),
        runtime_end: None,
        last_allow_ms: live.last_allow_ms().map(|last| last - asked_ms),
        last_end_ms: None,
    };
    live.set_stop(Some(report.clone()));
    let agents = told.iter().map(receipt_of).collect();
    let mut following = Following { report, asked_ms, reason: reason.clone() };
    let halt = SystemCommand::Halt { by: by.clone(), reason: reason.clone() };
    let follower = Arc::clone(server);
    tokio::spawn(async move {
        following.report.in_flight = in_flight(&follower);
        following.run(follower, Some(halt), told).await;
    });
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
        approvals: 0,
        event: None,
    })
}

/// The stop that somebody set by the halt file, past the daemon; says so once.
pub(crate) fn stop_by_file(server: &Arc<Server>) {
    if server.live().stop().is_some() {
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

/// Sets the halt; returns what to say.
fn hold(server: &Server, words: &str) -> String {
    let mut stops = server.stops.lock().unwrap_or_else(PoisonError::into_inner);
    *stops += 1;
    let mut text =
        "stopped: no run starts and no tool call is allowed until an admin resumes".to_owned();
    if let Err(error) = server.live().halt.set(words) {
        tracing::error!(%error, "the halt file could not be written; the stop holds until a restart");
        text.push_str(". Its file could not be written: a restart of the daemon would end it");
    }
    text
}

/// An agent, and the orders that its runtimes were sent.
struct Told {
    stop: AgentStop,
    sent: Vec<Sent>,
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
    let running = running(server);
    names.extend(agents(server).into_iter().map(|view| view.agent.name));
    names.sort();
    names.dedup();
    let told = |agent: AgentName| {
        let sent = orders.remove(&agent).unwrap_or_default();
        // Of several runs the newest may be over while an older one goes on.
        let was_working = running.iter().any(|run| run.agent == agent);
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

fn agents(server: &Server) -> Vec<AgentView> {
    items(server, |cursor| Request::AgentList(agent::List { limit: Some(ROWS), cursor }))
}

/// Returns the runs that go on.
fn running(server: &Server) -> Vec<Run> {
    items(server, |cursor| Request::RunList(run::List { cursor, ..going_on() }))
}

/// Returns what a list holds, page by page; nothing more once it can't be read.
fn items<T: DeserializeOwned>(
    server: &Server,
    request: impl Fn(Option<String>) -> Request,
) -> Vec<T> {
    let (mut all, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES {
        let page: Result<Page<T>, RpcError> =
            look(&server.store, &workers::system(), &request(cursor));
        let Ok(page) = page else { break };
        all.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    all
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

/// What is heard of one agent.
type Heard = (AgentName, StopState, String);

/// Goes on following a stop that an earlier daemon was asked for.
pub(crate) fn go_on(server: &Arc<Server>) {
    let live = server.live();
    let Ok(squad) = squad(server) else { return };
    let Some(report) = squad.stop.filter(|_| squad.status == SquadStatus::Halted) else { return };
    live.set_stop(Some(report.as_ref().clone()));
    let passed_ms = live.clock.now().0.saturating_sub(report.at.0).max(0);
    let told: Vec<Told> =
        report.open().map(|stop| Told { stop: stop.clone(), sent: Vec::new() }).collect();
    let following = Following {
        asked_ms: live.clock.elapsed_ms() - passed_ms,
        reason: report.reason.clone(),
        report: *report,
    };
    tokio::spawn(following.run(Arc::clone(server), None, told));
}

/// A stop that is followed to its end.
struct Following {
    report: StopReport,
    asked_ms: i64,
    reason: String,
}

impl Following {
    /// Follows every agent, and writes down how far it got, as soon as anything can be written.
    /// Without a `halt` the stop itself is in the record already.
    async fn run(mut self, server: Arc<Server>, halt: Option<SystemCommand>, told: Vec<Told>) {
        let mine = *server.stops.lock().unwrap_or_else(PoisonError::into_inner);
        let (tell, mut heard) = mpsc::unbounded_channel();
        for one in told.into_iter().filter(|one| one.stop.state != StopState::Idle) {
            let (server, reason, tell) = (Arc::clone(&server), self.reason.clone(), tell.clone());
            tokio::spawn(follow(server, one, reason, tell));
        }
        drop(tell);
        let is_mine = || {
            let stops = *server.stops.lock().unwrap_or_else(PoisonError::into_inner);
            stops == mine && server.live().halt.is_set()
        };
        let mut is_recorded = halt.is_none();
        let recorded = async {
            let halt = halt.as_ref()?;
            serde_json::from_str::<Receipt>(&record(&server, halt).await?).ok()
        };
        tokio::pin!(recorded);
        let (say, mut said) = mpsc::channel::<String>(1);
        let preset = server.emergency().preset && self.report.runtime_end.is_none();
        let mut say = preset.then_some(say);
        loop {
            tokio::select! {
                Some(what) = said.recv() => {
                    self.report.runtime_end = Some(redact::text(&what).into_owned());
                }
                receipt = &mut recorded, if !is_recorded => {
                    is_recorded = true;
                    self.blocked(receipt);
                }
                news = heard.recv() => match news {
                    Some(news) if self.note(&server, &news) => {}
                    Some(_) => continue,
                    None if is_recorded => return,
                    // All is known, and only the record is waited for.
                    None => {
                        let receipt = recorded.as_mut().await;
                        is_recorded = true;
                        self.blocked(receipt);
                    }
                },
            }
            if !is_mine() {
                return;
            }
            let goes_on = self.report.open().any(|one| one.state == StopState::NotStopped);
            if let Some(say) = say.take_if(|_| goes_on) {
                tokio::spawn(end_runtimes(server.emergency().end_runtime, say));
            }
            server.live().set_stop(Some(self.report.clone()));
            if is_recorded {
                let report = Box::new(self.report.clone());
                record(&server, &SystemCommand::ReportStop { report }).await;
            }
        }
    }

    /// Takes in what the stop blocked and canceled.
    fn blocked(&mut self, receipt: Option<Receipt>) {
        let Some(receipt) = receipt else { return };
        self.report.tasks = i64::try_from(receipt.tasks.len()).ok();
        self.report.approvals = Some(receipt.approvals);
    }

    /// Takes in what was heard; says whether that is news.
    fn note(&mut self, server: &Server, (agent, state, detail): &Heard) -> bool {
        let live = server.live();
        let after_ms = live.clock.elapsed_ms() - self.asked_ms;
        // A daemon that began after the stop let nothing through: what the one before knew stays.
        let last = live.last_allow_ms().map(|last| last - self.asked_ms);
        self.report.last_allow_ms = last.or(self.report.last_allow_ms);
        self.report.note(agent, *state, after_ms, &redact::text(detail))
    }
}

/// Runs the command that ends the runtimes' processes, and says what became of it.
async fn end_runtimes(command: Vec<String>, say: mpsc::Sender<String>) {
    let Some((program, words)) = command.split_first() else { return };
    tracing::warn!(program, "a runtime goes on after the stop: its processes are ended");
    let mut command = tokio::process::Command::new(program);
    command.args(words).stdin(Stdio::null()).kill_on_drop(true);
    let what = match timeout(ORDER_TIME, command.output()).await {
        Ok(Ok(done)) if done.status.success() => "was run: it ended well".to_owned(),
        Ok(Ok(done)) => {
            let words = String::from_utf8_lossy(&done.stderr);
            let words: String = words.trim().chars().take(200).collect();
            format!("was run and failed ({}): {words}", done.status)
        }
        Ok(Err(error)) => format!("could not be run: {error}"),
        Err(_) => "was run and did not end".to_owned(),
    };
    // Who no longer follows needs no news.
    say.send(what).await.ok();
}

/// Follows one agent until its sessions have ended, the stop is over, or nobody looks any more.
async fn follow(
    server: Arc<Server>,
    told: Told,
    reason: String,
    tell: mpsc::UnboundedSender<Heard>,
) {
    let Told { stop, mut sent } = told;
    let since = server.live().clock.elapsed_ms();
    loop {
        let waiting = answers(std::mem::take(&mut sent));
        tokio::pin!(waiting);
        let in_time = timeout(ANSWER_TIME, &mut waiting).await;
        let (state, detail) = if let Ok(answer) = in_time {
            answer
        } else {
            let late = "its runtime does not answer".to_owned();
            // Who no longer follows needs no news.
            tell.send((stop.agent.clone(), StopState::NotStopped, late)).ok();
            waiting.await
        };
        // A runtime's word counts more than the agent's own report of its run's end.
        let is_over = state == StopState::Unreached && has_no_run(&server, &stop);
        let (state, detail) = if is_over {
            (StopState::Ended, "its last run was reported ended".to_owned())
        } else {
            (state, detail)
        };
        tell.send((stop.agent.clone(), state, detail)).ok();
        let live = server.live();
        let followed = live.clock.elapsed_ms() - since;
        if state == StopState::Ended || !live.halt.is_set() || followed > FOLLOWED_MS {
            return;
        }
        sleep(ORDER_AGAIN).await;
        sent = server.orders.abort(live, (&stop.agent, None), &reason);
    }
}

/// Returns what the runtimes of one agent said in the end.
async fn answers(sent: Vec<Sent>) -> (StopState, String) {
    if sent.is_empty() {
        // Its run may end by itself: what it asks for is refused.
        sleep(ANSWER_TIME / 2).await;
        return (StopState::Unreached, "its calls are refused".to_owned());
    }
    let until = Instant::now() + ORDER_TIME;
    let mut said = Vec::new();
    for Sent { runtime, answer, .. } in sent {
        said.push(match timeout_at(until, answer).await {
            Ok(Ok(Ok(json))) => serde_json::from_str::<Aborted>(&json).map_err(|e| e.to_string()),
            Ok(Ok(Err(error))) => Err(error.message),
            Ok(Err(_)) => Err(format!("{runtime} is gone")),
            Err(_) => Err(format!("{runtime} does not answer")),
        });
    }
    let ended = said.iter().all(|one| one.as_ref().is_ok_and(|one| one.ended));
    let words = said.into_iter().map(|one| one.map_or_else(|why| why, |done| done.detail));
    let words: Vec<String> = words.filter(|text| !text.is_empty()).collect();
    let detail = words.join("; ").chars().take(500).collect();
    (if ended { StopState::Ended } else { StopState::NotStopped }, detail)
}

/// Says whether an agent that worked has no run any more.
fn has_no_run(server: &Server, stop: &AgentStop) -> bool {
    let list = run::List { agent: Some(stop.agent.clone()), ..going_on() };
    let page: Result<Page<Run>, RpcError> =
        look(&server.store, &workers::system(), &Request::RunList(list));
    stop.was_working && page.is_ok_and(|page| page.items.is_empty())
}

/// Asks for the runs that go on.
fn going_on() -> run::List {
    run::List { status: Some(RunStatus::Running), limit: Some(ROWS), ..run::List::default() }
}

/// Returns what goes on at this moment: runs, and calls that were let through and have not ended.
fn in_flight(server: &Server) -> Vec<InFlight> {
    let runs = running(server);
    // A call outside of any run that goes on may well have ended without anybody saying so.
    let calls_of = |run: &Run| -> Vec<ToolCall> {
        let list = run::ToolList { run: Some(run.id), limit: Some(ROWS), ..Default::default() };
        let calls: Result<Page<ToolCall>, RpcError> =
            look(&server.store, &workers::system(), &Request::ToolList(list));
        calls.map(|page| page.items).unwrap_or_default()
    };
    let calls: Vec<ToolCall> = runs.iter().take(IN_FLIGHT).flat_map(calls_of).collect();
    let is_open = |call: &&ToolCall| call.status == CallStatus::Allowed;
    let of_calls = calls.iter().filter(is_open).map(|call| InFlight {
        agent: call.agent.clone(),
        task: call.task,
        run: call.run,
        call: Some(call.id),
        what: format!("{} {}", call.tool, call.preview).chars().take(200).collect(),
    });
    let of_runs = runs.iter().map(|run| InFlight {
        agent: run.agent.clone(),
        task: run.task,
        run: Some(run.id),
        call: None,
        what: run.session.clone(),
    });
    of_runs.chain(of_calls).take(IN_FLIGHT).collect()
}

/// Writes something about a stop down, however long the writer takes, as long as the stop holds.
/// Returns the answer, unless the stop was over before.
async fn record(server: &Arc<Server>, command: &SystemCommand) -> Option<String> {
    while !server.is_stopping() && server.live().halt.is_set() {
        let submitted = server.store.submit(Work::System(command.clone()));
        if let Ok(answer) = submitted
            && let Ok(Ok(done)) = answer.await
        {
            return Some(done.to_string());
        }
        sleep(RECORD_AGAIN).await;
    }
    None
}

/// How long a resume waits until the stop is in the record.
const RECORDED_IN: Duration = Duration::from_secs(3);
/// How often that is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// `squad.emergency_resume`: durable first, then the stop ends, unless somebody stopped again
/// meanwhile. It takes no idempotency key: an old answer must not end a new stop.
pub(super) fn resume(server: &Arc<Server>, caller: Caller, request: Request) -> Outcome {
    let before = *server.stops.lock().unwrap_or_else(PoisonError::into_inner);
    // Without a stop in force tasks are moved back, and nothing is cleared.
    let holds = server.live().halt.is_set();
    let server = Arc::clone(server);
    Outcome::Later(Box::pin(async move {
        // A stop that is written down after its end would never end.
        let until = Instant::now() + RECORDED_IN;
        while holds && !is_recorded(&server) && Instant::now() < until {
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
    squad(server).is_ok_and(|squad| squad.status == SquadStatus::Halted)
}

/// Says whether the squad works: neither paused nor stopped.
pub(crate) fn works(server: &Server) -> bool {
    let runs = |squad: Squad| squad.status == SquadStatus::Running;
    !server.live().halt.is_set() && squad(server).is_ok_and(runs)
}

/// Returns the squad as the rows have it.
fn squad(server: &Server) -> Result<Squad, RpcError> {
    let status = Request::SquadStatus(StatusGet {});
    let status: Status = look(&server.store, &workers::system(), &status)?;
    Ok(status.squad)
}

fn clear(server: &Arc<Server>, before: u64) -> Result<(), RpcError> {
    let stops = server.stops.lock().unwrap_or_else(PoisonError::into_inner);
    if *stops != before {
        let text = "somebody stopped everything again meanwhile: that stop holds";
        return Err(RpcError::new(ErrorKind::Conflict, text));
    }
    server.live().halt.clear().map_err(|error| {
        tracing::error!(%error, "the halt file was not cleared");
        let text = format!("the stop goes on, for its file was not cleared: {error}; resume again");
        RpcError::new(ErrorKind::Unavailable, text)
    })?;
    server.live().set_stop(None);
    drop(stops);
    workers::catch_up_all(server);
    Ok(())
}
