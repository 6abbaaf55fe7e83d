//! Where everything is drawn: a buffer, the theme and the glyphs. Nothing outside of the area is
//! ever touched.

use ratatui::{buffer::Buffer, layout::Rect};
use unicode_width::UnicodeWidthStr as _;

use super::Line;
use crate::{
    format::short,
    glyphs::Glyphs,
    theme::{Palette, Token, style},
};

/// How the console looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The colours.
    pub palette: Palette,
    /// The shapes.
    pub glyphs: &'static Glyphs,
}

/// A buffer to draw on.
#[derive(Debug)]
pub struct Canvas<'a> {
    buffer: &'a mut Buffer,
    /// How it looks.
    pub look: Look,
    /// Where the hardware cursor goes.
    pub cursor: Option<(u16, u16)>,
}

impl<'a> Canvas<'a> {
    /// Returns a canvas on `buffer`.
    pub fn new(buffer: &'a mut Buffer, look: Look) -> Self {
        Self { buffer, look, cursor: None }
    }

    /// Returns the whole area.
    pub fn area(&self) -> Rect {
        self.buffer.area
    }

    /// Draws `line` in the first row of `area`, cut to its width.
    pub fn line(&mut self, area: Rect, line: &Line) {
        let area = area.intersection(self.buffer.area);
        if area.is_empty() {
            return;
        }
        let fitted = line.clone().fit(usize::from(area.width));
        let mut x = area.x;
        for (token, text) in fitted.pieces() {
            let room = area.right().saturating_sub(x);
            let text = if self.look.glyphs.ascii { to_ascii(text) } else { text.into() };
            let style = style(self.look.palette, token);
            let (end, _) = self.buffer.set_stringn(x, area.y, &text, usize::from(room), style);
            x = end;
        }
    }

    /// Draws `line` at the right end of the first row of `area`.
    pub fn line_right(&mut self, area: Rect, line: &Line) {
        let width = short(line.width()).min(area.width);
        self.line(Rect { x: area.right() - width, width, ..area }, line);
    }

    /// Draws lines from the top of `area`; those without room are left out.
    pub fn lines<'b>(&mut self, area: Rect, lines: impl IntoIterator<Item = &'b Line>) {
        for (row, line) in rows(area).zip(lines) {
            self.line(row, line);
        }
    }

    /// Draws a box with a title and returns what is inside.
    pub fn framed(&mut self, area: Rect, title: &Line, token: Token) -> Rect {
        let area = area.intersection(self.buffer.area);
        if area.width < 2 || area.height < 2 {
            return area;
        }
        let glyphs = self.look.glyphs;
        // Only the top tells which box has the keys: sides that change cost a row each.
        let top = style(self.look.palette, token);
        let style = style(self.look.palette, Token::Border);
        let across = glyphs.horizontal.repeat(usize::from(area.width) - 2);
        let [top_left, top_right, bottom_left, bottom_right] = glyphs.corners;
        let bottom = area.bottom() - 1;
        self.buffer.set_string(area.x, area.y, format!("{top_left}{across}{top_right}"), top);
        self.buffer.set_string(
            area.x,
            bottom,
            format!("{bottom_left}{across}{bottom_right}"),
            style,
        );
        for y in area.y + 1..bottom {
            self.buffer.set_string(area.x, y, glyphs.vertical, style);
            self.buffer.set_string(area.right() - 1, y, glyphs.vertical, style);
        }
        self.line(Rect::new(area.x + 1, area.y, area.width - 2, 1), title);
        Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
    }

    /// Joins the box that begins at column `x` to the one before it.
    pub fn join(&mut self, area: Rect, x: u16) {
        let area = area.intersection(self.buffer.area);
        if area.height < 2 || x >= area.right() {
            return;
        }
        let style = style(self.look.palette, Token::Border);
        let [top, bottom] = self.look.glyphs.tees;
        self.buffer.set_string(x, area.y, top, style);
        self.buffer.set_string(x, area.bottom() - 1, bottom, style);
    }

    /// Says at the edge of `outer`, the box of a list or the line above and the list, how many of
    /// its rows are hidden on either side; where all are shown, nothing.
    pub fn hidden(&mut self, outer: Rect, inside: Rect, (above, below): (usize, usize)) {
        if above + below == 0 || inside.y <= outer.y || inside.width < 3 {
            return;
        }
        let is_boxed = inside.bottom() < outer.bottom();
        let edge = if is_boxed { outer.bottom() - 1 } else { outer.y };
        let words = format!(" {above} above, {below} below ");
        // The line above the list says first what the list is.
        let room = usize::from(inside.width) / if is_boxed { 1 } else { 3 };
        let words = if words.len() <= room { words } else { format!(" +{above} +{below} ") };
        let more = Line::new().own(Token::Dim, words);
        self.line_right(Rect { y: edge, height: 1, ..inside }, &more);
    }

    /// Empties `area`.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
            }
        }
    }

    /// Marks the row under the cursor.
    pub fn select(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        self.buffer.set_style(area, style(self.look.palette, Token::Select));
        if !area.is_empty() {
            self.cursor = Some((area.x, area.y));
        }
    }

    /// Dims `area`: what stands there is not live.
    pub fn fade(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        self.buffer.set_style(area, style(self.look.palette, Token::Stale));
    }

    /// Empties the middle of `area` and draws a box of at most `width` x `height` there.
    pub fn dialog(&mut self, area: Rect, (width, height): (u16, u16), title: &Line) -> Rect {
        let area = area.intersection(self.buffer.area);
        let place = area.centered(
            ratatui::layout::Constraint::Length(width.min(area.width)),
            ratatui::layout::Constraint::Length(height.min(area.height)),
        );
        self.clear(place);
        // A box that the area has no room for has no border; one that is small has.
        if place.width < 30 || area.height < 6 || place.height < 3 {
            self.line(place, title);
            return Rect {
                y: place.y.saturating_add(1),
                height: place.height.saturating_sub(1),
                ..place
            };
        }
        self.framed(place, title, Token::Focus)
    }
}

/// Returns the rows of `area`, from the top.
pub fn rows(area: Rect) -> impl Iterator<Item = Rect> {
    (area.y..area.bottom()).map(move |y| Rect { y, height: 1, ..area })
}

/// Replaces what is not ASCII, column by column.
fn to_ascii(text: &str) -> std::borrow::Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => plain.push(c),
            '·' | '─' | '▃' => plain.push('-'),
            '…' => plain.push('~'),
            '→' => plain.push('>'),
            '│' | '├' => plain.push('|'),
            '‹' => plain.push('<'),
            '¤' => plain.push('^'),
            '⋮' => plain.push(':'),
            '└' => plain.push('`'),
            '░' | '▂' => plain.push('.'),
            '▓' | '█' => plain.push('#'),
            '▁' => plain.push('_'),
            '▄' => plain.push('='),
            '▅' => plain.push('+'),
            '▆' => plain.push('*'),
            '▇' => plain.push('%'),
            _ => plain.push_str(&"?".repeat(c.encode_utf8(&mut [0; 4]).width())),
        }
    }
    plain.into()
}
