//! `cd`, `test`, `find`, `ln`, `chmod`, `tar` and `ps`.

use super::{
    super::{
        judge::{Judge, green},
        options::{
            self, Form,
            Means::{Read, Text, Write},
        },
        simple::{Finding, Glob, Word, deny, red, yellow},
    },
    texts, wrappers,
};
use crate::policy::places::Use;

pub(super) fn judge(
    judge: &mut Judge<'_>,
    name: &str,
    words: &[Word],
) -> Option<Result<Finding, Finding>> {
    Some(match name {
        "cd" => cd(judge, words),
        "test" => test(judge, words),
        "[" => match words.split_last() {
            Some((last, words)) if last.text == "]" => test(judge, words),
            _ => Err(red("K0", "`[` is not closed")),
        },
        "find" => find(judge, words),
        "ln" => ln(judge, words),
        "chmod" => chmod(judge, words),
        "tar" => tar(judge, words),
        "ps" => ps(words),
        "rm" => rm(judge, words)?,
        _ => return None,
    })
}

fn cd(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    match words {
        [place] if !place.text.starts_with('-') && place.glob.is_none() => {
            options::known(place)?;
            judge.go(&place.text)?;
            Ok(green("K8"))
        }
        _ => {
            judge.nothing_closed(words)?;
            Err(red("K8", "it goes to a directory that is not named"))
        }
    }
}

fn test(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    const FILES: &[&str] = &["-d", "-e", "-f", "-h", "-L", "-r", "-s", "-w", "-x"];
    const TWO: &[&str] = &["-nt", "-ot", "-ef"];
    const OTHER: &[&str] =
        &["-n", "-z", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "=", "!=", "==", "!", "-a", "-o"];
    let mut before = "";
    for (at, word) in words.iter().enumerate() {
        options::known(word)?;
        if word.glob.is_some() {
            return Err(red("K5", "what it tests may become several words"));
        }
        let text = word.text.as_str();
        let next = words.get(at + 1).map_or("", |word| word.text.as_str());
        if FILES.contains(&before) || TWO.contains(&before) || TWO.contains(&next) {
            judge.uses("K8", word, Use::Read)?;
        } else if text.starts_with('-')
            && !FILES.contains(&text)
            && !TWO.contains(&text)
            && !OTHER.contains(&text)
            && text.parse::<i64>().is_err()
        {
            return Err(red("K10", format!("the test `{text}` is on no list")));
        }
        before = text;
    }
    Ok(green("K10"))
}

/// Expressions of find that only look.
const FIND_PLAIN: &[&str] = &[
    "-a",
    "-o",
    "-and",
    "-or",
    "-not",
    "!",
    "(",
    ")",
    "-print",
    "-print0",
    "-empty",
    "-ls",
    "-depth",
    "-mount",
    "-xdev",
    "-prune",
    "-quit",
    "-true",
    "-false",
    "-readable",
    "-writable",
    "-executable",
    "-H",
    "-P",
];
/// Those with a pattern, a number or a name behind them.
const FIND_VALUED: &[&str] = &[
    "-name",
    "-iname",
    "-path",
    "-ipath",
    "-wholename",
    "-regex",
    "-iregex",
    "-regextype",
    "-type",
    "-size",
    "-mtime",
    "-atime",
    "-ctime",
    "-mmin",
    "-amin",
    "-cmin",
    "-maxdepth",
    "-mindepth",
    "-perm",
    "-user",
    "-group",
    "-links",
    "-printf",
];

fn find(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    words.iter().try_for_each(options::known)?;
    let is_place = |word: &&Word| {
        matches!(word.text.as_str(), "-H" | "-P") || !word.text.starts_with(['-', '(', '!'])
    };
    let places = words.iter().take_while(is_place).count();
    let (places, mut rest) = words.split_at_checked(places).unwrap_or_default();
    let mut worst = green("K10");
    for place in places.iter().filter(|word| !word.text.starts_with('-')) {
        if place.glob == Some(Glob::Leading) {
            worst = yellow("K5", "a file's name may look like an option");
        }
        judge.uses("K8", place, Use::Read)?;
    }
    while let [first, behind @ ..] = rest {
        rest = behind;
        match first.text.as_str() {
            plain if FIND_PLAIN.contains(&plain) => {}
            valued if FIND_VALUED.contains(&valued) => {
                let value = next_value(valued, &mut rest)?;
                if value.glob.is_some() {
                    return Err(red("K5", format!("the pattern behind `{valued}` is not quoted")));
                }
            }
            file @ ("-newer" | "-samefile") => {
                let value = next_value(file, &mut rest)?;
                judge.uses("K8", value, Use::Read)?;
            }
            "-exec" | "-execdir" => worst = find_exec(judge, &mut rest)?,
            odd => {
                judge.nothing_closed(words)?;
                return Err(red("K10", format!("`{odd}` is not on the list of find")));
            }
        }
    }
    Ok(worst)
}

fn next_value<'w>(name: &str, rest: &mut &'w [Word]) -> Result<&'w Word, Finding> {
    let missing = || red("K10", format!("`{name}` has no value"));
    let (value, behind) = rest.split_first().ok_or_else(missing)?;
    *rest = behind;
    Ok(value)
}

/// The command behind `-exec`, up to `;` or `+`.
fn find_exec(judge: &mut Judge<'_>, rest: &mut &[Word]) -> Result<Finding, Finding> {
    let end = rest.iter().position(|word| matches!(word.text.as_str(), ";" | "+"));
    let Some((run, [_, behind @ ..])) = end.and_then(|end| rest.split_at_checked(end)) else {
        return Err(red("K7", "the command behind `-exec` does not end"));
    };
    *rest = behind;
    let run: Vec<Word> = run.iter().filter(|word| word.text != "{}").cloned().collect();
    wrappers::fixed_reader(judge, "find", &run)
}

fn ln(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    let form = Form { flags: "sfnv", ..Form::READS };
    let parsed = judge.form("K11", &form, words)?;
    if !parsed.has(&["-s"]) || parsed.operands.len() != 2 {
        return Err(red("K11", "only a symbolic link with a target and a name is followed"));
    }
    if words.iter().any(|word| word.glob.is_some()) {
        return Err(red("K5", "the target of a link is not known"));
    }
    // The target counts from where the link lies.
    let (target, link) = match parsed.operands.as_slice() {
        [(_, target), (_, link)] => (target.text.as_str(), link.text.as_str()),
        _ => return Err(red("K11", "a link needs a target and a name")),
    };
    judge.at("K11", link, Use::Write)?;
    if !target.starts_with('/') {
        let dir = link.rsplit_once('/').map_or(".", |(dir, _)| dir);
        judge.at("K11", &format!("{dir}/{target}"), Use::Read)?;
    }
    Ok(yellow("K11", "it makes a link inside the workspace"))
}

fn chmod(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    let all = texts(words);
    let opens = |mode: &&str| mode.trim_start_matches('0') == "777" || mode.contains("o+w");
    if all.iter().any(opens) && all.iter().any(|word| matches!(*word, "/" | "/*" | "/.")) {
        return Err(deny("K12", "it opens the whole machine to everybody"));
    }
    judge.nothing_closed(words)?;
    match words {
        [mode, file]
            if matches!(mode.text.as_str(), "+x" | "u+x" | "a+x" | "ug+x")
                && file.glob.is_none() =>
        {
            judge.uses("K8", file, Use::Write)?;
            Ok(yellow("K11", "it makes one file executable"))
        }
        _ => Err(red("K12", "it changes who may do what with files")),
    }
}

fn tar(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    const READING: Form = Form {
        flags: "ctxzvjJa",
        valued: &[('f', Read), ('C', Write)],
        long: &["create", "list", "extract", "gzip", "verbose", "keep-old-files"],
        long_valued: &[
            ("file", Read),
            ("directory", Write),
            ("strip-components", Text),
            ("exclude", Text),
        ],
        ..Form::READS
    };
    const WRITING: Form = Form {
        valued: &[('f', Write), ('C', Read)],
        long_valued: &[("file", Write), ("directory", Read), ("exclude", Text)],
        ..READING
    };
    let mut words = words.to_vec();
    // The first word may leave its dash out.
    if let Some(first) = words.first_mut().filter(|first| !first.text.starts_with('-')) {
        first.text.insert(0, '-');
    }
    let mode = words.first().map_or("", |first| first.text.as_str());
    let creates = mode == "--create" || (!mode.starts_with("--") && mode.contains('c'));
    let form = if creates { &WRITING } else { &READING };
    judge.form("K11", form, &words)?;
    if words.iter().any(|word| word.glob == Some(Glob::Leading)) {
        return Err(red("K5", "a file's name may look like an option"));
    }
    if !creates && mode.contains('x') {
        judge.at("K8", ".", Use::Write)?;
    }
    Ok(yellow("K11", "it packs or unpacks files"))
}

fn ps(words: &[Word]) -> Result<Finding, Finding> {
    const FORMS: &[&str] = &["aux", "ax", "-e", "-A", "-ef", "-f", "auxf", "-p", "u", "x", "-eF"];
    words.iter().try_for_each(options::known)?;
    let is_listed =
        |word: &&Word| FORMS.contains(&word.text.as_str()) || word.text.parse::<u32>().is_ok();
    match words.iter().find(|word| !is_listed(word)) {
        None => Ok(yellow("K11", "it shows the processes of others")),
        Some(word) => Err(red("K11", format!("the option `{}` is on no list", word.text))),
    }
}

/// `rm` of the whole machine or home is refused outright; the rest is judged by the table.
fn rm(judge: &Judge<'_>, words: &[Word]) -> Option<Result<Finding, Finding>> {
    let home = judge.places.base.home.unwrap_or("/home");
    let is_recursive = |word: &Word| {
        let text = word.text.as_str();
        text == "--recursive"
            || (text.starts_with('-') && !text.starts_with("--") && text.contains(['r', 'R']))
    };
    let is_all = |word: &Word| {
        let text = word.text.as_str();
        let is_glob_of_root = matches!(text, "/*" | "/.*" | "~" | "~/" | "~/*");
        let resolved = judge.places.resolve(text).map(|found| found.absolute);
        let top = resolved.is_some_and(|path| {
            path == "/" || path == home || (path.matches('/').count() == 1 && path != "/tmp")
        });
        is_glob_of_root || top || text == "--no-preserve-root"
    };
    let wipes = words.iter().any(is_recursive) && words.iter().any(is_all);
    if wipes {
        return Some(Err(deny("K12", "it removes a whole machine, home or top directory")));
    }
    words.iter().any(is_recursive).then(|| {
        judge.nothing_closed(words)?;
        Err(red("K12", "it removes directories with all that is in them"))
    })
}
