//! The squad as a whole: whether it runs, and the emergency stop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::AgentName,
    id::{CallId, RunId, TaskId},
    task::TaskState,
    time::Timestamp,
};

/// Whether the squad works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SquadStatus {
    /// Works.
    #[default]
    Running,
    /// No new run, no tool call.
    Paused,
    /// Emergency stop: everything is refused until an admin resumes.
    Halted,
}

/// The cause of every event by which an emergency stop blocks.
pub const STOP_CAUSE: &str = "squad.emergency_stop";

/// Which of the tasks that an emergency stop blocked are to go back to where they were: those that
/// are named and those of the agents that are named; `None` leaves nobody out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Back {
    /// Only these tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<TaskId>>,
    /// Only tasks of these agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<AgentName>>,
}

/// A task that an emergency stop moved to Blocked, and where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoppedTask {
    /// The task.
    pub task: TaskId,
    /// The state that it was in.
    pub from: TaskState,
}

/// How far an emergency stop got with one agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopState {
    /// It did not work, and no runtime of it could be told.
    Idle,
    /// Its runtime was told to end its sessions, and has not answered yet.
    Asked,
    /// Its runtime looked and saw that its sessions ended, or its last run was reported ended.
    Ended,
    /// Its runtime says that something goes on, or does not answer.
    NotStopped,
    /// It worked, and no runtime that can end a session is attached: only its calls are refused.
    Unreached,
}

impl StopState {
    /// Returns its words, the same in the report, in alerts and on every screen.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Asked => "asked",
            Self::Ended => "ended",
            Self::NotStopped => "NOT STOPPED",
            Self::Unreached => "NOT REACHED",
        }
    }

    /// Says whether the agent goes on, as far as anybody knows.
    pub const fn goes_on(self) -> bool {
        matches!(self, Self::NotStopped | Self::Unreached)
    }
}

/// One agent in an emergency stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentStop {
    /// The agent.
    pub agent: AgentName,
    /// How far it got.
    pub state: StopState,
    /// Whether it had a run that went on.
    pub was_working: bool,
    /// How long after the request that was known, in milliseconds; `None` while nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<i64>,
    /// What its runtime said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// How far the end of a runtime's process got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    /// It can be ended: an agent that it runs goes on.
    Offered,
    /// It was told to end, with everything that it started.
    Ending,
    /// It was seen gone.
    Gone,
    /// It is not gone; the detail says why.
    NotEnded,
}

/// The process on this host that a runtime runs its agents' sessions in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeProcess {
    /// Its number.
    pub pid: i32,
    /// The runtime, in words.
    pub runtime: String,
    /// Every agent that it runs: the sessions of all of them end with it.
    pub agents: Vec<AgentName>,
    /// How far its end got.
    pub state: ProcessState,
    /// Who had it ended; `None` while it is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// How long after the stop it was seen gone, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_ms: Option<i64>,
    /// What was done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Something that went on when everything was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InFlight {
    /// The agent.
    pub agent: AgentName,
    /// The task that it served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The tool call that was let through and had not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// The session, or the call in short.
    pub what: String,
}

/// What an emergency stop did, and how fast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopReport {
    /// When it was asked for; it held from then on.
    pub at: Timestamp,
    /// Who stopped.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Every agent.
    pub agents: Vec<AgentStop>,
    /// How many tasks it moved to Blocked; `None` until that is written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<i64>,
    /// How many approvals it canceled; `None` until that is written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<i64>,
    /// What went on at that moment.
    pub in_flight: Vec<InFlight>,
    /// The command that ends the runtimes' processes, where one is set up: offered as long as an agent
    /// goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// What became of that command, where the daemon ran it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_end: Option<String>,
    /// The processes that run agents which went on, as far as they can be ended by a signal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<RuntimeProcess>,
    /// How long after the request the last tool call, model call or turn was let through, in
    /// milliseconds: 0 or less, for none is after it. `None` when none was since the daemon began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_allow_ms: Option<i64>,
    /// How long after the request the last session was seen to have ended, in milliseconds; `None`
    /// as long as one may go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_end_ms: Option<i64>,
}

impl StopReport {
    /// Returns what is known of a stop when it is asked for.
    pub fn new(at: Timestamp, by: &str, reason: &str) -> Self {
        Self {
            at,
            by: by.to_owned(),
            reason: reason.to_owned(),
            agents: Vec::new(),
            tasks: None,
            approvals: None,
            in_flight: Vec::new(),
            offer: None,
            runtime_end: None,
            processes: Vec::new(),
            last_allow_ms: None,
            last_end_ms: None,
        }
    }

    /// Returns the agents that were not seen to have stopped.
    pub fn open(&self) -> impl Iterator<Item = &AgentStop> {
        self.agents.iter().filter(|one| !matches!(one.state, StopState::Idle | StopState::Ended))
    }

    /// Notes how far it got with `agent`; says whether that is news. What has ended stays so.
    pub fn note(
        &mut self,
        agent: &AgentName,
        state: StopState,
        after_ms: i64,
        detail: &str,
    ) -> bool {
        let Some(one) = self.agents.iter_mut().find(|one| one.agent == *agent) else {
            return false;
        };
        if one.state == StopState::Ended || (one.state == state && one.detail == detail) {
            return false;
        }
        one.state = state;
        one.after_ms = Some(after_ms);
        detail.clone_into(&mut one.detail);
        let ended = self.agents.iter().filter(|one| one.state == StopState::Ended);
        let last = ended.filter_map(|one| one.after_ms).max();
        self.last_end_ms = last.filter(|_| self.open().next().is_none());
        true
    }
}

/// The one row about the squad.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Squad {
    /// Its name.
    pub name: String,
    /// Whether it works.
    pub status: SquadStatus,
    /// Why it has that status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who gave it that status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What emergency stops moved to Blocked and is not back yet, oldest first, at most 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<StoppedTask>,
    /// How many these are in all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stopped_count: i64,
    /// How the last emergency stop went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Box<StopReport>>,
    /// The policy version in force.
    #[serde(default)]
    pub policy_version: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(count: &i64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(agents: &[(&str, StopState)]) -> StopReport {
        let one = |(name, state): &(&str, StopState)| AgentStop {
            agent: name.parse().unwrap(),
            state: *state,
            was_working: true,
            after_ms: None,
            detail: String::new(),
        };
        StopReport {
            agents: agents.iter().map(one).collect(),
            ..StopReport::new(Timestamp(0), "ana", "fire")
        }
    }

    #[test]
    fn the_last_end_is_known_once_nothing_is_open() {
        let mut report =
            report(&[("a", StopState::Asked), ("b", StopState::Asked), ("c", StopState::Idle)]);
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        assert!(report.note(&a, StopState::Ended, 120, "ok"));
        assert_eq!(report.last_end_ms, None);
        assert!(report.note(&b, StopState::NotStopped, 2000, ""));
        assert_eq!((report.last_end_ms, report.open().count()), (None, 1));
        assert!(!report.note(&b, StopState::NotStopped, 4000, ""), "no news");
        assert!(report.note(&b, StopState::Ended, 4100, ""), "late is late, but ended");
        assert_eq!(report.last_end_ms, Some(4100));
        assert!(!report.note(&a, StopState::NotStopped, 9000, ""), "what has ended stays so");
        assert!(!report.note(&"x".parse().unwrap(), StopState::Ended, 1, ""));
    }
}
