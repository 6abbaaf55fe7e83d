//! A place in the text.

/// Goes through a text; everything that has a meaning for the shell is one byte of ASCII.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Returns how far it has come, in bytes.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Returns what is left.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Returns what stands between `from` and here.
    pub(super) fn since(&self, from: usize) -> &'a str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    /// Returns the next character without taking it.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Returns the character behind the next one.
    pub(super) fn peek_second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    /// Takes the next character.
    pub(super) fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Takes `token` when it stands here.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes all characters that are as asked.
    pub(super) fn take_while(&mut self, is: impl Fn(char) -> bool) -> &'a str {
        let from = self.at;
        while self.peek().is_some_and(&is) {
            self.take();
        }
        self.since(from)
    }

    /// Takes blanks, and a comment that begins behind them.
    pub(super) fn blanks(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t'));
        if self.peek() == Some('#') {
            self.take_while(|c| c != '\n');
        }
    }

    /// Takes the rest of the line with its end; `None` at the end of the text.
    pub(super) fn line(&mut self) -> Option<&'a str> {
        if self.rest().is_empty() {
            return None;
        }
        let line = self.take_while(|c| c != '\n');
        self.take();
        Some(line)
    }
}
