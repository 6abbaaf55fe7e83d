//! `identity.toml`: which uids are operators and agents, and how an operator proves it.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

use argon2::{Algorithm, PasswordHash};
use mc_core::{
    actor::{Level, Role},
    operators::{self, Operators, Remote},
    refusal::FieldError,
    time::Timestamp,
};
use mc_proto::{
    home::Home,
    method::{admin::Finding, session::Factor},
};
use serde::Deserialize;

use crate::{
    config::ConfigError,
    findings,
    keys::{Key, Keys},
};

/// The uid that every foreign user has inside a user namespace.
pub const OVERFLOW_UID: u32 = 65534;

/// How the squad is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One user runs everything; no act needs more than L1.
    SingleUser,
    /// A service with its own user.
    System,
}

/// A person who may use the operators' socket.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Their name in the record.
    pub name: String,
    /// Their uid.
    pub uid: u32,
    /// What they may do.
    pub role: Role,
    /// Their passphrase as an Argon2id string; without one they stay at L0.
    #[serde(default)]
    pub passphrase: Option<String>,
    /// The secret of their codes in Base32; without one they have no second factor.
    #[serde(default)]
    pub totp: Option<String>,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Who is who on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// How the squad is installed.
    pub mode: Mode,
    /// The operators.
    #[serde(rename = "operator", default)]
    pub operators: Vec<Operator>,
    /// The agents' users.
    #[serde(default)]
    pub agents: AgentUsers,
    /// The notification helper's user.
    #[serde(default)]
    pub notify: NotifyUsers,
    /// The accounts from which operators may answer approvals; none by default.
    #[serde(rename = "remote", default)]
    pub remotes: Vec<Remote>,
    /// The operators' SSH keys, which stand in a file of their own.
    #[serde(skip)]
    pub keys: Keys,
    /// The uid that the file belongs to: who wrote it.
    #[serde(skip)]
    pub owner: u32,
}

/// The users that agents and adapters run as.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentUsers {
    /// Their uids.
    #[serde(default)]
    pub uids: Vec<u32>,
}

/// The users that the notification helper runs as. With one user for everything, the operators'
/// users may be it, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyUsers {
    /// Their uids; none of them an agent's or an operator's.
    #[serde(default)]
    pub uids: Vec<u32>,
}

impl Identity {
    /// Reads `identity.toml` and the allowed signers beside it.
    ///
    /// # Errors
    ///
    /// When there is no `identity.toml`, when others can read or write it, when something in one
    /// of the files is wrong.
    pub fn load(home: &Home) -> Result<Self, ConfigError> {
        let path = home.config.join("identity.toml");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ConfigError::Missing { path });
            }
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        };
        let mut identity = Self::parse(&text).map_err(|all| ConfigError::wrong(&path, &all))?;
        // Only the daemon's user may read the hashes; as a system service its group may too.
        let forbidden = if identity.mode == Mode::System { 0o037 } else { 0o077 };
        identity.owner = check_mode(&path, forbidden)?;
        identity.keys = Keys::load(home)?;
        Ok(identity)
    }

    /// Reads the text of an `identity.toml` and checks it as a whole.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub fn parse(text: &str) -> Result<Self, Vec<Finding>> {
        let identity: Self = findings::read(text).map_err(|finding| vec![finding])?;
        let errors = identity.check();
        if errors.is_empty() {
            return Ok(identity);
        }
        Err(errors.iter().map(|error| findings::located(text, error)).collect())
    }

    fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        for (at, operator) in self.operators.iter().enumerate() {
            let mut wrong = |field: &str, text: &str| {
                errors.push(FieldError::new(format!("operator[{at}].{field}"), text));
            };
            if operator.name.trim().is_empty() || operator.name.len() > 64 {
                wrong("name", "expected a name of 1 to 64 bytes");
            }
            if operator.totp.as_deref().is_some_and(|secret| crate::server::codes(secret).is_none())
            {
                wrong("totp", "expected a secret of at least 16 bytes in Base32");
            }
            if operator.uid == OVERFLOW_UID {
                wrong("uid", "65534 is everybody's uid inside a user namespace and names nobody");
            }
            if self.operators.iter().take(at).any(|other| other.uid == operator.uid) {
                wrong("uid", "another operator has this uid already");
            }
            if operator.passphrase.as_deref().is_some_and(|hash| !is_argon2id(hash)) {
                wrong("passphrase", "expected an Argon2id string (`$argon2id$...`)");
            }
        }
        if self.operators.is_empty() {
            errors.push(FieldError::new("operator", "expected at least one [[operator]]"));
        }
        self.check_remotes(&mut errors);
        for (at, uid) in self.notify.uids.iter().enumerate() {
            let field = format!("notify.uids[{at}]");
            if *uid == OVERFLOW_UID {
                errors.push(FieldError::new(field, "65534 names nobody"));
            } else if self.is_agent(*uid) || self.operator(*uid).is_some() {
                let text = "is an agent's or operator's: the helper needs a user of its own";
                errors.push(FieldError::new(field, text));
            }
        }
        if self.agents.uids.contains(&OVERFLOW_UID) {
            errors.push(FieldError::new("agents.uids", "65534 names nobody"));
        }
        errors
    }

    fn check_remotes(&self, errors: &mut Vec<FieldError>) {
        for (at, remote) in self.remotes.iter().enumerate() {
            let mut wrong = |field: &str, text: &str| {
                errors.push(FieldError::new(format!("remote[{at}].{field}"), text));
            };
            if self.operators.iter().all(|operator| operator.name != remote.operator) {
                wrong("operator", "no [[operator]] has this name");
            }
            if remote.telegram <= 0 {
                wrong("telegram", "expected the number of a person at Telegram");
            }
            if self.remotes.iter().take(at).any(|other| other.telegram == remote.telegram) {
                wrong("telegram", "this account stands here already");
            }
        }
    }

    /// Returns the operator who has this uid.
    pub fn operator(&self, uid: u32) -> Option<&Operator> {
        self.operators.iter().find(|operator| operator.uid == uid && uid != OVERFLOW_UID)
    }

    /// Says whether agents may run as this uid.
    pub fn is_agent(&self, uid: u32) -> bool {
        uid != OVERFLOW_UID && self.agents.uids.contains(&uid)
    }

    /// Says whether the notification helper may run as this uid.
    pub fn is_helper(&self, uid: u32) -> bool {
        let is_single = self.mode == Mode::SingleUser && self.operator(uid).is_some();
        is_single || (uid != OVERFLOW_UID && self.notify.uids.contains(&uid))
    }

    /// Returns the second factors that an operator has at `now`.
    pub fn factors(&self, operator: &Operator, now: Timestamp) -> Vec<Factor> {
        let codes = operator.totp.is_some().then_some(Factor::Totp);
        let keys = self.keys.can_sign(&operator.name, now).then_some(Factor::Signature);
        codes.into_iter().chain(keys).collect()
    }

    /// Returns who governs as the record keeps it: without secrets.
    pub fn record(&self) -> Operators {
        let operator = |one: &Operator| operators::Operator {
            name: one.name.clone(),
            uid: one.uid,
            role: one.role,
            passphrase: one.passphrase.as_deref().map(operators::fingerprint),
            authenticator: one.totp.as_deref().map(operators::fingerprint),
            keys: self.keys.of(&one.name).map(Key::fingerprint).collect(),
        };
        Operators {
            operators: self.operators.iter().map(operator).collect(),
            agent_uids: self.agents.uids.clone(),
            remotes: self.remotes.clone(),
        }
    }

    /// Says whether some operator's uid is an agent's too.
    pub fn has_shared_uid(&self) -> bool {
        self.operators.iter().any(|operator| self.is_agent(operator.uid))
    }

    /// Returns the level that the passphrase of this uid proves.
    pub fn level_of(&self, uid: u32) -> Level {
        if self.is_agent(uid) { Level::L1 } else { Level::L2 }
    }
}

/// Returns the owner of a file on which nobody has one of the `forbidden` rights.
///
/// # Errors
///
/// When somebody has.
pub(crate) fn check_mode(path: &Path, forbidden: u32) -> Result<u32, ConfigError> {
    let io_error = |source| ConfigError::Unreadable { path: path.into(), source };
    let about = fs::metadata(path).map_err(io_error)?;
    let mode = about.mode() & 0o777;
    if mode & forbidden == 0 {
        return Ok(about.uid());
    }
    let path = path.display();
    let text = format!("{path} has mode {mode:o}: others can use it; run `chmod 600 {path}`");
    Err(ConfigError::Wrong { text })
}

fn is_argon2id(hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| hash.algorithm == Algorithm::Argon2id.ident())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const GOOD: &str = r#"
mode = "single_user"
[[operator]]
name = "ada"
uid = 1000
role = "admin"
[agents]
uids = [1000]
"#;

    #[test]
    fn an_operator_whose_uid_agents_use_reaches_l1_only() {
        let identity = Identity::parse(GOOD).unwrap();
        assert!(identity.has_shared_uid());
        assert_eq!(identity.level_of(1000), Level::L1);
        assert_eq!(identity.level_of(1001), Level::L2);
        assert_eq!(identity.operator(1000).unwrap().role, Role::Admin);
        assert!(identity.operator(1001).is_none());
    }

    #[test]
    fn the_helper_has_a_user_of_its_own_or_the_only_one() {
        let identity = Identity::parse(GOOD).unwrap();
        assert!(identity.is_helper(1000) && !identity.is_helper(1001));
        let system = GOOD.replace("single_user", "system");
        let identity = Identity::parse(&format!("{system}[notify]\nuids = [1002]\n")).unwrap();
        assert!(identity.is_helper(1002) && !identity.is_helper(1000));
        let findings = Identity::parse(&format!("{system}[notify]\nuids = [1000]\n")).unwrap_err();
        assert!(findings[0].message.contains("user of its own"), "{findings:?}");
        let findings = Identity::parse(&format!("{system}[notify]\nuids = [65534]\n")).unwrap_err();
        assert!(findings[0].message.contains("65534"), "{findings:?}");
    }

    #[test]
    fn an_account_elsewhere_is_an_operators_and_stands_there_once() {
        let good = format!("{GOOD}[[remote]]\noperator = \"ada\"\ntelegram = 42\n");
        assert_eq!(Identity::parse(&good).unwrap().record().remotes[0].telegram, 42);
        let wrong = format!("{good}[[remote]]\noperator = \"eve\"\ntelegram = 42\n");
        let findings = Identity::parse(&wrong).unwrap_err();
        for (finding, field) in findings.iter().zip(["remote[1].operator", "remote[1].telegram"]) {
            assert!(finding.message.contains(field), "{findings:?}");
        }
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(Identity::parse(&good.replace("42", "-42")).is_err(), "a group is no person");
    }

    #[test]
    fn the_overflow_uid_is_nobody() {
        let findings = Identity::parse(&GOOD.replace("1000", "65534")).unwrap_err();
        assert!(findings.iter().any(|finding| finding.message.contains("65534")), "{findings:?}");
    }

    #[test]
    fn a_passphrase_in_clear_is_refused_without_repeating_it() {
        let text = GOOD.replace("role = \"admin\"", "role = \"admin\"\npassphrase = \"hunter2\"");
        let findings = Identity::parse(&text).unwrap_err();
        assert!(findings[0].message.contains("Argon2id"));
        assert!(!findings[0].message.contains("hunter2"));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::under(dir.path());
        fs::create_dir_all(&home.config).unwrap();
        let path = home.config.join("identity.toml");
        assert!(matches!(Identity::load(&home), Err(ConfigError::Missing { .. })));
        fs::write(&path, GOOD).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Identity::load(&home), Err(ConfigError::Wrong { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(Identity::load(&home).is_ok());
    }
}
