//! Alerts above the live feed.

use mc_core::{
    agent::AgentName,
    alert::{Alert, AlertStatus},
    event::Recorded,
    id::{AlertId, Seq, TaskId},
};
use ratatui::layout::Rect;

use crate::{
    format::{age, clock, short},
    keymap::Action,
    overlays::forms,
    scene::{Intent, Scene},
    story, text,
    theme::{Token, severity_badge},
    widgets::{Canvas, Line, Listing, Shape, Tall, Wide, rows},
};

/// Which half has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Half {
    #[default]
    Alerts,
    Feed,
}

/// Alerts and feed.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    list: Listing<AlertId>,
    half: Half,
    /// The event under the cursor; `None` follows what comes.
    at: Option<Seq>,
}

impl Alerts {
    /// Returns the alert under the cursor.
    pub fn selected(&self) -> Option<AlertId> {
        self.list.selected().copied()
    }

    /// Returns the task and the agent of the row under the cursor.
    pub fn about(&self, scene: &Scene) -> (Option<TaskId>, Option<AgentName>) {
        if self.half == Half::Feed {
            return (self.event(&shown(scene)).and_then(|event| event.event.task()), None);
        }
        let alert = self.selected().and_then(|id| scene.world.alerts.get(&id));
        alert.map_or((None, None), |alert| (alert.task, alert.agent.clone()))
    }

    /// Returns the event under the cursor.
    fn event<'a>(&self, feed: &[&'a Recorded]) -> Option<&'a Recorded> {
        match self.at {
            Some(at) => feed.iter().find(|event| event.seq == at).copied(),
            None => feed.last().copied(),
        }
    }

    /// Takes in what the world holds now.
    pub fn merge(&mut self, scene: &Scene) {
        self.list.merge(&current(scene));
    }

    /// Sorts the list anew.
    pub fn settle(&mut self, scene: &Scene) {
        self.list.settle(current(scene));
    }

    /// Puts the cursor on `alert`.
    pub fn open(&mut self, alert: AlertId, scene: &Scene) {
        self.settle(scene);
        self.list.select(&alert);
        self.half = Half::Alerts;
    }

    /// Takes in an action.
    pub fn update(&mut self, action: Action, scene: &Scene, height: u16) -> Option<Intent> {
        let half = isize::try_from(height / 4).unwrap_or(1).max(1);
        let step = match action {
            Action::Down => 1,
            Action::Up => -1,
            Action::HalfDown => half,
            Action::HalfUp => -half,
            Action::First => isize::MIN / 2,
            Action::Last => isize::MAX / 2,
            _ => return self.act(action, scene),
        };
        if self.half == Half::Feed {
            self.step_feed(step, scene);
        } else {
            self.settle(scene);
            self.list.step(step);
        }
        None
    }

    /// Notes how many rows fit.
    pub fn fit(&mut self, area: Rect, shape: Shape, scene: &Scene) {
        let (alerts, _) = self.halves(area, shape, scene);
        if alerts.height > 0 {
            let inside = shape.inside(alerts);
            let next = short(self.next(inside, scene).len());
            self.list.fit(usize::from(inside.height - next));
        }
    }

    /// Returns where alerts and feed are.
    fn halves(&self, area: Rect, shape: Shape, scene: &Scene) -> (Rect, Rect) {
        let none = Rect { height: 0, ..area };
        match (shape.tall, self.half) {
            (Tall::Tiny, Half::Alerts) => (area, none),
            (Tall::Tiny, Half::Feed) => (none, area),
            (Tall::Low | Tall::Middle | Tall::High, _) => {
                let split = alert_rows(area.height, scene);
                let rest = area.height.saturating_sub(split);
                let feed = Rect { y: area.y + split, height: rest, ..area };
                (Rect { height: split, ..area }, feed)
            }
        }
    }

    fn step_feed(&mut self, step: isize, scene: &Scene) {
        let feed = shown(scene);
        let last = feed.len().saturating_sub(1);
        let at =
            self.at.and_then(|at| feed.iter().position(|event| event.seq >= at)).unwrap_or(last);
        let to = at.saturating_add_signed(step).min(last);
        self.at = if to == last { None } else { feed.get(to).map(|event| event.seq) };
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Option<Intent> {
        match action {
            Action::NextPane | Action::PrevPane => {
                self.half = if self.half == Half::Alerts { Half::Feed } else { Half::Alerts };
                None
            }
            Action::Follow => {
                self.at = None;
                None
            }
            Action::Open if self.half == Half::Feed => {
                let event = self.event(&shown(scene))?;
                let nothing = || Intent::Say("this event belongs to no task".to_owned());
                Some(event.event.task().map_or_else(nothing, Intent::OpenTask))
            }
            Action::Open => {
                let alert = scene.world.alerts.get(&self.selected()?)?;
                Some(match (alert.approval, alert.task, &alert.agent) {
                    (Some(approval), _, _) => Intent::OpenApproval(approval),
                    (None, Some(task), _) => Intent::OpenTask(task),
                    (None, None, Some(agent)) => Intent::OpenAgent(agent.clone()),
                    (None, None, None) => {
                        Intent::Say("this alert is about the daemon itself".to_owned())
                    }
                })
            }
            Action::Approve => self.selected().map(forms::ack),
            Action::Deny => self.selected().map(forms::resolve),
            _ => None,
        }
    }

    /// Draws alerts and feed.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
        let shape = Shape::of(canvas.area());
        let (alerts, feed) = self.halves(area, shape, scene);
        self.view_alerts(canvas, alerts, scene);
        self.view_feed(canvas, feed, scene);
    }

    fn pane(&self, canvas: &mut Canvas<'_>, area: Rect, (half, title): (Half, &Line)) -> Rect {
        let shape = Shape::of(canvas.area());
        if shape.tall > Tall::Low && shape.wide > Wide::List {
            let token = if self.half == half { Token::Focus } else { Token::Border };
            return canvas.framed(area, title, token);
        }
        canvas.line(area, title);
        Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
    }

    fn view_alerts(&self, canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
        if area.height == 0 {
            return;
        }
        let count =
            |wanted| scene.world.alerts.values().filter(|alert| alert.status == wanted).count();
        let title = Line::new().own(
            Token::Strong,
            format!(
                "Alerts open {} · acked {}",
                count(AlertStatus::Open),
                count(AlertStatus::Acknowledged)
            ),
        );
        let inside = self.pane(canvas, area, (Half::Alerts, &title));
        if self.list.ids().is_empty() {
            canvas.line(inside, &Line::new().own(Token::Dim, " nothing is wrong"));
        }
        let next = self.next(inside, scene);
        let list = Rect { height: inside.height - short(next.len()), ..inside };
        canvas.lines(Rect { y: list.bottom(), height: short(next.len()), ..inside }, &next);
        let (ids, above, below) = self.list.window(usize::from(list.height.max(1)));
        canvas.hidden(area, inside, (above, below));
        for (place, id) in rows(list).zip(ids) {
            if let Some(alert) = scene.world.alerts.get(id) {
                canvas.line(place, &alert_row(alert, scene, self.list.selected() == Some(id)));
            }
            if self.half == Half::Alerts && self.list.selected() == Some(id) {
                canvas.select(place);
            }
        }
    }

    /// Returns what to do about the alert under the cursor, for the last rows of `area`: in the row
    /// itself a long text would cut it off.
    fn next(&self, area: Rect, scene: &Scene) -> Vec<Line> {
        let alert = self.selected().and_then(|id| scene.world.alerts.get(&id));
        let Some(alert) = alert.filter(|_| area.height >= 2) else { return Vec::new() };
        let next = Line::new().own(Token::Key, " NEXT ");
        let next = match (&alert.next, alert.status) {
            (_, AlertStatus::Resolved) => next.own(Token::Dim, "nothing: it is over"),
            (Some(words), _) => next.says(Token::Fg, &text::line(words)),
            (None, _) => next.own(Token::Fg, "look at it, then say that you have seen it"),
        };
        let keys = Line::new().own(Token::Dim, format!("   {}", keys(alert)));
        let width = usize::from(area.width);
        let mut lines = Vec::new();
        if alert_row(alert, scene, true).width() > width {
            let whole = Line::new().own(Token::Key, " WHAT ");
            lines.extend(whole.says(Token::Fg, &text::line(&alert.text)).wrap(width, 6));
        }
        let mut next = next.then(keys).wrap(width, 6);
        next.truncate(usize::from((area.height - 1).min(3)));
        // What to do counts more than the end of what is wrong.
        lines.truncate(usize::from(area.height - 1).saturating_sub(next.len()));
        lines.extend(next);
        lines
    }

    fn view_feed(&self, canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
        if area.height == 0 {
            return;
        }
        let feed = shown(scene);
        let last = self.at.and_then(|at| feed.iter().rposition(|event| event.seq <= at));
        let behind = last.map_or(0, |last| feed.len().saturating_sub(last + 1));
        let follow = match behind {
            0 => "following".to_owned(),
            new => format!("{new} newer below (F catches up)"),
        };
        let title = Line::new().own(Token::Strong, "Feed").own(Token::Dim, format!(" · {follow}"));
        let inside = self.pane(canvas, area, (Half::Feed, &title));
        let end = last.map_or(feed.len(), |last| last + 1);
        let start = end.saturating_sub(usize::from(inside.height));
        let window = feed.get(start..end).unwrap_or_default();
        for (place, recorded) in rows(inside).zip(window) {
            canvas.line(place, &feed_row(recorded, usize::from(inside.width)));
            let is_cursor = start + usize::from(place.y - inside.y) + 1 == end;
            if self.half == Half::Feed && is_cursor {
                canvas.select(place);
            }
        }
    }
}

fn alert_rows(height: u16, scene: &Scene) -> u16 {
    let wanted = short(scene.world.open_alerts().len()).saturating_add(6);
    wanted.clamp(3, (height / 2).max(3)).min(height)
}

fn current(scene: &Scene) -> Vec<AlertId> {
    let view = scene.view();
    let open = scene.world.open_alerts().into_iter();
    open.filter(|alert| scene.query.matches_alert(alert, &view)).map(|alert| alert.id).collect()
}

fn shown(scene: &Scene) -> Vec<&Recorded> {
    let view = scene.view();
    let is_news = |one: &&Recorded| !scene.query.is_empty() || !one.event.is_routine();
    let feed = scene.world.feed.iter().filter(is_news);
    feed.filter(|recorded| scene.query.matches_event(recorded, &view)).collect()
}

fn alert_row(alert: &Alert, scene: &Scene, is_selected: bool) -> Line {
    let cursor = if is_selected { ">" } else { " " };
    let is_open = alert.status == AlertStatus::Open;
    let token = if is_open { Token::severity(alert.severity) } else { Token::Dim };
    let line = Line::new()
        .own(Token::Strong, cursor)
        .own(token, format!("{} {:<5} ", severity_badge(alert.severity), alert.id.to_string()))
        .says(Token::Fg, &text::line(&alert.text));
    let state = match (alert.status, &alert.by) {
        (AlertStatus::Open, _) => {
            Line::new().own(Token::Dim, format!("  {}", scene.when(alert.at)))
        }
        (status, by) => {
            let by = text::line(by.as_deref().unwrap_or("?"));
            Line::new()
                .own(Token::Dim, format!("  {} by ", story::word(&status)))
                .says(Token::Dim, &by)
        }
    };
    let about = alert.task.map(|task| format!("  {task}")).unwrap_or_default();
    let line = line.own(Token::Dim, about);
    match (alert.task, &alert.agent) {
        (None, Some(agent)) => line.own(Token::Dim, "  ").says(Token::Dim, &text::line(agent)),
        _ => line,
    }
    .then(state)
}

/// Which keys do it.
fn keys(alert: &Alert) -> String {
    let opens = match (alert.approval, alert.task, &alert.agent) {
        (Some(approval), ..) => format!("Enter opens {approval}"),
        (None, Some(task), _) => format!("Enter opens {task}"),
        (None, None, Some(_)) => "Enter opens the agent".to_owned(),
        (None, None, None) => "it is about the daemon itself".to_owned(),
    };
    match alert.status {
        AlertStatus::Open => format!("[{opens}, a acknowledges, d resolves]"),
        AlertStatus::Acknowledged => format!("[{opens}, d resolves]"),
        AlertStatus::Resolved => format!("[{opens}]"),
    }
}

/// Returns one event as a row of the feed.
pub fn feed_row(recorded: &Recorded, width: usize) -> Line {
    let task = recorded.event.task().map(|task| format!(" {task}")).unwrap_or_default();
    let right = format!("{task} e{} ", recorded.seq);
    let line = Line::new()
        .own(Token::Dim, format!(" {} ", clock(recorded.at)))
        .own(story::token(&recorded.event), format!("{:<5} ", story::kind(&recorded.event)))
        .says(Token::Fg, &story::line(recorded));
    if width < 60 {
        return line;
    }
    line.to_column(width.saturating_sub(right.len())).own(Token::Dim, right)
}

/// Returns how long nothing happened, if that was long.
pub fn silence(from: &Recorded, to: &Recorded) -> Option<Line> {
    let span = to.at.since(from.at);
    (span.as_secs() >= 300).then(|| {
        Line::new().own(Token::Dim, format!("          … {} without any event …", age(span)))
    })
}
