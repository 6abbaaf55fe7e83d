//! The rules of Mission Control, pure: no I/O, no clock, no randomness.
//!
//! Given the same rows, command, time and ids, every function here gives the same answer. The
//! daemon obeys these rules; the clients show them.

pub mod actor;
pub mod agent;
pub mod alert;
pub mod answers;
pub mod approval;
pub mod assign;
pub mod budget;
pub mod canonical;
pub mod clean;
pub mod delivery;
pub mod describe;
pub mod event;
pub mod evidence;
pub mod filter;
pub mod fold;
pub mod id;
pub mod life;
pub mod loops;
pub mod message;
pub mod money;
pub mod openclaw;
pub mod operators;
pub mod policy;
pub mod price;
pub mod question;
pub mod redact;
pub mod refusal;
pub mod run;
pub mod schedule;
pub mod shell;
pub mod signers;
pub mod squad;
pub mod task;
pub mod time;
pub mod words;
