//! What commands print: aligned tables for people, JSON for programs.

use std::io::{ErrorKind, Write};

use serde::Serialize;

/// Writes text to standard output; whoever stops reading early is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a value to standard output as JSON, with integers of any size exact.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text)
}

/// How a command tells its result.
#[derive(Debug, clap::Args)]
pub(crate) struct ResultArgs {
    /// Print nothing.
    #[arg(long, short)]
    quiet: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl ResultArgs {
    /// Prints the result: as text for people, as JSON for programs, or not at all.
    pub(crate) fn show(
        &self,
        json: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        match (self.json, self.quiet) {
            (true, _) => print_json(json),
            (false, true) => Ok(()),
            (false, false) => print(&text()),
        }
    }
}

/// A column's heading and alignment.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// Text, aligned to the left.
    Text(&'static str),
    /// Numbers, aligned to the right.
    Number(&'static str),
}

/// Rows of cells under headings.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table without rows.
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, which has a cell for each column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells.into());
    }

    /// Returns the lines of the table, headings first.
    pub(crate) fn to_text(&self) -> String {
        let headings: Vec<String> = self
            .columns
            .iter()
            .map(|(Column::Text(heading) | Column::Number(heading))| (*heading).to_owned())
            .collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&headings).chain(&self.rows).collect();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| lines.iter().map(|line| line[at].chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        let mut text = String::new();
        for line in lines {
            let cells = line.iter().zip(&self.columns).zip(&widths);
            let cells: Vec<String> = cells
                .map(|((cell, column), width)| match column {
                    Column::Text(_) => format!("{cell:<width$}"),
                    Column::Number(_) => format!("{cell:>width$}"),
                })
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[Column::Text("name"), Column::Number("rows")]);
        table.row(["café".into(), "12345".into()]);
        table.row(["a longer one".into(), "6".into()]);
        let expected = "\
name           rows
café          12345
a longer one      6
";
        assert_eq!(table.to_text(), expected);
    }
}
