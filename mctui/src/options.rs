//! The command line and the environment: the only reader of both in this program.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use mc_core::id::TaskId;
use mc_proto::home::{Home, socket_from_environment};
use ratatui::layout::Size;

use crate::{
    app::Place,
    away::Way,
    glyphs::{ASCII, UNICODE},
    theme::Palette,
    widgets::Look,
};

/// The console of Mission Control.
#[derive(Debug, Parser)]
#[command(
    name = "mctui",
    version,
    about,
    after_help = "Inside, ? shows every key; ! is the emergency stop."
)]
pub struct Options {
    /// Directory that holds config, state and sockets
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// The operators' socket
    #[arg(long, value_name = "PATH")]
    pub operator_socket: Option<PathBuf>,
    /// Print one frame as text and leave: board, approvals, fleet, alerts, cost or a task like T-12
    #[arg(long, value_name = "SCREEN")]
    pub once: Option<String>,
    /// Size of that frame
    #[arg(long, value_name = "WxH", default_value = "120x36", value_parser = read_size, requires = "once")]
    pub size: Size,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Draw with ASCII only
    #[arg(long)]
    pub ascii: bool,
    /// How to tell you what waits while you look elsewhere
    #[arg(long, value_enum, value_name = "WAY", default_value_t = Way::Bell)]
    pub notify: Way,
    /// Show a lively squad of the console's own; touches no real one
    #[cfg(feature = "demo")]
    #[arg(long)]
    pub demo: bool,
}

/// When to use colours. The theme needs no more than 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// As the terminal and `NO_COLOR` say.
    Auto,
    /// Never.
    Never,
    /// Always, 16 colours.
    #[value(name = "16", aliases = ["256", "true"])]
    Sixteen,
}

/// What is read from the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `TERM`.
    pub term: Option<String>,
    /// Whether `NO_COLOR` is set.
    pub no_color: bool,
    /// Whether the locale is UTF-8.
    pub is_utf8: bool,
    /// Whether this is a window of tmux.
    pub is_tmux: bool,
    /// `VISUAL`, else `EDITOR`, else `vi`.
    pub editor: String,
    /// `HOME`.
    pub home: Option<PathBuf>,
}

impl Environment {
    /// Reads it.
    #[expect(clippy::disallowed_methods, reason = "the console's one reader of the environment")]
    pub fn read() -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = var("LC_ALL").or_else(|| var("LC_CTYPE")).or_else(|| var("LANG"));
        let is_utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self {
            term: var("TERM"),
            no_color: var("NO_COLOR").is_some(),
            is_utf8,
            is_tmux: var("TMUX").is_some(),
            editor: var("VISUAL").or_else(|| var("EDITOR")).unwrap_or_else(|| "vi".to_owned()),
            home: var("HOME").map(PathBuf::from),
        }
    }
}

impl Options {
    /// Returns how the console looks.
    pub fn look(&self, environment: &Environment) -> Look {
        let palette = match self.color {
            Color::Never => Palette::Never,
            Color::Auto if environment.no_color => Palette::Never,
            Color::Auto | Color::Sixteen => Palette::Sixteen,
        };
        let glyphs = if self.ascii || !environment.is_utf8 { &ASCII } else { &UNICODE };
        Look { palette, glyphs }
    }

    /// Returns the squad's directories and the socket to connect to.
    pub fn home(&self) -> (Home, PathBuf) {
        let home = Home::find(self.home.as_deref());
        let explicit = self.operator_socket.clone().or_else(|| {
            // A home given by hand is meant more than a socket from the environment.
            if self.home.is_some() { None } else { socket_from_environment() }
        });
        let socket = explicit.unwrap_or_else(|| home.operator_socket());
        (home, socket)
    }

    /// Says whether the demo is wanted.
    pub fn is_demo(&self) -> bool {
        #[cfg(feature = "demo")]
        return self.demo;
        #[cfg(not(feature = "demo"))]
        return false;
    }
}

/// Reads the name of a screen.
///
/// # Errors
///
/// With the names there are.
pub fn read_place(name: &str) -> Result<Place, String> {
    match name {
        "board" => Ok(Place::Board),
        "approvals" => Ok(Place::Approvals),
        "fleet" => Ok(Place::Fleet),
        "alerts" | "feed" => Ok(Place::Alerts),
        "cost" => Ok(Place::Cost),
        task => task.parse::<TaskId>().map(Place::Task).map_err(|_| {
            format!(
                "`{task}` is no screen: board, approvals, fleet, alerts, cost or a task like T-12"
            )
        }),
    }
}

fn read_size(text: &str) -> Result<Size, String> {
    let parts = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match parts {
        Some((width @ 1..=500, height @ 1..=200)) => Ok(Size { width, height }),
        Some(_) | None => Err(format!("`{text}` is no size like 120x36, at most 500x200")),
    }
}
