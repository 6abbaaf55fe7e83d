//! A line of pieces with tokens, measured in terminal columns.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::{text::Clean, theme::Token};

/// One line. Foreign text gets in only as [`Clean`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    pieces: Vec<(Token, Cow<'static, str>)>,
}

impl Line {
    /// Returns an empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds words of our own.
    #[must_use]
    pub fn own(mut self, token: Token, text: impl Into<Cow<'static, str>>) -> Self {
        self.pieces.push((token, text.into()));
        self
    }

    /// Adds foreign text, with `(!)` behind it when something was hidden in it.
    #[must_use]
    pub fn says(mut self, token: Token, text: &Clean) -> Self {
        self.pieces.push((token, Cow::Owned(text.as_str().to_owned())));
        if text.flagged() {
            self.pieces.push((Token::Crit, Cow::Borrowed("(!)")));
        }
        self
    }

    /// Adds another line.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.pieces.extend(other.pieces);
        self
    }

    /// Adds blanks up to `column`, or cuts what is behind it.
    #[must_use]
    pub fn to_column(self, column: usize) -> Self {
        let width = self.width();
        if width > column {
            return self.fit(column);
        }
        self.own(Token::Fg, " ".repeat(column - width))
    }

    /// Returns its width in columns.
    pub fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| text.width()).sum()
    }

    /// Returns its pieces.
    pub fn pieces(&self) -> impl Iterator<Item = (Token, &str)> {
        self.pieces.iter().map(|(token, text)| (*token, text.as_ref()))
    }

    /// Returns it with every piece as `token`.
    #[must_use]
    pub fn all(mut self, token: Token) -> Self {
        for piece in &mut self.pieces {
            piece.0 = token;
        }
        self
    }

    /// Returns it cut to `width` columns; what is cut ends in `…`.
    #[must_use]
    pub fn fit(mut self, width: usize) -> Self {
        if self.width() <= width {
            return self;
        }
        let mut room = width.saturating_sub(1);
        let mut kept = Vec::new();
        for (token, text) in self.pieces.drain(..) {
            let (head, whole) = head(&text, room);
            room -= head.width();
            kept.push((token, Cow::Owned(head.to_owned())));
            if !whole {
                break;
            }
        }
        if width > 0 {
            kept.push((Token::Dim, Cow::Borrowed("…")));
        }
        Self { pieces: kept }
    }

    /// Returns it broken into lines of at most `width` columns; those that follow the first are
    /// indented.
    pub fn wrap(&self, width: usize, indent: usize) -> Vec<Self> {
        let width = width.max(2);
        let indent = indent.min(width / 2);
        let mut lines = Vec::new();
        let mut line = Self::new();
        let mut used = 0;
        for (token, text) in &self.pieces {
            for word in words(text) {
                used = place(&mut lines, &mut line, (*token, word), (used, width, indent));
            }
        }
        lines.push(line);
        lines
    }
}

/// Returns the parts that a line is broken between. An amount is one: `$` and its number.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    for (at, word) in text.split_word_bound_indices() {
        let end = at + word.len();
        if !word.ends_with('$') {
            words.extend(text.get(start..end));
            start = end;
        }
    }
    words.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    words
}

/// Puts one word on the line, or on the next; returns the columns used on the line then.
fn place(
    lines: &mut Vec<Line>,
    line: &mut Line,
    (token, word): (Token, &str),
    (mut used, width, indent): (usize, usize, usize),
) -> usize {
    let mut rest = word;
    while !rest.is_empty() {
        let room = width.saturating_sub(used);
        let long = rest.width() > width - indent;
        if rest.width() <= room || (long && room > 0) {
            let (head, _) = head(rest, room);
            if head.is_empty() && room >= 2 {
                return used;
            }
            used += head.width();
            line.pieces.push((token, Cow::Owned(head.to_owned())));
            rest = rest.get(head.len()..).unwrap_or_default();
            if rest.is_empty() {
                return used;
            }
        }
        let blank = Line::new().own(Token::Fg, " ".repeat(indent));
        lines.push(std::mem::replace(line, blank));
        used = indent;
        if rest.trim().is_empty() {
            return used;
        }
    }
    used
}

/// Returns as many clusters from the start of `text` as fit into `room`, and whether that is all.
fn head(text: &str, room: usize) -> (&str, bool) {
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        used += cluster.width();
        if used > room {
            return (text.get(..at).unwrap_or_default(), false);
        }
    }
    (text, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &Line) -> String {
        line.pieces().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_line_is_cut_by_columns_not_by_bytes() {
        let line = Line::new().own(Token::Fg, "日本語 export");
        assert_eq!(line.width(), 13);
        assert_eq!(shown(&line.clone().fit(6)), "日本…");
        assert_eq!(shown(&line.clone().fit(0)), "");
        assert_eq!(line.to_column(20).width(), 20);
    }

    #[test]
    fn no_amount_is_broken() {
        let line = Line::new().own(Token::Fg, "spent $0.47 of $1.00");
        let lines: Vec<String> = line.wrap(16, 0).iter().map(shown).collect();
        assert_eq!(lines, ["spent $0.47 of ", "$1.00"]);
    }

    #[test]
    fn a_long_line_wraps_at_words_and_loses_nothing_but_blanks() {
        let line = Line::new().own(Token::Fg, "one two three").own(Token::Dim, " abcdefghijklmnop");
        let lines = line.wrap(8, 2);
        assert!(lines.iter().all(|line| line.width() <= 8), "{lines:?}");
        let all: String = lines.iter().map(shown).collect();
        assert_eq!(all.replace(' ', ""), "onetwothreeabcdefghijklmnop");
    }
}
