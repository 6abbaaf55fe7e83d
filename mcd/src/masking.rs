//! Masks secrets before they are stored, with tags that only this squad's key gives: two uses of one
//! secret can be told to be of one secret, and the secret can't be told from its tag.
//!
//! The key belongs to the store, and the writer's thread alone stores anything. Long texts are masked
//! beside it, before it sees them: who sends them waits, and nobody else. Masks are part of events, so
//! that rebuilding needs no key and gives the same tables.

use std::{
    cell::RefCell,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use mc_core::redact::Masker;
use serde_json::Value;

/// How long a key is.
const KEY_BYTES: usize = 32;

thread_local! {
    static MASKER: RefCell<Masker> = RefCell::new(Masker::default());
}

/// Reads the key at `path`; makes one where there is none.
///
/// # Errors
///
/// When it can't be read or made, has another length, or others may read it: nothing is stored with
/// a key that is not known to be secret.
pub(crate) fn open(path: &Path) -> io::Result<Masker> {
    let key = match fs::metadata(path) {
        Ok(about) if about.permissions().mode() & 0o077 != 0 => {
            let text = "others can read this key: `chmod 600` it if nobody did, else delete it";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        Ok(_) => fs::read(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path)?.to_vec(),
        Err(error) => return Err(error),
    };
    let key: [u8; KEY_BYTES] = key.try_into().map_err(|_| {
        let text =
            format!("is no key of {KEY_BYTES} bytes: restore it, or delete it for a new one");
        io::Error::new(io::ErrorKind::InvalidData, text)
    })?;
    Ok(Masker::keyed(key))
}

/// Makes a key; it is whole on disk, or not there.
fn make(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let new = path.with_extension("new");
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&key)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    Ok(key)
}

/// Masks with `masker` on this thread from now on.
pub(crate) fn install(masker: Masker) {
    MASKER.set(masker);
}

/// Masks with `masker` on this thread while `work` is done.
pub(crate) fn with<T>(masker: Masker, work: impl FnOnce() -> T) -> T {
    let before = MASKER.replace(masker);
    let done = work();
    MASKER.set(before);
    done
}

/// Returns `text` without secrets.
pub(crate) fn text(text: &str) -> String {
    MASKER.with_borrow(|masker| masker.text(text).into_owned())
}

/// Returns `json` without secrets; the shape stays.
pub(crate) fn value(json: &Value) -> Value {
    MASKER.with_borrow(|masker| masker.value(json))
}

/// Returns the beginning of `text` without secrets, of at most `max_chars` characters.
pub(crate) fn preview(text: &str, max_chars: usize) -> String {
    MASKER.with_borrow(|masker| masker.preview(text, max_chars))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_a_bad_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mask.key");
        let secret = format!("ghp_{}", "a1B2".repeat(9));
        let first = open(&path).unwrap().text(&secret).into_owned();
        assert!(first.contains('#'), "{first}");
        assert_eq!(open(&path).unwrap().text(&secret), first, "the same tag after a restart");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(open(&path).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert_eq!(open(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        fs::remove_file(&path).unwrap();
        assert_ne!(open(&path).unwrap().text(&secret), first, "another key, another tag");
    }
}
