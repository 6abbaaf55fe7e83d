//! Text that came from others, made safe to show. Widgets take no other foreign text.

use unicode_segmentation::UnicodeSegmentation as _;

/// How many clusters of a line are kept.
const LINE_CLUSTERS: usize = 1_000;

/// A text without control and format characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clean {
    text: String,
    hidden: usize,
}

impl Clean {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns how many characters that can't be seen were taken out or made visible.
    pub fn hidden(&self) -> usize {
        self.hidden
    }
}

/// What becomes of a character that can't be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unseen {
    Cut,
    Spell,
}

/// Returns `text` as one line; invisible characters are cut.
pub fn line(text: &str) -> Clean {
    scrub(text, Unseen::Cut)
}

/// Returns `text` as one line in which each invisible character is spelled out, as `<U+202E>`.
pub fn exact(text: &str) -> Clean {
    scrub(text, Unseen::Spell)
}

/// Returns the lines of `text`.
pub fn block(text: &str) -> Vec<Clean> {
    text.lines().map(line).collect()
}

fn scrub(text: &str, unseen: Unseen) -> Clean {
    let mut clean = Clean::default();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' | '\u{9b}' | '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => {
                clean.hidden += 1;
                clean.text.push('¤');
                skip_sequence(c, &mut rest);
            }
            '\n' => clean.text.push_str("\\n"),
            '\t' => clean.text.push_str("\\t"),
            '\r' => clean.text.push_str("\\r"),
            '\0'..='\u{1f}' => {
                clean.hidden += 1;
                clean.text.push('^');
                clean.text.push(char::from_u32(c as u32 + 0x40).unwrap_or('?'));
            }
            '\u{7f}'..='\u{9f}' => {
                clean.hidden += 1;
                clean.text.push('¤');
            }
            _ if is_unseen(c) => {
                clean.hidden += 1;
                if unseen == Unseen::Spell {
                    clean.text.push_str(&format!("<U+{:04X}>", c as u32));
                }
            }
            _ => clean.text.push(c),
        }
    }
    cut(&mut clean.text);
    clean
}

/// Takes the rest of an escape sequence, so that its tail does not stay as text.
fn skip_sequence(start: char, rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let kind = match start {
        '\u{9b}' => '[',
        '\u{1b}' => match rest.peek() {
            Some(&c @ ('[' | ']' | 'P' | 'X' | '^' | '_')) => {
                rest.next();
                c
            }
            Some(&c) if (' '..='~').contains(&c) => {
                rest.next();
                return;
            }
            Some(_) | None => return,
        },
        _ => ']',
    };
    while let Some(&c) = rest.peek() {
        if kind != '[' && c == '\n' {
            return;
        }
        rest.next();
        let ends = if kind == '[' {
            ('@'..='~').contains(&c)
        } else {
            matches!(c, '\u{7}' | '\u{9c}') || (c == '\u{1b}' && rest.next_if_eq(&'\\').is_some())
        };
        if ends {
            return;
        }
    }
}

/// Says whether `c` draws nothing, or draws what stands beside it otherwise.
pub fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

fn cut(text: &mut String) {
    if text.len() > LINE_CLUSTERS
        && let Some((at, _)) = text.grapheme_indices(true).nth(LINE_CLUSTERS)
    {
        let more = text.len() - at;
        text.truncate(at);
        text.push_str(&format!(" +{more} bytes"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_leave_no_tail() {
        for dirty in ["a\u{1b}[31mb", "a\u{1b}]52;c;eHg=\u{7}b", "a\u{9b}2Jb", "a\u{1b}Pq\u{1b}\\b"]
        {
            assert_eq!(line(dirty).as_str(), "a¤b", "{dirty:?}");
        }
        assert_eq!(line("a\u{1b}[31").as_str(), "a¤");
        assert_eq!(line("a\tb\nc\u{7}").as_str(), "a\\tb\\nc^G");
    }

    #[test]
    fn what_cannot_be_seen_is_cut_or_spelled() {
        assert_eq!(line("pay\u{202e}lap").as_str(), "paylap");
        assert_eq!(line("pay\u{202e}lap").hidden(), 1);
        assert_eq!(exact("k\u{200b}1").as_str(), "k<U+200B>1");
    }
}
