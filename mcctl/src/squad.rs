//! `mcctl status`, `mcctl squad`, `mcctl stop`, `mcctl budget`: the squad as a whole.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mc_core::{agent::AgentName, id::TaskId, money::counted, time::Timestamp};
use mc_proto::{
    halt,
    home::Home,
    method::{
        Method,
        squad::{
            Drain, EmergencyResume, EmergencyStop, EndRuntime, Pause, Receipt, Resume, Status,
            StatusGet,
        },
    },
};
use serde::Serialize;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    session::{Door, Identity},
    stopped,
    table::{Cell, Sheet, Table, Tone, cell},
    text,
    words::{money, word},
};

/// What can be done with the squad.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// How the squad stands.
    Status,
    /// Pause every agent at once.
    Pause(Reason),
    /// End a pause.
    Resume(Reason),
    /// Let every agent finish its task, then pause it.
    Drain(Reason),
    /// EMERGENCY STOP: everything, now.
    #[command(visible_alias = "emergency-stop")]
    Stop(Reason),
    /// End the process of a runtime that an emergency stop did not end, with the sessions of all its
    /// agents: SIGTERM, then SIGKILL. `mcctl status` shows which.
    EndRuntime {
        /// The process, as the status names it.
        #[arg(value_name = "PID")]
        pid: i32,
        #[command(flatten)]
        reason: Reason,
    },
    /// End an emergency stop and move tasks back to where they were.
    EmergencyResume {
        #[command(flatten)]
        reason: Reason,
        /// A task to move back [default: all]; repeat for more. The rest can follow by a later call.
        #[arg(long = "task", value_name = "T-n")]
        tasks: Vec<TaskId>,
        /// Only tasks of this agent; repeat for more.
        #[arg(long = "agent", value_name = "NAME")]
        agents: Vec<AgentName>,
    },
}

/// Why.
#[derive(Debug, Args)]
pub(crate) struct Reason {
    /// Why; goes into the record.
    #[arg(long, default_value = "from the command line")]
    reason: String,
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Status => status(cx),
        Verb::Pause(Reason { reason }) => act(&Pause { reason }, cx),
        Verb::Resume(Reason { reason }) => cx.show(&Resume { reason }, |done, _| moved(done)),
        Verb::Drain(Reason { reason }) => cx.show(&Drain { reason }, |done, _| moved(done)),
        Verb::Stop(reason) => emergency_stop(reason, cx),
        Verb::EndRuntime { pid, reason: Reason { reason } } => {
            cx.show(&EndRuntime { pid, reason }, |process, _| {
                format!("{}\n`mcctl status` shows when it is gone.\n", stopped::process(process))
            })
        }
        Verb::EmergencyResume { reason: Reason { reason }, tasks, agents } => {
            let tasks = (!tasks.is_empty()).then_some(tasks);
            let agents = (!agents.is_empty()).then_some(agents);
            cx.show(&EmergencyResume { reason, tasks, agents }, |done, _| moved(done))
        }
    }
}

/// How long the daemon has to answer a stop, in seconds.
const STOP_WITHIN: u64 = 3;

/// Stops everything: through the daemon, or by the halt file where it refuses or does not answer.
///
/// # Errors
///
/// When neither could be done.
pub(crate) fn emergency_stop(Reason { reason }: Reason, cx: &mut Context) -> Result<Exit, Failure> {
    cx.hurry(STOP_WITHIN);
    let failure = match act(&EmergencyStop { reason: reason.clone() }, cx) {
        Err(failure @ Failure::Client(_)) => failure,
        Ok(done) => {
            crate::output::note("`mcctl status` shows how far it got with each agent.");
            return Ok(done);
        }
        Err(failure) => return Err(failure),
    };
    let why = text::line(&failure.to_string());
    match by_halt_file(cx, &reason) {
        Ok(halted) => {
            crate::output::note(&format!("the daemon did not stop it: {why}"));
            cx.print(&halted, Halted::words)?;
            Ok(Exit::Unwell)
        }
        Err(why_not) => {
            crate::output::note(&format!(
                "NOT STOPPED. The daemon did not, and the halt file could not be written: {why_not}. \
                 `mcd halt`, as the daemon's user or root, stops everything without a daemon."
            ));
            Err(failure)
        }
    }
}

/// A stop that was set past the daemon.
#[derive(Debug, Serialize)]
struct Halted {
    /// The file that stops everything.
    halt_file: PathBuf,
    /// Whether anybody said that it stopped: the daemon did not.
    confirmed: bool,
}

impl Halted {
    fn words(&self) -> String {
        format!(
            "{}\nThe halt file {} is set: daemon and adapters look at it within a second, and refuse \
             every call until an admin resumes. NOT CONFIRMED by any agent, and no session was told \
             to end: `mcctl status` shows the rest as soon as the daemon answers.\n",
            Tone::Strong.paint("STOPPED BY THE HALT FILE."),
            text::line(&self.halt_file.display().to_string()),
        )
    }
}

/// Sets the halt file of the squad whose daemon was asked; says why it can't.
fn by_halt_file(cx: &Context, reason: &str) -> Result<Halted, String> {
    let global = cx.global();
    let home = Home::find(global.home.as_deref());
    let door = Door::of(global).map_err(|error| error.to_string())?;
    if door.identity != Identity::Operator {
        return Err("that is for operators: unset MC_AGENT and MC_TOKEN_FILE".to_owned());
    }
    if global.home.is_none() && door.socket != home.operator_socket() {
        return Err("nobody knows where the daemon of that socket has it: name --home".to_owned());
    }
    let halt_file = home.halt_file();
    let words = format!("`mcctl stop`, the daemon did not do it: {}", text::line(reason));
    halt::set(&halt_file, &words).map_err(|error| format!("{}: {error}", halt_file.display()))?;
    Ok(Halted { halt_file, confirmed: false })
}

/// Shows how the squad stands.
///
/// # Errors
///
/// When the daemon is not there.
pub(crate) fn status(cx: &mut Context) -> Result<Exit, Failure> {
    cx.show(&StatusGet {}, |status, _| standing(status))
}

fn act<M: Method<Result = Receipt>>(call: &M, cx: &mut Context) -> Result<Exit, Failure> {
    cx.show(call, receipt)
}

/// What work that goes on, or ends by itself, is told by: nobody's session was ended.
fn moved(receipt: &Receipt) -> String {
    let mut sheet = Sheet::default();
    sheet.list("tasks moved", &receipt.tasks).maybe("tasks that follow", more(receipt));
    sheet.maybe("event", receipt.event);
    format!("{}\n{sheet}", Tone::Strong.paint(&text::line(&receipt.text)))
}

fn receipt(receipt: &Receipt, _: Timestamp) -> String {
    let mut out = format!("{}\n", Tone::Strong.paint(&text::line(&receipt.text)));
    if !receipt.agents.is_empty() {
        let mut table = Table::new(&["AGENT", "WAS WORKING", "TOLD TO END", "WHAT"]);
        for agent in &receipt.agents {
            let told = if agent.told { Tone::Good } else { Tone::Warn };
            table.row([
                cell(&agent.agent),
                cell(yes(agent.was_working)),
                Cell::new(yes(agent.told), told),
                cell(&agent.text),
            ]);
        }
        out.push_str(&table.to_string());
    }
    let mut sheet = Sheet::default();
    sheet.list("tasks moved", &receipt.tasks).maybe("tasks that follow", more(receipt));
    sheet.line("approvals canceled", receipt.approvals).maybe("event", receipt.event);
    format!("{out}{sheet}")
}

fn more(receipt: &Receipt) -> Option<i64> {
    Some(receipt.more).filter(|more| *more > 0)
}

/// How many tasks of a stop are named.
const NAMED: usize = 20;

const fn yes(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn counts(map: &std::collections::BTreeMap<String, i64>) -> Option<String> {
    let all: Vec<String> =
        map.iter().filter(|(_, n)| **n > 0).map(|(name, n)| format!("{n} {name}")).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn standing(status: &Status) -> String {
    let mut sheet = Sheet::default();
    let squad = &status.squad;
    sheet.line("squad", &squad.name);
    let since = squad.since.map(|at| format!(" since {}", text::when(at))).unwrap_or_default();
    let by = squad.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    let reason = squad.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    if status.halted {
        sheet.toned("HALTED", format!("emergency stop in force{since}{by}{reason}"), Tone::Bad);
    } else {
        let toned = if word(squad.status) == "running" { Tone::Good } else { Tone::Warn };
        sheet.toned("state", format!("{}{since}{by}{reason}", word(squad.status)), toned);
    }
    if let Some(why) = &status.read_only {
        sheet.toned("READ ONLY", why, Tone::Bad);
    }
    if status.shared_uid {
        let text = "agents run under an operator's user: human acts are proven at L1 at most";
        sheet.toned("SHARED UID", text, Tone::Warn);
    }
    let waiting = status.approvals_waiting;
    let tone = if waiting > 0 { Tone::Warn } else { Tone::Plain };
    sheet.toned("approvals", format!("{waiting} waiting"), tone);
    sheet.line("tasks", counts(&status.tasks).unwrap_or_else(|| "none".to_owned()));
    let agents = counts(&status.agents).unwrap_or_else(|| "none".to_owned());
    sheet.line("agents", format!("{agents}; {} at work", status.working));
    sheet.maybe("alerts", counts(&status.alerts));
    let cap = status.daily_cap_uusd.map(|cap| format!(" of {cap}")).unwrap_or_default();
    let beside = status.unpriced_today_uusd;
    let today = match beside.0 {
        0 => money(status.spent_today_uusd, status.cost_state),
        _ => counted(status.spent_today_uusd + beside, beside),
    };
    sheet.line("today", format!("{today}{cap}"));
    let up = text::age(status.now, status.started_at);
    sheet.line("daemon", format!("mcd {}, up {up}, event {}", status.version, status.head));
    if !status.halted && !squad.stopped.is_empty() {
        let left = squad.stopped.iter().take(NAMED).map(|row| row.task.to_string());
        let left: Vec<String> = left.collect();
        let more = squad.stopped_count - i64::try_from(left.len()).unwrap_or(0);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let text = format!("not back from the stop: {}{more}", left.join(" "));
        sheet.toned("last stop", format!("{text} (`mcctl squad emergency-resume`)"), Tone::Warn);
    }
    let stop = squad.stop.as_ref().filter(|_| status.halted).map(|report| stopped::view(report));
    format!("{sheet}{}", stop.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(changes: &serde_json::Value) -> String {
        let mut value = serde_json::json!({
            "squad": {"name": "a", "status": "running", "stopped": [], "policy_version": 1},
            "halted": false, "tasks": {"inbox": 2, "done": 0}, "agents": {"active": 1},
            "working": 0, "approvals_waiting": 0, "alerts": {}, "spent_today_uusd": 120_000,
            "unpriced": false, "shared_uid": false, "version": "0.1.0",
            "started_at": "2026-01-01T00:00:00Z", "head": 9, "now": "2026-01-01T02:00:00Z",
        });
        for (key, change) in changes.as_object().unwrap() {
            value[key] = change.clone();
        }
        let status = serde_json::from_value(value).unwrap();
        anstream::adapter::strip_str(&standing(&status)).to_string()
    }

    #[test]
    fn a_resume_says_nothing_of_sessions_that_end() {
        let receipt: Receipt = serde_json::from_value(serde_json::json!({
            "text": "the squad works", "approvals": 0, "tasks": ["T-1"], "event": "e9",
            "squad": {"name": "a", "status": "running", "policy_version": 1},
            "agents": [{"agent": "wren", "was_working": false, "told": false, "text": "idle"}],
        }))
        .unwrap();
        let text = anstream::adapter::strip_str(&moved(&receipt)).to_string();
        assert_eq!(text, "the squad works\ntasks moved  T-1\nevent        e9\n");
        assert!(super::receipt(&receipt, Timestamp(0)).contains("TOLD TO END"));
    }

    #[test]
    fn what_has_no_price_is_said_beside_the_total() {
        let text = status(&serde_json::json!({"unpriced": true, "unpriced_today_uusd": 200_000}));
        assert!(text.contains("$0.12 + at most $0.20 unpriced"), "{text}");
    }

    #[test]
    fn a_day_that_a_subscription_covers_did_not_cost_nothing() {
        let text = status(&serde_json::json!({"spent_today_uusd": 0,
            "cost_state": "subscription"}));
        assert!(text.contains("today      sub\n"), "{text}");
        assert!(status(&serde_json::json!({})).contains("today      $0.12\n"));
    }

    #[test]
    fn status_says_what_needs_a_person_first() {
        let text = status(&serde_json::json!({}));
        assert!(text.contains("tasks      2 inbox\n"), "{text}");
        assert!(text.contains("mcd 0.1.0, up 2h00, event 9"), "{text}");
        assert!(!text.contains("SHARED UID"), "{text}");
    }

    #[test]
    fn what_weakens_the_squad_is_always_said() {
        let text = status(&serde_json::json!({
            "shared_uid": true, "halted": true, "read_only": "the disk is full",
        }));
        for part in ["SHARED UID", "HALTED", "READ ONLY", "the disk is full"] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
    }
}
