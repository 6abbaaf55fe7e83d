//! `[[assign]]` of the policy: which tasks of the Inbox the system gives to whom by itself.
//!
//! The choice is made in [`crate::assign`]; here is how rules are written and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::doc::PolicyDoc;
use crate::{
    agent::{AgentName, Autonomy},
    refusal::FieldError,
    words,
};

/// How many rules of assignment a file may have.
const RULES: usize = 100;
/// The least urgent priority there is.
const LOWEST: u8 = 4;

/// A rule of assignment as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignDoc {
    /// Its name, unique among the rules of assignment: the record says `assign.NAME`.
    pub name: String,
    /// Which tasks it is about; all where nothing is named.
    #[serde(default, rename = "match", skip_serializing_if = "AssignMatch::is_any")]
    pub tasks: AssignMatch,
    /// Which agents they are given to; all where nothing is named.
    #[serde(default, skip_serializing_if = "Candidates::is_any")]
    pub candidates: Candidates,
    /// Which of those that are free gets the task.
    #[serde(default)]
    pub choose: Choose,
}

/// Which tasks a rule of assignment is about. All that it names must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AssignMatch {
    /// The task has one of these types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// The task has all of these labels.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<String>,
    /// The task belongs to one of these projects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<String>,
    /// The task's priority is at most this number: 2 is critical and high.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
}

/// Which agents a rule of assignment gives tasks to. All that it names must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Candidates {
    /// These agents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentName>,
    /// Agents with all of these labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Agents with one of these autonomies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub autonomy: Vec<Autonomy>,
}

/// Which of the agents that are free gets the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choose {
    /// The one with the fewest open tasks; of several the first by name.
    #[default]
    LeastLoaded,
    /// The one that stands first in `candidates.agents`.
    First,
}

impl AssignMatch {
    /// Says whether it is about every task.
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }

    /// Says whether it is about every task that `other` is about.
    fn covers(&self, other: &Self) -> bool {
        let all = |own: &[String], theirs: &[String]| {
            own.is_empty() || (!theirs.is_empty() && theirs.iter().all(|one| own.contains(one)))
        };
        all(&self.types, &other.types)
            && all(&self.projects, &other.projects)
            && self.labels.is_subset(&other.labels)
            && self.priority.unwrap_or(LOWEST) >= other.priority.unwrap_or(LOWEST)
    }
}

impl Candidates {
    /// Says whether it is any agent.
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }
}

/// Says what is wrong with the rules of assignment, also where one can never come to its turn.
pub(super) fn check(doc: &PolicyDoc, errors: &mut Vec<FieldError>) {
    if doc.assign.len() > RULES {
        let text = format!("is one rule more than {RULES}");
        errors.push(FieldError::new(format!("assign[{RULES}]"), text));
        return;
    }
    let types: Vec<&str> = doc.tasks.types.iter().map(String::as_str).collect();
    for (at, rule) in doc.assign.iter().enumerate() {
        let mut fail = |field: &str, text: String| {
            errors.push(FieldError::new(format!("assign[{at}].{field}"), text));
        };
        check_tasks(&rule.tasks, &types, &mut fail);
        check_candidates(rule, &mut fail);
        let plain =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        if !(1..=48).contains(&rule.name.len()) || !rule.name.bytes().all(plain) {
            let text = format!("`{}` is no name: use 1 to 48 of a-z, 0-9, `_`, `-`", rule.name);
            fail("name", text);
        }
        let before = doc.assign.get(..at).unwrap_or_default();
        if before.iter().any(|other| other.name == rule.name) {
            let text = format!("`{}` is the name of another rule of assignment already", rule.name);
            fail("name", text);
        }
        if let Some(other) = before.iter().find(|other| other.tasks.covers(&rule.tasks)) {
            let text = format!(
                "never comes to its turn: `{}` above is about every such task; put this rule before \
                 it, or narrow that one",
                other.name
            );
            fail("match", text);
        }
    }
}

fn check_tasks(tasks: &AssignMatch, types: &[&str], fail: &mut impl FnMut(&str, String)) {
    for (at, name) in tasks.types.iter().enumerate() {
        if !types.contains(&name.as_str()) {
            fail(&format!("match.types[{at}]"), words::unknown("task type", name, types));
        }
    }
    let is_blank = |text: &String| text.trim().is_empty();
    if tasks.labels.iter().any(is_blank) {
        fail("match.labels", "has an empty label, which no task has".into());
    }
    if tasks.projects.iter().any(is_blank) {
        fail("match.projects", "has an empty project, which no task has".into());
    }
    if let Some(most) = tasks.priority.filter(|most| !(1..=LOWEST).contains(most)) {
        fail("match.priority", format!("is {most}, expected 1 (critical) to {LOWEST} (any)"));
    }
}

fn check_candidates(rule: &AssignDoc, fail: &mut impl FnMut(&str, String)) {
    let agents = &rule.candidates.agents;
    for (at, name) in agents.iter().enumerate() {
        if agents.iter().take(at).any(|other| other == name) {
            fail(&format!("candidates.agents[{at}]"), format!("`{name}` stands there twice"));
        }
    }
    if rule.choose == Choose::First && agents.is_empty() {
        let text = "`first` goes by the order of `candidates.agents`: name them, or leave it out";
        fail("choose", text.into());
    }
}
