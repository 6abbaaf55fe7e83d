//! The daemon of Mission Control: one writer, one journal, two sockets.
//!
//! A request walks through four rooms: `server::connection` reads it, `server::dispatch` decides
//! who may ask, `handlers` decide what happens, `store::writer` makes it durable.

pub mod ballast;
pub mod caller;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod halt;
pub mod handlers;
pub mod helper;
pub mod identity;
pub mod journal;
pub mod keys;
pub mod live;
pub mod logging;
mod masking;
pub mod policy;
pub mod prices;
pub mod process;
pub mod random;
pub mod server;
pub mod stops;
pub mod store;
mod workers;

pub(crate) use mc_proto::findings;
