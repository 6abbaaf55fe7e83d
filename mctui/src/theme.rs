//! Colours as tokens. The default theme keeps the terminal's own foreground and background and uses
//! its 16 colours, bold and reverse, so that it works on light and on dark.

use mc_core::{alert::Severity, policy::Risk};
use ratatui::style::{Color, Modifier, Style};

/// What a piece of the screen is; the theme says how that looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Token {
    /// Ordinary text.
    #[default]
    Fg,
    /// Less important.
    Dim,
    /// More important.
    Strong,
    /// Lines of boxes.
    Border,
    /// Lines of the box that has the keys.
    Focus,
    /// The row under the cursor.
    Select,
    /// A key that can be pressed.
    Key,
    /// The title of a box.
    Title,
    /// All is well.
    Ok,
    /// Look soon.
    Warn,
    /// Look now.
    Crit,
    /// Money.
    Money,
    /// Not live.
    Stale,
    /// An agent's own words.
    Says,
    /// Recorded fact.
    Rec,
    /// Sent, not confirmed.
    Pending,
}

impl Token {
    /// Returns the token of a risk.
    pub const fn risk(risk: Risk) -> Self {
        match risk {
            Risk::Green => Self::Ok,
            Risk::Yellow => Self::Warn,
            Risk::Red => Self::Crit,
        }
    }

    /// Returns the token of a severity.
    pub const fn severity(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Dim,
            Severity::Warning => Self::Warn,
            Severity::Error | Severity::Critical => Self::Crit,
        }
    }
}

/// Returns the badge of a risk: told apart by shape, not only by colour.
pub const fn badge(risk: Risk) -> &'static str {
    match risk {
        Risk::Green => "(G)",
        Risk::Yellow => "<Y>",
        Risk::Red => "[R!]",
    }
}

/// Returns the badge of a severity.
pub const fn severity_badge(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "[i]",
        Severity::Warning => "[W]",
        Severity::Error => "[E]",
        Severity::Critical => "[C]",
    }
}

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Palette {
    /// Bold, dim and reverse only.
    Never,
    /// The terminal's 16 colours.
    #[default]
    Sixteen,
}

/// Returns how `token` looks.
pub fn style(palette: Palette, token: Token) -> Style {
    let plain = Style::new();
    let (color, modifier) = match token {
        Token::Fg | Token::Rec => (None, Modifier::empty()),
        Token::Dim | Token::Border | Token::Stale => (None, Modifier::DIM),
        Token::Strong | Token::Title => (None, Modifier::BOLD),
        Token::Select => (None, Modifier::REVERSED),
        Token::Focus | Token::Key => (Some(Color::Cyan), Modifier::BOLD),
        Token::Ok | Token::Money => (Some(Color::Green), Modifier::empty()),
        Token::Warn => (Some(Color::Yellow), Modifier::BOLD),
        Token::Crit => (Some(Color::Red), Modifier::BOLD),
        Token::Says => (Some(Color::Magenta), Modifier::empty()),
        Token::Pending => (Some(Color::Yellow), Modifier::empty()),
    };
    let styled = plain.add_modifier(modifier);
    match (palette, color) {
        (Palette::Sixteen, Some(color)) => styled.fg(color),
        (Palette::Sixteen, None) | (Palette::Never, _) => styled,
    }
}
