//! `curl` and `wget`: one plain GET from a host on the list.

use super::super::{
    judge::Judge,
    options::{
        Form,
        Means::{Text, Write},
        Operands,
    },
    simple::{Finding, Word, red, yellow},
};

/// Judges a call of curl.
pub(super) fn curl(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    const FORM: Form = Form {
        flags: "fgIisSv46#",
        valued: &[('H', Text), ('m', Text), ('o', Write), ('w', Text), ('A', Text)],
        long: &[
            "fail",
            "silent",
            "show-error",
            "head",
            "include",
            "compressed",
            "no-progress-meter",
        ],
        long_valued: &[
            ("connect-timeout", Text),
            ("header", Text),
            ("max-time", Text),
            ("output", Write),
            ("retry", Text),
            ("write-out", Text),
            ("max-filesize", Text),
        ],
        operands: Operands::All(Text),
        ..Form::READS
    };
    get(judge, "curl", &FORM, words)
}

/// Judges a call of wget.
pub(super) fn wget(judge: &mut Judge<'_>, words: &[Word]) -> Result<Finding, Finding> {
    const FORM: Form = Form {
        flags: "qS",
        valued: &[('O', Write), ('T', Text), ('t', Text)],
        long: &["quiet", "no-verbose", "max-redirect=0"],
        long_valued: &[
            ("output-document", Write),
            ("timeout", Text),
            ("tries", Text),
            ("max-redirect", Text),
        ],
        operands: Operands::All(Text),
        ..Form::READS
    };
    let redirects = words.windows(2).any(|pair| match pair {
        [name, value] => name.text == "--max-redirect" && value.text == "0",
        _ => false,
    }) || words.iter().any(|word| word.text == "--max-redirect=0");
    let found = get(judge, "wget", &FORM, words)?;
    if !redirects {
        return Err(red("K11", "wget follows redirections to other hosts: add `--max-redirect=0`"));
    }
    Ok(found)
}

fn get(judge: &mut Judge<'_>, name: &str, form: &Form, words: &[Word]) -> Result<Finding, Finding> {
    let parsed = judge.form("K11", form, words)?;
    let from_file = |value: &&str| value.starts_with('@');
    if let Some((_, value, _)) = parsed.values.iter().find(|(_, value, _)| from_file(value)) {
        return Err(red("K11", format!("`{value}` sends what a file holds")));
    }
    if words.iter().any(|word| word.glob.is_some_and(|_| !word.text.contains("://"))) {
        return Err(red("K5", "what it fetches is not known"));
    }
    let [(_, url)] = parsed.operands.as_slice() else {
        return Err(red("K11", format!("`{name}` is followed with exactly one address")));
    };
    if url.text.contains(['{', '[', '*']) {
        return Err(red("K11", "the address means several"));
    }
    match judge.places.objection_to_host(&url.text) {
        Some(objection) => Err(red("K11", objection)),
        None => Ok(yellow("K11", "it fetches from a host on the list")),
    }
}
