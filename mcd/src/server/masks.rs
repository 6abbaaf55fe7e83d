//! Long texts are masked beside everybody else's work: a few at a time, and so many wait and no more.

use std::sync::Arc;

use mc_proto::error::{ErrorKind, RpcError};
use tokio::sync::Semaphore;

use crate::store::ended;

/// How many texts are masked at a time: the other threads of the pool are for whoever sends no long one.
const AT_ONCE: usize = 2;
/// How many may be in hand, with those that wait.
const IN_HAND: usize = 64;

/// The places of those who send long texts.
#[derive(Debug)]
pub(super) struct Masks {
    in_hand: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Default for Masks {
    fn default() -> Self {
        Self {
            in_hand: Arc::new(Semaphore::new(IN_HAND)),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Masks {
    /// Does `work` on a thread of the pool when it is its turn. Who no longer waits for it does not
    /// give its place away before it has ended.
    ///
    /// # Errors
    ///
    /// `unavailable` at once when too much waits, or while the daemon ends.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RpcError> {
        let Ok(place) = Arc::clone(&self.in_hand).try_acquire_owned() else {
            let text = "too many long requests wait; try again";
            return Err(RpcError::new(ErrorKind::Unavailable, text).retry_after(200));
        };
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| ended())?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((place, turn));
            done
        });
        done.await.map_err(|_| ended())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn so_many_are_in_hand_and_no_more_and_each_gives_its_place_back() {
        let masks = Arc::new(Masks::default());
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let gate = Arc::new(std::sync::Mutex::new(gate));
        let waits = |at: usize| {
            let (masks, gate) = (Arc::clone(&masks), Arc::clone(&gate));
            tokio::spawn(async move {
                masks.run(move || gate.lock().unwrap().recv().map(|()| at)).await
            })
        };
        let all: Vec<_> = (0..IN_HAND).map(waits).collect();
        while masks.in_hand.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = masks.run(|| ()).await.unwrap_err();
        assert!(refused.message.contains("too many long requests"), "{refused:?}");
        for _ in &all {
            open.send(()).unwrap();
        }
        for (at, one) in all.into_iter().enumerate() {
            assert_eq!(one.await.unwrap().unwrap().unwrap(), at);
        }
        masks.run(|| ()).await.unwrap();
    }
}
