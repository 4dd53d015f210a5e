//! What can go wrong while generating.

use std::{io, path::PathBuf};

/// Why a plan was refused or its file could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option has a value with which nothing sensible can be generated.
    #[error("--{option} {reason}")]
    Option {
        /// The option's name on the command line, without dashes.
        option: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// The file, or the folder in which it is written aside, cannot be written.
    #[error("--output {}: cannot write", path.display())]
    Write {
        /// The file that was asked for.
        path: PathBuf,
        /// The system's reason (folder missing, permission denied, no space left).
        source: io::Error,
    },
    /// The worker threads could not be started.
    #[error("cannot start {threads} worker threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The pool's reason.
        source: rayon::ThreadPoolBuildError,
    },
}

impl Error {
    /// Tells a wrong command line (exit code 2) from a failure while writing (exit code 1).
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Option { .. })
    }

    pub(super) fn option(option: &'static str, reason: impl Into<String>) -> Self {
        Self::Option {
            option,
            reason: reason.into(),
        }
    }
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
