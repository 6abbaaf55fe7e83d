//! The frame as a whole: rows of the console itself, the screen, and what lies over it.

use mc_core::task::TaskState;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{App, Place};
use crate::{
    keymap::Action,
    link::Health,
    screens::start,
    theme::Token,
    widgets::{Canvas, Line, Places, Shape, Tab, hints, notice, status, tabs},
};

impl App {
    /// Draws everything; returns where the hardware cursor belongs.
    pub fn view(&self, buffer: &mut Buffer) -> Option<(u16, u16)> {
        let area = buffer.area;
        let mut canvas = Canvas::new(buffer, self.look);
        let places = Places::of(area);
        let shape = Shape::of(area);
        if area.is_empty() {
            return None;
        }
        status(&mut canvas, places.status, &self.scene);
        self.second_row(&mut canvas, places.tabs);
        self.screen(&mut canvas, places.body);
        let no_edit = self.place == Place::Approvals && !self.approvals.can_edit(&self.scene);
        let dead = no_edit.then_some(Action::Edit);
        hints(&mut canvas, places.hints, self.place.context(), dead);
        if places.notice != places.hints || self.notice_line().is_some() {
            self.notice_row(&mut canvas, places, shape);
        }
        for overlay in &self.overlays {
            overlay.view(&mut canvas, places.middle());
        }
        if let Some(open) = &self.emergency {
            open.view(&mut canvas, places.middle(), &self.scene);
        }
        canvas.cursor
    }

    fn notice_row(&self, canvas: &mut Canvas<'_>, places: Places, shape: Shape) {
        let Some(line) = self.notice_line() else { return };
        if shape.is_minimal {
            return;
        }
        if places.notice == places.hints {
            // The way to stop stays at the right.
            let room = places.hints.width.saturating_sub(13);
            let left = Rect { width: room, ..places.hints };
            canvas.clear(left);
            notice(canvas, left, &line.fit(usize::from(room)));
        } else {
            notice(canvas, places.notice, &line);
        }
    }

    fn notice_line(&self) -> Option<Line> {
        if let Some(field) = &self.filter {
            let line = field.line(60, true);
            return Some(match self.scene.query.problem(self.place) {
                Some(problem) => {
                    line.own(Token::Crit, "  ").says(Token::Crit, &crate::text::line(&problem))
                }
                None => line,
            });
        }
        let now = self.scene.now.steady;
        if let Some((line, _)) = self.notice.as_ref().filter(|(_, until)| *until > now) {
            return Some(line.clone());
        }
        let pending = self.scene.pending.first()?;
        let seconds = now.saturating_sub(pending.since) / 1000;
        (seconds >= 1).then(|| {
            let words = format!("~ {} sent, the daemon has not confirmed yet", pending.label);
            Line::new().own(Token::Pending, words)
        })
    }

    fn second_row(&self, canvas: &mut Canvas<'_>, area: Rect) {
        if area.is_empty() {
            return;
        }
        let right = self.filter_count();
        if !self.scene.world.is_loaded {
            return;
        }
        let world = &self.scene.world;
        let (critical, warnings) = world.alarm_counts();
        let all = [
            (Place::Board, "Board", 0),
            (Place::Approvals, "Approvals", world.waiting().len()),
            (Place::Fleet, "Fleet", 0),
            (Place::Alerts, "Alerts", critical + warnings),
            (Place::Cost, "Cost", 0),
        ];
        let all = all.map(|(place, name, count)| Tab { name, count, is_open: place == self.place });
        tabs(canvas, area, (&all, self.trail_line()), &right);
    }

    fn trail_line(&self) -> Option<Line> {
        let is_task = matches!(self.place, Place::Task(_));
        if self.trail.is_empty() && !is_task {
            return None;
        }
        let mut line = Line::new();
        for place in self.trail.iter().rev().take(3).rev() {
            line = line.own(Token::Dim, format!(" ‹ {}", name(*place)));
        }
        Some(line.own(Token::Dim, " › ").own(Token::Strong, name(self.place)))
    }

    /// Returns the filter with how many of how many tasks pass.
    fn filter_count(&self) -> Line {
        let scene = &self.scene;
        if !scene.world.is_loaded {
            return Line::new();
        }
        let all = scene.world.tasks.len();
        if scene.query.text().is_empty() && self.size.width < 50 {
            return Line::new();
        }
        if scene.query.text().is_empty() {
            return Line::new().own(Token::Dim, format!("{all} tasks "));
        }
        let passing = scene.world.tasks.values().filter(|task| scene.shows(task)).count();
        Line::new()
            .own(Token::Warn, "filter: ")
            .says(Token::Strong, &crate::text::line(scene.query.text()))
            .own(Token::Dim, format!(" · {passing} of {all} "))
    }

    fn screen(&self, canvas: &mut Canvas<'_>, area: Rect) {
        if area.is_empty() {
            return;
        }
        let scene = &self.scene;
        if !scene.world.is_loaded {
            return start::view(canvas, area, scene);
        }
        match self.place {
            Place::Board => self.board.view(canvas, area, scene),
            Place::Approvals => self.approvals.view(canvas, area, scene),
            Place::Fleet => self.fleet.view(canvas, area, scene),
            Place::Alerts => self.alerts.view(canvas, area, scene),
            Place::Cost => self.cost.view(canvas, area, scene),
            Place::Task(_) => self.task.view(canvas, area, scene),
        }
        if scene.link.health(scene.now) == Health::Off {
            canvas.fade(area);
        }
    }

    /// Returns the state whose column has the cursor.
    pub fn column(&self) -> TaskState {
        self.board.state()
    }
}

fn name(place: Place) -> String {
    match place {
        Place::Board => "Board".to_owned(),
        Place::Approvals => "Approvals".to_owned(),
        Place::Fleet => "Fleet".to_owned(),
        Place::Alerts => "Alerts".to_owned(),
        Place::Cost => "Cost".to_owned(),
        Place::Task(task) => task.to_string(),
    }
}
