//! The review checklists of each task type.
