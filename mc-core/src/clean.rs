//! Text that may be put on a terminal: console widgets and plain listings accept nothing else.
//!
//! Whatever others wrote goes through [`Clean`] and can then hold no control, escape sequence,
//! direction mark or invisible character. What was hidden in it is shown or cut and flagged.

mod escape;
mod kind;

use std::{borrow::Cow, fmt, fmt::Write as _};

use kind::{Kind, kind};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_segmentation::UnicodeSegmentation;

/// The longest title, in clusters.
pub const TITLE_CLUSTERS: usize = 200;
/// The longest line, in bytes.
pub const LINE_BYTES: usize = 4 * 1024;
/// The most combining marks that one character may carry.
const MARKS: usize = 3;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Glyphs {
    /// Every character.
    #[default]
    Unicode,
    /// ASCII only; other characters become `?`.
    Ascii,
}

/// Text that is safe on a terminal. It can only be made by cleaning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Clean {
    text: String,
    flagged: bool,
}

/// Whether what can't be seen is cut or spelled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Cut,
    Spelled,
}

impl Clean {
    /// Returns `text` as one line of at most [`LINE_BYTES`]; line ends in it become `\n`.
    pub fn line(text: &str, glyphs: Glyphs) -> Self {
        Self::scrub(text, glyphs, Hidden::Cut).cut_line()
    }

    /// Returns `text` as one line of at most [`TITLE_CLUSTERS`].
    pub fn title(text: &str, glyphs: Glyphs) -> Self {
        let mut clean = Self::scrub(text, glyphs, Hidden::Cut);
        if let Some((end, _)) = clean.text.grapheme_indices(true).nth(TITLE_CLUSTERS) {
            clean.text.truncate(end);
            clean.text.push_str(if glyphs == Glyphs::Ascii { "..." } else { "…" });
        }
        clean.cut_line()
    }

    /// Returns the lines of `text`, each of at most [`LINE_BYTES`].
    pub fn lines(text: &str, glyphs: Glyphs) -> Vec<Self> {
        text.lines().map(|line| Self::line(line, glyphs)).collect()
    }

    /// Returns `text` whole, with everything that can't be seen spelled out: `<U+202E>`.
    ///
    /// Nothing is cut, since a decision is made on it; escape sequences are spelled out too, so
    /// that no word hides in one.
    pub fn evidence(text: &str, glyphs: Glyphs) -> Self {
        Self::scrub(text, glyphs, Hidden::Spelled)
    }

    /// Returns the lines of `text` whole, as [`Clean::evidence`] does.
    pub fn evidence_lines(text: &str, glyphs: Glyphs) -> Vec<Self> {
        text.split('\n').map(|line| Self::evidence(line, glyphs)).collect()
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the text and gives the guarantee up.
    pub fn into_string(self) -> String {
        self.text
    }

    /// Says whether something was hidden in the text that can mislead; it is shown as `(!)`.
    pub const fn flagged(&self) -> bool {
        self.flagged
    }

    fn scrub(text: &str, glyphs: Glyphs, hidden: Hidden) -> Self {
        if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Self { text: text.to_owned(), flagged: false };
        }
        let mut out =
            Scrub { out: String::with_capacity(text.len()), flagged: false, glyphs, hidden };
        let mut rest = text;
        let mut endless = false;
        while let Some(c) = rest.chars().next() {
            let len = match hidden {
                Hidden::Cut => escape::length(rest, &mut endless),
                Hidden::Spelled => None,
            };
            if let Some(len) = len {
                out.mark();
                rest = rest.get(len..).unwrap_or_default();
            } else {
                out.take(c);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
            }
        }
        out.finish()
    }

    fn cut_line(mut self) -> Self {
        if self.text.len() > LINE_BYTES {
            let end = self.text.floor_char_boundary(LINE_BYTES);
            let more = self.text.len() - end;
            self.text.truncate(end);
            let note = format!(" +{more} bytes");
            self.text.push_str(&note);
        }
        self
    }
}

/// A text on its way to being clean.
struct Scrub {
    out: String,
    flagged: bool,
    glyphs: Glyphs,
    hidden: Hidden,
}

impl Scrub {
    /// Stands in for an escape sequence.
    fn mark(&mut self) {
        self.out.push(if self.glyphs == Glyphs::Ascii { '^' } else { '¤' });
    }

    fn take(&mut self, c: char) {
        match (kind(c), self.hidden) {
            (Kind::Plain, _) => self.plain(c),
            (Kind::Control, Hidden::Cut) => self.control(c),
            (Kind::Space, Hidden::Cut) => self.out.push(' '),
            (Kind::Ornament, Hidden::Cut) => {}
            (Kind::Joiner, Hidden::Cut) => {
                // Between emoji it is an ornament; between letters it hides something.
                let before = self.out.chars().next_back();
                self.flagged |= before.is_none_or(|c| c.is_ascii() || c.is_alphanumeric());
            }
            (Kind::Hidden, Hidden::Cut) => self.flagged = true,
            (Kind::Private, Hidden::Cut) => {
                self.flagged = true;
                self.out.push(if self.glyphs == Glyphs::Ascii { '?' } else { '\u{fffd}' });
            }
            (_, Hidden::Spelled) => {
                self.flagged = true;
                self.spell(c);
            }
        }
    }

    fn plain(&mut self, c: char) {
        match (self.glyphs, self.hidden) {
            (Glyphs::Ascii, Hidden::Spelled) if !c.is_ascii() => self.spell(c),
            (Glyphs::Ascii, Hidden::Cut) if !c.is_ascii() => {
                if !is_combining_mark(c) {
                    self.out.push('?');
                }
            }
            (Glyphs::Ascii | Glyphs::Unicode, _) => self.out.push(c),
        }
    }

    fn spell(&mut self, c: char) {
        let spelled = format!("<U+{:04X}>", u32::from(c));
        self.out.push_str(&spelled);
    }

    fn control(&mut self, c: char) {
        match c {
            '\t' => self.out.push_str("\\t"),
            '\n' | '\u{2028}' | '\u{2029}' | '\u{85}' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\u{7f}' => self.out.push_str("^?"),
            c if c < ' ' => {
                self.out.push('^');
                self.out.push(u8::try_from(c).map_or('?', |byte| char::from(byte | 0x40)));
            }
            _ => self.mark(),
        }
    }

    /// Composes what belongs together and takes off the marks that are too many.
    fn finish(self) -> Clean {
        let Self { out, flagged, .. } = self;
        if out.is_ascii() {
            return Clean { text: out, flagged };
        }
        let mut text = String::with_capacity(out.len());
        let mut marks = 0;
        for c in out.nfc() {
            if !is_combining_mark(c) {
                marks = 0;
            } else if text.is_empty() {
                text.push('◌');
                marks = 1;
            } else {
                marks += 1;
            }
            if marks <= MARKS {
                text.push(c);
            }
        }
        Clean { text, flagged }
    }
}

/// Returns the same JSON with every character that a terminal acts on, or does not show, spelled as
/// `\uXXXX`; borrowed when there is none.
///
/// The controls below the blank are none of its business: JSON has them in no text.
pub fn json(json: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| c >= '\u{7f}' && !matches!(kind(c), Kind::Plain);
    if !json.contains(is_hidden) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // A `String` takes whatever is written to it.
                write!(out, "\\u{unit:04x}").ok();
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl AsRef<str> for Clean {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl From<Clean> for String {
    fn from(clean: Clean) -> Self {
        clean.text
    }
}

/// Returns what to say about the first word of `text` that mixes Latin letters with ones that look
/// like them: `mixed: Cyrillic а in "аpple.com"`.
pub fn mixed_scripts(text: &str, glyphs: Glyphs) -> Option<Clean> {
    let in_word = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.split(|c: char| !in_word(c)).find_map(|word| {
        word.chars().find(char::is_ascii_alphabetic)?;
        let (script, c) = word.chars().find_map(|c| Some((kind::lookalike(c)?, c)))?;
        let note = format!("mixed: {script} {c} in \"{word}\"");
        Some(Clean { flagged: true, ..Clean::evidence(&note, glyphs).cut_line() })
    })
}
