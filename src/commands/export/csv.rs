//! A table as CSV: RFC 4180 with a header, and line ends of a single line feed.

use std::{fs::File, io::Write, path::PathBuf};

use csv::{Writer, WriterBuilder};

use super::{
    error::{Error, Result},
    rows::{Cell, Rows},
    schema::TableSchema,
    writer::Sink,
};

/// Bytes that are gathered before they are written.
const BUFFER: usize = 1 << 18;

/// A CSV file that rows are written to.
#[derive(Debug)]
pub(super) struct CsvFile {
    path: PathBuf,
    writer: Writer<File>,
    /// The text of one value, kept for its memory.
    text: Vec<u8>,
}

impl CsvFile {
    /// Makes the file, and writes its header.
    pub(super) fn create(path: PathBuf, schema: &TableSchema) -> Result<Self> {
        let file = File::create_new(&path).map_err(Error::writing(&path))?;
        let writer = WriterBuilder::new()
            .buffer_capacity(BUFFER)
            .from_writer(file);
        let mut file = Self {
            path,
            writer,
            text: Vec::new(),
        };
        let names = schema.fields.iter().map(|field| field.name);
        let written = file.writer.write_record(names);
        file.named(written)?;
        Ok(file)
    }

    fn named<T>(&self, written: csv::Result<T>) -> Result<T> {
        written.map_err(|error| Error::writing(&self.path)(error.into()))
    }

    fn write_row(&mut self, rows: &Rows, row: usize) -> csv::Result<()> {
        for column in rows.columns() {
            self.text.clear();
            match column.get(row) {
                Cell::Missing => {}
                Cell::Text(text) => {
                    self.writer.write_field(text)?;
                    continue;
                }
                Cell::Integer(value) => write!(self.text, "{value}")?,
                Cell::Decimal(value) => write!(self.text, "{value}")?,
                Cell::Double(value) => write!(self.text, "{value}")?,
                Cell::Date(day) => write!(self.text, "{day}")?,
                Cell::Boolean(value) => write!(self.text, "{value}")?,
            }
            self.writer.write_field(&self.text)?;
        }
        self.writer.write_record(None::<&[u8]>)
    }
}

impl Sink for CsvFile {
    fn write(&mut self, rows: &Rows) -> Result<()> {
        let written = (0..rows.len()).try_for_each(|row| self.write_row(rows, row));
        self.named(written)
    }

    fn finish(self: Box<Self>) -> Result<File> {
        let Self { path, writer, .. } = *self;
        let file = writer.into_inner();
        file.map_err(|error| Error::writing(&path)(error.into_error()))
    }
}
