//! `mcctl operator key`: the SSH keys that sign for operators, in the allowed signers file.

use std::{fs, path::Path};

use clap::Subcommand;
use mc_core::signers::{self, FILE, KINDS, RSA_BITS, Signer};
use mc_proto::method::session::NAMESPACE;
use ssh_key::{HashAlg, PublicKey};

use crate::{
    failure::Failure,
    table::{Table, cell, rest},
};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Let an SSH key sign for an operator.
    Add {
        /// Whose key it is.
        name: String,
        /// The public key: a file such as `id_ed25519.pub`.
        #[arg(value_name = "KEY.pub")]
        file: std::path::PathBuf,
    },
    /// List the keys that sign.
    List,
    /// Take a key away: from now on it signs nothing.
    Remove {
        /// Whose key it is.
        name: String,
        /// Its fingerprint, as `list` shows it.
        fingerprint: String,
    },
}

/// The file, line by line; what we don't touch stays byte for byte.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyFile {
    text: String,
    signers: Vec<Signer>,
}

impl KeyFile {
    /// Reads the file in `config`; without one there are no keys.
    ///
    /// # Errors
    ///
    /// When it can't be read or something in it is wrong.
    pub(crate) fn load(config: &Path) -> Result<Self, Failure> {
        let path = config.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Self::parse(String::new())
            }
            Err(error) => Err(Failure::file("read", &path, &error)),
        }
    }

    fn parse(text: String) -> Result<Self, Failure> {
        let signers = signers::parse(&text).map_err(|wrong| {
            let lines = wrong.iter().map(|one| format!("{FILE}:{}: {}", one.line, one.message));
            Failure::Failed(lines.collect::<Vec<_>>().join("\n"))
        })?;
        Ok(Self { text, signers })
    }

    /// Returns the file's text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the operators' keys: each with its owners.
    pub(crate) fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// Adds the key in `file` for an operator; returns what was done.
    ///
    /// # Errors
    ///
    /// When the file holds no public key that can sign, or the operator has it already.
    pub(crate) fn add(&mut self, name: &str, file: &Path) -> Result<String, Failure> {
        let text = fs::read_to_string(file).map_err(|error| Failure::file("read", file, &error))?;
        let key = public(&text).map_err(|why| {
            Failure::Failed(format!("{}: {why}; nothing was changed", file.display()))
        })?;
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        if self.signers.iter().any(|one| is_of(one, name) && print(one) == fingerprint) {
            return Err(Failure::Failed(format!("{name} has the key {fingerprint} already")));
        }
        let comment = key.comment().to_string();
        let comment = comment.chars().filter(|c| !c.is_control()).take(80).collect();
        let bare = PublicKey::new(key.key_data().clone(), "").to_openssh();
        let bare = bare.map_err(|error| Failure::Failed(error.to_string()))?;
        let line = Signer::new(name, NAMESPACE, (bare.trim().to_owned(), comment)).to_string();
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        let text = format!("{}{line}\n", self.text);
        *self = Self::parse(text)?;
        Ok(format!("the key {fingerprint} signs for {name}"))
    }

    /// Takes a key from an operator; returns what was done.
    ///
    /// # Errors
    ///
    /// When the operator has no such key.
    pub(crate) fn remove(&mut self, name: &str, fingerprint: &str) -> Result<String, Failure> {
        let count = self.take(|one| is_of(one, name) && print(one) == fingerprint, name)?;
        if count == 0 {
            let text = format!("{name} has no key {fingerprint}: `mcctl operator key list`");
            return Err(Failure::Failed(text));
        }
        Ok(format!("the key {fingerprint} signs nothing for {name} any more"))
    }

    /// Takes all keys from an operator; returns how many they were.
    ///
    /// # Errors
    ///
    /// When what is left can't be read.
    pub(crate) fn forget(&mut self, name: &str) -> Result<usize, Failure> {
        self.take(|one| is_of(one, name), name)
    }

    /// Takes `name` out of the lines that `which` names; a line without operators goes.
    fn take(&mut self, which: impl Fn(&Signer) -> bool, name: &str) -> Result<usize, Failure> {
        let taken: Vec<&Signer> = self.signers.iter().filter(|one| which(one)).collect();
        let count = taken.len();
        let mut text = String::new();
        for (at, line) in self.text.lines().enumerate() {
            let Some(signer) = taken.iter().find(|one| one.line == at + 1) else {
                put!(text, "{line}\n");
                continue;
            };
            let mut left = (*signer).clone();
            left.operators.retain(|own| own != name);
            if !left.operators.is_empty() {
                put!(text, "{left}\n");
            }
        }
        *self = Self::parse(text)?;
        Ok(count)
    }

    /// Returns the keys as a document.
    pub(crate) fn document(&self) -> serde_json::Value {
        let row = |one: &Signer| {
            serde_json::json!({
                "operators": one.operators, "fingerprint": print(one), "kind": kind(one),
                "namespaces": one.namespaces, "valid_after": one.valid_after,
                "valid_before": one.valid_before, "comment": one.comment,
            })
        };
        self.signers.iter().map(row).collect()
    }

    /// Returns the keys as a table.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new(&["OPERATOR", "KIND", "FINGERPRINT", "UNTIL", "COMMENT"]);
        for one in &self.signers {
            let until = one.valid_before.map_or_else(|| "-".to_owned(), crate::text::when);
            table.row([
                cell(one.operators.join(",")),
                cell(kind(one)),
                cell(print(one)),
                cell(until),
                rest(&one.comment),
            ]);
        }
        table.to_string()
    }
}

fn is_of(signer: &Signer, name: &str) -> bool {
    signer.operators.iter().any(|own| own == name)
}

fn kind(signer: &Signer) -> &str {
    signer.key.split(' ').next().unwrap_or_default()
}

/// Returns a key's fingerprint, as `ssh-keygen -l` shows it; `?` for what can't be read.
fn print(signer: &Signer) -> String {
    let key = PublicKey::from_openssh(&signer.key);
    key.map_or_else(|_| "?".to_owned(), |key| key.fingerprint(HashAlg::Sha256).to_string())
}

/// Reads a public key that can sign here.
fn public(text: &str) -> Result<PublicKey, String> {
    if text.contains("PRIVATE KEY") {
        return Err("this is a private key: keep it to yourself, and give the `.pub`".to_owned());
    }
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let kind = line.split_whitespace().next().unwrap_or_default();
    if !KINDS.contains(&kind) {
        return Err(format!("no public key that can sign; expected one of {}", KINDS.join(", ")));
    }
    let key = PublicKey::from_openssh(line.trim()).map_err(|error| error.to_string())?;
    match key.key_data().rsa().map(ssh_key::public::RsaPublicKey::key_size) {
        Some(bits) if bits < RSA_BITS => {
            Err(format!("the RSA key has {bits} bits: at least {RSA_BITS} count"))
        }
        Some(_) | None => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn key(dir: &Path, text: &str) -> std::path::PathBuf {
        let path = dir.join("key.pub");
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_key_comes_and_goes_and_the_rest_of_the_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let before = format!("# ours\nben,carl {ONE} shared\n");
        let mut file = KeyFile::parse(before.clone()).unwrap();
        let path = key(dir.path(), &format!("{ONE} ana's laptop\n"));
        file.add("ana", &path).unwrap();
        assert_eq!(
            file.text(),
            format!("{before}ana namespaces=\"mc-approval@v1\" {ONE} ana's laptop\n")
        );
        assert!(file.add("ana", &path).is_err(), "twice");
        let fingerprint = print(&file.signers()[1]);
        assert!(fingerprint.starts_with("SHA256:"), "{fingerprint}");
        assert!(file.table().contains(&fingerprint));
        assert!(file.remove("ana", "SHA256:other").is_err());
        file.remove("ana", &fingerprint).unwrap();
        assert_eq!(file.text(), before);
        assert_eq!(file.forget("ben").unwrap(), 1);
        assert_eq!(file.text(), format!("# ours\ncarl {ONE} shared\n"));
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = KeyFile::parse(String::new()).unwrap();
        for (text, expected) in [
            ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "private key"),
            ("", "no public key"),
            ("ssh-dss AAAA", "no public key"),
            ("ssh-ed25519 AAAA", "nothing was changed"),
        ] {
            let refused = file.add("ana", &key(dir.path(), text)).unwrap_err().to_string();
            assert!(refused.contains(expected), "{text}: {refused}");
        }
        assert_eq!(file.text(), "");
    }
}
