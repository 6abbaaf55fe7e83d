//! The five answers of a task as the daemon computed them, each with the event that proves it.

use mc_core::{answers::Answers, id::TaskId};

use crate::{text, theme::Token, widgets::Line};

/// The answers of one task, and whether fresh ones were asked for.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Whose they are.
    pub task: Option<TaskId>,
    /// What is known.
    pub answers: Option<Answers>,
    /// Whether an answer is on its way.
    pub is_asked: bool,
    /// Whether something happened since.
    pub is_old: bool,
}

impl Known {
    /// Says whether `task` has to be asked for, and notes that it is.
    pub fn want(&mut self, task: TaskId) -> bool {
        if self.task != Some(task) {
            *self = Self { task: Some(task), ..Self::default() };
        } else if self.answers.is_some() && !self.is_old {
            return false;
        }
        let ask = !self.is_asked;
        self.is_asked = true;
        ask
    }

    /// Takes in answers, if they are still wanted.
    pub fn take(&mut self, task: TaskId, answers: Answers) {
        if self.task == Some(task) {
            self.answers = Some(answers);
            self.is_asked = false;
            self.is_old = false;
        }
    }

    /// Returns the five lines at `width`.
    pub fn lines(&self, width: usize) -> Vec<Line> {
        let known = self.answers.as_ref();
        let rows = [
            ("WHAT", known.map(|all| &all.what)),
            ("WHO ", known.map(|all| &all.who)),
            ("WHY ", known.map(|all| &all.why)),
            ("COST", known.map(|all| &all.cost)),
            ("NEXT", known.map(|all| &all.next)),
        ];
        rows.into_iter()
            .map(|(label, answer)| {
                let line = Line::new().own(Token::Key, format!(" {label} "));
                let Some(answer) = answer else { return line.own(Token::Dim, "…") };
                let proof = match (answer.events.first(), answer.events.last()) {
                    (Some(first), Some(last)) if first != last => format!(" {first}-{last}"),
                    (Some(only), _) => format!(" {only}"),
                    (None, _) => String::new(),
                };
                let token = if label == "NEXT" { Token::Strong } else { Token::Fg };
                let said = line.says(token, &text::line(&answer.text));
                said.to_column(width.saturating_sub(proof.len())).own(Token::Dim, proof)
            })
            .collect()
    }

    /// Returns the five answers whole, in at most `most` lines: where that is not enough, each is cut
    /// after as many lines as the others.
    pub fn whole(&self, width: usize, most: usize) -> Vec<Line> {
        let short = self.lines(width);
        let Some(known) = &self.answers else { return short };
        let texts = [&known.what, &known.who, &known.why, &known.cost, &known.next];
        let long: Vec<Vec<Line>> = texts
            .into_iter()
            .zip(["WHAT", "WHO ", "WHY ", "COST", "NEXT"])
            .map(|(answer, label)| {
                let token = if label == "NEXT" { Token::Strong } else { Token::Fg };
                let line = Line::new().own(Token::Key, format!(" {label} "));
                line.says(token, &text::line(&answer.text)).wrap(width, 6)
            })
            .collect();
        let rows = |each: usize| long.iter().map(|lines| lines.len().min(each)).sum::<usize>();
        let each = (1..=4).rev().find(|each| rows(*each) <= most).unwrap_or(1);
        let fits = |(short, lines): (Line, Vec<Line>)| {
            // One line has room for its proof, or is cut as it always was.
            if lines.len() == 1 || each == 1 { vec![short] } else { cut(lines, each) }
        };
        short.into_iter().zip(long).flat_map(fits).collect()
    }

    /// Returns the NEXT line.
    pub fn next(&self, width: usize) -> Line {
        self.lines(width).pop().unwrap_or_default()
    }
}

/// Cuts a text after `most` lines, and says so.
fn cut(mut lines: Vec<Line>, most: usize) -> Vec<Line> {
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = std::mem::take(last).own(Token::Dim, "…");
        }
    }
    lines
}
