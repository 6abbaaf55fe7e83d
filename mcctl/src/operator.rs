//! `mcctl operator`: who governs. It edits `identity.toml` and the allowed signers, and needs no daemon: only root may, or
//! the owner of a squad that one user runs.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use clap::Subcommand;
use mc_core::signers;
use mc_proto::home::Home;
use qrcode::{QrCode, render::unicode::Dense1x2};
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    identity::{self, FILE, IdentityFile, Mode, Operator},
    keys::{self, KeyFile},
    output,
    session::ask_secret,
    table::{Table, cell, rest},
};

/// The roles, least first.
const ROLES: &[&str] = &["viewer", "operator", "admin"];

/// What can be done with operators.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the operators.
    List,
    /// Add an operator; asks for their passphrase.
    Add {
        /// The name that the record shows.
        name: String,
        /// The user whose processes speak for this person; no agent may run as that user.
        #[arg(long)]
        uid: u32,
        /// What they may do.
        #[arg(long, value_parser = ["viewer", "operator", "admin"], default_value = "operator")]
        role: String,
    },
    /// Remove an operator.
    Remove {
        /// Who.
        name: String,
    },
    /// Give an operator a new passphrase and take their second factors away: a lost phone.
    Reset {
        /// Who.
        name: String,
    },
    /// The SSH keys that sign for operators.
    #[command(subcommand)]
    Key(keys::Verb),
    /// Enrol an authenticator as an operator's second factor: shows a QR code, asks for one code.
    Totp {
        /// Who.
        name: String,
    },
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out; then nothing was changed.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    let home = Home::find(cx.global().home.as_deref());
    let path = home.config.join(FILE);
    let missing = || Failure::Failed(format!("{} is missing: run `mcctl init`", path.display()));
    let mut file = IdentityFile::load(&home.config)?.ok_or_else(missing)?;
    let mut keys = KeyFile::load(&home.config)?;
    match verb {
        Verb::List => {
            cx.print(&names(&file, &keys), |_| table(&file, &keys))?;
            return Ok(Exit::Done);
        }
        Verb::Key(keys::Verb::List) => {
            cx.print(&keys.document(), |_| keys.table())?;
            return Ok(Exit::Done);
        }
        Verb::Add { .. }
        | Verb::Remove { .. }
        | Verb::Reset { .. }
        | Verb::Totp { .. }
        | Verb::Key(keys::Verb::Add { .. } | keys::Verb::Remove { .. }) => {
            may_edit(&path, file.mode)?;
        }
    }
    let (old, old_keys) = (file.clone(), keys.text().to_owned());
    let done = change(verb, (&mut file, &mut keys), cx)?;
    // First what takes away: between the two files nobody has more than before or after.
    if keys.text() != old_keys {
        replace((&home.config.join(signers::FILE), &path), keys.text())?;
    }
    if file != old {
        replace((&path, &path), &file.render()?)?;
    }
    output::text(&format!("{done}\nA running daemon takes it over at once.\n"))?;
    Ok(Exit::Done)
}

fn change(
    verb: Verb,
    (file, keys): (&mut IdentityFile, &mut KeyFile),
    cx: &Context,
) -> Result<String, Failure> {
    match verb {
        Verb::List | Verb::Key(keys::Verb::List) => Ok(String::new()),
        Verb::Add { name, uid, role } => add(file, (name, uid, role), cx),
        Verb::Remove { name } => {
            let done = remove(file, &name)?;
            keys.forget(&name)?;
            Ok(done)
        }
        Verb::Reset { name } => {
            let done = reset(file, &name, cx)?;
            keys.forget(&name)?;
            Ok(done)
        }
        Verb::Totp { name } => enrol(file, &name),
        Verb::Key(keys::Verb::Add { name, file: key }) => {
            named(file, &name)?;
            keys.add(&name, &key)
        }
        Verb::Key(keys::Verb::Remove { name, fingerprint }) => keys.remove(&name, &fingerprint),
    }
}

/// Refuses everybody but root and, where one user runs everything, that user.
fn may_edit(path: &Path, mode: Mode) -> Result<(), Failure> {
    let own = rustix::process::geteuid().as_raw();
    let owner = fs::metadata(path).map_err(|error| Failure::file("read", path, &error))?.uid();
    if own == 0 || (mode == Mode::SingleUser && own == owner) {
        return Ok(());
    }
    let text = "only root changes who governs: run it with sudo";
    Err(Failure::Failed(text.to_owned()))
}

fn named<'f>(file: &'f mut IdentityFile, name: &str) -> Result<&'f mut Operator, Failure> {
    let known: Vec<String> = file.operator.iter().map(|one| one.name.clone()).collect();
    file.operator.iter_mut().find(|one| one.name == name).ok_or_else(|| {
        Failure::Failed(format!("there is no operator `{name}`; there are: {}", known.join(", ")))
    })
}

fn add(
    file: &mut IdentityFile,
    (name, uid, role): (String, u32, String),
    cx: &Context,
) -> Result<String, Failure> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
        let text = "a name is 1 to 64 letters, digits, `-`, `_` and `.`";
        return Err(Failure::Failed(text.to_owned()));
    }
    if let Some(other) = file.operator.iter().find(|one| one.name == name || one.uid == uid) {
        let text = format!("operator `{}` with uid {} is there already", other.name, other.uid);
        return Err(Failure::Failed(text));
    }
    if file.mode == Mode::System && file.agents.uids.contains(&uid) {
        let text = format!("agents run as uid {uid}: give the operator a user of their own");
        return Err(Failure::Failed(text));
    }
    let passphrase = identity::hash(&new_passphrase(cx)?)?;
    let done = format!("operator {name} with uid {uid} is {role}");
    file.operator.push(Operator { name, uid, role, passphrase, totp: None });
    Ok(done)
}

fn remove(file: &mut IdentityFile, name: &str) -> Result<String, Failure> {
    named(file, name)?;
    let admins = |all: &[Operator]| all.iter().filter(|one| one.role == "admin").count();
    let left: Vec<Operator> =
        file.operator.iter().filter(|one| one.name != name).cloned().collect();
    if admins(&left) == 0 {
        let text = format!("{name} is the last admin: make another one first");
        return Err(Failure::Failed(text));
    }
    file.operator = left;
    file.remote.retain(|one| one.operator != name);
    Ok(format!("operator {name} is removed"))
}

fn reset(file: &mut IdentityFile, name: &str, cx: &Context) -> Result<String, Failure> {
    named(file, name)?;
    let passphrase = identity::hash(&new_passphrase(cx)?)?;
    let operator = named(file, name)?;
    operator.passphrase = passphrase;
    operator.totp = None;
    Ok(format!(
        "operator {name} has a new passphrase and no second factor: `mcctl operator totp {name}` \
         or `mcctl operator key add {name} KEY.pub`"
    ))
}

fn new_passphrase(cx: &Context) -> Result<Zeroizing<String>, Failure> {
    if let Some(file) = &cx.global().passphrase_file {
        let passphrase = crate::secret::read(file)?;
        identity::check(&passphrase)?;
        return Ok(passphrase);
    }
    let first = ask_secret("New passphrase: ")?;
    identity::check(&first)?;
    if *first != *ask_secret("Again: ")? {
        return Err(Failure::Failed("the two passphrases differ; nothing was changed".to_owned()));
    }
    Ok(first)
}

/// Enrols an authenticator: it counts once a code of it was typed.
fn enrol(file: &mut IdentityFile, name: &str) -> Result<String, Failure> {
    named(file, name)?;
    let mut bytes = Zeroizing::new([0_u8; 20]);
    getrandom::fill(bytes.as_mut())
        .map_err(|error| Failure::Failed(format!("no randomness from the system: {error}")))?;
    let secret = Secret::from(bytes.to_vec());
    let text = Zeroizing::new(secret.to_base32());
    let url = Zeroizing::new(url(name, &text));
    output::note(&format!(
        "Scan this, or type the secret into your authenticator:\n\n{}",
        qr(&url)?
    ));
    output::note(&format!("secret: {}\n{}", text.as_str(), url.as_str()));
    let typed = ask_secret("The code that it shows now: ")?;
    if codes(secret)?.check(typed.trim(), now()).is_none() {
        let text = "the code is wrong; nothing was changed: look at the clocks of both machines";
        return Err(Failure::Failed(text.to_owned()));
    }
    named(file, name)?.totp = Some(text.to_string());
    Ok(format!("operator {name} has an authenticator as second factor"))
}

/// Returns the machine's clock in seconds: it is what codes are made of.
#[expect(
    clippy::disallowed_methods,
    reason = "no daemon is asked here, so there is no other clock"
)]
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn codes(secret: Secret) -> Result<Totp, Failure> {
    let made = Builder::new().with_secret(secret).with_digits(6).with_skew(1).build();
    made.map_err(|error| Failure::Failed(format!("can't make codes: {error}")))
}

fn url(name: &str, secret: &str) -> String {
    format!(
        "otpauth://totp/mission-control:{name}?secret={secret}&issuer=mission-control\
         &algorithm=SHA1&digits=6&period=30"
    )
}

/// Draws a QR code with half blocks, dark on light whatever the terminal's colours are.
fn qr(text: &str) -> Result<String, Failure> {
    let code = QrCode::new(text)
        .map_err(|error| Failure::Failed(format!("can't draw the QR code: {error}")))?;
    Ok(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

/// Puts `text` in the place of the file, which keeps its owner and mode; a new one gets those of
/// `like`.
fn replace((path, like): (&Path, &Path), text: &str) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| Failure::file("write", path, error);
    let about = fs::metadata(path).or_else(|_| fs::metadata(like));
    let about = about.map_err(|error| failed(&error))?;
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            std::os::unix::fs::fchown(&file, Some(about.uid()), Some(about.gid()))?;
            file.set_permissions(fs::Permissions::from_mode(about.mode() & 0o777))?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        fs::remove_file(&beside).ok();
        failed(&error)
    })
}

/// Returns the second factors of an operator, in words.
fn factors(one: &Operator, keys: &KeyFile) -> Vec<&'static str> {
    let own = |signer: &signers::Signer| signer.operators.contains(&one.name);
    let codes = one.totp.is_some().then_some("authenticator");
    let keys = keys.signers().iter().any(own).then_some("SSH key");
    codes.into_iter().chain(keys).collect()
}

fn names(file: &IdentityFile, keys: &KeyFile) -> serde_json::Value {
    let row = |one: &Operator| {
        let factors = factors(one, keys);
        serde_json::json!({
            "name": one.name, "uid": one.uid, "role": one.role,
            "second_factor": !factors.is_empty(), "factors": factors,
        })
    };
    file.operator.iter().map(row).collect()
}

fn table(file: &IdentityFile, keys: &KeyFile) -> String {
    let mut table = Table::new(&["NAME", "UID", "ROLE", "SECOND FACTOR"]);
    let mut all = file.operator.clone();
    all.sort_by_key(|one| ROLES.iter().position(|role| *role == one.role));
    for one in all {
        let factors = factors(&one, keys);
        let factors = if factors.is_empty() { "none".to_owned() } else { factors.join(", ") };
        table.row([cell(&one.name), cell(one.uid), cell(&one.role), rest(&factors)]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Users;

    fn squad() -> IdentityFile {
        let operator = |name: &str, uid, role: &str| Operator {
            name: name.into(),
            uid,
            role: role.into(),
            passphrase: "$argon2id$x".into(),
            totp: None,
        };
        IdentityFile {
            mode: Mode::System,
            operator: vec![operator("ana", 1000, "admin"), operator("ben", 1001, "operator")],
            agents: Users { uids: vec![2000] },
            notify: Users::default(),
            remote: Vec::new(),
        }
    }

    #[test]
    fn the_last_admin_stays() {
        let mut file = squad();
        assert!(remove(&mut file, "ana").is_err());
        assert!(remove(&mut file, "carl").is_err());
        assert!(remove(&mut file, "ben").is_ok());
        assert_eq!(file.operator.len(), 1);
    }

    #[test]
    fn a_file_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        replace((&path, &path), "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_picture_holds_the_address_of_the_secret() {
        let url = url("ana", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(url.starts_with("otpauth://totp/mission-control:ana?secret=GEZDGNBV"), "{url}");
        let picture = qr(&url).unwrap();
        assert!(picture.lines().count() > 15 && picture.contains('█'), "{picture}");
    }
}
