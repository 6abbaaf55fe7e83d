//! `policy.toml` on disk: what it says, and whether an agent could have written it.

use std::{
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use mc_proto::home::Home;

use crate::caller::SystemCommand;

/// Others may write: the group or everybody.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// In such a directory only the owner of a file may put another in its place.
const STICKY: u32 = 0o1000;

/// The policy file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// Word for word; empty where there is none.
    pub text: String,
    /// The uid that owns it, or its directory where there is none.
    pub owner: u32,
    /// Whether nobody but root and users that no agent runs as can write it.
    pub is_trusted: bool,
}

impl PolicyFile {
    /// Returns where it lies.
    pub fn path(home: &Home) -> PathBuf {
        home.config.join("policy.toml")
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// When it is there and can't be read.
    pub fn read(home: &Home, agents: &[u32]) -> io::Result<Self> {
        let path = Self::path(home);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let of = path.metadata().or_else(|_| home.config.metadata())?;
        Ok(Self { text, owner: of.uid(), is_trusted: is_trusted(&path, agents) })
    }

    /// Returns what the writer is to do with it: bring it into force, or say that it differs.
    pub fn command(self, counts: bool) -> SystemCommand {
        if counts {
            SystemCommand::ActivatePolicy { text: self.text, by_uid: self.owner }
        } else {
            SystemCommand::ComparePolicy { text: self.text }
        }
    }
}

/// Says whether neither the file, nor a directory on the way to it, nor to where it leads, can be
/// written by an agent's user or by others.
fn is_trusted(path: &Path, agents: &[u32]) -> bool {
    let written = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = written.canonicalize().unwrap_or_else(|_| written.clone());
    let is_closed = |place: &Path| match place.symlink_metadata() {
        Ok(found) => found.is_symlink() || is_closed_to(&found, agents),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    written.ancestors().chain(real.ancestors()).all(is_closed)
}

fn is_closed_to(found: &Metadata, agents: &[u32]) -> bool {
    let is_shared = found.mode() & WRITABLE_BY_OTHERS != 0;
    let is_sticky = found.is_dir() && found.mode() & STICKY != 0;
    !agents.contains(&found.uid()) && (!is_shared || is_sticky)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_file_counts_only_where_no_agent_can_write_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config/policy.toml");
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        let own = path.metadata().unwrap().uid();
        let set =
            |of: &Path, mode| fs::set_permissions(of, fs::Permissions::from_mode(mode)).unwrap();
        set(dir.path(), 0o755);
        set(path.parent().unwrap(), 0o755);
        set(&path, 0o644);
        assert!(is_trusted(&path, &[own + 1]));
        assert!(!is_trusted(&path, &[own + 1, own]), "its owner is an agent");
        set(&path, 0o664);
        assert!(!is_trusted(&path, &[own + 1]), "its group may write it");
        set(&path, 0o644);
        set(path.parent().unwrap(), 0o777);
        assert!(!is_trusted(&path, &[own + 1]), "everybody may replace it");
        set(path.parent().unwrap(), 0o1777);
        assert!(is_trusted(&path, &[own + 1]), "nobody else may replace it");
    }
}
