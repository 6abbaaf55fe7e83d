//! What a stop ends, and what it leaves as it was.

use mc_core::squad::StopReport;

use super::*;

fn halted(bench: &Bench) {
    bench.store.live().halt.set("ana: fire").unwrap();
    let by = Actor::human("ana", Level::L3);
    bench.system(SystemCommand::Halt { by, reason: "fire".into() });
}

fn resume(bench: &Bench, more: Value) -> Result<Value, ErrorKind> {
    let mut params = json!({"reason": "out"});
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bench.human("squad.emergency_resume", params)
}

fn is_halted(bench: &Bench) -> bool {
    bench.human("squad.status", json!({})).unwrap()["squad"]["status"] == "halted"
}

fn approve(bench: &Bench, id: &Value) {
    let asked = bench.human("approval.get", json!({"approval": id})).unwrap();
    let yes = json!({"approval": id, "rev": asked["rev"], "digest": asked["digest"]});
    bench.human("approval.approve", yes).unwrap();
}

fn status(bench: &Bench, approval: &Value) -> Value {
    bench.human("approval.get", json!({"approval": approval})).unwrap()["status"].clone()
}

#[test]
fn no_stop_and_no_time_takes_back_what_was_approved_and_has_happened() {
    for act in ["halt", "agent.pause", "squad.pause", "clock", "time"] {
        let bench = Bench::with_agent();
        let task = format!("T-{}", bench.started());
        let ask = json!({"kind": "escalation", "summary": "which way?", "task": task,
            "justification": "two ways", "expires_in_s": 60});
        let decided = bench.agent("approval.request", ask).unwrap()["id"].clone();
        let unused = bench.agent("tool.check", exec("ship")).unwrap()["approval"].clone();
        approve(&bench, &decided);
        approve(&bench, &unused);
        let beat = bench.agent("agent.heartbeat", json!({})).unwrap();
        assert_eq!(beat["decisions"].as_array().unwrap().len(), 2, "the agent hears of both");
        match act {
            "halt" => halted(&bench),
            "clock" => bench.system(SystemCommand::ClockJumped { by_ms: -10_000 }),
            "time" => {
                bench.clock.advance(Duration::from_hours(30));
                bench.system(SystemCommand::Tick);
            }
            pause => drop(
                bench
                    .human(pause, json!({"agent": "wren", "reason": "r"}))
                    .or_else(|_| bench.human(pause, json!({"reason": "r"}))),
            ),
        }
        assert_eq!(status(&bench, &decided), "approved", "{act}");
        assert_ne!(status(&bench, &unused), "approved", "{act}: its call has not run");
    }
}

#[test]
fn a_choice_that_nothing_fits_ends_no_stop() {
    let bench = Bench::with_agent();
    bench.started();
    let crow =
        json!({"name": "crow", "autonomy": "lead", "runtime": "openclaw", "workspace": "/w"});
    bench.human("agent.register", crow).unwrap();
    halted(&bench);
    assert_eq!(resume(&bench, json!({"agents": ["wrne"]})), Err(ErrorKind::NotFound));
    assert_eq!(resume(&bench, json!({"agents": ["crow"]})), Err(ErrorKind::InvalidParams));
    assert_eq!(resume(&bench, json!({"tasks": ["T-99"]})), Err(ErrorKind::InvalidParams));
    assert!(is_halted(&bench));
    let done = resume(&bench, json!({"agents": ["wren"]})).unwrap();
    assert_eq!(done["tasks"], json!(["T-1"]));
    assert!(!is_halted(&bench));
}

#[test]
fn what_ran_before_a_stop_goes_on_after_it_by_the_gate_alone() {
    let bench = Bench::with_agent();
    bench.started();
    let run =
        bench.agent("run.start", json!({"session": "agent:wren:main"})).unwrap()["run"].clone();
    halted(&bench);
    let goes_on = json!({"agent": "wren", "state": "not_stopped", "was_working": true,
        "after_ms": 2000});
    let report: StopReport = serde_json::from_value(json!({"at": Timestamp(0), "by": "ana",
        "reason": "fire", "agents": [goes_on], "in_flight": []}))
    .unwrap();
    bench.system(SystemCommand::ReportStop { report: Box::new(report) });
    let open = |bench: &Bench| {
        let all = bench.human("alert.list", json!({"status": "open"})).unwrap()["items"].clone();
        all.as_array().unwrap().iter().filter(|one| one["kind"] == "security").count()
    };
    assert_eq!(open(&bench), 1, "NOT STOPPED");
    let of = |bench: &Bench| bench.human("run.get", json!({"run": run})).unwrap()["status"].clone();
    assert_eq!(of(&bench), "running", "nobody has seen it end");
    resume(&bench, json!({})).unwrap();
    bench.store.live().halt.clear().unwrap();
    assert_eq!((of(&bench), open(&bench)), (json!("aborted"), 0));
    let call = json!({"tool": EXEC, "arguments": {"command": "ls"}, "run": run});
    assert_ne!(bench.agent("tool.check", call).unwrap()["decision"], "allow");
    // What it used meanwhile still counts.
    let usage =
        json!({"run": run, "model": "m", "input_tokens": 1, "output_tokens": 1, "cost_uusd": 5});
    bench.agent("run.usage", usage).unwrap();
}

#[test]
fn a_resume_of_the_squad_ends_its_drain_and_no_other() {
    let bench = Bench::with_agent();
    for name in ["crow", "ibis"] {
        let params =
            json!({"name": name, "autonomy": "lead", "runtime": "openclaw", "workspace": "/w"});
        bench.human("agent.register", params).unwrap();
    }
    let task = format!("T-{}", bench.started());
    let why = json!({"reason": "r"});
    bench.human("agent.drain", json!({"agent": "ibis", "reason": "its model is bad"})).unwrap();
    bench.human("squad.drain", json!({"reason": "an upgrade"})).unwrap();
    bench.system(SystemCommand::Tick);
    let status =
        |name: &str| bench.human("agent.get", json!({"agent": name})).unwrap()["status"].clone();
    assert_eq!((status("wren"), status("crow")), (json!("drained"), json!("paused")));
    let done = bench.human("squad.resume", why.clone()).unwrap();
    assert!(done["text"].as_str().unwrap().contains("2 agents"), "{done}");
    assert_eq!((status("wren"), status("crow")), (json!("active"), json!("active")));
    assert_eq!(status("ibis"), "paused", "it was drained by itself");
    assert_eq!(bench.human("squad.resume", why), Err(ErrorKind::TransitionRefused));
    assert_eq!(bench.human("task.get", json!({"task": task})).unwrap()["state"], "in_progress");
}
