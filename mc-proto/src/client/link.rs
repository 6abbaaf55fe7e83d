//! A link that stays: it connects, follows the feed, and after a loss connects and resumes.

use std::{path::PathBuf, time::Duration};

use mc_core::id::Seq;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use super::{Client, ClientError, Incoming, ServerRequest};
use crate::method::{
    feed::{BeatNotice, FeedItem, Head, Subscribe},
    session::Hello,
};

/// The shortest and the longest pause between two attempts.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What a link needs to know.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// The socket.
    pub path: PathBuf,
    /// How to say hello.
    pub hello: Hello,
    /// Whether to follow the feed.
    pub follow: Follow,
}

/// Whether and from where to follow the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// No feed.
    Nothing,
    /// What comes from now on.
    FromNow,
    /// What came after this event, then what comes.
    After(Seq),
}

impl Follow {
    /// Notes that events up to `seq` are known.
    fn advance(&mut self, seq: Seq) {
        if *self != Self::Nothing {
            *self = Self::After(seq);
        }
    }
}

/// What a link tells.
#[derive(Debug)]
pub enum LinkEvent {
    /// Connected; the client is good until [`LinkEvent::Lost`].
    Up(Client),
    /// An event of the journal.
    Item(Box<FeedItem>),
    /// Events were left out: take a fresh snapshot.
    Lagged(Head),
    /// The daemon is there.
    Beat(BeatNotice),
    /// The daemon wants something.
    Request(ServerRequest),
    /// The connection ended or could not be made.
    Lost {
        /// Why.
        error: ClientError,
        /// The attempt that comes next, from 1.
        attempt: u32,
        /// When it comes.
        retry_in: Duration,
    },
}

/// A link; it ends when it is dropped.
#[derive(Debug)]
pub struct Link {
    task: tokio::task::JoinHandle<()>,
    wake: mpsc::Sender<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// Starts a link. The receiver must be read; the link waits for a slow reader.
    pub fn start(config: LinkConfig) -> (Self, mpsc::Receiver<LinkEvent>) {
        let (events, receiver) = mpsc::channel(1024);
        let (wake, woken) = mpsc::channel(1);
        let task = tokio::spawn(keep(config, events, woken));
        (Self { task, wake }, receiver)
    }

    /// Ends the pause before the next attempt, if there is one.
    pub fn retry_now(&self) {
        // A full channel means that it was already asked for.
        self.wake.try_send(()).ok();
    }
}

async fn keep(
    mut config: LinkConfig,
    events: mpsc::Sender<LinkEvent>,
    mut woken: mpsc::Receiver<()>,
) {
    let mut attempt = 0;
    loop {
        let began = Instant::now();
        let error = follow(&mut config, &events).await;
        if events.is_closed() {
            return;
        }
        // A connection that lasted was a good one: begin with short pauses again.
        attempt = if began.elapsed() > BACKOFF.1 { 1 } else { attempt + 1 };
        let retry_in = pause(attempt);
        if events.send(LinkEvent::Lost { error, attempt, retry_in }).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(retry_in) => {}
            _ = woken.recv() => {}
        }
    }
}

/// Doubles from attempt to attempt; attempts of one millisecond spread are enough for a socket.
fn pause(attempt: u32) -> Duration {
    BACKOFF.0.saturating_mul(1 << attempt.saturating_sub(1).min(5)).min(BACKOFF.1)
}

/// Serves one connection to its end and returns why it ended.
async fn follow(config: &mut LinkConfig, events: &mpsc::Sender<LinkEvent>) -> ClientError {
    let (client, mut incoming) = match Client::connect(&config.path, &config.hello).await {
        Ok(connected) => connected,
        Err(error) => return error,
    };
    if events.send(LinkEvent::Up(client.clone())).await.is_err() {
        return ClientError::Lost;
    }
    if config.follow != Follow::Nothing {
        let since = if let Follow::After(seq) = config.follow { Some(seq) } else { None };
        let subscribe = Subscribe { since, topics: Vec::new() };
        if let Err(error) = client.call(&subscribe).await {
            return error;
        }
    }
    while let Some(unasked) = incoming.recv().await {
        let Some(event) = translate(unasked, &mut config.follow) else { break };
        if events.send(event).await.is_err() {
            return ClientError::Lost;
        }
    }
    client.ended()
}

/// Reads a notification; `None` when the connection has ended or speaks another language.
fn translate(unasked: Incoming, follow: &mut Follow) -> Option<LinkEvent> {
    match unasked {
        Incoming::Closed => None,
        Incoming::Request(request) => Some(LinkEvent::Request(request)),
        Incoming::Notice { method, params } => match method.as_str() {
            "feed.item" => {
                let item: Box<FeedItem> = Incoming::read(&params).ok()?;
                follow.advance(item.seq);
                Some(LinkEvent::Item(item))
            }
            "feed.lagged" => {
                let head: Head = Incoming::read(&params).ok()?;
                follow.advance(head.head);
                Some(LinkEvent::Lagged(head))
            }
            "beat" => Incoming::read(&params).ok().map(LinkEvent::Beat),
            _ => None,
        },
    }
}
