//! The fleet: who works, who waits for a person, who is silent; with the tree of sub-agents.

use mc_core::agent::{AgentName, AgentStatus, Liveness};
use mc_proto::method::agent::AgentView;
use ratatui::layout::Rect;

use crate::{
    format::{age, meter, money, percent},
    keymap::Action,
    overlays::forms,
    scene::{Intent, Scene},
    story, text,
    theme::Token,
    widgets::{Canvas, Line, Listing, Shape, Tall, Wide, rows},
};

/// The fleet.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    list: Listing<AgentName>,
}

/// What an agent is doing, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    WaitsForYou,
    Held,
    Lost,
    Late,
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
        self.list.merge(&current(scene));
    }

    /// Sorts the list anew.
    pub fn settle(&mut self, scene: &Scene) {
        self.list.settle(current(scene));
    }

    /// Puts the cursor on `agent`.
    pub fn open(&mut self, agent: &AgentName, scene: &Scene) {
        self.settle(scene);
        self.list.select(agent);
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
            _ => return None,
        };
        self.settle(scene);
        self.list.step(step);
        self.list.fit(usize::from(height.saturating_sub(4).max(1)));
        None
    }

    /// Draws the fleet.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
        let shape = Shape::of(canvas.area());
        let detail = u16::from(shape.tall >= Tall::Middle) * 2;
        let top = Rect { height: area.height.saturating_sub(detail), ..area };
        let summary = summary(scene);
        let inside = if shape.tall > Tall::Low && shape.wide > Wide::List {
            canvas.framed(top, &summary, Token::Focus)
        } else {
            canvas.line(top, &summary);
            Rect { y: top.y + 1, height: top.height.saturating_sub(1), ..top }
        };
        if self.list.ids().is_empty() {
            let why = if scene.query.is_empty() {
                " no agents yet: `mcctl agent register`, or `mcctl openclaw install`"
            } else {
                " none matches: Esc clears the filter"
            };
            canvas.line(inside, &Line::new().own(Token::Dim, why));
            return;
        }
        let mut body = inside;
        if shape.wide >= Wide::Window {
            canvas.line(body, &header(shape.wide));
            body = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
        }
        let (ids, ..) = self.list.window(usize::from(body.height.max(1)));
        for (place, id) in rows(body).zip(ids) {
            if let Some(view) = scene.world.agents.get(id) {
                let is_selected = self.list.selected() == Some(id);
                canvas.line(place, &row(view, scene, (shape.wide, is_selected)));
            }
            if self.list.selected() == Some(id) {
                canvas.select(place);
            }
        }
        if detail > 0
            && let Some(view) = self.selected().and_then(|name| scene.world.agents.get(name))
        {
            let place = Rect { y: top.bottom(), height: detail, ..area };
            canvas.lines(place, &about(view, scene));
        }
    }
}

fn current(scene: &Scene) -> Vec<AgentName> {
    let asks = scene.view();
    let shown = |view: &&AgentView| scene.query.matches_agent(&view.agent, &asks);
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
    order.into_iter().filter(shown).map(|view| view.agent.name.clone()).collect()
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
        AgentStatus::Paused | AgentStatus::Drained | AgentStatus::Quarantined => Doing::Held,
        AgentStatus::Stopped => Doing::Offline,
        AgentStatus::Active if waits => Doing::WaitsForYou,
        AgentStatus::Active => match (scene.world.run_of(&agent.name), view.liveness) {
            (Some(_), Liveness::Offline) => Doing::Lost,
            (_, Liveness::Late) => Doing::Late,
            (Some(_), Liveness::Online) => Doing::Working,
            (None, Liveness::Online) => Doing::Idle,
            (None, Liveness::Offline) => Doing::Offline,
        },
    }
}

fn doing_word(doing: Doing, view: &AgentView) -> String {
    match doing {
        Doing::WaitsForYou => "waits for YOU".to_owned(),
        Doing::Held => story::word(&view.agent.status),
        Doing::Lost => "LOST".to_owned(),
        Doing::Late => "LATE".to_owned(),
        Doing::Working => "working".to_owned(),
        Doing::Idle => "idle".to_owned(),
        Doing::Offline => "offline".to_owned(),
    }
}

fn doing_token(doing: Doing) -> Token {
    match doing {
        Doing::WaitsForYou | Doing::Late | Doing::Held => Token::Warn,
        Doing::Lost => Token::Crit,
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
    let mut words =
        format!(" {:<18} {:<15} {:<15} {:>6} {:>6}", "agent", "state", "task, run", "work", "beat");
    if wide >= Wide::Six {
        words.push_str("  err role        $ today of budget");
    } else {
        words.push_str(" $ today");
    }
    Line::new().own(Token::Dim, words)
}

fn row(view: &AgentView, scene: &Scene, (wide, is_selected): (Wide, bool)) -> Line {
    let agent = &view.agent;
    let doing = doing(view, scene);
    let cursor = if is_selected { ">" } else { " " };
    let branch = if agent.parent.is_some() { "└ " } else { "" };
    let name = Line::new()
        .own(Token::Strong, cursor)
        .own(Token::Dim, branch)
        .says(Token::Strong, &text::line(&agent.name))
        .to_column(19);
    let state = Line::new()
        .own(Token::Fg, " ")
        .own(doing_token(doing), doing_word(doing, view))
        .to_column(16);
    let spent =
        Line::new().own(Token::Money, format!(" {}", money(view.today_uusd, agent.unpriced)));
    if wide < Wide::Window {
        let task = agent.current_task.map(|task| format!(" {task}")).unwrap_or_default();
        return name.then(state).own(Token::Fg, task).then(spent);
    }
    let now = scene.time();
    let ago = |at: Option<mc_core::time::Timestamp>| {
        at.map_or_else(|| "?".to_owned(), |at| age(now.since(at)))
    };
    let task = agent.current_task.map_or_else(|| "-".to_owned(), |task| task.to_string());
    let run = agent.current_run.map(|run| format!(" {run}")).unwrap_or_default();
    let line = name.then(state).own(
        Token::Fg,
        format!(
            " {:<15} {:>6} {:>6}",
            format!("{task}{run}"),
            ago(agent.last_work_at),
            ago(view.last_heartbeat)
        ),
    );
    if wide < Wide::Six {
        return line.then(spent);
    }
    let errors = if agent.error_streak > 0 { Token::Warn } else { Token::Dim };
    let used = percent(view.today_uusd, agent.daily_cap_uusd);
    let token = match used {
        Some(100..) => Token::Crit,
        Some(80..) => Token::Warn,
        Some(_) | None => Token::Dim,
    };
    line.own(errors, format!(" {:>4}", agent.error_streak))
        .own(Token::Dim, format!(" {:<11}", story::word(&agent.autonomy)))
        .then(spent)
        .own(Token::Dim, format!(" of {} ", agent.daily_cap_uusd))
        .own(token, meter(used))
        .own(token, used.map(|used| format!(" {used}%")).unwrap_or_default())
}

/// Two lines about the agent under the cursor.
fn about(view: &AgentView, scene: &Scene) -> [Line; 2] {
    let agent = &view.agent;
    let mut first = Line::new().own(Token::Fg, " ").says(Token::Strong, &text::line(&agent.name));
    first = match (&agent.status_reason, agent.status) {
        (Some(reason), status) => first
            .own(Token::Warn, format!(": {}: ", story::word(&status)))
            .says(Token::Fg, &text::line(reason)),
        (None, _) => first.own(Token::Fg, format!(": {}", doing_word(doing(view, scene), view))),
    };
    let runtime = if view.attached.is_empty() {
        Line::new().own(Token::Warn, " no runtime is attached")
    } else {
        Line::new()
            .own(Token::Dim, " attached: ")
            .says(Token::Fg, &text::line(&view.attached.join(", ")))
    };
    let second = runtime.own(Token::Dim, "   enter: pause, resume, drain, quarantine");
    [first, second]
}
