//! Where the row under the cursor leads: its task, its agents, and what waits or is wrong there.

use mc_core::{agent::AgentName, alert::AlertStatus, id::TaskId};

use super::{
    Overlay,
    menu::{Choice, Menu},
};
use crate::{
    scene::{Intent, Scene},
    story, text,
    theme::{Token, badge, severity_badge},
    widgets::Line,
};

/// Returns the menu of what belongs to `tasks` and `agents`.
pub fn of(tasks: &[TaskId], agents: &[AgentName], scene: &Scene) -> Intent {
    let world = &scene.world;
    let is_theirs = |task: Option<TaskId>, agent: Option<&AgentName>| {
        task.is_some_and(|task| tasks.contains(&task))
            || agent.is_some_and(|agent| agents.contains(agent))
    };
    let tasks = tasks.iter().map(|id| {
        let card = world.tasks.get(id);
        let title = text::line(card.map_or("?", |card| &card.title));
        let state = card.map_or("", |card| card.state.title());
        let label = Line::new().own(Token::Strong, format!("{id}  "));
        let label = label.says(Token::Fg, &title).own(Token::Dim, format!("  {state}"));
        Choice { label, opens: Some(Intent::OpenTask(*id)) }
    });
    let names = agents.iter().map(|name| {
        let status = world.agents.get(name).map(|view| story::word(&view.agent.status));
        let label = Line::new().says(Token::Strong, &text::line(name));
        let label = label.own(Token::Dim, format!("  agent, {}", status.unwrap_or_default()));
        Choice { label, opens: Some(Intent::OpenAgent(name.clone())) }
    });
    let waiting = world.waiting().into_iter();
    let waiting = waiting.filter(|one| is_theirs(one.task, Some(&one.agent))).map(|one| {
        let label = Line::new()
            .own(Token::Strong, format!("{}  ", one.id))
            .own(Token::risk(one.risk), format!("{} ", badge(one.risk)))
            .says(Token::Fg, &text::line(&one.summary));
        Choice { label, opens: Some(Intent::OpenApproval(one.id)) }
    });
    let alerts = world.open_alerts().into_iter();
    let alerts = alerts.filter(|one| is_theirs(one.task, one.agent.as_ref())).map(|one| {
        let is_new = one.status == AlertStatus::Open;
        let token = if is_new { Token::severity(one.severity) } else { Token::Dim };
        let label = Line::new()
            .own(Token::Strong, format!("{}  ", one.id))
            .own(token, format!("{} ", severity_badge(one.severity)))
            .says(Token::Fg, &text::line(&one.text));
        Choice { label, opens: Some(Intent::OpenAlert(one.id)) }
    });
    let choices: Vec<Choice> = tasks.chain(names).chain(waiting).chain(alerts).collect();
    if choices.is_empty() {
        return Intent::Say("this row leads nowhere".to_owned());
    }
    Intent::Look(Box::new(Overlay::Menu(Menu::new("Links", choices))))
}
