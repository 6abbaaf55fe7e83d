//! A wall clock that is set while the daemon runs: no deadline comes nearer by it, and none gets
//! farther away.

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR_MS: i64 = 3_600_000;

impl Bench {
    fn minutes(&self, count: u32) {
        self.clock.advance(MINUTE * count);
        self.system(SystemCommand::Tick);
    }

    fn state(&self, task: &str) -> Value {
        self.human("task.get", json!({"task": task})).unwrap()["state"].clone()
    }

    fn status_of(&self, agent: &str) -> Value {
        self.human("agent.get", json!({"agent": agent})).unwrap()["status"].clone()
    }

    /// Returns a squad in which wren works on T-1 and has a sub-agent.
    fn with_child() -> Self {
        let bench = Self::with_agent();
        let set = json!({"agent": "wren", "rev": 1, "set": {"can_spawn": true}});
        bench.human("agent.update", set).unwrap();
        bench.started();
        let child = json!({"name": "chick", "autonomy": "specialist", "runtime": "openclaw",
            "purpose": "reads", "task": "T-1"});
        bench.agent("agent.register", child).unwrap();
        bench
    }

    fn heard(&self, status: &str) {
        self.agent("agent.heartbeat", json!({"status": status})).unwrap();
    }

    /// Tables made anew from the journal equal the written ones.
    fn proves_its_journal(self) {
        self.store.shutdown();
        let written = self.dump();
        mcd::store::rebuild(&self.path()).unwrap();
        assert_eq!(written, self.dump());
    }
}

#[test]
fn a_clock_that_is_set_forward_takes_nothing_from_who_is_there() {
    let bench = Bench::with_child();
    let run = bench.agent("run.start", json!({"session": "s", "task": "T-1"})).unwrap();
    for round in 0..7 {
        bench.heard("busy");
        bench.clock.set(round * HOUR_MS);
        bench.minutes(4);
        let heard = bench.human("agent.get", json!({"agent": "wren"})).unwrap();
        assert_eq!(heard["liveness"], "online", "round {round}");
    }
    assert_eq!(bench.state("T-1"), "in_progress");
    assert_eq!(bench.status_of("chick"), "active", "it has lived for 28 minutes");
    let run = bench.human("run.get", json!({"run": run["run"]})).unwrap();
    assert_eq!(run["status"], "running");
    assert_eq!(bench.open_alerts(), []);
    bench.heard("busy");
    bench.minutes(2);
    let silent = [("warning".to_owned(), "no_progress".to_owned())];
    assert_eq!(bench.open_alerts(), silent, "it did nothing for half an hour that passed");
    let events = bench.human("audit.export", json!({})).unwrap().to_string();
    assert_eq!(events.matches(r#""kind":"clock_jumped""#).count(), 6);
    bench.proves_its_journal();
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_alive() {
    let bench = Bench::with_child();
    bench.heard("busy");
    bench.minutes(20);
    bench.clock.set(-HOUR_MS);
    bench.minutes(9);
    assert_eq!(bench.state("T-1"), "in_progress");
    bench.minutes(1);
    assert_eq!(bench.state("T-1"), "blocked", "30 minutes passed");
    bench.minutes(329);
    assert_eq!(bench.status_of("chick"), "active");
    bench.minutes(1);
    assert_eq!(bench.status_of("chick"), "stopped", "6 hours passed");
    bench.proves_its_journal();
}

#[test]
fn a_lease_ends_with_a_clock_that_is_set_back_and_the_next_one_holds() {
    let (bench, run) = Bench::with_run();
    for act in ["agent.pause", "agent.resume"] {
        bench.human(act, json!({"agent": "wren", "reason": "x"})).unwrap();
        bench.clock.advance(Duration::from_secs(1));
    }
    let asked = bench.agent("tool.check", exec("ship")).unwrap()["approval"].clone();
    let seen = bench.human("approval.get", json!({"approval": asked})).unwrap();
    let yes = json!({"approval": asked, "rev": seen["rev"], "digest": seen["digest"]});
    bench.human("approval.approve", yes).unwrap();
    let first = bench.agent("tool.await", json!({"approval": asked})).unwrap();
    let again = || {
        let same = json!({"approval": asked, "call": first["call"]});
        bench.agent("tool.await", same).unwrap()["decision"].clone()
    };
    bench.allow(&run, "old", "pwd");
    assert_eq!(again(), "allow");
    bench.clock.set(-HOUR_MS);
    assert_eq!(again(), "deny");
    assert!(!bench.confirms(question("q-1", "old", "pwd")));
    bench.allow(&run, "new", "pwd");
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.confirms(question("q-2", "new", "pwd")), "it was allowed by the clock as it is");
    // The moment at which the lease began comes once more.
    bench.clock.advance(Duration::from_secs(3_599));
    assert_eq!(again(), "deny");
    assert!(!bench.confirms(question("q-3", "old", "pwd")));
}
