//! `git`: readers are green, what stays in the repository is yellow.

use super::super::{
    judge::{Judge, green},
    options::{
        self, Form,
        Means::{Read, Text},
        Operands,
    },
    simple::{Finding, Unknown, Word, red, yellow},
};
use crate::policy::Risk;

/// A command of git.
struct Row {
    name: &'static str,
    risk: Risk,
    form: Form,
}

const READS: Form = Form { operands: Operands::All(Text), ..Form::READS };

/// Options that reading commands share. An operand may be a revision or a file, so it is judged
/// as a file: what a revision is called is no place that anything stands against.
const LOOK: Form = Form {
    flags: "abcehilLmnprRsSuvwzE",
    valued: &[('n', Text), ('U', Text), ('G', Text)],
    long: &[
        "abbrev-commit",
        "all",
        "branches",
        "cached",
        "color",
        "date-order",
        "decorate",
        "first-parent",
        "follow",
        "full-index",
        "graph",
        "ignore-all-space",
        "ignore-space-change",
        "left-right",
        "merges",
        "name-only",
        "name-status",
        "no-color",
        "no-ext-diff",
        "no-merges",
        "no-pager",
        "no-patch",
        "numstat",
        "oneline",
        "patch",
        "porcelain",
        "pretty",
        "reverse",
        "short",
        "shortstat",
        "show-current",
        "staged",
        "stat",
        "summary",
        "tags",
        "topo-order",
        "branch",
        "untracked-files",
        "verify",
        "abbrev-ref",
        "show-toplevel",
        "git-dir",
        "is-inside-work-tree",
        "others",
        "exclude-standard",
        "modified",
        "deleted",
        "always",
        "dirty",
        "long",
        "list",
        "remotes",
        "word-diff",
        "check",
        "ignored",
    ],
    long_valued: &[
        ("after", Text),
        ("author", Text),
        ("before", Text),
        ("committer", Text),
        ("date", Text),
        ("diff-filter", Text),
        ("format", Text),
        ("grep", Text),
        ("max-count", Text),
        ("since", Text),
        ("skip", Text),
        ("until", Text),
        ("unified", Text),
    ],
    long_maybe: &[
        "pretty",
        "color",
        "abbrev",
        "decorate",
        "porcelain",
        "untracked-files",
        "short",
        "stat",
        "word-diff",
        "ignored",
    ],
    numeric: true,
    operands: Operands::All(Read),
    ..READS
};

const fn green_row(name: &'static str) -> Row {
    Row { name, risk: Risk::Green, form: LOOK }
}

const fn yellow_row(name: &'static str, form: Form) -> Row {
    Row { name, risk: Risk::Yellow, form }
}

const ROWS: &[Row] = &[
    green_row("status"),
    green_row("log"),
    green_row("diff"),
    green_row("show"),
    green_row("blame"),
    green_row("rev-parse"),
    green_row("ls-files"),
    green_row("describe"),
    green_row("shortlog"),
    Row {
        name: "grep",
        risk: Risk::Green,
        form: Form {
            flags: "cEFhHiIlLnPvwz",
            valued: &[('A', Text), ('B', Text), ('C', Text), ('e', Text)],
            long: &["cached", "count", "files-with-matches", "ignore-case", "line-number"],
            replaces_first: &["-e"],
            operands: Operands::TextThenRead,
            ..READS
        },
    },
    yellow_row(
        "add",
        Form {
            flags: "Aunv",
            long: &["all", "update", "dry-run", "verbose"],
            operands: Operands::All(Read),
            ..READS
        },
    ),
    yellow_row(
        "commit",
        Form {
            flags: "aqvs",
            valued: &[('m', Text)],
            long: &["all", "allow-empty", "quiet", "signoff", "no-edit"],
            long_valued: &[("message", Text)],
            operands: Operands::All(Read),
            ..READS
        },
    ),
    yellow_row("tag", Form { flags: "aln", valued: &[('m', Text)], long: &["list"], ..READS }),
    yellow_row("fetch", Form { flags: "pqv", long: &["prune", "quiet", "verbose"], ..READS }),
];

/// Judges a call of git.
pub(super) fn judge(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    let mut words = words;
    if let [pager, rest @ ..] = words
        && pager.text == "--no-pager"
    {
        words = rest;
    }
    let Some((command, rest)) = words.split_first() else {
        return Err(red("K12", "git without a command"));
    };
    options::known(command)?;
    judge.nothing_closed(rest)?;
    match command.text.as_str() {
        "branch" => branch(rest),
        "checkout" | "switch" => new_branch(&command.text, rest),
        "stash" => stash(rest),
        "push" => push(judge, rest),
        "commit" => commit(judge, rest),
        "fetch" => fetch(judge, rest),
        name => row(judge, name, rest),
    }
}

fn by_row(judge: &mut Judge<'_>, row: &Row, words: &[Word]) -> Result<Finding, Finding> {
    let (rule, name) = if row.risk == Risk::Green { ("K10", row.name) } else { ("K11", row.name) };
    let parsed = judge.form(rule, &row.form, words)?;
    // A file of a revision is named behind a colon.
    for (_, word) in parsed.operands.iter().filter(|_| row.risk == Risk::Green) {
        if let Some((_, file)) = word.text.split_once(':').filter(|(_, file)| !file.is_empty()) {
            judge.at("K8", file, crate::policy::places::Use::Read)?;
        }
    }
    if words.iter().any(|word| word.glob.is_some()) {
        return Ok(yellow("K5", "a file's name may look like an option"));
    }
    Ok(if row.risk == Risk::Green {
        green("K10")
    } else {
        yellow("K11", format!("`git {name}` changes the repository"))
    })
}

fn row(judge: &mut Judge<'_>, name: &str, words: &[Word]) -> Result<Finding, Finding> {
    match ROWS.iter().find(|row| row.name == name) {
        Some(row) => by_row(judge, row, words),
        None => Err(red("K12", format!("`git {name}` is on no list"))),
    }
}

/// Fetching takes the remote that is known, and branches of it by name.
fn fetch(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    let found = row(judge, "fetch", words)?;
    let mut named = words.iter().filter(|word| !word.text.starts_with('-'));
    match named.next() {
        Some(remote) if remote.text != "origin" => {
            Err(red("K11", "it fetches from something else than origin"))
        }
        Some(_) | None if named.all(is_plain) => Ok(found),
        Some(_) | None => Err(red("K11", "it fetches something else than branches by name")),
    }
}

fn commit(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    // The output of a green command may be a message: it can't become anything else.
    let mut plain = words.to_vec();
    let mut is_message = false;
    for word in &mut plain {
        if is_message && word.unknown == Some(Unknown::Output) {
            word.unknown = None;
        }
        is_message = word.text == "-m" || word.text == "-am";
    }
    row(judge, "commit", &plain)
}

fn branch(words: &[Word]) -> Result<Finding, Finding> {
    const LISTING: &[&str] =
        &["-a", "-r", "-v", "-vv", "--list", "--all", "--show-current", "--remotes"];
    words.iter().try_for_each(options::known)?;
    match words.iter().find(|word| !LISTING.contains(&word.text.as_str())) {
        None => Ok(green("K10")),
        Some(word) => Err(red("K12", format!("`git branch {}` does more than list", word.text))),
    }
}

fn new_branch(name: &str, words: &[Word]) -> Result<Finding, Finding> {
    words.iter().try_for_each(options::known)?;
    let is_new = if name == "checkout" { "-b" } else { "-c" };
    match words {
        [flag, branch] if flag.text == is_new && is_plain(branch) => {
            Ok(yellow("K11", "it begins a branch"))
        }
        _ => Err(red("K12", format!("`git {name}` may discard work"))),
    }
}

fn stash(words: &[Word]) -> Result<Finding, Finding> {
    words.iter().try_for_each(options::known)?;
    match super::texts(words).as_slice() {
        ["list" | "show"] => Ok(green("K10")),
        [] | ["push" | "pop" | "apply"] | ["push", "-m", _] => {
            Ok(yellow("K11", "it puts changes aside or takes them back"))
        }
        _ => Err(red("K12", "`git stash` in this form may discard work")),
    }
}

fn push(judge: &Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    words.iter().try_for_each(options::known)?;
    let (words, _) = match words {
        [flag, rest @ ..] if matches!(flag.text.as_str(), "-u" | "--set-upstream") => (rest, true),
        all => (all, false),
    };
    match words {
        [remote, branch] if remote.text == "origin" && is_plain(branch) => {
            let name = branch.text.as_str();
            match judge.places.policy.protected_branch(name) {
                Some(rule) => Err(red("K12", format!("`{name}` is a protected branch (`{rule}`)"))),
                None => Ok(yellow("K11", format!("it pushes the branch `{name}`"))),
            }
        }
        _ => Err(red("K12", "it pushes something else than one named branch to origin")),
    }
}

/// Says whether a word is the plain name of a branch.
fn is_plain(word: &Word) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    let text = word.text.as_str();
    word.glob.is_none()
        && !text.is_empty()
        && !text.starts_with(['-', '/', '.'])
        && !text.contains("..")
        && !text.starts_with("refs/")
        // What `HEAD` means is only known when it runs.
        && !text.ends_with("HEAD")
        && text.chars().all(is_plain)
}
