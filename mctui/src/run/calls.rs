//! Calls to the daemon, made of what the pure part asks.

use mc_core::id::ScheduleId;
use mc_proto::{
    client::{CallOptions, Client, ClientError, challenge_for},
    method::{Method, Page, agent, approval, cost, feed, schedule, session, squad, task, thread},
};

use crate::request::{Act, AgentVerb, Call, Costs, Failure, Reply, ScheduleVerb, SquadVerb};

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
        Call::Timeline(task) => {
            let of = |cursor| task::Timeline { task, limit: LIMIT, cursor, ..Default::default() };
            Reply::Timeline(task, all(client, of).await?)
        }
        Call::Thread(task) => {
            let of = |cursor| thread::MessageList { task, limit: LIMIT, cursor };
            Reply::Thread(task, all(client, of).await?)
        }
        Call::Approval(approval) => {
            Reply::Approval(Box::new(client.call(&approval::Get { approval }).await?))
        }
        Call::Rules(ended) => {
            let of = |cursor| approval::RuleList { all: ended, limit: LIMIT, cursor };
            Reply::Rules(all(client, of).await?)
        }
        Call::Schedules => {
            let of = |cursor| schedule::List { limit: LIMIT, cursor };
            Reply::Schedules(all(client, of).await?)
        }
        Call::Agents => {
            let budgets = Box::new(client.call(&squad::BudgetGet::default()).await?);
            let of = |cursor| agent::List { limit: LIMIT, cursor };
            Reply::Agents(all(client, of).await?, budgets)
        }
        Call::Costs(day) => Reply::Costs(Box::new(costs(client, day).await?)),
        Call::Spend(rollup) => Reply::Spend(Box::new(client.call(rollup.as_ref()).await?)),
        Call::Unlock(unlock) => Reply::Unlocked(client.call(&unlock).await?),
        Call::Whoami => Reply::Whoami(client.call(&session::Whoami {}).await?),
        Call::Lock => Reply::Whoami(client.call(&session::Lock {}).await?),
        Call::Challenge(act) => {
            let options = CallOptions::default();
            let sender = Sender { client, options, purpose: Purpose::Challenge };
            match perform_act(&sender, (*act).clone()).await {
                Err(Stop::Opened(open)) => Reply::Challenged(act, open),
                Err(Stop::Failed(error)) => return Err(error.into()),
                Ok(reply) => reply,
            }
        }
        Call::Act(act, factor) => {
            let options = CallOptions {
                idempotency_key: Some(key),
                second_factor: factor,
                ..CallOptions::default()
            };
            let sender = Sender { client, options, purpose: Purpose::Do };
            match perform_act(&sender, *act).await {
                Ok(reply) => reply,
                Err(Stop::Failed(error)) => return Err(error.into()),
                Err(Stop::Opened(_)) => Reply::Done(String::new()),
            }
        }
    })
}

/// What an act is turned into a call for.
#[derive(Clone, Copy)]
enum Purpose {
    /// To be done.
    Do,
    /// To open a challenge for it, so that what is proved is exactly what will be sent.
    Challenge,
}

/// Why a call came back without its result.
enum Stop {
    Failed(ClientError),
    Opened(Box<session::Challenged>),
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        Self::Failed(error)
    }
}

struct Sender<'a> {
    client: &'a Client,
    options: CallOptions,
    purpose: Purpose,
}

impl Sender<'_> {
    async fn send<M: Method>(&self, call: &M) -> Result<M::Result, Stop> {
        match self.purpose {
            Purpose::Do => Ok(self.client.call_with(call, &self.options).await?),
            Purpose::Challenge => {
                let open = self.client.call(&challenge_for(call)?).await?;
                Err(Stop::Opened(Box::new(open)))
            }
        }
    }
}

async fn perform_act(to: &Sender<'_>, act: Act) -> Result<Reply, Stop> {
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
        Act::Edit(call) => receipt(&to.send(&call).await?),
        Act::Decide(call) => Reply::Decided(to.send(&call).await?),
        Act::Revoke(call) => {
            let rule = to.send(&call).await?;
            Reply::Done(format!("{} is revoked: what it let pass is asked again", rule.id))
        }
        Act::Schedule(verb, schedule, reason) => schedule_act(to, verb, (schedule, reason)).await?,
        Act::Agent(verb, agent, reason) => agent_act(to, verb, (agent, reason)).await?,
        Act::Resume(call) => Reply::Squad(Box::new(to.send(&call).await?)),
        Act::EndRuntime(call) => {
            let process = to.send(&call).await?;
            let done = &process.detail;
            Reply::Done(format!("process {}: {done}; ! shows when it is gone", process.pid))
        }
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

async fn schedule_act(
    to: &Sender<'_>,
    verb: ScheduleVerb,
    (schedule, reason): (ScheduleId, Option<String>),
) -> Result<Reply, Stop> {
    let changed = match verb {
        ScheduleVerb::Pause => to.send(&schedule::Pause { schedule, reason }).await?,
        ScheduleVerb::Resume => to.send(&schedule::Resume { schedule, reason }).await?,
    };
    Ok(Reply::Done(match changed.next_at {
        Some(at) => format!("{} goes on: next {} UTC", changed.id, crate::format::minute(at)),
        None => format!("{} is {}", changed.id, crate::story::word(&changed.status)),
    }))
}

async fn agent_act(
    to: &Sender<'_>,
    verb: AgentVerb,
    (agent, reason): (mc_core::agent::AgentName, String),
) -> Result<Reply, Stop> {
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
) -> Result<squad::Receipt, Stop> {
    match verb {
        SquadVerb::Pause => to.send(&squad::Pause { reason }).await,
        SquadVerb::Resume => to.send(&squad::Resume { reason }).await,
        SquadVerb::Drain => to.send(&squad::Drain { reason }).await,
        SquadVerb::Stop => to.send(&squad::EmergencyStop { reason }).await,
    }
}

/// Returns all items of a list, as far as it is followed; `ask` makes the call for a page.
async fn all<M, T>(
    client: &Client,
    ask: impl Fn(Option<String>) -> M,
) -> Result<Vec<T>, ClientError>
where
    M: Method<Result = Page<T>>,
{
    let mut items = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = client.call(&ask(cursor)).await?;
        items.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(items)
}

/// Returns what the screen of costs shows for `day`; today by default.
async fn costs(client: &Client, day: Option<String>) -> Result<Costs, ClientError> {
    let forecast = client.call(&cost::Forecast::default()).await?;
    let day = day.unwrap_or_else(|| forecast.day.clone());
    let sums = |by, since: String, until: String| cost::Rollup {
        by: vec![by],
        since: Some(since),
        until: Some(until),
        limit: LIMIT,
        ..cost::Rollup::default()
    };
    let of_day = |by| sums(by, day.clone(), day.clone());
    let first = forecast.days.first().map_or_else(|| day.clone(), |first| first.day.clone());
    Ok(Costs {
        tasks: client.call(&of_day(cost::By::Task)).await?,
        agents: client.call(&of_day(cost::By::Agent)).await?,
        models: client.call(&of_day(cost::By::Model)).await?,
        days: client.call(&sums(cost::By::Day, first, forecast.day.clone())).await?,
        budgets: client.call(&squad::BudgetGet::default()).await?,
        forecast,
    })
}
