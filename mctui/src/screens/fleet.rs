//! The fleet: who works, who waits for a person, who is silent; with the tree of sub-agents.

use mc_core::{
    agent::{Agent, AgentName, AgentStatus, Liveness},
    budget::Scope,
    event::Event,
    money::{CostState, MicroUsd},
    time::Timestamp,
};
use mc_proto::method::{agent::AgentView, squad::Budget};
use ratatui::layout::Rect;

use super::cost::{of_budget, of_cap};
use crate::{
    format::{age, money, percent},
    keymap::Action,
    overlays::forms,
    request::Call,
    scene::{Intent, Scene},
    story, text,
    theme::Token,
    widgets::{Canvas, Line, Listing, Shape, Tall, Wide, rows},
};

/// Between two questions how agents and budgets stand, in milliseconds: beats are no events.
const PAUSE_MS: u64 = 10_000;

/// The fleet.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    list: Listing<AgentName>,
    /// Whether all stand in one list, the most urgent first, and not below their parents.
    is_flat: bool,
    is_asked: bool,
    /// Whether a cap has changed: then it is asked for on every screen, for row 1 tells it.
    is_old: bool,
    /// The first moment for the next question, on the steady clock.
    next_at: u64,
}

/// What an agent is doing, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    WaitsForYou,
    Lost,
    Silent,
    Late,
    Held,
    Working,
    Idle,
    Offline,
}

impl Fleet {
    /// Returns the agent under the cursor.
    pub fn selected(&self) -> Option<&AgentName> {
        self.list.selected()
    }

    /// Takes in what the world holds now.
    pub fn merge(&mut self, scene: &Scene) {
        self.list.merge(&self.current(scene));
    }

    /// Sorts the list anew.
    pub fn settle(&mut self, scene: &Scene) {
        let now = self.current(scene);
        self.list.settle(now);
    }

    /// Puts the cursor on `agent`.
    pub fn open(&mut self, agent: &AgentName, scene: &Scene) {
        self.settle(scene);
        self.list.select(agent);
    }

    /// Returns what has to be asked so that beats and budgets are current.
    pub fn wants(&mut self, steady: u64) -> Option<Call> {
        if self.is_asked || steady < self.next_at {
            return None;
        }
        self.is_asked = true;
        self.next_at = steady + PAUSE_MS;
        Some(Call::Agents)
    }

    /// Takes in what happened: what changes a cap makes the budgets old.
    pub fn hear(&mut self, event: &Event) {
        let of_policy = matches!(story::kind(event), "squad") && event.kind().starts_with("policy");
        self.is_old |= matches!(
            event,
            Event::BudgetSet { .. }
                | Event::BudgetRaised { .. }
                | Event::BudgetRaiseVoided { .. }
                | Event::BudgetDayTurned { .. }
        ) || of_policy;
    }

    /// Returns what has to be asked because a cap has changed, wherever the operator is.
    pub fn wants_caps(&mut self, steady: u64) -> Option<Call> {
        if !self.is_old || self.is_asked {
            return None;
        }
        self.is_old = false;
        self.next_at = steady;
        self.wants(steady)
    }

    /// Returns when [`Self::wants`] has to be looked at, in milliseconds.
    pub fn due_in(&self, steady: u64) -> Option<u64> {
        (!self.is_asked).then(|| self.next_at.saturating_sub(steady))
    }

    /// The question was answered, or no answer will come.
    pub const fn answered(&mut self) {
        self.is_asked = false;
    }

    fn current(&self, scene: &Scene) -> Vec<AgentName> {
        let mut order = tree(scene);
        if self.is_flat {
            order.sort_by_key(|view| (doing(view, scene), view.agent.name.clone()));
        }
        let asks = scene.view();
        let shown = |view: &&AgentView| scene.query.matches_agent(&view.agent, &asks);
        order.into_iter().filter(shown).map(|view| view.agent.name.clone()).collect()
    }

    /// Takes in an action.
    pub fn update(&mut self, action: Action, scene: &Scene, height: u16) -> Option<Intent> {
        let half = isize::try_from(height / 2).unwrap_or(1).max(1);
        let step = match action {
            Action::Down => 1,
            Action::Up => -1,
            Action::HalfDown => half,
            Action::HalfUp => -half,
            Action::First => isize::MIN / 2,
            Action::Last => isize::MAX / 2,
            Action::Open => {
                let agent = scene.world.agents.get(self.selected()?)?;
                return Some(forms::agent_menu(&agent.agent));
            }
            Action::Tree => {
                self.is_flat = !self.is_flat;
                self.settle(scene);
                return None;
            }
            _ => return None,
        };
        self.settle(scene);
        self.list.step(step);
        None
    }

    /// Notes how many rows fit.
    pub fn fit(&mut self, area: Rect, shape: Shape) {
        let (.., body) = places(area, shape);
        self.list.fit(usize::from(body.height));
    }

    /// Draws the fleet.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
        let shape = Shape::of(canvas.area());
        let (top, inside, body) = places(area, shape);
        let summary = summary(scene);
        if shape.is_boxed() {
            canvas.framed(top, &summary, Token::Focus);
        } else {
            canvas.line(top, &summary);
        }
        if self.list.ids().is_empty() {
            let why = if scene.query.is_empty() {
                " no agents yet: `mcctl agent register`, or `mcctl openclaw install`"
            } else {
                " none matches: Esc clears the filter"
            };
            canvas.line(inside, &Line::new().own(Token::Dim, why));
            return;
        }
        if body.y > inside.y {
            canvas.line(inside, &header(shape.wide));
        }
        let (ids, above, below) = self.list.window(usize::from(body.height.max(1)));
        canvas.hidden(top, inside, (above, below));
        for (place, id) in rows(body).zip(ids) {
            if let Some(view) = scene.world.agents.get(id) {
                let is_selected = self.list.selected() == Some(id);
                canvas.line(place, &row(view, scene, (shape.wide, is_selected)));
            }
            if self.list.selected() == Some(id) {
                canvas.select(place);
            }
        }
        let detail = Rect { y: top.bottom(), height: area.height - top.height, ..area };
        if detail.height > 0
            && let Some(view) = self.selected().and_then(|name| scene.world.agents.get(name))
        {
            let [first, second] = about(view, scene);
            let width = usize::from(detail.width);
            let (mut lines, second) = (first.wrap(width, 1), second.wrap(width, 1));
            lines.truncate(usize::from(detail.height).saturating_sub(second.len()).max(1));
            lines.extend(second);
            canvas.lines(detail, &lines);
        }
    }
}

/// Returns the part with the list, the room in it, and where the rows are; what is left of `area`
/// is for the agent under the cursor.
fn places(area: Rect, shape: Shape) -> (Rect, Rect, Rect) {
    // As many rows as fit a long advice: always as many, so that no row above moves by itself.
    let detail = match shape.tall {
        Tall::Tiny | Tall::Low => 0,
        Tall::Middle => 4,
        Tall::High => 5,
    };
    let top = Rect { height: area.height.saturating_sub(detail), ..area };
    let inside = shape.inside(top);
    let header = u16::from(shape.wide >= Wide::Window).min(inside.height);
    let body = Rect { y: inside.y + header, height: inside.height - header, ..inside };
    (top, inside, body)
}

/// Returns all agents, each below its parent; roots with the most urgent first.
fn tree(scene: &Scene) -> Vec<&AgentView> {
    let agents = &scene.world.agents;
    let mut roots: Vec<&AgentView> = agents
        .values()
        .filter(|view| view.agent.parent.as_ref().is_none_or(|parent| !agents.contains_key(parent)))
        .collect();
    roots.sort_by_key(|view| (doing(view, scene), view.agent.name.clone()));
    let mut order = Vec::new();
    for root in roots {
        walk(root, scene, &mut order);
    }
    // Agents whose parents form a circle hang on no root: they come last, never get lost.
    let rest: Vec<&AgentView> = agents
        .values()
        .filter(|view| !order.iter().any(|one: &&AgentView| one.agent.name == view.agent.name))
        .collect();
    order.extend(rest);
    order
}

fn walk<'a>(view: &'a AgentView, scene: &'a Scene, order: &mut Vec<&'a AgentView>) {
    if order.iter().any(|one| one.agent.name == view.agent.name) || order.len() > 10_000 {
        return;
    }
    order.push(view);
    let name = Some(&view.agent.name);
    for child in scene.world.agents.values().filter(|child| child.agent.parent.as_ref() == name) {
        walk(child, scene, order);
    }
}

fn doing(view: &AgentView, scene: &Scene) -> Doing {
    let agent = &view.agent;
    let waits = scene.world.waiting().iter().any(|approval| approval.agent == agent.name);
    match agent.status {
        AgentStatus::Stopped => Doing::Offline,
        // A pause keeps its questions: they wait for a person all the same.
        AgentStatus::Active | AgentStatus::Paused | AgentStatus::Drained if waits => {
            Doing::WaitsForYou
        }
        AgentStatus::Paused | AgentStatus::Drained | AgentStatus::Quarantined => Doing::Held,
        AgentStatus::Active => match (scene.world.run_of(&agent.name), view.liveness) {
            (Some(_), Liveness::Offline) => Doing::Lost,
            (_, Liveness::Online) if view.silent_since.is_some() => Doing::Silent,
            (_, Liveness::Late) => Doing::Late,
            (Some(_), Liveness::Online) => Doing::Working,
            (None, Liveness::Online) => Doing::Idle,
            (None, Liveness::Offline) => Doing::Offline,
        },
    }
}

/// Says what an agent is doing; what is sick says for how long.
fn doing_word(doing: Doing, view: &AgentView, scene: &Scene) -> String {
    let since = |at: Option<Timestamp>| {
        at.map_or_else(String::new, |at| format!(" {}", age(scene.time().since(at))))
    };
    match doing {
        Doing::WaitsForYou if view.agent.status == AgentStatus::Active => {
            "waits for YOU".to_owned()
        }
        Doing::WaitsForYou => format!("waits, {}", story::word(&view.agent.status)),
        Doing::Held => story::word(&view.agent.status),
        Doing::Lost => format!("LOST{}", since(view.last_heartbeat)),
        Doing::Silent => format!("SILENT{}", since(view.silent_since)),
        Doing::Late => format!("LATE{}", since(view.last_heartbeat)),
        Doing::Working => "working".to_owned(),
        Doing::Idle => "idle".to_owned(),
        Doing::Offline if view.agent.status == AgentStatus::Stopped => "stopped".to_owned(),
        Doing::Offline => "offline".to_owned(),
    }
}

fn doing_token(doing: Doing) -> Token {
    match doing {
        Doing::WaitsForYou | Doing::Late | Doing::Held => Token::Warn,
        Doing::Lost | Doing::Silent => Token::Crit,
        Doing::Working => Token::Ok,
        Doing::Idle | Doing::Offline => Token::Dim,
    }
}

fn summary(scene: &Scene) -> Line {
    let mut counts = std::collections::BTreeMap::new();
    for view in scene.world.agents.values() {
        *counts.entry(doing(view, scene)).or_insert(0) += 1;
    }
    let mut line = Line::new().own(Token::Strong, "Fleet");
    for (doing, count) in counts {
        let word = match doing {
            Doing::WaitsForYou => "wait for you",
            Doing::Held => "held",
            Doing::Lost => "lost",
            Doing::Silent => "silent",
            Doing::Late => "late",
            Doing::Working => "working",
            Doing::Idle => "idle",
            Doing::Offline => "offline",
        };
        line = line.own(doing_token(doing), format!(" · {word} {count}"));
    }
    line.own(Token::Dim, " · squad ").own(Token::Strong, story::word(&scene.world.squad.status))
}

fn header(wide: Wide) -> Line {
    let clocks = format!("{:>5} {:>5} {:>5} {:>3}", "work", "beat", "spend", "err");
    let words = match wide {
        Wide::Eight => format!(
            " {:<18} {:<11} {:<15} {:<14} {clocks} {:>8} of budget",
            "agent", "role", "state", "task, run", "$ today"
        ),
        Wide::Six => format!(
            " {:<18} {:<15} {:<14} {clocks} {:>8} of budget",
            "agent", "state", "task, run", "$ today"
        ),
        _ => format!(" {:<14} {:<14} {:<7} {clocks} {:>8}", "agent", "state", "task", "$ today"),
    };
    Line::new().own(Token::Dim, words)
}

fn row(view: &AgentView, scene: &Scene, (wide, is_selected): (Wide, bool)) -> Line {
    let agent = &view.agent;
    let doing = doing(view, scene);
    let (for_name, for_state) = if wide >= Wide::Six { (19, 16) } else { (15, 15) };
    let name = Line::new()
        .own(Token::Strong, if is_selected { ">" } else { " " })
        .own(Token::Dim, branch(view, scene))
        .says(Token::Strong, &text::line(&agent.name))
        .to_column(for_name);
    let state = Line::new()
        .own(Token::Fg, " ")
        .own(doing_token(doing), doing_word(doing, view, scene))
        .to_column(for_state);
    let spent =
        Line::new().own(Token::Money, format!(" {:>8}", money(view.today_uusd, view.today_state)));
    let task = agent.current_task.map_or_else(|| "-".to_owned(), |task| task.to_string());
    let budget = budget(view, scene);
    if wide < Wide::Window {
        let line = name.then(state).own(Token::Fg, format!(" {task:<7}"));
        return line.then(spent).then(short_budget(&budget));
    }
    let now = scene.time();
    let ago = |at: Option<Timestamp>| at.map_or_else(|| "?".to_owned(), |at| age(now.since(at)));
    let beat = if matches!(doing, Doing::Lost | Doing::Late) { Token::Crit } else { Token::Fg };
    let work = if doing == Doing::Silent { Token::Crit } else { Token::Fg };
    let spend = scene.world.last_spend.get(&agent.name).copied();
    let errors = if agent.error_streak > 0 { Token::Warn } else { Token::Dim };
    let clocks = Line::new()
        .own(work, format!(" {:>5}", ago(agent.last_work_at)))
        .own(beat, format!(" {:>5}", ago(view.last_heartbeat)))
        .own(Token::Fg, format!(" {:>5}", ago(spend)))
        .own(errors, format!(" {:>3}", agent.error_streak));
    if wide < Wide::Six {
        let line = name.then(state).own(Token::Fg, format!(" {task:<7}"));
        return line.then(clocks).then(spent).then(short_budget(&budget));
    }
    let role = if wide >= Wide::Eight {
        format!(" {:<11}", story::word(&agent.autonomy))
    } else {
        String::new()
    };
    let run = agent.current_run.map(|run| format!(" {run}")).unwrap_or_default();
    name.own(Token::Dim, role)
        .then(state)
        .own(Token::Fg, format!(" {:<14}", format!("{task}{run}")))
        .then(clocks)
        .then(spent)
        .then(if wide >= Wide::Eight { of_budget(&budget) } else { of_cap(&budget) })
}

/// The place of an agent in the tree: one step in for each parent that is known.
fn branch(view: &AgentView, scene: &Scene) -> String {
    let agents = &scene.world.agents;
    let mut depth: usize = 0;
    let mut above = view.agent.parent.as_ref();
    while let Some(parent) = above.and_then(|name| agents.get(name)).filter(|_| depth < 4) {
        depth += 1;
        above = parent.agent.parent.as_ref();
    }
    match depth {
        0 => String::new(),
        _ => format!("{}└ ", " ".repeat(depth - 1)),
    }
}

/// Returns an agent's day: as the daemon told it with what is reserved, else its own cap.
fn budget(view: &AgentView, scene: &Scene) -> Budget {
    let agent = &view.agent;
    if let Some(known) = scene.world.budgets.get(&agent.name) {
        return known.clone();
    }
    Budget {
        scope: Scope::AgentDay,
        of: agent.name.to_string(),
        cap_uusd: Some(agent.daily_cap_uusd).filter(|cap| cap.0 > 0),
        granted_uusd: MicroUsd::ZERO,
        spent_uusd: view.today_uusd,
        unpriced_uusd: MicroUsd::ZERO,
        sub_agents_uusd: MicroUsd::ZERO,
        reserved_uusd: MicroUsd::ZERO,
        unpriced: view.today_state == Some(CostState::Unpriced),
        state: view.today_state,
        cap_tokens: None,
        spent_tokens: 0,
        reserved_tokens: 0,
        percent: percent(view.today_uusd, agent.daily_cap_uusd).unwrap_or(0),
    }
}

/// Returns only the percent of a budget.
fn short_budget(budget: &Budget) -> Line {
    let token = match budget.percent {
        100.. => Token::Crit,
        80.. => Token::Warn,
        _ => Token::Dim,
    };
    Line::new().own(token, format!(" {}%", budget.percent))
}

/// Two lines about the agent under the cursor: what is with it and what to do, what it may spend.
fn about(view: &AgentView, scene: &Scene) -> [Line; 2] {
    let agent = &view.agent;
    let doing = doing(view, scene);
    let mut first = Line::new()
        .own(Token::Fg, " ")
        .says(Token::Strong, &text::line(&agent.name))
        .own(doing_token(doing), format!(" ({})", story::word(&agent.autonomy)))
        .own(doing_token(doing), format!(": {}", doing_word(doing, view, scene)));
    // Of an agent that works it would be the reason of its last resume.
    let is_held = agent.status != AgentStatus::Active;
    if let Some(reason) = agent.status_reason.as_ref().filter(|_| is_held) {
        first = first.own(Token::Dim, ": ").says(Token::Fg, &text::line(reason));
    }
    if let Some(advice) = advice(doing, agent) {
        first = first.own(Token::Dim, ". Next: ").own(Token::Fg, advice);
    }
    let last = scene.world.feed.iter().rev().find(|event| event.actor.name == agent.name.as_str());
    if let Some(last) = last {
        first = first.own(Token::Dim, ". Last: ").says(Token::Fg, &story::line(last));
    }
    let budget = budget(view, scene);
    let mut second = Line::new()
        .own(Token::Dim, " today ")
        .own(Token::Money, money(view.today_uusd, view.today_state))
        .then(of_budget(&budget));
    if budget.sub_agents_uusd > MicroUsd::ZERO {
        let text = format!(" · its sub-agents {} of that cap", budget.sub_agents_uusd);
        second = second.own(Token::Dim, text);
    }
    second = second.own(
        Token::Dim,
        format!(
            " · a run {} · in all {}",
            agent.run_cap_uusd,
            money(agent.spent_uusd, agent.cost_state)
        ),
    );
    second = if view.attached.is_empty() {
        second.own(Token::Warn, " · no runtime is attached")
    } else {
        let names = text::line(&view.attached.join(", "));
        second.own(Token::Dim, " · ").says(Token::Dim, &names)
    };
    [first, second]
}

/// What a person can do about it.
fn advice(doing: Doing, agent: &Agent) -> Option<String> {
    let known = match doing {
        Doing::WaitsForYou => Some("decide what it waits for (o lists it)"),
        Doing::Lost => Some("look at its runtime; its task is taken back when it stays away"),
        Doing::Silent => Some("it beats but gets nothing done: look at its session, or pause it"),
        Doing::Late => Some("look at its runtime"),
        Doing::Held if agent.evidence.is_some() && agent.status == AgentStatus::Quarantined => {
            return Some(format!("read `mcctl agent evidence {}`; Enter resumes it", agent.name));
        }
        Doing::Held => Some("Enter resumes it"),
        Doing::Working | Doing::Idle | Doing::Offline => None,
    };
    known.map(str::to_owned)
}
