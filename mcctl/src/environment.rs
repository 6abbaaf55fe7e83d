//! The one reader of this program's environment, beside the places that `mc_proto::home` finds.

use std::path::PathBuf;

/// Returns a variable that holds a path; an empty one counts as unset.
#[expect(clippy::disallowed_methods, reason = "this program's one reader of the environment")]
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Returns the user's home directory.
pub(crate) fn home() -> Option<PathBuf> {
    path("HOME")
}

/// Returns the command that edits a file, as the user wants it.
pub(crate) fn editor() -> Option<std::ffi::OsString> {
    path("VISUAL").or_else(|| path("EDITOR")).map(PathBuf::into_os_string)
}

/// Returns the socket of the SSH agent that this process can reach.
pub(crate) fn ssh_agent() -> Option<PathBuf> {
    path("SSH_AUTH_SOCK")
}
