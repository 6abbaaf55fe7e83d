//! The standing rules: what answers in a person's place, and how it is ended.

use crossterm::event::KeyCode;
use mc_core::{
    approval::{Covers, RuleScope, StandingRule},
    id::RuleId,
    time::Timestamp,
};
use ratatui::layout::Rect;

use super::{
    Outcome, Overlay,
    catalog::{Catalog, Entry, Words},
    forms,
};
use crate::{
    format::{left, moment},
    keymap::Key,
    request::Call,
    story,
    text::{self, Clean},
    theme::Token,
    widgets::{Canvas, Line},
};

/// The list.
#[derive(Debug, Default)]
pub struct Rules {
    /// What is listed.
    pub list: Catalog<StandingRule>,
    /// Whether those that ended are shown too.
    all: bool,
}

impl Rules {
    /// Returns what has to be asked so that the list is current.
    pub fn wants(&mut self) -> Option<Call> {
        self.list.wants().then_some(Call::Rules(self.all))
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Outcome {
        match key.code {
            KeyCode::Tab => {
                self.all = !self.all;
                self.list.touch();
                Outcome::Stay
            }
            KeyCode::Char('d') => self.revoke(),
            _ => self.list.press(key),
        }
    }

    fn revoke(&self) -> Outcome {
        match self.list.to_act_on("there is no rule here") {
            Ok(rule) if ending(rule, self.list.now).is_some() => {
                Outcome::Refuse("this rule has ended already")
            }
            Ok(rule) => {
                Outcome::Over(Box::new(Overlay::Form(forms::revoke(rule.id, &covers(rule)))))
            }
            Err(refused) => refused,
        }
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let about = if self.all {
            "all there were; they answer in your place"
        } else {
            "in force; they answer in your place"
        };
        let words = Words {
            title: "Standing rules",
            about,
            none: " none: `r` in the dialog that approves makes one",
            keys: "d revoke…   Tab those that ended too   j/k move   Esc closes",
            few_keys: "d revoke…  Tab all  Esc",
        };
        self.list.view(canvas, area, &words);
    }
}

impl Entry for StandingRule {
    type Id = RuleId;

    const INDENT: usize = 9;

    fn id(&self) -> RuleId {
        self.id
    }

    fn row(&self, now: Timestamp, _: u16) -> Line {
        let ended = ending(self, now);
        let token = if ended.is_some() { Token::Dim } else { Token::Fg };
        let ends = ended.unwrap_or_else(|| left(now, self.expires_at));
        let uses = self.uses_left.map_or_else(
            || format!("used {}", self.used),
            |left| format!("used {} of {}", self.used, self.used + left),
        );
        Line::new()
            .own(token, format!("{:<5} {:<10} ", self.id.to_string(), story::word(&self.scope)))
            .own(token, format!("{ends:<8} {uses:<12} "))
            .says(token, &covers(self))
    }

    fn facts(&self, now: Timestamp) -> Vec<Line> {
        let fact = |label: &str| Line::new().own(Token::Dim, format!(" {label:<7} "));
        let mut facts = vec![
            fact("tool").says(Token::Fg, &text::exact(&self.tool)),
            fact("passes").says(Token::Strong, &covers(self)),
        ];
        let exact = match &self.covers {
            Covers::Command { .. } => "a single simple command that begins with these words",
            Covers::Arguments { .. } => "exactly these arguments, and no others",
        };
        let place = fact("only").own(Token::Fg, exact);
        facts.push(match &self.cwd {
            Some(cwd) => place.own(Token::Fg, ", in ").says(Token::Fg, &text::exact(cwd)),
            None => place.own(Token::Fg, ", in any directory"),
        });
        facts.push(fact("whom").then(whom(self)));
        let made = fact("made").own(Token::Fg, "by ").says(Token::Fg, &text::line(&self.by));
        facts.push(
            made.own(Token::Fg, format!(" of {}, {} UTC", self.approval, moment(now, self.at))),
        );
        let uses = self.uses_left.map_or_else(
            || format!("used {}, without limit", self.used),
            |left| format!("used {}, {left} left", self.used),
        );
        let ends = ending(self, now)
            .unwrap_or_else(|| format!("ends {} UTC", moment(now, self.expires_at)));
        facts.push(fact("until").own(Token::Fg, format!("{ends}; {uses}")));
        facts
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
