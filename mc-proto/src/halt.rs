//! The halt file: one form and one rule for whoever sets it or looks at it (daemon, adapters,
//! `mcctl`, console). What its daemon makes of it is `mcd`'s.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
    time::SystemTime,
};

/// How long the file always is: setting it needs no space on the disk.
pub const LEN: usize = 512;

/// Returns `text` in the length of the file; what has no room is cut.
pub fn filled(text: &str) -> Vec<u8> {
    let room = text.floor_char_boundary(LEN - 1);
    let mut bytes = text.get(..room).unwrap_or_default().as_bytes().to_vec();
    // In bytes, not in characters, as the file is.
    bytes.resize(LEN - 1, b' ');
    bytes.push(b'\n');
    bytes
}

/// Stops everything without a daemon: daemon and adapters look at the file within a second.
/// `words` say who and why, in one clean line; the uid that this machine knows is put behind them.
///
/// In place: at no moment the file is shorter, and a full disk does not matter.
///
/// # Errors
///
/// When the file can't be written.
pub fn set(path: &Path, words: &str) -> io::Result<()> {
    let uid =
        std::fs::metadata("/proc/self").map_or_else(|_| "?".into(), |me| me.uid().to_string());
    let file = File::options().write(true).create(true).truncate(false).open(path)?;
    // At once, so that nobody sees a stop without its words; the first byte alone stops too.
    let worded = file.write_all_at(&filled(&format!("1 {words} (uid {uid})")), 0);
    worded.or_else(|_| file.write_all_at(b"1", 0))?;
    file.sync_all()
}

/// When it was changed last, as long as nobody stopped anything by hand.
pub const UNTOUCHED: SystemTime = SystemTime::UNIX_EPOCH;

/// Says whether the file says that nothing is stopped: it begins with `0` *and* carries the time of
/// change that only the daemon gives it ([`UNTOUCHED`]).
///
/// # Errors
///
/// When it can't be looked at; that is a stop too.
pub fn is_clear(path: &Path) -> io::Result<bool> {
    // A pipe in its place would make whoever looks wait for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    let mut first = [0];
    file.read_exact(&mut first)?;
    Ok(first == *b"0" && file.metadata()?.modified()? == UNTOUCHED)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_halt_file_says_who_and_why_and_keeps_nothing_of_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("halt");
        std::fs::write(&path, filled("0 nothing is stopped; touch this file")).unwrap();
        set(&path, "ana typed STOP in the console; the daemon is away").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.len(), LEN);
        let said = "1 ana typed STOP in the console; the daemon is away (uid ";
        assert!(text.starts_with(said), "{text}");
        assert!(!text.contains("nothing is stopped"));
        std::fs::remove_file(&path).unwrap();
        set(&path, &"ü".repeat(600)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 512);
        assert!(set(&dir.path().join("no/halt"), "x").is_err());
    }

    #[test]
    fn it_is_clear_as_the_daemon_left_it_and_no_other_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("halt");
        let is_clear = |text: &str, changed: SystemTime| {
            std::fs::write(&path, text).unwrap();
            File::options().append(true).open(&path).unwrap().set_modified(changed).unwrap();
            is_clear(&path).ok()
        };
        assert_eq!(is_clear("0 nothing is stopped\n", UNTOUCHED), Some(true));
        assert_eq!(is_clear("0", UNTOUCHED + Duration::from_secs(5)), Some(false), "touched");
        assert_eq!(is_clear("1 by ana", UNTOUCHED), Some(false));
        assert_eq!(is_clear("", UNTOUCHED), None, "emptied");
        std::fs::remove_file(&path).unwrap();
        assert!(super::is_clear(&path).is_err(), "removed");
        assert_eq!(super::is_clear(dir.path()).ok(), Some(false), "no file");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert_eq!(super::is_clear(&path).ok(), Some(false), "a pipe that nobody writes to");
    }
}
