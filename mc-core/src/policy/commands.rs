//! Tools that run commands: what they are given besides the command, and the command itself.

use serde_json::Value;

use super::{
    Call, Risk,
    arguments::Leaf,
    judge::{Finding, quote},
    places::{Places, Use},
    tools::Class,
};
use crate::shell::{self, Verdict};

/// What the commands of a call were found to be.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    /// How dangerous they are.
    pub(super) risk: Risk,
    /// The rule that says so.
    pub(super) rule: &'static str,
    /// Why, in one sentence.
    pub(super) reason: String,
    /// Whether they are refused outright.
    pub(super) denied: bool,
    /// Whether everything that they write may be written unasked.
    pub(super) writes_where_allowed: bool,
    /// What the one command was found to be.
    pub(super) verdict: Option<Verdict>,
}

/// The rules of the shell as they stand in decisions.
const RULES: &[(&str, &str)] = &[
    ("K0", "shell.K0"),
    ("K1", "shell.K1"),
    ("K2", "shell.K2"),
    ("K3", "shell.K3"),
    ("K4", "shell.K4"),
    ("K5", "shell.K5"),
    ("K6", "shell.K6"),
    ("K7", "shell.K7"),
    ("K8", "shell.K8"),
    ("K9", "shell.K9"),
    ("K10", "shell.K10"),
    ("K11", "shell.K11"),
    ("K12", "shell.K12"),
    ("K13", "shell.K13"),
    ("K14", "shell.K14"),
];

/// Parameters of shell tools that change nothing about what runs: names in lower case.
const HARMLESS: &[&str] = &[
    "description",
    "timeout",
    "timeoutms",
    "timeout_ms",
    "timeoutsec",
    "yieldms",
    "background",
    "run_in_background",
    "is_background",
    "max_output_length",
    "title",
    "explanation",
    "justification",
];

/// Judges what a call runs; `None` when it runs nothing.
pub(super) fn judge(
    call: &Call<'_>,
    class: Class,
    leaves: &[Leaf<'_>],
    places: &Places<'_>,
) -> Option<Commands> {
    if class == Class::Shell {
        return Some(shell_tool(call, places));
    }
    if class == Class::Own {
        return None;
    }
    let texts = leaves.iter().filter(|leaf| leaf.is_command()).map(|leaf| leaf.text);
    let judged = texts.map(|text| command(text, places));
    judged.max_by_key(|one| (one.denied, one.risk))
}

/// Judges a tool whose only purpose is to run a command.
fn shell_tool(call: &Call<'_>, places: &Places<'_>) -> Commands {
    let Value::Object(fields) = call.arguments else {
        return red("shell.unclassified", "it holds no command that can be read");
    };
    if call.tool.eq_ignore_ascii_case("process") {
        return process(call.arguments);
    }
    let mut line = None;
    let mut cwd = None;
    for (name, value) in fields {
        match (name.to_ascii_lowercase().as_str(), value) {
            ("command" | "cmd", Value::String(text)) if line.is_none() => {
                line = Some(text.as_str());
            }
            ("workdir" | "cwd" | "directory" | "dir_path", Value::String(text))
                if cwd.is_none() =>
            {
                cwd = Some(text.as_str());
            }
            (known, Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null)
                if HARMLESS.contains(&known) => {}
            ("pty", Value::Bool(true)) | (_, Value::Null | Value::Bool(false)) => {}
            ("host", Value::String(host))
                if matches!(host.as_str(), "gateway" | "sandbox" | "auto") => {}
            ("env", Value::Object(map)) => {
                if let Some(found) = environment(map) {
                    return found;
                }
            }
            _ => {
                let text = format!("the parameter {} changes what runs, or how", quote(name));
                return red("shell.parameter", &text);
            }
        }
    }
    let Some(line) = line else {
        return red("shell.unclassified", "it holds no command that can be read");
    };
    let Some(cwd) = cwd else { return command(line, places) };
    if let Some(objection) = places.objection(cwd, Use::Read) {
        let found = red(objection.rule, &objection.reason);
        return Commands { denied: objection.denied, ..found };
    }
    let resolved = places.resolve(cwd).map(|found| found.absolute);
    let mut there = *places;
    there.base.cwd = resolved.as_deref();
    command(line, &there)
}

fn environment(map: &serde_json::Map<String, Value>) -> Option<Commands> {
    map.iter().find_map(|(name, value)| {
        let Value::String(text) = value else {
            return Some(red("shell.parameter", "its environment holds more than texts"));
        };
        let finding = shell::environment(name, text)?;
        Some(red(named(finding.rule), &finding.reason))
    })
}

/// A running command's output may be read; what is typed into it runs.
fn process(arguments: &Value) -> Commands {
    let action = arguments.get("action").and_then(Value::as_str).unwrap_or_default();
    let (risk, reason) = match action {
        "list" | "poll" | "log" => (Risk::Green, "it looks at commands that run already"),
        "kill" | "clear" | "remove" => (Risk::Yellow, "it ends a command that runs"),
        _ => (Risk::Red, "it types into a command that runs"),
    };
    let found = red("shell.process", reason);
    Commands { risk, ..found }
}

/// Judges a command line.
fn command(line: &str, places: &Places<'_>) -> Commands {
    let verdict = shell::judge(line, places);
    let finding = &verdict.finding;
    let reason = match verdict.command.as_str() {
        "" => finding.reason.clone(),
        part => format!("{}: {}", quote(part), finding.reason),
    };
    Commands {
        risk: finding.risk,
        rule: named(finding.rule),
        reason,
        denied: finding.denied,
        writes_where_allowed: verdict.writes_where_allowed,
        verdict: Some(verdict),
    }
}

fn named(rule: &str) -> &'static str {
    RULES.iter().find(|(short, _)| *short == rule).map_or("shell.unclassified", |(_, name)| name)
}

fn red(rule: &'static str, reason: &str) -> Commands {
    Commands {
        risk: Risk::Red,
        rule,
        reason: reason.to_owned(),
        denied: false,
        writes_where_allowed: true,
        verdict: None,
    }
}

/// The commands as a reason to raise the risk, or to refuse outright.
impl Commands {
    pub(super) fn finding(&self) -> Finding {
        (self.rule, self.reason.clone())
    }
}
