//! The desks: one file a capability; load, ask the core, emit events.
