//! Deliveries: notices to people on their way out of the squad, merged, tried and tried again.
//!
//! A **sink** is a place that takes notices; a **delivery** is what one sink is sent at once, under
//! one id that never changes, with content that never changes: a receiver that sees an id twice
//! has seen it all. What leaves holds ids, risk, counts and a cleaned title, and nothing else that
//! an agent wrote.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::AgentName,
    alert::{Alert, Notification, NotificationKind, Severity},
    approval::Approval,
    clean::{Clean, Glyphs},
    event::{Event, Recorded},
    id::{ApprovalId, DeliveryId, NotificationId, TaskId},
    policy::Risk,
    redact,
    time::Timestamp,
};

/// The most notices that go out at once.
pub const NOTICES: usize = 50;
/// The longest title of a task in a notice, in characters.
const TITLE_CHARS: usize = 60;
/// How many ids a merged line names.
const NAMED: usize = 8;

/// How a sink is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The desktop of this machine.
    Desktop,
    /// A Slack webhook.
    Slack,
    /// A signed webhook.
    Webhook,
    /// A Telegram chat.
    Telegram,
    /// An ntfy topic.
    Ntfy,
    /// Mail.
    Email,
}

/// A place that takes notices, as the helper declares it: no address and no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// Its name in `notify.toml`.
    pub name: String,
    /// How it is reached.
    pub via: Via,
    /// Which notices it takes; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<NotificationKind>,
    /// How bad a notice must be at least.
    #[serde(default)]
    pub min_severity: Severity,
}

impl Sink {
    /// Says whether it takes a notice of this kind and severity.
    pub fn takes(&self, kind: NotificationKind, severity: Severity) -> bool {
        severity >= self.min_severity && (self.kinds.is_empty() || self.kinds.contains(&kind))
    }
}

/// When notices are sent and sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// How long a notice waits for others to go with it, unless it is critical.
    pub gather_ms: i64,
    /// The pauses between tries; the last one counts for all further ones.
    pub retry_ms: Vec<i64>,
    /// After what time a notice is given up.
    pub expiry_ms: i64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            gather_ms: 3000,
            retry_ms: vec![30_000, 60_000, 120_000, 240_000, 480_000],
            expiry_ms: 86_400_000,
        }
    }
}

impl Schedule {
    /// Returns when to try again after the `tries`-th try failed at `at`.
    pub fn again(&self, tries: i64, at: Timestamp) -> Timestamp {
        let nth = usize::try_from(tries - 1).unwrap_or(0);
        let pause = self.retry_ms.get(nth).or(self.retry_ms.last()).copied().unwrap_or(30_000);
        at.plus(milliseconds(pause))
    }

    /// Returns when a notice of `at` is due, and when it is given up.
    pub fn times(&self, severity: Severity, at: Timestamp) -> (Timestamp, Timestamp) {
        let gather = if is_urgent(severity) { 0 } else { self.gather_ms };
        (at.plus(milliseconds(gather)), at.plus(milliseconds(self.expiry_ms)))
    }
}

fn milliseconds(count: i64) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}

/// Says whether a notice waits for nothing: not for others, not for the end of quiet hours.
pub fn is_urgent(severity: Severity) -> bool {
    severity == Severity::Critical
}

/// Returns how bad it is that something of this risk waits for an answer.
pub const fn severity_of(risk: Risk) -> Severity {
    match risk {
        Risk::Green => Severity::Info,
        Risk::Yellow => Severity::Warning,
        Risk::Red => Severity::Critical,
    }
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It is still to be taken.
    #[default]
    Waiting,
    /// The sink took it.
    Delivered,
    /// The sink will never take it as it is.
    Refused,
    /// It was not taken in time.
    Expired,
    /// Its sink is no longer declared.
    Dropped,
}

/// One notice inside of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// The notice.
    pub id: NotificationId,
    /// What it tells.
    pub kind: NotificationKind,
    /// How bad it is.
    pub severity: Severity,
    /// In one line.
    pub text: String,
    /// The task concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The approval concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// When it was queued.
    pub at: Timestamp,
}

impl Item {
    /// Returns what leaves of a notice; `None` when it is for agents alone.
    pub fn of(notice: &Notification) -> Option<Self> {
        Some(Self {
            id: notice.id,
            kind: notice.kind,
            severity: notice.severity,
            text: notice.headline.clone()?,
            task: notice.task,
            approval: notice.approval,
            at: notice.at,
        })
    }
}

/// What one sink is sent at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// Its number, and the idempotency id that the receiver sees.
    pub id: DeliveryId,
    /// The sink.
    pub sink: String,
    /// The kind of all its notices; `digest` when they differ.
    pub kind: NotificationKind,
    /// The worst of its notices.
    pub severity: Severity,
    /// In one line: `4 approvals wait, A-4`.
    pub title: String,
    /// The notices, oldest first; none in a test.
    pub notices: Vec<Item>,
    /// How it stands.
    pub status: DeliveryStatus,
    /// How often it was tried in vain.
    pub failures: i64,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it was put together.
    pub at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// How one try ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Try {
    /// The sink took it.
    Delivered,
    /// It did not, this time.
    Failed {
        /// Why.
        error: String,
        /// When it is tried again.
        next_at: Timestamp,
        /// Until when the sink asked to be left alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
    },
    /// It never will, as it is.
    Refused {
        /// Why.
        error: String,
    },
}

/// How a sink is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SinkState {
    /// The sink.
    pub sink: Sink,
    /// When it last took something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_at: Option<Timestamp>,
    /// How often in a row it did not.
    pub failures_in_row: i64,
    /// Since when it takes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Until when it asked to be left alone; nothing is sent before, urgent or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// How many deliveries it took.
    pub delivered: i64,
    /// How many were given up.
    pub given_up: i64,
}

impl SinkState {
    /// Returns the state of a sink that was just declared.
    pub const fn new(sink: Sink) -> Self {
        Self {
            sink,
            last_success_at: None,
            failures_in_row: 0,
            failing_since: None,
            last_error: None,
            not_before: None,
            delivered: 0,
            given_up: 0,
        }
    }
}

/// Puts a delivery together; `waits` says which of its approvals still wait.
pub fn form(
    id: DeliveryId,
    sink: &str,
    notices: Vec<Item>,
    waits: impl Fn(ApprovalId) -> bool,
    (now, schedule): (Timestamp, &Schedule),
) -> Delivery {
    let first = notices.first();
    let kind = first.map_or(NotificationKind::Digest, |one| one.kind);
    let mixed = notices.iter().any(|one| one.kind != kind);
    // None of them is given up before its time is over because it went with an older one.
    let youngest = notices.last().map_or(now, |one| one.at);
    Delivery {
        id,
        sink: sink.to_owned(),
        kind: if mixed { NotificationKind::Digest } else { kind },
        severity: notices.iter().map(|one| one.severity).max().unwrap_or_default(),
        title: title(&notices, &waits),
        status: DeliveryStatus::Waiting,
        failures: 0,
        next_at: now,
        expires_at: youngest.plus(milliseconds(schedule.expiry_ms)),
        last_error: None,
        at: now,
        ended_at: None,
        notices,
    }
}

/// Returns the one line for all notices of a delivery.
fn title(notices: &[Item], waits: &impl Fn(ApprovalId) -> bool) -> String {
    use NotificationKind as K;
    if let [one] = notices {
        return one.text.clone();
    }
    let order =
        [K::ApprovalRequested, K::Alert, K::Mention, K::Assignment, K::ApprovalDecided, K::Digest];
    let parts: Vec<String> = order
        .into_iter()
        .filter_map(|kind| {
            let of_kind: Vec<&Item> = notices.iter().filter(|one| one.kind == kind).collect();
            (!of_kind.is_empty()).then(|| part(kind, &of_kind, waits))
        })
        .collect();
    parts.join("; ")
}

/// Returns what a title says about the notices of one kind.
fn part(kind: NotificationKind, notices: &[&Item], waits: &impl Fn(ApprovalId) -> bool) -> String {
    let count = notices.len();
    let s = if count == 1 { "" } else { "s" };
    match kind {
        NotificationKind::ApprovalRequested => {
            let ids: Vec<ApprovalId> = notices.iter().filter_map(|one| one.approval).collect();
            let open: Vec<&ApprovalId> = ids.iter().filter(|id| waits(**id)).collect();
            let red = notices.iter().filter(|one| is_urgent(one.severity)).count();
            let red = if red > 0 { format!(", {red} RED") } else { String::new() };
            if open.len() == count {
                let verb = if count == 1 { "waits" } else { "wait" };
                format!("{count} approval{s} {verb}{red}: {}", named(&ids))
            } else {
                format!(
                    "{count} approval{s} asked{red}, {} still open: {}",
                    open.len(),
                    named(&ids)
                )
            }
        }
        NotificationKind::Alert => {
            let worst = notices.iter().map(|one| one.severity).max().unwrap_or_default();
            let worst = if is_urgent(worst) { ", one CRITICAL or more" } else { "" };
            format!("{count} alert{s}{worst}")
        }
        NotificationKind::Mention => format!("{count} mention{s}"),
        NotificationKind::Assignment => format!("{count} assignment{s}"),
        NotificationKind::ApprovalDecided => format!("{count} decision{s}"),
        NotificationKind::Digest => format!("{count} digest{s}"),
    }
}

fn named(ids: &[ApprovalId]) -> String {
    let first: Vec<String> = ids.iter().take(NAMED).map(ToString::to_string).collect();
    let more = ids.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

/// Returns the line that leaves for an approval: `A-3 RED: wren asks on T-5 "Fix the login"`.
pub fn of_approval(approval: &Approval, title: Option<&str>) -> String {
    let risk = match approval.risk {
        Risk::Green => "GREEN",
        Risk::Yellow => "YELLOW",
        Risk::Red => "RED",
    };
    format!("{} {risk}: {} asks{}", approval.id, approval.agent, on(approval.task, title))
}

/// Returns the line that leaves for an alert: `W-2 CRITICAL budget: wren on T-5 "Fix the login"`.
pub fn of_alert(alert: &Alert, title: Option<&str>) -> String {
    let severity = format!("{:?}", alert.severity).to_uppercase();
    let kind = serde_json::to_value(alert.kind).unwrap_or_default();
    let kind = kind.as_str().unwrap_or_default().replace('_', " ");
    let about = alert.agent.as_ref().map_or(String::new(), |agent| format!(" {agent}"));
    let about = format!("{about}{}", on(alert.task, title));
    let colon = if about.is_empty() { "" } else { ":" };
    format!("{} {severity} {kind}{colon}{about}", alert.id)
}

/// Returns the line that leaves when an agent is stuck.
pub fn of_blocker(agent: &AgentName, task: TaskId, title: &str) -> String {
    format!("{agent} is stuck{}", on(Some(task), Some(title)))
}

/// Returns the line that leaves for a mention.
pub fn of_mention(author: &str, task: TaskId, title: &str) -> String {
    format!("{} mentions you{}", tidy(author, TITLE_CHARS), on(Some(task), Some(title)))
}

fn on(task: Option<TaskId>, title: Option<&str>) -> String {
    let Some(task) = task else { return String::new() };
    match title.map(|title| tidy(title, TITLE_CHARS)).filter(|title| !title.is_empty()) {
        Some(title) => format!(" on {task} \"{title}\""),
        None => format!(" on {task}"),
    }
}

/// Returns a text that may leave: no secret, no control or invisible character, in one line of at
/// most `max_chars`.
pub fn tidy(text: &str, max_chars: usize) -> String {
    let masked = redact::preview(text, max_chars);
    Clean::title(&masked, Glyphs::Unicode).into_string()
}

/// Applies what `recorded` means for `delivery`.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds mean nothing for it")]
pub fn fold(delivery: &mut Delivery, recorded: &Recorded) {
    let end = |delivery: &mut Delivery, status| {
        delivery.status = status;
        delivery.ended_at = Some(recorded.at);
    };
    match &recorded.event {
        Event::DeliveryTried { outcome: Try::Delivered, .. } => {
            end(delivery, DeliveryStatus::Delivered);
        }
        Event::DeliveryTried { outcome: Try::Failed { error, next_at, .. }, .. } => {
            delivery.failures += 1;
            delivery.next_at = *next_at;
            delivery.last_error = Some(error.clone());
        }
        Event::DeliveryTried { outcome: Try::Refused { error }, .. } => {
            delivery.failures += 1;
            delivery.last_error = Some(error.clone());
            end(delivery, DeliveryStatus::Refused);
        }
        Event::DeliveryExpired { .. } => end(delivery, DeliveryStatus::Expired),
        Event::DeliveriesRetried { .. } => delivery.next_at = recorded.at,
        Event::SinksDeclared { .. } => end(delivery, DeliveryStatus::Dropped),
        _ => {}
    }
}

/// Applies what `recorded` means for the state of a sink.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds mean nothing for it")]
pub fn fold_sink(state: &mut SinkState, recorded: &Recorded) {
    match &recorded.event {
        Event::DeliveryTried { outcome: Try::Delivered, .. } => {
            state.last_success_at = Some(recorded.at);
            state.failures_in_row = 0;
            state.failing_since = None;
            state.not_before = None;
            state.delivered += 1;
        }
        Event::DeliveryTried { outcome: Try::Failed { error, not_before, .. }, .. } => {
            state.failures_in_row += 1;
            state.failing_since.get_or_insert(recorded.at);
            state.last_error = Some(error.clone());
            state.not_before = *not_before;
        }
        Event::DeliveryTried { outcome: Try::Refused { error }, .. } => {
            state.failures_in_row += 1;
            state.failing_since.get_or_insert(recorded.at);
            state.last_error = Some(error.clone());
            state.given_up += 1;
        }
        Event::DeliveryExpired { .. } => state.given_up += 1,
        Event::DeliveriesRetried { .. } => state.not_before = None,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: i64, kind: NotificationKind, severity: Severity) -> Item {
        Item {
            id: NotificationId(id),
            kind,
            severity,
            text: format!("notice {id}"),
            task: None,
            approval: (kind == NotificationKind::ApprovalRequested).then_some(ApprovalId(id)),
            at: Timestamp(id),
        }
    }

    fn formed(notices: Vec<Item>, open: impl Fn(ApprovalId) -> bool) -> Delivery {
        form(DeliveryId(1), "ops", notices, open, (Timestamp(9), &Schedule::default()))
    }

    #[test]
    fn the_pauses_are_those_of_the_schedule_and_the_last_one_goes_on() {
        let schedule = Schedule::default();
        let pauses: Vec<i64> =
            (1..=7).map(|tries| schedule.again(tries, Timestamp(0)).0 / 1000).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 480, 480, 480]);
    }

    #[test]
    fn one_notice_says_itself_and_many_are_counted() {
        use NotificationKind as K;
        let one = formed(vec![item(1, K::Mention, Severity::Info)], |_| true);
        assert_eq!((one.title.as_str(), one.kind), ("notice 1", K::Mention));
        let asked = |id| item(id, K::ApprovalRequested, Severity::Warning);
        let four = formed((1..=4).map(asked).collect(), |_| true);
        assert_eq!(four.title, "4 approvals wait: A-1, A-2, A-3, A-4");
        assert_eq!(four.kind, K::ApprovalRequested);
        let late = formed((1..=12).map(asked).collect(), |id| id.0 > 10);
        assert_eq!(
            late.title,
            "12 approvals asked, 2 still open: A-1, A-2, A-3, A-4, A-5, A-6, A-7, A-8 and 4 more"
        );
    }

    #[test]
    fn what_differs_becomes_a_digest_as_bad_as_its_worst() {
        use NotificationKind as K;
        let mixed = formed(
            vec![
                item(1, K::Alert, Severity::Warning),
                item(2, K::ApprovalRequested, Severity::Critical),
                item(3, K::Mention, Severity::Info),
            ],
            |_| true,
        );
        assert_eq!(mixed.kind, K::Digest);
        assert_eq!(mixed.severity, Severity::Critical);
        assert_eq!(mixed.title, "1 approval waits, 1 RED: A-2; 1 alert; 1 mention");
    }

    #[test]
    fn nothing_is_given_up_early_because_it_goes_with_something_older() {
        let both = [3, 60_000].map(|id| item(id, NotificationKind::Mention, Severity::Info));
        let day = Schedule::default().expiry_ms;
        assert_eq!(formed(both.to_vec(), |_| true).expires_at, Timestamp(60_000 + day));
    }

    #[test]
    fn nothing_urgent_waits_for_others() {
        let schedule = Schedule::default();
        assert_eq!(schedule.times(Severity::Critical, Timestamp(5)).0, Timestamp(5));
        assert_eq!(schedule.times(Severity::Error, Timestamp(5)).0, Timestamp(3005));
    }

    #[test]
    fn a_sink_takes_what_its_filters_name() {
        let sink = Sink {
            name: "ops".into(),
            via: Via::Slack,
            kinds: vec![NotificationKind::Alert],
            min_severity: Severity::Error,
        };
        assert!(sink.takes(NotificationKind::Alert, Severity::Critical));
        assert!(!sink.takes(NotificationKind::Alert, Severity::Warning));
        assert!(!sink.takes(NotificationKind::Mention, Severity::Critical));
    }

    #[test]
    fn what_leaves_is_one_clean_line_without_secrets() {
        let title = "a\u{202e}b\n\x1b[31mred ghp_16C7e42F292c6912E7710c838347Ae178B4a";
        let line = of_mention("heron", TaskId(3), title);
        assert!(line.starts_with("heron mentions you on T-3 \"a"), "{line}");
        assert!(!line.contains(['\u{202e}', '\n', '\x1b']), "{line}");
        assert!(!line.contains("ghp_16C7"), "{line}");
    }
}
