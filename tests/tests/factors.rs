//! Second factors over the wire, with signatures that `ssh-keygen` makes: each is for one request
//! of one connection, bound to what is decided, and whatever differs is refused.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use mc_tests::{Client, PASSPHRASE, PATIENCE, Setup, Squad, code, program, until};
use serde_json::{Value, json};

const NAMESPACE: &str = "mc-approval@v1";

/// A pair of keys in the squad's folder.
struct Key {
    path: PathBuf,
    public: String,
}

impl Key {
    fn new(squad: &Squad, name: &str, kind: &[&str]) -> Self {
        let path = squad.dir().join(name);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-N", "", "-C", name]).args(kind).arg("-f").arg(&path);
        assert!(keygen.status().unwrap().success(), "{kind:?}");
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        Self { path, public }
    }

    fn sign(&self, namespace: &str, text: &str) -> String {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(&self.path);
        let keygen = keygen.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = keygen.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }
}

/// Says which keys sign, and waits until the daemon knows; `factors` is what it then tells.
fn allow(squad: &Squad, lines: &str, factors: &[&str]) {
    fs::write(squad.home().config.join("allowed_signers"), lines).unwrap();
    let mut human = squad.operator();
    let expected = json!(factors);
    until("the keys are known", PATIENCE, || {
        let me = human.ok("session.whoami", json!({}));
        let known = me.get("factors").cloned().unwrap_or_else(|| json!([]));
        (known == expected).then_some(())
    });
}

/// A squad of one user who needs a second factor to pause and to create tasks.
fn squad() -> Squad {
    let policy = "[levels]\npause = \"L3\"\nassign = \"L3\"\n".to_owned();
    let mut squad = Squad::new(&Setup { policy, ..Setup::default() });
    squad.specialist("wren");
    squad
}

fn pause(reason: &str) -> Value {
    json!({"agent": "wren", "reason": reason})
}

fn open(human: &mut Client, method: &str, params: &Value) -> (Value, String) {
    let open = human.ok("session.challenge", json!({"method": method, "params": params}));
    (open["challenge"].clone(), open["text"].as_str().unwrap().to_owned())
}

fn signed(params: &Value, challenge: &Value, signature: &str) -> Value {
    let mut params = params.clone();
    params["second_factor"] = json!({"challenge": challenge, "signature": signature});
    params
}

#[test]
fn every_kind_of_key_signs_and_each_signature_once() {
    let squad = squad();
    let kinds: [(&str, &[&str]); 5] = [
        ("ed25519", &["-t", "ed25519"]),
        ("p256", &["-t", "ecdsa", "-b", "256"]),
        ("p384", &["-t", "ecdsa", "-b", "384"]),
        ("p521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
    ];
    let keys = kinds.map(|(name, kind)| Key::new(&squad, name, kind));
    let lines: Vec<String> = keys.iter().map(|key| format!("ana {}", key.public)).collect();
    allow(&squad, &lines.concat(), &["signature"]);
    let mut human = squad.human();
    for (at, key) in keys.iter().enumerate() {
        let params = json!({"title": format!("with key {at}"), "type": "docs"});
        assert!(human.refused("task.create", params.clone()).message.contains("second factor"));
        let (challenge, text) = open(&mut human, "task.create", &params);
        // A newline at the end is what an editor adds.
        let text = if at % 2 == 0 { text } else { format!("{text}\n") };
        let given = signed(&params, &challenge, &key.sign(NAMESPACE, &text));
        human.ok("task.create", given.clone());
        let again = human.refused("task.create", given);
        assert!(again.message.contains("not open"), "{again:?}");
    }
}

#[test]
fn a_signature_counts_for_exactly_what_was_read() {
    let mut squad = squad();
    squad.specialist("crow");
    for name in ["wren", "crow"] {
        let check = json!({"tool": "exec", "arguments": {"command": "ship"}, "session": "s"});
        assert_eq!(squad.agent(name).ok("tool.check", check)["decision"], "ask");
    }
    let own = Key::new(&squad, "own", &["-t", "ed25519"]);
    let foreign = Key::new(&squad, "foreign", &["-t", "ed25519"]);
    let bens = Key::new(&squad, "bens", &["-t", "ed25519"]);
    let gone = Key::new(&squad, "gone", &["-t", "ed25519"]);
    let git = Key::new(&squad, "git", &["-t", "ed25519"]);
    let lines = format!(
        "ana namespaces=\"{NAMESPACE}\" {}ben {}ana valid-before=\"20200101Z\" {}\
         ana namespaces=\"git\" {}",
        own.public, bens.public, gone.public, git.public
    );
    allow(&squad, &lines, &["signature"]);
    let mut human = squad.human();
    let yes = |human: &mut Client, approval: &str| {
        let detail = human.ok("approval.get", json!({"approval": approval}));
        json!({"approval": approval, "rev": detail["rev"], "digest": detail["digest"]})
    };
    let (first, second) = (yes(&mut human, "A-1"), yes(&mut human, "A-2"));
    let (challenge, text) = open(&mut human, "approval.approve", &first);
    let (other, other_text) = open(&mut human, "approval.approve", &second);
    let digest = first["digest"].as_str().unwrap();
    assert!(text.contains(&format!("\napproval: A-1\ndigest: {digest}\n")), "{text}");
    assert!(text.is_ascii() && text.contains("ship"), "{text}");
    let tampered = text.replace(digest, &"0".repeat(64));
    let remember = text.replace("approval.approve", "approval.deny");
    let good = own.sign(NAMESPACE, &text);
    let cases = [
        ("another digest", signed(&first, &challenge, &own.sign(NAMESPACE, &tampered)), "text"),
        ("another act", signed(&first, &challenge, &own.sign(NAMESPACE, &remember)), "text"),
        ("another approval", signed(&first, &challenge, &own.sign(NAMESPACE, &other_text)), "text"),
        ("lent", signed(&second, &challenge, &good), "another request"),
        ("moved", signed(&second, &other, &good), "text"),
        ("another namespace", signed(&first, &challenge, &own.sign("file", &text)), "namespace"),
        (
            "a foreign key",
            signed(&first, &challenge, &foreign.sign(NAMESPACE, &text)),
            "none of yours",
        ),
        (
            "another's key",
            signed(&first, &challenge, &bens.sign(NAMESPACE, &text)),
            "none of yours",
        ),
        ("an old key", signed(&first, &challenge, &gone.sign(NAMESPACE, &text)), "not good"),
        ("a key for git", signed(&first, &challenge, &git.sign(NAMESPACE, &text)), "not good"),
        ("garbage", signed(&first, &challenge, "garbage"), "no SSH signature"),
        ("half", signed(&first, &challenge, &good[..good.len() / 2]), "no SSH signature"),
        ("too long", signed(&first, &challenge, &good.repeat(100)), "no SSH signature"),
        ("unknown", signed(&first, &json!("0f"), &good), "not open"),
    ];
    for (what, params, expected) in cases {
        let refused = human.refused("approval.approve", params);
        assert!(refused.message.contains(expected), "{what}: {refused:?}");
        for approval in ["A-1", "A-2"] {
            let detail = human.ok("approval.get", json!({"approval": approval}));
            assert_eq!(
                (&detail["status"], &detail["rev"]),
                (&json!("pending"), &first["rev"]),
                "{what}"
            );
        }
    }
    let both = json!({"challenge": challenge, "signature": good, "totp": "000000"});
    let mut params = first.clone();
    params["second_factor"] = both;
    assert_eq!(human.refused("approval.approve", params).kind, "invalid_params");
    let elsewhere = squad.human().refused("approval.approve", signed(&first, &challenge, &good));
    assert!(elsewhere.message.contains("not open"), "{elsewhere:?}");
    let stale = json!({"method": "approval.approve", "params": {
        "approval": "A-1", "rev": first["rev"], "digest": "0".repeat(64)}});
    assert_eq!(human.refused("session.challenge", stale).kind, "conflict");

    let done = human.ok("approval.approve", signed(&first, &challenge, &good));
    assert!(done["event"].is_string(), "{done}");
    let again = human.refused("approval.approve", signed(&first, &challenge, &good));
    assert!(again.message.contains("not open"), "{again:?}");

    // The key goes while its signature is on its way.
    let late = own.sign(NAMESPACE, &other_text);
    allow(&squad, &format!("ben {}", foreign.public), &[]);
    let refused = human.refused("approval.approve", signed(&second, &other, &late));
    assert!(refused.message.contains("none of yours"), "{refused:?}");
    assert_eq!(human.ok("approval.get", json!({"approval": "A-2"}))["status"], "pending");
}

#[test]
fn a_code_is_for_one_request_and_taken_once_also_after_a_restart() {
    let policy = "[levels]\npause = \"L3\"\n".to_owned();
    let setup =
        Setup { policy: policy + "tokens = \"L1\"\n", has_factors: true, ..Setup::default() };
    let mut squad = Squad::new(&setup);
    squad.specialist("wren");
    let given = |params: &Value, challenge: &Value, code: &str| {
        let mut params = params.clone();
        params["second_factor"] = json!({"challenge": challenge, "totp": code});
        params
    };
    let mut human = squad.human();
    let (one, two) = (pause("one"), pause("two"));
    let (challenge, _) = open(&mut human, "agent.pause", &one);
    let code = code(0);
    let lent = human.refused("agent.pause", given(&two, &challenge, &code));
    assert!(lent.message.contains("another request"), "{lent:?}");
    human.ok("agent.pause", given(&one, &challenge, &code));
    squad.kill();
    squad.start();
    let mut human = squad.human();
    let (challenge, _) = open(&mut human, "agent.pause", &two);
    let used = human.refused("agent.pause", given(&two, &challenge, &code));
    assert!(used.message.contains("used already"), "{used:?}");
}

fn mcctl(squad: &Squad, words: &[&str]) -> Command {
    let passphrase = squad.dir().join("passphrase");
    fs::write(&passphrase, PASSPHRASE).unwrap();
    fs::set_permissions(&passphrase, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut command = Command::new(program("mcctl"));
    command.arg("--home").arg(squad.dir()).arg("--passphrase-file").arg(passphrase).args(words);
    command.env_remove("MC_AGENT").env_remove("MC_TOKEN_FILE").env_remove("MC_SOCKET");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(squad: &Squad, words: &[&str]) -> (bool, String) {
    let done = mcctl(squad, words).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn mcctl_enrols_a_key_and_signs_with_it_or_takes_a_signature() {
    let squad = squad();
    let check = json!({"tool": "exec", "arguments": {"command": "ship"}, "session": "s"});
    squad.agent("wren").ok("tool.check", check);
    let own = Key::new(&squad, "own", &["-t", "ed25519"]);
    let key = own.path.to_str().unwrap();
    let public = format!("{key}.pub");
    let (done, said) = run(&squad, &["operator", "key", "add", "nobody", &public]);
    assert!(!done && said.contains("no operator"), "{said}");
    let (done, said) = run(&squad, &["operator", "key", "add", "ana", key]);
    assert!(!done && said.contains("private key"), "{said}");
    let (done, said) = run(&squad, &["operator", "key", "add", "ana", &public]);
    assert!(done && said.contains("SHA256:"), "{said}");
    let (_, listed) = run(&squad, &["operator", "key", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let print = listed[0]["fingerprint"].as_str().unwrap().to_owned();
    until("the key is known", PATIENCE, || {
        let me = squad.operator().ok("session.whoami", json!({}));
        (me["factors"] == json!(["signature"])).then_some(())
    });

    let detail = squad.operator().ok("approval.get", json!({"approval": "A-1"}));
    let digest = detail["digest"].as_str().unwrap();
    let approve = ["approve", "A-1", "--yes", "--digest", digest];
    let (done, said) = run(&squad, &approve);
    assert!(!done && said.contains("--sign-key"), "{said}");
    let (done, said) = run(&squad, &[&approve[..], &["--sign-key", key]].concat());
    assert!(done && said.contains("approval: A-1"), "{said}");

    // The signature of another machine comes in a file, after the text was shown.
    let file = squad.dir().join("text.sig");
    let words =
        ["agent", "pause", "wren", "--reason", "tea", "--signature", file.to_str().unwrap()];
    let mut child = mcctl(&squad, &words).spawn().unwrap();
    let text = shown_text(&mut child);
    let beside = file.with_extension("new");
    fs::write(&beside, own.sign(NAMESPACE, &text)).unwrap();
    fs::rename(&beside, &file).unwrap();
    assert!(child.wait().unwrap().success());

    let (done, said) = run(&squad, &["operator", "key", "remove", "ana", &print]);
    assert!(done, "{said}");
    assert_eq!(fs::read_to_string(keys(&squad)).unwrap(), "");
}

fn keys(squad: &Squad) -> PathBuf {
    Path::new(&squad.home().config).join("allowed_signers")
}

/// Returns the lines to sign that a command shows on standard error.
fn shown_text(child: &mut std::process::Child) -> String {
    use std::io::BufRead as _;
    let mut lines = Vec::new();
    for line in std::io::BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        let is_last = line.starts_with("expires: ");
        if line.starts_with("Mission Control asks") || !lines.is_empty() {
            lines.push(line);
        }
        if is_last {
            break;
        }
    }
    lines.join("\n")
}
