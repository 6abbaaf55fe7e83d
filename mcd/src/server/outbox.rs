//! `delivery.next`: answered at once when something is due, else when it becomes due.

use std::{sync::Arc, time::Duration};

use mc_core::{event::Event, time::Timestamp};
use mc_proto::{
    error::{ErrorKind, RpcError},
    method::{
        Request,
        delivery::{Due, Next},
    },
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep_until, timeout_at},
};

use super::{Server, dispatch::Outcome};
use crate::{
    caller::{Caller, Work},
    store::{Answer, Committed, ended},
};

/// How long the helper may wait for one answer, in milliseconds.
const LONGEST_MS: u64 = 30_000;

/// Hands out what is due for a sink, or waits for it.
pub(super) fn next(server: &Arc<Server>, caller: Caller, params: Next) -> Outcome {
    if params.wait_ms > LONGEST_MS {
        let text = format!("is {}, at most {LONGEST_MS}", params.wait_ms);
        return Outcome::Now(Err(RpcError::invalid("wait_ms", text)));
    }
    let server = Arc::clone(server);
    Outcome::Later(Box::pin(async move { wait(&server, &caller, params).await.into() }))
}

async fn wait(server: &Server, caller: &Caller, params: Next) -> Answer {
    let until = Instant::now() + Duration::from_millis(params.wait_ms);
    // Before the first look, so that nothing falls between it and the wait.
    let mut batches = server.store.follow();
    loop {
        let answer = look(server, caller, &params).await?;
        let due: Due = serde_json::from_str(&answer).map_err(|error| {
            tracing::error!(%error, "an own answer can't be read");
            RpcError::new(ErrorKind::Unavailable, "the daemon can't read its own answer")
        })?;
        if due.delivery.is_some() || Instant::now() >= until {
            return Ok(answer);
        }
        let now = server.live().clock.now();
        let wakes = due.next_at.map_or(until, |at| until.min(Instant::now() + left(now, at)));
        // At the end of either the store is looked at again.
        timeout_at(wakes, news(&mut batches)).await.ok();
    }
}

/// Returns how long it is from `now` to `at`; never nothing, so that no wait spins.
fn left(now: Timestamp, at: Timestamp) -> Duration {
    at.since(now).max(Duration::from_millis(20))
}

async fn look(server: &Server, caller: &Caller, params: &Next) -> Answer {
    let work = Work::Request {
        caller: Box::new(caller.clone()),
        request: Box::new(Request::DeliveryNext(params.clone())),
        idempotency_key: None,
        facts: Box::default(),
    };
    server.store.submit(work)?.await.map_err(|_| ended())?
}

/// Waits for an event that can make something due.
async fn news(batches: &mut Receiver<Arc<Vec<Committed>>>) {
    loop {
        match batches.recv().await {
            Ok(batch) if batch.iter().any(|one| is_news(&one.recorded.event)) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => return sleep_until(Instant::now() + LONGEST).await,
        }
    }
}

const LONGEST: Duration = Duration::from_millis(LONGEST_MS);

#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds make nothing due")]
fn is_news(event: &Event) -> bool {
    match event {
        Event::NotificationQueued { notification } => notification.headline.is_some(),
        Event::DeliveryFormed { .. }
        | Event::DeliveryTried { .. }
        // What gathered behind it may go now.
        | Event::DeliveryExpired { .. }
        | Event::DeliveriesRetried { .. }
        | Event::SinksDeclared { .. }
        | Event::PolicyActivated { .. } => true,
        _ => false,
    }
}
