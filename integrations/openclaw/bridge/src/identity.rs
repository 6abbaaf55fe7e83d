//! The bridge's own identity at the gateway: an Ed25519 key, and the device token that the gateway
//! minted for it. Both lie in the state directory, in files of mode 0600.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use ed25519_dalek::{
    Signer, SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding},
};
use sha2::{Digest, Sha256};

use crate::frame::{Challenge, Connect, Device};

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file can't be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key file holds no key.
    #[error("{0} holds no Ed25519 key: move it away to get a new identity")]
    Key(PathBuf),
    /// Others can read the file.
    #[error("{0} can be read by others: set its mode to 0600")]
    Readable(PathBuf),
    /// The system gives no randomness.
    #[error("no randomness: {0}")]
    Random(String),
}

/// The key pair, and where the device token lies.
pub struct Identity {
    key: SigningKey,
    token_file: PathBuf,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the key in `dir`, or makes a new one there.
    ///
    /// # Errors
    ///
    /// When the directory or the key can't be used.
    pub fn load_or_create(dir: &Path) -> Result<Self, IdentityError> {
        fs::create_dir_all(dir).map_err(at(dir))?;
        let file = dir.join("device.pem");
        let key = match read_private(&file)? {
            Some(pem) => SigningKey::from_pkcs8_pem(&pem).map_err(|_| IdentityError::Key(file))?,
            None => create(&file)?,
        };
        Ok(Self { key, token_file: dir.join("device.token") })
    }

    /// Returns the device id: SHA-256 of the raw public key, in hex.
    pub fn id(&self) -> String {
        let digest = Sha256::digest(self.key.verifying_key().as_bytes());
        digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a `String` does not fail.
            write!(hex, "{byte:02x}").ok();
            hex
        })
    }

    /// Returns the device token; `None` before the gateway gave one.
    ///
    /// # Errors
    ///
    /// When the file can't be read, or others can read it.
    pub fn token(&self) -> Result<Option<String>, IdentityError> {
        Ok(read_private(&self.token_file)?.map(|token| token.trim().to_owned()))
    }

    /// Keeps the device token that the gateway minted.
    ///
    /// # Errors
    ///
    /// When it can't be written.
    pub fn keep_token(&self, token: &str) -> Result<(), IdentityError> {
        write_private(&self.token_file, token)
    }

    /// Forgets a device token that the gateway no longer takes.
    pub fn forget_token(&self) {
        // Nothing to forget is as good as forgotten.
        fs::remove_file(&self.token_file).ok();
    }

    /// Signs the gateway's challenge for exactly what `connect` asks, with the token it carries.
    pub fn sign(&self, challenge: &Challenge, connect: &Connect) -> Device {
        let payload = payload(&self.id(), challenge, connect);
        Device {
            id: self.id(),
            public_key: base64url(self.key.verifying_key().as_bytes()),
            signature: base64url(&self.key.sign(payload.as_bytes()).to_bytes()),
            signed_at: challenge.ts,
            nonce: challenge.nonce.clone(),
        }
    }
}

/// The text that is signed, version 3 of the gateway's handshake.
fn payload(id: &str, challenge: &Challenge, connect: &Connect) -> String {
    let client = &connect.client;
    [
        "v3",
        id,
        &client.id,
        &client.mode,
        &connect.role,
        &connect.scopes.join(","),
        &challenge.ts.to_string(),
        connect.auth.token.as_deref().unwrap_or_default(),
        &challenge.nonce,
        &client.platform.trim().to_lowercase(),
        "",
    ]
    .join("|")
}

fn create(file: &Path) -> Result<SigningKey, IdentityError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| IdentityError::Random(error.to_string()))?;
    let key = SigningKey::from_bytes(&seed);
    let pem =
        key.to_pkcs8_pem(LineEnding::LF).map_err(|_| IdentityError::Key(file.to_path_buf()))?;
    write_private(file, &pem)?;
    Ok(key)
}

/// Returns the trimmed text of a file that must be there and that only its owner may read.
///
/// # Errors
///
/// When it is not there, can't be read, or others can read it.
pub fn private_text(file: &Path) -> Result<String, IdentityError> {
    let missing = || at(file)(io::ErrorKind::NotFound.into());
    Ok(read_private(file)?.ok_or_else(missing)?.trim().to_owned())
}

fn read_private(file: &Path) -> Result<Option<String>, IdentityError> {
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(file)(error)),
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
            return Err(IdentityError::Readable(file.to_path_buf()));
        }
        Ok(_) => {}
    }
    fs::read_to_string(file).map(Some).map_err(at(file))
}

/// Writes a file of mode 0600 whole: beside it first, then in its place.
fn write_private(file: &Path, text: &str) -> Result<(), IdentityError> {
    let beside = file.with_extension("new");
    fs::remove_file(&beside).ok();
    let mut open = fs::OpenOptions::new();
    let mut out =
        open.write(true).create_new(true).mode(0o600).open(&beside).map_err(at(&beside))?;
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(at(&beside))?;
    fs::rename(&beside, file).map_err(at(file))
}

fn at(path: &Path) -> impl Fn(io::Error) -> IdentityError {
    let path = path.to_path_buf();
    move |source| IdentityError::File { path: path.clone(), source }
}

/// Base64 with the alphabet of URLs, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let index = (group >> (18 - 6 * place)) & 63;
            text.extend(ALPHABET.get(index as usize).map(|letter| char::from(*letter)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, Verifier};

    use super::*;
    use crate::frame::Auth;

    fn connect() -> Connect {
        let mut connect = Connect::new("0.1.0", crate::frame::Duty::Orders);
        connect.auth = Auth { token: Some("secret".into()) };
        connect
    }

    #[test]
    fn base64_of_urls_has_no_padding() {
        assert_eq!(base64url(b""), "");
        assert_eq!(base64url(b"f"), "Zg");
        assert_eq!(base64url(b"fo"), "Zm8");
        assert_eq!(base64url(b"foo"), "Zm9v");
        assert_eq!(base64url(&[0xfb, 0xff, 0xfe]), "-__-");
    }

    #[test]
    fn the_signed_text_names_device_client_scopes_time_token_and_nonce() {
        let challenge = Challenge { nonce: "n1".into(), ts: 17 };
        assert_eq!(
            payload("abc", &challenge, &connect()),
            "v3|abc|cli|cli|operator|operator.read,operator.write,operator.approvals|17|secret|n1|linux|"
        );
    }

    #[test]
    fn the_signature_verifies_and_the_key_survives() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_create(dir.path()).unwrap();
        let challenge = Challenge { nonce: "n".into(), ts: 5 };
        let device = identity.sign(&challenge, &connect());
        let again = Identity::load_or_create(dir.path()).unwrap();
        assert_eq!(device.id, again.id());
        assert_eq!(device.id.len(), 64);
        let text = payload(&device.id, &challenge, &connect());
        let signature: Signature = again.key.sign(text.as_bytes());
        assert_eq!(base64url(&signature.to_bytes()), device.signature);
        assert!(again.key.verifying_key().verify(text.as_bytes(), &signature).is_ok());
    }

    #[test]
    fn files_are_private_and_readable_ones_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_create(dir.path()).unwrap();
        assert_eq!(identity.token().unwrap(), None);
        identity.keep_token("dt").unwrap();
        assert_eq!(identity.token().unwrap().as_deref(), Some("dt"));
        let file = dir.path().join("device.token");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(identity.token(), Err(IdentityError::Readable(_))));
        identity.forget_token();
        assert_eq!(identity.token().unwrap(), None);
    }
}
