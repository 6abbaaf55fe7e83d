//! A squad without sockets: requests go straight to the store.

use std::sync::Arc;

use mc_core::{
    actor::{Actor, Level, Role},
    time::Timestamp,
};
use mc_proto::{error::ErrorKind, home::Home, method::Request};
use mcd::{
    caller::{Caller, Factor, SystemCommand, Work},
    clock::FixedClock,
    halt::Halt,
    live::{Live, Setup},
    store::{Answer, Store},
};
use serde_json::{Value, json};

/// A store with its squad, on a clock that stands.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) store: Store,
}

impl Bench {
    pub(crate) fn in_dir(dir: tempfile::TempDir, day: &str) -> Self {
        let home = Home::under(dir.path());
        std::fs::create_dir_all(&home.state).unwrap();
        let clock = Arc::new(FixedClock::new(Timestamp(1_790_000_000_000)));
        let live = Live::new(clock.clone(), Halt::open(&home.halt_file()), Setup::default());
        live.set_day(day.to_owned());
        let store = Store::open(&home, Arc::new(live)).unwrap();
        Self { dir, clock, store }
    }

    /// A squad with wren, who may spend a dollar a run and three a day.
    pub(crate) fn new() -> Self {
        let bench = Self::in_dir(quick_dir(), "2026-09-21");
        bench.work(Work::System(SystemCommand::SetUp { name: "squad".into() })).unwrap();
        bench.register("wren", json!({"run_cap_uusd": 1_000_000, "daily_cap_uusd": 3_000_000}));
        bench
    }

    pub(crate) fn register(&self, name: &str, more: Value) {
        let mut params = json!({"name": name, "autonomy": "specialist", "runtime": "openclaw", "workspace": "/w"});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.human("agent.register", params);
    }

    /// Ends without a word, as a crash does, and starts again on `day`.
    pub(crate) fn again(self, day: &str) -> Self {
        let Self { dir, store, .. } = self;
        drop(store);
        Self::in_dir(dir, day)
    }

    pub(crate) fn policy(&self, toml: &str) {
        self.store.live().set_policy(mcd::policy::parse(toml).unwrap().into());
    }

    fn work(&self, work: Work) -> Answer {
        self.store.submit(work).unwrap().blocking_recv().unwrap()
    }

    /// Has the daemon look at the time.
    pub(crate) fn tick(&self) {
        self.work(Work::System(SystemCommand::Tick)).unwrap();
    }

    pub(crate) fn ask(
        &self,
        caller: &Caller,
        method: &str,
        params: Value,
    ) -> Result<Value, ErrorKind> {
        let raw = serde_json::value::to_raw_value(&params).unwrap();
        let (request, common) = Request::parse(method, Some(&raw)).map_err(|e| e.kind())?;
        let answer = if request.info().kind == mc_proto::method::Kind::Query {
            self.store.query(caller, &request)
        } else {
            self.work(Work::Request {
                caller: Box::new(caller.clone()),
                request: Box::new(request),
                idempotency_key: common.idempotency_key,
                facts: Box::default(),
            })
        };
        answer.map(|json| serde_json::from_str(&json).unwrap()).map_err(|error| {
            println!("{method}: {error}: {:?}", error.data.fields);
            error.kind()
        })
    }

    pub(crate) fn human(&self, method: &str, params: Value) -> Value {
        self.ask(&human(), method, params).unwrap()
    }

    pub(crate) fn by(&self, name: &str, method: &str, params: Value) -> Value {
        self.ask(&agent(name), method, params).unwrap()
    }

    pub(crate) fn wren(&self, method: &str, params: Value) -> Value {
        self.by("wren", method, params)
    }

    pub(crate) fn refused(&self, method: &str, params: Value) -> ErrorKind {
        let head = self.store.live().head();
        let refused = self.ask(&agent("wren"), method, params).expect_err("must be refused");
        assert_eq!(self.store.live().head(), head, "a refusal changes nothing");
        refused
    }

    /// Brings a new task of an agent to In Progress.
    pub(crate) fn started(&self, name: &str, more: Value) -> Value {
        let mut params = json!({"title": "x", "type": "docs"});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let id = self.human("task.create", params)["id"].clone();
        let fence = self.by(name, "task.claim", json!({"task": id}))["fence"].clone();
        let plan = json!({"task": id, "fence": fence, "work_plan": ["a", "b", "c"]});
        self.by(name, "task.start", plan);
        id
    }

    pub(crate) fn run(&self, name: &str, more: Value) -> Value {
        let mut params = json!({"session": "s"});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.by(name, "run.start", params)["run"].clone()
    }

    pub(crate) fn spend(&self, name: &str, run: &Value, cost: i64) -> Value {
        self.by(name, "run.usage", usage(run, cost))
    }

    pub(crate) fn budget(&self, scope: &str, ask: Value) -> Value {
        let budgets = self.human("budget.get", ask);
        let found = budgets["budgets"].as_array().unwrap().iter().find(|row| row["scope"] == scope);
        found.unwrap_or_else(|| panic!("no {scope} in {budgets}")).clone()
    }

    pub(crate) fn alerts(&self) -> Vec<(String, String)> {
        let list = self.human("alert.list", json!({"limit": 200}));
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let rows = list["items"].as_array().unwrap().iter().rev();
        rows.map(|row| (text(row, "severity"), text(row, "text"))).collect()
    }

    pub(crate) fn pending(&self) -> Vec<Value> {
        let list = self.human("approval.list", json!({"status": "pending", "limit": 200}));
        list["items"].as_array().unwrap().clone()
    }

    pub(crate) fn approve(&self, approval: &Value) {
        let yes = json!({"approval": approval["id"], "rev": approval["rev"],
            "digest": approval["digest"]});
        self.human("approval.approve", yes);
    }

    pub(crate) fn task(&self, id: &Value) -> Value {
        self.human("task.get", json!({"task": id}))
    }

    pub(crate) fn dump(&self) -> Vec<String> {
        let db = rusqlite::Connection::open(Home::under(self.dir.path()).database()).unwrap();
        let mut rows = Vec::new();
        for table in [
            "tasks",
            "agents",
            "runs",
            "approvals",
            "alerts",
            "ledgers",
            "caps",
            "reservations",
            "paces",
            "usages",
            "spend_days",
            "session_tasks",
            "budget_day",
        ] {
            let mut statement =
                db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
            let columns = statement.column_count();
            let found = statement.query_map([], |row| {
                let values: Vec<_> =
                    (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
                Ok(format!("{table}: {}", values.join(" | ")))
            });
            rows.extend(found.unwrap().map(Result::unwrap));
        }
        rows
    }

    /// The journal alone gives the same tables.
    pub(crate) fn rebuilds(self) {
        self.store.shutdown();
        let written = self.dump();
        mcd::store::rebuild(&Home::under(self.dir.path()).database()).unwrap();
        let rebuilt = self.dump();
        for (written, rebuilt) in written.iter().zip(&rebuilt) {
            assert_eq!(written, rebuilt);
        }
        assert_eq!(written.len(), rebuilt.len());
    }
}

/// A folder in memory, where there is one: what is tested here is no disk.
fn quick_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn usage(run: &Value, cost: i64) -> Value {
    json!({"run": run, "model": "mock/m", "input_tokens": 10, "output_tokens": 5, "cost_uusd": cost})
}

pub(crate) fn human() -> Caller {
    Caller {
        actor: Actor::human("ana", Level::L3),
        role: Some(Role::Admin),
        agent: None,
        adapter: None,
        connection: 1,
        factor: Factor::None,
        home: None,
    }
}

pub(crate) fn agent(name: &str) -> Caller {
    Caller {
        actor: Actor::agent(name),
        role: None,
        agent: Some(name.parse().unwrap()),
        adapter: None,
        connection: 2,
        factor: Factor::None,
        home: None,
    }
}
