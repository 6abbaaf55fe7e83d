//! Approvals: the list, and the whole evidence of the one under the cursor. Approving is unlocked
//! only when the last line of the evidence was on the screen.

use std::collections::HashSet;

use mc_core::{
    agent::AgentName,
    approval::{Approval, ApprovalStatus},
    id::{ApprovalId, TaskId},
    policy::Risk,
};
use mc_proto::method::approval::{self, Detail};
use ratatui::layout::Rect;

use super::{evidence, marks::Marks};
use crate::{
    format::{left, minute, short},
    keymap::Action,
    overlays::{
        Overlay,
        bulk::{self, Bulk},
        decide::{Decide, Verdict},
        edit::Edit,
        forms,
        rules::Rules,
    },
    request::Call,
    scene::{Intent, Scene},
    text,
    theme::{Token, badge},
    widgets::{Canvas, Line, Listing, Shape, Tall, Wide, rows},
};

/// What a person has seen: this request, in this revision.
type Seen = (ApprovalId, i64, String);

/// The approvals.
#[derive(Debug, Clone, Default)]
pub struct Approvals {
    list: Listing<ApprovalId>,
    /// The evidence of the one under the cursor, once the daemon has sent it.
    pub detail: Option<Box<Detail>>,
    asked: Option<(ApprovalId, i64)>,
    scroll: usize,
    is_evidence_open: bool,
    seen: HashSet<Seen>,
    marks: Marks,
    /// Whether the exact bytes are shown in place of the evidence.
    is_raw: bool,
}

impl Approvals {
    /// Returns the approval under the cursor.
    pub fn selected(&self) -> Option<ApprovalId> {
        self.list.selected().copied()
    }

    /// Returns the task and the agent of the approval under the cursor.
    pub fn about(&self, scene: &Scene) -> (Option<TaskId>, Option<AgentName>) {
        let approval = self.selected().and_then(|id| scene.world.approvals.get(&id));
        approval.map_or((None, None), |one| (one.task, Some(one.agent.clone())))
    }

    /// Takes in what the world holds now.
    pub fn merge(&mut self, scene: &Scene) {
        self.list.merge(&current(scene));
        self.marks.prune(scene);
    }

    /// Takes all marks off; says whether there were any.
    pub fn unmark(&mut self) -> bool {
        self.marks.clear()
    }

    /// Sorts the list anew.
    pub fn settle(&mut self, scene: &Scene) {
        self.list.settle(current(scene));
    }

    /// Notes how many rows fit.
    pub fn fit(&mut self, area: Rect, shape: Shape) {
        self.list.fit(usize::from(shape.inside(area).height));
    }

    /// Puts the cursor on `approval` and opens its evidence; one that is decided is in the list until
    /// the cursor moves on.
    pub fn open(&mut self, approval: ApprovalId, scene: &Scene) {
        let mut ids = current(scene);
        if !ids.contains(&approval) && scene.world.approvals.contains_key(&approval) {
            ids.push(approval);
        }
        self.list.settle(ids);
        self.list.select(&approval);
        self.is_evidence_open = true;
        self.scroll = 0;
    }

    /// Closes the evidence where it hides the list; says whether that was so.
    pub fn back(&mut self, shape: Shape) -> bool {
        let was_open = self.is_evidence_open && shape.wide <= Wide::One;
        self.is_evidence_open = false;
        was_open
    }

    /// Returns what has to be asked so that the evidence is there and current.
    pub fn wants(&mut self, scene: &Scene) -> Option<Call> {
        let approval = scene.world.approvals.get(&self.selected()?)?;
        let key = (approval.id, approval.rev);
        if self.asked == Some(key) {
            return None;
        }
        if self.detail.as_ref().is_some_and(|detail| detail.approval.id != approval.id) {
            self.detail = None;
            self.scroll = 0;
        }
        self.asked = Some(key);
        Some(Call::Approval(approval.id))
    }

    /// Takes in the evidence.
    pub fn take(&mut self, detail: Box<Detail>) {
        if self.selected() == Some(detail.approval.id) {
            let before = self.detail.as_ref().map(|known| known.approval.digest.as_str());
            if before.is_some_and(|digest| digest != detail.approval.digest) {
                // Another request under the same number is read from its beginning.
                self.scroll = 0;
            }
            self.detail = Some(detail);
        }
    }

    /// Forgets what was asked, so that it is asked again.
    pub fn forget(&mut self) {
        self.asked = None;
    }

    /// Returns the evidence, if it is that of the approval under the cursor as it is now.
    fn current_detail(&self, scene: &Scene) -> Option<&Detail> {
        let approval = scene.world.approvals.get(&self.selected()?)?;
        self.detail.as_deref().filter(|detail| {
            let known = &detail.approval;
            (known.id, known.rev) == (approval.id, approval.rev) && known.digest == approval.digest
        })
    }

    /// Says whether the evidence under the cursor was shown to its last line.
    pub fn is_seen(&self, scene: &Scene) -> bool {
        self.current_detail(scene).is_some_and(|detail| {
            let one = &detail.approval;
            self.seen.contains(&(one.id, one.rev, one.digest.clone()))
        })
    }

    /// Notes what stood on the screen; called after every frame in which nothing covered it.
    pub fn drawn(&mut self, area: Rect, shape: Shape, scene: &Scene) {
        let Some(place) = self.evidence_place(area, shape) else { return };
        let Some(detail) = self.current_detail(scene).filter(|_| !self.is_raw) else { return };
        let one = &detail.approval;
        let count = evidence::lines(detail, scene, usize::from(place.width)).len();
        if place.width >= 20
            && place.height >= 1
            && self.scroll + usize::from(place.height) >= count
        {
            let seen = (one.id, one.rev, one.digest.clone());
            self.seen.insert(seen);
        }
    }

    /// Takes in an action.
    pub fn update(
        &mut self,
        action: Action,
        scene: &Scene,
        area: Rect,
        shape: Shape,
    ) -> Option<Intent> {
        let narrow = self.is_evidence_open && shape.wide <= Wide::One;
        let half = isize::try_from(area.height / 2).unwrap_or(1).max(1);
        let step = match action {
            Action::Down => 1,
            Action::Up => -1,
            Action::HalfDown => half,
            Action::HalfUp => -half,
            Action::First => isize::MIN / 2,
            Action::Last => isize::MAX / 2,
            Action::EvidenceDown | Action::EvidenceUp => {
                let page = self.evidence_place(area, shape).map_or(1, |place| place.height);
                let page = isize::try_from(page.saturating_sub(1).max(1)).unwrap_or(1);
                let page = if action == Action::EvidenceDown { page } else { -page };
                self.scroll_by(page, scene, area, shape);
                return None;
            }
            _ => return self.act(action, scene, shape),
        };
        if narrow || (matches!(action, Action::HalfDown | Action::HalfUp)) {
            self.scroll_by(step, scene, area, shape);
            return None;
        }
        // First the step, then the order: from a decided one it goes on to its neighbour as shown.
        self.list.step(step);
        self.settle(scene);
        self.scroll = 0;
        None
    }

    /// After a mark the cursor is on the next one; on the last it stays.
    fn step_down(&mut self, scene: &Scene) {
        let before = self.selected();
        self.list.step(1);
        self.settle(scene);
        if self.selected() != before {
            self.scroll = 0;
        }
    }

    /// What is shown of a request: its evidence, or its bytes.
    fn lines(&self, detail: &Detail, scene: &Scene, place: Rect) -> Vec<Line> {
        let width = usize::from(place.width);
        if self.is_raw {
            return evidence::raw(&detail.approval.statement, width);
        }
        evidence::lines(detail, scene, width)
    }

    fn scroll_by(&mut self, step: isize, scene: &Scene, area: Rect, shape: Shape) {
        let Some(place) = self.evidence_place(area, shape) else {
            self.is_evidence_open = true;
            return;
        };
        let Some(detail) = &self.detail else { return };
        let count = self.lines(detail, scene, place).len();
        let most = count.saturating_sub(usize::from(place.height));
        self.scroll = self.scroll.saturating_add_signed(step).min(most);
    }

    fn act(&mut self, action: Action, scene: &Scene, shape: Shape) -> Option<Intent> {
        match action {
            Action::Open if shape.wide <= Wide::One && !self.is_evidence_open => {
                self.is_evidence_open = true;
                None
            }
            Action::NextPane | Action::PrevPane => {
                self.is_evidence_open = !self.is_evidence_open;
                None
            }
            Action::Approve if self.marks.count() > 0 => {
                Some(self.decide_marked(approval::Verdict::Approve, scene))
            }
            Action::Deny if self.marks.count() > 0 => {
                Some(self.decide_marked(approval::Verdict::Deny, scene))
            }
            Action::Open | Action::Approve => self.decide(Verdict::Approve, scene),
            Action::Deny => self.decide(Verdict::Deny, scene),
            Action::Edit => self.edit(scene),
            Action::Raw => {
                self.is_raw = !self.is_raw;
                self.is_evidence_open = true;
                self.scroll = 0;
                None
            }
            Action::Mark => {
                let approval = scene.world.approvals.get(&self.selected()?)?;
                match self.marks.toggle(approval) {
                    Ok(()) => self.step_down(scene),
                    Err(why) => return Some(Intent::Say(why)),
                }
                None
            }
            Action::MarkAll => {
                let ids = self.list.ids().iter();
                let shown = ids.filter_map(|id| scene.world.approvals.get(id));
                Some(Intent::Say(self.marks.all(shown)))
            }
            Action::MarkNone => {
                self.marks.clear();
                None
            }
            Action::Rules => Some(Intent::Look(Box::new(Overlay::Rules(Rules::default())))),
            Action::Comment => {
                let approval = scene.world.approvals.get(&self.selected()?)?;
                match approval.task {
                    Some(task) => Some(forms::comment(task)),
                    None => Some(Intent::Say(
                        "this request belongs to no task: there is no thread".to_owned(),
                    )),
                }
            }
            _ => None,
        }
    }

    /// Says whether the arguments of the one under the cursor can be changed.
    pub fn can_edit(&self, scene: &Scene) -> bool {
        let approval = self.selected().and_then(|id| scene.world.approvals.get(&id));
        approval.is_some_and(|one| {
            one.status == ApprovalStatus::Pending && Edit::why_not(one).is_none()
        })
    }

    fn edit(&self, scene: &Scene) -> Option<Intent> {
        let approval = scene.world.approvals.get(&self.selected()?)?;
        let id = approval.id;
        if approval.status != ApprovalStatus::Pending {
            return Some(Intent::Say(format!("{id} is {} already", approval.status.as_str())));
        }
        if let Some(why) = Edit::why_not(approval) {
            return Some(Intent::Say(format!("{id}: {why}")));
        }
        // The row may be cut: only what was fetched is whole.
        let Some(detail) = self.current_detail(scene) else {
            return Some(Intent::Say("the evidence is not here yet: nothing to edit".to_owned()));
        };
        let dialog = Edit::new(&detail.approval, scene.now.steady);
        Some(Intent::Show(Box::new(Overlay::Edit(dialog))))
    }

    fn decide_marked(&self, verdict: approval::Verdict, scene: &Scene) -> Intent {
        if let Some(obstacle) = scene.obstacle() {
            return Intent::Say(obstacle);
        }
        let marked = self.marks.standing(scene);
        if marked.is_empty() {
            return Intent::Say("what was marked has changed or is decided: mark anew".to_owned());
        }
        if marked.len() > bulk::LARGEST {
            let words =
                format!("{} are marked, at most {} go together", marked.len(), bulk::LARGEST);
            return Intent::Say(words);
        }
        if let Some(one) = marked.iter().find(|one| one.is_cut) {
            return Intent::Say(format!(
                "{} is too long for a set: open it, decide it alone",
                one.id
            ));
        }
        let broken = marked.iter().find(|one| !evidence::is_bound(one));
        if let Some(one) = broken.filter(|_| verdict == approval::Verdict::Approve) {
            let words = "the digest does not fit the statement: it can't be approved, deny it";
            return Intent::Say(format!("{}: {words}", one.id));
        }
        Intent::Show(Box::new(Overlay::Bulk(Bulk::new(verdict, &marked, scene.now.steady))))
    }

    fn decide(&self, verdict: Verdict, scene: &Scene) -> Option<Intent> {
        let approval = scene.world.approvals.get(&self.selected()?)?;
        if approval.status != ApprovalStatus::Pending {
            let words = format!("{} is {} already", approval.id, approval.status.as_str());
            return Some(Intent::Say(words));
        }
        if let Some(obstacle) = scene.obstacle() {
            return Some(Intent::Say(obstacle));
        }
        if verdict == Verdict::Approve {
            let Some(detail) = self.current_detail(scene) else {
                return Some(Intent::Say(
                    "the evidence is not here yet: nothing to decide on".to_owned(),
                ));
            };
            if !evidence::is_bound(&detail.approval) {
                let words = "the digest does not fit the statement: it can't be approved, deny it";
                return Some(Intent::Say(words.to_owned()));
            }
            if !self.is_seen(scene) && approval.risk != Risk::Green {
                let words = "locked: read the evidence to its last line first (J scrolls)";
                return Some(Intent::Say(words.to_owned()));
            }
        }
        let dialog = Decide::new(verdict, approval, scene.now.steady).seen(self.is_seen(scene));
        Some(Intent::Show(Box::new(Overlay::Decide(dialog))))
    }

    /// Returns where the evidence is drawn, if it is.
    fn evidence_place(&self, area: Rect, shape: Shape) -> Option<Rect> {
        let borders = shape.tall > Tall::Low;
        let inset = |area: Rect| {
            if borders && area.width > 2 && area.height > 2 {
                Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
            } else {
                Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
            }
        };
        if shape.is_minimal {
            return None;
        }
        if shape.wide <= Wide::One {
            return self.is_evidence_open.then(|| inset(area));
        }
        let list = list_width(area.width);
        Some(inset(Rect { x: area.x + list, width: area.width - list, ..area }))
    }

    /// Draws list and evidence.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
        let shape = Shape::of(canvas.area());
        let both = shape.wide > Wide::One;
        if both || !self.is_evidence_open {
            let width = if both { list_width(area.width) } else { area.width };
            self.view_list(canvas, Rect { width, ..area }, scene);
        }
        if let Some(place) = self.evidence_place(area, shape) {
            let x = if both { area.x + list_width(area.width) } else { area.x };
            let outer = Rect { x, width: area.right() - x, ..area };
            self.view_evidence(canvas, (outer, place), scene);
        }
    }

    fn view_list(&self, canvas: &mut Canvas<'_>, area: Rect, scene: &Scene) {
        let shape = Shape::of(canvas.area());
        let title = self.marks.title(self.list.ids(), scene);
        if shape.is_boxed() {
            let token = if self.is_evidence_open { Token::Border } else { Token::Focus };
            canvas.framed(area, &title, token);
        } else {
            canvas.line(area, &title);
        }
        let inside = shape.inside(area);
        if self.list.ids().is_empty() {
            canvas.lines(inside, &nothing(scene));
            return;
        }
        let (ids, above, below) = self.list.window(usize::from(inside.height.max(1)));
        canvas.hidden(area, inside, (above, below));
        for (place, id) in rows(inside).zip(ids) {
            if let Some(approval) = scene.world.approvals.get(id) {
                canvas.line(place, &self.row(approval, scene, place.width));
            }
            if self.list.selected() == Some(id) {
                canvas.select(place);
            }
        }
    }

    fn row(&self, approval: &Approval, scene: &Scene, width: u16) -> Line {
        let cursor = if self.selected() == Some(approval.id) { ">" } else { " " };
        let is_pending = approval.status == ApprovalStatus::Pending;
        let by = approval.decided_by.as_ref().filter(|_| width >= 40);
        let state = match (is_pending, by) {
            (true, _) => left(scene.time(), approval.expires_at),
            (false, Some(by)) => {
                format!("{} by {}", approval.status.as_str(), text::line(by).as_str())
            }
            (false, None) => approval.status.as_str().to_owned(),
        };
        let (risk, words) = if is_pending {
            (Token::risk(approval.risk), Token::Fg)
        } else {
            (Token::Dim, Token::Dim)
        };
        let mark = if self.marks.has(approval) { "*" } else { " " };
        let id = approval.id.to_string();
        let facts =
            if width < 40 { format!("{id} {state} ") } else { format!("{id:<5} {state:<9} ") };
        let line = Line::new()
            .own(Token::Strong, cursor)
            .own(risk, format!("{:<4}", badge(approval.risk)))
            .own(Token::Warn, mark)
            .own(words, facts);
        let (agent, what) = (text::line(&approval.agent), text::line(&approval.summary));
        // In a narrow list what it is comes first: who asks stands in the evidence beside it.
        let (first, then) = if width < 40 { (what, agent) } else { (agent, what) };
        line.says(words, &first).own(words, "  ").says(words, &then)
    }

    fn view_evidence(&self, canvas: &mut Canvas<'_>, (outer, place): (Rect, Rect), scene: &Scene) {
        let Some(id) = self.selected() else { return };
        let known = self.detail.as_deref().filter(|detail| detail.approval.id == id);
        let lines = known.map(|detail| self.lines(detail, scene, place));
        let count = lines.as_ref().map_or(0, Vec::len);
        let last = (self.scroll + usize::from(place.height)).min(count);
        let lock = if self.is_seen(scene) {
            "seen to the end: approve unlocked"
        } else {
            "J scrolls: approve locked"
        };
        let title = Line::new()
            .own(
                Token::Strong,
                format!("Evidence {}-{last} of {count}", (self.scroll + 1).min(count)),
            )
            .own(Token::Dim, format!(" · {lock}"));
        if place.y > outer.y && place.x > outer.x {
            canvas.framed(
                outer,
                &title,
                if self.is_evidence_open { Token::Focus } else { Token::Border },
            );
        } else {
            canvas.line(outer, &title);
        }
        match lines {
            Some(lines) => canvas.lines(place, lines.iter().skip(self.scroll)),
            None => canvas.line(place, &Line::new().own(Token::Dim, " loading…")),
        }
    }
}

fn list_width(width: u16) -> u16 {
    short(usize::from(width) * 2 / 5).clamp(30, 56)
}

/// What an empty list says.
fn nothing(scene: &Scene) -> Vec<Line> {
    let dim = |words: &str| Line::new().own(Token::Dim, format!(" {words}"));
    if !scene.query.is_empty() {
        return vec![dim("none matches: Esc clears")];
    }
    let decided = scene.world.approvals.values().filter_map(|one| Some((one.decided_at?, one)));
    let last = decided.max_by_key(|(at, one)| (*at, one.id)).map(|(at, one)| {
        let by = one.decided_by.as_deref().unwrap_or("nobody");
        dim(&format!("last decision {} by ", minute(at))).says(Token::Dim, &text::line(by))
    });
    std::iter::once(dim("nothing waits for you")).chain(last).collect()
}

/// What is in the list: what waits, the soonest first; what is decided only where a filter asks for it.
fn current(scene: &Scene) -> Vec<ApprovalId> {
    let view = scene.view();
    let mut all = scene.world.waiting();
    if !scene.query.is_empty() {
        let decided = scene.world.approvals.values();
        let mut decided: Vec<&Approval> =
            decided.filter(|one| one.status != ApprovalStatus::Pending).collect();
        decided.sort_by_key(|approval| std::cmp::Reverse((approval.decided_at, approval.id)));
        all.extend(decided);
    }
    let shown = all.into_iter().filter(|one| scene.query.matches_approval(one, &view));
    shown.map(|approval| approval.id).collect()
}
