//! `mcctl feed`: what happens, as it happens.

use std::time::Duration;

use clap::Args;
use mc_core::{event::Recorded, id::Seq};
use mc_proto::{
    client::ClientError,
    method::feed::{FeedItem, Head, Subscribe},
};
use serde_json::Value;

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
    /// Only events whose kind begins with this, such as task or approval; repeat for more.
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
    let session = cx.session()?;
    session.call(&Subscribe { since: args.since, topics: args.topics })?;
    let client = session.client();
    client.set_timeout(SILENCE)?;
    while left != Some(0) {
        let (method, params) = client.next_notice()?;
        match method.as_str() {
            "feed.item" => {
                show(&params, json)?;
                left = left.map(|left| left - 1);
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

fn show(params: &str, json: bool) -> Result<(), Failure> {
    if json {
        // The daemon's own line, word for word.
        return output::raw(format!("{params}\n").as_bytes());
    }
    let item: FeedItem = read(params)?;
    output::text(&line(&item.event))
}

fn read<T: serde::de::DeserializeOwned>(params: &str) -> Result<T, Failure> {
    let answer = |source| ClientError::Answer { method: "feed.subscribe", source };
    Ok(serde_json::from_str(params).map_err(answer)?)
}

/// Returns an event in one line: when, who, what, on what, why.
fn line(recorded: &Recorded) -> String {
    let mut parts = vec![
        Tone::Dim.paint(&format!("e{} {}", recorded.seq, text::when(recorded.at))),
        Tone::Strong.paint(&text::line(&recorded.actor.to_string())),
        recorded.event.kind().to_owned(),
    ];
    parts.extend(recorded.event.task().map(|task| task.to_string()));
    parts.extend(recorded.event.agent().map(ToString::to_string));
    if let Ok(Value::Object(fields)) = serde_json::to_value(&recorded.event) {
        parts.extend(facts(&fields));
    }
    let reason = recorded.reason.as_deref().map(|why| format!("\"{}\"", text::line(why)));
    parts.extend(reason);
    format!("{}\n", parts.join("  "))
}

/// Returns what tells most of an event: where a task went, a status, a title, a text.
fn facts(fields: &serde_json::Map<String, Value>) -> Vec<String> {
    let text = |field: &Value| field.as_str().map(|text| text::cut(text, 80));
    let mut facts = Vec::new();
    if let (Some(from), Some(to)) =
        (fields.get("from").and_then(text), fields.get("to").and_then(text))
    {
        facts.push(format!("{from} → {to}"));
    }
    facts.extend(fields.get("status").and_then(text));
    for inner in fields.values().filter_map(Value::as_object) {
        let told = ["title", "summary", "text", "preview"];
        facts.extend(inner.get("id").and_then(text));
        facts.extend(told.iter().find_map(|name| inner.get(*name).and_then(text)));
    }
    facts
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
                "kind": "comment", "text": "two\nlines", "at": "2026-01-01T00:00:00Z",
            }},
        }))
        .unwrap();
        let line = anstream::adapter::strip_str(&line(&recorded)).to_string();
        assert_eq!(
            line,
            "e7 2026-01-01 00:00:00 UTC  wren  message_posted  T-1  M-1  two\\nlines  \
             \"because\\nof this¤\"\n"
        );
    }
}
