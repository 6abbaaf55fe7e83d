//! `mcctl notify`: where notices to people go, how the sinks are, and what waits for them.

use clap::{Args, Subcommand};
use mc_core::{
    delivery::{Delivery, DeliveryStatus},
    time::Timestamp,
};
use mc_proto::method::delivery::{Get, Health, List, Retry, StatusGet, Test};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    paging::{self, Paging},
    table::{Cell, Table, Tone, cell, maybe, rest},
    text,
    words::{one_of, word},
};

/// How often a test is looked at before it counts as under way.
const LOOKS: u32 = 60;
/// The pause between two looks.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// What can be done with what leaves.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List what was sent and what waits, newest first.
    List {
        /// Only to this sink.
        #[arg(long, value_name = "SINK")]
        sink: Option<String>,
        /// Only with this status.
        #[arg(long, value_parser = one_of::<DeliveryStatus>(
            &["waiting", "delivered", "refused", "expired", "dropped"]))]
        status: Option<DeliveryStatus>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show how each sink is: last success, failures in a row, what waits.
    Status,
    /// Send a test to a sink and wait for what becomes of it.
    Test(OfSink),
    /// Have what waits tried again now.
    Retry {
        /// Only for this sink.
        #[arg(value_name = "SINK")]
        sink: Option<String>,
    },
}

/// Which sink.
#[derive(Debug, Args)]
pub(crate) struct OfSink {
    /// The sink's name in notify.toml.
    #[arg(value_name = "SINK")]
    sink: String,
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::List { sink, status, paging } => {
            let ask = |limit, cursor| List { sink: sink.clone(), status, limit, cursor };
            paging::list(cx, &paging, ask, rows)
        }
        Verb::Status => cx.show(&StatusGet {}, health),
        Verb::Test(of) => test(of.sink, cx),
        Verb::Retry { sink } => cx.show(&Retry { sink }, health),
    }
}

/// Waits until the test was tried once; exit code 1 when the sink did not take it.
fn test(sink: String, cx: &mut Context) -> Result<Exit, Failure> {
    let mut delivery = cx.call(&Test { sink })?;
    let id = delivery.id;
    for _ in 0..LOOKS {
        if delivery.status != DeliveryStatus::Waiting || delivery.failures > 0 {
            break;
        }
        std::thread::sleep(LOOK);
        delivery = cx.call(&Get { delivery: id })?;
    }
    let now = cx.now()?;
    cx.print(&delivery, |one| rows(std::slice::from_ref(one), now))?;
    if delivery.status == DeliveryStatus::Delivered {
        return Ok(Exit::Done);
    }
    let text = match &delivery.last_error {
        Some(error) => format!("{} did not take the test: {error}", delivery.sink),
        None => format!(
            "nothing was sent to {}: is `mcd notify` running? See docs/NOTIFICATIONS.md",
            delivery.sink
        ),
    };
    Err(Failure::Failed(text))
}

const fn tone(status: DeliveryStatus) -> Tone {
    match status {
        DeliveryStatus::Waiting => Tone::Plain,
        DeliveryStatus::Delivered => Tone::Good,
        DeliveryStatus::Refused | DeliveryStatus::Expired | DeliveryStatus::Dropped => Tone::Bad,
    }
}

fn rows(deliveries: &[Delivery], now: Timestamp) -> String {
    if deliveries.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new(&["ID", "SINK", "STATUS", "AGE", "TRIES", "NOTICES", "LAST ERROR", "TITLE"]);
    for one in deliveries {
        let tries = one.failures + i64::from(one.status == DeliveryStatus::Delivered);
        table.row([
            Cell::new(one.id, Tone::Strong),
            cell(&one.sink),
            Cell::new(word(one.status), tone(one.status)),
            cell(text::age(now, one.at)),
            cell(tries),
            cell(one.notices.len()),
            maybe(one.last_error.as_ref()),
            rest(&one.title),
        ]);
    }
    table.to_string()
}

fn health(health: &Health, now: Timestamp) -> String {
    let seen = health.helper_seen_at.map_or_else(
        || "not seen since the daemon began: start `mcd notify`".to_owned(),
        |at| format!("asked for work {} ago", text::age(now, at)),
    );
    let quiet = if health.quiet { "; quiet hours hold back what is not critical" } else { "" };
    let mut out = format!("helper  {seen}{quiet}\n");
    if health.sinks.is_empty() {
        out.push_str("no sink is declared: see docs/NOTIFICATIONS.md\n");
        return out;
    }
    let mut table = Table::new(&[
        "SINK",
        "VIA",
        "STATE",
        "LAST SUCCESS",
        "IN A ROW",
        "WAITING",
        "SENT",
        "GIVEN UP",
        "LAST ERROR",
    ]);
    for sink in &health.sinks {
        let state = &sink.state;
        let failing = state.failures_in_row > 0;
        let deaf = sink.answers_failing.as_ref().map(|failing| &failing.error);
        let rest = state.not_before.filter(|until| *until > now);
        let last = state.last_success_at.map(|at| format!("{} ago", text::age(now, at)));
        table.row([
            Cell::new(&state.sink.name, Tone::Strong),
            cell(word(state.sink.via)),
            match rest {
                Some(until) => {
                    Cell::new(format!("rests {} s", until.since(now).as_secs()), Tone::Bad)
                }
                None if failing => Cell::new("failing", Tone::Bad),
                None if deaf.is_some() => Cell::new("no answers", Tone::Bad),
                None => Cell::new("good", Tone::Good),
            },
            maybe(last),
            cell(state.failures_in_row),
            cell(sink.waiting),
            cell(state.delivered),
            cell(state.given_up),
            maybe(state.last_error.as_ref().filter(|_| failing).or(deaf)),
        ]);
    }
    out.push_str(&table.to_string());
    out
}
