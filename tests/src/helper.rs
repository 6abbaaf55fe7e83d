//! The real notification helper beside a squad, and what a test writes for it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use mc_proto::home::Home;

use crate::{Receiver, program};

/// The secret of every webhook.
pub const HOOK_SECRET: &str = "a secret of the webhook";

/// A running `mcd notify`; it ends with this.
#[derive(Debug)]
pub struct Helper(Child);

impl Helper {
    /// Starts it for the squad in `dir`; what it logs is appended to `notify.log` there.
    pub fn start(dir: &Path) -> Self {
        let path = dir.join("notify.log");
        let log = fs::File::options().append(true).create(true).open(path).unwrap();
        let mut command = Command::new(program("mcd"));
        command.arg("notify").arg("--home").arg(dir).env_remove("MC_HOME");
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Returns what helpers logged in `dir`.
    pub fn log(dir: &Path) -> String {
        fs::read_to_string(dir.join("notify.log")).unwrap_or_default()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // One that ended by itself needs no signal.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Writes a file that nobody else can read beside `notify.toml`.
pub fn beside(dir: &Path, name: &str, text: &str) {
    let path = Home::under(dir).config.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Returns a sink of `notify.toml` that posts to a receiver.
pub fn webhook(name: &str, receiver: &Receiver) -> String {
    format!(
        "[[sink]]\nname = \"{name}\"\nvia = \"webhook\"\nurl = \"{}\"\n\
         secret = {{ file = \"hook.secret\" }}\n",
        receiver.url()
    )
}
