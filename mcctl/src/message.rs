//! `mcctl message`: threads of tasks.

use clap::Subcommand;
use mc_core::{message::Message, time::Timestamp};
use mc_proto::method::thread::MessageList;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    paging::{self, Paging},
    table::Tone,
    task::OfTask,
    text,
    words::word,
};

/// What a message can be.
pub(crate) const KINDS: &[&str] =
    &["comment", "work_plan", "progress", "artifact", "review", "decision"];

/// What can be done with threads; `mcctl task comment` posts.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List a thread, oldest first.
    List {
        #[command(flatten)]
        of: OfTask,
        #[command(flatten)]
        paging: Paging,
    },
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::List { of: OfTask { task }, paging } => {
            paging::list(cx, &paging, |limit, cursor| MessageList { task, limit, cursor }, view)
        }
    }
}

/// Returns messages, each a headline and its text behind bars, so that no text passes for a
/// headline.
pub(crate) fn view(messages: &[Message], now: Timestamp) -> String {
    let mut out = String::new();
    for message in messages {
        let author = Tone::Strong.paint(&text::line(&message.author.to_string()));
        let facts = format!(
            "{}  {}{}  {} ago",
            message.id,
            word(message.kind),
            message.reply_to.map(|to| format!(" to {to}")).unwrap_or_default(),
            text::age(now, message.at)
        );
        let body = text::block(message.text.trim_end()).replace('\n', "\n  │ ");
        put!(out, "{author}  {}\n  │ {body}\n", Tone::Dim.paint(&facts));
        if !message.artifacts.is_empty() {
            put!(out, "  artifacts: {}\n", text::line(&message.artifacts.join(", ")));
        }
    }
    out
}
