//! The console of Mission Control.
//!
//! `app` is the pure part: messages in, requests out, and a view that only reads. `run` is the part
//! with a terminal and a socket.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "keys, actions and events: what a screen or dialog does not name, it leaves alone"
)]

pub mod app;
pub mod away;
pub mod backend;
#[cfg(feature = "demo")]
pub mod demo;
pub mod export;
pub mod format;
pub mod glyphs;
pub mod keymap;
pub mod link;
pub mod options;
pub mod overlays;
pub mod query;
pub mod request;
pub mod run;
pub mod scene;
pub mod screens;
pub mod story;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod widgets;
pub mod world;

#[cfg(test)]
mod tests;
