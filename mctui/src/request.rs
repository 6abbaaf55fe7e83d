//! What `update` asks the world to do, and what comes back.

use crate::{away::Notice, text};
use mc_core::{
    agent::AgentName,
    answers::Answers,
    approval::StandingRule,
    id::{ApprovalId, ScheduleId, TaskId},
    message::Message as ThreadMessage,
};
use mc_proto::{
    client::ClientError,
    error::ErrorKind,
    method::{
        agent::AgentView, approval, cost, feed::Snapshot, schedule, session, squad, task, thread,
    },
};

/// The number of a call, so that its answer finds what it belongs to.
pub type Ticket = u64;

/// What the pure part asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Ask the daemon.
    Call(Ticket, Call),
    /// Connect again now.
    Reconnect,
    /// Paint everything again.
    Repaint,
    /// Give the terminal back to the shell for a while.
    Suspend,
    /// Write the halt file, with who and why: the stop that needs no daemon.
    WriteHaltFile(String),
    /// Tell a person who is not looking.
    Notify(Notice),
    /// Put this into the clipboard.
    Copy(String),
    /// Write the text of a challenge to a file, so that it can be signed.
    Save(String),
    /// Write a view to a file.
    Export(String),
    /// Read a signature from the file of this name.
    ReadSignature(String),
    /// Let the operator's editor work on this text.
    Editor(String),
    /// Start the demo in place of the real daemon.
    Demo,
    /// End.
    Quit,
}

/// One question or order to the daemon.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Everything.
    Snapshot,
    /// The five answers of a task.
    Answers(TaskId),
    /// A task with what belongs to it.
    Task(TaskId),
    /// What happened to a task.
    Timeline(TaskId),
    /// What was said about a task.
    Thread(TaskId),
    /// An approval with its evidence.
    Approval(ApprovalId),
    /// The standing rules; also those that ended or were revoked.
    Rules(bool),
    /// The schedules with their next occurrences.
    Schedules,
    /// How agents stand and what they may spend.
    Agents,
    /// What work has cost on this day; today by default.
    Costs(Option<String>),
    /// The runs behind a number.
    Spend(Box<cost::Rollup>),
    /// Proves the passphrase.
    Unlock(session::Unlock),
    /// Gives the proof up.
    Lock,
    /// Who we are to the daemon now: the level falls by itself after idle minutes.
    Whoami,
    /// Opens a challenge for exactly this act: what a second factor has to prove.
    Challenge(Box<Act>),
    /// Something that changes the world, with a second factor when one was given for it.
    Act(Box<Act>, Option<session::SecondFactor>),
}

/// What an operator does to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AgentVerb {
    /// No run, no call.
    Pause,
    /// Works again.
    Resume,
    /// Finishes, then pauses.
    Drain,
    /// Stopped at once, tasks blocked.
    Quarantine,
}

impl AgentVerb {
    /// Returns the word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Drain => "drain",
            Self::Quarantine => "quarantine",
        }
    }
}

/// What an operator does to a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScheduleVerb {
    /// Creates nothing until it is resumed.
    Pause,
    /// Creates tasks again.
    Resume,
}

/// What an operator does to the squad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SquadVerb {
    /// No run, no call.
    Pause,
    /// Works again.
    Resume,
    /// Every agent finishes its task.
    Drain,
    /// Everything stops now.
    Stop,
}

/// Something that changes the world.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Moves a task through the general door.
    Move(task::Transition),
    /// Accepts a task.
    Complete(task::Complete),
    /// Gives a task to an agent.
    Assign(task::Assign),
    /// Makes a task.
    Create(task::Create),
    /// Writes into a thread.
    Post(thread::Post),
    /// Has seen an alert.
    Ack(squad::AlertAck),
    /// Ends an alert.
    Resolve(squad::AlertResolve),
    /// Says yes.
    Approve(approval::Approve),
    /// Says no.
    Deny(approval::Deny),
    /// Decides a marked set.
    Decide(approval::Decide),
    /// Puts other arguments in the place of the agent's own.
    Edit(approval::Edit),
    /// Ends a standing rule.
    Revoke(approval::RuleRevoke),
    /// Holds a schedule back or has it go on, and why.
    Schedule(ScheduleVerb, ScheduleId, Option<String>),
    /// Changes an agent's status.
    Agent(AgentVerb, AgentName, String),
    /// Changes the squad's status.
    Squad(SquadVerb, String),
    /// Ends an emergency stop, for all tasks or for some.
    Resume(squad::EmergencyResume),
    /// Ends a runtime's process that does not stop.
    EndRuntime(squad::EndRuntime),
}

impl Act {
    /// Returns the task whose card shows `~` until it is answered.
    pub const fn task(&self) -> Option<TaskId> {
        match self {
            Self::Move(call) => Some(call.task),
            Self::Complete(call) => Some(call.task),
            Self::Assign(call) => Some(call.task),
            Self::Post(_)
            | Self::Create(_)
            | Self::Ack(_)
            | Self::Resolve(_)
            | Self::Approve(_)
            | Self::Deny(_)
            | Self::Decide(_)
            | Self::Edit(_)
            | Self::Revoke(_)
            | Self::Schedule(..)
            | Self::Agent(..)
            | Self::Resume(_)
            | Self::EndRuntime(_)
            | Self::Squad(..) => None,
        }
    }

    /// Returns what it is called while it is not confirmed.
    pub fn label(&self) -> String {
        match self {
            Self::Move(call) => format!("{} to {}", call.task, call.to.title()),
            Self::Complete(call) => format!("{} to Done", call.task),
            Self::Assign(call) => format!("{} given away", call.task),
            Self::Create(_) => "new task".to_owned(),
            Self::Post(call) => format!("comment on {}", call.task),
            Self::Ack(call) => format!("ack of {}", call.alert),
            Self::Resolve(call) => format!("resolve of {}", call.alert),
            Self::Approve(call) => format!("approval of {}", call.approval),
            Self::Deny(call) => format!("denial of {}", call.approval),
            Self::Decide(call) => format!("decision on {} approvals", call.items.len()),
            Self::Edit(call) => format!("change of {}", call.approval),
            Self::Revoke(call) => format!("end of {}", call.rule),
            Self::Schedule(_, id, _) => format!("change of {id}"),
            Self::Agent(verb, name, _) => {
                format!("{} of {}", verb.word(), text::line(name).as_str())
            }
            Self::Resume(_) => "resume after the stop".to_owned(),
            Self::EndRuntime(call) => format!("end of process {}", call.pid),
            Self::Squad(..) => "order to the squad".to_owned(),
        }
    }
}

/// A good answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Everything.
    Snapshot(Box<Snapshot>),
    /// The five answers.
    Answers(TaskId, Box<Answers>),
    /// A task.
    Task(Box<task::Detail>),
    /// What happened, oldest first.
    Timeline(TaskId, Vec<task::TimelineItem>),
    /// What was said, oldest first.
    Thread(TaskId, Vec<ThreadMessage>),
    /// An approval.
    Approval(Box<approval::Detail>),
    /// The standing rules, newest first.
    Rules(Vec<StandingRule>),
    /// The schedules, newest first.
    Schedules(Vec<schedule::View>),
    /// How agents stand and what they may spend.
    Agents(Vec<AgentView>, Box<squad::Budgets>),
    /// What work has cost.
    Costs(Box<Costs>),
    /// The runs behind a number.
    Spend(Box<cost::RolledUp>),
    /// What became of a marked set.
    Decided(approval::DecidedSet),
    /// The level reached.
    Unlocked(session::UnlockResult),
    /// What a second factor has to prove, for this act.
    Challenged(Box<Act>, Box<session::Challenged>),
    /// Who we are now.
    Whoami(session::WhoAmI),
    /// What became of the squad.
    Squad(Box<squad::Receipt>),
    /// Something was done; in the daemon's or our words.
    Done(String),
}

/// What work has cost on one day, each page with its dearest rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Costs {
    /// By task.
    pub tasks: cost::RolledUp,
    /// By agent.
    pub agents: cost::RolledUp,
    /// By model.
    pub models: cost::RolledUp,
    /// By day, the fifteen up to today.
    pub days: cost::RolledUp,
    /// The caps as they stand now.
    pub budgets: squad::Budgets,
    /// Where today will end.
    pub forecast: cost::Forecasted,
}

/// Why there is no good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The daemon's word, when it was the daemon who refused.
    pub kind: Option<ErrorKind>,
    /// In words; foreign text.
    pub text: String,
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused(refused) => {
                let fields = refused
                    .data
                    .fields
                    .iter()
                    .map(|field| format!("{}: {}", field.field, field.message));
                let all: Vec<String> = std::iter::once(refused.message.clone())
                    .chain(fields.filter(|field| !refused.message.contains(field.as_str())))
                    .collect();
                Self { kind: Some(refused.kind()), text: all.join("; ") }
            }
            ClientError::Unreachable { .. } => Self { kind: None, text: error.to_string() },
            ClientError::Lost
            | ClientError::TimedOut(_)
            | ClientError::Answer { .. }
            | ClientError::Io(_) => Self {
                kind: None,
                text: format!("{error}: not known whether it was done, look before you repeat it"),
            },
        }
    }
}
