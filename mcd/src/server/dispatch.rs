//! The hall: who may ask, then where each request goes. Humans' methods exist on the operators'
//! socket alone.

use std::{pin::Pin, sync::Arc, time::Duration};

use mc_core::actor::Level;
use mc_proto::{
    error::{ErrorKind, RpcError},
    limits::KEY_BYTES,
    method::{
        self, Kind, METHODS, Request, Who,
        feed::{Attach, Head, Subscribe},
        session::{Pong, SecondFactor, Unlock, UnlockResult},
    },
};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    Server, emergency, factor, feed, gate, levels,
    limits::Side,
    outbox, remote,
    session::{self, Session},
    unlock::Proof,
};
use crate::{
    caller::{Caller, Factor, SystemCommand, Work},
    handlers,
    identity::Operator,
    store::{Answer, Store},
};

/// How long the answer of a check may take.
pub(super) const CHECK_TIME: Duration = Duration::from_secs(2);

/// What the notification helper may do beside its own methods.
const HELPERS_TOO: &[&str] = &["session.hello", "session.whoami", "ping"];

/// What becomes of a request.
pub(super) enum Outcome {
    /// Is answered at once.
    Now(Answer),
    /// Is answered by the writer, when it is durable.
    Writer(oneshot::Receiver<Answer>),
    /// Is a check: answered by the writer, or denied when that takes too long.
    Check(oneshot::Receiver<Answer>),
    /// Is answered by the writer once its long texts are masked, beside everybody else's work.
    Long(JoinHandle<Result<oneshot::Receiver<Answer>, RpcError>>),
    /// Grants a run or money for it: answered by the writer, unless everything is stopped by then.
    Grant(oneshot::Receiver<Answer>),
    /// Is answered later.
    Later(Later),
    /// Is a query that takes a thread of the pool.
    Heavy(JoinHandle<Answer>),
    /// Is refused, and the connection ends.
    Farewell(RpcError),
}

/// An answer that takes several steps.
pub(super) type Later = Pin<Box<dyn Future<Output = Done> + Send>>;

/// How such an answer ends.
pub(super) struct Done {
    pub(super) answer: Answer,
    /// What the connection has proved by it.
    pub(super) proof: Option<Proof>,
}

impl From<Answer> for Done {
    fn from(answer: Answer) -> Self {
        Self { answer, proof: None }
    }
}

/// Returns a result as JSON.
pub(super) fn json<T: Serialize>(result: &T) -> Answer {
    serde_json::to_string(result).map(String::into_boxed_str).map_err(|error| {
        tracing::error!(%error, "an answer can't be written");
        RpcError::new(ErrorKind::Unavailable, "the daemon can't write its answer; see its log")
    })
}

/// Serves one request of a known caller.
pub(super) fn dispatch(
    server: &Arc<Server>,
    session: &mut Session,
    (method, params): (&str, Option<&RawValue>),
) -> Outcome {
    if let Err(error) = session.look_again(server).and_then(|()| session.check_token(server)) {
        return if error.kind() == ErrorKind::Unauthorized {
            Outcome::Farewell(error)
        } else {
            Outcome::Now(Err(error))
        };
    }
    match admit(server, session, (method, params)) {
        Ok(visit) => route(server, session, (visit, long(params))),
        Err(error) => Outcome::Now(Err(error)),
    }
}

/// What is longer than this, in bytes, is masked before the writer sees it.
const LONG_BYTES: usize = 16 * 1024;

/// Returns the parameters of a request that are long.
fn long(params: Option<&RawValue>) -> Option<Box<str>> {
    params.map(RawValue::get).filter(|params| params.len() > LONG_BYTES).map(Into::into)
}

/// A request that may be served.
struct Visit {
    caller: Caller,
    request: Request,
    key: Option<String>,
}

fn admit(
    server: &Arc<Server>,
    session: &mut Session,
    (method, params): (&str, Option<&RawValue>),
) -> Result<Visit, RpcError> {
    let parsed = Request::parse(method, params);
    let named = parsed.as_ref().ok().and_then(|(_, common)| common.agent.as_ref());
    session.count(server, named)?;
    let (request, common) = parsed.map_err(|error| match row(method) {
        Some(who) => serves(session.side, who, method).err().unwrap_or(error),
        None => error,
    })?;
    serves(session.side, request.info().who, method)?;
    if common.idempotency_key.as_ref().is_some_and(|key| !(1..=KEY_BYTES).contains(&key.len())) {
        let text = format!("expected 1 to {KEY_BYTES} bytes");
        return Err(RpcError::invalid("idempotency_key", text));
    }
    let mut caller = session.caller(server, common.agent)?;
    if let Some(given) = &common.second_factor {
        caller = with_factor(server, session, (caller, &request), given)?;
    }
    match session.side {
        Side::Operator => levels::check(&server.store, &caller, &request)?,
        Side::Agent => bar(server, &caller, &request)?,
        Side::Helper => {}
    }
    Ok(Visit { caller, request, key: common.idempotency_key })
}

/// Lifts one request of an operator by a second factor; only what it is enough for uses it up.
fn with_factor(
    server: &Arc<Server>,
    session: &mut Session,
    (mut caller, request): (Caller, &Request),
    given: &SecondFactor,
) -> Result<Caller, RpcError> {
    if session.side != Side::Operator {
        return Err(RpcError::invalid("second_factor", "agents have no second factor"));
    }
    let level = caller.actor.level.unwrap_or_default();
    if level == Level::L0 {
        let text = "unlock with your passphrase first: a second factor comes on top of it";
        return Err(RpcError::new(ErrorKind::Forbidden, text));
    }
    caller.factor = Factor::Given;
    caller.actor.level = Some(if level >= Level::L2 { Level::L3 } else { level });
    levels::check(&server.store, &caller, request)?;
    factor::verify(server, session, (request, given))?;
    Ok(caller)
}

/// Refuses what a quarantined or retired agent asks. The gates refuse by themselves, on record;
/// what an adapter reports of such an agent is fact and is taken.
fn bar(server: &Server, caller: &Caller, request: &Request) -> Result<(), RpcError> {
    let Some(agent) = caller.agent.as_ref().filter(|agent| server.live().is_barred(agent)) else {
        return Ok(());
    };
    let refuses_itself = matches!(
        request,
        Request::AgentHeartbeat(_)
            | Request::ToolCheck(_)
            | Request::ToolConfirm(_)
            | Request::RunStart(_)
    );
    if refuses_itself || (handlers::is_report(request) && caller.adapter.is_some()) {
        return Ok(());
    }
    let text =
        format!("{agent} is quarantined or retired: it can send heartbeats, and nothing else");
    Err(RpcError::new(ErrorKind::Forbidden, text))
}

fn row(method: &str) -> Option<Who> {
    METHODS.iter().find(|row| row.name == method).map(|row| row.who)
}

/// Says whether a socket has a method.
fn serves(side: Side, who: Who, method: &str) -> Result<(), RpcError> {
    match (side, who) {
        (Side::Agent, Who::Human | Who::Helper) | (Side::Operator, Who::Helper) => {
            Err(method::unknown(method))
        }
        (Side::Helper, Who::All) if HELPERS_TOO.contains(&method) => Ok(()),
        (Side::Helper, Who::All | Who::Human | Who::Agent) => Err(method::unknown(method)),
        (Side::Operator, Who::Agent) => {
            let text = format!("`{method}` is for agents, on the agents' socket");
            Err(RpcError::new(ErrorKind::Forbidden, text))
        }
        (Side::Agent | Side::Operator, Who::All)
        | (Side::Agent, Who::Agent)
        | (Side::Operator, Who::Human)
        | (Side::Helper, Who::Helper) => Ok(()),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is left goes where its row in the table of methods says"
)]
fn route(
    server: &Arc<Server>,
    session: &mut Session,
    (visit, long): (Visit, Option<Box<str>>),
) -> Outcome {
    let Visit { caller, request, key } = visit;
    match request {
        Request::SessionHello(_) => Outcome::Now(Err(RpcError::new(
            ErrorKind::InvalidRequest,
            "the hello was said already; who calls is set once",
        ))),
        Request::SessionUnlock(p) => unlock(server, session, p),
        Request::SessionChallenge(p) => Outcome::Now(factor::challenge(server, session, &p)),
        Request::SessionLock(_) => {
            session.proof = None;
            Outcome::Now(json(&session.whoami(server)))
        }
        Request::SessionWhoami(_) => Outcome::Now(json(&session.whoami(server))),
        Request::Ping(_) => {
            let live = server.live();
            Outcome::Now(json(&Pong { now: live.clock.now(), head: live.head() }))
        }
        Request::FeedSubscribe(p) => Outcome::Now(subscribe(server, session, p)),
        Request::FeedUnsubscribe(_) => {
            server.feeds.leave(session.connection());
            session.feed = None;
            Outcome::Now(json(&Head { head: server.live().head() }))
        }
        Request::SquadEmergencyStop(p) => {
            Outcome::Now(emergency::stop(server, &caller.actor, &p.reason))
        }
        Request::SquadEndRuntime(p) => emergency::end_runtime(server, &caller.actor, p),
        Request::SquadEmergencyResume(_) => emergency::resume(server, caller, request),
        Request::RuntimeAttach(p) => attach(server, session, caller, (p, key)),
        Request::ToolCheck(p) => gate::check(server, caller, (p, key), long),
        Request::ToolAwait(p) => gate::wait(server, caller, &p),
        Request::ToolConfirm(p) => gate::confirm(server, caller, p),
        Request::DeliveryNext(p) => outbox::next(server, caller, p),
        Request::RemoteShow(p) => Outcome::Now(remote::show(server, session, &p)),
        Request::RemoteDecide(p) => remote::decide(server, session, p),
        Request::ApprovalEdit(p) => gate::edit(server, caller, p, key),
        Request::RunStart(_) | Request::RunReserve(_) => gate::grant(server, caller, request, key),
        other if other.info().kind == Kind::Query => query(server, caller, other),
        other => match long {
            Some(params) => submit_long(server, work(caller, other, key), params),
            None => submit(&server.store, caller, other, key),
        },
    }
}

fn query(server: &Server, caller: Caller, request: Request) -> Outcome {
    if !Store::is_heavy(&request) {
        return Outcome::Now(server.recent.query(&server.store, &caller, &request));
    }
    let store = server.store.clone();
    Outcome::Heavy(tokio::task::spawn_blocking(move || store.query(&caller, &request)))
}

/// Hands a command to the writer.
pub(super) fn submit(
    store: &Store,
    caller: Caller,
    request: Request,
    key: Option<String>,
) -> Outcome {
    match store.submit(work(caller, request, key)) {
        Ok(answer) => Outcome::Writer(answer),
        Err(error) => Outcome::Now(Err(error)),
    }
}

fn work(caller: Caller, request: Request, key: Option<String>) -> Work {
    Work::Request {
        caller: Box::new(caller),
        request: Box::new(request),
        idempotency_key: key,
        facts: Box::default(),
    }
}

/// Masks the texts of a long command on a thread of the pool, and hands it to the writer then.
fn submit_long(server: &Arc<Server>, work: Work, params: Box<str>) -> Outcome {
    let server = Arc::clone(server);
    Outcome::Long(tokio::spawn(async move {
        let store = server.store.clone();
        let masker = server.masks.run(move || store.mask(&params)).await?;
        server.store.submit(Work::Masked(masker, Box::new(work)))
    }))
}

fn subscribe(server: &Server, session: &mut Session, params: Subscribe) -> Answer {
    let long = |topic: &String| topic.is_empty() || topic.len() > 64;
    if params.topics.len() > 64 || params.topics.iter().any(long) {
        return Err(RpcError::invalid("topics", "expected at most 64 words of 1 to 64 bytes"));
    }
    server.feeds.leave(session.connection());
    let filter = feed::Filter { topics: params.topics, agents: session.speaks_for() };
    let who = (session.connection(), session.name());
    let mut feed = server.feeds.follow(&server.store, who, filter);
    let head = server.live().head();
    if let Some(since) = params.since {
        feed.replay_from(&server.store, since);
    }
    session.feed = Some(feed);
    json(&Head { head })
}

fn unlock(server: &Arc<Server>, session: &Session, params: Unlock) -> Outcome {
    let Some(operator) = session.as_operator().cloned() else {
        return Outcome::Now(Err(method::unknown("session.unlock")));
    };
    let server = Arc::clone(server);
    Outcome::Later(Box::pin(async move {
        let clock = Arc::clone(&server.live().clock);
        let verified =
            server.unlocks.verify(&operator, params.passphrase, || clock.elapsed_ms()).await;
        let guessed = verified.as_ref().err().is_none_or(|e| e.kind() == ErrorKind::Forbidden);
        let identity = server.identity();
        let level = identity.level_of(operator.uid);
        let is_same =
            |now: &Operator| now.name == operator.name && now.passphrase == operator.passphrase;
        let verified = match identity.operator(operator.uid).filter(|now| is_same(now)) {
            Some(_) => verified,
            None => {
                Err(RpcError::new(ErrorKind::Conflict, "who governs has changed: say hello again"))
            }
        };
        if guessed && operator.passphrase.is_some() {
            let command = SystemCommand::OperatorUnlocked {
                operator: operator.name.clone(),
                role: operator.role,
                level,
                success: verified.is_ok(),
                second_factor: false,
            };
            // The proof holds also when the disk is full: it is needed to bring things in order.
            server.store.submit(Work::System(command)).ok();
        }
        if let Err(error) = verified {
            return Done::from(Err(error));
        }
        let now = clock.elapsed_ms();
        let epoch = server.epoch.load(std::sync::atomic::Ordering::SeqCst);
        let proof = Proof { level, since_ms: now, used_ms: now, epoch };
        let expires_at = session::expires_at(&server, &proof);
        Done { answer: json(&UnlockResult { level, expires_at }), proof: Some(proof) }
    }))
}

fn attach(
    server: &Server,
    session: &mut Session,
    caller: Caller,
    (params, key): (Attach, Option<String>),
) -> Outcome {
    let own = session.speaks_for().unwrap_or_default();
    if let Some(other) = params.agents.iter().find(|agent| !own.contains(agent)) {
        let text = format!("this connection does not speak for {other}");
        return Outcome::Now(Err(RpcError::new(ErrorKind::Forbidden, text)));
    }
    // The way for orders is open before the runtime is known, so that none is lost.
    if session.inbox.is_none() {
        session.inbox = Some(server.orders.open(session.connection()));
    }
    submit(&server.store, caller, Request::RuntimeAttach(params), key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_human_method_exists_on_the_agents_socket() {
        for row in METHODS.iter().filter(|row| row.who == Who::Human) {
            let refused = serves(Side::Agent, row.who, row.name).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::UnknownMethod, "{}", row.name);
            assert_eq!(refused, method::unknown(row.name), "the same words as for any other");
        }
    }

    #[test]
    fn the_helper_has_its_own_methods_and_next_to_nothing_else() {
        for row in METHODS {
            let served = serves(Side::Helper, row.who, row.name).is_ok();
            let expected = row.who == Who::Helper || HELPERS_TOO.contains(&row.name);
            assert_eq!(served, expected, "{}", row.name);
        }
    }

    #[test]
    fn agents_methods_are_forbidden_to_operators_and_the_rest_is_served() {
        for row in METHODS {
            let operator = serves(Side::Operator, row.who, row.name);
            let agent = serves(Side::Agent, row.who, row.name);
            match row.who {
                Who::Agent => {
                    assert_eq!(operator.unwrap_err().kind(), ErrorKind::Forbidden, "{}", row.name);
                    assert!(agent.is_ok());
                }
                Who::All => assert!(operator.is_ok() && agent.is_ok(), "{}", row.name),
                Who::Human => assert!(operator.is_ok(), "{}", row.name),
                Who::Helper => {
                    assert_eq!(operator.unwrap_err(), method::unknown(row.name));
                    assert_eq!(agent.unwrap_err(), method::unknown(row.name));
                }
            }
        }
    }
}
