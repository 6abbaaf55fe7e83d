//! What must hold for any bytes at all. Each target panics when it does not; `tests/fuzz.sh` looks
//! for such bytes, and the seeds are gone through by the ordinary tests.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use mc_core::{
    agent::Agent,
    money::MicroUsd,
    policy::{Call, Decision, Facts, Outcome, Policy, Risk, World, decide},
    redact::{self, Masker},
    squad::{Squad, SquadStatus},
};
use serde_json::{Value, json};

/// A target: looks at bytes, panics when something is wrong with what becomes of them.
pub type Target = fn(&[u8]);

/// All targets by the names of their seeds' folders.
pub const TARGETS: &[(&str, Target)] =
    &[("shell", shell), ("path", path), ("host", host), ("redact", redact), ("policy", policy)];

/// How long a target may take for 16 KiB: 10 ms a judgement, of which it makes two.
const SLOW: Duration = Duration::from_millis(20);
/// The size that this holds for; what is shorter may take as long.
const PAGE: usize = 16 * 1024;

/// Runs a target and panics when it takes too long, in the best of ten tries: machines are noisy.
pub fn timed(data: &[u8], target: Target) {
    let pages = data.len().div_ceil(PAGE).max(1);
    let limit = SLOW * u32::try_from(pages).unwrap_or(u32::MAX);
    let took = || {
        let began = Instant::now();
        target(data);
        began.elapsed()
    };
    if took() > limit {
        let best = (0..9).map(|_| took()).min().unwrap_or_default();
        assert!(best <= limit, "{} bytes take {best:?}, the limit is {limit:?}", data.len());
    }
}

fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}

const WORKSPACE: &str = "/home/wren/ws";

fn judged(tool: &str, arguments: &Value) -> Decision {
    let agent: Agent = serde_json::from_value(json!({
        "name": "wren", "rev": 1, "autonomy": "specialist", "status": "active",
        "runtime": "openclaw", "workspace": WORKSPACE, "daily_cap_uusd": 1_000_000_000,
        "run_cap_uusd": 1_000_000_000, "can_spawn": false,
        "created_at": "2026-01-01T00:00:00.000Z",
    }))
    .expect("an agent");
    let squad = Squad { status: SquadStatus::Running, ..Squad::default() };
    let (cwd, home) = (Some(WORKSPACE), Some("/home/wren"));
    let call = Call { tool, arguments, cwd, home, facts: Facts::NONE };
    let world = World {
        squad: &squad,
        agent: &agent,
        task: None,
        run: None,
        budget: &[],
        estimate: MicroUsd::ZERO,
    };
    POLICY.with(|policy| decide(policy, &call, &world))
}

thread_local! {
    static POLICY: Policy = Policy::default();
}

/// A command: judged the same twice, and never let through with characters that mislead.
pub fn shell(data: &[u8]) {
    let command = text(data);
    let decision = judged("exec", &json!({ "command": command }));
    assert_eq!(decision, judged("exec", &json!({ "command": command })), "judged in two ways");
    let misleads = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || c == '\u{202e}';
    if command.len() > PAGE || command.contains(misleads) {
        assert_eq!(decision.risk, Risk::Red, "{command:?}");
    }
    if decision.outcome == Outcome::Allow {
        let more = judged("exec", &json!({ "command": format!("{command}\nrm -rf /") }));
        assert_ne!(more.outcome, Outcome::Allow, "{command:?} hides what follows");
    }
}

/// A path: what is read unasked lies in the workspace or in the scratch places.
pub fn path(data: &[u8]) {
    let raw = text(data);
    let decision = judged("read", &json!({ "path": raw }));
    if decision.outcome == Outcome::Allow {
        let full = if raw.starts_with('/') {
            raw.to_string()
        } else if let Some(rest) = raw.strip_prefix("~/") {
            format!("/home/wren/{rest}")
        } else {
            format!("{WORKSPACE}/{raw}")
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in full.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part == ".." {
                parts.pop();
            } else {
                parts.push(part);
            }
        }
        let is_inside = parts.starts_with(&["home", "wren", "ws"])
            || (parts.first() == Some(&"tmp")
                && parts.get(1).is_some_and(|name| name.starts_with("mc-")));
        assert!(is_inside, "{raw:?} was allowed");
    }
    let written = judged("write", &json!({ "path": raw, "content": "x" }));
    assert!(written.risk >= Risk::Yellow, "{raw:?} is written as if that were nothing");
}

/// An address: what is fetched unasked goes to a listed host, also as a browser would read it.
pub fn host(data: &[u8]) {
    let raw = text(data);
    if judged("web_fetch", &json!({ "url": raw })).outcome != Outcome::Allow {
        return;
    }
    let read = url::Url::parse(&raw).unwrap_or_else(|error| panic!("{raw:?}: {error}"));
    let host = read.host_str().unwrap_or_default().trim_end_matches('.').to_owned();
    let is_local = host == "localhost" || host.starts_with("127.") || host == "[::1]";
    let policy = Policy::default();
    let is_listed = policy.doc().network.allow.iter().any(|rule| match rule.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => *rule == host,
    });
    assert!(is_local || (is_listed && read.scheme() == "https"), "{raw:?} leads to {host:?}");
    assert!(read.username().is_empty() && read.password().is_none(), "{raw:?} names a user");
}

/// Any text: masking it twice is masking it once, and leaves no secret.
pub fn redact(data: &[u8]) {
    let raw = text(data);
    for masker in [Masker::default(), Masker::keyed([3; 32])] {
        let once = masker.text(&raw);
        assert!(!redact::has_secret(&once), "{raw:?} keeps a secret: {once:?}");
        assert_eq!(masker.text(&once), once, "{raw:?} is masked in two ways");
    }
    if let Ok(value) = serde_json::from_slice::<Value>(data) {
        let once = redact::value(&value);
        assert!(!redact::value_has_secret(&once), "{value} keeps a secret: {once}");
    }
}

/// A policy file: taken, or refused with a reason that stands in the file.
pub fn policy(data: &[u8]) {
    let text = text(data);
    let Err(findings) = mcd::policy::parse(&text) else { return };
    assert!(!findings.is_empty(), "{text:?} is refused without a reason");
    let lines = text.split('\n').count();
    for finding in findings {
        assert!(finding.line <= lines, "{finding:?} stands behind the end");
        assert!(!finding.message.is_empty(), "{text:?} is refused without a word");
    }
}
