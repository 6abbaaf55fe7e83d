//! Out of the console and in again: the clipboard, the text of a challenge, its signature.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crossterm::{clipboard::CopyToClipboard, execute};

use crate::app::Copied;

/// How much a terminal takes through OSC 52: 74,994 bytes once encoded.
const OSC_BYTES: usize = 56_245;
/// A signature is much shorter.
const SIGNATURE_BYTES: u64 = 16 * 1024;
/// How the files with exported views begin.
const EXPORT: &str = "mc-export-";
/// How the files with texts to sign begin.
const PREFIX: &str = "mc-challenge-";

/// Copies `text`: through tmux where it runs inside one, else through the terminal, else to a file.
pub(super) fn copy(text: &str, is_tmux: bool) -> Result<Copied, String> {
    if is_tmux && through_tmux(text).is_ok() {
        return Ok(Copied::Clipboard("into tmux's buffer and its clipboard"));
    }
    if text.len() > OSC_BYTES {
        return save(text);
    }
    execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))
        .map_err(|error| error.to_string())?;
    Ok(Copied::Clipboard("through the terminal (OSC 52): where it does not allow that, use a file"))
}

fn through_tmux(text: &str) -> io::Result<()> {
    let mut tmux = Command::new("tmux")
        .args(["load-buffer", "-w", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = tmux.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    if tmux.wait()?.success() { Ok(()) } else { Err(io::Error::other("tmux refused")) }
}

/// Writes `text`, byte for byte, to a new file that only we can read.
pub(super) fn save(text: &str) -> Result<Copied, String> {
    write(PREFIX, text)
}

/// Writes a view to a new file that only we can read.
pub(super) fn export(text: &str) -> Result<Copied, String> {
    write(EXPORT, text)
}

fn write(prefix: &str, text: &str) -> Result<Copied, String> {
    let (path, mut file) = create(prefix).map_err(|error| format!("no file: {error}"))?;
    file.write_all(text.as_bytes()).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Copied::File(path.display().to_string()))
}

fn create(prefix: &str) -> io::Result<(PathBuf, fs::File)> {
    let mut number = 0;
    loop {
        let name = format!("{prefix}{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1_000 => {
                number += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Reads a signature; a text of ours that it signs has done its work and is removed with it.
pub(super) fn read_signature(name: &str, home: Option<&Path>) -> Result<String, String> {
    let path = match (name.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(name),
    };
    let read = || -> io::Result<String> {
        let file = fs::File::open(&path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("this is no file"));
        }
        let mut text = String::new();
        file.take(SIGNATURE_BYTES).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|error| format!("{}: {error}", path.display()))?;
    let signed = path.with_extension("");
    let is_ours = signed.parent() == Some(&std::env::temp_dir())
        && signed.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
    if is_ours {
        // What can't be removed lies in the system's folder for temporary files.
        fs::remove_file(&signed).ok();
        fs::remove_file(&path).ok();
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_byte_for_byte_and_removed_with_its_signature() {
        let Ok(Copied::File(path)) = save("one\ntwo") else { panic!("not written") };
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo");
        let signature = format!("{path}.sig");
        assert!(read_signature(&signature, None).is_err());
        fs::write(&signature, "signed").unwrap();
        assert_eq!(read_signature(&signature, None).unwrap(), "signed");
        assert!(!Path::new(&path).exists() && !Path::new(&signature).exists());
    }

    #[test]
    fn what_is_no_file_is_refused_and_the_home_is_known() {
        assert!(read_signature("/dev/zero", None).is_err());
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("a.sig"), "x").unwrap();
        assert_eq!(read_signature("~/a.sig", Some(home.path())).unwrap(), "x");
        assert!(home.path().join("a.sig").exists());
    }
}
