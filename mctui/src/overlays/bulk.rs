//! The decision on a marked set: a table of every item, and one answer to all. It is bound to each
//! of them as it was on the screen; when one changes, the whole dialog freezes.

use crossterm::event::KeyCode;
use mc_core::approval::Approval;
use mc_proto::method::approval::{Decide, Verdict};
use ratatui::layout::Rect;

use super::{
    Outcome,
    bound::{Bound, Guard},
};
use crate::{
    format::{short, short_digest},
    keymap::Key,
    request::Act,
    scene::Scene,
    screens::evidence,
    text::{self, Clean},
    theme::{Token, badge},
    widgets::{Canvas, Field, Line},
};

/// How many are decided at once at most.
pub const LARGEST: usize = 50;
/// How wide it is at most.
const WIDTH: u16 = 100;

/// The dialog.
#[derive(Debug)]
pub struct Bulk {
    verdict: Verdict,
    items: Vec<Bound>,
    table: Vec<Line>,
    reason: Field,
    is_writing: bool,
    guard: Guard,
    scroll: usize,
    /// Whether the last line of the table was on the screen.
    is_seen: bool,
    frozen: Option<String>,
    is_sent: bool,
    error: Option<Clean>,
}

impl Bulk {
    /// Opens the dialog for `marked` as they are on the screen now.
    pub fn new(verdict: Verdict, marked: &[&Approval], steady: u64) -> Self {
        Self {
            verdict,
            items: marked.iter().map(|one| Bound::to(one)).collect(),
            table: marked.iter().flat_map(|one| rows(one)).collect(),
            reason: Field::optional("reason"),
            is_writing: false,
            guard: Guard::new(steady),
            scroll: 0,
            is_seen: false,
            frozen: None,
            is_sent: false,
            error: None,
        }
    }

    /// Starts the time anew in which keys are ignored: something else had covered it.
    pub const fn reopen(&mut self, steady: u64) {
        self.guard.restart(steady);
    }

    /// Says whether every printable key goes into the reason.
    pub fn is_typing(&self) -> bool {
        self.is_writing && self.frozen.is_none()
    }

    /// Freezes when one of them is no longer what was shown.
    pub fn watch(&mut self, scene: &Scene) {
        if self.frozen.is_some() || self.is_sent {
            return;
        }
        self.frozen =
            self.items.iter().find_map(|one| Some(format!("{}: {}", one.id, one.why_not(scene)?)));
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key, scene: &Scene) -> Outcome {
        if key.code == KeyCode::Esc || key == Key::control('c') {
            return Outcome::Close;
        }
        if self.frozen.is_some() || self.is_sent {
            return Outcome::Refuse("this dialog no longer decides: Esc closes it");
        }
        if self.guard.ignores(scene.now.steady) {
            return Outcome::Refuse("too soon after it opened: the key was ignored");
        }
        if self.is_writing {
            if key.code == KeyCode::Enter {
                self.is_writing = false;
                self.guard.restart(scene.now.steady);
            } else {
                self.reason.press(key);
            }
            return Outcome::Stay;
        }
        self.choose(key)
    }

    fn choose(&mut self, key: Key) -> Outcome {
        match key.code {
            KeyCode::Char('y') if self.verdict == Verdict::Approve && !self.is_seen => {
                return Outcome::Refuse("locked: read the table to its last line first (j)");
            }
            KeyCode::Char('y') => return self.send(),
            KeyCode::Char('n' | 'q') => return Outcome::Close,
            KeyCode::Char('r') if self.verdict == Verdict::Deny => self.is_writing = true,
            KeyCode::Char('j') | KeyCode::Down => self.scroll += 1,
            KeyCode::Char('k') | KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::Char('J') | KeyCode::PageDown => self.scroll += 10,
            KeyCode::Char('K') | KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            _ => {}
        }
        Outcome::Stay
    }

    fn send(&mut self) -> Outcome {
        self.is_sent = true;
        self.error = None;
        let note = Some(self.reason.value().to_owned()).filter(|note| !note.is_empty());
        let items = self.items.iter().map(Bound::marked).collect();
        Outcome::Send(Box::new(Act::Decide(Decide { decision: self.verdict, items, note })))
    }

    /// Takes in a paste: only into the reason.
    pub fn paste(&mut self, pasted: &str) -> Outcome {
        if self.is_typing() && self.reason.paste(pasted) {
            Outcome::Stay
        } else {
            Outcome::Refuse("pastes are refused here")
        }
    }

    /// Notes that the daemon refused; nothing was decided by us.
    pub fn failed(&mut self, why: &str) {
        self.is_sent = false;
        self.error = Some(text::line(why));
    }

    /// Notes what of the table was on the screen.
    pub fn drawn(&mut self, area: Rect) -> bool {
        let (table, foot) = self.parts(area);
        let room = room(area, foot.len());
        let before = (self.scroll, self.is_seen);
        self.scroll = self.scroll.min(table.len().saturating_sub(room));
        // A table that has no room was not read.
        self.is_seen |= room >= 1 && self.scroll + room >= table.len();
        before != (self.scroll, self.is_seen)
    }

    /// Returns the table and what stands below it, wrapped for `area`.
    fn parts(&self, area: Rect) -> (Vec<Line>, Vec<Line>) {
        let width = usize::from(area.width.min(WIDTH)).saturating_sub(2);
        let table = self.table.iter().flat_map(|line| line.wrap(width, 4)).collect();
        let mut foot = Vec::new();
        if area.height >= 10 {
            let words = match self.verdict {
                Verdict::Approve => {
                    "What happens: each of these runs once, exactly as it stands above. Each gets a receipt of its own, in your name."
                }
                Verdict::Deny => {
                    "What happens: none of these runs; each agent gets your reason. Each gets a receipt of its own, in your name."
                }
            };
            foot.extend(Line::new().own(Token::Fg, words).wrap(width, 0));
        }
        if self.is_writing || !self.reason.value().is_empty() {
            foot.push(self.reason.line(width, self.is_typing()));
        }
        if let Some(error) = &self.error {
            let line = Line::new().own(Token::Crit, "refused: ").says(Token::Crit, error);
            foot.extend(line.wrap(width, 2));
        }
        foot.push(self.keys());
        (table, foot)
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let (table, foot) = self.parts(area);
        let height = short(table.len() + foot.len()).saturating_add(2);
        let inside = canvas.dialog(area, (WIDTH, height), &self.title());
        let room = usize::from(inside.height).saturating_sub(foot.len());
        let scroll = self.scroll.min(table.len().saturating_sub(room));
        canvas.lines(Rect { height: short(room), ..inside }, table.iter().skip(scroll));
        let below =
            Rect { y: inside.y + short(room), height: inside.height - short(room), ..inside };
        // Where not everything fits, the end stays: it says what the keys do.
        let cut = foot.len().saturating_sub(usize::from(below.height));
        canvas.lines(below, foot.iter().skip(cut));
        canvas.cursor = Some((inside.x, inside.bottom().saturating_sub(1)));
    }

    fn title(&self) -> Line {
        let verb = match self.verdict {
            Verdict::Approve => "Approve",
            Verdict::Deny => "Deny",
        };
        let title = Line::new().own(Token::Strong, format!(" {verb} {} marked ", self.items.len()));
        match &self.frozen {
            Some(reason) => title
                .own(Token::Crit, "FROZEN: ")
                .says(Token::Crit, &text::line(reason))
                .own(Token::Fg, " "),
            None => title,
        }
    }

    fn keys(&self) -> Line {
        let line = Line::new();
        let count = self.items.len();
        if self.is_sent {
            return line.own(Token::Pending, "~ sent: waiting for the daemon's receipts");
        }
        if self.frozen.is_some() {
            return line.own(Token::Strong, "[Esc] close; nothing was decided here");
        }
        match (self.verdict, self.is_writing) {
            (_, true) => line.own(Token::Strong, "Enter, then [y]   [Esc] no"),
            (Verdict::Approve, false) if !self.is_seen => {
                line.own(Token::Strong, "j scrolls: approve locked   >[n] no   [Esc] no")
            }
            (Verdict::Approve, false) => line
                .own(Token::Dim, format!("[y] approve all {count}   j scrolls   "))
                .own(Token::Strong, ">[n] no   [Esc] no"),
            (Verdict::Deny, false) => line
                .own(Token::Dim, format!("[y] deny all {count}   [r] a reason first   "))
                .own(Token::Strong, ">[n] not now"),
        }
    }
}

/// Returns how many rows of the table fit above `foot` rows; the same sum as in the box.
fn room(area: Rect, foot: usize) -> usize {
    let is_framed = area.width.min(WIDTH) >= 30 && area.height >= 6;
    let edges = if is_framed { 2 } else { 1 };
    usize::from(area.height).saturating_sub(edges + foot)
}

/// The rows of one item: number, risk, asker; act and target whole.
fn rows(approval: &Approval) -> Vec<Line> {
    let task = approval.task.map(|task| format!(" on {task}")).unwrap_or_default();
    let head = Line::new()
        .own(Token::Strong, format!("{:<6}", approval.id.to_string()))
        .own(Token::risk(approval.risk), format!("{:<4} ", badge(approval.risk)))
        .says(Token::Strong, &text::line(&approval.agent))
        .own(Token::Dim, format!("{task} · bound to {} · rule ", short_digest(&approval.digest)))
        .says(Token::Dim, &text::exact(&approval.rule));
    let acts = evidence::act(&approval.statement);
    std::iter::once(head)
        .chain(acts.into_iter().map(|line| Line::new().own(Token::Fg, "    ").then(line)))
        .collect()
}
