//! The daemon under load and at rest.

use std::{
    fs,
    io::Write as _,
    sync::mpsc,
    time::{Duration, Instant},
};

use mc_tests::{Client, Setup, Squad, percentile};
use serde_json::{Value, json};

use crate::{
    Options,
    baseline::Raw,
    load::{Load, Until},
    report::{at_least, at_most, ms, plain, spread},
};

const AGENTS: usize = 16;

/// Measures everything that concerns the daemon.
pub(crate) fn measure(options: &Options, raw: &Raw) -> Value {
    let mut document = json!({});
    at_rest(options, &mut document);
    let squad = squad(options);
    fill(&squad, 100);
    document["task_create_1"] = creates(&squad, options, 1, raw.rows_1);
    document["task_create_64"] = creates(&squad, options, 64, raw.rows_64);
    document["tool_check_1"] = checks(&squad, options, 1);
    document["tool_check_64"] = checks(&squad, options, 64);
    document["reads_64"] = reads(&squad, options);
    document["feed"] = feed(&squad);
    drop(squad);
    document["claim_race"] = claims(options);
    full(options, &mut document);
    if options.long {
        document["cost_by_events"] = by_events(options);
    }
    document
}

/// Starts a squad of [`AGENTS`] without limits of rate.
pub(crate) fn squad(options: &Options) -> Squad {
    let limits = "requests_per_second = 1000000\nburst = 1000000\nconnections_per_agent = 1000\n";
    let setup = Setup { limits: limits.into(), ..Setup::default() };
    let dir = tempfile::tempdir_in(&options.dir).unwrap();
    let mut squad = Squad::owning(dir, &setup);
    for at in 0..AGENTS {
        squad.specialist(&format!("agent-{at}"));
    }
    squad
}

/// Opens connections of the agents, one after the other.
pub(crate) fn load(squad: &Squad, connections: usize) -> Load {
    let who: Vec<(String, String)> = (0..connections)
        .map(|at| {
            let name = format!("agent-{}", at % AGENTS);
            let token = squad.token(&name).to_owned();
            (name, token)
        })
        .collect();
    Load::open(&squad.home().agent_socket(), &who)
}

fn create(out: &mut Vec<u8>, id: u64) {
    write!(
        out,
        r#"{{"jsonrpc":"2.0","id":{id},"method":"task.create","params":{{"title":"Task number {id} of the load","type":"docs","description":"What there is to do, in a sentence of the usual length, and one more."}}}}"#
    )
    .unwrap();
}

fn fill(squad: &Squad, tasks: u64) {
    let done = load(squad, 64).run(Until::Count(tasks), |out, _, id| create(out, id));
    assert_eq!(done.refused, 0, "every task of the filling is created");
}

fn creates(squad: &Squad, options: &Options, clients: usize, raw: f64) -> Value {
    let done =
        &mut load(squad, clients).run(Until::Time(options.each), |out, _, id| create(out, id));
    let mut document = done.document();
    let (p50, p99) = (done.ms(0.5), done.ms(0.99));
    document["share_of_raw_sqlite"] = json!((done.rate() / raw * 100.0).round() / 100.0);
    document["figures"] = if clients == 1 {
        json!([at_most(p50, "ms p50", 0.5), at_most(p99, "ms p99", 1.5)])
    } else {
        json!([
            at_least(done.rate(), "per second", 20_000.0),
            at_most(p99, "ms p99", 8.0),
            at_least(done.rate() / raw, "of raw SQLite", 0.5),
        ])
    };
    document
}

fn checks(squad: &Squad, options: &Options, clients: usize) -> Value {
    let done = &mut load(squad, clients).run(Until::Time(options.each), |out, _, id| {
        write!(
            out,
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tool.check","params":{{"tool":"read","arguments":{{"path":"/w/src/file-{id}.md"}},"session":"agent:main"}}}}"#
        )
        .unwrap();
    });
    let mut document = done.document();
    let (p50, p99) = (done.ms(0.5), done.ms(0.99));
    document["figures"] = if clients == 1 {
        json!([at_most(p50, "ms p50", 0.5), at_most(p99, "ms p99", 1.5)])
    } else {
        json!([at_least(done.rate(), "per second", 20_000.0), at_most(p99, "ms p99", 8.0)])
    };
    document
}

fn reads(squad: &Squad, options: &Options) -> Value {
    let mut document = json!({});
    let asks = [
        ("ping", r#""ping","params":{}"#),
        ("agent_get", r#""agent.get","params":{"agent":"agent-3"}"#),
        ("squad_status", r#""squad.status","params":{}"#),
        ("task_get", r#""task.get","params":{"task":"T-7"}"#),
    ];
    for (name, ask) in asks {
        let done = &mut load(squad, 64).run(Until::Time(options.each), |out, _, id| {
            write!(out, r#"{{"jsonrpc":"2.0","id":{id},"method":{ask}}}"#).unwrap();
        });
        document[name] = done.document();
        document[name]["figures"] = json!([at_least(done.rate(), "per second", 60_000.0)]);
    }
    document
}

/// How long after the answer, and after the request, the same event is in somebody's feed.
fn feed(squad: &Squad) -> Value {
    let (heard, items) = mpsc::channel();
    let mut follower = squad.operator();
    follower.ok("feed.subscribe", json!({}));
    std::thread::spawn(move || {
        while let Ok(notice) = follower.notice(Duration::from_secs(2)) {
            let Some(item) = notice else { return };
            if item["method"] == "feed.item" && heard.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    let mut agent = squad.agent("agent-0");
    let (mut after_request, mut after_answer) = (Vec::new(), Vec::new());
    for at in 0..500 {
        let asked = Instant::now();
        agent.ok("task.create", json!({"title": format!("fed {at}"), "type": "docs"}));
        let answered = Instant::now();
        let Ok(seen) = items.recv_timeout(Duration::from_secs(5)) else { break };
        while items.try_recv().is_ok() {}
        after_request.push(seen - asked);
        after_answer.push(seen.saturating_duration_since(answered));
    }
    json!({"after_request": spread(&mut after_request), "after_answer": spread(&mut after_answer)})
}

/// All agents claim the same task at once, time and again.
fn claims(options: &Options) -> Value {
    let squad = squad(options);
    let mut human = squad.human();
    let mut load = load(&squad, AGENTS);
    let (mut times, mut wrong) = (Vec::new(), 0);
    for _ in 0..50 {
        let task = human.ok("task.create", json!({"title": "race", "type": "docs"}));
        let task = task["id"].as_str().unwrap().to_owned();
        let count = Until::Count(AGENTS as u64);
        let done = load.run(count, |out, _, id| {
            let claim = r#""method":"task.claim","params":{"task":"#;
            write!(out, r#"{{"jsonrpc":"2.0","id":{id},{claim}"{task}"}}}}"#).unwrap();
        });
        times.push(done.elapsed);
        wrong += u64::from(done.count - done.refused != 1);
    }
    let mut document = spread(&mut times);
    document["agents"] = json!(AGENTS);
    document["rounds_without_exactly_one_holder"] = json!(wrong);
    document
}

fn at_rest(options: &Options, document: &mut Value) {
    let mut squad = squad(options);
    let mut starts = Vec::new();
    for _ in 0..10 {
        squad.stop();
        starts.push(squad.start());
    }
    document["start_empty"] = at_most(ms(percentile(&mut starts, 0.5)), "ms", 10.0);
    std::thread::sleep(Duration::from_secs(1));
    document["memory_idle"] = at_most(resident(&squad), "MiB", 12.0);
    let before = switches(&squad);
    std::thread::sleep(Duration::from_secs(10));
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let woken = (switches(&squad) - before) as f64 / 10.0;
    document["wake_ups_idle"] = at_most(woken, "per second", 1.0);
}

fn full(options: &Options, document: &mut Value) {
    let mut squad = squad(options);
    fill(&squad, 10_000);
    let mut human = squad.operator();
    let pages = [
        ("list_page_50", json!({})),
        ("list_page_200", json!({"limit": 200})),
        ("list_filtered", json!({"filter": "state:inbox", "limit": 50})),
    ];
    for (name, params) in pages {
        let mut times: Vec<Duration> = (0..200)
            .map(|_| {
                let asked = Instant::now();
                human.ok("task.list", params.clone());
                asked.elapsed()
            })
            .collect();
        document[name] = spread(&mut times);
    }
    let mut times: Vec<Duration> = (0..20)
        .map(|_| {
            let asked = Instant::now();
            human.ok("snapshot.get", json!({}));
            asked.elapsed()
        })
        .collect();
    document["snapshot_10000"] = spread(&mut times);
    document["memory_after_filling"] = plain(resident(&squad), "MiB");
    let mut starts = Vec::new();
    for _ in 0..10 {
        squad.stop();
        starts.push(squad.start());
    }
    document["start_10000"] = at_most(ms(percentile(&mut starts, 0.5)), "ms", 25.0);
    squad.kill();
    document["start_10000_after_kill"] = plain(ms(squad.start()), "ms");
    let mut client = squad.operator();
    client.ok("task.list", json!({"limit": 200}));
    client.ok("squad.status", json!({}));
    document["memory_10000"] = at_most(resident(&squad), "MiB", 25.0);
}

/// What one command costs as the journal grows.
fn by_events(options: &Options) -> Value {
    let squad = squad(options);
    let mut rows = Vec::new();
    for events in [1_000, 10_000, 100_000, 1_000_000] {
        let head = head(&mut squad.operator());
        fill(&squad, events - head.min(events));
        let one = load(&squad, 1).run(Until::Time(options.each), |out, _, id| create(out, id));
        let many = load(&squad, 64).run(Until::Time(options.each), |out, _, id| create(out, id));
        let (mut one, mut many) = (one, many);
        rows.push(json!({"events": events, "one": one.document(), "64": many.document()}));
    }
    rows.into()
}

fn head(client: &mut Client) -> u64 {
    client.ok("ping", json!({}))["head"].as_u64().unwrap()
}

/// Returns the daemon's resident memory in MiB.
fn resident(squad: &Squad) -> f64 {
    let pid = squad.pid().as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    (kib / 102.4).round() / 10.0
}

/// Returns how often the daemon's threads went to sleep.
fn switches(squad: &Squad) -> u64 {
    let pid = squad.pid().as_raw_nonzero();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or_default()
    };
    tasks.map(|task| of(task.unwrap())).sum()
}
