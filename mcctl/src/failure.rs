//! How a command ends: the exit codes of the command line, and what stands on standard error.

use std::{io, io::Write as _, process::ExitCode};

use mc_core::refusal::FieldError;
use mc_proto::{client::ClientError, error::RpcError};

use crate::text;

/// How a command that was carried out ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Carried out, and what was looked at is not well.
    Unwell,
    /// A policy says no.
    Denied,
    /// An approval is waited for.
    Waiting,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Unwell => 1,
            Exit::Denied => 4,
            Exit::Waiting => 5,
        })
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The daemon refused, or is not there.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The command makes no sense as it was given.
    #[error("{0}")]
    Usage(String),
    /// Something on this machine is not as it must be.
    #[error("{0}")]
    Failed(String),
    /// Output could not be written.
    #[error("can't write the output: {0}")]
    Output(io::Error),
}

impl Failure {
    /// Returns the failure to do `what` with a file.
    pub(crate) fn file(what: &str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::Failed(format!("can't {what} {}: {error}", path.display()))
    }

    /// Returns the exit code: 1 refused or failed, 2 usage, 3 daemon unreachable.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// Says whether the daemon could not be reached, or went away.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.code() == 3
    }

    fn code(&self) -> u8 {
        match self {
            Self::Client(
                ClientError::Unreachable { .. }
                | ClientError::Lost
                | ClientError::TimedOut(_)
                | ClientError::Io(_),
            ) => 3,
            // Whoever read our output has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Client(ClientError::Refused(_) | ClientError::Answer { .. })
            | Self::Failed(_)
            | Self::Output(_) => 1,
            Self::Usage(_) => 2,
        }
    }

    /// Writes the reason to standard error; as JSON, if the caller wants JSON.
    pub(crate) fn report(&self, json: bool) {
        if self.code() == 0 {
            return;
        }
        let text = if json { self.as_json() } else { self.as_text() };
        // When standard error is gone there is nobody left to tell.
        anstream::stderr().write_all(text.as_bytes()).ok();
    }

    fn refusal(&self) -> Option<&RpcError> {
        match self {
            Self::Client(error) => error.refused(),
            Self::Usage(_) | Self::Failed(_) | Self::Output(_) => None,
        }
    }

    fn as_json(&self) -> String {
        let error = match self.refusal() {
            Some(refusal) => serde_json::json!({ "error": refusal }),
            None => serde_json::json!({ "error": { "message": self.to_string() } }),
        };
        format!("{error}\n")
    }

    fn as_text(&self) -> String {
        let said = match self.refusal() {
            Some(refusal) => in_own_words(&self.to_string(), refusal),
            None => self.to_string(),
        };
        let mut text = format!("\u{1b}[31merror:\u{1b}[0m {}\n", text::line(&said));
        self.refusal().map(details).into_iter().for_each(|lines| text.push_str(&lines));
        text
    }
}

/// Names of the wire that the command line has another word for.
const OWN_WORDS: &[(&str, &str)] = &[
    ("budget_uusd", "budget"),
    ("cap_tokens", "tokens"),
    ("cap_uusd", "cap"),
    ("daily_cap_uusd", "daily cap"),
    ("due_at", "due"),
    ("due_in_s", "due"),
    ("estimated_cost_uusd", "cost"),
    ("of", "agent or task"),
    ("run_cap_uusd", "run cap"),
    ("spent_uusd", "spent"),
];

/// Returns the command line's word for a field of the wire; which one of a list it is, its message
/// says.
fn own_word(field: &str) -> String {
    let field = field.strip_prefix("task.").or(field.strip_prefix("set.")).unwrap_or(field);
    let name = field.split_once('[').map_or(field, |(name, _)| name);
    let known = OWN_WORDS.iter().find(|(wire, _)| *wire == name);
    known.map_or_else(|| name.replace('_', " "), |(_, own)| (*own).to_owned())
}

/// Returns a refusal's sentence with the command line's words for its fields.
fn in_own_words(message: &str, RpcError { data, .. }: &RpcError) -> String {
    let quoted = |name: &str| format!("`{name}`");
    data.fields.iter().fold(message.to_owned(), |text, field| {
        text.replace(&quoted(&field.field), &quoted(&own_word(&field.field)))
    })
}

/// Says whether the sentence of a refusal is about that field and says it all.
fn is_said(message: &str, field: &FieldError) -> bool {
    message.contains(&field.message) && message.contains(&field.field)
}

/// Returns what stands behind a refusal's sentence, a line each: the fields that are wrong, what
/// is open to the caller, when to try again.
pub(crate) fn details(RpcError { data, message, .. }: &RpcError) -> String {
    let mut lines = String::new();
    for field in data.fields.iter().filter(|field| !is_said(message, field)) {
        let name = own_word(&field.field);
        put!(lines, "  {}: {}\n", text::line(&name), text::line(&field.message));
    }
    if !data.allowed.is_empty() {
        let allowed: Vec<String> = data.allowed.iter().map(|word| text::line(word)).collect();
        put!(lines, "  open to you: {}\n", allowed.join(", "));
    }
    if let Some(wait) = data.retry_after_ms {
        put!(lines, "  try again in {wait} ms\n");
    }
    lines
}

#[cfg(test)]
mod tests {
    use mc_proto::error::{ErrorKind, RpcError};

    use super::*;

    fn refused(kind: ErrorKind) -> Failure {
        ClientError::Refused(RpcError::new(kind, "no")).into()
    }

    #[test]
    fn each_way_to_fail_has_its_exit_code() {
        let unreachable = ClientError::Unreachable {
            path: "/x".into(),
            source: io::Error::from(io::ErrorKind::NotFound),
        };
        assert_eq!(Failure::from(unreachable).code(), 3);
        assert_eq!(Failure::from(ClientError::Lost).code(), 3);
        assert_eq!(refused(ErrorKind::Forbidden).code(), 1);
        assert_eq!(Failure::Usage(String::new()).code(), 2);
        assert_eq!(Failure::Output(io::ErrorKind::BrokenPipe.into()).code(), 0);
    }

    #[test]
    fn a_refusal_shows_its_fields_and_what_is_open() {
        let mut error = RpcError::invalid("work_plan", "3 to 6 steps are needed");
        error.data.allowed = vec!["blocked".into(), "canceled".into()];
        let text = Failure::from(ClientError::Refused(error)).as_text();
        assert_eq!(text.matches("3 to 6 steps are needed").count(), 1, "{text}");
        assert!(text.contains("  open to you: blocked, canceled\n"), "{text}");
    }

    #[test]
    fn a_field_is_named_by_the_words_of_the_command_line() {
        for (wire, own) in [
            ("cap_uusd", "cap"),
            ("task.assignees[0]", "assignees"),
            ("set.run_cap_uusd", "run cap"),
            ("of", "agent or task"),
        ] {
            assert_eq!(own_word(wire), own);
        }
        let error = RpcError::invalid("budget_uusd", "must be 0 or more");
        let text = Failure::from(ClientError::Refused(error)).as_text();
        assert!(text.contains("`budget`: must be 0 or more"), "{text}");
        assert!(!text.contains("uusd"), "{text}");
    }

    #[test]
    fn a_refusal_as_json_is_the_error_of_the_wire() {
        let json: serde_json::Value =
            serde_json::from_str(&refused(ErrorKind::Halted).as_json()).unwrap();
        assert_eq!(json["error"]["data"]["kind"], "halted");
    }
}
