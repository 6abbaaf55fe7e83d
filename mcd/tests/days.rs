//! The budget day of a whole daemon: clocks that are set, restarts, boots of the machine.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use mc_core::time::Timestamp;
use mc_proto::home::Home;
use mcd::{
    clock::Clock,
    daemon::{Daemon, DaemonConfig, Host},
};
use serde_json::Value;

const HOUR: i64 = 3_600_000;

/// The wall clock, the one that never jumps, and the boot that it belongs to.
#[derive(Debug)]
struct Clocks {
    wall: AtomicI64,
    elapsed: AtomicI64,
    boot: Mutex<String>,
}

impl Clock for Clocks {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::SeqCst))
    }

    fn elapsed_ms(&self) -> i64 {
        self.elapsed.load(Ordering::SeqCst)
    }

    fn boot(&self) -> String {
        self.boot.lock().unwrap().clone()
    }
}

/// A squad whose daemon comes and goes.
struct Squad {
    home: Home,
    clocks: Arc<Clocks>,
    daemon: Option<Daemon>,
    _dir: tempfile::TempDir,
}

impl Squad {
    /// A squad whose daemon starts at a moment of its zone.
    fn at(local: &str, zone: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::under(dir.path());
        fs::create_dir_all(&home.config).unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let identity = format!(
            "mode = \"single_user\"\n[[operator]]\nname = \"ana\"\nuid = {uid}\nrole = \"admin\"\n\
             [agents]\nuids = [{uid}]\n"
        );
        for (name, text) in
            [("identity.toml", identity), ("config.toml", format!("time_zone = \"{zone}\"\n"))]
        {
            let path = home.config.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let at: jiff::civil::DateTime = local.parse().unwrap();
        let wall = at.in_tz(zone).unwrap().timestamp().as_millisecond();
        let clocks = Clocks {
            wall: AtomicI64::new(wall),
            elapsed: AtomicI64::new(9 * HOUR),
            boot: Mutex::new("first".to_owned()),
        };
        let mut squad = Self { home, clocks: Arc::new(clocks), daemon: None, _dir: dir };
        squad.start();
        squad
    }

    fn start(&mut self) {
        let clock: Arc<dyn Clock> = self.clocks.clone();
        let setup = DaemonConfig { home: self.home.clone(), clock, host: Host::Guest };
        self.daemon = Some(Daemon::start(setup).unwrap());
    }

    fn day(&self) -> String {
        self.daemon.as_ref().unwrap().live().day()
    }

    /// Waits until the record says that budgets count `day`.
    fn keeps(&self, day: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let db = rusqlite::Connection::open(self.home.database()).unwrap();
            let body = db.query_row("SELECT body FROM budget_day", [], |row| row.get(0));
            let kept =
                body.map_or(Value::Null, |text: String| serde_json::from_str(&text).unwrap());
            if kept["day"] == day {
                return;
            }
            assert!(Instant::now() < deadline, "{kept}, not {day}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn pass(&self, ms: i64) {
        self.clocks.elapsed.fetch_add(ms, Ordering::SeqCst);
        self.set_clock(ms);
    }

    fn set_clock(&self, by_ms: i64) {
        self.clocks.wall.fetch_add(by_ms, Ordering::SeqCst);
    }

    fn restart(&mut self) -> String {
        self.daemon.take().unwrap().stop();
        self.start();
        self.day()
    }
}

#[test]
fn a_clock_that_is_set_forward_opens_no_day_early_by_a_restart_either() {
    let mut squad = Squad::at("2026-11-25T12:00", "Europe/Berlin");
    squad.keeps("2026-11-25");
    squad.set_clock(24 * HOUR);
    assert_eq!(squad.restart(), "2026-11-25");
    squad.pass(7 * HOUR);
    assert_eq!(squad.restart(), "2026-11-25", "19 hours old");
    squad.set_clock(-24 * HOUR);
    squad.pass(5 * HOUR);
    squad.keeps("2026-11-26");
    assert_eq!(squad.restart(), "2026-11-26");
}

#[test]
fn a_clock_that_is_set_back_opens_no_day_again_though_nothing_was_spent_on_the_new_one() {
    let mut squad = Squad::at("2026-11-25T23:00", "America/Havana");
    squad.keeps("2026-11-25");
    squad.pass(HOUR);
    squad.keeps("2026-11-26");
    squad.set_clock(-2 * HOUR);
    assert_eq!(squad.restart(), "2026-11-26");
    *squad.clocks.boot.lock().unwrap() = "second".to_owned();
    squad.clocks.elapsed.store(HOUR, Ordering::SeqCst);
    squad.set_clock(-48 * HOUR);
    assert_eq!(squad.restart(), "2026-11-26", "nor by a boot");
}

#[test]
fn a_daemon_that_was_away_opens_the_day_that_it_is_also_after_a_boot() {
    let mut squad = Squad::at("2026-04-23T23:59", "Africa/Cairo");
    squad.keeps("2026-04-23");
    squad.pass(60_000);
    squad.keeps("2026-04-24");
    squad.pass(48 * HOUR);
    assert_eq!(squad.restart(), "2026-04-26");
    squad.keeps("2026-04-26");
    *squad.clocks.boot.lock().unwrap() = "second".to_owned();
    squad.clocks.elapsed.store(60_000, Ordering::SeqCst);
    squad.set_clock(72 * HOUR);
    assert_eq!(squad.restart(), "2026-04-29");
}
