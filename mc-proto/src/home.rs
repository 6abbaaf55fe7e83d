//! Where things lie: configuration, state and sockets (PROTOCOL.md, Transport).

use std::path::{Path, PathBuf};

/// The directories of one squad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// `config.toml`, `policy.toml`, `identity.toml`.
    pub config: PathBuf,
    /// The database, the halt file, the keys.
    pub state: PathBuf,
    /// The sockets.
    pub run: PathBuf,
}

impl Home {
    /// Everything under one directory.
    pub fn under(dir: &Path) -> Self {
        Self { config: dir.join("config"), state: dir.join("state"), run: dir.join("run") }
    }

    /// The places of the system service.
    pub fn system() -> Self {
        Self {
            config: "/etc/mission-control".into(),
            state: "/var/lib/mission-control".into(),
            run: "/run/mission-control".into(),
        }
    }

    /// Finds the home: `explicit` (of `--home`), else `MC_HOME`, else the system's where its
    /// configuration exists and the user has none, else the user's own XDG directories.
    pub fn find(explicit: Option<&Path>) -> Self {
        let given = explicit.map(Path::to_path_buf).or_else(|| environment("MC_HOME"));
        if let Some(dir) = given {
            return Self::under(&dir);
        }
        let user = Self::user();
        match user {
            Some(user) if user.config.exists() || !Self::system().config.exists() => user,
            Some(_) | None => Self::system(),
        }
    }

    /// The XDG directories of the user; `None` without a home directory.
    pub fn user() -> Option<Self> {
        let dirs = directories::ProjectDirs::from("", "", "mission-control")?;
        let state = dirs.state_dir().unwrap_or_else(|| dirs.data_dir()).to_path_buf();
        let run = dirs.runtime_dir().map_or_else(|| state.join("run"), Path::to_path_buf);
        Some(Self { config: dirs.config_dir().to_path_buf(), state, run })
    }

    /// The socket that agents and adapters use.
    pub fn agent_socket(&self) -> PathBuf {
        self.run.join("agent").join("mcd.sock")
    }

    /// The socket that operators use.
    pub fn operator_socket(&self) -> PathBuf {
        self.run.join("operator").join("mcd.sock")
    }

    /// The socket that the notification helper uses.
    pub fn notify_socket(&self) -> PathBuf {
        self.run.join("notify").join("mcd.sock")
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.state.join("mc.db")
    }

    /// The file that says whether the emergency stop is in force.
    pub fn halt_file(&self) -> PathBuf {
        self.state.join("halt")
    }
}

/// Returns `MC_SOCKET`, which overrides the socket.
pub fn socket_from_environment() -> Option<PathBuf> {
    environment("MC_SOCKET")
}

/// Returns the agent's name (`MC_AGENT`) and the file of its token (`MC_TOKEN_FILE`).
pub fn agent_from_environment() -> (Option<String>, Option<PathBuf>) {
    let name = environment("MC_AGENT").and_then(|name| name.into_os_string().into_string().ok());
    (name, environment("MC_TOKEN_FILE"))
}

#[expect(clippy::disallowed_methods, reason = "the clients' one reader of the environment")]
fn environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_directory_holds_everything() {
        let home = Home::find(Some(Path::new("/x")));
        assert_eq!(home.agent_socket(), Path::new("/x/run/agent/mcd.sock"));
        assert_eq!(home.operator_socket(), Path::new("/x/run/operator/mcd.sock"));
        assert_eq!(home.database(), Path::new("/x/state/mc.db"));
    }
}
