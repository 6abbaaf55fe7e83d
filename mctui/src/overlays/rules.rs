//! The standing rules: what answers in a person's place, and how it is ended.

use crossterm::event::KeyCode;
use mc_core::{
    approval::{Covers, RuleScope, StandingRule},
    id::RuleId,
    time::Timestamp,
};
use ratatui::layout::Rect;

use super::{Outcome, Overlay, forms};
use crate::{
    format::{left, moment, short},
    keymap::Key,
    request::Call,
    scene::Scene,
    story,
    text::{self, Clean},
    theme::Token,
    widgets::{Canvas, Line, Listing, rows},
};

/// How wide it is at most.
const WIDTH: u16 = 110;

/// The list.
#[derive(Debug, Default)]
pub struct Rules {
    known: Option<Vec<StandingRule>>,
    list: Listing<RuleId>,
    /// Whether those that ended are shown too.
    all: bool,
    is_asked: bool,
    now: Timestamp,
    obstacle: Option<String>,
}

impl Rules {
    /// Returns what has to be asked so that the list is current.
    pub fn wants(&mut self) -> Option<Call> {
        (!std::mem::replace(&mut self.is_asked, true)).then_some(Call::Rules(self.all))
    }

    /// The list is asked again: a rule was made, used or revoked, or the link was lost.
    pub const fn touch(&mut self) {
        self.is_asked = false;
    }

    /// Takes in the rules.
    pub fn take(&mut self, rules: Vec<StandingRule>) {
        let ids: Vec<RuleId> = rules.iter().map(|rule| rule.id).collect();
        self.list.settle(ids);
        self.known = Some(rules);
    }

    /// Takes in the time and whether anything can be sent.
    pub fn watch(&mut self, scene: &Scene) {
        self.now = scene.time();
        self.obstacle = scene.obstacle();
    }

    fn selected(&self) -> Option<&StandingRule> {
        let id = self.list.selected()?;
        self.known.iter().flatten().find(|rule| rule.id == *id)
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Outcome {
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Outcome::Close,
            _ if key == Key::control('c') => return Outcome::Close,
            KeyCode::Tab => {
                self.all = !self.all;
                self.touch();
            }
            KeyCode::Char('d') => return self.revoke(),
            _ => self.list.turn(key.code),
        }
        Outcome::Stay
    }

    fn revoke(&self) -> Outcome {
        let Some(rule) = self.selected() else { return Outcome::Refuse("there is no rule here") };
        if self.obstacle.is_some() {
            return Outcome::Refuse("nothing can be sent now: see row 1, or your role");
        }
        if ending(rule, self.now).is_some() {
            return Outcome::Refuse("this rule has ended already");
        }
        Outcome::Over(Box::new(Overlay::Form(forms::revoke(rule.id, &covers(rule)))))
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let width = usize::from(area.width.min(WIDTH)).saturating_sub(2);
        let facts = if area.height < 12 { Vec::new() } else { self.facts(width) };
        let count = self.list.ids().len().max(1);
        let height = short(count + facts.len()).saturating_add(3).max(6);
        let which = if self.all { "all there were" } else { "in force" };
        let title = Line::new()
            .own(Token::Strong, " Standing rules ")
            .own(Token::Dim, format!("{which}; they answer in your place "));
        let inside = canvas.dialog(area, (WIDTH, height), &title);
        let foot = short(facts.len()) + 1;
        let list = Rect { height: inside.height.saturating_sub(foot), ..inside };
        self.view_list(canvas, list);
        let below = Rect { y: list.bottom(), height: inside.height - list.height, ..inside };
        let keys = Line::new().own(
            Token::Strong,
            if area.width < 50 {
                "d revoke…  Tab all  Esc"
            } else {
                "d revoke…   Tab those that ended too   j/k move   Esc closes"
            },
        );
        canvas.lines(below, facts.iter().chain([&keys]));
    }

    fn view_list(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let words = match &self.known {
            None => Some(" loading…"),
            Some(rules) if rules.is_empty() => {
                Some(" none: `r` in the dialog that approves makes one")
            }
            Some(_) => None,
        };
        if let Some(words) = words {
            return canvas.line(area, &Line::new().own(Token::Dim, words));
        }
        let (ids, ..) = self.list.window(usize::from(area.height.max(1)));
        for (place, id) in rows(area).zip(ids) {
            let is_selected = self.list.selected() == Some(id);
            if let Some(rule) = self.known.iter().flatten().find(|rule| rule.id == *id) {
                canvas.line(place, &row(rule, self.now, is_selected));
            }
            if is_selected {
                canvas.select(place);
            }
        }
    }

    /// Everything about the rule under the cursor.
    fn facts(&self, width: usize) -> Vec<Line> {
        let Some(rule) = self.selected() else { return Vec::new() };
        let fact = |label: &str| Line::new().own(Token::Dim, format!(" {label:<7} "));
        let mut facts = vec![
            fact("tool").says(Token::Fg, &text::exact(&rule.tool)),
            fact("passes").says(Token::Strong, &covers(rule)),
        ];
        let exact = match &rule.covers {
            Covers::Command { .. } => "a single simple command that begins with these words",
            Covers::Arguments { .. } => "exactly these arguments, and no others",
        };
        let place = fact("only").own(Token::Fg, exact);
        facts.push(match &rule.cwd {
            Some(cwd) => place.own(Token::Fg, ", in ").says(Token::Fg, &text::exact(cwd)),
            None => place.own(Token::Fg, ", in any directory"),
        });
        facts.push(fact("whom").then(whom(rule)));
        let made = fact("made").own(Token::Fg, "by ").says(Token::Fg, &text::line(&rule.by));
        facts.push(
            made.own(
                Token::Fg,
                format!(" of {}, {} UTC", rule.approval, moment(self.now, rule.at)),
            ),
        );
        let uses = rule.uses_left.map_or_else(
            || format!("used {}, without limit", rule.used),
            |left| format!("used {}, {left} left", rule.used),
        );
        let ends = ending(rule, self.now)
            .unwrap_or_else(|| format!("ends {} UTC", moment(self.now, rule.expires_at)));
        facts.push(fact("until").own(Token::Fg, format!("{ends}; {uses}")));
        facts.iter().flat_map(|line| line.wrap(width, 9)).collect()
    }
}

/// Says how a rule has ended, if it has.
fn ending(rule: &StandingRule, now: Timestamp) -> Option<String> {
    if rule.revoked_at.is_some() {
        let by = text::line(rule.revoked_by.as_deref().unwrap_or("?"));
        return Some(format!("revoked by {}", by.as_str()));
    }
    if rule.expires_at <= now {
        return Some("expired".to_owned());
    }
    (rule.uses_left == Some(0)).then(|| "used up".to_owned())
}

fn covers(rule: &StandingRule) -> Clean {
    match &rule.covers {
        Covers::Command { prefix } => text::exact(&format!("{} …", prefix.join(" "))),
        Covers::Arguments { .. } => text::exact(&rule.summary),
    }
}

fn whom(rule: &StandingRule) -> Line {
    let agent = text::line(&rule.agent);
    match (rule.scope, rule.task) {
        (RuleScope::Everywhere, _) => Line::new().own(Token::Warn, "every agent"),
        (RuleScope::Task, Some(task)) => {
            Line::new().says(Token::Fg, &agent).own(Token::Fg, format!(" on {task}"))
        }
        (RuleScope::Task, None) => {
            Line::new().says(Token::Fg, &agent).own(Token::Fg, " on no task")
        }
        (RuleScope::Agent, _) => Line::new().says(Token::Fg, &agent).own(Token::Fg, " on any task"),
    }
}

fn row(rule: &StandingRule, now: Timestamp, is_selected: bool) -> Line {
    let ended = ending(rule, now);
    let token = if ended.is_some() { Token::Dim } else { Token::Fg };
    let ends = ended.unwrap_or_else(|| left(now, rule.expires_at));
    let uses = rule.uses_left.map_or_else(
        || format!("used {}", rule.used),
        |left| format!("used {} of {}", rule.used, rule.used + left),
    );
    let cursor = if is_selected { ">" } else { " " };
    Line::new()
        .own(Token::Strong, cursor)
        .own(token, format!("{:<5} {:<10} ", rule.id.to_string(), story::word(&rule.scope)))
        .own(token, format!("{ends:<8} {uses:<12} "))
        .says(token, &covers(rule))
}
