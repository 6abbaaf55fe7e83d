//! Where the bytes are made: one frame is one synchronised write, and a frame without changes is no
//! byte. The last guard of the screen stands here: no control or format character ever leaves.

use std::io::{self, Write};

use ratatui::{
    backend::{Backend, ClearType, WindowSize},
    buffer::Cell,
    layout::{Position, Size},
    style::{Color, Modifier},
};

/// What a cell looks like to the terminal.
type Pen = (Color, Color, Modifier);

const MODIFIERS: [(Modifier, &str); 5] = [
    (Modifier::BOLD, ";1"),
    (Modifier::DIM, ";2"),
    (Modifier::ITALIC, ";3"),
    (Modifier::UNDERLINED, ";4"),
    (Modifier::REVERSED, ";7"),
];

const PLAIN: Pen = (Color::Reset, Color::Reset, Modifier::empty());

/// A terminal behind a writer.
#[derive(Debug)]
pub struct Screen<W: Write> {
    out: W,
    frame: Vec<u8>,
    size: Size,
    at: Option<Position>,
    pen: Pen,
    is_cursor_shown: Option<bool>,
    /// How many cells were refused since the start: each one is a bug of ours.
    pub refused: u64,
    /// How many bytes were written since the start.
    pub written: u64,
}

impl<W: Write> Screen<W> {
    /// Returns a screen of `size` behind `out`.
    pub fn new(out: W, size: Size) -> Self {
        Self {
            out,
            frame: Vec::with_capacity(16 * 1024),
            size,
            at: None,
            pen: PLAIN,
            is_cursor_shown: None,
            refused: 0,
            written: 0,
        }
    }

    /// Notes that the terminal has another size.
    pub fn resize(&mut self, size: Size) {
        self.size = size;
        self.at = None;
    }

    /// Forgets what the terminal shows: another program has drawn on it.
    pub fn forget(&mut self) {
        self.at = None;
        self.is_cursor_shown = None;
        self.pen = PLAIN;
        self.frame.extend_from_slice(b"\x1b[0m");
    }

    /// Sends bytes of our own making at the next flush: they draw nothing.
    pub fn tell(&mut self, bytes: &[u8]) {
        self.frame.extend_from_slice(bytes);
    }

    fn go(&mut self, to: Position) {
        if self.at != Some(to) {
            let code = format!("\x1b[{};{}H", to.y.saturating_add(1), to.x.saturating_add(1));
            self.frame.extend_from_slice(code.as_bytes());
            self.at = Some(to);
        }
    }

    fn dip(&mut self, pen: Pen) {
        if pen == self.pen {
            return;
        }
        self.pen = pen;
        let (fg, bg, modifier) = pen;
        let mut code = String::from("\x1b[0");
        for (known, digits) in MODIFIERS {
            if modifier.contains(known) {
                code.push_str(digits);
            }
        }
        for (color, base) in [(fg, 30), (bg, 40)] {
            if let Some(number) = sgr(color) {
                code.push(';');
                code.push_str(&(base + number).to_string());
            }
        }
        code.push('m');
        self.frame.extend_from_slice(code.as_bytes());
    }

    fn put(&mut self, symbol: &str) {
        let is_safe = !symbol.is_empty()
            && symbol.chars().all(|c| !c.is_control() && !crate::text::is_unseen(c));
        if is_safe {
            self.frame.extend_from_slice(symbol.as_bytes());
        } else {
            self.refused += 1;
            self.frame.push(b'?');
        }
    }
}

/// Returns the offset of one of the 16 colours from 30 or 40; `None` is the terminal's own.
fn sgr(color: Color) -> Option<u8> {
    const COLORS: [(Color, u8); 16] = [
        (Color::Black, 0),
        (Color::Red, 1),
        (Color::Green, 2),
        (Color::Yellow, 3),
        (Color::Blue, 4),
        (Color::Magenta, 5),
        (Color::Cyan, 6),
        (Color::Gray, 7),
        (Color::DarkGray, 60),
        (Color::LightRed, 61),
        (Color::LightGreen, 62),
        (Color::LightYellow, 63),
        (Color::LightBlue, 64),
        (Color::LightMagenta, 65),
        (Color::LightCyan, 66),
        (Color::White, 67),
    ];
    COLORS.iter().find(|(known, _)| *known == color).map(|(_, number)| *number)
}

impl<W: Write> Backend for Screen<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        for (x, y, cell) in content {
            self.go(Position { x, y });
            self.dip((cell.fg, cell.bg, cell.modifier));
            self.put(cell.symbol());
            // A wide character moves the cursor by two, and some terminals disagree: only a plain
            // one tells where the cursor is.
            let is_plain = cell.symbol().is_ascii();
            self.at = (is_plain && x + 1 < self.size.width).then(|| Position { x: x + 1, y });
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.is_cursor_shown != Some(false) {
            self.is_cursor_shown = Some(false);
            self.frame.extend_from_slice(b"\x1b[?25l");
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.is_cursor_shown != Some(true) {
            self.is_cursor_shown = Some(true);
            self.frame.extend_from_slice(b"\x1b[?25h");
        }
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.at.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.go(position.into());
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.dip(PLAIN);
        self.frame.extend_from_slice(b"\x1b[2J");
        self.at = None;
        Ok(())
    }

    fn clear_region(&mut self, _region: ClearType) -> io::Result<()> {
        self.clear()
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let mut frame = Vec::with_capacity(self.frame.len() + 16);
        frame.extend_from_slice(b"\x1b[?2026h");
        frame.append(&mut self.frame);
        frame.extend_from_slice(b"\x1b[?2026l");
        self.written += frame.len() as u64;
        self.out.write_all(&frame)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, style::Style};

    use super::*;

    fn screen() -> Terminal<Screen<Vec<u8>>> {
        Terminal::new(Screen::new(Vec::new(), Size::new(20, 3))).unwrap()
    }

    #[test]
    fn a_frame_without_changes_is_no_byte() {
        let mut terminal = screen();
        let draw = |frame: &mut ratatui::Frame<'_>| {
            frame.buffer_mut().set_string(0, 0, "hello", Style::new().fg(Color::Red));
        };
        terminal.draw(draw).unwrap();
        let before = terminal.backend().written;
        assert!(before > 0);
        terminal.draw(draw).unwrap();
        assert_eq!(terminal.backend().written, before);
        let bytes = String::from_utf8(terminal.backend().out.clone()).unwrap();
        assert!(bytes.contains("\x1b[0;31mhello"), "{bytes:?}");
    }

    #[test]
    fn no_control_character_leaves() {
        let mut screen = Screen::new(Vec::new(), Size::new(20, 3));
        let mut cell = Cell::default();
        cell.set_symbol("\u{202e}");
        screen.draw([(0, 0, &cell)].into_iter()).unwrap();
        screen.flush().unwrap();
        assert_eq!(screen.refused, 1);
        assert!(!String::from_utf8(screen.out).unwrap().contains('\u{202e}'));
    }
}
