//! Lists, pipes and simple commands (K3, K4).

use super::{
    COMMANDS, DEPTH, Known,
    cursor::Cursor,
    redirect::Pending,
    variables::Variables,
    words::{assign, ends_word, is_name},
};
use crate::shell::simple::{
    Finding, Input, Quotes, Redirect, Script, Simple, Word, deny, red, yellow,
};

/// Where a dollar sign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Outside quotes.
    Bare,
    /// In double quotes.
    Quoted,
}

/// Commands that change what later words mean, or run text.
const STEERING: &[&str] = &[
    "alias",
    "unalias",
    "eval",
    "source",
    ".",
    "exec",
    "trap",
    "command",
    "builtin",
    "set",
    "shopt",
    "coproc",
    "function",
    "select",
    "enable",
    "hash",
    "unset",
    "export",
    "readonly",
    "declare",
    "typeset",
    "local",
    "read",
    "mapfile",
    "readarray",
    "getopts",
    "let",
];

/// Words that end a part of a compound command.
const CLOSING: &[&str] = &["then", "elif", "else", "fi", "do", "done", "esac", "}", "in"];

/// Reads one command line.
pub(super) struct Reader<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) known: Known<'a>,
    pub(super) variables: Variables,
    pub(super) script: Script,
    /// Here-documents whose text begins on the next line.
    pub(super) pending: Vec<Pending>,
    pub(super) is_substituted: bool,
    depth: usize,
    /// What the next command reads.
    input: Input,
    /// Where the part that is being read begins, for findings.
    part: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, known: Known<'a>) -> Self {
        Self {
            cursor: Cursor::new(text),
            known,
            variables: Variables::default(),
            script: Script::default(),
            pending: Vec::new(),
            is_substituted: false,
            depth: known.depth,
            input: Input::Inherited,
            part: 0,
        }
    }

    /// Reads all of it.
    pub(super) fn whole(mut self) -> Result<Script, Finding> {
        self.list(&[])?;
        if !self.cursor.rest().is_empty() {
            return Err(red("K0", "a bracket is closed that was not opened"));
        }
        if !self.pending.is_empty() {
            return Err(red("K0", "a here-document has no text"));
        }
        Ok(self.script)
    }

    /// Keeps a finding with the text of the part that is being read.
    pub(super) fn note(&mut self, finding: Finding) {
        let text = self.cursor.since(self.part).trim().to_owned();
        self.script.findings.push((finding, text));
    }

    /// Reads something one level deeper.
    pub(super) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Finding>,
    ) -> Result<T, Finding> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(red("K1", format!("it is nested deeper than {DEPTH} levels")));
        }
        let (part, input) = (self.part, std::mem::take(&mut self.input));
        let done = read(self);
        self.depth -= 1;
        self.part = part;
        self.input = input;
        done
    }

    /// Takes `token`, which must stand here.
    pub(super) fn must(&mut self, token: &str) -> Result<(), Finding> {
        self.cursor.blanks();
        if self.cursor.eat(token) {
            Ok(())
        } else {
            Err(red("K0", format!("`{token}` is missing")))
        }
    }

    /// Returns the bare word that stands here, if it is a word of the language.
    pub(super) fn keyword(&self) -> Option<&'a str> {
        let rest = self.cursor.rest();
        let end = rest.find(ends_word).unwrap_or(rest.len());
        rest.get(..end).filter(|word| !word.is_empty())
    }

    /// Takes the ends of lines, and the here-documents behind them.
    pub(super) fn newlines(&mut self) -> Result<(), Finding> {
        loop {
            self.cursor.blanks();
            if !self.cursor.eat("\n") {
                return Ok(());
            }
            self.documents()?;
        }
    }

    /// Reads commands up to one of `ends`, a closing bracket or the end of the text.
    pub(super) fn list(&mut self, ends: &[&str]) -> Result<(), Finding> {
        let mut count = 0;
        loop {
            self.newlines()?;
            let word = self.keyword();
            let is_end = match self.cursor.peek() {
                None | Some(')') => true,
                Some(_) => word.is_some_and(|word| ends.contains(&word)),
            } || (ends.contains(&";;") && self.cursor.rest().starts_with(";;"));
            if is_end {
                return if count > 0 { Ok(()) } else { Err(red("K0", "a command is missing")) };
            }
            if let Some(word) = word.filter(|word| CLOSING.contains(word) && *word != "in") {
                return Err(red("K0", format!("`{word}` stands where nothing was begun")));
            }
            self.and_or()?;
            count += 1;
            self.cursor.blanks();
            match self.cursor.peek() {
                Some(';') if !self.cursor.rest().starts_with(";;") => {
                    self.cursor.take();
                }
                Some('&') => {
                    self.cursor.take();
                    self.note(yellow("K4", "it goes on in the background"));
                }
                Some('\n' | ')') | None => {}
                Some(_) if ends.contains(&";;") && self.cursor.rest().starts_with(";;") => {}
                Some(c) => return Err(red("K0", format!("`{c}` stands where a command ends"))),
            }
        }
    }

    /// Reads pipelines joined by `&&` and `||`.
    fn and_or(&mut self) -> Result<(), Finding> {
        self.part = self.cursor.at();
        let start = self.variables.clone();
        self.pipeline()?;
        let first = self.variables.clone();
        let mut is_alone = true;
        loop {
            self.cursor.blanks();
            if !self.cursor.eat("&&") && !self.cursor.eat("||") {
                break;
            }
            is_alone = false;
            self.newlines()?;
            self.part = self.cursor.at();
            self.pipeline()?;
        }
        if !is_alone {
            // What came after `&&` or `||` may not have run.
            self.variables.leave(first);
        }
        if self.cursor.peek() == Some('&') {
            self.variables.leave(start);
        }
        Ok(())
    }

    fn pipeline(&mut self) -> Result<(), Finding> {
        loop {
            self.cursor.blanks();
            match self.keyword() {
                Some("!") => self.cursor.eat("!"),
                Some("time") => {
                    self.note(yellow("K7", "it is run and timed"));
                    self.cursor.eat("time")
                }
                _ => break,
            };
        }
        let before = self.variables.clone();
        let mut names = Vec::new();
        self.input = Input::Inherited;
        loop {
            names.push(self.command()?);
            self.cursor.blanks();
            if self.cursor.rest().starts_with("||") || !self.cursor.eat("|") {
                break;
            }
            if self.cursor.peek() == Some('&') {
                return Err(red("K9", "`|&` is not followed"));
            }
            self.newlines()?;
            self.input = Input::Pipe(names.clone());
        }
        self.input = Input::Inherited;
        if names.len() > 1 {
            // Each part of a pipe is a shell of its own.
            self.variables.leave(before);
        }
        Ok(())
    }

    /// Reads one command; returns its command word, empty for a compound one.
    fn command(&mut self) -> Result<String, Finding> {
        self.cursor.blanks();
        match self.cursor.peek() {
            None | Some('\n' | ';' | ')' | '&' | '|') => {
                return Err(red("K0", "a command is missing"));
            }
            _ => {}
        }
        if self.compound()? {
            return Ok(String::new());
        }
        let from = self.cursor.at();
        let simple = self.simple()?;
        self.keep(simple, from)
    }

    /// Checks a simple command against K3 and K4 and keeps it.
    fn keep(&mut self, mut simple: Simple, from: usize) -> Result<String, Finding> {
        self.cursor.since(from).trim().clone_into(&mut simple.text);
        simple.is_substituted = self.is_substituted;
        if simple.words.is_empty() {
            if !simple.redirects.is_empty() {
                return Err(red("K9", "a redirection without a command"));
            }
            for (name, word) in &simple.env {
                assign(&mut self.variables, name, word);
            }
        }
        let name = simple.words.first().map(|word| word.text.clone()).unwrap_or_default();
        if STEERING.contains(&name.as_str()) {
            return Err(red("K4", format!("`{name}` changes what the shell itself does")));
        }
        self.push(simple)?;
        Ok(name)
    }

    /// Keeps a simple command, unless there are too many.
    pub(super) fn push(&mut self, simple: Simple) -> Result<(), Finding> {
        if self.script.commands.len() >= COMMANDS {
            return Err(red("K1", format!("it holds more than {COMMANDS} commands")));
        }
        self.script.commands.push(simple);
        Ok(())
    }

    fn simple(&mut self) -> Result<Simple, Finding> {
        let mut simple = Simple { input: std::mem::take(&mut self.input), ..Simple::default() };
        let before = self.variables.clone();
        loop {
            self.cursor.blanks();
            let Some(c) = self.cursor.peek() else { break };
            if self.redirect(&mut simple)? {
                continue;
            }
            if c == '(' {
                return Err(self.function(&simple));
            }
            if ends_word(c) {
                break;
            }
            if simple.words.is_empty() && self.assignment(&mut simple)? {
                continue;
            }
            let word = if simple.words.is_empty() { self.command_word()? } else { self.word()? };
            simple.words.push(word);
        }
        if !simple.words.is_empty() {
            // An assignment before a command holds for that command alone.
            self.variables = before;
        }
        Ok(simple)
    }

    /// Reads `name=word` when it stands here.
    fn assignment(&mut self, simple: &mut Simple) -> Result<bool, Finding> {
        let rest = self.cursor.rest();
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let (name, behind) = rest.split_at_checked(end).unwrap_or_default();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(false);
        }
        if behind.starts_with("+=") || behind.starts_with('[') && behind.contains("]=") {
            return Err(red("K5", format!("what `{name}` holds afterwards is not followed")));
        }
        if !behind.starts_with('=') {
            return Ok(false);
        }
        self.cursor.eat(name);
        self.cursor.eat("=");
        if self.cursor.peek() == Some('(') {
            return Err(red("K5", "arrays are not followed"));
        }
        let word = self.word()?;
        simple.env.push((name.to_owned(), word));
        Ok(true)
    }

    /// Reads the word that names the program (K3).
    fn command_word(&mut self) -> Result<Word, Finding> {
        let from = self.cursor.at();
        let raw = self.keyword().unwrap_or_default();
        if !raw.is_ascii() {
            return Err(red("K2", "the command word is not plain ASCII"));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/+-:[]@%,=".contains(c);
        if !raw.chars().all(is_plain) {
            let text = "the command word holds a quote, a backslash, an expansion or a pattern";
            return Err(red("K3", text));
        }
        let mut word = self.word()?;
        let is_bracket = matches!(raw, "[" | "[[");
        if word.quotes != Quotes::Bare || (word.glob.is_some() && !is_bracket) {
            return Err(red("K3", format!("`{}` is no plain name", self.cursor.since(from))));
        }
        word.glob = None;
        Ok(word)
    }

    /// A word and `(`: a function, or nothing that can be followed.
    fn function(&self, simple: &Simple) -> Finding {
        let [name] = simple.words.as_slice() else {
            return red("K0", "`(` stands where nothing opens");
        };
        let body = self.cursor.rest().split_once(')').map_or("", |(_, body)| body);
        let (body, _) = body.rsplit_once('}').unwrap_or((body, ""));
        let parts = |c: char| ends_word(c) || matches!(c, '{' | '}');
        if body.split(parts).any(|word| word == name.text) {
            return deny("K4", format!("the function `{}` calls itself", name.text));
        }
        red("K4", "functions are not followed")
    }

    /// Keeps the redirections behind a compound command.
    pub(super) fn redirects_behind(&mut self) -> Result<(), Finding> {
        let from = self.cursor.at();
        let mut carrier = Simple::default();
        loop {
            self.cursor.blanks();
            if !self.redirect(&mut carrier)? {
                break;
            }
        }
        if carrier.redirects.is_empty() && carrier.input == Input::Inherited {
            return Ok(());
        }
        self.cursor.since(from).trim().clone_into(&mut carrier.text);
        self.push(carrier)
    }

    /// Adds a redirection to or from a file.
    pub(super) fn add_redirect(
        &mut self,
        simple: &mut Simple,
        writes: bool,
    ) -> Result<(), Finding> {
        self.cursor.blanks();
        let file = self.word()?;
        if file.text.is_empty() && file.quotes == Quotes::Bare {
            return Err(red("K0", "a redirection names no file"));
        }
        if file.glob.is_some() || file.unknown.is_some() {
            return Err(red("K9", "the file of a redirection is not known"));
        }
        simple.redirects.push(Redirect { file, writes });
        Ok(())
    }
}
