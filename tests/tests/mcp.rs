//! `mcctl mcp` as clients of the Model Context Protocol speak to it: real frames, a real daemon.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use mc_tests::{PATIENCE, Squad, program, until};
use serde_json::{Value, json};

/// The program, spoken to over its standard input and output.
struct Server {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
}

impl Server {
    fn new(squad: &Squad) -> Self {
        let token = squad.dir().join("wren.token");
        fs::write(&token, squad.token("wren")).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = mcctl_mcp(squad.dir());
        command.env("MC_AGENT", "wren").env("MC_TOKEN_FILE", token);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            use std::io::{BufRead as _, BufReader};
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nothing but frames may stand on standard output.
                let frame = serde_json::from_str(&line).unwrap_or_else(|_| json!({"noise": line}));
                if sender.send(frame).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines }
    }

    /// Starts and shakes hands as clients did until 2025.
    fn greeted(squad: &Squad) -> Self {
        let mut server = Self::new(squad);
        let hello = server.initialize("2025-06-18");
        assert_eq!(hello["result"]["protocolVersion"], "2025-06-18", "{hello}");
        server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
        server
    }

    fn initialize(&mut self, version: &str) -> Value {
        let client = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client});
        self.ask("initialize", &params)
    }

    fn send(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(format!("{line}\n").as_bytes()).unwrap();
        input.flush().unwrap();
    }

    fn hear(&self) -> Value {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.send(
            &json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params})
                .to_string(),
        );
        let answer = self.hear();
        assert_eq!(answer["id"], method, "{answer}");
        answer
    }

    fn tool(&mut self, name: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({"name": name, "arguments": arguments}))
    }

    /// Calls a tool that must do it, and returns what it answers.
    fn ok(&mut self, name: &str, arguments: &Value) -> Value {
        let answer = self.tool(name, arguments)["result"].clone();
        assert_eq!(answer["isError"], false, "{name}: {answer}");
        let text: Value =
            serde_json::from_str(answer["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, answer["structuredContent"], "clients read the one or the other");
        text
    }

    /// Calls a tool that must not do it, and returns what the model is told.
    fn refused(&mut self, name: &str, arguments: &Value) -> String {
        let answer = self.tool(name, arguments)["result"].clone();
        assert_eq!(answer["isError"], true, "{name}: {answer}");
        answer["content"][0]["text"].as_str().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn mcctl_mcp(home: &Path) -> Command {
    let mut command = Command::new(program("mcctl"));
    command.arg("--home").arg(home).arg("mcp").env_remove("MC_SOCKET").env_remove("MC_HOME");
    command.env_remove("MC_AGENT").env_remove("MC_TOKEN_FILE");
    command
}

fn squad() -> Squad {
    let mut squad = Squad::default();
    squad.specialist("wren");
    squad
}

const NAMES: &[&str] = &[
    "agent_heartbeat",
    "session_whoami",
    "task_list",
    "task_get",
    "task_create",
    "task_update",
    "task_claim",
    "task_start",
    "task_submit",
    "task_request_changes",
    "task_report_blocker",
    "task_subscribe",
    "task_unsubscribe",
    "task_timeline",
    "task_answers",
    "message_post",
    "message_list",
    "artifact_put",
    "artifact_get",
    "approval_request",
    "approval_list",
    "approval_get",
    "approval_cancel",
    "tool_check",
    "tool_await",
    "tool_drop",
    "tool_finish",
    "policy_test",
    "budget_get",
    "squad_status",
    "notification_list",
    "notification_ack",
];

#[test]
fn every_handshake_is_answered_and_the_tools_are_those_of_an_agent() {
    let squad = squad();
    let known = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
    for version in known {
        let hello = Server::new(&squad).initialize(version)["result"].clone();
        assert_eq!(hello["protocolVersion"], version, "{hello}");
        assert_eq!(hello["serverInfo"]["name"], "mission-control");
        assert!(hello["instructions"].as_str().unwrap().contains("agent_heartbeat"));
    }
    let unknown = Server::new(&squad).initialize("1999-01-01")["result"].clone();
    assert!(known.contains(&unknown["protocolVersion"].as_str().unwrap()), "{unknown}");

    let listed = Server::greeted(&squad).ask("tools/list", &json!({}))["result"].clone();
    let tools = listed["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, NAMES);
    for tool in tools {
        let schema = &tool["inputSchema"];
        assert_eq!(schema["type"], "object", "{tool}");
        let text = schema.to_string();
        assert!(!text.contains("$ref") && !text.contains("\"null\""), "{text}");
        assert!(tool["description"].as_str().unwrap().ends_with('.'), "{tool}");
    }
}

#[test]
fn clients_without_a_handshake_are_served() {
    let squad = squad();
    let mut server = Server::new(&squad);
    let meta = json!({"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }});
    let found = server.ask("server/discover", &meta);
    let versions = found["result"]["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")), "{found}");
    let listed = server.ask("tools/list", &meta);
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), NAMES.len(), "{listed}");
    let mut call = meta.clone();
    call["name"] = json!("session_whoami");
    let me = server.ask("tools/call", &call);
    assert_eq!(me["result"]["structuredContent"]["name"], "wren", "{me}");
}

#[test]
fn an_agent_does_its_task_with_tools_alone() {
    let squad = squad();
    let mut wren = Server::greeted(&squad);
    assert_eq!(wren.ok("session_whoami", &json!({}))["name"], "wren");
    let task = wren.ok("task_create", &json!({"title": "the page", "type": "docs"}))["id"].clone();
    let beat = wren.ok("agent_heartbeat", &json!({}));
    assert_eq!(beat["claimable"][0]["id"], task, "{beat}");
    let fence = wren.ok("task_claim", &json!({"task": task}))["fence"].clone();
    let few = json!({"task": task, "fence": fence, "work_plan": ["a"]});
    assert!(wren.refused("task_start", &few).contains("3 to 6"));
    let plan = json!({"task": task, "fence": fence, "work_plan": ["a", "b", "c"]});
    assert_eq!(wren.ok("task_start", &plan)["task"]["state"], "in_progress");
    wren.ok("message_post", &json!({"task": task, "kind": "comment", "text": "half done"}));
    let put = json!({"task": task, "name": "page.md", "kind": "document", "content": "# Page"});
    let put = wren.tool("artifact_put", &put);
    assert!(put["result"].is_object(), "{put}");
    let items = wren.ok("task_get", &json!({"task": task}))["checklist"].clone();
    let review: Vec<Value> =
        items.as_array().unwrap().iter().map(|i| json!({"item": i, "checked": true})).collect();
    let submit = json!({"task": task, "fence": fence, "deliverable": "the page",
        "self_review": review, "evidence": ["read twice"]});
    assert_eq!(wren.ok("task_submit", &submit)["task"]["state"], "review");
    assert_eq!(wren.ok("task_list", &json!({}))["total"], 1);
}

#[test]
fn a_call_is_asked_first_and_a_long_wait_holds_nothing_up() {
    let squad = squad();
    let mut wren = Server::greeted(&squad);
    let asked = wren.ok(
        "tool_check",
        &json!({"tool": "exec",
        "arguments": {"command": "npm publish"}, "justification": "release"}),
    );
    assert_eq!(asked["decision"], "ask", "{asked}");
    let (approval, call) = (asked["approval"].clone(), asked["call"].clone());
    let wait = json!({"jsonrpc": "2.0", "id": "wait", "method": "tools/call", "params": {
        "name": "tool_await",
        "arguments": {"approval": approval, "call": call, "wait_ms": 20_000}}});
    wren.send(&wait.to_string());
    assert_eq!(wren.ok("session_whoami", &json!({}))["name"], "wren", "answered meanwhile");
    let mut human = squad.human();
    let seen = human.ok("approval.get", json!({"approval": approval}));
    human.ok(
        "approval.approve",
        json!({"approval": approval, "rev": seen["rev"], "digest": seen["digest"], "note": "ok"}),
    );
    let done = wren.hear();
    assert_eq!(done["id"], "wait", "{done}");
    assert_eq!(done["result"]["structuredContent"]["decision"], "allow", "{done}");
}

#[test]
fn no_human_verb_is_there_and_what_is_wrong_is_said() {
    let squad = squad();
    let mut wren = Server::greeted(&squad);
    for verb in [
        "approval_approve",
        "approval.approve",
        "approval_deny",
        "task_complete",
        "squad_emergency_resume",
        "agent_update",
        "session_unlock",
        "policy_activate",
        "nonsense",
        "",
    ] {
        let refused = wren.tool(verb, &json!({}));
        assert_eq!(refused["error"]["code"], -32602, "{verb}: {refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("no tool"), "{refused}");
    }
    let rows = [
        ("task_get", json!({"task": "T-99"}), "not found"),
        ("task_get", json!({}), "missing field `task`"),
        ("task_list", json!({"colour": 1}), "unknown field `colour`"),
        ("task_claim", json!({"task": 7}), "task.claim"),
        ("approval_get", json!({"approval": "A-9"}), "not found"),
    ];
    for (name, arguments, wanted) in rows {
        let told = wren.refused(name, &arguments);
        assert!(told.contains(wanted), "{name}: {told}");
    }
}

#[test]
fn garbage_and_half_a_frame_are_survived() {
    let squad = squad();
    let mut wren = Server::greeted(&squad);
    for bad in ["garbage", "{\"jsonrpc\":\"2.0\",\"id\":1,", "\0", ""] {
        wren.send(bad);
    }
    for bad in ["[]", "{\"a\":1}}", "{\"jsonrpc\":\"1.0\",\"id\":1}"] {
        wren.send(bad);
        let answer = wren.hear();
        assert_eq!(answer["error"]["code"], -32600, "{bad}: {answer}");
    }
    let unknown = wren.ask("no/such", &json!({}));
    assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
    wren.send(&format!("{{\"x\":\"{}\"}}", "x".repeat(17 * 1024 * 1024)));
    assert_eq!(wren.ok("session_whoami", &json!({}))["name"], "wren");
    drop(wren.input.take());
    let ended = until("it ends with its input", PATIENCE, || wren.child.try_wait().unwrap());
    assert!(ended.success(), "{ended:?}");
}

#[test]
fn a_daemon_that_was_away_is_found_again() {
    let mut squad = squad();
    let mut wren = Server::greeted(&squad);
    let asked =
        wren.ok("tool_check", &json!({"tool": "exec", "arguments": {"command": "npm publish"}}));
    let wait = json!({"jsonrpc": "2.0", "id": "wait", "method": "tools/call", "params": {
        "name": "tool_await",
        "arguments": {"approval": asked["approval"], "call": asked["call"], "wait_ms": 20_000}}});
    wren.send(&wait.to_string());
    // Once this is answered, the daemon has the one before it too.
    wren.ok("session_whoami", &json!({}));
    squad.kill();
    let lost = wren.hear();
    assert_eq!((&lost["id"], &lost["result"]["isError"]), (&json!("wait"), &json!(true)));
    let told = lost["result"]["content"][0]["text"].as_str().unwrap();
    assert!(told.contains("may have been done or not"), "{told}");
    let away = wren.refused("task_list", &json!({}));
    assert!(
        away.contains("Mission Control is away") && away.contains("Nothing was done"),
        "{away}"
    );
    squad.start();
    assert_eq!(wren.ok("task_list", &json!({}))["total"], 0);
}

#[test]
fn without_an_agent_there_is_no_server() {
    let squad = squad();
    let done = mcctl_mcp(squad.dir()).stdin(Stdio::null()).output().unwrap();
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    assert!(done.stdout.is_empty());
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(told.contains("MC_AGENT and MC_TOKEN_FILE"), "{told}");
}
