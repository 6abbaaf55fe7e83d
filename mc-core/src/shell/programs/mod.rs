//! Programs whose calls need more than a list of options.

mod build;
mod files;
mod git;
mod net;
mod own;
mod text;
mod wrappers;

pub(super) use own::{denied, denied_by_path, steers_runtime};
pub(super) use wrappers::{environment, runs_others};

use super::{
    judge::Judge,
    simple::{Finding, Input, Word},
};

/// Judges a program that has a judge of its own; `None` when it has none.
pub(super) fn apart(
    judge: &mut Judge<'_>,
    name: &str,
    words: &[Word],
    input: &Input,
) -> Option<Result<Finding, Finding>> {
    if matches!(words, [only] if only.text == "--version") {
        return None;
    }
    wrappers::judge(judge, (name, words), input)
        .or_else(|| files::judge(judge, name, words))
        .or_else(|| text::judge(judge, name, words))
        .or_else(|| build::judge(judge, name, words))
        .or_else(|| match name {
            "git" => Some(git::judge(judge, words)),
            "curl" => Some(net::curl(judge, words)),
            "wget" => Some(net::wget(judge, words)),
            "mcctl" => Some(own::mcctl(judge, words)),
            _ => None,
        })
}

/// Returns the texts of words.
fn texts(words: &[Word]) -> Vec<&str> {
    words.iter().map(|word| word.text.as_str()).collect()
}
