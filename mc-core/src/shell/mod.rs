//! Shell commands: read by a real parser, and judged command by command (SECURITY-DESIGN, section
//! 5). A classifier is a guard rail, not a sandbox.

pub mod read;
pub mod simple;
mod text;
