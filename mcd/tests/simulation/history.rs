//! One history: a squad of three does whatever the dice say, and whatever must always hold is looked
//! at after each step.

use std::time::Duration;

use mc_core::{actor::Actor, actor::Level, agent::Runtime};
use mc_proto::error::ErrorKind;
use mcd::caller::SystemCommand;
use serde_json::{Value, json};

use crate::{
    dice::Dice,
    ledger::Ledger,
    world::{End, World},
};

/// Intern, specialist and lead.
const AGENTS: [&str; 3] = ["ibis", "wren", "crow"];
const TYPES: [&str; 3] = ["docs", "ops", "engineering"];
const COMMANDS: [&str; 8] = [
    "ls",
    "cargo test",
    "git commit -m x",
    "git push origin main",
    "rm -rf build",
    "curl https://example.com",
    "rm -rf /",
    "cat a; echo $(b",
];
const TASK_CAP: i64 = 900_000;

/// What the dice have led to.
pub(crate) struct History {
    world: Option<World>,
    dice: Dice,
    seed: u64,
    /// Everything that was answered, in order.
    pub(crate) answers: Vec<String>,
    runs: Vec<(&'static str, Value)>,
    calls: Vec<(&'static str, Value)>,
    reservations: Vec<(Value, Value)>,
    ledger: Ledger,
    /// The last command that carried a key: who, what, and its answer.
    keyed: Option<(&'static str, Value, Result<Value, ErrorKind>)>,
}

impl History {
    pub(crate) fn begin(seed: u64) -> Self {
        let world = World::new(seed);
        for (name, autonomy) in AGENTS.iter().zip(["intern", "specialist", "lead"]) {
            let params = json!({"name": name, "autonomy": autonomy, "runtime": "openclaw",
                "workspace": "/w", "run_cap_uusd": 600_000, "daily_cap_uusd": 2_000_000});
            world.ask(None, "agent.register", &params).unwrap();
        }
        let cap = json!({"scope": "squad_day", "cap_uusd": 3_000_000, "reason": "r"});
        world.ask(None, "budget.set", &cap).unwrap();
        Self {
            world: Some(world),
            dice: Dice::new(seed),
            seed,
            answers: Vec::new(),
            runs: Vec::new(),
            calls: Vec::new(),
            reservations: Vec::new(),
            ledger: Ledger::default(),
            keyed: None,
        }
    }

    fn world(&self) -> &World {
        self.world.as_ref().unwrap()
    }

    /// Does one thing, and looks at what must hold.
    pub(crate) fn step(&mut self) {
        match self.dice.roll(40) {
            0..6 => self.create(),
            6..16 => self.work(),
            16..22 => self.spend(),
            22..27 => self.call(),
            27..29 => self.decide(),
            29..31 => self.govern(),
            31 => self.repeat(),
            32..35 => self.pass(),
            35 => self.end(End::Clean),
            36 => self.end(End::Killed),
            37 => self.tear(),
            38 => self.jump(),
            _ => self.detach(),
        }
        self.look();
    }

    /// Ends the history: its journal's hash, after the tables were made again from it.
    pub(crate) fn finish(mut self) -> (String, Vec<String>) {
        let hash = self.world().head_hash();
        self.world.take().unwrap().rebuilds();
        (hash, self.answers)
    }

    fn ask(&mut self, who: Option<&str>, method: &str, params: &Value) -> Result<Value, ErrorKind> {
        let answer = self.world().ask(who, method, params);
        self.answers.push(format!("{who:?} {method} {params}: {answer:?}"));
        answer
    }

    fn agent(&mut self) -> &'static str {
        AGENTS[self.dice.roll(AGENTS.len())]
    }

    /// Names a task: mostly one that is there.
    fn task(&mut self) -> Value {
        let made = self.world().see("task.list", &json!({"limit": 200}))["items"].clone();
        let count = made.as_array().unwrap().len();
        json!(format!("T-{}", self.dice.roll(count.max(1)) + 1))
    }

    fn create(&mut self) {
        let who = [None, Some(self.agent())][self.dice.roll(2)];
        let task_type = pick(&mut self.dice, &TYPES);
        let mut params = json!({"title": "x", "type": task_type, "budget_uusd": TASK_CAP});
        match self.dice.roll(6) {
            0 => params["assignees"] = json!([self.agent()]),
            1 => params["depends_on"] = json!([self.task()]),
            2 => params["parent"] = self.task(),
            3 => params["reviewers"] = json!(["crow"]),
            _ => {}
        }
        let key = format!("k{}", self.answers.len());
        params["idempotency_key"] = json!(key);
        let answer = self.ask(who, "task.create", &params);
        if let Some(who) = who {
            self.keyed = Some((who, params, answer));
        }
    }

    /// A key answers once, also over a restart, and never for another body.
    fn repeat(&mut self) {
        let Some((who, mut params, first)) = self.keyed.clone() else { return };
        let again = self.ask(Some(who), "task.create", &params);
        if first.is_ok() {
            assert_eq!(again, first, "the key's first answer, seed {}", self.seed);
            params["title"] = json!("another");
            let other = self.ask(Some(who), "task.create", &params);
            assert_eq!(other, Err(ErrorKind::Conflict), "seed {}", self.seed);
        }
        self.keyed = None;
    }

    fn work(&mut self) {
        let task = self.task();
        let Ok(row) = self.world().ask(None, "task.get", &json!({"task": task})) else { return };
        let who = row["assignees"][0].as_str().map(str::to_owned);
        let who = who.unwrap_or_else(|| self.agent().to_owned());
        let state = row["state"].as_str().unwrap();
        // Now and then somebody else tries, or something that this state does not allow.
        let who = if self.dice.roll(8) == 0 { self.agent().to_owned() } else { who };
        let act = if self.dice.roll(8) == 0 {
            pick(&mut self.dice, &["inbox", "assigned", "in_progress", "review", "blocked", "done"])
        } else {
            state
        };
        let fence = row["fence"].clone();
        let (by, method, mut params) = match act {
            "inbox" => (Some(who), "task.claim", json!({})),
            "assigned" => {
                (Some(who), "task.start", json!({"fence": fence, "work_plan": ["a", "b", "c"]}))
            }
            "in_progress" => match self.dice.roll(3) {
                0 => (Some(who), "task.report_blocker", json!({"fence": fence, "reason": "stuck"})),
                1 => (Some(who), "message.post", json!({"text": "@crow what now?"})),
                _ => {
                    let checked: Vec<_> = items(&row["checklist"])
                        .map(|item| json!({"item": item, "checked": true}))
                        .collect();
                    (
                        Some(who),
                        "task.submit",
                        json!({"fence": fence,
                        "deliverable": "it is there", "self_review": checked}),
                    )
                }
            },
            "review" => match self.dice.roll(3) {
                0 => (Some("crow".to_owned()), "task.request_changes", json!({"feedback": "no"})),
                1 => (None, "task.request_changes", json!({"feedback": "no"})),
                _ => (None, "task.complete", json!({"note": "good"})),
            },
            "blocked" => (None, "task.unblock", json!({"note": "go on"})),
            "done" => (None, "task.reopen", json!({"reason": "not yet"})),
            _ => (None, "task.cancel", json!({"reason": "no longer"})),
        };
        params["task"] = task;
        if self.ask(by.as_deref(), method, &params).is_ok() && method == "task.start" {
            self.has_one_task(by.as_deref());
        }
    }

    /// Whoever starts a task has room for it. What comes back from review may make it two.
    fn has_one_task(&self, who: Option<&str>) {
        let tasks = self.world().see("task.list", &json!({"limit": 200}))["items"].clone();
        let busy = items(&tasks).filter(|task| {
            let ours = |one: &Value| one.as_str() == who;
            task["state"] == "in_progress" && items(&task["assignees"]).any(ours)
        });
        assert_eq!(busy.count(), 1, "{who:?} does two tasks, seed {}", self.seed);
    }

    fn run(&mut self) -> Option<(&'static str, Value)> {
        let at = self.dice.roll(self.runs.len());
        self.runs.get(at).cloned()
    }

    fn spend(&mut self) {
        let amount = i64::try_from(self.dice.roll(300_000)).unwrap() + 1;
        let Some((who, run)) = self.run().filter(|_| self.dice.roll(3) > 0) else {
            let who = self.agent();
            let params = json!({"session": format!("agent:{who}:main")});
            if let Ok(started) = self.ask(Some(who), "run.start", &params) {
                self.runs.push((who, started["run"].clone()));
            }
            return;
        };
        match self.dice.roll(6) {
            0 | 1 => {
                let params = json!({"run": run, "amount_uusd": amount});
                let answer = self.ask(Some(who), "run.reserve", &params);
                if let Some(id) = answer.ok().and_then(|answer| answer.get("reservation").cloned())
                {
                    self.reservations.push((run, id));
                }
            }
            2..5 => {
                let mut params = json!({"run": run, "model": "mock/m", "input_tokens": 10,
                    "output_tokens": 5, "cost_uusd": amount});
                let at = self.dice.roll(self.reservations.len());
                if let Some((of, id)) = self.reservations.get(at) {
                    // A reservation of another run is refused, a settled one changes nothing.
                    params["reservation"] = id.clone();
                    params["run"] = if self.dice.roll(4) > 0 { of.clone() } else { run };
                }
                if self.ask(Some(who), "run.usage", &params).is_ok() {
                    let day = self.world().store.live().day();
                    self.ledger.spend((who, day), amount, params["reservation"].as_str());
                }
            }
            _ => {
                let status = pick(&mut self.dice, &["succeeded", "failed", "aborted"]);
                let params = json!({"run": run, "status": status});
                self.ask(Some(who), "run.finish", &params).ok();
            }
        }
    }

    fn call(&mut self) {
        let finished = self.dice.roll(self.calls.len());
        if self.dice.roll(2) == 0 && finished < self.calls.len() {
            let (who, call) = self.calls.swap_remove(finished);
            let failed = self.dice.roll(2) == 0;
            let params = if failed {
                json!({"call": call, "status": "failed", "error": "exit 1"})
            } else {
                json!({"call": call, "status": "succeeded", "result_preview": "ok"})
            };
            self.ask(Some(who), "tool.finish", &params).ok();
            return;
        }
        let who = self.agent();
        let command = COMMANDS[self.dice.roll(COMMANDS.len())];
        let params = json!({"tool": "exec", "arguments": {"command": command}, "cwd": "/w",
            "session": format!("agent:{who}:main")});
        let is_halted = self.world().store.live().halt.is_set();
        let answer = self.ask(Some(who), "tool.check", &params).unwrap_or_default();
        if answer["decision"] == "allow" {
            assert!(!is_halted, "allowed while stopped, seed {}", self.seed);
            assert_ne!(command, "rm -rf /");
            self.calls.push((who, answer["call"].clone()));
        }
    }

    fn decide(&mut self) {
        let open =
            self.world().see("approval.list", &json!({"status": "pending"}))["items"].clone();
        let open: Vec<_> = items(&open).cloned().collect();
        let Some(one) = open.get(self.dice.roll(open.len())) else { return };
        let mut params = json!({"approval": one["id"], "rev": one["rev"], "digest": one["digest"]});
        if self.dice.roll(2) == 0 {
            if one["kind"] == "budget_override" {
                params["note"] = json!("more");
            }
            self.ask(None, "approval.approve", &params).ok();
        } else {
            params["note"] = json!("no");
            self.ask(None, "approval.deny", &params).ok();
        }
    }

    fn govern(&mut self) {
        let who = self.agent();
        let about = json!({"agent": who, "reason": "r"});
        let squad = json!({"reason": "r"});
        match self.dice.roll(10) {
            0 => drop(self.ask(None, "agent.pause", &about)),
            1..4 => drop(self.ask(None, "agent.resume", &about)),
            4 => drop(self.ask(None, "agent.quarantine", &about)),
            5 => drop(self.ask(None, "squad.pause", &squad)),
            6 | 7 => drop(self.ask(None, "squad.resume", &squad)),
            8 => self.stop(),
            _ => drop(self.ask(None, "agent.drain", &about)),
        }
        if self.dice.roll(2) == 0 {
            self.resume_all();
        }
    }

    /// As the daemon does it: the atomic and the file first, then the record.
    fn stop(&mut self) {
        let by = Actor::human("ana", Level::L3);
        self.world().store.live().halt.set("ana: enough").unwrap();
        let halt = SystemCommand::Halt { by, reason: "enough".to_owned() };
        let answer = self.world().system(halt);
        self.answers.push(format!("halt: {answer:?}"));
    }

    fn resume_all(&mut self) {
        if self.ask(None, "squad.emergency_resume", &json!({"reason": "r"})).is_ok() {
            self.world().store.live().halt.clear().unwrap();
        }
    }

    fn pass(&mut self) {
        let minutes = [1, 5, 40, 400, 1500][self.dice.roll(5)];
        self.world().pass(Duration::from_mins(minutes));
    }

    fn end(&mut self, end: End) {
        self.world = self.world.take().map(|world| world.again(end, 0));
    }

    fn jump(&mut self) {
        let by_ms = [-3_600_000, -6000, 6000, 90_000_000][self.dice.roll(4)];
        if self.dice.roll(2) == 0 {
            self.world().clock.set(by_ms);
            self.world().pass(Duration::ZERO);
        } else {
            self.world = self.world.take().map(|world| world.again(End::Killed, by_ms));
        }
    }

    fn tear(&mut self) {
        let (who, title) = (self.agent(), format!("lost {}", self.answers.len()));
        let work = |world: &World| {
            let params = json!({"title": title, "type": "docs"});
            world.ask(Some(who), "task.create", &params).ok();
        };
        self.world = self.world.take().map(|world| world.torn(work, &mut self.dice));
    }

    fn detach(&mut self) {
        let name = self.agent().to_owned();
        let command = SystemCommand::RuntimeDetached { name, runtime: Runtime::Openclaw };
        self.world().system(command).unwrap();
    }

    /// What holds at every moment, whatever happened.
    fn look(&mut self) {
        let tasks = self.world().see("task.list", &json!({"limit": 200}))["items"].clone();
        for task in items(&tasks) {
            let state = task["state"].as_str().unwrap();
            let assigned = items(&task["assignees"]).count();
            let about = format!("{task}, seed {}", self.seed);
            assert!(!matches!(state, "assigned" | "in_progress") || assigned > 0, "{about}");
        }
        let world = self.world.as_ref().unwrap();
        self.ledger.look(world, self.seed);
    }
}

fn pick(dice: &mut Dice, from: &[&'static str]) -> &'static str {
    from[dice.roll(from.len())]
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
