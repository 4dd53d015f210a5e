//! What can stop a build.

use std::path::PathBuf;

/// The result of this package's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a build stopped, naming the file, option or row at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input could not be read.
    #[error(transparent)]
    Source(#[from] crate::source::Error),
    /// The layout is wrong, or does not fit the input.
    #[error(transparent)]
    Layout(#[from] crate::layout::Error),
    /// An option is out of its bounds.
    #[error("{option}: {problem}")]
    Option {
        /// The option of the command line or the configuration.
        option: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A file other than the input could not be read or written.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong, and the remedy where there is one.
        problem: String,
    },
    /// A row of a table cannot be packed.
    #[error("{}:{line}: {problem}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line on which the row begins, from 1; of a Parquet file the row's number.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// No row of the input can be used.
    #[error("no usable row: {0}")]
    NoRows(String),
    /// A data test that blocks does not hold.
    #[error("data test {name:?}: {problem}")]
    DataTest {
        /// The first such test.
        name: String,
        /// How many rows fail, and where the first of them stands.
        problem: String,
        /// The results of all tests.
        results: Vec<nightshard_format::quality::TestResult>,
    },
    /// The build contradicts itself.
    #[error("internal error, which is worth a report: {0}")]
    Internal(String),
    /// A shard or the manifest could not be written.
    #[error(transparent)]
    Format(#[from] nightshard_format::Error),
}

impl Error {
    /// Names the file or folder at which an I/O error happened.
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::File {
            path,
            problem: error.to_string(),
        }
    }

    pub(crate) fn option(option: &'static str, problem: impl Into<String>) -> Self {
        Self::Option {
            option,
            problem: problem.into(),
        }
    }
}
