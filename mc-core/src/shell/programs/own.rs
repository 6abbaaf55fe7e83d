//! What nobody may run, and our own command line (K12, K14).

use super::{
    super::{
        judge::{Judge, green},
        options,
        simple::{Finding, Word, deny, red},
    },
    texts,
};
use crate::policy::places::Use;

/// Programs of the control plane that only people use.
const PEOPLE: &[&str] = &["mcd", "mcd-notify", "mctui", "mc-openclaw"];
/// Programs that look into or steer other processes.
const DEBUGGERS: &[&str] =
    &["gdb", "lldb", "strace", "ltrace", "ptrace", "reptyr", "bpftrace", "perf"];
/// What the runtime's own command may be asked for; everything else steers it.
const RUNTIME_LOOKS: &[&str] = &["status", "health", "docs", "help", "--help", "--version"];
/// Verbs of our own command line that agents have: the noun and the verb.
const AGENT_VERBS: &[(&str, &[&str])] = &[
    (
        "task",
        &[
            "list",
            "show",
            "get",
            "claim",
            "start",
            "submit",
            "comment",
            "answers",
            "timeline",
            "block",
            "blocker",
            "report-blocker",
            "create",
            "update",
        ],
    ),
    ("message", &["list", "post"]),
    ("artifact", &["get", "put", "list"]),
    ("run", &["list", "show", "get"]),
    ("agent", &["list", "show", "get", "heartbeat", "tree"]),
    ("notification", &["list", "ack"]),
];
/// Verbs without a noun.
const PLAIN_VERBS: &[&str] = &["comment", "status", "help"];

/// Returns why a call is refused outright.
pub(in crate::shell) fn denied(name: &str, words: &[Word]) -> Option<Finding> {
    let all = texts(words);
    if PEOPLE.contains(&name) {
        return Some(deny("K14", format!("`{name}` is for people")));
    }
    if DEBUGGERS.contains(&name) {
        return Some(deny("K14", format!("`{name}` looks into other processes")));
    }
    match name {
        "mcctl" if !is_agent_verb(&without_form(&all)) => {
            Some(deny("K14", "this verb of mcctl is for people"))
        }
        "tmux" | "screen" | "zellij" | "ttyd" | "wall" | "write" | "mesg" | "conspy" => {
            Some(deny("K14", format!("`{name}` reaches into other terminals")))
        }
        "openclaw" if !matches!(all.as_slice(), [only] if RUNTIME_LOOKS.contains(only)) => {
            Some(deny("K14", "it steers the runtime that the agent runs in"))
        }
        "pkill" | "killall" | "systemctl" | "service" | "loginctl"
            if all.iter().any(|word| is_ours(word)) =>
        {
            Some(deny("K14", "it is aimed at the control plane"))
        }
        "dd" if all.iter().any(|word| word.starts_with("of=/dev/") && *word != "of=/dev/null") => {
            Some(deny("K12", "it writes to a device"))
        }
        _ if name == "mkfs"
            || name.starts_with("mkfs.")
            || name == "mkswap"
            || name == "wipefs" =>
        {
            Some(deny("K12", "it formats a device"))
        }
        _ => None,
    }
}

fn is_ours(word: &str) -> bool {
    ["mcd", "mctui", "mc-openclaw", "openclaw", "mission-control"]
        .iter()
        .any(|ours| word.trim_start_matches('^').starts_with(ours))
}

/// Leaves out how the answer is shown.
fn without_form<'w>(words: &[&'w str]) -> Vec<&'w str> {
    words.iter().copied().filter(|word| *word != "--json").collect()
}

fn is_agent_verb(words: &[&str]) -> bool {
    match words {
        [] | ["--version" | "--help"] => true,
        [verb, ..] if PLAIN_VERBS.contains(verb) => true,
        [noun, verb, ..] => {
            AGENT_VERBS.iter().any(|(known, verbs)| known == noun && verbs.contains(verb))
        }
        [_] => false,
    }
}

/// Judges our own command line; what people alone may do was refused before. A file that it sends
/// is read.
pub(super) fn mcctl(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    words.iter().try_for_each(options::known)?;
    let elsewhere = ["--socket", "--home", "--passphrase-file", "--code"];
    let is_elsewhere = |text: &&str| elsewhere.iter().any(|name| text.starts_with(name));
    if let Some(text) = texts(words).into_iter().find(is_elsewhere) {
        return Err(red("K14", format!("`{text}` speaks to another daemon or as somebody else")));
    }
    // Any word may be a file that it sends; what holds a blank is prose.
    for word in words {
        let option = word.text.strip_prefix("--").and_then(|rest| rest.split_once('='));
        let value = option.map_or(word.text.as_str(), |(_, value)| value);
        if !value.is_empty() && !value.contains(char::is_whitespace) && !value.contains("://") {
            judge.at("K14", value, Use::Read)?;
        }
    }
    Ok(green("K14"))
}
