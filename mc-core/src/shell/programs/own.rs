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
/// The runtime's own command by all its names.
const RUNTIMES: &[&str] = &["openclaw", "openclaw.mjs"];
/// What steers the runtime, wherever it follows its name.
const RUNTIME_STEERS: &[&str] = &[
    "acp",
    "agent",
    "agents",
    "approvals",
    "channels",
    "config",
    "configure",
    "cron",
    "daemon",
    "devices",
    "exec",
    "gateway",
    "hooks",
    "mcp",
    "message",
    "models",
    "node",
    "nodes",
    "onboard",
    "plugin",
    "plugins",
    "reset",
    "sandbox",
    "secrets",
    "sessions",
    "setup",
    "skills",
    "uninstall",
    "update",
];
/// How many words may stand between the runtime's name and what steers it: options with values.
const BETWEEN: usize = 6;
/// Programs that run others and are on no other list.
const CARRIERS: &[&str] = &[
    "at",
    "batch",
    "bunx",
    "corepack",
    "npm",
    "nsenter",
    "pnpm",
    "pnpx",
    "runuser",
    "setpriv",
    "systemd-run",
    "unshare",
    "yarn",
];
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

/// Refuses outright what steers the runtime, behind whatever runs it: another program, an
/// interpreter, a script's text. Coarse on purpose: the words are taken apart wherever a name may end.
pub(in crate::shell) fn steers_runtime<'w>(
    words: impl Iterator<Item = &'w str>,
) -> Option<Finding> {
    let apart = |c: char| c.is_whitespace() || r#"'"`;|&<>()[]{},="#.contains(c);
    let words = words.flat_map(|word| word.split(apart)).filter(|word| !word.is_empty());
    let mut since = BETWEEN + 1;
    for word in words {
        since += 1;
        if since <= BETWEEN && RUNTIME_STEERS.contains(&word) {
            return Some(deny("K14", STEERS));
        }
        if RUNTIMES.contains(&base(word)) {
            since = 0;
        }
    }
    None
}

/// Why the runtime's own command is refused.
const STEERS: &str = "it steers the runtime that the agent runs in";

/// The name of a program without its folder and its version.
fn base(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or(word);
    name.split('@').next().unwrap_or(name)
}

/// Returns why a call is refused outright, by a path that may lead anywhere.
pub(in crate::shell) fn denied_by_path(path: &str, words: &[Word]) -> Option<Finding> {
    let name = base(path);
    let is_one = RUNTIMES.contains(&name) || PEOPLE.contains(&name) || name == "mcctl";
    if is_one && path.contains('/') { denied(name, words) } else { None }
}

/// Returns why a call is refused outright.
pub(in crate::shell) fn denied(name: &str, words: &[Word]) -> Option<Finding> {
    let all = texts(words);
    if super::runs_others(name) || CARRIERS.contains(&name) {
        let hands_on = ["xargs", "parallel"].contains(&name);
        if hands_on && all.iter().any(|word| RUNTIMES.contains(&base(word))) {
            return Some(deny("K14", STEERS));
        }
        if let Some(finding) = steers_runtime(all.iter().copied()) {
            return Some(finding);
        }
    }
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
        _ if RUNTIMES.contains(&name)
            && !matches!(all.as_slice(), [only] if RUNTIME_LOOKS.contains(only)) =>
        {
            Some(deny("K14", STEERS))
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
