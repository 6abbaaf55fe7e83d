//! The decision on an approval. It is bound to the request as it was on the screen: number, revision
//! and digest. When the request changes, ends or the link drops, it freezes and never swaps.

use crossterm::event::KeyCode;
use mc_core::{
    approval::{Approval, ApprovalKind, confirmation_code},
    policy::Risk,
};
use mc_proto::method::approval::{Approve, Deny};
use ratatui::layout::Rect;

use super::{
    Outcome,
    bound::{Bound, Guard},
    remember::Subject,
};
use crate::{
    format::{left, short, short_digest},
    keymap::Key,
    link::Health,
    request::Act,
    scene::Scene,
    screens::evidence,
    text::{self, Clean},
    theme::{Token, badge},
    widgets::{Canvas, Field, Line, Manner},
};

/// Returns what is raised, and why that is asked.
fn raised(approval: &Approval) -> Vec<Line> {
    let Some(caps) = evidence::raised(approval) else { return Vec::new() };
    let why = text::line(&approval.reason);
    vec![
        Line::new().own(Token::Dim, "the cap: ").then(caps),
        Line::new().own(Token::Dim, "because: ").says(Token::Fg, &why),
    ]
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, this one time.
    Approve,
    /// Yes, and a standing rule that says it again.
    Remember,
    /// No.
    Deny,
}

/// The dialog.
#[derive(Debug)]
pub struct Decide {
    verdict: Verdict,
    bound: Bound,
    risk: Risk,
    summary: Clean,
    agent: Clean,
    kind: ApprovalKind,
    /// The cap before and after, and why that is asked, where a cap is raised.
    raised: Vec<Line>,
    fields: Vec<Field>,
    focus: usize,
    is_writing: bool,
    guard: Guard,
    /// What a standing rule would be about, or why none can be made.
    subject: Result<Subject, &'static str>,
    frozen: Option<String>,
    is_sent: bool,
    error: Option<Clean>,
    left: String,
    is_late: bool,
}

impl Decide {
    /// Opens the dialog for `approval` as it is on the screen now.
    pub fn new(verdict: Verdict, approval: &Approval, steady: u64) -> Self {
        let fields = match (verdict, approval.risk) {
            (Verdict::Deny, _) => vec![Field::optional("reason")],
            (Verdict::Approve, Risk::Red) => {
                vec![Field::needed("reason"), Field::needed("code").with(Manner::Typed)]
            }
            (Verdict::Approve | Verdict::Remember, _) => Vec::new(),
        };
        Self {
            verdict,
            bound: Bound::to(approval),
            risk: approval.risk,
            summary: text::line(&approval.summary),
            agent: text::line(&approval.agent),
            kind: approval.kind,
            raised: raised(approval),
            is_writing: verdict == Verdict::Approve && !fields.is_empty(),
            fields,
            focus: 0,
            guard: Guard::new(steady),
            subject: Subject::of(approval).ok_or(match approval.kind {
                ApprovalKind::ToolCall => "only calls that are not RED can be remembered",
                ApprovalKind::BudgetOverride
                | ApprovalKind::Transition
                | ApprovalKind::Spawn
                | ApprovalKind::Escalation => "this is no call: no standing rule can answer it",
            }),
            frozen: None,
            is_sent: false,
            error: None,
            left: String::new(),
            is_late: false,
        }
    }

    /// Notes whether the evidence was read to its last line.
    #[must_use]
    pub fn seen(mut self, is_seen: bool) -> Self {
        if !is_seen && self.subject.is_ok() {
            self.subject = Err("locked: read the evidence to its last line first (Esc, J)");
        }
        self
    }

    /// Starts the time anew in which keys are ignored: something else had covered it.
    pub const fn reopen(&mut self, steady: u64) {
        self.guard.restart(steady);
    }

    /// Says whether every printable key goes into a field.
    pub fn is_typing(&self) -> bool {
        self.is_writing && self.frozen.is_none()
    }

    /// Says whether it can still decide.
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Takes in how the request stands now, and freezes when it is no longer what was shown.
    pub fn watch(&mut self, scene: &Scene) {
        self.is_late = scene.link.health(scene.now) == Health::Late;
        if let Some(now) = scene.world.approvals.get(&self.bound.id) {
            self.left = left(scene.time(), now.expires_at);
        }
        if self.frozen.is_none() && !self.is_sent {
            self.frozen = self.bound.why_not(scene);
        }
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key, scene: &Scene) -> Outcome {
        let now = scene.now.steady;
        if key.code == KeyCode::Esc || key == Key::control('c') {
            return Outcome::Close;
        }
        if self.frozen.is_some() || self.is_sent {
            return Outcome::Refuse("this dialog no longer decides: Esc closes it");
        }
        if self.guard.ignores(now) {
            return Outcome::Refuse("too soon after it opened: the key was ignored");
        }
        let is_fast = self.guard.is_fast(now);
        if !self.is_writing {
            return match key.code {
                KeyCode::Char('y') => self.send(),
                KeyCode::Char('n' | 'q') => Outcome::Close,
                KeyCode::Char('r') => self.write(now),
                _ => Outcome::Stay,
            };
        }
        match key.code {
            KeyCode::Enter if is_fast => {
                Outcome::Refuse("Enter came too fast after typing: press it again")
            }
            KeyCode::Enter => self.enter(scene),
            KeyCode::Tab | KeyCode::Down => self.step(1),
            KeyCode::BackTab | KeyCode::Up => self.step(self.fields.len().saturating_sub(1)),
            _ => {
                if let Some(field) = self.fields.get_mut(self.focus) {
                    field.press(key);
                }
                Outcome::Stay
            }
        }
    }

    fn step(&mut self, by: usize) -> Outcome {
        self.focus = (self.focus + by) % self.fields.len().max(1);
        Outcome::Stay
    }

    /// Goes on to the reason of a denial, or to the rule that an approval is remembered as.
    fn write(&mut self, steady: u64) -> Outcome {
        if self.verdict == Verdict::Approve {
            let subject = match &self.subject {
                Ok(subject) => subject,
                Err(why) => return Outcome::Refuse(why),
            };
            self.fields = subject.fields();
            self.verdict = Verdict::Remember;
            self.guard.restart(steady);
        }
        self.is_writing = true;
        Outcome::Stay
    }

    fn enter(&mut self, scene: &Scene) -> Outcome {
        if self.verdict == Verdict::Deny {
            self.is_writing = false;
            return Outcome::Stay;
        }
        let empty = self.fields.iter().position(|field| !field.is_complete());
        match empty {
            Some(at) if at != self.focus => {
                self.focus = at;
                Outcome::Stay
            }
            Some(_) => Outcome::Refuse("this field is needed"),
            None => {
                let typed = self.fields.last().map(Field::value).unwrap_or_default();
                let code = confirmation_code(&self.bound.digest, &scene.link.connection);
                if typed.eq_ignore_ascii_case(&code) {
                    self.send()
                } else {
                    Outcome::Refuse("that is not the code at the end of the evidence")
                }
            }
        }
    }

    fn send(&mut self) -> Outcome {
        self.error = None;
        let remember = match (&self.subject, self.verdict) {
            (Ok(subject), Verdict::Remember) => match subject.read(&self.fields) {
                Ok(remember) => Some(remember),
                Err(why) => {
                    self.error = Some(text::line(&why));
                    return Outcome::Stay;
                }
            },
            _ => None,
        };
        self.is_sent = true;
        let reason = self.fields.iter().find(|field| field.label == "reason");
        let note = reason.map(|field| field.value().to_owned()).filter(|note| !note.is_empty());
        let Bound { id: approval, rev, digest } = self.bound.clone();
        Outcome::Send(Box::new(match self.verdict {
            Verdict::Approve | Verdict::Remember => {
                Act::Approve(Approve { approval, rev, digest, note, remember })
            }
            Verdict::Deny => Act::Deny(Deny { approval, rev, digest, note }),
        }))
    }

    /// Takes in a paste: never into what confirms.
    pub fn paste(&mut self, pasted: &str) -> Outcome {
        let taken = self.is_typing()
            && self.fields.get_mut(self.focus).is_some_and(|field| field.paste(pasted));
        if taken { Outcome::Stay } else { Outcome::Refuse("pastes are refused here") }
    }

    /// Notes that the daemon refused; nothing was decided by us.
    pub fn failed(&mut self, why: &str) {
        self.is_sent = false;
        self.error = Some(text::line(why));
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let verb = match self.verdict {
            Verdict::Approve => "Approve",
            Verdict::Remember => "Approve and remember",
            Verdict::Deny => "Deny",
        };
        let mut title = Line::new().own(Token::Strong, format!(" {verb} {} ", self.bound.id));
        if let Some(reason) = &self.frozen {
            title = title
                .own(Token::Crit, "FROZEN: ")
                .says(Token::Crit, &text::line(reason))
                .own(Token::Fg, " ");
        }
        let is_small = area.height < 8;
        let mut lines = if is_small { self.few_lines() } else { self.lines() };
        if self.is_late && !is_small {
            lines.push(Line::new().own(Token::Warn, "the link is LATE: what is shown may be old"));
        }
        if let Some(error) = &self.error {
            lines.push(Line::new().own(Token::Crit, "refused: ").says(Token::Crit, error));
        }
        let inside_width = usize::from(area.width.min(76)).saturating_sub(2);
        let wrapped: Vec<Line> = lines.iter().flat_map(|line| line.wrap(inside_width, 2)).collect();
        let inside = canvas.dialog(area, (76, short(wrapped.len()) + 2), &title);
        // Where not everything fits, the end stays: it says what the keys do.
        let cut = wrapped.len().saturating_sub(usize::from(inside.height));
        canvas.lines(inside, wrapped.iter().skip(cut));
        canvas.cursor = Some((inside.x, inside.bottom().saturating_sub(1)));
    }

    /// What matters most where only a few rows are left.
    fn few_lines(&self) -> Vec<Line> {
        if self.is_sent || self.frozen.is_some() {
            return vec![self.keys()];
        }
        if self.is_writing {
            let field = self.fields.get(self.focus).map(|field| field.line(20, true));
            return field
                .into_iter()
                .chain([Line::new().own(Token::Strong, "Enter  Esc no")])
                .collect();
        }
        let summary = Line::new()
            .own(Token::risk(self.risk), format!("{} ", badge(self.risk)))
            .says(Token::Strong, &self.summary)
            .fit(38);
        vec![summary, Line::new().own(Token::Strong, "[y] yes  [Esc] no")]
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines = vec![
            Line::new()
                .own(Token::risk(self.risk), format!("{} ", badge(self.risk)))
                .says(Token::Strong, &self.agent)
                .own(Token::Fg, " asks: ")
                .says(Token::Fg, &self.summary),
            Line::new().own(
                Token::Dim,
                format!(
                    "bound to {}, rev {} · time left {}",
                    short_digest(&self.bound.digest),
                    self.bound.rev,
                    self.left
                ),
            ),
        ];
        lines.extend(self.raised.iter().cloned());
        lines.push(Line::new().own(Token::Fg, match self.verdict {
            Verdict::Approve if self.kind == ApprovalKind::BudgetOverride => {
                "What happens: the cap is raised, and work goes on up to it. The cap can be lowered again; what is spent can't be taken back. It goes on record in your name."
            }
            Verdict::Approve if self.kind != ApprovalKind::ToolCall => {
                "What happens: exactly this is done once. It goes on record in your name."
            }
            Verdict::Approve => {
                "What happens: exactly this runs once; what it does can't be taken back. It goes on record in your name."
            }
            Verdict::Remember => {
                "What happens: exactly this runs once, and a standing rule answers for you from then on. It goes on record in your name."
            }
            Verdict::Deny if self.kind == ApprovalKind::BudgetOverride => {
                "What happens: the cap stays; the agent gets your reason. It goes on record in your name."
            }
            Verdict::Deny => "What happens: it does not run; the agent gets your reason. It goes on record in your name.",
        }));
        if let (Ok(subject), Verdict::Remember) = (&self.subject, self.verdict) {
            lines.push(subject.sentence(&self.fields));
            lines.extend(subject.numbered());
        }
        for (at, field) in self.fields.iter().enumerate() {
            lines.push(field.line(70, self.is_writing && at == self.focus));
        }
        lines.push(self.keys());
        lines
    }

    fn keys(&self) -> Line {
        let line = Line::new();
        if self.is_sent {
            return line.own(Token::Pending, "~ sent: waiting for the daemon's receipt");
        }
        if self.frozen.is_some() {
            return line.own(Token::Strong, "[Esc] close; nothing was decided here");
        }
        match (self.verdict, self.is_writing) {
            (Verdict::Approve, true) => line.own(
                Token::Strong,
                "reason, then the code printed at the end of the evidence, Enter   [Esc] no",
            ),
            (Verdict::Remember, _) => line.own(
                Token::Strong,
                "arrows choose, Tab next; last the code of the evidence, Enter  [Esc] no",
            ),
            (Verdict::Approve, false) => {
                let remember = if self.subject.is_ok() { "[r] and remember…   " } else { "" };
                line.own(Token::Dim, "[y] approve once   ")
                    .own(Token::Dim, remember)
                    .own(Token::Strong, ">[n] no   [Esc] no")
            }
            (Verdict::Deny, true) => line.own(Token::Strong, "Enter, then [y]   [Esc] back"),
            (Verdict::Deny, false) => line
                .own(Token::Dim, "[y] deny   [r] write a reason first   ")
                .own(Token::Strong, ">[n] not now"),
        }
    }
}
