//! Who governs: read again while the daemon runs, changed by root alone, and in the record; what
//! was taken away is gone at once.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::{fs::MetadataExt as _, fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use mc_tests::{Client, Operator, PASSPHRASE, PATIENCE, Setup, Squad, is_root, program, until};
use serde_json::{Value, json};

fn file(squad: &Squad) -> PathBuf {
    squad.home().config.join("identity.toml")
}

/// Changes `identity.toml` as `mcctl` does: whole, and in its place.
fn change(squad: &Squad, edit: impl Fn(String) -> String) {
    let path = file(squad);
    let text = fs::read_to_string(&path).unwrap();
    let beside = path.with_extension("new");
    let changed = edit(text.clone());
    assert_ne!(text, changed, "nothing is changed");
    fs::write(&beside, changed).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(beside, path).unwrap();
}

/// Waits for the event that tells of a change, and returns what it says.
fn told(squad: &Squad, what: &str) -> Value {
    let mut client = squad.operator();
    until(what, PATIENCE, || {
        let rows = client.ok("audit.export", json!({"limit": 200}));
        let rows = rows["items"].as_array().unwrap().clone();
        rows.into_iter().find(|row| {
            row["event"]["kind"] == "operators_changed" && row.to_string().contains(what)
        })
    })
}

#[test]
fn the_record_begins_with_who_governs_and_tells_every_change_without_secrets() {
    let squad = Squad::default();
    let first = told(&squad, "ana was added: admin");
    assert_eq!(first["actor"]["kind"], "system");
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(first["event"]["by_uid"], own);
    change(&squad, |text| {
        text.replace(
            "role = \"admin\"",
            "role = \"admin\"\ntotp = \"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\"",
        )
    });
    told(&squad, "ana: authenticator set");
    change(&squad, |text| text.replace("uids = [", "uids = [64321, "));
    told(&squad, "agents run as 64321");
    let all = squad.operator().ok("audit.export", json!({"limit": 200})).to_string();
    assert!(!all.contains("argon2id") && !all.contains("GEZDGNBV"), "a secret is in the record");
}

#[test]
fn a_change_while_the_daemon_was_away_is_told_at_the_next_start() {
    let mut squad = Squad::default();
    squad.kill();
    change(&squad, |text| text.replace("name = \"ana\"", "name = \"ada\""));
    squad.start();
    let row = told(&squad, "ada was added");
    assert!(row.to_string().contains("ana was removed"), "{row}");
}

#[test]
fn who_was_removed_is_out_at_once_with_the_feed() {
    let squad = Squad::default();
    let mut human = squad.human();
    human.ok("feed.subscribe", json!({}));
    change(&squad, |text| text.replace("name = \"ana\"", "name = \"ben\""));
    let last = human.closed(PATIENCE).unwrap();
    assert!(last["error"]["message"].as_str().unwrap().contains("no longer an operator"), "{last}");
    assert_eq!(squad.operator().ok("session.whoami", json!({}))["name"], "ben");
}

#[test]
fn a_lower_role_and_a_new_passphrase_hold_for_connections_that_are_open() {
    let squad = Squad::default();
    let mut human = squad.human();
    let create = json!({"title": "x", "type": "docs"});
    human.ok("task.create", create.clone());
    change(&squad, |text| text.replace("role = \"admin\"", "role = \"viewer\""));
    told(&squad, "ana is viewer instead of admin");
    let refused = human.refused("task.create", create.clone());
    assert!(refused.message.contains("role"), "{refused:?}");
    change(&squad, |text| text.replace("role = \"viewer\"", "role = \"admin\""));
    told(&squad, "ana is admin instead of viewer");
    human.ok("task.create", create.clone());
    // The same passphrase with another salt is another hash: a reset all the same.
    let again = "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZA$gLHIkr1qgP4r3sH1P/NIg3+PMckaLQ3RkuIiytJhVlY";
    change(&squad, |text| {
        let line = text.lines().find(|line| line.starts_with("passphrase")).unwrap().to_owned();
        text.replace(&line, &format!("passphrase = \"{again}\""))
    });
    told(&squad, "ana: passphrase changed");
    assert_eq!(human.ok("session.whoami", json!({}))["level"], "L0");
    assert_eq!(human.refused("task.create", create).kind, "forbidden");
}

#[test]
fn agents_whose_user_was_taken_out_are_cut_and_kept_out() {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let mut wren = squad.agent("wren");
    wren.ok("ping", json!({}));
    change(&squad, |text| {
        let line = text.lines().find(|line| line.starts_with("uids")).unwrap().to_owned();
        text.replace(&line, "uids = [64321]")
    });
    wren.closed(PATIENCE);
    let socket = squad.home().agent_socket();
    let again = Client::hello(&socket, Some("wren"), Some(squad.token("wren"))).unwrap_err();
    assert!(["unauthorized", "lost"].contains(&again.kind.as_str()), "{again:?}");
    // The operator's uid is no agent's any more, so the passphrase proves more.
    let mut human = squad.operator();
    assert_eq!(human.unlock(PASSPHRASE)["level"], "L2");
}

#[test]
fn a_file_that_is_wrong_changes_nothing_and_is_shown() {
    let squad = Squad::default();
    let mut human = squad.human();
    let part = |human: &mut Client| {
        let health = human.ok("admin.health", json!({}));
        let parts = health["parts"].as_array().unwrap().clone();
        parts.into_iter().find(|part| part["name"] == "identity").unwrap()
    };
    assert_eq!(part(&mut human)["healthy"], true);
    let good = fs::read_to_string(file(&squad)).unwrap();
    let wrong = ["mode = \"system\"", "mode = \"single_user\"\nrole = 1", "mode = "];
    for text in wrong {
        change(&squad, |_| good.replace("mode = \"single_user\"", text));
        let seen = until("it is shown", PATIENCE, || {
            let seen = part(&mut human);
            (seen["healthy"] == false).then_some(seen)
        });
        assert!(seen["detail"].as_str().unwrap().contains("identity.toml"), "{seen}");
        human.ok("task.create", json!({"title": "x", "type": "docs"}));
        change(&squad, |_| good.clone());
        until("it is well", PATIENCE, || (part(&mut human)["healthy"] == true).then_some(()));
    }
    let keys = squad.home().config.join("allowed_signers");
    fs::write(&keys, "ana cert-authority ssh-ed25519 AAAA\n").unwrap();
    let seen = until("it is shown", PATIENCE, || {
        let seen = part(&mut human);
        (seen["healthy"] == false).then_some(seen)
    });
    let detail = seen["detail"].as_str().unwrap();
    assert!(detail.contains("allowed_signers:1") && detail.contains("cert-authority"), "{seen}");
}

#[test]
fn nothing_of_the_squad_is_open_to_others() {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let home = squad.home();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    for dir in [&home.config, &home.state, &home.run] {
        assert_eq!(mode(dir), 0o700, "{}", dir.display());
    }
    for socket in [home.agent_socket(), home.operator_socket()] {
        assert_eq!(mode(&socket), 0o600, "{}", socket.display());
        assert_eq!(mode(socket.parent().unwrap()), 0o700);
    }
    squad.operator().refused("session.unlock", json!({"passphrase": "guess"}));
    let mut seen = 0;
    for entry in fs::read_dir(&home.state).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 4, "database, lock, halt and guesses: {seen}");
}

#[test]
fn a_service_opens_its_sockets_to_groups_and_its_halt_file_to_readers_alone() {
    let squad = Squad::new(&Setup { mode: "system", agent_uids: vec![64_010], ..Setup::default() });
    let home = squad.home();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    for socket in [home.agent_socket(), home.operator_socket()] {
        assert_eq!(mode(&socket), 0o660, "{}", socket.display());
        assert_eq!(mode(socket.parent().unwrap()), 0o750);
    }
    assert_eq!(mode(&home.state), 0o711);
    for entry in fs::read_dir(&home.state).unwrap() {
        let path = entry.unwrap().path();
        let expected = if path == home.halt_file() { 0o644 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

#[test]
fn guesses_are_counted_over_a_restart() {
    let mut squad = Squad::default();
    let wrong = json!({"passphrase": "guess"});
    let first = squad.operator().refused("session.unlock", wrong.clone());
    let wait = first.data["retry_after_ms"].as_u64().unwrap();
    assert!(wait <= 1000, "{first:?}");
    std::thread::sleep(Duration::from_millis(wait + 20));
    let second = squad.operator().refused("session.unlock", wrong);
    assert_eq!(second.kind, "forbidden");
    squad.kill();
    squad.start();
    let right = squad.operator().refused("session.unlock", json!({"passphrase": PASSPHRASE}));
    assert_eq!(right.kind, "rate_limited", "also the right one: {right:?}");
}

const OTHER: u32 = 65_002;

/// A squad as a service has it, whose second operator is another user.
fn service() -> Squad {
    let person = |name: &str, uid, role| Operator { name: name.into(), uid, role };
    let operators = vec![person("ana", 0, "admin"), person("olga", OTHER, "operator")];
    let setup = Setup { mode: "system", operators, agent_uids: vec![65_010], ..Setup::default() };
    let squad = Squad::new(&setup);
    squad.open_doors();
    squad
}

#[test]
fn one_operators_guesses_don_t_keep_another_waiting() {
    if !is_root("one_operators_guesses_don_t_keep_another_waiting") {
        return;
    }
    let squad = service();
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "session.hello",
        "params": {"protocol": 1, "client": {"name": "test", "version": "1"}}});
    let unlock = |id: i64, text: &str| {
        json!({"jsonrpc": "2.0", "id": id, "method": "session.unlock",
            "params": {"passphrase": text}})
    };
    let frames = [hello, unlock(1, "guess"), unlock(2, PASSPHRASE)];
    let said = squad.as_user(OTHER, &squad.home().operator_socket(), &frames);
    let kinds: Vec<&Value> = said.iter().map(|one| &one["error"]["data"]["kind"]).collect();
    assert_eq!(kinds[1..], [&json!("forbidden"), &json!("rate_limited")], "{said:?}");
    assert_eq!(squad.operator().unlock(PASSPHRASE)["level"], "L2");
}

#[test]
fn only_root_says_who_governs_a_service() {
    if !is_root("only_root_says_who_governs_a_service") {
        return;
    }
    let squad = service();
    let passphrase = squad.dir().join("passphrase");
    fs::write(&passphrase, "four words are better").unwrap();
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
    let own = tempfile::tempdir().unwrap();
    fs::set_permissions(own.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = own.path().join("mcctl");
    fs::copy(program("mcctl"), &copy).unwrap();
    let run = |uid: u32, words: &[&str]| {
        let mut command = Command::new(&copy);
        command.arg("--home").arg(squad.dir()).arg("--passphrase-file").arg(&passphrase);
        command.args(words).uid(uid).gid(uid).env_remove("MC_AGENT");
        let done = command.output().unwrap();
        (done.status.success(), String::from_utf8(done.stderr).unwrap())
    };
    // Even who can read the file can't change it, and nobody else gets that far.
    let config = squad.home().config;
    fs::set_permissions(&config, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(file(&squad), fs::Permissions::from_mode(0o644)).unwrap();
    let before = fs::read(file(&squad)).unwrap();
    let verbs: [&[&str]; 5] = [
        &["operator", "add", "eve", "--uid", "65003", "--role", "admin"],
        &["operator", "remove", "olga"],
        &["operator", "reset", "olga"],
        &["operator", "totp", "olga"],
        &["operator", "key", "add", "olga", "x.pub"],
    ];
    for verb in verbs {
        let (done, said) = run(OTHER, verb);
        assert!(!done && said.contains("only root"), "{verb:?}: {said}");
        assert_eq!(fs::read(file(&squad)).unwrap(), before, "{verb:?}");
    }
    fs::set_permissions(&config, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(file(&squad), fs::Permissions::from_mode(0o600)).unwrap();
    let (done, said) = run(0, verbs[0]);
    assert!(done, "{said}");
    told(&squad, "eve was added: admin, uid 65003");
    let (done, said) = run(0, &["operator", "remove", "eve"]);
    assert!(done, "{said}");
    told(&squad, "eve was removed");
}
