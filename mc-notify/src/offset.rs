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

/// A file that can't be read or written: it can't be known, or kept, what was handled.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub(crate) struct OffsetError {
    /// Which.
    path: PathBuf,
    /// Why.
    source: io::Error,
}

/// The next update that is wanted.
#[derive(Debug)]
pub(crate) struct Offset {
    path: PathBuf,
    /// The next one, and when the one before it was handled.
    next: Option<(i64, u64)>,
    /// A copy of the file, when it was damaged: it is not known what was handled.
    set_aside: Option<PathBuf>,
}

impl Offset {
    /// Reads what was handled before; nothing, where there is no file. One that is not as it was
    /// written is copied aside, and stays in its place until [`Offset::begin`]: also the next
    /// process knows that it does not know.
    ///
    /// # Errors
    ///
    /// When it can't be read or copied.
    pub(crate) fn open(path: &Path) -> Result<Self, OffsetError> {
        let io_error = |path: &Path| {
            let path = path.to_path_buf();
            |source| OffsetError { path, source }
        };
        let whole = match fs::read(path) {
            Ok(whole) => Some(whole),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io_error(path)(error)),
        };
        let next = whole.as_deref().map(read);
        let mut set_aside = None;
        if next == Some(None) {
            let aside = path.with_extension("damaged");
            fs::copy(path, &aside).map_err(io_error(&aside))?;
            set_aside = Some(aside);
        }
        Ok(Self { path: path.to_path_buf(), next: next.flatten(), set_aside })
    }

    /// Returns the copy of a damaged file: then it is not known what was handled, and everything
    /// that waits must be passed over.
    pub(crate) fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    /// Notes that everything up to `last` was passed over; `None` when nothing waited.
    ///
    /// # Errors
    ///
    /// When it can't be kept: then nothing must be handled yet.
    pub(crate) fn begin(&mut self, last: Option<i64>) -> Result<(), OffsetError> {
        let next = (last.map_or(0, |last| last.saturating_add(1)), clock::seconds());
        self.keep(next).map_err(|source| OffsetError { path: self.path.clone(), source })?;
        (self.next, self.set_aside) = (Some(next), None);
        Ok(())
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
    /// When it can't be kept: then it must not be handled.
    pub(crate) fn take(&mut self, update: i64) -> Result<bool, OffsetError> {
        self.take_at(update, clock::seconds())
    }

    fn take_at(&mut self, update: i64, now: u64) -> Result<bool, OffsetError> {
        if self.next_at(now).is_some_and(|next| update < next) {
            return Ok(false);
        }
        let next = (update.saturating_add(1), now);
        self.keep(next).map_err(|source| OffsetError { path: self.path.clone(), source })?;
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

/// Reads the next update and when the one before it was handled.
fn read(whole: &[u8]) -> Option<(i64, u64)> {
    let (next, at) = std::str::from_utf8(whole).ok()?.trim().split_once(' ')?;
    Some((next.parse().ok()?, at.parse().ok()?))
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
    fn what_cant_be_kept_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gone").join("telegram-1.offset");
        let mut offset = Offset::open(&path).unwrap();
        assert!(offset.take_at(7, 100).is_err());
        assert_eq!(offset.next_at(100), None);
    }

    #[test]
    fn a_damaged_file_is_copied_aside_and_counts_as_unknown_until_it_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("telegram-1.offset");
        for damaged in [&b"what"[..], b"", b"8", b"8 \xff", b"8 x"] {
            fs::write(&path, damaged).unwrap();
            for _ in 0..2 {
                // The next process does not know either.
                let offset = Offset::open(&path).unwrap();
                let aside = offset.set_aside().unwrap();
                assert_eq!(fs::read(aside).unwrap(), damaged);
                assert_eq!(offset.next(), None);
            }
            let mut offset = Offset::open(&path).unwrap();
            offset.begin(Some(7)).unwrap();
            assert_eq!((offset.set_aside(), offset.next()), (None, Some(8)));
            let mut offset = Offset::open(&path).unwrap();
            assert_eq!((offset.set_aside(), offset.next()), (None, Some(8)));
            assert!(!offset.take(7).unwrap() && offset.take(8).unwrap());
        }
        fs::write(&path, "what").unwrap();
        let mut offset = Offset::open(&path).unwrap();
        offset.begin(None).unwrap();
        assert!(offset.take(1).unwrap(), "nothing had waited");
    }
}
