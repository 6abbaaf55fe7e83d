//! An approval as it is put to a person elsewhere: all that a decision is bound to, in plain lines.

use serde_json::Value;

use crate::{
    approval::Approval,
    canonical,
    clean::{Clean, Glyphs},
    delivery, redact,
};

/// How much of a hash is shown, in digits.
const HASH_CHARS: usize = 16;

/// Returns what is asked, whole, a thing a line. What can't be seen is spelled out, secrets are
/// masked; the agent's own words on why are left out.
pub fn question(approval: &Approval, title: Option<&str>) -> String {
    let statement = &approval.statement;
    let mut lines = vec![delivery::of_approval(approval, title)];
    let mut line = |name: &str, value: &str| {
        let text = format!("{}: {}", spelled(name), spelled(value));
        lines.push(redact::text(&text).into_owned());
    };
    line("tool", &statement.tool);
    let arguments = &statement.arguments;
    if let Value::Object(arguments) = arguments {
        for (name, value) in arguments {
            line(name, &value.as_str().map_or_else(|| canonical::json(value), str::to_owned));
        }
    } else {
        line("arguments", &canonical::json(arguments));
    }
    for (name, value) in [("directory", &statement.cwd), ("program", &statement.program)] {
        if let Some(value) = value {
            line(name, value);
        }
    }
    for (path, to) in &statement.links {
        line("link", &format!("{path} leads to {to}"));
    }
    for (path, hash) in &statement.scripts {
        line("script", &format!("{path} sha256 {}", short(hash)));
    }
    let names: Vec<&str> = statement.env.iter().map(|(name, _)| name.as_str()).collect();
    if !names.is_empty() {
        line("environment", &names.join(" "));
    }
    line("why it is asked", &format!("{} ({})", approval.reason, approval.rule));
    line("until", &approval.expires_at.to_string());
    line("digest", short(&approval.digest));
    lines.join("\n")
}

/// Returns a text in which nothing hides, in one line.
fn spelled(text: &str) -> String {
    let lines = Clean::evidence_lines(text, Glyphs::Unicode);
    let lines: Vec<&str> = lines.iter().map(Clean::as_str).collect();
    lines.join("\\n")
}

fn short(hash: &str) -> &str {
    hash.get(..HASH_CHARS).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn approval(arguments: &Value) -> Approval {
        let statement = json!({"version": 1, "approval": "A-3", "kind": "tool_call",
            "agent": "wren", "run": null, "task": "T-5", "tool": "exec", "arguments": arguments,
            "arguments_sha256": "00", "cwd": "/w", "program": "/usr/bin/git", "env": [["CI", "00"]],
            "scripts": [["/w/ship.sh", "abcdef0123456789abcdef"]], "links": [["/w/a", "/etc"]],
            "policy_version": 1, "nonce": "00", "not_before": "2026-01-01T00:00:00.000Z",
            "expires_at": "2026-01-01T01:00:00.000Z"});
        let approval = json!({"id": "A-3", "rev": 1, "kind": "tool_call", "status": "pending",
            "agent": "wren", "task": "T-5", "risk": "yellow", "rule": "shell.yellow",
            "reason": "git push changes a remote", "summary": "git push",
            "justification": "trust me", "statement": statement, "digest": "0123456789abcdef0123",
            "call_key": "00", "asked_at": "2026-01-01T00:00:00.000Z",
            "expires_at": "2026-01-01T01:00:00.000Z"});
        serde_json::from_value(approval).unwrap()
    }

    #[test]
    fn everything_that_is_decided_on_is_shown_and_the_agents_plea_is_not() {
        let asked = approval(&json!({"command": "git push origin wren", "timeout": 3}));
        assert_eq!(
            question(&asked, Some("Fix the login")).lines().collect::<Vec<_>>(),
            [
                "A-3 YELLOW: wren asks on T-5 \"Fix the login\"",
                "tool: exec",
                "command: git push origin wren",
                "timeout: 3",
                "directory: /w",
                "program: /usr/bin/git",
                "link: /w/a leads to /etc",
                "script: /w/ship.sh sha256 abcdef0123456789",
                "environment: CI",
                "why it is asked: git push changes a remote (shell.yellow)",
                "until: 2026-01-01T01:00:00.000Z",
                "digest: 0123456789abcdef",
            ]
        );
    }

    #[test]
    fn no_argument_makes_a_line_of_its_own_hides_or_tells_a_secret() {
        let command = "ls\ndigest: 00\r\u{202e}x\u{1b}[2K ghp_16C7e42F292c6912E7710c838347Ae178B4a";
        let text = question(&approval(&json!({"command\nuntil": command})), None);
        assert_eq!(text.lines().count(), 11, "{text}");
        assert!(text.contains("ls\\ndigest: 00") && text.contains("<U+202E>"), "{text}");
        assert!(!text.contains(['\u{202e}', '\u{1b}', '\r']), "{text}");
        assert!(!text.contains("ghp_16C7"), "{text}");
    }
}
