//! `mcctl policy replay`: what a candidate would have changed.

use std::path::PathBuf;

use clap::Args;
use mc_core::time::{Span, Timestamp};
use mc_proto::method::replay::{PolicyReplay, Replayed, Side};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    table::{Table, cell},
    task::text_of,
    text,
    words::word,
};

/// Which calls are judged again, by what.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The candidate; `-` is standard input.
    file: PathBuf,
    /// Only calls from then on: a point in time, or how long ago, such as 24h.
    #[arg(long, value_name = "TIME", default_value = "24h")]
    since: String,
    /// Only calls before, written like `--since` [default: now].
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// How many of the newest calls are looked at [default: 100000].
    #[arg(long, value_name = "N")]
    limit: Option<i64>,
}

/// Replays, and prints what would change.
///
/// # Errors
///
/// Why it was not done.
pub(crate) fn run(args: &ReplayArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let toml = text_of(None, Some(&args.file))?.unwrap_or_default();
    let now = cx.now()?;
    let since = Some(moment("--since", &args.since, now)?);
    let until = args.until.as_deref().map(|text| moment("--until", text, now)).transpose()?;
    cx.show(&PolicyReplay { toml, since, until, limit: args.limit }, |found, _| view(found))
}

/// Reads a point in time, or how long before `now` it was.
fn moment(option: &str, text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(span) = text.parse::<Span>() {
        let ago = i64::try_from(span.duration().as_millis()).unwrap_or(i64::MAX);
        return Ok(Timestamp(now.0.saturating_sub(ago)));
    }
    text.parse().map_err(|_| {
        let how = "write a span such as 24h, or a time such as 2026-11-01T08:00:00Z";
        Failure::Usage(format!("{option} `{text}`: {how}"))
    })
}

fn view(found: &Replayed) -> String {
    let mut out = String::new();
    let Replayed { replayed, unchanged, changed, .. } = found;
    put!(out, "{replayed} calls judged again: {changed} would change, {unchanged} would not\n");
    for left in &found.left_out {
        put!(out, "not judged again: {} ({})\n", left.count, text::line(&left.why));
    }
    if !found.groups.is_empty() {
        out.push_str(&table(found).to_string());
    }
    if found.has_more {
        out.push_str("there is more: take a shorter time, or a higher --limit\n");
    }
    out
}

fn table(found: &Replayed) -> Table {
    let mut table = Table::new(&["CALLS", "TOOL", "FROM", "TO", "SUCH AS"]);
    for group in &found.groups {
        let such = group.examples.first().map_or_else(String::new, |example| {
            format!("{} {} {}", example.call, example.agent, example.preview)
        });
        table.row([
            cell(group.count),
            cell(text::line(&group.tool)),
            cell(side(&group.from)),
            cell(side(&group.to)),
            cell(text::cut(&text::line(&such), 60)),
        ]);
    }
    table
}

fn side(side: &Side) -> String {
    format!("{} {} {}", word(side.outcome), word(side.risk), text::line(&side.rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_span_ago() {
        let now = Timestamp(100_000_000);
        assert_eq!(moment("--since", "24h", now).unwrap(), Timestamp(13_600_000));
        assert_eq!(moment("--since", "1970-01-01T00:00:01Z", now).unwrap(), Timestamp(1000));
        assert!(moment("--since", "yesterday", now).is_err());
    }
}
