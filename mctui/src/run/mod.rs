//! The part with a terminal, a socket and a clock: it feeds the pure part and does what it asks.

mod calls;
mod clipboard;
#[cfg_attr(not(feature = "demo"), path = "no_demo.rs")]
mod demo;
mod editor;
mod interactive;
mod once;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use mc_core::time::Timestamp;
use mc_proto::{
    client::{Client, Follow, Link, LinkConfig, LinkEvent, hello},
    halt,
};
use tokio::sync::mpsc;

use crate::{
    app::{App, Message},
    link::Now,
    options::{Environment, Options},
    request::{Failure, Reply, Request, Ticket},
    scene::Scene,
};

/// The clocks of this process.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts the steady clock.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Returns this moment.
    #[expect(clippy::disallowed_methods, reason = "the console's one reader of the wall clock")]
    pub fn now(self) -> Now {
        let steady = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        Now { steady, wall: Timestamp(wall) }
    }
}

/// Runs the console as the command line asks.
///
/// # Errors
///
/// When the terminal or the runtime can't be used.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let environment = Environment::read();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = match &options.once {
        Some(screen) => runtime.block_on(once::print(options, &environment, screen))?,
        None => runtime.block_on(interactive::show(options, &environment))?,
    };
    // Whatever still waits for the daemon need not be waited for.
    runtime.shutdown_background();
    Ok(code)
}

/// The connection, and the calls on it.
struct Engine {
    app: App,
    clock: Clock,
    halt_file: PathBuf,
    client: Option<Client>,
    link: Option<Link>,
    events: mpsc::Receiver<LinkEvent>,
    answers: mpsc::UnboundedReceiver<(Ticket, Result<Reply, Failure>)>,
    to_answers: mpsc::UnboundedSender<(Ticket, Result<Reply, Failure>)>,
    key: String,
}

impl Engine {
    /// Starts to connect to `socket`, where there is one yet.
    fn start(app: App, clock: Clock, (socket, halt_file): (Option<PathBuf>, PathBuf)) -> Self {
        let (to_answers, answers) = mpsc::unbounded_channel();
        let (link, events) = match socket.map(connect) {
            Some((link, events)) => (Some(link), events),
            // Nobody sends: the demo's socket comes later.
            None => (None, mpsc::channel(1).1),
        };
        let began = clock.now().wall.0;
        let key = format!("mctui-{}-{began}", std::process::id());
        Self { app, clock, halt_file, client: None, link, events, answers, to_answers, key }
    }

    /// Gives one message to the console and does what it asks; returns what only a terminal can do.
    fn give(&mut self, message: Message) -> Vec<Request> {
        let requests = self.app.update(self.clock.now(), message);
        let mut left = Vec::new();
        for request in requests {
            match request {
                Request::Call(ticket, call) => self.call(ticket, call),
                Request::Reconnect => {
                    if let Some(link) = &self.link {
                        link.retry_now();
                    }
                }
                Request::WriteHaltFile(words) => {
                    let result = write_halt_file(&self.halt_file, &words);
                    left.extend(self.app.update(self.clock.now(), Message::Halted(result)));
                }
                Request::Copy(_)
                | Request::Save(_)
                | Request::Export(_)
                | Request::Editor(_)
                | Request::ReadSignature(_)
                | Request::Repaint
                | Request::Suspend
                | Request::Notify(_)
                | Request::Demo
                | Request::Quit => {
                    left.push(request);
                }
            }
        }
        left
    }

    fn call(&self, ticket: Ticket, call: crate::request::Call) {
        let answers = self.to_answers.clone();
        let key = format!("{}-{ticket}", self.key);
        let client = self.client.clone();
        tokio::spawn(async move {
            let result = match client {
                Some(client) => calls::perform(&client, call, key).await,
                None => {
                    Err(Failure { kind: None, text: "not connected: nothing was sent".to_owned() })
                }
            };
            // A console that has ended needs no answer.
            answers.send((ticket, result)).ok();
        });
    }

    /// Translates what the link tells.
    fn heard(&mut self, event: LinkEvent) -> Vec<Request> {
        let message = match event {
            LinkEvent::Up(client) => {
                let hello = client.greeting().clone();
                self.client = Some(client);
                Message::Up(Box::new(hello))
            }
            LinkEvent::Item(item) => Message::Item(item),
            LinkEvent::Lagged(_) => Message::Lagged,
            LinkEvent::Beat(beat) => Message::Beat(beat),
            LinkEvent::Request(_) => return Vec::new(),
            LinkEvent::Lost { error, attempt, retry_in } => {
                self.client = None;
                let retry_in_ms = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX);
                Message::Lost { error: error.into(), attempt, retry_in_ms }
            }
        };
        self.give(message)
    }

    /// Leaves the real daemon for the demo.
    fn switch(&mut self, (socket, halt_file): (PathBuf, PathBuf)) {
        self.client = None;
        self.app.enter_demo(socket.display().to_string(), halt_file.display().to_string());
        let (link, events) = connect(socket);
        self.link = Some(link);
        self.events = events;
        self.halt_file = halt_file;
    }
}

fn connect(path: PathBuf) -> (Link, mpsc::Receiver<LinkEvent>) {
    let hello = hello("mctui", env!("CARGO_PKG_VERSION"));
    Link::start(LinkConfig { path, hello, follow: Follow::FromNow })
}

/// Writes the file that stops everything without a daemon.
fn write_halt_file(path: &std::path::Path, words: &str) -> Result<(), String> {
    // The name is what the daemon once told.
    halt::set(path, crate::text::line(words).as_str())
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Returns the scene before anything is known.
fn scene(options: &Options, clock: Clock) -> (Scene, PathBuf, PathBuf) {
    let (home, socket) = options.home();
    let halt_file = home.halt_file();
    let scene = Scene {
        now: clock.now(),
        socket: socket.display().to_string(),
        halt_file: halt_file.display().to_string(),
        is_demo: options.is_demo(),
        ..Scene::default()
    };
    (scene, socket, halt_file)
}
