//! How long proofs, tokens and challenges last, with the daemon in this process on a clock that
//! the test turns.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and its calls read well"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version, password_hash::SaltString};
use mc_core::time::Timestamp;
use mc_proto::home::Home;
use mcd::{
    clock::Clock,
    daemon::{Daemon, DaemonConfig, Host},
};
use serde_json::{Value, json};

const PASSPHRASE: &str = "open sesame";
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Two clocks: the wall's, and the one that never jumps.
#[derive(Debug)]
struct Dial {
    wall: AtomicI64,
    elapsed: AtomicI64,
}

impl Dial {
    fn turn(&self, by_ms: i64) {
        self.wall.fetch_add(by_ms, Ordering::SeqCst);
        self.elapsed.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for Dial {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::SeqCst))
    }

    fn elapsed_ms(&self) -> i64 {
        self.elapsed.load(Ordering::SeqCst)
    }

    fn boot(&self) -> String {
        "dial".to_owned()
    }
}

struct Squad {
    daemon: Daemon,
    clock: Arc<Dial>,
    home: Home,
    _dir: tempfile::TempDir,
}

impl Squad {
    /// A squad of one user with an authenticator; its pauses need a second factor.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::under(dir.path());
        fs::create_dir_all(&home.config).unwrap();
        let path = home.config.join("identity.toml");
        let params = Params::new(8, 1, 1, None).unwrap();
        let salt = SaltString::encode_b64(b"0123456789abcdef").unwrap();
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon.hash_password(PASSPHRASE.as_bytes(), &salt).unwrap();
        let uid = rustix::process::getuid().as_raw();
        let text = format!(
            "mode = \"single_user\"\n[[operator]]\nname = \"ada\"\nuid = {uid}\nrole = \"admin\"\n\
             passphrase = \"{hash}\"\ntotp = \"{SECRET}\"\n[agents]\nuids = [{uid}]\n"
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let policy = "[levels]\npause = \"L3\"\ntokens = \"L1\"\n";
        fs::write(home.config.join("policy.toml"), policy).unwrap();
        let clock = Arc::new(Dial {
            wall: AtomicI64::new(1_800_000_000_000),
            elapsed: AtomicI64::new(1_000_000),
        });
        let setup = DaemonConfig {
            home: home.clone(),
            clock: Arc::<Dial>::clone(&clock),
            host: Host::Guest,
        };
        let daemon = Daemon::start(setup).unwrap();
        Self { daemon, clock, home, _dir: dir }
    }

    fn operator(&self) -> Wire {
        Wire::hello(&self.home.operator_socket(), None).unwrap()
    }

    fn admin(&self) -> Wire {
        let mut wire = self.operator();
        wire.ok("session.unlock", json!({"passphrase": PASSPHRASE}));
        wire
    }

    fn code(&self) -> String {
        let secret = totp_rs::Secret::try_from_base32(SECRET).unwrap();
        let totp = totp_rs::Builder::new().with_secret(secret).with_digits(6).build().unwrap();
        totp.generate(u64::try_from(self.clock.now().0 / 1000).unwrap()).to_string()
    }
}

struct Wire(BufReader<UnixStream>);

impl Wire {
    fn hello(path: &Path, token: Option<&str>) -> Result<Self, Value> {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut wire = Self(BufReader::new(stream));
        let mut params = json!({"protocol": 1, "client": {"name": "test", "version": "1"}});
        if let Some(token) = token {
            params["token"] = token.into();
        }
        wire.call("session.hello", params)?;
        Ok(wire)
    }

    fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let frame = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.0.get_mut().write_all(format!("{frame}\n").as_bytes()).unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        if answer["error"].is_null() {
            Ok(answer["result"].take())
        } else {
            Err(answer["error"].take())
        }
    }

    fn ok(&mut self, method: &str, params: Value) -> Value {
        self.call(method, params).unwrap()
    }

    fn level(&mut self) -> String {
        self.ok("session.whoami", json!({}))["level"].as_str().unwrap().to_owned()
    }
}

fn kind(refused: &Value) -> &str {
    refused["data"]["kind"].as_str().unwrap()
}

fn create() -> Value {
    json!({"title": "x", "type": "docs"})
}

#[test]
fn a_proof_ends_after_fifteen_idle_minutes() {
    let squad = Squad::new();
    let mut human = squad.admin();
    assert_eq!(squad.operator().level(), "L0", "a proof belongs to its connection");
    squad.clock.turn(15 * MINUTE - 1);
    human.ok("task.create", create());
    squad.clock.turn(15 * MINUTE - 1);
    human.ok("task.create", create());
    squad.clock.turn(15 * MINUTE);
    assert_eq!(human.level(), "L0");
    assert_eq!(kind(&human.call("task.create", create()).unwrap_err()), "forbidden");
    squad.daemon.stop();
}

#[test]
fn a_proof_ends_after_eight_hours_however_busy() {
    let squad = Squad::new();
    let mut human = squad.admin();
    for _ in 0..48 {
        human.ok("task.create", create());
        squad.clock.turn(10 * MINUTE);
    }
    assert_eq!(human.level(), "L0", "eight hours are over");
    human.ok("session.unlock", json!({"passphrase": PASSPHRASE}));
    human.ok("session.lock", json!({}));
    assert_eq!(human.level(), "L0", "given up");
    squad.daemon.stop();
}

#[test]
fn a_clock_that_is_set_back_ends_every_proof_and_challenge() {
    let squad = Squad::new();
    let mut human = squad.admin();
    let pause = json!({"reason": "tea"});
    let asked = json!({"method": "squad.pause", "params": pause});
    let open = human.ok("session.challenge", asked)["challenge"].clone();
    squad.clock.wall.fetch_sub(HOUR, Ordering::SeqCst);
    let deadline = Instant::now() + Duration::from_secs(10);
    while human.level() != "L0" {
        assert!(Instant::now() < deadline, "the proof lasts");
        std::thread::yield_now();
    }
    human.ok("session.unlock", json!({"passphrase": PASSPHRASE}));
    let given =
        json!({"reason": "tea", "second_factor": {"challenge": open, "totp": squad.code()}});
    let refused = human.call("squad.pause", given).unwrap_err();
    assert!(refused["message"].as_str().unwrap().contains("not open"), "{refused}");
    squad.daemon.stop();
}

#[test]
fn a_challenge_lives_five_minutes_and_belongs_to_its_connection() {
    let squad = Squad::new();
    let mut human = squad.admin();
    let pause = json!({"reason": "tea"});
    let challenge = |human: &mut Wire| {
        let asked = json!({"method": "squad.pause", "params": pause});
        human.ok("session.challenge", asked)["challenge"].clone()
    };
    let give = |human: &mut Wire, open: &Value| {
        let factor = json!({"challenge": open, "totp": squad.code()});
        human.call("squad.pause", json!({"reason": "tea", "second_factor": factor}))
    };
    let old = challenge(&mut human);
    squad.clock.turn(5 * MINUTE);
    let refused = give(&mut human, &old).unwrap_err();
    assert!(refused["message"].as_str().unwrap().contains("not open"), "{refused}");
    let open = challenge(&mut human);
    let refused = give(&mut squad.admin(), &open).unwrap_err();
    assert!(refused["message"].as_str().unwrap().contains("not open"), "{refused}");
    squad.clock.turn(5 * MINUTE - 1);
    give(&mut human, &open).unwrap();
    squad.daemon.stop();
}

#[test]
fn a_rotated_token_lasts_ten_minutes_and_a_revoked_one_not_a_moment() {
    let squad = Squad::new();
    let mut human = squad.admin();
    let register = json!({"name": "wren", "autonomy": "specialist", "runtime": "openclaw"});
    let text = |token: &Value| token["token"].as_str().unwrap().to_owned();
    let old = text(&human.ok("agent.register", register));
    let socket = squad.home.agent_socket();
    let mut wren = Wire::hello(&socket, Some(&old)).unwrap();
    let new = text(&human.ok("agent.rotate_token", json!({"agent": "wren"})));
    squad.clock.turn(10 * MINUTE - 1000);
    wren.ok("ping", json!({}));
    Wire::hello(&socket, Some(&old)).unwrap();
    Wire::hello(&socket, Some(&new)).unwrap();
    squad.clock.turn(MINUTE + 2000);
    assert_eq!(kind(&wren.call("ping", json!({})).unwrap_err()), "unauthorized");
    assert_eq!(kind(&Wire::hello(&socket, Some(&old)).err().unwrap()), "unauthorized");
    let mut wren = Wire::hello(&socket, Some(&new)).unwrap();
    human.ok("agent.revoke_token", json!({"agent": "wren"}));
    assert_eq!(kind(&wren.call("ping", json!({})).unwrap_err()), "unauthorized");
    squad.daemon.stop();
}
