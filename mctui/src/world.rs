//! What the daemon told: the rows of the snapshot, kept current by the feed. Nothing is computed
//! that the daemon did not say.

use std::collections::{BTreeMap, VecDeque};

use mc_core::{
    agent::{AgentName, AgentStatus},
    alert::{Alert, AlertStatus, Severity},
    approval::{Approval, ApprovalStatus},
    budget::Scope,
    event::{Event, Recorded},
    id::{AlertId, ApprovalId, RunId, Seq, TaskId},
    money::{CostState, MicroUsd},
    policy::Risk,
    run::{Run, RunStatus},
    squad::{Squad, SquadStatus},
    task::{TaskCard, TaskState, waits::Waits},
    time::Timestamp,
};
use mc_proto::method::{
    agent::AgentView,
    feed::{Changed, FeedItem, Snapshot},
    squad::{Budget, Budgets},
};

/// How many events the feed keeps.
const FEED_ROWS: usize = 2_000;

/// Something that waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mine {
    /// An approval to decide.
    Approval(ApprovalId),
    /// An alert of a failure or worse that nobody has seen.
    Alert(AlertId),
    /// A task to judge.
    Review(TaskId),
}

/// What came of taking in one feed item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was next.
    Yes,
    /// It was known already.
    Old,
    /// Something before it is missing: a fresh snapshot is needed.
    Gap,
}

/// Everything that is known.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Whether a snapshot has been taken in.
    pub is_loaded: bool,
    /// The squad.
    pub squad: Squad,
    /// Tasks by number.
    pub tasks: BTreeMap<TaskId, TaskCard>,
    /// Agents by name.
    pub agents: BTreeMap<AgentName, AgentView>,
    /// Approvals by number.
    pub approvals: BTreeMap<ApprovalId, Approval>,
    /// Alerts by number.
    pub alerts: BTreeMap<AlertId, Alert>,
    /// Runs that go on.
    pub runs: BTreeMap<RunId, Run>,
    /// When each agent was last charged for something, as far as the events reach.
    pub last_spend: BTreeMap<AgentName, Timestamp>,
    /// Each agent's day, as it was last told.
    pub budgets: BTreeMap<AgentName, Budget>,
    /// The newest events, oldest first.
    pub feed: VecDeque<Recorded>,
    /// The newest event that is taken in.
    pub head: Seq,
    /// What the squad may spend in a day.
    pub daily_cap: Option<MicroUsd>,
    /// Whether agents share the operator's uid.
    pub shared_uid: bool,
    /// Why writes are refused, if they are.
    pub read_only: Option<String>,
}

impl World {
    /// Takes in everything anew.
    pub fn load(&mut self, snapshot: Snapshot) {
        let Snapshot { status, tasks, agents, approvals, alerts, runs, events, head, .. } =
            snapshot;
        self.is_loaded = true;
        self.squad = status.squad;
        if status.halted {
            self.squad.status = SquadStatus::Halted;
        }
        self.daily_cap = status.daily_cap_uusd;
        self.shared_uid = status.shared_uid;
        self.read_only = status.read_only;
        self.tasks = tasks.into_iter().map(|task| (task.id, task)).collect();
        self.agents = agents.into_iter().map(|view| (view.agent.name.clone(), view)).collect();
        self.approvals = approvals.into_iter().map(|approval| (approval.id, approval)).collect();
        self.alerts = alerts.into_iter().map(|alert| (alert.id, alert)).collect();
        self.runs = runs.into_iter().map(|run| (run.id, run)).collect();
        for event in &events {
            self.note_spend(event);
        }
        self.feed = events.into();
        self.head = head;
    }

    /// Takes in one event with what it changed.
    pub fn apply(&mut self, item: FeedItem) -> Applied {
        if item.seq <= self.head {
            return Applied::Old;
        }
        let applied = if item.seq == self.head + 1 { Applied::Yes } else { Applied::Gap };
        self.head = item.seq;
        for changed in item.changed {
            self.replace(changed);
        }
        if self.feed.len() >= FEED_ROWS {
            self.feed.pop_front();
        }
        self.note_spend(&item.event);
        self.feed.push_back(item.event);
        applied
    }

    fn note_spend(&mut self, recorded: &Recorded) {
        if let Event::RunUsed { agent, .. } = &recorded.event {
            self.last_spend.insert(agent.clone(), recorded.at);
        }
    }

    /// Takes in how agents and their budgets stand: beats are no events. What the feed told of an
    /// agent meanwhile is newer and stays.
    pub fn look(&mut self, agents: Vec<AgentView>, budgets: Budgets) {
        for view in agents {
            let known = self.agents.get(&view.agent.name);
            if known.is_none_or(|known| known.agent.rev <= view.agent.rev) {
                self.agents.insert(view.agent.name.clone(), view);
            }
        }
        if let Some(day) = budgets.budgets.iter().find(|one| one.scope == Scope::SquadDay) {
            self.daily_cap = day.cap_uusd;
        }
        let days = budgets.budgets.into_iter().filter(|one| one.scope == Scope::AgentDay);
        self.budgets = days.filter_map(|one| Some((one.of.parse().ok()?, one))).collect();
    }

    fn replace(&mut self, changed: Changed) {
        match changed {
            Changed::Task { task } => {
                self.tasks.insert(task.id, task);
            }
            Changed::Agent { agent } => {
                self.agents.insert(agent.agent.name.clone(), *agent);
            }
            Changed::Run { run } if run.status == RunStatus::Running => {
                self.runs.insert(run.id, *run);
            }
            Changed::Run { run } => {
                self.runs.remove(&run.id);
            }
            Changed::Approval { approval } => {
                self.approvals.insert(approval.id, *approval);
            }
            Changed::Alert { alert } => {
                self.alerts.insert(alert.id, alert);
            }
            Changed::Squad { squad } => self.squad = squad,
            Changed::Call { .. } | Changed::Notification { .. } => {}
        }
    }

    /// Returns what a task waits for, which is nothing once it is closed. All open tasks are known:
    /// what is not is closed.
    pub fn waits_of(&self, task: &TaskCard) -> Option<Waits> {
        let is_open = |id: &TaskId| self.tasks.get(id).is_some_and(|other| !other.state.is_final());
        Waits::of(&task.depends_on, is_open).filter(|_| !task.state.is_final())
    }

    /// Returns the tasks in `state`, the most urgent and then the longest waiting first; closed
    /// ones newest first.
    pub fn column(&self, state: TaskState) -> Vec<&TaskCard> {
        let mut cards: Vec<&TaskCard> =
            self.tasks.values().filter(|task| task.state == state).collect();
        if state.is_final() {
            cards.sort_by_key(|task| (std::cmp::Reverse(task.state_since), task.id));
        } else {
            cards.sort_by_key(|task| (task.priority, task.state_since, task.id));
        }
        cards
    }

    /// Returns how many tasks are in `state`.
    pub fn count(&self, state: TaskState) -> usize {
        self.tasks.values().filter(|task| task.state == state).count()
    }

    /// Returns the approvals that wait, those that end soonest first.
    pub fn waiting(&self) -> Vec<&Approval> {
        let mut waiting: Vec<&Approval> =
            self.approvals.values().filter(|one| one.status == ApprovalStatus::Pending).collect();
        waiting.sort_by_key(|approval| (approval.expires_at, approval.id));
        waiting
    }

    /// Returns the approval that `task` waits for.
    pub fn approval_of(&self, task: TaskId) -> Option<&Approval> {
        self.waiting().into_iter().find(|approval| approval.task == Some(task))
    }

    /// Returns the alerts that are not over, the worst first, then the newest.
    pub fn open_alerts(&self) -> Vec<&Alert> {
        let mut open: Vec<&Alert> =
            self.alerts.values().filter(|alert| alert.status != AlertStatus::Resolved).collect();
        open.sort_by_key(|alert| {
            use std::cmp::Reverse;
            (alert.status == AlertStatus::Acknowledged, Reverse(alert.severity), Reverse(alert.id))
        });
        open
    }

    /// Returns how many alerts that nobody has seen are at least warnings: critical or error, and
    /// warnings.
    pub fn alarm_counts(&self) -> (usize, usize) {
        let unseen = |wanted: fn(Severity) -> bool| {
            let open = self.alerts.values().filter(|alert| alert.status == AlertStatus::Open);
            open.filter(|alert| wanted(alert.severity)).count()
        };
        (unseen(|s| s >= Severity::Error), unseen(|s| s == Severity::Warning))
    }

    /// Returns what waits for a person, the worst and soonest first.
    pub fn mine(&self) -> Vec<Mine> {
        let waiting = self.waiting();
        let of = |red: bool| {
            let chosen = waiting.iter().filter(move |one| (one.risk == Risk::Red) == red);
            chosen.map(|approval| Mine::Approval(approval.id))
        };
        let alerts = self
            .open_alerts()
            .into_iter()
            .filter(|alert| alert.severity >= Severity::Error && alert.status == AlertStatus::Open);
        let reviews = self.column(TaskState::Review).into_iter().map(|task| Mine::Review(task.id));
        of(true)
            .chain(alerts.map(|alert| Mine::Alert(alert.id)))
            .chain(of(false))
            .chain(reviews)
            .collect()
    }

    /// Returns how many agents have a run that goes on, and how many there are.
    pub fn at_work(&self) -> (usize, usize) {
        let works = |name: &&AgentName| {
            let status = self.agents.get(*name).map(|view| view.agent.status);
            matches!(status, Some(AgentStatus::Active | AgentStatus::Drained))
        };
        let running = self.runs.values().map(|run| &run.agent);
        let working: std::collections::BTreeSet<&AgentName> = running.filter(works).collect();
        let all = self.agents.values().filter(|view| view.agent.status != AgentStatus::Stopped);
        (working.len(), all.count())
    }

    /// Returns what was spent today, and how that is known.
    pub fn spent_today(&self) -> (MicroUsd, Option<CostState>) {
        let spent = self.agents.values().map(|view| view.today_uusd).sum();
        let states = self.agents.values().filter_map(|view| view.today_state);
        (spent, states.max_by_key(|state| state.doubt()))
    }

    /// Says whether the emergency stop is in force.
    pub fn is_halted(&self) -> bool {
        self.squad.status == SquadStatus::Halted
    }

    /// Returns the run of `agent` that goes on.
    pub fn run_of(&self, agent: &AgentName) -> Option<&Run> {
        self.runs.values().find(|run| run.agent == *agent)
    }

    /// Says whether `event` changes what is known about `task` beyond its card.
    pub fn concerns(event: &Event, task: TaskId) -> bool {
        event.task() == Some(task)
    }
}
