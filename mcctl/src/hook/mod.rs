//! `mcctl hook`: the gate of a runtime that asks by running a program.
//!
//! One event comes on standard input, one answer goes to standard output. Whatever can't be read,
//! judged or said in time is a no: an exit code of 2 blocks in every one of these runtimes.

mod dialect;
mod event;
mod gate;
mod generic;
mod link;
mod verdict;

use std::{io::Read as _, time::Duration};

use clap::{Args, ValueEnum};

use self::{
    dialect::Dialect,
    event::{Event, Told},
    gate::Gate,
    link::Link,
    verdict::{Opinion, Verdict},
};
use crate::{
    cli::Global,
    context::Context,
    failure::{Exit, Failure},
    output, text,
};

/// The longest event that is read, in bytes; results of tools can be long.
const LONGEST: u64 = 8 * 1024 * 1024;

/// Who asks, and how long it waits.
#[derive(Debug, Args)]
pub(crate) struct Hook {
    /// The runtime whose event is on standard input.
    #[arg(value_enum)]
    runtime: Runtime,
    /// How long to hold a call for a person, in seconds; keep it below the runtime's own timeout
    /// [default: 540 for claude-code and codex, 50 for gemini, 0 for generic].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=86_400))]
    wait: Option<u64>,
    /// Leave what the policy allows to the runtime's own permission rules; what a person approved
    /// is allowed all the same.
    #[arg(long)]
    defer_allow: bool,
    /// Let operators change a call's arguments before they approve it. Only where the runtime runs
    /// what the hook gives back: Claude Code from 2.0.10, Codex from 0.131, Gemini CLI; an older one
    /// would run the call unchanged.
    #[arg(long)]
    rewrite: bool,
}

/// The runtimes that can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// Claude Code.
    ClaudeCode,
    /// Codex CLI.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// Any program: `tool.check` or `tool.finish` as one JSON object.
    Generic,
}

impl Runtime {
    /// Returns how the runtime talks; `None` for plain JSON.
    fn dialect(self) -> Option<&'static Dialect> {
        match self {
            Self::ClaudeCode => Some(&dialect::CLAUDE_CODE),
            Self::Codex => Some(&dialect::CODEX),
            Self::Gemini => Some(&dialect::GEMINI),
            Self::Generic => None,
        }
    }

    /// Returns how long a call is held, well within the runtime's own timeout.
    fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Self::ClaudeCode | Self::Codex => 540,
            Self::Gemini => 50,
            Self::Generic => 0,
        })
    }
}

/// Answers one event.
///
/// # Errors
///
/// With exit code 2, which blocks: the event could not be read, or the answer not written.
pub(crate) fn run(hook: &Hook, cx: &Context) -> Result<Exit, Failure> {
    let said = answer(hook, cx.global());
    match said {
        Ok((None, exit)) => Ok(exit),
        // An answer that was not heard must not pass for none.
        Ok((Some(answer), exit)) => output::json(&answer)
            .map(|()| exit)
            .map_err(|error| Failure::Usage(format!("Mission Control's answer is lost: {error}"))),
        Err(why) => Err(Failure::Usage(why)),
    }
}

type Said = (Option<serde_json::Value>, Exit);

/// Returns what to say, or why the event was not understood.
fn answer(hook: &Hook, global: &Global) -> Result<Said, String> {
    let input = input(std::io::stdin().lock());
    let wait = hook.wait.map_or(hook.runtime.patience(), Duration::from_secs);
    let Some(dialect) = hook.runtime.dialect() else {
        return Ok(input.and_then(|input| generic::read(&input)).map_or_else(
            |why| generic::say(&Verdict::denied(unread(&why))),
            |told| generic::say(&serve(told, global, wait)),
        ));
    };
    let mut told = input.and_then(|input| dialect.read(&input)).map_err(|why| unread(&why))?;
    let name = told.name.clone();
    if let Event::Call(check) = &mut told.event {
        check.can_rewrite = hook.rewrite && dialect.rewrites(&name);
    }
    let event = told.event.clone();
    let verdict = dialect.within_reach(&event, serve(told, global, wait));
    let opinion = if hook.defer_allow { Opinion::OfPersons } else { Opinion::Whole };
    Ok((dialect.say(&name, &verdict.within(opinion)), Exit::Done))
}

fn unread(why: &str) -> String {
    format!(
        "Mission Control can't read this hook's input ({}), so nothing runs; is `mcctl hook` \
         set up for the right runtime?",
        text::line(why)
    )
}

/// Reads the event, whole or not at all.
fn input(from: impl std::io::Read) -> Result<Vec<u8>, String> {
    let mut input = Vec::new();
    from.take(LONGEST + 1)
        .read_to_end(&mut input)
        .map_err(|error| format!("standard input fails: {error}"))?;
    if input.len() as u64 > LONGEST {
        return Err("it is longer than 8 MiB".to_owned());
    }
    Ok(input)
}

/// Asks the daemon what the event calls for.
fn serve(told: Told, global: &Global, wait: Duration) -> Verdict {
    if told.event.is_silent() {
        return Verdict::Neutral;
    }
    match Link::open(global) {
        Ok(link) => Gate::new(link, told.place, wait).serve(&told.event),
        Err(why) => told.event.without_daemon(&why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_up_to_its_limit_and_no_further() {
        let limit = usize::try_from(LONGEST).unwrap();
        assert_eq!(input(vec![b' '; limit].as_slice()).map(|read| read.len()), Ok(limit));
        assert!(input(vec![b' '; limit + 1].as_slice()).is_err());
    }

    #[test]
    fn the_default_wait_ends_before_the_runtimes_timeout() {
        assert!(Runtime::ClaudeCode.patience() < Duration::from_mins(10));
        assert!(Runtime::Gemini.patience() < Duration::from_mins(1));
    }
}
