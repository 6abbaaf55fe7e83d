//! Commands that run other commands, and what the environment changes (K6, K7).

use super::super::{
    judge::{Judge, green},
    options,
    simple::{Finding, Input, Quotes, Word, deny, red, yellow},
    tables,
};
use crate::policy::Risk;

/// Shells by all their usual names.
const SHELLS: &[&str] =
    &["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "rbash", "csh", "tcsh"];
/// Programs that print what a host sends.
const DOWNLOADS: &[&str] = &["curl", "wget", "fetch", "aria2c", "http", "https", "nc", "ncat"];
/// Interpreters whose standard input is a program.
const INTERPRETERS: &[&str] =
    &["python", "python2", "python3", "node", "perl", "ruby", "php", "lua", "tclsh", "deno", "bun"];
/// Names that change which code runs or where things go: exact, or a beginning with `*`.
const STEERING: &[&str] = &[
    "LD_*",
    "DYLD_*",
    "PATH",
    "IFS",
    "HOME",
    "ENV",
    "BASH_ENV",
    "BASHOPTS",
    "SHELLOPTS",
    "PS*",
    "PROMPT_COMMAND",
    "CDPATH",
    "GLOBIGNORE",
    "SHELL",
    "TMPDIR",
    "PYTHON*",
    "NODE_*",
    "PERL*",
    "RUBY*",
    "LUA_*",
    "JAVA_*",
    "_JAVA_OPTIONS",
    "CLASSPATH",
    "GIT_*",
    "SSH_*",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "*PAGER",
    "MANPAGER",
    "LESS*",
    "BROWSER",
    "RUSTC*",
    "RUSTFLAGS",
    "CARGO_*",
    "CC",
    "CXX",
    "LD",
    "AR",
    "MAKEFLAGS",
    "MAKEFILES",
    "NPM_*",
    "npm_*",
    "PIP_*",
    "GOFLAGS",
    "GOPROXY",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "RIPGREP_CONFIG_PATH",
    "GREP_*",
    "TAR_OPTIONS",
    "UNZIP",
    "CURL_HOME",
    "WGETRC",
    "XDG_*",
    "MC_*",
    "OPENCLAW_*",
    "*_PROXY",
    "*_proxy",
    "LANGUAGE",
];
/// Parts of names that speak of secrets.
const SECRETS: &[&str] = &["KEY", "TOKEN", "SECRET", "PASS", "CREDENTIAL", "AUTH", "COOKIE"];

/// Judges an assignment before a command, or alone.
pub(in crate::shell) fn environment(name: &str, word: &Word, alone: bool) -> Option<Finding> {
    let steers = |rule: &&str| match (rule.strip_suffix('*'), rule.strip_prefix('*')) {
        (Some(head), _) => name.starts_with(head),
        (_, Some(tail)) => name.ends_with(tail),
        _ => *rule == name,
    };
    let upper = name.to_ascii_uppercase();
    if STEERING.iter().any(steers) {
        return Some(red("K6", format!("`{name}` changes what programs do")));
    }
    if SECRETS.iter().any(|part| upper.contains(part)) {
        return Some(red("K6", format!("`{name}` is the name of a secret")));
    }
    if let Err(finding) = options::known(word) {
        return Some(finding);
    }
    (!alone).then(|| yellow("K6", format!("`{name}` is set for the command")))
}

/// Says whether a program runs others, so that no standing rule may cover it.
pub(in crate::shell) fn runs_others(name: &str) -> bool {
    const MORE: &[&str] = &[
        "awk", "busybox", "chroot", "doas", "env", "eval", "exec", "find", "flock", "gdb",
        "ionice", "make", "nice", "nohup", "npx", "parallel", "script", "sed", "setsid", "ssh",
        "stdbuf", "strace", "su", "sudo", "time", "timeout", "watch", "xargs",
    ];
    let base = name.rsplit('/').next().unwrap_or(name);
    SHELLS.contains(&base) || INTERPRETERS.contains(&base) || MORE.contains(&base)
}

/// Judges shells, wrappers and whatever reads a program from its standard input.
pub(super) fn judge(
    judge: &mut Judge<'_>,
    (name, words): (&str, &[Word]),
    input: &Input,
) -> Option<Result<Finding, Finding>> {
    if SHELLS.contains(&name) {
        return Some(shell(judge, words, input));
    }
    if INTERPRETERS.contains(&name)
        && *input != Input::Inherited
        && words.iter().all(|word| word.text.starts_with('-'))
    {
        return Some(Err(fed(name, input)));
    }
    Some(match name {
        "timeout" => transparent(judge, words, (&["-k", "-s"], 1), input),
        "nice" => transparent(judge, words, (&["-n"], 0), input),
        "ionice" => transparent(judge, words, (&["-c", "-n"], 0), input),
        "stdbuf" => transparent(judge, words, (&["-i", "-o", "-e"], 0), input),
        "time" => transparent(judge, words, (&[], 0), input),
        "env" => env(judge, words, input),
        "xargs" => xargs(judge, words),
        _ => return None,
    })
}

/// What comes into an interpreter from elsewhere.
fn fed(name: &str, input: &Input) -> Finding {
    match input {
        Input::Pipe(from) if from.iter().any(|one| DOWNLOADS.contains(&one.as_str())) => {
            deny("K7", format!("what a host sends is run by `{name}`"))
        }
        Input::Text(_) => red("K9", format!("a here-document is run by `{name}`")),
        Input::Pipe(_) | Input::Inherited => {
            red("K7", format!("`{name}` runs what comes in on its standard input"))
        }
    }
}

fn shell(judge: &mut Judge<'_>, words: &[Word], input: &Input) -> Result<Finding, Finding> {
    match words {
        [flag, script] if flag.text == "-c" && flag.quotes == Quotes::Bare => {
            if script.quotes != Quotes::Single {
                judge.nothing_closed(words)?;
                return Err(red("K7", "the command of the shell is not one single-quoted text"));
            }
            let found = judge.inner(&script.text);
            let is_green = found.risk == Risk::Green;
            Ok(if is_green { yellow("K7", "a shell runs it") } else { found })
        }
        [file, rest @ ..] if !file.text.starts_with('-') && *input == Input::Inherited => {
            rest.iter().try_for_each(options::known)?;
            judge.nothing_closed(words)?;
            options::known(file)?;
            judge.script(&file.text).map_err(|finding| Finding { rule: "K7", ..finding })?;
            Ok(yellow("K7", format!("a shell runs `{}` of the workspace", file.text)))
        }
        _ => {
            judge.nothing_closed(words)?;
            Err(fed("the shell", input))
        }
    }
}

/// Takes a wrapper's own words off and judges the rest.
fn transparent(
    judge: &mut Judge<'_>,
    words: &[Word],
    (valued, operands): (&[&str], usize),
    input: &Input,
) -> Result<Finding, Finding> {
    let mut rest = words;
    let mut left = operands;
    while let [first, behind @ ..] = rest {
        let text = first.text.as_str();
        let is_plain = first.quotes == Quotes::Bare && first.glob.is_none();
        let is_number = |text: &str| {
            let digits = text.trim_end_matches(['s', 'm', 'h', 'd', 'k', 'K', 'M', 'L']);
            digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        };
        if !is_plain || first.unknown.is_some() {
            break;
        }
        if valued.contains(&text) {
            rest = behind.get(1..).unwrap_or_default();
        } else if let Some(value) = valued.iter().find_map(|name| text.strip_prefix(name)) {
            if !is_number(value) {
                return Err(red("K7", format!("the option `{text}` is on no list")));
            }
            rest = behind;
        } else if text.starts_with('-') {
            return Err(red("K7", format!("the option `{text}` is on no list")));
        } else if left > 0 && is_number(text) {
            left -= 1;
            rest = behind;
        } else {
            break;
        }
    }
    wrapped(judge, rest, input)
}

/// Judges what a wrapper runs: at least yellow, and its name as plain as any command's.
fn wrapped(judge: &mut Judge<'_>, words: &[Word], input: &Input) -> Result<Finding, Finding> {
    if let Some(first) = words.first()
        && (first.quotes != Quotes::Bare || first.glob.is_some() || first.unknown.is_some())
    {
        return Err(red("K3", "the command behind the wrapper is no plain name"));
    }
    let found = judge.command(words, input)?;
    Ok(if found.risk == Risk::Green { yellow("K7", "it is run by a wrapper") } else { found })
}

fn env(judge: &mut Judge<'_>, words: &[Word], input: &Input) -> Result<Finding, Finding> {
    let mut rest = words;
    while let [first, behind @ ..] = rest {
        let Some((name, value)) = first.text.split_once('=') else { break };
        let value = Word { text: value.to_owned(), unknown: first.unknown, ..Word::default() };
        if let Some(finding) = environment(name, &value, false)
            && finding.risk == Risk::Red
        {
            return Err(finding);
        }
        rest = behind;
    }
    match rest.first() {
        None => Err(red("K12", "it prints the whole environment, secrets too")),
        Some(first) if first.text.starts_with('-') => {
            judge.nothing_closed(rest)?;
            Err(red("K7", format!("`env {}` is not followed", first.text)))
        }
        Some(_) => wrapped(judge, rest, input),
    }
}

/// `xargs` with a fixed reader.
fn xargs(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    let mut rest = words;
    while let [first, behind @ ..] = rest {
        match first.text.as_str() {
            "-0" | "-r" | "-t" | "--null" | "--no-run-if-empty" => rest = behind,
            "-n" | "-L" | "-P" => rest = behind.get(1..).unwrap_or_default(),
            text if text.starts_with('-') => {
                judge.nothing_closed(rest)?;
                return Err(red("K7", format!("the option `{text}` of xargs is on no list")));
            }
            _ => break,
        }
    }
    fixed_reader(judge, "xargs", rest)
}

/// Judges a reader whose operands come from elsewhere.
pub(super) fn fixed_reader(
    judge: &mut Judge<'_>,
    by: &str,
    words: &[Word],
) -> Result<Finding, Finding> {
    judge.nothing_closed(words)?;
    let name = words.first().map_or("", |word| word.text.as_str());
    if !tables::FIXED_READERS.contains(&name) {
        return Err(red("K7", format!("`{by}` may run fixed readers only, not `{name}`")));
    }
    let found = judge.command(words, &Input::Inherited)?;
    if found.risk != green("K10").risk {
        return Err(red("K7", format!("`{by}` may run fixed readers only")));
    }
    Ok(yellow("K7", format!("`{by}` runs `{name}` on what is found")))
}
