//! The filter of the views: one text, read for each kind of thing that a screen shows.

use mc_core::{
    agent::Agent,
    alert::Alert,
    approval::Approval,
    event::Recorded,
    filter::{Filter, FilterError, Subject, View},
    task::TaskCard,
};

use crate::app::Place;

/// A filter as read for one kind of thing; one that is not understood lets everything through and
/// says so.
type Read = Result<Filter, FilterError>;

/// The filter in force.
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
    tasks: Read,
    approvals: Read,
    agents: Read,
    alerts: Read,
    events: Read,
}

impl Default for Query {
    fn default() -> Self {
        Self::read("")
    }
}

impl Query {
    /// Reads a filter.
    pub fn read(text: &str) -> Self {
        Self {
            text: text.trim().to_owned(),
            tasks: Filter::parse::<TaskCard>(text),
            approvals: Filter::parse::<Approval>(text),
            agents: Filter::parse::<Agent>(text),
            alerts: Filter::parse::<Alert>(text),
            events: Filter::parse::<Recorded>(text),
        }
    }

    /// Returns the text as typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Says whether there is none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns what is wrong with it on `place`, with the nearest word that is right.
    pub fn problem(&self, place: Place) -> Option<String> {
        let read = match place {
            Place::Board | Place::Task(_) | Place::Cost => &self.tasks,
            Place::Approvals => &self.approvals,
            Place::Fleet => &self.agents,
            Place::Alerts => &self.alerts,
        };
        let error = read.as_ref().err()?;
        Some(match &error.nearest {
            Some(nearest) if !error.message.contains(nearest.as_str()) => {
                format!("{error}: `{nearest}`?")
            }
            Some(_) | None => error.to_string(),
        })
    }

    /// Says whether a task passes.
    pub fn matches_task(&self, task: &TaskCard, view: &View<'_>) -> bool {
        passes(&self.tasks, task, view)
    }

    /// Says whether an approval passes.
    pub fn matches_approval(&self, approval: &Approval, view: &View<'_>) -> bool {
        passes(&self.approvals, approval, view)
    }

    /// Says whether an agent passes.
    pub fn matches_agent(&self, agent: &Agent, view: &View<'_>) -> bool {
        passes(&self.agents, agent, view)
    }

    /// Says whether an alert passes.
    pub fn matches_alert(&self, alert: &Alert, view: &View<'_>) -> bool {
        passes(&self.alerts, alert, view)
    }

    /// Says whether an event passes.
    pub fn matches_event(&self, event: &Recorded, view: &View<'_>) -> bool {
        passes(&self.events, event, view)
    }
}

fn passes<S: Subject>(filter: &Read, subject: &S, view: &View<'_>) -> bool {
    filter.as_ref().is_ok_and(|filter| filter.matches(subject, view)) || filter.is_err()
}
