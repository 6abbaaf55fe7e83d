//! `mcctl policy test --loop`: a recorded trace, looked through for work that goes in circles.

use std::{fs::File, io::BufReader, path::Path};

use mc_core::{
    event::Recorded,
    id::Seq,
    loops::{Found, trace::Trace},
    policy::{Policy, PolicyDoc},
};
use serde::Serialize;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    table::{Cell, Table, Tone, cell, rest},
    text,
    words::word,
};

/// A limit that was passed, and by which event.
#[derive(Debug, Serialize)]
struct Trip {
    /// The line of the file.
    line: usize,
    /// The event.
    event: Seq,
    #[serde(flatten)]
    found: Found,
}

/// What a trace was found to hold.
#[derive(Debug, Serialize)]
struct Seen {
    /// How many events it has.
    events: usize,
    /// Where limits would have been passed.
    trips: Vec<Trip>,
}

/// Looks a trace through and shows where it would trip; exit code 1 when it would.
///
/// # Errors
///
/// When the trace can't be read or is no trace, with its line.
pub(crate) fn run(file: &Path, toml: &str, cx: &Context) -> Result<Exit, Failure> {
    let doc: PolicyDoc = toml::from_str(toml)
        .map_err(|error| Failure::Usage(format!("the policy can't be read: {error}")))?;
    let policy = Policy::compile(doc).map_err(|errors| {
        let all: Vec<String> =
            errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect();
        Failure::Usage(format!("the policy is wrong: {}", all.join("; ")))
    })?;
    let opened = File::open(file).map_err(|error| Failure::file("read", file, &error))?;
    let seen = look(BufReader::new(opened), policy).map_err(|why| {
        Failure::Usage(format!(
            "{}, {why}. A trace is what `mcctl audit export` prints",
            text::line(&file.display().to_string())
        ))
    })?;
    cx.print(&seen, view)?;
    Ok(if seen.trips.is_empty() { Exit::Done } else { Exit::Unwell })
}

fn look(lines: impl std::io::BufRead, policy: Policy) -> Result<Seen, String> {
    let mut trace = Trace::new(policy);
    let mut seen = Seen { events: 0, trips: Vec::new() };
    for (at, line) in lines.lines().enumerate() {
        let at = at + 1;
        let wrong = |why: String| format!("line {at}: {why}");
        let line = line.map_err(|error| wrong(error.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let recorded: Recorded =
            serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        seen.events += 1;
        if let Some(found) = trace.take(&recorded).map_err(wrong)? {
            seen.trips.push(Trip { line: at, event: recorded.seq, found });
        }
    }
    if seen.events == 0 {
        return Err("it holds no event".to_owned());
    }
    Ok(seen)
}

fn view(seen: &Seen) -> String {
    if seen.trips.is_empty() {
        return format!("{} events, and no limit would be passed\n", seen.events);
    }
    let mut table = Table::new(&["LINE", "EVENT", "SIGN", "COUNT", "DONE", "WHAT"]);
    for trip in &seen.trips {
        let Found { sign, count, limit, containment, what, .. } = &trip.found;
        table.row([
            cell(trip.line),
            cell(format!("e{}", trip.event)),
            Cell::new(word(sign), Tone::Bad),
            cell(format!("{count} of {limit}")),
            cell(word(containment)),
            rest(what),
        ]);
    }
    format!("{} events\n{table}", seen.events)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(seq: usize, event: &serde_json::Value) -> String {
        let at = format!("2026-01-01T00:{:02}:{:02}Z", seq / 60, seq % 60);
        json!({"seq": seq, "at": at, "cause": "test", "event": event,
            "actor": {"kind": "agent", "name": "wren", "level": "L0"}})
        .to_string()
    }

    fn comment(seq: usize, who: &str) -> String {
        event(
            seq,
            &json!({"kind": "message_posted", "message": {"id": format!("M-{seq}"),
            "task": "T-1", "kind": "comment", "text": "no",
            "author": {"kind": "agent", "name": who, "level": "L0"},
            "at": format!("2026-01-01T00:{:02}:{:02}Z", seq / 60, seq % 60)}}),
        )
    }

    fn seen(lines: &[String], toml: &str) -> Result<Seen, String> {
        let policy = Policy::compile(toml::from_str(toml).unwrap()).unwrap();
        look(lines.join("\n").as_bytes(), policy)
    }

    #[test]
    fn a_trace_trips_at_the_event_that_passes_the_limit_and_counts_anew() {
        let pair = |count: usize| -> Vec<String> {
            (1..=count).map(|at| comment(at, ["wren", "crow"][at % 2])).collect()
        };
        assert!(seen(&pair(8), "").unwrap().trips.is_empty(), "eight turns are let pass");
        let trips = seen(&pair(9), "").unwrap().trips;
        assert_eq!((trips.len(), trips[0].line, trips[0].event), (1, 9, 9));
        let trips = seen(&pair(6), "[loops]\nturns = 2\n").unwrap().trips;
        assert_eq!(trips.iter().map(|trip| trip.line).collect::<Vec<_>>(), [3, 6]);
    }

    #[test]
    fn a_clock_that_was_set_back_and_a_gap_are_no_error() {
        let mut lines: Vec<String> = (60..64).map(|at| comment(at, "wren")).collect();
        lines.push(comment(70, "crow").replace("00:01:10", "00:00:10"));
        let seen = seen(&lines, "").unwrap();
        assert_eq!((seen.events, seen.trips.len()), (5, 0));
    }

    #[test]
    fn what_is_no_trace_is_refused_with_its_line() {
        let turned = [comment(2, "wren"), comment(1, "crow")];
        for (lines, wanted) in [
            (vec![comment(1, "wren"), "{\"seq\":2".to_owned()], "line 2"),
            (turned.to_vec(), "line 2: event e1 stands behind e2"),
            (vec![comment(1, "wren"), comment(1, "wren")], "line 2: event e1 stands twice"),
            (
                vec![comment(1, "wren"), comment(2, "crow"), comment(1, "wren")],
                "line 3: event e1 stands behind e2",
            ),
            (vec!["{}".to_owned()], "line 1"),
            (Vec::new(), "no event"),
        ] {
            let why = seen(&lines, "").unwrap_err();
            assert!(why.contains(wanted), "{why}");
        }
    }
}
