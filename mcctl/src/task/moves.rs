//! The moves of a task, each by its name, and the general door.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mc_core::{
    agent::AgentName,
    task::{CheckedItem, TaskState},
};
use mc_proto::method::{
    Method,
    task::{
        Assign, Block, Cancel, Claim, Complete, Moved, Reopen, ReportBlocker, RequestChanges,
        Start, Submit, Transition, Unblock,
    },
};

use super::{OfTask, some, text_of, view};
use crate::{
    context::Context,
    failure::{Exit, Failure},
};

/// The moves.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Take a task; the fence goes with the later moves.
    Claim(OfTask),
    /// Give a task to agents; replaces all assignees.
    Assign(AssignArgs),
    /// Begin work, with a plan of 3 to 6 steps.
    Start(StartArgs),
    /// Hand the deliverable in for review.
    Submit(Box<SubmitArgs>),
    /// Send a task back from Review.
    RequestChanges(FeedbackArgs),
    /// Accept a reviewed task: Done.
    Complete(NoteArgs),
    /// Block a task.
    Block(ReasonArgs),
    /// Unblock a task.
    Unblock(UnblockArgs),
    /// Give a task up.
    Cancel(ReasonArgs),
    /// Open a done task again.
    Reopen(ReasonArgs),
    /// Say that you are stuck; the system then blocks the task.
    ReportBlocker(BlockerArgs),
    /// The general door: move a task to a state.
    Move(Box<MoveArgs>),
}

/// Who is to do it.
#[derive(Debug, Args)]
pub(crate) struct AssignArgs {
    #[command(flatten)]
    of: OfTask,
    /// The agents.
    #[arg(required = true, value_name = "AGENT")]
    agents: Vec<AgentName>,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
}

/// How it is to be done.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    of: OfTask,
    /// A step of the work; give 3 to 6.
    #[arg(long = "plan", value_name = "STEP", required = true)]
    plan: Vec<String>,
    /// The fence of the claim.
    #[arg(long)]
    fence: Option<i64>,
}

/// What was made, and how it was checked.
#[derive(Debug, Args)]
pub(crate) struct Handover {
    /// What was made: text, or names of artifacts.
    #[arg(long, value_name = "TEXT", conflicts_with = "deliverable_file")]
    deliverable: Option<String>,
    /// Take the deliverable from a file; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    deliverable_file: Option<PathBuf>,
    /// An item of the review checklist that holds, `ITEM` or `ITEM=how it was seen`; repeat.
    #[arg(long, value_name = "ITEM[=NOTE]")]
    checked: Vec<String>,
    /// An item of the review checklist that need not hold, with the reason; repeat.
    #[arg(long, value_name = "ITEM=REASON")]
    waived: Vec<String>,
    /// Something that proves what the deliverable claims; repeat.
    #[arg(long, value_name = "TEXT")]
    evidence: Vec<String>,
    /// The fence of the claim.
    #[arg(long)]
    fence: Option<i64>,
}

/// What is handed in.
#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    of: OfTask,
    #[command(flatten)]
    handover: Handover,
}

/// What to change.
#[derive(Debug, Args)]
pub(crate) struct FeedbackArgs {
    #[command(flatten)]
    of: OfTask,
    /// What to change.
    #[arg(long)]
    feedback: String,
}

/// The decision.
#[derive(Debug, Args)]
pub(crate) struct NoteArgs {
    #[command(flatten)]
    of: OfTask,
    /// The decision note.
    #[arg(long)]
    note: String,
}

/// Why.
#[derive(Debug, Args)]
pub(crate) struct ReasonArgs {
    #[command(flatten)]
    of: OfTask,
    /// Why; goes into the record.
    #[arg(long)]
    reason: String,
}

/// What changed.
#[derive(Debug, Args)]
pub(crate) struct UnblockArgs {
    #[command(flatten)]
    of: OfTask,
    /// What changed, so that it can go on.
    #[arg(long)]
    note: String,
    /// Where it is to go [default: where it was blocked from].
    #[arg(long, value_name = "STATE")]
    to: Option<TaskState>,
}

/// What stands in the way.
#[derive(Debug, Args)]
pub(crate) struct BlockerArgs {
    #[command(flatten)]
    of: OfTask,
    /// What stands in the way.
    #[arg(long)]
    reason: String,
    /// What was tried.
    #[arg(long)]
    tried: Option<String>,
    /// What is needed.
    #[arg(long)]
    needs: Option<String>,
    /// The fence of the claim.
    #[arg(long)]
    fence: Option<i64>,
}

/// A move with all that a move can carry.
#[derive(Debug, Args)]
pub(crate) struct MoveArgs {
    #[command(flatten)]
    of: OfTask,
    /// inbox, assigned, `in_progress`, review, `needs_approval`, blocked, done or canceled.
    #[arg(value_name = "STATE")]
    to: TaskState,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    /// A step of the work; give 3 to 6.
    #[arg(long = "plan", value_name = "STEP")]
    plan: Vec<String>,
    #[command(flatten)]
    handover: Handover,
    /// What to change.
    #[arg(long)]
    feedback: Option<String>,
    /// The decision note, or what changed.
    #[arg(long)]
    note: Option<String>,
    /// Who is to do it from now on; repeat for more.
    #[arg(long = "assign", value_name = "AGENT")]
    assignees: Vec<AgentName>,
}

/// Carries a move out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Claim(OfTask { task }) => made(&Claim { task }, cx),
        Verb::Assign(a) => {
            made(&Assign { task: a.of.task, assignees: a.agents, reason: a.reason }, cx)
        }
        Verb::Start(a) => made(&Start { task: a.of.task, fence: a.fence, work_plan: a.plan }, cx),
        Verb::Submit(a) => made(&submit(*a)?, cx),
        Verb::RequestChanges(a) => {
            made(&RequestChanges { task: a.of.task, feedback: a.feedback }, cx)
        }
        Verb::Complete(a) => made(&Complete { task: a.of.task, note: a.note }, cx),
        Verb::Block(a) => made(&Block { task: a.of.task, reason: a.reason }, cx),
        Verb::Unblock(a) => made(&Unblock { task: a.of.task, note: a.note, to: a.to }, cx),
        Verb::Cancel(a) => made(&Cancel { task: a.of.task, reason: a.reason }, cx),
        Verb::Reopen(a) => made(&Reopen { task: a.of.task, reason: a.reason }, cx),
        Verb::ReportBlocker(a) => made(&report_blocker(a), cx),
        Verb::Move(a) => made(&transition(*a)?, cx),
    }
}

fn made<M: Method<Result = Moved>>(call: &M, cx: &mut Context) -> Result<Exit, Failure> {
    cx.show(call, |moved, _| view::moved(moved))
}

fn submit(args: SubmitArgs) -> Result<Submit, Failure> {
    let h = args.handover;
    Ok(Submit {
        task: args.of.task,
        fence: h.fence,
        deliverable: text_of(h.deliverable, h.deliverable_file.as_deref())?,
        self_review: some(checklist(&h.checked, &h.waived)?),
        evidence: some(h.evidence),
    })
}

fn report_blocker(args: BlockerArgs) -> ReportBlocker {
    ReportBlocker {
        task: args.of.task,
        fence: args.fence,
        reason: args.reason,
        tried: args.tried,
        needs: args.needs,
    }
}

fn transition(args: MoveArgs) -> Result<Transition, Failure> {
    let h = args.handover;
    Ok(Transition {
        task: args.of.task,
        to: args.to,
        fence: h.fence,
        reason: args.reason,
        work_plan: some(args.plan),
        deliverable: text_of(h.deliverable, h.deliverable_file.as_deref())?,
        self_review: some(checklist(&h.checked, &h.waived)?),
        evidence: some(h.evidence),
        feedback: args.feedback,
        note: args.note,
        assignees: some(args.assignees),
    })
}

/// Reads `ITEM`, `ITEM=NOTE` (checked) and `ITEM=REASON` (waived) into checklist items.
fn checklist(checked: &[String], waived: &[String]) -> Result<Vec<CheckedItem>, Failure> {
    let mut items: Vec<CheckedItem> = checked
        .iter()
        .map(|text| match text.split_once('=') {
            Some((item, note)) => item_of(item, true, Some(note)),
            None => item_of(text, true, None),
        })
        .collect();
    for text in waived {
        let (item, reason) =
            text.split_once('=').filter(|(_, why)| !why.trim().is_empty()).ok_or_else(|| {
                Failure::Usage(format!("--waived `{text}` needs a reason: write ITEM=REASON"))
            })?;
        items.push(item_of(item, false, Some(reason)));
    }
    Ok(items)
}

fn item_of(item: &str, checked: bool, note: Option<&str>) -> CheckedItem {
    CheckedItem {
        item: item.trim().to_owned(),
        checked,
        note: note.map(|note| note.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_checklist_says_what_holds_and_what_need_not() {
        let items = checklist(
            &strings(&["builds", "tests pass=cargo test"]),
            &strings(&["docs updated=none"]),
        )
        .unwrap();
        assert_eq!(items[0], item_of("builds", true, None));
        assert_eq!(items[1], item_of("tests pass", true, Some("cargo test")));
        assert_eq!(items[2], item_of("docs updated", false, Some("none")));
    }

    #[test]
    fn a_waived_item_needs_its_reason() {
        for text in ["docs updated", "docs updated=", "docs updated= "] {
            assert!(checklist(&[], &strings(&[text])).is_err(), "{text}");
        }
    }
}
