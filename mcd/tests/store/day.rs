//! Days of work, recorded: one on which nothing goes in circles, and for each sign of a loop one that
//! stops at its limit and one that passes it. The daemon and the replay of its record agree.
//!
//! `UPDATE_DATA=1` writes the clean day to `tests/data/clean_day.jsonl`, where `mcctl policy test --loop`
//! is tested with it.

use mc_core::{
    event::{Event, Recorded},
    loops::{Found, Sign, trace::Trace},
    policy::{Policy, PolicyDoc},
};

use super::*;

pub(super) const SQUAD: [&str; 4] = ["wren", "crane", "heron", "robin"];
const MINUTE: Duration = Duration::from_mins(1);

/// A squad at work, under the loop rules that are built in.
pub(super) struct Day {
    pub(super) bench: Bench,
}

impl Day {
    pub(super) fn new() -> Self {
        let bench = Bench::new();
        bench.system(SystemCommand::SetUp { name: "squad".into() });
        let policy = mcd::policy::parse("[agents]\ncapacity = 50\n").unwrap();
        bench.store.live().set_policy(std::sync::Arc::new(policy));
        for name in SQUAD {
            let agent = json!({"name": name, "autonomy": "specialist", "runtime": "openclaw",
                "workspace": format!("/w/{name}"), "daily_cap_uusd": 50_000_000});
            bench.human("agent.register", agent).unwrap();
        }
        Self { bench }
    }

    pub(super) fn by(&self, who: &str, method: &str, params: Value) -> Value {
        self.bench.ask(&agent(who), method, params).unwrap()
    }

    pub(super) fn pass(&self, minutes: u32) {
        self.bench.clock.advance(MINUTE * minutes);
    }

    /// Lets `who` begin a task; returns it.
    pub(super) fn begin(&self, who: &str, title: &str) -> Value {
        let new = json!({"title": title, "type": "engineering", "description": "see the title"});
        let task = self.bench.human("task.create", new).unwrap()["id"].clone();
        self.by(who, "task.claim", json!({"task": task}));
        let plan = ["look", "change", "test"];
        self.by(who, "task.start", json!({"task": task, "work_plan": plan}));
        task
    }

    /// Lets `who` make a call that comes to `end`.
    pub(super) fn call(&self, who: &str, command: &str, end: &Value) -> Value {
        self.bench.clock.advance(Duration::from_secs(20));
        let checked = self.by(who, "tool.check", exec(command));
        if checked["decision"] == "allow" {
            let mut finish = end.clone();
            finish["call"] = checked["call"].clone();
            self.by(who, "tool.finish", finish);
        }
        checked
    }

    /// Lets `who` ask for a call of which nobody hears how it ends.
    pub(super) fn check(&self, who: &str, command: &str) -> Value {
        self.bench.clock.advance(Duration::from_secs(20));
        self.by(who, "tool.check", exec(command))
    }

    pub(super) fn say(&self, who: &str, task: &Value, text: &str) {
        self.write(who, task, ("comment", text));
    }

    pub(super) fn write(&self, who: &str, task: &Value, (kind, text): (&str, &str)) {
        self.bench.clock.advance(Duration::from_secs(20));
        self.by(who, "message.post", json!({"task": task, "kind": kind, "text": text}));
    }

    pub(super) fn state(&self, task: &Value) -> Value {
        self.bench.human("task.get", json!({"task": task})).unwrap()["state"].clone()
    }

    pub(super) fn status(&self, who: &str) -> Value {
        self.bench.human("agent.get", json!({"agent": who})).unwrap()["status"].clone()
    }

    /// Hands a task in.
    fn submit(&self, who: &str, task: &Value) {
        self.pass(3);
        let detail = self.bench.human("task.get", json!({"task": task})).unwrap();
        let items = detail["checklist"].as_array().unwrap().iter();
        let review: Vec<Value> = items.map(|item| json!({"item": item, "checked": true})).collect();
        let submit = json!({"task": task, "deliverable": "it is on the branch",
            "self_review": review, "evidence": ["cargo test: 14 passed"]});
        self.by(who, "task.submit", submit);
    }

    fn record(&self) -> Vec<Value> {
        let mut rows: Vec<Value> = Vec::new();
        loop {
            let ask = json!({"since": rows.len(), "limit": 200});
            let page = self.bench.human("audit.export", ask).unwrap();
            rows.extend(page["items"].as_array().unwrap().iter().cloned());
            if page.get("next_cursor").is_none() {
                return rows;
            }
        }
    }

    /// Returns what a replay of the record finds.
    pub(super) fn replayed(&self) -> Vec<Found> {
        self.trips().into_iter().map(|(found, _)| found).collect()
    }

    /// Returns what a replay of the record finds, each with its event.
    pub(super) fn trips(&self) -> Vec<(Found, Recorded)> {
        self.trips_by(PolicyDoc::default())
    }

    /// Returns what a replay of the record by these rules finds, each with its event.
    fn trips_by(&self, doc: PolicyDoc) -> Vec<(Found, Recorded)> {
        let mut trace = Trace::new(Policy::compile(doc).unwrap());
        let mut trips = Vec::new();
        for row in self.record() {
            let recorded: Recorded = serde_json::from_value(row).unwrap();
            if let Some(found) = trace.take(&recorded).unwrap() {
                trips.push((found, recorded));
            }
        }
        trips
    }

    /// Returns how many alerts about loops and failures the daemon raised.
    pub(super) fn alerts(&self) -> usize {
        let alerts = self.bench.human("alert.list", json!({"limit": 200})).unwrap();
        let is_loop = |alert: &&Value| alert["kind"] == "loop" || alert["kind"] == "error_streak";
        alerts["items"].as_array().unwrap().iter().filter(is_loop).count()
    }
}

pub(super) fn done(text: &str) -> Value {
    json!({"status": "succeeded", "result_preview": text})
}

pub(super) fn failed(text: &str) -> Value {
    json!({"status": "failed", "error": text})
}

/// One task from its beginning to its end, with all that a clean one may have.
fn one_task(day: &Day, at: usize) {
    let (who, other) = (SQUAD[at % 4], SQUAD[(at + 1) % 4]);
    let task = day.begin(who, &format!("Mend parser {at}"));
    let run = day.by(who, "run.start", json!({"session": format!("s{at}"), "task": task}));
    let run = run["run"].clone();
    // Searches that find nothing, with other words each; a build that breaks until it is mended.
    for word in ["alpha", "beta", "gamma"] {
        day.call(who, &format!("grep -rn {word}{at} src"), &failed("exit code 1"));
    }
    day.call(who, "ls src", &done("lib.rs"));
    for round in 0..2 {
        day.call(who, "cargo test", &failed(&format!("error in module_{}", ["a", "b"][round])));
        day.call(who, "cat src/lib.rs", &done(&format!("fn version_{}", ["a", "b"][round])));
    }
    // A watch that sees nothing new for a while, as often as may be.
    for _ in 0..5 {
        day.call(who, "git status", &done("nothing to commit"));
    }
    day.call(who, "cargo test", &done(&format!("{} passed", ["fourteen", "twenty"][at % 2])));
    for turn in 0..3 {
        day.say(who, &task, &format!("how shall {turn} be called?"));
        day.say(other, &task, &format!("{turn} as in the spec"));
    }
    let usage = json!({"run": run, "model": "mock/m", "input_tokens": 9_000,
        "output_tokens": 700, "cost_uusd": 40_000});
    day.by(who, "run.usage", usage);
    for again in 0..at % 4 {
        day.submit(who, &task);
        let feedback = json!({"task": task, "feedback": format!("name it better, {again}")});
        day.bench.human("task.request_changes", feedback).unwrap();
    }
    day.submit(who, &task);
    day.by(who, "run.finish", json!({"run": run, "status": "succeeded"}));
    day.bench.human("task.complete", json!({"task": task, "note": "good"})).unwrap();
    day.pass(15);
}

#[test]
fn a_day_of_clean_work_trips_nothing() {
    let day = Day::new();
    for at in 0..16 {
        one_task(&day, at);
    }
    assert_eq!(day.alerts(), 0);
    for name in SQUAD {
        assert_eq!(day.status(name), "active", "{name}");
    }
    assert!(day.trips().is_empty(), "{:?}", day.trips());
    let record = day.record();
    assert!(record.len() > 500, "{} events", record.len());
    #[expect(clippy::disallowed_methods, reason = "a test's switch, not the product's")]
    if std::env::var_os("UPDATE_DATA").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/clean_day.jsonl");
        let lines: Vec<String> = record.iter().map(Value::to_string).collect();
        std::fs::write(file, lines.join("\n") + "\n").unwrap();
    }
}

/// What brings an agent, or two, one step nearer to a limit.
pub(super) type Step = fn(&Day, &Value, usize);

/// Plays `steps` steps; returns the record's trips.
pub(super) fn played(step: Step, steps: usize) -> (Day, Vec<(Found, Recorded)>) {
    let day = Day::new();
    let task = day.begin("wren", "Go round");
    for at in 0..steps {
        step(&day, &task, at);
    }
    let trips = day.trips();
    (day, trips)
}

/// Looks whether `limit` steps trip nothing, and whether the next trips `sign` at its own event.
pub(super) fn trips_at(sign: Sign, limit: usize, step: Step) {
    let (day, trips) = played(step, limit);
    assert!(trips.is_empty(), "{limit} steps: {trips:?}");
    assert_eq!(day.alerts(), 0, "{limit} steps");

    let (day, trips) = played(step, limit + 1);
    assert_eq!(day.alerts(), 1, "the daemon sees what the replay sees");
    assert_eq!(trips.len(), 1, "{trips:?}");
    let (found, tripped) = &trips[0];
    assert_eq!(found.sign, sign);
    // Its own event is the last one that the agent, or who sent the task back, brought about.
    let record = day.record();
    let rows = record.iter().map(|row| serde_json::from_value::<Recorded>(row.clone()).unwrap());
    let is_step = |row: &Recorded| match sign {
        Sign::Comments | Sign::Turns => {
            matches!(&row.event, Event::MessagePosted { message }
                if message.kind != mc_core::message::MessageKind::System)
        }
        Sign::ReviewCycles => {
            matches!(row.event, Event::TaskMoved { from: mc_core::task::TaskState::Review, .. })
        }
        Sign::Withdrawn => {
            matches!(row.event, Event::ApprovalClosed { .. }) && row.actor.is_agent("crane")
        }
        Sign::LostRuns => matches!(row.event, Event::RunFinished { .. }),
        Sign::SameError
        | Sign::SameCall
        | Sign::NearlySameCall
        | Sign::Circles
        | Sign::Retries
        | Sign::ErrorStreak => {
            matches!(row.event, Event::ToolChanged(_) | Event::ToolChecked { .. })
        }
    };
    assert_eq!(rows.rev().find(is_step).unwrap().seq, tripped.seq);
}

#[test]
fn the_twenty_first_comment_is_a_storm() {
    trips_at(Sign::Comments, 20, |day, task, at| day.say("wren", task, &format!("thought {at}")));
}

#[test]
fn the_ninth_turn_is_ping_pong() {
    trips_at(Sign::Turns, 8, |day, task, at| day.say(SQUAD[at % 2], task, "no"));
}

#[test]
fn what_is_said_counts_to_the_end_of_its_window_and_no_longer() {
    const APART: u64 = 20; // seconds, see `write`
    for (sign, limit, window, voices) in
        [(Sign::Comments, 20, MINUTE * 30, 1), (Sign::Turns, 8, MINUTE * 10, 2)]
    {
        for late in [0, 1] {
            let day = Day::new();
            let task = day.begin("wren", "Talk");
            for at in 0..=limit {
                if at == limit {
                    let gone = Duration::from_secs(APART * limit);
                    day.bench
                        .clock
                        .advance(window.saturating_sub(gone) + Duration::from_millis(late));
                }
                let who = SQUAD[usize::try_from(at % voices).unwrap()];
                day.say(who, &task, &format!("word {at}"));
            }
            let signs: Vec<Sign> = day.trips().into_iter().map(|(found, _)| found.sign).collect();
            let expected: &[Sign] = if late == 0 { &[sign] } else { &[] };
            assert_eq!(signs, expected, "{sign:?}, {late} ms after its window");
            assert_eq!(day.alerts(), expected.len(), "{sign:?}, the daemon");
        }
    }
}

fn send_back(day: &Day, task: &Value, at: usize) {
    day.submit("wren", task);
    let feedback = json!({"task": task, "feedback": format!("again, {at}")});
    day.bench.human("task.request_changes", feedback).unwrap();
}

#[test]
fn the_fourth_time_sent_back_is_a_review_loop() {
    trips_at(Sign::ReviewCycles, 3, send_back);
}

#[test]
fn how_often_a_task_may_be_sent_back_is_a_rule_of_the_policy() {
    let mut strict = PolicyDoc::default();
    strict.loops.review_cycles = 1;
    let (day, trips) = played(send_back, 2);
    assert!(trips.is_empty(), "{trips:?}");
    let found = day.trips_by(strict.clone());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0.sign, found[0].0.count, found[0].0.limit), (Sign::ReviewCycles, 2, 1));

    let day = Day::new();
    day.bench.store.live().set_policy(std::sync::Arc::new(Policy::compile(strict).unwrap()));
    let task = day.begin("wren", "Go round");
    for (at, state) in ["in_progress", "blocked"].into_iter().enumerate() {
        send_back(&day, &task, at);
        assert_eq!(day.state(&task), state, "{at}");
    }
    let told = day.bench.human("task.get", json!({"task": task})).unwrap();
    assert!(told["blocked_reason"].as_str().unwrap().contains("the limit is 1"), "{told}");
}

#[test]
fn the_fourth_equal_error_is_a_loop_of_its_own() {
    trips_at(Sign::SameError, 3, |day, _, at| {
        let file = ["a", "b", "c", "d"][at];
        day.call("wren", &format!("cat {file}"), &failed("401 key expired"));
    });
}

#[test]
fn the_sixth_equal_call_is_a_loop() {
    trips_at(Sign::SameCall, 5, |day, _, _| {
        day.call("wren", "git status", &done("nothing to commit"));
    });
}

#[test]
fn the_sixth_call_that_differs_in_numbers_alone_warns() {
    trips_at(Sign::NearlySameCall, 5, |day, _, at| {
        day.call("wren", &format!("head -n {at} log"), &done("not yet"));
    });
}

#[test]
fn the_fifth_failure_in_a_row_is_a_streak() {
    trips_at(Sign::ErrorStreak, 4, |day, _, at| {
        let what = ["disk", "net", "dns", "tls", "auth"][at];
        day.call("wren", &format!("cat {what}"), &failed(&format!("{what} broke")));
    });
}
