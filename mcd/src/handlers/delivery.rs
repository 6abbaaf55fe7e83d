//! The outbox: what the notification helper takes to send, and how its tries ended.
//!
//! A sink is sent one delivery at a time. While one waits to be tried again, new notices gather
//! and go together once the sink takes something; only what is urgent is tried at once.

use std::time::Duration;

use mc_core::{
    actor::Actor,
    alert::{Alert, AlertKind, AlertStatus, NotificationKind, Severity},
    approval::ApprovalStatus,
    delivery::{self, Delivery, DeliveryStatus, NOTICES, SinkState, Try, Via},
    event::Event,
    id::{ApprovalId, NotificationId},
    refusal::Refusal,
};
use mc_proto::{
    limits::SHORT_BYTES,
    method::{
        Page,
        admin::Part,
        delivery::{
            Answers, Attach, Attached, Done, Due, Health, List, Outcome, Retry, SinkHealth, Test,
        },
    },
};

use super::{
    input, lists,
    notify::{self, Warning},
};
use crate::{
    live::Live,
    store::{
        Desk, StoreError,
        queries::{self, Fail, Listed, Reader},
    },
};

/// The longest error that is kept, in characters.
const ERROR_CHARS: usize = 200;
/// How many sinks there may be.
const SINKS: usize = 16;
/// How long a sink may take nothing before an alert is raised.
const FAILING: Duration = Duration::from_mins(10);
/// How long the helper may be away while something waits before an alert is raised.
const AWAY: Duration = Duration::from_mins(5);
/// How long a sink may ask to be left alone: what asks for more is tried all the same.
const LONGEST_REST: Duration = Duration::from_hours(1);
/// The longest pause and the longest life of a notice, in milliseconds.
const LONGEST_MS: i64 = 7 * 86_400_000;

/// `delivery.attach`
///
/// # Errors
///
/// `invalid_params` for names and times that make no sense.
pub(super) fn attach(desk: &mut Desk<'_>, params: Attach) -> Result<Attached, Fail> {
    check(&params)?;
    desk.live.helper.heard(desk.live.clock.elapsed_ms());
    let Attach { mut sinks, schedule } = params;
    sinks.sort_by(|a, b| a.name.cmp(&b.name));
    let before: Vec<_> = queries::sinks(desk.db)?.into_iter().map(|state| state.sink).collect();
    if before != sinks || queries::schedule(desk.db)? != schedule {
        desk.emit(Event::SinksDeclared { sinks, schedule })?;
    }
    Ok(Attached { squad: desk.squad()?.name.clone() })
}

fn check(params: &Attach) -> Result<(), Refusal> {
    if params.sinks.len() > SINKS {
        let text = format!("has {} items, the limit is {SINKS}", params.sinks.len());
        return Err(Refusal::invalid("sinks", text));
    }
    for (at, sink) in params.sinks.iter().enumerate() {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if !(1..=32).contains(&sink.name.len()) || !sink.name.bytes().all(plain) {
            let text = "expected 1 to 32 of a-z, 0-9, `_` and `-`";
            return Err(Refusal::invalid(format!("sinks[{at}].name"), text));
        }
        if params.sinks.iter().take(at).any(|other| other.name == sink.name) {
            return Err(Refusal::invalid(format!("sinks[{at}].name"), "is there twice"));
        }
        input::few("kinds", sink.kinds.len())?;
    }
    let schedule = &params.schedule;
    input::few("schedule.retry_ms", schedule.retry_ms.len())?;
    let times = schedule.retry_ms.iter().chain([&schedule.expiry_ms]);
    let is_wrong = |time: &&i64| !(1..=LONGEST_MS).contains(*time);
    if schedule.retry_ms.is_empty()
        || times.clone().any(|time| is_wrong(&time))
        || !(0..=LONGEST_MS).contains(&schedule.gather_ms)
    {
        let text = format!("expected times of 1 to {LONGEST_MS} ms, and at least one pause");
        return Err(Refusal::invalid("schedule", text));
    }
    Ok(())
}

/// `delivery.next`: hands out what is due for a sink, and puts it together first where needed.
///
/// # Errors
///
/// `not_found` for a sink that was not declared.
pub(super) fn next(desk: &mut Desk<'_>, sink: &str) -> Result<Due, Fail> {
    desk.live.helper.heard(desk.live.clock.elapsed_ms());
    let Some(state) = queries::sink(desk.db, sink)? else {
        return Err(Refusal::not_found(format_args!("sink `{sink}`")).into());
    };
    if let Some(at) = state.not_before.filter(|at| *at > desk.now) {
        return Ok(Due { delivery: None, next_at: Some(at) });
    }
    if is_lent(desk, sink) {
        // Another connection sends to this sink at the moment: what it does wakes this one.
        return Ok(Due { delivery: None, next_at: None });
    }
    let waiting = queries::next_delivery(desk.db, sink)?.filter(|one| one.expires_at > desk.now);
    let due = waiting.clone().filter(|one| one.next_at <= desk.now);
    let due = match due {
        Some(delivery) => Some(delivery),
        None => form(desk, sink)?,
    };
    if let Some(delivery) = due {
        let now_ms = desk.live.clock.elapsed_ms();
        let lent = desk.live.helper.lend(sink, desk.caller.connection, now_ms);
        return Ok(Due { delivery: lent.then_some(delivery), next_at: None });
    }
    let gathers = queries::outbox_due(desk.db, sink, holds_back(desk, sink)?)?;
    let again = waiting.map(|one| one.next_at);
    Ok(Due { delivery: None, next_at: gathers.into_iter().chain(again).min() })
}

fn is_lent(desk: &Desk<'_>, sink: &str) -> bool {
    let now_ms = desk.live.clock.elapsed_ms();
    desk.live.helper.is_lent(sink, desk.caller.connection, now_ms)
}

/// Says whether only what is urgent may be sent to a sink now.
fn holds_back(desk: &Desk<'_>, sink: &str) -> Result<bool, StoreError> {
    Ok(desk.live.is_quiet(desk.now) || queries::is_down(desk.db, sink)?)
}

/// Puts a delivery together of what waits for a sink, when the first of it is due.
fn form(desk: &mut Desk<'_>, sink: &str) -> Result<Option<Delivery>, Fail> {
    let urgent_only = holds_back(desk, sink)?;
    let first = queries::outbox_due(desk.db, sink, urgent_only)?;
    if first.is_none_or(|due| due > desk.now) {
        return Ok(None);
    }
    let notices = queries::outbox(desk.db, sink, urgent_only, (desk.now, NOTICES))?;
    if notices.is_empty() {
        return Ok(None);
    }
    let ids: Vec<ApprovalId> = notices.iter().filter_map(|one| one.approval).collect();
    let mut open = Vec::new();
    for id in ids {
        if queries::approval(desk.db, id)?.status == ApprovalStatus::Pending {
            open.push(id);
        }
    }
    let schedule = queries::schedule(desk.db)?;
    let id = desk.next_delivery();
    let waits = |id| open.contains(&id);
    let delivery = delivery::form(id, sink, notices, waits, (desk.now, &schedule));
    record(desk, &delivery)?;
    Ok(Some(delivery))
}

fn record(desk: &mut Desk<'_>, delivery: &Delivery) -> Result<(), StoreError> {
    let event = Event::DeliveryFormed { delivery: Box::new(delivery.clone()) };
    desk.emit(event).map(drop)
}

/// `delivery.done`
///
/// # Errors
///
/// `not_found`; `conflict` while another connection sends it.
pub(super) fn done(desk: &mut Desk<'_>, params: &Done) -> Result<Delivery, Fail> {
    let row = queries::delivery(desk.db, params.delivery)?;
    if is_lent(desk, &row.sink) {
        let text = format!("another connection sends to {} at the moment", row.sink);
        return Err(Refusal::conflict(text).into());
    }
    desk.live.helper.give_back(&row.sink);
    if row.status != DeliveryStatus::Waiting {
        return Ok(row);
    }
    let error = params.error.as_deref().unwrap_or("no reason was given");
    let error = delivery::tidy(&input::optional("error", error, SHORT_BYTES)?, ERROR_CHARS);
    let outcome = match params.outcome {
        Outcome::Delivered => Try::Delivered,
        Outcome::Refused => Try::Refused { error },
        Outcome::Failed => {
            let next_at = queries::schedule(desk.db)?.again(row.failures + 1, desk.now);
            let asked = params.retry_after_ms.map(Duration::from_millis);
            let not_before = asked.map(|wait| desk.now.plus(wait.min(LONGEST_REST)));
            let next_at = not_before.map_or(next_at, |at| at.max(next_at));
            Try::Failed { error, next_at, not_before }
        }
    };
    let is_good = outcome == Try::Delivered;
    desk.emit(Event::DeliveryTried { delivery: row.id, sink: row.sink.clone(), outcome })?;
    if is_good {
        after_success(desk, &row.sink)?;
    }
    queries::delivery(desk.db, row.id)
}

/// `delivery.answers`
///
/// # Errors
///
/// `not_found` for a sink that was not declared.
pub(super) fn answers(desk: &mut Desk<'_>, params: &Answers) -> Result<SinkHealth, Fail> {
    let Some(state) = queries::sink(desk.db, &params.sink)? else {
        return Err(Refusal::not_found(format_args!("sink `{}`", params.sink)).into());
    };
    let name = &state.sink.name;
    let error = match &params.error {
        Some(error) => {
            Some(delivery::tidy(&input::optional("error", error, SHORT_BYTES)?, ERROR_CHARS))
        }
        None => None,
    };
    let is_good = error.is_none();
    desk.live.helper.answers(name, error, desk.now);
    if is_good {
        settle(desk, &deaf(name), &format!("answers from {name} are taken again"))?;
    }
    Ok(sink_health(desk.db, desk.live, state)?)
}

/// A sink that takes something again is tried with all that waits, and its alert is over.
fn after_success(desk: &mut Desk<'_>, sink: &str) -> Result<(), Fail> {
    if queries::is_down(desk.db, sink)? {
        desk.emit(Event::DeliveriesRetried { sink: Some(sink.to_owned()) })?;
    }
    settle(desk, &format!("sink {sink}"), &format!("{sink} takes notices again"))
}

/// How an alert about answers begins. It is another one than that about notices: it reaches people
/// by the sink that still takes them, which ends nothing.
fn deaf(sink: &str) -> String {
    format!("answers from {sink}")
}

/// Ends the open alert that begins with `head`, if there is one.
fn settle(desk: &mut Desk<'_>, head: &str, note: &str) -> Result<(), Fail> {
    if let Some(alert) = open_alert(desk.db, head)? {
        let (status, note) = (AlertStatus::Resolved, Some(note.to_owned()));
        let event = Event::AlertChanged { alert: alert.id, task: None, status, note };
        desk.emit_as(Actor::system("deliveries"), None, event)?;
    }
    Ok(())
}

/// Gives up what has expired, and raises alerts where nothing gets through.
pub(super) fn tick(desk: &mut Desk<'_>) -> Result<(), Fail> {
    for row in queries::waiting_deliveries(desk.db, None)? {
        if row.expires_at <= desk.now {
            desk.emit(Event::DeliveryExpired { delivery: row.id, sink: row.sink })?;
        }
    }
    let overdue = queries::overdue_notices(desk.db, desk.now)?;
    for group in overdue.chunk_by(|a, b| a.0 == b.0) {
        let Some((sink, _)) = group.first() else { continue };
        let notices: Vec<NotificationId> = group.iter().map(|(_, notice)| *notice).collect();
        desk.emit(Event::NoticesExpired { sink: sink.clone(), notices })?;
    }
    for state in queries::sinks(desk.db)? {
        watch(desk, &state)?;
        watch_answers(desk, &state)?;
    }
    Ok(())
}

fn watch(desk: &mut Desk<'_>, state: &SinkState) -> Result<(), Fail> {
    let name = &state.sink.name;
    if state.sink.via == Via::Desktop {
        // A host without a desktop, or one that nobody is logged in to, is as it should be.
        return Ok(());
    }
    let failing = state.failing_since.filter(|since| desk.now.since(*since) >= FAILING);
    let seen = desk.live.helper.seen_ms().map(|ms| desk.live.at(ms));
    let seen = seen.unwrap_or_else(|| desk.live.started_at());
    let is_away = desk.now.since(seen) >= AWAY && queries::waiting_for(desk.db, name)? > 0;
    let (text, next) = match failing {
        Some(since) => {
            let minutes = desk.now.since(since).as_secs() / 60;
            let error = state.last_error.as_deref().unwrap_or_default();
            let text = format!("sink {name} takes no notices since {minutes} min: {error}");
            (text, "see `mcctl notify status`; mend it, then `mcctl notify retry`")
        }
        None if is_away => (
            format!("sink {name}: notices wait, and no `mcd notify` fetches them"),
            "start `mcd notify`; see docs/NOTIFICATIONS.md",
        ),
        None => return Ok(()),
    };
    warn(desk, &format!("sink {name}"), (text, next))
}

fn watch_answers(desk: &mut Desk<'_>, state: &SinkState) -> Result<(), Fail> {
    let name = &state.sink.name;
    let failing = desk.live.helper.answers_failing(name);
    let Some(failing) = failing.filter(|one| desk.now.since(one.since) >= FAILING) else {
        return Ok(());
    };
    let minutes = desk.now.since(failing.since).as_secs() / 60;
    let head = deaf(name);
    let text = format!("{head} can't be taken since {minutes} min: {}", failing.error);
    let next = "decide in the console meanwhile; see `mcctl notify status`";
    warn(desk, &head, (text, next))
}

/// Raises an alert, unless one that begins with `head` is open.
fn warn(desk: &mut Desk<'_>, head: &str, (text, next): (String, &'static str)) -> Result<(), Fail> {
    if open_alert(desk.db, head)?.is_none() {
        let (severity, kind) = (Severity::Error, AlertKind::Delivery);
        notify::raise(desk, Warning { severity, kind, text, next, task: None, agent: None })?;
    }
    Ok(())
}

/// Returns the open alert about a sink that begins with `head`.
fn open_alert(db: Reader<'_>, head: &str) -> Result<Option<Alert>, StoreError> {
    let open = queries::open_alerts(db, AlertKind::Delivery)?;
    let about =
        |text: &str| text.strip_prefix(head).is_some_and(|rest| rest.starts_with([' ', ':']));
    Ok(open.into_iter().find(|alert| about(&alert.text)))
}

/// `delivery.test`
///
/// # Errors
///
/// `not_found` for a sink that was not declared.
pub(super) fn test(desk: &mut Desk<'_>, params: &Test) -> Result<Delivery, Fail> {
    let state = queries::sink(desk.db, &params.sink)?;
    let Some(state) = state else {
        return Err(Refusal::not_found(format_args!("sink `{}`", params.sink)).into());
    };
    let schedule = queries::schedule(desk.db)?;
    let id = desk.next_delivery();
    let when = (desk.now, &schedule);
    let mut delivery = delivery::form(id, &state.sink.name, Vec::new(), |_| false, when);
    delivery.kind = NotificationKind::Digest;
    delivery.title = format!("test {id} by {}: notices arrive here", desk.caller.actor.name);
    record(desk, &delivery)?;
    Ok(delivery)
}

/// `delivery.retry`
///
/// # Errors
///
/// `not_found` for a sink that was not declared.
pub(super) fn retry(desk: &mut Desk<'_>, params: Retry) -> Result<Health, Fail> {
    if let Some(sink) = &params.sink
        && queries::sink(desk.db, sink)?.is_none()
    {
        return Err(Refusal::not_found(format_args!("sink `{sink}`")).into());
    }
    desk.emit(Event::DeliveriesRetried { sink: params.sink })?;
    Ok(health(desk.db, desk.live)?)
}

/// `delivery.status`
pub(super) fn health(db: Reader<'_>, live: &Live) -> Result<Health, StoreError> {
    let mut sinks = Vec::new();
    for state in queries::sinks(db)? {
        sinks.push(sink_health(db, live, state)?);
    }
    let quiet = live.is_quiet(live.clock.now());
    let helper_seen_at = live.helper.seen_ms().map(|ms| live.at(ms));
    Ok(Health { helper_seen_at, quiet, sinks })
}

fn sink_health(db: Reader<'_>, live: &Live, state: SinkState) -> Result<SinkHealth, StoreError> {
    let name = &state.sink.name;
    let waiting = queries::waiting_for(db, name)?;
    let next_at = queries::next_delivery(db, name)?.map(|one| one.next_at);
    let answers_failing = live.helper.answers_failing(name);
    Ok(SinkHealth { waiting, next_at, answers_failing, state })
}

/// Returns the sinks that did not take what they were sent last, or whose answers can't be taken,
/// by name.
pub(super) fn failing(db: Reader<'_>, live: &Live) -> Result<Vec<String>, StoreError> {
    let is_failing = |one: &SinkState| {
        one.failures_in_row > 0 || live.helper.answers_failing(&one.sink.name).is_some()
    };
    let all = queries::sinks(db)?.into_iter();
    Ok(all.filter(is_failing).map(|one| one.sink.name).collect())
}

/// Returns what `admin.health` says: one part a sink.
pub(super) fn parts(db: Reader<'_>, live: &Live) -> Result<Vec<Part>, StoreError> {
    let part = |sink: SinkHealth| {
        let state = sink.state;
        let last = state.last_success_at.map_or("never".to_owned(), |at| at.to_string());
        let error = state.last_error.as_deref().filter(|_| state.failures_in_row > 0);
        let error = error.map_or(String::new(), |text| format!(": {text}"));
        let (failures, waiting) = (state.failures_in_row, sink.waiting);
        let deaf = sink.answers_failing.map_or(String::new(), |failing| {
            format!("; no answers since {}: {}", failing.since, failing.error)
        });
        Part {
            name: format!("sink {}", state.sink.name),
            healthy: failures == 0 && deaf.is_empty(),
            detail: format!(
                "last success {last}, {failures} failures in a row, {waiting} waiting{error}{deaf}"
            ),
        }
    };
    Ok(health(db, live)?.sinks.into_iter().map(part).collect())
}

/// `delivery.list`
pub(super) fn list(db: Reader<'_>, params: &List) -> Result<Page<Delivery>, Fail> {
    let status = params.status.and_then(lists::word);
    let filters: Vec<_> =
        [lists::text("sink", params.sink.as_deref()), lists::text("status", status.as_deref())]
            .into_iter()
            .flatten()
            .collect();
    let page = (params.limit, params.cursor.as_deref(), |one: &Delivery| one.id.0);
    lists::by_number(db, Listed::Deliveries, &filters, page)
}
