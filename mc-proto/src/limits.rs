//! The limits of SECURITY-DESIGN: what is longer is refused, never cut and then judged.

/// A frame, its newline not counted.
pub const FRAME_BYTES: usize = 256 * 1024;
/// The first frame of a connection.
pub const FIRST_FRAME_BYTES: usize = 4 * 1024;
/// How deep JSON may nest.
pub const JSON_DEPTH: usize = 32;
/// How many keys one object may have.
pub const JSON_KEYS: usize = 256;
/// The arguments of a tool call.
pub const ARGUMENT_BYTES: usize = 128 * 1024;
/// A comment, a description, a deliverable.
pub const TEXT_BYTES: usize = 64 * 1024;
/// A title.
pub const TITLE_BYTES: usize = 512;
/// A short text: a reason, a note, a label, a session key.
pub const SHORT_BYTES: usize = 4 * 1024;
/// A list of names, labels, steps.
pub const LIST_ITEMS: usize = 64;
/// The largest page of a list.
pub const PAGE_ITEMS: i64 = 200;
/// The usual page of a list.
pub const PAGE_DEFAULT: i64 = 50;
/// An idempotency key.
pub const KEY_BYTES: usize = 128;
/// Name of a session or model, word of what began a run.
pub const LABEL_BYTES: usize = 200;
/// A page of a list ends early where its rows are longer than that together.
pub const PAGE_BYTES: usize = 2 * 1024 * 1024;
/// An answer to a client; the daemon's own frames may be this long.
pub const ANSWER_BYTES: usize = 8 * 1024 * 1024;
