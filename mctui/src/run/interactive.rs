//! The console in a terminal: draws when something has changed, and only then.

use std::{io, process::ExitCode, time::Duration};

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt as _;
use ratatui::{Terminal, layout::Size};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};

use super::{
    Clock, Engine, clipboard,
    demo::{Playing, Ready},
    editor,
};
use crate::{
    app::{App, Message},
    away::{self, Way},
    backend::Screen,
    options::{Environment, Options},
    request::Request,
    terminal::{self, Session},
};

/// Between two frames that no key asked for, in milliseconds.
const BACKGROUND_MS: u64 = 100;
/// How many feed items are taken in before the next frame.
const BATCH: usize = 256;

/// Shows the console until the operator leaves.
pub(super) async fn show(options: &Options, environment: &Environment) -> anyhow::Result<ExitCode> {
    if !terminal::is_usable(environment.term.as_deref()) {
        #[expect(clippy::print_stderr, reason = "there is no frame to show it in")]
        {
            eprintln!(
                "mctui: not a terminal that can show frames; `mctui --once board` prints one as text"
            );
        }
        return Ok(ExitCode::from(2));
    }
    let clock = Clock::start();
    let session = Session::enter()?;
    let (width, height) = crossterm::terminal::size()?;
    let size = Size { width, height };
    let (scene, socket, halt_file) = super::scene(options, clock);
    let mut app = App::new(options.look(environment), size, scene);
    let mut screen = Terminal::new(Screen::new(io::stdout(), size))?;
    screen.clear()?;
    draw(&mut screen, &app)?;
    app.take_dirty();
    terminal::watch_hang_up();
    let socket = (!options.is_demo()).then_some(socket);
    let engine = Engine::start(app, clock, (socket, halt_file));
    let playing = Playing::default();
    let environment = environment.clone();
    let mut console = Console {
        engine,
        screen,
        session,
        environment,
        way: options.notify,
        last_frame: 0,
        is_urgent: false,
        playing,
        keys: Some(EventStream::new()),
        editing: None,
    };
    if options.is_demo() {
        console.playing.begin();
    }
    console.turn().await?;
    Ok(ExitCode::SUCCESS)
}

type Frames = Terminal<Screen<io::Stdout>>;

struct Console {
    engine: Engine,
    screen: Frames,
    session: Session,
    environment: Environment,
    way: Way,
    last_frame: u64,
    is_urgent: bool,
    playing: Playing,
    /// What reads the terminal; nobody while an editor has it.
    keys: Option<EventStream>,
    /// The editor that has the terminal.
    editing: Option<JoinHandle<Result<String, String>>>,
}

/// Whether the console goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    Quit,
}

impl Console {
    async fn turn(&mut self) -> anyhow::Result<()> {
        let mut ends = signal(SignalKind::terminate())?;
        let mut hangs = signal(SignalKind::hangup())?;
        // In raw mode ^C is a key; the signal itself only comes from outside.
        let mut interrupts = signal(SignalKind::interrupt())?;
        loop {
            let wait = self.frame()?;
            let left = tokio::select! {
                biased;
                _ = ends.recv() => return Ok(()),
                _ = hangs.recv() => return Ok(()),
                _ = interrupts.recv() => return Ok(()),
                event = next_key(&mut self.keys) => match event {
                    Some(event) => self.typed(event?),
                    None => return Ok(()),
                },
                edited = end_of(&mut self.editing) => self.end_edit(edited)?,
                Some((ticket, result)) = self.engine.answers.recv() => {
                    // What a person waits for is shown at once.
                    self.is_urgent = true;
                    self.engine.give(Message::Answer(ticket, Box::new(result)))
                }
                Some(event) = self.engine.events.recv() => self.heard(event),
                address = self.playing.ready() => {
                    self.enter_demo(address);
                    Vec::new()
                }
                () = tokio::time::sleep(wait) => self.engine.give(Message::Tick),
            };
            if self.finish(left)? == Next::Quit {
                return Ok(());
            }
        }
    }

    fn heard(&mut self, event: mc_proto::client::LinkEvent) -> Vec<Request> {
        let mut left = self.engine.heard(event);
        for _ in 0..BATCH {
            let Ok(event) = self.engine.events.try_recv() else { break };
            left.extend(self.engine.heard(event));
        }
        left
    }

    fn typed(&mut self, event: Event) -> Vec<Request> {
        self.is_urgent = !matches!(event, Event::FocusGained | Event::FocusLost);
        let message = match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => Message::Key(key.into()),
            Event::Paste(pasted) => Message::Paste(pasted),
            Event::Resize(width, height) => {
                let size = Size { width, height };
                self.screen.backend_mut().resize(size);
                Message::Resize(size)
            }
            Event::FocusGained => Message::Focus(true),
            Event::FocusLost => Message::Focus(false),
            Event::Key(_) | Event::Mouse(_) => {
                return Vec::new();
            }
        };
        self.engine.give(message)
    }

    /// Draws if something has changed, and returns how long nothing has to be done.
    fn frame(&mut self) -> anyhow::Result<Duration> {
        let now = self.engine.clock.now();
        let since = now.steady.saturating_sub(self.last_frame);
        let mut wait = self.engine.app.wakes_in(now);
        if self.editing.is_some() {
            return Ok(Duration::from_millis(wait));
        }
        if self.engine.app.is_dirty() {
            if self.is_urgent || since >= BACKGROUND_MS {
                self.is_urgent = false;
                self.last_frame = now.steady;
                self.engine.app.prepare();
                self.engine.app.take_dirty();
                draw(&mut self.screen, &self.engine.app)?;
                let left = self.engine.give(Message::Drawn);
                self.finish(left)?;
                if self.engine.app.take_dirty() {
                    draw(&mut self.screen, &self.engine.app)?;
                }
            } else {
                wait = wait.min(BACKGROUND_MS - since);
            }
        }
        Ok(Duration::from_millis(wait))
    }

    /// Takes the screen as another program left it.
    fn repaint(&mut self) -> anyhow::Result<Vec<Request>> {
        let (width, height) = crossterm::terminal::size()?;
        let size = Size { width, height };
        self.screen.backend_mut().resize(size);
        self.screen.backend_mut().forget();
        self.screen.clear()?;
        self.is_urgent = true;
        Ok(self.engine.give(Message::Resize(size)))
    }

    /// Gives the terminal to the editor. The link goes on meanwhile; nothing is drawn or read.
    fn begin_edit(&mut self, text: String) {
        if self.editing.is_some() {
            return;
        }
        self.keys = None;
        terminal::leave();
        let editor = self.environment.editor.clone();
        self.editing = Some(tokio::task::spawn_blocking(move || editor::edit(&editor, &text)));
    }

    fn end_edit(&mut self, edited: Result<String, String>) -> anyhow::Result<Vec<Request>> {
        self.editing = None;
        self.session.resume()?;
        self.keys = Some(EventStream::new());
        let mut left = self.repaint()?;
        left.extend(self.engine.give(Message::Edited(edited)));
        Ok(left)
    }

    fn enter_demo(&mut self, ready: Ready) {
        self.is_urgent = true;
        match ready {
            Ok(address) => self.engine.switch(address),
            Err(error) => self.engine.app.tell(&format!("the demo did not start: {error}")),
        }
    }

    /// Gives the console what the terminal did for it; that asks for nothing more of the terminal.
    fn tell(&mut self, message: Message) {
        self.is_urgent = true;
        let left = self.engine.give(message);
        debug_assert!(left.is_empty(), "an answer of the terminal asks for nothing");
    }

    fn finish(&mut self, left: Vec<Request>) -> anyhow::Result<Next> {
        for request in left {
            match request {
                Request::Quit => return Ok(Next::Quit),
                Request::Notify(notice) => {
                    let told = away::bytes(&notice, self.way, self.environment.is_tmux);
                    self.screen.backend_mut().tell(&told);
                    ratatui::backend::Backend::flush(self.screen.backend_mut())?;
                }
                Request::Repaint => self.screen.clear()?,
                Request::Suspend => {
                    self.session.suspend()?;
                    let left = self.repaint()?;
                    debug_assert!(left.is_empty(), "a resize asks for nothing");
                }
                Request::Editor(text) => self.begin_edit(text),
                Request::Demo => self.playing.begin(),
                Request::Copy(text) => {
                    let copied = clipboard::copy(&text, self.environment.is_tmux);
                    self.tell(Message::Copied(copied));
                }
                Request::Save(text) => self.tell(Message::Copied(clipboard::save(&text))),
                Request::Export(text) => self.tell(Message::Copied(clipboard::export(&text))),
                Request::ReadSignature(name) => {
                    let home = self.environment.home.as_deref();
                    let read = clipboard::read_signature(&name, home);
                    self.tell(Message::Signature(read));
                }
                Request::Call(..) | Request::Reconnect | Request::WriteHaltFile(_) => {}
            }
        }
        Ok(Next::Go)
    }
}

fn draw(screen: &mut Frames, app: &App) -> io::Result<()> {
    screen.draw(|frame| {
        if let Some(at) = app.view(frame.buffer_mut()) {
            frame.set_cursor_position(at);
        }
    })?;
    Ok(())
}

/// Returns the next key; for ever without one while an editor has the terminal.
async fn next_key(keys: &mut Option<EventStream>) -> Option<io::Result<Event>> {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

/// Returns what the editor left; for ever without an editor.
async fn end_of(
    editing: &mut Option<JoinHandle<Result<String, String>>>,
) -> Result<String, String> {
    match editing {
        Some(editing) => editing.await.unwrap_or_else(|error| Err(error.to_string())),
        None => std::future::pending().await,
    }
}
