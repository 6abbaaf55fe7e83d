//! What a task is made of, as flags: of a task, and of those that a schedule creates.

use std::path::PathBuf;

use clap::Args;
use mc_core::{agent::AgentName, id::TaskId, money::MicroUsd, schedule::TaskTemplate};

use super::text_of;
use crate::{failure::Failure, words::dollars};

/// What can be said of a task at any time.
#[derive(Debug, Args)]
pub(crate) struct Fields {
    /// Markdown: what is to be done, and what is accepted as done.
    #[arg(long, value_name = "TEXT", conflicts_with = "description_file")]
    description: Option<String>,
    /// Take the description from a file; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    description_file: Option<PathBuf>,
    /// 1 critical, 2 high, 3 normal, 4 low.
    #[arg(long, short, value_name = "1-4")]
    pub(crate) priority: Option<u8>,
    /// An agent that is to judge it; repeat for more. Replaces those of before.
    #[arg(long = "reviewer", value_name = "AGENT")]
    pub(crate) reviewers: Vec<AgentName>,
    /// The project it belongs to.
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// A free label; repeat for more. Replaces those of before.
    #[arg(long = "label", value_name = "LABEL")]
    pub(crate) labels: Vec<String>,
    /// What it may cost, in dollars.
    #[arg(long, value_name = "USD", value_parser = dollars, allow_negative_numbers = true)]
    pub(crate) budget: Option<MicroUsd>,
}

impl Fields {
    /// Returns the description that was given, or that is in a file.
    ///
    /// # Errors
    ///
    /// When the file can't be read or is no text.
    pub(crate) fn description(&mut self) -> Result<Option<String>, Failure> {
        text_of(self.description.take(), self.description_file.as_deref())
    }
}

/// What can be said of a task that is yet to be created.
#[derive(Debug, Args)]
pub(crate) struct Draft {
    #[command(flatten)]
    fields: Fields,
    /// An agent that is to do it; repeat for more. Replaces those of before.
    #[arg(long = "assign", value_name = "AGENT")]
    assignees: Vec<AgentName>,
    /// The task that it is a part of.
    #[arg(long, value_name = "T-n")]
    parent: Option<TaskId>,
}

impl Draft {
    /// Returns `task` with what was given in the place of what it has.
    ///
    /// # Errors
    ///
    /// When the file of the description can't be read or is no text.
    pub(crate) fn put_on(self, task: TaskTemplate) -> Result<TaskTemplate, Failure> {
        let Self { mut fields, assignees, parent } = self;
        Ok(TaskTemplate {
            description: fields.description()?.unwrap_or(task.description),
            priority: fields.priority.or(task.priority),
            assignees: or(assignees, task.assignees),
            reviewers: or(fields.reviewers, task.reviewers),
            parent: parent.or(task.parent),
            project: fields.project.or(task.project),
            labels: or(fields.labels, task.labels),
            budget_uusd: fields.budget.or(task.budget_uusd),
            ..task
        })
    }
}

/// A list that was not given is empty: it replaces nothing.
fn or<T>(given: Vec<T>, before: Vec<T>) -> Vec<T> {
    if given.is_empty() { before } else { given }
}
