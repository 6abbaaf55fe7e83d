//! A small disk that can be filled.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

/// A small file system in memory; it goes with the test.
#[derive(Debug)]
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts one of so many MiB; `None`, and it is said, where that can't be done.
    pub fn new(mib: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(dir.path());
        let mounted = mount.status().is_ok_and(|status| status.success());
        if !mounted {
            crate::say("skipped: no file system can be mounted here");
        }
        mounted.then_some(Self(dir))
    }

    /// Returns where it is mounted.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast-of-the-test")
    }

    /// Fills it to the last page.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        let page = [1; 4096];
        let full = loop {
            if let Err(error) = ballast.write_all(&page) {
                break error.kind();
            }
        };
        assert_eq!(full, ErrorKind::StorageFull);
    }

    /// Takes away what filled it.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is still busy is detached and goes with its last user.
        Command::new("umount").arg("--lazy").arg(self.0.path()).status().ok();
    }
}
