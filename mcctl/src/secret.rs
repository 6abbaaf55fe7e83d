//! Secrets in files: read only when nobody else can, written so that nobody else can.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use zeroize::Zeroizing;

use crate::failure::Failure;

/// The longest secret that is read, in bytes.
const LONGEST: u64 = 4096;

/// Reads the first line of the secret file `path`.
///
/// # Errors
///
/// When it can't be read, is empty, or others than its owner may read or write it.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let file = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
    // Asked of the open file, so that nothing can be put in its place meanwhile.
    let metadata = file.metadata().map_err(|error| Failure::file("read", path, &error))?;
    let shown = path.display();
    if !metadata.is_file() {
        return Err(Failure::Failed(format!("{shown} is no regular file")));
    }
    if metadata.mode() & 0o077 != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(Failure::Failed(format!(
            "{shown} has mode {mode:04o}, so others may read the secret: run `chmod 600 {shown}`"
        )));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| Failure::file("read", path, &error))?;
    let secret = Zeroizing::new(text.lines().next().unwrap_or_default().to_owned());
    if secret.is_empty() {
        return Err(Failure::Failed(format!("{shown} is empty")));
    }
    Ok(secret)
}

/// Writes `text` to `path` with mode 0600, whole or not at all.
///
/// # Errors
///
/// When the file system does not take it.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        fs::remove_file(&beside).ok();
        Failure::file("write", path, &error)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_written_for_its_owner_alone_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.token");
        write(&path, "mct_1\n").unwrap();
        write(&path, "mct_2\n").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().as_str(), "mct_2");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.token");
        write(&path, "mct_1").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = read(&path).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn an_empty_or_missing_secret_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(&dir.path().join("none")).is_err());
        assert!(read(dir.path()).is_err());
        let path = dir.path().join("empty");
        write(&path, "\n").unwrap();
        assert!(read(&path).is_err());
    }
}
