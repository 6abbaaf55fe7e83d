//! The tools that are known without configuration: their risk, and what their arguments mean.
//!
//! Names are those of OpenClaw, Claude Code, Codex and Gemini, in lower case.

use super::Risk;

/// What the arguments of a tool mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Mission Control's own tool: the daemon judges each of its acts by itself.
    Own,
    /// Runs commands.
    Shell,
    /// Reads files.
    Read,
    /// Writes files.
    Write,
    /// Writes the files that its patch names.
    Patch,
    /// Reaches a host.
    Net,
    /// Starts a sub-agent.
    Spawn,
    /// Anything else.
    Other,
}

use Class::{Net, Other, Own, Patch, Read, Shell, Spawn, Write};
use Risk::{Green, Red, Yellow};

/// Every known tool.
const TOOLS: &[(&str, Risk, Class)] = &[
    ("mc_task", Green, Own),
    ("read", Green, Read),
    ("ls", Green, Read),
    ("grep", Green, Read),
    ("glob", Green, Read),
    ("find", Green, Read),
    ("notebookread", Green, Read),
    ("read_file", Green, Read),
    ("read_many_files", Green, Read),
    ("list_directory", Green, Read),
    ("grep_search", Green, Read),
    ("search_file_content", Green, Read),
    ("view_image", Green, Read),
    ("image", Green, Read),
    ("memory_search", Green, Other),
    ("memory_get", Green, Other),
    ("session_status", Green, Other),
    ("sessions_list", Green, Other),
    ("sessions_history", Green, Other),
    ("agents_list", Green, Other),
    ("update_plan", Green, Other),
    ("todowrite", Green, Other),
    ("todoread", Green, Other),
    ("write_todos", Green, Other),
    ("update_topic", Green, Other),
    ("list_background_processes", Green, Other),
    ("read_background_output", Green, Other),
    ("bashoutput", Green, Other),
    ("taskoutput", Green, Other),
    ("tool_search", Green, Other),
    ("tool_describe", Green, Other),
    ("write", Yellow, Write),
    ("edit", Yellow, Write),
    ("multiedit", Yellow, Write),
    ("write_file", Yellow, Write),
    ("replace", Yellow, Write),
    ("notebookedit", Yellow, Write),
    ("apply_patch", Yellow, Patch),
    ("web_fetch", Yellow, Net),
    ("webfetch", Yellow, Net),
    ("web_search", Yellow, Other),
    ("websearch", Yellow, Other),
    ("google_web_search", Yellow, Other),
    ("browser", Yellow, Net),
    ("cron", Yellow, Other),
    ("canvas", Yellow, Other),
    ("tts", Yellow, Other),
    ("sessions_yield", Green, Other),
    ("sessions_send", Yellow, Other),
    ("sessions_spawn", Yellow, Spawn),
    ("subagents", Yellow, Spawn),
    ("task", Yellow, Spawn),
    ("agent", Yellow, Spawn),
    ("invoke_agent", Yellow, Spawn),
    ("killshell", Yellow, Other),
    ("exec", Yellow, Shell),
    ("process", Yellow, Shell),
    ("bash", Yellow, Shell),
    ("shell", Yellow, Shell),
    ("terminal", Yellow, Shell),
    ("run_shell_command", Yellow, Shell),
    ("code_execution", Red, Other),
    ("message", Red, Other),
    ("gateway", Red, Other),
    ("nodes", Red, Other),
    ("discord", Red, Other),
    ("slack", Red, Other),
    ("telegram", Red, Other),
    ("whatsapp", Red, Other),
];

/// Yellow tools that specialists and leads may use without asking.
pub(super) const ALLOWED: &[&str] = &[
    "exec",
    "bash",
    "shell",
    "terminal",
    "run_shell_command",
    "process",
    "write",
    "edit",
    "multiedit",
    "notebookedit",
    "write_file",
    "replace",
    "apply_patch",
    "web_fetch",
    "webfetch",
    "web_search",
    "websearch",
    "google_web_search",
    "sessions_spawn",
    "subagents",
    "task",
    "agent",
    "invoke_agent",
];

/// What no call may name, approval or not: secrets of the user, the runtime's own configuration,
/// and Mission Control itself. A part without a leading slash counts as a whole piece of a path.
pub const DENIED: &[&str] = &[
    ".ssh",
    ".aws",
    ".gnupg",
    ".openclaw",
    "openclaw.json",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/mission-control",
    "/var/lib/mission-control",
    "/var/lib/mcd",
    "/run/mcd",
    "/etc/mcd",
    "/run/mission-control",
    ".config/mission-control",
    ".local/share/mission-control",
    ".local/state/mission-control",
    "mcd.sock",
];

/// Returns the risk and the class of a tool; `None` when it is unknown.
pub(super) fn known(tool: &str) -> Option<(Risk, Class)> {
    let row = TOOLS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(tool))?;
    Some((row.1, row.2))
}

/// Says whether `pattern`, a name or a beginning with `*`, means `tool`; case doesn't matter.
pub(super) fn names(pattern: &str, tool: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(head) => tool.get(..head.len()).is_some_and(|start| start.eq_ignore_ascii_case(head)),
        None => pattern.eq_ignore_ascii_case(tool),
    }
}
