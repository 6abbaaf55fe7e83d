//! A yes is for one world: what changes between it and its use makes it void, and a lease ends with
//! every stop.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use mc_tests::{
    Client, PATIENCE, Setup, Squad,
    asking::{approve, ask, shell, squad_at, squad_without_limits},
    until,
};
use serde_json::{Value, json};

/// One thing that a call is bound to, and how it changes.
struct Bound {
    what: &'static str,
    /// The command that is asked for, in a folder that `lay` filled.
    command: &'static str,
    change: fn(&mut World<'_>),
    /// What the refusal says.
    says: &'static str,
}

impl Bound {
    fn call(&self, dir: &Path) -> Value {
        let command = self.command.replace("DIR", dir.to_str().unwrap());
        json!({"tool": "exec", "arguments": {"command": command}, "cwd": dir})
    }
}

/// What a change can reach.
struct World<'a> {
    dir: &'a Path,
    human: &'a mut Client,
}

impl World<'_> {
    fn policy(&mut self, toml: &str) {
        self.human.ok("policy.activate", json!({"toml": toml, "note": "stricter"}));
    }
}

const BOUND: &[Bound] = &[
    Bound {
        what: "a script",
        command: "sh ./deploy.sh > notes",
        change: |world| fs::write(world.dir.join("deploy.sh"), "rm -rf ~\n").unwrap(),
        says: "was changed",
    },
    Bound {
        what: "a script that is gone",
        command: "sh ./deploy.sh > notes",
        change: |world| fs::remove_file(world.dir.join("deploy.sh")).unwrap(),
        says: "was changed",
    },
    Bound {
        what: "where a link to a script leads",
        command: "sh ./linked.sh > notes",
        change: |world| relink(world.dir, "linked.sh", "same.sh"),
        says: "leads elsewhere",
    },
    Bound {
        what: "where a link to a folder leads",
        command: "rm -r ./out/old",
        change: |world| relink(world.dir, "out", "/tmp"),
        says: "leads elsewhere",
    },
    Bound {
        what: "a path that becomes a link",
        command: "rm -r ./build",
        change: |world| symlink("/tmp", world.dir.join("build")).unwrap(),
        says: "leads elsewhere",
    },
    Bound {
        what: "a program of the workspace",
        command: "./tool --all > /srv/notes",
        change: |world| write_program(world.dir, "#!/bin/sh\nrm -rf ~\n"),
        says: "was changed",
    },
    Bound {
        what: "a program by its whole path",
        command: "DIR/tool --all",
        change: |world| write_program(world.dir, "#!/bin/sh\nrm -rf ~\n"),
        says: "was changed",
    },
    Bound {
        what: "a program behind a wrapper",
        command: "timeout 5 DIR/tool --all",
        change: |world| write_program(world.dir, "#!/bin/sh\nrm -rf ~\n"),
        says: "was changed",
    },
    Bound {
        what: "a folder in a line that can't be followed",
        command: "for f in $(cat list); do rm -r ./out/$f ./out/x; done",
        change: |world| relink(world.dir, "out", "/tmp"),
        says: "leads elsewhere",
    },
    Bound {
        what: "a policy that denies it",
        command: "git push --force origin x",
        change: |world| {
            world.policy(
                "[[rule]]\nname = \"no\"\nthen = \"deny\"\ncommand = [\"git\", \"push\"]\n",
            );
        },
        says: "denied",
    },
    Bound {
        what: "a policy that rates it higher",
        command: "touch a.md",
        change: |world| {
            let raise = "[[rule]]\nname = \"up\"\nthen = \"red\"\ncommand = [\"touch\"]\n";
            world.policy(raise);
        },
        says: "more dangerous",
    },
    Bound {
        what: "a policy that wants two persons",
        command: "rm -rf x",
        change: |world| world.policy("[approvals]\nred_needs = 2\n"),
        says: "2 persons",
    },
];

fn relink(dir: &Path, name: &str, to: &str) {
    fs::remove_file(dir.join(name)).unwrap();
    symlink(to, dir.join(name)).unwrap();
}

fn write_program(dir: &Path, text: &str) {
    let tool = dir.join("tool");
    fs::write(&tool, text).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
}

fn lay(dir: &Path) {
    fs::write(dir.join("deploy.sh"), "echo harmless\n").unwrap();
    fs::write(dir.join("same.sh"), "echo harmless\n").unwrap();
    symlink("deploy.sh", dir.join("linked.sh")).unwrap();
    fs::create_dir(dir.join("kept")).unwrap();
    symlink("kept", dir.join("out")).unwrap();
    write_program(dir, "#!/bin/sh\necho harmless\n");
}

#[test]
fn each_bound_thing_that_changes_alone_voids_the_yes() {
    for bound in BOUND {
        let dir = tempfile::tempdir().unwrap();
        lay(dir.path());
        let squad = squad_at(dir.path());
        let (mut wren, mut human) = (squad.agent("wren"), squad.human());
        let call = bound.call(dir.path());
        // Unchanged it runs: the case is about the change and nothing else.
        let unchanged = ask(&mut wren, call.clone());
        approve(&mut human, &unchanged);
        let ran = wren.ok("tool.await", json!({"approval": unchanged}));
        assert_eq!(ran["decision"], "allow", "{}: {ran}", bound.what);

        let by_wait = ask(&mut wren, call.clone());
        approve(&mut human, &by_wait);
        (bound.change)(&mut World { dir: dir.path(), human: &mut human });
        let told = wren.ok("tool.await", json!({"approval": by_wait}));
        assert_eq!(told["decision"], "deny", "{}: {told}", bound.what);
        let reason = told["reason"].as_str().unwrap();
        assert!(reason.contains(bound.says), "{}: {reason}", bound.what);
        let gone = human.ok("approval.get", json!({"approval": by_wait}));
        assert_eq!(gone["status"], "canceled", "{}: {gone}", bound.what);
        let again = wren.ok("tool.check", call);
        assert_ne!(again["decision"], "allow", "{}: {again}", bound.what);
    }
}

#[test]
fn a_repeated_call_finds_the_change_too() {
    for bound in BOUND {
        let dir = tempfile::tempdir().unwrap();
        lay(dir.path());
        let squad = squad_at(dir.path());
        let (mut wren, mut human) = (squad.agent("wren"), squad.human());
        let call = bound.call(dir.path());
        let id = ask(&mut wren, call.clone());
        approve(&mut human, &id);
        (bound.change)(&mut World { dir: dir.path(), human: &mut human });
        let again = wren.ok("tool.check", call);
        assert_ne!(again["decision"], "allow", "{}: {again}", bound.what);
        assert_ne!(again["approval"], id.as_str(), "{}: {again}", bound.what);
        let gone = human.ok("approval.get", json!({"approval": id}));
        assert_eq!(gone["status"], "canceled", "{}: {gone}", bound.what);
    }
}

/// Stops the work for a moment.
type Cut = fn(&mut Squad, &mut Client);

fn agent(verb: &str) -> impl Fn(&mut Client) {
    move |human| {
        human.ok(&format!("agent.{verb}"), json!({"agent": "wren", "reason": "drill"}));
        human.ok("agent.resume", json!({"agent": "wren", "reason": "over"}));
    }
}

fn stop(human: &mut Client) {
    human.ok("squad.emergency_stop", json!({"reason": "drill"}));
    until("the stop is recorded", PATIENCE, || {
        human.call("squad.emergency_resume", json!({"reason": "over"})).ok()
    });
}

const CUTS: &[(&str, Cut)] = &[
    ("emergency stop", |_, human| stop(human)),
    ("pause of the agent", |_, human| agent("pause")(human)),
    ("quarantine", |_, human| agent("quarantine")(human)),
    ("pause of the squad", |_, human| {
        human.ok("squad.pause", json!({"reason": "drill"}));
        human.ok("squad.resume", json!({"reason": "over"}));
    }),
    ("restart", |squad, human| {
        squad.kill();
        squad.start();
        *human = squad.human();
    }),
];

#[test]
fn a_lease_ends_with_every_stop() {
    for (what, cut) in CUTS {
        let mut squad = squad_without_limits();
        let (mut wren, mut human) = (squad.agent("wren"), squad.human());
        let checked = wren.ok("tool.check", shell("ship"));
        let wait = json!({"approval": checked["approval"], "call": checked["call"]});
        approve(&mut human, checked["approval"].as_str().unwrap());
        let lease = |wren: &mut Client| wren.ok("tool.await", wait.clone())["decision"].clone();
        assert_eq!(lease(&mut wren), "allow", "{what}");
        assert_eq!(lease(&mut wren), "allow", "{what}: the first answer may have been lost");
        cut(&mut squad, &mut human);
        let mut wren = squad.agent("wren");
        assert_eq!(lease(&mut wren), "deny", "{what}: the lease is void");
        assert_eq!(wren.ok("tool.check", shell("ship"))["decision"], "ask", "{what}: asked anew");
    }
}

#[test]
fn what_was_granted_and_not_used_ends_with_every_stop_of_its_agent() {
    for (what, cut) in
        CUTS.iter().filter(|(what, _)| !["restart", "pause of the squad"].contains(what))
    {
        let mut squad = squad_without_limits();
        let (mut wren, mut human) = (squad.agent("wren"), squad.human());
        let id = ask(&mut wren, shell("ship"));
        approve(&mut human, &id);
        cut(&mut squad, &mut human);
        let gone = human.ok("approval.get", json!({"approval": id}));
        assert_eq!(gone["status"], "canceled", "{what}: {gone}");
        let mut wren = squad.agent("wren");
        assert_eq!(wren.ok("tool.check", shell("ship"))["decision"], "ask", "{what}");
    }
}

#[test]
fn a_second_person_makes_two() {
    const BEN: u32 = 4243;
    if !rustix::process::geteuid().is_root() {
        mc_tests::say("not root: the second person is not tried");
        return;
    }
    let mut setup = Setup { policy: "[approvals]\nred_needs = 2\n".into(), ..Setup::default() };
    setup.operators.push(mc_tests::Operator { name: "ben".into(), uid: BEN, role: "operator" });
    let mut squad = Squad::new(&setup);
    squad.specialist("wren");
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let id = ask(&mut wren, shell("rm -rf x"));
    approve(&mut human, &id);
    squad.open_doors();
    let frame = |id: i64, method: &str, params: Value| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    let hello = json!({"protocol": 1, "client": {"name": "test", "version": "1"}});
    let asks = [
        frame(0, "session.hello", hello),
        frame(1, "session.unlock", json!({"passphrase": mc_tests::PASSPHRASE})),
        frame(2, "approval.approve", mc_tests::asking::verdict(&mut human, &id)),
    ];
    let said = squad.as_user(BEN, &squad.home().operator_socket(), &asks);
    let approval = said.last().and_then(|last| last.pointer("/result/approval")).cloned();
    let approval = approval.unwrap_or_default();
    assert_eq!((&approval["status"], &approval["decided_by"]), (&json!("approved"), &json!("ben")));
    assert_eq!(wren.ok("tool.check", shell("rm -rf x"))["decision"], "allow");
}

#[test]
fn the_hold_of_a_scope_counts_for_its_agents() {
    let policy = "[approvals]\nhold = \"4m\"\n[agent.wren.approvals]\nhold = \"1s\"\n".to_owned();
    let mut squad = Squad::new(&Setup { policy, ..Setup::default() });
    squad.specialist("wren");
    squad.specialist("crow");
    let mut human = squad.human();
    let mut told = |name: &str| {
        let mut agent = squad.agent(name);
        let checked = agent.ok("tool.check", shell("ship"));
        let id = checked["approval"].as_str().unwrap().to_owned();
        let asked = human.ok("approval.get", json!({"approval": id}));
        let seconds = |at: &Value| -> i64 {
            let at = at.as_str().unwrap();
            let (minutes, rest) = (&at[14..16], &at[17..19]);
            minutes.parse::<i64>().unwrap() * 60 + rest.parse::<i64>().unwrap()
        };
        let held = seconds(&checked["hold_until"]) - seconds(&asked["asked_at"]);
        // Once the hold is over, whose call it was is told; before, the runtime itself still waits.
        if name == "wren" {
            std::thread::sleep(std::time::Duration::from_millis(1100));
        }
        approve(&mut human, &id);
        let waiting = agent.ok("agent.heartbeat", json!({}));
        (held.rem_euclid(3600), waiting["notifications"].to_string().contains(&id))
    };
    assert_eq!(told("wren"), (1, true));
    assert_eq!(told("crow"), (240, false));
}
