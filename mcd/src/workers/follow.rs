//! Follows the emergency stop in force: hears of each agent until its sessions are seen to have
//! ended. One worker follows one stop at a time; a newer one takes the place of the one before.

use std::{sync::Arc, time::Duration};

use mc_core::{
    agent::AgentName,
    redact,
    squad::{ProcessState, RuntimeProcess, StopReport, StopState},
};
use mc_proto::{
    error::{ErrorKind, RpcError},
    method::feed::Aborted,
};
use rustix::process::Signal;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    Setting, end_runtime,
    stop_record::{self, Blocked},
};
use crate::{
    caller::SystemCommand,
    config::EndBy,
    live::Host,
    process,
    server::{
        Server,
        emergency::{self, Ask, Asked, End, Told},
        in_flight,
        orders::Sent,
    },
};

/// How long a runtime has before its agent counts as not stopped.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// How long one order is waited for all the same.
const ORDER_TIME: Duration = Duration::from_secs(30);
/// The pause before an agent that goes on is ordered to end again.
const ORDER_AGAIN: Duration = Duration::from_secs(2);
/// How long an agent that goes on is followed, in milliseconds.
const FOLLOWED_MS: i64 = 600_000;

/// Follows every stop that is asked for, and the one that an earlier daemon was asked for.
pub(super) async fn run(setting: &Setting, mut asked: mpsc::UnboundedReceiver<Ask>) {
    let server = &setting.server;
    let mut next = emergency::begun_before(server);
    let mut last = 0;
    let mut unwritten = Vec::new();
    loop {
        let stop = match next.take() {
            Some(stop) => stop,
            None => match asked.recv().await {
                Some(Ask::Follow(stop)) => *stop,
                Some(Ask::End(end)) => {
                    refuse(end);
                    continue;
                }
                None => return,
            },
        };
        // A resume took a number between: what was stopped before it is over.
        if stop.number != last + 1 {
            unwritten.clear();
        }
        last = stop.number;
        unwritten.extend(stop.halt.clone());
        let (tell, heard) = mpsc::unbounded_channel();
        let later = tell.downgrade();
        let following = to_the_end(server, stop, (tell, heard), &mut unwritten);
        tokio::pin!(following);
        next = loop {
            tokio::select! {
                biased;
                ask = asked.recv() => match ask {
                    Some(Ask::Follow(newer)) => break Some(*newer),
                    Some(Ask::End(end)) => match later.upgrade() {
                        // Who hears it answers.
                        Some(tell) => drop(tell.send(News::End(end))),
                        None => refuse(end),
                    },
                    None => return,
                },
                () = &mut following => break None,
            }
        };
    }
}

/// Says that there is no process to end.
fn refuse(end: End) {
    let text = format!("no stop that goes on offers to end process {} (`mcctl status`)", end.pid);
    // Who hung up does not need the answer.
    end.reply.send(Err(RpcError::new(ErrorKind::TransitionRefused, text))).ok();
}

/// Follows a stop until all is known and written down, or another one came, or it is over.
/// `unwritten` are the stops that are not known to be in the record, oldest first.
async fn to_the_end(
    server: &Arc<Server>,
    mut stop: Asked,
    (tell, heard): (mpsc::UnboundedSender<News>, mpsc::UnboundedReceiver<News>),
    unwritten: &mut Vec<SystemCommand>,
) {
    if stop.halt.is_some() {
        stop.report.in_flight = in_flight::now(server);
    }
    let (newest, reports) = watch::channel(stop.report.clone());
    let mut tasks = JoinSet::new();
    for one in std::mem::take(&mut stop.told) {
        if one.stop.state != StopState::Idle {
            let reason = stop.reason.clone();
            tasks.spawn(agent(Arc::clone(server), one, reason, tell.clone()));
        }
    }
    let due = tell.clone();
    tasks.spawn(async move {
        sleep(ANSWER_TIME).await;
        // Who no longer follows needs no news.
        due.send(News::Due).ok();
    });
    let (halts, written) = (unwritten.clone(), tell.clone());
    let write = async move {
        let blocked = stop_record::halts(server, &halts).await;
        written.send(News::Written(blocked.filter(|_| !halts.is_empty()))).ok();
        drop(written);
        stop_record::reports(server, reports).await;
    };
    let following = Following {
        number: stop.number,
        report: stop.report,
        since_ms: stop.since_ms,
        hosts: stop.hosts,
        newest,
        tell: Some(tell),
        tasks,
        has_run: false,
    };
    tokio::join!(write, following.run(server, heard, unwritten));
}

/// What is heard of a stop.
enum News {
    /// An agent, how far it got, and what its runtime said.
    Agent(AgentName, StopState, String),
    /// It is written down, and what it blocked where that is new.
    Written(Option<Blocked>),
    /// The time is over in which a runtime has to obey.
    Due,
    /// What became of the command that ends runtimes.
    Ran(String),
    /// A person wants a process to be ended.
    End(End),
    /// What became of a process.
    Ended(i32, Result<(usize, Signal), String>),
}

/// A stop that is followed.
struct Following {
    number: u64,
    report: StopReport,
    since_ms: i64,
    /// Every runtime whose process was known since the stop.
    hosts: Vec<Host>,
    newest: watch::Sender<StopReport>,
    /// For those who begin later to tell something; gone once no agent goes on.
    tell: Option<mpsc::UnboundedSender<News>>,
    /// Who looks after one agent or process each; they end with the following.
    tasks: JoinSet<()>,
    has_run: bool,
}

impl Following {
    /// Takes in what is heard until nobody is left who could tell anything.
    async fn run(
        mut self,
        server: &Arc<Server>,
        mut heard: mpsc::UnboundedReceiver<News>,
        unwritten: &mut Vec<SystemCommand>,
    ) {
        self.settle();
        while let Some(news) = heard.recv().await {
            let is_news = match news {
                News::Agent(agent, state, detail) => self.note(server, &agent, state, &detail),
                News::Written(blocked) => {
                    unwritten.clear();
                    self.blocked(blocked)
                }
                News::Due => false,
                News::Ran(what) => {
                    self.report.runtime_end = Some(redact::text(&what).into_owned());
                    true
                }
                News::End(end) => self.end(server, end),
                News::Ended(pid, result) => {
                    let after_ms = server.live().clock.elapsed_ms() - self.since_ms;
                    end_runtime::ended(&mut self.report, &self.hosts, (pid, after_ms), result);
                    true
                }
            };
            if !self.end_what_goes_on(server) && !is_news {
                continue;
            }
            if !server.live().stops.tell(self.number, &self.report) {
                return;
            }
            // Who writes it down ends with us, not before.
            self.newest.send(self.report.clone()).ok();
            self.settle();
        }
    }

    /// Waits for nobody any more once no agent goes on.
    fn settle(&mut self) {
        if self.report.open().next().is_none() {
            self.tell = None;
        }
    }

    /// Offers what can end runtimes that did not obey in time, and does what is set up to be done
    /// without asking; says whether that is news.
    fn end_what_goes_on(&mut self, server: &Server) -> bool {
        let live = server.live();
        let waited_ms = live.clock.elapsed_ms() - self.since_ms;
        let goes_on = self.report.agents.iter().any(end_runtime::goes_on);
        if !goes_on || Duration::from_millis(waited_ms.unsigned_abs()) < ANSWER_TIME {
            return false;
        }
        for host in live.hosts() {
            let is_known = |one: &Host| one.runtime.connection == host.runtime.connection;
            if !self.hosts.iter().any(is_known) {
                self.hosts.push(host);
            }
        }
        let is_new = end_runtime::offer(&mut self.report, &self.hosts);
        let emergency = server.emergency();
        match emergency.end {
            EndBy::Offer => {}
            EndBy::Command => self.run_command(emergency.end_runtime),
            EndBy::Signal => {
                let offered = self.report.processes.iter();
                let offered = offered.filter(|one| one.state == ProcessState::Offered);
                for pid in offered.map(|one| one.pid).collect::<Vec<_>>() {
                    // What is offered can be begun.
                    self.begin((pid, "config.toml", "preset")).ok();
                }
            }
        }
        is_new
    }

    /// Has the command run, once.
    fn run_command(&mut self, command: Vec<String>) {
        if let Some(tell) = self.tell.clone()
            && !self.has_run
            && self.report.runtime_end.is_none()
        {
            self.has_run = true;
            self.tasks.spawn(async move {
                // Who no longer follows needs no news.
                tell.send(News::Ran(end_runtime::run_command(command).await)).ok();
            });
        }
    }

    /// Ends a process as a person asked for it; says whether that is news.
    fn end(&mut self, server: &Server, end: End) -> bool {
        if !server.live().halt.is_set() {
            refuse(end);
            return false;
        }
        let begun = self.begin((end.pid, &end.by, &end.reason));
        let is_news = begun.is_ok();
        // Who hung up does not need the answer.
        end.reply.send(begun).ok();
        is_news
    }

    fn begin(&mut self, (pid, by, reason): (i32, &str, &str)) -> Result<RuntimeProcess, RpcError> {
        let Some(tell) = self.tell.clone() else {
            let text = "every agent was seen to have ended: no process need be";
            return Err(RpcError::new(ErrorKind::TransitionRefused, text));
        };
        let (process, row) = end_runtime::begin(&mut self.report, &self.hosts, (pid, by, reason))?;
        self.tasks.spawn(async move {
            // Who no longer follows needs no news.
            tell.send(News::Ended(pid, process::end(&process).await)).ok();
        });
        Ok(row)
    }

    /// Takes in what the stop blocked and canceled.
    fn blocked(&mut self, blocked: Option<Blocked>) -> bool {
        let Some(Blocked { tasks, approvals }) = blocked else { return false };
        (self.report.tasks, self.report.approvals) = (Some(tasks), Some(approvals));
        true
    }

    /// Takes in what was heard of an agent; says whether that is news.
    fn note(&mut self, server: &Server, agent: &AgentName, state: StopState, detail: &str) -> bool {
        let live = server.live();
        let after_ms = live.clock.elapsed_ms() - self.since_ms;
        // A daemon that began after the stop let nothing through: what the one before knew stays.
        let last = live.last_allow_ms().map(|last| last - self.since_ms);
        self.report.last_allow_ms = last.or(self.report.last_allow_ms);
        self.report.note(agent, state, after_ms, &redact::text(detail))
    }
}

/// Follows one agent until its sessions have ended, the stop is over, or nobody looks any more.
async fn agent(server: Arc<Server>, told: Told, reason: String, tell: mpsc::UnboundedSender<News>) {
    let Told { stop, mut sent } = told;
    let since = server.live().clock.elapsed_ms();
    let say = |state, detail| {
        // Who no longer follows needs no news.
        tell.send(News::Agent(stop.agent.clone(), state, detail)).ok();
    };
    loop {
        let waiting = answers(std::mem::take(&mut sent));
        tokio::pin!(waiting);
        let in_time = timeout(ANSWER_TIME, &mut waiting).await;
        let (state, detail) = if let Ok(answer) = in_time {
            answer
        } else {
            say(StopState::NotStopped, "its runtime does not answer".to_owned());
            waiting.await
        };
        // A runtime's word counts more than the agent's own report of its run's end.
        let is_over = state == StopState::Unreached && in_flight::has_no_run(&server, &stop);
        let (state, detail) = if is_over {
            (StopState::Ended, "its last run was reported ended".to_owned())
        } else {
            (state, detail)
        };
        say(state, detail);
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
