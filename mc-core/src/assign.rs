//! Assignment by rule: which agent a task of the Inbox is given to, and why this one.
//!
//! The first rule that is about a task decides about it, also when it finds nobody: no later rule
//! is asked. The same task, rules and agents give the same answer; ties go by name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    agent::{Agent, AgentName, AgentStatus, Liveness},
    id::TaskId,
    policy::{AssignDoc, AssignMatch, Candidates, Choose},
    task::{Task, TaskState},
};

/// How many agents a sentence names.
const NAMED: usize = 6;

/// What the rules look at in a task. It can be read from a stored task without the rest of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its number.
    pub id: TaskId,
    /// One of the configured task types.
    #[serde(rename = "type")]
    pub task_type: String,
    /// 1 critical, 2 high, 3 normal, 4 low.
    pub priority: u8,
    /// Where it is in its life.
    pub state: TaskState,
    /// Whether a person took it back to Inbox.
    #[serde(default)]
    pub put_back: bool,
    /// The agents that are to judge it.
    #[serde(default)]
    pub reviewers: Vec<AgentName>,
    /// Tasks that must be closed first.
    #[serde(default)]
    pub depends_on: Vec<TaskId>,
    /// The project it belongs to.
    #[serde(default)]
    pub project: Option<String>,
    /// Free labels.
    #[serde(default)]
    pub labels: Vec<String>,
}

impl From<&Task> for Waiting {
    fn from(task: &Task) -> Self {
        Self {
            id: task.id,
            task_type: task.task_type.clone(),
            priority: task.priority,
            state: task.state,
            put_back: task.put_back,
            reviewers: task.reviewers.clone(),
            depends_on: task.depends_on.clone(),
            project: task.project.clone(),
            labels: task.labels.clone(),
        }
    }
}

impl Waiting {
    /// Says why no rule may give the task out at the moment, whoever is free; `open` are the tasks
    /// among those that it depends on that are not closed.
    pub fn not_now(&self, open: &[TaskId]) -> Option<String> {
        if self.state != TaskState::Inbox {
            return Some(format!("it is {}, not in Inbox", self.state));
        }
        if self.put_back {
            return Some("a person took it back to Inbox".to_owned());
        }
        let waits: Vec<String> = open.iter().map(TaskId::to_string).collect();
        (!waits.is_empty()).then(|| format!("it waits for {}", waits.join(", ")))
    }
}

/// An agent as the rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// Its row.
    pub agent: Agent,
    /// Whether it is heard of; `None` where it never sent a heartbeat, so that nobody knows.
    pub heard: Option<Liveness>,
    /// How many open tasks it is an assignee of.
    pub open: u64,
    /// How many of those it has before it or in progress.
    pub in_hand: u64,
    /// How many it may have in progress at once.
    pub capacity: u64,
    /// Why it may spend nothing more today; `None` when it may.
    pub short: Option<String>,
}

/// Why an agent gets no task, or not this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bar<'a> {
    /// The rule names it, and there is no such agent any more, or not yet.
    Unknown,
    /// A person, or the daemon, has it stand still.
    Status(AgentStatus),
    /// It was spawned for one task.
    Serves(TaskId),
    /// It was not heard of for too long.
    Liveness(Liveness),
    /// It has as much before it as it takes on.
    Capacity(u64, u64),
    /// It has no money left.
    Short(&'a str),
    /// It takes other types of tasks.
    Type(&'a str),
    /// It is to judge the task.
    Reviewer,
}

impl fmt::Display for Bar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("is not registered"),
            Self::Status(AgentStatus::Active) => f.write_str("is active"),
            Self::Status(AgentStatus::Paused) => f.write_str("is paused"),
            Self::Status(AgentStatus::Drained) => f.write_str("is drained"),
            Self::Status(AgentStatus::Quarantined) => f.write_str("is quarantined"),
            Self::Status(AgentStatus::Stopped) => f.write_str("is retired"),
            Self::Serves(task) => write!(f, "serves {task} alone"),
            Self::Liveness(Liveness::Online) => f.write_str("is online"),
            Self::Liveness(Liveness::Late) => f.write_str("is late"),
            Self::Liveness(Liveness::Offline) => f.write_str("is offline"),
            Self::Capacity(has, most) => write!(f, "has {has} in hand and takes {most}"),
            Self::Short(why) => write!(f, "may not spend: {why}"),
            Self::Type(task_type) => write!(f, "takes no {task_type}"),
            Self::Reviewer => f.write_str("is its reviewer"),
        }
    }
}

impl Hand {
    /// Returns why the agent gets no task at the moment, whichever.
    pub fn bar(&self) -> Option<Bar<'_>> {
        let agent = &self.agent;
        if agent.status != AgentStatus::Active {
            return Some(Bar::Status(agent.status));
        }
        if let Some(task) = agent.serves.filter(|_| agent.is_sub_agent()) {
            return Some(Bar::Serves(task));
        }
        if let Some(liveness) = self.heard.filter(|heard| *heard != Liveness::Online) {
            return Some(Bar::Liveness(liveness));
        }
        if self.in_hand >= self.capacity {
            return Some(Bar::Capacity(self.in_hand, self.capacity));
        }
        self.short.as_deref().map(Bar::Short)
    }

    /// Returns why the agent does not get this task.
    fn bar_to<'a>(&'a self, task: &'a Waiting) -> Option<Bar<'a>> {
        let types = &self.agent.task_types;
        if !types.is_empty() && !types.contains(&task.task_type) {
            return Some(Bar::Type(&task.task_type));
        }
        if task.reviewers.contains(&self.agent.name) {
            return Some(Bar::Reviewer);
        }
        self.bar()
    }

    /// Notes that the agent got one more task.
    pub const fn take(&mut self) {
        self.open = self.open.saturating_add(1);
        self.in_hand = self.in_hand.saturating_add(1);
    }
}

impl AssignMatch {
    /// Says whether a rule is about this task.
    pub fn is_about(&self, task: &Waiting) -> bool {
        (self.types.is_empty() || self.types.contains(&task.task_type))
            && (self.projects.is_empty()
                || task.project.as_ref().is_some_and(|name| self.projects.contains(name)))
            && self.labels.iter().all(|label| task.labels.contains(label))
            && self.priority.is_none_or(|most| task.priority <= most)
    }

    /// Says what of the task it goes by: `type docs, label urgent`.
    fn words(&self, task: &Waiting) -> String {
        let mut parts = Vec::new();
        if !self.types.is_empty() {
            parts.push(format!("type {}", task.task_type));
        }
        if let Some(project) = task.project.as_ref().filter(|_| !self.projects.is_empty()) {
            parts.push(format!("project {project}"));
        }
        parts.extend(self.labels.iter().map(|label| format!("label {label}")));
        if self.priority.is_some() {
            parts.push(format!("priority {}", task.priority));
        }
        if parts.is_empty() { "any task".to_owned() } else { parts.join(", ") }
    }
}

impl Candidates {
    /// Says whether a rule gives tasks to this agent.
    pub fn include(&self, agent: &Agent) -> bool {
        let has = |(key, value): (&String, &String)| agent.labels.get(key) == Some(value);
        (self.agents.is_empty() || self.agents.contains(&agent.name))
            && self.labels.iter().all(has)
            && (self.autonomy.is_empty() || self.autonomy.contains(&agent.autonomy))
    }
}

/// What the rule that decides about a task makes of it.
#[derive(Debug, Clone)]
pub struct Choice<'a> {
    rule: &'a AssignDoc,
    task: &'a Waiting,
    /// Those that could have it, the chosen one first.
    free: Vec<&'a Hand>,
    /// The other candidates.
    left_out: Vec<(&'a AgentName, Bar<'a>)>,
}

/// Chooses who gets `task`; `None` when no rule is about it.
pub fn choose<'a>(
    rules: &'a [AssignDoc],
    task: &'a Waiting,
    hands: &'a [Hand],
) -> Option<Choice<'a>> {
    let rule = rules.iter().find(|rule| rule.tasks.is_about(task))?;
    let (mut free, mut left_out) = (Vec::new(), Vec::new());
    for hand in hands.iter().filter(|hand| rule.candidates.include(&hand.agent)) {
        match hand.bar_to(task) {
            None => free.push(hand),
            Some(bar) => left_out.push((&hand.agent.name, bar)),
        }
    }
    let named = &rule.candidates.agents;
    let is_there = |name: &AgentName| hands.iter().any(|hand| hand.agent.name == *name);
    let gone = named.iter().filter(|name| !is_there(name));
    left_out.extend(gone.map(|name| (name, Bar::Unknown)));
    left_out.sort_by_key(|(name, _)| *name);
    let place = |hand: &Hand| named.iter().position(|name| *name == hand.agent.name);
    match rule.choose {
        Choose::LeastLoaded => free.sort_by_key(|hand| (hand.open, &hand.agent.name)),
        Choose::First => free.sort_by_key(|hand| (place(hand), &hand.agent.name)),
    }
    Some(Choice { rule, task, free, left_out })
}

impl Choice<'_> {
    /// Returns who gets the task; `None` when nobody can.
    pub fn agent(&self) -> Option<&AgentName> {
        self.free.first().map(|hand| &hand.agent.name)
    }

    /// Returns what the record calls the rule: `assign.code`.
    pub fn rule(&self) -> String {
        format!("assign.{}", self.rule.name)
    }

    /// Says in one sentence why this agent, or why nobody.
    pub fn why(&self) -> String {
        let tasks = self.rule.tasks.words(self.task);
        let left_out = self.left_out();
        let Some(first) = self.free.first() else {
            let nobody = if self.left_out.is_empty() { "there is no candidate" } else { "" };
            return format!("{tasks}; nobody is free: {nobody}{left_out}");
        };
        let how = match (self.free.len(), self.rule.choose) {
            (1, _) => format!("{} is the only one free", first.agent.name),
            (count, Choose::LeastLoaded) => format!("least loaded of {count}: {}", self.loads()),
            (count, Choose::First) => format!("first of {count} in the order of the rule"),
        };
        let but = if left_out.is_empty() { "" } else { "; left out: " };
        format!("{tasks}; {how}{but}{left_out}")
    }

    fn loads(&self) -> String {
        let load = |hand: &&Hand| format!("{} {}", hand.agent.name, hand.open);
        listed(self.free.iter().map(load))
    }

    fn left_out(&self) -> String {
        listed(self.left_out.iter().map(|(name, bar)| format!("{name} {bar}")))
    }
}

/// Returns the first few words of a list, and how many more there are.
fn listed(words: impl ExactSizeIterator<Item = String>) -> String {
    let more = words.len().saturating_sub(NAMED);
    let mut named: Vec<String> = words.take(NAMED).collect();
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    named.join(", ")
}
