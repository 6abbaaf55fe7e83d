//! What a standing rule is made of: the fields of the decide dialog, and how they are read.

use mc_core::{
    approval::{Approval, ApprovalKind, RuleScope},
    policy::Risk,
    shell::read::{Known, read},
};
use mc_proto::method::approval::Remember;
use serde_json::Value;

use crate::{
    text::{self, Clean},
    theme::Token,
    widgets::{Field, Line, Manner},
};

/// For whom a rule counts, in the order of the field.
const SCOPES: &[&str] = &["task", "agent", "everywhere"];
/// How long it lasts.
const TIMES: &[&str] = &["8h", "1h", "1d", "7d", "30d"];

/// What is known of the request when a rule is made of it.
#[derive(Debug, Clone)]
pub struct Subject {
    agent: Clean,
    task: Option<String>,
    cwd: Option<Clean>,
    /// The words of its command, when it is a single simple one.
    words: Vec<Clean>,
}

impl Subject {
    /// Returns what a rule of `approval` is about; `None` where no rule may be made: of red calls,
    /// and of what is no call.
    pub fn of(approval: &Approval) -> Option<Self> {
        if approval.risk == Risk::Red || approval.kind != ApprovalKind::ToolCall {
            return None;
        }
        Some(Self {
            agent: text::line(&approval.agent),
            task: approval.task.map(|task| task.to_string()),
            cwd: approval.statement.cwd.as_deref().map(text::exact),
            words: words(&approval.statement.arguments),
        })
    }

    /// Returns the fields to fill.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = vec![Field::one_of("scope", SCOPES), Field::one_of("for", TIMES)];
        fields.push(Field::optional("uses"));
        if !self.words.is_empty() {
            fields.push(Field::optional("words"));
        }
        fields.push(Field::needed("reason"));
        fields.push(Field::needed("code").with(Manner::Typed));
        fields
    }

    /// Returns the words of the command with their numbers.
    pub fn numbered(&self) -> Option<Line> {
        let start = Line::new().own(Token::Dim, "command  ");
        let words = self.words.iter().enumerate().fold(start, |line, (at, word)| {
            line.own(Token::Dim, format!("{} ", at + 1)).says(Token::Fg, word).own(Token::Fg, "  ")
        });
        (!self.words.is_empty()).then_some(words)
    }

    /// Says in a sentence what the rule will let pass, as the fields stand.
    pub fn sentence(&self, fields: &[Field]) -> Line {
        let value = |label| value(fields, label).unwrap_or_default();
        let line = Line::new().own(Token::Fg, "Rule: not asked again are ");
        let line = match value("words").parse::<usize>() {
            Ok(count) => {
                let prefix: Vec<&str> = self.words.iter().take(count).map(Clean::as_str).collect();
                line.own(Token::Fg, "commands that begin with `")
                    .says(Token::Strong, &text::line(&prefix.join(" ")))
                    .own(Token::Fg, "`")
            }
            Err(_) => line.own(Token::Strong, "calls with exactly these arguments"),
        };
        let line = match (value("scope"), &self.task) {
            ("everywhere", _) => line.own(Token::Warn, " of EVERY agent"),
            ("task", Some(task)) => line
                .own(Token::Fg, " of ")
                .says(Token::Fg, &self.agent)
                .own(Token::Fg, format!(" on {task}")),
            ("task", None) => line
                .own(Token::Fg, " of ")
                .says(Token::Fg, &self.agent)
                .own(Token::Fg, " on no task"),
            _ => line
                .own(Token::Fg, " of ")
                .says(Token::Fg, &self.agent)
                .own(Token::Fg, " on any task"),
        };
        let line = match &self.cwd {
            Some(cwd) => line.own(Token::Fg, " in ").says(Token::Fg, cwd),
            None => line,
        };
        let times = match value("uses") {
            "" => ", as often as they come".to_owned(),
            uses => format!(", {} times", text::line(uses).as_str()),
        };
        line.own(
            Token::Fg,
            format!(", for {}{times}. Ends with `s` in the approvals.", value("for")),
        )
    }

    /// Reads the fields.
    ///
    /// # Errors
    ///
    /// What is wrong, and what is expected.
    pub fn read(&self, fields: &[Field]) -> Result<Remember, String> {
        let scope = match value(fields, "scope") {
            Some("agent") => RuleScope::Agent,
            Some("everywhere") => RuleScope::Everywhere,
            _ => RuleScope::Task,
        };
        let number = |label: &str, most: usize| match value(fields, label) {
            None => Ok(None),
            Some(typed) => match typed.parse::<usize>() {
                Ok(count) if (1..=most).contains(&count) => Ok(i64::try_from(count).ok()),
                _ => Err(format!("{label}: a number from 1 to {most}, or empty")),
            },
        };
        Ok(Remember {
            scope,
            for_s: seconds(value(fields, "for").unwrap_or_default()),
            uses: number("uses", 1_000_000)?,
            prefix_words: number("words", self.words.len())?,
        })
    }
}

fn value<'a>(fields: &'a [Field], label: &str) -> Option<&'a str> {
    let field = fields.iter().find(|field| field.label == label)?;
    Some(field.value()).filter(|value| !value.is_empty())
}

/// Reads one of [`TIMES`].
fn seconds(time: &str) -> i64 {
    match time {
        "1h" => 3600,
        "1d" => 24 * 3600,
        "7d" => 7 * 24 * 3600,
        "30d" => 30 * 24 * 3600,
        _ => 8 * 3600,
    }
}

/// Returns the words of a command, when it is a single simple one whose words are all known.
fn words(arguments: &Value) -> Vec<Clean> {
    let command = arguments.get("command").or_else(|| arguments.get("cmd"));
    let Some(command) = command.and_then(Value::as_str) else { return Vec::new() };
    let Ok(script) = read(command, Known { home: None, depth: 0 }) else { return Vec::new() };
    match script.commands.as_slice() {
        [only] if only.words.iter().all(|word| word.unknown.is_none()) => {
            only.words.iter().map(|word| text::exact(&word.text)).collect()
        }
        _ => Vec::new(),
    }
}
