//! `identity.toml`: who the operators are, and under which users agents run.

use std::{fmt, path::Path};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, SaltString},
};
use mc_core::operators::Remote;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The file as it lies in the configuration directory.
pub(crate) const FILE: &str = "identity.toml";
/// The shortest passphrase, in characters.
pub(crate) const SHORTEST: usize = 8;

/// How the squad is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// One user runs the daemon, the console and the agents: L1 at best.
    SingleUser,
    /// The daemon, operators and agents have users of their own.
    System,
}

/// Who the operators and the agents' users are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdentityFile {
    /// How the squad is set up.
    pub(crate) mode: Mode,
    /// The operators.
    #[serde(default)]
    pub(crate) operator: Vec<Operator>,
    /// Under whom agents run.
    pub(crate) agents: Users,
    /// Under whom the notification helper runs.
    #[serde(default, skip_serializing_if = "Users::is_empty")]
    pub(crate) notify: Users,
    /// From where operators may answer approvals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) remote: Vec<Remote>,
}

/// A person who governs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operator {
    /// The name that the record shows.
    pub(crate) name: String,
    /// The user whose processes speak for this person.
    pub(crate) uid: u32,
    /// viewer, operator or admin.
    pub(crate) role: String,
    /// The Argon2id hash of the passphrase, as a PHC string.
    pub(crate) passphrase: String,
    /// The secret of the second factor's codes, in Base32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) totp: Option<String>,
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator")
            .field("name", &self.name)
            .field("uid", &self.uid)
            .finish_non_exhaustive()
    }
}

/// Under whom programs run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Users {
    /// The users.
    #[serde(default)]
    pub(crate) uids: Vec<u32>,
}

impl Users {
    fn is_empty(&self) -> bool {
        self.uids.is_empty()
    }
}

const HEAD: &str = "\
# Who governs this squad, and under which users its agents run. Only the daemon and root may read it.
# mode: single_user (one user runs everything: proofs reach L1) or system.
";

impl IdentityFile {
    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and in which line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// Reads the file in `config`; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When it can't be read or is wrong.
    pub(crate) fn load(config: &Path) -> Result<Option<Self>, Failure> {
        let path = config.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text)
                .map(Some)
                .map_err(|error| Failure::Failed(format!("{}: {error}", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::file("read", &path, &error)),
        }
    }

    /// Returns the file's text.
    ///
    /// # Errors
    ///
    /// When it can't be written as TOML.
    pub(crate) fn render(&self) -> Result<String, Failure> {
        let body = toml::to_string(self)
            .map_err(|error| Failure::Failed(format!("can't write {FILE}: {error}")))?;
        Ok(format!("{HEAD}{body}"))
    }
}

/// Checks that `passphrase` is long enough.
///
/// # Errors
///
/// When it is too short.
pub(crate) fn check(passphrase: &str) -> Result<(), Failure> {
    let length = passphrase.chars().count();
    if length >= SHORTEST {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "the passphrase has {length} characters; take at least {SHORTEST}, better four words; \
         nothing was changed"
    )))
}

/// Returns the PHC string of `passphrase`: Argon2id, 64 MiB, three passes.
///
/// # Errors
///
/// When it is too short, or the system has no randomness.
pub(crate) fn hash(passphrase: &str) -> Result<String, Failure> {
    check(passphrase)?;
    let failed = |error: String| Failure::Failed(format!("can't hash the passphrase: {error}"));
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|error| failed(error.to_string()))?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| failed(error.to_string()))?;
    let params = Params::new(64 * 1024, 3, 1, None).map_err(|error| failed(error.to_string()))?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon.hash_password(passphrase.as_bytes(), &salt);
    Ok(hash.map_err(|error| failed(error.to_string()))?.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHash, PasswordVerifier as _};

    use super::*;

    #[test]
    fn the_file_reads_back_and_never_shows_the_hash() {
        let file = IdentityFile {
            mode: Mode::SingleUser,
            operator: vec![Operator {
                name: "ana".into(),
                uid: 1000,
                role: "admin".into(),
                passphrase: "$argon2id$x".into(),
                totp: Some("GEZDGNBVGY3TQOJQ".into()),
            }],
            agents: Users { uids: vec![1000] },
            notify: Users::default(),
            remote: vec![Remote { operator: "ana".into(), telegram: 42 }],
        };
        let text = file.render().unwrap();
        assert!(text.contains("mode = \"single_user\"\n"), "{text}");
        assert!(text.contains("[[operator]]\nname = \"ana\"\nuid = 1000\n"), "{text}");
        assert!(text.contains("[[remote]]\noperator = \"ana\"\ntelegram = 42\n"), "{text}");
        assert!(text.contains("[agents]\nuids = [1000]\n"), "{text}");
        assert_eq!(IdentityFile::parse(&text), Ok(file.clone()));
        let shown = format!("{file:?}");
        assert!(!shown.contains("argon2id") && !shown.contains("GEZD"), "{shown}");
    }

    #[test]
    fn a_passphrase_is_hashed_as_argon2id_and_verifies() {
        let phc = hash("correct horse battery").unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{phc}");
        let parsed = PasswordHash::new(&phc).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse battery", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"correct horse", &parsed).is_err());
    }

    #[test]
    fn a_short_passphrase_is_refused() {
        assert!(hash("1234567").is_err());
    }
}
