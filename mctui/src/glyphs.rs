//! The shapes that the console draws with: Unicode, or plain ASCII for terminals without it.

/// One set of shapes. Every text is one column wide but [`Glyphs::ellipsis`] and its like, which
/// say so themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    /// Whether only ASCII may reach the terminal.
    pub ascii: bool,
    /// A horizontal line.
    pub horizontal: &'static str,
    /// A vertical line.
    pub vertical: &'static str,
    /// The corners: top left, top right, bottom left, bottom right.
    pub corners: [&'static str; 4],
    /// Where two boxes meet: at the top and at the bottom.
    pub tees: [&'static str; 2],
    /// Between two facts of one line.
    pub dot: &'static str,
    /// Between two parts of the status row.
    pub bar: &'static str,
    /// Something was cut off.
    pub ellipsis: &'static str,
    /// More rows follow.
    pub more: &'static str,
    /// Leads to.
    pub arrow: &'static str,
    /// One step back on the trail.
    pub back: &'static str,
    /// A filled and an empty part of a meter.
    pub meter: (&'static str, &'static str),
    /// A child in a tree.
    pub branch: &'static str,
}

/// Boxes and bars of Unicode.
pub const UNICODE: Glyphs = Glyphs {
    ascii: false,
    horizontal: "─",
    vertical: "│",
    corners: ["┌", "┐", "└", "┘"],
    tees: ["┬", "┴"],
    dot: "·",
    bar: "│",
    ellipsis: "…",
    more: "⋮",
    arrow: "→",
    back: "‹",
    meter: ("▓", "░"),
    branch: "└ ",
};

/// Boxes and bars of ASCII.
pub const ASCII: Glyphs = Glyphs {
    ascii: true,
    horizontal: "-",
    vertical: "|",
    corners: ["+", "+", "+", "+"],
    tees: ["+", "+"],
    dot: "-",
    bar: "|",
    ellipsis: "~",
    more: ":",
    arrow: ">",
    back: "<",
    meter: ("#", "."),
    branch: "` ",
};
