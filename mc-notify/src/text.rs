//! What a delivery says to people.

use std::fmt::Write as _;

use mc_core::{alert::Severity, delivery::Delivery};

/// The most lines of a message.
const LINES: usize = 20;

/// Returns the message as plain text: the title, then one line a notice.
pub(crate) fn plain(squad: &str, delivery: &Delivery) -> String {
    let mut lines = vec![subject(squad, delivery)];
    if delivery.notices.len() > 1 {
        lines.extend(delivery.notices.iter().take(LINES).map(|one| format!("- {}", one.text)));
        let more = delivery.notices.len().saturating_sub(LINES);
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
    }
    lines.join("\n")
}

/// Returns the one line for titles and subjects.
pub(crate) fn subject(squad: &str, delivery: &Delivery) -> String {
    let mark = if delivery.severity == Severity::Critical { "! " } else { "" };
    format!("[{squad}] {mark}{}", delivery.title)
}

/// Returns bytes in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a `String` can't fail.
        write!(hex, "{byte:02x}").ok();
    }
    hex
}
