//! What can be filtered, and what each says about the keys.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a subject is silent on the keys of the others, and on those to come"
)]

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::{Field, Is, Key, View};
use crate::{
    agent::Agent,
    alert::{Alert, AlertStatus},
    approval::{Approval, ApprovalStatus},
    event::Recorded,
    task::{TaskCard, TaskState},
};

/// Something that a query can be about.
pub trait Subject {
    /// The keys that say something about it, without `sort`.
    const KEYS: &'static [Key];
    /// The words of `state:`.
    const STATES: &'static [&'static str];
    /// The words of `is:`.
    const FLAGS: &'static [Is];

    /// Returns what it says about `key`.
    fn field(&self, key: Key) -> Field<'_>;

    /// Says whether the condition holds.
    fn is(&self, is: Is, view: &View<'_>) -> bool;

    /// Returns the text that words are looked for in.
    fn text(&self) -> Cow<'_, str>;
}

fn word<'a>(text: impl Into<Cow<'a, str>>) -> Field<'a> {
    Field::Words(vec![text.into()])
}

fn maybe(text: Option<&str>) -> Field<'_> {
    text.map_or(Field::None, word)
}

/// Returns the word that a value has on the wire.
fn wire<T: Serialize>(value: T) -> Field<'static> {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => word(text),
        Ok(_) | Err(_) => Field::None,
    }
}

impl Subject for TaskCard {
    const KEYS: &'static [Key] = &[
        Key::Is,
        Key::State,
        Key::Agent,
        Key::Prio,
        Key::Type,
        Key::Project,
        Key::Tag,
        Key::Cost,
        Key::Budget,
        Key::Age,
        Key::Since,
        Key::Until,
        Key::Due,
        Key::Id,
        Key::Text,
        Key::Has,
        Key::Needs,
    ];
    const STATES: &'static [&'static str] = &[
        "inbox",
        "assigned",
        "in_progress",
        "review",
        "needs_approval",
        "blocked",
        "done",
        "canceled",
    ];
    const FLAGS: &'static [Is] =
        &[Is::Open, Is::Waiting, Is::Blocked, Is::Stuck, Is::Mine, Is::Done];

    fn field(&self, key: Key) -> Field<'_> {
        match key {
            Key::State => word(self.state.as_str()),
            Key::Agent => {
                Field::Words(self.assignees.iter().map(|name| name.as_str().into()).collect())
            }
            Key::Prio => Field::Number(i64::from(self.priority)),
            Key::Type => word(self.task_type.as_str()),
            Key::Project => maybe(self.project.as_deref()),
            Key::Tag => Field::Words(self.labels.iter().map(Into::into).collect()),
            Key::Cost => Field::Number(self.spent_uusd.0),
            Key::Budget => Field::Number(self.budget_uusd.0),
            Key::Age => Field::Time(self.state_since),
            Key::Since | Key::Until => Field::Time(self.updated_at),
            Key::Due => self.due_at.map_or(Field::None, Field::Time),
            Key::Id => word(self.id.to_string()),
            _ => Field::None,
        }
    }

    fn is(&self, is: Is, view: &View<'_>) -> bool {
        use TaskState::{Blocked, Done, NeedsApproval, Review};
        match is {
            Is::Open => !self.state.is_final(),
            Is::Waiting => matches!(self.state, NeedsApproval | Review | Blocked),
            Is::Blocked => self.state == Blocked,
            Is::Stuck => {
                let is_late = self.due_at.is_some_and(|due| due < view.now);
                let is_over = self.spent_uusd >= self.budget_uusd;
                !self.state.is_final() && (self.state == Blocked || is_late || is_over)
            }
            Is::Mine => view.me.is_some_and(|me| self.assignees.iter().any(|a| a.as_str() == me)),
            Is::Done => self.state == Done,
            Is::Failed | Is::Unread | Is::Expiring => false,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        let reason = self.blocked_reason.as_deref().unwrap_or_default();
        format!("{} {}\n{reason}", self.id, self.title).into()
    }
}

impl Subject for Approval {
    const KEYS: &'static [Key] = &[
        Key::Is,
        Key::State,
        Key::Agent,
        Key::By,
        Key::Risk,
        Key::Rule,
        Key::Kind,
        Key::Tool,
        Key::Cost,
        Key::Age,
        Key::Since,
        Key::Until,
        Key::Due,
        Key::Id,
        Key::Text,
        Key::Has,
        Key::Needs,
    ];
    const STATES: &'static [&'static str] =
        &["pending", "approved", "denied", "expired", "canceled"];
    const FLAGS: &'static [Is] =
        &[Is::Open, Is::Waiting, Is::Mine, Is::Expiring, Is::Done, Is::Failed];

    fn field(&self, key: Key) -> Field<'_> {
        match key {
            Key::State => word(self.status.as_str()),
            Key::Agent => word(self.agent.as_str()),
            Key::By => maybe(self.decided_by.as_deref()),
            Key::Risk => wire(self.risk),
            Key::Rule => word(self.rule.as_str()),
            Key::Kind => wire(self.kind),
            Key::Tool => word(self.statement.tool.as_str()),
            Key::Cost => self.estimated_cost_uusd.map_or(Field::None, |cost| Field::Number(cost.0)),
            Key::Age | Key::Since | Key::Until => Field::Time(self.asked_at),
            Key::Due => Field::Time(self.expires_at),
            Key::Id => {
                let task = self.task.map(|task| task.to_string().into());
                Field::Words(std::iter::once(self.id.to_string().into()).chain(task).collect())
            }
            _ => Field::None,
        }
    }

    fn is(&self, is: Is, view: &View<'_>) -> bool {
        let is_open = self.status == ApprovalStatus::Pending;
        match is {
            Is::Open | Is::Waiting => is_open,
            Is::Expiring => is_open && self.expires_at.since(view.now).as_secs() < 15 * 60,
            Is::Done => self.status == ApprovalStatus::Approved,
            Is::Failed => matches!(self.status, ApprovalStatus::Denied | ApprovalStatus::Expired),
            Is::Mine => view.me.is_some_and(|me| {
                self.agent.as_str() == me || self.decided_by.as_deref() == Some(me)
            }),
            Is::Blocked | Is::Stuck | Is::Unread => false,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        let words = self.justification.as_deref().unwrap_or_default();
        format!("{} {}\n{}\n{words}", self.id, self.summary, self.reason).into()
    }
}

impl Subject for Agent {
    const KEYS: &'static [Key] = &[
        Key::State,
        Key::Agent,
        Key::Kind,
        Key::Type,
        Key::Cost,
        Key::Budget,
        Key::Since,
        Key::Until,
        Key::Id,
        Key::Text,
        Key::Has,
        Key::Tag,
        Key::Is,
    ];
    const STATES: &'static [&'static str] =
        &["active", "paused", "drained", "quarantined", "stopped"];
    const FLAGS: &'static [Is] = &[Is::Open, Is::Failed, Is::Mine];

    fn field(&self, key: Key) -> Field<'_> {
        match key {
            Key::State => wire(self.status),
            Key::Agent | Key::Id => word(self.name.as_str()),
            Key::Kind => wire(self.autonomy),
            Key::Type => Field::Words(self.task_types.iter().map(Into::into).collect()),
            Key::Tag => Field::Words(self.labels.keys().map(Into::into).collect()),
            Key::Cost => Field::Number(self.spent_today_uusd.0),
            Key::Budget => Field::Number(self.daily_cap_uusd.0),
            Key::Since | Key::Until => self.last_work_at.map_or(Field::None, Field::Time),
            _ => Field::None,
        }
    }

    fn is(&self, is: Is, view: &View<'_>) -> bool {
        match is {
            Is::Open => self.status == crate::agent::AgentStatus::Active,
            Is::Failed => self.error_streak > 0,
            Is::Mine => view.me == Some(self.name.as_str()),
            Is::Waiting | Is::Blocked | Is::Stuck | Is::Unread | Is::Expiring | Is::Done => false,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        let title = self.display_name.as_deref().unwrap_or_default();
        format!("{} {title} {}", self.name, self.purpose.as_deref().unwrap_or_default()).into()
    }
}

impl Subject for Alert {
    const KEYS: &'static [Key] = &[
        Key::Is,
        Key::State,
        Key::Agent,
        Key::By,
        Key::Kind,
        Key::Age,
        Key::Since,
        Key::Until,
        Key::Id,
        Key::Text,
        Key::Has,
        Key::Needs,
    ];
    const STATES: &'static [&'static str] = &["open", "acknowledged", "resolved"];
    const FLAGS: &'static [Is] = &[Is::Open, Is::Waiting, Is::Unread, Is::Mine, Is::Done];

    fn field(&self, key: Key) -> Field<'_> {
        match key {
            Key::State => wire(self.status),
            Key::Agent => maybe(self.agent.as_deref()),
            Key::By => maybe(self.by.as_deref()),
            Key::Kind => wire(self.kind),
            Key::Age | Key::Since | Key::Until => Field::Time(self.at),
            Key::Id => word(self.id.to_string()),
            _ => Field::None,
        }
    }

    fn is(&self, is: Is, view: &View<'_>) -> bool {
        match is {
            Is::Open => self.status != AlertStatus::Resolved,
            Is::Waiting | Is::Unread => self.status == AlertStatus::Open,
            Is::Done => self.status == AlertStatus::Resolved,
            Is::Mine => view.me.is_some() && view.me == self.by.as_deref(),
            Is::Blocked | Is::Stuck | Is::Failed | Is::Expiring => false,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        self.text.as_str().into()
    }
}

impl Subject for Recorded {
    const KEYS: &'static [Key] = &[
        Key::Kind,
        Key::Agent,
        Key::By,
        Key::Age,
        Key::Since,
        Key::Until,
        Key::Id,
        Key::Text,
        Key::Has,
    ];
    const STATES: &'static [&'static str] = &[];
    const FLAGS: &'static [Is] = &[];

    fn field(&self, key: Key) -> Field<'_> {
        match key {
            Key::Kind => word(self.event.kind()),
            Key::Agent => maybe(self.event.agent().map(crate::agent::AgentName::as_str)),
            Key::By => word(self.actor.name.as_str()),
            Key::Age | Key::Since | Key::Until => Field::Time(self.at),
            Key::Id => {
                let event = format!("e{}", self.seq).into();
                let task = self.event.task().map(|task| task.to_string().into());
                Field::Words(std::iter::once(event).chain(task).collect())
            }
            _ => Field::None,
        }
    }

    fn is(&self, _: Is, _: &View<'_>) -> bool {
        false
    }

    fn text(&self) -> Cow<'_, str> {
        crate::canonical::json(self).into()
    }
}
