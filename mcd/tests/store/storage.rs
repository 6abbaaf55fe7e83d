//! What one agent may have stored on one day.

use mc_proto::error::ErrorKind;
use mcd::caller::SystemCommand;
use serde_json::{Value, json};

use crate::Bench;

const DAY: &str = "2026-09-21";

impl Bench {
    fn limit(&self, bytes: i64) {
        let toml = format!("[limits]\nagent_day_bytes = {bytes}\n");
        self.store.live().set_policy(mcd::policy::parse(&toml).unwrap().into());
    }

    /// Returns what is counted for wren on a day.
    fn stored(&self, day: &str) -> i64 {
        let db = rusqlite::Connection::open(self.path()).unwrap();
        let sql =
            "SELECT coalesce(sum(bytes), 0) FROM stored_bytes WHERE agent = 'wren' AND day = ?1";
        db.query_row(sql, [day], |row| row.get(0)).unwrap()
    }

    fn post(&self, task: i64, text: &str) -> Result<Value, ErrorKind> {
        let message = json!({"task": format!("T-{task}"), "kind": "progress", "text": text});
        self.agent("message.post", message)
    }
}

#[test]
fn an_agent_stores_up_to_its_limit_and_not_a_byte_more() {
    let bench = Bench::with_agent();
    let task = bench.started();
    let text = "lorem ipsum ".repeat(4000);
    let before = bench.stored(DAY);
    bench.post(task, &text).unwrap();
    let one = bench.stored(DAY) - before;
    assert!(one > 48_000 && before > 0, "{before} and {one}");
    // The next message has the same length: its numbers have as many digits.
    let limit = bench.stored(DAY) + one;
    bench.limit(limit - 1);
    let head = bench.store.live().head();
    assert_eq!(bench.post(task, &text), Err(ErrorKind::RateLimited));
    assert_eq!((bench.store.live().head(), bench.stored(DAY)), (head, limit - one), "no trace");
    bench.limit(limit);
    bench.post(task, &text).unwrap();
    assert_eq!(bench.stored(DAY), limit);
    assert_eq!(bench.post(task, "x"), Err(ErrorKind::RateLimited));
    let check = json!({"tool": "read", "arguments": {"path": "/w/a"}});
    assert_eq!(
        bench.agent("tool.check", check.clone()),
        Err(ErrorKind::RateLimited),
        "never a yes"
    );
    // It is kept over a restart, and a person, who has no limit, is told.
    let bench = bench.again();
    bench.limit(limit);
    assert_eq!(bench.agent("tool.check", check.clone()), Err(ErrorKind::RateLimited));
    let alert = bench.human("alert.list", json!({})).unwrap()["items"][0].clone();
    assert_eq!((&alert["kind"], &alert["agent"]), (&json!("storage"), &json!("wren")), "{alert}");
    bench.human("task.create", json!({"title": "x", "type": "docs", "description": text})).unwrap();
    bench.store.live().set_day("2026-09-22".to_owned());
    assert_eq!(bench.agent("tool.check", check).unwrap()["decision"], "allow", "another day");
    assert!((1..limit).contains(&bench.stored("2026-09-22")));
}

#[test]
fn reports_are_taken_beyond_the_limit() {
    let bench = Bench::with_agent();
    let run = bench.agent("run.start", json!({"session": "s"})).unwrap()["run"].clone();
    let check = json!({"run": run, "tool": "read", "arguments": {"path": "/w/a"}, "session": "s"});
    let call = bench.agent("tool.check", check).unwrap()["call"].clone();
    let task = bench.started();
    bench.post(task, &"lorem ipsum ".repeat(5400)).unwrap();
    bench.limit(64 * 1024);
    assert_eq!(bench.agent("run.start", json!({"session": "t"})), Err(ErrorKind::RateLimited));
    bench.agent("agent.heartbeat", json!({})).unwrap();
    bench.agent("tool.finish", json!({"call": call, "status": "succeeded"})).unwrap();
    let usage = json!({"run": run, "model": "m", "input_tokens": 10, "output_tokens": 10,
        "cost_uusd": 5});
    bench.agent("run.usage", usage).unwrap();
    bench.agent("run.finish", json!({"run": run, "status": "succeeded"})).unwrap();
    bench.system(SystemCommand::Tick);
}
