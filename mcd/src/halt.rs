//! The emergency stop as everybody can see it: an atomic, and a file that survives the process.

use std::{
    fs::{File, FileTimes, Metadata},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use mc_proto::halt::{LEN, UNTOUCHED, filled, is_clear};
use tokio::sync::Notify;

/// What it says while nothing is stopped.
const CLEAR: &str = "0 nothing is stopped; touch this file to stop everything";

/// The emergency stop.
///
/// One rule holds for everybody who looks at the file: nothing is stopped if its first byte is `0`
/// *and* it carries the time of change that only the daemon gives it (1970). So `mcd halt`, `touch`,
/// an editor, another file in its place and its removal all stop everything.
#[derive(Debug)]
pub struct Halt {
    set: AtomicBool,
    path: PathBuf,
    /// The time of change that was seen last; held while the file is looked at or written.
    seen: Mutex<Option<SystemTime>>,
    woken: Notify,
}

impl Halt {
    /// Reads the halt file of a new squad at `path`, creating it when there is none. What can't be
    /// read counts as halted.
    pub fn open(path: &Path) -> Self {
        let halt = Self::at(path);
        if is_gone(path)
            && let Err(error) = halt.write(CLEAR, Some(UNTOUCHED))
        {
            tracing::error!(%error, "the halt file can't be made: everything is stopped");
        }
        halt.refresh();
        halt
    }

    /// Reads the halt file of a squad that there was before: one that is gone was removed, and that
    /// stops everything, as whatever else is done to it by hand.
    pub fn reopen(path: &Path) -> Self {
        let halt = Self::at(path);
        if is_gone(path)
            && let Err(error) = halt.set("the halt file was gone when the daemon started")
        {
            tracing::error!(%error, "the halt file can't be made: everything is stopped");
        }
        halt.refresh();
        halt
    }

    fn at(path: &Path) -> Self {
        Self {
            set: AtomicBool::new(false),
            path: path.to_path_buf(),
            seen: Mutex::default(),
            woken: Notify::new(),
        }
    }

    /// Says whether everything is refused.
    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::SeqCst)
    }

    /// Stops everything: memory first, then the file, synced, with `words` for whoever reads it.
    ///
    /// # Errors
    ///
    /// When the file could not be written; the stop holds in memory all the same.
    pub fn set(&self, words: &str) -> io::Result<()> {
        self.set.store(true, Ordering::SeqCst);
        let mut seen = self.seen();
        self.write(&format!("1 {words}"), None)?;
        *seen = Some(changed(&std::fs::metadata(&self.path)?)?);
        Ok(())
    }

    /// Ends the stop: file first, then memory.
    ///
    /// # Errors
    ///
    /// When the file could not be written, or somebody stopped by hand since it was looked at last;
    /// the stop then goes on.
    pub fn clear(&self) -> io::Result<()> {
        let mut seen = self.seen();
        let now = std::fs::metadata(&self.path).and_then(|file| changed(&file)).ok();
        if now != *seen {
            *seen = now;
            return Err(io::Error::other("somebody stopped by the halt file meanwhile"));
        }
        self.write(CLEAR, Some(UNTOUCHED))?;
        if !is_clear(&self.path)? {
            return Err(io::Error::other("its file system keeps no time of change"));
        }
        *seen = Some(UNTOUCHED);
        self.set.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Looks at the file again, for a stop that was set by hand; never ends a stop.
    pub fn refresh(&self) -> bool {
        let mut seen = self.seen();
        *seen = std::fs::metadata(&self.path).and_then(|file| changed(&file)).ok();
        let is_clear = is_clear(&self.path).unwrap_or(false);
        if !is_clear && !self.set.swap(true, Ordering::SeqCst) {
            self.woken.notify_one();
        }
        self.is_set()
    }

    /// Waits until the file says stop and nothing did before.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Returns what whoever stopped left in the file, one line; `None` where there are no words.
    pub fn words(&self) -> Option<String> {
        let text = std::fs::read(&self.path).ok()?;
        let text = String::from_utf8_lossy(text.strip_prefix(b"1")?);
        let words: String = text.chars().filter(|c| !c.is_control()).take(LEN).collect();
        let words = words.trim();
        // Who overwrote the first byte alone left what had stood there.
        let is_said = !words.is_empty() && !CLEAR.ends_with(words);
        is_said.then(|| words.to_owned())
    }

    /// Returns where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn seen(&self) -> MutexGuard<'_, Option<SystemTime>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Overwrites the file in place: at no moment it is shorter, or clear by half.
    fn write(&self, words: &str, changed: Option<SystemTime>) -> io::Result<()> {
        let file = File::options().write(true).create(true).truncate(false).open(&self.path)?;
        file.write_all_at(&filled(words), 0)?;
        let Some(changed) = changed else { return file.sync_data() };
        file.set_times(FileTimes::new().set_modified(changed))?;
        file.sync_all()
    }
}

fn is_gone(path: &Path) -> bool {
    path.try_exists().is_ok_and(|exists| !exists)
}

fn changed(file: &Metadata) -> io::Result<SystemTime> {
    file.modified()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halt() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("halt");
        assert!(!Halt::open(&path).is_set());
        (dir, path)
    }

    #[test]
    fn whatever_is_done_to_the_file_by_hand_stops() {
        type Act = fn(&Path);
        let by_hand: [(&str, Act); 7] = [
            ("touch", |path| {
                let file = File::options().append(true).open(path).unwrap();
                file.set_modified(UNTOUCHED + std::time::Duration::from_secs(5)).unwrap();
            }),
            ("printf 1", |path| std::fs::write(path, "1").unwrap()),
            ("printf 0", |path| std::fs::write(path, "0").unwrap()),
            ("text", |path| std::fs::write(path, "0 is no way to clear it").unwrap()),
            ("emptied", |path| std::fs::write(path, "").unwrap()),
            ("removed", |path| std::fs::remove_file(path).unwrap()),
            ("replaced", |path| {
                let other = path.with_extension("new");
                std::fs::write(&other, CLEAR).unwrap();
                std::fs::rename(other, path).unwrap();
            }),
        ];
        for (what, act) in by_hand {
            let (_dir, path) = halt();
            let running = Halt::open(&path);
            act(&path);
            assert!(running.refresh(), "{what}");
            let again = Halt::reopen(&path);
            assert!(again.is_set(), "{what}, over a restart");
            assert!(again.refresh() && path.exists(), "{what}, over a restart");
            running.refresh();
            running.clear().unwrap();
            assert!(!running.refresh() && !Halt::reopen(&path).is_set(), "{what}, cleared");
        }
    }

    #[test]
    fn a_stop_by_hand_is_not_cleared_by_who_has_not_seen_it() {
        let (_dir, path) = halt();
        let running = Halt::open(&path);
        running.set("ana: fire").unwrap();
        assert_eq!(running.words().as_deref(), Some("ana: fire"));
        Halt::open(&path).set("by hand").unwrap();
        assert!(running.clear().is_err());
        assert!(running.is_set() && Halt::open(&path).is_set());
        running.clear().unwrap();
        assert!(!Halt::open(&path).is_set());
    }

    #[test]
    fn a_stop_set_while_nobody_ran_is_not_cleared_by_hand() {
        type Act = fn(&Path);
        let acts: [Act; 2] =
            [|path| std::fs::write(path, "0").unwrap(), |path| std::fs::remove_file(path).unwrap()];
        for act in acts {
            let (_dir, path) = halt();
            Halt::reopen(&path).set("`mcd halt` by uid 0").unwrap();
            act(&path);
            assert!(Halt::reopen(&path).is_set());
        }
        let (_dir, path) = halt();
        std::fs::remove_file(&path).unwrap();
        let words = Halt::reopen(&path).words().unwrap();
        assert_eq!(words, "the halt file was gone when the daemon started");
    }

    #[test]
    fn long_words_are_cut() {
        let (_dir, path) = halt();
        let running = Halt::open(&path);
        running.set(&"ü\n".repeat(600)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 512);
        assert!(running.words().unwrap().chars().count() < 512);
        assert!(Halt::open(&path).is_set());
        std::fs::write(&path, "1").unwrap();
        assert!(Halt::open(&path).is_set(), "one byte is enough for a stop");
    }

    #[tokio::test]
    async fn who_waits_for_a_stop_by_hand_is_woken() {
        let (_dir, path) = halt();
        let running = Halt::open(&path);
        std::fs::write(&path, "1").unwrap();
        running.refresh();
        tokio::time::timeout(std::time::Duration::from_secs(5), running.woken()).await.unwrap();
    }
}
