//! The operator's own editor: on a file of its own that only we can read, gone when it ends.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

/// More than any arguments that the daemon takes.
const LARGEST: u64 = 1024 * 1024;

/// Lets `editor` work on `text` and returns what stands in the file then. The editor has the
/// terminal meanwhile.
///
/// # Errors
///
/// Why there is no text: no file, no editor, an editor that failed, or a text that is too long.
pub(super) fn edit(editor: &str, text: &str) -> Result<String, String> {
    let folder = folder().map_err(|error| format!("no private folder: {error}"))?;
    let edited = edit_in(&folder, editor, text);
    // What can't be removed lies in a folder that only we can read.
    fs::remove_dir_all(&folder).ok();
    edited
}

fn edit_in(folder: &Path, editor: &str, text: &str) -> Result<String, String> {
    let path = folder.join("arguments.json");
    let write = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|error| format!("{}: {error}", path.display()))?;
    // By the shell, because `$EDITOR` may hold options; the path is an argument and never read by it.
    let ended = Command::new("/bin/sh")
        .args(["-c", &format!("exec {editor} \"$1\""), "editor"])
        .arg(&path)
        .status()
        .map_err(|error| format!("the editor did not start: {error}"))?;
    if !ended.success() {
        return Err(format!("`{editor}` ended with {ended}: nothing was taken over"));
    }
    let read = || -> io::Result<String> {
        let file = fs::OpenOptions::new().read(true).open(&path)?;
        let mut text = String::new();
        file.take(LARGEST + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|error| format!("{}: {error}", path.display()))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err("the text is over 1 MiB".to_owned());
    }
    Ok(text)
}

/// Makes a folder that only we can enter.
fn folder() -> io::Result<PathBuf> {
    let mut number = 0;
    loop {
        let name = format!("mc-edit-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1_000 => {
                number += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_behind() -> usize {
        let ours = format!("mc-edit-{}-", std::process::id());
        let all = fs::read_dir(std::env::temp_dir()).unwrap().filter_map(Result::ok);
        all.filter(|one| one.file_name().to_string_lossy().starts_with(&ours)).count()
    }

    #[test]
    fn what_the_editor_wrote_comes_back_and_no_file_stays() {
        assert_eq!(edit("sed -i s/one/two/", "{\"a\": \"one\"}").unwrap(), "{\"a\": \"two\"}");
        let modes =
            "sh -c 'stat -c %a \"$0\" \"$(dirname \"$0\")\" > \"$0.m\" && cat \"$0.m\" > \"$0\"'";
        assert_eq!(edit(modes, "x").unwrap(), "600\n700\n");
        assert!(edit("false", "x").unwrap_err().contains("nothing was taken over"));
        assert!(edit("/no/such/editor", "x").is_err());
        assert_eq!(left_behind(), 0);
    }
}
