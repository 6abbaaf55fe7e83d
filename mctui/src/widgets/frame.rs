//! The frame around every screen: where the parts are at each size, and the rows that only the
//! console itself writes to.

use mc_core::{actor::Level, squad::SquadStatus};
use ratatui::layout::Rect;

use super::{Canvas, Line};
use crate::{
    format::{minute, money},
    keymap::{self, Action, Binding, Context},
    link::Health,
    scene::Scene,
    text,
    theme::Token,
};

/// How much fits beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wide {
    /// One list without borders: below 50 columns.
    List,
    /// One column and the strip: 50 to 79.
    One,
    /// A window of three columns: 80 to 119.
    Window,
    /// Six columns: 120 to 159.
    Six,
    /// Eight columns: 160 and more.
    Eight,
}

/// How much fits below each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tall {
    /// Status, strip, list and hints: below 10 rows.
    Tiny,
    /// No borders; notice and hints share a row: 10 to 19.
    Low,
    /// Only the next step under the board: 20 to 29.
    Middle,
    /// The five answers under the board: 30 and more.
    High,
}

/// The shape of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Its width class.
    pub wide: Wide,
    /// Its height class.
    pub tall: Tall,
    /// Whether it is under 20 x 5: then only the status and the way to stop are shown.
    pub is_minimal: bool,
}

/// Where the parts of the frame are; what has no room is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Row 1.
    pub status: Rect,
    /// Row 2.
    pub tabs: Rect,
    /// The screen.
    pub body: Rect,
    /// The notice line.
    pub notice: Rect,
    /// The hint line.
    pub hints: Rect,
}

impl Shape {
    /// Returns the shape of a screen of `area`.
    pub fn of(area: Rect) -> Self {
        let wide = match area.width {
            0..50 => Wide::List,
            50..80 => Wide::One,
            80..120 => Wide::Window,
            120..160 => Wide::Six,
            _ => Wide::Eight,
        };
        let tall = match area.height {
            0..10 => Tall::Tiny,
            10..20 => Tall::Low,
            20..30 => Tall::Middle,
            _ => Tall::High,
        };
        Self { wide, tall, is_minimal: area.width < 20 || area.height < 5 }
    }

    /// Says whether lists have a box around them; else they have a line above.
    pub fn is_boxed(self) -> bool {
        self.tall > Tall::Low && self.wide > Wide::List
    }

    /// Returns the room in a box, or under the line above, that takes `area`.
    pub fn inside(self, area: Rect) -> Rect {
        if self.is_boxed() && area.width >= 2 && area.height >= 2 {
            Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
        } else {
            Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
        }
    }
}

impl Places {
    /// Returns where the parts are in `area`.
    pub fn of(area: Rect) -> Self {
        let row = |y: u16, height: u16| Rect::new(area.x, area.y + y, area.width, height);
        let none = row(0, 0);
        let shape = Shape::of(area);
        if shape.is_minimal {
            let hints = if area.height > 1 { row(area.height - 1, 1) } else { none };
            let body = if area.height > 2 { row(1, area.height - 2) } else { none };
            return Self {
                status: row(0, area.height.min(1)),
                tabs: none,
                body,
                notice: none,
                hints,
            };
        }
        let shared = shape.tall <= Tall::Low;
        let foot = if shared { 1 } else { 2 };
        let hints = row(area.height - 1, 1);
        if shape.tall == Tall::Tiny {
            let body = row(1, area.height - 2);
            return Self { status: row(0, 1), tabs: none, body, notice: hints, hints };
        }
        let notice = if shared { hints } else { row(area.height - 2, 1) };
        Self {
            status: row(0, 1),
            tabs: row(1, 1),
            body: row(2, area.height - 2 - foot),
            notice,
            hints,
        }
    }

    /// Returns where dialogs are drawn: they never cover row 1.
    pub fn middle(&self) -> Rect {
        let top = self.status.bottom();
        let bottom = self.hints.y.max(top);
        if bottom <= top {
            Rect::default()
        } else {
            Rect { y: top, height: bottom - top, ..self.status }
        }
    }
}

/// Draws row 1: what stands here comes from the console alone.
pub fn status(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
    let right = identity(scene, area.width);
    let width = usize::from(area.width);
    let room = width.saturating_sub(right.width() + 1);
    let mut line = Line::new().own(Token::Strong, if width < 50 { "MC" } else { " MC" });
    if scene.is_demo {
        line = line.own(Token::Warn, " DEMO");
    }
    let mut told = Told::Long;
    while told != Told::Tiny && line.width() + needed(scene, (area.width, told)) > room {
        told = if told == Told::Long { Told::Short } else { Told::Tiny };
    }
    let all = parts(scene, told).into_iter().chain(squad_name(scene));
    for part in all {
        let part = Line::new().own(Token::Border, separator(area.width, told)).then(part);
        if line.width() + part.width() <= room {
            line = line.then(part);
        }
    }
    canvas.line(area, &line);
    canvas.line_right(area, &right);
}

fn separator(width: u16, told: Told) -> &'static str {
    if width < 80 || told == Told::Tiny { " " } else { " │ " }
}

/// How many words row 1 has for what it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// `NEEDS YOU 5`.
    Long,
    /// `NEEDS 5`.
    Short,
    /// `5!`.
    Tiny,
}

/// Returns how many columns the parts of row 1 take, with what stands between them.
fn needed(scene: &Scene, (width, told): (u16, Told)) -> usize {
    let between = Line::new().own(Token::Fg, separator(width, told)).width();
    parts(scene, told).iter().map(|part| part.width() + between).sum()
}

/// The parts of row 1, the most important first; those without room are left out.
fn parts(scene: &Scene, told: Told) -> Vec<Line> {
    let world = &scene.world;
    let live = match scene.link.health(scene.now) {
        Health::Live => Token::Ok,
        Health::Late => Token::Warn,
        Health::Off => Token::Crit,
    };
    let mut parts = Vec::new();
    match world.squad.status {
        SquadStatus::Running => {}
        SquadStatus::Paused => parts.push(Line::new().own(Token::Warn, "PAUSED")),
        SquadStatus::Halted => parts.push(Line::new().own(Token::Crit, "STOPPED")),
    }
    parts.push(Line::new().own(live, scene.link.label(scene.now)));
    if !world.is_loaded {
        return parts;
    }
    let mine = world.mine().len();
    let token = if mine > 0 { Token::Warn } else { Token::Dim };
    let words = match told {
        Told::Long => format!("NEEDS YOU {mine}"),
        Told::Short => format!("NEEDS {mine}"),
        Told::Tiny => format!("{mine}!"),
    };
    parts.push(Line::new().own(token, words));
    let (critical, warnings) = world.alarm_counts();
    if critical + warnings > 0 {
        let token = if critical > 0 { Token::Crit } else { Token::Warn };
        let words = match told {
            Told::Long => format!("{critical} crit {warnings} warn"),
            Told::Short | Told::Tiny => format!("{critical}c {warnings}w"),
        };
        parts.push(Line::new().own(token, words));
    }
    if world.read_only.is_some() {
        parts.push(Line::new().own(Token::Crit, "READ ONLY"));
    }
    let (working, all) = world.at_work();
    let words = if told == Told::Long { " at work" } else { "" };
    parts.push(Line::new().own(Token::Fg, format!("{working}/{all}{words}")));
    let (spent, known) = world.spent_today();
    let cap = world.daily_cap.map(|cap| format!(" of {cap}")).unwrap_or_default();
    let words = if told == Told::Long { " today" } else { "" };
    parts.push(Line::new().own(Token::Money, format!("{}{cap}{words}", money(spent, known))));
    parts
}

fn squad_name(scene: &Scene) -> Option<Line> {
    let name = &scene.world.squad.name;
    let is_known = scene.world.is_loaded && !name.is_empty();
    is_known.then(|| Line::new().says(Token::Dim, &text::line(name)))
}

/// The right end of row 1: the clock, the operator and the level.
fn identity(scene: &Scene, width: u16) -> Line {
    let mut line = Line::new();
    if width >= 60 {
        line = line.own(Token::Dim, format!("{} UTC ", minute(scene.time())));
    }
    let Some(me) = &scene.me else { return line };
    if (me.shared_uid || scene.world.shared_uid) && width >= 50 {
        line = line.own(Token::Warn, "SHARED UID ");
    }
    if width < 40 {
        return line;
    }
    let level = me.level.unwrap_or_default();
    let star = if level > Level::L0 { "*" } else { "" };
    line.says(Token::Strong, &text::line(&me.name)).own(Token::Fg, format!("{star} {level} "))
}

/// One tab: its number, its name, how much waits there.
pub struct Tab {
    /// The name.
    pub name: &'static str,
    /// How much waits there.
    pub count: usize,
    /// Whether it is the one that is open.
    pub is_open: bool,
}

/// Draws row 2: the tabs, or the trail, and at the right the filter with its count.
pub fn tabs(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (tabs, trail): (&[Tab], Option<Line>),
    right: &Line,
) {
    let mut line = Line::new();
    if let Some(trail) = trail {
        line = trail;
    } else {
        for (at, tab) in tabs.iter().enumerate() {
            let count = if tab.count > 0 { format!(" {}", tab.count) } else { String::new() };
            let name = format!("{} {}{count}", at + 1, tab.name);
            line = if tab.is_open {
                line.own(Token::Strong, format!("[{name}] "))
            } else {
                line.own(Token::Dim, format!(" {name}  "))
            };
        }
    }
    let room = usize::from(area.width).saturating_sub(right.width() + 1);
    canvas.line(area, &line.fit(room));
    canvas.line_right(area, right);
}

/// Draws the notice line.
pub fn notice(canvas: &mut Canvas<'_>, area: Rect, line: &Line) {
    canvas.line(area, &Line::new().own(Token::Fg, " ").then(line.clone()));
}

/// Draws the hint row from the keymap, Emergency always at the right; what does nothing for the row
/// under the cursor is `dead` and left out.
pub fn hints(canvas: &mut Canvas<'_>, area: Rect, context: Context, dead: Option<Action>) {
    let alarm = if area.width < 40 { "! STOP" } else { "! EMERGENCY" };
    let alarm = Line::new().own(Token::Crit, alarm);
    let room = usize::from(area.width).saturating_sub(alarm.width() + 2);
    let mut line = Line::new();
    let offered = |row: &&Binding| row.action != Action::Emergency && Some(row.action) != dead;
    for row in keymap::rows(context).filter(offered) {
        let Some(key) = row.keys.first().filter(|_| !row.hint.is_empty()) else { continue };
        let hint = Line::new()
            .own(Token::Key, format!(" {}", key.name()))
            .own(Token::Dim, format!(" {} ", row.hint));
        if line.width() + hint.width() > room {
            break;
        }
        line = line.then(hint);
    }
    canvas.line(area, &line);
    canvas.line_right(area, &alarm);
}
