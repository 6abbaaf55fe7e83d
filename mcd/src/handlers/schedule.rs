//! Schedules: set up by operators, and brought up to the present with every tick.

use std::time::Duration;

use mc_core::{
    actor::Actor,
    alert::{Alert, AlertKind, AlertStatus, Severity},
    event::{Event, ScheduleStatusChanged, ScheduleUpdated},
    id::ScheduleId,
    refusal::{FieldError, Refusal},
    schedule::{
        AT_ONCE, CatchUp, Due, MadeTask, Occurrence, SchedulePatch, ScheduleStatus, TaskSchedule,
        TaskTemplate, Timetable, Turn,
    },
    squad::SquadStatus,
    time::{self, Timestamp},
};
use mc_proto::{
    limits::{TEXT_BYTES, TITLE_BYTES},
    method::{
        Page,
        schedule::{Create, Delete, List, Pause, Resume, Update, View},
        task,
    },
};

use super::{
    input, lists,
    notify::{self, Warning},
    task::{check_fields, create_due, refuse_if},
};
use crate::{
    live::Live,
    store::{
        Desk,
        queries::{self, Fail, Listed, Reader},
    },
};

/// How many of the next occurrences are shown.
const SHOWN: usize = 3;
/// How many of its tasks are shown.
const TASKS: i64 = 20;
/// How many alerts are looked through for those of a schedule.
const ALERTS: i64 = 1000;
/// The longest time that a task may have from its occurrence, in seconds: a year.
const LONGEST_S: i64 = 366 * 24 * 3600;

/// `schedule.create`
pub(super) fn create(desk: &mut Desk<'_>, params: Create) -> Result<TaskSchedule, Fail> {
    let Create { cron, zone, catch_up, skip_if_open, task } = params;
    let zone = zone.map_or_else(|| squad_zone(desk.live), Ok)?;
    let mut row = TaskSchedule {
        id: ScheduleId::default(),
        rev: 1,
        cron,
        zone,
        catch_up,
        skip_if_open,
        task,
        status: ScheduleStatus::Active,
        next_at: None,
        seen_until: desk.now,
        last_task: None,
        created: 0,
        left_out: 0,
        created_by: desk.caller.actor.clone(),
        created_at: desk.now,
        updated_at: desk.now,
    };
    row.next_at = Some(check(desk, &row)?);
    row.task = masked(row.task)?;
    row.id = desk.next_schedule();
    desk.emit(Event::ScheduleCreated { schedule: Box::new(row.clone()) })?;
    Ok(row)
}

/// Returns the name of the squad's zone.
fn squad_zone(live: &Live) -> Result<String, Refusal> {
    let zone = live.zone();
    let name = zone.iana_name().map(str::to_owned);
    name.ok_or_else(|| Refusal::invalid("zone", "name one: the squad's own has no IANA name"))
}

/// `schedule.update`
pub(super) fn update(desk: &mut Desk<'_>, params: Update) -> Result<TaskSchedule, Fail> {
    let Update { schedule: id, rev, set: mut patch } = params;
    let row = standing(desk, id)?;
    if row.rev != rev {
        let text = format!("{id} is at revision {}, you saw {rev}: read it again", row.rev);
        return Err(Refusal::conflict(text).into());
    }
    if patch == SchedulePatch::default() {
        return Err(Refusal::invalid("set", "nothing to change: name at least one field").into());
    }
    let next = check(desk, &row.clone().patched(&patch))?;
    patch.task = patch.task.map(masked).transpose()?;
    let restart = patch.cron.is_some() || patch.zone.is_some();
    let next_at = if restart { Some(next) } else { row.next_at };
    let next_at = next_at.filter(|_| row.status == ScheduleStatus::Active);
    let patch = Box::new(patch);
    desk.emit(Event::ScheduleUpdated(ScheduleUpdated { schedule: id, patch, restart, next_at }))?;
    queries::schedule_of(desk.db, id)
}

/// `schedule.pause`
pub(super) fn pause(desk: &mut Desk<'_>, params: Pause) -> Result<TaskSchedule, Fail> {
    change(desk, (params.schedule, params.reason), ScheduleStatus::Paused)
}

/// `schedule.resume`
pub(super) fn resume(desk: &mut Desk<'_>, params: Resume) -> Result<TaskSchedule, Fail> {
    change(desk, (params.schedule, params.reason), ScheduleStatus::Active)
}

/// `schedule.delete`
pub(super) fn delete(desk: &mut Desk<'_>, params: Delete) -> Result<TaskSchedule, Fail> {
    change(desk, (params.schedule, params.reason), ScheduleStatus::Deleted)
}

fn change(
    desk: &mut Desk<'_>,
    (id, reason): (ScheduleId, Option<String>),
    to: ScheduleStatus,
) -> Result<TaskSchedule, Fail> {
    let row = standing(desk, id)?;
    if row.status == to {
        let is = if to == ScheduleStatus::Paused { "paused" } else { "active" };
        return Err(Refusal::conflict(format!("{id} is {is} already")).into());
    }
    let reason = input::maybe("reason", reason)?;
    let next_at = if to == ScheduleStatus::Active { Some(check(desk, &row)?) } else { None };
    let event = Event::ScheduleStatusChanged(ScheduleStatusChanged {
        schedule: id,
        from: row.status,
        to,
        next_at,
    });
    desk.emit_as(desk.caller.actor.clone(), reason, event)?;
    settle_alerts(desk, id, "the schedule was changed by a person")?;
    queries::schedule_of(desk.db, id)
}

/// Returns a schedule that is not deleted.
fn standing(desk: &Desk<'_>, id: ScheduleId) -> Result<TaskSchedule, Fail> {
    let row = queries::schedule_of(desk.db, id)?;
    if row.status == ScheduleStatus::Deleted {
        return Err(Refusal::conflict(format!("{id} is deleted: set up a new one")).into());
    }
    Ok(row)
}

/// Collects everything that is wrong; returns when the schedule comes due next.
fn check(desk: &Desk<'_>, row: &TaskSchedule) -> Result<Timestamp, Fail> {
    let (mut wrong, mut next) = (Vec::new(), None);
    match row.timetable() {
        Ok(table) => {
            next = table.next(desk.now);
            if next.is_none() {
                wrong.push(FieldError::new("cron", "names no time that ever comes"));
            }
        }
        Err(errors) => wrong.extend(errors),
    }
    if row.catch_up == CatchUp::All && row.skip_if_open {
        let text = "`all` creates several tasks at once, and this allows one that is open: set it \
                    to false, or `catch_up` to `once`";
        wrong.push(FieldError::new("skip_if_open", text));
    }
    if row.task.due_in_s.is_some_and(|seconds| !(1..=LONGEST_S).contains(&seconds)) {
        wrong.push(FieldError::new("task.due_in_s", format!("must be 1 to {LONGEST_S}")));
    }
    let fields = check_fields(desk, &asked(&row.task, desk.now))?;
    let within = |one: FieldError| FieldError::new(format!("task.{}", one.field), one.message);
    wrong.extend(fields.into_iter().map(within));
    refuse_if(wrong)?;
    next.ok_or_else(|| Refusal::invalid("cron", "names no time that ever comes").into())
}

fn masked(mut task: TaskTemplate) -> Result<TaskTemplate, Fail> {
    task.title = input::needed("task.title", &task.title, TITLE_BYTES)?;
    task.description = input::optional("task.description", &task.description, TEXT_BYTES)?;
    Ok(task)
}

/// Returns what `task.create` would be asked for an occurrence.
fn asked(task: &TaskTemplate, due: Timestamp) -> task::Create {
    let seconds = |count: i64| Duration::from_secs(u64::try_from(count).unwrap_or(0));
    let due_at = task.due_in_s.map(|count| time::Due::At(due.plus(seconds(count))));
    task::Create { due_at, ..task::Create::from(task.clone()) }
}

/// Creates what is due. While the squad stands still nothing is looked at, so that it is made up for
/// afterwards, each schedule by its rule.
pub(super) fn tick(desk: &mut Desk<'_>) -> Result<(), Fail> {
    if desk.live.halt.is_set() || desk.squad()?.status != SquadStatus::Running {
        return Ok(());
    }
    for row in queries::due_schedules(desk.db, desk.now)? {
        come(desk, &row)?;
    }
    Ok(())
}

fn come(desk: &mut Desk<'_>, row: &TaskSchedule) -> Result<(), Fail> {
    let Ok(table) = row.timetable() else {
        return fail(desk, row, &format!("`{}` in `{}` can't be read", row.cron, row.zone));
    };
    let mut due = table.due(row.catch_up, (row.seen_until, desk.now));
    let mut left = due.missed;
    let mut why = rule_words(row.catch_up, &due);
    let open = row.last_task.filter(|_| row.skip_if_open);
    let open = open.map(|task| queries::open_among(desk.db, &[task])).transpose()?;
    let mut refused = None;
    if let Some(task) = open.and_then(|open| open.first().copied()).filter(|_| !due.make.is_empty())
    {
        left += due.make.len();
        why = Some(format!("{task} is still open"));
        due.make.clear();
    } else if let Some(first) = due.make.first() {
        let wrong = check_fields(desk, &asked(&row.task, *first))?;
        if let Some(wrong) = wrong.first() {
            left += due.make.len();
            refused =
                Some(format!("its task can't be created: {}: {}", wrong.field, wrong.message));
            why.clone_from(&refused);
            due.make.clear();
        }
    }
    let made = make(desk, row, &due)?;
    let turn = turn(&table, (desk.now, left), (made, why, due.is_more));
    record(desk, row, turn)?;
    tell(desk, row, &due, refused)
}

fn rule_words(rule: CatchUp, due: &Due) -> Option<String> {
    let more = if due.is_more { "more than " } else { "" };
    let (count, made) = (due.missed, due.make.len());
    match rule {
        _ if count == 0 => None,
        CatchUp::Skip => Some(format!("{more}{count} missed, left out by the rule `skip`")),
        CatchUp::Once => Some(format!("{more}{count} missed, made up for once")),
        CatchUp::All => {
            Some(format!("{more}{count} older ones left out: {made} of at most {AT_ONCE} at once"))
        }
    }
}

fn turn(
    table: &Timetable,
    (now, left): (Timestamp, usize),
    (made, why, is_more): (Vec<MadeTask>, Option<String>, bool),
) -> Turn {
    Turn {
        seen_until: now,
        next_at: table.next(now),
        made,
        left_out: i64::try_from(left).unwrap_or(i64::MAX),
        is_more,
        why,
    }
}

fn make(desk: &mut Desk<'_>, row: &TaskSchedule, due: &Due) -> Result<Vec<MadeTask>, Fail> {
    let mut made = Vec::new();
    for at in &due.make {
        // Its clock may have been wrong and set right by a person: an occurrence has one task.
        if queries::has_occurred(desk.db, row.id, *at)? {
            continue;
        }
        let occurrence = Occurrence { schedule: row.id, due: *at };
        let task = create_due(desk, asked(&row.task, *at), occurrence)?;
        made.push(MadeTask { task, due: *at });
    }
    Ok(made)
}

fn record(desk: &mut Desk<'_>, row: &TaskSchedule, turn: Turn) -> Result<(), Fail> {
    let actor = Actor::system(format!("schedule {}", row.id));
    let event = Event::ScheduleCame { schedule: row.id, turn: Box::new(turn) };
    Ok(desk.emit_as(actor, None, event).map(drop)?)
}

/// Raises an alert where a person has to look, and ends those that are over.
fn tell(
    desk: &mut Desk<'_>,
    row: &TaskSchedule,
    due: &Due,
    refused: Option<String>,
) -> Result<(), Fail> {
    if let Some(why) = refused {
        return warn(
            desk,
            row.id,
            &why,
            "mend the task with `mcctl schedule update`, or delete it",
        );
    }
    if row.catch_up == CatchUp::All && due.missed > 0 {
        let why = rule_words(row.catch_up, due).unwrap_or_default();
        return warn(desk, row.id, &why, "create by hand what is still needed");
    }
    if due.make.is_empty() {
        Ok(())
    } else {
        settle_alerts(desk, row.id, "it created a task again")
    }
}

/// A schedule whose zone or expression is no longer known rests until a person mends it.
fn fail(desk: &mut Desk<'_>, row: &TaskSchedule, why: &str) -> Result<(), Fail> {
    let turn = Turn { seen_until: desk.now, why: Some(why.to_owned()), ..Turn::default() };
    record(desk, row, turn)?;
    warn(desk, row.id, why, "give it a zone that is known: `mcctl schedule update`")
}

fn warn(desk: &mut Desk<'_>, id: ScheduleId, why: &str, next: &'static str) -> Result<(), Fail> {
    if !open_alerts(desk, id)?.is_empty() {
        return Ok(());
    }
    let (severity, kind) = (Severity::Warning, AlertKind::Schedule);
    let text = format!("{id}: {why}");
    notify::raise(desk, Warning { severity, kind, text, next, task: None, agent: None })?;
    Ok(())
}

fn open_alerts(desk: &Desk<'_>, id: ScheduleId) -> Result<Vec<Alert>, Fail> {
    let head = format!("{id}: ");
    let mut alerts = queries::unresolved_alerts(desk.db, ALERTS)?;
    alerts.retain(|one| one.kind == AlertKind::Schedule && one.text.starts_with(&head));
    Ok(alerts)
}

fn settle_alerts(desk: &mut Desk<'_>, id: ScheduleId, note: &str) -> Result<(), Fail> {
    for alert in open_alerts(desk, id)? {
        let (status, note) = (AlertStatus::Resolved, Some(note.to_owned()));
        let event = Event::AlertChanged { alert: alert.id, task: None, status, note };
        desk.emit_as(Actor::system("alerts"), None, event)?;
    }
    Ok(())
}

/// `schedule.get`
pub(super) fn view(db: Reader<'_>, live: &Live, id: ScheduleId) -> Result<View, Fail> {
    viewed(db, live, queries::schedule_of(db, id)?)
}

fn viewed(db: Reader<'_>, live: &Live, schedule: TaskSchedule) -> Result<View, Fail> {
    let after = live.clock.now().max(schedule.seen_until);
    let table = schedule.timetable().ok().filter(|_| schedule.next_at.is_some());
    let next = table.map(|table| table.next_few(after, SHOWN)).unwrap_or_default();
    let tasks = queries::occurrences(db, schedule.id, TASKS)?;
    Ok(View { schedule, next, tasks })
}

/// `schedule.list`
pub(super) fn list(db: Reader<'_>, live: &Live, params: &List) -> Result<Page<View>, Fail> {
    let page = (params.limit, params.cursor.as_deref(), |one: &TaskSchedule| one.id.0);
    let page = lists::by_number(db, Listed::Schedules, &[], page)?;
    let Page { items, next_cursor, total, head } = page;
    let items = items.into_iter().map(|one| viewed(db, live, one)).collect::<Result<_, _>>()?;
    Ok(Page { items, next_cursor, total, head })
}
