//! `mcctl schedule`: what creates tasks again and again.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mc_core::{
    agent::AgentName,
    id::{ScheduleId, TaskId},
    money::MicroUsd,
    schedule::{CatchUp, SchedulePatch, ScheduleStatus, TaskSchedule, TaskTemplate},
    time::Timestamp,
};
use mc_proto::method::schedule::{Create, Delete, Get, List, Pause, Resume, Update, View};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    paging::{self, Paging},
    table::{Sheet, Table, cell, maybe, rest},
    task::text_of,
    text,
    words::{dollars, one_of, seconds, word},
};

const RULES: &[&str] = &["skip", "once", "all"];

/// What can be done with schedules.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Set a schedule up, which creates a task each time it is due.
    Add(Box<AddArgs>),
    /// List the schedules with their next occurrences.
    List(Paging),
    /// Show a schedule with its newest tasks.
    Show {
        /// Which.
        #[arg(value_name = "J-n")]
        schedule: ScheduleId,
    },
    /// Change when a schedule is due, or what becomes of missed occurrences.
    Update(UpdateArgs),
    /// Create nothing until it is resumed; what comes meanwhile is not made up for.
    Pause(OfSchedule),
    /// Create tasks again, from now on.
    Resume(OfSchedule),
    /// End a schedule; its tasks stay.
    Rm(OfSchedule),
}

/// Which schedule, and why.
#[derive(Debug, Args)]
pub(crate) struct OfSchedule {
    /// The schedule, such as J-2.
    #[arg(value_name = "J-n")]
    schedule: ScheduleId,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
}

/// A new schedule.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The title of its tasks.
    title: String,
    /// When: minute, hour, day, month and weekday, such as "30 8 * * MON-FRI".
    #[arg(long, value_name = "CRON")]
    cron: String,
    /// The IANA zone of those, such as Europe/Berlin.
    #[arg(long)]
    zone: String,
    /// What becomes of occurrences that were missed.
    #[arg(long, value_name = "RULE", default_value = "once", value_parser = one_of::<CatchUp>(RULES))]
    catch_up: CatchUp,
    /// Create the next task also while the last one is open.
    #[arg(long)]
    even_if_open: bool,
    /// The type of its tasks.
    #[arg(long = "type", value_name = "TYPE")]
    task_type: String,
    /// Markdown: what is to be done, and what is accepted as done.
    #[arg(long, value_name = "TEXT", conflicts_with = "description_file")]
    description: Option<String>,
    /// Take the description from a file; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    description_file: Option<PathBuf>,
    /// 1 critical, 2 high, 3 normal, 4 low.
    #[arg(long, short, value_name = "1-4")]
    priority: Option<u8>,
    /// An agent that is to do them; repeat for more.
    #[arg(long = "assign", value_name = "AGENT")]
    assignees: Vec<AgentName>,
    /// An agent that is to judge them; repeat for more.
    #[arg(long = "reviewer", value_name = "AGENT")]
    reviewers: Vec<AgentName>,
    /// The task that each is a part of.
    #[arg(long, value_name = "T-n")]
    parent: Option<TaskId>,
    /// The project they belong to.
    #[arg(long)]
    project: Option<String>,
    /// A free label; repeat for more.
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// How long after its occurrence a task should be done, such as 8h.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    due_in: Option<i64>,
    /// What each may cost, in dollars.
    #[arg(long, value_name = "USD", value_parser = dollars)]
    budget: Option<MicroUsd>,
}

/// What changes.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// The schedule, such as J-2.
    #[arg(value_name = "J-n")]
    schedule: ScheduleId,
    /// The revision that was seen [default: the newest].
    #[arg(long)]
    rev: Option<i64>,
    /// When: minute, hour, day, month and weekday.
    #[arg(long, value_name = "CRON")]
    cron: Option<String>,
    /// The IANA zone of those.
    #[arg(long)]
    zone: Option<String>,
    /// What becomes of occurrences that were missed.
    #[arg(long, value_name = "RULE", value_parser = one_of::<CatchUp>(RULES))]
    catch_up: Option<CatchUp>,
    /// Whether nothing is created while the last task is open.
    #[arg(long, value_name = "BOOL")]
    skip_if_open: Option<bool>,
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Add(args) => add(*args, cx),
        Verb::List(paging) => {
            paging::list(cx, &paging, |limit, cursor| List { limit, cursor }, table)
        }
        Verb::Show { schedule } => cx.show(&Get { schedule }, |view, _| shown(view)),
        Verb::Update(args) => update(args, cx),
        Verb::Pause(OfSchedule { schedule, reason }) => cx.show(&Pause { schedule, reason }, line),
        Verb::Resume(OfSchedule { schedule, reason }) => {
            cx.show(&Resume { schedule, reason }, line)
        }
        Verb::Rm(OfSchedule { schedule, reason }) => cx.show(&Delete { schedule, reason }, line),
    }
}

fn add(args: AddArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let description = text_of(args.description, args.description_file.as_deref())?;
    let create = Create {
        cron: args.cron,
        zone: args.zone,
        catch_up: args.catch_up,
        skip_if_open: !args.even_if_open,
        task: TaskTemplate {
            title: args.title,
            description: description.unwrap_or_default(),
            task_type: args.task_type,
            priority: args.priority,
            assignees: args.assignees,
            reviewers: args.reviewers,
            parent: args.parent,
            project: args.project,
            labels: args.labels,
            due_in_s: args.due_in,
            budget_uusd: args.budget,
        },
    };
    cx.show(&create, line)
}

fn update(args: UpdateArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let schedule = args.schedule;
    let rev = match args.rev {
        Some(rev) => rev,
        None => cx.call(&Get { schedule })?.schedule.rev,
    };
    let UpdateArgs { cron, zone, catch_up, skip_if_open, .. } = args;
    let set = SchedulePatch { cron, zone, catch_up, skip_if_open, task: None };
    cx.show(&Update { schedule, rev, set }, line)
}

fn line(row: &TaskSchedule, _: Timestamp) -> String {
    let (cron, zone) = (text::line(&row.cron), text::line(&row.zone));
    let next = match (row.status, row.next_at) {
        (ScheduleStatus::Paused, _) => ", due again once it is resumed".to_owned(),
        (ScheduleStatus::Deleted, _) | (ScheduleStatus::Active, None) => String::new(),
        (ScheduleStatus::Active, Some(at)) => format!(", next {}", text::when(at)),
    };
    format!("{} is {}: {cron} in {zone}{next}\n", row.id, word(row.status))
}

fn table(views: &[View], _: Timestamp) -> String {
    let mut table =
        Table::new(&["SCHEDULE", "CRON", "ZONE", "CREATED", "LAST", "NEXT (UTC)", "TITLE"]);
    for View { schedule, next, .. } in views {
        // To the minute, without the zone that the head names: three of them fit.
        let short = |at: &Timestamp| text::when(*at).chars().take(16).collect::<String>();
        let times: Vec<String> = next.iter().map(short).collect();
        let next = match schedule.status {
            ScheduleStatus::Active => times.join(", "),
            ScheduleStatus::Paused | ScheduleStatus::Deleted => word(schedule.status),
        };
        table.row([
            cell(schedule.id),
            cell(&schedule.cron),
            cell(&schedule.zone),
            cell(schedule.created),
            maybe(schedule.last_task),
            cell(next),
            rest(&schedule.task.title),
        ]);
    }
    table.to_string()
}

fn shown(view: &View) -> String {
    let View { schedule, next, tasks } = view;
    let mut sheet = Sheet::default();
    sheet.line("schedule", format!("{}, {}", schedule.id, word(schedule.status)));
    sheet.line("when", format!("{} in {}", schedule.cron, schedule.zone));
    let times: Vec<String> = next.iter().map(|at| text::when(*at)).collect();
    sheet.list("next", &times);
    sheet.line("missed ones", word(schedule.catch_up));
    let while_open = if schedule.skip_if_open { "creates nothing" } else { "creates the next" };
    sheet.line("while one is open", while_open);
    let task = &schedule.task;
    sheet.line("title", &task.title).line("type", &task.task_type);
    sheet.maybe("priority", task.priority).maybe("project", task.project.as_ref());
    sheet.list("assignees", &task.assignees).list("labels", &task.labels);
    sheet.maybe("budget", task.budget_uusd);
    sheet.line("created", format!("{} tasks, {} left out", schedule.created, schedule.left_out));
    let made: Vec<String> =
        tasks.iter().map(|made| format!("{} of {}", made.task, text::when(made.due))).collect();
    sheet.list("tasks", &made);
    sheet.line("set up", format!("{} by {}", text::when(schedule.created_at), schedule.created_by));
    sheet.to_string()
}
