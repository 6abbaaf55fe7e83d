//! The request itself: every argument, the words that its programs get, what it runs and where.

use mc_core::{
    approval::Statement,
    canonical,
    shell::{
        read::{Known, read},
        simple::{Simple, Word},
    },
};
use serde_json::Value;

use super::row;
use crate::{text, theme::Token, widgets::Line};

/// The programs and scripts of a call; what is in them is bound by their hashes.
fn runs(statement: &Statement) -> Vec<Line> {
    let program = statement.program.iter();
    let mut lines: Vec<Line> =
        program.map(|path| row("runs").says(Token::Fg, &text::exact(path))).collect();
    if let Some(hash) = &statement.program_sha256 {
        lines.push(row("").own(Token::Dim, "sha256 ").says(Token::Dim, &text::exact(hash)));
    }
    if let Some(home) = &statement.home {
        lines.push(row("home").own(Token::Dim, "~ is ").says(Token::Fg, &text::exact(home)));
    }
    for (path, to) in &statement.links {
        let line = row("link").says(Token::Fg, &text::exact(path));
        lines.push(line.own(Token::Warn, " leads to ").says(Token::Fg, &text::exact(to)));
    }
    for (path, hash) in &statement.scripts {
        let hash = format!("  sha256 {}", text::line(hash).as_str());
        lines.push(row("script").says(Token::Fg, &text::exact(path)).own(Token::Dim, hash));
    }
    lines
}

/// Returns act and target of a request in as few lines as hold them whole.
pub fn act(statement: &Statement) -> Vec<Line> {
    let mut leaves = Vec::new();
    flatten("", &statement.arguments, &mut leaves);
    let tool = Line::new().says(Token::Strong, &text::exact(&statement.tool));
    let leaf = |(path, value): &(String, String)| {
        let line = Line::new().own(Token::Fg, "  ").says(Token::Dim, &text::exact(path));
        line.own(Token::Dim, " = ").says(Token::Fg, &text::exact(value))
    };
    let cwd = statement.cwd.as_deref().map(text::exact);
    let tool = match cwd {
        Some(cwd) => tool.own(Token::Dim, " in ").says(Token::Dim, &cwd),
        None => tool,
    };
    let warned = leaves.iter().filter_map(|(_, value)| text::mixed(value));
    let warned = warned.map(|note| Line::new().own(Token::Crit, "  (!) ").says(Token::Crit, &note));
    std::iter::once(tool).chain(leaves.iter().map(leaf)).chain(warned).collect()
}

/// The statement's request, and how many parts of it hold what can't be seen.
pub(super) fn lines(statement: &Statement) -> (Vec<Line>, usize) {
    let mut lines = vec![row("tool").says(Token::Strong, &text::exact(&statement.tool))];
    let mut hidden = usize::from(text::exact(&statement.tool).flagged());
    let mut arguments = Vec::new();
    flatten("", &statement.arguments, &mut arguments);
    if arguments.is_empty() {
        lines.push(row("args").own(Token::Dim, "none"));
    }
    for (path, value) in arguments {
        let (path, parts) = (text::exact(&path), value.split('\n').collect::<Vec<_>>());
        let count = parts.len();
        let mixed = text::mixed(&value);
        for (at, part) in parts.into_iter().enumerate() {
            let part = text::exact(part);
            hidden += usize::from(part.flagged());
            let line = if at == 0 {
                row("arg").says(Token::Key, &path).own(Token::Dim, " = ")
            } else {
                row("")
            };
            let line = line.says(Token::Fg, &part);
            lines.push(if at + 1 < count { line.own(Token::Dim, "\\n") } else { line });
        }
        hidden += usize::from(path.flagged());
        lines.extend(mixed.map(|note| row("(!)").says(Token::Crit, &note)));
    }
    lines.extend(argv(&statement.arguments));
    let cwd = statement.cwd.as_deref();
    lines.push(match cwd {
        Some(cwd) => {
            hidden += usize::from(text::exact(cwd).flagged());
            row("cwd").says(Token::Fg, &text::exact(cwd))
        }
        None => row("cwd").own(Token::Dim, "? not told"),
    });
    lines.extend(runs(statement));
    if statement.env.is_empty() {
        lines.push(row("env").own(Token::Dim, "nothing is passed beside the runtime's own"));
    }
    for (name, hash) in &statement.env {
        hidden += usize::from(text::exact(name).flagged());
        lines.push(
            row("env")
                .says(Token::Fg, &text::exact(name))
                .own(Token::Dim, " = value with sha256 ")
                .says(Token::Dim, &text::exact(hash)),
        );
    }
    (lines, hidden)
}

/// Lists every leaf of a value with its path; nothing is left out.
fn flatten(path: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, into);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, value) in items.iter().enumerate() {
                flatten(&format!("{path}[{at}]"), value, into);
            }
        }
        Value::String(text) => into.push((path.to_owned(), format!("\"{text}\""))),
        Value::Null if path.is_empty() => {}
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) | Value::Array(_) => {
            into.push((path.to_owned(), value.to_string()));
        }
    }
}

/// The words that each program of a command gets, one by one, as our reader follows it.
fn argv(arguments: &Value) -> Vec<Line> {
    let command = arguments.get("command").or_else(|| arguments.get("cmd"));
    let Some(command) = command.and_then(Value::as_str) else { return Vec::new() };
    match read(command, Known { home: None, depth: 0 }) {
        Ok(script) => script.commands.iter().map(words).collect(),
        Err(finding) => {
            let why = text::line(&finding.reason);
            vec![
                row("argv").own(Token::Warn, "? not followed to its end: ").says(Token::Warn, &why),
            ]
        }
    }
}

/// One simple command: `0 git  1 push  2 origin`.
fn words(command: &Simple) -> Line {
    let line = command.env.iter().fold(row("argv"), |line, (name, value)| {
        let line = line.says(Token::Key, &text::exact(name)).own(Token::Dim, "=");
        word(line, value).own(Token::Fg, "  ")
    });
    let line = command.words.iter().enumerate().fold(line, |line, (at, one)| {
        word(line.own(Token::Dim, format!("{at} ")), one).own(Token::Fg, "  ")
    });
    command.redirects.iter().fold(line, |line, redirect| {
        let arrow = if redirect.writes { "writes " } else { "reads " };
        word(line.own(Token::Warn, arrow), &redirect.file).own(Token::Fg, "  ")
    })
}

/// A word, and what of it only the run will tell.
fn word(line: Line, word: &Word) -> Line {
    let line = if word.text.is_empty() {
        line.own(Token::Dim, "(empty)")
    } else {
        line.says(Token::Fg, &text::exact(&word.text))
    };
    match (&word.unknown, &word.glob) {
        (Some(_), _) => line.own(Token::Warn, "(?)"),
        (None, Some(_)) => line.own(Token::Warn, "(glob)"),
        (None, None) => line,
    }
}

/// Returns what differs between two sets of arguments, leaf by leaf: before, then after.
pub fn changes(before: &Value, after: &Value) -> Vec<Line> {
    let leaves = |value| {
        let mut leaves = Vec::new();
        flatten("", value, &mut leaves);
        leaves
    };
    let (before, after) = (leaves(before), leaves(after));
    let shown = |(token, sign): (Token, &'static str), (path, value): &(String, String)| {
        let line = Line::new().own(token, sign).says(Token::Key, &text::exact(path));
        line.own(Token::Dim, " = ").says(token, &text::exact(value))
    };
    let gone = before.iter().filter(|leaf| !after.contains(leaf));
    let new = after.iter().filter(|leaf| !before.contains(leaf));
    let gone = gone.map(|leaf| shown((Token::Crit, "- "), leaf));
    gone.chain(new.map(|leaf| shown((Token::Ok, "+ "), leaf))).collect()
}

/// Returns the statement byte by byte: the canonical JSON that its digest is of.
pub fn raw(statement: &Statement, width: usize) -> Vec<Line> {
    let json = canonical::json(statement);
    // Offset, two digits and a blank for each byte, then the byte itself.
    let count = match width.saturating_sub(9) / 4 {
        0..8 => 4,
        8..16 => 8,
        16.. => 16,
    };
    let head = format!(" {} bytes of canonical JSON; B goes back", json.len());
    let rows = json.as_bytes().chunks(count).enumerate().map(|(at, bytes)| {
        let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x} "));
        let shown: String = bytes.iter().copied().map(printable).collect();
        Line::new()
            .own(Token::Dim, format!(" {:05x} ", at * count))
            .own(Token::Fg, format!("{hex:<width$} ", width = count * 3))
            .own(Token::Rec, shown)
    });
    std::iter::once(Line::new().own(Token::Strong, head)).chain(rows).collect()
}

fn printable(byte: u8) -> char {
    if byte == b' ' || byte.is_ascii_graphic() { char::from(byte) } else { '.' }
}
