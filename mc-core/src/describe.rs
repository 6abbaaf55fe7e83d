//! What happened, in one line: for timelines, feeds and the command line.
//!
//! The text may hold words of agents; who shows it on a terminal cleans it.

use crate::{
    agent::{AgentName, AgentStatus},
    approval::{ApprovalStatus, Reminder},
    budget::Reservation,
    delivery::Try,
    event::{
        AdapterEnrolled, ApprovalDropped, ApprovalEdited, ApprovalEndorsed, ApprovalReminded,
        ApprovalUsed, Event, Recorded, RuntimeAttached, RuntimeDetached, ScheduleStatusChanged,
        ScheduleUpdated, ToolChanged, ToolConfirmed, ToolUnconfirmed,
    },
    id::ScheduleId,
    message::MessageKind,
    money::{CostState, MicroUsd},
    policy::Outcome,
    redact,
    run::{CallStatus, RunStatus},
    schedule::{ScheduleStatus, TaskSchedule, Turn},
    squad::{SquadStatus, StopReport},
    task::{Reassigned, TaskPatch},
};

/// How much of a longer text stands in a line.
const CHARS: usize = 160;

/// Returns what happened in one line, without its time.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds are handled by `work_line`")]
pub fn line(recorded: &Recorded) -> String {
    let who = &recorded.actor;
    let why = recorded.reason.as_ref().map_or(String::new(), |why| format!(": {}", cut(why)));
    match &recorded.event {
        Event::TaskCreated { task } => format!("{who} created {}: {}", task.id, cut(&task.title)),
        Event::TaskUpdated { task, patch: TaskPatch { assignees: Some(to), reassigned, .. } } => {
            format!("{who} gave {task} {}{why}", given(to, reassigned.as_ref()))
        }
        Event::TaskUpdated { task, .. } => format!("{who} changed {task}{why}"),
        Event::TaskMoved { task, from, to, .. } => {
            format!("{who} moved {task} from {} to {}{why}", from.title(), to.title())
        }
        Event::TaskClaimed { task, agent, .. } => format!("{agent} claimed {task}"),
        Event::TaskReleased { task, agent, .. } => format!("{agent} no longer holds {task}{why}"),
        Event::TaskSubscribed { task, name } => format!("{name} follows {task}"),
        Event::TaskUnsubscribed { task, name } => format!("{name} no longer follows {task}"),
        Event::MessagePosted { message } => {
            format!("{} {} {}", message.author, said(message.kind), cut(&message.text))
        }
        Event::ArtifactStored { artifact } => {
            format!("{who} stored {} ({} bytes)", cut(&artifact.name), artifact.size_bytes)
        }
        Event::AgentRegistered { agent, .. } => format!("{who} registered agent {}", agent.name),
        Event::AgentUpdated { agent, .. } => format!("{who} changed agent {agent}"),
        Event::AgentStatusChanged { agent, to, .. } => {
            format!("{who} {} {agent}{why}", status_verb(*to))
        }
        Event::AgentEvidenceKept { agent, evidence } => {
            let calls = evidence.calls.len();
            format!("evidence about {agent} was kept as of e{}: {calls} calls", evidence.head)
        }
        _ => work_line(recorded, &why),
    }
}

/// From whom a task went to whom.
fn given(to: &[AgentName], reassigned: Option<&Reassigned>) -> String {
    let names = |names: &[AgentName]| {
        let all: Vec<&str> = names.iter().map(AgentName::as_str).collect();
        if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
    };
    match reassigned {
        Some(Reassigned { from, .. }) => format!("from {} to {}", names(from), names(to)),
        None => format!("to {}", names(to)),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds are handled by `budget_line`")]
fn work_line(recorded: &Recorded, why: &str) -> String {
    let who = &recorded.actor;
    match &recorded.event {
        Event::RunStarted { run } => format!("{} began {}", run.agent, run.id),
        Event::RunUsed { agent, run, model, tokens, cost_uusd, cost_state, .. } => {
            let cost = amount(*cost_uusd, *cost_state);
            let place =
                run.map_or_else(|| "outside of a run".to_owned(), |run| format!("in {run}"));
            match model.strip_prefix("tool:") {
                Some(tool) => format!("{agent} used {} {place}, {cost}", cut(tool)),
                None if model.is_empty() => format!("{who} says that {agent} spent {cost} {place}"),
                None => {
                    let tokens = tokens.total();
                    format!("{agent} used {tokens} tokens of {} {place}, {cost}", cut(model))
                }
            }
        }
        Event::RunFinished { agent, run, status, error, .. } => {
            let error = error.as_ref().map_or(String::new(), |text| format!(": {}", cut(text)));
            format!("{run} of {agent} {}{error}", run_verb(*status))
        }
        Event::RunSentBack { agent, run, .. } => {
            format!("{run} of {agent} was sent back once: it left no word on its task")
        }
        Event::ToolChecked { call } => {
            let answer = match call.decision {
                Outcome::Allow => "allowed",
                Outcome::Ask => "asked",
                Outcome::Deny => "denied",
            };
            let text = cut(&call.preview);
            format!(
                "{} {} {text} {answer} by {}: {}",
                call.agent,
                cut(&call.tool),
                call.rule,
                call.reason
            )
        }
        Event::ToolChanged(ToolChanged { agent, call, status, error, .. }) => {
            let error = error.as_ref().map_or(String::new(), |text| format!(": {}", cut(text)));
            format!("{call} of {agent} {}{error}", call_verb(*status))
        }
        Event::ToolConfirmed(ToolConfirmed { agent, call, .. }) => {
            format!("{call} of {agent} passed the second lock")
        }
        Event::ToolUnconfirmed(ToolUnconfirmed { agent, preview, why, .. }) => {
            format!("{agent} was about to run {}: refused, {}", cut(preview), cut(why))
        }
        Event::AlertRaised { alert } => format!("alert {}: {}", alert.id, cut(&alert.text)),
        Event::AlertRepeated { alert, text, .. } => format!("alert {alert} again: {}", cut(text)),
        Event::AlertChanged { alert, note, .. } => {
            let note = note.as_ref().map_or(String::new(), |text| format!(": {}", cut(text)));
            format!("{who} answered {alert}{note}")
        }
        Event::NotificationQueued { notification } => {
            format!("told {}: {}", notification.to, cut(&notification.text))
        }
        Event::NotificationAcked { notification } => format!("{notification} arrived"),
        _ => budget_line(recorded, why),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other kinds are handled by `delivery_line`"
)]
fn budget_line(recorded: &Recorded, why: &str) -> String {
    let who = &recorded.actor;
    match &recorded.event {
        Event::BudgetReserved { reservation } => {
            let Reservation { id, payer, amount, .. } = reservation.as_ref();
            format!("{id} reserves {} for {}", amount.uusd, payer.agent)
        }
        Event::BudgetReleased { reservation, .. } => format!("{who} released {reservation}{why}"),
        Event::BudgetSet { scope, of, caps, .. } => {
            let money = caps.uusd.map(|cap| cap.to_string());
            let tokens = caps.tokens.map(|cap| format!("{cap} tokens"));
            let all: Vec<String> = money.into_iter().chain(tokens).collect();
            let all = if all.is_empty() { "no cap".to_owned() } else { all.join(", ") };
            format!("{who} set {} of {} to {all}{why}", scope.as_str(), cut(of))
        }
        Event::BudgetRaiseVoided { key, .. } => {
            format!("what overrides had raised {key} by is void{why}")
        }
        Event::BudgetRaised { key, by, approval, .. } => {
            let more =
                if by.uusd.0 > 0 { by.uusd.to_string() } else { format!("{} tokens", by.tokens) };
            format!("{approval} raised {key} by {more}")
        }
        Event::BudgetWarned { key, percent: 0, .. } => format!("{key} is below its warnings again"),
        Event::BudgetWarned { key, percent, .. } => format!("{key} is {percent} % spent"),
        Event::BudgetBreached { breach } => format!("{} is over: {}", breach.run, breach.text),
        Event::BudgetDayTurned { now } => format!("budgets count {} from now on", now.day()),
        Event::CostCorrected { correction } => {
            let [from, to] =
                [correction.from, correction.to].map(|one| amount(one.cost_uusd, one.state));
            format!(
                "{who} computed {} of {} anew: {from} is {to}",
                cut(&correction.model),
                correction.payer.agent
            )
        }
        _ => delivery_line(recorded, why),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds are handled further down")]
fn delivery_line(recorded: &Recorded, why: &str) -> String {
    let who = &recorded.actor;
    match &recorded.event {
        Event::SinksDeclared { sinks, .. } => {
            let names: Vec<_> = sinks.iter().map(|sink| cut(&sink.name)).collect();
            let names = if names.is_empty() { "nowhere".into() } else { names.join(", ") };
            format!("notices go to {names}")
        }
        Event::DeliveryFormed { delivery } => {
            format!("{} for {}: {}", delivery.id, cut(&delivery.sink), cut(&delivery.title))
        }
        Event::DeliveryTried { delivery, sink, outcome } => match outcome {
            Try::Delivered => format!("{} took {delivery}", cut(sink)),
            Try::Failed { error, .. } => {
                format!("{} did not take {delivery}: {}", cut(sink), cut(error))
            }
            Try::Refused { error } => {
                format!("{} refused {delivery} for good: {}", cut(sink), cut(error))
            }
        },
        Event::DeliveryExpired { delivery, sink } => {
            format!("{delivery} was given up: {} did not take it in time", cut(sink))
        }
        Event::NoticesExpired { sink, notices } => {
            format!("{} notices were given up: {} took none in time", notices.len(), cut(sink))
        }
        Event::DeliveriesRetried { sink } => {
            let what = sink.as_deref().map_or("every sink".into(), cut);
            format!("{who} has {what} tried again now")
        }
        _ => schedule_line(recorded, why),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds are handled further down")]
fn schedule_line(recorded: &Recorded, why: &str) -> String {
    let who = &recorded.actor;
    match &recorded.event {
        Event::ScheduleCreated { schedule } => {
            let TaskSchedule { id, cron, zone, task, .. } = schedule.as_ref();
            format!("{who} set {id} up, {cron} in {zone}: {}", cut(&task.title))
        }
        Event::ScheduleUpdated(ScheduleUpdated { schedule, .. }) => {
            format!("{who} changed {schedule}{why}")
        }
        Event::ScheduleStatusChanged(ScheduleStatusChanged { schedule, to, .. }) => {
            let did = match to {
                ScheduleStatus::Active => "resumed",
                ScheduleStatus::Paused => "paused",
                ScheduleStatus::Deleted => "deleted",
            };
            format!("{who} {did} {schedule}{why}")
        }
        Event::ScheduleCame { schedule, turn } => turn_line(*schedule, turn),
        _ => approval_line(recorded, why),
    }
}

/// What a schedule made of its occurrences, in one line.
fn turn_line(schedule: ScheduleId, turn: &Turn) -> String {
    let made: Vec<String> = turn.made.iter().map(|made| made.task.to_string()).collect();
    let made = match made.as_slice() {
        [] => "created nothing".to_owned(),
        [one] => format!("created {one}"),
        [first, .., last] => format!("created {} tasks, {first} to {last}", made.len()),
    };
    let left = turn.why.as_ref().map_or(String::new(), |why| format!("; {}", cut(why)));
    format!("{schedule} was due and {made}{left}")
}

/// Returns an amount as it is shown: what has no price is a question mark, never zero.
fn amount(uusd: MicroUsd, state: CostState) -> String {
    if state == CostState::Unpriced { "?".to_owned() } else { uusd.to_string() }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds are handled by `squad_line`")]
fn approval_line(recorded: &Recorded, why: &str) -> String {
    let who = &recorded.actor;
    match &recorded.event {
        Event::ApprovalRequested { approval } => {
            format!("{} asks for {}: {}", approval.agent, approval.id, cut(&approval.summary))
        }
        Event::ApprovalClosed { approval, status, note, .. } => {
            let note = note.as_ref().map_or(String::new(), |text| format!(": {}", cut(text)));
            format!("{who} {} {approval}{note}", approval_verb(*status))
        }
        Event::ApprovalUsed(ApprovalUsed { approval, agent, rewritten: Some(run), .. }) => {
            format!("{agent} used {approval}, as it was changed: {}", cut(&run.preview))
        }
        Event::ApprovalUsed(ApprovalUsed { approval, agent, .. }) => {
            format!("{agent} used {approval}")
        }
        Event::ApprovalEdited(ApprovalEdited { approval, edit, .. }) => {
            let note = edit.note.as_ref().map_or(String::new(), |text| format!(" ({})", cut(text)));
            format!("{who} changed {approval} to: {}{note}", cut(&edit.summary))
        }
        Event::ApprovalReminded(ApprovalReminded {
            approval,
            reminder: Reminder::HalfTime,
            ..
        }) => {
            format!("{approval} still waits, half of its time is over")
        }
        Event::ApprovalReminded(ApprovalReminded {
            approval,
            reminder: Reminder::LastCall,
            ..
        }) => {
            format!("{approval} is about to expire")
        }
        Event::ApprovalDropped(ApprovalDropped { approval, agent, .. }) => {
            format!("{agent} no longer holds the call of {approval}; it will be told")
        }
        Event::ApprovalEndorsed(ApprovalEndorsed { approval, .. }) => {
            format!("{who} said yes to {approval}; one more person is needed")
        }
        Event::RuleRemembered { rule } => {
            format!("{who} made standing rule {}: {}", rule.id, cut(&rule.summary))
        }
        Event::RuleUsed { rule, agent, call, .. } => format!("{rule} let {call} of {agent} pass"),
        Event::RuleRevoked { rule, .. } => format!("{who} revoked {rule}"),
        _ => squad_line(recorded, why),
    }
}

/// How far an emergency stop got, in one line.
fn stop_line(report: &StopReport) -> String {
    let open: Vec<&str> = report.open().map(|one| one.agent.as_str()).collect();
    match (open.is_empty(), report.last_end_ms) {
        (false, _) => format!("the stop of {} has not ended {} yet", report.by, open.join(", ")),
        (true, Some(ms)) => {
            format!("the stop of {} ended the last session after {ms} ms", report.by)
        }
        (true, None) => format!("the stop of {} found no session at work", report.by),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other kinds are handled by the functions above"
)]
fn squad_line(recorded: &Recorded, why: &str) -> String {
    let who = &recorded.actor;
    match &recorded.event {
        Event::SquadCreated { name } => format!("the squad is called {}", cut(name)),
        Event::SquadStatusChanged { from, to, tasks, back } => {
            let status = format!("{to:?}").to_lowercase();
            let what = match (from == to && *to != SquadStatus::Halted, back) {
                (true, Some(_)) => "had tasks of the stop moved back".to_owned(),
                (true, None) => format!("left {} tasks of the stop in Blocked", tasks.len()),
                (false, _) => format!("set the squad to {status}"),
            };
            format!("{who} {what}{why}")
        }
        Event::SquadStopReported { report } => stop_line(report),
        Event::PolicyActivated { version, .. } => format!("policy version {version} is in force"),
        Event::OperatorUnlocked { operator, success: true, .. } => format!("{operator} unlocked"),
        Event::OperatorUnlocked { operator, second_factor: true, .. } => {
            format!("{operator} gave a wrong second factor")
        }
        Event::OperatorUnlocked { operator, .. } => format!("{operator} gave a wrong passphrase"),
        Event::OperatorsChanged { by_uid, changes, .. } => {
            format!("who governs was changed by uid {by_uid}: {}", cut(&changes.join("; ")))
        }
        Event::ClockJumped { by_ms } => format!("the clock jumped by {by_ms} ms"),
        Event::RuntimeAttached(RuntimeAttached { name, version, .. }) => {
            format!("{name} attached, {}", cut(version))
        }
        Event::RuntimeDetached(RuntimeDetached { name, .. }) => format!("{name} detached"),
        Event::TokenRotated { name, .. } => format!("{who} gave {name} a new token"),
        Event::TokenRevoked { name } => format!("{who} ended the tokens of {name}"),
        Event::AdapterEnrolled(AdapterEnrolled { name, .. }) => {
            format!("{who} enrolled adapter {name}")
        }
        other => other.kind().to_owned(),
    }
}

fn cut(text: &str) -> String {
    redact::preview(text.lines().next().unwrap_or_default(), CHARS)
}

const fn said(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Comment => "said:",
        MessageKind::WorkPlan => "plans:",
        MessageKind::Progress => "reports:",
        MessageKind::Artifact => "made:",
        MessageKind::Review => "reviewed:",
        MessageKind::Decision => "decided:",
        MessageKind::System => "noted:",
    }
}

const fn status_verb(status: AgentStatus) -> &'static str {
    match status {
        AgentStatus::Active => "resumed",
        AgentStatus::Paused => "paused",
        AgentStatus::Drained => "drains",
        AgentStatus::Quarantined => "quarantined",
        AgentStatus::Stopped => "retired",
    }
}

const fn run_verb(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "goes on",
        RunStatus::Succeeded => "ended well",
        RunStatus::Failed => "failed",
        RunStatus::Aborted => "was aborted",
        RunStatus::TimedOut => "timed out",
    }
}

const fn call_verb(status: CallStatus) -> &'static str {
    match status {
        CallStatus::Allowed => "may run",
        CallStatus::Waiting => "waits",
        CallStatus::Denied => "was denied",
        CallStatus::Succeeded => "succeeded",
        CallStatus::Failed => "failed",
        CallStatus::Dropped => "was given up",
    }
}

const fn approval_verb(status: ApprovalStatus) -> &'static str {
    match status {
        ApprovalStatus::Pending => "asks for",
        ApprovalStatus::Approved => "approved",
        ApprovalStatus::Denied => "denied",
        ApprovalStatus::Expired => "let expire",
        ApprovalStatus::Canceled => "canceled",
    }
}
