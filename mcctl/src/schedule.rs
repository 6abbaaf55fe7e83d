//! `mcctl schedule`: what creates tasks again and again.

use clap::{Args, Subcommand, ValueEnum};
use mc_core::{
    id::ScheduleId,
    schedule::{CatchUp, SchedulePatch, ScheduleStatus, TaskSchedule, TaskTemplate},
    time::Timestamp,
};
use mc_proto::method::schedule::{Create, Delete, Get, List, Pause, Resume, Update, View};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    paging::{self, Paging},
    table::{Sheet, Table, cell, maybe, rest},
    task::fields::Draft,
    text,
    words::{one_of, seconds, word},
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
    /// Change when a schedule is due, what becomes of missed occurrences, or the tasks to come.
    Update(Box<UpdateArgs>),
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
    /// The IANA zone of those, such as Europe/Berlin [default: the squad's].
    #[arg(long)]
    zone: Option<String>,
    /// What becomes of occurrences that were missed.
    #[arg(long, value_name = "RULE", default_value = "once", value_parser = one_of::<CatchUp>(RULES))]
    catch_up: CatchUp,
    /// Create the next task also while the last one is open.
    #[arg(long)]
    even_if_open: bool,
    /// The type of its tasks.
    #[arg(long = "type", value_name = "TYPE")]
    task_type: String,
    #[command(flatten)]
    draft: Draft,
    /// How long after its occurrence a task should be done, such as 8h.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    due_in: Option<i64>,
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
    /// Create the next task also while the last one is open; `=false` takes it back.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    even_if_open: Option<bool>,
    /// The title of the tasks that it creates from now on.
    #[arg(long)]
    title: Option<String>,
    /// Their type.
    #[arg(long = "type", value_name = "TYPE")]
    task_type: Option<String>,
    #[command(flatten)]
    draft: Draft,
    /// How long after its occurrence a task should be done, such as 8h.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    due_in: Option<i64>,
    /// A flag of the task that is no longer set, such as `assign`; repeat for more.
    #[arg(long, value_name = "FLAG")]
    clear: Vec<Cleared>,
}

/// A flag of a task that can be without a value.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Cleared {
    Description,
    Priority,
    Assign,
    Reviewer,
    Parent,
    Project,
    Label,
    DueIn,
    Budget,
}

impl Cleared {
    fn take_from(self, task: &mut TaskTemplate) {
        match self {
            Self::Description => task.description.clear(),
            Self::Priority => task.priority = None,
            Self::Assign => task.assignees.clear(),
            Self::Reviewer => task.reviewers.clear(),
            Self::Parent => task.parent = None,
            Self::Project => task.project = None,
            Self::Label => task.labels.clear(),
            Self::DueIn => task.due_in_s = None,
            Self::Budget => task.budget_uusd = None,
        }
    }
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
        Verb::Update(args) => update(*args, cx),
        Verb::Pause(OfSchedule { schedule, reason }) => cx.show(&Pause { schedule, reason }, line),
        Verb::Resume(OfSchedule { schedule, reason }) => {
            cx.show(&Resume { schedule, reason }, line)
        }
        Verb::Rm(OfSchedule { schedule, reason }) => cx.show(&Delete { schedule, reason }, line),
    }
}

fn add(args: AddArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let AddArgs { title, cron, zone, catch_up, even_if_open, task_type, draft, due_in } = args;
    let task = TaskTemplate { title, task_type, due_in_s: due_in, ..TaskTemplate::default() };
    let task = draft.put_on(task)?;
    cx.show(&Create { cron, zone, catch_up, skip_if_open: !even_if_open, task }, line)
}

fn update(args: UpdateArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let schedule = args.schedule;
    let now = cx.call(&Get { schedule })?.schedule;
    let rev = args.rev.unwrap_or(now.rev);
    let set = patch(args, &now.task)?;
    if set == SchedulePatch::default() {
        let text = "nothing to change: give at least one field that is not so already";
        return Err(Failure::Usage(text.to_owned()));
    }
    cx.show(&Update { schedule, rev, set }, line)
}

/// Returns what changes of a schedule that creates `task`. The wire takes a task as a whole, so
/// what was not given is sent as it is.
fn patch(args: UpdateArgs, task: &TaskTemplate) -> Result<SchedulePatch, Failure> {
    let UpdateArgs { cron, zone, catch_up, even_if_open, title, task_type, .. } = args;
    let mut new = task.clone();
    for flag in args.clear {
        flag.take_from(&mut new);
    }
    new.title = title.unwrap_or(new.title);
    new.task_type = task_type.unwrap_or(new.task_type);
    new.due_in_s = args.due_in.or(new.due_in_s);
    let new = args.draft.put_on(new)?;
    let task = (new != *task).then_some(new);
    let skip_if_open = even_if_open.map(|is_so| !is_so);
    Ok(SchedulePatch { cron, zone, catch_up, skip_if_open, task })
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
    sheet.maybe("part of", task.parent);
    sheet.list("assignees", &task.assignees).list("reviewers", &task.reviewers);
    sheet.list("labels", &task.labels).maybe("budget", task.budget_uusd);
    sheet.maybe("due in", task.due_in_s.map(|seconds| format!("{seconds} s")));
    sheet.line("created", format!("{} tasks, {} left out", schedule.created, schedule.left_out));
    let made: Vec<String> =
        tasks.iter().map(|made| format!("{} of {}", made.task, text::when(made.due))).collect();
    sheet.list("tasks", &made);
    sheet.line("set up", format!("{} by {}", text::when(schedule.created_at), schedule.created_by));
    sheet.to_string()
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use mc_core::{id::TaskId, money::MicroUsd};

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        args: UpdateArgs,
    }

    fn changed(flags: &[&str]) -> SchedulePatch {
        let words = ["update", "J-1"].iter().chain(flags);
        patch(Flags::try_parse_from(words).unwrap().args, &mail()).unwrap()
    }

    fn mail() -> TaskTemplate {
        TaskTemplate {
            title: "Read the mail".to_owned(),
            description: "all of it".to_owned(),
            task_type: "ops".to_owned(),
            priority: Some(2),
            assignees: vec!["wren".parse().unwrap()],
            reviewers: vec!["heron".parse().unwrap()],
            parent: Some(TaskId(7)),
            project: Some("mail".to_owned()),
            labels: vec!["daily".to_owned()],
            due_in_s: Some(3600),
            budget_uusd: Some(MicroUsd::cents(50)),
        }
    }

    #[test]
    fn what_is_not_given_of_a_task_stays() {
        let set = changed(&["--title", "Read it", "--assign", "heron", "--due-in", "2h"]);
        let task = TaskTemplate {
            title: "Read it".to_owned(),
            assignees: vec!["heron".parse().unwrap()],
            due_in_s: Some(7200),
            ..mail()
        };
        assert_eq!(set, SchedulePatch { task: Some(task), ..SchedulePatch::default() });
    }

    #[test]
    fn what_changes_nothing_of_a_task_leaves_it_out() {
        assert_eq!(changed(&["--title", "Read the mail"]), SchedulePatch::default());
        let set = changed(&["--cron", "@daily", "--priority", "2"]);
        assert_eq!((set.cron.as_deref(), set.task), (Some("@daily"), None));
    }

    #[test]
    fn more_than_one_open_task_is_allowed_and_forbidden_by_the_flag_of_add() {
        assert_eq!(changed(&["--even-if-open"]).skip_if_open, Some(false));
        assert_eq!(changed(&["--even-if-open=false"]).skip_if_open, Some(true));
        assert_eq!(changed(&["--cron", "@daily"]).skip_if_open, None);
    }

    #[test]
    fn each_flag_that_may_be_without_a_value_is_cleared_and_a_new_value_counts() {
        let all = Cleared::value_variants().iter().filter_map(Cleared::to_possible_value);
        let all: Vec<String> = all.map(|one| format!("--clear={}", one.get_name())).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let bare = TaskTemplate {
            title: "Read the mail".to_owned(),
            task_type: "ops".to_owned(),
            ..TaskTemplate::default()
        };
        assert_eq!(changed(&all).task, Some(bare));
        let task = changed(&["--clear", "label", "--label", "weekly"]).task.unwrap();
        assert_eq!(task.labels, ["weekly"]);
    }
}
