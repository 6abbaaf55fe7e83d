//! `mcctl task`: what can be asked about tasks, and how they come to be and change.

pub(crate) mod fields;
mod moves;
mod view;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mc_core::{
    id::{MessageId, Seq, TaskId},
    message::MessageKind,
    schedule::TaskTemplate,
    time::Due,
};
use mc_proto::method::{
    task::{AnswersGet, Create, Get, List, Subscribe, Timeline, Transitions, Unsubscribe, Update},
    thread::Post,
};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    message,
    paging::{self, Paging},
    words::one_of,
};
use fields::{Draft, Fields};

/// What can be done with tasks.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create a task.
    Create(CreateArgs),
    /// List tasks.
    List(ListArgs),
    /// Show a task with what belongs to it.
    Show(OfTask),
    /// Change fields of a task.
    Update(UpdateArgs),
    /// What happened, who did it, why, what it cost, what comes next.
    Answers(OfTask),
    /// Everything that happened to a task, in order.
    Timeline(TimelineArgs),
    /// The table of moves.
    Transitions,
    /// Follow a task.
    Subscribe(OfTask),
    /// No longer follow a task.
    Unsubscribe(OfTask),
    /// Say something in the thread of a task.
    Comment(CommentArgs),
    /// The moves, each by its name.
    #[command(flatten)]
    Move(moves::Verb),
}

/// Which task.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OfTask {
    /// The task, such as T-142.
    #[arg(value_name = "T-n")]
    pub(crate) task: TaskId,
}

/// A new task.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// One line.
    title: String,
    /// Its type: content, social, `email_marketing`, `customer_research`, `seo_research`,
    /// engineering, docs, ops, or another that is configured.
    #[arg(long = "type", value_name = "TYPE")]
    task_type: String,
    #[command(flatten)]
    draft: Draft,
    /// A task that must be closed first; repeat for more.
    #[arg(long, value_name = "T-n")]
    depends_on: Vec<TaskId>,
    /// When it should be done: 2026-12-24T18:00:00Z, or 2026-12-24, to the end of that day where the
    /// squad is.
    #[arg(long, value_name = "TIME")]
    due: Option<Due>,
}

/// Which tasks.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// A filter, such as `is:blocked -agent:heron cost>2`.
    #[arg(value_name = "FILTER", allow_hyphen_values = true)]
    filter: Vec<String>,
    /// id, updated, prio, cost or due; with `-` in front descending.
    #[arg(long, allow_hyphen_values = true)]
    sort: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// What changes.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    of: OfTask,
    /// The revision that was seen [default: the newest].
    #[arg(long)]
    rev: Option<i64>,
    /// One line.
    #[arg(long)]
    title: Option<String>,
    #[command(flatten)]
    fields: Fields,
    /// A task that must be closed first; replaces all, repeat for more.
    #[arg(long, value_name = "T-n")]
    depends_on: Vec<TaskId>,
    /// When it should be done: 2026-12-24T18:00:00Z, or 2026-12-24, to the end of that day where the
    /// squad is.
    #[arg(long, value_name = "TIME")]
    due: Option<Due>,
}

/// Which part of a timeline.
#[derive(Debug, Args)]
pub(crate) struct TimelineArgs {
    #[command(flatten)]
    of: OfTask,
    /// Only what came after this event.
    #[arg(long, value_name = "SEQ")]
    since: Option<Seq>,
    /// Only events of this kind, such as `task_moved`; repeat for more.
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    #[command(flatten)]
    paging: Paging,
}

/// A message to a thread.
#[derive(Debug, Args)]
pub(crate) struct CommentArgs {
    #[command(flatten)]
    of: OfTask,
    /// Markdown; `@name` mentions.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    text: Option<String>,
    /// Take the text from a file; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What it is.
    #[arg(long, default_value = "comment", value_parser = one_of::<MessageKind>(message::KINDS))]
    kind: MessageKind,
    /// The message that it answers.
    #[arg(long, value_name = "M-n")]
    reply_to: Option<MessageId>,
    /// A name to mention beside those in the text; repeat for more.
    #[arg(long = "mention", value_name = "NAME")]
    mentions: Vec<String>,
    /// The name of an artifact of the task; repeat for more.
    #[arg(long = "artifact", value_name = "NAME")]
    artifacts: Vec<String>,
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Create(args) => create(args, cx),
        Verb::List(args) => list(&args, cx),
        Verb::Show(OfTask { task }) => cx.show(&Get { task }, view::detail),
        Verb::Update(args) => update(args, cx),
        Verb::Answers(OfTask { task }) => {
            cx.show(&AnswersGet { task }, |answers, _| view::answers(answers))
        }
        Verb::Timeline(args) => timeline(&args, cx),
        Verb::Transitions => cx.show(&Transitions {}, |table, _| view::transitions(table)),
        Verb::Subscribe(OfTask { task }) => cx.show(&Subscribe { task }, view::task),
        Verb::Unsubscribe(OfTask { task }) => cx.show(&Unsubscribe { task }, view::task),
        Verb::Comment(args) => comment(args, cx),
        Verb::Move(verb) => moves::run(verb, cx),
    }
}

fn create(args: CreateArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let CreateArgs { title, task_type, draft, depends_on, due } = args;
    let task = draft.put_on(TaskTemplate { title, task_type, ..TaskTemplate::default() })?;
    let create = Create { depends_on, due_at: due, ..Create::from(task) };
    cx.show(&create, view::task)
}

fn list(args: &ListArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let filter = (!args.filter.is_empty()).then(|| args.filter.join(" "));
    let sort = args.sort.clone();
    let ask = |limit, cursor| List { filter: filter.clone(), sort: sort.clone(), limit, cursor };
    paging::list(cx, &args.paging, ask, view::cards)
}

fn update(args: UpdateArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let task = args.of.task;
    let rev = match args.rev {
        Some(rev) => rev,
        None => cx.call(&Get { task })?.task.rev,
    };
    let mut fields = args.fields;
    let update = Update {
        task,
        rev,
        title: args.title,
        description: fields.description()?,
        priority: fields.priority,
        reviewers: some(fields.reviewers),
        depends_on: some(args.depends_on),
        project: fields.project,
        labels: some(fields.labels),
        due_at: args.due,
        budget_uusd: fields.budget,
    };
    if update == (Update { task, rev, ..Update::default() }) {
        return Err(Failure::Usage("nothing to change: give at least one field".to_owned()));
    }
    cx.show(&update, view::task)
}

fn timeline(args: &TimelineArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let ask = |limit, cursor| Timeline {
        task: args.of.task,
        since: args.since,
        kinds: args.kinds.clone(),
        limit,
        cursor,
    };
    paging::list(cx, &args.paging, ask, |items, _| view::timeline(items))
}

fn comment(args: CommentArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let post = Post {
        task: args.of.task,
        kind: args.kind,
        text: text_of(args.text, args.file.as_deref())?.unwrap_or_default(),
        mentions: args.mentions,
        reply_to: args.reply_to,
        artifacts: args.artifacts,
    };
    cx.show(&post, |message, now| message::view(std::slice::from_ref(message), now))
}

/// Returns a list, if it has items: the command line knows no empty replacement.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// Returns the text that was given, or that is in `file`; `-` is standard input.
///
/// # Errors
///
/// When the file can't be read or is no text.
pub(crate) fn text_of(
    text: Option<String>,
    file: Option<&Path>,
) -> Result<Option<String>, Failure> {
    let Some(path) = file else { return Ok(text) };
    let read = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    read.map(Some).map_err(|error| Failure::file("read", path, &error))
}
