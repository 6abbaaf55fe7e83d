//! An agent's three clocks, kept apart: when it was heard of, when it last got on, what it spends.
//!
//! The first two are judged here, by the limits of the policy's section `[agents]`; spending has
//! its own caps. An agent that is heard of and says that it works, but does nothing, is silent:
//! that is another trouble than one that is gone.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::{Agent, AgentName, AgentStatus, Liveness},
    time::{Span, Timestamp},
};

/// How long agents may be unheard of, and how much one takes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LifeRules {
    /// Without a heartbeat for this long it is late.
    pub late: Span,
    /// Without one for this long it is offline, and loses the tasks that it holds.
    pub offline: Span,
    /// At work without any progress for this long it is silent.
    pub silent: Span,
    /// How many tasks an agent has in progress at once.
    pub capacity: u64,
    /// The same for single agents, by name.
    pub capacity_of: BTreeMap<AgentName, u64>,
}

impl Default for LifeRules {
    fn default() -> Self {
        Self {
            late: Span::minutes(5),
            offline: Span::minutes(30),
            silent: Span::minutes(30),
            capacity: 1,
            capacity_of: BTreeMap::new(),
        }
    }
}

/// When an agent was last heard of, and what it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Its last heartbeat.
    pub at: Timestamp,
    /// Since when it says that it is busy; `None` when it does not.
    pub busy_since: Option<Timestamp>,
}

impl LifeRules {
    /// Returns the liveness at `now` of an agent last heard of at `beat`.
    pub fn liveness(&self, now: Timestamp, beat: Option<Timestamp>) -> Liveness {
        match beat.map(|beat| now.since(beat)) {
            Some(quiet) if quiet < self.late.duration() => Liveness::Online,
            Some(quiet) if quiet < self.offline.duration() => Liveness::Late,
            Some(_) | None => Liveness::Offline,
        }
    }

    /// Returns since when an agent that is heard of works without getting on; `None` when it is
    /// not silent.
    ///
    /// It works when it says so, or when a run of its goes on.
    pub fn silent_since(&self, agent: &Agent, heard: Heard, now: Timestamp) -> Option<Timestamp> {
        let stands = !matches!(agent.status, AgentStatus::Active | AgentStatus::Drained);
        if stands || self.liveness(now, Some(heard.at)) != Liveness::Online {
            return None;
        }
        if heard.busy_since.is_none() && agent.current_run.is_none() {
            return None;
        }
        let since = agent.last_work_at.max(heard.busy_since)?;
        (now.since(since) >= self.silent.duration()).then_some(since)
    }

    /// Returns how many tasks `agent` may have in progress at once.
    pub fn capacity_of(&self, agent: &AgentName) -> u64 {
        self.capacity_of.get(agent).copied().unwrap_or(self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RunId;

    fn agent(last_work: Option<i64>) -> Agent {
        let text = serde_json::json!({
            "name": "wren", "rev": 1, "autonomy": "specialist", "status": "active",
            "runtime": "openclaw", "daily_cap_uusd": 1, "run_cap_uusd": 1, "created_at": Timestamp(0),
            "last_work_at": last_work.map(minutes),
        });
        serde_json::from_value(text).unwrap()
    }

    fn minutes(count: i64) -> Timestamp {
        Timestamp(count * 60_000)
    }

    #[test]
    fn silence_makes_an_agent_late_then_offline() {
        let rules = LifeRules::default();
        let now = Timestamp(10_000_000);
        let heard = |seconds: i64| rules.liveness(now, Some(Timestamp(now.0 - seconds * 1000)));
        assert_eq!(heard(299), Liveness::Online);
        assert_eq!(heard(300), Liveness::Late);
        assert_eq!(heard(1800), Liveness::Offline);
        assert_eq!(rules.liveness(now, None), Liveness::Offline);
    }

    #[test]
    fn only_who_works_and_is_heard_of_and_does_not_get_on_is_silent() {
        let rules = LifeRules::default();
        let now = minutes(100);
        let heard =
            |at, busy: Option<i64>| Heard { at: minutes(at), busy_since: busy.map(minutes) };
        let silent = |agent: &Agent, heard| rules.silent_since(agent, heard, now);

        assert_eq!(silent(&agent(Some(70)), heard(99, Some(60))), Some(minutes(70)));
        assert_eq!(silent(&agent(None), heard(99, Some(60))), Some(minutes(60)));
        assert_eq!(silent(&agent(Some(71)), heard(99, Some(60))), None, "it got on");
        assert_eq!(silent(&agent(Some(20)), heard(99, Some(71))), None, "busy only since then");
        assert_eq!(silent(&agent(Some(20)), heard(99, None)), None, "it has nothing to do");
        assert_eq!(silent(&agent(Some(20)), heard(90, Some(20))), None, "late, not silent");

        let mut running = agent(Some(70));
        running.current_run = Some(RunId(1));
        assert_eq!(silent(&running, heard(99, None)), Some(minutes(70)));
        running.status = AgentStatus::Paused;
        assert_eq!(silent(&running, heard(99, None)), None);
    }

    #[test]
    fn capacity_is_one_unless_the_policy_says_otherwise() {
        let wren: AgentName = "wren".parse().unwrap();
        let mut rules = LifeRules::default();
        assert_eq!(rules.capacity_of(&wren), 1);
        rules.capacity_of.insert(wren.clone(), 3);
        assert_eq!(rules.capacity_of(&wren), 3);
    }
}
