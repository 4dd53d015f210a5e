//! What can go wrong with an export beside the repository.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The result of what writes an export.
pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed export.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A file or folder cannot be written, read or removed.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A Parquet file cannot be written.
    #[cfg(feature = "parquet")]
    #[error("cannot write {}", path.display())]
    Parquet {
        /// Which.
        path: PathBuf,
        /// Why.
        source: parquet::errors::ParquetError,
    },
    /// A record cannot be exported.
    #[error("cannot export {dataset}, key {key:?}")]
    Record {
        /// The dataset.
        dataset: String,
        /// The key, as far as it is text.
        key: String,
        /// What is wrong with it.
        source: nightshard_format::Error,
    },
    /// Something of a dataset or a manifest cannot be exported.
    #[error("cannot export {what}")]
    Generation {
        /// What.
        what: String,
        /// What is wrong with it.
        source: nightshard_format::Error,
    },
}

impl Error {
    /// Returns what makes an error of one that names no file.
    pub(super) fn writing(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Write {
            path: path.to_owned(),
            source,
        }
    }

    /// Returns what makes an error of one that names no record.
    pub(super) fn of_record(
        dataset: &str,
        key: &[u8],
    ) -> impl Fn(nightshard_format::Error) -> Self {
        move |source| Self::Record {
            dataset: dataset.to_owned(),
            key: String::from_utf8_lossy(key).into_owned(),
            source,
        }
    }

    /// Returns what makes an error of one that does not say what it is about.
    pub(super) fn of(what: &str) -> impl Fn(nightshard_format::Error) -> Self {
        move |source| Self::Generation {
            what: what.to_owned(),
            source,
        }
    }
}

/// Makes an error of something that contradicts itself.
pub(super) fn corrupt(
    structure: &'static str,
    problem: impl Into<String>,
) -> nightshard_format::Error {
    nightshard_format::Error::Corrupt {
        structure,
        problem: problem.into(),
    }
}
