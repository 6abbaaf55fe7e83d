//! The judgement of tool calls: its order, the risk of arguments, and the policy file.

#[cfg(test)]
mod common;

use common::{agent, task};
use mc_core::{
    actor::Level,
    agent::{Agent, AgentStatus, Autonomy},
    approval::ApprovalKind,
    budget::{Amount, Caps, Ledger, Scope, ScopeKey, Standing},
    money::MicroUsd,
    policy::{Act, Call, Decision, Facts, Outcome, Policy, PolicyDoc, Risk, World, decide},
    run::{Run, RunStatus},
    squad::{Squad, SquadStatus},
    task::{Task, TaskState},
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A situation that can be bent.
struct Case {
    policy: Policy,
    squad: Squad,
    agent: Agent,
    task: Task,
    run: Run,
    estimate: MicroUsd,
}

impl Case {
    #[expect(clippy::expect_used, reason = "the row is written out here")]
    fn of(autonomy: Autonomy) -> Self {
        let mut agent = agent("wren", autonomy);
        agent.workspace = Some("/home/wren/ws".into());
        let run = json!({"id": "R-1", "agent": "wren", "session": "s", "status": "running",
            "started_at": "2026-01-01T00:00:00.000Z"});
        Self {
            policy: Policy::default(),
            squad: Squad::default(),
            agent,
            task: task(TaskState::InProgress),
            run: serde_json::from_value(run).expect("a run"),
            estimate: MicroUsd::ZERO,
        }
    }

    fn check(&self, tool: &str, arguments: &Value) -> Decision {
        let home = Some("/home/wren");
        let call = Call { tool, arguments, cwd: None, home, facts: Facts::NONE };
        let standing = |scope, spent: MicroUsd, cap: MicroUsd| Standing {
            key: ScopeKey { scope, of: String::new() },
            caps: Caps { uusd: Some(cap), tokens: None },
            ledger: Ledger { spent: Amount { uusd: spent, tokens: 0 }, ..Ledger::default() },
            own: Amount::default(),
        };
        let today = self.agent.spent_on("2026-01-01");
        let budget = [
            standing(Scope::Run, self.run.cost_uusd, self.agent.run_cap_uusd),
            standing(Scope::Task, self.task.spent_uusd, self.task.budget_uusd),
            standing(Scope::AgentDay, today, self.agent.daily_cap_uusd),
        ];
        let world = World {
            squad: &self.squad,
            agent: &self.agent,
            task: Some(&self.task),
            run: Some(&self.run),
            budget: &budget,
            estimate: self.estimate,
        };
        decide(&self.policy, &call, &world)
    }
}

fn rule(tool: &str, arguments: &Value) -> (Outcome, String) {
    let decision = Case::of(Autonomy::Specialist).check(tool, arguments);
    (decision.outcome, decision.rule)
}

#[test]
fn each_call_gets_what_the_specification_says() {
    use Outcome::{Allow, Ask, Deny};
    for (tool, arguments, outcome, name) in [
        ("read", json!({"path": "notes.md"}), Allow, "allow.green"),
        ("Read", json!({"file_path": "/home/wren/ws/src/main.rs"}), Allow, "allow.green"),
        ("read", json!({"path": "/tmp/mc-1/x"}), Allow, "allow.green"),
        ("Grep", json!({"pattern": "/api/v1"}), Allow, "allow.green"),
        ("read", json!({"path": "/etc/passwd"}), Ask, "path.outside"),
        ("read", json!({"path": "../other/x"}), Ask, "path.outside"),
        ("read", json!({"path": "a/../../x"}), Ask, "path.outside"),
        ("Glob", json!({"pattern": "../../**"}), Ask, "path.outside"),
        ("read", json!({"path": "$HOME/x"}), Ask, "path.unknown"),
        ("read", json!({"path": ".env.local"}), Ask, "path.secret"),
        ("read", json!({"path": "~/.ssh/id_rsa"}), Deny, "deny.path"),
        ("read", json!({"path": "/home/wren/ws/../.openclaw/x"}), Deny, "deny.path"),
        ("write", json!({"path": "src/a.rs", "content": "fn main() {}"}), Allow, "allow.yellow"),
        ("write", json!({"path": "docs/a.md", "content": "see ~/.ssh"}), Allow, "allow.yellow"),
        ("write", json!({"path": "notes.md", "content": "x"}), Ask, "yellow.unlisted"),
        ("write", json!({"content": "x"}), Ask, "path.unknown"),
        ("edit", json!({"path": "src/../.env", "newText": "x"}), Deny, "deny.write"),
        ("write", json!({"path": "config/a.toml", "content": "x"}), Deny, "deny.write"),
        ("write", json!({"path": "/etc/hosts", "content": "x"}), Deny, "deny.write"),
        ("write", json!({"path": "src/key.pem", "content": "x"}), Deny, "deny.write"),
        ("write", json!({"path": ".git/hooks/x", "content": "x"}), Ask, "path.control"),
        (
            "write",
            json!({"path": "src/a", "content": "AKIAIOSFODNN7EXAMPLE"}),
            Ask,
            "secret.argument",
        ),
        ("apply_patch", json!({"input": "*** Add File: src/a\n+x"}), Allow, "allow.yellow"),
        ("apply_patch", json!({"input": "*** Add File: config/a\n+x"}), Deny, "deny.write"),
        ("apply_patch", json!({"input": "--- a/src/a\n+++ b/.env\n"}), Deny, "deny.write"),
        ("apply_patch", json!({"input": "nothing"}), Ask, "path.unknown"),
        ("exec", json!({"command": "ls"}), Allow, "shell.K10"),
        ("exec", json!({"command": "ls", "workdir": "src"}), Allow, "shell.K10"),
        ("exec", json!({"command": "ls", "workdir": "/etc"}), Ask, "path.outside"),
        ("exec", json!({"command": "ls ..", "workdir": "src"}), Allow, "shell.K10"),
        ("exec", json!({"command": "ls ..", "workdir": "."}), Ask, "shell.K8"),
        ("exec", json!({"command": "ls", "env": {"PATH": "."}}), Ask, "shell.K6"),
        ("exec", json!({"command": "ls", "env": {"LC_ALL": "C"}}), Allow, "shell.K10"),
        ("exec", json!({"command": "ls", "elevated": true}), Ask, "shell.parameter"),
        ("exec", json!({"command": "ls", "host": "node"}), Ask, "shell.parameter"),
        ("exec", json!({"command": ["ls"]}), Ask, "shell.parameter"),
        ("exec", json!({"command": "ls", "cmd": "rm -rf x"}), Ask, "shell.parameter"),
        ("run_shell_command", json!({"command": "ls", "directory": "src"}), Allow, "shell.K10"),
        ("run_shell_command", json!({"command": "ls", "directory": "/etc"}), Ask, "path.outside"),
        ("exec", json!({}), Ask, "shell.unclassified"),
        ("exec", json!({"command": "touch src/a"}), Allow, "shell.K11"),
        ("exec", json!({"command": "touch notes.md"}), Ask, "yellow.unlisted"),
        ("exec", json!({"command": "rm -rf build"}), Ask, "shell.K12"),
        ("process", json!({"action": "poll"}), Allow, "shell.process"),
        ("process", json!({"action": "send-keys", "keys": "y"}), Ask, "shell.process"),
        ("Bash", json!({"command": "ls", "description": "x"}), Allow, "shell.K10"),
        ("exec", json!({"command": "cat ~/.aws/credentials"}), Deny, "shell.K8"),
        ("exec", json!({"command": "socat - /run/x/mcd.sock"}), Deny, "shell.K8"),
        ("mcp__box__run", json!({"command": "ls"}), Ask, "yellow.unlisted"),
        ("mcp__box__run", json!({"command": "rm -rf x"}), Ask, "shell.K12"),
        ("web_fetch", json!({"url": "https://github.com/a/b/blob/main/x"}), Allow, "allow.yellow"),
        ("WebFetch", json!({"url": "https://evil.example/"}), Ask, "net.host"),
        ("web_fetch", json!({"url": "github.com"}), Ask, "net.host"),
        ("browser", json!({"request": {"targetUrl": "http://10.0.0.1"}}), Ask, "net.host"),
        ("web_search", json!({"query": "how does main in production work"}), Allow, "allow.yellow"),
        ("deploy", json!({"environment": "production"}), Ask, "target.live"),
        ("deploy", json!({"branch": "main"}), Ask, "target.live"),
        ("frobnicate", json!({"x": 1}), Ask, "yellow.unlisted"),
        ("frobnicate", json!({"path": "config/x"}), Ask, "path.write_deny"),
        ("frobnicate", json!({"dest": "a/../../../etc/x"}), Ask, "path.outside"),
        ("browser", json!({"action": "snapshot"}), Ask, "yellow.unlisted"),
        ("web_fetch", json!({"url": "file:///home/wren/.ssh/id_rsa"}), Deny, "deny.path"),
        ("message", json!({"to": "ana", "text": "hi"}), Ask, "risk.red"),
        ("gateway", json!({"action": "restart"}), Ask, "risk.red"),
        ("sessions_spawn", json!({"task": "x"}), Deny, "tool.spawn"),
        ("mc_task", json!({"text": "deploy to production; see ~/.ssh"}), Allow, "allow.green"),
        ("", json!(null), Ask, "yellow.unlisted"),
    ] {
        assert_eq!(rule(tool, &arguments), (outcome, name.to_owned()), "{tool} {arguments}");
    }
}

#[test]
fn a_closed_place_is_denied_also_where_the_home_is_not_known() {
    let mut case = Case::of(Autonomy::Specialist);
    case.agent.workspace = None;
    for (tool, arguments) in [
        ("exec", json!({"command": "cat ~/.ssh/id_rsa"})),
        ("exec", json!({"command": "cat ~/.aws/credentials > x"})),
        ("read", json!({"path": "~/.ssh/id_rsa"})),
    ] {
        let (squad, call_home) = (&case.squad, None);
        let facts = Facts::NONE;
        let call = Call { tool, arguments: &arguments, cwd: None, home: call_home, facts };
        let world = World {
            squad,
            agent: &case.agent,
            task: None,
            run: None,
            budget: &[],
            estimate: MicroUsd::ZERO,
        };
        assert_eq!(decide(&case.policy, &call, &world).outcome, Outcome::Deny, "{arguments}");
    }
}

#[test]
fn the_checks_come_in_their_order() {
    let mut case = Case::of(Autonomy::Intern);
    let exec = json!({"command": "cat ~/.ssh/x"});
    case.squad.status = SquadStatus::Halted;
    case.agent.status = AgentStatus::Paused;
    case.agent.tools_deny = vec!["exec".into()];
    case.run.cost_uusd = MicroUsd::cents(1000);
    assert_eq!(case.check("exec", &exec).rule, "squad.halted");
    case.squad.status = SquadStatus::Paused;
    assert_eq!(case.check("exec", &exec).rule, "squad.paused");
    case.squad.status = SquadStatus::Running;
    assert_eq!(case.check("exec", &exec).rule, "agent.paused");
    case.agent.status = AgentStatus::Active;
    assert_eq!(case.check("exec", &exec).rule, "shell.K8");
    let exec = json!({"command": "ls"});
    assert_eq!(case.check("exec", &exec).rule, "tool.denied");
    case.agent.tools_deny = vec![];
    case.agent.tools_allow = vec!["read".into()];
    assert_eq!(case.check("exec", &exec).rule, "tool.not_allowed");
    case.agent.tools_allow = vec!["ex*".into()];
    let asked = case.check("exec", &exec);
    assert_eq!((asked.rule.as_str(), asked.ask_for), ("budget.run", ApprovalKind::BudgetOverride));
    case.run.cost_uusd = MicroUsd::ZERO;
    assert_eq!(case.check("exec", &exec).rule, "shell.K10");
    let red = json!({"command": "rm -rf x"});
    assert_eq!(case.check("exec", &red).rule, "shell.K12");
    case.agent.tools_allow = vec![];
    let write = json!({"path": "src/a", "content": "x"});
    assert_eq!(case.check("write", &write).rule, "autonomy.intern");
    assert_eq!(case.check("read", &json!({"path": "a"})).rule, "allow.green");
}

#[test]
fn a_stopped_agent_gets_nothing_and_a_drained_one_only_finishes() {
    let read = json!({"path": "a"});
    let mut case = Case::of(Autonomy::Lead);
    for (status, name) in [
        (AgentStatus::Quarantined, "agent.quarantined"),
        (AgentStatus::Stopped, "agent.stopped"),
        (AgentStatus::Drained, "agent.drained"),
    ] {
        case.agent.status = status;
        let decision = case.check("read", &read);
        assert_eq!((decision.outcome, decision.rule.as_str()), (Outcome::Deny, name));
    }
    case.agent.current_task = Some(case.task.id);
    assert_eq!(case.check("read", &read).outcome, Outcome::Allow);
    case.run.status = RunStatus::Aborted;
    assert_eq!(case.check("read", &read).rule, "run.ended");
}

#[test]
fn every_cap_asks_before_it_is_exceeded() {
    let read = json!({"path": "a"});
    let mut case = Case::of(Autonomy::Specialist);
    case.estimate = MicroUsd(10);
    case.run.cost_uusd = MicroUsd(case.agent.run_cap_uusd.0 - 10);
    assert_eq!(case.check("read", &read).rule, "allow.green");
    case.run.cost_uusd = MicroUsd(case.agent.run_cap_uusd.0 - 9);
    assert_eq!(case.check("read", &read).rule, "budget.run");
    case.run.cost_uusd = MicroUsd::ZERO;
    case.task.spent_uusd = case.task.budget_uusd;
    assert_eq!(case.check("read", &read).rule, "budget.task");
    case.task.spent_uusd = MicroUsd::ZERO;
    case.agent.spent_today_uusd = case.agent.daily_cap_uusd;
    case.agent.spend_day = "2025-12-31".into();
    assert_eq!(case.check("read", &read).rule, "allow.green");
    case.agent.spend_day = "2026-01-01".into();
    assert_eq!(case.check("read", &read).rule, "budget.day");
}

#[test]
fn arguments_at_the_limit_are_judged_and_beyond_it_denied() {
    let case = Case::of(Autonomy::Specialist);
    let limit = usize::try_from(case.policy.doc().limits.argument_bytes).unwrap();
    let sized = |bytes: usize| json!({"query": "x".repeat(bytes - r#"{"query":""}"#.len())});
    assert_eq!(case.check("web_search", &sized(limit)).outcome, Outcome::Allow);
    assert_eq!(case.check("web_search", &sized(limit + 1)).rule, "limit.arguments");
}

#[test]
fn an_agent_without_a_workspace_is_asked_for_every_path() {
    let mut case = Case::of(Autonomy::Lead);
    case.agent.workspace = None;
    assert_eq!(case.check("read", &json!({"path": "a"})).rule, "path.unknown");
    assert_eq!(case.check("read", &json!({"path": "/a"})).rule, "path.outside");
}

#[test]
fn a_workspace_below_the_runtimes_own_directory_is_still_a_workspace() {
    let mut case = Case::of(Autonomy::Specialist);
    case.agent.workspace = Some("/home/wren/.openclaw/workspace".into());
    let inside = json!({"path": "/home/wren/.openclaw/workspace/notes.md"});
    assert_eq!(case.check("read", &inside).rule, "allow.green");
    let outside = json!({"path": "/home/wren/.openclaw/workspace/../openclaw.json"});
    assert_eq!(case.check("read", &outside).rule, "deny.path");
    let write = json!({"path": "src/a", "content": "x"});
    case.agent.workspace = Some("/var/lib/agents/wren".into());
    assert_eq!(case.check("write", &write).rule, "allow.yellow");
}

fn file(doc: Value) -> Result<Policy, Vec<String>> {
    let doc: PolicyDoc = serde_json::from_value(doc).map_err(|error| vec![error.to_string()])?;
    Policy::compile(doc)
        .map_err(|errors| errors.into_iter().map(|error| error.field).collect::<Vec<_>>())
}

#[test]
fn a_file_changes_what_it_names_and_nothing_else() {
    let doc = json!({
        "tools": {"risk": {"frob*": "green", "web_search": "red"}, "deny": ["cron"]},
        "deny": {"paths": ["/srv/vault"]},
        "levels": {"approve_red": "L1"},
        "budgets": {"task_uusd": {"docs": 1}},
        "tasks": {"types": ["docs", "juggling"], "checklists": {"docs": ["reads well"]}},
    });
    let mut case = Case::of(Autonomy::Specialist);
    case.policy = file(doc).unwrap().protecting(["/opt/mc/state".into()]);
    assert_eq!(case.check("frobnicate", &json!({})).rule, "allow.green");
    assert_eq!(case.check("web_search", &json!({"query": "x"})).rule, "risk.red");
    assert_eq!(case.check("cron", &json!({})).rule, "deny.tool");
    assert_eq!(case.check("read", &json!({"path": "/srv/vault/x"})).rule, "deny.path");
    assert_eq!(case.check("exec", &json!({"command": "ls /opt/mc/state"})).rule, "shell.K8");
    let policy = &case.policy;
    assert_eq!(policy.min_level(Act::ApproveRed), Level::L1);
    assert_eq!(policy.min_level(Act::Policy), Level::L3);
    assert_eq!(
        (policy.task_cap("docs"), policy.task_cap("ops")),
        (MicroUsd(1), MicroUsd::cents(300))
    );
    assert_eq!(policy.checklist("docs"), ["reads well"]);
    assert!(!policy.checklist("juggling").is_empty());
    assert!(policy.has_task_type("juggling") && !policy.has_task_type("ops"));
    let expiry = |kind| policy.approval_expiry(kind, Risk::Red).as_secs();
    assert_eq!(expiry(ApprovalKind::ToolCall), 86_400);
}

#[test]
fn a_bad_file_is_refused_with_every_field_that_is_wrong() {
    let doc = json!({
        "paths": {"write": ["a/**", "[", "../x"]},
        "network": {"allow": ["https://x.org", "*.ok.org"]},
        "approvals": {"hold": "3h"},
        "budgets": {"task_default_uusd": -1},
        "tasks": {"types": ["No"]},
        "deny": {"paths": ["/"]},
        "tools": {"allow": ["*"]},
        "quiet_hours": {"from": "22:00", "zone": "Mars/Base"},
    });
    let mut failed = file(doc).unwrap_err();
    failed.sort();
    assert_eq!(
        failed,
        [
            "approvals.hold",
            "budgets.task_default_uusd",
            "deny.paths[0]",
            "network.allow[0]",
            "paths.write[1]",
            "paths.write[2]",
            "quiet_hours.from",
            "quiet_hours.zone",
            "tasks.types[0]",
            "tools"
        ]
    );
    let unknown = file(json!({"paths": {"wrote": []}})).unwrap_err();
    assert!(unknown[0].contains("wrote"), "{unknown:?}");
    assert!(file(json!({"levels": {"fly": "L1"}})).is_err());
}

#[test]
fn the_whole_policy_reads_back() {
    let policy = Policy::default();
    let text = serde_json::to_string(policy.doc()).unwrap();
    assert_eq!(&serde_json::from_str::<PolicyDoc>(&text).unwrap(), policy.doc());
    assert_eq!(policy.levels().count(), Act::ALL.len());
    assert_eq!(policy.min_level(Act::EmergencyStop), Level::L0);
    assert_eq!(policy.min_level(Act::Deny), Level::L1);
    assert_eq!(policy.min_level(Act::approve(Risk::Red)), Level::L3);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,30}",
        "[a-z/.~$ ]{0,30}",
        prop::sample::select(vec!["~/.ssh/x", "..", "/", "https://", "https://github.com/"])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_shell_and_an_unknown_tool_are_never_allowed(
        shell in any::<bool>(), key in "[a-z_]{1,8}", text in any_text()
    ) {
        let tool = if shell { "exec" } else { "unheard_of" };
        let decision = Case::of(Autonomy::Lead).check(tool, &json!({key: text}));
        prop_assert_ne!(decision.outcome, Outcome::Allow);
    }

    #[test]
    fn a_read_that_is_allowed_stays_inside(text in any_text()) {
        let decision = Case::of(Autonomy::Lead).check("read", &json!({"path": text.clone()}));
        if decision.outcome == Outcome::Allow {
            let mut depth = 0;
            for part in text.strip_prefix("/home/wren/ws").unwrap_or(&text).split('/') {
                depth += match part { ".." => -1, "" | "." => 0, _ => 1 };
                prop_assert!(depth >= 0, "{}", text);
            }
            prop_assert!(!text.starts_with('~'));
        }
    }

    #[test]
    fn a_halt_denies_everything(tool in "\\PC{0,12}", text in any_text()) {
        let mut case = Case::of(Autonomy::Lead);
        case.squad.status = SquadStatus::Halted;
        prop_assert_eq!(case.check(&tool, &json!([text])).outcome, Outcome::Deny);
    }
}
