//! Bad input on the sockets: each frame gets the error of the protocol or ends its connection, and
//! the daemon goes on serving everybody else.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use mc_tests::{Client, HELLO, PATIENCE, Setup, Squad, percentile, until};
use serde_json::{Value, json};

/// What a frame gets after a good hello.
const FRAMES: &[(&str, &str)] = &[
    ("", "parse"),
    (" ", "parse"),
    ("nonsense", "parse"),
    ("{", "parse"),
    ("}", "parse"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1", "parse"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",}", "parse"),
    ("{'jsonrpc':'2.0','id':1,'method':'ping'}", "parse"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} {}", "parse"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\u{1}ng\"}", "parse"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\\ud800\"}", "parse"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":NaN}", "parse"),
    ("// {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", "parse"),
    ("\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", "parse"),
    ("GET / HTTP/1.1", "parse"),
    ("null", "invalid_request"),
    ("true", "invalid_request"),
    ("7", "invalid_request"),
    ("\"ping\"", "invalid_request"),
    ("[]", "invalid_request"),
    ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", "invalid_request"),
    ("{}", "invalid_request"),
    ("{\"id\":1,\"method\":\"ping\"}", "invalid_request"),
    ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", "invalid_request"),
    ("{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"ping\"}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"id\":99999999999999999999,\"method\":\"ping\"}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"role\":\"admin\"}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"\\u0069d\":2}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"result\":{}}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}", "invalid_request"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}", "unknown_method"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"Ping\"}", "unknown_method"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.discover\"}", "unknown_method"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"task.delete\",\"params\":{}}", "unknown_method"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":[]}", "invalid_params"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"x\":1}}", "invalid_params"),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"task.get\"}", "invalid_params"),
    (
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"task.get\",\"params\":{\"task\":7}}",
        "invalid_params",
    ),
    (
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"task.get\",\"params\":{\"task\":\"T-0x7\"}}",
        "invalid_params",
    ),
    (
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"task.get\",\"params\":{\"task\":\"T-404\"}}",
        "not_found",
    ),
    (
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session.hello\",\"params\":{\"protocol\":1,\"client\":{\"name\":\"x\",\"version\":\"1\"}}}",
        "invalid_request",
    ),
];

/// Sends a frame and returns the kind of the error that comes; `lost` when the daemon closes.
fn kind_of(client: &mut Client, frame: &[u8]) -> String {
    // The daemon may close before all of a bad frame was sent.
    client.send_line(frame).ok();
    match client.frame(PATIENCE) {
        Ok(Some(answer)) => answer["error"]["data"]["kind"].as_str().unwrap_or("done").to_owned(),
        Ok(None) => "silence".to_owned(),
        Err(trouble) => trouble.kind,
    }
}

#[test]
fn every_bad_frame_gets_its_error_and_the_connection_goes_on() {
    let mut squad = Squad::default();
    squad.specialist("wren");
    assert!(FRAMES.len() >= 40);
    for (frame, expected) in FRAMES {
        for mut client in [squad.operator(), squad.agent("wren")] {
            assert_eq!(kind_of(&mut client, frame.as_bytes()), *expected, "{frame}");
            client.ok("ping", json!({}));
        }
    }
    let head = squad.operator().ok("ping", json!({}))["head"].clone();
    assert_eq!(squad.operator().ok("audit.verify", json!({}))["head"], head);
}

#[test]
fn binary_deep_and_wide_frames_are_refused() {
    let squad = Squad::default();
    let nested = |n: usize| {
        let (open, close) = ("[".repeat(n), "]".repeat(n));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":{open}{close}}}}}"#)
    };
    let wide = |n: usize| {
        let keys: Vec<String> = (0..n).map(|at| format!("\"k{at}\":0")).collect();
        let keys = keys.join(",");
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":{{{keys}}}}}}}"#)
    };
    let not_utf8 = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}".to_vec();
    let all_bytes: Vec<u8> = (0..=255_u8).filter(|byte| *byte != b'\n').collect();
    let cases = [
        (nested(30).into_bytes(), "invalid_params"),
        (nested(31).into_bytes(), "invalid_request"),
        (nested(100_000).into_bytes(), "invalid_request"),
        (wide(256).into_bytes(), "invalid_params"),
        (wide(257).into_bytes(), "invalid_request"),
        (not_utf8, "parse"),
        (all_bytes, "parse"),
        (vec![0; 4096], "parse"),
    ];
    for (frame, expected) in cases {
        let mut client = squad.operator();
        let shown = String::from_utf8_lossy(&frame[..frame.len().min(60)]).into_owned();
        assert_eq!(kind_of(&mut client, &frame), expected, "{shown}");
        client.ok("ping", json!({}));
    }
}

/// Returns a hello or a ping that is exactly so long.
fn padded(line: &str, bytes: usize) -> Vec<u8> {
    let mut frame = line.as_bytes().to_vec();
    frame.resize(bytes, b' ');
    frame
}

#[test]
fn frames_end_at_their_limit_and_not_before() {
    let squad = Squad::default();
    let socket = squad.home().operator_socket();
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let first = |bytes| kind_of(&mut Client::connect(&socket).unwrap(), &padded(HELLO, bytes));
    assert_eq!(first(4 * 1024), "done");
    assert_eq!(first(4 * 1024 + 1), "too_large");
    let later = |bytes| kind_of(&mut squad.operator(), &padded(ping, bytes));
    assert_eq!(later(256 * 1024), "done");
    assert_eq!(later(256 * 1024 + 1), "too_large");

    let mut endless = squad.operator();
    let part = [b'x'; 8192];
    let sent = (0..1000).take_while(|_| endless.send_bytes(&part).is_ok()).count();
    assert!(sent < 1000, "the daemon took an endless frame");
    squad.operator().ok("ping", json!({}));
}

#[test]
fn texts_end_at_their_limit_and_not_before() {
    let squad = Squad::default();
    let mut human = squad.human();
    let mut create = |title: usize, text: usize| {
        let params =
            json!({"title": "t".repeat(title), "type": "docs", "description": "d".repeat(text)});
        human.call("task.create", params).map_or_else(|trouble| trouble.kind, |_| "done".into())
    };
    assert_eq!(create(512, 64 * 1024), "done");
    for (title, text) in [(513, 1), (1, 64 * 1024 + 1), (0, 1)] {
        let kind = create(title, text);
        assert!(["too_large", "invalid_params"].contains(&kind.as_str()), "{title} {text}: {kind}");
    }
    assert_eq!(human.ok("task.list", json!({}))["total"], 1);
}

#[test]
fn long_arguments_are_denied_and_not_judged() {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let mut wren = squad.agent("wren");
    let mut check = |bytes: usize| {
        let arguments = json!({"path": "/w/a", "note": "n".repeat(bytes)});
        wren.ok("tool.check", json!({"tool": "read", "arguments": arguments}))
    };
    let around = json!({"path": "/w/a", "note": ""}).to_string().len();
    assert_eq!(check(128 * 1024 - around)["decision"], "allow");
    let over = check(128 * 1024 - around + 1);
    assert_eq!(over["decision"], "deny", "{over}");
}

#[test]
fn who_does_not_say_hello_is_nobody() {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let (home, token) = (squad.home(), squad.token("wren").to_owned());
    let say = |socket: &std::path::Path, params: Value| {
        let mut client = Client::connect(socket).unwrap();
        let frame = json!({"jsonrpc": "2.0", "id": 1, "method": "session.hello", "params": params});
        let kind = kind_of(&mut client, frame.to_string().as_bytes());
        if kind != "done" {
            client.closed(PATIENCE);
        }
        kind
    };
    let client = json!({"name": "x", "version": "1"});
    let hello = |protocol: i64, agent: &str, token: &str| json!({"protocol": protocol, "client": client, "agent": agent, "token": token});
    let agents = home.agent_socket();
    assert_eq!(say(&agents, hello(1, "wren", &token)), "done");
    assert_eq!(say(&agents, hello(2, "wren", &token)), "invalid_params");
    assert_eq!(say(&agents, hello(1, "crow", &token)), "unauthorized");
    assert_eq!(say(&agents, hello(1, "wren", "nonsense")), "unauthorized");
    assert_eq!(say(&agents, hello(1, "wren", "")), "unauthorized");
    assert_eq!(say(&agents, hello(1, "wren", &token[..token.len() - 1])), "unauthorized");
    assert_eq!(say(&agents, json!({"protocol": 1, "client": client})), "unauthorized");
    assert_eq!(say(&agents, json!({"protocol": 1})), "invalid_params");
    let with_role =
        json!({"protocol": 1, "client": client, "agent": "wren", "token": token, "role": "admin"});
    assert_eq!(say(&agents, with_role), "invalid_params");
    assert_eq!(say(&home.operator_socket(), hello(1, "wren", &token)), "unauthorized");

    for frame in [r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "nonsense", "[]"] {
        let mut first = Client::connect(&agents).unwrap();
        first.send_line(frame.as_bytes()).unwrap();
        let said = first.closed(PATIENCE).unwrap();
        assert!(said["error"]["data"]["kind"].is_string(), "{said}");
    }
    squad.operator().ok("ping", json!({}));
}

#[test]
fn who_is_silent_or_slow_is_closed() {
    let squad = Squad::default();
    let socket = squad.home().operator_socket();
    let began = Instant::now();
    let mut silent = Client::connect(&socket).unwrap();
    let mut slow = Client::connect(&socket).unwrap();
    let mut partial = squad.operator();
    partial.send_bytes(br#"{"jsonrpc":"2.0","id":1,"#).unwrap();
    silent.closed(Duration::from_secs(4));
    assert!(began.elapsed() >= Duration::from_millis(1900), "{:?}", began.elapsed());

    // One byte at a time does not count as coming in time.
    let dripped = HELLO.bytes().take_while(|byte| {
        let sent = slow.send_bytes(&[*byte]).is_ok();
        sent && matches!(slow.frame(Duration::from_millis(100)), Ok(None))
    });
    assert!(dripped.count() < HELLO.len(), "a dripping hello was waited for");
    partial.closed(Duration::from_secs(8));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    squad.operator().ok("ping", json!({}));
}

#[test]
fn a_drip_within_a_frame_is_closed() {
    let squad = Squad::default();
    let mut drip = squad.operator();
    let began = Instant::now();
    while drip.send_bytes(b" ").is_ok()
        && matches!(drip.frame(Duration::from_millis(500)), Ok(None))
    {
        assert!(began.elapsed() < Duration::from_secs(8), "a drip kept a frame open");
    }
    assert!(began.elapsed() > Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn one_agent_has_so_many_connections_and_others_have_theirs() {
    let mut squad = Squad::new(&Setup::default().with_default_limits());
    squad.specialist("wren");
    squad.specialist("crow");
    let mut held: Vec<Client> = (0..16).map(|_| squad.agent("wren")).collect();
    let socket = squad.home().agent_socket();
    let over = Client::hello(&socket, Some("wren"), Some(squad.token("wren"))).unwrap_err();
    assert_eq!((over.kind.as_str(), over.code), ("rate_limited", -32029), "{over:?}");
    squad.agent("crow").ok("ping", json!({}));
    held.pop();
    until("a place is free again", PATIENCE, || {
        Client::hello(&socket, Some("wren"), Some(squad.token("wren"))).ok()
    });
}

#[test]
fn a_full_agents_socket_leaves_the_operators_alone() {
    let limits = "agent_connections = 20\nconnections_per_uid = 20\n".to_owned();
    let squad = Squad::new(&Setup { limits, ..Setup::default() });
    let socket = squad.home().agent_socket();
    let mut flood: Vec<Client> = (0..60).map(|_| Client::connect(&socket).unwrap()).collect();
    let refused = flood.iter_mut().skip(20).map(|client| client.closed(PATIENCE)).next().unwrap();
    assert_eq!(refused.unwrap()["error"]["data"]["kind"], "rate_limited");
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let asked = Instant::now();
            squad.operator().ok("ping", json!({}));
            asked.elapsed()
        })
        .collect();
    let p99 = percentile(&mut times, 0.99);
    assert!(p99 <= Duration::from_millis(200), "the operator waited {p99:?}");
}

#[test]
fn who_asks_too_much_is_told_when_to_come_back() {
    let mut squad = Squad::new(&Setup::default().with_default_limits());
    squad.specialist("wren");
    squad.specialist("crow");
    let mut wren = squad.agent("wren");
    let mut ids: Vec<i64> = (0..150).map(|_| wren.send("ping", json!({}))).collect();
    let refused: Vec<_> = ids.drain(..).filter_map(|id| wren.answer(id).err()).collect();
    assert!((10..=50).contains(&refused.len()), "{} of 150 were refused", refused.len());
    let wait = refused[refused.len() - 1].data["retry_after_ms"].as_u64().unwrap();
    assert!((1..=2000).contains(&wait), "{wait} ms");
    squad.agent("crow").ok("ping", json!({}));
    // The daemon says itself when the next one passes, so that is how long this waits.
    std::thread::sleep(Duration::from_millis(wait + 20));
    wren.ok("ping", json!({}));
}

#[test]
fn who_never_reads_is_cut_and_holds_nobody_up() {
    let mut squad = Squad::default();
    squad.specialist("wren");
    let mut deaf = squad.agent("wren");
    let frame = br#"{"jsonrpc":"2.0","id":1,"method":"protocol.describe"}"#;
    let began = Instant::now();
    let mut cut = false;
    while !cut && began.elapsed() < Duration::from_secs(15) {
        cut = deaf.send_line(frame).is_err();
    }
    assert!(cut, "who never reads was never cut");
    let mut times: Vec<Duration> = (0..20)
        .map(|_| {
            let asked = Instant::now();
            squad.agent("wren").ok("ping", json!({}));
            asked.elapsed()
        })
        .collect();
    assert!(percentile(&mut times, 0.9) < Duration::from_millis(250), "{times:?}");
}

#[test]
fn many_calls_at_once_are_judged_like_one() {
    let mut squad = Squad::default();
    let names: Vec<String> = (0..30).map(|at| format!("wren-{at}")).collect();
    for name in &names {
        squad.specialist(name);
    }
    let mut clients: Vec<Client> = names.iter().map(|name| squad.agent(name)).collect();
    let read = |at: usize, round: usize| json!({"tool": "read", "arguments": {"path": format!("/w/src/{round}/{at}.md")}});
    for round in 0..20 {
        let asked: Vec<i64> = clients
            .iter_mut()
            .enumerate()
            .map(|(at, client)| client.send("tool.check", read(at, round)))
            .collect();
        for (client, id) in clients.iter_mut().zip(asked) {
            let judged = client.answer(id).unwrap();
            assert_eq!(judged["decision"], "allow", "{judged}");
        }
    }
}
