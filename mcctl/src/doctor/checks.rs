//! Users, groups and kernel settings: who could act as somebody else.

use std::path::{Path, PathBuf};

use super::{Finding, Machine, Subject, Weight};
use crate::identity::Mode;

/// Groups whose members are, or can become, root or an operator.
const MIGHTY: &[&str] = &["sudo", "docker", "lxd", "wheel", "root", "disk", "mc-operators"];

/// Runs the checks of this file.
pub(super) fn all(machine: &impl Machine, subject: &Subject) -> Vec<Finding> {
    let users = Users::read(machine);
    let mut found = Vec::new();
    found.extend(shared_user(subject));
    found.extend(root_agents(subject));
    found.extend(mighty_groups(subject, &users));
    found.extend(sudo_without_password(machine, subject, &users));
    found.extend(ptrace(machine, subject));
    found.extend(tiocsti(machine, subject));
    found.extend(ssh_agent(machine, subject));
    found
}

/// The system's users and groups.
struct Users {
    /// Name, uid, primary gid.
    users: Vec<(String, u32, u32)>,
    /// Name, gid, members.
    groups: Vec<(String, u32, Vec<String>)>,
}

impl Users {
    fn read(machine: &impl Machine) -> Self {
        let rows = |path: &str| -> Vec<Vec<String>> {
            let text = machine.text(Path::new(path)).unwrap_or_default();
            text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
        };
        let users = rows("/etc/passwd").into_iter().filter_map(|row| match row.as_slice() {
            [name, _, uid, gid, ..] => Some((name.clone(), uid.parse().ok()?, gid.parse().ok()?)),
            _ => None,
        });
        let groups = rows("/etc/group").into_iter().filter_map(|row| match row.as_slice() {
            [name, _, gid, members, ..] => {
                let members = members.split(',').map(|name| name.trim().to_owned()).collect();
                Some((name.clone(), gid.parse().ok()?, members))
            }
            _ => None,
        });
        Self { users: users.collect(), groups: groups.collect() }
    }

    fn name(&self, uid: u32) -> Option<&str> {
        self.users.iter().find(|user| user.1 == uid).map(|user| user.0.as_str())
    }

    fn groups_of(&self, uid: u32) -> Vec<&str> {
        let Some((name, _, primary)) = self.users.iter().find(|user| user.1 == uid) else {
            return Vec::new();
        };
        let member = |group: &&(String, u32, Vec<String>)| {
            group.1 == *primary || group.2.iter().any(|member| member == name)
        };
        self.groups.iter().filter(member).map(|group| group.0.as_str()).collect()
    }

    fn shown(&self, uid: u32) -> String {
        self.name(uid).map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
    }
}

fn shared_user(subject: &Subject) -> Vec<Finding> {
    let agents = &subject.identity.agents.uids;
    let shared = subject.identity.operator.iter().filter(|operator| agents.contains(&operator.uid));
    let finding = |operator: &crate::identity::Operator| Finding {
        weight: subject.weight(),
        check: "shared-uid",
        what: format!("operator {} and agents share uid {}", operator.name, operator.uid),
        why: "an agent of the same user can trace, type into or read the operator's programs: \
              proofs of human acts are at L1 at best",
        todo: "give the agents a user of their own, or the operator a second account, and set the \
               squad up with `./install.sh --system`"
            .to_owned(),
    };
    shared.map(finding).collect()
}

fn root_agents(subject: &Subject) -> Option<Finding> {
    subject.identity.agents.uids.contains(&0).then(|| Finding {
        weight: Weight::Error,
        check: "root-agents",
        what: "agents run as root".to_owned(),
        why: "root can change the programs, the record and every answer",
        todo: "run the gateway and its agents under a user without rights".to_owned(),
    })
}

fn mighty_groups(subject: &Subject, users: &Users) -> Vec<Finding> {
    let mut found = Vec::new();
    for uid in subject.identity.agents.uids.iter().copied().filter(|uid| *uid != 0) {
        let groups: Vec<&str> =
            users.groups_of(uid).into_iter().filter(|group| MIGHTY.contains(group)).collect();
        if !groups.is_empty() {
            let (who, groups) = (users.shown(uid), groups.join(", "));
            found.push(Finding {
                weight: subject.weight(),
                check: "groups",
                what: format!("agents run as {who}, who is in the groups {groups}"),
                why: "members of these groups are, or can become, root or an operator",
                todo: format!(
                    "take the agents' user out of them: `gpasswd -d USER GROUP` ({groups})"
                ),
            });
        }
    }
    found
}

fn sudo_without_password(machine: &impl Machine, subject: &Subject, users: &Users) -> Vec<Finding> {
    let mut files = vec![PathBuf::from("/etc/sudoers")];
    files.extend(machine.list(Path::new("/etc/sudoers.d")));
    let mut found = Vec::new();
    for file in files {
        let Some(text) = machine.text(&file) else {
            found.extend(unread(machine, &file));
            continue;
        };
        for uid in subject.identity.agents.uids.iter().copied().filter(|uid| *uid != 0) {
            let names = sudo_names(uid, users);
            found.extend(text.lines().filter(|line| grants(line, &names)).map(|line| Finding {
                weight: Weight::Error,
                check: "sudo",
                what: format!("{}: `{}` is for {}", file.display(), line.trim(), users.shown(uid)),
                why: "an agent becomes root without a password, and root can do everything",
                todo: format!("take the line out with `visudo -f {}`", file.display()),
            }));
        }
    }
    found
}

fn unread(machine: &impl Machine, file: &Path) -> Option<Finding> {
    machine.stat(file)?;
    Some(Finding {
        weight: Weight::Note,
        check: "sudo",
        what: format!("{} can't be read by this user", file.display()),
        why: "whether an agent becomes root without a password is not known",
        todo: "run `mcctl doctor` as root once".to_owned(),
    })
}

/// Returns the words by which a sudo rule can mean the user.
fn sudo_names(uid: u32, users: &Users) -> Vec<String> {
    let mut names = vec!["ALL".to_owned(), format!("#{uid}")];
    names.extend(users.name(uid).map(str::to_owned));
    names.extend(users.groups_of(uid).into_iter().map(|group| format!("%{group}")));
    names
}

fn grants(line: &str, names: &[String]) -> bool {
    let line = line.trim();
    let comment = line.starts_with('#') && !line.starts_with("#0") && {
        let digits = line.trim_start_matches('#');
        !digits.starts_with(|c: char| c.is_ascii_digit())
    };
    let who = line.split([' ', '\t', '=']).next().unwrap_or_default();
    !comment
        && line.contains("NOPASSWD")
        && who.split(',').any(|who| names.iter().any(|n| n == who))
}

fn ptrace(machine: &impl Machine, subject: &Subject) -> Option<Finding> {
    let value = machine.text(Path::new("/proc/sys/kernel/yama/ptrace_scope"));
    let value = value.as_deref().map(str::trim);
    let what = match value {
        Some("1" | "2" | "3") => return None,
        Some(other) => format!("kernel.yama.ptrace_scope is {other}"),
        None => "this kernel does not restrict tracing (no kernel.yama.ptrace_scope)".to_owned(),
    };
    Some(Finding {
        weight: Weight::Warning,
        check: "ptrace",
        what,
        why: "a process can read and steer every other process of the same user, passphrases \
              included",
        todo: match subject.identity.mode {
            Mode::SingleUser => "set kernel.yama.ptrace_scope = 1 in /etc/sysctl.d/".to_owned(),
            Mode::System => "set kernel.yama.ptrace_scope = 2 in /etc/sysctl.d/".to_owned(),
        },
    })
}

fn tiocsti(machine: &impl Machine, subject: &Subject) -> Option<Finding> {
    let value = machine.text(Path::new("/proc/sys/dev/tty/legacy_tiocsti"));
    let what = match value.as_deref().map(str::trim) {
        Some("0") => return None,
        Some(other) => format!("dev.tty.legacy_tiocsti is {other}"),
        None => "this kernel is older than 6.2 and has no dev.tty.legacy_tiocsti".to_owned(),
    };
    Some(Finding {
        weight: subject.weight().min(Weight::Warning),
        check: "tiocsti",
        what,
        why: "a process can type into the terminal that it was started from, for instance an \
              approval",
        todo: "set dev.tty.legacy_tiocsti = 0 in /etc/sysctl.d/; never start agents from the \
               console's terminal"
            .to_owned(),
    })
}

fn ssh_agent(machine: &impl Machine, subject: &Subject) -> Option<Finding> {
    let socket = subject.ssh_agent.as_ref()?;
    let owner = machine.stat(socket)?.uid;
    subject.identity.agents.uids.contains(&owner).then(|| Finding {
        weight: Weight::Warning,
        check: "ssh-agent",
        what: format!("an SSH agent at {} can be used by agents", socket.display()),
        why: "whoever can use it can log in elsewhere as you, and sign as you",
        todo: "log in without agent forwarding (`ssh -a`), or as a user that no agent uses"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use mc_proto::home::Home;

    use super::{super::machine::tests::Planted, *};
    use crate::identity::{IdentityFile, Operator, Users};

    fn subject(mode: Mode, operator: u32, agent: u32) -> Subject {
        let operator = Operator {
            name: "ana".into(),
            uid: operator,
            role: "admin".into(),
            passphrase: String::new(),
            totp: None,
        };
        Subject {
            home: Home::under(Path::new("/mc")),
            identity: IdentityFile {
                mode,
                operator: vec![operator],
                agents: Users { uids: vec![agent] },
                notify: Users::default(),
                remote: Vec::new(),
            },
            uid: 1000,
            programs: None,
            ssh_agent: Some("/tmp/ssh".into()),
        }
    }

    fn sound() -> Planted {
        Planted::default()
            .with(
                "/etc/passwd",
                "root:x:0:0::/root:/bin/sh\nana:x:1000:1000::\nclaw:x:1001:1001::\n",
            )
            .with("/etc/group", "root:x:0:\nsudo:x:27:ana\ndocker:x:999:\nclaw:x:1001:\n")
            .with("/etc/sudoers", "%sudo ALL=(ALL) NOPASSWD: ALL\n# claw ALL=(ALL) NOPASSWD: ALL\n")
            .with("/proc/sys/kernel/yama/ptrace_scope", "1\n")
            .with("/proc/sys/dev/tty/legacy_tiocsti", "0\n")
            .owned("/tmp/ssh", 1000, 0o600)
    }

    fn found(machine: &Planted, subject: &Subject) -> Vec<(&'static str, Weight)> {
        all(machine, subject).iter().map(|finding| (finding.check, finding.weight)).collect()
    }

    #[test]
    fn a_sound_machine_has_no_finding() {
        assert_eq!(found(&sound(), &subject(Mode::System, 1000, 1001)), []);
    }

    #[test]
    fn a_shared_user_is_an_error_where_it_was_not_chosen() {
        let sound = sound().with("/etc/group", "").with("/etc/sudoers", "").owned("/tmp/ssh", 7, 0);
        let shared = |mode| found(&sound, &subject(mode, 1000, 1000));
        assert_eq!(shared(Mode::System), [("shared-uid", Weight::Error)]);
        assert_eq!(shared(Mode::SingleUser), [("shared-uid", Weight::Warning)]);
    }

    #[test]
    fn each_planted_weakness_is_found() {
        let agents = subject(Mode::System, 1000, 1001);
        let docker = "docker:x:999:claw\n";
        let cases = [
            (sound().with("/etc/group", docker), "groups", Weight::Error),
            (sound().with("/etc/group", "mc-operators:x:5:ana,claw\n"), "groups", Weight::Error),
            (sound().with("/etc/sudoers", "claw ALL=(ALL) NOPASSWD: ALL"), "sudo", Weight::Error),
            (
                sound().with("/etc/sudoers.d/x", "#1001 ALL=NOPASSWD: /bin/ls"),
                "sudo",
                Weight::Error,
            ),
            (sound().owned("/etc/sudoers.d/y", 0, 0o440), "sudo", Weight::Note),
            (sound().with("/proc/sys/kernel/yama/ptrace_scope", "0"), "ptrace", Weight::Warning),
            (sound().with("/proc/sys/dev/tty/legacy_tiocsti", "1"), "tiocsti", Weight::Warning),
            (sound().owned("/tmp/ssh", 1001, 0o600), "ssh-agent", Weight::Warning),
        ];
        for (machine, check, weight) in cases {
            assert_eq!(found(&machine, &agents), [(check, weight)]);
        }
    }

    #[test]
    fn every_mighty_group_is_found() {
        for group in ["sudo", "docker", "lxd", "wheel", "mc-operators"] {
            let groups = format!("{group}:x:50:claw\n");
            let machine = sound().with("/etc/group", &groups).with("/etc/sudoers", "");
            let found = found(&machine, &subject(Mode::System, 1000, 1001));
            assert_eq!(found, [("groups", Weight::Error)], "{group}");
        }
    }

    #[test]
    fn agents_as_root_are_an_error_in_every_mode() {
        let found = found(&sound(), &subject(Mode::SingleUser, 1000, 0));
        assert_eq!(found, [("root-agents", Weight::Error)]);
    }
}
