//! Lists: pages with a cursor; none does work that grows with history without a limit.

use mc_core::{
    agent::AgentName,
    alert::{Alert, Notification},
    approval::{Approval, StandingRule},
    describe,
    filter::{Filter, View},
    id::{EventId, TaskId},
    message::Message,
    refusal::Refusal,
    run::{Run, ToolCall},
    task::TaskCard,
};
use mc_proto::{
    limits::{PAGE_BYTES, SHORT_BYTES},
    method::{
        Page, admin, agent, approval, run, squad,
        task::{List, Timeline, TimelineItem},
        thread::MessageList,
    },
};
use rusqlite::types::Value;

use super::{input, views};
use crate::{
    caller::Caller,
    live::Live,
    store::{
        StoreError,
        queries::{self, Fail, Listed, Reader, Rows},
    },
};

/// How many tasks a filter looks at, newest first.
const FILTERED: i64 = 10_000;
/// How many events of a task a timeline with kinds looks at for one page.
const SCANNED: i64 = 5_000;

/// `task.list`
pub(super) fn tasks(db: Reader<'_>, live: &Live, params: &List) -> Result<Page<TaskCard>, Fail> {
    let limit = input::page(params.limit)?;
    let after = input::cursor(params.cursor.as_deref())?;
    let filter = read_filter(params)?;
    let head = queries::head(db)?.seq;
    if filter.is_empty() {
        let items = queries::cards_from(db, after.unwrap_or(0), limit)?;
        let mut items: Vec<_> = items.into_iter().map(TaskCard::short).collect();
        let is_full = items.len() == page_len(limit);
        let is_cut = fit(&mut items, PAGE_BYTES)?;
        let total = queries::count_tasks(db)?;
        let next = items.last().map(|card| card.id.0).filter(|_| is_full || is_cut);
        return Ok(Page { items, next_cursor: next.map(|id| id.to_string()), total, head });
    }
    let view = View { now: live.clock.now(), me: None };
    let mut cards = queries::newest_cards(db, FILTERED)?;
    cards.retain(|card| filter.matches(card, &view));
    cards.sort_by(|a, b| filter.compare(a, b).then(a.id.cmp(&b.id)));
    let total = i64::try_from(cards.len()).unwrap_or(i64::MAX);
    let skip = usize::try_from(after.unwrap_or(0)).unwrap_or(0);
    let cards = cards.into_iter().skip(skip).take(page_len(limit));
    let mut items: Vec<TaskCard> = cards.map(TaskCard::short).collect();
    fit(&mut items, PAGE_BYTES)?;
    let end = skip + items.len();
    let more = i64::try_from(end).unwrap_or(i64::MAX) < total;
    Ok(Page { items, next_cursor: more.then(|| end.to_string()), total, head })
}

fn read_filter(params: &List) -> Result<Filter, Refusal> {
    let mut query = params.filter.clone().unwrap_or_default();
    input::at_most("filter", &query, SHORT_BYTES)?;
    if let Some(sort) = &params.sort {
        input::at_most("sort", sort, SHORT_BYTES)?;
        let key = match sort.trim_start_matches('-') {
            "updated" => "since",
            other => other,
        };
        let sign = if sort.starts_with('-') { "-" } else { "" };
        query = format!("{query} sort:{sign}{key}");
    }
    Filter::parse::<TaskCard>(&query).map_err(|error| {
        let nearest =
            error.nearest.map_or(String::new(), |word| format!("; did you mean `{word}`?"));
        Refusal::invalid("filter", format!("{} (at byte {}){nearest}", error.message, error.at))
    })
}

/// Keeps the first of `items` that have room in `bytes` as JSON, the first one always; says whether
/// some had none.
pub(super) fn fit<T: serde::Serialize>(items: &mut Vec<T>, bytes: usize) -> Result<bool, Fail> {
    let mut used = 0;
    for (at, item) in items.iter().enumerate() {
        used += serde_json::to_string(item).map_err(StoreError::from)?.len() + 1;
        if used > bytes && at > 0 {
            items.truncate(at);
            return Ok(true);
        }
    }
    Ok(false)
}

fn page_len(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// `task.timeline`
pub(super) fn timeline(db: Reader<'_>, params: &Timeline) -> Result<Page<TimelineItem>, Fail> {
    queries::task(db, params.task)?;
    input::few("kinds", params.kinds.len())?;
    let limit = input::page(params.limit)?;
    let since = input::cursor(params.cursor.as_deref())?.or(params.since).unwrap_or(0);
    let scan = if params.kinds.is_empty() { limit } else { SCANNED };
    let (events, is_cut) = queries::events_of_task(db, params.task, since, scan)?;
    let scanned_to = events.last().map(|recorded| recorded.seq);
    let scanned_all = !is_cut && events.len() < page_len(scan);
    let fits = |kind: &str| {
        params.kinds.is_empty()
            || params.kinds.iter().any(|wanted| kind.starts_with(wanted.as_str()))
    };
    let items: Vec<TimelineItem> = events
        .into_iter()
        .filter(|recorded| fits(recorded.event.kind()))
        .take(page_len(limit))
        .map(|recorded| TimelineItem {
            id: EventId(recorded.seq),
            text: describe::line(&recorded),
            recorded,
        })
        .collect();
    let next = if items.len() == page_len(limit) {
        items.last().map(|item| item.recorded.seq)
    } else {
        scanned_to.filter(|_| !scanned_all)
    };
    Ok(Page {
        items,
        next_cursor: next.map(|seq| seq.to_string()),
        total: queries::count_events_of_task(db, params.task)?,
        head: queries::head(db)?.seq,
    })
}

/// A page of a table that is listed by number.
pub(super) fn by_number<T: serde::de::DeserializeOwned>(
    db: Reader<'_>,
    listed: Listed,
    filters: &[(&'static str, Value)],
    (limit, cursor, id): (Option<i64>, Option<&str>, impl Fn(&T) -> i64),
) -> Result<Page<T>, Fail> {
    let limit = input::page(limit)?;
    let after = input::cursor(cursor)?;
    let Rows { items, is_cut, total } = queries::page(db, listed, filters, (after, limit))?;
    let next = items.last().map(id).filter(|_| is_cut || items.len() == page_len(limit));
    let head = queries::head(db)?.seq;
    Ok(Page { items, next_cursor: next.map(|id| id.to_string()), total, head })
}

pub(super) fn text(column: &'static str, value: Option<&str>) -> Option<(&'static str, Value)> {
    value.map(|value| (column, Value::Text(value.to_owned())))
}

fn number(column: &'static str, value: Option<i64>) -> Option<(&'static str, Value)> {
    value.map(|value| (column, Value::Integer(value)))
}

pub(super) fn word<T: serde::Serialize>(value: T) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

/// `message.list`
pub(super) fn messages(db: Reader<'_>, params: &MessageList) -> Result<Page<Message>, Fail> {
    queries::task(db, params.task)?;
    let filters = [("task", Value::Integer(params.task.0))];
    let page = (params.limit, params.cursor.as_deref(), |one: &Message| one.id.0);
    by_number(db, Listed::Messages, &filters, page)
}

/// Refuses names that are nobody's: an empty list would say that there is nothing.
pub(super) fn known(
    db: Reader<'_>,
    agent: Option<&AgentName>,
    task: Option<TaskId>,
) -> Result<(), Fail> {
    if let Some(name) = agent {
        queries::agent(db, name)?;
    }
    if let Some(id) = task
        && queries::task_state(db, id)?.is_none()
    {
        return Err(Refusal::not_found(format_args!("task `{id}`")).into());
    }
    Ok(())
}

/// `run.list`
pub(super) fn runs(db: Reader<'_>, params: &run::List) -> Result<Page<Run>, Fail> {
    known(db, params.agent.as_ref(), params.task)?;
    let status = params.status.and_then(word);
    let filters: Vec<_> = [
        text("agent", params.agent.as_deref()),
        number("task", params.task.map(|task| task.0)),
        text("status", status.as_deref()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let page = (params.limit, params.cursor.as_deref(), |one: &Run| one.id.0);
    by_number(db, Listed::Runs, &filters, page)
}

/// `tool.list`
pub(super) fn calls(db: Reader<'_>, params: &run::ToolList) -> Result<Page<ToolCall>, Fail> {
    known(db, params.agent.as_ref(), params.task)?;
    let filters: Vec<_> = [
        text("agent", params.agent.as_deref()),
        number("task", params.task.map(|task| task.0)),
        number("run", params.run.map(|run| run.0)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let page = (params.limit, params.cursor.as_deref(), |one: &ToolCall| one.id.0);
    by_number(db, Listed::Calls, &filters, page)
}

/// `approval.list`; an agent sees its own.
pub(super) fn approvals(
    db: Reader<'_>,
    caller: &Caller,
    params: &approval::List,
) -> Result<Page<Approval>, Fail> {
    let asked = params.agent.as_ref().filter(|_| caller.is_human());
    known(db, asked, params.task)?;
    let own = if caller.is_human() { None } else { Some(own_name(caller)) };
    let agent = own.as_deref().or(params.agent.as_deref());
    let status = params.status.and_then(word);
    let filters: Vec<_> = [
        text("agent", agent),
        text("status", status.as_deref()),
        number("task", params.task.map(|task| task.0)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let page = (params.limit, params.cursor.as_deref(), |one: &Approval| one.id.0);
    let mut page = by_number(db, Listed::Approvals, &filters, page)?;
    page.items = page.items.into_iter().map(Approval::card).collect();
    Ok(page)
}

fn own_name(caller: &Caller) -> String {
    caller.agent.as_ref().map_or(&caller.actor.name[..], |agent| agent.as_str()).to_owned()
}

/// `alert.list`
pub(super) fn alerts(db: Reader<'_>, params: &squad::AlertList) -> Result<Page<Alert>, Fail> {
    let status = params.status.and_then(word);
    let filters: Vec<_> = text("status", status.as_deref()).into_iter().collect();
    let page = (params.limit, params.cursor.as_deref(), |one: &Alert| one.id.0);
    by_number(db, Listed::Alerts, &filters, page)
}

/// `notification.list`: the caller's own; an operator sees those to all operators.
pub(super) fn notifications(
    db: Reader<'_>,
    caller: &Caller,
    params: &squad::NotificationList,
) -> Result<Page<Notification>, Fail> {
    let to = if caller.is_human() { "operator".to_owned() } else { own_name(caller) };
    let unread = params.unread.then_some(0);
    let filters: Vec<_> =
        [text("recipient", Some(&to)), number("acked", unread)].into_iter().flatten().collect();
    let page = (params.limit, params.cursor.as_deref(), |one: &Notification| one.id.0);
    by_number(db, Listed::Notifications, &filters, page)
}

/// `rule.list`
pub(super) fn rules(
    db: Reader<'_>,
    params: &approval::RuleList,
) -> Result<Page<StandingRule>, Fail> {
    let open = (!params.all).then_some(1);
    let filters: Vec<_> = number("open", open).into_iter().collect();
    let page = (params.limit, params.cursor.as_deref(), |one: &StandingRule| one.id.0);
    by_number(db, Listed::Rules, &filters, page)
}

/// `policy.history`
pub(super) fn policies(
    db: Reader<'_>,
    params: &admin::PolicyHistory,
) -> Result<Page<admin::PolicyVersion>, Fail> {
    let page = (params.limit, params.cursor.as_deref(), |one: &admin::PolicyVersion| one.version);
    by_number(db, Listed::Policies, &[], page)
}

/// `agent.list`
pub(super) fn agents(
    db: Reader<'_>,
    live: &Live,
    params: &agent::List,
) -> Result<Page<agent::AgentView>, Fail> {
    let limit = input::page(params.limit)?;
    let skip = usize::try_from(input::cursor(params.cursor.as_deref())?.unwrap_or(0)).unwrap_or(0);
    let all = queries::agents(db, true)?;
    let total = all.len();
    let items: Vec<_> = all
        .into_iter()
        .skip(skip)
        .take(page_len(limit))
        .map(|agent| views::agent(agent, live))
        .collect();
    let end = skip + items.len();
    Ok(Page {
        items,
        next_cursor: (end < total).then(|| end.to_string()),
        total: i64::try_from(total).unwrap_or(i64::MAX),
        head: queries::head(db)?.seq,
    })
}

/// `audit.export`
pub(super) fn journal(
    db: Reader<'_>,
    params: &admin::AuditExport,
) -> Result<Page<admin::JournalRow>, Fail> {
    known(db, None, params.task)?;
    let limit = input::page(params.limit)?;
    let since = input::cursor(params.cursor.as_deref())?.or(params.since).unwrap_or(0);
    let (items, is_cut) = queries::journal_rows(db, since, params.task, limit)?;
    let head = queries::head(db)?.seq;
    let is_full = is_cut || items.len() == page_len(limit);
    let next = items.last().map(|row| row.recorded.seq).filter(|_| is_full);
    let total = match params.task {
        Some(task) => queries::count_events_of_task(db, task)?,
        None => head,
    };
    Ok(Page { items, next_cursor: next.map(|seq| seq.to_string()), total, head })
}
