//! What is wrong with a file that a person wrote: line, column, reason and the nearest good word.

use mc_core::{refusal::FieldError, words};
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use crate::method::admin::Finding;

/// Reads TOML.
///
/// # Errors
///
/// The first thing that is wrong, with its place.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Finding> {
    toml::from_str(text).map_err(|error| {
        let (line, column) = error.span().map_or((0, 0), |span| place(text, span.start));
        Finding { line, column, message: with_nearest(error.message().trim()) }
    })
}

/// Returns `error` with the place of its field (`paths.write[2]`) in `text`.
pub fn located(text: &str, error: &FieldError) -> Finding {
    let message = format!("{}: {}", error.field, error.message);
    let (line, column) = find(text, &error.field).map_or((0, 0), |at| place(text, at));
    Finding { line, column, message }
}

/// Returns the finding as one line: `file:line:column: message`.
pub fn line(file: &str, finding: &Finding) -> String {
    match finding.line {
        0 => format!("{file}: {}", finding.message),
        line => format!("{file}:{line}:{}: {}", finding.column, finding.message),
    }
}

/// Returns line and column, both from 1, of a byte.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before.get(start..).unwrap_or_default().chars().count() + 1)
}

/// Returns the byte at which a field begins, or what is nearest around it.
fn find(text: &str, field: &str) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut table = root.get_ref();
    let mut found = None;
    for part in field.split('.') {
        let mut names = part.split('[');
        let name = names.next().unwrap_or(part);
        let Some((key, mut value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            return found;
        };
        found = Some(key.span().start);
        for at in names {
            let DeValue::Array(items) = value.get_ref() else { return found };
            let at: usize = at.trim_end_matches(']').parse().ok()?;
            let Some(item) = items.get(at) else { return found };
            found = Some(item.span().start);
            value = item;
        }
        let DeValue::Table(inner) = value.get_ref() else { return found };
        table = inner;
    }
    found
}

/// Adds the likeliest word to a message about an unknown one.
fn with_nearest(message: &str) -> String {
    let named: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let nearest = match named.split_first() {
        Some((wrong, known)) if message.starts_with("unknown ") => words::nearest(wrong, known),
        _ => None,
    };
    match nearest {
        Some(word) => format!("{message}; did you mean `{word}`?"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Doc {
        #[expect(dead_code, reason = "only its name matters")]
        rate_limit: i64,
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_the_nearest_one() {
        let finding = read::<Doc>("\nrate_limt = 3\n").unwrap_err();
        assert_eq!((finding.line, finding.column), (2, 1));
        assert!(finding.message.contains("did you mean `rate_limit`?"), "{}", finding.message);
    }

    #[test]
    fn a_wrong_value_is_found_by_the_name_of_its_field() {
        let text = "[paths]\nread = [\"a\"]\nwrite = [\"a\",\n  \"../b\"]\n";
        let finding = located(text, &FieldError::new("paths.write[1]", "must not hold `..`"));
        assert_eq!((finding.line, finding.column), (4, 3));
        let finding = located(text, &FieldError::new("paths.read", "x"));
        assert_eq!((finding.line, finding.column), (2, 1));
        assert_eq!(located(text, &FieldError::new("limits.x", "x")).line, 0);
    }

    #[test]
    fn a_field_within_a_list_of_tables_is_found() {
        let text = "[[rule]]\nname = \"a\"\n[[rule]]\nname = \"b\"\n\
                    examples = { deny = [\"ls\", \"pwd\"] }\n";
        let at = |field| {
            let finding = located(text, &FieldError::new(field, "x"));
            (finding.line, finding.column)
        };
        assert_eq!(at("rule[1].examples.deny[1]"), (5, 28));
        assert_eq!(at("rule[1].name"), (4, 1));
        assert_eq!(at("rule[0].then").0, 1, "what is missing is told where its rule begins");
    }
}
