//! K1 and K2: what a command may be made of, before anybody reads it.

use super::simple::{Finding, red};

/// The longest command that is read, in bytes.
pub(super) const COMMAND_BYTES: usize = 16 * 1024;

/// Refuses what is too long or holds characters that a person can't see or can mistake.
pub(super) fn check(command: &str) -> Result<(), Finding> {
    if command.len() > COMMAND_BYTES {
        let text = format!("the command is {} bytes long, limit is {COMMAND_BYTES}", command.len());
        return Err(red("K1", text));
    }
    if command.trim().is_empty() {
        return Err(red("K0", "the command is empty"));
    }
    match command.chars().find(|c| misleads(*c)) {
        None => Ok(()),
        Some(c) => Err(red(
            "K2",
            format!("it holds U+{:04X}, which can't be seen or misleads", u32::from(c)),
        )),
    }
}

/// Says whether a character shows as nothing, as a space that is none, or changes its neighbours.
fn misleads(c: char) -> bool {
    if c.is_ascii() {
        return c.is_control() && !matches!(c, '\n' | '\t');
    }
    c.is_control() || c.is_whitespace() || HIDDEN.iter().any(|range| range.contains(&u32::from(c)))
}

/// Format, joining, filling, private and tagging characters.
const HIDDEN: &[std::ops::RangeInclusive<u32>] = &[
    0xad..=0xad,
    0x34f..=0x34f,
    0x61c..=0x61c,
    0x115f..=0x1160,
    0x17b4..=0x17b5,
    0x180b..=0x180f,
    0x200b..=0x200f,
    0x2028..=0x202e,
    0x2060..=0x206f,
    0x2800..=0x2800,
    0x3164..=0x3164,
    0xe000..=0xf8ff,
    0xfe00..=0xfe0f,
    0xfeff..=0xfeff,
    0xffa0..=0xffa0,
    0xfff0..=0xfffb,
    0x1_3430..=0x1_345f,
    0x1_bca0..=0x1_bca3,
    0x1_d173..=0x1_d17a,
    0xe_0000..=0x10_ffff,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_any_language_may_stand_and_what_hides_may_not() {
        for text in ["ls -la", "echo 'atualização'", "echo '日本語 עברית'", "a\tb\nc"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for c in ['\0', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{a0}', '\u{200b}', '\u{202e}'] {
            assert_eq!(check(&format!("ls{c}-la")).unwrap_err().rule, "K2", "{c:?}");
        }
        for c in ['\u{2003}', '\u{3000}', '\u{feff}', '\u{e0041}', '\u{e000}', '\u{ad}', '\u{2800}']
        {
            assert_eq!(check(&format!("ls{c}-la")).unwrap_err().rule, "K2", "{c:?}");
        }
    }

    #[test]
    fn the_longest_command_is_sixteen_kibibytes() {
        assert_eq!(check(&"a".repeat(COMMAND_BYTES)), Ok(()));
        assert_eq!(check(&"a".repeat(COMMAND_BYTES + 1)).unwrap_err().rule, "K1");
        assert_eq!(check(" \n\t").unwrap_err().rule, "K0");
    }
}
