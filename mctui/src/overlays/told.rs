//! What is told about the past: why something is as it is, and what changed since the last look.

use std::collections::BTreeMap;

use mc_core::{
    agent::AgentName,
    event::Recorded,
    id::{Seq, TaskId},
};

use super::{Overlay, report::Report};
use crate::{
    format::{clock, moment},
    scene::{Intent, Scene},
    story, text,
    theme::Token,
    widgets::Line,
};

/// How many causes are shown.
const CAUSES: usize = 12;
/// How many events of one task are shown.
const EACH: usize = 5;

/// Returns why the row under the cursor is as it is: who did what, caused by what, in whose words.
pub fn because(task: Option<TaskId>, agent: Option<&AgentName>, scene: &Scene) -> Intent {
    let concerns = |event: &&Recorded| match (task, agent) {
        (Some(task), _) => event.event.task() == Some(task),
        (None, Some(agent)) => event.event.agent() == Some(agent),
        (None, None) => false,
    };
    let events: Vec<&Recorded> =
        scene.world.feed.iter().rev().filter(concerns).take(CAUSES).collect();
    if events.is_empty() {
        let words = "no event about this row is loaded: Enter opens its whole timeline";
        return Intent::Say(words.to_owned());
    }
    let lines = events.into_iter().flat_map(|event| cause(event, scene)).collect();
    let title = match (task, agent) {
        (Some(task), _) => format!("Because: {task}, newest first"),
        (None, _) => "Because: this agent, newest first".to_owned(),
    };
    Intent::Look(Box::new(Overlay::Report(Report::new(title, lines))))
}

fn cause(event: &Recorded, scene: &Scene) -> [Line; 2] {
    let what = Line::new()
        .own(Token::Dim, format!("e{} {} ", event.seq, moment(scene.time(), event.at)))
        .says(story::token(&event.event), &story::line(event));
    let why = Line::new()
        .own(Token::Rec, "    by ")
        .says(Token::Fg, &text::line(&event.actor.to_string()))
        .own(Token::Rec, ", because of ")
        .says(Token::Fg, &text::line(&event.cause));
    let why = match &event.reason {
        Some(reason) => why.own(Token::Says, ", says \" ").says(Token::Says, &text::line(reason)),
        None => why,
    };
    [what, why]
}

/// Returns what happened after `since`, by task; what belongs to none comes last.
pub fn changed(since: Seq, scene: &Scene) -> Intent {
    let new: Vec<&Recorded> = scene.world.feed.iter().filter(|event| event.seq > since).collect();
    let Some(first) = new.first() else {
        return Intent::Say("nothing has changed since you last looked".to_owned());
    };
    let missed = first.seq - since - 1;
    let mut groups: BTreeMap<(bool, Option<TaskId>), Vec<&Recorded>> = BTreeMap::new();
    for event in &new {
        let task = event.event.task();
        groups.entry((task.is_none(), task)).or_default().push(event);
    }
    let mut lines = Vec::new();
    if missed > 0 {
        let words = format!("{missed} older events are not loaded: `mcctl feed` has them");
        lines.push(Line::new().own(Token::Warn, words));
    }
    for ((_, task), events) in groups {
        lines.push(heading(task, events.len(), scene));
        let told = events.iter().filter(|event| !is_noise(event));
        let told: Vec<&&Recorded> = told.collect();
        for event in told.iter().rev().take(EACH).rev() {
            lines.push(
                Line::new()
                    .own(Token::Dim, format!("  {} ", clock(event.at)))
                    .says(story::token(&event.event), &story::line(event)),
            );
        }
        if told.len() > EACH {
            let words = format!("  and {} before", told.len() - EACH);
            lines.push(Line::new().own(Token::Dim, words));
        }
    }
    let title = format!("{} events since you last looked ({} UTC)", new.len(), clock(first.at));
    Intent::Look(Box::new(Overlay::Report(Report::new(title, lines))))
}

/// Says whether an event is only bookkeeping: it counts, but has no line of its own.
fn is_noise(event: &Recorded) -> bool {
    event.event.is_routine() || matches!(story::kind(&event.event), "clock" | "note")
}

fn heading(task: Option<TaskId>, count: usize, scene: &Scene) -> Line {
    let Some(task) = task else {
        return Line::new().own(Token::Strong, format!("Squad and agents  {count} events"));
    };
    let line = Line::new().own(Token::Strong, format!("{task} "));
    let line = match scene.world.tasks.get(&task) {
        Some(card) => line
            .says(Token::Strong, &text::line(&card.title))
            .own(Token::Dim, format!("  {}", card.state.title())),
        None => line,
    };
    line.own(Token::Dim, format!("  {count} events"))
}
