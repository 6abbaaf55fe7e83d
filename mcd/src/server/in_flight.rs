//! What goes on at this moment: agents, runs, and calls that were let through.

use mc_core::{
    run::{CallStatus, Run, RunStatus, ToolCall},
    squad::{AgentStop, InFlight},
};
use mc_proto::{
    error::RpcError,
    method::{
        Page, Request,
        agent::{self, AgentView},
        run,
    },
};
use serde::de::DeserializeOwned;

use super::{Server, levels::look};
use crate::workers;

/// How much of it is kept.
const KEPT: usize = 50;
/// How many rows a page has.
const ROWS: i64 = 200;
/// How many pages are looked through.
const PAGES: usize = 50;

/// Returns every agent.
pub(super) fn agents(server: &Server) -> Vec<AgentView> {
    items(server, |cursor| Request::AgentList(agent::List { limit: Some(ROWS), cursor }))
}

/// Says whether an agent that worked has no run any more.
pub(crate) fn has_no_run(server: &Server, stop: &AgentStop) -> bool {
    let list = run::List { agent: Some(stop.agent.clone()), ..going_on() };
    let page: Result<Page<Run>, RpcError> =
        look(&server.store, &workers::system(), &Request::RunList(list));
    stop.was_working && page.is_ok_and(|page| page.items.is_empty())
}

/// Returns the newest runs that go on, and the calls that were let through and have not ended.
pub(crate) fn now(server: &Server) -> Vec<InFlight> {
    let page: Result<Page<Run>, RpcError> =
        look(&server.store, &workers::system(), &Request::RunList(going_on()));
    let runs = page.map(|page| page.items).unwrap_or_default();
    // A call outside of any run that goes on may well have ended without anybody saying so.
    let calls_of = |run: &Run| -> Vec<ToolCall> {
        let list = run::ToolList { run: Some(run.id), limit: Some(ROWS), ..Default::default() };
        let calls: Result<Page<ToolCall>, RpcError> =
            look(&server.store, &workers::system(), &Request::ToolList(list));
        calls.map(|page| page.items).unwrap_or_default()
    };
    let calls: Vec<ToolCall> = runs.iter().take(KEPT).flat_map(calls_of).collect();
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
    of_runs.chain(of_calls).take(KEPT).collect()
}

/// Asks for the runs that go on.
fn going_on() -> run::List {
    run::List { status: Some(RunStatus::Running), limit: Some(ROWS), ..run::List::default() }
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
