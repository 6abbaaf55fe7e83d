//! The calls without an end, of each agent on each task: kept in memory, so that a check looks nothing
//! up while no limit of loops is near.
//!
//! They are read from the rows where there is no entry. A call that was taken back stands in one until
//! the next end, and counts for nothing by itself: what passes a limit here is looked up there.

use std::collections::BTreeMap;

use mc_core::{
    agent::AgentName,
    id::TaskId,
    loops::{LoopRules, OpenCalls},
    run::ToolCall,
};

use super::Desk;
use crate::store::{StoreError, queries};

/// The calls without an end, by agent and task.
pub(super) type OpenCallsOf = BTreeMap<(AgentName, Option<TaskId>), OpenCalls>;

/// How many entries are kept; beyond, all are read anew.
const KEPT: usize = 4096;

impl Desk<'_> {
    /// Notes a call that was let through or waits; says whether those that it leaves behind without
    /// an end pass a limit.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn note_open(&mut self, rules: &LoopRules, call: &ToolCall) -> Result<bool, StoreError> {
        let key = (call.agent.clone(), call.task);
        if !self.state.open_calls.contains_key(&key) {
            if self.state.open_calls.len() >= KEPT {
                self.state.open_calls.clear();
            }
            let needed = rules.circle_needed();
            let mut calls = queries::calls_on(self.db, &call.agent, call.task, needed)?;
            calls.retain(|one| one.id < call.id);
            self.state.open_calls.insert(key.clone(), OpenCalls::of(&calls));
        }
        let open = self.state.open_calls.get_mut(&key);
        Ok(open.is_some_and(|open| open.push(rules, call)))
    }

    /// Notes that a call came to an end.
    pub fn note_end(&mut self, call: &ToolCall) {
        if let Some(open) = self.state.open_calls.get_mut(&(call.agent.clone(), call.task)) {
            open.end(call.id);
        }
    }
}
