//! Who sits on the operators' socket. However many connections stay open, a stop gets in: the one
//! that was idle for the longest time makes room, and a few places are kept for stopping alone.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use mc_proto::error::{ErrorKind, RpcError};
use tokio::sync::Notify;

use super::limits::{Seat, full};

/// How many places are kept for those who stop or pause the squad.
const RESERVED: usize = 8;
/// How long after its last request a connection is left alone, in milliseconds.
const GRACE_MS: i64 = 2_000;
/// What can be asked from a place that is kept for stopping; the hello comes before.
const FROM_RESERVED: &[&str] = &[
    "ping",
    "session.whoami",
    "session.unlock",
    "squad.status",
    "squad.pause",
    "squad.emergency_stop",
];

/// Everybody on the operators' socket.
#[derive(Debug, Clone, Default)]
pub(super) struct Guests(Arc<Mutex<Vec<Arc<Guest>>>>);

/// A connection as far as it matters when there is no more room.
#[derive(Debug)]
pub(super) struct Guest {
    is_reserved: bool,
    /// Until when it is not idle, by the clock that never jumps.
    busy_until_ms: AtomicI64,
    cut: Arc<Notify>,
}

impl Guests {
    /// Takes a place for a connection, where `limit` may sit; one that is idle may have to go.
    ///
    /// # Errors
    ///
    /// `rate_limited` when nobody can go, and the places for stopping are taken too.
    pub(super) fn admit(&self, limit: usize, now_ms: i64) -> Result<(Seat, Arc<Guest>), RpcError> {
        let mut guests = self.lock();
        let is_reserved = !make_room(&mut guests, (false, limit), now_ms);
        if is_reserved && !make_room(&mut guests, (true, RESERVED), now_ms) {
            return Err(full("the operators' socket", limit));
        }
        let guest = Arc::new(Guest {
            is_reserved,
            busy_until_ms: AtomicI64::new(now_ms + GRACE_MS),
            cut: Arc::default(),
        });
        guests.push(Arc::clone(&guest));
        let (all, one) = (self.clone(), Arc::clone(&guest));
        let leave = move || all.lock().retain(|other| !Arc::ptr_eq(other, &one));
        Ok((Seat::new(leave), guest))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Guest>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says whether one more of this kind may sit; the longest idle one is sent away for it.
fn make_room(guests: &mut Vec<Arc<Guest>>, (kind, limit): (bool, usize), now_ms: i64) -> bool {
    if guests.iter().filter(|one| one.is_reserved == kind).count() < limit {
        return true;
    }
    let idle = guests.iter().enumerate().filter(|(_, one)| one.is_reserved == kind);
    let idle = idle.map(|(at, one)| (one.busy_until_ms.load(Ordering::SeqCst), at));
    let Some((_, at)) = idle.min().filter(|(until, _)| *until <= now_ms) else { return false };
    guests.swap_remove(at).cut.notify_one();
    true
}

impl Guest {
    /// Notes that it was heard at `now_ms`, and until when it stays whatever happens.
    pub(super) fn heard(&self, now_ms: i64, stays_until_ms: i64) {
        let until = stays_until_ms.max(now_ms.saturating_add(GRACE_MS));
        self.busy_until_ms.store(until, Ordering::SeqCst);
    }

    /// Returns what tells it to go.
    pub(super) fn cut(&self) -> Arc<Notify> {
        Arc::clone(&self.cut)
    }

    /// Says whether `method` can be asked from its place.
    ///
    /// # Errors
    ///
    /// `rate_limited` from a place that is kept for stopping.
    pub(super) fn may_ask(&self, method: &str) -> Result<(), RpcError> {
        if !self.is_reserved || FROM_RESERVED.contains(&method) {
            return Ok(());
        }
        let text = format!(
            "the operators' socket is full: this place is kept for stopping and pausing, not for \
             `{method}`; close connections (`mctui`, `mcctl feed`), or try again later"
        );
        Err(RpcError::new(ErrorKind::RateLimited, text).retry_after(1000))
    }
}

/// What a connection is told that has to go.
pub(super) fn sent_away() -> RpcError {
    let text = "the operators' socket is full, and this connection was idle for the longest time: \
                connect again";
    RpcError::new(ErrorKind::RateLimited, text).retry_after(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_idle_longest_makes_room_and_who_is_at_work_stays() {
        let guests = Guests::default();
        let (_one, first) = guests.admit(2, 0).unwrap();
        let (_two, second) = guests.admit(2, 0).unwrap();
        first.heard(0, i64::MAX);
        second.heard(1_000, 0);
        let (kept, third) = guests.admit(2, 2_999).unwrap();
        assert!(third.is_reserved, "both are at work, or were a moment ago");
        drop(kept);
        let (_three, third) = guests.admit(2, 3_000).unwrap();
        assert!(!third.is_reserved);
        let names = guests.lock();
        assert!(names.iter().any(|one| Arc::ptr_eq(one, &first)));
        assert!(!names.iter().any(|one| Arc::ptr_eq(one, &second)));
    }

    #[test]
    fn places_are_kept_for_stopping_and_come_back() {
        let guests = Guests::default();
        let (_seat, watching) = guests.admit(1, 0).unwrap();
        watching.heard(0, i64::MAX);
        let mut kept: Vec<_> = (0..RESERVED).map(|_| guests.admit(1, 10).unwrap()).collect();
        for (_, guest) in &kept {
            assert!(guest.may_ask("squad.emergency_stop").is_ok());
            let refused = guest.may_ask("task.list").unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::RateLimited);
        }
        assert!(guests.admit(1, 10).is_err(), "all are fresh");
        let next = guests.admit(1, 10 + GRACE_MS).unwrap();
        assert!(next.1.is_reserved, "an idle one made room");
        assert_eq!(guests.lock().len(), 1 + RESERVED);
        kept.clear();
        drop(next);
        assert_eq!(guests.lock().len(), 1);
        assert!(watching.may_ask("task.list").is_ok());
    }

    #[tokio::test]
    async fn who_has_to_go_is_told() {
        let guests = Guests::default();
        let (_one, first) = guests.admit(1, 0).unwrap();
        let _two = guests.admit(1, 60_000).unwrap();
        first.cut().notified().await;
        assert_eq!(sent_away().kind(), ErrorKind::RateLimited);
    }
}
