//! The desks: one file a capability. Each command is load, ask the core, record, answer.

pub mod agent;
pub mod alert;
pub mod approval;
pub mod asking;
mod assigning;
mod binding;
mod breach;
pub mod budget;
mod budget_alerts;
mod case;
mod confirm;
mod contain;
pub mod cost;
mod decide_set;
mod delivery;
mod editing;
pub mod enrol;
mod evidence;
mod finality;
mod input;
mod life;
mod lists;
mod moves;
pub(crate) mod notify;
mod open_runs;
pub mod policy;
mod promote;
pub mod redeem;
mod reminding;
mod replay;
pub mod rule;
pub mod run;
mod schedule;
pub mod settle;
mod spawn;
pub mod squad;
pub mod stop;
mod stopped;
pub(crate) mod storage;
pub mod system;
pub mod task;
pub mod thread;
mod ticks;
pub mod tool;
mod unsettled;
pub mod views;

use mc_core::refusal::Refusal;
use mc_proto::{error::RpcError, method::Request};

use crate::{
    caller::Caller,
    live::Live,
    store::{
        Answer, Desk,
        desk::answer,
        queries::{self, Fail, Reader},
    },
};

/// Carries a command out and returns its answer as JSON.
///
/// # Errors
///
/// A refusal, or a fault of the store.
#[expect(clippy::wildcard_enum_match_arm, reason = "the commands on the squad have their own list")]
pub fn decide(desk: &mut Desk<'_>, request: Request) -> Result<Box<str>, Fail> {
    match request {
        Request::TaskCreate(p) => answer(&task::create(desk, p)?),
        Request::TaskUpdate(p) => answer(&task::update(desk, p)?),
        Request::TaskTransition(p) => answer(&moves::transition(desk, p)?),
        Request::TaskAssign(p) => answer(&moves::assign(desk, p)?),
        Request::TaskClaim(p) => answer(&moves::claim(desk, &p)?),
        Request::TaskStart(p) => answer(&moves::start(desk, p)?),
        Request::TaskSubmit(p) => answer(&moves::submit(desk, p)?),
        Request::TaskRequestChanges(p) => answer(&moves::request_changes(desk, p)?),
        Request::TaskComplete(p) => answer(&moves::complete(desk, p)?),
        Request::TaskBlock(p) => answer(&moves::block(desk, p)?),
        Request::TaskUnblock(p) => answer(&moves::unblock(desk, p)?),
        Request::TaskCancel(p) => answer(&moves::cancel(desk, p)?),
        Request::TaskReopen(p) => answer(&moves::reopen(desk, p)?),
        Request::TaskReportBlocker(p) => answer(&moves::report_blocker(desk, &p)?),
        Request::TaskSubscribe(p) => answer(&thread::subscribe(desk, p.task)?),
        Request::TaskUnsubscribe(p) => answer(&thread::unsubscribe(desk, p.task)?),
        Request::MessagePost(p) => answer(&thread::post(desk, p)?),
        Request::ArtifactPut(p) => answer(&thread::put_artifact(desk, p)?),
        Request::AgentRegister(p) => answer(&enrol::register(desk, p)?),
        Request::AgentUpdate(p) => answer(&agent::update(desk, p)?),
        Request::AgentRotateToken(p) => answer(&enrol::rotate_token(desk, p)?),
        Request::AgentRevokeToken(p) => answer(&enrol::revoke_token(desk, p)?),
        Request::AgentHeartbeat(p) => answer(&agent::heartbeat(desk, &p)?),
        Request::AgentPause(p) => answer(&stop::pause(desk, &p.agent, &p.reason)?),
        Request::AgentResume(p) => answer(&stop::resume(desk, &p.agent, &p.reason)?),
        Request::AgentDrain(p) => answer(&stop::drain(desk, &p.agent, &p.reason)?),
        Request::AgentQuarantine(p) => answer(&stop::quarantine(desk, &p.agent, &p.reason)?),
        Request::AgentStop(p) => answer(&stop::retire(desk, &p.agent, &p.reason)?),
        Request::AdapterEnrol(p) => answer(&enrol::adapter(desk, p)?),
        Request::RunStart(p) => answer(&run::start(desk, p)?),
        Request::RunReserve(p) => answer(&run::reserve(desk, &p)?),
        Request::RunUsage(p) => answer(&run::usage(desk, &p)?),
        Request::RunFinalize(p) => answer(&finality::finalize(desk, &p)?),
        Request::RunFinish(p) => answer(&run::finish(desk, p)?),
        Request::ToolCheck(p) => answer(&tool::check(desk, p)?),
        Request::ToolAwait(p) => answer(&redeem::wait(desk, &p)?),
        Request::ToolConfirm(p) => answer(&confirm::confirm(desk, &p)?),
        Request::ToolDrop(p) => answer(&tool::drop_call(desk, &p)?),
        Request::ToolFinish(p) => answer(&tool::finish(desk, p)?),
        Request::ApprovalRequest(p) => answer(&asking::request(desk, p)?),
        Request::ApprovalApprove(p) => answer(&approval::approve(desk, &p)?),
        Request::ApprovalEdit(p) => answer(&editing::edit(desk, p)?),
        Request::ApprovalDeny(p) => answer(&approval::deny(desk, &p)?),
        Request::ApprovalCancel(p) => answer(&approval::cancel(desk, &p)?),
        Request::ApprovalDecide(p) => answer(&decide_set::decide(desk, &p)?),
        Request::RuleRevoke(p) => answer(&rule::revoke(desk, &p)?),
        other => decide_for_squad(desk, other),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "queries never come to the writer")]
fn decide_for_squad(desk: &mut Desk<'_>, request: Request) -> Result<Box<str>, Fail> {
    match request {
        Request::SquadPause(p) => answer(&squad::pause(desk, &p.reason)?),
        Request::SquadResume(p) => answer(&squad::resume(desk, &p.reason)?),
        Request::SquadDrain(p) => answer(&squad::drain(desk, &p.reason)?),
        Request::SquadEmergencyResume(p) => answer(&squad::emergency_resume(desk, &p)?),
        Request::PolicyActivate(p) => answer(&policy::activate(desk, &p)?),
        Request::ScheduleCreate(p) => answer(&schedule::create(desk, p)?),
        Request::ScheduleUpdate(p) => answer(&schedule::update(desk, p)?),
        Request::SchedulePause(p) => answer(&schedule::pause(desk, p)?),
        Request::ScheduleResume(p) => answer(&schedule::resume(desk, p)?),
        Request::ScheduleDelete(p) => answer(&schedule::delete(desk, p)?),
        Request::BudgetSet(p) => answer(&budget::set(desk, &p)?),
        Request::BudgetRelease(p) => answer(&settle::release(desk, &p)?),
        Request::CostRecompute(p) => answer(&cost::recompute(desk, &p)?),
        Request::AlertAck(p) => answer(&alert::acknowledge(desk, p)?),
        Request::AlertResolve(p) => answer(&alert::resolve(desk, p)?),
        Request::NotificationAck(p) => answer(&alert::notification_ack(desk, &p)?),
        Request::DeliveryAttach(p) => answer(&delivery::attach(desk, p)?),
        Request::DeliveryNext(p) => answer(&delivery::next(desk, &p.sink)?),
        Request::DeliveryAnswers(p) => answer(&delivery::answers(desk, &p)?),
        Request::DeliveryDone(p) => answer(&delivery::done(desk, &p)?),
        Request::DeliveryTest(p) => answer(&delivery::test(desk, &p)?),
        Request::DeliveryRetry(p) => answer(&delivery::retry(desk, p)?),
        Request::RuntimeAttach(p) => answer(&system::attach(desk, p)?),
        Request::RuntimeReport(p) => answer(&system::report(desk, &p)?),
        other => {
            let text =
                format!("`{}` changes nothing and has no place at the writer", other.info().name);
            Err(Refusal::forbidden(text).into())
        }
    }
}

/// Says whether an agent or its adapter only tells what was done or used: facts, which are taken
/// whatever becomes of the agent.
pub fn is_report(request: &Request) -> bool {
    matches!(
        request,
        Request::AgentHeartbeat(_)
            | Request::RunUsage(_)
            | Request::RunFinish(_)
            | Request::ToolFinish(_)
            | Request::ToolDrop(_)
            | Request::RuntimeReport(_)
    )
}

/// Says whether the answer must not be kept for a repeated key: it holds a secret, or it lets
/// something run and is decided each time anew.
pub fn is_never_repeated(request: &Request) -> bool {
    matches!(
        request,
        Request::AgentRegister(_)
            | Request::AgentRotateToken(_)
            | Request::AdapterEnrol(_)
            | Request::ToolCheck(_)
            | Request::ToolAwait(_)
            | Request::ToolConfirm(_)
            | Request::RunStart(_)
            | Request::DeliveryNext(_)
            | Request::RunReserve(_)
    )
}

/// Answers a query from one snapshot.
///
/// # Errors
///
/// What the query refuses, or `unavailable`.
pub fn query(db: Reader<'_>, live: &Live, caller: &Caller, request: &Request) -> Answer {
    // These read one statement's rows, or page by page: a snapshot around it would only cost.
    let is_single =
        matches!(request, Request::TaskGet(_) | Request::AgentGet(_) | Request::PolicyReplay(_));
    let answer = if is_single {
        read(db, live, caller, request)
    } else {
        db.snapshot(|db| read(db, live, caller, request))
    };
    answer.map_err(|fail: Fail| match fail {
        Fail::Refused(refusal) => refusal.into(),
        Fail::Fault(error) => RpcError::from(error),
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "commands never come to a reader")]
fn read(db: Reader<'_>, live: &Live, caller: &Caller, request: &Request) -> Result<Box<str>, Fail> {
    match request {
        Request::TaskGet(p) => answer(&views::task_detail(db, live, caller, p.task)?),
        Request::TaskList(p) => answer(&lists::tasks(db, live, p)?),
        Request::TaskTimeline(p) => answer(&lists::timeline(db, p)?),
        Request::TaskAnswers(p) => answer(&views::answers(db, live, p.task)?),
        Request::TaskTransitions(_) => answer(&views::transitions()),
        Request::ScheduleList(p) => answer(&schedule::list(db, live, p)?),
        Request::ScheduleGet(p) => answer(&schedule::view(db, live, p.schedule)?),
        Request::MessageList(p) => answer(&lists::messages(db, p)?),
        Request::ArtifactGet(p) => answer(&views::artifact(db, p.task, &p.name)?),
        Request::AgentGet(p) => answer(&views::one_agent(db, live, &p.agent)?),
        Request::AgentList(p) => answer(&lists::agents(db, live, p)?),
        Request::AgentTree(_) => answer(&views::tree(db, live)?),
        Request::AgentEvidence(p) => answer(&evidence::bundle(db, live, p)?),
        Request::RunGet(p) => answer(&views::run_detail(db, p.run)?),
        Request::RunList(p) => answer(&lists::runs(db, p)?),
        Request::ToolList(p) => answer(&lists::calls(db, p)?),
        Request::PolicyGet(p) => answer(&views::policy(db, live, p.version)?),
        Request::PolicyHistory(p) => answer(&lists::policies(db, p)?),
        Request::PolicyValidate(p) => answer(&policy::validate(db, &p.toml)?),
        Request::PolicyReplay(p) => answer(&replay::replay(db, live, p)?),
        Request::PolicyOffer(p) => answer(&assigning::offered(db, live, p)?),
        Request::PolicyTest(p) => answer(&policy::test(db, live, caller, p)?),
        Request::ApprovalList(p) => answer(&lists::approvals(db, caller, p)?),
        Request::RuleList(p) => answer(&lists::rules(db, p)?),
        Request::ApprovalGet(p) => answer(&views::approval_detail(db, caller, p.approval)?),
        Request::SquadStatus(_) => answer(&views::status(db, live)?),
        Request::BudgetGet(p) => answer(&cost::get(db, live, p)?),
        Request::CostRollup(p) => answer(&cost::rollup(db, live, p)?),
        Request::CostForecast(p) => answer(&cost::forecast(db, live, p)?),
        Request::CostPrices(p) => answer(&cost::prices(live, p)),
        Request::AlertList(p) => answer(&lists::alerts(db, p)?),
        Request::NotificationList(p) => answer(&lists::notifications(db, caller, p)?),
        Request::DeliveryList(p) => answer(&delivery::list(db, p)?),
        Request::DeliveryGet(p) => answer(&queries::delivery(db, p.delivery)?),
        Request::DeliveryStatus(_) => answer(&delivery::health(db, live)?),
        Request::SnapshotGet(_) => answer(&views::snapshot(db, live, caller)?),
        Request::AuditVerify(p) => {
            answer(&crate::store::queries::verify(db, p.remembered.as_ref())?)
        }
        Request::AuditExport(p) => answer(&lists::journal(db, p)?),
        Request::AdminHealth(_) => answer(&views::health(db, live)?),
        Request::ProtocolDescribe(_) => answer(&mc_proto::describe::openrpc()),
        other => {
            let text = format!("`{}` is no query", other.info().name);
            Err(Refusal::forbidden(text).into())
        }
    }
}
