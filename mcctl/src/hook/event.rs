//! What runtimes tell, in our words.

use mc_core::run::RunStatus;
use mc_proto::method::run::{Check, Ended, ToolFinish};
use serde_json::Value;

use super::verdict::Verdict;
use crate::text;

/// An event with where it happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    /// The event's name in the runtime's words.
    pub(super) name: String,
    /// Where it happened.
    pub(super) place: Place,
    /// What happened.
    pub(super) event: Event,
}

/// A conversation of a runtime, or a sub-agent's part of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The session's key; a sub-agent's follows its session's after a slash. `None` when the
    /// caller names none: then nothing is attributed to a run.
    pub(super) session: Option<String>,
    /// The session that a sub-agent belongs to.
    pub(super) parent: Option<String>,
    /// The model, where it is told.
    pub(super) model: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// A tool is about to be called.
    Call(Box<Check>),
    /// A tool call ended.
    Ended(Box<Report>),
    /// As [`Event::Ended`], by a caller that knows the call's id.
    Finished(Box<ToolFinish>),
    /// A turn is about to begin.
    TurnBegins,
    /// A turn is about to end, and can be sent back.
    TurnStops,
    /// A turn ended.
    TurnEnds(RunStatus),
    /// Something that is of no concern here.
    Other,
}

/// How a tool call ended, as the runtime tells it: without the id that it has here.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Report {
    /// The tool.
    pub(super) tool: String,
    /// Its arguments.
    pub(super) arguments: Value,
    /// How it ended.
    pub(super) status: Ended,
    /// How long it ran.
    pub(super) duration_ms: Option<i64>,
    /// Its result.
    pub(super) result: Option<String>,
    /// What went wrong.
    pub(super) error: Option<String>,
}

impl Event {
    /// Says whether the daemon need not hear of it.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self, Self::Other)
    }

    /// Returns the answer when the daemon can't be asked: what would begin does not, and what
    /// has ended can't be undone by a no.
    pub(super) fn without_daemon(&self, why: &str) -> Verdict {
        let why = text::line(why);
        match self {
            Self::Call(check) => Verdict::denied(format!(
                "Mission Control is away ({why}), so {} did not run. Don't retry in a loop: say \
                 what you were about to do and end your turn. A person can start it with `mcd \
                 run`, or look with `mcctl doctor`.",
                text::line(&check.tool)
            )),
            Self::TurnBegins => Verdict::denied(format!(
                "Mission Control is away ({why}). No turn starts until it is back: start it with \
                 `mcd run`, or look with `mcctl doctor`."
            )),
            Self::Ended(_)
            | Self::Finished(_)
            | Self::TurnStops
            | Self::TurnEnds(_)
            | Self::Other => Verdict::Neutral,
        }
    }
}
