//! What may go wrong between a file and its rows.

use std::io;
use std::path::PathBuf;

/// An input that cannot be read as a whole; no message holds any of its content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An input of a kind that is not known.
    #[error("input {uri}: only local paths and file:// are known")]
    UnknownScheme {
        /// The input as given.
        uri: String,
    },
    /// The file or folder is missing or may not be read.
    #[error("cannot read input {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// A folder without a single file of a known kind.
    #[error("input {} holds no file of transactions, and {ignored} other files", path.display())]
    NoFiles {
        /// The folder.
        path: PathBuf,
        /// Files in it that were passed over.
        ignored: usize,
    },
    /// A folder that a build writes into, which holds tables of its own.
    #[error(
        "input {} is a repository: keep the transactions in another folder",
        path.display()
    )]
    IsRepository {
        /// The folder.
        path: PathBuf,
    },
    /// A pipe or device, which cannot be read a second time.
    #[error("input {} is no regular file: write it to one first", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// A file whose name cannot be written into a report.
    #[error("input {}: its name is not UTF-8: rename it", path.display())]
    NameNotUtf8 {
        /// The file.
        path: PathBuf,
    },
    /// One file stands among the inputs twice, so that its rows would count twice.
    #[error("input {} is named twice", path.display())]
    NamedTwice {
        /// The file.
        path: PathBuf,
    },
    /// More files than an ordinal of 32 bits can name.
    #[error("more than {max} input files", max = u32::MAX)]
    TooManyFiles,
    /// The file has no line at all.
    #[error("{} is empty: it has no header", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The first line is not a header of this layout.
    #[error("{}: the header lacks {columns} (delimiter {delimiter:?})", path.display())]
    MissingColumns {
        /// The file.
        path: PathBuf,
        /// What is missing, with all spellings that the layout knows.
        columns: String,
        /// The delimiter that the layout says.
        delimiter: char,
    },
    /// The lines of the file end as those of old systems do.
    #[error(
        "{}: its lines end in carriage returns alone: convert them to line feeds",
        path.display()
    )]
    CarriageReturns {
        /// The file.
        path: PathBuf,
    },
    /// The file holds bytes that no text has.
    #[error("{} is not a text file", path.display())]
    Binary {
        /// The file.
        path: PathBuf,
    },
    /// A JSON file that is not one object a line.
    #[error("{} is not JSON lines: one object a line", path.display())]
    NotJsonLines {
        /// The file.
        path: PathBuf,
    },
    /// A compressed file that stops before its end.
    #[error("{}: file ends early", path.display())]
    EndsEarly {
        /// The file.
        path: PathBuf,
    },
    /// A compressed file whose bytes are wrong.
    #[error("{}: compressed data is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decompressor says.
        source: io::Error,
    },
    /// A Parquet file that is none, or whose bytes are wrong.
    #[error("{}: this Parquet file cannot be read: {problem}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Somebody writes to the file.
    #[error("{} changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// The result of reading inputs.
pub type Result<T> = std::result::Result<T, Error>;
