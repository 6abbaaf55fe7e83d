//! Bounded lines: what was read and is not yet a request.

use std::{io::BufRead as _, ops::Range};

/// How much memory a connection without a partial frame keeps.
const KEPT_BYTES: usize = 4096;

/// A frame is longer than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// Bytes that were read, cut into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    start: usize,
    scanned: usize,
}

impl Lines {
    /// Appends what was read.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns where the next whole line is, without its newline; `None` until one is whole.
    ///
    /// # Errors
    ///
    /// When the line, whole or not, is longer than `limit`.
    pub(super) fn next(&mut self, limit: usize) -> Result<Option<Range<usize>>, TooLong> {
        let mut rest = self.bytes.get(self.scanned..).unwrap_or_default();
        // Searching in memory can't fail.
        let read = rest.skip_until(b'\n').unwrap_or_default();
        let whole = read > 0 && self.bytes.get(self.scanned + read - 1) == Some(&b'\n');
        self.scanned += read;
        let end = if whole { self.scanned - 1 } else { self.scanned };
        if end - self.start > limit {
            return Err(TooLong);
        }
        if !whole {
            return Ok(None);
        }
        let line = self.start..end;
        self.start = self.scanned;
        Ok(Some(line))
    }

    /// Returns the bytes of a line.
    pub(super) fn line(&self, at: Range<usize>) -> &[u8] {
        self.bytes.get(at).unwrap_or_default()
    }

    /// Forgets the lines that were handed out.
    pub(super) fn compact(&mut self) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            if self.bytes.capacity() > KEPT_BYTES {
                self.bytes = Vec::new();
            }
        } else if self.start > 0 {
            self.bytes.drain(..self.start);
        }
        self.scanned -= self.start;
        self.start = 0;
    }

    /// Says whether something waits: a partial line, or lines that were not asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(lines: &mut Lines, limit: usize) -> Result<Option<Vec<u8>>, TooLong> {
        let at = lines.next(limit)?;
        Ok(at.map(|at| lines.line(at).to_vec()))
    }

    #[test]
    fn lines_come_whole_however_they_were_cut() {
        let mut lines = Lines::default();
        lines.push(b"ab");
        assert_eq!(next(&mut lines, 9), Ok(None));
        lines.compact();
        lines.push(b"c\nd\n\ne");
        assert_eq!(next(&mut lines, 9), Ok(Some(b"abc".to_vec())));
        lines.compact();
        assert_eq!(next(&mut lines, 9), Ok(Some(b"d".to_vec())));
        assert_eq!(next(&mut lines, 9), Ok(Some(Vec::new())));
        assert_eq!(next(&mut lines, 9), Ok(None));
        lines.compact();
        assert!(!lines.is_empty());
        lines.push(b"\n");
        assert_eq!(next(&mut lines, 9), Ok(Some(b"e".to_vec())));
        lines.compact();
        assert!(lines.is_empty());
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        for whole in [b"\n".as_slice(), b""] {
            let mut lines = Lines::default();
            lines.push(&[b'x'; 8]);
            lines.push(whole);
            assert!(next(&mut lines, 8).is_ok());
            let mut lines = Lines::default();
            lines.push(&[b'x'; 9]);
            lines.push(whole);
            assert_eq!(next(&mut lines, 8), Err(TooLong));
        }
    }

    #[test]
    fn an_endless_line_is_scanned_once_and_refused_early() {
        let mut lines = Lines::default();
        for _ in 0..4 {
            lines.push(&[b'x'; 2]);
            assert_eq!(next(&mut lines, 8), Ok(None));
        }
        lines.push(b"x");
        assert_eq!(next(&mut lines, 8), Err(TooLong));
    }
}
