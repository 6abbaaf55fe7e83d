//! `mcctl approve` and `mcctl deny`: a decision is bound to what was read.

use std::io::{BufRead as _, IsTerminal as _};

use clap::Args;
use mc_core::{
    approval::{Approval, ApprovalStatus, RuleScope, confirmation_code},
    policy::Risk,
};
use mc_proto::method::approval::{self as wire, Get};

use crate::{
    approval::{evidence, receipt},
    cli::OfApproval,
    context::Context,
    failure::{Exit, Failure},
    output,
    words::{one_of, seconds},
};

/// A yes.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    of: OfApproval,
    /// A note for the record and the agent.
    #[arg(long)]
    note: Option<String>,
    /// Don't ask: for scripts that have read the evidence and name its digest.
    #[arg(long, requires = "digest")]
    yes: bool,
    /// The digest of the evidence that was read, in hex; another one is refused.
    #[arg(long, value_name = "HEX")]
    digest: Option<String>,
    #[command(flatten)]
    remember: Remember,
}

/// How an approval is remembered; never for red calls, shells, interpreters and wrappers.
#[derive(Debug, Args)]
pub(crate) struct Remember {
    /// Remember it as a standing rule for this task, this agent, or everywhere.
    #[arg(id = "remember", long, value_name = "WHOM",
          value_parser = one_of::<RuleScope>(&["task", "agent", "everywhere"]))]
    scope: Option<RuleScope>,
    /// How long the rule lasts, such as 30m, 8h or 7d.
    #[arg(long = "for", value_name = "TIME", value_parser = seconds, default_value = "8h",
          requires = "remember")]
    for_s: i64,
    /// How often it may be used [default: without limit].
    #[arg(long, requires = "remember")]
    uses: Option<i64>,
    /// How many first words of the command a later one must repeat [default: all, and no more].
    #[arg(long, value_name = "WORDS", requires = "remember")]
    prefix: Option<i64>,
}

impl Remember {
    fn wanted(&self) -> Option<wire::Remember> {
        let scope = self.scope?;
        let Self { for_s, uses, prefix, .. } = *self;
        Some(wire::Remember { scope, for_s, uses, prefix_words: prefix })
    }
}

/// A no.
#[derive(Debug, Args)]
pub(crate) struct Deny {
    #[command(flatten)]
    of: OfApproval,
    /// The reason that the agent gets.
    #[arg(long)]
    note: Option<String>,
    /// The digest of the evidence that was read, in hex; another one is refused.
    #[arg(long, value_name = "HEX")]
    digest: Option<String>,
}

/// Shows the evidence, asks, and says yes to exactly that.
///
/// # Errors
///
/// When it is no longer open, differs from the digest given, is not confirmed, or is refused.
pub(crate) fn approve(args: &Approve, cx: &mut Context) -> Result<Exit, Failure> {
    let detail = cx.call(&Get { approval: args.of.approval })?;
    let asked = &detail.approval;
    still_that(asked, args.digest.as_deref())?;
    if !args.yes {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Err(Failure::Usage(format!(
                "approving {0} needs a terminal, or --yes with --digest of what was read \
                 (`mcctl approval show {0} --json`)",
                asked.id
            )));
        }
        let now = cx.now()?;
        output::note(&evidence(&detail, now));
        confirm(asked, &cx.connection()?)?;
    }
    let approve = wire::Approve {
        approval: asked.id,
        rev: asked.rev,
        digest: asked.digest.clone(),
        note: args.note.clone(),
        remember: args.remember.wanted(),
    };
    cx.show(&approve, |done, _| receipt(done))
}

/// Says no.
///
/// # Errors
///
/// When it is no longer open, differs from the digest given, or is refused.
pub(crate) fn deny(args: Deny, cx: &mut Context) -> Result<Exit, Failure> {
    let asked = cx.call(&Get { approval: args.of.approval })?.approval;
    still_that(&asked, args.digest.as_deref())?;
    let deny = wire::Deny {
        approval: asked.id,
        rev: asked.rev,
        digest: asked.digest.clone(),
        note: args.note,
    };
    cx.show(&deny, |done, _| receipt(done))
}

/// Checks that `asked` waits, and is what the caller read.
pub(crate) fn still_that(asked: &Approval, digest: Option<&str>) -> Result<(), Failure> {
    if asked.status != ApprovalStatus::Pending {
        return Err(Failure::Failed(format!(
            "{} is {} already; nothing was decided",
            asked.id,
            asked.status.as_str()
        )));
    }
    match digest {
        Some(read) if !read.eq_ignore_ascii_case(&asked.digest) => Err(Failure::Failed(format!(
            "{} has digest {}, not the one given: read it again with `mcctl approval show {0}`",
            asked.id, asked.digest
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Returns what has to be typed on this connection to say yes.
fn wanted(asked: &Approval, connection: &str) -> String {
    match asked.risk {
        Risk::Green | Risk::Yellow => "y".to_owned(),
        Risk::Red => confirmation_code(&asked.digest, connection),
    }
}

/// Returns the question, which repeats what the evidence above may have scrolled off.
fn question(asked: &Approval, wanted: &str) -> String {
    let risk = crate::words::word(asked.risk).to_uppercase();
    let cost = asked.estimated_cost_uusd.map(|cost| format!(", {cost} estimated"));
    let raised = asked
        .raised()
        .map(|raised| format!("\n{raised}, because {}", crate::text::line(&asked.reason)));
    format!(
        "\n{}  {risk}  {}{}{}\nApprove it? Type {}, Enter. Anything else: no.",
        asked.id,
        crate::text::line(&asked.summary),
        cost.unwrap_or_default(),
        raised.unwrap_or_default(),
        wanted
    )
}

fn confirm(asked: &Approval, connection: &str) -> Result<(), Failure> {
    let wanted = wanted(asked, connection);
    output::note(&question(asked, &wanted));
    let mut typed = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut typed)
        .map_err(|error| Failure::Failed(format!("can't read the answer: {error}")))?;
    if typed.trim().eq_ignore_ascii_case(&wanted) {
        return Ok(());
    }
    Err(Failure::Failed(format!("not confirmed: {} still waits", asked.id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::tests::pending;

    #[test]
    fn red_wants_the_code_of_what_was_read_on_this_connection() {
        assert_eq!(wanted(&pending("yellow", "ls").approval, "c0ffee"), "y");
        let red = pending("red", "ls").approval;
        assert_eq!(wanted(&red, "c0ffee"), confirmation_code("00ff00ff", "c0ffee"));
    }

    #[test]
    fn the_question_repeats_act_risk_and_amount() {
        let mut asked = pending("red", "ls").approval;
        asked.summary = "raise the budget of T-1 to $1.35".into();
        asked.estimated_cost_uusd = Some(mc_core::money::MicroUsd::cents(25));
        assert_eq!(
            question(&asked, "ff00ff"),
            "\nA-3  RED  raise the budget of T-1 to $1.35, $0.25 estimated\nApprove it? Type \
             ff00ff, Enter. Anything else: no."
        );
    }

    #[test]
    fn the_question_about_a_cap_says_from_what_to_what_and_why() {
        let mut asked = pending("yellow", "ls").approval;
        asked.kind = mc_core::approval::ApprovalKind::BudgetOverride;
        asked.summary = "raise the budget of T-1 to $1.35".into();
        asked.reason = "T-1 has spent $1.02 of $1.00".into();
        asked.statement.arguments = serde_json::json!({
            "cap_uusd": 1_000_000, "spent_uusd": 1_020_000, "raise": {"to": {"uusd": 1_350_000}},
        });
        assert_eq!(
            question(&asked, "y"),
            "\nA-3  YELLOW  raise the budget of T-1 to $1.35\n$1.00 → $1.35 ($1.02 counts as \
             spent), because T-1 has spent $1.02 of $1.00\nApprove it? Type y, Enter. Anything \
             else: no."
        );
    }

    #[test]
    fn another_digest_or_a_closed_question_is_refused() {
        let mut asked = pending("red", "ls").approval;
        assert!(still_that(&asked, None).is_ok());
        assert!(still_that(&asked, Some("00FF00FF")).is_ok());
        assert!(still_that(&asked, Some("00ff00fe")).is_err());
        asked.status = ApprovalStatus::Expired;
        assert!(still_that(&asked, None).is_err());
    }
}
