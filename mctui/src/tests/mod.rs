//! The console as a whole, with a fixed clock and a fixed squad.

mod assigned;
mod behaviour;
mod budgets;
mod cost;
mod decisions;
mod documents;
mod edit;
mod factor;
mod fixture;
mod fleet;
mod frames;
mod lists;
mod looking;
mod marks;
mod properties;
mod resume;
mod schedules;
mod standing;
mod stopped;
mod waits;
mod walk;

#[cfg(feature = "demo")]
mod demo;
