//! Secrets: from files of mode 0600, never from arguments, never logged.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use zeroize::Zeroizing;

/// The longest secret, in bytes.
const LONGEST: u64 = 4096;

/// Where a value comes from, as `notify.toml` says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Source {
    /// Stands there in clear.
    Plain(String),
    /// Is all of a file.
    File {
        /// Relative to `notify.toml`.
        file: PathBuf,
    },
    /// Is a line of the environment file.
    Env {
        /// The name.
        env: String,
    },
}

/// A value that is never shown.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Returns the value, to be sent and not to be kept.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Where secrets are looked for.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    lines: HashMap<String, Secret>,
}

impl Store {
    /// Reads the environment file, if one is named; paths are relative to `dir`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(crate) fn open(dir: &Path, env_file: Option<&Path>) -> Result<Self, String> {
        let mut store = Self { dir: dir.to_path_buf(), lines: HashMap::new() };
        let Some(env_file) = env_file else { return Ok(store) };
        let text = store.read(env_file)?;
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                return Err(format!("{}:{}: expected NAME=value", env_file.display(), at + 1));
            };
            let value = value.trim().trim_matches('"').to_owned();
            store.lines.insert(name.trim().to_owned(), Secret(Zeroizing::new(value)));
        }
        Ok(store)
    }

    /// Returns the value that `source` names.
    ///
    /// # Errors
    ///
    /// What is wrong, in words that don't hold the value.
    pub(crate) fn get(&self, source: &Source) -> Result<Secret, String> {
        let found = match source {
            Source::Plain(text) => Secret(Zeroizing::new(text.clone())),
            Source::File { file } => Secret(Zeroizing::new(self.read(file)?.trim().to_owned())),
            Source::Env { env } => self
                .lines
                .get(env)
                .cloned()
                .ok_or_else(|| format!("`{env}` does not stand in the env_file"))?,
        };
        let is_plain = |c: char| !c.is_control();
        if found.expose().is_empty() || !found.expose().chars().all(is_plain) {
            return Err("expected one line that is not empty".to_owned());
        }
        Ok(found)
    }

    /// Reads a file that nobody else may read.
    fn read(&self, file: &Path) -> Result<Zeroizing<String>, String> {
        let path = self.dir.join(file);
        let wrong = |error: io::Error| format!("{} can't be read: {error}", path.display());
        let found = fs::metadata(&path).map_err(wrong)?;
        let me = rustix::process::geteuid().as_raw();
        if found.mode() & 0o077 != 0 {
            let (path, mode) = (path.display(), found.mode() & 0o777);
            return Err(format!("{path} has mode {mode:o}: others can use it; `chmod 600 {path}`"));
        }
        if found.uid() != me && found.uid() != 0 {
            return Err(format!("{} belongs to another user", path.display()));
        }
        if !found.is_file() || found.len() > LONGEST {
            return Err(format!("{} is no file of at most {LONGEST} bytes", path.display()));
        }
        fs::read_to_string(&path).map(Zeroizing::new).map_err(wrong)
    }
}
