//! The methods of the wire, typed once: clients call them, the daemon serves them, the documents
//! are made from them.

pub mod admin;
pub mod agent;
pub mod approval;
pub mod cost;
pub mod delivery;
pub mod feed;
pub mod remote;
pub mod replay;
pub mod run;
pub mod schedule;
pub mod session;
pub mod squad;
pub mod task;
pub mod thread;

use mc_core::{actor::Role, id::Seq, policy::Act, squad::RuntimeProcess};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    error::{ErrorKind, RpcError},
    strict::{self, Common},
};

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Operators and agents.
    All,
    /// Operators only: on the agents' socket there is no such method.
    Human,
    /// Agents, and adapters that speak for them.
    Agent,
    /// The notification helper, on a socket of its own: nowhere else is there such a method.
    Helper,
}

/// What a method does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Reads a snapshot.
    Query,
    /// Changes something: goes through the one writer, takes an `idempotency_key`.
    Command,
    /// Concerns the connection itself.
    Connection,
}

/// A method: its parameters are the type, its result hangs on it.
pub trait Method: Serialize + DeserializeOwned + JsonSchema {
    /// Its row in the table of methods.
    const INFO: MethodInfo;
    /// The name on the wire.
    const NAME: &'static str = Self::INFO.name;
    /// What it answers.
    type Result: Serialize + DeserializeOwned + JsonSchema;
}

/// What a method takes of an operator: see docs/ROLES.md, which is made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The least role.
    pub role: Role,
    /// The act that it is, for the level; where there are several, its parameters say which.
    pub acts: &'static [Act],
}

/// One row of the table of methods.
#[derive(Debug, Clone, Copy)]
pub struct MethodInfo {
    /// The name on the wire.
    pub name: &'static str,
    /// Who may call it.
    pub who: Who,
    /// What it does.
    pub kind: Kind,
    /// Whether `agent` is a parameter of its own.
    pub takes_agent: bool,
    /// What it takes of an operator who calls it; `None` when it only looks.
    pub need: Option<Need>,
    /// What it is for, in one sentence.
    pub doc: &'static str,
    /// The schema of its parameters.
    pub params: fn(&mut SchemaGenerator) -> Schema,
    /// The schema of its result.
    pub result: fn(&mut SchemaGenerator) -> Schema,
}

macro_rules! methods {
    ($($doc:literal $name:ident($params:ty) $wire:literal $who:ident $kind:ident $(takes $agent:ident)?
       $(needs $role:ident[$($act:ident)*])? -> $result:ty;)*) => {
        $(impl Method for $params {
            const INFO: MethodInfo = MethodInfo {
                name: $wire,
                who: Who::$who,
                kind: Kind::$kind,
                takes_agent: methods!(@takes $($agent)?),
                need: methods!(@need $($role[$($act)*])?),
                doc: $doc,
                params: <$params as JsonSchema>::json_schema,
                result: SchemaGenerator::subschema_for::<$result>,
            };
            type Result = $result;
        })*

        /// Every method there is.
        pub const METHODS: &[MethodInfo] = &[$(<$params as Method>::INFO,)*];

        /// A request, read.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Request {
            $(#[doc = $doc] $name($params),)*
        }

        impl Request {
            /// Returns the row of its method.
            pub fn info(&self) -> &'static MethodInfo {
                match self { $(Self::$name(_) => &<$params as Method>::INFO,)* }
            }

            /// Returns a hash of the method and its parameters in canonical form, in hex: what an
            /// idempotency key stands for.
            pub fn fingerprint(&self) -> String {
                match self {
                    $(Self::$name(params) => mc_core::canonical::digest($wire, params),)*
                }
            }

            fn read(method: &str, raw: Option<&RawValue>) -> Option<Read> {
                match method {
                    $($wire => Some(
                        strict::params::<$params>(raw, methods!(@takes $($agent)?))
                            .map(|(params, common)| (Self::$name(params), common)),
                    ),)*
                    _ => None,
                }
            }
        }
    };
    (@takes agent) => { true };
    (@takes) => { false };
    (@need $role:ident[$($act:ident)*]) => {
        Some(Need { role: Role::$role, acts: &[$(Act::$act),*] })
    };
    (@need) => { None };
}

methods! {
    "Says who calls; must be the first request of a connection."
    SessionHello(session::Hello) "session.hello" All Connection takes agent -> session::HelloResult;
    "Proves the operator's passphrase for this connection."
    SessionUnlock(session::Unlock) "session.unlock" Human Connection -> session::UnlockResult;
    "Opens a challenge that a second factor answers, for one request of this connection."
    SessionChallenge(session::Challenge) "session.challenge" Human Connection -> session::Challenged;
    "Gives the proof up."
    SessionLock(session::Lock) "session.lock" Human Connection -> session::WhoAmI;
    "Says as whom the daemon sees the caller."
    SessionWhoami(session::Whoami) "session.whoami" All Connection -> session::WhoAmI;
    "Answers at once."
    Ping(session::Ping) "ping" All Connection -> session::Pong;

    "Creates a task."
    TaskCreate(task::Create) "task.create" All Command needs Operator[Assign] -> mc_core::task::Task;
    "Returns a task with what belongs to it."
    TaskGet(task::Get) "task.get" All Query -> task::Detail;
    "Lists tasks as cards."
    TaskList(task::List) "task.list" All Query -> Page<mc_core::task::TaskCard>;
    "Changes fields of a task; an agent only description and labels of its own."
    TaskUpdate(task::Update) "task.update" All Command needs Operator[Assign Budget] -> mc_core::task::Task;
    "Moves a task; the general door."
    TaskTransition(task::Transition) "task.transition" All Command needs Operator[Assign Unblock Complete Cancel] -> task::Moved;
    "Gives an Inbox task to agents, or another agent to an assigned one."
    TaskAssign(task::Assign) "task.assign" All Command needs Operator[Assign Unblock] -> task::Moved;
    "Takes a task for the calling agent; the fence goes with its later moves."
    TaskClaim(task::Claim) "task.claim" Agent Command -> task::Moved;
    "Begins work, with a plan of 3 to 6 steps."
    TaskStart(task::Start) "task.start" All Command needs Operator[Assign Unblock] -> task::Moved;
    "Hands the deliverable in for review."
    TaskSubmit(task::Submit) "task.submit" All Command needs Operator[Assign] -> task::Moved;
    "Sends a task back from Review with feedback."
    TaskRequestChanges(task::RequestChanges) "task.request_changes" All Command needs Operator[Assign] -> task::Moved;
    "Accepts a reviewed task: Done."
    TaskComplete(task::Complete) "task.complete" Human Command needs Operator[Complete] -> task::Moved;
    "Blocks a task."
    TaskBlock(task::Block) "task.block" Human Command needs Operator[Assign] -> task::Moved;
    "Unblocks a task."
    TaskUnblock(task::Unblock) "task.unblock" Human Command needs Operator[Unblock] -> task::Moved;
    "Gives a task up."
    TaskCancel(task::Cancel) "task.cancel" Human Command needs Operator[Cancel] -> task::Moved;
    "Opens a done task again."
    TaskReopen(task::Reopen) "task.reopen" Human Command needs Operator[Assign] -> task::Moved;
    "Says that the agent is stuck; the system then blocks the task."
    TaskReportBlocker(task::ReportBlocker) "task.report_blocker" Agent Command -> task::Moved;
    "Follows a task."
    TaskSubscribe(task::Subscribe) "task.subscribe" All Command needs Operator[Comment] -> mc_core::task::Task;
    "No longer follows a task."
    TaskUnsubscribe(task::Unsubscribe) "task.unsubscribe" All Command needs Operator[Comment] -> mc_core::task::Task;
    "Returns everything that happened to a task, in order."
    TaskTimeline(task::Timeline) "task.timeline" All Query -> Page<task::TimelineItem>;
    "Answers what happened, who did it, why, what it cost and what comes next."
    TaskAnswers(task::AnswersGet) "task.answers" All Query -> mc_core::answers::Answers;
    "Returns the table of moves as data."
    TaskTransitions(task::Transitions) "task.transitions" All Query -> task::TransitionTable;

    "Sets a schedule up, which creates a task each time it is due."
    ScheduleCreate(schedule::Create) "schedule.create" Human Command needs Operator[Assign] -> mc_core::schedule::TaskSchedule;
    "Changes a schedule; new times count from now on."
    ScheduleUpdate(schedule::Update) "schedule.update" Human Command needs Operator[Assign] -> mc_core::schedule::TaskSchedule;
    "Lists the schedules that are not deleted, newest first, with their next occurrences."
    ScheduleList(schedule::List) "schedule.list" Human Query -> Page<schedule::View>;
    "Returns a schedule with its next occurrences and its newest tasks."
    ScheduleGet(schedule::Get) "schedule.get" Human Query -> schedule::View;
    "Has a schedule create nothing; what comes meanwhile is not made up for."
    SchedulePause(schedule::Pause) "schedule.pause" Human Command needs Operator[Assign] -> mc_core::schedule::TaskSchedule;
    "Has a paused schedule create tasks again, from now on."
    ScheduleResume(schedule::Resume) "schedule.resume" Human Command needs Operator[Assign] -> mc_core::schedule::TaskSchedule;
    "Ends a schedule; its tasks stay."
    ScheduleDelete(schedule::Delete) "schedule.delete" Human Command needs Operator[Assign] -> mc_core::schedule::TaskSchedule;

    "Posts a message to a task's thread."
    MessagePost(thread::Post) "message.post" All Command needs Operator[Comment] -> mc_core::message::Message;
    "Lists a thread, oldest first."
    MessageList(thread::MessageList) "message.list" All Query -> Page<mc_core::message::Message>;
    "Stores a thing that was made for a task."
    ArtifactPut(thread::ArtifactPut) "artifact.put" All Command needs Operator[Comment] -> mc_core::message::Artifact;
    "Returns an artifact with its content."
    ArtifactGet(thread::ArtifactGet) "artifact.get" All Query -> thread::ArtifactContent;

    "Registers an agent and returns its token, once."
    AgentRegister(agent::Register) "agent.register" All Command needs Admin[Tokens] -> agent::Registered;
    "Returns an agent."
    AgentGet(agent::Get) "agent.get" All Query takes agent -> agent::AgentView;
    "Lists agents."
    AgentList(agent::List) "agent.list" All Query -> Page<agent::AgentView>;
    "Returns the agents as a tree of parents and children."
    AgentTree(agent::Tree) "agent.tree" All Query -> agent::TreeResult;
    "Returns all that is needed to judge an agent: as it stood when it was quarantined last, or now."
    AgentEvidence(agent::EvidenceGet) "agent.evidence" Human Query takes agent -> agent::Bundle;
    "Changes fields of an agent."
    AgentUpdate(agent::Update) "agent.update" Human Command takes agent needs Admin[Tokens] -> mc_core::agent::Agent;
    "Gives an agent or adapter a new token; the old one is good for 10 more minutes."
    AgentRotateToken(agent::RotateToken) "agent.rotate_token" Human Command takes agent needs Admin[Tokens] -> agent::Token;
    "Ends all tokens of an agent or adapter at once."
    AgentRevokeToken(agent::RevokeToken) "agent.revoke_token" Human Command takes agent needs Admin[Tokens] -> agent::Done;
    "Says that an agent is alive, and returns what it needs to act."
    AgentHeartbeat(agent::Heartbeat) "agent.heartbeat" Agent Command -> agent::Beat;
    "Pauses an agent: no run, no tool call; a running turn is aborted."
    AgentPause(agent::Pause) "agent.pause" Human Command takes agent needs Operator[Pause] -> agent::Touched;
    "Lets an agent work again."
    AgentResume(agent::Resume) "agent.resume" Human Command takes agent needs Operator[Resume] -> agent::Touched;
    "Lets an agent finish its task, then pauses it."
    AgentDrain(agent::Drain) "agent.drain" Human Command takes agent needs Operator[Drain] -> agent::Touched;
    "Stops an agent at once and blocks its tasks."
    AgentQuarantine(agent::Quarantine) "agent.quarantine" Human Command takes agent needs Operator[Quarantine] -> agent::Touched;
    "Retires an agent."
    AgentStop(agent::Stop) "agent.stop" Human Command takes agent needs Operator[Quarantine] -> agent::Touched;
    "Lets an adapter speak for agents and returns its token, once."
    AdapterEnrol(agent::AdapterEnrol) "adapter.enrol" Human Command needs Admin[Tokens] -> agent::AdapterToken;

    "Asks to begin a run: the run gate."
    RunStart(run::Start) "run.start" Agent Command -> run::Started;
    "Asks whether a model call may be made, and promises its cost."
    RunReserve(run::Reserve) "run.reserve" Agent Command -> run::Reserved;
    "Reports what a model call used."
    RunUsage(run::Usage) "run.usage" Agent Command -> run::Spent;
    "Asks whether a turn may end: one that leaves no word on its task is sent back once."
    RunFinalize(run::Finalize) "run.finalize" Agent Command -> run::Finalized;
    "Reports the end of a run."
    RunFinish(run::Finish) "run.finish" Agent Command -> mc_core::run::Run;
    "Returns a run with its tool calls."
    RunGet(run::Get) "run.get" All Query -> run::Detail;
    "Lists runs, newest first."
    RunList(run::List) "run.list" All Query takes agent -> Page<mc_core::run::Run>;
    "Asks whether a tool call may run: the tool gate."
    ToolCheck(run::Check) "tool.check" Agent Command -> run::Checked;
    "Waits for the decision on an approval."
    ToolAwait(run::Await) "tool.await" Agent Command -> run::Awaited;
    "Asks whether a command that is about to run was allowed a moment ago: the second lock."
    ToolConfirm(run::Confirm) "tool.confirm" Agent Command -> run::Confirmed;
    "Says that the runtime no longer holds a call."
    ToolDrop(run::Drop) "tool.drop" Agent Command -> mc_core::run::ToolCall;
    "Reports the end of a tool call."
    ToolFinish(run::ToolFinish) "tool.finish" Agent Command -> mc_core::run::ToolCall;
    "Lists tool calls, newest first."
    ToolList(run::ToolList) "tool.list" All Query takes agent -> Page<mc_core::run::ToolCall>;

    "Returns the policy in force, or an earlier version of it."
    PolicyGet(admin::PolicyGet) "policy.get" All Query -> admin::PolicyVersion;
    "Lists the versions of the policy, newest first."
    PolicyHistory(admin::PolicyHistory) "policy.history" Human Query -> Page<admin::PolicyVersion>;
    "Says what is wrong with a policy file."
    PolicyValidate(admin::PolicyValidate) "policy.validate" Human Query -> admin::Findings;
    "Brings a policy into force and records it as a new version."
    PolicyActivate(admin::PolicyActivate) "policy.activate" Human Command needs Admin[Policy] -> admin::PolicyVersion;
    "Says which recorded calls a candidate policy would have answered otherwise."
    PolicyReplay(replay::PolicyReplay) "policy.replay" Human Query -> replay::Replayed;
    "Says to whom the rules of assignment would give a task, and why, and records nothing."
    PolicyOffer(admin::PolicyOffer) "policy.offer" Human Query -> admin::Offered;
    "Says what a call would get, and records nothing."
    PolicyTest(admin::PolicyTest) "policy.test" All Query takes agent -> mc_core::policy::Decision;

    "Asks a human."
    ApprovalRequest(approval::Ask) "approval.request" Agent Command -> mc_core::approval::Approval;
    "Lists approvals; an agent sees its own."
    ApprovalList(approval::List) "approval.list" All Query takes agent -> Page<mc_core::approval::Approval>;
    "Returns an approval with its statement and digest."
    ApprovalGet(approval::Get) "approval.get" All Query -> approval::Detail;
    "Says yes to exactly what the digest stands for."
    ApprovalApprove(approval::Approve) "approval.approve" Human Command needs Operator[ApproveGreen ApproveYellow ApproveRed Remember Budget] -> approval::Receipt;
    "Says no, with a reason that the agent gets."
    ApprovalDeny(approval::Deny) "approval.deny" Human Command needs Operator[Deny] -> approval::Receipt;
    "Changes the arguments of a call that waits; what is decided on is the changed call."
    ApprovalEdit(approval::Edit) "approval.edit" Human Command needs Operator[Assign] -> approval::Receipt;
    "Decides a marked set, with a receipt for each."
    ApprovalDecide(approval::Decide) "approval.decide" Human Command needs Operator[ApproveYellow Deny] -> approval::DecidedSet;
    "Lists the standing rules."
    RuleList(approval::RuleList) "rule.list" Human Query -> Page<mc_core::approval::StandingRule>;
    "Revokes a standing rule."
    RuleRevoke(approval::RuleRevoke) "rule.revoke" Human Command needs Operator[Cancel] -> mc_core::approval::StandingRule;
    "Withdraws a question."
    ApprovalCancel(approval::Cancel) "approval.cancel" All Command needs Operator[Cancel] -> approval::Receipt;

    "Returns how the squad stands."
    SquadStatus(squad::StatusGet) "squad.status" All Query -> squad::Status;
    "Pauses every agent at once."
    SquadPause(squad::Pause) "squad.pause" Human Command needs Operator[Pause] -> squad::Receipt;
    "Ends a pause of the squad."
    SquadResume(squad::Resume) "squad.resume" Human Command needs Operator[Resume] -> squad::Receipt;
    "Lets every agent finish its task, then pauses it."
    SquadDrain(squad::Drain) "squad.drain" Human Command needs Operator[Drain] -> squad::Receipt;
    "Stops everything now."
    SquadEmergencyStop(squad::EmergencyStop) "squad.emergency_stop" Human Command needs Operator[EmergencyStop] -> squad::Receipt;
    "Ends the process of a runtime that an emergency stop did not end, with all its agents' sessions."
    SquadEndRuntime(squad::EndRuntime) "squad.end_runtime" Human Command needs Operator[EmergencyStop] -> RuntimeProcess;
    "Ends an emergency stop and moves tasks back to where they were."
    SquadEmergencyResume(squad::EmergencyResume) "squad.emergency_resume" Human Command needs Admin[EmergencyResume] -> squad::Receipt;
    "Returns caps and what is spent of them."
    BudgetGet(squad::BudgetGet) "budget.get" All Query takes agent -> squad::Budgets;
    "Sets a cap; below what is spent nothing more may be spent, at once."
    BudgetSet(squad::BudgetSet) "budget.set" Human Command needs Admin[Budget] -> squad::Budgets;
    "Corrects a reservation that was never settled."
    BudgetRelease(squad::BudgetRelease) "budget.release" Human Command needs Operator[Budget] -> mc_core::budget::Reservation;
    "Sums costs up, with the share that is attributed."
    CostRollup(cost::Rollup) "cost.rollup" All Query takes agent -> cost::RolledUp;
    "Says what the day will have cost at its end, and how spending goes."
    CostForecast(cost::Forecast) "cost.forecast" All Query takes agent -> cost::Forecasted;
    "Returns the price table in force."
    CostPrices(cost::Prices) "cost.prices" All Query -> cost::PriceList;
    "Computes derived and unpriced costs anew with the prices in force."
    CostRecompute(cost::Recompute) "cost.recompute" Human Command needs Operator[Budget] -> cost::Recomputed;
    "Lists alerts, newest first."
    AlertList(squad::AlertList) "alert.list" All Query -> Page<mc_core::alert::Alert>;
    "Says that somebody has seen an alert."
    AlertAck(squad::AlertAck) "alert.ack" Human Command needs Operator[Comment] -> mc_core::alert::Alert;
    "Says that an alert is over."
    AlertResolve(squad::AlertResolve) "alert.resolve" Human Command needs Operator[Comment] -> mc_core::alert::Alert;
    "Lists the caller's notifications, newest first."
    NotificationList(squad::NotificationList) "notification.list" All Query -> Page<mc_core::alert::Notification>;
    "Says that a notification arrived."
    NotificationAck(squad::NotificationAck) "notification.ack" All Command needs Operator[Comment] -> mc_core::alert::Notification;

    "Says which sinks the helper serves."
    DeliveryAttach(delivery::Attach) "delivery.attach" Helper Command -> delivery::Attached;
    "Takes what is due for a sink; waits for it when asked to."
    DeliveryNext(delivery::Next) "delivery.next" Helper Command -> delivery::Due;
    "Says how a try ended."
    DeliveryDone(delivery::Done) "delivery.done" Helper Command -> mc_core::delivery::Delivery;
    "Says whether answers can be taken from a sink."
    DeliveryAnswers(delivery::Answers) "delivery.answers" Helper Command -> delivery::SinkHealth;
    "Lists what went out to sinks and what waits, newest first."
    DeliveryList(delivery::List) "delivery.list" Human Query -> Page<mc_core::delivery::Delivery>;
    "Returns a delivery."
    DeliveryGet(delivery::Get) "delivery.get" Human Query -> mc_core::delivery::Delivery;
    "Returns how the sinks are."
    DeliveryStatus(delivery::StatusGet) "delivery.status" Human Query -> delivery::Health;
    "Sends a sink a test."
    DeliveryTest(delivery::Test) "delivery.test" Human Command needs Operator[Comment] -> mc_core::delivery::Delivery;
    "Has what waits tried again now."
    DeliveryRetry(delivery::Retry) "delivery.retry" Human Command needs Operator[Comment] -> delivery::Health;

    "Shows an approval that may be answered from elsewhere."
    RemoteShow(remote::Show) "remote.show" Helper Query -> remote::Shown;
    "Answers an approval for a person whom identity.toml knows by an account elsewhere."
    RemoteDecide(remote::Decide) "remote.decide" Helper Command -> approval::Receipt;

    "Returns board, agents, approvals, alerts and counters at one point of the journal."
    SnapshotGet(feed::SnapshotGet) "snapshot.get" All Query -> feed::Snapshot;
    "Follows the journal: replays from `since`, then sends what comes."
    FeedSubscribe(feed::Subscribe) "feed.subscribe" All Connection -> feed::Head;
    "Ends the feed."
    FeedUnsubscribe(feed::Unsubscribe) "feed.unsubscribe" All Connection -> feed::Head;

    "Checks the journal's hash chain."
    AuditVerify(admin::AuditVerify) "audit.verify" Human Query -> admin::Verified;
    "Returns a page of the journal."
    AuditExport(admin::AuditExport) "audit.export" Human Query -> Page<admin::JournalRow>;
    "Returns how the daemon itself is."
    AdminHealth(admin::HealthGet) "admin.health" Human Query -> admin::Health;
    "Returns this table as an OpenRPC document."
    ProtocolDescribe(admin::ProtocolDescribe) "protocol.describe" All Query -> serde_json::Value;

    "Says which runtime stands behind this connection and what it can be ordered to do."
    RuntimeAttach(feed::Attach) "runtime.attach" Agent Command -> feed::Attached;
    "Says whether the runtime's gate is in force."
    RuntimeReport(feed::Report) "runtime.report" Agent Command -> feed::Attached;
}

// What changes something on behalf of a human has a need; a row that forgot it doesn't compile.
#[expect(clippy::indexing_slicing, reason = "an index that is too high does not compile")]
const _: () = {
    let mut at = 0;
    while at < METHODS.len() {
        let row = &METHODS[at];
        let is_human_act =
            matches!(row.kind, Kind::Command) && matches!(row.who, Who::All | Who::Human);
        let acts = match row.need {
            Some(need) => need.acts.len(),
            None => 0,
        };
        assert!(is_human_act == (acts > 0), "a command of humans says `needs Role[Act]`");
        at += 1;
    }
};

/// A request with what is common to all, or what is wrong with it.
type Read = Result<(Request, Common), strict::Wrong>;

impl Request {
    /// Reads the request `method` with its parameters.
    ///
    /// # Errors
    ///
    /// `unknown_method`, or `invalid_params` with what is wrong.
    pub fn parse(method: &str, raw: Option<&RawValue>) -> Result<(Self, Common), RpcError> {
        let read = Self::read(method, raw).ok_or_else(|| unknown(method))?;
        read.map_err(|error| unreadable(method, &error))
    }
}

/// Reads the parameters of `M`, as [`Request::parse`] does.
///
/// # Errors
///
/// `invalid_params` with what is wrong.
pub fn params<M: Method>(raw: Option<&RawValue>) -> Result<(M, Common), RpcError> {
    strict::params(raw, M::INFO.takes_agent).map_err(|error| unreadable(M::NAME, &error))
}

fn unreadable(method: &str, wrong: &strict::Wrong) -> RpcError {
    let reason = wrong.error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default();
    let Some(field) = &wrong.at else {
        // It names what is missing, or what nobody knows.
        let field = reason.split('`').nth(1).unwrap_or("params").to_owned();
        let mut answer = RpcError::invalid(field, reason);
        answer.message = format!("{method}: {reason}");
        return answer;
    };
    let mut answer = RpcError::invalid(field, reason);
    answer.message = format!("{method}: `{field}`: {reason}");
    answer
}

/// Returns the answer to a method that this socket does not have.
pub fn unknown(method: &str) -> RpcError {
    let name: String = method.chars().filter(|c| !c.is_control()).take(64).collect();
    RpcError::new(
        ErrorKind::UnknownMethod,
        format!("no method `{name}` here; protocol.describe lists what there is"),
    )
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// How many items match in all.
    pub total: i64,
    /// The journal sequence that the page reflects.
    pub head: Seq,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn names_are_unique() {
        for (at, row) in METHODS.iter().enumerate() {
            assert!(METHODS[..at].iter().all(|other| other.name != row.name), "{}", row.name);
        }
    }

    #[test]
    fn a_request_reads_its_parameters_and_its_key() {
        let params = raw(r#"{"title":"x","type":"docs","idempotency_key":"k1"}"#);
        let (request, common) = Request::parse("task.create", Some(&params)).unwrap();
        assert_eq!(request.info().name, "task.create");
        assert_eq!(common.idempotency_key.as_deref(), Some("k1"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |method: &str, text: &str| {
            Request::parse(method, Some(&raw(text))).expect_err("must be refused")
        };
        assert_eq!(wrong("task.fly", "{}").kind(), ErrorKind::UnknownMethod);
        let missing = wrong("task.create", r#"{"type":"docs"}"#);
        assert_eq!(missing.kind(), ErrorKind::InvalidParams);
        assert_eq!(missing.data.fields[0].field, "title");
        let unknown = wrong("task.create", r#"{"title":"x","type":"docs","colour":1}"#);
        assert_eq!(unknown.data.fields[0].field, "colour");
        let half = wrong("run.usage", r#"{"run":"R-1","model":"m","input_tokens":0.5}"#);
        assert_eq!(half.data.fields[0].field, "input_tokens");
        let text = "run.usage: `input_tokens`: invalid type: floating point `0.5`, expected i64";
        assert_eq!(half.message, text);
    }
}
