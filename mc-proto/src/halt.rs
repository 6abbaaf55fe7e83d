//! The halt file, for whoever stops everything past the daemon; what its daemon makes of it is
//! `mcd`'s. One form for all: `1`, who and why, blanks.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
};

/// How long the file always is: setting it needs no space on the disk.
pub const LEN: usize = 512;

/// Returns `text` in the length of the file; what has no room is cut.
pub fn filled(text: &str) -> Vec<u8> {
    let room = text.floor_char_boundary(LEN - 1);
    format!("{:<1$}\n", text.get(..room).unwrap_or_default(), LEN - 1).into_bytes()
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

#[cfg(test)]
mod tests {
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
}
