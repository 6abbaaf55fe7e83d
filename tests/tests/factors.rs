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

/// Two red calls that wait, the keys of different people, and who decides.
struct Waiting {
    squad: Squad,
    human: Client,
    /// ana's key, a stranger's, ben's, one of ana's that is over, one of ana's for git.
    keys: [Key; 5],
    /// The yes to A-1 and to A-2.
    yes: [Value; 2],
}

fn waiting() -> Waiting {
    let mut squad = squad();
    squad.specialist("crow");
    for name in ["wren", "crow"] {
        let check = json!({"tool": "exec", "arguments": {"command": "ship"}, "session": "s"});
        assert_eq!(squad.agent(name).ok("tool.check", check)["decision"], "ask");
    }
    let keys = ["own", "foreign", "bens", "gone", "git"];
    let keys = keys.map(|name| Key::new(&squad, name, &["-t", "ed25519"]));
    let [own, _, bens, gone, git] = keys.each_ref().map(|key| key.public.as_str());
    let lines = format!(
        "ana namespaces=\"{NAMESPACE}\" {own}ben {bens}ana valid-before=\"20200101Z\" {gone}\
         ana namespaces=\"git\" {git}"
    );
    allow(&squad, &lines, &["signature"]);
    let mut human = squad.human();
    let yes = ["A-1", "A-2"].map(|approval| {
        let detail = human.ok("approval.get", json!({"approval": approval}));
        json!({"approval": approval, "rev": detail["rev"], "digest": detail["digest"]})
    });
    Waiting { squad, human, keys, yes }
}

impl Waiting {
    /// Checks that nothing was decided.
    fn still_waits(&mut self, approval: &str, what: &str) {
        let detail = self.human.ok("approval.get", json!({"approval": approval}));
        assert_eq!((&detail["status"], &detail["rev"]), (&json!("pending"), &json!(1)), "{what}");
    }

    fn approve(&mut self, params: Value, what: &str, expected: &str) {
        let refused = self.human.refused("approval.approve", params);
        assert!(refused.message.contains(expected), "{what}: {refused:?}");
        self.still_waits("A-1", what);
        self.still_waits("A-2", what);
    }
}

#[test]
fn a_signature_counts_for_exactly_what_was_read() {
    let mut waiting = waiting();
    let [first, second] = waiting.yes.clone();
    let (challenge, text) = open(&mut waiting.human, "approval.approve", &first);
    let (other, other_text) = open(&mut waiting.human, "approval.approve", &second);
    let digest = first["digest"].as_str().unwrap();
    assert!(text.contains(&format!("\napproval: A-1\ndigest: {digest}\n")), "{text}");
    assert!(text.is_ascii() && text.contains("ship"), "{text}");
    let [own, foreign, bens, gone, git] = &waiting.keys;
    let by = |key: &Key, text: &str| key.sign(NAMESPACE, text);
    let tampered = by(own, &text.replace(digest, &"0".repeat(64)));
    let another_act = by(own, &text.replace("approval.approve", "approval.deny"));
    let good = by(own, &text);
    let none = "none of yours";
    let cases = [
        ("another digest", tampered, "text"),
        ("another act", another_act, "text"),
        ("another approval", by(own, &other_text), "text"),
        ("another namespace", own.sign("file", &text), "namespace"),
        ("a foreign key", by(foreign, &text), none),
        ("another's key", by(bens, &text), none),
        ("an old key", by(gone, &text), "not good"),
        ("a key for git", by(git, &text), "not good"),
        ("garbage", "garbage".to_owned(), "no SSH signature"),
        ("half", good[..good.len() / 2].to_owned(), "no SSH signature"),
        ("too long", good.repeat(100), "no SSH signature"),
    ];
    for (what, signature, expected) in cases {
        waiting.approve(signed(&first, &challenge, &signature), what, expected);
    }
    waiting.approve(signed(&second, &challenge, &good), "lent", "another request");
    waiting.approve(signed(&second, &other, &good), "moved", "text");
    waiting.approve(signed(&first, &json!("0f"), &good), "unknown", "not open");
    let mut both = signed(&first, &challenge, &good);
    both["second_factor"]["totp"] = "000000".into();
    waiting.approve(both, "both", "expected one of");

    let elsewhere =
        waiting.squad.human().refused("approval.approve", signed(&first, &challenge, &good));
    assert!(elsewhere.message.contains("not open"), "{elsewhere:?}");
    waiting.human.ok("approval.approve", signed(&first, &challenge, &good));
    let again = waiting.human.refused("approval.approve", signed(&first, &challenge, &good));
    assert!(again.message.contains("not open"), "{again:?}");
    waiting.still_waits("A-2", "replayed");
}

#[test]
fn a_key_that_goes_while_its_signature_is_on_its_way_signs_nothing() {
    let mut waiting = waiting();
    let [first, _] = waiting.yes.clone();
    let mut stale = first.clone();
    stale["digest"] = "0".repeat(64).into();
    let asked = json!({"method": "approval.approve", "params": stale});
    assert_eq!(waiting.human.refused("session.challenge", asked).kind, "conflict");
    let (challenge, text) = open(&mut waiting.human, "approval.approve", &first);
    let late = waiting.keys[0].sign(NAMESPACE, &text);
    allow(&waiting.squad, &format!("ben {}", waiting.keys[2].public), &[]);
    waiting.approve(signed(&first, &challenge, &late), "removed", "none of yours");
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
