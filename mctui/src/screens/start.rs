//! The page for the first minutes: no daemon, no picture yet, no agents.

use ratatui::layout::Rect;

use crate::{
    link::Phase,
    scene::Scene,
    text,
    theme::Token,
    widgets::{Canvas, Line},
};

/// Draws what to do when there is nothing to show yet.
pub fn view(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
    let mut lines = match &scene.link.phase {
        Phase::Connecting | Phase::Resync | Phase::Up => {
            vec![Line::new().own(Token::Dim, " Loading the picture of the squad…")]
        }
        Phase::Lost { reason, .. } => lost(scene, reason),
        Phase::Refused { reason } => vec![
            Line::new().own(Token::Crit, " The daemon does not let this console in."),
            Line::new().own(Token::Fg, " ").says(Token::Fg, &text::line(reason)),
            Line::new(),
            row("Check it", "mcctl doctor"),
        ],
    };
    lines.insert(0, Line::new());
    let width = usize::from(area.width);
    let wrapped: Vec<Line> = lines.iter().flat_map(|line| line.wrap(width, 2)).collect();
    canvas.lines(area, &wrapped);
}

fn lost(scene: &Scene, reason: &str) -> Vec<Line> {
    let socket = text::line(&scene.socket);
    let mut lines = vec![
        Line::new().own(Token::Strong, " No daemon answers."),
        Line::new().own(Token::Dim, " ").says(Token::Dim, &text::line(reason)),
        Line::new(),
        row("Start it", "mcd run"),
        row("as a service", "systemctl --user start mission-control"),
        row("First time", "mcctl init"),
        row("Check it", "mcctl doctor"),
        Line::new().own(Token::Dim, "  socket        ").says(Token::Fg, &socket),
        Line::new(),
        Line::new().own(Token::Key, " R").own(Token::Fg, " try again now"),
        Line::new().own(Token::Key, " !").own(Token::Fg, " emergency stop: works without a daemon"),
        Line::new().own(Token::Key, " q").own(Token::Fg, " quit"),
    ];
    if cfg!(feature = "demo") {
        let demo = Line::new().own(Token::Key, " d").own(Token::Fg, " look around in a demo squad");
        lines.push(demo);
    }
    lines
}

fn row(label: &'static str, command: &'static str) -> Line {
    Line::new().own(Token::Dim, format!("  {label:<14}")).own(Token::Strong, command)
}
