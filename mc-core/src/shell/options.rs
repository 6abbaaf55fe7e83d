//! Options and operands, as the manuals of the programs list them.
//!
//! A program's row names every option that it may have here. An option that is not in the row, an
//! abbreviated one or one with a value where none is expected is refused.

use super::simple::{Finding, Glob, Unknown, Word, red};

/// What a value or an operand means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// Text, a number or a pattern: data.
    Text,
    /// A path that is read; `-` is the standard input.
    Read,
    /// A path that is written.
    Write,
}

/// What a program's operands are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operands {
    /// There must be none.
    None,
    /// All mean the same.
    All(Means),
    /// The first is data, unless an option gave it already; the others are read.
    TextThenRead,
    /// The first is read, the second is written.
    ReadThenWrite,
    /// The last is written, all before it are read.
    ReadThenLastWrite,
    /// Each says how something is shown and begins with `+`.
    Formats,
}

/// How a program may be called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// Letters of options without a value.
    pub(super) flags: &'static str,
    /// Letters of options with a value.
    pub(super) valued: &'static [(char, Means)],
    /// Long options without a value.
    pub(super) long: &'static [&'static str],
    /// Long options with a value, behind `=` or in the next word.
    pub(super) long_valued: &'static [(&'static str, Means)],
    /// Long options that take a value behind `=` alone, or none.
    pub(super) long_maybe: &'static [&'static str],
    /// Whether `-20` means a number.
    pub(super) numeric: bool,
    /// The letters or names whose value takes the place of the first operand.
    pub(super) replaces_first: &'static [&'static str],
    /// What the operands are.
    pub(super) operands: Operands,
}

impl Form {
    /// Operands that are read, and no options.
    pub(super) const READS: Self = Self {
        flags: "",
        valued: &[],
        long: &[],
        long_valued: &[],
        long_maybe: &[],
        numeric: false,
        replaces_first: &[],
        operands: Operands::All(Means::Read),
    };
}

/// What a call of a program was found to hold.
#[derive(Debug, Default)]
pub(super) struct Parsed<'w> {
    /// The options as written, without their values.
    pub(super) options: Vec<String>,
    /// Values of options.
    pub(super) values: Vec<(Means, &'w str, &'w Word)>,
    /// The operands, with what they mean.
    pub(super) operands: Vec<(Means, &'w Word)>,
}

impl Parsed<'_> {
    /// Says whether an option was given.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.options.iter().any(|option| names.contains(&option.as_str()))
    }
}

/// Takes the words behind a program's name apart.
///
/// # Errors
///
/// The first word that the form does not know.
pub(super) fn parse<'w>(
    rule: &'static str,
    form: &Form,
    words: &'w [Word],
) -> Result<Parsed<'w>, Finding> {
    let mut parsed = Parsed::default();
    let mut operands = Vec::new();
    let mut words = words.iter();
    let mut only_operands = false;
    while let Some(word) = words.next() {
        known(word)?;
        let text = word.text.as_str();
        if only_operands || text == "-" || !text.starts_with('-') {
            operands.push(word);
        } else if text == "--" {
            only_operands = true;
        } else if word.glob.is_some() {
            return Err(red("K5", format!("`{text}` may become any option")));
        } else if let Some(long) = text.strip_prefix("--") {
            long_option(rule, form, (long, word), &mut words, &mut parsed)?;
        } else if !(form.numeric && text.bytes().skip(1).all(|b| b.is_ascii_digit())) {
            cluster(rule, form, word, &mut words, &mut parsed)?;
        }
    }
    let has_first = parsed.options.iter().any(|one| form.replaces_first.contains(&one.as_str()));
    place(rule, form.operands, has_first, &operands, &mut parsed)?;
    Ok(parsed)
}

/// Refuses a word that is not known before the run.
pub(super) fn known(word: &Word) -> Result<(), Finding> {
    match word.unknown {
        None => Ok(()),
        Some(Unknown::Harmless | Unknown::Output) => {
            Err(red("K5", "an argument is only known when it runs"))
        }
    }
}

fn unlisted(rule: &'static str, option: &str) -> Finding {
    red(rule, format!("the option `{option}` is on no list"))
}

fn long_option<'w>(
    rule: &'static str,
    form: &Form,
    (long, word): (&str, &'w Word),
    rest: &mut std::slice::Iter<'w, Word>,
    parsed: &mut Parsed<'w>,
) -> Result<(), Finding> {
    let (name, value) = match long.split_once('=') {
        Some((name, _)) => (name, word.text.split_once('=').map(|(_, value)| value)),
        None => (long, None),
    };
    let option = format!("--{name}");
    let is_flag = form.long.contains(&name);
    if (is_flag || form.long_maybe.contains(&name)) && value.is_none() {
        parsed.options.push(option);
        return Ok(());
    }
    if form.long_maybe.contains(&name) {
        parsed.options.push(option);
        return Ok(());
    }
    let Some((_, means)) = form.long_valued.iter().find(|(known, _)| *known == name) else {
        return Err(unlisted(rule, &option));
    };
    parsed.options.push(option);
    if let Some(value) = value {
        parsed.values.push((*means, value, word));
        return Ok(());
    }
    take_value(rule, *means, rest, parsed)
}

fn take_value<'w>(
    rule: &'static str,
    means: Means,
    rest: &mut std::slice::Iter<'w, Word>,
    parsed: &mut Parsed<'w>,
) -> Result<(), Finding> {
    let Some(word) = rest.next() else {
        return Err(red(rule, "the value of the last option is missing"));
    };
    known(word)?;
    if word.glob.is_some() {
        return Err(red("K5", format!("`{}` may become several words", word.text)));
    }
    parsed.values.push((means, &word.text, word));
    Ok(())
}

fn cluster<'w>(
    rule: &'static str,
    form: &Form,
    word: &'w Word,
    rest: &mut std::slice::Iter<'w, Word>,
    parsed: &mut Parsed<'w>,
) -> Result<(), Finding> {
    for (at, letter) in word.text.char_indices().skip(1) {
        let option = format!("-{letter}");
        if form.flags.contains(letter) {
            parsed.options.push(option);
            continue;
        }
        let Some((_, means)) = form.valued.iter().find(|(known, _)| *known == letter) else {
            return Err(unlisted(rule, &option));
        };
        parsed.options.push(option);
        let value = word.text.get(at + letter.len_utf8()..).unwrap_or_default();
        if value.is_empty() {
            return take_value(rule, *means, rest, parsed);
        }
        parsed.values.push((*means, value, word));
        return Ok(());
    }
    Ok(())
}

fn place<'w>(
    rule: &'static str,
    form: Operands,
    has_first: bool,
    operands: &[&'w Word],
    parsed: &mut Parsed<'w>,
) -> Result<(), Finding> {
    let last = operands.len().saturating_sub(1);
    for (at, word) in operands.iter().enumerate() {
        let means = match form {
            Operands::None => return Err(red(rule, "it takes no operands here")),
            Operands::All(means) => means,
            Operands::Formats if word.text.starts_with('+') => Means::Text,
            Operands::Formats => return Err(red(rule, format!("`{}` is no format", word.text))),
            Operands::TextThenRead if at == 0 && !has_first => Means::Text,
            Operands::ReadThenWrite if at > 0 => Means::Write,
            Operands::ReadThenLastWrite if at == last && !has_first => Means::Write,
            Operands::TextThenRead | Operands::ReadThenWrite | Operands::ReadThenLastWrite => {
                Means::Read
            }
        };
        if word.glob == Some(Glob::Other) && means == Means::Write {
            return Err(red("K5", format!("`{}` may mean many files", word.text)));
        }
        parsed.operands.push((means, word));
    }
    Ok(())
}
