//! One frame as text, for scripts and for people without a terminal.

use std::{io::Write as _, process::ExitCode, time::Duration};

use mc_proto::client::LinkEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{Clock, Engine, demo::Playing};
use crate::{
    app::{App, Message},
    link::Phase,
    options::{Environment, Options, read_place},
    text,
};

/// How long the daemon has to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Prints one frame: exit code 0, 1 for a task that there is not, 2 for a name that is no screen, 3
/// when no daemon answers.
pub(super) async fn print(
    options: &Options,
    environment: &Environment,
    screen: &str,
) -> anyhow::Result<ExitCode> {
    let place = match read_place(screen) {
        Ok(place) => place,
        Err(error) => {
            tell(&error);
            return Ok(ExitCode::from(2));
        }
    };
    let clock = Clock::start();
    let (scene, socket, halt_file) = super::scene(options, clock);
    let mut app = App::new(options.look(environment), options.size, scene);
    app.start_at(place);
    let mut playing = Playing::default();
    let socket = (!options.is_demo()).then_some(socket);
    let mut engine = Engine::start(app, clock, (socket, halt_file));
    if options.is_demo() {
        playing.begin();
        match playing.ready().await {
            Ok(address) => engine.switch(address),
            Err(error) => {
                tell(&format!("the demo did not start: {error}"));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    let loaded = tokio::time::timeout(PATIENCE, load(&mut engine)).await;
    if let Err(why) = loaded.unwrap_or_else(|_| Err(late(&engine))) {
        tell(&why);
        return Ok(ExitCode::from(3));
    }
    if let Some(why) = engine.app.trouble() {
        tell(why);
        return Ok(ExitCode::FAILURE);
    }
    let mut buffer = Buffer::empty(Rect::new(0, 0, options.size.width, options.size.height));
    engine.app.view(&mut buffer);
    std::io::stdout().write_all(text::of_buffer(&buffer).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stderr, reason = "the one place that speaks without a frame")]
fn tell(words: &str) {
    eprintln!("mctui: {}", crate::text::line(words).as_str());
}

/// Says what was waited for in vain.
fn late(engine: &Engine) -> String {
    let socket = &engine.app.scene.socket;
    match engine.app.scene.link.phase {
        Phase::Resync | Phase::Up => format!(
            "the daemon at {socket} did not say within {PATIENCE:?} how the squad stands: `mcctl \
             status`, and its log, say what it does"
        ),
        Phase::Connecting | Phase::Lost { .. } | Phase::Refused { .. } => {
            format!("no daemon answers at {socket}: start it with `mcd run`")
        }
    }
}

/// Takes in messages until nothing more is on its way, and there is a picture.
///
/// # Errors
///
/// Why there is none.
async fn load(engine: &mut Engine) -> Result<(), String> {
    while !engine.app.is_settled() {
        tokio::select! {
            Some(event) = engine.events.recv() => {
                let lost = match &event {
                    LinkEvent::Lost { error, .. } => Some(error.to_string()),
                    LinkEvent::Up(_)
                    | LinkEvent::Item(_)
                    | LinkEvent::Lagged(_)
                    | LinkEvent::Beat(_)
                    | LinkEvent::Request(_) => None,
                };
                engine.heard(event);
                if let Some(why) = lost {
                    return Err(why);
                }
            }
            Some((ticket, result)) = engine.answers.recv() => {
                // Without the picture as a whole there is none.
                let failed = result.as_ref().err().map(|failure| failure.text.clone());
                engine.give(Message::Answer(ticket, Box::new(result)));
                if let Some(why) = failed.filter(|_| !engine.app.scene.world.is_loaded) {
                    return Err(why);
                }
            }
            else => return Err(late(engine)),
        }
    }
    engine.app.prepare();
    engine.give(Message::Drawn);
    Ok(())
}
