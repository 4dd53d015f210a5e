//! What can be wrong with bytes, records and manifests.

/// The result of this package's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was found wrong, naming the structure at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a shard at all.
    #[error("not a shard: {0}")]
    NotAShard(&'static str),
    /// The shard or manifest was written by a newer release than this one.
    #[error("format version {found} is not known here: this release reads up to {newest}")]
    UnknownVersion {
        /// The version found in the file.
        found: u64,
        /// The newest version that this release reads.
        newest: u32,
    },
    /// A structure's checksum or content contradicts the specification.
    #[error("damaged {structure}: {problem}")]
    Corrupt {
        /// The structure of docs/format.md at fault.
        structure: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A value that is to be read in place is compressed.
    #[error("the value is compressed: it cannot be read in place")]
    Compressed,
    /// The shard was found damaged while it was in use, and answers nothing since.
    #[error("the shard was found damaged and is refused")]
    Refused,
    /// A writer was given something that the format cannot hold.
    #[error("cannot write {structure}: {problem}")]
    Invalid {
        /// The structure being written.
        structure: &'static str,
        /// What is wrong with the input.
        problem: String,
    },
    /// What is to be searched for cannot be.
    #[error("cannot search by {kind}: {problem}")]
    Search {
        /// The kind of search.
        kind: &'static str,
        /// What is wrong with what was asked.
        problem: String,
    },
    /// A label such as a date or a period does not parse.
    #[error("{value:?} is not {expected}")]
    Label {
        /// The text as given.
        value: String,
        /// What was expected, with an article.
        expected: &'static str,
    },
    /// Reading or writing the underlying file failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Error {
    pub(crate) fn corrupt(structure: &'static str, problem: impl Into<String>) -> Self {
        Self::Corrupt {
            structure,
            problem: problem.into(),
        }
    }

    pub(crate) fn invalid(structure: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid {
            structure,
            problem: problem.into(),
        }
    }
}
