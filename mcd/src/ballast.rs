//! Room on the disk that is kept for a stop: a file of real blocks, given up when the disk is full
//! and a stop has to be recorded, and made again as soon as there is room.
//!
//! While it is given up agents store nothing: what it freed is for the record and for people. An
//! empty file says so over a restart.

use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::{
    fs::{FallocateFlags, fallocate, fstatvfs},
    io::Errno,
};

const BLOCK_BYTES: usize = 16 * 1024;

/// The room that is kept.
#[derive(Debug, Default)]
pub struct Ballast {
    kept: OnceLock<(PathBuf, u64)>,
    is_out: AtomicBool,
}

impl Ballast {
    /// Keeps so many bytes in a file at `path` from now on. Where there never was room for them,
    /// nothing is kept, and the log says so.
    pub fn lay(&self, path: &Path, bytes: u64) {
        if bytes == 0 {
            std::fs::remove_file(path).ok();
            return;
        }
        let length = std::fs::metadata(path).map(|file| file.len());
        let was_out = length.as_ref().is_ok_and(|length| *length == 0);
        if self.kept.set((path.to_path_buf(), bytes)).is_err() {
            return;
        }
        self.is_out.store(was_out, Ordering::SeqCst);
        if length.is_ok_and(|length| length == bytes) || self.make_again() || was_out {
            return;
        }
        std::fs::remove_file(path).ok();
        tracing::warn!(
            bytes,
            "there is no room for the ballast: a stop on a full disk holds, and comes into the record once there is space"
        );
    }

    /// Says whether it was given up, and what is free is not for agents.
    pub fn is_out(&self) -> bool {
        self.is_out.load(Ordering::SeqCst)
    }

    /// Gives it up; says whether that made room.
    pub fn release(&self) -> bool {
        let Some((path, _)) = self.kept.get().filter(|_| !self.is_out()) else { return false };
        let emptied = File::options().write(true).truncate(true).open(path);
        if let Err(error) = &emptied {
            tracing::error!(%error, "the ballast can't be given up");
        }
        self.is_out.store(emptied.is_ok(), Ordering::SeqCst);
        emptied.is_ok()
    }

    /// Makes it again where there is room for it twice; says whether it is there.
    pub fn restore(&self) -> bool {
        !self.is_out() || self.make_again()
    }

    fn make_again(&self) -> bool {
        let Some((path, bytes)) = self.kept.get() else { return false };
        let made = make(path, *bytes);
        match &made {
            Ok(true) => self.is_out.store(false, Ordering::SeqCst),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the ballast can't be made"),
        }
        made.is_ok_and(|made| made)
    }
}

/// Makes the file, unless that would leave less room than it takes.
fn make(path: &Path, bytes: u64) -> io::Result<bool> {
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let disk = fstatvfs(&file)?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < bytes.saturating_mul(2) {
        return Ok(false);
    }
    let made = match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP) => write(&mut file, bytes),
        made => made.map_err(Into::into),
    };
    if let Err(error) = made {
        file.set_len(0)?;
        return Err(error);
    }
    file.sync_all()?;
    Ok(true)
}

/// Fills a file on a disk that gives blocks only for what is written.
fn write(file: &mut File, bytes: u64) -> io::Result<()> {
    let block = [0x4d; BLOCK_BYTES];
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        file.write_all(block.get(..now).unwrap_or(&block))?;
        left -= now as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    const BYTES: u64 = 300 * 1024;

    fn blocks(path: &Path) -> u64 {
        std::fs::metadata(path).unwrap().blocks() * 512
    }

    #[test]
    fn it_takes_real_room_gives_it_up_and_takes_it_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ballast");
        let ballast = Ballast::default();
        assert!(!ballast.release() && !ballast.is_out(), "nothing is kept yet");
        ballast.lay(&path, BYTES);
        assert!(blocks(&path) >= BYTES && !ballast.is_out());
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(ballast.release() && ballast.is_out());
        assert_eq!(blocks(&path), 0);
        assert!(!ballast.release(), "once");
        assert!(ballast.restore() && !ballast.is_out());
        assert!(blocks(&path) >= BYTES);
    }

    #[test]
    fn without_room_it_stays_out_and_where_there_never_was_room_nothing_waits_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ballast");
        let ballast = Ballast::default();
        ballast.lay(&path, u64::MAX / 4);
        assert!(!ballast.is_out() && !path.exists());
        // A daemon that gave it up was ended before there was room again.
        File::create(&path).unwrap();
        let next = Ballast::default();
        next.lay(&path, u64::MAX / 4);
        assert!(next.is_out() && !next.restore());
        let next = Ballast::default();
        next.lay(&path, BYTES);
        assert!(!next.is_out());
        let none = Ballast::default();
        none.lay(&dir.path().join("none"), 0);
        assert!(!dir.path().join("none").exists() && none.restore());
    }

    #[test]
    fn a_disk_without_promises_is_written_to() {
        let mut file = tempfile::tempfile().unwrap();
        write(&mut file, BYTES + 1).unwrap();
        assert_eq!(file.metadata().unwrap().len(), BYTES + 1);
    }
}
