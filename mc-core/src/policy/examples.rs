//! Examples: calls that must get what the file says of them, or the file is refused.
//!
//! They are made by a specialist without a budget to worry about, in the workspace `/workspace`,
//! whose home is `/home/agent`, in the scope that they stand in; the disk is not looked at.

use serde_json::{Value, json};

use super::{
    Call, Decision, Facts, Outcome, Policy, World,
    decide::decide_in,
    rules::{Example, Examples},
    scope::{ScopeDoc, Within},
};
use crate::{
    agent::Agent,
    money::MicroUsd,
    refusal::FieldError,
    squad::{Squad, SquadStatus},
};

/// Where the calls of examples are made.
const WORKSPACE: &str = "/workspace";
/// The home of who makes them.
const HOME: &str = "/home/agent";

/// A list of examples with its place in the file and where its calls are made.
type Listed<'p> = (String, Within<'p>, &'p Examples);

/// Returns an error for each example that gets something else.
pub(super) fn check(policy: &Policy) -> Vec<FieldError> {
    let all = listed(policy);
    if all.iter().all(|(.., examples)| examples.is_empty()) {
        return Vec::new();
    }
    let Some(agent) = specialist() else { return Vec::new() };
    let mut failed = Vec::new();
    for (place, within, examples) in all {
        let lists = [
            ("allow", Outcome::Allow, &examples.allow),
            ("ask", Outcome::Ask, &examples.ask),
            ("deny", Outcome::Deny, &examples.deny),
        ];
        for (word, wanted, list) in lists {
            for (at, example) in list.iter().enumerate() {
                let got = judge(policy, within, &agent, example);
                if got.outcome != wanted {
                    let field = format!("{place}examples.{word}[{at}]");
                    failed.push(FieldError::new(field, told(word, &got)));
                }
            }
        }
    }
    failed
}

fn told(wanted: &str, got: &Decision) -> String {
    let word = match got.outcome {
        Outcome::Allow => "allow",
        Outcome::Ask => "ask",
        Outcome::Deny => "deny",
    };
    format!("is to get {wanted} and gets {word} by `{}`: {}", got.rule, got.reason)
}

/// Returns every list of examples that is checked: those of profiles count where they are built on.
fn listed(policy: &Policy) -> Vec<Listed<'_>> {
    let doc = policy.doc();
    let of_rule = |place: &str, within, (at, rule): (usize, _)| {
        let rule: &super::rules::RuleDoc = rule;
        (format!("{place}rule[{at}]."), within, &rule.examples)
    };
    let mut all = vec![(String::new(), Within::default(), &doc.examples)];
    all.extend(doc.rule.iter().enumerate().map(|rule| of_rule("", Within::default(), rule)));
    for (kind, scopes) in doc.layers() {
        for (name, scope) in scopes {
            let within = within(kind, name);
            for (place, said) in said(doc, kind, name, scope) {
                all.push((place.clone(), within, &said.examples));
                let rules = said.rule.iter().enumerate();
                all.extend(rules.map(|rule| of_rule(&place, within, rule)));
            }
        }
    }
    all
}

/// Returns a scope and what it builds on, each with its place in the file.
fn said<'d>(
    doc: &'d super::PolicyDoc,
    kind: &str,
    name: &str,
    scope: &'d ScopeDoc,
) -> Vec<(String, &'d ScopeDoc)> {
    let chain = doc.chain(scope);
    let mut place = format!("{kind}.{name}.");
    let mut all = Vec::new();
    for part in chain {
        let base = part.extends.as_ref().map(|base| format!("profile.{base}."));
        all.push((place, part));
        place = base.unwrap_or_default();
    }
    all
}

fn within<'n>(kind: &str, name: &'n str) -> Within<'n> {
    match kind {
        "project" => Within { project: Some(name), ..Within::default() },
        "task_type" => Within { task_type: Some(name), ..Within::default() },
        _ => Within { agent: Some(name), ..Within::default() },
    }
}

fn judge(policy: &Policy, within: Within<'_>, agent: &Agent, example: &Example) -> Decision {
    let command;
    let given;
    let (tool, arguments) = match example {
        Example::Command(line) => {
            command = json!({ "command": line });
            ("exec", &command)
        }
        Example::Tool { tool, arguments } => {
            given = Value::Object(arguments.clone());
            (tool.as_str(), &given)
        }
    };
    let (cwd, home) = (Some(WORKSPACE), Some(HOME));
    let call = Call { tool, arguments, cwd, home, facts: Facts::NONE };
    let squad = Squad { status: SquadStatus::Running, ..Squad::default() };
    let estimate = MicroUsd::ZERO;
    let world = World { squad: &squad, agent, task: None, run: None, budget: &[], estimate };
    decide_in(policy.at(within), &call, &world)
}

fn specialist() -> Option<Agent> {
    let agent = json!({
        "name": "example", "rev": 1, "autonomy": "specialist", "status": "active",
        "runtime": "other", "workspace": WORKSPACE, "can_spawn": true,
        "daily_cap_uusd": i64::MAX, "run_cap_uusd": i64::MAX,
        "created_at": "2026-01-01T00:00:00.000Z",
    });
    serde_json::from_value(agent).ok()
}
