//! The bridge between an OpenClaw gateway and Mission Control: it ends sessions and wakes agents
//! when the daemon says so, and sounds the alarm when the gateway is not governed.

pub mod bridge;
pub mod frame;
pub mod gateway;
mod halt;
pub mod identity;
pub mod orders;
pub mod plugin;
pub mod second_lock;
