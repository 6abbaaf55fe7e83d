//! Which updates of a bot were handled: kept in a file, so that none is handled twice.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::clock;

/// How long it is kept, in seconds. Telegram keeps updates for a day, and after a week without one
/// it may number them anew, lower than before.
const KEPT_S: u64 = 6 * 86_400;

/// Why it can't be known what was handled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OffsetError {
    /// The file can't be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} is not as it was written: look into it, or remove it", .0.display())]
    Strange(PathBuf),
}

/// The next update that is wanted.
#[derive(Debug)]
pub(crate) struct Offset {
    path: PathBuf,
    /// The next one, and when the one before it was handled.
    next: Option<(i64, u64)>,
}

impl Offset {
    /// Reads what was handled before; nothing, where there is no file.
    ///
    /// # Errors
    ///
    /// Any [`OffsetError`].
    pub(crate) fn open(path: &Path) -> Result<Self, OffsetError> {
        let next = match fs::read_to_string(path) {
            Ok(text) => {
                let read = text.trim().split_once(' ');
                let read = read.and_then(|(next, at)| Some((next.parse().ok()?, at.parse().ok()?)));
                Some(read.ok_or_else(|| OffsetError::Strange(path.to_path_buf()))?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(OffsetError::Io { path: path.to_path_buf(), source }),
        };
        Ok(Self { path: path.to_path_buf(), next })
    }

    /// Returns the next update that is wanted; `None` for any.
    pub(crate) fn next(&self) -> Option<i64> {
        self.next_at(clock::seconds())
    }

    fn next_at(&self, now: u64) -> Option<i64> {
        self.next.filter(|(_, at)| now.saturating_sub(*at) < KEPT_S).map(|(next, _)| next)
    }

    /// Notes that an update is handled; `false` when it was before. When this returns, it is on
    /// disk.
    ///
    /// # Errors
    ///
    /// [`OffsetError::Io`]: then it must not be handled.
    pub(crate) fn take(&mut self, update: i64) -> Result<bool, OffsetError> {
        self.take_at(update, clock::seconds())
    }

    fn take_at(&mut self, update: i64, now: u64) -> Result<bool, OffsetError> {
        if self.next_at(now).is_some_and(|next| update < next) {
            return Ok(false);
        }
        let next = (update.saturating_add(1), now);
        self.keep(next).map_err(|source| OffsetError::Io { path: self.path.clone(), source })?;
        self.next = Some(next);
        Ok(true)
    }

    fn keep(&self, (next, at): (i64, u64)) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        writeln!(file, "{next} {at}")?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        // The name is on disk, too.
        self.path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_taken_once_also_by_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("telegram-1.offset");
        let mut offset = Offset::open(&path).unwrap();
        assert_eq!(offset.next_at(100), None);
        assert!(offset.take_at(7, 100).unwrap());
        assert!(!offset.take_at(7, 100).unwrap() && !offset.take_at(6, 100).unwrap());
        let mut offset = Offset::open(&path).unwrap();
        assert_eq!(offset.next_at(100), Some(8));
        assert!(!offset.take_at(7, 100).unwrap());
        assert!(offset.take_at(8, 100).unwrap());
        // Numbered anew after a week of silence.
        assert_eq!(offset.next_at(100 + KEPT_S), None);
        assert!(offset.take_at(2, 100 + KEPT_S).unwrap());
    }

    #[test]
    fn what_cant_be_kept_is_not_taken_and_what_is_strange_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gone").join("telegram-1.offset");
        let mut offset = Offset::open(&path).unwrap();
        assert!(offset.take_at(7, 100).is_err());
        assert_eq!(offset.next_at(100), None);
        let path = dir.path().join("strange");
        fs::write(&path, "what").unwrap();
        assert!(matches!(Offset::open(&path), Err(OffsetError::Strange(_))));
    }
}
