//! Files and directories: who could put another program, socket or secret in the place of ours.

use std::path::{Path, PathBuf};

use mc_core::signers;

use super::{Finding, Machine, Subject, Weight};
use crate::identity::{FILE, Mode};

/// Runs the checks of this file.
pub(super) fn all(machine: &impl Machine, subject: &Subject) -> Vec<Finding> {
    let mut found = secrets(machine, subject);
    found.extend(writable(machine, subject));
    found
}

/// Secrets that others than their owner (and, for the daemon's own file, its group) may read.
fn secrets(machine: &impl Machine, subject: &Subject) -> Vec<Finding> {
    let config = &subject.home.config;
    let group = if subject.identity.mode == Mode::System { 0o037 } else { 0o077 };
    // Keys are no secret, but who adds one signs as that operator.
    let mut files = vec![(config.join(FILE), group), (config.join(signers::FILE), 0o022)];
    files.extend(machine.list(&config.join("tokens")).into_iter().map(|file| (file, 0o077)));
    let open = |(file, rights): &(PathBuf, u32)| {
        machine.stat(file).is_some_and(|stat| stat.mode & rights != 0)
    };
    let finding = |(file, _): (PathBuf, u32)| Finding {
        weight: Weight::Error,
        check: "secrets",
        what: format!("others may read or write {}", file.display()),
        why: "who has a token speaks as that agent; who has the hash can guess the passphrase; who \
              adds a key signs as an operator",
        todo: format!(
            "`chmod 600 {}`; for a token also `mcctl agent rotate-token`, since it may be known",
            file.display()
        ),
    };
    files.into_iter().filter(open).map(finding).collect()
}

/// Directories on the way to our files that somebody else can write.
fn writable(machine: &impl Machine, subject: &Subject) -> Vec<Finding> {
    let home = &subject.home;
    let mut ends =
        vec![home.config.clone(), home.state.clone(), home.agent_socket(), home.operator_socket()];
    ends.extend(subject.programs.iter().flat_map(|dir| {
        ["mcd", "mcctl", "mctui"].iter().map(|name| dir.join(name)).collect::<Vec<_>>()
    }));
    let mut weak: Vec<(PathBuf, String)> = Vec::new();
    for end in ends {
        let real = machine.real(&end);
        for place in real.ancestors() {
            let known = weak.iter().any(|(path, _)| path == place);
            if let (false, Some(how)) = (known, weakness(machine, subject, place)) {
                weak.push((place.to_path_buf(), how));
            }
        }
    }
    let finding = |(place, how): (PathBuf, String)| Finding {
        weight: Weight::Error,
        check: "writable-path",
        what: format!("{} {how}", place.display()),
        why: "who can write there can put another program, socket or record in the place of ours",
        todo: format!("`chmod go-w {0}`, or `chown` it to root or to yourself", place.display()),
    };
    weak.into_iter().map(finding).collect()
}

/// Returns how somebody else could change what lies at `place`.
fn weakness(machine: &impl Machine, subject: &Subject, place: &Path) -> Option<String> {
    const STICKY: u32 = 0o1000;
    let stat = machine.stat(place)?;
    let by_agent = subject.identity.agents.uids.contains(&stat.uid) && stat.uid != 0;
    if by_agent && subject.identity.mode == Mode::System && stat.uid != subject.uid {
        return Some(format!("belongs to uid {}, under which agents run", stat.uid));
    }
    // Sockets are 0660 by design: their directory decides.
    let socket = place.extension().is_some_and(|extension| extension == "sock");
    match stat.mode {
        mode if mode & STICKY != 0 || socket => None,
        mode if mode & 0o002 != 0 => Some(format!("can be written by everybody ({mode:04o})")),
        // A user's own group, of the same number, has nobody else in it.
        mode if mode & 0o020 != 0 && stat.gid != stat.uid => {
            Some(format!("can be written by its group ({mode:04o})"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mc_proto::home::Home;

    use super::{super::machine::tests::Planted, *};
    use crate::identity::{IdentityFile, Users};

    fn subject(mode: Mode) -> Subject {
        Subject {
            home: Home::under(Path::new("/home/ana/mc")),
            identity: IdentityFile {
                mode,
                operator: Vec::new(),
                agents: Users { uids: vec![1001] },
                notify: Users::default(),
                remote: Vec::new(),
            },
            uid: 1000,
            programs: Some("/opt/mc/bin".into()),
            ssh_agent: None,
        }
    }

    fn sound() -> Planted {
        ["/", "/home", "/opt", "/opt/mc", "/opt/mc/bin"]
            .iter()
            .fold(Planted::default(), |planted, path| planted.owned(path, 0, 0o755))
            .owned("/home/ana", 1000, 0o700)
            .owned("/home/ana/mc/run/agent/mcd.sock", 1000, 0o660)
            .owned("/home/ana/mc/config/identity.toml", 1000, 0o600)
            .owned("/home/ana/mc/config/tokens/wren.token", 1000, 0o600)
    }

    fn found(machine: &Planted, mode: Mode) -> Vec<&'static str> {
        all(machine, &subject(mode)).iter().map(|finding| finding.check).collect()
    }

    #[test]
    fn sound_places_have_no_finding() {
        assert_eq!(found(&sound(), Mode::System), [""; 0]);
    }

    #[test]
    fn each_planted_weakness_is_found_once() {
        let cases = [
            (sound().owned("/opt/mc/bin/mcd", 0, 0o777), "writable-path"),
            (sound().of_group("/opt", (0, 50), 0o775), "writable-path"),
            (sound().owned("/home/ana", 1001, 0o700), "writable-path"),
            (sound().owned("/home/ana/mc/config/tokens/wren.token", 1000, 0o644), "secrets"),
            (sound().owned("/home/ana/mc/config/identity.toml", 0, 0o660), "secrets"),
            (sound().owned("/home/ana/mc/config/allowed_signers", 0, 0o664), "secrets"),
        ];
        for (machine, check) in cases {
            assert_eq!(found(&machine, Mode::System), [check]);
        }
    }

    #[test]
    fn the_daemons_group_may_read_its_file_where_it_has_one() {
        let machine = sound().owned("/home/ana/mc/config/identity.toml", 0, 0o640);
        assert_eq!(found(&machine, Mode::System), [""; 0]);
        assert_eq!(found(&machine, Mode::SingleUser), ["secrets"]);
    }

    #[test]
    fn a_users_own_group_is_no_weakness() {
        let machine = sound().of_group("/home/ana", (1000, 1000), 0o770);
        assert_eq!(found(&machine, Mode::System), [""; 0]);
    }

    #[test]
    fn a_sticky_directory_is_no_weakness() {
        assert_eq!(found(&sound().owned("/opt", 0, 0o1777), Mode::System), [""; 0]);
    }
}
