//! What the arguments of a call hold: texts with the name they stand under, paths and addresses.

use serde_json::Value;

use super::{
    Call,
    tools::{self, Class},
};

/// A text in the arguments, with the nearest name above it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf<'a> {
    /// The name; empty at the top.
    pub(super) key: &'a str,
    /// The text.
    pub(super) text: &'a str,
}

/// Names whose text is prose or content: it is kept or sent, not acted on.
const PROSE: &[&str] = &[
    "content",
    "contents",
    "text",
    "new_string",
    "old_string",
    "newstring",
    "oldstring",
    "newtext",
    "oldtext",
    "input",
    "patch",
    "diff",
    "prompt",
    "query",
    "q",
    "description",
    "message",
    "body",
    "title",
    "subject",
    "summary",
    "note",
    "comment",
    "reason",
    "thought",
    "todos",
    "plan",
    "instruction",
    "instructions",
    "justification",
    "new_source",
    "question",
    "regex",
];

/// Names whose text is a path.
const PATHS: &[&str] = &[
    "path",
    "file_path",
    "filepath",
    "file",
    "filename",
    "notebook_path",
    "dir",
    "dir_path",
    "directory",
    "cwd",
    "workdir",
    "target_file",
    "paths",
    "files",
    "root",
    "image",
    "output_path",
    "src",
    "dest",
    "destination",
    "source",
];

/// Names whose text is an address.
const ADDRESSES: &[&str] =
    &["url", "urls", "uri", "href", "targeturl", "target_url", "endpoint", "webhook"];

/// Names whose text is run.
const COMMANDS: &[&str] = &["command", "cmd", "commands", "script", "shell", "argv"];

fn is_one_of(key: &str, names: &[&str]) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(key))
}

impl Leaf<'_> {
    /// Says whether the text is prose or content.
    pub(super) fn is_prose(self) -> bool {
        is_one_of(self.key, PROSE)
    }

    /// Says whether the text is run.
    pub(super) fn is_command(self) -> bool {
        is_one_of(self.key, COMMANDS)
    }

    /// Says whether the text is an address, by its name or by its shape.
    pub(super) fn is_address(self) -> bool {
        is_one_of(self.key, ADDRESSES) || (!self.is_prose() && self.text.contains("://"))
    }

    /// Says whether the text is a path, by its name or by its shape.
    fn is_path(self) -> bool {
        let shaped = self.text.starts_with(['/', '~'])
            || self.text.split('/').any(|part| part == "..")
            || self.text.starts_with("./");
        let plain =
            !self.is_prose() && !self.is_address() && !self.key.eq_ignore_ascii_case("pattern");
        plain && (is_one_of(self.key, PATHS) || shaped)
    }
}

/// Returns every text in the arguments, in order.
pub(super) fn leaves(arguments: &Value) -> Vec<Leaf<'_>> {
    let mut found = Vec::new();
    collect("", arguments, &mut found);
    found
}

fn collect<'a>(key: &'a str, value: &'a Value, found: &mut Vec<Leaf<'a>>) {
    match value {
        Value::String(text) => found.push(Leaf { key, text }),
        Value::Array(items) => items.iter().for_each(|item| collect(key, item, found)),
        Value::Object(map) => map.iter().for_each(|(key, value)| collect(key, value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Returns the paths that the call names. A reader without one reads where it runs.
pub(super) fn paths<'a>(call: &Call<'a>, class: Class, leaves: &[Leaf<'a>]) -> Vec<&'a str> {
    match class {
        Class::Own | Class::Shell => Vec::new(),
        Class::Patch => leaves.iter().flat_map(|leaf| patched(leaf.text)).collect(),
        Class::Read => {
            let is_glob = tools::names("glob", call.tool) || tools::names("find", call.tool);
            let is_path = |leaf: &&Leaf<'_>| {
                leaf.is_path() || (is_glob && leaf.key.eq_ignore_ascii_case("pattern"))
            };
            let named: Vec<_> = leaves.iter().filter(is_path).map(|leaf| leaf.text).collect();
            if named.is_empty() && call.cwd.is_some() { vec!["."] } else { named }
        }
        Class::Write | Class::Net | Class::Spawn | Class::Other => {
            leaves.iter().filter(|leaf| leaf.is_path()).map(|leaf| leaf.text).collect()
        }
    }
}

/// Returns the files that a patch names.
fn patched(patch: &str) -> impl Iterator<Item = &str> {
    const HEADS: &[&str] =
        &["*** Add File:", "*** Update File:", "*** Delete File:", "*** Move to:"];
    patch.lines().filter_map(|line| {
        let line = line.trim_start();
        let named = HEADS.iter().find_map(|head| line.strip_prefix(head)).map(str::trim);
        named.or_else(|| {
            let file = line.strip_prefix("+++ ").or_else(|| line.strip_prefix("--- "))?;
            let file = file.split('\t').next().unwrap_or(file).trim();
            let file = file.strip_prefix("a/").or_else(|| file.strip_prefix("b/")).unwrap_or(file);
            (file != "/dev/null").then_some(file)
        })
    })
}

/// Returns the word in `text` that means a live target, if it is short enough to be a target.
pub(super) fn live_target<'t>(text: &'t str, live: &[String]) -> Option<&'t str> {
    if text.len() > 200 {
        return None;
    }
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| live.iter().any(|live| live.eq_ignore_ascii_case(word)))
}
