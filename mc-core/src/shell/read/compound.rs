//! Compound commands: groups, branches and loops (K4).

use super::{Reader, words::is_name};
use crate::shell::simple::{Finding, Simple, Unknown, Word, red, yellow};

impl Reader<'_> {
    /// Reads a compound command when one stands here.
    pub(super) fn compound(&mut self) -> Result<bool, Finding> {
        if self.cursor.rest().starts_with("((") {
            return Err(red("K5", "arithmetic is not followed"));
        }
        if self.cursor.peek() == Some('(') {
            self.nested(Self::subshell)?;
        } else {
            match self.keyword() {
                Some("{") => self.nested(Self::group)?,
                Some("if") => self.nested(Self::branch)?,
                Some("while" | "until") => self.nested(Self::repeat)?,
                Some("for") => self.nested(Self::each)?,
                Some("case") => self.nested(Self::choice)?,
                Some("[[") => return self.condition().map(|()| true),
                Some("function" | "select" | "coproc") => {
                    return Err(red("K4", "functions, menus and coprocesses are not followed"));
                }
                _ => return Ok(false),
            }
        }
        self.redirects_behind()?;
        Ok(true)
    }

    fn subshell(&mut self) -> Result<(), Finding> {
        self.cursor.eat("(");
        let before = self.variables.clone();
        self.list(&[])?;
        self.variables.leave(before);
        self.must(")")
    }

    fn group(&mut self) -> Result<(), Finding> {
        self.cursor.eat("{");
        self.list(&["}"])?;
        self.must("}")
    }

    fn branch(&mut self) -> Result<(), Finding> {
        self.note(yellow("K4", "what runs depends on a condition"));
        let before = self.variables.clone();
        self.cursor.eat("if");
        self.list(&["then"])?;
        self.must("then")?;
        self.list(&["elif", "else", "fi"])?;
        while self.keyword() == Some("elif") {
            self.cursor.eat("elif");
            self.list(&["then"])?;
            self.must("then")?;
            self.list(&["elif", "else", "fi"])?;
        }
        if self.keyword() == Some("else") {
            self.cursor.eat("else");
            self.list(&["fi"])?;
        }
        self.variables.leave(before);
        self.must("fi")
    }

    fn repeat(&mut self) -> Result<(), Finding> {
        self.note(yellow("K4", "it runs as often as a condition says"));
        let before = self.variables.clone();
        self.doubt_assigned();
        if !self.cursor.eat("while") {
            self.cursor.eat("until");
        }
        self.list(&["do"])?;
        self.body()?;
        self.variables.leave(before);
        Ok(())
    }

    fn body(&mut self) -> Result<(), Finding> {
        self.must("do")?;
        self.list(&["done"])?;
        self.must("done")
    }

    /// A loop runs again with what its end left behind: what it assigns is not known at its start.
    fn doubt_assigned(&mut self) {
        let rest = self.cursor.rest();
        for (at, _) in rest.match_indices('=') {
            let before = rest.get(..at).unwrap_or_default();
            let name = before.rsplit(|c| !is_name(c)).next().unwrap_or_default();
            if !name.is_empty() {
                self.variables.doubt(name);
            }
        }
    }

    /// `for name in words; do ...; done`: the body is read once for each word.
    fn each(&mut self) -> Result<(), Finding> {
        self.note(yellow("K4", "it runs once for each of several words"));
        let before = self.variables.clone();
        self.cursor.eat("for");
        self.cursor.blanks();
        let name = self.cursor.take_while(is_name).to_owned();
        self.cursor.blanks();
        if name.is_empty() || self.keyword() != Some("in") {
            return Err(red("K4", "a loop without words is not followed"));
        }
        self.cursor.eat("in");
        let words = self.loop_words()?;
        self.newlines()?;
        let (start, doubted) = (self.cursor.clone(), {
            self.doubt_assigned();
            self.variables.clone()
        });
        for word in &words {
            self.cursor = start.clone();
            self.variables = doubted.clone();
            self.variables.set(&name, word.clone());
            self.body()?;
        }
        self.variables.leave(before);
        self.variables.doubt(&name);
        Ok(())
    }

    fn loop_words(&mut self) -> Result<Vec<Word>, Finding> {
        let mut words = Vec::new();
        loop {
            self.cursor.blanks();
            match self.cursor.peek() {
                Some(';') => {
                    self.cursor.take();
                    break;
                }
                Some('\n') => break,
                None | Some('&' | '|' | '<' | '>' | '(' | ')') => {
                    return Err(red("K0", "the words of a loop do not end"));
                }
                Some(_) => words.push(self.word()?),
            }
        }
        if words.is_empty() {
            return Err(red("K4", "a loop without words is not followed"));
        }
        if words.iter().any(|word| word.unknown.is_some()) {
            return Err(red("K5", "the words of a loop are not known"));
        }
        Ok(words)
    }

    /// `case word in pattern) commands;; esac`
    fn choice(&mut self) -> Result<(), Finding> {
        self.note(yellow("K4", "what runs depends on a pattern"));
        let before = self.variables.clone();
        self.cursor.eat("case");
        self.cursor.blanks();
        self.word()?;
        self.newlines()?;
        if self.keyword() != Some("in") {
            return Err(red("K0", "`in` is missing"));
        }
        self.cursor.eat("in");
        self.newlines()?;
        while self.keyword() != Some("esac") {
            self.cursor.eat("(");
            self.patterns()?;
            self.list(&["esac", ";;"])?;
            if !self.cursor.eat(";;") {
                break;
            }
            if self.cursor.peek() == Some('&') {
                return Err(red("K4", "a case that falls through is not followed"));
            }
            self.newlines()?;
            self.variables = before.clone();
        }
        self.variables.leave(before);
        self.must("esac")
    }

    fn patterns(&mut self) -> Result<(), Finding> {
        loop {
            self.cursor.blanks();
            let pattern = self.word()?;
            if pattern.text.is_empty() || pattern.unknown == Some(Unknown::Output) {
                return Err(red("K4", "a pattern that is not followed"));
            }
            self.cursor.blanks();
            if self.cursor.eat(")") {
                return Ok(());
            }
            if !self.cursor.eat("|") {
                return Err(red("K0", "a pattern does not end"));
            }
        }
    }

    /// `[[ ... ]]` with one test: the rest of it is a language of its own.
    fn condition(&mut self) -> Result<(), Finding> {
        const UNARY: &[&str] = &["-f", "-d", "-e", "-r", "-w", "-x", "-s", "-L", "-h", "-n", "-z"];
        self.note(yellow("K4", "it tests a condition"));
        let from = self.cursor.at();
        self.cursor.eat("[[");
        let mut words = Vec::new();
        loop {
            self.cursor.blanks();
            if self.keyword() == Some("]]") {
                self.cursor.eat("]]");
                break;
            }
            words.push(self.word()?);
            if words.len() > 4 || words.last().is_some_and(|word| word.text.is_empty()) {
                return Err(red("K4", "a condition that is not followed"));
            }
        }
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let plain = match texts.as_slice() {
            ["!", rest @ ..] => rest,
            all => all,
        };
        let is_known = match plain {
            [_] => true,
            [test, _] => UNARY.contains(test),
            [_, test, _] => matches!(*test, "=" | "==" | "!="),
            _ => false,
        };
        if !is_known {
            return Err(red("K4", "a condition that is not followed"));
        }
        let paths: Vec<Word> = match plain {
            [test, _] if !matches!(*test, "-n" | "-z") => words,
            _ => return Ok(()),
        };
        let mut simple = Simple { words: paths, ..Simple::default() };
        simple.words.insert(0, Word { text: "test".to_owned(), ..Word::default() });
        self.cursor.since(from).clone_into(&mut simple.text);
        simple.is_substituted = self.is_substituted;
        self.push(simple)
    }
}
