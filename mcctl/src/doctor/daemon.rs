//! The daemon itself: there, of this version, not stopped, and in the right namespace.

use std::io::ErrorKind;

use mc_proto::{halt::is_clear, home::Home, method::squad::StatusGet};

use super::{
    Finding, Weight,
    machine::{Machine, ThisMachine},
};
use crate::{context::Context, text};

/// Runs the checks of this file.
pub(super) fn check(home: &Home, cx: &mut Context) -> Vec<Finding> {
    let mut found = halt_file(home);
    found.extend(namespaces(&ThisMachine));
    match cx.call(&StatusGet {}) {
        Ok(status) => {
            found.extend(version(&status.version));
            found.extend(status.read_only.map(|why| read_only(&why)));
        }
        Err(failure) if !failure.is_unreachable() => found.push(Finding {
            weight: Weight::Warning,
            check: "daemon",
            what: text::line(&failure.to_string()),
            why: "the daemon is there and does not want this user: its state can't be looked at",
            todo: "run `mcctl doctor` as an operator, or add this user to identity.toml".to_owned(),
        }),
        Err(failure) => found.push(Finding {
            weight: Weight::Error,
            check: "daemon",
            what: text::line(&failure.to_string()),
            why: "without the daemon nothing risky is allowed and nothing is recorded",
            todo: "start it: `systemctl --user start mission-control`, `systemctl start mission-control` \
                   or `mcd run`"
                .to_owned(),
        }),
    }
    found
}

fn version(daemon: &str) -> Option<Finding> {
    let ours = env!("CARGO_PKG_VERSION");
    (daemon != ours).then(|| Finding {
        weight: Weight::Warning,
        check: "version",
        what: format!("the daemon is {}, this program is {ours}", text::line(daemon)),
        why: "programs of two versions may misunderstand each other",
        todo: "restart the daemon after an update, or install both from one place".to_owned(),
    })
}

fn read_only(why: &str) -> Finding {
    Finding {
        weight: Weight::Error,
        check: "storage",
        what: format!("the daemon refuses writes: {}", text::line(why)),
        why: "nothing can be recorded, so nothing risky is allowed",
        todo: "make room or repair the disk; the daemon tries again by itself".to_owned(),
    }
}

fn halt_file(home: &Home) -> Vec<Finding> {
    let path = home.halt_file();
    // A squad that was never started has none, and not everybody may look at it.
    let unknown = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::PermissionDenied);
    let set = !is_clear(&path).unwrap_or_else(|error| unknown(error.kind()));
    let finding = Finding {
        weight: Weight::Warning,
        check: "halt",
        what: format!("the emergency stop is in force ({})", path.display()),
        why: "no tool call is allowed and no run begins until it is lifted",
        todo: "an admin lifts it with `mcctl squad emergency-resume --reason WHY`".to_owned(),
    };
    set.then_some(finding).into_iter().collect()
}

/// A daemon inside a user namespace sees foreign users as one and the same.
fn namespaces(machine: &impl Machine) -> Vec<Finding> {
    let own = machine.text("/proc/self/uid_map".as_ref());
    let daemons = machine.list("/proc".as_ref()).into_iter().filter(|process| {
        machine.text(&process.join("comm")).is_some_and(|name| name.trim() == "mcd")
    });
    let inside = daemons.filter(|process| {
        let map = machine.text(&process.join("uid_map"));
        map.is_some() && map != own
    });
    inside
        .map(|process| Finding {
            weight: Weight::Error,
            check: "user-namespace",
            what: format!("the daemon ({}) runs in a user namespace of its own", process.display()),
            why: "inside it all foreign users look alike, so nobody can be told apart",
            todo: "take `PrivateUsers=` out of its unit, or run it outside the container"
                .to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, time::SystemTime};

    use super::{super::machine::tests::Planted, *};

    #[test]
    fn a_set_halt_file_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::under(dir.path());
        fs::create_dir_all(&home.state).unwrap();
        assert_eq!(halt_file(&home).len(), 0, "none yet");
        fs::write(home.halt_file(), "1 stopped by ana").unwrap();
        assert_eq!(halt_file(&home).len(), 1);
        fs::write(home.halt_file(), "0").unwrap();
        assert_eq!(halt_file(&home).len(), 1, "touched");
        let file = fs::File::options().append(true).open(home.halt_file()).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(halt_file(&home).len(), 0);
    }

    #[test]
    fn a_daemon_in_a_user_namespace_is_found() {
        let machine = |map| {
            Planted::default()
                .with("/proc/self/uid_map", "0 0 4294967295\n")
                .with("/proc/77/comm", "mcd\n")
                .owned("/proc/77", 0, 0o555)
                .with("/proc/77/uid_map", map)
        };
        assert_eq!(namespaces(&machine("0 0 4294967295\n")).len(), 0);
        assert_eq!(namespaces(&machine("0 100000 65536\n")).len(), 1);
    }

    #[test]
    fn another_version_is_found() {
        assert!(version(env!("CARGO_PKG_VERSION")).is_none());
        assert_eq!(version("0.0.0").map(|finding| finding.check), Some("version"));
    }
}
