//! Text that came from others, made safe to show. Widgets take no other foreign text.

pub use mc_core::clean::Clean;
use mc_core::clean::{Glyphs, mixed_scripts};
use ratatui::buffer::Buffer;

/// Returns `text` as one line; what can't be seen is cut. A terminal without Unicode gets its
/// replacements where the line is drawn.
pub fn line(text: &str) -> Clean {
    Clean::line(text, Glyphs::Unicode)
}

/// Returns `text` whole as one line in which everything that can't be seen is spelled out, as
/// `<U+202E>`.
pub fn exact(text: &str) -> Clean {
    Clean::evidence(text, Glyphs::Unicode)
}

/// Returns the lines of `text`.
pub fn block(text: &str) -> Vec<Clean> {
    Clean::lines(text, Glyphs::Unicode)
}

/// Returns what to say about a word of `text` that mixes letters which look alike.
pub fn mixed(text: &str) -> Option<Clean> {
    mixed_scripts(text, Glyphs::Unicode)
}

/// Says whether `c` draws nothing, or draws what stands beside it otherwise. The screen refuses such
/// a character whatever was cleaned before it.
pub fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns the text of a buffer, one line for each row, without blanks at the end.
pub fn of_buffer(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in buffer.area.y..buffer.area.bottom() {
        let mut row = String::new();
        let mut skip = 0;
        for x in buffer.area.x..buffer.area.right() {
            let symbol = buffer.cell((x, y)).map_or(" ", |cell| cell.symbol());
            if skip == 0 {
                row.push_str(symbol);
                skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            } else {
                skip -= 1;
            }
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
