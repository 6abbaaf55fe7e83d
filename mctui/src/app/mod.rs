//! The whole console as a value: messages come in, requests go out, `view` only reads.

mod answers;
mod factor;
mod feed;
mod keys;
mod screens;
mod view;

use std::collections::HashMap;

use mc_core::id::{Seq, TaskId};
use mc_proto::method::{
    feed::{BeatNotice, FeedItem},
    session::HelloResult,
};
use ratatui::layout::{Rect, Size};

use crate::{
    away::Away,
    keymap::{Context, Key},
    link::Now,
    overlays::{Overlay, emergency::Emergency},
    query::Query,
    request::{Act, Call, Failure, Reply, Request, Ticket},
    scene::{Pending, Scene},
    screens::{
        alerts::Alerts, approvals::Approvals, board::Board, cost::Cost, fleet::Fleet,
        task::TaskScreen,
    },
    text,
    theme::Token,
    widgets::{Field, Line, Look, Places, Shape},
};

/// How long a notice stays, in milliseconds.
const NOTICE_MS: u64 = 10_000;
/// After this time without a key the session is locked, in milliseconds.
const IDLE_MS: u64 = 15 * 60 * 1000;

/// What comes in.
#[derive(Debug)]
pub enum Message {
    /// A key.
    Key(Key),
    /// A paste in brackets.
    Paste(String),
    /// The terminal has another size.
    Resize(Size),
    /// Connected; the feed follows.
    Up(Box<HelloResult>),
    /// One event.
    Item(Box<FeedItem>),
    /// Events were left out.
    Lagged,
    /// The daemon is there.
    Beat(BeatNotice),
    /// The connection ended or could not be made.
    Lost {
        /// Why.
        error: Failure,
        /// The attempt that comes next.
        attempt: u32,
        /// In how many milliseconds it comes.
        retry_in_ms: u64,
    },
    /// The answer to a call.
    Answer(Ticket, Box<Result<Reply, Failure>>),
    /// What became of the halt file.
    Halted(Result<(), String>),
    /// How a text was copied or written, or why not.
    Copied(Result<Copied, String>),
    /// The signature that stood in a file, or why it can't be read.
    Signature(Result<String, String>),
    /// The terminal has the focus, or lost it.
    Focus(bool),
    /// What the operator's editor left, or why there is nothing.
    Edited(Result<String, String>),
    /// A frame was drawn: what stood on it was seen.
    Drawn,
    /// Time has passed.
    Tick,
}

/// Where a text went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copied {
    /// Into the clipboard, this way.
    Clipboard(&'static str),
    /// Into this file.
    File(String),
}

/// Where the operator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The board.
    Board,
    /// The approvals.
    Approvals,
    /// The fleet.
    Fleet,
    /// Alerts and feed.
    Alerts,
    /// What work costs.
    Cost,
    /// A task.
    Task(TaskId),
}

impl Place {
    /// Returns the keys that hold there.
    pub const fn context(self) -> Context {
        match self {
            Self::Board => Context::Board,
            Self::Approvals => Context::Approvals,
            Self::Fleet => Context::Fleet,
            Self::Alerts => Context::Alerts,
            Self::Cost => Context::Cost,
            Self::Task(_) => Context::Task,
        }
    }
}

/// What a sent call belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Nobody waits for it but the screens.
    Screen,
    /// A part of the open task.
    Task,
    /// The fleet.
    Fleet,
    /// The costs, or the runs behind one of them.
    Cost,
    /// The topmost dialog.
    Dialog,
    /// Emergency.
    Emergency,
    /// The snapshot.
    Snapshot,
}

/// The console.
#[derive(Debug)]
pub struct App {
    /// What all screens share.
    pub scene: Scene,
    /// How it looks.
    pub look: Look,
    size: Size,
    place: Place,
    trail: Vec<Place>,
    swap: Place,
    board: Board,
    approvals: Approvals,
    fleet: Fleet,
    alerts: Alerts,
    cost: Cost,
    task: TaskScreen,
    overlays: Vec<Overlay>,
    emergency: Option<Emergency>,
    filter: Option<Field>,
    drafts: HashMap<TaskId, String>,
    notice: Option<(Line, u64)>,
    /// When the notice was said, if it only says why a key did nothing: the next key takes it away.
    refused_at: Option<u64>,
    sent: HashMap<Ticket, Origin>,
    factor: factor::Kept,
    last_key: u64,
    away: Away,
    /// The newest event when the operator last asked what changed; at first that of the first picture.
    looked_at: Option<Seq>,
    next_ticket: Ticket,
    waiting_items: Vec<FeedItem>,
    is_first_load: bool,
    last_cancel: Option<u64>,
    mine_at: Option<crate::world::Mine>,
    out: Vec<Request>,
    is_dirty: bool,
    is_unmerged: bool,
}

impl App {
    /// Returns a console that has not heard of anything yet.
    pub fn new(look: Look, size: Size, scene: Scene) -> Self {
        Self {
            scene,
            look,
            size,
            place: Place::Board,
            trail: Vec::new(),
            swap: Place::Approvals,
            board: Board::default(),
            approvals: Approvals::default(),
            fleet: Fleet::default(),
            alerts: Alerts::default(),
            cost: Cost::default(),
            task: TaskScreen::default(),
            overlays: Vec::new(),
            emergency: None,
            filter: None,
            drafts: HashMap::new(),
            notice: None,
            refused_at: None,
            sent: HashMap::new(),
            factor: factor::Kept::default(),
            last_key: 0,
            away: Away::default(),
            looked_at: None,
            next_ticket: 1,
            waiting_items: Vec::new(),
            is_first_load: true,
            last_cancel: None,
            mine_at: None,
            out: Vec::new(),
            is_dirty: true,
            is_unmerged: false,
        }
    }

    /// Returns where the operator is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Opens `place` before anything is known.
    pub fn start_at(&mut self, place: Place) {
        self.place = place;
        if let Place::Task(task) = place {
            self.task = TaskScreen::open(task);
        }
    }

    /// Forgets the daemon that it knew: from now on it shows the demo behind `socket`.
    pub fn enter_demo(&mut self, socket: String, halt_file: String) {
        let scene =
            Scene { now: self.scene.now, is_demo: true, socket, halt_file, ..Scene::default() };
        let mut fresh = Self::new(self.look, self.size, scene);
        fresh.start_at(self.place);
        *self = fresh;
    }

    /// Says whether there is a picture and nothing more is on its way.
    pub fn is_settled(&self) -> bool {
        self.scene.world.is_loaded && self.sent.is_empty()
    }

    /// Returns why the open screen has nothing to show, where the daemon said so.
    pub fn trouble(&self) -> Option<&str> {
        self.task.trouble().filter(|_| matches!(self.place, Place::Task(_)))
    }

    /// Says whether the screen is out of date.
    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// Says whether the screen is out of date, and takes it as drawn.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.is_dirty)
    }

    /// Takes in one message and returns what it asks for.
    pub fn update(&mut self, now: Now, message: Message) -> Vec<Request> {
        self.scene.now = now;
        let is_item = matches!(message, Message::Item(_));
        if !is_item {
            self.prepare();
        }
        let is_quiet = matches!(message, Message::Drawn | Message::Beat(_) | Message::Focus(_));
        self.take(message);
        if !is_item {
            self.lay_out();
        }
        for overlay in &mut self.overlays {
            overlay.watch(&self.scene);
        }
        if let Some(open) = &mut self.emergency {
            open.watch(&self.scene);
            self.out.extend(open.overdue(&self.scene).map(Request::WriteHaltFile));
        }
        self.lock_when_idle();
        if let Some(notice) = self.away.due(now, self.scene.time(), &self.scene.world) {
            self.out.push(Request::Notify(notice));
        }
        self.want();
        self.is_dirty |= !is_quiet;
        std::mem::take(&mut self.out)
    }

    fn take(&mut self, message: Message) {
        let now = self.scene.now;
        match message {
            Message::Key(key) => {
                self.last_key = now.steady;
                self.away.key(now.steady);
                if self.refused_at.take().is_some() {
                    self.notice = None;
                }
                self.press(key);
            }
            Message::Paste(pasted) => self.paste(&pasted),
            Message::Resize(size) => self.size = size,
            Message::Up(hello) => self.up(*hello),
            Message::Item(item) => self.item(*item),
            Message::Lagged => self.resync(),
            Message::Beat(beat) => {
                let before = self.scene.link.label(now);
                self.scene.link.hear(now, Some(beat.now));
                self.is_dirty |= before != self.scene.link.label(now);
            }
            Message::Lost { error, attempt, retry_in_ms } => {
                self.lost(&error, attempt, retry_in_ms);
            }
            Message::Answer(ticket, result) => self.answer(ticket, *result),
            Message::Halted(result) => {
                if let Some(open) = &mut self.emergency {
                    open.halted(result);
                }
            }
            Message::Copied(result) => self.copied(result),
            Message::Signature(result) => self.signature(&result),
            Message::Edited(result) => {
                if let Some(Overlay::Edit(edit)) = self.overlays.last_mut() {
                    edit.edited(result, now.steady);
                }
            }
            Message::Focus(has_focus) => self.away.focus(has_focus),
            Message::Drawn => self.drawn(),
            Message::Tick => {}
        }
    }

    fn ask(&mut self, call: Call, origin: Origin) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.sent.insert(ticket, origin);
        self.out.push(Request::Call(ticket, call));
        ticket
    }

    /// Sends an act and shows `~` until it is answered.
    fn send(&mut self, act: Act, origin: Origin) {
        let (task, label) = (act.task(), act.label());
        let factor = self.factor.for_act(&act, self.scene.now.steady);
        let ticket = self.ask(Call::Act(Box::new(act), factor), origin);
        self.scene.pending.push(Pending { ticket, label, task, since: self.scene.now.steady });
    }

    fn say(&mut self, line: Line) {
        self.notice = Some((line, self.scene.now.steady + NOTICE_MS));
        self.refused_at = None;
    }

    /// Says why a key did nothing.
    fn refuse(&mut self, words: impl Into<String>) {
        self.say_own(words);
        self.refused_at = Some(self.scene.now.steady);
    }

    /// Says something in the notice line.
    pub fn tell(&mut self, words: &str) {
        self.say_own(words);
        self.is_dirty = true;
    }

    fn say_own(&mut self, words: impl Into<String>) {
        self.say(Line::new().says(Token::Fg, &text::line(&words.into())));
    }

    fn set_query(&mut self, typed: &str) {
        self.scene.query = Query::read(typed);
        self.settle();
    }

    fn area(&self) -> Rect {
        Rect::new(0, 0, self.size.width, self.size.height)
    }

    fn body(&self) -> Rect {
        Places::of(self.area()).body
    }

    fn shape(&self) -> Shape {
        Shape::of(self.area())
    }
}
