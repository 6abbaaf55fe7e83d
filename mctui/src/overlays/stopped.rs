//! What a stop does and how far it got, as it goes on: who was not seen to have stopped comes first.

use mc_core::{
    agent::AgentName,
    squad::{AgentStop, ProcessState, RuntimeProcess, SquadStatus, StopReport, StopState},
    task::TaskState,
};
use mc_proto::method::squad::Receipt;

use crate::{link::Phase, scene::Scene, text, theme::Token, widgets::Line};

/// How many agents are shown; the others are counted.
const AGENTS: usize = 12;
/// How much of what was in flight is shown.
const IN_FLIGHT: usize = 12;

/// Returns the lines of a report.
pub(super) fn lines(report: &StopReport) -> Vec<Line> {
    let mut lines = vec![
        Line::new()
            .own(Token::Strong, "stopped by ")
            .says(Token::Strong, &text::line(&report.by))
            .own(Token::Fg, ": ")
            .says(Token::Fg, &text::line(&report.reason)),
        ends(report),
    ];
    if let (Some(tasks), Some(approvals)) = (report.tasks, report.approvals) {
        let text = format!("{tasks} tasks blocked, {approvals} approvals canceled");
        lines.push(Line::new().own(Token::Fg, text));
    }
    if let (Some(offer), true) = (&report.offer, report.open().next().is_some()) {
        let said = Line::new().own(Token::Strong, "end its runtime by: ");
        lines.push(said.says(Token::Strong, &text::line(offer)));
    }
    if let Some(what) = &report.runtime_end {
        lines.push(Line::new().own(Token::Fg, "that command ").says(Token::Fg, &text::line(what)));
    }
    lines.extend(report.processes.iter().filter_map(|one| process(one, report)));
    let mut agents: Vec<&AgentStop> = report.agents.iter().collect();
    agents.sort_by_key(|one| (rank(one.state), one.agent.clone()));
    lines.extend(agents.iter().take(AGENTS).map(|one| agent(one)));
    let more = agents.len().saturating_sub(AGENTS);
    if more > 0 {
        lines.push(Line::new().own(Token::Dim, format!("  and {more} more: mcctl status")));
    }
    if !report.in_flight.is_empty() {
        let count = report.in_flight.len();
        lines.push(Line::new().own(Token::Fg, format!("in flight at that moment: {count}")));
    }
    // Calls say more than the runs that they belong to.
    let mut flying: Vec<_> = report.in_flight.iter().collect();
    flying.sort_by_key(|one| one.call.is_none());
    for one in flying.into_iter().take(IN_FLIGHT) {
        let what = one.call.map_or_else(String::new, |call| format!("{call} "));
        let task = one.task.map_or_else(String::new, |task| format!("{task} "));
        lines.push(
            Line::new()
                .own(Token::Fg, "  ")
                .says(Token::Strong, &text::line(&one.agent))
                .own(Token::Dim, format!("  {task}{what}"))
                .says(Token::Fg, &text::line(&one.what)),
        );
    }
    lines
}

/// Returns the processes that an operator may end now: those that the stop in force offers, while
/// somebody was not seen to have stopped.
pub(super) fn endable(scene: &Scene) -> Vec<&RuntimeProcess> {
    let report = scene.world.squad.stop.as_deref().filter(|_| scene.world.is_halted());
    let report = report.filter(|report| report.open().next().is_some());
    let processes = report.into_iter().flat_map(|report| &report.processes);
    processes.filter(|one| one.state == ProcessState::Offered).collect()
}

/// A runtime's process that can be ended, or what became of it; it says whom else that ends.
fn process(one: &RuntimeProcess, report: &StopReport) -> Option<Line> {
    let count = one.agents.len();
    let names: Vec<&str> = one.agents.iter().map(AgentName::as_str).collect();
    let who = Line::new()
        .own(Token::Fg, format!("process {} ", one.pid))
        .says(Token::Fg, &text::line(&one.runtime))
        .own(Token::Fg, format!(" runs {count}: "))
        .says(Token::Fg, &text::line(&names.join(" ")));
    let detail = text::line(&one.detail);
    Some(match one.state {
        ProcessState::Offered => {
            report.open().next()?;
            who.own(Token::Fg, "; ").own(Token::Key, "6").own(Token::Strong, " ends it with all")
        }
        ProcessState::Ending => who.own(Token::Pending, "; ~ ").says(Token::Pending, &detail),
        ProcessState::Gone => who
            .own(Token::Ok, format!("; after {} ms ", one.gone_ms.unwrap_or_default()))
            .says(Token::Ok, &detail),
        ProcessState::NotEnded => who.own(Token::Crit, "; NOT ENDED: ").says(Token::Crit, &detail),
    })
}

/// The two figures: the last call, and the last session's end.
fn ends(report: &StopReport) -> Line {
    let call = match report.last_allow_ms {
        None => "no call was let through before".to_owned(),
        Some(ms) if ms <= 0 => format!("last call {} before", span(ms.saturating_neg())),
        Some(ms) => format!("last call {} AFTER", span(ms)),
    };
    let (token, sessions) = match (report.open().count(), report.last_end_ms) {
        (0, Some(ms)) => (Token::Ok, format!("last session ended after {}", span(ms))),
        (0, None) => (Token::Ok, "no session was at work".to_owned()),
        (open, _) => (Token::Crit, format!("{open} not seen to have ended")),
    };
    Line::new().own(Token::Fg, call).own(Token::Fg, ", ").own(token, sessions)
}

/// A span as long as it matters: milliseconds below ten seconds, then `42s`, `2m20s`.
fn span(ms: i64) -> String {
    match ms {
        ..10_000 => format!("{ms} ms"),
        10_000..60_000 => format!("{}s", ms / 1000),
        _ => format!("{}m{:02}s", ms / 60_000, ms / 1000 % 60),
    }
}

fn agent(one: &AgentStop) -> Line {
    let after = one.after_ms.unwrap_or_default();
    let (token, word) = match one.state {
        StopState::NotStopped => {
            let seconds = after / 1000;
            let title = one.state.title();
            (Token::Crit, format!("{title} after {seconds} s: end its runtime by hand"))
        }
        StopState::Unreached => (Token::Crit, format!("{}: no runtime to tell", one.state.title())),
        StopState::Asked => (Token::Pending, "asked, no answer yet".to_owned()),
        StopState::Ended => (Token::Ok, format!("ended, confirmed after {}", span(after))),
        StopState::Idle => (Token::Dim, "was not working".to_owned()),
    };
    Line::new()
        .own(Token::Fg, "  ")
        .says(Token::Strong, &text::line(&one.agent))
        .own(token, format!("  {word}  "))
        .says(Token::Dim, &text::line(&one.detail))
}

const fn rank(state: StopState) -> u8 {
    match state {
        StopState::NotStopped => 0,
        StopState::Unreached => 1,
        StopState::Asked => 2,
        StopState::Ended => 3,
        StopState::Idle => 4,
    }
}

/// Says whether a stop moves a task in `state` to Blocked.
pub(super) const fn is_blocked_by_a_stop(state: TaskState) -> bool {
    match state {
        TaskState::Blocked | TaskState::Done | TaskState::Canceled => false,
        TaskState::Inbox
        | TaskState::Assigned
        | TaskState::InProgress
        | TaskState::Review
        | TaskState::NeedsApproval => true,
    }
}

/// The report of the stop in force, and not of one before.
fn report_of<'s>(receipt: &Receipt, scene: &'s Scene) -> Option<&'s StopReport> {
    let report = scene.world.squad.stop.as_deref()?;
    let is_stop = receipt.squad.status == SquadStatus::Halted;
    (is_stop && receipt.squad.since.is_none_or(|since| report.at >= since)).then_some(report)
}

/// How many tasks are moved, those that follow among them.
fn moved(receipt: &Receipt) -> i64 {
    i64::try_from(receipt.tasks.len()).unwrap_or(i64::MAX).saturating_add(receipt.more)
}

/// Returns the lines of what the daemon answered, and of how far it got.
pub(super) fn receipt(receipt: &Receipt, scene: &Scene) -> Vec<Line> {
    let counts = match receipt.event {
        Some(event) => format!(
            "{} tasks moved, {} approvals canceled ({event})",
            moved(receipt),
            receipt.approvals
        ),
        None => "in force; what it does to tasks and approvals is being written: see the feed"
            .to_owned(),
    };
    let mut lines = vec![
        Line::new().own(Token::Strong, "receipt: ").says(Token::Strong, &text::line(&receipt.text)),
        Line::new().own(Token::Fg, counts),
    ];
    if receipt.squad.status == SquadStatus::Halted && !scene.world.is_halted() {
        let status = crate::story::word(&scene.world.squad.status);
        lines
            .push(Line::new().own(Token::Ok, format!("That stop is over: the squad is {status}.")));
    }
    if let Some(report) = report_of(receipt, scene) {
        lines.extend(self::lines(report));
        return lines;
    }
    // Only a stop tells runtimes to end what goes on: of a resume or a drain there is nothing to say.
    let is_stop = matches!(receipt.squad.status, SquadStatus::Halted | SquadStatus::Paused);
    if !is_stop {
        return lines;
    }
    for agent in &receipt.agents {
        let (token, word) = match (agent.was_working, agent.told) {
            (false, _) => (Token::Dim, "was not working"),
            (true, true) => (Token::Warn, "was working, told to end"),
            (true, false) => (Token::Crit, "was working, NOT TOLD: no runtime attached"),
        };
        lines.push(
            Line::new()
                .own(Token::Fg, "  ")
                .says(Token::Strong, &text::line(&agent.agent))
                .own(token, format!("  {word}  "))
                .says(Token::Dim, &text::line(&agent.text)),
        );
    }
    lines
}

/// Who stops and why, for the halt file: nobody else can tell the daemon later.
pub(super) fn halt_words(scene: &Scene) -> String {
    let who = scene.me.as_ref().map_or("an operator that the daemon never greeted", |me| &me.name);
    let why = match &scene.link.phase {
        Phase::Lost { .. } | Phase::Connecting | Phase::Refused { .. } => {
            "the daemon could not be reached"
        }
        Phase::Up | Phase::Resync => "the daemon did not answer",
    };
    format!("{who} typed STOP in the console; {why}")
}
