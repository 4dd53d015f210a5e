//! What can go wrong with a repository.

use std::{io, path::PathBuf};

use nightshard_format::manifest::GenerationId;
use nightshard_storage::ObjectName;

pub use nightshard_storage::ErrorKind;

#[cfg(feature = "controller")]
use crate::controller::Step;
use crate::{BlobRef, SelectionNumber};

/// The result of this package's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation on a repository.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Storage did not do what was asked.
    #[error(transparent)]
    Storage(#[from] nightshard_storage::Error),
    /// The repository has no such generation.
    #[error("generation {id} is not in {location}")]
    UnknownGeneration {
        /// The generation.
        id: GenerationId,
        /// The repository.
        location: String,
    },
    /// The repository has no current generation.
    #[error("no generation is selected in {location}")]
    NothingSelected {
        /// The repository.
        location: String,
    },
    /// A manifest or selection is damaged, foreign or of a newer format.
    #[error("cannot use {name} in {location}")]
    Unusable {
        /// The object.
        name: ObjectName,
        /// The repository.
        location: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A blob that a manifest names is not there.
    #[error("{blob} is missing in {location}")]
    MissingBlob {
        /// The blob.
        blob: Box<BlobRef>,
        /// The repository.
        location: String,
    },
    /// A blob is not what its name and the manifest say, or cannot be read.
    #[error("cannot use {blob} in {location}")]
    BadBlob {
        /// The blob.
        blob: Box<BlobRef>,
        /// The repository.
        location: String,
        /// What is wrong with it.
        source: nightshard_format::Error,
    },
    /// A dataset of two generations cannot be compared, though its blobs are what they should be.
    #[error("cannot compare {table} of generation {} with that of {}", generations[0], generations[1])]
    Incomparable {
        /// The dataset and its span.
        table: String,
        /// The earlier generation and the later one.
        generations: Box<[GenerationId; 2]>,
        /// What is wrong.
        source: nightshard_format::Error,
    },
    /// Blobs of this repository are not local files, so that they cannot be mapped in place.
    #[error("blobs in {location} cannot be mapped in place")]
    NotLocal {
        /// The repository.
        location: String,
    },
    /// The folder of what was fetched cannot be used.
    #[error("cannot use the cache {}", folder.display())]
    Cache {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is to be fetched does not fit on the disk.
    #[error(
        "the cache {} has room for {free_bytes} bytes, and {needed_bytes} are to be fetched: \
         free some, or choose another disk",
        folder.display()
    )]
    CacheFull {
        /// The folder.
        folder: PathBuf,
        /// What is to be fetched.
        needed_bytes: u64,
        /// What may be used of the disk.
        free_bytes: u64,
    },
    /// What is to be published contradicts itself.
    #[error("cannot publish generation {id}: {problem}")]
    Staged {
        /// The generation.
        id: GenerationId,
        /// What is wrong.
        problem: String,
    },
    /// Somebody else wrote the selection that this writer was about to write.
    #[error("selection {number} was written by {by}, for generation {generation}: run it again")]
    Conflict {
        /// The number contended for.
        number: SelectionNumber,
        /// What the other writer selected.
        generation: GenerationId,
        /// Who the other writer says to be.
        by: String,
    },
    /// What is to be referenced is being deleted by somebody else.
    #[error(
        "generation {id} needs what {name} in {location}, by {by}, is deleting: try again later"
    )]
    Condemned {
        /// The generation.
        id: GenerationId,
        /// The record that says so.
        name: ObjectName,
        /// Who wrote it.
        by: String,
        /// The repository.
        location: String,
    },
    /// What was published is marked as bad: only who names it selects it.
    #[error(
        "generation {id} is marked as bad ({why}): it is published, not selected: \
         `nightshard select {location} {id}` makes it current all the same"
    )]
    MarkedBad {
        /// The generation.
        id: GenerationId,
        /// Why it was marked so.
        why: String,
        /// The repository.
        location: String,
    },
    /// Deleting took so long that what was condemned may be needed again.
    #[error("reclaiming in {location} takes too long, and stops before {what}: run it again")]
    TooSlow {
        /// What would have gone next.
        what: String,
        /// The repository.
        location: String,
    },
    /// Too few servers have a generation ready: nothing was switched.
    #[cfg(feature = "controller")]
    #[error("{ready} servers have generation {id} ready, and {quorum} must: {problems}")]
    NoQuorum {
        /// The generation.
        id: GenerationId,
        /// How many have it ready.
        ready: usize,
        /// How many must.
        quorum: usize,
        /// What is wrong with the others.
        problems: String,
    },
    /// There is no generation to go back to.
    #[error("no generation before {current} in {location} is marked good: name one")]
    NothingGood {
        /// The current generation.
        current: GenerationId,
        /// The repository.
        location: String,
    },
    /// Somebody else holds the lease of a repository's nights.
    #[cfg(feature = "controller")]
    #[error("{holder} holds the lease of {location}, epoch {epoch}, until {free_at} at least")]
    LeaseHeld {
        /// Who holds it.
        holder: String,
        /// The highest epoch.
        epoch: u64,
        /// From when on it can be taken.
        free_at: jiff::Timestamp,
        /// The repository.
        location: String,
    },
    /// A step of a night was not done.
    #[cfg(feature = "controller")]
    #[error("{problem}")]
    Step {
        /// The step.
        step: Step,
        /// Why not, in one line.
        problem: String,
    },
    /// The lease of a repository's nights expired, or somebody else took it.
    #[cfg(feature = "controller")]
    #[error("the lease of {location}, epoch {epoch}, is lost")]
    LeaseLost {
        /// The epoch that was held.
        epoch: u64,
        /// The repository.
        location: String,
    },
    /// The shards of a generation do not make one.
    #[error("the shards of generation {id} do not fit together")]
    Inconsistent {
        /// The generation.
        id: GenerationId,
        /// What is wrong.
        source: nightshard_format::Error,
    },
    /// The process is shutting down.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Returns what the error asks of the caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Storage(error) => error.kind(),
            Self::Staged { .. } | Self::NotLocal { .. } => ErrorKind::Invalid,
            Self::Conflict { .. } | Self::Condemned { .. } => ErrorKind::Conflict,
            #[cfg(feature = "controller")]
            Self::LeaseLost { .. } | Self::LeaseHeld { .. } => ErrorKind::Conflict,
            #[cfg(feature = "controller")]
            Self::NoQuorum { .. } | Self::Step { .. } => ErrorKind::Unavailable,
            Self::Interrupted
            | Self::NothingSelected { .. }
            | Self::NothingGood { .. }
            | Self::MarkedBad { .. }
            | Self::TooSlow { .. }
            | Self::Cache { .. }
            | Self::CacheFull { .. }
            | Self::BadBlob {
                source: nightshard_format::Error::Io(_),
                ..
            } => ErrorKind::Unavailable,
            Self::UnknownGeneration { .. }
            | Self::Unusable { .. }
            | Self::MissingBlob { .. }
            | Self::BadBlob { .. }
            | Self::Incomparable { .. }
            | Self::Inconsistent { .. } => ErrorKind::Data,
        }
    }
}

/// Returns an error and its causes in one line.
pub(crate) fn one_line(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
