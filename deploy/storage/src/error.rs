//! What can go wrong with storage.

use std::path::PathBuf;

use crate::ObjectName;

/// The result of this package's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Fix the request or the configuration.
    Invalid,
    /// The bytes are bad: keep what is good, and do not retry before they are replaced.
    Data,
    /// Somebody else got there first.
    Conflict,
    /// Retry later.
    Unavailable,
}

/// A failed operation, naming the object and where it is.
///
/// An object that is not there is no error but `None`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that no object can have.
    #[error("{name:?} cannot name an object: {problem}")]
    Name {
        /// The name as given.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A URI that leads to no storage.
    #[error("cannot use {uri:?}: {problem}")]
    Uri {
        /// The URI as given.
        uri: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The object is there already.
    #[error("{name} exists already in {location}")]
    Exists {
        /// The object.
        name: ObjectName,
        /// The storage.
        location: String,
    },
    /// The object is longer than whoever asked for it can make sense of.
    #[error("{name} in {location} exceeds {limit_bytes} bytes")]
    TooLarge {
        /// The object.
        name: ObjectName,
        /// The storage.
        location: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// The local file to be stored cannot be read.
    #[error("cannot read {}", path.display())]
    Source {
        /// The local file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The storage refuses what was asked, and will until somebody puts that right.
    #[error("cannot {action} {name} in {location}: {problem}")]
    Refused {
        /// What was asked, as a verb.
        action: &'static str,
        /// The object or folder of objects.
        name: String,
        /// The storage.
        location: String,
        /// What is wrong, and the remedy.
        problem: &'static str,
        /// What the storage said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The storage did not do what was asked.
    #[error("cannot {action} {name} in {location}")]
    Failed {
        /// What was asked, as a verb.
        action: &'static str,
        /// The object or folder of objects.
        name: String,
        /// The storage.
        location: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Returns what the error asks of the caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Name { .. } | Self::Uri { .. } | Self::Refused { .. } => ErrorKind::Invalid,
            Self::Exists { .. } => ErrorKind::Conflict,
            Self::TooLarge { .. } => ErrorKind::Data,
            Self::Source { .. } | Self::Failed { .. } => ErrorKind::Unavailable,
        }
    }
}
