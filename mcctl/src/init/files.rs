//! The directories and files of a new squad.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use mc_core::policy::PolicyDoc;
use mc_proto::home::Home;

use crate::{
    failure::Failure,
    identity::{self, IdentityFile, Mode, Operator, Users},
    secret,
};

/// What a new squad is like.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) mode: Mode,
    pub(super) squad: String,
    pub(super) operator: String,
    pub(super) uid: u32,
    pub(super) agent_uids: Vec<u32>,
    pub(super) notify_uids: Vec<u32>,
    pub(super) time_zone: String,
}

/// What was made and what was there already.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) made: Vec<PathBuf>,
    pub(super) kept: Vec<PathBuf>,
}

impl Made {
    /// Notes that `path` was there and is as it was.
    pub(super) fn keep(&mut self, path: PathBuf) {
        self.kept.push(path);
    }
}

/// Makes the directories, for the owner alone; in a squad with users of their own the sockets'
/// directory is the service's business.
pub(super) fn directories(home: &Home, mode: Mode, report: &mut Made) -> Result<(), Failure> {
    let mut all = vec![home.config.clone(), home.config.join("tokens"), home.state.clone()];
    if mode == Mode::SingleUser {
        all.push(home.run.clone());
    }
    for path in all {
        if path.is_dir() {
            tighten(&path)?;
            report.keep(path);
            continue;
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| Failure::file("make the directory", &path, &error))?;
        report.made.push(path);
    }
    Ok(())
}

/// Takes the rights of everybody but the owner away from a directory of ours.
fn tighten(path: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::file("look at the directory", path, &error);
    let metadata = fs::metadata(path).map_err(failed)?;
    let ours = metadata.uid() == rustix::process::getuid().as_raw();
    if ours && metadata.mode() & 0o007 != 0 {
        let mode = fs::Permissions::from_mode(metadata.mode() & 0o770);
        fs::set_permissions(path, mode).map_err(failed)?;
    }
    Ok(())
}

/// Writes `config.toml` and `policy.toml` where they are missing.
pub(super) fn configuration(home: &Home, setup: &Setup, report: &mut Made) -> Result<(), Failure> {
    let files = [("config.toml", config(setup)), ("policy.toml", policy()?)];
    for (name, text) in files {
        let path = home.config.join(name);
        if path.exists() {
            report.keep(path);
        } else {
            secret::write(&path, &text)?;
            report.made.push(path);
        }
    }
    Ok(())
}

/// Writes `identity.toml` with the first operator where it is missing.
pub(super) fn identity(
    home: &Home,
    setup: &Setup,
    passphrase: &str,
    report: &mut Made,
) -> Result<(), Failure> {
    let path = home.config.join(identity::FILE);
    if path.exists() {
        report.keep(path);
        return Ok(());
    }
    let file = IdentityFile {
        mode: setup.mode,
        operator: vec![Operator {
            name: setup.operator.clone(),
            uid: setup.uid,
            role: "admin".to_owned(),
            passphrase: identity::hash(passphrase)?,
            totp: None,
        }],
        agents: Users { uids: setup.agent_uids.clone() },
        notify: Users { uids: setup.notify_uids.clone() },
        remote: Vec::new(),
    };
    secret::write(&path, &file.render()?)?;
    report.made.push(path);
    Ok(())
}

fn config(setup: &Setup) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    format!(
        "# The squad. The daemon reads this file at start and when it changes.\n\
         squad = {}\n\
         # Where the day of daily caps turns.\n\
         time_zone = {}\n",
        quoted(&setup.squad),
        quoted(&setup.time_zone)
    )
}

const POLICY_HEAD: &str = "\
# The policy: what agents may do, what work may cost, what needs a human at which level.
# Everything below is the default and commented out: to change a line take the `#` away from it and from
# the [section] that it stands in.
# `mcctl policy validate FILE` says what is wrong with a file, `mcctl policy check TOOL --policy FILE`
# what a call would get. A file with a mistake is refused as a whole and the old policy stays.
# Amounts are in micro-dollars: 1_000_000 is one dollar. Some things are denied whatever stands here.
";

/// Returns the default policy with every line commented out, made from the types.
fn policy() -> Result<String, Failure> {
    let defaults = toml::to_string_pretty(&PolicyDoc::default())
        .map_err(|error| Failure::Failed(format!("can't write the default policy: {error}")))?;
    let mut text = POLICY_HEAD.to_owned();
    for line in defaults.lines() {
        put!(text, "{}{line}\n", if line.is_empty() { "" } else { "# " });
    }
    Ok(text)
}

/// Returns the name of the user `uid`, as the system's list of users says.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// Returns the machine's time zone, or UTC.
pub(super) fn time_zone() -> String {
    let named = fs::read_to_string("/etc/timezone").ok().map(|text| text.trim().to_owned());
    let linked = || {
        let target = fs::read_link("/etc/localtime").ok()?;
        let target = target.to_str()?;
        target.split_once("/zoneinfo/").map(|(_, zone)| zone.to_owned())
    };
    let zone = named.filter(|zone| !zone.is_empty()).or_else(linked).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    // The daemon refuses a zone that the machine does not know.
    let known = Path::new("/usr/share/zoneinfo").join(&zone).is_file();
    if known && zone.chars().all(plain) { zone } else { "UTC".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup() -> Setup {
        Setup {
            mode: Mode::SingleUser,
            squad: "a \"b\"".into(),
            operator: "ana".into(),
            uid: 1000,
            agent_uids: vec![1000],
            notify_uids: Vec::new(),
            time_zone: "Europe/Berlin".into(),
        }
    }

    #[test]
    fn a_new_squad_is_for_its_owner_alone_and_twice_is_the_same_as_once() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::under(&dir.path().join("mc"));
        let mut first = Made::default();
        directories(&home, Mode::SingleUser, &mut first).unwrap();
        configuration(&home, &setup(), &mut first).unwrap();
        identity(&home, &setup(), "correct horse", &mut first).unwrap();
        assert!(first.kept.is_empty());
        for path in &first.made {
            let mode = fs::metadata(path).unwrap().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
        let before = fs::read_to_string(home.config.join("identity.toml")).unwrap();
        let mut second = Made::default();
        directories(&home, Mode::SingleUser, &mut second).unwrap();
        configuration(&home, &setup(), &mut second).unwrap();
        identity(&home, &setup(), "another one", &mut second).unwrap();
        assert!(second.made.is_empty());
        assert_eq!(fs::read_to_string(home.config.join("identity.toml")).unwrap(), before);
    }

    #[test]
    fn the_configuration_is_good_toml_whatever_the_name() {
        let text = config(&setup());
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["squad"].as_str(), Some("a \"b\""));
        assert_eq!(table["time_zone"].as_str(), Some("Europe/Berlin"));
    }

    #[test]
    fn the_policy_says_every_default_and_changes_none() {
        let text = policy().unwrap();
        assert_eq!(toml::from_str::<PolicyDoc>(&text).unwrap(), PolicyDoc::default());
        let uncommented: Vec<&str> =
            text.lines().skip(6).map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
        let all: PolicyDoc = toml::from_str(&uncommented.join("\n")).unwrap();
        assert_eq!(all, PolicyDoc::default());
    }
}
