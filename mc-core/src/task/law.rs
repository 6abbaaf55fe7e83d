//! The life of a task: which move is open to whom, and what must hold first.
