//! `config.toml`, and the only reader of the environment.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use mc_proto::{home::Home, method::admin::Finding};
use serde::Deserialize;

use crate::findings;

/// How the daemon is set up; every key may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The squad's name.
    pub squad: String,
    /// The IANA zone whose days budgets count.
    pub time_zone: String,
    /// What is logged, in the words of `tracing`'s filters.
    pub log: String,
    /// How much there may be of anything.
    pub limits: LimitConfig,
    /// What an emergency stop may do to a runtime that goes on.
    pub emergency: EmergencyConfig,
}

/// What an emergency stop may do to a runtime that goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmergencyConfig {
    /// The command that ends the runtimes' processes, word for word and without a shell, such as
    /// `["systemctl", "--user", "stop", "openclaw-gateway"]`.
    pub end_runtime: Vec<String>,
    /// What the daemon does by itself, two seconds after a stop that a runtime did not obey.
    pub end: EndBy,
}

/// How a runtime is ended that does not obey a stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndBy {
    /// Not by itself: a person is offered what there is.
    #[default]
    Offer,
    /// By the command.
    Command,
    /// By signals to its process: SIGTERM, then SIGKILL.
    Signal,
}

impl EmergencyConfig {
    /// Returns the command as a person would type it, where there is one.
    pub fn offer(&self) -> Option<String> {
        (!self.end_runtime.is_empty()).then(|| self.end_runtime.join(" "))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            squad: "squad".to_owned(),
            time_zone: "UTC".to_owned(),
            log: "info".to_owned(),
            limits: LimitConfig::default(),
            emergency: EmergencyConfig::default(),
        }
    }
}

/// The most that is kept free.
const BALLAST_LIMIT: u64 = 1024 * 1024 * 1024;

/// The limits of SECURITY-DESIGN, section 6, that an operator may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitConfig {
    /// Requests of one agent in a second, on average.
    pub requests_per_second: u32,
    /// Requests of one agent at once.
    pub burst: u32,
    /// Connections on the agents' socket.
    pub agent_connections: usize,
    /// Connections on the operators' socket.
    pub operator_connections: usize,
    /// Connections of one uid on the agents' socket.
    pub connections_per_uid: usize,
    /// Connections of one agent or adapter.
    pub connections_per_agent: usize,
    /// Requests of one connection that wait for their answers.
    pub in_flight: usize,
    /// How much of the disk is kept free for a stop and its record; 0 keeps nothing.
    pub ballast_bytes: u64,
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self {
            requests_per_second: 50,
            burst: 100,
            agent_connections: 4096,
            operator_connections: 64,
            connections_per_uid: 512,
            connections_per_agent: 16,
            in_flight: 256,
            ballast_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can't be read.
    #[error("{path} can't be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is none, and there must be one.
    #[error("{path} is missing: run `mcctl init` to set the squad up")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Something in it is wrong.
    #[error("{text}")]
    Wrong {
        /// File, line, column and reason, one line a finding.
        text: String,
    },
}

impl ConfigError {
    /// Returns the error for findings in `path`.
    pub fn wrong(path: &Path, all: &[Finding]) -> Self {
        let name = path.display().to_string();
        let lines: Vec<String> = all.iter().map(|one| findings::line(&name, one)).collect();
        Self::Wrong { text: lines.join("\n") }
    }
}

impl Config {
    /// Reads `config.toml`; without one everything is as by default.
    ///
    /// # Errors
    ///
    /// When the file can't be read or something in it is wrong.
    pub fn load(home: &Home) -> Result<Self, ConfigError> {
        let path = home.config.join("config.toml");
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(|all| ConfigError::wrong(&path, &all)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Unreadable { path, source }),
        }
    }

    /// Reads the text of a `config.toml` and checks it as a whole.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub fn parse(text: &str) -> Result<Self, Vec<Finding>> {
        let config: Self = findings::read(text).map_err(|finding| vec![finding])?;
        let errors = config.check();
        if errors.is_empty() {
            return Ok(config);
        }
        Err(errors.iter().map(|error| findings::located(text, error)).collect())
    }

    fn check(&self) -> Vec<mc_core::refusal::FieldError> {
        use mc_core::refusal::FieldError;
        let mut errors = Vec::new();
        if self.squad.trim().is_empty() || self.squad.len() > 64 {
            errors.push(FieldError::new("squad", "expected a name of 1 to 64 bytes"));
        }
        if jiff::tz::TimeZone::get(&self.time_zone).is_err() {
            let text = format!("`{}` is no time zone like `Europe/Berlin`", self.time_zone);
            errors.push(FieldError::new("time_zone", text));
        }
        let ends = &self.emergency.end_runtime;
        if ends.first().is_some_and(|program| program.trim().is_empty()) {
            let text = "expected a program and its words, such as [\"systemctl\", \"stop\", \"x\"]";
            errors.push(FieldError::new("emergency.end_runtime", text));
        }
        if self.emergency.end == EndBy::Command && ends.is_empty() {
            let text = "there is no `end_runtime` that could be run";
            errors.push(FieldError::new("emergency.end", text));
        }
        let limits = self.limits;
        let counts = [
            ("limits.requests_per_second", u64::from(limits.requests_per_second)),
            ("limits.burst", u64::from(limits.burst)),
            ("limits.agent_connections", limits.agent_connections as u64),
            ("limits.operator_connections", limits.operator_connections as u64),
            ("limits.connections_per_uid", limits.connections_per_uid as u64),
            ("limits.connections_per_agent", limits.connections_per_agent as u64),
            ("limits.in_flight", limits.in_flight as u64),
        ];
        for (field, count) in counts {
            if !(1..=10_000_000).contains(&count) {
                errors.push(FieldError::new(field, "expected 1 to 10000000"));
            }
        }
        if limits.ballast_bytes > BALLAST_LIMIT {
            errors.push(FieldError::new("limits.ballast_bytes", "expected 0 to 1073741824"));
        }
        errors
    }

    /// Returns the zone; UTC when the machine has lost it since the file was checked.
    pub fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(&self.time_zone).unwrap_or(jiff::tz::TimeZone::UTC)
    }
}

/// Returns the log filter of the environment (`MC_LOG`), if there is one.
pub fn log_from_environment() -> Option<String> {
    environment("MC_LOG")
}

/// Says whether standard error goes to the system's journal.
pub fn logs_to_journal() -> bool {
    environment("JOURNAL_STREAM").is_some()
}

/// Returns the names of the sockets that the service manager hands over, in order.
pub fn socket_names() -> Vec<String> {
    let names = environment("LISTEN_FDNAMES").unwrap_or_default();
    names.split(':').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[expect(clippy::disallowed_methods, reason = "the daemon's one reader of the environment")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(Config::parse("").unwrap(), Config::default());
    }

    #[test]
    fn limits_can_be_raised_one_by_one() {
        let config = Config::parse("[limits]\nburst = 7\n").unwrap();
        assert_eq!(config.limits.burst, 7);
        assert_eq!(config.limits.agent_connections, 4096);
    }

    #[test]
    fn a_wrong_zone_and_a_zero_limit_are_found_where_they_stand() {
        let text = "time_zone = \"Mars/Base\"\n[limits]\nburst = 0\n";
        let findings = Config::parse(text).unwrap_err();
        let lines: Vec<usize> = findings.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [1, 3]);
    }

    #[test]
    fn a_runtime_is_ended_by_a_command_only_where_there_is_one() {
        let good =
            "[emergency]\nend_runtime = [\"systemctl\", \"stop\", \"x\"]\nend = \"command\"\n";
        assert_eq!(Config::parse(good).unwrap().emergency.end_runtime.len(), 3);
        let signal = Config::parse("[emergency]\nend = \"signal\"\n").unwrap();
        assert_eq!((signal.emergency.end, signal.emergency.offer()), (EndBy::Signal, None));
        assert_eq!(Config::default().emergency.end, EndBy::Offer);
        for bad in [
            "end = \"command\"\n",
            "end = \"kill\"\n",
            "end_runtime = [\"\"]\n",
            "end_runtime = \"pkill x\"\n",
        ] {
            let found = Config::parse(&format!("[emergency]\n{bad}")).unwrap_err();
            assert_eq!(found[0].line, 2, "{bad}: {found:?}");
        }
    }
}
