//! Aligned tables and `name  value` sheets, coloured by meaning.

use std::{fmt, io::IsTerminal as _, sync::OnceLock};

use crate::text;

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    Plain,
    /// To be found first.
    Strong,
    /// Beside the point.
    Dim,
    /// Well.
    Good,
    /// Look soon.
    Warn,
    /// Look now.
    Bad,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\u{1b}[1m",
            Self::Dim => "\u{1b}[2m",
            Self::Good => "\u{1b}[32m",
            Self::Warn => "\u{1b}[33m",
            Self::Bad => "\u{1b}[1;31m",
        }
    }

    /// Returns `text`, which is clean already, in this tone.
    pub(crate) fn paint(self, text: &str) -> String {
        if self == Self::Plain {
            return text.to_owned();
        }
        format!("{}{text}\u{1b}[0m", self.code())
    }
}

/// One clean, short text of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

/// How wide a cell gets at most.
const CELL_COLUMNS: usize = 72;

impl Cell {
    /// Returns a cell of `text` in `tone`.
    pub(crate) fn new(text: impl fmt::Display, tone: Tone) -> Self {
        Self { text: text::cut(&text.to_string(), CELL_COLUMNS), tone }
    }
}

/// Returns a cell for a text that has the rest of the line to itself.
pub(crate) fn rest(text: impl fmt::Display) -> Cell {
    Cell { text: text::line(&text.to_string()), tone: Tone::Plain }
}

/// Returns a plain cell.
pub(crate) fn cell(text: impl fmt::Display) -> Cell {
    Cell::new(text, Tone::Plain)
}

/// Returns a cell that shows what there is, or a dash.
pub(crate) fn maybe<T: fmt::Display>(value: Option<T>) -> Cell {
    match value {
        Some(value) => cell(value),
        None => Cell::new("-", Tone::Dim),
    }
}

/// Returns a cell of all `values`, or a dash.
pub(crate) fn list<T: fmt::Display>(values: &[T]) -> Cell {
    let all: Vec<String> = values.iter().map(T::to_string).collect();
    maybe((!all.is_empty()).then(|| all.join(" ")))
}

/// How many columns the terminal has; never set where there is none.
static COLUMNS: OnceLock<usize> = OnceLock::new();
/// The narrowest terminal that tables are fitted to.
const NARROWEST: usize = 40;
/// How far a row's further lines stand in.
const INDENT: usize = 4;
/// How much of the last column has to fit beside the others.
const REST_COLUMNS: usize = 24;

/// Has tables fit the terminal, where standard output is one.
pub(crate) fn fit_terminal() {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return;
    }
    if let Ok(size) = rustix::termios::tcgetwinsize(&out) {
        COLUMNS.get_or_init(|| usize::from(size.ws_col).max(NARROWEST));
    }
}

/// Rows under a head; columns are as wide as their widest cell, the last one is not padded. On a
/// terminal that is too narrow a row goes on in further lines; no word is cut in two.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    head: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Returns a table without rows.
    pub(crate) const fn new(head: &'static [&'static str]) -> Self {
        Self { head, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |column: usize, head: &str| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| text::width(&cell.text)).fold(text::width(head), usize::max)
        };
        self.head.iter().enumerate().map(|(column, head)| widest(column, head)).collect()
    }
}

/// Where a row begins a new line, and how wide the terminal is.
#[derive(Debug)]
struct Layout {
    widths: Vec<usize>,
    breaks: Vec<bool>,
    limit: usize,
}

impl Layout {
    fn of(widths: Vec<usize>, limit: Option<usize>) -> Self {
        let limit = limit.unwrap_or(usize::MAX);
        let mut used = 0;
        let mut breaks = Vec::with_capacity(widths.len());
        for (column, width) in widths.iter().enumerate() {
            let is_last = column + 1 == widths.len();
            let needs = if is_last { (*width).min(REST_COLUMNS) } else { *width };
            let is_over = used > INDENT && used + needs > limit;
            used = if is_over { INDENT } else { used } + width + 2;
            breaks.push(is_over);
        }
        Self { widths, breaks, limit }
    }

    fn breaks_at(&self, column: usize) -> bool {
        self.breaks.get(column).copied().unwrap_or_default()
    }

    fn write_row(&self, f: &mut fmt::Formatter<'_>, cells: &[Cell]) -> fmt::Result {
        let mut at = 0;
        for (column, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            if self.breaks_at(column) {
                write!(f, "\n{:INDENT$}", "")?;
                at = INDENT;
            }
            if column + 1 == cells.len() {
                let lines = wrapped(&cell.text, self.limit.saturating_sub(at));
                let lines = lines.iter().map(|line| cell.tone.paint(line));
                f.write_str(&lines.collect::<Vec<_>>().join(&format!("\n{:at$}", "")))?;
            } else {
                f.write_str(&cell.tone.paint(&cell.text))?;
                if !self.breaks_at(column + 1) {
                    write!(f, "{:1$}", "", width + 2 - text::width(&cell.text))?;
                }
            }
            at += width + 2;
        }
        f.write_str("\n")
    }
}

/// Returns a text in lines of at most `columns`, broken between words.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    if text::width(text) <= columns {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| text::width(line));
        if line > 0 && line + 1 + text::width(word) > columns {
            lines.push(word.to_owned());
        } else if let Some(last) = lines.last_mut() {
            if line > 0 {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

impl Table {
    fn write(&self, f: &mut fmt::Formatter<'_>, limit: Option<usize>) -> fmt::Result {
        let layout = Layout::of(self.widths(), limit);
        let head: Vec<Cell> = self.head.iter().map(|word| Cell::new(word, Tone::Dim)).collect();
        layout.write_row(f, &head)?;
        self.rows.iter().try_for_each(|row| layout.write_row(f, row))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, COLUMNS.get().copied())
    }
}

/// Lines of `name  value`, names in one column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sheet {
    lines: Vec<(&'static str, String)>,
}

impl Sheet {
    /// Adds a line of foreign or own text; further lines of it are indented.
    pub(crate) fn line(&mut self, name: &'static str, value: impl fmt::Display) -> &mut Self {
        self.lines.push((name, text::block(&value.to_string())));
        self
    }

    /// Adds a line when there is something to show.
    pub(crate) fn maybe<T: fmt::Display>(
        &mut self,
        name: &'static str,
        value: Option<T>,
    ) -> &mut Self {
        if let Some(value) = value {
            self.line(name, value);
        }
        self
    }

    /// Adds a line in a tone.
    pub(crate) fn toned(
        &mut self,
        name: &'static str,
        value: impl fmt::Display,
        tone: Tone,
    ) -> &mut Self {
        self.lines.push((name, tone.paint(&text::line(&value.to_string()))));
        self
    }

    /// Adds a line of all `values`, when there are any.
    pub(crate) fn list<T: fmt::Display>(&mut self, name: &'static str, values: &[T]) -> &mut Self {
        let all: Vec<String> = values.iter().map(T::to_string).collect();
        self.maybe(name, (!all.is_empty()).then(|| all.join(", ")))
    }
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.lines.iter().map(|(name, _)| text::width(name)).fold(0, usize::max);
        for (name, value) in &self.lines {
            let indent = format!("\n{:1$}", "", width + 2);
            let padding = width + 2 - text::width(name);
            let value = value.trim_end().replace('\n', &indent);
            writeln!(f, "{}{:padding$}{value}", Tone::Dim.paint(name), "")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a pipe would get.
    fn plain(shown: impl fmt::Display) -> String {
        anstream::adapter::strip_str(&shown.to_string()).to_string()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["ID", "TITLE", "COST"]);
        table.row([cell("T-1"), cell("日本語"), cell("$0.00")]);
        table.row([cell("T-1000"), cell("x"), maybe::<&str>(None)]);
        assert_eq!(
            plain(table),
            "ID      TITLE   COST\nT-1     日本語  $0.00\nT-1000  x       -\n"
        );
    }

    /// A table as it is on a terminal of so many columns.
    struct Narrow<'a>(&'a Table, usize);

    impl fmt::Display for Narrow<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.write(f, Some(self.1))
        }
    }

    #[test]
    fn a_table_fits_the_terminal_and_cuts_no_word() {
        let mut table = Table::new(&["AGENT", "RUNTIME", "STATUS", "WHAT"]);
        table.row([
            cell("kestrel"),
            cell("claude-code"),
            cell("quarantined"),
            rest("it asked the same again and again"),
        ]);
        assert_eq!(
            plain(Narrow(&table, 40)),
            "AGENT    RUNTIME      STATUS\n    WHAT\n\
             kestrel  claude-code  quarantined\n    it asked the same again and again\n"
        );
        assert_eq!(plain(Narrow(&table, 60)).lines().last().unwrap().trim(), "and again");
        let shown = plain(Narrow(&table, 60));
        assert!(shown.lines().all(|line| text::width(line) <= 60), "{shown}");
        assert_eq!(plain(Narrow(&table, 200)), plain(&table));
    }

    #[test]
    fn a_hostile_cell_stays_in_its_line() {
        let mut table = Table::new(&["TITLE"]);
        table.row([cell("a\nT-2  fake\u{1b}[2J")]);
        assert_eq!(plain(table).lines().count(), 2);
    }

    #[test]
    fn a_sheet_keeps_further_lines_in_its_column() {
        let mut sheet = Sheet::default();
        sheet.line("why", "one\ntwo").maybe::<&str>("none", None).line("state", "inbox");
        assert_eq!(plain(sheet), "why    one\n       two\nstate  inbox\n");
    }
}
