//! Random histories of runs, promises, costs and crashes against rules written once more, as simple
//! as they can be.

use serde_json::{Value, json};

use crate::bench::{Bench, agent, usage};
use crate::dice::Dice;

const RUN_CAP: i64 = 800_000;
const TASK_CAP: i64 = 1_300_000;
const DAY_CAP: i64 = 1_600_000;
const SQUAD_CAP: i64 = 2_500_000;
const POLICY: &str = "[budgets.pace]\ntimes = 0\n[limits]\nactive_agents = 10_000\n\
                      pending_per_agent = 1000\npending_per_squad = 10_000\n";

/// Whose sub-agent each of the four agents is.
const PARENTS: [Option<usize>; 4] = [None, None, Some(0), Some(2)];

/// An agent with those above it: all of their days pay.
fn family(agent: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(agent), |agent| PARENTS[*agent])
}

/// A run of the model: whose, on what, what it has spent, what is promised to it as a whole and to each
/// of its calls, and what a human has said of those that are released and not reported.
struct Run {
    agent: usize,
    task: usize,
    spent: i64,
    whole: Option<i64>,
    promised: Vec<Option<i64>>,
    said: Vec<Option<i64>>,
    is_over: bool,
}

impl Run {
    /// All that is promised to it.
    fn held(&self) -> i64 {
        self.promised.iter().flatten().sum::<i64>() + self.whole.unwrap_or(0)
    }
}

/// A scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Run(usize),
    Task(usize),
    Day(usize),
    Squad,
}

/// Caps of run, task, the days of agents and the squad's day; a scope holds what the runs in it hold.
#[derive(Default)]
struct Model {
    runs: Vec<Run>,
    paused: [bool; 4],
}

impl Model {
    /// What the runs among those named have spent, and what is promised to them.
    fn sum(&self, among: impl Fn(usize, &Run) -> bool) -> (i64, i64) {
        let runs = self.runs.iter().enumerate().filter(|(at, run)| among(*at, run));
        runs.fold((0, 0), |(spent, promised), (_, run)| (spent + run.spent, promised + run.held()))
    }

    /// An agent's day holds what the runs of its sub-agents hold, too.
    fn day(&self, agent: usize) -> (i64, i64) {
        self.sum(|_, run| family(run.agent).any(|one| one == agent))
    }

    /// Each scope of a run: which, what is spent, spent and promised, and the cap.
    fn scopes(&self, at: usize) -> Vec<(Key, i64, i64, i64)> {
        let Run { agent, task, .. } = self.runs[at];
        let with = |key, (spent, promised): (i64, i64), cap| (key, spent, spent + promised, cap);
        let days = family(agent).map(|one| with(Key::Day(one), self.day(one), DAY_CAP));
        let others = [
            with(Key::Run(at), self.sum(|of, _| of == at), RUN_CAP),
            with(Key::Task(task), self.sum(|_, run| run.task == task), TASK_CAP),
            with(Key::Squad, self.sum(|_, _| true), SQUAD_CAP),
        ];
        days.chain(others).collect()
    }

    /// Whether neither an agent nor one above it stands still.
    fn works(&self, agent: usize) -> bool {
        family(agent).all(|one| !self.paused[one])
    }

    /// What a run may spend beside what is promised to others; its own promise for the whole run does
    /// not stand in its way.
    fn left(&self, at: usize) -> i64 {
        let whole = self.runs[at].whole.unwrap_or(0);
        let left = |(_, _, taken, cap): (Key, i64, i64, i64)| (cap - (taken - whole)).max(0);
        self.scopes(at).into_iter().map(left).min().unwrap()
    }

    fn fits(&self, at: usize, want: i64) -> bool {
        self.left(at) >= want.max(1)
    }

    /// A cost that nobody asked for comes out of what is promised to the whole run. Where that is too
    /// little, the run holds from then on what it may spend.
    fn spend_unasked(&mut self, at: usize, cost: i64) {
        let run = &mut self.runs[at];
        let covered = run.whole.map_or(0, |whole| whole.min(cost));
        run.whole = run.whole.map(|whole| whole - covered);
        run.spent += cost;
        self.after_cost(at);
        if cost > covered && !self.runs[at].is_over && self.left(at) > 0 {
            self.runs[at].whole = Some(self.left(at));
        }
    }

    /// What follows from a cost; a run's own promises don't stand in its way. What is used up ends
    /// every run that pays from it and has something promised as a whole.
    fn after_cost(&mut self, at: usize) {
        let own = self.runs[at].held();
        let scopes = self.scopes(at);
        if scopes.iter().all(|(_, _, taken, cap)| taken - own < *cap) {
            return;
        }
        self.runs[at].is_over = true;
        let used_up: Vec<Key> =
            scopes.iter().filter(|(_, spent, _, cap)| spent >= cap).map(|(key, ..)| *key).collect();
        for of in 0..self.runs.len() {
            let pays = self.scopes(of).iter().any(|(key, ..)| used_up.contains(key));
            self.runs[of].is_over |= self.runs[of].whole.is_some() && pays;
        }
        for agent in family(self.runs[at].agent) {
            self.paused[agent] |= used_up.contains(&Key::Day(agent));
        }
    }
}

/// One history: two agents, one with a sub-agent that has one itself, three tasks, a day of its own.
struct History {
    bench: Bench,
    model: Model,
    dice: Dice,
    seed: u64,
    day: String,
    tasks: Vec<Value>,
    runs: Vec<Value>,
    promises: Vec<Vec<Value>>,
}

impl History {
    fn begin(bench: Bench, seed: u64) -> Self {
        let day =
            jiff::civil::date(2027, 1, 1) + jiff::Span::new().days(i64::try_from(seed).unwrap());
        let day = day.to_string();
        bench.store.live().set_day(day.clone());
        let caps = json!({"run_cap_uusd": RUN_CAP, "daily_cap_uusd": DAY_CAP});
        let names = [0, 1].map(|agent| name(seed, agent));
        for name in &names {
            bench.register(name, caps.clone());
        }
        let params =
            json!({"title": "x", "type": "docs", "budget_uusd": TASK_CAP, "assignees": names});
        let create = |_| bench.human("task.create", params.clone())["id"].clone();
        let tasks: Vec<Value> = (0..3).map(create).collect();
        for child in [2, 3] {
            let mut below = caps.clone();
            below["parent"] = name(seed, PARENTS[child].unwrap()).into();
            below["task"] = tasks[serves(child).unwrap()].clone();
            below["purpose"] = "helps".into();
            bench.register(&name(seed, child), below);
        }
        let dice = Dice::new(seed);
        let (model, runs, promises) = (Model::default(), Vec::new(), Vec::new());
        Self { bench, model, dice, seed, day, tasks, runs, promises }
    }

    fn whose(&self, run: usize) -> String {
        name(self.seed, self.model.runs[run].agent)
    }

    fn step(mut self) -> Self {
        let act = if self.runs.is_empty() { 0 } else { self.dice.roll(22) };
        let run = self.dice.roll(self.runs.len());
        match act {
            0..4 => self.start(),
            4..10 => self.reserve(run),
            10..16 => self.spend(run),
            16..19 => self.finish(run),
            19..21 => self.release(run),
            _ if self.dice.roll(5) == 0 => self.bench = self.bench.again(&self.day),
            _ => {}
        }
        self.compare();
        self
    }

    fn start(&mut self) {
        let (agent, any) = (self.dice.roll(4), self.dice.roll(3));
        let task = serves(agent).unwrap_or(any);
        let mut params = json!({"session": "s", "task": self.tasks[task], "reserve_uusd": 0});
        let asked = match self.dice.roll(6) {
            0 => None,
            1 => Some(amount(&mut self.dice)),
            _ => Some(0),
        };
        params["reserve_uusd"] = asked.map_or(Value::Null, Into::into);
        let caller = self::agent(&name(self.seed, agent));
        let started = self.bench.ask(&caller, "run.start", params);
        let (promised, said, whole) = (Vec::new(), Vec::new(), None);
        let run = Run { agent, task, spent: 0, whole, promised, said, is_over: false };
        self.model.runs.push(run);
        let at = self.model.runs.len() - 1;
        let may = self.model.works(agent) && self.model.fits(at, 0);
        let whole = self.model.left(at);
        self.model.runs[at].whole =
            Some(asked.map_or(whole, |asked| asked.min(whole))).filter(|whole| *whole > 0);
        assert_eq!(started.is_ok(), may, "start, seed {}", self.seed);
        match started {
            Ok(started) => {
                self.runs.push(started["run"].clone());
                self.promises.push(Vec::new());
            }
            Err(_) => drop(self.model.runs.pop()),
        }
    }

    fn reserve(&mut self, run: usize) {
        let amount = amount(&mut self.dice);
        let params = json!({"run": self.runs[run], "amount_uusd": amount});
        let caller = agent(&self.whose(run));
        let answer = self.bench.ask(&caller, "run.reserve", params);
        let Run { agent, is_over, .. } = self.model.runs[run];
        let may = self.model.works(agent) && !is_over;
        assert_eq!(answer.is_ok(), may, "reserve, seed {}", self.seed);
        let Ok(answer) = answer else { return };
        let fits = self.model.fits(run, amount);
        assert_eq!(answer["decision"] == "allow", fits, "reserve, seed {}: {answer}", self.seed);
        if fits {
            // Who asks before each call needs no promise for the whole run.
            self.model.runs[run].whole = None;
            self.model.runs[run].promised.push(Some(amount));
            self.model.runs[run].said.push(None);
            self.promises[run].push(answer["reservation"].clone());
        }
    }

    /// Reports a cost, on a promise or not, late or not, and sometimes twice.
    fn spend(&mut self, run: usize) {
        let cost = amount(&mut self.dice);
        let mut params = usage(&self.runs[run], cost);
        let mut settles = Some(cost);
        let open = self.model.runs[run].promised.iter().position(Option::is_some);
        let released = self.model.runs[run].said.iter().position(Option::is_some);
        if let Some(at) = released.filter(|_| self.dice.roll(3) == 0) {
            params["reservation"] = self.promises[run][at].clone();
            // Together they count as much as the higher of both.
            settles = Some((cost - self.model.runs[run].said[at].take().unwrap()).max(0));
        } else if let Some(at) = open.filter(|_| self.dice.roll(4) > 0) {
            params["reservation"] = self.promises[run][at].clone();
            self.model.runs[run].promised[at] = None;
        } else {
            settles = None;
        }
        let name = self.whose(run);
        self.bench.by(&name, "run.usage", params.clone());
        match settles {
            Some(counts) => {
                self.model.runs[run].spent += counts;
                self.model.after_cost(run);
            }
            None => self.model.spend_unasked(run, cost),
        }
        if params["reservation"].is_string() && self.dice.roll(3) == 0 {
            self.bench.by(&name, "run.usage", params);
        }
    }

    /// A human corrects a promise, as unspent or with an amount.
    fn release(&mut self, run: usize) {
        let open = self.model.runs[run].promised.iter().position(Option::is_some);
        let Some(at) = open else { return };
        let spent = if self.dice.roll(2) == 0 { 0 } else { amount(&mut self.dice) };
        let release = json!({"reservation": self.promises[run][at], "spent_uusd": spent,
            "reason": "the bill"});
        self.bench.human("budget.release", release);
        self.model.runs[run].promised[at] = None;
        self.model.runs[run].said[at] = Some(spent);
        self.model.runs[run].spent += spent;
        if spent > 0 {
            self.model.after_cost(run);
        }
    }

    fn finish(&mut self, run: usize) {
        let finish = json!({"run": self.runs[run], "status": "succeeded"});
        self.bench.by(&self.whose(run), "run.finish", finish);
        self.model.runs[run].is_over = true;
        self.model.runs[run].whole = None;
    }

    fn compare(&self) {
        let squad = self.bench.budget("squad_day", json!({}));
        let seen = (squad["spent_uusd"].as_i64(), squad["reserved_uusd"].as_i64());
        let (spent, promised) = self.model.sum(|_, _| true);
        assert_eq!(seen, (Some(spent), Some(promised)), "the squad's day, seed {}", self.seed);
        for agent in 0..4 {
            let day = self.bench.budget("agent_day", json!({"agent": name(self.seed, agent)}));
            let seen = (day["spent_uusd"].as_i64(), day["reserved_uusd"].as_i64());
            let (spent, promised) = self.model.day(agent);
            let whose = format!("the day of {agent}, seed {}", self.seed);
            assert_eq!(seen, (Some(spent), Some(promised)), "{whose}");
        }
    }

    fn end(self) -> Bench {
        for agent in 0..4 {
            let name = name(self.seed, agent);
            let row = self.bench.human("agent.get", json!({"agent": name}));
            let is_paused = row["status"] == "paused";
            assert_eq!(is_paused, self.model.paused[agent], "paused, seed {}", self.seed);
        }
        for agent in [0, 1] {
            // Its sub-agents end with it.
            let name = name(self.seed, agent);
            self.bench.human("agent.stop", json!({"agent": name, "reason": "over"}));
        }
        self.bench
    }
}

fn amount(dice: &mut Dice) -> i64 {
    i64::try_from(dice.roll(400_000)).unwrap() + 1
}

/// The task that a sub-agent is there for.
const fn serves(agent: usize) -> Option<usize> {
    agent.checked_sub(2)
}

fn name(seed: u64, agent: usize) -> String {
    format!("m{seed}-{agent}")
}

fn fresh() -> Bench {
    let bench = Bench::new();
    let cap = json!({"scope": "squad_day", "cap_uusd": SQUAD_CAP, "reason": "r"});
    bench.human("budget.set", cap);
    bench.policy(POLICY);
    bench
}

#[test]
fn histories_of_runs_promises_costs_and_crashes_equal_a_small_model() {
    let count = if crate::nightly::is_wanted() { 10_000 } else { 1_000 };
    // A new store now and then, so that no list grows without end; two threads share the work.
    let stores = |half: u64| {
        for first in (half * 50..count).step_by(100) {
            (first..first + 50).fold(fresh(), |bench, seed| {
                let begun = History::begin(bench, seed);
                (0..16).fold(begun, |history, _| history.step()).end()
            });
        }
    };
    std::thread::scope(|scope| {
        for half in 0..2 {
            scope.spawn(move || stores(half));
        }
    });
}
