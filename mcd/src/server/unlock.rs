//! Passphrases: verified in a small pool, and slower with every wrong one.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use mc_core::actor::Level;
use mc_proto::error::{ErrorKind, RpcError};
use tokio::sync::Semaphore;

use super::factor::Checked;
use crate::{identity::Operator, store::ended};

/// How many passphrases are verified at once.
const POOL: usize = 2;
/// How long a proof lasts without a request, in milliseconds.
const IDLE_MS: i64 = 15 * 60 * 1000;
/// How long it lasts at all, in milliseconds.
pub(super) const ABSOLUTE_MS: i64 = 8 * 3600 * 1000;
/// The longest pause after a wrong passphrase, in milliseconds.
const LONGEST_MS: i64 = 60_000;

/// What a connection has proved; counted by a clock that never jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proof {
    /// The level reached.
    pub(super) level: Level,
    /// When it was proved.
    pub(super) since_ms: i64,
    /// The last request on it.
    pub(super) used_ms: i64,
    /// A clock that was set back ends all earlier proofs.
    pub(super) epoch: u64,
}

impl Proof {
    /// Says whether it still holds.
    pub(super) const fn is_good(&self, now_ms: i64, epoch: u64) -> bool {
        self.epoch == epoch && now_ms < self.ends_ms()
    }

    /// Returns when it ends unless it is used before.
    pub(super) const fn ends_ms(&self) -> i64 {
        let (idle, absolute) = (self.used_ms + IDLE_MS, self.since_ms + ABSOLUTE_MS);
        if idle < absolute { idle } else { absolute }
    }
}

/// Who guessed wrong how often, and the pool.
#[derive(Debug)]
pub(super) struct Unlocks {
    path: PathBuf,
    wrong: Mutex<HashMap<u32, Guesses>>,
    turns: Mutex<HashMap<u32, Arc<Semaphore>>>,
    pool: Semaphore,
}

#[derive(Debug, Clone, Copy, Default)]
struct Guesses {
    wrong: u32,
    next_ms: i64,
}

/// Returns the pause after so many wrong guesses: 1 s, doubling to 60 s.
fn pause_ms(wrong: u32) -> i64 {
    match wrong {
        0 => 0,
        n => (1000_i64 << (n - 1).min(6)).min(LONGEST_MS),
    }
}

impl Unlocks {
    /// Restores who guessed wrong before; their pause begins anew at `now_ms`.
    pub(super) fn open(path: &Path, now_ms: i64) -> Self {
        let kept = std::fs::read(path).unwrap_or_default();
        let kept: BTreeMap<u32, u32> = serde_json::from_slice(&kept).unwrap_or_default();
        let restore = |(uid, wrong)| (uid, Guesses { wrong, next_ms: now_ms + pause_ms(wrong) });
        Self {
            path: path.to_path_buf(),
            wrong: Mutex::new(kept.into_iter().map(restore).collect()),
            turns: Mutex::default(),
            pool: Semaphore::new(POOL),
        }
    }

    /// Verifies a passphrase, one at a time for each uid.
    ///
    /// # Errors
    ///
    /// `rate_limited` within the pause, `forbidden` when it is wrong or none was set.
    pub(super) async fn verify(
        &self,
        operator: &Operator,
        passphrase: String,
        now_ms: impl Fn() -> i64,
    ) -> Result<(), RpcError> {
        let turn = self.turn(operator.uid);
        let _turn = turn.acquire().await.map_err(|_| ended())?;
        self.may_guess(operator.uid, now_ms())?;
        let Some(hash) = operator.passphrase.clone() else {
            let text = "no passphrase is set for you: an admin sets one with `mcctl init`";
            return Err(RpcError::new(ErrorKind::Forbidden, text));
        };
        let _permit = self.pool.acquire().await.map_err(|_| ended())?;
        let passphrase = zeroize::Zeroizing::new(passphrase);
        let verified = tokio::task::spawn_blocking(move || is_right(&hash, &passphrase));
        let right = verified.await.map_err(|_| ended())?;
        self.note(operator.uid, right, now_ms());
        if right {
            return Ok(());
        }
        let wait = self.wait_ms(operator.uid, now_ms());
        let text = format!("the passphrase is wrong; the next try is in {} s", wait.div_ceil(1000));
        Err(RpcError::new(ErrorKind::Forbidden, text).retry_after(wait))
    }

    /// Lets a second factor be tried: wrong ones slow down as wrong passphrases do.
    ///
    /// # Errors
    ///
    /// `rate_limited` within the pause, and whatever the check itself refuses.
    pub(super) fn guess(
        &self,
        uid: u32,
        now_ms: i64,
        check: impl FnOnce() -> Result<Checked, RpcError>,
    ) -> Result<Checked, RpcError> {
        self.may_guess(uid, now_ms)?;
        let found = check()?;
        if found != Checked::Used {
            self.note(uid, found == Checked::Right, now_ms);
        }
        Ok(found)
    }

    fn turn(&self, uid: u32) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(uid).or_insert_with(|| Arc::new(Semaphore::new(1))))
    }

    fn may_guess(&self, uid: u32, now_ms: i64) -> Result<(), RpcError> {
        let wait = self.wait_ms(uid, now_ms);
        if wait == 0 {
            return Ok(());
        }
        let text = format!("too many wrong guesses: wait {} s", wait.div_ceil(1000));
        Err(RpcError::new(ErrorKind::RateLimited, text).retry_after(wait))
    }

    fn wait_ms(&self, uid: u32, now_ms: i64) -> u64 {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let next = wrong.get(&uid).map_or(i64::MIN, |guesses| guesses.next_ms);
        u64::try_from(next.saturating_sub(now_ms)).unwrap_or(0)
    }

    fn note(&self, uid: u32, right: bool, now_ms: i64) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if right && wrong.remove(&uid).is_none() {
            return;
        }
        if !right {
            let guesses = wrong.entry(uid).or_default();
            guesses.wrong = guesses.wrong.saturating_add(1);
            guesses.next_ms = now_ms + pause_ms(guesses.wrong);
        }
        let kept: BTreeMap<u32, u32> =
            wrong.iter().map(|(uid, guesses)| (*uid, guesses.wrong)).collect();
        drop(wrong);
        if let Err(error) = self.keep(&kept) {
            tracing::warn!(%error, "wrong passphrases could not be counted on disk");
        }
    }

    fn keep(&self, counts: &BTreeMap<u32, u32>) -> std::io::Result<()> {
        let text = serde_json::to_vec(counts)?;
        std::fs::write(&self.path, text)
    }
}

fn is_right(hash: &str, passphrase: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(passphrase.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use argon2::{Algorithm, Params, PasswordHasher, Version, password_hash::SaltString};
    use mc_core::actor::Role;

    use super::*;

    fn operator() -> Operator {
        let params = Params::new(8, 1, 1, None).unwrap();
        let salt = SaltString::encode_b64(b"0123456789abcdef").unwrap();
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(b"open sesame", &salt)
            .unwrap()
            .to_string();
        Operator {
            name: "ada".into(),
            uid: 7,
            role: Role::Admin,
            passphrase: Some(hash),
            totp: None,
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn the_pause_doubles_from_one_second_to_sixty() {
        let pauses: Vec<i64> = (1..10).map(|n| pause_ms(n) / 1000).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn wrong_guesses_slow_down_and_a_right_one_ends_that() {
        let dir = tempfile::tempdir().unwrap();
        let unlocks = Unlocks::open(&dir.path().join("unlock.json"), 0);
        let now = Cell::new(0_i64);
        let guess = |text: &str| {
            run(unlocks.verify(&operator(), text.to_owned(), || now.get())).map_err(|e| e.kind())
        };
        assert_eq!(guess("no"), Err(ErrorKind::Forbidden));
        assert_eq!(guess("open sesame"), Err(ErrorKind::RateLimited), "also when right");
        now.set(1000);
        assert_eq!(guess("no"), Err(ErrorKind::Forbidden));
        now.set(2999);
        assert_eq!(guess("no"), Err(ErrorKind::RateLimited));
        now.set(3000);
        assert_eq!(guess("open sesame"), Ok(()));
        assert_eq!(guess("no"), Err(ErrorKind::Forbidden));
        assert_eq!(unlocks.wait_ms(7, 3000), 1000, "counted from the start again");
        assert_eq!(unlocks.wait_ms(8, 3000), 0, "nobody else waits");
    }

    #[test]
    fn a_restart_forgets_no_wrong_guess() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("unlock.json");
        let unlocks = Unlocks::open(&path, 0);
        for _ in 0..3 {
            unlocks.note(7, false, 0);
        }
        let unlocks = Unlocks::open(&path, 50_000);
        assert_eq!(unlocks.wait_ms(7, 50_000), 4000);
    }

    #[test]
    fn a_proof_ends_when_idle_after_eight_hours_and_when_the_clock_is_set_back() {
        let proof = Proof { level: Level::L1, since_ms: 0, used_ms: 0, epoch: 3 };
        assert!(proof.is_good(IDLE_MS - 1, 3));
        assert!(!proof.is_good(IDLE_MS, 3));
        assert!(!proof.is_good(1, 4));
        let used = Proof { used_ms: ABSOLUTE_MS - 1, ..proof };
        assert!(used.is_good(ABSOLUTE_MS - 1, 3));
        assert!(!used.is_good(ABSOLUTE_MS, 3));
    }
}
