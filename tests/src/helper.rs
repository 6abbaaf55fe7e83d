//! The real notification helper beside a squad, and what a test writes for it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use mc_proto::home::Home;
use serde_json::json;

use crate::{Receiver, Squad, program};

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

/// A squad whose agent wren is at work on T-1, with `notify.toml`.
pub fn squad_with(sinks: &str) -> Squad {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let mut wren = squad.agent("wren");
    squad.started_task(&mut wren);
    beside(squad.dir(), "hook.secret", HOOK_SECRET);
    let times = "answer_ms = 2000\n[schedule]\ngather_ms = 50\nretry_ms = [100, 200, 400]\n";
    beside(squad.dir(), "notify.toml", &format!("{times}{sinks}"));
    squad
}

/// wren says something to the operators.
pub fn calls(squad: &Squad, what: &str) {
    let text = format!("@operator {what}");
    let post = json!({"task": "T-1", "kind": "comment", "text": text});
    squad.agent("wren").ok("message.post", post);
}

/// Says whether the helper has declared a sink.
pub fn is_declared(squad: &Squad, sink: &str) -> Option<()> {
    let health = squad.operator().ok("delivery.status", json!({}));
    let sinks = health["sinks"].as_array().unwrap();
    sinks.iter().any(|one| one["sink"]["name"] == sink).then_some(())
}

/// Says whether a sink took so many notices.
pub fn is_delivered(squad: &Squad, sink: &str, count: usize) -> Option<()> {
    let list = json!({"sink": sink, "status": "delivered", "limit": 200});
    let page = squad.operator().ok("delivery.list", list);
    let items = page["items"].as_array().unwrap();
    let notices: usize = items.iter().map(|one| one["notices"].as_array().unwrap().len()).sum();
    (notices >= count).then_some(())
}
