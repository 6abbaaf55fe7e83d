//! The operators' SSH keys: which there are, and whether one of them signed a text.

use std::{fs, io};

use mc_core::{
    signers::{self, FILE, RSA_BITS, Signer},
    time::Timestamp,
};
use mc_proto::{home::Home, method::admin::Finding, method::session::NAMESPACE};
use ssh_key::{HashAlg, PublicKey, SshSig, public::KeyData};

use crate::config::ConfigError;

/// The longest signature that is read, in bytes.
const SIGNATURE_BYTES: usize = 16 * 1024;
/// The trailer of a hardware key's signature: a byte of flags and a counter.
const TRAILER_BYTES: usize = 5;
/// The flag that says that somebody touched the hardware key.
const TOUCHED: u8 = 1;

/// A key that may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Whose it is, and for what.
    pub signer: Signer,
    public: PublicKey,
}

impl Key {
    /// Returns its fingerprint, as `ssh-keygen -l` shows it.
    pub fn fingerprint(&self) -> String {
        self.public.fingerprint(HashAlg::Sha256).to_string()
    }
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// It is no signature at all.
    #[error("this is no SSH signature: give all that `ssh-keygen -Y sign -n {NAMESPACE}` wrote")]
    Unreadable,
    /// It was made for something else.
    #[error("the signature is for the namespace `{0}`: sign with `-n {NAMESPACE}`")]
    Namespace(String),
    /// The key is none of the operator's.
    #[error("the key {0} is none of yours: `mcctl operator key list` shows them")]
    Foreign(String),
    /// The key is the operator's, and not for this or not now.
    #[error("the key {0} is not good for {NAMESPACE} at this time: look at {FILE}")]
    NotGood(String),
    /// A hardware key signed without being touched.
    #[error("the hardware key {0} signed without a touch: that proves nobody's presence")]
    Untouched(String),
    /// It is over another text.
    #[error("the signature is over another text: sign the text of this challenge, byte for byte")]
    Text,
}

/// The keys of all operators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// Reads the allowed signers; without the file there are none.
    ///
    /// # Errors
    ///
    /// When the file can't be read, others can write it, or something in it is wrong.
    pub fn load(home: &Home) -> Result<Self, ConfigError> {
        let path = home.config.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => {
                crate::identity::check_mode(&path, 0o022)?;
                Self::parse(&text).map_err(|all| ConfigError::wrong(&path, &all))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Unreadable { path, source }),
        }
    }

    /// Reads the text of the allowed signers.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub fn parse(text: &str) -> Result<Self, Vec<Finding>> {
        let finding = |line, message| Finding { line, column: usize::from(line > 0), message };
        let signers = signers::parse(text)
            .map_err(|all| all.into_iter().map(|one| finding(one.line, one.message)))
            .map_err(Iterator::collect::<Vec<_>>)?;
        let (mut keys, mut wrong) = (Vec::new(), Vec::new());
        for signer in signers {
            match public(&signer.key) {
                Ok(public) => keys.push(Key { signer, public }),
                Err(message) => wrong.push(finding(signer.line, message)),
            }
        }
        if wrong.is_empty() { Ok(Self(keys)) } else { Err(wrong) }
    }

    /// Returns the keys that stand for an operator, whether they are good now or not.
    pub fn of<'a>(&'a self, operator: &'a str) -> impl Iterator<Item = &'a Key> {
        self.0.iter().filter(move |key| key.signer.operators.iter().any(|own| own == operator))
    }

    /// Says whether an operator has a key that can sign at `now`.
    pub fn can_sign(&self, operator: &str, now: Timestamp) -> bool {
        self.0.iter().any(|key| key.signer.signs(operator, NAMESPACE, now))
    }

    /// Verifies that `operator` signed `text`; a newline at its end may be there or not. Returns
    /// the fingerprint of the key.
    ///
    /// # Errors
    ///
    /// Why the signature does not count.
    pub fn verify(
        &self,
        (operator, now): (&str, Timestamp),
        text: &str,
        armoured: &str,
    ) -> Result<String, Unsigned> {
        if armoured.len() > SIGNATURE_BYTES {
            return Err(Unsigned::Unreadable);
        }
        let signature = SshSig::from_pem(armoured.trim()).map_err(|_| Unsigned::Unreadable)?;
        if signature.version() != SshSig::VERSION {
            return Err(Unsigned::Unreadable);
        }
        if signature.namespace() != NAMESPACE {
            let plain = |c: &char| c.is_ascii_graphic();
            let namespace = signature.namespace().chars().filter(plain).take(64).collect();
            return Err(Unsigned::Namespace(namespace));
        }
        let fingerprint = signature.public_key().fingerprint(HashAlg::Sha256).to_string();
        let is_its = |key: &&Key| key.public.key_data() == signature.public_key();
        let mut own = self.of(operator).filter(is_its).peekable();
        if own.peek().is_none() {
            return Err(Unsigned::Foreign(fingerprint));
        }
        let Some(key) = own.find(|key| key.signer.signs(operator, NAMESPACE, now)) else {
            return Err(Unsigned::NotGood(fingerprint));
        };
        let good = |text: &str| key.public.verify(NAMESPACE, text.as_bytes(), &signature).is_ok();
        if !good(text) && !good(&format!("{text}\n")) {
            return Err(Unsigned::Text);
        }
        if !was_touched(&signature) {
            return Err(Unsigned::Untouched(fingerprint));
        }
        Ok(fingerprint)
    }
}

/// Says whether somebody was there: a hardware key must say so, other keys can't.
fn was_touched(signature: &SshSig) -> bool {
    let is_hardware =
        matches!(signature.public_key(), KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_));
    let bytes = signature.signature_bytes();
    let flags = bytes.len().checked_sub(TRAILER_BYTES).and_then(|at| bytes.get(at));
    !is_hardware || flags.is_some_and(|flags| flags & TOUCHED != 0)
}

/// Reads a key (`ssh-ed25519 AAAA…`).
fn public(key: &str) -> Result<PublicKey, String> {
    let public = PublicKey::from_openssh(key).map_err(|error| format!("the key: {error}"))?;
    match public.key_data().rsa() {
        Some(rsa) if rsa.key_size() < RSA_BITS => {
            Err(format!("the RSA key has {} bits: at least {RSA_BITS} count", rsa.key_size()))
        }
        Some(_) | None => Ok(public),
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use sha2::{Digest as _, Sha256};
    use ssh_key::{
        Algorithm, LineEnding, Signature,
        public::{Ed25519PublicKey, SkEd25519},
    };

    use super::*;

    /// Signs as a hardware key does, which reports in `flags` whether it was touched.
    fn hardware(text: &str, flags: u8) -> (Keys, String) {
        let secret = SigningKey::from_bytes(&[7; 32]);
        let public = Ed25519PublicKey(secret.verifying_key().to_bytes());
        let public = KeyData::SkEd25519(SkEd25519::new(public, "ssh:"));
        let message = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, text.as_bytes()).unwrap();
        let trailer = [flags, 0, 0, 0, 9];
        let mut judged = Sha256::digest("ssh:").to_vec();
        judged.extend(trailer);
        judged.extend(Sha256::digest(&message));
        let mut bytes = secret.sign(&judged).to_bytes().to_vec();
        bytes.extend(trailer);
        let signature = Signature::new(Algorithm::SkEd25519, bytes).unwrap();
        let line = PublicKey::new(public.clone(), "").to_openssh().unwrap();
        let signed = SshSig::new(public, NAMESPACE, HashAlg::Sha512, signature).unwrap();
        let keys = Keys::parse(&format!("ana {line}\n")).unwrap();
        (keys, signed.to_pem(LineEnding::LF).unwrap())
    }

    #[test]
    fn a_hardware_key_counts_only_when_it_was_touched() {
        let verify = |flags, text: &str| {
            let (keys, armoured) = hardware("the text", flags);
            keys.verify(("ana", Timestamp(0)), text, &armoured)
        };
        assert!(verify(1, "the text").unwrap().starts_with("SHA256:"));
        assert!(verify(5, "the text").is_ok(), "touched and verified");
        assert!(matches!(verify(0, "the text"), Err(Unsigned::Untouched(_))));
        assert!(matches!(verify(4, "the text"), Err(Unsigned::Untouched(_))));
        assert_eq!(verify(1, "another text"), Err(Unsigned::Text));
    }

    #[test]
    fn a_flag_that_was_set_afterwards_breaks_the_signature() {
        let (keys, armoured) = hardware("the text", 0);
        let untouched = SshSig::from_pem(&armoured).unwrap();
        let mut bytes = untouched.signature_bytes().to_vec();
        let at = bytes.len() - TRAILER_BYTES;
        bytes[at] = TOUCHED;
        let forged = Signature::new(Algorithm::SkEd25519, bytes).unwrap();
        let public = untouched.public_key().clone();
        let forged = SshSig::new(public, NAMESPACE, HashAlg::Sha512, forged).unwrap();
        let armoured = forged.to_pem(LineEnding::LF).unwrap();
        assert_eq!(keys.verify(("ana", Timestamp(0)), "the text", &armoured), Err(Unsigned::Text));
    }

    #[test]
    fn a_key_that_is_none_is_found_where_it_stands() {
        let wrong = Keys::parse("# ours\nana ssh-ed25519 AAAA\n").unwrap_err();
        assert_eq!((wrong.len(), wrong[0].line), (1, 2));
    }
}
