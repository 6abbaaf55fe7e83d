//! Aligned tables and `name  value` sheets, coloured by meaning.

use std::fmt;

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

/// Rows under a head; columns are as wide as their widest cell, the last one is not padded.
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

fn write_row(f: &mut fmt::Formatter<'_>, cells: &[Cell], widths: &[usize]) -> fmt::Result {
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        f.write_str(&cell.tone.paint(&cell.text))?;
        if column + 1 < cells.len() {
            write!(f, "{:1$}", "", width + 2 - text::width(&cell.text))?;
        }
    }
    f.write_str("\n")
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let head: Vec<Cell> = self.head.iter().map(|word| Cell::new(word, Tone::Dim)).collect();
        write_row(f, &head, &widths)?;
        self.rows.iter().try_for_each(|row| write_row(f, row, &widths))
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
