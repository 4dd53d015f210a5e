//! How a table is written.

use std::path::Path;

use crate::{Error, Result};

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Values with commas between, quoted as RFC 4180 has it, under a header.
    Csv,
    /// Values with tabs between, under a header. There are no quotes: one is a character like
    /// any other, as in text/tab-separated-values of IANA and what databases write.
    Tsv,
    /// One JSON object a line.
    JsonLines,
    /// Parquet, of flat columns.
    Parquet,
}

impl TableFormat {
    /// The formats by the names that options and files have for them.
    const NAMES: [(&str, Self); 7] = [
        ("csv", Self::Csv),
        ("txt", Self::Csv),
        ("tsv", Self::Tsv),
        ("jsonl", Self::JsonLines),
        ("ndjson", Self::JsonLines),
        ("json", Self::JsonLines),
        ("parquet", Self::Parquet),
    ];

    /// Returns the format of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let named = Self::NAMES.iter().find(|(known, _)| *known == name);
        named.map(|(_, format)| *format)
    }

    /// Returns the format that a file's name tells, before `.gz` or `.zst`.
    ///
    /// # Errors
    /// [`Error::Option`] if it tells none.
    pub fn of_file(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_ascii_lowercase();
        let plain = name
            .strip_suffix(".gz")
            .or_else(|| name.strip_suffix(".zst"))
            .unwrap_or(&name);
        let extension = plain
            .rsplit_once('.')
            .map_or("", |(_, extension)| extension);
        Self::named(extension).ok_or_else(|| {
            let problem = format!("it is needed: the name of {} tells none", path.display());
            Error::option("--format", problem)
        })
    }
}
