//! `mcctl rule`: standing rules, which answer in a person's place.

use clap::Subcommand;
use mc_core::{
    approval::{Covers, StandingRule},
    id::RuleId,
    time::Timestamp,
};
use mc_proto::method::approval::{RuleList, RuleRevoke};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    paging::{self, Paging},
    table::{Table, cell, rest},
    text,
    words::word,
};

/// What can be done with standing rules.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the standing rules that were not revoked.
    List {
        /// Also those that were.
        #[arg(long)]
        revoked: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// End a standing rule at once.
    Revoke {
        /// Which.
        #[arg(value_name = "S-n")]
        rule: RuleId,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::List { revoked, paging } => {
            let ask = |limit, cursor| RuleList { all: revoked, limit, cursor };
            paging::list(cx, &paging, ask, table)
        }
        Verb::Revoke { rule, reason } => {
            cx.show(&RuleRevoke { rule, reason }, |rule, _| format!("{} is revoked\n", rule.id))
        }
    }
}

fn table(rules: &[StandingRule], now: Timestamp) -> String {
    let mut table = Table::new(&["RULE", "FOR", "ENDS", "USED", "BY", "LETS PASS"]);
    for rule in rules {
        let whom = format!("{} ({})", rule.agent, word(rule.scope));
        let ends = match rule.revoked_at {
            Some(_) => "revoked".to_owned(),
            None if now >= rule.expires_at => "over".to_owned(),
            None => rule.expires_at.to_string(),
        };
        let left = rule.uses_left.map_or(String::new(), |left| format!(", {left} left"));
        let covers = match &rule.covers {
            Covers::Command { prefix } => format!("{} ...", prefix.join(" ")),
            Covers::Arguments { .. } => rule.summary.clone(),
        };
        table.row([
            cell(rule.id),
            cell(whom),
            cell(ends),
            cell(format!("{}{left}", rule.used)),
            cell(&rule.by),
            rest(text::line(&covers)),
        ]);
    }
    table.to_string()
}
