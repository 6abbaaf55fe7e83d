//! The feed: what was committed, written once and handed to all who follow.
//!
//! Nobody is waited for: who does not keep up is told so and goes on from the newest event.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use mc_core::{
    agent::AgentName,
    event::{
        ApprovalDropped, ApprovalEdited, ApprovalEndorsed, ApprovalReminded, ApprovalUsed, Event,
        Recorded,
    },
    id::Seq,
};
use mc_proto::{
    frame,
    method::feed::{Changed, Head},
};
use serde::Serialize;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use crate::{
    live::Live,
    store::{Committed, Store},
};

/// How many items may wait for one follower.
const WAITING: usize = 1024;
/// How many events one page of a replay has.
pub(super) const PAGE: i64 = 200;
/// How far back a replay begins at most; from further back a snapshot is the shorter way.
const REPLAYED: i64 = 50_000;

/// An event that is ready to be sent.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) seq: Seq,
    pub(super) line: String,
}

/// What a follower wants, and may see.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    /// Kinds of events begin with one of these; empty means all.
    pub(super) topics: Vec<String>,
    /// The agents that the follower speaks for; `None` for operators.
    pub(super) agents: Option<Vec<AgentName>>,
}

impl Filter {
    fn wants(&self, recorded: &Recorded, changed: &[Changed]) -> bool {
        let kind = recorded.event.kind();
        let asked = |topic: &String| kind.starts_with(topic.as_str());
        (self.topics.is_empty() || self.topics.iter().any(asked))
            && self.agents.as_ref().is_none_or(|own| is_open_to(own, &recorded.event, changed))
    }
}

/// Says whether an agent may see an event: questions to humans and notices only its own, and
/// nothing about tokens, operators and what was kept against an agent.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is open to the whole squad")]
fn is_open_to(own: &[AgentName], event: &Event, changed: &[Changed]) -> bool {
    let is_own = |name: &str| own.iter().any(|agent| agent.as_str() == name);
    let open = match event {
        Event::ApprovalRequested { approval } => is_own(&approval.agent),
        Event::ApprovalClosed { agent, .. }
        | Event::ApprovalUsed(ApprovalUsed { agent, .. })
        | Event::ApprovalEdited(ApprovalEdited { agent, .. })
        | Event::ApprovalReminded(ApprovalReminded { agent, .. })
        | Event::ApprovalDropped(ApprovalDropped { agent, .. })
        | Event::ApprovalEndorsed(ApprovalEndorsed { agent, .. })
        | Event::RuleUsed { agent, .. } => is_own(agent),
        Event::NotificationQueued { notification } => is_own(&notification.to),
        Event::NotificationAcked { .. }
        | Event::AgentEvidenceKept { .. }
        | Event::SinksDeclared { .. }
        | Event::DeliveryFormed { .. }
        | Event::DeliveryTried { .. }
        | Event::DeliveryExpired { .. }
        | Event::NoticesExpired { .. }
        | Event::DeliveriesRetried { .. }
        | Event::TokenRotated { .. }
        | Event::TokenRevoked { .. }
        | Event::AdapterEnrolled(_)
        | Event::RuleRemembered { .. }
        | Event::RuleRevoked { .. }
        | Event::OperatorUnlocked { .. }
        | Event::OperatorsChanged { .. } => false,
        _ => true,
    };
    open && changed.iter().all(|entity| match entity {
        Changed::Approval { approval } => is_own(&approval.agent),
        Changed::Notification { notification } => is_own(&notification.to),
        Changed::Task { .. }
        | Changed::Agent { .. }
        | Changed::Run { .. }
        | Changed::Call { .. }
        | Changed::Alert { .. }
        | Changed::Squad { .. } => true,
    })
}

/// Writes an event as a `feed.item`.
fn line(recorded: &Recorded, changed: &[Changed]) -> Option<String> {
    #[derive(Serialize)]
    struct Item<'a> {
        seq: Seq,
        event: &'a Recorded,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        changed: &'a [Changed],
    }
    let item = Item { seq: recorded.seq, event: recorded, changed };
    frame::notification("feed.item", &item)
        .inspect_err(|error| tracing::error!(%error, "an event can't be written"))
        .ok()
}

#[derive(Debug)]
struct Follower {
    connection: u64,
    /// The name behind the connection; it is cut when its token ends.
    name: String,
    filter: Filter,
    items: mpsc::Sender<Arc<Item>>,
    lagged: Arc<AtomicBool>,
}

/// Everybody who follows.
#[derive(Debug, Default)]
pub(crate) struct Feeds(Mutex<Vec<Follower>>);

impl Feeds {
    /// Begins to hand events to a connection.
    pub(super) fn follow(&self, store: &Store, who: (u64, &str), filter: Filter) -> Feed {
        let (items, receiver) = mpsc::channel(WAITING);
        let lagged = Arc::new(AtomicBool::new(false));
        let live = Arc::clone(store.live());
        live.feeds.fetch_add(1, Ordering::SeqCst);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Follower {
            connection: who.0,
            name: who.1.to_owned(),
            filter: filter.clone(),
            items,
            lagged: Arc::clone(&lagged),
        });
        let sent = live.head();
        Feed { items: receiver, lagged, filter, sent, replay: None, beat: Instant::now(), live }
    }

    /// Ends the feed of a connection.
    pub(super) fn leave(&self, connection: u64) {
        let mut followers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followers.retain(|follower| follower.connection != connection);
    }

    /// Cuts every feed of a name whose tokens ended.
    pub(crate) fn cut(&self, name: &str) {
        let mut followers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followers.retain(|follower| follower.name != name);
    }

    /// Hands a batch to all who follow.
    pub(crate) fn publish(&self, batch: &[Committed]) {
        let followers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if followers.is_empty() {
            return;
        }
        for committed in batch {
            let mut item: Option<Arc<Item>> = None;
            let wanting = followers
                .iter()
                .filter(|one| one.filter.wants(&committed.recorded, &committed.changed));
            for follower in wanting {
                if item.is_none() {
                    let line = line(&committed.recorded, &committed.changed);
                    item = line.map(|line| Arc::new(Item { seq: committed.recorded.seq, line }));
                }
                let Some(item) = &item else { break };
                if follower.items.try_send(Arc::clone(item)).is_err() {
                    follower.lagged.store(true, Ordering::SeqCst);
                }
            }
        }
    }

    /// Tells all that events were left out.
    pub(crate) fn lag(&self) {
        let followers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for follower in followers.iter() {
            follower.lagged.store(true, Ordering::SeqCst);
        }
    }
}

/// One connection's end of the feed.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) items: mpsc::Receiver<Arc<Item>>,
    lagged: Arc<AtomicBool>,
    filter: Filter,
    /// The newest event that was sent or left out.
    sent: Seq,
    /// The page of old events that is being read.
    pub(super) replay: Option<JoinHandle<Vec<Recorded>>>,
    /// When the next `beat` is due.
    pub(super) beat: Instant,
    live: Arc<Live>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.live.feeds.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Feed {
    /// Begins with old events: those after `since`.
    pub(super) fn replay_from(&mut self, store: &Store, since: Seq) {
        let head = self.live.head();
        if head.saturating_sub(since) > REPLAYED {
            self.lagged.store(true, Ordering::SeqCst);
            return;
        }
        self.sent = since.clamp(0, head);
        self.read_page(store);
    }

    /// Reads the next page of old events beside the loop.
    fn read_page(&mut self, store: &Store) {
        let (store, since) = (store.clone(), self.sent);
        self.replay = Some(tokio::task::spawn_blocking(move || {
            store.events_after(since, PAGE).unwrap_or_default()
        }));
    }

    /// Appends a page of old events to `out`; the last page is a short one.
    pub(super) fn take_page(&mut self, store: &Store, page: &[Recorded], out: &mut Vec<u8>) {
        self.replay = None;
        for recorded in page {
            self.sent = recorded.seq;
            if self.filter.wants(recorded, &[])
                && let Some(line) = line(recorded, &[])
            {
                out.extend_from_slice(line.as_bytes());
            }
        }
        if i64::try_from(page.len()).is_ok_and(|count| count >= PAGE) {
            self.read_page(store);
        }
    }

    /// Appends an event to `out`, unless it was sent already.
    pub(super) fn take(&mut self, item: &Item, out: &mut Vec<u8>) {
        if item.seq > self.sent {
            self.sent = item.seq;
            out.extend_from_slice(item.line.as_bytes());
        }
    }

    /// Says so in `out` when events were left out, and goes on from the newest.
    pub(super) fn catch_up(&mut self, out: &mut Vec<u8>) {
        if !self.lagged.swap(false, Ordering::SeqCst) {
            return;
        }
        while self.items.try_recv().is_ok() {}
        self.replay = None;
        let head = self.live.head();
        self.sent = head;
        if let Ok(line) = frame::notification("feed.lagged", &Head { head }) {
            out.extend_from_slice(line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use mc_core::{actor::Actor, time::Timestamp};

    use super::*;

    fn recorded(event: Event) -> Recorded {
        let actor = Actor::system("test");
        Recorded { seq: 1, at: Timestamp(0), actor, cause: "test".into(), reason: None, event }
    }

    fn closed(agent: &str) -> Recorded {
        recorded(Event::ApprovalClosed {
            approval: mc_core::id::ApprovalId(1),
            agent: agent.parse().unwrap(),
            task: None,
            status: mc_core::approval::ApprovalStatus::Denied,
            note: None,
        })
    }

    #[test]
    fn an_agent_sees_only_its_own_approvals_and_no_tokens() {
        let own = Filter { topics: Vec::new(), agents: Some(vec!["wren".parse().unwrap()]) };
        assert!(own.wants(&closed("wren"), &[]));
        assert!(!own.wants(&closed("kestrel"), &[]));
        assert!(Filter::default().wants(&closed("kestrel"), &[]));
        let token = recorded(Event::TokenRevoked { name: "wren".into() });
        assert!(!own.wants(&token, &[]));
        assert!(own.wants(&recorded(Event::ClockJumped { by_ms: 1 }), &[]));
    }

    #[test]
    fn topics_are_beginnings_of_kinds() {
        let filter = Filter { topics: vec!["approval".into(), "task".into()], agents: None };
        assert!(filter.wants(&closed("wren"), &[]));
        assert!(!filter.wants(&recorded(Event::ClockJumped { by_ms: 1 }), &[]));
    }

    #[test]
    fn who_does_not_keep_up_is_told_and_goes_on_from_the_newest() {
        use crate::{clock::SystemClock, halt::Halt, live::Setup};
        let dir = tempfile::tempdir().unwrap();
        let home = mc_proto::home::Home::under(dir.path());
        std::fs::create_dir_all(&home.state).unwrap();
        let halt = Halt::open(&home.halt_file());
        let live = Arc::new(Live::new(Arc::new(SystemClock), halt, Setup::default()));
        let store = Store::open(&home, Arc::clone(&live)).unwrap();
        let feeds = Feeds::default();
        let mut feed = feeds.follow(&store, (1, "ada"), Filter::default());
        assert_eq!(live.feeds.load(Ordering::SeqCst), 1);
        let publish = |seq: Seq| {
            let recorded = Recorded { seq, ..recorded(Event::ClockJumped { by_ms: seq }) };
            feeds.publish(&[Committed { recorded, changed: Vec::new() }]);
            live.head.store(seq, Ordering::SeqCst);
        };
        let limit = Seq::try_from(WAITING).unwrap();
        (1..=limit).for_each(publish);
        let mut out = Vec::new();
        feed.catch_up(&mut out);
        assert!(out.is_empty(), "as many as may wait");
        publish(limit + 1);
        feed.catch_up(&mut out);
        let told = String::from_utf8(std::mem::take(&mut out)).unwrap();
        assert!(told.contains("feed.lagged") && told.contains(&format!("{}", limit + 1)), "{told}");
        publish(limit + 2);
        while let Ok(item) = feed.items.try_recv() {
            feed.take(&item, &mut out);
        }
        assert_eq!(String::from_utf8(out).unwrap().matches("feed.item").count(), 1);
        drop(feed);
        assert_eq!(live.feeds.load(Ordering::SeqCst), 0);
        store.shutdown();
    }
}
