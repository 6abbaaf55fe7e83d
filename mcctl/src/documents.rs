//! The documents show only commands that exist: every `mcctl` line in them is parsed.

use clap::Parser as _;

use crate::cli::Cli;

const DOCUMENTS: &[(&str, &str)] = &[
    ("README.md", include_str!("../../README.md")),
    ("docs/DEPLOYMENT.md", include_str!("../../docs/DEPLOYMENT.md")),
    ("docs/NOTIFICATIONS.md", include_str!("../../docs/NOTIFICATIONS.md")),
    ("docs/RUNBOOK.md", include_str!("../../docs/RUNBOOK.md")),
    ("docs/RUNTIMES.md", include_str!("../../docs/RUNTIMES.md")),
    ("docs/SCHEDULES.md", include_str!("../../docs/SCHEDULES.md")),
    ("docs/SECURITY.md", include_str!("../../docs/SECURITY.md")),
    ("docs/tutorials/openclaw.md", include_str!("../../docs/tutorials/openclaw.md")),
    ("skill", include_str!("../../integrations/openclaw/plugin/skills/mission-control/SKILL.md")),
];

/// Splits a command line into words as a shell would, for quotes without anything inside them.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns the commands of code blocks, one a line.
fn commands(text: &str) -> Vec<&str> {
    let mut shell = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(kind) = line.strip_prefix("```") {
            shell = kind == "sh";
        } else if shell && line.starts_with("mcctl ") {
            found.push(line);
        }
    }
    found
}

/// Returns the commands within sentences, such as `mcctl doctor`.
fn mentions(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("mcctl ")).collect()
}

#[test]
fn every_command_in_a_code_block_is_one_that_exists() {
    let mut seen = 0;
    for (name, text) in DOCUMENTS {
        for command in commands(text) {
            seen += 1;
            if let Err(error) = Cli::try_parse_from(words(command)) {
                panic!("{name}: {command}: {error}");
            }
        }
    }
    assert!(seen > 40, "only {seen} commands were found");
}

#[test]
fn every_command_in_a_sentence_begins_as_one_that_exists() {
    use clap::CommandFactory as _;

    for (name, text) in DOCUMENTS {
        for mention in mentions(text) {
            let mut grammar = Cli::command();
            for word in words(mention).iter().skip(1).take_while(|word| !word.starts_with('-')) {
                if grammar.get_subcommands().next().is_none() {
                    break;
                }
                let next = grammar.find_subcommand(word).cloned();
                let what = word.split('|').next().unwrap();
                let next = next.or_else(|| grammar.find_subcommand(what).cloned());
                grammar = next.unwrap_or_else(|| panic!("{name}: `{mention}`: no `{word}`"));
            }
        }
    }
}
