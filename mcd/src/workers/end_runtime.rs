//! What ends a runtime that goes on after an emergency stop: the command that is set up, or signals
//! to the process that its agents' sessions run in.

use std::{process::Stdio, sync::Arc, time::Duration};

use mc_core::{
    agent::AgentName,
    redact,
    squad::{AgentStop, ProcessState, RuntimeProcess, StopReport, StopState},
};
use mc_proto::error::{ErrorKind, RpcError};
use rustix::process::Signal;
use tokio::time::timeout;

use crate::{
    live::Host,
    process::{KILL_AFTER, Process},
};

/// How long the command may take.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// Says whether an agent goes on: its runtime did not obey, or there is none to tell.
pub(super) fn goes_on(one: &AgentStop) -> bool {
    one.state.goes_on()
}

/// Offers the processes that run an agent which goes on; says whether one is new.
pub(super) fn offer(report: &mut StopReport, hosts: &[Host]) -> bool {
    let open: Vec<AgentName> =
        report.agents.iter().filter(|one| goes_on(one)).map(|one| one.agent.clone()).collect();
    let mut is_new = false;
    for host in hosts {
        let pid = host.process.id();
        let is_known = report.processes.iter().any(|one| one.pid == pid);
        let agents = run_by(hosts, pid);
        if is_known || host.process.is_gone() || !agents.iter().any(|one| open.contains(one)) {
            continue;
        }
        is_new = true;
        report.processes.push(RuntimeProcess {
            pid,
            runtime: host.runtime.words(),
            agents,
            state: ProcessState::Offered,
            by: None,
            gone_ms: None,
            detail: String::new(),
        });
    }
    is_new
}

/// Returns every agent whose sessions run in a process.
fn run_by(hosts: &[Host], pid: i32) -> Vec<AgentName> {
    let here = hosts.iter().filter(|host| host.process.id() == pid);
    let mut agents: Vec<AgentName> =
        here.flat_map(|host| host.runtime.agents.iter().cloned()).collect();
    agents.sort();
    agents.dedup();
    agents
}

/// Notes that a process is being ended, and returns it.
///
/// # Errors
///
/// `not_found` where it is not offered, `conflict` where it is ended already.
pub(super) fn begin(
    report: &mut StopReport,
    hosts: &[Host],
    (pid, by, reason): (i32, &str, &str),
) -> Result<(Arc<Process>, RuntimeProcess), RpcError> {
    let host = hosts.iter().find(|host| host.process.id() == pid);
    let row = report.processes.iter_mut().find(|one| one.pid == pid);
    let (Some(host), Some(row)) = (host, row) else {
        let text = format!("the stop does not offer to end process {pid} (`mcctl status`)");
        return Err(RpcError::new(ErrorKind::NotFound, text));
    };
    if matches!(row.state, ProcessState::Ending | ProcessState::Gone) {
        let who = row.by.as_deref().unwrap_or("?");
        let text = format!("process {pid} is ended already, by {who}");
        return Err(RpcError::new(ErrorKind::Conflict, text));
    }
    tracing::warn!(pid, by, "the process of a runtime is ended");
    row.state = ProcessState::Ending;
    row.by = Some(by.to_owned());
    let seconds = KILL_AFTER.as_secs();
    let reason = redact::text(reason);
    row.detail = format!("{reason}; SIGTERM, and SIGKILL where it is not gone in {seconds} s");
    Ok((Arc::clone(&host.process), row.clone()))
}

/// Takes in what became of a process; the sessions that ran in nothing else have ended with it.
pub(super) fn ended(
    report: &mut StopReport,
    hosts: &[Host],
    (pid, after_ms): (i32, i64),
    result: Result<(usize, Signal), String>,
) {
    let Some(row) = report.processes.iter_mut().find(|one| one.pid == pid) else { return };
    let (count, signal) = match result {
        Ok(done) => done,
        Err(why) => {
            (row.state, row.detail) = (ProcessState::NotEnded, why);
            return;
        }
    };
    let word = if signal == Signal::KILL { "SIGKILL" } else { "SIGTERM" };
    row.state = ProcessState::Gone;
    row.gone_ms = Some(after_ms);
    row.detail = match count - 1 {
        0 => format!("gone after {word}"),
        below => format!("gone after {word}, with {below} that it had started"),
    };
    let elsewhere = |agent: &AgentName| {
        hosts.iter().any(|host| host.runtime.agents.contains(agent) && !host.process.is_gone())
    };
    let is_open = |agent: &AgentName| report.open().any(|one| one.agent == *agent);
    let agents: Vec<AgentName> =
        row_agents(report, pid).into_iter().filter(|one| is_open(one) && !elsewhere(one)).collect();
    for agent in agents {
        let detail = format!("its process {pid} was seen gone");
        report.note(&agent, StopState::Ended, after_ms, &detail);
    }
}

fn row_agents(report: &StopReport, pid: i32) -> Vec<AgentName> {
    let row = report.processes.iter().find(|one| one.pid == pid);
    row.map(|row| row.agents.clone()).unwrap_or_default()
}

/// Runs the command that ends the runtimes' processes; returns what became of it.
pub(super) async fn run_command(command: Vec<String>) -> String {
    let Some((program, words)) = command.split_first() else {
        return "could not be run: it is empty".to_owned();
    };
    tracing::warn!(program, "a runtime goes on after the stop: its processes are ended");
    let mut command = tokio::process::Command::new(program);
    command.args(words).stdin(Stdio::null()).kill_on_drop(true);
    match timeout(COMMAND_TIME, command.output()).await {
        Ok(Ok(done)) if done.status.success() => "was run: it ended well".to_owned(),
        Ok(Ok(done)) => {
            let words = String::from_utf8_lossy(&done.stderr);
            let words: String = words.trim().chars().take(200).collect();
            format!("was run and failed ({}): {words}", done.status)
        }
        Ok(Err(error)) => format!("could not be run: {error}"),
        Err(_) => "was run and did not end".to_owned(),
    }
}
