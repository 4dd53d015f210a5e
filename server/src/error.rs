//! Why a selection is not served.

use nightshard_format::manifest::GenerationId;

use crate::source::SourceError;

/// The result of this package's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a selection is not served; whatever was served before still is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The repository could not be asked for its selection.
    #[error("the selection cannot be read")]
    Selection {
        /// What the repository said.
        source: SourceError,
    },
    /// The selected generation could not be opened.
    #[error("generation {generation} cannot be opened")]
    Open {
        /// Which one.
        generation: GenerationId,
        /// What the repository said.
        source: SourceError,
    },
    /// A byte of the selected generation is not right.
    #[error("generation {generation} is refused")]
    Refused {
        /// Which one.
        generation: GenerationId,
        /// What is wrong.
        source: nightshard_format::Error,
    },
    /// The repository's selections were lost, or it is another repository.
    #[error("selection {selected} is older than {serving}, which is being served")]
    Backwards {
        /// The number that the repository names.
        selected: u64,
        /// The number being served.
        serving: u64,
    },
    /// Opening a generation ended without a result.
    #[error("opening the candidate was broken off")]
    Aborted,
}
