//! Who may do what: no agent does a human act, no frame says who its sender is, no role and no
//! level does more than it may, and the law of tasks holds through the wire.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use mc_proto::method::{METHODS, Who};
use mc_tests::{Client, Operator, PASSPHRASE, Setup, Squad, code, is_root};
use serde_json::{Value, json};

/// What only humans do, as if it were meant: the thing named is there and the move is possible.
fn human_acts() -> Vec<(&'static str, Value)> {
    let why = || json!({"reason": "because"});
    let task = |more: Value| with(json!({"task": "T-1"}), &more);
    let agent = || json!({"agent": "wren", "reason": "because"});
    let decide = || json!({"approval": "A-1", "rev": 1, "digest": "0".repeat(64), "note": "yes"});
    let enrol = json!({"name": "evil", "runtime": "openclaw", "agents": ["wren"]});
    let mut acts = vec![
        ("session.unlock", json!({"passphrase": PASSPHRASE})),
        ("session.lock", json!({})),
        ("session.challenge", json!({"method": "ping", "params": {}})),
        ("task.complete", task(json!({"note": "good"}))),
        ("task.block", task(why())),
        ("task.unblock", task(json!({"note": "go on"}))),
        ("task.cancel", task(why())),
        ("task.reopen", task(why())),
        ("agent.update", json!({"agent": "wren", "rev": 1, "set": {"autonomy": "lead"}})),
        ("agent.rotate_token", json!({"agent": "wren"})),
        ("agent.revoke_token", json!({"agent": "crow"})),
        ("agent.pause", agent()),
        ("agent.resume", agent()),
        ("agent.drain", agent()),
        ("agent.quarantine", agent()),
        ("agent.stop", agent()),
        ("adapter.enrol", enrol),
        ("policy.history", json!({})),
        ("policy.validate", json!({"toml": ""})),
        ("policy.replay", json!({"toml": ""})),
        ("policy.activate", json!({"toml": "", "note": "mine"})),
        ("approval.approve", decide()),
        ("approval.deny", decide()),
        (
            "approval.edit",
            json!({"approval": "A-1", "rev": 1, "digest": "00", "arguments": {"command": "ls"}}),
        ),
        (
            "approval.decide",
            json!({"decision": "approve", "items": [
            {"approval": "A-1", "rev": 1, "digest": "0".repeat(64)}]}),
        ),
        ("rule.list", json!({})),
        ("rule.revoke", json!({"rule": "S-1"})),
        ("budget.set", json!({"scope": "squad_day", "cap_uusd": 900_000_000, "reason": "mine"})),
        ("budget.release", json!({"reservation": "B-1", "reason": "mine"})),
        ("cost.recompute", json!({"since": "2026-01-01", "reason": "mine"})),
        ("squad.pause", why()),
        ("squad.resume", why()),
        ("squad.drain", why()),
        ("squad.emergency_stop", why()),
        ("squad.end_runtime", json!({"pid": 4242, "reason": "mine"})),
        ("squad.emergency_resume", why()),
        ("alert.ack", json!({"alert": "W-1"})),
        ("alert.resolve", json!({"alert": "W-1"})),
        ("delivery.list", json!({})),
        ("delivery.get", json!({"delivery": "D-1"})),
        ("delivery.status", json!({})),
        ("delivery.test", json!({"sink": "ops"})),
        ("delivery.retry", json!({})),
        ("audit.verify", json!({})),
    ];
    acts.extend(other_acts());
    acts
}

/// Human acts on schedules, the record and the daemon.
fn other_acts() -> Vec<(&'static str, Value)> {
    let daily = json!({"title": "mine every day", "type": "docs"});
    vec![
        ("agent.evidence", json!({"agent": "crow"})),
        ("audit.export", json!({})),
        ("policy.offer", json!({"task": "T-1"})),
        ("admin.health", json!({})),
        ("schedule.create", json!({"cron": "0 9 * * *", "zone": "UTC", "task": daily})),
        ("schedule.update", json!({"schedule": "J-1", "rev": 1, "set": {"cron": "0 8 * * *"}})),
        ("schedule.list", json!({})),
        ("schedule.get", json!({"schedule": "J-1"})),
        ("schedule.pause", json!({"schedule": "J-1"})),
        ("schedule.resume", json!({"schedule": "J-1"})),
        ("schedule.delete", json!({"schedule": "J-1"})),
    ]
}

/// Human acts through doors that agents have too; `rev` is the tasks' revision.
fn open_doors(rev: &Value) -> Vec<(&'static str, Value)> {
    let to = |state: &str| {
        json!({"task": "T-1", "to": state, "reason": "r", "note": "n", "feedback": "f",
            "deliverable": "d"})
    };
    let new = json!({"name": "evil", "autonomy": "lead", "runtime": "openclaw"});
    vec![
        ("task.transition", to("done")),
        ("task.transition", to("canceled")),
        ("task.transition", to("blocked")),
        ("task.transition", to("inbox")),
        ("task.transition", to("needs_approval")),
        ("task.update", json!({"task": "T-1", "rev": rev, "title": "mine now"})),
        ("task.update", json!({"task": "T-1", "rev": rev, "budget_uusd": 900_000_000})),
        ("task.update", json!({"task": "T-2", "rev": rev, "description": "not mine"})),
        ("agent.register", new),
        ("approval.cancel", json!({"approval": "A-2", "reason": "not mine"})),
        ("notification.ack", json!({"notification": "N-404"})),
    ]
}

fn with(mut params: Value, more: &Value) -> Value {
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    params
}

fn head(client: &mut Client) -> i64 {
    client.ok("ping", json!({}))["head"].as_i64().unwrap()
}

fn shell(command: &str) -> Value {
    json!({"tool": "exec", "arguments": {"command": command}, "session": "agent:main"})
}

/// A squad with two agents at work, each waiting for an approval, and an adapter.
fn busy() -> Squad {
    let mut squad = Squad::default();
    squad.specialist("wren");
    squad.specialist("crow");
    squad.enrol("bridge", &["wren"]);
    for name in ["wren", "crow"] {
        let mut agent = squad.agent(name);
        squad.started_task(&mut agent);
        assert_eq!(agent.ok("tool.check", shell("ship"))["decision"], "ask");
    }
    squad
}

#[test]
fn human_methods_do_not_exist_for_agents_and_change_nothing() {
    let squad = busy();
    let acts = human_acts();
    for method in METHODS.iter().filter(|method| method.who == Who::Human) {
        assert!(acts.iter().any(|(name, _)| *name == method.name), "{} is missing", method.name);
    }
    let mut operator = squad.operator();
    let before = head(&mut operator);
    for (method, params) in &acts {
        let named = with(params.clone(), &json!({"agent": "wren"}));
        for mut client in [squad.agent("wren"), squad.adapter("bridge")] {
            for params in [params, &named, &json!({}), &json!({"nonsense": 1})] {
                let refused = client.refused(method, params.clone());
                let seen = (refused.kind.as_str(), refused.code);
                assert_eq!(seen, ("unknown_method", -32601), "{method} {params}");
            }
        }
    }
    assert_eq!(head(&mut operator), before, "something was recorded");
    assert_eq!(operator.ok("squad.status", json!({}))["halted"], false);
}

#[test]
fn every_method_of_the_table_is_as_open_as_it_says() {
    let squad = busy();
    for method in METHODS {
        let unknown = |mut client: Client| {
            let answer = client.call(method.name, json!({"surely": "unknown"}));
            answer.is_err_and(|trouble| trouble.kind == "unknown_method")
        };
        let no_agents = [Who::Human, Who::Helper].contains(&method.who);
        assert_eq!(unknown(squad.agent("wren")), no_agents, "{}", method.name);
        assert_eq!(unknown(squad.adapter("bridge")), no_agents, "{}", method.name);
        assert_eq!(unknown(squad.operator()), method.who == Who::Helper, "{}", method.name);
        let helpers = ["session.hello", "session.whoami", "ping"].contains(&method.name);
        let is_served = helpers || method.who == Who::Helper;
        assert_eq!(unknown(squad.helper()), !is_served, "{}", method.name);
    }
}

#[test]
fn the_helper_fetches_notices_and_does_nothing_else() {
    let squad = busy();
    let mut operator = squad.operator();
    let before = head(&mut operator);
    let mut helper = squad.helper();
    assert_eq!(helper.ok("session.whoami", json!({}))["kind"], "system");
    for (method, params) in human_acts() {
        assert_eq!(helper.refused(method, params).kind, "unknown_method", "{method}");
    }
    for (method, params) in open_doors(&json!(1)) {
        assert_eq!(helper.refused(method, params).kind, "unknown_method", "{method}");
    }
    assert_eq!(head(&mut operator), before, "something was recorded");
}

#[test]
fn doors_that_agents_share_with_humans_open_no_human_act() {
    let squad = busy();
    let mut operator = squad.operator();
    let before = head(&mut operator);
    let task = operator.ok("task.get", json!({"task": "T-2"}));
    for (method, params) in open_doors(&task["rev"]) {
        let refused = squad.agent("wren").refused(method, params.clone());
        let expected = ["transition_refused", "forbidden", "invalid_params", "not_found"];
        assert!(expected.contains(&refused.kind.as_str()), "{method} {params}: {refused:?}");
        let named = with(params.clone(), &json!({"agent": "wren"}));
        let refused = squad.adapter("bridge").refused(method, named);
        assert!(expected.contains(&refused.kind.as_str()), "{method} {params}: {refused:?}");
    }
    assert_eq!(head(&mut operator), before, "something was recorded");
}

#[test]
fn nobody_says_in_a_frame_who_they_are() {
    let squad = busy();
    let mut operator = squad.operator();
    let before = head(&mut operator);
    let claims = [
        json!({"role": "admin"}),
        json!({"level": "L2"}),
        json!({"actor": {"kind": "human", "name": "ana"}}),
        json!({"actor": "system"}),
        json!({"kind": "human"}),
        json!({"operator": "ana"}),
        json!({"uid": 0}),
        json!({"caller": {"role": "admin"}}),
    ];
    let create = json!({"title": "x", "type": "docs"});
    for claim in &claims {
        let refused = squad.agent("wren").refused("task.create", with(create.clone(), claim));
        assert_eq!(refused.kind, "invalid_params", "{claim}");
        let frame = json!({"jsonrpc": "2.0", "id": 1, "method": "task.create", "params": create});
        let mut wren = squad.agent("wren");
        wren.send_line(with(frame, claim).to_string().as_bytes()).unwrap();
        let answer = wren.frame(mc_tests::PATIENCE).unwrap().unwrap();
        assert_eq!(answer["error"]["data"]["kind"], "invalid_request", "{claim}");
    }
    let other = with(create.clone(), &json!({"agent": "crow"}));
    assert_eq!(squad.agent("wren").refused("task.create", other.clone()).kind, "forbidden");
    assert_eq!(squad.adapter("bridge").refused("task.create", other).kind, "forbidden");
    let nobody = squad.adapter("bridge").refused("tool.check", shell("ship"));
    assert_eq!(nobody.kind, "invalid_params", "an adapter names its agent");
    assert_eq!(head(&mut operator), before, "something was recorded");
}

#[test]
fn an_agents_token_ends_where_it_was_revoked() {
    let squad = busy();
    let mut wren = squad.agent("wren");
    wren.ok("ping", json!({}));
    squad.human().ok("agent.revoke_token", json!({"agent": "wren"}));
    assert_eq!(wren.refused("ping", json!({})).kind, "unauthorized");
    wren.closed(mc_tests::PATIENCE);
    let (socket, token) = (squad.home().agent_socket(), squad.token("wren"));
    let again = Client::hello(&socket, Some("wren"), Some(token)).unwrap_err();
    assert_eq!(again.kind, "unauthorized");
}

#[test]
fn without_a_proof_a_refusal_names_the_level_that_is_needed() {
    let squad = busy();
    let mut operator = squad.operator();
    let detail = operator.ok("approval.get", json!({"approval": "A-1"}));
    let yes = json!({"approval": "A-1", "rev": detail["rev"], "digest": detail["digest"]});
    let refused = operator.refused("approval.approve", yes.clone());
    assert_eq!((refused.kind.as_str(), refused.code), ("forbidden", -32003));
    assert!(refused.message.contains("L1"), "{}", refused.message);
    let wrong = operator.refused("session.unlock", json!({"passphrase": "guess"}));
    assert_eq!(wrong.kind, "forbidden", "{wrong:?}");
    let soon = operator.refused("session.unlock", json!({"passphrase": PASSPHRASE}));
    assert_eq!(soon.kind, "rate_limited", "guessing slows down");
    std::thread::sleep(std::time::Duration::from_millis(
        soon.data["retry_after_ms"].as_u64().unwrap() + 50,
    ));
    operator.unlock(PASSPHRASE);
    squad.operator().refused("approval.approve", yes.clone());
    operator.ok("session.lock", json!({}));
    assert_eq!(operator.refused("approval.approve", yes.clone()).kind, "forbidden");
    operator.unlock(PASSPHRASE);
    operator.ok("approval.approve", yes);
}

/// What operators do through doors that agents have too, read as it must be.
fn shared_acts() -> Vec<(&'static str, Value)> {
    let task = |more: Value| with(json!({"task": "T-1"}), &more);
    let item = json!([{"item": "x", "checked": true}]);
    vec![
        ("task.create", json!({"title": "x", "type": "docs"})),
        ("task.update", task(json!({"rev": 1, "title": "x"}))),
        ("task.transition", task(json!({"to": "review"}))),
        ("task.assign", task(json!({"assignees": ["wren"]}))),
        ("task.start", task(json!({"work_plan": ["a", "b", "c"]}))),
        ("task.submit", task(json!({"deliverable": "d", "self_review": item}))),
        ("task.request_changes", task(json!({"feedback": "f"}))),
        ("task.subscribe", task(json!({}))),
        ("task.unsubscribe", task(json!({}))),
        ("message.post", task(json!({"kind": "comment", "text": "x"}))),
        ("artifact.put", task(json!({"name": "x", "media_type": "text/plain", "text": "x"}))),
        ("agent.register", json!({"name": "new", "autonomy": "intern", "runtime": "other"})),
        ("approval.cancel", json!({"approval": "A-1", "reason": "r"})),
        ("notification.ack", json!({"notification": "N-1"})),
    ]
}

/// Writes the operator's role and the agents' users anew, and waits until both hold.
fn govern(squad: &Squad, role: &str, agents: &str) {
    let path = squad.home().config.join("identity.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| match line.split(' ').next() {
        Some("role") => format!("role = \"{role}\""),
        Some("uids") => format!("uids = {agents}"),
        _ => line.to_owned(),
    });
    let text: Vec<String> = lines.collect();
    std::fs::write(&path, text.join("\n")).unwrap();
    let shared = agents != "[]";
    mc_tests::until("the role holds", mc_tests::PATIENCE, || {
        let me = squad.operator().ok("session.whoami", json!({}));
        (me["role"] == role && me["shared_uid"] == shared).then_some(())
    });
}

#[test]
fn every_method_takes_the_role_and_the_level_that_its_row_says() {
    use mc_core::actor::{Level, Role};
    let squad = Squad::new(&Setup { mode: "system", ..Setup::default() });
    let own = rustix::process::geteuid().as_raw();
    let acts: Vec<(&str, Value)> = human_acts().into_iter().chain(shared_acts()).collect();
    let governed = METHODS.iter().filter(|row| row.need.is_some());
    for row in governed.clone() {
        assert!(acts.iter().any(|(name, _)| *name == row.name), "{} is not tried", row.name);
    }
    let policy = mc_core::policy::Policy::default();
    squad.human().ok("task.create", json!({"title": "T-1", "type": "docs"}));
    let roles = [("viewer", Role::Viewer), ("operator", Role::Operator), ("admin", Role::Admin)];
    let shared = format!("[{own}]");
    let mut tried = 0;
    for (word, role) in roles {
        for (level, agents) in [(Level::L0, "[]"), (Level::L1, shared.as_str()), (Level::L2, "[]")]
        {
            govern(&squad, word, agents);
            let mut client = squad.operator();
            if level > Level::L0 {
                assert_eq!(client.unlock(PASSPHRASE)["level"], level.to_string());
            }
            for row in governed.clone() {
                let Some(need) = row.need else { continue };
                let (_, params) = acts.iter().find(|(name, _)| *name == row.name).unwrap();
                let case = format!("{} by {word} at {level}", row.name);
                let done = client.call(row.name, params.clone());
                let refused = done.err().map(|trouble| (trouble.kind, trouble.message));
                let (kind, text) = refused.unwrap_or_default();
                let levels = need.acts.iter().map(|act| policy.min_level(*act));
                let (least, most) = (levels.clone().min().unwrap(), levels.max().unwrap());
                if role < need.role {
                    assert!(kind == "forbidden" && text.contains("role"), "{case}: {kind} {text}");
                } else if level < least {
                    // Whose risk can't be looked up is refused before its level is known.
                    let is_unknown = row.name == "approval.approve" && kind == "not_found";
                    let is_refused = kind == "forbidden" && text.contains("level");
                    assert!(is_unknown || is_refused, "{case}: {kind} {text}");
                } else if level >= most {
                    let is_ours = text.contains("this needs");
                    assert!(!is_ours, "{case}: {kind} {text}");
                }
                tried += 1;
            }
        }
    }
    assert!(tried >= 9 * 30, "{tried}");
}

const VIEWER: u32 = 65_001;
const OPERATOR: u32 = 65_002;
const AGENT: u32 = 65_010;

/// A squad as a system service has it: people and agents are users of their own.
fn service() -> Squad {
    let person = |name: &str, uid, role| Operator { name: name.into(), uid, role };
    let operators = vec![
        person("ana", 0, "admin"),
        person("vic", VIEWER, "viewer"),
        person("olga", OPERATOR, "operator"),
    ];
    // Agents are registered here; what a red approval needs stands as it is.
    let policy = "[levels]\ntokens = \"L2\"\n".to_owned();
    let system = Setup { mode: "system", policy, has_factors: true, ..Setup::default() };
    let setup = Setup { operators, agent_uids: vec![AGENT], ..system };
    let mut squad = Squad::new(&setup);
    squad.specialist("wren");
    squad.open_doors();
    squad
}

fn frame(id: i64, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn hello(agent: Option<(&str, &str)>) -> Value {
    let mut params = json!({"protocol": 1, "client": {"name": "test", "version": "1"}});
    if let Some((agent, token)) = agent {
        params["agent"] = agent.into();
        params["token"] = token.into();
    }
    frame(0, "session.hello", &params)
}

fn kind(answer: &Value) -> &str {
    answer["error"]["data"]["kind"].as_str().unwrap_or("done")
}

#[test]
fn the_operators_socket_knows_users_and_not_what_they_say() {
    if !is_root("the_operators_socket_knows_users_and_not_what_they_say") {
        return;
    }
    let mut squad = Squad::default();
    squad.specialist("wren");
    let socket = squad.home().operator_socket();
    std::fs::set_permissions(squad.dir(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let outside = squad.as_user(AGENT, &socket, &[hello(None)]);
    assert_eq!(outside, [json!("PermissionDenied")], "the directory keeps others out");
    squad.open_doors();
    for uid in [AGENT, 65_534, 1] {
        let said = squad.as_user(uid, &socket, &[hello(None)]);
        assert_eq!(kind(&said[0]), "unauthorized", "{said:?}");
        let said = squad.as_user(
            uid,
            &squad.home().agent_socket(),
            &[hello(Some(("wren", squad.token("wren"))))],
        );
        assert_ne!(said[0].get("result"), Some(&Value::Null), "{said:?}");
        assert!(said[0].get("result").is_none(), "uid {uid} is no agent's: {said:?}");
    }
    squad.operator().ok("ping", json!({}));
}

#[test]
fn roles_do_what_they_may_and_no_more() {
    if !is_root("roles_do_what_they_may_and_no_more") {
        return;
    }
    let squad = service();
    let socket = squad.home().operator_socket();
    let create = frame(2, "task.create", &json!({"title": "x", "type": "docs"}));
    let pause = frame(3, "squad.pause", &json!({"reason": "tea"}));
    let resume = frame(4, "squad.resume", &json!({"reason": "work"}));
    let tokens = frame(5, "agent.rotate_token", &json!({"agent": "wren"}));
    let list = frame(6, "task.list", &json!({}));
    let unlock = frame(1, "session.unlock", &json!({"passphrase": PASSPHRASE}));
    let ask = [hello(None), unlock, create, pause, resume, tokens, list];
    let outcomes = |uid| -> Vec<String> {
        let answers = squad.as_user(uid, &socket, &ask);
        answers.iter().map(|answer| kind(answer).to_owned()).collect()
    };
    let no = "forbidden";
    assert_eq!(outcomes(VIEWER), ["done", "done", no, no, no, no, "done"]);
    assert_eq!(outcomes(OPERATOR), ["done", "done", "done", "done", "done", no, "done"]);
    assert_eq!(outcomes(0), ["done"; 7]);
}

#[test]
fn where_agents_have_their_own_user_a_red_approval_needs_a_second_factor() {
    if !is_root("where_agents_have_their_own_user_a_red_approval_needs_a_second_factor") {
        return;
    }
    let squad = service();
    let agents = squad.home().agent_socket();
    let check = frame(1, "tool.check", &shell("ship"));
    let said = squad.as_user(AGENT, &agents, &[hello(Some(("wren", squad.token("wren")))), check]);
    assert_eq!(said[1]["result"]["decision"], "ask", "{said:?}");
    let mut ana = squad.operator();
    let detail = ana.ok("approval.get", json!({"approval": "A-1"}));
    let yes = json!({"approval": "A-1", "rev": detail["rev"], "digest": detail["digest"]});
    let refused = ana.refused("approval.approve", yes.clone());
    assert!(refused.message.contains("L3"), "{refused:?}");
    let mut elsewhere = squad.operator();
    elsewhere.unlock(PASSPHRASE);
    let proof = ana.unlock(PASSPHRASE);
    assert_eq!(proof["level"], "L2", "{proof}");
    let refused = ana.refused("approval.approve", yes.clone());
    assert!(refused.message.contains("second factor"), "{refused:?}");

    let open = ana.ok("session.challenge", json!({"method": "approval.approve", "params": yes}));
    let text = open["text"].as_str().unwrap();
    let digest = detail["digest"].as_str().unwrap();
    for line in ["act: approval.approve\napproval: A-1\n", "operator: ana\n", "mc-approval@v1\n"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(text.contains(&format!("digest: {digest}\n")) && text.contains("ship"), "{text}");
    let lifted = |params: &Value, challenge: &Value, code: String| {
        with(params.clone(), &json!({"second_factor": {"challenge": challenge, "totp": code}}))
    };
    let name = &open["challenge"];
    let other = with(yes.clone(), &json!({"note": "other"}));
    let other = ana.refused("approval.approve", lifted(&other, name, code(0)));
    assert!(other.message.contains("another request"), "{other:?}");
    let foreign = elsewhere.refused("approval.approve", lifted(&yes, name, code(0)));
    assert!(foreign.message.contains("not open"), "{foreign:?}");
    let done = ana.ok("approval.approve", lifted(&yes, name, code(0)));
    assert_eq!(level_of(&mut ana, &done["event"]), "L3");

    // The same code lifts nothing else, and a wrong one nothing at all.
    let revoke = json!({"agent": "wren"});
    let asked =
        json!({"method": "agent.pause", "params": with(revoke.clone(), &json!({"reason": "r"}))});
    let again = ana.ok("session.challenge", asked)["challenge"].clone();
    let pause = with(revoke, &json!({"reason": "r"}));
    let used = ana.refused("agent.pause", lifted(&pause, &again, code(0)));
    assert!(used.message.contains("used already"), "{used:?}");
    let wrong = ana.refused("agent.pause", lifted(&pause, &again, "000000".into()));
    assert!(wrong.message.contains("wrong"), "{wrong:?}");
    let slow = ana.refused("agent.pause", lifted(&pause, &again, code(1)));
    assert_eq!(slow.kind, "rate_limited", "{slow:?}");
    let agent = frame(1, "ping", &json!({"second_factor": {"challenge": "x", "totp": "1"}}));
    let said = squad.as_user(AGENT, &agents, &[hello(Some(("wren", squad.token("wren")))), agent]);
    assert_eq!(said[1]["error"]["data"]["kind"], "invalid_params", "{said:?}");
}

/// The assurance level that stands in the journal at an event.
fn level_of(human: &mut Client, event: &Value) -> String {
    let rows = human.ok("audit.export", json!({"limit": 200}));
    let rows = rows["items"].as_array().unwrap();
    let row = rows.iter().find(|row| format!("e{}", row["seq"]) == *event).unwrap();
    row["actor"]["level"].as_str().unwrap().to_owned()
}

const STATES: [&str; 8] =
    ["inbox", "assigned", "in_progress", "review", "needs_approval", "blocked", "done", "canceled"];

/// Moves that are in the law but whose guard does not hold for the task as it was made here.
fn is_guarded(from: &str, to: &str, actor: &str) -> bool {
    match (from, actor) {
        // The approval was not granted.
        ("needs_approval", "human") => ["inbox", "assigned", "in_progress", "review"].contains(&to),
        // It was blocked from In Progress.
        ("blocked", "human") => ["inbox", "review"].contains(&to),
        // The agent is the assignee and no reviewer.
        ("review", "agent") => to == "in_progress",
        _ => false,
    }
}

#[test]
fn the_law_of_tasks_holds_for_all_192_combinations() {
    let policy =
        "[limits]\npending_per_agent = 1000\npending_per_squad = 1000\n[agents]\ncapacity = 100\n"
            .to_owned();
    let mut squad = Squad::new(&Setup { policy, ..Setup::default() });
    squad.specialist("wren");
    let (mut wren, mut human) = (squad.agent("wren"), squad.human());
    let table = human.ok("task.transitions", json!({}));
    let rows = table["transitions"].as_array().unwrap();
    let mut tried = 0;
    for from in STATES {
        for to in STATES {
            for actor in ["human", "agent", "system"] {
                tried += 1;
                let (task, fence) = squad.task_in(from, &mut wren, &mut human);
                let mut params = json!({"task": task, "to": to, "reason": "r", "note": "n",
                    "feedback": "f", "deliverable": "d", "evidence": ["e"],
                    "self_review": Squad::self_review(&mut human, &task),
                    "work_plan": ["a", "b", "c"], "assignees": ["wren"]});
                let before = head(&mut human);
                let case = format!("{from} -> {to} by {actor}");
                if actor == "system" {
                    // Nobody is the system by saying so.
                    params["actor"] = "system".into();
                    assert_eq!(
                        human.refused("task.transition", params.clone()).kind,
                        "invalid_params"
                    );
                    assert_eq!(wren.refused("task.transition", params).kind, "invalid_params");
                    assert_eq!(head(&mut human), before, "{case}");
                    continue;
                }
                let done = if actor == "human" {
                    human.call("task.transition", params)
                } else {
                    params["fence"] = fence;
                    wren.call("task.transition", params)
                };
                let is_row = |row: &&Value| {
                    let by = row["by"].as_array().into_iter().flatten();
                    row["from"] == from && row["to"] == to && by.clone().any(|by| by == actor)
                };
                let open = rows.iter().any(|row| is_row(&row));
                if open && !is_guarded(from, to, actor) {
                    assert!(done.is_ok(), "{case}: {done:?}");
                    assert_eq!(done.unwrap()["task"]["state"], to, "{case}");
                } else {
                    let refused = done.expect_err(&case);
                    assert_eq!(refused.kind, "transition_refused", "{case}: {refused:?}");
                    assert_eq!(head(&mut human), before, "{case}");
                }
            }
        }
    }
    assert_eq!(tried, 192);
}
