//! `echo`, `printf`, `sed`, `awk` and `jq`: texts and small languages.

use super::super::{
    judge::{Judge, green},
    options::{
        self, Form,
        Means::{Read, Text},
        Operands,
    },
    simple::{Finding, Glob, Word, red, yellow},
};
use crate::policy::places::Use;

pub(super) fn judge(
    judge: &mut Judge<'_>,
    name: &str,
    words: &[Word],
) -> Option<Result<Finding, Finding>> {
    Some(match name {
        "echo" => Ok(say(words)),
        "printf" => match words.first() {
            Some(first) if first.text.starts_with('-') || first.unknown.is_some() => {
                Err(red("K10", "the format of printf is not plain"))
            }
            _ => Ok(say(words)),
        },
        "sed" => sed(judge, words),
        "awk" | "gawk" | "mawk" => awk(judge, words),
        "jq" => jq(judge, words),
        _ => return None,
    })
}

fn say(words: &[Word]) -> Finding {
    if words.iter().any(|word| matches!(word.glob, Some(Glob::Leading | Glob::Other))) {
        return yellow("K5", "it prints the names of files");
    }
    let is_unknown = words.iter().any(|word| word.unknown.is_some());
    if is_unknown {
        yellow("K5", "what it prints is only known when it runs")
    } else {
        green("K10")
    }
}

fn sed(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    const FORM: Form = Form {
        flags: "nErsuz",
        valued: &[('e', Text)],
        long: &["quiet", "silent", "regexp-extended", "in-place"],
        long_valued: &[("expression", Text)],
        replaces_first: &["-e", "--expression"],
        operands: Operands::TextThenRead,
        ..Form::READS
    };
    // `-i` may carry a suffix, and then nothing else: it is taken out before.
    let in_place = |word: &Word| matches!(word.text.as_str(), "-i" | "--in-place" | "-i.bak");
    let rest: Vec<Word> = words.iter().filter(|word| !in_place(word)).cloned().collect();
    let writes = rest.len() < words.len();
    if writes {
        closed(judge, &rest)?;
    }
    let parsed = judge.form("K11", &FORM, &rest)?;
    let scripts =
        parsed.values.iter().filter(|(means, ..)| *means == Text).map(|(_, text, _)| *text);
    let first = parsed.operands.iter().filter(|(means, _)| *means == Text);
    let scripts: Vec<&str> = scripts.chain(first.map(|(_, word)| word.text.as_str())).collect();
    if scripts.is_empty() {
        return Err(red("K11", "sed has no script"));
    }
    let prints =
        scripts.iter().all(|script| is_print(script)) && parsed.has(&["-n", "--quiet", "--silent"]);
    if !scripts.iter().all(|script| is_print(script) || is_plain_sed(script)) {
        return Err(red("K11", "the script of sed is more than printing and replacing"));
    }
    let files: Vec<&Word> =
        parsed.operands.iter().filter(|(means, _)| *means == Read).map(|(_, word)| *word).collect();
    if writes {
        if files.iter().any(|word| word.glob.is_some()) {
            return Err(red("K5", "which files it changes is only known when it runs"));
        }
        for file in files {
            judge.uses("K8", file, Use::Write)?;
        }
        return Ok(yellow("K11", "it changes files in place"));
    }
    Ok(if prints { green("K11") } else { yellow("K11", "sed is a small language") })
}

/// Refuses outright a file that must not be written, whatever else there is to say.
fn closed(judge: &mut Judge<'_>, words: &[Word]) -> Result<(), Finding> {
    let files = words.iter().filter(|word| !word.text.starts_with('-'));
    let found = files.filter_map(|word| judge.at("K8", &word.text, Use::Write).err());
    found.into_iter().find(|finding| finding.denied).map_or(Ok(()), Err)
}

/// `5p`, `2,7p`, `$p`, `/plain/p`: it prints lines and nothing else.
fn is_print(script: &str) -> bool {
    let Some(range) = script.strip_suffix('p') else { return false };
    let is_line =
        |text: &str| text == "$" || (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    range.split(',').all(is_line) && range.split(',').count() <= 2
}

/// Replacements, deletions and prints, without the commands that run, read or write.
fn is_plain_sed(script: &str) -> bool {
    script.split([';', '\n']).map(str::trim).all(|one| {
        let body = one.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | '$'));
        let body = match body.strip_prefix('/').and_then(|rest| rest.split_once('/')) {
            Some((pattern, rest)) if !pattern.contains('\\') => rest,
            Some(_) => return false,
            None => body,
        };
        matches!(body, "" | "p" | "d" | "q" | "=") || is_replacement(body)
    })
}

/// `s/a/b/g` with one separator throughout and only harmless flags behind it.
fn is_replacement(body: &str) -> bool {
    let mut letters = body.strip_prefix('s').unwrap_or_default().chars();
    let Some(mark) = letters.next().filter(|c| c.is_ascii_punctuation() && *c != '\\') else {
        return false;
    };
    let rest = letters.as_str();
    let mut parts = Vec::new();
    let (mut part, mut escaped) = (String::new(), false);
    for c in rest.chars() {
        if !escaped && c == mark {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
        escaped = !escaped && c == '\\';
    }
    let is_flag = |c: char| c.is_ascii_digit() || matches!(c, 'g' | 'i' | 'I' | 'p');
    parts.len() == 2 && part.chars().all(is_flag)
}

fn awk(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    const FORM: Form = Form {
        valued: &[('F', Text), ('v', Text)],
        operands: Operands::TextThenRead,
        ..Form::READS
    };
    const CLOSED: &[&str] = &[
        "system",
        "|",
        ">",
        "getline",
        "ENVIRON",
        "@",
        "close",
        "printf -",
        "PROCINFO",
        "ARGV",
        "ARGC",
        "FILENAME =",
        "FILENAME=",
        "fflush",
        "extension",
        "\\",
    ];
    let parsed = judge.form("K11", &FORM, words)?;
    let Some((_, program)) = parsed.operands.first() else {
        return Err(red("K11", "awk has no program"));
    };
    if let Some(found) = CLOSED.iter().find(|part| program.text.contains(**part)) {
        return Err(red("K11", format!("the program of awk holds `{found}`")));
    }
    if words.iter().any(|word| word.glob == Some(Glob::Leading)) {
        return Err(red("K5", "a file's name may look like an assignment"));
    }
    Ok(yellow("K11", "awk is a small language"))
}

fn jq(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    const FORM: Form = Form {
        flags: "aCceMjnrsS",
        long: &[
            "ascii-output",
            "compact-output",
            "exit-status",
            "join-output",
            "null-input",
            "raw-input",
            "raw-output",
            "slurp",
            "sort-keys",
            "tab",
            "color-output",
        ],
        long_valued: &[("indent", Text)],
        operands: Operands::TextThenRead,
        ..Form::READS
    };
    let parsed = judge.form("K10", &FORM, words)?;
    let Some((_, filter)) = parsed.operands.first() else {
        return Err(red("K10", "jq has no filter"));
    };
    options::known(filter)?;
    let closed = [
        "env",
        "$ENV",
        "import",
        "include",
        "input_filename",
        "getpath/",
        "$__prog",
        "debug",
        "modulemeta",
    ];
    if let Some(found) = closed.iter().find(|part| filter.text.contains(**part)) {
        return Err(red("K10", format!("the filter of jq holds `{found}`")));
    }
    let globbed = words.iter().any(|word| word.glob == Some(Glob::Leading));
    Ok(if globbed { yellow("K5", "a file's name may look like an option") } else { green("K10") })
}
