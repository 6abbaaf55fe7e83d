//! Builds, tests and package managers: they run code of the workspace.

use super::{
    super::{
        judge::Judge,
        options::{
            self, Form,
            Means::{Read, Text},
            Operands,
        },
        simple::{Finding, Word, red, yellow},
    },
    texts,
};

/// A command of a build tool, and how it may be called.
type Command = (&'static str, Form);

const TEXTS: Form = Form { operands: Operands::All(Text), ..Form::READS };

/// What cargo's commands share; arguments for the program that is run stand behind `--`.
const CARGO: Form = Form {
    flags: "qrv",
    valued: &[('p', Text), ('j', Text), ('F', Text)],
    long: &[
        "all-features",
        "all-targets",
        "benches",
        "bins",
        "check",
        "examples",
        "frozen",
        "keep-going",
        "lib",
        "locked",
        "no-default-features",
        "no-deps",
        "no-fail-fast",
        "no-run",
        "offline",
        "quiet",
        "release",
        "tests",
        "verbose",
        "workspace",
        "all",
        "doc",
    ],
    long_valued: &[
        ("bin", Text),
        ("bench", Text),
        ("color", Text),
        ("example", Text),
        ("exclude", Text),
        ("features", Text),
        ("jobs", Text),
        ("message-format", Text),
        ("package", Text),
        ("profile", Text),
        ("target", Text),
        ("test", Text),
    ],
    ..TEXTS
};

const CARGO_COMMANDS: &[&str] = &["build", "check", "test", "clippy", "fmt", "run", "doc", "bench"];

const NPM: &[Command] = &[
    ("test", Form { long: &["silent"], ..TEXTS }),
    ("run", Form { long: &["silent", "if-present"], ..TEXTS }),
    (
        "ci",
        Form {
            long: &["no-audit", "no-fund", "ignore-scripts"],
            operands: Operands::None,
            ..TEXTS
        },
    ),
    (
        "install",
        Form {
            flags: "DES",
            long: &["save-dev", "save-exact", "no-audit", "no-fund", "ignore-scripts", "save"],
            ..TEXTS
        },
    ),
];

const PIP: &[Command] = &[
    ("install", Form { flags: "qU", valued: &[('r', Read)], long: &["upgrade", "quiet"], ..TEXTS }),
    ("list", Form { operands: Operands::None, ..TEXTS }),
    ("show", TEXTS),
];

const GO: Form = Form { flags: "vx", long: &["race", "short"], ..TEXTS };

pub(super) fn judge(
    judge: &mut Judge<'_>,
    name: &str,
    words: &[Word],
) -> Option<Result<Finding, Finding>> {
    Some(match name {
        "cargo" => cargo(judge, words),
        "npm" => commanded(judge, name, NPM, words),
        "pip" | "pip3" => commanded(judge, name, PIP, words),
        "go" => go(judge, words),
        "make" => make(judge, words),
        "python3" | "node" => script(judge, name, words),
        _ => return None,
    })
}

fn runs(name: &str, what: &str) -> Finding {
    yellow("K11", format!("`{name} {what}` runs code of the workspace"))
}

fn cargo(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    let Some((command, rest)) = words.split_first() else {
        return Err(red("K12", "cargo without a command"));
    };
    judge.nothing_closed(rest)?;
    rest.iter().try_for_each(options::known)?;
    if !CARGO_COMMANDS.contains(&command.text.as_str()) {
        return Err(red("K12", format!("`cargo {}` is on no list", command.text)));
    }
    judge.form("K11", &CARGO, rest)?;
    no_glob(rest)?;
    Ok(runs("cargo", &command.text))
}

fn commanded(
    judge: &mut Judge<'_>,
    name: &str,
    commands: &[Command],
    words: &[Word],
) -> Result<Finding, Finding> {
    let Some((command, rest)) = words.split_first() else {
        return Err(red("K12", format!("{name} without a command")));
    };
    judge.nothing_closed(rest)?;
    let Some((_, form)) = commands.iter().find(|(known, _)| *known == command.text) else {
        return Err(red("K12", format!("`{name} {}` is on no list", command.text)));
    };
    let parsed = judge.form("K11", form, rest)?;
    no_glob(rest)?;
    let installs = matches!(command.text.as_str(), "install");
    let is_package = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "@/._-=<>~^[],".contains(c);
        text.chars().all(plain) && !text.starts_with(['/', '.', '~']) && !text.contains("..")
    };
    let odd = parsed.operands.iter().find(|(_, word)| installs && !is_package(&word.text));
    match odd {
        Some((_, word)) => Err(red("K11", format!("`{}` is no package by name", word.text))),
        None => Ok(runs(name, &command.text)),
    }
}

fn go(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    let Some((command, rest)) = words.split_first() else {
        return Err(red("K12", "go without a command"));
    };
    judge.nothing_closed(rest)?;
    if !matches!(command.text.as_str(), "build" | "test" | "vet") {
        return Err(red("K12", format!("`go {}` is on no list", command.text)));
    }
    // Go's options have one dash and whole words.
    let rest: Vec<Word> = rest
        .iter()
        .filter(|word| !matches!(word.text.as_str(), "-race" | "-short" | "-v"))
        .cloned()
        .collect();
    let parsed = judge.form("K11", &GO, &rest)?;
    no_glob(&rest)?;
    let inside = |text: &str| text == "." || (text.starts_with("./") && !text.contains("/../"));
    match parsed.operands.iter().find(|(_, word)| !inside(&word.text)) {
        Some((_, word)) => {
            Err(red("K11", format!("`{}` is no package of the workspace", word.text)))
        }
        None => Ok(runs("go", &command.text)),
    }
}

fn make(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    judge.nothing_closed(words)?;
    words.iter().try_for_each(options::known)?;
    let is_target = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        !text.starts_with(['-', '.']) && text.chars().all(plain)
    };
    let is_jobs = |text: &str| {
        text.strip_prefix("-j").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    };
    match texts(words).into_iter().find(|text| !is_target(text) && !is_jobs(text)) {
        Some(odd) => Err(red("K11", format!("`{odd}` is no plain target"))),
        None => Ok(runs("make", &texts(words).join(" "))),
    }
}

/// An interpreter with a script of the workspace.
fn script(judge: &mut Judge<'_>, name: &str, words: &[Word]) -> Result<Finding, Finding> {
    judge.nothing_closed(words)?;
    words.iter().try_for_each(options::known)?;
    let Some((file, _)) = words.split_first() else {
        return Err(red("K12", format!("`{name}` reads a program from its standard input")));
    };
    if file.text.starts_with('-') {
        return Err(red("K12", format!("`{name} {}` runs code that is no file here", file.text)));
    }
    no_glob(words)?;
    judge.script(&file.text).map_err(|finding| Finding { rule: "K11", ..finding })?;
    Ok(yellow("K11", format!("`{name}` runs `{}` of the workspace", file.text)))
}

fn no_glob(words: &[Word]) -> Result<(), Finding> {
    match words.iter().find(|word| word.glob.is_some()) {
        Some(word) => Err(red("K5", format!("`{}` may become several words", word.text))),
        None => Ok(()),
    }
}
