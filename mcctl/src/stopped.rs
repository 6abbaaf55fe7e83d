//! How far an emergency stop got.

use std::fmt::Write as _;

use mc_core::{
    agent::AgentName,
    squad::{AgentStop, ProcessState, RuntimeProcess, StopReport, StopState},
};

use crate::{
    table::{Cell, Sheet, Table, Tone, cell, maybe, rest},
    text,
};

/// How far the emergency stop got: who goes on comes first.
pub(crate) fn view(report: &StopReport) -> String {
    let mut sheet = Sheet::default();
    let reason = text::line(&report.reason);
    sheet.line("stopped", format!("{} by {}: {reason}", text::when(report.at), report.by));
    sheet.maybe("last call", report.last_allow_ms.map(last_call));
    match (report.open().count(), report.last_end_ms) {
        (0, Some(ms)) => drop(sheet.line("sessions", format!("all ended, the last after {ms} ms"))),
        (0, None) => drop(sheet.line("sessions", "none was at work")),
        (open, _) => {
            let text = format!("of {open} agents not seen to have ended");
            sheet.toned("sessions", text, Tone::Bad);
        }
    }
    sheet.maybe("blocked", report.tasks.zip(report.approvals).map(blocked));
    if report.open().count() > 0 {
        sheet.maybe("end it by", report.offer.as_ref().map(|command| text::line(command)));
    }
    sheet.maybe("that command", report.runtime_end.as_ref().map(|what| text::line(what)));
    for one in &report.processes {
        if one.state != ProcessState::Offered || report.open().count() > 0 {
            let tone = if one.state == ProcessState::Gone { Tone::Good } else { Tone::Bad };
            sheet.toned("process", process(one), tone);
        }
    }
    let mut agents: Vec<&AgentStop> = report.agents.iter().collect();
    agents.sort_by_key(|one| (matches!(one.state, StopState::Idle | StopState::Ended), &one.agent));
    let mut table = Table::new(&["AGENT", "STOP", "AFTER", "WHAT"]);
    for one in agents {
        let (word, tone) = stop_word(one.state);
        let after = one.after_ms.map(|ms| format!("{ms} ms")).unwrap_or_default();
        table.row([cell(&one.agent), Cell::new(word, tone), cell(after), rest(&one.detail)]);
    }
    let mut out = format!("\n{sheet}\n{table}");
    if !report.in_flight.is_empty() {
        let mut table = Table::new(&["IN FLIGHT", "TASK", "RUN", "CALL", "WHAT"]);
        for one in &report.in_flight {
            let (task, run, call) = (one.task, one.run, one.call);
            table.row([cell(&one.agent), maybe(task), maybe(run), maybe(call), rest(&one.what)]);
        }
        // Writing to a text does not fail.
        write!(out, "\n{table}").ok();
    }
    out
}

/// What became of a runtime's process, or how it is ended; it says who ends with it.
pub(crate) fn process(one: &RuntimeProcess) -> String {
    let agents: Vec<&str> = one.agents.iter().map(AgentName::as_str).collect();
    let who = format!("{} {} runs {}", one.pid, text::line(&one.runtime), agents.join(", "));
    let by = one.by.as_deref().map(|by| format!(" (by {})", text::line(by))).unwrap_or_default();
    let detail = text::line(&one.detail);
    match (one.state, one.gone_ms) {
        (ProcessState::Offered, _) => {
            format!("{who}: `mcctl squad end-runtime {}` ends it with all of them", one.pid)
        }
        (ProcessState::Ending, _) => format!("{who}: being ended{by}: {detail}"),
        (ProcessState::Gone, ms) => {
            format!("{who}: {detail}, {} ms after the stop{by}", ms.unwrap_or_default())
        }
        (ProcessState::NotEnded, _) => format!("{who}: NOT ENDED{by}: {detail}"),
    }
}

fn blocked((tasks, approvals): (i64, i64)) -> String {
    format!("{tasks} tasks; {approvals} approvals canceled")
}

fn last_call(ms: i64) -> String {
    if ms <= 0 {
        format!("let through {} ms before the stop", -ms)
    } else {
        format!("let through {ms} ms AFTER the stop")
    }
}

const fn stop_word(state: StopState) -> (&'static str, Tone) {
    let tone = match state {
        StopState::Idle => Tone::Plain,
        StopState::Asked => Tone::Warn,
        StopState::Ended => Tone::Good,
        StopState::NotStopped | StopState::Unreached => Tone::Bad,
    };
    (state.title(), tone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_comes_first_with_what_was_in_flight() {
        let report: StopReport = serde_json::from_value(serde_json::json!({
            "at": "2026-01-01T00:00:00Z", "by": "ana", "reason": "smoke",
            "agents": [
                {"agent": "crow", "state": "ended", "was_working": true, "after_ms": 120},
                {"agent": "jay", "state": "idle", "was_working": false},
                {"agent": "wren", "state": "not_stopped", "was_working": true, "after_ms": 2001,
                    "detail": "a command goes on"},
            ],
            "in_flight": [{"agent": "wren", "run": "R-3", "call": "C-9", "what": "exec make"}],
            "offer": "systemctl --user stop openclaw-gateway",
            "runtime_end": "could not be run: no such file", "last_allow_ms": -40,
            "processes": [
                {"pid": 4242, "runtime": "openclaw 1 (gateway)", "agents": ["crow", "wren"],
                    "state": "offered"},
                {"pid": 4243, "runtime": "openclaw 1 (other)", "agents": ["jay"], "state": "gone",
                    "by": "ana", "gone_ms": 2310, "detail": "gone after SIGTERM"},
            ],
        }))
        .unwrap();
        let text = anstream::adapter::strip_str(&view(&report)).to_string();
        for part in [
            "by ana: smoke",
            "40 ms before the stop",
            "of 1 agents",
            "NOT STOPPED",
            "C-9",
            "openclaw-gateway",
            "could not be run",
            "runs crow, wren: `mcctl squad end-runtime 4242` ends it with all of them",
            "gone after SIGTERM, 2310 ms after the stop (by ana)",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        let table = text.split_once("AGENT").unwrap().1;
        let at = |name: &str| table.find(name).unwrap();
        assert!(at("wren") < at("crow") && at("crow") < at("jay"), "{text}");
        let mut over = report.clone();
        over.note(&"wren".parse().unwrap(), StopState::Ended, 4100, "");
        let text = anstream::adapter::strip_str(&view(&over)).to_string();
        assert!(text.contains("all ended, the last after 4100 ms"), "{text}");
    }
}
