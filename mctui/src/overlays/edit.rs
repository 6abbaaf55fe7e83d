//! Other arguments in the place of the agent's own. Nothing runs by that: the changed request has a
//! digest of its own, which is read and decided like any other.

use crossterm::event::KeyCode;
use mc_core::{
    approval::{Approval, ApprovalKind},
    canonical,
};
use mc_proto::{method::approval, strict};
use ratatui::layout::Rect;
use serde_json::Value;

use super::{
    Outcome,
    bound::{Bound, Guard},
};
use crate::{
    format::{short, short_digest},
    keymap::Key,
    request::{Act, Request},
    scene::Scene,
    screens::evidence,
    text::{self, Clean},
    theme::Token,
    widgets::{Canvas, Field, Line},
};

/// How wide it is at most.
const WIDTH: u16 = 100;
/// What is edited: the command alone, or everything.
const WHAT: &[&str] = &["command", "all of it as JSON"];

/// How far it is.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// The fields are filled.
    Writing,
    /// These arguments are shown beside the old ones; `y` is waited for.
    Asking(Value),
    /// Sent.
    Sent,
}

/// The dialog.
#[derive(Debug)]
pub struct Edit {
    bound: Bound,
    original: Value,
    /// The arguments that the command of the field belongs to.
    base: Value,
    fields: Vec<Field>,
    focus: usize,
    step: Step,
    guard: Guard,
    frozen: Option<String>,
    error: Option<Clean>,
    /// What the editor left that could not be read: it is what the editor opens next.
    draft: Option<String>,
}

impl Edit {
    /// Opens the dialog for `approval` as it is on the screen now.
    pub fn new(approval: &Approval, steady: u64) -> Self {
        let original = approval.statement.arguments.clone();
        let mut fields = Vec::new();
        if command(&original).is_some() {
            fields.push(Field::one_of("edit", WHAT));
        }
        let focus = fields.len();
        fields.extend([Field::needed("text"), Field::optional("reason")]);
        let guard = Guard::new(steady);
        let mut edit = Self {
            bound: Bound::to(approval),
            base: original.clone(),
            original,
            fields,
            focus,
            step: Step::Writing,
            guard,
            frozen: None,
            error: None,
            draft: None,
        };
        let original = edit.original.clone();
        edit.fill(&original);
        edit
    }

    /// Says why the arguments of `approval` can't be changed; `None` where they can.
    pub fn why_not(approval: &Approval) -> Option<&'static str> {
        if approval.kind != ApprovalKind::ToolCall {
            return Some("this is no call: it has no arguments to change");
        }
        let words = "its runtime can't run other arguments: deny it, with what to do instead";
        (!approval.can_rewrite).then_some(words)
    }

    /// Starts the time anew in which keys are ignored: something else had covered it.
    pub const fn reopen(&mut self, steady: u64) {
        self.guard.restart(steady);
    }

    /// Says whether every printable key goes into a field.
    pub fn is_typing(&self) -> bool {
        self.step == Step::Writing && self.frozen.is_none()
    }

    /// Freezes when the request is no longer what was shown.
    pub fn watch(&mut self, scene: &Scene) {
        if self.frozen.is_none() && self.step != Step::Sent {
            self.frozen = self.bound.why_not(scene);
        }
    }

    /// Says whether only the command is in the field.
    fn is_command(&self) -> bool {
        self.value("edit") == WHAT.first().copied()
    }

    fn value(&self, label: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.label == label)?;
        Some(field.value()).filter(|value| !value.is_empty())
    }

    /// Puts `arguments` into the field, as far as it shows them.
    fn fill(&mut self, arguments: &Value) {
        self.base = arguments.clone();
        let text = match command(arguments) {
            Some(command) if self.is_command() => command.to_owned(),
            _ => canonical::json(arguments),
        };
        if let Some(field) = self.fields.iter_mut().find(|field| field.label == "text") {
            field.set(&text);
        }
    }

    /// Reads the field.
    fn arguments(&self) -> Result<Value, String> {
        let typed = self.value("text").unwrap_or_default();
        if self.is_command() {
            let mut arguments = self.base.clone();
            if let Some(command) = arguments.get_mut("command") {
                *command = Value::String(typed.to_owned());
            }
            return Ok(arguments);
        }
        self.read(typed)
    }

    /// Reads JSON strictly: one value without duplicate names, an object where there was one.
    fn read(&self, typed: &str) -> Result<Value, String> {
        strict::check(typed.as_bytes()).map_err(|error| format!("this is no JSON: {error}"))?;
        let arguments: Value =
            serde_json::from_str(typed).map_err(|error| format!("this is no JSON: {error}"))?;
        if arguments.is_object() || !self.original.is_object() {
            return Ok(arguments);
        }
        Err("arguments are an object: {\"name\": value, …}".to_owned())
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key, scene: &Scene) -> Outcome {
        if key.code == KeyCode::Esc || key == Key::control('c') {
            return Outcome::Close;
        }
        if self.frozen.is_some() || self.step == Step::Sent {
            return Outcome::Refuse("this dialog no longer changes anything: Esc closes it");
        }
        if self.guard.ignores(scene.now.steady) {
            return Outcome::Refuse("too soon after it opened: the key was ignored");
        }
        if let Step::Asking(arguments) = self.step.clone() {
            return match key.code {
                KeyCode::Char('y') => self.send(arguments),
                KeyCode::Char('n' | 'q') => Outcome::Close,
                KeyCode::Char('e') => {
                    self.step = Step::Writing;
                    Outcome::Stay
                }
                _ => Outcome::Stay,
            };
        }
        if key == Key::control('o') {
            return self.open_editor();
        }
        let count = self.fields.len();
        match key.code {
            KeyCode::Enter => return self.enter(scene.now.steady),
            KeyCode::Tab | KeyCode::Down => self.focus = (self.focus + 1) % count,
            KeyCode::BackTab | KeyCode::Up => self.focus = (self.focus + count - 1) % count,
            _ => self.type_in(key),
        }
        Outcome::Stay
    }

    /// Opens everything as JSON in the operator's editor.
    fn open_editor(&mut self) -> Outcome {
        let text = match (self.draft.take(), self.arguments()) {
            (Some(draft), _) => draft,
            (None, Ok(arguments)) => pretty(&arguments),
            (None, Err(_)) => pretty(&self.base),
        };
        Outcome::Do(Request::Editor(text))
    }

    /// Takes in what the editor left: read strictly, then shown beside the old arguments. The
    /// request that it is bound to may have changed meanwhile; then the dialog is frozen and sends nothing.
    pub fn edited(&mut self, result: Result<String, String>, steady: u64) {
        if self.frozen.is_some() || self.step == Step::Sent {
            return;
        }
        let read = result.map(|text| (self.read(&text), text));
        match read {
            Ok((Ok(arguments), _)) if arguments == self.original => {
                self.error = Some(text::line("the editor changed nothing"));
            }
            Ok((Ok(arguments), _)) => {
                self.error = None;
                self.fill(&arguments);
                self.step = Step::Asking(arguments);
                self.guard.restart(steady);
            }
            Ok((Err(why), text)) => {
                self.error = Some(text::line(&format!("{why} (^O opens the same text again)")));
                self.draft = Some(text);
            }
            Err(why) => self.error = Some(text::line(&why)),
        }
    }

    fn type_in(&mut self, key: Key) {
        let is_choice = self.fields.get(self.focus).is_some_and(|field| field.label == "edit");
        // What stands in the field goes over into the other form; what can't be read stays.
        let written = match self.arguments() {
            Ok(written) => written,
            Err(why) if is_choice => return self.error = Some(text::line(&why)),
            Err(_) => Value::Null,
        };
        if let Some(field) = self.fields.get_mut(self.focus) {
            field.press(key);
        }
        if is_choice {
            self.error = None;
            self.fill(&written);
        }
    }

    fn enter(&mut self, steady: u64) -> Outcome {
        match self.arguments() {
            Ok(arguments) if arguments == self.original => {
                return Outcome::Refuse("nothing is changed yet");
            }
            Ok(arguments) => {
                self.error = None;
                self.step = Step::Asking(arguments);
                self.guard.restart(steady);
            }
            Err(why) => self.error = Some(text::line(&why)),
        }
        Outcome::Stay
    }

    fn send(&mut self, arguments: Value) -> Outcome {
        self.step = Step::Sent;
        self.error = None;
        let note = self.value("reason").map(str::to_owned);
        let Bound { id: approval, rev, digest } = self.bound.clone();
        Outcome::Send(Box::new(Act::Edit(approval::Edit {
            approval,
            rev,
            digest,
            arguments,
            note,
        })))
    }

    /// Takes in a paste.
    pub fn paste(&mut self, pasted: &str) -> Outcome {
        let taken = self.is_typing()
            && self.fields.get_mut(self.focus).is_some_and(|field| field.paste(pasted));
        if taken { Outcome::Stay } else { Outcome::Refuse("pastes are refused here") }
    }

    /// Notes that the daemon refused; nothing was changed.
    pub fn failed(&mut self, why: &str) {
        self.step = Step::Writing;
        self.error = Some(text::line(why));
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let width = usize::from(area.width.min(WIDTH)).saturating_sub(2);
        let title = Line::new().own(Token::Strong, format!(" Edit {} ", self.bound.id));
        let title = match &self.frozen {
            Some(why) => title.own(Token::Crit, "FROZEN: ").says(Token::Crit, &text::line(why)),
            None => title,
        };
        let is_small = area.height < 8;
        let lines = if is_small { self.few_lines(width) } else { self.lines(width) };
        let lines: Vec<Line> = lines.iter().flat_map(|line| line.wrap(width, 2)).collect();
        let inside = canvas.dialog(area, (WIDTH, short(lines.len()).saturating_add(2)), &title);
        // Where not everything fits, the end stays: it says what the keys do.
        let cut = lines.len().saturating_sub(usize::from(inside.height));
        canvas.lines(inside, lines.iter().skip(cut));
        canvas.cursor = Some((inside.x, inside.bottom().saturating_sub(1)));
    }

    /// What matters most where only a few rows are left.
    fn few_lines(&self, width: usize) -> Vec<Line> {
        let strong = |words: &'static str| Line::new().own(Token::Strong, words);
        match (&self.step, &self.frozen) {
            (_, Some(_)) => vec![strong("[Esc] close")],
            (Step::Sent, None) => vec![Line::new().own(Token::Pending, "~ sent")],
            (Step::Writing, None) => {
                let field = self.fields.get(self.focus).map(|field| field.line(width, true));
                field.into_iter().chain([strong("Enter  Tab  Esc")]).collect()
            }
            (Step::Asking(arguments), None) => {
                let after = evidence::changes(&self.original, arguments).pop();
                let after = after.map(|line| line.fit(width));
                after.into_iter().chain([strong("[y] change it")]).collect()
            }
        }
    }

    fn lines(&self, width: usize) -> Vec<Line> {
        let words = "What happens: the call is changed, on record in your name. Nothing runs by that: read the changed request, then approve it by its own digest.";
        let bound =
            format!("bound to {}, rev {}", short_digest(&self.bound.digest), self.bound.rev);
        let mut lines = vec![Line::new().own(Token::Fg, words), Line::new().own(Token::Dim, bound)];
        match &self.step {
            Step::Writing => {
                let fields = self.fields.iter().enumerate();
                lines.extend(fields.map(|(at, field)| field.line(width, at == self.focus)));
            }
            Step::Asking(arguments) => {
                lines.extend(evidence::changes(&self.original, arguments));
                let reason = Line::new().own(Token::Dim, "reason: ");
                lines.push(match self.value("reason") {
                    Some(why) => reason.says(Token::Fg, &text::line(why)),
                    None => reason.own(Token::Dim, "none is given"),
                });
            }
            Step::Sent => {}
        }
        if let Some(error) = &self.error {
            lines.push(Line::new().own(Token::Crit, "refused: ").says(Token::Crit, error));
        }
        lines.push(match (&self.step, &self.frozen) {
            (_, Some(_)) => Line::new().own(Token::Strong, "[Esc] close; nothing was changed here"),
            (Step::Sent, _) => {
                Line::new().own(Token::Pending, "~ sent: waiting for the daemon's receipt")
            }
            (Step::Writing, _) => Line::new()
                .own(Token::Strong, "Enter shows before and after   Tab next field   ^O all of it in your editor   Esc closes"),
            (Step::Asking(_), _) => Line::new()
                .own(Token::Dim, "[y] change it   [e] edit on   ")
                .own(Token::Strong, ">[n] no   [Esc] no"),
        });
        lines
    }
}

fn pretty(arguments: &Value) -> String {
    let text = serde_json::to_string_pretty(arguments);
    text.map_or_else(|_| canonical::json(arguments), |text| format!("{text}\n"))
}

fn command(arguments: &Value) -> Option<&str> {
    arguments.get("command").and_then(Value::as_str)
}
