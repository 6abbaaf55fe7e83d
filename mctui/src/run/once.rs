//! One frame as text, for scripts and for people without a terminal.

use std::{io::Write as _, process::ExitCode, time::Duration};

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Clock, Engine, demo::Playing};
use crate::{
    app::{App, Message},
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
    let is_complete = tokio::time::timeout(PATIENCE, load(&mut engine)).await.unwrap_or(false);
    if !is_complete {
        tell(&format!("no daemon answers at {}: start it with `mcd run`", engine.app.scene.socket));
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

/// Takes in messages until nothing more is on its way; says whether there is a picture.
async fn load(engine: &mut Engine) -> bool {
    while !engine.app.is_settled() {
        tokio::select! {
            Some(event) = engine.events.recv() => {
                let is_lost = matches!(event, mc_proto::client::LinkEvent::Lost { .. });
                engine.heard(event);
                if is_lost {
                    return false;
                }
            }
            Some((ticket, result)) = engine.answers.recv() => {
                engine.give(Message::Answer(ticket, Box::new(result)));
            }
            else => return false,
        }
    }
    engine.app.prepare();
    engine.give(Message::Drawn);
    true
}
