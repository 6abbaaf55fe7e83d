//! The second factor: a code, or a signature over a text that is shown. It is given for exactly one
//! act, which has to be confirmed again behind it; it never carries a decision.

use crossterm::event::KeyCode;
use mc_core::time::Timestamp;
use mc_proto::method::session::{Challenged, Factor as Kind, NAMESPACE, SecondFactor};
use ratatui::layout::Rect;

use super::Outcome;
use crate::{
    format::{clock, left, short},
    keymap::Key,
    request::{Act, Request},
    scene::Scene,
    text::{self, Clean},
    theme::Token,
    widgets::{Canvas, Field, Line},
};

/// How wide it is at most.
const WIDTH: u16 = 100;
/// How a signature begins and ends.
const ARMOUR: [&str; 2] = ["-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"];

/// The dialog.
#[derive(Debug)]
pub struct Factor {
    what: String,
    act: Act,
    open: Challenged,
    wants: Kind,
    field: Field,
    scroll: usize,
    now: Timestamp,
    /// The command that signs the file which was written.
    command: Option<Clean>,
    error: Option<Clean>,
}

impl Factor {
    /// Opens the dialog for `act`, called `what` in our own words.
    pub fn new(what: String, act: Act, open: Challenged) -> Self {
        let wants = if open.factors.contains(&Kind::Totp) { Kind::Totp } else { Kind::Signature };
        Self {
            what,
            act,
            open,
            wants,
            field: field(wants),
            scroll: 0,
            now: Timestamp(0),
            command: None,
            error: None,
        }
    }

    /// Takes in the time.
    pub fn watch(&mut self, scene: &Scene) {
        self.now = scene.time();
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Outcome {
        match key.code {
            KeyCode::Esc => return Outcome::Close,
            _ if key == Key::control('c') => return Outcome::Close,
            KeyCode::Tab | KeyCode::BackTab => self.change(),
            KeyCode::Enter => return self.enter(),
            KeyCode::Down => self.scroll += 1,
            KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
            _ if self.wants == Kind::Signature && key == Key::control('y') => {
                return Outcome::Do(Request::Copy(self.open.text.clone()));
            }
            _ if self.wants == Kind::Signature && key == Key::control('x') => {
                return Outcome::Do(Request::Copy(self.shell()));
            }
            _ if self.wants == Kind::Signature && key == Key::control('f') => {
                return Outcome::Do(Request::Save(self.open.text.clone()));
            }
            _ => {
                self.field.press(key);
            }
        }
        Outcome::Stay
    }

    /// Goes to the other factor, where there is one.
    fn change(&mut self) {
        let other = match self.wants {
            Kind::Totp => Kind::Signature,
            Kind::Signature => Kind::Totp,
        };
        if self.open.factors.contains(&other) {
            self.wants = other;
            self.field = field(other);
            self.error = None;
        }
    }

    fn enter(&mut self) -> Outcome {
        let typed = self.field.value().to_owned();
        let challenge = self.open.challenge.clone();
        if self.now >= self.open.expires_at {
            return Outcome::Refuse("this challenge has expired: Esc, then confirm again");
        }
        match self.wants {
            _ if typed.is_empty() => Outcome::Refuse("type it first"),
            Kind::Totp => {
                if typed.len() == 6 && typed.bytes().all(|byte| byte.is_ascii_digit()) {
                    self.keep(SecondFactor::code(challenge, typed))
                } else {
                    Outcome::Refuse("a code has six digits")
                }
            }
            Kind::Signature => match armoured(&typed) {
                Some(signature) => self.keep(SecondFactor::signature(challenge, signature)),
                // A paste without brackets sends its line ends as Enter.
                None if typed.starts_with("-----") => {
                    self.field.press(Key::char(' '));
                    Outcome::Stay
                }
                None => Outcome::Do(Request::ReadSignature(typed)),
            },
        }
    }

    fn keep(&mut self, factor: SecondFactor) -> Outcome {
        self.field.take();
        Outcome::Keep(Box::new(self.act.clone()), factor)
    }

    /// Takes in what stood in the file that was named.
    pub fn read(&mut self, result: &Result<String, String>) -> Outcome {
        let challenge = self.open.challenge.clone();
        match result.as_ref().map(|text| armoured(text)) {
            Ok(Some(signature)) => return self.keep(SecondFactor::signature(challenge, signature)),
            Ok(None) => {
                let words = format!("no SSH signature stands in it: it begins with {}", ARMOUR[0]);
                self.error = Some(text::line(&words));
            }
            Err(why) => self.error = Some(text::line(why)),
        }
        Outcome::Stay
    }

    /// Takes in a paste: the code, the signature or the name of a file.
    pub fn paste(&mut self, pasted: &str) -> Outcome {
        self.field.paste(pasted.trim_end_matches(['\r', '\n']));
        Outcome::Stay
    }

    /// Notes where the text was written: the signature will lie beside it.
    pub fn saved(&mut self, path: &str) {
        self.command =
            Some(text::exact(&format!("ssh-keygen -Y sign -n {NAMESPACE} -f KEY {path}")));
        self.field.set(&format!("{path}.sig"));
    }

    /// Returns a command line that signs the text wherever the key is.
    fn shell(&self) -> String {
        let quoted = self.open.text.replace('\'', r"'\''");
        format!("printf %s '{quoted}' | ssh-keygen -Y sign -n {NAMESPACE} -f ~/.ssh/id_ed25519")
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let width = usize::from(area.width.min(WIDTH)).saturating_sub(2);
        let head = if area.height < 10 { Vec::new() } else { self.head().wrap(width, 0) };
        let text = match self.wants {
            Kind::Totp => Vec::new(),
            Kind::Signature => self.text(width),
        };
        let foot = self.foot(width);
        let all = head.len() + text.len() + foot.len();
        let title = Line::new().own(Token::Strong, " Second factor ");
        let inside = canvas.dialog(area, (WIDTH, short(all).saturating_add(2).max(6)), &title);
        let room = usize::from(inside.height).saturating_sub(head.len() + foot.len());
        let scroll = self.scroll.min(text.len().saturating_sub(room));
        let lines: Vec<&Line> =
            head.iter().chain(text.iter().skip(scroll).take(room)).chain(&foot).collect();
        // Where not everything fits, the end stays: it says what the keys do.
        let cut = lines.len().saturating_sub(usize::from(inside.height));
        canvas.lines(inside, lines.into_iter().skip(cut));
        canvas.cursor = Some((inside.x, inside.bottom().saturating_sub(1)));
    }

    fn head(&self) -> Line {
        let until = self.open.expires_at;
        let time = format!("Good until {} UTC ({}). ", clock(until), left(self.now, until));
        Line::new()
            .own(Token::Fg, "For: ")
            .own(Token::Strong, self.what.clone())
            .own(
                Token::Fg,
                " (L3). It holds for this one act and decides nothing: the same dialog comes back. ",
            )
            .own(Token::Dim, time)
    }

    /// The text to sign, line by line as it is.
    fn text(&self, width: usize) -> Vec<Line> {
        let lines = self.open.text.split('\n');
        let lines = lines
            .map(|line| Line::new().own(Token::Border, "| ").says(Token::Fg, &text::exact(line)));
        lines.flat_map(|line| line.wrap(width, 4)).collect()
    }

    fn foot(&self, width: usize) -> Vec<Line> {
        let mut foot = Vec::new();
        if let Some(command) = &self.command {
            let line = Line::new().own(Token::Dim, "run: ").says(Token::Strong, command);
            foot.extend(line.wrap(width, 4));
        }
        foot.push(self.field.line(width, true));
        if let Some(error) = &self.error {
            foot.extend(Line::new().says(Token::Crit, error).wrap(width, 2));
        }
        let has_other = self.open.factors.len() > 1;
        let keys = match self.wants {
            Kind::Totp if has_other => {
                "Enter keeps it for this act   Tab sign instead   Esc closes"
            }
            Kind::Totp => "Enter keeps it for this act   Esc closes",
            Kind::Signature if width < 60 => "^Y copy  ^F file  Enter  Esc",
            Kind::Signature => {
                "^Y copy text  ^X copy a command that signs it  ^F write to a file  arrows scroll"
            }
        };
        foot.extend(Line::new().own(Token::Strong, keys).wrap(width, 0));
        if self.wants == Kind::Signature && width >= 60 {
            let other = if has_other { "   Tab a code instead" } else { "" };
            let keys = format!("paste the signature or name its file, Enter   Esc closes{other}");
            foot.extend(Line::new().own(Token::Dim, keys).wrap(width, 0));
        }
        foot
    }
}

fn field(wants: Kind) -> Field {
    match wants {
        Kind::Totp => Field::needed("code"),
        Kind::Signature => Field::needed("signed"),
    }
}

/// Returns the armoured signature in `text`, with its line ends as they were; a field holds blanks
/// in their place.
fn armoured(text: &str) -> Option<String> {
    let [begin, end] = ARMOUR;
    let (_, rest) = text.split_once(begin)?;
    let (inner, _) = rest.split_once(end)?;
    let lines: Vec<&str> = inner.split_whitespace().collect();
    Some(format!("{begin}\n{}\n{end}\n", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_comes_out_of_a_field_as_it_went_in() {
        let whole = format!("{}\nU1NI\nR0ln\n{}\n", ARMOUR[0], ARMOUR[1]);
        assert_eq!(armoured(&whole).as_deref(), Some(whole.as_str()));
        assert_eq!(armoured(&whole.replace('\n', " ")).as_deref(), Some(whole.as_str()));
        assert_eq!(armoured(&whole.replace('\n', "\r")).as_deref(), Some(whole.as_str()));
        assert_eq!(armoured("/tmp/text.sig"), None);
        assert_eq!(armoured(ARMOUR[0]), None);
    }
}
