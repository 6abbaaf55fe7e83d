//! Redirections and here-documents (K9).

use super::{Reader, words::ends_word};
use crate::shell::simple::{Finding, Input, Simple, red, yellow};

/// A here-document whose text has not been read yet.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    end: String,
    is_quoted: bool,
    takes_tabs: bool,
    /// The command that reads it, by its place; the next one when it is not kept yet.
    command: usize,
}

impl Reader<'_> {
    /// Reads a redirection when one stands here.
    pub(super) fn redirect(&mut self, simple: &mut Simple) -> Result<bool, Finding> {
        let rest = self.cursor.rest();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, behind) = rest.split_at_checked(digits).unwrap_or_default();
        if behind.starts_with('{') {
            let name = behind.trim_start_matches(|c: char| !ends_word(c));
            if name.starts_with(['<', '>']) {
                return Err(red("K9", "a descriptor in a variable is not followed"));
            }
        }
        let is_both = digits == 0 && behind.starts_with("&>");
        if !behind.starts_with(['<', '>']) && !is_both {
            return Ok(false);
        }
        if !matches!(number, "" | "0" | "1" | "2") {
            return Err(red("K9", format!("descriptor {number} is not followed")));
        }
        self.cursor.eat(number);
        if is_both {
            // Shells differ: some take it as `&` and `>`.
            self.note(yellow("K9", "`&>` runs in the background in some shells"));
            self.cursor.eat("&>");
            self.cursor.eat(">");
            self.add_redirect(simple, true)?;
            return Ok(true);
        }
        self.operator(simple)?;
        Ok(true)
    }

    fn operator(&mut self, simple: &mut Simple) -> Result<(), Finding> {
        if self.cursor.eat("<<<") {
            return self.here_string(simple);
        }
        if self.cursor.eat("<<") {
            return self.here_document(simple);
        }
        for refused in ["<>", "<(", ">("] {
            if self.cursor.rest().starts_with(refused) {
                let rule = if refused == "<>" { "K9" } else { "K5" };
                return Err(red(rule, format!("`{refused}` is not followed")));
            }
        }
        if self.cursor.eat(">&") || self.cursor.eat("<&") {
            let target = self.cursor.take_while(|c| !ends_word(c));
            return match target {
                "0" | "1" | "2" | "-" => Ok(()),
                _ => Err(red("K9", "a descriptor that is not followed")),
            };
        }
        if self.cursor.eat(">>") || self.cursor.eat(">|") || self.cursor.eat(">") {
            return self.add_redirect(simple, true);
        }
        self.cursor.eat("<");
        self.add_redirect(simple, false)
    }

    fn here_string(&mut self, simple: &mut Simple) -> Result<(), Finding> {
        self.cursor.blanks();
        let word = self.word()?;
        if word.unknown.is_some() || word.glob.is_some() {
            return Err(red("K9", "what a here-string holds is not known"));
        }
        simple.input = Input::Text(word.text);
        Ok(())
    }

    fn here_document(&mut self, simple: &mut Simple) -> Result<(), Finding> {
        if self.is_substituted {
            return Err(red("K9", "a here-document within `$(...)` is not followed"));
        }
        let takes_tabs = self.cursor.eat("-");
        self.cursor.blanks();
        let from = self.cursor.at();
        let end = self.word()?;
        let is_quoted = self.cursor.since(from).contains(['\'', '"', '\\']);
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if end.text.is_empty() || !end.text.chars().all(is_word) {
            return Err(red("K9", "the end of a here-document is not a plain word"));
        }
        simple.input = Input::Text(String::new());
        let command = self.script.commands.len();
        self.pending.push(Pending { end: end.text, is_quoted, takes_tabs, command });
        Ok(())
    }

    /// Reads the texts of all here-documents that begin on this line.
    pub(super) fn documents(&mut self) -> Result<(), Finding> {
        for pending in std::mem::take(&mut self.pending) {
            let mut text = String::new();
            loop {
                let Some(line) = self.cursor.line() else {
                    return Err(red("K0", format!("`{}` ends no here-document", pending.end)));
                };
                let line = if pending.takes_tabs { line.trim_start_matches('\t') } else { line };
                if line == pending.end {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            if !pending.is_quoted && text.contains(['$', '`', '\\']) {
                return Err(red("K9", "a here-document without quotes puts something in"));
            }
            if let Some(command) = self.script.commands.get_mut(pending.command) {
                command.input = Input::Text(text);
            }
        }
        Ok(())
    }
}
