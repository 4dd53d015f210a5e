//! A table that is written into the files of its formats.

use std::fs::File;

use rayon::prelude::*;

use super::{
    csv::CsvFile,
    error::{Error, Result},
    folder::{OutputFolder, Written},
    rows::Rows,
    schema::TableSchema,
};

/// What a table is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileFormat {
    /// Apache Parquet.
    #[cfg(feature = "parquet")]
    Parquet,
    /// RFC 4180.
    Csv,
}

impl FileFormat {
    /// Returns how the names of its files end.
    fn extension(self) -> &'static str {
        match self {
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }
}

/// A file that rows of one table are written to.
pub(super) trait Sink: Send {
    /// Adds rows.
    fn write(&mut self, rows: &Rows) -> Result<()>;

    /// Writes what is still held back, and returns the file.
    fn finish(self: Box<Self>) -> Result<File>;
}

/// Where tables are written, and what each file says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// The folder.
    pub(super) folder: &'a OutputFolder,
    /// The formats.
    pub(super) formats: &'a [FileFormat],
    /// Names and values for formats that have room for them.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "CSV has no room"))]
    pub(super) facts: &'a [(&'static str, String)],
}

impl Target<'_> {
    /// Returns the names of a table's files.
    pub(super) fn names(&self, table: &str) -> impl Iterator<Item = String> {
        let formats = self.formats.iter();
        formats.map(move |format| format!("{table}.{}", format.extension()))
    }

    fn create(
        &self,
        name: &str,
        format: FileFormat,
        schema: &TableSchema,
    ) -> Result<Box<dyn Sink>> {
        let path = self.folder.aside_of(name);
        Ok(match format {
            #[cfg(feature = "parquet")]
            FileFormat::Parquet => Box::new(super::parquet::ParquetFile::create(
                path, schema, self.facts,
            )?),
            FileFormat::Csv => Box::new(CsvFile::create(path, schema)?),
        })
    }
}

/// A table that is being written.
pub(super) struct TableWriter<'a> {
    target: Target<'a>,
    schema: TableSchema,
    files: Vec<Box<dyn Sink>>,
    rows: u64,
}

impl<'a> TableWriter<'a> {
    /// Makes the files of a table, aside.
    pub(super) fn create(target: Target<'a>, schema: TableSchema) -> Result<Self> {
        let names = target.names(&schema.name).zip(target.formats);
        let files = names.map(|(name, format)| target.create(&name, *format, &schema));
        Ok(Self {
            files: files.collect::<Result<_>>()?,
            target,
            schema,
            rows: 0,
        })
    }

    /// Adds rows, to all files at once.
    pub(super) fn write(&mut self, rows: &Rows) -> Result<()> {
        self.rows += rows.len() as u64;
        let files = self.files.par_iter_mut();
        let written: Vec<Result<()>> = files.map(|file| file.write(rows)).collect();
        written.into_iter().collect()
    }

    /// Returns no rows of the table.
    pub(super) fn no_rows(&self) -> Rows {
        Rows::new(&self.schema.fields)
    }

    /// Writes all that is left, to the disk, and returns what was written.
    pub(super) fn finish(self) -> Result<Vec<Written>> {
        let Self {
            target,
            schema,
            files,
            rows,
        } = self;
        let finish = |(file, name): (Box<dyn Sink>, String)| {
            let path = target.folder.aside_of(&name);
            let file = file.finish()?;
            let synced = file.sync_all().and_then(|()| file.metadata());
            Ok(Written {
                name,
                table: schema.name.clone(),
                rows,
                size_bytes: synced.map_err(Error::writing(&path))?.len(),
            })
        };
        files
            .into_iter()
            .zip(target.names(&schema.name))
            .map(finish)
            .collect()
    }
}
