//! The screens, one file each.

pub mod alerts;
pub mod answers;
pub mod approvals;
pub mod board;
pub mod cost;
pub mod evidence;
pub mod fleet;
pub mod marks;
pub mod start;
pub mod task;
