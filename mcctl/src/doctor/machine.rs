//! What the checks see of the machine; tests plant weaknesses here.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// What is known of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// Its owner.
    pub(super) uid: u32,
    /// Its group.
    pub(super) gid: u32,
    /// Its mode, with the sticky bit, without its type.
    pub(super) mode: u32,
}

/// A machine that can be looked at.
pub(super) trait Machine {
    /// Returns a file's text; `None` when there is none or it can't be read.
    fn text(&self, path: &Path) -> Option<String>;
    /// Returns what is known of a path, links followed.
    fn stat(&self, path: &Path) -> Option<Stat>;
    /// Returns what a directory holds, in no order; empty when it can't be read.
    fn list(&self, dir: &Path) -> Vec<PathBuf>;
    /// Returns the path without links; the path itself when that can't be known.
    fn real(&self, path: &Path) -> PathBuf;
}

/// The machine that this program runs on.
#[derive(Debug, Clone, Copy)]
pub(super) struct ThisMachine;

impl Machine for ThisMachine {
    fn text(&self, path: &Path) -> Option<String> {
        fs::read_to_string(path).ok()
    }

    fn stat(&self, path: &Path) -> Option<Stat> {
        let metadata = fs::metadata(path).ok()?;
        Some(Stat { uid: metadata.uid(), gid: metadata.gid(), mode: metadata.mode() & 0o7777 })
    }

    fn list(&self, dir: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).into_iter().flatten();
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
    }

    fn real(&self, path: &Path) -> PathBuf {
        fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A machine made of planted files.
    #[derive(Debug, Default)]
    pub(crate) struct Planted {
        texts: BTreeMap<PathBuf, String>,
        stats: BTreeMap<PathBuf, Stat>,
    }

    impl Planted {
        pub(crate) fn with(mut self, path: &str, text: &str) -> Self {
            self.texts.insert(path.into(), text.into());
            self
        }

        pub(crate) fn owned(self, path: &str, uid: u32, mode: u32) -> Self {
            self.of_group(path, (uid, 0), mode)
        }

        pub(crate) fn of_group(mut self, path: &str, (uid, gid): (u32, u32), mode: u32) -> Self {
            self.stats.insert(path.into(), Stat { uid, gid, mode });
            self
        }
    }

    impl Machine for Planted {
        fn text(&self, path: &Path) -> Option<String> {
            self.texts.get(path).cloned()
        }

        fn stat(&self, path: &Path) -> Option<Stat> {
            self.stats.get(path).copied()
        }

        fn list(&self, dir: &Path) -> Vec<PathBuf> {
            let all = self.texts.keys().chain(self.stats.keys());
            let mut inside: Vec<PathBuf> =
                all.filter(|path| path.parent() == Some(dir)).cloned().collect();
            inside.sort();
            inside.dedup();
            inside
        }

        fn real(&self, path: &Path) -> PathBuf {
            path.to_path_buf()
        }
    }
}
