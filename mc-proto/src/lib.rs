//! The wire of Mission Control: methods, errors, framing, and the clients of every program.

pub mod client;
pub mod describe;
pub mod error;
pub mod findings;
pub mod frame;
pub mod halt;
pub mod home;
pub mod limits;
pub mod method;
pub mod strict;

pub use mc_core as core;
