//! Calls to the daemon, made of what the pure part asks.

use mc_core::{approval::StandingRule, id::TaskId};
use mc_proto::{
    client::{CallOptions, Client, ClientError, challenge_for},
    method::{Method, agent, approval, feed, session, squad, task, thread},
};

use crate::request::{Act, AgentVerb, Call, Code, Failure, Reply, SquadVerb};

/// The largest number of pages that one list is followed for.
const PAGES: usize = 10;
/// A page.
const LIMIT: Option<i64> = Some(200);

/// Makes one call; `key` makes a repetition harmless.
pub(super) async fn perform(client: &Client, call: Call, key: String) -> Result<Reply, Failure> {
    Ok(match call {
        Call::Snapshot => Reply::Snapshot(Box::new(client.call(&feed::SnapshotGet {}).await?)),
        Call::Answers(task) => {
            Reply::Answers(task, Box::new(client.call(&task::AnswersGet { task }).await?))
        }
        Call::Task(task) => Reply::Task(Box::new(client.call(&task::Get { task }).await?)),
        Call::Timeline(task) => Reply::Timeline(task, timeline(client, task).await?),
        Call::Thread(task) => Reply::Thread(task, messages(client, task).await?),
        Call::Approval(approval) => {
            Reply::Approval(Box::new(client.call(&approval::Get { approval }).await?))
        }
        Call::Rules(all) => Reply::Rules(rules(client, all).await?),
        Call::Unlock(unlock) => Reply::Unlocked(client.call(&unlock).await?),
        Call::Whoami => Reply::Whoami(client.call(&session::Whoami {}).await?),
        Call::Lock => Reply::Whoami(client.call(&session::Lock {}).await?),
        Call::Act(act, code) => {
            let options = CallOptions { idempotency_key: Some(key), ..CallOptions::default() };
            return perform_act(&Sender { client, options, code }, *act).await;
        }
    })
}

struct Sender<'a> {
    client: &'a Client,
    options: CallOptions,
    code: Option<Code>,
}

impl Sender<'_> {
    async fn send<M: Method>(&self, call: &M) -> Result<M::Result, ClientError> {
        let mut options = self.options.clone();
        if let Some(Code(totp)) = &self.code {
            let challenge = challenge_for(call)?;
            let open = self.client.call(&challenge).await?;
            options.second_factor = Some(session::SecondFactor::code(open.challenge, totp.clone()));
        }
        self.client.call_with(call, &options).await
    }
}

async fn perform_act(to: &Sender<'_>, act: Act) -> Result<Reply, Failure> {
    Ok(match act {
        Act::Move(call) => moved(&to.send(&call).await?),
        Act::Complete(call) => moved(&to.send(&call).await?),
        Act::Assign(call) => moved(&to.send(&call).await?),
        Act::Create(call) => {
            let task = to.send(&call).await?;
            Reply::Done(format!("{} made: {}", task.id, task.title))
        }
        Act::Post(call) => {
            let message = to.send(&call).await?;
            Reply::Done(format!("{} stands in the thread of {}", message.id, message.task))
        }
        Act::Ack(call) => Reply::Done(format!("{} acknowledged", to.send(&call).await?.id)),
        Act::Resolve(call) => Reply::Done(format!("{} resolved", to.send(&call).await?.id)),
        Act::Approve(call) => receipt(&to.send(&call).await?),
        Act::Deny(call) => receipt(&to.send(&call).await?),
        Act::Decide(call) => Reply::Decided(to.send(&call).await?),
        Act::Revoke(call) => {
            let rule = to.send(&call).await?;
            Reply::Done(format!("{} is revoked: what it let pass is asked again", rule.id))
        }
        Act::Agent(verb, agent, reason) => agent_act(to, verb, (agent, reason)).await?,
        Act::Squad(verb, reason) => Reply::Squad(Box::new(squad_act(to, verb, reason).await?)),
    })
}

fn moved(moved: &task::Moved) -> Reply {
    let event = moved.transition.event.map(|event| format!(", {event}")).unwrap_or_default();
    let (from, to) = (moved.transition.from.title(), moved.transition.to.title());
    Reply::Done(format!("{}: {from} → {to}{event}", moved.task.id))
}

fn receipt(receipt: &approval::Receipt) -> Reply {
    Reply::Done(format!("{} ({})", receipt.text, receipt.event))
}

async fn agent_act(
    to: &Sender<'_>,
    verb: AgentVerb,
    (agent, reason): (mc_core::agent::AgentName, String),
) -> Result<Reply, ClientError> {
    let touched = match verb {
        AgentVerb::Pause => to.send(&agent::Pause { agent, reason }).await?,
        AgentVerb::Resume => to.send(&agent::Resume { agent, reason }).await?,
        AgentVerb::Drain => to.send(&agent::Drain { agent, reason }).await?,
        AgentVerb::Quarantine => to.send(&agent::Quarantine { agent, reason }).await?,
    };
    Ok(Reply::Done(format!(
        "{} is {}: {} tasks moved, {} approvals canceled, {} runs told to end",
        touched.agent.name,
        crate::story::word(&touched.agent.status),
        touched.tasks.len(),
        touched.approvals.len(),
        touched.runs.len()
    )))
}

async fn squad_act(
    to: &Sender<'_>,
    verb: SquadVerb,
    reason: String,
) -> Result<squad::Receipt, ClientError> {
    match verb {
        SquadVerb::Pause => to.send(&squad::Pause { reason }).await,
        SquadVerb::Resume => to.send(&squad::Resume { reason }).await,
        SquadVerb::Drain => to.send(&squad::Drain { reason }).await,
        SquadVerb::Stop => to.send(&squad::EmergencyStop { reason }).await,
        SquadVerb::EmergencyResume => {
            to.send(&squad::EmergencyResume { reason, tasks: None }).await
        }
    }
}

async fn timeline(client: &Client, task: TaskId) -> Result<Vec<task::TimelineItem>, ClientError> {
    let mut items = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES {
        let call = task::Timeline { task, limit: LIMIT, cursor, ..task::Timeline::default() };
        let page = client.call(&call).await?;
        items.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(items)
}

async fn rules(client: &Client, all: bool) -> Result<Vec<StandingRule>, ClientError> {
    let mut items = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = client.call(&approval::RuleList { all, limit: LIMIT, cursor }).await?;
        items.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(items)
}

async fn messages(
    client: &Client,
    task: TaskId,
) -> Result<Vec<mc_core::message::Message>, ClientError> {
    let mut items = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = client.call(&thread::MessageList { task, limit: LIMIT, cursor }).await?;
        items.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(items)
}
