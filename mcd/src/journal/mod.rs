//! The journal: append-only, hash-chained; the only room that knows where it lives.
