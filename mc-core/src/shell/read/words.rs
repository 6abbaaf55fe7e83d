//! Words: quotes, escapes and what is put in their place (K3, K5).

use super::{Reader, grammar::Place, variables::Variables};
use crate::shell::simple::{Finding, Glob, Quotes, Unknown, Word, red, yellow};

/// What ends a word when it stands outside quotes.
pub(super) const fn ends_word(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
}

/// A word that is being read.
#[derive(Debug, Default)]
struct Building {
    word: Word,
    /// How many pieces it has: quoted texts, values, runs of plain characters.
    pieces: usize,
    /// Whether all of it was plain characters.
    is_plain: bool,
}

impl Building {
    fn plain(&mut self, c: char) {
        self.word.text.push(c);
        if self.word.quotes != Quotes::Bare || !self.is_plain {
            self.word.quotes = Quotes::Other;
        }
    }

    fn piece(&mut self, text: &str, quotes: Quotes) {
        let is_whole = self.pieces == 0 && self.word.text.is_empty();
        self.word.quotes = if is_whole { quotes } else { Quotes::Other };
        self.word.text.push_str(text);
        self.pieces += 1;
        self.is_plain = false;
    }
}

impl Reader<'_> {
    /// Reads a word; the cursor stands on its first character.
    pub(super) fn word(&mut self) -> Result<Word, Finding> {
        let mut building = Building { is_plain: true, ..Building::default() };
        while let Some(c) = self.cursor.peek().filter(|c| !ends_word(*c)) {
            match c {
                '\'' => self.single(&mut building)?,
                '"' => self.double(&mut building)?,
                '\\' => self.escaped(&mut building)?,
                '$' => {
                    let dollar = self.dollar(Place::Bare)?;
                    put(&mut building, dollar, Place::Bare)?;
                }
                '`' => return Err(red("K5", "a backtick runs a command within a word")),
                '~' => self.tilde(&mut building)?,
                '*' | '?' | '[' => self.glob(&mut building),
                '{' | '!' => self.special(&mut building)?,
                c if !c.is_ascii() => {
                    return Err(red("K2", format!("`{c}` stands outside quotes")));
                }
                c => {
                    self.cursor.take();
                    building.plain(c);
                }
            }
        }
        Ok(building.word)
    }

    fn single(&mut self, building: &mut Building) -> Result<(), Finding> {
        self.cursor.take();
        let text = self.cursor.take_while(|c| c != '\'');
        if !self.cursor.eat("'") {
            return Err(red("K0", "a single quote is not closed"));
        }
        building.piece(text, Quotes::Single);
        Ok(())
    }

    fn escaped(&mut self, building: &mut Building) -> Result<(), Finding> {
        self.cursor.take();
        match self.cursor.take() {
            None => Err(red("K0", "a backslash stands at the end")),
            Some('\n') => Err(red("K0", "a backslash joins two lines")),
            Some(c) => {
                building.piece(c.encode_utf8(&mut [0; 4]), Quotes::Other);
                Ok(())
            }
        }
    }

    fn double(&mut self, building: &mut Building) -> Result<(), Finding> {
        self.cursor.take();
        building.piece("", Quotes::Other);
        loop {
            match self.cursor.peek() {
                None => return Err(red("K0", "a double quote is not closed")),
                Some('"') => {
                    self.cursor.take();
                    return Ok(());
                }
                Some('`') => return Err(red("K5", "a backtick runs a command within quotes")),
                Some('$') => {
                    let dollar = self.dollar(Place::Quoted)?;
                    put(building, dollar, Place::Quoted)?;
                }
                Some('\\') => {
                    self.cursor.take();
                    let escaped = self.cursor.peek();
                    match escaped {
                        Some('\n') => return Err(red("K0", "a backslash joins two lines")),
                        Some(c @ ('$' | '`' | '"' | '\\')) => {
                            self.cursor.take();
                            building.word.text.push(c);
                        }
                        _ => building.word.text.push('\\'),
                    }
                }
                Some(c) => {
                    self.cursor.take();
                    building.word.text.push(c);
                }
            }
        }
    }

    /// `~` at the start of a word is the home directory; elsewhere it mostly is itself.
    fn tilde(&mut self, building: &mut Building) -> Result<(), Finding> {
        self.cursor.take();
        let is_first = building.pieces == 0 && building.word.text.is_empty();
        let next = self.cursor.peek();
        if is_first {
            if !next.is_none_or(|c| c == '/' || ends_word(c)) {
                return Err(red("K5", "`~` with a name means somebody's directory"));
            }
            let home = self.known.home.filter(|home| is_one_word(home));
            building.word.text.push_str(home.unwrap_or("~"));
            building.word.quotes = Quotes::Other;
            building.is_plain = false;
            return Ok(());
        }
        if building.word.text.ends_with([':', '=']) {
            return Err(red("K5", "`~` behind `=` or `:` may mean a directory"));
        }
        building.plain('~');
        Ok(())
    }

    fn glob(&mut self, building: &mut Building) {
        let c = self.cursor.take().unwrap_or_default();
        // A bracket that nothing closes is itself; the commands `[` and `[[` are such.
        let closes = |rest: &str| {
            rest.chars().skip(1).take_while(|c| !ends_word(*c)).any(|c| c == ']')
                || rest.starts_with("]]")
        };
        if c != '[' || closes(self.cursor.rest()) {
            let text = &building.word.text;
            let is_literal = building.word.unknown.is_none() && building.word.glob.is_none();
            let place = if text.is_empty() {
                Glob::Leading
            } else if is_literal && !text.starts_with(['/', '-', '~']) && text.contains('/') {
                Glob::Relative
            } else {
                Glob::Other
            };
            building.word.glob = building.word.glob.or(Some(place));
        }
        building.plain(c);
    }

    /// `{` and `!`: themselves in a few places, and else the start of something.
    fn special(&mut self, building: &mut Building) -> Result<(), Finding> {
        let c = self.cursor.take().unwrap_or_default();
        let ahead: &str = self.cursor.rest();
        let end = ahead.find([' ', '\t', '\n', ';', '|']).unwrap_or(ahead.len());
        let ahead = ahead.get(..end).unwrap_or_default();
        if c == '{' && (ahead.contains(',') || ahead.contains("..") || ahead.contains('$')) {
            return Err(red("K5", "braces make several words of one"));
        }
        if c == '!' && !ahead.is_empty() && !ahead.starts_with('=') {
            return Err(red("K5", "`!` may repeat an earlier command"));
        }
        building.plain(c);
        Ok(())
    }

    /// Reads what stands behind a dollar sign.
    fn dollar(&mut self, place: Place) -> Result<Dollar, Finding> {
        self.cursor.take();
        let Some(c) = self.cursor.peek() else { return Ok(Dollar::Itself) };
        match c {
            '(' if self.cursor.peek_second() == Some('(') => {
                Err(red("K5", "arithmetic is not followed"))
            }
            '(' => self.substitution(place),
            '{' => {
                self.cursor.take();
                let name = self.cursor.take_while(is_name);
                if name.is_empty() || !self.cursor.eat("}") {
                    return Err(red("K5", "`${...}` with more than a name is not followed"));
                }
                self.variable(name)
            }
            '?' => {
                self.cursor.take();
                self.note(yellow("K5", "`$?` is only known when it runs"));
                Ok(Dollar::Unknown(Unknown::Harmless))
            }
            c if is_name(c) && !c.is_ascii_digit() => {
                let name = self.cursor.take_while(is_name);
                self.variable(name)
            }
            '"' if place == Place::Quoted => Ok(Dollar::Itself),
            c if ends_word(c) && place == Place::Bare && !matches!(c, '<' | '>') => {
                Ok(Dollar::Itself)
            }
            ' ' | '\t' | '\n' if place == Place::Quoted => Ok(Dollar::Itself),
            c => Err(red("K5", format!("`${c}` is not followed"))),
        }
    }

    fn substitution(&mut self, place: Place) -> Result<Dollar, Finding> {
        self.cursor.take();
        if place == Place::Bare {
            return Err(red("K5", "what `$(...)` prints becomes several words without quotes"));
        }
        let before = self.variables.clone();
        self.nested(|reader| {
            let was = std::mem::replace(&mut reader.is_substituted, true);
            reader.list(&[])?;
            reader.is_substituted = was;
            reader.must(")")
        })?;
        self.variables.leave(before);
        self.note(yellow("K5", "it uses what another command prints"));
        Ok(Dollar::Unknown(Unknown::Output))
    }

    fn variable(&mut self, name: &str) -> Result<Dollar, Finding> {
        if let Some(word) = self.variables.get(name) {
            let word = word.clone();
            self.note(yellow("K5", format!("`${name}` is put in from the same line")));
            return Ok(Dollar::Value(word));
        }
        let is_own = self.variables.mentions(name);
        match (name, self.known.home) {
            ("HOME", Some(home)) if !is_own => {
                self.note(yellow("K5", "`$HOME` is put in"));
                Ok(Dollar::Value(Word { text: home.to_owned(), ..Word::default() }))
            }
            ("HOME" | "PWD", _) if !is_own => {
                self.note(yellow("K5", format!("`${name}` is only known when it runs")));
                Ok(Dollar::Unknown(Unknown::Harmless))
            }
            _ => Err(red("K5", format!("what `${name}` holds is not known"))),
        }
    }
}

/// What a dollar sign comes to.
enum Dollar {
    /// Nothing but itself.
    Itself,
    /// A known value.
    Value(Word),
    /// Something that only the run tells.
    Unknown(Unknown),
}

fn put(building: &mut Building, dollar: Dollar, place: Place) -> Result<(), Finding> {
    match dollar {
        Dollar::Itself => {
            if place == Place::Quoted {
                building.word.text.push('$');
            } else {
                building.plain('$');
            }
        }
        Dollar::Value(value) => {
            if place == Place::Bare && (value.glob.is_some() || !is_one_word(&value.text)) {
                return Err(red("K5", "a value without quotes may become several words"));
            }
            let glob = match value.glob {
                Some(_) if building.word.text.is_empty() => value.glob,
                Some(Glob::Leading | Glob::Relative) if building.word.text.ends_with('/') => {
                    Some(Glob::Relative)
                }
                Some(_) => Some(Glob::Other),
                None => None,
            };
            building.piece(&value.text, Quotes::Other);
            building.word.glob = building.word.glob.or(glob);
            building.word.unknown = building.word.unknown.or(value.unknown);
        }
        Dollar::Unknown(unknown) => {
            building.piece("", Quotes::Other);
            // The output of a command is the more of the two that a place must take.
            building.word.unknown = match building.word.unknown {
                Some(Unknown::Output) => Some(Unknown::Output),
                _ => Some(unknown),
            };
        }
    }
    Ok(())
}

/// Says whether a text stays one word without quotes.
fn is_one_word(text: &str) -> bool {
    !text.is_empty() && !text.contains([' ', '\t', '\n', '*', '?', '[', '\\'])
}

/// Says whether a character may stand in the name of a variable.
pub(super) const fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Returns what a variable holds after `name=word`; only a literal is known.
pub(super) fn assign(variables: &mut Variables, name: &str, word: &Word) {
    let is_literal = word.unknown.is_none() && word.glob.is_none();
    if is_literal {
        variables.set(name, word.clone());
    } else {
        variables.doubt(name);
    }
}
