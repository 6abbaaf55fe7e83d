//! The second path of the emergency stop: the halt file stops all that the gateway does, whether
//! the daemon is there or not.

use std::{path::PathBuf, time::Duration};

use mc_proto::{halt::is_clear, method::feed::Aborted};
use tokio::{sync::watch, task::spawn_blocking, time::sleep};

use crate::{gateway::Calls, orders::Orders};

/// How often the file is looked at while nothing is stopped.
const LOOK: Duration = Duration::from_millis(500);
/// How often the gateway is looked at while everything is stopped: only what goes on is ended.
const AGAIN: Duration = Duration::from_secs(2);

/// Watches the halt file.
pub(crate) struct HaltWatch<C> {
    /// Ends what goes on.
    pub(crate) orders: Orders<C>,
    /// Where the file is; `None` until it was told.
    pub(crate) file: watch::Receiver<Option<PathBuf>>,
}

impl<C: Calls> HaltWatch<C> {
    /// Watches for ever.
    pub(crate) async fn watch(self) {
        let mut said: Option<Aborted> = None;
        loop {
            if self.says_stop().await {
                let done = self.orders.abort_all().await;
                if said.as_ref() != Some(&done) {
                    tracing::warn!(ended = done.ended, detail = %done.detail, "the halt file says stop");
                }
                said = Some(done);
                sleep(AGAIN).await;
            } else {
                said = None;
                sleep(LOOK).await;
            }
        }
    }

    /// What can't be read stops, as it does for the daemon.
    async fn says_stop(&self) -> bool {
        let Some(file) = self.file.borrow().clone() else { return false };
        // A disk that hangs must not hold orders up.
        spawn_blocking(move || !is_clear(&file).unwrap_or(false)).await.unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, path::Path, time::SystemTime};

    use tokio::time::timeout;

    use super::*;
    use crate::orders::{Agents, tests::Fake};

    fn touch(path: &Path, changed: SystemTime) {
        File::options().append(true).open(path).unwrap().set_modified(changed).unwrap();
    }

    fn watch_of<'a>(fake: &'a Fake, file: &Path) -> HaltWatch<&'a Fake> {
        HaltWatch {
            orders: Orders::new(fake, Agents::parse("main=wren,dev").unwrap()),
            file: watch::channel(Some(file.to_owned())).1,
        }
    }

    /// Lets the watch go on for some of its looks.
    async fn looks(watch: &mut (impl Future<Output = ()> + Unpin)) {
        timeout(AGAIN * 4, watch).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn the_file_ends_everything_once_and_what_comes_later_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("halt");
        std::fs::write(&path, "0 nothing is stopped").unwrap();
        touch(&path, SystemTime::UNIX_EPOCH);
        let fake = Fake::squad();
        let mut watch = Box::pin(watch_of(&fake, &path).watch());
        looks(&mut watch).await;
        assert_eq!(fake.count("sessions.list"), 0, "nothing is stopped, so nothing is asked");

        touch(&path, SystemTime::UNIX_EPOCH + LOOK);
        looks(&mut watch).await;
        assert!(fake.left().is_empty(), "{:?}", fake.left());
        assert_eq!((fake.count("sessions.abort"), fake.count("tasks.cancel")), (5, 2), "each once");

        fake.begin("agent:dev:late");
        looks(&mut watch).await;
        assert!(fake.left().is_empty(), "{:?}", fake.left());
        assert_eq!(fake.count("sessions.abort"), 6);

        touch(&path, SystemTime::UNIX_EPOCH);
        fake.begin("agent:dev:resumed");
        looks(&mut watch).await;
        assert_eq!(fake.left(), ["agent:dev:resumed"], "after the stop work goes on");
        std::fs::remove_file(&path).unwrap();
        looks(&mut watch).await;
        assert!(fake.left().is_empty(), "a file that is gone stops");
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_is_away_or_does_not_obey_is_told_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut fake = Fake::squad();
        fake.stubborn = true;
        let mut watch = Box::pin(watch_of(&fake, &dir.path().join("gone")).watch());
        looks(&mut watch).await;
        let told = fake.count("sessions.abort");
        looks(&mut watch).await;
        assert!(told > 0 && fake.count("sessions.abort") > told);
    }
}
