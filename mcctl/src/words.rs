//! Words and amounts of the command line: the enums of the wire by their names, dollars, labels.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use mc_core::money::MicroUsd;
pub(crate) use mc_core::money::shown as money;
use serde::{Serialize, de::DeserializeOwned};

/// Returns a parser that takes the `words` of an enum of the wire.
pub(crate) fn one_of<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words)
        .try_map(|word| serde_json::from_value::<T>(serde_json::Value::String(word)))
}

/// Returns the word of an enum of the wire.
pub(crate) fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => "?".to_owned(),
    }
}

/// Reads a time in seconds (`90`, `90s`, `30m`, `8h`, `7d`).
///
/// # Errors
///
/// A text that says what is wrong.
pub(crate) fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no time, such as `30m`, `8h` or `7d`");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(wrong()),
    };
    let count: i64 = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(unit).filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

/// Reads an amount in dollars (`2`, `2.5`, `$0.25`), exact to the micro-dollar.
///
/// # Errors
///
/// A text that says what is wrong.
pub(crate) fn dollars(text: &str) -> Result<MicroUsd, String> {
    let wrong = || format!("`{text}` is no amount in dollars, such as `2.50`");
    let (whole, part) = text
        .strip_prefix('$')
        .unwrap_or(text)
        .split_once('.')
        .unwrap_or((text.strip_prefix('$').unwrap_or(text), ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 6 {
        return Err(wrong());
    }
    let whole: i64 = whole.parse().map_err(|_| wrong())?;
    let part: i64 = format!("{part:0<6}").parse().map_err(|_| wrong())?;
    let micros = whole.checked_mul(1_000_000).and_then(|whole| whole.checked_add(part));
    micros.map(MicroUsd).ok_or_else(wrong)
}

/// Reads a label `key=value`.
///
/// # Errors
///
/// A text that says what is wrong.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err(format!("`{text}` is no label: write `key=value`")),
    }
}

#[cfg(test)]
mod tests {
    use mc_core::agent::Autonomy;

    use super::*;

    #[test]
    fn times_have_units() {
        let read = |text: &str| seconds(text).ok();
        assert_eq!((read("90"), read("2m"), read("8h")), (Some(90), Some(120), Some(28_800)));
        assert_eq!(read("7d"), Some(604_800));
        for wrong in ["", "h", "-1h", "0", "1w", "1.5h", "99999999999999999999d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn dollars_are_exact() {
        for (text, micros) in
            [("2", 2_000_000), ("2.5", 2_500_000), ("$0.000001", 1), ("0.25", 250_000)]
        {
            assert_eq!(dollars(text), Ok(MicroUsd(micros)), "{text}");
        }
        for text in ["", "$", "-1", "1e3", "0.0000001", "1,5", ".5", "99999999999999999999"] {
            assert!(dollars(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_enum_is_shown_by_its_word() {
        assert_eq!(word(Autonomy::Specialist), "specialist");
    }
}
