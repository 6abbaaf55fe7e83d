//! How long an escape sequence is: 7-bit and 8-bit, finished or not.

/// Returns the length in bytes of the escape sequence that `text` begins with; `None` when it
/// begins with none.
///
/// `endless` is kept from call to call over one text: once a sequence has no end, those behind it
/// have none either, and need not be searched again.
pub(super) fn length(text: &str, endless: &mut bool) -> Option<usize> {
    let mut chars = text.chars();
    let first = chars.next()?;
    let after = chars.as_str();
    let body = match first {
        '\u{1b}' => match after.chars().next() {
            Some('[') => 1 + control_sequence(after.get(1..).unwrap_or_default()),
            Some(']' | 'P' | 'X' | '^' | '_') => {
                1 + string(after.get(1..).unwrap_or_default(), endless)
            }
            Some(' '..='~') => plain(after),
            Some(_) | None => 0,
        },
        '\u{9b}' => control_sequence(after),
        '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => string(after, endless),
        _ => return None,
    };
    Some(first.len_utf8() + body)
}

/// Parameters, intermediates and a final character; what interrupts it is no part of it.
fn control_sequence(text: &str) -> usize {
    let head = text.bytes().take_while(|b| (0x20..=0x3f).contains(b)).count();
    let has_final = text.as_bytes().get(head).is_some_and(|b| (0x40..=0x7e).contains(b));
    head + usize::from(has_final)
}

/// Everything up to BEL or ST. Without either it goes to the end of the line, so that one byte
/// can't hide all the lines after it.
fn string(text: &str, endless: &mut bool) -> usize {
    if !*endless {
        let mut before = ' ';
        for (at, c) in text.char_indices() {
            if matches!(c, '\u{7}' | '\u{9c}') || (before == '\u{1b}' && c == '\\') {
                return at + c.len_utf8();
            }
            before = c;
        }
        *endless = true;
    }
    text.find('\n').unwrap_or(text.len())
}

/// Intermediates and a final character.
fn plain(text: &str) -> usize {
    let head = text.bytes().take_while(|b| (0x20..=0x2f).contains(b)).count();
    let has_final = text.as_bytes().get(head).is_some_and(|b| (0x30..=0x7e).contains(b));
    head + usize::from(has_final)
}
