//! Policy files: read, checked as a whole, and said what is wrong with them, line by line.

use mc_core::policy::{Policy, PolicyDoc};
use mc_proto::method::admin::{Finding, Findings};

/// Reads a policy file.
///
/// # Errors
///
/// Everything that is wrong with it, with line and column where they are known.
pub fn parse(text: &str) -> Result<Policy, Vec<Finding>> {
    let doc: PolicyDoc = toml::from_str(text).map_err(|error| {
        let (line, column) = place(text, error.span().map_or(0, |span| span.start));
        vec![Finding { line, column, message: error.message().to_owned() }]
    })?;
    Policy::compile(doc).map_err(|errors| {
        let finding = |error: mc_core::refusal::FieldError| {
            let (line, column) = find_key(text, &error.field);
            Finding { line, column, message: format!("`{}`: {}", error.field, error.message) }
        };
        errors.into_iter().map(finding).collect()
    })
}

/// Says what is wrong with a policy file.
pub fn validate(text: &str) -> Findings {
    let findings = parse(text).err().unwrap_or_default();
    Findings { valid: findings.is_empty(), findings }
}

/// Returns line and column, from 1, of a byte.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}

/// Returns where the last part of a dotted field stands as a key; 0, 0 when it is not written.
fn find_key(text: &str, field: &str) -> (usize, usize) {
    let key = field.rsplit('.').next().unwrap_or(field);
    let key = key.split('[').next().unwrap_or(key);
    let is_key = |line: &str| {
        let rest = line.trim_start().trim_start_matches('"').strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start_matches('"').trim_start().starts_with('='))
    };
    text.lines().position(is_key).map_or((0, 0), |line| (line + 1, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default_policy() {
        assert!(validate("").valid);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let findings = validate("[budgets]\n\nwarn_percents = [80]\n").findings;
        assert_eq!((findings[0].line, findings[0].column), (3, 1));
        assert!(findings[0].message.contains("warn_percents"), "{findings:?}");
    }

    #[test]
    fn a_glob_that_is_none_is_named_with_its_line() {
        let findings = validate("[paths]\nwrite = [\"../x\"]\n").findings;
        assert_eq!(findings[0].line, 2, "{findings:?}");
    }
}
