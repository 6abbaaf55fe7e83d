//! `mcctl feed`: what happens, as it happens.

use std::time::Duration;

use clap::Args;
use mc_core::{describe, event::Recorded, id::Seq};
use mc_proto::{
    client::ClientError,
    method::feed::{FeedItem, Head, Subscribe},
};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output,
    table::Tone,
    text,
};

/// From where, and what.
#[derive(Debug, Args)]
pub(crate) struct Follow {
    /// Replay what came after this event first; 0 replays all.
    #[arg(long, value_name = "SEQ")]
    since: Option<Seq>,
    /// Only events whose kind begins with this, such as task or approval; repeat for more. Without one
    /// it is left out that an operator unlocked, and that a sink is tried again (not with --json).
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// End after this many events.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// The daemon beats every 5 seconds: after three missed beats it is gone.
const SILENCE: Duration = Duration::from_secs(16);

/// Follows the journal until the daemon goes, the reader goes or enough was seen.
///
/// # Errors
///
/// When the daemon is not there or goes.
pub(crate) fn follow(args: Follow, cx: &mut Context) -> Result<Exit, Failure> {
    let json = cx.is_json();
    let mut left = args.count;
    let reader = if json {
        Reader::Program
    } else if args.topics.is_empty() {
        Reader::Person
    } else {
        Reader::Seeker
    };
    let session = cx.session()?;
    session.call(&Subscribe { since: args.since, topics: args.topics })?;
    let client = session.client();
    client.set_timeout(SILENCE)?;
    while left != Some(0) {
        let (method, params) = client.next_notice()?;
        match method.as_str() {
            "feed.item" => {
                let shown = u64::from(show(&params, reader)?);
                left = left.map(|left| left - shown);
            }
            "feed.lagged" => {
                let head: Head = read(&params)?;
                return Err(Failure::Failed(format!(
                    "this reader is too slow: events up to {0} were left out; go on with \
                     `mcctl feed --since {0}`",
                    head.head
                )));
            }
            _ => {}
        }
    }
    Ok(Exit::Done)
}

/// Who reads what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// A person, for whom routine is no news.
    Person,
    /// A person who asked for some kinds.
    Seeker,
    /// A program.
    Program,
}

/// Shows an event; says whether it was worth showing.
fn show(params: &str, reader: Reader) -> Result<bool, Failure> {
    if reader == Reader::Program {
        output::json_line(params)?;
        return Ok(true);
    }
    let item: FeedItem = read(params)?;
    if reader == Reader::Person && item.event.event.is_routine() {
        return Ok(false);
    }
    output::text(&line(&item.event))?;
    Ok(true)
}

fn read<T: serde::de::DeserializeOwned>(params: &str) -> Result<T, Failure> {
    let answer = |source| ClientError::Answer { method: "feed.subscribe", source };
    Ok(serde_json::from_str(params).map_err(answer)?)
}

/// Returns an event in one line: its id, when, and what happened.
fn line(recorded: &Recorded) -> String {
    let when = Tone::Dim.paint(&format!("e{} {}", recorded.seq, text::when(recorded.at)));
    format!("{when}  {}\n", text::line(&describe::line(recorded)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let recorded: Recorded = serde_json::from_value(serde_json::json!({
            "seq": 7, "at": "2026-01-01T00:00:00Z", "actor": {"kind": "agent", "name": "wren"},
            "cause": "message.post", "reason": "because\nof this\u{1b}[2J",
            "event": {"kind": "message_posted", "message": {
                "id": "M-1", "task": "T-1", "author": {"kind": "agent", "name": "wren"},
                "kind": "comment", "text": "two\nlines\u{1b}[2J", "at": "2026-01-01T00:00:00Z",
            }},
        }))
        .unwrap();
        let line = anstream::adapter::strip_str(&line(&recorded)).to_string();
        assert!(line.starts_with("e7 2026-01-01 00:00:00 UTC  wren "), "{line}");
        assert_eq!(line.lines().count(), 1);
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
}
