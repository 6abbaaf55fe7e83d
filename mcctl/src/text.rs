//! Foreign text on a terminal: nothing that steers the terminal, hides or turns around gets through.

use mc_core::{
    clean::{Clean, Glyphs},
    time::Timestamp,
};

/// Returns `text` as one line that can't steer the terminal.
pub(crate) fn line(text: &str) -> String {
    Clean::line(text, Glyphs::Unicode).into_string()
}

/// Returns `text` whole, with its lines kept and everything that would not be seen spelled out.
pub(crate) fn block(text: &str) -> String {
    let lines = Clean::evidence_lines(text, Glyphs::Unicode);
    lines.into_iter().map(Clean::into_string).collect::<Vec<_>>().join("\n")
}

/// Returns `text` as one line of at most `columns` columns; what is cut is marked.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let text = line(text);
    if width(&text) <= columns {
        return text;
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used > columns {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// Returns how many columns `text` takes.
pub(crate) fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// Returns how long before `now` something was: `42s`, `7m`, `3h`, `5d`.
pub(crate) fn age(now: Timestamp, at: Timestamp) -> String {
    span(now.since(at).as_secs())
}

/// Returns `seconds` in the largest unit that fits.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h{:02}", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Returns a point in time for people, to the second, in UTC.
pub(crate) fn when(at: Timestamp) -> String {
    let text = at.to_string();
    match text.get(..19) {
        Some(seconds) => format!("{} UTC", seconds.replace('T', " ")),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_hides_or_turns_is_not_shown_as_it_is() {
        for hostile in ["a\u{1b}[31mb", "a\u{202e}b", "a\nb", "a\u{9b}2Jb"] {
            let line = line(hostile);
            assert!(line.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{line:?}");
        }
        assert_eq!(block("a\u{202e}b\nc"), "a<U+202E>b\nc");
        assert_eq!(line("日本語 é"), "日本語 é");
    }

    #[test]
    fn a_cut_counts_columns() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("日本語", 5), "日本…");
    }

    #[test]
    fn spans_use_the_largest_unit() {
        for (seconds, shown) in [(59, "59s"), (60, "1m"), (3_725, "1h02"), (200_000, "2d")] {
            assert_eq!(span(seconds), shown);
        }
        assert_eq!(when(Timestamp(1_763_000_000_007)), "2025-11-13 02:13:20 UTC");
    }
}
